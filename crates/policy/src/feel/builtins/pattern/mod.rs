//! Regular expressions of XPath (`matches`, `replace`, `split`), by bounded backtracking.
//!
//! Ref: XQuery and XPath Functions 3.1, section 5.6. It has back references and class subtraction,
//! which automata libraries lack; a pattern that needs too many steps is a fault, not a hang.

mod read;
mod search;

use crate::finding::{Code, Fault};
use read::{Reader, without_space};
use search::Search;

/// Most steps of one search.
const MAX_STEPS: usize = 2_000_000;
/// Deepest nesting of groups and repetitions in matching.
const MAX_DEPTH: usize = 400;
/// Longest pattern in characters.
const MAX_PATTERN: usize = 2_000;
/// Largest count of a repetition.
const MAX_COUNT: usize = 10_000;

/// A pattern with its flags.
pub(super) struct Pattern {
    root: Part,
    groups: usize,
    flags: Flags,
}

#[derive(Clone, Copy, Default)]
struct Flags {
    dot_all: bool,
    lines: bool,
    ignore_case: bool,
    literal: bool,
}

enum Part {
    One(Class),
    Start,
    End,
    Group(Box<Part>, Option<usize>),
    Back(usize),
    Sequence(Vec<Part>),
    Either(Vec<Part>),
    Repeat {
        part: Box<Part>,
        least: usize,
        most: usize,
        greedy: bool,
    },
}

/// What one character may be.
enum Class {
    Char(char),
    Any,
    Set {
        negated: bool,
        members: Vec<Class>,
        minus: Option<Box<Class>>,
    },
    Range(char, char),
    Named {
        negated: bool,
        test: fn(char) -> bool,
    },
}

/// A match with its groups, as positions in characters.
pub(super) struct Match {
    pub(super) start: usize,
    pub(super) end: usize,
    groups: Vec<Option<(usize, usize)>>,
}

fn invalid(what: impl Into<String>) -> Fault {
    Fault::new(Code::OutOfRange, what)
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// When it or the flags are invalid.
    pub(super) fn parse(text: &str, flags: &str) -> Result<Pattern, Fault> {
        let mut read = Flags::default();
        let mut free_spacing = false;
        for flag in flags.chars() {
            match flag {
                's' => read.dot_all = true,
                'm' => read.lines = true,
                'i' => read.ignore_case = true,
                'q' => read.literal = true,
                'x' => free_spacing = true,
                other => return Err(invalid(format!("flag {other}"))),
            }
        }
        let characters: Vec<char> = text.chars().collect();
        if characters.len() > MAX_PATTERN {
            return Err(Fault::new(Code::TooLarge, "pattern"));
        }
        if read.literal {
            let parts = characters
                .into_iter()
                .map(|c| Part::One(Class::Char(c)))
                .collect();
            return Ok(Pattern {
                root: Part::Sequence(parts),
                groups: 0,
                flags: read,
            });
        }
        let characters = if free_spacing {
            without_space(&characters)
        } else {
            characters
        };
        let mut reader = Reader {
            characters,
            at: 0,
            groups: 0,
            closed: Vec::new(),
            depth: 0,
        };
        let root = reader.either()?;
        if reader.at < reader.characters.len() {
            return Err(invalid(")"));
        }
        Ok(Pattern {
            root,
            groups: reader.groups,
            flags: read,
        })
    }

    /// Whether it was given with the flag `q`.
    pub(super) fn is_literal(&self) -> bool {
        self.flags.literal
    }

    /// The first match that begins at or after a position.
    ///
    /// # Errors
    /// When the search needs too many steps.
    pub(super) fn find(&self, text: &[char], from: usize) -> Result<Option<Match>, Fault> {
        let mut search = Search {
            text,
            flags: self.flags,
            groups: vec![None; self.groups + 1],
            steps: 0,
            depth: 0,
        };
        for start in from..=text.len() {
            let mut end = None;
            let found = search.run(&self.root, start, &mut |_, at| {
                end = Some(at);
                true
            });
            if search.steps > MAX_STEPS || search.depth > MAX_DEPTH {
                return Err(Fault::new(Code::Limit, "pattern"));
            }
            if let (true, Some(end)) = (found, end) {
                return Ok(Some(Match {
                    start,
                    end,
                    groups: search.groups,
                }));
            }
            search.groups.iter_mut().for_each(|group| *group = None);
        }
        Ok(None)
    }
}

