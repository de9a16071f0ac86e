//! The desk (工作台) of staff: their worklist of cases, and what waits for them beside it, of lists,
//! objections, bank accounts and payments.
//!
//! Owns no table and decides nothing: each domain says what waits for a role.

use axum::extract::{Query as UrlQuery, RawQuery, State};

use crate::access::{Actor, Role, Rule};
use crate::casework::{self, ListQuery};
use crate::fund;
use crate::notice;
use crate::party::bank_account;
use crate::personal;
use crate::refusal::Result;
use crate::store::Query;
use crate::web::form::Waiting;
use crate::web::{Answer, App, Route, Visit, get};

/// Whose desk is not cases, and where it is.
const OTHER_DESKS: &[(Role, &str)] = &[
    (Role::Editor, "/desk/articles"),
    (Role::SystemAdmin, "/accounts"),
    (Role::SecurityAdmin, "/accounts"),
    (Role::AuditAdmin, "/log"),
    (Role::Leader, "/overview"),
];

/// The route of the desk; everybody on the staff has one, be it empty.
pub fn routes() -> Vec<Route> {
    vec![get("/work", Rule::Staff(Role::ALL), work)]
}

async fn work(
    State(app): State<App>,
    visit: Visit,
    RawQuery(raw): RawQuery,
    UrlQuery(asked): UrlQuery<ListQuery>,
) -> Answer {
    let actor = visit.actor()?.clone();
    let elsewhere = OTHER_DESKS.iter().find(|(role, _)| actor.has(*role));
    if let (Some((_, desk)), false) = (elsewhere, actor.roles.any(Role::AT_WORKLIST)) {
        return Ok(visit.redirect(desk, ""));
    }
    let today = visit.today();
    let waiting = app
        .store
        .read(move |q| waiting(&**q, &actor, today))
        .await?;
    casework::worklist(&app, &visit, raw, asked, waiting).await
}

/// What waits for the actor, in the order a case goes its way.
fn waiting(q: &dyn Query, actor: &Actor, today: jiff::civil::Date) -> Result<Vec<Waiting>> {
    let mut all: Vec<Waiting> = casework::drafts_waiting(q, actor)?;
    all.extend(fund::unlisted(q, actor, today)?);
    all.extend(notice::waiting(q, actor)?);
    all.extend(bank_account::waiting(q, actor)?);
    all.extend(fund::payments_waiting(q, actor)?);
    all.extend(personal::waiting(q, actor)?);
    Ok(all)
}
