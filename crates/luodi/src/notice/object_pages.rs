//! The public form of an objection, its receipt, and following it by the receipt's code.

use askama::Template;
use axum::extract::{Path, Query as UrlQuery, State};
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use uuid::{Builder, Uuid};
use vocab::Phone;

use super::desk_queries::{self, Followed};
use super::object::{DOCUMENT, closed, no_document, removed};
use super::queries::{self, Line, Notice};
use super::{NewObjection, ObjectionState, Objector, object, receipt};
use crate::access::Rule;
use crate::attachment::{self, Kept};
use crate::ids::{NoticeEntryId, NoticeId, ObjectionId};
use crate::refusal::{Error, FieldError, Refusal};
use crate::store::{Command, IdempotencyKey};
#[allow(unused_imports, reason = "templates find filters by this name")]
use crate::web::filters;
use crate::web::form::{Choice, Errors};
use crate::web::{
    Answer, App, FILE_BYTES, Page, Posted, Rate, Route, Upload, Visit, WebError, get, post,
};

/// How often one address may object: a village's shared line has room, a flood has not.
const OBJECTING: Rate = Rate {
    purpose: "objection",
    burst: 5,
    per_minute: 1,
};
/// How often one address may try receipt codes.
const FOLLOWING: Rate = Rate {
    purpose: "objection.follow",
    burst: 20,
    per_minute: 10,
};

/// A field no person sees; programs fill it in.
const HONEYPOT: &str = "website";
/// Files of one objection at most.
const FILES: usize = 5;
const TYPES: [&str; 4] = ["pdf", "jpg", "jpeg", "png"];

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/notices/{id}/objections/new", Rule::Public, ask),
        post("/notices/{id}/objections/new", Rule::Public, submit),
        get("/objections/follow", Rule::Public, ask_code),
        post("/objections/follow", Rule::Public, follow),
    ]
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OfLine {
    entry: String,
}

/// What is typed into the form.
#[derive(Default)]
struct Typed {
    kind: String,
    name: String,
    person: String,
    phone: String,
    statement: String,
}

#[derive(Template)]
#[template(path = "notice/object.html")]
struct ObjectPage {
    page: Page,
    errors: Errors,
    notice: Notice,
    line: Line,
    kinds: Vec<Choice>,
    typed: Typed,
    max_bytes: usize,
}

struct Found {
    notice: Notice,
    line: Line,
    closed: Option<Refusal>,
}

async fn load(app: &App, visit: &Visit, id: NoticeId, line: &str) -> Result<Found, WebError> {
    let line: NoticeEntryId = line.parse().map_err(|_| {
        Refusal::not_found("没有选中公示名单中的一项，请从公示页面点「提出异议」。")
    })?;
    let today = visit.today();
    let found = app.store.read(move |q| {
        let notice = queries::find(&**q, id)?;
        let line = queries::line(&**q, id, line)?;
        let listed = || queries::listed(&**q, notice.batch);
        let closed = match notice.is_open(today) {
            false => Some(closed(&**q, &notice)?),
            true if !listed()?.contains(&line.batch_entry) => Some(removed()),
            true => None,
        };
        Ok::<_, Error>(Found {
            notice,
            line,
            closed,
        })
    });
    Ok(found.await?)
}

fn show(app: &App, visit: &Visit, found: Found, typed: Typed, errors: Errors) -> Answer {
    let status = if errors.heading().is_empty() {
        StatusCode::OK
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    };
    let page = Page::new(app, visit, visit.lang.text("objection.title"));
    let kind = |value: &str, label: &str| Choice::new(value, page.t(label), &typed.kind);
    let template = ObjectPage {
        kinds: vec![
            kind("person", "objection.person"),
            kind("organisation", "objection.organisation"),
        ],
        notice: found.notice,
        line: found.line,
        max_bytes: FILE_BYTES,
        page,
        typed,
        errors: errors.told(visit.lang),
    };
    visit.show_with(status, &template)
}

async fn ask(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<NoticeId>,
    UrlQuery(asked): UrlQuery<OfLine>,
) -> Answer {
    let found = load(&app, &visit, id, &asked.entry).await?;
    if let Some(refusal) = found.closed {
        return Err(WebError::from(refusal).with_visit(&visit));
    }
    show(&app, &visit, found, Typed::default(), Errors::default())
}

