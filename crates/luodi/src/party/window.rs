//! What the window does for one party: correct it, and open an account for it.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use crate::access::{Role, Rule};
use crate::account::password;
use crate::ids::PartyId;
use crate::refusal::Error;
use crate::store::Command;
use crate::web::filters;
use crate::web::form::Errors;
use crate::web::{Answer, App, Crumb, Page, Posted, Route, Visit, WebError, get, post};

use super::queries::{self, Party, Personal};
use super::{commands, form};

const WINDOW: Rule = Rule::Staff(&[Role::WindowClerk]);

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/parties/{id}/amend", WINDOW, ask_amend),
        post("/parties/{id}/amend", WINDOW, amend),
        get("/parties/{id}/account", WINDOW, ask_account),
        post("/parties/{id}/account", WINDOW, open_account),
    ]
}

fn crumbs(party: &Party) -> Vec<Crumb> {
    let crumb = |href: String, label: &str| Crumb {
        href,
        label: label.to_owned(),
    };
    vec![
        crumb("/parties".to_owned(), "主体"),
        crumb(format!("/parties/{}", party.id), &party.name),
    ]
}

#[derive(Template)]
#[template(path = "party/amend.html")]
struct AmendPage {
    page: Page,
    crumbs: Vec<Crumb>,
    errors: Errors,
    party: Party,
    masked: Personal,
    typed: Posted,
}

async fn ask_amend(State(app): State<App>, visit: Visit, Path(id): Path<PartyId>) -> Answer {
    show_amend(&app, &visit, id, StatusCode::OK, None, Errors::default()).await
}

async fn show_amend(
    app: &App,
    visit: &Visit,
    id: PartyId,
    status: StatusCode,
    typed: Option<Posted>,
    errors: Errors,
) -> Answer {
    let actor = visit.actor()?.clone();
    let (party, masked) = app
        .store
        .read(move |q| {
            let party = queries::find(q, &actor, id)?;
            Ok::<_, Error>((party, queries::personal(q, id)?.masked()))
        })
        .await?;
    let page = AmendPage {
        page: Page::new(app, visit, "更正主体信息"),
        crumbs: crumbs(&party),
        errors,
        typed: typed.unwrap_or_else(|| known(&party)),
        party,
        masked,
    };
    visit.show_with(status, &page)
}

/// The form filled with what is known and not personal.
fn known(party: &Party) -> Posted {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let founded_on = party
        .founded_on
        .map_or_else(String::new, |day| day.to_string());
    Posted::from_fields(vec![
        ("name".to_owned(), party.name.clone()),
        (
            "legal_representative".to_owned(),
            text(&party.legal_representative),
        ),
        ("industry".to_owned(), text(&party.industry)),
        ("founded_on".to_owned(), founded_on),
    ])
}

async fn amend(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<PartyId>,
    posted: Posted,
) -> Answer {
    match try_amend(&app, &visit, id, &posted).await {
        Ok(()) => Ok(visit.redirect(&format!("/parties/{id}"), "主体信息已更正。")),
        Err(error) => {
            let errors = Errors::take(error, &posted)?;
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            show_amend(&app, &visit, id, status, Some(posted), errors).await
        }
    }
}

async fn try_amend(app: &App, visit: &Visit, id: PartyId, posted: &Posted) -> Result<(), WebError> {
    let (actor, version) = (visit.actor()?.clone(), posted.version("version")?);
    let (amendment, wrong) = form::read_amendment(posted);
    if !wrong.is_empty() {
        commands::check_amendment(visit.today(), &amendment, wrong)?;
    }
    let command = Command::new("party.amend", visit.now).once(posted.key());
    app.store
        .write_once(command, move |tx| {
            commands::amend(tx, &actor, id, version, &amendment)
        })
        .await?;
    Ok(())
}

#[derive(Template)]
#[template(path = "party/account.html")]
struct AccountPage {
    page: Page,
    crumbs: Vec<Crumb>,
    errors: Errors,
    party: Party,
    typed_login: String,
}

#[derive(Template)]
#[template(path = "account/one_time.html")]
struct OneTimePage {
    page: Page,
    login: String,
    password: Option<String>,
    back: String,
}

async fn ask_account(State(app): State<App>, visit: Visit, Path(id): Path<PartyId>) -> Answer {
    show_account(
        &app,
        &visit,
        id,
        StatusCode::OK,
        String::new(),
        Errors::default(),
    )
    .await
}

async fn show_account(
    app: &App,
    visit: &Visit,
    id: PartyId,
    status: StatusCode,
    typed_login: String,
    errors: Errors,
) -> Answer {
    let actor = visit.actor()?.clone();
    let party = app
        .store
        .read(move |q| queries::find(q, &actor, id))
        .await?;
    let page = AccountPage {
        page: Page::new(app, visit, "开通网上账号"),
        crumbs: crumbs(&party),
        errors,
        party,
        typed_login,
    };
    visit.show_with(status, &page)
}

async fn open_account(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<PartyId>,
    posted: Posted,
) -> Answer {
    let login = posted.get("login").to_lowercase();
    match try_open(&app, &visit, id, &posted, login.clone()).await {
        Ok(password) => {
            let page = Page::new(&app, &visit, "账号已开通");
            visit.show(&OneTimePage {
                page,
                login,
                password,
                back: format!("/parties/{id}"),
            })
        }
        Err(error) => {
            let errors = Errors::take(error, &posted)?;
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            show_account(&app, &visit, id, status, login, errors).await
        }
    }
}

/// Opens the account; gives the one-time password, none where the form was sent before.
async fn try_open(
    app: &App,
    visit: &Visit,
    id: PartyId,
    posted: &Posted,
    login: String,
) -> Result<Option<String>, WebError> {
    let actor = visit.actor()?.clone();
    let once = password::one_time();
    let hash = password::hash_in_turn(once.clone()).await?;
    let command = Command::new("account.create", visit.now).once(posted.key());
    let done = app
        .store
        .write_once(command, move |tx| {
            commands::open_account(tx, &actor, id, &login, &hash)
        })
        .await?;
    Ok((!done.replayed).then_some(once))
}
