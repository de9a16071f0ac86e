//! The two kinds of duration: days and time (exact nanoseconds), years and months (whole months).

use std::fmt;

const NANOS_PER_SECOND: i128 = 1_000_000_000;

/// A duration of days, hours, minutes and seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DaysDuration {
    seconds: i64,
    nanos: u32,
}

impl DaysDuration {
    /// From nanoseconds; `None` beyond 64-bit seconds.
    pub fn from_nanos(nanos: i128) -> Option<DaysDuration> {
        Some(DaysDuration {
            seconds: i64::try_from(nanos.div_euclid(NANOS_PER_SECOND)).ok()?,
            nanos: u32::try_from(nanos.rem_euclid(NANOS_PER_SECOND)).ok()?,
        })
    }

    /// From whole seconds.
    pub fn from_seconds(seconds: i64) -> DaysDuration {
        DaysDuration { seconds, nanos: 0 }
    }

    /// The whole duration in nanoseconds.
    pub fn nanos(self) -> i128 {
        i128::from(self.seconds) * NANOS_PER_SECOND + i128::from(self.nanos)
    }

    /// Reads `P1DT2H3M4.5S`, with an optional `-` before.
    pub fn parse(text: &str) -> Option<DaysDuration> {
        let (negative, body) = signed(text)?;
        let (days, time) = match body.split_once('T') {
            Some((days, time)) if !time.is_empty() => (days, time),
            Some(_) => return None,
            None => (body, ""),
        };
        if days.is_empty() && time.is_empty() {
            return None;
        }
        let mut total = 0i128;
        let rest = take_unit(days, 'D', 86_400, &mut total)?;
        if !rest.is_empty() {
            return None;
        }
        let rest = take_unit(time, 'H', 3_600, &mut total)?;
        let rest = take_unit(rest, 'M', 60, &mut total)?;
        total = total.checked_add(seconds_part(rest)?)?;
        DaysDuration::from_nanos(if negative { -total } else { total })
    }

    /// Days, hours, minutes, seconds, nanoseconds, each with the sign of the whole.
    pub fn fields(self) -> (i128, i128, i128, i128, i128) {
        let nanos = self.nanos();
        let seconds = nanos / NANOS_PER_SECOND;
        (
            seconds / 86_400,
            seconds / 3_600 % 24,
            seconds / 60 % 60,
            seconds % 60,
            nanos % NANOS_PER_SECOND,
        )
    }
}

impl fmt::Display for DaysDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, hours, minutes, seconds, nanos) = self.fields();
        if self.nanos() == 0 {
            return f.write_str("PT0S");
        }
        f.write_str(if self.nanos() < 0 { "-P" } else { "P" })?;
        if days != 0 {
            write!(f, "{}D", days.abs())?;
        }
        if hours == 0 && minutes == 0 && seconds == 0 && nanos == 0 {
            return Ok(());
        }
        f.write_str("T")?;
        for (amount, unit) in [(hours, "H"), (minutes, "M")] {
            if amount != 0 {
                write!(f, "{}{unit}", amount.abs())?;
            }
        }
        if nanos != 0 {
            let fraction = format!("{:09}", nanos.abs());
            write!(f, "{}.{}S", seconds.abs(), fraction.trim_end_matches('0'))?;
        } else if seconds != 0 {
            write!(f, "{}S", seconds.abs())?;
        }
        Ok(())
    }
}

/// A duration of years and months.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MonthsDuration(i64);

impl MonthsDuration {
    /// From whole months.
    pub fn new(months: i64) -> MonthsDuration {
        MonthsDuration(months)
    }

    /// The whole duration in months.
    pub fn months(self) -> i64 {
        self.0
    }

    /// Reads `P1Y2M`, with an optional `-` before.
    pub fn parse(text: &str) -> Option<MonthsDuration> {
        let (negative, body) = signed(text)?;
        if body.is_empty() {
            return None;
        }
        let mut total = 0i128;
        let rest = take_unit(body, 'Y', 12, &mut total)?;
        let rest = take_unit(rest, 'M', 1, &mut total)?;
        if !rest.is_empty() {
            return None;
        }
        let months = i64::try_from(total / NANOS_PER_SECOND).ok()?;
        Some(MonthsDuration(if negative { -months } else { months }))
    }
}

impl fmt::Display for MonthsDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (years, months) = (self.0 / 12, self.0 % 12);
        if self.0 == 0 {
            return f.write_str("P0M");
        }
        f.write_str(if self.0 < 0 { "-P" } else { "P" })?;
        if years != 0 {
            write!(f, "{}Y", years.unsigned_abs())?;
        }
        if months != 0 {
            write!(f, "{}M", months.unsigned_abs())?;
        }
        Ok(())
    }
}

fn signed(text: &str) -> Option<(bool, &str)> {
    match text.strip_prefix('-') {
        Some(rest) => Some((true, rest.strip_prefix('P')?)),
        None => Some((false, text.strip_prefix('P')?)),
    }
}

/// Takes `12D` from the front, adding it in nanoseconds; what lacks the unit is left as it is.
fn take_unit<'a>(text: &'a str, unit: char, seconds: i128, total: &mut i128) -> Option<&'a str> {
    let Some((amount, rest)) = text.split_once(unit) else {
        return Some(text);
    };
    if amount.is_empty() || amount.len() > 18 || !amount.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let amount: i128 = amount.parse().ok()?;
    *total = total.checked_add(amount.checked_mul(seconds)?.checked_mul(NANOS_PER_SECOND)?)?;
    Some(rest)
}

fn seconds_part(text: &str) -> Option<i128> {
    if text.is_empty() {
        return Some(0);
    }
    let body = text.strip_suffix('S')?;
    let (whole, fraction) = body
        .split_once('.')
        .map_or((body, None), |(w, f)| (w, Some(f)));
    let digits = |t: &str| !t.is_empty() && t.len() <= 18 && t.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) {
        return None;
    }
    let nanos = match fraction {
        Some(fraction) if !fraction.is_empty() => nanos_of_fraction(fraction)?,
        Some(_) | None => 0,
    };
    whole
        .parse::<i128>()
        .ok()?
        .checked_mul(NANOS_PER_SECOND)?
        .checked_add(i128::from(nanos))
}

/// Digits after the point of a second as nanoseconds; what is finer is cut off.
pub(crate) fn nanos_of_fraction(fraction: &str) -> Option<u32> {
    if fraction.is_empty() || fraction.len() > 30 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let nine: String = fraction
        .chars()
        .chain(std::iter::repeat('0'))
        .take(9)
        .collect();
    nine.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_durations_read_and_print_canonically() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(
                DaysDuration::parse(text).map(|d| d.to_string()).as_deref(),
                expected,
                "{text}"
            );
        };
        check("P1D", Some("P1D"));
        check("PT36H", Some("P1DT12H"));
        check("-PT90S", Some("-PT1M30S"));
        check("PT0.001S", Some("PT0.001S"));
        check("P0D", Some("PT0S"));
        check("P", None);
        check("PT", None);
        check("P1DT", None);
        check("P1Y", None);
        check("PT1S1M", None);
    }

    #[test]
    fn months_durations_read_and_print_canonically() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(
                MonthsDuration::parse(text)
                    .map(|d| d.to_string())
                    .as_deref(),
                expected,
                "{text}"
            );
        };
        check("P14M", Some("P1Y2M"));
        check("-P1Y", Some("-P1Y"));
        check("P0Y", Some("P0M"));
        check("P", None);
        check("P1M1Y", None);
        check("P1D", None);
    }
}
