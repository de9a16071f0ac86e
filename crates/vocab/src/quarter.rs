//! Quarters of a year: the period of subsidy batches.
//!
//! It lacks fiscal years that begin in another month than January.

use std::fmt;
use std::str::FromStr;

use jiff::ToSpan;
use jiff::civil::Date;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::refusal::refusals;

refusals! {
    /// Why a text is no quarter.
    pub enum QuarterError {
        /// Not a year, Q and a digit from 1 to 4.
        Shape: "quarter-shape", "请按「2026Q3」的格式填写季度", "write a quarter as 2026Q3";
    }
}

/// A quarter of a year, `2026Q3`. Quarters are ordered in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quarter {
    first_day: Date,
}

impl Quarter {
    /// The quarter of a year from 1 to 9999; `number` is 1 to 4.
    ///
    /// # Errors
    /// A year or number out of range.
    pub fn new(year: i16, number: i8) -> Result<Quarter, QuarterError> {
        if !(1..=9999).contains(&year) || !(1..=4).contains(&number) {
            return Err(QuarterError::Shape);
        }
        let first_day = Date::new(year, number * 3 - 2, 1).map_err(|_| QuarterError::Shape)?;
        Ok(Quarter { first_day })
    }

    /// Reads `2026Q3`; a small q is accepted.
    ///
    /// # Errors
    /// Any other text.
    pub fn parse(text: &str) -> Result<Quarter, QuarterError> {
        let folded = crate::fold::fold_width(text);
        let (year, number) = folded
            .trim()
            .split_once(['Q', 'q'])
            .ok_or(QuarterError::Shape)?;
        let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if year.len() != 4 || number.len() != 1 || !digits(year) || !digits(number) {
            return Err(QuarterError::Shape);
        }
        let year = year.parse().map_err(|_| QuarterError::Shape)?;
        let number = number.parse().map_err(|_| QuarterError::Shape)?;
        Quarter::new(year, number)
    }

    /// The quarter a day falls in.
    pub fn of(day: Date) -> Quarter {
        let months_in = (day.month() - 1) % 3;
        Quarter {
            first_day: day
                .first_of_month()
                .saturating_sub(i64::from(months_in).months()),
        }
    }

    /// The year.
    pub fn year(self) -> i16 {
        self.first_day.year()
    }

    /// 1 to 4.
    pub fn number(self) -> i8 {
        (self.first_day.month() + 2) / 3
    }

    /// Its first day.
    pub fn first_day(self) -> Date {
        self.first_day
    }

    /// Its last day.
    pub fn last_day(self) -> Date {
        self.first_day.saturating_add(2.months()).last_of_month()
    }

    /// The quarter after it; the last quarter of the year 9999 stays itself.
    pub fn next(self) -> Quarter {
        Quarter::of(self.first_day.saturating_add(3.months()))
    }

    /// The quarter before it.
    pub fn previous(self) -> Quarter {
        Quarter::of(self.first_day.saturating_sub(3.months()))
    }

    /// As a notice writes it: `2026 年第三季度`.
    pub fn zh(self) -> String {
        let number = match self.number() {
            1 => '一',
            2 => '二',
            3 => '三',
            _ => '四',
        };
        format!("{} 年第{number}季度", self.year())
    }
}

impl fmt::Display for Quarter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}Q{}", self.year(), self.number())
    }
}

impl FromStr for Quarter {
    type Err = QuarterError;
    fn from_str(text: &str) -> Result<Quarter, QuarterError> {
        Quarter::parse(text)
    }
}

impl Serialize for Quarter {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Quarter {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Quarter, D::Error> {
        Quarter::parse(&String::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn reads_and_writes() {
        let third = Quarter::parse("2026Q3").unwrap();
        assert_eq!(third.to_string(), "2026Q3");
        assert_eq!(third.zh(), "2026 年第三季度");
        assert_eq!(
            (third.first_day(), third.last_day()),
            (date(2026, 7, 1), date(2026, 9, 30))
        );
        assert_eq!(serde_json::to_string(&third).unwrap(), "\"2026Q3\"");
        for text in [
            "", "2026", "2026Q0", "2026Q5", "26Q3", "2026Q33", "2026-Q3", "+026Q1", "0000Q1",
        ] {
            assert_eq!(Quarter::parse(text), Err(QuarterError::Shape), "{text}");
        }
    }

    #[test]
    fn days_and_quarters_agree() {
        let mut quarter = Quarter::parse("2012Q1").unwrap();
        let mut day = date(2012, 1, 1);
        while day < date(2016, 1, 1) {
            assert_eq!(Quarter::of(day), quarter, "{day}");
            assert_eq!(
                day == quarter.first_day(),
                quarter.previous().last_day().tomorrow().unwrap() == day
            );
            let ends = day == quarter.last_day();
            day = day.tomorrow().unwrap();
            if ends {
                assert!(quarter < quarter.next());
                quarter = quarter.next();
            }
        }
        assert_eq!(quarter.to_string(), "2016Q1");
        let last = Quarter::of(Date::MAX);
        assert_eq!((last.next(), last.last_day()), (last, Date::MAX));
    }
}
