//! Durable commands per second: applications, and completions of tasks by 64 callers who walk their
//! own cases, by 64 who choose at random, and by one. Cases are dealt out to those who walk in the order
//! they came in; once more each has those of a stretch, which lie far from the others'.
//!
//! A completion is what a click brings about: its task is read as the page reads it, then the real
//! command runs under an idempotency key and is answered once it is on the disk.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use luodi::access::Actor;
use luodi::casework::{self, Completed, Completion};
use luodi::form::Values;
use luodi::ids::CaseId;
use luodi::refusal::{Error, Result};
use luodi::store::{Command, Stats, Store, StoreError, Tx, day_in_china};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;

use crate::floor::Floor;
use crate::report::{Cost, Figure, Report, percentiles};
use crate::town::{Town, key};

const CALLERS: usize = 64;
/// What the two figures are called that everything else is compared with.
pub const OWN: &str = "task completions, own cases";
pub const AT_RANDOM: &str = "task completions, at random";
/// Cases of each caller who walks, from acceptance to approval.
const WALKED: usize = 100;
/// The same where a command has a commit of its own, or runs on a server.
const WALKED_ANEW: usize = 12;
/// Numbers of applications that are filed besides: each is for a meter of its own.
const ANEW: usize = 700_000;
const LATER: Range<usize> = 800_000..1_000_000;
/// Cases the single caller walks.
const ALONE: usize = 60;
/// Cases beside those of the random callers.
const OWN_CASES: usize = 2 * CALLERS * WALKED + ALONE;
/// The longest of one run.
const LONGEST: Duration = Duration::from_secs(25);
/// Tasks of staff on the way to approval: accept, examine, inspect, decide.
const STEPS: usize = 4;

/// A case on its way.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    id: CaseId,
    county: usize,
    step: usize,
}

/// Files so many applications, each with its papers.
pub fn fill(town: &Town, cases: usize) -> Vec<Case> {
    submit(town, 0..cases).0
}

/// Files applications until the process is killed.
pub fn fill_for_ever(town: &Town) {
    submit(town, LATER);
}

/// Measures all of it and gives a case that is approved, to be looked at.
pub fn measure(town: &Town, existing: Vec<Case>, floor: &Floor, report: &mut Report) -> CaseId {
    let first = existing.len();
    let run = Run::start(town);
    let (mut own, took) = submit(town, first..first + OWN_CASES);
    let over = format!("{CALLERS} callers, {OWN_CASES} cases");
    let name = "applications with 4 papers";
    run.end(name, over, took, floor.grouped, report);
    let alone = own.split_off(own.len() - ALONE);
    let together = own.split_off(CALLERS * WALKED);
    // Of the county whose clerk looks at pages.
    let shown = own.iter().find(|case| case.county == 0).unwrap().id;
    walk_all(town, OWN, dealt(&own), floor.grouped, report);
    let name = "task completions, own cases, filed together";
    let callers = together.chunks(WALKED).map(<[Case]>::to_vec).collect();
    walk_all(town, name, callers, floor.grouped, report);
    choose(town, AT_RANDOM, existing, floor.grouped, report);
    let run = Run::start(town);
    let took = walk(town, vec![alone]);
    let over = format!("1 caller, {ALONE} cases");
    run.end("task completions, alone", over, took, floor.single, report);
    shown
}

/// Files cases of their own for all callers, who then walk them.
pub fn walk_anew(town: &Town, name: &str, floor: f64, report: &mut Report) {
    let (own, _) = submit(town, ANEW..ANEW + CALLERS * WALKED_ANEW);
    walk_all(town, name, dealt(&own), floor, report);
}

/// Gives each caller his cases: one to each in turn, in the order they came in.
fn dealt(cases: &[Case]) -> Vec<Vec<Case>> {
    let of = |caller| {
        cases
            .iter()
            .skip(caller)
            .step_by(CALLERS)
            .copied()
            .collect()
    };
    (0..CALLERS).map(of).collect()
}

fn walk_all(town: &Town, name: &str, callers: Vec<Vec<Case>>, floor: f64, report: &mut Report) {
    let each = callers.first().map_or(0, Vec::len);
    let run = Run::start(town);
    let took = walk(town, callers);
    let over = format!("{CALLERS} callers, {each} cases each");
    run.end(name, over, took, floor, report);
}

/// Callers take any case that nobody holds.
pub fn choose(town: &Town, name: &str, cases: Vec<Case>, floor: f64, report: &mut Report) {
    let over = format!("{CALLERS} callers, {} cases", cases.len());
    let run = Run::start(town);
    let took = at_random(town, cases);
    run.end(name, over, took, floor, report);
}

