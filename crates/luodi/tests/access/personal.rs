//! ID numbers, telephones, addresses and bank accounts: sealed in the files, masked on pages and
//! in exports, absent from the log, and shown only after a logged request.

use std::collections::BTreeSet;

use aho_corasick::AhoCorasick;
use axum::http::StatusCode;
use luodi::params;
use luodi::store::StoreError;
use uuid::Uuid;

use super::crawl::crawl;
use crate::support::TestCity;

/// Every personal value of the parties, in plain, with the party's region.
async fn plain_values(city: &TestCity) -> BTreeSet<String> {
    let read = city.app.store.read(|q| {
        let mut values = BTreeSet::new();
        for sql in [
            "SELECT id, id_number_sealed FROM party WHERE id_number_sealed IS NOT NULL",
            "SELECT id, phone_sealed FROM party WHERE phone_sealed IS NOT NULL",
            "SELECT id, address_sealed FROM party WHERE address_sealed IS NOT NULL",
            "SELECT party_id, account_sealed FROM bank_account",
        ] {
            let sealed = q.rows(sql, params![], |row| {
                Ok((row.get::<Uuid>(0)?, row.get::<Vec<u8>>(1)?))
            })?;
            assert!(sealed.len() > 50, "{sql}: {}", sealed.len());
            for (owner, bytes) in sealed {
                values.insert(q.open(owner, &bytes)?);
            }
        }
        Ok::<_, StoreError>(values)
    });
    read.await.unwrap()
}

/// The first of these values that a text holds; the text is read once for all of them.
fn find(text: &str, values: &AhoCorasick) -> Option<String> {
    let found = values.find(text)?;
    Some(text[found.range()].to_owned())
}

fn finder(values: &BTreeSet<String>) -> AhoCorasick {
    AhoCorasick::new(values).unwrap()
}

#[tokio::test]
async fn no_page_or_export_of_staff_shows_a_personal_value() {
    let city = TestCity::open();
    let values = plain_values(&city).await;
    assert!(values.len() > 500, "{}", values.len());
    let values = finder(&values);
    for user in [
        "window-yj",
        "handler1-yj",
        "reviewer-yj",
        "approver-yj",
        "finance1-yj",
        "leader",
        "audit",
        "editor",
        "officer",
        "system",
        "security",
    ] {
        let mut visitor = city.log_in(user).await;
        let pages = crawl(&mut visitor, &["/work", "/cases", "/", "/notices"]).await;
        assert!(!pages.is_empty());
        for (path, text) in &pages {
            assert_eq!(find(text, &values), None, "{user} reads it at {path}");
        }
    }
}

#[tokio::test]
async fn no_file_of_the_database_holds_a_personal_value() {
    let city = TestCity::open_in_a_file();
    let values = plain_values(&city).await;
    // What people typed since, too: it has hardly left the log of the database.
    let item = city
        .id("SELECT id FROM item WHERE region_code = '330324'")
        .await;
    let path = format!("/items/{item}/apply");
    let mut enterprise = city.log_in("enterprise-yj").await;
    let form = enterprise.get(&path).await;
    let fields = crate::support::good_application();
    let papers = crate::support::PAPERS;
    let review = enterprise.upload_from(&form, &path, &fields, papers).await;
    let page = enterprise.get(&review.location).await;
    let done = enterprise
        .post_from(&page, &review.location, &[("action", "submit")])
        .await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text());
    let mut secrets = values;
    for (name, value) in fields {
        if matches!(name, "contact_phone" | "site_address") {
            secrets.insert(value.to_owned());
        }
    }
    let secrets = finder(&secrets);
    let mut files = 0;
    for entry in std::fs::read_dir(city.folder()).unwrap() {
        let entry = entry.unwrap();
        if !entry.file_type().unwrap().is_file() {
            continue;
        }
        let bytes = std::fs::read(entry.path()).unwrap();
        files += usize::from(!bytes.is_empty());
        let found = secrets.find(&bytes);
        assert_eq!(found, None, "{}", entry.path().display());
        // The control: a name, which is no secret, is found where rows are.
        if entry.file_name() == "luodi.db" {
            let control = AhoCorasick::new(["有限公司（示范）"]).unwrap();
            assert!(control.is_match(&bytes));
        }
    }
    assert!(files >= 2, "database and its log");
    let log = city
        .texts("SELECT detail || rows FROM audit_event")
        .await
        .join("\n");
    let answers = city
        .texts("SELECT answer FROM idempotency")
        .await
        .join("\n");
    let messages = city
        .texts("SELECT title || body FROM message")
        .await
        .join("\n");
    for text in [&log, &answers, &messages] {
        assert_eq!(find(text, &secrets), None);
    }
}

