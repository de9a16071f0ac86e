//! What was posted, checked on the server and turned into values; and what was typed, kept as it
//! is to be shown again. Names of fields in rows are `list.0.field`.

use jiff::civil::Date;
use serde_json::Value;

use super::check::{self, Broken};
use super::model::{Field, FieldKind, Form, Section};
use super::values::Values;
use crate::refusal::FieldError;

/// The action of the button that adds a row: `add-row:<key of the list>`.
pub const ADD_ROW: &str = "add-row:";
/// The action of the button that takes a row away: `remove-row:<key of the list>:<row from 0>`.
pub const REMOVE_ROW: &str = "remove-row:";

/// The most rows that are looked at, whatever the form allows.
const MAX_ROWS_READ: usize = 200;

type Posted<'a> = &'a [(String, String)];

/// What a field gave.
#[derive(Default)]
struct Outcome {
    value: Option<Value>,
    errors: Vec<FieldError>,
}

impl Form {
    /// Checks what was posted. `filled_slots` names the file slots that hold a file, uploaded now
    /// or before; `today` is the civil date in Asia/Shanghai.
    ///
    /// # Errors
    /// Every field that breaks a rule, in the order of the form, each message naming field and rule.
    pub fn read(
        &self,
        posted: &[(String, String)],
        filled_slots: &[&str],
        today: Date,
    ) -> Result<Values, Vec<FieldError>> {
        let reader = Reader {
            posted,
            filled_slots,
            today,
        };
        let mut outcomes: Vec<(&Field, Outcome)> = self
            .fields()
            .map(|field| (field, reader.field(field, &field.key)))
            .collect();
        for key in self.hidden(&values_of(&outcomes)) {
            outcomes.retain(|(field, _)| field.key != key);
        }
        let values = values_of(&outcomes);
        for (field, outcome) in &mut outcomes {
            self.demand(field, &values, outcome);
        }
        let errors: Vec<FieldError> = outcomes
            .into_iter()
            .flat_map(|(_, outcome)| outcome.errors)
            .collect();
        if errors.is_empty() {
            Ok(values)
        } else {
            Err(errors)
        }
    }

    /// Refuses a value that does not fit the others; values that are refused already take no part.
    fn demand(&self, field: &Field, values: &Values, outcome: &mut Outcome) {
        let Some(demand) = field.demand.as_ref().filter(|_| outcome.value.is_some()) else {
            return;
        };
        let verdict = demand.holds.evaluate(&self.feel_context(values)).value;
        if verdict.as_bool() == Some(false) {
            let broken = Broken::new("condition", demand.message.as_str());
            *outcome = refused(field, &field.key, broken);
        }
    }

    /// The keys of the fields that these values hide, in the order of the form. A field that is
    /// hidden has no value for those after it.
    pub fn hidden(&self, values: &Values) -> Vec<String> {
        let mut left = values.clone();
        let mut hidden = Vec::new();
        for section in &self.sections {
            let whole = self.holds(section.hide.as_ref(), &left);
            for field in &section.fields {
                if whole || self.holds(field.hide.as_ref(), &left) {
                    left.remove(&field.key);
                    hidden.push(field.key.clone());
                }
            }
        }
        hidden
    }

    pub(super) fn holds(&self, condition: Option<&policy::Expression>, values: &Values) -> bool {
        condition.is_some_and(|condition| {
            condition
                .evaluate(&self.feel_context(values))
                .value
                .as_bool()
                == Some(true)
        })
    }

    /// What was typed, unchecked, to be shown again or kept as a draft. Only fields of the form
    /// are taken.
    pub fn typed(&self, posted: &[(String, String)]) -> Values {
        let mut values = Values::new();
        for field in self.fields() {
            if let Some(value) = typed(field, &field.key, posted) {
                values.set(&field.key, value);
            }
        }
        values
    }

    /// Carries out a button of the form itself (add or remove a row) on what was typed; false
    /// where the action is none of these.
    pub fn act(&self, action: &str, typed: &mut Values) -> bool {
        if let Some(key) = action.strip_prefix(ADD_ROW) {
            return self.change_rows(key, typed, |rows, max| {
                if rows.len() < max {
                    rows.push(Value::Object(serde_json::Map::new()));
                }
            });
        }
        let Some((key, row)) = action
            .strip_prefix(REMOVE_ROW)
            .and_then(|rest| rest.split_once(':'))
        else {
            return false;
        };
        let row: usize = row.parse().unwrap_or(usize::MAX);
        self.change_rows(key, typed, |rows, _| {
            if row < rows.len() {
                rows.remove(row);
            }
        })
    }

