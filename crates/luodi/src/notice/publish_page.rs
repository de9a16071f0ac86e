//! The form that publishes a batch's list, shown from the batch page.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use jiff::civil::Date;
use vocab::Fen;

use super::publish::{PUBLISHERS, check, earliest_end, may_publish, summary};
use super::queries::{self, Notice};
use super::{Channel, Publication, publish};
use crate::access::{Rule, Scope};
use crate::fund::{self, BatchRow};
use crate::ids::BatchId;
use crate::party;
use crate::refusal::{Error, Refusals};
use crate::store::Command;
#[allow(unused_imports, reason = "templates find filters by this name")]
use crate::web::filters;
use crate::web::form::Errors;
use crate::web::{Answer, App, Crumb, Page, Posted, Route, Visit, WebError, get, post};

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/batches/{id}/notice", Rule::Staff(PUBLISHERS), ask),
        post("/batches/{id}/notice", Rule::Staff(PUBLISHERS), submit),
    ]
}

/// What is typed into the form.
#[derive(Default)]
struct Typed {
    title: String,
    basis: String,
    ends_on: String,
    channel: Channel,
}

/// A beneficiary as the public will see it.
struct Preview {
    name: String,
    summary: String,
    amount: Fen,
}

#[derive(Template)]
#[template(path = "notice/publish.html")]
struct PublishPage {
    page: Page,
    errors: Errors,
    crumbs: Vec<Crumb>,
    batch: BatchRow,
    lines: Vec<Preview>,
    total: Fen,
    typed: Typed,
    version: i64,
    hint: String,
}

struct Found {
    batch: BatchRow,
    lines: Vec<Preview>,
    last: Option<Notice>,
    published: Option<Notice>,
}

async fn load(app: &App, visit: &Visit, id: BatchId) -> Result<Found, WebError> {
    let actor = visit.actor()?.clone();
    let found = app.store.read(move |q| {
        let (batch, entries) = fund::batch_for_notice(&**q, id)?;
        let scope = Scope {
            region: batch.region,
            department: Some(batch.department),
            party: None,
        };
        may_publish(&actor, &scope)?;
        let lines = entries.iter().map(|entry| {
            Ok(Preview {
                name: party::masked_name(&entry.party_kind, &entry.party_name),
                summary: summary(&**q, &actor, entry)?,
                amount: entry.amount,
            })
        });
        Ok::<_, Error>(Found {
            lines: lines.collect::<crate::refusal::Result<_>>()?,
            last: queries::last_of(&**q, batch.department)?,
            published: queries::of_batch(&**q, id)?,
            batch,
        })
    });
    Ok(found.await?)
}

async fn ask(State(app): State<App>, visit: Visit, Path(id): Path<BatchId>) -> Answer {
    let found = load(&app, &visit, id).await?;
    if let Some(published) = &found.published {
        return Ok(visit.redirect(&format!("/notices/{}", published.id), "这个批次已经公示。"));
    }
    let typed = proposal(&found, visit.today());
    let version = found.batch.version;
    show(&app, &visit, found, typed, version, Errors::default())
}

/// What the department's last notice said is offered again.
fn proposal(found: &Found, today: Date) -> Typed {
    let (basis, channel) = match &found.last {
        Some(last) => (last.basis.clone(), last.channel.clone()),
        None => (String::new(), Channel::default()),
    };
    Typed {
        title: format!("{}公示", found.batch.title),
        ends_on: earliest_end(today).to_string(),
        basis,
        channel,
    }
}

fn show(
    app: &App,
    visit: &Visit,
    found: Found,
    typed: Typed,
    version: i64,
    errors: Errors,
) -> Answer {
    let status = if errors.heading().is_empty() {
        StatusCode::OK
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    };
    let crumb = |href: String, label: &str| Crumb {
        href,
        label: label.to_owned(),
    };
    let earliest = earliest_end(visit.today());
    let template = PublishPage {
        page: Page::new(app, visit, "发布公示"),
        crumbs: vec![
            crumb("/batches".to_owned(), "批次"),
            crumb(format!("/batches/{}", found.batch.id), &found.batch.number),
        ],
        total: found.lines.iter().map(|line| line.amount).sum(),
        hint: format!(
            "从今天起不少于 5 个工作日，最早 {}，当天 24 时截止。",
            vocab::date::near_zh(earliest, visit.today())
        ),
        batch: found.batch,
        lines: found.lines,
        typed,
        version,
        errors,
    };
    visit.show_with(status, &template)
}

fn read(posted: &Posted) -> Typed {
    let text = |name: &str| posted.get(name).to_owned();
    Typed {
        title: text("title"),
        basis: text("basis"),
        ends_on: text("ends_on"),
        channel: Channel {
            address: text("address"),
            phone: text("phone"),
            mail: text("mail"),
        },
    }
}

async fn submit(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<BatchId>,
    posted: Posted,
) -> Answer {
    let actor = visit.actor()?.clone();
    let version = posted.version("version")?;
    let typed = read(&posted);
    let ends_on = vocab::date::read(&typed.ends_on);
    let new = Publication {
        batch: id,
        version,
        title: typed.title.clone(),
        basis: typed.basis.clone(),
        ends_on: ends_on.unwrap_or_default(),
        channel: typed.channel.clone(),
    };
    let mut wrong = Refusals::default();
    if let Err(error) = ends_on {
        wrong.add("ends_on", error.code(), error.message_zh());
    }
    let done = match check(&new, visit.today(), wrong) {
        Ok(()) => {
            let command = Command::new("notice.publish", visit.now).once(posted.key());
            app.store
                .write_once(command, move |tx| publish(tx, &actor, &new))
                .await
        }
        Err(refusal) => Err(refusal.into()),
    };
    match done {
        Ok(done) => {
            let text = format!(
                "公示 {} 已发布，公众现在可以查看和提出异议。",
                done.value.number
            );
            Ok(visit.redirect(&format!("/notices/{}", done.value.id), &text))
        }
        Err(error) => {
            let errors = Errors::take(error, &posted)?;
            let found = load(&app, &visit, id).await?;
            show(&app, &visit, found, typed, version, errors)
        }
    }
}
