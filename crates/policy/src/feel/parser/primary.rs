//! Literals, brackets, lists, contexts, ranges and control expressions.

use std::sync::Arc;

use super::super::check;
use super::super::function::Parameter;
use super::super::lexer::Lexeme;
use super::super::number::Number;
use super::super::range::RangeKind;
use super::super::scope::{Level, Target};
use super::super::tree::{Comparison, Domain, Iteration, Kind, Node};
use super::super::types::{FunctionType, Type};
use super::super::value::Value;
use super::super::{literal_of_text, type_of};
use super::{ADDITIVE, Parser, Placed};
use crate::finding::{Code, Fault};

impl<'a> Parser<'a> {
    pub(super) fn primary(&mut self) -> Result<Node, Placed> {
        let at = self.offset();
        match self.peek().lexeme.clone() {
            Lexeme::Number if self.name_length() < 2 => self.number(at),
            Lexeme::Text(text) => {
                self.advance();
                Ok(Node::constant(Value::Text(text), Type::Text, at))
            }
            Lexeme::Word | Lexeme::Number => self.word(at),
            Lexeme::Symbol => self.symbol(at),
            Lexeme::End => Err(self.unexpected()),
        }
    }

    fn number(&mut self, at: usize) -> Result<Node, Placed> {
        let text = self.text_at(0);
        let number = Number::parse(text).ok_or_else(|| (at, Fault::new(Code::Overflow, text)))?;
        self.advance();
        Ok(Node::constant(Value::Number(number), Type::Number, at))
    }

    fn word(&mut self, at: usize) -> Result<Node, Placed> {
        if self.name_length() > 1 {
            return self.name();
        }
        let literal = |value: Value, ty: Type| Ok(Node::constant(value, ty, at));
        match self.text_at(0) {
            "null" => {
                self.advance();
                literal(Value::Null, Type::Null)
            }
            word @ ("true" | "false") => {
                self.advance();
                literal(Value::Bool(word == "true"), Type::Bool)
            }
            "if" => self.nested(Self::conditional),
            "for" => self.nested(Self::iteration),
            "some" | "every" => self.nested(Self::quantified),
            "function" if self.text_at(1) == "(" => self.nested(Self::function),
            _ => self.name(),
        }
    }

    fn symbol(&mut self, at: usize) -> Result<Node, Placed> {
        match self.text_at(0) {
            "@" => self.at_literal(at),
            "(" => self.parenthesis(at),
            "[" => self.bracket(at),
            "]" => self.open_range(at),
            "{" => self.bracketed(|parser| parser.context(at)),
            _ if self.name_length() > 0 => self.name(),
            _ => Err(self.unexpected()),
        }
    }

    fn at_literal(&mut self, at: usize) -> Result<Node, Placed> {
        self.advance();
        let Lexeme::Text(text) = self.peek().lexeme.clone() else {
            return Err(self.unexpected());
        };
        let value = literal_of_text(&text)
            .ok_or_else(|| (at, Fault::new(Code::InvalidLiteral, format!("@\"{text}\""))))?;
        self.advance();
        let ty = type_of(&value);
        Ok(Node::constant(value, ty, at))
    }

    /// `(expression)`, `(a..b]`, `(< x)`.
    fn parenthesis(&mut self, at: usize) -> Result<Node, Placed> {
        self.bracketed(|parser| {
            parser.advance();
            if let Some(operator) = parser.comparison_operator() {
                let end = parser.expression(ADDITIVE)?;
                parser.expect(")")?;
                return parser.half_range(operator, end, at);
            }
            let first = parser.expression(0)?;
            if parser.is("..") {
                return parser.range(first, false, at);
            }
            parser.expect(")")?;
            Ok(first)
        })
    }

    pub(super) fn half_range(
        &mut self,
        operator: Comparison,
        end: Node,
        at: usize,
    ) -> Result<Node, Placed> {
        let (kind, included) = match operator {
            Comparison::Less => (RangeKind::Below, false),
            Comparison::LessOrEqual => (RangeKind::Below, true),
            Comparison::Greater => (RangeKind::Above, false),
            Comparison::GreaterOrEqual => (RangeKind::Above, true),
            Comparison::Equal => (RangeKind::Equal, true),
            Comparison::NotEqual => (RangeKind::NotEqual, false),
        };
        let ty = Type::Range(Arc::new(end.ty.clone()));
        self.node(
            Kind::HalfRange {
                kind,
                included,
                end: Box::new(end),
            },
            ty,
            at,
        )
    }

