//! 补正: asked once with everything that is wrong or missing, answered with the whole form mended.

use jiff::SignedDuration;
use jiff::civil::Date;
use process::NodeKind;
use serde_json::json;
use vocab::{Cause, Suspension};

use super::commands::{Completed, Completion, Done, event_rows, finish, task_spec};
use super::engine::{Run, changed_meanwhile, due_at};
use super::facts;
use super::queries::{CaseRow, TaskRow, load_case, load_task, waiting_of};
use super::submit::{claim, keep_values, release_claim};
use super::suspension::{end_suspension, start_suspension};
use crate::access::{Actor, Role, may_see};
use crate::attachment::{self, Subject};
use crate::form::Values;
use crate::ids::{AttachmentId, CaseId, TaskId};
use crate::item::{self, Package, TaskSpec};
use crate::params;
use crate::refusal::{Refusal, Refusals, Result};
use crate::store::{Tx, day_in_china};

/// A correction that is asked with the completion of a task.
pub(super) struct Asked {
    kind: String,
    words: String,
    /// The clock stands from today: it runs since acceptance.
    stops: bool,
    /// Title and body for the applicant, where the procedure asks by itself.
    tells: Option<(String, String)>,
}

impl Asked {
    /// 补正: the applicant is asked once for everything.
    pub(super) fn by_officer(run: &Run<'_>, completion: &Completion) -> Self {
        Self {
            kind: completion.correction.clone(),
            words: completion.reason.trim().to_owned(),
            stops: run.case.accepted_on.is_some(),
            tells: None,
        }
    }

    /// The words, where the procedure asks by itself.
    pub(super) fn by_rule(&self) -> Option<&str> {
        self.tells.as_ref().map(|_| self.words.as_str())
    }

    pub(super) fn tells(&self) -> Option<&(String, String)> {
        self.tells.as_ref()
    }

    /// What begins with it for the clock.
    pub(super) fn suspension(&self, today: Date) -> Option<Suspension> {
        self.stops.then_some(Suspension {
            cause: Cause::Correction,
            suspended_on: today,
            resumed_on: None,
        })
    }

    pub(super) fn write(&self, tx: &Tx, actor: &Actor, case: CaseId) -> Result<()> {
        let id = tx.new_id();
        tx.execute(
            "INSERT INTO correction (id, case_id, kind, asked, asked_by, asked_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                id,
                case,
                &self.kind,
                &self.words,
                actor.account_id(),
                tx.now()
            ],
        )?;
        event_rows(
            tx,
            actor,
            "case.ask_correction",
            case,
            json!({ "kind": self.kind }),
            vec![("correction", id)],
        )?;
        if self.stops {
            start_suspension(tx, actor, case, Cause::Correction, tx.today(), &self.words)?;
        }
        Ok(())
    }
}

/// A correction that the procedure asks for by itself, such as of the filing after an inspection:
/// a task of the applicant with the item's own words, when no officer has asked.
pub(super) fn ask_as_the_process_says(run: &Run<'_>) -> Result<Option<Asked>> {
    let package = run.package;
    let asks = waits_for_applicant(&run.tasks)
        .and_then(|task| package.task(&task.node))
        .and_then(|spec| spec.asks.as_deref());
    let Some(asks) = asks else {
        return Ok(None);
    };
    let case = &run.case;
    let asked = run.q.row_opt(
        "SELECT 1 FROM correction WHERE case_id = ?1 AND answered_at IS NULL",
        params![case.id],
        |row| row.get::<i64>(0),
    )?;
    if asked.is_some() {
        return Ok(None);
    }
    let title = format!("申报材料需要补正：{}", case.title);
    let by = until_when(package, &run.tasks);
    let body = format!("办件号 {}。{asks}{by}", case.number);
    Ok(Some(Asked {
        kind: "wrong".to_owned(),
        words: asks.to_owned(),
        stops: case.accepted_on.is_some(),
        tells: Some((title, body)),
    }))
}

/// The open task that waits for the applicant.
fn waits_for_applicant(tasks: &[TaskRow]) -> Option<&TaskRow> {
    tasks
        .iter()
        .find(|task| task.state == "open" && task.role == Role::Applicant.code())
}

/// The last day on which the applicant may do a task, where the process closes the case after it.
pub(super) fn answer_by(package: &Package, task: &TaskRow) -> Option<Date> {
    let node = package.process.node(&task.node)?;
    let timers = node.boundaries.iter().filter_map(|at| {
        let event = package.process.at(*at)?;
        match event.kind {
            NodeKind::TimerBoundary {
                interrupting: true,
                timer,
            } => due_at(timer, task.created_at, day_in_china(task.created_at)).ok(),
            _ => None,
        }
    });
    let first = timers.min()?;
    // A timer ends with its last day: the moment before belongs to it.
    Some(day_in_china(first - SignedDuration::from_nanos(1)))
}

