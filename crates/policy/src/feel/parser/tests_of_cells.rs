//! Unary tests: the cells of decision tables, allowed values and what follows `in`.

use std::sync::Arc;

use super::super::tree::{Test, UnaryTests};
use super::{ADDITIVE, Parser, Placed};

impl<'a> Parser<'a> {
    pub(super) fn cell_tests(&mut self, text: &str) -> Result<UnaryTests, Placed> {
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
        if self.is("not") && self.text_at(1) == "(" && self.closes_at_end() {
            self.advance();
            let tests = self.bracketed(|parser| {
                parser.expect("(")?;
                let tests = parser.positive_tests()?;
                parser.expect(")")?;
                Ok(tests)
            })?;
            return Ok(UnaryTests {
                text,
                negated: true,
                any: false,
                tests,
            });
        }
        Ok(UnaryTests {
            text,
            negated: false,
            any: false,
            tests: self.positive_tests()?,
        })
    }

    /// Whether the bracket that opens after the next token closes at the end of the text, so that
    /// `not(a, b)` is a negation but `not(a) and b` an expression.
    fn closes_at_end(&self) -> bool {
        let mut depth = 0usize;
        for ahead in 1..self.tokens.len() {
            match self.text_at(ahead) {
                "(" => depth += 1,
                ")" => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return ahead + 2 == self.tokens.len();
                    }
                }
                _ => {}
            }
        }
        false
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

    fn positive_test(&mut self) -> Result<Test, Placed> {
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
