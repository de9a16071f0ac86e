//! What was paid, for everybody: each payment with the beneficiary as its notice named him, what it
//! was for, and the notice that it rests on.
//!
//! It shows no name but the published one, and lacks payments on their way or returned, which are
//! nobody else's business.

use askama::Template;
use axum::extract::{Query as UrlQuery, State};
use jiff::civil::Date;
use vocab::{Fen, RegionCode};

use super::batch_queries::Sum;
use super::budget_pages::{Asked, asked, raw_query, region_name};
use super::queries::{Condition, part};
use crate::access::Rule;
use crate::ids::NoticeId;
use crate::refusal::{Error, Result};
use crate::store::{Query, Row, StoreError};
use crate::web::export::{self, Cell};
use crate::web::filters;
use crate::web::form::{Chip, Choice};
use crate::web::{
    Answer, App, Lang, Page, Pager, Route, Visit, WebError, get, hide_from_search, percent,
};

/// Rows of a page.
const ROWS: u32 = 30;
/// The most rows of one file.
const EXPORT_ROWS: u32 = 20_000;
/// How many years back search engines may look, and the page offers by itself.
const YEARS: i16 = 2;

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/paid", Rule::Public, list),
        get("/paid/table.csv", Rule::Public, table_csv),
        get("/paid/table.xlsx", Rule::Public, table_xlsx),
    ]
}

/// The page that shows exactly what [`paid_in_year`] counts.
pub fn paid_href(region: RegionCode, year: i16) -> String {
    format!("/paid?year={year}&region={region}")
}

/// What the payments are narrowed by.
#[derive(Clone, Debug)]
pub struct PaidFilter {
    /// A part of the published name, of the list's title or of the notice's number.
    pub text: String,
    /// Only this region and what lies in it.
    pub region: RegionCode,
    /// The year in which the bank paid.
    pub year: i16,
    /// `amount` for the largest first; else the newest.
    pub by_amount: bool,
}

impl PaidFilter {
    fn condition(&self) -> Condition {
        let mut condition = Condition {
            sql: "p.state = 'paid'".to_owned(),
            values: Vec::new(),
        };
        condition.and("p.settled_on >= ??", format!("{:04}-01-01", self.year));
        condition.and("p.settled_on <= ??", format!("{:04}-12-31", self.year));
        condition.within("b.region_code", self.region);
        if !self.text.is_empty() {
            condition.and(
                "(e.public_name LIKE ?? ESCAPE '!' OR e.public_summary LIKE ?? ESCAPE '!' \
                 OR b.title LIKE ?? ESCAPE '!' OR b.notice_number LIKE ?? ESCAPE '!')",
                part(&self.text),
            );
        }
        condition
    }
}

const FROM: &str = "FROM payment p JOIN payment_file f ON f.id = p.file_id \
     JOIN batch b ON b.id = f.batch_id JOIN batch_entry e ON e.id = p.batch_entry_id";

/// One payment as everybody may see it.
#[derive(Clone, Debug)]
pub struct PaidRow {
    /// The day the bank paid.
    pub settled_on: Date,
    /// The name the notice showed; empty where none did.
    pub name: String,
    /// What it was for.
    pub summary: String,
    /// Title of the list.
    pub title: String,
    /// Region.
    pub region: RegionCode,
    /// How much.
    pub amount: Fen,
    /// The notice, its number, and the line in it.
    pub notice: Option<(NoticeId, String, i64)>,
}

fn paid_row(row: &Row<'_>) -> Result<PaidRow, StoreError> {
    let text = |index| {
        row.get::<Option<String>>(index)
            .map(Option::unwrap_or_default)
    };
    let notice: Option<NoticeId> = row.get(6)?;
    let (number, position) = (text(7)?, row.get::<Option<i64>>(8)?.unwrap_or_default());
    Ok(PaidRow {
        settled_on: row.get(0)?,
        name: text(1)?,
        summary: text(2)?,
        title: row.get(3)?,
        region: row.get(4)?,
        amount: row.get(5)?,
        notice: notice.map(|notice| (notice, number, position)),
    })
}

/// How many payments the filter finds, and their sum.
///
/// # Errors
/// A fault of the store.
pub fn count_paid(q: &dyn Query, filter: &PaidFilter) -> Result<Sum> {
    let Condition { sql, values } = filter.condition();
    let sql = format!(
        "SELECT COUNT(*), CAST(COALESCE(SUM(p.amount_fen), 0) AS BIGINT) {FROM} WHERE {sql}"
    );
    Ok(q.row(&sql, values, |row| {
        Ok(Sum {
            count: row.get(0)?,
            amount: row.get(1)?,
        })
    })?)
}

/// The payments the filter finds.
///
/// # Errors
/// A fault of the store.
pub fn list_paid(
    q: &dyn Query,
    filter: &PaidFilter,
    limit: u32,
    offset: i64,
) -> Result<Vec<PaidRow>> {
    let mut condition = filter.condition();
    let page = condition.page(limit, offset);
    let order = if filter.by_amount {
        "p.amount_fen DESC, p.id"
    } else {
        "p.settled_on DESC, p.id"
    };
    let sql = format!(
        "SELECT p.settled_on, e.public_name, e.public_summary, b.title, b.region_code, p.amount_fen, \
         b.notice_id, b.notice_number, e.notice_position {FROM} WHERE {} ORDER BY {order}{page}",
        condition.sql
    );
    Ok(q.rows(&sql, condition.values, paid_row)?)
}

/// How many payments reached their beneficiaries in a year, in a region and what lies in it, and
/// their sum. Public.
///
/// # Errors
/// A fault of the store.
pub fn paid_in_year(q: &dyn Query, region: RegionCode, year: i16) -> Result<Sum> {
    let filter = PaidFilter {
        text: String::new(),
        region,
        year,
        by_amount: false,
    };
    count_paid(q, &filter)
}

