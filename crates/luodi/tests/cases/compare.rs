//! What cases are compared and found by: each keeps its part of the item's statistics as long as
//! it may bring money, and the values by which people look for it.

use axum::http::StatusCode;

use super::once::review;
use crate::support::TestCity;

/// Cases whose part in the statistics is not what their own values and state say.
const WRONG_PARTS: &str = "SELECT COUNT(*) FROM casework c \
     JOIN case_value n ON n.case_id = c.id AND n.name = 'generated_kwh' \
     JOIN case_value d ON d.case_id = c.id AND d.name = 'filed_kw' \
     JOIN case_value q ON q.case_id = c.id AND q.name = 'quarter' \
     LEFT JOIN case_measure m ON m.case_id = c.id AND m.statistic = 'district_mean' \
     WHERE m.case_id IS NULL OR m.numerator <> n.number_value OR m.denominator <> d.number_value \
     OR m.item_id <> c.item_id OR m.group_key <> c.region_code || char(31) || q.text_value \
     OR (m.counts = 1) <> (n.number_value > 0 AND d.number_value > 0 AND \
     c.state NOT IN ('withdrawn', 'refused', 'rejected', 'removed', 'closed'))";
const COUNTING: &str = "SELECT COUNT(*) FROM case_measure WHERE counts = 1";

#[tokio::test]
async fn a_case_counts_until_it_ends_without_money() {
    let city = TestCity::open();
    assert_eq!(city.number(WRONG_PARTS).await, 0);
    let counting = city.number(COUNTING).await;
    let ended = "SELECT COUNT(*) FROM case_measure WHERE counts = 0";
    assert!(counting > 0 && city.number(ended).await > 0);
    let mut enterprise = city.log_in("enterprise-yj").await;
    let (page, draft) = review(&city, &mut enterprise).await;
    let submitted = enterprise
        .post_from(&page, &draft, &[("action", "submit")])
        .await;
    assert_eq!(
        submitted.status,
        StatusCode::SEE_OTHER,
        "{}",
        submitted.text()
    );
    assert_eq!(city.number(COUNTING).await, counting + 1);
    let path = submitted.location;
    let page = enterprise.get(&path).await;
    let version = page.hidden("version");
    let leaving = [
        ("action", "withdraw"),
        ("reason", "改期再报"),
        ("version", version.as_str()),
    ];
    let gone = enterprise
        .post_from(&page, &format!("{path}/withdraw"), &leaving)
        .await;
    assert_eq!(gone.status, StatusCode::SEE_OTHER, "{}", gone.text());
    assert_eq!(city.number(COUNTING).await, counting);
    assert_eq!(city.number(WRONG_PARTS).await, 0);
}

#[tokio::test]
async fn a_case_is_found_by_its_meter_where_it_may_be_seen() {
    let city = TestCity::open();
    let one = "FROM casework c JOIN case_value v ON v.case_id = c.id AND v.name = 'meter_no' \
               WHERE c.region_code = '330324' ORDER BY c.number DESC LIMIT 1";
    let meters = city.texts(&format!("SELECT v.text_value {one}")).await;
    let numbers = city.texts(&format!("SELECT c.number {one}")).await;
    let (meter, number) = (meters.first().unwrap(), numbers.first().unwrap());
    let path = format!("/cases?q={meter}");
    let found = city.log_in("window-yj").await.get(&path).await;
    assert!(found.says(number), "{}", found.text());
    let elsewhere = city.log_in("window-yq").await.get(&path).await;
    assert!(!elsewhere.says(number) && elsewhere.says("没有办件"));
}
