//! The seals of the log key over single events: that one waits for its number, and which number it
//! got. Each says what it is, so that none can stand for the other.
//!
//! Of the time before, when both were over the event's hash alone, seals of numbers are still known:
//! they only help to name an event, the signed root says where it stands. Seals of events that wait
//! were made anew at the upgrade ([`renew`]).

use subtle::ConstantTimeEq;
use trail::Hash;
use uuid::Uuid;

use super::record::{Record, columns_of};
use crate::store::keys::Keys;
use crate::store::session::Session;
use crate::store::{StoreError, params};

/// That an event waits for its number.
pub(super) fn waits(keys: &Keys, leaf: &Hash, event: Uuid) -> [u8; 32] {
    keys.log_word(&[b"waits", leaf, event.as_bytes()])
}

/// That an event has this number.
pub(super) fn numbered(keys: &Keys, number: i64, leaf: &Hash) -> [u8; 32] {
    keys.log_word(&[b"number", &number.to_be_bytes(), leaf])
}

/// The seal of before, over either.
fn before(keys: &Keys, leaf: &Hash) -> [u8; 32] {
    keys.log_word(&[leaf])
}

fn same(wanted: &[u8; 32], seal: &[u8]) -> bool {
    wanted.ct_eq(seal).into()
}

/// Whether this seals the number of an event.
pub(super) fn is_numbered(keys: &Keys, number: i64, leaf: &Hash, seal: &[u8]) -> bool {
    same(&numbered(keys, number, leaf), seal) || same(&before(keys, leaf), seal)
}

/// The event that waits and its leaf, where the keys sealed it.
pub(super) fn opened(
    keys: &Keys,
    event: &[u8],
    leaf: Option<&[u8]>,
    seal: Option<&[u8]>,
) -> Option<(Uuid, Hash)> {
    let (event, leaf) = (Uuid::from_slice(event).ok()?, Hash::try_from(leaf?).ok()?);
    same(&waits(keys, &leaf, event), seal?).then_some((event, leaf))
}

/// As [`opened`], in the form of before where the tables are so old; gives the leaf.
pub(super) fn opened_as(
    keys: &Keys,
    old: bool,
    (event, leaf, seal): (&[u8], Option<&[u8]>, Option<&[u8]>),
) -> Option<Hash> {
    if !old {
        return opened(keys, event, leaf, seal).map(|(_, leaf)| leaf);
    }
    let leaf = Hash::try_from(leaf?).ok()?;
    same(&before(keys, &leaf), seal?).then_some(leaf)
}

/// Events made anew by one turn of [`renew`].
const AT_ONCE: i64 = 1_000;

/// Seals anew the events that wait, within the migration that gave them the new form: those that the
/// keys had sealed, and, where the log has no tree yet, those of the time before it.
///
/// # Errors
/// [`StoreError::Keys`] where events wait and there are no keys; what the engine reports.
pub(in crate::store) fn renew(
    session: Session<'_>,
    keys: Option<&Keys>,
    treeless: bool,
) -> Result<(), StoreError> {
    let columns = columns_of("e");
    let sql = format!(
        "SELECT p.place, p.leaf, p.seal, {columns} FROM audit_pending p \
         JOIN audit_event e ON e.id = p.event_id WHERE p.place > ?1 ORDER BY p.place LIMIT ?2"
    );
    let mut after = i64::MIN;
    loop {
        let mut page = Vec::new();
        session.query(&sql, &params![after, AT_ONCE], &mut |row| {
            let (leaf, seal) = (row.get(1)?, row.get(2)?);
            page.push((row.get::<i64>(0)?, leaf, seal, Record::read(row, 3)?));
            Ok(())
        })?;
        let Some((last, ..)) = page.last() else {
            return Ok(());
        };
        after = *last;
        let missing = || StoreError::Keys("升级要重新封印等待编号的事件，缺少密钥".into());
        let keys = keys.ok_or_else(missing)?;
        for (place, leaf, seal, record) in page {
            renew_one(session, keys, treeless, (place, leaf, seal), &record)?;
        }
    }
}

fn renew_one(
    session: Session<'_>,
    keys: &Keys,
    treeless: bool,
    (place, leaf, seal): (i64, Option<Vec<u8>>, Option<Vec<u8>>),
    record: &Record,
) -> Result<(), StoreError> {
    let own = record.leaf();
    let good = match (leaf, seal) {
        (None, None) => treeless,
        (Some(leaf), Some(seal)) => leaf == own && same(&before(keys, &own), &seal),
        _ => false,
    };
    if !good {
        return Ok(());
    }
    let sql = "UPDATE audit_pending SET leaf = ?2, seal = ?3 WHERE place = ?1";
    let seal = waits(keys, &own, record.id);
    session.execute(sql, &params![place, own, seal]).map(drop)
}

/// Whether the log has no tree yet: nothing has a number, and nothing was signed.
///
/// # Errors
/// What the engine reports.
pub(in crate::store) fn is_treeless(session: Session<'_>) -> Result<bool, StoreError> {
    let mut any = false;
    let sql = "SELECT 1 FROM audit_leaf UNION ALL SELECT 1 FROM audit_checkpoint \
               UNION ALL SELECT 1 FROM audit_head WHERE size <> 0 LIMIT 1";
    session.query(sql, &[], &mut |_| {
        any = true;
        Ok(())
    })?;
    Ok(!any)
}
