//! Every door: it has a rule, the rule is kept, and no form works without its token.

mod english;

use std::collections::BTreeSet;

use axum::http::{Method, StatusCode};
use luodi::access::{Role, Rule};
use luodi::router;

use crate::support::TestCity;

/// Routes open to everybody, named one by one: a new one is a decision.
const OPEN: &[&str] = &[
    "GET /",
    "GET /api/articles",
    "GET /api/articles/{id}",
    "GET /api/items",
    "GET /api/items/{id}",
    "GET /api/notices",
    "GET /api/notices/{id}",
    "GET /api/openapi.json",
    "GET /articles",
    "GET /articles/feed.atom",
    "GET /articles/{id}",
    "GET /assets/{version}/{name}",
    "GET /healthz",
    "GET /items",
    "GET /items.xlsx",
    "GET /items/{id}",
    "GET /login",
    "GET /login/forgot",
    "GET /login/provider/return",
    "GET /login/reset",
    "GET /notices",
    "GET /notices/{id}",
    "GET /notices/{id}/objections/new",
    "GET /notices/{id}/table.csv",
    "GET /notices/{id}/table.xlsx",
    "GET /objections/follow",
    "GET /paid",
    "GET /paid/table.csv",
    "GET /paid/table.xlsx",
    "GET /readyz",
    "GET /regions/{code}",
    "POST /api/session",
    "POST /login",
    "POST /login/forgot",
    "POST /login/provider",
    "POST /login/reset",
    "POST /logout",
    "POST /notices/{id}/objections/new",
    "POST /objections/follow",
];

fn name(method: &Method, path: &str) -> String {
    format!("{method} {path}")
}

/// A path with every parameter filled by an id that nobody has.
fn sample(path: &str) -> String {
    let mut out = String::new();
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('{') {
        let (_, after) = after.split_once('}').unwrap();
        out.push_str(before);
        out.push_str("019344b1c0de7000800000000000dead");
        rest = after;
    }
    out + rest
}

#[test]
fn no_two_routes_share_a_door() {
    let mut seen = BTreeSet::new();
    for route in router::routes() {
        assert!(
            seen.insert(name(&route.method, route.path)),
            "{} {}",
            route.method,
            route.path
        );
    }
}

#[test]
fn public_routes_are_the_listed_ones() {
    let public: BTreeSet<String> = router::routes()
        .iter()
        .filter(|route| route.rule == Rule::Public)
        .map(|route| name(&route.method, route.path))
        .collect();
    let listed: BTreeSet<String> = OPEN.iter().map(|route| (*route).to_owned()).collect();
    assert_eq!(public, listed);
}

/// Every route × every account of the demonstration: admitted as its rule says, and nothing else.
#[tokio::test]
async fn every_rule_is_kept_for_every_account() {
    let city = TestCity::open();
    let accounts = city
        .app
        .store
        .read(|q| luodi::account::demo_accounts(&**q))
        .await
        .unwrap();
    let mut roles = BTreeSet::new();
    for account in accounts {
        // One account of each role and kind is enough: rules know nothing else.
        let held: Vec<Role> = account.roles.iter().collect();
        if !roles.insert(held) {
            continue;
        }
        let mut visitor = city.log_in(&account.login).await;
        for route in router::routes() {
            let admits = match route.rule {
                Rule::Public | Rule::SignedIn => true,
                Rule::Applicant => account.party.is_some(),
                Rule::Staff(roles) => account.party.is_none() && account.roles.any(roles),
                Rule::ApplicantOrStaff(roles) => {
                    account.party.is_some() || account.roles.any(roles)
                }
            };
            let path = sample(route.path);
            if route.method == Method::GET {
                let answer = visitor.get(&path).await;
                let refused = answer.status == StatusCode::FORBIDDEN;
                assert_eq!(
                    !refused, admits,
                    "GET {path} as {}: {}",
                    account.login, answer.status
                );
                assert_ne!(
                    answer.status,
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "GET {path} as {}",
                    account.login
                );
            }
        }
    }
}

#[tokio::test]
async fn strangers_are_sent_to_log_in() {
    let city = TestCity::open();
    let mut stranger = city.stranger();
    for route in router::routes()
        .iter()
        .filter(|r| r.method == Method::GET && r.rule != Rule::Public)
    {
        let answer = stranger.get(&sample(route.path)).await;
        if route.path.starts_with("/api/") {
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", route.path);
            continue;
        }
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", route.path);
        assert!(
            answer.location.starts_with("/login?next="),
            "{}: {}",
            route.path,
            answer.location
        );
    }
}

