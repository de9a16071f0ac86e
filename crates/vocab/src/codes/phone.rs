//! Telephone numbers of the mainland. Personal data: pages show the masked form only.
//!
//! It lacks foreign numbers, service numbers such as 12345 and toll-free numbers.

use super::{mask_middle, masked_debug, text_code, tidy};
use crate::refusal::refusals;

refusals! {
    /// Why a text is no telephone number.
    pub enum PhoneError {
        /// A character that is no digit, space, hyphen or parenthesis.
        Character: "phone-character", "电话号码只能填写数字和连字符，例如 13800000000 或 0577-88000000", "write digits and hyphens only, such as 13800000000 or 0577-88000000";
        /// Digits that are neither a mobile number nor a landline with its area code.
        Shape: "phone-shape", "请填写 11 位手机号，或带区号的固定电话，例如 0577-88000000", "give a mobile number of 11 digits, or a landline with area code such as 0577-88000000";
    }
}

/// A mobile number (`13800000000`) or a landline with area code (`0577-88000000`).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Phone(String);

text_code!(Phone, PhoneError);
masked_debug!(Phone);

impl Phone {
    /// Reads a number; spaces, hyphens, parentheses and a leading +86 are tidied.
    ///
    /// # Errors
    /// A character that stands in no telephone number, or digits that are no number of the mainland.
    pub fn parse(text: &str) -> Result<Phone, PhoneError> {
        let tidied = tidy(text);
        let national = ["+86", "0086"]
            .iter()
            .find_map(|prefix| tidied.strip_prefix(prefix));
        let written = national.unwrap_or(&tidied);
        if !written
            .chars()
            .all(|c| c.is_ascii_digit() || " -()".contains(c))
        {
            return Err(PhoneError::Character);
        }
        let digits: String = written.chars().filter(char::is_ascii_digit).collect();
        let area_length = match digits.as_bytes() {
            [b'1', b'3'..=b'9', ..] if digits.len() == 11 => return Ok(Phone(digits)),
            [b'0', b'1', b'0', ..] | [b'0', b'2', ..] => 3,
            [b'0', b'3'..=b'9', ..] => 4,
            _ => return Err(PhoneError::Shape),
        };
        let (area, local) = digits
            .split_at_checked(area_length)
            .ok_or(PhoneError::Shape)?;
        if !(7..=8).contains(&local.len()) || local.starts_with(['0', '1']) {
            return Err(PhoneError::Shape);
        }
        Ok(Phone(format!("{area}-{local}")))
    }

    /// Whether short messages reach it.
    pub fn is_mobile(&self) -> bool {
        self.0.starts_with('1')
    }

    /// What a page may show: `138****5678`, `0577-****0000`.
    pub fn masked(&self) -> String {
        match self.0.find('-') {
            Some(hyphen) => mask_middle(&self.0, hyphen + 1, 4),
            None => mask_middle(&self.0, 3, 4),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, expected: Result<(&str, &str), PhoneError>) {
        let read = Phone::parse(text).map(|p| (p.as_str().to_owned(), p.masked()));
        assert_eq!(
            read,
            expected.map(|(a, b)| (a.to_owned(), b.to_owned())),
            "{text}"
        );
    }

    #[test]
    fn reads_mobile_numbers_and_landlines() {
        check("13812345678", Ok(("13812345678", "138****5678")));
        check("+86 138-1234-5678", Ok(("13812345678", "138****5678")));
        check("１３８１２３４５６７８", Ok(("13812345678", "138****5678")));
        check("0577-88001234", Ok(("0577-88001234", "0577-****1234")));
        check("(010) 8800 1234", Ok(("010-88001234", "010-****1234")));
        check("05738001234", Ok(("0573-8001234", "0573-***1234")));
    }

    #[test]
    fn refuses_the_rest() {
        for text in [
            "",
            "12812345678",
            "1381234567",
            "138123456789",
            "88001234",
            "0577-8800",
            "0577-18001234",
            "12345",
            "0000-88001234",
        ] {
            check(text, Err(PhoneError::Shape));
        }
        check("13812345678转1", Err(PhoneError::Character));
        check("call me", Err(PhoneError::Character));
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(text in "(1[3-9][0-9]{9}|0577-[2-9][0-9]{7}|010[2-9][0-9]{7})") {
            let phone = Phone::parse(&text).unwrap();
            prop_assert_eq!(Phone::parse(phone.as_str()), Ok(phone));
        }
    }
}