/// The sentence for the applicant.
fn answer_by_zh(day: Date) -> String {
    format!("\n请在 {day} 前（含当日）补正，逾期未补正的办件将关闭。")
}

/// The sentence that ends a message about the correction that is open now; empty where nobody is
/// waited for or nothing closes the case.
pub(super) fn until_when(package: &Package, tasks: &[TaskRow]) -> String {
    let day = waits_for_applicant(tasks).and_then(|task| answer_by(package, task));
    day.map_or_else(String::new, answer_by_zh)
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
    let answer = &vocab::mask_numbers(answer);
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
    // The papers that came with the answer wait at its task until it is right as a whole.
    let papers = attachment::replace_with(
        tx,
        Subject::Task(task.id),
        Subject::Case(case.id),
        &|slot| package.is_single(slot),
    )?;
    corrects(tx, &package, spec, (case.id, &papers), answer)?;
    attachment::require_slots_of(tx, Subject::Case(case.id), &package.required_slots(values))?;
    let claimed = package.claim_key(&facts::open_form(tx, &package.form, &case)?);
    if claimed != package.claim_key(values) {
        release_claim(tx, case.id)?;
        claim(tx, &package, (case.id, case.party), values)?;
    }
    let form = package
        .form
        .seal(values, &|class, text| tx.seal(case.party.0, class, text))?;
    tx.execute(
        "UPDATE correction SET form_before = (SELECT form FROM casework WHERE id = ?1) \
         WHERE case_id = ?1 AND answered_at IS NULL",
        params![case.id],
    )?;
    tx.execute(
        "UPDATE casework SET form = ?2, title = ?3, period = ?4, form_version = form_version + 1 WHERE id = ?1",
        params![case.id, form, package.title(values), package.period(values)],
    )?;
    keep_values(tx, &package, &case, values, true)?;
    close_correction(tx, actor, &case, answer, &papers)?;
    let completion = Completion {
        case: case.id,
        task: task.id,
        version,
        outcome: outcome.value.clone(),
        reason: answer.to_owned(),
        correction: String::new(),
        values: Values::default(),
        second_officer: None,
    };
    // As it is now that the answer stands in it.
    let (case, tasks) = (load_case(tx, case.id)?, waiting_of(tx, case.id)?);
    let run = Run::new((tx, tx.now()), &package, case, tasks);
    let decision = finish(run, actor, (&task, &completion, outcome), Done::default())?;
    decision.carry_out(tx)?.ok_or_else(changed_meanwhile)
}

/// Refuses an answer without the papers that are wanted anew, and one that explains too long.
fn corrects(
    tx: &Tx,
    package: &Package,
    spec: &TaskSpec,
    (case, papers): (CaseId, &[AttachmentId]),
    answer: &str,
) -> Result<()> {
    let ever = attachment::ever_of_subject(tx, Subject::Case(case))?;
    let came = |slot: &str| {
        let mut new = ever.iter().filter(|file| papers.contains(&file.id));
        new.any(|file| file.slot == slot && attachment::is_new(file, &ever))
    };
    // An officer who asks for something else on the same way asks in his own words.
    let asked = tx.row_opt(
        "SELECT asked FROM correction WHERE case_id = ?1 AND answered_at IS NULL \
         ORDER BY asked_at DESC, id DESC LIMIT 1",
        params![case],
        |row| row.get::<String>(0),
    )?;
    let by_rule = spec.asks.is_some() && asked == spec.asks;
    let mut wrong = Refusals::default();
    if answer.chars().count() > 2_000 {
        let message = "补正说明不超过 2000 字，请精简或作为附件上传。";
        wrong.add("answer", "max-length", message);
    }
    let wanted = spec.papers.iter().filter(|_| by_rule);
    for slot in wanted.filter(|slot| !came(slot)) {
        let name = match package.material(slot) {
            "" => slot.as_str(),
            name => name,
        };
        let message = format!("请上传更正后的「{name}」，原来的材料不能代替。");
        wrong.add(slot, "paper-anew", message);
    }
    let order: Vec<&str> = spec
        .papers
        .iter()
        .map(String::as_str)
        .chain(["answer"])
        .collect();
    wrong.in_order(&order)?;
    Ok(())
}

fn close_correction(
    tx: &Tx,
    actor: &Actor,
    case: &CaseRow,
    answer: &str,
    papers: &[AttachmentId],
) -> Result<()> {
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
        let mut rows = vec![("correction", id)];
        rows.extend(papers.iter().map(|paper| ("attachment", paper.0)));
        let detail = json!({ "papers": papers.len() });
        event_rows(tx, actor, "case.answer_correction", case.id, detail, rows)?;
    }
    end_suspension(tx, actor, case.id, Cause::Correction, tx.today())
}
