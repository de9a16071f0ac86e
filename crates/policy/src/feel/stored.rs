//! Values outside of the program: plain JSON, and a stored form that keeps every kind.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::context::Context;
use super::date::Date;
use super::duration::{DaysDuration, MonthsDuration};
use super::number::Number;
use super::range::{Range, RangeKind};
use super::time::{DateTime, Time};
use super::value::Value;

/// Deepest nesting that is read; what is deeper becomes null.
const MAX_NESTING: usize = 31;
/// Digits that a binary floating point number keeps exactly.
const MAX_JSON_DIGITS: u128 = 1_000_000_000_000_000;

impl Value {
    /// From plain JSON: numbers exactly as they are written, texts as texts (no dates are guessed).
    pub fn from_json(json: &serde_json::Value) -> Value {
        from_json(json, 0)
    }

    /// As plain JSON: dates and durations as texts, numbers of more than 15 digits as texts so that
    /// no digit is lost, functions as null.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match self {
            Value::Null | Value::Function(_) => Json::Null,
            Value::Bool(value) => Json::Bool(*value),
            Value::Number(number) => number_to_json(*number),
            Value::List(items) => Json::Array(items.iter().map(Value::to_json).collect()),
            Value::Context(context) => Json::Object(
                context
                    .iter()
                    .map(|(name, value)| (name.to_string(), value.to_json()))
                    .collect(),
            ),
            other => Json::String(other.to_string()),
        }
    }
}

fn number_to_json(number: Number) -> serde_json::Value {
    let (_, digits, _) = number.parts();
    let text = number.to_string();
    let exact = digits < MAX_JSON_DIGITS && text.len() < 20;
    let json = exact.then(|| serde_json::from_str(&text).ok()).flatten();
    json.unwrap_or(serde_json::Value::String(text))
}

fn from_json(json: &serde_json::Value, nesting: usize) -> Value {
    use serde_json::Value as Json;
    if nesting > MAX_NESTING {
        return Value::Null;
    }
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => {
            Number::parse(&number.to_string()).map_or(Value::Null, Value::Number)
        }
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => Value::list(items.iter().map(|item| from_json(item, nesting + 1))),
        Json::Object(entries) => Value::Context(
            entries
                .iter()
                .map(|(name, value)| (name.as_str(), from_json(value, nesting + 1)))
                .collect(),
        ),
    }
}

/// The stored form: one tag for each kind of value.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stored {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    Date(String),
    Time(String),
    DateTime(String),
    DaysDuration(String),
    MonthsDuration(String),
    List(Vec<Stored>),
    Context(Vec<(String, Stored)>),
    Range(Box<StoredRange>),
    /// Only the name: a function cannot be stored and reads back as null.
    Function(String),
}

#[derive(Serialize, Deserialize)]
struct StoredRange {
    kind: String,
    start: Stored,
    start_included: bool,
    end: Stored,
    end_included: bool,
}

impl From<&Value> for Stored {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Stored::Null,
            Value::Bool(value) => Stored::Bool(*value),
            Value::Number(value) => Stored::Number(value.to_string()),
            Value::Text(value) => Stored::Text(value.to_string()),
            Value::Date(value) => Stored::Date(value.to_string()),
            Value::Time(value) => Stored::Time(value.to_string()),
            Value::DateTime(value) => Stored::DateTime(value.to_string()),
            Value::DaysDuration(value) => Stored::DaysDuration(value.to_string()),
            Value::MonthsDuration(value) => Stored::MonthsDuration(value.to_string()),
            Value::List(items) => Stored::List(items.iter().map(Stored::from).collect()),
            Value::Context(context) => Stored::Context(
                context
                    .iter()
                    .map(|(n, v)| (n.to_string(), Stored::from(v)))
                    .collect(),
            ),
            Value::Range(range) => Stored::Range(Box::new(StoredRange {
                kind: kind_name(range.kind).to_owned(),
                start: Stored::from(&range.start),
                start_included: range.start_included,
                end: Stored::from(&range.end),
                end_included: range.end_included,
            })),
            Value::Function(function) => Stored::Function(function.name().to_owned()),
        }
    }
}

