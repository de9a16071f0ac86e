//! Every route × every role and nobody × a row of one's own county, department and party and one of
//! another: what the rules say of each cell, asked for real, and written down in `table.csv` so that
//! a change of a permission is seen.
//!
//! What is expected comes from the route's rule and from `access`, by where the row belongs. The
//! requests go through the whole program.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use axum::http::{Method, StatusCode};
use luodi::access::{self, Actor, ActorKind, Role, Rule, Scope};
use luodi::account;
use luodi::ids::{DepartmentId, PartyId};
use luodi::params;
use luodi::refusal::Error;
use luodi::router;
use uuid::Uuid;

use super::foreign::make_rows;
use crate::support::{Answer, TestCity, Visitor};

/// By what a row is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// Region, department and party: cases and what hangs on them.
    Scope,
    /// As a party is.
    Party,
    /// By whose it is alone: drafts that an applicant began.
    Draft,
    /// As accounts and departments are.
    Kept,
    /// As events of the log are.
    Event,
    /// Whoever the rule admits.
    Shared,
    /// There is no such row in the demonstration: nobody finds it.
    Nothing,
}

/// The rows that an address names: `SELECT first id, second id, region, department, party`, with
/// `{own}` for a condition on the party and `{region}` for the county.
struct Shape {
    path: &'static str,
    by: By,
    rows: &'static str,
}

