//! Regular expressions of XPath (`matches`, `replace`, `split`), by bounded backtracking.
//!
//! Ref: XQuery and XPath Functions 3.1, section 5.6. It has back references and class subtraction,
//! which automata libraries lack; a pattern that needs too many steps is a fault, not a hang.

use crate::finding::{Code, Fault};

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

/// Removes space outside classes, as the flag `x` says.
fn without_space(characters: &[char]) -> Vec<char> {
    let mut depth = 0usize;
    let mut kept = Vec::new();
    let mut escaped = false;
    for c in characters {
        if !escaped {
            match c {
                '[' => depth += 1,
                ']' => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        if depth == 0 && matches!(c, ' ' | '\t' | '\n' | '\r') {
            continue;
        }
        escaped = *c == '\\' && !escaped;
        kept.push(*c);
    }
    kept
}

struct Reader {
    characters: Vec<char>,
    at: usize,
    groups: usize,
    closed: Vec<usize>,
    depth: usize,
}

impl Reader {
    fn peek(&self) -> Option<char> {
        self.characters.get(self.at).copied()
    }

    fn accept(&mut self, c: char) -> bool {
        let found = self.peek() == Some(c);
        if found {
            self.at += 1;
        }
        found
    }

    fn either(&mut self) -> Result<Part, Fault> {
        self.depth += 1;
        if self.depth > 100 {
            return Err(Fault::new(Code::TooLarge, "pattern"));
        }
        let mut branches = vec![self.sequence()?];
        while self.accept('|') {
            branches.push(self.sequence()?);
        }
        self.depth -= 1;
        Ok(if branches.len() == 1 {
            branches.remove(0)
        } else {
            Part::Either(branches)
        })
    }

    fn sequence(&mut self) -> Result<Part, Fault> {
        let mut parts = Vec::new();
        while let Some(c) = self.peek() {
            if c == '|' || c == ')' {
                break;
            }
            let part = self.atom()?;
            parts.push(self.repeated(part)?);
        }
        Ok(Part::Sequence(parts))
    }

    fn atom(&mut self) -> Result<Part, Fault> {
        let c = self.peek().ok_or_else(|| invalid(""))?;
        self.at += 1;
        match c {
            '^' => Ok(Part::Start),
            '$' => Ok(Part::End),
            '.' => Ok(Part::One(Class::Any)),
            '(' => self.group(),
            '[' => self.set().map(Part::One),
            '\\' => self.escape(),
            '*' | '+' | '?' | '{' | '}' | ']' => Err(invalid(c.to_string())),
            other => Ok(Part::One(Class::Char(other))),
        }
    }

    fn group(&mut self) -> Result<Part, Fault> {
        let capturing = if self.accept('?') {
            if !self.accept(':') {
                return Err(invalid("(?"));
            }
            None
        } else {
            self.groups += 1;
            Some(self.groups)
        };
        let inner = self.either()?;
        if !self.accept(')') {
            return Err(invalid("("));
        }
        self.closed.extend(capturing);
        Ok(Part::Group(Box::new(inner), capturing))
    }

    fn escape(&mut self) -> Result<Part, Fault> {
        if let Some(first) = self.peek().and_then(|c| c.to_digit(10)) {
            self.at += 1;
            let mut group = first as usize;
            while let Some(digit) = self.peek().and_then(|c| c.to_digit(10)) {
                let longer = group * 10 + digit as usize;
                if longer > self.groups {
                    break;
                }
                group = longer;
                self.at += 1;
            }
            return if self.closed.contains(&group) {
                Ok(Part::Back(group))
            } else {
                Err(invalid(format!("\\{group}")))
            };
        }
        self.class_escape().map(Part::One)
    }

    fn class_escape(&mut self) -> Result<Class, Fault> {
        let c = self.peek().ok_or_else(|| invalid("\\"))?;
        self.at += 1;
        let named = |test: fn(char) -> bool| {
            Ok(Class::Named {
                negated: c.is_ascii_uppercase(),
                test,
            })
        };
        match c {
            'n' => Ok(Class::Char('\n')),
            'r' => Ok(Class::Char('\r')),
            't' => Ok(Class::Char('\t')),
            'd' | 'D' => named(char::is_numeric),
            's' | 'S' => named(|c| matches!(c, ' ' | '\t' | '\n' | '\r')),
            'w' | 'W' => named(|c| !is_punctuation(c) && !c.is_whitespace() && !c.is_control()),
            'i' | 'I' => named(|c| c.is_alphabetic() || c == '_' || c == ':'),
            'c' | 'C' => named(|c| c.is_alphanumeric() || matches!(c, '_' | ':' | '-' | '.' | '·')),
            'p' | 'P' => self.category(c == 'P'),
            '\\' | '|' | '.' | '?' | '*' | '+' | '(' | ')' | '{' | '}' | '-' | '[' | ']' | '^'
            | '$' => Ok(Class::Char(c)),
            other => Err(invalid(format!("\\{other}"))),
        }
    }

    fn category(&mut self, negated: bool) -> Result<Class, Fault> {
        if !self.accept('{') {
            return Err(invalid("\\p"));
        }
        let mut name = String::new();
        loop {
            match self.peek() {
                Some('}') => break,
                Some(c) => name.push(c),
                None => return Err(invalid("\\p{")),
            }
            self.at += 1;
        }
        self.at += 1;
        category(&name)
            .map(|test| Class::Named { negated, test })
            .ok_or_else(|| invalid(format!("\\p{{{name}}}")))
    }

    fn set(&mut self) -> Result<Class, Fault> {
        self.depth += 1;
        if self.depth > 100 {
            return Err(Fault::new(Code::TooLarge, "pattern"));
        }
        let negated = self.accept('^');
        let mut members = Vec::new();
        let mut minus = None;
        loop {
            let c = self.peek().ok_or_else(|| invalid("["))?;
            self.at += 1;
            match c {
                ']' if !members.is_empty() => break,
                ']' => return Err(invalid("[]")),
                '[' => return Err(invalid("[")),
                '-' if self.peek() == Some('[') && !members.is_empty() => {
                    self.at += 1;
                    minus = Some(Box::new(self.set()?));
                    if !self.accept(']') {
                        return Err(invalid("]"));
                    }
                    break;
                }
                '\\' => {
                    let class = self.class_escape()?;
                    members.push(self.ranged(class)?);
                }
                other => members.push(self.ranged(Class::Char(other))?),
            }
        }
        self.depth -= 1;
        Ok(Class::Set {
            negated,
            members,
            minus,
        })
    }

    /// `a-z` where a hyphen and an end follow.
    fn ranged(&mut self, start: Class) -> Result<Class, Fault> {
        let Class::Char(from) = start else {
            return Ok(start);
        };
        let next = self.characters.get(self.at + 1).copied();
        if self.peek() != Some('-') || matches!(next, None | Some(']' | '[')) {
            return Ok(Class::Char(from));
        }
        // A hyphen that a further range could not follow stands for itself, as in `[0-9-.]`.
        self.at += 2;
        let to = match next {
            Some('\\') => match self.class_escape()? {
                Class::Char(c) => c,
                _ => return Err(invalid("-")),
            },
            Some(c) => c,
            None => return Err(invalid("-")),
        };
        if from == '-' || to < from {
            return Err(invalid(format!("{from}-{to}")));
        }
        Ok(Class::Range(from, to))
    }

    fn repeated(&mut self, part: Part) -> Result<Part, Fault> {
        let (least, most) = match self.peek() {
            Some('*') => (0, usize::MAX),
            Some('+') => (1, usize::MAX),
            Some('?') => (0, 1),
            Some('{') => return self.counted(part),
            _ => return Ok(part),
        };
        self.at += 1;
        let greedy = !self.accept('?');
        Ok(Part::Repeat {
            part: Box::new(part),
            least,
            most,
            greedy,
        })
    }

    fn counted(&mut self, part: Part) -> Result<Part, Fault> {
        self.at += 1;
        let least = self.count()?.ok_or_else(|| invalid("{"))?;
        let most = if self.accept(',') {
            self.count()?.unwrap_or(usize::MAX)
        } else {
            least
        };
        if !self.accept('}') || most < least {
            return Err(invalid("{"));
        }
        let greedy = !self.accept('?');
        Ok(Part::Repeat {
            part: Box::new(part),
            least,
            most,
            greedy,
        })
    }

    fn count(&mut self) -> Result<Option<usize>, Fault> {
        let mut count = None;
        while let Some(digit) = self.peek().and_then(|c| c.to_digit(10)) {
            self.at += 1;
            let next = count.unwrap_or(0) * 10 + digit as usize;
            if next > MAX_COUNT {
                return Err(invalid("{"));
            }
            count = Some(next);
        }
        Ok(count)
    }
}

struct Search<'t> {
    text: &'t [char],
    flags: Flags,
    groups: Vec<Option<(usize, usize)>>,
    steps: usize,
    depth: usize,
}

/// What is to match after a part; true ends the search.
type Rest<'r, 't> = &'r mut dyn FnMut(&mut Search<'t>, usize) -> bool;

