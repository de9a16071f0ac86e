//! The second factor of an account: its secret, its recovery codes, and every code good once.
//!
//! It lacks the arithmetic of codes (`totp`) and the pages. A secret is sealed under the account's
//! own data key; recovery codes are kept as keyed hashes, which is enough for forty random bits that
//! nobody tries without the master key.

use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use crate::access::{Actor, ActorKind, Role, Roles};
use crate::gateway::Template;
use crate::ids::AccountId;
use crate::params;
use crate::refusal::{Refusal, Result, touched_row};
use crate::store::{Event, Query, Tx};

use super::commands::{advance, found_at_console, target};
use super::queries::roles_of;
use super::session::{Secrets, close_all, rotate, token_hash};
use super::totp::Secret;
use super::whole::need_untouched_account;
use super::{ADMINISTRATORS, contact, identity, password, rest};

/// Recovery codes made at once.
const RECOVERY_CODES: usize = 10;
/// What the secret is sealed as.
const CLASS: &str = "second_factor";

/// A second factor in use or about to be.
#[derive(Clone, Debug)]
pub(super) struct Factor {
    pub(super) id: Uuid,
    pub(super) account: AccountId,
    pub(super) secret: Secret,
    pub(super) last_step: i64,
    pub(super) confirmed_at: Option<Timestamp>,
}

/// Whether these roles are held with a second factor only.
pub(super) fn is_required(roles: Roles) -> bool {
    roles.any(Role::WITH_SECOND_FACTOR)
}

/// The second factor an account has in use.
pub(super) fn active_id(q: &dyn Query, account: AccountId) -> Result<Option<Uuid>> {
    let sql = "SELECT id FROM second_factor WHERE account_id = ?1 AND state = 'active' \
               ORDER BY id LIMIT 1";
    Ok(q.row_opt(sql, params![account], |r| r.get(0))?)
}

/// Whether an account has a second factor in use.
pub(super) fn is_set(q: &dyn Query, account: AccountId) -> Result<bool> {
    Ok(active_id(q, account)?.is_some())
}

/// Whether an account must set up a second factor before it may do anything else.
pub(super) fn is_missing(q: &dyn Query, account: AccountId, roles: Roles) -> Result<bool> {
    Ok(is_required(roles) && !is_set(q, account)?)
}

/// The second factor in use.
pub(super) fn active(q: &dyn Query, account: AccountId) -> Result<Option<Factor>> {
    of_state(q, account, "active")
}

/// The second factor that waits for its first code.
pub(super) fn pending(q: &dyn Query, account: AccountId) -> Result<Option<Factor>> {
    of_state(q, account, "pending")
}

fn of_state(q: &dyn Query, account: AccountId, state: &str) -> Result<Option<Factor>> {
    let found = q.row_opt(
        "SELECT id, secret_sealed, last_step, confirmed_at FROM second_factor \
         WHERE account_id = ?1 AND state = ?2",
        params![account, state],
        |r| {
            let sealed: Vec<u8> = r.get(1)?;
            Ok((r.get(0)?, sealed, r.get(2)?, r.get(3)?))
        },
    )?;
    let Some((id, sealed, last_step, confirmed_at)) = found else {
        return Ok(None);
    };
    let opened = q.data_key(account.0)?.open_as(CLASS, &sealed)?;
    Ok(Secret::from_bytes(&opened).map(|secret| Factor {
        id,
        account,
        secret,
        last_step,
        confirmed_at,
    }))
}

/// Recovery codes that are still good.
pub(super) fn recovery_left(q: &dyn Query, factor: Uuid) -> Result<u64> {
    let sql = "SELECT COUNT(*) FROM recovery_code \
               WHERE factor_id = ?1 AND used_at IS NULL AND ended_at IS NULL";
    Ok(q.row(sql, params![factor], |r| r.get(0))?)
}

/// Fresh recovery codes, made before the command that keeps their hashes.
pub(super) fn recovery_codes() -> Vec<String> {
    (0..RECOVERY_CODES).map(|_| password::spoken(8)).collect()
}

