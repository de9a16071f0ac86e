//! The page on which the applicant, or the window for him, answers a correction with the whole form.
//! Papers uploaded there wait at the task until the answer is right as a whole.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use jiff::civil::Date;

use super::apply::{add_errors, keep_files, known_answer};
use super::changes::Correction;
use super::correction::answer_correction;
use super::queries::TaskRow;
use super::show::{Facts, attach, load, shown_files};
use crate::access::{Role, Rule};
use crate::attachment::{self, Attachment, Subject};
use crate::form::{self, Errors, Values};
use crate::ids::{CaseId, TaskId};
use crate::refusal::{Error, FieldError, Refusal};
use crate::store::Command;
use crate::web::{Answer, App, Page, Posted, Route, Visit, WebError, filters, get, post};

const WHO: Rule = Rule::ApplicantOrStaff(&[Role::WindowClerk]);
/// What is said once the answer is in.
const SENT: &str = "补正材料已提交，办理继续。";

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/cases/{case}/correct", WHO, correct),
        post("/cases/{case}/correct", WHO, send_correction),
    ]
}

#[derive(Template)]
#[template(path = "casework/correct.html")]
struct CorrectPage<'a> {
    page: Page,
    facts: &'a Facts,
    task: &'a TaskRow,
    asked: Vec<&'a Correction>,
    correct_by: Option<Date>,
    fields: String,
    answer: String,
    errors: Errors<'a>,
}

fn correction_task(facts: &Facts) -> Result<&TaskRow, WebError> {
    facts
        .tasks
        .iter()
        .find(|task| task.state == "open" && task.role == Role::Applicant.code())
        .ok_or_else(|| {
            Refusal::conflict(
                "not-correcting",
                "这个办件目前不需要补正。请返回办件页查看最新进度。",
            )
            .into()
        })
}

/// What was typed into the form of an answer.
struct Typed<'a> {
    values: &'a Values,
    answer: &'a str,
    errors: &'a [FieldError],
}

fn correct_page(
    app: &App,
    visit: &Visit,
    (facts, waiting): (&Facts, &[Attachment]),
    typed: Typed<'_>,
) -> Answer {
    let Typed {
        values,
        answer,
        errors,
    } = typed;
    let template = CorrectPage {
        page: Page::new(app, visit, "补正"),
        task: correction_task(facts)?,
        asked: facts
            .corrections
            .iter()
            .filter(|one| one.answered_at.is_none())
            .collect(),
        correct_by: facts.correct_by(),
        fields: facts
            .package
            .form
            .render(values, errors, &shown(facts, waiting), visit.today())?,
        answer: answer.to_owned(),
        errors: Errors(errors),
        facts,
    };
    let status = if errors.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    };
    visit.show_with(status, &template)
}

/// The files of the case as they will be with the answer.
fn shown(facts: &Facts, waiting: &[Attachment]) -> Vec<form::Attachment> {
    let goes =
        |slot: &str| facts.package.is_single(slot) && waiting.iter().any(|file| file.slot == slot);
    let stay = facts.files.iter().filter(|file| !goes(&file.slot));
    shown_files(facts.case.id, stay.chain(waiting))
}

/// The papers uploaded for the answer so far.
async fn waiting_papers(app: &App, task: TaskId) -> Result<Vec<Attachment>, WebError> {
    let waiting = app
        .store
        .read(move |q| attachment::of_subject(&**q, Subject::Task(task)));
    Ok(waiting.await?)
}

async fn correct(State(app): State<App>, visit: Visit, Path(id): Path<CaseId>) -> Answer {
    let facts = load(&app, &visit, id).await?;
    let mut values = facts.values.clone();
    if visit.actor()?.party != Some(facts.case.party) {
        // The window types personal values from the paper in hand; it is not shown the stored ones.
        for field in facts
            .package
            .form
            .fields()
            .filter(|field| field.class.is_some())
        {
            values.remove(&field.key);
        }
    }
    let waiting = waiting_papers(&app, correction_task(&facts)?.id).await?;
    let typed = Typed {
        values: &values,
        answer: "",
        errors: &[],
    };
    correct_page(&app, &visit, (&facts, &waiting), typed)
}

async fn send_correction(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<CaseId>,
    posted: Posted,
) -> Answer {
    const COMMAND: &str = "case.answer_correction";
    let actor = visit.actor()?.clone();
    let facts = load(&app, &visit, id).await?;
    let task = match correction_task(&facts) {
        Ok(task) => task.id,
        // A second click after the effect finds no task: the stored answer says what became of it.
        Err(error) => {
            return match known_answer(&app, &visit, COMMAND, &posted).await? {
                Some(_) => Ok(visit.redirect(&format!("/cases/{id}"), SENT)),
                None => Err(error),
            };
        }
    };
    let form = &facts.package.form;
    let mut fields = posted.fields().to_vec();
    form.prefill(&mut fields, |source| {
        super::apply::prefill(&facts.party, source)
    });
    let mut values = form.typed(&fields);
    let answer = posted.get("answer").to_owned();
    if form.act(posted.get("action"), &mut values) {
        let waiting = waiting_papers(&app, task).await?;
        let typed = Typed {
            values: &values,
            answer: &answer,
            errors: &[],
        };
        return correct_page(&app, &visit, (&facts, &waiting), typed);
    }
    let version = posted.version("version")?;
    let owner = (facts.case.party, Some(Subject::Task(task)));
    let (kept, mut errors) = keep_files(&app, &visit, form, owner, posted.uploads()).await?;
    attach(&app, &visit, id, Subject::Task(task), kept).await?;
    let waiting = waiting_papers(&app, task).await?;
    let files = facts.files.iter().chain(&waiting);
    let slots: Vec<&str> = files.map(|file| file.slot.as_str()).collect();
    let refused = match form.read(&fields, &slots, visit.today()) {
        Ok(read) if errors.is_empty() => {
            let command = Command::new(COMMAND, visit.now).once(posted.key());
            let said = answer.clone();
            let done = app.store.write_once(command, move |tx| {
                answer_correction(tx, &actor, task, version, &read, &said)
            });
            match done.await {
                Ok(_) => return Ok(visit.redirect(&format!("/cases/{id}"), SENT)),
                Err(Error::Refused(refusal)) if !refusal.fields.is_empty() => refusal.fields,
                Err(error) => return Err(error.into()),
            }
        }
        read => {
            add_errors(&mut errors, read.err().unwrap_or_default());
            errors
        }
    };
    let typed = Typed {
        values: &values,
        answer: &answer,
        errors: &refused,
    };
    correct_page(&app, &visit, (&facts, &waiting), typed)
}
