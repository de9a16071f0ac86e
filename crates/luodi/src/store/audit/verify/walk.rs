//! Reads all numbered events, makes their tree anew and learns which event names each row last.
//!
//! One thread reads; another hashes and remembers.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::ops::Range;
use std::sync::mpsc::{Receiver, sync_channel};

use serde::Deserialize;
use trail::{Appender, Frontier, Hash, TILE, Tile, TileId};
use uuid::Uuid;

use super::{Findings, id_or_nil};
use crate::store::audit::bound::is_together;
use crate::store::audit::record::{append, columns_of};
use crate::store::audit::seal;
use crate::store::audit::tree::{count, latest, number};
use crate::store::keys::Keys;
use crate::store::read::Query;
use crate::store::{StoreError, params};

/// Leaves read at once: whole tiles.
const AT_ONCE: u64 = 16 * TILE as u64;
/// Batches that may wait for the second thread.
const AHEAD: usize = 4;
/// Leaves remembered that do not fit.
const REMEMBERED: usize = 1_000;

/// An event's list of rows, as far as needed.
#[derive(Deserialize)]
pub(in crate::store::audit) struct Named<'a> {
    pub(in crate::store::audit) table: &'a str,
    pub(in crate::store::audit) id: Uuid,
    pub(in crate::store::audit) digest: Option<&'a str>,
}

/// The event that names a row last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Last {
    /// Number of the event; those that wait count on.
    pub(super) number: u64,
    /// Short hash of event and digest, by a key of this run.
    pub(super) check: u64,
    /// The row was met.
    pub(super) met: bool,
}

/// A leaf that does not fit what is kept of it.
#[derive(Debug)]
struct Odd {
    number: u64,
    event: Uuid,
    missing: bool,
    seal_fits: bool,
    tile_fits: bool,
}

/// What was learned from all numbered events.
pub(super) struct Walked {
    /// How many there are.
    pub(super) size: u64,
    /// How many of them have a written event.
    pub(super) present: u64,
    /// Root over them.
    pub(super) root: Hash,
    /// Roots over the first so many, where asked for.
    pub(super) roots: HashMap<u64, Hash>,
    /// The last event of each row, by a short hash of table and id.
    pub(super) last: HashMap<u64, Last>,
    /// The events that wait for their number, which count on.
    pub(super) waiting: Vec<Uuid>,
    odd: Vec<Odd>,
    gaps: Vec<u64>,
    upper: BTreeMap<TileId, Tile>,
    hasher: RandomState,
}

impl Walked {
    /// Short hash of a row's name.
    pub(super) fn key(&self, table: &str, id: Uuid) -> u64 {
        self.hasher.hash_one((table, id.as_bytes()))
    }

    /// Short hash of what an event says of a row.
    pub(super) fn check(&self, event: Option<Uuid>, digest: &str) -> u64 {
        self.hasher.hash_one((event, digest))
    }

    /// Learns the rows an event names.
    pub(super) fn mention(&mut self, number: u64, event: Uuid, rows: &str) {
        // What cannot be read is not what was written, and the leaf tells so.
        let named: Vec<Named<'_>> = serde_json::from_str(rows).unwrap_or_default();
        for Named { table, id, digest } in named {
            let Some(digest) = digest else { continue };
            let together = is_together(table);
            let key = self.key(table, id);
            let check = self.check((!together).then_some(event), digest);
            let last = Last {
                number,
                check,
                met: false,
            };
            self.last.insert(key, last);
        }
    }

    /// Whether there is an event to be named that was altered.
    pub(super) fn names_any(&self) -> bool {
        !self.gaps.is_empty() || self.odd.iter().any(|odd| odd.missing || !odd.seal_fits)
    }

    /// Tells which events, numbers and tiles do not fit. Where the signed root does, the events are
    /// as they were, and what is kept beside them is not.
    pub(super) fn tell(
        &self,
        q: &dyn Query,
        sound: bool,
        findings: &mut Findings,
    ) -> Result<(), StoreError> {
        for gap in &self.gaps {
            findings.log("audit_leaf", format!("第 {gap} 号事件的编号被删除。"));
        }
        for odd in &self.odd {
            let which = (Some(odd.number), odd.event);
            match (sound, odd.missing, odd.seal_fits) {
                (_, true, _) => findings.event(which, "事件被删除。"),
                (false, _, false) => findings.event(which, "事件被改动。"),
                (true, _, false) => {
                    findings.log(
                        "audit_leaf",
                        format!("第 {} 号事件的封印被改动。", odd.number),
                    );
                }
                _ => {}
            }
            if !odd.missing && odd.seal_fits && !odd.tile_fits {
                let tile = odd.number / TILE as u64;
                findings.log(
                    "audit_tile",
                    format!(
                        "第 {} 号事件的散列（第 0 层第 {tile} 块）被改动。",
                        odd.number
                    ),
                );
            }
        }
        self.tell_tiles(q, findings)
    }

