//! What happens to each application of the demonstration: who applies, for what, and every step
//! until it ends or today comes.

use rand::RngExt;
use rand_chacha::ChaCha20Rng;
use vocab::Quarter;

/// A step of a case, done by whoever the item says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// The window accepts.
    Accept,
    /// Staff asks for a correction: `wrong` or `incomplete`, with the words.
    AskCorrection(&'static str, &'static str),
    /// The applicant answers the correction.
    Answer,
    /// The examination is passed.
    Pass,
    /// Turned down with a reason.
    Reject(&'static str),
    /// Not accepted, with a reason.
    Refuse(&'static str),
    /// The site is inspected; measured capacity as per cent of the filed one.
    Inspect(u32),
    /// Approved.
    Approve,
    /// Sent back by the approver.
    Return(&'static str),
    /// The applicant withdraws.
    Withdraw(&'static str),
}

/// One application.
#[derive(Clone, Debug)]
pub(super) struct CasePlan {
    /// 0 or 1.
    pub(super) county: usize,
    /// Whose turn it is among the county's applicants.
    pub(super) turn: usize,
    /// By an enterprise.
    pub(super) enterprise: bool,
    /// The quarter applied for.
    pub(super) quarter: Quarter,
    /// Days after the quarter's end on which it is submitted.
    pub(super) submitted_after_days: i32,
    /// Filed capacity in hundredths of a kW.
    pub(super) filed_kw_hundredths: i64,
    /// Generation of the quarter in tenths of a kWh.
    pub(super) generated_kwh_tenths: i64,
    /// Connected to the grid before 2016-07-01.
    pub(super) old_basis: bool,
    /// Steps with the working days that each takes.
    pub(super) steps: Vec<(u32, Step)>,
}

const UNCLEAR: &str = "并网验收单缺第二页，请补充完整的扫描件。";
const WRONG_METER: &str = "电表号与抄表单不一致，请核对后更正。";

/// The way of a case that goes through without a hitch, up to the approver.
fn smooth(rng: &mut ChaCha20Rng) -> Vec<(u32, Step)> {
    let mut days = |low, high| rng.random_range(low..high);
    vec![
        (days(1, 3), Step::Accept),
        (days(1, 4), Step::Pass),
        (days(2, 5), Step::Inspect(100)),
        (days(1, 3), Step::Approve),
    ]
}

/// The ways, by kind: how a case differs from the smooth way.
fn way(rng: &mut ChaCha20Rng, kind: usize) -> Vec<(u32, Step)> {
    let mut steps = smooth(rng);
    match kind {
        // Corrected before and after acceptance.
        1 => {
            let correction = [
                (1, Step::AskCorrection("wrong", WRONG_METER)),
                (3, Step::Answer),
            ];
            steps.splice(1..1, correction);
        }
        2 => {
            let correction = [
                (1, Step::AskCorrection("incomplete", UNCLEAR)),
                (4, Step::Answer),
            ];
            steps.splice(0..0, correction);
        }
        // More capacity on the roof than filed.
        3 => {
            steps.truncate(2);
            steps.extend([
                (2, Step::Inspect(112)),
                (5, Step::Answer),
                (1, Step::Pass),
                (2, Step::Inspect(100)),
                (1, Step::Approve),
            ]);
        }
        4 => {
            steps.truncate(1);
            steps.push((3, Step::Reject("项目未取得并网验收，不符合补贴条件。")));
        }
        5 => {
            steps.truncate(0);
            steps.push((
                1,
                Step::Refuse("申报对象不属于本县管辖，请向项目所在地申报。"),
            ));
        }
        6 => {
            steps.truncate(1);
            steps.push((2, Step::Withdraw("电表号填错，重新申报")));
        }
        7 => {
            let last = steps.len() - 1;
            let again = [
                (1, Step::Return("请核对并网日期的依据。")),
                (1, Step::Pass),
                (2, Step::Inspect(100)),
            ];
            steps.splice(last..last, again);
        }
        _ => {}
    }
    steps
}

/// The applications: a finished quarter and the one before it in full, the latest one on its way.
pub(super) fn cases(rng: &mut ChaCha20Rng, latest: Quarter) -> Vec<CasePlan> {
    let before = latest.previous();
    let mut plans = Vec::new();
    // The quarter before: everything is over.
    for number in 0..26 {
        let kind = [0, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0]
            .get(number % 16)
            .copied()
            .unwrap_or(0);
        plans.push(plan(rng, before, number, 8 + (number as i32 % 12), kind));
    }
    // The latest quarter: early ones are in the public notice, late ones stand everywhere.
    for number in 0..34 {
        let kind = [0, 1, 0, 0, 2, 0, 3, 0, 7, 0, 0, 4]
            .get(number % 12)
            .copied()
            .unwrap_or(0);
        let after = if number < 18 {
            3 + (number as i32 % 8)
        } else {
            24 + (number as i32 - 18) * 2
        };
        plans.push(plan(rng, latest, number, after, kind));
    }
    plans
}

fn plan(
    rng: &mut ChaCha20Rng,
    quarter: Quarter,
    number: usize,
    after: i32,
    kind: usize,
) -> CasePlan {
    let enterprise = number % 5 < 3;
    let filed = if enterprise {
        rng.random_range(8_000..60_000)
    } else {
        rng.random_range(500..3_000)
    };
    // About 280 kWh per kW and quarter; every eleventh reading is conspicuously high.
    let per_kw = rng.random_range(250..310) + if number % 11 == 10 { 120 } else { 0 };
    CasePlan {
        county: number % 2,
        turn: number,
        enterprise,
        quarter,
        submitted_after_days: after,
        filed_kw_hundredths: filed,
        generated_kwh_tenths: filed * per_kw / 10,
        old_basis: number.is_multiple_of(3),
        steps: way(rng, kind),
    }
}
