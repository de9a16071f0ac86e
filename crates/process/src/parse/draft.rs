//! The model between reading and linking: what each element says, references still as text.

use std::collections::BTreeMap;

use super::Place;
use crate::model::NodeKind;

/// A process as read.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) attributes: BTreeMap<String, String>,
    pub(super) nodes: Vec<DraftNode>,
    pub(super) flows: Vec<DraftFlow>,
    /// Node id to the name of the innermost lane that lists it.
    pub(super) lanes: BTreeMap<String, String>,
}

/// A flow node as read. `kind` is none for one that cannot be executed: it keeps its number and
/// its flows, so that nothing else is blamed for it.
pub(super) struct DraftNode {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) role: Role,
    pub(super) kind: Option<NodeKind>,
    pub(super) default: Option<String>,
    pub(super) attached_to: Option<String>,
    pub(super) attributes: BTreeMap<String, String>,
}

/// A sequence flow as read.
pub(super) struct DraftFlow {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) source: String,
    pub(super) target: String,
    pub(super) condition: Option<String>,
}

/// The part a node plays in the graph, known from its tag even when it cannot be executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Start,
    End,
    Boundary,
    Activity,
    Gateway,
    Event,
}

impl Role {
    /// The role of a BPMN flow node, none for every other element.
    pub(super) fn of(tag: &str) -> Option<Role> {
        Some(match tag {
            "startEvent" => Role::Start,
            "endEvent" => Role::End,
            "boundaryEvent" => Role::Boundary,
            "intermediateCatchEvent" | "intermediateThrowEvent" | "implicitThrowEvent" => {
                Role::Event
            }
            "task" | "userTask" | "manualTask" | "serviceTask" | "businessRuleTask"
            | "scriptTask" | "sendTask" | "receiveTask" | "callActivity" | "subProcess"
            | "transaction" | "adHocSubProcess" => Role::Activity,
            "exclusiveGateway" | "parallelGateway" | "inclusiveGateway" | "eventBasedGateway"
            | "complexGateway" => Role::Gateway,
            _ => return None,
        })
    }
}
