//! From text to the typed tree, against a scope.
//!
//! Operator precedence is climbed; names are taken by longest match (`names`), literals and control
//! expressions are in `primary`. An unknown name is recorded and reading goes on, a syntax error
//! ends the expression. Evaluation is elsewhere.

mod names;
mod primary;
mod tests_of_cells;

use std::sync::Arc;

use super::check;
use super::lexer::{Lexeme, Token, tokens};
use super::scope::{Level, Scope, Target};
use super::tree::{Arguments, Arithmetic, Comparison, Kind, Node, Test, UnaryTests};
use super::types::{Type, TypeTable};
use crate::finding::{Code, Fault, Finding};

/// Deepest nesting of brackets and control expressions.
const MAX_NESTING: usize = 100;
/// Highest tree, which bounds chains such as `1 + 1 + …`.
const MAX_DEPTH: u16 = 250;

/// A fault with its offset in the text.
pub(crate) type Placed = (usize, Fault);

/// What was read, and what is doubtful about it.
pub(crate) struct Read<T> {
    pub(crate) value: T,
    pub(crate) warnings: Vec<Placed>,
}

/// Reads one expression.
///
/// # Errors
/// All that is wrong with it, with offsets.
pub(crate) fn expression(text: &str, scope: &Scope) -> Result<Read<Node>, Vec<Placed>> {
    let mut parser = Parser::new(text, scope).map_err(|fault| vec![fault])?;
    let read = parser
        .expression(0)
        .and_then(|node| parser.finish().map(|()| node));
    parser.close(read)
}

/// Reads unary tests; `?` stands for the value tested, in the slot after those of the scope.
///
/// # Errors
/// All that is wrong with them, with offsets.
pub(crate) fn unary_tests(
    text: &str,
    scope: &Scope,
    tested: &Type,
) -> Result<Read<UnaryTests>, Vec<Placed>> {
    let mut parser = Parser::new(text, scope).map_err(|fault| vec![fault])?;
    let slot = parser.slots;
    parser.slots += 1;
    let mut level = Level::new();
    level.bind(&Arc::from("?"), Target::Slot(slot), tested.clone());
    parser.levels.push(level);
    parser.question = Some(slot);
    let read = parser
        .cell_tests(text)
        .and_then(|tests| parser.finish().map(|()| tests));
    parser.close(read)
}

/// Findings of an expression with lines and columns.
pub(crate) fn to_findings(
    faults: Vec<Placed>,
    text: &str,
    element: &str,
    start: (u32, u32),
) -> Vec<Finding> {
    faults
        .into_iter()
        .map(|(offset, fault)| {
            let (line, column) = place(text, offset, start);
            Finding::error(fault.code, element, line, column, &fault.detail)
        })
        .collect()
}

/// The same as warnings.
pub(crate) fn to_warnings(
    doubts: Vec<Placed>,
    text: &str,
    element: &str,
    start: (u32, u32),
) -> Vec<Finding> {
    to_findings(doubts, text, element, start)
        .into_iter()
        .map(Finding::warning)
        .collect()
}

/// Line and column of an offset, in a text that begins at `start`.
pub(crate) fn place(text: &str, offset: usize, start: (u32, u32)) -> (u32, u32) {
    let before = text.get(..offset).unwrap_or(text);
    let lines = u32::try_from(before.matches('\n').count()).unwrap_or(u32::MAX);
    let column = before.rsplit('\n').next().unwrap_or("").chars().count();
    let column = u32::try_from(column).unwrap_or(u32::MAX);
    if lines == 0 {
        (start.0, start.1.saturating_add(column))
    } else {
        (start.0.saturating_add(lines), column.saturating_add(1))
    }
}

