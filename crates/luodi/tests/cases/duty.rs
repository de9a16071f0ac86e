//! What cannot be one person (不相容岗位), told by the commands whatever the page offers: nobody
//! both examines or inspects and decides; an inspection names two officers.

use axum::http::StatusCode;

use super::race::waiting;
use crate::support::TestCity;

/// Who examined the case that now waits for its decision is given the approver's role.
#[tokio::test]
async fn who_examined_or_inspected_does_not_decide() {
    let city = TestCity::open();
    let (case, task) = waiting(&city, "decide", "330382").await;
    let done = city
        .texts(&format!(
            "SELECT DISTINCT a.login FROM case_duty d JOIN account a ON a.id = d.account_id \
             WHERE d.case_id = X'{case}' AND d.duty IN ('examine', 'inspect') ORDER BY a.login"
        ))
        .await;
    assert!(done.len() >= 2, "{done:?}");
    for login in &done {
        city.give_role(login, "approver").await;
    }
    let before = city.state().await;
    for login in &done {
        let mut officer = city.log_in(login).await;
        let page = officer.get(&format!("/cases/{case}")).await;
        let version = page.hidden("version");
        let fields = [
            ("version", version.as_str()),
            ("action", "approve"),
            ("reason", "同意"),
        ];
        let path = format!("/cases/{case}/tasks/{task}");
        let answer = officer.upload_from(&page, &path, &fields, &[]).await;
        assert_eq!(
            answer.status,
            StatusCode::FORBIDDEN,
            "{login}: {}",
            answer.text()
        );
        assert!(answer.says("不相容岗位"), "{}", answer.text());
    }
    assert_eq!(city.state().await, before);
}

#[tokio::test]
async fn an_inspection_names_two_officers() {
    let city = TestCity::open();
    let (case, task) = waiting(&city, "inspect", "330382").await;
    let account = |login: &str| {
        let sql = format!("SELECT id FROM account WHERE login = '{login}'");
        let city = &city;
        async move { city.id(&sql).await }
    };
    let (own, window, elsewhere) = (
        account("handler1-yq").await,
        account("window-yq").await,
        account("handler1-yj").await,
    );
    let mut officer = city.log_in("handler1-yq").await;
    let page = officer.get(&format!("/cases/{case}")).await;
    let before = city.state().await;
    let path = format!("/cases/{case}/tasks/{task}");
    for second in ["", &own, "handler2-yq", &window, &elsewhere] {
        let mut fields = vec![
            ("version", "1"),
            ("action", "pass"),
            ("inspected_on", "2026-11-20"),
            ("measured_kw", "10"),
            ("findings", "现场与申报一致"),
        ];
        fields.push(("second_officer", second));
        let answer = officer.upload_from(&page, &path, &fields, &[]).await;
        assert_eq!(
            answer.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "second {second}: {}",
            answer.text()
        );
        let refused = answer.refused();
        assert!(
            refused.iter().any(|(field, _)| *field == "second_officer"),
            "second {second}: {refused:?}"
        );
        assert!(answer.says("现场与申报一致"), "the text stays");
    }
    assert_eq!(city.state().await, before);
}

/// Whoever forgets the colleague and a value of the form hears of both.
#[tokio::test]
async fn an_inspection_says_all_that_is_missing_at_once() {
    let city = TestCity::open();
    let (case, task) = waiting(&city, "inspect", "330382").await;
    let mut officer = city.log_in("handler1-yq").await;
    let page = officer.get(&format!("/cases/{case}")).await;
    let fields = [
        ("version", "1"),
        ("action", "pass"),
        ("inspected_on", "2026-11-20"),
        ("findings", "与申报一致"),
    ];
    let path = format!("/cases/{case}/tasks/{task}");
    let answer = officer.upload_from(&page, &path, &fields, &[]).await;
    let both = vec![
        ("measured_kw", "required"),
        ("second_officer", "two-officers"),
    ];
    let mut refused = answer.refused();
    refused.sort_unstable();
    assert_eq!(refused, both, "{}", answer.text());
}

/// Nobody inspects before the application is accepted.
#[tokio::test]
async fn an_inspection_is_not_before_the_acceptance() {
    let city = TestCity::open();
    let (case, task) = waiting(&city, "inspect", "330382").await;
    let accepted = city
        .texts(&format!(
            "SELECT accepted_on FROM casework WHERE id = X'{case}'"
        ))
        .await;
    let accepted: jiff::civil::Date = accepted[0].parse().unwrap();
    let second = city
        .id("SELECT id FROM account WHERE login = 'handler3-yq'")
        .await;
    let mut officer = city.log_in("handler1-yq").await;
    let page = officer.get(&format!("/cases/{case}")).await;
    let before = city.state().await;
    let path = format!("/cases/{case}/tasks/{task}");
    let on = accepted.yesterday().unwrap().to_string();
    let fields = [
        ("version", "1"),
        ("action", "pass"),
        ("inspected_on", on.as_str()),
        ("measured_kw", "10"),
        ("findings", "与申报一致"),
        ("second_officer", second.as_str()),
    ];
    let answer = officer.upload_from(&page, &path, &fields, &[]).await;
    assert_eq!(
        answer.refused(),
        vec![("inspected_on", "before-acceptance")],
        "{}",
        answer.text()
    );
    assert_eq!(city.state().await, before);
}

/// An inspection on a day that does not exist, or not yet, or with a negative capacity.
#[tokio::test]
async fn an_inspection_is_checked_like_any_form() {
    let city = TestCity::open();
    let (case, task) = waiting(&city, "inspect", "330382").await;
    let second = city
        .id("SELECT id FROM account WHERE login = 'handler3-yq'")
        .await;
    let mut officer = city.log_in("handler1-yq").await;
    let page = officer.get(&format!("/cases/{case}")).await;
    let before = city.state().await;
    for (on, kw, findings, field, rule) in [
        (
            "2026-02-30",
            "10",
            "与申报一致",
            "inspected_on",
            "date-impossible",
        ),
        (
            "2026-11-24",
            "10",
            "与申报一致",
            "inspected_on",
            "date-not-future",
        ),
        ("2026-11-20", "-1", "与申报一致", "measured_kw", "min"),
        ("2026-11-20", "10", "", "findings", "required"),
    ] {
        let fields = [
            ("version", "1"),
            ("action", "pass"),
            ("inspected_on", on),
            ("measured_kw", kw),
            ("findings", findings),
            ("second_officer", second.as_str()),
        ];
        let path = format!("/cases/{case}/tasks/{task}");
        let answer = officer.upload_from(&page, &path, &fields, &[]).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{field}");
        assert!(
            answer.refused().contains(&(field, rule)),
            "{:?}",
            answer.refused()
        );
    }
    assert_eq!(city.state().await, before);
}
