//! Codes of eight digits that are sent to a contact: good for ten minutes, five tries and one use.
//!
//! It lacks what a code is for. Only a keyed hash is kept, over the code and everything it is good
//! for: account, purpose, contact, browser and end. So no row serves for another account, and none
//! longer. The code itself is in the sealed letter.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::gateway::{self, Letter, Template};
use crate::ids::AccountId;
use crate::params;
use crate::refusal::{Refusal, Result};
use crate::store::{Query, Tx};
use crate::web::Rate;

use super::contact::Contact;
use super::session::is_known_device;

/// A code is good for so long.
const GOOD: SignedDuration = SignedDuration::from_mins(10);
/// Wrong tries before it is worth nothing.
const TRIES: u32 = 5;
/// Codes of an account in an hour: so many for strangers, and as many for known browsers.
const PER_HOUR: i64 = 5;
/// The same in a day.
const PER_DAY: i64 = 10;

/// Tries of one code as the process counts them, so that whoever writes the row's count anew has no
/// more. They do not come back: by then the code has ended.
pub(super) const TRIED: Rate = Rate {
    purpose: "sent-code",
    burst: TRIES,
    per_minute: 0,
};

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
    format!("{:08}", random % 100_000_000)
}

/// What a code is good for.
struct Good<'a> {
    id: Uuid,
    account: AccountId,
    purpose: Purpose,
    contact: Uuid,
    until: Timestamp,
    /// The keyed hash of the browser; empty where none asked.
    browser: &'a [u8],
}

impl Good<'_> {
    fn hash(&self, q: &dyn Query, code: &str) -> [u8; 32] {
        let browser: String = self.browser.iter().map(|it| format!("{it:02x}")).collect();
        let text = format!(
            "{} {} {} {} {} {browser} {code}",
            self.id,
            self.account,
            self.purpose.code(),
            self.contact,
            self.until.as_millisecond(),
        );
        q.keys().hash("sent code", &text)
    }
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
    /// Codes it has tried so often, as the process counts, that they are worth nothing.
    pub(super) spent: Vec<Uuid>,
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
    let since = |hours| tx.now() + GOOD - SignedDuration::from_hours(hours);
    let (hour, day): (i64, i64) = tx.row(
        "SELECT COUNT(CASE WHEN good_until > ?5 THEN 1 END), COUNT(*) FROM sent_code \
         WHERE account_id = ?1 AND purpose = ?2 AND good_until > ?3 \
           AND COALESCE(from_known, 0) = ?4",
        params![
            account,
            purpose.code(),
            since(24),
            i64::from(known),
            since(1)
        ],
        |r| Ok((r.get(0)?, r.get(1)?)),
    )?;
    if day >= PER_DAY {
        let message =
            "一天内发送的验证码太多，请明天再试，或联系系统管理员；企业和群众可以到窗口办理。";
        return Err(Refusal::too_many("code-flood", message).into());
    }
    if hour >= PER_HOUR {
        let message = "一小时内发送的验证码太多，请过一小时再试。";
        return Err(Refusal::too_many("code-flood", message).into());
    }
    if browser.is_none() {
        end(tx, account, purpose)?;
    }
    let from = browser.map(|browser| browser.hash(tx));
    let good = Good {
        id: tx.new_id(),
        account,
        purpose,
        contact: contact.id,
        until: tx.now() + GOOD,
        browser: from.as_ref().map_or(&[][..], |from| &from[..]),
    };
    tx.execute(
        "INSERT INTO sent_code (id, account_id, contact_id, purpose, code_hash, good_until, failures, \
           browser, from_known) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, ?8)",
        params![
            good.id,
            account,
            contact.id,
            purpose.code(),
            good.hash(tx, code),
            good.until,
            from,
            i64::from(known)
        ],
    )?;
    let letter = Letter {
        owner: account.0,
        channel: contact.channel,
        to: contact.sealed.clone(),
        template: purpose.template(),
        values: vec![("code", code.to_owned())],
        good_until: Some(good.until),
    };
    Ok(gateway::send(tx, &letter)?)
}

/// The contact a code was sent to, where it is right. A wrong one is counted against every code of
/// the browser, so the command that asks must stand whatever the answer is: whoever guesses has five
/// tries for each code. A right one stays good until [`end`].
pub(super) fn check(
    tx: &Tx<'_>,
    account: AccountId,
    purpose: Purpose,
    (typed, browser): (&str, Option<&Browser>),
) -> Result<Option<Uuid>> {
    let own = live(tx, (account, purpose), browser, tx.now())?;
    // Keyed hashes: how far two of them agree tells nothing.
    let right = own.iter().find(|one| {
        let good = Good {
            id: one.id,
            account,
            purpose,
            contact: one.contact,
            until: one.until,
            browser: &one.browser,
        };
        one.kept == good.hash(tx, typed.trim())
    });
    if let Some(right) = right {
        return Ok(Some(right.contact));
    }
    for one in own {
        let sql = "UPDATE sent_code SET failures = failures + 1 WHERE id = ?1";
        tx.execute(sql, params![one.id])?;
    }
    Ok(None)
}

/// A code as it is kept.
struct Kept {
    id: Uuid,
    contact: Uuid,
    until: Timestamp,
    browser: Vec<u8>,
    kept: Vec<u8>,
}

/// The codes of a browser that may still be tried.
fn live(
    q: &dyn Query,
    (account, purpose): (AccountId, Purpose),
    browser: Option<&Browser>,
    now: Timestamp,
) -> Result<Vec<Kept>> {
    // None was asked for from a browser: the empty hash stands for that.
    let from = browser.map_or(Vec::new(), |browser| browser.hash(q).to_vec());
    let spent = browser.map_or(&[][..], |browser| &browser.spent);
    let mut found = q.rows(
        "SELECT id, contact_id, good_until, browser, code_hash FROM sent_code \
         WHERE account_id = ?1 AND purpose = ?2 AND ended_at IS NULL AND good_until > ?3 AND failures < ?4 \
         ORDER BY good_until, id",
        params![account, purpose.code(), now, i64::from(TRIES)],
        |r| {
            Ok(Kept {
                id: r.get(0)?,
                contact: r.get(1)?,
                until: r.get(2)?,
                browser: r.get::<Option<Vec<u8>>>(3)?.unwrap_or_default(),
                kept: r.get(4)?,
            })
        },
    )?;
    found.retain(|one| one.browser == from && !spent.contains(&one.id));
    Ok(found)
}

/// The codes for an account that a browser may still try.
pub(super) fn of_browser(
    q: &dyn Query,
    of: (AccountId, Purpose),
    browser: &Browser,
    now: Timestamp,
) -> Result<Vec<Uuid>> {
    let found = live(q, of, Some(browser), now)?;
    Ok(found.into_iter().map(|one| one.id).collect())
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
