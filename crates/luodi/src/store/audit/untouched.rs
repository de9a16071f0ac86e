//! Compares single rows with the event that last wrote them, without recomputing the log: the event
//! must bear the seal of the keys, and name the row with the digest it has.
//!
//! So it finds a row that somebody changed, with or without an event made up for it. A row put back
//! to an older state together with its event of then, and a row that is gone, only `verify` finds.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::PoisonError;

use uuid::Uuid;

use super::bound::{Shape, Shapes, digest};
use super::rebind::further;
use super::record::{Record, columns_of};
use super::seal;
use super::verify::Named;
use crate::store::read::Query;
use crate::store::tx::Tx;
use crate::store::{Store, StoreError, params};

/// A row as it is met.
struct Met {
    id: Uuid,
    event: Option<Uuid>,
    digest: String,
}

/// Those that are not as their events say.
fn differing(q: &dyn Query, table: &str, rows: Vec<Met>) -> Result<Vec<Uuid>, StoreError> {
    let events: HashSet<Uuid> = rows.iter().filter_map(|row| row.event).collect();
    let events: Vec<Uuid> = events.into_iter().collect();
    let columns = columns_of("e");
    let sql = format!(
        "SELECT l.number, l.mac, p.leaf, p.seal, {columns} FROM audit_event e \
         LEFT JOIN audit_leaf l ON l.event_id = e.id \
         LEFT JOIN audit_pending p ON p.event_id = e.id WHERE e.id IN (#)"
    );
    let mut said: HashMap<(Uuid, Uuid), String> = HashMap::new();
    for (event, names) in q.rows_of(&sql, &events, |row| sealed_names(q, row, table))? {
        said.extend(names.into_iter().map(|(id, digest)| ((event, id), digest)));
    }
    let differs = |row: &Met| {
        let said = row.event.and_then(|event| said.get(&(event, row.id)));
        said != Some(&row.digest)
    };
    Ok(rows.into_iter().filter(differs).map(|row| row.id).collect())
}

/// The rows of a table that an event names with a digest; none where it does not bear the seal of
/// the keys.
fn sealed_names(
    q: &dyn Query,
    row: &crate::store::Row<'_>,
    table: &str,
) -> Result<(Uuid, Vec<(Uuid, String)>), StoreError> {
    let record = Record::read(row, 4)?;
    let leaf = record.leaf();
    let numbered = row
        .get::<Option<i64>>(0)?
        .zip(row.get::<Option<Vec<u8>>>(1)?);
    let waits = row
        .get::<Option<Vec<u8>>>(2)?
        .zip(row.get::<Option<Vec<u8>>>(3)?);
    let is_sealed = match (numbered, waits) {
        (Some((number, mac)), _) => seal::is_numbered(q.keys(), number, &leaf, &mac),
        (None, Some((kept, mac))) => {
            let id = record.id.as_bytes();
            let opened = seal::opened(q.keys(), id, Some(&kept), Some(&mac));
            opened == Some((record.id, leaf))
        }
        (None, None) => false,
    };
    let named: Vec<Named<'_>> = match is_sealed {
        true => serde_json::from_str(&record.rows).unwrap_or_default(),
        false => Vec::new(),
    };
    let of_table = named.into_iter().filter(|named| named.table == table);
    let names = of_table.filter_map(|named| Some((named.id, named.digest?.to_owned())));
    Ok((record.id, names.collect()))
}

/// The columns asked of a row, and how it is read.
fn met(shape: &Shape, row: &crate::store::Row<'_>) -> Result<Met, StoreError> {
    let width = shape.columns.len();
    let id: Vec<u8> = row.get(width)?;
    let event: Option<Vec<u8>> = row.get(width + 1)?;
    Ok(Met {
        id: Uuid::from_slice(&id).unwrap_or_default(),
        event: event.and_then(|event| Uuid::from_slice(&event).ok()),
        digest: digest(&shape.bytes(row)?),
    })
}

