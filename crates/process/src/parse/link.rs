//! Links a draft into a definition: resolves references, checks how nodes hang together, and
//! builds the indexes. Deliberately lacks the verification of behaviour (deadlocks, unfinished
//! branches): that explores the token game.

use std::collections::BTreeMap;

use super::draft::{Draft, DraftFlow, DraftNode, Role};
use super::{Place, Reader};
use crate::diagram::Diagram;
use crate::finding::{ChoiceProblem, ConnectionProblem, ElementProblem, NodeProblem, Problem};
use crate::inclusive::Upstream;
use crate::model::{Definition, Flow, FlowIx, Node, NodeIx, NodeKind, Split};

/// Most conditional flows out of a node that may take several: choices are counted as subsets.
const MAX_CONDITIONS: usize = 16;

/// The definition, as far as every node and flow could be resolved.
pub(super) fn link(reader: &mut Reader<'_>, draft: Draft, diagram: &Diagram) -> Option<Definition> {
    let by_id = index_ids(reader, &draft);
    let graph = Graph::resolve(reader, &draft, &by_id);
    check_ends(reader, &draft, &graph);
    for (place, node) in draft.nodes.iter().enumerate() {
        check_default(reader, &draft, node, graph.outgoing_of(place));
        check_conditions(reader, &draft, node, graph.outgoing_of(place));
        if !diagram.shapes.is_empty() && diagram.shape(&node.id).is_none() {
            report(reader, node.place, &node.id, &NodeProblem::NotDrawn);
        }
    }
    if graph.is_whole {
        check_reachable(reader, &draft, &graph);
    }
    build(draft, graph, by_id, diagram)
}

fn report(reader: &mut Reader<'_>, place: Place, id: &str, problem: &impl Problem) {
    reader.report_at(place, Some(id).filter(|id| !id.is_empty()), problem);
}

fn index_ids(reader: &mut Reader<'_>, draft: &Draft) -> BTreeMap<String, NodeIx> {
    let mut by_id = BTreeMap::new();
    for (place, node) in draft.nodes.iter().enumerate() {
        let before = by_id.insert(node.id.clone(), NodeIx(place as u32));
        if before.is_some() && !node.id.is_empty() {
            let id = node.id.clone();
            report(
                reader,
                node.place,
                &node.id,
                &ElementProblem::DuplicateId { id },
            );
        }
    }
    let mut flow_ids: BTreeMap<&str, Place> = BTreeMap::new();
    for flow in draft.flows.iter().filter(|flow| !flow.id.is_empty()) {
        if flow_ids.insert(&flow.id, flow.place).is_some() || by_id.contains_key(&flow.id) {
            let id = flow.id.clone();
            report(
                reader,
                flow.place,
                &flow.id,
                &ElementProblem::DuplicateId { id },
            );
        }
    }
    by_id
}

/// The draft's references as numbers, by the same numbering.
struct Graph {
    /// Source and target of each flow.
    ends: Vec<(Option<NodeIx>, Option<NodeIx>)>,
    incoming: Vec<Vec<FlowIx>>,
    outgoing: Vec<Vec<FlowIx>>,
    hosts: Vec<Option<NodeIx>>,
    /// Whether every reference was resolved.
    is_whole: bool,
}

impl Graph {
    fn resolve(reader: &mut Reader<'_>, draft: &Draft, by_id: &BTreeMap<String, NodeIx>) -> Graph {
        let mut graph = Graph {
            ends: Vec::new(),
            incoming: vec![Vec::new(); draft.nodes.len()],
            outgoing: vec![Vec::new(); draft.nodes.len()],
            hosts: Vec::new(),
            is_whole: true,
        };
        for (place, flow) in draft.flows.iter().enumerate() {
            graph.add_flow(reader, draft, by_id, (FlowIx(place as u32), flow));
        }
        for node in &draft.nodes {
            let host = graph.host_of(reader, draft, by_id, node);
            graph.hosts.push(host);
        }
        graph
    }

