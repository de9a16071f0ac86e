//! Arithmetic of numbers, texts, dates, times and durations.
//!
//! Ref: DMN 1.5, tables 55 and 56. Null as an operand gives null.

use super::date::Date;
use super::duration::{DaysDuration, MonthsDuration};
use super::number::{Number, Round};
use super::time::DateTime;
use super::tree::Arithmetic;
use super::value::Value;
use crate::finding::{Code, Fault};

const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// Applies an operator.
///
/// # Errors
/// When it is not defined for the operands.
pub(crate) fn apply(operator: Arithmetic, left: &Value, right: &Value) -> Result<Value, Fault> {
    if let (Value::Number(left), Value::Number(right)) = (left, right) {
        return numbers(operator, *left, *right);
    }
    if left.is_null() || right.is_null() {
        return Err(Fault::new(Code::NullOperand, sign(operator)));
    }
    let result = match operator {
        Arithmetic::Add => return add(left, right),
        Arithmetic::Subtract => return subtract(left, right),
        Arithmetic::Multiply => multiply(left, right),
        Arithmetic::Divide => return divide(left, right),
        Arithmetic::Power => None,
    };
    result.ok_or_else(|| wrong(operator, left, right))
}

/// The opposite of a number or duration.
///
/// # Errors
/// When there is none.
pub(crate) fn negate(operand: &Value) -> Result<Value, Fault> {
    match operand {
        Value::Number(number) => Ok(Value::Number(number.negate())),
        Value::DaysDuration(duration) => days(-duration.nanos()),
        Value::MonthsDuration(duration) => Ok(Value::MonthsDuration(MonthsDuration::new(
            -duration.months(),
        ))),
        Value::Null => Err(Fault::new(Code::NullOperand, "-")),
        other => Err(Fault::new(Code::WrongType, format!("- {}", other.kind()))),
    }
}

fn numbers(operator: Arithmetic, left: Number, right: Number) -> Result<Value, Fault> {
    let result = match operator {
        Arithmetic::Add => left.checked_add(right),
        Arithmetic::Subtract => left.checked_sub(right),
        Arithmetic::Multiply => left.checked_mul(right),
        Arithmetic::Divide if right.is_zero() => {
            return Err(Fault::new(
                Code::DivisionByZero,
                format!("{left} / {right}"),
            ));
        }
        Arithmetic::Divide => left.checked_div(right),
        Arithmetic::Power => left.checked_pow(right),
    };
    result
        .map(Value::Number)
        .ok_or_else(|| Fault::new(Code::Overflow, sign(operator)))
}

fn add(left: &Value, right: &Value) -> Result<Value, Fault> {
    match (left, right) {
        (Value::Text(a), Value::Text(b)) => {
            if a.len() + b.len() > super::evaluate::MAX_TEXT {
                return Err(Fault::new(Code::Limit, "+"));
            }
            Ok(Value::from(format!("{a}{b}")))
        }
        (Value::DaysDuration(a), Value::DaysDuration(b)) => days(a.nanos() + b.nanos()),
        (Value::MonthsDuration(a), Value::MonthsDuration(b)) => a
            .months()
            .checked_add(b.months())
            .map(months)
            .ok_or_else(|| overflow("+")),
        (moment, duration @ (Value::DaysDuration(_) | Value::MonthsDuration(_))) => {
            shift(moment, duration, 1)
        }
        (duration @ (Value::DaysDuration(_) | Value::MonthsDuration(_)), moment) => {
            shift(moment, duration, 1)
        }
        _ => Err(wrong(Arithmetic::Add, left, right)),
    }
}

fn subtract(left: &Value, right: &Value) -> Result<Value, Fault> {
    match (left, right) {
        (Value::DaysDuration(a), Value::DaysDuration(b)) => days(a.nanos() - b.nanos()),
        (Value::MonthsDuration(a), Value::MonthsDuration(b)) => a
            .months()
            .checked_sub(b.months())
            .map(months)
            .ok_or_else(|| overflow("-")),
        (moment, duration @ (Value::DaysDuration(_) | Value::MonthsDuration(_))) => {
            shift(moment, duration, -1)
        }
        (Value::Time(a), Value::Time(b)) => {
            if a.offset_seconds().is_some() != b.offset_seconds().is_some() {
                return Err(wrong(Arithmetic::Subtract, left, right));
            }
            days(a.instant_nanos() - b.instant_nanos())
        }
        _ => match (moment_of(left), moment_of(right)) {
            (Some(a), Some(b)) if a.has_zone() == b.has_zone() => {
                days(a.instant_nanos() - b.instant_nanos())
            }
            _ => Err(wrong(Arithmetic::Subtract, left, right)),
        },
    }
}

/// A date counts as midnight UTC where it meets a moment.
fn moment_of(value: &Value) -> Option<DateTime> {
    match value {
        Value::Date(date) => Some(DateTime::utc_midnight(*date)),
        Value::DateTime(moment) => Some(moment.clone()),
        _ => None,
    }
}

