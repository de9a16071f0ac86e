//! The proposed list, its public notice, a stranger's objection and the answer to it.

use super::Cases;
use super::apply::{THIRD, link};
use super::stage::Stage;

/// The list as it was published.
pub struct Listed {
    pub batch: String,
    notice: String,
    pub total_fen: i64,
}

/// The reviewer makes the quarter's list and publishes it.
pub async fn propose_and_publish(stage: &Stage) -> Listed {
    let browser = &stage.browser;
    stage.later("2026-12-02T02:00:00Z").await;
    browser.log_in("reviewer-yj").await;
    browser.go("/batches").await;
    browser.follow(&link("/batches/new")).await;
    browser.choose_last("select[name=line]").await;
    browser.shoot("propose").await;
    browser.press("create_batch").await;
    let batch = browser.path().await;
    let total_fen = browser.fen(".stat data").await;
    assert!(browser.text("main").await.contains("与账簿一致"));
    browser.shoot("proposed-list").await;
    browser.follow(&link(&format!("{batch}/notice"))).await;
    browser.shoot("publish").await;
    browser.press_surely("publish").await;
    let notice = browser.path().await;
    assert_eq!(browser.attr("main", "data-state").await, "open");
    assert_eq!(browser.fen("#table tfoot data").await, total_fen);
    Listed {
        batch,
        notice,
        total_fen,
    }
}

/// Somebody who is not logged in objects to the natural person's line, first without the sealed
/// paper that an organisation must attach; gives the receipt.
pub async fn object(stage: &Stage, listed: &Listed, cases: &Cases) -> String {
    let browser = &stage.browser;
    stage.later("2026-12-03T02:00:00Z").await;
    browser.go("/notices").await;
    browser.shoot("notices").await;
    browser.follow(&link(&listed.notice)).await;
    let page = browser.text("main").await;
    assert!(!page.contains("金佩芬"), "a person's name is masked");
    browser.shoot("notice").await;
    let script = "return [...document.querySelectorAll('#table tbody tr')] \
         .find(row => row.textContent.includes(arguments[0])).querySelector('a.btn').getAttribute('href')";
    let form = browser.script(script, vec![THIRD.filed_kw.into()]).await;
    browser.follow(&link(form.as_str().unwrap())).await;
    browser
        .click("main input[name=kind][value=organisation]")
        .await;
    for (name, text) in [
        ("name", "示范村股份经济合作社（示范）"),
        ("person", "潘建平（示范）"),
        ("phone", "19900005678"),
        (
            "statement",
            "该户屋顶与村办公楼共用一块电表，请核实发电量是否重复计算。",
        ),
    ] {
        browser.fill(name, text).await;
    }
    browser.press("object").await;
    assert!(browser.has("#error-document").await, "a sealed paper");
    browser
        .upload("document", &[&stage.pdf("盖章异议书（示范）.pdf")])
        .await;
    browser.shoot("object").await;
    browser.press("object").await;
    let receipt = browser.attr("#receipt", "data-receipt").await;
    browser.shoot("receipt").await;

    follow(stage, &receipt).await;
    assert!(!browser.has("#answer").await);
    browser.go(&cases.third).await;
    assert_eq!(browser.path().await, "/login", "a case is not public");
    receipt
}

/// The stranger looks how far his objection is.
async fn follow(stage: &Stage, receipt: &str) {
    let browser = &stage.browser;
    browser.go("/objections/follow").await;
    browser.fill("receipt", receipt).await;
    browser.press("follow").await;
    assert!(browser.has("#objection[data-state]").await);
    browser.shoot("followed").await;
}

/// The notice has ended by itself: everybody but the one objected to goes on.
pub async fn the_others_are_final(stage: &Stage, listed: &Listed, cases: &Cases) {
    let browser = &stage.browser;
    stage.later("2026-12-10T02:00:00Z").await;
    browser.go(&listed.notice).await;
    assert_eq!(browser.attr("main", "data-state").await, "ended");
    browser.shoot("notice-ended").await;
    browser.log_in("reviewer-yj").await;
    browser.go(&listed.batch).await;
    assert_eq!(browser.fen(".stat data").await, listed.total_fen);
    browser.shoot("final-list").await;
    for (case, state) in [
        (&cases.first, "paying"),
        (&cases.second, "paying"),
        (&cases.third, "disputed"),
    ] {
        browser.go(case).await;
        assert_eq!(browser.attr("main", "data-state").await, state);
    }
}

/// The reviewer looks into the objection and answers it; the stranger reads the answer.
pub async fn answered(stage: &Stage, listed: &Listed, cases: &Cases, receipt: &str) {
    let browser = &stage.browser;
    stage.later("2026-12-15T02:00:00Z").await;
    browser.log_in("reviewer-yj").await;
    let notice = listed.notice.trim_start_matches("/notices/");
    browser.go(&format!("/objections?notice={notice}")).await;
    browser.shoot("objections").await;
    browser.follow("#list a.name").await;
    browser.press("take_up").await;
    browser
        .fill("note", "到现场看过两块电表，资产编号不同，计量独立。")
        .await;
    browser
        .fill(
            "reason",
            "经现场核实，两处屋顶分别计量，不存在重复计算，异议不成立。",
        )
        .await;
    browser.shoot("objection").await;
    browser.press("dismiss").await;
    browser.go(&cases.third).await;
    assert_eq!(browser.attr("main", "data-state").await, "paying");

    browser.log_out().await;
    follow(stage, receipt).await;
    assert!(browser.text("#answer").await.contains("异议不成立"));
}
