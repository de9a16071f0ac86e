//! Trying to log in: how often, the password, then the second factor, which may come with the
//! password or on a page of its own.
//!
//! It lacks the pages (`log_in`) and what is written (`session`). Between the two pages nothing is
//! kept on the server: the second form carries a ticket that only this installation can make, for
//! one browser, one account with one password, and a few minutes.

use jiff::{SignedDuration, Timestamp};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::ids::AccountId;
use crate::refusal::{Error, Kind, Refusal};
use crate::store::{Command, IdempotencyKey, Query};
use crate::web::{App, Rate, Visit, WebError};

use super::password;
use super::session::{self, ASKS_CODE, Basis, Before, Candidate, Entry, Secrets, Why};

/// Wrong log-ins of one address: an office of hundreds sits behind one, and right ones are free.
pub(super) const LOG_IN: Rate = Rate {
    purpose: "log-in",
    burst: 300,
    per_minute: 60,
};

/// Wrong log-ins to one account from one address.
const OF_ACCOUNT: Rate = Rate {
    purpose: "log-in-account",
    burst: 5,
    per_minute: 1,
};

/// How long a right password may wait for its code.
const TICKET_GOOD: SignedDuration = SignedDuration::from_mins(5);

/// An open session.
pub(super) struct Opened {
    pub(super) candidate: Candidate,
    pub(super) secrets: Secrets,
    /// The log-in before.
    pub(super) before: Before,
}

/// What came of a name and its password.
pub(super) enum Entered {
    /// A session is open.
    Opened(Box<Opened>),
    /// The password is right; a code of the second factor is asked for.
    AsksCode(Box<Candidate>),
}

/// Opens a session for a log-in name and its password, as often as the rates allow. `code` may be
/// empty.
///
/// # Errors
/// Refused where the rate is used up, or the password or the code is wrong.
pub(super) async fn open_session(
    app: &App,
    visit: &Visit,
    login: &str,
    password: &str,
    code: &str,
) -> Result<Entered, WebError> {
    let budget = Budget::take(app, visit, login)?;
    let candidate = try_password(app, visit, login, password).await?;
    let opened = open(app, visit, &candidate, &Shown::code(code)).await?;
    Ok(entered(app, visit, budget, candidate, opened))
}

fn entered(
    app: &App,
    visit: &Visit,
    budget: Budget,
    candidate: Candidate,
    opened: Option<(Secrets, Before)>,
) -> Entered {
    match opened {
        Some((secrets, before)) => {
            budget.forget(app, visit);
            Entered::Opened(Box::new(Opened {
                candidate,
                secrets,
                before,
            }))
        }
        None => {
            // It was no guess; but who guesses codes afterwards has no more tries than before.
            budget.give_back(app, visit);
            Entered::AsksCode(Box::new(candidate))
        }
    }
}

/// Opens a session for whom the identity provider named, once for `key`; none where it was opened
/// before. `strong`: the provider has seen a second factor, and is believed.
///
/// # Errors
/// Refused where the rate is used up, or the account may not be entered.
pub(super) async fn open_for_identity(
    app: &App,
    visit: &Visit,
    candidate: Candidate,
    key: IdempotencyKey,
    strong: bool,
) -> Result<Option<Entered>, WebError> {
    let budget = Budget::take(app, visit, &candidate.login)?;
    let shown = Shown {
        code: "",
        strong,
        key: Some(key),
    };
    match open(app, visit, &candidate, &shown).await {
        Ok(opened) => Ok(Some(entered(app, visit, budget, candidate, opened))),
        Err(error) => {
            let refusal = error.into_refusal()?;
            match refusal.code {
                USED => Ok(None),
                _ => Err(refusal.into()),
            }
        }
    }
}

/// Opens a session for a ticket and a code of the second factor.
///
/// # Errors
/// Refused where the ticket is too old, the rate is used up or the code is wrong.
pub(super) async fn open_with_code(
    app: &App,
    visit: &Visit,
    ticket: &str,
    code: &str,
) -> Result<Opened, WebError> {
    let candidate = redeem(app, visit, ticket).await?;
    let candidate = candidate.ok_or_else(|| {
        let message = "等待验证码的时间太长，请重新输入登录名和密码。";
        Refusal::field("login", "ticket", message)
    })?;
    let budget = Budget::take(app, visit, &candidate.login)?;
    let opened = open(app, visit, &candidate, &Shown::code(code)).await?;
    let (secrets, before) = opened.ok_or_else(|| {
        Refusal::field(
            "totp",
            "required",
            "请输入手机上的 6 位验证码，或一个备用码。",
        )
    })?;
    budget.forget(app, visit);
    Ok(Opened {
        candidate,
        secrets,
        before,
    })
}

