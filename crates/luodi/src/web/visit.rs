//! The visitor of one request: who it is, when it is, in what language, what was said last time.

use std::future::Future;
use std::pin::Pin;

use axum::extract::{FromRequestParts, Request};
use axum::http::header::{COOKIE, HeaderName, LOCATION, SET_COOKIE, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jiff::civil::Date;

use super::proxy::Peer;
use super::{App, Flash, Lang, WebError};
use crate::access::Actor;
use crate::refusal::Refusal;

/// A session as the shell needs it.
#[derive(Clone, Debug)]
pub struct Session {
    /// Who is logged in.
    pub actor: Actor,
    /// The token every form of this session carries.
    pub csrf: String,
    /// What keeps its account from its roles.
    pub bar: Option<Bar>,
}

/// What keeps an account from roles it was granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bar {
    /// Its password is a one-time one.
    OneTime,
    /// Its password is older than it may be.
    Outdated,
    /// Its roles need a second factor, and it has none.
    Factor,
    /// Roles that need a second factor rest until the security administrator confirms them.
    Rest,
}

impl Bar {
    /// What to do about it.
    pub(super) fn refusal(self) -> Refusal {
        let (code, message, see) = match self {
            Self::OneTime => (
                "own-password-first",
                "您用的是一次性密码。请先在「我的账号」设置自己的密码，再办理其他事项。",
                "/account",
            ),
            Self::Outdated => (
                "new-password-first",
                "您的密码已到更换期限。请先在「我的账号」设置新密码，再办理其他事项。",
                "/account",
            ),
            Self::Factor => (
                "own-factor-first",
                "您的角色须用动态验证码登录。请先绑定动态验证码，再办理其他事项。",
                "/account/second-factor",
            ),
            Self::Rest => (
                "roles-rest",
                "您的动态验证码被解除过，审批、财政等角色暂停使用。请联系安全管理员，核实本人后恢复。",
                "/account",
            ),
        };
        Refusal {
            see: see.to_owned(),
            ..Refusal::forbidden(code, message)
        }
    }
}

/// How a session's secret becomes a session; the account domain answers.
pub trait SessionLookup: Send + Sync {
    /// The session of this cookie value, if it is alive.
    fn find<'a>(
        &'a self,
        app: &'a App,
        token: &'a str,
        now: Timestamp,
    ) -> Pin<Box<dyn Future<Output = Result<Option<Session>, WebError>> + Send + 'a>>;
}

/// Everything a handler may know about its visitor.
#[derive(Clone, Debug)]
pub struct Visit {
    /// Who is logged in, if anybody.
    pub actor: Option<Actor>,
    /// The session's CSRF token; for strangers one bound to a cookie of their own.
    pub csrf: String,
    /// What keeps the account from its roles, if anything.
    pub bar: Option<Bar>,
    /// The one reading of the clock.
    pub now: Timestamp,
    /// The language of public pages.
    pub lang: Lang,
    /// The path asked for, with its query.
    pub path: String,
    /// The visitor's address: where the connection came from, or what a trusted proxy says.
    pub address: String,
    /// What the previous page left to say.
    pub flash: Vec<Flash>,
    /// The session's secret, for logging out.
    pub token: Option<String>,
    /// The secret by which the browser is known again after it logged in once.
    pub device: Option<String>,
    /// What the browser calls itself, cut to a line.
    pub agent: String,
    /// Cookies of this visit are Secure and the session's has the `__Host-` prefix.
    pub secure: bool,
    set_stranger: Option<String>,
}

impl Visit {
    pub(super) async fn open(app: &App, request: Request) -> Result<(Self, Request), WebError> {
        let now = app.clock.now();
        let headers = request.headers();
        let peer = request.extensions().get::<Peer>();
        let secure = app.site.secure || peer.is_some_and(|peer| peer.https);
        let token = cookie(headers, session_cookie(secure));
        let session = match &token {
            Some(token) => app.sessions.find(app, token, now).await?,
            None => None,
        };
        let stranger = cookie(headers, STRANGER).filter(|token| token.len() == 43);
        let set_stranger = (session.is_none() && stranger.is_none()).then(crate::store::secret);
        let csrf = match (&session, &stranger, &set_stranger) {
            (Some(session), ..) => session.csrf.clone(),
            (None, Some(token), _) | (None, None, Some(token)) => token.clone(),
            (None, None, None) => String::new(),
        };
        let device = cookie(headers, DEVICE).filter(|token| token.len() == 43);
        let agent = headers.get(USER_AGENT).and_then(|name| name.to_str().ok());
        let agent = agent.map_or_else(String::new, |name| name.chars().take(200).collect());
        let path = request
            .uri()
            .path_and_query()
            .map_or_else(|| "/".to_owned(), |path| path.as_str().to_owned());
        let visit = Self {
            bar: session.as_ref().and_then(|session| session.bar),
            actor: session.map(|session| session.actor),
            csrf,
            now,
            lang: Lang::of(headers, request.uri().query()),
            address: peer.map_or_else(String::new, |peer| peer.address.clone()),
            flash: cookie(headers, FLASH).map_or_else(Vec::new, |text| read_flash(&text)),
            path,
            token,
            device,
            agent,
            set_stranger,
            secure,
        };
        Ok((visit, request))
    }

