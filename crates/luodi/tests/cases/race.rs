//! Two officers, one task: one of them does it, the other is told who was faster and keeps his
//! text. A task is reached only through its own case.

use axum::http::StatusCode;

use crate::support::{Answer, TestCity};

/// Case and task that wait at a node in a county.
pub(super) async fn waiting(city: &TestCity, node: &str, region: &str) -> (String, String) {
    let from = format!(
        "FROM task t JOIN casework c ON c.id = t.case_id \
         WHERE t.state = 'open' AND t.node = '{node}' AND c.region_code = '{region}' ORDER BY t.id"
    );
    (
        city.id(&format!("SELECT c.id {from}")).await,
        city.id(&format!("SELECT t.id {from}")).await,
    )
}

const OPINION: &str = "第二位经办人写了很久的意见，一个字也不能丢。";

fn loser(answer: &Answer, winner: &str) {
    assert_eq!(answer.status, StatusCode::CONFLICT, "{}", answer.text());
    assert!(answer.says(winner), "{}", answer.text());
    assert!(answer.says(OPINION), "{}", answer.text());
}

#[tokio::test]
async fn the_slower_officer_learns_who_was_faster() {
    let city = TestCity::open();
    let (case, task) = waiting(&city, "examine", "330382").await;
    let (case, task) = (
        format!("/cases/{case}"),
        format!("/cases/{case}/tasks/{task}"),
    );
    let mut first = city.log_in("handler1-yq").await;
    let mut second = city.log_in("handler2-yq").await;
    let (one, other) = (first.get(&case).await, second.get(&case).await);
    let fields = |page: &Answer, reason: &'static str| {
        [
            ("version", page.hidden("version")),
            ("action", "pass".to_owned()),
            ("reason", reason.to_owned()),
        ]
    };
    let won = first
        .upload_from(&one, &task, &pairs(&fields(&one, "材料齐全")), &[])
        .await;
    assert_eq!(won.status, StatusCode::SEE_OTHER, "{}", won.text());
    let after = city.state().await;
    let lost = second
        .upload_from(&other, &task, &pairs(&fields(&other, OPINION)), &[])
        .await;
    let winner = &city
        .texts("SELECT name FROM account WHERE login = 'handler1-yq'")
        .await[0];
    loser(&lost, winner);
    assert_eq!(city.state().await, after);
}

fn pairs<'a>(fields: &'a [(&'a str, String)]) -> Vec<(&'a str, &'a str)> {
    fields
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect()
}

#[tokio::test]
async fn of_two_at_once_exactly_one_wins() {
    let city = TestCity::open();
    one_wins(&city, &city).await;
}

#[tokio::test]
async fn of_two_at_once_on_two_servers_exactly_one_wins() {
    let city = TestCity::open();
    if let Some(other) = city.another_server() {
        one_wins(&city, &other).await;
    }
}

async fn one_wins(city: &TestCity, other: &TestCity) {
    let (case, task) = waiting(city, "examine", "330382").await;
    let (case, task) = (
        format!("/cases/{case}"),
        format!("/cases/{case}/tasks/{task}"),
    );
    let mut first = city.log_in("handler1-yq").await;
    let mut second = other.log_in("handler2-yq").await;
    let (one, other) = (first.get(&case).await, second.get(&case).await);
    let fields = [("version", "1"), ("action", "pass"), ("reason", OPINION)];
    let (a, b) = tokio::join!(
        first.upload_from(&one, &task, &fields, &[]),
        second.upload_from(&other, &task, &fields, &[])
    );
    let names = city
        .texts(
            "SELECT name FROM account WHERE login IN ('handler1-yq', 'handler2-yq') ORDER BY login",
        )
        .await;
    match (a.status, b.status) {
        (StatusCode::SEE_OTHER, _) => loser(&b, &names[0]),
        (_, StatusCode::SEE_OTHER) => loser(&a, &names[1]),
        other => panic!("nobody won: {other:?} {} {}", a.text(), b.text()),
    }
}

/// A task posted under another case would be completed without its own form being asked.
#[tokio::test]
async fn a_task_is_reached_only_through_its_own_case() {
    let city = TestCity::open();
    let (_, task) = waiting(&city, "inspect", "330382").await;
    let (other, _) = waiting(&city, "examine", "330382").await;
    let mut officer = city.log_in("handler1-yq").await;
    let page = officer.get(&format!("/cases/{other}")).await;
    let colleague = city
        .id("SELECT id FROM account WHERE login = 'handler3-yq'")
        .await;
    let before = city.state().await;
    let fields = [
        ("version", "1"),
        ("action", "pass"),
        ("second_officer", colleague.as_str()),
    ];
    let answer = officer
        .upload_from(&page, &format!("/cases/{other}/tasks/{task}"), &fields, &[])
        .await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND, "{}", answer.text());
    assert_eq!(city.state().await, before);
}

/// Whoever sees a case but has no task in it leaves no file there.
#[tokio::test]
async fn only_who_does_the_task_adds_its_pictures() {
    let city = TestCity::open();
    let (case, task) = waiting(&city, "inspect", "330382").await;
    let before = city.state().await;
    for user in ["leader-yq", "window-yq", "approver-yq"] {
        let mut officer = city.log_in(user).await;
        let page = officer.get(&format!("/cases/{case}")).await;
        let fields = [
            ("version", "1"),
            ("action", "pass"),
            ("inspected_on", "2026-11-20"),
            ("measured_kw", "10"),
            ("findings", "与申报一致"),
        ];
        let files = [("photos", "roof.png", &b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..])];
        let path = format!("/cases/{case}/tasks/{task}");
        let answer = officer.upload_from(&page, &path, &fields, &files).await;
        assert!(
            matches!(
                answer.status,
                StatusCode::FORBIDDEN | StatusCode::UNPROCESSABLE_ENTITY
            ),
            "{user}: {}",
            answer.status
        );
    }
    assert_eq!(city.state().await, before);
}