async fn submit(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<NoticeId>,
    posted: Posted,
) -> Answer {
    let mut found = load(&app, &visit, id, posted.get("entry")).await?;
    if let Some(refusal) = found.closed.take() {
        return Err(WebError::kept(refusal, posted.kept()).with_visit(&visit));
    }
    let line = found.line.id;
    match receive(&app, &visit, id, line, &posted).await {
        Ok(code) => visit.show(&ReceivedPage {
            page: Page::new(&app, &visit, visit.lang.text("objection.received")),
            code: receipt::grouped(&code),
            notice: found.notice,
            line: found.line,
        }),
        Err(error) => {
            let errors = Errors::take(error, &posted).map_err(|error| error.with_visit(&visit))?;
            show(&app, &visit, found, typed(&posted), errors)
        }
    }
}

/// Checks the form, makes the files safe and carries the command out; gives the receipt code.
async fn receive(
    app: &App,
    visit: &Visit,
    notice: NoticeId,
    line: NoticeEntryId,
    posted: &Posted,
) -> Result<String, WebError> {
    let checked = check(posted).map_err(Refusal::fields)?;
    if !app.attempts.admit(OBJECTING, &visit.address, visit.now) {
        let message =
            "这个网络地址提交得太频繁，请几分钟后再提交。您填写的内容在下面，也可以电话反映。";
        return Err(Refusal::too_many("objection-flood", message).into());
    }
    let id = ObjectionId(fresh_id(visit.now));
    let new = NewObjection {
        files: keep(app, visit.now, id, posted.uploads()).await?,
        objector: checked.objector,
        phone: checked.phone,
        statement: checked.statement,
        id,
        notice,
        line,
    };
    let command = Command::new("objection.submit", visit.now).once(public(posted.key()));
    let done = app
        .store
        .write_once(command, move |tx| object(tx, &new))
        .await;
    Ok(done?.value)
}

/// The key without the account of whoever is logged in: objecting may be anonymous.
fn public(mut key: IdempotencyKey) -> IdempotencyKey {
    let path = key.scope.split_once(' ').map_or("", |(_, path)| path);
    key.scope = format!("public {path}");
    key
}

/// An id before the command, because the files are sealed under its key.
fn fresh_id(now: Timestamp) -> Uuid {
    let milliseconds = u64::try_from(now.as_millisecond()).unwrap_or_default();
    Builder::from_unix_timestamp_millis(milliseconds, &crate::store::random()).into_uuid()
}

async fn keep(
    app: &App,
    now: Timestamp,
    id: ObjectionId,
    uploads: &[Upload],
) -> Result<Vec<Kept>, WebError> {
    let store = app.store.clone();
    let files: Vec<Upload> = (1..)
        .zip(uploads)
        .map(|(number, upload)| nameless(number, upload))
        .collect();
    let types = TYPES.map(str::to_owned);
    let kept = tokio::task::spawn_blocking(move || {
        files
            .iter()
            .map(|file| attachment::keep(&store, now, id.0, DOCUMENT, file, &types))
            .collect::<crate::refusal::Result<Vec<Kept>>>()
    });
    Ok(kept.await.map_err(WebError::fault)??)
}

/// A file's own name may name the objector; it is stored under a number instead.
fn nameless(number: usize, upload: &Upload) -> Upload {
    let end = upload
        .file_name
        .rsplit_once('.')
        .map_or("", |(_, end)| end)
        .to_ascii_lowercase();
    Upload {
        file_name: format!("异议材料{number}.{end}"),
        ..upload.clone()
    }
}

struct Checked {
    objector: Objector,
    phone: Option<Phone>,
    statement: String,
}

fn typed(posted: &Posted) -> Typed {
    let text = |name: &str| posted.get(name).to_owned();
    Typed {
        kind: text("kind"),
        name: text("name"),
        person: text("person"),
        phone: text("phone"),
        statement: text("statement"),
    }
}

fn check(posted: &Posted) -> Result<Checked, Vec<FieldError>> {
    let mut wrong = Vec::new();
    let objector = objector(posted, &mut wrong);
    let phone = match posted.get("phone") {
        "" => None,
        text => Phone::parse(text)
            .map_err(|error| {
                wrong.push(field(
                    "phone",
                    error.code(),
                    format!("{}。", error.message_zh()),
                ));
            })
            .ok(),
    };
    let statement = posted.get("statement");
    match statement.chars().count() {
        0..10 => wrong.push(field(
            "statement",
            "min-length",
            "请写明异议的事实和理由，不少于 10 个字。",
        )),
        3_001.. => wrong.push(field(
            "statement",
            "max-length",
            "异议内容不超过 3000 字，其余可以作为附件上传。",
        )),
        _ => {}
    }
    check_files(posted, &mut wrong);
    if !posted.get(HONEYPOT).is_empty() {
        wrong.push(field(
            HONEYPOT,
            "must-be-empty",
            "请清空「网址」一栏后再提交。",
        ));
    }
    match objector {
        Some(objector) if wrong.is_empty() => Ok(Checked {
            objector,
            phone,
            statement: statement.to_owned(),
        }),
        _ => Err(wrong),
    }
}

