//! Compares rows with what the last event that names them says.

use uuid::Uuid;

use super::walk::{Named, Walked};
use super::{Finding, Findings, id_or_nil};
use crate::store::audit::bound::{Shape, Shapes, digest, together};
use crate::store::audit::rebind::further;
use crate::store::read::Query;
use crate::store::value::Value;
use crate::store::{StoreError, params};

/// Rows read at once.
const AT_ONCE: u32 = 2_000;

/// Compares all rows of all bound tables; says how many tables and rows.
pub(super) fn check(
    q: &dyn Query,
    shapes: &Shapes,
    walked: &mut Walked,
    findings: &mut Findings,
) -> Result<(u64, u64), StoreError> {
    let (mut tables, mut rows) = (0, 0);
    for (table, shape) in shapes.one_by_one() {
        tables += 1;
        rows += one_by_one(q, (table, shape), walked, findings)?;
    }
    for (table, shape) in shapes.together() {
        tables += 1;
        rows += by_owner(q, (table, shape), walked, findings)?;
    }
    gone(q, walked, findings)?;
    Ok((tables, rows))
}

fn one_by_one(
    q: &dyn Query,
    (table, shape): (&str, &Shape),
    walked: &mut Walked,
    findings: &mut Findings,
) -> Result<u64, StoreError> {
    let columns = shape.columns.join(", ");
    let width = shape.columns.len();
    let (mut count, mut after) = (0, None::<Vec<u8>>);
    loop {
        let further = further("id", after.as_deref());
        let sql =
            format!("SELECT {columns}, id, last_event FROM {table} {further} ORDER BY id LIMIT ?2");
        let from = after.as_deref().unwrap_or_default();
        let page = q.rows(&sql, params![from, AT_ONCE], |row| {
            let digest = digest(&shape.bytes(row)?);
            Ok((
                row.get::<Vec<u8>>(width)?,
                row.get::<Option<Vec<u8>>>(width + 1)?,
                digest,
            ))
        })?;
        let full = page.len() == AT_ONCE as usize;
        for (id, event, digest) in page {
            count += 1;
            let (row, event) = (id_or_nil(&id), event.as_deref().map(id_or_nil));
            let check = walked.check(event, &digest);
            let key = walked.key(table, row);
            match walked.last.get_mut(&key) {
                Some(last) => {
                    last.met = true;
                    if last.check != check {
                        let number = last.number;
                        findings.add(differs(
                            (q, walked),
                            (table, row),
                            (event, &digest),
                            number,
                        )?);
                    }
                }
                None => findings.add(unknown(table, row, event)),
            }
            after = Some(id);
        }
        if !full {
            all_met(q, table, count, findings)?;
            return Ok(count);
        }
    }
}

fn by_owner(
    q: &dyn Query,
    (table, shape): (&str, &Shape),
    walked: &mut Walked,
    findings: &mut Findings,
) -> Result<u64, StoreError> {
    let Some(owner) = shape.owner else {
        return Ok(0);
    };
    let (columns, by) = (shape.columns.join(", "), owner.column());
    let width = shape.columns.len();
    let (mut count, mut after, mut limit) = (0, None::<Value>, AT_ONCE);
    loop {
        let further = further(by, after.as_ref());
        let sql = format!("SELECT {columns}, {by} FROM {table} {further} ORDER BY {by} LIMIT ?2");
        let from = after.clone().unwrap_or_else(|| owner.first());
        let mut page = q.rows(&sql, params![from, limit], |row| {
            Ok((owner.read(row, width)?, shape.bytes(row)?))
        })?;
        let full = page.len() == limit as usize;
        if full {
            // The rows of the last owner may go on in the next page.
            let last = page.last().map(|(owner, _)| owner.clone());
            page.retain(|(owner, _)| Some(owner) != last.as_ref());
            if page.is_empty() {
                limit = limit.saturating_mul(2);
                continue;
            }
        }
        for group in page.chunk_by(|a, b| a.0 == b.0) {
            count += group.len() as u64;
            let Some(((value, row), _)) = group.first() else {
                continue;
            };
            let row = *row;
            let digest = together(group.iter().map(|(_, bytes)| bytes.clone()).collect());
            let (key, check) = (walked.key(table, row), walked.check(None, &digest));
            match walked.last.get_mut(&key) {
                Some(last) => {
                    last.met = true;
                    if last.check != check {
                        let number = last.number;
                        findings.add(differs((q, walked), (table, row), (None, &digest), number)?);
                    }
                }
                None => findings.add(unknown(table, row, None)),
            }
            after = Some(value.clone());
        }
        if !full {
            all_met(q, table, count, findings)?;
            return Ok(count);
        }
    }
}

