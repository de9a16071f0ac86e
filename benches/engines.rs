//! The engines without a store: the city's subsidy by its DMN model, a condition in FEEL, a step of
//! its procedure.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use luodi::item::{self, Package};
use policy::feel::{Context, Scope, Value};
use process::{ConditionError, Conditions, Flow, Input, State};

use crate::report::{Figure, Report};
use crate::town;

const LONGEST: Duration = Duration::from_secs(2);
const MOST: u32 = 200_000;

/// The package of the subsidy, as it comes with the program.
pub fn package() -> Arc<Package> {
    let (_, files) = item::seeds()
        .into_iter()
        .find(|(name, _)| name == "pv-subsidy")
        .unwrap();
    item::prepare(&files).0.unwrap().package
}

pub fn measure(report: &mut Report) {
    let package = package();
    let mut context = package.form.feel_context(&town::values(&package, 0, true));
    context.insert("outcome", Value::from("accept"));
    let policy = package.policy.as_ref().unwrap();
    let rate = per_second(|| {
        black_box(policy.assess(black_box(&context)).unwrap());
    });
    report.add(Figure::new(
        "amount by the policy",
        "pv-subsidy, one thread",
        rate,
    ));
    condition(&context, report);
    step(&package, report);
}

fn condition(context: &Context, report: &mut Report) {
    let rate = per_second(|| {
        let scope = context
            .iter()
            .fold(Scope::new(), |scope, (name, _)| scope.with(name));
        let read = policy::parse_expression("outcome = \"accept\"", &scope).unwrap();
        assert_eq!(black_box(read.evaluate(context).value), Value::Bool(true));
    });
    let name = "condition of a flow read and evaluated";
    report.add(Figure::new(name, "one comparison, one thread", rate));
}

fn step(package: &Package, report: &mut Report) {
    let start = process::step(&package.process, &State::new(), Input::Start, &mut Accepted);
    let state = start.unwrap().state;
    let activity = state.waiting()[0].id;
    let rate = per_second(|| {
        let input = Input::Complete { activity };
        black_box(
            process::step(&package.process, black_box(&state), input, &mut Accepted).unwrap(),
        );
    });
    let over = "pv-subsidy, acceptance, one thread";
    report.add(Figure::new("step of the procedure", over, rate));
}

/// Answers as if the outcome were "accept".
struct Accepted;

impl Conditions for Accepted {
    fn holds(&mut self, flow: &Flow) -> Result<bool, ConditionError> {
        let asked = flow.condition.as_deref().unwrap_or_default();
        Ok(asked.contains("\"accept\""))
    }
}

fn per_second(mut work: impl FnMut()) -> f64 {
    let started = Instant::now();
    let mut count = 0;
    while count < MOST && started.elapsed() < LONGEST {
        work();
        count += 1;
    }
    f64::from(count) / started.elapsed().as_secs_f64()
}
