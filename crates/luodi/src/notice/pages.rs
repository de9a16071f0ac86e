//! The public pages of notices: list, one notice, its table as a file; and the button that ends a
//! notice by hand, which only its department sees.

use std::collections::{HashMap, HashSet};

use askama::Template;
use axum::extract::{Path, Query as UrlQuery, State};
use jiff::civil::Date;
use vocab::{Fen, RegionCode};

use super::NoticeState;
use super::desk_queries::open_of_notice;
use super::publish::{PUBLISHERS, may_publish};
use super::queries::{self, Line, LineState, ListedNotice, Notice, NoticeFilter};
use crate::access::{Rule, may_see};
use crate::account;
use crate::ids::NoticeId;
use crate::refusal::Error;
use crate::store::Command;
use crate::web::export::{self, Cell};
#[allow(unused_imports, reason = "templates find filters by this name")]
use crate::web::filters;
use crate::web::form::{Chip, Choice};
use crate::web::{
    Answer, App, Lang, Page, Pager, Posted, Route, Visit, get, hide_from_search, percent, post,
};

const ROWS: u32 = 20;

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/notices", Rule::Public, list),
        get("/notices/{id}", Rule::Public, show),
        get("/notices/{id}/table.csv", Rule::Public, table_csv),
        get("/notices/{id}/table.xlsx", Rule::Public, table_xlsx),
        post("/notices/{id}/end", Rule::Staff(PUBLISHERS), end),
    ]
}

type Asked = HashMap<String, String>;

fn asked<'a>(query: &'a Asked, name: &str) -> &'a str {
    query.get(name).map_or("", |value| value.trim())
}

/// A notice in the list, with what the visitor's language says of its time.
struct Row {
    notice: ListedNotice,
    look: &'static str,
    words: String,
}

#[derive(Template)]
#[template(path = "notice/list.html")]
struct ListPage {
    page: Page,
    text: String,
    state: String,
    regions: Vec<Choice>,
    chips: Vec<Chip>,
    rows: Vec<Row>,
    pager: Pager,
}

async fn list(State(app): State<App>, visit: Visit, UrlQuery(query): UrlQuery<Asked>) -> Answer {
    let filter = NoticeFilter {
        text: asked(&query, "q").chars().take(60).collect(),
        region: RegionCode::parse(asked(&query, "region")).ok(),
        state: NoticeState::from_code(asked(&query, "state")),
    };
    let number = asked(&query, "page").parse().unwrap_or(1);
    let raw = visit
        .path
        .split_once('?')
        .map_or("", |(_, raw)| raw)
        .to_owned();
    let wanted = filter.clone();
    let (rows, pager) = app
        .store
        .read(move |q| {
            let pager = Pager::new(
                "/notices",
                &raw,
                number,
                ROWS,
                queries::count(&**q, &wanted)?,
            );
            let rows = queries::list(&**q, &wanted, ROWS, pager.offset())?;
            Ok::<_, Error>((rows, pager))
        })
        .await?;
    let page = Page::new(&app, &visit, visit.lang.text("notice.title"));
    let today = visit.today();
    let rows = rows
        .into_iter()
        .map(|notice| row(&page, notice, today))
        .collect();
    visit.show(&ListPage {
        chips: chips(&page, &query),
        regions: regions(&app, asked(&query, "region"), visit.lang),
        state: asked(&query, "state").to_owned(),
        text: filter.text,
        page,
        rows,
        pager,
    })
}

fn row(page: &Page, notice: ListedNotice, today: Date) -> Row {
    let left = today
        .until(notice.ends_on)
        .map_or(-1, |span| span.get_days());
    let left = (notice.is_open(today)).then_some(left);
    let (look, words) = time_words(page, notice.state, left);
    Row {
        notice,
        look,
        words,
    }
}

/// Where a notice stands in time, as look and words.
fn time_words(page: &Page, state: NoticeState, left: Option<i32>) -> (&'static str, String) {
    match (state, left) {
        (NoticeState::Open, Some(0)) => ("now", page.t("notice.last_day")),
        (NoticeState::Open, Some(days)) => (
            "now",
            page.t("notice.days_left")
                .replace("{days}", &days.to_string()),
        ),
        (NoticeState::Open, None) => ("wait", page.t("notice.over")),
        (NoticeState::Ended, _) => ("plain", page.t("notice.ended")),
    }
}

fn chips(page: &Page, query: &Asked) -> Vec<Chip> {
    let kept = ["q", "region"].map(|name| match asked(query, name) {
        "" => String::new(),
        value => format!("&{name}={}", percent(value)),
    });
    [
        ("", "notice.all"),
        ("open", "notice.open"),
        ("ended", "notice.ended"),
    ]
    .map(|(state, label)| Chip {
        href: format!("/notices?state={state}{}", kept.concat()),
        label: page.t(label),
        count: None,
        current: asked(query, "state") == state,
    })
    .into()
}

fn regions(app: &App, current: &str, lang: Lang) -> Vec<Choice> {
    vocab::region::children(app.site.region)
        .iter()
        .map(|region| Choice::new(region.code.to_string(), lang.region(region.code), current))
        .collect()
}

/// A line of the table, with what became of it once the notice has ended.
struct ShownLine {
    line: Line,
    result: &'static str,
    look: &'static str,
}

