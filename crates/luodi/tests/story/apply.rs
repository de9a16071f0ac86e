//! Applying: what an enterprise types wrong and is told, what the window sends back once, and two
//! applications without a hitch.

use super::Cases;
use super::browser::Browser;
use super::stage::Stage;

/// What somebody applies for.
pub struct Application {
    pub user: &'static str,
    contact: &'static str,
    project: &'static str,
    filing_number: &'static str,
    pub filed_kw: &'static str,
    connected_on: &'static str,
    address: &'static str,
    meter: &'static str,
    generated_kwh: &'static str,
    /// The paper that proves who applies.
    identity: &'static str,
    pub amount_fen: i64,
}

/// 36,000.50 kWh at 0.10 元, connected before July 2016.
pub const FIRST: Application = Application {
    user: "enterprise-yj",
    contact: "陈海波（示范）",
    project: "瓯越新能源二期厂房屋顶光伏（示范）",
    filing_number: "1506-330324-04-01-200101",
    filed_kw: "128.40",
    connected_on: "2015-06-18",
    address: "永嘉县示范街道阳光路 18 号二期厂房",
    meter: "330009000101",
    generated_kwh: "36000.50",
    identity: "licence",
    amount_fen: 360_005,
};

/// 28,000 kWh at 0.10 元.
pub const SECOND: Application = Application {
    user: "enterprise2-yj",
    contact: "林志强（示范）",
    project: "楠江电气三号车间屋顶光伏（示范）",
    filing_number: "1908-330324-04-01-200102",
    filed_kw: "100.00",
    connected_on: "2019-08-20",
    address: "永嘉县示范街道楠溪路 6 号三号车间",
    meter: "330009000102",
    generated_kwh: "28000",
    identity: "licence",
    amount_fen: 280_000,
};

/// 3,001.23 kWh at 0.20 元 is 600.246 元, half-up to the fen.
pub const THIRD: Application = Application {
    user: "citizen-yj",
    contact: "金佩芬（示范）",
    project: "示范村自家屋顶光伏（示范）",
    filing_number: "1803-330324-04-01-200103",
    filed_kw: "10.57",
    connected_on: "2018-03-12",
    address: "永嘉县示范村三组 12 号",
    meter: "330009000103",
    generated_kwh: "3001.23",
    identity: "identity_card",
    amount_fen: 60_025,
};

/// From the list of items to the empty form.
async fn open_form(stage: &Stage, wanted: &Application, pictures: bool) {
    let browser = &stage.browser;
    browser.log_in(wanted.user).await;
    browser.follow("main a[href='/items']").await;
    browser.set("region", "330324", false).await;
    browser.follow("main form.filters button").await;
    if pictures {
        browser.shoot("items").await;
    }
    browser.follow("main [data-list] a.name").await;
    if pictures {
        browser.shoot("item-guide").await;
    }
    browser.follow("main a[href$='/apply']").await;
}

async fn fill(browser: &Browser, wanted: &Application) {
    for (name, text) in [
        ("contact_name", wanted.contact),
        ("contact_phone", "19900001234"),
        ("project_name", wanted.project),
        ("filing_number", wanted.filing_number),
        ("filed_kw", wanted.filed_kw),
        ("site_address", wanted.address),
        ("meter_no", wanted.meter),
        ("generated_kwh", wanted.generated_kwh),
    ] {
        browser.fill(name, text).await;
    }
    browser
        .set("grid_connected_on", wanted.connected_on, false)
        .await;
    browser.set("quarter", "2026Q3", false).await;
}

async fn upload(stage: &Stage, slots: &[(&str, &str)]) {
    for (slot, name) in slots {
        stage.browser.upload(slot, &[&stage.pdf(name)]).await;
    }
}

const PAPERS: [(&str, &str); 3] = [
    ("filing_notice", "备案通知书（示范）.pdf"),
    ("grid_acceptance", "并网验收单（示范）.pdf"),
    ("meter_reading", "抄表单（示范）.pdf"),
];

/// From the page that shows everything once more to the case; gives its path.
async fn submit(stage: &Stage, wanted: &Application, pictures: bool) -> String {
    let browser = &stage.browser;
    let estimate = browser.attr("main .stat data", "value").await;
    assert_eq!(estimate, wanted.amount_fen.to_string(), "{}", wanted.user);
    if pictures {
        browser.shoot("review").await;
    }
    browser.press("submit").await;
    assert_eq!(browser.attr("main", "data-state").await, "accepting");
    if pictures {
        browser.shoot("submitted").await;
    }
    browser.path().await
}

