//! How templates show figures, dates and times.

use askama::Values;
use jiff::Timestamp;
use jiff::civil::Date;
use vocab::Fen;

use super::clock::civil;

type Shown = askama::Result<String>;

/// Fen as yuan: `14,300.00`.
#[askama::filter_fn]
pub fn fen(value: impl Into<AnyFen>, _: &dyn Values) -> Shown {
    Ok(value.into().0.to_string())
}

/// Fen in the unit people say: `3.27 亿元`, `1.43 万元`, `96.50 元`.
#[askama::filter_fn]
pub fn fen_short(value: impl Into<AnyFen>, _: &dyn Values) -> Shown {
    let (figure, unit) = value.into().0.short();
    Ok(format!("{figure} {unit}"))
}

/// Fen as the integer behind `<data value>`.
#[askama::filter_fn]
pub fn fen_raw(value: impl Into<AnyFen>, _: &dyn Values) -> Shown {
    Ok(value.into().0.0.to_string())
}

/// A date as people say it: `2026年11月27日（周五）`.
#[askama::filter_fn]
pub fn date_zh(date: &Date, _: &dyn Values) -> Shown {
    Ok(format!(
        "{}年{}月{}日（{}）",
        date.year(),
        date.month(),
        date.day(),
        vocab::weekday_zh(*date)
    ))
}

/// Month and day: `11-27`.
#[askama::filter_fn]
pub fn month_day(date: &Date, _: &dyn Values) -> Shown {
    Ok(format!("{:02}-{:02}", date.month(), date.day()))
}

/// An instant as a civil time in Asia/Shanghai: `2026-11-23 09:12`.
#[askama::filter_fn]
pub fn time(at: &Timestamp, _: &dyn Values) -> Shown {
    Ok(civil(*at).strftime("%Y-%m-%d %H:%M").to_string())
}

/// The same to the second, where the order of events matters: `2026-11-23 09:12:05`.
#[askama::filter_fn]
pub fn time_seconds(at: &Timestamp, _: &dyn Values) -> Shown {
    Ok(civil(*at).strftime("%Y-%m-%d %H:%M:%S").to_string())
}

/// The day of an instant in Asia/Shanghai: `2026-11-23`.
#[askama::filter_fn]
pub fn time_day(at: &Timestamp, _: &dyn Values) -> Shown {
    Ok(civil(*at).date().to_string())
}

/// The kind of an input: a date's shows nothing but days, so what was typed wrong stands as text.
/// A function and no filter, because filters take no generic arguments.
pub fn input_kind(kind: impl std::fmt::Display, value: impl std::fmt::Display) -> String {
    let (kind, value) = (kind.to_string(), value.to_string());
    let wrong = kind == "date" && !value.is_empty() && value.parse::<Date>().is_err();
    if wrong { "text".to_owned() } else { kind }
}

/// The region's name; the code where it is unknown.
#[askama::filter_fn]
pub fn region(code: impl std::fmt::Display, _: &dyn Values) -> Shown {
    let code = code.to_string();
    let region = vocab::RegionCode::parse(&code)
        .ok()
        .and_then(vocab::region::find);
    Ok(region.map_or(code, |region| region.name.to_owned()))
}

/// The address of a bundled file.
#[askama::filter_fn]
pub fn asset(name: &str, _: &dyn Values) -> Shown {
    Ok(super::assets::href(name))
}

/// Thousands separated: `1,204`.
#[askama::filter_fn]
pub fn count(value: impl Into<AnyCount>, _: &dyn Values) -> Shown {
    let digits = value.into().0.to_string();
    let (sign, digits) = digits
        .strip_prefix('-')
        .map_or(("", digits.as_str()), |rest| ("-", rest));
    let mut out = String::from(sign);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    Ok(out)
}

/// Fen, however the template holds it.
pub struct AnyFen(Fen);

macro_rules! any {
    ($target:ident, $inner:expr; $($from:ty),*) => {$(
        impl From<$from> for $target {
            fn from(value: $from) -> Self {
                let make: fn($from) -> $target = $inner;
                make(value)
            }
        }
    )*};
}

any!(AnyFen, |fen| AnyFen(fen); Fen);
any!(AnyFen, |fen| AnyFen(*fen); &Fen);
any!(AnyFen, |fen| AnyFen(**fen); &&Fen);
any!(AnyFen, |fen| AnyFen(Fen(fen)); i64);
any!(AnyFen, |fen| AnyFen(Fen(*fen)); &i64);

/// A count, however the template holds it.
pub struct AnyCount(i128);

any!(AnyCount, |n| AnyCount(i128::from(n)); i64, u64, u32, i32);
any!(AnyCount, |n| AnyCount(i128::from(*n)); &i64, &u64, &u32, &i32);
any!(AnyCount, |n| AnyCount(n as i128); usize);
any!(AnyCount, |n| AnyCount(*n as i128); &usize);
