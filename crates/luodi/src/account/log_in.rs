//! The doors: log-in, log-out, and taking up again a form that an expired session interrupted.
//!
//! It lacks what a session is (`session`) and the mending of a lost password, which an administrator
//! does.

use askama::Template;
use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;

use crate::access::{Role, Rule};
use crate::refusal::{Kind, Refusal};
use crate::router;
use crate::store::Command;
use crate::web::form::Errors;
use crate::web::{
    Answer, App, Page, Posted, Route, Visit, WebError, come_again, get, known_again, post,
    session_cookie,
};
use crate::web::{filters, is_local};

use super::enter::{
    Entered, Opened, is_through_provider, open_session, open_with_code, ticket, ticket_account,
};
use super::queries::{DemoAccount, DemoCode, demo_accounts, demo_code};
use super::session::{self, Before, Secrets};

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
    /// What people call the identity provider, where they may log in there. What was typed before
    /// the session ended does not travel that way.
    provider: Option<String>,
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
    code: Option<DemoCode>,
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
pub(super) struct LogIn {
    login: String,
    password: String,
    /// A code of the second factor.
    code: String,
    /// That the password was right, on the page that asks for the code.
    ticket: String,
    next: String,
    resume_path: String,
    resume: Vec<(String, String)>,
}

impl LogIn {
    /// One that goes on to a path of this site; empty for home.
    pub(super) fn to(next: &str) -> Self {
        Self {
            next: local(next),
            ..Self::default()
        }
    }

    /// The same on the page that asks for the code.
    pub(super) fn with_ticket(self, ticket: String) -> Self {
        Self { ticket, ..self }
    }

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
            code: posted.get("totp").to_owned(),
            ticket: posted.get("ticket").to_owned(),
            next: local(posted.get("next")),
            resume_path: posted.get("resume_path").to_owned(),
            resume: resume.collect(),
        }
    }
}

/// A path of this site, or nothing.
pub(super) fn local(next: &str) -> String {
    if is_local(next) && !is_door(next) {
        next.to_owned()
    } else {
        String::new()
    }
}

/// Log-in and log-out themselves lead nowhere.
fn is_door(path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    matches!(path, "/login" | "/logout") || path.starts_with("/login/provider")
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
        group(accounts, &page, visit.now)
    } else {
        Vec::new()
    };
    let provider = app.provider.as_ref().filter(|_| form.resume.is_empty());
    visit.show_with(
        status,
        &LogInPage {
            provider: provider.map(|provider| provider.name().to_owned()),
            page,
            errors,
            typed: form,
            groups,
        },
    )
}

/// Groups accounts, which come sorted, by region and department.
fn group(accounts: Vec<DemoAccount>, page: &Page, now: Timestamp) -> Vec<DemoGroup> {
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
            code: account.code(now),
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
    if !form.ticket.is_empty() {
        return enter_with_code(&app, &visit, form).await;
    }
    match open_session(&app, &visit, &form.login, &form.password, &form.code).await {
        Ok(Entered::Opened(opened)) => entered(&app, &visit, form, &opened).await,
        Ok(Entered::AsksCode(candidate)) => {
            let ticket = ticket(&app, &visit, &candidate).await?;
            let form = LogIn { ticket, ..form };
            ask_code(&app, &visit, StatusCode::OK, form, Errors::default()).await
        }
        Err(error) => {
            let refusal = error.into_refusal()?;
            let page = show(&app, &visit, status(&refusal), form, Errors::from(&refusal));
            Ok(come_again(page.await?, refusal.wait_seconds))
        }
    }
}

