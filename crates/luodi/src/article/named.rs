//! What articles are called where others read of them, as in the log.

use std::collections::HashMap;

use uuid::Uuid;

use crate::params;
use crate::store::{Query, StoreError};

/// The titles of these articles.
///
/// # Errors
/// The store's own.
pub fn called(q: &dyn Query, ids: &[Uuid]) -> Result<HashMap<Uuid, String>, StoreError> {
    let sql = "SELECT id, title FROM article WHERE id IN (#)";
    let found = q.rows_of(sql, ids, |r| Ok((r.get(0)?, r.get(1)?)))?;
    Ok(found.into_iter().collect())
}

/// The articles with this title.
///
/// # Errors
/// The store's own.
pub fn known_as(q: &dyn Query, text: &str) -> Result<Vec<Uuid>, StoreError> {
    let sql = "SELECT id FROM article WHERE title = ?1 LIMIT 200";
    q.rows(sql, params![text], |r| r.get(0))
}
