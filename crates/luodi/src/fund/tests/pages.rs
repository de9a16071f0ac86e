//! The pages of batches and payment files, from every side.

use super::money::Story;
use super::*;

/// A multipart form with one file, as a browser posts it.
fn upload(
    city: &City,
    actor: &Actor,
    path: &str,
    fields: &[(&str, &str)],
    file: &[u8],
) -> (StatusCode, String) {
    let mut body = Vec::new();
    for (name, value) in [("csrf", "token")].iter().chain(fields) {
        let part =
            format!("--cut\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend(part.into_bytes());
    }
    body.extend(
        b"--cut\r\ncontent-disposition: form-data; name=\"reply\"; filename=\"r.csv\"\r\n\r\n",
    );
    body.extend_from_slice(file);
    body.extend(b"\r\n--cut--\r\n");
    let request = Request::post(path)
        .header(COOKIE, "luodi=any")
        .header(CONTENT_TYPE, "multipart/form-data; boundary=cut")
        .body(Body::from(body))
        .unwrap();
    answer(city.app(actor), request)
}

#[test]
fn a_batch_goes_through_its_pages() {
    let mut story = Story::new();
    for (name, amount) in [("甲公司", "300.00"), ("乙公司", "200.00")] {
        story.case(name, yuan(amount));
    }
    story.account("甲公司");
    let handler = story.handler();
    let (status, page) = story.city.get(&handler, "/batches/new");
    assert_eq!(status, StatusCode::OK, "{page}");
    assert!(
        page.contains("value=\"50000\">500.00</data>") && page.contains("可用 1,000.00 元"),
        "{page}"
    );
    let (item, line) = (story.item.to_string(), story.line.to_string());
    let mut form = vec![
        ("idempotency_key", "k1"),
        ("item", item.as_str()),
        ("period", "2026Q3"),
        ("line", ""),
        ("count", "2"),
        ("total_fen", "50000"),
    ];
    let (status, page) = story.city.post(&handler, "/batches/new", &form);
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        page.contains("id=\"error-line\" data-rule=\"required\""),
        "{page}"
    );
    form[3].1 = &line;
    let (status, _) = story.city.post(&handler, "/batches/new", &form);
    assert_eq!(status, StatusCode::SEE_OTHER);
    let filter = BatchFilter::default();
    let all = story
        .city
        .read(|q| crate::fund::batch_queries::list_batches(q, &handler, &filter, 9, 0));
    let [listed] = all.as_slice() else {
        panic!("{all:?}")
    };
    story.batch = Some(listed.batch.id);
    let path = format!("/batches/{}", listed.batch.id);
    for (actor, path, text) in [
        (
            &handler,
            "/batches?state=proposed&q=2026",
            "2026 年第三季度拟补名单",
        ),
        (&handler, path.as_str(), "与账簿一致"),
        (&handler, path.as_str(), "公示前移出一项"),
        (&story.reviewer(), path.as_str(), "/notice\">公示拟补名单"),
    ] {
        let (status, page) = story.city.get(actor, path);
        assert!(
            status == StatusCode::OK && page.contains(text),
            "{path} {text}: {page}"
        );
    }
    for export in [
        "/batches/export.xlsx".to_owned(),
        format!("{path}/list.xlsx"),
    ] {
        let (status, file) = story.city.get(&handler, &export);
        assert!(
            status == StatusCode::OK && file.starts_with("PK"),
            "{export}"
        );
    }
    let mut elsewhere = handler.clone();
    elsewhere.region = region("330382");
    assert_eq!(story.city.get(&elsewhere, &path).0, StatusCode::NOT_FOUND);
}

/// A final list of 甲公司, 300.00, and 乙公司, 200.00, who has no account.
fn final_list() -> Story {
    let mut story = Story::new();
    for (name, amount) in [("甲公司", "300.00"), ("乙公司", "200.00")] {
        story.case(name, yuan(amount));
    }
    story.account("甲公司");
    for step in ["batch", "notice", "finalise"] {
        story.play(&[step]).unwrap();
    }
    story
}

