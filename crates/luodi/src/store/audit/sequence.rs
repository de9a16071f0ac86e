//! Numbers committed events: each becomes a leaf of the tree, and the new root is signed.
//!
//! A command leaves its events in `audit_pending`. Of two commands that change the same row the
//! later one waits for the earlier, and takes its place behind it, so that in the order of places
//! the last event that names a row is the one whose state the row has.

use jiff::Timestamp;
use subtle::ConstantTimeEq;
use trail::{Appender, Hash};
use uuid::Uuid;

use super::record::{Record, columns_of};
use super::tree::{self, Head, Stored};
use crate::store::read::Query;
use crate::store::tx::Tx;
use crate::store::value::Value;
use crate::store::{StoreError, params};

/// Events numbered in one command at most.
const AT_ONCE: usize = 2_048;
/// Rows written or removed by one statement.
const ROWS: usize = 128;

/// Puts an event among those that wait for their number.
pub(super) fn wait(tx: &Tx<'_>, event: Uuid, leaf: &Hash) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO audit_pending (event_id, leaf, mac) VALUES (?1, ?2, ?3)",
        params![event, *leaf, tx.keys().log_mac(leaf)],
    )
    .map(drop)
}

/// An event that waits.
struct Waiting {
    place: i64,
    event: Uuid,
    leaf: Hash,
    mac: [u8; 32],
}

/// Whether any event waits for its number.
pub(in crate::store) fn any_waiting(q: &dyn Query) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM audit_pending ORDER BY place LIMIT 1";
    Ok(q.row_opt(sql, params![], |row| row.get::<i64>(0))?
        .is_some())
}

/// Numbers some of the events that wait and says how many; where it is as many as it takes at once,
/// more may wait. Where another server is at it, it leaves it to that one.
pub(in crate::store) fn sequence(tx: &Tx<'_>) -> Result<usize, StoreError> {
    let Some(mut head) = hold(tx)? else {
        return Ok(0);
    };
    let adopting = tree::latest(tx)?.is_none();
    let waiting = next(tx, adopting)?;
    if waiting.is_empty() {
        return Ok(0);
    }
    if head.origin.is_empty() {
        head.origin = format!("luodi/{}", tx.new_id());
    }
    let stored = Stored(tx);
    let mut appender = Appender::at(&stored, head.size)?;
    for one in &waiting {
        appender.push(one.leaf);
    }
    number(tx, &waiting, head.size)?;
    for (id, tile) in appender.changed() {
        tree::keep(tx, id, tile)?;
    }
    forget(tx, &waiting)?;
    head.size = appender.size();
    tx.execute(
        "UPDATE audit_head SET size = ?1, origin = ?2",
        params![tree::number(head.size)?, &head.origin],
    )?;
    // Nothing is signed before the events of the time before the tree are all in it.
    if !(adopting && more_unsealed(tx)?) {
        let root = trail::root(&stored, head.size)?;
        tree::sign(tx, &head, root)?;
    }
    Ok(waiting.len())
}

/// Whether [`sequence`] may have left some.
pub(in crate::store) fn was_full(numbered: usize) -> bool {
    numbered >= AT_ONCE
}

/// Holds the head until the command ends; none while another server holds it.
fn hold(tx: &Tx<'_>) -> Result<Option<Head>, StoreError> {
    let sql = format!(
        "SELECT size, origin FROM audit_head{}",
        tx.session().claiming()
    );
    tx.row_opt(&sql, params![], |row| {
        Ok(Head {
            size: row.get(0)?,
            origin: row.get(1)?,
        })
    })
}

fn more_unsealed(q: &dyn Query) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM audit_pending WHERE leaf IS NULL LIMIT 1";
    Ok(q.row_opt(sql, params![], |row| row.get::<i64>(0))?
        .is_some())
}

/// The next events to be numbered. What no program with the keys wrote stays where it is, and
/// `audit verify` names it; only before the first checkpoint, events without a seal are those of
/// the time before the tree.
fn next(tx: &Tx<'_>, adopting: bool) -> Result<Vec<Waiting>, StoreError> {
    let mut after = i64::MIN;
    loop {
        let (found, last) = page(tx, after, adopting)?;
        match last {
            Some(last) if found.is_empty() => after = last,
            _ => return Ok(found),
        }
    }
}

