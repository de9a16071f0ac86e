//! The log (日志) as the audit administrator reads it: who did what, when, to what, in words. Reading
//! it is itself no change; it lacks any way to alter an event. Who sees which events is `access`'s.

mod asked;
mod fields;
mod kept;
mod names;
#[cfg(test)]
mod tests;
mod words;

use askama::Template;
use axum::extract::{Query as UrlQuery, RawQuery, State};
use axum::http::StatusCode;

use crate::access::{Actor, Role, Rule};
use crate::store::{Query, SESSION_REFUSED, StoreError, Written, count_written, written};
use crate::web::export::{self, Cell};
use crate::web::form::{Choice, Errors};
use crate::web::{Answer, App, Page, Pager, Route, Visit, WebError, filters, get};

use asked::{Asked, Wanted};
use fields::Fact;
use kept::{Standing, standing};
use names::{Name, Names, Noun};

pub(crate) use words::{cause, channel, correction, outcome, slot};

/// Events on a page.
const ROWS: u32 = 50;
/// Events of an export at most.
const EXPORT_ROWS: u32 = 20_000;

const READERS: Rule = Rule::Staff(&[Role::AuditAdmin]);

/// The routes of the log.
pub fn routes() -> Vec<Route> {
    let mut routes = vec![
        get("/log", READERS, list),
        get("/log.csv", READERS, table_csv),
        get("/log.xlsx", READERS, table_xlsx),
    ];
    routes.extend(kept::routes());
    routes
}

/// An event in the words of the page.
struct Line {
    event: Written,
    actor: String,
    /// The log-in name, where the actor has a name beside it.
    login: String,
    command: String,
    table: String,
    /// What people call it; empty where nobody knows.
    subject: String,
    /// The page of what it is about, where the audit administrator may see it; else empty.
    href: String,
    /// The log-in name of the account that was refused; empty for others.
    refused: String,
    facts: Vec<Fact>,
    record: String,
}

impl Line {
    fn new(event: Written, names: &Names) -> Self {
        // Only public pages: an audit administrator sees no casework.
        let href = match event.subject_table.as_str() {
            "notice" => format!("/notices/{}", event.subject_id.simple()),
            _ => String::new(),
        };
        let by = event.actor_id.and_then(|id| names.of(Noun::Account, id));
        let (actor, login) = match by {
            Some(name) => (name.text.clone(), event.actor.clone()),
            None => (words::actor(&event.actor), String::new()),
        };
        let about =
            Noun::of_table(&event.subject_table).and_then(|noun| names.of(noun, event.subject_id));
        let is_refusal = event.command == SESSION_REFUSED;
        let (facts, record) = fields::told(&event, names);
        Self {
            actor,
            login,
            command: words::command(&event.command).to_owned(),
            table: words::table(&event.subject_table).to_owned(),
            subject: match about {
                Some(name) => titled(name),
                None if is_refusal => "不存在的账号".to_owned(),
                None => String::new(),
            },
            href,
            refused: about
                .filter(|_| is_refusal)
                .map_or_else(String::new, |name| name.login.clone()),
            facts,
            record,
            event,
        }
    }

    fn cells(&self) -> Vec<Cell> {
        let facts: Vec<String> = self.facts.iter().map(Fact::line).collect();
        let at = crate::web::civil(self.event.at);
        vec![
            at.strftime("%Y-%m-%d %H:%M:%S").to_string().into(),
            self.actor.as_str().into(),
            self.event.actor.as_str().into(),
            self.command.as_str().into(),
            self.event.command.as_str().into(),
            self.table.as_str().into(),
            self.subject.as_str().into(),
            facts.join("；").into(),
            self.event.subject_id.simple().to_string().into(),
            self.event.id.simple().to_string().into(),
            self.event.number.map(|number| number as f64).into(),
        ]
    }
}

const HEADERS: [&str; 11] = [
    "时间",
    "操作人",
    "账号",
    "操作",
    "命令",
    "对象类别",
    "对象",
    "内容",
    "对象编号（内部）",
    "事件编号",
    "日志序号",
];

/// A name with the log-in name beside it, where there is one.
fn titled(name: &Name) -> String {
    match name.login.as_str() {
        "" => name.text.clone(),
        login => format!("{}（{login}）", name.text),
    }
}

