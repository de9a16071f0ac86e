//! The end of a notice: by its job at 24:00 of the last day, or by hand afterwards. Everybody
//! without an open objection becomes final; the others wait for their answer.

use serde::{Deserialize, Serialize};
use serde_json::json;
use vocab::Cause;

use super::publish::may_publish;
use super::queries::{self, LineState, Notice};
use super::{END_JOB, NoticeState};
use crate::access::Actor;
use crate::casework;
use crate::fund;
use crate::ids::NoticeId;
use crate::params;
use crate::refusal::{Refusal, Result};
use crate::store::{Event, Tx};

/// What the end of a notice brought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Number of the paper.
    pub number: String,
    /// Beneficiaries now final.
    pub finalised: u64,
    /// Beneficiaries that wait for the answer to an objection.
    pub held: u64,
}

/// Ends a notice whose period is over (公示期满，转为最终名单).
///
/// # Errors
/// Refused before the end of the last day, where it was ended before, and where the actor does not
/// publish for this department.
pub fn end(tx: &Tx<'_>, actor: &Actor, id: NoticeId, version: i64) -> Result<Ended> {
    let notice = queries::find(tx, id)?;
    may_publish(actor, &notice.scope())?;
    if notice.version != version || notice.state == NoticeState::Ended {
        let message = "这个公示刚刚被办理过（可能已由系统按期转为最终名单）。请刷新页面查看。";
        return Err(Refusal::conflict("notice-changed", message).into());
    }
    if tx.today() <= notice.ends_on {
        return Err(still_running(&notice).into());
    }
    tx.cancel_job(END_JOB, &id.to_string())?;
    close(tx, actor, &notice)
}

fn still_running(notice: &Notice) -> Refusal {
    let day = notice.ends_on;
    let message = format!("公示期到 {day} 24 时才届满，期满后方可转为最终名单。");
    Refusal::conflict("notice-running", message)
}

/// The job that ends a notice. One that was ended by hand is left as it is.
///
/// # Errors
/// Refused where the payload names no notice or the period is not over; a fault of the store.
pub fn work_end(tx: &Tx<'_>, payload: &serde_json::Value) -> Result<()> {
    let id = payload
        .get("notice")
        .and_then(|id| id.as_str())
        .and_then(|id| id.parse().ok());
    let Some(id) = id else {
        return Err(Refusal::invalid("notice-payload", "定时任务的内容无法识别。").into());
    };
    let notice = queries::find(tx, id)?;
    if notice.state == NoticeState::Ended {
        return Ok(());
    }
    if tx.today() <= notice.ends_on {
        return Err(still_running(&notice).into());
    }
    close(tx, &Actor::system(notice.region), &notice).map(drop)
}

fn close(tx: &Tx<'_>, actor: &Actor, notice: &Notice) -> Result<Ended> {
    tx.execute(
        "UPDATE notice SET state = ?2, ended_at = ?3, version = version + 1 WHERE id = ?1",
        params![notice.id, NoticeState::Ended.code(), tx.now()],
    )?;
    let mut held = 0;
    for (line, state) in queries::lines_with_states(tx, notice)? {
        match state {
            LineState::Clear => {
                casework::resume(tx, actor, line.case, Cause::Notice, notice.ends_on)?
            }
            LineState::Held => {
                casework::await_answer(tx, actor, line.case)?;
                held += 1;
            }
            LineState::Removed => {}
        }
    }
    let finalised = fund::finalise(tx, actor, notice.batch)? as u64;
    let ended = Ended {
        number: notice.number.clone(),
        finalised,
        held,
    };
    let detail = json!({ "finalised": ended.finalised, "held": ended.held });
    tx.event(Event {
        actor: actor.to_ref(),
        command: "notice.end",
        subject: ("notice", notice.id.0),
        detail,
        rows: vec![("notice", notice.id.0)],
    });
    Ok(ended)
}
