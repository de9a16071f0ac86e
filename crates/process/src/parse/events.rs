//! Reads what an event is: none, terminate or timer. Every other event is refused by name.

use roxmltree::Node as Element;

use super::draft::Role;
use super::{LUODI_NAMESPACE, Reader, id_of, is_bpmn, is_bpmn_element, text_of};
use crate::finding::{ContentProblem, ElementProblem};
use crate::model::NodeKind;
use crate::timer::{self, TimerSpec};

/// Whether this is the part of an event that says what kind it is.
pub(super) fn is_definition(element: Element<'_, '_>) -> bool {
    let tag = element.tag_name().name();
    is_bpmn_element(element) && (tag.ends_with("EventDefinition") || tag == "eventDefinitionRef")
}

/// The kind of an event, or none with a finding.
pub(super) fn read_kind(
    reader: &mut Reader<'_>,
    event: Element<'_, '_>,
    role: Role,
) -> Option<NodeKind> {
    let definitions: Vec<_> = event
        .children()
        .filter(|child| is_definition(*child))
        .collect();
    let names: Vec<_> = definitions
        .iter()
        .map(|child| child.tag_name().name())
        .collect();
    match (role, names.as_slice(), definitions.first()) {
        (Role::Start, [], _) => Some(NodeKind::Start),
        (Role::End, [], _) => Some(NodeKind::End),
        (Role::End, ["terminateEventDefinition"], _) => Some(NodeKind::Terminate),
        (Role::Event, ["timerEventDefinition"], Some(definition)) => {
            read_timer(reader, event, *definition).map(NodeKind::TimerCatch)
        }
        (Role::Boundary, ["timerEventDefinition"], Some(definition)) => {
            let interrupting = event.attribute("cancelActivity").map(str::trim);
            let timer = read_timer(reader, event, *definition)?;
            Some(NodeKind::TimerBoundary {
                interrupting: !matches!(interrupting, Some("false" | "0")),
                timer,
            })
        }
        _ => {
            refuse(reader, event, role, &names);
            None
        }
    }
}

fn refuse(reader: &mut Reader<'_>, event: Element<'_, '_>, role: Role, names: &[&str]) {
    let tag = event.tag_name().name();
    let what = if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(" + ")
    };
    let allowed = match role {
        Role::Start => "startEvent (none)",
        Role::End => "endEvent (none, terminateEventDefinition)",
        Role::Boundary => "boundaryEvent (timerEventDefinition)",
        _ => "intermediateCatchEvent (timerEventDefinition)",
    };
    let tag = format!("{tag} ({what})");
    reader.report(event, &ElementProblem::Unsupported { tag, allowed });
}

/// The one time that a timer states: as `timeDate`, `timeDuration` or the attribute
/// `workingDays` of our namespace on the event or its definition.
fn read_timer(
    reader: &mut Reader<'_>,
    event: Element<'_, '_>,
    definition: Element<'_, '_>,
) -> Option<TimerSpec> {
    let working_days = [event, definition].into_iter().filter_map(|element| {
        let text = element.attribute((LUODI_NAMESPACE, "workingDays"))?;
        Some((text.to_owned(), timer::parse_working_days(text)))
    });
    let mut stated: Vec<(String, Option<TimerSpec>)> = working_days.collect();
    for child in definition
        .children()
        .filter(|child| is_bpmn_element(*child))
    {
        let text = text_of(child);
        if is_bpmn(child, "timeDate") {
            stated.push((text.clone(), timer::parse_date(&text)));
        } else if is_bpmn(child, "timeDuration") {
            stated.push((text.clone(), timer::parse_duration(&text)));
        } else if is_bpmn(child, "timeCycle") {
            let tag = "timeCycle".to_owned();
            let allowed = "timeDate, timeDuration, luodi:workingDays";
            let place = reader.place(child);
            let problem = ElementProblem::Unsupported { tag, allowed };
            reader.report_at(place, id_of(event), &problem);
            return None;
        }
    }
    let problem = match stated.as_slice() {
        [] => ContentProblem::NoTimer,
        [(_, Some(spec))] => return Some(*spec),
        [(text, None)] => ContentProblem::BadTimer { text: text.clone() },
        _ => ContentProblem::SeveralTimers,
    };
    reader.report_at(reader.place(definition), id_of(event), &problem);
    None
}
