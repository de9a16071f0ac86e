//! Why an amount is what it is, and what the item's checks point out, as rows of the case page.

use serde_json::Value as Json;

use super::facts;
use super::queries::{CaseRow, tasks_of};
use crate::form::Values;
use crate::item::{Package, Remark};
use crate::refusal::Result;
use crate::store::Query;

/// One line of the reasoning: what was found and by which clause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WhyRow {
    /// What was evaluated.
    pub(super) what: String,
    /// From what: inputs with their values.
    pub(super) from: String,
    /// What came out.
    pub(super) result: String,
    /// The clause, where the rule names one.
    pub(super) clause: String,
}

/// The steps of a stored explanation, one row a decision, in the order of reasoning.
pub(super) fn why_rows(explanation: &Json) -> Vec<WhyRow> {
    let steps = explanation
        .get("evaluation")
        .and_then(|found| found.get("steps"))
        .and_then(Json::as_array);
    steps.into_iter().flatten().map(why_row).collect()
}

fn why_row(step: &Json) -> WhyRow {
    let inputs = step.get("inputs").and_then(Json::as_array);
    let inputs = inputs.into_iter().flatten().filter_map(|pair| {
        let name = pair.get(0)?.as_str()?;
        Some(format!("{name} {}", plain(pair.get(1)?)))
    });
    let rules = step.get("matched_rules").and_then(Json::as_array);
    let notes = rules.into_iter().flatten().flat_map(|rule| {
        let notes = rule.get("annotations").and_then(Json::as_array);
        notes
            .into_iter()
            .flatten()
            .filter_map(|note| note.get(1)?.as_str().map(str::to_owned))
    });
    WhyRow {
        what: step.get("decision").map(plain).unwrap_or_default(),
        from: inputs.collect::<Vec<_>>().join("，"),
        result: step.get("value").map(plain).unwrap_or_default(),
        clause: notes.collect::<Vec<_>>().join("；"),
    }
}

/// A stored value as people read it.
fn plain(value: &Json) -> String {
    match value {
        Json::Null => "（空）".to_owned(),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// What the item's checks point out in this case now.
pub(super) fn remarks(
    q: &dyn Query,
    package: &Package,
    case: &CaseRow,
    values: &Values,
) -> Result<Vec<Remark>> {
    let mut context = facts::context(package, values, &tasks_of(q, case.id)?, "");
    facts::add_statistics(q, package, case, &mut context)?;
    Ok(package.remarks(&context))
}
