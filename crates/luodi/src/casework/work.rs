//! Lists of cases: the worklist of staff ordered by deadline, and all cases. The applicant's own are
//! in `my`.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Query as UrlQuery, RawQuery, State};
use jiff::civil::Date;
use serde::Deserialize;
use vocab::{Calendar, Fen, Quarter};

use super::clock::left_view;
use super::queries::{CaseFilter, ListedCase, count_by_state, count_cases, list_cases, taken};
use super::state;
use crate::access::{Actor, Role, Rule};
use crate::account;
use crate::ids::CaseId;
use crate::store::{Query, StoreError};
use crate::web::export::{Cell, logged, xlsx};
use crate::web::form::{Chip, Waiting};
use crate::web::{Answer, App, Page, Pager, Route, Visit, WebError, filters, get};

/// Staff who look at cases.
pub(super) const CASE_STAFF: &[Role] = &[
    Role::WindowClerk,
    Role::CaseHandler,
    Role::Reviewer,
    Role::Approver,
    Role::Finance,
    Role::Leader,
];

/// Staff whose work needs the papers and the personal values of a case: leaders see
/// figures.
pub(super) const CASE_WORKERS: &[Role] = &[
    Role::WindowClerk,
    Role::CaseHandler,
    Role::Reviewer,
    Role::Approver,
    Role::Finance,
];

pub(super) const ROWS: u32 = 30;
/// The most rows of one export.
pub(super) const EXPORT_ROWS: u32 = 50_000;

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/cases", Rule::Staff(CASE_STAFF), cases),
        get("/cases/export.xlsx", Rule::Staff(CASE_STAFF), export),
    ]
}

/// What the address of a list asks for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ListQuery {
    pub(super) q: String,
    pub(super) state: String,
    period: String,
    region: String,
    due: String,
    ended: String,
    pub(super) sort: String,
    mine: String,
    pub(super) page: u32,
}

impl ListQuery {
    /// Who asks for nothing in particular sees the cases that run.
    fn or_running(&self) -> Self {
        let asked = [
            &self.q,
            &self.state,
            &self.period,
            &self.region,
            &self.due,
            &self.ended,
        ];
        let mut query = self.clone();
        if asked.into_iter().all(String::is_empty) {
            "no".clone_into(&mut query.ended);
        }
        query
    }

    /// Of the tasks that wait for the visitor's roles.
    pub(super) fn of_worklist(self) -> Self {
        Self {
            mine: "1".into(),
            ended: "no".into(),
            ..self
        }
    }

    /// The address of the same list with another state.
    fn with(&self, path: &str, (name, value): (&str, &str)) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let kept = [
            ("q", &self.q),
            ("period", &self.period),
            ("region", &self.region),
            ("due", &self.due),
            ("sort", &self.sort),
        ];
        query.extend_pairs(kept.into_iter().filter(|(_, value)| !value.is_empty()));
        if !value.is_empty() {
            query.append_pair(name, value);
        }
        match query.finish().as_str() {
            "" => path.to_owned(),
            query => format!("{path}?{query}"),
        }
    }

    pub(super) fn filter(&self, actor: &Actor, today: Date) -> CaseFilter {
        let soon = Calendar::official().add_working_days(today, 3).date;
        CaseFilter {
            text: self.q.trim().chars().take(60).collect(),
            state: self.state.clone(),
            period: self.period.clone(),
            region: self.region.clone(),
            roles: (self.mine == "1").then(|| actor.roles.iter().map(Role::code).collect()),
            held_by: Vec::new(),
            on: Some(today),
            due_by: match self.due.as_str() {
                "today" => Some(today),
                "soon" => Some(soon),
                _ => None,
            },
            ended: match self.ended.as_str() {
                "yes" => Some(true),
                "no" => Some(false),
                _ => None,
            },
            sort: self.sort.clone(),
        }
    }
}

/// A row as the list shows it.
pub(super) struct RowView {
    pub(super) case: ListedCase,
    pub(super) state_words: String,
    pub(super) state_look: &'static str,
    light: &'static str,
    words: String,
}

impl RowView {
    pub(super) fn new(case: ListedCase, today: Date) -> Self {
        let (light, words) = if case.ended {
            ("grey", "已办结".to_owned())
        } else {
            left_view(case.due_on, case.suspended, case.limit_working_days, today)
        };
        Self {
            state_words: state::words(&case.state).to_owned(),
            state_look: state::look(&case.state),
            light,
            words,
            case,
        }
    }
}

