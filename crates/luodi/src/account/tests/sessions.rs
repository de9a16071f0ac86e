//! One's own sessions, and guessers: how far they come, and whom they do not keep out.

use std::sync::Arc;

use axum::http::StatusCode;
use jiff::SignedDuration;

use super::super::enter::LOG_IN;
use super::super::session::{self, Entry, Secrets, Why};
use super::{City, PASSWORD, hashed};
use crate::access::Role;
use crate::ids::AccountId;
use crate::params;
use crate::store::StoreError;
use crate::web::testing::{Browser, app, field};
use crate::web::{Attempts, Site, mount};

#[tokio::test(flavor = "multi_thread")]
async fn one_sees_where_one_is_logged_in_and_ends_it() {
    let city = City::with(|city| {
        city.account("clerk", &[Role::WindowClerk], "330302");
    })
    .await;
    let router = city.app();
    let (mut here, mut there) = (Browser::new(&router), Browser::new(&router));
    there.log_in("clerk", PASSWORD).await;
    city.pass(SignedDuration::from_mins(1));
    for _ in 0..2 {
        here.log_in("clerk", "wrong-password").await;
    }
    here.log_in("clerk", PASSWORD).await;
    let (_, _, home) = here.get("/account").await;
    assert!(home.contains("上次登录 2026"), "told once: {home}");
    assert!(home.contains("此后有 2 次失败的尝试"), "{home}");
    let (_, _, page) = here.get("/account").await;
    assert!(!page.contains("此后有 2 次"), "{page}");
    assert!(page.contains("此后失败 2 次"), "kept in one's account");
    assert_eq!(page.matches("name=\"session\" value=\"").count(), 1);
    let fields = [
        ("csrf", field(&page, "csrf")),
        ("idempotency_key", field(&page, "idempotency_key")),
        ("session", field(&page, "session")),
        ("action", "end".to_owned()),
    ];
    assert_eq!(there.get("/account").await.0, StatusCode::OK);
    let ended = here.post("/account/sessions", &fields).await;
    assert_eq!(ended.0, StatusCode::SEE_OTHER);
    assert_eq!(there.get("/account").await.0, StatusCode::SEE_OTHER);
    assert_eq!(here.get("/account").await.0, StatusCode::OK);

    // A session of somebody else is none.
    let mut other = Browser::new(&router);
    other.log_in("clerk", PASSWORD).await;
    let (_, _, page) = here.get("/account").await;
    let fields = [
        ("csrf", field(&page, "csrf")),
        ("idempotency_key", "all".to_owned()),
        ("action", "end_others".to_owned()),
    ];
    here.post("/account/sessions", &fields).await;
    assert_eq!(other.get("/account").await.0, StatusCode::SEE_OTHER);
}

fn entry(device: Option<&str>) -> Entry {
    Entry {
        secrets: Secrets::fresh(device),
        previous: None,
        address: "203.0.113.9".into(),
        agent: String::new(),
        proof: None,
        basis: session::Basis::Password,
        strong: false,
    }
}

/// A day of guessing from a thousand addresses, two guesses a second, and the owner's two browsers.
#[test]
fn many_addresses_neither_guess_an_account_nor_shut_its_owner_out() {
    let city = City::new();
    let id: AccountId = city.account("clerk", &[Role::WindowClerk], "330302");
    let open =
        |entry: Entry| city.write(move |tx| session::open(tx, id, &hashed(), &entry).map(drop));
    let own = entry(None);
    let device = own.secrets.device.clone();
    open(own).unwrap();
    let failures = || -> i64 {
        let sql = "SELECT failed_logins FROM account";
        let read: Result<i64, StoreError> = city
            .store
            .read_blocking(|q| q.row(sql, params![], |r| r.get(0)));
        read.unwrap()
    };
    let mut guesses = 0;
    // While the account waits a guess counts for nothing, so one in ten seconds shows as much.
    for second in 0..24 * 360 {
        city.pass(SignedDuration::from_secs(10));
        let address = format!("198.51.{}.{}", second / 250 % 4, second % 250);
        let before = failures();
        city.write(move |tx| session::refuse(tx, id, Why::Password, &address))
            .unwrap();
        guesses += i64::from(failures() > before);
    }
    // A hundred at once, then four an hour.
    assert!((150..=205).contains(&guesses), "{guesses}");
    assert!(
        open(entry(None)).is_err(),
        "a stranger waits, whatever he knows"
    );
    open(entry(Some(&device))).unwrap();
    assert_eq!(failures(), 0);
}

/// Two hundred people behind one address, each mistyping once within the same minute.
#[test]
fn an_office_behind_one_address_is_not_shut_out() {
    let city = City::new();
    let attempts = Attempts::default();
    let now = city.clock.now();
    for person in 0..200 {
        assert!(
            attempts.admit(LOG_IN, "203.0.113.9", now),
            "{person} mistypes"
        );
        assert!(attempts.admit(LOG_IN, "203.0.113.9", now), "{person}");
        attempts.give_back(LOG_IN, "203.0.113.9", now);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_may_have_its_days() {
    let city = City::with(|city| {
        city.account("clerk", &[Role::WindowClerk], "330302");
    })
    .await;
    let mut app = app(&city.store, &city.clock);
    app.site = Arc::new(Site {
        password_days: 90,
        ..(*app.site).clone()
    });
    let router = mount(&app, crate::router::routes());
    let mut browser = Browser::new(&router);
    assert_eq!(browser.log_in("clerk", PASSWORD).await.1, "/work");
    city.pass(SignedDuration::from_hours(91 * 24));
    assert_eq!(browser.log_in("clerk", PASSWORD).await.1, "/account");
    assert_eq!(browser.get("/work").await.0, StatusCode::FORBIDDEN);
    let (_, _, page) = browser.get("/account").await;
    assert!(page.contains("已到更换期限"), "{page}");
    let change = |new: &'static str| {
        [
            ("csrf", field(&page, "csrf")),
            ("idempotency_key", "k".to_owned()),
            ("old_password", PASSWORD.to_owned()),
            ("new_password", new.to_owned()),
            ("new_password_again", new.to_owned()),
        ]
    };
    let known = browser.post("/account", &change("clerk 同志2026")).await;
    assert!(known.2.contains("data-rule=\"password-"), "{}", known.2);
    let changed = browser.post("/account", &change("green-kettle-99")).await;
    assert_eq!(changed.1, "/", "{}", changed.2);
    assert_eq!(browser.get("/work").await.0, StatusCode::OK);
}
