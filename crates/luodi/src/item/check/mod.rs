//! Checks a package as a whole and makes it ready: every inconsistency between its files is found
//! before publication, so that no running case meets one.

mod links;
mod outcomes;
mod policies;
mod tasks;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::files::{Files, is_plain_name};
use super::finding::{Findings, Severity};
use super::package::{self, Check, Package, scope};
use super::policy::PolicyPackage;
use super::spec::{self, Item};
use crate::form::{self, Form};

const ITEM: &str = "item.toml";
const FORM: &str = "form.json";
const PROCESS: &str = "process.bpmn";

/// A package that was read and checked, with what is stored of it.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The package.
    pub package: Arc<Package>,
    /// The item's files as stored.
    pub(super) body: String,
    /// The policy's files as stored.
    pub(super) policy_body: Option<String>,
}

/// Checks a package; a policy it names stands under `policy/`.
pub fn check(files: &Files) -> Findings {
    prepare(files).1
}

/// Reads and checks a package. It is there where no finding is an error.
pub fn prepare(files: &Files) -> (Option<Prepared>, Findings) {
    let mut findings = Findings::default();
    let (own, policy_files) = files.split();
    check_names(files, &mut findings);
    let policy = policy_files
        .as_ref()
        .and_then(|files| policies::read(files, &mut findings));
    let package = read(&own, policy, policy_files.is_some(), &mut findings);
    let prepared = package.filter(|_| findings.ok()).map(|package| Prepared {
        package: Arc::new(package),
        body: own.to_body(),
        policy_body: policy_files.as_ref().map(Files::to_body),
    });
    (prepared, findings)
}

/// Reads a stored package: it was checked when it was published.
pub(super) fn reopen(own: &Files, policy_files: Option<&Files>) -> Option<Package> {
    let mut findings = Findings::default();
    let policy = policy_files.and_then(|files| policies::read(files, &mut findings));
    read(own, policy, policy_files.is_some(), &mut findings)
}

fn check_names(files: &Files, findings: &mut Findings) {
    if files.too_large() {
        findings.error(
            "",
            "",
            "package-too-large",
            "文件超过 64 个或合计超过 4 MB，请精简。",
        );
    }
    for (name, _) in files.iter() {
        let inner = name.strip_prefix("policy/").unwrap_or(name);
        let known = matches!(name, ITEM | FORM | PROCESS)
            || (name.starts_with("forms/") && name.ends_with(".json"))
            || name.starts_with("documents/")
            || (inner != name && (inner.ends_with(".toml") || inner.ends_with(".dmn")));
        if !known || !is_plain_name(name) {
            let message = "不是事项包的文件，请删除。可用：item.toml、form.json、process.bpmn、forms/*.json、documents/*、policy/*。";
            findings.error(name, "", "package-unknown-file", message);
        }
    }
}

fn read(
    files: &Files,
    policy: Option<PolicyPackage>,
    has_policy: bool,
    findings: &mut Findings,
) -> Option<Package> {
    let item = read_item(files, findings);
    let form = read_form(files, FORM, findings);
    let forms = read_forms(files, findings);
    let process = read_process(files, findings);
    let (item, form, process) = (item?, form?, process?);
    let checks = links::checks(&item, &form, &forms, findings);
    links::item(&item, &form, has_policy, findings);
    tasks::check(&item, &process, &forms, findings);
    let scope = scope(std::iter::once(&form).chain(forms.values()));
    let conditions = outcomes::check(&item, &process, &scope, findings);
    if let Some(policy) = &policy {
        policies::check_inputs(policy, &item, &form, &forms, findings);
    }
    let forms_of_item = std::iter::once(&form).chain(forms.values());
    let asked = package::asked(forms_of_item, &conditions, policy.as_ref());
    let hash = files.hash(policy.as_ref().map(|policy| policy.hash.as_str()));
    let documents = documents(files);
    Some(Package {
        hash,
        item,
        form,
        forms,
        process,
        policy,
        asked,
        conditions,
        checks,
        documents,
    })
}

