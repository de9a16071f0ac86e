//! What people do with a case. Every command checks permission and version, moves the process,
//! and writes its event, in one transaction.

use process::{ActivityId, Input};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::clock;
use super::correction::{ask_as_the_process_says, ask_correction, until_when};
use super::duty::{Duty, record_duty, record_for};
use super::engine::{Run, changed_meanwhile};
use super::facts;
use super::queries::{CaseRow, TaskRow, load_case, load_task, open_task_at, tasks_of};
use super::state;
use super::submit::release_claim;
use super::suspension::close_open_suspensions;
use crate::access::{self, Actor, Role, may_see};
use crate::account;
use crate::form::Values;
use crate::ids::{AccountId, CaseId, TaskId};
use crate::item::{self, Effect, Outcome, Package, TaskSpec};
use crate::params;
use crate::party;
use crate::refusal::{Error, FieldError, Refusal, Result};
use crate::store::{Event, Tx};

/// What a command on a case brought about.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Completed {
    /// The case.
    pub case: CaseId,
    /// Its number.
    pub number: String,
    /// Its state now.
    pub state: String,
    /// What to tell the person.
    pub message: String,
}

/// What a person says when completing a task.
#[derive(Clone, Debug)]
pub struct Completion {
    /// The case the page showed; a task of another case is not found.
    pub case: CaseId,
    /// The task.
    pub task: TaskId,
    /// The version of the task the page showed.
    pub version: i64,
    /// The outcome chosen.
    pub outcome: String,
    /// Why, where the outcome needs it.
    pub reason: String,
    /// `wrong` or `incomplete`, where a correction is asked.
    pub correction: String,
    /// The task's own form, checked.
    pub values: Values,
    /// The colleague at an inspection.
    pub second_officer: Option<AccountId>,
}

/// Completes a task of staff: accept, examine, inspect, decide.
///
/// # Errors
/// Refused where the actor may not, the page is stale, a reason is missing, the duty excludes an
/// earlier one, or the inspection lacks a second officer.
pub fn complete_task(tx: &Tx, actor: &Actor, completion: &Completion) -> Result<Completed> {
    let task = load_task(tx, completion.task)?;
    if task.case != completion.case {
        return Err(Refusal::not_found("这个办件没有这项任务。请刷新页面。").into());
    }
    let case = load_case(tx, task.case)?;
    let package = item::load(tx, &case.item_hash)?;
    let spec = task_spec(&package, &task)?;
    may_complete(actor, &case, &task)?;
    let outcome = find_outcome(spec, &completion.outcome)?;
    let wrong = missing(spec, completion);
    if !wrong.is_empty() {
        return Err(Refusal::fields(wrong).into());
    }
    if let Some(duty) = Duty::from_code(&spec.duty) {
        record_duty(tx, case.id, actor, duty)?;
        if duty == Duty::Inspect && spec.takes_values(&outcome.value) {
            record_inspection(tx, actor, &case, completion)?;
        }
    }
    finish(tx, actor, &package, case, &task, completion, outcome)
}

/// Ends the task, does what its outcome stands for, and moves the process.
pub(super) fn finish(
    tx: &Tx,
    actor: &Actor,
    package: &Package,
    case: CaseRow,
    task: &TaskRow,
    completion: &Completion,
    outcome: &Outcome,
) -> Result<Completed> {
    end_task(tx, actor, (package, task), completion)?;
    let case = if carry_out(tx, actor, &case, outcome, completion)? {
        load_case(tx, case.id)?
    } else {
        case
    };
    let values = facts::open_form(tx, &package.form, &case)?;
    let context = facts::context(package, &values, &tasks_of(tx, case.id)?, &outcome.value);
    let mut run = Run {
        tx,
        package,
        case,
        context,
    };
    run.advance(Input::Complete {
        activity: ActivityId(task.activity),
    })?;
    run.save()?;
    let case = run.case;
    if case.ended_at.is_some() && case.state != "paid" {
        release_claim(tx, case.id)?;
    }
    let asked = ask_as_the_process_says(tx, actor, package, &case)?;
    clock::refresh(tx, case.id)?;
    let detail = json!({
        "task": &task.node, "outcome": &outcome.value, "state": &case.state,
        "amount_fen": case.amount.map(|fen| fen.0),
    });
    tx.event(Event {
        actor: actor.to_ref(),
        command: "case.complete_task",
        subject: ("casework", case.id.0),
        detail,
        rows: changed_rows(tx, case.id)?,
    });
    tell_applicant(tx, package, &case, task, outcome, &completion.reason)?;
    // Where the case stands is not always what the button said, e.g. after a measurement.
    let stands = state::words(&case.state);
    let message = match asked {
        Some(asked) => format!(
            "{}已登记，系统按规则转为补正：{asked} 当前：{stands}。",
            task.name
        ),
        None => format!("{}：{}。当前：{stands}。", task.name, outcome.label),
    };
    Ok(Completed {
        case: case.id,
        number: case.number,
        state: case.state,
        message,
    })
}