/// Numbers that people type where none is asked for: in a reason, in the name of a file, in an
/// objection. In whatever spelling, no file of the database holds them whole.
#[tokio::test]
async fn what_is_typed_beside_the_fields_is_not_kept_in_plain() {
    const SPELT: &[&str] = &[
        "13805771234",
        "138-0577-1234",
        "138 0577 1234",
        "１３８０５７７１２３４",
        "一三八零五七七一二三四",
        "330324198607151234",
        "6228480402564890018",
    ];
    const OBJECTOR: &[&str] = &["欧阳不愿署名", "0577-61239876", "不愿公开的陈述内容"];
    let city = TestCity::open();
    let find = "FROM task t JOIN casework c ON c.id = t.case_id \
         WHERE t.state = 'open' AND t.role = 'window_clerk' AND c.region_code = '330324'";
    let case = city.id(&format!("SELECT c.id {find}")).await;
    let task = city.id(&format!("SELECT t.id {find}")).await;
    let mut window = city.log_in("window-yj").await;
    let page = window.get(&format!("/cases/{case}")).await;
    let reason = format!("请核对：{}。", SPELT.join("、"));
    let fields = [
        ("version", "1"),
        ("action", "correct"),
        ("correction", "wrong"),
        ("reason", reason.as_str()),
    ];
    let path = format!("/cases/{case}/tasks/{task}");
    let asked = window.post_from(&page, &path, &fields).await;
    assert_eq!(asked.status, StatusCode::SEE_OTHER, "{}", asked.text());
    let notice = city.id("SELECT id FROM notice WHERE state = 'open'").await;
    let line = city
        .id(&format!(
            "SELECT id FROM notice_entry WHERE notice_id = X'{notice}'"
        ))
        .await;
    let path = format!("/notices/{notice}/objections/new");
    let mut stranger = city.stranger();
    let form = stranger.get(&format!("{path}?entry={line}")).await;
    let statement = format!("{}：该户实际没有并网。", OBJECTOR[2]);
    let fields = [
        ("entry", line.as_str()),
        ("kind", "person"),
        ("name", OBJECTOR[0]),
        ("phone", OBJECTOR[1]),
        ("statement", statement.as_str()),
    ];
    let papers: &[(&str, &str, &[u8])] = &[(
        "document",
        "证件330324198607151234.pdf",
        crate::support::PDF,
    )];
    let told = stranger.upload_from(&form, &path, &fields, papers).await;
    assert!(
        told.status.is_success() || told.status.is_redirection(),
        "{}",
        told.text()
    );
    let secrets = finder(
        &SPELT
            .iter()
            .chain(OBJECTOR)
            .map(|it| (*it).to_owned())
            .collect(),
    );
    for entry in std::fs::read_dir(city.folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            let found = secrets.find(&bytes).map(|at| bytes[at.range()].to_vec());
            let found = found.map(|bytes| String::from_utf8(bytes).unwrap());
            assert_eq!(found, None, "{}", path.display());
        }
    }
    // The end stays, so that both sides know which number is meant.
    let kept = city
        .texts("SELECT asked FROM correction ORDER BY asked_at DESC LIMIT 1")
        .await;
    assert_eq!(kept[0].matches("****1234").count(), 6, "{}", kept[0]);
}

/// Files on disk are sealed as well: no upload is found by its first bytes.
#[tokio::test]
async fn no_attachment_lies_in_plain_on_the_disk() {
    let city = TestCity::open();
    let mut folders = vec![city.folder().join("attachments")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
                continue;
            }
            let bytes = std::fs::read(entry.path()).unwrap();
            files += 1;
            assert_eq!(infer::get(&bytes), None, "{}", entry.path().display());
        }
    }
    assert!(files > 50, "{files}");
}

