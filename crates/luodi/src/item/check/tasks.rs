//! Process and `item.toml` must speak of the same tasks, services and ends, in words the program
//! knows: roles, states, duties.

use std::collections::BTreeMap;

use process::{Definition, Node, NodeKind};

use super::{ITEM, PROCESS};
use crate::access::Role;
use crate::casework;
use crate::form::Form;
use crate::item::finding::Findings;
use crate::item::spec::{Effect, Item, TaskSpec};

/// The role of tasks that a batch ends.
const BATCH: &str = "batch";
/// What a service task may do.
const SERVICES: [&str; 2] = ["evaluate-policy", "propose"];

/// Checks both directions: every node has its entry, every entry its node.
pub(super) fn check(
    item: &Item,
    process: &Definition,
    forms: &BTreeMap<String, Form>,
    findings: &mut Findings,
) {
    for node in process.nodes() {
        match node.kind {
            NodeKind::UserTask => match item.tasks.get(&node.id) {
                Some(task) => check_task(node, task, forms, findings),
                None => missing(node, "tasks", findings),
            },
            NodeKind::ServiceTask | NodeKind::BusinessRuleTask => {
                check_service(item, node, findings)
            }
            NodeKind::End | NodeKind::Terminate => match item.ends.get(&node.id) {
                Some(end) => known_state(&format!("ends.{}", node.id), &end.state, findings),
                None => missing(node, "ends", findings),
            },
            _ => {}
        }
    }
    let tasks = item.tasks.keys().map(|id| ("tasks", id));
    let services = item.services.keys().map(|id| ("services", id));
    let ends = item.ends.keys().map(|id| ("ends", id));
    for (table, id) in tasks.chain(services).chain(ends) {
        let kind = process.node(id).map(|node| table_of(node.kind));
        if kind != Some(table) {
            let message =
                format!("process.bpmn 中没有这样的节点“{id}”，请删除 [{table}.{id}] 或更正 id。");
            findings.error(ITEM, &format!("{table}.{id}"), "node-unknown", message);
        }
    }
    check_effects(item, findings);
    unused_forms(item, forms, findings);
    batch_tasks(item, findings);
}

/// The tasks that a batch ends are found by these names, with these outcomes.
const BATCH_TASKS: [(&str, &[&str]); 2] = [("notice", &["final", "removed"]), ("pay", &["paid"])];

/// What goes into a batch can only come out of it where the batch finds its tasks.
fn batch_tasks(item: &Item, findings: &mut Findings) {
    let mut of_batch = item.tasks.iter().filter(|(_, task)| task.role == BATCH);
    if of_batch.clone().next().is_none() {
        return;
    }
    if let Some((other, _)) =
        of_batch.find(|(id, _)| BATCH_TASKS.iter().all(|(name, _)| id != name))
    {
        let message =
            "由批次办结的任务只能叫 notice（公示）和 pay（拨付），否则批次找不到它，款项无法拨付。";
        findings.error(ITEM, &format!("tasks.{other}"), "batch-task", message);
    }
    for (name, outcomes) in BATCH_TASKS {
        let task = item.tasks.get(name).filter(|task| task.role == BATCH);
        let has = |value: &&str| {
            task.is_some_and(|task| task.outcomes.iter().any(|one| one.value == **value))
        };
        if !outcomes.iter().all(has) {
            let message = format!(
                "由批次办结的事项须有任务 {name}（role = \"batch\"），结论有 {}。",
                outcomes.join("、")
            );
            findings.error(ITEM, &format!("tasks.{name}"), "batch-task", message);
        }
    }
}

fn table_of(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::UserTask => "tasks",
        NodeKind::ServiceTask | NodeKind::BusinessRuleTask => "services",
        NodeKind::End | NodeKind::Terminate => "ends",
        _ => "",
    }
}

fn missing(node: &Node, table: &str, findings: &mut Findings) {
    let message = format!(
        "节点“{}”在 item.toml 中没有 [{table}.{}]。",
        node.name, node.id
    );
    findings.add(
        crate::form::Severity::Error,
        PROCESS,
        &node.id,
        node.line,
        "node-undescribed",
        message,
    );
}

fn check_service(item: &Item, node: &Node, findings: &mut Findings) {
    let Some(service) = item.services.get(&node.id) else {
        missing(node, "services", findings);
        return;
    };
    let element = format!("services.{}", node.id);
    if !SERVICES.contains(&service.kind.as_str()) {
        let message = format!(
            "kind“{}”没有此服务，可用：{}。",
            service.kind,
            SERVICES.join("、")
        );
        findings.error(ITEM, &element, "service-kind", message);
    }
    if service.kind == "evaluate-policy" && item.policy.is_none() {
        findings.error(
            ITEM,
            &element,
            "service-policy",
            "测算需要政策，请在 [luodi] 写 policy。",
        );
    }
}

