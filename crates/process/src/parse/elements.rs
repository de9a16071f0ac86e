//! Reads the elements of a process one by one, in document order. Deliberately lacks how they
//! hang together, which is `link`, and the definitions inside events, which are `events`.

use roxmltree::Node as Element;

use super::draft::{Draft, DraftFlow, DraftNode, Role};
use super::{
    MAX_FLOWS, MAX_NODES, Reader, events, extensions, id_of, is_bpmn, is_bpmn_element, local_name,
    text_of,
};
use crate::finding::{ContentProblem, DocumentProblem, ElementProblem};
use crate::model::NodeKind;

const ALLOWED_NODES: &str = "startEvent, endEvent (none, terminate), userTask, manualTask, \
     serviceTask, businessRuleTask, exclusiveGateway, parallelGateway, inclusiveGateway, \
     intermediateCatchEvent (timer), boundaryEvent (timer), sequenceFlow";

/// Beside or inside nodes without effect and without a word: they only help to read or draw.
const SILENT: &[&str] = &[
    "association",
    "auditing",
    "categoryValueRef",
    "dataObject",
    "dataObjectReference",
    "dataStoreReference",
    "documentation",
    "extensionElements",
    "group",
    "incoming",
    "laneSet",
    "monitoring",
    "outgoing",
    "textAnnotation",
];

/// What other engines execute and this one only keeps.
const IGNORED: &[&str] = &[
    "dataInputAssociation",
    "dataOutputAssociation",
    "humanPerformer",
    "ioSpecification",
    "performer",
    "potentialOwner",
    "property",
    "rendering",
    "resourceRole",
    "supportedInterfaceRef",
];

/// Attributes that change what a task does: name, and the value that changes nothing.
const TASK_ATTRIBUTES: &[(&str, &str)] = &[
    ("isForCompensation", "false"),
    ("startQuantity", "1"),
    ("completionQuantity", "1"),
];

pub(super) fn read_process(reader: &mut Reader<'_>, process: Element<'_, '_>) -> Draft {
    let mut draft = Draft {
        id: id_of(process).unwrap_or_default().to_owned(),
        name: process.attribute("name").unwrap_or_default().to_owned(),
        place: reader.place(process),
        attributes: extensions::attributes(process),
        ..Draft::default()
    };
    for child in process.children().filter(|child| is_bpmn_element(*child)) {
        let tag = child.tag_name().name();
        match Role::of(tag) {
            Some(role) if draft.nodes.len() < MAX_NODES => {
                draft.nodes.push(read_node(reader, child, role));
            }
            Some(_) => return cut(reader, child, draft, ("节点", "nodes"), MAX_NODES),
            None if tag == "sequenceFlow" && draft.flows.len() >= MAX_FLOWS => {
                return cut(reader, child, draft, ("流向", "flows"), MAX_FLOWS);
            }
            None if tag == "sequenceFlow" => draft.flows.push(read_flow(reader, child)),
            None if tag == "laneSet" => read_lanes(child, &mut draft),
            None => check_side_element(reader, child, ALLOWED_NODES),
        }
    }
    draft
}

/// Gives up on a process that is too large; the finding refuses it.
fn cut(
    reader: &mut Reader<'_>,
    at: Element<'_, '_>,
    draft: Draft,
    (what_zh, what_en): (&'static str, &'static str),
    limit: usize,
) -> Draft {
    reader.report(
        at,
        &DocumentProblem::TooLarge {
            what_zh,
            what_en,
            limit,
        },
    );
    draft
}

fn read_node(reader: &mut Reader<'_>, element: Element<'_, '_>, role: Role) -> DraftNode {
    let tag = element.tag_name().name();
    let kind = match tag {
        "userTask" | "manualTask" => Some(NodeKind::UserTask),
        "serviceTask" => Some(NodeKind::ServiceTask),
        "businessRuleTask" => Some(NodeKind::BusinessRuleTask),
        "exclusiveGateway" => Some(NodeKind::Exclusive),
        "parallelGateway" => Some(NodeKind::Parallel),
        "inclusiveGateway" => Some(NodeKind::Inclusive),
        "startEvent" | "endEvent" | "intermediateCatchEvent" | "boundaryEvent" => {
            events::read_kind(reader, element, role)
        }
        _ => {
            let tag = tag.to_owned();
            reader.report(
                element,
                &ElementProblem::Unsupported {
                    tag,
                    allowed: ALLOWED_NODES,
                },
            );
            None
        }
    };
    if kind.is_some() {
        check_inside(reader, element);
    }
    DraftNode {
        id: read_id(reader, element),
        name: element.attribute("name").unwrap_or_default().to_owned(),
        place: reader.place(element),
        role,
        kind,
        default: element
            .attribute("default")
            .map(|id| local_name(id).to_owned()),
        attached_to: element
            .attribute("attachedToRef")
            .map(|id| local_name(id).to_owned()),
        attributes: extensions::attributes(element),
    }
}

