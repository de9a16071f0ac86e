//! One's own account: who I am here, and a new password.
//!
//! It lacks roles and the state, which only administrators change.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;

use crate::access::{Role, Roles, Rule};
use crate::ids::AccountId;
use crate::params;
use crate::refusal::{Error, FieldError, Refusal, Result};
use crate::store::{Command, Query};
use crate::web::filters;
use crate::web::form::Errors;
use crate::web::{Answer, App, Page, Posted, Route, Visit, WebError, get, post};

use super::contact::{self, Shown};
use super::enter::{Budget, note_refused};
use super::factor;
use super::leave_pages::{self, Line};
use super::log_in::with_secrets;
use super::own_sessions::{self, OpenSession};
use super::queries::{self, roles_of};
use super::session::{self, Before, Secrets, Why};
use super::{commands, factor_pages, identity, password, rest};

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/account", Rule::SignedIn, show),
        post("/account", Rule::SignedIn, change),
    ]
}

#[derive(Template)]
#[template(path = "account/own.html")]
struct OwnPage {
    page: Page,
    errors: Errors,
    me: Me,
    roles_zh: String,
    sessions: Vec<OpenSession>,
    before: Option<Before>,
    contacts: Vec<Shown>,
    leaves: Vec<Line>,
    /// Whether the account is linked to the identity provider, where there is one.
    linked: Option<bool>,
}

/// What one may know of one's own account.
#[derive(Clone, Debug)]
struct Me {
    login: String,
    name: String,
    password_hash: String,
    one_time: bool,
    /// Its days are over.
    outdated: bool,
    has_factor: bool,
    /// A second factor has to be set up before anything else.
    lacks_factor: bool,
    /// Roles that need one rest until they are confirmed.
    roles_rest: bool,
    /// Every role granted, also where something keeps the account from it.
    roles: Roles,
}

fn me(q: &dyn Query, id: AccountId, limit: Option<Timestamp>) -> Result<Me> {
    let has_factor = factor::is_set(q, id)?;
    let roles = roles_of(q, id)?;
    let lacks_factor = factor::is_missing(q, id, roles)?;
    let roles_rest = rest::is_resting(q, id)?;
    let sql = "SELECT login, name, password_hash, one_time_until, password_set_at \
               FROM account WHERE id = ?1";
    Ok(q.row(sql, params![id], |r| {
        Ok(Me {
            login: r.get(0)?,
            name: r.get(1)?,
            password_hash: r.get(2)?,
            one_time: r.get::<Option<i64>>(3)?.is_some(),
            outdated: session::is_outdated(r.get(4)?, limit),
            has_factor,
            lacks_factor,
            roles_rest,
            roles,
        })
    })?)
}

async fn show(State(app): State<App>, visit: Visit) -> Answer {
    page(&app, &visit, StatusCode::OK, Errors::default()).await
}

async fn page(app: &App, visit: &Visit, status: StatusCode, errors: Errors) -> Answer {
    let actor = visit.actor()?;
    let id = actor.account_id();
    let (now, token) = (visit.now, visit.token.clone().unwrap_or_default());
    let limit = session::password_limit(app, now);
    let today = visit.today();
    let issuer = app.provider.as_ref().map(|it| it.issuer().to_owned());
    let (me, (sessions, before), contacts, leaves, linked) = app
        .store
        .read(move |q| {
            let sessions = own_sessions::list(q, id, now, &token)?;
            let leaves = leave_pages::of_account(q, id, today)?;
            let contacts = contact::shown(q, id)?;
            let linked = match &issuer {
                Some(issuer) => Some(identity::of_account(q, id, issuer)?.is_some()),
                None => None,
            };
            Ok::<_, Error>((me(q, id, limit)?, sessions, contacts, leaves, linked))
        })
        .await?;
    let roles_zh = me.roles.iter().map(Role::zh).collect::<Vec<_>>().join("、");
    let page = Page::new(app, visit, "我的账号");
    visit.show_with(
        status,
        &OwnPage {
            page,
            errors,
            me,
            roles_zh,
            sessions,
            before,
            contacts,
            leaves,
            linked,
        },
    )
}