impl<'t> Search<'t> {
    /// Matches a part at a position, then the rest. Depth stays up once the bound is passed.
    fn run(&mut self, part: &Part, at: usize, rest: Rest<'_, 't>) -> bool {
        self.steps += 1;
        if self.steps > MAX_STEPS || self.depth > MAX_DEPTH {
            return false;
        }
        match part {
            Part::One(class) => match self.text.get(at) {
                Some(c) if self.admits(class, *c) => rest(self, at + 1),
                _ => false,
            },
            Part::Start => {
                (at == 0 || (self.flags.lines && self.is_line_end(at - 1))) && rest(self, at)
            }
            Part::End => {
                (at == self.text.len() || (self.flags.lines && self.is_line_end(at)))
                    && rest(self, at)
            }
            Part::Group(inner, None) => self.run(inner, at, rest),
            Part::Group(inner, Some(group)) => {
                let before = self.groups.get(*group).copied().flatten();
                let found = self.run(inner, at, &mut |search, end| {
                    let outer = search.set_group(*group, Some((at, end)));
                    rest(search, end) || {
                        search.set_group(*group, outer);
                        false
                    }
                });
                if !found {
                    self.set_group(*group, before);
                }
                found
            }
            Part::Back(group) => {
                let (start, end) = self
                    .groups
                    .get(*group)
                    .copied()
                    .flatten()
                    .unwrap_or((at, at));
                let length = end - start;
                let same = (0..length).all(|offset| self.same(start + offset, at + offset));
                same && rest(self, at + length)
            }
            Part::Sequence(parts) => self.sequence(parts, at, rest),
            Part::Either(branches) => branches.iter().any(|branch| self.run(branch, at, rest)),
            Part::Repeat {
                part,
                least,
                most,
                greedy,
            } => match &**part {
                Part::One(class) => self.repeat_one(class, *least, *most, *greedy, at, rest),
                part => self.repeat(part, (*least, *most, *greedy), at, rest),
            },
        }
    }

