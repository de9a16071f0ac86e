//! Broken transactions, broken disks: what fails, fails whole, and everything else stands.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use rusqlite::functions::FunctionFlags;

use super::*;
use crate::store::{IdempotencyKey, sqlite};

/// SQLITE_IOERR_FSYNC and SQLITE_FULL (sqlite.org/rescode.html).
const IOERR_FSYNC: i64 = 1034;
const FULL: i64 = 13;
/// Commands in the groups of these tests.
const SIZE: usize = 5;

/// A bank whose SQL has `fail(code)`, and a table whose foreign key is only looked at by COMMIT.
fn fragile_bank() -> Bank {
    let on_open = |connection: &rusqlite::Connection| {
        let fail = |context: &mut rusqlite::functions::Context<'_>| -> rusqlite::Result<i64> {
            let code = context.get(0)?;
            Err(rusqlite::Error::SqliteFailure(
                rusqlite::ffi::Error::new(code),
                None,
            ))
        };
        let flags = FunctionFlags::SQLITE_UTF8;
        let table = "CREATE TABLE IF NOT EXISTS promise (id BLOB REFERENCES bank_account (id) \
                     DEFERRABLE INITIALLY DEFERRED)";
        connection
            .create_scalar_function("fail", 1, flags, fail)
            .and_then(|()| connection.execute_batch(table))
            .map_err(|error| sqlite::error(&error, "on_open"))
    };
    let hooks = Hooks {
        on_open: Some(Arc::new(on_open)),
        ..Hooks::default()
    };
    Bank::hooked(&options(), &hooks)
}

fn fail_with(tx: &Tx<'_>, code: i64) -> Result<(), StoreError> {
    tx.row("SELECT fail(?1)", params![code], |r| r.get::<i64>(0))
        .map(drop)
}

/// Runs a group in which each command opens an account, and the k-th then does what `fault` says.
async fn group_with_fault(
    bank: &Bank,
    k: usize,
    fault: fn(&Tx<'_>) -> Result<(), StoreError>,
) -> Vec<Result<(), StoreError>> {
    let step = move |n: usize| -> Closure {
        Box::new(move |tx| {
            open_account(tx, &format!("{k}-{n}"), 1)?;
            if n == k { fault(tx) } else { Ok(()) }
        })
    };
    bank.one_group((0..SIZE).map(step).collect()).await
}

/// Accounts of the group with a fault at k.
fn kept(bank: &Bank, k: usize) -> Vec<String> {
    let prefix = format!("{k}-");
    bank.balances()
        .into_iter()
        .map(|(name, _)| name)
        .filter(|it| it.starts_with(&prefix))
        .collect()
}

/// For each k, only the k-th command of a group fails, and all of it.
async fn check_fails_alone(
    fault: fn(&Tx<'_>) -> Result<(), StoreError>,
    expected: fn(&StoreError) -> bool,
) {
    let bank = fragile_bank();
    for k in 0..SIZE {
        let answers = group_with_fault(&bank, k, fault).await;
        for (n, answer) in answers.iter().enumerate() {
            match answer {
                Ok(()) => assert_ne!(n, k),
                Err(error) => assert!(n == k && expected(error), "{k}: {n}: {error}"),
            }
        }
        let others: Vec<String> = (0..SIZE)
            .filter(|n| *n != k)
            .map(|n| format!("{k}-{n}"))
            .collect();
        assert_eq!(kept(&bank, k), others);
        assert!(bank.writable());
    }
}

/// For each k, the whole group fails, nothing of it is kept, and the next command works.
async fn check_fails_whole(
    fault: fn(&Tx<'_>) -> Result<(), StoreError>,
    expected: fn(&StoreError) -> bool,
) {
    let bank = fragile_bank();
    if bank.on_server() {
        // A server makes its own groups; its faults have tests of their own.
        return;
    }
    for k in 0..SIZE {
        let answers = group_with_fault(&bank, k, fault).await;
        for answer in answers {
            let error = answer.unwrap_err();
            assert!(expected(&error), "{k}: {error}");
        }
        assert_eq!(kept(&bank, k), Vec::<String>::new());
        let next = bank.write(command("next"), move |tx| {
            open_account(tx, &format!("after {k}"), 1)
        });
        next.await.unwrap();
        assert!(bank.writable());
    }
    assert_eq!(bank.balances().len(), SIZE);
}

#[tokio::test]
async fn a_refusal_fails_alone() {
    let refuse = |_: &Tx<'_>| Err(StoreError::NotFound("refused".into()));
    check_fails_alone(refuse, |error| matches!(error, StoreError::NotFound(_))).await;
}

#[tokio::test]
async fn a_failing_statement_fails_alone() {
    let twice = |tx: &Tx<'_>| {
        open_account(tx, "twin", 1)?;
        open_account(tx, "twin", 1).map(drop)
    };
    check_fails_alone(twice, |error| matches!(error, StoreError::Conflict { .. })).await;
}

#[tokio::test]
async fn a_swallowed_error_poisons_the_command() {
    let swallow = |tx: &Tx<'_>| {
        let broken = tx.execute("UPDATE bank_account SET amount_fen = -1", params![]);
        assert!(matches!(broken, Err(StoreError::Constraint(_))));
        let later = tx.execute("UPDATE bank_account SET amount_fen = 2", params![]);
        assert!(matches!(later, Err(StoreError::Poisoned(_))));
        Ok(())
    };
    check_fails_alone(swallow, |error| matches!(error, StoreError::Poisoned(_))).await;
}

#[tokio::test]
async fn a_panic_fails_alone() {
    let panics = |_: &Tx<'_>| -> Result<(), StoreError> { panic!("by intent") };
    check_fails_alone(
        panics,
        |error| matches!(error, StoreError::Panicked { message, .. } if message == "by intent"),
    )
    .await;
}

#[tokio::test]
async fn an_event_of_a_missing_row_fails_alone() {
    let lies = |tx: &Tx<'_>| {
        tx.event(event_of("lie", Uuid::nil()));
        Ok(())
    };
    check_fails_alone(lies, |error| matches!(error, StoreError::NotFound(_))).await;
}

