//! Backup and restore: one moment of all tables and the contents of attachments in one file, the
//! same for both engines, so that it is also the way from one to the other.
//!
//! The file is a tar archive:
//!
//! ```text
//! luodi-backup-1                      empty; names the form
//! tables/NAME/000001.jsonl.gz         rows in the order of the primary key, a JSON list each, values
//!                                     in the order of the columns' names; bytes as base64, floating-
//!                                     point numbers as text; about 4 MiB to a part before packing;
//!                                     each table after those it refers to
//! contents/000001/NAME                attachments as stored (sealed), up to 1,000
//! contents/000001.jsonl               their names, sizes and SHA-256
//! manifest.json                       when, which city, which migrations; of each table columns, key,
//!                                     number of rows and SHA-256 of its lines; the root of all that
//! sha256                              of every byte before this entry
//! ```
//!
//! The same rows give the same bytes, whichever engine held them; only the manifest's time differs.
//! Deliberately lacks keys, which are kept apart, and sessions: who was logged in logs in again.

mod archive;
mod check;
mod lines;
mod manifest;
mod restore;
#[cfg(test)]
mod tests;
mod write;

pub use manifest::{Contents, Manifest, TableSum};
pub use restore::{Restored, restore};
pub use write::{Written, write};

/// Tables that no backup holds.
const LEFT_OUT: &[&str] = &["session"];

/// Why there is no backup, or no restored city.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The file is no backup of Luodi.
    #[error("{0} 不是落地的备份文件，请核对文件名。")]
    Foreign(String),
    /// The file was made by a newer program.
    #[error("{0} 由更新的版本制作，请改用那个版本或更新的版本恢复。")]
    Newer(String),
    /// The file is not as it was written.
    #[error("{file} 已损坏（{rule}）：{why}。没有写入任何数据，请换用另一份备份。")]
    Damaged {
        /// The backup.
        file: String,
        /// Stable code of what does not fit.
        rule: &'static str,
        /// What that is.
        why: String,
    },
    /// A file cannot be read or written.
    #[error("{0}。")]
    File(String),
    /// The store's own.
    #[error("{0}")]
    Store(#[from] crate::store::StoreError),
}

impl Fault {
    /// Stable code, for JSON.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Foreign(_) => "backup.foreign",
            Self::Newer(_) => "backup.newer",
            Self::Damaged { .. } => "backup.damaged",
            Self::File(_) => "backup.file",
            Self::Store(error) => error.code(),
        }
    }

    /// Whether the file is at fault, and not the place or the disk.
    #[must_use]
    pub fn is_finding(&self) -> bool {
        matches!(
            self,
            Self::Foreign(_) | Self::Newer(_) | Self::Damaged { .. }
        )
    }

    fn file(path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::File(format!(
            "{}：{}",
            path.display(),
            crate::store::io_words(error)
        ))
    }
}
