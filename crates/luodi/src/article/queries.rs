//! Read models of articles: the lists of the public and of the desk, one article with its
//! neighbours, and what exports need.

use jiff::civil::Date;
use vocab::{RegionCode, region};

use super::search::{self, Piece};
use super::{Category, State};
use crate::access::{Actor, code_range};
use crate::ids::ArticleId;
use crate::params;
use crate::refusal::FieldError;
use crate::store::{Query, Row, StoreError, Value};

/// Articles on one page of a list.
pub const PAGE: u32 = 20;
/// The most rows of an exported list.
pub const EXPORTED: u32 = 20_000;

/// What a list is narrowed to. Everything empty: all articles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// The words typed.
    pub question: String,
    /// Articles of this region and what lies in it; of a city also those of no region.
    pub region: Option<RegionCode>,
    /// Of this kind only.
    pub category: Option<Category>,
    /// Not before this day.
    pub from: Option<Date>,
    /// Not after this day.
    pub to: Option<Date>,
    /// In this state only; the public lists always say published.
    pub state: Option<State>,
    /// What the public reads on this day: a published article waits for the day it bears.
    pub public_on: Option<Date>,
}

impl Filter {
    /// Reads a filter from the query of an address, with what is wrong in it. A wrong value
    /// filters nothing.
    pub fn read(query: &str) -> (Self, Vec<FieldError>) {
        let mut filter = Self::default();
        let mut wrong = Vec::new();
        let mut note = |field: &str, rule: &'static str, message: &str| {
            wrong.push(FieldError {
                field: field.to_owned(),
                rule: rule.into(),
                message: message.to_owned(),
            });
        };
        for (name, value) in form_urlencoded::parse(query.as_bytes()).take(20) {
            let value = value.trim();
            if value.is_empty() {
                continue;
            }
            match &*name {
                "q" => {
                    filter.question = value
                        .chars()
                        .take(100)
                        .filter(|c| !c.is_control())
                        .collect()
                }
                "region" => match RegionCode::parse(value)
                    .ok()
                    .filter(|code| region::find(*code).is_some())
                {
                    Some(code) => filter.region = Some(code),
                    None => note("region", "region", "没有这个地区，请重新选择。"),
                },
                "category" => match Category::from_code(value) {
                    Some(category) => filter.category = Some(category),
                    None => note("category", "choice", "没有这个栏目，请重新选择。"),
                },
                "state" => match State::from_code(value) {
                    Some(state) => filter.state = Some(state),
                    None => note("state", "choice", "没有这个状态，请重新选择。"),
                },
                "from" | "to" => match vocab::date::read(value) {
                    Ok(date) if name == "from" => filter.from = Some(date),
                    Ok(date) => filter.to = Some(date),
                    Err(error) => note(&name, error.code(), &format!("{}。", error.message_zh())),
                },
                _ => {}
            }
        }
        if let (Some(from), Some(to)) = (filter.from, filter.to)
            && from > to
        {
            note("to", "date-order", "结束日期早于开始日期，请对调。");
        }
        (filter, wrong)
    }

    /// The same narrowed to what the public reads on a day.
    #[must_use]
    pub fn public(self, today: Date) -> Self {
        Self {
            state: Some(State::Published),
            public_on: Some(today),
            ..self
        }
    }

    /// Whether nothing is asked.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The folded words to find.
    pub fn terms(&self) -> Vec<String> {
        search::terms(&self.question)
    }

    fn conditions(&self, actor: Option<&Actor>, params: &mut Vec<Value>) -> String {
        let mut conditions = vec!["1 = 1".to_owned()];
        let mut bind = |value: Value| {
            params.push(value);
            format!("?{}", params.len())
        };
        if let Some(state) = self.state {
            conditions.push(format!("a.state = {}", bind(state.code().into())));
        }
        if let Some(category) = self.category {
            conditions.push(format!("a.category = {}", bind(category.code().into())));
        }
        if let Some(day) = self.public_on {
            conditions.push(format!("a.published_on <= {}", bind(day.into())));
        }
        if let Some(from) = self.from {
            conditions.push(format!("a.published_on >= {}", bind(from.into())));
        }
        if let Some(to) = self.to {
            conditions.push(format!("a.published_on <= {}", bind(to.into())));
        }
        let own = actor.map(|actor| actor.region);
        for code in self.region.into_iter().chain(own) {
            let (low, high) = code_range(code);
            // No region means the city. The function also keeps the engine on the index by date,
            // from which a whole city's newest are the first rows.
            let column = if code == super::city_of(code) {
                format!("COALESCE(a.region_code, {})", bind(code.into()))
            } else {
                "a.region_code".to_owned()
            };
            let (low, high) = (bind(low.into()), bind(high.into()));
            conditions.push(format!("({column} >= {low} AND {column} <= {high})"));
        }
        for term in self.terms() {
            conditions.push(format!(
                "a.folded LIKE {} ESCAPE '!'",
                bind(search::pattern(&term).into())
            ));
        }
        conditions.join(" AND ")
    }
}