async fn change(State(app): State<App>, visit: Visit, posted: Posted) -> Answer {
    match try_change(&app, &visit, &posted).await {
        Ok((home, secrets)) => {
            let response = visit.redirect(home, "密码已更改，其他地方的登录都已退出。");
            Ok(with_secrets(response, &secrets, visit.secure))
        }
        Err(error) => {
            let errors = Errors::take(error, &posted)?;
            page(&app, &visit, StatusCode::UNPROCESSABLE_ENTITY, errors).await
        }
    }
}

/// Changes the password; gives where to go on, and the secrets the session goes on under.
async fn try_change(
    app: &App,
    visit: &Visit,
    posted: &Posted,
) -> Result<(&'static str, Secrets), WebError> {
    let actor = visit.actor()?.clone();
    let id = actor.account_id();
    let limit = session::password_limit(app, visit.now);
    let mine = app.store.read(move |q| me(q, id, limit)).await?;
    let typed = |name: &str| {
        posted
            .all(name)
            .first()
            .map_or_else(String::new, |p| (*p).to_owned())
    };
    let (old, new, again) = (
        typed("old_password"),
        typed("new_password"),
        typed("new_password_again"),
    );
    check(&mine.login, &old, &new, &again)?;
    let old_hash = mine.password_hash;
    let budget = Budget::of_session(app, visit, &mine.login)?;
    if !password::fits_in_turn(old, old_hash.clone()).await? {
        // Counted like a wrong log-in: an open session must not serve for guessing.
        note_refused(app, visit, id, Why::OldPassword).await?;
        let message = "原密码不正确，密码没有更改。请核对后再试。";
        return Err(Refusal::field("old_password", "old-password", message).into());
    }
    budget.forget(app, visit);
    let (past, words) = app
        .store
        .read(move |q| {
            let past = queries::past_passwords(q, id)?;
            Ok::<_, Error>((past, queries::known_words(q, id)?))
        })
        .await?;
    password::check_known(&words, &new)
        .map_err(|rule| Refusal::field("new_password", rule.code(), rule.message_zh()))?;
    password::refuse_past(&new, past).await?;
    let new_hash = password::hash_in_turn(new).await?;
    let (token, secrets) = (visit.token.clone(), Secrets::fresh(visit.device.as_deref()));
    let going_on = secrets.clone();
    let command = Command::new("account.change_password", visit.now);
    app.store
        .write(command, move |tx| {
            let session = token.as_deref().map(|token| (token, &going_on));
            commands::change_password(tx, &actor, &old_hash, &new_hash, session)
        })
        .await?;
    let home = match (mine.one_time || mine.outdated, mine.lacks_factor) {
        (_, true) => factor_pages::PATH,
        (true, false) => "/",
        (false, false) => "/account",
    };
    Ok((home, secrets))
}

/// What can be said without trying the old password.
fn check(login: &str, old: &str, new: &str, again: &str) -> Result<(), Refusal> {
    let mut wrong = Vec::new();
    let mut field = |name: &str, rule: &'static str, message: &str| {
        let (field, message) = (name.to_owned(), message.to_owned());
        wrong.push(FieldError {
            field,
            rule: rule.into(),
            message,
        });
    };
    if old.is_empty() {
        field("old_password", "required", "请填写原密码。");
    }
    if let Err(rule) = password::check(login, new) {
        field("new_password", rule.code(), rule.message_zh());
    } else if new == old {
        field(
            "new_password",
            "password-same",
            "新密码与原密码相同，请换一个。",
        );
    }
    if new != again {
        field(
            "new_password_again",
            "password-again",
            "两次输入的新密码不一致，请重新输入。",
        );
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(Refusal::fields(wrong))
    }
}
