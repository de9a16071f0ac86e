//! The stages of a process in the order in which a case goes through them, for the path shown on
//! a case page. Deliberately lacks where a case is: that is in its state.

use crate::model::{Definition, Node, NodeIx};

/// A stage: tasks that carry the same attribute `stage`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stage {
    /// Its name as written in the model.
    pub name: String,
    /// Its nodes, in flow order.
    pub nodes: Vec<NodeIx>,
}

impl Definition {
    /// The stages in flow order: each once, where it is first met on the way from the start, with
    /// ways back (corrections, objections) not counted as ways on.
    #[must_use]
    pub fn outline(&self) -> Vec<Stage> {
        let mut stages: Vec<Stage> = Vec::new();
        for node in self.flow_order() {
            let Some(name) = node.attribute("stage") else {
                continue;
            };
            match stages.iter_mut().find(|stage| stage.name == name) {
                Some(stage) => stage.nodes.push(node.index),
                None => stages.push(Stage {
                    name: name.to_owned(),
                    nodes: vec![node.index],
                }),
            }
        }
        stages
    }

    /// Nodes so that each comes after all that lead to it, loops aside; of alternatives the first
    /// in the document comes first. (Reverse post-order of a depth-first walk.)
    #[must_use]
    pub fn flow_order(&self) -> Vec<&Node> {
        let mut seen = vec![false; self.nodes.len()];
        let mut order = Vec::with_capacity(self.nodes.len());
        let mut path = vec![(self.start(), self.successors(self.start()))];
        mark(&mut seen, self.start());
        while let Some((node, successors)) = path.last_mut() {
            match successors.pop() {
                Some(next) if mark(&mut seen, next) => path.push((next, self.successors(next))),
                Some(_) => {}
                None => {
                    order.extend(self.at(*node));
                    path.pop();
                }
            }
        }
        order.reverse();
        order
    }

    /// Where a token at this node can go next, through its task's boundary events too.
    fn successors(&self, index: NodeIx) -> Vec<NodeIx> {
        let Some(node) = self.at(index) else {
            return Vec::new();
        };
        let ways = node.outgoing.iter().filter_map(|flow| self.flow_at(*flow));
        ways.map(|flow| flow.target)
            .chain(node.boundaries.iter().copied())
            .collect()
    }
}

/// Returns whether the node was not marked before.
fn mark(seen: &mut [bool], node: NodeIx) -> bool {
    seen.get_mut(node.place())
        .is_some_and(|seen| !std::mem::replace(seen, true))
}
