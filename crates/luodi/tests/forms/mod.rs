//! Forms written by hand tell every field at fault at once, and lose nothing that was typed.

use axum::http::StatusCode;

use crate::support::{Answer, TestCity};

/// Posts a form as a browser does, and expects all of these fields at fault in this order.
async fn refuses(login: &str, path: &str, fields: &[(&str, &str)], wrong: &[(&str, &str)]) {
    let city = TestCity::open();
    let mut visitor = city.log_in(login).await;
    let form = visitor.get(path).await;
    let before = city.state().await;
    let answer = visitor.post_from(&form, path, fields).await;
    expect(&answer, wrong);
    assert_eq!(city.state().await, before, "{path}");
}

fn expect(answer: &Answer, wrong: &[(&str, &str)]) {
    assert_eq!(
        answer.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "{}",
        answer.text()
    );
    let mut found = answer.refused();
    let mut expected = wrong.to_vec();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
    let summary = answer.between("id=\"errors\"", "</ul>");
    let links: Vec<&str> = summary
        .split("href=\"#field-")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    let fields: Vec<&str> = wrong.iter().map(|(field, _)| *field).collect();
    assert_eq!(links, fields);
    for field in fields {
        assert!(answer.says(&format!("id=\"field-{field}\"")), "{field}");
    }
}

#[tokio::test]
async fn a_party_to_be_registered() {
    let fields = [
        ("kind", "enterprise"),
        ("name", ""),
        ("credit_code", "9133"),
        ("region", "330382"),
        ("phone", "abc"),
        ("founded_on", "2099-01-01"),
        ("industry", "Z9999"),
    ];
    let wrong = [
        ("name", "required"),
        ("credit_code", "credit-code-length"),
        ("region", "region-outside"),
        ("phone", "phone-character"),
        ("founded_on", "not-future"),
        ("industry", "industry-code-unknown"),
    ];
    refuses("window-yj", "/parties/new", &fields, &wrong).await;
}

#[tokio::test]
async fn a_party_to_be_corrected() {
    let city = TestCity::open();
    let party = city
        .id("SELECT id FROM party WHERE region_code = '330324'")
        .await;
    let path = format!("/parties/{party}/amend");
    let mut window = city.log_in("window-yj").await;
    let form = window.get(&path).await;
    let version = form.hidden("version");
    let fields = [
        ("version", version.as_str()),
        ("name", "一"),
        ("phone", "abc"),
        ("founded_on", "2099-01-01"),
    ];
    let answer = window.post_from(&form, &path, &fields).await;
    expect(
        &answer,
        &[
            ("name", "length"),
            ("phone", "phone-character"),
            ("founded_on", "not-future"),
        ],
    );
}

#[tokio::test]
async fn a_bank_account() {
    let fields = [
        ("holder_name", "另一个单位"),
        ("bank_name", ""),
        ("number", "12"),
        ("bank_code", "1023"),
        ("action", "enter"),
    ];
    let wrong = [
        ("holder_name", "holder-name"),
        ("bank_name", "required"),
        ("number", "bank-account-length"),
        ("bank_code", "bank-code-length"),
    ];
    refuses("enterprise-yj", "/my/bank-accounts", &fields, &wrong).await;
}

#[tokio::test]
async fn a_budget_line() {
    let fields = [
        ("year", "去年"),
        ("name", "产业补贴"),
        ("function_code", "21"),
        ("economic_code", "31204"),
        ("amount", "很多"),
    ];
    let wrong = [
        ("year", "number"),
        ("department", "required"),
        ("project", "required"),
        ("document_number", "required"),
        ("function_code", "digits"),
        ("amount", "decimal-not-a-number"),
    ];
    refuses("finance1-yj", "/budgets/new", &fields, &wrong).await;
}
