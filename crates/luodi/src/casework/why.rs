//! Why an amount is what it is, and what the item's checks point out, as rows of the case page.

use serde_json::Value as Json;

use super::facts;
use super::measure;
use super::queries::{CaseRow, tasks_of};
use crate::form::{Values, grouped};
use crate::item::{Package, Remark};
use crate::refusal::Result;
use crate::store::Query;

/// One line of the reasoning: what was found and by which clause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WhyRow {
    /// What was evaluated.
    pub(super) what: String,
    /// From what: inputs with their values.
    pub(super) from: Vec<Figure>,
    /// What came out.
    pub(super) result: Figure,
    /// The clause, where the rule names one.
    pub(super) clause: String,
}

/// A value as people read it and as machines do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Figure {
    /// What it is called; empty for a result.
    pub(super) name: String,
    /// The value for people.
    pub(super) text: String,
    /// The unit; may be empty.
    pub(super) unit: String,
    /// The plain decimal; empty where it is no number.
    pub(super) number: String,
    /// It is a date.
    pub(super) day: bool,
}

/// The steps of a stored explanation, one row a decision, in the order of reasoning.
pub(super) fn why_rows(package: &Package, explanation: &Json) -> Vec<WhyRow> {
    let steps = explanation
        .get("evaluation")
        .and_then(|found| found.get("steps"))
        .and_then(Json::as_array);
    let steps = steps.into_iter().flatten();
    steps.map(|step| why_row(package, step)).collect()
}

fn why_row(package: &Package, step: &Json) -> WhyRow {
    let decision = step.get("decision").map(plain).unwrap_or_default();
    let inputs = step.get("inputs").and_then(Json::as_array);
    let inputs = inputs.into_iter().flatten().filter_map(|pair| {
        let name = pair.get(0)?.as_str()?;
        Some(figure(name, &unit(package, name), pair.get(1)?))
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
        from: inputs.collect(),
        result: step
            .get("value")
            .map(|value| figure("", &unit(package, &decision), value))
            .unwrap_or_default(),
        clause: notes.collect::<Vec<_>>().join("；"),
        what: decision,
    }
}

/// What the package counts a value in: a field's unit, or that of a decision the policy names.
fn unit(package: &Package, name: &str) -> String {
    if let Some(field) = package.field_named(name) {
        return field.unit.clone();
    }
    let settings = package.policy.as_ref().map(|policy| &policy.settings);
    match settings {
        Some(found) if found.decision == name => found.unit.clone(),
        Some(found) => match &found.rates {
            Some(rates) if rates.decision == name => rates.unit.clone(),
            _ => String::new(),
        },
        None => String::new(),
    }
}

fn figure(name: &str, unit: &str, value: &Json) -> Figure {
    let text = plain(value);
    let tagged = |tag: &str| value.get(tag).is_some();
    let number = if tagged("number") || value.is_number() {
        text.clone()
    } else {
        String::new()
    };
    Figure {
        name: name.to_owned(),
        unit: if number.is_empty() {
            String::new()
        } else {
            unit.to_owned()
        },
        text: if number.is_empty() {
            text
        } else {
            grouped(&number, 0)
        },
        number,
        day: tagged("date"),
    }
}

/// A stored value as people read it.
fn plain(value: &Json) -> String {
    match value {
        Json::Null => "（空）".to_owned(),
        Json::String(text) => text.clone(),
        // A tagged value: {"number": "0.1"}, {"date": "2016-07-01"}.
        Json::Object(tagged) if tagged.len() == 1 => {
            tagged.values().next().map(plain).unwrap_or_default()
        }
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
    measure::add(q, package, case, values, &mut context)?;
    Ok(package.remarks(&context))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_reads_with_its_unit_and_keeps_its_figure() {
        let kwh = figure("发电量", "kWh", &json!({ "number": "143000.5" }));
        assert_eq!((kwh.text.as_str(), kwh.unit.as_str()), ("143,000.5", "kWh"));
        assert_eq!(kwh.number, "143000.5");
        let day = figure("并网日期", "", &json!({ "date": "2016-11-03" }));
        assert!(day.day && day.number.is_empty());
        assert_eq!(day.text, "2016-11-03");
        let kind = figure("申请人类型", "", &json!({ "text": "企业" }));
        assert_eq!((kind.text.as_str(), kind.day), ("企业", false));
        assert_eq!(figure("", "元", &json!(null)).text, "（空）");
    }
}
