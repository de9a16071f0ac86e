//! The page of one batch: its entries beside what the ledger says of them, its list as a workbook,
//! and what is done with it.
//!
//! It lacks rules: the commands decide.

use askama::Template;
use axum::extract::{Path, Query as UrlQuery, State};
use axum::http::StatusCode;
use ledger::AccountKind;
use serde::{Deserialize, Serialize};
use vocab::Fen;

use super::batch::{MAKERS, remove_entry};
use super::batch_queries::{
    self, BatchRow, EntryRow, Sum, agrees, booked, entries_of, find_batch, sums,
};
use super::budget_pages::{Asked, asked, crumb};
use super::payment::{RENAMED, Readiness, clear_renaming, create_payment_file, readiness};
use super::payment_queries::{FileRow, files_of, returned_in};
use super::queries::BudgetRow;
use super::state::{BatchState, EntryState};
use crate::access::{Actor, Role, Rule, may_act};
use crate::account;
use crate::ids::{BatchId, PaymentFileId};
use crate::notice::{self, queries::Notice};
use crate::refusal::{Error, Refusal, Result};
use crate::store::{Command, Query, day_in_china};
use crate::web::export::{Cell, logged};
use crate::web::filters;
use crate::web::form::{Errors, Stage};
use crate::web::{Answer, App, Crumb, Page, Posted, Route, Visit, WebError, get, post};

pub(super) const READERS: Rule = Rule::Staff(&[
    Role::CaseHandler,
    Role::Reviewer,
    Role::Approver,
    Role::Finance,
    Role::Leader,
]);
const ACTING: Rule = Rule::Staff(&[
    Role::CaseHandler,
    Role::Reviewer,
    Role::Approver,
    Role::Finance,
]);

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/batches/{id}", READERS, show),
        post("/batches/{id}", ACTING, act),
        get("/batches/{id}/list.xlsx", READERS, export_list),
    ]
}

struct ListedEntry {
    entry: EntryRow,
    /// Why it cannot leave for the bank; empty where it can, or need not.
    blocked: &'static str,
    /// The account it would go to now; empty where it cannot go, or need not.
    paid_to: String,
    /// Why the bank returned it the last time, where it did and nothing was sent since.
    returned: Option<String>,
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
    let returned = returned_in(q, id)?;
    for entry in entries_of(q, id)? {
        let (blocked, paid_to) = match entry.state {
            EntryState::Payable => match readiness(q, actor, &entry)? {
                Readiness::Ready(_, to) => ("", to),
                Readiness::Blocked(why) => (why, String::new()),
            },
            _ => ("", String::new()),
        };
        entries.push(ListedEntry {
            returned: returned.get(&entry.id).cloned(),
            entry,
            blocked,
            paid_to,
        });
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
    let department = Some(facts.batch.department);
    let own = |roles: &[Role]| roles.iter().any(|role| may_act(&actor, *role, department));
    let proposed = facts.batch.state == BatchState::Proposed;
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
        may_publish: proposed && own(&[Role::Reviewer, Role::Approver]),
        may_remove: proposed && own(MAKERS),
        may_pay: actor.has(Role::Finance) && after_notice && ready.count > 0,
        may_clear: own(&[Role::Approver]) && facts.entries.iter().any(ListedEntry::is_renamed),
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
