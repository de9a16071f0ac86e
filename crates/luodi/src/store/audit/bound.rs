//! What binds rows to the event that last changed them.
//!
//! A table with `id` and `last_event` is bound row by row. Of the tables in [`TOGETHER`] all rows of
//! one owner are bound together, the owner being the table's first column that ends in `_id`.

use std::collections::HashMap;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::record::pair;
use crate::store::read::Row;
use crate::store::session::Session;
use crate::store::tx::Tx;
use crate::store::{StoreError, params};

/// Tables without `last_event` that are bound all the same.
pub(in crate::store) const TOGETHER: &[&str] = &[
    "account_role",
    "case_claim",
    "case_duty",
    "case_value",
    "posting",
    "recovery_code",
    #[cfg(test)]
    "bank_holder",
];

/// How a table is bound.
#[derive(Clone, Debug)]
pub(in crate::store) struct Shape {
    /// Stamps a row and answers with it, or asks for the rows of an owner.
    statement: String,
    /// What a statement that stamps a row itself ends with: the columns, then `last_event`.
    pub(in crate::store) returning: String,
    /// Columns in name order, without `last_event`.
    pub(in crate::store) columns: Vec<String>,
    /// Where `id` stands among them.
    pub(in crate::store) id: usize,
    /// Expression of the region of the row whose id is parameter 8.
    region: String,
    /// The column of the owner, where rows are bound together.
    pub(super) owner: Option<String>,
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
            .filter_map(|table| Some((*table, self.get(table)?)));
        there.collect()
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
        if shape.owner.is_some() {
            let rows = tx.rows(&shape.statement, params![id], |row| shape.bytes(row))?;
            return Ok(together(rows));
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
    if !TOGETHER.contains(&table) {
        return None;
    }
    let owner = columns.iter().find(|column| column.ends_with("_id"))?;
    Some(Shape {
        statement: format!("SELECT {list} FROM {table} WHERE {owner} = ?1"),
        returning: String::new(),
        columns: sorted,
        id: 0,
        region: "NULL".to_owned(),
        owner: Some(owner.clone()),
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
