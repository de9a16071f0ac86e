//! The journal as rows, written as ledger pages: a line is a movement, or after `=` what must be
//! where; `->` names the refusal.

use ledger::{AccountKind, Movement};

use super::*;
use crate::params;
use crate::store::testing::{FORCE, event};
use crate::store::{Event, StoreError};

fn movement(line: BudgetLineId, word: &str, amount: Fen) -> Movement {
    let line = crate::fund::journal::book(line);
    match word {
        "adjust" => Movement::Adjust {
            line,
            difference: amount,
        },
        "commit" => Movement::Commit { line, amount },
        "release" => Movement::Release { line, amount },
        "make-payable" => Movement::MakePayable { line, amount },
        "send" => Movement::Send { line, amount },
        "settle" => Movement::Settle { line, amount },
        "return" => Movement::Return { line, amount },
        other => panic!("no movement {other}"),
    }
}

/// Plays a page on a line of 1,000.00 元; the book must be whole after each line.
fn check(page: &str) {
    let city = City::new();
    let line = city.budget("财建1号", "1000.00");
    for (number, text) in (1..).zip(page.lines()) {
        let words: Vec<&str> = text.split_whitespace().collect();
        let context = format!("line {number}: {text}");
        match words.as_slice() {
            ["=", expected @ ..] => {
                let figures = city.figures(line);
                for pair in expected.chunks(2) {
                    let kind = AccountKind::from_code(pair[0]).unwrap();
                    let (_, found) = figures
                        .each()
                        .into_iter()
                        .find(|(k, _)| *k == kind)
                        .unwrap();
                    assert_eq!(found, yuan(pair[1]), "{context}");
                }
            }
            [word, amount, rest @ ..] => {
                let step = movement(line, word, yuan(amount));
                let actor = city.finance.clone();
                let outcome = city.write(move |tx| {
                    let subject = ("budget_line", line.0);
                    let rows = post(tx, &actor, line, step.clone(), subject, "试记")?;
                    tx.event(Event {
                        rows: rows.clone(),
                        ..event()
                    });
                    Ok(rows)
                });
                match rest {
                    [] => assert!(!outcome.expect(&context).is_empty(), "{context}"),
                    ["->", code] => assert_eq!(refused(outcome).code, *code, "{context}"),
                    _ => panic!("{context}"),
                }
            }
            _ => panic!("{context}"),
        }
        assert_eq!(findings(&city), [""; 0], "{context}");
    }
}

#[test]
fn from_budget_to_bank_and_back() {
    check(
        "commit       300.00
         = appropriation 1000.00 available 700.00 committed 300.00
         release      100.00
         make-payable 200.00
         send         200.00
         = available 800.00 in-payment 200.00 payable 0.00
         settle       150.00
         return        50.00
         = available 800.00 payable 50.00 paid 150.00
         adjust       -800.00
         = appropriation 200.00 available 0.00",
    );
}

#[test]
fn never_more_than_there_is() {
    check(
        "commit       1000.01 -> over-budget
         commit       1000.00
         adjust         -0.01 -> over-budget
         release      1000.01 -> over-commitment
         make-payable  400.00
         send          400.01 -> nothing-payable
         settle          0.01 -> nothing-in-payment
         = available 0.00 committed 600.00 payable 400.00",
    );
}

#[test]
fn a_refusal_says_what_is_there_and_what_is_wanted() {
    let city = City::new();
    let line = city.budget("财建1号", "1000.00");
    let actor = city.finance.clone();
    let outcome = city.write(move |tx| {
        let step = movement(line, "commit", yuan("1200.50"));
        post(tx, &actor, line, step, ("budget_line", line.0), "试记")
    });
    assert_eq!(
        refused(outcome).message,
        "预算指标「分布式光伏发电补贴」：可用指标 1,000.00 元，本次需要 1,200.50 元，请减少金额或先调整预算。"
    );
}

#[test]
fn entries_of_one_command_are_all_or_none() {
    let city = City::new();
    let line = city.budget("财建1号", "1000.00");
    let actor = city.finance.clone();
    let outcome = city.write(move |tx| {
        keep_journal(tx, line, |journal| {
            for amount in ["600.00", "300.00", "200.00"] {
                let step = movement(line, "commit", yuan(amount));
                journal.post(&actor, step, ("budget_line", line.0), "试记")?;
            }
            Ok(())
        })
    });
    assert_eq!(refused(outcome).code, "over-budget");
    assert_eq!(city.figures(line).available, yuan("1000.00"));
    assert_eq!(city.verify().postings, 2);
}