#[test]
fn a_payment_file_is_made_and_handed_out_on_its_pages() {
    let story = final_list();
    let (finance, batch) = (story.city.finance.clone(), story.found());
    let path = format!("/batches/{}", batch.id);
    let (_, page) = story.city.get(&finance, &path);
    assert!(
        page.contains("没有已核准的收款账户") && page.contains("生成支付文件：1 笔，300.00 元"),
        "{page}"
    );
    let version = batch.version.to_string();
    let form = [
        ("idempotency_key", "k1"),
        ("action", "create_payment_file"),
        ("version", version.as_str()),
    ];
    assert_eq!(
        story.city.post(&finance, &path, &form).0,
        StatusCode::SEE_OTHER
    );
    assert_eq!(
        story.city.post(&finance, &path, &form).0,
        StatusCode::SEE_OTHER,
        "once in effect"
    );
    let file = story.last_file();
    assert_eq!((file.line_count, file.total), (1, yuan("300.00")));
    let path = format!("/payments/{}", file.id);
    let (status, page) = story.city.get(&finance, &path);
    assert!(
        status == StatusCode::OK && page.contains(&file.sha256),
        "{page}"
    );
    let (status, body) = story.city.post(
        &finance,
        &path,
        &[("idempotency_key", "k2"), ("action", "download")],
    );
    assert!(
        status == StatusCode::OK && body.starts_with("\u{feff}文件编号,ZF330324-2026-0001"),
        "{body}"
    );
    let reviewer = story.reviewer();
    let (_, page) = story.city.get(&reviewer, &path);
    assert!(!page.contains("下载支付文件"), "{page}");
    let denied = story.city.post(
        &reviewer,
        &path,
        &[("idempotency_key", "k4"), ("action", "download")],
    );
    assert_eq!(denied.0, StatusCode::FORBIDDEN);
}

#[test]
fn a_reply_is_taken_in_on_the_page_of_its_file() {
    let story = final_list();
    story.send().unwrap();
    let (finance, file) = (story.city.finance.clone(), story.last_file());
    let path = format!("/payments/{}", file.id);
    let version = file.version.to_string();
    let form = [
        ("idempotency_key", "k3"),
        ("action", "apply_reply"),
        ("version", version.as_str()),
    ];
    let bad = format!("文件编号,{}\n7,成功,,2026-11-23\n", file.number);
    let (status, page) = upload(&story.city, &finance, &path, &form, bad.as_bytes());
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        page.contains("回单第 2 行：行号 7 不在支付文件中"),
        "{page}"
    );
    assert!(
        page.contains("id=\"error-reply\" data-rule=\"reply-unknown-line\""),
        "{page}"
    );
    assert!(page.contains("刚才选的「r.csv」没有登记"), "{page}");
    let good = format!("文件编号,{}\n1,退回,户名不符,2026-11-23\n", file.number);
    assert_eq!(
        upload(&story.city, &finance, &path, &form, good.as_bytes()).0,
        StatusCode::SEE_OTHER
    );
    let (_, page) = story.city.get(&finance, &path);
    assert!(
        page.contains("户名不符") && page.contains("data-state=\"answered\""),
        "{page}"
    );
    let (_, page) = story.city.get(&finance, "/payments?state=answered");
    assert!(page.contains(&file.number), "{page}");
    let (status, lines) = story.city.get(&finance, &format!("{path}/lines.xlsx"));
    assert!(status == StatusCode::OK && lines.starts_with("PK"));
    story.holds("after all pages");
}

#[test]
fn the_overview_counts_what_its_links_list() {
    let mut story = Story::new();
    for (name, amount) in [("甲公司", "300.00"), ("乙公司", "200.00")] {
        story.case(name, yuan(amount));
        story.account(name);
    }
    let leader = staff("leader", Role::Leader, None);
    let (status, page) = story.city.get(&leader, "/overview");
    assert_eq!(status, StatusCode::OK, "{page}");
    assert!(
        page.contains("<data value=\"2\">2</data> 件") && page.contains("500.00"),
        "{page}"
    );
    assert!(
        page.contains("<rect x=\"0\" width=\"1000\" height=\"16\"/>"),
        "{page}"
    );
    for step in ["batch", "notice", "finalise", "send"] {
        story.play(&[step]).unwrap();
    }
    story.play(&["reply", "甲公司=成功"]).unwrap();
    let (_, page) = story.city.get(&leader, "/overview");
    assert!(
        page.contains("href=\"/cases?state=paid\"") && page.contains("1,000.00"),
        "{page}"
    );
    assert!(
        page.contains("<rect class=\"paid\" x=\"0\" width=\"300\""),
        "{page}"
    );
    for link in [
        "/cases?due=today&ended=no",
        "/budgets?year=2026&region=330324",
        "/payments",
    ] {
        assert_eq!(story.city.get(&leader, link).0, StatusCode::OK, "{link}");
    }
    assert_eq!(
        story.city.get(&story.handler(), "/overview").0,
        StatusCode::FORBIDDEN
    );
}