fn status(refusal: &Refusal) -> StatusCode {
    match refusal.kind {
        Kind::TooMany => StatusCode::TOO_MANY_REQUESTS,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

async fn enter_with_code(app: &App, visit: &Visit, form: LogIn) -> Answer {
    match open_with_code(app, visit, &form.ticket, &form.code).await {
        Ok(opened) => entered(app, visit, form, &opened).await,
        Err(error) => {
            let refusal = error.into_refusal()?;
            let (status, errors) = (status(&refusal), Errors::from(&refusal));
            if refusal.fields.iter().any(|field| field.rule == "ticket") {
                return show(app, visit, status, form, errors).await;
            }
            let page = ask_code(app, visit, status, form, errors).await?;
            Ok(come_again(page, refusal.wait_seconds))
        }
    }
}

#[derive(Template)]
#[template(path = "account/second_step.html")]
struct SecondStepPage {
    page: Page,
    errors: Errors,
    typed: LogIn,
    /// What the telephone of a demonstration's account would show.
    demo: Option<DemoCode>,
    /// The identity provider has named who it is; else the password was right.
    through_provider: bool,
}

/// The page that asks for the code after the password.
pub(super) async fn ask_code(
    app: &App,
    visit: &Visit,
    status: StatusCode,
    form: LogIn,
    errors: Errors,
) -> Answer {
    let demo = match (app.site.demo, ticket_account(&form.ticket)) {
        (true, Some(account)) => {
            let now = visit.now;
            app.store.read(move |q| demo_code(q, account, now)).await?
        }
        _ => None,
    };
    let page = SecondStepPage {
        page: Page::new(app, visit, visit.lang.text("login.second.title")),
        errors: errors.told(visit.lang),
        through_provider: is_through_provider(&form.ticket),
        typed: form,
        demo,
    };
    visit.show_with(status, &page)
}

/// Where a fresh session begins: the interrupted form, the first own password, the page asked for,
/// or home.
pub(super) async fn entered(app: &App, visit: &Visit, form: LogIn, opened: &Opened) -> Answer {
    let (candidate, secrets) = (&opened.candidate, &opened.secrets);
    let home = if candidate.acts_for_party {
        "/my"
    } else {
        "/work"
    };
    let response = if candidate.one_time {
        visit.redirect("/account", "请先设置自己的密码，再办理其他事项。")
    } else if session::is_outdated(candidate.set_at, session::password_limit(app, visit.now)) {
        visit.redirect(
            "/account",
            "您的密码已到更换期限。请先设置新密码，再办理其他事项。",
        )
    } else if candidate.lacks_factor {
        visit.redirect(
            super::factor_pages::PATH,
            "您的角色须用动态验证码登录。请先绑定，再办理其他事项。",
        )
    } else if candidate.roles_rest {
        visit.redirect(
            "/account",
            "您的动态验证码被解除过，审批、财政等角色暂停使用。请联系安全管理员核实本人后恢复。",
        )
    } else if router::takes_form(&form.resume_path) && !is_door(&form.resume_path) {
        resume(app, visit, form, secrets).await?
    } else {
        let to = if form.next.is_empty() {
            home
        } else {
            &form.next
        };
        visit.redirect(to, &last_time(&Page::new(app, visit, ""), &opened.before))
    };
    Ok(with_secrets(response, secrets, visit.secure))
}

/// When and from where the account logged in before, and how often somebody failed to since.
fn last_time(page: &Page, before: &Before) -> String {
    let Some(at) = &before.at else {
        return String::new();
    };
    let from = before.address.clone().unwrap_or_else(|| "—".to_owned());
    let mut text = page
        .t("login.last")
        .replace("{time}", &page.time(at))
        .replace("{from}", &from);
    if before.failed > 0 {
        let failed = page.t("login.last.failed");
        text.push_str(&failed.replace("{n}", &before.failed.to_string()));
    }
    text
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

/// The cookies of a session that begins or goes on under other secrets.
pub(super) fn with_secrets(response: Response, secrets: &Secrets, secure: bool) -> Response {
    let mut response = with_session(response, &secrets.token, None, secure);
    known_again(&mut response, &secrets.device, secure);
    response
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
