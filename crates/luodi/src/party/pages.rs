//! The pages of parties: the list, registration at the window, one party's file (一企一档), and what
//! an applicant sees of its own.
//!
//! It lacks what a party's cases and payments are, which their domains tell.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Path, Query as UrlQuery, State};
use axum::http::StatusCode;
use vocab::{IdNumber, RegionCode};

use crate::access::{Role, Rule};
use crate::casework::{self, ListedCase};
use crate::ids::PartyId;
use crate::refusal::{Error, Refusal};
use crate::store::{Command, Query};
use crate::web::export::{self, Cell};
use crate::web::filters;
use crate::web::form::{Chip, Choice, Errors, refused};
use crate::web::{Answer, App, Crumb, Page, Pager, Posted, Route, Visit, WebError, get, post};

use super::bank_account::Listed;
use super::queries::{self, Order, Party, PartyFilter, Personal};
use super::{PartyKind, STAFF, bank_account, commands, form, masked_name};

/// Rows on a page of the list.
const PAGE_ROWS: u32 = 50;
/// Rows of an export at most.
const EXPORT_ROWS: u32 = 50_000;

const WINDOW: Rule = Rule::Staff(&[Role::WindowClerk]);

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/parties", Rule::Staff(STAFF), list),
        get("/parties.xlsx", Rule::Staff(STAFF), download),
        post("/parties/find", Rule::Staff(STAFF), find_person),
        get("/parties/new", WINDOW, ask_new),
        post("/parties/new", WINDOW, register),
        get("/parties/{id}", Rule::Staff(STAFF), show),
        post("/parties/{id}/unmask", Rule::Staff(STAFF), unmask),
        get("/my/profile", Rule::Applicant, profile),
    ]
}

type Asked = HashMap<String, String>;

fn asked<'a>(query: &'a Asked, name: &str) -> &'a str {
    query.get(name).map_or("", |value| value.trim())
}

fn filter_of(query: &Asked) -> PartyFilter {
    PartyFilter {
        text: asked(query, "q").chars().take(60).collect(),
        kind: PartyKind::from_code(asked(query, "kind")),
        region: asked(query, "region").parse().ok(),
        order: Order::from_code(asked(query, "sort")),
    }
}

#[derive(Template)]
#[template(path = "party/list.html")]
struct ListPage {
    page: Page,
    errors: Errors,
    text: String,
    kind: &'static str,
    sort: &'static str,
    chips: Vec<Chip>,
    regions: Vec<Choice>,
    rows: Vec<(Party, String)>,
    pager: Pager,
    export: String,
    registers: bool,
    looks_like_id: bool,
}

async fn list(State(app): State<App>, visit: Visit, UrlQuery(query): UrlQuery<Asked>) -> Answer {
    show_list(&app, &visit, StatusCode::OK, &query, Errors::default()).await
}

async fn show_list(
    app: &App,
    visit: &Visit,
    status: StatusCode,
    query: &Asked,
    errors: Errors,
) -> Answer {
    let actor = visit.actor()?.clone();
    let (region, registers) = (actor.region, actor.has(Role::WindowClerk));
    let filter = filter_of(query);
    let raw = match visit.path.split_once('?') {
        Some(("/parties", raw)) => raw.to_owned(),
        _ => String::new(),
    };
    let number = asked(query, "page").parse().unwrap_or(1);
    let wanted = filter.clone();
    let (rows, pager) = app
        .store
        .read(move |q| {
            let total = queries::count(q, &actor, &wanted)?;
            let pager = Pager::new("/parties", &raw, number, PAGE_ROWS, total);
            let rows = queries::list(q, &actor, &wanted, PAGE_ROWS, pager.offset())?;
            let rows = rows.into_iter().map(|party| with_paper(q, party));
            Ok::<_, Error>((rows.collect::<Result<Vec<_>, Error>>()?, pager))
        })
        .await?;
    let page = ListPage {
        page: Page::new(app, visit, "主体"),
        errors,
        kind: filter.kind.map_or("", PartyKind::code),
        sort: filter.order.code(),
        chips: chips(filter.kind),
        regions: region_choices(region, asked(query, "region")),
        export: pager.base.replacen("/parties?", "/parties.xlsx?", 1),
        looks_like_id: IdNumber::parse(&filter.text).is_ok(),
        text: filter.text,
        registers,
        rows,
        pager,
    };
    visit.show_with(status, &page)
}

