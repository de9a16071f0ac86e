//! Numbers committed events: each becomes a leaf of the tree, and the new root is signed.
//!
//! A command leaves its events in `audit_pending`. Of two commands that change the same row the
//! later one waits for the earlier, and takes its place behind it, so that in the order of places
//! the last event that names a row is the one whose state the row has.

use jiff::Timestamp;
use trail::{Appender, Hash};
use uuid::Uuid;

use super::mark::Mark;
use super::seal;
use super::standing::{Standing, standing};
use super::tree::{self, Head, Stored};
use crate::store::read::Query;
use crate::store::session::Session;
use crate::store::tx::Tx;
use crate::store::value::Value;
use crate::store::{StoreError, params};

/// Events looked at in one command at most.
const AT_ONCE: usize = 2_048;
/// Rows written or removed by one statement.
const ROWS: usize = 128;

/// Puts an event among those that wait for their number.
pub(super) fn wait(tx: &Tx<'_>, event: Uuid, leaf: &Hash) -> Result<(), StoreError> {
    let sql = match tx.session() {
        // A place that somebody took at the very end would make this engine take any.
        Session::Sqlite(_) => {
            "INSERT INTO audit_pending (place, event_id, leaf, seal) VALUES ((SELECT \
             COALESCE(MAX(place), 0) + 1 FROM audit_pending WHERE place < 4611686018427387904), \
             ?1, ?2, ?3)"
        }
        Session::Postgres(_) => {
            "INSERT INTO audit_pending (event_id, leaf, seal) VALUES (?1, ?2, ?3)"
        }
    };
    let seal = seal::waits(tx.keys(), leaf, event);
    tx.execute(sql, params![event, *leaf, seal]).map(drop)
}

/// An event that waits.
struct Waiting {
    place: i64,
    event: Uuid,
    leaf: Hash,
}

/// What stands among those that wait and is none of them.
struct Foreign {
    place: i64,
    event: Vec<u8>,
    leaf: Option<Vec<u8>>,
    seal: Option<Vec<u8>>,
}

/// What one command of the numbering did.
pub(in crate::store) enum Round {
    /// Another server is at it.
    Busy,
    /// The log cannot be carried on: why, in Chinese. Nothing was changed.
    Broken(String),
    /// Some got their numbers.
    Went {
        /// How many.
        numbered: usize,
        /// Whether it may have left some.
        more: bool,
        /// The log as it was signed.
        signed: Option<Mark>,
    },
}

/// How the log stands, and whether any event waits for its number.
///
/// # Errors
/// [`StoreError::Log`] where it cannot be carried on; what the engine reports.
pub(in crate::store) fn look(
    q: &dyn Query,
    mark: Option<&Mark>,
) -> Result<(Option<Mark>, bool), StoreError> {
    let head = tree::head(q)?.ok_or_else(no_head)?;
    let signed = match standing(q, &head, mark)? {
        Standing::Sound(signed) => signed,
        Standing::Broken(why) => return Err(StoreError::Log(why)),
    };
    let sql = "SELECT 1 FROM audit_pending LIMIT 1";
    let waits = q.row_opt(sql, params![], |row| row.get::<i64>(0))?;
    Ok((signed, waits.is_some()))
}

fn no_head() -> StoreError {
    StoreError::Log("日志的表头被删除".to_owned())
}

