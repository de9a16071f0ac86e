//! Snapshots, rows, counts and the log.

use super::*;
use crate::store::{Query, Reading};

type Outcome<T> = Result<T, StoreError>;

#[test]
fn a_snapshot_stays_one_moment() {
    let bank = Bank::new();
    fn count(q: &dyn Query) -> Outcome<i64> {
        q.row("SELECT COUNT(*) FROM bank_account", params![], |r| r.get(0))
    }
    let seen: Outcome<[i64; 2]> = bank.read_blocking(|q| {
        let before = count(q)?;
        bank.write_blocking(command("open"), |tx| open_account(tx, "甲", 1))?;
        Ok([before, count(q)?])
    });
    assert_eq!(seen.unwrap(), [0, 0]);
    assert_eq!(bank.balances().len(), 1);
}

#[test]
fn a_row_is_found_or_not() {
    let bank = Bank::new();
    let ask = |sql: &'static str, column: usize| -> Outcome<i64> {
        bank.read_blocking(|q| q.row(sql, params![], |r| r.get(column)))
    };
    let none = "SELECT amount_fen FROM bank_account";
    let opt: Outcome<Option<i64>> = bank.read_blocking(|q| q.row_opt(none, [], |r| r.get(0)));
    assert_eq!(opt.unwrap(), None);
    assert!(matches!(ask(none, 0), Err(StoreError::NotFound(_))));
    assert!(matches!(ask("SELECT 'x'", 0), Err(StoreError::Value(_))));
    assert!(matches!(ask("SELECT 1", 1), Err(StoreError::Value(_))));
    assert!(matches!(
        ask("SELECT ?1", 0),
        Err(StoreError::Engine { .. } | StoreError::Value(_))
    ));
    assert_eq!(ask("SELECT 1", 0).unwrap(), 1);
}

#[test]
fn a_snapshot_cannot_write() {
    let bank = Bank::new();
    let sql = "INSERT INTO meta (name, value) VALUES ('a', 'b') RETURNING 1";
    let refused: Outcome<i64> = bank.read_blocking(|q| q.row(sql, params![], |r| r.get(0)));
    assert!(refused.is_err());
}

#[test]
fn counts_grow_with_the_work() {
    let bank = Bank::new();
    let before = bank.stats();
    bank.write_blocking(command("open"), |tx| open_account(tx, "甲", 1))
        .unwrap();
    let after = bank.stats();
    assert_eq!(after.commands, before.commands + 1);
    assert_eq!(after.statements, before.statements + 1);
    assert_eq!(
        (after.groups, after.commits),
        (before.groups + 1, before.commits + 1)
    );
    assert!(
        bank.on_server() || after.bytes_written >= before.bytes_written + 4_096,
        "{after:?}"
    );
    let refuse = |_: &Tx<'_>| Err::<(), _>(StoreError::NotFound("refused".into()));
    bank.write_blocking(command("refuse"), refuse).unwrap_err();
    let refused = bank.stats();
    assert_eq!(
        (refused.groups, refused.commits),
        (after.groups + 1, after.commits)
    );
}

#[test]
fn a_log_that_was_moved_is_begun_anew() {
    let bank = Bank::with(&Options {
        checkpoint_pages: 1,
        ..options()
    });
    if bank.on_server() {
        return;
    }
    let open = |names: std::ops::Range<i64>| {
        for n in names {
            let open = move |tx: &Tx<'_>| open_account(tx, &n.to_string(), n);
            bank.write_blocking(command("open"), open).unwrap();
        }
        let log = std::fs::metadata(bank.dir().join("luodi.db-wal")).unwrap();
        (log.len(), bank.stats().bytes_written)
    };
    let (log, written) = open(0..10);
    let (log_later, written_later) = open(10..60);
    assert_eq!(log_later, log);
    assert!(
        written_later - written >= 50 * 4_096,
        "{written} {written_later}"
    );
}

/// A backup reads one moment for as long as it takes; the log of the file grows meanwhile, and
/// nobody waits for it to be moved.
#[test]
fn a_backup_holds_nobody_up() {
    let bank = Bank::with(&Options {
        checkpoint_pages: 1,
        ..options()
    });
    if bank.on_server() {
        return;
    }
    let backup = Reading::open(bank.dir(), &options()).unwrap();
    let pin = backup.pin().unwrap();
    let read = backup.read(|q| {
        let count = |sql| q.row(sql, params![], |row| row.get::<u64>(0));
        assert_eq!(count("SELECT COUNT(*) FROM bank_account")?, 0);
        let begun = crate::store::task::clock();
        for number in 0..30 {
            bank.write_blocking(command("open"), move |tx| {
                open_account(tx, &number.to_string(), 1)
            })?;
        }
        // One wait for a reader alone is five seconds.
        assert!(begun.elapsed() < std::time::Duration::from_secs(5));
        count("SELECT COUNT(*) FROM bank_account")
    });
    assert_eq!(read.map_err(|error: StoreError| error).unwrap(), 0);
    drop(pin);
    assert_eq!(bank.balances().len(), 30);
}
