//! How the program stands, for the system administrator: counts and times of the program itself,
//! nothing of casework and no content of anything.

use askama::Template;
use axum::extract::State;

use super::queries::{Standing, standing};
use crate::access::{Role, Rule};
use crate::store::{LogState, StoreError, Waiting, log_state, waiting_jobs};
use crate::web::filters;
use crate::web::{Answer, App, Page, Route, Visit, get};

pub(super) fn routes() -> Vec<Route> {
    vec![get("/system", Rule::Staff(&[Role::SystemAdmin]), show)]
}

/// What kinds of jobs are called.
const JOBS: &[(&str, &str)] = &[
    ("case.timer", "办件到期处理"),
    ("message.send", "短信和邮件"),
    ("notice.end", "公示期满"),
    ("personal.expire", "个人信息副本到期"),
    ("personal.export", "生成个人信息副本"),
];

/// Jobs of one kind, with its name.
struct Jobs {
    name: String,
    count: Waiting,
}

#[derive(Template)]
#[template(path = "account/system.html")]
struct SystemPage {
    page: Page,
    standing: Standing,
    log: LogState,
    jobs: Vec<Jobs>,
    engine: &'static str,
    version: &'static str,
    writable: bool,
    /// Free and whole gibibytes where the data lie; none where the system does not say.
    disk: Option<(String, String)>,
}

async fn show(State(app): State<App>, visit: Visit) -> Answer {
    let (actor, now) = (visit.actor()?.clone(), visit.now);
    let read = app.store.read(move |q| {
        let q = &**q;
        Ok::<_, StoreError>((
            standing(q, &actor, now)?,
            log_state(q)?,
            waiting_jobs(q, now)?,
        ))
    });
    let (standing, log, jobs) = read.await?;
    let name = |kind: &str| {
        let found = JOBS.iter().find(|(known, _)| *known == kind);
        found.map_or(kind, |(_, words)| words).to_owned()
    };
    let gib = |bytes: u64| format!("{:.1}", bytes as f64 / f64::from(1 << 30));
    let page = SystemPage {
        page: Page::new(&app, &visit, "系统"),
        standing,
        log,
        jobs: jobs
            .into_iter()
            .map(|count| Jobs {
                name: name(&count.kind),
                count,
            })
            .collect(),
        engine: app.store.engine(),
        version: env!("CARGO_PKG_VERSION"),
        writable: app.store.writable(),
        disk: app
            .store
            .space()
            .map(|(free, whole)| (gib(free), gib(whole))),
    };
    visit.show(&page)
}