    fn tell_tiles(&self, q: &dyn Query, findings: &mut Findings) -> Result<(), StoreError> {
        let mut kept: BTreeMap<TileId, Vec<u8>> = BTreeMap::new();
        let sql = "SELECT level, place, hashes FROM audit_tile WHERE level <> 0";
        q.each(sql, &[], &mut |row| {
            let level = u32::try_from(row.get::<i64>(0)?).unwrap_or(u32::MAX);
            let index = count(row.get(1)?);
            let id = TileId { level, index };
            kept.insert(id, row.get(2)?);
            Ok(())
        })?;
        // Events that do not fit make other tiles; only where they fit is a tile itself wrong.
        if self.names_any() {
            return Ok(());
        }
        for (id, tile) in &self.upper {
            if kept.remove(id).as_deref() != Some(&tile.to_bytes()) {
                let (level, place) = (id.level, id.index);
                findings.log(
                    "audit_tile",
                    format!("日志树第 {level} 层第 {place} 块被改动或删除。"),
                );
            }
        }
        if let Some(id) = kept.keys().next() {
            let (level, place) = (id.level, id.index);
            findings.log(
                "audit_tile",
                format!("日志树第 {level} 层第 {place} 块是多余的。"),
            );
        }
        Ok(())
    }
}

/// Some leaves in a row, as read.
struct Batch {
    first: u64,
    bytes: Vec<u8>,
    leaves: Vec<Leaf>,
    tiles: Vec<(u64, Tile)>,
}

struct Leaf {
    number: u64,
    event: Uuid,
    mac: Vec<u8>,
    /// The id of the written event; none where there is none.
    written: Option<Uuid>,
    /// Where its bytes end.
    end: usize,
    rows: Range<usize>,
}

/// Reads all numbered events. `marks` are the sizes at which a root is wanted, ascending.
pub(super) fn walk(q: &dyn Query, marks: &[u64]) -> Result<Walked, StoreError> {
    let size = size(q)?;
    let (send, batches) = sync_channel(AHEAD);
    let keys = q.keys().clone();
    let marks = marks.to_vec();
    std::thread::scope(|scope| {
        let worker = scope.spawn(move || Worker::new(&keys, marks).run(&batches));
        let mut first = 0;
        let mut read = Ok(());
        while first < size && read.is_ok() {
            read = batch(q, first).map(|batch| {
                // A worker that is gone has panicked, which shows below.
                let _ = send.send(batch);
            });
            first += AT_ONCE;
        }
        drop(send);
        let walked = worker
            .join()
            .map_err(|panic| crate::store::task::panicked("verify", panic.as_ref()))?;
        read.map(|()| walked)
    })
}

/// How far there are numbers; one far beyond their count is none.
fn size(q: &dyn Query) -> Result<u64, StoreError> {
    let sql = "SELECT COUNT(*), MAX(number) FROM audit_leaf";
    let (numbers, last) = q.row(sql, params![], |row| {
        Ok((row.get::<u64>(0)?, row.get::<Option<i64>>(1)?))
    })?;
    let signed = latest(q)?.map_or(0, |kept| kept.size);
    let end = last.map_or(0, |last| count(last).saturating_add(1));
    Ok(end.min(numbers.max(signed.min(numbers.saturating_mul(2)))))
}

