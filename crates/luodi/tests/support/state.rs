//! What the database holds, so that a test can say that nothing changed.

use std::collections::BTreeMap;

use luodi::params;
use luodi::store::{Command, StoreError, Value};
use uuid::Uuid;

use super::TestCity;

/// Of every table the number of rows and the sum of their versions. Sessions, which every visit
/// moves, are left out, with what the log says of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State(BTreeMap<String, (i64, i64)>);

impl State {
    /// Without what keeps a visitor's text and papers for him: drafts, their files and keys.
    pub fn without_drafts(mut self) -> Self {
        for table in ["draft", "attachment", "data_key"] {
            self.0.remove(table);
        }
        self
    }
}

/// An id as addresses write it.
fn hex_id(id: Uuid) -> String {
    id.simple().to_string()
}

impl TestCity {
    /// What the database holds now.
    pub async fn state(&self) -> State {
        let read = self.app.store.read(|q| {
            let tables = q.rows(
                "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
                params![],
                |row| Ok((row.get::<String>(0)?, row.get::<String>(1)?)),
            )?;
            let mut counts = BTreeMap::new();
            for (table, sql) in tables {
                if table == "session" || table == "meta" || table == "account" {
                    continue;
                }
                let version = if sql.contains("version BIGINT") {
                    "COALESCE(SUM(version), 0)"
                } else {
                    "0"
                };
                let which = if table == "audit_event" {
                    "WHERE command NOT LIKE 'session.%' AND command <> 'draft.save'"
                } else {
                    ""
                };
                let count = q.row(
                    &format!("SELECT COUNT(*), {version} FROM {table} {which}"),
                    params![],
                    |row| Ok((row.get::<i64>(0)?, row.get::<i64>(1)?)),
                )?;
                counts.insert(table, count);
            }
            Ok::<_, StoreError>(State(counts))
        });
        read.await.unwrap()
    }

    /// One number.
    pub async fn number(&self, sql: &'static str) -> i64 {
        let read = self
            .app
            .store
            .read(move |q| q.row(sql, params![], |row| row.get::<i64>(0)));
        read.await.unwrap()
    }

    /// The ids a question gives, as addresses write them.
    pub async fn ids(&self, sql: &str) -> Vec<String> {
        let sql = sql.to_owned();
        let read = self
            .app
            .store
            .read(move |q| q.rows(&sql, params![], |row| row.get::<Uuid>(0)));
        let ids: Vec<Uuid> = read
            .await
            .unwrap_or_else(|error: StoreError| panic!("{error}"));
        ids.into_iter().map(hex_id).collect()
    }

    /// The first of [`Self::ids`].
    pub async fn id(&self, sql: &str) -> String {
        let ids = self.ids(sql).await;
        ids.first()
            .unwrap_or_else(|| panic!("nothing for {sql}"))
            .clone()
    }

    /// The texts a question gives.
    pub async fn texts(&self, sql: &str) -> Vec<String> {
        let sql = sql.to_owned();
        let read = self
            .app
            .store
            .read(move |q| q.rows(&sql, params![], |row| row.get::<String>(0)));
        read.await
            .unwrap_or_else(|error: StoreError| panic!("{error}"))
    }

    /// Changes a row behind the commands' back: what no page may do, a test may.
    pub async fn force(&self, sql: &'static str, values: Vec<Value>) {
        let command = Command::new("test.force", self.clock.now());
        let forced = self
            .app
            .store
            .write(command, move |tx| tx.execute(sql, &values));
        assert!(
            forced.await.map_err(|error: StoreError| error).unwrap() > 0,
            "{sql}"
        );
    }

    /// Gives an account a further role, whatever the rules of roles say.
    pub async fn give_role(&self, login: &str, role: &str) {
        self.force(
            "INSERT INTO account_role (account_id, role) SELECT id, ?2 FROM account WHERE login = ?1",
            vec![login.to_owned().into(), role.to_owned().into()],
        )
        .await;
    }
}
