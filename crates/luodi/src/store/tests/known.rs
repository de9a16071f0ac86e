//! Rows of which a command knows what they hold: nothing is written over what it does not know, and
//! the log's digests fit whatever else the command did.

use super::log::verified;
use super::*;
use crate::store::{Columns, Known, Rewrite, Value};

const OF_IT: &str = "WHERE id = ?1";

/// An account with one holder.
fn opened(bank: &Bank) -> Uuid {
    let open = |tx: &Tx<'_>| {
        let account = open_account(tx, "甲", 5)?;
        hold(tx, account, &["一"])?;
        tx.event(event_of("open", account));
        Ok::<_, StoreError>(account)
    };
    bank.write_blocking(command("open"), open).unwrap()
}

/// Adds holders, one after the other, beside those that were there before the first.
fn hold(tx: &Tx<'_>, account: Uuid, holders: &[&str]) -> Result<(), StoreError> {
    let beside = tx.owned("bank_holder", account)?;
    holders.iter().try_for_each(|holder| {
        let row = [("account_id", account.into()), ("holder", (*holder).into())];
        tx.insert_owned(&beside, &[&row])
    })
}

fn known(bank: &Bank, account: Uuid) -> Known {
    let found = bank.read_blocking(|q| q.known("bank_account", OF_IT, &params![account]));
    found.unwrap().pop().unwrap()
}

fn granting(account: Uuid, known: &Known) -> Rewrite {
    let set: &Columns = &[("amount_fen", Value::Int(7))];
    Rewrite::of(("bank_account", account), known, set)
}

/// Writes a change, after a statement of its own, and says whether it was written.
fn write(bank: &Bank, account: Uuid, change: &Rewrite, before: Option<&'static str>) -> bool {
    let change = change.clone();
    let write = move |tx: &Tx<'_>| {
        if let Some(sql) = before {
            tx.execute(sql, params![account])?;
        }
        let event = tx.new_id();
        let written = tx.rewrite(&change, event)?;
        tx.event_as(event, event_of("grant", account));
        Ok::<_, StoreError>(written)
    };
    bank.write_blocking(command("grant"), write).unwrap()
}

#[test]
fn what_is_known_is_written_while_it_holds() {
    let bank = Bank::new();
    let account = opened(&bank);
    let change = granting(account, &known(&bank, account));
    assert!(write(&bank, account, &change, None));
    assert!(!write(&bank, account, &change, None));
    assert_eq!(known(&bank, account).get::<i64>("amount_fen").unwrap(), 7);
    assert!(verified(&bank).ok);
}

#[test]
fn what_the_command_changed_besides_is_in_the_digest() {
    let bank = Bank::new();
    let account = opened(&bank);
    let change = granting(account, &known(&bank, account));
    let before = "UPDATE bank_account SET share = 0.5 WHERE id = ?1";
    assert!(write(&bank, account, &change, Some(before)));
    assert_eq!(known(&bank, account).get::<f64>("share").unwrap(), 0.5);
    assert!(verified(&bank).ok);
}

#[test]
fn rows_beside_others_are_bound_with_them() {
    let bank = Bank::new();
    let account = opened(&bank);
    let add = move |tx: &Tx<'_>| {
        hold(tx, account, &["二", "三"])?;
        tx.event(event_of("hold", account));
        Ok::<_, StoreError>(())
    };
    bank.write_blocking(command("hold"), add).unwrap();
    let held = bank.read_blocking(|q| q.owned("bank_holder", account));
    assert_eq!(held.unwrap().rows.len(), 3);
    assert!(verified(&bank).ok);
}

/// A name that is taken is refused, and what the command wrote before it is gone.
#[test]
fn a_row_known_to_be_new_may_still_be_refused() {
    let bank = Bank::new();
    opened(&bank);
    let again = |tx: &Tx<'_>| {
        let event = tx.new_id();
        for name in ["乙", "甲"] {
            let row = [
                ("id", tx.new_id().into()),
                ("name", name.into()),
                ("amount_fen", 1_i64.into()),
            ];
            tx.insert_named("bank_account", event, &row)?;
        }
        Ok::<_, StoreError>(())
    };
    let refused = bank.write_blocking(command("open"), again);
    assert!(matches!(refused, Err(StoreError::Conflict { .. })));
    let count = "SELECT COUNT(*) FROM bank_account";
    let count: i64 = bank
        .read_blocking(|q| q.row(count, params![], |row| row.get(0)))
        .unwrap();
    assert_eq!(count, 1);
    assert!(verified(&bank).ok);
}
