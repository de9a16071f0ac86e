//! Events, and the rows they bind.

use super::*;

type Outcome<T> = Result<T, StoreError>;

/// What an event says of its first row.
fn first_row(bank: &Bank, event: Uuid) -> serde_json::Value {
    let sql = "SELECT rows FROM audit_event WHERE id = ?1";
    let rows: Outcome<serde_json::Value> =
        bank.read_blocking(|q| q.row(sql, params![event], |r| r.get(0)));
    rows.unwrap()[0].take()
}

/// The events the accounts are bound to.
fn bound_to(bank: &Bank) -> Vec<Uuid> {
    let sql = "SELECT last_event FROM bank_account ORDER BY name";
    let events: Outcome<_> = bank.read_blocking(|q| q.rows(sql, params![], |r| r.get(0)));
    events.unwrap()
}

#[test]
fn an_event_binds_its_rows() {
    let bank = Bank::new();
    let (account, event) = bank
        .write_blocking(command("open"), |tx| {
            let account = open_account(tx, "甲", 5)?;
            Ok::<_, StoreError>((account, tx.event(event_of("open", account))))
        })
        .unwrap();
    assert_eq!(bound_to(&bank), [event]);
    let row = first_row(&bank, event);
    assert_eq!(row["table"], "bank_account");
    assert_eq!(row["id"], account.to_string());
    assert!(row["digest"].as_str().unwrap().starts_with("sha256:"));
}

#[test]
fn an_event_costs_one_statement_and_one_for_each_row() {
    let bank = Bank::new();
    let before = bank.stats().statements;
    bank.write_blocking(command("open"), |tx| {
        let accounts = [open_account(tx, "甲", 5)?, open_account(tx, "乙", 5)?];
        let rows = accounts.iter().map(|id| ("bank_account", *id)).collect();
        tx.event(Event {
            rows,
            ..event_of("open", accounts[0])
        });
        Ok::<_, StoreError>(())
    })
    .unwrap();
    assert_eq!(bank.stats().statements - before, 2 + 1 + 2);
}

#[test]
fn a_row_of_two_events_belongs_to_the_last() {
    let bank = Bank::new();
    let [first, second] = bank
        .write_blocking(command("open"), |tx| {
            let account = open_account(tx, "甲", 5)?;
            let events = [
                tx.event(event_of("open", account)),
                tx.event(event_of("grant", account)),
            ];
            tx.execute(
                "UPDATE bank_account SET amount_fen = 6 WHERE id = ?1",
                params![account],
            )?;
            Ok::<_, StoreError>(events)
        })
        .unwrap();
    assert_eq!(first_row(&bank, first).get("digest"), None);
    assert!(first_row(&bank, second)["digest"].is_string());
    assert_eq!(bound_to(&bank), [second]);
}

#[test]
fn equal_rows_have_equal_digests_and_other_rows_others() {
    let bank = Bank::new();
    let digest = |amount: i64| {
        let set = move |tx: &Tx<'_>| {
            let id = Uuid::from_u128(1);
            tx.execute("DELETE FROM bank_account", params![])?;
            tx.execute(
                "INSERT INTO bank_account (id, name, amount_fen) VALUES (?1, 'a', ?2)",
                params![id, amount],
            )?;
            Ok::<_, StoreError>(tx.event(event_of("set", id)))
        };
        let event = bank.write_blocking(command("set"), set).unwrap();
        first_row(&bank, event)["digest"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let first = digest(1);
    assert_ne!(digest(2), first);
    assert_eq!(digest(1), first);
}

#[test]
fn a_table_that_binds_nothing_cannot_be_named() {
    let bank = Bank::new();
    let named = bank.write_blocking(command("open"), |tx| {
        let job = ("job", tx.new_id());
        tx.event(Event {
            rows: vec![job],
            ..event_of("open", job.1)
        });
        Ok::<_, StoreError>(())
    });
    assert!(matches!(named, Err(StoreError::Statement(_))));
}
