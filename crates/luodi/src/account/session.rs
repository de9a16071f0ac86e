//! Sessions: a secret in a cookie, its hash in a table, an end by idleness, by age and by log-out.
//!
//! It lacks passwords and pages. A session is no record of the city: who came and went is in the
//! audit log, so rows that ended are swept.

use std::future::Future;
use std::pin::Pin;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;
use vocab::RegionCode;

use crate::access::{Actor, ActorKind, Role, Roles};
use crate::ids::{AccountId, DepartmentId, PartyId};
use crate::params;
use crate::refusal::{Error, Refusal, Result, need_untouched};
use crate::store::{self, ActorRef, Command, Event, Query, Row, StoreError, Tx, Value};
use crate::web::{App, Bar, Session, SessionLookup, WebError};

use super::queries::roles_of;
use super::whole::{is_row_touched, need_untouched_account};
use super::{factor, identity};

/// A session ends when nothing was asked for so long.
pub(super) const IDLE: SignedDuration = SignedDuration::from_mins(30);
/// A session ends so long after log-in, whatever is asked.
pub(super) const LONGEST: SignedDuration = SignedDuration::from_hours(12);
/// How exactly the last request is remembered; saves a write for each request.
const SEEN_EVERY: SignedDuration = SignedDuration::from_mins(1);
/// Ended sessions of an account are swept at a log-in this long after their end.
const SWEPT_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// A browser is known so long after its last log-in.
const DEVICE_KEPT: SignedDuration = SignedDuration::from_hours(180 * 24);

/// Wrong passwords in a row, from whatever addresses, before the account itself waits. One address
/// is stopped long before (`log_in`), so that a single stranger cannot shut the owner out; only a
/// guesser with many addresses comes to this.
const FREE_FAILURES: i64 = 100;
/// The first wait; it doubles with each further failure.
const FIRST_WAIT: SignedDuration = SignedDuration::from_secs(30);
/// The longest wait: somebody who guesses must not shut the owner out for a day.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_mins(15);

/// What is stored of a session's secret.
pub(super) fn token_hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// How long an account waits after its `failures`-th wrong password in a row; `None`: not at all.
fn wait_after(failures: i64) -> Option<SignedDuration> {
    let over = u32::try_from(failures.saturating_sub(FREE_FAILURES).min(10)).ok()?;
    let doubled = FIRST_WAIT.checked_mul(1_i32.checked_shl(over)?)?;
    Some(doubled.min(LONGEST_WAIT))
}

/// Finds the sessions of this installation.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sessions;

impl SessionLookup for Sessions {
    fn find<'a>(
        &'a self,
        app: &'a App,
        token: &'a str,
        now: Timestamp,
    ) -> Pin<Box<dyn Future<Output = Result<Option<Session>, WebError>> + Send + 'a>> {
        Box::pin(async move {
            if token.len() != 43 {
                return Ok(None);
            }
            let hash = token_hash(token);
            let limit = password_limit(app, now);
            let found = app.store.read(move |q| alive(q, hash, now, limit)).await?;
            let Some((session, seen_at)) = found else {
                return Ok(None);
            };
            if now.duration_since(seen_at) >= SEEN_EVERY {
                see(app, hash, now).await;
            }
            Ok(Some(session))
        })
    }
}

/// Remembers the request. A store that cannot write at present must still show pages.
async fn see(app: &App, hash: [u8; 32], now: Timestamp) {
    let seen = app
        .store
        .write(Command::new("session.see", now), move |tx| {
            let sql = "UPDATE session SET seen_at = ?1 WHERE token_hash = ?2 AND seen_at < ?1";
            Ok::<u64, Error>(tx.execute(sql, params![now, hash])?)
        })
        .await;
    if let Err(error) = seen {
        tracing::warn!(%error, "session not marked as seen: {error}");
    }
}

/// Passwords set before this instant have to be changed; none where they hold for ever.
pub(super) fn password_limit(app: &App, now: Timestamp) -> Option<Timestamp> {
    let days = i64::from(app.site.password_days);
    (days > 0).then(|| now - SignedDuration::from_hours(24 * days))
}

