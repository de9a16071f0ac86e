//! The English public pages: what is Chinese on them is marked as Chinese, and only data is.

use axum::http::{Method, StatusCode};
use luodi::access::Rule;
use luodi::router;

use super::OPEN;
use crate::support::{Answer, TestCity};

/// Open addresses that give no page: files, feeds, answers for programs.
const NO_PAGE: &[&str] = &[
    "GET /articles/feed.atom",
    "GET /assets/{version}/{name}",
    "GET /healthz",
    "GET /items.xlsx",
    "GET /notices/{id}/table.csv",
    "GET /notices/{id}/table.xlsx",
    "GET /paid/table.csv",
    "GET /paid/table.xlsx",
    "GET /readyz",
];

/// Elements that hold nothing.
const VOID: &[&str] = &[
    "br", "hr", "img", "input", "link", "meta", "path", "circle", "rect", "polygon", "polyline",
];

fn is_chinese(text: &str) -> bool {
    text.chars().any(|c| {
        matches!(c, '\u{3000}'..='\u{303f}' | '\u{3400}'..='\u{9fff}' | '\u{ff00}'..='\u{ffef}')
    })
}

/// The Chinese texts and attributes of a page outside elements that say `lang="zh-CN"`.
fn unmarked(html: &str) -> Vec<String> {
    let mut found = Vec::new();
    // The elements that are open: their names, and whether they are marked.
    let mut open: Vec<(String, bool)> = Vec::new();
    let mut rest = html;
    while let Some((text, after)) = rest.split_once('<') {
        let marked = open.last().is_some_and(|(_, marked)| *marked);
        if !marked && is_chinese(text) {
            found.push(text.trim().to_owned());
        }
        let (tag, after) = after.split_once('>').unwrap();
        rest = after;
        let name = tag.split_whitespace().next().unwrap().trim_end_matches('/');
        if let Some(name) = name.strip_prefix('/') {
            while open.pop().is_some_and(|(opened, _)| opened != name) {}
        } else if !name.starts_with('!') {
            let marked = marked || tag.contains(" lang=\"zh-CN\"");
            // Who is logged in, for programs.
            let tag = if name == "body" { "body" } else { tag };
            if !marked && is_chinese(tag) {
                found.push(format!("<{tag}>"));
            }
            if !VOID.contains(&name) && !tag.ends_with('/') {
                open.push((name.to_owned(), marked));
            }
        }
    }
    found
}

fn check(what: &str, answer: &Answer) {
    assert!(
        answer.says("<html lang=\"en\">"),
        "{what}: {}",
        answer.text()
    );
    assert_eq!(unmarked(&answer.html), Vec::<String>::new(), "{what}");
}

#[test]
fn what_is_not_marked_is_found() {
    let page = "<p title=\"标题\">a<b lang=\"zh-CN\" title=\"名\">中<i>文</i></b><br>，</p>";
    assert_eq!(unmarked(page), ["<p title=\"标题\">", "，"]);
}

/// Every open page with the demonstration's records, refusals and errors too.
#[tokio::test]
async fn every_public_page_is_english_but_for_its_data() {
    let city = TestCity::open();
    let id = |sql: &'static str| city.id(sql);
    let open_notice = id("SELECT id FROM notice WHERE state = 'open'").await;
    let ended_notice = id("SELECT id FROM notice WHERE state = 'ended'").await;
    let entry = id("SELECT l.id FROM notice_entry l JOIN notice n ON n.id = l.notice_id WHERE n.state = 'open'").await;
    let article =
        id("SELECT id FROM article WHERE state = 'published' AND region_code IS NOT NULL").await;
    let item = id("SELECT id FROM item").await;
    let pages = |route: &str| -> Vec<String> {
        match route {
            "GET /articles/{id}" => vec![format!("/articles/{article}")],
            "GET /articles" => [
                "",
                "?q=光伏",
                "?q=zzzz",
                "?from=1&to=2026-02-30&region=1&category=x",
            ]
            .map(|query| format!("/articles{query}"))
            .into(),
            "GET /items/{id}" => vec![format!("/items/{item}")],
            "GET /items" => vec![
                "/items".into(),
                "/items?q=zzzz".into(),
                "/items?sort=due".into(),
            ],
            "GET /notices/{id}" => vec![
                format!("/notices/{open_notice}"),
                format!("/notices/{ended_notice}"),
            ],
            "GET /notices/{id}/objections/new" => vec![
                format!("/notices/{open_notice}/objections/new?entry={entry}"),
                format!("/notices/{open_notice}/objections/new"),
                format!("/notices/{ended_notice}/objections/new?entry={entry}"),
            ],
            "GET /notices" => vec![
                "/notices".into(),
                "/notices?q=zzzz".into(),
                "/notices?state=ended".into(),
            ],
            "GET /paid" => vec!["/paid".into(), "/paid?year=1999".into()],
            "GET /regions/{code}" => vec![
                "/regions/330324".into(),
                "/regions/330300".into(),
                "/regions/1".into(),
            ],
            other => vec![other.trim_start_matches("GET ").to_owned()],
        }
    };
    let mut stranger = city.stranger();
    let mut checked = 0;
    for route in OPEN.iter().filter(|route| {
        route.starts_with("GET ") && !route.starts_with("GET /api/") && !NO_PAGE.contains(route)
    }) {
        for path in pages(route) {
            let and = if path.contains('?') { '&' } else { '?' };
            let path: String = form_urlencoded_path(&format!("{path}{and}lang=en"));
            let answer = stranger.get(&path).await;
            assert_ne!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "{path}");
            check(&path, &answer);
            checked += 1;
        }
    }
    assert!(checked > 20, "{checked}");
    for path in [
        "/nothing",
        "/items/x",
        "/notices/019344b1c0de7000800000000000dead",
    ] {
        let answer = stranger.get(path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert!(
            answer.says("There is no such page"),
            "{path}: {}",
            answer.text()
        );
        check(path, &answer);
    }
}

