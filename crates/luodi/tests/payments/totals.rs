//! Every page that shows money shows what the ledger has: the postings are added up here by
//! themselves and compared with the figures of the pages, and each figure with the list behind it.

use axum::http::StatusCode;

use crate::support::{Answer, TestCity, Visitor};

/// What the postings on an account add up to, in fen on the account's side.
async fn booked(city: &TestCity, account: &str, within: &str) -> i64 {
    let sign = if account == "appropriation" { -1 } else { 1 };
    let sum = city
        .texts(&format!(
            "SELECT CAST(COALESCE(SUM(p.debit_fen - p.credit_fen), 0) * {sign} AS TEXT) FROM posting p \
             JOIN ledger_entry e ON e.id = p.entry_id JOIN budget_line l ON l.id = p.budget_line_id \
             WHERE p.account = '{account}' AND {within}"
        ))
        .await;
    sum[0].parse().unwrap()
}

/// The figures for machines in a piece of a page, in their order.
fn values(html: impl AsRef<str>) -> Vec<i64> {
    let marks = html.as_ref().split("<data").skip(1);
    marks
        .map(|rest| rest.split_once("value=\"").unwrap().1)
        .map(|rest| rest.split_once('"').unwrap().0.parse().unwrap())
        .collect()
}

fn links(html: impl AsRef<str>) -> Vec<String> {
    let marks = html.as_ref().split("href=\"").skip(1);
    marks
        .map(|rest| rest.split_once('"').unwrap().0)
        .map(|href| href.replace("&#38;", "&").replace("&amp;", "&"))
        .collect()
}

/// How many rows a list says it has and what they add up to; nothing where it is empty.
fn listed(page: &Answer) -> (i64, i64) {
    let Some((_, foot)) = page.html.split_once("<nav class=\"pages\"") else {
        assert!(page.says("class=\"empty-state\""), "{}", page.text());
        return (0, 0);
    };
    (
        values(foot)[0],
        values(page.between("<tr class=\"sum\">", "</tr>"))[0],
    )
}

const PLACES: [&str; 6] = [
    "appropriation",
    "available",
    "committed",
    "payable",
    "in-payment",
    "paid",
];