/// A form without the session's token changes nothing, whoever posts it.
#[tokio::test]
async fn no_form_works_without_its_token() {
    let city = TestCity::open();
    let before = events(&city).await;
    let mut checked = 0;
    for user in [
        "window-yj",
        "handler1-yj",
        "reviewer-yj",
        "approver-yj",
        "finance1-yj",
        "enterprise-yj",
        "editor",
        "system",
        "security",
    ] {
        let mut visitor = city.log_in(user).await;
        for route in router::routes()
            .iter()
            .filter(|route| route.method == Method::POST)
        {
            let answer = visitor
                .post_raw(
                    &sample(route.path),
                    &[("idempotency_key", "k"), ("csrf", "x")],
                )
                .await;
            assert!(
                matches!(
                    answer.status,
                    StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED
                ),
                "POST {} as {user}: {}",
                route.path,
                answer.status
            );
            checked += 1;
        }
    }
    assert!(checked > 0);
    // Only the log-ins themselves were written.
    let after = events(&city).await;
    assert_eq!(after.1, before.1, "events other than log-ins");
}

async fn events(city: &TestCity) -> (i64, i64) {
    let count = city.app.store.read(|q| {
        q.row(
            "SELECT COUNT(*), COUNT(CASE WHEN command NOT LIKE 'session.%' AND command NOT LIKE 'account.log%' \
             THEN 1 END) FROM audit_event",
            luodi::params![],
            |row| Ok((row.get::<i64>(0)?, row.get::<i64>(1)?)),
        )
    });
    count
        .await
        .map_err(|error: luodi::store::StoreError| error)
        .unwrap()
}

/// Every entry of the navigation leads somewhere its visitor may go.
#[tokio::test]
async fn the_navigation_has_no_dead_ends() {
    let city = TestCity::open();
    for user in [
        "window-yj",
        "handler1-yj",
        "reviewer-yj",
        "approver-yj",
        "finance1-yj",
        "leader",
        "officer",
        "editor",
        "system",
        "security",
        "audit",
        "enterprise-yj",
    ] {
        let mut visitor = city.log_in(user).await;
        // Who has no worklist is led from it to the desk that is theirs.
        let home = match user {
            "enterprise-yj" => "/my",
            "editor" => "/desk/articles",
            "system" | "security" => "/accounts",
            "audit" => "/log",
            "leader" => "/overview",
            _ => "/work",
        };
        if !matches!(home, "/my" | "/work") {
            let led = visitor.get("/work").await;
            assert_eq!(
                (led.status, led.location.as_str()),
                (StatusCode::SEE_OTHER, home),
                "{user}"
            );
        }
        let page = visitor.get(home).await;
        assert_eq!(page.status, StatusCode::OK, "{user}");
        let nav = page.between("<nav aria-label=\"主导航\">", "</nav>");
        for link in nav.split("href=\"").skip(1) {
            let href = link.split('"').next().unwrap();
            let answer = visitor.get(href).await;
            assert_eq!(answer.status, StatusCode::OK, "{user}: {href}");
        }
    }
}

/// An error keeps the city's name and the visitor's frame, wherever it comes about.
#[tokio::test]
async fn an_error_keeps_its_visitors_frame() {
    let city = TestCity::open();
    let mut stranger = city.stranger();
    let missing = stranger.get("/nothing").await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    assert!(missing.says("温州市"), "{}", missing.text());
    let mut window = city.log_in("window-yj").await;
    for (path, status) in [
        ("/nothing", StatusCode::NOT_FOUND),
        ("/budgets", StatusCode::FORBIDDEN),
        (
            "/cases/019344b1c0de7000800000000000dead",
            StatusCode::NOT_FOUND,
        ),
    ] {
        let answer = window.get(path).await;
        assert_eq!(answer.status, status, "{path}");
        assert!(
            answer.says("温州市") && answer.says("工作台"),
            "{path}: {}",
            answer.text()
        );
    }
}

/// An address that is only posted to is opened, and the other way round: the page says what to do.
#[tokio::test]
async fn a_wrong_method_gets_a_page() {
    let city = TestCity::open();
    let mut stranger = city.stranger();
    let mut officer = city.log_in("handler1-yj").await;
    let case = city.id("SELECT id FROM casework ORDER BY id").await;
    for (visitor, path) in [
        (&mut stranger, "/logout".to_owned()),
        (&mut officer, format!("/cases/{case}/reveal")),
    ] {
        let page = visitor.get(&path).await;
        assert_eq!(page.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert!(page.says("这个地址不能直接打开"), "{}", page.text());
        assert!(page.html.contains("</html>"), "{path}");
    }
    let english = stranger.get("/logout?lang=en").await;
    assert!(english.says("cannot be opened"), "{}", english.text());
    let sent = stranger.post_raw("/notices", &[]).await;
    assert_eq!(sent.status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(
        sent.says("这个地址不能直接打开") || sent.says("cannot be opened"),
        "{}",
        sent.text()
    );
    let program = officer.get("/api/session/end").await;
    assert_eq!(program.status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(
        program.html.contains("\"code\":\"method\""),
        "{}",
        program.html
    );
}

/// The page of the clock is reached from that of the system, and leads back.
#[tokio::test]
async fn the_clock_is_a_page_of_the_system() {
    let city = TestCity::open();
    let mut system = city.log_in("system").await;
    assert!(system.get("/system").await.html.contains("href=\"/clock\""));
    let clock = system.get("/clock").await;
    assert!(
        clock.html.contains("href=\"/system\"") && clock.says("正常"),
        "{}",
        clock.text()
    );
}
