//! The administrators' desk: the list of accounts, one account, opening one, roles and state.
//!
//! It lacks rules: the commands decide, so that no page can forget one.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Path, Query as UrlQuery, State};
use axum::http::StatusCode;
use vocab::RegionCode;

use crate::access::{Actor, Role, Roles, Rule};
use crate::ids::AccountId;
use crate::refusal::{Refusal, Refusals, Result};
use crate::store::{Command, Query};
use crate::web::export::{self, Cell};
use crate::web::filters;
use crate::web::form::{Choice, Errors, refused};
use crate::web::{Answer, App, Crumb, Page, Pager, Posted, Route, Visit, WebError, get, post};

use super::queries::{self, AccountFilter, AccountRow, Department};
use super::{AccountState, NewAccount, commands, factor, password, rest};

const ADMINISTRATORS: Rule = Rule::Staff(&[Role::SystemAdmin, Role::SecurityAdmin]);
const SYSTEM: Rule = Rule::Staff(&[Role::SystemAdmin]);

/// Rows on a page of the list.
const PAGE_ROWS: u32 = 50;
/// Rows of an export at most: one workbook's worth of accounts.
const EXPORT_ROWS: u32 = 20_000;

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/accounts", ADMINISTRATORS, list),
        get("/accounts.xlsx", ADMINISTRATORS, download),
        get("/accounts/new", SYSTEM, ask_new),
        post("/accounts/new", SYSTEM, create),
        get("/accounts/{id}", ADMINISTRATORS, show),
        post("/accounts/{id}", ADMINISTRATORS, change),
    ]
}

type Asked = HashMap<String, String>;

fn asked<'a>(query: &'a Asked, name: &str) -> &'a str {
    query.get(name).map_or("", |value| value.trim())
}

fn filter_of(query: &Asked) -> AccountFilter {
    AccountFilter {
        text: asked(query, "q").chars().take(60).collect(),
        role: Role::from_code(asked(query, "role")),
        department: asked(query, "department").parse().ok(),
        state: AccountState::from_code(asked(query, "state")),
    }
}

#[derive(Template)]
#[template(path = "account/list.html")]
struct ListPage {
    page: Page,
    text: String,
    roles: Vec<Choice>,
    departments: Vec<Choice>,
    states: Vec<Choice>,
    rows: Vec<AccountRow>,
    pager: Pager,
    export: String,
    opens: bool,
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
    let (rows, pager, departments) = app
        .store
        .read(move |q| {
            let total = queries::count(q, &actor, &wanted)?;
            let pager = Pager::new("/accounts", &raw, number, PAGE_ROWS, total);
            let rows = queries::list(q, &actor, &wanted, PAGE_ROWS, pager.offset())?;
            Ok::<_, crate::refusal::Error>((rows, pager, queries::departments(q, actor.region)?))
        })
        .await?;
    let role = filter.role.map_or("", Role::code);
    let state = filter.state.map_or("", AccountState::code);
    visit.show(&ListPage {
        page: Page::new(&app, &visit, "账号"),
        roles: Role::ALL
            .iter()
            .map(|r| Choice::new(r.code(), r.zh(), role))
            .collect(),
        departments: department_choices(&departments, asked(&query, "department")),
        states: AccountState::ALL
            .iter()
            .map(|s| Choice::new(s.code(), s.zh(), state))
            .collect(),
        export: pager.base.replacen("/accounts?", "/accounts.xlsx?", 1),
        opens: visit.actor()?.has(Role::SystemAdmin),
        text: filter.text,
        rows,
        pager,
    })
}

fn department_choices(departments: &[Department], current: &str) -> Vec<Choice> {
    departments
        .iter()
        .map(|department| {
            let label = format!("{} · {}", region_name(department.region), department.name);
            Choice::new(department.id.to_string(), label, current)
        })
        .collect()
}

/// A region and those directly within it.
pub(super) fn choices_of_regions(region: RegionCode, current: &str) -> Vec<Choice> {
    let within = vocab::region::children(region).iter();
    std::iter::once(region)
        .chain(within.map(|child| child.code))
        .map(|code| Choice::new(code.to_string(), region_name(code), current))
        .collect()
}

pub(super) fn region_name(code: RegionCode) -> String {
    vocab::region::find(code).map_or_else(|| code.to_string(), |region| region.name.to_owned())
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
    let headers = ["登录名", "姓名", "区域", "部门", "角色", "状态", "最近登录"];
    let cells: Vec<Vec<Cell>> = rows
        .iter()
        .map(|row| {
            let seen = row
                .last_login_at
                .map(|at| crate::web::civil(at).strftime("%Y-%m-%d %H:%M").to_string());
            vec![
                row.login.as_str().into(),
                row.name.as_str().into(),
                region_name(row.region).into(),
                row.department.as_str().into(),
                row.roles_zh().into(),
                row.state.zh().into(),
                seen.into(),
            ]
        })
        .collect();
    export::logged(&app, &visit, "账号", &headers, &cells).await
}

