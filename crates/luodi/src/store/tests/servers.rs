//! Several servers on one database, and connections that are lost. A file has one server and no
//! connections: there these tests do nothing, or run against one store.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};

use jiff::SignedDuration;

use super::*;
use crate::store::{Applied, IdempotencyKey, Isolation, Job, Once, Restoring, Value, postgres};

const LEVELS: [Isolation; 2] = [Isolation::Serializable, Isolation::RepeatableRead];
/// Callers at once, half of them on each server.
const CALLERS: usize = 8;

fn several(isolation: Isolation) -> Options {
    Options {
        workers: 4,
        isolation,
        ..options()
    }
}

/// A bank and the same bank as another server has it open.
struct Servers {
    first: Bank,
    second: Store,
}

impl Servers {
    fn open(isolation: Isolation) -> Self {
        let first = Bank::with(&several(isolation));
        let second = if first.on_server() {
            let options = Options {
                database: first.database.url(),
                ..several(isolation)
            };
            Store::open_with(first.dir(), &options, &migrations(), &Hooks::default()).unwrap()
        } else {
            Store::clone(&first)
        };
        Self { first, second }
    }

    /// Runs `f` for each caller at once, on his server.
    fn at_once<T: Send>(&self, f: impl Fn(usize, &Store) -> T + Sync) -> Vec<T> {
        let (f, start) = (&f, &Barrier::new(CALLERS));
        std::thread::scope(|scope| {
            let callers: Vec<_> = (0..CALLERS)
                .map(|number| {
                    let store = if number % 2 == 0 {
                        &*self.first
                    } else {
                        &self.second
                    };
                    scope.spawn(move || {
                        start.wait();
                        f(number, store)
                    })
                })
                .collect();
            callers.into_iter().map(|it| it.join().unwrap()).collect()
        })
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.second.shutdown();
    }
}

fn key() -> IdempotencyKey {
    IdempotencyKey {
        key: "k1".into(),
        scope: "public".into(),
        digest: [1; 32],
    }
}

#[test]
fn a_key_has_one_effect_on_all_servers() {
    for level in LEVELS {
        let servers = Servers::open(level);
        let answers = servers.at_once(|_, store| {
            let open = |tx: &Tx<'_>| open_account(tx, "甲", 5);
            store.write_once_blocking::<_, StoreError, _>(command("open").once(key()), open)
        });
        let answers: Vec<Once<Uuid>> = answers.into_iter().map(Result::unwrap).collect();
        assert!(answers.iter().all(|it| it.value == answers[0].value));
        assert_eq!(answers.iter().filter(|it| !it.replayed).count(), 1);
        assert_eq!(servers.first.balances().len(), 1);
    }
}

#[test]
fn a_job_is_claimed_by_one_worker_of_all_servers() {
    const JOBS: usize = 120;
    for level in LEVELS {
        let servers = Servers::open(level);
        let planned = servers.first.write_blocking(command("plan"), |tx| {
            for n in 0..JOBS {
                tx.enqueue_job(&Job {
                    kind: "close",
                    key: Some(n.to_string()),
                    payload: json!({}),
                    due_at: now(),
                })?;
            }
            Ok::<_, StoreError>(())
        });
        planned.unwrap();
        let claimed = servers.at_once(|_, store| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap();
            let mut mine = Vec::new();
            loop {
                let claim = store.claim_due_jobs(now(), 5, SignedDuration::from_mins(5));
                let jobs = runtime.block_on(claim).unwrap();
                if jobs.is_empty() {
                    return mine;
                }
                mine.extend(jobs.into_iter().map(|job| job.id));
            }
        });
        let all: Vec<Uuid> = claimed.into_iter().flatten().collect();
        assert_eq!(all.len(), JOBS);
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), JOBS);
    }
}

/// Everybody takes 30 out of 100 after looking what is there.
#[test]
fn nothing_is_spent_twice() {
    for level in LEVELS {
        let servers = Servers::open(level);
        let opened = servers
            .first
            .write_blocking(command("open"), |tx| open_account(tx, "甲", 100));
        let account = opened.unwrap();
        let taken = servers.at_once(|_, store| {
            store.write_blocking(command("take"), move |tx| {
                let sql = "SELECT amount_fen FROM bank_account WHERE id = ?1";
                let there: i64 = tx.row(sql, params![account], |row| row.get(0))?;
                if there < 30 {
                    return Err(StoreError::NotFound("nothing left".into()));
                }
                let sql = "UPDATE bank_account SET amount_fen = ?2 WHERE id = ?1";
                tx.execute(sql, params![account, there - 30]).map(drop)
            })
        });
        let taken = taken.into_iter().filter(Result::is_ok).count();
        assert_eq!(taken, 3);
        assert_eq!(servers.first.balances(), [("甲".to_owned(), 10)]);
    }
}