const SHAPES: &[Shape] = &[
    Shape {
        path: "/accounts/{id}",
        by: By::Kept,
        rows: "SELECT a.id, a.id, a.region_code, NULL, NULL FROM account a WHERE a.region_code = '{region}' AND a.login LIKE 'handler3%'",
    },
    Shape {
        path: "/api/articles/{id}",
        by: By::Shared,
        rows: "SELECT id, id, NULL, NULL, NULL FROM article WHERE state = 'published'",
    },
    Shape {
        path: "/api/cases/{case}",
        by: By::Scope,
        rows: "SELECT c.id, t.id, c.region_code, c.department_id, c.party_id FROM casework c JOIN task t ON t.case_id = c.id WHERE c.region_code = '{region}' AND c.party_id IN {own} AND c.ended_at IS NULL AND t.state = 'open'",
    },
    Shape {
        path: "/api/items/{id}",
        by: By::Shared,
        rows: "SELECT id, id, NULL, NULL, NULL FROM item WHERE region_code = '{region}'",
    },
    Shape {
        path: "/api/items/{item}/apply",
        by: By::Shared,
        rows: "SELECT id, id, NULL, NULL, NULL FROM item WHERE region_code = '330324'",
    },
    Shape {
        path: "/api/notices/{id}",
        by: By::Shared,
        rows: "SELECT id, id, NULL, NULL, NULL FROM notice WHERE region_code = '{region}'",
    },
    Shape {
        path: "/articles/{id}",
        by: By::Shared,
        rows: "SELECT id, id, NULL, NULL, NULL FROM article WHERE state = 'published'",
    },
    Shape {
        path: "/bank-accounts/{id}",
        by: By::Party,
        rows: "SELECT b.id, b.id, p.region_code, NULL, p.id FROM bank_account b JOIN party p ON p.id = b.party_id WHERE p.region_code = '{region}'",
    },
    Shape {
        path: "/batches/{id}",
        by: By::Scope,
        rows: "SELECT id, id, region_code, department_id, NULL FROM batch WHERE region_code = '{region}'",
    },
    Shape {
        path: "/budgets/{id}",
        by: By::Scope,
        rows: "SELECT id, id, region_code, department_id, NULL FROM budget_line WHERE region_code = '{region}'",
    },
    Shape {
        path: "/cases/{case}",
        by: By::Scope,
        rows: "SELECT c.id, t.id, c.region_code, c.department_id, c.party_id FROM casework c JOIN task t ON t.case_id = c.id WHERE c.region_code = '{region}' AND c.party_id IN {own} AND c.ended_at IS NULL AND t.state = 'open'",
    },
    Shape {
        path: "/cases/{case}/files/{file}",
        by: By::Scope,
        rows: "SELECT c.id, f.id, c.region_code, c.department_id, c.party_id FROM casework c JOIN attachment f ON f.subject_id = c.id WHERE c.region_code = '{region}' AND c.party_id IN {own}",
    },
    Shape {
        path: "/departments/{id}",
        by: By::Kept,
        rows: "SELECT id, id, region_code, NULL, NULL FROM department WHERE region_code = '{region}'",
    },
    Shape {
        path: "/desk/articles/{id}",
        by: By::Shared,
        rows: "SELECT id, id, NULL, NULL, NULL FROM article",
    },
    Shape {
        path: "/drafts/{draft}",
        by: By::Draft,
        rows: "SELECT d.id, d.id, p.region_code, NULL, p.id FROM draft d JOIN party p ON p.id = d.party_id WHERE d.state = 'open' AND p.region_code = '{region}' AND p.id IN {own}",
    },
    Shape {
        path: "/drafts/{draft}/files/{file}",
        by: By::Draft,
        rows: "SELECT d.id, f.id, p.region_code, NULL, p.id FROM draft d JOIN attachment f ON f.subject_id = d.id JOIN party p ON p.id = d.party_id WHERE d.state = 'open' AND p.region_code = '{region}' AND p.id IN {own}",
    },
    Shape {
        path: "/items/{id}",
        by: By::Shared,
        rows: "SELECT id, id, NULL, NULL, NULL FROM item WHERE region_code = '{region}'",
    },
    Shape {
        path: "/items/{item}/apply",
        by: By::Shared,
        rows: "SELECT id, id, NULL, NULL, NULL FROM item WHERE region_code = '330324'",
    },
    Shape {
        path: "/leaves/{id}",
        by: By::Kept,
        rows: "SELECT l.id, l.id, a.region_code, NULL, NULL FROM account_leave l JOIN account a ON a.id = l.account_id WHERE a.region_code = '{region}'",
    },
    Shape {
        path: "/log/{event}",
        by: By::Event,
        rows: "SELECT id, id, region_code, NULL, NULL FROM audit_event WHERE region_code = '{region}' AND actor_region = '{region}'",
    },
    Shape {
        path: "/notices/{id}",
        by: By::Shared,
        rows: "SELECT id, id, NULL, NULL, NULL FROM notice WHERE region_code = '{region}' ",
    },
    Shape {
        path: "/notices/{id}/objections/new",
        by: By::Nothing,
        rows: "SELECT id, id, NULL, NULL, NULL FROM notice WHERE region_code = '{region}'",
    },
    Shape {
        path: "/notices/{id}/end",
        by: By::Scope,
        rows: "SELECT id, id, region_code, department_id, NULL FROM notice WHERE region_code = '{region}'",
    },
    Shape {
        path: "/objections/{id}",
        by: By::Scope,
        rows: "SELECT o.id, o.id, n.region_code, n.department_id, NULL FROM objection o JOIN notice n ON n.id = o.notice_id WHERE n.region_code = '{region}'",
    },
    Shape {
        path: "/objections/{id}/files/{file}",
        by: By::Nothing,
        rows: "SELECT o.id, o.id, n.region_code, n.department_id, NULL FROM objection o JOIN notice n ON n.id = o.notice_id WHERE n.region_code = '{region}'",
    },
    Shape {
        path: "/parties/{id}",
        by: By::Party,
        rows: "SELECT id, id, region_code, NULL, id FROM party WHERE region_code = '{region}' AND id IN {own}",
    },
    Shape {
        path: "/parties/{id}/data/file",
        by: By::Nothing,
        rows: "SELECT id, id, region_code, NULL, id FROM party WHERE region_code = '{region}' AND id IN {own}",
    },
    Shape {
        path: "/parties/{party}/apply",
        by: By::Party,
        rows: "SELECT id, id, region_code, NULL, id FROM party WHERE region_code = '{region}' AND id IN {own}",
    },
    Shape {
        path: "/payments/{id}",
        by: By::Scope,
        rows: "SELECT f.id, f.id, b.region_code, b.department_id, NULL FROM payment_file f JOIN batch b ON b.id = f.batch_id WHERE b.region_code = '{region}'",
    },
];

/// What there is nothing of in the demonstration on this day: a copy of one's data that is ready.
const NOTHING_YET: &[&str] = &["/my/data/file"];

/// Forms after which others find nothing any more: sent last, in this order.
const LAST: &[&str] = &[
    "/drafts/{draft}/files/{file}",
    "/drafts/{draft}",
    "/drafts/{draft}/give-up",
    "/login",
    "/api/session",
    "/api/session/end",
    "/logout",
];