/// Clocks of two servers that are further apart do not go unnoticed.
const APART: u64 = 3_600_000;

/// The least id of the hour before another: ids begin with their milliseconds.
fn apart(id: Uuid) -> Uuid {
    let (millis, _) = id.as_u64_pair();
    let from = (millis >> 16).saturating_sub(APART);
    Uuid::from_u64_pair(from << 16, 0)
}

fn otherwise(table: &str) -> StoreError {
    StoreError::Statement(format!("the rows of {table} are bound in the other way"))
}

impl Tx<'_> {
    /// Those of some rows of a bound table that somebody changed behind the program's back, so that a
    /// command which relies on them can refuse before its event vouches for them. Two statements for
    /// each 500 rows. Of rows that an event of the command itself names it says nothing: they bear no
    /// digest before its end.
    ///
    /// # Errors
    /// [`StoreError::Statement`] where the table is not bound row by row; what the engine reports.
    pub fn touched(&self, table: &'static str, ids: &[Uuid]) -> Result<Vec<Uuid>, StoreError> {
        let shape = self.shapes().require(table)?;
        if shape.owner.is_some() {
            return Err(otherwise(table));
        }
        let columns = shape.columns.join(", ");
        let sql = format!("SELECT {columns}, id, last_event FROM {table} WHERE id IN (#)");
        let mut rows = self.rows_of(&sql, ids, |row| met(shape, row))?;
        rows.retain(|row| !self.names(table, row.id));
        differing(&**self, table, rows)
    }

    /// Whether the rows of a table that belong to one owner are other than the last event about the
    /// owner says that names them; or, where none about it does, the event of the upgrade that bound
    /// them. Rows that no event names are touched.
    ///
    /// # Errors
    /// As [`touched`](Self::touched), for a table whose rows are bound together.
    pub fn part_touched(
        &self,
        table: &'static str,
        (owner_table, owner): (&str, Uuid),
    ) -> Result<bool, StoreError> {
        self.part_touched_of(table, owner, (owner_table, owner))
    }

    /// As [`part_touched`](Self::part_touched), where the events that name the rows of an owner are
    /// about something else.
    ///
    /// # Errors
    /// As [`part_touched`](Self::part_touched).
    pub fn part_touched_of(
        &self,
        table: &'static str,
        owner: Uuid,
        about: (&str, Uuid),
    ) -> Result<bool, StoreError> {
        let shape = self.shapes().require(table)?;
        let by = shape.owner.ok_or_else(|| otherwise(table))?;
        if self.names(table, owner) {
            return Ok(false);
        }
        let named = crate::store::holding(&format!("\"id\":\"{owner}\",\"table\":\"{table}\""));
        let last = match self.last_naming(about, &named)? {
            None => self.last_naming((table, Uuid::nil()), &named)?,
            found => found,
        };
        let Some(event) = last else {
            return Ok(true);
        };
        let found = Met {
            id: owner,
            event: Some(event),
            digest: shape.of_owner(self, by, owner)?,
        };
        Ok(!differing(&**self, table, vec![found])?.is_empty())
    }

    /// The last event about something whose rows are like `named`.
    fn last_naming(
        &self,
        (subject_table, subject): (&str, Uuid),
        named: &str,
    ) -> Result<Option<Uuid>, StoreError> {
        let of_owner = "FROM audit_event e LEFT JOIN audit_leaf l ON l.event_id = e.id \
                        LEFT JOIN audit_pending p ON p.event_id = e.id WHERE e.subject_table = ?1 \
                        AND e.subject_id = ?2 AND e.rows LIKE ?3 ESCAPE '!'";
        let youngest = format!("SELECT e.id {of_owner} ORDER BY e.id DESC LIMIT 1");
        let values = params![subject_table, subject, named];
        let Some(youngest) = self.row_opt(&youngest, values, |row| row.get::<Uuid>(0))? else {
            return Ok(None);
        };
        // The order of the log, not of the ids, which follow the clocks of several servers.
        let sql = format!(
            "SELECT e.id {of_owner} AND e.id >= ?4 \
             ORDER BY CASE WHEN l.number IS NULL THEN 0 ELSE 1 END, l.number DESC, p.place DESC LIMIT 1"
        );
        let from = apart(youngest);
        let values = params![subject_table, subject, named, from];
        self.row_opt(&sql, values, |row| row.get(0))
    }
}

