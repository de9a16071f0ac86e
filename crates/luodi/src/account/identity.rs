//! Who at the identity provider the owner of an account is: linked by himself, ended by himself or
//! by whatever resets his password, and found at log-in.
//!
//! It lacks the provider's protocol (`oidc`) and the pages. What the provider calls a person is
//! sealed under the account's key and found by keyed hash, as a number of an identity card is.
//! Administrators have no link: whoever runs the provider would be all three of them.

use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use crate::access::Actor;
use crate::gateway::Template;
use crate::ids::AccountId;
use crate::params;
use crate::party::Hashed;
use crate::refusal::{Refusal, Result, need_untouched};
use crate::store::{Event, Query, Tx};

use super::owner::{self, Proof};
use super::queries::roles_of;
use super::session::is_outdated;
use super::{ADMINISTRATORS, contact, factor, rest};

/// What a subject is sealed and looked up as.
const CLASS: &str = "identity";

/// The look-up hashes, to be made anew when their key is changed.
pub const HASHED: Hashed = Hashed {
    table: "account_identity",
    column: "subject_lookup",
    owner: "account_id",
    sealed: "subject_sealed",
    class: CLASS,
};

/// A person at a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Subject {
    /// The provider.
    pub(super) issuer: String,
    /// What it calls him.
    pub(super) name: String,
}

impl Subject {
    /// What is sealed and looked up: neither part holds a line's end.
    pub(super) fn text(&self) -> String {
        format!("{}\n{}", self.issuer, self.name)
    }
}

/// A link that holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    pub(super) id: Uuid,
    pub(super) account: AccountId,
    pub(super) linked_at: Timestamp,
}

/// The link of a person.
pub(super) fn find(q: &dyn Query, subject: &Subject) -> Result<Option<Link>> {
    let [hash, before] = q.lookups(CLASS, &subject.text())?;
    let found = q.row_opt(
        "SELECT id, account_id, linked_at FROM account_identity \
         WHERE subject_lookup IN (?1, ?2) AND ended_at IS NULL",
        params![hash, before],
        |r| {
            Ok(Link {
                id: r.get(0)?,
                account: r.get(1)?,
                linked_at: r.get(2)?,
            })
        },
    )?;
    Ok(found)
}

/// The link of an account at a provider.
pub(super) fn of_account(q: &dyn Query, account: AccountId, issuer: &str) -> Result<Option<Link>> {
    let found = q.row_opt(
        "SELECT id, linked_at FROM account_identity \
         WHERE account_id = ?1 AND issuer = ?2 AND ended_at IS NULL",
        params![account, issuer],
        |r| {
            Ok(Link {
                id: r.get(0)?,
                account,
                linked_at: r.get(1)?,
            })
        },
    )?;
    Ok(found)
}

/// Whether a link still opens its account: it has not ended, and its owner is no administrator.
pub(super) fn opens(q: &dyn Query, id: Uuid, account: AccountId) -> Result<bool> {
    let sql = "SELECT 1 FROM account_identity \
               WHERE id = ?1 AND account_id = ?2 AND ended_at IS NULL";
    let live = q.row_opt(sql, params![id, account], |r| r.get::<i64>(0))?;
    Ok(live.is_some() && !roles_of(q, account)?.any(&ADMINISTRATORS))
}

/// Whether the owner may link: what an administrator has handed out, or laid to rest, must not leave
/// a door that outlasts it.
///
/// # Errors
/// Refused with what comes first.
pub(super) fn may_link(
    q: &dyn Query,
    account: AccountId,
    passwords_since: Option<Timestamp>,
) -> Result<()> {
    let roles = roles_of(q, account)?;
    if roles.any(&ADMINISTRATORS) {
        let message = "管理员账号不关联统一身份，请用密码和动态验证码登录。";
        return Err(Refusal::forbidden("administrators-apart", message).into());
    }
    let sql = "SELECT one_time_until, password_set_at FROM account WHERE id = ?1";
    let (one_time, set_at): (Option<i64>, Option<Timestamp>) =
        q.row(sql, params![account], |r| Ok((r.get(0)?, r.get(1)?)))?;
    let message = if one_time.is_some() || is_outdated(set_at, passwords_since) {
        "请先设置自己的密码，再关联统一身份。"
    } else if factor::is_missing(q, account, roles)? {
        "您的角色须用动态验证码登录。请先绑定，再关联统一身份。"
    } else if rest::is_resting(q, account)? {
        "您的审批、财政等角色暂停使用。请联系安全管理员核实本人后恢复，再关联统一身份。"
    } else {
        return Ok(());
    };
    Err(Refusal::conflict("identity-later", message).into())
}