/// Addresses whose parts are no ids of rows.
const FILLED: &[(&str, &str)] = &[
    ("/assets/{version}/{name}", "/assets/any/luodi.css"),
    ("/regions/{code}", "/regions/330324"),
];

/// Who asks: role, account of the demonstration. Those of the city become the county's own.
const WHO: &[(Role, &str)] = &[
    (Role::Applicant, "enterprise-yj"),
    (Role::WindowClerk, "window-yj"),
    (Role::CaseHandler, "handler1-yj"),
    (Role::Reviewer, "reviewer-yj"),
    (Role::Approver, "approver-yj"),
    (Role::Finance, "finance1-yj"),
    (Role::Editor, "editor"),
    (Role::InvestmentOfficer, "officer"),
    (Role::Leader, "leader-yj"),
    (Role::SystemAdmin, "system"),
    (Role::SecurityAdmin, "security"),
    (Role::AuditAdmin, "audit"),
];

/// A row that an address names, and where it belongs.
#[derive(Clone, Debug)]
struct Named {
    path: String,
    region: Option<vocab::RegionCode>,
    department: Option<DepartmentId>,
    party: Option<PartyId>,
}

/// What a cell says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cell {
    /// Asked to log in.
    LogIn,
    /// The rule refuses.
    Refused,
    /// Behind the rule; what the row then allows is the command's.
    In,
    /// There is nothing there for this visitor.
    Nothing,
}

fn shape(path: &str) -> &'static Shape {
    let found = SHAPES.iter().filter(|shape| path.starts_with(shape.path));
    let found = found.max_by_key(|shape| shape.path.len());
    found.unwrap_or_else(|| panic!("say whose rows {path} names, and by what they are reached"))
}

/// An address with the ids of a row in the place of its parameters.
fn fill(path: &str, first: Uuid, second: Uuid) -> String {
    let mut parts = path.split('{');
    let mut out = parts.next().unwrap().to_owned();
    for (part, id) in parts.zip([first, second]) {
        write!(out, "{}", id.simple()).unwrap();
        out.push_str(part.split_once('}').unwrap().1);
    }
    out
}

async fn row(city: &TestCity, path: &'static str, region: &'static str, own: &str) -> Named {
    if let Some((_, filled)) = FILLED.iter().find(|(of, _)| *of == path) {
        return Named {
            path: (*filled).to_owned(),
            region: None,
            department: None,
            party: None,
        };
    }
    let sql = shape(path).rows.replace("{region}", region);
    let sql = format!("{} LIMIT 1", sql.replace("{own}", own));
    let read = city.app.store.read(move |q| {
        q.row_opt(&sql, params![], |row| {
            Ok(Named {
                path: fill(path, row.get(0)?, row.get(1)?),
                region: row.get(2)?,
                department: row.get(3)?,
                party: row.get(4)?,
            })
        })
    });
    let found: Result<Option<Named>, luodi::store::StoreError> = read.await;
    found
        .unwrap_or_else(|error| panic!("{path}: {error}"))
        .unwrap_or_else(|| panic!("no row of {region} for {path}"))
}

/// Whether the actor reaches a row by where it belongs.
fn reaches(by: By, actor: &Actor, row: &Named) -> bool {
    let scope = |region| Scope {
        region,
        department: row.department,
        party: row.party,
    };
    match (by, row.region) {
        (By::Shared, _) => true,
        (By::Nothing, _) | (_, None) => false,
        (By::Scope, Some(region)) => access::may_see(actor, &scope(region)),
        (By::Draft, _) => actor.party.is_some() && actor.party == row.party,
        (By::Party, Some(region)) => access::may_see_party(actor, row.party.unwrap(), region),
        (By::Kept, Some(region)) => access::may_administer(actor, region),
        (By::Event, region) => access::may_see_event(actor, region, region),
    }
}

/// What the rules say of a cell.
fn expected(rule: Rule, by: Option<By>, actor: Option<&Actor>, row: Option<&Named>) -> Cell {
    let admitted = match (rule, actor) {
        (Rule::Public, _) => true,
        (_, None) => return Cell::LogIn,
        (Rule::SignedIn, Some(_)) => true,
        (Rule::Applicant, Some(actor)) => actor.party.is_some(),
        (Rule::Staff(roles), Some(actor)) => actor.party.is_none() && actor.roles.any(roles),
        (Rule::ApplicantOrStaff(roles), Some(actor)) => {
            actor.party.is_some() || actor.roles.any(roles)
        }
    };
    match (admitted, by, actor, row) {
        (false, ..) => Cell::Refused,
        (true, Some(By::Shared), ..) | (true, None, ..) => Cell::In,
        (true, Some(by), Some(actor), Some(row)) if reaches(by, actor, row) => Cell::In,
        (true, ..) => Cell::Nothing,
    }
}

