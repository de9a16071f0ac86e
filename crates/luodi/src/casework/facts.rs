//! What the rules of an item may ask about a case: the form's values, what tasks brought in, and
//! the outcome just given. Figures over other cases are `measure`'s.

use policy::feel::{Context, Value};
use serde_json::Value as Json;

use super::queries::{CaseRow, TaskRow, tasks_of};
use crate::form::{Field, Form, Values};
use crate::item::Package;
use crate::refusal::Result;
use crate::store::Query;

/// The form's values with personal ones opened. Reads the party's key.
pub(super) fn open_form(q: &dyn Query, form: &Form, case: &CaseRow) -> Result<Values> {
    Ok(form.open(&case.form.read()?, &|sealed| q.open(case.party.0, sealed))?)
}

/// The context of an item's conditions and policy as the case stands: only what they ask for is
/// opened and read. `tasks` stand over those that are written.
pub(super) fn asked(
    q: &dyn Query,
    package: &Package,
    case: &CaseRow,
    (tasks, outcome): (&[TaskRow], &str),
) -> Result<Context> {
    let stored = package
        .form
        .part_of(&case.form.read()?, &|field| package.asks_for(field));
    let values = package
        .form
        .open(&stored, &|sealed| q.open(case.party.0, sealed))?;
    let wanted = |field: &Field| package.asks_for(field);
    // A task that is about to end is not written yet.
    let written = tasks_of(q, case.id)?.into_iter();
    let tasks: Vec<TaskRow> = written
        .map(|task| match tasks.iter().find(|now| now.id == task.id) {
            Some(now) => now.clone(),
            None => task,
        })
        .collect();
    Ok(of_fields(package, &values, &tasks, outcome, &wanted))
}

/// The context of conditions that ask for nothing but the outcome just given.
pub(super) fn outcome(outcome: &str) -> Context {
    let mut context = Context::new();
    context.insert("outcome", Value::from(outcome));
    context
}

/// The context in which conditions, policies and checks of the item are evaluated. Later tasks'
/// values stand over earlier ones. What was typed beside an outcome that needs a reason (turned
/// down, returned for correction) was not checked and does not count.
pub(super) fn context(
    package: &Package,
    values: &Values,
    tasks: &[TaskRow],
    outcome: &str,
) -> Context {
    of_fields(package, values, tasks, outcome, &|_| true)
}

fn of_fields(
    package: &Package,
    values: &Values,
    tasks: &[TaskRow],
    outcome: &str,
    wanted: &dyn Fn(&Field) -> bool,
) -> Context {
    let mut context = package.form.feel_context_of(values, wanted);
    let checked = tasks.iter().filter(|task| {
        let spec = package.item.tasks.get(&task.node);
        let ended = spec.zip(task.outcome.as_deref());
        ended.is_none_or(|(spec, outcome)| spec.takes_values(outcome))
    });
    for task in checked {
        if let (Some(form), Some(data @ Json::Object(_))) =
            (package.task_form(&task.node), &task.data)
        {
            let entered = form.feel_context_of(&Values::from_json(data.clone()), wanted);
            for (name, value) in entered.iter() {
                context.insert(name.clone(), value.clone());
            }
        }
    }
    context.insert("outcome", Value::from(outcome));
    context
}
