//! Contacts, the code to one, and a forgotten password.

use std::sync::Arc;

use axum::http::StatusCode;
use jiff::SignedDuration;
use serde_json::Value;

use super::super::totp::{Secret, step_at};
use super::{City, PASSWORD};
use crate::access::Role;
use crate::params;
use crate::store::{Command, StoreError};
use crate::web::testing::{Browser, app, field};
use crate::web::{App, Site};
use crate::work;

pub(super) const NUMBER: &str = "19900001234";

/// The letters that left so far.
pub(super) async fn letters(app: &App) -> Vec<Value> {
    work::drain(app).await.unwrap();
    let file = app.site.data.join("outbox/messages.jsonl");
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The code of the last letter.
pub(super) async fn last_code(app: &App) -> String {
    let letters = letters(app).await;
    letters.last().unwrap()["values"]["code"]
        .as_str()
        .unwrap()
        .to_owned()
}

pub(super) async fn post(
    browser: &mut Browser<'_>,
    path: &str,
    fields: &[(&str, &str)],
) -> (StatusCode, String, String) {
    let (_, _, page) = browser.get(path).await;
    let (csrf, key) = (field(&page, "csrf"), field(&page, "idempotency_key"));
    let mut all = vec![("csrf", csrf.as_str()), ("idempotency_key", key.as_str())];
    all.extend_from_slice(fields);
    browser.post(path, &all).await
}

/// Proves a telephone in one's own account.
pub(super) async fn prove_number(app: &App, browser: &mut Browser<'_>) {
    prove_number_with(app, browser, ("password", PASSWORD)).await;
}

/// The same, the owner shown by his password or a code.
async fn prove_number_with(app: &App, browser: &mut Browser<'_>, owner: (&str, &str)) {
    const PATH: &str = "/account/contacts";
    let bad = [("action", "add"), ("channel", "sms"), ("value", "123")];
    let refused = post(browser, PATH, &bad).await;
    assert_eq!(refused.0, StatusCode::UNPROCESSABLE_ENTITY);
    let add = [
        ("action", "add"),
        ("channel", "sms"),
        ("value", NUMBER),
        owner,
    ];
    assert_eq!(post(browser, PATH, &add).await.1, PATH);
    let code = last_code(app).await;
    let wrong = if code == "000000" { "000001" } else { "000000" };
    let wrong = [("action", "verify"), ("code", wrong)];
    let refused = post(browser, PATH, &wrong).await;
    assert!(
        refused.2.contains("data-rule=\"sent-code\""),
        "{}",
        refused.2
    );
    let right = [("action", "verify"), ("code", code.as_str())];
    assert_eq!(post(browser, PATH, &right).await.1, PATH);
    let (_, _, page) = browser.get("/account").await;
    assert!(page.contains("199") && !page.contains(NUMBER), "{page}");
}

async fn city(login: &'static str, role: Role) -> City {
    City::with(move |city| {
        city.account(login, &[role], "330302");
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_password_is_set_anew_by_a_code() {
    let city = city("clerk", Role::WindowClerk).await;
    let app = app(&city.store, &city.clock);
    let router = crate::web::mount(&app, crate::router::routes());
    let mut owner = Browser::new(&router);
    owner.log_in("clerk", PASSWORD).await;
    prove_number(&app, &mut owner).await;
    let sent = letters(&app).await;
    assert_eq!((sent.len(), &sent[0]["to"]), (1, &NUMBER.into()));
    assert_eq!(sent[0]["template"], "contact-code");

    // A stranger's page says the same of a name that is known and of one that is not.
    let mut stranger = Browser::new(&router);
    let mut told = Vec::new();
    for login in ["clerk", "nobody"] {
        let (status, _, page) = post(&mut stranger, "/login/forgot", &[("login", login)]).await;
        assert_eq!(status, StatusCode::OK);
        told.push(
            page.replace(login, "")
                .replace(&field(&page, "idempotency_key"), ""),
        );
    }
    assert_eq!(told[0], told[1]);
    let code = last_code(&app).await;
    assert_eq!(letters(&app).await.len(), 2);

    let reset = async |browser: &mut Browser<'_>, login: &str, code: &str, new: &str| {
        let fields = [
            ("login", login),
            ("code", code),
            ("new_password", new),
            ("new_password_again", new),
        ];
        post(browser, "/login/reset", &fields).await
    };
    let new = "green-kettle-99";
    let wrong = if code == "000000" { "000001" } else { "000000" };
    for (login, code, new, rule) in [
        ("clerk", wrong, new, "sent-code"),
        ("nobody", code.as_str(), new, "sent-code"),
        ("clerk", &code, "short", "password-short"),
        ("clerk", &code, PASSWORD, "password-past"),
    ] {
        let (status, _, page) = reset(&mut stranger, login, code, new).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{rule}");
        assert!(
            page.contains(&format!("data-rule=\"{rule}\"")),
            "{rule}: {page}"
        );
    }
    let done = reset(&mut stranger, "clerk", &code, new).await;
    assert_eq!(done.1, "/login", "{}", done.2);
    assert_eq!(owner.get("/account").await.0, StatusCode::SEE_OTHER, "out");
    assert_eq!(stranger.log_in("clerk", new).await.1, "/work");
    let sent = letters(&app).await;
    assert_eq!(sent.last().unwrap()["template"], "password-changed");
    let again = reset(&mut owner, "clerk", &code, "red-kettle-77").await;
    assert!(
        again.2.contains("data-rule=\"sent-code\""),
        "used: {}",
        again.2
    );

    // Neither number nor code lies in the tables.
    let text = city.store.read(|q| {
        let sql = "SELECT payload FROM job UNION ALL SELECT detail FROM audit_event";
        q.rows(sql, params![], |r| r.get(0))
    });
    let text: Result<Vec<String>, StoreError> = text.await;
    let text = text.unwrap().join("\n");
    assert!(
        text.contains("message.send") || text.contains("\"channel\""),
        "{text}"
    );
    assert!(!text.contains(NUMBER) && !text.contains(&code), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_has_five_tries_and_ten_minutes() {
    let city = city("clerk", Role::WindowClerk).await;
    let app = app(&city.store, &city.clock);
    let router = crate::web::mount(&app, crate::router::routes());
    let mut owner = Browser::new(&router);
    owner.log_in("clerk", PASSWORD).await;
    prove_number(&app, &mut owner).await;
    let ask = [("login", "clerk")];
    let try_code = async |browser: &mut Browser<'_>, code: &str| {
        let fields = [
            ("login", "clerk"),
            ("code", code),
            ("new_password", "green-kettle-99"),
            ("new_password_again", "green-kettle-99"),
        ];
        post(browser, "/login/reset", &fields).await.0
    };
    let mut stranger = Browser::new(&router);
    post(&mut stranger, "/login/forgot", &ask).await;
    let code = last_code(&app).await;
    for _ in 0..5 {
        let status = try_code(&mut stranger, "12345").await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let status = try_code(&mut stranger, &code).await;
    assert_eq!(
        status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "worth nothing now"
    );

    // Also where somebody writes the count anew: the process counts, too.
    let command = Command::new("test", city.clock.now());
    let anew = city.store.write(command, |tx| {
        tx.execute("UPDATE sent_code SET failures = 0", params![])
    });
    let anew: Result<u64, StoreError> = anew.await;
    assert!(anew.unwrap() > 0);
    let status = try_code(&mut stranger, &code).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);

    city.pass(SignedDuration::from_mins(5));
    post(&mut stranger, "/login/forgot", &ask).await;
    let code = last_code(&app).await;
    city.pass(SignedDuration::from_mins(11));
    let status = try_code(&mut stranger, &code).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "too late");

    // Five an hour at most, whoever asks.
    let before = letters(&app).await.len();
    for _ in 0..9 {
        post(&mut stranger, "/login/forgot", &ask).await;
    }
    assert_eq!(letters(&app).await.len(), before + 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrators_password_is_not_reset_by_a_code() {
    let city = city("audit", Role::AuditAdmin).await;
    let app = app(&city.store, &city.clock);
    let router = crate::web::mount(&app, crate::router::routes());
    let mut owner = Browser::new(&router);
    owner.log_in("audit", PASSWORD).await;
    city.pass(SignedDuration::from_secs(30));
    let code = Secret::derived("audit").code(step_at(city.clock.now()));
    prove_number_with(&app, &mut owner, ("totp", &code)).await;
    let before = letters(&app).await.len();
    let mut stranger = Browser::new(&router);
    let asked = post(&mut stranger, "/login/forgot", &[("login", "audit")]).await;
    assert_eq!(asked.0, StatusCode::OK);
    assert_eq!(letters(&app).await.len(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_the_gateway_refuses_is_sent_later() {
    let city = city("clerk", Role::WindowClerk).await;
    let mut app = app(&city.store, &city.clock);
    let site = Arc::clone(&app.site);
    let gateway = |words: &[&str]| {
        Arc::new(Site {
            gateway: words.iter().map(|word| (*word).to_owned()).collect(),
            ..(*site).clone()
        })
    };
    let router = crate::web::mount(&app, crate::router::routes());
    let mut owner = Browser::new(&router);
    owner.log_in("clerk", PASSWORD).await;
    let add = [
        ("action", "add"),
        ("channel", "mail"),
        ("value", "Chen@Example.com"),
        ("password", PASSWORD),
    ];
    post(&mut owner, "/account/contacts", &add).await;
    app.site = gateway(&["/bin/sh", "-c", "exit 7"]);
    work::drain(&app).await.unwrap();
    let why = city
        .store
        .read(|q| q.row("SELECT last_error FROM job", params![], |r| r.get(0)));
    let why: Result<String, StoreError> = why.await;
    let why = why.unwrap();
    assert!(
        why.contains("exit status: 7") && !why.contains('@'),
        "{why}"
    );
    let taken = city.store.dir().join("taken.json");
    let script = format!("cat > {}", taken.display());
    app.site = gateway(&["/bin/sh", "-c", &script]);
    city.pass(SignedDuration::from_secs(10));
    work::drain(&app).await.unwrap();
    let letter: Value = serde_json::from_slice(&std::fs::read(taken).unwrap()).unwrap();
    assert_eq!(letter["to"], "chen@example.com");
    assert_eq!(letter["channel"], "mail");
    assert!(
        letter["text"]
            .as_str()
            .unwrap()
            .contains(letter["values"]["code"].as_str().unwrap())
    );
}
