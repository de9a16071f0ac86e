//! What an evaluation did: the answer to *why*, ready to be stored and shown.

use serde::{Deserialize, Serialize};

use crate::feel::Value;
use crate::finding::Reason;

/// The result of an evaluation with its steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// The value of the decision.
    pub value: Value,
    /// Every decision that was evaluated, requirements first.
    pub steps: Vec<StepTrace>,
    /// Each null that an error caused; bounded.
    pub nulls: Vec<Reason>,
}

/// What kind of logic a decision has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepKind {
    /// A decision table.
    Table,
    /// Any other expression.
    Expression,
}

/// One decision that was evaluated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepTrace {
    /// Name of the decision.
    pub decision: String,
    /// Kind of its logic.
    pub kind: StepKind,
    /// What it required, by name.
    pub inputs: Vec<(String, Value)>,
    /// The rules of its tables that were met and count under the hit policy, in order.
    pub matched_rules: Vec<MatchedRule>,
    /// The rules that were not met, only where the evaluation was asked to explain.
    pub other_rules: Vec<MatchedRule>,
    /// Its value.
    pub value: Value,
}

/// A rule of a decision table with what its cells saw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MatchedRule {
    /// Position in the table from 1.
    pub index: usize,
    /// Id in the model, empty where it has none.
    pub id: String,
    /// Whether all cells were met.
    pub met: bool,
    /// Annotations by the name of their column, such as 依据条款.
    pub annotations: Vec<(String, String)>,
    /// The input cells in order.
    pub cells: Vec<CellTrace>,
}

/// An input cell of a rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CellTrace {
    /// The input's expression or label.
    pub input: String,
    /// The test as written.
    pub test: String,
    /// The value tested.
    pub value: Value,
    /// Whether it was met; `None` where that could not be said.
    pub met: Option<bool>,
}
