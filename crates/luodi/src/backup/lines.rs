//! Rows as lines of JSON, exact and the same for both engines.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value as Json;

use crate::store::{ColumnKind, StoreError, Table, Value};

/// Appends a row as one line.
pub(super) fn write(row: &[Value], out: &mut Vec<u8>) -> Result<(), StoreError> {
    let json: Vec<Json> = row
        .iter()
        .map(|value| match value {
            Value::Null => Json::Null,
            Value::Int(it) => Json::from(*it),
            // The shortest text that reads back as the same number; JSON numbers may lose a bit.
            Value::Real(it) => Json::from(format!("{it:?}")),
            Value::Text(it) => Json::from(it.as_str()),
            Value::Blob(it) => Json::from(BASE64.encode(it)),
        })
        .collect();
    serde_json::to_writer(&mut *out, &json)
        .map_err(|error| StoreError::Value(error.to_string()))?;
    out.push(b'\n');
    Ok(())
}

/// Reads a line; none where it is no row of the table.
pub(super) fn read(line: &[u8], table: &Table) -> Option<Vec<Value>> {
    let json: Vec<Json> = serde_json::from_slice(line).ok()?;
    if json.len() != table.columns.len() {
        return None;
    }
    let value = |(json, (_, kind)): (Json, &(String, ColumnKind))| {
        Some(match (kind, json) {
            (_, Json::Null) => Value::Null,
            (ColumnKind::Int, Json::Number(it)) => Value::Int(it.as_i64()?),
            (ColumnKind::Real, Json::String(it)) => Value::Real(it.parse().ok()?),
            (ColumnKind::Text, Json::String(it)) => Value::Text(it),
            (ColumnKind::Bytes, Json::String(it)) => Value::Blob(BASE64.decode(it).ok()?),
            _ => return None,
        })
    };
    json.into_iter().zip(&table.columns).map(value).collect()
}
