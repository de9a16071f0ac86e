//! Codes of six digits that are sent to a contact: good for ten minutes, five tries and one use.
//!
//! It lacks what a code is for. Only its keyed hash is kept; the code itself is in the sealed letter.

use jiff::SignedDuration;
use uuid::Uuid;

use crate::gateway::{self, Letter, Template};
use crate::ids::AccountId;
use crate::params;
use crate::refusal::{Refusal, Result};
use crate::store::{Query, Tx};

use super::contact::Contact;
use super::session::is_known_device;

/// A code is good for so long.
const GOOD: SignedDuration = SignedDuration::from_mins(10);
/// Wrong tries before it is worth nothing.
const TRIES: i64 = 5;
/// Codes of an account in an hour: so many for strangers, and as many for known browsers.
const PER_HOUR: i64 = 5;

/// What a code is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To prove a contact.
    Contact,
    /// To set a new password.
    Reset,
}

impl Purpose {
    const fn code(self) -> &'static str {
        match self {
            Self::Contact => "contact",
            Self::Reset => "reset",
        }
    }

    const fn template(self) -> Template {
        match self {
            Self::Contact => Template::ContactCode,
            Self::Reset => Template::ResetCode,
        }
    }
}

/// A fresh code, made before the command that keeps its hash.
pub(super) fn fresh() -> String {
    let random = u64::from_be_bytes(crate::store::random());
    format!("{:06}", random % 1_000_000)
}

fn hash(q: &dyn Query, id: Uuid, code: &str) -> [u8; 32] {
    q.keys().hash("sent code", &format!("{id} {code}"))
}

/// The browser a code is asked for from, and typed in.
///
/// A code that resets a password is good only where it was asked for. So a stranger who asks for
/// codes and tries them uses up his own, and the owner's stay good.
#[derive(Clone, Debug)]
pub(super) struct Browser {
    /// What only this browser sends.
    pub(super) secret: String,
    /// By which it is known again where the account logged in from it.
    pub(super) device: Option<String>,
}

impl Browser {
    fn hash(&self, q: &dyn Query) -> [u8; 32] {
        q.keys().hash("sent code browser", &self.secret)
    }

    fn is_known(&self, q: &dyn Query, account: AccountId) -> Result<bool> {
        match &self.device {
            Some(device) => is_known_device(q, account, device),
            None => Ok(false),
        }
    }
}

/// Sends a code to a contact. Without a browser the one before of the same purpose is worth nothing
/// any more; with one, each is good for its own ten minutes. Browsers the account has logged in from
/// have an allowance of their own, so that strangers do not use it up.
///
/// # Errors
/// Refuses where too many were sent within the hour.
pub(super) fn send(
    tx: &Tx<'_>,
    account: AccountId,
    contact: &Contact,
    purpose: Purpose,
    (code, browser): (&str, Option<&Browser>),
) -> Result<()> {
    let known = browser.map_or(Ok(false), |browser| browser.is_known(tx, account))?;
    let sent: i64 = tx.row(
        "SELECT COUNT(*) FROM sent_code WHERE account_id = ?1 AND purpose = ?2 AND good_until > ?3 \
         AND COALESCE(from_known, 0) = ?4",
        params![
            account,
            purpose.code(),
            tx.now() + GOOD - SignedDuration::from_hours(1),
            i64::from(known)
        ],
        |r| r.get(0),
    )?;
    if sent >= PER_HOUR {
        let message = "一小时内发送的验证码太多，请过一小时再试。";
        return Err(Refusal::too_many("code-flood", message).into());
    }
    if browser.is_none() {
        end(tx, account, purpose)?;
    }
    let (id, until) = (tx.new_id(), tx.now() + GOOD);
    tx.execute(
        "INSERT INTO sent_code (id, account_id, contact_id, purpose, code_hash, good_until, failures, \
           browser, from_known) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, ?8)",
        params![
            id,
            account,
            contact.id,
            purpose.code(),
            hash(tx, id, code),
            until,
            browser.map(|browser| browser.hash(tx)),
            i64::from(known)
        ],
    )?;
    let letter = Letter {
        owner: account.0,
        channel: contact.channel,
        to: contact.sealed.clone(),
        template: purpose.template(),
        values: vec![("code", code.to_owned())],
        good_until: Some(until),
    };
    Ok(gateway::send(tx, &letter)?)
}

/// The contact a code was sent to, where it is right. A wrong one is counted against every code of
/// the browser, so the command that asks must stand whatever the answer is: whoever guesses has five
/// tries for each code, fifty an hour. A right one stays good until [`end`].
pub(super) fn check(
    tx: &Tx<'_>,
    account: AccountId,
    purpose: Purpose,
    (typed, browser): (&str, Option<&Browser>),
) -> Result<Option<Uuid>> {
    // None was asked for from a browser: the empty hash stands for that.
    let browser = browser.map_or(Vec::new(), |browser| browser.hash(tx).to_vec());
    let found = tx.rows(
        "SELECT id, contact_id, code_hash, browser FROM sent_code \
         WHERE account_id = ?1 AND purpose = ?2 AND ended_at IS NULL AND good_until > ?3 AND failures < ?4 \
         ORDER BY good_until, id",
        params![account, purpose.code(), tx.now(), TRIES],
        |r| {
            let from = r.get::<Option<Vec<u8>>>(3)?.unwrap_or_default();
            Ok((r.get::<Uuid>(0)?, r.get(1)?, r.get::<Vec<u8>>(2)?, from))
        },
    )?;
    let own: Vec<_> = found
        .into_iter()
        .filter(|(.., from)| *from == browser)
        .collect();
    // Keyed hashes: how far two of them agree tells nothing.
    let right = own
        .iter()
        .find(|(id, _, kept, _)| *kept == hash(tx, *id, typed.trim()));
    if let Some((_, contact, ..)) = right {
        return Ok(Some(*contact));
    }
    for (id, ..) in own {
        let sql = "UPDATE sent_code SET failures = failures + 1 WHERE id = ?1";
        tx.execute(sql, params![id])?;
    }
    Ok(None)
}

/// Uses the codes up.
pub(super) fn end(tx: &Tx<'_>, account: AccountId, purpose: Purpose) -> Result<()> {
    tx.execute(
        "UPDATE sent_code SET ended_at = ?1 \
         WHERE account_id = ?2 AND purpose = ?3 AND ended_at IS NULL",
        params![tx.now(), account, purpose.code()],
    )?;
    Ok(())
}
