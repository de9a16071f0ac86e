//! The pages of bank accounts: the applicant's own, a party's at the window, and the list that
//! finance decides from.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Path, Query as UrlQuery, State};
use axum::http::StatusCode;
use vocab::{BankAccountNumber, BankCode};

use crate::access::{Actor, Role, Rule};
use crate::ids::{BankAccountId, PartyId};
use crate::party::{self, Party};
use crate::refusal::{Error, Refusal, Refusals};
use crate::store::{Command, Query};
use crate::web::export::{self, Cell};
use crate::web::filters;
use crate::web::form::{Chip, Errors, refused};
use crate::web::{Answer, App, Crumb, Page, Pager, Posted, Route, Visit, WebError, get, post};

use super::queries::{self, BankAccountFilter, Listed};
use super::{BankAccountState, NewBankAccount, commands};

/// Rows on a page of the list.
const PAGE_ROWS: u32 = 50;
/// Rows of an export at most.
const EXPORT_ROWS: u32 = 20_000;

const WINDOW: Rule = Rule::Staff(&[Role::WindowClerk]);
const FINANCE: Rule = Rule::Staff(&[Role::Finance]);

pub(in crate::party) fn routes() -> Vec<Route> {
    vec![
        get("/my/bank-accounts", Rule::Applicant, own),
        post("/my/bank-accounts", Rule::Applicant, change_own),
        get(
            "/parties/{id}/bank-accounts",
            Rule::Staff(party::STAFF),
            of_party,
        ),
        post("/parties/{id}/bank-accounts", WINDOW, change_of_party),
        get("/bank-accounts", FINANCE, list),
        get("/bank-accounts.xlsx", FINANCE, download),
        get("/bank-accounts/{id}", FINANCE, show),
        post("/bank-accounts/{id}", FINANCE, decide),
        post("/bank-accounts/{id}/reveal", FINANCE, reveal),
    ]
}

/// What was typed into the form.
#[derive(Default)]
struct Typed {
    holder_name: String,
    bank_name: String,
    number: String,
    bank_code: String,
    second: bool,
    second_reason: String,
}

#[derive(Template)]
#[template(path = "bank_account/of_party.html")]
struct OfPartyPage {
    page: Page,
    crumbs: Vec<Crumb>,
    errors: Errors,
    party: Party,
    accounts: Vec<Listed>,
    typed: Typed,
    action: String,
    may_enter: bool,
    /// One more would be a second one.
    in_use: bool,
}

async fn own(State(app): State<App>, visit: Visit) -> Answer {
    let party = own_party(visit.actor()?)?;
    page(&app, &visit, party, StatusCode::OK, None, Errors::default()).await
}

fn own_party(actor: &Actor) -> Result<PartyId, WebError> {
    actor.party.ok_or_else(WebError::forbidden)
}

async fn change_own(State(app): State<App>, visit: Visit, posted: Posted) -> Answer {
    let party = own_party(visit.actor()?)?;
    change(&app, &visit, party, posted).await
}

async fn of_party(State(app): State<App>, visit: Visit, Path(id): Path<PartyId>) -> Answer {
    page(&app, &visit, id, StatusCode::OK, None, Errors::default()).await
}

async fn change_of_party(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<PartyId>,
    posted: Posted,
) -> Answer {
    change(&app, &visit, id, posted).await
}

