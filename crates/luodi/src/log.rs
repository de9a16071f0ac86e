//! The log (日志) as the audit administrator reads it: who did what, when, to what. Reading it is
//! itself no change; it lacks any way to alter an event.

mod words;

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

/// An event in the words of the page.
struct Line {
    event: Written,
    command: String,
    table: String,
    /// The page of what it is about, where the audit administrator may see it; else empty.
    href: String,
}

impl From<Written> for Line {
    fn from(event: Written) -> Self {
        // Only public pages: an audit administrator sees no casework.
        let href = match event.subject_table.as_str() {
            "notice" => format!("/notices/{}", event.subject_id.simple()),
            _ => String::new(),
        };
        Self {
            command: words::command(&event.command).to_owned(),
            table: words::table(&event.subject_table).to_owned(),
            href,
            event,
        }
    }
}

#[derive(Template)]
#[template(path = "log/list.html")]
struct LogPage {
    page: Page,
    asked: Asked,
    events: Vec<Line>,
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
        events: events.into_iter().map(Line::from).collect(),
        pager,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(table: &str) -> Line {
        Line::from(Written {
            id: uuid::Uuid::nil(),
            at: jiff::Timestamp::UNIX_EPOCH,
            actor: "system".into(),
            command: "case.timer".into(),
            subject_table: table.into(),
            subject_id: uuid::Uuid::nil(),
            detail: "{}".into(),
        })
    }

    #[test]
    fn events_are_told_in_words_and_lead_to_public_pages_only() {
        let case = about("casework");
        assert_eq!(
            (case.command.as_str(), case.table.as_str()),
            ("到期自动处理", "办件")
        );
        assert_eq!(case.href, "");
        assert!(about("notice").href.starts_with("/notices/0000"));
    }
}
