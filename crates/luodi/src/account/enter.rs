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
use crate::params;
use crate::refusal::{Error, Kind, Refusal};
use crate::store::{Command, IdempotencyKey, Query};
use crate::web::{App, Rate, Visit, WebError, counted};

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
    let (found, standing) = standing(app, visit, login).await?;
    let budget = match Budget::take(app, visit, login, &standing) {
        Ok(budget) => budget,
        Err(refusal) => {
            note_rate(app, visit, login, found.map(|candidate| candidate.account)).await?;
            return Err(refusal.into());
        }
    };
    let known = matches!(standing, Standing::Known(_));
    let candidate = match try_password(app, visit, login, (password, found, known)).await? {
        Some(candidate) => candidate,
        None => return Err(budget.wrong(app, visit).into()),
    };
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
    let (_, standing) = standing(app, visit, &candidate.login).await?;
    let budget = Budget::take(app, visit, &candidate.login, &standing)?;
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
    let (_, standing) = standing(app, visit, &candidate.login).await?;
    let budget = Budget::take(app, visit, &candidate.login, &standing)?;
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

/// How long an address stays one that an account logs in from.
const LOCAL: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Who tries, as far as it can be told before anything was tried.
enum Standing {
    /// A browser the account has logged in with, or one that is logged in: by its own secret.
    Known(String),
    /// The account logged in from this address not long ago.
    Local,
    /// Anybody.
    Stranger,
}

impl Standing {
    /// Who is logged in.
    fn of_session(visit: &Visit) -> Self {
        let token = visit.token.as_deref().unwrap_or_default();
        Self::Known(in_letters(&session::token_hash(token)))
    }
}