/// A party with what tells it from others of its name: its credit code, or a person's masked number.
fn with_paper(q: &dyn Query, party: Party) -> Result<(Party, String), Error> {
    let paper = match &party.credit_code {
        Some(code) => Some(code.clone()),
        None => queries::personal(q, party.id)?.masked().id_number,
    };
    Ok((party, paper.unwrap_or_else(|| "—".to_owned())))
}

fn chips(current: Option<PartyKind>) -> Vec<Chip> {
    let all = Chip {
        href: "/parties".to_owned(),
        label: "全部".to_owned(),
        count: None,
        current: current.is_none(),
    };
    let kinds = PartyKind::ALL.iter().map(|kind| Chip {
        href: format!("/parties?kind={}", kind.code()),
        label: kind.zh().to_owned(),
        count: None,
        current: current == Some(*kind),
    });
    std::iter::once(all).chain(kinds).collect()
}

/// The region itself and what lies directly within it.
fn region_choices(region: RegionCode, current: &str) -> Vec<Choice> {
    let own = vocab::region::find(region).into_iter();
    own.chain(vocab::region::children(region).iter().copied())
        .filter(|region| !region.is_grouping())
        .map(|region| Choice::new(region.code.to_string(), region.name, current))
        .collect()
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
        "类型",
        "名称",
        "统一社会信用代码",
        "行政区划",
        "行业",
        "成立日期",
    ];
    let cells: Vec<Vec<Cell>> = rows
        .into_iter()
        .map(|row| {
            let region = vocab::region::full_name(row.region);
            let industry = row.industry_zh();
            let name = masked_name(row.kind.code(), &row.name);
            vec![
                row.kind.zh().into(),
                name.into(),
                row.credit_code.into(),
                region.into(),
                industry.into(),
                row.founded_on.map(|day| day.to_string()).into(),
            ]
        })
        .collect();
    export::logged(&app, &visit, "主体", &headers, &cells).await
}

/// Finds a person by identity number. A form that is posted, so that the number stands in no
/// address, history or log.
async fn find_person(State(app): State<App>, visit: Visit, posted: Posted) -> Answer {
    match try_find(&app, &visit, &posted).await {
        Ok(id) => Ok(visit.redirect(&format!("/parties/{id}"), "")),
        Err(error) => {
            let errors = Errors::take(error, &posted)?;
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            show_list(&app, &visit, status, &Asked::new(), errors).await
        }
    }
}

async fn try_find(app: &App, visit: &Visit, posted: &Posted) -> Result<PartyId, WebError> {
    let number = IdNumber::parse_on(posted.get("id_number"), visit.today())
        .map_err(|error| Refusal::field("id_number", error.code(), error.message_zh()))?;
    let actor = visit.actor()?.clone();
    let found = app
        .store
        .write(Command::new("party.look_up", visit.now), move |tx| {
            commands::look_up(tx, &actor, &number)
        })
        .await?;
    let message = "本区域没有登记过这个身份证号码。核对号码，或登记为新的主体。";
    found.ok_or_else(|| Refusal::field("id_number", "not-registered", message).into())
}

#[derive(Template)]
#[template(path = "party/new.html")]
struct NewPage {
    page: Page,
    crumbs: Vec<Crumb>,
    errors: Errors,
    kinds: Vec<Choice>,
    regions: Vec<Choice>,
    typed: Posted,
    existing: Option<PartyId>,
}