/// Whether a password is older than it may be; one from before this was noted is not.
pub(super) fn is_outdated(set_at: Option<Timestamp>, limit: Option<Timestamp>) -> bool {
    matches!((set_at, limit), (Some(set_at), Some(limit)) if set_at < limit)
}

/// The session with this hash if it is alive, and when it was last seen.
pub(super) fn alive(
    q: &dyn Query,
    hash: [u8; 32],
    now: Timestamp,
    limit: Option<Timestamp>,
) -> Result<Option<(Session, Timestamp)>> {
    let found = q.row_opt(
        &format!(
            "SELECT {STANDING}, d.name, s.csrf, s.seen_at, s.created_at, s.expires_at, s.mark \
             FROM session s JOIN account a ON a.id = s.account_id \
             LEFT JOIN department d ON d.id = a.department_id \
             WHERE s.token_hash = ?1 AND a.state = 'active'"
        ),
        params![hash],
        read_session,
    )?;
    let Some(row) = found else { return Ok(None) };
    if now >= row.expires_at || now.duration_since(row.seen_at) >= IDLE {
        return Ok(None);
    }
    // Whoever can write rows, but has no keys, opens no session and changes what none may do.
    let (standing, roles) = (row.standing, roles_of(q, row.account)?);
    if row.mark != Some(standing.mark(q, roles, hash, (row.created_at, row.expires_at))) {
        return Ok(None);
    }
    let mut actor = standing.actor(row.department);
    let lacks_factor = factor::is_required(roles) && standing.factor.is_none();
    // Whoever holds a one-time or outdated password may do nothing but set another; whoever lacks the second
    // factor that his roles need, nothing but set one up.
    let bar = if standing.one_time_until.is_some() {
        Some(Bar::OneTime)
    } else if is_outdated(standing.set_at, limit) {
        Some(Bar::Outdated)
    } else if lacks_factor {
        Some(Bar::Factor)
    } else {
        standing.rest_since.map(|_| Bar::Rest)
    };
    match bar {
        None => actor.roles = roles,
        Some(Bar::Rest) => actor.roles = roles.without(Role::WITH_SECOND_FACTOR),
        Some(_) => {
            actor.department = None;
            actor.party = None;
        }
    }
    Ok(Some((
        Session {
            actor,
            csrf: row.csrf,
            bar,
        },
        row.seen_at,
    )))
}

/// What is asked of an account `a` for a [`Standing`], in the order it is read.
const STANDING: &str = "a.id, a.login, a.name, a.department_id, a.region_code, a.party_id, \
     a.one_time_until, a.password_set_at, a.roles_rest_since, \
     (SELECT f.id FROM second_factor f WHERE f.account_id = a.id AND f.state = 'active' \
      ORDER BY f.id LIMIT 1)";

/// What an account is besides its roles. A session's mark binds all of it: what is changed by a
/// command ends the session or marks it anew, and what is changed behind the program's back ends it.
struct Standing {
    account: AccountId,
    login: String,
    name: String,
    department: Option<DepartmentId>,
    region: RegionCode,
    party: Option<PartyId>,
    one_time_until: Option<Timestamp>,
    /// Since when the password holds.
    set_at: Option<Timestamp>,
    /// Since when roles rest.
    rest_since: Option<Timestamp>,
    /// The second factor in use: a session does not outlive the one it was opened with.
    factor: Option<Uuid>,
}

