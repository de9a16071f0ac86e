//! Throw-away stores for tests, also for those outside this crate.
//!
//! Deliberately lacks durability: a temporary store does not wait for the disk.

use std::ops::Deref;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rand::Rng;

use super::postgres::{Server, aside};
use super::{ActorKind, ActorRef, Event, Isolation, Options, Store, StoreError};

/// A folder that is removed when dropped.
#[derive(Debug)]
pub struct TemporaryFolder {
    path: PathBuf,
}

impl TemporaryFolder {
    /// Makes an empty folder of a fresh name.
    ///
    /// # Errors
    /// What the file system reports.
    pub fn new() -> std::io::Result<Self> {
        let path = std::env::temp_dir().join(format!("luodi-test-{:016x}", rand::rng().next_u64()));
        std::fs::create_dir(&path)?;
        Ok(Self { path })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// Names the server on which tests make their databases; without it they use SQLite.
const SERVER: &str = "LUODI_TEST_POSTGRES";

/// Names another level of isolation that tests use on a server: `repeatable-read`.
const ISOLATION: &str = "LUODI_TEST_ISOLATION";

/// How tests keep commands on a server apart.
#[must_use]
pub fn isolation() -> Isolation {
    #[expect(
        clippy::disallowed_methods,
        reason = "which engine tests run on is no setting"
    )]
    let named = std::env::var(ISOLATION).ok();
    match named.as_deref() {
        Some("repeatable-read") => Isolation::RepeatableRead,
        _ => Isolation::default(),
    }
}

/// A database of its own on the test server; gone when dropped. Without a test server it is none,
/// and the store is a file.
pub struct TemporaryDatabase {
    made: Option<(String, String)>,
}

impl TemporaryDatabase {
    /// Makes an empty database of a fresh name, where there is a test server.
    ///
    /// # Errors
    /// What the server reports.
    pub fn new() -> Result<Self, StoreError> {
        Self::like("template0")
    }

    /// No database: for tests of what only a file has.
    #[must_use]
    pub const fn none() -> Self {
        Self { made: None }
    }

    /// A copy of a database, where there is a test server. Who comes first has the original filled
    /// under another name; callers see to it that they come one after the other.
    ///
    /// # Errors
    /// What the server reports.
    pub fn copied(original: &str, fill: impl FnOnce(&str)) -> Result<Self, StoreError> {
        let Some(server) = server() else {
            return Ok(Self::none());
        };
        let sql = format!("SELECT 1 FROM pg_database WHERE datname = '{original}'");
        let mut found = false;
        aside(|| {
            let session = Server::parse(&server)?.connect()?;
            session.query(&sql, &[], &mut |_| {
                found = true;
                Ok(())
            })
        })??;
        if !found {
            let part = format!("{original}_part");
            control(&server, &format!("DROP DATABASE IF EXISTS {part}"))?;
            control(&server, &create(&part, "template0"))?;
            fill(&format!("{server} dbname={part}"));
            control(
                &server,
                &format!("ALTER DATABASE {part} RENAME TO {original}"),
            )?;
        }
        Self::like(original)
    }

    fn like(template: &str) -> Result<Self, StoreError> {
        Self::made(|name| create(name, template))
    }

    /// A database that is not as ours must be; none without a test server.
    #[cfg(test)]
    pub(super) fn made_as(how: &str) -> Result<Option<Self>, StoreError> {
        let made = Self::made(|name| format!("CREATE DATABASE {name} TEMPLATE template0 {how}"))?;
        Ok(made.made.is_some().then_some(made))
    }

    fn made(sql: impl FnOnce(&str) -> String) -> Result<Self, StoreError> {
        let Some(server) = server() else {
            return Ok(Self::none());
        };
        let name = format!("luodi_test_{:016x}", rand::rng().next_u64());
        control(&server, &sql(&name))?;
        Ok(Self {
            made: Some((server, name)),
        })
    }

    /// Its address; none means a file.
    #[must_use]
    pub fn url(&self) -> Option<String> {
        self.made
            .as_ref()
            .map(|(server, name)| format!("{server} dbname={name}"))
    }
}

fn server() -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "which engine tests run on is no setting"
    )]
    std::env::var(SERVER).ok()
}

fn create(name: &str, template: &str) -> String {
    format!(
        "CREATE DATABASE {name} TEMPLATE {template} ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'"
    )
}

impl Drop for TemporaryDatabase {
    fn drop(&mut self) {
        if let Some((server, name)) = &self.made {
            let _ = control(server, &format!("DROP DATABASE {name} WITH (FORCE)"));
        }
    }
}

fn control(server: &str, sql: &str) -> Result<(), StoreError> {
    aside(|| Server::parse(server)?.connect()?.control(sql))?
}

/// A store in a temporary folder; both go when it is dropped.
pub struct TemporaryStore {
    store: Store,
    folder: TemporaryFolder,
    database: TemporaryDatabase,
    options: Options,
}

impl TemporaryStore {
    /// Opens a new store that does not wait for the disk.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open(now: Timestamp) -> Result<Self, StoreError> {
        Self::open_with(&Options {
            durable: false,
            isolation: isolation(),
            ..Options::new(now)
        })
    }

    /// Opens a new store with given options.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_with(options: &Options) -> Result<Self, StoreError> {
        let folder =
            TemporaryFolder::new().map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let database = TemporaryDatabase::new()?;
        let options = Options {
            database: database.url(),
            ..options.clone()
        };
        let store = Store::open(folder.path(), &options)?;
        Ok(Self {
            store,
            folder,
            database,
            options,
        })
    }

    /// How it was opened: whoever opens it once more does so with these.
    #[must_use]
    pub fn options(&self) -> Options {
        Options {
            database: self.database.url(),
            ..self.options.clone()
        }
    }

    /// The store's folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.folder.path()
    }
}

impl Deref for TemporaryStore {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

impl Drop for TemporaryStore {
    fn drop(&mut self) {
        self.store.shutdown();
    }
}

/// The name of a command by which a test changes rows behind the log's back.
pub const FORCE: &str = "test.force";

/// An event of no command, for a test that changes rows without one.
#[must_use]
pub fn event() -> Event {
    Event {
        actor: ActorRef {
            kind: ActorKind::System,
            id: None,
            label: "test".to_owned(),
            region: None,
        },
        command: "test",
        subject: ("test", uuid::Uuid::nil()),
        detail: serde_json::json!({}),
        rows: Vec::new(),
    }
}
