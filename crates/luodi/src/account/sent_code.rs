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

/// A code is good for so long.
const GOOD: SignedDuration = SignedDuration::from_mins(10);
/// Wrong tries before it is worth nothing.
const TRIES: i64 = 5;
/// Codes of an account in an hour.
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

/// Sends a code to a contact; the one before of the same purpose is worth nothing any more.
///
/// # Errors
/// Refuses where too many were sent within the hour.
pub(super) fn send(
    tx: &Tx<'_>,
    account: AccountId,
    contact: &Contact,
    purpose: Purpose,
    code: &str,
) -> Result<()> {
    let sent: i64 = tx.row(
        "SELECT COUNT(*) FROM sent_code WHERE account_id = ?1 AND purpose = ?2 AND good_until > ?3",
        params![
            account,
            purpose.code(),
            tx.now() + GOOD - SignedDuration::from_hours(1)
        ],
        |r| r.get(0),
    )?;
    if sent >= PER_HOUR {
        let message = "一小时内发送的验证码太多，请过一小时再试。";
        return Err(Refusal::too_many("code-flood", message).into());
    }
    tx.execute(
        "UPDATE sent_code SET ended_at = ?1 \
         WHERE account_id = ?2 AND purpose = ?3 AND ended_at IS NULL",
        params![tx.now(), account, purpose.code()],
    )?;
    let (id, until) = (tx.new_id(), tx.now() + GOOD);
    tx.execute(
        "INSERT INTO sent_code (id, account_id, contact_id, purpose, code_hash, good_until, failures) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0)",
        params![
            id,
            account,
            contact.id,
            purpose.code(),
            hash(tx, id, code),
            until
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

/// The contact a code was sent to, where it is right. A wrong one is counted, so the command that
/// asks must stand whatever the answer is. A right one stays good until [`end`].
pub(super) fn check(
    tx: &Tx<'_>,
    account: AccountId,
    purpose: Purpose,
    typed: &str,
) -> Result<Option<Uuid>> {
    let found = tx.row_opt(
        "SELECT id, contact_id, code_hash FROM sent_code \
         WHERE account_id = ?1 AND purpose = ?2 AND ended_at IS NULL AND good_until > ?3 AND failures < ?4",
        params![account, purpose.code(), tx.now(), TRIES],
        |r| Ok((r.get::<Uuid>(0)?, r.get(1)?, r.get::<Vec<u8>>(2)?)),
    )?;
    let Some((id, contact, kept)) = found else {
        return Ok(None);
    };
    // Keyed hashes: how far two of them agree tells nothing.
    if kept == hash(tx, id, typed.trim()) {
        return Ok(Some(contact));
    }
    let sql = "UPDATE sent_code SET failures = failures + 1 WHERE id = ?1";
    tx.execute(sql, params![id])?;
    Ok(None)
}

/// Uses the code up.
pub(super) fn end(tx: &Tx<'_>, account: AccountId, purpose: Purpose) -> Result<()> {
    tx.execute(
        "UPDATE sent_code SET ended_at = ?1 \
         WHERE account_id = ?2 AND purpose = ?3 AND ended_at IS NULL",
        params![tx.now(), account, purpose.code()],
    )?;
    Ok(())
}