#[derive(Template)]
#[template(path = "fund/paid.html")]
struct PaidPage {
    page: Page,
    text: String,
    year: i16,
    years: Vec<Chip>,
    regions: Vec<Choice>,
    sorts: Vec<Choice>,
    rows: Vec<PaidRow>,
    total: Fen,
    pager: Pager,
    csv: String,
    xlsx: String,
}

fn filter_of(app: &App, visit: &Visit, query: &Asked) -> PaidFilter {
    let region = RegionCode::parse(asked(query, "region")).unwrap_or(app.site.region);
    let year = asked(query, "year").parse().ok();
    PaidFilter {
        text: asked(query, "q").chars().take(60).collect(),
        region,
        year: year
            .filter(|year| (1_900..=9_999).contains(year))
            .unwrap_or(visit.today().year()),
        by_amount: asked(query, "sort") == "amount",
    }
}

async fn list(State(app): State<App>, visit: Visit, UrlQuery(query): UrlQuery<Asked>) -> Answer {
    let filter = filter_of(&app, &visit, &query);
    let number = asked(&query, "page").parse().unwrap_or(1);
    let (raw, wanted) = (raw_query(&visit), filter.clone());
    let read = app.store.read(move |q| {
        let sum = count_paid(&**q, &wanted)?;
        let pager = Pager::new("/paid", &raw, number, ROWS, sum.count);
        let rows = list_paid(&**q, &wanted, ROWS, pager.offset())?;
        Ok::<_, Error>((rows, sum.amount, pager))
    });
    let (rows, total, pager) = read.await?;
    let page = Page::new(&app, &visit, visit.lang.text("paid.title"));
    let file = |kind: &str| {
        pager
            .base
            .replacen("/paid?", &format!("/paid/table.{kind}?"), 1)
    };
    let today = visit.today();
    let template = PaidPage {
        years: years(&filter, today),
        regions: regions(&app, &filter, visit.lang),
        sorts: [("", "paid.newest"), ("amount", "paid.largest")]
            .map(|(value, label)| Choice::new(value, page.t(label), asked(&query, "sort")))
            .into(),
        csv: file("csv"),
        xlsx: file("xlsx"),
        text: filter.text,
        year: filter.year,
        page,
        rows,
        total,
        pager,
    };
    let mut answer = visit.show(&template)?;
    if filter.year < today.year() - YEARS {
        hide_from_search(&mut answer);
    }
    Ok(answer)
}

fn years(filter: &PaidFilter, today: Date) -> Vec<Chip> {
    let text = match filter.text.as_str() {
        "" => String::new(),
        text => format!("&q={}", percent(text)),
    };
    let chip = |year: i16| Chip {
        href: format!("/paid?year={year}&region={}{text}", filter.region),
        label: year.to_string(),
        count: None,
        current: year == filter.year,
    };
    let mut years: Vec<i16> = (0..=YEARS).map(|back| today.year() - back).collect();
    if !years.contains(&filter.year) {
        years.push(filter.year);
    }
    years.into_iter().map(chip).collect()
}

fn regions(app: &App, filter: &PaidFilter, lang: Lang) -> Vec<Choice> {
    let current = filter.region.to_string();
    vocab::region::children(app.site.region)
        .iter()
        .map(|region| Choice::new(region.code.to_string(), lang.region(region.code), &current))
        .collect()
}

const HEADERS: [&str; 7] = [
    "拨付日期",
    "名称（自然人已脱敏）",
    "内容",
    "名单",
    "区域",
    "公示文号",
    "金额（元）",
];

async fn table(app: &App, visit: &Visit, query: &Asked) -> Result<(String, Vec<Vec<Cell>>)> {
    let filter = filter_of(app, visit, query);
    let name = format!("兑付清单 {}", filter.year);
    let read = app.store.read(move |q| {
        let total = count_paid(&**q, &filter)?.count;
        Ok::<_, Error>((total, list_paid(&**q, &filter, EXPORT_ROWS, 0)?))
    });
    let (total, rows) = read.await?;
    let cut = total.saturating_sub(u64::from(EXPORT_ROWS));
    let rows = rows.into_iter().map(|row| {
        vec![
            row.settled_on.to_string().into(),
            row.name.into(),
            row.summary.into(),
            row.title.into(),
            region_name(row.region).into(),
            row.notice.map(|(_, number, _)| number).into(),
            row.amount.into(),
        ]
    });
    let mut rows: Vec<Vec<Cell>> = rows.collect();
    if cut > 0 {
        let note = format!("另有 {cut} 笔没有列出，请按区域或名称缩小范围后再导出。");
        rows.push(vec![note.into()]);
    }
    Ok((name, rows))
}

async fn table_csv(
    State(app): State<App>,
    visit: Visit,
    UrlQuery(query): UrlQuery<Asked>,
) -> Answer {
    let (name, rows) = table(&app, &visit, &query).await?;
    let mut answer = export::csv(&name, &HEADERS, &rows);
    hide_from_search(&mut answer);
    Ok(answer)
}

async fn table_xlsx(
    State(app): State<App>,
    visit: Visit,
    UrlQuery(query): UrlQuery<Asked>,
) -> Answer {
    let (name, rows) = table(&app, &visit, &query).await?;
    // Strangers may ask for it: not on the threads that answer pages.
    let made = tokio::task::spawn_blocking(move || export::xlsx(&name, &HEADERS, &rows));
    let mut answer = made.await.map_err(WebError::fault)??;
    hide_from_search(&mut answer);
    Ok(answer)
}