#[tokio::test]
async fn looking_is_logged_with_its_reason() {
    let city = TestCity::open();
    let values = finder(&plain_values(&city).await);
    let party = city
        .id("SELECT id FROM party WHERE region_code = '330324' AND kind = 'person'")
        .await;
    let case = city
        .id("SELECT id FROM casework WHERE region_code = '330324' AND party_kind = 'enterprise'")
        .await;
    let mut handler = city.log_in("handler1-yj").await;
    for (page, form, field, command) in [
        (
            format!("/parties/{party}"),
            format!("/parties/{party}/unmask"),
            "reason",
            "party.unmask",
        ),
        (
            format!("/cases/{case}"),
            format!("/cases/{case}/reveal"),
            "why",
            "case.reveal",
        ),
    ] {
        let shown = handler.get(&page).await;
        assert_eq!(find(&shown.html, &values), None, "{page}");
        // Without a reason nothing is shown, and nothing logged.
        let before = city.state().await;
        let refused = handler.post_from(&shown, &form, &[(field, "")]).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{form}");
        assert!(refused.refused().iter().any(|(name, _)| *name == field));
        assert_eq!(find(&refused.html, &values), None, "{form}");
        assert_eq!(city.state().await, before);
        let reason = "核对现场核查地址和联系方式";
        let told = handler.post_from(&shown, &form, &[(field, reason)]).await;
        assert_eq!(told.status, StatusCode::OK, "{}", told.text());
        assert!(told.html.contains("1990000"), "{form}: {}", told.text());
        let logged = city
            .texts(&format!(
                "SELECT actor_label || ' ' || detail FROM audit_event WHERE command = '{command}'"
            ))
            .await;
        assert_eq!(logged.len(), 1, "{command}");
        assert!(
            logged[0].starts_with("handler1-yj ") && logged[0].contains(reason),
            "{logged:?}"
        );
        assert_eq!(find(&logged[0], &values), None);
        // The next page hides it again.
        let again = handler.get(&page).await;
        assert_eq!(find(&again.html, &values), None, "{page}");
    }
}

/// Staff who look into a case are in the log, once in half an hour; an applicant in his own is not.
#[tokio::test]
async fn looking_into_a_case_is_logged_once_in_a_while() {
    let city = TestCity::open();
    let case = city
        .id("SELECT c.id FROM casework c JOIN account a ON a.party_id = c.party_id WHERE a.login = 'enterprise-yj'")
        .await;
    let path = format!("/cases/{case}");
    let looks = async || {
        city.number("SELECT COUNT(*) FROM audit_event WHERE command = 'case.open'")
            .await
    };
    let mut enterprise = city.log_in("enterprise-yj").await;
    enterprise.get(&path).await;
    assert_eq!(looks().await, 0);
    let mut handler = city.log_in("handler1-yj").await;
    for _ in 0..3 {
        assert_eq!(handler.get(&path).await.status, StatusCode::OK);
    }
    assert_eq!(looks().await, 1);
    let mut again = city.log_in("handler1-yj").await;
    again.get(&path).await;
    assert_eq!(looks().await, 2, "another session");
    city.clock
        .set(city.clock.now() + jiff::SignedDuration::from_mins(29));
    handler.get(&path).await;
    assert_eq!(looks().await, 2);
    city.clock
        .set(city.clock.now() + jiff::SignedDuration::from_mins(2));
    handler.get(&path).await;
    assert_eq!(looks().await, 3);
    let other = city
        .id("SELECT id FROM casework WHERE region_code = '330382'")
        .await;
    let refused = handler.get(&format!("/cases/{other}")).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
    assert_eq!(looks().await, 3, "what is not shown was not looked at");
}

/// Whoever takes a list of people or enterprises away is in the log, with the number of rows.
#[tokio::test]
async fn lists_that_leave_are_logged() {
    let city = TestCity::open();
    let batch = city
        .id("SELECT id FROM batch WHERE region_code = '330324' LIMIT 1")
        .await;
    let file = city
        .id("SELECT f.id FROM payment_file f JOIN batch b ON b.id = f.batch_id WHERE b.region_code = '330324' LIMIT 1")
        .await;
    let lists = [
        ("finance1-yj", "/cases/export.xlsx?ended=all".to_owned()),
        ("handler1-yj", "/parties.xlsx".to_owned()),
        ("finance1-yj", "/bank-accounts.xlsx".to_owned()),
        ("finance1-yj", format!("/batches/{batch}/list.xlsx")),
        ("finance1-yj", format!("/payments/{file}/lines.xlsx")),
        ("reviewer-yj", "/objections/export.xlsx".to_owned()),
        ("system", "/accounts.xlsx".to_owned()),
    ];
    let count = "SELECT COUNT(*) FROM audit_event WHERE command = 'list.export'";
    for (at, (user, path)) in (1i64..).zip(&lists) {
        let mut visitor = city.log_in(user).await;
        let list = visitor.get(path).await;
        assert_eq!(list.status, StatusCode::OK, "{path}");
        assert!(list.bytes.starts_with(b"PK"), "{path}");
        assert_eq!(city.number(count).await, at, "{path}");
    }
    // One's own cases and what is public leave no trace.
    let mut enterprise = city.log_in("enterprise-yj").await;
    for path in ["/my/export.xlsx", "/paid/table.xlsx", "/items.xlsx"] {
        assert_eq!(enterprise.get(path).await.status, StatusCode::OK, "{path}");
    }
    assert_eq!(city.number(count).await, lists.len() as i64);
}

