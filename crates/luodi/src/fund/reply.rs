//! The bank's reply (银行回单) read: `文件编号,…`, then `行号,结果,原因,日期` and, if the bank gives
//! it, `金额`. UTF-8, with or without a byte-order mark, or GB 18030 (GBK).
//!
//! Pure: what the lines mean for the payments is decided by `settle`. A reply with any fault is
//! refused whole.

use std::borrow::Cow;
use std::collections::BTreeSet;

use encoding_rs::GB18030;
use jiff::civil::Date;
use sha2::{Digest, Sha256};
use vocab::{Fen, fold_width, mask_numbers};

use super::file::hex;
use crate::refusal::{FieldError, Refusal};

/// The most lines of a reply: more than any payment file has.
const MOST_LINES: usize = 2_000;
/// The largest reply, in bytes.
const MOST_BYTES: usize = 1 << 20;
/// The most faults that are listed.
const MOST_FAULTS: usize = 20;
/// The longest reason kept, in characters.
const LONGEST_REASON: usize = 200;

/// What the bank says of one payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 成功.
    Paid,
    /// 退回, with the reason.
    Returned(String),
}

/// One line of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplyLine {
    /// Its line in the reply, from 1.
    pub at: usize,
    /// 行号: the line of the payment file.
    pub number: i64,
    /// What became of it.
    pub answer: Answer,
    /// The day the bank paid or returned it.
    pub on: Date,
    /// The amount, where the bank repeats it.
    pub amount: Option<Fen>,
}

/// A reply without faults of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// 文件编号: the payment file it answers.
    pub file_number: String,
    /// Its lines; at least one, each 行号 once.
    pub lines: Vec<ReplyLine>,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
}

/// What is wrong with a line of a reply, or with the reply. The code is stable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Neither UTF-8 nor GB 18030, or not a text at all.
    NotText,
    /// More bytes or lines than any reply has.
    TooLong,
    /// The first line is no 文件编号.
    NoFileNumber,
    /// No line of a payment.
    NoLines,
    /// The number of another file.
    OtherFile {
        /// The number in the reply.
        found: String,
        /// The number of the file it was handed in for.
        expected: String,
    },
    /// Fewer than four cells or more than five.
    Cells,
    /// A quotation mark that does not end.
    Quote,
    /// 行号 is no whole number from 1.
    LineNumber(String),
    /// 行号 is not in the payment file.
    UnknownLine(i64),
    /// 行号 stands twice.
    DuplicateLine(i64),
    /// 结果 is neither 成功 nor 退回.
    UnknownResult(String),
    /// 退回 without 原因.
    NoReason,
    /// 日期 is no day of the calendar.
    ImpossibleDate(String),
    /// The day lies before the file was sent or after today.
    DateOutOfRange(Date),
    /// 金额 is no amount.
    Amount(String),
    /// 金额 is not what was sent.
    OtherAmount {
        /// What the reply says.
        found: Fen,
        /// What was sent.
        expected: Fen,
    },
    /// An earlier reply said otherwise.
    Contradiction(i64),
}

