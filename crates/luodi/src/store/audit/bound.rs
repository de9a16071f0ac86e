//! What binds rows to the event that last changed them.
//!
//! A table with `id` and `last_event` is bound row by row. Of the tables in [`TOGETHER`] all rows of
//! one owner are bound together; where every row is its own owner, that is each by itself.

use std::collections::HashMap;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::record::pair;
use crate::store::read::Row;
use crate::store::session::Session;
use crate::store::tx::Tx;
use crate::store::value::Value;
use crate::store::{StoreError, params};

/// A table without `last_event` that is bound all the same.
#[derive(Debug)]
pub(in crate::store) struct Together {
    table: &'static str,
    owner: Owner,
    /// Columns that change without an event, and are not bound.
    free: &'static [&'static str],
}

/// The column by which an event names rows that are bound together.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Owner {
    column: &'static str,
    kind: Kind,
}

/// How that column becomes 16 bytes, and whether it is the key of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// An id that several rows may share.
    Shared,
    /// An id, each row's own.
    Id,
    /// A hash as text, each row's own: the first 16 bytes of it.
    Hash,
    /// A number, each row's own.
    Number,
}

const fn of(table: &'static str, column: &'static str, kind: Kind) -> Together {
    Together {
        table,
        owner: Owner { column, kind },
        free: &[],
    }
}

/// Tables without `last_event` that are bound all the same.
const TOGETHER: &[Together] = &[
    of("account_role", "account_id", Kind::Shared),
    of("case_claim", "case_id", Kind::Shared),
    of("case_duty", "case_id", Kind::Shared),
    of("case_measure", "case_id", Kind::Shared),
    of("case_value", "case_id", Kind::Shared),
    of("city", "id", Kind::Number),
    of("data_key", "owner_id", Kind::Id),
    of("item_version", "hash", Kind::Hash),
    Together {
        // Whether its reader has seen it.
        free: &["read_at"],
        ..of("message", "id", Kind::Id)
    },
    of("policy_version", "hash", Kind::Hash),
    of("posting", "entry_id", Kind::Shared),
    of("recovery_code", "factor_id", Kind::Shared),
    #[cfg(test)]
    of("bank_holder", "account_id", Kind::Shared),
];

/// Those of them that the migration `log_seals` bound, and none before.
const SINCE_SEALS: &[&str] = &[
    "case_measure",
    "city",
    "data_key",
    "item_version",
    "message",
    "policy_version",
];

/// What of a table is not bound although the table is, for the list of what is left out.
pub(in crate::store) fn free_columns() -> impl Iterator<Item = (&'static str, &'static str)> {
    let free = |it: &'static Together| it.free.iter().map(move |column| (it.table, *column));
    TOGETHER.iter().flat_map(free)
}

/// The tables of which every change is bound, though no row of theirs names an event.
pub(in crate::store) fn bound_whole() -> impl Iterator<Item = &'static str> {
    let whole = TOGETHER.iter().filter(|it| it.free.is_empty());
    whole.map(|it| it.table)
}

/// Whether the rows of a table are bound together.
pub(super) fn is_together(table: &str) -> bool {
    TOGETHER.iter().any(|it| it.table == table)
}

/// Digits in the text of 16 bytes.
const DIGITS: usize = 32;
/// What stands before the digits of a hash.
const ALGORITHM: &str = "sha256:";

impl Owner {
    /// Its column.
    pub(super) fn column(self) -> &'static str {
        self.column
    }

    /// A value that comes before every owner.
    pub(super) fn first(self) -> Value {
        match self.kind {
            Kind::Shared | Kind::Id => Value::Blob(Vec::new()),
            Kind::Hash => Value::Text(String::new()),
            Kind::Number => Value::Int(i64::MIN),
        }
    }

    /// The owner in a column of a row: its value, and the id by which events name it. What cannot
    /// be is the id of nothing.
    pub(super) fn read(self, row: &Row<'_>, index: usize) -> Result<(Value, Uuid), StoreError> {
        Ok(match self.kind {
            Kind::Shared | Kind::Id => {
                let bytes: Vec<u8> = row.get(index)?;
                let id = Uuid::from_slice(&bytes).unwrap_or_default();
                (Value::Blob(bytes), id)
            }
            Kind::Hash => {
                let hash: String = row.get(index)?;
                let digits = hash.strip_prefix(ALGORITHM).and_then(|it| it.get(..DIGITS));
                let id = digits.and_then(|it| Uuid::try_parse(it).ok());
                (Value::Text(hash), id.unwrap_or_default())
            }
            Kind::Number => {
                let number: i64 = row.get(index)?;
                (Value::Int(number), Uuid::from_u128(number as u128))
            }
        })
    }

    /// The condition that a row's owner is parameter 1.
    fn is(self) -> String {
        let column = self.column;
        match self.kind {
            Kind::Hash => format!("substr({column}, {}, {DIGITS}) = ?1", ALGORITHM.len() + 1),
            _ => format!("{column} = ?1"),
        }
    }

    /// The value of that parameter for an id.
    fn value(self, id: Uuid) -> Value {
        match self.kind {
            Kind::Shared | Kind::Id => id.into(),
            Kind::Hash => id.simple().to_string().into(),
            Kind::Number => Value::Int(id.as_u128() as i64),
        }
    }
}

