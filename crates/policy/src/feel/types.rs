//! The types of FEEL and of item definitions.
//!
//! Whether a value conforms is decided in `coerce`, because allowed values are expressions.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::tree::UnaryTests;

/// A type.
#[derive(Clone, Debug, Default)]
pub enum Type {
    /// Every value.
    #[default]
    Any,
    /// Only null.
    Null,
    /// boolean
    Bool,
    /// number
    Number,
    /// string
    Text,
    /// date
    Date,
    /// time
    Time,
    /// date and time
    DateTime,
    /// days and time duration
    DaysDuration,
    /// years and months duration
    MonthsDuration,
    /// list of a type
    List(Arc<Type>),
    /// context with at least these entries
    Context(Arc<[(Arc<str>, Type)]>),
    /// range over a type
    Range(Arc<Type>),
    /// function
    Function(Arc<FunctionType>),
    /// An item definition of the model.
    Defined(Arc<DefinedType>),
}

/// Parameters and result of a function.
#[derive(Clone, Debug)]
pub struct FunctionType {
    /// Types of the parameters in order.
    pub parameters: Vec<Type>,
    /// Type of the result.
    pub result: Type,
}

/// A named type with the values that it allows.
#[derive(Clone, Debug)]
pub struct DefinedType {
    /// Name in the model.
    pub name: Arc<str>,
    /// What it stands for.
    pub base: Type,
    /// Tests of which one must be met by a value (by each item where the base is a list).
    pub allowed: Option<Arc<UnaryTests>>,
}

/// Types by name, as an expression sees them.
pub type TypeTable = BTreeMap<Arc<str>, Type>;

/// Names of the built-in types.
pub(crate) const BUILTIN_TYPES: &[(&str, Type)] = &[
    ("Any", Type::Any),
    ("Null", Type::Null),
    ("boolean", Type::Bool),
    ("number", Type::Number),
    ("string", Type::Text),
    ("date", Type::Date),
    ("time", Type::Time),
    ("date and time", Type::DateTime),
    ("dateTime", Type::DateTime),
    ("days and time duration", Type::DaysDuration),
    ("dayTimeDuration", Type::DaysDuration),
    ("years and months duration", Type::MonthsDuration),
    ("yearMonthDuration", Type::MonthsDuration),
];

impl Type {
    /// A built-in type by its name, with or without the prefix `feel:`.
    pub fn builtin(name: &str) -> Option<Type> {
        let bare = name.strip_prefix("feel:").unwrap_or(name);
        match bare {
            "list" => Some(Type::List(Arc::new(Type::Any))),
            "context" => Some(Type::Context(Arc::from([]))),
            _ => BUILTIN_TYPES
                .iter()
                .find(|(n, _)| *n == bare)
                .map(|(_, ty)| ty.clone()),
        }
    }

    /// The type behind item definitions.
    pub fn base(&self) -> &Type {
        let mut ty = self;
        while let Type::Defined(defined) = ty {
            ty = &defined.base;
        }
        ty
    }

    /// Type of the items, if it is a list; the type itself otherwise, as FEEL filters do.
    pub fn item(&self) -> &Type {
        match self.base() {
            Type::List(item) => item,
            _ => self,
        }
    }

    /// Entries of a context, where they are known.
    pub fn entries(&self) -> Option<&[(Arc<str>, Type)]> {
        match self.base() {
            Type::Context(entries) if !entries.is_empty() => Some(entries),
            _ => None,
        }
    }

    /// Type of an entry of a context, or the list of them for a list of contexts.
    pub fn entry(&self, name: &str) -> Type {
        let found = |ty: &Type| {
            ty.entries()?
                .iter()
                .find(|(n, _)| &**n == name)
                .map(|(_, t)| t.clone())
        };
        match self.base() {
            Type::List(item) => found(item).map_or(Type::Any, |ty| Type::List(Arc::new(ty))),
            _ => found(self).unwrap_or(Type::Any),
        }
    }

    /// Whether nothing is known of the values.
    pub fn is_open(&self) -> bool {
        match self.base() {
            Type::Any => true,
            Type::Context(entries) => entries.is_empty(),
            _ => false,
        }
    }

    /// The same type where both agree, `Any` otherwise.
    pub(crate) fn join(&self, other: &Type) -> Type {
        let same = std::mem::discriminant(self) == std::mem::discriminant(other);
        match (self, other) {
            (Type::List(a), Type::List(b)) => Type::List(Arc::new(a.join(b))),
            (Type::Context(a), Type::Context(b)) => join_entries(a, b),
            (Type::Range(_) | Type::Function(_), _) => Type::Any,
            (Type::Defined(a), Type::Defined(b)) if Arc::ptr_eq(a, b) => self.clone(),
            (Type::Defined(_), _) => Type::Any,
            _ if same => self.clone(),
            _ => Type::Any,
        }
    }
}

/// Names of both, so that a filter sees every entry that an item may have.
fn join_entries(a: &[(Arc<str>, Type)], b: &[(Arc<str>, Type)]) -> Type {
    let mut entries: Vec<(Arc<str>, Type)> = a.to_vec();
    for (name, ty) in b {
        match entries.iter_mut().find(|(n, _)| n == name) {
            Some(entry) => entry.1 = entry.1.join(ty),
            None => entries.push((name.clone(), ty.clone())),
        }
    }
    Type::Context(entries.into())
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::List(item) => write!(f, "list<{item}>"),
            Type::Range(item) => write!(f, "range<{item}>"),
            Type::Context(entries) => {
                f.write_str("context<")?;
                for (index, (name, ty)) in entries.iter().enumerate() {
                    write!(f, "{}{name}: {ty}", if index == 0 { "" } else { ", " })?;
                }
                f.write_str(">")
            }
            Type::Function(function) => {
                f.write_str("function<")?;
                for (index, ty) in function.parameters.iter().enumerate() {
                    write!(f, "{}{ty}", if index == 0 { "" } else { ", " })?;
                }
                write!(f, "> -> {}", function.result)
            }
            Type::Defined(defined) => f.write_str(&defined.name),
            simple => {
                let kind = std::mem::discriminant(simple);
                let name = BUILTIN_TYPES
                    .iter()
                    .find(|(_, ty)| std::mem::discriminant(ty) == kind);
                f.write_str(name.map_or("Any", |(name, _)| name))
            }
        }
    }
}
