//! Dates, times and durations: made, taken apart, and the given current moment.

use super::super::date::Date;
use super::super::duration::{DaysDuration, MonthsDuration};
use super::super::evaluate::Env;
use super::super::number::{Number, Round};
use super::super::time::{DateTime, NamedZone, Time, Zone};
use super::super::value::Value;
use super::{Builtin, Outcome, argument, integer, number, out_of_range, text, wrong};
use crate::finding::{Code, Fault};

pub(super) const FUNCTIONS: &[Builtin] = &[
    Builtin::new("date", &[&["from"], &["year", "month", "day"]], date),
    Builtin::new(
        "time",
        &[&["from"], &["hour", "minute", "second", "offset?"]],
        time,
    ),
    Builtin::new(
        "date and time",
        &[&["from"], &["date", "time"], DATE_TIME_FIELDS],
        date_and_time,
    ),
    Builtin::new("duration", &[&["from"]], duration),
    Builtin::new(
        "years and months duration",
        &[&["from", "to"]],
        months_between,
    ),
    Builtin::new("now", &[&[]], now),
    Builtin::new("today", &[&[]], today),
    Builtin::new("day of year", &[&["date"]], |_, a| {
        Ok(Value::from(date_of(a)?.day_of_year()))
    }),
    Builtin::new("week of year", &[&["date"]], |_, a| {
        Ok(Value::from(date_of(a)?.week_of_year()))
    }),
    Builtin::new("day of week", &[&["date"]], |_, a| {
        Ok(Value::from(named(&DAYS, date_of(a)?.weekday())))
    }),
    Builtin::new("month of year", &[&["date"]], |_, a| {
        Ok(Value::from(named(&MONTHS, date_of(a)?.month())))
    }),
];

const DATE_TIME_FIELDS: &[&str] = &[
    "year", "month", "day", "hour", "minute", "second", "offset?",
];
const DAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

fn named<'n>(names: &[&'n str], from_one: u8) -> &'n str {
    names
        .get(usize::from(from_one).saturating_sub(1))
        .copied()
        .unwrap_or("")
}

fn invalid(text: &str) -> Fault {
    Fault::new(Code::InvalidLiteral, text)
}

fn date_of(arguments: &[Value]) -> Result<Date, Fault> {
    match argument(arguments, 0) {
        Value::Date(date) => Ok(*date),
        Value::DateTime(moment) => Ok(moment.date),
        other => Err(wrong(other, "date")),
    }
}

fn small(arguments: &[Value], index: usize) -> Result<u8, Fault> {
    u8::try_from(integer(arguments, index)?).map_err(|_| out_of_range("date"))
}

fn date(_: &mut Env<'_>, arguments: &[Value]) -> Outcome {
    if arguments.len() == 3 {
        let year = i32::try_from(integer(arguments, 0)?).map_err(|_| out_of_range("year"))?;
        let date = Date::new(year, small(arguments, 1)?, small(arguments, 2)?);
        return date.map(Value::Date).ok_or_else(|| out_of_range("date"));
    }
    match argument(arguments, 0) {
        Value::Text(text) => Date::parse(text)
            .map(Value::Date)
            .ok_or_else(|| invalid(text)),
        _ => date_of(arguments).map(Value::Date),
    }
}

fn time(_: &mut Env<'_>, arguments: &[Value]) -> Outcome {
    if arguments.len() >= 3 {
        return clock(arguments, 0).map(Value::Time);
    }
    match argument(arguments, 0) {
        Value::Text(text) => Time::parse(text)
            .map(Value::Time)
            .ok_or_else(|| invalid(text)),
        Value::Time(time) => Ok(Value::Time(time.clone())),
        Value::DateTime(moment) => Ok(Value::Time(moment.time.clone())),
        Value::Date(_) => Ok(Value::Time(Time {
            zone: Zone::Offset(0),
            ..Time::MIDNIGHT
        })),
        other => Err(wrong(other, "time")),
    }
}

