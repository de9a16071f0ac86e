//! Handling objections: take up, verify, answer. Who examined the case does not judge the objection
//! to it. An objector's name and telephone are shown with a reason only, and that is logged.

use serde::{Deserialize, Serialize};
use serde_json::json;
use vocab::Cause;

use super::desk_queries::{self, Contact, Objection};
use super::object::is_held;
use super::queries::{self, Line, Notice};
use super::{NoticeState, ObjectionState};
use crate::access::{Actor, Role};
use crate::account;
use crate::attachment::{self, Attachment, Subject};
use crate::casework::{self, Duty};
use crate::fund;
use crate::ids::{AccountId, AttachmentId, ObjectionId};
use crate::params;
use crate::party;
use crate::refusal::{Error, Refusal, Result};
use crate::store::{Event, Query, Tx, Value};

/// Roles that handle objections.
pub(super) const HANDLERS: &[Role] = &[Role::Reviewer, Role::CaseHandler];

/// The longest note on what was verified, in characters.
const LONGEST_NOTE: usize = 2_000;
/// The longest reason of an answer, in characters: it also stands in the list of the batch.
const LONGEST_REASON: usize = 500;

/// What an answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// 成立: the beneficiary is taken off the list.
    Upheld,
    /// 不成立: the beneficiary goes on.
    Dismissed,
}

impl Verdict {
    const fn state(self) -> ObjectionState {
        match self {
            Self::Upheld => ObjectionState::Upheld,
            Self::Dismissed => ObjectionState::Dismissed,
        }
    }
}

/// What an answer brought about.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Answered {
    /// What to tell the person.
    pub message: String,
}

/// Takes an objection up (受理核实).
///
/// # Errors
/// Refused where the actor may not handle it, it was taken up before, or the page is stale.
pub fn take_up(
    tx: &Tx<'_>,
    actor: &Actor,
    id: ObjectionId,
    version: i64,
    note: &str,
) -> Result<()> {
    let objection = open(tx, actor, id, version)?;
    if objection.state != ObjectionState::Received {
        return Err(changed(tx, &objection)?);
    }
    must_be_handler(tx, actor, &objection)?;
    let note = bounded("note", note, LONGEST_NOTE)?;
    let kept = (!note.is_empty()).then_some(note);
    change(
        tx,
        id,
        version,
        "state = ?3, handled_by = ?4, taken_up_at = ?5, verified_note = ?6",
        vec![
            ObjectionState::Verifying.code().into(),
            actor.account_id().into(),
            tx.now().into(),
            kept.into(),
        ],
    )?;
    event(tx, actor, "objection.take_up", id, json!({}));
    Ok(())
}

/// Keeps what was found so far (核实情况).
///
/// # Errors
/// As [`take_up`].
pub fn save_note(
    tx: &Tx<'_>,
    actor: &Actor,
    id: ObjectionId,
    version: i64,
    note: &str,
) -> Result<()> {
    let objection = open(tx, actor, id, version)?;
    if objection.state != ObjectionState::Verifying {
        return Err(not_taken_up().into());
    }
    must_be_handler(tx, actor, &objection)?;
    let note = required("note", note, LONGEST_NOTE, "请填写核实情况。")?;
    let kept = vec![actor.account_id().into(), note.into()];
    change(tx, id, version, "handled_by = ?3, verified_note = ?4", kept)?;
    event(tx, actor, "objection.note", id, json!({}));
    Ok(())
}

/// Refuses who does not take care of the objection: he takes it over first, so that it is seen.
fn must_be_handler(q: &dyn Query, actor: &Actor, objection: &Objection) -> Result<()> {
    match objection.handled_by {
        Some(handler) if handler != actor.account_id() => {
            let who = account::name_of(q, handler)?;
            let message = format!("这个异议由「{who}」核实。需要由您办理的，请先点「由我接手」。");
            Err(Refusal::conflict("objection-of-another", message).into())
        }
        _ => Ok(()),
    }
}

