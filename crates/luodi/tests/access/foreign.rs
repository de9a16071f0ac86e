//! Every address with an id, asked with the ids of another county and of another party.

use std::collections::BTreeMap;

use axum::http::{Method, StatusCode};
use luodi::access::Rule;
use luodi::router;

use crate::support::TestCity;

/// What an address with an id of each shape names, as a question for ids of a county's rows or of
/// one party's. Two ids are given by two columns.
struct Shape {
    path: &'static str,
    ids: &'static str,
}

/// Rows of a region: `{region}` is replaced.
const SHAPES: &[Shape] = &[
    Shape {
        path: "/accounts/{id}",
        ids: "SELECT id, id FROM account WHERE region_code = '{region}'",
    },
    Shape {
        path: "/api/cases/{case}",
        ids: "SELECT c.id, t.id FROM casework c JOIN task t ON t.case_id = c.id WHERE c.region_code = '{region}' ORDER BY t.state DESC",
    },
    Shape {
        path: "/bank-accounts/{id}",
        ids: "SELECT b.id, b.id FROM bank_account b JOIN party p ON p.id = b.party_id WHERE p.region_code = '{region}'",
    },
    Shape {
        path: "/batches/{id}",
        ids: "SELECT id, id FROM batch WHERE region_code = '{region}'",
    },
    Shape {
        path: "/budgets/{id}",
        ids: "SELECT id, id FROM budget_line WHERE region_code = '{region}'",
    },
    Shape {
        path: "/cases/{case}",
        ids: "SELECT c.id, t.id FROM casework c JOIN task t ON t.case_id = c.id WHERE c.region_code = '{region}' ORDER BY t.state DESC",
    },
    Shape {
        path: "/cases/{case}/files/{file}",
        ids: "SELECT c.id, a.id FROM casework c JOIN attachment a ON a.subject_id = c.id WHERE c.region_code = '{region}'",
    },
    Shape {
        path: "/departments/{id}",
        ids: "SELECT id, id FROM department WHERE region_code = '{region}'",
    },
    Shape {
        path: "/drafts/{draft}",
        ids: "SELECT d.id, d.id FROM draft d JOIN party p ON p.id = d.party_id WHERE d.state = 'open' AND p.region_code = '{region}'",
    },
    Shape {
        path: "/drafts/{draft}/files/{file}",
        ids: "SELECT d.id, a.id FROM draft d JOIN attachment a ON a.subject_id = d.id JOIN party p ON p.id = d.party_id WHERE p.region_code = '{region}'",
    },
    Shape {
        path: "/leaves/{id}",
        ids: "SELECT l.id, l.id FROM account_leave l JOIN account a ON a.id = l.account_id WHERE a.region_code = '{region}'",
    },
    Shape {
        path: "/objections/{id}",
        ids: "SELECT o.id, o.id FROM objection o JOIN notice n ON n.id = o.notice_id WHERE n.region_code = '{region}'",
    },
    Shape {
        path: "/parties/{id}",
        ids: "SELECT id, id FROM party WHERE region_code = '{region}'",
    },
    Shape {
        path: "/parties/{party}/apply",
        ids: "SELECT id, id FROM party WHERE region_code = '{region}'",
    },
    Shape {
        path: "/payments/{id}",
        ids: "SELECT f.id, f.id FROM payment_file f JOIN batch b ON b.id = f.batch_id WHERE b.region_code = '{region}'",
    },
    Shape {
        path: "/log/{event}",
        ids: "SELECT id, id FROM audit_event WHERE region_code = '{region}' AND actor_region = '{region}'",
    },
    Shape {
        path: "/notices/{id}/end",
        ids: "SELECT id, id FROM notice WHERE region_code = '{region}'",
    },
];

/// Addresses whose ids are no rows of a county: public ones, and those every editor shares.
const SHARED: &[&str] = &[
    "/api/items/{item}/apply",
    "/items/{item}/apply",
    "/desk/articles/{id}",
];

/// The questions that fit an address: its own, else that of the longest beginning.
fn shape(path: &str) -> Option<&'static Shape> {
    SHAPES
        .iter()
        .filter(|shape| path.starts_with(shape.path))
        .max_by_key(|shape| shape.path.len())
}

fn fill(path: &str, ids: &(String, String)) -> String {
    let mut parts = path.splitn(3, ['{']);
    let mut out = parts.next().unwrap().to_owned();
    for (part, id) in parts.zip([&ids.0, &ids.1]) {
        out.push_str(id);
        out.push_str(part.split_once('}').unwrap().1);
    }
    out
}

