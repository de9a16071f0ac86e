//! Why an amount is what it is, and what the item's checks point out, as rows of the case page.

use serde_json::Value as Json;

use super::facts;
use super::measure;
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
    fn a_step_reads_as_a_sentence_with_its_clause() {
        let explanation = json!({ "evaluation": { "steps": [{
            "decision": "补贴标准",
            "inputs": [["申请人类型", { "text": "企业" }], ["并网日期", { "date": "2016-11-03" }]],
            "matched_rules": [{ "annotations": [["依据条款", "2016 年文件第三条"]] }],
            "value": { "number": "0.1" }
        }] } });
        let expected = WhyRow {
            what: "补贴标准".to_owned(),
            from: "申请人类型 企业，并网日期 2016-11-03".to_owned(),
            result: "0.1".to_owned(),
            clause: "2016 年文件第三条".to_owned(),
        };
        assert_eq!(why_rows(&explanation), vec![expected]);
        assert!(why_rows(&json!({})).is_empty());
    }
}
