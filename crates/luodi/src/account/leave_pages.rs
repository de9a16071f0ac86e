//! The pages of leaves: the security administrator's list, one leave, registering one; and what of
//! them stands on one's own account page.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Path, Query as UrlQuery, State};
use axum::http::StatusCode;
use jiff::Timestamp;
use jiff::civil::Date;

use super::desk::crumb;
use super::leave::{self, KINDS, NewLeave, kind_zh};
use super::queries::like_part;
use super::{change_leave, end_leave, register_leave};
use crate::access::{Actor, Role, Rule, administered_where};
use crate::ids::{AccountId, LeaveId};
use crate::params;
use crate::refusal::{Refusals, Result};
use crate::store::{Command, Query, Row, StoreError, Value};
use crate::web::export::{self, Cell};
use crate::web::filters;
use crate::web::form::{Choice, Errors, refused};
use crate::web::{Answer, App, Crumb, Page, Pager, Posted, Route, Visit, WebError, get, post};

const SECURITY: Rule = Rule::Staff(&[Role::SecurityAdmin]);

const PAGE_ROWS: u32 = 50;
const EXPORT_ROWS: u32 = 20_000;

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/leaves", SECURITY, list),
        get("/leaves.xlsx", SECURITY, download),
        get("/leaves/new", SECURITY, ask_new),
        post("/leaves/new", SECURITY, create),
        get("/leaves/{id}", SECURITY, show),
        post("/leaves/{id}", SECURITY, change),
    ]
}

/// A leave in a list.
#[derive(Clone, Debug)]
pub(super) struct Line {
    id: LeaveId,
    pub(super) name: String,
    login: String,
    department: String,
    kind: String,
    pub(super) first_day: Date,
    pub(super) last_day: Date,
    pub(super) stand_in: String,
    registered_by: String,
    registered_at: Timestamp,
    ended_by: Option<String>,
    ended_at: Option<Timestamp>,
    today: Date,
}

/// Where a leave stands: code, look and words, in the order of the filter.
const STATES: &[(&str, &str, &str)] = &[
    ("current", "now", "请假中"),
    ("ahead", "wait", "未开始"),
    ("over", "plain", "已期满"),
    ("ended", "plain", "已提前结束"),
];

impl Line {
    fn state(&self) -> (&'static str, &'static str, &'static str) {
        let code = if self.ended_at.is_some() {
            "ended"
        } else if self.last_day < self.today {
            "over"
        } else if self.first_day > self.today {
            "ahead"
        } else {
            "current"
        };
        let found = STATES.iter().find(|(known, ..)| *known == code);
        found.copied().unwrap_or((code, "plain", code))
    }

    pub(super) fn look(&self) -> &'static str {
        self.state().1
    }

    pub(super) fn words(&self) -> &'static str {
        self.state().2
    }

    pub(super) fn kind_zh(&self) -> &str {
        kind_zh(&self.kind)
    }

    /// Whether it can still be changed.
    fn open(&self) -> bool {
        matches!(self.state().0, "current" | "ahead")
    }
}

const FROM: &str = "FROM account_leave l JOIN account a ON a.id = l.account_id \
     JOIN account s ON s.id = l.stand_in_id LEFT JOIN department d ON d.id = a.department_id";

const COLUMNS: &str = "l.id, a.name, a.login, d.name, l.kind, l.first_day, l.last_day, s.name, \
     l.registered_by, l.registered_at, l.ended_by, l.ended_at";

fn line(r: &Row<'_>, today: Date) -> Result<Line, StoreError> {
    Ok(Line {
        id: r.get(0)?,
        name: r.get(1)?,
        login: r.get(2)?,
        department: r.get::<Option<String>>(3)?.unwrap_or_default(),
        kind: r.get(4)?,
        first_day: r.get(5)?,
        last_day: r.get(6)?,
        stand_in: r.get(7)?,
        registered_by: r.get(8)?,
        registered_at: r.get(9)?,
        ended_by: r.get(10)?,
        ended_at: r.get(11)?,
        today,
    })
}

/// The leaves of an account, and those in which it stands in, that are not over.
pub(super) fn of_account(
    q: &dyn Query,
    id: AccountId,
    today: Date,
) -> Result<Vec<Line>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} {FROM} WHERE (l.account_id = ?1 OR l.stand_in_id = ?1) \
         AND l.last_day >= ?2 AND l.ended_at IS NULL ORDER BY l.first_day, l.id LIMIT 50"
    );
    q.rows(&sql, params![id, today], |r| line(r, today))
}

type Asked = HashMap<String, String>;

fn asked<'a>(query: &'a Asked, name: &str) -> &'a str {
    query.get(name).map_or("", |value| value.trim())
}

