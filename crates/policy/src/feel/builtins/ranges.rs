//! Relations of points and ranges, after Allen; and `range` and `is`.

use std::cmp::Ordering;

use super::super::compare::{identical, order};
use super::super::evaluate::Env;
use super::super::range::{Range, RangeKind};
use super::super::scope::Scope;
use super::super::tree::{Kind, Node};
use super::super::value::Value;
use super::super::{EvalOptions, parser};
use super::{Builtin, Outcome, argument, text, wrong};
use crate::finding::{Code, Fault};

pub(super) const FUNCTIONS: &[Builtin] = &[
    Builtin::new("is", &[&["value1", "value2"], &["value1?", "value2?"]], is),
    Builtin::new("range", &[&["from"]], range),
    Builtin::new("before", ANY_TWO, |_, a| relate(a, before)),
    Builtin::new("after", ANY_TWO, |_, a| relate(a, |x, y| before(y, x))),
    Builtin::new("meets", RANGES, |_, a| relate_ranges(a, meets)),
    Builtin::new("met by", RANGES, |_, a| {
        relate_ranges(a, |x, y| meets(y, x))
    }),
    Builtin::new("overlaps", RANGES, |_, a| relate_ranges(a, overlaps)),
    Builtin::new("overlaps before", RANGES, |_, a| {
        relate_ranges(a, overlaps_before)
    }),
    Builtin::new("overlaps after", RANGES, |_, a| {
        relate_ranges(a, |x, y| overlaps_before(y, x))
    }),
    Builtin::new("finishes", POINT_OR_RANGE, |_, a| {
        relate_second_range(a, finishes)
    }),
    Builtin::new("finished by", RANGE_THEN_ANY, |_, a| {
        relate_first_range(a, |x, y| finishes(y, x))
    }),
    Builtin::new("includes", RANGE_THEN_ANY, |_, a| {
        relate_first_range(a, includes)
    }),
    Builtin::new("during", POINT_OR_RANGE, |_, a| {
        relate_second_range(a, |x, y| includes(y, x))
    }),
    Builtin::new("starts", POINT_OR_RANGE, |_, a| {
        relate_second_range(a, starts)
    }),
    Builtin::new("started by", RANGE_THEN_ANY, |_, a| {
        relate_first_range(a, |x, y| starts(y, x))
    }),
    Builtin::new("coincides", ANY_TWO, |_, a| relate(a, coincides)),
];

const ANY_TWO: &[&[&str]] = &[
    &["point1", "point2"],
    &["point", "range"],
    &["range", "point"],
    &["range1", "range2"],
];
const RANGES: &[&[&str]] = &[&["range1", "range2"]];
const POINT_OR_RANGE: &[&[&str]] = &[&["point", "range"], &["range1", "range2"]];
const RANGE_THEN_ANY: &[&[&str]] = &[&["range", "point"], &["range1", "range2"]];

fn is(_: &mut Env<'_>, arguments: &[Value]) -> Outcome {
    Ok(Value::Bool(identical(
        argument(arguments, 0),
        argument(arguments, 1),
    )))
}

/// A range from its text, whose ends must be literals.
fn range(env: &mut Env<'_>, arguments: &[Value]) -> Outcome {
    let text = text(arguments, 0)?;
    let invalid = || Fault::new(Code::InvalidLiteral, &**text);
    let node = parser::expression(text, &Scope::new())
        .map_err(|_| invalid())?
        .value;
    let Kind::Range { start, end, .. } = &node.kind else {
        return Err(invalid());
    };
    let both_null = |node: &Node| matches!(node.kind, Kind::Const(Value::Null));
    if !is_literal(start) || !is_literal(end) || (both_null(start) && both_null(end)) {
        return Err(invalid());
    }
    let options = EvalOptions::default();
    let value = Env::new(&options, None).eval(&node);
    let Value::Range(range) = &value else {
        return Err(invalid());
    };
    let open_null = (range.start.is_null() && range.start_included)
        || (range.end.is_null() && range.end_included);
    if open_null || order(&range.start, &range.end) == Some(Ordering::Greater) {
        return Err(invalid());
    }
    env.spend(1)?;
    Ok(value)
}

/// A literal, a negated number, or a call such as `date("2020-01-01")` with literals.
fn is_literal(node: &Node) -> bool {
    match &node.kind {
        Kind::Const(Value::Function(_)) => false,
        Kind::Const(_) => true,
        Kind::Negate(inner) => matches!(inner.kind, Kind::Const(Value::Number(_))),
        Kind::Call { function, .. } => {
            let mut literal = true;
            node.each_child(&mut |child| literal &= matches!(child.kind, Kind::Const(_)));
            let name = match &function.kind {
                Kind::Const(Value::Function(function)) => function.name(),
                _ => "",
            };
            literal && matches!(name, "date" | "time" | "date and time" | "duration")
        }
        _ => false,
    }
}

/// A point or range with its ends; an end of null is unbounded.
struct Span {
    start: Value,
    start_included: bool,
    end: Value,
    end_included: bool,
    is_range: bool,
}

