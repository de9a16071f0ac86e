//! The form as HTML: cards by group, hints, units, refusals at their field. Works without script:
//! rows of a list are added and taken away by buttons of the form itself.

use askama::Template;
use jiff::civil::Date;
use serde_json::Value;
use vocab::Quarter;

use super::model::{Field, FieldKind, Form};
use super::values::Values;
use crate::refusal::FieldError;

/// The largest file a browser should offer to send, in bytes; the edge refuses larger ones.
const MAX_FILE_BYTES: usize = 20 << 20;

/// A file that a slot holds already.
#[derive(Clone, Debug)]
pub struct Attachment {
    /// The slot: the key of its file field.
    pub slot: String,
    /// Its name.
    pub file_name: String,
    /// Where it is downloaded.
    pub href: String,
    /// Its size for people, such as 1.2 MB.
    pub size: String,
}

/// The refusals of a form, as the macros of `ui/form.html` ask for them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Errors<'a>(pub &'a [FieldError]);

impl<'a> Errors<'a> {
    /// What stands above the form; empty where nothing was refused.
    pub fn heading(&self) -> String {
        match self.0.len() {
            0 => String::new(),
            n => format!("有 {n} 处需要改正，其余内容已保留"),
        }
    }

    /// Every refusal, in the order of the form.
    pub fn list(&self) -> &'a [FieldError] {
        self.0
    }

    /// The refusal of a field; empty for a good one.
    pub fn message(&self, field: &str) -> &'a str {
        self.find(field).map_or("", |error| &error.message)
    }

    /// The one field at fault, which needs no heading beside it.
    pub fn alone(&self) -> Option<&'a FieldError> {
        match self.0 {
            [one] => Some(one),
            _ => None,
        }
    }

    /// The rule a field breaks; empty for a good one.
    pub fn rule(&self, field: &str) -> &'a str {
        self.find(field).map_or("", |error| &error.rule)
    }

    fn find(&self, field: &str) -> Option<&'a FieldError> {
        self.0.iter().find(|error| error.field == field)
    }
}

#[derive(Template)]
#[template(path = "form/form.html")]
struct FormPage<'a> {
    sections: Vec<Card<'a>>,
    errors: Errors<'a>,
    max_bytes: usize,
    /// What its typed fields are called (`web::kept`).
    labels: String,
}

struct Card<'a> {
    title: &'a str,
    hint: &'a str,
    widgets: Vec<Widget<'a>>,
}

/// One field as the template draws it.
struct Widget<'a> {
    kind: &'static str,
    name: String,
    label: &'a str,
    hint: String,
    must: bool,
    private: bool,
    wide: bool,
    unit: &'a str,
    value: String,
    checked: bool,
    mode: &'static str,
    options: Vec<Opt>,
    accept: String,
    multiple: bool,
    files: Vec<&'a Attachment>,
    rows: Vec<Vec<Widget<'a>>>,
    may_add: bool,
}

struct Opt {
    value: String,
    label: String,
    chosen: bool,
}

/// How many quarters are offered: two years, in which what was missed can still be applied for.
const PAST_QUARTERS: usize = 8;

impl Form {
    /// The fields as HTML, without the surrounding `<form>`, its hidden fields and its buttons.
    /// `values` may hold what was typed, checked or not; `today` decides which quarters are over.
    ///
    /// # Errors
    /// A template that cannot be rendered.
    pub fn render(
        &self,
        values: &Values,
        errors: &[FieldError],
        attachments: &[Attachment],
        today: Date,
    ) -> askama::Result<String> {
        let hidden = self.hidden(values);
        let sections = self.sections.iter().filter_map(|section| {
            let shown = section
                .fields
                .iter()
                .filter(|field| !hidden.contains(&field.key));
            let widgets: Vec<Widget<'_>> = shown
                .map(|field| {
                    widget(
                        field,
                        field.key.clone(),
                        values.get(&field.key),
                        attachments,
                        today,
                    )
                })
                .collect();
            let card = Card {
                title: &section.title,
                hint: &section.hint,
                widgets,
            };
            (!card.widgets.is_empty()).then_some(card)
        });
        let page = FormPage {
            sections: sections.collect(),
            errors: Errors(errors),
            max_bytes: MAX_FILE_BYTES,
            labels: self.labels(),
        };
        page.render()
    }

    /// What the fields that people type into are called, those of a list without their row.
    fn labels(&self) -> String {
        let mut labels = form_urlencoded::Serializer::new(String::new());
        let fields = self.sections.iter().flat_map(|section| &section.fields);
        for field in fields {
            if let FieldKind::List { fields, .. } = &field.kind {
                for inner in fields.iter().filter(|inner| is_typed(inner)) {
                    labels.append_pair(&format!("{}.{}", field.key, inner.key), &inner.label);
                }
            } else if is_typed(field) {
                labels.append_pair(&field.key, &field.label);
            }
        }
        labels.finish()
    }
}

