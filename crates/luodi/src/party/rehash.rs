//! Making look-up hashes anew after their key was changed: each sealed value is opened and its hash
//! written again.
//!
//! It lacks the change of the key itself, which is the store's.

use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use crate::access::Actor;
use crate::account;
use crate::params;
use crate::refusal::Result;
use crate::store::{Command, Event, Store, Tx};

use super::bank_account;
use super::commands::ID_NUMBER;

/// Rows looked at in one command.
const AT_ONCE: u32 = 500;

/// A column of look-up hashes, and what its hashes are made of.
#[derive(Clone, Copy, Debug)]
pub struct Hashed {
    /// Where it is.
    pub table: &'static str,
    /// The hashes.
    pub column: &'static str,
    /// The column that says under whose key the value is sealed.
    pub owner: &'static str,
    /// The sealed value.
    pub sealed: &'static str,
    /// What is hashed besides the value.
    pub class: &'static str,
}

/// Every column of look-up hashes there is.
const HASHED: &[Hashed] = &[
    Hashed {
        table: "party",
        column: "id_number_lookup",
        owner: "id",
        sealed: "id_number_sealed",
        class: ID_NUMBER,
    },
    Hashed {
        table: "bank_account",
        column: "account_lookup",
        owner: "party_id",
        sealed: "account_sealed",
        class: bank_account::CLASS,
    },
    account::HASHED,
];

/// Makes every look-up hash anew under the present key, some hundred rows a command, and says how
/// many differed. Again after an interruption, it passes over what is done. Blocking.
///
/// # Errors
/// The store's own.
pub fn rehash_all(store: &Store, now: Timestamp, actor: &Actor) -> Result<u64> {
    let mut changed = 0;
    for hashed in HASHED {
        let mut after = Some(Uuid::nil());
        while let Some(from) = after {
            let actor = actor.clone();
            let (count, last) = store
                .write_blocking(Command::new("keys.rehash", now), move |tx| {
                    rehash(tx, &actor, hashed, from)
                })?;
            changed += count;
            tracing::info!(changed, "keys: {changed} look-up hashes made anew");
            after = last;
        }
    }
    Ok(changed)
}

/// Makes the hashes of some rows anew; gives how many differed, and the last row where there may
/// be more.
fn rehash(
    tx: &Tx<'_>,
    actor: &Actor,
    hashed: &'static Hashed,
    after: Uuid,
) -> Result<(u64, Option<Uuid>)> {
    let Hashed {
        table,
        column,
        owner,
        sealed,
        class,
    } = hashed;
    // An erased row has neither value nor hash.
    let found = tx.rows(
        &format!(
            "SELECT id, {owner}, {sealed}, {column} FROM {table} \
             WHERE id > ?1 AND {column} IS NOT NULL AND LENGTH({column}) > 0 ORDER BY id LIMIT ?2"
        ),
        params![after, AT_ONCE],
        |r| {
            let (id, owner): (Uuid, Uuid) = (r.get(0)?, r.get(1)?);
            Ok((id, owner, r.get::<Vec<u8>>(2)?, r.get::<Vec<u8>>(3)?))
        },
    )?;
    let last = found.last().map(|(id, ..)| *id);
    let full = found.len() == AT_ONCE as usize;
    let mut rows = Vec::new();
    for (id, owner, sealed, before) in found {
        let hash = tx.lookup(class, &tx.open_as(owner, class, &sealed)?)?;
        if hash.as_slice() != before {
            let sql = format!("UPDATE {table} SET {column} = ?1 WHERE id = ?2");
            tx.execute(&sql, params![hash, id])?;
            rows.push((*table, id));
        }
    }
    let changed = rows.len() as u64;
    if changed > 0 {
        tx.event(Event {
            actor: actor.to_ref(),
            command: "keys.rehash",
            subject: ("data_key", Uuid::nil()),
            detail: json!({ "rows": changed }),
            rows,
        });
    }
    Ok((changed, last.filter(|_| full)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::store::StoreError;
    use crate::store::testing::TemporaryStore;

    #[test]
    fn no_column_of_hashes_is_forgotten() {
        let store = TemporaryStore::open(Timestamp::UNIX_EPOCH).unwrap();
        let columns: Vec<(String, String)> = store
            .read_blocking::<_, StoreError, _>(|q| q.columns())
            .unwrap();
        let real: BTreeSet<_> = columns
            .iter()
            .filter(|(_, column)| column.ends_with("_lookup"))
            .map(|(table, column)| (table.as_str(), column.as_str()))
            .collect();
        let known: BTreeSet<_> = HASHED.iter().map(|it| (it.table, it.column)).collect();
        assert_eq!(known, real);
    }
}
