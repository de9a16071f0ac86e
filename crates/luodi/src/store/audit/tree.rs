//! The tree's tiles and signed checkpoints as they are stored.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use trail::{Checkpoint, Hash, Note, NoteError, Signer, Tile, TileId, Tiles, Verifier};

use crate::store::keys::Keys;
use crate::store::read::Query;
use crate::store::tx::Tx;
use crate::store::{StoreError, params};

/// One checkpoint of each hour is kept.
const HOUR_MS: i64 = 3_600_000;

/// The tiles in the store.
pub(super) struct Stored<'q>(pub(super) &'q dyn Query);

impl Tiles for Stored<'_> {
    type Error = StoreError;

    fn tile(&self, id: TileId) -> Result<Tile, StoreError> {
        let sql = "SELECT hashes FROM audit_tile WHERE level = ?1 AND place = ?2";
        let place = number(id.index)?;
        let found = self
            .0
            .row_opt(sql, params![id.level, place], |row| row.get::<Vec<u8>>(0))?;
        // What is no tile is as good as an empty one: its hashes are missing.
        Ok(found
            .and_then(|bytes| Tile::from_bytes(&bytes))
            .unwrap_or_default())
    }

    fn short(&self, id: TileId) -> StoreError {
        StoreError::Log(format!(
            "the tile {} of level {} lacks hashes",
            id.index, id.level
        ))
    }
}

/// A hash as checkpoints write it.
pub(super) fn base64(hash: &Hash) -> String {
    STANDARD.encode(hash)
}

/// A count or number as the store keeps it.
pub(super) fn number(it: u64) -> Result<i64, StoreError> {
    i64::try_from(it).map_err(|_| StoreError::Value(format!("{it} is too large")))
}

/// Keeps a tile, whether it was there already or not.
pub(super) fn keep(tx: &Tx<'_>, id: TileId, tile: &Tile) -> Result<(), StoreError> {
    let place = number(id.index)?;
    let hashes = tile.to_bytes();
    let changed = tx.execute(
        "UPDATE audit_tile SET hashes = ?3 WHERE level = ?1 AND place = ?2",
        params![id.level, place, &hashes],
    )?;
    if changed == 0 {
        tx.execute(
            "INSERT INTO audit_tile (level, place, hashes) VALUES (?1, ?2, ?3)",
            params![id.level, place, hashes],
        )?;
    }
    Ok(())
}

/// What whoever numbers events holds: the tree's size and the log's name.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) size: u64,
    pub(super) origin: String,
}

pub(super) fn head(q: &dyn Query) -> Result<Option<Head>, StoreError> {
    q.row_opt("SELECT size, origin FROM audit_head", params![], |row| {
        Ok(Head {
            size: count(row.get(0)?),
            origin: row.get(1)?,
        })
    })
}

/// A count as it was stored; one that cannot be is larger than any.
pub(super) fn count(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or(u64::MAX)
}

/// The key that signs the log's checkpoints.
pub(super) fn signer(keys: &Keys, origin: &str) -> Result<Signer, StoreError> {
    Signer::log(origin, &keys.log_seed()).map_err(|error| unusable(&error))
}

fn unusable(error: &NoteError) -> StoreError {
    StoreError::Log(error.to_string())
}

/// Signs and keeps a checkpoint; of each hour only the last is kept.
pub(super) fn sign(tx: &Tx<'_>, head: &Head, root: Hash) -> Result<(), StoreError> {
    let checkpoint = Checkpoint {
        origin: head.origin.clone(),
        size: head.size,
        root,
    };
    let note = checkpoint
        .signed(&signer(tx.keys(), &head.origin)?)
        .to_string();
    let now = tx.now().as_millisecond();
    tx.execute(
        "DELETE FROM audit_checkpoint WHERE signed_at >= ?1 AND size < ?2",
        params![now - now.rem_euclid(HOUR_MS), number(head.size)?],
    )?;
    let sql = "SELECT size FROM audit_checkpoint ORDER BY size DESC LIMIT 1";
    let before = tx.row_opt(sql, params![], |row| row.get::<i64>(0))?;
    let mut kept = Kept {
        size: head.size,
        signed_at: tx.now(),
        note,
        seal: None,
    };
    kept.seal = Some(kept.sealed(tx.keys(), before.map_or(0, count)).to_vec());
    tx.execute(
        "INSERT INTO audit_checkpoint (size, signed_at, note, seal) VALUES (?1, ?2, ?3, ?4)",
        params![number(head.size)?, now, kept.note, kept.seal],
    )
    .map(drop)
}

/// Seals the checkpoints of the time before they had a seal.
pub(super) fn seal_all(tx: &Tx<'_>) -> Result<(), StoreError> {
    let mut before = 0;
    for kept in checkpoints(tx, true)? {
        tx.execute(
            "UPDATE audit_checkpoint SET seal = ?2 WHERE size = ?1",
            params![number(kept.size)?, kept.sealed(tx.keys(), before)],
        )?;
        before = kept.size;
    }
    Ok(())
}

