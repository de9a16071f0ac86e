//! Sessions for programs: the same log-in, rates and cookie as for people. A program sends the token
//! it is given in the header `X-CSRF-Token` with everything it posts.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::enter::{Entered, open_session};
use super::log_in::{with_secrets, with_session};
use super::session::{self, ASKS_CODE};
use crate::access::{Actor, Role, Rule};
use crate::refusal::Refusal;
use crate::store::Command;
use crate::web::{Answer, App, Posted, Problem, Route, Visit, WebError, get, post};

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/api/session", Rule::SignedIn, show),
        post("/api/session", Rule::Public, open),
        post("/api/session/end", Rule::SignedIn, end),
    ]
}

/// Log-in name, password, and the second factor where there is one.
#[derive(Deserialize, ToSchema)]
pub struct Credentials {
    /// The log-in name.
    #[schema(min_length = 1)]
    user: String,
    /// The password.
    #[schema(min_length = 1)]
    password: String,
    /// A code of the second factor, or a recovery code, for an account that has one.
    #[serde(default)]
    totp: String,
}

/// Who is logged in.
#[derive(Serialize, ToSchema)]
pub struct SessionView {
    /// The log-in name.
    user: String,
    /// The person's or unit's name.
    name: String,
    /// Codes of the roles held; none while a one-time password has to be changed, or a second factor
    /// set up, on the page.
    roles: Vec<&'static str>,
    /// Region code (GB/T 2260).
    region: String,
    /// The department of staff.
    department: Option<String>,
    /// The party an applicant acts for.
    party: Option<String>,
    /// For the header `X-CSRF-Token`.
    csrf: String,
}

impl SessionView {
    fn new(actor: &Actor, csrf: &str) -> Self {
        Self {
            user: actor.login.clone(),
            name: actor.name.clone(),
            roles: actor.roles.iter().map(Role::code).collect(),
            region: actor.region.to_string(),
            department: actor.department.map(|id| id.to_string()),
            party: actor.party.map(|id| id.to_string()),
            csrf: csrf.to_owned(),
        }
    }
}

/// Opens a session; its cookie comes with the answer.
#[utoipa::path(post, path = "/api/session", tag = "session", request_body = Credentials, responses(
    (status = 200, body = SessionView), (status = 422, body = Problem), (status = 429, body = Problem)))]
pub(crate) async fn open(
    State(app): State<App>,
    visit: Visit,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    // Another site cannot make a browser send this type without asking first.
    let kind = headers.get(CONTENT_TYPE).map(|kind| kind.as_bytes());
    if !kind.is_some_and(|kind| kind.starts_with(b"application/json")) || body.len() > 4_096 {
        let message = "请以 application/json 提交登录名和密码。";
        return Err(Refusal::forbidden("json", message).into());
    }
    let sent: Credentials = serde_json::from_slice(&body).map_err(|error| {
        Refusal::field(
            "json",
            "json",
            format!("请求内容不是要求的 JSON：{error}。"),
        )
    })?;
    let login = sent.user.trim().to_lowercase();
    let entered = open_session(&app, &visit, &login, &sent.password, sent.totp.trim()).await?;
    let Entered::Opened(opened) = entered else {
        let message = "密码正确。请在 totp 中再给出手机上的动态验证码或一个备用码。";
        return Err(Refusal::field("totp", ASKS_CODE, message).into());
    };
    let secrets = opened.secrets;
    let session = app.sessions.find(&app, &secrets.token, visit.now).await?;
    let session = session.ok_or_else(|| WebError::fault("the session just opened is gone"))?;
    let view = SessionView::new(&session.actor, &session.csrf);
    let response = Json(view).into_response();
    Ok(with_secrets(response, &secrets, visit.secure))
}

/// Says who is logged in.
#[utoipa::path(get, path = "/api/session", tag = "session", security(("session" = [])), responses(
    (status = 200, body = SessionView), (status = 401, body = Problem)))]
pub(crate) async fn show(visit: Visit) -> Answer {
    let view = SessionView::new(visit.actor()?, &visit.csrf);
    Ok(Json(view).into_response())
}

/// Ends the session.
#[utoipa::path(post, path = "/api/session/end", tag = "session", security(("session" = [])), params(
    ("X-CSRF-Token" = String, Header), ("Idempotency-Key" = String, Header)),
    responses((status = 204), (status = 403, body = Problem)))]
pub(crate) async fn end(State(app): State<App>, visit: Visit, _: Posted) -> Answer {
    if let Some(token) = visit.token.clone() {
        let command = Command::new("session.close", visit.now);
        app.store
            .write(command, move |tx| session::close(tx, &token))
            .await?;
    }
    let response = StatusCode::NO_CONTENT.into_response();
    Ok(with_session(response, "", Some(0), visit.secure))
}
