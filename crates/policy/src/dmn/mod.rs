//! DMN models: read from XML, evaluated by their requirements, traced.

mod boxed;
mod items;
mod model;
mod read;
pub(crate) mod table;
mod trace;
mod xml;

pub(crate) use model::Core;
pub use model::{InputData, Model, Parsed};
pub use read::{parse_model, parse_models};
pub use trace::{CellTrace, Evaluation, MatchedRule, StepKind, StepTrace};