#[tokio::test]
async fn transaction_control_is_refused() {
    for sql in [
        "COMMIT",
        "rollback",
        " BEGIN",
        "SAVEPOINT x",
        "PRAGMA user_version = 1",
        "",
    ] {
        let bank = Bank::new();
        let refused = bank
            .write(command("control"), move |tx| tx.execute(sql, params![]))
            .await;
        assert!(matches!(refused, Err(StoreError::Statement(_))), "{sql}");
    }
}

#[tokio::test]
async fn a_nul_character_is_refused() {
    let nul = |tx: &Tx<'_>| open_account(tx, "a\0b", 1).map(drop);
    check_fails_alone(nul, |error| matches!(error, StoreError::Value(_))).await;
}

/// SQLite ends the whole transaction here; a later savepoint would silently begin a new one.
#[tokio::test]
async fn a_lost_transaction_fails_the_whole_group() {
    let rolls_back = |tx: &Tx<'_>| {
        open_account(tx, "twin", 1)?;
        let _ = tx.execute(
            "INSERT OR ROLLBACK INTO bank_account (id, name, amount_fen) VALUES (?1, 'twin', 1)",
            params![tx.new_id()],
        );
        Ok(())
    };
    check_fails_whole(rolls_back, |error| {
        matches!(error, StoreError::GroupLost(_))
    })
    .await;
}

#[tokio::test]
async fn a_disk_error_fails_the_whole_group() {
    check_fails_whole(
        |tx| fail_with(tx, FULL),
        |error| matches!(error, StoreError::ReadOnly(_)),
    )
    .await;
    let swallowed = |tx: &Tx<'_>| {
        let _ = fail_with(tx, IOERR_FSYNC);
        Ok(())
    };
    check_fails_whole(swallowed, |error| matches!(error, StoreError::ReadOnly(_))).await;
}

#[tokio::test]
async fn a_failed_commit_fails_the_whole_group() {
    let breaks_promise = |tx: &Tx<'_>| {
        tx.execute("INSERT INTO promise (id) VALUES (?1)", params![Uuid::nil()])
            .map(drop)
    };
    check_fails_whole(breaks_promise, |error| {
        matches!(error, StoreError::GroupLost(_))
    })
    .await;
}

#[tokio::test]
async fn work_after_a_commit_runs_only_after_a_commit() {
    let bank = fragile_bank();
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = |then: fn(&Tx<'_>) -> Result<(), StoreError>| -> Closure {
        let runs = runs.clone();
        Box::new(move |tx| {
            let runs = runs.clone();
            tx.after_commit(Box::new(move || {
                runs.fetch_add(1, Ordering::SeqCst);
            }));
            then(tx)
        })
    };
    let refused = || counted(|_| Err(StoreError::NotFound("refused".into())));
    bank.one_group(vec![
        counted(|_| Ok(())),
        refused(),
        counted(|_| panic!("by intent")),
    ])
    .await;
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    if !bank.on_server() {
        bank.one_group(vec![counted(|_| Ok(())), counted(|tx| fail_with(tx, FULL))])
            .await;
        assert_eq!(runs.load(Ordering::SeqCst), 1);
    }
    let breaks = counted(|_| Ok(()));
    let panics: Closure = Box::new(|tx| {
        tx.after_commit(Box::new(|| panic!("by intent")));
        Ok(())
    });
    let answers = bank.one_group(vec![panics, breaks]).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(runs.load(Ordering::SeqCst), 2);
}

