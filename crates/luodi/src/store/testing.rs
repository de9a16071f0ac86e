//! Throw-away stores for tests, also for those outside this crate.
//!
//! Deliberately lacks durability: a temporary store does not wait for the disk.

use std::ops::Deref;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rand::Rng;

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

/// A store in a temporary folder; both go when it is dropped.
pub struct TemporaryStore {
    store: Store,
    folder: TemporaryFolder,
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
        let store = Store::open(folder.path(), options)?;
        Ok(Self { store, folder })
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
