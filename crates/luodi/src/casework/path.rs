//! The way of a case so far: its stages, and what happened in it, from the rows themselves.

use jiff::Timestamp;

use super::queries::TaskRow;
use super::show::Facts;
use crate::store::day_in_china;
use crate::web::form::Stage;

/// Something that happened.
pub(super) struct Happened {
    pub(super) at: Timestamp,
    pub(super) what: String,
    pub(super) who: String,
    pub(super) note: String,
}

/// The stages in the order of the item, with what happened in each.
pub(super) fn stages(facts: &Facts) -> Vec<Stage> {
    let item = &facts.package.item;
    let stage_of = |task: &TaskRow| item.tasks.get(&task.node).map(|spec| spec.stage.as_str());
    let current = facts
        .tasks
        .iter()
        .rfind(|task| task.state == "open")
        .and_then(stage_of);
    let ended = facts.case.ended_at.is_some();
    let shown = facts.package.stages().into_iter().filter_map(|name| {
        let done: Vec<&TaskRow> = facts
            .tasks
            .iter()
            .filter(|task| stage_of(task) == Some(name.as_str()))
            .collect();
        let last = done.iter().filter_map(|task| task.completed_at).max();
        let state = match (current == Some(name.as_str()), last.is_some()) {
            (true, _) => "now",
            (false, true) => "done",
            // A correction nobody asked for, or a way not taken, is no stage of this case.
            (false, false) if ended || name == "补正" => return None,
            (false, false) => "todo",
        };
        Some(Stage {
            name,
            day: last.filter(|_| state != "now").map(day_in_china),
            state,
        })
    });
    let mut shown: Vec<Stage> = shown.collect();
    // A correction is no stage of the item's way, but where the case is now.
    if let Some(name) = current.filter(|name| shown.iter().all(|stage| stage.name != *name)) {
        let done = shown.iter().rposition(|stage| stage.state == "done");
        let stage = Stage {
            name: name.to_owned(),
            day: None,
            state: "now",
        };
        shown.insert(done.map_or(0, |at| at + 1), stage);
    }
    shown
}

/// What happened, newest first, from the rows themselves.
pub(super) fn trail(facts: &Facts) -> Vec<Happened> {
    let mut events = asked_by_rule(facts);
    let done = facts
        .tasks
        .iter()
        .filter(|task| task.state == "done")
        .filter_map(|task| {
            let outcome = task.outcome.as_deref().unwrap_or_default();
            let spec = facts.package.item.tasks.get(&task.node);
            let label = spec
                .and_then(|spec| spec.outcomes.iter().find(|o| o.value == outcome))
                .map_or(outcome, |outcome| outcome.label.as_str());
            Some(Happened {
                at: task.completed_at?,
                what: format!("{}：{label}", task.name),
                who: task.completed_by.clone().unwrap_or_default(),
                note: task.reason.clone().unwrap_or_default(),
            })
        });
    events.extend(done);
    let channel = if facts.case.channel == "window" {
        "窗口代为登记"
    } else {
        "网上提交"
    };
    events.push(Happened {
        at: facts.case.submitted_at,
        what: "提交申报".to_owned(),
        who: facts.case.party_name.clone(),
        note: channel.to_owned(),
    });
    events.sort_by_key(|event| std::cmp::Reverse(event.at));
    events
}

/// What the process asked by itself: not what the officer before it said.
fn asked_by_rule(facts: &Facts) -> Vec<Happened> {
    let specs = facts.package.item.tasks.values();
    let asks: Vec<&String> = specs.filter_map(|spec| spec.asks.as_ref()).collect();
    let asked = facts.corrections.iter();
    asked
        .filter(|one| asks.contains(&&one.asked))
        .map(|one| Happened {
            at: one.asked_at,
            what: "按规则转为补正".to_owned(),
            who: "系统".to_owned(),
            note: one.asked.clone(),
        })
        .collect()
}
