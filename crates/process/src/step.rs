//! One input to a case: admit it, then run to rest. Deliberately lacks the rules of the token
//! game (`game`) and the data of the case, which the caller keeps and asks in [`Conditions`].

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::error::{ConditionError, StepError};
use crate::game::{self, Action, Choice, Effect, Step, Transition, Ways};
use crate::model::{Definition, Flow, Node, NodeIx, NodeKind, Split};
use crate::state::{ActivityId, Phase, State};

/// Most automatic transitions after one input. A model that needs more runs in a circle.
const MAX_AUTOMATIC: usize = 10_000;

/// What happened to a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Input {
    /// The case starts.
    Start,
    /// Somebody completed a user task; what came out of it is in the data of the case.
    Complete {
        /// The task's activity.
        activity: ActivityId,
    },
    /// A service or policy answered.
    ServiceDone {
        /// The call's activity.
        activity: ActivityId,
    },
    /// A time was reached.
    TimerFired {
        /// The timer's activity.
        activity: ActivityId,
    },
    /// The case is cancelled from outside (withdrawn, closed by law).
    Cancel,
}

/// Answers conditions from the data of a case.
pub trait Conditions {
    /// Whether the condition of this flow holds. Asked only for flows that have one, in document
    /// order, and for an exclusive gateway only until the first that holds.
    ///
    /// # Errors
    /// When there is no answer; the step stops and the state stays as it was.
    fn holds(&mut self, flow: &Flow) -> Result<bool, ConditionError>;
}

/// Takes one input and moves tokens until only people, services and timers can act.
///
/// Pure and deterministic: the same definition, state, input and answers give the same step.
///
/// # Errors
/// A [`StepError`] says why nothing happened; `state` is then still where the case stands.
pub fn step(
    definition: &Definition,
    state: &State,
    input: Input,
    conditions: &mut dyn Conditions,
) -> Result<Step, StepError> {
    check_fits(definition, state)?;
    if state.is_over() {
        return Err(StepError::AlreadyEnded);
    }
    let mut next = state.clone();
    let mut effects = Vec::new();
    match admit(definition, state, input)? {
        Some(action) => {
            take(definition, &mut next, action, conditions, &mut effects)?;
            run_to_rest(definition, &mut next, conditions, &mut effects)?;
        }
        None => {
            game::clear(definition, &mut next, &mut effects)?;
            next.set_phase(Phase::Cancelled);
        }
    }
    Ok(Step {
        state: next,
        effects,
    })
}

/// The action an input stands for, none for cancelling.
fn admit(
    definition: &Definition,
    state: &State,
    input: Input,
) -> Result<Option<Action>, StepError> {
    let (activity, fits): (ActivityId, fn(&NodeKind) -> bool) = match input {
        Input::Cancel => return Ok(None),
        Input::Start if state.phase() == Phase::New => return Ok(Some(Action::Start)),
        Input::Start => return Err(StepError::AlreadyStarted),
        Input::Complete { activity } => (activity, |kind| *kind == NodeKind::UserTask),
        Input::ServiceDone { activity } => (activity, |kind| {
            matches!(kind, NodeKind::ServiceTask | NodeKind::BusinessRuleTask)
        }),
        Input::TimerFired { activity } => (activity, |kind| kind.timer().is_some()),
    };
    let waiting = state
        .activity(activity)
        .ok_or(StepError::UnknownActivity(activity))?;
    let node = definition.look(waiting.node)?;
    if fits(&node.kind) {
        Ok(Some(Action::Leave { activity }))
    } else {
        Err(StepError::WrongInput {
            activity,
            node: node.id.clone(),
        })
    }
}

fn run_to_rest(
    definition: &Definition,
    state: &mut State,
    conditions: &mut dyn Conditions,
    effects: &mut Vec<Effect>,
) -> Result<(), StepError> {
    let mut circle: BTreeSet<NodeIx> = BTreeSet::new();
    for fired in 0..MAX_AUTOMATIC {
        let Some(action) = game::automatic(definition, state).next() else {
            return Ok(());
        };
        let target = match action {
            Action::Join { node } => Some(node),
            Action::Pass { flow } => Some(definition.look_flow(flow)?.target),
            Action::Start | Action::Leave { .. } => None,
        };
        // Once round every node is enough to have seen the circle.
        if fired + definition.nodes().len() >= MAX_AUTOMATIC {
            circle.extend(target);
        }
        take(definition, state, action, conditions, effects)?;
    }
    let nodes = circle
        .into_iter()
        .map(|node| definition.id_of(node))
        .collect();
    Err(StepError::Unbounded { nodes })
}

/// Fires the action with the choice that the conditions make.
fn take(
    definition: &Definition,
    state: &mut State,
    action: Action,
    conditions: &mut dyn Conditions,
    effects: &mut Vec<Effect>,
) -> Result<(), StepError> {
    let choice = match game::chooser(definition, state, action)? {
        Some(node) => choose(definition, node, conditions)?,
        None => Choice::All,
    };
    game::apply(definition, state, Transition { action, choice }, effects)
}

fn choose(
    definition: &Definition,
    node: &Node,
    conditions: &mut dyn Conditions,
) -> Result<Choice, StepError> {
    let choice = match node.split {
        Split::All => Some(Choice::All),
        Split::First => choose_first(definition, node, conditions)?,
        Split::Each => choose_each(definition, node, conditions)?,
    };
    choice.ok_or_else(|| StepError::NoConditionHeld {
        node: node.id.clone(),
    })
}

fn choose_first(
    definition: &Definition,
    node: &Node,
    conditions: &mut dyn Conditions,
) -> Result<Option<Choice>, StepError> {
    let mut default = None;
    for (place, flow) in node.outgoing.iter().enumerate() {
        let flow = definition.look_flow(*flow)?;
        if flow.is_default {
            default = Some(Choice::One(place as u32));
        } else if ask(node, flow, conditions)? {
            return Ok(Some(Choice::One(place as u32)));
        }
    }
    Ok(default)
}

fn choose_each(
    definition: &Definition,
    node: &Node,
    conditions: &mut dyn Conditions,
) -> Result<Option<Choice>, StepError> {
    let ways = Ways::out_of(definition, node);
    let mut held = 0_u32;
    for (place, flow) in node.outgoing.iter().enumerate() {
        let bit = ways.asked & 1_u32.checked_shl(place as u32).unwrap_or(0);
        if bit != 0 && ask(node, definition.look_flow(*flow)?, conditions)? {
            held |= bit;
        }
    }
    Ok(ways.taken(held))
}

fn ask(node: &Node, flow: &Flow, conditions: &mut dyn Conditions) -> Result<bool, StepError> {
    if flow.condition.is_none() {
        return Ok(true);
    }
    conditions
        .holds(flow)
        .map_err(|error| StepError::ConditionFailed {
            node: node.id.clone(),
            flow: flow.id.clone(),
            error,
        })
}

/// A stored state names nodes and flows by number: refuse one that cannot be of this definition.
fn check_fits(definition: &Definition, state: &State) -> Result<(), StepError> {
    if let Some(highest) = state.tokens().last() {
        definition.look_flow(*highest)?;
    }
    for waiting in state.waiting() {
        let node = definition.look(waiting.node)?;
        let host = waiting
            .host
            .and_then(|host| state.activity(host))
            .map(|host| host.node);
        if !node.kind.waits() || node.host != host {
            return Err(StepError::ForeignState);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
