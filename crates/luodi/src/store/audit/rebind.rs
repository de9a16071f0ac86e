//! Binds rows anew after an upgrade: a migration changes rows without an event, and binds tables
//! that were not bound before. What differs from its last event is named by an event of its own, but
//! for what differed before the migration.

use std::collections::{HashMap, HashSet};

use serde_json::json;
use uuid::Uuid;

use super::bound::{Owner, Shape, digest};
use super::tree;
use super::verify::Named;
use super::{ActorRef, Event};
use crate::store::read::{Query, holding};
use crate::store::tx::Tx;
use crate::store::value::Value;
use crate::store::{StoreError, params};

/// Rows looked at in one command.
const AT_ONCE: u32 = 500;
/// What `meta` calls the wish to bind anew.
pub(in crate::store) const ASKED: &str = "rebind";
/// The command of its events.
const COMMAND: &str = "log.rebind";

/// A row as it is looked at: its id and its digest, and the event it points to.
type Found = (Vec<u8>, Option<Vec<u8>>, String);

/// Where a run through all tables stands.
pub(in crate::store) struct Run {
    /// The table.
    pub(in crate::store) table: &'static str,
    /// How it is bound.
    pub(in crate::store) shape: Shape,
    /// Owners that an event names already; of rows that are not bound together none.
    pub(in crate::store) named: HashSet<Uuid>,
    /// Rows, or owners, that were out of order before the migration: they stay so.
    pub(in crate::store) odd: HashSet<Uuid>,
}

impl Run {
    /// Begins with a table.
    pub(in crate::store) fn begin(
        q: &dyn Query,
        (table, shape): (&'static str, Shape),
        odd: &HashSet<(String, Uuid)>,
    ) -> Result<Self, StoreError> {
        let mut named = HashSet::new();
        if shape.owner.is_some() {
            let sql = "SELECT rows FROM audit_event WHERE rows LIKE ?1 ESCAPE '!'";
            let values = params![holding(&format!("\"table\":\"{table}\""))];
            q.each(sql, &values, &mut |row| {
                let rows: String = row.get(0)?;
                let all: Vec<Named<'_>> = serde_json::from_str(&rows).unwrap_or_default();
                named.extend(all.iter().filter(|it| it.table == table).map(|it| it.id));
                Ok(())
            })?;
        }
        Ok(Self {
            table,
            shape,
            named,
            odd: odd
                .iter()
                .filter(|it| it.0 == table)
                .map(|it| it.1)
                .collect(),
        })
    }

    /// Binds some rows, those after a place; gives the last place looked at, none at the end.
    pub(in crate::store) fn some(
        &self,
        tx: &Tx<'_>,
        after: Option<&Value>,
    ) -> Result<Option<Value>, StoreError> {
        let (last, mut differing) = match self.shape.owner {
            None => self.one_by_one(tx, after)?,
            Some(owner) => self.by_owner(tx, owner, after)?,
        };
        differing.retain(|id| !self.odd.contains(id));
        if !differing.is_empty() {
            let count = json!({ "rows": differing.len() });
            let rows = differing.into_iter().map(|id| (self.table, id)).collect();
            tx.event(event(self.table, count, rows));
        }
        Ok(last)
    }

    /// The rows that differ from what the event says to which they point.
    fn one_by_one(
        &self,
        tx: &Tx<'_>,
        after: Option<&Value>,
    ) -> Result<(Option<Value>, Vec<Uuid>), StoreError> {
        let Self { table, shape, .. } = self;
        let (columns, width) = (shape.columns.join(", "), shape.columns.len());
        let further = further("id", after);
        let sql =
            format!("SELECT {columns}, id, last_event FROM {table} {further} ORDER BY id LIMIT ?2");
        let from = after.cloned().unwrap_or(Value::Blob(Vec::new()));
        let page: Vec<Found> = tx.rows(&sql, params![from, AT_ONCE], |row| {
            Ok((
                row.get(width)?,
                row.get(width + 1)?,
                digest(&shape.bytes(row)?),
            ))
        })?;
        let mut said: HashMap<Vec<u8>, String> = HashMap::new();
        let mut differing = Vec::new();
        for (id, event, digest) in &page {
            let rows = match event {
                None => String::new(),
                Some(event) => match said.get(event) {
                    Some(known) => known.clone(),
                    None => {
                        let sql = "SELECT rows FROM audit_event WHERE id = ?1";
                        let rows: Option<String> =
                            tx.row_opt(sql, params![event], |row| row.get(0))?;
                        said.entry(event.clone())
                            .or_insert(rows.unwrap_or_default())
                            .clone()
                    }
                },
            };
            let id = Uuid::from_slice(id).unwrap_or_default();
            // As the event was written: its rows are JSON whose keys stand in this order.
            let bound = json!({ "table": table, "id": id, "digest": digest }).to_string();
            if !rows.contains(&bound) {
                differing.push(id);
            }
        }
        let last = page.into_iter().next_back();
        Ok((last.map(|(id, ..)| Value::Blob(id)), differing))
    }

    /// The owners that no event names yet.
    fn by_owner(
        &self,
        tx: &Tx<'_>,
        owner: Owner,
        after: Option<&Value>,
    ) -> Result<(Option<Value>, Vec<Uuid>), StoreError> {
        let (table, by) = (self.table, owner.column());
        let further = further(by, after);
        let sql = format!("SELECT DISTINCT {by} FROM {table} {further} ORDER BY {by} LIMIT ?2");
        let from = after.cloned().unwrap_or_else(|| owner.first());
        let owners = tx.rows(&sql, params![from, AT_ONCE], |row| owner.read(row, 0))?;
        let new = owners.iter().map(|(_, id)| *id);
        let new = new.filter(|id| !self.named.contains(id)).collect();
        Ok((owners.into_iter().next_back().map(|(place, _)| place), new))
    }
}

fn event(table: &'static str, detail: serde_json::Value, rows: Vec<(&'static str, Uuid)>) -> Event {
    Event {
        actor: ActorRef::system(),
        command: COMMAND,
        subject: (table, Uuid::nil()),
        detail,
        rows,
    }
}