#[derive(Template)]
#[template(path = "casework/list.html")]
struct ListPage {
    page: Page,
    list: List,
    periods: Vec<String>,
    asked: ListQuery,
    rows: Vec<RowView>,
    taken: HashMap<CaseId, String>,
    total_amount: Fen,
    pager: Pager,
    export: String,
}

pub(super) struct Found {
    pub(super) rows: Vec<ListedCase>,
    taken: HashMap<CaseId, String>,
    pub(super) total: u64,
    pub(super) amount: Fen,
}

/// What a worklist says of the tasks in it that somebody has taken.
fn told_taken(
    q: &dyn Query,
    actor: &Actor,
    rows: &[ListedCase],
) -> Result<HashMap<CaseId, String>, StoreError> {
    let ids: Vec<uuid::Uuid> = rows.iter().map(|row| row.id.0).collect();
    let taken = taken(q, &ids)?;
    let others: Vec<uuid::Uuid> = taken.iter().map(|(_, by)| by.0).collect();
    let names = account::named::called(q, &others)?;
    let told = taken.into_iter().map(|(case, by)| {
        let words = if by == actor.account_id() {
            "您已领取".to_owned()
        } else {
            let name = names.get(&by.0).map_or("", |called| called.name.as_str());
            format!("代 {name} 办理")
        };
        (case, words)
    });
    Ok(told.collect())
}

pub(super) async fn find(
    app: &App,
    actor: &Actor,
    filter: CaseFilter,
    number: u32,
) -> Result<Found, WebError> {
    let actor = actor.clone();
    let offset = i64::from(number.max(1) - 1) * i64::from(ROWS);
    let found = app.store.read(move |q| {
        let filter = filter.reaching(&**q, &actor)?;
        let (total, amount) = count_cases(&**q, &actor, &filter)?;
        let rows = list_cases(&**q, &actor, &filter, ROWS, offset)?;
        let taken = match filter.roles {
            Some(_) => told_taken(&**q, &actor, &rows)?,
            None => HashMap::new(),
        };
        Ok::<_, StoreError>(Found {
            rows,
            taken,
            total,
            amount,
        })
    });
    Ok(found.await?)
}

/// The worklist of the visitor, with what else waits for him above it.
///
/// # Errors
/// A fault of the store.
pub async fn worklist(
    app: &App,
    visit: &Visit,
    raw: Option<String>,
    asked: ListQuery,
    waiting: Vec<Waiting>,
) -> Answer {
    let actor = visit.actor()?.clone();
    let asked = asked.of_worklist();
    let filter = asked.filter(&actor, visit.today());
    let found = find(app, &actor, filter, asked.page).await?;
    let list = List {
        heading: "我的待办",
        path: "/work",
        chips: due_chips("/work", &asked),
        empty_hint: "没有等您办理的任务。可在「办件」中查看本单位全部办件。",
        waiting,
    };
    list.show(app, visit, raw, asked, found)
}

async fn cases(
    State(app): State<App>,
    visit: Visit,
    RawQuery(raw): RawQuery,
    UrlQuery(asked): UrlQuery<ListQuery>,
) -> Answer {
    let actor = visit.actor()?.clone();
    let effective = asked.or_running();
    let filter = effective.filter(&actor, visit.today());
    let found = find(&app, &actor, filter.clone(), asked.page).await?;
    let states = app
        .store
        .read(move |q| count_by_state(&**q, &actor, &filter))
        .await?;
    let list = List {
        heading: "办件",
        path: "/cases",
        chips: chips("/cases", &effective, &states),
        empty_hint: "没有符合条件的办件。可以清除筛选条件，或者从「办事」登记新的申报。",
        waiting: Vec::new(),
    };
    list.show(&app, &visit, raw, asked, found)
}

/// What one list of cases has of its own.
struct List {
    heading: &'static str,
    path: &'static str,
    chips: Vec<Chip>,
    empty_hint: &'static str,
    waiting: Vec<Waiting>,
}