/// A date, moment or time plus or minus a duration.
fn shift(moment: &Value, duration: &Value, direction: i64) -> Result<Value, Fault> {
    let operator = if direction > 0 {
        Arithmetic::Add
    } else {
        Arithmetic::Subtract
    };
    let shifted = match (moment, duration) {
        (Value::Date(date), Value::MonthsDuration(by)) => by
            .months()
            .checked_mul(direction)
            .and_then(|by| date.plus_months(MonthsDuration::new(by)))
            .map(Value::Date),
        (Value::DateTime(at), Value::MonthsDuration(by)) => by
            .months()
            .checked_mul(direction)
            .and_then(|by| at.date.plus_months(MonthsDuration::new(by)))
            .map(|date| {
                Value::DateTime(DateTime {
                    date,
                    time: at.time.clone(),
                })
            }),
        (Value::Date(date), Value::DaysDuration(by)) => {
            shift_date(*date, by.nanos() * i128::from(direction))
        }
        (Value::DateTime(at), Value::DaysDuration(by)) => signed(*by, direction)
            .and_then(|by| at.plus(by))
            .map(Value::DateTime),
        (Value::Time(time), Value::DaysDuration(by)) => signed(*by, direction)
            .and_then(|by| time.plus(by))
            .map(Value::Time),
        _ => return Err(wrong(operator, moment, duration)),
    };
    shifted.ok_or_else(|| overflow(sign(operator)))
}

/// A date moved on the clock of its midnight: a part of a day backwards is the day before.
fn shift_date(date: Date, nanos: i128) -> Option<Value> {
    let moment = DateTime::utc_midnight(date).plus(DaysDuration::from_nanos(nanos)?)?;
    Some(Value::Date(moment.date))
}

fn signed(duration: DaysDuration, direction: i64) -> Option<DaysDuration> {
    DaysDuration::from_nanos(duration.nanos() * i128::from(direction))
}

fn multiply(left: &Value, right: &Value) -> Option<Value> {
    match (left, right) {
        (Value::DaysDuration(duration), Value::Number(by))
        | (Value::Number(by), Value::DaysDuration(duration)) => {
            whole(nanos_number(*duration)?.checked_mul(*by)?).and_then(|nanos| days(nanos).ok())
        }
        (Value::MonthsDuration(duration), Value::Number(by))
        | (Value::Number(by), Value::MonthsDuration(duration)) => {
            whole_months(Number::from(duration.months()).checked_mul(*by)?)
        }
        _ => None,
    }
}

fn divide(left: &Value, right: &Value) -> Result<Value, Fault> {
    let zero = || Fault::new(Code::DivisionByZero, format!("{left} / {right}"));
    let result = match (left, right) {
        (Value::DaysDuration(duration), Value::Number(by)) => {
            if by.is_zero() {
                return Err(zero());
            }
            let quotient = nanos_number(*duration).and_then(|nanos| nanos.checked_div(*by));
            quotient.and_then(whole).and_then(|nanos| days(nanos).ok())
        }
        (Value::MonthsDuration(duration), Value::Number(by)) => {
            if by.is_zero() {
                return Err(zero());
            }
            Number::from(duration.months())
                .checked_div(*by)
                .and_then(whole_months)
        }
        (Value::DaysDuration(a), Value::DaysDuration(b)) => {
            if b.nanos() == 0 {
                return Err(zero());
            }
            nanos_number(*a)
                .zip(nanos_number(*b))
                .and_then(|(a, b)| a.checked_div(b))
                .map(Value::Number)
        }
        (Value::MonthsDuration(a), Value::MonthsDuration(b)) => {
            if b.months() == 0 {
                return Err(zero());
            }
            Number::from(a.months())
                .checked_div(Number::from(b.months()))
                .map(Value::Number)
        }
        _ => return Err(wrong(Arithmetic::Divide, left, right)),
    };
    result.ok_or_else(|| overflow("/"))
}

fn nanos_number(duration: DaysDuration) -> Option<Number> {
    Number::from_i128(duration.nanos())
}

fn whole(number: Number) -> Option<i128> {
    number.round_to(0, Round::Down)?.to_i128()
}

fn whole_months(number: Number) -> Option<Value> {
    number.round_to(0, Round::Down)?.to_i64().map(months)
}

fn months(months: i64) -> Value {
    Value::MonthsDuration(MonthsDuration::new(months))
}

fn days(nanos: i128) -> Result<Value, Fault> {
    // The bound keeps later sums of nanoseconds inside 128 bits.
    let bound = i128::from(i64::MAX) * i128::from(NANOS_PER_SECOND);
    if nanos.abs() > bound {
        return Err(overflow("duration"));
    }
    DaysDuration::from_nanos(nanos)
        .map(Value::DaysDuration)
        .ok_or_else(|| overflow("duration"))
}

fn overflow(what: &str) -> Fault {
    Fault::new(Code::Overflow, what)
}

fn wrong(operator: Arithmetic, left: &Value, right: &Value) -> Fault {
    Fault::new(
        Code::WrongType,
        format!("{} {} {}", left.kind(), sign(operator), right.kind()),
    )
}

fn sign(operator: Arithmetic) -> &'static str {
    match operator {
        Arithmetic::Add => "+",
        Arithmetic::Subtract => "-",
        Arithmetic::Multiply => "*",
        Arithmetic::Divide => "/",
        Arithmetic::Power => "**",
    }
}