pub(super) fn task_spec<'a>(package: &'a Package, task: &TaskRow) -> Result<&'a TaskSpec> {
    package.item.tasks.get(&task.node).ok_or_else(|| {
        Refusal::conflict(
            "task-unknown",
            "事项中没有这项任务的说明，请联系事项管理员。",
        )
        .into()
    })
}

fn may_complete(actor: &Actor, case: &CaseRow, task: &TaskRow) -> Result<()> {
    if !may_see(actor, &case.scope()) {
        return Err(
            Refusal::not_found("没有这个办件，或者您无权查看。请从工作台重新进入。").into(),
        );
    }
    let may = Role::from_code(&task.role)
        .is_some_and(|role| access::may_act(actor, role, Some(case.department)));
    if !may {
        let role = Role::from_code(&task.role).map_or("批次经办", Role::zh);
        let message = format!("「{}」由{role}办理，您的账号没有这个岗位。", task.name);
        return Err(Refusal::forbidden("task-role", message).into());
    }
    Ok(())
}

fn find_outcome<'a>(spec: &'a TaskSpec, value: &str) -> Result<&'a Outcome> {
    spec.outcomes
        .iter()
        .find(|outcome| outcome.value == value)
        .ok_or_else(|| Refusal::field("action", "outcome", "请选择一个办理结论。").into())
}

/// What a completion lacks beside the task's own form: the reason, the kind of a correction, the
/// colleague of an inspection. All of it, so that a page shows it at once.
pub(super) fn missing(spec: &TaskSpec, completion: &Completion) -> Vec<FieldError> {
    let Ok(outcome) = find_outcome(spec, &completion.outcome) else {
        return Vec::new();
    };
    let mut wrong = Vec::new();
    let mut add = |field: &str, rule: &'static str, message: String| {
        wrong.push(FieldError {
            field: field.to_owned(),
            rule: rule.into(),
            message,
        });
    };
    let inspects = spec.duty == Duty::Inspect.code() && spec.takes_values(&outcome.value);
    if inspects && completion.second_officer.is_none() {
        add("second_officer", "two-officers", SECOND_OFFICER.to_owned());
    }
    let written = completion.reason.trim().chars().count();
    if outcome.reason && written < 2 {
        add(
            "reason",
            "required",
            format!("「{}」需要写明理由。", outcome.label),
        );
    }
    if written > MAX_REASON {
        let message = format!("理由不超过 {MAX_REASON} 字，请精简或作为附件上传。");
        add("reason", "max-length", message);
    }
    let asks = outcome.effect == Effect::AskCorrection;
    if asks && !CORRECTIONS.contains(&completion.correction.as_str()) {
        let message = "请选择补正属于「内容有误」还是「材料不齐」，两者的计时不同。".to_owned();
        add("correction", "required", message);
    }
    wrong
}

const SECOND_OFFICER: &str = "现场核查须由两名工作人员进行，请选择同行的另一名核查人员。";

/// The most characters of a reason.
const MAX_REASON: usize = 2_000;

/// Kinds of a correction: content that is wrong (the clock stands), papers that are missing (it
/// begins anew).
const CORRECTIONS: &[&str] = &["wrong", "incomplete"];

