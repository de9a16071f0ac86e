//! Pages of all batches: the list, its workbook, and a new batch.
//!
//! It lacks rules: the commands decide.

use askama::Template;
use axum::extract::{Query as UrlQuery, State};
use axum::http::StatusCode;
use vocab::{Fen, Quarter};

use super::batch::{self, MAKERS, create_batch};
use super::batch_pages::READERS;
use super::batch_queries::{BatchFilter, ListedBatch, Sum, count_by_state, list_batches};
use super::budget_pages::{Asked, asked, crumb, raw_query, region_name};
use super::queries::{BudgetRow, budgets_for};
use super::state::BatchState;
use crate::access::{Actor, Rule, Scope, may_see};
use crate::ids::{BatchId, ItemId};
use crate::item;
use crate::refusal::{Error, Refusal, Refusals, Result};
use crate::store::{Command, Query};
use crate::web::export::{Cell, xlsx};
use crate::web::filters;
use crate::web::form::{Chip, Choice, Errors, refused};
use crate::web::{Answer, App, Crumb, Page, Pager, Posted, Route, Visit, WebError, get, post};

const MAKING: Rule = Rule::Staff(MAKERS);

const ROWS: u32 = 30;
/// The most rows of one export.
const EXPORT_ROWS: u32 = 20_000;

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/batches", READERS, list),
        get("/batches/export.xlsx", READERS, export),
        get("/batches/new", MAKING, ask_new),
        post("/batches/new", MAKING, create),
    ]
}

#[derive(Template)]
#[template(path = "fund/batches.html")]
struct ListPage {
    page: Page,
    text: String,
    period: String,
    state: String,
    chips: Vec<Chip>,
    sorts: Vec<Choice>,
    rows: Vec<ListedBatch>,
    pager: Pager,
    export: String,
    may_create: bool,
}

fn filter_of(query: &Asked) -> BatchFilter {
    BatchFilter {
        text: asked(query, "q").chars().take(60).collect(),
        state: BatchState::from_code(asked(query, "state")),
        period: asked(query, "period").chars().take(20).collect(),
        sort: asked(query, "sort").to_owned(),
    }
}

async fn list(State(app): State<App>, visit: Visit, UrlQuery(query): UrlQuery<Asked>) -> Answer {
    let actor = visit.actor()?.clone();
    let may_create = actor.roles.any(MAKERS);
    let filter = filter_of(&query);
    let (raw, number) = (
        raw_query(&visit),
        asked(&query, "page").parse().unwrap_or(1),
    );
    let wanted = filter.clone();
    let (rows, counts, pager) = app
        .store
        .read(move |q| {
            let counts = count_by_state(&**q, &actor, &wanted)?;
            let found = counts
                .iter()
                .filter(|(state, _)| wanted.state.is_none_or(|it| it == *state));
            let pager = Pager::new(
                "/batches",
                &raw,
                number,
                ROWS,
                found.map(|(_, count)| count).sum(),
            );
            let rows = list_batches(&**q, &actor, &wanted, ROWS, pager.offset())?;
            Ok::<_, Error>((rows, counts, pager))
        })
        .await?;
    visit.show(&ListPage {
        page: Page::new(&app, &visit, "批次"),
        chips: state_chips(filter.state, &counts),
        sorts: [("", "按时间"), ("amount", "按金额")]
            .map(|(value, label)| Choice::new(value, label, &filter.sort))
            .into(),
        export: pager.base.replacen("/batches?", "/batches/export.xlsx?", 1),
        state: filter.state.map_or("", BatchState::code).to_owned(),
        text: filter.text,
        period: filter.period,
        rows,
        pager,
        may_create,
    })
}

fn state_chips(current: Option<BatchState>, counts: &[(BatchState, u64)]) -> Vec<Chip> {
    let chip = |state: Option<BatchState>| Chip {
        href: state.map_or_else(
            || "/batches".to_owned(),
            |state| format!("/batches?state={}", state.code()),
        ),
        label: state.map_or("全部", BatchState::zh).to_owned(),
        count: Some(
            counts
                .iter()
                .filter(|(s, _)| state.is_none_or(|it| it == *s))
                .map(|(_, n)| n)
                .sum(),
        ),
        current: state == current,
    };
    std::iter::once(None)
        .chain(BatchState::ALL.iter().copied().map(Some))
        .map(chip)
        .collect()
}

async fn export(State(app): State<App>, visit: Visit, UrlQuery(query): UrlQuery<Asked>) -> Answer {
    let (actor, filter) = (visit.actor()?.clone(), filter_of(&query));
    let rows = app
        .store
        .read(move |q| list_batches(&**q, &actor, &filter, EXPORT_ROWS, 0))
        .await?;
    let headers = [
        "批次号",
        "名单",
        "期次",
        "区域",
        "状态",
        "项数",
        "金额（元）",
        "已付项数",
        "已付（元）",
        "暂缓项数",
    ];
    let cells: Vec<Vec<Cell>> = rows
        .into_iter()
        .map(|row| {
            vec![
                row.batch.number.into(),
                row.batch.title.into(),
                row.batch.period.into(),
                region_name(row.batch.region).into(),
                row.batch.state.zh().into(),
                (row.listed.count as f64).into(),
                row.listed.amount.into(),
                (row.paid.count as f64).into(),
                row.paid.amount.into(),
                (row.held as f64).into(),
            ]
        })
        .collect();
    xlsx("批次", &headers, &cells)
}

