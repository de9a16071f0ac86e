//! The one typed tree: what expressions, boxed expressions and decision tables become.
//!
//! Names are resolved to slots of the evaluation stack when the tree is built, so evaluation looks
//! nothing up by name except entries of contexts.

use std::sync::Arc;

use super::function::Parameter;
use super::range::RangeKind;
use super::types::Type;
use super::value::Value;
use crate::dmn::table::Table;
use crate::finding::Code;

/// A node with its type and place.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) ty: Type,
    /// Offset in the text in bytes.
    pub(crate) at: u32,
    /// Height of the tree below, bounded when it is built.
    pub(crate) depth: u16,
}

/// Arithmetic operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Power,
}

/// Comparison operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What a node does.
#[derive(Debug)]
pub(crate) enum Kind {
    /// A literal.
    Const(Value),
    /// A name in scope.
    Slot(usize),
    /// A name inside a filter: an entry of the item, otherwise what it means outside.
    Member {
        slot: usize,
        name: Arc<str>,
        otherwise: Option<Box<Node>>,
    },
    Path {
        of: Box<Node>,
        name: Arc<str>,
    },
    Filter {
        list: Box<Node>,
        test: Box<Node>,
    },
    Call {
        function: Box<Node>,
        arguments: Arguments,
    },
    Negate(Box<Node>),
    Arithmetic(Arithmetic, Box<Node>, Box<Node>),
    Compare(Comparison, Box<Node>, Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Between {
        value: Box<Node>,
        low: Box<Node>,
        high: Box<Node>,
    },
    In {
        value: Box<Node>,
        tests: Vec<Test>,
    },
    Range {
        start: Box<Node>,
        start_included: bool,
        end: Box<Node>,
        end_included: bool,
    },
    /// `(< x)` as a value.
    HalfRange {
        kind: RangeKind,
        included: bool,
        end: Box<Node>,
    },
    List(Vec<Node>),
    Context {
        entries: Vec<(Arc<str>, Node)>,
        result: Option<Box<Node>>,
    },
    If {
        condition: Box<Node>,
        then: Box<Node>,
        otherwise: Box<Node>,
    },
    For {
        iterations: Vec<Iteration>,
        uses_partial: bool,
        body: Box<Node>,
    },
    Quantified {
        every: bool,
        iterations: Vec<Iteration>,
        test: Box<Node>,
    },
    Lambda {
        name: Arc<str>,
        parameters: Arc<[Parameter]>,
        body: Arc<Node>,
        result: Type,
    },
    InstanceOf(Box<Node>, Type),
    /// The value brought to a declared type.
    Coerce(Box<Node>, Type),
    Table(Arc<Table>),
    /// What could not be read: null with the reason.
    Broken(Code, Arc<str>),
}

/// Arguments of a call.
#[derive(Debug)]
pub(crate) enum Arguments {
    Positional(Vec<Node>),
    Named(Vec<(Arc<str>, Node)>),
}

/// One variable of `for`, `some`, `every`.
#[derive(Debug)]
pub(crate) struct Iteration {
    pub(crate) domain: Domain,
}

/// What a variable runs over.
#[derive(Debug)]
pub(crate) enum Domain {
    Values(Node),
    /// `from..to`, up or down.
    Steps(Node, Node),
}

/// One unary test.
#[derive(Debug)]
pub(crate) enum Test {
    /// `< x`, `= x` and so on.
    Compare(Comparison, Node),
    /// A value, list or range to be equal to or in.
    Value(Node),
    /// A condition that mentions `?`.
    Condition(Node),
}

/// Tests of a table cell, of allowed values, or after `in`.
#[derive(Debug)]
pub struct UnaryTests {
    /// As written.
    pub(crate) text: Arc<str>,
    pub(crate) negated: bool,
    /// `-`: met by everything.
    pub(crate) any: bool,
    pub(crate) tests: Vec<Test>,
}

impl UnaryTests {
    /// As written.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl Node {
    pub(crate) fn new(kind: Kind, ty: Type, at: usize) -> Node {
        let mut node = Node {
            kind,
            ty,
            at: u32::try_from(at).unwrap_or(u32::MAX),
            depth: 0,
        };
        node.depth = 1 + node.deepest_child();
        node
    }

    pub(crate) fn constant(value: Value, ty: Type, at: usize) -> Node {
        Node::new(Kind::Const(value), ty, at)
    }

    fn deepest_child(&self) -> u16 {
        let mut deepest = 0;
        self.each_child(&mut |child| deepest = deepest.max(child.depth));
        deepest
    }

    /// Visits the direct children.
    pub(crate) fn each_child(&self, visit: &mut dyn FnMut(&Node)) {
        match &self.kind {
            Kind::Const(_) | Kind::Slot(_) | Kind::Table(_) | Kind::Broken(..) => {}
            Kind::Member { otherwise, .. } => otherwise.iter().for_each(|n| visit(n)),
            Kind::Path { of: a, .. }
            | Kind::Negate(a)
            | Kind::HalfRange { end: a, .. }
            | Kind::InstanceOf(a, _)
            | Kind::Coerce(a, _) => visit(a),
            Kind::Filter { list: a, test: b }
            | Kind::Arithmetic(_, a, b)
            | Kind::Compare(_, a, b)
            | Kind::And(a, b)
            | Kind::Or(a, b)
            | Kind::Range {
                start: a, end: b, ..
            } => [a, b].into_iter().for_each(|n| visit(n)),
            Kind::Between {
                value: a,
                low: b,
                high: c,
            }
            | Kind::If {
                condition: a,
                then: b,
                otherwise: c,
            } => {
                [a, b, c].into_iter().for_each(|n| visit(n));
            }
            Kind::In { value, tests } => {
                visit(value);
                tests.iter().for_each(|test| visit(test.node()));
            }
            Kind::List(items) => items.iter().for_each(visit),
            Kind::Context { entries, result } => {
                entries.iter().for_each(|(_, n)| visit(n));
                result.iter().for_each(|n| visit(n));
            }
            Kind::For {
                iterations, body, ..
            }
            | Kind::Quantified {
                iterations,
                test: body,
                ..
            } => {
                iterations.iter().for_each(|i| i.each_child(visit));
                visit(body);
            }
            Kind::Lambda { body, .. } => visit(body),
            Kind::Call {
                function,
                arguments,
            } => {
                visit(function);
                match arguments {
                    Arguments::Positional(nodes) => nodes.iter().for_each(visit),
                    Arguments::Named(nodes) => nodes.iter().for_each(|(_, n)| visit(n)),
                }
            }
        }
    }
}

impl Iteration {
    fn each_child(&self, visit: &mut dyn FnMut(&Node)) {
        match &self.domain {
            Domain::Values(node) => visit(node),
            Domain::Steps(from, to) => {
                visit(from);
                visit(to);
            }
        }
    }
}

impl Test {
    pub(crate) fn node(&self) -> &Node {
        match self {
            Test::Compare(_, node) | Test::Value(node) | Test::Condition(node) => node,
        }
    }
}