/// What there is no room for is refused before any of it is written.
#[tokio::test]
async fn too_many_papers_leave_nothing_behind() {
    let city = TestCity::open();
    let find = "FROM task t JOIN casework c ON c.id = t.case_id \
         WHERE t.state = 'open' AND t.node = 'inspect' AND c.region_code = '330382' ORDER BY t.id";
    let case = city.id(&format!("SELECT c.id {find}")).await;
    let task = city.id(&format!("SELECT t.id {find}")).await;
    let mut officer = city.log_in("handler1-yq").await;
    let page = officer.get(&format!("/cases/{case}")).await;
    let files = || walk(&city.folder().join("attachments"));
    let (before, kept) = (city.state().await, files());
    let pictures: Vec<Vec<u8>> = (0..61u8)
        .map(|number| [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".as_slice(), &[number]].concat())
        .collect();
    let uploads: Vec<(&str, &str, &[u8])> = pictures
        .iter()
        .map(|bytes| ("photos", "roof.png", bytes.as_slice()))
        .collect();
    let path = format!("/cases/{case}/tasks/{task}");
    let fields = [("version", "1"), ("action", "pass")];
    let answer = officer.upload_from(&page, &path, &fields, &uploads).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.says("最多上传 60 个文件"), "{}", answer.text());
    assert_eq!(files(), kept);
    assert_eq!(city.state().await, before);
}

/// How many files lie under a folder.
fn walk(folder: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap().flatten();
    entries
        .map(|entry| match entry.file_type().unwrap().is_dir() {
            true => walk(&entry.path()),
            false => 1,
        })
        .sum()
}

/// Leaders see figures and open no papers; the audit administrator sees the log and no case at all.
#[tokio::test]
async fn who_only_looks_on_opens_no_papers() {
    let city = TestCity::open();
    let find =
        "FROM casework c JOIN attachment a ON a.subject_id = c.id WHERE c.region_code = '330324'";
    let case = city.id(&format!("SELECT c.id {find}")).await;
    let file = city.id(&format!("SELECT a.id {find}")).await;
    for user in ["leader", "audit"] {
        let mut visitor = city.log_in(user).await;
        let page = visitor.get(&format!("/cases/{case}")).await;
        let wanted = match user {
            "leader" => StatusCode::OK,
            _ => StatusCode::FORBIDDEN,
        };
        assert_eq!(page.status, wanted, "{user}");
        assert!(!page.says("/reveal") && !page.says("/files/"), "{user}");
        let paper = visitor.get(&format!("/cases/{case}/files/{file}")).await;
        assert_eq!(paper.status, StatusCode::FORBIDDEN, "{user}");
    }
    let mut stranger = city.stranger();
    for path in ["/paid?q=%00", "/notices?q=%00", "/articles?q=%00"] {
        let answer = stranger.get(path).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{path}");
    }
}

/// Finance compares an account with its paper: the number is shown once, for a reason in the log.
#[tokio::test]
async fn finance_sees_an_account_for_a_reason() {
    let city = TestCity::open();
    let account = city
        .id("SELECT b.id FROM bank_account b JOIN party p ON p.id = b.party_id WHERE p.region_code = '330324'")
        .await;
    let path = format!("/bank-accounts/{account}");
    let mut finance = city.log_in("finance1-yj").await;
    let page = finance.get(&path).await;
    let masked = page.between("<dt>账号</dt><dd class=\"num\">", "<");
    let reveal = format!("{path}/reveal");
    let before = city.state().await;
    let refused = finance.post_from(&page, &reveal, &[("why", "")]).await;
    assert_eq!(refused.refused(), [("why", "reason")]);
    assert_eq!(city.state().await, before);
    let why = [("why", "与开户证明核对")];
    let told = finance.post_from(&page, &reveal, &why).await;
    let number = told.between("<dt>账号</dt><dd class=\"num\">", "<");
    assert_ne!(number, masked);
    assert!(
        number.len() >= 12 && number.bytes().all(|byte| byte.is_ascii_digit()),
        "{number}"
    );
    let logged = city
        .texts("SELECT detail FROM audit_event WHERE command = 'bank_account.reveal'")
        .await;
    assert_eq!(logged.len(), 1);
    assert!(logged[0].contains("与开户证明核对") && !logged[0].contains(&number));
    assert!(!finance.get(&path).await.says(&number));
    let mut leader = city.log_in("leader-yj").await;
    let refused = leader.get(&path).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
}
