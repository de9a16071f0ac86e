//! What an open session is not enough for, whom every change is told, and codes that strangers ask for.

use axum::http::StatusCode;
use serde_json::Value;

use super::super::commands::{Identified, reset_at_window};
use super::reset::{NUMBER, last_code, letters, post, prove_number};
use super::{City, PASSWORD, hashed};
use crate::access::Role;
use crate::ids::{AccountId, PartyId};
use crate::params;
use crate::refusal;
use crate::store::{Command, Event, StoreError, testing};
use crate::web::testing::{Browser, app, field};
use crate::web::{App, mount};

const PATH: &str = "/account/contacts";

async fn city() -> City {
    City::with(|city| {
        city.account("clerk", &[Role::WindowClerk], "330302");
        city.account("system", &[Role::SystemAdmin], "330300");
    })
    .await
}

/// What the last letters said, and to whom, beginning with the `from`-th.
async fn told(app: &App, from: usize) -> Vec<(String, String)> {
    let text = |letter: &Value, name: &str| letter[name].as_str().unwrap().to_owned();
    let letters = letters(app).await;
    let of = |it: &Value| (text(it, "template"), text(it, "to"));
    letters[from..].iter().map(of).collect()
}

fn one(template: &str, to: &str) -> Vec<(String, String)> {
    vec![(template.to_owned(), to.to_owned())]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_borrowed_session_changes_no_contact() {
    const OTHER: &str = "19900005678";
    let city = city().await;
    let app = app(&city.store, &city.clock);
    let router = mount(&app, crate::router::routes());
    let mut browser = Browser::new(&router);
    browser.log_in("clerk", PASSWORD).await;
    prove_number(&app, &mut browser).await;
    let add = |password: &'static str| {
        [
            ("action", "add"),
            ("channel", "sms"),
            ("value", OTHER),
            ("password", password),
        ]
    };
    for (password, rule) in [("", "required"), ("wrong-kettle-1", "password")] {
        let refused = post(&mut browser, PATH, &add(password)).await;
        assert_eq!(refused.0, StatusCode::UNPROCESSABLE_ENTITY);
        let mark = format!("id=\"error-password\" data-rule=\"{rule}\"");
        assert!(refused.2.contains(&mark), "{}", refused.2);
        assert!(!refused.2.contains("wrong-kettle"), "{}", refused.2);
    }
    assert_eq!(letters(&app).await.len(), 1, "no code was sent");

    // The one that is replaced learns of it.
    assert_eq!(post(&mut browser, PATH, &add(PASSWORD)).await.1, PATH);
    let code = last_code(&app).await;
    let right = [("action", "verify"), ("code", code.as_str())];
    assert_eq!(post(&mut browser, PATH, &right).await.1, PATH);
    assert_eq!(told(&app, 2).await, one("contact-changed", NUMBER));

    // So does the one that is given up, which the owner alone may do.
    let (_, _, list) = browser.get(PATH).await;
    let (_, rest) = list.split_once("/account/contacts?end=").unwrap();
    let contact = rest.split('"').next().unwrap().to_owned();
    let asked = browser.get(&format!("{PATH}?end={contact}")).await;
    assert_eq!(field(&asked.2, "contact"), contact);
    let end = |password: &'static str| {
        let contact = contact.clone();
        [
            ("action", "end".to_owned()),
            ("contact", contact),
            ("password", password.to_owned()),
        ]
    };
    for (password, status) in [
        ("wrong-kettle-1", StatusCode::UNPROCESSABLE_ENTITY),
        (PASSWORD, StatusCode::SEE_OTHER),
    ] {
        let fields = end(password);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(k, v)| (*k, v.as_str())).collect();
        assert_eq!(post(&mut browser, PATH, &fields).await.0, status);
    }
    assert_eq!(told(&app, 3).await, one("contact-changed", OTHER));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_new_password_is_told_its_owner() {
    let city = city().await;
    let app = app(&city.store, &city.clock);
    let router = mount(&app, crate::router::routes());
    let mut browser = Browser::new(&router);
    browser.log_in("clerk", PASSWORD).await;
    prove_number(&app, &mut browser).await;
    let change = [
        ("old_password", PASSWORD),
        ("new_password", "green-kettle-99"),
        ("new_password_again", "green-kettle-99"),
    ];
    let changed = post(&mut browser, "/account", &change).await;
    assert_eq!(changed.1, "/account", "{}", changed.2);
    assert_eq!(told(&app, 1).await, one("password-changed", NUMBER));

    let sql = "SELECT id FROM account WHERE login = 'clerk'";
    let read = city.store.read(|q| q.row(sql, params![], |r| r.get(0)));
    let id: Result<AccountId, StoreError> = read.await;
    let id = id.unwrap();
    let mut system = Browser::new(&router);
    system.log_in("system", PASSWORD).await;
    let path = format!("/accounts/{id}");
    let (_, _, page) = system.get(&path).await;
    let version = field(&page, "version");
    let reset = [("action", "reset_password"), ("version", version.as_str())];
    assert_eq!(post(&mut system, &path, &reset).await.0, StatusCode::OK);
    assert_eq!(told(&app, 2).await, one("password-changed", NUMBER));

    // At the window, as if the account were a party's.
    let party = PartyId(uuid::Uuid::from_u128(7));
    let window = city.actor(id, &[Role::WindowClerk], "330302");
    let said = Identified {
        reason: "忘记密码".into(),
        seen: "身份证 330302199001011234".into(),
    };
    let command = Command::new("test", city.clock.now());
    let made = city.store.write(command.clone(), move |tx| {
        let sql = "UPDATE account SET party_id = ?1 WHERE id = ?2";
        tx.execute(sql, params![party, id])?;
        tx.event(Event {
            subject: ("account", id.0),
            rows: vec![("account", id.0)],
            ..testing::event()
        });
        Ok::<_, refusal::Error>(())
    });
    made.await.unwrap();
    let reset = city.store.write(command, move |tx| {
        reset_at_window(tx, &window, party, id, &said, &hashed())
    });
    let login: refusal::Result<String> = reset.await;
    assert_eq!(login.unwrap(), "clerk");
    assert_eq!(told(&app, 3).await, one("password-changed", NUMBER));
}

