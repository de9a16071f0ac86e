//! Properties of dates, times, durations and ranges, such as `date.year`.

use super::date::Date;
use super::duration::DaysDuration;
use super::number::Number;
use super::time::{Time, Zone};
use super::value::Value;
use crate::finding::{Code, Fault};

/// The property of a value that is no context.
///
/// # Errors
/// When the value has no such property.
pub(crate) fn property(value: &Value, name: &str) -> Result<Value, Fault> {
    let found = match value {
        Value::Date(date) => of_date(*date, name),
        Value::Time(time) => of_time(time, time.offset_seconds(), name),
        Value::DateTime(moment) => of_date(moment.date, name)
            .or_else(|| of_time(&moment.time, moment.offset_seconds(), name)),
        Value::DaysDuration(duration) => of_days(*duration, name),
        Value::MonthsDuration(duration) => match name {
            "years" => Some(Value::from(duration.months() / 12)),
            "months" => Some(Value::from(duration.months() % 12)),
            _ => None,
        },
        Value::Range(range) => match name {
            "start" => Some(range.start.clone()),
            "end" => Some(range.end.clone()),
            "start included" => Some(Value::Bool(range.start_included)),
            "end included" => Some(Value::Bool(range.end_included)),
            _ => None,
        },
        _ => None,
    };
    found.ok_or_else(|| Fault::new(Code::NoSuchEntry, format!("{}.{name}", value.kind())))
}

fn of_date(date: Date, name: &str) -> Option<Value> {
    match name {
        "year" => Some(Value::from(date.year())),
        "month" => Some(Value::from(i32::from(date.month()))),
        "day" => Some(Value::from(i32::from(date.day()))),
        "weekday" => Some(Value::from(i32::from(date.weekday()))),
        _ => None,
    }
}

fn of_time(time: &Time, offset: Option<i32>, name: &str) -> Option<Value> {
    match name {
        "hour" => Some(Value::from(i32::from(time.hour))),
        "minute" => Some(Value::from(i32::from(time.minute))),
        "second" => Some(Value::from(i32::from(time.second))),
        "time offset" => Some(offset.map_or(Value::Null, |seconds| {
            Value::DaysDuration(DaysDuration::from_seconds(i64::from(seconds)))
        })),
        "timezone" => Some(match &time.zone {
            Zone::Named(zone) => Value::from(zone.name()),
            Zone::Local | Zone::Offset(_) => Value::Null,
        }),
        _ => None,
    }
}

fn of_days(duration: DaysDuration, name: &str) -> Option<Value> {
    let (days, hours, minutes, seconds, _) = duration.fields();
    let field = match name {
        "days" => days,
        "hours" => hours,
        "minutes" => minutes,
        "seconds" => seconds,
        _ => return None,
    };
    Number::from_i128(field).map(Value::Number)
}
