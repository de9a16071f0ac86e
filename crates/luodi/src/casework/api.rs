//! Cases for programs: the worklist, a case, applying, completing a task. The commands, rules and
//! refusals are those of the pages.

use axum::Json;
use axum::extract::{Path, Query as UrlQuery, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::apply::{Application, apply};
use super::complete_pages::complete_now;
use super::queries::{ListedCase, TaskRow};
use super::show::{Facts, load, note_opened};
use super::work::{CASE_STAFF, CASE_WORKERS, ListQuery, find};
use crate::access::{Role, Rule};
use crate::form::{How, flatten};
use crate::ids::{CaseId, ItemId, TaskId};
use crate::web::{Answer, App, Posted, Problem, Route, Visit, get, post};

const WHO: Rule = Rule::ApplicantOrStaff(CASE_STAFF);

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/api/worklist", WHO, worklist),
        get("/api/cases/{case}", WHO, show),
        post(
            "/api/items/{item}/apply",
            Rule::ApplicantOrStaff(&[Role::WindowClerk]),
            send,
        ),
        post(
            "/api/cases/{case}/tasks/{task}",
            Rule::Staff(CASE_WORKERS),
            complete,
        ),
    ]
}

/// A page of cases.
#[derive(Serialize, ToSchema)]
pub struct CaseList {
    /// How many there are in all.
    total: u64,
    /// The page, from 1; 30 cases each.
    page: u32,
    /// Those due first before the others.
    cases: Vec<CaseLine>,
}

/// A case in a list.
#[derive(Serialize, ToSchema)]
pub struct CaseLine {
    id: String,
    number: String,
    title: String,
    item: String,
    party: String,
    /// Region code (GB/T 2260).
    region: String,
    /// The batch period, such as 2026Q3; may be empty.
    period: String,
    state: String,
    submitted_at: String,
    /// Due at 24:00 of this day; null while nothing runs.
    due_on: Option<String>,
    amount_fen: Option<i64>,
}

impl From<ListedCase> for CaseLine {
    fn from(case: ListedCase) -> Self {
        Self {
            id: case.id.to_string(),
            number: case.number,
            title: case.title,
            item: case.item_name,
            party: case.party_name,
            region: case.region,
            period: case.period,
            state: case.state,
            submitted_at: case.submitted_at.to_string(),
            due_on: case.due_on.map(|day| day.to_string()),
            amount_fen: case.amount.map(|fen| fen.0),
        }
    }
}

/// A case.
#[derive(Serialize, ToSchema)]
pub struct CaseView {
    id: String,
    number: String,
    title: String,
    item: String,
    party: String,
    /// Region code (GB/T 2260).
    region: String,
    state: String,
    submitted_at: String,
    accepted_on: Option<String>,
    due_on: Option<String>,
    ended_at: Option<String>,
    amount_fen: Option<i64>,
    /// red, amber, green or grey; null before acceptance.
    light: Option<&'static str>,
    /// The values of the form; personal ones masked for others than the applicant.
    values: Vec<CaseValue>,
    tasks: Vec<CaseTask>,
    files: Vec<CaseFile>,
}

/// A value of the form as people read it.
#[derive(Serialize, ToSchema)]
pub struct CaseValue {
    key: String,
    label: String,
    text: String,
    unit: String,
}

/// A task of the case.
#[derive(Serialize, ToSchema)]
pub struct CaseTask {
    id: String,
    name: String,
    /// Code of the role that does it; applicant and batch among them.
    role: String,
    /// open, done or cancelled.
    state: String,
    /// To be sent with the task when it is completed.
    version: i64,
    outcome: Option<String>,
    /// What may come out of an open task.
    outcomes: Vec<String>,
}

/// A paper of the case.
#[derive(Serialize, ToSchema)]
pub struct CaseFile {
    /// The field of the form it stands for.
    slot: String,
    name: String,
    size_bytes: u64,
    /// Where its content is.
    href: String,
}

fn task_view(facts: &Facts, task: &TaskRow) -> CaseTask {
    let spec = facts.package.item.tasks.get(&task.node);
    let outcomes = spec
        .filter(|_| task.state == "open")
        .map_or_else(Vec::new, |spec| {
            spec.outcomes.iter().map(|one| one.value.clone()).collect()
        });
    CaseTask {
        id: task.id.to_string(),
        name: task.name.clone(),
        role: task.role.clone(),
        state: task.state.clone(),
        version: task.version,
        outcome: task.outcome.clone(),
        outcomes,
    }
}

fn case_view(facts: &Facts, how: How) -> CaseView {
    let case = &facts.case;
    let sections = facts.package.form.view(&facts.values, how);
    let rows = sections.into_iter().flat_map(|section| section.rows);
    CaseView {
        id: case.id.to_string(),
        number: case.number.clone(),
        title: case.title.clone(),
        item: case.item_name.clone(),
        party: case.party_name.clone(),
        region: case.region.to_string(),
        state: case.state.clone(),
        submitted_at: case.submitted_at.to_string(),
        accepted_on: case.accepted_on.map(|day| day.to_string()),
        due_on: case.due_on.map(|day| day.to_string()),
        ended_at: case.ended_at.map(|at| at.to_string()),
        amount_fen: case.amount.map(|fen| fen.0),
        light: facts.clock.as_ref().map(|clock| clock.light),
        values: rows
            .map(|row| CaseValue {
                key: row.key,
                label: row.label,
                text: row.text,
                unit: row.unit,
            })
            .collect(),
        tasks: facts
            .tasks
            .iter()
            .map(|task| task_view(facts, task))
            .collect(),
        files: facts
            .files
            .iter()
            .map(|file| CaseFile {
                slot: file.slot.clone(),
                name: file.file_name.clone(),
                size_bytes: file.size_bytes,
                href: format!("/cases/{}/files/{}", case.id, file.id),
            })
            .collect(),
    }
}