async fn page(
    app: &App,
    visit: &Visit,
    id: PartyId,
    status: StatusCode,
    posted: Option<&Posted>,
    errors: Errors,
) -> Answer {
    let actor = visit.actor()?.clone();
    let asking = actor.clone();
    let (party, accounts) = app
        .store
        .read(move |q| {
            let party = party::find(q, &asking, id)?;
            Ok::<_, Error>((party, queries::of_party(q, id)?))
        })
        .await?;
    let get = |name: &str| posted.map_or_else(String::new, |posted| posted.get(name).to_owned());
    let typed = Typed {
        holder_name: posted.map_or_else(|| party.name.clone(), |_| get("holder_name")),
        bank_name: get("bank_name"),
        number: get("number"),
        bank_code: get("bank_code"),
        second: get("second") == "yes",
        second_reason: get("second_reason"),
    };
    let own = actor.party.is_some();
    let crumbs = if own {
        vec![Crumb {
            href: "/my".to_owned(),
            label: "我的办件".to_owned(),
        }]
    } else {
        vec![
            Crumb {
                href: "/parties".to_owned(),
                label: "主体".to_owned(),
            },
            Crumb {
                href: format!("/parties/{id}"),
                label: party.name.clone(),
            },
        ]
    };
    let template = OfPartyPage {
        page: Page::new(app, visit, "收款账户"),
        crumbs,
        errors,
        action: path_of(&actor, id),
        may_enter: own || actor.has(Role::WindowClerk),
        in_use: accounts.iter().any(Listed::in_use),
        party,
        accounts,
        typed,
    };
    visit.show_with(status, &template)
}

fn path_of(actor: &Actor, id: PartyId) -> String {
    match actor.party {
        Some(_) => "/my/bank-accounts".to_owned(),
        None => format!("/parties/{id}/bank-accounts"),
    }
}

async fn change(app: &App, visit: &Visit, party: PartyId, posted: Posted) -> Answer {
    let path = path_of(visit.actor()?, party);
    let done = match posted.get("action") {
        "enter" => enter(app, visit, party, &posted).await,
        "end" => end(app, visit, &posted).await,
        _ => Err(Refusal::invalid("action", "没有这个操作，请刷新页面后再试。").into()),
    };
    match done {
        Ok(text) => Ok(visit.redirect(&path, text)),
        Err(error) => {
            let errors = Errors::take(error, &posted)?;
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            page(app, visit, party, status, Some(&posted), errors).await
        }
    }
}

async fn enter(
    app: &App,
    visit: &Visit,
    party: PartyId,
    posted: &Posted,
) -> Result<&'static str, WebError> {
    let actor = visit.actor()?.clone();
    let mut wrong = Refusals::default();
    let number = BankAccountNumber::parse(posted.get("number"))
        .map_err(|error| wrong.add("number", error.code(), error.message_zh()));
    let bank_code = BankCode::parse(posted.get("bank_code"))
        .map_err(|error| wrong.add("bank_code", error.code(), error.message_zh()));
    let text = |name: &str| posted.get(name).to_owned();
    let (holder_name, bank_name) = (text("holder_name"), text("bank_name"));
    let second = (posted.get("second") == "yes").then(|| text("second_reason"));
    let (Ok(number), Ok(bank_code)) = (number.clone(), bank_code) else {
        let check = move |q: &dyn Query| {
            let wanted = commands::Wanted {
                holder_name: &holder_name,
                bank_name: &bank_name,
                number: number.as_ref().ok(),
                second: second.as_deref(),
            };
            commands::check(q, &actor, party, &wanted, wrong)
        };
        return Err(refused(app, check).await);
    };
    let new = NewBankAccount {
        holder_name,
        bank_name,
        number,
        bank_code,
        second,
    };
    let command = Command::new("bank_account.enter", visit.now).once(posted.key());
    app.store
        .write_once(command, move |tx| commands::enter(tx, &actor, party, &new))
        .await?;
    Ok("收款账户已登记，等待财政核准。")
}

async fn end(app: &App, visit: &Visit, posted: &Posted) -> Result<&'static str, WebError> {
    let actor = visit.actor()?.clone();
    let (id, version) = (
        posted.id::<BankAccountId>("account")?,
        posted.version("version")?,
    );
    let command = Command::new("bank_account.end", visit.now).once(posted.key());
    app.store
        .write_once(command, move |tx| commands::end(tx, &actor, id, version))
        .await?;
    Ok("收款账户已停用。")
}