    /// The same visit at the time of now: a session may have ended since, or its account changed.
    pub(super) async fn again(self, app: &App) -> Result<Self, WebError> {
        let now = app.clock.now();
        let Some(token) = self.token.as_deref().filter(|_| self.actor.is_some()) else {
            return Ok(Self { now, ..self });
        };
        let session = app.sessions.find(app, token, now).await?;
        let bar = session.as_ref().and_then(|session| session.bar);
        let actor = session.map(|session| session.actor);
        Ok(Self {
            now,
            actor,
            bar,
            ..self
        })
    }

    /// The logged-in actor; a stranger is refused.
    pub fn actor(&self) -> Result<&Actor, WebError> {
        self.actor.as_ref().ok_or_else(WebError::forbidden)
    }

    /// Today's civil date in Asia/Shanghai.
    pub fn today(&self) -> Date {
        crate::store::day_in_china(self.now)
    }

    /// The path without its query.
    pub fn path_only(&self) -> &str {
        self.path.split('?').next().unwrap_or("/")
    }

    /// Goes to `location` (a path of this site), saying `text` there.
    pub fn redirect(&self, location: &str, text: &str) -> Response {
        let flash = if text.is_empty() {
            String::new()
        } else {
            flash_cookie(text, self.secure)
        };
        let mut response = redirect_to(location);
        if let (false, Ok(value)) = (flash.is_empty(), HeaderValue::from_str(&flash)) {
            response.headers_mut().append(SET_COOKIE, value);
        }
        response
    }

    pub(super) fn to_log_in(&self) -> Response {
        let next = percent(&self.path);
        redirect_to(&format!("/login?next={next}"))
    }

    /// Cookies that any answer to this visit carries.
    pub(super) fn finish(&self, mut response: Response) -> Response {
        let secure = if self.secure { "; Secure" } else { "" };
        let mut cookies = Vec::new();
        if let Some(token) = &self.set_stranger {
            cookies.push(format!(
                "{STRANGER}={token}; Path=/; HttpOnly; SameSite=Lax{secure}"
            ));
        }
        if !self.flash.is_empty() && !response.status().is_redirection() {
            cookies.push(format!(
                "{FLASH}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax{secure}"
            ));
        }
        if let Some(lang) = self.lang.to_set() {
            cookies.push(format!(
                "lang={lang}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax{secure}"
            ));
        }
        for cookie in cookies {
            if let Ok(value) = HeaderValue::from_str(&cookie) {
                response.headers_mut().append(SET_COOKIE, value);
            }
        }
        response
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Visit {
    type Rejection = WebError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, WebError> {
        let visit = parts.extensions.get::<Visit>().cloned();
        visit.ok_or_else(|| Refusal::forbidden("no-rule", "这个地址没有登记权限规则。").into())
    }
}

const STRANGER: &str = "luodi_visitor";
const FLASH: &str = "luodi_flash";
const DEVICE: &str = "luodi_device";

/// Sends the secret by which a browser is known again, for half a year.
pub fn known_again(answer: &mut Response, device: &str, secure: bool) {
    let secure = if secure { "; Secure" } else { "" };
    let cookie =
        format!("{DEVICE}={device}; Path=/; Max-Age=15552000; HttpOnly; SameSite=Lax{secure}");
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        answer.headers_mut().append(SET_COOKIE, value);
    }
}

/// The name of the session's cookie.
pub fn session_cookie(secure: bool) -> &'static str {
    if secure { "__Host-luodi" } else { "luodi" }
}

/// The value of a cookie; none where it is empty.
pub fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .find_map(|line| {
            line.split(';').find_map(|pair| {
                let (key, value) = pair.trim().split_once('=')?;
                (key == name && !value.is_empty()).then(|| value.to_owned())
            })
        })
}

fn flash_cookie(text: &str, secure: bool) -> String {
    let secure = if secure { "; Secure" } else { "" };
    let value = URL_SAFE_NO_PAD.encode(text.chars().take(400).collect::<String>());
    format!("{FLASH}={value}; Path=/; Max-Age=60; HttpOnly; SameSite=Lax{secure}")
}

fn read_flash(value: &str) -> Vec<Flash> {
    let text = URL_SAFE_NO_PAD
        .decode(value)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok());
    text.into_iter()
        .map(|text| Flash {
            kind: "success",
            text,
        })
        .collect()
}

fn redirect_to(location: &str) -> Response {
    let location = if is_local(location) { location } else { "/" };
    match HeaderValue::from_str(location) {
        Ok(value) => (StatusCode::SEE_OTHER, [(LOCATION, value)]).into_response(),
        Err(_) => (StatusCode::SEE_OTHER, [(LOCATION, "/")]).into_response(),
    }
}

/// An answer disappears from search engines' view; the record behind it stays.
pub fn hide_from_search(answer: &mut Response) {
    let name = HeaderName::from_static("x-robots-tag");
    let value = HeaderValue::from_static("noindex, noarchive");
    answer.headers_mut().insert(name, value);
}

/// Whether an address is a path of this site and nothing a browser would read as another one:
/// browsers drop tabs and read backslashes as slashes.
pub fn is_local(address: &str) -> bool {
    address.starts_with('/')
        && !address.starts_with("//")
        && !address.contains('\\')
        && address.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Percent-encodes everything that is not unreserved.
pub fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