impl Standing {
    fn read(r: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            account: r.get(0)?,
            login: r.get(1)?,
            name: r.get(2)?,
            department: r.get(3)?,
            region: r.get(4)?,
            party: r.get(5)?,
            one_time_until: r.get(6)?,
            set_at: r.get(7)?,
            rest_since: r.get(8)?,
            factor: r.get(9)?,
        })
    }

    fn of(q: &dyn Query, account: AccountId) -> Result<Self> {
        let sql = format!("SELECT {STANDING} FROM account a WHERE a.id = ?1");
        Ok(q.row(&sql, params![account], Self::read)?)
    }

    /// The mark of a session of this account with these roles, whose secret has this hash and which
    /// lasts from one instant to the other.
    fn mark(
        &self,
        q: &dyn Query,
        roles: Roles,
        token_hash: [u8; 32],
        (from, until): (Timestamp, Timestamp),
    ) -> [u8; 32] {
        let token: String = token_hash.iter().map(|it| format!("{it:02x}")).collect();
        let roles: Vec<&str> = roles.iter().map(Role::code).collect();
        let millis = |at: Option<Timestamp>| at.map(|at| at.as_millisecond());
        // As JSON, so that no two lists of values are one text.
        let text = json!([
            token,
            millis(Some(from)),
            millis(Some(until)),
            self.account.to_string(),
            &self.login,
            &self.name,
            roles,
            self.department.map(|it| it.to_string()),
            self.region.to_string(),
            self.party.map(|it| it.to_string()),
            millis(self.one_time_until),
            millis(self.set_at),
            millis(self.rest_since),
            self.factor.map(|it| it.to_string()),
        ]);
        q.keys().hash("session", &text.to_string())
    }

    /// Who acts in the session, without roles.
    fn actor(&self, department_name: String) -> Actor {
        Actor {
            kind: ActorKind::Account(self.account),
            login: self.login.clone(),
            name: self.name.clone(),
            roles: Roles::default(),
            department: self.department,
            department_name,
            region: self.region,
            party: self.party,
        }
    }
}

struct SessionRow {
    account: AccountId,
    standing: Standing,
    /// The name of its department.
    department: String,
    csrf: String,
    seen_at: Timestamp,
    created_at: Timestamp,
    expires_at: Timestamp,
    mark: Option<[u8; 32]>,
}

fn read_session(r: &Row<'_>) -> Result<SessionRow, StoreError> {
    let standing = Standing::read(r)?;
    let mark: Option<Vec<u8>> = r.get(15)?;
    Ok(SessionRow {
        account: standing.account,
        standing,
        department: r.get::<Option<String>>(10)?.unwrap_or_default(),
        csrf: r.get(11)?,
        seen_at: r.get(12)?,
        created_at: r.get(13)?,
        expires_at: r.get(14)?,
        mark: mark.and_then(|mark| mark.try_into().ok()),
    })
}

/// The mark of a session of an account as it stands now.
fn mark_now(
    q: &dyn Query,
    account: AccountId,
    token_hash: [u8; 32],
    span: (Timestamp, Timestamp),
) -> Result<[u8; 32]> {
    let (standing, roles) = (Standing::of(q, account)?, roles_of(q, account)?);
    Ok(standing.mark(q, roles, token_hash, span))
}

/// What is needed to try a password.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) account: AccountId,
    pub(super) login: String,
    pub(super) password_hash: String,
    pub(super) one_time: bool,
    /// Since when the password holds.
    pub(super) set_at: Option<Timestamp>,
    pub(super) acts_for_party: bool,
    /// A second factor has to be set up before anything else.
    pub(super) lacks_factor: bool,
    /// Roles that need one rest until they are confirmed.
    pub(super) roles_rest: bool,
    /// What it rests on.
    pub(super) basis: Basis,
}

impl Candidate {
    /// The same, whom the identity provider has named.
    pub(super) fn through(self, link: Uuid) -> Self {
        Self {
            basis: Basis::Identity(link),
            ..self
        }
    }
}

/// What a log-in rests on; it must still hold when the session is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Basis {
    /// The password.
    Password,
    /// A link to the identity provider.
    Identity(Uuid),
}

/// The account with this log-in name, in whatever state.
pub(super) fn candidate(q: &dyn Query, login: &str) -> Result<Option<Candidate>> {
    find_candidate(q, "login = ?1", login.into())
}

