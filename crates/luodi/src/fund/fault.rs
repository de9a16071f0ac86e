//! What can be wrong with a bank's reply, each with its line, and the refusal that names them all.
//!
//! It lacks the finding: what a line says is read by `reply`, what it means is compared by `settle`.

use jiff::civil::Date;
use vocab::Fen;

use super::reply::MOST_LINES;
use crate::refusal::{FieldError, Refusal};

/// The most faults that are listed.
const MOST_FAULTS: usize = 200;

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
    /// 笔数 is no whole number.
    Count(String),
    /// 笔数 is not the number of its lines.
    OtherCount {
        /// What the reply says.
        found: u64,
        /// How many lines it has.
        expected: u64,
    },
    /// 总金额 is no amount.
    Total(String),
    /// 总金额 is not the sum of its lines.
    OtherTotal {
        /// What the reply says.
        found: Fen,
        /// What its lines add up to.
        expected: Fen,
    },
    /// 行号 is no whole number from 1.
    LineNumber(String),
    /// 行号 is not in the payment file.
    UnknownLine(i64),
    /// 行号 stands twice.
    DuplicateLine(i64),
    /// No 结果.
    NoResult,
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
    Contradiction {
        /// 行号.
        number: i64,
        /// What the earlier one said.
        before: String,
    },
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
            Fault::Count(_) => "reply-count",
            Fault::OtherCount { .. } => "reply-other-count",
            Fault::Total(_) => "reply-total",
            Fault::OtherTotal { .. } => "reply-other-total",
            Fault::LineNumber(_) => "reply-line-number",
            Fault::UnknownLine(_) => "reply-unknown-line",
            Fault::DuplicateLine(_) => "reply-duplicate-line",
            Fault::NoResult => "reply-no-result",
            Fault::UnknownResult(_) => "reply-unknown-result",
            Fault::NoReason => "reply-no-reason",
            Fault::ImpossibleDate(_) => "reply-impossible-date",
            Fault::DateOutOfRange(_) => "reply-date-out-of-range",
            Fault::Amount(_) => "reply-amount",
            Fault::OtherAmount { .. } => "reply-other-amount",
            Fault::Contradiction { .. } => "reply-contradiction",
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
            Fault::Count(text) => format!("笔数「{text}」不是整数，请更正"),
            Fault::OtherCount { found, expected } => {
                format!("笔数 {found} 与回单中的 {expected} 行结果不符，请向银行核对是否缺行")
            }
            Fault::Total(text) => format!("总金额「{text}」无法识别，请按 14300.00 的形式更正"),
            Fault::OtherTotal { found, expected } => {
                format!("总金额 {found} 元与各行合计 {expected} 元不符，请向银行核对")
            }
            Fault::LineNumber(text) => format!("行号「{text}」不是正整数，请更正"),
            Fault::UnknownLine(number) => format!("行号 {number} 不在支付文件中，请向银行核对"),
            Fault::DuplicateLine(number) => format!("行号 {number} 重复出现，请向银行核对"),
            Fault::NoResult => "结果为空，请向银行补充「成功」或「退回」".to_owned(),
            Fault::UnknownResult(text) => {
                format!("结果「{text}」无法识别，只能是「成功」或「退回」")
            }
            Fault::NoReason => "原因为空，结果为「退回」时须有原因，请向银行补充".to_owned(),
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
            Fault::Contradiction { number, before } => {
                format!(
                    "行号 {number} 的结果与先前登记的「{before}」不一致，先前的结果不变，请向银行核对"
                )
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
            Fault::Count(text) => format!("the count {text} is no whole number: correct it"),
            Fault::OtherCount { found, expected } => {
                format!("the count {found} differs from the {expected} lines: ask the bank")
            }
            Fault::Total(text) => format!("the total {text} is no amount: write it as 14300.00"),
            Fault::OtherTotal { found, expected } => {
                format!("the total {found} differs from the {expected} of the lines: ask the bank")
            }
            Fault::LineNumber(text) => {
                format!("line number {text} is no whole number from 1: correct it")
            }
            Fault::UnknownLine(number) => {
                format!("line {number} is not in the payment file: ask the bank")
            }
            Fault::DuplicateLine(number) => format!("line {number} stands twice: ask the bank"),
            Fault::NoResult => "a line has no result: ask the bank".to_owned(),
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
            Fault::Contradiction { number, before } => {
                format!("line {number} differs from an earlier reply ({before}): ask the bank")
            }
        }
    }
}

/// Faults with the line of the reply they stand in (0: the reply as a whole).
pub type Faults = Vec<(usize, Fault)>;

/// The refusal of a reply: every fault names its line and cell, in the order of the reply.
pub(super) fn refuse(mut faults: Faults) -> Refusal {
    faults.sort_by_key(|(at, _)| *at);
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