/// Whether every row was reached by its id: one whose id is null, or that another order of bytes
/// hides, was not.
fn all_met(
    q: &dyn Query,
    table: &str,
    count: u64,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    let sql = format!("SELECT COUNT(*) FROM {table}");
    let all: u64 = q.row(&sql, params![], |row| row.get(0))?;
    if all != count {
        let why = format!("表里有 {all} 行，按编号只找到 {count} 行：有的行没有编号。");
        findings.log(table, why);
    }
    Ok(())
}

/// A row that no event names.
fn unknown(table: &str, id: Uuid, event: Option<Uuid>) -> Finding {
    Finding {
        event,
        number: None,
        table: table.to_owned(),
        id: Some(id),
        why: "没有任何事件写过这一行：它是被加进来或复制的。".to_owned(),
    }
}

/// Why a row is not as the last event that names it left it.
fn differs(
    (q, walked): (&dyn Query, &Walked),
    (table, id): (&str, Uuid),
    (event, digest): (Option<Uuid>, &str),
    number: u64,
) -> Result<Finding, StoreError> {
    let last = numbered(q, walked, number)?;
    let said = |event: Option<&Uuid>| match event {
        Some(event) => digest_in(q, *event, (table, id)),
        None => Ok(None),
    };
    let why = if event.is_some() && event != last {
        match said(event.as_ref())? {
            Some(older) if older == digest => "这一行被换回了旧的内容。",
            _ => "这一行被改动，它指向的事件不是最后写它的那个。",
        }
    } else {
        "这一行被改动：内容与最后写它的事件不符。"
    };
    Ok(Finding {
        event: last,
        number: Some(number),
        table: table.to_owned(),
        id: Some(id),
        why: why.to_owned(),
    })
}

/// The event of a number, or the one that waits for it.
fn numbered(q: &dyn Query, walked: &Walked, number: u64) -> Result<Option<Uuid>, StoreError> {
    if let Some(after) = number.checked_sub(walked.size) {
        let at = usize::try_from(after).unwrap_or(usize::MAX);
        return Ok(walked.waiting.get(at).copied());
    }
    let sql = "SELECT event_id FROM audit_leaf WHERE number = ?1";
    q.row_opt(sql, params![super::tree::number(number)?], |row| row.get(0))
}

/// What an event says of a row.
fn digest_in(
    q: &dyn Query,
    event: Uuid,
    (table, id): (&str, Uuid),
) -> Result<Option<String>, StoreError> {
    let sql = "SELECT rows FROM audit_event WHERE id = ?1";
    let rows = q.row_opt(sql, params![event], |row| row.get::<String>(0))?;
    let rows = rows.unwrap_or_default();
    let named: Vec<Named<'_>> = serde_json::from_str(&rows).unwrap_or_default();
    Ok(named
        .iter()
        .find(|named| named.table == table && named.id == id)
        .and_then(|named| named.digest)
        .map(str::to_owned))
}

/// Rows that an event names and that are not there any more.
fn gone(q: &dyn Query, walked: &Walked, findings: &mut Findings) -> Result<(), StoreError> {
    let none = walked.check(None, &together(Vec::new()));
    let mut missing: Vec<(u64, u64)> = walked
        .last
        .iter()
        .filter(|(_, last)| !last.met && last.check != none)
        .map(|(key, last)| (last.number, *key))
        .collect();
    missing.sort_unstable();
    for (number, key) in missing {
        let event = numbered(q, walked, number)?;
        let sql = "SELECT rows FROM audit_event WHERE id = ?1";
        let rows = match event {
            Some(event) => q.row_opt(sql, params![event], |row| row.get::<String>(0))?,
            None => None,
        };
        let rows = rows.unwrap_or_default();
        let named: Vec<Named<'_>> = serde_json::from_str(&rows).unwrap_or_default();
        let which = named
            .iter()
            .find(|named| walked.key(named.table, named.id) == key);
        findings.add(Finding {
            event,
            number: Some(number),
            table: which.map_or_else(String::new, |named| named.table.to_owned()),
            id: which.map(|named| named.id),
            why: "这一行被删除。".to_owned(),
        });
    }
    Ok(())
}