/// A code as it is compared: without what people put between its groups.
fn plain(typed: &str) -> String {
    typed
        .chars()
        .filter(|c| !c.is_whitespace() && *c != '-')
        .collect::<String>()
        .to_lowercase()
}

fn recovery_hash(q: &dyn Query, factor: Uuid, code: &str) -> [u8; 32] {
    q.keys()
        .hash("recovery code", &format!("{factor} {}", plain(code)))
}

/// The refusal of a code, whatever is wrong with it.
pub(super) fn wrong_code() -> Refusal {
    Refusal::field(
        "totp",
        "totp",
        "验证码不正确或已经用过。请输入手机上下一个出现的验证码；手机不在身边时输入一个备用码。",
    )
}

/// Takes a code of the app, or a recovery code, for good: it is not accepted again, by no server.
/// Whoever calls names the factor in his event.
///
/// # Errors
/// Refuses a wrong, used or outdated code.
pub(super) fn prove(tx: &Tx<'_>, factor: &Factor, typed: &str) -> Result<()> {
    let code = plain(typed);
    let taken = if code.len() == 6 {
        let step = factor.secret.accept(&code, tx.now(), factor.last_step);
        let step = step.ok_or_else(wrong_code)?;
        tx.execute(
            "UPDATE second_factor SET last_step = ?1 \
             WHERE id = ?2 AND state = 'active' AND last_step < ?1",
            params![step, factor.id],
        )?
    } else {
        need_untouched_recovery(tx, factor)?;
        tx.part("recovery_code", factor.id);
        tx.execute(
            "UPDATE recovery_code SET used_at = ?1 \
             WHERE factor_id = ?2 AND code_hash = ?3 AND used_at IS NULL AND ended_at IS NULL",
            params![tx.now(), factor.id, recovery_hash(tx, factor.id, &code)],
        )?
    };
    if taken == 1 {
        Ok(())
    } else {
        Err(wrong_code().into())
    }
}

/// Refuses recovery codes that somebody changed behind the program's back; a factor may have none.
fn need_untouched_recovery(tx: &Tx<'_>, factor: &Factor) -> Result<()> {
    let sql = "SELECT 1 FROM recovery_code WHERE factor_id = ?1 LIMIT 1";
    let some = tx.row_opt(sql, params![factor.id], |r| r.get::<i64>(0))?;
    let about = ("account", factor.account.0);
    if some.is_some() && tx.part_touched_of("recovery_code", factor.id, about)? {
        return Err(touched_row("recovery_code", factor.id).into());
    }
    Ok(())
}

/// Proves the factor in use, where there is one; gives its row.
fn prove_own(tx: &Tx<'_>, account: AccountId, typed: &str) -> Result<Option<Uuid>> {
    let Some(factor) = active(tx, account)? else {
        return Ok(None);
    };
    prove(tx, &factor, typed)?;
    Ok(Some(factor.id))
}

/// Ends the factors of an account in one of these states; gives their rows.
fn end(tx: &Tx<'_>, account: AccountId, states: &[&str]) -> Result<Vec<Uuid>> {
    let mut ended = Vec::new();
    for state in states {
        let sql = "SELECT id FROM second_factor WHERE account_id = ?1 AND state = ?2";
        ended.extend(tx.rows(sql, params![account, *state], |r| r.get::<Uuid>(0))?);
    }
    for id in &ended {
        let sql = "UPDATE second_factor SET state = 'ended', ended_at = ?1 WHERE id = ?2";
        tx.execute(sql, params![tx.now(), *id])?;
    }
    Ok(ended)
}

/// The account's own bound row says which factor is in use; the event of the command names it.
fn note_active(tx: &Tx<'_>, account: AccountId, factor: Option<Uuid>) -> Result<()> {
    let sql = "UPDATE account SET factor_id = ?1 WHERE id = ?2";
    tx.execute(sql, params![factor, account])?;
    Ok(())
}

