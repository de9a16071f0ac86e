//! Pages of budgets: the list with its figures, a new line, one line with its postings.
//!
//! It lacks rules: the commands decide.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Path, Query as UrlQuery, State};
use axum::http::StatusCode;
use jiff::civil::Date;
use ledger::{AccountKind, MovementKind};
use vocab::{Fen, RegionCode};

use super::queries::{
    self, BudgetFilter, BudgetRow, Figures, PostingFilter, PostingRow, count_budgets, find_budget,
    list_budgets, list_postings, sum_budgets,
};
use super::{NewBudget, adjust_budget, budget, create_budget};
use crate::access::{Actor, Role, Rule};
use crate::account::{self, Department};
use crate::ids::{BudgetLineId, DepartmentId};
use crate::refusal::{Error, Refusals};
use crate::store::{Command, Query};
use crate::web::export::{Cell, logged, xlsx};
use crate::web::filters;
use crate::web::form::{Chip, Choice, Errors, refused};
use crate::web::{Answer, App, Crumb, Page, Pager, Posted, Route, Visit, WebError, get, post};

const READERS: Rule = Rule::Staff(&[
    Role::Finance,
    Role::CaseHandler,
    Role::Reviewer,
    Role::Approver,
    Role::Leader,
]);
const FINANCE: Rule = Rule::Staff(&[Role::Finance]);

const ROWS: u32 = 50;
/// The most rows of one export.
const EXPORT_ROWS: u32 = 50_000;

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/budgets", READERS, list),
        get("/budgets/export.xlsx", READERS, export),
        get("/budgets/new", FINANCE, ask_new),
        post("/budgets/new", FINANCE, create),
        get("/budgets/{id}", READERS, show),
        post("/budgets/{id}", FINANCE, adjust),
        get("/budgets/{id}/postings.xlsx", READERS, export_postings),
    ]
}

pub(super) type Asked = HashMap<String, String>;

pub(super) fn asked<'a>(query: &'a Asked, name: &str) -> &'a str {
    query.get(name).map_or("", |value| value.trim())
}

/// The query string of a visit, as a pager wants it.
pub(super) fn raw_query(visit: &Visit) -> String {
    visit
        .path
        .split_once('?')
        .map_or_else(String::new, |(_, raw)| raw.to_owned())
}

/// A region's name; the code where it is unknown.
pub(super) fn region_name(code: RegionCode) -> String {
    vocab::region::find(code).map_or_else(|| code.to_string(), |region| region.name.to_owned())
}

/// The departments of the actor's region, to choose from and to name.
pub(super) fn department_choices(departments: &[Department], current: &str) -> Vec<Choice> {
    let label = |d: &Department| format!("{} · {}", region_name(d.region), d.name);
    departments
        .iter()
        .map(|d| Choice::new(d.id.to_string(), label(d), current))
        .collect()
}

/// The name of one of the departments.
pub(super) fn department_name(departments: &[Department], id: DepartmentId) -> String {
    departments
        .iter()
        .find(|d| d.id == id)
        .map_or_else(String::new, |d| d.name.clone())
}

fn filter_of(query: &Asked) -> BudgetFilter {
    BudgetFilter {
        text: asked(query, "q").chars().take(60).collect(),
        year: asked(query, "year").parse().ok(),
        region: RegionCode::parse(asked(query, "region")).ok(),
        department: asked(query, "department").parse().ok(),
        sort: asked(query, "sort").to_owned(),
    }
}

/// A figure that leads to its postings.
pub(super) struct FigureLink {
    pub(super) label: &'static str,
    pub(super) amount: Fen,
    pub(super) href: String,
}

fn figure_links(id: BudgetLineId, figures: &Figures) -> Vec<FigureLink> {
    let link = |(kind, amount): (AccountKind, Fen)| FigureLink {
        label: kind.zh(),
        amount,
        href: format!("/budgets/{id}?account={}#postings", kind.code()),
    };
    figures.each().into_iter().map(link).collect()
}

struct ListedBudget {
    budget: BudgetRow,
    department: String,
    figures: Vec<FigureLink>,
}

