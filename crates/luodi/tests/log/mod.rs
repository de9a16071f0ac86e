//! `/log`: what the audit administrator reads is in words, narrowed as asked for, and of his region.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use luodi::access::{Actor, Role};
use luodi::account::{NewAccount, create_account, password};
use luodi::refusal::Error;
use luodi::store::{Command, check_proof, verify_export};

use crate::support::{Answer, TestCity, Visitor, morning};

/// The rows of a page of the log.
fn rows(page: &Answer) -> Vec<String> {
    let rows = page.html.split("<tr data-event=\"").skip(1);
    rows.map(|row| row.split_once("</tr>").unwrap().0.to_owned())
        .collect()
}

/// The cell of a row.
fn cell(row: &str, label: &str) -> String {
    let from = row
        .split_once(&format!("data-label=\"{label}\">"))
        .unwrap()
        .1;
    from.split_once("</td>").unwrap().0.to_owned()
}

/// Key, name and value of every fact of a row.
fn facts(row: &str) -> Vec<(String, String, String)> {
    let facts = row.split("<dt data-key=\"").skip(1);
    facts
        .map(|fact| {
            let (key, rest) = fact.split_once("\">").unwrap();
            let (label, rest) = rest.split_once("</dt><dd>").unwrap();
            let value = rest.split_once("</dd>").unwrap().0;
            (key.to_owned(), label.to_owned(), value.to_owned())
        })
        .collect()
}

/// How many events the foot of the page counts.
fn total(page: &Answer) -> i64 {
    let Some((_, foot)) = page.html.split_once("<nav class=\"pages\"") else {
        assert!(page.says("没有符合条件的日志"), "{}", page.text());
        return 0;
    };
    let figure = foot.split_once("<data value=\"").unwrap().1;
    figure.split_once('"').unwrap().0.parse().unwrap()
}