/// An enterprise saves a draft, errs in a date, a capacity and a paper, is told so and mends it.
pub async fn with_mistakes(stage: &Stage) -> String {
    let browser = &stage.browser;
    open_form(stage, &FIRST, true).await;
    browser.fill("project_name", FIRST.project).await;
    browser.press("save").await;
    assert!(browser.text(".notice").await.contains("草稿已保存"));
    assert_eq!(
        browser.attr("#field-project_name", "value").await,
        FIRST.project
    );

    fill(browser, &FIRST).await;
    browser.fill("filed_kw", "-128.40").await;
    browser.set("grid_connected_on", "2015-02-30", true).await;
    upload(stage, &PAPERS).await;
    browser
        .upload("licence", &[&stage.zip("营业执照（示范）.pdf")])
        .await;
    browser.click("main #field-declaration").await;
    browser.shoot("apply").await;
    browser.press("check").await;
    for field in ["filed_kw", "grid_connected_on", "licence"] {
        let error = format!("#error-{field}");
        assert!(!browser.attr(&error, "data-rule").await.is_empty());
        assert!(!browser.text(&error).await.is_empty(), "{field}");
    }
    assert_eq!(
        browser.attr("#field-meter_no", "value").await,
        FIRST.meter,
        "what was right is kept"
    );
    assert_eq!(
        browser.attr("#field-grid_connected_on", "value").await,
        "2015-02-30",
        "what was wrong is shown"
    );
    browser.shoot("apply-errors").await;

    browser.fill("filed_kw", FIRST.filed_kw).await;
    browser
        .set("grid_connected_on", FIRST.connected_on, false)
        .await;
    upload(stage, &[("licence", "营业执照（示范）.pdf")]).await;
    browser.press("check").await;
    submit(stage, &FIRST, true).await
}

/// An application that is right at once; gives the path of its case.
pub async fn smoothly(stage: &Stage, wanted: &Application) -> String {
    open_form(stage, wanted, false).await;
    fill(&stage.browser, wanted).await;
    upload(stage, &PAPERS).await;
    upload(stage, &[(wanted.identity, "身份证明（示范）.pdf")]).await;
    stage.browser.click("main #field-declaration").await;
    stage.browser.press("check").await;
    submit(stage, wanted, false).await
}

/// The window tells the first applicant once and with a reason what is missing; he adds it.
pub async fn corrected_at_the_window(stage: &Stage, cases: &Cases) {
    let browser = &stage.browser;
    stage.later("2026-11-24T02:00:00Z").await;
    browser.log_in("window-yj").await;
    browser.shoot("window-worklist").await;
    browser.follow(&link(&cases.first)).await;
    browser.press("correct").await;
    assert!(browser.has("#error-reason").await, "a reason is wanted");
    browser
        .click("main input[name=correction][value=incomplete]")
        .await;
    browser
        .fill("reason", "并网验收单缺第二页，请补充完整的扫描件。")
        .await;
    browser.shoot("window-correction").await;
    browser.press("correct").await;
    assert_eq!(browser.attr("main", "data-state").await, "correcting");
    for case in [&cases.second, &cases.third] {
        accept(browser, case).await;
    }

    stage.later("2026-11-25T02:00:00Z").await;
    browser.log_in(FIRST.user).await;
    browser.shoot("my-cases").await;
    browser.follow(&link(&cases.first)).await;
    browser.shoot("my-case-to-correct").await;
    browser.follow("main a[href$='/correct']").await;
    upload(
        stage,
        &[("grid_acceptance", "并网验收单（完整，示范）.pdf")],
    )
    .await;
    browser.fill("answer", "已补充验收单第二页。").await;
    browser.shoot("correct").await;
    browser.press("submit").await;
    assert_eq!(browser.attr("main", "data-state").await, "accepting");

    stage.later("2026-11-25T07:00:00Z").await;
    browser.log_in("window-yj").await;
    accept(browser, &cases.first).await;
}

async fn accept(browser: &Browser, case: &str) {
    browser.go("/work").await;
    browser.follow(&link(case)).await;
    browser.press("accept").await;
    assert_eq!(browser.attr("main", "data-state").await, "examining");
}

/// The filing of the second applicant is mended to what was measured.
pub async fn correct_filing(stage: &Stage, case: &str, measured_kw: &str) {
    let browser = &stage.browser;
    browser.log_in(SECOND.user).await;
    browser.follow(&link(case)).await;
    browser.follow("main a[href$='/correct']").await;
    browser.fill("filed_kw", measured_kw).await;
    upload(stage, &[("filing_notice", "备案通知书（更正，示范）.pdf")]).await;
    browser.fill("answer", "已向备案机关更正备案容量。").await;
    browser.shoot("correct-filing").await;
    browser.press("submit").await;
    assert_eq!(browser.attr("main", "data-state").await, "examining");
}

/// The link of a page to something with this path.
pub fn link(path: &str) -> String {
    format!("main a[href='{path}']")
}