/// Numbers some of the events that wait, and signs, where the log is the one that was signed last
/// and the one the key folder remembers.
pub(in crate::store) fn sequence(tx: &Tx<'_>, mark: Option<&Mark>) -> Result<Round, StoreError> {
    let Some(mut head) = hold(tx)? else {
        return Ok(match tree::head(tx)? {
            Some(_) => Round::Busy,
            None => Round::Broken(no_head().to_string()),
        });
    };
    if let Standing::Broken(why) = standing(tx, &head, mark)? {
        return Ok(Round::Broken(why));
    }
    let (waiting, foreign) = next(tx)?;
    let more = waiting.len() + foreign.len() >= AT_ONCE;
    set_aside(tx, &foreign)?;
    if waiting.is_empty() {
        return Ok(Round::Went {
            numbered: 0,
            more,
            signed: None,
        });
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
    forget(tx, waiting.iter().map(|one| one.place))?;
    head.size = appender.size();
    tx.execute(
        "UPDATE audit_head SET size = ?1, origin = ?2",
        params![tree::number(head.size)?, &head.origin],
    )?;
    let root = trail::root(&stored, head.size)?;
    tree::sign(tx, &head, root)?;
    Ok(Round::Went {
        numbered: waiting.len(),
        more,
        signed: Some(Mark {
            origin: head.origin,
            size: head.size,
            root,
        }),
    })
}

/// Holds the head until the command ends; none while another server holds it.
fn hold(tx: &Tx<'_>) -> Result<Option<Head>, StoreError> {
    let sql = format!(
        "SELECT size, origin FROM audit_head{}",
        tx.session().claiming()
    );
    tx.row_opt(&sql, params![], |row| {
        Ok(Head {
            size: tree::count(row.get(0)?),
            origin: row.get(1)?,
        })
    })
}

/// The next events to be numbered, and what no program with the keys put there or has its number
/// already.
fn next(tx: &Tx<'_>) -> Result<(Vec<Waiting>, Vec<Foreign>), StoreError> {
    let sql = "SELECT p.place, p.event_id, p.leaf, p.seal, l.number FROM audit_pending p \
               LEFT JOIN audit_leaf l ON l.event_id = p.event_id ORDER BY p.place LIMIT ?1";
    let limit = i64::try_from(AT_ONCE).unwrap_or(i64::MAX);
    let (mut waiting, mut foreign) = (Vec::new(), Vec::new());
    tx.each(sql, &params![limit], &mut |row| {
        let one = Foreign {
            place: row.get(0)?,
            event: row.get(1)?,
            leaf: row.get(2)?,
            seal: row.get(3)?,
        };
        let numbered = row.get::<Option<i64>>(4)?.is_some();
        match seal::opened(
            tx.keys(),
            &one.event,
            one.leaf.as_deref(),
            one.seal.as_deref(),
        ) {
            Some((event, leaf)) if !numbered => waiting.push(Waiting {
                place: one.place,
                event,
                leaf,
            }),
            _ => foreign.push(one),
        }
        Ok(())
    })?;
    Ok((waiting, foreign))
}

/// Takes out of the way what is no event that waits: `audit verify` names it.
fn set_aside(tx: &Tx<'_>, foreign: &[Foreign]) -> Result<(), StoreError> {
    for one in foreign {
        let event = Uuid::from_slice(&one.event).unwrap_or_default();
        tracing::error!(%event, "among the events that wait for their number stands one that this program did not put there: {event}");
        tx.execute(
            "INSERT INTO audit_refused (id, event_id, leaf, seal, refused_at) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                tx.new_id(),
                one.event.as_slice(),
                one.leaf.as_deref(),
                one.seal.as_deref(),
                tx.now()
            ],
        )?;
    }
    forget(tx, foreign.iter().map(|one| one.place))
}

/// Writes the numbers from `first` on.
fn number(tx: &Tx<'_>, waiting: &[Waiting], first: u64) -> Result<(), StoreError> {
    let mut number = tree::number(first)?;
    for part in waiting.chunks(ROWS) {
        let mut values: Vec<Value> = Vec::with_capacity(part.len() * 3);
        for one in part {
            let seal = seal::numbered(tx.keys(), number, &one.leaf);
            values.extend([number.into(), one.event.into(), seal.into()]);
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

/// Takes these from those that wait: by name, for on a server one with a lower place may be
/// committed meanwhile.
fn forget(tx: &Tx<'_>, places: impl Iterator<Item = i64>) -> Result<(), StoreError> {
    let values: Vec<Value> = places.map(Into::into).collect();
    for part in values.chunks(ROWS) {
        let places: Vec<String> = (1..=part.len()).map(|n| format!("?{n}")).collect();
        let sql = format!(
            "DELETE FROM audit_pending WHERE place IN ({})",
            places.join(", ")
        );
        tx.execute(&sql, part)?;
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
