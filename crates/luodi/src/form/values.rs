//! The values of a filled form: key → JSON value. Numbers are exact decimals kept as text, dates
//! `YYYY-MM-DD`, choices their code, checklists a list of codes, lists a list of objects.

use jiff::civil::Date;
use policy::feel::Number;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The values of a filled form. Keys without a value are absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Values(Map<String, Value>);

impl Values {
    /// No values.
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// The text of a key, of texts, numbers, dates and choices; empty where there is none.
    pub fn text(&self, key: &str) -> &str {
        self.0.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    /// The number of a key.
    pub fn number(&self, key: &str) -> Option<Number> {
        Number::parse(self.text(key))
    }

    /// The date of a key.
    pub fn date(&self, key: &str) -> Option<Date> {
        self.text(key).parse().ok()
    }

    /// Whether a box is ticked.
    pub fn ticked(&self, key: &str) -> bool {
        self.0.get(key).and_then(Value::as_bool).unwrap_or(false)
    }

    /// The chosen codes of a checklist.
    pub fn codes(&self, key: &str) -> Vec<&str> {
        let list = self.0.get(key).and_then(Value::as_array);
        list.into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect()
    }

    /// The rows of a list.
    pub fn rows(&self, key: &str) -> Vec<Values> {
        let list = self.0.get(key).and_then(Value::as_array);
        let objects = list.into_iter().flatten().filter_map(Value::as_object);
        objects.map(|object| Values(object.clone())).collect()
    }

    /// Sets the value of a key.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<Value>) {
        self.0.insert(key.into(), value.into());
    }

    /// Takes the value of a key away.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        self.0.remove(key)
    }

    /// Every key with its value, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As one JSON object.
    pub fn to_json(&self) -> Value {
        Value::Object(self.0.clone())
    }

    /// From one JSON object; anything else has no values.
    pub fn from_json(value: impl Into<Value>) -> Values {
        match value.into() {
            Value::Object(map) => Values(map),
            _ => Values::new(),
        }
    }
}

impl FromIterator<(String, Value)> for Values {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(pairs: I) -> Self {
        Values(pairs.into_iter().collect())
    }
}