    fn add_flow(
        &mut self,
        reader: &mut Reader<'_>,
        draft: &Draft,
        by_id: &BTreeMap<String, NodeIx>,
        (index, flow): (FlowIx, &DraftFlow),
    ) {
        let mut end = |name: &'static str, reference: &str| {
            let found = by_id.get(reference).copied();
            if found.is_none() {
                let reference = reference.to_owned();
                let problem = ConnectionProblem::FlowToNowhere {
                    end: name,
                    reference,
                };
                report(reader, flow.place, &flow.id, &problem);
                self.is_whole = false;
            }
            found
        };
        let source = end("sourceRef", &flow.source);
        let target = end("targetRef", &flow.target);
        let role_of = |node: NodeIx| draft.nodes.get(node.place()).map(|node| node.role);
        let wrong = match (source.and_then(role_of), target.and_then(role_of)) {
            (Some(Role::End), _) => Some(ConnectionProblem::OutOfEnd),
            (_, Some(Role::Start)) => Some(ConnectionProblem::IntoStart),
            (_, Some(Role::Boundary)) => Some(ConnectionProblem::IntoBoundary),
            _ => None,
        };
        if let Some(problem) = wrong {
            report(reader, flow.place, &flow.id, &problem);
        }
        let list = |lists: &mut Vec<Vec<FlowIx>>, node: Option<NodeIx>| {
            if let Some(list) = node.and_then(|node| lists.get_mut(node.place())) {
                list.push(index);
            }
        };
        list(&mut self.outgoing, source);
        list(&mut self.incoming, target);
        self.ends.push((source, target));
    }

    fn host_of(
        &mut self,
        reader: &mut Reader<'_>,
        draft: &Draft,
        by_id: &BTreeMap<String, NodeIx>,
        node: &DraftNode,
    ) -> Option<NodeIx> {
        if node.role != Role::Boundary {
            return None;
        }
        let reference = node.attached_to.clone().unwrap_or_default();
        let found = by_id.get(&reference).copied().filter(|host| {
            draft
                .nodes
                .get(host.place())
                .is_some_and(|host| host.role == Role::Activity)
        });
        if found.is_none() {
            report(
                reader,
                node.place,
                &node.id,
                &ConnectionProblem::HostUnknown { reference },
            );
            self.is_whole = false;
        }
        found
    }

    fn outgoing_of(&self, place: usize) -> &[FlowIx] {
        self.outgoing
            .get(place)
            .map(Vec::as_slice)
            .unwrap_or_default()
    }
}

fn check_ends(reader: &mut Reader<'_>, draft: &Draft, graph: &Graph) {
    let mut starts = draft.nodes.iter().filter(|node| node.role == Role::Start);
    match (starts.next(), starts.next()) {
        (None, _) => report(reader, draft.place, &draft.id, &NodeProblem::NoStart),
        (Some(_), Some(second)) => {
            report(
                reader,
                second.place,
                &second.id,
                &NodeProblem::SeveralStarts,
            );
        }
        (Some(_), None) => {}
    }
    if !draft.nodes.iter().any(|node| node.role == Role::End) {
        report(reader, draft.place, &draft.id, &NodeProblem::NoEnd);
    }
    for (place, node) in draft.nodes.iter().enumerate() {
        if node.role != Role::End && graph.outgoing_of(place).is_empty() {
            report(reader, node.place, &node.id, &NodeProblem::NoWayOut);
        }
    }
}

fn check_default(reader: &mut Reader<'_>, draft: &Draft, node: &DraftNode, outgoing: &[FlowIx]) {
    let Some(reference) = node.default.clone() else {
        return;
    };
    let mut flows = outgoing
        .iter()
        .filter_map(|flow| draft.flows.get(flow.place()));
    match flows.find(|flow| flow.id == reference) {
        Some(flow) if flow.condition.is_some() => {
            report(
                reader,
                flow.place,
                &flow.id,
                &ChoiceProblem::ConditionOnDefault,
            );
        }
        Some(_) => {}
        None => report(
            reader,
            node.place,
            &node.id,
            &ChoiceProblem::DefaultUnknown { reference },
        ),
    }
}

fn check_conditions(reader: &mut Reader<'_>, draft: &Draft, node: &DraftNode, outgoing: &[FlowIx]) {
    let flows = outgoing
        .iter()
        .filter_map(|flow| draft.flows.get(flow.place()));
    let (asked, open): (Vec<&DraftFlow>, Vec<&DraftFlow>) = flows
        .filter(|flow| node.default.as_ref() != Some(&flow.id))
        .partition(|flow| flow.condition.is_some());
    let chooses = match node.kind {
        Some(NodeKind::Exclusive | NodeKind::Inclusive) => true,
        Some(kind) if kind.is_task() => false,
        Some(_) => {
            for flow in asked {
                let source = node.id.clone();
                let problem = ChoiceProblem::ConditionNotAllowed { source };
                report(reader, flow.place, &flow.id, &problem);
            }
            return;
        }
        None => return,
    };
    if chooses && outgoing.len() > 1 {
        for flow in &open {
            let gateway = node.id.clone();
            report(
                reader,
                flow.place,
                &flow.id,
                &ChoiceProblem::ConditionMissing { gateway },
            );
        }
    }
    if !asked.is_empty() && open.is_empty() && node.default.is_none() {
        report(reader, node.place, &node.id, &ChoiceProblem::NoDefault);
    }
    if node.kind != Some(NodeKind::Exclusive)
        && !asked.is_empty()
        && outgoing.len() > MAX_CONDITIONS
    {
        let limit = MAX_CONDITIONS;
        report(
            reader,
            node.place,
            &node.id,
            &ChoiceProblem::TooManyConditions { limit },
        );
    }
}