/// A try taken from the budgets of an address, and of an account from that address.
pub(super) struct Budget(String);

impl Budget {
    /// Takes a try.
    ///
    /// # Errors
    /// Refused where none is left.
    pub(super) fn take(app: &App, visit: &Visit, login: &str) -> Result<Self, Refusal> {
        let too_many = |rule: &'static str, message: &str| Refusal {
            kind: Kind::TooMany,
            ..Refusal::field("password", rule, message)
        };
        if !app.attempts.admit(LOG_IN, &visit.address, visit.now) {
            let message = "这个网络的登录尝试太多，请过一分钟再试。";
            return Err(too_many("address-rate", message));
        }
        // One address guesses one account's password; it does not shut out the owner elsewhere.
        let guesser = app.attempts.pair(login, &visit.address);
        if !app.attempts.admit(OF_ACCOUNT, &guesser, visit.now) {
            let message = "这个账号从您这里连续输错了多次，现在每分钟只能再试一次。请稍等，或联系系统管理员重置密码。";
            return Err(too_many("account-rate", message));
        }
        Ok(Self(guesser))
    }

    fn give_back(self, app: &App, visit: &Visit) {
        app.attempts.give_back(LOG_IN, &visit.address, visit.now);
        app.attempts.give_back(OF_ACCOUNT, &self.0, visit.now);
    }

    /// Who tried has shown who he is.
    pub(super) fn forget(self, app: &App, visit: &Visit) {
        app.attempts.give_back(LOG_IN, &visit.address, visit.now);
        app.attempts.forget(OF_ACCOUNT, &self.0);
    }
}

/// Tries the password; takes as long for an unknown log-in name as for a known.
async fn try_password(
    app: &App,
    visit: &Visit,
    login: &str,
    password: &str,
) -> Result<Candidate, WebError> {
    let wanted = login.to_owned();
    let found = app
        .store
        .read(move |q| session::candidate(q, &wanted))
        .await?;
    let hash = found
        .as_ref()
        .map_or(password::NOBODY, |candidate| &candidate.password_hash);
    let typed: String = password.chars().take(password::LONGEST_BYTES).collect();
    let fits = password::fits_in_turn(typed, hash.to_owned()).await?;
    let Some(candidate) = found else {
        let (login, address) = (login.to_owned(), visit.address.clone());
        let command = Command::new("session.refuse", visit.now);
        let noted = app.store.write(command, move |tx| {
            session::refuse_unknown(tx, &login, &address);
            Ok::<_, Error>(())
        });
        noted.await?;
        return Err(session::wrong().into());
    };
    if !fits {
        note_refused(app, visit, candidate.account, Why::Password).await?;
        return Err(session::wrong().into());
    }
    Ok(candidate)
}

/// What somebody shows besides what his log-in rests on.
struct Shown<'a> {
    /// A code of the second factor; may be empty.
    code: &'a str,
    strong: bool,
    /// Under which the effect comes once.
    key: Option<IdempotencyKey>,
}

impl<'a> Shown<'a> {
    fn code(code: &'a str) -> Self {
        Self {
            code,
            strong: false,
            key: None,
        }
    }
}

/// The code of the refusal of a way to the provider that has opened a session already.
const USED: &str = "provider-used";