fn in_letters(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The account of a name, and how whoever tries stands to it.
async fn standing(
    app: &App,
    visit: &Visit,
    login: &str,
) -> Result<(Option<Candidate>, Standing), WebError> {
    let (login, device) = (login.to_owned(), visit.device.clone());
    let (address, since) = (counted(&visit.address), visit.now - LOCAL);
    let found = app.store.read(move |q| {
        let Some(candidate) = session::candidate(q, &login)? else {
            return Ok::<_, Error>((None, Standing::Stranger));
        };
        let standing = match device {
            Some(device) if session::is_known_device(q, candidate.account, &device)? => {
                Standing::Known(in_letters(&session::token_hash(&device)))
            }
            _ if is_local(q, candidate.account, &address, since)? => Standing::Local,
            _ => Standing::Stranger,
        };
        Ok((Some(candidate), standing))
    });
    Ok(found.await?)
}

fn is_local(
    q: &dyn Query,
    account: AccountId,
    address: &str,
    since: Timestamp,
) -> Result<bool, Error> {
    let sql = "SELECT last_login_from FROM account WHERE id = ?1 AND last_login_at > ?2";
    let from = q.row_opt(sql, params![account, since], |r| r.get::<Option<String>>(0))?;
    Ok(from.flatten().is_some_and(|from| counted(&from) == address))
}

/// A try taken from the budgets of an address, and of an account from that address. A browser the
/// account has logged in with has a budget of its own instead of both, so that nobody behind the
/// same address keeps its owner out.
pub(super) struct Budget {
    guesser: String,
    /// The address paid, too.
    paid: bool,
    /// The address had nothing left, and the account is one that logs in from there.
    spared: bool,
}

impl Budget {
    /// Takes a try.
    ///
    /// # Errors
    /// Refused where none is left.
    fn take(app: &App, visit: &Visit, login: &str, standing: &Standing) -> Result<Self, Refusal> {
        let (paid, spared, guesser) = match standing {
            Standing::Known(browser) => (false, false, app.attempts.pair(login, browser)),
            Standing::Local | Standing::Stranger => {
                let paid = app.attempts.admit(LOG_IN, &visit.address, visit.now);
                if !paid && matches!(standing, Standing::Stranger) {
                    return Err(address_rate(app, visit));
                }
                (paid, !paid, app.attempts.pair(login, &visit.address))
            }
        };
        // One address guesses one account's password; it does not shut out the owner elsewhere.
        if !app.attempts.admit(OF_ACCOUNT, &guesser, visit.now) {
            let wait = app.attempts.seconds_left(OF_ACCOUNT, &guesser, visit.now);
            if paid {
                app.attempts.give_back(LOG_IN, &visit.address, visit.now);
            }
            let message = format!(
                "这个账号从您这里连续输错了多次，现在每分钟只能再试一次。请 {wait} 秒后再试，或请人重置密码：企业和个人账号找登记窗口，工作人员找系统管理员。"
            );
            return Err(too_many("account-rate", message, wait));
        }
        Ok(Self {
            guesser,
            paid,
            spared,
        })
    }

    /// Takes a try of who is logged in: from his session's own budget.
    ///
    /// # Errors
    /// Refused where none is left.
    pub(super) fn of_session(app: &App, visit: &Visit, login: &str) -> Result<Self, Refusal> {
        Self::take(app, visit, login, &Standing::of_session(visit))
    }

    /// What a wrong password is told. Where the address has no tries left it is what everybody
    /// there is told: who guesses does not learn which names log in from there.
    fn wrong(&self, app: &App, visit: &Visit) -> Refusal {
        if self.spared {
            address_rate(app, visit)
        } else {
            session::wrong()
        }
    }

    fn give_back(self, app: &App, visit: &Visit) {
        app.attempts.give_back(OF_ACCOUNT, &self.guesser, visit.now);
        self.repay(app, visit);
    }

    /// Who tried has shown who he is.
    pub(super) fn forget(self, app: &App, visit: &Visit) {
        app.attempts.forget(OF_ACCOUNT, &self.guesser);
        self.repay(app, visit);
    }

    fn repay(self, app: &App, visit: &Visit) {
        if self.paid {
            app.attempts.give_back(LOG_IN, &visit.address, visit.now);
        }
    }
}

fn too_many(rule: &'static str, message: String, wait_seconds: u32) -> Refusal {
    Refusal {
        kind: Kind::TooMany,
        wait_seconds,
        ..Refusal::field("password", rule, message)
    }
}

fn address_rate(app: &App, visit: &Visit) -> Refusal {
    let left = app.attempts.seconds_left(LOG_IN, &visit.address, visit.now);
    let wait = left.max(1);
    let message = format!(
        "这个网络的登录尝试太多，请 {wait} 秒后再试，或改用您以前登录过的浏览器，那里不受影响。"
    );
    too_many("address-rate", message, wait)
}

/// Notes that tries were refused unlooked at, once a minute for an address.
async fn note_rate(
    app: &App,
    visit: &Visit,
    login: &str,
    account: Option<AccountId>,
) -> Result<(), WebError> {
    let what = format!("log-in rate {}", counted(&visit.address));
    let minute = SignedDuration::from_mins(1);
    if !app.attempts.is_first(&what, visit.now, minute) {
        return Ok(());
    }
    match account {
        Some(account) => note_refused(app, visit, account, Why::Rate).await,
        None => note_stranger(app, visit, Why::Rate, login).await,
    }
}

async fn note_stranger(app: &App, visit: &Visit, why: Why, name: &str) -> Result<(), WebError> {
    let (name, address) = (name.to_owned(), visit.address.clone());
    let command = Command::new("session.refuse", visit.now);
    let noted = app.store.write(command, move |tx| {
        session::refuse_stranger(tx, why, &name, &address);
        Ok::<_, Error>(())
    });
    Ok(noted.await?)
}

/// Tries the password; takes as long for an unknown log-in name as for a known. None where it is
/// wrong.
async fn try_password(
    app: &App,
    visit: &Visit,
    login: &str,
    (password, found, known): (&str, Option<Candidate>, bool),
) -> Result<Option<Candidate>, WebError> {
    let hash = found
        .as_ref()
        .map_or(password::NOBODY, |candidate| &candidate.password_hash);
    let typed: String = password.chars().take(password::LONGEST_BYTES).collect();
    let fits = if known {
        password::fits_in_turn(typed, hash.to_owned()).await?
    } else {
        password::fits_for_stranger(typed, hash.to_owned(), &visit.address).await?
    };
    match found {
        None => {
            note_stranger(app, visit, Why::NoAccount, login).await?;
            Ok(None)
        }
        Some(candidate) if !fits => {
            note_refused(app, visit, candidate.account, Why::Password).await?;
            Ok(None)
        }
        found => Ok(found),
    }
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
