//! Pages of batches: the list, a new one, one batch with its entries, its list as a workbook.
//!
//! It lacks rules: the commands decide.

use askama::Template;
use axum::extract::{Path, Query as UrlQuery, State};
use axum::http::StatusCode;
use ledger::AccountKind;
use serde::{Deserialize, Serialize};
use vocab::{Fen, Quarter};

use super::batch::{self, MAKERS, create_batch, remove_entry};
use super::batch_queries::{
    self, BatchFilter, BatchRow, EntryRow, ListedBatch, Sum, agrees, booked, count_by_state,
    entries_of, find_batch, list_batches, sums,
};
use super::budget_pages::{Asked, asked, crumb, raw_query, region_name};
use super::payment::{RENAMED, Readiness, clear_renaming, create_payment_file, readiness};
use super::payment_queries::{FileRow, files_of};
use super::queries::{BudgetRow, budgets_for};
use super::state::{BatchState, EntryState};
use crate::access::{Actor, Role, Rule, Scope, may_act, may_see};
use crate::account;
use crate::ids::{BatchId, ItemId, PaymentFileId};
use crate::item;
use crate::notice::{self, queries::Notice};
use crate::refusal::{Error, Refusal, Refusals, Result};
use crate::store::{Command, Query, day_in_china};
use crate::web::export::{Cell, logged, xlsx};
use crate::web::filters;
use crate::web::form::{Chip, Choice, Errors, Stage, refused};
use crate::web::{Answer, App, Crumb, Page, Pager, Posted, Route, Visit, WebError, get, post};

const READERS: Rule = Rule::Staff(&[
    Role::CaseHandler,
    Role::Reviewer,
    Role::Approver,
    Role::Finance,
    Role::Leader,
    Role::AuditAdmin,
]);
const MAKING: Rule = Rule::Staff(MAKERS);
const ACTING: Rule = Rule::Staff(&[
    Role::CaseHandler,
    Role::Reviewer,
    Role::Approver,
    Role::Finance,
]);

const ROWS: u32 = 30;
/// The most rows of one export.
const EXPORT_ROWS: u32 = 20_000;

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/batches", READERS, list),
        get("/batches/export.xlsx", READERS, export),
        get("/batches/new", MAKING, ask_new),
        post("/batches/new", MAKING, create),
        get("/batches/{id}", READERS, show),
        post("/batches/{id}", ACTING, act),
        get("/batches/{id}/list.xlsx", READERS, export_list),
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
    let command = Command::new("batch.create", visit.now).once(posted.key());
    let done = app.store.write_once(command, move |tx| {
        create_batch(tx, &actor, item, &period, line)
    });
    Ok(done.await?.value)
}

struct ListedEntry {
    entry: EntryRow,
    /// Why it cannot leave for the bank; empty where it can, or need not.
    blocked: &'static str,
}

impl ListedEntry {
    /// The beneficiary was renamed after the list was made.
    fn is_renamed(&self) -> bool {
        self.blocked == RENAMED
    }
}

/// Entries of one state, counted.
struct StateSum {
    state: EntryState,
    sum: Sum,
    href: String,
}

