//! The doors: log-in, log-out, and taking up again a form that an expired session interrupted.
//!
//! It lacks what a session is (`session`) and the mending of a lost password, which an administrator
//! does.

use askama::Template;
use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::access::{Role, Rule};
use crate::ids::AccountId;
use crate::refusal::{Error, Kind, Refusal};
use crate::router;
use crate::store::Command;
use crate::web::form::Errors;
use crate::web::{
    Answer, App, Page, Posted, Rate, Route, Visit, WebError, get, post, session_cookie,
};
use crate::web::{filters, is_local};

use super::password;
use super::queries::{DemoAccount, demo_accounts};
use super::session::{self, Candidate, Secrets, Why};

/// Wrong log-ins of one address: an office of hundreds sits behind one, and right ones are free.
const LOG_IN: Rate = Rate {
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

/// Fields of an interrupted form travel through log-in under this prefix.
const RESUME: &str = "resume.";

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/login", Rule::Public, ask),
        post("/login", Rule::Public, enter),
        post("/logout", Rule::Public, leave),
    ]
}

#[derive(Template)]
#[template(path = "account/login.html")]
struct LogInPage {
    page: Page,
    errors: Errors,
    typed: LogIn,
    groups: Vec<DemoGroup>,
}

/// The accounts of one region and department, as the demonstration lists them.
struct DemoGroup {
    title: String,
    /// What its accounts are, each role once.
    roles: Vec<String>,
    accounts: Vec<DemoRow>,
}

struct DemoRow {
    account: DemoAccount,
    roles: String,
    role_names: String,
    tries: String,
}

#[derive(Template)]
#[template(path = "account/resume.html")]
struct ResumePage {
    page: Page,
    path: String,
    fields: Vec<(String, String)>,
}

/// The log-in form as posted.
#[derive(Clone, Debug, Default)]
struct LogIn {
    login: String,
    password: String,
    next: String,
    resume_path: String,
    resume: Vec<(String, String)>,
}

impl LogIn {
    fn read(posted: &Posted) -> Self {
        let resume = posted.fields().iter().filter_map(|(name, value)| {
            name.strip_prefix(RESUME)
                .map(|name| (name.to_owned(), value.clone()))
        });
        Self {
            login: posted.get("login").to_lowercase(),
            // Not trimmed: a blank may be meant.
            password: posted
                .all("password")
                .first()
                .map_or_else(String::new, |p| (*p).to_owned()),
            next: local(posted.get("next")),
            resume_path: posted.get("resume_path").to_owned(),
            resume: resume.collect(),
        }
    }
}

/// A path of this site, or nothing.
fn local(next: &str) -> String {
    if is_local(next) && !is_door(next) {
        next.to_owned()
    } else {
        String::new()
    }
}

/// Log-in and log-out themselves lead nowhere.
fn is_door(path: &str) -> bool {
    matches!(path.split('?').next(), Some("/login" | "/logout"))
}

async fn ask(State(app): State<App>, visit: Visit) -> Answer {
    let query = visit.path.split_once('?').map_or("", |(_, query)| query);
    let mut form = LogIn::default();
    for (name, value) in form_urlencoded::parse(query.as_bytes()).take(20) {
        if name == "next" {
            form.next = local(&value);
        }
    }
    show(&app, &visit, StatusCode::OK, form, Errors::default()).await
}

async fn show(app: &App, visit: &Visit, status: StatusCode, form: LogIn, errors: Errors) -> Answer {
    let page = Page::new(app, visit, visit.lang.text("login.title"));
    let errors = errors.told(visit.lang);
    let groups = if app.site.demo {
        let accounts = app.store.read(|q| demo_accounts(q)).await?;
        group(accounts, &page)
    } else {
        Vec::new()
    };
    visit.show_with(
        status,
        &LogInPage {
            page,
            errors,
            typed: form,
            groups,
        },
    )
}

/// Groups accounts, which come sorted, by region and department.
fn group(accounts: Vec<DemoAccount>, page: &Page) -> Vec<DemoGroup> {
    let mut groups: Vec<DemoGroup> = Vec::new();
    for account in accounts {
        let region = page.region(&account.region);
        let title = match (account.party, account.department.as_str()) {
            (Some(_), _) => format!("{region} · {}", page.t("login.demo.parties")),
            (None, "") => format!("{region} · {}", page.t("login.demo.no_department")),
            (None, department) => format!("{region} · {department}"),
        };
        let codes: Vec<&str> = account.roles.iter().map(Role::code).collect();
        let names: Vec<String> = codes
            .iter()
            .map(|code| page.t(&format!("role.{code}")))
            .collect();
        let tries: Vec<String> = codes
            .iter()
            .map(|code| page.t(&format!("login.demo.try.{code}")))
            .collect();
        let row = DemoRow {
            roles: codes.join(" "),
            role_names: names.join(if page.english() { ", " } else { "、" }),
            tries: tries.join(" "),
            account,
        };
        match groups.iter_mut().find(|group| group.title == title) {
            Some(group) => {
                if !group.roles.contains(&row.role_names) {
                    group.roles.push(row.role_names.clone());
                }
                group.accounts.push(row);
            }
            None => groups.push(DemoGroup {
                title,
                roles: vec![row.role_names.clone()],
                accounts: vec![row],
            }),
        }
    }
    groups
}

