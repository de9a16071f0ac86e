//! What waits for somebody who makes lists or pays.

use jiff::civil::Date;

use super::batch::MAKERS;
use super::outcome::sum_outcomes;
use super::payment_queries::FileFilter;
use super::queries::Condition;
use super::state::{BatchState, EntryState, FileState, Outcome};
use crate::access::{Actor, Role, ScopeColumns};
use crate::casework;
use crate::refusal::Result;
use crate::store::{Query, StoreError};
use crate::web::form::Waiting;

const SCOPE: ScopeColumns = ScopeColumns {
    region: "b.region_code",
    department: Some("b.department_id"),
    party: None,
};

/// Approved cases that no list holds yet.
///
/// # Errors
/// A fault of the store.
pub fn unlisted(q: &dyn Query, actor: &Actor, today: Date) -> Result<Option<Waiting>> {
    if !actor.roles.any(MAKERS) {
        return Ok(None);
    }
    let (approved, overdue) = casework::approved(q, actor, today)?;
    let unlisted = approved.saturating_sub(listed(q, actor)?);
    let waiting = Waiting::new("待列入拟补名单的办件", (unlisted, "件"), "/batches/new");
    Ok(waiting.map(|mut cases| {
        if overdue > 0 {
            cases.urgent = format!("未公示的办件中 {overdue} 件已超期");
        }
        cases
    }))
}

/// What finance has to pay, to hear from the bank about, or to pay again.
///
/// # Errors
/// A fault of the store.
pub fn payments_waiting(q: &dyn Query, actor: &Actor) -> Result<Vec<Waiting>> {
    if !actor.has(Role::Finance) {
        return Ok(Vec::new());
    }
    let unpaid = batches_in(q, actor, BatchState::Final)?;
    let sent = files(q, actor, FileState::Sent)?;
    let partly = files(q, actor, FileState::Partly)?;
    let outcomes = sum_outcomes(q, actor, &FileFilter::default())?;
    let returned = outcomes.iter().find(|(it, _)| *it == Outcome::Returned);
    let returned = returned.map_or(0, |(_, sum)| sum.count);
    let rows = [
        Waiting::new("待拨付的批次", (unpaid, "批"), "/batches?state=final"),
        Waiting::new("待银行回单的支付文件", (sent, "个"), "/payments?state=sent"),
        Waiting::new(
            "部分回单的支付文件",
            (partly, "个"),
            "/payments?state=partly",
        ),
        Waiting::new(
            "被退回、待重新拨付的款项",
            (returned, "笔"),
            "/payments?outcome=returned",
        ),
    ];
    Ok(rows.into_iter().flatten().collect())
}

/// Entries of lists that are not published yet.
fn listed(q: &dyn Query, actor: &Actor) -> Result<u64, StoreError> {
    let mut condition = Condition::visible(actor, SCOPE);
    condition.and("b.state = ??", BatchState::Proposed.code());
    condition.and("e.state <> ??", EntryState::Removed.code());
    count(
        q,
        "FROM batch b JOIN batch_entry e ON e.batch_id = b.id",
        condition,
    )
}

/// How many batches that the actor may see stand in a state.
///
/// # Errors
/// A fault of the store.
pub fn batches_in(q: &dyn Query, actor: &Actor, state: BatchState) -> Result<u64, StoreError> {
    let mut condition = Condition::visible(actor, SCOPE);
    condition.and("b.state = ??", state.code());
    count(q, "FROM batch b", condition)
}

fn files(q: &dyn Query, actor: &Actor, state: FileState) -> Result<u64, StoreError> {
    let mut condition = Condition::visible(actor, SCOPE);
    condition.and("f.state = ??", state.code());
    count(
        q,
        "FROM payment_file f JOIN batch b ON b.id = f.batch_id",
        condition,
    )
}

fn count(q: &dyn Query, from: &str, condition: Condition) -> Result<u64, StoreError> {
    let sql = format!("SELECT COUNT(*) {from} WHERE {}", condition.sql);
    q.row(&sql, condition.values, |row| row.get(0))
}
