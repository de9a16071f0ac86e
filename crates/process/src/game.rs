//! The one token game: which transitions a state has, and what each does.
//!
//! `step` fires automatic transitions until none is left, choosing by conditions; exploring a
//! model means firing every transition with every choice. Both go through [`apply`].
//! Deliberately lacks conditions and any order of its own beyond "lowest flow first".

use serde::{Deserialize, Serialize};

use crate::error::StepError;
use crate::model::{Definition, FlowIx, Node, NodeIx, NodeKind, Split};
use crate::state::{ActivityId, Phase, State, Waiting};
use crate::timer::TimerSpec;

/// What happens in a transition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Action {
    /// The case starts.
    Start,
    /// The token on this flow enters the node it leads to.
    Pass {
        /// The flow.
        flow: FlowIx,
    },
    /// A parallel or inclusive gateway takes the tokens that it waited for.
    Join {
        /// The gateway.
        node: NodeIx,
    },
    /// An activity is left: a task completed, a service done, a timer fired.
    Leave {
        /// The activity.
        activity: ActivityId,
    },
}

impl Action {
    /// Whether it needs nobody: no input, only the token game itself.
    #[must_use]
    pub fn is_automatic(&self) -> bool {
        matches!(self, Action::Pass { .. } | Action::Join { .. })
    }
}

/// Which ways out are taken, as places in the node's `outgoing`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Choice {
    /// Every one, or none to choose from.
    All,
    /// One.
    One(u32),
    /// Those whose bit is set.
    Some(u32),
}

/// One transition of the token game.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Transition {
    /// What happens.
    pub action: Action,
    /// Which ways out are taken.
    pub choice: Choice,
}

/// What the caller has to do, in this order, together with storing the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Effect {
    /// Give a task to people; answer with `Complete`.
    CreateTask {
        /// The activity.
        activity: ActivityId,
        /// The user task.
        node: NodeIx,
    },
    /// Take a task away.
    CancelTask {
        /// The activity.
        activity: ActivityId,
        /// The user task.
        node: NodeIx,
    },
    /// Call a service or evaluate a policy; answer with `ServiceDone`.
    CallService {
        /// The activity.
        activity: ActivityId,
        /// The service or business rule task.
        node: NodeIx,
    },
    /// Forget a call whose answer is not wanted any more.
    CancelService {
        /// The activity.
        activity: ActivityId,
        /// The service or business rule task.
        node: NodeIx,
    },
    /// Start waiting for a time; answer with `TimerFired`.
    StartTimer {
        /// The timer's own activity.
        activity: ActivityId,
        /// The timer event.
        node: NodeIx,
        /// Boundary timer: the task's activity beside which it waits.
        host: Option<ActivityId>,
        /// What to wait for.
        spec: TimerSpec,
    },
    /// Stop waiting for a time.
    CancelTimer {
        /// The timer's activity.
        activity: ActivityId,
        /// The timer event.
        node: NodeIx,
    },
    /// An end event was reached; other branches may still run.
    EndReached {
        /// The end event.
        node: NodeIx,
    },
    /// The case is over. Always the last effect, and only once in a case.
    Ended {
        /// The node at which the last token went.
        node: NodeIx,
        /// Whether a terminate end event took the rest away.
        terminated: bool,
    },
}

/// A new state with what has to be done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Where the case stands now.
    pub state: State,
    /// What the caller has to do, in this order.
    pub effects: Vec<Effect>,
}

/// Every transition the state has, each choice by itself, whatever the conditions would say.
/// Empty for a case that is over, or stuck, or of another definition.
#[must_use]
pub fn enabled(definition: &Definition, state: &State) -> Vec<Transition> {
    let mut actions = Vec::new();
    match state.phase() {
        Phase::New => actions.push(Action::Start),
        Phase::Running => {
            actions.extend(automatic(definition, state));
            let leave = |w: &Waiting| Action::Leave { activity: w.id };
            actions.extend(state.waiting().iter().map(leave));
        }
        Phase::Ended | Phase::Cancelled => {}
    }
    let with_choices = actions.into_iter().flat_map(|action| {
        let choices = match chooser(definition, state, action) {
            Ok(Some(node)) => choices(definition, node),
            Ok(None) => vec![Choice::All],
            Err(_) => Vec::new(),
        };
        choices
            .into_iter()
            .map(move |choice| Transition { action, choice })
    });
    with_choices.collect()
}

/// Fires one transition and nothing after it.
///
/// # Errors
/// When the transition is not one of [`enabled`], or the case would grow beyond its limits.
pub fn fire(
    definition: &Definition,
    state: &State,
    transition: Transition,
) -> Result<Step, StepError> {
    let mut next = state.clone();
    let mut effects = Vec::new();
    if let Some(node) = chooser(definition, state, transition.action)?
        && node.split == Split::Each
        && !choices(definition, node).contains(&transition.choice)
    {
        return Err(StepError::NotEnabled);
    }
    apply(definition, &mut next, transition, &mut effects)?;
    Ok(Step {
        state: next,
        effects,
    })
}

