//! The second factor through its pages and at its command.

use axum::http::StatusCode;
use jiff::SignedDuration;

use super::super::totp::Secret;
use super::super::{session, totp};
use super::{City, PASSWORD, code, hashed, shown_code};
use crate::access::Role;
use crate::store::Command;
use crate::web::testing::{Browser, field};

/// Binds an app as its owner does: the secret from the page, its first code, the recovery codes.
pub(super) async fn bind(
    city: &City,
    browser: &mut Browser<'_>,
    password: &str,
) -> (Secret, Vec<String>) {
    const PATH: &str = "/account/second-factor";
    let (_, _, page) = browser.get(PATH).await;
    let csrf = field(&page, "csrf");
    let act = |key: &'static str, action: &'static str, code: String| {
        [
            ("csrf", csrf.clone()),
            ("idempotency_key", key.to_owned()),
            ("action", action.to_owned()),
            ("totp", code),
            ("password", password.to_owned()),
        ]
    };
    let mut borrowed = act("begin", "begin", String::new());
    borrowed[4].1 = "not-the-password".to_owned();
    let refused = browser.post(PATH, &borrowed).await;
    assert_eq!(refused.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.2.contains("密码不正确") && !refused.2.contains("id=\"secret\""));
    let begun = browser
        .post(PATH, &act("begin", "begin", String::new()))
        .await;
    assert_eq!(begun.1, PATH, "{}", begun.2);
    let (_, _, page) = browser.get(PATH).await;
    assert!(page.contains("<path d=\"M4,4"), "a picture: {page}");
    let (_, rest) = page.split_once("<code id=\"secret\">").unwrap();
    let text: String = rest.split('<').next().unwrap().replace(' ', "");
    let secret = Secret::from_base32(&text).unwrap();
    let wrong = browser
        .post(PATH, &act("wrong", "confirm", "000000".into()))
        .await;
    assert_eq!(wrong.0, StatusCode::UNPROCESSABLE_ENTITY);
    let code = secret.code(totp::step_at(city.clock.now()));
    let kept = browser.cookies.clone();
    let (status, _, shown) = browser.post(PATH, &act("confirm", "confirm", code)).await;
    assert_eq!(status, StatusCode::OK, "{shown}");
    // The session goes on under another secret; the old one is worth nothing.
    let now = std::mem::replace(&mut browser.cookies, kept);
    assert_eq!(browser.get("/account").await.0, StatusCode::SEE_OTHER);
    browser.cookies = now;
    let codes = shown.split("<code data-recovery>").skip(1);
    let codes = codes.map(|rest| rest.split('<').next().unwrap().to_owned());
    (secret, codes.collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_factor_is_proved_once_and_replaced_by_its_owner() {
    let city = City::with(|city| {
        city.account("clerk", &[Role::WindowClerk], "330302");
    })
    .await;
    let router = city.app();
    let mut browser = Browser::new(&router);
    browser.log_in("clerk", PASSWORD).await;
    let (secret, codes) = bind(&city, &mut browser, PASSWORD).await;

    // A recovery code stands for the telephone, once, however it is typed.
    let enter = async |code: &str| {
        let mut other = Browser::new(&router);
        let (_, _, second) = other.log_in("clerk", PASSWORD).await;
        other.give_code(&second, code).await.0
    };
    let typed = codes[3].to_uppercase().replace('-', " ");
    assert_eq!(enter(&typed).await, StatusCode::SEE_OTHER);
    assert_eq!(enter(&codes[3]).await, StatusCode::UNPROCESSABLE_ENTITY);

    // A second binding needs a code of the first, and ends it.
    const PATH: &str = "/account/second-factor";
    let (_, _, page) = browser.get(PATH).await;
    assert!(page.contains("9 个"), "recovery codes left: {page}");
    let csrf = field(&page, "csrf");
    let begin = |key: &'static str, code: String| {
        [
            ("csrf", csrf.clone()),
            ("idempotency_key", key.to_owned()),
            ("action", "begin".to_owned()),
            ("totp", code),
        ]
    };
    let refused = browser.post(PATH, &begin("a", "123456".into())).await;
    assert_eq!(refused.0, StatusCode::UNPROCESSABLE_ENTITY);
    city.pass(SignedDuration::from_secs(30));
    let code = secret.code(totp::step_at(city.clock.now()));
    let begun = browser.post(PATH, &begin("b", code.clone())).await;
    assert_eq!(begun.0, StatusCode::SEE_OTHER);
    city.pass(SignedDuration::from_secs(30));
    assert_eq!(
        enter(&code).await,
        StatusCode::UNPROCESSABLE_ENTITY,
        "a code that proved something is used up, although still of this minute"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_codes_is_as_slow_as_guessing_passwords() {
    let city = City::with(|city| {
        city.account("audit", &[Role::AuditAdmin], "330300");
    })
    .await;
    let router = city.app();
    let mut browser = Browser::new(&router);
    let (_, _, mut page) = browser.post_log_in("audit", PASSWORD).await;
    let right = shown_code(&page);
    let wrong = if right == "000000" {
        "000001"
    } else {
        "000000"
    };
    for _ in 0..5 {
        let (status, _, again) = browser.give_code(&page, wrong).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        page = again;
    }
    let refused = browser.give_code(&page, &right).await;
    assert_eq!(refused.0, StatusCode::TOO_MANY_REQUESTS);
    // The password given again buys no further tries.
    let (status, _, _) = browser.post_log_in("audit", PASSWORD).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    // A ticket serves its browser and its few minutes only.
    let mut other = Browser::new(&router);
    other.get("/login").await;
    let mut stolen = page.clone();
    let own = field(&other.get("/login").await.2, "csrf");
    stolen = stolen.replace(&field(&page, "csrf"), &own);
    let refused = other.give_code(&stolen, &right).await;
    assert!(refused.2.contains("data-rule=\"ticket\""), "{}", refused.2);
    city.pass(SignedDuration::from_mins(6));
    let late = browser.give_code(&page, &right).await;
    assert!(late.2.contains("data-rule=\"ticket\""), "{}", late.2);
    let failures = city.store.read(|q| {
        q.row("SELECT failed_logins FROM account", crate::params![], |r| {
            r.get::<i64>(0)
        })
    });
    let failures: Result<i64, crate::store::StoreError> = failures.await;
    assert_eq!(failures.unwrap(), 5);
}

#[test]
fn of_two_servers_one_takes_a_code() {
    let city = City::new();
    let id = city.account("audit", &[Role::AuditAdmin], "330300");
    let secret = Secret::derived("audit");
    let typed = secret.code(totp::step_at(city.clock.now()));
    let enter = |code: &str| {
        let entry = session::Entry {
            secrets: session::Secrets::fresh(None),
            previous: None,
            address: "10.0.0.1".into(),
            agent: String::new(),
            proof: Some(code.to_owned()),
            basis: session::Basis::Password,
            strong: false,
        };
        let store = city.store.clone();
        let command = Command::new("session.open", city.clock.now());
        std::thread::spawn(move || {
            store.write_blocking(command, move |tx| session::open(tx, id, &hashed(), &entry))
        })
    };
    let both = [enter(&typed), enter(&typed)].map(|one| one.join().unwrap());
    let opened = both.iter().filter(|one| one.is_ok()).count();
    assert_eq!(opened, 1, "{both:?}");
    assert!(both.into_iter().any(|one| code(one) == "totp"));
}
