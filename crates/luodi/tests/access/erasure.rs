//! All data of one party: taken along by itself, and erased for good.

use std::collections::BTreeSet;
use std::io::{Cursor, Read};

use axum::http::StatusCode;
use luodi::params;
use luodi::store::StoreError;
use uuid::Uuid;

use super::crawl::crawl;
use crate::support::{TestCity, Visitor};

/// A natural person of 永嘉 who was paid and to whom nothing is owed.
const PAID_PERSON: &str = "SELECT p.id FROM party p WHERE p.kind = 'person' AND p.region_code = '330324' \
     AND EXISTS (SELECT 1 FROM batch_entry e WHERE e.party_id = p.id AND e.state = 'paid') \
     AND NOT EXISTS (SELECT 1 FROM batch_entry e WHERE e.party_id = p.id AND e.state NOT IN ('paid', 'removed')) \
     ORDER BY p.id";

/// Ends what still runs of a party.
async fn end_its_cases(city: &TestCity, id: &str) {
    let party = Uuid::parse_str(id).unwrap();
    let sql = "UPDATE casework SET ended_at = 1, state = 'withdrawn' \
               WHERE party_id = ?1 AND ended_at IS NULL";
    city.force(sql, vec![party.into()]).await;
}

/// The texts under which a person is known, and where the contents of the files lie.
struct Person {
    name: String,
    secrets: BTreeSet<String>,
    contents: Vec<std::path::PathBuf>,
    cases: Vec<String>,
}

async fn person(city: &TestCity, id: &str) -> Person {
    let party = Uuid::parse_str(id).unwrap();
    let folder = city.folder().join("attachments");
    let read = city.app.store.read(move |q| {
        let (name, sealed) = q.row(
            "SELECT name, id_number_sealed, phone_sealed, address_sealed FROM party WHERE id = ?1",
            params![party],
            |r| {
                let sealed = [r.get::<Vec<u8>>(1)?, r.get(2)?, r.get(3)?];
                Ok((r.get::<String>(0)?, sealed))
            },
        )?;
        let mut secrets = BTreeSet::new();
        for bytes in sealed {
            secrets.insert(q.open(party, &bytes)?);
        }
        let accounts = q.rows(
            "SELECT account_sealed FROM bank_account WHERE party_id = ?1",
            params![party],
            |r| r.get::<Vec<u8>>(0),
        )?;
        for bytes in accounts {
            secrets.insert(q.open(party, &bytes)?);
        }
        let contents = q.rows(
            "SELECT content_name FROM attachment WHERE owner_id = ?1",
            params![party],
            |r| r.get::<String>(0),
        )?;
        let contents = contents
            .iter()
            .map(|name| folder.join(&name[..2]).join(name))
            .collect();
        let cases = q.rows(
            "SELECT id FROM casework WHERE party_id = ?1",
            params![party],
            |r| Ok(r.get::<Uuid>(0)?.simple().to_string()),
        )?;
        Ok::<_, StoreError>(Person {
            name,
            secrets,
            contents,
            cases,
        })
    });
    read.await.unwrap()
}

async fn ask_to_erase(visitor: &mut Visitor<'_>, base: &str) -> crate::support::Answer {
    let page = visitor.get(base).await;
    let form = format!("{base}/erasure");
    let reason = [("reason", "本人书面申请，业务已全部办结")];
    visitor.post_from(&page, &form, &reason).await
}

