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

    /// A stored document with some of its fields only.
    pub fn part_of(&self, stored: &Value, wanted: &dyn Fn(&Field) -> bool) -> Value {
        let fields = self.fields().filter(|field| wanted(field));
        let kept =
            fields.filter_map(|field| Some((field.key.clone(), stored.get(&field.key)?.clone())));
        Value::Object(kept.collect())
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

/// The bytes of a sealed value. What is no base64 is handed on as it is: it is refused where it is
/// opened, with an error of its own.
fn sealed_bytes(value: &Value) -> Option<Vec<u8>> {
    let map = value.as_object().filter(|map| map.len() == 1)?;
    let text = map.get(SEALED)?.as_str()?;
    Some(
        STANDARD
            .decode(text)
            .unwrap_or_else(|_| text.as_bytes().to_vec()),
    )
}

/// Whether a stored document holds a sealed value.
pub fn has_sealed(stored: &Value) -> bool {
    match stored {
        Value::Object(map) => sealed_bytes(stored).is_some() || map.values().any(has_sealed),
        Value::Array(items) => items.iter().any(has_sealed),
        _ => false,
    }
}

/// A stored document with each of its sealed values as `with` gives it.
///
/// # Errors
/// What `with` reports.
pub fn map_sealed<E>(
    stored: &Value,
    with: &mut dyn FnMut(&[u8]) -> Result<Value, E>,
) -> Result<Value, E> {
    if let Some(bytes) = sealed_bytes(stored) {
        return with(&bytes);
    }
    match stored {
        Value::Object(map) => {
            let mut values = Map::new();
            for (key, value) in map {
                values.insert(key.clone(), map_sealed(value, with)?);
            }
            Ok(Value::Object(values))
        }
        Value::Array(items) => {
            let mut values = Vec::with_capacity(items.len());
            for item in items {
                values.push(map_sealed(item, with)?);
            }
            Ok(Value::Array(values))
        }
        other => Ok(other.clone()),
    }
}

/// A stored document of any form, opened. `open` is asked for every sealed value.
///
/// # Errors
/// What `open` reports.
pub fn open_value(stored: &Value, open: Opener<'_>) -> Result<Value, StoreError> {
    map_sealed(stored, &mut |bytes| {
        let opened = open(bytes)?;
        Ok(serde_json::from_str(&opened).unwrap_or(Value::String(opened)))
    })
}
