//! The doors to the identity provider and back: log-in for whoever has linked his account, and the
//! end of linking one.
//!
//! It lacks what is asked before linking (`identity_pages`). The form is answered by a page that
//! leads on by itself: a form that ended at another site would need a wider content security policy,
//! and a provider may send browsers on to addresses nobody knows.

use askama::Template;
use axum::extract::State;
use axum::http::header::REFRESH;
use axum::http::{HeaderMap, HeaderValue, StatusCode};

use crate::access::Rule;
use crate::oidc::{Failure, Provider, RETURN};
use crate::refusal::{Error, Kind};
use crate::store::Command;
use crate::web::filters;
use crate::web::form::Errors;
use crate::web::{Answer, App, Page, Posted, Rate, Route, Visit, WebError, get, post};

use super::enter::{Entered, LOG_IN, open_for_identity, ticket};
use super::errand::{self, Aim, Errand};
use super::identity::{self, Subject};
use super::identity_pages;
use super::log_in::{LogIn, ask_code, entered, local};
use super::session::{self, Why};

pub(super) fn routes() -> Vec<Route> {
    vec![
        post("/login/provider", Rule::Public, begin),
        get(RETURN, Rule::Public, come_back),
    ]
}

/// What whoever comes back is told, unless he is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// He is on his way.
    Going,
    /// This installation has no provider.
    Off,
    /// Too many tries from his address.
    Busy,
    /// Too late, a second time, or in another browser.
    Expired,
    /// He, or the provider, said no.
    Cancelled,
    /// The provider does not answer.
    Down,
    /// What the provider says is not believed.
    Invalid,
    /// No account is linked.
    Unlinked,
    /// The account is locked, has to wait, or belongs to an administrator.
    Shut,
}

impl Outcome {
    const fn code(self) -> &'static str {
        match self {
            Self::Going => "going",
            Self::Off => "off",
            Self::Busy => "busy",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::Down => "down",
            Self::Invalid => "invalid",
            Self::Unlinked => "unlinked",
            Self::Shut => "shut",
        }
    }

    const fn status(self) -> StatusCode {
        match self {
            Self::Going => StatusCode::OK,
            Self::Busy => StatusCode::TOO_MANY_REQUESTS,
            Self::Off | Self::Expired | Self::Cancelled | Self::Invalid => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Self::Down => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unlinked | Self::Shut => StatusCode::FORBIDDEN,
        }
    }
}

#[derive(Template)]
#[template(path = "account/provider.html")]
struct ProviderPage {
    page: Page,
    code: &'static str,
    text: String,
    /// Where to go on.
    to: String,
    label: String,
}

/// A page that says what came of it and what to do next.
fn tell(app: &App, visit: &Visit, outcome: Outcome) -> Answer {
    let signed_in = visit.actor.is_some();
    let (title, to, label) = if signed_in {
        ("provider.failed", "/account", "provider.to_account")
    } else {
        ("login.failed", "/login", "provider.again")
    };
    let page = Page::new(app, visit, visit.lang.text(title));
    let text = page.t(&format!("provider.{}", outcome.code()));
    let label = page.t(label);
    let page = ProviderPage {
        page,
        code: outcome.code(),
        text,
        to: to.to_owned(),
        label,
    };
    visit.show_with(outcome.status(), &page)
}

/// Who pays for the steps to the provider and back: the address, or the browser where any account
/// has logged in with it, so that nobody behind the same address keeps it out.
struct Way {
    known: bool,
    payer: String,
}

impl Way {
    async fn of(app: &App, visit: &Visit) -> Result<Self, WebError> {
        let known = match visit.device.clone() {
            Some(device) => {
                let known = app
                    .store
                    .read(move |q| session::is_known_browser(q, &device));
                known.await?
            }
            None => false,
        };
        let payer = match &visit.device {
            Some(device) if known => device.clone(),
            _ => visit.address.clone(),
        };
        Ok(Self { known, payer })
    }

    const fn rate(&self) -> Rate {
        if self.known { OF_BROWSER } else { LOG_IN }
    }

    fn is_open(&self, app: &App, visit: &Visit) -> bool {
        app.attempts.admit(self.rate(), &self.payer, visit.now)
    }

    fn repay(&self, app: &App, visit: &Visit) {
        app.attempts.give_back(self.rate(), &self.payer, visit.now);
    }

    /// Neither the way there nor the way back was a guess; guesses of codes are counted by
    /// themselves.
    fn no_guess(&self, app: &App, visit: &Visit) {
        self.repay(app, visit);
        self.repay(app, visit);
    }
}

/// Steps of a known browser.
const OF_BROWSER: Rate = Rate {
    purpose: "provider-browser",
    burst: 20,
    per_minute: 10,
};

async fn begin(State(app): State<App>, visit: Visit, posted: Posted) -> Answer {
    if !Way::of(&app, &visit).await?.is_open(&app, &visit) {
        return tell(&app, &visit, Outcome::Busy);
    }
    depart(&app, &visit, &Aim::LogIn(local(posted.get("next")))).await
}

/// Sends the browser to the provider.
pub(super) async fn depart(app: &App, visit: &Visit, aim: &Aim) -> Answer {
    let Some(provider) = &app.provider else {
        return tell(app, visit, Outcome::Off);
    };
    let (secrets, kept) = errand::begin(app, visit, aim);
    let address = match provider.address(&secrets, visit.now).await {
        Ok(address) => address,
        Err(failure) => {
            tracing::warn!(%failure, "{failure}");
            return tell(app, visit, Outcome::Down);
        }
    };
    let refresh = HeaderValue::from_str(&format!("0;url={address}")).map_err(WebError::fault)?;
    let page = Page::new(app, visit, visit.lang.text("provider.going.title"));
    let mut response = visit.show(&ProviderPage {
        code: Outcome::Going.code(),
        text: page.t("provider.going"),
        label: page.t("provider.going.link"),
        to: address,
        page,
    })?;
    response.headers_mut().insert(REFRESH, refresh);
    errand::keep(&mut response, &kept, visit.secure);
    Ok(response)
}

