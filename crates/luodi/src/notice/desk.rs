//! The desk of objections: list, one objection with what staff may do, its files, its objector.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Path, Query as UrlQuery, State};
use axum::http::StatusCode;
use jiff::civil::Date;

use super::ObjectionState;
use super::answer::{self, Verdict, may_handle};
use super::desk_queries::{self, Contact, ListedObjection, Objection, ObjectionFilter};
use crate::access::{Actor, Rule};
use crate::account;
use crate::attachment::{self, Attachment, Subject};
use crate::ids::{AccountId, AttachmentId, ObjectionId};
use crate::refusal::{Error, Refusal};
use crate::store::{Command, Query, day_in_china};
use crate::web::export::{self, Cell};
#[allow(unused_imports, reason = "templates find filters by this name")]
use crate::web::filters;
use crate::web::form::{Chip, Errors};
use crate::web::{
    Answer, App, Crumb, Page, Pager, Posted, Route, Visit, WebError, get, percent, post,
};

const STAFF: Rule = Rule::Staff(desk_queries::HANDLERS);
const ROWS: u32 = 30;
/// Rows of an export at most.
const EXPORT_ROWS: u32 = 20_000;

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/objections", STAFF, list),
        get("/objections/export.xlsx", STAFF, download),
        get("/objections/{id}", STAFF, show),
        post("/objections/{id}", STAFF, act),
        post("/objections/{id}/unmask", STAFF, unmask),
        post("/objections/{id}/files/{file}", STAFF, open_file),
    ]
}

type Asked = HashMap<String, String>;

fn asked<'a>(query: &'a Asked, name: &str) -> &'a str {
    query.get(name).map_or("", |value| value.trim())
}

fn filter_of(query: &Asked) -> ObjectionFilter {
    ObjectionFilter {
        text: asked(query, "q").chars().take(60).collect(),
        notice: asked(query, "notice").parse().ok(),
        state: ObjectionState::from_code(asked(query, "state")),
        open_only: asked(query, "state") == "open",
        mine: !asked(query, "mine").is_empty(),
    }
}

#[derive(Template)]
#[template(path = "notice/objections.html")]
struct ListPage {
    page: Page,
    today: Date,
    mine: bool,
    text: String,
    state: String,
    notice: String,
    chips: Vec<Chip>,
    rows: Vec<ListedObjection>,
    pager: Pager,
    export: String,
}

async fn list(State(app): State<App>, visit: Visit, UrlQuery(query): UrlQuery<Asked>) -> Answer {
    let actor = visit.actor()?.clone();
    let (filter, number) = (
        filter_of(&query),
        asked(&query, "page").parse().unwrap_or(1),
    );
    let raw = visit
        .path
        .split_once('?')
        .map_or("", |(_, raw)| raw)
        .to_owned();
    let wanted = filter.clone();
    let (rows, pager, counts) = app
        .store
        .read(move |q| {
            let total = desk_queries::count(&**q, &actor, &wanted)?;
            let pager = Pager::new("/objections", &raw, number, ROWS, total);
            let rows = desk_queries::list(&**q, &actor, &wanted, ROWS, pager.offset())?;
            Ok::<_, Error>((
                rows,
                pager,
                desk_queries::count_by_state(&**q, &actor, &wanted)?,
            ))
        })
        .await?;
    visit.show(&ListPage {
        page: Page::new(&app, &visit, "异议"),
        chips: chips(&query, &counts),
        export: pager
            .base
            .replacen("/objections?", "/objections/export.xlsx?", 1),
        today: visit.today(),
        mine: filter.mine,
        state: asked(&query, "state").to_owned(),
        notice: asked(&query, "notice").to_owned(),
        text: filter.text,
        rows,
        pager,
    })
}

fn chips(query: &Asked, counts: &[(ObjectionState, u64)]) -> Vec<Chip> {
    let kept = ["q", "notice", "mine"].map(|name| match asked(query, name) {
        "" => String::new(),
        value => format!("&{name}={}", percent(value)),
    });
    let counted = |wanted: &dyn Fn(ObjectionState) -> bool| {
        counts
            .iter()
            .filter(|(state, _)| wanted(*state))
            .map(|(_, count)| count)
            .sum()
    };
    let chip = |code: &str, label: &str, count: u64| Chip {
        href: format!("/objections?state={code}{}", kept.concat()),
        label: label.to_owned(),
        count: Some(count),
        current: asked(query, "state") == code,
    };
    let mut chips = vec![
        chip("", "全部", counted(&|_| true)),
        chip("open", "未答复", counted(&ObjectionState::is_open)),
    ];
    chips.extend(
        ObjectionState::ALL
            .map(|state| chip(state.code(), state.zh(), counted(&|other| other == state))),
    );
    chips
}