#[tokio::test]
async fn an_erased_person_is_gone_and_every_page_stands() {
    let city = TestCity::open();
    let id = city.id(PAID_PERSON).await;
    let known = person(&city, &id).await;
    assert!(known.secrets.len() >= 4 && !known.contents.is_empty() && !known.cases.is_empty());
    end_its_cases(&city, &id).await;
    let base = format!("/parties/{id}/data");
    // The years of a paid subsidy bind, and the page says until when.
    let mut window = city.log_in("window-yj").await;
    let bound = ask_to_erase(&mut window, &base).await;
    assert_eq!(bound.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        bound.says("会计档案管理办法") && bound.says("最早可在 2036-"),
        "{}",
        bound.text()
    );
    assert_eq!(city.number("SELECT COUNT(*) FROM erasure").await, 0);

    city.clock.set("2037-06-01T02:00:00Z".parse().unwrap());
    let mut window = city.log_in("window-yj").await;
    let asked = ask_to_erase(&mut window, &base).await;
    assert_eq!(asked.status, StatusCode::SEE_OTHER, "{}", asked.text());
    let again = ask_to_erase(&mut window, &base).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    // Who asked does not decide, also with the role.
    city.give_role("window-yj", "reviewer").await;
    let mut window = city.log_in("window-yj").await;
    let page = window.get(&base).await;
    assert!(!page.says("value=\"erase\""));
    let decide = format!("{base}/erasure/decide");
    let fields = [("version", "1"), ("action", "erase")];
    let own = window.post_from(&page, &decide, &fields).await;
    assert_eq!(own.status, StatusCode::FORBIDDEN);

    let mut reviewer = city.log_in("reviewer-yj").await;
    assert!(reviewer.get("/work").await.says("/erasures"));
    assert!(reviewer.get("/erasures").await.says(&known.name));
    let before = city.differing();
    let page = reviewer.get(&base).await;
    let done = reviewer.post_from(&page, &decide, &fields).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text());
    let mut after = city.differing();
    after.retain(|row| !before.contains(row));
    assert_eq!(after, Vec::<String>::new());
    let page = reviewer.get("/account").await;
    let late = reviewer.post_from(&page, &decide, &fields).await;
    assert_eq!(late.status, StatusCode::CONFLICT, "{}", late.text());

    nothing_is_left(&city, &id, &known).await;
    let shown = reviewer.get(&format!("/parties/{id}")).await;
    assert!(shown.says("已依法删除") && !shown.says(&known.name));
    nothing_is_done_any_more(&city, &id).await;
    every_page_stands(&city, &id, &known).await;
}

async fn nothing_is_left(city: &TestCity, id: &str, known: &Person) {
    let party = Uuid::parse_str(id).unwrap();
    let key = city.app.store.read(move |q| q.data_key(party).map(drop));
    assert!(matches!(key.await, Err(StoreError::KeyDestroyed(_))));
    for place in &known.contents {
        assert!(!place.exists(), "{}", place.display());
    }
    let own = format!("X'{id}'");
    let of_case = format!("case_id IN (SELECT c.id FROM casework c WHERE c.party_id = {own})");
    let (row, of_party) = (format!("id = {own}"), format!("party_id = {own}"));
    let all = "1 = 1".to_owned();
    for (table, columns, which) in [
        ("party", "name || name_folded", &row),
        ("bank_account", "holder_name", &of_party),
        (
            "casework",
            "party_name || title || form || COALESCE(explanation, '')",
            &of_party,
        ),
        ("batch_entry", "party_name || title", &of_party),
        ("ledger_entry", "memo", &all),
        ("account", "name", &of_party),
        ("message", "title || body", &of_party),
        (
            "task",
            "COALESCE(reason, '') || COALESCE(data, '')",
            &of_case,
        ),
        ("audit_event", "detail", &all),
    ] {
        let sql = format!("SELECT {columns} FROM {table} WHERE {which}");
        let mut texts = city.texts(&sql).await.into_iter();
        let holding = texts.find(|text| text.contains(&known.name));
        assert_eq!(holding, None, "{table}");
    }
    let ledger = city.app.store.read(|q| luodi::fund::verify(&**q));
    let ledger = ledger.await.unwrap();
    assert!(ledger.is_ok(), "{:?}", ledger.findings);
    let logged = city
        .texts("SELECT actor_label FROM audit_event WHERE command = 'personal.erase'")
        .await;
    assert_eq!(logged, ["reviewer-yj"]);
}

/// Nobody registers, applies or pays for an erased party.
async fn nothing_is_done_any_more(city: &TestCity, id: &str) {
    let mut window = city.log_in("window-yj").await;
    let page = window.get(&format!("/parties/{id}/amend")).await;
    let version = page.hidden("version");
    let fields = [
        ("version", version.as_str()),
        ("name", "王小明"),
        ("phone", "19900001111"),
    ];
    let path = format!("/parties/{id}/amend");
    let amended = window.post_from(&page, &path, &fields).await;
    assert_eq!(amended.status, StatusCode::CONFLICT, "{}", amended.text());
    let path = format!("/parties/{id}/account");
    let page = window.get(&path).await;
    let opened = window
        .post_from(&page, &path, &[("login", "once-more")])
        .await;
    assert_eq!(opened.status, StatusCode::CONFLICT, "{}", opened.text());
    let data = format!("/parties/{id}/data");
    let page = window.get(&data).await;
    let reason = [("why", "本人到窗口书面申请复制")];
    let copied = window
        .post_from(&page, &format!("{data}/export"), &reason)
        .await;
    assert_eq!(copied.status, StatusCode::CONFLICT, "{}", copied.text());
}

