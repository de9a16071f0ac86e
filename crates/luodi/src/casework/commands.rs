//! What people do with a case. Every command checks permission and version, moves the process,
//! and writes its event, in one transaction.

use jiff::civil::Date;
use process::{ActivityId, Input};
use serde::{Deserialize, Serialize};
use serde_json::json;
use vocab::{Cause, RegionCode};

use super::clock;
use super::draft::{self, DraftBody};
use super::duty::{Duty, record_duty, record_for};
use super::engine::{Run, changed_meanwhile};
use super::facts;
use super::queries::{CaseRow, TaskRow, load_case, load_task, open_task_at, tasks_of};
use crate::access::{Actor, Role, may_see};
use crate::account;
use crate::attachment::{self, Kept};
use crate::form::Values;
use crate::ids::{AccountId, BankAccountId, CaseId, DraftId, ItemId, PartyId, TaskId};
use crate::item::{self, Effect, Outcome, Package, TaskSpec};
use crate::params;
use crate::party;
use crate::refusal::{Error, Refusal, Result};
use crate::store::{Event, Tx};

/// As [`submit`], with papers kept before, for the window's own scans and the demonstration.
///
/// # Errors
/// As [`submit`].
pub fn submit_with(
    tx: &Tx,
    actor: &Actor,
    submission: &Submission,
    papers: &[Kept],
) -> Result<Completed> {
    let body = DraftBody::default();
    let draft = draft::save(tx, actor, submission.item, submission.party, &body, papers)?;
    submit(
        tx,
        actor,
        &Submission {
            draft: Some(draft),
            ..submission.clone()
        },
    )
}

/// An application as it is submitted: everything checked that can be checked without the store.
#[derive(Clone, Debug)]
pub struct Submission {
    /// The item offered.
    pub item: ItemId,
    /// The applicant.
    pub party: PartyId,
    /// `online` or `window`.
    pub channel: &'static str,
    /// The form's values, checked against the package's form.
    pub values: Values,
    /// The account the money should go to.
    pub bank_account: Option<BankAccountId>,
    /// The draft whose files go with it.
    pub draft: Option<DraftId>,
}

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

/// Submits an application (申报). The case begins; its clock starts with acceptance.
///
/// # Errors
/// Refused where the item is closed, the party is not the actor's, the claim is taken, or a
/// required paper is missing.
pub fn submit(tx: &Tx, actor: &Actor, submission: &Submission) -> Result<Completed> {
    let offered = item::open_item(tx, submission.item, tx.today())?;
    let package = item::load(tx, &offered.hash)?;
    let party = party::find(tx, actor, submission.party)?;
    may_submit(actor, submission)?;
    attachment::require_slots(
        tx,
        submission.draft,
        &package.required_slots(&submission.values),
    )?;
    let id = CaseId(tx.new_id());
    let number = next_number(tx, offered.region, tx.today())?;
    let title = package.title(&submission.values);
    let form = package.form.seal(&submission.values, &|class, text| {
        tx.seal(party.id.0, class, text)
    })?;
    tx.execute(
        "INSERT INTO casework (id, number, item_id, item_hash, region_code, department_id, party_id, \
         party_kind, party_name, item_name, title, channel, period, state, process_state, form, \
         form_version, bank_account_id, submitted_by, submitted_at, limit_working_days, suspended, \
         demo, version) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, '', '', ?14, 1, \
         ?15, ?16, ?17, ?18, 0, ?19, 1)",
        params![
            id, &number, submission.item, &offered.hash, offered.region, offered.department, party.id,
            party.kind.code(), &party.name, &package.item.name, &title, submission.channel,
            package.period(&submission.values), form, submission.bank_account, actor.account_id(),
            tx.now(), package.item.promised_working_days, party.demo
        ],
    )?;
    claim(tx, &package, id, &submission.values)?;
    keep_values(tx, &package, id, &submission.values)?;
    if let Some(draft) = submission.draft {
        attachment::hand_over(tx, draft.0, id.0)?;
        super::draft::end(tx, actor, draft, id)?;
    }
    let case = load_case(tx, id)?;
    let context = facts::context(&package, &submission.values, &[], "");
    let mut run = Run {
        tx,
        package: &package,
        case,
        context,
    };
    run.advance(Input::Start)?;
    run.save()?;
    let detail = json!({ "number": &number, "channel": submission.channel, "item": &offered.hash });
    event(tx, actor, "case.submit", id, detail)?;
    let message = format!("申报已提交，办件号 {number}。受理结果会发到「我的消息」。");
    Ok(Completed {
        case: id,
        number,
        state: run.case.state,
        message,
    })
}

