//! A forgotten password: a code to a contact that was proved before, then a new password.
//!
//! Whoever asks is told the same, at the same pace, whether the name is known, has a contact, or is
//! an administrator's, for whom this way is shut. It lacks the reset at the window and by
//! administrators.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::json;

use crate::access::Rule;
use crate::gateway;
use crate::ids::AccountId;
use crate::params;
use crate::refusal::{Error, Kind, Refusal, Refusals, Result};
use crate::store::{ActorKind, ActorRef, Command, Event, Query, Tx};
use crate::web::filters;
use crate::web::form::Errors;
use crate::web::{Answer, App, Page, Posted, Rate, Route, Visit, WebError, get, post};

use super::contact::{self, Contact};
use super::queries::{self, roles_of};
use super::sent_code::{self, Browser, Purpose, TRIED};
use super::session::{close_all, unknown_login};
use super::whole::need_untouched_account;
use super::{ADMINISTRATORS, commands, identity, password, rest};

/// Codes asked for from one address.
const ASK: Rate = Rate {
    purpose: "reset-ask",
    burst: 20,
    per_minute: 2,
};
/// Codes tried from one address.
const TRY: Rate = Rate {
    purpose: "reset-try",
    burst: 20,
    per_minute: 5,
};

/// Where the second page is.
const RESET: &str = "/login/reset";

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/login/forgot", Rule::Public, show_ask),
        post("/login/forgot", Rule::Public, ask),
        get(RESET, Rule::Public, show_reset),
        post(RESET, Rule::Public, reset),
    ]
}

/// Whose password may be reset by a code, and where the code goes.
struct Reachable {
    account: AccountId,
    contact: Contact,
}

/// None where the name is unknown, locked, an administrator's or without a proved contact.
fn reachable(q: &dyn Query, login: &str) -> Result<Option<Reachable>> {
    let sql = "SELECT id FROM account WHERE login = ?1 AND state = 'active'";
    let Some(account) = q.row_opt(sql, params![login], |r| r.get::<AccountId>(0))? else {
        return Ok(None);
    };
    if roles_of(q, account)?.any(&ADMINISTRATORS) {
        return Ok(None);
    }
    let mut proved = contact::contacts(q, account)?.into_iter();
    let contact = proved.find(|contact| contact.verified);
    Ok(contact.map(|contact| Reachable { account, contact }))
}

/// Sends a code where there is somebody to send it to; the log tells either way.
fn ask_reset(
    tx: &Tx<'_>,
    login: &str,
    code: (&str, Option<&Browser>),
    address: &str,
) -> Result<()> {
    let found = reachable(tx, login)?;
    let subject = match &found {
        Some(found) => found.account.0,
        None => unknown_login(tx, login),
    };
    let mut sent = false;
    // Nothing goes to a contact that somebody changed behind the program's back.
    let contact: Vec<uuid::Uuid> = found.iter().map(|found| found.contact.id).collect();
    let untouched = tx.touched("contact", &contact)?.is_empty();
    if let Some(found) = found.as_ref().filter(|_| untouched) {
        match sent_code::send(tx, found.account, &found.contact, Purpose::Reset, code) {
            Ok(()) => sent = true,
            // Too many within the hour: whoever asks is told nothing of it.
            Err(Error::Refused(_)) => {}
            Err(error) => return Err(error),
        }
    }
    let detail = json!({ "sent": sent, "address": address });
    event(tx, "account.ask_reset", subject, detail, Vec::new());
    Ok(())
}

/// What a new password is held against.
struct Against {
    /// Hashes it must not fit.
    past: Vec<String>,
    /// What others know of its owner.
    words: Vec<String>,
}

/// What the new password is held against, where the code is right; a wrong one is counted and told.
fn try_code(
    tx: &Tx<'_>,
    login: &str,
    code: (&str, Option<&Browser>),
    address: &str,
) -> Result<Option<Against>> {
    if let Some(found) = reachable(tx, login)?
        && sent_code::check(tx, found.account, Purpose::Reset, code)?.is_some()
    {
        return Ok(Some(Against {
            past: queries::past_passwords(tx, found.account)?,
            words: queries::known_words(tx, found.account)?,
        }));
    }
    let detail = json!({ "why": "reset-code", "address": address });
    let subject = unknown_login(tx, login);
    event(tx, "session.refuse", subject, detail, Vec::new());
    Ok(None)
}