fn crumbs() -> Vec<Crumb> {
    vec![Crumb {
        href: "/parties".to_owned(),
        label: "主体".to_owned(),
    }]
}

async fn ask_new(State(app): State<App>, visit: Visit) -> Answer {
    let empty = Posted::from_fields(Vec::new());
    show_new(&app, &visit, StatusCode::OK, empty, Errors::default(), None)
}

fn show_new(
    app: &App,
    visit: &Visit,
    status: StatusCode,
    typed: Posted,
    errors: Errors,
    existing: Option<PartyId>,
) -> Answer {
    let kind = match typed.get("kind") {
        "" => PartyKind::Enterprise.code(),
        kind => kind,
    };
    let region = visit.actor()?.region;
    let page = NewPage {
        page: Page::new(app, visit, "登记主体"),
        crumbs: crumbs(),
        errors,
        kinds: PartyKind::ALL
            .iter()
            .map(|k| Choice::new(k.code(), k.zh(), kind))
            .collect(),
        regions: region_choices(region, typed.get("region")),
        typed,
        existing,
    };
    visit.show_with(status, &page)
}

async fn register(State(app): State<App>, visit: Visit, posted: Posted) -> Answer {
    match try_register(&app, &visit, &posted).await {
        Ok(id) => Ok(visit.redirect(&format!("/parties/{id}"), "主体已登记。")),
        Err(error) => {
            let errors = Errors::take(error, &posted)?;
            let existing = existing(&app, &visit, &posted, &errors).await?;
            show_new(
                &app,
                &visit,
                StatusCode::UNPROCESSABLE_ENTITY,
                posted,
                errors,
                existing,
            )
        }
    }
}

async fn try_register(app: &App, visit: &Visit, posted: &Posted) -> Result<PartyId, WebError> {
    let actor = visit.actor()?.clone();
    let (new, wrong) = form::read(posted, actor.region, visit.today());
    if !wrong.is_empty() {
        let today = visit.today();
        let check = move |q: &dyn Query| commands::check(q, &actor, today, &new, wrong);
        return Err(refused(app, check).await);
    }
    let command = Command::new("party.register", visit.now).once(posted.key());
    let done = app
        .store
        .write_once(command, move |tx| commands::register(tx, &actor, &new))
        .await?;
    Ok(done.value)
}

/// The party that is registered already, where this visitor may see it.
async fn existing(
    app: &App,
    visit: &Visit,
    posted: &Posted,
    errors: &Errors,
) -> Result<Option<PartyId>, WebError> {
    let registered = errors.list().iter().any(|error| error.rule == "registered");
    if !registered {
        return Ok(None);
    }
    let actor = visit.actor()?.clone();
    let (new, _) = form::read(posted, actor.region, visit.today());
    let found = app.store.read(move |q| {
        match queries::find_number(q, new.credit_code.as_ref(), new.id_number.as_ref())? {
            Some(id) if queries::sees(q, &actor, id)? => Ok::<_, Error>(Some(id)),
            _ => Ok(None),
        }
    });
    Ok(found.await?)
}

#[derive(Template)]
#[template(path = "party/show.html")]
struct ShowPage {
    page: Page,
    crumbs: Vec<Crumb>,
    errors: Errors,
    party: Party,
    personal: Personal,
    unmasked: bool,
    reason: String,
    accounts: Vec<Listed>,
    cases: Vec<CaseLine>,
    at_window: bool,
    sees_data: bool,
}

/// A case of the party, as its file lists it.
struct CaseLine {
    case: ListedCase,
    look: &'static str,
    words: String,
}

async fn cases_of(app: &App, visit: &Visit, id: PartyId) -> Result<Vec<CaseLine>, WebError> {
    let actor = visit.actor()?.clone();
    let cases = app
        .store
        .read(move |q| casework::of_party(q, &actor, id))
        .await?;
    Ok(cases
        .into_iter()
        .map(|case| CaseLine {
            look: casework::state::look(&case.state),
            words: casework::state::words(&case.state).to_owned(),
            case,
        })
        .collect())
}