/// The condition behind WHERE, with its values.
fn conditions(actor: &Actor, query: &Asked, today: Date) -> (String, Vec<Value>) {
    let mut values = Vec::new();
    let mut sql = administered_where(actor, "a.region_code", &mut values);
    let mut and = |condition: &str, value: Value| {
        values.push(value);
        sql.push_str(" AND ");
        sql.push_str(&condition.replace("??", &format!("?{}", values.len())));
    };
    let text: String = asked(query, "q").chars().take(60).collect();
    if !text.is_empty() {
        let found = "(a.login LIKE ?? ESCAPE '!' OR LOWER(a.name) LIKE ?? ESCAPE '!' \
                     OR LOWER(s.name) LIKE ?? ESCAPE '!')";
        and(found, like_part(&text).into());
    }
    if KINDS.iter().any(|(code, _)| *code == asked(query, "kind")) {
        and("l.kind = ??", asked(query, "kind").into());
    }
    let day = Value::from(today);
    match asked(query, "state") {
        "current" => and(
            "l.ended_at IS NULL AND l.first_day <= ?? AND l.last_day >= ??",
            day,
        ),
        "ahead" => and("l.ended_at IS NULL AND l.first_day > ??", day),
        "over" => and("l.ended_at IS NULL AND l.last_day < ??", day),
        "ended" => and("l.ended_at IS NOT NULL AND ?? <> ''", day),
        _ => {}
    }
    (sql, values)
}

fn order(query: &Asked) -> &'static str {
    match asked(query, "sort") {
        "name" => "a.name, l.first_day DESC, l.id",
        "last" => "l.last_day DESC, l.id",
        _ => "l.first_day DESC, l.id",
    }
}

fn page_of(
    q: &dyn Query,
    actor: &Actor,
    query: &Asked,
    today: Date,
    (limit, offset): (u32, i64),
) -> Result<(Vec<Line>, u64)> {
    let (condition, mut values) = conditions(actor, query, today);
    let sql = format!("SELECT COUNT(*) {FROM} WHERE {condition}");
    let total: u64 = q.row(&sql, values.clone(), |r| r.get(0))?;
    values.extend([Value::from(limit), Value::from(offset)]);
    let sql = format!(
        "SELECT {COLUMNS} {FROM} WHERE {condition} ORDER BY {} LIMIT ?{} OFFSET ?{}",
        order(query),
        values.len() - 1,
        values.len()
    );
    Ok((q.rows(&sql, values, |r| line(r, today))?, total))
}

#[derive(Template)]
#[template(path = "account/leaves.html")]
struct ListPage {
    page: Page,
    text: String,
    kinds: Vec<Choice>,
    states: Vec<Choice>,
    sorts: Vec<Choice>,
    rows: Vec<Line>,
    pager: Pager,
    export: String,
}

async fn list(State(app): State<App>, visit: Visit, UrlQuery(query): UrlQuery<Asked>) -> Answer {
    let (actor, today) = (visit.actor()?.clone(), visit.today());
    let number = asked(&query, "page").parse().unwrap_or(1_u32).max(1);
    let raw = visit.path.split_once('?').map_or("", |(_, raw)| raw);
    let wanted = query.clone();
    let offset = i64::from(number - 1) * i64::from(PAGE_ROWS);
    let read = app
        .store
        .read(move |q| page_of(&**q, &actor, &wanted, today, (PAGE_ROWS, offset)));
    let (rows, total) = read.await?;
    let pager = Pager::new("/leaves", raw, number, PAGE_ROWS, total);
    let states = STATES
        .iter()
        .map(|(code, _, words)| Choice::new(*code, *words, asked(&query, "state")));
    let sorts = [
        ("", "按起始日期"),
        ("last", "按结束日期"),
        ("name", "按姓名"),
    ];
    visit.show(&ListPage {
        page: Page::new(&app, &visit, "请假与代理"),
        text: asked(&query, "q").to_owned(),
        kinds: kinds(asked(&query, "kind")),
        states: states.collect(),
        sorts: sorts
            .map(|(code, words)| Choice::new(code, words, asked(&query, "sort")))
            .into(),
        export: pager.base.replacen("/leaves?", "/leaves.xlsx?", 1),
        rows,
        pager,
    })
}

fn kinds(current: &str) -> Vec<Choice> {
    KINDS
        .iter()
        .map(|(code, words)| Choice::new(*code, *words, current))
        .collect()
}

