//! Times of day and moments, local or with an offset or a named zone.
//!
//! Named zones come from the database compiled into the program, never from the machine.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;
use std::sync::OnceLock;

use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::date::Date;
use super::duration::{DaysDuration, nanos_of_fraction};

const NANOS_PER_SECOND: i128 = 1_000_000_000;
const SECONDS_PER_DAY: i64 = 86_400;
/// Largest offset from UTC, either sign: 18 hours.
const MAX_OFFSET: i32 = 18 * 3_600;

/// Where a time is meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Zone {
    /// Not said.
    Local,
    /// Seconds east of UTC.
    Offset(i32),
    /// A zone of the tz database, such as `Asia/Shanghai`.
    Named(NamedZone),
}

/// A zone of the tz database under the name it was asked for.
#[derive(Clone, Debug)]
pub struct NamedZone(Arc<(String, TimeZone)>);

impl NamedZone {
    /// Finds a zone by its name.
    pub fn find(name: &str) -> Option<NamedZone> {
        let zone = database().get(name).ok()?;
        Some(NamedZone(Arc::new((name.to_owned(), zone))))
    }

    /// The name it was asked for.
    pub fn name(&self) -> &str {
        &self.0.0
    }

    /// Seconds east of UTC at a local moment.
    fn offset_at(&self, date: Date, time: &Time) -> i32 {
        // Rules of far years repeat with the calendar, every 400 years.
        let year = if (-9_000..=9_000).contains(&date.year()) {
            date.year()
        } else {
            2000 + date.year().rem_euclid(400)
        };
        let civil = Date::new(year, date.month(), date.day()).and_then(Date::to_civil);
        let parts = (
            i8::try_from(time.hour),
            i8::try_from(time.minute),
            i8::try_from(time.second),
        );
        let (Some(civil), (Ok(hour), Ok(minute), Ok(second))) = (civil, parts) else {
            return 0;
        };
        self.0
            .1
            .to_ambiguous_timestamp(civil.at(hour, minute, second, 0))
            .compatible()
            .map_or(0, |at| self.0.1.to_offset(at).seconds())
    }
}

impl PartialEq for NamedZone {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for NamedZone {}

impl std::hash::Hash for NamedZone {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

fn database() -> &'static TimeZoneDatabase {
    static DATABASE: OnceLock<TimeZoneDatabase> = OnceLock::new();
    DATABASE.get_or_init(TimeZoneDatabase::bundled)
}

impl Zone {
    fn parse(text: &str) -> Option<Zone> {
        if text.is_empty() {
            return Some(Zone::Local);
        }
        if text == "Z" || text == "z" {
            return Some(Zone::Offset(0));
        }
        if let Some(name) = text.strip_prefix('@') {
            return NamedZone::find(name).map(Zone::Named);
        }
        let (sign, body) = match text.strip_prefix('-') {
            Some(body) => (-1, body),
            None => (1, text.strip_prefix('+')?),
        };
        let mut parts = body.split(':');
        let hours = two_digits(parts.next()?)?;
        let minutes = two_digits(parts.next()?)?;
        let seconds = parts.next().map_or(Some(0), two_digits)?;
        let offset = i32::from(hours) * 3_600 + i32::from(minutes) * 60 + i32::from(seconds);
        let fits = parts.next().is_none() && minutes < 60 && seconds < 60 && offset <= MAX_OFFSET;
        fits.then_some(Zone::Offset(sign * offset))
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Zone::Local => Ok(()),
            Zone::Offset(0) => f.write_str("Z"),
            Zone::Offset(offset) => {
                let sign = if *offset < 0 { '-' } else { '+' };
                let seconds = offset.unsigned_abs();
                write!(f, "{sign}{:02}:{:02}", seconds / 3_600, seconds / 60 % 60)?;
                if seconds % 60 == 0 {
                    Ok(())
                } else {
                    write!(f, ":{:02}", seconds % 60)
                }
            }
            Zone::Named(zone) => write!(f, "@{}", zone.name()),
        }
    }
}

/// A time of day.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Time {
    /// 0–23.
    pub hour: u8,
    /// 0–59.
    pub minute: u8,
    /// 0–59.
    pub second: u8,
    /// 0–999,999,999.
    pub nanos: u32,
    /// Where it is meant.
    pub zone: Zone,
}

impl Time {
    /// Midnight without a zone.
    pub const MIDNIGHT: Time = Time {
        hour: 0,
        minute: 0,
        second: 0,
        nanos: 0,
        zone: Zone::Local,
    };

    /// A time that exists.
    pub fn new(hour: u8, minute: u8, second: u8, nanos: u32, zone: Zone) -> Option<Time> {
        let exists = hour < 24 && minute < 60 && second < 60 && nanos < 1_000_000_000;
        exists.then_some(Time {
            hour,
            minute,
            second,
            nanos,
            zone,
        })
    }