async fn pairs(city: &TestCity, sql: String) -> Vec<(String, String)> {
    let read = city.app.store.read(move |q| {
        q.rows(&format!("{sql} LIMIT 5"), luodi::params![], |row| {
            let ids = (row.get::<uuid::Uuid>(0)?, row.get::<uuid::Uuid>(1)?);
            Ok((ids.0.simple().to_string(), ids.1.simple().to_string()))
        })
    });
    read.await
        .unwrap_or_else(|error: luodi::store::StoreError| panic!("{error}"))
}

/// As [`make_drafts`], and a leave in each county.
pub(super) async fn make_rows(city: &TestCity) {
    make_drafts(city).await;
    for county in ["yj", "yq"] {
        let of = |login: &str| format!("SELECT id FROM account WHERE login = '{login}-{county}'");
        let (away, stands) = (
            city.id(&of("handler1")).await,
            city.id(&of("handler2")).await,
        );
        super::leave::register(city, (&away, &stands), ("2026-11-24", "2026-11-25")).await;
    }
}

/// A draft of the enterprise of each county, with papers, so that there is one to ask for.
async fn make_drafts(city: &TestCity) {
    for (user, region) in [("enterprise-yj", "330324"), ("enterprise-yq", "330382")] {
        let item = city
            .id(&format!(
                "SELECT id FROM item WHERE region_code = '{region}'"
            ))
            .await;
        let path = format!("/items/{item}/apply");
        let mut enterprise = city.log_in(user).await;
        let page = enterprise.get(&path).await;
        let fields = crate::support::good_application();
        let saved = enterprise
            .upload_from(&page, &path, &fields, crate::support::PAPERS)
            .await;
        assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.text());
    }
}

/// What a rule says of this visitor, and whether any visitor may enter at all.
fn admits(rule: Rule, account: &luodi::account::DemoAccount) -> bool {
    match rule {
        Rule::Public | Rule::SignedIn => true,
        Rule::Applicant => account.party.is_some(),
        Rule::Staff(roles) => account.party.is_none() && account.roles.any(roles),
        Rule::ApplicantOrStaff(roles) => account.party.is_some() || account.roles.any(roles),
    }
}

async fn accounts(city: &TestCity, of: &str) -> Vec<luodi::account::DemoAccount> {
    let read = city
        .app
        .store
        .read(|q| luodi::account::demo_accounts(&**q))
        .await;
    let accounts = read.unwrap();
    accounts
        .into_iter()
        .filter(|a| a.login.ends_with(of))
        .collect()
}

#[tokio::test]
async fn an_id_of_another_county_leads_nowhere() {
    let city = TestCity::open();
    make_rows(&city).await;
    // A county's own administrator, whom the demonstration does not have.
    city.give_role("leader-yj", "system_admin").await;
    let mut foreign = BTreeMap::new();
    for shape in SHAPES {
        let ids = pairs(&city, shape.ids.replace("{region}", "330382")).await;
        assert!(!ids.is_empty(), "no {} to ask for", shape.path);
        foreign.insert(shape.path, ids);
    }
    let mut asked = 0;
    for mut account in accounts(&city, "-yj").await {
        if account.login == "leader-yj" {
            account.roles = account
                .roles
                .iter()
                .chain([luodi::access::Role::SystemAdmin])
                .collect();
        }
        let mut visitor = city.log_in(&account.login).await;
        for route in router::routes() {
            let path = route.path;
            if !path.contains('{')
                || route.method != Method::GET
                || route.rule == Rule::Public
                || SHARED.contains(&path)
            {
                continue;
            }
            let shape = shape(path).unwrap_or_else(|| panic!("say whose rows {path} names"));
            for ids in &foreign[shape.path] {
                let answer = visitor.get(&fill(path, ids)).await;
                let expected = if admits(route.rule, &account) {
                    StatusCode::NOT_FOUND
                } else {
                    StatusCode::FORBIDDEN
                };
                assert_eq!(answer.status, expected, "{path} as {}", account.login);
                asked += 1;
            }
        }
    }
    assert!(asked > 500, "{asked}");
}