/// A stretch of work between two readings of the store's counters.
struct Run {
    store: Store,
    before: Stats,
    /// None where a server does most of the work.
    cpu: Option<Duration>,
    writer: Option<Duration>,
    started: Instant,
}

/// What this process and its threads have had of the processors.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, after) = stat.rsplit_once(") ").unwrap();
    let fields: Vec<&str> = after.split(' ').collect();
    // utime and stime (proc_pid_stat(5)), in hundredths of a second on every Linux.
    let ticks = |at: usize| fields[at].parse::<u64>().unwrap();
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}

/// What the threads that write have had of the processors; the kernel counts it to the nanosecond.
fn writer_cpu() -> Option<Duration> {
    let mut all = None;
    for thread in std::fs::read_dir("/proc/self/task").ok()? {
        let of = |name: &str| std::fs::read_to_string(thread.as_ref().ok()?.path().join(name)).ok();
        if of("comm").is_some_and(|name| name.trim() == "store-writer") {
            // One that has just ended says nothing any more.
            let ran = of("schedstat").and_then(|it| it.split(' ').next()?.parse().ok());
            *all.get_or_insert(Duration::ZERO) += ran.map_or(Duration::ZERO, Duration::from_nanos);
        }
    }
    all
}

impl Run {
    fn start(town: &Town) -> Self {
        Self {
            store: town.store.clone(),
            before: town.store.stats(),
            cpu: town.is_file().then(cpu),
            writer: writer_cpu(),
            started: Instant::now(),
        }
    }

    fn end(self, name: &str, over: String, took: Vec<Duration>, floor: f64, report: &mut Report) {
        let seconds = self.started.elapsed().as_secs_f64();
        let cpu = self
            .cpu
            .map(|before| (cpu() - before).as_secs_f64() / took.len() as f64);
        let wrote = self.writer.zip(writer_cpu()).filter(|_| cpu.is_some());
        let (before, after) = (self.before, self.store.stats());
        let commands = (after.commands - before.commands) as f64;
        let each = |before: u64, after: u64| (after - before) as f64 / commands;
        let per_second = took.len() as f64 / seconds;
        report.add(Figure {
            of_floor: Some(per_second / floor),
            cpu,
            writer: wrote
                .and_then(|(before, after)| after.checked_sub(before))
                .map(|ran| ran.as_secs_f64() / took.len() as f64),
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

/// Files applications of these numbers, and says how long each took.
fn submit(town: &Town, numbers: Range<usize>) -> (Vec<Case>, Vec<Duration>) {
    let count = numbers.len();
    let next = AtomicUsize::new(numbers.start);
    let made = Mutex::new(Vec::new());
    let took = Mutex::new(Vec::new());
    together(CALLERS, |_| {
        for _ in 0..count {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= numbers.end {
                break;
            }
            let (actor, submission, papers) = town.application(number);
            let command = Command::new("case.submit", town.now());
            let command = command.once(key(format!("submit-{number}")));
            let begun = Instant::now();
            let done = sent(town, &command, move |tx| {
                casework::submit_with(tx, &actor, &submission, &papers)
            });
            let id = done.case;
            took.lock().unwrap().push(begun.elapsed());
            let county = number % town.counties.len();
            made.lock().unwrap().push(Case {
                id,
                county,
                step: 0,
            });
        }
    });
    (made.into_inner().unwrap(), took.into_inner().unwrap())
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

/// Completes the open task of a case and says how long the command took, its decision before its
/// turn included, which is made from the moment the task is read at.
fn complete(town: &Town, case: Case) -> Duration {
    let id = case.id;
    let (actor, outcome, reason) = who(town, case);
    let open = town.store.read_blocking(|q| casework::open_task(&**q, id));
    let open = open.unwrap();
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
    let now = command.now;
    let ahead = town
        .store
        .read_blocking(|q| casework::decide_ahead(&**q, now, &actor, &completion));
    let ahead = Arc::new(ahead.unwrap());
    sent(town, &command, move |tx| {
        casework::complete_decided(tx, &actor, &completion, ahead.as_ref().as_ref())
    });
    begun.elapsed()
}

/// The most times a caller sends a command that lost every race against others on a server.
const SENT: usize = 1_000;

/// Gives a command to the store, again under its key where others were faster each time.
fn sent(
    town: &Town,
    command: &Command,
    f: impl Fn(&Tx<'_>) -> Result<Completed> + Clone + Send + Sync + 'static,
) -> Completed {
    for _ in 0..SENT {
        match town.store.write_once_blocking(command.clone(), f.clone()) {
            Err(Error::Store(StoreError::Raced(_))) => {}
            done => return done.unwrap().value,
        }
    }
    panic!("a command lost every race");
}
