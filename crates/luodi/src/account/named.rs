//! What accounts and departments are called where others read of them, as in the log.

use std::collections::HashMap;

use uuid::Uuid;

use crate::params;
use crate::store::{Query, StoreError, holding};

/// How an account is known.
#[derive(Clone, Debug)]
pub struct Called {
    /// The log-in name.
    pub login: String,
    /// The name of a member of staff; that of a party is for `party` to tell, which masks it.
    pub name: String,
    /// The party it acts for.
    pub party: Option<Uuid>,
}

/// How these accounts are known.
///
/// # Errors
/// The store's own.
pub fn called(q: &dyn Query, ids: &[Uuid]) -> Result<HashMap<Uuid, Called>, StoreError> {
    let sql = "SELECT id, login, name, party_id FROM account WHERE id IN (#)";
    let found = q.rows_of(sql, ids, |r| {
        let called = Called {
            login: r.get(1)?,
            name: r.get(2)?,
            party: r.get(3)?,
        };
        Ok((r.get(0)?, called))
    })?;
    Ok(found.into_iter().collect())
}

/// The names of these departments.
///
/// # Errors
/// The store's own.
pub fn departments_called(
    q: &dyn Query,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, String>, StoreError> {
    let sql = "SELECT id, name FROM department WHERE id IN (#)";
    let found = q.rows_of(sql, ids, |r| Ok((r.get(0)?, r.get(1)?)))?;
    Ok(found.into_iter().collect())
}

/// The accounts with this log-in name, the staff whose name holds the text, and the accounts of
/// these parties: id and log-in name.
///
/// # Errors
/// The store's own.
pub fn known_as(
    q: &dyn Query,
    text: &str,
    parties: &[Uuid],
) -> Result<Vec<(Uuid, String)>, StoreError> {
    let text = text.trim();
    let mut found = q.rows(
        "SELECT id, login FROM account WHERE login = ?1 \
         OR (name LIKE ?2 ESCAPE '!' AND party_id IS NULL) ORDER BY login LIMIT 200",
        params![text.to_lowercase(), holding(text)],
        |r| Ok((r.get(0)?, r.get(1)?)),
    )?;
    let sql = "SELECT id, login FROM account WHERE party_id IN (#) ORDER BY login LIMIT 200";
    found.extend(q.rows_of(sql, parties, |r| Ok((r.get(0)?, r.get(1)?)))?);
    Ok(found)
}

/// The departments with this code or name.
///
/// # Errors
/// The store's own.
pub fn departments_known_as(q: &dyn Query, text: &str) -> Result<Vec<Uuid>, StoreError> {
    let sql = "SELECT id FROM department WHERE code = ?1 OR name = ?1 LIMIT 200";
    q.rows(sql, params![text], |r| r.get(0))
}