/// All rows that a question has, page after page by the links.
async fn all_rows(visitor: &mut Visitor<'_>, from: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut next = Some(from.to_owned());
    while let Some(path) = next {
        let page = visitor.get(&path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        found.extend(rows(&page));
        let link = page.html.split_once("rel=\"next\" href=\"");
        next = link.map(|(_, rest)| rest.split('"').next().unwrap().replace("&#38;", "&"));
    }
    found
}

/// What a cell says, without its marks.
fn words(cell: &str) -> String {
    let parts = cell.split('<').map(|part| part.rsplit('>').next().unwrap());
    parts.collect::<Vec<_>>().join("")
}

fn holds_id(text: &str) -> bool {
    let run = |c: char| !c.is_ascii_hexdigit() && c != '-';
    text.split(run)
        .any(|part| part.len() >= 32 && part.replace('-', "").len() == 32)
}

#[tokio::test]
async fn every_event_of_the_demonstration_is_told_in_words() {
    let city = TestCity::open();
    let mut audit = city.log_in("audit").await;
    let rows = all_rows(&mut audit, "/log").await;
    let count = city.number("SELECT COUNT(*) FROM audit_event").await;
    assert_eq!(rows.len() as i64, count);
    let codes = [
        "state", "outcome", "task", "kind", "cause", "channel", "roles", "region", "before",
    ];
    let mut keys = BTreeSet::new();
    for row in &rows {
        for label in ["操作人", "操作", "对象"] {
            let shown = words(&cell(row, label));
            assert!(!shown.is_empty() && !holds_id(&shown), "{label}: {shown}");
        }
        let about = cell(row, "对象");
        // The city is there once, and a key that was made by itself belongs to nothing yet.
        let nameless = ["city.found", "keys.make"].iter();
        assert!(
            about.contains(' ') || nameless.clone().any(|it| row.contains(it)),
            "without a name: {row}"
        );
        for (key, label, value) in facts(row) {
            let ascii = |text: &str| text.chars().any(|c| c.is_ascii_alphabetic());
            assert!(!ascii(&label), "{key} has no word: {label}");
            assert!(!holds_id(&value), "{key}: {value}");
            if codes.contains(&key.as_str()) {
                assert!(!ascii(&value), "{key}: {value}");
            }
            keys.insert(key);
        }
    }
    for key in [
        "amount_fen",
        "entry",
        "line",
        "reason",
        "ends_on",
        "roles",
        "notice",
    ] {
        assert!(keys.contains(key), "{key} of {keys:?}");
    }
}

#[tokio::test]
async fn names_of_natural_persons_are_masked() {
    let city = TestCity::open();
    let names = city
        .texts("SELECT name FROM party WHERE kind = 'person'")
        .await;
    let staff = city
        .texts("SELECT name FROM account WHERE party_id IS NULL")
        .await;
    let mut audit = city.log_in("audit").await;
    let text = all_rows(&mut audit, "/log").await.join("\n");
    let mut checked = 0;
    for name in names.iter().filter(|name| !staff.contains(name)) {
        assert!(!text.contains(name.as_str()), "{name}");
        checked += 1;
    }
    assert!(checked > 20, "{checked}");
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[tokio::test]
async fn filters_narrow_the_list_its_pages_and_its_files() {
    let city = TestCity::open();
    let mut audit = city.log_in("audit").await;
    let case = &city
        .texts("SELECT number FROM casework ORDER BY number")
        .await[3];
    let notice = &city
        .texts("SELECT number FROM notice ORDER BY number")
        .await[0];
    let typed = notice.replace('〔', "[").replace('〕', "]");
    let batch = &city.texts("SELECT title FROM batch ORDER BY number").await[0];
    let firm = &city
        .texts("SELECT p.name FROM party p JOIN account a ON a.party_id = p.id WHERE a.login = 'enterprise-yj'")
        .await[0];
    let handler = &city
        .texts("SELECT name FROM account WHERE login = 'handler1-yj'")
        .await[0];
    let subject = |sql: &str| format!("subject_id IN ({sql})");
    let questions = [
        (
            "from=2026-09-01&to=2026-09-30".to_owned(),
            "at >= 1788192000000 AND at < 1790784000000".to_owned(),
        ),
        (
            "command=case.submit".into(),
            "command = 'case.submit'".into(),
        ),
        (
            "command=accounts".into(),
            "command IN ('account.confirm_factor', 'account.create', 'account.grant', 'admin.init')".into(),
        ),
        (
            "person=handler1-yj".into(),
            "actor_label = 'handler1-yj'".into(),
        ),
        (
            format!("person={}", encoded(handler)),
            format!(
                "actor_label IN (SELECT login FROM account WHERE name = '{handler}' AND party_id IS NULL)"
            ),
        ),
        (
            format!("person={}", encoded(firm)),
            "actor_label = 'enterprise-yj'".into(),
        ),
        (
            format!("person={}", encoded("系统")),
            "actor_label = 'system'".into(),
        ),
        (
            format!("number={case}"),
            subject(&format!("SELECT id FROM casework WHERE number = '{case}'")),
        ),
        (
            format!("number={}", encoded(&typed)),
            subject(&format!(
                "SELECT id FROM notice WHERE number = '{notice}' UNION ALL SELECT o.id FROM objection o JOIN notice n ON n.id = o.notice_id WHERE n.number = '{notice}'"
            )),
        ),
        (
            format!("number={}", encoded(batch)),
            subject(&format!("SELECT id FROM batch WHERE title = '{batch}'")),
        ),
        (
            format!("number={case}&command=case.complete_task&from=2026-01-01"),
            format!(
                "command = 'case.complete_task' AND {}",
                subject(&format!("SELECT id FROM casework WHERE number = '{case}'"))
            ),
        ),
        ("number=nothing".into(), "1 = 0".into()),
    ];
    for (query, condition) in questions {
        let wanted = city
            .ids(&format!("SELECT id FROM audit_event WHERE {condition}"))
            .await;
        assert!(!wanted.is_empty() || query == "number=nothing", "{query}");
        let page = audit.get(&format!("/log?{query}")).await;
        assert_eq!(total(&page), wanted.len() as i64, "{query}");
        let shown = all_rows(&mut audit, &format!("/log?{query}")).await;
        let shown: BTreeSet<String> = shown
            .iter()
            .map(|row| row.split('"').next().unwrap().to_owned())
            .collect();
        assert_eq!(shown, wanted.into_iter().collect(), "{query}");
        let file = audit.get(&format!("/log.csv?{query}")).await;
        assert_eq!(
            file.html.lines().count(),
            shown.len() + 1,
            "{query}: {}",
            file.html
        );
        assert!(
            page.says(&format!("/log.xlsx?{}", query.replace('&', "&#38;"))),
            "{query}"
        );
    }
    let book = audit.get("/log.xlsx?command=case.submit").await;
    assert!(book.bytes.starts_with(b"PK\x03\x04"));
    let taken = city
        .texts("SELECT detail FROM audit_event WHERE command = 'list.export'")
        .await;
    assert_eq!(taken.len(), 13, "every file that left is in the log");
}

#[tokio::test]
async fn impossible_days_are_told_and_kept() {
    let city = TestCity::open();
    let mut audit = city.log_in("audit").await;
    let page = audit
        .get("/log?from=2026-02-30&to=11.23&person=audit")
        .await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(
        page.refused(),
        [("from", "date-impossible"), ("to", "date")]
    );
    for kept in ["value=\"2026-02-30\"", "value=\"11.23\"", "value=\"audit\""] {
        assert!(page.says(kept), "{kept}");
    }
    assert!(rows(&page).is_empty(), "an answer to another question");
    let swapped = audit.get("/log?from=2026-02-03&to=2026-02-01").await;
    assert_eq!(swapped.refused(), [("to", "date-order")]);
    for file in ["/log.csv", "/log.xlsx"] {
        let file = audit.get(&format!("{file}?from=2026-02-30")).await;
        assert_eq!(file.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
}

/// Tries to log in and is refused.
async fn fail(city: &TestCity, login: &str, secret: &str) {
    let mut stranger = city.stranger();
    let page = stranger.get("/login").await;
    let fields = [("login", login), ("password", secret)];
    let answer = stranger.post_from(&page, "/login", &fields).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn failed_log_ins_are_seen_by_account() {
    let city = TestCity::open();
    fail(&city, "handler1-yj", "wrong-password-1").await;
    fail(&city, "handler1-yj", "wrong-password-2").await;
    fail(&city, "leader", "wrong-password-3").await;
    let mut audit = city.log_in("audit").await;
    let all = audit.get("/log?command=session.refuse").await;
    assert_eq!(total(&all), 3);
    let of_one = audit
        .get("/log?command=session.refuse&person=handler1-yj")
        .await;
    assert_eq!(total(&of_one), 2);
    for row in rows(&of_one) {
        assert!(cell(&row, "对象").contains("（handler1-yj）"), "{row}");
        assert!(
            row.contains("href=\"/log?person=handler1-yj&amp;command=session.refuse\""),
            "{row}"
        );
        let told = facts(&row);
        let why = told.iter().find(|(key, ..)| key == "why").unwrap();
        assert_eq!(why.2, "密码不正确");
        assert!(told.iter().any(|(key, ..)| key == "address"), "{told:?}");
    }
    // What the person did and what was tried in his name are one question.
    let both = audit.get("/log?person=handler1-yj").await;
    let done = city
        .number("SELECT COUNT(*) FROM audit_event WHERE actor_label = 'handler1-yj'")
        .await;
    assert_eq!(total(&both), done + 2);
}

#[tokio::test]
async fn a_name_no_account_has_is_found_again_but_never_kept() {
    let city = TestCity::open();
    // A password typed in the field of the name.
    let secret = "nobody-knows-88";
    fail(&city, secret, "x").await;
    fail(&city, &secret.to_uppercase(), "x").await;
    fail(&city, "other-name", "x").await;
    let mut audit = city.log_in("audit").await;
    let all = audit.get("/log?command=session.refuse").await;
    assert_eq!(total(&all), 3);
    for row in rows(&all) {
        assert!(cell(&row, "对象").contains("不存在的账号"), "{row}");
        assert!(row.contains("没有这个账号"), "{row}");
    }
    assert!(
        !all.says(secret) && !all.says("other-name"),
        "{}",
        all.text()
    );
    let found = audit.get(&format!("/log?person={secret}")).await;
    assert_eq!(total(&found), 2);
    let events = city
        .texts("SELECT detail || actor_label || rows FROM audit_event WHERE command = 'session.refuse'")
        .await;
    assert_eq!(events.len(), 3);
    assert!(
        events.iter().all(|event| !event.contains("nobody")),
        "{events:?}"
    );
}

#[tokio::test]
async fn a_right_password_of_a_locked_account_is_a_failed_log_in() {
    let city = TestCity::open();
    let mut stranger = city.stranger();
    let page = stranger.get("/login").await;
    let password = page.between("data-user=\"leader-yj\" data-password=\"", "\"");
    let sql = "UPDATE account SET state = 'locked' WHERE id = ?1";
    city.force_account("leader-yj", sql, vec![]).await;
    fail(&city, "leader-yj", &password).await;
    let mut audit = city.log_in("audit").await;
    let page = audit
        .get("/log?command=session.refuse&person=leader-yj")
        .await;
    assert_eq!(total(&page), 1);
    assert!(page.says("账号已锁定"), "{}", page.text());
    // It is no wrong password.
    let failures = city
        .number("SELECT failed_logins FROM account WHERE login = 'leader-yj'")
        .await;
    assert_eq!(failures, 0);
}

/// Opens the account of a county's audit administrator.
async fn county_audit(city: &TestCity) {
    let secret = "county-audit-2026";
    let hash = tokio::task::spawn_blocking(move || password::hash(secret).unwrap());
    let new = NewAccount {
        login: "audit-yj".into(),
        name: "永嘉审计（示范）".into(),
        password_hash: hash.await.unwrap(),
        one_time: false,
        roles: [Role::AuditAdmin].into_iter().collect(),
        department: None,
        region: "330324".parse().unwrap(),
        party: None,
        demo: Some(secret.into()),
    };
    let opened = city
        .app
        .store
        .write(Command::new("test", morning()), move |tx| {
            create_account(tx, &Actor::console("test", "330300".parse().unwrap()), &new)
        });
    opened.await.map_err(|error: Error| error).unwrap();
    city.enrol("audit-yj").await;
}

#[tokio::test]
async fn a_county_reads_of_its_people_and_records_and_the_city_of_all() {
    let city = TestCity::open();
    county_audit(&city).await;
    fail(&city, "handler2-yq", "wrong-password").await;
    fail(&city, "no-such-name", "wrong-password").await;
    let mut county = city.log_in("audit-yj").await;
    let shown = all_rows(&mut county, "/log").await;
    let own = "actor_id IN (SELECT id FROM account WHERE region_code = '330324') \
         OR subject_id IN (SELECT id FROM casework WHERE region_code = '330324') \
         OR subject_id IN (SELECT id FROM notice WHERE region_code = '330324') \
         OR subject_id IN (SELECT id FROM batch WHERE region_code = '330324') \
         OR subject_id IN (SELECT id FROM party WHERE region_code = '330324') \
         OR subject_id IN (SELECT id FROM account WHERE region_code = '330324') \
         OR subject_id IN (SELECT id FROM department WHERE region_code = '330324') \
         OR subject_id IN (SELECT id FROM item WHERE region_code = '330324') \
         OR subject_id IN (SELECT id FROM article WHERE region_code = '330324') \
         OR subject_id IN (SELECT o.id FROM objection o JOIN notice n ON n.id = o.notice_id WHERE n.region_code = '330324')";
    let wanted = city
        .ids(&format!("SELECT id FROM audit_event WHERE {own}"))
        .await;
    let ids: BTreeSet<String> = shown
        .iter()
        .map(|row| row.split('"').next().unwrap().to_owned())
        .collect();
    assert_eq!(ids, wanted.iter().cloned().collect());
    // Nothing of the other county, by filter or by file.
    let text = shown.join("\n");
    let csv = county.get("/log.csv").await.html;
    for mark in city
        .texts("SELECT number FROM casework WHERE region_code = '330382' UNION ALL SELECT login FROM account WHERE region_code = '330382'")
        .await
    {
        assert!(!text.contains(&mark) && !csv.contains(&mark), "{mark}");
        let asked = county.get(&format!("/log?number={mark}")).await;
        assert_eq!(total(&asked), 0, "{mark}");
    }
    assert_eq!(total(&county.get("/log?command=session.refuse").await), 0);
    let mut audit = city.log_in("audit").await;
    let all = city.number("SELECT COUNT(*) FROM audit_event").await;
    assert_eq!(total(&audit.get("/log").await), all);
    assert!((wanted.len() as i64) < all);
    assert_eq!(total(&audit.get("/log?command=session.refuse").await), 2);
}

/// The audit administrator takes along what shows later whether anybody changed the log.
#[tokio::test]
async fn the_log_can_be_kept_elsewhere() {
    let city = TestCity::open();
    city.app.store.sequence(morning()).await.unwrap();
    let mut audit = city.log_in("audit").await;
    let page = audit.get("/log").await;
    assert!(
        page.says("已编号") && page.says("等待编号"),
        "{}",
        page.text()
    );
    let checkpoint = audit.get("/log/checkpoint").await;
    assert_eq!(checkpoint.status, StatusCode::OK);
    let note = trail::Note::parse(&checkpoint.html).unwrap();
    let whole = audit.get("/log/events.jsonl").await;
    let mut file = std::io::Cursor::new(whole.html.as_bytes());
    let found = verify_export(&mut file, Some(&note), None).unwrap();
    assert!(found.ok && found.events > 1_000, "{:?}", found.first_bad);

    let before = page.html.split("/proof\"").next().unwrap();
    let numbered = before.rsplit('/').next().unwrap();
    let answer = audit.get(&format!("/log/{numbered}/proof")).await;
    assert_eq!(answer.status, StatusCode::OK);
    let proved = check_proof(&answer.html).unwrap().unwrap();
    assert!(proved.ok, "{proved:?}");
    let waiting = page.html.split("<tr data-event=\"").nth(1).unwrap();
    let waiting = waiting.split_once('"').unwrap().0;
    let early = audit.get(&format!("/log/{waiting}/proof")).await;
    assert_eq!(
        early.status,
        StatusCode::CONFLICT,
        "its own log-in has no number yet"
    );
    for path in ["/log/checkpoint", "/log/events.jsonl"] {
        let mut leader = city.log_in("leader").await;
        assert_eq!(leader.get(path).await.status, StatusCode::FORBIDDEN);
    }
}

/// What is wrong with the log stands on every page of those who have to do something about it, and
/// of nobody else.
#[tokio::test]
async fn a_touched_row_alarms_both_administrators_wherever_they_look() {
    let city = TestCity::open();
    let (mut system, mut audit) = (city.log_in("system").await, city.log_in("audit").await);
    let mut officer = city.log_in("handler1-yj").await;
    let pages = |alarm: &'static str| move |page: &Answer| page.html.contains(alarm);
    let (touched, any) = (pages("data-log-touched"), pages("data-alarm"));
    let watched = |city: &TestCity| {
        let store = city.app.store.clone();
        let around = move || (0..64).for_each(|_| store.watch_rows(500).unwrap());
        std::thread::scope(|scope| scope.spawn(around).join().unwrap());
        city.app.store.watched()
    };
    assert_eq!(watched(&city), []);
    for path in ["/system", "/accounts"] {
        assert!(!any(&system.get(path).await), "{path}");
    }
    let sql = "UPDATE budget_line SET name = name || '改' \
               WHERE id = (SELECT id FROM budget_line ORDER BY id LIMIT 1)";
    city.force(sql, vec![]).await;
    let found = watched(&city);
    let [(table, id)] = found.as_slice() else {
        panic!("one row: {found:?}")
    };
    let named = format!("{table} {}", id.simple());
    for path in ["/system", "/accounts", "/clock"] {
        let page = system.get(path).await;
        assert!(
            touched(&page) && page.says(&named),
            "{path}: {}",
            page.text()
        );
        assert!(page.says("请在服务器上运行 luodi audit verify"), "{path}");
    }
    let page = audit.get("/log").await;
    assert!(touched(&page) && page.says(&named), "{}", page.text());
    assert!(
        page.says("请告诉系统管理员运行 luodi audit verify"),
        "{}",
        page.text()
    );
    assert_eq!(page.html.matches("data-log-touched").count(), 1);
    assert!(!any(&officer.get("/work").await));
}

/// A log that is not the one that was signed is not carried on, and both are told at once.
#[tokio::test]
async fn a_log_that_is_not_carried_on_alarms_both_administrators() {
    let city = TestCity::open();
    let (mut system, mut audit) = (city.log_in("system").await, city.log_in("audit").await);
    city.force("DELETE FROM audit_checkpoint", vec![]).await;
    let (store, now) = (city.app.store.clone(), city.clock.now());
    let carry_on = move || store.sequence_blocking(now);
    let carried = std::thread::scope(|scope| scope.spawn(carry_on).join().unwrap());
    assert!(carried.is_err(), "{carried:?}");
    let why = city.app.store.log_trouble().unwrap();
    for page in [system.get("/system").await, audit.get("/log").await] {
        assert!(page.html.contains("data-log-trouble"), "{}", page.text());
        assert!(
            page.says("日志停止编号") && page.says(&why),
            "{}",
            page.text()
        );
    }
}

/// Two events of one minute stand in their order by the second.
#[tokio::test]
async fn the_log_says_the_second() {
    let city = TestCity::open();
    let mut audit = city.log_in("audit").await;
    let page = audit.get("/log").await;
    let first = cell(&rows(&page)[0], "时间");
    let shown = words(&first);
    assert_eq!(shown.len(), "2026-11-23 09:12:05".len(), "{first}");
}
