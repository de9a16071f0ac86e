//! What a timer event waits for. Deliberately lacks any reckoning of dates: the caller knows the
//! calendar, the moment the timer started, and the suspensions of the case.

use serde::{Deserialize, Serialize};

/// Longest accepted number of working days: four years of them, more than any limit in law.
const MAX_WORKING_DAYS: u32 = 1_000;

/// What a timer waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimerSpec {
    /// A civil date and time in Asia/Shanghai; a plain date means its first second.
    Date(jiff::civil::DateTime),
    /// A moment given with its offset from UTC.
    Instant(jiff::Timestamp),
    /// A length of calendar time.
    Duration(IsoDuration),
    /// A number of working days of the official calendar, 1 to 1,000.
    WorkingDays(u32),
}

/// An ISO 8601 duration reduced to the three units that do not convert into each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct IsoDuration {
    /// Calendar months; a year is twelve.
    pub months: u32,
    /// Calendar days; a week is seven.
    pub days: u32,
    /// Seconds; minutes and hours are reckoned in.
    pub seconds: u64,
}

/// Reads the text of `timeDate`: `2026-03-01`, `2026-03-01T09:00:00`, with or without an offset.
pub(crate) fn parse_date(text: &str) -> Option<TimerSpec> {
    let text = text.trim();
    if let Ok(instant) = text.parse::<jiff::Timestamp>() {
        return Some(TimerSpec::Instant(instant));
    }
    if let Ok(moment) = text.parse::<jiff::civil::DateTime>() {
        return Some(TimerSpec::Date(moment));
    }
    let date = text.parse::<jiff::civil::Date>().ok()?;
    Some(TimerSpec::Date(date.at(0, 0, 0, 0)))
}

/// Reads the text of `timeDuration`: an ISO 8601 duration, not negative, in whole seconds.
pub(crate) fn parse_duration(text: &str) -> Option<TimerSpec> {
    let text = text.trim();
    if !text.starts_with('P') {
        return None;
    }
    let span = text.parse::<jiff::Span>().ok()?;
    if span.is_negative()
        || span.get_milliseconds() != 0
        || span.get_microseconds() != 0
        || span.get_nanoseconds() != 0
    {
        return None;
    }
    let months = i64::from(span.get_years()) * 12 + i64::from(span.get_months());
    let days = i64::from(span.get_weeks()) * 7 + i64::from(span.get_days());
    let seconds =
        i64::from(span.get_hours()) * 3_600 + span.get_minutes() * 60 + span.get_seconds();
    Some(TimerSpec::Duration(IsoDuration {
        months: u32::try_from(months).ok()?,
        days: u32::try_from(days).ok()?,
        seconds: u64::try_from(seconds).ok()?,
    }))
}

/// Reads the value of the attribute `workingDays`.
pub(crate) fn parse_working_days(text: &str) -> Option<TimerSpec> {
    let days = text.trim().parse::<u32>().ok()?;
    (1..=MAX_WORKING_DAYS)
        .contains(&days)
        .then_some(TimerSpec::WorkingDays(days))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(read: fn(&str) -> Option<TimerSpec>, text: &str, expected: &str) {
        let found = match read(text) {
            None => "none".to_owned(),
            Some(TimerSpec::Date(moment)) => format!("date {moment}"),
            Some(TimerSpec::Instant(instant)) => format!("instant {instant}"),
            Some(TimerSpec::WorkingDays(days)) => format!("{days} working days"),
            Some(TimerSpec::Duration(d)) => {
                format!("{} months {} days {} s", d.months, d.days, d.seconds)
            }
        };
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn dates_keep_their_offset_or_stay_civil() {
        check(parse_date, "2026-03-01", "date 2026-03-01T00:00:00");
        check(
            parse_date,
            " 2026-03-01T09:30:00 ",
            "date 2026-03-01T09:30:00",
        );
        check(
            parse_date,
            "2026-03-01T09:30:00+08:00",
            "instant 2026-03-01T01:30:00Z",
        );
        check(
            parse_date,
            "2026-03-01T01:30:00Z",
            "instant 2026-03-01T01:30:00Z",
        );
        check(parse_date, "2026-02-30", "none");
        check(parse_date, "=due", "none");
    }

    #[test]
    fn durations_are_reduced_to_three_units() {
        check(parse_duration, "P15D", "0 months 15 days 0 s");
        check(parse_duration, "P1Y2M", "14 months 0 days 0 s");
        check(parse_duration, "P2W", "0 months 14 days 0 s");
        check(parse_duration, "PT1H30M5S", "0 months 0 days 5405 s");
        check(parse_duration, "PT0S", "0 months 0 days 0 s");
        check(parse_duration, "-P1D", "none");
        check(parse_duration, "PT0.5S", "none");
        check(parse_duration, "15 days", "none");
        check(parse_duration, "PT9999999999999999999H", "none");
    }

    #[test]
    fn working_days_have_a_range() {
        check(parse_working_days, "15", "15 working days");
        check(parse_working_days, "0", "none");
        check(parse_working_days, "1001", "none");
        check(parse_working_days, "-3", "none");
        check(parse_working_days, "十五", "none");
    }
}