/// Amount and count of each outcome and of the whole, each checked with the list behind it.
async fn outcomes(person: &mut Visitor<'_>, path: &str) -> Vec<(i64, i64)> {
    let page = person.get(path).await;
    assert_eq!(page.status, StatusCode::OK, "{path}");
    let card = page.between("id=\"outcomes\"", "</section>");
    let figures: Vec<(i64, i64)> = values(&card)
        .chunks(2)
        .map(|pair| (pair[1], pair[0]))
        .collect();
    let hrefs = links(&card);
    assert_eq!(figures.len(), hrefs.len());
    for (figure, href) in figures.iter().zip(&hrefs) {
        let list = person.get(href).await;
        assert_eq!(list.status, StatusCode::OK, "{href}");
        assert_eq!(listed(&list), *figure, "{href}");
        // The figures stay while one of them is looked at.
        let again = list.between("id=\"outcomes\"", "</section>");
        assert_eq!(values(again), values(&card), "{href}");
    }
    let (whole, parts) = figures.split_last().unwrap();
    let sum = parts
        .iter()
        .fold((0, 0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
    assert_eq!(sum, *whole, "{path}");
    figures
}

#[tokio::test]
async fn the_list_of_payment_files_splits_the_whole() {
    let city = TestCity::open();
    super::pay::final_batch(&city).await;
    let mut finance = city.log_in("finance1-yj").await;
    let all = outcomes(&mut finance, "/payments").await;
    let within = "l.region_code = '330324'";
    for (account, of) in [
        ("in-payment", vec![0]),
        ("paid", vec![1]),
        ("payable", vec![2, 3]),
        ("committed", vec![4]),
    ] {
        let shown: i64 = of.iter().map(|at| all[*at].1).sum();
        assert_eq!(shown, booked(&city, account, within).await, "{account}");
    }
    assert!(all[1].1 > 0 && all[3].1 > 0, "{all:?}");

    // For a filter: the entries of the files found, wherever they are now.
    let number = city
        .texts("SELECT f.number FROM payment_file f JOIN batch b ON b.id = f.batch_id WHERE b.region_code = '330324' ORDER BY f.number")
        .await
        .remove(0);
    let one = outcomes(&mut finance, &format!("/payments?q={number}")).await;
    let files = finance.get(&format!("/payments?q={number}")).await;
    assert_eq!(listed(&files), (1, one[5].1), "{number}");
    for path in [
        "/payments?state=answered",
        "/payments?state=sent&sort=amount",
    ] {
        let some = outcomes(&mut finance, path).await;
        assert!(some[5] <= all[5] && some[4] == (0, 0), "{path} {some:?}");
    }
    for path in ["/payments/export.xlsx", "/payments/export.xlsx?outcome=all"] {
        let file = finance.get(path).await;
        assert!(
            file.status == StatusCode::OK && file.bytes.starts_with(b"PK"),
            "{path}"
        );
    }
    // What the other county has is neither counted nor listed.
    let mut other = city.log_in("finance1-yq").await;
    let theirs = outcomes(&mut other, "/payments").await;
    let ledger = booked(&city, "paid", "l.region_code = '330382'").await;
    assert_eq!(theirs[1].1, ledger);
}

#[tokio::test]
async fn budgets_and_batches_show_the_ledger() {
    let city = TestCity::open();
    let verified = city.app.store.read(|q| luodi::fund::verify(&**q)).await;
    let verified = verified
        .map_err(|error: luodi::store::StoreError| error)
        .unwrap();
    assert!(verified.is_ok(), "{:?}", verified.findings);
    let mut leader = city.log_in("leader").await;
    let list = leader.get("/budgets?year=2026").await;
    let foot = values(list.between("<tr class=\"sum\">", "</tr>"));
    let mut year = Vec::new();
    for account in PLACES {
        year.push(booked(&city, account, "l.year = 2026").await);
    }
    assert_eq!(foot, year);
    for line in city.ids("SELECT id FROM budget_line").await {
        let page = leader.get(&format!("/budgets/{line}")).await;
        let card = page.between("aria-label=\"预算的去向\"", "</section>");
        let within = format!("l.id = X'{line}'");
        for ((account, shown), href) in PLACES.iter().zip(values(&card)).zip(links(&card)) {
            assert_eq!(shown, booked(&city, account, &within).await, "{href}");
            let list = leader.get(href.split_once('#').unwrap().0).await;
            if let Some((_, sums)) = list.html.split_once("<tr class=\"sum\">") {
                let sums = values(sums.split_once("</tr>").unwrap().0);
                assert_eq!(shown.abs(), (sums[0] - sums[1]).abs(), "{href}");
            }
        }
    }
    for batch in city.ids("SELECT id FROM batch").await {
        let page = leader.get(&format!("/batches/{batch}")).await;
        assert!(page.says("与账簿一致，分毫不差"), "{batch}");
        for state in ["committed", "payable", "in-payment", "paid"] {
            let within = format!(
                "(e.subject_id IN (SELECT id FROM batch_entry WHERE batch_id = X'{batch}') OR e.subject_id IN \
                 (SELECT y.id FROM payment y JOIN batch_entry n ON n.id = y.batch_entry_id WHERE n.batch_id = X'{batch}'))"
            );
            // A sum of the foot is a link with the count, then one with the amount.
            let link = format!("<a href=\"/batches/{batch}?state={state}#entries\">");
            let sums: Vec<i64> = page
                .html
                .split(&link)
                .skip(1)
                .map(|it| values(it)[0])
                .collect();
            let shown = sums.get(1).copied().unwrap_or(0);
            assert_eq!(
                shown,
                booked(&city, state, &within).await,
                "{batch} {state}"
            );
        }
    }
}

#[tokio::test]
async fn the_figures_of_the_year_are_those_of_the_ledger() {
    let city = TestCity::open();
    let settled = "e.movement = 'settle' AND e.subject_id IN (SELECT id FROM payment WHERE settled_on LIKE '2026-%')";
    let paid = booked(&city, "paid", settled).await;
    let count = city
        .number("SELECT COUNT(*) FROM payment WHERE state = 'paid' AND settled_on LIKE '2026-%'")
        .await;
    let mut stranger = city.stranger();
    let home = stranger.get("/").await;
    assert_eq!(
        values(home.between("id=\"paid\"", "</section>")),
        [paid, count]
    );
    assert_eq!(
        listed(&stranger.get("/paid?year=2026").await),
        (count, paid)
    );

    let mut leader = city.log_in("leader").await;
    let page = leader.get("/overview").await;
    let card = page.between("2026 年已兑付", "</section>");
    assert_eq!(values(&card), [paid, count, paid]);
    let list = leader.get(&links(&card)[0]).await;
    assert_eq!(listed(&list), (count, paid));
    let foot = values(page.between("<tr class=\"sum\">", "</tr>"));
    let mut year = Vec::new();
    for account in ["appropriation", "available", "paid"] {
        year.push(booked(&city, account, "l.year = 2026").await);
    }
    assert_eq!(foot[2..], year);
    let card = page.between("2026 年预算</div>", "</section>");
    assert_eq!(values(&card), [year[0], year[1]]);
}
