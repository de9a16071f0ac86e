//! Reads the source's own layout of articles: blocks of `-`, title, body (one line) and date, then
//! a foot that is no article. Every fault is reported with its line; a file with faults gives no
//! blocks at all.
//!
//! It lacks the store and the clock, and changes nothing it reads: a block keeps its raw bytes.

use std::ops::Range;

use jiff::civil::Date;
use serde::Serialize;
use vocab::RegionCode;

use super::tag;

/// The largest file, in bytes.
pub const FILE_BYTES: usize = 512 << 20;
/// The most articles of one file.
pub(super) const BLOCKS: usize = 200_000;
/// The longest title, in characters.
pub(super) const TITLE_CHARS: usize = 200;
/// The longest body, in bytes.
pub(super) const BODY_BYTES: usize = 1 << 20;
/// The most faults that are reported; reading stops there.
pub(super) const ERRORS: usize = 100;

/// One article as it stands in the file. All texts are parts of the file, untouched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block<'a> {
    /// Its line `-` in the file, from 1.
    pub line: usize,
    /// Everything from the end of the block before to the end of its date line, so that the raw
    /// bytes of all blocks one after the other are the file without mark and foot.
    pub raw: &'a [u8],
    /// The title without its tag.
    pub title: &'a str,
    /// What stands between 【 and 】 at the head of the title.
    pub tag: Option<&'a str>,
    /// The region the tag names.
    pub region: Option<RegionCode>,
    /// The day of publication.
    pub date: Date,
    /// The body, one line.
    pub body: &'a str,
}

/// A fault of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LineError {
    /// The line, from 1; 0 where the whole file is meant.
    pub line: usize,
    /// `file`, `title`, `body` or `date`.
    pub field: &'static str,
    /// The rule broken: a stable code in kebab case.
    pub rule: &'static str,
    /// What is wrong and what to do, in Chinese.
    pub message: String,
}

/// Reads a whole file. `home` is the city's region, whose counties a tag may name in short.
///
/// # Errors
/// Gives every fault found, up to [`ERRORS`] of them, in the order of their lines.
pub fn parse_source(bytes: &[u8], home: RegionCode) -> Result<Vec<Block<'_>>, Vec<LineError>> {
    if bytes.len() > FILE_BYTES {
        let message = format!("文件超过 {} MB，请分成几个文件导入。", FILE_BYTES >> 20);
        return Err(vec![LineError {
            line: 0,
            field: "file",
            rule: "file-size",
            message,
        }]);
    }
    let mut reader = Reader::new(bytes, home);
    reader.read();
    if reader.errors.is_empty() && reader.blocks.is_empty() {
        let message = "文件里没有文章。每篇文章应依次为：单独一行「-」、标题、正文（一行）、日期。";
        reader.errors.push(LineError {
            line: 0,
            field: "file",
            rule: "no-article",
            message: message.to_owned(),
        });
    }
    if reader.errors.is_empty() {
        Ok(reader.blocks)
    } else {
        Err(reader.errors)
    }
}

/// A line without its end, and where it lies with it.
#[derive(Clone, Debug)]
struct Line<'a> {
    text: &'a [u8],
    span: Range<usize>,
}

struct Reader<'a> {
    bytes: &'a [u8],
    home: RegionCode,
    lines: Vec<Line<'a>>,
    /// Where the raw bytes of the next block begin.
    start: usize,
    blocks: Vec<Block<'a>>,
    errors: Vec<LineError>,
}

