//! The link of one's own account to the identity provider: made after showing once more who one is,
//! ended the same way.
//!
//! It lacks the rules (`identity`) and the way to the provider and back (`provider`).

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;

use crate::access::Rule;
use crate::refusal::{Error, Refusal};
use crate::store::Command;
use crate::web::filters;
use crate::web::form::Errors;
use crate::web::{Answer, App, Crumb, Page, Posted, Route, Visit, WebError, get, post};

use super::desk::crumb;
use super::errand::Aim;
use super::{factor, identity, owner, provider, session};

/// Where the link is kept.
pub(super) const PATH: &str = "/account/identity";

pub(super) fn routes() -> Vec<Route> {
    vec![
        get(PATH, Rule::SignedIn, show),
        post(PATH, Rule::SignedIn, change),
    ]
}

#[derive(Template)]
#[template(path = "account/identity.html")]
struct IdentityPage {
    page: Page,
    crumbs: Vec<Crumb>,
    errors: Errors,
    /// What people call the provider; none where there is no provider.
    provider: Option<String>,
    linked_at: Option<Timestamp>,
    /// Why the account cannot be linked now; empty where it can.
    hindrance: String,
    /// The owner shows himself by a code, else by his password.
    has_factor: bool,
}

async fn show(State(app): State<App>, visit: Visit) -> Answer {
    page(&app, &visit, StatusCode::OK, Errors::default()).await
}

async fn page(app: &App, visit: &Visit, status: StatusCode, errors: Errors) -> Answer {
    let account = visit.actor()?.account_id();
    let since = session::password_limit(app, visit.now);
    let issuer = app.provider.as_ref().map(|it| it.issuer().to_owned());
    let read = app.store.read(move |q| {
        let link = match &issuer {
            Some(issuer) => identity::of_account(q, account, issuer)?,
            None => None,
        };
        let hindrance = match identity::may_link(q, account, since) {
            Err(Error::Refused(refusal)) => refusal.message,
            other => other.map(|()| String::new())?,
        };
        Ok::<_, Error>((link, hindrance, factor::is_set(q, account)?))
    });
    let (link, hindrance, has_factor) = read.await?;
    let page = IdentityPage {
        page: Page::new(app, visit, "统一身份"),
        crumbs: vec![crumb("/account", "我的账号")],
        errors,
        provider: app.provider.as_ref().map(|it| it.name().to_owned()),
        linked_at: link.map(|link| link.linked_at),
        hindrance,
        has_factor,
    };
    visit.show_with(status, &page)
}

async fn change(State(app): State<App>, visit: Visit, posted: Posted) -> Answer {
    let done = match posted.get("action") {
        "link" => link(&app, &visit, &posted).await,
        "unlink" => unlink(&app, &visit, &posted).await,
        _ => Err(Refusal::invalid("action", "没有这个操作，请刷新页面后再试。").into()),
    };
    match done {
        Ok(response) => Ok(response),
        Err(error) => {
            let errors = Errors::take(error, &posted)?;
            page(&app, &visit, StatusCode::UNPROCESSABLE_ENTITY, errors).await
        }
    }
}

/// The provider's name among programs.
fn issuer(app: &App) -> Result<String, WebError> {
    let off = || Refusal::not_found("本系统没有启用统一身份登录。请用密码登录。");
    let provider = app.provider.as_ref().ok_or_else(off)?;
    Ok(provider.issuer().to_owned())
}

async fn link(app: &App, visit: &Visit, posted: &Posted) -> Answer {
    let (actor, issuer) = (visit.actor()?.clone(), issuer(app)?);
    let since = session::password_limit(app, visit.now);
    let proof = owner::read(app, visit, posted).await?;
    let command = Command::new("account.begin_identity", visit.now).once(posted.key());
    let begun = app.store.write_once(command, move |tx| {
        identity::begin_link(tx, &actor, &issuer, since, &proof)
    });
    owner::counted(app, visit, begun).await?;
    provider::depart(app, visit, &Aim::Link).await
}

async fn unlink(app: &App, visit: &Visit, posted: &Posted) -> Answer {
    let (actor, issuer) = (visit.actor()?.clone(), issuer(app)?);
    let proof = owner::read(app, visit, posted).await?;
    let command = Command::new("account.unlink_identity", visit.now).once(posted.key());
    let ended = app.store.write_once(command, move |tx| {
        identity::unlink(tx, &actor, &issuer, &proof)
    });
    owner::counted(app, visit, ended).await?;
    Ok(visit.redirect(PATH, "统一身份已解除关联，请用密码登录。"))
}