/// Automatic actions of a running case, lowest flow first.
pub(crate) fn automatic<'a>(
    definition: &'a Definition,
    state: &'a State,
) -> impl Iterator<Item = Action> + 'a {
    let mut before = None;
    state.tokens().iter().filter_map(move |&flow| {
        if before.replace(flow) == Some(flow) {
            return None;
        }
        let node = definition.at(definition.flow_at(flow)?.target)?;
        if !node.kind.joins() {
            return Some(Action::Pass { flow });
        }
        // Several tokens wait at one join: the lowest speaks for all.
        let speaks = node.incoming.iter().find(|way| state.has_token(**way)) == Some(&flow);
        (speaks && can_join(node, state)).then_some(Action::Join { node: node.index })
    })
}

/// The node out of which the action leads, or none where it only leads in.
pub(crate) fn chooser<'d>(
    definition: &'d Definition,
    state: &State,
    action: Action,
) -> Result<Option<&'d Node>, StepError> {
    let node = match action {
        Action::Start => definition.look(definition.start())?,
        Action::Join { node } => definition.look(node)?,
        Action::Leave { activity } => {
            let waiting = state.activity(activity);
            definition.look(waiting.ok_or(StepError::UnknownActivity(activity))?.node)?
        }
        Action::Pass { flow } => {
            let node = definition.look(definition.look_flow(flow)?.target)?;
            return Ok((node.kind == NodeKind::Exclusive).then_some(node));
        }
    };
    Ok(Some(node))
}

/// Carries out one transition on a working copy, which is worthless after an error.
pub(crate) fn apply(
    definition: &Definition,
    state: &mut State,
    transition: Transition,
    effects: &mut Vec<Effect>,
) -> Result<(), StepError> {
    let node = match transition.action {
        Action::Start => begin(definition, state)?,
        Action::Join { node } => join(definition, state, node)?,
        Action::Leave { activity } => leave(definition, state, activity, effects)?,
        Action::Pass { flow } => {
            state.take_token(flow)?;
            let node = definition.look(definition.look_flow(flow)?.target)?;
            if node.kind != NodeKind::Exclusive {
                if transition.choice != Choice::All {
                    return Err(StepError::NotEnabled);
                }
                return enter(definition, state, node, effects);
            }
            node
        }
    };
    send_on(state, node, transition.choice)?;
    finish(state, node, effects);
    Ok(())
}

/// Takes everything away and says what is cancelled.
pub(crate) fn clear(
    definition: &Definition,
    state: &mut State,
    effects: &mut Vec<Effect>,
) -> Result<(), StepError> {
    for waiting in state.clear() {
        effects.push(cancelling(definition, waiting)?);
    }
    Ok(())
}

fn begin<'d>(definition: &'d Definition, state: &mut State) -> Result<&'d Node, StepError> {
    if state.phase() != Phase::New {
        return Err(StepError::NotEnabled);
    }
    state.set_phase(Phase::Running);
    definition.look(definition.start())
}

fn can_join(node: &Node, state: &State) -> bool {
    match &node.upstream {
        Some(upstream) => upstream.is_ready(state),
        None => node.incoming.iter().all(|flow| state.has_token(*flow)),
    }
}

fn join<'d>(
    definition: &'d Definition,
    state: &mut State,
    node: NodeIx,
) -> Result<&'d Node, StepError> {
    let node = definition.look(node)?;
    if !node.kind.joins() || !can_join(node, state) {
        return Err(StepError::NotEnabled);
    }
    for flow in &node.incoming {
        if state.has_token(*flow) {
            state.take_token(*flow)?;
        }
    }
    Ok(node)
}

fn enter(
    definition: &Definition,
    state: &mut State,
    node: &Node,
    effects: &mut Vec<Effect>,
) -> Result<(), StepError> {
    match node.kind {
        NodeKind::End => effects.push(Effect::EndReached { node: node.index }),
        NodeKind::Terminate => {
            effects.push(Effect::EndReached { node: node.index });
            clear(definition, state, effects)?;
            state.set_phase(Phase::Ended);
            effects.push(Effect::Ended {
                node: node.index,
                terminated: true,
            });
        }
        kind if kind.waits() => open(definition, state, node, effects)?,
        _ => return Err(StepError::ForeignState),
    }
    finish(state, node, effects);
    Ok(())
}