    fn change_rows(
        &self,
        key: &str,
        typed: &mut Values,
        change: impl FnOnce(&mut Vec<Value>, usize),
    ) -> bool {
        let Some(FieldKind::List { max_rows, rows, .. }) = self.field(key).map(|field| &field.kind)
        else {
            return false;
        };
        let mut list: Vec<Value> = typed.rows(key).iter().map(Values::to_json).collect();
        list.resize(list.len().max(*rows), Value::Object(serde_json::Map::new()));
        change(&mut list, *max_rows);
        typed.set(key, list);
        true
    }

    /// Puts what the city knows already into the fields that ask for it (`luodi.prefill`): a
    /// readonly field always has the known value, others where nothing was posted.
    pub fn prefill(
        &self,
        posted: &mut Vec<(String, String)>,
        known: impl Fn(&str) -> Option<String>,
    ) {
        for field in self.fields() {
            let Some(value) = field.prefill.as_deref().and_then(&known) else {
                continue;
            };
            if field.readonly {
                posted.retain(|(key, _)| *key != field.key);
            }
            if !posted.iter().any(|(key, _)| *key == field.key) {
                posted.push((field.key.clone(), value));
            }
        }
    }

    /// The section a field stands in.
    pub fn section_of(&self, key: &str) -> Option<&Section> {
        self.sections
            .iter()
            .find(|section| section.fields.iter().any(|field| field.key == key))
    }
}

fn values_of(outcomes: &[(&Field, Outcome)]) -> Values {
    let kept = outcomes.iter().filter_map(|(field, outcome)| {
        outcome
            .value
            .clone()
            .map(|value| (field.key.clone(), value))
    });
    kept.collect()
}

struct Reader<'a> {
    posted: Posted<'a>,
    filled_slots: &'a [&'a str],
    today: Date,
}

impl Reader<'_> {
    fn field(&self, field: &Field, name: &str) -> Outcome {
        match &field.kind {
            FieldKind::Paragraph { .. } => Outcome::default(),
            FieldKind::File { .. } => self.file(field, name),
            FieldKind::List {
                fields, max_rows, ..
            } => self.list(field, name, fields, *max_rows),
            FieldKind::Checkbox => self.checkbox(field, name),
            FieldKind::Checklist { options } => self.checklist(field, name, options),
            _ => self.single(field, name),
        }
    }

    fn single(&self, field: &Field, name: &str) -> Outcome {
        let typed = first(self.posted, name).trim();
        if typed.is_empty() {
            return missing(field, name);
        }
        let read = match &field.kind {
            FieldKind::Text { long, check } => check::text(typed, *long, check, self.today),
            FieldKind::Number { decimals, min, max } => {
                check::number(typed, *decimals, (*min, *max), &field.unit)
            }
            FieldKind::Date { rule, earliest } => check::date(typed, *rule, *earliest, self.today),
            FieldKind::Choice { options, rule, .. } => {
                check::choice(typed, options, *rule, self.today)
            }
            _ => return Outcome::default(),
        };
        match read {
            Ok(text) => Outcome {
                value: Some(Value::String(text)),
                errors: Vec::new(),
            },
            Err(broken) => refused(field, name, broken),
        }
    }

    fn checkbox(&self, field: &Field, name: &str) -> Outcome {
        let ticked = first(self.posted, name) == "true";
        if field.required && !ticked {
            return missing(field, name);
        }
        Outcome {
            value: Some(Value::Bool(ticked)),
            errors: Vec::new(),
        }
    }

    fn checklist(&self, field: &Field, name: &str, options: &[super::Choice]) -> Outcome {
        let chosen: Vec<&str> = all(self.posted, name)
            .filter(|code| !code.is_empty())
            .collect();
        if chosen.is_empty() {
            return missing(field, name);
        }
        if chosen
            .iter()
            .any(|code| !options.iter().any(|option| option.value == *code))
        {
            let broken = Broken::new("option", "选项不在列表中，请重新选择");
            return refused(field, name, broken);
        }
        // In the order of the form, each once.
        let kept = options
            .iter()
            .filter(|option| chosen.contains(&option.value.as_str()));
        let codes = kept
            .map(|option| Value::String(option.value.clone()))
            .collect();
        Outcome {
            value: Some(Value::Array(codes)),
            errors: Vec::new(),
        }
    }

    fn file(&self, field: &Field, name: &str) -> Outcome {
        if field.required && !self.filled_slots.contains(&name) {
            return missing(field, name);
        }
        Outcome::default()
    }

    fn list(&self, field: &Field, name: &str, fields: &[Field], max_rows: usize) -> Outcome {
        let mut rows = Vec::new();
        let mut errors = Vec::new();
        for index in row_numbers(self.posted, name) {
            let (row, mut broken) = self.row(&format!("{name}.{index}"), fields);
            if row.is_empty() && !self.row_has_text(&format!("{name}.{index}."), fields) {
                continue;
            }
            rows.push(row.to_json());
            errors.append(&mut broken);
        }
        if rows.len() > max_rows {
            let what = format!("最多 {max_rows} 行，现在有 {} 行，请删减", rows.len());
            return refused(field, name, Broken::new("max-rows", what));
        }
        if rows.is_empty() {
            return missing(field, name);
        }
        Outcome {
            value: Some(Value::Array(rows)),
            errors,
        }
    }

    fn row(&self, name: &str, fields: &[Field]) -> (Values, Vec<FieldError>) {
        let mut row = Values::new();
        let mut errors = Vec::new();
        for field in fields {
            let mut outcome = self.field(field, &format!("{name}.{}", field.key));
            errors.append(&mut outcome.errors);
            match outcome.value {
                // An unticked box alone makes no row.
                Some(Value::Bool(false)) | None => {}
                Some(value) => row.set(&field.key, value),
            }
        }
        (row, errors)
    }

    fn row_has_text(&self, prefix: &str, fields: &[Field]) -> bool {
        let named = |key: &str| fields.iter().any(|field| field.key == key);
        self.posted.iter().any(|(key, value)| {
            key.strip_prefix(prefix).is_some_and(named) && !value.trim().is_empty()
        })
    }
}