/// The same by its id.
pub(super) fn candidate_of(q: &dyn Query, account: AccountId) -> Result<Option<Candidate>> {
    find_candidate(q, "id = ?1", account.into())
}

fn find_candidate(q: &dyn Query, which: &str, value: Value) -> Result<Option<Candidate>> {
    let sql = format!(
        "SELECT id, login, password_hash, one_time_until, party_id, password_set_at, roles_rest_since \
         FROM account WHERE {which}"
    );
    let found = q.row_opt(&sql, [value], |r| {
        Ok(Candidate {
            account: r.get(0)?,
            login: r.get(1)?,
            password_hash: r.get(2)?,
            one_time: r.get::<Option<i64>>(3)?.is_some(),
            acts_for_party: r.get::<Option<PartyId>>(4)?.is_some(),
            set_at: r.get(5)?,
            lacks_factor: false,
            roles_rest: r.get::<Option<i64>>(6)?.is_some(),
            basis: Basis::Password,
        })
    })?;
    let Some(mut candidate) = found else {
        return Ok(None);
    };
    let roles = roles_of(q, candidate.account)?;
    candidate.lacks_factor = factor::is_missing(q, candidate.account, roles)?;
    candidate.roles_rest &= factor::is_required(roles);
    Ok(Some(candidate))
}

/// The one answer to a log-in that failed, whatever the cause: it tells a guesser nothing.
pub(super) fn wrong() -> Refusal {
    Refusal::field(
        "password",
        "login",
        "登录名或密码不正确。连续 5 次不正确后，从您这里每分钟只能再试一次。忘记密码或账号被锁定时，企业和个人账号请找登记窗口，工作人员请找系统管理员。",
    )
}

/// The secrets of a session and its browser.
#[derive(Clone, Debug)]
pub(super) struct Secrets {
    pub(super) token: String,
    pub(super) csrf: String,
    /// By which the browser is known again; it outlives the session.
    pub(super) device: String,
}

impl Secrets {
    /// Fresh ones, for a browser that may be known already.
    pub(super) fn fresh(device: Option<&str>) -> Self {
        Self {
            token: crate::store::secret(),
            csrf: crate::store::secret(),
            device: device.map_or_else(crate::store::secret, str::to_owned),
        }
    }
}

/// How a log-in comes, besides its name and password.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) secrets: Secrets,
    /// The session that ends with this log-in.
    pub(super) previous: Option<String>,
    /// Where from.
    pub(super) address: String,
    /// What the browser calls itself.
    pub(super) agent: String,
    /// A code of the second factor, where one was typed.
    pub(super) proof: Option<String>,
    pub(super) basis: Basis,
    /// The identity provider has seen a second factor, and is believed.
    pub(super) strong: bool,
}

/// The code of the refusal of a log-in whose password is right and whose second factor was not asked
/// for yet.
pub(super) const ASKS_CODE: &str = "second-factor";