/// Ends the task under the version the page showed; the loser of a race learns who was faster.
fn end_task(
    tx: &Tx,
    actor: &Actor,
    (package, task): (&Package, &TaskRow),
    completion: &Completion,
) -> Result<()> {
    let data = completion.values.to_json();
    let ended = tx.execute(
        "UPDATE task SET state = 'done', completed_at = ?3, completed_by = ?4, completed_by_label = ?5, \
         outcome = ?6, reason = ?7, data = ?8, version = version + 1 \
         WHERE id = ?1 AND version = ?2 AND state = 'open'",
        params![
            task.id, completion.version, tx.now(), actor.account_id(), &actor.name,
            &completion.outcome, completion.reason.trim(), data
        ],
    )?;
    if ended == 1 {
        return Ok(());
    }
    let now = load_task(tx, task.id)?;
    match (now.completed_by, now.outcome) {
        (Some(who), Some(outcome)) => {
            let spec = package.task(&task.node);
            let mut outcomes = spec.iter().flat_map(|spec| &spec.outcomes);
            let label = outcomes.find(|one| one.value == outcome);
            let outcome = label.map_or(outcome.as_str(), |one| one.label.as_str());
            let message = format!(
                "这项任务已由「{who}」办理（结论：{outcome}），您的操作没有生效。请刷新页面查看。"
            );
            Err(Refusal::conflict("task-done", message).into())
        }
        _ => Err(changed_meanwhile()),
    }
}

/// Says whether the case's row is no longer the one loaded.
fn carry_out(
    tx: &Tx,
    actor: &Actor,
    case: &CaseRow,
    outcome: &Outcome,
    completion: &Completion,
) -> Result<bool> {
    match outcome.effect {
        Effect::Accept => {
            tx.execute(
                "UPDATE casework SET accepted_on = ?2 WHERE id = ?1 AND accepted_on IS NULL",
                params![case.id, tx.today()],
            )?;
        }
        Effect::AskCorrection => ask_correction(tx, actor, case, completion)?,
        // The answer is in the row already.
        Effect::AnswerCorrection => {}
        Effect::None | Effect::Refuse | Effect::DecideFor | Effect::DecideAgainst => {
            return Ok(false);
        }
    }
    Ok(true)
}

fn record_inspection(
    tx: &Tx,
    actor: &Actor,
    case: &CaseRow,
    completion: &Completion,
) -> Result<()> {
    let second = completion
        .second_officer
        .filter(|second| *second != actor.account_id());
    let Some(second) = second else {
        return Err(Refusal::field("second_officer", "two-officers", SECOND_OFFICER).into());
    };
    let colleague =
        account::colleague(tx, actor, second, Role::CaseHandler).map_err(|error| match error {
            Error::Refused(refusal) => {
                Refusal::field("second_officer", "two-officers", refusal.message).into()
            }
            fault => fault,
        })?;
    record_for(tx, case.id, second, Duty::Inspect)?;
    let on = completion
        .values
        .date("inspected_on")
        .unwrap_or_else(|| tx.today());
    if on > tx.today() {
        return Err(Refusal::field("inspected_on", "not-future", "核查日期不能晚于今天。").into());
    }
    if let Some(accepted) = case.accepted_on.filter(|accepted| on < *accepted) {
        let message = format!("核查日期不能早于受理日期 {accepted}，请核对核查日期。");
        return Err(Refusal::field("inspected_on", "before-acceptance", message).into());
    }
    let id = tx.new_id();
    tx.execute(
        "INSERT INTO inspection (id, case_id, inspected_on, officer_id, second_officer_id, finding, data) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            id, case.id, on, actor.account_id(), second, completion.values.text("findings"),
            completion.values.to_json()
        ],
    )?;
    let detail = json!({ "second": colleague });
    event_rows(
        tx,
        actor,
        "case.inspect",
        case.id,
        detail,
        vec![("inspection", id)],
    )
}

/// The applicant withdraws a case that is not in a public notice yet.
///
/// # Errors
/// Refused where the case is not the actor's, has ended, or is already in a batch.
pub fn withdraw(
    tx: &Tx,
    actor: &Actor,
    case: CaseId,
    version: i64,
    reason: &str,
) -> Result<Completed> {
    let mut case = load_case(tx, case)?;
    if actor.party != Some(case.party) {
        return Err(
            Refusal::not_found("没有这个办件，或者您无权办理。请从「我的办件」重新进入。").into(),
        );
    }
    if case.version != version {
        return Err(changed_meanwhile());
    }
    let batched = tasks_of(tx, case.id)?
        .iter()
        .any(|task| task.role == "batch");
    if case.ended_at.is_some() || batched {
        let message =
            "办件已办结或已列入拟补名单，不能再撤回。如需放弃补贴，请在公示期内提出书面说明。";
        return Err(Refusal::conflict("withdraw-late", message).into());
    }
    let package = item::load(tx, &case.item_hash)?;
    case.state = "withdrawn".to_owned();
    case.ended_at = Some(tx.now());
    let mut run = Run {
        tx,
        package: &package,
        case,
        context: policy::feel::Context::new(),
    };
    run.advance(Input::Cancel)?;
    run.save()?;
    let case = run.case;
    release_claim(tx, case.id)?;
    close_open_suspensions(tx, actor, case.id)?;
    event(
        tx,
        actor,
        "case.withdraw",
        case.id,
        json!({ "reason": vocab::mask_numbers(reason.trim()).chars().take(200).collect::<String>() }),
    )?;
    let message = format!("办件 {} 已撤回。", case.number);
    Ok(Completed {
        case: case.id,
        number: case.number,
        state: case.state,
        message,
    })
}

