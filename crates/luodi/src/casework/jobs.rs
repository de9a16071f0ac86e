//! Timers of cases: a job whose time has come gives the process its input.

use process::{ActivityId, Input};
use serde_json::json;

use super::clock;
use super::engine::Run;
use super::queries::{load_case, waiting_of};
use crate::access::Actor;
use crate::ids::CaseId;
use crate::item;
use crate::refusal::{Refusal, Result};
use crate::store::Tx;

/// A timer of a case fires. A case that has moved on meanwhile is left as it is.
///
/// # Errors
/// Refused where the payload names no case; a fault of the store.
pub fn work_timer(tx: &Tx, payload: &serde_json::Value) -> Result<()> {
    let case = payload
        .get("case")
        .and_then(|id| id.as_str())
        .and_then(|id| id.parse::<CaseId>().ok());
    let activity = payload.get("activity").and_then(serde_json::Value::as_u64);
    let (Some(case), Some(activity)) = (case, activity.and_then(|n| u32::try_from(n).ok())) else {
        return Err(Refusal::invalid("timer-payload", "定时任务的内容无法识别。").into());
    };
    let case = load_case(tx, case)?;
    let package = item::load(tx, &case.item_hash)?;
    let state: process::State = serde_json::from_str(&case.process_state).unwrap_or_default();
    if case.ended_at.is_some() || state.activity(ActivityId(activity)).is_none() {
        return Ok(());
    }
    let actor = Actor::system(case.region);
    let tasks = waiting_of(tx, case.id)?;
    let id = case.id;
    let mut run = Run::new((tx, tx.now()), &package, case, tasks);
    run.advance(Input::TimerFired {
        activity: ActivityId(activity),
    })?;
    let ended = run.case.ended_at.is_some();
    if ended {
        super::suspension::close_open_suspensions(tx, &actor, id)?;
    }
    clock::set(tx, &mut run.case, None, tx.today())?;
    let changed = run.changed();
    let detail = json!({ "activity": activity, "state": &changed.case.state });
    changed.write(tx, &actor, "case.timer", detail)?;
    if ended {
        let case = changed.case;
        super::submit::release_claim(tx, id)?;
        let title = format!("办件已关闭：{}", case.title);
        let body = format!(
            "办件号 {}：补正期限已到，没有收到补正材料。可重新申报。",
            case.number
        );
        crate::party::notify(tx, case.party, Some(id), &title, &body)?;
    }
    Ok(())
}