fn widget<'a>(
    field: &'a Field,
    name: String,
    value: Option<&Value>,
    attachments: &'a [Attachment],
    today: Date,
) -> Widget<'a> {
    let text = value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let (rows, may_add) = rows(field, &name, value, attachments, today);
    let (accept, multiple) = accepted(field);
    Widget {
        kind: kind(field),
        label: &field.label,
        hint: hint(field),
        must: field.required,
        private: field.class.is_some(),
        wide: is_wide(field),
        unit: &field.unit,
        checked: value.and_then(Value::as_bool).unwrap_or(false),
        mode: mode(field),
        options: options(field, value, today),
        accept,
        multiple,
        files: attachments
            .iter()
            .filter(|file| field.is_file() && file.slot == field.key)
            .collect(),
        rows,
        may_add,
        value: match &field.kind {
            FieldKind::Paragraph { text } => text.clone(),
            FieldKind::Choice { .. } if field.readonly => field.option_label(&text),
            _ => text,
        },
        name,
    }
}

fn is_typed(field: &Field) -> bool {
    matches!(kind(field), "area" | "text" | "number" | "date")
}

fn kind(field: &Field) -> &'static str {
    match &field.kind {
        FieldKind::Paragraph { .. } => "paragraph",
        FieldKind::File { .. } => "file",
        FieldKind::List { .. } => "list",
        _ if field.readonly => "readonly",
        FieldKind::Text { long: true, .. } => "area",
        FieldKind::Text { .. } => "text",
        FieldKind::Number { .. } => "number",
        FieldKind::Date { .. } => "date",
        FieldKind::Choice { radio: true, .. } => "radio",
        FieldKind::Choice { .. } => "select",
        FieldKind::Checklist { .. } => "checklist",
        FieldKind::Checkbox => "checkbox",
    }
}

fn is_wide(field: &Field) -> bool {
    matches!(
        field.kind,
        FieldKind::Text { long: true, .. }
            | FieldKind::Checklist { .. }
            | FieldKind::Checkbox
            | FieldKind::File { .. }
            | FieldKind::List { .. }
            | FieldKind::Paragraph { .. }
    )
}

/// The keyboard a phone shows.
fn mode(field: &Field) -> &'static str {
    match (&field.kind, field.class) {
        (FieldKind::Number { .. }, _) => "decimal",
        (_, Some(super::Class::Phone)) => "tel",
        (_, Some(super::Class::BankAccount)) => "numeric",
        _ => "text",
    }
}

/// The hint of the schema; for files what may be sent, too.
fn hint(field: &Field) -> String {
    let FieldKind::File {
        types, multiple, ..
    } = &field.kind
    else {
        return field.hint.clone();
    };
    let types = if types.is_empty() {
        String::new()
    } else {
        format!("{}，", types.join("、").to_uppercase())
    };
    let many = if *multiple { "可多选，" } else { "" };
    let size = format!("{many}{types}每个文件不超过 {} MB", MAX_FILE_BYTES >> 20);
    if field.hint.is_empty() {
        size
    } else {
        format!("{}（{size}）", field.hint.trim_end_matches('。'))
    }
}

fn accepted(field: &Field) -> (String, bool) {
    match &field.kind {
        FieldKind::File { types, multiple } => {
            let types: Vec<String> = types.iter().map(|kind| format!(".{kind}")).collect();
            (types.join(","), *multiple)
        }
        _ => (String::new(), false),
    }
}

fn options(field: &Field, value: Option<&Value>, today: Date) -> Vec<Opt> {
    let (FieldKind::Choice { options, .. } | FieldKind::Checklist { options }) = &field.kind else {
        return Vec::new();
    };
    let chosen = |code: &str| match value {
        Some(Value::String(text)) => text == code,
        Some(Value::Array(codes)) => codes.iter().any(|chosen| chosen.as_str() == Some(code)),
        _ => false,
    };
    let opt = |(value, label): (String, String)| Opt {
        chosen: chosen(&value),
        value,
        label,
    };
    if options.is_empty() {
        return past_quarters(value.and_then(Value::as_str), today)
            .into_iter()
            .map(|quarter| opt((quarter.to_string(), quarter.zh())))
            .collect();
    }
    let listed = options
        .iter()
        .map(|option| (option.value.clone(), option.label.clone()));
    listed.map(opt).collect()
}

/// The latest quarters that are over, newest first; an older one that was chosen stays in the list.
fn past_quarters(chosen: Option<&str>, today: Date) -> Vec<Quarter> {
    let latest = Quarter::of(today).previous();
    let mut offered: Vec<Quarter> = std::iter::successors(Some(latest), |q| Some(q.previous()))
        .take(PAST_QUARTERS)
        .collect();
    let chosen = chosen.and_then(|text| Quarter::parse(text).ok());
    offered.extend(chosen.filter(|quarter| !offered.contains(quarter) && *quarter < latest));
    offered
}

/// The rows of a list: those that hold something, at least as many as an empty form shows.
fn rows<'a>(
    field: &'a Field,
    name: &str,
    value: Option<&Value>,
    attachments: &'a [Attachment],
    today: Date,
) -> (Vec<Vec<Widget<'a>>>, bool) {
    let FieldKind::List {
        fields,
        rows,
        max_rows,
    } = &field.kind
    else {
        return (Vec::new(), false);
    };
    let items = value
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let count = items.len().max(*rows).min(*max_rows);
    let row = |index: usize| {
        let cell = |inner: &'a Field| {
            let value = items.get(index).and_then(|item| item.get(&inner.key));
            widget(
                inner,
                format!("{name}.{index}.{}", inner.key),
                value,
                attachments,
                today,
            )
        };
        fields.iter().map(cell).collect()
    };
    ((0..count).map(row).collect(), count < *max_rows)
}
