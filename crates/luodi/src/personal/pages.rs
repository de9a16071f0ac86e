//! The pages of a party's data: what the party sees of its own (我的数据), what the window does for
//! it, and the reviewer's list of requests to erase.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::erase::{self, Erasure};
use super::export::{self, Export};
use crate::access::{Actor, Role, Rule};
use crate::account;
use crate::attachment;
use crate::dossier::Hindrance;
use crate::ids::PartyId;
use crate::party::{self, Party};
use crate::refusal::{Error, Result};
use crate::store::{Command, Query};
use crate::web::filters;
use crate::web::form::Errors;
use crate::web::{Answer, App, Crumb, Page, Posted, Route, Visit, WebError, get, post};

const WINDOW: Rule = Rule::Staff(&[Role::WindowClerk]);
const REVIEWER: Rule = Rule::Staff(&[Role::Reviewer]);

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/my/data", Rule::Applicant, my_data),
        post("/my/data/export", Rule::Applicant, my_export),
        get("/my/data/file", Rule::Applicant, my_file),
        post("/my/data/erasure", Rule::Applicant, my_erasure),
        get(
            "/parties/{id}/data",
            Rule::Staff(&[Role::WindowClerk, Role::Reviewer]),
            show,
        ),
        post("/parties/{id}/data/export", WINDOW, ask_export),
        get("/parties/{id}/data/file", WINDOW, file),
        post("/parties/{id}/data/erasure", WINDOW, ask_erasure),
        post("/parties/{id}/data/erasure/decide", REVIEWER, decide),
        get("/erasures", REVIEWER, list),
    ]
}

/// Everything the page knows.
struct Facts {
    party: Party,
    export: Option<Export>,
    request: Option<Erasure>,
    asked_by: String,
    hindrances: Vec<Hindrance>,
}

#[derive(Template)]
#[template(path = "personal/data.html")]
struct DataPage {
    page: Page,
    crumbs: Vec<Crumb>,
    errors: Errors,
    facts: Facts,
    /// Where the forms of the page lead.
    base: String,
    own: bool,
    /// May ask for a copy or an erasure.
    asks: bool,
    /// May decide on the request.
    decides: bool,
    typed_why: String,
    typed_reason: String,
}

fn load(q: &dyn Query, actor: &Actor, id: PartyId, today: jiff::civil::Date) -> Result<Facts> {
    let party = party::find(q, actor, id)?;
    let request = erase::open(q, id)?;
    let asked_by = match &request {
        Some(request) => account::name_of(q, request.requested_by)?,
        None => String::new(),
    };
    Ok(Facts {
        export: export::newest(q, id)?,
        hindrances: if party.erased {
            Vec::new()
        } else {
            erase::hindrances(q, id, today)?
        },
        request,
        asked_by,
        party,
    })
}

async fn show_data(
    app: &App,
    visit: &Visit,
    id: PartyId,
    (status, errors, [typed_why, typed_reason]): (StatusCode, Errors, [String; 2]),
) -> Answer {
    let actor = visit.actor()?.clone();
    let (own, today) = (actor.party == Some(id), visit.today());
    let asks = own || actor.has(Role::WindowClerk);
    let reviewer = actor.has(Role::Reviewer);
    let me = actor.account_id();
    let read = app.store.read(move |q| load(&**q, &actor, id, today));
    let facts = read.await?;
    let (title, base, crumbs) = if own {
        (
            "我的数据",
            "/my/data".to_owned(),
            vec![crumb("/my", "我的办件")],
        )
    } else {
        let party = format!("/parties/{id}");
        let crumbs = vec![crumb("/parties", "主体"), crumb(&party, &facts.party.name)];
        ("个人信息的复制与删除", format!("{party}/data"), crumbs)
    };
    let request = facts.request.as_ref();
    let page = DataPage {
        page: Page::new(app, visit, title),
        crumbs,
        errors,
        base,
        own,
        asks: asks && !facts.party.erased,
        decides: reviewer && request.is_some_and(|request| request.requested_by != me),
        typed_why,
        typed_reason,
        facts,
    };
    visit.show_with(status, &page)
}

fn crumb(href: &str, label: &str) -> Crumb {
    Crumb {
        href: href.to_owned(),
        label: label.to_owned(),
    }
}

/// The page as it is first seen.
fn fresh() -> (StatusCode, Errors, [String; 2]) {
    (StatusCode::OK, Errors::default(), Default::default())
}

/// The page again, with what was refused and what was typed.
async fn again(
    app: &App,
    visit: &Visit,
    id: PartyId,
    posted: &Posted,
    error: impl Into<WebError>,
) -> Answer {
    let errors = Errors::take(error, posted)?;
    let typed = ["why", "reason"].map(|field| posted.get(field).to_owned());
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    show_data(app, visit, id, (status, errors, typed)).await
}

fn own(visit: &Visit) -> Result<PartyId, WebError> {
    visit.actor()?.party.ok_or_else(WebError::forbidden)
}

async fn my_data(State(app): State<App>, visit: Visit) -> Answer {
    show_data(&app, &visit, own(&visit)?, fresh()).await
}

async fn show(State(app): State<App>, visit: Visit, Path(id): Path<PartyId>) -> Answer {
    show_data(&app, &visit, id, fresh()).await
}

async fn my_export(State(app): State<App>, visit: Visit, posted: Posted) -> Answer {
    export_now(&app, &visit, own(&visit)?, &posted, "/my/data").await
}

