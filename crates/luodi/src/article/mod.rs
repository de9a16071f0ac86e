//! Articles (动态): what the city tells the public about investment and enterprise services.
//!
//! An article is a draft, then published, then perhaps withdrawn; it is never deleted. Imported
//! ones keep the bytes they came in, whatever becomes of their text. A region of none means the
//! city as a whole.
//!
//! It lacks contributions by the public, ranking in search, and pictures.

pub mod api;
mod commands;
mod demo;
mod desk;
mod export;
mod feed;
mod import;
pub mod named;
mod pages;
pub mod queries;
mod reading;
mod search;
mod source;
pub mod tag;

#[cfg(test)]
mod pages_tests;
#[cfg(test)]
mod tests;

pub use commands::{ImportedText, Text, Typed, create, edit, import_chunk, publish, unpublish};
pub use demo::{DemoArticle, demo_articles};
pub use export::{ExportError, Format, export};
pub use import::{Counts, Report, import};
pub use reading::{Part, split};
pub use search::{Piece, fold};
pub use source::{Block, FILE_BYTES, LineError, parse_source};

use vocab::RegionCode;
use vocab::region::{self, Level};

use crate::access::{Actor, ActorKind, Role};
use crate::web::Route;

/// Every route of this domain.
pub fn routes() -> Vec<Route> {
    let mut routes = pages::routes();
    routes.extend(desk::routes());
    routes.extend(api::routes());
    routes
}

macro_rules! codes {
    ($(#[$enum_doc:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $code:literal, $zh:literal, $en:literal;)* }) => {
        $(#[$enum_doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// All of them, in the order of lists.
            pub const ALL: &'static [$name] = &[$($name::$variant,)*];

            /// The stable code, as stored and as in addresses.
            pub const fn code(self) -> &'static str {
                match self { $($name::$variant => $code,)* }
            }

            /// What it is called in Chinese.
            pub const fn zh(self) -> &'static str {
                match self { $($name::$variant => $zh,)* }
            }

            /// What it is called in English.
            pub const fn en(self) -> &'static str {
                match self { $($name::$variant => $en,)* }
            }

            /// The one with this code.
            pub fn from_code(code: &str) -> Option<$name> {
                match code { $($code => Some($name::$variant),)* _ => None }
            }
        }
    };
}

codes! {
    /// What kind of text an article is.
    Category {
        /// What has happened; imported articles begin as this.
        News = "news", "动态", "News";
        /// What a policy says and how it is applied for.
        Policy = "policy", "政策解读", "Policies explained";
        /// Projects, parks and parcels that seek or found an investor.
        Investment = "investment", "招商推介", "Investment";
        /// How a service is used.
        Service = "service", "办事服务", "Services";
        /// Reports of the government.
        Report = "report", "工作报告", "Reports";
    }
}

codes! {
    /// Where an article stands.
    State {
        /// Being written; the public does not see it.
        Draft = "draft", "草稿", "Draft";
        /// The public sees it.
        Published = "published", "已发布", "Published";
        /// Was published and is no longer.
        Withdrawn = "withdrawn", "已下线", "Withdrawn";
    }
}

impl State {
    /// How the state is marked on pages.
    pub const fn mark(self) -> &'static str {
        match self {
            State::Draft => "wait",
            State::Published => "good",
            State::Withdrawn => "plain",
        }
    }
}

/// Whether the actor may write and publish for a region; `None` is the city as a whole.
///
/// Editors write for their own region and what lies in it, so a county's editor does not write
/// for the city. The console imports for all.
pub fn may_edit(actor: &Actor, of: Option<RegionCode>) -> bool {
    match actor.kind {
        ActorKind::System | ActorKind::Console => true,
        ActorKind::Account(_) => {
            let whole_city = || city_of(actor.region);
            actor.has(Role::Editor)
                && region::is_within(of.unwrap_or_else(whole_city), actor.region)
        }
    }
}

/// The city a region lies in, or the region itself above.
fn city_of(code: RegionCode) -> RegionCode {
    let up = |code: RegionCode| code.parent().unwrap_or(code);
    match code.level() {
        Level::Town => up(up(code)),
        Level::County => up(code),
        Level::City | Level::Province => code,
    }
}
