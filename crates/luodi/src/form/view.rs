//! A filled form as a record: sections of labelled texts, personal values masked unless a person
//! with a reason asked for them.

use serde_json::Value;

use super::model::{Field, FieldKind, Form};
use super::values::Values;
use crate::dossier::ERASED;

/// Whether personal values are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Personal values masked: everywhere by default.
    Masked,
    /// Personal values plain: after a logged request with a reason, and to the applicant himself.
    Plain,
}

/// A card of the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewSection {
    /// Heading; may be empty.
    pub title: String,
    /// What is shown, in the order of the form.
    pub rows: Vec<Row>,
}

/// One value of the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The field's key; in a row of a list `list.0.field`.
    pub key: String,
    /// What the value is called.
    pub label: String,
    /// The value for people: figures grouped, options by their label; empty where there is none.
    pub text: String,
    /// The unit; may be empty.
    pub unit: String,
    /// The plain decimal behind a figure, for `<data value>`; empty for others.
    pub figure: String,
    /// The value is a date.
    pub day: bool,
    /// The value is masked and could be shown on request.
    pub masked: bool,
}

impl Form {
    /// The record of these values. Hidden fields and file slots are left out.
    pub fn view(&self, values: &Values, how: How) -> Vec<ViewSection> {
        let hidden = self.hidden(values);
        let mut sections = Vec::new();
        for section in &self.sections {
            let shown = section
                .fields
                .iter()
                .filter(|field| !hidden.contains(&field.key));
            let mut rows = Vec::new();
            for field in shown {
                view_field(field, &field.key, values.get(&field.key), how, &mut rows);
            }
            if !rows.is_empty() {
                sections.push(ViewSection {
                    title: section.title.clone(),
                    rows,
                });
            }
        }
        sections
    }

    /// One value of the record.
    pub fn row(&self, key: &str, values: &Values, how: How) -> Option<Row> {
        let field = self.field(key)?;
        let mut rows = Vec::new();
        view_field(field, key, values.get(key), how, &mut rows);
        rows.into_iter().next()
    }

    /// A text with `{key}` filled in, figures grouped and personal values masked.
    pub fn fill(&self, template: &str, values: &Values) -> String {
        let mut filled = String::with_capacity(template.len());
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            let Some((key, tail)) = after.split_once('}') else {
                filled.push('{');
                rest = after;
                continue;
            };
            filled.push_str(
                &self
                    .row(key, values, How::Masked)
                    .map_or_else(String::new, |row| row.text),
            );
            rest = tail;
        }
        filled.push_str(rest);
        filled
    }
}

fn view_field(field: &Field, key: &str, value: Option<&Value>, how: How, rows: &mut Vec<Row>) {
    match &field.kind {
        FieldKind::Paragraph { .. } | FieldKind::File { .. } => {}
        FieldKind::List { fields, .. } => {
            let items = value
                .and_then(Value::as_array)
                .map_or(&[][..], Vec::as_slice);
            for (index, item) in items.iter().enumerate() {
                for inner in fields {
                    let name = format!("{key}.{index}.{}", inner.key);
                    let before = rows.len();
                    view_field(inner, &name, item.get(&inner.key), how, rows);
                    for row in rows.iter_mut().skip(before) {
                        row.label = format!("{} {} · {}", field.label, index + 1, row.label);
                    }
                }
            }
        }
        _ => rows.push(view_row(field, key, value, how)),
    }
}

fn view_row(field: &Field, key: &str, value: Option<&Value>, how: How) -> Row {
    let plain = shown(field, value);
    let nothing_left = plain.is_empty() || plain == ERASED;
    let masked = how == How::Masked && field.class.is_some() && !nothing_left;
    let text = match field.class {
        Some(class) if masked => class.mask(&plain),
        _ => plain,
    };
    let figure = match (&field.kind, value) {
        (FieldKind::Number { .. }, Some(Value::String(number))) if !masked => number.clone(),
        _ => String::new(),
    };
    let (key, label, unit) = (key.to_owned(), recorded(field), field.unit.clone());
    let text_is_empty = text.is_empty();
    Row {
        key,
        label,
        text,
        unit,
        figure,
        day: matches!(field.kind, FieldKind::Date { .. }) && !text_is_empty,
        masked,
    }
}

/// What a record calls a field.
fn recorded(field: &Field) -> String {
    if field.short.is_empty() {
        field.label.clone()
    } else {
        field.short.clone()
    }
}

fn shown(field: &Field, value: Option<&Value>) -> String {
    match (&field.kind, value) {
        (FieldKind::Number { decimals, .. }, Some(Value::String(number))) => {
            grouped(number, decimals.unwrap_or(0))
        }
        (FieldKind::Choice { .. }, Some(Value::String(code))) => field.option_label(code),
        (FieldKind::Checklist { .. }, Some(Value::Array(codes))) => {
            let labels = codes
                .iter()
                .filter_map(Value::as_str)
                .map(|code| field.option_label(code));
            labels.collect::<Vec<_>>().join("、")
        }
        (FieldKind::Checkbox, Some(Value::Bool(ticked))) => {
            if *ticked { "是" } else { "否" }.to_owned()
        }
        (_, Some(Value::String(text))) => text.clone(),
        _ => String::new(),
    }
}

/// A canonical decimal for people: thousands separated; a fraction filled to the form's decimals,
/// as in 412.50, while a whole number stays whole.
pub fn grouped(number: &str, decimals: u32) -> String {
    let (sign, digits) = number
        .strip_prefix('-')
        .map_or(("", number), |rest| ("-", rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mut text = String::from(sign);
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if !fraction.is_empty() {
        let width = usize::try_from(decimals).unwrap_or(0).max(fraction.len());
        text.push('.');
        text.push_str(&format!("{fraction:0<width$}"));
    }
    text
}
