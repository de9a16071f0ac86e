//! Unary tests: the cells of decision tables, allowed values and what follows `in`.

use std::sync::Arc;

use super::super::check;
use super::super::lexer::Lexeme;
use super::super::tree::{Arguments, Kind, Test, UnaryTests};
use super::super::types::Type;
use super::{ADDITIVE, Parser, Placed};

impl<'a> Parser<'a> {
    pub(super) fn cell_tests(&mut self, text: &str) -> Result<UnaryTests, Placed> {
        let read = self.any_cell_tests(text)?;
        self.doubt_tests(&read.tests);
        Ok(read)
    }

    fn any_cell_tests(&mut self, text: &str) -> Result<UnaryTests, Placed> {
        let text = Arc::from(text.trim());
        let only_dash = self.is("-") && self.tokens.len() == 2;
        if only_dash || self.tokens.len() == 1 {
            self.at = self.tokens.len() - 1;
            return Ok(UnaryTests {
                text,
                negated: false,
                any: true,
                tests: Vec::new(),
            });
        }
        if self.is("not") && self.text_at(1) == "(" && self.name_length() < 2 {
            return self.negated_tests(text);
        }
        Ok(UnaryTests {
            text,
            negated: false,
            any: false,
            tests: self.positive_tests()?,
        })
    }

    /// `not(a, < b)`; where more follows, as in `not(a) and b`, the first part of an expression.
    fn negated_tests(&mut self, text: Arc<str>) -> Result<UnaryTests, Placed> {
        let at = self.offset();
        let function = self.name()?;
        let mut tests = self.bracketed(|parser| {
            parser.expect("(")?;
            let tests = parser.positive_tests()?;
            parser.expect(")")?;
            Ok(tests)
        })?;
        if self.peek().lexeme == Lexeme::End {
            return Ok(UnaryTests {
                text,
                negated: true,
                any: false,
                tests,
            });
        }
        let (Some(Test::Value(node) | Test::Condition(node)), true) =
            (tests.pop(), tests.is_empty())
        else {
            return Err(self.unexpected());
        };
        let arguments = Arguments::Positional(vec![node]);
        let call = self.node(
            Kind::Call {
                function: Box::new(function),
                arguments,
            },
            Type::Bool,
            at,
        )?;
        let first = self.continued(call, 0)?;
        // A negation in a cell that goes on is a condition of its own.
        let mut tests = vec![Test::Condition(first)];
        if self.accept(",") {
            tests.extend(self.positive_tests()?);
        }
        Ok(UnaryTests {
            text,
            negated: false,
            any: false,
            tests,
        })
    }

    /// The tests of a cell against the type of its column.
    fn doubt_tests(&mut self, tests: &[Test]) {
        let column = self
            .levels
            .last()
            .and_then(|level| level.names.last())
            .map(|(_, _, ty)| ty.clone());
        let Some(column) = column else { return };
        for test in tests {
            let node = test.node();
            let fits = match test {
                Test::Compare(operator, _) => check::comparable(*operator, &column, &node.ty),
                Test::Value(_) => check::testable(&column, &node.ty),
                Test::Condition(_) => check::conditional(&node.ty),
            };
            self.doubt(fits, node.at as usize, || format!("{column} ~ {}", node.ty));
        }
    }

    pub(super) fn positive_tests(&mut self) -> Result<Vec<Test>, Placed> {
        let mut tests = Vec::new();
        loop {
            tests.push(self.positive_test()?);
            if !self.accept(",") {
                return Ok(tests);
            }
        }
    }

    pub(super) fn positive_test(&mut self) -> Result<Test, Placed> {
        if let Some(operator) = self.comparison_operator() {
            return Ok(Test::Compare(operator, self.expression(ADDITIVE)?));
        }
        let outer = std::mem::replace(&mut self.question_seen, false);
        let node = self.expression(0)?;
        let conditional = std::mem::replace(&mut self.question_seen, outer);
        Ok(if conditional {
            Test::Condition(node)
        } else {
            Test::Value(node)
        })
    }
}
