//! What notices, their lines and objections are called where others read of them, as in the log.

use std::collections::HashMap;

use uuid::Uuid;

use crate::params;
use crate::store::{Query, StoreError};

/// The numbers of these notices.
///
/// # Errors
/// The store's own.
pub fn called(q: &dyn Query, ids: &[Uuid]) -> Result<HashMap<Uuid, String>, StoreError> {
    let sql = "SELECT id, number FROM notice WHERE id IN (#)";
    let found = q.rows_of(sql, ids, |r| Ok((r.get(0)?, r.get(1)?)))?;
    Ok(found.into_iter().collect())
}

fn lines(
    q: &dyn Query,
    sql: &str,
    ids: &[Uuid],
    end: &str,
) -> Result<HashMap<Uuid, String>, StoreError> {
    let found = q.rows_of(sql, ids, |r| {
        let (number, position): (String, i64) = (r.get(1)?, r.get(2)?);
        Ok((r.get(0)?, format!("{number} 第 {position} 项{end}")))
    })?;
    Ok(found.into_iter().collect())
}

/// The places of these lines in their notices.
///
/// # Errors
/// The store's own.
pub fn lines_called(q: &dyn Query, ids: &[Uuid]) -> Result<HashMap<Uuid, String>, StoreError> {
    let sql = "SELECT l.id, n.number, l.position FROM notice_entry l \
               JOIN notice n ON n.id = l.notice_id WHERE l.id IN (#)";
    lines(q, sql, ids, "")
}

/// What these objections are about. Their receipts are for the objectors alone.
///
/// # Errors
/// The store's own.
pub fn objections_called(q: &dyn Query, ids: &[Uuid]) -> Result<HashMap<Uuid, String>, StoreError> {
    let sql = "SELECT o.id, n.number, l.position FROM objection o \
               JOIN notice n ON n.id = o.notice_id JOIN notice_entry l ON l.id = o.notice_entry_id \
               WHERE o.id IN (#)";
    lines(q, sql, ids, "的异议")
}

/// The notices with this number or title, and the objections to them.
///
/// # Errors
/// The store's own.
pub fn known_as(q: &dyn Query, text: &str) -> Result<Vec<Uuid>, StoreError> {
    let sql = "SELECT id FROM notice WHERE number = ?1 OR title = ?1 \
               UNION ALL SELECT o.id FROM objection o JOIN notice n ON n.id = o.notice_id \
               WHERE n.number = ?1 OR n.title = ?1 LIMIT 200";
    q.rows(sql, params![text], |r| r.get(0))
}