async fn download(
    State(app): State<App>,
    visit: Visit,
    UrlQuery(query): UrlQuery<Asked>,
) -> Answer {
    let (actor, today) = (visit.actor()?.clone(), visit.today());
    let read = app
        .store
        .read(move |q| page_of(&**q, &actor, &query, today, (EXPORT_ROWS, 0)));
    let (rows, _) = read.await?;
    let headers = [
        "请假人",
        "登录名",
        "部门",
        "类别",
        "起始日期",
        "结束日期",
        "代理人",
        "状态",
        "登记人",
    ];
    let cells: Vec<Vec<Cell>> = rows
        .iter()
        .map(|row| {
            vec![
                row.name.as_str().into(),
                row.login.as_str().into(),
                row.department.as_str().into(),
                row.kind_zh().into(),
                row.first_day.to_string().into(),
                row.last_day.to_string().into(),
                row.stand_in.as_str().into(),
                row.words().into(),
                row.registered_by.as_str().into(),
            ]
        })
        .collect();
    export::logged(&app, &visit, "请假", &headers, &cells).await
}

/// The staff of the region who may be away or stand in, administrators left out.
fn staff(q: &dyn Query, actor: &Actor) -> Result<Vec<(AccountId, String)>, StoreError> {
    let mut values = Vec::new();
    let condition = administered_where(actor, "a.region_code", &mut values);
    let sql = format!(
        "SELECT a.id, a.name, d.name FROM account a LEFT JOIN department d ON d.id = a.department_id \
         WHERE {condition} AND a.party_id IS NULL AND a.state = 'active' AND NOT EXISTS \
         (SELECT 1 FROM account_role r WHERE r.account_id = a.id \
          AND r.role IN ('system_admin', 'security_admin', 'audit_admin')) \
         ORDER BY d.code NULLS LAST, a.name, a.id LIMIT 2000"
    );
    q.rows(&sql, values, |r| {
        let (id, name): (AccountId, String) = (r.get(0)?, r.get(1)?);
        let label = match r.get::<Option<String>>(2)? {
            Some(department) => format!("{name}（{department}）"),
            None => name,
        };
        Ok((id, label))
    })
}

#[derive(Template)]
#[template(path = "account/leave.html")]
struct FormPage {
    page: Page,
    crumbs: Vec<Crumb>,
    errors: Errors,
    action: String,
    version: i64,
    known: Option<Line>,
    others: Vec<Line>,
    people: Vec<Choice>,
    stand_ins: Vec<Choice>,
    kinds: Vec<Choice>,
    first_day: String,
    last_day: String,
}

/// A leave that is there, with the others of the same account, the latest first.
fn known(
    q: &dyn Query,
    actor: &Actor,
    id: LeaveId,
    today: Date,
) -> Result<(leave::Leave, Line, Vec<Line>)> {
    let mut values = Vec::from(params![id]);
    let own = administered_where(actor, "a.region_code", &mut values);
    let sql = format!("SELECT {COLUMNS} {FROM} WHERE l.id = ?1 AND {own}");
    let found = q.row_opt(&sql, values, |r| line(r, today))?;
    let shown = found.ok_or_else(leave::no_leave)?;
    let row = leave::load(q, id)?.ok_or_else(leave::no_leave)?;
    let sql = format!(
        "SELECT {COLUMNS} {FROM} WHERE l.account_id = ?1 AND l.id <> ?2 \
         ORDER BY l.first_day DESC, l.id LIMIT 50"
    );
    let others = q.rows(&sql, params![row.new.account, id], |r| line(r, today))?;
    Ok((row, shown, others))
}

async fn form(
    app: &App,
    visit: &Visit,
    id: Option<LeaveId>,
    typed: &Posted,
    errors: Errors,
) -> Answer {
    let (actor, today) = (visit.actor()?.clone(), visit.today());
    let read = app.store.read(move |q| {
        let people = staff(&**q, &actor)?;
        let known = id.map(|id| known(&**q, &actor, id, today)).transpose()?;
        Ok::<_, crate::refusal::Error>((people, known))
    });
    let (people, known) = read.await?;
    let (row, shown, others) = match known {
        Some((row, shown, others)) => (Some(row), Some(shown), others),
        None => (None, None, Vec::new()),
    };
    let value = |name: &str, of: fn(&NewLeave) -> String| match (&row, typed.all(name).is_empty()) {
        (Some(row), true) => of(&row.new),
        _ => typed.get(name).to_owned(),
    };
    let choices = |current: &str| -> Vec<Choice> {
        let people = people.iter();
        people
            .map(|(id, label)| Choice::new(id.to_string(), label.as_str(), current))
            .collect()
    };
    let status = if errors.heading().is_empty() {
        StatusCode::OK
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    };
    let title = shown.as_ref().map_or_else(
        || "登记请假".to_owned(),
        |shown| format!("{}请假", shown.name),
    );
    let page = FormPage {
        page: Page::new(app, visit, title),
        crumbs: vec![crumb("/leaves", "请假与代理")],
        action: id.map_or_else(|| "/leaves/new".to_owned(), |id| format!("/leaves/{id}")),
        version: row.as_ref().map_or(0, |row| row.version),
        people: choices(typed.get("account")),
        stand_ins: choices(&value("stand_in", |new| new.stand_in.to_string())),
        kinds: kinds(&value("kind", |new| new.kind.clone())),
        first_day: value("first_day", |new| new.first_day.to_string()),
        last_day: value("last_day", |new| new.last_day.to_string()),
        known: shown,
        others,
        errors,
    };
    visit.show_with(status, &page)
}

