//! The second factor of an account of the city, from its page to the log.

use axum::http::StatusCode;
use jiff::SignedDuration;
use luodi::account::totp::{Secret, step_at};

use crate::support::{Answer, TestCity, Visitor};

const PATH: &str = "/account/second-factor";

fn recovery_codes(page: &Answer) -> Vec<String> {
    let codes = page.html.split("<code data-recovery>").skip(1);
    let codes = codes.map(|rest| rest.split('<').next().unwrap().to_owned());
    codes.collect()
}

/// Binds an app; gives its secret and the recovery codes.
async fn bind(city: &TestCity, visitor: &mut Visitor<'_>) -> (Secret, Vec<String>) {
    let page = visitor.get(PATH).await;
    let doors = city.stranger().get("/login").await;
    let password = doors.between("data-user=\"handler1-yj\" data-password=\"", "\"");
    let begin = [("action", "begin"), ("password", password.as_str())];
    visitor.post_from(&page, PATH, &begin).await;
    let page = visitor.get(PATH).await;
    let text = page.between("<code id=\"secret\">", "<").replace(' ', "");
    let secret = Secret::from_base32(&text).unwrap();
    let code = secret.code(step_at(city.clock.now()));
    let confirm = [("action", "confirm"), ("totp", code.as_str())];
    let shown = visitor.post_from(&page, PATH, &confirm).await;
    assert_eq!(shown.status, StatusCode::OK, "{}", shown.text());
    (secret, recovery_codes(&shown))
}

/// Kept, used and renewed, recovery codes are as the log says.
#[tokio::test]
async fn recovery_codes_are_bound_to_the_log() {
    let city = TestCity::open();
    let mut visitor = city.log_in("handler1-yj").await;
    let (secret, codes) = bind(&city, &mut visitor).await;
    assert_eq!(codes.len(), 10);
    assert_eq!(city.differing(), Vec::<String>::new(), "kept");

    let mut other = city.stranger();
    let page = other.get("/login").await;
    let password = page.between("data-user=\"handler1-yj\" data-password=\"", "\"");
    let fields = [("login", "handler1-yj"), ("password", &password)];
    let second = other.post_from(&page, "/login", &fields).await;
    let code = [("totp", codes[2].as_str())];
    let entered = other.post_from(&second, "/login", &code).await;
    assert_eq!(entered.status, StatusCode::SEE_OTHER, "{}", entered.text());
    assert_eq!(city.differing(), Vec::<String>::new(), "used");

    city.clock
        .set(city.clock.now() + SignedDuration::from_secs(60));
    let page = visitor.get(PATH).await;
    let code = secret.code(step_at(city.clock.now()));
    let renew = [("action", "renew_recovery"), ("totp", code.as_str())];
    let shown = visitor.post_from(&page, PATH, &renew).await;
    assert_eq!(recovery_codes(&shown).len(), 10, "{}", shown.text());
    assert_eq!(city.differing(), Vec::<String>::new(), "renewed");
}
