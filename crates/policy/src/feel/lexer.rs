//! Splits a text into words, numbers, strings and symbols.
//!
//! It knows no names: a name such as 工业增加值(万元) is several tokens, which the parser puts
//! together again by what is in scope.

use std::sync::Arc;

use crate::finding::{Code, Fault};

/// Longest text of one expression in bytes.
const MAX_TEXT: usize = 256 * 1024;

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Lexeme {
    /// Letters and digits beginning with a letter.
    Word,
    /// A number literal.
    Number,
    /// A string literal, decoded.
    Text(Arc<str>),
    /// An operator or any other sign.
    Symbol,
    /// End of the text.
    End,
}

/// A token with its place.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) lexeme: Lexeme,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// All tokens of a text, the last being the end.
///
/// # Errors
/// The fault and its offset.
pub(crate) fn tokens(text: &str) -> Result<Vec<Token>, (usize, Fault)> {
    if text.len() > MAX_TEXT {
        return Err((
            0,
            Fault::new(Code::TooLarge, format!("{} bytes", text.len())),
        ));
    }
    let mut lexer = Lexer { text, at: 0 };
    let mut found = Vec::new();
    loop {
        lexer.skip_blank()?;
        let token = lexer.next()?;
        let done = token.lexeme == Lexeme::End;
        found.push(token);
        if done {
            return Ok(found);
        }
    }
}

/// The words and signs of a name, as they must follow each other in a text.
pub(crate) fn name_tokens(name: &str) -> Vec<Box<str>> {
    let mut lexer = Lexer { text: name, at: 0 };
    let mut found = Vec::new();
    while let Some(c) = lexer.peek() {
        if is_blank(c) {
            lexer.at += c.len_utf8();
            continue;
        }
        let start = lexer.at;
        // A quote in a name is a sign like any other.
        let end = if c == '"' {
            start + 1
        } else {
            lexer.next().map_or(start + c.len_utf8(), |t| t.end)
        };
        lexer.at = end;
        found.extend(name.get(start..end).map(Box::from));
    }
    found
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl Lexer<'_> {
    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn skip_blank(&mut self) -> Result<(), (usize, Fault)> {
        loop {
            let rest = self.rest();
            if rest.starts_with("//") {
                self.at += rest.find(['\n', '\r']).unwrap_or(rest.len());
            } else if rest.starts_with("/*") {
                let length = rest
                    .find("*/")
                    .ok_or_else(|| (self.at, Fault::new(Code::Syntax, "/*")))?;
                self.at += length + 2;
            } else if let Some(c) = self.peek().filter(|c| is_blank(*c)) {
                self.at += c.len_utf8();
            } else {
                return Ok(());
            }
        }
    }

    fn next(&mut self) -> Result<Token, (usize, Fault)> {
        let start = self.at;
        let Some(first) = self.peek() else {
            return Ok(Token {
                lexeme: Lexeme::End,
                start,
                end: start,
            });
        };
        let second = self.rest().chars().nth(1);
        let lexeme = if first == '"' {
            self.string()?
        } else if first.is_ascii_digit()
            || (first == '.' && second.is_some_and(|c| c.is_ascii_digit()))
        {
            self.number();
            Lexeme::Number
        } else if is_word_start(first) {
            self.take_while(is_word_part);
            Lexeme::Word
        } else {
            self.at += symbol_length(self.rest()).max(first.len_utf8());
            Lexeme::Symbol
        };
        Ok(Token {
            lexeme,
            start,
            end: self.at,
        })
    }

    fn take_while(&mut self, keep: fn(char) -> bool) {
        let rest = self.rest();
        self.at += rest.find(|c| !keep(c)).unwrap_or(rest.len());
    }

    fn number(&mut self) {
        self.take_while(|c| c.is_ascii_digit());
        let rest = self.rest().as_bytes();
        if rest.first() == Some(&b'.') && rest.get(1).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
            self.take_while(|c| c.is_ascii_digit());
        }
        let rest = self.rest().as_bytes();
        if matches!(rest.first(), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(rest.get(1), Some(b'+' | b'-')));
            if rest.get(1 + sign).is_some_and(u8::is_ascii_digit) {
                self.at += 1 + sign;
                self.take_while(|c| c.is_ascii_digit());
            }
        }
    }

    fn string(&mut self) -> Result<Lexeme, (usize, Fault)> {
        let start = self.at;
        let unclosed = || (start, Fault::new(Code::Syntax, "\""));
        self.at += 1;
        let mut decoded = String::new();
        loop {
            let c = self.peek().ok_or_else(unclosed)?;
            self.at += c.len_utf8();
            match c {
                '"' => return Ok(Lexeme::Text(decoded.into())),
                '\\' => self.escape(&mut decoded),
                other => decoded.push(other),
            }
        }
    }

    /// What follows a backslash; an unknown escape stays as it is written.
    fn escape(&mut self, decoded: &mut String) {
        let Some(c) = self.peek() else { return };
        self.at += c.len_utf8();
        match c {
            'n' => decoded.push('\n'),
            't' => decoded.push('\t'),
            'r' => decoded.push('\r'),
            '"' | '\\' | '\'' => decoded.push(c),
            'u' | 'U' => {
                let digits = if c == 'u' { 4 } else { 6 };
                match self.unicode(digits) {
                    Some(scalar) => decoded.push(scalar),
                    None => decoded.extend(['\\', c]),
                }
            }
            other => decoded.extend(['\\', other]),
        }
    }

    fn unicode(&mut self, digits: usize) -> Option<char> {
        let code = u32::from_str_radix(self.rest().get(..digits)?, 16).ok()?;
        if (0xD800..0xDC00).contains(&code) {
            let low = self.rest().get(digits..digits + 6)?.strip_prefix("\\u")?;
            let low = u32::from_str_radix(low, 16)
                .ok()
                .filter(|l| (0xDC00..0xE000).contains(l))?;
            let scalar = char::from_u32(0x1_0000 + ((code - 0xD800) << 10) + (low - 0xDC00))?;
            self.at += digits + 6;
            return Some(scalar);
        }
        let scalar = char::from_u32(code)?;
        self.at += digits;
        Some(scalar)
    }
}