fn insert(
    tx: &Tx<'_>,
    account: AccountId,
    secret: &Secret,
    confirmed_at: Option<Timestamp>,
) -> Result<Uuid> {
    let id = tx.new_id();
    let sealed = tx.seal_bytes(account.0, CLASS, secret.bytes())?;
    let state = if confirmed_at.is_some() {
        "active"
    } else {
        "pending"
    };
    tx.execute(
        "INSERT INTO second_factor (id, account_id, state, secret_sealed, last_step, created_at, confirmed_at) \
         VALUES (?1, ?2, ?3, ?4, 0, ?5, ?6)",
        params![id, account, state, sealed, tx.now(), confirmed_at],
    )?;
    Ok(id)
}

/// Keeps a new secret until a first code confirms it. Whoever has a factor proves it before he
/// replaces it.
///
/// # Errors
/// Refuses a wrong code of the factor in use.
pub(super) fn begin_factor(tx: &Tx<'_>, actor: &Actor, secret: &Secret, proof: &str) -> Result<()> {
    let account = actor.account_id();
    need_untouched_account(tx, account)?;
    let mut rows: Vec<Uuid> = prove_own(tx, account, proof)?.into_iter().collect();
    rows.extend(end(tx, account, &["pending"])?);
    rows.push(insert(tx, account, secret, None)?);
    event(tx, actor, "account.begin_factor", account, rows);
    Ok(())
}

/// Takes the new factor into use: its first code is right. The one before ends, so do all other
/// sessions, and this one goes on under another secret.
///
/// # Errors
/// Refuses where nothing waits for a code, and a wrong code.
pub(super) fn confirm_factor(
    tx: &Tx<'_>,
    actor: &Actor,
    code: &str,
    recovery: &[String],
    session: Option<(&str, &Secrets)>,
) -> Result<()> {
    let account = actor.account_id();
    need_untouched_account(tx, account)?;
    let Some(factor) = pending(tx, account)? else {
        let message = "没有等待确认的密钥。请重新开始绑定。";
        return Err(Refusal::invalid("factor-not-begun", message).into());
    };
    let step = factor
        .secret
        .accept(&plain(code), tx.now(), factor.last_step);
    let step = step.ok_or_else(wrong_code)?;
    let mut rows = end(tx, account, &["active"])?;
    tx.execute(
        "UPDATE second_factor SET state = 'active', last_step = ?1, confirmed_at = ?2 WHERE id = ?3",
        params![step, tx.now(), factor.id],
    )?;
    rows.push(factor.id);
    note_active(tx, account, Some(factor.id))?;
    keep_recovery(tx, factor.id, recovery)?;
    show_in_demonstration(tx, account, Some(&factor.secret))?;
    close_all(tx, account, session.map(|(token, _)| token_hash(token)))?;
    if let Some((token, secrets)) = session {
        rotate(tx, account, token, secrets)?;
    }
    contact::tell(tx, account, Template::FactorChanged)?;
    event(tx, actor, "account.confirm_factor", account, rows);
    Ok(())
}

fn keep_recovery(tx: &Tx<'_>, factor: Uuid, codes: &[String]) -> Result<()> {
    tx.part("recovery_code", factor);
    tx.execute(
        "UPDATE recovery_code SET ended_at = ?1 \
         WHERE factor_id = ?2 AND used_at IS NULL AND ended_at IS NULL",
        params![tx.now(), factor],
    )?;
    for code in codes {
        let sql = "INSERT INTO recovery_code (factor_id, code_hash) VALUES (?1, ?2)";
        tx.execute(sql, params![factor, recovery_hash(tx, factor, code)])?;
    }
    Ok(())
}

/// Puts new recovery codes in the place of those left.
///
/// # Errors
/// Refuses without a factor, and a wrong code.
pub(super) fn renew_recovery(
    tx: &Tx<'_>,
    actor: &Actor,
    proof: &str,
    recovery: &[String],
) -> Result<()> {
    let account = actor.account_id();
    need_untouched_account(tx, account)?;
    let Some(factor) = prove_own(tx, account, proof)? else {
        let message = "还没有绑定动态验证码，不需要备用码。请先绑定。";
        return Err(Refusal::invalid("factor-not-begun", message).into());
    };
    keep_recovery(tx, factor, recovery)?;
    event(tx, actor, "account.renew_recovery", account, vec![factor]);
    Ok(())
}

