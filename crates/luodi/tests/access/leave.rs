//! Leaves: who registers them, what is refused, and what stands in them for whom.

use axum::http::StatusCode;

use crate::support::{Answer, TestCity, Visitor};

/// Sends the form of a new leave.
pub async fn send(
    security: &mut Visitor<'_>,
    (away, stands): (&str, &str),
    (first, last): (&str, &str),
) -> Answer {
    let page = security.get("/leaves/new").await;
    let fields = [
        ("account", away),
        ("stand_in", stands),
        ("kind", "holiday"),
        ("first_day", first),
        ("last_day", last),
        ("action", "register"),
    ];
    security.post_from(&page, "/leaves/new", &fields).await
}

/// Registers a leave of an account, by ids.
pub async fn register(city: &TestCity, who: (&str, &str), days: (&str, &str)) {
    let mut security = city.log_in("security").await;
    let done = send(&mut security, who, days).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text());
}

async fn account(city: &TestCity, login: &str) -> String {
    let sql = format!("SELECT id FROM account WHERE login = '{login}'");
    city.id(&sql).await
}

#[tokio::test]
async fn a_leave_names_a_colleague_who_is_there() {
    let city = TestCity::open();
    let id = async |login: &str| account(&city, login).await;
    let (one, two, three) = (
        id("handler1-yj").await,
        id("handler2-yj").await,
        id("handler3-yj").await,
    );
    let (elsewhere, finance) = (id("handler1-yq").await, id("finance1-yj").await);
    let (security, enterprise) = (id("security").await, id("enterprise-yj").await);
    let mut officer = city.log_in("security").await;
    let cases: &[(&str, &str, &str, &str, &str, &str)] = &[
        (
            &one,
            &one,
            "2026-11-24",
            "2026-11-26",
            "stand_in",
            "stand-in-colleague",
        ),
        (
            &one,
            &finance,
            "2026-11-24",
            "2026-11-26",
            "stand_in",
            "stand-in-colleague",
        ),
        (
            &one,
            &elsewhere,
            "2026-11-24",
            "2026-11-26",
            "stand_in",
            "stand-in-colleague",
        ),
        (
            &one,
            &security,
            "2026-11-24",
            "2026-11-26",
            "stand_in",
            "stand-in-colleague",
        ),
        (
            &enterprise,
            &two,
            "2026-11-24",
            "2026-11-26",
            "account",
            "leave-of-staff",
        ),
        (
            &one,
            &two,
            "2026-11-22",
            "2026-11-26",
            "first_day",
            "not-past",
        ),
        (
            &one,
            &two,
            "2026-11-26",
            "2026-11-24",
            "last_day",
            "days-in-order",
        ),
        (
            &one,
            &two,
            "2026-11-24",
            "2028-11-24",
            "last_day",
            "leave-length",
        ),
        (&one, &two, "2026-11-24", "x", "last_day", "date"),
    ];
    for (away, stands, first, last, field, rule) in cases {
        let answer = send(&mut officer, (away, stands), (first, last)).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(
            answer.refused().contains(&(*field, *rule)),
            "{:?}",
            answer.refused()
        );
    }
    // One's own leave is another administrator's matter.
    let own = send(
        &mut officer,
        (&security, &two),
        ("2026-11-24", "2026-11-26"),
    )
    .await;
    assert_eq!(own.status, StatusCode::FORBIDDEN, "{}", own.text());
    assert_eq!(city.number("SELECT COUNT(*) FROM account_leave").await, 0);

    register(&city, (&one, &two), ("2026-11-24", "2026-11-26")).await;
    for (away, stands, field, rule) in [
        (&one, &three, "first_day", "leave-overlaps"),
        (&three, &one, "stand_in", "stand-in-away"),
        (&two, &three, "account", "stands-in-himself"),
    ] {
        let answer = send(&mut officer, (away, stands), ("2026-11-26", "2026-11-30")).await;
        assert!(
            answer.refused().contains(&(field, rule)),
            "{:?}",
            answer.refused()
        );
    }
    // The same people on other days.
    register(&city, (&two, &one), ("2026-11-27", "2026-11-30")).await;
    let list = officer.get("/leaves?state=ahead").await;
    assert_eq!(list.html.matches("data-open").count(), 2, "{}", list.text());
    let mut handler = city.log_in("handler2-yj").await;
    let own = handler.get("/account").await;
    assert!(own.says("id=\"leaves\""), "{}", own.text());
    assert_eq!(handler.get("/leaves").await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_leave_is_changed_and_ended_and_stays() {
    let city = TestCity::open();
    let (one, two) = (
        account(&city, "handler1-yj").await,
        account(&city, "handler2-yj").await,
    );
    let three = account(&city, "handler3-yj").await;
    register(&city, (&one, &two), ("2026-11-23", "2026-11-26")).await;
    let path = format!("/leaves/{}", city.id("SELECT id FROM account_leave").await);
    let mut security = city.log_in("security").await;
    let page = security.get(&path).await;
    let fields = [
        ("kind", "business"),
        ("first_day", "2026-11-23"),
        ("last_day", "2026-12-01"),
        ("stand_in", three.as_str()),
        ("action", "change"),
    ];
    let changed = security.post_from(&page, &path, &fields).await;
    assert_eq!(changed.status, StatusCode::SEE_OTHER, "{}", changed.text());
    // The page from before is stale.
    let stale = security.get(&path).await;
    let old = [fields.as_slice(), &[("version", "1")]].concat();
    let lost = security.post_from(&stale, &path, &old).await;
    assert_eq!(lost.status, StatusCode::CONFLICT, "{}", lost.text());
    let page = security.get(&path).await;
    let ended = security.post_from(&page, &path, &[("action", "end")]).await;
    assert_eq!(ended.status, StatusCode::SEE_OTHER, "{}", ended.text());
    let page = security.get(&path).await;
    assert!(
        page.says("已提前结束") && !page.says("value=\"change\""),
        "{}",
        page.text()
    );
    let again = security
        .post_from(&page, &path, &[("version", "3"), ("action", "end")])
        .await;
    assert_eq!(again.status, StatusCode::CONFLICT, "{}", again.text());
    assert_eq!(city.number("SELECT COUNT(*) FROM account_leave").await, 1);
    let mut audit = city.log_in("audit").await;
    let log = audit.get("/log?command=account.change_leave").await;
    let name = &city
        .texts("SELECT name FROM account WHERE login = 'handler3-yj'")
        .await[0];
    assert!(
        log.says("代理人") && log.says("公出") && log.says(name),
        "{}",
        log.text()
    );
}
