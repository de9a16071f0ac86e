//! What happens to each application of the demonstration: who applies, for what, and every step
//! until it ends or today comes.

use jiff::ToSpan;
use jiff::civil::Date;
use rand::RngExt;
use rand_chacha::ChaCha20Rng;
use vocab::{Calendar, Quarter};

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
    /// The day from which on it is submitted, on the first working day.
    pub(super) submitted_on: Date,
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
        8 => {
            steps.truncate(0);
            steps.push((1, Step::AskCorrection("incomplete", UNCLEAR)));
        }
        _ => {}
    }
    steps
}

/// The applications: the quarter before in full, and the latest one on its way, so that on the
/// demonstration's day there is work on every desk.
pub(super) fn cases(rng: &mut ChaCha20Rng, latest: Quarter, today: Date) -> Vec<CasePlan> {
    let before = latest.previous();
    let mut plans = Vec::new();
    // The quarter before: everything is over.
    for number in 0..26 {
        let kind = [0, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0]
            .get(number % 16)
            .copied()
            .unwrap_or(0);
        // The last one never answers what it is asked.
        let kind = if number == 25 { 8 } else { kind };
        let on = days_after(before.last_day(), 8 + (number as i64 % 12));
        plans.push(plan(rng, before, number, on, kind));
    }
    // Nobody claims a quarter before it is over.
    let first = days_after(latest.last_day(), 2);
    for number in 0..34 {
        let (kind, ago, steps) = of_latest(number);
        let on = working_days_before(today, ago).max(first);
        let mut plan = plan(rng, latest, number, on, kind);
        plan.steps.truncate(steps);
        plans.push(plan);
    }
    plans
}

/// Of an application of the latest quarter: its kind, how many working days ago it came, and how
/// many of its steps are done at most.
fn of_latest(number: usize) -> (usize, u32, usize) {
    let kind = [0, 1, 0, 0, 2, 0, 3, 0, 7, 0, 0, 4]
        .get(number % 12)
        .copied()
        .unwrap_or(0);
    let turn = number as u32;
    match number {
        // In the list that is in public notice, or paid from.
        0..18 => (kind, 28 - turn % 8, usize::MAX),
        // Approved, and in no list yet.
        18..24 => (0, 13 - turn % 3, usize::MAX),
        // One for each desk of each county: decision, inspection, examination, acceptance.
        24..26 => (0, 12, 3),
        26..28 => (0, 8, 2),
        28..30 => (0, 5, 1),
        30..32 => (0, 2, 0),
        // Measured more than filed, and a correction at the window: the applicant's turn.
        32 => (3, 9, 3),
        _ => (2, 5, 1),
    }
}

fn days_after(day: Date, days: i64) -> Date {
    day.checked_add(days.days()).unwrap_or(day)
}

/// The working day so many working days before a day.
pub(super) fn working_days_before(day: Date, working_days: u32) -> Date {
    let calendar = Calendar::official();
    let mut left = working_days;
    let mut at = day;
    while left > 0 {
        let Ok(earlier) = at.yesterday() else {
            return at;
        };
        at = earlier;
        if calendar.is_working_day(at).0 {
            left -= 1;
        }
    }
    at
}

fn plan(
    rng: &mut ChaCha20Rng,
    quarter: Quarter,
    number: usize,
    submitted_on: Date,
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
        submitted_on,
        filed_kw_hundredths: filed,
        generated_kwh_tenths: filed * per_kw / 10,
        old_basis: number.is_multiple_of(3),
        steps: way(rng, kind),
    }
}