fn span(value: &Value) -> Result<Span, Fault> {
    match value {
        Value::Null => Err(wrong(value, "range")),
        Value::Range(range) => Ok(of_range(range)),
        point => {
            order(point, point).ok_or_else(|| wrong(point, "range"))?;
            Ok(Span {
                start: point.clone(),
                start_included: true,
                end: point.clone(),
                end_included: true,
                is_range: false,
            })
        }
    }
}

fn of_range(range: &Range) -> Span {
    let unbounded = range.kind == RangeKind::NotEqual;
    Span {
        start: if unbounded {
            Value::Null
        } else {
            range.start.clone()
        },
        start_included: range.start_included,
        end: if unbounded {
            Value::Null
        } else {
            range.end.clone()
        },
        end_included: range.end_included,
        is_range: true,
    }
}

type Relation = fn(&Span, &Span) -> Result<bool, Fault>;

fn relate(arguments: &[Value], relation: Relation) -> Outcome {
    let (a, b) = (span(argument(arguments, 0))?, span(argument(arguments, 1))?);
    relation(&a, &b).map(Value::Bool)
}

fn relate_ranges(arguments: &[Value], relation: Relation) -> Outcome {
    let (a, b) = (span(argument(arguments, 0))?, span(argument(arguments, 1))?);
    if !a.is_range || !b.is_range {
        return Err(Fault::new(Code::WrongType, "range"));
    }
    relation(&a, &b).map(Value::Bool)
}

fn relate_first_range(arguments: &[Value], relation: Relation) -> Outcome {
    let (a, b) = (span(argument(arguments, 0))?, span(argument(arguments, 1))?);
    if !a.is_range {
        return Err(Fault::new(Code::WrongType, "range"));
    }
    relation(&a, &b).map(Value::Bool)
}

fn relate_second_range(arguments: &[Value], relation: Relation) -> Outcome {
    let (a, b) = (span(argument(arguments, 0))?, span(argument(arguments, 1))?);
    if !b.is_range {
        return Err(Fault::new(Code::WrongType, "range"));
    }
    relation(&a, &b).map(Value::Bool)
}

/// Order of an upper end and a lower end; an unbounded upper end is above everything.
fn ends(upper: &Value, lower: &Value) -> Result<Ordering, Fault> {
    if upper.is_null() || lower.is_null() {
        return Ok(Ordering::Greater);
    }
    order(upper, lower).ok_or_else(|| {
        Fault::new(
            Code::WrongType,
            format!("{} ~ {}", upper.kind(), lower.kind()),
        )
    })
}

/// Order of two ends of the same side; an unbounded one lies outermost.
fn same_side(a: &Value, b: &Value, unbounded: Ordering) -> Result<Ordering, Fault> {
    match (a.is_null(), b.is_null()) {
        (true, true) => Ok(Ordering::Equal),
        (true, false) => Ok(unbounded),
        (false, true) => Ok(unbounded.reverse()),
        (false, false) => order(a, b)
            .ok_or_else(|| Fault::new(Code::WrongType, format!("{} ~ {}", a.kind(), b.kind()))),
    }
}

fn starts_order(a: &Span, b: &Span) -> Result<Ordering, Fault> {
    // Of equal starts the included one is lower.
    Ok(
        same_side(&a.start, &b.start, Ordering::Less)?
            .then(b.start_included.cmp(&a.start_included)),
    )
}

fn ends_order(a: &Span, b: &Span) -> Result<Ordering, Fault> {
    Ok(same_side(&a.end, &b.end, Ordering::Greater)?.then(a.end_included.cmp(&b.end_included)))
}

fn before(a: &Span, b: &Span) -> Result<bool, Fault> {
    Ok(match ends(&a.end, &b.start)? {
        Ordering::Less => true,
        Ordering::Equal => !(a.end_included && b.start_included),
        Ordering::Greater => false,
    })
}

fn meets(a: &Span, b: &Span) -> Result<bool, Fault> {
    Ok(a.end_included && b.start_included && ends(&a.end, &b.start)?.is_eq())
}

fn overlaps(a: &Span, b: &Span) -> Result<bool, Fault> {
    Ok(!before(a, b)? && !before(b, a)?)
}

fn overlaps_before(a: &Span, b: &Span) -> Result<bool, Fault> {
    let earlier = starts_order(a, b)?.is_lt();
    Ok(earlier && ends_order(a, b)?.is_le() && overlaps(a, b)?)
}

fn finishes(a: &Span, b: &Span) -> Result<bool, Fault> {
    let same_end =
        same_side(&a.end, &b.end, Ordering::Greater)?.is_eq() && a.end_included == b.end_included;
    Ok(same_end && starts_order(a, b)?.is_ge())
}

fn starts(a: &Span, b: &Span) -> Result<bool, Fault> {
    let same_start = same_side(&a.start, &b.start, Ordering::Less)?.is_eq()
        && a.start_included == b.start_included;
    Ok(same_start && ends_order(a, b)?.is_le())
}

fn includes(a: &Span, b: &Span) -> Result<bool, Fault> {
    Ok(starts_order(a, b)?.is_le() && ends_order(a, b)?.is_ge())
}

fn coincides(a: &Span, b: &Span) -> Result<bool, Fault> {
    Ok(starts_order(a, b)?.is_eq() && ends_order(a, b)?.is_eq())
}