/// A fault before its line number is made into text.
type Fault = (usize, &'static str, &'static str, String);

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8], home: RegionCode) -> Self {
        let mark = if bytes.starts_with(b"\xEF\xBB\xBF") {
            3
        } else {
            0
        };
        let mut lines = Vec::new();
        let mut at = mark;
        for piece in bytes
            .get(mark..)
            .unwrap_or_default()
            .split_inclusive(|byte| *byte == b'\n')
        {
            let text = piece.strip_suffix(b"\n").unwrap_or(piece);
            let text = text.strip_suffix(b"\r").unwrap_or(text);
            lines.push(Line {
                text,
                span: at..at + piece.len(),
            });
            at += piece.len();
        }
        Self {
            bytes,
            home,
            lines,
            start: mark,
            blocks: Vec::new(),
            errors: Vec::new(),
        }
    }

    fn read(&mut self) {
        let mut at = 0;
        let mut foot = None;
        while at < self.lines.len() && self.errors.len() < ERRORS {
            if !self.is_dash(at) {
                self.read_between(at, &mut foot);
                at += 1;
                continue;
            }
            if let Some(line) = foot.take() {
                let text =
                    "两篇文章之间有多余的文字。正文只能占一行，日期之后应直接是下一篇的「-」。";
                self.report((line, "file", "stray-text", text.to_owned()));
            }
            match self.block(at) {
                Ok(block) => {
                    self.start = self
                        .lines
                        .get(at + 3)
                        .map_or(self.bytes.len(), |line| line.span.end);
                    self.blocks.push(block);
                    at += 4;
                }
                Err(fault) => {
                    self.report(fault);
                    at = (at + 1..self.lines.len())
                        .find(|at| self.is_dash(*at))
                        .unwrap_or(self.lines.len());
                }
            }
            if self.blocks.len() > BLOCKS {
                let text = format!("文章超过 {BLOCKS} 篇，请分成几个文件导入。");
                return self.report((at, "file", "too-many-articles", text));
            }
        }
    }

    /// A line outside of all blocks: blank, or the foot unless another block follows.
    fn read_between(&mut self, at: usize, foot: &mut Option<usize>) {
        if self.is_blank(at) {
            return;
        }
        if let Err(fault) = self.text(at, "file") {
            return self.report(fault);
        }
        foot.get_or_insert(at);
    }

    fn report(&mut self, (at, field, rule, text): Fault) {
        let line = at + 1;
        self.errors.push(LineError {
            line,
            field,
            rule,
            message: format!("第 {line} 行：{text}"),
        });
    }

    fn block(&self, at: usize) -> Result<Block<'a>, Fault> {
        let (title, body) = (self.title(at + 1)?, self.body(at + 2)?);
        let date = self.date(at + 3)?;
        let (tag, title) = tag::split(title);
        let end = self
            .lines
            .get(at + 3)
            .map_or(self.bytes.len(), |line| line.span.end);
        Ok(Block {
            line: at + 1,
            raw: self.bytes.get(self.start..end).unwrap_or_default(),
            title,
            tag,
            region: tag.and_then(|tag| tag::region(tag, self.home)),
            date,
            body,
        })
    }

    fn title(&self, at: usize) -> Result<&'a str, Fault> {
        let title = self.text(at, "title")?.trim();
        if title.is_empty() || self.is_dash(at) {
            return Err((
                at,
                "title",
                "required",
                "缺少标题。「-」的下一行应为标题。".to_owned(),
            ));
        }
        let chars = title.chars().count();
        if chars > TITLE_CHARS {
            let text = format!(
                "标题有 {chars} 个字，超过 {TITLE_CHARS} 个字。请检查标题与正文之间是否少了换行。"
            );
            return Err((at, "title", "too-long", text));
        }
        Ok(title)
    }

    fn body(&self, at: usize) -> Result<&'a str, Fault> {
        let body = self.text(at, "body")?;
        let date_stands_here = looks_like_date(body) && !self.has_date(at + 1);
        if body.trim().is_empty() || self.is_dash(at) || date_stands_here {
            return Err((
                at,
                "body",
                "required",
                "缺少正文。标题的下一行应为正文，整篇占一行。".to_owned(),
            ));
        }
        if body.len() > BODY_BYTES {
            let text = format!(
                "正文有 {} KB，超过 {} KB。请拆分后再导入。",
                body.len() >> 10,
                BODY_BYTES >> 10
            );
            return Err((at, "body", "too-long", text));
        }
        Ok(body)
    }

    fn date(&self, at: usize) -> Result<Date, Fault> {
        let text = self.text(at, "date")?.trim();
        if let Some(date) = read_date(text) {
            return Ok(date);
        }
        let (rule, text) = if is_written_as_date(text) {
            ("date-impossible", format!("日期「{text}」在日历上不存在。"))
        } else if looks_like_date(text) {
            (
                "date-format",
                format!("日期「{text}」的写法不对，应为 YYYY-MM-DD，例如 2025-07-23。"),
            )
        } else if !text.is_empty() && !self.is_dash(at) && self.has_date(at + 1) {
            (
                "body-one-line",
                "正文多于一行。请把整篇正文合成一行，下一行写日期。".to_owned(),
            )
        } else {
            (
                "date-missing",
                "缺少日期。正文的下一行应为日期 YYYY-MM-DD。".to_owned(),
            )
        };
        let field = if rule == "body-one-line" {
            "body"
        } else {
            "date"
        };
        Err((at, field, rule, text))
    }

    /// The text of a line; a line after the end is empty.
    fn text(&self, at: usize, field: &'static str) -> Result<&'a str, Fault> {
        let bytes = self.lines.get(at).map_or(&b""[..], |line| line.text);
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let place = error.valid_up_to() + 1;
            let text = format!(
                "第 {place} 个字节起不是有效的 UTF-8 文字。请把文件另存为 UTF-8 编码后再导入。"
            );
            (at, field, "utf-8", text)
        })?;
        match text.chars().position(|c| c.is_control() && c != '\t') {
            Some(place) => {
                let text = format!("第 {} 个字符是控制字符。请删除后再导入。", place + 1);
                Err((at, field, "control-character", text))
            }
            None => Ok(text),
        }
    }

    fn is_dash(&self, at: usize) -> bool {
        self.lines
            .get(at)
            .is_some_and(|line| line.text.trim_ascii() == b"-")
    }

    fn is_blank(&self, at: usize) -> bool {
        self.lines
            .get(at)
            .is_none_or(|line| line.text.trim_ascii().is_empty())
    }

    fn has_date(&self, at: usize) -> bool {
        self.text(at, "date")
            .is_ok_and(|text| is_written_as_date(text.trim()))
    }
}

fn read_date(text: &str) -> Option<Date> {
    let date: Date = if is_written_as_date(text) {
        text.parse().ok()?
    } else {
        return None;
    };
    (1900..2200).contains(&date.year()).then_some(date)
}

/// Four digits, two and two, whatever they say.
fn is_written_as_date(text: &str) -> bool {
    text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

/// A short line of digits with the marks people put between year, month and day.
fn looks_like_date(text: &str) -> bool {
    let text = text.trim();
    let digits = text.chars().filter(char::is_ascii_digit).count();
    (5..=8).contains(&digits)
        && text
            .chars()
            .all(|c| c.is_ascii_digit() || matches!(c, '-' | '/' | '.' | '年' | '月' | '日' | ' '))
        && text.chars().any(|c| !c.is_ascii_digit())
}

#[cfg(test)]
#[path = "source_tests.rs"]
mod tests;
