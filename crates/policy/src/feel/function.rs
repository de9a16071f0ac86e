//! Functions as values: built in, written in FEEL, or a decision service of the model.

use std::fmt;
use std::sync::Arc;

use super::builtins::Builtin;
use super::list::Extent;
use super::tree::Node;
use super::types::Type;
use super::value::Value;

/// A function; cloning shares.
#[derive(Clone)]
pub enum Function {
    /// A function of the standard.
    Builtin(&'static Builtin),
    /// A function written in FEEL, or a business knowledge model.
    Closure(Arc<Closure>),
    /// A decision service of the model under evaluation.
    Service(Arc<ServiceFunction>),
}

/// A FEEL function with the values that its body sees.
pub struct Closure {
    /// Name for messages.
    pub(crate) name: Arc<str>,
    pub(crate) parameters: Arc<[Parameter]>,
    pub(crate) body: Arc<Node>,
    pub(crate) captured: Vec<Value>,
    pub(crate) result: Type,
    /// Extent of the captured values.
    pub(crate) extent: Extent,
}

/// A named, typed parameter.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Name.
    pub name: Arc<str>,
    /// Declared type, `Any` where none is.
    pub ty: Type,
}

/// A decision service, called like a function with its inputs in order.
pub struct ServiceFunction {
    pub(crate) name: Arc<str>,
    pub(crate) element: usize,
    pub(crate) parameters: Arc<[Parameter]>,
}

impl Function {
    /// Name for messages, empty for a function literal.
    pub fn name(&self) -> &str {
        match self {
            Function::Builtin(builtin) => builtin.name,
            Function::Closure(closure) => &closure.name,
            Function::Service(service) => &service.name,
        }
    }

    pub(crate) fn extent(&self) -> Extent {
        match self {
            Function::Closure(closure) => closure.extent,
            Function::Builtin(_) | Function::Service(_) => Extent {
                depth: 0,
                weight: 1,
            },
        }
    }

    /// Number of parameters, where it is fixed.
    pub fn arity(&self) -> Option<usize> {
        match self {
            Function::Builtin(_) => None,
            Function::Closure(closure) => Some(closure.parameters.len()),
            Function::Service(service) => Some(service.parameters.len()),
        }
    }
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Function::Builtin(a), Function::Builtin(b)) => a.name == b.name,
            (Function::Closure(a), Function::Closure(b)) => Arc::ptr_eq(a, b),
            (Function::Service(a), Function::Service(b)) => a.element == b.element,
            _ => false,
        }
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "function {}", self.name())
    }
}