    /// `[a, b]` or `[a..b)`.
    fn bracket(&mut self, at: usize) -> Result<Node, Placed> {
        self.bracketed(|parser| {
            parser.advance();
            if parser.accept("]") {
                return parser.node(Kind::List(Vec::new()), Type::List(Arc::new(Type::Any)), at);
            }
            let first = parser.list_item()?;
            if parser.is("..") {
                return parser.range(first, true, at);
            }
            let mut items = vec![first];
            while parser.accept(",") {
                items.push(parser.list_item()?);
            }
            parser.expect("]")?;
            let item = items
                .iter()
                .skip(1)
                .fold(items.first().map(|n| n.ty.clone()), |ty, node| {
                    ty.map(|ty| ty.join(&node.ty))
                });
            parser.node(
                Kind::List(items),
                Type::List(Arc::new(item.unwrap_or_default())),
                at,
            )
        })
    }

    /// An item of a list: an expression, or a comparison that stands for a range.
    fn list_item(&mut self) -> Result<Node, Placed> {
        let at = self.offset();
        match self.comparison_operator() {
            Some(operator) => {
                let end = self.expression(ADDITIVE)?;
                self.half_range(operator, end, at)
            }
            None => self.expression(0),
        }
    }

    /// `]a..b]`.
    fn open_range(&mut self, at: usize) -> Result<Node, Placed> {
        self.bracketed(|parser| {
            parser.advance();
            let first = parser.expression(0)?;
            if parser.is("..") {
                parser.range(first, false, at)
            } else {
                Err(parser.wanted(".."))
            }
        })
    }

    /// The rest of a range after its start.
    pub(super) fn range(
        &mut self,
        start: Node,
        start_included: bool,
        at: usize,
    ) -> Result<Node, Placed> {
        self.expect("..")?;
        let outer = std::mem::replace(&mut self.in_range, true);
        let end = self.expression(0);
        self.in_range = outer;
        let end = end?;
        let end_included = match self.text_at(0) {
            "]" => true,
            ")" | "[" => false,
            _ => return Err(self.wanted("]")),
        };
        self.advance();
        let ty = Type::Range(Arc::new(start.ty.join(&end.ty)));
        let (start, end) = (Box::new(start), Box::new(end));
        self.node(
            Kind::Range {
                start,
                start_included,
                end,
                end_included,
            },
            ty,
            at,
        )
    }

    fn context(&mut self, at: usize) -> Result<Node, Placed> {
        self.advance();
        let first_slot = self.slots;
        self.levels.push(Level::new());
        let entries = self.context_entries();
        self.levels.pop();
        self.slots = first_slot;
        let entries = entries?;
        let types: Vec<_> = entries
            .iter()
            .map(|(n, node)| (n.clone(), node.ty.clone()))
            .collect();
        let kind = Kind::Context {
            entries,
            result: None,
        };
        self.node(kind, Type::Context(types.into()), at)
    }

    fn context_entries(&mut self) -> Result<Vec<(Arc<str>, Node)>, Placed> {
        let mut entries: Vec<(Arc<str>, Node)> = Vec::new();
        while !self.is("}") {
            let key_at = self.offset();
            let name = self.context_key()?;
            if entries.iter().any(|(other, _)| *other == name) {
                return Err((key_at, Fault::new(Code::Duplicate, &*name)));
            }
            let value = self.expression(0)?;
            let (slot, ty) = (self.slots, value.ty.clone());
            self.slots += 1;
            if let Some(level) = self.levels.last_mut() {
                level.bind(&name, Target::Slot(slot), ty);
            }
            entries.push((name, value));
            if !self.accept(",") {
                break;
            }
        }
        self.expect("}")?;
        Ok(entries)
    }

    fn context_key(&mut self) -> Result<Arc<str>, Placed> {
        if let Lexeme::Text(text) = self.peek().lexeme.clone() {
            self.advance();
            self.expect(":")?;
            return Ok(text);
        }
        let name = self.name_before_colon().ok_or_else(|| self.unexpected())?;
        self.take_name_and_colon(&name);
        Ok(name.into())
    }

