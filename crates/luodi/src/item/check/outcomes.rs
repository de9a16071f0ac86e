//! Outcomes and conditions must meet: every outcome of a task has a way out of the gateway behind
//! it, and every text a condition compares `outcome` with is an outcome that can arrive there.

use std::collections::{BTreeMap, BTreeSet};

use policy::feel::Scope;
use process::{Definition, Flow, Node, NodeIx, NodeKind};

use super::{ITEM, PROCESS};
use crate::form::Severity;
use crate::item::finding::Findings;
use crate::item::package::Condition;
use crate::item::spec::{Item, TaskSpec};

/// Checks the model's conditions and outcomes, and gives the conditions by their texts.
pub(super) fn check(
    item: &Item,
    process: &Definition,
    scope: &Scope,
    findings: &mut Findings,
) -> BTreeMap<String, Condition> {
    let read = conditions(process, scope, findings);
    for node in process.nodes() {
        if let (NodeKind::UserTask, Some(task)) = (node.kind, item.tasks.get(&node.id)) {
            check_task(process, node, task, findings);
        }
    }
    for node in process
        .nodes()
        .iter()
        .filter(|node| matches!(node.kind, NodeKind::Exclusive))
    {
        check_gateway(item, process, node, findings);
    }
    read
}

/// Every condition must be an expression over known names.
fn conditions(
    process: &Definition,
    scope: &Scope,
    findings: &mut Findings,
) -> BTreeMap<String, Condition> {
    let mut read = BTreeMap::new();
    for flow in process.flows() {
        let Some(condition) = &flow.condition else {
            continue;
        };
        match Condition::read(condition, scope) {
            Ok(one) => drop(read.insert(condition.clone(), one)),
            Err(errors) => {
                for error in errors {
                    let message = format!("条件“{condition}”无法识别：{}", error.message_zh);
                    findings.add(
                        Severity::Error,
                        PROCESS,
                        &flow.id,
                        flow.line,
                        "condition",
                        message,
                    );
                }
            }
        }
    }
    read
}

/// A task with several outcomes needs a gateway behind it that tells them apart.
fn check_task(process: &Definition, node: &Node, task: &TaskSpec, findings: &mut Findings) {
    if task.outcomes.len() < 2 {
        return;
    }
    let behind = next_gateway(process, node);
    let ways: Vec<&Flow> = behind.map_or_else(Vec::new, |gateway| {
        gateway
            .outgoing
            .iter()
            .filter_map(|ix| process.flow_at(*ix))
            .collect()
    });
    let mentioned = |value: &str| {
        let asked = ways
            .iter()
            .filter(|flow| !flow.is_default)
            .filter_map(|flow| flow.condition.as_deref());
        asked.flat_map(compared).any(|text| text == value)
    };
    let open: Vec<&str> = task
        .outcomes
        .iter()
        .map(|outcome| outcome.value.as_str())
        .filter(|value| !mentioned(value))
        .collect();
    let by_default = usize::from(ways.iter().any(|flow| flow.is_default));
    for value in open.iter().skip(by_default) {
        let message = format!(
            "任务“{}”的结果“{value}”在其后的网关没有对应的条件（outcome = \"{value}\"），也不能落到默认流向。",
            node.name
        );
        findings.error(
            ITEM,
            &format!("tasks.{}", node.id),
            "outcome-without-way",
            message,
        );
    }
}

/// The gateway directly behind a task.
fn next_gateway<'a>(process: &'a Definition, node: &Node) -> Option<&'a Node> {
    let [flow] = node.outgoing.as_slice() else {
        return None;
    };
    let target = process.at(process.flow_at(*flow)?.target)?;
    matches!(target.kind, NodeKind::Exclusive).then_some(target)
}

/// What conditions compare `outcome` with must be able to arrive.
fn check_gateway(item: &Item, process: &Definition, gateway: &Node, findings: &mut Findings) {
    let possible: BTreeSet<&str> = tasks_before(process, gateway)
        .into_iter()
        .filter_map(|task| item.tasks.get(&task.id))
        .flat_map(|task| task.outcomes.iter().map(|outcome| outcome.value.as_str()))
        .collect();
    for flow in gateway
        .outgoing
        .iter()
        .filter_map(|ix| process.flow_at(*ix))
    {
        for text in flow.condition.as_deref().map(compared).unwrap_or_default() {
            if !possible.contains(text.as_str()) {
                let message = format!(
                    "条件比较的结果“{text}”不是前面任务的 outcomes 之一，此流向永远走不到。"
                );
                findings.add(
                    Severity::Error,
                    PROCESS,
                    &flow.id,
                    flow.line,
                    "outcome-unknown",
                    message,
                );
            }
        }
    }
}

/// The user tasks from which a gateway is reached without another user task in between.
fn tasks_before<'a>(process: &'a Definition, gateway: &Node) -> Vec<&'a Node> {
    let mut seen: BTreeSet<NodeIx> = BTreeSet::new();
    let mut ahead: Vec<NodeIx> = sources(process, gateway);
    let mut tasks = Vec::new();
    while let Some(node) = ahead.pop().and_then(|index| process.at(index)) {
        if !seen.insert(node.index) {
            continue;
        }
        match node.kind {
            NodeKind::UserTask => tasks.push(node),
            _ => ahead.extend(sources(process, node)),
        }
    }
    tasks
}

fn sources(process: &Definition, node: &Node) -> Vec<NodeIx> {
    let flows = node.incoming.iter().filter_map(|ix| process.flow_at(*ix));
    flows.map(|flow| flow.source).chain(node.host).collect()
}

/// The texts in quotes that a condition compares `outcome` with, as far as they stand in the same
/// part of an `and` or `or`.
fn compared(condition: &str) -> Vec<String> {
    let parts = condition.split(" and ").flat_map(|part| part.split(" or "));
    let asks = |part: &&str| {
        part.split(|c: char| !(c.is_alphanumeric() || c == '_'))
            .any(|word| word == "outcome")
    };
    parts
        .filter(asks)
        .flat_map(|part| part.split('"').skip(1).step_by(2))
        .map(str::to_owned)
        .collect()
}
