//! The page of a case, and what people do on it besides its tasks: withdraw, see personal values
//! for a stated reason, download a paper.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use jiff::SignedDuration;
use jiff::civil::Date;
use serde_json::json;
use vocab::Fen;

use super::apply::send_file;
use super::changes::{Change, Correction, corrections};
use super::clock::{ClockView, case_clock};
use super::commands::withdraw;
use super::complete_pages::{Desk, Typed, desk, is_of_role};
use super::correction::answer_by;
use super::held::{self, Holder, Way};
use super::path::{Happened, stages, trail};
use super::queries::{CaseRow, TaskRow, find_case, open_data, tasks_of};
use super::why::{WhyRow, remarks, why_rows};
use super::work::{CASE_STAFF, CASE_WORKERS};
use super::{facts, state};
use crate::access::{Actor, Role, Rule};
use crate::account;
use crate::attachment::{self, Attachment, Subject};
use crate::form::{self, Errors, How, Values, ViewSection};
use crate::fund;
use crate::ids::{AccountId, AttachmentId, CaseId};
use crate::item::{self, Package, Remark};
use crate::params;
use crate::party::{self, Party};
use crate::refusal::{Error, FieldError, Result};
use crate::store::{Command, Event, Query, day_in_china};
use crate::web::form::Stage;
use crate::web::{Answer, App, Page, Posted, Route, Visit, WebError, filters, get, post};

const WHO: Rule = Rule::ApplicantOrStaff(CASE_STAFF);

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/cases/{case}", WHO, show),
        post("/cases/{case}/withdraw", Rule::Applicant, withdraw_case),
        post("/cases/{case}/reveal", Rule::Staff(CASE_WORKERS), reveal),
        get(
            "/cases/{case}/files/{file}",
            Rule::ApplicantOrStaff(CASE_WORKERS),
            download,
        ),
    ]
}

/// An inspection as the page shows it.
#[derive(Clone, Debug)]
struct Inspection {
    inspected_on: Date,
    officers: String,
    sections: Vec<ViewSection>,
}

/// Everything the page knows.
#[derive(Clone)]
pub(super) struct Facts {
    pub(super) case: CaseRow,
    pub(super) package: Arc<Package>,
    pub(super) party: Party,
    pub(super) values: Values,
    pub(super) tasks: Vec<TaskRow>,
    pub(super) clock: Option<ClockView>,
    remarks: Vec<Remark>,
    pub(super) files: Vec<Attachment>,
    /// Papers that others took the place of.
    replaced: Vec<Attachment>,
    /// The amount by what the applicant says, until the department has examined it.
    estimate: Option<Fen>,
    pub(super) corrections: Vec<Correction>,
    inspections: Vec<Inspection>,
    pub(super) colleagues: Vec<(AccountId, String)>,
    /// Who else has taken the task that waits for the visitor's role.
    holder: Option<Holder>,
    /// For whom the visitor has taken that task over.
    pub(super) stand_in_for: Option<String>,
}

impl Facts {
    /// The name of the material that stands in a slot; empty where the item does not name it.
    fn material(&self, slot: &str) -> &str {
        self.package.material(slot)
    }

    /// The last day to answer the correction that is open now.
    pub(super) fn correct_by(&self) -> Option<Date> {
        let mut tasks = self.tasks.iter();
        let open = tasks.find(|t| t.state == "open" && t.role == Role::Applicant.code())?;
        answer_by(&self.package, open)
    }
}

/// What the policy gives for the form as it is; nothing once it has been examined or has ended.
fn estimate(package: &Package, case: &CaseRow, values: &Values, tasks: &[TaskRow]) -> Option<Fen> {
    let open = case.amount.is_none() && case.ended_at.is_none();
    let policy = package.policy.as_ref().filter(|_| open)?;
    let context = facts::context(package, values, tasks, "");
    Some(policy.assess(&context).ok()?.amount)
}

