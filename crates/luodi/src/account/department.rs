//! Departments: entering and amending them, and their pages for the system administrator.
//!
//! Code and region of a department never change: cases, budgets and papers rest on them. It lacks
//! ending one, which waits for the reorganisation of what it holds.

use askama::Template;
use axum::extract::{Path, Query as UrlQuery, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use vocab::RegionCode;

use super::commands::{administrator, require};
use super::desk::{choices_of_regions, crumb, region_name};
use super::queries::{Department, department, departments};
use crate::access::{Actor, Role, Rule, may_administer};
use crate::ids::DepartmentId;
use crate::params;
use crate::refusal::{Refusal, Refusals, Result};
use crate::store::{Command, Event, Query, Tx};
use crate::web::export::{self, Cell};
use crate::web::filters;
use crate::web::form::{Choice, Errors, refused};
use crate::web::{Answer, App, Crumb, Page, Posted, Route, Visit, WebError, get, post};

const SYSTEM: Rule = Rule::Staff(&[Role::SystemAdmin]);

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/departments", SYSTEM, list),
        get("/departments.xlsx", SYSTEM, download),
        get("/departments/new", SYSTEM, ask_new),
        post("/departments/new", SYSTEM, create),
        get("/departments/{id}", SYSTEM, show),
        post("/departments/{id}", SYSTEM, amend),
    ]
}

/// A department to be entered.
#[derive(Clone, Debug)]
pub struct NewDepartment {
    /// Short code, unique in the city.
    pub code: String,
    /// Its name.
    pub name: String,
    /// The county or city it works for.
    pub region: RegionCode,
    /// What stands in the numbers of its papers (机关代字): 2 to 10 Chinese characters, unique in
    /// the city.
    pub paper_word: String,
}

/// The fields of the form, in its order.
const FORM: &[&str] = &["code", "name", "region", "paper_word"];

/// Enters a department.
///
/// # Errors
/// Refuses another than the system administrator of the region, an empty field, a taken code or
/// 机关代字.
pub fn create_department(tx: &Tx<'_>, actor: &Actor, new: &NewDepartment) -> Result<DepartmentId> {
    administrator(actor, Role::SystemAdmin, new.region)?;
    check_new(tx, new, Refusals::default())?;
    let id = DepartmentId(tx.new_id());
    let (code, name, word) = (new.code.trim(), new.name.trim(), new.paper_word.trim());
    tx.execute(
        "INSERT INTO department (id, code, name, region_code, paper_word) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![id, code, name, new.region, word],
    )?;
    let detail = json!({
        "code": code, "name": name, "region": new.region.to_string(), "paper_word": word,
    });
    event(tx, actor, "department.create", id, detail);
    Ok(id)
}

/// Every rule of a new department, besides what is known to be wrong.
fn check_new(q: &dyn Query, new: &NewDepartment, mut wrong: Refusals) -> Result<()> {
    let code = new.code.trim();
    let shaped = |c: char| c.is_alphanumeric() || c == '-';
    require(&mut wrong, "code", code, 20, "部门代码");
    if !code.chars().all(shaped) {
        let message = "部门代码由文字、字母、数字和连字符组成，例如 YJFG。";
        wrong.add("code", "code-shape", message);
    }
    let sql = "SELECT 1 FROM department WHERE code = ?1";
    let taken: Option<i64> = q.row_opt(sql, params![code], |r| r.get(0))?;
    if taken.is_some() {
        wrong.add("code", "taken", "这个部门代码已被使用，请换一个。");
    }
    check_words(q, None, &new.name, &new.paper_word, &mut wrong)?;
    Ok(wrong.in_order(FORM)?)
}

/// The rules of what may be amended later.
fn check_words(
    q: &dyn Query,
    own: Option<DepartmentId>,
    name: &str,
    word: &str,
    wrong: &mut Refusals,
) -> Result<()> {
    require(wrong, "name", name, 60, "部门名称");
    let word = word.trim();
    let chinese = |c: char| ('\u{4e00}'..='\u{9fff}').contains(&c);
    if !(2..=10).contains(&word.chars().count()) || !word.chars().all(chinese) {
        let message = "机关代字为 2 至 10 个汉字，例如永发改，用在公示等文书的文号里。";
        wrong.add("paper_word", "paper-word", message);
    }
    let sql = "SELECT id FROM department WHERE paper_word = ?1";
    let holder: Option<DepartmentId> = q.row_opt(sql, params![word], |r| r.get(0))?;
    if holder.is_some() && holder != own {
        let message = "这个机关代字已被另一个部门使用，文号会相混，请换一个。";
        wrong.add("paper_word", "taken", message);
    }
    Ok(())
}