#[derive(Template)]
#[template(path = "bank_account/list.html")]
struct ListPage {
    page: Page,
    text: String,
    state: &'static str,
    chips: Vec<Chip>,
    rows: Vec<Listed>,
    pager: Pager,
    export: String,
}

type Asked = HashMap<String, String>;

/// Without a state asked for, what waits is shown.
fn filter_of(query: &Asked) -> BankAccountFilter {
    let asked = |name: &str| query.get(name).map_or("", |value| value.trim());
    let state = match asked("state") {
        "" => Some(BankAccountState::Entered),
        code => BankAccountState::from_code(code),
    };
    BankAccountFilter {
        text: asked("q").chars().take(60).collect(),
        state,
    }
}

async fn list(State(app): State<App>, visit: Visit, UrlQuery(query): UrlQuery<Asked>) -> Answer {
    let (actor, filter) = (visit.actor()?.clone(), filter_of(&query));
    let raw = visit
        .path
        .split_once('?')
        .map_or("", |(_, raw)| raw)
        .to_owned();
    let number = query
        .get("page")
        .and_then(|number| number.parse().ok())
        .unwrap_or(1);
    let wanted = filter.clone();
    let (rows, pager, counts) = app
        .store
        .read(move |q| {
            let total = queries::count(q, &actor, &wanted)?;
            let pager = Pager::new("/bank-accounts", &raw, number, PAGE_ROWS, total);
            let rows = queries::list(q, &actor, &wanted, PAGE_ROWS, pager.offset())?;
            let mut counts = Vec::new();
            for state in BankAccountState::ALL {
                let one = BankAccountFilter {
                    text: String::new(),
                    state: Some(*state),
                };
                counts.push((*state, queries::count(q, &actor, &one)?));
            }
            Ok::<_, Error>((rows, pager, counts))
        })
        .await?;
    let chips = counts
        .into_iter()
        .map(|(state, count)| Chip {
            href: format!("/bank-accounts?state={}", state.code()),
            label: state.zh().to_owned(),
            count: Some(count),
            current: filter.state == Some(state),
        })
        .collect();
    let page = ListPage {
        page: Page::new(&app, &visit, "收款账户核准"),
        export: pager
            .base
            .replacen("/bank-accounts?", "/bank-accounts.xlsx?", 1),
        state: filter.state.map_or("all", BankAccountState::code),
        text: filter.text,
        chips,
        rows,
        pager,
    };
    visit.show(&page)
}

async fn download(
    State(app): State<App>,
    visit: Visit,
    UrlQuery(query): UrlQuery<Asked>,
) -> Answer {
    let (actor, filter) = (visit.actor()?.clone(), filter_of(&query));
    let rows = app
        .store
        .read(move |q| queries::list(q, &actor, &filter, EXPORT_ROWS, 0))
        .await?;
    let headers = [
        "户名",
        "开户行",
        "联行号",
        "账号",
        "状态",
        "登记时间",
        "另立原因",
        "退回原因",
    ];
    let cells: Vec<Vec<Cell>> = rows
        .into_iter()
        .map(|row| {
            let entered = crate::web::civil(row.entered_at)
                .strftime("%Y-%m-%d %H:%M")
                .to_string();
            vec![
                row.holder_name.into(),
                row.bank_name.into(),
                row.bank_code.into(),
                row.masked.into(),
                row.state.zh().into(),
                entered.into(),
                row.second_reason.into(),
                row.reason.into(),
            ]
        })
        .collect();
    export::logged(&app, &visit, "收款账户", &headers, &cells).await
}

#[derive(Template)]
#[template(path = "bank_account/show.html")]
struct ShowPage {
    page: Page,
    crumbs: Vec<Crumb>,
    errors: Errors,
    row: Listed,
    /// The party's other accounts in use.
    beside: Vec<Listed>,
    /// The whole number, shown once after a reason was given.
    number: Option<String>,
    entered_by: String,
    reason: String,
    why: String,
    own_entry: bool,
}

