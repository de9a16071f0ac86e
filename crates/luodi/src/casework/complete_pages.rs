//! Completing a task of a case: its form, what was typed into it, and what it comes to.

use axum::extract::{Path, State};
use jiff::civil::Date;

use super::apply::keep_files;
use super::commands::{Completed, Completion, complete_decided, decide_ahead, missing};
use super::queries::TaskRow;
use super::show::{Facts, Shown, attach, load, render, shown_files};
use super::work::CASE_WORKERS;
use crate::access::{Actor, Role, Rule, may_act};
use crate::attachment::Subject;
use crate::form::{How, Values};
use crate::ids::{AccountId, CaseId, TaskId};
use crate::item::{self, Outcome, TaskSpec};
use crate::refusal::{FieldError, Refusal};
use crate::store::Command;
use crate::web::{Answer, App, Posted, Route, Visit, WebError, post};

pub(super) fn routes() -> Vec<Route> {
    vec![post(
        "/cases/{case}/tasks/{task}",
        Rule::Staff(CASE_WORKERS),
        complete,
    )]
}

/// The task the actor may complete now, with its form and its buttons.
pub(super) struct Desk {
    pub(super) task: TaskId,
    pub(super) version: i64,
    /// The visitor has taken it.
    pub(super) held: bool,
    pub(super) held_words: String,
    pub(super) name: String,
    pub(super) form: String,
    pub(super) outcomes: Vec<Outcome>,
    pub(super) asks_correction: bool,
    pub(super) reason_hint: &'static str,
    pub(super) inspects: bool,
    pub(super) colleagues: Vec<(AccountId, String)>,
    pub(super) second: String,
    pub(super) reason: String,
    pub(super) correction: String,
    /// What the form calls itself and its buttons, for showing what was typed (`web::kept`).
    pub(super) labels: String,
}

/// What was typed into the form of a task.
#[derive(Default)]
pub(super) struct Typed {
    values: Values,
    reason: String,
    second: String,
    correction: String,
}

/// Whether the task waits for this officer.
fn is_theirs(facts: &Facts, task: &TaskRow, actor: &Actor) -> bool {
    is_of_role(facts, task, actor) && task.held_by.is_none_or(|by| by == actor.account_id())
}

/// Whether the task waits for the officer's role, whoever has taken it.
pub(super) fn is_of_role(facts: &Facts, task: &TaskRow, actor: &Actor) -> bool {
    let department = Some(facts.case.department);
    task.state == "open"
        && task.role != Role::Applicant.code()
        && Role::from_code(&task.role).is_some_and(|role| may_act(actor, role, department))
}

/// The form of the task that waits for the actor, if one does.
pub(super) fn desk(
    facts: &Facts,
    actor: &Actor,
    typed: &Typed,
    errors: &[FieldError],
    today: Date,
) -> Result<Option<Desk>, WebError> {
    let open = facts
        .tasks
        .iter()
        .find(|task| is_theirs(facts, task, actor));
    let Some(task) = open else { return Ok(None) };
    let Some(spec) = facts.package.item.tasks.get(&task.node) else {
        return Ok(None);
    };
    let form = match facts.package.task_form(&task.node) {
        Some(form) => form.render(
            &typed.values,
            errors,
            &shown_files(facts.case.id, facts.files.iter()),
            today,
        )?,
        None => String::new(),
    };
    Ok(Some(Desk {
        task: task.id,
        version: task.version,
        held: task.held_by.is_some(),
        held_words: match &facts.stand_in_for {
            Some(name) => format!("您代{name}办理"),
            None => "您已领取".to_owned(),
        },
        name: task.name.clone(),
        form,
        outcomes: spec.outcomes.clone(),
        asks_correction: spec
            .outcomes
            .iter()
            .any(|o| o.effect == item::Effect::AskCorrection),
        reason_hint: if spec.outcomes.iter().all(|outcome| outcome.reason) {
            "必须写明，申请人能看到；电话、证件号等长号码只保留末四位"
        } else {
            "退回补正、不予受理、不予支持时必须写明，申请人能看到；电话、证件号等长号码只保留末四位"
        },
        inspects: spec.duty == "inspect",
        colleagues: facts.colleagues.clone(),
        second: typed.second.clone(),
        reason: typed.reason.clone(),
        correction: typed.correction.clone(),
        labels: labels(facts, task, spec),
    }))
}

/// What the form of a task is about, and what its buttons are called.
fn labels(facts: &Facts, task: &TaskRow, spec: &TaskSpec) -> String {
    let about = format!("{} · 办件 {}", task.name, facts.case.number);
    let mut labels = form_urlencoded::Serializer::new(String::new());
    labels.append_pair("", &about);
    for outcome in &spec.outcomes {
        labels.append_pair(&format!("action.{}", outcome.value), &outcome.label);
    }
    labels.finish()
}

async fn complete(
    State(app): State<App>,
    visit: Visit,
    Path((id, task)): Path<(CaseId, TaskId)>,
    posted: Posted,
) -> Answer {
    let error = match complete_now(&app, &visit, id, task, &posted).await {
        Ok(done) => return Ok(visit.redirect(&format!("/cases/{id}"), &done.message)),
        Err(error) => error,
    };
    // With the files that came in meanwhile.
    let facts = load(&app, &visit, id).await?;
    if spec_of(&facts, task).is_none() {
        return Err(error.with_visit(&visit));
    }
    let refusal = error.into_refusal()?;
    if refusal.fields.is_empty() {
        let error = WebError::kept(refusal, kept(&facts, task, &posted));
        return Err(error.with_see(&format!("/cases/{id}")).with_visit(&visit));
    }
    let shown = Shown {
        typed: typed(&facts, task, &posted),
        errors: &refusal.fields,
        how: How::Masked,
    };
    render(&app, &visit, &facts, shown).await
}

