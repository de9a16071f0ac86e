//! Functions of numbers, and `not`.

use super::super::evaluate::Env;
use super::super::number::{Number, Round};
use super::super::value::Value;
use super::{Builtin, Outcome, argument, exact, number, out_of_range, text, wrong};
use crate::finding::{Code, Fault};

pub(super) const FUNCTIONS: &[Builtin] = &[
    Builtin::new("not", &[&["negand"]], not),
    Builtin::new(
        "number",
        &[&["from", "grouping separator?", "decimal separator?"]],
        to_number,
    ),
    Builtin::new("decimal", &[&["n", "scale"]], |_, a| {
        rounded(a, Round::HalfEven)
    }),
    Builtin::new("floor", &[&["n", "scale?"]], |_, a| {
        rounded(a, Round::Floor)
    }),
    Builtin::new("ceiling", &[&["n", "scale?"]], |_, a| {
        rounded(a, Round::Ceiling)
    }),
    Builtin::new("round up", &[&["n", "scale"]], |_, a| rounded(a, Round::Up)),
    Builtin::new("round down", &[&["n", "scale"]], |_, a| {
        rounded(a, Round::Down)
    }),
    Builtin::new("round half up", &[&["n", "scale"]], |_, a| {
        rounded(a, Round::HalfUp)
    }),
    Builtin::new("round half down", &[&["n", "scale"]], |_, a| {
        rounded(a, Round::HalfDown)
    }),
    Builtin::new("abs", &[&["n"]], abs),
    Builtin::new("modulo", &[&["dividend", "divisor"]], modulo),
    Builtin::new("sqrt", &[&["number"]], |_, a| {
        in_domain("sqrt", number(a, 0)?.checked_sqrt())
    }),
    Builtin::new("log", &[&["number"]], |_, a| {
        in_domain("log", number(a, 0)?.checked_ln())
    }),
    Builtin::new("exp", &[&["number"]], |_, a| {
        in_domain("exp", number(a, 0)?.checked_exp())
    }),
    Builtin::new("odd", &[&["number"]], |_, a| parity(a, 1)),
    Builtin::new("even", &[&["number"]], |_, a| parity(a, 0)),
];

fn not(_: &mut Env<'_>, arguments: &[Value]) -> Outcome {
    match argument(arguments, 0) {
        Value::Bool(value) => Ok(Value::Bool(!value)),
        Value::Null => Ok(Value::Null),
        other => Err(wrong(other, "boolean")),
    }
}

fn rounded(arguments: &[Value], mode: Round) -> Outcome {
    let value = number(arguments, 0)?;
    let scale = match arguments.get(1) {
        None => Number::ZERO,
        Some(_) => number(arguments, 1)?,
    };
    let scale = scale
        .round_to(0, Round::Down)
        .and_then(Number::to_i64)
        .and_then(|s| i32::try_from(s).ok());
    scale
        .and_then(|scale| value.round_to(scale, mode))
        .map(Value::Number)
        .ok_or_else(|| out_of_range("scale"))
}

fn abs(_: &mut Env<'_>, arguments: &[Value]) -> Outcome {
    match argument(arguments, 0) {
        Value::Number(number) => Ok(Value::Number(number.abs())),
        value @ Value::DaysDuration(duration) if duration.nanos() < 0 => {
            super::super::arithmetic::negate(value)
        }
        value @ Value::MonthsDuration(duration) if duration.months() < 0 => {
            super::super::arithmetic::negate(value)
        }
        value @ (Value::DaysDuration(_) | Value::MonthsDuration(_)) => Ok(value.clone()),
        other => Err(wrong(other, "number")),
    }
}

fn modulo(_: &mut Env<'_>, arguments: &[Value]) -> Outcome {
    let (dividend, divisor) = (number(arguments, 0)?, number(arguments, 1)?);
    if divisor.is_zero() {
        return Err(Fault::new(Code::DivisionByZero, "modulo"));
    }
    exact(dividend.checked_modulo(divisor))
}

fn in_domain(name: &str, result: Option<Number>) -> Outcome {
    result.map(Value::Number).ok_or_else(|| out_of_range(name))
}

fn parity(arguments: &[Value], rest: i64) -> Outcome {
    let number = number(arguments, 0)?;
    let modulo = number
        .checked_modulo(Number::from(2))
        .ok_or_else(|| out_of_range("number"))?;
    if !number.is_integer() {
        return Ok(Value::Bool(false));
    }
    Ok(Value::Bool(modulo == Number::from(rest)))
}

fn to_number(_: &mut Env<'_>, arguments: &[Value]) -> Outcome {
    let separator = |index: usize, allowed: &[&str]| match argument(arguments, index) {
        Value::Null => Ok(None),
        Value::Text(text) if allowed.contains(&&**text) => Ok(Some(text.to_string())),
        other => Err(wrong(other, "separator")),
    };
    let grouping = separator(1, &[" ", ",", "."])?;
    let point = separator(2, &[",", "."])?;
    if grouping.is_some() && grouping == point {
        return Err(out_of_range("separator"));
    }
    let source = match argument(arguments, 0) {
        Value::Number(number) => return Ok(Value::Number(*number)),
        _ => text(arguments, 0)?,
    };
    let mut plain = source.to_string();
    if let Some(grouping) = grouping {
        plain = plain.replace(&grouping, "");
    }
    if let Some(point) = point {
        plain = plain.replace(&point, ".");
    }
    Number::parse(&plain)
        .map(Value::Number)
        .ok_or_else(|| Fault::new(Code::InvalidLiteral, &**source))
}