/// Ends a task of role `batch` of a case: the batch was published, became final, was paid.
/// `duty` is recorded for the actor, so that who decided cannot pay.
///
/// # Errors
/// Refused where the case does not wait there, or the duty excludes an earlier one.
pub fn complete_by_batch(
    tx: &Tx,
    actor: &Actor,
    case: CaseId,
    node: &str,
    outcome: &str,
    reason: &str,
    duty: Option<Duty>,
) -> Result<Completed> {
    let case = load_case(tx, case)?;
    let package = item::load(tx, &case.item_hash)?;
    let task = open_task_at(tx, case.id, node)?.ok_or_else(changed_meanwhile)?;
    let spec = task_spec(&package, &task)?;
    if spec.role != "batch" {
        return Err(Refusal::forbidden("task-role", "这项任务不由批次办理。").into());
    }
    if let Some(duty) = duty {
        record_duty(tx, case.id, actor, duty)?;
    }
    let outcome = find_outcome(spec, outcome)?;
    let completion = Completion {
        case: case.id,
        task: task.id,
        version: task.version,
        outcome: outcome.value.clone(),
        reason: reason.to_owned(),
        correction: String::new(),
        values: Values::default(),
        second_officer: None,
    };
    finish(tx, actor, &package, case, &task, &completion, outcome)
}

/// Tells the applicant what concerns him: acceptance, a correction asked, a decision.
fn tell_applicant(
    tx: &Tx,
    package: &Package,
    case: &CaseRow,
    task: &TaskRow,
    outcome: &Outcome,
    reason: &str,
) -> Result<()> {
    let what = match outcome.effect {
        Effect::Accept => "申报已受理",
        Effect::AskCorrection => "申报材料需要补正",
        Effect::Refuse => "申报不予受理",
        Effect::DecideFor => "申报已通过审批，列入拟补名单后公示",
        Effect::DecideAgainst => "申报未予支持",
        Effect::None | Effect::AnswerCorrection => return Ok(()),
    };
    let title = format!("{what}：{}", case.title);
    let reason = if reason.trim().is_empty() {
        String::new()
    } else {
        format!("\n说明：{}", reason.trim())
    };
    let until = if outcome.effect == Effect::AskCorrection {
        until_when(tx, package, case.id)?
    } else {
        String::new()
    };
    let body = format!(
        "办件号 {}，{}：{}。{reason}{until}",
        case.number, task.name, outcome.label
    );
    party::notify(tx, case.party, Some(case.id), &title, &body)
}

/// The case and its tasks that this command created, ended or took back.
pub(super) fn changed_rows(tx: &Tx, case: CaseId) -> Result<Vec<(&'static str, uuid::Uuid)>> {
    let now = Some(tx.now());
    let tasks = tasks_of(tx, case)?.into_iter();
    let touched = tasks.filter(|task| Some(task.created_at) == now || task.completed_at == now);
    let mut rows = vec![("casework", case.0)];
    rows.extend(touched.map(|task| ("task", task.id.0)));
    Ok(rows)
}

pub(super) fn event(
    tx: &Tx,
    actor: &Actor,
    command: &'static str,
    case: CaseId,
    detail: serde_json::Value,
) -> Result<()> {
    event_rows(tx, actor, command, case, detail, changed_rows(tx, case)?)
}

pub(super) fn event_rows(
    tx: &Tx,
    actor: &Actor,
    command: &'static str,
    case: CaseId,
    detail: serde_json::Value,
    rows: Vec<(&'static str, uuid::Uuid)>,
) -> Result<()> {
    tx.event(Event {
        actor: actor.to_ref(),
        command,
        subject: ("casework", case.0),
        detail,
        rows,
    });
    Ok(())
}
