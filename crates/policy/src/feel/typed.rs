//! Values from outside read as a declared type: what a form, a CSV cell or JSON writes as text
//! becomes the date or number that the model asks for.

use std::sync::Arc;

use super::context::Context;
use super::date::Date;
use super::duration::{DaysDuration, MonthsDuration};
use super::number::Number;
use super::time::{DateTime, Time};
use super::types::Type;
use super::value::Value;

/// Deepest nesting that is read.
const MAX_NESTING: usize = 31;

impl Type {
    /// Reads a text, such as a cell of a table; an empty one is null. `None` where it is no value of
    /// the type. Allowed values are checked by the model.
    pub fn read_text(&self, text: &str) -> Option<Value> {
        let text = text.trim();
        if text.is_empty() {
            return Some(Value::Null);
        }
        match self.base() {
            Type::Bool => match text {
                "true" | "是" => Some(Value::Bool(true)),
                "false" | "否" => Some(Value::Bool(false)),
                _ => None,
            },
            Type::Number => Number::parse(text).map(Value::Number),
            Type::Date => Date::parse(text).map(Value::Date),
            Type::Time => Time::parse(text).map(Value::Time),
            Type::DateTime => DateTime::parse(text).map(Value::DateTime),
            Type::DaysDuration => DaysDuration::parse(text).map(Value::DaysDuration),
            Type::MonthsDuration => MonthsDuration::parse(text).map(Value::MonthsDuration),
            Type::Any | Type::Text => Some(Value::from(text)),
            Type::List(item) => item.read_text(text).map(|value| Value::list([value])),
            Type::Null
            | Type::Context(_)
            | Type::Range(_)
            | Type::Function(_)
            | Type::Defined(_) => None,
        }
    }

    /// Reads JSON; dates, times and durations are texts, numbers may be. `None` where it is no value
    /// of the type.
    pub fn read_json(&self, json: &serde_json::Value) -> Option<Value> {
        self.read_nested(json, 0)
    }

    fn read_nested(&self, json: &serde_json::Value, nesting: usize) -> Option<Value> {
        use serde_json::Value as Json;
        if nesting > MAX_NESTING {
            return None;
        }
        match (self.base(), json) {
            (_, Json::Null) => Some(Value::Null),
            (Type::Any, json) => Some(Value::from_json(json)),
            (Type::Text, Json::String(text)) => Some(Value::from(text.as_str())),
            (Type::List(item), Json::Array(items)) => {
                let items: Option<Vec<Value>> = items
                    .iter()
                    .map(|json| item.read_nested(json, nesting + 1))
                    .collect();
                items.map(Value::from)
            }
            (Type::Context(types), Json::Object(entries)) => {
                let mut context = Context::new();
                for (name, json) in entries {
                    let ty = types
                        .iter()
                        .find(|(own, _)| **own == **name)
                        .map_or(&Type::Any, |(_, ty)| ty);
                    context.insert(Arc::from(name.as_str()), ty.read_nested(json, nesting + 1)?);
                }
                Some(Value::Context(context))
            }
            (_, Json::String(text)) => self.read_text(text),
            (Type::Bool, Json::Bool(value)) => Some(Value::Bool(*value)),
            (Type::Number, json @ Json::Number(_)) => Some(Value::from_json(json)),
            (Type::List(item), json) => item
                .read_nested(json, nesting + 1)
                .map(|value| Value::list([value])),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_what_the_type_says() {
        let check = |ty: Type, text: &str, expected: Option<&str>| {
            let read = ty
                .read_text(text)
                .map(|value| format!("{} {value}", value.kind()));
            assert_eq!(read.as_deref(), expected, "{ty} {text}");
        };
        check(Type::Number, " 12.50 ", Some("number 12.5"));
        check(Type::Number, "12,5", None);
        check(Type::Number, "", Some("null null"));
        check(Type::Date, "2016-07-01", Some("date 2016-07-01"));
        check(Type::Date, "2016-07-32", None);
        check(Type::Bool, "是", Some("boolean true"));
        check(Type::Bool, "1", None);
        check(Type::Text, "2016", Some("string 2016"));
        check(Type::List(Arc::new(Type::Number)), "1", Some("list [1]"));
    }

    #[test]
    fn json_becomes_what_the_type_says() {
        let ty = Type::Context(Arc::from([
            (Arc::from("成立日期"), Type::Date),
            (Arc::from("税收(万元)"), Type::Number),
            (Arc::from("行业"), Type::List(Arc::new(Type::Text))),
        ]));
        let json = serde_json::json!({"成立日期": "2016-07-01", "税收(万元)": "12.50", "行业": "C39", "备注": 1});
        let read = ty.read_json(&json).unwrap();
        assert_eq!(
            read.to_string(),
            "{备注: 1, 成立日期: 2016-07-01, 税收(万元): 12.5, 行业: [\"C39\"]}"
        );
        assert_eq!(ty.read_json(&serde_json::json!({"成立日期": "昨天"})), None);
        assert_eq!(ty.read_json(&serde_json::json!([1])), None);
    }
}
