//! A package: item, forms, process and policy at one version, and what it says about the values
//! of a case. Immutable; a case names its version by the hash.

use std::collections::{BTreeMap, BTreeSet};

use policy::feel::{Context, Scope, Value};
use policy::{Expression, Finding};

use super::policy::PolicyPackage;
use super::spec::{CheckSpec, Item, Statistic, TaskSpec};
use crate::access::Role;
use crate::form::{Field, FieldKind, Form, How, Row, Values};

/// A package at one version.
#[derive(Clone, Debug)]
pub struct Package {
    /// The hash that names the version.
    pub hash: String,
    /// What `item.toml` says.
    pub item: Item,
    /// The form of the application.
    pub form: Form,
    /// The forms of tasks by name.
    pub forms: BTreeMap<String, Form>,
    /// The procedure.
    pub process: process::Definition,
    /// The policy that decides the amount.
    pub policy: Option<PolicyPackage>,
    /// Keys and labels of fields that conditions or the policy ask for.
    pub(super) asked: BTreeSet<String>,
    /// The conditions on its flows, read once.
    pub(super) conditions: BTreeMap<String, Condition>,
    /// What is pointed out, with the sentence's expression.
    pub(super) checks: Vec<Check>,
    /// Texts for applicants from `documents/`, by file name.
    pub documents: BTreeMap<String, String>,
}

/// A condition on a flow, read once.
#[derive(Clone, Debug)]
pub struct Condition {
    expression: Expression,
    /// It asks for nothing but the outcome just given, so that no form need be opened for it.
    pub of_outcome: bool,
}

impl Condition {
    /// Reads a condition over the names of a package.
    pub(super) fn read(text: &str, scope: &Scope) -> Result<Self, Vec<Finding>> {
        Ok(Self {
            expression: policy::parse_expression(text, scope)?,
            of_outcome: policy::parse_expression(text, &case_names(Scope::new())).is_ok(),
        })
    }

    /// What it gives for a case.
    pub fn evaluate(&self, context: &Context) -> Value {
        self.expression.evaluate(context).value
    }
}

/// A check with its expression read.
#[derive(Clone, Debug)]
pub(super) struct Check {
    pub(super) spec: CheckSpec,
    pub(super) sentence: Expression,
}

/// Something a check points out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// The check's name.
    pub check: String,
    /// What was looked at.
    pub title: String,
    /// The sentence to show.
    pub sentence: String,
}

/// The names an expression may use besides the fields of forms.
pub(super) const CASE_NAMES: &[&str] = &["outcome"];

impl Package {
    /// Whether a condition or the policy asks for a field.
    pub fn asks_for(&self, field: &Field) -> bool {
        self.asked.contains(&field.key) || self.asked.contains(&field.label)
    }

    /// A condition on a flow of the procedure, by its text.
    pub fn condition(&self, text: &str) -> Option<&Condition> {
        self.conditions.get(text)
    }

    /// The title of a case with these values.
    pub fn title(&self, values: &Values) -> String {
        self.form.fill(&self.item.title, values)
    }

    /// The period of the batch the case belongs to, such as 2026Q3; empty where the item has none.
    pub fn period(&self, values: &Values) -> String {
        self.item
            .period
            .as_deref()
            .map_or_else(String::new, |key| values.text(key).to_owned())
    }

    /// What only one live case may hold: `meter_no=…|quarter=2026Q3`. None where the item claims
    /// nothing or a value is missing.
    pub fn claim_key(&self, values: &Values) -> Option<String> {
        let parts: Vec<String> = self
            .item
            .unique
            .iter()
            .filter(|key| !values.text(key).is_empty())
            .map(|key| format!("{key}={}", values.text(key)))
            .collect();
        (!parts.is_empty() && parts.len() == self.item.unique.len()).then(|| parts.join("|"))
    }

    /// The values kept for comparison and lists: name, text, and the number of figures.
    pub fn indexed(&self, values: &Values) -> Vec<(&str, Option<String>, Option<f64>)> {
        let kept = self.item.index.iter().map(|key| {
            let text = values.text(key);
            let is_number = self
                .form
                .field(key)
                .is_some_and(|f| matches!(f.kind, FieldKind::Number { .. }));
            let number = if is_number {
                text.parse::<f64>().ok()
            } else {
                None
            };
            (
                key.as_str(),
                (!text.is_empty()).then(|| text.to_owned()),
                number,
            )
        });
        kept.collect()
    }

    /// The file slots that must hold a file: key and name shown. Hidden ones need none.
    pub fn required_slots(&self, values: &Values) -> Vec<(String, String)> {
        let hidden = self.form.hidden(values);
        let slots = self
            .form
            .slots()
            .filter(|slot| slot.required && !hidden.contains(&slot.key));
        slots
            .map(|slot| (slot.key.clone(), slot.label.clone()))
            .collect()
    }

