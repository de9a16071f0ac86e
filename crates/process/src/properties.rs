//! Properties of the token game over random models made of blocks: sequence, choice, parallel,
//! inclusive, loop, and tasks with timers beside them. Such models always come to their end.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;

use proptest::prelude::*;

use crate::notation::{definition, xml};
use crate::{
    ActivityId, ConditionError, Conditions, Definition, Flow, FlowIx, Input, NodeKind, Phase,
    State, enabled, fire, parse, step,
};

#[derive(Debug, Clone)]
enum Block {
    Task(&'static str),
    Timer,
    /// A task with a timer beside it, interrupting or not (then the reminder's branch ends alone).
    Timed(bool),
    Sequence(Vec<Block>),
    /// Gateway type, branches.
    Split(&'static str, Vec<Block>),
    Loop(Box<Block>),
}

fn blocks() -> impl Strategy<Value = Block> {
    let leaf = prop_oneof![
        4 => prop::sample::select(vec!["user", "service", "rule"]).prop_map(Block::Task),
        1 => Just(Block::Timer),
        1 => any::<bool>().prop_map(Block::Timed),
    ];
    leaf.prop_recursive(4, 14, 3, |inner| {
        let several = || prop::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            several().prop_map(Block::Sequence),
            several().prop_map(|branches| Block::Split("xor", branches)),
            several().prop_map(|branches| Block::Split("and", branches)),
            several().prop_map(|branches| Block::Split("or", branches)),
            inner.prop_map(|body| Block::Loop(Box::new(body))),
        ]
    })
}

/// Writes a block into a model; a block has one way in and one way out.
#[derive(Default)]
struct Writer {
    nodes: String,
    flows: String,
    count: u32,
}

impl Writer {
    fn model(block: &Block) -> String {
        let mut writer = Writer::default();
        let last = writer.block(block, "s", "");
        writer.flow(&last, "e", "");
        format!("start s\nend e\n{}{}", writer.nodes, writer.flows)
    }

    fn node(&mut self, kind: &str) -> String {
        self.count += 1;
        let id = format!("n{}", self.count);
        writeln!(self.nodes, "{kind} {id}").unwrap();
        id
    }

    fn flow(&mut self, source: &str, target: &str, condition: &str) {
        writeln!(self.flows, "{source} -> {target}{condition}").unwrap();
    }

    /// A node reached from `from`.
    fn next(&mut self, kind: &str, from: &str, condition: &str) -> String {
        let id = self.node(kind);
        self.flow(from, &id, condition);
        id
    }

    /// The block behind `from`; returns the node it ends with.
    fn block(&mut self, block: &Block, from: &str, condition: &str) -> String {
        match block {
            Block::Task(kind) => self.next(kind, from, condition),
            Block::Timer => {
                self.count += 1;
                let id = format!("n{}", self.count);
                writeln!(self.nodes, "timer {id} P1D").unwrap();
                self.flow(from, &id, condition);
                id
            }
            Block::Timed(interrupting) => self.timed(*interrupting, from, condition),
            Block::Sequence(parts) => {
                let mut last = self.block(&parts[0], from, condition);
                for part in &parts[1..] {
                    last = self.block(part, &last, "");
                }
                last
            }
            Block::Split(kind, branches) => self.split(kind, branches, from, condition),
            Block::Loop(body) => {
                let entry = self.next("xor", from, condition);
                let last = self.block(body, &entry, "");
                let exit = self.next("xor", &last, "");
                self.flow(&exit, &entry, " : again");
                self.next("user", &exit, " : *")
            }
        }
    }

    fn timed(&mut self, interrupting: bool, from: &str, condition: &str) -> String {
        let task = self.next("user", from, condition);
        self.count += 1;
        let timer = format!("n{}", self.count);
        let kind = if interrupting {
            "interrupting"
        } else {
            "reminding"
        };
        writeln!(self.nodes, "{kind} {timer} {task} P1D").unwrap();
        let late = self.next("user", &timer, "");
        if !interrupting {
            self.next("end", &late, "");
            return task;
        }
        let merge = self.next("xor", &task, "");
        self.flow(&late, &merge, "");
        merge
    }

