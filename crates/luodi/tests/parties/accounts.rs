//! The account of a party at the window: a forgotten password, after the papers were seen.

use axum::http::StatusCode;

use crate::support::TestCity;

#[tokio::test]
async fn the_window_gives_a_party_a_new_password() {
    let city = TestCity::open();
    let party = city
        .id("SELECT party_id FROM account WHERE login = 'enterprise-yj'")
        .await;
    let account = city
        .id("SELECT id FROM account WHERE login = 'enterprise-yj'")
        .await;
    let staff = city
        .id("SELECT id FROM account WHERE login = 'handler1-yj'")
        .await;
    let path = format!("/parties/{party}/account");
    let mut enterprise = city.log_in("enterprise-yj").await;
    let mut window = city.log_in("window-yj").await;
    let page = window.get(&path).await;
    assert!(page.says("enterprise-yj"), "{}", page.text());
    let fields = |account: &str, seen: &str| {
        [
            ("action", "reset_password".to_owned()),
            ("account", account.to_owned()),
            ("reason", "经办人忘记密码".to_owned()),
            ("seen", seen.to_owned()),
            ("by_message", "true".to_owned()),
        ]
    };
    let before = city.state().await;
    for (account, seen, status) in [
        (&account, "", StatusCode::UNPROCESSABLE_ENTITY),
        (&staff, "身份证原件", StatusCode::NOT_FOUND),
    ] {
        let fields = fields(account, seen);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(k, v)| (*k, v.as_str())).collect();
        let refused = window.post_from(&page, &path, &fields).await;
        assert_eq!(refused.status, status, "{}", refused.text());
    }
    assert_eq!(city.state().await, before);
    let good = fields(&account, "经办人身份证原件330302199001011234、授权书");
    let good: Vec<(&str, &str)> = good.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let done = window.post_from(&page, &path, &good).await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.text());
    let once = done.between("<code id=\"one-time-password\">", "<");
    let twice = window.post_from(&page, &path, &good).await;
    assert!(!twice.says(&once), "shown once");
    let out = enterprise.get("/my").await;
    assert_eq!(out.status, StatusCode::SEE_OTHER);
    let mut enterprise = city.stranger();
    let page = enterprise.get("/login").await;
    let fields = [("login", "enterprise-yj"), ("password", &once)];
    let entered = enterprise.post_from(&page, "/login", &fields).await;
    assert_eq!(entered.location, "/account", "{}", entered.text());
    let detail = city
        .texts("SELECT detail FROM audit_event WHERE command = 'account.reset_at_window'")
        .await;
    assert!(detail[0].contains("授权书") && detail[0].contains("忘记密码"));
    assert!(!detail[0].contains("19900101"), "{}", detail[0]);

    // The text message that was asked for has left, to the party's own telephone.
    luodi::work::drain(&city.app).await.unwrap();
    let file = city.folder().join("outbox/messages.jsonl");
    let letters = std::fs::read_to_string(&file).unwrap();
    let letter = letters.lines().find(|line| line.contains(&once)).unwrap();
    assert!(
        letter.contains(&once) && letter.contains("one-time-password"),
        "{letter}"
    );
    assert!(letter.contains("\"to\":\"199"), "{letter}");
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// Whoever opens an account for a party says which papers were seen, and the log keeps it.
#[tokio::test]
async fn the_window_opens_an_account_after_it_saw_the_papers() {
    let city = TestCity::open();
    let sql = "SELECT id FROM party WHERE region_code = '330324' AND kind = 'person' ORDER BY id";
    let party = city.id(sql).await;
    let path = format!("/parties/{party}/account");
    let mut window = city.log_in("window-yj").await;
    let page = window.get(&path).await;
    let before = city.state().await;
    let fields = |login: &'static str, papers: &'static str| {
        [
            ("action", "open_account"),
            ("login", login),
            ("papers", papers),
        ]
    };
    let silent = window
        .post_from(&page, &path, &fields("wang.xm", " "))
        .await;
    assert_eq!(silent.refused(), [("papers", "required")]);
    let both = window.post_from(&page, &path, &fields("X Y", "")).await;
    let wrong: Vec<&str> = both.refused().iter().map(|(field, _)| *field).collect();
    assert_eq!(wrong, ["login", "papers"], "{}", both.text());
    assert_eq!(city.state().await, before);
    let papers = "身份证原件 330324199001011234";
    let opened = window
        .post_from(&page, &path, &fields("wang.xm", papers))
        .await;
    assert_eq!(opened.status, StatusCode::OK, "{}", opened.text());
    let mut audit = city.log_in("audit").await;
    let log = audit.get("/log?command=party.open_account").await;
    assert!(
        log.says("核对的证件") && log.says("身份证原件"),
        "{}",
        log.text()
    );
    assert!(log.says("wang.xm") && !log.says("330324199001011234"));
}
