//! What an upgrade may do to the log, and what shows in the key folder that one is under way.
//!
//! A migration changes rows without an event; afterwards the program binds them anew (`rebind`). Only
//! the program that found the migration missing may, and for rows that were in order before it: what
//! somebody changed behind the program's back stays what it is. The permit stands in the key folder,
//! so that a start goes on where another was interrupted, and nobody without the keys makes one.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::bound::Shapes;
use super::verify::{Asked, verify};
use super::{mark, seal, tree};
use crate::store::keys::{self, Keys};
use crate::store::migrate::{self, Migration};
use crate::store::read::Snapshot;
use crate::store::session::Session;
use crate::store::{StoreError, schema};

const FILE: &str = "log.upgrade";
/// Migrations that this module knows by name.
const TREE: &str = "audit_log";
const SEALS: &str = "audit_seal";
const CHECKPOINT_SEALS: &str = "log_seals";
/// Rows that may be out of order before an upgrade; with more, somebody must look first.
const ODD_ROWS: usize = 1_000;

/// The permission to bind rows anew.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store) struct Permit {
    /// The last migration that asks for it.
    migration: i64,
    /// Events the log had before.
    size: u64,
    /// Rows that were not as their events say before, and stay so.
    pub(in crate::store) odd: HashSet<(String, Uuid)>,
}

/// An upgrade, before it begins.
#[derive(Default)]
pub(in crate::store) struct Upgrade {
    keys: Option<Keys>,
    pub(in crate::store) permit: Option<Permit>,
}

impl Upgrade {
    /// Looks at the database before the missing migrations run.
    ///
    /// # Errors
    /// [`StoreError::Migration`] where the schema holds what no migration made, where the database
    /// is older than what the key folder remembers, or where its log is not in order and rows are to
    /// be bound anew.
    pub(in crate::store) fn prepare(
        session: Session<'_>,
        dir: &Path,
        all: &[Migration],
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        if !migrate::has_begun(session)? {
            return Ok(Self::default());
        }
        schema::refuse_foreign(session, all)?;
        let missing = migrate::missing(session, all)?;
        if missing.len() == all.len() {
            return Ok(Self::default());
        }
        let Some(keys) = keys::if_known(session, dir)? else {
            return Ok(Self::default());
        };
        let treeless = missing.iter().any(|it| it.name == TREE);
        if treeless && let Some(mark) = mark::known(&keys)? {
            return Err(StoreError::Migration(format!(
                "密钥文件夹记得日志签过 {} 个事件，数据库却是日志成树之前的版本：换成了旧的副本。\
                 请核实来源，用 luodi restore 恢复备份",
                mark.size
            )));
        }
        let asking = missing.iter().filter(|it| it.asks_to_rebind());
        let under_way = match treeless {
            true => None,
            false => Permit::read(&keys, session, all)?,
        };
        let permit = match (under_way, asking.map(|it| it.version).max()) {
            (None, Some(migration)) => {
                let permit = Permit {
                    migration,
                    ..looked(session, &keys, (treeless, now, &missing))?
                };
                permit.keep(&keys)?;
                Some(permit)
            }
            (under_way, _) => under_way,
        };
        Ok(Self {
            keys: Some(keys),
            permit,
        })
    }

    /// What the program does itself within a migration.
    ///
    /// # Errors
    /// What the engine reports.
    pub(in crate::store) fn after(
        &self,
        session: Session<'_>,
        migration: &Migration,
    ) -> Result<(), StoreError> {
        if migration.name != SEALS {
            return Ok(());
        }
        let remembered = self.keys.as_ref().map(mark::known).transpose()?.flatten();
        let treeless = remembered.is_none() && seal::is_treeless(session)?;
        seal::renew(session, self.keys.as_ref(), treeless)
    }
}

