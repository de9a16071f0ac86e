//! Functions of strings. Positions count characters from 1.

use super::super::evaluate::{Env, MAX_TEXT};
use super::super::value::Value;
use super::pattern::Pattern;
use super::{Builtin, Outcome, argument, integer, list, out_of_range, text, wrong};
use crate::finding::{Code, Fault};

pub(super) const FUNCTIONS: &[Builtin] = &[
    Builtin::new("string", &[&["from"]], to_string),
    Builtin::new("string length", &[&["string"]], string_length),
    Builtin::new(
        "substring",
        &[&["string", "start position", "length?"]],
        substring,
    ),
    Builtin::new("upper case", &[&["string"]], |_, a| {
        Ok(Value::from(text(a, 0)?.to_uppercase()))
    }),
    Builtin::new("lower case", &[&["string"]], |_, a| {
        Ok(Value::from(text(a, 0)?.to_lowercase()))
    }),
    Builtin::new(
        "substring before",
        &[&["string", "match"]],
        substring_before,
    ),
    Builtin::new("substring after", &[&["string", "match"]], substring_after),
    Builtin::new("contains", &[&["string", "match"]], |_, a| {
        Ok(Value::Bool(text(a, 0)?.contains(&**text(a, 1)?)))
    }),
    Builtin::new("starts with", &[&["string", "match"]], |_, a| {
        Ok(Value::Bool(text(a, 0)?.starts_with(&**text(a, 1)?)))
    }),
    Builtin::new("ends with", &[&["string", "match"]], |_, a| {
        Ok(Value::Bool(text(a, 0)?.ends_with(&**text(a, 1)?)))
    }),
    Builtin::new("matches", &[&["input", "pattern", "flags?"]], matches),
    Builtin::new(
        "replace",
        &[&["input", "pattern", "replacement", "flags?"]],
        replace,
    ),
    Builtin::new("split", &[&["string", "delimiter"]], split),
    Builtin::new("string join", &[&["list", "delimiter?"]], string_join),
];

fn to_string(_: &mut Env<'_>, arguments: &[Value]) -> Outcome {
    match argument(arguments, 0) {
        Value::Null => Err(wrong(&Value::Null, "string")),
        value => Ok(Value::from(value.to_string())),
    }
}

fn string_length(_: &mut Env<'_>, arguments: &[Value]) -> Outcome {
    let length = text(arguments, 0)?.chars().count();
    Ok(Value::from(i64::try_from(length).unwrap_or(i64::MAX)))
}

fn substring(_: &mut Env<'_>, arguments: &[Value]) -> Outcome {
    let text = text(arguments, 0)?;
    let start = integer(arguments, 1)?;
    let length = match arguments.get(2) {
        None => i64::MAX,
        Some(_) => integer(arguments, 2)?,
    };
    let count = i64::try_from(text.chars().count()).map_err(|_| out_of_range("substring"))?;
    if start == 0 || start.unsigned_abs() > count.unsigned_abs() || length < 1 {
        return Err(out_of_range(format!("substring {start}")));
    }
    let skip = if start > 0 { start - 1 } else { count + start };
    let take = usize::try_from(length).unwrap_or(usize::MAX);
    Ok(Value::from(
        text.chars()
            .skip(usize::try_from(skip).unwrap_or(0))
            .take(take)
            .collect::<String>(),
    ))
}

fn substring_before(_: &mut Env<'_>, arguments: &[Value]) -> Outcome {
    let (text, part) = (text(arguments, 0)?, text(arguments, 1)?);
    Ok(Value::from(
        text.split_once(&**part).map_or("", |(before, _)| before),
    ))
}

fn substring_after(_: &mut Env<'_>, arguments: &[Value]) -> Outcome {
    let (text, part) = (text(arguments, 0)?, text(arguments, 1)?);
    Ok(Value::from(
        text.split_once(&**part).map_or("", |(_, after)| after),
    ))
}

fn pattern(arguments: &[Value], flags: usize) -> Result<Pattern, Fault> {
    let flags = match argument(arguments, flags) {
        Value::Null => "",
        Value::Text(flags) => flags,
        other => return Err(wrong(other, "string")),
    };
    Pattern::parse(text(arguments, 1)?, flags)
}

fn matches(env: &mut Env<'_>, arguments: &[Value]) -> Outcome {
    let input = text(arguments, 0)?;
    env.spend(input.len() / 64)?;
    let characters: Vec<char> = input.chars().collect();
    Ok(Value::Bool(
        pattern(arguments, 2)?.find(&characters, 0)?.is_some(),
    ))
}

fn replace(env: &mut Env<'_>, arguments: &[Value]) -> Outcome {
    let input = text(arguments, 0)?;
    let pattern = pattern(arguments, 3)?;
    let replacement = text(arguments, 2)?;
    env.spend(input.len() / 64)?;
    let characters: Vec<char> = input.chars().collect();
    let mut result = String::new();
    let mut at = 0;
    while let Some(found) = pattern.find(&characters, at)? {
        result.extend(characters.get(at..found.start).unwrap_or_default());
        found.expand(replacement, &characters, pattern.is_literal(), &mut result)?;
        if result.len() > MAX_TEXT {
            return Err(Fault::new(Code::Limit, "replace"));
        }
        at = found.end;
        if found.start == found.end {
            result.extend(characters.get(at));
            at += 1;
        }
        if at > characters.len() {
            break;
        }
    }
    result.extend(characters.get(at..).unwrap_or_default());
    Ok(Value::from(result))
}

fn split(env: &mut Env<'_>, arguments: &[Value]) -> Outcome {
    let input = text(arguments, 0)?;
    let pattern = Pattern::parse(text(arguments, 1)?, "")?;
    env.spend(input.len() / 64)?;
    let characters: Vec<char> = input.chars().collect();
    let mut parts = Vec::new();
    let (mut start, mut at) = (0, 0);
    while let Some(found) = pattern.find(&characters, at)? {
        if found.end == found.start {
            at = found.end + 1;
            if at > characters.len() {
                break;
            }
            continue;
        }
        parts.push(Value::from(
            characters
                .get(start..found.start)
                .unwrap_or_default()
                .iter()
                .collect::<String>(),
        ));
        start = found.end;
        at = found.end;
    }
    parts.push(Value::from(
        characters
            .get(start..)
            .unwrap_or_default()
            .iter()
            .collect::<String>(),
    ));
    Ok(Value::from(parts))
}

fn string_join(env: &mut Env<'_>, arguments: &[Value]) -> Outcome {
    let items = list(arguments, 0)?;
    let delimiter = match argument(arguments, 1) {
        Value::Null => "",
        Value::Text(text) => text,
        other => return Err(wrong(other, "string")),
    };
    env.spend(items.len())?;
    let mut joined = String::new();
    let mut first = true;
    for item in items.iter() {
        let part = match item {
            Value::Null => continue,
            Value::Text(text) => text,
            other => return Err(wrong(other, "string")),
        };
        if !first {
            joined.push_str(delimiter);
        }
        first = false;
        joined.push_str(part);
        if joined.len() > MAX_TEXT {
            return Err(Fault::new(Code::Limit, "string join"));
        }
    }
    Ok(Value::from(joined))
}
