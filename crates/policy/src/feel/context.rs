//! Named entries in the order in which they were written, found by name.

use std::sync::Arc;

use super::list::Extent;
use super::value::Value;

/// An ordered map from names to values; cloning shares.
#[derive(Clone, Debug, Default)]
pub struct Context(Arc<Entries>);

#[derive(Clone, Debug, Default)]
struct Entries {
    list: Vec<(Arc<str>, Value)>,
    /// Positions in `list` by name, so that lookups stay quick in large contexts.
    by_name: Vec<u32>,
    extent: Extent,
}

impl Context {
    /// An empty context.
    pub fn new() -> Context {
        Context::default()
    }

    /// Adds or replaces an entry.
    pub fn insert(&mut self, name: impl Into<Arc<str>>, value: impl Into<Value>) {
        let (name, value) = (name.into(), value.into());
        let entries = Arc::make_mut(&mut self.0);
        // A replaced value keeps counting: the extent is a bound from above.
        entries.extent = entries.extent.with(&value);
        match entries.find(&name) {
            Ok(position) => {
                if let Some(entry) = entries.list.get_mut(position) {
                    entry.1 = value;
                }
            }
            Err(place) => {
                let position = u32::try_from(entries.list.len()).unwrap_or(u32::MAX);
                entries.by_name.insert(place, position);
                entries.list.push((name, value));
            }
        }
    }

    /// The value of an entry.
    pub fn get(&self, name: &str) -> Option<&Value> {
        if self.0.list.len() <= 8 {
            return self
                .0
                .list
                .iter()
                .find(|(n, _)| &**n == name)
                .map(|(_, v)| v);
        }
        self.0
            .find(name)
            .ok()
            .and_then(|p| self.0.list.get(p))
            .map(|(_, v)| v)
    }

    pub(crate) fn extent(&self) -> Extent {
        self.0.extent
    }

    /// Entries in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Value)> {
        self.0.list.iter().map(|(name, value)| (name, value))
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.0.list.len()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.0.list.is_empty()
    }
}

impl Entries {
    /// Position in `list`, or the place in `by_name` where the name belongs.
    fn find(&self, name: &str) -> Result<usize, usize> {
        self.by_name
            .binary_search_by(|position| {
                let own = self.list.get(*position as usize).map_or("", |(n, _)| n);
                own.cmp(name)
            })
            .map(|place| self.by_name.get(place).map_or(0, |p| *p as usize))
    }
}

impl PartialEq for Context {
    /// Equal names with equal values, in any order.
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len()
            && self
                .iter()
                .all(|(name, value)| other.get(name) == Some(value))
    }
}

impl<N: Into<Arc<str>>, V: Into<Value>> FromIterator<(N, V)> for Context {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(entries: I) -> Self {
        let mut context = Context::new();
        for (name, value) in entries {
            context.insert(name, value);
        }
        context
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_keep_their_order_and_are_found() {
        let names: Vec<String> = (0..40).map(|i| format!("n{}", (i * 7) % 40)).collect();
        let context: Context = names
            .iter()
            .map(|n| (n.as_str(), Value::from(n.as_str())))
            .collect();
        assert_eq!(
            context
                .iter()
                .map(|(n, _)| n.to_string())
                .collect::<Vec<_>>(),
            names
        );
        for name in &names {
            assert_eq!(context.get(name), Some(&Value::from(name.as_str())));
        }
        assert_eq!(context.get("n40"), None);
    }

    #[test]
    fn a_later_value_replaces_the_earlier() {
        let mut context = Context::new();
        context.insert("a", Value::from(1));
        context.insert("a", Value::from(2));
        assert_eq!(
            (context.len(), context.get("a")),
            (1, Some(&Value::from(2)))
        );
    }
}
