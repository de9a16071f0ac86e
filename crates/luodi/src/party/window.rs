//! What the window does for one party: correct it, open an account for it, and give that a new
//! password.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use jiff::Timestamp;

use crate::access::{Role, Rule};
use crate::account::{self, Identified, password};
use crate::ids::{AccountId, PartyId};
use crate::refusal::Error;
use crate::store::Command;
use crate::web::filters;
use crate::web::form::{Choice, Errors};
use crate::web::{Answer, App, Crumb, Page, Posted, Route, Visit, WebError, get, post};

use super::queries::{self, Party, Personal};
use super::{commands, form, message};

const WINDOW: Rule = Rule::Staff(&[Role::WindowClerk]);

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/parties/{id}/amend", WINDOW, ask_amend),
        post("/parties/{id}/amend", WINDOW, amend),
        get("/parties/{id}/account", WINDOW, ask_account),
        post("/parties/{id}/account", WINDOW, change_account),
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
    /// What is registered now, where another changed it while this form was filled in.
    now: Option<Posted>,
}

impl AmendPage {
    /// What is registered in a field now, where it is not what was typed.
    fn beside(&self, field: &str) -> Option<&str> {
        let now = self.now.as_ref()?.get(field);
        (now != self.typed.get(field)).then_some(if now.is_empty() { "未填写" } else { now })
    }
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
        now: (status == StatusCode::CONFLICT).then(|| known(&party)),
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
            let (status, errors) = match WebError::into_refusal(error)? {
                refusal if refusal.code == commands::CHANGED => {
                    (StatusCode::CONFLICT, Errors::from(&refusal))
                }
                refusal => {
                    let errors = Errors::take(refusal, &posted)?;
                    (StatusCode::UNPROCESSABLE_ENTITY, errors)
                }
            };
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
    typed: Posted,
    /// The accounts there are: id, log-in name, last log-in.
    accounts: Vec<(AccountId, String, Option<Timestamp>)>,
    chosen: Vec<Choice>,
    /// Offers to send the one-time password to the party's telephone, where one is known.
    by_message: Option<String>,
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
    let typed = Posted::from_fields(Vec::new());
    show_account(&app, &visit, id, StatusCode::OK, typed, Errors::default()).await
}

async fn show_account(
    app: &App,
    visit: &Visit,
    id: PartyId,
    status: StatusCode,
    typed: Posted,
    errors: Errors,
) -> Answer {
    let actor = visit.actor()?.clone();
    let (party, accounts, phone) = app
        .store
        .read(move |q| {
            let party = queries::find(q, &actor, id)?;
            let phone = queries::personal(q, id)?.masked().phone;
            Ok::<_, Error>((party, account::of_party(&**q, id)?, phone))
        })
        .await?;
    let chosen = accounts
        .iter()
        .map(|(id, login, _)| Choice::new(id.to_string(), login, typed.get("account")));
    let page = AccountPage {
        page: Page::new(app, visit, "网上账号"),
        crumbs: crumbs(&party),
        errors,
        party,
        chosen: chosen.collect(),
        typed,
        accounts,
        by_message: phone.map(|phone| format!("同时发短信到登记电话 {phone}")),
    };
    visit.show_with(status, &page)
}

async fn change_account(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<PartyId>,
    posted: Posted,
) -> Answer {
    let resets = posted.get("action") == "reset_password";
    let done = if resets {
        try_reset(&app, &visit, id, &posted).await
    } else {
        try_open(&app, &visit, id, &posted).await
    };
    match done {
        Ok((login, password)) => {
            let title = if resets {
                "密码已重置"
            } else {
                "账号已开通"
            };
            visit.show(&OneTimePage {
                page: Page::new(&app, &visit, title),
                login,
                password,
                back: format!("/parties/{id}"),
            })
        }
        Err(error) => {
            let errors = Errors::take(error, &posted)?;
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            show_account(&app, &visit, id, status, posted, errors).await
        }
    }
}

/// A one-time password and its hash.
async fn one_time() -> Result<(String, String), WebError> {
    let once = password::one_time();
    let hash = password::hash_in_turn(once.clone()).await?;
    Ok((once, hash))
}

/// Opens the account; gives its log-in name and the one-time password, none where the form was sent
/// before.
async fn try_open(
    app: &App,
    visit: &Visit,
    id: PartyId,
    posted: &Posted,
) -> Result<(String, Option<String>), WebError> {
    let (actor, login) = (visit.actor()?.clone(), posted.get("login").to_lowercase());
    let by_message = posted.get("by_message") == "true";
    let (once, hash) = one_time().await?;
    let (opened, sent) = (login.clone(), once.clone());
    let papers = posted.get("papers").to_owned();
    let command = Command::new("account.create", visit.now).once(posted.key());
    let done = app
        .store
        .write_once(command, move |tx| {
            commands::open_account(tx, &actor, id, (&opened, &papers), &hash)?;
            if by_message {
                message::send_one_time(tx, id, &opened, &sent)?;
            }
            Ok::<_, Error>(())
        })
        .await?;
    Ok((login, (!done.replayed).then_some(once)))
}

/// Gives an account of the party a new one-time password; as [`try_open`].
async fn try_reset(
    app: &App,
    visit: &Visit,
    id: PartyId,
    posted: &Posted,
) -> Result<(String, Option<String>), WebError> {
    let (actor, chosen) = (visit.actor()?.clone(), posted.id::<AccountId>("account")?);
    let said = Identified {
        reason: posted.get("reason").to_owned(),
        seen: posted.get("seen").to_owned(),
    };
    let by_message = posted.get("by_message") == "true";
    let (once, hash) = one_time().await?;
    let sent = once.clone();
    let command = Command::new("account.reset_at_window", visit.now).once(posted.key());
    let done = app
        .store
        .write_once(command, move |tx| {
            queries::find(tx, &actor, id)?;
            let login = account::reset_at_window(tx, &actor, id, chosen, &said, &hash)?;
            if by_message {
                message::send_one_time(tx, id, &login, &sent)?;
            }
            Ok::<_, Error>(login)
        })
        .await?;
    Ok((done.value, (!done.replayed).then_some(once)))
}