async fn show(State(app): State<App>, visit: Visit, Path(id): Path<BankAccountId>) -> Answer {
    let fresh = Seen::default();
    show_one(&app, &visit, id, StatusCode::OK, fresh, Errors::default()).await
}

/// What was typed on the page of an account, and the number where it may be shown.
#[derive(Default)]
struct Seen {
    reason: String,
    why: String,
    number: Option<String>,
}

/// Shows the whole number once, for a stated reason that goes into the log.
async fn reveal(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<BankAccountId>,
    posted: Posted,
) -> Answer {
    let actor = visit.actor()?.clone();
    let why = posted.get("why").to_owned();
    let asked = why.clone();
    let command = Command::new("bank_account.reveal", visit.now);
    let told = app
        .store
        .write(command, move |tx| commands::reveal(tx, &actor, id, &asked));
    match told.await {
        Ok(number) => {
            let seen = Seen {
                number: Some(number),
                ..Seen::default()
            };
            show_one(&app, &visit, id, StatusCode::OK, seen, Errors::default()).await
        }
        Err(error) => {
            let errors = Errors::take(error, &posted)?;
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            let seen = Seen {
                why,
                ..Seen::default()
            };
            show_one(&app, &visit, id, status, seen, errors).await
        }
    }
}

async fn show_one(
    app: &App,
    visit: &Visit,
    id: BankAccountId,
    status: StatusCode,
    seen: Seen,
    errors: Errors,
) -> Answer {
    let actor = visit.actor()?.clone();
    let me = actor.account_id();
    let (row, beside, entered_by) = app
        .store
        .read(move |q| {
            let row = queries::find(q, &actor, id)?;
            let name = crate::account::name_of(q, row.entered_by)?;
            let beside = queries::beside(q, &row)?;
            Ok::<_, Error>((row, beside, name))
        })
        .await?;
    let page = ShowPage {
        page: Page::new(app, visit, "核准收款账户"),
        crumbs: vec![Crumb {
            href: "/bank-accounts".to_owned(),
            label: "收款账户核准".to_owned(),
        }],
        errors,
        own_entry: row.entered_by == me,
        row,
        beside,
        entered_by,
        number: seen.number,
        reason: seen.reason,
        why: seen.why,
    };
    visit.show_with(status, &page)
}

async fn decide(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<BankAccountId>,
    posted: Posted,
) -> Answer {
    match try_decide(&app, &visit, id, &posted).await {
        Ok(text) => Ok(visit.redirect("/bank-accounts", text)),
        Err(error) => {
            let errors = Errors::take(error, &posted)?;
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            let seen = Seen {
                reason: posted.get("reason").to_owned(),
                ..Seen::default()
            };
            show_one(&app, &visit, id, status, seen, errors).await
        }
    }
}

async fn try_decide(
    app: &App,
    visit: &Visit,
    id: BankAccountId,
    posted: &Posted,
) -> Result<&'static str, WebError> {
    let (actor, version) = (visit.actor()?.clone(), posted.version("version")?);
    match posted.get("action") {
        "approve" => {
            let command = Command::new("bank_account.approve", visit.now).once(posted.key());
            app.store
                .write_once(command, move |tx| {
                    commands::approve(tx, &actor, id, version)
                })
                .await?;
            Ok("收款账户已核准，可以用于拨付，已通知申请人。")
        }
        "refuse" => {
            let reason = posted.get("reason").to_owned();
            let command = Command::new("bank_account.refuse", visit.now).once(posted.key());
            app.store
                .write_once(command, move |tx| {
                    commands::refuse(tx, &actor, id, version, &reason)
                })
                .await?;
            Ok("收款账户已退回，已通知申请人原因。")
        }
        _ => Err(Refusal::invalid("action", "没有这个操作，请刷新页面后再试。").into()),
    }
}