fn objector(posted: &Posted, wrong: &mut Vec<FieldError>) -> Option<Objector> {
    let (name, person) = (posted.get("name"), posted.get("person"));
    if name.chars().count() > 100 {
        wrong.push(field("name", "max-length", "名称不超过 100 字。"));
    }
    if person.chars().count() > 40 {
        wrong.push(field("person", "max-length", "联系人不超过 40 字。"));
    }
    match posted.get("kind") {
        "organisation" if name.chars().count() < 2 => {
            wrong.push(field("name", "required", "单位提出异议请填写单位全称。"));
            None
        }
        "organisation" => Some(Objector::Organisation {
            name: name.to_owned(),
            person: person.to_owned(),
        }),
        "person" => {
            let name = (!name.is_empty()).then(|| name.to_owned());
            Some(Objector::Person { name })
        }
        _ => {
            wrong.push(field(
                "kind",
                "required",
                "请选择以单位还是个人名义提出异议。",
            ));
            None
        }
    }
}

fn check_files(posted: &Posted, wrong: &mut Vec<FieldError>) {
    let uploads = posted.uploads();
    if posted.get("kind") == "organisation" && uploads.is_empty() {
        wrong.extend(no_document().fields);
    }
    if uploads.len() > FILES {
        wrong.push(field(
            DOCUMENT,
            "too-many-files",
            format!("最多上传 {FILES} 个文件，请合并后再上传。"),
        ));
        return;
    }
    let types = TYPES.map(str::to_owned);
    for upload in uploads {
        if let Err(error) = attachment::check(upload, &types) {
            wrong.push(FieldError {
                field: DOCUMENT.to_owned(),
                ..error
            });
        }
    }
}

fn field(name: &str, rule: &'static str, message: impl Into<String>) -> FieldError {
    FieldError {
        field: name.to_owned(),
        rule: rule.into(),
        message: message.into(),
    }
}

#[derive(Template)]
#[template(path = "notice/received.html")]
struct ReceivedPage {
    page: Page,
    code: String,
    notice: Notice,
    line: Line,
}

#[derive(Template)]
#[template(path = "notice/follow.html")]
struct FollowPage {
    page: Page,
    errors: Errors,
    typed: String,
    found: Option<Followed>,
    state: String,
    look: &'static str,
}

fn follow_page(
    app: &App,
    visit: &Visit,
    typed: &str,
    found: Option<Followed>,
    errors: Errors,
) -> Answer {
    let status = if errors.heading().is_empty() {
        StatusCode::OK
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    };
    let page = Page::new(app, visit, visit.lang.text("objection.follow"));
    let state = found.as_ref().map(|found| found.state);
    let template = FollowPage {
        state: state.map_or_else(String::new, |state| page.t(state_key(state))),
        look: state.map_or("plain", ObjectionState::look),
        typed: typed.to_owned(),
        page,
        errors: errors.told(visit.lang),
        found,
    };
    visit.show_with(status, &template)
}

const fn state_key(state: ObjectionState) -> &'static str {
    match state {
        ObjectionState::Received => "objection.state.received",
        ObjectionState::Verifying => "objection.state.verifying",
        ObjectionState::Upheld => "objection.state.upheld",
        ObjectionState::Dismissed => "objection.state.dismissed",
    }
}

async fn ask_code(State(app): State<App>, visit: Visit) -> Answer {
    follow_page(&app, &visit, "", None, Errors::default())
}

/// Posted, so that the code stands in no address, log or history.
async fn follow(State(app): State<App>, visit: Visit, posted: Posted) -> Answer {
    if !app.attempts.admit(FOLLOWING, &visit.address, visit.now) {
        let refusal = Refusal::too_many("follow-flood", "查询得太频繁，请几分钟后再试。");
        return Err(WebError::from(refusal).with_visit(&visit));
    }
    let typed = posted.get("receipt").to_owned();
    let unknown = || {
        let message = "没有这个回执编号，请核对（12 位，不含 0、1、I、O）。";
        Errors::from(&Refusal::field("receipt", "unknown", message))
    };
    let Some(code) = receipt::parse(&typed) else {
        return follow_page(&app, &visit, &typed, None, unknown());
    };
    let found = app
        .store
        .read(move |q| desk_queries::follow(&**q, &code))
        .await?;
    let errors = if found.is_none() {
        unknown()
    } else {
        Errors::default()
    };
    follow_page(&app, &visit, &typed, found, errors)
}
