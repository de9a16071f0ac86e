//! The official working-day calendar: weekends, statutory rest days and make-up working days (调休).
//!
//! It lacks opening hours and the holidays of single regions or offices. Source and date of the
//! table: `data/README.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use jiff::civil::{Date, Weekday};

use crate::refusal::refusals;
use crate::region::table_lines;

refusals! {
    /// Why a year's published days are not taken over.
    pub enum CalendarError {
        /// A day outside the year and the days next to it.
        ForeignDay: "calendar-foreign-day", "放假安排中有不属于该年度的日期，请核对", "the notice has a day that does not belong to its year: check it";
        /// The same day as rest day and as working day.
        Contradiction: "calendar-contradiction", "同一日期既列为放假又列为上班，请核对", "the same day is given as rest day and as working day: check it";
        /// No day at all.
        NoDays: "calendar-no-days", "放假安排为空，请填写该年度的放假和调休日期", "the notice is empty: give the year's rest days and make-up working days";
    }
}

/// What a notice makes of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DayKind {
    /// A statutory rest day, also one at a weekend.
    Rest,
    /// A make-up working day at a weekend.
    Work,
}

/// Whether the calendar of a day's year is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Certainty {
    /// The State Council's notice is in the calendar.
    Published,
    /// Weekends and fixed-date holidays only: to be counted again when the notice comes.
    Provisional,
}

/// A due day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Due {
    /// The day; due at its end, 24:00.
    pub date: Date,
    /// Whether a day before it lies in a year whose calendar is not published.
    pub provisional: bool,
}

/// Which days are worked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    /// Days that differ from a plain week, or confirm it.
    days: BTreeMap<Date, DayKind>,
    /// Years whose notice is in `days`.
    published: BTreeSet<i16>,
}

/// Holidays on the same day every year, which stand in until a year's notice is published.
/// Ref: 全国年节及纪念日放假办法 (State Council decree 795), second article, in force since 2025-01-01, which added 2 May.
const FIXED_HOLIDAYS: [(i8, i8); 6] = [(1, 1), (5, 1), (5, 2), (10, 1), (10, 2), (10, 3)];

static OFFICIAL: LazyLock<Calendar> = LazyLock::new(|| {
    let days: BTreeMap<Date, DayKind> = table_lines(include_str!("../data/calendar.csv"))
        .filter_map(read_day)
        .collect();
    let published = days.keys().map(|day| day.year()).collect();
    Calendar { days, published }
});

