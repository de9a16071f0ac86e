//! Functions of contexts.

use std::sync::Arc;

use super::super::context::Context;
use super::super::evaluate::Env;
use super::super::list::List;
use super::super::value::Value;
use super::{Builtin, Outcome, argument, context, list, text, wrong};
use crate::finding::{Code, Fault};

pub(super) const FUNCTIONS: &[Builtin] = &[
    Builtin::new("get value", &[&["m", "key"], &["m", "keys"]], get_value),
    Builtin::new("get entries", &[&["m"]], get_entries),
    Builtin::new("context", &[&["entries"]], from_entries),
    Builtin::new(
        "context put",
        &[&["context", "key", "value"], &["context", "keys", "value"]],
        put,
    ),
    Builtin::new("context merge", &[&["contexts"]], merge),
];

fn get_value(_: &mut Env<'_>, arguments: &[Value]) -> Outcome {
    let missing = |name: &str| Fault::new(Code::NoSuchEntry, name);
    let mut at = Value::Context(context(arguments, 0)?.clone());
    let keys = match argument(arguments, 1) {
        Value::List(keys) if keys.is_empty() => return Err(missing("[]")),
        Value::List(keys) => keys.clone(),
        key => List::from(vec![key.clone()]),
    };
    for key in keys.iter() {
        let Value::Text(name) = key else {
            return Err(wrong(key, "string"));
        };
        let inner = at.as_context().and_then(|c| c.get(name)).cloned();
        at = inner.ok_or_else(|| missing(name))?;
    }
    Ok(at)
}

fn get_entries(_: &mut Env<'_>, arguments: &[Value]) -> Outcome {
    let entry = |(name, value): (&Arc<str>, &Value)| {
        let pair = [("key", Value::Text(name.clone())), ("value", value.clone())];
        Value::Context(pair.into_iter().collect())
    };
    Ok(Value::list(context(arguments, 0)?.iter().map(entry)))
}

fn from_entries(env: &mut Env<'_>, arguments: &[Value]) -> Outcome {
    let entries = list(arguments, 0)?;
    env.spend(entries.len())?;
    let mut made = Context::new();
    for entry in entries.iter() {
        let pair = entry.as_context().ok_or_else(|| wrong(entry, "context"))?;
        let missing = |name: &str| Fault::new(Code::NoSuchEntry, name);
        let key = pair.get("key").ok_or_else(|| missing("key"))?;
        let Value::Text(name) = key else {
            return Err(wrong(key, "string"));
        };
        let value = pair.get("value").ok_or_else(|| missing("value"))?;
        if made.get(name).is_some() {
            return Err(Fault::new(Code::Duplicate, &**name));
        }
        made.insert(name.clone(), value.clone());
    }
    Ok(Value::Context(made))
}

fn put(_: &mut Env<'_>, arguments: &[Value]) -> Outcome {
    let base = context(arguments, 0)?;
    let value = argument(arguments, 2);
    match argument(arguments, 1) {
        Value::List(keys) => put_deep(base, keys, value).map(Value::Context),
        _ => {
            let mut changed = base.clone();
            changed.insert(text(arguments, 1)?.clone(), value.clone());
            Ok(Value::Context(changed))
        }
    }
}

fn put_deep(base: &Context, keys: &[Value], value: &Value) -> Result<Context, Fault> {
    let missing = || Fault::new(Code::NoSuchEntry, "keys");
    let (key, rest) = keys.split_first().ok_or_else(missing)?;
    if rest.len() > 100 {
        return Err(Fault::new(Code::TooLarge, "keys"));
    }
    let Value::Text(name) = key else {
        return Err(wrong(key, "string"));
    };
    let mut changed = base.clone();
    if rest.is_empty() {
        changed.insert(name.clone(), value.clone());
    } else {
        let inner = base
            .get(name)
            .and_then(Value::as_context)
            .ok_or_else(missing)?;
        changed.insert(name.clone(), put_deep(inner, rest, value)?);
    }
    Ok(changed)
}

fn merge(env: &mut Env<'_>, arguments: &[Value]) -> Outcome {
    let mut merged = Context::new();
    for item in list(arguments, 0)?.iter() {
        let context = item.as_context().ok_or_else(|| wrong(item, "context"))?;
        env.spend(context.len())?;
        for (name, value) in context.iter() {
            merged.insert(name.clone(), value.clone());
        }
    }
    Ok(Value::Context(merged))
}
