//! Public notice (公示) of a proposed list, and objections (异议) to it.
//!
//! Owns the tables `notice`, `notice_entry` and `objection`. A notice shows masked names for a
//! stated period; an objection holds only its beneficiary, and the others go on. It lacks the money
//! (`fund` holds, releases, removes and finalises entries) and the clock of a case (`casework`),
//! which it suspends for the days of the notice.

mod answer;
pub mod api;
mod desk;
mod desk_queries;
pub mod dossier;
mod ending;
pub mod named;
mod object;
mod object_pages;
mod pages;
mod publish;
mod publish_page;
pub mod queries;
mod receipt;

#[cfg(test)]
mod http_tests;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use answer::{Answered, Verdict, answer, open_file, save_note, take_up, unmask};
pub use desk_queries::{CaseObjection, Contact, objections_of_case, waiting};
pub use ending::{Ended, end, work_end};
pub use object::{NewObjection, Objector, object};
pub use publish::{MIN_WORKING_DAYS, Publication, Published, earliest_end, numbers, publish};
pub use queries::count_all;

use crate::web::Route;

/// How long search engines may show a notice after its end. The record stays.
pub const SEARCHABLE_YEARS: i64 = 2;

/// The kind of the job that ends a notice; its key is the notice's id.
pub const END_JOB: &str = "notice.end";

/// Where a notice stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NoticeState {
    /// Published; its period may run or wait to be ended.
    Open,
    /// The period is over and the list final but for open objections.
    Ended,
}

impl NoticeState {
    /// The stored word.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Ended => "ended",
        }
    }

    /// The state with this word.
    pub fn from_code(code: &str) -> Option<Self> {
        [Self::Open, Self::Ended]
            .into_iter()
            .find(|state| state.code() == code)
    }
}

/// Where an objection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ObjectionState {
    /// Received, its beneficiary held; nobody has taken it up.
    Received,
    /// Taken up, being verified.
    Verifying,
    /// 成立: the beneficiary was taken off the list.
    Upheld,
    /// 不成立: the beneficiary goes on.
    Dismissed,
}

impl ObjectionState {
    /// Every state, in the order lists show them.
    pub const ALL: [Self; 4] = [
        Self::Received,
        Self::Verifying,
        Self::Upheld,
        Self::Dismissed,
    ];

    /// The stored word.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Verifying => "verifying",
            Self::Upheld => "upheld",
            Self::Dismissed => "dismissed",
        }
    }

    /// What staff pages call it.
    pub const fn zh(self) -> &'static str {
        match self {
            Self::Received => "待受理",
            Self::Verifying => "核实中",
            Self::Upheld => "异议成立",
            Self::Dismissed => "异议不成立",
        }
    }

    /// The look of its badge.
    pub const fn look(self) -> &'static str {
        match self {
            Self::Received => "wait",
            Self::Verifying => "now",
            Self::Upheld => "bad",
            Self::Dismissed => "good",
        }
    }

    /// Whether it waits for an answer.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Received | Self::Verifying)
    }

    /// The state with this word.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }
}

/// How the public reaches the department about a notice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// Where to go or write to.
    pub address: String,
    /// Telephone.
    pub phone: String,
    /// Mail; may be empty.
    pub mail: String,
}

impl Channel {
    /// In one sentence.
    pub fn sentence(&self) -> String {
        let mail = if self.mail.is_empty() {
            String::new()
        } else {
            format!("，邮箱 {}", self.mail)
        };
        format!("地址 {}，电话 {}{mail}", self.address, self.phone)
    }
}

/// The routes of notices and objections.
pub fn routes() -> Vec<Route> {
    let mut routes = pages::routes();
    routes.extend(publish_page::routes());
    routes.extend(object_pages::routes());
    routes.extend(desk::routes());
    routes.extend(api::routes());
    routes
}