impl Stored {
    /// The value; `None` for a text that is none of its kind.
    fn into_value(self) -> Option<Value> {
        Some(match self {
            Stored::Null | Stored::Function(_) => Value::Null,
            Stored::Bool(value) => Value::Bool(value),
            Stored::Number(text) => Value::Number(Number::parse(&text)?),
            Stored::Text(text) => Value::from(text),
            Stored::Date(text) => Value::Date(Date::parse(&text)?),
            Stored::Time(text) => Value::Time(Time::parse(&text)?),
            Stored::DateTime(text) => Value::DateTime(DateTime::parse(&text)?),
            Stored::DaysDuration(text) => Value::DaysDuration(DaysDuration::parse(&text)?),
            Stored::MonthsDuration(text) => Value::MonthsDuration(MonthsDuration::parse(&text)?),
            Stored::List(items) => Value::from(
                items
                    .into_iter()
                    .map(Stored::into_value)
                    .collect::<Option<Vec<_>>>()?,
            ),
            Stored::Context(entries) => {
                let mut context = Context::new();
                for (name, value) in entries {
                    context.insert(name, value.into_value()?);
                }
                Value::Context(context)
            }
            Stored::Range(range) => Value::Range(Arc::new(Range {
                kind: kind_of(&range.kind)?,
                start: range.start.into_value()?,
                start_included: range.start_included,
                end: range.end.into_value()?,
                end_included: range.end_included,
            })),
        })
    }
}

const KINDS: [(RangeKind, &str); 5] = [
    (RangeKind::Ends, "ends"),
    (RangeKind::Below, "below"),
    (RangeKind::Above, "above"),
    (RangeKind::Equal, "equal"),
    (RangeKind::NotEqual, "not-equal"),
];

fn kind_name(kind: RangeKind) -> &'static str {
    KINDS
        .iter()
        .find(|(k, _)| *k == kind)
        .map_or("ends", |(_, name)| name)
}

fn kind_of(name: &str) -> Option<RangeKind> {
    KINDS
        .iter()
        .find(|(_, n)| *n == name)
        .map(|(kind, _)| *kind)
}

impl Serialize for Value {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Stored::from(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = Stored::deserialize(deserializer)?;
        stored
            .into_value()
            .ok_or_else(|| serde::de::Error::custom("not a stored value of its kind"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_keeps_numbers_exactly() {
        let check = |json: &str, value: &str| {
            let read = Value::from_json(&serde_json::from_str(json).unwrap());
            assert_eq!(read.to_string(), value);
            assert_eq!(read.to_json().to_string(), json);
        };
        check("0.1", "0.1");
        check("12", "12");
        check("[1,null,true]", "[1, null, true]");
        check("{\"名称\":\"甲\"}", "{名称: \"甲\"}");
        let long = Value::Number(Number::parse("1234567890123456789.12").unwrap());
        assert_eq!(long.to_json(), serde_json::json!("1234567890123456789.12"));
    }

    #[test]
    fn the_stored_form_keeps_every_kind() {
        let texts = [
            Value::Null,
            Value::Bool(true),
            Value::Number(Number::parse("0.10").unwrap()),
            Value::from("2016-07-01"),
            Value::Date(Date::parse("2016-07-01").unwrap()),
            Value::DateTime(DateTime::parse("2016-07-01T00:00:00@Asia/Shanghai").unwrap()),
            Value::MonthsDuration(MonthsDuration::new(14)),
            Value::Range(Arc::new(Range::ends(
                Value::from(1),
                true,
                Value::from(2),
                false,
            ))),
        ];
        let all = Value::list(texts);
        let json = serde_json::to_string(&all).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), all);
    }
}