fn read_id(reader: &mut Reader<'_>, element: Element<'_, '_>) -> String {
    if let Some(id) = id_of(element) {
        return id.to_owned();
    }
    let tag = element.tag_name().name().to_owned();
    reader.report(element, &ElementProblem::NoId { tag });
    String::new()
}

/// Markers, data and people inside a node, and attributes that change what it does.
fn check_inside(reader: &mut Reader<'_>, element: Element<'_, '_>) {
    for child in element.children().filter(|child| is_bpmn_element(*child)) {
        if !events::is_definition(child) {
            check_side_element(reader, child, "documentation, extensionElements");
        }
    }
    for &(attribute, harmless) in TASK_ATTRIBUTES {
        let value = element.attribute(attribute).unwrap_or(harmless).trim();
        if value != harmless {
            let value = value.to_owned();
            reader.report(
                element,
                &ElementProblem::UnsupportedAttribute { attribute, value },
            );
        }
    }
}

fn check_side_element(reader: &mut Reader<'_>, element: Element<'_, '_>, allowed: &'static str) {
    let tag = element.tag_name().name();
    if SILENT.contains(&tag) {
        return;
    }
    let tag_name = tag.to_owned();
    // The finding names the element itself, or where it has no id the one around it.
    let named = id_of(element).or_else(|| element.parent_element().and_then(id_of));
    let place = reader.place(element);
    if IGNORED.contains(&tag) {
        reader.report_at(place, named, &ElementProblem::Ignored { tag: tag_name });
    } else {
        reader.report_at(
            place,
            named,
            &ElementProblem::Unsupported {
                tag: tag_name,
                allowed,
            },
        );
    }
}

fn read_flow(reader: &mut Reader<'_>, element: Element<'_, '_>) -> DraftFlow {
    let reference = |name| local_name(element.attribute(name).unwrap_or_default()).to_owned();
    let condition = element
        .children()
        .find(|child| is_bpmn(*child, "conditionExpression"));
    DraftFlow {
        id: read_id(reader, element),
        name: element.attribute("name").unwrap_or_default().to_owned(),
        place: reader.place(element),
        source: reference("sourceRef"),
        target: reference("targetRef"),
        condition: condition.and_then(|condition| read_condition(reader, element, condition)),
    }
}

fn read_condition(
    reader: &mut Reader<'_>,
    flow: Element<'_, '_>,
    condition: Element<'_, '_>,
) -> Option<String> {
    let text = text_of(condition);
    let place = reader.place(condition);
    let stated = condition
        .attribute("language")
        .map(str::trim)
        .unwrap_or_default();
    let foreign = match text.split_once('{') {
        Some(("$" | "#", _)) => Some("${…}"),
        _ if stated.is_empty() || stated.to_ascii_lowercase().contains("feel") => None,
        _ => Some(stated),
    };
    if let Some(language) = foreign {
        let language = language.to_owned();
        reader.report_at(
            place,
            id_of(flow),
            &ContentProblem::ConditionLanguage { language },
        );
    }
    // Some modellers mark an expression with a leading "=".
    let feel = text.strip_prefix('=').unwrap_or(&text).trim();
    if feel.is_empty() {
        reader.report_at(place, id_of(flow), &ContentProblem::ConditionEmpty);
        return None;
    }
    Some(feel.to_owned())
}

/// Lanes nest; an inner one comes later in the document and so has the last word.
fn read_lanes(lanes: Element<'_, '_>, draft: &mut Draft) {
    for lane in lanes.descendants().filter(|inner| is_bpmn(*inner, "lane")) {
        let name = lane
            .attribute("name")
            .filter(|name| !name.trim().is_empty());
        let name = name.or(id_of(lane)).unwrap_or_default();
        for member in lane
            .children()
            .filter(|child| is_bpmn(*child, "flowNodeRef"))
        {
            let member = text_of(member);
            draft
                .lanes
                .insert(local_name(&member).to_owned(), name.to_owned());
        }
    }
}