    /// Reads `10:30:00`, `10:30:00.5Z`, `10:30:00+08:00`, `10:30:00@Asia/Shanghai`.
    pub fn parse(text: &str) -> Option<Time> {
        let text = text.strip_prefix('T').unwrap_or(text);
        let (clock, rest) = (text.get(..8)?, text.get(8..)?);
        let mut parts = clock.split(':');
        let hour = two_digits(parts.next()?)?;
        let minute = two_digits(parts.next()?)?;
        let second = two_digits(parts.next()?)?;
        let (nanos, zone) = match rest.strip_prefix('.') {
            Some(rest) => {
                let end = rest
                    .find(|c: char| !c.is_ascii_digit())
                    .unwrap_or(rest.len());
                (nanos_of_fraction(rest.get(..end)?)?, rest.get(end..)?)
            }
            None => (0, rest),
        };
        // XML Schema writes the end of a day as 24:00:00.
        let end_of_day = hour == 24 && minute == 0 && second == 0 && nanos == 0;
        Time::new(
            if end_of_day { 0 } else { hour },
            minute,
            second,
            nanos,
            Zone::parse(zone)?,
        )
    }

    /// Seconds since midnight, local.
    pub fn seconds_of_day(&self) -> i64 {
        i64::from(self.hour) * 3_600 + i64::from(self.minute) * 60 + i64::from(self.second)
    }

    /// Nanoseconds since midnight, local.
    pub fn nanos_of_day(&self) -> i128 {
        i128::from(self.seconds_of_day()) * NANOS_PER_SECOND + i128::from(self.nanos)
    }

    /// The time so many nanoseconds after midnight, wrapping around the day.
    pub fn from_nanos_of_day(nanos: i128, zone: Zone) -> Option<Time> {
        let nanos = nanos.rem_euclid(i128::from(SECONDS_PER_DAY) * NANOS_PER_SECOND);
        let seconds = nanos / NANOS_PER_SECOND;
        Time::new(
            u8::try_from(seconds / 3_600).ok()?,
            u8::try_from(seconds / 60 % 60).ok()?,
            u8::try_from(seconds % 60).ok()?,
            u32::try_from(nanos % NANOS_PER_SECOND).ok()?,
            zone,
        )
    }

    /// Seconds east of UTC, where a zone is said. A named zone counts as on 1970-01-01.
    pub fn offset_seconds(&self) -> Option<i32> {
        offset_of(&self.zone, Date::from_days_since_epoch(0)?, self)
    }

    /// Later by a duration, wrapping around the day.
    pub fn plus(&self, duration: DaysDuration) -> Option<Time> {
        Time::from_nanos_of_day(
            self.nanos_of_day().checked_add(duration.nanos())?,
            self.zone.clone(),
        )
    }

    /// Nanoseconds of the day in UTC, or local where no zone is said.
    pub fn instant_nanos(&self) -> i128 {
        self.nanos_of_day() - i128::from(self.offset_seconds().unwrap_or(0)) * NANOS_PER_SECOND
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}:{:02}", self.hour, self.minute, self.second)?;
        if self.nanos != 0 {
            let fraction = format!("{:09}", self.nanos);
            write!(f, ".{}", fraction.trim_end_matches('0'))?;
        }
        write!(f, "{}", self.zone)
    }
}

/// A date with a time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DateTime {
    /// The date.
    pub date: Date,
    /// The time with its zone.
    pub time: Time,
}

impl DateTime {
    /// Reads `2016-07-01T10:30:00+08:00`; a bare date is its midnight.
    pub fn parse(text: &str) -> Option<DateTime> {
        match text.split_once('T') {
            None => Some(DateTime {
                date: Date::parse(text)?,
                time: Time::MIDNIGHT,
            }),
            Some((_, time)) if time.starts_with('T') => None,
            Some((date, time)) => {
                let (date, parsed) = (Date::parse(date)?, Time::parse(time)?);
                let date = if time.starts_with("24:") {
                    date.plus_days(1)?
                } else {
                    date
                };
                Some(DateTime { date, time: parsed })
            }
        }
    }

    /// Midnight of a date in UTC, as the standard reads a date where a moment is needed.
    pub fn utc_midnight(date: Date) -> DateTime {
        DateTime {
            date,
            time: Time {
                zone: Zone::Offset(0),
                ..Time::MIDNIGHT
            },
        }
    }

    /// Seconds east of UTC, where a zone is said.
    pub fn offset_seconds(&self) -> Option<i32> {
        offset_of(&self.time.zone, self.date, &self.time)
    }