/// The owner has shown himself once more and goes to the provider.
///
/// # Errors
/// Refuses where he may not link, is linked already, or the proof is wrong.
pub(super) fn begin_link(
    tx: &Tx<'_>,
    actor: &Actor,
    issuer: &str,
    passwords_since: Option<Timestamp>,
    proof: &Proof,
) -> Result<()> {
    let account = actor.account_id();
    may_link(tx, account, passwords_since)?;
    if of_account(tx, account, issuer)?.is_some() {
        return Err(already().into());
    }
    let rows = owner::prove(tx, account, proof)?.into_iter().collect();
    event(tx, actor, "account.begin_identity", issuer, rows);
    Ok(())
}

fn already() -> Refusal {
    let message = "您的账号已经关联统一身份，没有再次关联。要换一个的，请先解除关联。";
    Refusal::conflict("identity-linked", message)
}

/// Links the account to a person at the provider, and tells its owner.
///
/// # Errors
/// Refuses where the person is linked to another account, or the account to another person.
pub(super) fn link(
    tx: &Tx<'_>,
    actor: &Actor,
    subject: &Subject,
    passwords_since: Option<Timestamp>,
) -> Result<()> {
    let account = actor.account_id();
    may_link(tx, account, passwords_since)?;
    match find(tx, subject)? {
        Some(link) if link.account != account => {
            let message = "这个统一身份已经关联另一个账号，没有再次关联。请在那个账号里先解除关联；不是您关联的，请联系系统管理员。";
            return Err(Refusal::conflict("identity-taken", message).into());
        }
        Some(_) => return Err(already().into()),
        None => {}
    }
    if of_account(tx, account, &subject.issuer)?.is_some() {
        return Err(already().into());
    }
    let (id, text) = (tx.new_id(), subject.text());
    tx.execute(
        "INSERT INTO account_identity \
           (id, account_id, issuer, subject_sealed, subject_lookup, linked_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            id,
            account,
            &subject.issuer,
            tx.seal(account.0, CLASS, &text)?,
            tx.lookup(CLASS, &text)?,
            tx.now()
        ],
    )?;
    contact::tell(tx, account, Template::IdentityChanged)?;
    let rows = vec![("account_identity", id)];
    event(tx, actor, "account.link_identity", &subject.issuer, rows);
    Ok(())
}

/// Ends the link of one's own account, and tells its owner.
///
/// # Errors
/// Refuses where there is none, and whoever does not show that he is the owner.
pub(super) fn unlink(tx: &Tx<'_>, actor: &Actor, issuer: &str, proof: &Proof) -> Result<()> {
    let account = actor.account_id();
    let proved = owner::prove(tx, account, proof)?;
    let link = of_account(tx, account, issuer)?.ok_or_else(|| {
        Refusal::not_found("您的账号没有关联统一身份，不需要解除。请刷新页面查看。")
    })?;
    need_untouched(tx, "account_identity", &[link.id])?;
    end(tx, link.id)?;
    contact::tell(tx, account, Template::IdentityChanged)?;
    let rows = proved.into_iter().chain([("account_identity", link.id)]);
    event(tx, actor, "account.unlink_identity", issuer, rows.collect());
    Ok(())
}

fn end(tx: &Tx<'_>, id: Uuid) -> Result<()> {
    let sql = "UPDATE account_identity SET ended_at = ?1 WHERE id = ?2";
    tx.execute(sql, params![tx.now(), id])?;
    Ok(())
}

/// Ends every link of an account, at whatever provider: part of commands by which another person
/// gives it a new password or takes its second factor away. Gives the rows for their event.
pub(super) fn end_all(tx: &Tx<'_>, account: AccountId) -> Result<Vec<(&'static str, Uuid)>> {
    let sql = "SELECT id FROM account_identity WHERE account_id = ?1 AND ended_at IS NULL";
    let live = tx.rows(sql, params![account], |r| r.get::<Uuid>(0))?;
    need_untouched(tx, "account_identity", &live)?;
    for id in &live {
        end(tx, *id)?;
    }
    Ok(live
        .into_iter()
        .map(|id| ("account_identity", id))
        .collect())
}

fn event(
    tx: &Tx<'_>,
    actor: &Actor,
    command: &'static str,
    issuer: &str,
    rows: Vec<(&'static str, Uuid)>,
) {
    tx.event(Event {
        actor: actor.to_ref(),
        command,
        subject: ("account", actor.account_id().0),
        detail: json!({ "issuer": issuer }),
        rows,
    });
}
