//! Ranges `[a..b)` and the comparisons `< x`, `>= x`, `= x`, `!= x` that stand for sets of values.

use std::fmt;

use super::compare::{all, equal, order};
use super::value::Value;

/// How a range was written; differently written ranges are never equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeKind {
    /// With two ends.
    Ends,
    /// `< end`, `<= end`.
    Below,
    /// `> start`, `>= start`.
    Above,
    /// `= x`.
    Equal,
    /// `!= x`.
    NotEqual,
}

/// A set of values by its ends.
#[derive(Clone, Debug, PartialEq)]
pub struct Range {
    /// How it was written.
    pub kind: RangeKind,
    /// The lower end, null where there is none.
    pub start: Value,
    /// Whether the lower end belongs to it.
    pub start_included: bool,
    /// The upper end, null where there is none.
    pub end: Value,
    /// Whether the upper end belongs to it.
    pub end_included: bool,
}

impl Range {
    /// A range with two ends.
    pub fn ends(start: Value, start_included: bool, end: Value, end_included: bool) -> Range {
        Range {
            kind: RangeKind::Ends,
            start,
            start_included,
            end,
            end_included,
        }
    }

    /// Whether a value lies in it; `None` where it cannot be compared.
    pub fn includes(&self, value: &Value) -> Option<bool> {
        match self.kind {
            RangeKind::Equal => return equal(value, &self.start),
            RangeKind::NotEqual => return equal(value, &self.start).map(|same| !same),
            RangeKind::Ends | RangeKind::Below | RangeKind::Above => {}
        }
        if value.is_null() {
            return None;
        }
        let above = match order(value, &self.start) {
            _ if self.kind == RangeKind::Below => Some(true),
            order => order.map(|o| o.is_gt() || (o.is_eq() && self.start_included)),
        };
        let below = match order(value, &self.end) {
            _ if self.kind == RangeKind::Above => Some(true),
            order => order.map(|o| o.is_lt() || (o.is_eq() && self.end_included)),
        };
        all([above, below].into_iter())
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = |value: &Value| match value {
            Value::Text(text) => format!("\"{text}\""),
            Value::Date(_)
            | Value::Time(_)
            | Value::DateTime(_)
            | Value::DaysDuration(_)
            | Value::MonthsDuration(_) => {
                format!("@\"{value}\"")
            }
            other => other.to_string(),
        };
        match self.kind {
            RangeKind::Equal => write!(f, "(= {})", quoted(&self.start)),
            RangeKind::NotEqual => write!(f, "(!= {})", quoted(&self.start)),
            RangeKind::Below => {
                write!(
                    f,
                    "({} {})",
                    if self.end_included { "<=" } else { "<" },
                    quoted(&self.end)
                )
            }
            RangeKind::Above => {
                write!(
                    f,
                    "({} {})",
                    if self.start_included { ">=" } else { ">" },
                    quoted(&self.start)
                )
            }
            RangeKind::Ends => write!(
                f,
                "{}{}..{}{}",
                if self.start_included { '[' } else { '(' },
                quoted(&self.start),
                quoted(&self.end),
                if self.end_included { ']' } else { ')' }
            ),
        }
    }
}
