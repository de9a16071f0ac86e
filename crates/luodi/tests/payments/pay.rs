//! Paying: who decided a case does not pay it; an old page pays nothing twice.

use axum::http::StatusCode;

use crate::support::TestCity;

/// The final batch of the first county, with payable entries.
pub(super) async fn final_batch(city: &TestCity) -> String {
    // The notice of this county ends on the demonstration's day.
    city.clock.set("2026-11-24T02:00:00Z".parse().unwrap());
    luodi::work::drain(&city.app).await.unwrap();
    let batch = city
        .id("SELECT id FROM batch WHERE region_code = '330324' AND state = 'final'")
        .await;
    format!("/batches/{batch}")
}

#[tokio::test]
async fn who_decided_does_not_pay() {
    let city = TestCity::open();
    city.give_role("approver-yj", "finance").await;
    let path = final_batch(&city).await;
    let mut approver = city.log_in("approver-yj").await;
    let page = approver.get(&path).await;
    let before = city.state().await;
    let version = page.hidden("version");
    let fields = [
        ("version", version.as_str()),
        ("action", "create_payment_file"),
    ];
    let answer = approver.post_from(&page, &path, &fields).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", answer.text());
    assert!(answer.says("不相容岗位"), "{}", answer.text());
    assert_eq!(city.state().await, before);
}

#[tokio::test]
async fn two_officers_at_once_pay_once() {
    let city = TestCity::open();
    let path = final_batch(&city).await;
    let mut first = city.log_in("finance1-yj").await;
    let mut second = city.log_in("finance2-yj").await;
    let (one, other) = (first.get(&path).await, second.get(&path).await);
    let version = one.hidden("version");
    let fields = [
        ("version", version.as_str()),
        ("action", "create_payment_file"),
    ];
    let files = city.number("SELECT COUNT(*) FROM payment_file").await;
    let (a, b) = tokio::join!(
        first.post_from(&one, &path, &fields),
        second.post_from(&other, &path, &fields)
    );
    let mut statuses = [a.status, b.status];
    statuses.sort();
    assert_eq!(
        statuses,
        [StatusCode::SEE_OTHER, StatusCode::CONFLICT],
        "{} {}",
        a.text(),
        b.text()
    );
    assert_eq!(
        city.number("SELECT COUNT(*) FROM payment_file").await,
        files + 1
    );
    let verified = city.app.store.read(|q| luodi::fund::verify(&**q)).await;
    assert!(
        verified
            .map_err(|error: luodi::store::StoreError| error)
            .unwrap()
            .is_ok()
    );
}

/// The money goes to whom the public notice named: a beneficiary renamed afterwards is not paid.
#[tokio::test]
async fn a_name_that_was_never_published_is_not_paid() {
    let city = TestCity::open();
    let path = final_batch(&city).await;
    let mut finance = city.log_in("finance1-yj").await;
    let button = "name=\"action\" value=\"create_payment_file\">";
    let page = finance.get(&path).await;
    let before = page.between(button, "</button>");
    let party = city
        .id(
            "SELECT e.party_id FROM batch_entry e JOIN batch b ON b.id = e.batch_id \
             WHERE b.region_code = '330324' AND e.state = 'payable' ORDER BY e.position",
        )
        .await;
    let key = uuid::Uuid::try_parse(&party).unwrap();
    for sql in [
        "UPDATE party SET name = '李四光' WHERE id = ?1",
        "UPDATE bank_account SET holder_name = '李四光' WHERE party_id = ?1",
    ] {
        city.force(sql, vec![key.into()]).await;
    }
    let page = finance.get(&path).await;
    assert_ne!(page.between(button, "</button>"), before);
    assert!(page.says("户名与公示名单上的名称不一致"), "{}", page.text());
    let version = page.hidden("version");
    let fields = [
        ("version", version.as_str()),
        ("action", "create_payment_file"),
    ];
    let made = finance.post_from(&page, &path, &fields).await;
    assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.text());
    let paid = format!(
        "SELECT e.state FROM batch_entry e WHERE e.party_id = X'{party}' AND e.state = 'in-payment'"
    );
    assert!(city.texts(&paid).await.is_empty());

    // The department's approver clears it with the paper of the change; the published name stays.
    assert!(!page.says("核实更名</h2>"), "not finance");
    let mut approver = city.log_in("approver-yj").await;
    let page = approver.get(&path).await;
    let entry = page.between(
        "id=\"field-renamed\" name=\"renamed\"><option value=\"",
        "\"",
    );
    let bare = [
        ("action", "clear_renaming"),
        ("renamed", entry.as_str()),
        ("why", ""),
    ];
    let refused = approver.post_from(&page, &path, &bare).await;
    assert_eq!(refused.refused(), [("why", "required")]);
    let fields = [
        ("action", "clear_renaming"),
        ("renamed", entry.as_str()),
        ("why", "登记机关变更通知书（示范）"),
    ];
    let cleared = approver.post_from(&page, &path, &fields).await;
    assert_eq!(cleared.status, StatusCode::SEE_OTHER, "{}", cleared.text());
    let named = "SELECT public_name FROM batch_entry WHERE party_name = '李四光'";
    assert_ne!(city.texts(named).await, ["李四光"]);
    let logged = "SELECT detail FROM audit_event WHERE command = 'batch.clear_renaming'";
    assert!(city.texts(logged).await[0].contains("李四光"));
}
