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
fn an_event_costs_two_statements_and_one_for_each_row() {
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
    assert_eq!(bank.stats().statements - before, 2 + 2 + 2);
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
fn rows_bound_together_cannot_be_changed_unnamed() {
    let bank = Bank::new();
    let account = Uuid::from_u128(1);
    let change = |sql: &'static str, named: bool| {
        bank.write_blocking(command("hold"), move |tx| {
            tx.execute(sql, params![account])?;
            if named {
                tx.part("bank_holder", account);
            }
            tx.event(Event {
                rows: Vec::new(),
                ..event_of("hold", account)
            });
            Ok::<_, StoreError>(())
        })
    };
    let insert = "INSERT INTO bank_holder (account_id, holder) VALUES (?1, '一')";
    let update = "UPDATE bank_holder SET note = 'x' WHERE account_id = ?1 RETURNING holder";
    let upsert = "INSERT INTO bank_holder (account_id, holder) VALUES (?1, '一') \
                  ON CONFLICT (account_id, holder) DO UPDATE SET note = 'y'";
    let with = "WITH one AS (SELECT 1) UPDATE bank_holder SET note = 'z' WHERE account_id = ?1";
    let unnamed = |sql| {
        let refused = change(sql, false);
        assert!(matches!(refused, Err(StoreError::Statement(_))), "{sql}");
    };
    unnamed(insert);
    change(insert, true).unwrap();
    for sql in [
        upsert,
        with,
        "DELETE FROM bank_holder WHERE account_id = ?1",
    ] {
        unnamed(sql);
    }
    let returning = bank.write_blocking(command("hold"), move |tx| {
        tx.event(event_of("hold", account));
        tx.rows(update, params![account], |r| r.get::<String>(0))
    });
    assert!(matches!(returning, Err(StoreError::Statement(_))));
    // A statement that changed nothing needs no name.
    change(
        "DELETE FROM bank_holder WHERE holder = '二' AND account_id = ?1",
        false,
    )
    .unwrap();
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

/// Opens an account whose row is stamped in the statement that writes it, does what `then` says
/// and notes the event.
fn stamp_and(
    bank: &Bank,
    then: fn(&Tx<'_>, Uuid) -> Outcome<()>,
) -> (serde_json::Value, u64, bool) {
    let before = bank.stats().statements;
    let event = bank.write_blocking(command("open"), move |tx| {
        let (account, event) = (tx.new_id(), tx.new_id());
        let sql =
            "INSERT INTO bank_account (id, name, amount_fen, last_event) VALUES (?1, '甲', 5, ?2)";
        let written = tx.write_stamped("bank_account", event, sql, params![account, event])?;
        assert_eq!(written, [account]);
        then(tx, account)?;
        Ok::<_, StoreError>(tx.event_as(event, event_of("open", account)))
    });
    let event = event.unwrap();
    let statements = bank.stats().statements - before;
    (
        first_row(bank, event),
        statements,
        bound_to(bank) == [event],
    )
}

/// The digest of the only account, as the log's own statement computes it.
fn digest_now(bank: &Bank) -> serde_json::Value {
    let event = bank.write_blocking(command("look"), |tx| {
        let account = tx.row("SELECT id FROM bank_account", params![], |r| r.get(0))?;
        Ok::<_, StoreError>(tx.event(event_of("look", account)))
    });
    first_row(bank, event.unwrap())["digest"].take()
}

#[test]
fn a_row_stamped_as_it_is_written_needs_no_statement_of_its_event() {
    let bank = Bank::new();
    let (row, statements, bound) = stamp_and(&bank, |_, _| Ok(()));
    assert_eq!(statements, 1 + 2);
    assert!(bound);
    assert_eq!(row["digest"], digest_now(&bank));
}

#[test]
fn a_row_touched_after_its_stamp_is_read_once_more() {
    let bank = Bank::new();
    let (row, statements, bound) = stamp_and(&bank, |tx, account| {
        let sql = "UPDATE bank_account SET amount_fen = 6 WHERE id = ?1";
        tx.execute(sql, params![account]).map(drop)
    });
    assert_eq!(statements, 1 + 1 + 1 + 2);
    assert!(bound);
    assert_eq!(row["digest"], digest_now(&bank));
}

#[test]
fn a_row_stamped_twice_is_as_it_was_left() {
    let bank = Bank::new();
    let (row, ..) = stamp_and(&bank, |tx, account| {
        let sql = "UPDATE bank_account SET amount_fen = 7, last_event = last_event WHERE id = ?1";
        let event = tx.row("SELECT last_event FROM bank_account", params![], |r| {
            r.get(0)
        })?;
        tx.write_stamped("bank_account", event, sql, params![account])
            .map(drop)
    });
    assert_eq!(row["digest"], digest_now(&bank));
}

#[test]
fn a_statement_that_does_not_stamp_is_refused() {
    let bank = Bank::new();
    let refused = bank.write_blocking(command("open"), |tx| {
        let sql = "INSERT INTO bank_account (id, name, amount_fen) VALUES (?1, '甲', 5)";
        let id = tx.new_id();
        tx.write_stamped("bank_account", tx.new_id(), sql, params![id])
    });
    assert!(
        matches!(refused, Err(StoreError::Statement(_))),
        "{refused:?}"
    );
    assert!(bank.balances().is_empty());
}