/// Takes an account's second factor away, for a telephone that is lost with its recovery codes, and
/// ends its sessions. Who needs one sets up another at the next log-in; his roles that need it rest
/// until the security administrator confirms them (`rest`).
///
/// # Errors
/// Refuses another than the system administrator of the region, one's own account, an
/// administrator's account, one without a factor, one that changed meanwhile.
pub fn reset_factor(tx: &Tx<'_>, actor: &Actor, id: AccountId, version: i64) -> Result<()> {
    target(tx, actor, Role::SystemAdmin, id)?;
    let by_account = matches!(actor.kind, ActorKind::Account(_));
    if by_account && roles_of(tx, id)?.any(&ADMINISTRATORS) {
        return Err(Refusal::forbidden(
            "administrators-apart",
            "三类管理员互不解除动态验证码。请由本人用备用码登录后更换，备用码也没有时在服务器控制台执行 luodi admin reset 登录名 --second-factor。",
        )
        .into());
    }
    need_untouched_account(tx, id)?;
    advance(tx, id, version)?;
    let rows = end(tx, id, &["active", "pending"])?;
    if rows.is_empty() {
        let message = "这个账号没有绑定动态验证码，不需要解除。";
        return Err(Refusal::invalid("no-factor", message).into());
    }
    note_active(tx, id, None)?;
    if by_account {
        rest::lay_to_rest(tx, id)?;
    }
    show_in_demonstration(tx, id, None)?;
    close_all(tx, id, None)?;
    let ended = identity::end_all(tx, id)?;
    contact::tell(tx, id, Template::FactorChanged)?;
    let factors = rows.into_iter().map(|row| ("second_factor", row));
    tx.event(Event {
        actor: actor.to_ref(),
        command: "account.reset_factor",
        subject: ("account", id.0),
        detail: json!({}),
        rows: factors.chain(ended).chain([("account", id.0)]).collect(),
    });
    Ok(())
}

/// [`reset_factor`] from the server's console: the way for administrators.
///
/// # Errors
/// Refuses others than the console, an account that is not there, one without a factor.
pub fn reset_factor_at_console(tx: &Tx<'_>, actor: &Actor, login: &str) -> Result<()> {
    let (id, version) = found_at_console(tx, actor, login)?;
    reset_factor(tx, actor, id, version)
}

/// Gives an account of a demonstration a second factor whose secret is public.
///
/// # Errors
/// Refuses an account of a real city.
pub fn enrol_demonstration(
    tx: &Tx<'_>,
    actor: &Actor,
    id: AccountId,
    secret: &Secret,
) -> Result<()> {
    if show_in_demonstration(tx, id, Some(secret))? == 0 {
        let message = "只有演示账号的动态验证码密钥可以公开。请由本人登录后绑定。";
        return Err(Refusal::forbidden("not-a-demonstration", message).into());
    }
    need_untouched_account(tx, id)?;
    let mut rows = end(tx, id, &["active", "pending"])?;
    let factor = insert(tx, id, secret, Some(tx.now()))?;
    note_active(tx, id, Some(factor))?;
    rows.push(factor);
    event(tx, actor, "account.confirm_factor", id, rows);
    Ok(())
}

/// The log-in page of a demonstration shows the secret that is in use.
fn show_in_demonstration(tx: &Tx<'_>, id: AccountId, secret: Option<&Secret>) -> Result<u64> {
    let sql = "UPDATE demo_account SET totp = ?1 WHERE account_id = ?2";
    Ok(tx.execute(sql, params![secret.map(Secret::base32), id])?)
}

fn event(
    tx: &Tx<'_>,
    actor: &Actor,
    command: &'static str,
    account: AccountId,
    factors: Vec<Uuid>,
) {
    let rows = factors.into_iter().map(|id| ("second_factor", id));
    tx.event(Event {
        actor: actor.to_ref(),
        command,
        subject: ("account", account.0),
        detail: json!({}),
        rows: rows.chain([("account", account.0)]).collect(),
    });
}
