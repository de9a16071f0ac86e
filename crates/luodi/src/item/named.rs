//! What items, their versions and policies are called where others read of them, as in the log.

use std::collections::HashMap;

use uuid::Uuid;

use super::commands::id_of;
use crate::params;
use crate::store::{Query, StoreError};

/// The names of these items, as the version offered now has them.
///
/// # Errors
/// The store's own.
pub fn called(q: &dyn Query, ids: &[Uuid]) -> Result<HashMap<Uuid, String>, StoreError> {
    let sql = "SELECT i.id, v.name FROM item i JOIN item_version v ON v.hash = i.hash \
               WHERE i.id IN (#)";
    let found = q.rows_of(sql, ids, |r| Ok((r.get(0)?, r.get(1)?)))?;
    Ok(found.into_iter().collect())
}

/// The names of these versions and the titles of these policies, by the ids the log has of them.
///
/// # Errors
/// The store's own.
pub fn versions_called(q: &dyn Query, ids: &[Uuid]) -> Result<HashMap<Uuid, String>, StoreError> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    // Published versions are few, and no column holds the ids.
    let sql =
        "SELECT hash, name FROM item_version UNION ALL SELECT hash, title FROM policy_version";
    let all = q.rows(sql, params![], |r| {
        Ok((id_of(&r.get::<String>(0)?), r.get(1)?))
    })?;
    Ok(all.into_iter().filter(|(id, _)| ids.contains(id)).collect())
}

/// The items with this code or name, and their versions, by the ids the log has of them.
///
/// # Errors
/// The store's own.
pub fn known_as(q: &dyn Query, text: &str) -> Result<Vec<Uuid>, StoreError> {
    let sql = "SELECT i.id FROM item i JOIN item_version v ON v.hash = i.hash \
               WHERE i.code = ?1 OR v.name = ?1 LIMIT 200";
    let mut found = q.rows(sql, params![text], |r| r.get(0))?;
    let sql = "SELECT hash FROM item_version WHERE code = ?1 OR name = ?1 \
               UNION ALL SELECT hash FROM policy_version WHERE name = ?1 OR title = ?1 LIMIT 200";
    found.extend(q.rows(sql, params![text], |r| Ok(id_of(&r.get::<String>(0)?)))?);
    Ok(found)
}