fn may_submit(actor: &Actor, submission: &Submission) -> Result<()> {
    let allowed = match submission.channel {
        "window" => actor.has(Role::WindowClerk),
        _ => actor.party == Some(submission.party),
    };
    if allowed {
        return Ok(());
    }
    Err(Refusal::forbidden(
        "submit",
        "只能为本企业（本人）申报；窗口人员请从窗口受理入口登记。",
    )
    .into())
}

/// One live case per key, e.g. one meter in one quarter.
fn claim(tx: &Tx, package: &Package, case: CaseId, values: &Values) -> Result<()> {
    let Some(key) = package.claim_key(values) else {
        return Ok(());
    };
    let code = package.item.code.as_str();
    let held = tx.row_opt(
        "SELECT c.number FROM case_claim k JOIN casework c ON c.id = k.case_id \
         WHERE k.item_code = ?1 AND k.claim_key = ?2",
        params![code, &key],
        |row| row.get::<String>(0),
    )?;
    if let Some(number) = held {
        let field = package.item.unique.first().cloned().unwrap_or_default();
        let message = format!(
            "同一电表（对象）同一期已经申报过，办件号 {number}，不能重复申报。请核对后修改，或撤回原申报。"
        );
        return Err(Refusal::field(field, "already-claimed", message).into());
    }
    tx.execute(
        "INSERT INTO case_claim (item_code, claim_key, case_id) VALUES (?1, ?2, ?3)",
        params![code, &key, case],
    )?;
    Ok(())
}

/// A case that ended without money frees its key; the row stays, under a key of its own.
pub(super) fn release_claim(tx: &Tx, case: CaseId) -> Result<()> {
    tx.execute(
        "UPDATE case_claim SET claim_key = claim_key || ' ' || ?2, released_at = ?3 \
         WHERE case_id = ?1 AND released_at IS NULL",
        params![case, case.to_string(), tx.now()],
    )?;
    Ok(())
}

/// Writes the values the item keeps for comparison and lists.
fn keep_values(tx: &Tx, package: &Package, case: CaseId, values: &Values) -> Result<()> {
    for (name, text, number) in package.indexed(values) {
        let kept = tx.execute(
            "UPDATE case_value SET text_value = ?3, number_value = ?4 WHERE case_id = ?1 AND name = ?2",
            params![case, name, text.clone(), number],
        )?;
        if kept == 0 {
            tx.execute(
                "INSERT INTO case_value (case_id, name, text_value, number_value) VALUES (?1, ?2, ?3, ?4)",
                params![case, name, text, number],
            )?;
        }
    }
    Ok(())
}

/// The next case number of a region and year: `330324-2026-000123`.
fn next_number(tx: &Tx, region: RegionCode, today: Date) -> Result<String> {
    let year = today.year();
    let next = crate::number::next(tx, &format!("case {region} {year}"))?;
    Ok(format!("{region}-{year}-{next:06}"))
}

/// What a person says when completing a task.
#[derive(Clone, Debug)]
pub struct Completion {
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
    let case = load_case(tx, task.case)?;
    let package = item::load(tx, &case.item_hash)?;
    let spec = task_spec(&package, &task)?;
    may_complete(actor, &case, &task)?;
    let outcome = find_outcome(spec, &completion.outcome)?;
    need_reason(outcome, &completion.reason)?;
    if let Some(duty) = Duty::from_code(&spec.duty) {
        record_duty(tx, case.id, actor, duty)?;
        if duty == Duty::Inspect {
            record_inspection(tx, actor, &case, completion)?;
        }
    }
    finish(tx, actor, &package, case, &task, completion, outcome)
}

/// Ends the task, does what its outcome stands for, and moves the process.
fn finish(
    tx: &Tx,
    actor: &Actor,
    package: &Package,
    case: CaseRow,
    task: &TaskRow,
    completion: &Completion,
    outcome: &Outcome,
) -> Result<Completed> {
    end_task(tx, actor, task, completion)?;
    carry_out(tx, actor, &case, outcome, completion)?;
    let case = load_case(tx, case.id)?;
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
    ask_as_the_process_says(tx, actor, package, &case)?;
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
        rows: vec![("casework", case.id.0), ("task", task.id.0)],
    });
    tell_applicant(tx, &case, task, outcome, &completion.reason)?;
    let message = format!("{}:{}。", task.name, outcome.label);
    Ok(Completed {
        case: case.id,
        number: case.number,
        state: case.state,
        message,
    })
}