impl Match {
    /// Appends a replacement with `$1` and `\$` resolved.
    pub(super) fn expand(
        &self,
        replacement: &str,
        text: &[char],
        literal: bool,
        result: &mut String,
    ) -> Result<(), Fault> {
        if literal {
            result.push_str(replacement);
            return Ok(());
        }
        let mut rest = replacement.chars().peekable();
        while let Some(c) = rest.next() {
            match c {
                '\\' => match rest.next() {
                    Some(c @ ('\\' | '$')) => result.push(c),
                    _ => return Err(invalid("\\")),
                },
                '$' => {
                    let first = rest
                        .next()
                        .and_then(|c| c.to_digit(10))
                        .ok_or_else(|| invalid("$"))?;
                    let mut group = first as usize;
                    // A second digit belongs to the number while there are so many groups.
                    while let Some(digit) = rest.peek().and_then(|c| c.to_digit(10)) {
                        let longer = group * 10 + digit as usize;
                        if longer >= self.groups.len() {
                            break;
                        }
                        group = longer;
                        rest.next();
                    }
                    let span = if group == 0 {
                        Some((self.start, self.end))
                    } else {
                        self.groups.get(group).copied().flatten()
                    };
                    if let Some((start, end)) = span {
                        result.extend(text.get(start..end).unwrap_or_default());
                    }
                }
                other => result.push(other),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, flags: &str, text: &str, expected: Option<(usize, usize)>) {
        let characters: Vec<char> = text.chars().collect();
        let found = Pattern::parse(pattern, flags)
            .unwrap()
            .find(&characters, 0)
            .unwrap();
        assert_eq!(
            found.map(|m| (m.start, m.end)),
            expected,
            "{pattern} {flags} {text}"
        );
    }

    #[test]
    fn patterns_match_as_xpath_says() {
        check("a.*a", "", "abracadabra", Some((0, 11)));
        check("a.*?a", "", "abracadabra", Some((0, 4)));
        check("(ab)+", "", "xababy", Some((1, 5)));
        check("(a)\\1", "i", "aA", Some((0, 2)));
        check("[A-Z-[OI]]", "i", "x", Some((0, 1)));
        check("[A-Z-[OI]]", "", "O", None);
        check("k", "i", "\u{212A}", Some((0, 1)));
        check("^b", "m", "a\nb", Some((2, 3)));
        check("[0-9]{2,3}", "", "1a2345", Some((2, 5)));
        check("万元$", "", "十万元", Some((1, 3)));
        check("a|b|", "", "c", Some((0, 0)));
    }

    #[test]
    fn invalid_patterns_are_faults() {
        for pattern in [
            "(", "a)", "[a", "(.)\\3", "*", "a{2,1}", "\\q", "[b-a]", "(?=a)",
        ] {
            assert!(Pattern::parse(pattern, "").is_err(), "{pattern}");
        }
        assert!(Pattern::parse("a", "y").is_err());
    }

    #[test]
    fn hostile_patterns_stop() {
        let text: Vec<char> = "a".repeat(2_000).chars().chain(['b']).collect();
        assert!(
            Pattern::parse("(a*)*c", "")
                .unwrap()
                .find(&text, 0)
                .is_err()
        );
        assert!(
            Pattern::parse("((a|aa)+)+$", "")
                .unwrap()
                .find(&text, 0)
                .is_err()
        );
    }
}