/// Completes a task as a form says; whatever is at fault is refused with its fields.
pub(super) async fn complete_now(
    app: &App,
    visit: &Visit,
    case: CaseId,
    task: TaskId,
    posted: &Posted,
) -> Result<Completed, WebError> {
    let actor = visit.actor()?.clone();
    let facts = load(app, visit, case).await?;
    if spec_of(&facts, task).is_none() {
        return Err(WebError::not_found());
    }
    let (facts, mut wrong) = take_files(app, visit, facts, task, posted).await?;
    let completion = match read_completion(&facts, task, posted, visit) {
        Ok(completion) if wrong.is_empty() => completion,
        read => {
            wrong.extend(read.err().unwrap_or_default());
            return Err(Refusal::fields(wrong).into());
        }
    };
    let command = Command::new("case.complete_task", visit.now).once(posted.key());
    let (now, of, what) = (visit.now, actor.clone(), completion.clone());
    let ahead = app.store.read(move |q| decide_ahead(q, now, &of, &what));
    let ahead = ahead.await?;
    let done = app.store.write_once(command, move |tx| {
        complete_decided(tx, &actor, &completion, ahead.as_ref())
    });
    Ok(done.await?.value)
}

/// Attaches the files of a task's form, such as photographs of an inspection; those that are
/// refused are said.
async fn take_files(
    app: &App,
    visit: &Visit,
    facts: Facts,
    task: TaskId,
    posted: &Posted,
) -> Result<(Facts, Vec<FieldError>), WebError> {
    let actor = visit.actor()?;
    let form = spec_of(&facts, task)
        .filter(|(row, _)| is_theirs(&facts, row, actor))
        .and_then(|(row, _)| facts.package.task_form(&row.node));
    let Some(form) = form.filter(|_| !posted.uploads().is_empty()) else {
        return Ok((facts, Vec::new()));
    };
    let owner = (facts.case.party, Some(Subject::Case(facts.case.id)));
    let (kept, errors) = keep_files(app, visit, form, owner, posted.uploads()).await?;
    attach(
        app,
        visit,
        facts.case.id,
        Subject::Case(facts.case.id),
        kept,
    )
    .await?;
    let facts = load(app, visit, facts.case.id).await?;
    Ok((facts, errors))
}

/// What a person typed into the form of a task, under the names it has there.
fn kept(facts: &Facts, task: TaskId, posted: &Posted) -> Vec<(String, String)> {
    let form = spec_of(facts, task).and_then(|(row, _)| facts.package.task_form(&row.node));
    let label = |name: &str| {
        let field = form.and_then(|form| form.field(name));
        field.map_or_else(|| name.to_owned(), |field| field.label.clone())
    };
    let typed = posted.kept().into_iter();
    typed.map(|(name, value)| (label(&name), value)).collect()
}

fn spec_of(facts: &Facts, task: TaskId) -> Option<(&TaskRow, &TaskSpec)> {
    let row = facts.tasks.iter().find(|row| row.id == task)?;
    Some((row, facts.package.item.tasks.get(&row.node)?))
}

fn typed(facts: &Facts, task: TaskId, posted: &Posted) -> Typed {
    let form = spec_of(facts, task).and_then(|(row, _)| facts.package.task_form(&row.node));
    Typed {
        values: form
            .map(|form| form.typed(posted.fields()))
            .unwrap_or_default(),
        reason: posted.get("reason").to_owned(),
        second: posted.get("second_officer").to_owned(),
        correction: posted.get("correction").to_owned(),
    }
}

fn read_completion(
    facts: &Facts,
    task: TaskId,
    posted: &Posted,
    visit: &Visit,
) -> Result<Completion, Vec<FieldError>> {
    let version = posted
        .version("version")
        .map_err(|refusal| refusal.fields)?;
    let found = spec_of(facts, task);
    let outcome = posted.get("action").to_owned();
    // Asking for a correction or turning down needs a reason, not the task's own form.
    let goes_on = found.is_some_and(|(_, spec)| spec.takes_values(&outcome));
    let form = found.and_then(|(row, _)| facts.package.task_form(&row.node));
    let (values, mut wrong) = match form {
        Some(form) if goes_on => match form.read(posted.fields(), &slots(facts), visit.today()) {
            Ok(values) => (values, Vec::new()),
            Err(wrong) => (Values::default(), wrong),
        },
        Some(form) => (form.typed(posted.fields()), Vec::new()),
        None => (Values::default(), Vec::new()),
    };
    let completion = Completion {
        case: facts.case.id,
        task,
        version,
        outcome,
        reason: posted.get("reason").to_owned(),
        correction: posted.get("correction").to_owned(),
        values,
        second_officer: posted.get("second_officer").parse().ok(),
    };
    wrong.extend(found.map_or_else(Vec::new, |(_, spec)| missing(spec, &completion)));
    if wrong.is_empty() {
        Ok(completion)
    } else {
        Err(wrong)
    }
}

/// The slots of the case that hold a file.
fn slots(facts: &Facts) -> Vec<&str> {
    facts.files.iter().map(|file| file.slot.as_str()).collect()
}
