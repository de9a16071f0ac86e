//! When an inclusive gateway may stop waiting.
//!
//! It takes its tokens as soon as one has arrived and no other token of the case can still reach
//! an empty way in, unless that token could as well reach a way in that is already taken (both
//! without passing the gateway itself).
//! Ref: OMG BPMN 2.0.2, table 13.3 (inclusive gateway, operational semantics).
//!
//! Deliberately lacks any guess about data: what can be reached is read off the graph.

use crate::model::{Flow, FlowIx, Node, NodeIx};
use crate::state::State;

/// For one inclusive join: each way in with the places from which it can be reached.
#[derive(Debug, Clone)]
pub(crate) struct Upstream {
    ways: Vec<Way>,
}

#[derive(Debug, Clone)]
struct Way {
    flow: FlowIx,
    flows: Bits,
    nodes: Bits,
}

impl Upstream {
    /// Reads the graph backwards from every way into `join`.
    pub(crate) fn of(join: NodeIx, nodes: &[Node], flows: &[Flow]) -> Upstream {
        let incoming = nodes.get(join.place()).map(|node| node.incoming.as_slice());
        let ways = incoming.unwrap_or_default().iter();
        Upstream {
            ways: ways
                .map(|flow| Way::into(*flow, join, nodes, flows))
                .collect(),
        }
    }

    /// Whether the gateway may take the tokens that have arrived.
    pub(crate) fn is_ready(&self, state: &State) -> bool {
        let (taken, empty): (Vec<&Way>, Vec<&Way>) =
            self.ways.iter().partition(|way| state.has_token(way.flow));
        if taken.is_empty() || empty.is_empty() {
            return !taken.is_empty();
        }
        let awaited = |reaches: &dyn Fn(&Way) -> bool| {
            empty.iter().any(|way| reaches(way)) && !taken.iter().any(|way| reaches(way))
        };
        let on_flow = |flow: &FlowIx| awaited(&|way| way.flows.has(flow.place()));
        let at_node = |node: NodeIx| awaited(&|way| way.nodes.has(node.place()));
        !state.tokens().iter().any(on_flow) && !state.waiting().iter().any(|w| at_node(w.node))
    }
}

impl Way {
    fn into(flow: FlowIx, join: NodeIx, nodes: &[Node], flows: &[Flow]) -> Way {
        let mut way = Way {
            flow,
            flows: Bits::new(flows.len()),
            nodes: Bits::new(nodes.len()),
        };
        way.flows.set(flow.place());
        let mut open = vec![flow];
        while let Some(next) = open.pop() {
            let source = flows.get(next.place()).map(|flow| flow.source);
            let Some(node) = source.and_then(|source| nodes.get(source.place())) else {
                continue;
            };
            if node.index == join {
                continue;
            }
            way.nodes.set(node.index.place());
            // A boundary event is reached by whatever reaches its task, not by the task's being
            // there: its own timer stands for that.
            let entered = match node.host.and_then(|host| nodes.get(host.place())) {
                Some(host) => &host.incoming,
                None => &node.incoming,
            };
            open.extend(entered.iter().filter(|flow| way.flows.set(flow.place())));
        }
        way
    }
}

#[derive(Debug, Clone)]
struct Bits(Vec<u64>);

impl Bits {
    fn new(len: usize) -> Bits {
        Bits(vec![0; len.div_ceil(64)])
    }

    fn has(&self, place: usize) -> bool {
        self.0
            .get(place / 64)
            .is_some_and(|word| word >> (place % 64) & 1 == 1)
    }

    /// Returns whether it was not set before.
    fn set(&mut self, place: usize) -> bool {
        let fresh = !self.has(place);
        if let Some(word) = self.0.get_mut(place / 64) {
            *word |= 1 << (place % 64);
        }
        fresh
    }
}
