//! Durable commands per second: applications, and completions of tasks by 64 callers who walk their
//! own cases, by 64 who choose at random, and by one.
//!
//! A completion is what a click brings about: its task is read as the page reads it, then the real
//! command runs under an idempotency key and is answered once it is on the disk.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use luodi::access::Actor;
use luodi::casework::{self, Completion};
use luodi::form::Values;
use luodi::ids::CaseId;
use luodi::store::{Command, Stats, Store, day_in_china};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;

use crate::floor::Floor;
use crate::report::{Cost, Figure, Report, percentiles};
use crate::town::{Town, key};

const CALLERS: usize = 64;
/// Cases of each caller who walks, from acceptance to approval.
const WALKED: usize = 20;
/// Cases the single caller walks.
const ALONE: usize = 60;
/// Cases beside those of the random callers.
pub const OWN_CASES: usize = CALLERS * WALKED + ALONE;
/// The longest of one run.
const LONGEST: Duration = Duration::from_secs(25);
/// Tasks of staff on the way to approval: accept, examine, inspect, decide.
const STEPS: usize = 4;

/// A case on its way.
#[derive(Clone, Copy, Debug)]
struct Case {
    id: CaseId,
    county: usize,
    step: usize,
}

/// Measures all of it and gives a case that is approved, to be looked at.
pub fn measure(town: &Town, cases: usize, floor: &Floor, report: &mut Report) -> CaseId {
    let mut all = submit(town, cases + OWN_CASES, floor, report);
    let alone = all.split_off(all.len() - ALONE);
    let own = all.split_off(all.len() - CALLERS * WALKED);
    // Of the county whose clerk looks at pages.
    let shown = own.iter().find(|case| case.county == 0).unwrap().id;

    let walking: Vec<Vec<Case>> = own.chunks(WALKED).map(<[Case]>::to_vec).collect();
    let over = format!("{CALLERS} callers, {WALKED} cases each");
    let run = Run::start(town);
    let took = walk(town, walking);
    run.end(
        "task completions, own cases",
        over,
        took,
        floor.grouped,
        report,
    );

    let over = format!("{CALLERS} callers, {cases} cases");
    let run = Run::start(town);
    let took = at_random(town, all);
    run.end(
        "task completions, at random",
        over,
        took,
        floor.grouped,
        report,
    );

    let run = Run::start(town);
    let took = walk(town, vec![alone]);
    let over = format!("1 caller, {ALONE} cases");
    run.end("task completions, alone", over, took, floor.single, report);
    shown
}

/// A stretch of work between two readings of the store's counters.
struct Run {
    store: Store,
    before: Stats,
    started: Instant,
}

impl Run {
    fn start(town: &Town) -> Self {
        Self {
            store: town.store.clone(),
            before: town.store.stats(),
            started: Instant::now(),
        }
    }

    fn end(self, name: &str, over: String, took: Vec<Duration>, floor: f64, report: &mut Report) {
        let seconds = self.started.elapsed().as_secs_f64();
        let (before, after) = (self.before, self.store.stats());
        let commands = (after.commands - before.commands) as f64;
        let each = |before: u64, after: u64| (after - before) as f64 / commands;
        let per_second = took.len() as f64 / seconds;
        report.add(Figure {
            of_floor: Some(per_second / floor),
            latency: Some(percentiles(took)),
            cost: Some(Cost {
                statements: each(before.statements, after.statements),
                bytes: each(before.bytes_written, after.bytes_written),
                commits: each(before.commits, after.commits),
            }),
            ..Figure::new(name, over, per_second)
        });
    }
}

