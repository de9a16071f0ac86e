//! What parties and their bank accounts are called where others read of them, as in the log: natural
//! persons are masked.

use std::collections::HashMap;

use uuid::Uuid;

use super::queries::fold_name;
use super::{PartyKind, masked_name};
use crate::params;
use crate::store::{Query, StoreError};

/// How a party is known.
#[derive(Clone, Debug)]
pub struct Called {
    /// Its name, masked where it is a natural person's.
    pub name: String,
    /// It is a natural person.
    pub person: bool,
}

/// A name as it may be shown to whoever has no work with its party.
fn shown(kind: &str, name: &str) -> Called {
    Called {
        name: masked_name(kind, name),
        person: kind != PartyKind::Enterprise.code(),
    }
}

/// How these parties are known.
///
/// # Errors
/// The store's own.
pub fn called(q: &dyn Query, ids: &[Uuid]) -> Result<HashMap<Uuid, Called>, StoreError> {
    let sql = "SELECT id, kind, name FROM party WHERE id IN (#)";
    let found = q.rows_of(sql, ids, |r| {
        let (kind, name): (String, String) = (r.get(1)?, r.get(2)?);
        Ok((r.get(0)?, shown(&kind, &name)))
    })?;
    Ok(found.into_iter().collect())
}

/// Whose these bank accounts are, and at which bank.
///
/// # Errors
/// The store's own.
pub fn bank_accounts_called(
    q: &dyn Query,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, String>, StoreError> {
    let sql = "SELECT a.id, p.kind, p.name, a.bank_name FROM bank_account a \
               JOIN party p ON p.id = a.party_id WHERE a.id IN (#)";
    let found = q.rows_of(sql, ids, |r| {
        let (kind, name, bank): (String, String, String) = (r.get(1)?, r.get(2)?, r.get(3)?);
        Ok((r.get(0)?, format!("{} · {bank}", shown(&kind, &name).name)))
    })?;
    Ok(found.into_iter().collect())
}

/// The enterprises with this credit code or whole name. Natural persons are not found by their
/// names, which would tell who is registered.
///
/// # Errors
/// The store's own.
pub fn known_as(q: &dyn Query, text: &str) -> Result<Vec<Uuid>, StoreError> {
    let sql = "SELECT id FROM party WHERE kind = 'enterprise' \
               AND (credit_code = ?1 OR name_folded = ?2) LIMIT 200";
    let text = text.trim();
    q.rows(sql, params![text.to_uppercase(), fold_name(text)], |r| {
        r.get(0)
    })
}

/// The bank accounts of these parties.
///
/// # Errors
/// The store's own.
pub fn bank_accounts_of(q: &dyn Query, parties: &[Uuid]) -> Result<Vec<Uuid>, StoreError> {
    let sql = "SELECT id FROM bank_account WHERE party_id IN (#)";
    q.rows_of(sql, parties, |r| r.get(0))
}
