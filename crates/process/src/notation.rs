//! A short way to write models and runs in tests.
//!
//! Model: a line lists nodes of a kind (`user accept review`) or flows (`begin -> accept -> g`,
//! `g -> pay : ok` with a condition, `g -> refuse : *` the default). A flow's id is
//! `source>target`. Timers: `timer pause P5D`, `interrupting late accept P5D`,
//! `reminding nag accept PT1H`.
//!
//! Run: `input => effects | state`. An input names a node that waits, `start` or `cancel`;
//! `[ok; paid]` lists the conditions that hold, a condition named `broken` fails. Effects: `+` task,
//! `-` task cancelled, `!` call, `?` call cancelled, `~` timer (`@` its task), `/` timer cancelled,
//! `.` end reached, `over`, `over!` by terminating. State: activities, tokens in `<>`, or its phase.

use std::fmt::Write as _;

use crate::{
    ActivityId, ConditionError, Conditions, Definition, Effect, Flow, Input, NodeIx, NodeKind,
    Phase, State, StepError, parse, step,
};

/// The model as BPMN XML.
pub(crate) fn xml(model: &str) -> String {
    let mut nodes = String::new();
    let mut flows = String::new();
    for line in model.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if line.contains("->") {
            write_flows(&mut flows, line);
        } else {
            write_nodes(&mut nodes, line, model);
        }
    }
    format!(
        r#"<m:definitions xmlns:m="http://www.omg.org/spec/BPMN/20100524/MODEL"><m:process id="p">{nodes}{flows}</m:process></m:definitions>"#
    )
}

fn write_nodes(out: &mut String, line: &str, model: &str) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let timed = |spec: &str| {
        format!(
            "<m:timerEventDefinition><m:timeDuration>{spec}</m:timeDuration></m:timerEventDefinition>"
        )
    };
    match words.as_slice() {
        ["timer", id, spec] => {
            let inside = timed(spec);
            write!(out, r#"<m:intermediateCatchEvent id="{id}">{inside}</m:intermediateCatchEvent>"#)
        }
        [kind @ ("interrupting" | "reminding"), id, host, spec] => {
            let (inside, cancel) = (timed(spec), *kind == "interrupting");
            write!(
                out,
                r#"<m:boundaryEvent id="{id}" attachedToRef="{host}" cancelActivity="{cancel}">{inside}</m:boundaryEvent>"#
            )
        }
        [kind, ids @ ..] => ids.iter().try_for_each(|id| {
            let (tag, inside) = match *kind {
                "start" => ("startEvent", ""),
                "end" => ("endEvent", ""),
                "terminate" => ("endEvent", "<m:terminateEventDefinition/>"),
                "user" => ("userTask", ""),
                "service" => ("serviceTask", ""),
                "rule" => ("businessRuleTask", ""),
                "xor" => ("exclusiveGateway", ""),
                "and" => ("parallelGateway", ""),
                "or" => ("inclusiveGateway", ""),
                tag => (tag, ""),
            };
            let default = default_of(model, id);
            write!(out, r#"<m:{tag} id="{id}"{default}>{inside}</m:{tag}>"#)
        }),
        [] => Ok(()),
    }
    .unwrap();
}

fn default_of(model: &str, id: &str) -> String {
    let target = model.lines().find_map(|line| {
        let (source, target) = line.trim().strip_suffix(": *")?.split_once(" -> ")?;
        (source.trim() == id).then(|| target.trim().to_owned())
    });
    target.map_or(String::new(), |target| {
        format!(r#" default="{id}&gt;{target}""#)
    })
}

fn write_flows(out: &mut String, line: &str) {
    let (chain, condition) = match line.split_once(" : ") {
        Some((chain, "*")) => (chain, ""),
        Some((chain, condition)) => (chain, condition),
        None => (line, ""),
    };
    let nodes: Vec<&str> = chain.split("->").map(str::trim).collect();
    for (place, pair) in nodes.windows(2).enumerate() {
        let inside = if condition.is_empty() || place + 2 < nodes.len() {
            String::new()
        } else {
            format!("<m:conditionExpression>{condition}</m:conditionExpression>")
        };
        let (source, target) = (pair[0], pair[1]);
        write!(
            out,
            r#"<m:sequenceFlow id="{source}&gt;{target}" sourceRef="{source}" targetRef="{target}">{inside}</m:sequenceFlow>"#
        )
        .unwrap();
    }
}

/// The model, which must be without errors.
pub(crate) fn definition(model: &str) -> Definition {
    let parsed = parse(&xml(model));
    parsed
        .definition
        .unwrap_or_else(|| panic!("{model}\n{:#?}", parsed.findings))
}

/// Conditions of which the listed hold.
pub(crate) struct Holding<'a>(pub(crate) Vec<&'a str>);

impl Conditions for Holding<'_> {
    fn holds(&mut self, flow: &Flow) -> Result<bool, ConditionError> {
        match flow.condition.as_deref() {
            Some("broken") => Err(ConditionError {
                message: "no such name".to_owned(),
            }),
            Some(condition) => Ok(self.0.contains(&condition)),
            None => Ok(true),
        }
    }
}

