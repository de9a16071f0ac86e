//! What the rules of an item may ask about a case: the form's values, what tasks brought in, and
//! the outcome just given. Statistics of other cases are named in the item.

use policy::feel::{Context, Value};
use serde_json::Value as Json;

use super::queries::{CaseRow, TaskRow};
use crate::form::{Form, Values, number_value};
use crate::item::Package;
use crate::params;
use crate::refusal::Result;
use crate::store::Query;

/// The form's values with personal ones opened. Reads the party's key.
pub(super) fn open_form(q: &dyn Query, form: &Form, case: &CaseRow) -> Result<Values> {
    Ok(form.open(&case.form, &|sealed| q.open(case.party.0, sealed))?)
}

/// The context in which conditions, policies and checks of the item are evaluated. Later tasks'
/// values stand over earlier ones.
pub(super) fn context(
    package: &Package,
    values: &Values,
    tasks: &[TaskRow],
    outcome: &str,
) -> Context {
    let mut context = package.form.feel_context(values);
    for task in tasks {
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

/// Adds the figures over other cases that the checks of the item ask for: Σ numerator ÷ Σ
/// denominator of the cases that agree in `within`, this one left out.
pub(super) fn add_statistics(
    q: &dyn Query,
    package: &Package,
    case: &CaseRow,
    context: &mut Context,
) -> Result<()> {
    for statistic in package.statistics() {
        let mut values = params![
            case.id,
            case.item,
            statistic.numerator.as_str(),
            statistic.denominator.as_str()
        ]
        .to_vec();
        let mut sql = "SELECT COUNT(*), COALESCE(SUM(n.number_value), 0.0), COALESCE(SUM(d.number_value), 0.0) \
             FROM casework c \
             JOIN case_value n ON n.case_id = c.id AND n.name = ?3 \
             JOIN case_value d ON d.case_id = c.id AND d.name = ?4 \
             WHERE c.id <> ?1 AND c.item_id = ?2 \
             AND c.state NOT IN ('withdrawn', 'refused', 'rejected', 'removed', 'closed') AND n.number_value > 0 AND d.number_value > 0"
            .to_owned();
        for within in &statistic.within {
            if within == "region" {
                values.push(case.region.into());
                sql.push_str(&format!(" AND c.region_code = ?{}", values.len()));
                continue;
            }
            values.push(within.as_str().into());
            let name = values.len();
            values.push(case.id.into());
            sql.push_str(&format!(
                " AND EXISTS (SELECT 1 FROM case_value a JOIN case_value b ON b.name = a.name \
                 AND b.text_value = a.text_value WHERE a.case_id = c.id AND a.name = ?{name} \
                 AND b.case_id = ?{})",
                values.len()
            ));
        }
        let (count, numerator, denominator) = q.row(&sql, values, |row| {
            Ok((row.get::<u32>(0)?, row.get::<f64>(1)?, row.get::<f64>(2)?))
        })?;
        if count >= statistic.at_least && denominator > 0.0 {
            context.insert(
                statistic.name.as_str(),
                number_value(numerator / denominator),
            );
        }
    }
    Ok(())
}
