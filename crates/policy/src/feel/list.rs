//! Lists, and the extent of values: how deep and how heavy they are.
//!
//! Values share their parts, so a few operations can build what would take for ever to walk or
//! overflow the stack when it is dropped. Each list, context and function therefore knows its
//! extent, and the evaluation refuses what is beyond the bounds.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use super::value::Value;

/// How deep a value is nested and how many values it holds when written out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) depth: u32,
    pub(crate) weight: u32,
}

impl Extent {
    /// Deepest nesting of a value: its stored form stays within what JSON readers accept.
    const MAX_DEPTH: u32 = 32;
    /// Most values in a value.
    const MAX_WEIGHT: u32 = 5_000_000;

    /// The extent of what holds these values.
    pub(crate) fn around<'v>(values: impl IntoIterator<Item = &'v Value>) -> Extent {
        values.into_iter().fold(
            Extent {
                depth: 1,
                weight: 1,
            },
            |extent, value| extent.with(value),
        )
    }

    /// With one more value inside.
    pub(crate) fn with(self, value: &Value) -> Extent {
        let inner = value.extent();
        Extent {
            depth: self.depth.max(inner.depth.saturating_add(1)),
            weight: self.weight.saturating_add(inner.weight),
        }
    }

    /// Whether it is within the bounds.
    pub(crate) fn fits(self) -> bool {
        self.depth <= Extent::MAX_DEPTH && self.weight <= Extent::MAX_WEIGHT
    }
}

/// A list of values; cloning shares.
#[derive(Clone)]
pub struct List(Arc<Items>);

struct Items {
    extent: Extent,
    values: Vec<Value>,
}

impl List {
    pub(crate) fn extent(&self) -> Extent {
        self.0.extent
    }
}

impl From<Vec<Value>> for List {
    fn from(values: Vec<Value>) -> Self {
        List(Arc::new(Items {
            extent: Extent::around(&values),
            values,
        }))
    }
}

impl FromIterator<Value> for List {
    fn from_iter<I: IntoIterator<Item = Value>>(values: I) -> Self {
        List::from(values.into_iter().collect::<Vec<_>>())
    }
}

impl Deref for List {
    type Target = [Value];

    fn deref(&self) -> &[Value] {
        &self.0.values
    }
}

impl PartialEq for List {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self[..] == other[..]
    }
}

impl fmt::Debug for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self[..].fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extents_count_shared_parts_as_often_as_they_stand() {
        let mut value = Value::list([Value::from(1)]);
        for _ in 0..10 {
            value = Value::list([value.clone(), value]);
        }
        assert_eq!(
            value.extent(),
            Extent {
                depth: 11,
                weight: 3 * 1024 - 1
            }
        );
        assert!(value.extent().fits());
        for _ in 0..20 {
            value = Value::list([value.clone(), value]);
        }
        assert!(!value.extent().fits());
    }
}