pub(super) struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    at: usize,
    levels: Vec<Level>,
    types: &'a TypeTable,
    /// Slots of the evaluation stack in use here.
    slots: usize,
    nesting: usize,
    /// The slot of `?`, inside unary tests.
    question: Option<usize>,
    question_seen: bool,
    /// Slots of `partial` that were mentioned.
    partials: Vec<usize>,
    /// Whether `[` may close a range here, as in `[1..10[`.
    in_range: bool,
    faults: Vec<Placed>,
    /// Operands that can only give null.
    warnings: Vec<Placed>,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str, scope: &'a Scope) -> Result<Self, Placed> {
        let mut levels = vec![Level::new()];
        for (slot, (name, ty)) in scope.names.iter().enumerate() {
            if scope.items.contains(&slot) {
                levels.push(filter_level(ty, slot));
                levels.push(Level::new());
            } else if let Some(level) = levels.last_mut() {
                level.bind(name, Target::Slot(slot), ty.clone());
            }
        }
        Ok(Parser {
            text,
            tokens: tokens(text)?,
            at: 0,
            levels,
            types: &scope.types,
            slots: scope.names.len(),
            nesting: 0,
            question: None,
            question_seen: false,
            partials: Vec::new(),
            in_range: false,
            faults: Vec::new(),
            warnings: Vec::new(),
        })
    }

    fn close<T>(mut self, read: Result<T, Placed>) -> Result<Read<T>, Vec<Placed>> {
        match read {
            Ok(value) if self.faults.is_empty() => Ok(Read {
                value,
                warnings: self.warnings,
            }),
            Ok(_) => Err(self.faults),
            Err(fault) => {
                self.faults.push(fault);
                Err(self.faults)
            }
        }
    }

    fn finish(&mut self) -> Result<(), Placed> {
        match self.peek().lexeme {
            Lexeme::End => Ok(()),
            _ => Err(self.unexpected()),
        }
    }

    // Tokens.

    fn peek(&self) -> &Token {
        self.peek_at(0)
    }

    fn peek_at(&self, ahead: usize) -> &Token {
        const END: &Token = &Token {
            lexeme: Lexeme::End,
            start: usize::MAX,
            end: usize::MAX,
        };
        self.tokens
            .get(self.at + ahead)
            .or(self.tokens.last())
            .unwrap_or(END)
    }

    fn text_at(&self, ahead: usize) -> &'a str {
        let token = self.peek_at(ahead);
        self.text.get(token.start..token.end).unwrap_or("")
    }

    fn offset(&self) -> usize {
        self.peek().start
    }

    fn advance(&mut self) {
        self.at = (self.at + 1).min(self.tokens.len());
    }

    fn is(&self, text: &str) -> bool {
        self.text_at(0) == text && !text.is_empty()
    }

    fn accept(&mut self, text: &str) -> bool {
        let found = self.is(text);
        if found {
            self.advance();
        }
        found
    }

    fn expect(&mut self, text: &str) -> Result<(), Placed> {
        if self.accept(text) {
            Ok(())
        } else {
            Err(self.wanted(text))
        }
    }

    fn wanted(&self, text: &str) -> Placed {
        let found = self.text_at(0);
        let found = if found.is_empty() { "∎" } else { found };
        (
            self.offset().min(self.text.len()),
            Fault::new(Code::Syntax, format!("{found} ≠ {text}")),
        )
    }

    fn unexpected(&self) -> Placed {
        let found = self.text_at(0);
        let found = if found.is_empty() { "∎" } else { found };
        (
            self.offset().min(self.text.len()),
            Fault::new(Code::Syntax, found),
        )
    }

    /// Runs a nested reading within the bound of nesting.
    fn nested<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Placed>,
    ) -> Result<T, Placed> {
        if self.nesting >= MAX_NESTING {
            return Err((
                self.offset(),
                Fault::new(Code::TooLarge, format!("{MAX_NESTING}")),
            ));
        }
        self.nesting += 1;
        let read = read(self);
        self.nesting -= 1;
        read
    }

    /// Reads inside brackets, where `[` is a filter again.
    fn bracketed<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Placed>,
    ) -> Result<T, Placed> {
        let outer = std::mem::replace(&mut self.in_range, false);
        let read = self.nested(read);
        self.in_range = outer;
        read
    }

    fn node(&self, kind: Kind, ty: Type, at: usize) -> Result<Node, Placed> {
        let node = Node::new(kind, ty, at);
        if node.depth > MAX_DEPTH {
            return Err((at, Fault::new(Code::TooLarge, format!("{MAX_DEPTH}"))));
        }
        Ok(node)
    }

    // Operators.

    /// Reads an expression whose operators bind at least as tightly as `minimum`.
    fn expression(&mut self, minimum: u8) -> Result<Node, Placed> {
        self.nested(|parser| {
            let operand = parser.prefix()?;
            parser.continued(operand, minimum)
        })
    }

    fn prefix(&mut self) -> Result<Node, Placed> {
        if !self.is("-") {
            return self.primary();
        }
        let at = self.offset();
        self.advance();
        let operand = self.expression(NEGATION)?;
        let ty = operand.ty.clone();
        self.node(Kind::Negate(Box::new(operand)), ty, at)
    }

    fn infix_binding(&self) -> Option<u8> {
        let token = self.peek();
        if !matches!(token.lexeme, Lexeme::Symbol | Lexeme::Word) {
            return None;
        }
        Some(match self.text_at(0) {
            "or" => 1,
            "and" => 2,
            "=" | "!=" | "<" | "<=" | ">" | ">=" | "between" | "in" => 3,
            "+" | "-" => 4,
            "*" | "/" => 5,
            "**" => 6,
            "instance" if self.text_at(1) == "of" => INSTANCE_OF,
            "." | "(" => POSTFIX,
            "[" if !self.in_range || self.starts_expression(1) => POSTFIX,
            _ => return None,
        })
    }

    /// Whether an expression can begin at a token, which tells a filter from the end of a range.
    fn starts_expression(&self, ahead: usize) -> bool {
        match self.peek_at(ahead).lexeme {
            Lexeme::Number | Lexeme::Text(_) => true,
            Lexeme::Word => !matches!(
                self.text_at(ahead),
                "and"
                    | "or"
                    | "in"
                    | "between"
                    | "instance"
                    | "then"
                    | "else"
                    | "return"
                    | "satisfies"
            ),
            Lexeme::Symbol => matches!(self.text_at(ahead), "(" | "[" | "{" | "-" | "@"),
            Lexeme::End => false,
        }
    }

    fn infix(&mut self, left: Node, binding: u8) -> Result<Node, Placed> {
        let at = self.offset();
        match binding {
            POSTFIX => return self.postfix(left),
            INSTANCE_OF => {
                self.advance();
                self.advance();
                let ty = self.type_name()?;
                return self.node(Kind::InstanceOf(Box::new(left), ty), Type::Bool, at);
            }
            3 => return self.comparison(left),
            _ => {}
        }
        let operator = self.text_at(0);
        self.advance();
        let right = self.expression(binding + 1)?;
        let arithmetic = match operator {
            "or" | "and" => return self.connective(operator, left, right, at),
            "+" => Arithmetic::Add,
            "-" => Arithmetic::Subtract,
            "*" => Arithmetic::Multiply,
            "/" => Arithmetic::Divide,
            _ => Arithmetic::Power,
        };
        let ty = check::arithmetic(arithmetic, &left.ty, &right.ty);
        self.doubt(ty.is_some(), at, || {
            format!("{} {operator} {}", left.ty, right.ty)
        });
        let kind = Kind::Arithmetic(arithmetic, Box::new(left), Box::new(right));
        self.node(kind, ty.unwrap_or(Type::Any), at)
    }

    fn connective(
        &mut self,
        operator: &str,
        left: Node,
        right: Node,
        at: usize,
    ) -> Result<Node, Placed> {
        for operand in [&left, &right] {
            self.doubt(check::conditional(&operand.ty), at, || {
                format!("{operator} {}", operand.ty)
            });
        }
        let (left, right) = (Box::new(left), Box::new(right));
        let kind = if operator == "or" {
            Kind::Or(left, right)
        } else {
            Kind::And(left, right)
        };
        self.node(kind, Type::Bool, at)
    }

    /// Records a warning about types unless they fit.
    pub(super) fn doubt(&mut self, fits: bool, at: usize, detail: impl FnOnce() -> String) {
        if !fits {
            self.warnings
                .push((at, Fault::new(Code::WrongType, detail())));
        }
    }

    fn comparison(&mut self, left: Node) -> Result<Node, Placed> {
        let at = self.offset();
        if let Some(operator) = self.comparison_operator() {
            let right = self.expression(ADDITIVE)?;
            let fits = check::comparable(operator, &left.ty, &right.ty);
            self.doubt(fits, at, || format!("{} ~ {}", left.ty, right.ty));
            return self.node(
                Kind::Compare(operator, Box::new(left), Box::new(right)),
                Type::Bool,
                at,
            );
        }
        if self.accept("between") {
            let low = self.expression(ADDITIVE)?;
            self.expect("and")?;
            let high = self.expression(ADDITIVE)?;
            let kind = Kind::Between {
                value: Box::new(left),
                low: Box::new(low),
                high: Box::new(high),
            };
            return self.node(kind, Type::Bool, at);
        }
        self.expect("in")?;
        let tests = self.tests_after_in()?;
        self.node(
            Kind::In {
                value: Box::new(left),
                tests,
            },
            Type::Bool,
            at,
        )
    }

    fn comparison_operator(&mut self) -> Option<Comparison> {
        let operator = match self.text_at(0) {
            "=" => Comparison::Equal,
            "!=" => Comparison::NotEqual,
            "<" => Comparison::Less,
            "<=" => Comparison::LessOrEqual,
            ">" => Comparison::Greater,
            ">=" => Comparison::GreaterOrEqual,
            _ => return None,
        };
        self.advance();
        Some(operator)
    }

    fn tests_after_in(&mut self) -> Result<Vec<Test>, Placed> {
        if let Some(operator) = self.comparison_operator() {
            return Ok(vec![Test::Compare(operator, self.expression(ADDITIVE)?)]);
        }
        if !self.is("(") {
            return Ok(vec![Test::Value(self.expression(ADDITIVE)?)]);
        }
        // `in (a, < b)` is a list of tests, `in (a + b) * 2` and `in (a..b)` begin an expression:
        // what the brackets hold is read once, and one value may go on.
        let at = self.offset();
        let mut tests = self.bracketed(|parser| parser.tests_in_brackets(at))?;
        if tests.len() == 1
            && let Some(Test::Value(node)) = tests.pop_if(|test| matches!(test, Test::Value(_)))
        {
            tests.push(Test::Value(self.continued(node, ADDITIVE)?));
        }
        Ok(tests)
    }

    /// `(a, < b)`, or a range that begins with a round bracket.
    fn tests_in_brackets(&mut self, at: usize) -> Result<Vec<Test>, Placed> {
        self.expect("(")?;
        let mut tests = vec![self.positive_test()?];
        if self.is("..")
            && let Some(Test::Value(start)) = tests.pop_if(|test| matches!(test, Test::Value(_)))
        {
            return Ok(vec![Test::Value(self.range(start, false, at)?)]);
        }
        while self.accept(",") {
            tests.push(self.positive_test()?);
        }
        self.expect(")")?;
        Ok(tests)
    }

    /// Goes on with the operators after an operand.
    fn continued(&mut self, operand: Node, minimum: u8) -> Result<Node, Placed> {
        let mut left = operand;
        while let Some(binding) = self.infix_binding().filter(|b| *b >= minimum) {
            left = self.infix(left, binding)?;
        }
        Ok(left)
    }

    // Postfix: paths, filters, calls.

    fn postfix(&mut self, left: Node) -> Result<Node, Placed> {
        match self.text_at(0) {
            "." => {
                let at = self.offset();
                self.advance();
                let (name, ty) = self.entry_name(&left.ty)?;
                self.node(
                    Kind::Path {
                        of: Box::new(left),
                        name,
                    },
                    ty,
                    at,
                )
            }
            "[" => self.filter(left),
            _ => self.call(left),
        }
    }

    fn filter(&mut self, list: Node) -> Result<Node, Placed> {
        let at = self.offset();
        self.advance();
        let slot = self.slots;
        self.slots += 1;
        self.levels.push(filter_level(list.ty.item(), slot));
        let test = self.bracketed(|parser| parser.expression(0));
        self.levels.pop();
        self.slots -= 1;
        let test = test?;
        self.expect("]")?;
        // A number picks one item, a condition keeps a list.
        let ty = match test.ty {
            Type::Number => list.ty.item().clone(),
            Type::Bool => Type::List(Arc::new(list.ty.item().clone())),
            _ if matches!(list.ty.base(), Type::List(_)) => list.ty.clone(),
            _ => Type::Any,
        };
        self.node(
            Kind::Filter {
                list: Box::new(list),
                test: Box::new(test),
            },
            ty,
            at,
        )
    }

    fn call(&mut self, function: Node) -> Result<Node, Placed> {
        let at = function.at as usize;
        let arguments = self.bracketed(Self::arguments)?;
        let ty = match function.ty.base() {
            Type::Function(function) => function.result.clone(),
            _ => builtin_result(&function, &arguments),
        };
        self.node(
            Kind::Call {
                function: Box::new(function),
                arguments,
            },
            ty,
            at,
        )
    }

    fn arguments(&mut self) -> Result<Arguments, Placed> {
        self.expect("(")?;
        if self.accept(")") {
            return Ok(Arguments::Positional(Vec::new()));
        }
        if self.name_before_colon().is_some() {
            let mut named = Vec::new();
            loop {
                let name = self.name_before_colon().ok_or_else(|| self.wanted(":"))?;
                self.take_name_and_colon(&name);
                named.push((Arc::from(name.as_str()), self.expression(0)?));
                if !self.accept(",") {
                    break;
                }
            }
            self.expect(")")?;
            return Ok(Arguments::Named(named));
        }
        let mut positional = vec![self.expression(0)?];
        while self.accept(",") {
            positional.push(self.expression(0)?);
        }
        self.expect(")")?;
        Ok(Arguments::Positional(positional))
    }
}

