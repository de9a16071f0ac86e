//! The portal: the city's home page and a page for each of its regions. They show what other
//! domains publish, through those domains' public queries.
//!
//! It owns no table. A section whose domain has nothing to show is left out.

mod pages;

use jiff::civil::Date;
use vocab::region::is_within;
use vocab::{Fen, RegionCode};

use crate::article::queries::{self as articles, Filter, Line};
use crate::refusal::Result;
use crate::store::Query;
use crate::web::Lang;
use crate::{fund, item, notice};

pub use pages::routes;

/// Articles shown on the home page and on a region's.
const NEWEST: u32 = 6;
/// Items and notices shown there.
const SHOWN: usize = 6;

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
    /// Beneficiaries in them.
    pub parties: u64,
}

/// What was paid.
#[derive(Clone, Debug)]
pub struct Paid {
    /// The sum.
    pub amount: Fen,
    /// In how many payments.
    pub payments: u64,
    /// Where every payment is shown with its reason.
    pub href: String,
}

impl Home {
    /// What is published for a region and what lies in it, on a day.
    ///
    /// # Errors
    /// What the store reports.
    pub fn gather(q: &dyn Query, region: RegionCode, today: Date, lang: Lang) -> Result<Self> {
        let filter = Filter {
            region: Some(region),
            ..Filter::default()
        };
        let filter = filter.public(today);
        let paid = fund::paid_in_year(q, region, today.year())?;
        Ok(Self {
            open_items: open_items(q, region, today, lang)?,
            articles: articles::list(q, &filter, None, NEWEST, 0)?,
            notices: notices(q, region, today)?,
            paid_this_year: (paid.count > 0).then(|| Paid {
                amount: paid.amount,
                payments: paid.count,
                href: fund::paid_href(region, today.year()),
            }),
        })
    }
}

/// What can be applied for today, the earliest end first.
fn open_items(q: &dyn Query, region: RegionCode, today: Date, lang: Lang) -> Result<Vec<OpenItem>> {
    let mut offers = item::current_items(q)?;
    offers.retain(|offer| offer.is_open(today) && is_within(offer.region, region));
    offers.sort_by_key(|offer| offer.closes_on.unwrap_or(Date::MAX));
    offers
        .into_iter()
        .take(SHOWN)
        .map(|offer| {
            let package = item::load(q, &offer.hash)?;
            let (light, words) = item::deadline(&offer, today, lang);
            let item = package.item.told(lang);
            Ok(OpenItem {
                href: format!("/items/{}", offer.id),
                name: item.name,
                support: item.summary,
                region: lang.region(offer.region),
                light,
                words,
            })
        })
        .collect()
}

/// The notices that take objections today.
fn notices(q: &dyn Query, region: RegionCode, today: Date) -> Result<Vec<RunningNotice>> {
    let mut running = notice::queries::open_for_home(q, 50)?;
    running.retain(|notice| notice.is_open(today) && is_within(notice.region, region));
    let shown = running.into_iter().take(SHOWN).map(|notice| RunningNotice {
        href: notice.href(),
        title: notice.title,
        ends_on: notice.ends_on,
        entries: notice.entries,
        parties: notice.parties,
    });
    Ok(shown.collect())
}