async fn every_page_stands(city: &TestCity, id: &str, known: &Person) {
    let cases: Vec<String> = known
        .cases
        .iter()
        .map(|case| format!("/cases/{case}"))
        .collect();
    let party = format!("/parties/{id}");
    let mut from = vec![party.as_str(), "/work", "/parties?kind=person"];
    from.extend(cases.iter().map(String::as_str));
    for user in [
        "window-yj",
        "handler1-yj",
        "reviewer-yj",
        "finance1-yj",
        "leader-yj",
        "audit",
    ] {
        let mut visitor = city.log_in(user).await;
        // No page answers with a fault, and none shows what is gone.
        for (path, text) in crawl(&mut visitor, &from).await {
            // An enterprise's representative may bear the same name.
            let of_others = ["/parties/", "/cases/"]
                .iter()
                .any(|of| path.starts_with(of))
                && !path.contains(id)
                && !known.cases.iter().any(|case| path.contains(case));
            assert!(
                of_others || !text.contains(&known.name),
                "{user} reads the name at {path}"
            );
            for secret in &known.secrets {
                assert!(!text.contains(secret), "{user} reads it at {path}");
            }
        }
    }
    let mut handler = city.log_in("handler1-yj").await;
    for case in &known.cases {
        let of_case = format!("SELECT id FROM attachment WHERE subject_id = X'{case}'");
        for file in city.ids(&of_case).await {
            let gone = handler.get(&format!("/cases/{case}/files/{file}")).await;
            assert_eq!(gone.status, StatusCode::NOT_FOUND, "{}", gone.text());
            assert!(gone.says("已依法删除"), "{}", gone.text());
        }
    }
}

