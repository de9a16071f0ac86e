//! Names and types: longest match against what is in scope, and names that are being defined.

use std::sync::Arc;

use super::super::function::Function;
use super::super::lexer::Lexeme;
use super::super::scope::{Level, Spelling, Target, builtin_level};
use super::super::tree::{Kind, Node};
use super::super::types::{BUILTIN_TYPES, FunctionType, Type};
use super::super::value::Value;
use super::{Parser, Placed};
use crate::finding::{Code, Fault};

/// Most tokens that one name may consist of.
const MAX_NAME_TOKENS: usize = 40;

/// A name found in scope.
struct Found {
    length: usize,
    /// Index of the level, `None` for a built-in function.
    level: Option<usize>,
    name: Arc<str>,
    target: Target,
    ty: Type,
}

impl<'a> Parser<'a> {
    /// Number of tokens of the longest name in scope here.
    pub(super) fn name_length(&self) -> usize {
        self.find_name().map_or(0, |found| found.length)
    }

    fn find_name(&self) -> Option<Found> {
        let mut best: Option<Found> = None;
        let levels = self
            .levels
            .iter()
            .enumerate()
            .rev()
            .map(|(index, level)| (Some(index), level));
        for (index, level) in levels.chain(std::iter::once((None, builtin_level()))) {
            if let Some((length, spelling, target, ty)) = self.longest_in(level)
                && best.as_ref().is_none_or(|found| length > found.length)
            {
                best = Some(Found {
                    length,
                    level: index,
                    name: spelling.name.clone(),
                    target: target.clone(),
                    ty: ty.clone(),
                });
            }
        }
        best
    }