/// Files the applications, each with its papers.
fn submit(town: &Town, count: usize, floor: &Floor, report: &mut Report) -> Vec<Case> {
    let run = Run::start(town);
    let next = AtomicUsize::new(0);
    let made = Mutex::new(Vec::with_capacity(count));
    let took = Mutex::new(Vec::with_capacity(count));
    together(CALLERS, |_| {
        for _ in 0..count {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                break;
            }
            let (actor, submission, papers) = town.application(number);
            let command = Command::new("case.submit", town.now());
            let command = command.once(key(format!("submit-{number}")));
            let begun = Instant::now();
            let done = town.store.write_once_blocking(command, move |tx| {
                casework::submit_with(tx, &actor, &submission, &papers)
            });
            let id = done.unwrap().value.case;
            took.lock().unwrap().push(begun.elapsed());
            let county = number % town.counties.len();
            made.lock().unwrap().push(Case {
                id,
                county,
                step: 0,
            });
        }
    });
    let over = format!("{CALLERS} callers, {count} cases");
    let took = took.into_inner().unwrap();
    run.end(
        "applications with 4 papers",
        over,
        took,
        floor.grouped,
        report,
    );
    made.into_inner().unwrap()
}

/// Each caller takes his cases from acceptance to approval, one after the other.
fn walk(town: &Town, callers: Vec<Vec<Case>>) -> Vec<Duration> {
    let took = Mutex::new(Vec::new());
    together(callers.len(), |caller| {
        for case in &callers[caller] {
            for step in 0..STEPS {
                let time = complete(town, Case { step, ..*case });
                took.lock().unwrap().push(time);
            }
        }
    });
    took.into_inner().unwrap()
}

/// Each caller takes any case that nobody holds, for one task.
fn at_random(town: &Town, cases: Vec<Case>) -> Vec<Duration> {
    let most = cases.len() * 2 / CALLERS;
    let pool = Mutex::new((cases, ChaCha20Rng::seed_from_u64(2)));
    let took = Mutex::new(Vec::new());
    let started = Instant::now();
    together(CALLERS, |_| {
        for _ in 0..most {
            let case = {
                let (cases, rng) = &mut *pool.lock().unwrap();
                let at = rng.random_range(0..cases.len());
                cases.swap_remove(at)
            };
            let time = complete(town, case);
            took.lock().unwrap().push(time);
            let step = case.step + 1;
            if step < STEPS {
                pool.lock().unwrap().0.push(Case { step, ..case });
            }
            if started.elapsed() > LONGEST {
                break;
            }
        }
    });
    took.into_inner().unwrap()
}

/// Runs so many callers at the same time and waits for all.
fn together(callers: usize, work: impl Fn(usize) + Sync) {
    std::thread::scope(|scope| {
        for caller in 0..callers {
            let work = &work;
            scope.spawn(move || work(caller));
        }
    });
}

/// Who does the n-th step, with which outcome and why.
fn who(town: &Town, case: Case) -> (Actor, &'static str, &'static str) {
    let county = &town.counties[case.county];
    match case.step {
        0 => (county.clerk.clone(), "accept", ""),
        1 => (
            county.handlers[0].clone(),
            "pass",
            "材料齐全，数据与抄表单一致。",
        ),
        2 => (county.handlers[0].clone(), "pass", ""),
        _ => (county.approver.clone(), "approve", "同意。"),
    }
}

/// What the officer fills in at the n-th step.
fn findings(town: &Town, step: usize) -> Values {
    let mut values = Values::default();
    if step == 2 {
        values.set("inspected_on", day_in_china(town.now()).to_string());
        values.set("measured_kw", "412.50");
        values.set("findings", "组件、逆变器和并网柜与备案材料一致。（示范）");
    }
    values
}

/// Completes the open task of a case and says how long the command took.
fn complete(town: &Town, case: Case) -> Duration {
    let id = case.id;
    let open = town.store.read_blocking(|q| casework::open_task(&**q, id));
    let open = open.unwrap();
    let (actor, outcome, reason) = who(town, case);
    let completion = Completion {
        case: open.case,
        task: open.id,
        version: open.version,
        outcome: outcome.to_owned(),
        reason: reason.to_owned(),
        correction: String::new(),
        values: findings(town, case.step),
        second_officer: (case.step == 2)
            .then(|| town.counties[case.county].handlers[1].account_id()),
    };
    let command = Command::new("case.complete_task", town.now());
    let command = command.once(key(format!("complete-{}", open.id)));
    let begun = Instant::now();
    let done = town.store.write_once_blocking(command, move |tx| {
        casework::complete_task(tx, &actor, &completion)
    });
    done.unwrap();
    begun.elapsed()
}
