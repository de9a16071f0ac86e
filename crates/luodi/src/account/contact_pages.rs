//! The telephone and mail of one's own account: adding one, proving it by a code, giving it up. Adding
//! and giving up ask for password or code once more: a borrowed session must not become the borrower's.
//!
//! It lacks the rules (`contact`).

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Query as UrlQuery, State};
use axum::http::StatusCode;
use uuid::Uuid;

use crate::access::Rule;
use crate::gateway::Channel;
use crate::refusal::{Error, Refusal};
use crate::store::Command;
use crate::web::filters;
use crate::web::form::{Choice, Errors};
use crate::web::{Answer, App, Crumb, Page, Posted, Route, Visit, WebError, get, post};

use super::contact::{self, Shown};
use super::desk::crumb;
use super::{factor, owner, sent_code};

/// Where contacts are kept.
const PATH: &str = "/account/contacts";

pub(super) fn routes() -> Vec<Route> {
    vec![
        get(PATH, Rule::SignedIn, show),
        post(PATH, Rule::SignedIn, change),
    ]
}

#[derive(Template)]
#[template(path = "account/contacts.html")]
struct ContactsPage {
    page: Page,
    crumbs: Vec<Crumb>,
    errors: Errors,
    contacts: Vec<Shown>,
    /// The one that is about to be given up.
    ending: Option<Shown>,
    /// The owner shows himself by a code, else by his password.
    has_factor: bool,
    waiting: bool,
    channels: Vec<Choice>,
    typed: String,
}

async fn show(
    State(app): State<App>,
    visit: Visit,
    UrlQuery(mut query): UrlQuery<HashMap<String, String>>,
) -> Answer {
    let ending = query.remove("end").unwrap_or_default();
    let typed = Posted::from_fields(vec![("contact".to_owned(), ending)]);
    page(&app, &visit, StatusCode::OK, &typed, Errors::default()).await
}

async fn page(
    app: &App,
    visit: &Visit,
    status: StatusCode,
    typed: &Posted,
    errors: Errors,
) -> Answer {
    let account = visit.actor()?.account_id();
    let read = app
        .store
        .read(move |q| Ok::<_, Error>((contact::shown(q, account)?, factor::is_set(q, account)?)));
    let (contacts, has_factor) = read.await?;
    let ending = typed.get("contact");
    let ending = contacts
        .iter()
        .find(|one| one.id.simple().to_string() == ending);
    let channels = Channel::ALL
        .iter()
        .map(|channel| Choice::new(channel.code(), channel.zh(), typed.get("channel")));
    let page = ContactsPage {
        page: Page::new(app, visit, "联系方式"),
        crumbs: vec![crumb("/account", "我的账号")],
        errors,
        ending: ending.cloned(),
        has_factor,
        waiting: contacts.iter().any(|contact| !contact.verified),
        contacts,
        channels: channels.collect(),
        typed: typed.get("value").to_owned(),
    };
    visit.show_with(status, &page)
}

async fn change(State(app): State<App>, visit: Visit, posted: Posted) -> Answer {
    let done = match posted.get("action") {
        "add" => add(&app, &visit, &posted).await,
        "verify" => verify(&app, &visit, &posted).await,
        "end" => end(&app, &visit, &posted).await,
        _ => Err(Refusal::invalid("action", "没有这个操作，请刷新页面后再试。").into()),
    };
    match done {
        Ok(text) => Ok(visit.redirect(PATH, text)),
        Err(error) => {
            let errors = Errors::take(error, &posted)?;
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            page(&app, &visit, status, &posted, errors).await
        }
    }
}

async fn add(app: &App, visit: &Visit, posted: &Posted) -> Result<&'static str, WebError> {
    let actor = visit.actor()?.clone();
    let channel = Channel::from_code(posted.get("channel"))
        .ok_or_else(|| Refusal::field("channel", "required", "请选择手机短信或电子邮件。"))?;
    let value = contact::parse(channel, posted.get("value"))?;
    let (proof, code) = (owner::read(app, visit, posted).await?, sent_code::fresh());
    let command = Command::new("account.add_contact", visit.now).once(posted.key());
    let added = app.store.write_once(command, move |tx| {
        contact::add_contact(tx, &actor, (channel, &value), &code, &proof)
    });
    owner::counted(app, visit, added).await?;
    Ok("验证码已发出，10 分钟内有效。请在下面输入。")
}

async fn verify(app: &App, visit: &Visit, posted: &Posted) -> Result<&'static str, WebError> {
    let (actor, code) = (visit.actor()?.clone(), posted.get("code").to_owned());
    let command = Command::new("account.verify_contact", visit.now);
    let right = app.store.write(command, move |tx| {
        contact::verify_contact(tx, &actor, &code)
    });
    if right.await? {
        return Ok("联系方式已确认。忘记密码时可以用它收取验证码。");
    }
    let message = "验证码不正确、已过期或输错满 5 次。请核对，或重新发送一个。";
    Err(Refusal::field("code", "sent-code", message).into())
}

async fn end(app: &App, visit: &Visit, posted: &Posted) -> Result<&'static str, WebError> {
    let (actor, id) = (visit.actor()?.clone(), posted.id::<Uuid>("contact")?);
    let proof = owner::read(app, visit, posted).await?;
    let command = Command::new("account.end_contact", visit.now).once(posted.key());
    let ended = app.store.write_once(command, move |tx| {
        contact::end_contact(tx, &actor, id, &proof)
    });
    owner::counted(app, visit, ended).await?;
    Ok("联系方式已停用。")
}