#[derive(Template)]
#[template(path = "fund/batch.html")]
struct BatchPage {
    page: Page,
    crumbs: Vec<Crumb>,
    errors: Errors,
    batch: BatchRow,
    notice: Option<Notice>,
    department: String,
    budget: BudgetRow,
    created_by: String,
    stages: Vec<Stage>,
    sums: Vec<StateSum>,
    total: Sum,
    agrees: bool,
    booked: Vec<(&'static str, Fen, String)>,
    shown: String,
    rows: Vec<ListedEntry>,
    held: usize,
    ready: Sum,
    files: Vec<FileRow>,
    typed_reason: String,
    may_publish: bool,
    may_remove: bool,
    may_pay: bool,
    may_clear: bool,
    typed_why: String,
}

struct Facts {
    batch: BatchRow,
    notice: Option<Notice>,
    budget: BudgetRow,
    department: String,
    created_by: String,
    entries: Vec<ListedEntry>,
    booked: Vec<(AccountKind, Fen)>,
    files: Vec<FileRow>,
}

fn load(q: &dyn Query, actor: &Actor, id: BatchId) -> Result<Facts> {
    let batch = find_batch(q, actor, id)?;
    let mut entries = Vec::new();
    for entry in entries_of(q, id)? {
        let blocked = match entry.state {
            EntryState::Payable => match readiness(q, actor, &entry)? {
                Readiness::Ready(_) => "",
                Readiness::Blocked(why) => why,
            },
            _ => "",
        };
        entries.push(ListedEntry { entry, blocked });
    }
    let department = account::department(q, batch.department)?;
    Ok(Facts {
        budget: super::find_budget(q, actor, batch.line)?,
        department: department.map_or_else(String::new, |department| department.name),
        created_by: account::name_of(q, batch.created_by)?,
        booked: booked(q, id)?,
        files: files_of(q, id)?,
        notice: notice::queries::of_batch(q, id)?,
        entries,
        batch,
    })
}

async fn show(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<BatchId>,
    UrlQuery(query): UrlQuery<Asked>,
) -> Answer {
    let shown = asked(&query, "state").to_owned();
    let fresh = (StatusCode::OK, Posted::default(), Errors::default());
    show_batch(&app, &visit, id, shown, fresh).await
}

async fn show_batch(
    app: &App,
    visit: &Visit,
    id: BatchId,
    shown: String,
    (status, typed, errors): (StatusCode, Posted, Errors),
) -> Answer {
    let actor = visit.actor()?.clone();
    let reader = actor.clone();
    let facts = app.store.read(move |q| load(&**q, &reader, id)).await?;
    let entries: Vec<EntryRow> = facts
        .entries
        .iter()
        .map(|listed| listed.entry.clone())
        .collect();
    let sums = sums(&entries);
    let live = entries
        .iter()
        .filter(|entry| entry.state != EntryState::Removed);
    let ready = facts
        .entries
        .iter()
        .filter(|it| it.entry.state == EntryState::Payable && it.blocked.is_empty());
    let after_notice = facts.batch.state > BatchState::Noticed;
    let ready = add_up(ready.map(|listed| &listed.entry));
    let page = BatchPage {
        page: Page::new(app, visit, facts.batch.title.clone()),
        crumbs: vec![crumb("/batches", "批次")],
        errors,
        stages: stages(&facts),
        agrees: agrees(&sums, &facts.booked),
        booked: booked_links(&facts),
        total: add_up(live),
        held: entries
            .iter()
            .filter(|entry| entry.held_why.is_some())
            .count(),
        may_publish: facts.batch.state == BatchState::Proposed
            && actor.roles.any(&[Role::Reviewer, Role::Approver]),
        may_remove: facts.batch.state == BatchState::Proposed && actor.roles.any(MAKERS),
        may_pay: actor.has(Role::Finance) && after_notice && ready.count > 0,
        may_clear: may_act(&actor, Role::Approver, Some(facts.batch.department))
            && facts.entries.iter().any(ListedEntry::is_renamed),
        typed_why: typed.get("why").to_owned(),
        sums: sums
            .into_iter()
            .filter(|(_, sum)| sum.count > 0)
            .map(|(state, sum)| StateSum {
                state,
                sum,
                href: format!("/batches/{id}?state={}#entries", state.code()),
            })
            .collect(),
        rows: facts
            .entries
            .into_iter()
            .filter(|it| is_shown(&it.entry, &shown))
            .collect(),
        typed_reason: typed.get("reason").to_owned(),
        batch: facts.batch,
        notice: facts.notice,
        department: facts.department,
        budget: facts.budget,
        created_by: facts.created_by,
        files: facts.files,
        shown,
        ready,
    };
    visit.show_with(status, &page)
}

fn is_shown(entry: &EntryRow, shown: &str) -> bool {
    match shown {
        "" => true,
        "held" => entry.held_why.is_some(),
        state => entry.state.code() == state,
    }
}

fn add_up<'a>(entries: impl Iterator<Item = &'a EntryRow>) -> Sum {
    entries.fold(Sum::default(), |sum, entry| Sum {
        count: sum.count + 1,
        amount: sum.amount + entry.amount,
    })
}

/// The batch's sums in the ledger, each with its postings.
fn booked_links(facts: &Facts) -> Vec<(&'static str, Fen, String)> {
    let link = |(kind, amount): &(AccountKind, Fen)| {
        let code = kind.code();
        let href = format!(
            "/budgets/{}?account={code}&batch={}#postings",
            facts.batch.line, facts.batch.id
        );
        (kind.zh(), *amount, href)
    };
    let mut booked: Vec<&(AccountKind, Fen)> = facts
        .booked
        .iter()
        .filter(|(kind, fen)| *kind != AccountKind::Available && *fen != Fen::ZERO)
        .collect();
    booked.sort_by_key(|(kind, _)| *kind);
    booked.into_iter().map(link).collect()
}

