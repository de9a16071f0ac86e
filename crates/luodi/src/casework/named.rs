//! What cases and drafts are called where others read of them, as in the log.

use std::collections::HashMap;

use uuid::Uuid;

use crate::params;
use crate::store::{Query, StoreError};

/// The numbers of these cases, each with its item.
///
/// # Errors
/// The store's own.
pub fn called(q: &dyn Query, ids: &[Uuid]) -> Result<HashMap<Uuid, String>, StoreError> {
    let sql = "SELECT id, number, item_name FROM casework WHERE id IN (#)";
    let found = q.rows_of(sql, ids, |r| {
        let (number, item): (String, String) = (r.get(1)?, r.get(2)?);
        Ok((r.get(0)?, format!("{number} {item}")))
    })?;
    Ok(found.into_iter().collect())
}

/// The items that these drafts are for.
///
/// # Errors
/// The store's own.
pub fn items_of_drafts(q: &dyn Query, ids: &[Uuid]) -> Result<HashMap<Uuid, Uuid>, StoreError> {
    let sql = "SELECT id, item_id FROM draft WHERE id IN (#)";
    let found = q.rows_of(sql, ids, |r| Ok((r.get(0)?, r.get(1)?)))?;
    Ok(found.into_iter().collect())
}

/// The case with this number.
///
/// # Errors
/// The store's own.
pub fn known_as(q: &dyn Query, number: &str) -> Result<Vec<Uuid>, StoreError> {
    let sql = "SELECT id FROM casework WHERE number = ?1";
    q.rows(sql, params![number], |r| r.get(0))
}