    fn set_group(&mut self, group: usize, span: Option<(usize, usize)>) -> Option<(usize, usize)> {
        self.groups
            .get_mut(group)
            .and_then(|slot| std::mem::replace(slot, span))
    }

    fn sequence(&mut self, parts: &[Part], at: usize, rest: Rest<'_, 't>) -> bool {
        match parts.split_first() {
            None => rest(self, at),
            Some((part, others)) => self.run(part, at, &mut |search, next| {
                search.sequence(others, next, rest)
            }),
        }
    }

    /// Repetition of single characters without recursion.
    fn repeat_one(
        &mut self,
        class: &Class,
        least: usize,
        most: usize,
        greedy: bool,
        at: usize,
        rest: Rest<'_, 't>,
    ) -> bool {
        let mut possible = 0;
        while possible < most
            && self
                .text
                .get(at + possible)
                .is_some_and(|c| self.admits(class, *c))
        {
            possible += 1;
            self.steps += 1;
        }
        if possible < least {
            return false;
        }
        if greedy {
            (least..=possible).rev().any(|count| rest(self, at + count))
        } else {
            (least..=possible).any(|count| rest(self, at + count))
        }
    }

    fn repeat(
        &mut self,
        part: &Part,
        bounds: (usize, usize, bool),
        at: usize,
        rest: Rest<'_, 't>,
    ) -> bool {
        let (least, most, greedy) = bounds;
        if least == 0 && !greedy && rest(self, at) {
            return true;
        }
        if most > 0 {
            self.depth += 1;
            let fewer = (least.saturating_sub(1), most.saturating_sub(1), greedy);
            let found = self.run(part, at, &mut |search, next| {
                // An empty round cannot lead further.
                (next > at || least > 0) && search.repeat(part, fewer, next, rest)
            });
            if self.depth > MAX_DEPTH {
                return false;
            }
            self.depth -= 1;
            if found {
                return true;
            }
        }
        least == 0 && greedy && rest(self, at)
    }

