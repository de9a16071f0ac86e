//! Lists, searches, exports and counts show an officer the rows of the own county and nobody
//! else's, compared with what the database holds.

use std::collections::BTreeSet;

use super::crawl::{crawl, workbook};
use crate::support::TestCity;

/// The ids in addresses that begin with `prefix` and end with the id.
fn ids<'a>(paths: impl Iterator<Item = &'a String>, prefix: &str) -> BTreeSet<String> {
    paths
        .filter_map(|path| path.strip_prefix(prefix))
        .map(|rest| rest.split('?').next().unwrap().replace('-', ""))
        .filter(|rest| rest.len() == 32 && rest.bytes().all(|b| b.is_ascii_hexdigit()))
        .collect()
}

async fn known(city: &TestCity, sql: &str) -> BTreeSet<String> {
    city.ids(sql).await.into_iter().collect()
}

/// What names a row of the other county: its parties' names and its numbers.
async fn marks_of(city: &TestCity, region: &str) -> Vec<String> {
    let county = format!("region_code = '{region}'");
    let mut marks = Vec::new();
    for sql in [
        format!("SELECT name FROM party WHERE {county} AND kind = 'enterprise'"),
        format!("SELECT credit_code FROM party WHERE {county} AND credit_code IS NOT NULL"),
        format!("SELECT number FROM casework WHERE {county}"),
        format!("SELECT number FROM batch WHERE {county}"),
        format!("SELECT document_number FROM budget_line WHERE {county}"),
        format!(
            "SELECT f.number FROM payment_file f JOIN batch b ON b.id = f.batch_id WHERE b.{county}"
        ),
        format!(
            "SELECT o.receipt FROM objection o JOIN notice n ON n.id = o.notice_id WHERE n.{county}"
        ),
    ] {
        let found = city.texts(&sql).await;
        assert!(!found.is_empty(), "{sql}");
        marks.extend(found);
    }
    marks
}

#[tokio::test]
async fn a_county_sees_all_of_its_own_and_nothing_else() {
    let city = TestCity::open();
    let marks = marks_of(&city, "330382").await;
    let cases = known(
        &city,
        "SELECT id FROM casework WHERE region_code = '330324'",
    )
    .await;
    let parties = known(&city, "SELECT id FROM party WHERE region_code = '330324'").await;
    let batches = known(&city, "SELECT id FROM batch WHERE region_code = '330324'").await;
    let payments = known(
        &city,
        "SELECT f.id FROM payment_file f JOIN batch b ON b.id = f.batch_id WHERE b.region_code = '330324'",
    )
    .await;
    for user in [
        "window-yj",
        "handler1-yj",
        "reviewer-yj",
        "approver-yj",
        "finance1-yj",
        "leader-yj",
    ] {
        let mut visitor = city.log_in(user).await;
        let pages = crawl(&mut visitor, &["/work", "/cases", "/cases/export.xlsx"]).await;
        for (path, text) in &pages {
            for mark in &marks {
                assert!(!text.contains(mark), "{user} reads {mark} at {path}");
            }
        }
        assert_eq!(ids(pages.keys(), "/cases/"), cases, "cases of {user}");
        let (sees_parties, sees_money) = (user != "leader-yj", user != "window-yj");
        if sees_parties {
            assert_eq!(ids(pages.keys(), "/parties/"), parties, "parties of {user}");
        }
        if sees_money {
            assert_eq!(ids(pages.keys(), "/batches/"), batches, "batches of {user}");
            assert_eq!(ids(pages.keys(), "/payments/"), payments, "files of {user}");
        }
    }
}

#[tokio::test]
async fn an_enterprise_sees_only_its_own() {
    let city = TestCity::open();
    for user in ["enterprise-yj", "enterprise2-yj", "citizen-yj"] {
        let own = format!("(SELECT party_id FROM account WHERE login = '{user}')");
        let mut marks = city
            .texts(&format!(
                "SELECT number FROM casework WHERE party_id <> {own}"
            ))
            .await;
        marks.extend(
            city.texts(&format!(
                "SELECT name FROM party WHERE kind = 'enterprise' AND id <> {own}"
            ))
            .await,
        );
        let cases = known(
            &city,
            &format!("SELECT id FROM casework WHERE party_id = {own}"),
        )
        .await;
        let mut visitor = city.log_in(user).await;
        let pages = crawl(
            &mut visitor,
            &["/my", "/my/messages", "/my/profile", "/my/bank-accounts"],
        )
        .await;
        for (path, text) in &pages {
            for mark in &marks {
                assert!(
                    !text.contains(mark.as_str()),
                    "{user} reads {mark} at {path}"
                );
            }
        }
        assert_eq!(ids(pages.keys(), "/cases/"), cases, "cases of {user}");
    }
}

