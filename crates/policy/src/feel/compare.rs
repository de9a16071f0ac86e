//! Equality and order of values by the standard, in one place.
//!
//! Ref: DMN 1.5, tables 53 (equality) and 54 (order). `None` is FEEL's null: not comparable.

use std::cmp::Ordering;

use super::range::Range;
use super::time::{DateTime, Time};
use super::value::Value;

const NANOS_PER_SECOND: i128 = 1_000_000_000;

/// `a = b`. Null equals only null; values of different kinds cannot be compared.
pub fn equal(a: &Value, b: &Value) -> Option<bool> {
    match (a, b) {
        (Value::Null, Value::Null) => Some(true),
        (Value::Null, _) | (_, Value::Null) => Some(false),
        (Value::Bool(a), Value::Bool(b)) => Some(a == b),
        (Value::Number(a), Value::Number(b)) => Some(a == b),
        (Value::Text(a), Value::Text(b)) => Some(a == b),
        (Value::Date(a), Value::Date(b)) => Some(a == b),
        (Value::Time(a), Value::Time(b)) => Some(same_time(a, b)),
        (Value::DateTime(a), Value::DateTime(b)) => Some(same_moment(a, b)),
        (Value::DaysDuration(a), Value::DaysDuration(b)) => Some(a == b),
        (Value::MonthsDuration(a), Value::MonthsDuration(b)) => Some(a == b),
        (Value::List(a), Value::List(b)) => equal_lists(a, b),
        (Value::Context(a), Value::Context(b)) => {
            if a.len() != b.len() {
                return Some(false);
            }
            all(a.iter().map(|(name, value)| match b.get(name) {
                Some(other) => equal(value, other),
                None => Some(false),
            }))
        }
        (Value::Range(a), Value::Range(b)) => equal_ranges(a, b),
        (Value::Function(a), Value::Function(b)) => Some(a == b),
        _ => None,
    }
}

/// Which of two values is smaller; `None` for nulls, for different kinds and for kinds without order.
pub fn order(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => Some(a.cmp(b)),
        (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
        (Value::Date(a), Value::Date(b)) => Some(a.cmp(b)),
        (Value::Time(a), Value::Time(b)) => order_times(a, b),
        (Value::DateTime(a), Value::DateTime(b)) => a.order(b),
        (Value::DaysDuration(a), Value::DaysDuration(b)) => Some(a.cmp(b)),
        (Value::MonthsDuration(a), Value::MonthsDuration(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

/// `is(a, b)`: the same value of the same kind, with the same zone where it has one.
pub fn identical(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Time(a), Value::Time(b)) => a == b,
        (Value::DateTime(a), Value::DateTime(b)) => a == b,
        _ => equal(a, b) == Some(true),
    }
}

/// Three-valued conjunction over many: one false decides, then one null.
pub(crate) fn all(items: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut unknown = false;
    for item in items {
        match item {
            Some(false) => return Some(false),
            Some(true) => {}
            None => unknown = true,
        }
    }
    if unknown { None } else { Some(true) }
}

fn equal_lists(a: &[Value], b: &[Value]) -> Option<bool> {
    if a.len() != b.len() {
        return Some(false);
    }
    all(a.iter().zip(b).map(|(a, b)| equal(a, b)))
}

fn equal_ranges(a: &Range, b: &Range) -> Option<bool> {
    if a.kind != b.kind || a.start_included != b.start_included || a.end_included != b.end_included
    {
        return Some(false);
    }
    all([equal(&a.start, &b.start), equal(&a.end, &b.end)].into_iter())
}

/// The standard compares times by hour, minute, second and offset: fractions do not count.
fn same_time(a: &Time, b: &Time) -> bool {
    let zoned = a.offset_seconds().is_some() == b.offset_seconds().is_some();
    zoned
        && a.instant_nanos().div_euclid(NANOS_PER_SECOND)
            == b.instant_nanos().div_euclid(NANOS_PER_SECOND)
}

fn same_moment(a: &DateTime, b: &DateTime) -> bool {
    a.has_zone() == b.has_zone()
        && a.instant_nanos().div_euclid(NANOS_PER_SECOND)
            == b.instant_nanos().div_euclid(NANOS_PER_SECOND)
}

fn order_times(a: &Time, b: &Time) -> Option<Ordering> {
    let zoned = a.offset_seconds().is_some() == b.offset_seconds().is_some();
    zoned.then(|| a.instant_nanos().cmp(&b.instant_nanos()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_equals_only_null() {
        assert_eq!(equal(&Value::Null, &Value::Null), Some(true));
        assert_eq!(equal(&Value::Null, &Value::from("D")), Some(false));
        assert_eq!(equal(&Value::from(1), &Value::Null), Some(false));
        assert_eq!(equal(&Value::from(1), &Value::from("1")), None);
        assert_eq!(order(&Value::from(1), &Value::Null), None);
    }

    #[test]
    fn one_false_decides_a_conjunction() {
        assert_eq!(all([None, Some(false)].into_iter()), Some(false));
        assert_eq!(all([None, Some(true)].into_iter()), None);
        assert_eq!(all([Some(true)].into_iter()), Some(true));
        assert_eq!(all(std::iter::empty()), Some(true));
    }
}