impl List {
    fn show(
        self,
        app: &App,
        visit: &Visit,
        raw: Option<String>,
        asked: ListQuery,
        found: Found,
    ) -> Answer {
        let raw = raw.unwrap_or_default();
        let fixed = if self.path == "/work" {
            "mine=1&ended=no&"
        } else {
            ""
        };
        let rows = found.rows.into_iter();
        visit.show(&ListPage {
            page: Page::new(app, visit, self.heading),
            rows: rows.map(|case| RowView::new(case, visit.today())).collect(),
            taken: found.taken,
            total_amount: found.amount,
            pager: Pager::new(self.path, &raw, asked.page, ROWS, found.total),
            export: format!("/cases/export.xlsx?{fixed}{raw}"),
            periods: periods(visit.today()),
            list: self,
            asked,
        })
    }
}

/// The quarters that are offered as a period: this one and those of the last two years.
fn periods(today: Date) -> Vec<String> {
    let mut quarter = Quarter::of(today);
    let mut periods = Vec::new();
    for _ in 0..9 {
        periods.push(quarter.to_string());
        quarter = quarter.previous();
    }
    periods
}

fn due_chips(path: &str, asked: &ListQuery) -> Vec<Chip> {
    [
        ("", "全部"),
        ("today", "今天到期和超期"),
        ("soon", "三个工作日内到期"),
    ]
    .map(|(due, label)| Chip {
        href: if due.is_empty() {
            path.to_owned()
        } else {
            format!("{path}?due={due}")
        },
        label: label.to_owned(),
        count: None,
        current: asked.due == due,
    })
    .into()
}

/// What runs, what has ended and all, then each state there is.
pub(super) fn chips(path: &str, asked: &ListQuery, counts: &[(String, u64, u64)]) -> Vec<Chip> {
    let total: u64 = counts.iter().map(|(_, count, _)| count).sum();
    let ended: u64 = counts.iter().map(|(.., ended)| ended).sum();
    let all = if path == "/cases" { "all" } else { "" };
    let mut chips: Vec<Chip> = [
        ("no", "在办", total - ended),
        ("yes", "已办结", ended),
        (all, "全部", total),
    ]
    .map(|(value, label, count)| Chip {
        href: asked.with(path, ("ended", value)),
        label: label.to_owned(),
        count: Some(count),
        current: asked.state.is_empty()
            && (asked.ended == value || value == all && asked.ended.is_empty()),
    })
    .into();
    for (code, words) in state::all() {
        let Some((_, count, _)) = counts.iter().find(|(state, ..)| state == code) else {
            continue;
        };
        chips.push(Chip {
            href: asked.with(path, ("state", code)),
            label: words.to_owned(),
            count: Some(*count),
            current: asked.state == code,
        });
    }
    chips
}

async fn export(
    State(app): State<App>,
    visit: Visit,
    UrlQuery(asked): UrlQuery<ListQuery>,
) -> Answer {
    let asked = asked.or_running();
    export_cases(&app, &visit, &asked).await
}

/// What a list shows, as a workbook.
pub(super) async fn export_cases(app: &App, visit: &Visit, asked: &ListQuery) -> Answer {
    let actor = visit.actor()?.clone();
    let filter = asked.filter(&actor, visit.today());
    let rows = app
        .store
        .read(move |q| {
            let filter = filter.reaching(&**q, &actor)?;
            list_cases(&**q, &actor, &filter, EXPORT_ROWS, 0)
        })
        .await?;
    let headers = [
        "办件号",
        "申请人",
        "事项",
        "内容",
        "地区",
        "期次",
        "状态",
        "申报日期",
        "到期日",
        "金额（元）",
    ];
    let cells: Vec<Vec<Cell>> = rows.into_iter().map(export_row).collect();
    if visit.actor()?.party.is_some() {
        // One's own cases.
        return xlsx("办件", &headers, &cells);
    }
    logged(app, visit, "办件", &headers, &cells).await
}

fn export_row(row: ListedCase) -> Vec<Cell> {
    vec![
        row.number.into(),
        row.party_name.into(),
        row.item_name.into(),
        row.title.into(),
        vocab::RegionCode::parse(&row.region)
            .ok()
            .and_then(vocab::region::find)
            .map(|region| region.name)
            .unwrap_or_default()
            .into(),
        row.period.into(),
        state::words(&row.state).into(),
        crate::store::day_in_china(row.submitted_at)
            .to_string()
            .into(),
        row.due_on.map(|day| day.to_string()).into(),
        row.amount.into(),
    ]
}
