//! Tasks that an officer has taken: colleagues leave them, his stand-in takes them over while he is
//! away, and a leave gives nobody a role.

use axum::http::StatusCode;

use super::race::waiting;
use crate::access::leave;
use crate::support::{Answer, TestCity, Visitor};

async fn account(city: &TestCity, login: &str) -> (String, String) {
    let of = format!("FROM account WHERE login = '{login}'");
    let name = city.texts(&format!("SELECT name {of}")).await.remove(0);
    (city.id(&format!("SELECT id {of}")).await, name)
}

async fn take(visitor: &mut Visitor<'_>, page: &Answer, task: &str, version: &str) -> Answer {
    let path = format!("{task}/take");
    visitor
        .post_from(page, &path, &[("version", version)])
        .await
}

#[tokio::test]
async fn a_taken_task_is_left_to_who_took_it() {
    let city = TestCity::open();
    let (case, task) = waiting(&city, "examine", "330324").await;
    let (case, task) = (
        format!("/cases/{case}"),
        format!("/cases/{case}/tasks/{task}"),
    );
    let (_, name) = account(&city, "handler1-yj").await;
    let mut one = city.log_in("handler1-yj").await;
    let mut two = city.log_in("handler2-yj").await;
    let before = two.get(&case).await;
    let page = one.get(&case).await;
    let taken = take(&mut one, &page, &task, &page.hidden("version")).await;
    assert_eq!(taken.status, StatusCode::SEE_OTHER, "{}", taken.text());
    assert!(one.get(&case).await.says("您已领取"));
    assert!(one.get("/work").await.says("您已领取"));
    assert!(
        !two.get("/work").await.says(&case),
        "not in a colleague's worklist"
    );
    let page = two.get(&case).await;
    assert!(page.says(&format!("已由{name}领取")) && !page.says("id=\"desk\""));
    // The page from before lost a race and keeps its text; a fresh version was told, and is no way
    // round it.
    let state = city.state().await;
    let (stale, fresh) = (StatusCode::CONFLICT, StatusCode::FORBIDDEN);
    for (version, status) in [("1", stale), ("2", fresh)] {
        let reason = "写了很久的意见，一个字也不能丢";
        let fields = [("version", version), ("action", "pass"), ("reason", reason)];
        let done = two.upload_from(&before, &task, &fields, &[]).await;
        assert_eq!(done.status, status, "{}", done.text());
        assert!(done.says(&name) && done.says(reason), "{}", done.text());
        let over = take(&mut two, &before, &task, version).await;
        assert_eq!(over.status, status, "{}", over.text());
        for told in [&done, &over] {
            let when = told.says("2026-11-23");
            assert_eq!(when, status == stale, "{}", told.text());
        }
    }
    assert_eq!(city.state().await, state);
    let page = one.get(&case).await;
    let release = format!("{task}/release");
    let given = one
        .post_from(&page, &release, &[("version", &page.hidden("version"))])
        .await;
    assert_eq!(given.status, StatusCode::SEE_OTHER, "{}", given.text());
    assert!(two.get(&case).await.says("id=\"desk\""));
}

#[tokio::test]
async fn a_stand_in_takes_over_while_the_other_is_away() {
    let city = TestCity::open();
    let (case, task) = waiting(&city, "examine", "330324").await;
    let (case, task) = (
        format!("/cases/{case}"),
        format!("/cases/{case}/tasks/{task}"),
    );
    let (away, name) = account(&city, "handler1-yj").await;
    let (stands, own_name) = account(&city, "handler2-yj").await;
    let mut one = city.log_in("handler1-yj").await;
    let page = one.get(&case).await;
    take(&mut one, &page, &task, &page.hidden("version")).await;
    leave::register(&city, (&away, &stands), ("2026-11-23", "2026-11-24")).await;
    let mut three = city.log_in("handler3-yj").await;
    let page = three.get(&case).await;
    let refused = take(&mut three, &page, &task, "2").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text());
    let mut two = city.log_in("handler2-yj").await;
    let work = two.get("/work").await;
    assert!(work.says(&format!("代 {name} 办理")), "{}", work.text());
    let page = two.get(&case).await;
    assert!(page.says(&format!("代{name}接手")), "{}", page.text());
    let over = take(&mut two, &page, &task, "2").await;
    assert_eq!(over.status, StatusCode::SEE_OTHER, "{}", over.text());
    let page = two.get(&case).await;
    let fields = [
        ("version", page.hidden("version")),
        ("action", "pass".to_owned()),
        ("reason", "材料齐全".to_owned()),
    ];
    let pairs: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let done = two.upload_from(&page, &task, &pairs, &[]).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text());
    let page = two.get(&case).await;
    assert!(
        page.says(&format!("{own_name}（代{name}）")),
        "{}",
        page.text()
    );
    let mut audit = city.log_in("audit").await;
    for command in ["case.take_task", "case.complete_task"] {
        let log = audit.get(&format!("/log?command={command}")).await;
        assert!(log.says("代谁办理"), "{command}: {}", log.text());
    }
}

/// The approver's work is not an examiner's, whomever he stands in for; and who holds both roles is
/// still kept from deciding what he examined.
#[tokio::test]
async fn a_leave_gives_no_role_and_lifts_no_duty() {
    let city = TestCity::open();
    let (case, task) = waiting(&city, "decide", "330324").await;
    let examined = city
        .texts(&format!(
            "SELECT a.login FROM case_duty d JOIN account a ON a.id = d.account_id \
             WHERE d.case_id = X'{case}' AND d.duty = 'examine'"
        ))
        .await
        .remove(0);
    let (case, task) = (
        format!("/cases/{case}"),
        format!("/cases/{case}/tasks/{task}"),
    );
    let (away, _) = account(&city, "approver-yj").await;
    let (stands, _) = account(&city, &examined).await;
    let mut approver = city.log_in("approver-yj").await;
    let page = approver.get(&case).await;
    let taken = take(&mut approver, &page, &task, &page.hidden("version")).await;
    assert_eq!(taken.status, StatusCode::SEE_OTHER, "{}", taken.text());
    leave::register(&city, (&away, &stands), ("2026-11-23", "2026-11-24")).await;
    let before = city.state().await;
    let mut officer = city.log_in(&examined).await;
    let page = officer.get(&case).await;
    assert!(!page.says("接手"), "{}", page.text());
    let refused = take(&mut officer, &page, &task, "2").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text());
    assert!(refused.says("没有这个岗位"), "{}", refused.text());
    assert_eq!(city.state().await, before);
    city.give_role(&examined, "approver").await;
    let mut officer = city.log_in(&examined).await;
    let page = officer.get(&case).await;
    let refused = take(&mut officer, &page, &task, "2").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text());
    assert!(refused.says("不相容岗位"), "{}", refused.text());
}