/// Takes an objection over from whoever takes care of it (接手).
///
/// # Errors
/// Refused where the actor may not handle it, or the page is stale.
pub(super) fn take_over(
    tx: &Tx<'_>,
    actor: &Actor,
    id: ObjectionId,
    version: i64,
) -> Result<String> {
    open(tx, actor, id, version)?;
    let mine = vec![actor.account_id().into()];
    change(tx, id, version, "handled_by = ?3", mine)?;
    event(tx, actor, "objection.take_over", id, json!({}));
    Ok("异议已由您接手核实。".to_owned())
}

/// Who may take an objection over from the actor: colleagues of his department who handle
/// objections and whose duties in the case do not exclude it.
///
/// # Errors
/// A fault of the store.
pub(super) fn successors(
    q: &dyn Query,
    actor: &Actor,
    objection: &Objection,
) -> Result<Vec<(AccountId, String)>> {
    let mut all = Vec::new();
    for role in HANDLERS {
        all.extend(account::colleagues(q, actor, *role)?);
    }
    all.sort_by(|one, other| (&one.1, one.0).cmp(&(&other.1, other.0)));
    all.dedup();
    let mut able = Vec::new();
    for one in all {
        if barring_duty(q, objection, one.0)?.is_none() && objection.handled_by != Some(one.0) {
            able.push(one);
        }
    }
    Ok(able)
}

/// Hands an objection over to a colleague (转交), who then takes care of it. Whoever may not answer
/// it himself may hand it over, too, as long as nobody takes care of it.
///
/// # Errors
/// Refused where the actor does not handle objections, the colleague may not, or the page is stale.
pub(super) fn hand_over(
    tx: &Tx<'_>,
    actor: &Actor,
    id: ObjectionId,
    version: i64,
    to: &str,
) -> Result<String> {
    let objection = desk_queries::find(tx, actor, id)?;
    if !actor.roles.any(HANDLERS) {
        return Err(no_role().into());
    }
    if objection.version != version || !objection.state.is_open() {
        return Err(changed(tx, &objection)?);
    }
    must_be_handler(tx, actor, &objection)?;
    let able = successors(tx, actor, &objection)?;
    let chosen = able.into_iter().find(|(one, _)| one.to_string() == to);
    let message = "请选择本部门一名没有办理过这个办件的审核人或经办人。";
    let (to, name) = chosen.ok_or_else(|| Refusal::field("to", "no-colleague", message))?;
    change(tx, id, version, "handled_by = ?3", vec![to.into()])?;
    event(tx, actor, "objection.hand_over", id, json!({ "to": to }));
    Ok(format!("异议已转交「{name}」。"))
}

/// Answers an objection. Upheld: its beneficiary leaves the list. Dismissed: its beneficiary goes on
/// once no other objection to it is open, and is final at once where the notice has ended.
///
/// # Errors
/// Refused where the actor examined the case, it was not taken up, what was verified or the reason
/// is missing, or the page is stale.
pub fn answer(
    tx: &Tx<'_>,
    actor: &Actor,
    id: ObjectionId,
    version: i64,
    verdict: Verdict,
    note: &str,
    reason: &str,
) -> Result<Answered> {
    let objection = open(tx, actor, id, version)?;
    if objection.state != ObjectionState::Verifying {
        return Err(not_taken_up().into());
    }
    must_be_handler(tx, actor, &objection)?;
    let note = required("note", note, LONGEST_NOTE, "请先填写核实情况，再作答复。")?;
    let reason = required(
        "reason",
        reason,
        LONGEST_REASON,
        "请写明答复理由，异议人凭回执编号可以查看。",
    )?;
    change(
        tx,
        id,
        version,
        "state = ?3, verified_note = ?4, answer = ?5, answered_by = ?6, answered_at = ?7",
        vec![
            verdict.state().code().into(),
            note.into(),
            reason.as_str().into(),
            actor.account_id().into(),
            tx.now().into(),
        ],
    )?;
    event(
        tx,
        actor,
        "objection.answer",
        id,
        json!({ "state": verdict.state().code() }),
    );
    let (notice, line) = (&objection.notice, &objection.line);
    // Nor may the notice end meanwhile: what a dismissed line does next depends on it.
    tx.hold("notice", notice.id)?;
    tx.hold("notice_entry", line.id)?;
    let message = if !queries::listed(tx, notice.batch)?.contains(&line.batch_entry) {
        "异议已答复。这一项此前已移出拟补名单。"
    } else {
        match verdict {
            Verdict::Upheld => remove(tx, actor, notice, line, &reason)?,
            Verdict::Dismissed if is_held(tx, line.id, Some(id))? => {
                "异议已答复。这一项还有其他异议未答复，继续暂缓。"
            }
            Verdict::Dismissed => release(tx, actor, notice, line)?,
        }
    };
    Ok(Answered {
        message: message.to_owned(),
    })
}

