//! Rules as data: DMN 1.3–1.6 models with FEEL expressions, read, typed and evaluated with reasons.
//!
//! It owns the whole way from text to result: the FEEL parser against a scope, the one typed tree,
//! exact decimal numbers, the standard's null and three-valued logic, decision tables, decision
//! requirements, and the trace that answers *why*.
//!
//! It deliberately lacks a clock, randomness, files and the network: what `now()` means is handed
//! in with [`EvalOptions`]. Functions that would call Java or PMML are refused with a finding.
//!
//! ```
//! use policy::feel::{Context, Number, Scope, Value};
//!
//! let scope = Scope::new().with("工业增加值(万元)").with("用地(亩)");
//! let expression = policy::parse_expression("工业增加值(万元) / 用地(亩)", &scope).unwrap();
//! let mut input = Context::new();
//! input.insert("工业增加值(万元)", Value::from(1360));
//! input.insert("用地(亩)", Value::from(10));
//! assert_eq!(expression.evaluate(&input).value, Value::Number(Number::from(136)));
//! ```
#![deny(missing_docs)]

pub mod dmn;
pub mod feel;
mod finding;
mod rounding;

pub use dmn::{
    CellTrace, Evaluation, InputData, MatchedRule, Model, Parsed, StepKind, StepTrace, parse_model,
    parse_models,
};
pub use feel::{EvalOptions, Evaluated, Expression, parse_expression, parse_unary_tests};
pub use finding::{Code, Finding, Reason, Severity};
pub use rounding::{AmountError, Rounding, RoundingError, to_fen};