#[test]
fn a_movement_of_another_line_is_refused() {
    let city = City::new();
    let (line, other) = (
        city.budget("财建1号", "1000.00"),
        city.budget("财建2号", "1000.00"),
    );
    let actor = city.finance.clone();
    let outcome = city.write(move |tx| {
        let step = Movement::Adjust {
            line: crate::fund::journal::book(other),
            difference: yuan("1.00"),
        };
        post(tx, &actor, line, step, ("budget_line", line.0), "试记")
    });
    assert_eq!(refused(outcome).code, "one-line");
}

/// Changes a row behind the program's back; gives what the verification says.
fn damaged(sql: &'static str) -> Vec<&'static str> {
    let city = City::new();
    let line = city.budget("财建1号", "1000.00");
    let actor = city.finance.clone();
    city.write(move |tx| {
        let step = movement(line, "commit", yuan("300.00"));
        tx.event(event());
        post(tx, &actor, line, step, ("budget_line", line.0), "试记")
    })
    .unwrap();
    let force = Command::new(FORCE, city.clock.now());
    let forced = city
        .store
        .write_blocking(force, move |tx| tx.execute(sql, params![]));
    forced.map_err(|error: StoreError| error).unwrap();
    findings(&city)
}

/// What the verification says of a journal posted here without any list behind it.
fn findings(city: &City) -> Vec<&'static str> {
    let found = city.verify().findings;
    let codes = found.iter().map(|finding| finding.code);
    codes.filter(|code| *code != "entry-of-nobody").collect()
}

/// A balance that somebody raises for the time of one command is no money.
#[test]
fn balances_that_somebody_else_changed_are_not_relied_on() {
    let city = City::new();
    let line = city.budget("财建1号", "1000.00");
    let force = |sql: &'static str| {
        let command = Command::new(FORCE, city.clock.now());
        let forced = city
            .store
            .write_blocking(command, move |tx| tx.execute(sql, params![]));
        assert!(
            forced.map_err(|error: StoreError| error).unwrap() > 0,
            "{sql}"
        );
    };
    let commit = |amount: &'static str| {
        let (actor, step) = (city.finance.clone(), movement(line, "commit", yuan(amount)));
        city.write(move |tx| {
            let subject = ("budget_line", line.0);
            let rows = post(tx, &actor, line, step.clone(), subject, "试记")?;
            tx.event(Event { rows, ..event() });
            Ok(())
        })
    };
    force("UPDATE ledger_balance SET debit_fen = debit_fen + 1000000 WHERE account = 'available'");
    assert_eq!(refused(commit("2000.00")).code, "row-touched");
    // The line itself, without its seal, too.
    force("UPDATE budget_line SET balance_seal = NULL");
    assert_eq!(refused(commit("2000.00")).code, "row-touched");
    force("UPDATE ledger_balance SET debit_fen = debit_fen - 1000000 WHERE account = 'available'");
    assert_eq!(refused(commit("300.00")).code, "row-touched");
}

#[test]
fn a_damaged_book_is_found() {
    for (sql, codes) in [
        (
            "UPDATE ledger_balance SET debit_fen = debit_fen + 1 WHERE account = 'available'",
            vec!["balance-differs"],
        ),
        (
            "UPDATE posting SET debit_fen = 29999 WHERE account = 'committed'",
            vec![
                "unbalanced-entry",
                "line-does-not-add-up",
                "balance-differs",
            ],
        ),
        (
            "DELETE FROM posting WHERE account = 'committed' OR credit_fen = 30000",
            vec![
                "entry-without-postings",
                "balance-differs",
                "balance-differs",
            ],
        ),
        (
            "UPDATE posting SET credit_fen = 5, debit_fen = 5 WHERE account = 'committed'",
            vec![
                "amount-not-positive",
                "unbalanced-entry",
                "line-does-not-add-up",
                "balance-differs",
            ],
        ),
    ] {
        let (mut found, mut expected) = (damaged(sql), codes);
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected, "{sql}");
    }
}

#[test]
fn a_line_is_adopted_once() {
    let city = City::new();
    let line = city.budget("财建1号", "1000.00");
    let outcome = city.write(move |tx| {
        Ok(tx.execute(
            "INSERT INTO ledger_entry (id, budget_line_id, movement, subject_kind, subject_id, memo, \
             posted_by, posted_at, line_version) VALUES (?1, ?2, 'adopt', 'budget_line', ?2, '', '', 0, 99)",
            params![tx.new_id(), line],
        )?)
    });
    assert!(matches!(outcome, Err(Error::Store(_))), "{outcome:?}");
}