/// A line of a list.
#[derive(Clone, Debug)]
pub struct Line {
    /// Which article.
    pub id: ArticleId,
    /// The title, in pieces where words were looked for.
    pub title: Vec<Piece>,
    /// The tag without its brackets.
    pub tag: Option<String>,
    /// The region's name, or empty for the whole city.
    pub region: &'static str,
    /// Its code; none for the whole city.
    pub region_code: Option<RegionCode>,
    /// The kind of text.
    pub category: Category,
    /// The summary, or the surroundings of the first hit.
    pub summary: Vec<Piece>,
    /// The day it bears.
    pub published_on: Date,
    /// Where it stands.
    pub state: State,
}

impl Line {
    /// Published, and not yet read by the public on this day.
    pub fn is_scheduled(&self, today: Date) -> bool {
        is_scheduled(self.state, self.published_on, today)
    }

    /// Where it stands, in words.
    pub fn standing(&self, today: Date) -> String {
        if self.is_scheduled(today) {
            return format!("将于 {} 发布", self.published_on);
        }
        self.state.zh().to_owned()
    }
}

fn is_scheduled(state: State, published_on: Date, today: Date) -> bool {
    state == State::Published && published_on > today
}

/// How many articles pass the filter. `actor`: only those an editor may see on the desk.
///
/// # Errors
/// What the store reports.
pub fn count(q: &dyn Query, filter: &Filter, actor: Option<&Actor>) -> Result<u64, StoreError> {
    let mut params = Vec::new();
    let conditions = filter.conditions(actor, &mut params);
    q.row(
        &format!("SELECT COUNT(*) FROM article a WHERE {conditions}"),
        params,
        |row| row.get(0),
    )
}

/// The articles that pass the filter, newest first.
///
/// # Errors
/// What the store reports.
pub fn list(
    q: &dyn Query,
    filter: &Filter,
    actor: Option<&Actor>,
    limit: u32,
    offset: i64,
) -> Result<Vec<Line>, StoreError> {
    let terms = filter.terms();
    // The body is read only where a hit in it may have to be shown.
    let body = if terms.is_empty() { "''" } else { "a.body" };
    let mut params = Vec::new();
    let conditions = filter.conditions(actor, &mut params);
    params.push(limit.into());
    params.push(offset.into());
    let sql = format!(
        "SELECT a.id, a.title, a.tag, a.region_code, a.category, a.summary, a.published_on, a.state, {body} \
         FROM article a WHERE {conditions} ORDER BY a.published_on DESC, a.id DESC LIMIT ?{} OFFSET ?{}",
        params.len() - 1,
        params.len()
    );
    q.rows(&sql, params, |row| read_line(row, &terms))
}

fn read_line(row: &Row<'_>, terms: &[String]) -> Result<Line, StoreError> {
    let summary: String = row.get(5)?;
    let mut shown = search::mark(&summary, terms);
    if !shown.iter().any(|piece| piece.hit) {
        shown = search::snippet(&row.get::<String>(8)?, terms).unwrap_or(shown);
    }
    Ok(Line {
        id: row.get(0)?,
        title: search::mark(&row.get::<String>(1)?, terms),
        tag: row.get(2)?,
        region: region_name(row.get(3)?),
        region_code: row.get(3)?,
        category: read_category(row, 4)?,
        summary: shown,
        published_on: row.get(6)?,
        state: read_state(row, 7)?,
    })
}

/// The name of the region with a code; empty where there is none.
fn region_name(code: Option<RegionCode>) -> &'static str {
    code.and_then(region::find).map_or("", |region| region.name)
}

fn read_category(row: &Row<'_>, column: usize) -> Result<Category, StoreError> {
    let code: String = row.get(column)?;
    Category::from_code(&code).ok_or_else(|| StoreError::Value(format!("no category {code}")))
}

fn read_state(row: &Row<'_>, column: usize) -> Result<State, StoreError> {
    let code: String = row.get(column)?;
    State::from_code(&code).ok_or_else(|| StoreError::Value(format!("no state {code}")))
}