/// A checkpoint as kept.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) size: u64,
    pub(super) signed_at: Timestamp,
    pub(super) note: String,
    /// Shows that a program with the keys kept it, when, and after which other one.
    pub(super) seal: Option<Vec<u8>>,
}

impl Kept {
    /// The seal of a checkpoint that is kept next after one of `before` events.
    pub(super) fn sealed(&self, keys: &Keys, before: u64) -> Hash {
        let mut bytes = b"luodi checkpoint 1".to_vec();
        for number in [before, self.size] {
            bytes.extend(number.to_be_bytes());
        }
        bytes.extend(self.signed_at.as_millisecond().to_be_bytes());
        bytes.extend(self.note.as_bytes());
        // What it is stands in the bytes.
        keys.log_word(&[&trail::leaf(&bytes)])
    }

    /// Opens the note, which must be the log's and of the size it is kept under.
    pub(super) fn open(&self, log: &Verifier) -> Result<Checkpoint, NoteError> {
        let checkpoint = Checkpoint::open(&Note::parse(&self.note)?, log)?;
        if checkpoint.size == self.size {
            Ok(checkpoint)
        } else {
            Err(NoteError::Malformed("it is of another size"))
        }
    }
}

/// The checkpoints that are kept, the smallest first, with their seals where the tables have them.
pub(super) fn checkpoints(q: &dyn Query, sealed: bool) -> Result<Vec<Kept>, StoreError> {
    kept(q, sealed, "ORDER BY size")
}

/// The last checkpoint, without its seal: a backup may be of the time before seals.
pub(super) fn latest(q: &dyn Query) -> Result<Option<Kept>, StoreError> {
    Ok(kept(q, false, "ORDER BY size DESC LIMIT 1")?.pop())
}

fn kept(q: &dyn Query, sealed: bool, which: &str) -> Result<Vec<Kept>, StoreError> {
    let seal = if sealed { "seal" } else { "NULL" };
    let sql = format!("SELECT size, signed_at, note, {seal} FROM audit_checkpoint {which}");
    q.rows(&sql, params![], |row| {
        Ok(Kept {
            size: count(row.get(0)?),
            signed_at: row.get(1)?,
            note: row.get(2)?,
            seal: row.get(3)?,
        })
    })
}

/// The last checkpoint as a signed note.
///
/// # Errors
/// [`StoreError::Log`] where nothing was signed yet.
pub fn last_checkpoint(q: &dyn Query) -> Result<String, StoreError> {
    Ok(latest(q)?
        .ok_or_else(|| StoreError::Log("还没有检查点".to_owned()))?
        .note)
}

/// Whether the stored tree, of this size and root, grew from one that was.
pub(super) fn grew(
    q: &dyn Query,
    old: (u64, &Hash),
    new: (u64, &Hash),
) -> Result<bool, StoreError> {
    let proof = trail::consistency(&Stored(q), old.0, new.0)?;
    Ok(proof.is_some_and(|proof| trail::consistent(old, new, &proof)))
}

/// Why the log did not grow from a checkpoint that was kept elsewhere, in Chinese; none where it did.
///
/// # Errors
/// [`StoreError::Log`] where there is no checkpoint or the tree cannot be read.
pub fn grew_from(q: &dyn Query, kept: &Note) -> Result<Option<String>, StoreError> {
    let head = head(q)?.ok_or_else(|| StoreError::Log("日志的表头被删除".to_owned()))?;
    let log = signer(q.keys(), &head.origin)?.verifier();
    let Ok(old) = Checkpoint::open(kept, &log) else {
        return Ok(Some("里面的检查点不是这个日志签的".to_owned()));
    };
    if old.size > head.size {
        let (old, size) = (old.size, head.size);
        return Ok(Some(format!(
            "里面的检查点有 {old} 个事件，日志现在只有 {size} 个：末尾被截去，或换成了旧的副本"
        )));
    }
    let root = trail::root(&Stored(q), head.size)?;
    let grew = grew(q, (old.size, &old.root), (head.size, &root))?;
    Ok((!grew).then(|| "日志不是从里面的检查点长出来的：换成了另一段历史".to_owned()))
}

/// The last checkpoint as one asks a witness to sign it (C2SP `tlog-witness`): the size it has seen,
/// the hashes that show how the log grew from there, the checkpoint. None where the log is smaller.
///
/// # Errors
/// [`StoreError::Log`] where the tree cannot be read.
pub fn since(q: &dyn Query, seen: u64) -> Result<Option<String>, StoreError> {
    let note = last_checkpoint(q)?;
    let size = latest(q)?.map_or(0, |kept| kept.size);
    let Some(proof) = trail::consistency(&Stored(q), seen, size)? else {
        return Ok(None);
    };
    let hashes: String = proof.iter().map(|hash| base64(hash) + "\n").collect();
    Ok(Some(format!("old {seen}\n{hashes}\n{note}")))
}