/// Strangers ask for codes and try them: the owner's stay good, and he may ask for more.
#[tokio::test(flavor = "multi_thread")]
async fn strangers_use_up_their_own_codes_only() {
    let city = city().await;
    let app = app(&city.store, &city.clock);
    let router = mount(&app, crate::router::routes());
    let mut browser = Browser::new(&router);
    browser.log_in("clerk", PASSWORD).await;
    prove_number(&app, &mut browser).await;
    let (_, _, page) = browser.get("/account").await;
    post_from(&mut browser, &page, "/logout").await;

    let ask = [("login", "clerk")];
    post(&mut browser, "/login/forgot", &ask).await;
    let code = last_code(&app).await;
    let mut stranger = Browser::new(&router);
    for _ in 0..7 {
        post(&mut stranger, "/login/forgot", &ask).await;
    }
    let sent = letters(&app).await.len();
    assert_eq!(sent, 7, "five for strangers");
    let of_strangers = last_code(&app).await;
    let reset = async |browser: &mut Browser<'_>, code: &str| {
        let fields = [
            ("login", "clerk"),
            ("code", code),
            ("new_password", "green-kettle-99"),
            ("new_password_again", "green-kettle-99"),
        ];
        post(browser, "/login/reset", &fields).await.1
    };
    // Neither does the owner's code serve a stranger, nor do his tries wear it out.
    for typed in [&*code, "12345", "12345", "12345", "12345"] {
        assert_eq!(reset(&mut stranger, typed).await, "");
    }
    assert_eq!(reset(&mut stranger, &of_strangers).await, "", "five tries");

    // The owner asks once more, and types the first that arrived.
    post(&mut browser, "/login/forgot", &ask).await;
    assert_eq!(letters(&app).await.len(), sent + 1);
    assert_eq!(reset(&mut browser, &code).await, "/login");
}

async fn post_from(browser: &mut Browser<'_>, page: &str, path: &str) {
    let fields = [
        ("csrf", field(page, "csrf")),
        ("idempotency_key", field(page, "idempotency_key")),
    ];
    assert_eq!(browser.post(path, &fields).await.0, StatusCode::SEE_OTHER);
}