/// Opens a session for an account whose password was right, or whom the provider named, unless the account has to wait, is
/// locked, its one-time password is too old, or its second factor is not proved. Waiting is for
/// strangers: a browser that has logged in before is not kept out by those who guess elsewhere.
/// Gives the log-in before.
pub(super) fn open(
    tx: &Tx<'_>,
    account: AccountId,
    password_hash: &str,
    entry: &Entry,
) -> Result<Before> {
    let now = tx.now();
    let known = is_known_device(tx, account, &entry.secrets.device)?;
    let owner = tx.row_opt(
        "SELECT login, region_code, last_login_at, last_login_from, failed_logins FROM account \
         WHERE id = ?1 AND password_hash = ?2 AND state = 'active' \
           AND (CAST(?4 AS BIGINT) = 1 OR locked_until IS NULL OR locked_until <= ?3) \
           AND (one_time_until IS NULL OR one_time_until > ?3)",
        params![account, password_hash, now, known],
        |r| {
            let before = Before {
                at: r.get(2)?,
                address: r.get(3)?,
                failed: r.get(4)?,
            };
            Ok((r.get(0)?, r.get(1)?, before))
        },
    )?;
    let Some((login, region, before)) = owner else {
        return Err(wrong().into());
    };
    need_untouched_account(tx, account)?;
    if let Basis::Identity(link) = entry.basis {
        need_untouched(tx, "account_identity", &[link])?;
        if !identity::opens(tx, link, account)? {
            return Err(wrong().into());
        }
    }
    // With the roles, so that the next log-in need not look far back.
    let mut rows = vec![("account", account.0), ("account_role", account.0)];
    let factor = factor::active(tx, account)?;
    if let Some(factor) = factor.filter(|_| !entry.strong) {
        let proof = entry.proof.as_deref().ok_or_else(asks_code)?;
        factor::prove(tx, &factor, proof)?;
        rows.push(("second_factor", factor.id));
    }
    if let Some(token) = &entry.previous {
        close(tx, token)?;
    }
    tx.execute(
        "UPDATE account SET failed_logins = 0, locked_until = NULL, last_login_at = ?1, \
           last_login_from = ?2 WHERE id = ?3",
        params![now, &entry.address, account],
    )?;
    insert(tx, account, entry, &before)?;
    know_device(tx, account, &entry.secrets.device)?;
    tx.event(Event {
        actor: by_account(account, login, region),
        command: "session.open",
        subject: ("account", account.0),
        detail: json!({ "address": &entry.address, "through": means(entry) }),
        rows,
    });
    Ok(before)
}

/// By what somebody logged in, as the log tells it. A code of digits is one of the app, recovery
/// codes have letters.
fn means(entry: &Entry) -> &'static str {
    let proof = entry.proof.as_deref().filter(|_| !entry.strong);
    let of_app = proof.map(|code| code.trim().chars().all(|c| c.is_ascii_digit() || c == ' '));
    match (entry.basis, of_app) {
        (Basis::Password, None) => "password",
        (Basis::Password, Some(true)) => "totp",
        (Basis::Password, Some(false)) => "recovery",
        (Basis::Identity(_), _) => "provider",
    }
}

fn asks_code() -> Refusal {
    let message = "密码正确。请再输入手机上的动态验证码（totp）。";
    Refusal {
        code: ASKS_CODE,
        ..Refusal::field("totp", ASKS_CODE, message)
    }
}

/// The log-in before, as its account remembers it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Before {
    pub(super) at: Option<Timestamp>,
    pub(super) address: Option<String>,
    /// Wrong tries since.
    pub(super) failed: i64,
}

fn insert(tx: &Tx<'_>, account: AccountId, entry: &Entry, before: &Before) -> Result<()> {
    let now = tx.now();
    let hash = token_hash(&entry.secrets.token);
    let until = now + LONGEST;
    tx.execute(
        "DELETE FROM session WHERE account_id = ?1 AND expires_at < ?2",
        params![account, now - SWEPT_AFTER],
    )?;
    tx.execute(
        "INSERT INTO session (token_hash, account_id, csrf, created_at, seen_at, expires_at, id, \
           address, agent, previous_at, previous_from, failed_before, mark) \
         VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        params![
            hash,
            account,
            &entry.secrets.csrf,
            now,
            until,
            tx.new_id(),
            &entry.address,
            &entry.agent,
            before.at,
            before.address.clone(),
            before.failed,
            mark_now(tx, account, hash, (now, until))?
        ],
    )?;
    Ok(())
}

/// The session goes on under another secret and as the account is now, so that whoever knew the old
/// secret is out. It comes after everything else that a command changes in the account.
pub(super) fn rotate(
    tx: &Tx<'_>,
    account: AccountId,
    token: &str,
    secrets: &Secrets,
) -> Result<()> {
    let (old, new) = (token_hash(token), token_hash(&secrets.token));
    let found = tx.row_opt(
        "SELECT created_at, expires_at FROM session \
         WHERE token_hash = ?1 AND account_id = ?2 AND expires_at > ?3 AND mark IS NOT NULL",
        params![old, account, tx.now()],
        |r| Ok((r.get(0)?, r.get(1)?)),
    )?;
    let Some((created_at, expires_at)) = found else {
        return Ok(());
    };
    tx.execute(
        "UPDATE session SET token_hash = ?1, csrf = ?2, mark = ?3 WHERE token_hash = ?4",
        params![
            new,
            &secrets.csrf,
            mark_now(tx, account, new, (created_at, expires_at))?,
            old
        ],
    )?;
    Ok(())
}

