//! Money, each story on its own temporary store.

mod batches;
mod budgets;
mod bulk;
mod ledger_pages;
mod money;
mod pages;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, COOKIE};
use axum::http::{Request, StatusCode};
use jiff::Timestamp;
use tower::ServiceExt;
use uuid::Uuid;
use vocab::{Fen, RegionCode};

use super::*;
use crate::access::{Actor, ActorKind, Role};
use crate::account::{NewDepartment, create_department};
use crate::ids::{AccountId, BudgetLineId, DepartmentId};
use crate::refusal::{Error, Refusal};
use crate::store::testing::TemporaryStore;
use crate::store::{Command, Query, Store, Tx};
use crate::web::{App, Attempts, Clock, Session, SessionLookup, Site, WebError, mount};

fn start() -> Timestamp {
    "2026-11-23T01:00:00Z".parse().unwrap()
}

fn region(code: &str) -> RegionCode {
    code.parse().unwrap()
}

fn yuan(text: &str) -> Fen {
    Fen::parse_yuan(text).unwrap()
}

/// A member of staff of a county, who needs no row of an account here.
fn staff(login: &str, role: Role, department: Option<DepartmentId>) -> Actor {
    let number = login
        .bytes()
        .fold(1_u128, |sum, byte| sum * 257 + u128::from(byte));
    Actor {
        kind: ActorKind::Account(AccountId(Uuid::from_u128(number))),
        login: login.to_owned(),
        name: format!("{login} 同志"),
        roles: [role].into_iter().collect(),
        department,
        ..Actor::system(region("330324"))
    }
}

/// A county with one department.
struct City {
    store: TemporaryStore,
    clock: Clock,
    department: DepartmentId,
    finance: Actor,
}

impl City {
    fn new() -> Self {
        let store = Store::open_temporary(start()).unwrap();
        let new = NewDepartment {
            code: "YJ-FG".into(),
            name: "永嘉县发展和改革局".into(),
            region: region("330324"),
            paper_word: "永发改".into(),
        };
        let console = Actor::console("test", region("330300"));
        let department = store
            .write_blocking(Command::new("test", start()), move |tx| {
                create_department(tx, &console, &new)
            })
            .unwrap();
        let finance = staff("finance", Role::Finance, None);
        Self {
            store,
            clock: Clock::fixed(start()),
            department,
            finance,
        }
    }

    fn write<T: Send + 'static>(
        &self,
        f: impl Fn(&Tx<'_>) -> Result<T> + Send + Sync + 'static,
    ) -> Result<T> {
        self.store
            .write_blocking(Command::new("test", self.clock.now()), f)
    }

    fn read<T>(&self, f: impl FnOnce(&dyn Query) -> Result<T>) -> T {
        self.store.read_blocking(|q| f(&**q)).unwrap()
    }

    fn new_budget(&self, document: &str, amount: Fen) -> NewBudget {
        NewBudget {
            year: 2026,
            department: self.department,
            name: "分布式光伏发电补贴".into(),
            function_code: "2110699".into(),
            economic_code: "31204".into(),
            project: "绿色能源".into(),
            document_number: document.into(),
            amount,
        }
    }

    fn budget(&self, document: &str, amount: &str) -> BudgetLineId {
        let (new, finance) = (
            self.new_budget(document, yuan(amount)),
            self.finance.clone(),
        );
        self.write(move |tx| create_budget(tx, &finance, &new))
            .unwrap()
    }

    fn figures(&self, line: BudgetLineId) -> Figures {
        self.read(|q| find_budget(q, &self.finance, line)).figures
    }

    fn verify(&self) -> Verification {
        self.read(|q| Ok(verify(q)?))
    }

    fn app(&self, actor: &Actor) -> Router {
        let app = App {
            store: Store::clone(&self.store),
            clock: self.clock.clone(),
            site: Arc::new(Site {
                city: "温州市".into(),
                region: region("330300"),
                demo: true,
                secure: false,
                data: self.store.dir().to_owned(),
                gateway: Vec::new(),
                password_days: 0,
            }),
            sessions: Arc::new(Always(actor.clone())),
            attempts: Arc::new(Attempts::default()),
            provider: None,
        };
        mount(&app, crate::router::routes())
    }

    /// A page as this actor sees it.
    fn get(&self, actor: &Actor, path: &str) -> (StatusCode, String) {
        let request = Request::get(path)
            .header(COOKIE, "luodi=any")
            .body(Body::empty())
            .unwrap();
        answer(self.app(actor), request)
    }

    /// A form posted by this actor.
    fn post(&self, actor: &Actor, path: &str, fields: &[(&str, &str)]) -> (StatusCode, String) {
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.append_pair("csrf", "token").extend_pairs(fields);
        let request = Request::post(path)
            .header(COOKIE, "luodi=any")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(body.finish()))
            .unwrap();
        answer(self.app(actor), request)
    }
}

/// On a runtime of its own: the stories around it write blocking.
fn answer(app: Router, request: Request<Body>) -> (StatusCode, String) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let response = app.oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = axum::body::to_bytes(response.into_body(), 8 << 20)
            .await
            .unwrap();
        (status, String::from_utf8_lossy(&bytes).into_owned())
    })
}

/// Everybody who comes is this actor.
struct Always(Actor);

impl SessionLookup for Always {
    fn find<'a>(
        &'a self,
        _: &'a App,
        _: &'a str,
        _: Timestamp,
    ) -> Pin<Box<dyn Future<Output = std::result::Result<Option<Session>, WebError>> + Send + 'a>>
    {
        let session = Session {
            bar: None,
            actor: self.0.clone(),
            csrf: "token".into(),
        };
        Box::pin(async move { Ok(Some(session)) })
    }
}

fn refused<T: std::fmt::Debug>(outcome: Result<T>) -> Refusal {
    match outcome {
        Err(Error::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}