/// What waits for the visitor: for staff the open tasks of their roles, for applicants their own
/// cases.
#[utoipa::path(get, path = "/api/worklist", tag = "cases", security(("session" = [])), params(
    ("q" = Option<String>, Query), ("state" = Option<String>, Query),
    ("period" = Option<String>, Query), ("page" = Option<u32>, Query, minimum = 1, maximum = 1_000_000)),
    responses((status = 200, body = CaseList), (status = 401, body = Problem)))]
pub(crate) async fn worklist(
    State(app): State<App>,
    visit: Visit,
    UrlQuery(asked): UrlQuery<ListQuery>,
) -> Answer {
    let actor = visit.actor()?;
    let asked = if actor.party.is_some() {
        asked
    } else {
        asked.of_worklist()
    };
    let found = find(&app, actor, asked.filter(actor, visit.today()), asked.page).await?;
    let list = CaseList {
        total: found.total,
        page: asked.page.max(1),
        cases: found.rows.into_iter().map(CaseLine::from).collect(),
    };
    Ok(Json(list).into_response())
}

/// One case.
#[utoipa::path(get, path = "/api/cases/{case}", tag = "cases", security(("session" = [])),
    params(("case" = String, Path)),
    responses((status = 200, body = CaseView), (status = 404, body = Problem)))]
pub(crate) async fn show(State(app): State<App>, visit: Visit, Path(case): Path<CaseId>) -> Answer {
    let facts = load(&app, &visit, case).await?;
    note_opened(&app, &visit, case).await;
    let own = visit.actor()?.party == Some(facts.case.party);
    let how = if own { How::Plain } else { How::Masked };
    Ok(Json(case_view(&facts, how)).into_response())
}

/// An application. Files are sent as parts named by their fields, beside the part `json`.
#[derive(Deserialize, ToSchema)]
pub struct ApplyBody {
    /// The values of the form by the keys of its fields.
    values: Map<String, Value>,
    /// The party applied for, where the window applies.
    #[serde(default)]
    party: String,
    /// The approved account the money should go to.
    #[serde(default)]
    bank_account: String,
}

/// What was done with a case.
#[derive(Serialize, ToSchema)]
pub struct Done {
    /// The case.
    case: String,
    number: String,
    state: String,
    message: String,
}

impl From<super::Completed> for Done {
    fn from(done: super::Completed) -> Self {
        Self {
            case: done.case.to_string(),
            number: done.number,
            state: done.state,
            message: done.message,
        }
    }
}

/// Submits an application.
#[utoipa::path(post, path = "/api/items/{item}/apply", tag = "cases", security(("session" = [])),
    params(("item" = String, Path), ("X-CSRF-Token" = String, Header), ("Idempotency-Key" = String, Header)),
    request_body(content((ApplyBody = "application/json"), (ApplyBody = "multipart/form-data"))),
    responses((status = 201, body = Done), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn send(
    State(app): State<App>,
    visit: Visit,
    Path(item): Path<ItemId>,
    posted: Posted,
) -> Answer {
    let body: ApplyBody = posted.json()?;
    let sent = posted.clone().with_fields(flatten(&body.values));
    let application = Application {
        item,
        party: body.party,
        fields: sent.fields().to_vec(),
        bank_account: body.bank_account.parse().ok(),
    };
    let done = apply(&app, &visit, application, &posted).await?;
    Ok((StatusCode::CREATED, Json(Done::from(done))).into_response())
}

/// The end of a task. Files are sent as parts named by their fields, beside the part `json`.
#[derive(Deserialize, ToSchema)]
pub struct TaskBody {
    /// The version of the task as it was read.
    version: i64,
    /// One of the task's outcomes.
    outcome: String,
    /// Why, where the outcome needs it.
    #[serde(default)]
    reason: String,
    /// wrong or incomplete, where a correction is asked.
    #[serde(default)]
    correction: String,
    /// The colleague's account, at an inspection.
    #[serde(default)]
    second_officer: String,
    /// The values of the task's form.
    #[serde(default)]
    values: Map<String, Value>,
}

/// Completes a task of staff.
#[utoipa::path(post, path = "/api/cases/{case}/tasks/{task}", tag = "cases", security(("session" = [])),
    params(("case" = String, Path), ("task" = String, Path), ("X-CSRF-Token" = String, Header),
        ("Idempotency-Key" = String, Header)),
    request_body(content((TaskBody = "application/json"), (TaskBody = "multipart/form-data"))),
    responses((status = 200, body = Done), (status = 403, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub(crate) async fn complete(
    State(app): State<App>,
    visit: Visit,
    Path((case, task)): Path<(CaseId, TaskId)>,
    posted: Posted,
) -> Answer {
    let body: TaskBody = posted.json()?;
    let mut fields = flatten(&body.values);
    for (name, value) in [
        ("version", body.version.to_string()),
        ("action", body.outcome),
        ("reason", body.reason),
        ("correction", body.correction),
        ("second_officer", body.second_officer),
    ] {
        fields.retain(|(known, _)| known != name);
        fields.push((name.to_owned(), value));
    }
    let posted = posted.with_fields(fields);
    let done = complete_now(&app, &visit, case, task, &posted).await?;
    Ok(Json(Done::from(done)).into_response())
}
