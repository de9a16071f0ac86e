//! Stopping the clock of a case and letting it run again, each with its cause.

use jiff::civil::Date;
use serde_json::json;
use vocab::Cause;

use super::clock;
use super::commands::event_rows;
use super::engine::changed_meanwhile;
use crate::access::Actor;
use crate::ids::CaseId;
use crate::params;
use crate::refusal::Result;
use crate::store::Tx;

/// Stops the clock of a case from `on`, e.g. for the days of a public notice.
///
/// # Errors
/// A fault of the store.
pub fn suspend(
    tx: &Tx,
    actor: &Actor,
    case: CaseId,
    cause: Cause,
    on: Date,
    note: &str,
) -> Result<()> {
    start_suspension(tx, actor, case, cause, on, note)?;
    Ok(clock::refresh(tx, case)?)
}

/// Lets the clock of a case run again after `on`.
///
/// # Errors
/// A fault of the store.
pub fn resume(tx: &Tx, actor: &Actor, case: CaseId, cause: Cause, on: Date) -> Result<()> {
    end_suspension(tx, actor, case, cause, on)?;
    Ok(clock::refresh(tx, case)?)
}

/// The case's list is published: its state says so, and its clock stands from today.
///
/// # Errors
/// A fault of the store.
pub fn enter_notice(tx: &Tx, actor: &Actor, case: CaseId, note: &str) -> Result<()> {
    set_state(tx, case, "noticed")?;
    suspend(tx, actor, case, Cause::Notice, tx.today(), note)
}

/// The notice has ended, but an objection to the case waits for its answer.
///
/// # Errors
/// A fault of the store.
pub fn await_answer(tx: &Tx, actor: &Actor, case: CaseId) -> Result<()> {
    set_state(tx, case, "disputed")?;
    let rows = vec![("casework", case.0)];
    event_rows(tx, actor, "case.await_answer", case, json!({}), rows)
}

/// A state between two tasks of the process, brought by the batch the case stands in.
fn set_state(tx: &Tx, case: CaseId, state: &str) -> Result<()> {
    tx.execute(
        "UPDATE casework SET state = ?2, version = version + 1 WHERE id = ?1",
        params![case, state],
    )?;
    Ok(())
}

/// The cause as stored: its serde name.
fn cause_code(cause: Cause) -> Result<String> {
    let text = serde_json::to_value(cause)
        .ok()
        .and_then(|v| v.as_str().map(str::to_owned));
    text.ok_or_else(changed_meanwhile)
}

pub(super) fn start_suspension(
    tx: &Tx,
    actor: &Actor,
    case: CaseId,
    cause: Cause,
    on: Date,
    note: &str,
) -> Result<()> {
    let id = tx.new_id();
    tx.execute(
        "INSERT INTO suspension (id, case_id, reason, suspended_on, note) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![id, case, cause_code(cause)?, on, note],
    )?;
    event_rows(
        tx,
        actor,
        "case.suspend",
        case,
        json!({ "cause": cause, "on": on }),
        vec![("suspension", id), ("casework", case.0)],
    )
}

pub(super) fn end_suspension(
    tx: &Tx,
    actor: &Actor,
    case: CaseId,
    cause: Cause,
    on: Date,
) -> Result<()> {
    let open = tx.rows(
        "SELECT id FROM suspension WHERE case_id = ?1 AND reason = ?2 AND resumed_on IS NULL",
        params![case, cause_code(cause)?],
        |row| row.get::<uuid::Uuid>(0),
    )?;
    for id in open {
        tx.execute(
            "UPDATE suspension SET resumed_on = ?2 WHERE id = ?1",
            params![id, on],
        )?;
        event_rows(
            tx,
            actor,
            "case.resume",
            case,
            json!({ "cause": cause, "on": on }),
            vec![("suspension", id), ("casework", case.0)],
        )?;
    }
    Ok(())
}

/// A case that ends lets no suspension stand open.
pub(super) fn close_open_suspensions(tx: &Tx, actor: &Actor, case: CaseId) -> Result<()> {
    end_suspension(tx, actor, case, Cause::Correction, tx.today())?;
    end_suspension(tx, actor, case, Cause::Notice, tx.today())
}
