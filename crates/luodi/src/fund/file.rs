//! The payment file as the bank reads it: CSV in UTF-8 with a byte-order mark.
//!
//! Four header lines (文件编号, 笔数, 总金额（元）, SHA-256), the column heads, then one line for each
//! payment. The SHA-256 covers the bytes of the payment lines, line ends included. It lacks storage
//! and sealing.

use sha2::{Digest, Sha256};
use vocab::Fen;

use crate::web::export::csv_text;

/// One payment as it is written.
#[derive(Clone, Debug)]
pub(super) struct FileLine {
    /// 行号, from 1.
    pub(super) number: i64,
    /// 户名.
    pub(super) holder_name: String,
    /// 开户行.
    pub(super) bank_name: String,
    /// 联行号.
    pub(super) bank_code: String,
    /// 账号.
    pub(super) account: String,
    /// 金额.
    pub(super) amount: Fen,
    /// 用途.
    pub(super) purpose: String,
}

/// A payment file, whole.
#[derive(Clone, Debug)]
pub(super) struct PaymentFile {
    /// Its bytes.
    pub(super) body: Vec<u8>,
    /// SHA-256 of the payment lines, in hexadecimal.
    pub(super) sha256: String,
}

const COLUMNS: &str = "行号,户名,开户行,联行号,账号,金额（元）,用途\r\n";

/// Writes a file; `total` is the sum of the lines.
pub(super) fn write(number: &str, total: Fen, lines: &[FileLine]) -> PaymentFile {
    let mut details = String::new();
    for line in lines {
        let cells = [
            line.number.to_string(),
            csv_text(&line.holder_name),
            csv_text(&line.bank_name),
            csv_text(&line.bank_code),
            csv_text(&line.account),
            line.amount.yuan_plain(),
            csv_text(&line.purpose),
        ];
        details.push_str(&cells.join(","));
        details.push_str("\r\n");
    }
    let sha256 = hex(&Sha256::digest(details.as_bytes()));
    let body = format!(
        "\u{feff}文件编号,{number}\r\n笔数,{}\r\n总金额（元）,{}\r\nSHA-256,{sha256}\r\n{COLUMNS}{details}",
        lines.len(),
        total.yuan_plain()
    );
    PaymentFile {
        body: body.into_bytes(),
        sha256,
    }
}

/// Bytes in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_never_becomes_a_formula() {
        for (text, expected) in [
            ("永嘉阳光新能源有限公司", "永嘉阳光新能源有限公司"),
            ("=cmd|'/c calc'!A0", "'=cmd|'/c calc'!A0"),
            ("+1,2", "\"'+1,2\""),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\tx", "'\tx"),
            ("＝1+1", "'＝1+1"),
            ("－1", "'－1"),
            ("甲\"乙\"", "\"甲\"\"乙\"\"\""),
            ("甲\n乙", "\"甲\n乙\""),
            ("", ""),
        ] {
            assert_eq!(csv_text(text), expected, "{text:?}");
        }
    }

    #[test]
    fn the_file_says_count_total_and_digest_of_its_lines() {
        let line = |number, amount| FileLine {
            number,
            holder_name: "永嘉阳光新能源有限公司".into(),
            bank_name: "中国农业银行永嘉县支行".into(),
            bank_code: "103333456789".into(),
            account: "19270101040012345".into(),
            amount,
            purpose: "光伏补贴2026年第三季度".into(),
        };
        let file = write(
            "ZF330324-2026-0001",
            Fen(150_005),
            &[line(1, Fen(150_000)), line(2, Fen(5))],
        );
        let text = String::from_utf8(file.body).unwrap();
        let (head, details) = text.split_once(COLUMNS).unwrap();
        assert_eq!(
            head,
            format!(
                "\u{feff}文件编号,ZF330324-2026-0001\r\n笔数,2\r\n总金额（元）,1500.05\r\nSHA-256,{}\r\n",
                file.sha256
            )
        );
        assert_eq!(file.sha256, hex(&Sha256::digest(details.as_bytes())));
        assert!(details.starts_with("1,永嘉阳光新能源有限公司,中国农业银行永嘉县支行,103333456789,19270101040012345,1500.00,光伏补贴"));
        assert_eq!(details.lines().count(), 2);
    }
}
