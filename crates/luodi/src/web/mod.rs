//! The shell of all pages: application state, the visitor, posted forms, page frame, errors,
//! assets and the accept loop. It knows no domain.

mod alarm;
mod assets;
mod attempts;
mod clock;
mod crowd;
mod error;
pub mod export;
pub mod filters;
pub mod form;
pub mod kept;
mod lang;
mod pace;
mod page;
mod posted;
mod proxy;
mod route;
mod sender;
mod serve;
mod stall;
#[cfg(test)]
pub(crate) mod testing;
mod tls;
mod visit;

pub use assets::{asset, healthz, readyz};
pub use attempts::{Attempts, Rate, counted};
pub use clock::{Clock, civil};
pub use error::{Problem, WebError, come_again};
pub use lang::{Lang, is_chinese};
pub use pace::{Known, LEAP_MS, Odd};
pub use page::{Crumb, Flash, NavItem, Page, Pager, UserBox, asked_page};
pub use posted::{FILE_BYTES, Posted, Upload};
pub use proxy::Network;
pub use route::{Route, get, mount, post};
pub use serve::{Limits, serve};
pub use tls::Tls;
pub use visit::{
    Bar, Session, SessionLookup, Visit, cookie, hide_from_search, is_local, known_again, percent,
    session_cookie,
};

use std::path::PathBuf;
use std::sync::Arc;

use crate::oidc::Provider;
use crate::store::Store;

/// What every handler gets: the store, the clock and the facts of this installation.
#[derive(Clone)]
pub struct App {
    /// The database, keys and attachments.
    pub store: Store,
    /// The only clock.
    pub clock: Clock,
    /// The facts that do not change while the program runs.
    pub site: Arc<Site>,
    /// How a session cookie becomes an actor; given by the account domain.
    pub sessions: Arc<dyn SessionLookup>,
    /// How often one address may try what strangers may do.
    pub attempts: Arc<Attempts>,
    /// The identity provider people may log in at, where the operator names one.
    pub provider: Option<Arc<Provider>>,
}

/// The facts of this installation.
#[derive(Clone, Debug)]
pub struct Site {
    /// The city's name, as in 温州市.
    pub city: String,
    /// The city's region code.
    pub region: vocab::RegionCode,
    /// A demonstration: marked on every page, accounts listed at log-in.
    pub demo: bool,
    /// Served over TLS: cookies get the `__Host-` prefix and `Secure`.
    pub secure: bool,
    /// The data folder.
    pub data: PathBuf,
    /// The command that takes text messages and mails, with its arguments; none in development.
    pub gateway: Vec<String>,
    /// The days a password holds; 0 for as long as its owner likes.
    pub password_days: u16,
}

/// What a handler answers.
pub type Answer = Result<axum::response::Response, WebError>;