/// The good ones among the next that wait, and the place of the last one looked at.
fn page(
    tx: &Tx<'_>,
    after: i64,
    adopting: bool,
) -> Result<(Vec<Waiting>, Option<i64>), StoreError> {
    let sql = "SELECT place, event_id, leaf, mac FROM audit_pending WHERE place > ?1 \
               ORDER BY place LIMIT ?2";
    let limit = i64::try_from(AT_ONCE).unwrap_or(i64::MAX);
    let rows = tx.rows(sql, params![after, limit], |row| {
        Ok((
            row.get::<i64>(0)?,
            row.get::<Uuid>(1)?,
            row.get::<Option<Vec<u8>>>(2)?,
            row.get::<Option<Vec<u8>>>(3)?,
        ))
    })?;
    let last = rows.last().map(|row| row.0);
    let mut found = Vec::with_capacity(rows.len());
    for (place, event, leaf, mac) in rows {
        let leaf = match leaf {
            None if adopting => record(tx, event)?.map(|record| record.leaf()),
            None => None,
            Some(leaf) => sealed(tx, &leaf, mac.as_deref()),
        };
        match leaf {
            Some(leaf) => found.push(Waiting {
                place,
                event,
                leaf,
                mac: tx.keys().log_mac(&leaf),
            }),
            None => {
                tracing::error!(%event, "the log holds an event that this program did not write")
            }
        }
    }
    Ok((found, last))
}

/// The leaf, where the keys sealed it.
fn sealed(tx: &Tx<'_>, leaf: &[u8], mac: Option<&[u8]>) -> Option<Hash> {
    let leaf: Hash = leaf.try_into().ok()?;
    let fits: bool = tx.keys().log_mac(&leaf).ct_eq(mac?).into();
    fits.then_some(leaf)
}

/// A written event.
pub(super) fn record(q: &dyn Query, event: Uuid) -> Result<Option<Record>, StoreError> {
    let columns = columns_of("e");
    let sql = format!("SELECT {columns} FROM audit_event e WHERE e.id = ?1");
    q.row_opt(&sql, params![event], |row| Record::read(row, 0))
}

/// Writes the numbers from `first` on.
fn number(tx: &Tx<'_>, waiting: &[Waiting], first: u64) -> Result<(), StoreError> {
    let mut number = tree::number(first)?;
    for part in waiting.chunks(ROWS) {
        let mut values: Vec<Value> = Vec::with_capacity(part.len() * 3);
        for one in part {
            values.extend([number.into(), one.event.into(), one.mac.into()]);
            number += 1;
        }
        let places: Vec<String> = (0..part.len())
            .map(|row| format!("(?{}, ?{}, ?{})", row * 3 + 1, row * 3 + 2, row * 3 + 3))
            .collect();
        let sql = format!(
            "INSERT INTO audit_leaf (number, event_id, mac) VALUES {}",
            places.join(", ")
        );
        tx.execute(&sql, values)?;
    }
    Ok(())
}

/// Takes the numbered ones from those that wait: by name, for on a server one with a lower place
/// may be committed meanwhile.
fn forget(tx: &Tx<'_>, waiting: &[Waiting]) -> Result<(), StoreError> {
    for part in waiting.chunks(ROWS) {
        let places: Vec<String> = (1..=part.len()).map(|n| format!("?{n}")).collect();
        let values: Vec<Value> = part.iter().map(|one| one.place.into()).collect();
        let sql = format!(
            "DELETE FROM audit_pending WHERE place IN ({})",
            places.join(", ")
        );
        tx.execute(&sql, values)?;
    }
    Ok(())
}

/// How the log stands.
#[derive(Clone, Debug)]
pub struct LogState {
    /// Events that have a number.
    pub numbered: u64,
    /// Events that wait for one.
    pub waiting: u64,
    /// When the last checkpoint was signed.
    pub signed_at: Option<Timestamp>,
}

/// How the log stands.
///
/// # Errors
/// What the engine reports.
pub fn log_state(q: &dyn Query) -> Result<LogState, StoreError> {
    Ok(LogState {
        numbered: tree::head(q)?.map_or(0, |head| head.size),
        waiting: q.row("SELECT COUNT(*) FROM audit_pending", params![], |row| {
            row.get(0)
        })?,
        signed_at: tree::latest(q)?.map(|kept| kept.signed_at),
    })
}
