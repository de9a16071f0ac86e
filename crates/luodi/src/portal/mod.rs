//! The portal: the city's home page and a page for each of its regions. They show what other
//! domains publish, through those domains' public queries.
//!
//! It owns no table. A section whose domain has nothing to show is left out.

mod pages;

use jiff::civil::Date;
use vocab::{Fen, RegionCode};

use crate::article::State;
use crate::article::queries::{self as articles, Filter, Line};
use crate::store::{Query, StoreError};

pub use pages::routes;

/// Articles shown on the home page and on a region's.
const NEWEST: u32 = 6;

/// What the home page, or a region's page, tells.
#[derive(Clone, Debug, Default)]
pub struct Home {
    /// What can be applied for now, the earliest end first.
    pub open_items: Vec<OpenItem>,
    /// The newest articles.
    pub articles: Vec<Line>,
    /// Notices that run now, the earliest end first.
    pub notices: Vec<RunningNotice>,
    /// What was paid since 1 January.
    pub paid_this_year: Option<Paid>,
}

/// A service item that can be applied for now.
#[derive(Clone, Debug)]
pub struct OpenItem {
    /// The item's page.
    pub href: String,
    /// Its name.
    pub name: String,
    /// What it gives, in a few words.
    pub support: String,
    /// The name of its region.
    pub region: String,
    /// The light of its last day.
    pub light: &'static str,
    /// What is left, in words: 「还有 3 天」.
    pub words: String,
}

/// A notice that runs now.
#[derive(Clone, Debug)]
pub struct RunningNotice {
    /// The notice's page.
    pub href: String,
    /// Its title.
    pub title: String,
    /// Its last day.
    pub ends_on: Date,
    /// Lines of its list.
    pub entries: u64,
}

/// What was paid.
#[derive(Clone, Debug)]
pub struct Paid {
    /// The sum.
    pub amount: Fen,
    /// To how many parties.
    pub parties: u64,
    /// Where every payment is shown with its reason.
    pub href: String,
}

impl Home {
    /// What is published for a region and what lies in it.
    ///
    /// # Errors
    /// What the store reports.
    pub fn gather(q: &dyn Query, region: RegionCode) -> Result<Self, StoreError> {
        let filter = Filter {
            region: Some(region),
            state: Some(State::Published),
            ..Filter::default()
        };
        Ok(Self {
            articles: articles::list(q, &filter, None, NEWEST, 0)?,
            ..Self::default()
        })
    }
}
