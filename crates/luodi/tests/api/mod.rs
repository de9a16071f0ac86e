//! Luodi as another program meets it: the same commands, rules and refusals as on the pages, said
//! in JSON.

use axum::http::StatusCode;
use luodi::account::totp::{self, Secret};
use serde_json::{Value, json};

use crate::support::{Answer, PAPERS, TestCity, Visitor, good_application};

fn body(answer: &Answer) -> Value {
    serde_json::from_str(&answer.html)
        .unwrap_or_else(|error| panic!("{error}: {} {}", answer.status, answer.html))
}

/// Logs in and gives the token for what is posted.
async fn log_in(visitor: &mut Visitor<'_>, user: &str) -> String {
    let credentials = json!({ "user": user, "password": "luodi-demo-2026" });
    let answer = visitor
        .call("/api/session", ("", ""), &credentials, &[])
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.html);
    let session = body(&answer);
    assert_eq!(session["user"], json!(user));
    session["csrf"].as_str().unwrap().to_owned()
}

fn application() -> Value {
    let mut values: serde_json::Map<String, Value> = good_application()
        .into_iter()
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .collect();
    values.insert("filed_kw".to_owned(), json!(100));
    values.insert("declaration".to_owned(), json!(true));
    json!({ "values": values })
}

fn fields(problem: &Value) -> Vec<(&str, &str)> {
    let fields = problem["fields"].as_array().unwrap().iter();
    fields
        .map(|one| {
            (
                one["field"].as_str().unwrap(),
                one["rule"].as_str().unwrap(),
            )
        })
        .collect()
}

