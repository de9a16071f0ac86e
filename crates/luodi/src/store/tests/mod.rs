//! Tests of the store as its users see it: a small bank of accounts on a store of its own.
//!
//! `first_steps` plays the ordinary.

mod first_steps;

use std::ops::Deref;

use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::migrate::{self, Migration};
use super::testing::TemporaryFolder;
use super::{ActorKind, ActorRef, Command, Event, Options, Store, StoreError, Tx, params};

/// The tables the tests play with.
const BANK: &str = "
CREATE TABLE bank_account (
    id BYTEA NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    amount_fen BIGINT NOT NULL CHECK (amount_fen >= 0),
    share DOUBLE PRECISION,
    sealed BYTEA,
    last_event BYTEA
);
";

pub(super) const NOW: &str = "2026-03-02T01:30:00.123Z";

pub(super) fn now() -> Timestamp {
    NOW.parse().unwrap()
}

pub(super) fn options() -> Options {
    Options {
        durable: false,
        ..Options::new(now())
    }
}

pub(super) fn migrations() -> Vec<Migration> {
    let mut all = migrate::embedded().unwrap();
    all.push(Migration {
        version: 9_000,
        name: "bank".into(),
        sql: BANK.into(),
    });
    all
}

/// A store with the bank's tables.
pub(super) struct Bank {
    store: Store,
    folder: TemporaryFolder,
}

impl Deref for Bank {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

impl Bank {
    pub(super) fn new() -> Self {
        Self::with(&options())
    }

    pub(super) fn with(options: &Options) -> Self {
        let folder = TemporaryFolder::new().unwrap();
        let store = Store::open_with(folder.path(), options, &migrations()).unwrap();
        Self { store, folder }
    }

    /// Where the bank's files are.
    pub(super) fn dir(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// The names of all accounts and what they hold, in order.
    pub(super) fn balances(&self) -> Vec<(String, i64)> {
        self.read_blocking(|q| {
            q.rows(
                "SELECT name, amount_fen FROM bank_account ORDER BY name",
                params![],
                |r| Ok((r.get(0)?, r.get(1)?)),
            )
        })
        .map_err(|error: StoreError| error)
        .unwrap()
    }
}

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
        },
        command,
        subject: ("bank_account", account),
        detail: json!({}),
        rows: vec![("bank_account", account)],
    }
}
