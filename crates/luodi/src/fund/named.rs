//! What budget lines, batches, their entries and payment files are called where others read of them,
//! as in the log.

use std::collections::HashMap;

use uuid::Uuid;

use crate::params;
use crate::store::{Query, StoreError};

fn texts(q: &dyn Query, sql: &str, ids: &[Uuid]) -> Result<HashMap<Uuid, String>, StoreError> {
    let found = q.rows_of(sql, ids, |r| {
        let (number, name): (String, String) = (r.get(1)?, r.get(2)?);
        Ok((r.get(0)?, format!("{number} {name}")))
    })?;
    Ok(found.into_iter().collect())
}

/// The numbers and titles of these batches.
///
/// # Errors
/// The store's own.
pub fn batches_called(q: &dyn Query, ids: &[Uuid]) -> Result<HashMap<Uuid, String>, StoreError> {
    texts(
        q,
        "SELECT id, number, title FROM batch WHERE id IN (#)",
        ids,
    )
}

/// The document numbers and names of these budget lines.
///
/// # Errors
/// The store's own.
pub fn budgets_called(q: &dyn Query, ids: &[Uuid]) -> Result<HashMap<Uuid, String>, StoreError> {
    let sql = "SELECT id, document_number, name FROM budget_line WHERE id IN (#)";
    texts(q, sql, ids)
}

/// The numbers of these payment files, each with its batch.
///
/// # Errors
/// The store's own.
pub fn files_called(q: &dyn Query, ids: &[Uuid]) -> Result<HashMap<Uuid, String>, StoreError> {
    let sql = "SELECT f.id, f.number, b.title FROM payment_file f JOIN batch b ON b.id = f.batch_id \
               WHERE f.id IN (#)";
    texts(q, sql, ids)
}

/// How an entry of a batch is known.
#[derive(Clone, Debug)]
pub struct EntryCalled {
    /// Its batch, its place in it and its case.
    pub text: String,
    /// Its beneficiary is a natural person, whose name is to be masked.
    pub person: bool,
}

/// How these entries are known.
///
/// # Errors
/// The store's own.
pub fn entries_called(
    q: &dyn Query,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, EntryCalled>, StoreError> {
    let sql = "SELECT e.id, b.number, e.position, e.case_number, e.party_kind FROM batch_entry e \
               JOIN batch b ON b.id = e.batch_id WHERE e.id IN (#)";
    let found = q.rows_of(sql, ids, |r| {
        let (batch, position, case): (String, i64, String) = (r.get(1)?, r.get(2)?, r.get(3)?);
        let called = EntryCalled {
            text: format!("{batch} 第 {position} 笔（办件 {case}）"),
            person: r.get::<String>(4)? != "enterprise",
        };
        Ok((r.get(0)?, called))
    })?;
    Ok(found.into_iter().collect())
}

/// The batches, payment files and budget lines with this number; batches also by their title.
///
/// # Errors
/// The store's own.
pub fn known_as(q: &dyn Query, text: &str) -> Result<Vec<Uuid>, StoreError> {
    let sql = "SELECT id FROM batch WHERE number = ?1 OR title = ?1 \
               UNION ALL SELECT id FROM payment_file WHERE number = ?1 \
               UNION ALL SELECT id FROM budget_line WHERE document_number = ?1 OR name = ?1 LIMIT 200";
    q.rows(sql, params![text], |r| r.get(0))
}
