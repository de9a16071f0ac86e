//! Rest of roles: where somebody else gave an account a new password and no second factor stands
//! beside it, or took the factor away, the roles that need one, also those granted later, cannot be
//! used until the security administrator has made sure of the person and confirms them. So no single
//! administrator becomes an approver or pays.
//!
//! It lacks the taking away (`factor`, `commands`) and what a session makes of it (`session`).

use serde_json::json;

use crate::access::{Actor, Role};
use crate::ids::AccountId;
use crate::params;
use crate::refusal::{Refusal, Result};
use crate::store::{Command, Event, Query, Tx};
use crate::web::{App, Posted, Visit, WebError};

use super::commands::{advance, target};
use super::queries::roles_of;
use super::session::close_all;
use super::whole::need_untouched_account;
use super::{contact, factor, identity};

/// Lets the roles that need a second factor rest, those of now and those granted later, where no
/// factor is left when the owner did not get in by himself: whoever gets in next may be another.
/// Roles that need none go on, and an applicant's account gets no others.
pub(super) fn lay_to_rest(tx: &Tx<'_>, account: AccountId) -> Result<()> {
    if !factor::is_set(tx, account)? {
        let sql = "UPDATE account SET roles_rest_since = ?1 WHERE id = ?2 AND party_id IS NULL";
        tx.execute(sql, params![tx.now(), account])?;
    }
    Ok(())
}

/// Whether roles of an account rest.
pub(super) fn is_resting(q: &dyn Query, account: AccountId) -> Result<bool> {
    let sql = "SELECT 1 FROM account WHERE id = ?1 AND roles_rest_since IS NOT NULL";
    let found = q.row_opt(sql, params![account], |r| r.get::<i64>(0))?;
    Ok(found.is_some() && factor::is_required(roles_of(q, account)?))
}

/// Confirms the resting roles of an account; its sessions end, so that what they may do follows a
/// log-in, and the owner is told.
///
/// # Errors
/// Refuses another than the security administrator of the region, one's own account, one whose roles
/// do not rest or whose owner has not bound his app yet, one that changed meanwhile.
pub fn confirm_roles(tx: &Tx<'_>, actor: &Actor, id: AccountId, version: i64) -> Result<()> {
    target(tx, actor, Role::SecurityAdmin, id)?;
    if !is_resting(tx, id)? {
        let message = "这个账号没有暂停使用的角色，不需要恢复。请刷新页面查看。";
        return Err(Refusal::conflict("roles-not-resting", message).into());
    }
    if !factor::is_set(tx, id)? {
        let message =
            "本人还没有重新绑定动态验证码。请本人先登录绑定，再当面或电话核实后恢复角色。";
        return Err(Refusal::conflict("factor-first", message).into());
    }
    need_untouched_account(tx, id)?;
    advance(tx, id, version)?;
    let sql = "UPDATE account SET roles_rest_since = NULL WHERE id = ?1";
    tx.execute(sql, params![id])?;
    close_all(tx, id, None)?;
    // Whoever was in while the roles rested may have linked himself; the owner links anew.
    let ended = identity::end_all(tx, id)?;
    contact::tell(tx, id, crate::gateway::Template::FactorChanged)?;
    let roles = roles_of(tx, id)?;
    let back = roles
        .iter()
        .filter(|role| Role::WITH_SECOND_FACTOR.contains(role));
    tx.event(Event {
        actor: actor.to_ref(),
        command: "account.confirm_roles",
        subject: ("account", id.0),
        detail: json!({ "roles": back.map(Role::code).collect::<Vec<_>>() }),
        rows: ended.into_iter().chain([("account", id.0)]).collect(),
    });
    Ok(())
}

/// The same from the account's page.
pub(super) async fn confirm(
    app: &App,
    visit: &Visit,
    id: AccountId,
    posted: &Posted,
) -> Result<&'static str, WebError> {
    let (actor, version) = (visit.actor()?.clone(), posted.version("version")?);
    let command = Command::new("account.confirm_roles", visit.now).once(posted.key());
    app.store
        .write_once(command, move |tx| confirm_roles(tx, &actor, id, version))
        .await?;
    Ok("角色已恢复使用，本人重新登录后生效。")
}