/// Two look that nobody has an account yet and each opens one: each changes a row of its own only,
/// so that their moments do not tell them of each other. What both hold does.
#[test]
fn who_holds_the_same_row_sees_the_other() {
    for level in LEVELS {
        let servers = Servers::open(level);
        let opened = servers
            .first
            .write_blocking(command("open"), |tx| open_account(tx, "银行", 0));
        let held = opened.unwrap();
        // Both have looked before either writes; only at the first run, because one runs again.
        let (looked, runs) = (Arc::new(Barrier::new(2)), Arc::new(AtomicUsize::new(0)));
        let open = |name: &'static str| {
            let (looked, runs) = (looked.clone(), runs.clone());
            move |tx: &Tx<'_>| {
                let sql = "SELECT COUNT(*) FROM bank_account WHERE name <> '银行'";
                let others: i64 = tx.row(sql, params![], |row| row.get(0))?;
                if runs.fetch_add(1, Ordering::SeqCst) < 2 {
                    looked.wait();
                }
                if others > 0 {
                    return Err(StoreError::NotFound("there is one".into()));
                }
                tx.hold("bank_account", held)?;
                open_account(tx, name, 1).map(drop)
            }
        };
        if !servers.first.on_server() {
            return;
        }
        std::thread::scope(|scope| {
            let one = scope.spawn(|| servers.first.write_blocking(command("a"), open("甲")));
            let other = servers.second.write_blocking(command("b"), open("乙"));
            assert_ne!(one.join().unwrap().is_ok(), other.is_ok(), "{level:?}");
        });
        assert_eq!(servers.first.balances().len(), 2, "{level:?}");
    }
}

/// A bank whose connection is lost in the first commit, before or after it took place.
fn cut_off_in_commit(committed: bool) -> Bank {
    let cut = Arc::new(AtomicUsize::new(0));
    let on_commit = move |session: &postgres::Session| {
        if cut.fetch_add(1, Ordering::SeqCst) == 0 {
            if committed {
                session.control("COMMIT").unwrap();
            }
            let gone = session.control("SELECT pg_terminate_backend(pg_backend_pid())");
            assert!(gone.is_err());
        }
    };
    let hooks = Hooks {
        on_commit: Some(Arc::new(on_commit)),
        ..Hooks::default()
    };
    Bank::hooked(&options(), &hooks)
}

#[test]
fn a_commit_whose_answer_was_lost_is_settled_by_its_key() {
    for committed in [true, false] {
        let bank = cut_off_in_commit(committed);
        let open = |tx: &Tx<'_>| open_account(tx, "甲", 5);
        let answer = bank.write_once_blocking(command("open").once(key()), open);
        let answer: Once<Uuid> = answer.unwrap();
        assert_eq!(answer.replayed, committed && bank.on_server());
        assert_eq!(bank.balances().len(), 1);
        assert!(bank.writable());
    }
}

#[test]
fn without_a_key_it_is_settled_by_its_event_and_never_run_twice() {
    for committed in [true, false] {
        let bank = cut_off_in_commit(committed);
        if !bank.on_server() {
            return;
        }
        let runs = Arc::new(Mutex::new(0));
        let counted = runs.clone();
        let answer = bank.write_blocking(command("open"), move |tx| {
            *counted.lock().unwrap() += 1;
            let id = open_account(tx, "甲", 5)?;
            tx.event(event_of("open", id));
            Ok::<_, StoreError>(id)
        });
        assert_eq!(*runs.lock().unwrap(), 1);
        if committed {
            answer.unwrap();
        } else {
            assert!(matches!(answer, Err(StoreError::GroupLost(_))));
        }
        assert_eq!(bank.balances().len(), usize::from(committed));
    }
}

#[test]
fn a_connection_lost_before_the_commit_costs_nothing() {
    let bank = Bank::with(&several(Isolation::default()));
    let Some(url) = bank.database.url() else {
        return;
    };
    let cut = Arc::new(AtomicUsize::new(0));
    let answer = bank.write_blocking(command("open"), move |tx| {
        let id = open_account(tx, "甲", 5)?;
        if cut.fetch_add(1, Ordering::SeqCst) == 0 {
            let pid: i64 = tx.row("SELECT pg_backend_pid()", params![], |row| row.get(0))?;
            let other = postgres::aside(|| postgres::Server::parse(&url)?.connect())??;
            let gone = format!("SELECT pg_terminate_backend({pid})");
            postgres::aside(move || other.control(&gone))??;
        }
        tx.execute("UPDATE bank_account SET amount_fen = 6", params![])?;
        Ok::<_, StoreError>(id)
    });
    answer.unwrap();
    assert_eq!(bank.balances(), [("甲".to_owned(), 6)]);
}

/// Begins a restore on a server of its own, in a schema made by these migrations.
fn begin_restore(
    ground: &(TemporaryFolder, TemporaryDatabase),
    applied: &[Migration],
    all: &[Migration],
) -> Restoring {
    let options = Options {
        database: ground.1.url(),
        ..options()
    };
    let applied: Vec<Applied> = applied
        .iter()
        .map(|it| Applied {
            version: it.version,
            name: it.name.clone(),
            digest: migrate::digest_of(&it.sql),
        })
        .collect();
    let place = Restoring::begin_with(ground.0.path(), &options, &applied, all).unwrap();
    // As its backup remembers them.
    let rows: Vec<Vec<Value>> = applied
        .into_iter()
        .map(|it| {
            vec![
                now().into(),
                it.digest.into(),
                it.name.into(),
                it.version.into(),
            ]
        })
        .collect();
    let mut tables = place.tables().iter();
    let table = tables.find(|table| table.name == "schema_migration");
    place.insert(table.unwrap(), &rows).unwrap();
    place
}

