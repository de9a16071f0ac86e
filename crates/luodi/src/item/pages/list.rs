//! The list of items: found by words and region, open ones first, out as a workbook.

use std::cmp::Reverse;

use askama::Template;
use axum::extract::State;
use jiff::civil::Date;
use vocab::region::{self, Level};
use vocab::{RegionCode, fold_width};

use super::deadline;
use crate::ids::ItemId;
use crate::item::queries::{current_items, load};
use crate::refusal::Result;
use crate::store::Query;
use crate::web::export::{self, Cell};
use crate::web::form::{Chip, Choice};
use crate::web::{Answer, App, Lang, Page, Pager, Visit, filters};

/// Rows on a page.
const PAGE_ROWS: u32 = 20;

/// An item as lists show it.
#[derive(Clone, Debug)]
pub struct ListedItem {
    /// The offer.
    pub id: ItemId,
    /// Its guide.
    pub href: String,
    /// 名称.
    pub name: String,
    /// What it gives.
    pub summary: String,
    /// 服务对象, joined.
    pub audience: String,
    /// The region's code.
    pub region_code: RegionCode,
    /// The region's name.
    pub region: String,
    /// 承诺时限, in working days.
    pub promised_working_days: u32,
    /// The last day of applications.
    pub closes_on: Option<Date>,
    /// Applications are taken today.
    pub open: bool,
    /// The light of the deadline.
    pub light: &'static str,
    /// Its words.
    pub words: String,
}

/// What the list is filtered by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Filter {
    text: String,
    region: Option<RegionCode>,
    open_only: bool,
    by_deadline: bool,
    page: u32,
}

impl Filter {
    fn read(query: &str) -> Self {
        let typed = |name: &str| {
            let mut pairs = form_urlencoded::parse(query.as_bytes());
            pairs
                .find(|(key, _)| key == name)
                .map_or_else(String::new, |(_, value)| value.trim().to_owned())
        };
        Self {
            text: typed("q").chars().take(60).collect(),
            region: RegionCode::parse(&typed("region")).ok(),
            open_only: typed("open") == "1",
            by_deadline: typed("sort") == "due",
            page: typed("page").parse().unwrap_or(1).clamp(1, 100_000),
        }
    }

    fn keeps(&self, item: &ListedItem) -> bool {
        let text = fold_width(&self.text).to_lowercase();
        let told =
            fold_width(&format!("{} {} {}", item.name, item.summary, item.audience)).to_lowercase();
        let found = text.split_whitespace().all(|word| told.contains(word));
        let region = self
            .region
            .is_none_or(|code| region::is_within(item.region_code, code));
        found && region && (item.open || !self.open_only)
    }

    /// The address of the list with one thing changed; empty values are left out.
    fn href(&self, change: (&str, &str)) -> String {
        let region = self
            .region
            .map_or_else(String::new, |code| code.to_string());
        let mut pairs = vec![
            ("q", self.text.clone()),
            ("region", region),
            (
                "open",
                if self.open_only {
                    "1".to_owned()
                } else {
                    String::new()
                },
            ),
            (
                "sort",
                if self.by_deadline {
                    "due".to_owned()
                } else {
                    String::new()
                },
            ),
        ];
        for pair in &mut pairs {
            if pair.0 == change.0 {
                change.1.clone_into(&mut pair.1);
            }
        }
        let mut encoder = form_urlencoded::Serializer::new(String::new());
        encoder.extend_pairs(pairs.iter().filter(|(_, value)| !value.is_empty()));
        format!("/items?{}", encoder.finish())
    }
}

/// Every item that is offered within a region, in the order of names.
fn gather(q: &dyn Query, within: RegionCode, today: Date, lang: Lang) -> Result<Vec<ListedItem>> {
    let mut items = Vec::new();
    for offered in current_items(q)?
        .into_iter()
        .filter(|it| region::is_within(it.region, within))
    {
        let package = load(q, &offered.hash)?;
        let (light, words) = deadline(&offered, today, lang);
        let item = package.item.told(lang);
        items.push(ListedItem {
            id: offered.id,
            href: format!("/items/{}", offered.id),
            audience: item.audience_text(lang),
            name: item.name,
            summary: item.summary,
            region_code: offered.region,
            region: lang.region(offered.region),
            promised_working_days: item.promised_working_days,
            closes_on: offered.closes_on,
            open: offered.is_open(today),
            light,
            words,
        });
    }
    Ok(items)
}

