//! The applicant's own page: his cases, what waits for him, drafts and messages.
//!
//! It lacks the case itself (`show`).

use askama::Template;
use axum::extract::{Query as UrlQuery, RawQuery, State};
use vocab::Fen;

use super::draft::{self, ListedDraft};
use super::queries::{CaseFilter, count_by_state, list_cases};
use super::work::{ListQuery, ROWS, RowView, chips, export_cases, find};
use crate::access::Rule;
use crate::fund;
use crate::party;
use crate::refusal::Error;
use crate::web::form::Chip;
use crate::web::{Answer, App, Page, Pager, Route, Visit, filters, get};

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/my", Rule::Applicant, my),
        get("/my/export.xlsx", Rule::Applicant, export),
    ]
}

#[derive(Template)]
#[template(path = "casework/my.html")]
struct MyPage {
    page: Page,
    asked: ListQuery,
    chips: Vec<Chip>,
    /// Nothing was ever applied for.
    never: bool,
    export: String,
    returned: Vec<fund::Returned>,
    rows: Vec<RowView>,
    to_correct: Vec<RowView>,
    drafts: Vec<ListedDraft>,
    messages: Vec<party::Message>,
    total_amount: Fen,
    pager: Pager,
}

/// The newest first, unless another order is asked for.
fn newest_first(mut asked: ListQuery) -> ListQuery {
    if asked.sort.is_empty() {
        "submitted".clone_into(&mut asked.sort);
    }
    asked
}

async fn my(
    State(app): State<App>,
    visit: Visit,
    RawQuery(raw): RawQuery,
    UrlQuery(asked): UrlQuery<ListQuery>,
) -> Answer {
    let (actor, today) = (visit.actor()?.clone(), visit.today());
    let asked = newest_first(asked);
    let filter = asked.filter(&actor, today);
    let found = find(&app, &actor, filter.clone(), asked.page).await?;
    let correcting = CaseFilter {
        state: "correcting".into(),
        ..CaseFilter::default()
    };
    let read = app.store.read(move |q| {
        let returned = match actor.party {
            Some(party) => fund::returned_to(&**q, party)?,
            None => Vec::new(),
        };
        Ok::<_, Error>((
            count_by_state(&**q, &actor, &filter)?,
            list_cases(&**q, &actor, &correcting, 20, 0)?,
            returned,
            draft::of_actor(&**q, &actor, None)?,
            party::recent_messages(&**q, &actor, 5)?,
        ))
    });
    let (states, to_correct, returned, drafts, messages) = read.await?;
    let raw = raw.unwrap_or_default();
    let rows = |cases: Vec<_>| {
        let cases = cases.into_iter();
        cases.map(|case| RowView::new(case, today)).collect()
    };
    visit.show(&MyPage {
        page: Page::new(&app, &visit, "我的办件"),
        never: states.is_empty() && asked.q.is_empty(),
        chips: chips("/my", &asked, &states),
        export: format!("/my/export.xlsx?{raw}"),
        rows: rows(found.rows),
        to_correct: rows(to_correct),
        returned,
        drafts,
        messages,
        total_amount: found.amount,
        pager: Pager::new("/my", &raw, asked.page, ROWS, found.total),
        asked,
    })
}

async fn export(
    State(app): State<App>,
    visit: Visit,
    UrlQuery(asked): UrlQuery<ListQuery>,
) -> Answer {
    export_cases(&app, &visit, &newest_first(asked)).await
}
