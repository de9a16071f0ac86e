//! What everybody may see of payments: exactly those the bank made, named as in their notice, each
//! with the notice behind it; and the way from a batch to its notice and back.

use axum::http::StatusCode;

use crate::support::{Answer, TestCity};

/// Number and sum of the payments a page says it shows.
fn said(page: &Answer) -> (u64, i64) {
    let foot = page.html.split_once("<nav class=\"pages\"").unwrap().1;
    let count = foot.split_once("<data value=\"").unwrap().1;
    let count = count.split_once('"').unwrap().0.parse().unwrap();
    let sum = page.html.split_once("<tr class=\"sum\">").unwrap().1;
    let sum = sum.split_once(" value=\"").unwrap().1;
    (count, sum.split_once('"').unwrap().0.parse().unwrap())
}

#[tokio::test]
async fn the_figure_of_the_home_page_is_the_list_behind_it() {
    let city = TestCity::open();
    let mut visitor = city.stranger();
    let home = visitor.get("/").await;
    let section = home.between("id=\"paid\"", "</section>");
    let (sum, rest) = section
        .split_once(" value=\"")
        .unwrap()
        .1
        .split_once('"')
        .unwrap();
    let count = rest.split_once("value=\"").unwrap().1;
    let count: u64 = count.split_once('"').unwrap().0.parse().unwrap();
    let link = rest.split_once("href=\"").unwrap().1;
    let link = link
        .split_once('"')
        .unwrap()
        .0
        .replace("&#38;", "&")
        .replace("&amp;", "&");
    let list = visitor.get(&link).await;
    assert_eq!(list.status, StatusCode::OK, "{link}");
    assert_eq!(said(&list), (count, sum.parse().unwrap()), "{link}");

    // Nobody is named but as in the notice.
    let persons = city
        .texts("SELECT e.party_name FROM batch_entry e WHERE e.party_kind = 'person' AND e.state = 'paid'")
        .await;
    assert!(!persons.is_empty(), "the demonstration pays persons");
    let csv = visitor
        .get(&link.replacen("/paid?", "/paid/table.csv?", 1))
        .await;
    assert_eq!(csv.html.lines().count() as u64, count + 1);
    for page in [&list, &csv] {
        for person in &persons {
            assert!(!page.says(person), "{person}");
        }
    }
    let named = city
        .texts("SELECT public_name FROM batch_entry WHERE party_kind = 'person' AND state = 'paid' LIMIT 1")
        .await;
    assert!(csv.says(&named[0]), "{named:?}");

    // One click leads to the line of the notice.
    let notice = list.between("<a href=\"/notices/", "\"");
    let (notice, line) = notice.split_once('#').unwrap();
    let notice = visitor.get(&format!("/notices/{notice}")).await;
    assert!(notice.says(&format!("id=\"{line}\"")), "{line}");
    assert!(!notice.says("批次和名单"), "the batch is not public");
}

#[tokio::test]
async fn payments_are_found_by_what_is_published() {
    let city = TestCity::open();
    let mut visitor = city.stranger();
    let full = city
        .texts("SELECT party_name FROM batch_entry WHERE party_kind = 'person' AND state = 'paid' LIMIT 1")
        .await;
    let find = |text: &str| {
        let q: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
        format!("/paid?year=2026&q={q}")
    };
    // A person's whole name is no way to learn what he received.
    let none = visitor.get(&find(&full[0])).await;
    assert!(none.says("没有符合条件的兑付"), "{}", none.text());
    let number = city
        .texts("SELECT notice_number FROM batch WHERE state = 'done' LIMIT 1")
        .await;
    let found = visitor.get(&find(&number[0])).await;
    assert!(said(&found).0 > 0, "{number:?}");
    let none = visitor.get("/paid?year=2001&region=330324").await;
    assert_eq!(none.status, StatusCode::OK);
    assert!(none.says("没有符合条件的兑付"));
    let english = visitor.get("/paid?lang=en&year=2026").await;
    assert!(english.says("Payments") && english.says("Paid on"));
}

#[tokio::test]
async fn a_batch_and_its_notice_lead_to_each_other() {
    let city = TestCity::open();
    let batch = city
        .id("SELECT id FROM batch WHERE region_code = '330324' AND notice_id IS NOT NULL LIMIT 1")
        .await;
    let mut finance = city.log_in("finance1-yj").await;
    let page = finance.get(&format!("/batches/{batch}")).await;
    let notice = page.between("<dt>公示</dt><dd><a href=\"", "\"");
    let notice = finance.get(&notice).await;
    assert_eq!(notice.status, StatusCode::OK);
    assert!(notice.says(&format!("href=\"/batches/{batch}\"")));
    // Each stage that was reached has its day.
    let path = page.between("<ol class=\"path\"", "</ol>");
    assert!(path.matches("<time").count() >= 2, "{path}");
}