fn check_task(
    node: &Node,
    task: &TaskSpec,
    forms: &BTreeMap<String, Form>,
    findings: &mut Findings,
) {
    let element = format!("tasks.{}", node.id);
    if task.role != BATCH && Role::from_code(&task.role).is_none() {
        let known: Vec<&str> = Role::ALL.iter().map(|role| role.code()).collect();
        let message = format!(
            "role“{}”没有此岗位，可用：{}、{BATCH}。",
            task.role,
            known.join("、")
        );
        findings.error(ITEM, &element, "task-role", message);
    }
    known_state(&element, &task.state, findings);
    if !task.duty.is_empty() && casework::Duty::from_code(&task.duty).is_none() {
        let known = casework::Duty::ALL.map(casework::Duty::code).join("、");
        findings.error(
            ITEM,
            &element,
            "task-duty",
            format!("duty“{}”没有此职责，可用：{known}。", task.duty),
        );
    }
    if let Some(form) = task.form.as_ref().filter(|form| !forms.contains_key(*form)) {
        findings.error(
            ITEM,
            &element,
            "task-form",
            format!("没有 forms/{form}.json，或它不可用。"),
        );
    }
    if task.stage.trim().is_empty() || task.outcomes.is_empty() {
        findings.error(
            ITEM,
            &element,
            "task-outcomes",
            "任务应写 stage 和至少一个 outcomes。",
        );
    }
    for (at, outcome) in task.outcomes.iter().enumerate() {
        if outcome.value.is_empty()
            || task
                .outcomes
                .iter()
                .take(at)
                .any(|other| other.value == outcome.value)
        {
            let message = format!("结果“{}”为空或重复。", outcome.value);
            findings.error(ITEM, &element, "outcome-duplicate", message);
        }
        if !matches!(outcome.style.as_str(), "" | "danger") {
            let message = format!("结果“{}”的 style 只能是 danger 或不写。", outcome.value);
            findings.error(ITEM, &element, "outcome-style", message);
        }
        let against = matches!(
            outcome.effect,
            Effect::AskCorrection | Effect::Refuse | Effect::DecideAgainst
        );
        if against && !outcome.reason {
            let message = format!(
                "结果“{}”对申请人不利或要求补正，必须写明理由：reason = true。",
                outcome.value
            );
            findings.error(ITEM, &element, "outcome-reason", message);
        }
    }
}

fn known_state(element: &str, state: &str, findings: &mut Findings) {
    if !casework::state::all().any(|(code, _)| code == state) {
        let known: Vec<&str> = casework::state::all().map(|(code, _)| code).collect();
        let message = format!("state“{state}”没有此状态，可用：{}。", known.join("、"));
        findings.error(ITEM, element, "state-unknown", message);
    }
}

/// The clock starts with acceptance, so some task must accept; what asks for a correction must be
/// answerable.
fn check_effects(item: &Item, findings: &mut Findings) {
    let has = |effect: Effect| {
        item.tasks
            .values()
            .flat_map(|task| &task.outcomes)
            .any(|outcome| outcome.effect == effect)
    };
    if !has(Effect::Accept) {
        findings.error(
            ITEM,
            "tasks",
            "effect-accept",
            "没有任何结果的 effect 是 accept，办理时限无从起算。",
        );
    }
    if has(Effect::AskCorrection) && !has(Effect::AnswerCorrection) {
        findings.error(
            ITEM,
            "tasks",
            "effect-correction",
            "要求补正后没有 answer-correction 的任务，申请人无法补正。",
        );
    }
    for (id, task) in &item.tasks {
        let answers = task
            .outcomes
            .iter()
            .any(|outcome| outcome.effect == Effect::AnswerCorrection);
        if answers && task.role != Role::Applicant.code() {
            let message = "补正由申请人办理，role 应为 applicant。";
            findings.error(ITEM, &format!("tasks.{id}"), "effect-correction", message);
        }
    }
}

fn unused_forms(item: &Item, forms: &BTreeMap<String, Form>, findings: &mut Findings) {
    for name in forms.keys() {
        if !item
            .tasks
            .values()
            .any(|task| task.form.as_deref() == Some(name))
        {
            let message = "没有任务使用这张表单，请删除或在任务中写 form。";
            findings.error(&format!("forms/{name}.json"), "", "form-unused", message);
        }
    }
}