/// Whether the account has logged in from this browser lately.
pub(super) fn is_known_device(q: &dyn Query, account: AccountId, device: &str) -> Result<bool> {
    let sql = "SELECT 1 FROM known_device WHERE account_id = ?1 AND device_hash = ?2";
    let found = q.row_opt(sql, params![account, token_hash(device)], |r| {
        r.get::<i64>(0)
    })?;
    Ok(found.is_some())
}

/// Whether any account has logged in from this browser lately.
pub(super) fn is_known_browser(q: &dyn Query, device: &str) -> Result<bool> {
    let sql = "SELECT 1 FROM known_device WHERE device_hash = ?1 LIMIT 1";
    let found = q.row_opt(sql, params![token_hash(device)], |r| r.get::<i64>(0))?;
    Ok(found.is_some())
}

/// Remembers the browser, and forgets those not seen for long.
fn know_device(tx: &Tx<'_>, account: AccountId, device: &str) -> Result<()> {
    let (now, hash) = (tx.now(), token_hash(device));
    let sql = "UPDATE known_device SET seen_at = ?1 WHERE account_id = ?2 AND device_hash = ?3";
    if tx.execute(sql, params![now, account, hash])? == 0 {
        let sql = "INSERT INTO known_device (account_id, device_hash, seen_at) VALUES (?1, ?2, ?3)";
        tx.execute(sql, params![account, hash, now])?;
    }
    let sql = "DELETE FROM known_device WHERE account_id = ?1 AND seen_at < ?2";
    tx.execute(sql, params![account, now - DEVICE_KEPT])?;
    Ok(())
}

fn by_account(account: AccountId, login: String, region: RegionCode) -> ActorRef {
    ActorRef {
        kind: store::ActorKind::Account,
        id: Some(account.0),
        label: login,
        region: Some(region),
    }
}

/// Why a log-in failed, as the log tells it. Whoever tries is not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// The password was wrong.
    Password,
    /// The password was right, but the account is locked, has to wait, or its one-time password is
    /// too old.
    Shut,
    /// The present password was wrong where a new one was to be set.
    OldPassword,
    /// The password was right, the code of the second factor was not.
    Code,
    /// No account has this log-in name.
    NoAccount,
    /// No account is linked to whom the identity provider named.
    Unlinked,
    /// What came from the identity provider is not believed.
    Provider,
    /// Too many were tried; this one was not looked at.
    Rate,
}

impl Why {
    const fn code(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Shut => "shut",
            Self::OldPassword => "old-password",
            Self::Code => "code",
            Self::NoAccount => "no-account",
            Self::Unlinked => "unlinked",
            Self::Provider => "provider",
            Self::Rate => "rate",
        }
    }
}

/// Notes a log-in that failed. A wrong password is counted; from the hundredth in a row on the
/// account waits, longer each time. While it waits nothing is counted. In a row that somebody changed
/// behind the program's back it is counted, too, but the event does not vouch for the row.
pub(super) fn refuse(tx: &Tx<'_>, account: AccountId, why: Why, address: &str) -> Result<()> {
    let touched = is_row_touched(tx, account)?;
    let failures = match why {
        Why::Password | Why::OldPassword | Why::Code => count_failure(tx, account)?,
        Why::Shut | Why::NoAccount | Why::Unlinked | Why::Provider | Why::Rate => None,
    };
    let detail = json!({ "why": why.code(), "failures": failures, "address": address });
    let rows = failures
        .filter(|_| !touched)
        .map(|_| ("account", account.0));
    note_refusal(tx, account.0, detail, rows.into_iter().collect());
    Ok(())
}

