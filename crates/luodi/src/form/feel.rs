//! Values of a form as FEEL sees them: every field under its key and under its label. Numbers are
//! exact decimals, dates are dates. A choice is its code under the key and what people read under
//! the label, so that a policy may say 申请人类型 = "企业".

use policy::feel::{Context, Number, Scope, Value};

use super::model::{Field, FieldKind, Form};
use super::values::Values;

impl Form {
    /// The values under all names of the form; a field without a value is null.
    pub fn feel_context(&self, values: &Values) -> Context {
        self.feel_context_of(values, &|_| true)
    }

    /// The same of some of the fields.
    pub fn feel_context_of(&self, values: &Values, wanted: &dyn Fn(&Field) -> bool) -> Context {
        let mut context = Context::new();
        let fields = self.fields().filter(|field| !field.is_file());
        for field in fields.filter(|field| wanted(field)) {
            let value = values.get(&field.key);
            context.insert(
                field.key.as_str(),
                value.map_or(Value::Null, |v| feel_value(field, v)),
            );
            if !field.label.is_empty() {
                context.insert(field.label.as_str(), labelled(field, value));
            }
        }
        context
    }

    /// The names of the form for an expression, added to a scope.
    pub fn names(&self, scope: Scope) -> Scope {
        self.fields()
            .filter(|field| !field.is_file())
            .fold(scope, |scope, field| {
                let scope = scope.with(&field.key);
                if field.label.is_empty() {
                    scope
                } else {
                    scope.with(&field.label)
                }
            })
    }

    /// Whether an expression may use this name.
    pub fn has_name(&self, name: &str) -> bool {
        self.fields()
            .any(|field| !field.is_file() && (field.key == name || field.label == name))
    }
}

/// A stored value as FEEL sees it under the field's key.
pub fn feel_value(field: &Field, value: &serde_json::Value) -> Value {
    match (&field.kind, value) {
        (_, serde_json::Value::Bool(flag)) => Value::from(*flag),
        (FieldKind::Number { .. }, serde_json::Value::String(text)) => Number::parse(text).into(),
        (FieldKind::Date { .. }, serde_json::Value::String(text)) => {
            text.parse::<jiff::civil::Date>().ok().into()
        }
        (_, serde_json::Value::String(text)) => Value::from(text.as_str()),
        (FieldKind::List { fields, .. }, serde_json::Value::Array(rows)) => {
            Value::list(rows.iter().map(|row| feel_row(fields, row)))
        }
        (_, serde_json::Value::Array(codes)) => Value::list(
            codes
                .iter()
                .filter_map(|code| code.as_str().map(Value::from)),
        ),
        _ => Value::Null,
    }
}

/// A number that stands outside a form, such as a statistic, as FEEL sees it.
pub fn number_value(number: f64) -> Value {
    Number::parse(&format!("{number:.12}")).into()
}

fn feel_row(fields: &[Field], row: &serde_json::Value) -> Value {
    let mut context = Context::new();
    for field in fields {
        let value = row
            .get(&field.key)
            .map_or(Value::Null, |value| feel_value(field, value));
        context.insert(field.key.as_str(), value.clone());
        context.insert(field.label.as_str(), value);
    }
    Value::Context(context)
}

fn labelled(field: &Field, value: Option<&serde_json::Value>) -> Value {
    match (&field.kind, value) {
        (FieldKind::Choice { .. }, Some(serde_json::Value::String(code))) => {
            Value::from(field.option_label(code).as_str())
        }
        (FieldKind::Checklist { .. }, Some(serde_json::Value::Array(codes))) => {
            let codes = codes.iter().filter_map(serde_json::Value::as_str);
            Value::list(codes.map(|code| Value::from(field.option_label(code).as_str())))
        }
        (_, Some(value)) => feel_value(field, value),
        (_, None) => Value::Null,
    }
}
