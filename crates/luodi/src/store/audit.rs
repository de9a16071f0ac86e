//! Audit events and the digests that bind rows to them.
//!
//! Owns the table `audit_event`, the column `last_event` of every bound table and what the digest of
//! a row covers. After the commit `sequence` gives events their numbers, in a tree (`tree`) whose
//! root it signs; `verify` recomputes everything, `export` and `proof` are what others can check.

pub(super) mod bound;
pub(super) mod export;
pub(super) mod mark;
pub(super) mod number;
pub(super) mod proof;
pub(super) mod rebind;
mod record;
mod seal;
pub(super) mod sequence;
mod standing;
pub(super) mod tree;
pub(super) mod untouched;
pub(super) mod upgrade;
pub(super) mod verify;

use std::collections::{HashMap, HashSet};
use std::fmt::Write;

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;
use vocab::RegionCode;

use self::bound::Shapes;
use self::record::Record;
use super::read::Query;
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

impl ActorRef {
    /// The program itself.
    pub(super) fn system() -> Self {
        Self {
            kind: ActorKind::System,
            id: None,
            label: "system".to_owned(),
            region: None,
        }
    }
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
    /// Of a table without `last_event` all rows that belong to one owner are named together, by the
    /// owner's id.
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
    /// Its number in the log; none while it waits for it.
    pub number: Option<u64>,
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
    /// This one event.
    pub event: Option<Uuid>,
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
            event: None,
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
        if let Some(event) = self.event {
            values.push(event.into());
            let _ = write!(sql, " AND id = ?{}", values.len());
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
            number: r.get(8)?,
        })
    })
}

/// The statement of [`written`], with its values.
pub(super) fn listing(filter: &EventFilter, limit: u32, offset: i64) -> (String, Vec<Value>) {
    let (condition, mut values) = filter.condition();
    values.extend([Value::from(limit), Value::from(offset)]);
    let (limit, offset) = (values.len() - 1, values.len());
    let sql = format!(
        "SELECT id, at, actor_id, actor_label, command, subject_table, subject_id, detail, \
         (SELECT number FROM audit_leaf l WHERE l.event_id = audit_event.id) \
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

/// The bytes that the digest of a row covers, from its columns in the order of their names.
pub(super) fn encoded<'a>(columns: impl Iterator<Item = (&'a str, ValueRef<'a>)>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(4_096);
    columns.for_each(|(name, value)| record::pair(&mut bytes, name, value));
    bytes
}

/// The digest of rows that are bound together, each as its bytes.
pub(super) fn together(rows: Vec<Vec<u8>>) -> String {
    bound::together(rows)
}

/// An event of a running command, not yet written.
pub(super) struct Pending {
    pub(super) id: Uuid,
    pub(super) event: Event,
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
            let owned = owner.get(&(*table, *row)) == Some(id);
            let digest = owned.then(|| shapes.bind(tx, table, *row, *id));
            rows.push(Named {
                digest: digest.transpose()?,
                id: *row,
                table,
            });
        }
        let rows = serde_json::to_string(&rows)
            .map_err(|error| StoreError::Value(format!("rows of an event: {error}")))?;
        insert(tx, *id, event, rows, shapes.region(event.subject.0))?;
    }
    Ok(())
}

/// A row as an event names it.
#[derive(Serialize)]
struct Named<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    id: Uuid,
    table: &'a str,
}

/// Writes an event, and puts it among those that wait for their number.
fn insert(
    tx: &Tx<'_>,
    id: Uuid,
    event: &Event,
    rows: String,
    region: &str,
) -> Result<(), StoreError> {
    let Event {
        actor,
        command,
        subject,
        detail,
        ..
    } = event;
    let known = tx.region_of(*subject);
    let (region, asks) = match known {
        Some(_) => ("?12", ""),
        None => (region, " RETURNING region_code"),
    };
    let sql = format!(
        "INSERT INTO audit_event (id, at, actor_kind, actor_id, actor_label, command, \
         subject_table, subject_id, detail, rows, actor_region, region_code) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, {region}){asks}"
    );
    let mut record = Record {
        actor_id: actor.id,
        actor_kind: actor.kind.as_str().to_owned(),
        actor_label: actor.label.clone(),
        actor_region: actor.region.map(|region| region.to_string()),
        at: tx.now().as_millisecond(),
        command: (*command).to_owned(),
        detail: detail.to_string(),
        id,
        region_code: None,
        rows,
        subject_id: subject.1,
        subject_table: subject.0.to_owned(),
    };
    let mut values = params![
        id,
        tx.now(),
        &record.actor_kind,
        actor.id,
        &record.actor_label,
        *command,
        subject.0,
        subject.1,
        &record.detail,
        &record.rows,
        &record.actor_region
    ]
    .to_vec();
    record.region_code = match known {
        Some(region) => {
            values.push(region.as_str().into());
            tx.execute(&sql, values)?;
            Some(region)
        }
        None => tx.row(&sql, values, |r| r.get(0))?,
    };
    sequence::wait(tx, id, &record.leaf())
}