pub(super) fn crumb(href: &str, label: &str) -> Crumb {
    Crumb {
        href: href.to_owned(),
        label: label.to_owned(),
    }
}

fn crumbs() -> Vec<Crumb> {
    vec![crumb("/accounts", "账号")]
}

#[derive(Template)]
#[template(path = "account/new.html")]
struct NewPage {
    page: Page,
    crumbs: Vec<Crumb>,
    errors: Errors,
    typed_login: String,
    typed_name: String,
    departments: Vec<Choice>,
    regions: Vec<Choice>,
}

async fn ask_new(State(app): State<App>, visit: Visit) -> Answer {
    let typed = Posted::from_fields(Vec::new());
    show_new(&app, &visit, StatusCode::OK, &typed, Errors::default()).await
}

async fn show_new(
    app: &App,
    visit: &Visit,
    status: StatusCode,
    typed: &Posted,
    errors: Errors,
) -> Answer {
    let region = visit.actor()?.region;
    let departments = app
        .store
        .read(move |q| queries::departments(q, region))
        .await?;
    let page = NewPage {
        page: Page::new(app, visit, "开立账号"),
        crumbs: crumbs(),
        errors,
        typed_login: typed.get("login").to_owned(),
        typed_name: typed.get("name").to_owned(),
        departments: department_choices(&departments, typed.get("department")),
        regions: choices_of_regions(region, typed.get("region")),
    };
    visit.show_with(status, &page)
}

#[derive(Template)]
#[template(path = "account/one_time.html")]
struct OneTimePage {
    page: Page,
    login: String,
    password: Option<String>,
    back: String,
}

async fn create(State(app): State<App>, visit: Visit, posted: Posted) -> Answer {
    match try_create(&app, &visit, &posted).await {
        Ok((login, password, back)) => {
            let page = Page::new(&app, &visit, "账号已开立");
            visit.show(&OneTimePage {
                page,
                login,
                password,
                back,
            })
        }
        Err(error) => {
            let errors = Errors::take(error, &posted)?;
            show_new(
                &app,
                &visit,
                StatusCode::UNPROCESSABLE_ENTITY,
                &posted,
                errors,
            )
            .await
        }
    }
}

/// Opens the account; gives its log-in name, the one-time password (none where the form was sent
/// before: it is shown once), and the account's page.
async fn try_create(
    app: &App,
    visit: &Visit,
    posted: &Posted,
) -> Result<(String, Option<String>, String), WebError> {
    let actor = visit.actor()?.clone();
    let mut wrong = Refusals::default();
    let region = posted.get("region").parse().unwrap_or_else(|_| {
        wrong.add("region", "required", "请选择区域。");
        actor.region
    });
    let department = match posted.get("department") {
        "" => None,
        text => text
            .parse()
            .map_err(|_| wrong.add("department", "id", "没有选中有效的部门，请重新选择。"))
            .ok(),
    };
    let mut new = NewAccount {
        login: posted.get("login").to_owned(),
        name: posted.get("name").to_owned(),
        password_hash: String::new(),
        one_time: true,
        roles: Roles::default(),
        department,
        region,
        party: None,
        demo: None,
    };
    if !wrong.is_empty() {
        let check = move |q: &dyn Query| commands::check_new(q, &new, wrong);
        return Err(refused(app, check).await);
    }
    let once = password::one_time();
    new.password_hash = password::hash_in_turn(once.clone()).await?;
    let login = new.login.to_lowercase();
    let command = Command::new("account.create", visit.now).once(posted.key());
    let done = app
        .store
        .write_once(command, move |tx| {
            commands::create_account(tx, &actor, &new)
        })
        .await?;
    let password = (!done.replayed).then_some(once);
    Ok((login, password, format!("/accounts/{}", done.value)))
}

#[derive(Template)]
#[template(path = "account/show.html")]
struct ShowPage {
    page: Page,
    crumbs: Vec<Crumb>,
    errors: Errors,
    row: AccountRow,
    roles: Vec<Choice>,
    /// What this visitor may do with this account.
    /// Its account is one of the three administrators'.
    of_administrator: bool,
    may_keep: bool,
    may_grant: bool,
}

async fn show(State(app): State<App>, visit: Visit, Path(id): Path<AccountId>) -> Answer {
    show_one(&app, &visit, StatusCode::OK, id, None, Errors::default()).await
}