async fn show(State(app): State<App>, visit: Visit, Path(id): Path<PartyId>) -> Answer {
    show_one(
        &app,
        &visit,
        id,
        StatusCode::OK,
        None,
        "",
        Errors::default(),
    )
    .await
}

async fn show_one(
    app: &App,
    visit: &Visit,
    id: PartyId,
    status: StatusCode,
    unmasked: Option<Personal>,
    reason: &str,
    errors: Errors,
) -> Answer {
    let actor = visit.actor()?.clone();
    let at_window = actor.has(Role::WindowClerk);
    let sees_data = at_window || actor.has(Role::Reviewer);
    let (party, masked, accounts) = load(app, visit, id).await?;
    let cases = cases_of(app, visit, id).await?;
    let page = ShowPage {
        page: Page::new(app, visit, party.name.clone()),
        crumbs: crumbs(),
        errors,
        party,
        unmasked: unmasked.is_some(),
        personal: unmasked.unwrap_or(masked),
        reason: reason.to_owned(),
        accounts,
        cases,
        at_window,
        sees_data,
    };
    visit.show_with(status, &page)
}

async fn load(
    app: &App,
    visit: &Visit,
    id: PartyId,
) -> Result<(Party, Personal, Vec<Listed>), WebError> {
    let actor = visit.actor()?.clone();
    let found = app.store.read(move |q| {
        let party = queries::find(q, &actor, id)?;
        let masked = queries::personal(q, id)?.masked();
        Ok::<_, Error>((party, masked, bank_account::of_party(q, id)?))
    });
    Ok(found.await?)
}

/// Shows the personal data on this one answer; the next page hides them again.
async fn unmask(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<PartyId>,
    posted: Posted,
) -> Answer {
    let actor = visit.actor()?.clone();
    let reason = posted.get("reason").to_owned();
    let who = actor.account_id().to_string();
    app.attempts.admit_look(&who, visit.now)?;
    let (looking, why) = (actor.clone(), reason.clone());
    // Remembered is that there was a look, not what it showed; each look counts, so that the same
    // form sent again is a second one, and with another reason a conflict.
    let command = Command::new("party.unmask", visit.now).once(posted.key());
    let noted = app
        .store
        .write_once(command, move |tx| {
            commands::unmask(tx, &looking, id, &why).map(drop)
        })
        .await;
    let shown = match noted {
        Ok(noted) if !noted.replayed => app.store.read(move |q| queries::personal(q, id)).await,
        Ok(_) => {
            let again = Command::new("party.unmask", visit.now);
            app.store
                .write(again, move |tx| commands::unmask(tx, &actor, id, &reason))
                .await
        }
        Err(error) => Err(error),
    };
    match shown {
        Ok(personal) => {
            show_one(
                &app,
                &visit,
                id,
                StatusCode::OK,
                Some(personal),
                "",
                Errors::default(),
            )
            .await
        }
        Err(error) => {
            let errors = Errors::take(error, &posted)?;
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            show_one(&app, &visit, id, status, None, posted.get("reason"), errors).await
        }
    }
}

#[derive(Template)]
#[template(path = "party/profile.html")]
struct ProfilePage {
    page: Page,
    crumbs: Vec<Crumb>,
    party: Party,
    personal: Personal,
    accounts: Vec<Listed>,
}

async fn profile(State(app): State<App>, visit: Visit) -> Answer {
    let own = visit.actor()?.party.ok_or_else(WebError::forbidden)?;
    let (party, personal, accounts) = load(&app, &visit, own).await?;
    let crumbs = vec![Crumb {
        href: "/my".to_owned(),
        label: "我的办件".to_owned(),
    }];
    let page = Page::new(&app, &visit, "单位（本人）信息");
    visit.show(&ProfilePage {
        page,
        crumbs,
        party,
        personal,
        accounts,
    })
}