fn symbol_length(rest: &str) -> usize {
    let two = ["**", "<=", ">=", "!=", "..", "->"];
    if two.iter().any(|symbol| rest.starts_with(symbol)) {
        2
    } else {
        0
    }
}

fn is_blank(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{180e}' | '\u{200b}' | '\u{feff}')
}

/// Letters of all scripts, `_`, `?`, and signs beyond ASCII that are no punctuation.
fn is_word_start(c: char) -> bool {
    c.is_alphabetic()
        || c == '_'
        || c == '?'
        || (!c.is_ascii() && !is_blank(c) && !is_wide_punctuation(c))
}

fn is_word_part(c: char) -> bool {
    is_word_start(c) || c.is_alphanumeric()
}

/// Chinese and other typographic punctuation: a sign of its own, also inside names.
fn is_wide_punctuation(c: char) -> bool {
    matches!(c, '\u{2010}'..='\u{205e}' | '\u{3001}'..='\u{3004}' | '\u{3008}'..='\u{3020}'
        | '\u{ff01}'..='\u{ff0f}' | '\u{ff1a}'..='\u{ff20}' | '\u{ff3b}'..='\u{ff40}'
        | '\u{ff5b}'..='\u{ff65}' | '×' | '÷' | '·' | '\u{80}'..='\u{b6}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let found = tokens(text).unwrap();
        let texts: Vec<&str> = found
            .iter()
            .filter(|t| t.lexeme != Lexeme::End)
            .map(|t| &text[t.start..t.end])
            .collect();
        assert_eq!(texts, expected, "{text}");
    }

    #[test]
    fn texts_fall_into_words_and_signs() {
        check("a+b <= 1.5e3", &["a", "+", "b", "<=", "1.5e3"]);
        check("1..5", &["1", "..", "5"]);
        check("[1.5..2)", &["[", "1.5", "..", "2", ")"]);
        check(
            "工业增加值(万元)*2",
            &["工业增加值", "(", "万元", ")", "*", "2"],
        );
        check("甲，乙", &["甲", "，", "乙"]);
        check("5G收入", &["5", "G收入"]);
        check("a // rest\n/* more */ b", &["a", "b"]);
        check("\"x \\\" y\" \"z\"", &["\"x \\\" y\"", "\"z\""]);
    }

    #[test]
    fn escapes_are_decoded() {
        let text = |source: &str| match &tokens(source).unwrap()[0].lexeme {
            Lexeme::Text(text) => text.to_string(),
            other => panic!("{other:?}"),
        };
        assert_eq!(text(r#""\t\n\"\\\'""#), "\t\n\"\\'");
        assert_eq!(text(r#""\u4e07\U01F40E\uD83D\uDCA9""#), "万🐎💩");
        assert_eq!(text(r#""\s""#), "\\s");
    }

    #[test]
    fn an_open_string_is_a_fault_with_its_place() {
        assert_eq!(tokens("1 + \"a").unwrap_err().0, 4);
        assert_eq!(tokens("1 /* a").unwrap_err().0, 2);
    }
}