/// Compares all rows with their events before a migration changes them.
fn looked(
    session: Session<'_>,
    keys: &Keys,
    (treeless, now, missing): (bool, Timestamp, &[&Migration]),
) -> Result<Permit, StoreError> {
    if treeless {
        return Ok(Permit::default());
    }
    let is_missing = |name: &str| missing.iter().any(|it| it.name == name);
    let unsealed = is_missing(CHECKPOINT_SEALS);
    session.begin_look()?;
    let found = Shapes::of(session).and_then(|shapes| {
        let shapes = match unsealed {
            true => shapes.before_seals(),
            false => shapes,
        };
        let q = Snapshot::of(session, keys, &shapes);
        let asked = Asked {
            mark: mark::known(keys)?,
            old_seals: is_missing(SEALS),
            unsealed,
            told: ODD_ROWS,
            ..Asked::new(now)
        };
        let verified = verify(&*q, &shapes, asked)?;
        Ok((verified, tree::head(&*q)?.map_or(0, |head| head.size)))
    });
    session.end_work()?;
    let (verified, size) = found?;
    let mut permit = Permit {
        size,
        ..Permit::default()
    };
    for found in verified.findings {
        // What a table of the log says is about all rows.
        let id = found.id.filter(|_| !found.table.starts_with("audit_"));
        let (Some(id), 0) = (id, verified.findings_not_listed) else {
            return Err(StoreError::Migration(format!(
                "升级前核对，发现日志被改动：{}（{}）。没有升级；请先用原来的版本 luodi audit verify 核对，查明原因",
                found.why, found.table
            )));
        };
        tracing::error!(table = %found.table, %id, "before the upgrade a row is not as its event says: {} {id}", found.table);
        permit.odd.insert((found.table, id));
    }
    Ok(permit)
}

impl Permit {
    fn path(keys: &Keys) -> PathBuf {
        keys.dir().join(FILE)
    }

    fn seal(keys: &Keys, text: &str) -> [u8; 32] {
        keys.log_word(&[b"upgrade", text.as_bytes()])
    }

    /// Without it nobody could go on with an upgrade that is interrupted.
    fn keep(&self, keys: &Keys) -> Result<(), StoreError> {
        let kept = serde_json::to_string(self).map_err(std::io::Error::other);
        let kept = kept.and_then(|text| {
            let seal = BASE64.encode(Self::seal(keys, &text));
            mark::write(&Self::path(keys), &format!("{text}\n{seal}\n"))
        });
        kept.map_err(|error| {
            StoreError::Migration(format!(
                "升级时密钥文件夹要能写入，{} 却不能（{error}）。没有升级；请让它可写后重新启动，升级完成后可以再改为只读",
                keys.dir().display()
            ))
        })
    }

    /// The permission of an upgrade that was interrupted: for the migration that asked last, and a log
    /// no smaller than then.
    fn read(
        keys: &Keys,
        session: Session<'_>,
        all: &[Migration],
    ) -> Result<Option<Self>, StoreError> {
        let Ok(kept) = fs::read_to_string(Self::path(keys)) else {
            return Ok(None);
        };
        let parse = || {
            let (text, seal) = kept.trim_end().rsplit_once('\n')?;
            let seal = BASE64.decode(seal).ok()?;
            let fits: bool = Self::seal(keys, text).ct_eq(seal.as_slice()).into();
            fits.then(|| serde_json::from_str::<Self>(text).ok())?
        };
        let asking = all.iter().filter(|it| it.asks_to_rebind());
        let last = asking.map(|it| it.version).max();
        let shapes = Shapes::of(session)?;
        let snapshot = Snapshot::of(session, keys, &shapes);
        let size = tree::head(&*snapshot)?.map_or(0, |head| head.size);
        Ok(parse().filter(|it| Some(it.migration) == last && it.size <= size))
    }

    /// The upgrade is done.
    pub(in crate::store) fn end(keys: &Keys) -> Result<(), StoreError> {
        mark::remove(&Self::path(keys)).or_else(|error| match error.kind() {
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => Ok(()),
            _ => Err(StoreError::Unavailable(error.to_string())),
        })
    }
}

/// Whether the key folder knows of an upgrade that is under way.
pub(in crate::store) fn under_way(keys: &Keys) -> bool {
    Permit::path(keys).exists()
}
