//! What the public reads: the list of articles with its filter, one article, the feed.

use askama::Template;
use axum::extract::{Path, State as Shared};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use vocab::RegionCode;
use vocab::region::{self, Level};

use super::queries::{self, Article, Filter, Line, Neighbour, PAGE};
use super::{Category, Part, State, feed, reading};
use crate::access::Rule;
use crate::ids::ArticleId;
use crate::refusal::Refusal;
use crate::store::StoreError;
use crate::web::form::{Choice, Errors};
use crate::web::{Answer, App, Lang, Page, Pager, Route, Visit, WebError, filters, get};

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/articles", Rule::Public, list),
        get("/articles/feed.atom", Rule::Public, atom),
        get("/articles/{id}", Rule::Public, show),
    ]
}

/// Entries of the feed.
const FEED: u32 = 30;

#[derive(Template)]
#[template(path = "article/list.html")]
struct ListPage {
    page: Page,
    errors: Errors,
    fields: FilterFields,
    asked: bool,
    lines: Vec<Line>,
    pager: Pager,
}

/// The filter as its form shows it again.
pub(super) struct FilterFields {
    pub(super) question: String,
    pub(super) regions: Vec<Choice>,
    pub(super) categories: Vec<Choice>,
    pub(super) states: Vec<Choice>,
    pub(super) from: String,
    pub(super) to: String,
}

impl FilterFields {
    pub(super) fn new(query: &str, filter: &Filter, home: RegionCode, lang: Lang) -> Self {
        let current = filter.category.map_or("", Category::code);
        let state = filter.state.map_or("", State::code);
        Self {
            question: filter.question.clone(),
            regions: regions(home, filter.region, lang),
            categories: Category::ALL
                .iter()
                .map(|it| Choice::new(it.code(), category_name(*it, lang), current))
                .collect(),
            states: State::ALL
                .iter()
                .map(|it| Choice::new(it.code(), it.zh(), state))
                .collect(),
            from: typed(query, "from"),
            to: typed(query, "to"),
        }
    }
}

/// A region and the regions directly within it.
pub(super) fn regions(home: RegionCode, current: Option<RegionCode>, lang: Lang) -> Vec<Choice> {
    let current = current.map_or_else(String::new, |code| code.to_string());
    region::find(home)
        .into_iter()
        .chain(region::children(home).iter().copied())
        .filter(|region| region.level != Level::Town)
        .map(|region| Choice::new(region.code.to_string(), lang.region(region.code), &current))
        .collect()
}

/// What stands in a field of the address, right or wrong.
fn typed(query: &str, field: &str) -> String {
    let pair = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == field);
    pair.map_or_else(String::new, |(_, value)| value.into_owned())
}

/// The query of the address of a visit.
pub(super) fn query(visit: &Visit) -> &str {
    visit.path.split_once('?').map_or("", |(_, query)| query)
}

/// The page of a list that an address asks for, from 1.
pub(super) fn page_number(query: &str) -> u32 {
    typed(query, "page")
        .parse()
        .unwrap_or(1)
        .clamp(1, 1_000_000)
}

/// The refusals of a filter, and the status that goes with them.
pub(super) fn refused(wrong: Vec<crate::refusal::FieldError>) -> (StatusCode, Errors) {
    if wrong.is_empty() {
        return (StatusCode::OK, Errors::default());
    }
    (
        StatusCode::UNPROCESSABLE_ENTITY,
        Errors::from(&Refusal::fields(wrong)),
    )
}

async fn list(Shared(app): Shared<App>, visit: Visit) -> Answer {
    let query = query(&visit).to_owned();
    let (mut filter, wrong) = Filter::read(&query);
    filter.state = None;
    let asked = !filter.is_empty();
    let fields = FilterFields::new(&query, &filter, app.site.region, visit.lang);
    let filter = filter.public(visit.today());
    let number = page_number(&query);
    let (total, lines) = app
        .store
        .read(move |q| -> Result<_, StoreError> {
            let offset = i64::from(number - 1) * i64::from(PAGE);
            Ok((
                queries::count(q, &filter, None)?,
                queries::list(q, &filter, None, PAGE, offset)?,
            ))
        })
        .await?;
    let pager = Pager::new("/articles", &query, number, PAGE, total);
    let (status, errors) = refused(wrong);
    let errors = errors.told(visit.lang);
    let page = Page::new(&app, &visit, visit.lang.text("articles.title"));
    visit.show_with(
        status,
        &ListPage {
            page,
            errors,
            fields,
            asked,
            lines,
            pager,
        },
    )
}

#[derive(Template)]
#[template(path = "article/article.html")]
struct ArticlePage<'a> {
    page: Page,
    article: &'a Article,
    parts: Vec<Part<'a>>,
    category: &'static str,
    newer: Option<Neighbour>,
    older: Option<Neighbour>,
}

fn category_name(category: Category, lang: Lang) -> &'static str {
    if lang.is_english() {
        category.en()
    } else {
        category.zh()
    }
}

async fn show(Shared(app): Shared<App>, visit: Visit, Path(id): Path<String>) -> Answer {
    let missing = || {
        WebError::from(Refusal::not_found(
            "没有这篇文章，或者它已下线。请从文章列表重新查找。",
        ))
    };
    let id: ArticleId = id.parse().map_err(|_| missing().with_visit(&visit))?;
    let today = visit.today();
    let found = app
        .store
        .read(move |q| -> Result<_, StoreError> {
            let article = queries::find(q, id)?.filter(|article| article.is_public(today));
            let Some(article) = article else {
                return Ok(None);
            };
            let (newer, older) = queries::neighbours(q, &article, today)?;
            Ok(Some((article, newer, older)))
        })
        .await?;
    let (article, newer, older) = found.ok_or_else(|| missing().with_visit(&visit))?;
    let page = Page::new(&app, &visit, article.title.clone());
    let parts = reading::split(&article.body);
    let category = category_name(article.category, visit.lang);
    visit.show(&ArticlePage {
        page,
        article: &article,
        parts,
        category,
        newer,
        older,
    })
}

async fn atom(Shared(app): Shared<App>, visit: Visit) -> Answer {
    let filter = Filter::default().public(visit.today());
    let lines = app
        .store
        .read(move |q| -> Result<_, StoreError> { queries::list(q, &filter, None, FEED, 0) })
        .await?;
    let title = format!("{}{}", app.site.city, Lang::ZH.text("articles.title"));
    let xml = feed::atom(&title, &app.site.region.to_string(), &lines, visit.today());
    Ok(([(CONTENT_TYPE, "application/atom+xml; charset=utf-8")], xml).into_response())
}