fn task_spec<'a>(package: &'a Package, task: &TaskRow) -> Result<&'a TaskSpec> {
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
    let may = Role::from_code(&task.role).is_some_and(|role| actor.has(role));
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

fn need_reason(outcome: &Outcome, reason: &str) -> Result<()> {
    if outcome.reason && reason.trim().chars().count() < 2 {
        let message = format!("「{}」需要写明理由。", outcome.label);
        return Err(Refusal::field("reason", "required", message).into());
    }
    if reason.chars().count() > 2_000 {
        return Err(Refusal::field(
            "reason",
            "max-length",
            "理由不超过 2000 字，请精简或作为附件上传。",
        )
        .into());
    }
    Ok(())
}

/// Ends the task under the version the page showed; the loser of a race learns who was faster.
fn end_task(tx: &Tx, actor: &Actor, task: &TaskRow, completion: &Completion) -> Result<()> {
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
            let message = format!(
                "这项任务已由「{who}」办理（结论：{outcome}），您的操作没有生效。请刷新页面查看。"
            );
            Err(Refusal::conflict("task-done", message).into())
        }
        _ => Err(changed_meanwhile()),
    }
}

fn carry_out(
    tx: &Tx,
    actor: &Actor,
    case: &CaseRow,
    outcome: &Outcome,
    completion: &Completion,
) -> Result<()> {
    match outcome.effect {
        Effect::Accept => {
            tx.execute(
                "UPDATE casework SET accepted_on = ?2 WHERE id = ?1 AND accepted_on IS NULL",
                params![case.id, tx.today()],
            )?;
        }
        Effect::AskCorrection => ask_correction(tx, actor, case, completion)?,
        Effect::None
        | Effect::Refuse
        | Effect::AnswerCorrection
        | Effect::DecideFor
        | Effect::DecideAgainst => {}
    }
    Ok(())
}

/// A correction that the procedure asks for by itself, such as of the filing after an inspection:
/// a task of the applicant with the item's own words, when no officer has asked.
fn ask_as_the_process_says(
    tx: &Tx,
    actor: &Actor,
    package: &Package,
    case: &CaseRow,
) -> Result<()> {
    let tasks = tasks_of(tx, case.id)?;
    let open = tasks
        .iter()
        .find(|task| task.state == "open" && task.role == Role::Applicant.code());
    let asks = open
        .and_then(|task| package.task(&task.node))
        .and_then(|spec| spec.asks.as_deref());
    let asked = tx.row_opt(
        "SELECT 1 FROM correction WHERE case_id = ?1 AND answered_at IS NULL",
        params![case.id],
        |row| row.get::<i64>(0),
    )?;
    match asks {
        Some(asks) if asked.is_none() => {
            ask(tx, actor, case, "wrong", asks)?;
            let title = format!("申报材料需要补正：{}", case.title);
            let body = format!("办件号 {}。{asks}", case.number);
            party::notify(tx, case.party, Some(case.id), &title, &body)
        }
        _ => Ok(()),
    }
}

/// 补正: the applicant is asked once for everything; the clock stands from today if it runs.
fn ask_correction(tx: &Tx, actor: &Actor, case: &CaseRow, completion: &Completion) -> Result<()> {
    let kind = match completion.correction.as_str() {
        "incomplete" => "incomplete",
        _ => "wrong",
    };
    ask(tx, actor, case, kind, completion.reason.trim())
}