/// How a table is bound.
#[derive(Clone, Debug)]
pub(in crate::store) struct Shape {
    /// Stamps a row and answers with it, or asks for the rows of an owner.
    statement: String,
    /// What a statement that writes a row and gives its digest ends with: the columns, then
    /// `last_event`, or the owner where every row is its own.
    pub(in crate::store) returning: String,
    /// Columns in name order, without `last_event`.
    pub(in crate::store) columns: Vec<String>,
    /// Where `id` stands among them.
    pub(in crate::store) id: usize,
    /// Expression of the region of the row whose id is parameter 8.
    region: String,
    /// What names the rows, where they are bound together.
    pub(super) owner: Option<Owner>,
}

/// All tables that events may name, read once after the migrations.
#[derive(Debug, Default)]
pub(in crate::store) struct Shapes(HashMap<String, Shape>);

/// Columns of each table.
type Columns = HashMap<String, Vec<String>>;

impl Shapes {
    /// Reads the shapes of all tables.
    pub(in crate::store) fn of(session: Session<'_>) -> Result<Self, StoreError> {
        let mut tables = Columns::new();
        session.query(session.columns_sql(), &[], &mut |row| {
            tables.entry(row.get(0)?).or_default().push(row.get(1)?);
            Ok(())
        })?;
        let shapes = tables
            .iter()
            .filter_map(|(table, columns)| Some((table.clone(), shape(table, columns, &tables)?)));
        Ok(Self(shapes.collect()))
    }

    /// What was bound before the migration `log_seals`.
    pub(super) fn before_seals(mut self) -> Self {
        let is_new = |table: &String| SINCE_SEALS.contains(&table.as_str());
        self.0.retain(|table, _| !is_new(table));
        self
    }

    /// How a table is bound; none where it is not.
    pub(in crate::store) fn get(&self, table: &str) -> Option<&Shape> {
        self.0.get(table)
    }

    /// As [`get`](Self::get), for a table that must be bound.
    pub(in crate::store) fn require(&self, table: &str) -> Result<&Shape, StoreError> {
        self.get(table)
            .ok_or_else(|| StoreError::Statement(format!("{table} is not bound to events")))
    }

    /// The tables whose rows are bound one by one, in the order of their names.
    pub(super) fn one_by_one(&self) -> Vec<(&str, &Shape)> {
        let mut found: Vec<(&str, &Shape)> = self
            .0
            .iter()
            .filter(|(_, shape)| shape.owner.is_none())
            .map(|(table, shape)| (table.as_str(), shape))
            .collect();
        found.sort_by_key(|(table, _)| *table);
        found
    }

    /// The tables whose rows are bound together, as far as they are there.
    pub(super) fn together(&self) -> Vec<(&'static str, &Shape)> {
        let there = TOGETHER
            .iter()
            .filter_map(|it| Some((it.table, self.get(it.table)?)));
        there.collect()
    }

