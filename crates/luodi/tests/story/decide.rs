//! Examining, inspecting by two officers with photographs, and deciding.

use super::Cases;
use super::apply::{FIRST, SECOND, THIRD, correct_filing, link};
use super::browser::Browser;
use super::stage::Stage;

/// What the roof of the second applicant really holds, 12 % more than filed.
const FOUND_KW: &str = "112.00";

/// All three are examined and inspected; the second one's filing has to be mended in between.
pub async fn examine_and_inspect(stage: &Stage, cases: &Cases) {
    let browser = &stage.browser;
    stage.later("2026-11-26T02:00:00Z").await;
    browser.log_in("handler1-yj").await;
    browser.shoot("handler-worklist").await;
    for case in [&cases.first, &cases.second, &cases.third] {
        examine(browser, case).await;
    }

    stage.later("2026-11-27T02:00:00Z").await;
    browser.log_in("handler1-yj").await;
    browser.follow(&link(&cases.first)).await;
    inspect_alone(stage, FIRST.filed_kw).await;
    name_colleague(stage).await;
    let photographs = "return document.querySelectorAll('#desk .files a').length";
    assert_eq!(browser.script(photographs, vec![]).await, 2, "kept");
    browser.shoot("inspect").await;
    browser.press("pass").await;
    assert_eq!(browser.attr("main", "data-state").await, "deciding");
    inspect(stage, &cases.second, "2026-11-27", FOUND_KW).await;
    assert_eq!(
        browser.attr("main", "data-state").await,
        "correcting",
        "more than 5 % above the filed capacity"
    );
    browser.shoot("measured-more-than-filed").await;
    inspect(stage, &cases.third, "2026-11-27", THIRD.filed_kw).await;

    stage.later("2026-11-27T07:00:00Z").await;
    correct_filing(stage, &cases.second, FOUND_KW).await;
    stage.later("2026-11-30T02:00:00Z").await;
    browser.log_in("handler1-yj").await;
    examine(browser, &cases.second).await;
    inspect(stage, &cases.second, "2026-11-30", FOUND_KW).await;
    assert_eq!(browser.attr("main", "data-state").await, "deciding");
}

async fn examine(browser: &Browser, case: &str) {
    browser.go("/work").await;
    browser.follow(&link(case)).await;
    browser.fill("reason", "材料齐全，数据与抄表单一致。").await;
    browser.press("pass").await;
    assert_eq!(browser.attr("main", "data-state").await, "inspecting");
}

async fn fill_inspection(stage: &Stage, on: &str, measured_kw: &str) {
    let browser = &stage.browser;
    browser.set("inspected_on", on, false).await;
    browser.fill("measured_kw", measured_kw).await;
    browser
        .fill(
            "findings",
            "组件、逆变器和并网柜齐全，运行正常，铭牌已拍照。",
        )
        .await;
    let photographs = [
        stage.png("屋顶全景（示范）.png"),
        stage.png("逆变器铭牌（示范）.png"),
    ];
    let [roof, plate] = &photographs;
    browser.upload("photos", &[roof, plate]).await;
}

/// One officer alone is refused; what was typed stays.
async fn inspect_alone(stage: &Stage, measured_kw: &str) {
    let browser = &stage.browser;
    fill_inspection(stage, "2026-11-27", measured_kw).await;
    browser.press("pass").await;
    assert!(browser.has("#error-second_officer").await, "two officers");
    assert_eq!(
        browser.attr("#field-measured_kw", "value").await,
        measured_kw
    );
}

async fn name_colleague(stage: &Stage) {
    stage.browser.choose_last("#field-second_officer").await;
}

async fn inspect(stage: &Stage, case: &str, on: &str, measured_kw: &str) {
    stage.browser.go("/work").await;
    stage.browser.follow(&link(case)).await;
    fill_inspection(stage, on, measured_kw).await;
    name_colleague(stage).await;
    stage.browser.press("pass").await;
}

/// The approver sees amount and reasons and decides for all three.
pub async fn approve(stage: &Stage, cases: &Cases) {
    let browser = &stage.browser;
    stage.later("2026-12-01T02:00:00Z").await;
    browser.log_in("approver-yj").await;
    browser.shoot("approver-worklist").await;
    for (case, wanted) in [
        (&cases.first, &FIRST),
        (&cases.second, &SECOND),
        (&cases.third, &THIRD),
    ] {
        browser.go("/work").await;
        browser.follow(&link(case)).await;
        let amount = browser.attr("#amount .stat data", "value").await;
        assert_eq!(amount, wanted.amount_fen.to_string());
        browser.shoot("decide").await;
        browser.fill("reason", "同意。").await;
        browser.press("approve").await;
        assert_eq!(browser.attr("main", "data-state").await, "proposed");
    }
}
