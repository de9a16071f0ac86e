//! What types alone tell: results of operators, and operands that can only give null.
//!
//! Nothing is said where a type is not known. A mismatch is a warning, because the standard defines
//! its value: null.

use std::mem::discriminant;

use super::tree::{Arithmetic, Comparison};
use super::types::Type;

/// The type of an arithmetic result; `None` where the operands can only give null.
pub(crate) fn arithmetic(operator: Arithmetic, left: &Type, right: &Type) -> Option<Type> {
    use Arithmetic::{Add, Divide, Multiply, Power, Subtract};
    use Type::{Date, DateTime, DaysDuration, MonthsDuration, Number, Text, Time};
    let (left, right) = (left.base(), right.base());
    if unknown(left) || unknown(right) {
        return Some(Type::Any);
    }
    match (operator, left, right) {
        (_, Number, Number) => Some(Number),
        (Power, _, _) => None,
        (Add, Text, Text) => Some(Text),
        (Add | Subtract, DaysDuration, DaysDuration) => Some(DaysDuration),
        (Add | Subtract, MonthsDuration, MonthsDuration) => Some(MonthsDuration),
        (Add | Subtract, moment @ (Date | DateTime), DaysDuration | MonthsDuration)
        | (Add | Subtract, moment @ Time, DaysDuration)
        | (Add, DaysDuration | MonthsDuration, moment @ (Date | DateTime))
        | (Add, DaysDuration, moment @ Time) => Some(moment.clone()),
        (Subtract, Date | DateTime, Date | DateTime) | (Subtract, Time, Time) => Some(DaysDuration),
        (Multiply, duration @ (DaysDuration | MonthsDuration), Number)
        | (Multiply, Number, duration @ (DaysDuration | MonthsDuration))
        | (Divide, duration @ (DaysDuration | MonthsDuration), Number) => Some(duration.clone()),
        (Divide, DaysDuration, DaysDuration) | (Divide, MonthsDuration, MonthsDuration) => {
            Some(Number)
        }
        _ => None,
    }
}

/// Whether a comparison can give a truth value.
pub(crate) fn comparable(operator: Comparison, left: &Type, right: &Type) -> bool {
    let (left, right) = (left.base(), right.base());
    let null = matches!(left, Type::Null) || matches!(right, Type::Null);
    match operator {
        Comparison::Equal | Comparison::NotEqual => {
            null || unknown(left) || unknown(right) || discriminant(left) == discriminant(right)
        }
        _ if null => false,
        _ => {
            unknown(left)
                || unknown(right)
                || (discriminant(left) == discriminant(right) && ordered(left))
        }
    }
}

/// Whether a value of one type can equal a test of another, be in its list or lie in its range.
pub(crate) fn testable(tested: &Type, test: &Type) -> bool {
    match test.base() {
        Type::List(item) => matches!(tested.base(), Type::List(_)) || testable_once(tested, item),
        _ => testable_once(tested, test),
    }
}

fn testable_once(tested: &Type, test: &Type) -> bool {
    match test.base() {
        Type::Range(end) if !matches!(tested.base(), Type::Range(_)) => {
            comparable(Comparison::Less, tested, end)
        }
        _ => comparable(Comparison::Equal, tested, test),
    }
}

/// Whether a condition can be a truth value.
pub(crate) fn conditional(ty: &Type) -> bool {
    matches!(ty.base(), Type::Bool | Type::Null) || unknown(ty)
}

fn unknown(ty: &Type) -> bool {
    matches!(ty.base(), Type::Any)
}

fn ordered(ty: &Type) -> bool {
    !matches!(
        ty,
        Type::Bool
            | Type::List(_)
            | Type::Context(_)
            | Type::Range(_)
            | Type::Function(_)
            | Type::Null
    )
}