/// The numbers of the rows posted for a list, ascending.
fn row_numbers(posted: Posted<'_>, name: &str) -> Vec<usize> {
    let mut numbers: Vec<usize> = posted
        .iter()
        .filter_map(|(key, _)| {
            key.strip_prefix(name)?
                .strip_prefix('.')?
                .split_once('.')?
                .0
                .parse()
                .ok()
        })
        .collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers.truncate(MAX_ROWS_READ);
    numbers
}

fn typed(field: &Field, name: &str, posted: Posted<'_>) -> Option<Value> {
    match &field.kind {
        FieldKind::Paragraph { .. } | FieldKind::File { .. } => None,
        FieldKind::Checkbox => Some(Value::Bool(first(posted, name) == "true")),
        FieldKind::Checklist { .. } => {
            Some(Value::Array(all(posted, name).map(Value::from).collect()))
        }
        FieldKind::List { fields, .. } => {
            let rows = row_numbers(posted, name).into_iter().map(|index| {
                let cells = fields.iter().filter_map(|field| {
                    let value = typed(field, &format!("{name}.{index}.{}", field.key), posted)?;
                    Some((field.key.clone(), value))
                });
                cells.collect::<Values>().to_json()
            });
            Some(Value::Array(rows.collect()))
        }
        _ => {
            let text = first(posted, name);
            (!text.is_empty()).then(|| Value::String(text.to_owned()))
        }
    }
}

fn all<'a>(posted: Posted<'a>, name: &'a str) -> impl Iterator<Item = &'a str> {
    posted
        .iter()
        .filter(move |(key, _)| key == name)
        .map(|(_, value)| value.as_str())
}

fn first<'a>(posted: Posted<'a>, name: &'a str) -> &'a str {
    all(posted, name).next().unwrap_or_default()
}

/// Nothing was given: refused where something must be.
fn missing(field: &Field, name: &str) -> Outcome {
    if !field.required {
        return Outcome::default();
    }
    let what = match field.kind {
        FieldKind::Choice { .. } | FieldKind::Checklist { .. } => "请选择",
        FieldKind::File { .. } => "请上传文件",
        FieldKind::Checkbox => "请确认后打勾",
        FieldKind::List { .. } => "请至少填写一行",
        _ => "请填写",
    };
    refused(
        field,
        name,
        Broken::new("required", format!("必填，{what}")),
    )
}

fn refused(field: &Field, name: &str, broken: Broken) -> Outcome {
    let message = format!("「{}」：{}。", field.label, broken.what);
    let error = FieldError {
        field: name.to_owned(),
        rule: broken.rule,
        message,
    };
    Outcome {
        value: None,
        errors: vec![error],
    }
}