async fn ask_export(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<PartyId>,
    posted: Posted,
) -> Answer {
    export_now(&app, &visit, id, &posted, &format!("/parties/{id}/data")).await
}

async fn export_now(app: &App, visit: &Visit, id: PartyId, posted: &Posted, back: &str) -> Answer {
    let (actor, reason) = (visit.actor()?.clone(), posted.get("why").to_owned());
    let command = Command::new("personal.request_export", visit.now).once(posted.key());
    let asked = app.store.write_once(command, move |tx| {
        super::request_export(tx, &actor, id, &reason)
    });
    match asked.await {
        Ok(_) => Ok(visit.redirect(back, "正在生成副本，通常不到一分钟。请稍后刷新本页下载。")),
        Err(error) => again(app, visit, id, posted, error).await,
    }
}

async fn my_file(State(app): State<App>, visit: Visit) -> Answer {
    fetch(&app, &visit, own(&visit)?).await
}

async fn file(State(app): State<App>, visit: Visit, Path(id): Path<PartyId>) -> Answer {
    fetch(&app, &visit, id).await
}

async fn fetch(app: &App, visit: &Visit, id: PartyId) -> Answer {
    let actor = visit.actor()?.clone();
    let command = Command::new("personal.download", visit.now);
    let found = app
        .store
        .write(command, move |tx| export::fetch(tx, &actor, id));
    let (store, file) = (app.store.clone(), found.await?);
    let (name, kind) = (file.file_name.clone(), file.media_type.clone());
    let bytes = tokio::task::spawn_blocking(move || attachment::read(&store, &file))
        .await
        .map_err(WebError::fault)??;
    Ok(crate::web::export::download(&name, &kind, bytes))
}

async fn my_erasure(State(app): State<App>, visit: Visit, posted: Posted) -> Answer {
    erasure_now(&app, &visit, own(&visit)?, &posted, "/my/data").await
}

async fn ask_erasure(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<PartyId>,
    posted: Posted,
) -> Answer {
    erasure_now(&app, &visit, id, &posted, &format!("/parties/{id}/data")).await
}

async fn erasure_now(app: &App, visit: &Visit, id: PartyId, posted: &Posted, back: &str) -> Answer {
    let (actor, reason) = (visit.actor()?.clone(), posted.get("reason").to_owned());
    let command = Command::new("personal.request_erasure", visit.now).once(posted.key());
    let asked = app.store.write_once(command, move |tx| {
        super::request_erasure(tx, &actor, id, &reason)
    });
    match asked.await {
        Ok(_) => Ok(visit.redirect(
            back,
            "删除申请已登记，由另一位工作人员（审核人）确认后执行。",
        )),
        Err(error) => again(app, visit, id, posted, error).await,
    }
}

async fn decide(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<PartyId>,
    posted: Posted,
) -> Answer {
    let (actor, version) = (visit.actor()?.clone(), posted.version("version")?);
    let refused = (posted.get("action") != "erase").then(|| posted.get("reason").to_owned());
    let erased = refused.is_none();
    let command = Command::new("personal.decide_erasure", visit.now).once(posted.key());
    let done = app.store.write_once(command, move |tx| {
        let files = super::decide_erasure(tx, &actor, id, version, refused.as_deref())?;
        Ok::<_, Error>(
            files
                .iter()
                .map(attachment::Attachment::place)
                .collect::<Vec<_>>(),
        )
    });
    let files = match done.await {
        Ok(done) => done.value,
        Err(error) => return again(&app, &visit, id, &posted, error).await,
    };
    let store = app.store.clone();
    tokio::task::spawn_blocking(move || attachment::remove_erased(&store, &files))
        .await
        .map_err(WebError::fault)?;
    let said = if erased {
        "个人信息已依法删除。"
    } else {
        "已登记不予删除，申请人会收到消息。"
    };
    Ok(visit.redirect(&format!("/parties/{id}/data"), said))
}

#[derive(Template)]
#[template(path = "personal/list.html")]
struct ListPage {
    page: Page,
    rows: Vec<Line>,
}

/// A request with whose it is and who asked.
struct Line {
    request: Erasure,
    party: String,
    asked_by: String,
}

/// A party's name as the reader may read it: masked where the party is registered elsewhere.
fn name_for(q: &dyn Query, actor: &Actor, id: PartyId) -> Result<String> {
    match party::find(q, actor, id) {
        Err(Error::Refused(_)) => {
            let party = party::find_for_case(q, id)?;
            Ok(party::masked_name(party.kind.code(), &party.name))
        }
        found => Ok(found?.name),
    }
}

async fn list(State(app): State<App>, visit: Visit) -> Answer {
    let actor = visit.actor()?.clone();
    let rows = app
        .store
        .read(move |q| {
            let q: &dyn Query = &**q;
            let line = |request: Erasure| {
                Ok::<_, Error>(Line {
                    party: name_for(q, &actor, request.party)?,
                    asked_by: account::name_of(q, request.requested_by)?,
                    request,
                })
            };
            erase::requests(q, &actor)?.into_iter().map(line).collect()
        })
        .await;
    let rows: Vec<Line> = rows.map_err(|error: Error| error)?;
    let page = Page::new(&app, &visit, "待确认的删除申请");
    visit.show(&ListPage { page, rows })
}
