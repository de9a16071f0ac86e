//! What `item.toml` names must be there: fields of the form, the policy, statistics over indexed
//! fields; and what is made public or compared must not be personal.

use std::collections::{BTreeMap, BTreeSet};

use super::{FORM, ITEM, read_check};
use crate::form::{FieldKind, Form};
use crate::item::finding::Findings;
use crate::item::package::{Check, scope};
use crate::item::spec::{CheckSpec, Item, Statistic};

/// Checks what the item says of itself and of the form.
pub(super) fn item(item: &Item, form: &Form, has_policy: bool, findings: &mut Findings) {
    plain(item, findings);
    for (list, keys) in [
        ("unique", &item.unique),
        ("index", &item.index),
        ("notice_summary", &item.notice_summary),
    ] {
        for key in keys {
            named_field(form, list, key, findings);
        }
    }
    if let Some(key) = &item.period {
        named_field(form, "period", key, findings);
    }
    title(item, form, findings);
    materials(item, form, findings);
    match (&item.policy, has_policy) {
        (Some(name), false) => {
            let message = format!("找不到政策“{name}”，请把它放在 policy/ 或 policies/{name}。");
            findings.error(ITEM, "luodi.policy", "policy-missing", message);
        }
        (None, true) => {
            findings.error(
                ITEM,
                "luodi.policy",
                "policy-unnamed",
                "包内有 policy/，但 [luodi] 没有写 policy。",
            );
        }
        _ => {}
    }
}

fn plain(item: &Item, findings: &mut Findings) {
    let code_ok = !item.code.is_empty()
        && item.code.len() <= 64
        && item.code.starts_with(|c: char| c.is_ascii_lowercase())
        && item
            .code
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if !code_ok {
        let message = format!(
            "code“{}”应以小写字母开头，只用小写字母、数字和短横线。",
            item.code
        );
        findings.error(ITEM, "luodi.code", "item-code", message);
    }
    let filled = [
        ("名称", &item.name),
        ("事项编码", &item.national_code),
        ("实施编码", &item.implementation_code),
        ("类型", &item.kind),
        ("实施主体", &item.authority),
        ("咨询电话", &item.phone),
        ("监督电话", &item.complaint_phone),
    ];
    for (key, text) in filled {
        if text.trim().is_empty() {
            findings.error(ITEM, key, "item-empty", format!("“{key}”没有填写。"));
        }
    }
    if item.bases.is_empty() {
        findings.error(ITEM, "设定依据", "item-empty", "“设定依据”至少写一条。");
    }
    if item.promised_working_days == 0 || item.promised_working_days > item.statutory_working_days {
        let message = format!(
            "承诺时限 {} 个工作日应大于 0，且不长于法定时限 {} 个工作日。",
            item.promised_working_days, item.statutory_working_days
        );
        findings.error(ITEM, "承诺时限", "item-limits", message);
    }
}

/// A named field must be there, hold a plain value, and not be personal: the values go into lists,
/// keys and public notices.
fn named_field(form: &Form, list: &str, key: &str, findings: &mut Findings) {
    let element = format!("luodi.{list}");
    let Some(field) = form.field(key) else {
        let message = format!("{list} 中的“{key}”不是 form.json 的字段。");
        findings.error(ITEM, &element, "field-unknown", message);
        return;
    };
    if let Some(class) = field.class {
        let message = format!(
            "{list} 中的“{key}”是个人信息（{}），不能用于比对、列表或公示。",
            class.code()
        );
        findings.error(ITEM, &element, "field-personal", message);
    }
    let plain = matches!(
        field.kind,
        FieldKind::Text { .. }
            | FieldKind::Number { .. }
            | FieldKind::Date { .. }
            | FieldKind::Choice { .. }
    );
    if !plain {
        let message = format!("{list} 中的“{key}”应是文字、数字、日期或单选字段。");
        findings.error(ITEM, &element, "field-kind", message);
    }
    if list == "unique" && !field.required {
        let message = format!("unique 中的“{key}”必须是必填字段，否则会漏过重复。");
        findings.error(ITEM, &element, "field-optional", message);
    }
}

fn title(item: &Item, form: &Form, findings: &mut Findings) {
    for part in item.title.split('{').skip(1) {
        let key = part.split('}').next().unwrap_or_default();
        if form.field(key).is_none() {
            let message = format!("title 中的“{{{key}}}”不是 form.json 的字段。");
            findings.error(ITEM, "luodi.title", "field-unknown", message);
        }
    }
    if item.title.trim().is_empty() {
        findings.error(ITEM, "luodi.title", "item-empty", "title 没有填写。");
    }
}

/// Every file field is a material of the guide, and both say the same of it.
fn materials(item: &Item, form: &Form, findings: &mut Findings) {
    for slot in form.slots() {
        let material = item
            .materials
            .iter()
            .find(|m| m.slot.as_deref() == Some(&slot.key));
        let Some(material) = material else {
            let message = format!(
                "文件字段“{}”没有对应的材料，请在 item.toml 的材料中写 slot。",
                slot.label
            );
            findings.error(FORM, &slot.key, "material-missing", message);
            continue;
        };
        let FieldKind::File { types, .. } = &slot.kind else {
            continue;
        };
        let same_types = types.iter().collect::<BTreeSet<_>>() == material.types.iter().collect();
        if material.required != slot.required || !same_types {
            let message = format!(
                "材料“{}”的 required、types 与 form.json 的 validate、accept 不一致。",
                material.name
            );
            findings.error(ITEM, &slot.key, "material-differs", message);
        }
    }
    let named = item
        .materials
        .iter()
        .filter_map(|material| material.slot.as_deref());
    for slot in named.filter(|slot| !form.slots().any(|field| field.key == *slot)) {
        let message = format!("材料的 slot“{slot}”不是 form.json 的文件字段。");
        findings.error(ITEM, slot, "material-slot", message);
    }
}

/// The checks with their expressions, and what is wrong with them.
pub(super) fn checks(
    item: &Item,
    form: &Form,
    forms: &BTreeMap<String, Form>,
    findings: &mut Findings,
) -> Vec<Check> {
    let mut names = BTreeSet::new();
    let mut read = Vec::new();
    for spec in &item.checks {
        if !names.insert(spec.name.as_str()) {
            findings.error(
                ITEM,
                &spec.name,
                "check-duplicate",
                format!("校验“{}”重名。", spec.name),
            );
        }
        if let Some(wanted) = &spec.statistic {
            statistic(item, form, spec, wanted, findings);
        }
        let scope = scope(std::iter::once(form).chain(forms.values()));
        read.extend(read_check(spec, scope, findings));
    }
    read
}

fn statistic(
    item: &Item,
    form: &Form,
    spec: &CheckSpec,
    wanted: &Statistic,
    findings: &mut Findings,
) {
    let is_number = |key: &str| {
        form.field(key)
            .is_some_and(|f| matches!(f.kind, FieldKind::Number { .. }))
    };
    for key in [&wanted.numerator, &wanted.denominator] {
        if !item.index.contains(key) || !is_number(key) {
            let message = format!("统计“{}”的“{key}”应是 index 中的数字字段。", wanted.name);
            findings.error(ITEM, &spec.name, "statistic-field", message);
        }
    }
    for key in wanted
        .within
        .iter()
        .filter(|key| *key != "region" && !item.index.contains(key))
    {
        let message = format!(
            "统计“{}”的 within“{key}”应是 region 或 index 中的字段。",
            wanted.name
        );
        findings.error(ITEM, &spec.name, "statistic-field", message);
    }
}