async fn download(
    State(app): State<App>,
    visit: Visit,
    UrlQuery(query): UrlQuery<Asked>,
) -> Answer {
    let (actor, filter) = (visit.actor()?.clone(), filter_of(&query));
    let rows = app
        .store
        .read(move |q| desk_queries::list(&**q, &actor, &filter, EXPORT_ROWS, 0))
        .await?;
    let headers = [
        "回执编号",
        "异议人类型",
        "公示文号",
        "公示对象",
        "内容",
        "金额（元）",
        "状态",
        "收到日期",
        "答复期限",
        "经办人",
        "答复日期",
    ];
    let cells: Vec<Vec<Cell>> = rows.into_iter().map(export_row).collect();
    export::logged(&app, &visit, "异议", &headers, &cells).await
}

fn export_row(row: ListedObjection) -> Vec<Cell> {
    vec![
        row.masked_receipt().into(),
        row.kind_zh().into(),
        row.notice_number.into(),
        row.name.into(),
        row.summary.into(),
        row.amount.into(),
        row.state.zh().into(),
        day_in_china(row.received_at).to_string().into(),
        row.due_on.map(|day| day.to_string()).into(),
        row.handler.into(),
        row.answered_at
            .map(|at| day_in_china(at).to_string())
            .into(),
    ]
}

/// An objection with everything its page shows.
struct Found {
    objection: Objection,
    statement: Option<String>,
    contact: Contact,
    files: Vec<Attachment>,
    handler: String,
    answerer: String,
    barred: Option<String>,
    successors: Vec<(AccountId, String)>,
    /// Somebody else takes care of it.
    of_another: bool,
}

fn find(q: &dyn Query, actor: &Actor, id: ObjectionId) -> Result<Found, Error> {
    let objection = desk_queries::find(q, actor, id)?;
    let name = |id: Option<crate::ids::AccountId>| {
        let name = id.map(|id| account::name_of(q, id)).transpose()?;
        Ok::<_, Error>(name.unwrap_or_default())
    };
    let barred = match may_handle(q, actor, &objection) {
        Ok(()) => None,
        Err(Error::Refused(refusal)) => Some(refusal.message),
        Err(fault) => return Err(fault),
    };
    Ok(Found {
        statement: desk_queries::statement(q, &objection)?,
        contact: desk_queries::contact(q, &objection)?.masked(objection.is_organisation()),
        files: attachment::of_subject(q, Subject::Objection(id))?,
        handler: name(objection.handled_by)?,
        answerer: name(objection.answered_by)?,
        of_another: objection
            .handled_by
            .is_some_and(|handler| handler != actor.account_id()),
        successors: if objection.state.is_open()
            && actor.roles.any(answer::HANDLERS)
            && objection
                .handled_by
                .is_none_or(|handler| handler == actor.account_id())
        {
            answer::successors(q, actor, &objection)?
        } else {
            Vec::new()
        },
        objection,
        barred,
    })
}

#[derive(Template)]
#[template(path = "notice/objection.html")]
struct ObjectionPage {
    page: Page,
    today: Date,
    errors: Errors,
    crumbs: Vec<Crumb>,
    found: Found,
    unmasked: bool,
    note: String,
    reason: String,
    version: i64,
}

/// What a form of the page held.
#[derive(Default)]
struct Typed {
    note: Option<String>,
    reason: String,
    version: Option<i64>,
}

