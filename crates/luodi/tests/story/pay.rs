//! From the final list to the money: the payment file, the bank's reply, a returned payment that is
//! mended and sent again, and what everybody sees at the end.

use super::Cases;
use super::apply::{FIRST, SECOND, THIRD, link};
use super::objection::Listed;
use super::stage::Stage;

/// What the budget line of the list has paid so far, in fen.
pub async fn paid_from_budget(stage: &Stage, listed: &Listed) -> i64 {
    let browser = &stage.browser;
    browser.log_in("finance1-yj").await;
    browser.go(&listed.batch).await;
    browser.follow("main a[href^='/budgets/']").await;
    browser.fen("main a[href*='account=paid'] data").await
}

/// The line of the open payment file that pays a case.
async fn line_of(stage: &Stage, case: &str) -> i64 {
    let row = format!("#lines tr:has(a[href='{case}']) .num");
    stage.browser.text(&row).await.trim().parse().unwrap()
}

/// Makes a payment file of what is ready; leaves the window on it.
async fn create_file(stage: &Stage, listed: &Listed) {
    let browser = &stage.browser;
    browser.log_in("finance1-yj").await;
    browser.go(&listed.batch).await;
    browser.press("create_payment_file").await;
    assert!(browser.path().await.starts_with("/payments/"));
}

/// Hands in the bank's reply to the open file: paid, all but the lines in `returned`.
async fn reply(stage: &Stage, on: &str, returned: &[i64]) {
    let browser = &stage.browser;
    let number = browser.text("aside .facts dd").await;
    let rows = browser
        .script(
            "return document.querySelectorAll('#lines tbody tr').length",
            vec![],
        )
        .await;
    let mut text = format!("文件编号,{number}\r\n");
    for line in 1..=rows.as_i64().unwrap() {
        let result = if returned.contains(&line) {
            "退回,账号已销户"
        } else {
            "成功,"
        };
        text.push_str(&format!("{line},{result},{on}\r\n"));
    }
    browser.upload("reply", &[&stage.reply(&text)]).await;
    browser.press("apply_reply").await;
}

/// What the file says it pays is what its lines add up to, in fen.
fn sum_of_file(file: &str) -> i64 {
    let lines = file.lines().skip(5);
    lines
        .map(|line| {
            let yuan = line.split(',').nth(5).unwrap();
            yuan.replace('.', "").parse::<i64>().unwrap()
        })
        .sum()
}

/// The bank returns the first applicant's money; he gives another account, the other officer of
/// finance approves it, and it is sent again.
pub async fn returned_and_mended(stage: &Stage, listed: &Listed, cases: &Cases) {
    let browser = &stage.browser;
    create_file(stage, listed).await;
    let file = browser.download("download").await;
    assert_eq!(sum_of_file(&file), browser.fen(".stat data").await);
    let line = line_of(stage, &cases.first).await;
    assert!(line_of(stage, &cases.second).await > 0);
    assert!(
        !browser
            .has(&format!("#lines a[href='{}']", cases.third))
            .await
    );
    browser.shoot("payment-file").await;

    let number = browser.text("aside .facts dd").await;
    let unknown = stage.reply(&format!("文件编号,{number}\r\n99,成功,,2026-12-10\r\n"));
    browser.upload("reply", &[&unknown]).await;
    browser.press("apply_reply").await;
    assert!(browser.has("#error-reply").await, "an unknown line");
    browser.shoot("reply-refused").await;
    reply(stage, "2026-12-10", &[line]).await;
    browser.shoot("reply-with-a-return").await;

    stage.later("2026-12-11T02:00:00Z").await;
    browser.log_in(FIRST.user).await;
    browser.go("/my/bank-accounts").await;
    browser.press_surely("end").await;
    for (name, text) in [
        ("bank_name", "示范农商银行永嘉支行"),
        ("number", "6228480000000000017"),
        ("bank_code", "402333000022"),
    ] {
        browser.fill(name, text).await;
    }
    browser.shoot("another-account").await;
    browser.press("enter").await;

    browser.log_in("finance2-yj").await;
    browser.go("/bank-accounts").await;
    browser.shoot("accounts-to-approve").await;
    browser.go("/bank-accounts?q=瓯越新能源").await;
    browser.follow("tr[data-state=entered] a[data-open]").await;
    browser.shoot("approve-account").await;
    browser.press("approve").await;

    stage.later("2026-12-14T02:00:00Z").await;
    create_file(stage, listed).await;
    assert_eq!(browser.fen(".stat data").await, FIRST.amount_fen);
    reply(stage, "2026-12-14", &[]).await;
    browser.go(&cases.first).await;
    assert_eq!(browser.attr("main", "data-state").await, "paid");
}

/// The one objected to is paid after the answer.
pub async fn the_objected(stage: &Stage, listed: &Listed, cases: &Cases) {
    stage.later("2026-12-16T02:00:00Z").await;
    create_file(stage, listed).await;
    assert_eq!(stage.browser.fen(".stat data").await, THIRD.amount_fen);
    reply(stage, "2026-12-16", &[]).await;
    stage.browser.shoot("all-paid").await;
    stage.browser.go(&cases.third).await;
    assert_eq!(stage.browser.attr("main", "data-state").await, "paid");
}

/// List, payment files and budget agree; the leader has an overview, the enterprise its money.
pub async fn everybody_sees_it(stage: &Stage, listed: &Listed, cases: &Cases, before: i64) {
    let browser = &stage.browser;
    browser.go(&listed.batch).await;
    assert_eq!(browser.fen(".stat data").await, listed.total_fen);
    assert!(browser.text("main").await.contains("与账簿一致"));
    browser.shoot("batch-at-the-end").await;
    let script = "return [...document.querySelectorAll('#entries tbody tr')] \
         .filter(row => row.querySelector('td[data-label=状态]').textContent.trim() === '已付') \
         .reduce((sum, row) => sum + Number(row.querySelector('td.r data').value), 0)";
    let paid = browser.script(script, vec![]).await.as_i64().unwrap();
    assert!(paid >= FIRST.amount_fen + SECOND.amount_fen + THIRD.amount_fen);
    assert_eq!(paid_from_budget(stage, listed).await - before, paid);
    browser.shoot("budget").await;

    browser.log_in("leader-yj").await;
    browser.go("/overview").await;
    browser.shoot("overview").await;
    browser.log_in(FIRST.user).await;
    browser.shoot("my-cases-at-the-end").await;
    browser.follow(&link(&cases.first)).await;
    assert_eq!(browser.attr("main", "data-state").await, "paid");
    assert!(browser.text(".head").await.contains("已兑付"));
    assert_eq!(browser.fen("#money data").await, FIRST.amount_fen);
    browser.shoot("money-received").await;
}