/// Amends name and 机关代字; papers published before keep their numbers.
///
/// # Errors
/// Refuses another than the system administrator of the region, fields at fault, a department that
/// changed meanwhile.
pub fn amend_department(
    tx: &Tx<'_>,
    actor: &Actor,
    id: DepartmentId,
    version: i64,
    name: &str,
    paper_word: &str,
) -> Result<()> {
    let before = department(tx, id)?.ok_or_else(not_found)?;
    administrator(actor, Role::SystemAdmin, before.region)?;
    let mut wrong = Refusals::default();
    check_words(tx, Some(id), name, paper_word, &mut wrong)?;
    wrong.in_order(FORM)?;
    let (name, word) = (name.trim(), paper_word.trim());
    let sql = "UPDATE department SET name = ?3, paper_word = ?4, version = version + 1 \
               WHERE id = ?1 AND version = ?2";
    if tx.execute(sql, params![id, version, name, word])? == 0 {
        let message = "这个部门刚被他人更改，您的更改没有保存。请打开最新页面核对后再办。";
        return Err(Refusal::conflict("department-changed", message).into());
    }
    let detail = json!({
        "before": { "name": before.name, "paper_word": before.paper_word },
        "after": { "name": name, "paper_word": word },
    });
    event(tx, actor, "department.amend", id, detail);
    Ok(())
}

fn event(
    tx: &Tx<'_>,
    actor: &Actor,
    command: &'static str,
    id: DepartmentId,
    detail: serde_json::Value,
) {
    tx.event(Event {
        actor: actor.to_ref(),
        command,
        subject: ("department", id.0),
        detail,
        rows: vec![("department", id.0)],
    });
}

fn not_found() -> Refusal {
    Refusal::not_found("没有这个部门，或者不在您的管理区域内。请从部门列表重新进入。")
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    q: String,
}

/// The departments of the visitor's region whose name, code or 机关代字 holds a text.
async fn found(app: &App, visit: &Visit, text: &str) -> Result<Vec<Department>, WebError> {
    let region = visit.actor()?.region;
    let mut found = app.store.read(move |q| departments(q, region)).await?;
    let text = text.trim().to_lowercase();
    found.retain(|it| {
        [&it.name, &it.code, &it.paper_word]
            .into_iter()
            .any(|value| value.to_lowercase().contains(&text))
    });
    Ok(found)
}

#[derive(Template)]
#[template(path = "account/departments.html")]
struct ListPage {
    page: Page,
    text: String,
    rows: Vec<Department>,
}

async fn list(State(app): State<App>, visit: Visit, UrlQuery(asked): UrlQuery<Asked>) -> Answer {
    let rows = found(&app, &visit, &asked.q).await?;
    visit.show(&ListPage {
        page: Page::new(&app, &visit, "部门"),
        text: asked.q,
        rows,
    })
}

async fn download(
    State(app): State<App>,
    visit: Visit,
    UrlQuery(asked): UrlQuery<Asked>,
) -> Answer {
    let rows = found(&app, &visit, &asked.q).await?;
    let headers = ["部门代码", "部门名称", "区域", "机关代字"];
    let cells: Vec<Vec<Cell>> = rows
        .into_iter()
        .map(|row| {
            vec![
                row.code.into(),
                row.name.into(),
                region_name(row.region).into(),
                row.paper_word.into(),
            ]
        })
        .collect();
    export::xlsx("部门", &headers, &cells)
}

#[derive(Template)]
#[template(path = "account/department.html")]
struct FormPage {
    page: Page,
    crumbs: Vec<Crumb>,
    errors: Errors,
    action: String,
    /// Code and region of a department that is there; a new one has neither.
    known: Option<Department>,
    typed_code: String,
    typed_name: String,
    typed_word: String,
    regions: Vec<Choice>,
}