fn stages(facts: &Facts) -> Vec<Stage> {
    let current = facts.batch.state;
    let notice = facts.notice.as_ref();
    let day = |state: BatchState| match state {
        BatchState::Proposed => Some(day_in_china(facts.batch.created_at)),
        BatchState::Noticed => notice.map(|notice| notice.starts_on),
        BatchState::Final => notice.and_then(|notice| notice.ended_at).map(day_in_china),
        BatchState::Paying => facts
            .files
            .first()
            .map(|file| day_in_china(file.created_at)),
        BatchState::Done => None,
    };
    let stage = |state: &BatchState| Stage {
        name: state.zh().to_owned(),
        day: day(*state),
        state: match state.cmp(&current) {
            std::cmp::Ordering::Less => "done",
            std::cmp::Ordering::Equal if current == BatchState::Done => "done",
            std::cmp::Ordering::Equal => "now",
            std::cmp::Ordering::Greater => "todo",
        },
    };
    BatchState::ALL.iter().map(stage).collect()
}

/// What a posted form of a batch brought: where to go, and what to say there.
#[derive(Serialize, Deserialize)]
struct Acted {
    file: Option<PaymentFileId>,
    said: String,
}

async fn act(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<BatchId>,
    posted: Posted,
) -> Answer {
    match try_act(&app, &visit, id, &posted).await {
        Ok(Acted { file, said }) => {
            let next = match file {
                Some(file) => format!("/payments/{file}"),
                None => format!("/batches/{id}"),
            };
            Ok(visit.redirect(&next, &said))
        }
        Err(error) => {
            let errors = Errors::take(error, &posted)?;
            let again = (StatusCode::UNPROCESSABLE_ENTITY, posted, errors);
            show_batch(&app, &visit, id, String::new(), again).await
        }
    }
}

async fn try_act(
    app: &App,
    visit: &Visit,
    id: BatchId,
    posted: &Posted,
) -> Result<Acted, WebError> {
    let actor = visit.actor()?.clone();
    match posted.get("action") {
        "create_payment_file" => {
            let version = posted.version("version")?;
            let command = Command::new("payment.create_file", visit.now).once(posted.key());
            let done = app.store.write_once(command, move |tx| {
                create_payment_file(tx, &actor, id, version)
            });
            Ok(Acted {
                file: Some(done.await?.value),
                said: "支付文件已生成。请下载后送银行，再登记银行回单。".to_owned(),
            })
        }
        "remove_entry" => {
            let (entry, reason) = (posted.id("entry")?, posted.get("reason").to_owned());
            let command = Command::new("batch.remove_entry", visit.now).once(posted.key());
            let done = app.store.write_once(command, move |tx| {
                let listed = batch_queries::load_entry(tx, entry)?;
                let batch = find_batch(tx, &actor, id)?;
                // After publication an entry leaves by an objection only.
                if listed.batch != batch.id || batch.state != BatchState::Proposed {
                    return Err(super::changed_meanwhile("这个批次"));
                }
                remove_entry(tx, &actor, entry, &reason)
            });
            done.await?;
            Ok(Acted {
                file: None,
                said: "已移出名单，预留的金额已退回可用指标；办件可列入下一个批次。".to_owned(),
            })
        }
        "clear_renaming" => {
            let (entry, why) = (posted.id("renamed")?, posted.get("why").to_owned());
            let command = Command::new("batch.clear_renaming", visit.now).once(posted.key());
            let done = app.store.write_once(command, move |tx| {
                find_batch(tx, &actor, id)?;
                clear_renaming(tx, &actor, entry, &why)
            });
            done.await?;
            Ok(Acted {
                file: None,
                said: "更名已核实，这一项可以按现在的名称拨付。".to_owned(),
            })
        }
        _ => Err(Refusal::invalid("action", "没有选中要办理的事项，请刷新页面后再试。").into()),
    }
}

async fn export_list(State(app): State<App>, visit: Visit, Path(id): Path<BatchId>) -> Answer {
    let actor = visit.actor()?.clone();
    let (batch, entries) = app
        .store
        .read(move |q| {
            let batch = find_batch(&**q, &actor, id)?;
            Ok::<_, Error>((batch, entries_of(&**q, id)?))
        })
        .await?;
    let headers = [
        "序号",
        "姓名（名称）",
        "类别",
        "办件号",
        "内容",
        "金额（元）",
        "状态",
        "说明",
    ];
    let cells: Vec<Vec<Cell>> = entries
        .into_iter()
        .map(|entry| {
            vec![
                (entry.position as f64).into(),
                entry.party_name.into(),
                (if entry.party_kind == "enterprise" {
                    "企业"
                } else {
                    "自然人"
                })
                .into(),
                entry.case_number.into(),
                entry.title.into(),
                entry.amount.into(),
                entry.state.zh().into(),
                entry
                    .held_why
                    .map(|why| format!("暂缓：{why}"))
                    .or(entry.removed_why)
                    .into(),
            ]
        })
        .collect();
    logged(&app, &visit, &batch.title, &headers, &cells).await
}
