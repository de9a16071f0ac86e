//! Calendar dates with years of up to nine digits (proleptic Gregorian), as XML Schema has them.
//!
//! The standard asks for years −999,999,999 to 999,999,999; `jiff::civil::Date` ends at 9999, so
//! this is a type of our own with conversions both ways.

use std::fmt;

use super::duration::MonthsDuration;

/// Largest year, either sign.
const MAX_YEAR: i32 = 999_999_999;

/// A date without time or zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    year: i32,
    month: u8,
    day: u8,
}

impl Date {
    /// A date that exists; `None` for an impossible one.
    pub fn new(year: i32, month: u8, day: u8) -> Option<Date> {
        let exists = (-MAX_YEAR..=MAX_YEAR).contains(&year)
            && (1..=12).contains(&month)
            && day >= 1
            && day <= days_in_month(year, month);
        exists.then_some(Date { year, month, day })
    }

    /// Reads `2016-07-01`; more than four digits of a year without leading zeros.
    pub fn parse(text: &str) -> Option<Date> {
        let (negative, body) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let mut parts = body.split('-');
        let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
        let shape = parts.next().is_none()
            && (4..=9).contains(&year.len())
            && !(year.len() > 4 && year.starts_with('0'))
            && month.len() == 2
            && day.len() == 2
            && [year, month, day]
                .iter()
                .all(|t| t.bytes().all(|b| b.is_ascii_digit()));
        if !shape {
            return None;
        }
        let year: i32 = year.parse().ok()?;
        Date::new(
            if negative { -year } else { year },
            month.parse().ok()?,
            day.parse().ok()?,
        )
    }

    /// Year, negative before year 0.
    pub fn year(self) -> i32 {
        self.year
    }

    /// Month 1–12.
    pub fn month(self) -> u8 {
        self.month
    }

    /// Day of the month 1–31.
    pub fn day(self) -> u8 {
        self.day
    }

    /// Days since 1970-01-01.
    pub fn days_since_epoch(self) -> i64 {
        // Ref: days-from-civil with years that begin in March, so that the leap day is the last.
        let year = i64::from(self.year) - i64::from(self.month <= 2);
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let month = (i64::from(self.month) + 9) % 12;
        let day_of_year = (153 * month + 2) / 5 + i64::from(self.day) - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        era * 146_097 + day_of_era - 719_468
    }

    /// The date so many days after 1970-01-01; `None` beyond nine digits of years.
    pub fn from_days_since_epoch(days: i64) -> Option<Date> {
        let shifted = days.checked_add(719_468)?;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_index = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_index + 2) / 5 + 1;
        let month = if month_index < 10 {
            month_index + 3
        } else {
            month_index - 9
        };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Date::new(
            i32::try_from(year).ok()?,
            u8::try_from(month).ok()?,
            u8::try_from(day).ok()?,
        )
    }

    /// So many days later.
    pub fn plus_days(self, days: i64) -> Option<Date> {
        Date::from_days_since_epoch(self.days_since_epoch().checked_add(days)?)
    }

    /// So many months later; a day that the month lacks becomes its last.
    pub fn plus_months(self, months: MonthsDuration) -> Option<Date> {
        let index =
            (i64::from(self.year) * 12 + i64::from(self.month) - 1).checked_add(months.months())?;
        let year = i32::try_from(index.div_euclid(12)).ok()?;
        let month = u8::try_from(index.rem_euclid(12) + 1).ok()?;
        Date::new(year, month, self.day.min(days_in_month(year, month)))
    }

    /// Whole months from `self` to `to`, towards zero.
    pub fn months_until(self, to: Date) -> MonthsDuration {
        let index = |d: Date| i64::from(d.year) * 12 + i64::from(d.month);
        let mut months = index(to) - index(self);
        if months > 0 && to.day < self.day {
            months -= 1;
        } else if months < 0 && to.day > self.day {
            months += 1;
        }
        MonthsDuration::new(months)
    }

    /// 1 for Monday to 7 for Sunday.
    pub fn weekday(self) -> u8 {
        // 1970-01-01 was a Thursday.
        u8::try_from((self.days_since_epoch() + 3).rem_euclid(7) + 1).unwrap_or(1)
    }

    /// 1 to 366.
    pub fn day_of_year(self) -> i64 {
        let first = Date {
            year: self.year,
            month: 1,
            day: 1,
        };
        self.days_since_epoch() - first.days_since_epoch() + 1
    }

    /// Week of the year by ISO 8601, 1 to 53.
    pub fn week_of_year(self) -> i64 {
        let thursday_of = |d: Date| d.days_since_epoch() + 4 - i64::from(d.weekday());
        let thursday = Date::from_days_since_epoch(thursday_of(self)).unwrap_or(self);
        (thursday.day_of_year() - 1) / 7 + 1
    }

    /// The same as a `jiff` date; `None` beyond the years ±9999.
    pub fn to_civil(self) -> Option<jiff::civil::Date> {
        let (month, day) = (i8::try_from(self.month).ok()?, i8::try_from(self.day).ok()?);
        jiff::civil::Date::new(i16::try_from(self.year).ok()?, month, day).ok()
    }
}

impl From<jiff::civil::Date> for Date {
    fn from(date: jiff::civil::Date) -> Self {
        Date {
            year: i32::from(date.year()),
            month: date.month().unsigned_abs(),
            day: date.day().unsigned_abs(),
        }
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.year < 0 { "-" } else { "" };
        write!(
            f,
            "{sign}{:04}-{:02}-{:02}",
            self.year.unsigned_abs(),
            self.month,
            self.day
        )
    }
}

fn days_in_month(year: i32, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_read_and_print() {
        let check = |text: &str, reads: bool| {
            assert_eq!(
                Date::parse(text).map(|d| d.to_string()),
                reads.then(|| text.to_owned())
            );
        };
        check("2016-06-30", true);
        check("2016-02-29", true);
        check("2015-02-29", false);
        check("1900-02-29", false);
        check("2000-02-29", true);
        check("-2021-01-01", true);
        check("999999999-12-31", true);
        check("01211-12-31", false);
        check("9999999999-12-31", false);
        check("2016-7-01", false);
        check("+2016-07-01", false);
        check("2016-07-01Z", false);
    }

    #[test]
    fn days_and_dates_are_inverse() {
        for days in (-1_000_000..1_000_000).step_by(317) {
            let date = Date::from_days_since_epoch(days).unwrap();
            assert_eq!(date.days_since_epoch(), days);
        }
        assert_eq!(Date::parse("1970-01-01").unwrap().days_since_epoch(), 0);
        assert_eq!(
            Date::parse("2000-03-01").unwrap().days_since_epoch(),
            11_017
        );
    }

    #[test]
    fn weeks_and_days_of_the_year() {
        let check = |text: &str, weekday, day, week| {
            let date = Date::parse(text).unwrap();
            assert_eq!(
                (date.weekday(), date.day_of_year(), date.week_of_year()),
                (weekday, day, week),
                "{text}"
            );
        };
        check("2003-12-29", 1, 363, 1);
        check("2005-01-01", 6, 1, 53);
        check("2020-12-31", 4, 366, 53);
        check("2019-09-17", 2, 260, 38);
    }
}
