//! Functions over the items of a list, or over their arguments: extremes, sums, truth.

use super::super::compare::{all as all_of, order};
use super::super::duration::{DaysDuration, MonthsDuration};
use super::super::evaluate::Env;
use super::super::number::Number;
use super::super::value::Value;
use super::{Builtin, Outcome, exact, items, out_of_range, wrong};
use crate::finding::Fault;

pub(super) const FUNCTIONS: &[Builtin] = &[
    Builtin::of_list("min", |env, a| extreme(env, a, true)),
    Builtin::of_list("max", |env, a| extreme(env, a, false)),
    Builtin::of_list("sum", sum),
    Builtin::of_list("product", product),
    Builtin::of_list("mean", mean),
    Builtin::of_list("median", median),
    Builtin::of_list("stddev", stddev),
    Builtin::of_list("mode", mode),
    Builtin::of_list("all", |_, a| truth(a, false)),
    Builtin::of_list("any", |_, a| truth(a, true)),
];

fn extreme(env: &mut Env<'_>, arguments: &[Value], least: bool) -> Outcome {
    let items = items(arguments)?;
    env.spend(items.len())?;
    let mut best: Option<&Value> = None;
    for item in items.iter() {
        let Some(current) = best else {
            order(item, item).ok_or_else(|| wrong(item, "ordered"))?;
            best = Some(item);
            continue;
        };
        let order = order(item, current).ok_or_else(|| wrong(item, current.kind()))?;
        if (least && order.is_lt()) || (!least && order.is_gt()) {
            best = Some(item);
        }
    }
    best.cloned().ok_or_else(|| out_of_range("[]"))
}

fn numbers(env: &mut Env<'_>, arguments: &[Value]) -> Result<Vec<Number>, Fault> {
    let items = items(arguments)?;
    env.spend(items.len())?;
    let numbers: Result<Vec<Number>, Fault> = items
        .iter()
        .map(|item| item.as_number().ok_or_else(|| wrong(item, "number")))
        .collect();
    let numbers = numbers?;
    if numbers.is_empty() {
        Err(out_of_range("[]"))
    } else {
        Ok(numbers)
    }
}

fn total(numbers: &[Number]) -> Option<Number> {
    numbers
        .iter()
        .try_fold(Number::ZERO, |sum, n| sum.checked_add(*n))
}

fn length(numbers: &[Number]) -> Number {
    Number::from(i64::try_from(numbers.len()).unwrap_or(i64::MAX))
}

fn sum(env: &mut Env<'_>, arguments: &[Value]) -> Outcome {
    let items = items(arguments)?;
    match items.first() {
        Some(Value::DaysDuration(_)) => {
            let mut nanos = 0i128;
            for item in items.iter() {
                let Value::DaysDuration(duration) = item else {
                    return Err(wrong(item, "duration"));
                };
                nanos = nanos
                    .checked_add(duration.nanos())
                    .ok_or_else(|| out_of_range("sum"))?;
            }
            DaysDuration::from_nanos(nanos)
                .map(Value::DaysDuration)
                .ok_or_else(|| out_of_range("sum"))
        }
        Some(Value::MonthsDuration(_)) => {
            let mut months = 0i64;
            for item in items.iter() {
                let Value::MonthsDuration(duration) = item else {
                    return Err(wrong(item, "duration"));
                };
                months = months
                    .checked_add(duration.months())
                    .ok_or_else(|| out_of_range("sum"))?;
            }
            Ok(Value::MonthsDuration(MonthsDuration::new(months)))
        }
        _ => exact(total(&numbers(env, arguments)?)),
    }
}

fn product(env: &mut Env<'_>, arguments: &[Value]) -> Outcome {
    exact(
        numbers(env, arguments)?
            .iter()
            .try_fold(Number::ONE, |product, n| product.checked_mul(*n)),
    )
}

fn mean(env: &mut Env<'_>, arguments: &[Value]) -> Outcome {
    let numbers = numbers(env, arguments)?;
    exact(total(&numbers).and_then(|sum| sum.checked_div(length(&numbers))))
}

fn median(env: &mut Env<'_>, arguments: &[Value]) -> Outcome {
    let mut numbers = numbers(env, arguments)?;
    numbers.sort();
    let middle = numbers.len() / 2;
    let upper = numbers.get(middle).copied();
    if numbers.len() % 2 == 1 {
        return exact(upper);
    }
    let lower = middle
        .checked_sub(1)
        .and_then(|index| numbers.get(index))
        .copied();
    exact(
        lower
            .zip(upper)
            .and_then(|(a, b)| a.checked_add(b))
            .and_then(|sum| sum.checked_div(Number::from(2))),
    )
}

/// Standard deviation of a sample: at least two numbers.
fn stddev(env: &mut Env<'_>, arguments: &[Value]) -> Outcome {
    let numbers = numbers(env, arguments)?;
    if numbers.len() < 2 {
        return Err(out_of_range("stddev"));
    }
    let deviation = || {
        let mean = total(&numbers)?.checked_div(length(&numbers))?;
        let squares: Option<Vec<Number>> = numbers
            .iter()
            .map(|n| n.checked_sub(mean).and_then(|d| d.checked_mul(d)))
            .collect();
        let divisor = length(&numbers).checked_sub(Number::ONE)?;
        total(&squares?)?.checked_div(divisor)?.checked_sqrt()
    };
    exact(deviation())
}

/// The most frequent numbers in ascending order.
fn mode(env: &mut Env<'_>, arguments: &[Value]) -> Outcome {
    if items(arguments)?.is_empty() {
        return Ok(Value::from(Vec::new()));
    }
    let mut numbers = numbers(env, arguments)?;
    numbers.sort();
    let mut runs: Vec<(Number, usize)> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some((last, count)) if *last == number => *count += 1,
            _ => runs.push((number, 1)),
        }
    }
    let most = runs.iter().map(|(_, count)| *count).max().unwrap_or(0);
    Ok(Value::list(
        runs.into_iter()
            .filter(|(_, count)| *count == most)
            .map(|(n, _)| Value::Number(n)),
    ))
}

/// `any` is decided by one true, `all` by one false; what is no truth value is unknown.
fn truth(arguments: &[Value], decides: bool) -> Outcome {
    let items = items(arguments)?;
    let flipped = items
        .iter()
        .map(|item| item.as_bool().map(|value| value != decides));
    match all_of(flipped) {
        Some(none_decides) => Ok(Value::Bool(none_decides != decides)),
        None => Err(wrong(&Value::Null, "boolean")),
    }
}
