//! Articles for programs: the public list and one article.

use axum::Json;
use axum::extract::{Path, State as Shared};
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use super::queries::{self, Article, Filter};
use crate::access::Rule;
use crate::ids::ArticleId;
use crate::refusal::Refusal;
use crate::store::StoreError;
use crate::web::{Answer, App, Problem, Route, Visit, get};

/// Articles on a page.
const ROWS: u32 = 50;

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/api/articles", Rule::Public, list),
        get("/api/articles/{id}", Rule::Public, show),
    ]
}

/// A page of the list.
#[derive(Serialize, ToSchema)]
pub struct ArticleList {
    /// How many articles there are in all.
    total: u64,
    /// The page, from 1; 50 articles each.
    page: u32,
    /// The newest first.
    articles: Vec<ListedArticle>,
}

/// An article in the list.
#[derive(Serialize, ToSchema)]
pub struct ListedArticle {
    id: String,
    title: String,
    /// The tag without its brackets.
    tag: Option<String>,
    /// Name of the region; empty for the whole city.
    region: &'static str,
    /// Code of the kind of text.
    category: &'static str,
    summary: String,
    /// YYYY-MM-DD.
    date: String,
}

/// One article.
#[derive(Serialize, ToSchema)]
pub struct ArticleView {
    id: String,
    title: String,
    /// The tag without its brackets.
    tag: Option<String>,
    /// Region code (GB/T 2260); null for the whole city.
    region: Option<String>,
    /// Code of the kind of text.
    category: &'static str,
    /// The text as written.
    body: String,
    /// YYYY-MM-DD.
    date: String,
}

fn plain(pieces: Vec<super::Piece>) -> String {
    pieces.into_iter().map(|piece| piece.text).collect()
}

/// Published articles.
#[utoipa::path(get, path = "/api/articles", tag = "articles", params(
    ("q" = Option<String>, Query, description = "words looked for"),
    ("region" = Option<String>, Query, description = "region code", pattern = "^(|[0-9]{6}|[0-9]{9})$"),
    ("from" = Option<String>, Query, description = "first day, YYYY-MM-DD"),
    ("to" = Option<String>, Query, description = "last day, YYYY-MM-DD"),
    ("page" = Option<u32>, Query, minimum = 1, maximum = 1_000_000)),
    responses((status = 200, body = ArticleList), (status = 422, body = Problem)))]
pub(crate) async fn list(Shared(app): Shared<App>, visit: Visit) -> Answer {
    let query = visit.path.split_once('?').map_or("", |(_, query)| query);
    let (filter, wrong) = Filter::read(query);
    if !wrong.is_empty() {
        return Err(Refusal::fields(wrong).into());
    }
    let filter = filter.public(visit.today());
    let page = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "page");
    let page = crate::web::asked_page(&page.unwrap_or_default().1)?;
    let read = app.store.read(move |q| {
        let offset = i64::from(page - 1) * i64::from(ROWS);
        Ok::<_, StoreError>((
            queries::count(&**q, &filter, None)?,
            queries::list(&**q, &filter, None, ROWS, offset)?,
        ))
    });
    let (total, lines) = read.await?;
    let articles = lines.into_iter().map(|line| ListedArticle {
        id: line.id.to_string(),
        title: plain(line.title),
        tag: line.tag,
        region: line.region,
        category: line.category.code(),
        summary: plain(line.summary),
        date: line.published_on.to_string(),
    });
    let list = ArticleList {
        total,
        page,
        articles: articles.collect(),
    };
    Ok(Json(list).into_response())
}

/// One published article.
#[utoipa::path(get, path = "/api/articles/{id}", tag = "articles", params(("id" = String, Path)),
    responses((status = 200, body = ArticleView), (status = 404, body = Problem)))]
pub(crate) async fn show(
    Shared(app): Shared<App>,
    visit: Visit,
    Path(id): Path<ArticleId>,
) -> Answer {
    let found = app.store.read(move |q| queries::find(&**q, id)).await?;
    let found = found.filter(|article| article.is_public(visit.today()));
    let article: Article = found
        .ok_or_else(|| Refusal::not_found("没有这篇文章，或者它已下线。请从文章列表重新查找。"))?;
    let view = ArticleView {
        id: article.id.to_string(),
        title: article.title,
        tag: article.tag,
        region: article.region.map(|code| code.to_string()),
        category: article.category.code(),
        body: article.body,
        date: article.published_on.to_string(),
    };
    Ok(Json(view).into_response())
}