async fn ask_new(State(app): State<App>, visit: Visit) -> Answer {
    let (typed, errors) = (Posted::default(), Errors::default());
    form(&app, &visit, None, &typed, errors).await
}

async fn show(State(app): State<App>, visit: Visit, Path(id): Path<LeaveId>) -> Answer {
    let (typed, errors) = (Posted::default(), Errors::default());
    form(&app, &visit, Some(id), &typed, errors).await
}

/// What was typed, with what of it cannot be read.
fn read(posted: &Posted, account: Option<AccountId>, today: Date) -> (NewLeave, Refusals) {
    let mut wrong = Refusals::default();
    let nobody = AccountId(uuid::Uuid::nil());
    let mut person = |name: &str, message: &str| {
        posted.get(name).parse().unwrap_or_else(|_| {
            wrong.add(name, "required", message);
            nobody
        })
    };
    let account = account.unwrap_or_else(|| person("account", "请选择请假人。"));
    let stand_in = person("stand_in", "请选择代理人。");
    let mut day = |name: &str, message: &str| {
        posted.get(name).parse().unwrap_or_else(|_| {
            wrong.add(name, "date", message);
            today
        })
    };
    let first_day = day("first_day", "请填写起始日期，例如 2026-12-01。");
    let last_day = day("last_day", "请填写结束日期，例如 2026-12-05。");
    let new = NewLeave {
        account,
        kind: posted.get("kind").to_owned(),
        first_day,
        last_day,
        stand_in,
    };
    (new, wrong)
}

async fn create(State(app): State<App>, visit: Visit, posted: Posted) -> Answer {
    match try_create(&app, &visit, &posted).await {
        Ok(()) => Ok(visit.redirect(
            "/leaves",
            "请假已登记，代理人在这些日子可以接手其领取的工作。",
        )),
        Err(error) => {
            let errors = Errors::take(error, &posted)?;
            form(&app, &visit, None, &posted, errors).await
        }
    }
}

async fn try_create(app: &App, visit: &Visit, posted: &Posted) -> Result<(), WebError> {
    let (actor, today) = (visit.actor()?.clone(), visit.today());
    let (new, wrong) = read(posted, None, today);
    if !wrong.is_empty() {
        let check = move |q: &dyn Query| leave::check(q, &actor, None, &new, today, wrong);
        return Err(refused(app, check).await);
    }
    let command = Command::new("account.register_leave", visit.now).once(posted.key());
    let done = app
        .store
        .write_once(command, move |tx| register_leave(tx, &actor, &new));
    done.await?;
    Ok(())
}

async fn change(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<LeaveId>,
    posted: Posted,
) -> Answer {
    match try_change(&app, &visit, id, &posted).await {
        Ok(text) => Ok(visit.redirect(&format!("/leaves/{id}"), text)),
        Err(error) => {
            let errors = Errors::take(error, &posted)?;
            form(&app, &visit, Some(id), &posted, errors).await
        }
    }
}

async fn try_change(
    app: &App,
    visit: &Visit,
    id: LeaveId,
    posted: &Posted,
) -> Result<&'static str, WebError> {
    let (actor, today) = (visit.actor()?.clone(), visit.today());
    let asking = actor.clone();
    let read_row = app.store.read(move |q| known(&**q, &asking, id, today));
    let (row, ..) = read_row.await?;
    let version = posted.version("version")?;
    if posted.get("action") == "end" {
        let command = Command::new("account.end_leave", visit.now).once(posted.key());
        let done = app
            .store
            .write_once(command, move |tx| end_leave(tx, &actor, id, version));
        done.await?;
        return Ok("请假已提前结束，代理随之终止。");
    }
    let (new, wrong) = read(posted, Some(row.new.account), today);
    if !wrong.is_empty() {
        let before = row.new;
        let check =
            move |q: &dyn Query| leave::check(q, &actor, Some((id, &before)), &new, today, wrong);
        return Err(refused(app, check).await);
    }
    let command = Command::new("account.change_leave", visit.now).once(posted.key());
    let done = app.store.write_once(command, move |tx| {
        change_leave(tx, &actor, id, version, &new)
    });
    done.await?;
    Ok("请假已更改。")
}
