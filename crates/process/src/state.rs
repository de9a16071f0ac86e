//! Where a case stands: tokens on flows, and activities that wait for someone.
//!
//! The state is canonical: whatever the order in which it was reached, equal states are equal
//! values and serialise to equal bytes, because tokens are sorted by flow and activities by id.
//! What is read back is checked to be canonical. Deliberately lacks the data of the case.

use serde::{Deserialize, Serialize};

use crate::error::StepError;
use crate::model::{FlowIx, NodeIx};

/// Version of the stored form. A reader refuses versions it does not know.
pub const STATE_VERSION: u16 = 1;

/// Most tokens and activities a case may hold together.
pub(crate) const MAX_POSITIONS: usize = 10_000;

/// Number of an activity within its case: given once, from 1 upwards, never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ActivityId(pub u32);

/// How far a case is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Not started yet.
    New,
    /// On its way.
    Running,
    /// Over, because nothing is left in it or because a terminate end event was reached.
    Ended,
    /// Over, because it was cancelled from outside.
    Cancelled,
}

/// An activity that waits: a task for its completion, a timer for its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "StoredWaiting", into = "StoredWaiting")]
pub struct Waiting {
    /// The activity.
    pub id: ActivityId,
    /// The task or timer event it belongs to.
    pub node: NodeIx,
    /// Boundary timer: the task's activity beside which it waits.
    pub host: Option<ActivityId>,
}

/// Where a case stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct State {
    #[serde(rename = "v")]
    version: u16,
    phase: Phase,
    #[serde(rename = "next")]
    next_activity: u32,
    tokens: Vec<FlowIx>,
    waiting: Vec<Waiting>,
}

impl Default for State {
    fn default() -> State {
        State::new()
    }
}

impl State {
    /// A case that has not started.
    #[must_use]
    pub fn new() -> State {
        State {
            version: STATE_VERSION,
            phase: Phase::New,
            next_activity: 1,
            tokens: Vec::new(),
            waiting: Vec::new(),
        }
    }

    /// Version of the rules by which this state is stored.
    #[must_use]
    pub fn version(&self) -> u16 {
        self.version
    }

    /// How far the case is.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether the case is over, by its end or by cancelling.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Ended | Phase::Cancelled)
    }

    /// Whether nothing can happen any more although tokens are left: a gateway waits for ever.
    /// Meaningful for states that `step` returned, which have no automatic move left.
    #[must_use]
    pub fn is_stuck(&self) -> bool {
        self.phase == Phase::Running && self.waiting.is_empty()
    }

    /// Flows that hold a token, ascending, one entry a token.
    #[must_use]
    pub fn tokens(&self) -> &[FlowIx] {
        &self.tokens
    }

    /// Activities that wait, ascending by id.
    #[must_use]
    pub fn waiting(&self) -> &[Waiting] {
        &self.waiting
    }

    /// The waiting activity with this id.
    #[must_use]
    pub fn activity(&self, id: ActivityId) -> Option<&Waiting> {
        let place = self.waiting.binary_search_by_key(&id, |w| w.id).ok()?;
        self.waiting.get(place)
    }

    /// The same marking with activities numbered anew by node: states from which the same can
    /// happen become equal, however many activities each has seen. (Where one task is open twice
    /// with different timers left, two numberings may remain.) For exploring, not for storing.
    #[must_use]
    pub fn renumbered(&self) -> State {
        let mut order: Vec<&Waiting> = self.waiting.iter().collect();
        order.sort_by_key(|w| (w.host.is_some(), w.node, w.host, w.id));
        let number = |id: ActivityId| {
            let place = order.iter().position(|w| w.id == id).unwrap_or(0);
            ActivityId(place as u32 + 1)
        };
        let waiting = order.iter().map(|w| Waiting {
            id: number(w.id),
            node: w.node,
            host: w.host.map(number),
        });
        State {
            waiting: waiting.collect(),
            tokens: self.tokens.clone(),
            next_activity: self.waiting.len() as u32 + 1,
            ..*self
        }
    }

    pub(crate) fn set_phase(&mut self, phase: Phase) {
        self.phase = phase;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.tokens.is_empty() && self.waiting.is_empty()
    }

    pub(crate) fn has_token(&self, flow: FlowIx) -> bool {
        self.tokens.binary_search(&flow).is_ok()
    }

    pub(crate) fn put_token(&mut self, flow: FlowIx) -> Result<(), StepError> {
        self.check_room()?;
        let place = self.tokens.partition_point(|held| *held <= flow);
        self.tokens.insert(place, flow);
        Ok(())
    }

    pub(crate) fn take_token(&mut self, flow: FlowIx) -> Result<(), StepError> {
        let place = self.tokens.binary_search(&flow);
        self.tokens
            .remove(place.map_err(|_| StepError::NotEnabled)?);
        Ok(())
    }

    pub(crate) fn open_activity(
        &mut self,
        node: NodeIx,
        host: Option<ActivityId>,
    ) -> Result<ActivityId, StepError> {
        self.check_room()?;
        let id = ActivityId(self.next_activity);
        self.next_activity = self
            .next_activity
            .checked_add(1)
            .ok_or(StepError::TooManyTokens)?;
        self.waiting.push(Waiting { id, node, host });
        Ok(id)
    }

    pub(crate) fn close_activity(&mut self, id: ActivityId) -> Result<Waiting, StepError> {
        let place = self.waiting.binary_search_by_key(&id, |w| w.id);
        Ok(self
            .waiting
            .remove(place.map_err(|_| StepError::UnknownActivity(id))?))
    }

    /// Takes away the boundary timers of a task, oldest first.
    pub(crate) fn close_timers_of(&mut self, host: ActivityId) -> Vec<Waiting> {
        self.waiting
            .extract_if(.., |w| w.host == Some(host))
            .collect()
    }

    /// Takes away everything.
    pub(crate) fn clear(&mut self) -> Vec<Waiting> {
        self.tokens.clear();
        std::mem::take(&mut self.waiting)
    }

    fn check_room(&self) -> Result<(), StepError> {
        if self.tokens.len() + self.waiting.len() < MAX_POSITIONS {
            Ok(())
        } else {
            Err(StepError::TooManyTokens)
        }
    }
}