fn check_reachable(reader: &mut Reader<'_>, draft: &Draft, graph: &Graph) {
    let mut beside: Vec<Vec<NodeIx>> = vec![Vec::new(); draft.nodes.len()];
    for (place, host) in graph.hosts.iter().enumerate() {
        if let Some(list) = host.and_then(|host| beside.get_mut(host.place())) {
            list.push(NodeIx(place as u32));
        }
    }
    let mut seen = vec![false; draft.nodes.len()];
    let roles = draft.nodes.iter().enumerate();
    let starts = roles.filter(|(_, node)| node.role == Role::Start);
    let mut open: Vec<NodeIx> = starts.map(|(place, _)| NodeIx(place as u32)).collect();
    if open.is_empty() {
        return;
    }
    while let Some(node) = open.pop() {
        if seen
            .get_mut(node.place())
            .is_some_and(|seen| !std::mem::replace(seen, true))
        {
            let ways = graph.outgoing_of(node.place()).iter();
            open.extend(ways.filter_map(|flow| graph.ends.get(flow.place())?.1));
            open.extend(beside.get(node.place()).into_iter().flatten());
        }
    }
    for (node, seen) in draft.nodes.iter().zip(seen) {
        if !seen {
            report(reader, node.place, &node.id, &NodeProblem::Unreachable);
        }
    }
}

fn build(
    draft: Draft,
    graph: Graph,
    by_id: BTreeMap<String, NodeIx>,
    diagram: &Diagram,
) -> Option<Definition> {
    let start = draft
        .nodes
        .iter()
        .position(|node| node.role == Role::Start)?;
    let defaults: Vec<Option<String>> = draft.nodes.iter().map(|n| n.default.clone()).collect();
    let mut flows = Vec::with_capacity(draft.flows.len());
    for (place, (flow, ends)) in draft.flows.into_iter().zip(&graph.ends).enumerate() {
        let default = defaults.get(ends.0?.place())?;
        flows.push(Flow {
            index: FlowIx(place as u32),
            is_default: default.as_ref() == Some(&flow.id),
            id: flow.id,
            name: flow.name,
            source: ends.0?,
            target: ends.1?,
            condition: flow.condition,
            line: flow.place.0,
            column: flow.place.1,
        });
    }
    let mut lanes = draft.lanes;
    let links = graph
        .incoming
        .into_iter()
        .zip(graph.outgoing)
        .zip(graph.hosts);
    let mut nodes = Vec::with_capacity(draft.nodes.len());
    for (place, (node, links)) in draft.nodes.into_iter().zip(links).enumerate() {
        let lane = lanes.remove(&node.id);
        nodes.push(build_node(NodeIx(place as u32), node, links, lane, &flows)?);
    }
    link_boundaries(&mut nodes);
    link_inclusive_joins(&mut nodes, &flows);
    Some(Definition {
        id: draft.id,
        name: draft.name,
        attributes: draft.attributes,
        nodes,
        flows,
        by_id,
        start: NodeIx(start as u32),
        diagram: diagram.clone(),
    })
}

fn build_node(
    index: NodeIx,
    node: DraftNode,
    ((incoming, outgoing), host): ((Vec<FlowIx>, Vec<FlowIx>), Option<NodeIx>),
    lane: Option<String>,
    flows: &[Flow],
) -> Option<Node> {
    let kind = node.kind?;
    Some(Node {
        index,
        id: node.id,
        name: node.name,
        kind,
        split: split_of(kind, &outgoing, flows),
        incoming,
        outgoing,
        host,
        boundaries: Vec::new(),
        lane,
        attributes: node.attributes,
        line: node.place.0,
        column: node.place.1,
        upstream: None,
    })
}

/// An activity with conditions on its flows chooses like an inclusive gateway; one without sends
/// a token down each.
fn split_of(kind: NodeKind, outgoing: &[FlowIx], flows: &[Flow]) -> Split {
    let mut ways = outgoing.iter().filter_map(|flow| flows.get(flow.place()));
    let asks = ways.any(|flow| flow.condition.is_some() && !flow.is_default);
    match kind {
        NodeKind::Exclusive if asks || outgoing.len() > 1 => Split::First,
        NodeKind::Inclusive if asks => Split::Each,
        kind if kind.is_task() && asks => Split::Each,
        _ => Split::All,
    }
}

fn link_boundaries(nodes: &mut [Node]) {
    let attached: Vec<(NodeIx, NodeIx)> = nodes
        .iter()
        .filter_map(|node| Some((node.host?, node.index)))
        .collect();
    for (host, boundary) in attached {
        if let Some(host) = nodes.get_mut(host.place()) {
            host.boundaries.push(boundary);
        }
    }
}

fn link_inclusive_joins(nodes: &mut [Node], flows: &[Flow]) {
    let inclusive = nodes.iter().filter(|node| node.kind == NodeKind::Inclusive);
    let joins: Vec<(NodeIx, Upstream)> = inclusive
        .filter(|node| node.incoming.len() > 1)
        .map(|node| (node.index, Upstream::of(node.index, nodes, flows)))
        .collect();
    for (join, upstream) in joins {
        if let Some(node) = nodes.get_mut(join.place()) {
            node.upstream = Some(upstream);
        }
    }
}
