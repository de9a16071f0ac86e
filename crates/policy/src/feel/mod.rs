//! FEEL: values, types, parser, one typed tree, evaluation.
//!
//! Models, decision tables and traces are in `dmn`.

mod arithmetic;
mod builtins;
mod call;
mod check;
mod coerce;
mod compare;
mod context;
mod date;
mod duration;
mod evaluate;
mod exact;
mod function;
mod iterate;
mod lexer;
mod list;
mod number;
pub(crate) mod parser;
mod properties;
mod range;
mod scope;
mod stored;
mod time;
pub(crate) mod tree;
mod typed;
mod types;
mod value;

#[cfg(test)]
mod properties_tests;
#[cfg(test)]
mod tests;

pub use compare::{equal, identical, order};
pub use context::Context;
pub use date::Date;
pub use duration::{DaysDuration, MonthsDuration};
pub use evaluate::EvalOptions;
pub use function::{Function, Parameter};
pub use list::List;
pub use number::{Number, Round};
pub use range::{Range, RangeKind};
pub use scope::Scope;
pub use time::{DateTime, NamedZone, Time, Zone};
pub use tree::UnaryTests;
pub use types::{DefinedType, FunctionType, Type, TypeTable};
pub use value::Value;

pub(crate) use coerce::coerce;
pub(crate) use evaluate::Env;
pub(crate) use function::ServiceFunction;

use std::sync::Arc;

use crate::finding::{Finding, Reason};
use tree::Node;

/// An expression read against a scope; cloning shares.
#[derive(Clone, Debug)]
pub struct Expression {
    node: Arc<Node>,
    names: Arc<[Arc<str>]>,
    warnings: Arc<[Finding]>,
}

/// The value of an expression, and why there are nulls.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluated {
    /// The value.
    pub value: Value,
    /// Each null that an error caused, in order; bounded.
    pub nulls: Vec<Reason>,
}

/// Reads an expression.
///
/// # Errors
/// All that is wrong with it, with lines and columns.
pub fn parse_expression(text: &str, scope: &Scope) -> Result<Expression, Vec<Finding>> {
    let read = parser::expression(text, scope)
        .map_err(|faults| parser::to_findings(faults, text, "", (1, 1)))?;
    Ok(Expression {
        node: Arc::new(read.value),
        names: scope.names.iter().map(|(name, _)| name.clone()).collect(),
        warnings: parser::to_warnings(read.warnings, text, "", (1, 1)).into(),
    })
}

/// Reads unary tests, as in a cell of a decision table; `?` is the value tested.
///
/// # Errors
/// All that is wrong with them, with lines and columns.
pub fn parse_unary_tests(
    text: &str,
    scope: &Scope,
    tested: &Type,
) -> Result<UnaryTests, Vec<Finding>> {
    match parser::unary_tests(text, scope, tested) {
        Ok(read) => Ok(read.value),
        Err(faults) => Err(parser::to_findings(faults, text, "", (1, 1))),
    }
}

impl Expression {
    /// The value for the names of the scope; a name that is not given is null.
    pub fn evaluate(&self, input: &Context) -> Evaluated {
        self.evaluate_with(input, &EvalOptions::default())
    }

    /// The same with a current moment.
    pub fn evaluate_with(&self, input: &Context, options: &EvalOptions) -> Evaluated {
        let mut env = Env::new(options, None);
        let frame: Vec<Value> = self
            .names
            .iter()
            .map(|name| input.get(name).cloned().unwrap_or(Value::Null))
            .collect();
        let value = env.in_frame(frame, |env| env.eval(&self.node));
        Evaluated {
            value,
            nulls: env.nulls,
        }
    }

    /// Operands whose types can only give null.
    pub fn warnings(&self) -> &[Finding] {
        &self.warnings
    }

    /// The type, as far as it is known without values.
    pub fn result_type(&self) -> &Type {
        &self.node.ty
    }
}

impl UnaryTests {
    /// Whether a value meets the tests; `None` where that cannot be said. Names are as in the scope.
    pub fn meets(&self, value: &Value, scope: &Scope, input: &Context) -> Option<bool> {
        let options = EvalOptions::default();
        let frame: Vec<Value> = scope
            .names
            .iter()
            .map(|(name, _)| input.get(name).cloned().unwrap_or(Value::Null))
            .collect();
        Env::new(&options, None).in_frame(frame, |env| env.meets_tests(value, self))
    }
}

/// The value of an at-literal's text: a date, time, moment or duration.
pub(crate) fn literal_of_text(text: &str) -> Option<Value> {
    Date::parse(text)
        .map(Value::Date)
        .or_else(|| Time::parse(text).map(Value::Time))
        .or_else(|| DateTime::parse(text).map(Value::DateTime))
        .or_else(|| DaysDuration::parse(text).map(Value::DaysDuration))
        .or_else(|| MonthsDuration::parse(text).map(Value::MonthsDuration))
}

/// The type of a literal value.
pub(crate) fn type_of(value: &Value) -> Type {
    match value {
        Value::Null => Type::Null,
        Value::Bool(_) => Type::Bool,
        Value::Number(_) => Type::Number,
        Value::Text(_) => Type::Text,
        Value::Date(_) => Type::Date,
        Value::Time(_) => Type::Time,
        Value::DateTime(_) => Type::DateTime,
        Value::DaysDuration(_) => Type::DaysDuration,
        Value::MonthsDuration(_) => Type::MonthsDuration,
        Value::List(_) | Value::Context(_) | Value::Range(_) | Value::Function(_) => Type::Any,
    }
}