/// The beneficiary leaves the list; the clock of its case runs again from today.
fn remove(
    tx: &Tx<'_>,
    actor: &Actor,
    notice: &Notice,
    line: &Line,
    reason: &str,
) -> Result<&'static str> {
    casework::resume(tx, actor, line.case, Cause::Notice, tx.today())?;
    fund::remove_entry(tx, actor, line.batch_entry, reason)?;
    let title = format!("异议成立，已移出拟补名单：{}", line.summary);
    let body = format!(
        "公示 {} 期间的异议经核实成立，您这一项不再列入名单。\n理由：{reason}",
        notice.number
    );
    party::notify(tx, line.party, Some(line.case), &title, &body)?;
    Ok("异议成立，这一项已移出拟补名单。")
}

/// The beneficiary goes on. Where the notice has ended, the days until now are left out of its
/// case's limit, too, and it becomes final.
fn release(tx: &Tx<'_>, actor: &Actor, notice: &Notice, line: &Line) -> Result<&'static str> {
    fund::release_hold(tx, actor, line.batch_entry)?;
    let ended = notice.state == NoticeState::Ended;
    if ended {
        casework::resume(
            tx,
            actor,
            line.case,
            Cause::Notice,
            tx.today().max(notice.ends_on),
        )?;
        fund::finalise_entry(tx, actor, line.batch_entry)?;
    }
    let what = if ended {
        "已列入最终名单，进入拨付"
    } else {
        "继续公示，期满后列入最终名单"
    };
    let title = format!("异议不成立：{}", line.summary);
    let body = format!(
        "公示 {} 期间对您这一项的异议经核实不成立，{what}。",
        notice.number
    );
    party::notify(tx, line.party, Some(line.case), &title, &body)?;
    Ok(if ended {
        "异议不成立，这一项已列入最终名单。"
    } else {
        "异议不成立，这一项继续公示，期满后列入最终名单。"
    })
}

/// Shows an objector's name and telephone. Not to be run once under a key: the store would keep the
/// answer, and with it the name, in the clear.
///
/// # Errors
/// Refused without a reason and for whom the objection is not to be seen.
pub fn unmask(tx: &Tx<'_>, actor: &Actor, id: ObjectionId, reason: &str) -> Result<Contact> {
    let objection = desk_queries::find(tx, actor, id)?;
    let reason = required(
        "unmask_reason",
        reason,
        LONGEST_REASON,
        "请写明查看联系方式的用途，查看会记入日志。",
    )?;
    tx.event(Event {
        actor: actor.to_ref(),
        command: "objection.unmask",
        subject: ("objection", id.0),
        detail: json!({ "reason": vocab::mask_numbers(&reason) }),
        rows: Vec::new(),
    });
    Ok(desk_queries::contact(tx, &objection)?)
}

/// Opens a file of an objection, which may name the objector: logged.
///
/// # Errors
/// Refused as not found.
pub fn open_file(
    tx: &Tx<'_>,
    actor: &Actor,
    id: ObjectionId,
    file: AttachmentId,
) -> Result<Attachment> {
    desk_queries::find(tx, actor, id)?;
    let files = attachment::of_subject(tx, Subject::Objection(id))?;
    let found = files.into_iter().find(|known| known.id == file);
    let found = found.ok_or_else(|| Refusal::not_found("这个文件不在异议材料中，请刷新页面。"))?;
    tx.event(Event {
        actor: actor.to_ref(),
        command: "objection.open_file",
        subject: ("objection", id.0),
        detail: json!({ "attachment": file }),
        rows: Vec::new(),
    });
    Ok(found)
}

/// The objection, if the actor may handle it and the page is not stale.
fn open(tx: &Tx<'_>, actor: &Actor, id: ObjectionId, version: i64) -> Result<Objection> {
    let objection = desk_queries::find(tx, actor, id)?;
    may_handle(tx, actor, &objection)?;
    if objection.version != version || !objection.state.is_open() {
        return Err(changed(tx, &objection)?);
    }
    Ok(objection)
}

/// Refuses who is not reviewer or handler, and who examined or inspected this case.
pub(super) fn may_handle(q: &dyn Query, actor: &Actor, objection: &Objection) -> Result<()> {
    if !actor.roles.any(HANDLERS) {
        return Err(no_role().into());
    }
    match barring_duty(q, objection, actor.account_id())? {
        Some(refusal) => Err(refusal.into()),
        None => Ok(()),
    }
}

fn no_role() -> Refusal {
    let message = "异议由审核人或经办人办理，您的账号没有这个岗位。";
    Refusal::forbidden("objection-role", message)
}

/// Why this person may not judge the objection. Whoever examined, inspected or paid excludes
/// deciding, whoever decided excludes examining.
fn barring_duty(q: &dyn Query, objection: &Objection, who: AccountId) -> Result<Option<Refusal>> {
    for duty in [Duty::Decide, Duty::Examine] {
        match casework::check_duty(q, objection.line.case, who, duty) {
            Err(Error::Refused(_)) => {
                let message = "您办理过这个办件的审查、核查、审批或拨付，异议须由其他人员核实答复。请转交同部门其他人员。";
                return Ok(Some(Refusal::forbidden("incompatible-duties", message)));
            }
            other => other?,
        }
    }
    Ok(None)
}

fn changed(q: &dyn Query, objection: &Objection) -> Result<Error> {
    let who = objection.answered_by.or(objection.handled_by);
    let who = who.map(|id| account::name_of(q, id)).transpose()?;
    let who = who.map_or_else(|| "其他人员".to_owned(), |name| format!("「{name}」"));
    let message = format!(
        "这个异议刚刚由{who}办理过，现在是「{}」，您的操作没有生效。请刷新页面查看。",
        objection.state.zh()
    );
    Ok(Refusal::conflict("objection-changed", message).into())
}

fn not_taken_up() -> Refusal {
    Refusal::conflict("objection-not-taken-up", "请先受理这个异议，核实后再答复。")
}

fn bounded(field: &str, text: &str, longest: usize) -> Result<String> {
    let text = text.trim();
    if text.chars().count() > longest {
        let message = format!("不超过 {longest} 字，请精简。");
        return Err(Refusal::field(field, "max-length", message).into());
    }
    Ok(vocab::mask_numbers(text))
}

fn required(field: &str, text: &str, longest: usize, missing: &str) -> Result<String> {
    let text = bounded(field, text, longest)?;
    if text.chars().count() < 2 {
        return Err(Refusal::field(field, "required", missing).into());
    }
    Ok(text)
}

/// Changes an objection under its version; `?1` is the id, `?2` the version, values follow.
fn change(tx: &Tx<'_>, id: ObjectionId, version: i64, set: &str, values: Vec<Value>) -> Result<()> {
    let sql =
        format!("UPDATE objection SET {set}, version = version + 1 WHERE id = ?1 AND version = ?2");
    let mut all = Vec::from(params![id, version]);
    all.extend(values);
    if tx.execute(&sql, all)? == 1 {
        return Ok(());
    }
    let message = "这个异议刚刚被办理过，您的操作没有生效。请刷新页面查看。";
    Err(Refusal::conflict("objection-changed", message).into())
}

fn event(
    tx: &Tx<'_>,
    actor: &Actor,
    command: &'static str,
    id: ObjectionId,
    detail: serde_json::Value,
) {
    let (actor, rows) = (actor.to_ref(), vec![("objection", id.0)]);
    tx.event(Event {
        actor,
        command,
        subject: ("objection", id.0),
        detail,
        rows,
    });
}
