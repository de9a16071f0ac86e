//! Tests of the store as its users see it: a small bank of accounts on a store of its own.
//!
//! `first_steps` plays the ordinary, `faults` breaks disks and transactions, `model` compares
//! groups of commands with a serial model.

mod events;
mod faults;
mod first_steps;
mod forge;
mod jobs;
mod known;
mod log;
mod model;
mod once;
mod reading;
mod rotation;
mod servers;

use std::ops::Deref;
use std::sync::{Mutex, mpsc};

use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::migrate::{self, Migration};
use super::testing::{TemporaryDatabase, TemporaryFolder, isolation};
use super::{ActorKind, ActorRef, Command, Event, Hooks, Options, Store, StoreError, Tx, params};

/// The tables the tests play with, beside those of the store itself.
const BANK: &str = "
CREATE TABLE bank_account (
    id BYTEA NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    amount_fen BIGINT NOT NULL CHECK (amount_fen >= 0),
    share DOUBLE PRECISION,
    sealed BYTEA,
    last_event BYTEA
);
CREATE TABLE bank_holder (
    account_id BYTEA NOT NULL,
    holder TEXT NOT NULL,
    note TEXT,
    PRIMARY KEY (account_id, holder)
);
";

pub(super) const NOW: &str = "2026-03-02T01:30:00.123Z";

pub(super) fn now() -> Timestamp {
    NOW.parse().unwrap()
}

pub(super) fn options() -> Options {
    Options {
        durable: false,
        isolation: isolation(),
        // So that commands run in the order they were asked for on a server, too.
        workers: 1,
        ..Options::new(now())
    }
}

pub(super) fn migrations() -> Vec<Migration> {
    let mut all = migrate::embedded().unwrap();
    all.retain(|migration| {
        [
            "store",
            "event_region",
            "audit_log",
            "log_seals",
            "audit_seal",
        ]
        .contains(&migration.name.as_str())
    });
    all.insert(
        2,
        Migration {
            // Before the log became a tree, so that this can be undone.
            version: 13,
            name: "bank".into(),
            sql: BANK.into(),
        },
    );
    all
}

/// A store with the bank's tables.
pub(super) struct Bank {
    store: Option<Store>,
    folder: TemporaryFolder,
    database: TemporaryDatabase,
}

impl Drop for Bank {
    fn drop(&mut self) {
        if let Some(store) = &self.store {
            store.shutdown();
        }
    }
}

impl Deref for Bank {
    type Target = Store;

    fn deref(&self) -> &Store {
        self.store.as_ref().unwrap()
    }
}

impl Bank {
    pub(super) fn new() -> Self {
        Self::with(&options())
    }

    pub(super) fn with(options: &Options) -> Self {
        Self::hooked(options, &Hooks::default())
    }

    /// A bank whose engine calls `hooks`.
    pub(super) fn hooked(options: &Options, hooks: &Hooks) -> Self {
        let database = TemporaryDatabase::new().unwrap();
        let options = Options {
            database: database.url(),
            ..options.clone()
        };
        let folder = TemporaryFolder::new().unwrap();
        let store = Store::open_with(folder.path(), &options, &migrations(), hooks).unwrap();
        Self {
            store: Some(store),
            folder,
            database,
        }
    }

    /// Closes the bank and opens it once more, with these migrations.
    pub(super) fn reopen(&mut self, migrations: &[Migration]) -> Result<(), StoreError> {
        if let Some(store) = self.store.take() {
            store.shutdown();
        }
        let options = Options {
            database: self.database.url(),
            ..options()
        };
        let hooks = Hooks::default();
        self.store = Some(Store::open_with(self.dir(), &options, migrations, &hooks)?);
        Ok(())
    }

    /// Opens the bank's tables once more, with the files of `dir`.
    pub(super) fn again(&self, dir: &std::path::Path) -> Result<Store, StoreError> {
        let options = Options {
            database: self.database.url(),
            ..options()
        };
        Store::open_with(dir, &options, &migrations(), &Hooks::default())
    }

    /// Whether the tables are on a server.
    pub(super) fn on_server(&self) -> bool {
        self.database.url().is_some()
    }

    /// Where the bank's files are.
    pub(super) fn dir(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Runs the closures as one group, in their order, and gives their answers.
    pub(super) async fn one_group(&self, closures: Vec<Closure>) -> Vec<Result<(), StoreError>> {
        let groups = self.stats().groups;
        let (enter, entered) = tokio::sync::oneshot::channel();
        let (open, gate) = mpsc::channel::<()>();
        let (enter, gate) = (Mutex::new(Some(enter)), Mutex::new(gate));
        let keeper = tokio::spawn(self.write(command("gate"), move |_| {
            enter.lock().unwrap().take().unwrap().send(()).unwrap();
            gate.lock().unwrap().recv().unwrap();
            Ok::<_, StoreError>(())
        }));
        entered.await.unwrap();
        // The writer waits at the gate; tasks of a single thread enter the queue in their order.
        let waiting: Vec<_> = closures
            .into_iter()
            .map(|it| tokio::spawn(self.write(command("step"), it)))
            .collect();
        tokio::task::yield_now().await;
        open.send(()).unwrap();
        keeper.await.unwrap().unwrap();
        let mut answers = Vec::new();
        for answer in waiting {
            answers.push(answer.await.unwrap());
        }
        assert!(
            self.on_server() || self.stats().groups <= groups + 2,
            "the commands were to be one group"
        );
        answers
    }

    /// The names of all accounts and what they hold, in order.
    pub(super) fn balances(&self) -> Vec<(String, i64)> {
        let ask = || {
            self.read_blocking(|q| {
                q.rows(
                    "SELECT name, amount_fen FROM bank_account ORDER BY name",
                    params![],
                    |r| Ok((r.get(0)?, r.get(1)?)),
                )
            })
        };
        // Asynchronous tests must not wait on their own thread.
        let found: Result<_, StoreError> = super::postgres::aside(ask).unwrap();
        found.unwrap()
    }
}

/// A command of a group.
pub(super) type Closure = Box<dyn Fn(&Tx<'_>) -> Result<(), StoreError> + Send + Sync>;

pub(super) fn command(name: &'static str) -> Command {
    Command::new(name, now())
}

pub(super) fn open_account(tx: &Tx<'_>, name: &str, amount_fen: i64) -> Result<Uuid, StoreError> {
    let id = tx.new_id();
    tx.execute(
        "INSERT INTO bank_account (id, name, amount_fen) VALUES (?1, ?2, ?3)",
        params![id, name, amount_fen],
    )?;
    Ok(id)
}

pub(super) fn event_of(command: &'static str, account: Uuid) -> Event {
    Event {
        actor: ActorRef {
            kind: ActorKind::System,
            id: None,
            label: "test".into(),
            region: None,
        },
        command,
        subject: ("bank_account", account),
        detail: json!({}),
        rows: vec![("bank_account", account)],
    }
}
