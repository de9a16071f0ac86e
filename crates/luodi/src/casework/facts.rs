//! What the rules of an item may ask about a case: the form's values, what tasks brought in, and
//! the outcome just given. Figures over other cases are `measure`'s.

use policy::feel::{Context, Value};
use serde_json::Value as Json;

use super::queries::{CaseRow, TaskRow};
use crate::form::{Form, Values};
use crate::item::Package;
use crate::refusal::Result;
use crate::store::Query;

/// The form's values with personal ones opened. Reads the party's key.
pub(super) fn open_form(q: &dyn Query, form: &Form, case: &CaseRow) -> Result<Values> {
    Ok(form.open(&case.form, &|sealed| q.open(case.party.0, sealed))?)
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
    let mut context = package.form.feel_context(values);
    let checked = tasks.iter().filter(|task| {
        let spec = package.item.tasks.get(&task.node);
        let ended = spec.zip(task.outcome.as_deref());
        ended.is_none_or(|(spec, outcome)| spec.takes_values(outcome))
    });
    for task in checked {
        if let (Some(form), Some(data @ Json::Object(_))) =
            (package.task_form(&task.node), &task.data)
        {
            let entered = form.feel_context(&Values::from_json(data.clone()));
            for (name, value) in entered.iter() {
                context.insert(name.clone(), value.clone());
            }
        }
    }
    context.insert("outcome", Value::from(outcome));
    context
}