/// A bank whose database may have as many pages as the returned number says.
fn full_bank(probe_every: Duration) -> (Bank, Arc<AtomicU32>) {
    let pages = Arc::new(AtomicU32::new(200));
    let limit = pages.clone();
    let on_open = move |connection: &rusqlite::Connection| {
        let sql = format!("PRAGMA max_page_count = {}", limit.load(Ordering::SeqCst));
        connection
            .query_row(&sql, [], |_| Ok(()))
            .map_err(|error| sqlite::error(&error, "on_open"))
    };
    let options = Options {
        probe_every,
        ..options()
    };
    let hooks = Hooks {
        on_open: Some(Arc::new(on_open)),
        ..Hooks::default()
    };
    (Bank::hooked(&options, &hooks), pages)
}

fn fill(bank: &Bank) -> StoreError {
    let text = "x".repeat(60_000);
    for n in 0..1_000 {
        let name = format!("{n} {text}");
        if let Err(error) =
            bank.write_blocking(command("fill"), move |tx| open_account(tx, &name, 1))
        {
            return error;
        }
    }
    panic!("the disk has no end")
}

#[test]
fn a_full_disk_leaves_reading_and_writing_returns_by_itself() {
    let (bank, pages) = full_bank(Duration::from_millis(1));
    if bank.on_server() {
        return;
    }
    let error = fill(&bank);
    assert!(matches!(error, StoreError::ReadOnly(_)), "{error}");
    assert!(!bank.writable());
    let before = bank.balances();
    assert!(!before.is_empty());
    pages.store(100_000, Ordering::SeqCst);
    while !bank.writable() {
        std::thread::yield_now();
    }
    bank.write_blocking(command("open"), |tx| open_account(tx, "after", 1))
        .unwrap();
    assert_eq!(bank.balances().len(), before.len() + 1);
}

#[test]
fn a_command_tries_first_when_the_last_trial_is_old() {
    let (bank, pages) = full_bank(Duration::ZERO);
    if bank.on_server() {
        return;
    }
    fill(&bank);
    let refused = bank.write_blocking(command("open"), |tx| open_account(tx, "no", 1));
    assert!(matches!(refused, Err(StoreError::ReadOnly(_))));
    pages.store(100_000, Ordering::SeqCst);
    bank.write_blocking(command("open"), |tx| open_account(tx, "after", 1))
        .unwrap();
    assert!(bank.writable());
}

/// The files as a killed process leaves them: copied while the store is open.
fn as_if_killed(bank: &Bank) -> TemporaryFolder {
    let folder = TemporaryFolder::new().unwrap();
    std::fs::create_dir(folder.path().join("keys")).unwrap();
    for file in ["luodi.db", "luodi.db-wal", "keys/master-1.key"] {
        if bank.dir().join(file).exists() {
            std::fs::copy(bank.dir().join(file), folder.path().join(file)).unwrap();
        }
    }
    folder
}

#[test]
fn an_acknowledged_command_survives_a_crash_and_is_once_in_effect() {
    let bank = Bank::new();
    let key = IdempotencyKey {
        key: "k".into(),
        scope: "public".into(),
        digest: [3; 32],
    };
    let pay = |store: &Store| {
        let command = command("open").once(key.clone());
        store
            .write_once_blocking(command, |tx| open_account(tx, "甲", 5))
            .unwrap()
    };
    let first = pay(&bank);
    let folder = as_if_killed(&bank);
    let store = bank.again(folder.path()).unwrap();
    let again = pay(&store);
    assert!(again.replayed);
    assert_eq!(again.value, first.value);
}

#[test]
fn a_panicking_reader_harms_nobody() {
    let bank = Bank::with(&Options {
        readers: 1,
        ..options()
    });
    for _ in 0..3 {
        let broken: Result<(), StoreError> = bank.read_blocking(|_| panic!("by intent"));
        assert!(matches!(broken, Err(StoreError::Panicked { .. })));
    }
    assert_eq!(bank.balances(), []);
}

#[test]
fn shutting_down_answers_what_waits_and_refuses_the_rest() {
    let bank = Arc::new(Bank::new());
    let callers: Vec<_> = (0..8)
        .map(|n| {
            let bank = bank.clone();
            std::thread::spawn(move || {
                bank.write_blocking(command("open"), move |tx| {
                    open_account(tx, &n.to_string(), n)
                })
            })
        })
        .collect();
    bank.shutdown();
    let answers: Vec<_> = callers
        .into_iter()
        .map(|caller| caller.join().unwrap())
        .collect();
    let kept = answers.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(bank.balances().len(), kept);
    let late = bank.write_blocking(command("open"), |tx| open_account(tx, "late", 1));
    assert!(matches!(late, Err(StoreError::Unavailable(_))));
    assert!(!bank.writable());
}
