//! What waits on the desk of each person is exactly what the list behind it shows, and the window
//! applies for a party without losing it on the way.

mod objections;

use axum::http::StatusCode;

use crate::support::{Answer, TestCity};

/// How many the desk says wait behind a link; `None` where it shows no such line.
fn waiting(desk: &Answer, href: &str) -> Option<u64> {
    let line = desk
        .html
        .split_once(&format!("class=\"list-group-item\" href=\"{href}\""))?
        .1;
    let figure = line.split_once("<data value=\"")?.1;
    figure.split_once('"')?.0.parse().ok()
}

/// How many rows a list says it has.
fn listed(page: &Answer) -> u64 {
    let foot = page.html.split_once("<nav class=\"pages\"").unwrap().1;
    let figure = foot.split_once("<data value=\"").unwrap().1;
    figure.split_once('"').unwrap().0.parse().unwrap()
}

#[tokio::test]
async fn each_line_counts_the_records_behind_it() {
    let city = TestCity::open();
    let mut seen = 0;
    for user in ["reviewer-yj", "approver-yj", "finance1-yj", "handler1-yj"] {
        let mut person = city.log_in(user).await;
        let desk = person.get("/work").await;
        assert_eq!(desk.status, StatusCode::OK, "{user}");
        for href in [
            "/batches?state=proposed",
            "/batches?state=final",
            "/objections?state=open",
            "/bank-accounts?state=entered",
            "/payments?state=sent",
            "/payments?state=partly",
            "/payments?outcome=returned",
        ] {
            let Some(count) = waiting(&desk, href) else {
                continue;
            };
            let list = person.get(href).await;
            assert_eq!(list.status, StatusCode::OK, "{user} {href}");
            assert_eq!(listed(&list), count, "{user} {href}");
            seen += 1;
        }
    }
    assert!(seen >= 3, "the demonstration leaves work on desks: {seen}");
}

#[tokio::test]
async fn approved_cases_wait_for_a_list_until_one_holds_them() {
    let city = TestCity::open();
    let mut reviewer = city.log_in("reviewer-yj").await;
    let desk = reviewer.get("/work").await;
    let before = waiting(&desk, "/batches/new");
    let choice = reviewer.get("/batches/new").await;
    let mut sum = 0;
    for section in choice.html.split("id=\"waiting-").skip(1) {
        let text = section.split_once("<p>").unwrap().1;
        let count = text.split_once("<data value=\"").unwrap().1;
        sum += count.split_once('"').unwrap().0.parse::<u64>().unwrap();
    }
    assert!(sum > 0, "the demonstration has approved cases in no list");
    assert_eq!(before, Some(sum));
    let done = reviewer.propose_first(&choice).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text());
    let after = reviewer.get("/work").await;
    assert!(waiting(&after, "/batches/new") < before);
    assert_eq!(
        waiting(&after, "/batches?state=proposed"),
        Some(waiting(&desk, "/batches?state=proposed").unwrap_or(0) + 1)
    );
}

#[tokio::test]
async fn the_window_applies_for_a_party_it_does_not_lose() {
    let city = TestCity::open();
    let party = city
        .id("SELECT id FROM party WHERE region_code = '330324' AND kind = 'enterprise' ORDER BY id LIMIT 1")
        .await;
    let mut window = city.log_in("window-yj").await;
    let page = window.get(&format!("/parties/{party}")).await;
    let way = format!("/parties/{party}/apply");
    assert!(page.says(&format!("href=\"{way}\"")), "{}", page.text());
    let choice = window.get(&way).await;
    let form = format!("/items/{}", choice.between("href=\"/items/", "\""));
    assert!(form.ends_with(&format!("/apply?party={party}")), "{form}");
    assert_eq!(window.get(&form).await.status, StatusCode::OK);
    let none = window.get(&format!("{way}?q=没有这样的事项")).await;
    assert!(none.says("没有可以申报的事项"));
    let foreign = city
        .id("SELECT id FROM party WHERE region_code = '330382' ORDER BY id LIMIT 1")
        .await;
    let refused = window.get(&format!("/parties/{foreign}/apply")).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_list_of_cases_opens_with_those_that_run() {
    let city = TestCity::open();
    let mut handler = city.log_in("handler1-yj").await;
    let open = handler.get("/cases").await;
    let chip = |page: &Answer, label: &str| -> (String, u64) {
        let chips = page.between("<ul class=\"chips\"", "</ul>");
        let chip = chips
            .split("<li>")
            .find(|chip| chip.contains(&format!(">{label} <")))
            .unwrap_or_else(|| panic!("{label}: {chips}"));
        let href = chip.split_once("href=\"").unwrap().1;
        let count = chip.split_once("class=\"count num\">").unwrap().1;
        (
            href.split_once('"').unwrap().0.replace("&#38;", "&"),
            count.split_once('<').unwrap().0.parse().unwrap(),
        )
    };
    for label in ["在办", "已办结", "全部"] {
        let (href, count) = chip(&open, label);
        assert!(count > 0, "{label}");
        let list = handler.get(&href).await;
        assert_eq!(listed(&list), count, "{label}: {href}");
    }
    assert_eq!(listed(&open), chip(&open, "在办").1);
    // A search looks through all of them, and a chip keeps what was searched for.
    let ended = city
        .texts(
            "SELECT number FROM casework WHERE region_code = '330324' AND state = 'paid' LIMIT 1",
        )
        .await;
    let found = handler.get(&format!("/cases?q={}", ended[0])).await;
    assert_eq!(listed(&found), 1);
    assert_eq!(chip(&found, "已办结").1, 1);
    let (href, count) = chip(&found, "已兑付");
    assert_eq!(listed(&handler.get(&href).await), count, "{href}");
}

#[tokio::test]
async fn an_applicant_finds_and_exports_his_own_cases() {
    let city = TestCity::open();
    let own = "(SELECT party_id FROM account WHERE login = 'enterprise-yj')";
    let numbers = city
        .texts(&format!(
            "SELECT number FROM casework WHERE party_id = {own}"
        ))
        .await;
    let mut enterprise = city.log_in("enterprise-yj").await;
    let all = enterprise.get("/my").await;
    assert_eq!(listed(&all), numbers.len() as u64);
    let one = enterprise.get(&format!("/my?q={}", numbers[0])).await;
    assert_eq!(listed(&one), 1);
    let none = enterprise.get("/my?q=330382-2026-999999").await;
    assert!(none.says("没有符合条件的办件"), "{}", none.text());
    let file = enterprise.get("/my/export.xlsx").await;
    assert_eq!(file.status, StatusCode::OK);
    assert!(file.bytes.starts_with(b"PK"));
}