/// A whole article.
#[derive(Clone, Debug)]
pub struct Article {
    /// Which one.
    pub id: ArticleId,
    /// The title without its tag.
    pub title: String,
    /// The tag without its brackets.
    pub tag: Option<String>,
    /// The region; none for the whole city.
    pub region: Option<RegionCode>,
    /// The kind of text.
    pub category: Category,
    /// The body as written.
    pub body: String,
    /// The day it bears.
    pub published_on: Date,
    /// Where it stands.
    pub state: State,
    /// Whether it came by import.
    pub imported: bool,
    /// Grows with every change.
    pub version: i64,
}

impl Article {
    /// Whether the public reads it on this day.
    pub fn is_public(&self, today: Date) -> bool {
        self.state == State::Published && self.published_on <= today
    }

    /// Published, and not yet read by the public on this day.
    pub fn is_scheduled(&self, today: Date) -> bool {
        is_scheduled(self.state, self.published_on, today)
    }

    /// The region's name, or empty for the whole city.
    pub fn region_name(&self) -> &'static str {
        region_name(self.region)
    }
}

/// One article in any state.
///
/// # Errors
/// What the store reports.
pub fn find(q: &dyn Query, id: ArticleId) -> Result<Option<Article>, StoreError> {
    q.row_opt(
        "SELECT id, title, tag, region_code, category, body, published_on, state, source_position, version \
         FROM article WHERE id = ?1",
        params![id],
        |row| {
            Ok(Article {
                id: row.get(0)?,
                title: row.get(1)?,
                tag: row.get(2)?,
                region: row.get(3)?,
                category: read_category(row, 4)?,
                body: row.get(5)?,
                published_on: row.get(6)?,
                state: read_state(row, 7)?,
                imported: row.get::<Option<i64>>(8)?.is_some(),
                version: row.get(9)?,
            })
        },
    )
}

pub(super) fn text(q: &dyn Query, id: ArticleId) -> Result<Article, StoreError> {
    find(q, id)?.ok_or_else(|| StoreError::NotFound(format!("article {id}")))
}

/// A neighbour in the order of the public list.
#[derive(Clone, Debug)]
pub struct Neighbour {
    /// Which article.
    pub id: ArticleId,
    /// Its title.
    pub title: String,
}

/// The articles just newer and just older than one that the public reads on a day.
///
/// # Errors
/// What the store reports.
pub fn neighbours(
    q: &dyn Query,
    article: &Article,
    today: Date,
) -> Result<(Option<Neighbour>, Option<Neighbour>), StoreError> {
    let next = |sql: &str| {
        let params = params![article.published_on, article.id, today];
        q.row_opt(sql, params, |row| {
            Ok(Neighbour {
                id: row.get(0)?,
                title: row.get(1)?,
            })
        })
    };
    let newer = next(
        "SELECT id, title FROM article WHERE state = 'published' AND published_on <= ?3 \
         AND published_on >= ?1 AND (published_on > ?1 OR id > ?2) ORDER BY published_on, id LIMIT 1",
    )?;
    let older = next(
        "SELECT id, title FROM article WHERE state = 'published' AND published_on <= ?3 \
         AND published_on <= ?1 AND (published_on < ?1 OR id < ?2) ORDER BY published_on DESC, id DESC LIMIT 1",
    )?;
    Ok((newer, older))
}

/// The greatest position given to an imported block, 0 where there is none.
pub(super) fn last_position(q: &dyn Query) -> Result<i64, StoreError> {
    q.row(
        "SELECT COALESCE(MAX(source_position), 0) FROM article",
        params![],
        |row| row.get(0),
    )
}

/// The imported articles in the order of import.
pub(super) fn imported(q: &dyn Query) -> Result<Vec<ArticleId>, StoreError> {
    q.rows(
        "SELECT id FROM article WHERE source_position IS NOT NULL ORDER BY source_position, id",
        params![],
        |row| row.get(0),
    )
}

/// The articles that the public reads on a day, newest first.
pub(super) fn published(q: &dyn Query, today: Date) -> Result<Vec<ArticleId>, StoreError> {
    q.rows(
        "SELECT id FROM article WHERE state = 'published' AND published_on <= ?1 \
         ORDER BY published_on DESC, id DESC",
        params![today],
        |row| row.get(0),
    )
}

/// The bytes an imported article came in.
pub(super) fn source_block(q: &dyn Query, id: ArticleId) -> Result<Vec<u8>, StoreError> {
    q.row(
        "SELECT source_block FROM article WHERE id = ?1",
        params![id],
        |row| row.get(0),
    )
}