fn form(
    app: &App,
    visit: &Visit,
    known: Option<Department>,
    typed: &Posted,
    errors: Errors,
) -> Answer {
    let status = if errors.heading().is_empty() {
        StatusCode::OK
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    };
    let value =
        |name: &str, of: fn(&Department) -> &str| match (!typed.all(name).is_empty(), &known) {
            (false, Some(known)) => of(known).to_owned(),
            _ => typed.get(name).to_owned(),
        };
    let page = FormPage {
        page: Page::new(
            app,
            visit,
            known.as_ref().map_or("登记部门", |it| it.name.as_str()),
        ),
        crumbs: vec![crumb("/accounts", "账号"), crumb("/departments", "部门")],
        action: known.as_ref().map_or_else(
            || "/departments/new".to_owned(),
            |known| format!("/departments/{}", known.id),
        ),
        typed_code: value("code", |it| &it.code),
        typed_name: value("name", |it| &it.name),
        typed_word: value("paper_word", |it| &it.paper_word),
        regions: choices_of_regions(visit.actor()?.region, typed.get("region")),
        errors,
        known,
    };
    visit.show_with(status, &page)
}

async fn ask_new(State(app): State<App>, visit: Visit) -> Answer {
    form(&app, &visit, None, &Posted::default(), Errors::default())
}

async fn create(State(app): State<App>, visit: Visit, posted: Posted) -> Answer {
    match try_create(&app, &visit, &posted).await {
        Ok(()) => Ok(visit.redirect("/departments", "部门已登记，可以为它开立账号了。")),
        Err(error) => {
            let errors = Errors::take(error, &posted)?;
            form(&app, &visit, None, &posted, errors)
        }
    }
}

async fn try_create(app: &App, visit: &Visit, posted: &Posted) -> Result<(), WebError> {
    let actor = visit.actor()?.clone();
    let mut wrong = Refusals::default();
    let region = posted.get("region").parse().unwrap_or_else(|_| {
        wrong.add("region", "required", "请选择区域。");
        actor.region
    });
    let new = NewDepartment {
        code: posted.get("code").to_owned(),
        name: posted.get("name").to_owned(),
        region,
        paper_word: posted.get("paper_word").to_owned(),
    };
    if !wrong.is_empty() {
        let check = move |q: &dyn Query| check_new(q, &new, wrong);
        return Err(refused(app, check).await);
    }
    let command = Command::new("department.create", visit.now).once(posted.key());
    let done = app
        .store
        .write_once(command, move |tx| create_department(tx, &actor, &new));
    done.await?;
    Ok(())
}

/// The department, where the visitor administers its region.
async fn load(app: &App, visit: &Visit, id: DepartmentId) -> Result<Department, WebError> {
    let found = app.store.read(move |q| department(q, id)).await?;
    let actor = visit.actor()?;
    let found = found.filter(|it| may_administer(actor, it.region));
    found.ok_or_else(|| WebError::from(not_found()).with_visit(visit))
}

async fn show(State(app): State<App>, visit: Visit, Path(id): Path<DepartmentId>) -> Answer {
    let known = load(&app, &visit, id).await?;
    form(
        &app,
        &visit,
        Some(known),
        &Posted::default(),
        Errors::default(),
    )
}

async fn amend(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<DepartmentId>,
    posted: Posted,
) -> Answer {
    let known = load(&app, &visit, id).await?;
    let (actor, version) = (visit.actor()?.clone(), posted.version("version")?);
    let (name, word) = (
        posted.get("name").to_owned(),
        posted.get("paper_word").to_owned(),
    );
    let command = Command::new("department.amend", visit.now).once(posted.key());
    let done = app.store.write_once(command, move |tx| {
        amend_department(tx, &actor, id, version, &name, &word)
    });
    match done.await {
        Ok(_) => Ok(visit.redirect("/departments", "部门已更改。此前的文号不变。")),
        Err(error) => {
            let errors = Errors::take(error, &posted)?;
            form(&app, &visit, Some(known), &posted, errors)
        }
    }
}
