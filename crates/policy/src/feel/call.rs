//! Calls: arguments by position or by name, to built-in functions, closures and decision services.

use std::sync::Arc;

use super::builtins::Builtin;
use super::coerce::coerce;
use super::evaluate::Env;
use super::function::{Closure, Function, Parameter};
use super::tree::{Arguments, Node};
use super::value::Value;
use crate::finding::{Code, Fault};

impl Env<'_> {
    pub(crate) fn eval_call(
        &mut self,
        function: &Node,
        arguments: &Arguments,
    ) -> Result<Value, Fault> {
        let function = match self.eval(function) {
            Value::Function(function) => function,
            other => return Err(Fault::new(Code::NotAFunction, other.kind())),
        };
        match arguments {
            Arguments::Positional(nodes) => {
                let values = self.eval_all(nodes);
                self.call(&function, values)
            }
            Arguments::Named(nodes) => {
                let values = self.eval_named(nodes);
                self.call_named(&function, &values)
            }
        }
    }

    fn eval_all(&mut self, nodes: &[Node]) -> Vec<Value> {
        nodes.iter().map(|node| self.eval(node)).collect()
    }

    fn eval_named(&mut self, nodes: &[(Arc<str>, Node)]) -> Vec<(Arc<str>, Value)> {
        nodes
            .iter()
            .map(|(name, node)| (name.clone(), self.eval(node)))
            .collect()
    }

    /// Calls a function with arguments in order.
    ///
    /// # Errors
    /// When the arguments do not fit or the function is not defined for them.
    pub(crate) fn call(
        &mut self,
        function: &Function,
        arguments: Vec<Value>,
    ) -> Result<Value, Fault> {
        self.spend(1)?;
        match function {
            Function::Builtin(builtin) => {
                if !builtin.takes(arguments.len()) {
                    return Err(wrong_count(builtin.name));
                }
                self.spend(weight_of(&arguments))?;
                (builtin.call)(self, &arguments)
            }
            Function::Closure(closure) => self.call_closure(closure, arguments),
            Function::Service(service) => {
                let arguments = self.coerced(&service.parameters, arguments, &service.name)?;
                self.call_service(service.element, arguments)
            }
        }
    }

    fn call_named(
        &mut self,
        function: &Function,
        named: &[(Arc<str>, Value)],
    ) -> Result<Value, Fault> {
        let parameters = match function {
            Function::Builtin(builtin) => {
                let arguments = by_name(builtin, named).ok_or_else(|| wrong_count(builtin.name))?;
                self.spend(1 + weight_of(&arguments))?;
                return (builtin.call)(self, &arguments);
            }
            Function::Closure(closure) => closure.parameters.clone(),
            Function::Service(service) => service.parameters.clone(),
        };
        let known = named
            .iter()
            .all(|(name, _)| parameters.iter().any(|p| p.name == *name));
        if !known || named.len() != parameters.len() {
            return Err(wrong_count(function.name()));
        }
        let value = |parameter: &Parameter| {
            named
                .iter()
                .find(|(name, _)| *name == parameter.name)
                .map_or(Value::Null, |(_, v)| v.clone())
        };
        let arguments = parameters.iter().map(value).collect();
        self.call(function, arguments)
    }

    fn call_closure(&mut self, closure: &Closure, arguments: Vec<Value>) -> Result<Value, Fault> {
        let arguments = self.coerced(&closure.parameters, arguments, &closure.name)?;
        let frame = closure.captured.iter().cloned().chain(arguments);
        let value = self.in_frame(frame, |env| env.eval(&closure.body));
        coerce(self, value, &closure.result)
    }

    fn coerced(
        &mut self,
        parameters: &[Parameter],
        arguments: Vec<Value>,
        name: &str,
    ) -> Result<Vec<Value>, Fault> {
        if parameters.len() != arguments.len() {
            return Err(wrong_count(name));
        }
        parameters
            .iter()
            .zip(arguments)
            .map(|(p, value)| coerce(self, value, &p.ty))
            .collect()
    }
}

/// What a built-in function may have to walk; most walk less, so it counts in part.
fn weight_of(arguments: &[Value]) -> usize {
    arguments
        .iter()
        .map(|value| value.extent().weight as usize / 8)
        .sum()
}

fn wrong_count(name: &str) -> Fault {
    Fault::new(Code::WrongArguments, format!("{name}()"))
}

/// Whether a value is of the kind that a parameter's name says, where names tell overloads apart.
fn fits(parameter: &str, value: &Value) -> bool {
    match parameter {
        "key" => !matches!(value, Value::List(_)),
        "keys" => matches!(value, Value::List(_)),
        _ => true,
    }
}

/// Named arguments in the order of the parameter list that has all their names.
fn by_name(builtin: &Builtin, named: &[(Arc<str>, Value)]) -> Option<Vec<Value>> {
    builtin.parameters.iter().find_map(|list| {
        let known = named
            .iter()
            .all(|(name, _)| list.iter().any(|p| p.trim_end_matches('?') == &**name));
        let given = |parameter: &str| named.iter().find(|(name, _)| **name == *parameter);
        let complete = list.iter().all(|p| p.ends_with('?') || given(p).is_some());
        let fitting = named.iter().all(|(name, value)| fits(name, value));
        if !known || !complete || !fitting {
            return None;
        }
        let last = list
            .iter()
            .rposition(|p| given(p.trim_end_matches('?')).is_some())?;
        let value =
            |p: &&str| given(p.trim_end_matches('?')).map_or(Value::Null, |(_, v)| v.clone());
        Some(list.iter().take(last + 1).map(value).collect())
    })
}
