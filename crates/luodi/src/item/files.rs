//! The files of a package by their names, their canonical bytes and the hash that names a version.
//!
//! Deliberately lacks folders: see `folder`.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// The most files of a package.
pub(super) const MAX_FILES: usize = 64;
/// The most bytes of a package.
pub(super) const MAX_BYTES: usize = 4 << 20;

/// The folder in which a package carries its policy.
const POLICY: &str = "policy/";

/// Files by name with `/` between folders. Texts have line ends LF, whatever they were read with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files(BTreeMap<String, Vec<u8>>);

impl Files {
    /// No files.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file; a byte order mark and CR LF of texts go.
    pub fn insert(&mut self, name: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.0.insert(name.into(), normal(bytes.into()));
    }

    /// The bytes of a file.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.get(name).map(Vec::as_slice)
    }

    /// The text of a file; none where it is missing or no UTF-8.
    pub fn text(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.get(name)?).ok()
    }

    /// Names and bytes, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0
            .iter()
            .map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
    }

    /// Whether there are no files.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether number or size is beyond what a package may have.
    pub fn too_large(&self) -> bool {
        self.0.len() > MAX_FILES || self.0.values().map(Vec::len).sum::<usize>() > MAX_BYTES
    }

    /// The item's own files, and those of the policy it carries under `policy/`.
    pub fn split(&self) -> (Files, Option<Files>) {
        let mut item = Files::new();
        let mut policy = Files::new();
        for (name, bytes) in &self.0 {
            match name.strip_prefix(POLICY) {
                Some(inner) => policy.0.insert(inner.to_owned(), bytes.clone()),
                None => item.0.insert(name.clone(), bytes.clone()),
            };
        }
        (item, (!policy.is_empty()).then_some(policy))
    }

    /// The same files with a policy's under `policy/`.
    #[must_use]
    pub fn with_policy(mut self, policy: &Files) -> Files {
        for (name, bytes) in &policy.0 {
            self.0.insert(format!("{POLICY}{name}"), bytes.clone());
        }
        self
    }

    /// The name of this version: SHA-256 over names, lengths and contents in the order of names,
    /// and over the hash of the policy that belongs to it.
    pub fn hash(&self, policy_hash: Option<&str>) -> String {
        let mut hash = Sha256::new();
        hash.update(b"luodi-package-1\n");
        hash.update(format!("policy {}\n", policy_hash.unwrap_or("-")));
        for (name, bytes) in &self.0 {
            hash.update(format!("{name}\n{}\n", bytes.len()));
            hash.update(bytes);
        }
        let digest = hash.finalize();
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("sha256:{hex}")
    }

    /// As stored: one JSON object, texts as they are, other contents in base64.
    pub fn to_body(&self) -> String {
        let entries = self.0.iter().map(|(name, bytes)| {
            let value = match std::str::from_utf8(bytes) {
                Ok(text) => Value::from(text),
                Err(_) => json!({ "base64": STANDARD.encode(bytes) }),
            };
            (name.clone(), value)
        });
        Value::Object(entries.collect::<Map<_, _>>()).to_string()
    }

    /// From what was stored; none where it is damaged.
    pub fn from_body(body: &str) -> Option<Files> {
        let Value::Object(entries) = serde_json::from_str(body).ok()? else {
            return None;
        };
        let mut files = Files::new();
        for (name, value) in entries {
            let bytes = match &value {
                Value::String(text) => text.clone().into_bytes(),
                other => STANDARD.decode(other.get("base64")?.as_str()?).ok()?,
            };
            files.0.insert(name, bytes);
        }
        Some(files)
    }
}

impl<N: Into<String>, B: Into<Vec<u8>>> FromIterator<(N, B)> for Files {
    fn from_iter<I: IntoIterator<Item = (N, B)>>(entries: I) -> Self {
        let mut files = Files::new();
        for (name, bytes) in entries {
            files.insert(name, bytes);
        }
        files
    }
}

fn normal(bytes: Vec<u8>) -> Vec<u8> {
    match String::from_utf8(bytes) {
        Ok(text) => text
            .trim_start_matches('\u{feff}')
            .replace("\r\n", "\n")
            .into_bytes(),
        Err(error) => error.into_bytes(),
    }
}

/// Whether a file may have this name: short parts of plain characters, at most two folders deep.
pub(super) fn is_plain_name(name: &str) -> bool {
    let parts: Vec<&str> = name.split('/').collect();
    let plain = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.len() <= 100
            && part
                .chars()
                .all(|c| c.is_alphanumeric() || "._-".contains(c))
    };
    parts.len() <= 3 && parts.iter().all(|part| plain(part))
}
