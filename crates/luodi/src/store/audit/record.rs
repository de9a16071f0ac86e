//! An event as the log keeps it for ever: which bytes are hashed, and the line of an export.
//!
//! The bytes are (name, type, value) triples of its columns in the order of their names, nulls left
//! out: length of the name (4 bytes, big endian), name, one letter for the type, and the value: `i`
//! 8 bytes, `r` 8 bytes IEEE 754, `t` and `b` a length of 8 bytes and the bytes. Digests of bound
//! rows cover the same.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::store::read::{Query, Row};
use crate::store::value::ValueRef;
use crate::store::{StoreError, params};

/// The columns of a written event in the order of their names.
pub(super) const COLUMNS: [&str; 12] = [
    "actor_id",
    "actor_kind",
    "actor_label",
    "actor_region",
    "at",
    "command",
    "detail",
    "id",
    "region_code",
    "rows",
    "subject_id",
    "subject_table",
];

/// Where `id` and `rows` stand among [`COLUMNS`].
const ID: usize = 7;
const ROWS: usize = 9;

/// A written event, its fields in the order of their names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    pub(super) actor_id: Option<Uuid>,
    pub(super) actor_kind: String,
    pub(super) actor_label: String,
    pub(super) actor_region: Option<String>,
    /// UTC milliseconds.
    pub(super) at: i64,
    pub(super) command: String,
    /// JSON text, as stored.
    pub(super) detail: String,
    pub(super) id: Uuid,
    pub(super) region_code: Option<String>,
    /// JSON text, as stored.
    pub(super) rows: String,
    pub(super) subject_id: Uuid,
    pub(super) subject_table: String,
}

impl Record {
    /// Reads the columns of [`COLUMNS`] that follow the first `skip` columns of a row.
    pub(super) fn read(row: &Row<'_>, skip: usize) -> Result<Self, StoreError> {
        Ok(Self {
            actor_id: row.get(skip)?,
            actor_kind: row.get(skip + 1)?,
            actor_label: row.get(skip + 2)?,
            actor_region: row.get(skip + 3)?,
            at: row.get(skip + 4)?,
            command: row.get(skip + 5)?,
            detail: row.get(skip + 6)?,
            id: row.get(skip + 7)?,
            region_code: row.get(skip + 8)?,
            rows: row.get(skip + 9)?,
            subject_id: row.get(skip + 10)?,
            subject_table: row.get(skip + 11)?,
        })
    }

    /// The hash of the event as a leaf of the tree.
    pub(super) fn leaf(&self) -> trail::Hash {
        fn id(id: &Uuid) -> ValueRef<'_> {
            ValueRef::Blob(id.as_bytes())
        }
        fn text(text: &Option<String>) -> ValueRef<'_> {
            text.as_deref().map_or(ValueRef::Null, ValueRef::Text)
        }
        let values: [ValueRef<'_>; COLUMNS.len()] = [
            self.actor_id.as_ref().map_or(ValueRef::Null, id),
            ValueRef::Text(&self.actor_kind),
            ValueRef::Text(&self.actor_label),
            text(&self.actor_region),
            ValueRef::Int(self.at),
            ValueRef::Text(&self.command),
            ValueRef::Text(&self.detail),
            id(&self.id),
            text(&self.region_code),
            ValueRef::Text(&self.rows),
            id(&self.subject_id),
            ValueRef::Text(&self.subject_table),
        ];
        let mut bytes = Vec::with_capacity(256 + self.detail.len() + self.rows.len());
        for (name, value) in COLUMNS.iter().zip(values) {
            pair(&mut bytes, name, value);
        }
        trail::leaf(&bytes)
    }
}

/// A written event.
pub(super) fn record(q: &dyn Query, event: Uuid) -> Result<Option<Record>, StoreError> {
    let columns = columns_of("e");
    let sql = format!("SELECT {columns} FROM audit_event e WHERE e.id = ?1");
    q.row_opt(&sql, params![event], |row| Record::read(row, 0))
}

/// The columns of an event as the end of a list of columns, each with the table's name before it.
pub(super) fn columns_of(table: &str) -> String {
    COLUMNS.map(|column| format!("{table}.{column}")).join(", ")
}

/// Appends the bytes of an event from the columns that follow the first `skip` of a row, without
/// making a [`Record`]: for reading all of a log. Gives the id and where the text of `rows` stands.
///
/// # Errors
/// Where the row has fewer columns.
pub(super) fn append(
    bytes: &mut Vec<u8>,
    row: &Row<'_>,
    skip: usize,
) -> Result<(Option<Uuid>, std::ops::Range<usize>), StoreError> {
    let (mut id, mut rows) = (None, 0..0);
    for (index, name) in COLUMNS.iter().enumerate() {
        let value = row.inner.column(skip + index)?;
        pair(bytes, name, value);
        match (index, value) {
            (ID, ValueRef::Blob(it)) => id = Uuid::from_slice(it).ok(),
            (ROWS, ValueRef::Text(text)) => rows = bytes.len() - text.len()..bytes.len(),
            _ => {}
        }
    }
    Ok((id, rows))
}

/// Appends a column's name, type and value; nothing for a null.
pub(super) fn pair(bytes: &mut Vec<u8>, name: &str, value: ValueRef<'_>) {
    if value == ValueRef::Null {
        return;
    }
    bytes.extend((name.len() as u32).to_be_bytes());
    bytes.extend(name.as_bytes());
    match value {
        ValueRef::Null => {}
        ValueRef::Int(it) => {
            bytes.push(b'i');
            bytes.extend(it.to_be_bytes());
        }
        ValueRef::Real(it) => {
            bytes.push(b'r');
            bytes.extend(it.to_bits().to_be_bytes());
        }
        ValueRef::Text(it) => long(bytes, b't', it.as_bytes()),
        ValueRef::Blob(it) => long(bytes, b'b', it),
    }
}

fn long(bytes: &mut Vec<u8>, letter: u8, value: &[u8]) {
    bytes.push(letter);
    bytes.extend((value.len() as u64).to_be_bytes());
    bytes.extend(value);
}
