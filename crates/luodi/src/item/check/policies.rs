//! A policy on its own and beside its item: the model is sound, its worked examples come out, and
//! every input it asks for is a field of some form.

use std::collections::BTreeMap;

use policy::Rounding;
use policy::feel::{Number, Value};

use super::toml_error;
use crate::form::{Form, Severity};
use crate::item::files::Files;
use crate::item::finding::Findings;
use crate::item::policy::{Example, PolicyPackage, PolicySettings, feel, inputs, parse_settings};
use crate::item::spec::Item;

const SETTINGS: &str = "policy/policy.toml";

/// Reads a policy and works its examples.
pub(super) fn read(files: &Files, findings: &mut Findings) -> Option<PolicyPackage> {
    let settings = match parse_settings(files) {
        Ok(settings) => settings,
        Err(None) => {
            findings.error(
                SETTINGS,
                "",
                "file-missing",
                "缺少 policy.toml，或不是 UTF-8 文本。",
            );
            return None;
        }
        Err(Some(error)) => {
            toml_error(
                SETTINGS,
                files.text("policy.toml").unwrap_or_default(),
                &error,
                findings,
            );
            return None;
        }
    };
    let model = read_model(files, &settings, findings)?;
    let rounding = read_rounding(&settings, findings);
    let policy = PolicyPackage {
        hash: files.hash(None),
        settings,
        model,
        rounding,
    };
    check_decisions(&policy, findings);
    for example in &policy.settings.examples {
        check_example(&policy, example, findings);
    }
    check_rates(&policy, findings);
    Some(policy)
}

fn read_model(
    files: &Files,
    settings: &PolicySettings,
    findings: &mut Findings,
) -> Option<policy::Model> {
    let file = format!("policy/{}", settings.model);
    let Some(text) = files.text(&settings.model) else {
        let message = format!("缺少 {}，或不是 UTF-8 文本。", settings.model);
        findings.error(&file, "", "file-missing", message);
        return None;
    };
    let parsed = policy::parse_model(text);
    for found in parsed.findings {
        let severity = match found.severity {
            policy::Severity::Error => Severity::Error,
            policy::Severity::Warning => Severity::Warning,
        };
        let code = serde_json::to_value(found.code).ok();
        let code = code
            .as_ref()
            .and_then(serde_json::Value::as_str)
            .unwrap_or("dmn")
            .to_owned();
        findings.add(
            severity,
            &file,
            &found.element,
            found.line,
            &format!("dmn-{code}"),
            found.message_zh,
        );
    }
    parsed.model
}

fn read_rounding(settings: &PolicySettings, findings: &mut Findings) -> Option<Rounding> {
    match settings.rounding.as_deref().map(Rounding::parse)? {
        Ok(rounding) => Some(rounding),
        Err(error) => {
            findings.error(SETTINGS, "rounding", "policy-rounding", error.zh());
            None
        }
    }
}

fn check_decisions(policy: &PolicyPackage, findings: &mut Findings) {
    let known = policy.model.decisions();
    let rates = policy.settings.rates.as_ref().map(|rates| &rates.decision);
    for name in std::iter::once(&policy.settings.decision).chain(rates) {
        if !known.contains(name) {
            let message = format!("模型中没有决策“{name}”。");
            findings.error(SETTINGS, name, "policy-decision", message);
        }
    }
    if policy.settings.unit != "元" {
        findings.error(SETTINGS, "unit", "policy-unit", "金额的单位只能是“元”。");
    }
    if policy.settings.examples.is_empty() {
        findings.error(
            SETTINGS,
            "examples",
            "policy-examples",
            "至少写一个算例（[[examples]]），发布前逐个核对。",
        );
    }
}

fn check_example(policy: &PolicyPackage, example: &Example, findings: &mut Findings) {
    let context = inputs(&example.inputs);
    for (decision, expected) in &example.expect {
        let found = policy.model.evaluate(decision, &context).value;
        let found = rounded(policy, decision, found);
        let wanted = expected_value(expected, &found);
        if found != wanted {
            let message = format!(
                "算例“{}”：“{decision}”应为 {wanted}，模型得出 {found}。",
                example.title
            );
            findings.error(SETTINGS, &example.title, "policy-example", message);
        }
    }
    let asked = policy.model.input_data();
    for name in example
        .inputs
        .keys()
        .filter(|name| !asked.iter().any(|input| input.name == **name))
    {
        let message = format!("算例“{}”的输入“{name}”不是模型的输入项。", example.title);
        findings.error(SETTINGS, &example.title, "policy-example", message);
    }
}

/// The amount is compared after rounding, as it would be paid.
fn rounded(policy: &PolicyPackage, decision: &str, found: Value) -> Value {
    match (found.as_number(), policy.rounding) {
        (Some(number), Some(rounding)) if decision == policy.settings.decision => {
            Value::from(rounding.apply(number))
        }
        _ => found,
    }
}

/// An expected text stands for a number only where a number was found: 2013 may be a name.
fn expected_value(expected: &toml::Value, found: &Value) -> Value {
    match expected {
        toml::Value::String(text) if found.as_number().is_none() => Value::from(text.as_str()),
        toml::Value::String(text) => Number::parse(text).into(),
        other => feel(other),
    }
}

fn check_rates(policy: &PolicyPackage, findings: &mut Findings) {
    for rate in policy.rates() {
        if Number::parse(&rate.value).is_none() {
            let message = format!(
                "标准“{}”按所给输入得不出数值（{}）。",
                rate.label, rate.value
            );
            findings.error(SETTINGS, &rate.label, "policy-rate", message);
        }
    }
}

/// Every input of the model is a field of some form, under its label or key.
pub(super) fn check_inputs(
    policy: &PolicyPackage,
    item: &Item,
    form: &Form,
    forms: &BTreeMap<String, Form>,
    findings: &mut Findings,
) {
    if item
        .policy
        .as_deref()
        .is_some_and(|name| name != policy.settings.name)
    {
        let message = format!(
            "policy.toml 的 name 是“{}”，与 item.toml 的 policy 不同。",
            policy.settings.name
        );
        findings.error(SETTINGS, "name", "policy-name", message);
    }
    for input in policy.model.input_data() {
        let given =
            form.has_name(&input.name) || forms.values().any(|form| form.has_name(&input.name));
        if !given {
            let message = format!(
                "政策需要“{}”，但没有任何表单字段以此为标签或 key。",
                input.name
            );
            findings.error(SETTINGS, &input.name, "policy-input", message);
        }
        let mut all = std::iter::once(form).chain(forms.values());
        if all.any(|form| is_personal(form, &input.name)) {
            let message = format!(
                "政策的“{}”是个人信息（luodi.class），测算依据会原样留存，不能作为政策的输入。",
                input.name
            );
            findings.error(SETTINGS, &input.name, "policy-input-personal", message);
        }
    }
}

/// Whether a field of this name is sealed: what a policy reads stands with its explanation.
fn is_personal(form: &Form, name: &str) -> bool {
    let mut fields = form.fields();
    fields.any(|field| field.class.is_some() && (field.key == name || field.label == name))
}