/// Binding of `-x`.
const NEGATION: u8 = 7;
/// Binding of `instance of`.
const INSTANCE_OF: u8 = 8;
/// Binding of paths, filters and calls.
const POSTFIX: u8 = 9;
/// Operands of comparisons.
const ADDITIVE: u8 = 4;

/// The names inside a filter over items of a type.
pub(super) fn filter_level(item: &Type, slot: usize) -> Level {
    let mut level = Level::new();
    for (name, ty) in item.entries().unwrap_or_default() {
        level.bind(name, Target::Entry(slot), ty.clone());
    }
    level.bind(&Arc::from("item"), Target::Slot(slot), item.clone());
    // A context written out may hold more than its type tells; a declared one is taken at its word.
    level.open_item = (item.is_open() || matches!(item, Type::Context(_))).then_some(slot);
    level
}

/// Result types of functions that give back items of their list, so that names stay known.
fn builtin_result(function: &Node, arguments: &Arguments) -> Type {
    let Kind::Const(super::value::Value::Function(function)) = &function.kind else {
        return Type::Any;
    };
    let first = match arguments {
        Arguments::Positional(nodes) => nodes.first(),
        Arguments::Named(nodes) => nodes.iter().find(|(n, _)| &**n == "list").map(|(_, n)| n),
    };
    let list = first.map(|n| n.ty.clone()).unwrap_or_default();
    match function.name() {
        "sort" | "sublist" | "reverse" | "distinct values" | "remove" => list,
        "string" | "substring" | "upper case" | "lower case" | "replace" => Type::Text,
        "count" | "sum" | "abs" | "floor" | "ceiling" | "decimal" | "number" | "string length" => {
            Type::Number
        }
        "contains" | "starts with" | "ends with" | "matches" | "not" | "list contains" => {
            Type::Bool
        }
        _ => Type::Any,
    }
}