/// Plays the run from the beginning; every line's effects and state must be as written.
pub(crate) fn check(model: &str, run: &str) {
    check_definition(&definition(model), run);
}

/// [`check`] for a model that is already read.
pub(crate) fn check_definition(definition: &Definition, run: &str) {
    let mut state = State::new();
    let mut played = String::new();
    let lines = run.lines().map(str::trim).filter(|line| !line.is_empty());
    let expected: String = lines.clone().map(|line| format!("{line}\n")).collect();
    for line in lines {
        let (input, _) = line
            .split_once(" => ")
            .unwrap_or_else(|| panic!("no => in {line}"));
        let outcome = match play(definition, &state, input) {
            Ok((next, effects)) => {
                state = next;
                let effects: Vec<String> = effects
                    .iter()
                    .map(|effect| show_effect(definition, effect))
                    .collect();
                format!("{} | {}", effects.join(" "), show_state(definition, &state))
            }
            Err(error) => format!("{}: {error}", error.code()),
        };
        writeln!(played, "{input} => {}", outcome.trim_start()).unwrap();
    }
    assert_eq!(played, expected);
}

/// Takes one input as written in a run.
pub(crate) fn play(
    definition: &Definition,
    state: &State,
    text: &str,
) -> Result<(State, Vec<Effect>), StepError> {
    let (name, holding) = match text.split_once('[') {
        Some((name, rest)) => (name.trim(), rest.trim_end_matches(']')),
        None => (text.trim(), ""),
    };
    let input = match name {
        "start" => Input::Start,
        "cancel" => Input::Cancel,
        name => input_at(definition, state, name),
    };
    let mut conditions = Holding(holding.split(';').map(str::trim).collect());
    let step = step(definition, state, input, &mut conditions)?;
    Ok((step.state, step.effects))
}

/// The fitting input for the first activity at a node; `complete x` whatever fits, `#7` by number.
fn input_at(definition: &Definition, state: &State, name: &str) -> Input {
    if let Some(number) = name.strip_prefix('#') {
        return Input::Complete {
            activity: ActivityId(number.parse().unwrap()),
        };
    }
    let (forced, name) = match name.strip_prefix("complete ") {
        Some(name) => (true, name),
        None => (false, name),
    };
    let node = definition
        .node(name)
        .unwrap_or_else(|| panic!("no node {name}"));
    let waiting = state.waiting().iter().find(|w| w.node == node.index);
    let activity = waiting.map_or(ActivityId(0), |w| w.id);
    match node.kind {
        _ if forced => Input::Complete { activity },
        NodeKind::ServiceTask | NodeKind::BusinessRuleTask => Input::ServiceDone { activity },
        kind if kind.timer().is_some() => Input::TimerFired { activity },
        _ => Input::Complete { activity },
    }
}

fn show_effect(definition: &Definition, effect: &Effect) -> String {
    let id = |node: NodeIx| definition.at(node).unwrap().id.clone();
    match *effect {
        Effect::CreateTask { activity, node } => format!("+{}#{}", id(node), activity.0),
        Effect::CancelTask { activity, node } => format!("-{}#{}", id(node), activity.0),
        Effect::CallService { activity, node } => format!("!{}#{}", id(node), activity.0),
        Effect::CancelService { activity, node } => format!("?{}#{}", id(node), activity.0),
        Effect::StartTimer {
            activity,
            node,
            host: None,
            ..
        } => {
            format!("~{}#{}", id(node), activity.0)
        }
        Effect::StartTimer {
            activity,
            node,
            host: Some(host),
            ..
        } => {
            format!("~{}#{}@{}", id(node), activity.0, host.0)
        }
        Effect::CancelTimer { activity, node } => format!("/{}#{}", id(node), activity.0),
        Effect::EndReached { node } => format!(".{}", id(node)),
        Effect::Ended {
            terminated: false, ..
        } => "over".to_owned(),
        Effect::Ended {
            terminated: true, ..
        } => "over!".to_owned(),
    }
}

fn show_state(definition: &Definition, state: &State) -> String {
    match state.phase() {
        Phase::New => return "new".to_owned(),
        Phase::Ended => return "ended".to_owned(),
        Phase::Cancelled => return "cancelled".to_owned(),
        Phase::Running => {}
    }
    let waiting = state.waiting().iter();
    let activities = waiting.map(|w| format!("{}#{}", definition.at(w.node).unwrap().id, w.id.0));
    let tokens = state.tokens().iter();
    let tokens = tokens.map(|flow| format!("<{}>", definition.flow_at(*flow).unwrap().id));
    activities.chain(tokens).collect::<Vec<_>>().join(" ")
}
