//! Throw-away stores for tests, also for those outside this crate.
//!
//! Deliberately lacks durability: a temporary store does not wait for the disk.

use std::ops::Deref;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rand::Rng;

use super::postgres::{Server, aside};
use super::{Options, Store, StoreError};

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
        #[expect(
            clippy::disallowed_methods,
            reason = "which engine tests run on is no setting"
        )]
        let server = std::env::var(SERVER).ok();
        let Some(server) = server else {
            return Ok(Self { made: None });
        };
        let name = format!("luodi_test_{:016x}", rand::rng().next_u64());
        let sql = format!(
            "CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'"
        );
        control(&server, &sql)?;
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
    _database: TemporaryDatabase,
}

impl TemporaryStore {
    /// Opens a new store that does not wait for the disk.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open(now: Timestamp) -> Result<Self, StoreError> {
        Self::open_with(&Options {
            durable: false,
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
            _database: database,
        })
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