/// A path whose Chinese letters are percent-encoded.
fn form_urlencoded_path(path: &str) -> String {
    let encode = |c: char| {
        if c.is_ascii() {
            c.to_string()
        } else {
            luodi::web::percent(&c.to_string())
        }
    };
    path.chars().map(encode).collect()
}

/// What forms of strangers are refused for is said in English.
#[tokio::test]
async fn refused_forms_speak_english() {
    let city = TestCity::open();
    let notice = city.id("SELECT id FROM notice WHERE state = 'open'").await;
    let entry = city
        .id("SELECT l.id FROM notice_entry l JOIN notice n ON n.id = l.notice_id WHERE n.state = 'open'")
        .await;
    let mut stranger = city.stranger();
    let form = stranger.get("/login?lang=en").await;
    let fields = [("login", "nobody"), ("password", "wrong")];
    let answer = stranger.post_from(&form, "/login", &fields).await;
    check("log-in", &answer);
    let form = stranger.get("/objections/follow").await;
    let answer = stranger
        .post_from(&form, "/objections/follow", &[("receipt", "abc")])
        .await;
    assert_eq!(answer.refused(), [("receipt", "unknown")]);
    check("follow", &answer);
    let path = format!("/notices/{notice}/objections/new");
    let form = stranger.get(&format!("{path}?entry={entry}")).await;
    let long = "x".repeat(3001);
    for (kind, name, phone, statement) in [
        ("organisation", "", "12ab", ""),
        ("", "", "1", long.as_str()),
        ("person", "", "", "short"),
    ] {
        let fields = [
            ("entry", entry.as_str()),
            ("kind", kind),
            ("name", name),
            ("phone", phone),
            ("statement", statement),
            ("website", "x"),
        ];
        let answer = stranger
            .upload_from(&form, &path, &fields, &[("document", "a.exe", b"MZ")])
            .await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(answer.refused().len() > 2, "{:?}", answer.refused());
        check(kind, &answer);
        assert!(
            !is_chinese(&answer.between("id=\"errors\"", "</div>")),
            "{}",
            answer.text()
        );
    }
}

/// Staff pages exist in Chinese only, frame and errors too, whatever language was asked for.
#[tokio::test]
async fn staff_pages_stay_chinese() {
    let city = TestCity::open();
    for user in ["reviewer-yj", "editor", "audit", "enterprise-yj"] {
        let mut visitor = city.log_in(user).await;
        for route in router::routes()
            .iter()
            .filter(|it| it.method == Method::GET && it.rule != Rule::Public)
            .filter(|it| !it.path.contains('{') && !it.path.starts_with("/api/"))
        {
            let answer = visitor.get(&format!("{}?lang=en", route.path)).await;
            if answer.status == StatusCode::OK && answer.says("<html") {
                assert!(answer.says("<html lang=\"zh-CN\">"), "{}", route.path);
                for word in [
                    "Log out",
                    "My desk",
                    "Skip to content",
                    "Large type",
                    "Services",
                ] {
                    assert!(!answer.says(word), "{} as {user}: {word}", route.path);
                }
            }
        }
    }
    let mut window = city.log_in("window-yj").await;
    for path in ["/nothing?lang=en", "/budgets?lang=en"] {
        let answer = window.get(path).await;
        assert!(
            answer.says("<html lang=\"zh-CN\">") && !answer.says("Log out"),
            "{path}"
        );
    }
    let public = window.get("/notices?lang=en").await;
    check("a public page for staff", &public);
}