fn new_ground() -> (TemporaryFolder, TemporaryDatabase) {
    let database = TemporaryDatabase::new().unwrap();
    (TemporaryFolder::new().unwrap(), database)
}

#[test]
fn a_numbered_column_goes_on_after_what_was_restored() {
    let all = [
        migrations(),
        vec![Migration {
            version: 9_001,
            name: "numbered".into(),
            sql: "CREATE TABLE numbered (id BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, \
                  what TEXT NOT NULL);"
                .into(),
        }],
    ]
    .concat();
    let ground = new_ground();
    if ground.1.url().is_none() {
        // SQLite numbers after the highest by itself.
        return;
    }
    let place = begin_restore(&ground, &all, &all);
    let table = place.tables().iter().find(|table| table.name == "numbered");
    let row = |id: i64| vec![Value::Int(id), Value::Text("x".into())];
    place.insert(table.unwrap(), &[row(3), row(41)]).unwrap();
    place.finish().unwrap();
    let session = postgres::Server::parse(&ground.1.url().unwrap()).and_then(|it| it.connect());
    let mut added = 0_i64;
    let sql = "INSERT INTO numbered (what) VALUES ('y') RETURNING id";
    let read = session.unwrap().query(sql, &[], &mut |row| {
        added = row.get(0)?;
        Ok(())
    });
    read.unwrap();
    assert_eq!(added, 42);
}

/// A backup of an older program: its tables are filled first, newer migrations come after.
#[test]
fn newer_migrations_come_after_older_rows() {
    let newer = Migration {
        version: 9_002,
        name: "newer".into(),
        sql: "ALTER TABLE bank_account ADD COLUMN note TEXT; UPDATE bank_account SET note = name || '!';"
            .into(),
    };
    let all = [migrations(), vec![newer]].concat();
    let ground = new_ground();
    let place = begin_restore(&ground, &migrations(), &all);
    let table = place
        .tables()
        .iter()
        .find(|table| table.name == "bank_account");
    let table = table.unwrap();
    let names: Vec<&str> = table
        .columns
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(
        names,
        ["amount_fen", "id", "last_event", "name", "sealed", "share"]
    );
    let (id, nothing) = (Uuid::from_u128(1), Value::Null);
    let row = vec![
        7_i64.into(),
        id.into(),
        nothing.clone(),
        "甲".into(),
        nothing,
        0.1_f64.into(),
    ];
    place.insert(table, &[row]).unwrap();
    place.finish().unwrap();
    let options = Options {
        database: ground.1.url(),
        ..options()
    };
    let store = Store::open_with(ground.0.path(), &options, &all, &Hooks::default()).unwrap();
    let found = store.read_blocking(|q| {
        let sql = "SELECT note, share FROM bank_account";
        q.row(sql, params![], |row| {
            Ok((row.get::<String>(0)?, row.get::<f64>(1)?))
        })
    });
    assert_eq!(
        found.map_err(|error: StoreError| error).unwrap(),
        ("甲!".to_owned(), 0.1)
    );
    store.shutdown();
}

#[test]
fn a_server_that_may_forget_is_refused() {
    let database = TemporaryDatabase::new().unwrap();
    let folder = TemporaryFolder::new().unwrap();
    let Some(url) = database.url() else {
        return;
    };
    // The test server runs with fsync and full_page_writes off.
    let options = Options {
        database: Some(url),
        durable: true,
        ..options()
    };
    let refused = Store::open(folder.path(), &options).err();
    let Some(StoreError::Unavailable(why)) = refused else {
        panic!("{refused:?}")
    };
    assert!(why.contains("fsync=off, full_page_writes=off"), "{why}");
    assert!(why.contains("--unsafe-database"), "{why}");
}

#[test]
fn a_database_that_orders_text_otherwise_is_refused() {
    for (how, wanted) in [
        (
            "ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'zh' LC_COLLATE 'C' LC_CTYPE 'C'",
            "ICU",
        ),
        (
            "ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'",
            "LC_CTYPE",
        ),
        (
            "ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'",
            "SQL_ASCII",
        ),
    ] {
        let Some(database) = TemporaryDatabase::made_as(how).unwrap() else {
            return;
        };
        let folder = TemporaryFolder::new().unwrap();
        let options = Options {
            database: database.url(),
            ..options()
        };
        let refused = Store::open(folder.path(), &options).err();
        let Some(StoreError::Unavailable(why)) = refused else {
            panic!("{how}: {refused:?}")
        };
        assert!(
            why.contains(wanted) && why.contains("CREATE DATABASE"),
            "{why}"
        );
    }
}