pub(super) async fn load(app: &App, visit: &Visit, id: CaseId) -> Result<Facts, WebError> {
    let actor = visit.actor()?.clone();
    let today = visit.today();
    let loaded = app.store.read(move |q| {
        let q: &dyn Query = &**q;
        let case = find_case(q, &actor, id)?;
        let package = item::load(q, &case.item_hash)?;
        let values = facts::open_form(q, &package.form, &case)?;
        let tasks = tasks_of(q, id)?;
        let colleagues = if actor.is_staff() {
            account::colleagues(q, &actor, Role::CaseHandler)?
        } else {
            Vec::new()
        };
        let (files, replaced) = attachment::ever_of_subject(q, Subject::Case(id))?
            .into_iter()
            .partition(|file| file.replaced_at.is_none());
        let mut facts = Facts {
            holder: None,
            stand_in_for: None,
            party: party::find_for_case(q, case.party)?,
            // A clock stands still when the case has ended.
            clock: case_clock(q, id, case.ended_at.map_or(today, day_in_china))?,
            remarks: remarks(q, &package, &case, &values)?,
            files,
            replaced,
            estimate: estimate(&package, &case, &values, &tasks),
            corrections: corrections(q, &package, &case, &values)?,
            inspections: inspections(q, &package, id)?,
            colleagues,
            case,
            package,
            values,
            tasks,
        };
        let of_role = |task: &&TaskRow| is_of_role(&facts, task, &actor);
        if let Some(task) = facts.tasks.iter().find(of_role) {
            let away = task.stand_in_for.map(|away| account::name_of(q, away));
            facts.stand_in_for = away.transpose()?;
            facts.holder = held::holder(q, &actor, task, today)?;
        }
        Ok::<_, Error>(facts)
    });
    Ok(loaded.await?)
}

fn inspections(q: &dyn Query, package: &Package, case: CaseId) -> Result<Vec<Inspection>> {
    let rows = q.rows(
        "SELECT inspected_on, officer_id, second_officer_id, data FROM inspection WHERE case_id = ?1 \
         ORDER BY inspected_on DESC, id DESC",
        params![case],
        |row| {
            Ok((
                row.get::<Date>(0)?,
                row.get::<AccountId>(1)?,
                row.get::<AccountId>(2)?,
                row.get::<serde_json::Value>(3)?,
            ))
        },
    )?;
    rows.into_iter()
        .map(|(inspected_on, first, second, data)| {
            let [first, second] = [first, second].map(|id| account::name_of(q, id));
            let values = Values::from_json(open_data(q, case, &data)?);
            let form = package.forms.get("inspection");
            let sections = form
                .map(|form| form.view(&values, How::Masked))
                .unwrap_or_default();
            Ok(Inspection {
                inspected_on,
                officers: format!("{}、{}", first?, second?),
                sections,
            })
        })
        .collect()
}

#[derive(Template)]
#[template(path = "casework/show.html")]
struct ShowPage<'a> {
    page: Page,
    facts: &'a Facts,
    own: bool,
    state_words: String,
    state_look: &'static str,
    stages: Vec<Stage>,
    why: Vec<WhyRow>,
    sections: Vec<ViewSection>,
    revealed: bool,
    /// Papers and personal values are part of the visitor's work, or his own.
    works: bool,
    may_withdraw: bool,
    to_correct: bool,
    desk: Option<Desk>,
    errors: Errors<'a>,
    trail: Vec<Happened>,
    corrections: Vec<ShownCorrection<'a>>,
    correct_by: Option<Date>,
    money: Option<fund::CaseMoney>,
    past: (u64, Fen),
}

/// The papers that came with an answer, without those the case had before, byte for byte.
fn new_papers<'a>(facts: &'a Facts, one: &Correction) -> Vec<&'a Attachment> {
    let all = || facts.files.iter().chain(&facts.replaced);
    let mut came = one.papers(all());
    came.retain(|file| attachment::is_new(file, all()));
    came
}

/// A correction with what its answer changed, as the visitor may see it.
struct ShownCorrection<'a> {
    one: &'a Correction,
    changes: Vec<Change>,
    papers: Vec<&'a Attachment>,
}

pub(super) struct Shown<'a> {
    pub(super) typed: Typed,
    pub(super) errors: &'a [FieldError],
    pub(super) how: How,
}