impl Calendar {
    /// The years published when this program was built: 2013 to 2026.
    pub fn official() -> &'static Calendar {
        &OFFICIAL
    }

    /// The calendar with the published days of one more year, which replace what was known of it.
    /// A notice may also name days of the last week of December before and the first of January after.
    ///
    /// # Errors
    /// No days, a day outside the year and its edges, or a day given both ways.
    pub fn with_days(
        mut self,
        year: i16,
        days: impl IntoIterator<Item = (Date, DayKind)>,
    ) -> Result<Calendar, CalendarError> {
        let mut notice = BTreeMap::new();
        for (day, kind) in days {
            if !belongs_to(day, year) {
                return Err(CalendarError::ForeignDay);
            }
            if notice
                .insert(day, kind)
                .is_some_and(|before| before != kind)
            {
                return Err(CalendarError::Contradiction);
            }
        }
        if notice.is_empty() {
            return Err(CalendarError::NoDays);
        }
        if self.published.contains(&year) {
            self.days.retain(|day, _| day.year() != year);
        }
        self.days.extend(notice);
        self.published.insert(year);
        Ok(self)
    }

    /// The last year whose notice is in the calendar.
    pub fn last_published_year(&self) -> Option<i16> {
        self.published.last().copied()
    }

    /// Whether a day is worked, and whether that is certain.
    pub fn is_working_day(&self, day: Date) -> (bool, Certainty) {
        (self.works(day), self.certainty(day))
    }

    /// The `count`-th working day strictly after `from`; `from` itself for none. Never beyond the
    /// last day of the year 9999.
    pub fn add_working_days(&self, from: Date, count: u32) -> Due {
        let mut due = Due {
            date: from,
            provisional: false,
        };
        let mut left = count;
        while left > 0 {
            let Ok(next) = due.date.tomorrow() else {
                return Due {
                    provisional: true,
                    ..due
                };
            };
            due = Due {
                date: next,
                provisional: due.provisional || self.is_provisional(next),
            };
            left -= u32::from(self.works(next));
        }
        due
    }

    /// The number of working days after `after`, up to and including `up_to`; none if that is not later.
    pub fn working_days_between(&self, after: Date, up_to: Date) -> u32 {
        days_between(after, up_to)
            .map(|day| u32::from(self.works(day)))
            .sum()
    }

    /// Whether a day after `after`, up to and including `up_to`, lies in a year that is not published.
    pub fn is_provisional_between(&self, after: Date, up_to: Date) -> bool {
        let Some(first) = after.tomorrow().ok().filter(|first| *first <= up_to) else {
            return false;
        };
        (first.year()..=up_to.year()).any(|year| !self.published.contains(&year))
    }

    fn works(&self, day: Date) -> bool {
        match self.days.get(&day) {
            Some(kind) => *kind == DayKind::Work,
            None => {
                let weekend = matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
                let fixed_holiday =
                    self.is_provisional(day) && FIXED_HOLIDAYS.contains(&(day.month(), day.day()));
                !weekend && !fixed_holiday
            }
        }
    }

    fn certainty(&self, day: Date) -> Certainty {
        if self.is_provisional(day) {
            Certainty::Provisional
        } else {
            Certainty::Published
        }
    }

    fn is_provisional(&self, day: Date) -> bool {
        !self.published.contains(&day.year())
    }
}

/// Whether the notice of a year may speak of a day: of the year itself, or of the week on either side.
fn belongs_to(day: Date, year: i16) -> bool {
    let (before, after) = (year.saturating_sub(1), year.saturating_add(1));
    day.year() == year
        || (day.year() == before && day.month() == 12 && day.day() >= 25)
        || (day.year() == after && day.month() == 1 && day.day() <= 7)
}

/// The days after `after`, up to and including `up_to`.
fn days_between(after: Date, up_to: Date) -> impl Iterator<Item = Date> {
    std::iter::successors(after.tomorrow().ok(), |day| day.tomorrow().ok())
        .take_while(move |day| *day <= up_to)
}

