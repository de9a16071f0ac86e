//! The bank's reply (银行回单) read: `文件编号,…`, then `行号,结果,原因,日期` and, if the bank gives
//! it, `金额`; `笔数,…` and `总金额,…` may stand between. UTF-8, with or without a byte-order mark, or
//! GB 18030 (GBK).
//!
//! Pure: what the lines mean for the payments is decided by `settle`, which refuses a reply with any
//! fault whole, those found here included.

use std::borrow::Cow;
use std::collections::BTreeSet;

use encoding_rs::GB18030;
use jiff::civil::Date;
use sha2::{Digest, Sha256};
use vocab::{Fen, fold_width, mask_numbers};

use super::fault::{Fault, Faults, refuse};
use super::file::hex;
use crate::refusal::Refusal;

/// The most lines of a reply: more than any payment file has.
pub(super) const MOST_LINES: usize = 2_000;
/// The largest reply, in bytes.
const MOST_BYTES: usize = 1 << 20;
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

/// One line of a reply. What could not be read is none, and a fault of the reply.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplyLine {
    /// Its line in the reply, from 1.
    pub at: usize,
    /// 行号: the line of the payment file.
    pub number: Option<i64>,
    /// What became of it.
    pub answer: Option<Answer>,
    /// The day the bank paid or returned it.
    pub on: Option<Date>,
    /// The amount, where the bank repeats it.
    pub amount: Option<Fen>,
}

/// A reply as far as it could be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// 文件编号: the payment file it answers.
    pub file_number: String,
    /// 笔数, where the bank gives it, with its line.
    pub count: Option<(usize, u64)>,
    /// 总金额, where the bank gives it, with its line.
    pub total: Option<(usize, Fen)>,
    /// Its lines.
    pub lines: Vec<ReplyLine>,
    /// What is wrong with it by itself.
    pub faults: Faults,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
}

/// The text of a reply: UTF-8, or GB 18030, in which banks and Chinese spreadsheets write.
fn decoded(bytes: &[u8]) -> Option<Cow<'_, str>> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(Cow::Borrowed(text)),
        Err(_) => GB18030.decode_without_bom_handling_and_without_replacement(bytes),
    }
}

/// Reads a reply, its faults with it.
///
/// # Errors
/// What is no reply at all: no text, too long, without 文件编号.
pub fn read(bytes: &[u8]) -> Result<Reply, Refusal> {
    read_whole(bytes).map_err(|fault| refuse(vec![fault]))
}

fn read_whole(bytes: &[u8]) -> Result<Reply, (usize, Fault)> {
    if bytes.len() > MOST_BYTES {
        return Err((0, Fault::TooLong));
    }
    let text = decoded(bytes).ok_or((0, Fault::NotText))?;
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
        .ok_or((1, Fault::NoFileNumber))?;
    let mut reply = Reply {
        file_number,
        sha256: hex(&Sha256::digest(bytes)),
        ..Reply::default()
    };
    let mut seen = BTreeSet::new();
    for (at, line) in lines {
        if reply.lines.len() >= MOST_LINES || reply.faults.len() >= MOST_LINES {
            return Err((0, Fault::TooLong));
        }
        let Some(cells) = cells(line) else {
            reply.faults.push((at, Fault::Quote));
            continue;
        };
        reply.take(at, &cells, &mut seen);
    }
    if reply.lines.is_empty() && reply.faults.is_empty() {
        reply.faults.push((0, Fault::NoLines));
    }
    Ok(reply)
}

impl Reply {
    /// One line: the column heads, 笔数, 总金额, or what became of a payment.
    fn take(&mut self, at: usize, cells: &[String], seen: &mut BTreeSet<i64>) {
        match cells {
            [key, ..] if key == "行号" && self.lines.is_empty() => {}
            [key, count, rest @ ..] if key == "笔数" && rest.iter().all(String::is_empty) => {
                match count.parse() {
                    Ok(count) => self.count = Some((at, count)),
                    Err(_) => self.faults.push((at, Fault::Count(short(count)))),
                }
            }
            [key, total, rest @ ..]
                if key.starts_with("总金额") && rest.iter().all(String::is_empty) =>
            {
                match Fen::parse_yuan(total) {
                    Ok(total) => self.total = Some((at, total)),
                    Err(_) => self.faults.push((at, Fault::Total(short(total)))),
                }
            }
            cells => {
                let line = read_line(at, cells, &mut self.faults);
                if let Some(number) = line.number.filter(|number| !seen.insert(*number)) {
                    self.faults.push((at, Fault::DuplicateLine(number)));
                }
                self.lines.push(line);
            }
        }
    }
}