/// Hour, minute, second with fraction, and an offset as a duration.
fn clock(arguments: &[Value], first: usize) -> Result<Time, Fault> {
    let seconds = number(arguments, first + 2)?;
    let whole = seconds
        .round_to(0, Round::Floor)
        .ok_or_else(|| out_of_range("second"))?;
    let fraction = seconds
        .checked_sub(whole)
        .and_then(|f| f.checked_mul(Number::from(1_000_000_000)));
    let nanos = fraction
        .and_then(|f| f.round_to(0, Round::Down))
        .and_then(Number::to_i64);
    let nanos = nanos
        .and_then(|n| u32::try_from(n).ok())
        .ok_or_else(|| out_of_range("second"))?;
    let second = whole
        .to_i64()
        .and_then(|s| u8::try_from(s).ok())
        .ok_or_else(|| out_of_range("second"))?;
    let zone = match argument(arguments, first + 3) {
        Value::Null => Zone::Local,
        Value::DaysDuration(offset) => {
            let seconds = i32::try_from(offset.nanos() / 1_000_000_000)
                .map_err(|_| out_of_range("offset"))?;
            if seconds.abs() > 18 * 3_600 {
                return Err(out_of_range("offset"));
            }
            Zone::Offset(seconds)
        }
        other => return Err(wrong(other, "days and time duration")),
    };
    let time = Time::new(
        small(arguments, first)?,
        small(arguments, first + 1)?,
        second,
        nanos,
        zone,
    );
    time.ok_or_else(|| out_of_range("time"))
}

fn date_and_time(env: &mut Env<'_>, arguments: &[Value]) -> Outcome {
    let moment = match arguments {
        [Value::Text(text)] => DateTime::parse(text).ok_or_else(|| invalid(text))?,
        [Value::DateTime(moment)] => moment.clone(),
        [Value::Date(date)] => DateTime::utc_midnight(*date),
        [other] => return Err(wrong(other, "string")),
        [_, Value::Time(time)] => DateTime {
            date: date_of(arguments)?,
            time: time.clone(),
        },
        [Value::DateTime(moment), Value::Text(zone)] => {
            let zone = NamedZone::find(zone).ok_or_else(|| invalid(zone))?;
            DateTime {
                date: moment.date,
                time: Time {
                    zone: Zone::Named(zone),
                    ..moment.time.clone()
                },
            }
        }
        [_, other] => return Err(wrong(other, "time")),
        fields => {
            let Value::Date(day) = date(env, fields.get(..3).unwrap_or_default())? else {
                return Err(out_of_range("date"));
            };
            DateTime {
                date: day,
                time: clock(arguments, 3)?,
            }
        }
    };
    Ok(Value::DateTime(moment))
}

fn duration(_: &mut Env<'_>, arguments: &[Value]) -> Outcome {
    if let value @ (Value::DaysDuration(_) | Value::MonthsDuration(_)) = argument(arguments, 0) {
        return Ok(value.clone());
    }
    let text = text(arguments, 0)?;
    let days = DaysDuration::parse(text).map(Value::DaysDuration);
    days.or_else(|| MonthsDuration::parse(text).map(Value::MonthsDuration))
        .ok_or_else(|| invalid(text))
}

fn months_between(_: &mut Env<'_>, arguments: &[Value]) -> Outcome {
    let from = date_of(arguments)?;
    let to = date_of(arguments.get(1..).unwrap_or_default())?;
    Ok(Value::MonthsDuration(from.months_until(to)))
}

fn now(env: &mut Env<'_>, _: &[Value]) -> Outcome {
    env.options
        .now
        .clone()
        .map(Value::DateTime)
        .ok_or_else(|| Fault::new(Code::NoClock, "now()"))
}

fn today(env: &mut Env<'_>, _: &[Value]) -> Outcome {
    let now = env.options.now.as_ref();
    now.map(|now| Value::Date(now.date))
        .ok_or_else(|| Fault::new(Code::NoClock, "today()"))
}
