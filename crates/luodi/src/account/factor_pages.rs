//! The second factor in one's own account: binding an app, replacing it, recovery codes.
//!
//! It lacks the rules (`factor`). Recovery codes are shown once, on the page that answers the form
//! that made them.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;

use crate::access::Rule;
use crate::refusal::{Error, Refusal};
use crate::store::Command;
use crate::web::filters;
use crate::web::form::Errors;
use crate::web::{Answer, App, Crumb, Page, Posted, Route, Visit, WebError, get, post};

use super::desk::crumb;
use super::enter::{Budget, note_refused};
use super::factor::{self, Factor};
use super::log_in::with_secrets;
use super::owner::{self, Proof};
use super::session::{Secrets, Why};
use super::totp::{Picture, Secret, picture};

/// Where the second factor is kept.
pub(super) const PATH: &str = "/account/second-factor";

pub(super) fn routes() -> Vec<Route> {
    vec![
        get(PATH, Rule::SignedIn, show),
        post(PATH, Rule::SignedIn, change),
    ]
}

#[derive(Template)]
#[template(path = "account/factor.html")]
struct FactorPage {
    page: Page,
    crumbs: Vec<Crumb>,
    errors: Errors,
    active: Option<Factor>,
    recovery_left: u64,
    waiting: Option<Waiting>,
}

/// A secret that an app is about to take.
struct Waiting {
    base32: String,
    uri: String,
    picture: Option<Picture>,
}

impl Waiting {
    fn new(secret: &Secret, issuer: &str, login: &str) -> Self {
        let base32 = secret.base32();
        let groups: Vec<String> = base32
            .as_bytes()
            .chunks(4)
            .map(|group| String::from_utf8_lossy(group).into_owned())
            .collect();
        let uri = secret.uri(issuer, login);
        Self {
            base32: groups.join(" "),
            picture: picture(&uri),
            uri,
        }
    }
}

#[derive(Template)]
#[template(path = "account/recovery.html")]
struct RecoveryPage {
    page: Page,
    login: String,
    codes: Vec<String>,
    next: &'static str,
}

async fn show(State(app): State<App>, visit: Visit) -> Answer {
    page(&app, &visit, StatusCode::OK, Errors::default()).await
}

async fn page(app: &App, visit: &Visit, status: StatusCode, errors: Errors) -> Answer {
    let actor = visit.actor()?;
    let account = actor.account_id();
    let (active, recovery_left, pending) = app
        .store
        .read(move |q| {
            let active = factor::active(q, account)?;
            let left = match &active {
                Some(active) => factor::recovery_left(q, active.id)?,
                None => 0,
            };
            Ok::<_, Error>((active, left, factor::pending(q, account)?))
        })
        .await?;
    let issuer = format!("{}落地", app.site.city);
    let page = FactorPage {
        page: Page::new(app, visit, "动态验证码"),
        crumbs: vec![crumb("/account", "我的账号")],
        errors,
        active,
        recovery_left,
        waiting: pending.map(|factor| Waiting::new(&factor.secret, &issuer, &actor.login)),
    };
    visit.show_with(status, &page)
}

async fn change(State(app): State<App>, visit: Visit, posted: Posted) -> Answer {
    let account = visit.actor()?.account_id();
    let is_set = app.store.read(move |q| factor::is_set(q, account)).await?;
    if posted.get("action") == "begin" && !is_set {
        let done = bind_first(&app, &visit, &posted).await;
        return answered(&app, &visit, &posted, done).await;
    }
    // An open session must not serve for guessing codes faster than a log-in would.
    let budget = Budget::of_session(&app, &visit, &visit.actor()?.login)?;
    let done = match posted.get("action") {
        "begin" => begin(&app, &visit, &posted, None).await,
        "confirm" => confirm(&app, &visit, &posted).await,
        "renew_recovery" => renew(&app, &visit, &posted).await,
        _ => Err(Refusal::invalid("action", "没有这个操作，请刷新页面后再试。").into()),
    };
    if done.is_ok() {
        budget.forget(&app, &visit);
    }
    answered(&app, &visit, &posted, done).await
}