/// Every cell by itself, so that each that is wrong is named.
fn read_line(at: usize, cells: &[String], faults: &mut Faults) -> ReplyLine {
    let (number, result, reason, day, amount) = match cells {
        [number, result, reason, day] => (number, result, reason, day, ""),
        [number, result, reason, day, amount] => (number, result, reason, day, amount.as_str()),
        _ => {
            faults.push((at, Fault::Cells));
            return ReplyLine {
                at,
                ..ReplyLine::default()
            };
        }
    };
    let mut cell_fault = |fault| faults.push((at, fault));
    let parsed = number.parse().ok().filter(|parsed: &i64| *parsed > 0);
    if parsed.is_none() {
        cell_fault(Fault::LineNumber(short(number)));
    }
    let answer = read_answer(result, reason).map_err(&mut cell_fault).ok();
    let on = read_day(day);
    if on.is_none() {
        cell_fault(Fault::ImpossibleDate(short(day)));
    }
    let repeated = match amount {
        "" => None,
        text => Fen::parse_yuan(text)
            .map_err(|_| cell_fault(Fault::Amount(short(text))))
            .ok(),
    };
    ReplyLine {
        at,
        number: parsed,
        answer,
        on,
        amount: repeated,
    }
}

fn read_answer(result: &str, reason: &str) -> Result<Answer, Fault> {
    match result {
        "成功" => Ok(Answer::Paid),
        "退回" if reason.is_empty() => Err(Fault::NoReason),
        "退回" => {
            let reason: String = reason.chars().take(LONGEST_REASON).collect();
            Ok(Answer::Returned(mask_numbers(&reason)))
        }
        "" => Err(Fault::NoResult),
        _ => Err(Fault::UnknownResult(short(result))),
    }
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
        let (lines, faults) = match read_whole(text.as_bytes()) {
            Ok(reply) => (reply.lines, reply.faults),
            Err(fault) => (Vec::new(), vec![fault]),
        };
        let mut found: Vec<String> = faults
            .iter()
            .map(|(at, fault)| format!("{at} {}", fault.code()))
            .collect();
        if faults.is_empty() {
            found.extend(lines.iter().map(|line| {
                let answer = match line.answer.as_ref().unwrap() {
                    Answer::Paid => "成功".to_owned(),
                    Answer::Returned(why) => format!("退回({why})"),
                };
                let amount = line
                    .amount
                    .map_or_else(String::new, |fen| format!(" {fen}"));
                let (number, on) = (line.number.unwrap(), line.on.unwrap());
                format!("{number} {answer} {on}{amount}")
            }));
        }
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
        // Each wrong cell of a line is named.
        check(
            "文件编号,A\n笔数,两笔\n总金额（元）,五百\n行号,结果,原因,日期\n0,,,昨天,x\n",
            &[
                "2 reply-count",
                "3 reply-total",
                "5 reply-line-number",
                "5 reply-no-result",
                "5 reply-impossible-date",
                "5 reply-amount",
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
            read_whole(&[0xce, 0xc4, 0xff, 0xff]).unwrap_err(),
            (0, Fault::NotText)
        );
        let zip = read(b"PK\x03\x04").unwrap_err();
        assert_eq!(zip.fields[0].rule, "reply-no-file-number");
        assert_eq!(zip.message, "回单有 1 处不符，整份没有登记，账目没有变动。");
    }

    proptest! {
        #[test]
        fn reading_ends_on_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_whole(&bytes);
        }

        #[test]
        fn reading_ends_on_any_lines(text in "文件编号,A\n([0-9\",成功退回\\-]{0,30}\n){0,5}") {
            let reply = read_whole(text.as_bytes()).unwrap();
            prop_assert!(!reply.lines.is_empty() || !reply.faults.is_empty());
            let whole = |line: &ReplyLine| line.number.is_some() && line.answer.is_some() && line.on.is_some();
            prop_assert!(!reply.faults.is_empty() || reply.lines.iter().all(whole));
        }
    }
}