fn ask(tx: &Tx, actor: &Actor, case: &CaseRow, kind: &str, asked: &str) -> Result<()> {
    let id = tx.new_id();
    tx.execute(
        "INSERT INTO correction (id, case_id, kind, asked, asked_by, asked_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![id, case.id, kind, asked, actor.account_id(), tx.now()],
    )?;
    event_rows(
        tx,
        actor,
        "case.ask_correction",
        case.id,
        json!({ "kind": kind }),
        vec![("correction", id)],
    )?;
    if case.accepted_on.is_some() {
        start_suspension(tx, actor, case.id, Cause::Correction, tx.today(), asked)?;
    }
    Ok(())
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
        return Err(Refusal::field(
            "second_officer",
            "two-officers",
            "现场核查须由两名工作人员进行，请选择同行的另一名核查人员。",
        )
        .into());
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

/// The applicant answers a correction with the whole form, mended.
///
/// # Errors
/// Refused where the case is not the actor's, the page is stale, or a required paper is missing.
pub fn answer_correction(
    tx: &Tx,
    actor: &Actor,
    task: TaskId,
    version: i64,
    values: &Values,
    answer: &str,
) -> Result<Completed> {
    let task = load_task(tx, task)?;
    let case = load_case(tx, task.case)?;
    let package = item::load(tx, &case.item_hash)?;
    let spec = task_spec(&package, &task)?;
    let own = actor.party == Some(case.party)
        || (actor.has(Role::WindowClerk) && may_see(actor, &case.scope()));
    if !own || task.role != Role::Applicant.code() {
        return Err(
            Refusal::not_found("没有这个办件，或者您无权办理。请从「我的办件」重新进入。").into(),
        );
    }
    let outcome = spec.outcomes.first().ok_or_else(changed_meanwhile)?;
    attachment::require_slots_of(tx, case.id.0, &package.required_slots(values))?;
    let claimed = package.claim_key(&facts::open_form(tx, &package.form, &case)?);
    if claimed != package.claim_key(values) {
        release_claim(tx, case.id)?;
        claim(tx, &package, case.id, values)?;
    }
    let form = package
        .form
        .seal(values, &|class, text| tx.seal(case.party.0, class, text))?;
    tx.execute(
        "UPDATE casework SET form = ?2, title = ?3, form_version = form_version + 1 WHERE id = ?1",
        params![case.id, form, package.title(values)],
    )?;
    keep_values(tx, &package, case.id, values)?;
    close_correction(tx, actor, &case, answer)?;
    let completion = Completion {
        task: task.id,
        version,
        outcome: outcome.value.clone(),
        reason: answer.to_owned(),
        correction: String::new(),
        values: Values::default(),
        second_officer: None,
    };
    finish(tx, actor, &package, case, &task, &completion, outcome)
}

fn close_correction(tx: &Tx, actor: &Actor, case: &CaseRow, answer: &str) -> Result<()> {
    let open = tx.rows(
        "SELECT id, kind FROM correction WHERE case_id = ?1 AND answered_at IS NULL",
        params![case.id],
        |row| Ok((row.get::<uuid::Uuid>(0)?, row.get::<String>(1)?)),
    )?;
    for (id, kind) in open {
        tx.execute(
            "UPDATE correction SET answer = ?2, answered_at = ?3 WHERE id = ?1",
            params![id, answer.trim(), tx.now()],
        )?;
        if kind == "incomplete" && case.accepted_on.is_some() {
            tx.execute(
                "UPDATE casework SET restarted_on = ?2 WHERE id = ?1",
                params![case.id, tx.today()],
            )?;
        }
        event_rows(
            tx,
            actor,
            "case.answer_correction",
            case.id,
            json!({}),
            vec![("correction", id)],
        )?;
    }
    end_suspension(tx, actor, case.id, Cause::Correction, tx.today())
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
        json!({ "reason": reason.trim() }),
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

/// The cause as stored: its serde name.
fn cause_code(cause: Cause) -> Result<String> {
    let text = serde_json::to_value(cause)
        .ok()
        .and_then(|v| v.as_str().map(str::to_owned));
    text.ok_or_else(changed_meanwhile)
}

fn start_suspension(
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
        vec![("suspension", id)],
    )
}

fn end_suspension(tx: &Tx, actor: &Actor, case: CaseId, cause: Cause, on: Date) -> Result<()> {
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
            vec![("suspension", id)],
        )?;
    }
    Ok(())
}

/// A case that ends lets no suspension stand open.
pub(super) fn close_open_suspensions(tx: &Tx, actor: &Actor, case: CaseId) -> Result<()> {
    end_suspension(tx, actor, case, Cause::Correction, tx.today())?;
    end_suspension(tx, actor, case, Cause::Notice, tx.today())
}

/// Tells the applicant what concerns him: acceptance, a correction asked, a decision.
fn tell_applicant(
    tx: &Tx,
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
    let title = format!("{what}:{}", case.title);
    let reason = if reason.trim().is_empty() {
        String::new()
    } else {
        format!("\n说明：{}", reason.trim())
    };
    let body = format!(
        "办件号 {}，{}：{}。{reason}",
        case.number, task.name, outcome.label
    );
    party::notify(tx, case.party, Some(case.id), &title, &body)
}

fn event(
    tx: &Tx,
    actor: &Actor,
    command: &'static str,
    case: CaseId,
    detail: serde_json::Value,
) -> Result<()> {
    event_rows(tx, actor, command, case, detail, vec![("casework", case.0)])
}

fn event_rows(
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
