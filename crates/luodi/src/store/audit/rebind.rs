//! Binds rows anew after an upgrade: a migration changes rows without an event, and binds tables
//! that were not bound before. What differs from its last event is named by an event of its own.

use std::collections::HashMap;

use serde_json::json;
use uuid::Uuid;

use super::bound::{Shape, digest};
use super::{ActorKind, ActorRef, Event};
use crate::store::read::holding;
use crate::store::tx::Tx;
use crate::store::{StoreError, params};

/// Rows looked at in one command.
const AT_ONCE: u32 = 500;

/// A row as it is looked at: its id and its digest, and the event it points to.
type Found = (Vec<u8>, Option<Vec<u8>>, String);

/// Binds some rows of a table, those after an id; gives the last id looked at, none at the end.
pub(in crate::store) fn rebind(
    tx: &Tx<'_>,
    (table, shape): (&'static str, &Shape),
    after: &[u8],
) -> Result<Option<Vec<u8>>, StoreError> {
    let (last, differing) = match &shape.owner {
        None => one_by_one(tx, table, shape, after)?,
        Some(owner) => by_owner(tx, table, owner, after)?,
    };
    if !differing.is_empty() {
        tx.event(Event {
            actor: ActorRef {
                kind: ActorKind::System,
                id: None,
                label: "system".to_owned(),
                region: None,
            },
            command: "log.rebind",
            subject: (table, Uuid::nil()),
            detail: json!({ "rows": differing.len() }),
            rows: differing.into_iter().map(|id| (table, id)).collect(),
        });
    }
    Ok(last)
}

/// The rows that differ from what the event says to which they point.
fn one_by_one(
    tx: &Tx<'_>,
    table: &str,
    shape: &Shape,
    after: &[u8],
) -> Result<(Option<Vec<u8>>, Vec<Uuid>), StoreError> {
    let (columns, width) = (shape.columns.join(", "), shape.columns.len());
    let sql =
        format!("SELECT {columns}, id, last_event FROM {table} WHERE id > ?1 ORDER BY id LIMIT ?2");
    let page: Vec<Found> = tx.rows(&sql, params![after, AT_ONCE], |row| {
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
                    let rows: Option<String> = tx.row_opt(sql, params![event], |row| row.get(0))?;
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
    Ok((page.into_iter().next_back().map(|(id, ..)| id), differing))
}

/// The owners of a table that no event names yet: all of them, or none.
fn by_owner(
    tx: &Tx<'_>,
    table: &str,
    owner: &str,
    after: &[u8],
) -> Result<(Option<Vec<u8>>, Vec<Uuid>), StoreError> {
    if after.is_empty() {
        let named = holding(&format!("\"table\":\"{table}\""));
        let sql = "SELECT 1 FROM audit_event WHERE rows LIKE ?1 ESCAPE '!' LIMIT 1";
        if tx
            .row_opt(sql, params![named], |row| row.get::<i64>(0))?
            .is_some()
        {
            return Ok((None, Vec::new()));
        }
    }
    let sql = format!(
        "SELECT DISTINCT {owner} FROM {table} WHERE {owner} > ?1 ORDER BY {owner} LIMIT ?2"
    );
    let owners: Vec<Vec<u8>> = tx.rows(&sql, params![after, AT_ONCE], |row| row.get(0))?;
    let ids = owners
        .iter()
        .map(|id| Uuid::from_slice(id).unwrap_or_default())
        .collect();
    Ok((owners.into_iter().next_back(), ids))
}
