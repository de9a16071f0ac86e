//! No single administrator becomes an approver or pays, and nobody who can write a row a session.

use axum::http::StatusCode;
use sha2::{Digest, Sha256};

use super::factor::bind;
use super::{City, PASSWORD, code};
use crate::access::Role;
use crate::account::confirm_roles;
use crate::params;
use crate::store::{Command, StoreError, Value};
use crate::web::testing::{Browser, field};

/// A page for finance only.
const FINANCE: &str = "/budgets/new";

async fn post(browser: &mut Browser<'_>, path: &str, action: &str) -> (StatusCode, String, String) {
    let (_, _, page) = browser.get(path).await;
    let fields = [
        ("csrf", field(&page, "csrf")),
        ("idempotency_key", field(&page, "idempotency_key")),
        ("version", field(&page, "version")),
        ("action", action.to_owned()),
    ];
    browser.post(path, &fields).await
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_rest_after_a_second_factor_was_taken_away() {
    let city = City::with(|city| {
        city.account("system", &[Role::SystemAdmin], "330300");
        city.account("security", &[Role::SecurityAdmin], "330300");
        city.account("finance", &[Role::Finance], "330302");
    })
    .await;
    let router = city.app();
    let mut owner = Browser::new(&router);
    owner.log_in("finance", PASSWORD).await;
    assert_eq!(owner.get(FINANCE).await.0, StatusCode::OK);
    let mut system = Browser::new(&router);
    system.log_in("system", PASSWORD).await;
    let mut security = Browser::new(&router);
    security.log_in("security", PASSWORD).await;
    let (_, _, list) = system.get("/accounts?q=finance").await;
    let (_, rest) = list.split_once("href=\"/accounts/0").unwrap();
    let path = format!("/accounts/0{}", rest.split('"').next().unwrap());

    // The system administrator takes everything that the account is proved by.
    assert_eq!(post(&mut system, &path, "reset_factor").await.1, path);
    assert_eq!(owner.get(FINANCE).await.0, StatusCode::SEE_OTHER, "out");
    let reset = post(&mut system, &path, "reset_password").await;
    let (_, once) = reset
        .2
        .split_once("<code id=\"one-time-password\">")
        .unwrap();
    let once = once.split('<').next().unwrap().to_owned();
    let mut taken = Browser::new(&router);
    assert_eq!(taken.log_in("finance", &once).await.1, "/account");
    let (_, _, page) = taken.get("/account").await;
    let change = [
        ("csrf", field(&page, "csrf")),
        ("idempotency_key", "new".to_owned()),
        ("old_password", once),
        ("new_password", "green-kettle-99".to_owned()),
        ("new_password_again", "green-kettle-99".to_owned()),
    ];
    taken.post("/account", &change).await;
    let early = post(&mut security, &path, "confirm_roles").await;
    assert!(early.2.contains("还没有重新绑定"), "{}", early.2);
    bind(&city, &mut taken, "green-kettle-99").await;
    assert_eq!(taken.get(FINANCE).await.0, StatusCode::FORBIDDEN);

    // Everybody concerned sees it, and it does not go away by itself.
    let mut again = Browser::new(&router);
    city.pass(jiff::SignedDuration::from_secs(60));
    let entered = again.log_in("finance", "green-kettle-99").await;
    assert_eq!(entered.1, "/account", "{}", entered.2);
    assert_eq!(again.get(FINANCE).await.0, StatusCode::FORBIDDEN);
    assert!(again.get("/account").await.2.contains("角色暂停使用"));
    for desk in [&mut system, &mut security] {
        assert!(desk.get("/accounts").await.2.contains("角色暂停"));
        assert!(desk.get(&path).await.2.contains("角色暂停使用"));
    }
    let own = post(&mut system, &path, "confirm_roles").await;
    assert_eq!(own.0, StatusCode::FORBIDDEN, "{}", own.2);
    assert!(
        !system
            .get(&path)
            .await
            .2
            .contains("value=\"confirm_roles\"")
    );

    let confirmed = post(&mut security, &path, "confirm_roles").await;
    assert_eq!(confirmed.1, path, "{}", confirmed.2);
    assert_eq!(again.get(FINANCE).await.0, StatusCode::SEE_OTHER, "out");
    city.pass(jiff::SignedDuration::from_secs(60));
    assert_eq!(again.log_in("finance", "green-kettle-99").await.1, "/work");
    assert_eq!(again.get(FINANCE).await.0, StatusCode::OK);
    let twice = post(&mut security, &path, "confirm_roles").await;
    assert_eq!(twice.0, StatusCode::CONFLICT, "{}", twice.2);
}

#[test]
fn a_new_password_without_a_second_factor_lets_roles_rest_too() {
    let city = City::new();
    let system = city.account("system", &[Role::SystemAdmin], "330300");
    let security = city.account("security", &[Role::SecurityAdmin], "330300");
    let new = super::account("finance", &[Role::Finance], "330302");
    let id = city
        .write(move |tx| super::create_account(tx, &super::console(), &new))
        .unwrap();
    let rests = || {
        let row = city
            .store
            .read_blocking(|q| super::show(q, &super::console(), id));
        row.unwrap().resting().is_some()
    };
    let reset = |actor: crate::access::Actor, version| {
        city.write(move |tx| super::reset_password(tx, &actor, id, version, &super::hashed()))
    };
    reset(super::console(), 1).unwrap();
    assert!(!rests(), "the console answers for itself");
    reset(city.actor(system, &[Role::SystemAdmin], "330300"), 2).unwrap();
    assert!(rests());
    let actor = city.actor(security, &[Role::SecurityAdmin], "330300");
    let confirmed = city.write(move |tx| confirm_roles(tx, &actor, id, 3));
    assert_eq!(code(confirmed), "factor-first");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_written_row_is_no_session() {
    let city = City::with(|city| {
        city.account("clerk", &[Role::WindowClerk], "330302");
        city.account("finance", &[Role::Finance], "330302");
    })
    .await;
    let router = city.app();
    let mut clerk = Browser::new(&router);
    let mut finance = Browser::new(&router);
    finance.log_in("finance", PASSWORD).await;
    let write = async |sql: &'static str, values: Vec<Value>| {
        let command = Command::new("test", city.clock.now());
        let written = city
            .store
            .write(command, move |tx| tx.execute(sql, &values));
        let written: Result<u64, StoreError> = written.await;
        assert_eq!(written.unwrap(), 1, "{sql}");
    };
    for sql in [
        "UPDATE session SET account_id = (SELECT id FROM account WHERE login = 'finance') \
         WHERE account_id = (SELECT id FROM account WHERE login = 'clerk') AND mark IS NOT NULL",
        "UPDATE session SET expires_at = expires_at + 1000 \
         WHERE account_id = (SELECT id FROM account WHERE login = 'clerk') AND mark IS NOT NULL",
        "UPDATE session SET created_at = created_at + 1 \
         WHERE account_id = (SELECT id FROM account WHERE login = 'clerk') AND mark IS NOT NULL",
        "UPDATE session SET mark = NULL \
         WHERE account_id = (SELECT id FROM account WHERE login = 'clerk') AND mark IS NOT NULL",
    ] {
        clerk.log_in("clerk", PASSWORD).await;
        assert_eq!(clerk.get("/account").await.0, StatusCode::OK);
        write(sql, Vec::new()).await;
        assert_eq!(
            clerk.get("/account").await.0,
            StatusCode::SEE_OTHER,
            "{sql}"
        );
        // What was tried goes, so that the next finds one row.
        let command = Command::new("test", city.clock.now());
        let clear = city.store.write(command, move |tx| {
            let sql = "UPDATE session SET mark = NULL WHERE account_id = \
                       (SELECT id FROM account WHERE login = 'clerk')";
            tx.execute(sql, params![])
        });
        let cleared: Result<u64, StoreError> = clear.await;
        cleared.unwrap();
    }
    // A secret of one's own beside the mark of a session that is good.
    let token = "x".repeat(43);
    let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
    write(
        "INSERT INTO session (token_hash, account_id, csrf, created_at, seen_at, expires_at, mark) \
         SELECT ?1, account_id, 'c', created_at, seen_at, expires_at, mark FROM session \
         WHERE account_id = (SELECT id FROM account WHERE login = 'finance') AND mark IS NOT NULL \
         ORDER BY created_at LIMIT 1",
        vec![hash.into()],
    )
    .await;
    let mut forged = Browser::new(&router);
    forged.cookies.push(("luodi".into(), token));
    assert_eq!(forged.get("/account").await.0, StatusCode::SEE_OTHER);
    assert_eq!(finance.get("/account").await.0, StatusCode::OK);
    // A second factor put aside in its row ends the session that was opened with it.
    write("UPDATE second_factor SET state = 'ended'", Vec::new()).await;
    assert_eq!(finance.get("/account").await.0, StatusCode::SEE_OTHER);
}