/// The items that take applications today within a region, the first to close first.
///
/// # Errors
/// A fault of the store.
pub fn open_now(
    q: &dyn Query,
    within: RegionCode,
    today: Date,
    lang: Lang,
) -> Result<Vec<ListedItem>> {
    let mut items = gather(q, within, today, lang)?;
    items.retain(|item| item.open);
    items.sort_by_key(|item| item.closes_on.unwrap_or(Date::MAX));
    Ok(items)
}

async fn found(
    app: &App,
    visit: &Visit,
    filter: &Filter,
) -> Result<Vec<ListedItem>, crate::web::WebError> {
    let (home, today, lang) = (app.site.region, visit.today(), visit.lang);
    let mut items = app
        .store
        .read(move |q| gather(q, home, today, lang))
        .await?;
    items.retain(|item| filter.keeps(item));
    if filter.by_deadline {
        items.sort_by_key(|item| (Reverse(item.open), item.closes_on.unwrap_or(Date::MAX)));
    } else {
        items.sort_by_key(|item| Reverse(item.open));
    }
    Ok(items)
}

#[derive(Template)]
#[template(path = "item/list.html")]
struct ListPage {
    page: Page,
    text: String,
    regions: Vec<Choice>,
    chips: Vec<Chip>,
    open_only: bool,
    by_deadline: bool,
    due_href: String,
    export: String,
    asked: bool,
    items: Vec<ListedItem>,
    pager: Pager,
}

pub(super) async fn list(State(app): State<App>, visit: Visit) -> Answer {
    let query = visit
        .path
        .split_once('?')
        .map_or("", |(_, query)| query)
        .to_owned();
    let filter = Filter::read(&query);
    let mut items = found(&app, &visit, &filter).await?;
    let pager = Pager::new("/items", &query, filter.page, PAGE_ROWS, items.len() as u64);
    let skipped = usize::try_from(pager.offset()).unwrap_or(usize::MAX);
    items = items
        .into_iter()
        .skip(skipped)
        .take(PAGE_ROWS as usize)
        .collect();
    let chip = |open: bool, key: &str| Chip {
        href: filter.href(("open", if open { "1" } else { "" })),
        label: visit.lang.text(key),
        count: None,
        current: filter.open_only == open,
    };
    visit.show(&ListPage {
        page: Page::new(&app, &visit, visit.lang.text("items.title")),
        regions: regions(app.site.region, filter.region, visit.lang),
        chips: vec![chip(false, "items.all"), chip(true, "items.open")],
        open_only: filter.open_only,
        by_deadline: filter.by_deadline,
        due_href: filter.href(("sort", "due")),
        export: filter.href(("", "")).replacen("/items?", "/items.xlsx?", 1),
        asked: !filter.text.is_empty() || filter.region.is_some() || filter.open_only,
        text: filter.text,
        items,
        pager,
    })
}

/// The city and the regions directly within it.
fn regions(home: RegionCode, current: Option<RegionCode>, lang: Lang) -> Vec<Choice> {
    let current = current.map_or_else(String::new, |code| code.to_string());
    let all = region::find(home)
        .into_iter()
        .chain(region::children(home).iter().copied());
    all.filter(|region| region.level != Level::Town)
        .map(|region| Choice::new(region.code.to_string(), lang.region(region.code), &current))
        .collect()
}

pub(super) async fn download(State(app): State<App>, visit: Visit) -> Answer {
    let query = visit
        .path
        .split_once('?')
        .map_or("", |(_, query)| query)
        .to_owned();
    let items = found(&app, &visit, &Filter::read(&query)).await?;
    let rows: Vec<Vec<Cell>> = items
        .into_iter()
        .map(|item| {
            vec![
                item.name.into(),
                item.region.into(),
                item.summary.into(),
                item.audience.into(),
                f64::from(item.promised_working_days).into(),
                item.closes_on
                    .map_or_else(String::new, |day| day.to_string())
                    .into(),
                item.words.into(),
            ]
        })
        .collect();
    let keys = [
        "name", "region", "gives", "audience", "promised", "until", "state",
    ];
    let headers: Vec<String> = keys
        .iter()
        .map(|key| visit.lang.text(&format!("items.{key}")))
        .collect();
    let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
    export::xlsx(&visit.lang.text("items.title"), &headers, &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_says_what_is_asked() {
        let check = |query: &str, change: (&str, &str), expected: &str| {
            assert_eq!(Filter::read(query).href(change), expected, "{query}");
        };
        check("", ("", ""), "/items?");
        check("q=a%26b&page=3", ("open", "1"), "/items?q=a%26b&open=1");
        check(
            "open=1&region=330324&sort=due",
            ("open", ""),
            "/items?region=330324&sort=due",
        );
        check(
            "region=nowhere&open=yes",
            ("sort", "due"),
            "/items?sort=due",
        );
    }
}
