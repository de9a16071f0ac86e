//! From the text of a pattern to its parts.

use super::{Class, MAX_COUNT, Part, invalid};
use crate::finding::{Code, Fault};

/// Removes space outside classes, as the flag `x` says.
pub(super) fn without_space(characters: &[char]) -> Vec<char> {
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

pub(super) struct Reader {
    pub(super) characters: Vec<char>,
    pub(super) at: usize,
    pub(super) groups: usize,
    pub(super) closed: Vec<usize>,
    pub(super) depth: usize,
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

    pub(super) fn either(&mut self) -> Result<Part, Fault> {
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
