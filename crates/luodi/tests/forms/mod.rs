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
        ("second", "second-account"),
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

#[tokio::test]
async fn an_account_of_staff() {
    let fields = [
        ("login", "Ab"),
        ("name", ""),
        ("region", ""),
        ("department", "none"),
    ];
    let wrong = [
        ("login", "login-shape"),
        ("name", "required"),
        ("region", "required"),
        ("department", "id"),
    ];
    refuses("system", "/accounts/new", &fields, &wrong).await;
}

#[tokio::test]
async fn a_department() {
    let fields = [
        ("code", "YJFG"),
        ("name", ""),
        ("region", "330324"),
        ("paper_word", "乐发改"),
    ];
    let wrong = [
        ("code", "taken"),
        ("name", "required"),
        ("paper_word", "taken"),
    ];
    refuses("system", "/departments/new", &fields, &wrong).await;
}

#[tokio::test]
async fn a_batch() {
    let city = TestCity::open();
    let mut reviewer = city.log_in("reviewer-yj").await;
    let form = reviewer.get("/batches/new").await;
    let (item, period) = (form.hidden("item"), form.hidden("period"));
    let before = city.state().await;
    let post = |period: String| {
        let (item, form) = (item.clone(), &form);
        let mut reviewer = reviewer.clone();
        async move {
            let fields = [("item", item.as_str()), ("period", &period), ("line", "")];
            reviewer.post_from(form, "/batches/new", &fields).await
        }
    };
    let answer = post(period).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(answer.refused(), [("line", "required")]);
    // A colleague was faster: what waited is no longer shown, but what is wrong is.
    let answer = post("2020Q1".to_owned()).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    let summary = answer.between("id=\"errors\"", "</ul>");
    assert!(
        summary.contains("这一期没有等待列入批次的办件") && summary.contains("请选择列支"),
        "{summary}"
    );
    // Another case was approved since the page was shown.
    let mut stale = form;
    let count = stale.hidden("count");
    let shown = format!("name=\"count\" value=\"{count}\"");
    stale.html = stale
        .html
        .replacen(&shown, "name=\"count\" value=\"99\"", 1);
    let answer = reviewer.propose_first(&stale).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(answer.refused(), [("period", "waiting-changed")]);
    assert!(answer.says("页面上是 99 项"));
    assert_eq!(city.state().await, before);
}

#[tokio::test]
async fn a_notice() {
    let city = TestCity::open();
    let mut reviewer = city.log_in("reviewer-yj").await;
    let choice = reviewer.get("/batches/new").await;
    let made = reviewer.propose_first(&choice).await;
    assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.text());
    let path = format!("{}/notice", made.location);
    let form = reviewer.get(&path).await;
    let version = form.hidden("version");
    let before = city.state().await;
    let fields = [
        ("version", version.as_str()),
        ("title", ""),
        ("ends_on", "2026-11-24"),
        ("basis", ""),
        ("address", ""),
        ("phone", "abc"),
        ("mail", "nobody"),
    ];
    let answer = reviewer.post_from(&form, &path, &fields).await;
    expect(
        &answer,
        &[
            ("title", "required"),
            ("ends_on", "notice-period"),
            ("basis", "required"),
            ("address", "required"),
            ("phone", "phone-character"),
            ("mail", "mail"),
        ],
    );
    assert_eq!(city.state().await, before);
    for (day, rule) in [
        ("2026-02-30", "date-impossible"),
        ("1890-01-01", "date-earliest"),
        ("下周", "date"),
    ] {
        let mut fields = fields;
        fields[2] = ("ends_on", day);
        let answer = reviewer.post_from(&form, &path, &fields).await;
        assert!(
            answer.refused().contains(&("ends_on", rule)),
            "{day}: {}",
            answer.text()
        );
        assert!(answer.says(&format!("value=\"{day}\"")), "{day}");
    }
}

#[tokio::test]
async fn an_objection() {
    let city = TestCity::open();
    let notice = city.id("SELECT id FROM notice WHERE state = 'open'").await;
    let line = city
        .id("SELECT l.id FROM notice_entry l JOIN notice n ON n.id = l.notice_id WHERE n.state = 'open'")
        .await;
    let path = format!("/notices/{notice}/objections/new");
    let mut stranger = city.stranger();
    let form = stranger.get(&format!("{path}?entry={line}")).await;
    let before = city.state().await;
    let fields = [
        ("entry", line.as_str()),
        ("kind", "organisation"),
        ("name", ""),
        ("phone", "12ab"),
        ("statement", ""),
    ];
    let answer = stranger.upload_from(&form, &path, &fields, &[]).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    let fields: Vec<&str> = answer.refused().iter().map(|(field, _)| *field).collect();
    assert_eq!(
        fields,
        ["name", "phone", "statement", "document"],
        "{}",
        answer.text()
    );
    assert_eq!(city.state().await, before);
}
