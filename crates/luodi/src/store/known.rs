//! Rows of which a command knows what they hold: their digests are made from that, where others need
//! not wait for it, and not from what the statement that writes them gives back.
//!
//! What is known was read of one moment. That a row bound by itself is still so is a condition of the
//! statement that changes it; of rows bound together the caller knows it by the row that names them in
//! its events. Where neither holds, the digest does not fit and `audit verify` says so. Debug builds
//! read every row back.

use std::fmt::Write;

use uuid::Uuid;

use super::StoreError;
use super::audit::bound::{Shape, digest};
use super::audit::{encoded, together};
use super::session::Session;
use super::stamp::ANY;
use super::tx::Tx;
use super::value::{FromValue, Value};

/// Columns of a row and what they are to hold.
pub type Columns = [(&'static str, Value)];

/// A row as it was read.
#[derive(Clone, Debug)]
pub struct Known {
    /// Its bound columns, in the order of their names.
    columns: Vec<(String, Value)>,
    last_event: Option<Uuid>,
    /// How often the command that read it had changed its table before.
    changes: usize,
}

impl Known {
    /// What a column held.
    ///
    /// # Errors
    /// [`StoreError::Value`] where it holds another type, or there is no such column.
    pub fn get<T: FromValue>(&self, column: &str) -> Result<T, StoreError> {
        let held = self.held(column);
        let held = held.ok_or_else(|| StoreError::Value(format!("no column {column}")))?;
        T::from_value(held.seen()).map_err(|error| StoreError::Value(format!("{column}: {error}")))
    }

    fn held(&self, column: &str) -> Option<&Value> {
        let columns = &self.columns;
        let at = columns.binary_search_by(|(name, _)| name.as_str().cmp(column));
        columns.get(at.ok()?).map(|(_, value)| value)
    }

    /// The bytes of its digest once some columns are set.
    fn bytes(&self, set: &Columns) -> Vec<u8> {
        encoded(self.columns.iter().map(|(name, held)| {
            let new = set.iter().find(|(column, _)| column == name);
            (name.as_str(), new.map_or(held, |(_, value)| value).seen())
        }))
    }
}

/// The rows of an owner that are bound together, as they were read.
#[derive(Clone, Debug)]
pub struct Owned {
    table: &'static str,
    owner: Uuid,
    /// The rows.
    pub rows: Vec<Known>,
    changes: usize,
}

/// A change of a row, with the digest it leaves.
#[derive(Clone, Debug)]
pub struct Rewrite {
    table: &'static str,
    id: Uuid,
    sql: String,
    /// Of the statement, behind the event.
    values: Vec<Value>,
    digest: String,
    /// Of the row, where it has one.
    region: Option<String>,
    /// As of the row.
    changes: usize,
}

impl Rewrite {
    /// Sets some columns of a row that is bound by itself, if it is still what was read.
    #[must_use]
    pub fn of((table, id): (&'static str, Uuid), known: &Known, set: &Columns) -> Self {
        let mut sql = format!("UPDATE {table} SET last_event = ?1");
        let mut values = vec![id.into(), known.last_event.into()];
        for (column, value) in set {
            values.push(value.clone());
            // Writing to a String cannot fail.
            let _ = write!(sql, ", {column} = ?{}", values.len() + 1);
        }
        sql.push_str(" WHERE id = ?2 AND last_event IS NOT DISTINCT FROM ?3");
        // What the command itself changed stands under no event before its end.
        if let Some(version) = known.held("version") {
            values.push(version.clone());
            let _ = write!(sql, " AND version = ?{}", values.len() + 1);
        }
        let stays = set.iter().all(|(column, _)| *column != "region_code");
        Self {
            table,
            id,
            sql,
            values,
            digest: digest(&known.bytes(set)),
            region: stays.then(|| known.get("region_code").ok()).flatten(),
            changes: known.changes,
        }
    }
}

/// What both transactions and snapshots read.
pub(super) fn read(
    session: Session<'_>,
    shape: &Shape,
    (table, condition): (&str, &str),
    values: &[Value],
    changes: usize,
) -> Result<Vec<Known>, StoreError> {
    let event = match shape.owner() {
        Some(_) => "NULL",
        None => "last_event",
    };
    let list = shape.columns.join(", ");
    let sql = format!("SELECT {list}, {event} FROM {table} {condition}");
    let mut found = Vec::new();
    session.query(&sql, values, &mut |row| {
        let columns = shape.columns.iter().enumerate();
        let columns = columns.map(|(at, name)| Ok((name.clone(), row.inner.column(at)?.into())));
        found.push(Known {
            columns: columns.collect::<Result<_, StoreError>>()?,
            last_event: row.get(shape.columns.len())?,
            changes,
        });
        Ok(())
    })?;
    Ok(found)
}

/// The same for the rows of an owner.
pub(super) fn read_owned(
    session: Session<'_>,
    shape: &Shape,
    (table, owner): (&'static str, Uuid),
    changes: usize,
) -> Result<Owned, StoreError> {
    let column = shape.owner();
    let column = column.ok_or_else(|| StoreError::Statement(format!("{table} has no owners")))?;
    let condition = format!("WHERE {column} = ?1");
    let rows = read(
        session,
        shape,
        (table, &condition),
        &[owner.into()],
        changes,
    )?;
    Ok(Owned {
        table,
        owner,
        rows,
        changes,
    })
}

/// The digest an event names rows with that were just read.
pub(super) fn digest_of(shape: &Shape, rows: &[Known]) -> String {
    let mut bytes: Vec<Vec<u8>> = rows.iter().map(|row| row.bytes(&[])).collect();
    match shape.owner() {
        Some(_) => together(bytes),
        None => digest(&bytes.pop().unwrap_or_default()),
    }
}

impl Tx<'_> {
    /// Changes a row as its digest was made for; `event`, which the command is about to note, names
    /// it. Says whether the row was still what was read; nothing is written where it was not.
    ///
    /// # Errors
    /// As [`execute`](Self::execute).
    pub fn rewrite(&self, change: &Rewrite, event: Uuid) -> Result<bool, StoreError> {
        let Rewrite { table, id, .. } = change;
        let event_first = [Value::from(event)].into_iter();
        let values: Vec<Value> = event_first.chain(change.values.iter().cloned()).collect();
        if self.execute_known(&change.sql, &values)? == 0 {
            return Ok(false);
        }
        let fresh = self.changes(table) == change.changes;
        self.note_known(
            (table, *id),
            event,
            fresh.then(|| change.digest.clone()),
            change.region.as_deref(),
        )?;
        Ok(true)
    }

    /// Inserts a row that is bound by itself and named by `event`, which the command is about to
    /// note. Columns left out are null.
    ///
    /// # Errors
    /// As [`execute`](Self::execute); [`StoreError::Statement`] where the table is not bound so.
    pub fn insert_named(
        &self,
        table: &'static str,
        event: Uuid,
        columns: &Columns,
    ) -> Result<Uuid, StoreError> {
        let shape = self.shapes().require(table)?;
        let id = id_of(columns).filter(|_| shape.owner().is_none());
        let id = id.ok_or_else(|| StoreError::Statement(format!("a row of {table} has no id")))?;
        self.insert(table, columns, Some(event))?;
        let digest = digest(&row_bytes(shape, columns));
        self.note_known((table, id), event, Some(digest), None)?;
        Ok(id)
    }

    /// Inserts rows beside those of their owner that were read, with which they are bound together.
    ///
    /// # Errors
    /// As [`insert_named`](Self::insert_named).
    pub fn insert_owned(&self, beside: &Owned, rows: &[&Columns]) -> Result<(), StoreError> {
        let Owned { table, owner, .. } = beside;
        let shape = self.shapes().require(table)?;
        let mut bytes: Vec<Vec<u8>> = beside.rows.iter().map(|row| row.bytes(&[])).collect();
        for columns in rows {
            self.insert(table, columns, None)?;
            bytes.push(row_bytes(shape, columns));
        }
        self.part(table, *owner);
        let fresh = self.changes(table) == beside.changes;
        self.note_known((table, *owner), ANY, fresh.then(|| together(bytes)), None)?;
        self.changed(table);
        Ok(())
    }

    /// Inserts a row of a table in which every row is its own owner, by its id.
    ///
    /// # Errors
    /// As [`insert_named`](Self::insert_named).
    pub fn insert_alone(&self, table: &'static str, columns: &Columns) -> Result<(), StoreError> {
        let id = id_of(columns);
        let id = id.ok_or_else(|| StoreError::Statement(format!("a row of {table} has no id")))?;
        let alone = Owned {
            table,
            owner: id,
            rows: Vec::new(),
            changes: self.changes(table),
        };
        self.insert_owned(&alone, &[columns])
    }

    fn insert(
        &self,
        table: &str,
        columns: &Columns,
        event: Option<Uuid>,
    ) -> Result<(), StoreError> {
        let mut values: Vec<Value> = columns.iter().map(|(_, value)| value.clone()).collect();
        let (mut names, mut places) = (String::with_capacity(256), String::with_capacity(64));
        let last = event.map(|_| "last_event");
        for (at, name) in columns
            .iter()
            .map(|(name, _)| *name)
            .chain(last)
            .enumerate()
        {
            let comma = if at > 0 { ", " } else { "" };
            // Writing to a String cannot fail.
            let _ = write!(names, "{comma}{name}");
            let _ = write!(places, "{comma}?{}", at + 1);
        }
        values.extend(event.map(Value::from));
        let sql = format!("INSERT INTO {table} ({names}) VALUES ({places})");
        self.execute_known(&sql, &values).map(drop)
    }
}

fn id_of(columns: &Columns) -> Option<Uuid> {
    let (_, id) = columns.iter().find(|(name, _)| *name == "id")?;
    Uuid::from_value(id.seen()).ok()
}

/// The bytes of the digest of a new row.
fn row_bytes(shape: &Shape, columns: &Columns) -> Vec<u8> {
    let held = shape.columns.iter().filter_map(|name| {
        let (_, value) = columns.iter().find(|(column, _)| column == name)?;
        Some((name.as_str(), value.seen()))
    });
    encoded(held)
}
