//! Dated cases, and the count proved against a naive one that looks at every day by itself.

use super::*;
use crate::calendar::DayKind;
use jiff::civil::date;
use proptest::prelude::*;

/// The rule read word by word, one day after the other, without stretches.
struct Naive<'a> {
    limit: &'a Limit,
    calendar: &'a Calendar,
}

impl Naive<'_> {
    fn counts(&self, day: Date) -> bool {
        let suspended = self
            .limit
            .suspensions
            .iter()
            .any(|s| s.suspended_on < day && s.resumed_on.is_none_or(|resumed| day <= resumed));
        self.calendar.is_working_day(day).0 && !suspended
    }

    fn start(&self) -> Date {
        match self.limit.restarted_on {
            Some(restart) if restart > self.limit.accepted_on => restart,
            _ => self.limit.accepted_on,
        }
    }

    fn used(&self, today: Date) -> u32 {
        let mut used = 0;
        let mut day = self.start();
        while day < today {
            day = day.tomorrow().unwrap();
            used += u32::from(self.counts(day));
        }
        used
    }

    fn due(&self) -> Option<Date> {
        let mut used = 0;
        let mut day = self.start();
        while used < u32::from(self.limit.working_days) {
            day = day.tomorrow().unwrap();
            used += u32::from(self.counts(day));
            if day > date(2060, 1, 1) {
                return None;
            }
        }
        Some(day)
    }

    fn suspended(&self, today: Date) -> bool {
        let mut suspensions = self.limit.suspensions.iter();
        suspensions
            .any(|s| s.suspended_on <= today && s.resumed_on.is_none_or(|resumed| today < resumed))
    }
}

fn from_2013(days: i64) -> Date {
    date(2013, 1, 1).saturating_add(jiff::Span::new().days(days))
}

fn any_cause() -> impl Strategy<Value = Cause> {
    prop::sample::select(vec![
        Cause::Correction,
        Cause::Notice,
        Cause::OutsideReview,
        Cause::AgreedExtension,
        Cause::ExcludedProcedure,
    ])
}

/// Suspensions around an acceptance `base` days into 2013: some before it, some nested, some reversed, some open.
fn any_suspension(base: i64) -> impl Strategy<Value = Suspension> {
    (
        any_cause(),
        base - 20..base + 150,
        prop::option::weighted(0.85, -3_i64..60),
    )
        .prop_map(|(cause, from, length)| Suspension {
            cause,
            suspended_on: from_2013(from),
            resumed_on: length.map(|days| from_2013(from + days)),
        })
}