/// Where the watch over the rows stands, and what it found.
#[derive(Debug, Default)]
pub(in crate::store) struct Watch {
    /// The table it is at, and the last id it looked at.
    table: Option<String>,
    after: Option<Vec<u8>>,
    found: BTreeSet<(String, Uuid)>,
}

/// Rows that the watch names at most; the others are in the log of the process.
const FOUND: usize = 1_000;

impl Store {
    /// Compares the next bound rows with their events, table after table and then from the
    /// beginning, and remembers those that differ; `limit` of them, or all where there are fewer.
    /// Reads only.
    ///
    /// # Errors
    /// The store's own.
    pub fn watch_rows(&self, limit: u32) -> Result<(), StoreError> {
        let (mut left, mut ends) = (limit, 0);
        while left > 0 {
            let (looked, tables) = self.watch_some(left)?;
            left = left.saturating_sub(looked.max(1));
            // A table's end is met where it had fewer rows than wanted; after all ends, all was seen.
            ends += 1;
            if ends > tables {
                break;
            }
        }
        Ok(())
    }

    /// Looks at rows of one table; says at how many, and how many tables there are.
    fn watch_some(&self, limit: u32) -> Result<(u32, usize), StoreError> {
        let (table, after) = {
            let watch = self.watch_lock();
            (watch.table.clone(), watch.after.clone())
        };
        let slice = self.read_blocking(|q| {
            let shapes = Shapes::of(q.session())?;
            let tables = shapes.one_by_one();
            let at = tables
                .iter()
                .find(|(name, _)| Some(*name) >= table.as_deref());
            let Some((name, shape)) = at.or(tables.first()) else {
                return Ok(None);
            };
            let after = after.as_deref().filter(|_| Some(*name) == table.as_deref());
            let columns = shape.columns.join(", ");
            let further = further("id", after);
            let sql = format!(
                "SELECT {columns}, id, last_event FROM {name} {further} ORDER BY id LIMIT ?2"
            );
            let width = shape.columns.len();
            let mut last = None;
            let rows = q.rows(&sql, params![after.unwrap_or_default(), limit], |row| {
                last = Some(row.get::<Vec<u8>>(width)?);
                met(shape, row)
            })?;
            let all: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
            let full = all.len() == limit as usize;
            let odd = differing(&**q, name, rows)?;
            let mut later = tables.iter().filter(|(other, _)| other > name);
            let next = later.next().map(|(other, _)| (*other).to_owned());
            let place = match full {
                true => (Some((*name).to_owned()), last),
                false => (next, None),
            };
            Ok::<_, StoreError>(Some(((*name).to_owned(), all, odd, place, tables.len())))
        })?;
        let mut looked = (0, 0);
        if let Some((name, all, odd, (table, after), tables)) = slice {
            looked = (u32::try_from(all.len()).unwrap_or(limit), tables);
            let mut watch = self.watch_lock();
            (watch.table, watch.after) = (table, after);
            for id in all {
                let row = (name.clone(), id);
                if !odd.contains(&id) {
                    watch.found.remove(&row);
                } else if watch.found.len() < FOUND && watch.found.insert(row) {
                    tracing::error!(table = %name, %id, "a row is not as its event says: {name} {id}");
                }
            }
        }
        Ok(looked)
    }

    /// The rows that the watch found changed behind the program's back.
    #[must_use]
    pub fn watched(&self) -> Vec<(String, Uuid)> {
        self.watch_lock().found.iter().cloned().collect()
    }

    fn watch_lock(&self) -> std::sync::MutexGuard<'_, Watch> {
        let watch = &self.inner.watch;
        watch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