async fn page(
    app: &App,
    visit: &Visit,
    id: ObjectionId,
    contact: Option<Contact>,
    typed: Typed,
    errors: Errors,
) -> Answer {
    let actor = visit.actor()?.clone();
    let mut found = app.store.read(move |q| find(&**q, &actor, id)).await?;
    let unmasked = contact.is_some();
    if let Some(contact) = contact {
        found.contact = contact;
    }
    let status = if errors.heading().is_empty() {
        StatusCode::OK
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    };
    let title = format!("异议 {}", found.objection.masked_receipt());
    let template = ObjectionPage {
        page: Page::new(app, visit, title),
        crumbs: vec![Crumb {
            href: "/objections".to_owned(),
            label: "异议".to_owned(),
        }],
        today: visit.today(),
        note: typed.note.unwrap_or_else(|| found.objection.note.clone()),
        reason: typed.reason,
        version: typed.version.unwrap_or(found.objection.version),
        unmasked,
        errors,
        found,
    };
    visit.show_with(status, &template)
}

async fn show(State(app): State<App>, visit: Visit, Path(id): Path<ObjectionId>) -> Answer {
    page(&app, &visit, id, None, Typed::default(), Errors::default()).await
}

async fn act(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<ObjectionId>,
    posted: Posted,
) -> Answer {
    let actor = visit.actor()?.clone();
    let version = posted.version("version")?;
    let [action, note, reason, to] =
        ["action", "note", "reason", "to"].map(|name| posted.get(name).to_owned());
    let typed = Typed {
        note: Some(note.clone()),
        reason: reason.clone(),
        version: Some(version),
    };
    let (name, verdict) = match action.as_str() {
        "take_up" => ("objection.take_up", None),
        "save_note" => ("objection.note", None),
        "hand_over" => ("objection.hand_over", None),
        "take_over" => ("objection.take_over", None),
        "uphold" => ("objection.answer", Some(Verdict::Upheld)),
        "dismiss" => ("objection.answer", Some(Verdict::Dismissed)),
        _ => return Err(Refusal::field("action", "action", "请选择一项办理操作。").into()),
    };
    let command = Command::new(name, visit.now).once(posted.key());
    let done = app.store.write_once(command, move |tx| match verdict {
        Some(verdict) => answer::answer(tx, &actor, id, version, verdict, &note, &reason)
            .map(|done| done.message),
        None if name == "objection.take_up" => {
            answer::take_up(tx, &actor, id, version, &note)?;
            Ok("异议已受理，请核实后答复。".to_owned())
        }
        None if name == "objection.take_over" => answer::take_over(tx, &actor, id, version),
        None if name == "objection.hand_over" => answer::hand_over(tx, &actor, id, version, &to),
        None => {
            answer::save_note(tx, &actor, id, version, &note)?;
            Ok("核实情况已保存。".to_owned())
        }
    });
    match done.await {
        Ok(done) => Ok(visit.redirect(&format!("/objections/{id}"), &done.value)),
        Err(error) => {
            let errors = Errors::take(error, &posted)?;
            page(&app, &visit, id, None, typed, errors).await
        }
    }
}

async fn unmask(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<ObjectionId>,
    posted: Posted,
) -> Answer {
    let actor = visit.actor()?.clone();
    let reason = posted.get("unmask_reason").to_owned();
    let who = actor.account_id().to_string();
    app.attempts.admit_look(&who, visit.now)?;
    let command = Command::new("objection.unmask", visit.now);
    let done = app
        .store
        .write(command, move |tx| answer::unmask(tx, &actor, id, &reason))
        .await;
    match done {
        Ok(contact) => {
            page(
                &app,
                &visit,
                id,
                Some(contact),
                Typed::default(),
                Errors::default(),
            )
            .await
        }
        Err(error) => {
            let errors = Errors::take(error, &posted)?;
            page(&app, &visit, id, None, Typed::default(), errors).await
        }
    }
}

/// A posted form, because opening is logged; the file is kept, not shown.
async fn open_file(
    State(app): State<App>,
    visit: Visit,
    Path((id, file)): Path<(ObjectionId, AttachmentId)>,
    _posted: Posted,
) -> Answer {
    let actor = visit.actor()?.clone();
    let command = Command::new("objection.open_file", visit.now);
    let file = app
        .store
        .write(command, move |tx| answer::open_file(tx, &actor, id, file))
        .await?;
    let (store, name, media_type) = (
        app.store.clone(),
        file.file_name.clone(),
        file.media_type.clone(),
    );
    let bytes = tokio::task::spawn_blocking(move || attachment::read(&store, &file));
    let bytes = bytes.await.map_err(WebError::fault)??;
    Ok(export::download(&name, &media_type, bytes))
}