/// Cases that wait for a batch: one row a period of an item.
struct Waiting {
    value: String,
    item: ItemId,
    item_name: String,
    period: String,
    waiting: Sum,
    lines: Vec<Choice>,
    chosen: bool,
}

#[derive(Template)]
#[template(path = "fund/batch_new.html")]
struct NewPage {
    page: Page,
    crumbs: Vec<Crumb>,
    errors: Errors,
    rows: Vec<Waiting>,
    most: usize,
}

/// How many quarters back are looked at for waiting cases.
const QUARTERS: usize = 9;

/// What waits in the departments the actor works for, by item and quarter.
fn waiting(
    q: &dyn Query,
    actor: &Actor,
    today: jiff::civil::Date,
    typed: &Posted,
) -> Result<Vec<Waiting>> {
    let mut rows = Vec::new();
    for offered in item::current_items(q)? {
        let scope = Scope {
            region: offered.region,
            department: Some(offered.department),
            party: None,
        };
        if !may_see(actor, &scope) {
            continue;
        }
        let package = item::load(q, &offered.hash)?;
        if batch::waiting_node(&package).is_err() {
            continue;
        }
        let budgets = budgets_for(q, actor, offered.department)?;
        let mut quarter = Quarter::of(today);
        for _ in 0..QUARTERS {
            let period = quarter.to_string();
            let cases = batch::waiting_cases(q, &package, offered.id, &period)?;
            let amount =
                Fen::checked_sum(cases.iter().map(|case| case.amount)).unwrap_or(Fen(i64::MAX));
            let value = format!("{}-{period}", offered.id);
            if !cases.is_empty() {
                let chosen =
                    typed.get("item") == offered.id.to_string() && typed.get("period") == period;
                rows.push(Waiting {
                    value,
                    item: offered.id,
                    item_name: format!("{} · {}", package.item.name, region_name(offered.region)),
                    waiting: Sum {
                        count: cases.len() as u64,
                        amount,
                    },
                    lines: line_choices(
                        &budgets,
                        today,
                        if chosen { typed.get("line") } else { "" },
                    ),
                    chosen,
                    period,
                });
            }
            quarter = quarter.previous();
        }
    }
    Ok(rows)
}

fn line_choices(budgets: &[BudgetRow], today: jiff::civil::Date, current: &str) -> Vec<Choice> {
    let of_year = budgets
        .iter()
        .filter(|budget| budget.year == i64::from(today.year()));
    of_year
        .map(|budget| {
            let available = budget.figures.available;
            let label = format!(
                "{}（{}），可用 {available} 元",
                budget.name, budget.document_number
            );
            Choice::new(budget.id.to_string(), label, current)
        })
        .collect()
}

async fn ask_new(State(app): State<App>, visit: Visit) -> Answer {
    show_new(
        &app,
        &visit,
        StatusCode::OK,
        Posted::default(),
        Errors::default(),
    )
    .await
}

async fn show_new(
    app: &App,
    visit: &Visit,
    status: StatusCode,
    typed: Posted,
    errors: Errors,
) -> Answer {
    let (actor, today) = (visit.actor()?.clone(), visit.today());
    let rows = app
        .store
        .read(move |q| waiting(&**q, &actor, today, &typed))
        .await?;
    let page = NewPage {
        page: Page::new(app, visit, "组成批次"),
        crumbs: vec![crumb("/batches", "批次")],
        errors,
        rows,
        most: batch::MOST_ENTRIES,
    };
    visit.show_with(status, &page)
}

async fn create(State(app): State<App>, visit: Visit, posted: Posted) -> Answer {
    match try_create(&app, &visit, &posted).await {
        Ok(id) => {
            let said = "批次已组成，预算已按每一项预留。请核对拟补名单后公示。";
            Ok(visit.redirect(&format!("/batches/{id}"), said))
        }
        Err(error) => {
            let errors = Errors::take(error, &posted)?;
            show_new(
                &app,
                &visit,
                StatusCode::UNPROCESSABLE_ENTITY,
                posted,
                errors,
            )
            .await
        }
    }
}

async fn try_create(app: &App, visit: &Visit, posted: &Posted) -> Result<BatchId, WebError> {
    let actor = visit.actor()?.clone();
    let item: ItemId = posted.id("item")?;
    let period = posted.get("period").to_owned();
    let Ok(line) = posted.get("line").parse() else {
        let mut wrong = Refusals::default();
        let message = "请选择列支的预算指标；没有时请先由财政下达预算。";
        wrong.add("line", "required", message);
        let today = visit.today();
        let check =
            move |q: &dyn Query| batch::check(q, &actor, today, (item, &period, None), wrong);
        return Err(refused(app, check).await);
    };
    let shown = posted.get("count").parse().ok();
    let shown: Option<(u64, i64)> = shown.zip(posted.get("total_fen").parse().ok());
    let (count, fen) = shown.ok_or_else(|| {
        let message = "页面缺少等待列入的项数和金额，请刷新页面后再提交。";
        Refusal::field("period", "version", message)
    })?;
    let command = Command::new("batch.create", visit.now).once(posted.key());
    let done = app.store.write_once(command, move |tx| {
        let amount = Fen(fen);
        batch::as_shown(tx, item, &period, Sum { count, amount })?;
        create_batch(tx, &actor, item, &period, line)
    });
    Ok(done.await?.value)
}
