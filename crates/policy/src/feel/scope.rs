//! What is in scope, and the longest match of a name against it.

use std::sync::{Arc, OnceLock};

use super::builtins::{Builtin, all_builtins};
use super::lexer::name_tokens;
use super::types::{Type, TypeTable};

/// The names an expression may use, each with its type where known, and the named types.
///
/// Values are given to the evaluation in a context under the same names.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    pub(crate) names: Vec<(Arc<str>, Type)>,
    pub(crate) types: Arc<TypeTable>,
    /// Slots that hold the item of a boxed filter.
    pub(crate) items: Vec<usize>,
}

impl Scope {
    /// Nothing but the built-in functions.
    pub fn new() -> Scope {
        Scope::default()
    }

    /// Adds a name of unknown type.
    pub fn with(self, name: &str) -> Scope {
        self.with_typed(name, Type::Any)
    }

    /// Adds a name with its type.
    pub fn with_typed(mut self, name: &str, ty: Type) -> Scope {
        self.names.push((Arc::from(name), ty));
        self
    }

    /// Adds the item of a boxed filter, whose entries are names of their own.
    pub(crate) fn with_item(mut self, ty: Type) -> Scope {
        self.items.push(self.names.len());
        self.with_typed("item", ty)
    }

    /// Sets the named types, for `instance of` and parameters.
    pub fn with_types(mut self, types: Arc<TypeTable>) -> Scope {
        self.types = types;
        self
    }
}

/// A name with the tokens it consists of.
#[derive(Clone, Debug)]
pub(crate) struct Spelling {
    pub(crate) name: Arc<str>,
    tokens: Vec<Box<str>>,
}

impl Spelling {
    pub(crate) fn new(name: &Arc<str>) -> Spelling {
        Spelling {
            name: name.clone(),
            tokens: name_tokens(name),
        }
    }

    /// How many tokens of a text it covers, 0 where it does not match.
    pub(crate) fn matches(&self, text: &mut dyn Iterator<Item = &str>) -> usize {
        for own in &self.tokens {
            if text.next() != Some(own) {
                return 0;
            }
        }
        self.tokens.len()
    }
}

/// One level of names inside an expression.
#[derive(Debug)]
pub(crate) struct Level {
    pub(crate) names: Vec<(Spelling, Target, Type)>,
    /// The item's slot, where the level is a filter over items of unknown entries.
    pub(crate) open_item: Option<usize>,
}

/// What a name stands for.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    Slot(usize),
    /// An entry of the item in a slot.
    Entry(usize),
    Builtin(&'static Builtin),
}

impl Level {
    pub(crate) fn new() -> Level {
        Level {
            names: Vec::new(),
            open_item: None,
        }
    }

    pub(crate) fn bind(&mut self, name: &Arc<str>, target: Target, ty: Type) {
        self.names.push((Spelling::new(name), target, ty));
    }
}

/// The level of built-in functions, outside all others.
pub(crate) fn builtin_level() -> &'static Level {
    static LEVEL: OnceLock<Level> = OnceLock::new();
    LEVEL.get_or_init(|| {
        let mut level = Level::new();
        for builtin in all_builtins() {
            level.bind(
                &Arc::from(builtin.name),
                Target::Builtin(builtin),
                Type::Any,
            );
        }
        level
    })
}