impl Fault {
    /// Its stable name.
    pub const fn code(&self) -> &'static str {
        match self {
            Fault::NotText => "reply-not-text",
            Fault::TooLong => "reply-too-long",
            Fault::NoFileNumber => "reply-no-file-number",
            Fault::NoLines => "reply-no-lines",
            Fault::OtherFile { .. } => "reply-other-file",
            Fault::Cells => "reply-cells",
            Fault::Quote => "reply-quote",
            Fault::LineNumber(_) => "reply-line-number",
            Fault::UnknownLine(_) => "reply-unknown-line",
            Fault::DuplicateLine(_) => "reply-duplicate-line",
            Fault::UnknownResult(_) => "reply-unknown-result",
            Fault::NoReason => "reply-no-reason",
            Fault::ImpossibleDate(_) => "reply-impossible-date",
            Fault::DateOutOfRange(_) => "reply-date-out-of-range",
            Fault::Amount(_) => "reply-amount",
            Fault::OtherAmount { .. } => "reply-other-amount",
            Fault::Contradiction(_) => "reply-contradiction",
        }
    }

    /// What to do about it, in Chinese.
    pub fn message_zh(&self) -> String {
        match self {
            Fault::NotText => "回单不是 UTF-8 或 GBK 文本，请上传银行给的 CSV 文件".to_owned(),
            Fault::TooLong => format!("回单超过 {MOST_LINES} 行或 1 MB，请核对是不是银行回单"),
            Fault::NoFileNumber => "第一行应为「文件编号,编号」，请核对是不是银行回单".to_owned(),
            Fault::NoLines => "回单中没有任何一笔结果，请向银行核对".to_owned(),
            Fault::OtherFile { found, expected } => {
                format!("文件编号是 {found}，不是本支付文件 {expected}，请在对应的支付文件登记")
            }
            Fault::Cells => "应为「行号,结果,原因,日期」四列，可加「金额」一列，请补齐".to_owned(),
            Fault::Quote => "引号没有成对，请向银行核对".to_owned(),
            Fault::LineNumber(text) => format!("行号「{text}」不是正整数，请更正"),
            Fault::UnknownLine(number) => format!("行号 {number} 不在支付文件中，请向银行核对"),
            Fault::DuplicateLine(number) => format!("行号 {number} 重复出现，请向银行核对"),
            Fault::UnknownResult(text) => {
                format!("结果「{text}」无法识别，只能是「成功」或「退回」")
            }
            Fault::NoReason => "结果为「退回」时须有原因，请向银行补充".to_owned(),
            Fault::ImpossibleDate(text) => {
                format!("日期「{text}」不存在，请按 2026-11-23 的形式更正")
            }
            Fault::DateOutOfRange(day) => {
                format!("日期 {day} 早于支付文件生成日或晚于今天，请向银行核对")
            }
            Fault::Amount(text) => format!("金额「{text}」无法识别，请按 14300.00 的形式更正"),
            Fault::OtherAmount { found, expected } => {
                format!("金额 {found} 元与支付文件的 {expected} 元不符，请向银行核对")
            }
            Fault::Contradiction(number) => {
                format!("行号 {number} 的结果与先前登记的回单不一致，请向银行核对")
            }
        }
    }

    /// What to do about it, in English.
    pub fn message_en(&self) -> String {
        match self {
            Fault::NotText => {
                "the reply is neither UTF-8 nor GBK text: hand in the CSV file of the bank"
                    .to_owned()
            }
            Fault::TooLong => {
                format!("the reply is over {MOST_LINES} lines or 1 MB: check the file")
            }
            Fault::NoFileNumber => {
                "the first line must give the file number: check the file".to_owned()
            }
            Fault::NoLines => "the reply has no result of a payment: ask the bank".to_owned(),
            Fault::OtherFile { found, expected } => {
                format!("the reply is for {found}, not {expected}: hand it in at that payment file")
            }
            Fault::Cells => {
                "a line has four cells, or five with the amount: complete it".to_owned()
            }
            Fault::Quote => "a quotation mark does not end: ask the bank".to_owned(),
            Fault::LineNumber(text) => {
                format!("line number {text} is no whole number from 1: correct it")
            }
            Fault::UnknownLine(number) => {
                format!("line {number} is not in the payment file: ask the bank")
            }
            Fault::DuplicateLine(number) => format!("line {number} stands twice: ask the bank"),
            Fault::UnknownResult(text) => {
                format!("the result {text} is neither paid nor returned: correct it")
            }
            Fault::NoReason => "a returned payment needs its reason: ask the bank".to_owned(),
            Fault::ImpossibleDate(text) => format!("{text} is no day: write it as 2026-11-23"),
            Fault::DateOutOfRange(day) => {
                format!("{day} is before the file was made or after today: ask the bank")
            }
            Fault::Amount(text) => format!("{text} is no amount: write it as 14300.00"),
            Fault::OtherAmount { found, expected } => {
                format!("{found} yuan differ from the {expected} that were sent: ask the bank")
            }
            Fault::Contradiction(number) => {
                format!("line {number} differs from an earlier reply: ask the bank")
            }
        }
    }
}

/// Faults with the line of the reply they stand in (0: the reply as a whole).
pub(super) type Faults = Vec<(usize, Fault)>;

/// The refusal of a reply: every fault names its line, the first twenty are listed.
pub(super) fn refuse(faults: &[(usize, Fault)]) -> Refusal {
    let field = |(at, fault): &(usize, Fault)| {
        let place = if *at == 0 {
            "银行回单".to_owned()
        } else {
            format!("回单第 {at} 行")
        };
        FieldError {
            field: "reply".to_owned(),
            rule: fault.code().into(),
            message: format!("{place}：{}。", fault.message_zh()),
        }
    };
    let mut refusal = Refusal::fields(faults.iter().take(MOST_FAULTS).map(field).collect());
    let rest = faults.len().saturating_sub(MOST_FAULTS);
    let more = if rest > 0 {
        format!("另有 {rest} 处未列出。")
    } else {
        String::new()
    };
    refusal.message = format!(
        "回单有 {} 处不符，整份没有登记，账目没有变动。{more}",
        faults.len()
    );
    refusal
}

