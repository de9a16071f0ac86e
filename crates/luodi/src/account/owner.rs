//! Showing once more that whoever uses an open session is its owner: by a code of the second factor
//! where one is bound, else by the password. For what would make a borrowed session somebody's own.
//!
//! It lacks what is asked for afterwards.

use uuid::Uuid;

use crate::ids::AccountId;
use crate::params;
use crate::refusal::{Error, Refusal, Result};
use crate::store::{Query, Tx};
use crate::web::{App, Posted, Visit, WebError};

use super::enter::{Budget, note_refused};
use super::session::Why;
use super::whole::need_untouched_account;
use super::{factor, password};

/// By what it was shown.
#[derive(Clone, Debug)]
pub(super) enum Proof {
    /// The hash that the password fitted.
    Password(String),
    /// A code of the second factor, or a recovery code, not tried yet.
    Code(String),
}

/// Reads the proof from a form: `totp` where a second factor is bound, else `password`, which is
/// tried. Wrong ones count like wrong log-ins.
///
/// # Errors
/// Refused where it is missing or wrong, or too many were.
pub(super) async fn read(app: &App, visit: &Visit, posted: &Posted) -> Result<Proof, WebError> {
    let account = visit.actor()?.account_id();
    let (has_factor, hash) = app
        .store
        .read(move |q| {
            let sql = "SELECT password_hash FROM account WHERE id = ?1";
            let hash: String = q.row(sql, params![account], |r| r.get(0))?;
            Ok::<_, Error>((factor::is_set(q, account)?, hash))
        })
        .await?;
    if has_factor {
        let code = posted.get("totp").to_owned();
        if code.is_empty() {
            let message = "请输入手机上的 6 位验证码，或一个备用码。";
            return Err(Refusal::field("totp", "required", message).into());
        }
        return Ok(Proof::Code(code));
    }
    let typed = posted.all("password");
    let typed = typed.first().filter(|typed| !typed.is_empty());
    let Some(typed) = typed.map(|typed| (*typed).to_owned()) else {
        let message = "请输入登录密码，以确认是您本人。";
        return Err(Refusal::field("password", "required", message).into());
    };
    let budget = Budget::of_session(app, visit, &visit.actor()?.login)?;
    if !password::fits_in_turn(typed, hash.clone()).await? {
        note_refused(app, visit, account, Why::OldPassword).await?;
        let message = "密码不正确，没有更改。请核对后再试。";
        return Err(Refusal::field("password", "password", message).into());
    }
    budget.forget(app, visit);
    Ok(Proof::Password(hash))
}

/// Runs a command that proves the owner by a code, which counts as a try to log in.
///
/// # Errors
/// What the command reports; refused where too many were wrong.
pub(super) async fn counted<T>(
    app: &App,
    visit: &Visit,
    command: impl Future<Output = Result<T, Error>>,
) -> Result<T, WebError> {
    let budget = Budget::of_session(app, visit, &visit.actor()?.login)?;
    let done = command.await;
    let wrong = |refusal: &Refusal| refusal.fields.iter().any(|field| field.field == "totp");
    match done {
        Err(Error::Refused(refusal)) if wrong(&refusal) => {
            note_refused(app, visit, visit.actor()?.account_id(), Why::Code).await?;
            Err(refusal.into())
        }
        done => {
            budget.forget(app, visit);
            Ok(done?)
        }
    }
}

/// Takes the proof, for good where it is a code; gives the row this changed.
///
/// # Errors
/// Refused where the code is wrong, or the password or the second factor changed meanwhile.
pub(super) fn prove(
    tx: &Tx<'_>,
    account: AccountId,
    proof: &Proof,
) -> Result<Option<(&'static str, Uuid)>> {
    need_untouched_account(tx, account)?;
    match (proof, factor::active(tx, account)?) {
        (Proof::Code(code), Some(factor)) => {
            factor::prove(tx, &factor, code)?;
            Ok(Some(("second_factor", factor.id)))
        }
        (Proof::Password(hash), None) if is_password(tx, account, hash)? => Ok(None),
        _ => {
            let message = "您的密码或动态验证码刚有变动，没有更改。请刷新页面后再试。";
            Err(Refusal::conflict("proof-changed", message).into())
        }
    }
}

fn is_password(q: &dyn Query, account: AccountId, hash: &str) -> Result<bool> {
    let sql = "SELECT 1 FROM account WHERE id = ?1 AND password_hash = ?2";
    let found = q.row_opt(sql, params![account, hash], |r| r.get::<i64>(0))?;
    Ok(found.is_some())
}
