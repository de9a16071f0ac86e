//! The locks of a data folder: one keeps two servers from sharing it, one keeps the contents of
//! files where they are while a backup is made.
//!
//! Each is free again when its process dies.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use super::StoreError;

/// Holds `DIR/lock` until dropped.
#[derive(Debug)]
pub(super) struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Takes the lock of a folder; who comes second is told so.
    ///
    /// # Errors
    /// [`StoreError::Locked`] where another holder has it.
    pub(super) fn take(dir: &Path) -> Result<Self, StoreError> {
        match attempt(dir, "lock", File::try_lock)? {
            Some(file) => Ok(Self { _file: file }),
            None => Err(StoreError::Locked(dir.to_owned())),
        }
    }
}

/// What stands between a backup and whoever removes files: `DIR/backup.lock`. Backups share it.
#[derive(Debug)]
pub struct Pin {
    _file: File,
}

const PIN: &str = "backup.lock";

impl Pin {
    /// Keeps every content where it is until dropped; waits while some are being removed.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where the folder cannot be written.
    pub(super) fn hold(dir: &Path) -> Result<Self, StoreError> {
        let waiting = |file: &File| file.lock_shared().map_err(TryLockError::Error);
        let file = attempt(dir, PIN, waiting)?;
        let file = file.ok_or_else(|| StoreError::Locked(dir.to_owned()))?;
        Ok(Self { _file: file })
    }

    /// The right to remove contents until dropped; none while a backup is made.
    ///
    /// # Errors
    /// As [`hold`](Self::hold).
    pub(super) fn removing(dir: &Path) -> Result<Option<Self>, StoreError> {
        let file = attempt(dir, PIN, File::try_lock)?;
        Ok(file.map(|file| Self { _file: file }))
    }
}

/// Opens a lock file and takes it in some way; none where another has it.
fn attempt(
    dir: &Path,
    name: &str,
    take: impl FnOnce(&File) -> Result<(), TryLockError>,
) -> Result<Option<File>, StoreError> {
    let path = dir.join(name);
    let unusable =
        |error: std::io::Error| StoreError::Unavailable(format!("{}: {error}", path.display()));
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(unusable)?;
    match take(&file) {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(unusable(error)),
    }
}