/// What an answer says.
fn found(answer: &Answer) -> Cell {
    let by_the_rule = answer.says("您的账号没有办理这件事的权限");
    match answer.status {
        StatusCode::UNAUTHORIZED => Cell::LogIn,
        StatusCode::SEE_OTHER if answer.location.starts_with("/login?next=") => Cell::LogIn,
        StatusCode::FORBIDDEN if by_the_rule => Cell::Refused,
        StatusCode::NOT_FOUND => Cell::Nothing,
        status => {
            assert!(!status.is_server_error(), "{status}: {}", answer.text());
            Cell::In
        }
    }
}

/// Own and other together, in a word.
fn word(own: Cell, other: Option<Cell>) -> &'static str {
    match (own, other) {
        (Cell::LogIn, _) => "login",
        (Cell::Refused, _) => "no",
        (Cell::Nothing, _) => "nothing",
        (Cell::In, None | Some(Cell::In)) => "in",
        (Cell::In, Some(_)) => "own",
    }
}

async fn actor(city: &TestCity, login: &'static str) -> Actor {
    let read = city.app.store.read(move |q| {
        let q = &**q;
        let accounts = account::demo_accounts(q)?;
        let of = accounts.into_iter().find(|one| one.login == login).unwrap();
        let departments = account::departments(q, of.region)?;
        let department = departments.iter().find(|one| one.name == of.department);
        Ok::<_, Error>(Actor {
            kind: ActorKind::Account(of.id),
            login: of.login.clone(),
            name: of.name.clone(),
            roles: of.roles,
            department: department.map(|one| one.id),
            department_name: of.department.clone(),
            region: of.region,
            party: of.party,
        })
    });
    read.await.unwrap()
}

/// Somebody who asks, with the token of his session.
struct Asking<'a> {
    role: &'static str,
    actor: Option<Actor>,
    visitor: Visitor<'a>,
    csrf: String,
    forms: usize,
}

impl Asking<'_> {
    /// Asks for a page, or posts a form with a right token, a key of its own and a stale version.
    async fn ask(&mut self, method: &Method, path: &str) -> Answer {
        if *method == Method::GET {
            return self.visitor.get(path).await;
        }
        self.forms += 1;
        let key = format!("table-{}", self.forms);
        let fields = [
            ("csrf", self.csrf.as_str()),
            ("idempotency_key", &key),
            ("version", "0"),
        ];
        self.visitor.post_raw(path, &fields).await
    }
}

async fn everybody(city: &TestCity) -> Vec<Asking<'_>> {
    let mut stranger = city.stranger();
    let page = stranger.get("/login").await;
    let mut all = vec![Asking {
        role: "nobody",
        actor: None,
        csrf: page.hidden("csrf"),
        visitor: stranger,
        forms: 0,
    }];
    for (role, login) in WHO {
        let mut visitor = city.log_in(login).await;
        let page = visitor.get("/account").await;
        let actor = actor(city, login).await;
        assert!(actor.has(*role), "{login}");
        all.push(Asking {
            role: role.code(),
            actor: Some(actor),
            csrf: page.hidden("csrf"),
            visitor,
            forms: 0,
        });
    }
    all
}

/// The rows of every address with parameters: one of the county and of enterprise-yj, one of
/// another county.
async fn rows(city: &TestCity) -> BTreeMap<&'static str, (Named, Named)> {
    let own = "(SELECT party_id FROM account WHERE login IN ('enterprise-yj'))";
    let other = "(SELECT id FROM party WHERE region_code = '330382')";
    let mut rows = BTreeMap::new();
    for route in router::routes() {
        if route.path.contains('{') && !rows.contains_key(route.path) {
            let mine = row(city, route.path, "330324", own).await;
            let theirs = row(city, route.path, "330382", other).await;
            rows.insert(route.path, (mine, theirs));
        }
    }
    rows
}