/// The text of a reply: UTF-8, or GB 18030, in which banks and Chinese spreadsheets write.
fn decoded(bytes: &[u8]) -> Option<Cow<'_, str>> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(Cow::Borrowed(text)),
        Err(_) => GB18030.decode_without_bom_handling_and_without_replacement(bytes),
    }
}

/// Reads a reply.
///
/// # Errors
/// Every fault of its lines, at once.
pub fn read(bytes: &[u8]) -> Result<Reply, Refusal> {
    read_lines(bytes).map_err(|faults| refuse(&faults))
}

fn read_lines(bytes: &[u8]) -> Result<Reply, Faults> {
    if bytes.len() > MOST_BYTES {
        return Err(vec![(0, Fault::TooLong)]);
    }
    let text = decoded(bytes).ok_or_else(|| vec![(0, Fault::NotText)])?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut lines = (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.trim().is_empty());
    let file_number = lines
        .next()
        .and_then(|(_, line)| cells(line))
        .and_then(|cells| match cells.as_slice() {
            [key, number, rest @ ..] if key == "文件编号" && rest.iter().all(String::is_empty) => {
                Some(number.clone())
            }
            _ => None,
        })
        .filter(|number| !number.is_empty())
        .ok_or_else(|| vec![(1, Fault::NoFileNumber)])?;
    let (mut read, mut faults, mut seen) = (Vec::new(), Faults::new(), BTreeSet::new());
    for (at, line) in lines {
        if read.len() + faults.len() >= MOST_LINES {
            return Err(vec![(0, Fault::TooLong)]);
        }
        if read.is_empty() && faults.is_empty() && line.trim_start().starts_with("行号") {
            continue;
        }
        match read_line(at, line) {
            Ok(line) if !seen.insert(line.number) => {
                faults.push((at, Fault::DuplicateLine(line.number)));
            }
            Ok(line) => read.push(line),
            Err(fault) => faults.push((at, fault)),
        }
    }
    if read.is_empty() && faults.is_empty() {
        faults.push((0, Fault::NoLines));
    }
    if faults.is_empty() {
        Ok(Reply {
            file_number,
            lines: read,
            sha256: hex(&Sha256::digest(bytes)),
        })
    } else {
        Err(faults)
    }
}

fn read_line(at: usize, line: &str) -> Result<ReplyLine, Fault> {
    let cells = cells(line).ok_or(Fault::Quote)?;
    let (number, result, reason, day, amount) = match cells.as_slice() {
        [number, result, reason, day] => (number, result, reason, day, ""),
        [number, result, reason, day, amount] => (number, result, reason, day, amount.as_str()),
        _ => return Err(Fault::Cells),
    };
    let number = number
        .parse::<i64>()
        .ok()
        .filter(|parsed| *parsed > 0)
        .ok_or_else(|| Fault::LineNumber(short(number)))?;
    let answer = match result.as_str() {
        "成功" => Answer::Paid,
        "退回" if reason.is_empty() => return Err(Fault::NoReason),
        "退回" => {
            let reason: String = reason.chars().take(LONGEST_REASON).collect();
            Answer::Returned(mask_numbers(&reason))
        }
        _ => return Err(Fault::UnknownResult(short(result))),
    };
    let on = read_day(day).ok_or_else(|| Fault::ImpossibleDate(short(day)))?;
    let amount = match amount {
        "" => None,
        text => Some(Fen::parse_yuan(text).map_err(|_| Fault::Amount(short(text)))?),
    };
    Ok(ReplyLine {
        at,
        number,
        answer,
        on,
        amount,
    })
}

