//! A form posted twice has one effect, and says so; another content under the same key is told
//! where the first result is.

use axum::http::StatusCode;

use super::apply::form_of;
use crate::support::{Answer, PAPERS, TestCity, Visitor, good_application};

const CASES: &str = "SELECT COUNT(*) FROM casework";

/// The page on which a complete application is submitted, and its address.
pub async fn review(city: &TestCity, enterprise: &mut Visitor<'_>) -> (Answer, String) {
    let path = form_of(city).await;
    let form = enterprise.get(&path).await;
    let saved = enterprise
        .upload_from(&form, &path, &good_application(), PAPERS)
        .await;
    assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.text());
    (enterprise.get(&saved.location).await, saved.location)
}

#[tokio::test]
async fn the_same_form_twice_is_one_case() {
    let city = TestCity::open();
    let mut enterprise = city.log_in("enterprise-yj").await;
    let (page, draft) = review(&city, &mut enterprise).await;
    let cases = city.number(CASES).await;
    let fields = [("action", "submit")];
    let first = enterprise.post_from(&page, &draft, &fields).await;
    assert_eq!(first.status, StatusCode::SEE_OTHER, "{}", first.text());
    let after = city.state().await;
    let second = enterprise.post_from(&page, &draft, &fields).await;
    assert_eq!(
        (second.status, &second.location),
        (StatusCode::SEE_OTHER, &first.location)
    );
    assert_eq!(city.number(CASES).await, cases + 1);
    assert_eq!(city.state().await, after);
}

/// Two clicks so close that the second arrives before the first is answered.
#[tokio::test]
async fn two_clicks_at_once_are_one_case() {
    let city = TestCity::open();
    let mut enterprise = city.log_in("enterprise-yj").await;
    let (page, draft) = review(&city, &mut enterprise).await;
    let mut twin = enterprise.clone();
    let cases = city.number(CASES).await;
    let fields = [("action", "submit")];
    let (one, other) = tokio::join!(
        enterprise.post_from(&page, &draft, &fields),
        twin.post_from(&page, &draft, &fields)
    );
    assert_eq!(one.status, StatusCode::SEE_OTHER, "{}", one.text());
    assert_eq!(other.status, StatusCode::SEE_OTHER, "{}", other.text());
    assert_eq!(one.location, other.location);
    assert_eq!(city.number(CASES).await, cases + 1);
}

#[tokio::test]
async fn other_content_under_a_used_key_is_shown_the_first_result() {
    let city = TestCity::open();
    let mut enterprise = city.log_in("enterprise-yj").await;
    let (page, draft) = review(&city, &mut enterprise).await;
    let first = enterprise
        .post_from(&page, &draft, &[("action", "submit")])
        .await;
    let after = city.state().await;
    let own = city
        .id(
            "SELECT b.id FROM bank_account b JOIN account a ON a.party_id = b.party_id \
             WHERE a.login = 'enterprise-yj'",
        )
        .await;
    let fields = [("action", "submit"), ("bank_account", own.as_str())];
    let second = enterprise.post_from(&page, &draft, &fields).await;
    assert_eq!(second.status, StatusCode::CONFLICT);
    let seen = second
        .html
        .split("href=\"")
        .filter_map(|rest| rest.split_once('"'))
        .any(|(href, _)| href.replace('-', "") == first.location.replace('-', ""));
    assert!(seen, "no way to {}: {}", first.location, second.html);
    assert_eq!(city.state().await, after);
}

/// A refusal is decided afresh: mended, the same form goes through.
#[tokio::test]
async fn a_refused_form_may_be_sent_again_under_its_key() {
    let city = TestCity::open();
    let mut enterprise = city.log_in("enterprise-yj").await;
    let (page, draft) = review(&city, &mut enterprise).await;
    let fields = [
        ("action", "submit"),
        ("bank_account", "019344b1c0de7000800000000000dead"),
    ];
    let refused = enterprise.post_from(&page, &draft, &fields).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let mended = enterprise
        .post_from(&page, &draft, &[("action", "submit")])
        .await;
    assert_eq!(mended.status, StatusCode::SEE_OTHER, "{}", mended.text());
}

#[tokio::test]
async fn a_form_without_token_or_key_changes_nothing() {
    let city = TestCity::open();
    let mut enterprise = city.log_in("enterprise-yj").await;
    let (page, draft) = review(&city, &mut enterprise).await;
    let (csrf, key) = (page.hidden("csrf"), page.hidden("idempotency_key"));
    let before = city.state().await;
    let stolen = city
        .log_in("enterprise2-yj")
        .await
        .get("/my")
        .await
        .hidden("csrf");
    for (csrf, key, status) in [
        ("", key.as_str(), StatusCode::FORBIDDEN),
        ("x", &key, StatusCode::FORBIDDEN),
        (&stolen, &key, StatusCode::FORBIDDEN),
        (&csrf, "", StatusCode::UNPROCESSABLE_ENTITY),
        (&csrf, &"k".repeat(101), StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        let fields = [
            ("csrf", csrf),
            ("idempotency_key", key),
            ("action", "submit"),
        ];
        let answer = enterprise.post_raw(&draft, &fields).await;
        assert_eq!(answer.status, status, "csrf {csrf:.8} key {key:.8}");
    }
    assert_eq!(city.state().await, before);
}
