//! What a backup says of itself.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::store::{Applied, Table};

/// The manifest of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The form of the file.
    pub format: String,
    /// When it was made.
    pub made_at: Timestamp,
    /// Name of the city, where one was founded.
    pub city: Option<String>,
    /// The migrations that made the schema.
    pub migrations: Vec<Applied>,
    /// Tables that are left out.
    pub left_out: Vec<String>,
    /// The tables, each after those it refers to.
    pub tables: Vec<TableSum>,
    /// The contents of attachments.
    pub contents: Contents,
    /// Hash of migrations, tables and contents: equal where the same is in it.
    pub root: String,
}

/// A table and the sum of its rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableSum {
    /// Name, columns and key.
    #[serde(flatten)]
    pub table: Table,
    /// How many rows there are.
    pub rows: u64,
    /// SHA-256 of their lines.
    pub sha256: String,
}

/// The sum of the contents of attachments.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// How many files there are.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
    /// SHA-256 of the lines that list them.
    pub sha256: String,
    /// Names of contents that rows name and the disk had not, the first of them.
    pub missing: Vec<String>,
}

impl Manifest {
    /// The hash of what is in the backup, without when it was made.
    pub(super) fn root_of(&self) -> String {
        let all = (
            &self.migrations,
            &self.left_out,
            &self.tables,
            &self.contents,
        );
        // Names, numbers and hashes only: always JSON.
        let text = serde_json::to_vec(&all).unwrap_or_default();
        format!("sha256:{}", hex(&Sha256::digest(text)))
    }
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
