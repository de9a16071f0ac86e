//! The desk of objections: how long there is, who takes care of it, and what stays the objector's.

use axum::http::StatusCode;

use crate::support::TestCity;

#[tokio::test]
async fn an_objection_is_handed_to_who_may_judge_it() {
    let city = TestCity::open();
    let id = city
        .id(
            "SELECT o.id FROM objection o JOIN notice n ON n.id = o.notice_id \
             WHERE o.state = 'received' AND n.region_code = '330324'",
        )
        .await;
    let path = format!("/objections/{id}");
    // He examined the case, so that he may hand the objection over, and not judge it.
    let mut examiner = city.log_in("handler1-yj").await;
    let page = examiner.get(&path).await;
    assert!(page.says("转交同部门其他人员") && page.says("答复期限"));
    let choice = page.between("name=\"to\">", "</select>");
    let offered = |name: &str| choice.contains(name);
    assert!(offered("林静") && !offered("李丽娜"), "{choice}");
    let successor = city
        .id("SELECT id FROM account WHERE login = 'handler3-yj'")
        .await;
    let inspector = city
        .id("SELECT id FROM account WHERE login = 'handler2-yj'")
        .await;
    let before = city.state().await;
    let version = page.hidden("version");
    for to in [inspector.as_str(), "", "019344b1c0de7000800000000000dead"] {
        let fields = [
            ("version", version.as_str()),
            ("action", "hand_over"),
            ("to", to),
        ];
        let refused = examiner.post_from(&page, &path, &fields).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{to}");
        assert_eq!(refused.refused(), [("to", "no-colleague")]);
    }
    assert_eq!(city.state().await, before);
    let fields = [
        ("version", version.as_str()),
        ("action", "hand_over"),
        ("to", &successor),
    ];
    let done = examiner.post_from(&page, &path, &fields).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text());
    let mut colleague = city.log_in("handler3-yj").await;
    let desk = colleague.get("/work").await;
    assert!(desk.says("由您核实的异议"), "{}", desk.text());
    let mine = colleague.get("/objections?state=open&mine=1").await;
    assert!(mine.says(&format!("href=\"{path}\"")) && mine.says("经办 林静"));
    // Who is barred from it does not take it away from who takes care of it.
    let page = examiner.get(&path).await;
    assert!(!page.says("value=\"hand_over\""));
    let version = city
        .number("SELECT MAX(version) FROM objection WHERE state = 'received'")
        .await
        .to_string();
    let reviewer = city
        .id("SELECT id FROM account WHERE login = 'reviewer-yj'")
        .await;
    let fields = [
        ("version", version.as_str()),
        ("action", "hand_over"),
        ("to", &reviewer),
    ];
    let before = city.state().await;
    let refused = examiner.post_from(&page, &path, &fields).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text());
    assert_eq!(city.state().await, before);
    // Whoever else may judge it takes it over first.
    let mut reviewer = city.log_in("reviewer-yj").await;
    let page = reviewer.get(&path).await;
    assert!(page.says("value=\"take_over\"") && !page.says("value=\"take_up\""));
    let version = page.hidden("version");
    let fields = [("version", version.as_str()), ("action", "take_over")];
    let taken = reviewer.post_from(&page, &path, &fields).await;
    assert_eq!(taken.status, StatusCode::SEE_OTHER, "{}", taken.text());
    let page = reviewer.get(&path).await;
    let version = page.hidden("version");
    let fields = [("version", version.as_str()), ("action", "take_up")];
    let up = reviewer.post_from(&page, &path, &fields).await;
    assert_eq!(up.status, StatusCode::SEE_OTHER, "{}", up.text());
    let page = colleague.get(&path).await;
    let version = page.hidden("version");
    let fields = [
        ("version", version.as_str()),
        ("action", "dismiss"),
        ("note", "已核实"),
        ("reason", "与验收单一致"),
    ];
    let before = city.state().await;
    let refused = colleague.post_from(&page, &path, &fields).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text());
    assert_eq!(city.state().await, before);
    let other = city.log_in("handler2-yj").await.get("/work").await;
    assert!(!other.says("由您核实的异议"));
}

/// By the code an objector follows his objection: no page of staff shows it whole.
#[tokio::test]
async fn the_receipt_stays_the_objectors() {
    let city = TestCity::open();
    let receipt = city.texts("SELECT receipt FROM objection").await.remove(0);
    let grouped = format!("{}-{}-{}", &receipt[..4], &receipt[4..8], &receipt[8..]);
    for (user, county) in [("handler1-yj", "330324"), ("handler1-yq", "330382")] {
        let mut handler = city.log_in(user).await;
        let list = handler.get("/objections").await;
        assert!(list.says("-****-****"));
        let sql = format!(
            "SELECT o.id FROM objection o JOIN notice n ON n.id = o.notice_id \
             WHERE n.region_code = '{county}'"
        );
        let one = handler
            .get(&format!("/objections/{}", city.id(&sql).await))
            .await;
        for page in [&list, &one] {
            assert!(!page.says(&grouped) && !page.says(&receipt), "{user}");
        }
    }
    // Whoever calls and reads it out is found by it.
    let mut found = 0;
    for user in ["handler1-yj", "handler1-yq"] {
        let mut handler = city.log_in(user).await;
        let list = handler.get(&format!("/objections?q={grouped}")).await;
        found += usize::from(list.says(&format!("{}-****-****", &receipt[..4])));
    }
    assert_eq!(found, 1);
    let mut public = city.stranger();
    let page = public.get("/objections/follow").await;
    let fields = [("receipt", grouped.as_str())];
    let followed = public.post_from(&page, "/objections/follow", &fields).await;
    assert!(followed.says("id=\"objection\""), "{}", followed.text());
}
