//! Whole tables, whatever their domain: what the schema says of them, every row in the order of the
//! primary key, and rows put back. For copies of the whole database.
//!
//! Deliberately lacks the form in which rows leave the program (`backup`).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::read::{Query, Row};
use super::session::Session;
use super::value::{Value, ValueRef};
use super::{StoreError, params};

/// Rows of one question; a package or a picture of a process may be some hundred kilobytes each.
const ROWS_AT_ONCE: usize = 200;
/// Parameters of one statement that puts rows back; both engines take more.
const PARAMETERS: usize = 2_000;

/// What a column holds, on either engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ColumnKind {
    /// Whole numbers.
    #[serde(rename = "BIGINT")]
    Int,
    /// Floating-point numbers.
    #[serde(rename = "DOUBLE PRECISION")]
    Real,
    /// Text.
    #[serde(rename = "TEXT")]
    Text,
    /// Bytes.
    #[serde(rename = "BYTEA")]
    Bytes,
    /// Something that no migration of this program makes.
    #[serde(rename = "")]
    Foreign,
}

impl ColumnKind {
    fn parse(word: &str) -> Self {
        match word.to_ascii_uppercase().as_str() {
            "INTEGER" | "BIGINT" => Self::Int,
            "REAL" | "DOUBLE PRECISION" => Self::Real,
            "TEXT" => Self::Text,
            "BLOB" | "BYTEA" => Self::Bytes,
            _ => Self::Foreign,
        }
    }
}

/// A table as the schema describes it; equal on both engines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its columns by name, in the order of their names.
    pub columns: Vec<(String, ColumnKind)>,
    /// The columns of the primary key, in its order.
    pub key: Vec<String>,
}

impl Table {
    /// Shows every row in the order of the primary key, a bounded number at a time, and gives how
    /// many there are.
    ///
    /// # Errors
    /// [`StoreError::Value`] where the key does not reach every row; what the engine or `visit` reports.
    pub fn each_row(
        &self,
        q: &dyn Query,
        visit: &mut dyn FnMut(&[Value]) -> Result<(), StoreError>,
    ) -> Result<u64, StoreError> {
        let place = |name: &String| self.columns.iter().position(|(column, _)| column == name);
        let key: Option<Vec<usize>> = self.key.iter().map(place).collect();
        let key = key.filter(|key| !key.is_empty()).ok_or_else(|| {
            StoreError::Value(format!(
                "table {} has no primary key to order by",
                self.name
            ))
        })?;
        let (mut count, mut last) = (0_u64, Vec::new());
        loop {
            let mut found = 0;
            q.each(
                &self.question(!last.is_empty()),
                &last.clone(),
                &mut |row| {
                    let values = self.values(row)?;
                    last = key
                        .iter()
                        .filter_map(|at| values.get(*at).cloned())
                        .collect();
                    found += 1;
                    visit(&values)
                },
            )?;
            count += found as u64;
            if found < ROWS_AT_ONCE {
                break;
            }
        }
        let sql = format!("SELECT COUNT(*) FROM {}", self.name);
        match q.row(&sql, params![], |row| row.get::<u64>(0))? {
            all if all == count => Ok(count),
            all => Err(StoreError::Value(format!(
                "table {}: {count} of {all} rows were reached by their key",
                self.name
            ))),
        }
    }

    fn question(&self, further: bool) -> String {
        let (key, name) = (self.key.join(", "), &self.name);
        let after = if further {
            let places: Vec<String> = (1..=self.key.len()).map(|n| format!("?{n}")).collect();
            format!("WHERE ({key}) > ({})", places.join(", "))
        } else {
            String::new()
        };
        let columns = self.names();
        format!("SELECT {columns} FROM {name} {after} ORDER BY {key} LIMIT {ROWS_AT_ONCE}")
    }

    fn names(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| name.as_str()).collect();
        names.join(", ")
    }

    fn values(&self, row: &Row<'_>) -> Result<Vec<Value>, StoreError> {
        let values = (0..self.columns.len()).map(|index| Ok(owned(row.inner.column(index)?)));
        values.collect()
    }

    /// Puts rows into the table; each has a value for every column, in their order.
    ///
    /// # Errors
    /// What the engine reports, a row that refers to a missing one among it.
    pub(super) fn insert(
        &self,
        session: Session<'_>,
        rows: &[Vec<Value>],
    ) -> Result<(), StoreError> {
        let width = self.columns.len().max(1);
        for part in rows.chunks((PARAMETERS / width).max(1)) {
            let places = |row: usize| {
                let numbers: Vec<String> = (row * width + 1..=row * width + width)
                    .map(|number| format!("?{number}"))
                    .collect();
                format!("({})", numbers.join(", "))
            };
            let places: Vec<String> = (0..part.len()).map(places).collect();
            let sql = format!(
                "INSERT INTO {} ({}) VALUES {}",
                self.name,
                self.names(),
                places.join(", ")
            );
            session.execute(&sql, &part.concat())?;
        }
        Ok(())
    }
}

fn owned(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Int(it) => Value::Int(it),
        ValueRef::Real(it) => Value::Real(it),
        ValueRef::Text(it) => Value::Text(it.to_owned()),
        ValueRef::Blob(it) => Value::Blob(it.to_vec()),
    }
}

/// All tables of the schema, by name.
pub(super) fn tables(session: Session<'_>) -> Result<Vec<Table>, StoreError> {
    let mut found: BTreeMap<String, Table> = BTreeMap::new();
    let mut keys: BTreeMap<(String, i64), String> = BTreeMap::new();
    session.query(session.tables_sql(), &[], &mut |row| {
        let (name, column, kind): (String, String, String) =
            (row.get(0)?, row.get(1)?, row.get(2)?);
        let kind = ColumnKind::parse(&kind);
        if let place @ 1.. = row.get::<i64>(3)? {
            keys.insert((name.clone(), place), column.clone());
        }
        let table = found.entry(name.clone()).or_insert_with(|| Table {
            name,
            columns: Vec::new(),
            key: Vec::new(),
        });
        table.columns.push((column, kind));
        Ok(())
    })?;
    for ((name, _), column) in keys {
        if let Some(table) = found.get_mut(&name) {
            table.key.push(column);
        }
    }
    for table in found.values_mut() {
        table.columns.sort_by(|a, b| a.0.cmp(&b.0));
    }
    Ok(found.into_values().collect())
}

/// The tables in an order in which each comes after those it refers to.
pub(super) fn in_order(session: Session<'_>) -> Result<Vec<Table>, StoreError> {
    let mut needs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    session.query(session.references_sql(), &[], &mut |row| {
        needs.entry(row.get(0)?).or_default().insert(row.get(1)?);
        Ok(())
    })?;
    let mut waiting = tables(session)?;
    let mut ordered: Vec<Table> = Vec::new();
    while !waiting.is_empty() {
        let missing = |table: &Table| {
            let needed = needs.get(&table.name).into_iter().flatten();
            let mut open = needed.filter(|name| ordered.iter().all(|it| it.name != **name));
            open.next().is_some()
        };
        let (later, ready): (Vec<Table>, Vec<Table>) = waiting.into_iter().partition(missing);
        if ready.is_empty() {
            let names: Vec<String> = later.into_iter().map(|table| table.name).collect();
            return Err(StoreError::Value(format!(
                "the tables {} refer to each other in a circle",
                names.join(", ")
            )));
        }
        ordered.extend(ready);
        waiting = later;
    }
    Ok(ordered)
}