    fn split(&mut self, kind: &str, branches: &[Block], from: &str, condition: &str) -> String {
        let split = self.next(kind, from, condition);
        let join = self.node(kind);
        for (place, branch) in branches.iter().enumerate() {
            let condition = match place {
                _ if kind == "and" => "",
                0 => " : *",
                _ => " : some",
            };
            let last = self.block(branch, &split, condition);
            self.flow(&last, &join, "");
        }
        join
    }
}

/// Answers by the flow and how often it was asked, so that the order among parallel branches does
/// not matter; from the fourth time on no, so that loops end.
struct Seeded {
    seed: u64,
    asked: BTreeMap<FlowIx, u64>,
}

impl Seeded {
    fn new(seed: u64) -> Seeded {
        Seeded {
            seed,
            asked: BTreeMap::new(),
        }
    }
}

impl Conditions for Seeded {
    fn holds(&mut self, flow: &Flow) -> Result<bool, ConditionError> {
        let asked = self.asked.entry(flow.index).or_default();
        *asked += 1;
        let mixed = (self.seed ^ (u64::from(flow.index.get()) << 32) ^ *asked)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(23)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Ok(*asked < 4 && mixed >> 63 == 1)
    }
}

fn input_for(definition: &Definition, state: &State, activity: ActivityId) -> Input {
    let node = definition
        .at(state.activity(activity).unwrap().node)
        .unwrap();
    match node.kind {
        NodeKind::UserTask => Input::Complete { activity },
        NodeKind::ServiceTask | NodeKind::BusinessRuleTask => Input::ServiceDone { activity },
        _ => Input::TimerFired { activity },
    }
}

/// Runs to the end, taking the waiting activity that `pick` chooses among so many.
fn run(
    definition: &Definition,
    seed: u64,
    mut pick: impl FnMut(&State) -> ActivityId,
) -> Vec<State> {
    let mut conditions = Seeded::new(seed);
    let mut states = vec![State::new()];
    let mut input = Input::Start;
    for _ in 0..5_000 {
        let before = states.last().unwrap();
        let taken = step(definition, before, input, &mut conditions).unwrap();
        assert!(!taken.state.is_stuck(), "{:?}", taken.state);
        let text = serde_json::to_string(&taken.state).unwrap();
        let read: State = serde_json::from_str(&text).unwrap();
        assert_eq!(read, taken.state);
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
        states.push(taken.state);
        let state = states.last().unwrap();
        if state.is_over() {
            return states;
        }
        input = input_for(definition, state, pick(state));
    }
    panic!("no end after 5,000 inputs");
}

/// Every state reachable by single transitions, or none where there are more than `limit`.
fn explore(definition: &Definition, limit: usize) -> Option<BTreeSet<State>> {
    let mut seen = BTreeSet::from([State::new()]);
    let mut open = VecDeque::from([State::new()]);
    while let Some(state) = open.pop_front() {
        let transitions = enabled(definition, &state);
        assert_eq!(transitions.is_empty(), state.is_over(), "stuck: {state:?}");
        for transition in transitions {
            let next = fire(definition, &state, transition)
                .unwrap()
                .state
                .renumbered();
            if seen.len() > limit {
                return None;
            }
            if seen.insert(next.clone()) {
                open.push_back(next);
            }
        }
    }
    Some(seen)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_run_ends_with_nothing_left(
        block in blocks(), seed: u64, picks in prop::collection::vec(any::<prop::sample::Index>(), 40),
    ) {
        let definition = definition(&Writer::model(&block));
        let mut picks = picks.iter().cycle();
        let states = run(&definition, seed, |state| {
            state.waiting()[picks.next().unwrap().index(state.waiting().len())].id
        });
        let last = states.last().unwrap();
        prop_assert_eq!(last.phase(), Phase::Ended);
        prop_assert!(last.tokens().is_empty() && last.waiting().is_empty());
    }

    /// Timers race with tasks and so do decide; without them the order decides nothing.
    #[test]
    fn the_order_of_parallel_work_leaves_no_trace(
        block in blocks(), seed: u64, picks in prop::collection::vec(any::<prop::sample::Index>(), 40),
    ) {
        let definition = definition(&Writer::model(&block));
        let settles = |state: &State| {
            let waiting = state.waiting().iter().filter(|w| w.host.is_none());
            waiting.map(|w| w.id).collect::<Vec<_>>()
        };
        let first = run(&definition, seed, |state| settles(state)[0]);
        let mut picks = picks.iter().cycle();
        let other = run(&definition, seed, |state| {
            let able = settles(state);
            able[picks.next().unwrap().index(able.len())]
        });
        let bytes = |states: &[State]| serde_json::to_vec(states.last().unwrap()).unwrap();
        prop_assert_eq!(bytes(&first), bytes(&other));
    }

    #[test]
    fn exploring_never_sticks_and_covers_every_step(
        block in blocks(), seed: u64, picks in prop::collection::vec(any::<prop::sample::Index>(), 40),
    ) {
        let definition = definition(&Writer::model(&block));
        if let Some(explored) = explore(&definition, 2_000) {
            let mut picks = picks.iter().cycle();
            let states = run(&definition, seed, |state| {
                state.waiting()[picks.next().unwrap().index(state.waiting().len())].id
            });
            for state in states {
                prop_assert!(explored.contains(&state.renumbered()), "{:?}", state);
            }
        }
    }

    #[test]
    fn no_file_makes_reading_panic(
        block in blocks(), cut in any::<prop::sample::Index>(), len in 0_usize..30, put in "[<>/= a-z\"&;:]{0,8}",
    ) {
        let mut text = xml(&Writer::model(&block));
        let from = cut.index(text.len());
        let to = (from + len).min(text.len());
        if text.is_char_boundary(from) && text.is_char_boundary(to) {
            text.replace_range(from..to, &put);
        }
        let parsed = parse(&text);
        let refused = parsed.findings.iter().any(|found| found.severity == crate::Severity::Error);
        prop_assert_eq!(parsed.definition.is_none(), refused);
    }

    #[test]
    fn no_state_makes_a_step_panic(
        block in blocks(),
        tokens in prop::collection::vec(0_u32..30, 0..4),
        waiting in prop::collection::vec((0_u32..30, prop::option::of(1_u32..4)), 0..4),
    ) {
        let definition = definition(&Writer::model(&block));
        let mut tokens = tokens;
        tokens.sort_unstable();
        let waiting: Vec<serde_json::Value> = waiting
            .iter()
            .enumerate()
            .map(|(place, (node, host))| match host {
                Some(host) => serde_json::json!([place + 1, node, host]),
                None => serde_json::json!([place + 1, node]),
            })
            .collect();
        let next = waiting.len() + 1;
        let value = serde_json::json!({
            "v": 1, "phase": "running", "next": next, "tokens": tokens, "waiting": waiting,
        });
        if let Ok(state) = serde_json::from_value::<State>(value) {
            for transition in enabled(&definition, &state) {
                let _ = fire(&definition, &state, transition);
            }
            for number in 0..4 {
                let activity = ActivityId(number);
                let inputs = [
                    Input::Complete { activity },
                    Input::TimerFired { activity },
                    Input::ServiceDone { activity },
                    Input::Cancel,
                ];
                for input in inputs {
                    let _ = step(&definition, &state, input, &mut Seeded::new(1));
                }
            }
        }
    }
}
