//! Attributes that are not BPMN: our own, and those of two vendors that say the same thing in
//! other words. Deliberately lacks their meaning; everything else of others is left alone.

use std::collections::BTreeMap;

use roxmltree::Node as Element;

use super::{LUODI_NAMESPACE, is_bpmn};

const CAMUNDA: &str = "http://camunda.org/schema/1.0/bpmn";
const ZEEBE: &str = "http://camunda.org/schema/zeebe/1.0";

/// Attribute on the element itself, and our name for it.
const CAMUNDA_ATTRIBUTES: &[(&str, &str)] = &[
    ("candidateGroups", "role"),
    ("formKey", "form"),
    ("formRef", "form"),
    ("decisionRef", "decision"),
    ("topic", "service"),
];

/// Extension element, its attribute, and our name for it.
const ZEEBE_ELEMENTS: &[(&str, &str, &str)] = &[
    ("assignmentDefinition", "candidateGroups", "role"),
    ("formDefinition", "formId", "form"),
    ("formDefinition", "formKey", "form"),
    ("calledDecision", "decisionId", "decision"),
    ("taskDefinition", "type", "service"),
];

/// All attributes of our namespace by local name; where ours is silent, what others say.
pub(super) fn attributes(element: Element<'_, '_>) -> BTreeMap<String, String> {
    let ours = element
        .attributes()
        .filter(|found| found.namespace() == Some(LUODI_NAMESPACE));
    let mut attributes: BTreeMap<String, String> = ours
        .map(|found| (found.name().to_owned(), found.value().trim().to_owned()))
        .collect();
    let mut add = |name: &str, value: Option<&str>| {
        if let Some(value) = value.map(str::trim).filter(|value| !value.is_empty()) {
            attributes
                .entry(name.to_owned())
                .or_insert_with(|| value.to_owned());
        }
    };
    for (theirs, name) in CAMUNDA_ATTRIBUTES {
        add(name, element.attribute((CAMUNDA, *theirs)));
    }
    let extensions = element
        .children()
        .filter(|child| is_bpmn(*child, "extensionElements"));
    for extension in extensions.flat_map(|extensions| extensions.children()) {
        if extension.tag_name().namespace() != Some(ZEEBE) {
            continue;
        }
        for (tag, theirs, name) in ZEEBE_ELEMENTS {
            if extension.tag_name().name() == *tag {
                add(name, extension.attribute(*theirs));
            }
        }
    }
    attributes
}