    fn longest_in<'l>(
        &self,
        level: &'l Level,
    ) -> Option<(usize, &'l Spelling, &'l Target, &'l Type)> {
        let mut best: Option<(usize, &Spelling, &Target, &Type)> = None;
        // Later bindings hide earlier ones of the same length, except an item's own entries.
        for (spelling, target, ty) in &level.names {
            let length = self.match_length(spelling);
            let longer = best.is_none_or(|(other, _, seen, _)| {
                length > other || (length == other && !matches!(seen, Target::Entry(_)))
            });
            if length > 0 && longer {
                best = Some((length, spelling, target, ty));
            }
        }
        best
    }

    fn match_length(&self, spelling: &Spelling) -> usize {
        let mut ahead = 0;
        let mut next = || {
            let token = self.peek_at(ahead);
            let text = matches!(token.lexeme, Lexeme::Word | Lexeme::Number | Lexeme::Symbol)
                .then(|| self.text_at(ahead));
            ahead += 1;
            text
        };
        spelling.matches(&mut std::iter::from_fn(&mut next))
    }

    /// Reads a name in use.
    pub(super) fn name(&mut self) -> Result<Node, Placed> {
        let at = self.offset();
        let found = self.find_name();
        let open = |level: Option<usize>| {
            let inner = level.map_or(0, |index| index + 1);
            self.levels
                .iter()
                .skip(inner)
                .filter_map(|l| l.open_item)
                .collect::<Vec<_>>()
        };
        let length = found.as_ref().map_or(0, |f| f.length);
        let items = open(found.as_ref().and_then(|f| f.level));
        let run = self.word_run();
        // Inside a filter over unknown items, words that go on beyond a known name are an entry.
        if !items.is_empty() && run > length.max(1) && self.text_at(run) != "(" {
            let name = self.take_text(run);
            return self.member(None, &items, &name, at);
        }
        let Some(found) = found else {
            if items.is_empty() || self.text_at(run) == "(" {
                return Ok(self.unknown(run));
            }
            let name = self.take_text(run.max(1));
            return self.member(None, &items, &name, at);
        };
        self.at += found.length;
        let node = self.resolved(&found, at);
        if items.is_empty() || self.is("(") {
            return Ok(node);
        }
        self.member(Some(node), &items, &found.name, at)
    }

    fn resolved(&mut self, found: &Found, at: usize) -> Node {
        match &found.target {
            Target::Slot(slot) => {
                if self.question == Some(*slot) {
                    self.question_seen = true;
                }
                if &*found.name == "partial" {
                    self.partials.push(*slot);
                }
                Node::new(Kind::Slot(*slot), found.ty.clone(), at)
            }
            Target::Entry(slot) => {
                let kind = Kind::Member {
                    slot: *slot,
                    name: found.name.clone(),
                    otherwise: None,
                };
                Node::new(kind, found.ty.clone(), at)
            }
            Target::Builtin(builtin) => {
                Node::constant(Value::Function(Function::Builtin(builtin)), Type::Any, at)
            }
        }
    }

    /// Wraps a name in the open filters around it, the innermost asked first.
    fn member(
        &mut self,
        node: Option<Node>,
        items: &[usize],
        name: &str,
        at: usize,
    ) -> Result<Node, Placed> {
        let mut node = node;
        for slot in items {
            let otherwise = node.take().map(Box::new);
            let kind = Kind::Member {
                slot: *slot,
                name: Arc::from(name),
                otherwise,
            };
            node = Some(self.node(kind, Type::Any, at)?);
        }
        node.ok_or_else(|| self.unexpected())
    }

    /// Records an unknown name and reads on.
    fn unknown(&mut self, run: usize) -> Node {
        let at = self.offset();
        let code = if self.text_at(run) == "(" {
            Code::UnknownFunction
        } else {
            Code::UnknownName
        };
        let name = self.take_text(run.max(1));
        self.faults.push((at, Fault::new(code, name.clone())));
        Node::new(Kind::Broken(code, name.into()), Type::Any, at)
    }

    /// How many words that are no operators follow each other here.
    fn word_run(&self) -> usize {
        (0..MAX_NAME_TOKENS)
            .take_while(|ahead| {
                let word = self.peek_at(*ahead).lexeme == Lexeme::Word;
                word && (*ahead == 0 || !is_infix_word(self.text_at(*ahead)))
            })
            .count()
    }

    /// The text of some tokens, with single spaces where there was space.
    fn take_text(&mut self, count: usize) -> String {
        let mut name = String::new();
        let mut end = self.offset();
        for _ in 0..count {
            let (start, next_end) = (self.peek().start, self.peek().end);
            if start > end {
                name.push(' ');
            }
            name.push_str(self.text_at(0));
            end = next_end;
            self.advance();
        }
        name
    }

    /// The name after a point.
    pub(super) fn entry_name(&mut self, of: &Type) -> Result<(Arc<str>, Type), Placed> {
        if let Some(entries) = of.item().entries() {
            let longest = entries
                .iter()
                .map(|(name, _)| (self.match_length(&Spelling::new(name)), name.clone()))
                .max_by_key(|(length, _)| *length)
                .filter(|(length, _)| *length > 0);
            if let Some((length, name)) = longest {
                self.at += length;
                let ty = of.entry(&name);
                return Ok((name, ty));
            }
        }
        let run = self.word_run();
        if run == 0 {
            return Err(self.unexpected());
        }
        Ok((self.take_text(run).into(), Type::Any))
    }

    /// The name before a colon here, as in named arguments and context entries.
    pub(super) fn name_before_colon(&self) -> Option<String> {
        let mut depth = 0i32;
        for ahead in 0..MAX_NAME_TOKENS {
            let token = self.peek_at(ahead);
            match (&token.lexeme, self.text_at(ahead)) {
                (Lexeme::End | Lexeme::Text(_), _) | (_, "," | "{" | "}" | "[" | "]") => {
                    return None;
                }
                (_, ":") if depth == 0 => {
                    let (start, end) = (self.peek().start, self.peek_at(ahead.checked_sub(1)?).end);
                    return self.text.get(start..end).map(single_spaced);
                }
                (_, "(") => depth += 1,
                (_, ")") => depth -= 1,
                _ => {}
            }
            if depth < 0 {
                return None;
            }
        }
        None
    }

    /// Passes over a name found by [`Self::name_before_colon`] and its colon.
    pub(super) fn take_name_and_colon(&mut self, name: &str) {
        let count = super::super::lexer::name_tokens(name).len();
        self.at += count + 1;
    }

    /// A name that is being defined, up to a word or sign that ends it.
    pub(super) fn new_name(&mut self, ends: &[&str]) -> Result<Arc<str>, Placed> {
        let mut depth = 0i32;
        let count = (0..MAX_NAME_TOKENS)
            .take_while(|ahead| {
                let text = self.text_at(*ahead);
                let ended = depth == 0 && ends.contains(&text);
                depth += i32::from(text == "(") - i32::from(text == ")");
                !ended && !matches!(self.peek_at(*ahead).lexeme, Lexeme::End | Lexeme::Text(_))
            })
            .count();
        if count == 0 || self.peek().lexeme != Lexeme::Word {
            return Err(self.unexpected());
        }
        Ok(self.take_text(count).into())
    }

    /// Reads a type after `instance of` or a parameter's colon.
    pub(super) fn type_name(&mut self) -> Result<Type, Placed> {
        self.nested(|parser| match (parser.text_at(0), parser.text_at(1)) {
            ("list", "<") => parser.type_arguments().map(|ty| Type::List(Arc::new(ty))),
            ("range", "<") => parser.type_arguments().map(|ty| Type::Range(Arc::new(ty))),
            ("context", "<") => parser.context_type(),
            ("function", "<") => parser.function_type(),
            _ => parser.named_type(),
        })
    }

    fn type_arguments(&mut self) -> Result<Type, Placed> {
        self.advance();
        self.advance();
        let ty = self.type_name()?;
        self.expect(">")?;
        Ok(ty)
    }

    fn context_type(&mut self) -> Result<Type, Placed> {
        self.advance();
        self.advance();
        let mut entries = Vec::new();
        while !self.accept(">") {
            let name = self.new_name(&[":"])?;
            self.expect(":")?;
            entries.push((name, self.type_name()?));
            if !self.is(">") {
                self.expect(",")?;
            }
        }
        Ok(Type::Context(entries.into()))
    }

    fn function_type(&mut self) -> Result<Type, Placed> {
        self.advance();
        self.advance();
        let mut parameters = Vec::new();
        while !self.accept(">") {
            parameters.push(self.type_name()?);
            if !self.is(">") {
                self.expect(",")?;
            }
        }
        self.expect("->")?;
        let result = self.type_name()?;
        Ok(Type::Function(Arc::new(FunctionType {
            parameters,
            result,
        })))
    }

    fn named_type(&mut self) -> Result<Type, Placed> {
        let at = self.offset();
        let own = self
            .types
            .iter()
            .map(|(name, ty)| (name.clone(), ty.clone()));
        let simple = BUILTIN_TYPES
            .iter()
            .map(|(name, ty)| (Arc::from(*name), ty.clone()));
        let bare = ["list", "context"]
            .into_iter()
            .filter_map(|n| Some((Arc::from(n), Type::builtin(n)?)));
        let mut best: (usize, Type) = (0, Type::Any);
        for (name, ty) in own.chain(simple).chain(bare) {
            let length = self.match_length(&Spelling::new(&name));
            if length > best.0 {
                best = (length, ty);
            }
        }
        if best.0 > 0 {
            self.at += best.0;
            return Ok(best.1);
        }
        let run = self.word_run();
        if run == 0 {
            return Err(self.unexpected());
        }
        let name = self.take_text(run);
        self.faults.push((at, Fault::new(Code::UnknownType, name)));
        Ok(Type::Any)
    }
}

/// Words that stand between operands and so end a name.
fn is_infix_word(word: &str) -> bool {
    matches!(
        word,
        "and"
            | "or"
            | "in"
            | "between"
            | "instance"
            | "then"
            | "else"
            | "return"
            | "satisfies"
            | "of"
    )
}

fn single_spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