/// Notes a log-in that stands for no account, under whatever it was tried. A name may be a password
/// typed in the wrong field, so it is kept as a keyed hash only: who types the name again finds its
/// attempts.
pub(super) fn refuse_stranger(tx: &Tx<'_>, why: Why, name: &str, address: &str) {
    let detail = json!({ "why": why.code(), "address": address });
    note_refusal(tx, unknown_login(tx, name), detail, Vec::new());
}

/// What stands in the log for a log-in name that no account has.
pub fn unknown_login(q: &dyn Query, login: &str) -> Uuid {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, ..] =
        q.keys().hash("login", &login.trim().to_lowercase());
    Uuid::from_bytes([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p])
}

fn note_refusal(
    tx: &Tx<'_>,
    subject: Uuid,
    detail: serde_json::Value,
    rows: Vec<(&'static str, Uuid)>,
) {
    tx.event(Event {
        actor: ActorRef {
            kind: store::ActorKind::Public,
            id: None,
            label: "public".to_owned(),
            region: None,
        },
        command: "session.refuse",
        subject: ("account", subject),
        detail,
        rows,
    });
}

/// Counts a wrong password, unless the account has to wait; gives the count.
fn count_failure(tx: &Tx<'_>, account: AccountId) -> Result<Option<i64>> {
    let now = tx.now();
    let failures = tx.row_opt(
        "SELECT failed_logins FROM account \
         WHERE id = ?1 AND (locked_until IS NULL OR locked_until <= ?2)",
        params![account, now],
        |r| r.get::<i64>(0),
    )?;
    let Some(failures) = failures.map(|before| before.saturating_add(1)) else {
        return Ok(None);
    };
    let until = wait_after(failures).map(|wait| now + wait);
    tx.execute(
        "UPDATE account SET failed_logins = ?1, locked_until = ?2 WHERE id = ?3",
        params![failures, until, account],
    )?;
    Ok(Some(failures))
}

/// Ends the session of this secret, if it is alive.
pub(super) fn close(tx: &Tx<'_>, token: &str) -> Result<()> {
    let hash = token_hash(token);
    let owner = tx.row_opt(
        "SELECT a.id, a.login, a.region_code FROM session s JOIN account a ON a.id = s.account_id \
         WHERE s.token_hash = ?1 AND s.expires_at > ?2",
        params![hash, tx.now()],
        |r| Ok((r.get::<AccountId>(0)?, r.get(1)?, r.get(2)?)),
    )?;
    let Some((account, login, region)) = owner else {
        return Ok(());
    };
    tx.execute(
        "UPDATE session SET expires_at = ?1, mark = NULL WHERE token_hash = ?2",
        params![tx.now(), hash],
    )?;
    tx.event(Event {
        actor: by_account(account, login, region),
        command: "session.close",
        subject: ("account", account.0),
        detail: json!({}),
        rows: Vec::new(),
    });
    Ok(())
}

/// Ends all sessions of an account but the one with this hash. Part of commands that say so in
/// their own event.
pub(super) fn close_all(tx: &Tx<'_>, account: AccountId, but: Option<[u8; 32]>) -> Result<u64> {
    Ok(tx.execute(
        "UPDATE session SET expires_at = ?1, mark = NULL \
         WHERE account_id = ?2 AND expires_at > ?1 AND token_hash <> ?3",
        params![tx.now(), account, but.unwrap_or_default()],
    )?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_end_at_a_quarter_of_an_hour() {
        let waits: Vec<Option<i64>> = [1, 99, 100, 101, 102, 103, 104, 105, 106, 160, i64::MAX]
            .map(|n| wait_after(n).map(|w| w.as_secs()))
            .into();
        let s = Some;
        assert_eq!(
            waits,
            [
                None,
                None,
                s(30),
                s(60),
                s(120),
                s(240),
                s(480),
                s(900),
                s(900),
                s(900),
                s(900)
            ]
        );
    }
}
