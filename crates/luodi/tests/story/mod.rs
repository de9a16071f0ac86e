//! The story of a subsidy in a real browser: three applicants, every official on the way, a stranger
//! who objects and a bank that returns a payment, from the form to the money, at the width of a desk
//! and of a phone.
//!
//! Pictures of every important page go to `target/shots`, or where `LUODI_SHOTS` says.

mod apply;
mod browser;
mod decide;
mod narrow;
mod objection;
mod pay;
mod stage;

use self::browser::Screen;
use self::stage::Stage;

const DESK: Screen = Screen {
    name: "desk",
    width: 1280,
    height: 900,
};
const PHONE: Screen = Screen {
    name: "phone",
    width: 390,
    height: 844,
};

#[tokio::test(flavor = "multi_thread")]
async fn the_story_at_a_desk() {
    tell(DESK).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_story_on_a_phone() {
    tell(PHONE).await;
}

/// The three applications that the story follows.
struct Cases {
    /// Corrected at the window; the bank returns its money once.
    first: String,
    /// More on the roof than filed, so that the filing is corrected.
    second: String,
    /// A natural person's, against whom somebody objects.
    third: String,
}

#[expect(clippy::print_stdout, reason = "why a test did nothing")]
async fn tell(screen: Screen) {
    if let Some(absent) = browser::missing() {
        println!("skipped: the story needs {absent} (Debian: chromium, chromium-driver)");
        return;
    }
    let stage = Stage::open(screen).await;
    stage.browser.go("/").await;
    stage.browser.shoot("home").await;
    let cases = Cases {
        first: apply::with_mistakes(&stage).await,
        second: apply::smoothly(&stage, &apply::SECOND).await,
        third: apply::smoothly(&stage, &apply::THIRD).await,
    };
    apply::corrected_at_the_window(&stage, &cases).await;
    decide::examine_and_inspect(&stage, &cases).await;
    decide::approve(&stage, &cases).await;

    let listed = objection::propose_and_publish(&stage).await;
    let receipt = objection::object(&stage, &listed, &cases).await;
    objection::the_others_are_final(&stage, &listed, &cases).await;

    let before = pay::paid_from_budget(&stage, &listed).await;
    pay::returned_and_mended(&stage, &listed, &cases).await;
    objection::answered(&stage, &listed, &cases, &receipt).await;
    pay::the_objected(&stage, &listed, &cases).await;
    pay::everybody_sees_it(&stage, &listed, &cases, before).await;
    stage.verify_ledger().await;
    stage.close().await;
}
