//! One's own account: who I am here, and a new password.
//!
//! It lacks roles and the state, which only administrators change.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;

use crate::access::{Role, Rule};
use crate::ids::AccountId;
use crate::params;
use crate::refusal::{FieldError, Refusal, Result};
use crate::store::{Command, Query};
use crate::web::filters;
use crate::web::form::Errors;
use crate::web::{Answer, App, Page, Posted, Route, Visit, WebError, get, post};

use super::commands;
use super::log_in::note_refused;
use super::password;
use super::session::Why;

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
}

/// What one may know of one's own account.
#[derive(Clone, Debug)]
struct Me {
    login: String,
    name: String,
    password_hash: String,
    one_time: bool,
}

fn me(q: &dyn Query, id: AccountId) -> Result<Me> {
    let sql = "SELECT login, name, password_hash, one_time_until FROM account WHERE id = ?1";
    Ok(q.row(sql, params![id], |r| {
        Ok(Me {
            login: r.get(0)?,
            name: r.get(1)?,
            password_hash: r.get(2)?,
            one_time: r.get::<Option<i64>>(3)?.is_some(),
        })
    })?)
}

async fn show(State(app): State<App>, visit: Visit) -> Answer {
    page(&app, &visit, StatusCode::OK, Errors::default()).await
}

async fn page(app: &App, visit: &Visit, status: StatusCode, errors: Errors) -> Answer {
    let actor = visit.actor()?;
    let id = actor.account_id();
    let me = app.store.read(move |q| me(q, id)).await?;
    let roles_zh = actor
        .roles
        .iter()
        .map(Role::zh)
        .collect::<Vec<_>>()
        .join("、");
    let page = Page::new(app, visit, "我的账号");
    visit.show_with(
        status,
        &OwnPage {
            page,
            errors,
            me,
            roles_zh,
        },
    )
}

async fn change(State(app): State<App>, visit: Visit, posted: Posted) -> Answer {
    match try_change(&app, &visit, &posted).await {
        Ok(home) => Ok(visit.redirect(home, "密码已更改，其他地方的登录都已退出。")),
        Err(error) => {
            let errors = Errors::take(error, &posted)?;
            page(&app, &visit, StatusCode::UNPROCESSABLE_ENTITY, errors).await
        }
    }
}

async fn try_change(app: &App, visit: &Visit, posted: &Posted) -> Result<&'static str, WebError> {
    let actor = visit.actor()?.clone();
    let id = actor.account_id();
    let mine = app.store.read(move |q| me(q, id)).await?;
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
    if !password::fits_in_turn(old, old_hash.clone()).await? {
        // Counted like a wrong log-in: an open session must not serve for guessing.
        note_refused(app, visit, id, Why::OldPassword).await?;
        let message = "原密码不正确，密码没有更改。请核对后再试。";
        return Err(Refusal::field("old_password", "old-password", message).into());
    }
    let new_hash = password::hash_in_turn(new).await?;
    let token = visit.token.clone();
    app.store
        .write(
            Command::new("account.change_password", visit.now),
            move |tx| commands::change_password(tx, &actor, &old_hash, &new_hash, token.as_deref()),
        )
        .await?;
    Ok(if mine.one_time { "/" } else { "/account" })
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