/// The page with a task's form as it was typed.
pub(super) async fn render(app: &App, visit: &Visit, facts: &Facts, shown: Shown<'_>) -> Answer {
    let actor = visit.actor()?;
    let own = actor.party == Some(facts.case.party);
    let how = if own { How::Plain } else { shown.how };
    let (case, party) = (facts.case.id, facts.case.party);
    let reader = actor.clone();
    let read = app.store.read(move |q| {
        let q: &dyn Query = &**q;
        Ok::<_, Error>((
            fund::of_case(q, case)?,
            fund::received_by(q, &reader, party)?,
        ))
    });
    let (money, past) = read.await?;
    let batched = facts.tasks.iter().any(|task| task.role == "batch");
    let template = ShowPage {
        page: Page::new(
            app,
            visit,
            format!("{} · {}", facts.case.party_name, facts.case.title),
        ),
        own,
        state_words: state::words(&facts.case.state).to_owned(),
        state_look: state::look(&facts.case.state),
        stages: stages(facts),
        why: match &facts.case.explanation {
            Some(explanation) => why_rows(&facts.package, &explanation.read()?),
            None => Vec::new(),
        },
        sections: facts.package.form.view(&facts.values, how),
        revealed: !own && how == How::Plain,
        works: own || actor.roles.any(CASE_WORKERS),
        may_withdraw: own && facts.case.ended_at.is_none() && !batched,
        to_correct: facts
            .tasks
            .iter()
            .any(|t| t.state == "open" && t.role == Role::Applicant.code())
            && (own || actor.has(Role::WindowClerk)),
        desk: desk(facts, actor, &shown.typed, shown.errors, visit.today())?,
        errors: Errors(shown.errors),
        trail: trail(facts),
        corrections: facts
            .corrections
            .iter()
            .map(|one| ShownCorrection {
                one,
                changes: one.changes(&facts.package, how),
                papers: new_papers(facts, one),
            })
            .collect(),
        correct_by: facts.correct_by(),
        money,
        past,
        facts,
    };
    let status = if shown.errors.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    };
    visit.show_with(status, &template)
}

async fn show(State(app): State<App>, visit: Visit, Path(id): Path<CaseId>) -> Answer {
    let facts = load(&app, &visit, id).await?;
    note_opened(&app, &visit, id).await;
    let plain = Shown {
        typed: Typed::default(),
        errors: &[],
        how: How::Masked,
    };
    render(&app, &visit, &facts, plain).await
}

/// Looks into one case by one session within this span are one event of the log.
const ONE_LOOK: SignedDuration = SignedDuration::from_mins(30);

/// Notes that staff looked into a case, before they see it. Where nothing can be written the page is
/// shown all the same: what is personal is masked there, and each look at that has an event of its
/// own which must come first.
pub(super) async fn note_opened(app: &App, visit: &Visit, case: CaseId) {
    let Some(actor) = visit.actor.clone().filter(Actor::is_staff) else {
        return;
    };
    let session = visit.token.as_deref().unwrap_or_default();
    let look = format!("case.open {case} {session}");
    if !app.attempts.is_first(&look, visit.now, ONE_LOOK) {
        return;
    }
    let command = Command::new("case.open", visit.now);
    let noted = app.store.write(command, move |tx| {
        tx.event(Event {
            actor: actor.to_ref(),
            command: "case.open",
            subject: ("casework", case.0),
            detail: json!({}),
            rows: Vec::new(),
        });
        Ok::<_, Error>(())
    });
    if let Err(error) = noted.await {
        app.attempts.was_not(&look);
        tracing::warn!(%case, %error, "opening of case {case} not noted: {error}");
    }
}

/// Files of a case as a form shows them.
pub(super) fn shown_files<'a>(
    case: CaseId,
    files: impl Iterator<Item = &'a Attachment>,
) -> Vec<form::Attachment> {
    files
        .map(|file| form::Attachment {
            slot: file.slot.clone(),
            file_name: file.file_name.clone(),
            href: format!("/cases/{case}/files/{}", file.id),
            size: file.size(),
        })
        .collect()
}