/// A page of the events asked for, and how many there are.
fn page_of(
    q: &dyn Query,
    actor: &Actor,
    wanted: &Wanted,
    limit: u32,
    offset: i64,
) -> Result<(Vec<Line>, u64), StoreError> {
    let filter = wanted.filter(q, actor)?;
    let events = written(q, &filter, limit, offset)?;
    let names = Names::ask(q, &events)?;
    let lines = events.into_iter().map(|event| Line::new(event, &names));
    Ok((lines.collect(), count_written(q, &filter)?))
}

#[derive(Template)]
#[template(path = "log/list.html")]
struct LogPage {
    page: Page,
    errors: Errors,
    asked: Asked,
    kinds: Vec<(&'static str, Vec<Choice>)>,
    events: Vec<Line>,
    standing: Standing,
    pager: Pager,
    csv: String,
    xlsx: String,
}

/// The choices of the filter: what is asked daily, then every command by its noun.
fn kinds(current: &str) -> Vec<(&'static str, Vec<Choice>)> {
    let choice = |(code, word): &(&str, &str)| Choice::new(*code, *word, current);
    let daily = words::DAILY.iter().map(choice).collect();
    let mut kinds = vec![("常用", daily)];
    for (noun, label) in words::KINDS {
        let of_noun = |(name, _): &&(&str, &str)| name.split('.').next() == Some(*noun);
        let commands = words::COMMANDS.iter().filter(of_noun);
        // A command of every day stands above, once.
        let commands =
            commands.filter(|(name, _)| words::DAILY.iter().all(|(code, _)| code != name));
        let commands: Vec<Choice> = commands.map(choice).collect();
        if !commands.is_empty() {
            kinds.push((label, commands));
        }
    }
    kinds
}

async fn list(
    State(app): State<App>,
    visit: Visit,
    RawQuery(raw): RawQuery,
    UrlQuery(asked): UrlQuery<Asked>,
) -> Answer {
    let number = asked.page();
    let actor = visit.actor()?.clone();
    let reader = actor.clone();
    let standing = app.store.read(move |q| standing(&**q, &reader)).await?;
    let (status, errors, (events, total)) = match asked.read() {
        Ok(wanted) => {
            let offset = i64::from(number - 1) * i64::from(ROWS);
            let read = app
                .store
                .read(move |q| page_of(&**q, &actor, &wanted, ROWS, offset));
            (StatusCode::OK, Errors::default(), read.await?)
        }
        Err(refusal) => {
            let nothing = (Vec::new(), 0);
            (
                StatusCode::UNPROCESSABLE_ENTITY,
                Errors::from(&refusal),
                nothing,
            )
        }
    };
    let pager = Pager::new("/log", &raw.unwrap_or_default(), number, ROWS, total);
    let file = |kind: &str| pager.base.replacen("/log?", &format!("/log.{kind}?"), 1);
    let template = LogPage {
        page: Page::new(&app, &visit, "日志"),
        kinds: kinds(asked.command.trim()),
        csv: file("csv"),
        xlsx: file("xlsx"),
        errors,
        asked,
        events,
        standing,
        pager,
    };
    visit.show_with(status, &template)
}

/// The rows of the table that leaves as a file; what did not fit is said in the last.
async fn table(app: &App, visit: &Visit, asked: &Asked) -> Result<Vec<Vec<Cell>>, WebError> {
    let (actor, wanted) = (visit.actor()?.clone(), asked.read()?);
    let read = app
        .store
        .read(move |q| page_of(&**q, &actor, &wanted, EXPORT_ROWS, 0));
    let (lines, total) = read.await?;
    let mut rows: Vec<Vec<Cell>> = lines.iter().map(Line::cells).collect();
    let cut = total.saturating_sub(lines.len() as u64);
    if cut > 0 {
        let note = format!("另有 {cut} 条没有列出，请缩短起止日期后再导出。");
        rows.push(vec![note.into()]);
    }
    Ok(rows)
}

async fn table_csv(
    State(app): State<App>,
    visit: Visit,
    UrlQuery(asked): UrlQuery<Asked>,
) -> Answer {
    let rows = table(&app, &visit, &asked).await?;
    export::logged_csv(&app, &visit, "日志", &HEADERS, &rows).await
}

async fn table_xlsx(
    State(app): State<App>,
    visit: Visit,
    UrlQuery(asked): UrlQuery<Asked>,
) -> Answer {
    let rows = table(&app, &visit, &asked).await?;
    export::logged(&app, &visit, "日志", &HEADERS, &rows).await
}
