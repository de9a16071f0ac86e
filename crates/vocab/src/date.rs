//! How a day that somebody typed is read, and how a day is written for people.
//!
//! It lacks today: the day is handed in.

use std::ops::RangeInclusive;

use jiff::civil::{Date, Weekday, date};

use crate::fold::fold_width;
use crate::refusal::refusals;

/// The earliest day anybody may type: what is older has no paper that Luodi asks for.
pub const EARLIEST: Date = date(1900, 1, 1);
/// The latest day anybody may type.
pub const LATEST: Date = date(2200, 12, 31);

refusals! {
    /// Why a text is no day that may be typed.
    pub enum DateError {
        /// No year, month and day.
        Shape: "date", "请按 2026-01-31 的格式填写日期", "write the date as 2026-01-31";
        /// Not in the calendar, such as 30 February.
        Impossible: "date-impossible", "没有这一天，请核对月份和日期", "there is no such day; check month and day";
        /// Before [`EARLIEST`].
        Early: "date-earliest", "日期应不早于 1900-01-01，请核对年份", "the date must not be before 1900-01-01; check the year";
        /// After [`LATEST`].
        Late: "date-latest", "日期应不晚于 2200-12-31，请核对年份", "the date must not be after 2200-12-31; check the year";
    }
}

/// Reads a day as people type it: year, month and day parted by `-`, `/` or `.`.
///
/// ```
/// use vocab::date::{DateError, read};
/// assert_eq!(read("２０２６/1/5").unwrap().to_string(), "2026-01-05");
/// assert_eq!(read("2026-02-30"), Err(DateError::Impossible));
/// assert_eq!(read("1890-01-01"), Err(DateError::Early));
/// ```
///
/// # Errors
/// Another shape, a day that is not in the calendar, or one outside [`EARLIEST`] to [`LATEST`].
pub fn read(text: &str) -> Result<Date, DateError> {
    let folded = fold_width(text);
    let mut parts = folded.trim().split(['-', '/', '.']);
    let mut part = |digits: RangeInclusive<usize>| {
        let text = parts.next().filter(|text| digits.contains(&text.len()))?;
        let plain = text.bytes().all(|b| b.is_ascii_digit());
        plain.then_some(text)?.parse::<i16>().ok()
    };
    let (year, month, day) = (part(4..=4), part(1..=2), part(1..=2));
    let (Some(year), Some(month), Some(day), None) = (year, month, day, parts.next()) else {
        return Err(DateError::Shape);
    };
    let (Ok(month), Ok(day)) = (i8::try_from(month), i8::try_from(day)) else {
        return Err(DateError::Impossible);
    };
    match Date::new(year, month, day).map_err(|_| DateError::Impossible)? {
        day if day < EARLIEST => Err(DateError::Early),
        day if day > LATEST => Err(DateError::Late),
        day => Ok(day),
    }
}

/// 周一 to 周日.
pub fn weekday_zh(day: Date) -> &'static str {
    match day.weekday() {
        Weekday::Monday => "周一",
        Weekday::Tuesday => "周二",
        Weekday::Wednesday => "周三",
        Weekday::Thursday => "周四",
        Weekday::Friday => "周五",
        Weekday::Saturday => "周六",
        Weekday::Sunday => "周日",
    }
}

/// `2026年11月27日`.
pub fn full_zh(day: Date) -> String {
    format!("{}年{}月{}日", day.year(), day.month(), day.day())
}

/// `11月27日（周五）`, with the year where it is not the year of `today`.
pub fn near_zh(day: Date, today: Date) -> String {
    let year = if day.year() == today.year() {
        String::new()
    } else {
        format!("{}年", day.year())
    };
    format!(
        "{year}{}月{}日（{}）",
        day.month(),
        day.day(),
        weekday_zh(day)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_days_as_people_type_them() {
        for text in [
            "2026-01-05",
            " 2026/1/5 ",
            "2026.01.5",
            "２０２６－０１－０５",
        ] {
            assert_eq!(read(text), Ok(date(2026, 1, 5)), "{text}");
        }
        let check = |texts: &[&str], expected| {
            for text in texts {
                assert_eq!(read(text), Err(expected), "{text}");
            }
        };
        check(
            &[
                "",
                "昨天",
                "26-01-05",
                "2026-01",
                "2026-01-05-06",
                "2026--5",
                "+026-1-1",
                "2026-001-05",
            ],
            DateError::Shape,
        );
        check(
            &[
                "2026-02-30",
                "2026-13-01",
                "2026-00-10",
                "2026-01-00",
                "1890-02-29",
            ],
            DateError::Impossible,
        );
        check(
            &["1890-01-01", "0001-01-01", "1899-12-31"],
            DateError::Early,
        );
        check(&["2201-01-01", "9999-12-31"], DateError::Late);
        assert_eq!(read("1900-01-01"), Ok(EARLIEST));
        assert_eq!(read("2200-12-31"), Ok(LATEST));
    }

    #[test]
    fn writes_days() {
        assert_eq!(weekday_zh(date(2026, 11, 27)), "周五");
        assert_eq!(full_zh(date(2026, 1, 5)), "2026年1月5日");
        assert_eq!(
            near_zh(date(2026, 11, 27), date(2026, 11, 23)),
            "11月27日（周五）"
        );
        assert_eq!(
            near_zh(date(2027, 1, 4), date(2026, 11, 23)),
            "2027年1月4日（周一）"
        );
    }
}