/// Opens an activity for a task or timer, and one for each timer beside it.
fn open(
    definition: &Definition,
    state: &mut State,
    node: &Node,
    effects: &mut Vec<Effect>,
) -> Result<(), StepError> {
    let activity = state.open_activity(node.index, None)?;
    let index = node.index;
    effects.push(match node.kind.timer() {
        Some(spec) => Effect::StartTimer {
            activity,
            node: index,
            host: None,
            spec,
        },
        None if node.kind == NodeKind::UserTask => Effect::CreateTask {
            activity,
            node: index,
        },
        None => Effect::CallService {
            activity,
            node: index,
        },
    });
    for beside in &node.boundaries {
        if let Some(spec) = definition.look(*beside)?.kind.timer() {
            let timer = state.open_activity(*beside, Some(activity))?;
            let host = Some(activity);
            effects.push(Effect::StartTimer {
                activity: timer,
                node: *beside,
                host,
                spec,
            });
        }
    }
    Ok(())
}

fn leave<'d>(
    definition: &'d Definition,
    state: &mut State,
    activity: ActivityId,
    effects: &mut Vec<Effect>,
) -> Result<&'d Node, StepError> {
    let left = state.close_activity(activity)?;
    let node = definition.look(left.node)?;
    let task = match node.kind {
        NodeKind::TimerBoundary {
            interrupting: true, ..
        } => {
            let host = left.host.ok_or(StepError::ForeignState)?;
            let task = state.close_activity(host)?;
            effects.push(cancelling(definition, task)?);
            host
        }
        _ => activity,
    };
    if state.waiting().iter().any(|w| w.host == Some(task)) {
        for timer in state.close_timers_of(task) {
            effects.push(cancelling(definition, timer)?);
        }
    }
    Ok(node)
}

fn cancelling(definition: &Definition, waiting: Waiting) -> Result<Effect, StepError> {
    let (activity, node) = (waiting.id, waiting.node);
    Ok(match definition.look(node)?.kind {
        NodeKind::UserTask => Effect::CancelTask { activity, node },
        NodeKind::ServiceTask | NodeKind::BusinessRuleTask => {
            Effect::CancelService { activity, node }
        }
        _ => Effect::CancelTimer { activity, node },
    })
}

/// Puts a token on every way out that the choice names.
fn send_on(state: &mut State, node: &Node, choice: Choice) -> Result<(), StepError> {
    match (node.split, choice) {
        (Split::All, Choice::All) => node.outgoing.iter().try_for_each(|f| state.put_token(*f)),
        (Split::First, Choice::One(place)) => {
            let flow = node.outgoing.get(place as usize);
            state.put_token(*flow.ok_or(StepError::NotEnabled)?)
        }
        (Split::Each, Choice::Some(mask)) => {
            let chosen = node.outgoing.iter().enumerate();
            chosen
                .filter(|(place, _)| mask >> place & 1 == 1)
                .try_for_each(|(_, flow)| state.put_token(*flow))
        }
        _ => Err(StepError::NotEnabled),
    }
}

fn finish(state: &mut State, node: &Node, effects: &mut Vec<Effect>) {
    if state.phase() == Phase::Running && state.is_empty() {
        state.set_phase(Phase::Ended);
        effects.push(Effect::Ended {
            node: node.index,
            terminated: false,
        });
    }
}

/// How the flows out of a node with [`Split::Each`] divide, as bit masks over `outgoing`.
pub(crate) struct Ways {
    /// Flows without a condition.
    pub(crate) always: u32,
    /// Flows with a condition.
    pub(crate) asked: u32,
    /// The default flow.
    pub(crate) default: u32,
}

impl Ways {
    pub(crate) fn out_of(definition: &Definition, node: &Node) -> Ways {
        let mut ways = Ways {
            always: 0,
            asked: 0,
            default: 0,
        };
        for (place, flow) in node.outgoing.iter().enumerate() {
            let bit = 1_u32.checked_shl(place as u32).unwrap_or(0);
            match definition.flow_at(*flow) {
                Some(flow) if flow.is_default => ways.default |= bit,
                Some(flow) if flow.condition.is_some() => ways.asked |= bit,
                _ => ways.always |= bit,
            }
        }
        ways
    }

    /// The ways taken when exactly the conditions in `held` hold; none when that is an error.
    pub(crate) fn taken(&self, held: u32) -> Option<Choice> {
        let chosen = if held == 0 { self.default } else { held };
        let mask = self.always | chosen;
        (mask != 0).then_some(Choice::Some(mask))
    }
}

/// Every choice that some outcome of the conditions leads to.
fn choices(definition: &Definition, node: &Node) -> Vec<Choice> {
    match node.split {
        Split::All => vec![Choice::All],
        Split::First => (0..node.outgoing.len() as u32).map(Choice::One).collect(),
        Split::Each => {
            let ways = Ways::out_of(definition, node);
            // Counts through the subsets of `asked`; the parser keeps its bits to sixteen.
            let mut held = 0_u32;
            let mut found = Vec::new();
            loop {
                found.extend(ways.taken(held));
                held = held.wrapping_sub(ways.asked) & ways.asked;
                if held == 0 {
                    return found;
                }
            }
        }
    }
}