#[tokio::test]
async fn a_program_applies_and_another_accepts() {
    let city = TestCity::open();
    let mut enterprise = city.stranger();
    let token = log_in(&mut enterprise, "enterprise-yj").await;
    let items = body(&enterprise.get("/api/items").await);
    let item = items["items"].as_array().unwrap().iter();
    let item = item.clone().find(|one| one["region"] == json!("330324"));
    let id = item.unwrap()["id"].as_str().unwrap().to_owned();
    let item = body(&enterprise.get(&format!("/api/items/{id}")).await);
    assert!(item["fields"].as_array().unwrap().len() > 10, "{item}");
    let path = format!("/api/items/{id}/apply");

    // Whatever is at fault is said at once, with its rule.
    let mut wrong = application();
    wrong["values"]["filed_kw"] = json!(-5);
    let before = city.state().await.without_drafts();
    let refused = enterprise
        .call(&path, (&token, "k-0"), &wrong, &PAPERS[..2])
        .await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let problem = body(&refused);
    let expected = [
        ("filed_kw", "min"),
        ("meter_reading", "required"),
        ("licence", "required"),
    ];
    assert_eq!(fields(&problem), expected, "{problem}");
    assert_eq!(city.state().await.without_drafts(), before);

    // Signs that nobody sees are kept out here, too.
    let unseen = |name: &str| {
        let mut sent = application();
        sent["values"]["project_name"] = json!(format!("检查\u{202e}用屋顶{name}"));
        sent
    };
    let application = || unseen("");
    let sent = enterprise
        .call(&path, (&token, "k-1"), &application(), PAPERS)
        .await;
    assert_eq!(sent.status, StatusCode::CREATED, "{}", sent.html);
    let done = body(&sent);
    // The answer was lost on the way: the same key gives it again, and nothing more is done.
    let after = city.state().await;
    let again = enterprise
        .call(&path, (&token, "k-1"), &application(), PAPERS)
        .await;
    assert_eq!(body(&again), done);
    assert_eq!(city.state().await, after);
    let mut other = application();
    other["values"]["project_name"] = json!("另一个项目");
    let other = enterprise
        .call(&path, (&token, "k-1"), &other, PAPERS)
        .await;
    assert_eq!(other.status, StatusCode::CONFLICT);
    assert_eq!(body(&other)["code"], json!("key-reused"));

    let case = format!("/api/cases/{}", done["case"].as_str().unwrap());
    let own = body(&enterprise.get(&case).await);
    assert!(own.to_string().contains("检查用屋顶"), "{own}");
    assert_eq!(own["number"], done["number"]);
    assert!(
        own.to_string().contains("19900001234"),
        "one's own telephone"
    );

    let mut window = city.stranger();
    let token = log_in(&mut window, "window-yj").await;
    let list = body(&window.get("/api/worklist").await);
    let listed = list["cases"].as_array().unwrap().iter();
    assert!(
        listed.clone().any(|one| one["id"] == done["case"]),
        "{list}"
    );
    let seen = body(&window.get(&case).await);
    assert!(
        !seen.to_string().contains("19900001234"),
        "masked for staff"
    );
    let tasks = seen["tasks"].as_array().unwrap().iter();
    let task = tasks.clone().find(|one| one["state"] == json!("open"));
    let task = task.unwrap();
    let path = format!("{case}/tasks/{}", task["id"].as_str().unwrap());
    let bare = json!({ "version": task["version"], "outcome": "correct" });
    let refused = window.call(&path, (&token, "k-2"), &bare, &[]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let problem = body(&refused);
    let expected = [("reason", "required"), ("correction", "required")];
    assert_eq!(fields(&problem), expected, "{problem}");
    let accept = json!({ "version": task["version"], "outcome": "accept" });
    let accepted = window.call(&path, (&token, "k-3"), &accept, &[]).await;
    assert_eq!(accepted.status, StatusCode::OK, "{}", accepted.html);
    assert_eq!(body(&accepted)["state"], json!("examining"));
}

#[tokio::test]
async fn doors_are_as_shut_as_on_the_pages() {
    let city = TestCity::open();
    let mut stranger = city.stranger();
    for path in ["/api/session", "/api/worklist"] {
        let answer = stranger.get(path).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(body(&answer)["code"], json!("session"), "{path}");
    }
    let wrong = json!({ "user": "window-yj", "password": "guess" });
    let answer = stranger.call("/api/session", ("", ""), &wrong, &[]).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    let unknown = stranger.get("/api/nothing").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    assert_eq!(body(&unknown)["code"], json!("not-found"));
    // A form of a page cannot log in here: it could be another site's.
    let form = [("user", "window-yj"), ("password", "luodi-demo-2026")];
    let form = stranger.post_raw("/api/session", &form).await;
    assert_eq!(form.status, StatusCode::FORBIDDEN);

    let token = log_in(&mut stranger, "window-yj").await;
    let foreign = city
        .id("SELECT id FROM casework WHERE region_code = '330382'")
        .await;
    let answer = stranger.get(&format!("/api/cases/{foreign}")).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    let before = city.state().await;
    for (token, key, code) in [
        ("", "k", "csrf"),
        ("wrong", "k", "csrf"),
        (token.as_str(), "", "invalid"),
    ] {
        let answer = stranger
            .call("/api/session/end", (token, key), &json!({}), &[])
            .await;
        assert!(!answer.status.is_success(), "{code}");
        let problem = body(&answer);
        assert!(
            problem["code"] == json!(code) || !fields(&problem).is_empty(),
            "{problem}"
        );
    }
    assert_eq!(city.state().await, before);
    let ended = stranger
        .call("/api/session/end", (&token, "k"), &json!({}), &[])
        .await;
    assert_eq!(ended.status, StatusCode::NO_CONTENT, "{}", ended.html);
    let after = stranger.get("/api/session").await;
    assert_eq!(after.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn what_is_public_is_told_to_everybody() {
    let city = TestCity::open();
    let mut stranger = city.stranger();
    let articles = body(&stranger.get("/api/articles").await);
    let first = &articles["articles"][0];
    let article = stranger
        .get(&format!("/api/articles/{}", first["id"].as_str().unwrap()))
        .await;
    assert_eq!(body(&article)["title"], first["title"]);
    let wrong = stranger.get("/api/articles?from=2026-02-30").await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(fields(&body(&wrong))[0].0, "from");
    let notices = body(&stranger.get("/api/notices?state=ended").await);
    let first = &notices["notices"][0];
    let notice = stranger
        .get(&format!("/api/notices/{}", first["id"].as_str().unwrap()))
        .await;
    let notice = body(&notice);
    let sum: i64 = notice["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["amount_fen"].as_i64().unwrap())
        .sum();
    assert_eq!(json!(sum), first["total_fen"]);
    let described = body(&stranger.get("/api/openapi.json").await);
    assert!(described["openapi"].as_str().unwrap().starts_with("3.1"));
    assert!(described["components"]["schemas"]["Problem"].is_object());
}

/// Whoever decides or pays gives a code, too; it is asked for by name.
#[tokio::test]
async fn a_program_gives_the_code_of_the_second_factor() {
    let city = TestCity::open();
    let mut approver = city.stranger();
    let page = approver.get("/login").await;
    let row = page.between("data-user=\"approver-yj\"", ">");
    let (_, rest) = row.split_once("data-totp=\"").unwrap();
    let secret = Secret::from_base32(rest.split('"').next().unwrap()).unwrap();
    let mut credentials = json!({ "user": "approver-yj", "password": "luodi-demo-2026" });
    let asked = approver
        .call("/api/session", ("", ""), &credentials, &[])
        .await;
    assert_eq!(asked.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(fields(&body(&asked)), [("totp", "second-factor")]);
    let step = totp::step_at(city.clock.now());
    for (code, status) in [
        (secret.code(step + 2), StatusCode::UNPROCESSABLE_ENTITY),
        (secret.code(step), StatusCode::OK),
        (secret.code(step), StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        credentials["totp"] = json!(code);
        let answer = approver
            .call("/api/session", ("", ""), &credentials, &[])
            .await;
        assert_eq!(answer.status, status, "{}", answer.html);
    }
    let session = body(&approver.get("/api/session").await);
    assert_eq!(session["roles"], json!(["approver"]));
}
