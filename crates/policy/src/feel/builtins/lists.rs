//! Functions of lists. Positions count from 1, negative ones from the end.

use std::cmp::Ordering;

use super::super::compare::{equal, order};
use super::super::evaluate::{Env, MAX_ITEMS};
use super::super::value::Value;
use super::{Builtin, Outcome, argument, function, integer, list, out_of_range, wrong};
use crate::finding::{Code, Fault};

/// Deepest nesting that `flatten` opens.
const MAX_NESTING: usize = 200;

pub(super) const FUNCTIONS: &[Builtin] = &[
    Builtin::new("list contains", &[&["list", "element"]], list_contains),
    Builtin::new("count", &[&["list"]], count),
    Builtin::new(
        "sublist",
        &[&["list", "start position", "length?"]],
        sublist,
    ),
    Builtin {
        name: "append",
        parameters: &[&["list", "item"]],
        variadic: true,
        call: append,
    },
    Builtin {
        name: "concatenate",
        parameters: &[&["list"]],
        variadic: true,
        call: concatenate,
    },
    Builtin {
        name: "union",
        parameters: &[&["list"]],
        variadic: true,
        call: union,
    },
    Builtin::new(
        "insert before",
        &[&["list", "position", "newItem"]],
        insert_before,
    ),
    Builtin::new("remove", &[&["list", "position"]], remove),
    Builtin::new("reverse", &[&["list"]], |_, a| {
        Ok(Value::list(list(a, 0)?.iter().rev().cloned()))
    }),
    Builtin::new("index of", &[&["list", "match"]], index_of),
    Builtin::new("distinct values", &[&["list"]], distinct_values),
    Builtin::new("flatten", &[&["list"]], flatten),
    Builtin::new("sort", &[&["list", "precedes?"]], sort),
    Builtin::new(
        "list replace",
        &[
            &["list", "position", "newItem"],
            &["list", "match", "newItem"],
        ],
        list_replace,
    ),
];

fn list_contains(env: &mut Env<'_>, arguments: &[Value]) -> Outcome {
    let items = list(arguments, 0)?;
    env.spend(items.len())?;
    let element = argument(arguments, 1);
    Ok(Value::Bool(
        items.iter().any(|item| equal(item, element) == Some(true)),
    ))
}

fn count(_: &mut Env<'_>, arguments: &[Value]) -> Outcome {
    Ok(Value::from(
        i64::try_from(list(arguments, 0)?.len()).unwrap_or(i64::MAX),
    ))
}

/// The index of a position from 1 or from the end; `None` outside.
fn index(position: i64, length: usize) -> Option<usize> {
    let length = i64::try_from(length).ok()?;
    let index = if position > 0 {
        position - 1
    } else {
        length + position
    };
    (position != 0 && (0..length).contains(&index))
        .then(|| usize::try_from(index).ok())
        .flatten()
}

fn position(arguments: &[Value], at: usize, length: usize) -> Result<usize, Fault> {
    let given = integer(arguments, at)?;
    index(given, length).ok_or_else(|| out_of_range(format!("position {given}")))
}

fn sublist(_: &mut Env<'_>, arguments: &[Value]) -> Outcome {
    let items = list(arguments, 0)?;
    let start = position(arguments, 1, items.len())?;
    let length = match arguments.get(2) {
        None => items.len() - start,
        Some(_) => usize::try_from(integer(arguments, 2)?).map_err(|_| out_of_range("length"))?,
    };
    let part = start
        .checked_add(length)
        .and_then(|end| items.get(start..end));
    part.map(|part| Value::from(part.to_vec()))
        .ok_or_else(|| out_of_range("length"))
}

fn bounded(env: &mut Env<'_>, items: Vec<Value>) -> Outcome {
    env.spend(items.len())?;
    if items.len() > MAX_ITEMS {
        Err(Fault::new(Code::Limit, "list"))
    } else {
        Ok(Value::from(items))
    }
}

fn append(env: &mut Env<'_>, arguments: &[Value]) -> Outcome {
    let mut items = list(arguments, 0)?.to_vec();
    items.extend(arguments.iter().skip(1).cloned());
    bounded(env, items)
}

fn concatenate(env: &mut Env<'_>, arguments: &[Value]) -> Outcome {
    let mut items = Vec::new();
    for index in 0..arguments.len() {
        items.extend(list(arguments, index)?.iter().cloned());
        env.spend(items.len())?;
    }
    bounded(env, items)
}

fn union(env: &mut Env<'_>, arguments: &[Value]) -> Outcome {
    let all = concatenate(env, arguments)?;
    distinct_values(env, &[all])
}