/// Opens the session of a candidate who has shown himself; `None` where a code is still asked for.
async fn open(
    app: &App,
    visit: &Visit,
    candidate: &Candidate,
    shown: &Shown<'_>,
) -> Result<Option<(Secrets, Before)>, WebError> {
    let (account, hash) = (candidate.account, candidate.password_hash.clone());
    let entry = Entry {
        secrets: Secrets::fresh(visit.device.as_deref()),
        previous: visit.token.clone(),
        address: visit.address.clone(),
        agent: visit.agent.clone(),
        proof: (!shown.code.is_empty()).then(|| shown.code.to_owned()),
        basis: candidate.basis,
        strong: shown.strong,
    };
    let secrets = entry.secrets.clone();
    let mut command = Command::new("session.open", visit.now);
    if let Some(key) = &shown.key {
        command = command.once(key.clone());
    }
    let entered = app
        .store
        .write_once(command, move |tx| {
            let before = session::open(tx, account, &hash, &entry)?;
            Ok::<_, Error>((before, session::token_hash(&entry.secrets.token)))
        })
        .await
        .map(|once| once.value);
    match entered {
        // Where the answer to a commit was lost, what is remembered is this very session.
        Ok((before, token)) if token == session::token_hash(&secrets.token) => {
            Ok(Some((secrets, before)))
        }
        Ok(_) => Err(Refusal::conflict(USED, "这次登录已经用过，请重新登录。").into()),
        Err(Error::Refused(refusal)) if refusal.code == ASKS_CODE => Ok(None),
        Err(Error::Refused(refusal)) => {
            let of_code = refusal.fields.iter().any(|field| field.field == "totp");
            let why = if of_code { Why::Code } else { Why::Shut };
            note_refused(app, visit, account, why).await?;
            Err(refusal.into())
        }
        Err(error) => Err(error.into()),
    }
}

/// Notes in the log that a log-in to an account failed, why and from where.
pub(super) async fn note_refused(
    app: &App,
    visit: &Visit,
    account: AccountId,
    why: Why,
) -> Result<(), WebError> {
    let (command, address) = (
        Command::new("session.refuse", visit.now),
        visit.address.clone(),
    );
    app.store
        .write(command, move |tx| {
            session::refuse(tx, account, why, &address)
        })
        .await?;
    Ok(())
}

/// What the second page carries for a candidate whose password was right.
pub(super) async fn ticket(
    app: &App,
    visit: &Visit,
    candidate: &Candidate,
) -> Result<String, WebError> {
    let (candidate, csrf) = (candidate.clone(), visit.csrf.clone());
    let until = (visit.now + TICKET_GOOD).as_millisecond();
    let made = app.store.read(move |q| {
        let mark = mark(q, &candidate, until, &csrf);
        let basis = basis_text(candidate.basis);
        Ok::<_, Error>(format!("{}.{until}.{basis}.{mark}", candidate.account))
    });
    Ok(made.await?)
}

/// How a ticket says what the log-in rests on.
fn basis_text(basis: Basis) -> String {
    match basis {
        Basis::Password => "password".to_owned(),
        Basis::Identity(link) => link.simple().to_string(),
    }
}

/// Whether a ticket says that the identity provider named its owner.
pub(super) fn is_through_provider(ticket: &str) -> bool {
    let basis = ticket.split('.').nth(2);
    basis.is_some_and(|basis| basis != basis_text(Basis::Password))
}

/// Binds a ticket to account, password, browser, time and what it rests on.
fn mark(q: &dyn Query, candidate: &Candidate, until: i64, csrf: &str) -> String {
    let (account, hash) = (candidate.account, &candidate.password_hash);
    let basis = basis_text(candidate.basis);
    let text = format!("{account} {until} {csrf} {basis} {hash}");
    let mark = q.keys().hash("log-in ticket", &text);
    mark.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whose ticket it says it is, for what is public anyway.
pub(super) fn ticket_account(ticket: &str) -> Option<AccountId> {
    ticket.split('.').next()?.parse().ok()
}

/// Whose ticket it is; none where it is too old, of another browser, or the password has changed.
async fn redeem(app: &App, visit: &Visit, ticket: &str) -> Result<Option<Candidate>, WebError> {
    let mut parts = ticket.splitn(4, '.');
    let account = parts.next().and_then(|_| ticket_account(ticket));
    let until = parts.next().and_then(|part| part.parse::<i64>().ok());
    let link = parts.next().map(|basis| basis.parse::<Uuid>().ok());
    let (Some(account), Some(until), Some(link), Some(given)) =
        (account, until, link, parts.next())
    else {
        return Ok(None);
    };
    let good = Timestamp::from_millisecond(until).is_ok_and(|until| visit.now < until);
    let (given, csrf) = (given.to_owned(), visit.csrf.clone());
    let found = app.store.read(move |q| {
        let found = session::candidate_of(q, account)?;
        let found = match link {
            Some(link) => found.map(|candidate| candidate.through(link)),
            None => found,
        };
        Ok::<_, Error>(found.filter(|candidate| {
            let mark = mark(q, candidate, until, &csrf);
            mark.as_bytes().ct_eq(given.as_bytes()).into()
        }))
    });
    Ok(found.await?.filter(|_| good))
}