    /// The names of all bound tables.
    pub(in crate::store) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.0.keys().cloned().collect();
        names.sort();
        names
    }

    /// Every bound table. Only an upgrade asks, once: the names stay for the rest of the process.
    pub(in crate::store) fn all(&self) -> Vec<(&'static str, Shape)> {
        let one_by_one = self.one_by_one().into_iter().map(|(table, shape)| {
            let name: &'static str = Box::leak(table.to_owned().into_boxed_str());
            (name, shape.clone())
        });
        let together = self.together().into_iter();
        let together = together.map(|(table, shape)| (table, shape.clone()));
        one_by_one.chain(together).collect()
    }

    /// Expression of the region of what an event is about.
    pub(super) fn region(&self, table: &str) -> &str {
        self.get(table)
            .map_or("NULL", |shape| shape.region.as_str())
    }

    /// Binds what an event names, unless the command stamped it already, and gives its digest.
    pub(super) fn bind(
        &self,
        tx: &Tx<'_>,
        table: &str,
        id: Uuid,
        event: Uuid,
    ) -> Result<String, StoreError> {
        if let Some(digest) = tx.stamped(table, id, event) {
            return Ok(digest);
        }
        let shape = self.require(table)?;
        if let Some(owner) = shape.owner {
            return shape.of_owner(tx, owner, id);
        }
        let stamped = tx.row(&shape.statement, params![event, id], |row| {
            Ok(digest(&shape.bytes(row)?))
        });
        stamped.map_err(|error| match error {
            StoreError::NotFound(_) => {
                StoreError::NotFound(format!("{table} {id}, named by an event"))
            }
            other => other,
        })
    }
}

impl Shape {
    /// The id and the digest of a row that is its own owner, from what its statement gave back.
    pub(in crate::store) fn own(&self, row: &Row<'_>) -> Result<(Uuid, String), StoreError> {
        let owner = self.owner.filter(|owner| owner.kind != Kind::Shared);
        let owner = owner.ok_or_else(|| {
            StoreError::Statement("the rows of an owner are read together".to_owned())
        })?;
        let (_, id) = owner.read(row, self.columns.len())?;
        Ok((id, together(vec![self.bytes(row)?])))
    }

    /// The digest of the rows of an owner, as they are.
    pub(super) fn of_owner(
        &self,
        tx: &Tx<'_>,
        owner: Owner,
        id: Uuid,
    ) -> Result<String, StoreError> {
        let rows = tx.rows(&self.statement, [owner.value(id)], |row| self.bytes(row))?;
        Ok(together(rows))
    }

    /// The column of the owner, where rows are bound together.
    pub(in crate::store) fn owner(&self) -> Option<&'static str> {
        self.owner.map(|owner| owner.column)
    }

    /// The bytes that a row's digest covers, from a row that begins with the shape's columns.
    pub(in crate::store) fn bytes(&self, row: &Row<'_>) -> Result<Vec<u8>, StoreError> {
        let mut bytes = Vec::with_capacity(4_096);
        for (index, column) in self.columns.iter().enumerate() {
            pair(&mut bytes, column, row.inner.column(index)?);
        }
        Ok(bytes)
    }
}

fn shape(table: &str, columns: &[String], all: &Columns) -> Option<Shape> {
    let has = |name: &str| columns.iter().any(|column| column == name);
    let mut sorted: Vec<String> = columns.to_vec();
    sorted.retain(|column| column != "last_event");
    sorted.sort();
    let list = sorted.join(", ");
    if has("id") && has("last_event") {
        return Some(Shape {
            statement: format!("UPDATE {table} SET last_event = ?1 WHERE id = ?2 RETURNING {list}"),
            returning: format!(" RETURNING {list}, last_event"),
            id: sorted.iter().position(|it| it == "id").unwrap_or_default(),
            columns: sorted,
            region: region_of(table, all),
            owner: None,
        });
    }
    let it = TOGETHER.iter().find(|it| it.table == table)?;
    sorted.retain(|column| !it.free.contains(&column.as_str()));
    let (list, owner) = (sorted.join(", "), it.owner);
    Some(Shape {
        statement: format!("SELECT {list} FROM {table} WHERE {}", owner.is()),
        returning: format!(" RETURNING {list}, {}", owner.column),
        columns: sorted,
        id: 0,
        region: "NULL".to_owned(),
        owner: Some(owner),
    })
}

