//! How a day is written for people.
//!
//! It lacks today: the day is handed in.

use jiff::civil::{Date, Weekday};

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
    use jiff::civil::date;

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