/// `2026-11-23`, `2026/11/23` or `20261123`.
fn read_day(text: &str) -> Option<Date> {
    let digits: String = text.chars().filter(|c| !matches!(c, '-' | '/')).collect();
    let shaped = match text.len() {
        8 => text == digits,
        10 => [4, 7]
            .iter()
            .all(|at| matches!(text.as_bytes().get(*at), Some(b'-' | b'/'))),
        _ => false,
    };
    if !shaped || digits.len() != 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |range: std::ops::Range<usize>| digits.get(range)?.parse::<i16>().ok();
    let (year, month, day) = (part(0..4)?, part(4..6)?, part(6..8)?);
    Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

/// What is repeated of a wrong text.
fn short(text: &str) -> String {
    text.chars().take(20).collect()
}

/// The cells of a line, trimmed, full-width forms folded; none where a quotation does not end.
fn cells(line: &str) -> Option<Vec<String>> {
    let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut chars = line.trim_end_matches('\r').chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(std::mem::take(&mut cell)),
            c => cell.push(c),
        }
    }
    cells.push(cell);
    let folded = |cell: &String| fold_width(cell.trim()).trim().to_owned();
    (!quoted).then(|| cells.iter().map(folded).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What reading gives: `N 成功|退回 DAY AMOUNT` for each line, or `LINE code` for each fault.
    fn check(text: &str, expected: &[&str]) {
        let found: Vec<String> = match read_lines(text.as_bytes()) {
            Ok(reply) => reply
                .lines
                .iter()
                .map(|line| {
                    let answer = match &line.answer {
                        Answer::Paid => "成功".to_owned(),
                        Answer::Returned(why) => format!("退回({why})"),
                    };
                    let amount = line
                        .amount
                        .map_or_else(String::new, |fen| format!(" {fen}"));
                    format!("{} {answer} {}{amount}", line.number, line.on)
                })
                .collect(),
            Err(faults) => faults
                .iter()
                .map(|(at, fault)| format!("{at} {}", fault.code()))
                .collect(),
        };
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn a_reply_is_read() {
        check(
            "\u{feff}文件编号,ZF330324-2026-0001\r\n行号,结果,原因,日期,金额\r\n1,成功,,2026-11-25,\"14,300.00\"\r\n2,退回,\"户名不符,请核对\",20261125,\r\n",
            &[
                "1 成功 2026-11-25 14,300.00",
                "2 退回(户名不符,请核对) 2026-11-25",
            ],
        );
        check(
            "文件编号,A,,\n\n１,成功,,2026/11/25\n",
            &["1 成功 2026-11-25"],
        );
        // An account number in the bank's words goes no further.
        check(
            "文件编号,A\n1,退回,账号6228480402564890018户名不符,2026-11-25\n",
            &["1 退回(账号****0018户名不符) 2026-11-25"],
        );
    }

    #[test]
    fn every_fault_names_its_line_and_rule() {
        check("", &["1 reply-no-file-number"]);
        check(
            "行号,结果,原因,日期\n1,成功,,2026-11-25",
            &["1 reply-no-file-number"],
        );
        check("文件编号,A\n行号,结果,原因,日期\n", &["0 reply-no-lines"]);
        check(
            "文件编号,A\n1,成功,,2026-11-25\n1,成功,,2026-11-25\n2,付了,,2026-11-25\n3,退回,,2026-11-25\n\
             4,成功,,2026-02-30\n5,成功,,昨天\n六,成功,,2026-11-25\n0,成功,,2026-11-25\n7,成功\n\
             8,成功,,2026-11-25,1.005\n9,\"成功,,2026-11-25",
            &[
                "3 reply-duplicate-line",
                "4 reply-unknown-result",
                "5 reply-no-reason",
                "6 reply-impossible-date",
                "7 reply-impossible-date",
                "8 reply-line-number",
                "9 reply-line-number",
                "10 reply-cells",
                "11 reply-amount",
                "12 reply-quote",
            ],
        );
        let long: String = (1..=MOST_LINES + 1)
            .map(|n| format!("{n},成功,,2026-11-25\n"))
            .collect();
        check(&format!("文件编号,A\n{long}"), &["0 reply-too-long"]);
    }

    /// As a bank's system, or Excel in China, writes it.
    #[test]
    fn gbk_is_read_like_utf8() {
        let text =
            "文件编号,ZF330324-2026-0001\r\n行号,结果,原因,日期\r\n1,退回,户名不符,2026-11-25\r\n";
        let (gbk, _, lossy) = GB18030.encode(text);
        assert!(!lossy && std::str::from_utf8(&gbk).is_err());
        let (one, other) = (read(&gbk).unwrap(), read(text.as_bytes()).unwrap());
        assert_eq!(
            (one.file_number, one.lines),
            (other.file_number, other.lines)
        );
    }

    #[test]
    fn what_is_no_text_is_refused() {
        assert_eq!(
            read_lines(&[0xce, 0xc4, 0xff, 0xff]).unwrap_err(),
            [(0, Fault::NotText)]
        );
        let zip = read(b"PK\x03\x04").unwrap_err();
        assert_eq!(zip.fields[0].rule, "reply-no-file-number");
        assert_eq!(zip.message, "回单有 1 处不符，整份没有登记，账目没有变动。");
    }

    proptest! {
        #[test]
        fn reading_ends_on_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_lines(&bytes);
        }

        #[test]
        fn reading_ends_on_any_lines(text in "文件编号,A\n([0-9\",成功退回\\-]{0,30}\n){0,5}") {
            if let Ok(reply) = read_lines(text.as_bytes()) {
                prop_assert!(!reply.lines.is_empty());
            }
        }
    }
}
