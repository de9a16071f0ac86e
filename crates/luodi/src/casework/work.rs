//! Lists of cases: the worklist of staff ordered by deadline, all cases, and the applicant's own.

use askama::Template;
use axum::extract::{Query as UrlQuery, RawQuery, State};
use jiff::civil::Date;
use serde::Deserialize;
use vocab::{Calendar, Fen};

use super::clock::left_view;
use super::queries::{CaseFilter, ListedCase, count_by_state, count_cases, list_cases};
use super::state;
use crate::access::{Actor, Role, Rule};
use crate::party;
use crate::store::StoreError;
use crate::web::export::{Cell, xlsx};
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
    Role::AuditAdmin,
];

const ROWS: u32 = 30;
/// The most rows of one export.
const EXPORT_ROWS: u32 = 50_000;

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/cases", Rule::Staff(CASE_STAFF), cases),
        get("/cases/export.xlsx", Rule::Staff(CASE_STAFF), export),
        get("/my", Rule::Applicant, my),
    ]
}

/// What the address of a list asks for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ListQuery {
    q: String,
    state: String,
    period: String,
    region: String,
    due: String,
    ended: String,
    sort: String,
    mine: String,
    page: u32,
}

impl ListQuery {
    fn filter(&self, actor: &Actor, today: Date) -> CaseFilter {
        let soon = Calendar::official().add_working_days(today, 3).date;
        CaseFilter {
            text: self.q.trim().chars().take(60).collect(),
            state: self.state.clone(),
            period: self.period.clone(),
            region: self.region.clone(),
            roles: (self.mine == "1").then(|| actor.roles.iter().map(Role::code).collect()),
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
struct RowView {
    case: ListedCase,
    state_words: String,
    state_look: &'static str,
    light: &'static str,
    words: String,
}

impl RowView {
    fn new(case: ListedCase, today: Date) -> Self {
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
    asked: ListQuery,
    rows: Vec<RowView>,
    total_amount: Fen,
    pager: Pager,
    export: String,
}

struct Found {
    rows: Vec<ListedCase>,
    total: u64,
    amount: Fen,
}

async fn find(
    app: &App,
    actor: &Actor,
    filter: CaseFilter,
    number: u32,
) -> Result<Found, WebError> {
    let actor = actor.clone();
    let offset = i64::from(number.max(1) - 1) * i64::from(ROWS);
    let found = app.store.read(move |q| {
        let (total, amount) = count_cases(&**q, &actor, &filter)?;
        Ok::<_, StoreError>(Found {
            rows: list_cases(&**q, &actor, &filter, ROWS, offset)?,
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
    let asked = ListQuery {
        mine: "1".into(),
        ended: "no".into(),
        ..asked
    };
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
    let filter = asked.filter(&actor, visit.today());
    let found = find(&app, &actor, filter.clone(), asked.page).await?;
    let states = app
        .store
        .read(move |q| count_by_state(&**q, &actor, &filter))
        .await?;
    let list = List {
        heading: "办件",
        path: "/cases",
        chips: state_chips("/cases", &asked, &states),
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
            total_amount: found.amount,
            pager: Pager::new(self.path, &raw, asked.page, ROWS, found.total),
            export: format!("/cases/export.xlsx?{fixed}{raw}"),
            list: self,
            asked,
        })
    }
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

fn state_chips(path: &str, asked: &ListQuery, counts: &[(String, u64)]) -> Vec<Chip> {
    let total = counts.iter().map(|(_, count)| count).sum();
    let mut chips = vec![Chip {
        href: path.to_owned(),
        label: "全部".to_owned(),
        count: Some(total),
        current: asked.state.is_empty(),
    }];
    for (code, words) in state::all() {
        let Some((_, count)) = counts.iter().find(|(state, _)| state == code) else {
            continue;
        };
        chips.push(Chip {
            href: format!("{path}?state={code}"),
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
    let actor = visit.actor()?.clone();
    let filter = asked.filter(&actor, visit.today());
    let rows = app
        .store
        .read(move |q| list_cases(&**q, &actor, &filter, EXPORT_ROWS, 0))
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
    xlsx("办件", &headers, &cells)
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

#[derive(Template)]
#[template(path = "casework/my.html")]
struct MyPage {
    page: Page,
    rows: Vec<RowView>,
    to_correct: Vec<RowView>,
    drafts: Vec<super::draft::ListedDraft>,
    messages: Vec<party::Message>,
    total_amount: Fen,
    pager: Pager,
}

async fn my(
    State(app): State<App>,
    visit: Visit,
    RawQuery(raw): RawQuery,
    UrlQuery(asked): UrlQuery<ListQuery>,
) -> Answer {
    let actor = visit.actor()?.clone();
    let asked = ListQuery {
        sort: "submitted".into(),
        ..asked
    };
    let found = find(
        &app,
        &actor,
        asked.filter(&actor, visit.today()),
        asked.page,
    )
    .await?;
    let correcting = CaseFilter {
        state: "correcting".into(),
        ..CaseFilter::default()
    };
    let reader = actor.clone();
    let (to_correct, drafts, messages) = app
        .store
        .read(move |q| {
            Ok::<_, crate::refusal::Error>((
                list_cases(&**q, &reader, &correcting, 20, 0)?,
                super::draft::of_actor(&**q, &reader)?,
                party::recent_messages(&**q, &reader, 5)?,
            ))
        })
        .await?;
    let today = visit.today();
    let template = MyPage {
        page: Page::new(&app, &visit, "我的办件"),
        rows: found
            .rows
            .into_iter()
            .map(|case| RowView::new(case, today))
            .collect(),
        to_correct: to_correct
            .into_iter()
            .map(|case| RowView::new(case, today))
            .collect(),
        drafts,
        messages,
        total_amount: found.amount,
        pager: Pager::new(
            "/my",
            &raw.unwrap_or_default(),
            asked.page,
            ROWS,
            found.total,
        ),
    };
    visit.show(&template)
}