#[derive(Template)]
#[template(path = "fund/budgets.html")]
struct ListPage {
    page: Page,
    text: String,
    years: Vec<Choice>,
    departments: Vec<Choice>,
    sorts: Vec<Choice>,
    rows: Vec<ListedBudget>,
    totals: Vec<(&'static str, Fen)>,
    pager: Pager,
    export: String,
    may_create: bool,
}

async fn list(State(app): State<App>, visit: Visit, UrlQuery(query): UrlQuery<Asked>) -> Answer {
    let actor = visit.actor()?.clone();
    let filter = filter_of(&query);
    let (raw, number) = (
        raw_query(&visit),
        asked(&query, "page").parse().unwrap_or(1),
    );
    let wanted = filter.clone();
    let (rows, total, pager, departments) = app
        .store
        .read(move |q| {
            let count = count_budgets(&**q, &actor, &wanted)?;
            let pager = Pager::new("/budgets", &raw, number, ROWS, count);
            let rows = list_budgets(&**q, &actor, &wanted, ROWS, pager.offset())?;
            let total = sum_budgets(&**q, &actor, &wanted)?;
            Ok::<_, Error>((
                rows,
                total,
                pager,
                account::departments(&**q, actor.region)?,
            ))
        })
        .await?;
    let this_year = visit.today().year();
    let rows = rows.into_iter().map(|budget| ListedBudget {
        department: department_name(&departments, budget.department),
        figures: figure_links(budget.id, &budget.figures),
        budget,
    });
    visit.show(&ListPage {
        page: Page::new(&app, &visit, "资金"),
        years: (this_year - 4..=this_year + 1)
            .rev()
            .map(|year| {
                Choice::new(
                    year.to_string(),
                    format!("{year} 年"),
                    asked(&query, "year"),
                )
            })
            .collect(),
        departments: department_choices(&departments, asked(&query, "department")),
        sorts: [
            ("", "按年度"),
            ("budget", "按预算"),
            ("available", "按可用"),
            ("paid", "按已付"),
        ]
        .map(|(value, label)| Choice::new(value, label, &filter.sort))
        .into(),
        rows: rows.collect(),
        totals: total
            .each()
            .map(|(kind, amount)| (kind.zh(), amount))
            .into(),
        export: pager.base.replacen("/budgets?", "/budgets/export.xlsx?", 1),
        may_create: visit.actor()?.has(Role::Finance),
        text: filter.text,
        pager,
    })
}

async fn export(State(app): State<App>, visit: Visit, UrlQuery(query): UrlQuery<Asked>) -> Answer {
    let (actor, filter) = (visit.actor()?.clone(), filter_of(&query));
    let (rows, departments) = app
        .store
        .read(move |q| {
            let rows = list_budgets(&**q, &actor, &filter, EXPORT_ROWS, 0)?;
            Ok::<_, Error>((rows, account::departments(&**q, actor.region)?))
        })
        .await?;
    let headers = [
        "年度",
        "区域",
        "部门",
        "指标名称",
        "功能分类科目",
        "经济分类科目",
        "项目",
        "指标文号",
        "预算指标（元）",
        "可用指标（元）",
        "拟补承诺（元）",
        "应付（元）",
        "支付中（元）",
        "已付（元）",
    ];
    let cells: Vec<Vec<Cell>> = rows
        .into_iter()
        .map(|row| {
            let mut cells: Vec<Cell> = vec![
                row.year.to_string().into(),
                region_name(row.region).into(),
                department_name(&departments, row.department).into(),
                row.name.into(),
                row.function_code.into(),
                row.economic_code.into(),
                row.project.into(),
                row.document_number.into(),
            ];
            cells.extend(row.figures.each().map(|(_, amount)| Cell::from(amount)));
            cells
        })
        .collect();
    xlsx("预算指标", &headers, &cells)
}

/// One step of the way back.
pub(super) fn crumb(href: &str, label: &str) -> Crumb {
    Crumb {
        href: href.to_owned(),
        label: label.to_owned(),
    }
}

#[derive(Template)]
#[template(path = "fund/budget_new.html")]
struct NewPage {
    page: Page,
    crumbs: Vec<Crumb>,
    errors: Errors,
    typed: Posted,
    departments: Vec<Choice>,
    year: String,
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
    let region = visit.actor()?.region;
    let departments = app
        .store
        .read(move |q| account::departments(&**q, region))
        .await?;
    let year = match typed.get("year") {
        "" => visit.today().year().to_string(),
        year => year.to_owned(),
    };
    let page = NewPage {
        page: Page::new(app, visit, "下达预算"),
        crumbs: vec![crumb("/budgets", "资金")],
        errors,
        departments: department_choices(&departments, typed.get("department")),
        year,
        typed,
    };
    visit.show_with(status, &page)
}

/// Reads the form. What cannot be read has a stand-in and is named as wrong.
fn read_new(posted: &Posted, today: Date) -> (NewBudget, Refusals) {
    let mut wrong = Refusals::default();
    let year = posted.get("year").parse().unwrap_or_else(|_| {
        wrong.add("year", "number", "请填写四位数的预算年度，如 2026。");
        i64::from(today.year())
    });
    let department = posted.get("department").parse().unwrap_or_else(|_| {
        wrong.add("department", "required", "请选择使用资金的部门。");
        DepartmentId(uuid::Uuid::nil())
    });
    let amount = Fen::parse_yuan(posted.get("amount")).unwrap_or_else(|error| {
        wrong.add("amount", error.code(), format!("{}。", error.message_zh()));
        Fen::ZERO
    });
    let text = |name| posted.get(name).to_owned();
    let new = NewBudget {
        year,
        department,
        name: text("name"),
        function_code: text("function_code"),
        economic_code: text("economic_code"),
        project: text("project"),
        document_number: text("document_number"),
        amount,
    };
    (new, wrong)
}

async fn create(State(app): State<App>, visit: Visit, posted: Posted) -> Answer {
    match try_create(&app, &visit, &posted).await {
        Ok(id) => Ok(visit.redirect(&format!("/budgets/{id}"), "预算已下达，可以用于新的批次。")),
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

async fn try_create(app: &App, visit: &Visit, posted: &Posted) -> Result<BudgetLineId, WebError> {
    let actor = visit.actor()?.clone();
    let today = visit.today();
    let (new, wrong) = read_new(posted, today);
    if !wrong.is_empty() {
        let check = move |q: &dyn Query| budget::check(q, &actor, today, &new, wrong);
        return Err(refused(app, check).await);
    }
    let command = Command::new("budget.create", visit.now).once(posted.key());
    let done = app
        .store
        .write_once(command, move |tx| create_budget(tx, &actor, &new))
        .await?;
    Ok(done.value)
}

#[derive(Template)]
#[template(path = "fund/budget.html")]
struct BudgetPage {
    page: Page,
    crumbs: Vec<Crumb>,
    errors: Errors,
    typed: Posted,
    budget: BudgetRow,
    department: String,
    figures: Vec<FigureLink>,
    chips: Vec<Chip>,
    movements: Vec<Choice>,
    account: String,
    rows: Vec<PostingRow>,
    debit: Fen,
    credit: Fen,
    pager: Pager,
    export: String,
    may_adjust: bool,
    directions: Vec<Choice>,
}

fn posting_filter(query: &Asked) -> PostingFilter {
    PostingFilter {
        account: AccountKind::from_code(asked(query, "account")),
        movement: MovementKind::from_code(asked(query, "movement")),
        batch: asked(query, "batch").parse().ok(),
    }
}

async fn show(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<BudgetLineId>,
    UrlQuery(query): UrlQuery<Asked>,
) -> Answer {
    let fresh = (StatusCode::OK, Posted::default(), Errors::default());
    show_budget(&app, &visit, id, query, fresh).await
}

async fn show_budget(
    app: &App,
    visit: &Visit,
    id: BudgetLineId,
    query: Asked,
    (status, typed, errors): (StatusCode, Posted, Errors),
) -> Answer {
    let actor = visit.actor()?.clone();
    let may_adjust = actor.has(Role::Finance);
    let filter = posting_filter(&query);
    let (raw, number) = (raw_query(visit), asked(&query, "page").parse().unwrap_or(1));
    let (budget, rows, debit, credit, pager, department) = app
        .store
        .read(move |q| {
            let budget = find_budget(&**q, &actor, id)?;
            let (count, debit, credit) = queries::count_postings(&**q, id, &filter)?;
            let pager = Pager::new(&format!("/budgets/{id}"), &raw, number, ROWS, count);
            let rows = list_postings(&**q, id, &filter, ROWS, pager.offset())?;
            let department = account::department(&**q, budget.department)?;
            Ok::<_, Error>((budget, rows, debit, credit, pager, department))
        })
        .await?;
    let page = BudgetPage {
        page: Page::new(app, visit, budget.name.clone()),
        crumbs: vec![crumb("/budgets", "资金")],
        errors,
        department: department.map_or_else(String::new, |department| department.name),
        figures: figure_links(id, &budget.figures),
        chips: account_chips(id, filter.account),
        movements: MovementKind::ALL
            .iter()
            .map(|kind| Choice::new(kind.code(), kind.zh(), asked(&query, "movement")))
            .collect(),
        account: asked(&query, "account").to_owned(),
        export: pager.base.replacen('?', "/postings.xlsx?", 1),
        directions: [("raise", "追加"), ("cut", "调减")]
            .map(|(value, label)| Choice::new(value, label, typed.get("direction")))
            .into(),
        rows,
        debit,
        credit,
        pager,
        budget,
        may_adjust,
        typed,
    };
    visit.show_with(status, &page)
}

fn account_chips(id: BudgetLineId, current: Option<AccountKind>) -> Vec<Chip> {
    let chip = |kind: Option<AccountKind>| Chip {
        href: kind.map_or_else(
            || format!("/budgets/{id}#postings"),
            |kind| format!("/budgets/{id}?account={}#postings", kind.code()),
        ),
        label: kind.map_or("全部科目", AccountKind::zh).to_owned(),
        count: None,
        current: kind == current,
    };
    std::iter::once(None)
        .chain(AccountKind::ALL.map(Some))
        .map(chip)
        .collect()
}

async fn adjust(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<BudgetLineId>,
    posted: Posted,
) -> Answer {
    match try_adjust(&app, &visit, id, &posted).await {
        Ok(()) => Ok(visit.redirect(&format!("/budgets/{id}"), "预算已调整，分录见下表第一行。")),
        Err(error) => {
            let errors = Errors::take(error, &posted)?;
            let again = (StatusCode::UNPROCESSABLE_ENTITY, posted, errors);
            show_budget(&app, &visit, id, Asked::new(), again).await
        }
    }
}

async fn try_adjust(
    app: &App,
    visit: &Visit,
    id: BudgetLineId,
    posted: &Posted,
) -> Result<(), WebError> {
    let actor: Actor = visit.actor()?.clone();
    let version = posted.version("version")?;
    let (difference, wrong) = read_adjustment(posted);
    let reason = posted.get("reason").to_owned();
    if !wrong.is_empty() {
        let check = move |q: &dyn Query| {
            let available = find_budget(q, &actor, id)?.figures.available;
            Ok(budget::check_adjustment(
                available, difference, &reason, wrong,
            )?)
        };
        return Err(refused(app, check).await);
    }
    let command = Command::new("budget.adjust", visit.now).once(posted.key());
    let done = app.store.write_once(command, move |tx| {
        adjust_budget(tx, &actor, id, version, difference, &reason)
    });
    done.await?;
    Ok(())
}

/// Reads by how much. What cannot be read has a stand-in and is named as wrong.
fn read_adjustment(posted: &Posted) -> (Fen, Refusals) {
    let mut wrong = Refusals::default();
    let mut amount = Fen::parse_yuan(posted.get("amount")).unwrap_or_else(|error| {
        wrong.add("amount", error.code(), format!("{}。", error.message_zh()));
        Fen::ZERO
    });
    if !amount.is_positive() {
        let message = "金额应大于零；减少预算请选「调减」。";
        wrong.add("amount", "range", message);
        // The least number has no opposite.
        amount = Fen::ZERO;
    }
    let difference = match posted.get("direction") {
        "raise" => amount,
        "cut" => -amount,
        _ => {
            wrong.add("direction", "required", "请选择追加还是调减。");
            amount
        }
    };
    (difference, wrong)
}

async fn export_postings(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<BudgetLineId>,
    UrlQuery(query): UrlQuery<Asked>,
) -> Answer {
    let (actor, filter) = (visit.actor()?.clone(), posting_filter(&query));
    let (budget, rows) = app
        .store
        .read(move |q| {
            let budget = find_budget(&**q, &actor, id)?;
            Ok::<_, Error>((budget, list_postings(&**q, id, &filter, EXPORT_ROWS, 0)?))
        })
        .await?;
    let headers = [
        "日期",
        "业务",
        "科目",
        "借方（元）",
        "贷方（元）",
        "摘要",
        "经办",
        "分录编号",
    ];
    let cells: Vec<Vec<Cell>> = rows
        .into_iter()
        .map(|row| {
            vec![
                crate::store::day_in_china(row.at).to_string().into(),
                row.movement.zh().into(),
                row.account.zh().into(),
                (row.debit != Fen::ZERO).then_some(row.debit).into(),
                (row.credit != Fen::ZERO).then_some(row.credit).into(),
                row.memo.into(),
                row.by.into(),
                row.entry.simple().to_string().into(),
            ]
        })
        .collect();
    logged(
        &app,
        &visit,
        &format!("{} 明细账", budget.name),
        &headers,
        &cells,
    )
    .await
}