/// The stored form of an activity: `[id, node]`, or `[id, node, host]` for a boundary timer.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum StoredWaiting {
    Beside(ActivityId, NodeIx, ActivityId),
    Alone(ActivityId, NodeIx),
}

impl From<Waiting> for StoredWaiting {
    fn from(waiting: Waiting) -> StoredWaiting {
        match waiting.host {
            Some(host) => StoredWaiting::Beside(waiting.id, waiting.node, host),
            None => StoredWaiting::Alone(waiting.id, waiting.node),
        }
    }
}

impl From<StoredWaiting> for Waiting {
    fn from(stored: StoredWaiting) -> Waiting {
        let (id, node, host) = match stored {
            StoredWaiting::Beside(id, node, host) => (id, node, Some(host)),
            StoredWaiting::Alone(id, node) => (id, node, None),
        };
        Waiting { id, node, host }
    }
}

/// What was read, before it is known to be a state.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    v: u16,
    phase: Phase,
    next: u32,
    tokens: Vec<FlowIx>,
    waiting: Vec<Waiting>,
}

impl TryFrom<Stored> for State {
    type Error = String;

    fn try_from(stored: Stored) -> Result<State, String> {
        let ids = || stored.waiting.iter().map(|w| w.id);
        let known = |id: ActivityId| stored.waiting.binary_search_by_key(&id, |w| w.id).is_ok();
        let empty = stored.tokens.is_empty() && stored.waiting.is_empty();
        let rules = [
            (stored.v == STATE_VERSION, "unknown version"),
            (stored.tokens.is_sorted(), "tokens out of order"),
            (ids().is_sorted_by(|a, b| a < b), "activities out of order"),
            (
                ids().all(|id| id.0 >= 1 && id.0 < stored.next),
                "activity beyond the counter",
            ),
            (stored.next >= 1, "counter below 1"),
            (
                stored.waiting.iter().filter_map(|w| w.host).all(known),
                "timer beside nothing",
            ),
            (
                empty != (stored.phase == Phase::Running),
                "tokens do not fit the phase",
            ),
            (
                stored.tokens.len() + stored.waiting.len() <= MAX_POSITIONS,
                "too many tokens",
            ),
        ];
        if let Some((_, broken)) = rules.iter().find(|(holds, _)| !holds) {
            return Err(format!("process state: {broken}"));
        }
        Ok(State {
            version: stored.v,
            phase: stored.phase,
            next_activity: stored.next,
            tokens: stored.tokens,
            waiting: stored.waiting,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_canonical_states_are_read() {
        let check = |text: &str, expected: &str| {
            let found = match serde_json::from_str::<State>(text) {
                Ok(state) => serde_json::to_string(&state).unwrap(),
                Err(error) => error.to_string(),
            };
            assert!(found.starts_with(expected), "{text}\n{found}");
        };
        let same = |text: &str| check(text, text);
        same(r#"{"v":1,"phase":"new","next":1,"tokens":[],"waiting":[]}"#);
        same(r#"{"v":1,"phase":"running","next":4,"tokens":[2,2,5],"waiting":[[1,0],[3,7,1]]}"#);
        same(r#"{"v":1,"phase":"ended","next":9,"tokens":[],"waiting":[]}"#);
        let refused = [
            (
                r#"{"v":2,"phase":"new","next":1,"tokens":[],"waiting":[]}"#,
                "unknown version",
            ),
            (
                r#"{"v":1,"phase":"running","next":1,"tokens":[5,2],"waiting":[]}"#,
                "tokens out of",
            ),
            (
                r#"{"v":1,"phase":"running","next":4,"tokens":[],"waiting":[[2,0],[2,0]]}"#,
                "activities",
            ),
            (
                r#"{"v":1,"phase":"running","next":4,"tokens":[],"waiting":[[4,0]]}"#,
                "activity beyond",
            ),
            (
                r#"{"v":1,"phase":"running","next":4,"tokens":[],"waiting":[[3,0,2]]}"#,
                "timer beside",
            ),
            (
                r#"{"v":1,"phase":"running","next":4,"tokens":[],"waiting":[]}"#,
                "tokens do not fit",
            ),
            (
                r#"{"v":1,"phase":"ended","next":4,"tokens":[1],"waiting":[]}"#,
                "tokens do not fit",
            ),
        ];
        for (text, reason) in refused {
            check(text, &format!("process state: {reason}"));
        }
        check(
            r#"{"v":1,"phase":"new","next":1,"tokens":[],"waiting":[],"x":1}"#,
            "unknown field",
        );
    }
}