    /// Nanoseconds since 1970-01-01 local.
    fn local_nanos(&self) -> i128 {
        i128::from(self.date.days_since_epoch()) * i128::from(SECONDS_PER_DAY) * NANOS_PER_SECOND
            + self.time.nanos_of_day()
    }

    /// Nanoseconds since 1970-01-01 in UTC, or local where no zone is said.
    pub fn instant_nanos(&self) -> i128 {
        self.local_nanos() - i128::from(self.offset_seconds().unwrap_or(0)) * NANOS_PER_SECOND
    }

    /// Whether a zone is said.
    pub fn has_zone(&self) -> bool {
        self.time.zone != Zone::Local
    }

    /// Later by a duration, on the local clock.
    pub fn plus(&self, duration: DaysDuration) -> Option<DateTime> {
        let nanos = self.local_nanos().checked_add(duration.nanos())?;
        let day = i128::from(SECONDS_PER_DAY) * NANOS_PER_SECOND;
        let date = Date::from_days_since_epoch(i64::try_from(nanos.div_euclid(day)).ok()?)?;
        let time = Time::from_nanos_of_day(nanos.rem_euclid(day), self.time.zone.clone())?;
        Some(DateTime { date, time })
    }

    /// Which of two moments is earlier; `None` when only one of them says a zone.
    pub fn order(&self, other: &DateTime) -> Option<Ordering> {
        (self.has_zone() == other.has_zone())
            .then(|| self.instant_nanos().cmp(&other.instant_nanos()))
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}T{}", self.date, self.time)
    }
}

impl From<&jiff::ZonedDateTime> for DateTime {
    fn from(zoned: &jiff::ZonedDateTime) -> Self {
        let zone = zoned
            .time_zone()
            .iana_name()
            .and_then(NamedZone::find)
            .map_or(Zone::Offset(zoned.offset().seconds()), Zone::Named);
        let time = Time {
            hour: zoned.hour().unsigned_abs(),
            minute: zoned.minute().unsigned_abs(),
            second: zoned.second().unsigned_abs(),
            nanos: u32::try_from(zoned.subsec_nanosecond()).unwrap_or(0),
            zone,
        };
        DateTime {
            date: Date::from(zoned.date()),
            time,
        }
    }
}

impl From<jiff::civil::DateTime> for DateTime {
    fn from(moment: jiff::civil::DateTime) -> Self {
        let time = Time {
            hour: moment.hour().unsigned_abs(),
            minute: moment.minute().unsigned_abs(),
            second: moment.second().unsigned_abs(),
            nanos: u32::try_from(moment.subsec_nanosecond()).unwrap_or(0),
            zone: Zone::Local,
        };
        DateTime {
            date: Date::from(moment.date()),
            time,
        }
    }
}

fn offset_of(zone: &Zone, date: Date, time: &Time) -> Option<i32> {
    match zone {
        Zone::Local => None,
        Zone::Offset(offset) => Some(*offset),
        Zone::Named(zone) => Some(zone.offset_at(date, time)),
    }
}

fn two_digits(text: &str) -> Option<u8> {
    if text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit()) {
        text.parse().ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_read_and_print() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(
                DateTime::parse(text).map(|d| d.to_string()).as_deref(),
                expected,
                "{text}"
            );
        };
        check("2016-06-30", Some("2016-06-30T00:00:00"));
        check("2016-06-30T24:00:00", Some("2016-07-01T00:00:00"));
        check(
            "2016-06-30T23:59:59.5+08:00",
            Some("2016-06-30T23:59:59.5+08:00"),
        );
        check(
            "2016-06-30T10:00:00@Asia/Shanghai",
            Some("2016-06-30T10:00:00@Asia/Shanghai"),
        );
        check("2016-06-30T10:00:00@Nowhere/Town", None);
        check("2016-06-30T25:00:00", None);
        check("2016-06-30T10:00", None);
        check("2016-06-31T10:00:00", None);
    }

    #[test]
    fn zones_are_resolved_at_the_moment() {
        let check = |a: &str, b: &str, order: Option<Ordering>| {
            assert_eq!(
                DateTime::parse(a)
                    .unwrap()
                    .order(&DateTime::parse(b).unwrap()),
                order,
                "{a} {b}"
            );
        };
        check(
            "2018-10-08T00:00:00+02:00",
            "2018-10-08T00:00:00@Europe/Paris",
            Some(Ordering::Equal),
        );
        check(
            "2018-02-08T00:00:00+01:00",
            "2018-02-08T00:00:00@Europe/Paris",
            Some(Ordering::Equal),
        );
        check("2018-02-08T00:00:00", "2018-02-08T00:00:00Z", None);
    }
}
