//! What people do with a case. Every command checks permission and version, moves the process,
//! and writes its event, in one transaction.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use process::{ActivityId, Input};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::clock;
use super::correction::{Asked, ask_as_the_process_says, until_when};
use super::duty::{Duty, NewDuties, record_duty};
use super::engine::{Changed, Run, changed_meanwhile, write_end};
use super::held::{done_by, refuse_held, tell_stand_in};
use super::queries::{CaseRow, TaskRow, load_case, load_task, tasks_of, waiting_of};
use super::state;
use super::submit::release_claim;
use super::suspension::close_open_suspensions;
use crate::access::{self, Actor, Role, may_see};
use crate::account;
use crate::form::Values;
use crate::ids::{AccountId, CaseId, TaskId};
use crate::item::{self, Effect, Outcome, Package, TaskSpec};
use crate::party::{self, Reach};
use crate::refusal::{Error, FieldError, Refusal, Result};
use crate::store::{Event, Query, Tx, day_in_china};

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
    complete_decided(tx, actor, completion, None)
}

/// As [`complete_task`], with what [`decide_ahead`] found before the command's turn. Where the case
/// has changed since, it is decided anew.
///
/// # Errors
/// As [`complete_task`].
pub fn complete_decided(
    tx: &Tx,
    actor: &Actor,
    completion: &Completion,
    ahead: Option<&Decision>,
) -> Result<Completed> {
    if let Some(decision) = ahead.filter(|ahead| ahead.is_of(actor, completion))
        && let Some(completed) = decision.carry_out(tx)?
    {
        return Ok(completed);
    }
    let decision = decide(tx, tx.now(), actor, completion)?;
    decision.carry_out(tx)?.ok_or_else(changed_meanwhile)
}

/// What the completion of a task comes to as things stand, for [`complete_decided`]: everything but
/// the writing, so that it need not be done while others wait for their turn. `now` is when the
/// command is asked for. `None` where it would be refused: the command itself says why, for it may
/// find its answer stored, or the case changed.
///
/// # Errors
/// A fault of the store.
pub fn decide_ahead(
    q: &dyn Query,
    now: Timestamp,
    actor: &Actor,
    completion: &Completion,
) -> Result<Option<Decision>> {
    match decide(q, now, actor, completion) {
        Ok(decision) => Ok(Some(decision)),
        Err(Error::Refused(_)) => Ok(None),
        Err(fault) => Err(fault),
    }
}

fn decide(
    q: &dyn Query,
    now: Timestamp,
    actor: &Actor,
    completion: &Completion,
) -> Result<Decision> {
    // A reason is read by many: a number in it that may be somebody's is kept to its end.
    let completion = Completion {
        reason: vocab::mask_numbers(&completion.reason),
        ..completion.clone()
    };
    let case = load_case(q, completion.case)?;
    let tasks = waiting_of(q, case.id)?;
    let task = match tasks.iter().find(|task| task.id == completion.task) {
        Some(waits) => waits.clone(),
        // Who comes too late still learns of it in the order of the checks below.
        None => load_task(q, completion.task)?,
    };
    if task.case != case.id {
        return Err(Refusal::not_found("这个办件没有这项任务。请刷新页面。").into());
    }
    let package = item::load(q, &case.item_hash)?;
    let spec = task_spec(&package, &task)?;
    may_complete(actor, &case, &task)?;
    refuse_held(q, actor, &task, completion.version)?;
    let outcome = find_outcome(spec, &completion.outcome)?;
    let wrong = missing(spec, &completion);
    if !wrong.is_empty() {
        return Err(Refusal::fields(wrong).into());
    }
    let mut done = Done::default();
    if let Some(duty) = Duty::from_code(&spec.duty) {
        done.duties = NewDuties::read(q, case.id)?;
        done.duties.add(actor, duty)?;
        if duty == Duty::Inspect && spec.takes_values(&outcome.value) {
            let today = day_in_china(now);
            let inspection = inspection(q, actor, &case, &completion, today)?;
            let second = inspection.second;
            done.duties.add_of(second, duty)?;
            done.inspection = Some(inspection);
        }
    }
    let run = Run::new((q, now), &package, case, tasks);
    finish(run, actor, (&task, &completion, outcome), done)
}