fn batch(q: &dyn Query, first: u64) -> Result<Batch, StoreError> {
    let end = first + AT_ONCE;
    let mut batch = Batch {
        first,
        bytes: Vec::with_capacity(2 << 20),
        leaves: Vec::with_capacity(AT_ONCE as usize),
        tiles: Vec::new(),
    };
    let columns = columns_of("e");
    let sql = format!(
        "SELECT l.number, l.event_id, l.mac, {columns} FROM audit_leaf l \
         LEFT JOIN audit_event e ON e.id = l.event_id \
         WHERE l.number >= ?1 AND l.number < ?2 ORDER BY l.number"
    );
    let Batch { bytes, leaves, .. } = &mut batch;
    q.each(&sql, &params![number(first)?, number(end)?], &mut |row| {
        let (written, rows) = append(bytes, row, 3)?;
        leaves.push(Leaf {
            number: row.get(0)?,
            event: id_or_nil(&row.get::<Vec<u8>>(1)?),
            mac: row.get(2)?,
            written,
            end: bytes.len(),
            rows,
        });
        Ok(())
    })?;
    let sql = "SELECT place, hashes FROM audit_tile WHERE level = 0 AND place >= ?1 AND place < ?2";
    let places = params![number(first / TILE as u64)?, number(end / TILE as u64)?];
    batch.tiles = q.rows(sql, places, |row| {
        let tile = Tile::from_bytes(&row.get::<Vec<u8>>(1)?).unwrap_or_default();
        Ok((row.get(0)?, tile))
    })?;
    Ok(batch)
}

struct Worker<'k> {
    keys: &'k Keys,
    walked: Walked,
    appender: Appender,
    frontier: Frontier,
    marks: Vec<u64>,
}

impl<'k> Worker<'k> {
    fn new(keys: &'k Keys, mut marks: Vec<u64>) -> Self {
        marks.reverse();
        let mut worker = Self {
            keys,
            walked: Walked {
                size: 0,
                present: 0,
                root: Hash::default(),
                roots: HashMap::new(),
                last: HashMap::new(),
                waiting: Vec::new(),
                odd: Vec::new(),
                gaps: Vec::new(),
                upper: BTreeMap::new(),
                hasher: RandomState::new(),
            },
            appender: Appender::default(),
            frontier: Frontier::default(),
            marks,
        };
        worker.mark();
        worker
    }

    fn run(mut self, batches: &Receiver<Batch>) -> Walked {
        for batch in batches {
            self.take(&batch);
            let finished = self.appender.finished();
            let upper = finished.into_iter().filter(|(id, _)| id.level > 0);
            self.walked.upper.extend(upper);
        }
        let edge = self.appender.changed().filter(|(id, _)| id.level > 0);
        self.walked
            .upper
            .extend(edge.map(|(id, tile)| (id, tile.clone())));
        self.walked.size = self.frontier.size();
        self.walked.root = self.frontier.root();
        self.walked
    }

    fn take(&mut self, batch: &Batch) {
        let tiles: HashMap<u64, &Tile> = batch
            .tiles
            .iter()
            .map(|(place, tile)| (*place, tile))
            .collect();
        let (mut start, mut next) = (0, batch.first);
        for leaf in &batch.leaves {
            // A number that is gone leaves a place in the tree.
            for gap in next..leaf.number {
                if self.walked.gaps.len() < REMEMBERED {
                    self.walked.gaps.push(gap);
                }
                self.push(Hash::default());
            }
            next = leaf.number + 1;
            let content = batch.bytes.get(start..leaf.end).unwrap_or_default();
            start = leaf.end;
            let hash = trail::leaf(content);
            let missing = leaf.written.is_none();
            self.walked.present += u64::from(!missing);
            let place = i64::try_from(leaf.number).unwrap_or(i64::MAX);
            let within = (leaf.number % TILE as u64) as usize;
            let kept = tiles
                .get(&(leaf.number / TILE as u64))
                .and_then(|tile| tile.0.get(within));
            let odd = Odd {
                number: leaf.number,
                event: leaf.event,
                missing,
                seal_fits: seal::is_numbered(self.keys, place, &hash, &leaf.mac),
                tile_fits: kept == Some(&hash),
            };
            if (missing || !odd.seal_fits || !odd.tile_fits) && self.walked.odd.len() < REMEMBERED {
                self.walked.odd.push(odd);
            }
            let rows = batch.bytes.get(leaf.rows.clone()).unwrap_or_default();
            let rows = std::str::from_utf8(rows).unwrap_or_default();
            self.walked.mention(leaf.number, leaf.event, rows);
            self.push(hash);
        }
    }

    fn push(&mut self, hash: Hash) {
        self.appender.push(hash);
        self.frontier.push(hash);
        self.mark();
    }

    /// Notes the root where one is wanted.
    fn mark(&mut self) {
        let size = self.frontier.size();
        while self.marks.last() == Some(&size) {
            self.marks.pop();
            self.walked.roots.insert(size, self.frontier.root());
        }
    }
}