/// What the notice's own department sees beside it.
struct Desk {
    open_objections: u64,
    may_end: bool,
}

#[derive(Template)]
#[template(path = "notice/show.html")]
struct ShowPage {
    page: Page,
    notice: Notice,
    department: String,
    masked_by: String,
    lines: Vec<ShownLine>,
    total: Fen,
    look: &'static str,
    words: String,
    open: bool,
    desk: Option<Desk>,
}

impl ShowPage {
    /// How many beneficiaries the lines name.
    fn parties(&self) -> usize {
        let parties = self.lines.iter().map(|shown| shown.line.party);
        parties.collect::<HashSet<_>>().len()
    }

    fn is_ended(&self) -> bool {
        self.notice.state == NoticeState::Ended
    }
}

struct Found {
    notice: Notice,
    department: String,
    masked_by: String,
    lines: Vec<(Line, LineState)>,
    open_objections: u64,
}

async fn load(app: &App, id: NoticeId) -> crate::refusal::Result<Found> {
    app.store
        .read(move |q| {
            let notice = queries::find(&**q, id)?;
            let department = account::department(&**q, notice.department)?;
            Ok(Found {
                department: department.map_or_else(String::new, |it| it.name),
                masked_by: account::name_of(&**q, notice.published_by)?,
                lines: queries::lines_with_states(&**q, &notice)?,
                open_objections: open_of_notice(&**q, id)?,
                notice,
            })
        })
        .await
}

async fn show(State(app): State<App>, visit: Visit, Path(id): Path<NoticeId>) -> Answer {
    let found = load(&app, id).await?;
    let today = visit.today();
    let page = Page::new(&app, &visit, found.notice.title.clone());
    let (look, words) = time_words(&page, found.notice.state, found.notice.days_left(today));
    let total = found.lines.iter().map(|(line, _)| line.amount).sum();
    let ended = found.notice.state == NoticeState::Ended;
    let lines = found
        .lines
        .into_iter()
        .map(|(line, state)| {
            let (result, look) = match state {
                LineState::Removed => ("notice.removed", "bad"),
                _ if !ended => ("", ""),
                LineState::Held => ("notice.held", "wait"),
                LineState::Clear => ("notice.final", "good"),
            };
            ShownLine { line, result, look }
        })
        .collect();
    let hidden = found.notice.is_hidden_from_search(today);
    let template = ShowPage {
        desk: desk(&visit, &found.notice, found.open_objections),
        open: found.notice.is_open(today),
        department: found.department,
        masked_by: found.masked_by,
        notice: found.notice,
        page,
        lines,
        total,
        look,
        words,
    };
    let mut answer = visit.show(&template)?;
    if hidden {
        hide_from_search(&mut answer);
    }
    Ok(answer)
}

fn desk(visit: &Visit, notice: &Notice, open_objections: u64) -> Option<Desk> {
    let actor = visit.actor.as_ref()?;
    if !actor.is_staff() || !may_see(actor, &notice.scope()) {
        return None;
    }
    let over = notice.state == NoticeState::Open && !notice.is_open(visit.today());
    Some(Desk {
        open_objections,
        may_end: over && may_publish(actor, &notice.scope()).is_ok(),
    })
}

const HEADERS: [&str; 5] = ["序号", "名称（自然人已脱敏）", "内容", "金额（元）", "结果"];

async fn table(app: &App, id: NoticeId) -> crate::refusal::Result<(String, Vec<Vec<Cell>>)> {
    let found = load(app, id).await?;
    let ended = found.notice.state == NoticeState::Ended;
    let rows = found.lines.into_iter().map(|(line, state)| {
        let result = match state {
            LineState::Removed => "异议成立，已移出",
            _ if !ended => "",
            LineState::Held => "暂缓",
            LineState::Clear => "列入最终名单",
        };
        vec![
            Cell::Number(f64::from(line.position)),
            line.name.into(),
            line.summary.into(),
            line.amount.into(),
            result.into(),
        ]
    });
    Ok((found.notice.number, rows.collect()))
}

async fn table_csv(State(app): State<App>, Path(id): Path<NoticeId>) -> Answer {
    let (name, rows) = table(&app, id).await?;
    let mut answer = export::csv(&name, &HEADERS, &rows);
    hide_from_search(&mut answer);
    Ok(answer)
}

async fn table_xlsx(State(app): State<App>, Path(id): Path<NoticeId>) -> Answer {
    let (name, rows) = table(&app, id).await?;
    let mut answer = export::xlsx(&name, &HEADERS, &rows)?;
    hide_from_search(&mut answer);
    Ok(answer)
}

async fn end(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<NoticeId>,
    posted: Posted,
) -> Answer {
    let actor = visit.actor()?.clone();
    let version = posted.version("version")?;
    let command = Command::new("notice.end", visit.now).once(posted.key());
    let done = app
        .store
        .write_once(command, move |tx| super::end(tx, &actor, id, version));
    let ended = done.await?.value;
    let held = match ended.held {
        0 => String::new(),
        held => format!("，{held} 项因异议未答复继续暂缓"),
    };
    let text = format!(
        "公示 {} 已结束：{} 项列入最终名单{held}。",
        ended.number, ended.finalised
    );
    Ok(visit.redirect(&format!("/notices/{id}"), &text))
}