/// What a completion does beside moving the process.
#[derive(Default)]
pub(super) struct Done {
    /// Duties not noted before, and whose.
    duties: NewDuties,
    inspection: Option<Inspection>,
    /// A correction that is asked with it.
    asks: Option<Asked>,
}

/// The completion of a task, decided and not written.
pub struct Decision {
    package: Arc<Package>,
    actor: Actor,
    /// His name, as the case says it.
    by: String,
    completion: Completion,
    task: TaskRow,
    done: Done,
    changed: Changed,
    detail: serde_json::Value,
    /// Titles and bodies for the applicant, where it concerns him.
    tells: Vec<(String, String)>,
    /// How he is told. A party whose case is running is not erased, and the case is still what was
    /// read where this is written.
    reach: Option<Reach>,
    message: String,
}

impl Decision {
    /// Whether it is what this actor asks.
    fn is_of(&self, actor: &Actor, completion: &Completion) -> bool {
        self.actor.account_id() == actor.account_id() && self.completion.task == completion.task
    }

    /// Writes it. `None`, and nothing is written, where the case is not what was read any more.
    pub(super) fn carry_out(&self, tx: &Tx) -> Result<Option<Completed>> {
        let Self {
            actor,
            completion,
            changed,
            done,
            ..
        } = self;
        let (inspected, event) = (tx.new_id(), tx.new_id());
        if !changed.save(tx, event)? {
            return Ok(None);
        }
        let case = &changed.case;
        let data = sealed_data(tx, &self.package, case, (&self.task, completion))?;
        if let Some(inspection) = &done.inspection {
            inspection.write(tx, actor, case.id, inspected, &data)?;
        }
        // Every change of a task names its case in the same event.
        if !write_end(tx, event, (actor, &self.by), (&self.task, completion), data)? {
            return Err(changed_meanwhile());
        }
        let mut touched = vec![completion.task];
        touched.extend(changed.carry_out(tx, event)?);
        done.duties.write(tx, case.id)?;
        if let Some(asks) = &done.asks {
            asks.write(tx, actor, case.id)?;
        }
        let detail = self.detail.clone();
        changed.note(tx, actor, ("case.complete_task", event), detail, &touched);
        if case.ended_at.is_some() && case.state != "paid" {
            release_claim(tx, case.id)?;
        }
        for ((title, body), reach) in self.tells.iter().zip(self.reach.iter().cycle()) {
            party::tell(tx, reach, Some(case.id), title, body)?;
        }
        Ok(Some(Completed {
            case: case.id,
            number: case.number.clone(),
            state: case.state.clone(),
            message: self.message.clone(),
        }))
    }
}