/// A party with something on the way is not erased; whoever refuses says why.
#[tokio::test]
async fn what_runs_binds_and_a_refusal_has_its_reason() {
    let city = TestCity::open();
    let running = city
        .id(
            "SELECT p.id FROM party p JOIN casework c ON c.party_id = p.id \
             WHERE c.ended_at IS NULL AND p.region_code = '330324'",
        )
        .await;
    let mut window = city.log_in("window-yj").await;
    let bound = ask_to_erase(&mut window, &format!("/parties/{running}/data")).await;
    assert_eq!(bound.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(bound.says("还在办理"), "{}", bound.text());
    let free = city
        .id("SELECT p.id FROM party p WHERE p.region_code = '330324' \
             AND NOT EXISTS (SELECT 1 FROM casework c WHERE c.party_id = p.id)")
        .await;
    let base = format!("/parties/{free}/data");
    let asked = ask_to_erase(&mut window, &base).await;
    assert_eq!(asked.status, StatusCode::SEE_OTHER, "{}", asked.text());
    let mut reviewer = city.log_in("reviewer-yj").await;
    let page = reviewer.get(&base).await;
    let decide = format!("{base}/erasure/decide");
    let no_reason = [("version", "1"), ("action", "refuse"), ("reason", "")];
    let silent = reviewer.post_from(&page, &decide, &no_reason).await;
    assert_eq!(silent.refused(), [("reason", "reason")]);
    let reason = [
        ("version", "1"),
        ("action", "refuse"),
        ("reason", "本人已撤回申请"),
    ];
    let refused = reviewer.post_from(&page, &decide, &reason).await;
    assert_eq!(refused.status, StatusCode::SEE_OTHER, "{}", refused.text());
    let erased = "SELECT COUNT(*) FROM party WHERE erased_at IS NOT NULL";
    assert_eq!(city.number(erased).await, 0);
}

/// The names and contents of a ZIP.
fn unpacked(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut found = Vec::new();
    for index in 0..archive.len() {
        let mut part = archive.by_index(index).unwrap();
        let mut content = Vec::new();
        part.read_to_end(&mut content).unwrap();
        found.push((part.name().unwrap().into_owned(), content));
    }
    found
}

#[tokio::test]
async fn a_party_takes_all_its_data_along() {
    let city = TestCity::open();
    let id = city.id(PAID_PERSON).await;
    let known = person(&city, &id).await;
    let base = format!("/parties/{id}/data");
    let mut window = city.log_in("window-yj").await;
    let page = window.get(&base).await;
    let form = format!("{base}/export");
    let silent = window.post_from(&page, &form, &[("why", "")]).await;
    assert_eq!(silent.refused(), [("why", "reason")]);
    let reason = [("why", "本人到窗口书面申请复制")];
    let asked = window.post_from(&page, &form, &reason).await;
    assert_eq!(asked.status, StatusCode::SEE_OTHER, "{}", asked.text());
    assert!(window.get(&base).await.says("正在生成"));
    assert_eq!(
        window.get(&format!("{base}/file")).await.status,
        StatusCode::NOT_FOUND
    );
    luodi::work::drain(&city.app).await.unwrap();
    assert!(window.get(&base).await.says("下载副本"));
    let copy = window.get(&format!("{base}/file")).await;
    assert_eq!(copy.status, StatusCode::OK, "{}", copy.text());
    let parts = unpacked(&copy.bytes);
    let part = |name: &str| {
        let found = parts.iter().find(|(known, _)| known == name);
        String::from_utf8(found.unwrap().1.clone()).unwrap()
    };
    let (data, page) = (part("data.json"), part("index.html"));
    for secret in known.secrets.iter().chain([&known.name]) {
        assert!(data.contains(secret) && page.contains(secret), "{secret}");
    }
    // The page speaks to people; codes and ids stay in the file for programs.
    for word in ["自然人", "已核准", "永嘉县", "年", "已办结"] {
        assert!(page.contains(word), "{word}");
    }
    let cells = page.split("<pre>").skip(1);
    for cell in cells.map(|cell| cell.split("</pre>").next().unwrap()) {
        assert!(uuid::Uuid::try_parse(cell).is_err(), "{cell}");
        let code = ["person", "approved", "330324", "done", "paid"].contains(&cell);
        assert!(!code && !cell.contains(":00.000"), "{cell}");
    }
    assert!(data.contains("\"approved\"") && data.contains("\"330324\""));
    for title in [
        "收款账户",
        "申报表",
        "拟补名单中的记录",
        "拨付",
        "公示中的记录",
        "项目名称",
    ] {
        assert!(data.contains(title), "{title}");
    }
    let papers: Vec<_> = parts
        .iter()
        .filter(|(name, _)| name.starts_with("files/"))
        .collect();
    assert_eq!(papers.len(), known.contents.len());
    assert!(papers.iter().all(|(_, bytes)| infer::get(bytes).is_some()));
    let logged = "SELECT COUNT(*) FROM audit_event WHERE command = 'personal.download'";
    assert_eq!(city.number(logged).await, 1);
    // It lies on the disk sealed, and is gone after a week.
    let place = city
        .texts("SELECT content_name FROM attachment WHERE subject_kind = 'data_export'")
        .await;
    let place = city
        .folder()
        .join("attachments")
        .join(&place[0][..2])
        .join(&place[0]);
    assert_eq!(infer::get(&std::fs::read(&place).unwrap()), None);
    city.clock.set("2026-12-01T02:00:01Z".parse().unwrap());
    luodi::work::drain(&city.app).await.unwrap();
    let mut window = city.log_in("window-yj").await;
    assert_eq!(
        window.get(&format!("{base}/file")).await.status,
        StatusCode::NOT_FOUND
    );
    let left =
        "SELECT COUNT(*) FROM attachment WHERE subject_kind = 'data_export' AND content_name <> ''";
    assert_eq!(city.number(left).await, 0);
}

/// The applicant's own page needs no reason and leads to nobody else's data.
#[tokio::test]
async fn an_applicant_copies_its_own_data() {
    let city = TestCity::open();
    let mut enterprise = city.log_in("enterprise-yj").await;
    let page = enterprise.get("/my/data").await;
    let asked = enterprise.post_from(&page, "/my/data/export", &[]).await;
    assert_eq!(asked.status, StatusCode::SEE_OTHER, "{}", asked.text());
    luodi::work::drain(&city.app).await.unwrap();
    let copy = enterprise.get("/my/data/file").await;
    assert!(unpacked(&copy.bytes).len() > 2);
    let other = city
        .id("SELECT id FROM party WHERE region_code = '330382'")
        .await;
    let foreign = enterprise.get(&format!("/parties/{other}/data")).await;
    assert_eq!(foreign.status, StatusCode::FORBIDDEN);
}

/// Asks at the window and has it decided by the reviewer.
async fn erase(city: &TestCity, id: &str) {
    let base = format!("/parties/{id}/data");
    let mut window = city.log_in("window-yj").await;
    let asked = ask_to_erase(&mut window, &base).await;
    assert_eq!(asked.status, StatusCode::SEE_OTHER, "{}", asked.text());
    let mut reviewer = city.log_in("reviewer-yj").await;
    let page = reviewer.get(&base).await;
    let fields = [("version", "1"), ("action", "erase")];
    let decide = format!("{base}/erasure/decide");
    let done = reviewer.post_from(&page, &decide, &fields).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text());
}