fn insert_before(env: &mut Env<'_>, arguments: &[Value]) -> Outcome {
    let mut items = list(arguments, 0)?.to_vec();
    let at = position(arguments, 1, items.len())?;
    items.insert(at, argument(arguments, 2).clone());
    bounded(env, items)
}

fn remove(_: &mut Env<'_>, arguments: &[Value]) -> Outcome {
    let mut items = list(arguments, 0)?.to_vec();
    let at = position(arguments, 1, items.len())?;
    items.remove(at);
    Ok(Value::from(items))
}

fn index_of(env: &mut Env<'_>, arguments: &[Value]) -> Outcome {
    let items = list(arguments, 0)?;
    env.spend(items.len())?;
    let wanted = argument(arguments, 1);
    let found = (1i64..)
        .zip(items.iter())
        .filter(|(_, item)| equal(item, wanted) == Some(true));
    Ok(Value::list(
        found.map(|(position, _)| Value::from(position)),
    ))
}

fn distinct_values(env: &mut Env<'_>, arguments: &[Value]) -> Outcome {
    let items = list(arguments, 0)?;
    let mut kept: Vec<Value> = Vec::new();
    for item in items.iter() {
        env.spend(kept.len())?;
        if !kept.iter().any(|other| equal(other, item) == Some(true)) {
            kept.push(item.clone());
        }
    }
    Ok(Value::from(kept))
}

fn flatten(env: &mut Env<'_>, arguments: &[Value]) -> Outcome {
    fn open(items: &[Value], flat: &mut Vec<Value>, nesting: usize) -> Result<(), Fault> {
        if nesting > MAX_NESTING || flat.len() > MAX_ITEMS {
            return Err(Fault::new(Code::Limit, "flatten"));
        }
        for item in items {
            match item {
                Value::List(inner) => open(inner, flat, nesting + 1)?,
                other => flat.push(other.clone()),
            }
        }
        Ok(())
    }
    let mut flat = Vec::new();
    open(&list(arguments, 0)?, &mut flat, 0)?;
    bounded(env, flat)
}

fn sort(env: &mut Env<'_>, arguments: &[Value]) -> Outcome {
    let items = list(arguments, 0)?.to_vec();
    let precedes = if arguments.len() > 1 {
        Some(function(arguments, 1)?)
    } else {
        None
    };
    let sorted = merge_sort(items, &mut |a, b| match precedes {
        // `b` goes first only where it precedes, so that equal items keep their order.
        Some(precedes) => {
            let result = env.call(precedes, vec![b.clone(), a.clone()])?;
            result.as_bool().ok_or_else(|| wrong(&result, "boolean"))
        }
        None => {
            env.spend(1)?;
            let order = order(a, b).ok_or_else(|| Fault::new(Code::WrongType, "sort"))?;
            Ok(order == Ordering::Greater)
        }
    })?;
    Ok(Value::from(sorted))
}

/// Stable sort with a comparison that may fail; `goes_first(a, b)`: whether b must stand before a.
fn merge_sort(
    mut items: Vec<Value>,
    goes_first: &mut dyn FnMut(&Value, &Value) -> Result<bool, Fault>,
) -> Result<Vec<Value>, Fault> {
    if items.len() < 2 {
        return Ok(items);
    }
    let right = items.split_off(items.len() / 2);
    let left = merge_sort(items, goes_first)?;
    let right = merge_sort(right, goes_first)?;
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    loop {
        let take_right = match (left.peek(), right.peek()) {
            (Some(a), Some(b)) => goes_first(a, b)?,
            (None, Some(_)) => true,
            (Some(_), None) => false,
            (None, None) => return Ok(merged),
        };
        merged.extend(if take_right {
            right.next()
        } else {
            left.next()
        });
    }
}

fn list_replace(env: &mut Env<'_>, arguments: &[Value]) -> Outcome {
    let mut items = list(arguments, 0)?.to_vec();
    let new = argument(arguments, 2);
    if let Value::Number(_) = argument(arguments, 1) {
        let at = position(arguments, 1, items.len())?;
        if let Some(item) = items.get_mut(at) {
            *item = new.clone();
        }
        return Ok(Value::from(items));
    }
    let matches = function(arguments, 1)?;
    if matches.arity().is_some_and(|arity| arity != 2) {
        return Err(Fault::new(Code::WrongArguments, "match"));
    }
    for item in &mut items {
        let result = env.call(matches, vec![item.clone(), new.clone()])?;
        if result.as_bool().ok_or_else(|| wrong(&result, "boolean"))? {
            *item = new.clone();
        }
    }
    Ok(Value::from(items))
}
