//! Audit events and the digests that bind rows to them.
//!
//! Owns the table `audit_event`, the column `last_event` of every bound table and the canonical
//! encoding of a row. Deliberately lacks numbering, the tree and signatures, which come after the
//! commit.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;

use jiff::Timestamp;
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;
use vocab::RegionCode;

use super::read::{Query, Row};
use super::session::Session;
use super::tx::Tx;
use super::value::{Value, ValueRef};
use super::{StoreError, params};

/// Who acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ActorKind {
    /// A person with an account.
    Account,
    /// A person at the server's console.
    Console,
    /// The program itself: a due job, a timer.
    System,
    /// Anybody, without an account.
    Public,
}

impl ActorKind {
    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Console => "console",
            Self::System => "system",
            Self::Public => "public",
        }
    }
}

/// The one who acts, as the log names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActorRef {
    /// Kind of actor.
    pub kind: ActorKind,
    /// Row of the account, where there is one.
    pub id: Option<Uuid>,
    /// Log-in name, operating-system user or name of the job; never a personal value.
    pub label: String,
    /// Where the actor belongs; the public belongs nowhere.
    pub region: Option<RegionCode>,
}

/// What a command did, for the audit log.
#[derive(Clone, Debug)]
pub struct Event {
    /// Who did it.
    pub actor: ActorRef,
    /// Stable name of the command, such as `case.accept`.
    pub command: &'static str,
    /// Table and id of what it is about.
    pub subject: (&'static str, Uuid),
    /// Further facts; never personal values.
    pub detail: serde_json::Value,
    /// Tables and ids of all bound rows the command inserted or changed. Each such table has the
    /// columns `id` (16 bytes, primary key) and `last_event` (16 bytes, without an index).
    /// A row the command deleted cannot be named here; the subject and the detail can tell of it.
    pub rows: Vec<(&'static str, Uuid)>,
}

/// An event as it was written.
#[derive(Clone, Debug)]
pub struct Written {
    /// Its id.
    pub id: Uuid,
    /// When the command was asked for.
    pub at: Timestamp,
    /// Row of the account that did it, where there is one.
    pub actor_id: Option<Uuid>,
    /// Who did it: log-in name, `console:<OS user>`, `system`, `public`.
    pub actor: String,
    /// Name of the command.
    pub command: String,
    /// Table of what it is about.
    pub subject_table: String,
    /// Id of what it is about.
    pub subject_id: Uuid,
    /// Further facts as JSON.
    pub detail: String,
}

/// The columns of a written event that hold the region of the actor and that of the subject.
pub const EVENT_REGIONS: (&str, &str) = ("actor_region", "region_code");

/// Which written events are asked for.
#[derive(Clone, Debug)]
pub struct EventFilter {
    /// A condition over [`EVENT_REGIONS`]: what the reader may see.
    pub visible: String,
    /// The values of that condition.
    pub values: Vec<Value>,
    /// From this instant on.
    pub from: Option<Timestamp>,
    /// Before this instant.
    pub until: Option<Timestamp>,
    /// One of these commands; none means any.
    pub commands: Vec<String>,
    /// Done by somebody so named, or a session refused to one of these accounts.
    pub by: Option<(Vec<String>, Vec<Uuid>)>,
    /// About a row of one of these tables with one of these ids.
    pub subjects: Option<(Vec<&'static str>, Vec<Uuid>)>,
}

/// The command that notes a log-in refused to the account it is about.
pub const SESSION_REFUSED: &str = "session.refuse";

/// Values an event's condition lists at most; a longer list is cut.
const LISTED: usize = 1_000;

impl EventFilter {
    /// Everything the condition lets the reader see.
    pub fn new(visible: String, values: Vec<Value>) -> Self {
        Self {
            visible,
            values,
            from: None,
            until: None,
            commands: Vec::new(),
            by: None,
            subjects: None,
        }
    }

    fn condition(&self) -> (String, Vec<Value>) {
        let (mut sql, mut values) = (self.visible.clone(), self.values.clone());
        if let Some(from) = self.from {
            values.push(from.into());
            let _ = write!(sql, " AND at >= ?{}", values.len());
        }
        if let Some(until) = self.until {
            values.push(until.into());
            let _ = write!(sql, " AND at < ?{}", values.len());
        }
        if !self.commands.is_empty() {
            let one = one_of("command", self.commands.iter().cloned(), &mut values);
            let _ = write!(sql, " AND {one}");
        }
        if let Some((labels, accounts)) = &self.by {
            let named = one_of("actor_label", labels.iter().cloned(), &mut values);
            let known = one_of("subject_id", accounts.iter().copied(), &mut values);
            let _ = write!(
                sql,
                " AND ({named} OR (command = '{SESSION_REFUSED}' AND subject_table = 'account' AND {known}))"
            );
        }
        if let Some((tables, ids)) = &self.subjects {
            let table = one_of("subject_table", tables.iter().copied(), &mut values);
            let id = one_of("subject_id", ids.iter().copied(), &mut values);
            let _ = write!(sql, " AND {table} AND {id}");
        }
        (sql, values)
    }
}

/// A condition that a column holds one of some values; an empty list holds nothing.
fn one_of<T: Into<Value>>(
    column: &str,
    of: impl Iterator<Item = T>,
    values: &mut Vec<Value>,
) -> String {
    let before = values.len();
    values.extend(of.take(LISTED).map(Into::into));
    if values.len() == before {
        return "1 = 0".to_owned();
    }
    let places: Vec<String> = (before + 1..=values.len())
        .map(|n| format!("?{n}"))
        .collect();
    format!("{column} IN ({})", places.join(", "))
}

/// Written events, newest first.
///
/// # Errors
/// What the engine reports.
pub fn written(
    q: &dyn Query,
    filter: &EventFilter,
    limit: u32,
    offset: i64,
) -> Result<Vec<Written>, StoreError> {
    let (sql, values) = listing(filter, limit, offset);
    q.rows(&sql, values, |r| {
        Ok(Written {
            id: r.get(0)?,
            at: r.get(1)?,
            actor_id: r.get(2)?,
            actor: r.get(3)?,
            command: r.get(4)?,
            subject_table: r.get(5)?,
            subject_id: r.get(6)?,
            detail: r.get(7)?,
        })
    })
}

/// The statement of [`written`], with its values.
pub(super) fn listing(filter: &EventFilter, limit: u32, offset: i64) -> (String, Vec<Value>) {
    let (condition, mut values) = filter.condition();
    values.extend([Value::from(limit), Value::from(offset)]);
    let (limit, offset) = (values.len() - 1, values.len());
    let sql = format!(
        "SELECT id, at, actor_id, actor_label, command, subject_table, subject_id, detail \
         FROM audit_event WHERE {condition} ORDER BY at DESC, id DESC LIMIT ?{limit} OFFSET ?{offset}"
    );
    (sql, values)
}

/// The names beginning so that the log has of whoever acted.
///
/// # Errors
/// What the engine reports.
pub fn labels_from(q: &dyn Query, beginning: &str) -> Result<Vec<String>, StoreError> {
    let end = format!("{beginning}\u{10ffff}");
    q.rows(
        "SELECT DISTINCT actor_label FROM audit_event WHERE actor_label >= ?1 AND actor_label < ?2 \
         ORDER BY actor_label LIMIT 200",
        params![beginning, end],
        |row| row.get(0),
    )
}

/// Who wrote an event, and when: for telling the loser of a race who was faster.
///
/// # Errors
/// What the engine reports.
pub fn who_wrote(q: &dyn Query, event: Uuid) -> Result<Option<(String, Timestamp)>, StoreError> {
    q.row_opt(
        "SELECT actor_label, at FROM audit_event WHERE id = ?1",
        params![event],
        |r| Ok((r.get(0)?, r.get(1)?)),
    )
}

/// How many events [`written`] finds.
///
/// # Errors
/// What the engine reports.
pub fn count_written(q: &dyn Query, filter: &EventFilter) -> Result<u64, StoreError> {
    let (condition, values) = filter.condition();
    let sql = format!("SELECT COUNT(*) FROM audit_event WHERE {condition}");
    q.row(&sql, values, |r| r.get(0))
}

/// An event of a running command, not yet written.
pub(super) struct Pending {
    pub(super) id: Uuid,
    pub(super) event: Event,
}

/// How a bound table is stamped: one UPDATE that answers with the row.
#[derive(Debug)]
pub(super) struct Shape {
    update: String,
    /// Columns in name order, without `last_event`.
    columns: Vec<String>,
    /// Expression of the region of the row whose id is parameter 8.
    region: String,
}

/// All tables with a column `last_event`, read once after the migrations.
pub(super) type Shapes = HashMap<String, Shape>;

/// The region of a table's row whose id is parameter 8: its own, or that of the row it names as
/// the one it belongs to (`notice_id` of a row names a notice); `NULL` where it has neither.
fn region_of(table: &str, columns: &HashMap<String, Vec<String>>) -> String {
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

/// Reads the shapes of all bound tables.
pub(super) fn shapes(session: Session<'_>) -> Result<Shapes, StoreError> {
    let mut tables: HashMap<String, Vec<String>> = HashMap::new();
    session.query(session.columns_sql(), &[], &mut |row| {
        tables.entry(row.get(0)?).or_default().push(row.get(1)?);
        Ok(())
    })?;
    let bound = |columns: &[String]| {
        ["id", "last_event"]
            .iter()
            .all(|it| columns.iter().any(|c| c == it))
    };
    let every = tables.clone();
    tables.retain(|_, columns| bound(columns));
    Ok(tables
        .into_iter()
        .map(|(table, mut columns)| {
            let region = region_of(&table, &every);
            columns.retain(|column| column != "last_event");
            columns.sort();
            let update = format!(
                "UPDATE {table} SET last_event = ?1 WHERE id = ?2 RETURNING {}",
                columns.join(", ")
            );
            let shape = Shape {
                update,
                columns,
                region,
            };
            (table, shape)
        })
        .collect())
}

/// Stamps all rows named by the events of a command and writes the events.
///
/// A row named by several events belongs to the last: the earlier ones list it without a digest.
pub(super) fn write(tx: &Tx<'_>, shapes: &Shapes, pending: &[Pending]) -> Result<(), StoreError> {
    let mut owner: HashMap<(&str, Uuid), Uuid> = HashMap::new();
    for Pending { id, event } in pending {
        owner.extend(event.rows.iter().map(|row| (*row, *id)));
    }
    for Pending { id, event } in pending {
        let mut rows = Vec::with_capacity(event.rows.len());
        let mut seen = HashSet::new();
        for (table, row) in event.rows.iter().filter(|named| seen.insert(**named)) {
            rows.push(if owner.get(&(*table, *row)) == Some(id) {
                json!({"table": table, "id": row, "digest": stamp(tx, shapes, table, *row, *id)?})
            } else {
                json!({"table": table, "id": row})
            });
        }
        let region = shapes
            .get(event.subject.0)
            .map_or("NULL", |shape| shape.region.as_str());
        insert(tx, *id, event, rows.into(), region)?;
    }
    Ok(())
}

fn insert(
    tx: &Tx<'_>,
    id: Uuid,
    event: &Event,
    rows: serde_json::Value,
    region: &str,
) -> Result<(), StoreError> {
    let Event {
        actor,
        command,
        subject,
        detail,
        ..
    } = event;
    let sql = format!(
        "INSERT INTO audit_event (id, at, actor_kind, actor_id, actor_label, command, \
         subject_table, subject_id, detail, rows, actor_region, region_code) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, {region})"
    );
    tx.execute(
        &sql,
        params![
            id,
            tx.now(),
            actor.kind.as_str(),
            actor.id,
            &actor.label,
            *command,
            subject.0,
            subject.1,
            detail,
            rows,
            actor.region.map(|region| region.to_string())
        ],
    )
    .map(drop)
}

/// Sets `last_event` of a row and gives the row's digest.
fn stamp(
    tx: &Tx<'_>,
    shapes: &Shapes,
    table: &str,
    row: Uuid,
    event: Uuid,
) -> Result<String, StoreError> {
    let shape = shapes.get(table).ok_or_else(|| {
        StoreError::Statement(format!("{table} has no columns id and last_event"))
    })?;
    tx.row(&shape.update, params![event, row], |r| {
        digest(&shape.columns, r)
    })
    .map_err(|error| match error {
        StoreError::NotFound(_) => {
            StoreError::NotFound(format!("{table} {row}, named by an event"))
        }
        other => other,
    })
}

/// SHA-256 over (column, value) pairs in name order; nulls are left out, ciphertext is as stored.
///
/// Each pair is: length of the name (4 bytes, big endian), name, one letter for the type, and the
/// value: `i` 8 bytes, `r` 8 bytes IEEE 754, `t` and `b` a length of 8 bytes and the bytes.
pub(super) fn digest(columns: &[String], row: &Row<'_>) -> Result<String, StoreError> {
    let mut hash = Sha256::new();
    for (index, column) in columns.iter().enumerate() {
        let value = row.inner.column(index)?;
        if value == ValueRef::Null {
            continue;
        }
        hash.update((column.len() as u32).to_be_bytes());
        hash.update(column);
        match value {
            ValueRef::Null => {}
            ValueRef::Int(it) => {
                hash.update(b"i");
                hash.update(it.to_be_bytes());
            }
            ValueRef::Real(it) => {
                hash.update(b"r");
                hash.update(it.to_bits().to_be_bytes());
            }
            ValueRef::Text(it) => update_bytes(&mut hash, b"t", it.as_bytes()),
            ValueRef::Blob(it) => update_bytes(&mut hash, b"b", it),
        }
    }
    let mut text = String::from("sha256:");
    for byte in hash.finalize() {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}

fn update_bytes(hash: &mut Sha256, letter: &[u8; 1], bytes: &[u8]) {
    hash.update(letter);
    hash.update((bytes.len() as u64).to_be_bytes());
    hash.update(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The digest of a row of literals, the columns given in name order.
    fn digest_of(columns: &[&str], values: &str) -> String {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        let columns: Vec<String> = columns.iter().map(|it| (*it).to_owned()).collect();
        let mut found = String::new();
        Session::Sqlite(&connection)
            .query(&format!("SELECT {values}"), &[], &mut |row| {
                found = digest(&columns, row)?;
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
}
