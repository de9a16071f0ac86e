//! Bank accounts: impossible numbers, and the two pairs of eyes before money may go there.

use axum::http::StatusCode;

use crate::support::TestCity;

#[tokio::test]
async fn an_account_number_is_checked() {
    let city = TestCity::open();
    let mut enterprise = city.log_in("enterprise-yj").await;
    let form = enterprise.get("/my/bank-accounts").await;
    let before = city.state().await;
    let name = &city
        .texts("SELECT p.name FROM party p JOIN account a ON a.party_id = p.id WHERE a.login = 'enterprise-yj'")
        .await[0];
    for (number, bank_code, field, rule) in [
        ("12", "102333000014", "number", "bank-account-length"),
        (
            "62abc678901234",
            "102333000014",
            "number",
            "bank-account-character",
        ),
        (
            "6222000000000000001",
            "1023",
            "bank_code",
            "bank-code-length",
        ),
    ] {
        let fields = [
            ("holder_name", name.as_str()),
            ("bank_name", "示范银行永嘉支行"),
            ("number", number),
            ("bank_code", bank_code),
            ("second", "yes"),
            ("second_reason", "原账户即将销户"),
            ("action", "enter"),
        ];
        let answer = enterprise
            .post_from(&form, "/my/bank-accounts", &fields)
            .await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{rule}");
        assert_eq!(answer.refused(), [(field, rule)]);
        assert!(answer.says(number) && answer.says("示范银行永嘉支行"));
    }
    assert_eq!(city.state().await, before);
}

#[tokio::test]
async fn who_entered_an_account_does_not_approve_it() {
    let city = TestCity::open();
    let account = city
        .id(
            "SELECT b.id FROM bank_account b JOIN account a ON a.id = b.entered_by \
             WHERE b.state = 'entered' AND a.login = 'window-yj'",
        )
        .await;
    city.give_role("window-yj", "finance").await;
    let path = format!("/bank-accounts/{account}");
    let fields = [("version", "1"), ("action", "approve")];
    let mut window = city.log_in("window-yj").await;
    let page = window.get(&path).await;
    let before = city.state().await;
    let refused = window.post_from(&page, &path, &fields).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text());
    assert!(refused.says("不相容岗位"));
    assert_eq!(city.state().await, before);
    // Another one may; the next, whose page is old by then, is told.
    let mut first = city.log_in("finance1-yj").await;
    let mut second = city.log_in("finance2-yj").await;
    let (one, other) = (first.get(&path).await, second.get(&path).await);
    let (a, b) = tokio::join!(
        first.post_from(&one, &path, &fields),
        second.post_from(&other, &path, &fields)
    );
    let mut statuses = [a.status, b.status];
    statuses.sort();
    assert_eq!(statuses, [StatusCode::SEE_OTHER, StatusCode::CONFLICT]);
}

/// The window of one county ends no account of the other, whatever party its address names.
#[tokio::test]
async fn an_account_is_changed_only_by_its_own_window() {
    let city = TestCity::open();
    let party = city
        .id("SELECT id FROM party WHERE region_code = '330324'")
        .await;
    let foreign = city
        .id(
            "SELECT b.id FROM bank_account b JOIN party p ON p.id = b.party_id \
             WHERE p.region_code = '330382' AND b.state = 'approved'",
        )
        .await;
    let mut window = city.log_in("window-yj").await;
    let path = format!("/parties/{party}/bank-accounts");
    let page = window.get(&path).await;
    let before = city.state().await;
    let fields = [
        ("account", foreign.as_str()),
        ("version", "2"),
        ("action", "end"),
    ];
    let answer = window.post_from(&page, &path, &fields).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND, "{}", answer.text());
    assert_eq!(city.state().await, before);
}

/// The form of the window asks before it takes a second account, keeps what was typed, and finance
/// sees the reason with the account in use beside the new one.
#[tokio::test]
async fn a_second_account_is_asked_about() {
    let city = TestCity::open();
    let party = city
        .id(
            "SELECT p.id FROM party p JOIN bank_account b ON b.party_id = p.id \
             WHERE p.region_code = '330324' AND b.state = 'approved' ORDER BY p.name",
        )
        .await;
    let names = format!("SELECT name FROM party WHERE id = X'{party}'");
    let name = city.texts(&names).await.remove(0);
    let path = format!("/parties/{party}/bank-accounts");
    let mut window = city.log_in("window-yj").await;
    let form = window.get(&path).await;
    let before = city.state().await;
    let mut fields = vec![
        ("holder_name", name.as_str()),
        ("bank_name", "示范银行永嘉支行"),
        ("number", "6222000000000000017"),
        ("bank_code", "102333000014"),
        ("action", "enter"),
    ];
    let answer = window.post_from(&form, &path, &fields).await;
    assert_eq!(answer.refused(), [("second", "second-account")]);
    assert!(answer.says("6222000000000000017") && answer.says("已有收款账户："));
    fields.extend([("second", "yes"), ("second_reason", "")]);
    let answer = window.post_from(&form, &path, &fields).await;
    assert_eq!(answer.refused(), [("second_reason", "required")]);
    assert!(answer.says("value=\"yes\" id=\"field-second\""));
    assert!(answer.says(" checked>"), "the tick is kept");
    assert_eq!(city.state().await, before);
    fields.last_mut().unwrap().1 = "银行退回，原账户已销户";
    let answer = window.post_from(&form, &path, &fields).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());

    let new = city
        .id("SELECT id FROM bank_account WHERE second_reason = '银行退回，原账户已销户'")
        .await;
    let mut finance = city.log_in("finance1-yj").await;
    let page = finance.get(&format!("/bank-accounts/{new}")).await;
    assert!(page.says("<dt>另立原因</dt><dd>银行退回，原账户已销户</dd>"));
    let beside = page.between("id=\"beside\"", "</section>");
    assert!(
        beside.contains("****") && beside.contains("已核准"),
        "{beside}"
    );
}
