//! Events, and the rows they bind.

use super::*;
use crate::store::{EventFilter, Value, Written, audit, count_written, postgres, sqlite, written};

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

/// Writes an event a minute later than the one before, for each person and command.
fn happen(bank: &Bank, all: &[(&str, &'static str)]) {
    for (minute, (who, what)) in (0..).zip(all) {
        let (who, what) = ((*who).to_owned(), *what);
        let at = now() + jiff::SignedDuration::from_mins(minute);
        bank.write_blocking(Command::new(what, at), move |tx| {
            let account = open_account(tx, &format!("{who} {what} {at}"), 1)?;
            let mut event = event_of(what, account);
            event.actor.label.clone_from(&who);
            tx.event(event);
            Ok::<_, StoreError>(())
        })
        .unwrap();
    }
}

fn found(bank: &Bank, filter: &EventFilter) -> Vec<String> {
    let asked = filter.clone();
    let read: Outcome<(Vec<Written>, u64)> =
        bank.read_blocking(|q| Ok((written(&**q, &asked, 10, 0)?, count_written(&**q, &asked)?)));
    let (events, count) = read.unwrap();
    assert_eq!(events.len() as u64, count);
    events
        .into_iter()
        .map(|event| format!("{} {}", event.actor, event.command))
        .collect()
}

fn everything() -> EventFilter {
    EventFilter::new("1 = 1".into(), Vec::new())
}

#[test]
fn events_are_found_by_time_person_command_and_subject() {
    let bank = Bank::new();
    happen(&bank, &[("ann", "open"), ("bob", "open"), ("ann", "close")]);
    assert_eq!(
        found(&bank, &everything()),
        ["ann close", "bob open", "ann open"]
    );
    let minute = |n| Some(now() + jiff::SignedDuration::from_mins(n));
    let period = EventFilter {
        from: minute(1),
        until: minute(2),
        ..everything()
    };
    assert_eq!(found(&bank, &period), ["bob open"]);
    let ann = EventFilter {
        by: Some((vec!["ann".into()], Vec::new())),
        ..everything()
    };
    assert_eq!(found(&bank, &ann), ["ann close", "ann open"]);
    let opened = EventFilter {
        commands: vec!["open".into(), "grant".into()],
        ..ann
    };
    assert_eq!(found(&bank, &opened), ["ann open"]);
    let nothing = EventFilter {
        subjects: Some((vec!["bank_account"], Vec::new())),
        ..everything()
    };
    assert_eq!(found(&bank, &nothing), Vec::<String>::new());
}

/// How the engine means to answer a statement.
fn plan(bank: &Bank, sql: &str, values: &[Value]) -> Vec<String> {
    let mut lines = Vec::new();
    let Some(url) = bank.database.url() else {
        let file = rusqlite::Connection::open(bank.dir().join("luodi.db")).unwrap();
        sqlite::query(
            &file,
            &format!("EXPLAIN QUERY PLAN {sql}"),
            values,
            &mut |row| {
                lines.push(row.get(3)?);
                Ok(())
            },
        )
        .unwrap();
        return lines;
    };
    let ask = || {
        let server = postgres::Server::parse(&url)?.connect()?;
        // A table of no rows is read through, whatever its indexes.
        server.control("SET enable_seqscan = off")?;
        let sql = format!("EXPLAIN {}", sql.replace('?', "$"));
        server.query(&sql, values, &mut |row| {
            lines.push(row.get(0)?);
            Ok(())
        })
    };
    let asked: Result<Outcome<()>, StoreError> = postgres::aside(ask);
    asked.unwrap().unwrap();
    lines
}

#[test]
fn a_period_a_person_and_a_command_are_looked_up_in_an_index() {
    let bank = Bank::new();
    let from = EventFilter {
        from: Some(now()),
        ..everything()
    };
    let by = EventFilter {
        by: Some((vec!["ann".into()], Vec::new())),
        ..everything()
    };
    let command = EventFilter {
        commands: vec!["open".into()],
        ..everything()
    };
    let subject = EventFilter {
        subjects: Some((vec!["bank_account"], vec![Uuid::nil()])),
        ..everything()
    };
    for (filter, index) in [
        (from, "audit_event_at"),
        (by, "audit_event_actor"),
        (command, "audit_event_command"),
        (subject, "audit_event_subject"),
    ] {
        let (sql, values) = audit::listing(&filter, 50, 0);
        let plan = plan(&bank, &sql, &values).join("\n");
        assert!(plan.contains(index), "{index}: {plan}");
    }
}