async fn enter(State(app): State<App>, visit: Visit, posted: Posted) -> Answer {
    let form = LogIn::read(&posted);
    match open_session(&app, &visit, &form.login, &form.password).await {
        Ok((candidate, secrets)) => entered(&app, &visit, form, &candidate, &secrets).await,
        Err(error) => {
            let refusal = error.into_refusal()?;
            let status = match refusal.kind {
                Kind::TooMany => StatusCode::TOO_MANY_REQUESTS,
                _ => StatusCode::UNPROCESSABLE_ENTITY,
            };
            show(&app, &visit, status, form, Errors::from(&refusal)).await
        }
    }
}

/// Opens a session for a log-in name and its password, as often as the rates allow.
///
/// # Errors
/// Refused where the rate is used up or the password is wrong.
pub(super) async fn open_session(
    app: &App,
    visit: &Visit,
    login: &str,
    password: &str,
) -> Result<(Candidate, Secrets), WebError> {
    let too_many = |rule: &'static str, message: &str| Refusal {
        kind: Kind::TooMany,
        ..Refusal::field("password", rule, message)
    };
    if !app.attempts.admit(LOG_IN, &visit.address, visit.now) {
        let message = "这个网络的登录尝试太多，请过一分钟再试。";
        return Err(too_many("address-rate", message).into());
    }
    // One address guesses one account's password; it does not shut out the owner elsewhere.
    let guesser = app.attempts.pair(login, &visit.address);
    if !app.attempts.admit(OF_ACCOUNT, &guesser, visit.now) {
        let message = "这个账号从您这里连续输错了多次密码，现在每分钟只能再试一次。请稍等，或联系系统管理员重置密码。";
        return Err(too_many("account-rate", message).into());
    }
    let opened = try_password(app, visit, login, password).await?;
    app.attempts.give_back(LOG_IN, &visit.address, visit.now);
    app.attempts.forget(OF_ACCOUNT, &guesser);
    Ok(opened)
}

/// Tries the password and opens a session; takes as long for an unknown log-in name as for a known.
async fn try_password(
    app: &App,
    visit: &Visit,
    login: &str,
    password: &str,
) -> Result<(Candidate, Secrets), WebError> {
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
    let account = candidate.account;
    if !fits {
        note_refused(app, visit, account, Why::Password).await?;
        return Err(session::wrong().into());
    }
    let secrets = Secrets::fresh();
    let (opened, hash, previous) = (
        secrets.clone(),
        candidate.password_hash.clone(),
        visit.token.clone(),
    );
    let address = visit.address.clone();
    let entered = app
        .store
        .write(Command::new("session.open", visit.now), move |tx| {
            session::open(tx, account, &hash, &opened, previous.as_deref(), &address)
        })
        .await;
    if let Err(Error::Refused(_)) = &entered {
        note_refused(app, visit, account, Why::Shut).await?;
    }
    entered?;
    Ok((candidate, secrets))
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

/// Where a fresh session begins: the interrupted form, the first own password, the page asked for,
/// or home.
async fn entered(
    app: &App,
    visit: &Visit,
    form: LogIn,
    candidate: &Candidate,
    secrets: &Secrets,
) -> Answer {
    let response = if candidate.one_time {
        visit.redirect("/account", "请先设置自己的密码，再办理其他事项。")
    } else if router::takes_form(&form.resume_path) && !is_door(&form.resume_path) {
        resume(app, visit, form, secrets).await?
    } else if !form.next.is_empty() {
        visit.redirect(&form.next, "")
    } else {
        visit.redirect(
            if candidate.acts_for_party {
                "/my"
            } else {
                "/work"
            },
            "",
        )
    };
    Ok(with_session(response, &secrets.token, None, visit.secure))
}

/// Shows what was typed before the session ended, ready to be sent with the new session's token.
async fn resume(app: &App, visit: &Visit, form: LogIn, secrets: &Secrets) -> Answer {
    let session = app.sessions.find(app, &secrets.token, visit.now).await?;
    let session = session.ok_or_else(|| WebError::fault("the session just opened is gone"))?;
    let mut visit = visit.clone();
    visit.actor = Some(session.actor);
    visit.csrf = session.csrf;
    let page = Page::new(app, &visit, visit.lang.text("resume.title"));
    visit.show(&ResumePage {
        page,
        path: form.resume_path,
        fields: form.resume,
    })
}

async fn leave(State(app): State<App>, visit: Visit, posted: Result<Posted, WebError>) -> Answer {
    if visit.actor.is_some() {
        posted?;
    }
    if let Some(token) = visit.token.clone() {
        app.store
            .write(Command::new("session.close", visit.now), move |tx| {
                session::close(tx, &token)
            })
            .await?;
    }
    let response = visit.redirect("/", &visit.lang.text("logout.done"));
    Ok(with_session(response, "", Some(0), visit.secure))
}

/// The session's cookie: out of reach of scripts, not sent by forms of other sites.
pub(super) fn with_session(
    mut response: Response,
    token: &str,
    max_age_seconds: Option<u32>,
    secure: bool,
) -> Response {
    let name = session_cookie(secure);
    let age = max_age_seconds.map_or_else(String::new, |age| format!("; Max-Age={age}"));
    let secure = if secure { "; Secure" } else { "" };
    let cookie = format!("{name}={token}; Path=/; HttpOnly; SameSite=Lax{age}{secure}");
    match HeaderValue::from_str(&cookie) {
        Ok(value) => {
            response.headers_mut().append(SET_COOKIE, value);
            response
        }
        Err(error) => WebError::fault(error).into_response(),
    }
}
