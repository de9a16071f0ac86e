//! Pages on a phone: none wider than the screen, one row of header and of actions, a menu that
//! opens without script.

use serde_json::Value as Json;

use super::stage::Stage;
use super::{PHONE, browser};

/// Main pages of somebody; each list's first record is looked at too.
const WALKS: &[(&str, &[&str])] = &[
    (
        "",
        &[
            "/",
            "/items",
            "/notices",
            "/articles",
            "/paid",
            "/login",
            "/objections/follow",
            "/regions/330324",
            "/articles?from=1890-01-01&to=2026-02-30",
        ],
    ),
    ("enterprise-yj", &["/my", "/account"]),
    ("handler1-yj", &["/work", "/cases", "/batches", "/parties"]),
    ("finance1-yj", &["/budgets", "/bank-accounts", "/overview"]),
    ("editor", &["/desk/articles", "/desk/articles/new"]),
    ("system", &["/accounts", "/departments"]),
    ("audit", &["/log"]),
];

/// The heights of the bars, whether each holds one row.
async fn bars(stage: &Stage) -> Vec<f64> {
    let script = "return [...document.querySelectorAll('.bar, .stickybar')] \
         .map(bar => bar.getBoundingClientRect().height)";
    let heights = stage.browser.script(script, vec![]).await;
    let heights = heights.as_array().unwrap().iter();
    heights.filter_map(Json::as_f64).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_fit_a_phone() {
    if let Some(absent) = browser::missing() {
        println!("skipped: the walk needs {absent} (Debian: chromium, chromium-driver)");
        return;
    }
    let stage = Stage::open(PHONE).await;
    for (user, paths) in WALKS {
        if !user.is_empty() {
            stage.browser.log_in(user).await;
        }
        for path in *paths {
            stage.browser.go(path).await;
            let first = "return document.querySelector('main [data-open], main a.news')?.getAttribute('href') ?? ''";
            let first = stage.browser.script(first, vec![]).await;
            for path in [path, first.as_str().unwrap()] {
                if !path.is_empty() {
                    stage.browser.go(path).await;
                    let bars = bars(&stage).await;
                    assert!(bars.iter().all(|bar| *bar < 66.0), "{path}: {bars:?}");
                }
            }
        }
    }
    // A word without end breaks.
    stage.browser.log_in("editor").await;
    stage.browser.go("/desk/articles/new").await;
    stage.browser.fill("title", &"W".repeat(150)).await;
    stage.browser.fill("body", &"https".repeat(80)).await;
    stage.browser.press("create_and_publish").await;
    stage.browser.log_out().await;
    stage.browser.go("/").await;
    stage.browser.go("/articles?q=WW").await;
    stage.browser.follow("main a.news").await;
    stage.browser.go("/items").await;
    let shown = "return document.querySelector('.bar nav').getBoundingClientRect().height > 0";
    assert_eq!(stage.browser.script(shown, vec![]).await, false);
    stage.browser.click(".nav-open").await;
    assert_eq!(stage.browser.script(shown, vec![]).await, true);
    stage.browser.follow(".bar nav a[href='/notices']").await;
    stage.close().await;
}