/// Sets the new password, ends every session and tells the owner.
fn reset_by_code(
    tx: &Tx<'_>,
    login: &str,
    code: (&str, Option<&Browser>),
    password_hash: &str,
    address: &str,
) -> Result<()> {
    let found = reachable(tx, login)?.ok_or_else(wrong_code)?;
    let right = sent_code::check(tx, found.account, Purpose::Reset, code)?;
    right.ok_or_else(wrong_code)?;
    need_untouched_account(tx, found.account)?;
    sent_code::end(tx, found.account, Purpose::Reset)?;
    commands::put_password(tx, found.account, password_hash, None)?;
    tx.execute(
        "UPDATE account SET version = version + 1 WHERE id = ?1",
        params![found.account],
    )?;
    rest::lay_to_rest(tx, found.account)?;
    close_all(tx, found.account, None)?;
    let mut rows = identity::end_all(tx, found.account)?;
    contact::tell(tx, found.account, gateway::Template::PasswordChanged)?;
    rows.push(("account", found.account.0));
    let detail = json!({ "address": address });
    event(tx, "account.reset_by_code", found.account.0, detail, rows);
    Ok(())
}

fn event(
    tx: &Tx<'_>,
    command: &'static str,
    subject: uuid::Uuid,
    detail: serde_json::Value,
    rows: Vec<(&'static str, uuid::Uuid)>,
) {
    tx.event(Event {
        actor: ActorRef {
            kind: ActorKind::Public,
            id: None,
            label: "public".to_owned(),
            region: None,
        },
        command,
        subject: ("account", subject),
        detail,
        rows,
    });
}

fn wrong_code() -> Refusal {
    let message =
        "验证码不正确、已过期或输错满 5 次。请在获取验证码的同一浏览器里输入，或重新获取一个。";
    Refusal::field("code", "sent-code", message)
}

#[derive(Template)]
#[template(path = "account/forgot.html")]
struct AskPage {
    page: Page,
    errors: Errors,
    login: String,
}

#[derive(Template)]
#[template(path = "account/reset.html")]
struct ResetPage {
    page: Page,
    errors: Errors,
    login: String,
}

async fn show_ask(State(app): State<App>, visit: Visit) -> Answer {
    page_ask(&app, &visit, StatusCode::OK, "", Errors::default())
}

fn page_ask(app: &App, visit: &Visit, status: StatusCode, login: &str, errors: Errors) -> Answer {
    let page = AskPage {
        page: Page::new(app, visit, visit.lang.text("forgot.title")),
        errors: errors.told(visit.lang),
        login: login.to_owned(),
    };
    visit.show_with(status, &page)
}

async fn ask(State(app): State<App>, visit: Visit, posted: Posted) -> Answer {
    let login = posted.get("login").to_lowercase();
    if login.is_empty() {
        let refusal = Refusal::field("login", "required", "请填写登录名。");
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        return page_ask(&app, &visit, status, "", Errors::from(&refusal));
    }
    if !app.attempts.admit(ASK, &visit.address, visit.now) {
        let refusal = too_many("login");
        let status = StatusCode::TOO_MANY_REQUESTS;
        return page_ask(&app, &visit, status, &login, Errors::from(&refusal));
    }
    let (asked, address, code) = (login.clone(), visit.address.clone(), sent_code::fresh());
    let from = browser(&visit);
    let command = Command::new("account.ask_reset", visit.now);
    app.store
        .write(command, move |tx| {
            ask_reset(tx, &asked, (&code, Some(&from)), &address)
        })
        .await?;
    page_reset(&app, &visit, StatusCode::OK, &login, Errors::default())
}

fn too_many(field: &str) -> Refusal {
    Refusal {
        kind: Kind::TooMany,
        ..Refusal::field(field, "reset-rate", "尝试太多，请过几分钟再试。")
    }
}

/// The browser that asks. Its anonymous cookie tells it apart; nobody who is logged in has forgotten.
fn browser(visit: &Visit) -> Browser {
    Browser {
        secret: visit.csrf.clone(),
        device: visit.device.clone(),
        spent: Vec::new(),
    }
}

/// Takes a try of each code that this browser has for the account from what the process counts; gives
/// those tried, and the browser with those that are used up.
async fn take_tries(
    app: &App,
    visit: &Visit,
    login: &str,
) -> Result<(Vec<uuid::Uuid>, Browser), WebError> {
    let (mut from, asking, asked, now) =
        (browser(visit), browser(visit), login.to_owned(), visit.now);
    let live = app.store.read(move |q| match reachable(q, &asked)? {
        Some(found) => sent_code::of_browser(q, (found.account, Purpose::Reset), &asking, now),
        None => Ok(Vec::new()),
    });
    let admit = |id: &uuid::Uuid| app.attempts.admit(TRIED, &id.to_string(), now);
    let (tried, spent) = live.await?.into_iter().partition(admit);
    from.spent = spent;
    Ok((tried, from))
}

async fn show_reset(State(app): State<App>, visit: Visit) -> Answer {
    page_reset(&app, &visit, StatusCode::OK, "", Errors::default())
}

fn page_reset(app: &App, visit: &Visit, status: StatusCode, login: &str, errors: Errors) -> Answer {
    let page = ResetPage {
        page: Page::new(app, visit, visit.lang.text("reset.title")),
        errors: errors.told(visit.lang),
        login: login.to_owned(),
    };
    visit.show_with(status, &page)
}

async fn reset(State(app): State<App>, visit: Visit, posted: Posted) -> Answer {
    let login = posted.get("login").to_lowercase();
    match try_reset(&app, &visit, &posted, &login).await {
        Ok(()) => Ok(visit.redirect("/login", &visit.lang.text("reset.done"))),
        Err(error) => {
            let refusal = error.into_refusal()?;
            let status = match refusal.kind {
                Kind::TooMany => StatusCode::TOO_MANY_REQUESTS,
                _ => StatusCode::UNPROCESSABLE_ENTITY,
            };
            page_reset(&app, &visit, status, &login, Errors::from(&refusal))
        }
    }
}

async fn try_reset(app: &App, visit: &Visit, posted: &Posted, login: &str) -> Result<(), WebError> {
    let typed = |name: &str| {
        let values = posted.all(name);
        values.first().map_or_else(String::new, |v| (*v).to_owned())
    };
    let (code, new) = (posted.get("code").to_owned(), typed("new_password"));
    check(login, &code, &new, &typed("new_password_again"))?;
    if !app.attempts.admit(TRY, &visit.address, visit.now) {
        return Err(too_many("code").into());
    }
    let (asked, tried, address) = (login.to_owned(), code.clone(), visit.address.clone());
    let (tries, from) = take_tries(app, visit, login).await?;
    let typed_in = from.clone();
    let command = Command::new("account.reset_by_code", visit.now);
    let against = app
        .store
        .write(command, move |tx| {
            try_code(tx, &asked, (&tried, Some(&from)), &address)
        })
        .await?;
    let against = against.ok_or_else(wrong_code)?;
    for id in tries {
        app.attempts.give_back(TRIED, &id.to_string(), visit.now);
    }
    password::check_known(&against.words, &new)
        .map_err(|rule| Refusal::field("new_password", rule.code(), rule.message_zh()))?;
    password::refuse_past(&new, against.past).await?;
    let hash = password::hash_in_turn(new).await?;
    let (asked, address) = (login.to_owned(), visit.address.clone());
    app.store
        .write(
            Command::new("account.reset_by_code", visit.now),
            move |tx| reset_by_code(tx, &asked, (&code, Some(&typed_in)), &hash, &address),
        )
        .await?;
    Ok(())
}

/// What can be said without the store.
fn check(login: &str, code: &str, new: &str, again: &str) -> Result<(), Refusal> {
    let mut wrong = Refusals::default();
    if login.is_empty() {
        wrong.add("login", "required", "请填写登录名。");
    }
    if code.is_empty() {
        wrong.add("code", "required", "请填写收到的 8 位验证码。");
    }
    if let Err(rule) = password::check(login, new) {
        wrong.add("new_password", rule.code(), rule.message_zh());
    }
    if new != again {
        let message = "两次输入的新密码不一致，请重新输入。";
        wrong.add("new_password_again", "password-again", message);
    }
    wrong.in_order(&["login", "code", "new_password", "new_password_again"])
}