#[tokio::test]
async fn names_of_before_and_what_log_ins_left_go_too() {
    const BEFORE: &str = "欧阳旧名";
    let city = TestCity::open();
    let id = city.id(PAID_PERSON).await;
    let party = || vec![Uuid::parse_str(&id).unwrap().into()];
    end_its_cases(&city, &id).await;
    let sql = "UPDATE account SET party_id = ?2 WHERE id = ?1";
    city.force_account("citizen-yj", sql, party()).await;
    // The person was called otherwise when its cases were made, and wrote the name into them.
    let sql = "UPDATE casework SET party_name = '欧阳旧名', title = '欧阳旧名家的屋顶' WHERE party_id = ?1";
    city.force(sql, party()).await;
    let sql = "UPDATE case_value SET text_value = '欧阳旧名一号' WHERE name = 'meter_no' \
               AND case_id IN (SELECT c.id FROM casework c WHERE c.party_id = ?1)";
    city.force(sql, party()).await;
    city.log_in("citizen-yj").await;
    city.clock.set("2037-06-01T02:00:00Z".parse().unwrap());
    city.log_in("citizen-yj").await;
    let mut window = city.log_in("window-yj").await;
    let base = format!("/parties/{id}/data");
    let page = window.get(&base).await;
    let why = [("why", "本人到窗口书面申请复制")];
    let asked = window
        .post_from(&page, &format!("{base}/export"), &why)
        .await;
    assert_eq!(asked.status, StatusCode::SEE_OTHER, "{}", asked.text());
    let is_of = "account_id = (SELECT id FROM account WHERE login = 'citizen-yj')";
    let traces = async || {
        let mut counts = Vec::new();
        for table in ["session", "known_device", "password_past", "sent_code"] {
            let sql = format!("SELECT CAST(COUNT(*) AS TEXT) FROM {table} WHERE {is_of}");
            counts.push(city.texts(&sql).await.remove(0));
        }
        counts
    };
    assert_eq!(traces().await, ["1", "1", "0", "0"]);
    erase(&city, &id).await;
    assert_eq!(traces().await, ["0"; 4]);

    for sql in [
        "SELECT party_name || title FROM casework",
        "SELECT text_value FROM case_value WHERE text_value IS NOT NULL",
    ] {
        let texts = city.texts(sql).await;
        let holding = texts.iter().find(|text| text.contains(BEFORE));
        assert_eq!(holding, None, "{sql}");
    }
    // What the erasure changed in the values of cases is named in the log.
    let differing = city.differing();
    let unnamed = differing.iter().find(|row| row.starts_with("case_value"));
    assert_eq!(unnamed, None);

    // The copy that was being made is let go, and nobody is told that it is ready.
    let of_copies = "SELECT state FROM data_export";
    assert_eq!(city.texts(of_copies).await, ["ended"]);
    let told = "SELECT COUNT(*) FROM message WHERE title = '个人信息副本已生成'";
    let before = city.number(told).await;
    luodi::work::drain(&city.app).await.unwrap();
    assert_eq!(city.texts(of_copies).await, ["ended"]);
    assert_eq!(city.number(told).await, before);
}

/// A party that was registered elsewhere meanwhile does not hide the other requests.
#[tokio::test]
async fn the_list_of_requests_stands_whoever_moved() {
    let city = TestCity::open();
    let free = "SELECT p.id FROM party p WHERE p.region_code = '330324' AND p.kind = 'person' \
                AND NOT EXISTS (SELECT 1 FROM casework c WHERE c.party_id = p.id) ORDER BY p.id";
    let ids = city.ids(free).await;
    let mut window = city.log_in("window-yj").await;
    for id in &ids[..2] {
        let asked = ask_to_erase(&mut window, &format!("/parties/{id}/data")).await;
        assert_eq!(asked.status, StatusCode::SEE_OTHER, "{}", asked.text());
    }
    let names = city
        .texts(&format!(
            "SELECT name FROM party WHERE id IN (X'{}', X'{}') ORDER BY id",
            ids[0], ids[1]
        ))
        .await;
    let moved = vec![Uuid::parse_str(&ids[0]).unwrap().into()];
    let sql = "UPDATE party SET region_code = '330302' WHERE id = ?1";
    city.force(sql, moved).await;
    let mut reviewer = city.log_in("reviewer-yj").await;
    let list = reviewer.get("/erasures").await;
    assert_eq!(list.status, StatusCode::OK, "{}", list.text());
    assert!(
        list.says(&names[1]) && !list.says(&names[0]),
        "{}",
        list.text()
    );
}
