//! How values stand in the store: personal ones as `{"sealed": "<base64>"}`, the others as they
//! are. Sealing itself is the caller's, under the key of the party.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::model::{Field, FieldKind, Form};
use super::values::Values;
use crate::store::StoreError;

/// Seals a text of a class (its code) under the key of the party.
type Sealer<'a> = &'a dyn Fn(&str, &str) -> Result<Vec<u8>, StoreError>;
/// Opens what was sealed.
type Opener<'a> = &'a dyn Fn(&[u8]) -> Result<String, StoreError>;

/// The key of a sealed value.
const SEALED: &str = "sealed";

impl Form {
    /// The values as they are stored. `seal` gets the code of the class and
    /// the value as JSON text.
    ///
    /// # Errors
    /// What `seal` reports.
    pub fn seal(&self, values: &Values, seal: Sealer<'_>) -> Result<Value, StoreError> {
        let mut stored = Map::new();
        for field in self.fields() {
            if let Some(value) = values.get(&field.key) {
                stored.insert(field.key.clone(), seal_field(field, value, seal)?);
            }
        }
        Ok(Value::Object(stored))
    }

    /// The values of a stored document. `open` is asked for every sealed value.
    ///
    /// # Errors
    /// What `open` reports.
    pub fn open(&self, stored: &Value, open: Opener<'_>) -> Result<Values, StoreError> {
        Ok(Values::from_json(open_value(stored, open)?))
    }

    /// The values of a stored document without the sealed ones, for lists that need no key.
    pub fn unsealed(&self, stored: &Value) -> Values {
        let map = stored.as_object().into_iter().flatten();
        map.filter(|(_, value)| value.get(SEALED).is_none())
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }
}

fn seal_field(field: &Field, value: &Value, seal: Sealer<'_>) -> Result<Value, StoreError> {
    if let Some(class) = field.class {
        let bytes = seal(class.code(), &value.to_string())?;
        return Ok(json!({ SEALED: STANDARD.encode(bytes) }));
    }
    let (FieldKind::List { fields, .. }, Value::Array(rows)) = (&field.kind, value) else {
        return Ok(value.clone());
    };
    let mut stored = Vec::with_capacity(rows.len());
    for row in rows {
        let mut cells = Map::new();
        for field in fields {
            if let Some(value) = row.get(&field.key) {
                cells.insert(field.key.clone(), seal_field(field, value, seal)?);
            }
        }
        stored.push(Value::Object(cells));
    }
    Ok(Value::Array(stored))
}

fn open_value(stored: &Value, open: Opener<'_>) -> Result<Value, StoreError> {
    match stored {
        Value::Object(map) => match map.get(SEALED).and_then(Value::as_str) {
            Some(text) if map.len() == 1 => {
                // What is no base64 is handed on as it is: `open` refuses it with its own error.
                let bytes = STANDARD
                    .decode(text)
                    .unwrap_or_else(|_| text.as_bytes().to_vec());
                let opened = open(&bytes)?;
                Ok(serde_json::from_str(&opened).unwrap_or(Value::String(opened)))
            }
            _ => {
                let mut values = Map::new();
                for (key, value) in map {
                    values.insert(key.clone(), open_value(value, open)?);
                }
                Ok(Value::Object(values))
            }
        },
        Value::Array(items) => items
            .iter()
            .map(|item| open_value(item, open))
            .collect::<Result<_, _>>()
            .map(Value::Array),
        other => Ok(other.clone()),
    }
}