/// Searching for what the other county has finds nothing, in lists and in their exports.
#[tokio::test]
async fn a_search_does_not_cross_the_county() {
    let city = TestCity::open();
    let name = &city
        .texts("SELECT party_name FROM casework WHERE region_code = '330382' AND party_kind = 'enterprise'")
        .await[0];
    let number = &city
        .texts("SELECT number FROM casework WHERE region_code = '330382'")
        .await[0];
    let code = &city
        .texts("SELECT credit_code FROM party WHERE region_code = '330382' AND credit_code IS NOT NULL")
        .await[0];
    let mut visitor = city.log_in("finance1-yj").await;
    for asked in [name, number, code] {
        let q: String = form_urlencoded::byte_serialize(asked.as_bytes()).collect();
        for list in [
            "/cases",
            "/parties",
            "/batches",
            "/payments",
            "/budgets",
            "/bank-accounts",
        ] {
            for filter in [
                "",
                "&region=330382",
                "&region=330300",
                "&state=all",
                "&outcome=all",
            ] {
                let page = visitor.get(&format!("{list}?q={q}{filter}")).await;
                let found = page.html.matches(asked.as_str()).count();
                // The field of the search and the links that carry it on show what was asked for.
                let echoed = page.html.matches(&format!("value=\"{asked}\"")).count()
                    + page.html.matches(&format!("q={asked}")).count();
                assert_eq!(found, echoed, "{list}?q={asked}{filter}: {}", page.text());
            }
        }
        for export in [
            "/cases/export.xlsx",
            "/parties.xlsx",
            "/batches/export.xlsx",
            "/payments/export.xlsx",
            "/bank-accounts.xlsx",
        ] {
            for query in [
                format!("?q={q}"),
                String::new(),
                "?region=330382".to_owned(),
                "?outcome=all".to_owned(),
            ] {
                let file = visitor.get(&format!("{export}{query}")).await;
                assert!(
                    !workbook(&file.bytes).contains(asked.as_str()),
                    "{export}{query}"
                );
            }
        }
    }
    // An own one is found, so that the search is one.
    let own = &city
        .texts("SELECT number FROM casework WHERE region_code = '330324'")
        .await[0];
    let page = visitor.get(&format!("/cases?q={own}")).await;
    assert!(
        page.html.matches(own.as_str()).count()
            > page.html.matches(&format!("value=\"{own}\"")).count()
    );
}

/// The figures above the lists are those of the own rows.
#[tokio::test]
async fn counts_are_those_of_the_own_rows() {
    let city = TestCity::open();
    let mut visitor = city.log_in("window-yj").await;
    let exported = workbook(&visitor.get("/parties.xlsx").await.bytes);
    let parties = city
        .number("SELECT COUNT(*) FROM party WHERE region_code = '330324'")
        .await;
    let rows = exported.matches("<row ").count() as i64;
    assert_eq!(rows, parties + 1, "with the headings");
    for (list, cases) in [
        (
            "?ended=all",
            "SELECT COUNT(*) FROM casework WHERE region_code = '330324'",
        ),
        (
            "",
            "SELECT COUNT(*) FROM casework WHERE region_code = '330324' AND ended_at IS NULL",
        ),
    ] {
        let file = visitor.get(&format!("/cases/export.xlsx{list}")).await;
        let count = city.number(cases).await;
        let exported = workbook(&file.bytes);
        assert_eq!(
            exported.matches("<row ").count() as i64,
            count + 1,
            "{list}"
        );
    }
    let page = visitor.get("/parties").await;
    assert!(
        page.text().contains(&format!("{parties}")),
        "{}",
        page.text()
    );
    let all = city.number("SELECT COUNT(*) FROM party").await;
    assert!(
        !page.text().contains(&format!("共 {all}")),
        "{}",
        page.text()
    );
}
