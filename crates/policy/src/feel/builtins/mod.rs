//! The built-in functions of the standard, by family.

mod contexts;
mod lists;
mod numbers;
mod pattern;
mod ranges;
mod statistics;
mod strings;
mod temporal;

use std::sync::Arc;

use super::context::Context;
use super::evaluate::Env;
use super::function::Function;
use super::list::List;
use super::number::{Number, Round};
use super::value::Value;
use crate::finding::{Code, Fault};

/// A function of the standard.
pub struct Builtin {
    /// Name as the standard has it.
    pub(crate) name: &'static str,
    /// Parameter lists; a name that ends with `?` may be left out.
    pub(crate) parameters: &'static [&'static [&'static str]],
    /// Whether it takes any number of arguments from one on.
    pub(crate) variadic: bool,
    pub(crate) call: Call,
}

impl std::fmt::Debug for Builtin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

type Call = fn(&mut Env<'_>, &[Value]) -> Result<Value, Fault>;
type Outcome = Result<Value, Fault>;

impl Builtin {
    const fn new(
        name: &'static str,
        parameters: &'static [&'static [&'static str]],
        call: Call,
    ) -> Builtin {
        Builtin {
            name,
            parameters,
            variadic: false,
            call,
        }
    }

    /// A function of a list, or of its items as arguments.
    const fn of_list(name: &'static str, call: Call) -> Builtin {
        Builtin {
            name,
            parameters: &[&["list"]],
            variadic: true,
            call,
        }
    }

    /// Whether it takes so many arguments.
    pub(crate) fn takes(&self, count: usize) -> bool {
        if self.variadic {
            return count >= 1;
        }
        self.parameters.iter().any(|list| {
            let required = list.iter().filter(|p| !p.ends_with('?')).count();
            (required..=list.len()).contains(&count)
        })
    }
}

/// All built-in functions.
pub(crate) fn all_builtins() -> impl Iterator<Item = &'static Builtin> {
    [
        strings::FUNCTIONS,
        lists::FUNCTIONS,
        statistics::FUNCTIONS,
        numbers::FUNCTIONS,
        temporal::FUNCTIONS,
        ranges::FUNCTIONS,
        contexts::FUNCTIONS,
    ]
    .into_iter()
    .flatten()
}

// Arguments.

fn argument(arguments: &[Value], index: usize) -> &Value {
    arguments.get(index).unwrap_or(&Value::Null)
}

/// The item of a list of one where a single value is wanted.
fn single(value: &Value) -> &Value {
    match value {
        Value::List(items) => match &items[..] {
            [item] => item,
            _ => value,
        },
        _ => value,
    }
}

fn wrong(value: &Value, wanted: &str) -> Fault {
    let code = if value.is_null() {
        Code::NullOperand
    } else {
        Code::WrongType
    };
    Fault::new(code, format!("{} ≠ {wanted}", value.kind()))
}

fn text(arguments: &[Value], index: usize) -> Result<&Arc<str>, Fault> {
    match single(argument(arguments, index)) {
        Value::Text(text) => Ok(text),
        other => Err(wrong(other, "string")),
    }
}

fn number(arguments: &[Value], index: usize) -> Result<Number, Fault> {
    match single(argument(arguments, index)) {
        Value::Number(number) => Ok(*number),
        other => Err(wrong(other, "number")),
    }
}

/// A number cut off to an integer, as positions and lengths are.
fn integer(arguments: &[Value], index: usize) -> Result<i64, Fault> {
    let number = number(arguments, index)?;
    let whole = number.round_to(0, Round::Down).and_then(Number::to_i64);
    whole.ok_or_else(|| Fault::new(Code::OutOfRange, number.to_string()))
}

/// A list; a single value counts as a list of one.
fn list(arguments: &[Value], index: usize) -> Result<List, Fault> {
    match argument(arguments, index) {
        Value::List(items) => Ok(items.clone()),
        Value::Null => Err(wrong(&Value::Null, "list")),
        single => Ok(List::from(vec![single.clone()])),
    }
}

/// The items of one list, or the arguments themselves.
fn items(arguments: &[Value]) -> Result<List, Fault> {
    match arguments {
        [Value::List(items)] => Ok(items.clone()),
        [Value::Null] => Err(wrong(&Value::Null, "list")),
        several => Ok(List::from(several.to_vec())),
    }
}

fn context(arguments: &[Value], index: usize) -> Result<&Context, Fault> {
    match argument(arguments, index) {
        Value::Context(context) => Ok(context),
        other => Err(wrong(other, "context")),
    }
}

fn function(arguments: &[Value], index: usize) -> Result<&Function, Fault> {
    match argument(arguments, index) {
        Value::Function(function) => Ok(function),
        other => Err(wrong(other, "function")),
    }
}

fn out_of_range(what: impl Into<String>) -> Fault {
    Fault::new(Code::OutOfRange, what)
}

fn exact(result: Option<Number>) -> Outcome {
    result
        .map(Value::Number)
        .ok_or_else(|| Fault::new(Code::Overflow, ""))
}