/// The region of a table's row whose id is parameter 8: its own, or that of the row it names as
/// the one it belongs to (`notice_id` of a row names a notice); `NULL` where it has neither.
fn region_of(table: &str, columns: &Columns) -> String {
    let has = |table: &str, column: &str| {
        columns
            .get(table)
            .is_some_and(|columns| columns.iter().any(|known| known == column))
    };
    if has(table, "region_code") {
        return format!("(SELECT region_code FROM {table} WHERE id = ?8)");
    }
    let mut owners: Vec<&str> = columns
        .get(table)
        .into_iter()
        .flatten()
        .filter_map(|column| column.strip_suffix("_id"))
        .filter(|owner| has(owner, "region_code") && has(owner, "last_event"))
        .collect();
    owners.sort_unstable();
    match owners.first() {
        Some(owner) => format!(
            "(SELECT o.region_code FROM {table} t JOIN {owner} o ON o.id = t.{owner}_id WHERE t.id = ?8)"
        ),
        None => "NULL".to_owned(),
    }
}

/// SHA-256 over the bytes of a row; the name of the algorithm stands before it.
pub(in crate::store) fn digest(bytes: &[u8]) -> String {
    let hex = Sha256::digest(bytes).into_iter().flat_map(|byte| {
        [byte >> 4, byte & 15].map(|digit| char::from_digit(u32::from(digit), 16).unwrap_or('0'))
    });
    "sha256:".chars().chain(hex).collect()
}

/// The digest of rows bound together: over the length and the bytes of each, in the order of their
/// bytes, which no engine's order of text or nulls can change.
pub(super) fn together(mut rows: Vec<Vec<u8>>) -> String {
    rows.sort_unstable();
    let mut all = Vec::new();
    for row in rows {
        all.extend((row.len() as u64).to_be_bytes());
        all.extend(row);
    }
    digest(&all)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// The digest of a row of literals, the columns given in name order.
    fn digest_of(columns: &[&str], values: &str) -> String {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        let shape = Shape {
            statement: String::new(),
            returning: String::new(),
            id: 0,
            columns: columns.iter().map(|it| (*it).to_owned()).collect(),
            region: String::new(),
            owner: None,
        };
        let mut found = String::new();
        Session::Sqlite(&connection)
            .query(&format!("SELECT {values}"), &[], &mut |row| {
                found = digest(&shape.bytes(row)?);
                Ok(())
            })
            .unwrap();
        found
    }

    fn sha256(parts: &[&[u8]]) -> String {
        let hex: String = Sha256::digest(parts.concat())
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!("sha256:{hex}")
    }

    #[test]
    fn the_encoding_is_written_down() {
        let wanted: [&[u8]; 6] = [
            b"\0\0\0\x01a",
            b"i\0\0\0\0\0\0\x01\x02",
            b"\0\0\0\x02bb",
            b"t\0\0\0\0\0\0\0\x02hi",
            b"\0\0\0\x01c",
            b"b\0\0\0\0\0\0\0\x01\x07",
        ];
        assert_eq!(
            digest_of(&["a", "bb", "c"], "258, 'hi', x'07'"),
            sha256(&wanted)
        );
        let real = 1.0_f64.to_be_bytes();
        assert_eq!(digest_of(&["a"], "1.0"), sha256(&[b"\0\0\0\x01ar", &real]));
        let rows = vec![b"b".to_vec(), b"a".to_vec()];
        let one = 1_u64.to_be_bytes();
        assert_eq!(together(rows), sha256(&[&one, b"a", &one, b"b"]));
    }

    #[test]
    fn nulls_are_left_out_and_nothing_else_is_equal() {
        assert_eq!(digest_of(&["a", "b"], "1, NULL"), digest_of(&["a"], "1"));
        let different = [
            digest_of(&["a"], "1"),
            digest_of(&["b"], "1"),
            digest_of(&["a"], "'1'"),
            digest_of(&["a"], "x'31'"),
            digest_of(&["a"], "1.0"),
            digest_of(&["a"], "''"),
            digest_of(&["a"], "NULL"),
            digest_of(&["a", "b"], "'x', 'y'"),
            digest_of(&["a", "b"], "'xy', ''"),
        ];
        let distinct: HashSet<&String> = different.iter().collect();
        assert_eq!(distinct.len(), different.len());
    }

    #[test]
    fn rows_bound_together_have_no_order_and_no_seams() {
        let row = |text: &str| text.as_bytes().to_vec();
        assert_eq!(
            together(vec![row("a"), row("b")]),
            together(vec![row("b"), row("a")])
        );
        assert_ne!(
            together(vec![row("ab")]),
            together(vec![row("a"), row("b")])
        );
        assert_ne!(together(vec![]), together(vec![row("")]));
    }
}