/// The forms behind the same ids: the token and key are right, the row is not theirs.
#[tokio::test]
async fn a_form_of_another_county_changes_nothing() {
    let city = TestCity::open();
    make_rows(&city).await;
    let before = city.state().await;
    let mut posted = 0;
    for account in accounts(&city, "-yj").await {
        let mut visitor = city.log_in(&account.login).await;
        let page = visitor.get("/account").await;
        for route in router::routes() {
            let path = route.path;
            if !path.contains('{')
                || route.method != Method::POST
                || route.rule == Rule::Public
                || SHARED.contains(&path)
            {
                continue;
            }
            let shape = shape(path).unwrap_or_else(|| panic!("say whose rows {path} names"));
            let ids = pairs(&city, shape.ids.replace("{region}", "330382")).await;
            for action in [
                "approve",
                "end",
                "submit",
                "create_payment_file",
                "download",
                "enter",
            ] {
                let fields = [
                    ("version", "1"),
                    ("action", action),
                    ("reason", "越过县界的一次尝试"),
                    ("why", "越过县界的一次尝试"),
                    ("answer", "越过县界的一次尝试"),
                    ("name", "越界有限公司"),
                ];
                let answer = visitor
                    .post_from(&page, &fill(path, &ids[0]), &fields)
                    .await;
                let refused = if admits(route.rule, &account) {
                    matches!(
                        answer.status,
                        StatusCode::NOT_FOUND
                            | StatusCode::FORBIDDEN
                            | StatusCode::UNPROCESSABLE_ENTITY
                    )
                } else {
                    answer.status == StatusCode::FORBIDDEN
                };
                assert!(
                    refused,
                    "{path} {action} as {}: {}",
                    account.login, answer.status
                );
                assert!(
                    !answer.says("乐清"),
                    "{path} as {}: {}",
                    account.login,
                    answer.text()
                );
                posted += 1;
            }
        }
    }
    assert!(posted > 500, "{posted}");
    assert_eq!(city.state().await, before);
}

/// Two enterprises of one county are as far from each other as two counties.
#[tokio::test]
async fn another_enterprise_of_the_same_county_is_as_foreign() {
    let city = TestCity::open();
    make_drafts(&city).await;
    let own = "(SELECT party_id FROM account WHERE login = 'enterprise2-yj')";
    let mut visitor = city.log_in("enterprise2-yj").await;
    let page = visitor.get("/my").await;
    let before = city.state().await;
    let mut asked = 0;
    for route in router::routes() {
        let path = route.path;
        if !path.contains('{') || route.rule == Rule::Public || SHARED.contains(&path) {
            continue;
        }
        let shape = shape(path).unwrap_or_else(|| panic!("say whose rows {path} names"));
        let mine = match shape.path {
            "/cases/{case}" | "/cases/{case}/files/{file}" => format!("c.party_id <> {own}"),
            "/drafts/{draft}" | "/drafts/{draft}/files/{file}" => format!("d.party_id <> {own}"),
            _ => continue,
        };
        let sql = shape.ids.replace("{region}", "330324");
        let sql = sql.replacen("WHERE", &format!("WHERE {mine} AND"), 1);
        for ids in pairs(&city, sql).await {
            let path = fill(path, &ids);
            let answer = if route.method == Method::GET {
                visitor.get(&path).await
            } else {
                let fields = [
                    ("version", "1"),
                    ("action", "submit"),
                    ("reason", "不是我的"),
                ];
                visitor.post_from(&page, &path, &fields).await
            };
            let staff = matches!(route.rule, Rule::Staff(_));
            let expected = if staff {
                StatusCode::FORBIDDEN
            } else {
                StatusCode::NOT_FOUND
            };
            assert_eq!(answer.status, expected, "{} {path}", route.method);
            asked += 1;
        }
    }
    assert!(asked > 30, "{asked}");
    assert_eq!(city.state().await, before);
}

/// The window of a county applies for parties of its own county only.
#[tokio::test]
async fn nobody_applies_for_another_party() {
    let city = TestCity::open();
    let item = city
        .id("SELECT id FROM item WHERE region_code = '330324'")
        .await;
    let of = |login: &str| format!("SELECT party_id FROM account WHERE login = '{login}'");
    let before = city.state().await;
    for (user, party) in [
        ("window-yj", city.id(&of("enterprise-yq")).await),
        ("enterprise2-yj", city.id(&of("enterprise-yj")).await),
    ] {
        let mut visitor = city.log_in(user).await;
        let page = visitor.get("/account").await;
        let path = format!("/items/{item}/apply?party={party}");
        let asked = visitor.get(&path).await;
        let name = &city
            .texts(&format!("SELECT name FROM party WHERE id = X'{party}'"))
            .await[0];
        assert!(!asked.says(name), "{user}: {}", asked.text());
        if user == "window-yj" {
            assert_eq!(asked.status, StatusCode::NOT_FOUND);
            let fields = crate::support::good_application();
            let saved = visitor.upload_from(&page, &path, &fields, &[]).await;
            assert_eq!(saved.status, StatusCode::NOT_FOUND);
        }
    }
    assert_eq!(city.state().await, before);
}