    fn is_line_end(&self, at: usize) -> bool {
        self.text.get(at) == Some(&'\n')
    }

    fn same(&self, a: usize, b: usize) -> bool {
        match (self.text.get(a), self.text.get(b)) {
            (Some(a), Some(b)) => a == b || (self.flags.ignore_case && variants(*a).contains(b)),
            _ => false,
        }
    }

    fn admits(&self, class: &Class, c: char) -> bool {
        match class {
            Class::Any => self.flags.dot_all || !matches!(c, '\n' | '\r'),
            Class::Named { negated, test } => test(c) != *negated,
            Class::Set {
                negated,
                members,
                minus,
            } => {
                let inside = members.iter().any(|member| self.admits(member, c));
                inside != *negated && !minus.as_ref().is_some_and(|minus| self.admits(minus, c))
            }
            Class::Char(own) => *own == c || (self.flags.ignore_case && variants(c).contains(own)),
            Class::Range(from, to) => {
                let inside = |c: char| *from <= c && c <= *to;
                inside(c) || (self.flags.ignore_case && variants(c).into_iter().any(inside))
            }
        }
    }
}

/// The same letter in other cases.
fn variants(c: char) -> Vec<char> {
    let lower: Vec<char> = c.to_lowercase().collect();
    let mut all: Vec<char> = lower
        .iter()
        .flat_map(|l| l.to_uppercase())
        .chain(c.to_uppercase())
        .collect();
    all.extend(lower);
    all
}

fn is_punctuation(c: char) -> bool {
    c.is_ascii_punctuation()
        || matches!(c, '\u{a1}'..='\u{bf}' | '\u{2010}'..='\u{2027}' | '\u{3001}'..='\u{3003}' | '\u{3008}'..='\u{3011}' | '\u{ff01}'..='\u{ff0f}')
}

fn category(name: &str) -> Option<fn(char) -> bool> {
    Some(match name {
        "L" => char::is_alphabetic,
        "Lu" => char::is_uppercase,
        "Ll" => char::is_lowercase,
        "N" | "Nd" => char::is_numeric,
        "P" => is_punctuation,
        "Z" | "Zs" => |c: char| c.is_whitespace() && !c.is_control(),
        "C" | "Cc" => char::is_control,
        "IsBasicLatin" => |c: char| c.is_ascii(),
        "IsLatin-1Supplement" => |c: char| ('\u{80}'..='\u{ff}').contains(&c),
        "IsGreek" | "IsGreekandCoptic" => |c: char| ('\u{370}'..='\u{3ff}').contains(&c),
        "IsCyrillic" => |c: char| ('\u{400}'..='\u{4ff}').contains(&c),
        "IsCJKUnifiedIdeographs" => |c: char| ('\u{4e00}'..='\u{9fff}').contains(&c),
        _ => return None,
    })
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