    /// What a public notice shows of a case; personal fields are never among it.
    pub fn notice_summary(&self, values: &Values) -> Vec<Row> {
        let rows = self.item.notice_summary.iter();
        rows.filter_map(|key| self.form.row(key, values, How::Masked))
            .collect()
    }

    /// The stages of the path in the order a case goes through them, each once. Tasks of the
    /// applicant, such as corrections, stand beside the path: not every case meets them.
    pub fn stages(&self) -> Vec<String> {
        let mut stages: Vec<String> = Vec::new();
        for node in self.process.flow_order() {
            if let Some(task) = self.item.tasks.get(&node.id)
                && task.role != Role::Applicant.code()
                && !stages.contains(&task.stage)
            {
                stages.push(task.stage.clone());
            }
        }
        stages
    }

    /// Whether a slot of the form holds one file.
    pub fn is_single(&self, slot: &str) -> bool {
        let kind = self.form.field(slot).map(|field| &field.kind);
        matches!(
            kind,
            Some(FieldKind::File {
                multiple: false,
                ..
            })
        )
    }

    /// The name of the material that stands in a slot; empty where the item does not name it.
    pub fn material(&self, slot: &str) -> &str {
        let materials = &self.item.materials;
        let named = materials.iter().find(|m| m.slot.as_deref() == Some(slot));
        named.map_or("", |material| &material.name)
    }

    /// The field of any of its forms that has this key or label.
    pub fn field_named(&self, name: &str) -> Option<&Field> {
        let forms = std::iter::once(&self.form).chain(self.forms.values());
        let mut fields = forms.flat_map(Form::fields);
        fields.find(|field| field.key == name || field.label == name)
    }

    /// What a task means, by its id in the process.
    pub fn task(&self, node: &str) -> Option<&TaskSpec> {
        self.item.tasks.get(node)
    }

    /// The form of a task, where it has one.
    pub fn task_form(&self, node: &str) -> Option<&Form> {
        self.forms.get(self.task(node)?.form.as_deref()?)
    }

    /// The figures over other cases that the checks ask for.
    pub fn statistics(&self) -> impl Iterator<Item = &Statistic> {
        self.checks
            .iter()
            .filter_map(|check| check.spec.statistic.as_ref())
    }

    /// What the checks point out for a case. `context` has the values of the case and the
    /// statistics by their names; what is missing is null.
    pub fn remarks(&self, context: &Context) -> Vec<Remark> {
        let mut full = context.clone();
        for name in self.names() {
            if full.get(&name).is_none() {
                full.insert(name, Value::Null);
            }
        }
        let evaluate = |check: &Check| {
            let sentence = check.sentence.evaluate(&full).value;
            sentence.as_text().map(|sentence| Remark {
                check: check.spec.name.clone(),
                title: check.spec.title.clone(),
                sentence: sentence.to_owned(),
            })
        };
        self.checks.iter().filter_map(evaluate).collect()
    }

    /// Every name an expression of the package may use.
    fn names(&self) -> Vec<String> {
        let forms = std::iter::once(&self.form).chain(self.forms.values());
        let fields = forms
            .flat_map(Form::fields)
            .filter(|field| !field.is_file());
        let mut names: Vec<String> = fields
            .flat_map(|field| [field.key.clone(), field.label.clone()])
            .collect();
        names.extend(self.statistics().map(|statistic| statistic.name.clone()));
        names.extend(CASE_NAMES.iter().map(|name| (*name).to_owned()));
        names.retain(|name| !name.is_empty());
        names
    }
}

/// The keys and labels that the policy's inputs are called, or that occur in the text of a condition.
pub(super) fn asked<'a>(
    forms: impl Iterator<Item = &'a Form>,
    conditions: &BTreeMap<String, Condition>,
    policy: Option<&PolicyPackage>,
) -> BTreeSet<String> {
    let inputs = policy.map_or_else(Vec::new, |policy| policy.model.input_data());
    let asked = |name: &String| {
        !name.is_empty()
            && (inputs.iter().any(|input| *input.name == **name)
                || conditions.keys().any(|text| text.contains(name.as_str())))
    };
    let names = forms.flat_map(Form::fields);
    let names = names.flat_map(|field| [field.key.clone(), field.label.clone()]);
    names.filter(asked).collect()
}

/// The scope of conditions and checks: fields of all forms, and what every case has.
pub(super) fn scope<'a>(forms: impl Iterator<Item = &'a Form>) -> Scope {
    let scope = forms.fold(Scope::new(), |scope, form| form.names(scope));
    case_names(scope)
}

fn case_names(scope: Scope) -> Scope {
    CASE_NAMES
        .iter()
        .fold(scope, |scope, name| scope.with(name))
}