/// What the last event of a run says: which schema it was for.
fn done_for(schema: i64) -> serde_json::Value {
    json!({ "schema": schema })
}

/// Whether rows were bound anew for this schema already: once is enough, and what is asked for
/// again was asked for by somebody else.
pub(in crate::store) fn is_done(q: &dyn Query, schema: i64) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM audit_event WHERE command = ?1 AND detail = ?2 LIMIT 1";
    let values = params![COMMAND, done_for(schema).to_string()];
    Ok(q.row_opt(sql, values, |row| row.get::<i64>(0))?.is_some())
}

/// Whether it is asked for.
pub(in crate::store) fn is_asked(q: &dyn Query) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM meta WHERE name = ?1 AND value <> ''";
    Ok(q.row_opt(sql, params![ASKED], |row| row.get::<i64>(0))?
        .is_some())
}

/// How many rows upgrades bound anew.
pub(super) fn rebound(q: &dyn Query) -> Result<u64, StoreError> {
    let sql = "SELECT detail FROM audit_event WHERE command = ?1";
    let told = q.rows(sql, params![COMMAND], |row| row.get::<String>(0))?;
    let rows = told.iter().filter_map(|detail| {
        let detail: serde_json::Value = serde_json::from_str(detail).ok()?;
        detail.get("rows")?.as_u64()
    });
    Ok(rows.sum())
}

/// Ends a run: what is kept beside the tree gets its seals, too.
pub(in crate::store) fn finish(tx: &Tx<'_>, schema: i64) -> Result<(), StoreError> {
    tree::seal_all(tx)?;
    tx.event(event("meta", done_for(schema), Vec::new()));
    forget(tx)
}

/// Takes the wish away.
pub(in crate::store) fn forget(tx: &Tx<'_>) -> Result<(), StoreError> {
    tx.execute("DELETE FROM meta WHERE name = ?1", params![ASKED])
        .map(drop)
}

/// The condition of a further page; the first leaves out none but what has no place, for none comes
/// before the empty id, the empty text and the least number.
pub(in crate::store) fn further<T: ?Sized>(column: &str, after: Option<&T>) -> String {
    let sign = if after.is_some() { ">" } else { ">=" };
    format!("WHERE {column} {sign} ?1")
}