/// What comes back in the address.
#[derive(Default)]
struct Returned {
    code: String,
    state: String,
    error: Option<String>,
    issuer: Option<String>,
}

impl Returned {
    fn read(visit: &Visit) -> Self {
        let query = visit.path.split_once('?').map_or("", |(_, query)| query);
        let mut returned = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()).take(20) {
            match &*name {
                "code" => returned.code = value.into_owned(),
                "state" => returned.state = value.into_owned(),
                "error" => returned.error = Some(value.into_owned()),
                "iss" => returned.issuer = Some(value.into_owned()),
                _ => {}
            }
        }
        returned
    }
}

async fn come_back(State(app): State<App>, visit: Visit, headers: HeaderMap) -> Answer {
    let mut response = arrive(&app, &visit, &headers).await?;
    // Whatever came of it, it is used.
    errand::keep(&mut response, "", visit.secure);
    Ok(response)
}

async fn arrive(app: &App, visit: &Visit, headers: &HeaderMap) -> Answer {
    let Some(provider) = &app.provider else {
        return tell(app, visit, Outcome::Off);
    };
    let way = Way::of(app, visit).await?;
    if !way.is_open(app, visit) {
        return tell(app, visit, Outcome::Busy);
    }
    let returned = Returned::read(visit);
    let Some(errand) = errand::take(app, visit, headers, &returned.state) else {
        return tell(app, visit, Outcome::Expired);
    };
    if let Some(error) = &returned.error {
        let plain = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
        let error: String = error.chars().filter(plain).take(60).collect();
        tracing::info!(%error, "the provider sent somebody back: {error}");
        return tell(app, visit, Outcome::Cancelled);
    }
    let (code, from) = (&returned.code, returned.issuer.as_deref());
    let identity = match provider
        .identity(code, from, &errand.secrets, visit.now)
        .await
    {
        Ok(identity) => identity,
        Err(failure) => return refused(app, visit, provider, &failure).await,
    };
    let subject = Subject {
        issuer: provider.issuer().to_owned(),
        name: identity.subject,
    };
    match &errand.aim {
        Aim::Link => link(app, visit, &errand, (subject, way)).await,
        Aim::LogIn(next) => {
            let strong = identity.multi_factor && provider.is_second_factor();
            log_in(app, visit, &errand, (subject, way), (next, strong)).await
        }
    }
}

/// The provider proves nobody: the log of the program says why; the audit log, that somebody came
/// with what is not believed.
async fn refused(app: &App, visit: &Visit, provider: &Provider, failure: &Failure) -> Answer {
    tracing::warn!(%failure, "{failure}");
    if matches!(failure, Failure::Down(_)) {
        return tell(app, visit, Outcome::Down);
    }
    note(app, visit, Why::Provider, provider.issuer().to_owned()).await?;
    tell(app, visit, Outcome::Invalid)
}

async fn note(app: &App, visit: &Visit, why: Why, name: String) -> Result<(), WebError> {
    let address = visit.address.clone();
    let command = Command::new("session.refuse", visit.now);
    let noted = app.store.write(command, move |tx| {
        session::refuse_stranger(tx, why, &name, &address);
        Ok::<_, Error>(())
    });
    Ok(noted.await?)
}

async fn log_in(
    app: &App,
    visit: &Visit,
    errand: &Errand,
    (subject, way): (Subject, Way),
    (next, strong): (&str, bool),
) -> Answer {
    let name = subject.text();
    let found = app.store.read(move |q| {
        let Some(link) = identity::find(q, &subject)? else {
            return Ok::<_, Error>(None);
        };
        let candidate = session::candidate_of(q, link.account)?;
        Ok(candidate.map(|candidate| candidate.through(link.id)))
    });
    let Some(candidate) = found.await? else {
        note(app, visit, Why::Unlinked, name).await?;
        return tell(app, visit, Outcome::Unlinked);
    };
    let form = LogIn::to(next);
    match open_for_identity(app, visit, candidate, errand.key(), strong).await {
        Ok(Some(Entered::Opened(opened))) => {
            way.no_guess(app, visit);
            entered(app, visit, form, &opened).await
        }
        Ok(Some(Entered::AsksCode(candidate))) => {
            way.no_guess(app, visit);
            let ticket = ticket(app, visit, &candidate).await?;
            let form = form.with_ticket(ticket);
            ask_code(app, visit, StatusCode::OK, form, Errors::default()).await
        }
        Ok(None) => tell(app, visit, Outcome::Expired),
        Err(error) => match error.into_refusal()?.kind {
            Kind::TooMany => tell(app, visit, Outcome::Busy),
            _ => tell(app, visit, Outcome::Shut),
        },
    }
}

/// Links the account that is logged in. The cookie was bound to it and to its session.
async fn link(app: &App, visit: &Visit, errand: &Errand, (subject, way): (Subject, Way)) -> Answer {
    let actor = visit.actor()?.clone();
    let since = session::password_limit(app, visit.now);
    let command = Command::new("account.link_identity", visit.now).once(errand.key());
    let linked = app.store.write_once(command, move |tx| {
        identity::link(tx, &actor, &subject, since)
    });
    linked
        .await
        .map_err(|error| WebError::from(error).with_see(identity_pages::PATH))?;
    way.repay(app, visit);
    let text = "统一身份已关联，以后可以用它登录。";
    Ok(visit.redirect(identity_pages::PATH, text))
}