/// Attaches kept files to a case, or to the task of it where they wait.
pub(super) async fn attach(
    app: &App,
    visit: &Visit,
    case: CaseId,
    to: Subject,
    kept: Vec<attachment::Kept>,
) -> Result<(), WebError> {
    if kept.is_empty() {
        return Ok(());
    }
    let actor = visit.actor()?.clone();
    let command = Command::new("case.attach", visit.now);
    let attached = app.store.write(command, move |tx| {
        find_case(tx, &actor, case)?;
        let mut rows = Vec::new();
        for file in &kept {
            let changed = attachment::add(tx, &actor.name, to, file)?;
            rows.extend(changed.iter().map(|file| ("attachment", file.0)));
        }
        tx.event(Event {
            actor: actor.to_ref(),
            command: "case.attach",
            subject: ("casework", case.0),
            detail: json!({ "files": kept.len() }),
            rows,
        });
        Ok::<_, Error>(())
    });
    Ok(attached.await?)
}

async fn withdraw_case(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<CaseId>,
    posted: Posted,
) -> Answer {
    let actor = visit.actor()?.clone();
    let version = posted.version("version")?;
    let reason = posted.get("reason").to_owned();
    let command = Command::new("case.withdraw", visit.now).once(posted.key());
    let done = app.store.write_once(command, move |tx| {
        withdraw(tx, &actor, id, version, &reason)
    });
    Ok(visit.redirect(&format!("/cases/{id}"), &done.await?.value.message))
}

/// Shows the personal values once, for a stated reason that goes into the log.
async fn reveal(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<CaseId>,
    posted: Posted,
) -> Answer {
    let actor = visit.actor()?.clone();
    let reason: String = posted.get("why").chars().take(200).collect();
    let facts = load(&app, &visit, id).await?;
    if reason.chars().count() < 4 {
        let error = FieldError {
            field: "why".to_owned(),
            rule: "required".into(),
            message: "请写明查看个人信息的事由（至少 4 个字），事由会留痕。".to_owned(),
        };
        let errors = [error];
        let shown = Shown {
            typed: Typed::default(),
            errors: &errors,
            how: How::Masked,
        };
        return render(&app, &visit, &facts, shown).await;
    }
    let command = Command::new("case.reveal", visit.now);
    let logged = app.store.write(command, move |tx| {
        find_case(tx, &actor, id)?;
        tx.event(Event {
            actor: actor.to_ref(),
            command: "case.reveal",
            subject: ("casework", id.0),
            detail: json!({ "reason": vocab::mask_numbers(&reason) }),
            rows: vec![],
        });
        Ok::<_, Error>(())
    });
    logged.await?;
    let shown = Shown {
        typed: Typed::default(),
        errors: &[],
        how: How::Plain,
    };
    render(&app, &visit, &facts, shown).await
}

async fn download(
    State(app): State<App>,
    visit: Visit,
    Path((id, file)): Path<(CaseId, AttachmentId)>,
) -> Answer {
    let actor = visit.actor()?.clone();
    // Papers show identity numbers: whoever of the staff opens one is noted.
    let opened = app
        .store
        .write(Command::new("case.open_file", visit.now), move |tx| {
            let case = find_case(tx, &actor, id)?;
            let mut files = attachment::ever_of_subject(tx, Subject::Case(case.id))?;
            // What waits for an answer is shown to who writes it.
            if actor.party == Some(case.party) || actor.has(Role::WindowClerk) {
                for task in tasks_of(tx, case.id)?.iter().filter(|t| t.state == "open") {
                    files.extend(attachment::of_subject(tx, Subject::Task(task.id))?);
                }
            }
            let found = files.into_iter().find(|one| one.id == file);
            if found.is_some() && actor.is_staff() {
                tx.event(Event {
                    actor: actor.to_ref(),
                    command: "case.open_file",
                    subject: ("casework", id.0),
                    detail: json!({ "attachment": file }),
                    rows: vec![],
                });
            }
            Ok::<_, Error>(found)
        });
    let file = opened.await?.ok_or_else(WebError::not_found)?;
    send_file(&app, file).await
}