fn read_item(files: &Files, findings: &mut Findings) -> Option<Item> {
    let Some(text) = files.text(ITEM) else {
        findings.error(
            ITEM,
            "",
            "file-missing",
            "缺少 item.toml，或不是 UTF-8 文本。",
        );
        return None;
    };
    match spec::parse(text) {
        Ok(item) => Some(item),
        Err(error) => {
            toml_error(ITEM, text, &error, findings);
            None
        }
    }
}

/// An error of the TOML parser with its line.
fn toml_error(file: &str, text: &str, error: &toml::de::Error, findings: &mut Findings) {
    let start = error.span().map_or(0, |span| span.start);
    let before = text.get(..start).unwrap_or_default();
    let line = u32::try_from(before.matches('\n').count() + 1).unwrap_or(0);
    let message = format!("内容无法识别：{}。请核对字段名和类型。", error.message());
    findings.add(Severity::Error, file, "", line, "toml", message);
}

fn read_form(files: &Files, name: &str, findings: &mut Findings) -> Option<Form> {
    let Some(text) = files.text(name) else {
        findings.error(
            name,
            "",
            "file-missing",
            format!("缺少 {name}，或不是 UTF-8 文本。"),
        );
        return None;
    };
    let parsed = form::parse(text);
    for finding in parsed.findings {
        let element = if finding.field.is_empty() {
            &finding.path
        } else {
            &finding.field
        };
        let message = if finding.path.is_empty() || finding.path == *element {
            finding.message.clone()
        } else {
            format!("{}：{}", finding.path, finding.message)
        };
        findings.add(finding.severity, name, element, 0, finding.code, message);
    }
    parsed.form
}

fn read_forms(files: &Files, findings: &mut Findings) -> BTreeMap<String, Form> {
    let mut forms = BTreeMap::new();
    for (file, _) in files.iter() {
        let name = file
            .strip_prefix("forms/")
            .and_then(|name| name.strip_suffix(".json"));
        if let Some(name) = name
            && let Some(form) = read_form(files, file, findings)
        {
            forms.insert(name.to_owned(), form);
        }
    }
    forms
}

fn read_process(files: &Files, findings: &mut Findings) -> Option<process::Definition> {
    let Some(text) = files.text(PROCESS) else {
        findings.error(
            PROCESS,
            "",
            "file-missing",
            "缺少 process.bpmn，或不是 UTF-8 文本。",
        );
        return None;
    };
    let parsed = process::parse(text);
    for found in parsed.findings {
        let severity = match found.severity {
            process::Severity::Error => Severity::Error,
            process::Severity::Warning => Severity::Warning,
        };
        let element = found.element.unwrap_or_default();
        findings.add(
            severity,
            PROCESS,
            &element,
            found.line,
            found.code,
            found.message_zh,
        );
    }
    parsed.definition
}

fn documents(files: &Files) -> BTreeMap<String, String> {
    let named = files.iter().filter_map(|(name, _)| {
        let short = name.strip_prefix("documents/")?;
        Some((short.to_owned(), files.text(name)?.to_owned()))
    });
    named.collect()
}

/// The sentence expressions of the checks, read with the names they may use.
fn read_check(
    spec: &spec::CheckSpec,
    scope: policy::feel::Scope,
    findings: &mut Findings,
) -> Option<Check> {
    let scope = match &spec.statistic {
        Some(statistic) => scope.with(&statistic.name),
        None => scope,
    };
    match policy::parse_expression(spec.sentence.trim(), &scope) {
        Ok(sentence) => Some(Check {
            spec: spec.clone(),
            sentence,
        }),
        Err(errors) => {
            for error in errors {
                let message = format!(
                    "校验“{}”的 sentence 无法识别：{}",
                    spec.name, error.message_zh
                );
                findings.error(ITEM, &spec.name, "check-expression", message);
            }
            None
        }
    }
}
