//! Public notices for programs: the list, and one notice with its lines as they are published.

use axum::Json;
use axum::extract::{Path, Query as UrlQuery, State};
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vocab::RegionCode;

use super::NoticeState;
use super::queries::{self, LineState, NoticeFilter};
use crate::access::Rule;
use crate::account;
use crate::ids::NoticeId;
use crate::refusal::Error;
use crate::web::{Answer, App, Problem, Route, get};

/// Notices on a page.
const ROWS: u32 = 50;

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/api/notices", Rule::Public, list),
        get("/api/notices/{id}", Rule::Public, show),
    ]
}

/// What the list is narrowed by.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    q: String,
    region: String,
    state: String,
    page: String,
}

/// A page of the list.
#[derive(Serialize, ToSchema)]
pub struct NoticeList {
    /// How many notices there are in all.
    total: u64,
    /// The page, from 1; 50 notices each.
    page: u32,
    /// Running ones first.
    notices: Vec<ListedNotice>,
}

/// A notice in the list.
#[derive(Serialize, ToSchema)]
pub struct ListedNotice {
    id: String,
    number: String,
    title: String,
    /// Region code (GB/T 2260).
    region: String,
    starts_on: String,
    /// The last day, over at 24:00.
    ends_on: String,
    /// open or ended.
    state: &'static str,
    entries: u64,
    parties: u64,
    total_fen: i64,
}

/// One notice.
#[derive(Serialize, ToSchema)]
pub struct NoticeView {
    id: String,
    number: String,
    title: String,
    /// Region code (GB/T 2260).
    region: String,
    department: String,
    basis: String,
    starts_on: String,
    /// The last day, over at 24:00.
    ends_on: String,
    /// open or ended.
    state: &'static str,
    total_fen: i64,
    entries: Vec<NoticeEntry>,
}

/// A beneficiary's line.
#[derive(Serialize, ToSchema)]
pub struct NoticeEntry {
    id: String,
    position: u32,
    /// Masked where it is a natural person's.
    name: String,
    summary: String,
    amount_fen: i64,
    /// Once the notice has ended: final, held or removed.
    result: Option<&'static str>,
}

/// Public notices.
#[utoipa::path(get, path = "/api/notices", tag = "notices", params(
    ("q" = Option<String>, Query), ("region" = Option<String>, Query),
    ("state" = Option<String>, Query, description = "open or ended"), ("page" = Option<u32>, Query, minimum = 1, maximum = 1_000_000)),
    responses((status = 200, body = NoticeList)))]
pub(crate) async fn list(State(app): State<App>, UrlQuery(asked): UrlQuery<Asked>) -> Answer {
    let filter = NoticeFilter {
        text: asked.q.trim().chars().take(60).collect(),
        region: RegionCode::parse(&asked.region).ok(),
        state: NoticeState::from_code(&asked.state),
    };
    let page = crate::web::asked_page(&asked.page)?;
    let read = app.store.read(move |q| {
        let offset = i64::from(page - 1) * i64::from(ROWS);
        Ok::<_, Error>((
            queries::count(&**q, &filter)?,
            queries::list(&**q, &filter, ROWS, offset)?,
        ))
    });
    let (total, notices) = read.await?;
    let notices = notices.into_iter().map(|notice| ListedNotice {
        id: notice.id.to_string(),
        number: notice.number,
        title: notice.title,
        region: notice.region.to_string(),
        starts_on: notice.starts_on.to_string(),
        ends_on: notice.ends_on.to_string(),
        state: notice.state.code(),
        entries: notice.entries,
        parties: notice.parties,
        total_fen: notice.total.0,
    });
    let list = NoticeList {
        total,
        page,
        notices: notices.collect(),
    };
    Ok(Json(list).into_response())
}

/// One public notice with its lines.
#[utoipa::path(get, path = "/api/notices/{id}", tag = "notices", params(("id" = String, Path)),
    responses((status = 200, body = NoticeView), (status = 404, body = Problem)))]
pub(crate) async fn show(State(app): State<App>, Path(id): Path<NoticeId>) -> Answer {
    let read = app.store.read(move |q| {
        let notice = queries::find(&**q, id)?;
        let department = account::department(&**q, notice.department)?;
        let lines = queries::lines_with_states(&**q, &notice)?;
        Ok::<_, Error>((notice, department, lines))
    });
    let (notice, department, lines) = read.await?;
    let ended = notice.state == NoticeState::Ended;
    let view = NoticeView {
        id: notice.id.to_string(),
        number: notice.number,
        title: notice.title,
        region: notice.region.to_string(),
        department: department.map_or_else(String::new, |it| it.name),
        basis: notice.basis,
        starts_on: notice.starts_on.to_string(),
        ends_on: notice.ends_on.to_string(),
        state: notice.state.code(),
        total_fen: lines.iter().map(|(line, _)| line.amount.0).sum(),
        entries: lines
            .into_iter()
            .map(|(line, state)| NoticeEntry {
                id: line.id.to_string(),
                position: line.position,
                name: line.name,
                summary: line.summary,
                amount_fen: line.amount.0,
                result: (ended || state == LineState::Removed).then_some(match state {
                    LineState::Clear => "final",
                    LineState::Held => "held",
                    LineState::Removed => "removed",
                }),
            })
            .collect(),
    };
    Ok(Json(view).into_response())
}
