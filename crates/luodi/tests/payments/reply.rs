//! The bank's reply: any fault refuses it whole, names line and rule, and the ledger stays.

use axum::http::StatusCode;

use super::pay::final_batch;
use crate::support::{Answer, TestCity, Visitor};

/// A payment file that waits for its reply: its address and number.
async fn sent<'a>(city: &'a TestCity, finance: &mut Visitor<'a>) -> (String, String) {
    let batch = final_batch(city).await;
    // A day has passed: the session of the day before is over.
    *finance = city.log_in("finance1-yj").await;
    let page = finance.get(&batch).await;
    let version = page.hidden("version");
    let fields = [
        ("version", version.as_str()),
        ("action", "create_payment_file"),
    ];
    let made = finance.post_from(&page, &batch, &fields).await;
    assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.text());
    let waits = "FROM payment_file WHERE id IN (SELECT file_id FROM payment WHERE state = 'sent')";
    let id = city.id(&format!("SELECT id {waits}")).await;
    let number = city
        .texts(&format!("SELECT number {waits}"))
        .await
        .remove(0);
    (format!("/payments/{id}"), number)
}

async fn hand_in(finance: &mut Visitor<'_>, page: &Answer, path: &str, csv: &[u8]) -> Answer {
    let version = page.hidden("version");
    let fields = [("version", version.as_str()), ("action", "apply_reply")];
    finance
        .upload_from(page, path, &fields, &[("reply", "reply.csv", csv)])
        .await
}

#[tokio::test]
async fn a_reply_with_a_fault_is_refused_whole() {
    let city = TestCity::open();
    let mut finance = city.log_in("finance1-yj").await;
    let (path, number) = sent(&city, &mut finance).await;
    let page = finance.get(&path).await;
    let before = city.state().await;
    let head = format!("文件编号,{number}\n行号,结果,原因,日期\n");
    let good = "1,成功,,2026-11-24\n";
    let csv = |lines: &str| format!("{head}{good}{lines}").into_bytes();
    let mut gbk = csv("2,成功,,2026-11-24\n");
    gbk.extend_from_slice(b"\xb3\xc9\xb9\xa6");
    for (reply, line, rule) in [
        (
            csv("99,成功,,2026-11-24\n"),
            "第 4 行",
            "reply-unknown-line",
        ),
        (
            csv("1,退回,户名不符,2026-11-24\n"),
            "第 4 行",
            "reply-duplicate-line",
        ),
        (
            csv("2,成功,,2026-02-30\n"),
            "第 4 行",
            "reply-impossible-date",
        ),
        (
            csv("2,成功,,2026-11-25\n"),
            "第 4 行",
            "reply-date-out-of-range",
        ),
        (csv("2,退回,,2026-11-24\n"), "第 4 行", "reply-no-reason"),
        (
            csv("2,好像成功,,2026-11-24\n"),
            "第 4 行",
            "reply-unknown-result",
        ),
        (csv("-2,成功,,2026-11-24\n"), "第 4 行", "reply-line-number"),
        (
            csv("2,成功,,2026-11-24,0.01\n"),
            "第 4 行",
            "reply-other-amount",
        ),
        (csv("2,成功\n"), "第 4 行", "reply-cells"),
        (csv("2,\"成功,,2026-11-24\n"), "第 4 行", "reply-quote"),
        (csv("2,成功,,2026-11-24,很多\n"), "第 4 行", "reply-amount"),
        (gbk, "第 1 行", "reply-no-file-number"),
        (
            format!("文件编号,{number}9\n{good}").into_bytes(),
            "第 1 行",
            "reply-other-file",
        ),
        (good.as_bytes().to_vec(), "第 1 行", "reply-no-file-number"),
        (head.clone().into_bytes(), "银行回单", "reply-no-lines"),
        (b"PK\x03\x04\xff\xfe".to_vec(), "银行回单", "reply-not-text"),
        (csv("2,,,2026-11-24\n"), "第 4 行", "reply-no-result"),
        (
            csv("笔数,2\n"),
            "第 4 行：笔数 2 与回单中的 1 行结果不符",
            "reply-other-count",
        ),
    ] {
        let answer = hand_in(&mut finance, &page, &path, &reply).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{rule}");
        assert_eq!(answer.refused(), [("reply", rule)]);
        assert!(answer.says(line), "{rule}: {}", answer.text());
        assert!(answer.says("账目没有变动"), "{rule}: {}", answer.text());
    }
    let nothing = finance
        .upload_from(
            &page,
            &path,
            &[("version", "1"), ("action", "apply_reply")],
            &[],
        )
        .await;
    assert_eq!(nothing.refused(), [("reply", "required")]);
    assert_eq!(city.state().await, before);
}

/// The same reply again changes nothing; one that says otherwise is refused.
#[tokio::test]
async fn a_reply_is_taken_once() {
    let city = TestCity::open();
    let mut finance = city.log_in("finance1-yj").await;
    let (path, number) = sent(&city, &mut finance).await;
    let page = finance.get(&path).await;
    let csv = format!("文件编号,{number}\n1,成功,,2026-11-24\n2,退回,账号有误,2026-11-24\n");
    let first = hand_in(&mut finance, &page, &path, csv.as_bytes()).await;
    assert_eq!(first.status, StatusCode::SEE_OTHER, "{}", first.text());
    let again = finance.get(&path).await;
    let second = hand_in(&mut finance, &again, &path, csv.as_bytes()).await;
    assert_eq!(second.status, StatusCode::SEE_OTHER, "{}", second.text());
    // The page says when and by whom it was taken in, and leads there; nothing was added.
    let replies = city.number("SELECT COUNT(*) FROM bank_reply").await;
    assert_eq!(
        replies,
        city.number("SELECT COUNT(DISTINCT sha256) FROM bank_reply")
            .await
    );
    let told = finance.get(&second.location).await;
    assert!(told.says("这份回单已于 2026-11-24"), "{}", told.text());
    let link = told.between("先前登记的回单：<a href=\"#", "\"");
    assert!(told.says(&format!("id=\"{link}\"")), "{link}");
    let spaced = format!("{csv}\n\n");
    let page = finance.get(&path).await;
    let third = hand_in(&mut finance, &page, &path, spaced.as_bytes()).await;
    let told = finance.get(&third.location).await;
    assert!(told.says("这份回单的每一笔都已登记过"), "{}", told.text());
    assert_eq!(
        city.number("SELECT COUNT(*) FROM bank_reply").await,
        replies
    );
    let ledger = "SELECT COUNT(*) FROM posting";
    let postings = city.number(ledger).await;
    let otherwise = format!("文件编号,{number}\n1,退回,户名不符,2026-11-24\n");
    let page = finance.get(&path).await;
    let refused = hand_in(&mut finance, &page, &path, otherwise.as_bytes()).await;
    assert_eq!(refused.refused(), [("reply", "reply-contradiction")]);
    assert_eq!(city.number(ledger).await, postings);
}