/// Decides the end of the task: what its outcome stands for, and how the process moves.
pub(super) fn finish(
    mut run: Run<'_>,
    actor: &Actor,
    (task, completion, outcome): (&TaskRow, &Completion, &Outcome),
    mut done: Done,
) -> Result<Decision> {
    let package = run.package;
    let waits = run.tasks.iter().find(|one| one.id == task.id);
    if waits.is_none_or(|waits| waits.version != completion.version) {
        return Err(ended_by_another(run.q, package, task)?);
    }
    let by = done_by(run.q, actor, task)?;
    run.end_task(&by, completion);
    let mut begins = None;
    if outcome.effect == Effect::Accept {
        let today = run.today();
        run.case.accepted_on.get_or_insert(today);
    }
    if outcome.effect == Effect::AskCorrection {
        let asked = Asked::by_officer(&run, completion);
        begins = asked.suspension(run.today());
        done.asks = Some(asked);
    }
    run.outcome.clone_from(&outcome.value);
    run.advance(Input::Complete {
        activity: ActivityId(task.activity),
    })?;
    if done.asks.is_none() {
        done.asks = ask_as_the_process_says(&run)?;
        begins = done
            .asks
            .as_ref()
            .and_then(|asks| asks.suspension(run.today()));
    }
    let today = run.today();
    clock::set(run.q, &mut run.case, begins, today)?;
    let mut detail = json!({
        "task": &task.node, "outcome": &outcome.value, "state": &run.case.state,
        "amount_fen": run.case.amount.map(|fen| fen.0),
    });
    tell_stand_in(&mut detail, task.stand_in_for);
    let until = until_when(package, &run.tasks);
    let tells = what_to_tell(&run.case, task, outcome, (&completion.reason, &until));
    let asked = done.asks.as_ref().and_then(Asked::tells).cloned();
    let tells: Vec<_> = tells.into_iter().chain(asked).collect();
    let reach = (!tells.is_empty()).then(|| party::reach(run.q, run.case.party));
    // Where the case stands is not always what the button said, e.g. after a measurement.
    let stands = state::words(&run.case.state);
    let by_rule = done.asks.as_ref().and_then(Asked::by_rule);
    let message = match by_rule {
        Some(asked) => format!(
            "{}已登记，系统按规则转为补正：{asked} 当前：{stands}。",
            task.name
        ),
        None => format!("{}：{}。当前：{stands}。", task.name, outcome.label),
    };
    Ok(Decision {
        package: package.clone(),
        actor: actor.clone(),
        by,
        completion: completion.clone(),
        task: task.clone(),
        done,
        changed: run.changed(),
        detail,
        tells,
        reach: reach.transpose()?,
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

pub(super) fn may_complete(actor: &Actor, case: &CaseRow, task: &TaskRow) -> Result<()> {
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

/// The loser of a race learns who was faster.
fn ended_by_another(q: &dyn Query, package: &Package, task: &TaskRow) -> Result<Error> {
    let now = load_task(q, task.id)?;
    let (Some(who), Some(outcome)) = (now.completed_by, now.outcome) else {
        return Ok(changed_meanwhile());
    };
    let spec = package.task(&task.node);
    let mut outcomes = spec.iter().flat_map(|spec| &spec.outcomes);
    let label = outcomes.find(|one| one.value == outcome);
    let outcome = label.map_or(outcome.as_str(), |one| one.label.as_str());
    let message =
        format!("这项任务已由「{who}」办理（结论：{outcome}），您的操作没有生效。请刷新页面查看。");
    Ok(Refusal::conflict("task-done", message).into())
}

/// What a task's form brought in as it is stored: personal values sealed under the applicant's key.
pub(super) fn sealed_data(
    tx: &Tx,
    package: &Package,
    case: &CaseRow,
    (task, completion): (&TaskRow, &Completion),
) -> Result<serde_json::Value> {
    let Some(form) = package.task_form(&task.node) else {
        return Ok(completion.values.to_json());
    };
    let seal = |class: &str, text: &str| tx.seal(case.party.0, class, text);
    Ok(form.seal(&completion.values, &seal)?)
}

/// An inspection as two officers report it.
struct Inspection {
    second: AccountId,
    /// The colleague's name.
    colleague: String,
    on: Date,
}

/// The inspection that a completion reports.
fn inspection(
    q: &dyn Query,
    actor: &Actor,
    case: &CaseRow,
    completion: &Completion,
    today: Date,
) -> Result<Inspection> {
    let second = completion
        .second_officer
        .filter(|second| *second != actor.account_id());
    let Some(second) = second else {
        return Err(Refusal::field("second_officer", "two-officers", SECOND_OFFICER).into());
    };
    let colleague =
        account::colleague(q, actor, second, Role::CaseHandler).map_err(|error| match error {
            Error::Refused(refusal) => {
                Refusal::field("second_officer", "two-officers", refusal.message).into()
            }
            fault => fault,
        })?;
    let on = completion.values.date("inspected_on").unwrap_or(today);
    if on > today {
        return Err(Refusal::field("inspected_on", "not-future", "核查日期不能晚于今天。").into());
    }
    if let Some(accepted) = case.accepted_on.filter(|accepted| on < *accepted) {
        let message = format!("核查日期不能早于受理日期 {accepted}，请核对核查日期。");
        return Err(Refusal::field("inspected_on", "before-acceptance", message).into());
    }
    Ok(Inspection {
        second,
        colleague,
        on,
    })
}

impl Inspection {
    /// Writes it, with what the form of the task brought in as it is stored.
    fn write(
        &self,
        tx: &Tx,
        actor: &Actor,
        case: CaseId,
        event: Uuid,
        data: &serde_json::Value,
    ) -> Result<()> {
        let finding = data.get("findings").and_then(serde_json::Value::as_str);
        let columns = [
            ("id", tx.new_id().into()),
            ("case_id", case.into()),
            ("inspected_on", self.on.into()),
            ("officer_id", actor.account_id().into()),
            ("second_officer_id", self.second.into()),
            ("finding", finding.unwrap_or_default().into()),
            ("data", data.into()),
        ];
        let id = tx.insert_named("inspection", event, &columns)?;
        let noted = Event {
            actor: actor.to_ref(),
            command: "case.inspect",
            subject: ("casework", case.0),
            detail: json!({ "second": self.colleague }),
            rows: vec![("inspection", id)],
        };
        tx.event_as(event, noted);
        Ok(())
    }
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
    let case = load_case(tx, case)?;
    let tasks = tasks_of(tx, case.id)?;
    if actor.party != Some(case.party) {
        return Err(
            Refusal::not_found("没有这个办件，或者您无权办理。请从「我的办件」重新进入。").into(),
        );
    }
    if case.version != version {
        return Err(changed_meanwhile());
    }
    let batched = tasks.iter().any(|task| task.role == "batch");
    if case.ended_at.is_some() || batched {
        let message =
            "办件已办结或已列入拟补名单，不能再撤回。如需放弃补贴，请在公示期内提出书面说明。";
        return Err(Refusal::conflict("withdraw-late", message).into());
    }
    let package = item::load(tx, &case.item_hash)?;
    let mut run = Run::new((tx, tx.now()), &package, case, tasks);
    run.case.state = "withdrawn".to_owned();
    run.case.ended_at = Some(tx.now());
    run.advance(Input::Cancel)?;
    let changed = run.changed();
    release_claim(tx, changed.case.id)?;
    close_open_suspensions(tx, actor, changed.case.id)?;
    let reason = vocab::mask_numbers(reason.trim());
    let reason: String = reason.chars().take(200).collect();
    changed.write(tx, actor, "case.withdraw", json!({ "reason": reason }))?;
    let case = changed.case;
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
    let tasks = waiting_of(tx, case.id)?;
    let task = tasks.iter().find(|task| task.node == node);
    let task = task.ok_or_else(changed_meanwhile)?.clone();
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
        reason: vocab::mask_numbers(reason),
        correction: String::new(),
        values: Values::default(),
        second_officer: None,
    };
    let run = Run::new((tx, tx.now()), &package, case, tasks);
    let decision = finish(run, actor, (&task, &completion, outcome), Done::default())?;
    decision.carry_out(tx)?.ok_or_else(changed_meanwhile)
}

/// What the applicant is told where it concerns him: acceptance, a correction asked, a decision.
fn what_to_tell(
    case: &CaseRow,
    task: &TaskRow,
    outcome: &Outcome,
    (reason, until): (&str, &str),
) -> Option<(String, String)> {
    let what = match outcome.effect {
        Effect::Accept => "申报已受理",
        Effect::AskCorrection => "申报材料需要补正",
        Effect::Refuse => "申报不予受理",
        Effect::DecideFor => "申报已通过审批，列入拟补名单后公示",
        Effect::DecideAgainst => "申报未予支持",
        Effect::None | Effect::AnswerCorrection => return None,
    };
    let title = format!("{what}：{}", case.title);
    let reason = if reason.trim().is_empty() {
        String::new()
    } else {
        format!("\n说明：{}", reason.trim())
    };
    let asks = outcome.effect == Effect::AskCorrection;
    let until = if asks { until } else { "" };
    let body = format!(
        "办件号 {}，{}：{}。{reason}{until}",
        case.number, task.name, outcome.label
    );
    Some((title, body))
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