fn read_day(line: &str) -> Option<(Date, DayKind)> {
    let mut fields = line.split(',');
    let day = fields.next()?.parse().ok()?;
    match fields.next()? {
        "rest" => Some((day, DayKind::Rest)),
        "work" => Some((day, DayKind::Work)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use proptest::prelude::*;

    fn check(day: Date, works: bool) {
        assert_eq!(
            Calendar::official().is_working_day(day),
            (works, Certainty::Published),
            "{day}"
        );
    }

    #[test]
    fn every_row_is_read() {
        let table = include_str!("../data/calendar.csv");
        assert_eq!(Calendar::official().days.len(), table_lines(table).count());
        assert_eq!(Calendar::official().published, (2013..=2026).collect());
        for (day, kind) in &Calendar::official().days {
            let weekend = matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
            assert!(
                *kind == DayKind::Rest || weekend,
                "{day}: a make-up day is a weekend day"
            );
        }
    }

    #[test]
    fn known_days() {
        check(date(2026, 11, 23), true);
        check(date(2026, 11, 22), false);
        check(date(2026, 10, 1), false);
        check(date(2026, 10, 10), true);
        check(date(2015, 9, 3), false);
        check(date(2018, 12, 29), true);
        check(date(2024, 2, 9), true);
        check(date(2024, 2, 18), true);
        check(date(2025, 1, 26), true);
    }

    #[test]
    fn unpublished_years_are_provisional() {
        let works = |day| Calendar::official().is_working_day(day);
        assert_eq!(works(date(2027, 1, 1)), (false, Certainty::Provisional));
        assert_eq!(works(date(2027, 1, 4)), (true, Certainty::Provisional));
        assert_eq!(works(date(2028, 5, 2)), (false, Certainty::Provisional));
        assert_eq!(works(date(2028, 10, 3)), (false, Certainty::Provisional));
        assert_eq!(works(date(2012, 12, 31)), (true, Certainty::Provisional));
        assert_eq!(Calendar::official().last_published_year(), Some(2026));
    }

    fn check_due(from: Date, count: u32, expected: Date, provisional: bool) {
        let due = Calendar::official().add_working_days(from, count);
        assert_eq!(
            due,
            Due {
                date: expected,
                provisional
            },
            "{count} after {from}"
        );
    }

    #[test]
    fn adds_days() {
        check_due(date(2026, 11, 23), 0, date(2026, 11, 23), false);
        check_due(date(2026, 11, 23), 5, date(2026, 11, 30), false);
        check_due(date(2026, 9, 30), 1, date(2026, 10, 8), false);
        check_due(date(2026, 10, 9), 1, date(2026, 10, 10), false);
        check_due(date(2026, 12, 30), 1, date(2026, 12, 31), false);
        check_due(date(2026, 12, 30), 2, date(2027, 1, 4), true);
        check_due(Date::MAX, 3, Date::MAX, true);
    }

    #[test]
    fn a_new_notice_replaces_the_guess() {
        let day = date(2027, 1, 4);
        let notice = [
            (date(2027, 1, 4), DayKind::Rest),
            (date(2026, 12, 27), DayKind::Work),
        ];
        let calendar = Calendar::official()
            .clone()
            .with_days(2027, notice)
            .unwrap();
        assert_eq!(calendar.is_working_day(day), (false, Certainty::Published));
        assert_eq!(
            calendar.is_working_day(date(2026, 12, 27)),
            (true, Certainty::Published)
        );
        assert_eq!(
            calendar.is_working_day(date(2027, 1, 1)),
            (true, Certainty::Published)
        );
        let corrected = calendar
            .with_days(2027, [(date(2027, 1, 1), DayKind::Rest)])
            .unwrap();
        assert_eq!(corrected.is_working_day(day), (true, Certainty::Published));
        assert_eq!(
            corrected.is_working_day(date(2027, 1, 1)),
            (false, Certainty::Published)
        );
    }

    #[test]
    fn a_wrong_notice_is_refused() {
        let refused = |days: &[(Date, DayKind)]| {
            Calendar::official()
                .clone()
                .with_days(2027, days.iter().copied())
                .unwrap_err()
        };
        let day = date(2027, 10, 1);
        assert_eq!(refused(&[]), CalendarError::NoDays);
        assert_eq!(
            refused(&[(date(2028, 2, 1), DayKind::Rest)]),
            CalendarError::ForeignDay
        );
        assert_eq!(
            refused(&[(day, DayKind::Rest), (day, DayKind::Work)]),
            CalendarError::Contradiction
        );
    }

    pub(super) fn any_day() -> impl Strategy<Value = Date> {
        (0_i64..16 * 365)
            .prop_map(|days| date(2013, 1, 1).saturating_add(jiff::Span::new().days(days)))
    }

    proptest! {
        #[test]
        fn due_days_grow_and_are_worked(from in any_day(), count in 1_u32..300) {
            let calendar = Calendar::official();
            let due = calendar.add_working_days(from, count);
            prop_assert!(due.date > calendar.add_working_days(from, count - 1).date);
            prop_assert!(calendar.is_working_day(due.date).0);
            prop_assert_eq!(calendar.working_days_between(from, due.date), count);
            prop_assert_eq!(due.provisional, calendar.is_provisional_between(from, due.date));
        }

        #[test]
        fn counts_add_up(a in any_day(), b in any_day(), c in any_day()) {
            let mut days = [a, b, c];
            days.sort();
            let [a, b, c] = days;
            let count = |from, to| Calendar::official().working_days_between(from, to);
            prop_assert_eq!(count(a, b) + count(b, c), count(a, c));
            prop_assert_eq!(count(c, a), 0);
        }
    }
}