async fn show_one(
    app: &App,
    visit: &Visit,
    status: StatusCode,
    id: AccountId,
    typed: Option<Roles>,
    errors: Errors,
) -> Answer {
    let actor: Actor = visit.actor()?.clone();
    let asking = actor.clone();
    let row = app
        .store
        .read(move |q| queries::show(q, &asking, id))
        .await?;
    let chosen = typed.unwrap_or(row.roles);
    let roles = Role::ALL
        .iter()
        .filter(|role| (**role == Role::Applicant) == row.applicant)
        .map(|role| Choice {
            value: role.code().to_owned(),
            label: role.zh().to_owned(),
            chosen: chosen.has(*role),
        })
        .collect();
    let own = actor.account_id() == id;
    let page = ShowPage {
        page: Page::new(app, visit, row.name.clone()),
        crumbs: crumbs(),
        errors,
        roles,
        of_administrator: row.roles.any(&super::ADMINISTRATORS),
        may_keep: !own && actor.has(Role::SystemAdmin),
        may_grant: !own && actor.has(Role::SecurityAdmin),
        row,
    };
    visit.show_with(status, &page)
}

async fn change(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<AccountId>,
    posted: Posted,
) -> Answer {
    let path = format!("/accounts/{id}");
    let roles: Roles = posted
        .all("roles")
        .into_iter()
        .filter_map(Role::from_code)
        .collect();
    let done = match posted.get("action") {
        "lock" => set_state(&app, &visit, id, &posted, AccountState::Locked).await,
        "unlock" => set_state(&app, &visit, id, &posted, AccountState::Active).await,
        "grant_roles" => grant(&app, &visit, id, &posted, roles).await,
        "confirm_roles" => rest::confirm(&app, &visit, id, &posted).await,
        "reset_factor" => reset_factor(&app, &visit, id, &posted).await,
        "reset_password" => return reset(&app, &visit, id, &posted).await,
        _ => Err(Refusal::invalid("action", "没有这个操作，请刷新页面后再试。").into()),
    };
    match done {
        Ok(text) => Ok(visit.redirect(&path, text)),
        Err(error) => {
            let errors = Errors::take(error, &posted)?;
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            show_one(&app, &visit, status, id, Some(roles), errors).await
        }
    }
}

async fn set_state(
    app: &App,
    visit: &Visit,
    id: AccountId,
    posted: &Posted,
    state: AccountState,
) -> Result<&'static str, WebError> {
    let (actor, version) = (visit.actor()?.clone(), posted.version("version")?);
    let reason = posted.get("reason").to_owned();
    let command = Command::new("account.set_state", visit.now).once(posted.key());
    app.store
        .write_once(command, move |tx| {
            commands::set_state(tx, &actor, id, version, state, &reason)
        })
        .await?;
    Ok(match state {
        AccountState::Locked => "账号已锁定，它的登录都已退出。",
        AccountState::Active => "账号已解锁，现在可以登录。",
    })
}

async fn grant(
    app: &App,
    visit: &Visit,
    id: AccountId,
    posted: &Posted,
    roles: Roles,
) -> Result<&'static str, WebError> {
    let (actor, version) = (visit.actor()?.clone(), posted.version("version")?);
    let command = Command::new("account.grant", visit.now).once(posted.key());
    app.store
        .write_once(command, move |tx| {
            commands::grant_roles(tx, &actor, id, version, roles)
        })
        .await?;
    Ok("角色已更新。角色有变化时它的登录已退出，重新登录后生效。")
}

async fn reset_factor(
    app: &App,
    visit: &Visit,
    id: AccountId,
    posted: &Posted,
) -> Result<&'static str, WebError> {
    let (actor, version) = (visit.actor()?.clone(), posted.version("version")?);
    let command = Command::new("account.reset_factor", visit.now).once(posted.key());
    app.store
        .write_once(command, move |tx| {
            factor::reset_factor(tx, &actor, id, version)
        })
        .await?;
    Ok(
        "动态验证码已解除，它的登录都已退出。需要动态验证码的角色暂停使用：本人重新绑定后，由安全管理员核实恢复。",
    )
}

async fn reset(app: &App, visit: &Visit, id: AccountId, posted: &Posted) -> Answer {
    let (actor, version) = (visit.actor()?.clone(), posted.version("version")?);
    let once = password::one_time();
    let hash = password::hash_in_turn(once.clone()).await?;
    let asking = actor.clone();
    let row = app
        .store
        .read(move |q| queries::show(q, &asking, id))
        .await?;
    let command = Command::new("account.reset_password", visit.now).once(posted.key());
    let done = app
        .store
        .write_once(command, move |tx| {
            commands::reset_password(tx, &actor, id, version, &hash)
        })
        .await?;
    let page = Page::new(app, visit, "密码已重置");
    let password = (!done.replayed).then_some(once);
    visit.show(&OneTimePage {
        page,
        login: row.login,
        password,
        back: format!("/accounts/{id}"),
    })
}
