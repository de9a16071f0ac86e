//! A way to the identity provider and back: what the browser keeps meanwhile, in a cookie that this
//! program alone can make, for one browser, ten minutes and one return.
//!
//! The cookie holds one random secret; `state`, `nonce` and the verifier of PKCE are keyed hashes of
//! it, so that none of them tells another. It lacks where the browser goes (`oidc`) and what comes of
//! it (`provider`). That it is used once is known here to one server; that its effect comes once,
//! the store sees to by its idempotency key.

use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::oidc::Secrets;
use crate::store::IdempotencyKey;
use crate::web::{App, Visit, cookie};

/// How long somebody may take at the provider.
const GOOD: SignedDuration = SignedDuration::from_mins(10);
const COOKIE: &str = "luodi_provider";
/// The longest way to go on after log-in; a longer one leads home.
const LONGEST_NEXT: usize = 1_500;

/// What somebody goes to the provider for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Aim {
    /// To log in, and go on to this path of the site; empty for home.
    LogIn(String),
    /// To link the account he is logged in with.
    Link,
}

impl Aim {
    fn text(&self) -> String {
        match self {
            Self::LogIn(next) => format!("in-{}", URL_SAFE_NO_PAD.encode(next)),
            Self::Link => "link".to_owned(),
        }
    }

    fn read(text: &str) -> Option<Self> {
        if text == "link" {
            return Some(Self::Link);
        }
        let next = URL_SAFE_NO_PAD.decode(text.strip_prefix("in-")?).ok()?;
        Some(Self::LogIn(String::from_utf8(next).ok()?))
    }
}

/// Somebody who is back.
#[derive(Clone, Debug)]
pub(super) struct Errand {
    pub(super) aim: Aim,
    pub(super) secrets: Secrets,
}

impl Errand {
    /// Under which its effect is remembered.
    pub(super) fn key(&self) -> IdempotencyKey {
        IdempotencyKey {
            key: self.secrets.state.clone(),
            scope: "provider".to_owned(),
            digest: Sha256::digest(self.secrets.state.as_bytes()).into(),
        }
    }
}

fn secrets(app: &App, secret: &str) -> Secrets {
    let of = |class: &str| URL_SAFE_NO_PAD.encode(app.store.keys().hash(class, secret));
    Secrets {
        state: of("provider state"),
        nonce: of("provider nonce"),
        verifier: of("provider verifier"),
    }
}

/// Binds the cookie to time, aim, browser and who is logged in.
fn mark(app: &App, visit: &Visit, body: &str) -> String {
    let who = visit.actor.as_ref().map(|actor| actor.account_id());
    let who = who.map_or_else(|| "nobody".to_owned(), |account| account.to_string());
    let text = format!("{body} {who} {}", visit.csrf);
    URL_SAFE_NO_PAD.encode(app.store.keys().hash("provider errand", &text))
}

/// Begins an errand: gives the secrets for the way, and the cookie's value.
pub(super) fn begin(app: &App, visit: &Visit, aim: &Aim) -> (Secrets, String) {
    let aim = match aim {
        Aim::LogIn(next) if next.len() > LONGEST_NEXT => &Aim::LogIn(String::new()),
        aim => aim,
    };
    let secret = crate::store::secret();
    let until = (visit.now + GOOD).as_millisecond();
    let body = format!("{secret}.{until}.{}", aim.text());
    let mark = mark(app, visit, &body);
    (secrets(app, &secret), format!("{body}.{mark}"))
}

/// The errand of a browser that comes back with this state; none where it is too old, of another
/// browser, forged, or was used before.
pub(super) fn take(app: &App, visit: &Visit, headers: &HeaderMap, state: &str) -> Option<Errand> {
    let cookie = cookie(headers, COOKIE)?;
    let (body, given) = cookie.rsplit_once('.')?;
    let same = |a: &str, b: &str| bool::from(a.as_bytes().ct_eq(b.as_bytes()));
    if !same(&mark(app, visit, body), given) {
        return None;
    }
    let mut parts = body.splitn(3, '.');
    let (secret, until, aim) = (parts.next()?, parts.next()?, parts.next()?);
    let until = Timestamp::from_millisecond(until.parse().ok()?).ok()?;
    let errand = Errand {
        aim: Aim::read(aim)?,
        secrets: secrets(app, secret),
    };
    let fits = visit.now < until && same(&errand.secrets.state, state);
    let once = || {
        let what = format!("provider {state}");
        app.attempts.is_first(&what, visit.now, GOOD)
    };
    (fits && once()).then_some(errand)
}

/// Sets the cookie; an empty value takes it away.
pub(super) fn keep(response: &mut Response, value: &str, secure: bool) {
    let age = if value.is_empty() { 0 } else { GOOD.as_secs() };
    let secure = if secure { "; Secure" } else { "" };
    let line = format!(
        "{COOKIE}={value}; Path=/login/provider; Max-Age={age}; HttpOnly; SameSite=Lax{secure}"
    );
    if let Ok(value) = HeaderValue::from_str(&line) {
        response.headers_mut().append(SET_COOKIE, value);
    }
}
