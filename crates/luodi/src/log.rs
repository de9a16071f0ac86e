//! The log (日志) as the audit administrator reads it: who did what, when, to what. Reading it is
//! itself no change; it lacks any way to alter an event.

use askama::Template;
use axum::extract::{Query as UrlQuery, RawQuery, State};
use serde::Deserialize;

use crate::access::{Role, Rule};
use crate::store::{StoreError, Written, count_written, written};
use crate::web::{Answer, App, Page, Pager, Route, Visit, filters, get};

const ROWS: u32 = 50;

/// The routes of the log.
pub fn routes() -> Vec<Route> {
    vec![get("/log", Rule::Staff(&[Role::AuditAdmin]), list)]
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    q: String,
    page: u32,
}

#[derive(Template)]
#[template(path = "log/list.html")]
struct LogPage {
    page: Page,
    asked: Asked,
    events: Vec<Written>,
    pager: Pager,
}

async fn list(
    State(app): State<App>,
    visit: Visit,
    RawQuery(raw): RawQuery,
    UrlQuery(asked): UrlQuery<Asked>,
) -> Answer {
    let text: String = asked.q.trim().chars().take(60).collect();
    let offset = i64::from(asked.page.max(1) - 1) * i64::from(ROWS);
    let read = app.store.read(move |q| {
        Ok::<_, StoreError>((
            written(&**q, &text, ROWS, offset)?,
            count_written(&**q, &text)?,
        ))
    });
    let (events, total) = read.await?;
    let pager = Pager::new("/log", &raw.unwrap_or_default(), asked.page, ROWS, total);
    visit.show(&LogPage {
        page: Page::new(&app, &visit, "日志"),
        asked,
        events,
        pager,
    })
}