#[tokio::test]
async fn every_cell_of_the_table_is_as_the_rules_say() {
    let city = TestCity::open();
    make_rows(&city).await;
    for login in ["officer", "system", "security", "audit"] {
        let sql = "UPDATE account SET region_code = '330324' WHERE id = ?1";
        city.force_account(login, sql, vec![]).await;
    }
    let rows = rows(&city).await;
    let mut asking = everybody(&city).await;
    let mut routes = router::routes();
    let last = |path| LAST.iter().position(|of| *of == path);
    routes.sort_by_key(|it| (it.method == Method::POST, last(it.path)));
    let mut table: BTreeMap<(&str, String), Vec<&str>> = BTreeMap::new();
    let mut wrong = Vec::new();
    let mut before = None;
    // What others' rows answer comes first, so that nothing has changed yet.
    for posted in [false, true] {
        if posted {
            before = Some(city.state().await);
        }
        let mut others: BTreeMap<(usize, &str), Cell> = BTreeMap::new();
        let of_method = |route: &&luodi::web::Route| (route.method == Method::POST) == posted;
        for route in routes.iter().filter(of_method) {
            let Some((_, theirs)) = rows.get(route.path) else {
                continue;
            };
            let by = by(route.path);
            for (number, who) in asking.iter_mut().enumerate() {
                let wanted = expected(route.rule, by, who.actor.as_ref(), Some(theirs));
                if by == Some(By::Shared) && posted {
                    others.insert((number, route.path), wanted);
                    continue;
                }
                let answer = who.ask(&route.method, &theirs.path).await;
                let cell = match found(&answer) {
                    // A form at fault is told so before its row is looked for; nothing changes.
                    Cell::In if posted && answer.status == StatusCode::UNPROCESSABLE_ENTITY => {
                        Cell::Nothing
                    }
                    cell => cell,
                };
                others.insert((number, route.path), cell);
                if cell != wanted {
                    wrong.push(told(route, who, "other", (wanted, cell), &answer));
                }
            }
        }
        if let Some(before) = &before {
            assert_eq!(city.state().await, *before, "a row of another's changed");
        }
        for route in routes.iter().filter(of_method) {
            let named = rows.get(route.path).map(|(mine, _)| mine);
            let path = named.map_or(route.path, |named| named.path.as_str());
            let mut line = Vec::new();
            for (number, who) in asking.iter_mut().enumerate() {
                let by = match NOTHING_YET.contains(&route.path) {
                    true => Some(By::Nothing),
                    false => named.and_then(|_| by(route.path)),
                };
                let wanted = expected(route.rule, by, who.actor.as_ref(), named);
                let answer = who.ask(&route.method, path).await;
                let cell = found(&answer);
                if cell != wanted {
                    wrong.push(told(route, who, "own", (wanted, cell), &answer));
                }
                line.push(word(wanted, others.get(&(number, route.path)).copied()));
            }
            table.insert((route.path, route.method.to_string()), line);
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
    let roles: Vec<&str> = asking.iter().map(|who| who.role).collect();
    compare(&roles, &table);
}

fn by(path: &str) -> Option<By> {
    let filled = FILLED.iter().any(|(of, _)| *of == path);
    Some(if filled { By::Shared } else { shape(path).by })
}

fn told(
    route: &luodi::web::Route,
    who: &Asking<'_>,
    row: &str,
    (wanted, cell): (Cell, Cell),
    answer: &Answer,
) -> String {
    let text: String = answer.text().chars().take(60).collect();
    format!(
        "{} {} as {}, {row}: {wanted:?} wanted, {cell:?} ({}) found: {text}",
        route.method, route.path, who.role, answer.status
    )
}

/// The table as it is checked in; a change of it is a decision.
fn compare(roles: &[&str], table: &BTreeMap<(&str, String), Vec<&str>>) {
    let mut text = format!("path,method,{}\n", roles.join(","));
    for ((path, method), line) in table {
        writeln!(text, "{path},{method},{}", line.join(",")).unwrap();
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/access/table.csv");
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    if kept != text {
        let new = file.with_extension("csv.new");
        std::fs::write(&new, &text).unwrap();
        let kept: Vec<&str> = kept.lines().collect();
        let changed: Vec<&str> = text.lines().filter(|line| !kept.contains(line)).collect();
        panic!(
            "permissions changed; look at {} and move it to table.csv: {changed:#?}",
            new.display()
        );
    }
}
