//! Reading and writing of figures with exactly two decimals: yuan and mu share them.
//!
//! It lacks floating point: a figure is a whole number of hundredths.

use std::fmt;

use crate::fold::fold_width;
use crate::refusal::refusals;

refusals! {
    /// Why a text is not a figure with at most two decimals.
    pub enum DecimalError {
        /// Nothing was given.
        Empty: "decimal-empty", "请填写数值", "fill in a number";
        /// Some character is no digit, sign, separator or decimal point, or stands in the wrong place.
        NotANumber: "decimal-not-a-number", "请只填写数字，例如 14300.00 或 14,300.00", "write digits only, such as 14300.00 or 14,300.00";
        /// More than two decimals: nothing is rounded silently.
        TooFine: "decimal-too-fine", "最多保留两位小数，请核对后重新填写", "give at most two decimals";
        /// Beyond what can be kept.
        OutOfRange: "decimal-out-of-range", "数值过大，请核对单位和位数", "the number is too large: check its unit and digits";
    }
}

/// Longest text that is looked at, in bytes after folding: more than any figure in range needs.
const LONGEST_TEXT: usize = 64;

/// Reads a decimal number with optional sign, thousands separators and up to two decimals, as hundredths.
pub(crate) fn parse_hundredths(text: &str) -> Result<i64, DecimalError> {
    let folded = fold_width(text);
    let trimmed = folded.trim();
    if trimmed.is_empty() {
        return Err(DecimalError::Empty);
    }
    if trimmed.len() > LONGEST_TEXT {
        return Err(DecimalError::OutOfRange);
    }
    let (negative, unsigned) = match trimmed.strip_prefix(['-', '−']) {
        Some(rest) => (true, rest),
        None => (false, trimmed),
    };
    let (whole, decimals) = match unsigned.split_once('.') {
        Some((whole, decimals)) => (whole, Some(decimals)),
        None => (unsigned, None),
    };
    let magnitude = whole_units(whole)?
        .checked_mul(100)
        .ok_or(DecimalError::OutOfRange)?
        .checked_add(decimals.map_or(Ok(0), decimal_part)?)
        .ok_or(DecimalError::OutOfRange)?;
    let signed = if negative { -magnitude } else { magnitude };
    i64::try_from(signed).map_err(|_| DecimalError::OutOfRange)
}

/// The whole part; groups of three are checked where separators are used.
fn whole_units(text: &str) -> Result<i128, DecimalError> {
    let mut groups = text.split(',');
    let first = groups.next().unwrap_or_default();
    let grouped = text.contains(',');
    let digits_only = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let well_grouped =
        (!grouped || first.len() <= 3) && groups.all(|g| g.len() == 3 && digits_only(g));
    if !digits_only(first) || !well_grouped {
        return Err(DecimalError::NotANumber);
    }
    text.bytes()
        .filter(u8::is_ascii_digit)
        .try_fold(0_i128, |units, digit| {
            units.checked_mul(10)?.checked_add(i128::from(digit - b'0'))
        })
        .ok_or(DecimalError::OutOfRange)
}

/// One or two decimals as hundredths.
fn decimal_part(text: &str) -> Result<i128, DecimalError> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(DecimalError::NotANumber);
    }
    match text.as_bytes() {
        [tenths] => Ok(i128::from(tenths - b'0') * 10),
        [tenths, hundredths] => Ok(i128::from(tenths - b'0') * 10 + i128::from(hundredths - b'0')),
        _ => Err(DecimalError::TooFine),
    }
}

/// Writes hundredths as `-14,300.00`.
pub(crate) fn write_hundredths(f: &mut fmt::Formatter<'_>, hundredths: i64) -> fmt::Result {
    f.pad(&grouped(hundredths))
}

/// `-14,300.00`: thousands separated, always two decimals.
pub(crate) fn grouped(hundredths: i64) -> String {
    let magnitude = hundredths.unsigned_abs();
    let digits = (magnitude / 100).to_string();
    let mut text = String::with_capacity(digits.len() * 2);
    if hundredths < 0 {
        text.push('-');
    }
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text.push_str(&format!(".{:02}", magnitude % 100));
    text
}

/// `-14300.00`: no separators, for files and form fields.
pub(crate) fn plain(hundredths: i64) -> String {
    let sign = if hundredths < 0 { "-" } else { "" };
    let magnitude = hundredths.unsigned_abs();
    format!("{sign}{}.{:02}", magnitude / 100, magnitude % 100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, expected: Result<i64, DecimalError>) {
        assert_eq!(parse_hundredths(text), expected, "{text:?}");
    }

    #[test]
    fn reads_what_people_write() {
        check("14300", Ok(1_430_000));
        check("1,234.5", Ok(123_450));
        check("-3.00", Ok(-300));
        check("  0.07 ", Ok(7));
        check("１２，３４５．６７", Ok(1_234_567));
        check("－１", Ok(-100));
        check("92233720368547758.07", Ok(i64::MAX));
        check("-92233720368547758.08", Ok(i64::MIN));
    }

    #[test]
    fn refuses_what_is_unclear() {
        check("", Err(DecimalError::Empty));
        check("　", Err(DecimalError::Empty));
        check("1.234", Err(DecimalError::TooFine));
        check("92233720368547758.08", Err(DecimalError::OutOfRange));
        check(&"9".repeat(60), Err(DecimalError::OutOfRange));
        check(&"9".repeat(6000), Err(DecimalError::OutOfRange));
        for text in [
            "1,23", "1234,567", ",123", "1,,234", "1.", ".5", "-", "--1", "+1", "1.2.3", "1e3",
            "十元", "1 000",
        ] {
            check(text, Err(DecimalError::NotANumber));
        }
    }

    proptest! {
        #[test]
        fn both_written_forms_read_back(hundredths: i64) {
            prop_assert_eq!(parse_hundredths(&grouped(hundredths)), Ok(hundredths));
            prop_assert_eq!(parse_hundredths(&plain(hundredths)), Ok(hundredths));
        }

        #[test]
        fn no_text_makes_it_fail_otherwise_than_by_refusal(text in ".{0,80}") {
            let _ = parse_hundredths(&text);
        }
    }
}
