//! The parsed model: nodes and flows numbered in document order, indexed once, never changed.
//!
//! Indexes are what states store, so they are a promise: every flow node and every sequence flow
//! of the process counts, in document order, whatever its kind. Deliberately lacks the data side
//! of BPMN and anything that is only drawn (see `diagram`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::diagram::Diagram;
use crate::error::StepError;
use crate::inclusive::Upstream;
use crate::timer::TimerSpec;

/// Number of a node: its place among the flow nodes of the process, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeIx(pub(crate) u32);

/// Number of a sequence flow: its place among the sequence flows of the process, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FlowIx(pub(crate) u32);

impl NodeIx {
    /// The number itself.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0
    }

    pub(crate) fn place(self) -> usize {
        self.0 as usize
    }
}

impl FlowIx {
    /// The number itself.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0
    }

    pub(crate) fn place(self) -> usize {
        self.0 as usize
    }
}

/// What a node does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NodeKind {
    /// The none start event: where a case begins.
    Start,
    /// The none end event: takes one token away.
    End,
    /// The terminate end event: takes everything away.
    Terminate,
    /// A task of a person; a manual task is one too.
    UserTask,
    /// A task of the program or of another system.
    ServiceTask,
    /// A task that evaluates a policy.
    BusinessRuleTask,
    /// One way out: the first whose condition holds.
    Exclusive,
    /// Waits for every way in, takes every way out.
    Parallel,
    /// Takes every way out whose condition holds, waits for what can still arrive.
    Inclusive,
    /// Waits for a time on the way.
    TimerCatch(TimerSpec),
    /// Waits for a time beside a task.
    TimerBoundary {
        /// Whether firing ends the task.
        interrupting: bool,
        /// What is waited for.
        timer: TimerSpec,
    },
}

impl NodeKind {
    /// Whether a case can rest here as an activity: tasks and timers.
    #[must_use]
    pub fn waits(&self) -> bool {
        self.is_task() || self.timer().is_some()
    }

    /// Whether this is a task of a person, a service or a policy.
    #[must_use]
    pub fn is_task(&self) -> bool {
        matches!(
            self,
            NodeKind::UserTask | NodeKind::ServiceTask | NodeKind::BusinessRuleTask
        )
    }

    /// What a timer event waits for.
    #[must_use]
    pub fn timer(&self) -> Option<TimerSpec> {
        match self {
            NodeKind::TimerCatch(timer) | NodeKind::TimerBoundary { timer, .. } => Some(*timer),
            _ => None,
        }
    }

    /// Whether tokens wait on the way in until the gateway can take them together.
    pub(crate) fn joins(&self) -> bool {
        matches!(self, NodeKind::Parallel | NodeKind::Inclusive)
    }
}

/// How the ways out of a node are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// Every flow, without asking.
    All,
    /// The first flow in document order whose condition holds, else the default.
    First,
    /// Every flow whose condition holds, and those without one; else the default.
    Each,
}

/// A flow node of the process.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Node {
    /// Its number in this definition.
    pub index: NodeIx,
    /// The element's id.
    pub id: String,
    /// The element's name, as people read it; may be empty.
    pub name: String,
    /// What it does.
    pub kind: NodeKind,
    /// Flows that lead here, in document order.
    pub incoming: Vec<FlowIx>,
    /// Flows that lead on, in document order.
    pub outgoing: Vec<FlowIx>,
    /// How the ways out are chosen.
    pub split: Split,
    /// Boundary event: the task it is attached to.
    pub host: Option<NodeIx>,
    /// Task: the boundary events attached to it, in document order.
    pub boundaries: Vec<NodeIx>,
    /// Name (or id) of the innermost lane it is drawn in.
    pub lane: Option<String>,
    /// Attributes of the Luodi namespace by local name, and what other vendors' extensions say
    /// the same with: `role`, `form`, `policy`, `decision`, `service`, `stage`, `promised` …
    pub attributes: BTreeMap<String, String>,
    /// Line of the element in the XML, from 1.
    pub line: u32,
    /// Column of the element in the XML in characters, from 1.
    pub column: u32,
    /// Inclusive join: from where each way in can still be reached.
    pub(crate) upstream: Option<Upstream>,
}

impl Node {
    /// One extension attribute, e.g. `role`.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }
}

/// A sequence flow.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Flow {
    /// Its number in this definition.
    pub index: FlowIx,
    /// The element's id.
    pub id: String,
    /// The element's name; may be empty.
    pub name: String,
    /// Where it starts.
    pub source: NodeIx,
    /// Where it leads.
    pub target: NodeIx,
    /// FEEL text of its condition, without a leading `=`.
    pub condition: Option<String>,
    /// Whether it is its source's default flow (whose condition is never asked).
    pub is_default: bool,
    /// Line of the element in the XML, from 1.
    pub line: u32,
    /// Column of the element in the XML in characters, from 1.
    pub column: u32,
}

/// A process that can be run.
#[derive(Debug, Clone)]
pub struct Definition {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) flows: Vec<Flow>,
    pub(crate) by_id: BTreeMap<String, NodeIx>,
    pub(crate) start: NodeIx,
    pub(crate) diagram: Diagram,
}

impl Definition {
    /// The process element's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The process's name, or that of its pool; may be empty.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The process element's attributes in the Luodi namespace.
    #[must_use]
    pub fn attributes(&self) -> &BTreeMap<String, String> {
        &self.attributes
    }

    /// All nodes in document order.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// All sequence flows in document order.
    #[must_use]
    pub fn flows(&self) -> &[Flow] {
        &self.flows
    }

    /// The node with this id.
    #[must_use]
    pub fn node(&self, id: &str) -> Option<&Node> {
        self.by_id.get(id).and_then(|index| self.at(*index))
    }

    /// The node with this number.
    #[must_use]
    pub fn at(&self, index: NodeIx) -> Option<&Node> {
        self.nodes.get(index.place())
    }

    /// The flow with this number.
    #[must_use]
    pub fn flow_at(&self, index: FlowIx) -> Option<&Flow> {
        self.flows.get(index.place())
    }

    /// The start event.
    #[must_use]
    pub fn start(&self) -> NodeIx {
        self.start
    }

    /// Shapes and edges as the modeller placed them, moved to the origin.
    #[must_use]
    pub fn diagram(&self) -> &Diagram {
        &self.diagram
    }

    /// [`Definition::at`] for numbers that a state brought: another definition's state is an error.
    pub(crate) fn look(&self, index: NodeIx) -> Result<&Node, StepError> {
        self.at(index).ok_or(StepError::ForeignState)
    }

    /// [`Definition::flow_at`] for numbers that a state brought.
    pub(crate) fn look_flow(&self, index: FlowIx) -> Result<&Flow, StepError> {
        self.flow_at(index).ok_or(StepError::ForeignState)
    }

    /// The id of a node, for messages.
    pub(crate) fn id_of(&self, index: NodeIx) -> String {
        self.at(index)
            .map(|node| node.id.clone())
            .unwrap_or_default()
    }
}
