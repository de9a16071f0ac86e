//! Whether a value is of a type, and bringing it to a declared type by the implicit conversions.

use super::evaluate::Env;
use super::function::Function;
use super::time::DateTime;
use super::types::Type;
use super::value::Value;
use crate::finding::{Code, Fault};

/// Deepest nesting of values that is looked into.
const MAX_NESTING: usize = 64;

/// `value instance of type`; null is of no type, allowed values do not matter.
pub(crate) fn instance_of(value: &Value, ty: &Type) -> bool {
    !value.is_null() && shaped(value, ty, 0)
}

/// Brings a value to a declared type: a list of one to its item and back, a date to midnight UTC.
///
/// # Errors
/// When the value is not of the type or not among its allowed values.
pub(crate) fn coerce(env: &mut Env<'_>, value: Value, ty: &Type) -> Result<Value, Fault> {
    if value.is_null() || matches!(ty, Type::Any) || conforms(env, &value, ty, 0) {
        return Ok(value);
    }
    if let Value::List(items) = &value
        && let [single] = &items[..]
        && !matches!(ty.base(), Type::List(_))
        && !single.is_null()
        && conforms(env, single, ty, 0)
    {
        return Ok(single.clone());
    }
    if let Type::List(item) = ty.base()
        && !matches!(value, Value::List(_))
        && conforms(env, &value, item, 0)
    {
        let list = Value::list([value]);
        return if conforms(env, &list, ty, 0) {
            Ok(list)
        } else {
            Err(refused(&list, ty))
        };
    }
    if let (Type::DateTime, Value::Date(date)) = (ty.base(), &value) {
        return Ok(Value::DateTime(DateTime::utc_midnight(*date)));
    }
    Err(refused(&value, ty))
}

fn refused(value: &Value, ty: &Type) -> Fault {
    let mut shown = value.to_string();
    if let Some((end, _)) = shown.char_indices().nth(80) {
        shown.truncate(end);
    }
    Fault::new(Code::NotAllowed, format!("{shown} ∉ {ty}"))
}

/// Whether a value is of a type including the allowed values; null is of every type.
fn conforms(env: &mut Env<'_>, value: &Value, ty: &Type, nesting: usize) -> bool {
    if value.is_null() || nesting > MAX_NESTING {
        return value.is_null();
    }
    match (ty, value) {
        (Type::Defined(defined), _) => {
            if !conforms(env, value, &defined.base, nesting + 1) {
                return false;
            }
            let Some(allowed) = &defined.allowed else {
                return true;
            };
            match (defined.base.base(), value) {
                (Type::List(_), Value::List(items)) => {
                    items.iter().all(|item| env.meets_apart(item, allowed))
                }
                _ => env.meets_apart(value, allowed),
            }
        }
        (Type::List(item), Value::List(items)) => {
            env.charge(items.len());
            items
                .iter()
                .all(|value| conforms(env, value, item, nesting + 1))
        }
        (Type::Context(entries), Value::Context(context)) => entries.iter().all(|(name, ty)| {
            context
                .get(name)
                .is_some_and(|value| conforms(env, value, ty, nesting + 1))
        }),
        _ => shaped(value, ty, nesting),
    }
}

/// Whether a value is of a type, whatever values the type allows.
fn shaped(value: &Value, ty: &Type, nesting: usize) -> bool {
    if value.is_null() || nesting > MAX_NESTING {
        return value.is_null();
    }
    let inner = |value: &Value, ty: &Type| shaped(value, ty, nesting + 1);
    match (ty, value) {
        (Type::Any, _)
        | (Type::Bool, Value::Bool(_))
        | (Type::Number, Value::Number(_))
        | (Type::Text, Value::Text(_))
        | (Type::Date, Value::Date(_))
        | (Type::Time, Value::Time(_))
        | (Type::DateTime, Value::DateTime(_))
        | (Type::DaysDuration, Value::DaysDuration(_))
        | (Type::MonthsDuration, Value::MonthsDuration(_)) => true,
        (Type::Defined(defined), _) => inner(value, &defined.base),
        (Type::List(item), Value::List(items)) => items.iter().all(|value| inner(value, item)),
        (Type::Range(end), Value::Range(range)) => {
            inner(&range.start, end) && inner(&range.end, end)
        }
        (Type::Context(entries), Value::Context(context)) => entries
            .iter()
            .all(|(name, ty)| context.get(name).is_some_and(|value| inner(value, ty))),
        (Type::Function(wanted), Value::Function(function)) => match function {
            Function::Closure(closure) => closure.parameters.len() == wanted.parameters.len(),
            Function::Service(service) => service.parameters.len() == wanted.parameters.len(),
            Function::Builtin(builtin) => builtin.takes(wanted.parameters.len()),
        },
        _ => false,
    }
}

impl Env<'_> {
    /// Whether a value meets allowed values, which see nothing but the value.
    pub(crate) fn meets_apart(&mut self, value: &Value, tests: &super::tree::UnaryTests) -> bool {
        self.in_frame([], |env| env.meets_tests(value, tests)) == Some(true)
    }
}