fn any_limit() -> impl Strategy<Value = (Limit, Date)> {
    (0_i64..16 * 365)
        .prop_flat_map(|base| {
            (
                Just(base),
                0_u16..130,
                prop::collection::vec(any_suspension(base), 0..6),
                prop::option::weighted(0.3, -5_i64..100),
                -10_i64..300,
            )
        })
        .prop_map(|(base, working_days, suspensions, restart, today)| {
            let limit = Limit {
                accepted_on: from_2013(base),
                working_days,
                suspensions,
                restarted_on: restart.map(|days| from_2013(base + days)),
            };
            (limit, from_2013(base + today))
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn equals_the_naive_count((limit, today) in any_limit()) {
        let calendar = Calendar::official();
        let naive = Naive { limit: &limit, calendar };
        let standing = limit.standing(calendar, today);
        let used = naive.used(today);
        prop_assert_eq!(standing.used, used);
        prop_assert_eq!(standing.left, i64::from(limit.working_days) - i64::from(used));
        let suspended = naive.suspended(today);
        let due = naive.due().filter(|_| !suspended);
        prop_assert_eq!(standing.due_on, due);
        let left_out: u32 = standing.left_out.iter().map(|(_, days)| days).sum();
        let all = calendar.working_days_between(naive.start(), today);
        prop_assert_eq!(left_out, all - used);
        prop_assert!(standing.left_out.iter().all(|(_, days)| *days > 0));
        let fifth = (f64::from(limit.working_days) / 5.0).ceil() as i64;
        let light = if suspended { Light::Grey }
            else if standing.left <= 0 { Light::Red }
            else if standing.left <= fifth { Light::Amber }
            else { Light::Green };
        prop_assert_eq!(standing.light, light);
        prop_assert_eq!(standing.suspended_for.is_some(), suspended);
        prop_assert!(standing.sentence_zh().starts_with("承诺"));
    }

    /// Red is "due today or over": what the number of days left says, the due day says too.
    #[test]
    fn red_from_the_due_day_on((limit, today) in any_limit()) {
        let standing = limit.standing(Calendar::official(), today);
        prop_assume!(limit.working_days > 0);
        if let Some(due) = standing.due_on {
            prop_assert_eq!(standing.light == Light::Red, today >= due);
        }
    }

    /// A suspension keeps the remaining days: a pause of any length moves only the due day.
    #[test]
    fn a_pause_keeps_what_is_left(base in 0_i64..5000, used in 0_i64..20, pause in 0_i64..90) {
        let calendar = Calendar::official();
        let mut limit = Limit::new(from_2013(base), 20);
        let paused_on = from_2013(base + used);
        let left = limit.standing(calendar, paused_on).left;
        let resumed_on = from_2013(base + used + pause);
        limit.suspensions.push(Suspension { cause: Cause::Notice, suspended_on: paused_on, resumed_on: Some(resumed_on) });
        let after = limit.standing(calendar, resumed_on);
        prop_assert_eq!(after.left, left);
        let due = calendar.add_working_days(resumed_on, u32::try_from(left).unwrap_or(0)).date;
        prop_assert_eq!(after.due_on, Some(due));
    }

    /// Days never come back: from one day to the next what is left shrinks by one at most.
    #[test]
    fn time_only_runs((limit, today) in any_limit()) {
        let calendar = Calendar::official();
        let left = limit.standing(calendar, today).left;
        let next = limit.standing(calendar, today.tomorrow().unwrap()).left;
        prop_assert!(next == left || next == left - 1);
    }
}

fn check(limit: &Limit, today: Date, used: u32, due_on: Option<Date>, light: Light) {
    let standing = limit.standing(Calendar::official(), today);
    assert_eq!(
        (standing.used, standing.due_on, standing.light),
        (used, due_on, light),
        "on {today}"
    );
}

#[test]
fn counts_from_the_day_after_acceptance() {
    let limit = Limit::new(date(2026, 11, 23), 5);
    let due = Some(date(2026, 11, 30));
    check(&limit, date(2026, 11, 23), 0, due, Light::Green);
    check(&limit, date(2026, 11, 26), 3, due, Light::Green);
    check(&limit, date(2026, 11, 27), 4, due, Light::Amber);
    check(&limit, date(2026, 11, 29), 4, due, Light::Amber);
    check(&limit, date(2026, 11, 30), 5, due, Light::Red);
    check(&limit, date(2026, 12, 1), 6, due, Light::Red);
}

#[test]
fn national_day_and_its_make_up_days() {
    // 2026: 1 to 7 October free, Saturday 10 October worked.
    check(
        &Limit::new(date(2026, 9, 30), 3),
        date(2026, 10, 8),
        1,
        Some(date(2026, 10, 10)),
        Light::Green,
    );
}

#[test]
fn overlapping_suspensions_count_once() {
    let suspension = |from, to| Suspension {
        cause: Cause::Correction,
        suspended_on: from,
        resumed_on: to,
    };
    let limit = Limit {
        suspensions: vec![
            suspension(date(2026, 11, 10), Some(date(2026, 11, 16))),
            suspension(date(2026, 11, 4), Some(date(2026, 11, 12))),
        ],
        ..Limit::new(date(2026, 11, 2), 10)
    };
    check(&limit, date(2026, 11, 4), 2, None, Light::Grey);
    check(&limit, date(2026, 11, 13), 2, None, Light::Grey);
    check(
        &limit,
        date(2026, 11, 16),
        2,
        Some(date(2026, 11, 26)),
        Light::Green,
    );
}

#[test]
fn an_answer_to_an_incomplete_request_starts_again() {
    let limit = Limit {
        restarted_on: Some(date(2026, 11, 16)),
        ..Limit::new(date(2026, 11, 2), 5)
    };
    check(
        &limit,
        date(2026, 11, 16),
        0,
        Some(date(2026, 11, 23)),
        Light::Green,
    );
}

#[test]
fn an_instant_item_is_due_on_the_day_of_acceptance() {
    check(
        &Limit::new(date(2026, 11, 23), 0),
        date(2026, 11, 23),
        0,
        Some(date(2026, 11, 23)),
        Light::Red,
    );
}

#[test]
fn becomes_certain_when_the_year_is_published() {
    let limit = Limit::new(date(2026, 12, 30), 3);
    let before = limit.standing(Calendar::official(), date(2026, 12, 31));
    assert_eq!(
        (before.due_on, before.provisional),
        (Some(date(2027, 1, 5)), true)
    );
    let notice = [
        (date(2027, 1, 1), DayKind::Rest),
        (date(2027, 1, 4), DayKind::Rest),
    ];
    let published = Calendar::official()
        .clone()
        .with_days(2027, notice)
        .unwrap();
    let after = limit.standing(&published, date(2026, 12, 31));
    assert_eq!(
        (after.due_on, after.provisional),
        (Some(date(2027, 1, 6)), false)
    );
}

#[test]
fn reads_back_from_json() {
    let limit = Limit {
        suspensions: vec![Suspension {
            cause: Cause::AgreedExtension,
            suspended_on: date(2026, 11, 4),
            resumed_on: None,
        }],
        ..Limit::new(date(2026, 11, 2), 10)
    };
    let json = serde_json::to_string(&limit).unwrap();
    assert!(json.contains("\"agreed-extension\""), "{json}");
    assert_eq!(serde_json::from_str::<Limit>(&json).unwrap(), limit);
}