    fn conditional(&mut self) -> Result<Node, Placed> {
        let at = self.offset();
        self.advance();
        let condition = self.expression(0)?;
        self.doubt(check::conditional(&condition.ty), at, || {
            format!("if {}", condition.ty)
        });
        self.expect("then")?;
        let then = self.expression(0)?;
        self.expect("else")?;
        let otherwise = self.expression(0)?;
        let ty = then.ty.join(&otherwise.ty);
        let kind = Kind::If {
            condition: Box::new(condition),
            then: Box::new(then),
            otherwise: Box::new(otherwise),
        };
        self.node(kind, ty, at)
    }

    fn iteration(&mut self) -> Result<Node, Placed> {
        let at = self.offset();
        self.advance();
        let first_slot = self.slots;
        let mut level = Level::new();
        level.bind(&Arc::from("partial"), Target::Slot(first_slot), Type::Any);
        self.slots += 1;
        self.levels.push(level);
        let read = self.iterations("return").and_then(|iterations| {
            self.expect("return")?;
            Ok((iterations, self.expression(0)?))
        });
        self.levels.pop();
        self.slots = first_slot;
        let (iterations, body) = read?;
        let uses_partial = self.partials.contains(&first_slot);
        self.partials.retain(|slot| *slot != first_slot);
        let ty = Type::List(Arc::new(body.ty.clone()));
        self.node(
            Kind::For {
                iterations,
                uses_partial,
                body: Box::new(body),
            },
            ty,
            at,
        )
    }

    fn quantified(&mut self) -> Result<Node, Placed> {
        let at = self.offset();
        let every = self.is("every");
        self.advance();
        let first_slot = self.slots;
        self.levels.push(Level::new());
        let read = self.iterations("satisfies").and_then(|iterations| {
            self.expect("satisfies")?;
            Ok((iterations, self.expression(0)?))
        });
        self.levels.pop();
        self.slots = first_slot;
        let (iterations, test) = read?;
        self.node(
            Kind::Quantified {
                every,
                iterations,
                test: Box::new(test),
            },
            Type::Bool,
            at,
        )
    }

    /// `x in list, y in 1..3` up to the word that begins the body.
    fn iterations(&mut self, end: &str) -> Result<Vec<Iteration>, Placed> {
        let mut iterations = Vec::new();
        loop {
            let name = self.new_name(&["in", end, ","])?;
            self.expect("in")?;
            let from = self.expression(0)?;
            let (domain, ty) = if self.accept("..") {
                let to = self.expression(0)?;
                let ty = from.ty.join(&to.ty);
                (Domain::Steps(from, to), ty)
            } else {
                let ty = from.ty.item().clone();
                let ty = if matches!(from.ty.base(), Type::Range(_)) {
                    Type::Any
                } else {
                    ty
                };
                (Domain::Values(from), ty)
            };
            let slot = self.slots;
            self.slots += 1;
            if let Some(level) = self.levels.last_mut() {
                level.bind(&name, Target::Slot(slot), ty);
            }
            iterations.push(Iteration { domain });
            if !self.accept(",") {
                return Ok(iterations);
            }
        }
    }

    fn function(&mut self) -> Result<Node, Placed> {
        let at = self.offset();
        self.advance();
        let parameters = self.parameters()?;
        if self.is("external") {
            return Err((self.offset(), Fault::new(Code::ExternalFunction, "")));
        }
        let first_slot = self.slots;
        let mut level = Level::new();
        for parameter in &parameters {
            level.bind(
                &parameter.name,
                Target::Slot(self.slots),
                parameter.ty.clone(),
            );
            self.slots += 1;
        }
        self.levels.push(level);
        let body = self.expression(0);
        self.levels.pop();
        self.slots = first_slot;
        let body = body?;
        let ty = Type::Function(Arc::new(FunctionType {
            parameters: parameters.iter().map(|p| p.ty.clone()).collect(),
            result: body.ty.clone(),
        }));
        let kind = Kind::Lambda {
            name: Arc::from(""),
            parameters: parameters.into(),
            body: Arc::new(body),
            result: Type::Any,
        };
        self.node(kind, ty, at)
    }

    fn parameters(&mut self) -> Result<Vec<Parameter>, Placed> {
        self.expect("(")?;
        let mut parameters = Vec::new();
        while !self.accept(")") {
            let name = self.new_name(&[":", ",", ")"])?;
            let ty = if self.accept(":") {
                self.type_name()?
            } else {
                Type::Any
            };
            parameters.push(Parameter { name, ty });
            if !self.is(")") {
                self.expect(",")?;
            }
        }
        Ok(parameters)
    }
}
