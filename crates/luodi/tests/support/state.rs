//! What the database holds, so that a test can say that nothing changed.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use luodi::access::Actor;
use luodi::account::{self, totp::Secret};
use luodi::params;
use luodi::refusal::Error;
use luodi::store::testing::{self, FORCE};
use luodi::store::{Command, Event, StoreError, Value};
use uuid::Uuid;

use super::TestCity;

/// Of every table the number of rows and the sum of their versions. Sessions and known browsers,
/// which every visit moves, are left out, with what the log says of them.
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

impl State {
    /// Of these tables alone.
    pub fn only(mut self, tables: &[&str]) -> Self {
        self.0.retain(|table, _| tables.contains(&table.as_str()));
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
            let mut counts = BTreeMap::new();
            for found in q.tables()? {
                let table = found.name;
                let of_visits = ["session", "known_device", "meta", "account"];
                // Where events wait and are numbered: what was logged is counted by itself.
                let of_log = ["audit_pending", "audit_leaf", "audit_tile"];
                if of_visits.contains(&table.as_str()) || of_log.contains(&table.as_str()) {
                    continue;
                }
                let versioned = found.columns.iter().any(|(name, _)| name == "version");
                let version = if versioned {
                    "CAST(COALESCE(SUM(version), 0) AS BIGINT)"
                } else {
                    "CAST(0 AS BIGINT)"
                };
                let which = if table == "audit_event" {
                    "WHERE command NOT LIKE 'session.%' AND command NOT IN ('draft.save', 'case.open')"
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

    /// A question as the engine wants it: a test writes bytes and signs as SQLite does.
    fn asked(&self, sql: &str) -> String {
        if self.ground.url().is_none() {
            return sql.to_owned();
        }
        let mut parts = sql.split("X'");
        let mut asked = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            asked.push_str("'\\x");
            asked.push_str(&part.replacen('\'', "'::bytea", 1));
        }
        asked.replace("char(", "chr(")
    }

    /// One number.
    pub async fn number(&self, sql: &'static str) -> i64 {
        let sql = self.asked(sql);
        let read = self
            .app
            .store
            .read(move |q| q.row(&sql, params![], |row| row.get::<i64>(0)));
        read.await.unwrap()
    }

    /// The ids a question gives, as addresses write them.
    pub async fn ids(&self, sql: &str) -> Vec<String> {
        let sql = self.asked(sql);
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
        let sql = self.asked(sql);
        let read = self
            .app
            .store
            .read(move |q| q.rows(&sql, params![], |row| row.get::<String>(0)));
        read.await
            .unwrap_or_else(|error: StoreError| panic!("{error}"))
    }

    /// Changes a row behind the commands' back: what no page may do, a test may.
    pub async fn force(&self, sql: &'static str, values: Vec<Value>) {
        self.ground.forced.store(true, Ordering::Relaxed);
        let command = Command::new(FORCE, self.clock.now());
        let forced = self
            .app
            .store
            .write(command, move |tx| tx.execute(sql, &values));
        assert!(
            forced.await.map_err(|error: StoreError| error).unwrap() > 0,
            "{sql}"
        );
    }

    /// Gives an account a further role, whatever the rules of roles say, and a second factor.
    pub async fn give_role(&self, login: &str, role: &str) {
        let sql = "INSERT INTO account_role (account_id, role) VALUES (?1, ?2)";
        self.force_account(login, sql, vec![role.to_owned().into()])
            .await;
        self.enrol(login).await;
    }

    /// Changes what an account is by a statement whose first value is its id, whatever the rules
    /// say, but with an event: one that does not fit its last event opens no session.
    pub async fn force_account(&self, login: &str, sql: &'static str, further: Vec<Value>) {
        self.ground.forced.store(true, Ordering::Relaxed);
        let login = login.to_owned();
        let command = Command::new("test.account", self.clock.now());
        let forced = self.app.store.write(command, move |tx| {
            let id = account::find_login(tx, &login)?.unwrap();
            let mut values = vec![id.0.into()];
            values.extend_from_slice(&further);
            assert!(tx.execute(sql, &values)? > 0, "{sql}");
            // What the row says of its roles, as `account` writes it beside them.
            let said = "UPDATE account SET roles = (SELECT string_agg(role, ' ') FROM account_role \
                        WHERE account_id = account.id) WHERE id = ?1";
            tx.execute(said, params![id.0])?;
            tx.event(Event {
                subject: ("account", id.0),
                rows: vec![("account", id.0), ("account_role", id.0)],
                ..testing::event()
            });
            Ok::<_, Error>(())
        });
        forced.await.unwrap();
    }

    /// Gives an account of the demonstration a second factor.
    pub async fn enrol(&self, login: &str) {
        let (login, console) = (
            login.to_owned(),
            Actor::console("test", self.app.site.region),
        );
        let command = Command::new("test.enrol", self.clock.now());
        let enrolled = self.app.store.write(command, move |tx| {
            let id = account::find_login(tx, &login)?.unwrap();
            account::enrol_demonstration(tx, &console, id, &Secret::derived(&login))
        });
        enrolled.await.unwrap();
    }
}