async fn answered(app: &App, visit: &Visit, posted: &Posted, done: Answer) -> Answer {
    match done {
        Ok(response) => Ok(response),
        Err(error) => {
            let errors = Errors::take(error, posted)?;
            page(app, visit, StatusCode::UNPROCESSABLE_ENTITY, errors).await
        }
    }
}

/// The first app is bound by whoever knows the password: a borrowed session binds none.
async fn bind_first(app: &App, visit: &Visit, posted: &Posted) -> Answer {
    let proof = owner::read(app, visit, posted).await?;
    begin(app, visit, posted, Some(proof)).await
}

async fn begin(app: &App, visit: &Visit, posted: &Posted, password: Option<Proof>) -> Answer {
    let (actor, proof) = (visit.actor()?.clone(), posted.get("totp").to_owned());
    let secret = Secret::fresh();
    let command = Command::new("account.begin_factor", visit.now).once(posted.key());
    let done = app.store.write_once(command, move |tx| {
        if let Some(password) = &password {
            owner::prove(tx, actor.account_id(), password)?;
        }
        factor::begin_factor(tx, &actor, &secret, &proof)
    });
    counted(app, visit, done.await.map(drop)).await?;
    Ok(visit.redirect(PATH, "请用手机上的验证器扫描二维码，再输入它显示的验证码。"))
}

async fn confirm(app: &App, visit: &Visit, posted: &Posted) -> Answer {
    let (actor, code) = (visit.actor()?.clone(), posted.get("totp").to_owned());
    let (codes, secrets) = (
        factor::recovery_codes(),
        Secrets::fresh(visit.device.as_deref()),
    );
    let (kept, going_on, token) = (codes.clone(), secrets.clone(), visit.token.clone());
    let command = Command::new("account.confirm_factor", visit.now).once(posted.key());
    let done = app.store.write_once(command, move |tx| {
        let session = token.as_deref().map(|token| (token, &going_on));
        factor::confirm_factor(tx, &actor, &code, &kept, session)
    });
    let done = counted(app, visit, done.await).await?;
    let mut visit = visit.clone();
    // Where the answer to a commit was lost, a replay is this very form's effect: what it made is
    // there, and shown. A form sent twice made other secrets the second time.
    let session = app.sessions.find(app, &secrets.token, visit.now).await?;
    let Some(session) = session else {
        if done.replayed {
            return Ok(visit.redirect(
                PATH,
                "动态验证码已绑定。备用码只显示一次，没有记下时请更换。",
            ));
        }
        return Err(WebError::fault("the session just rotated is gone"));
    };
    (visit.actor, visit.csrf) = (Some(session.actor), session.csrf);
    let response = show_recovery(app, &visit, codes)?;
    Ok(with_secrets(response, &secrets, visit.secure))
}

async fn renew(app: &App, visit: &Visit, posted: &Posted) -> Answer {
    let (actor, proof) = (visit.actor()?.clone(), posted.get("totp").to_owned());
    let codes = factor::recovery_codes();
    let kept = codes.clone();
    let command = Command::new("account.renew_recovery", visit.now).once(posted.key());
    let done = app.store.write_once(command, move |tx| {
        factor::renew_recovery(tx, &actor, &proof, &kept)
    });
    let done = counted(app, visit, done.await).await?;
    if done.replayed {
        return Ok(visit.redirect(PATH, "备用码已更换，只显示一次。没有记下时请再换一次。"));
    }
    show_recovery(app, visit, codes)
}

fn show_recovery(app: &App, visit: &Visit, codes: Vec<String>) -> Answer {
    let actor = visit.actor()?;
    let at_work = actor.is_staff();
    visit.show(&RecoveryPage {
        page: Page::new(app, visit, "备用码"),
        login: actor.login.clone(),
        codes,
        next: if at_work { "/work" } else { "/my" },
    })
}

/// A wrong code counts like a wrong log-in.
async fn counted<T>(app: &App, visit: &Visit, done: Result<T, Error>) -> Result<T, WebError> {
    if let Err(Error::Refused(refusal)) = &done
        && refusal.fields.iter().any(|field| field.field == "totp")
    {
        let account = visit.actor()?.account_id();
        note_refused(app, visit, account, Why::Code).await?;
    }
    Ok(done?)
}
