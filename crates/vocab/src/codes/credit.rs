//! The unified social credit code (统一社会信用代码) of enterprises and organisations.
//!
//! It lacks the older check character of the organisation code inside it, which some codes in force do not fulfil.

use super::{text_code, tidy};
use crate::refusal::refusals;
use crate::region::RegionCode;

refusals! {
    /// Why a text is no unified social credit code.
    pub enum CreditCodeError {
        /// Not 18 characters.
        Length: "credit-code-length", "统一社会信用代码应为 18 位，请对照营业执照核对", "a credit code has 18 characters: compare it with the licence";
        /// A character outside the alphabet, or a letter in the region part.
        Character: "credit-code-character", "统一社会信用代码含有不允许的字符（不使用 I、O、S、V、Z，第 3 至 8 位为数字），请核对", "the credit code has a character that is never used (I, O, S, V, Z; places 3 to 8 are digits): check it";
        /// The last character does not fit the others.
        CheckDigit: "credit-code-check-digit", "统一社会信用代码校验位不符，请逐位核对", "the last character of the credit code does not fit the others: check every character";
    }
}

/// A unified social credit code, 18 characters. It is public, so it is never masked.
///
/// Ref: GB 32100-2015, check character by modulus 31.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CreditCode(String);

text_code!(CreditCode, CreditCodeError);

/// The characters in the order of their values.
const ALPHABET: &str = "0123456789ABCDEFGHJKLMNPQRTUWXY";
const MODULUS: usize = 31;

impl CreditCode {
    /// Reads a code; small letters, full-width characters and outer spaces are tidied.
    ///
    /// # Errors
    /// Wrong length, a character that is never used, or a check character that does not fit.
    pub fn parse(text: &str) -> Result<CreditCode, CreditCodeError> {
        let code = tidy(text);
        if code.chars().count() != 18 {
            return Err(CreditCodeError::Length);
        }
        let last = code.chars().last();
        let built = CreditCode::from_first_17(code.get(..17).ok_or(CreditCodeError::Character)?)?;
        if last.and_then(value).is_none() {
            return Err(CreditCodeError::Character);
        }
        if last != built.0.chars().last() {
            return Err(CreditCodeError::CheckDigit);
        }
        Ok(built)
    }

    /// Completes a code by its check character.
    ///
    /// # Errors
    /// Wrong length, or a character that is never used.
    pub fn from_first_17(text: &str) -> Result<CreditCode, CreditCodeError> {
        let mut code = tidy(text);
        if code.chars().count() != 17 {
            return Err(CreditCodeError::Length);
        }
        let mut sum = 0;
        let mut weight = 1;
        for (place, c) in code.chars().enumerate() {
            let in_region = (2..8).contains(&place);
            let value = value(c)
                .filter(|&v| !in_region || v < 10)
                .ok_or(CreditCodeError::Character)?;
            sum = (sum + value * weight) % MODULUS;
            weight = weight * 3 % MODULUS;
        }
        let check = (MODULUS - sum) % MODULUS;
        code.push(
            ALPHABET
                .chars()
                .nth(check)
                .ok_or(CreditCodeError::Character)?,
        );
        Ok(CreditCode(code))
    }

    /// The region of the registering authority, places 3 to 8; none where these digits are no region code.
    pub fn region(&self) -> Option<RegionCode> {
        self.0
            .get(2..8)
            .and_then(|digits| RegionCode::parse(digits).ok())
    }
}

fn value(c: char) -> Option<usize> {
    ALPHABET.find(c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, expected: Result<&str, CreditCodeError>) {
        let read = CreditCode::parse(text);
        assert_eq!(
            read.as_ref().map(CreditCode::as_str),
            expected.as_ref().copied(),
            "{text}"
        );
    }

    #[test]
    fn reads_codes_of_known_companies() {
        check("91350100M000100Y43", Ok("91350100M000100Y43"));
        check("911100001000013428", Err(CreditCodeError::CheckDigit));
        check("91440300708461136T", Ok("91440300708461136T"));
        check(
            " ９１４４０３００７０８４６１１３６ｔ ",
            Ok("91440300708461136T"),
        );
    }

    #[test]
    fn says_what_is_wrong() {
        check("", Err(CreditCodeError::Length));
        check("91440300708461136", Err(CreditCodeError::Length));
        check("91440300708461136TT", Err(CreditCodeError::Length));
        check("9144030070846113ST", Err(CreditCodeError::Character));
        check("91440300708461136I", Err(CreditCodeError::Character));
        check("9144A300708461136T", Err(CreditCodeError::Character));
        check(
            "统一社会信用代码统一社会信用代码统一",
            Err(CreditCodeError::Character),
        );
        check("91440300708461136U", Err(CreditCodeError::CheckDigit));
        check(&"9".repeat(100_000), Err(CreditCodeError::Length));
        assert_eq!(
            CreditCodeError::CheckDigit.code(),
            "credit-code-check-digit"
        );
    }

    #[test]
    fn serde_goes_through_the_check() {
        let code = CreditCode::parse("91440300708461136T").unwrap();
        let json = serde_json::to_string(&code).unwrap();
        assert_eq!(json, "\"91440300708461136T\"");
        assert_eq!(serde_json::from_str::<CreditCode>(&json).unwrap(), code);
        assert!(serde_json::from_str::<CreditCode>("\"91440300708461136U\"").is_err());
        assert_eq!(code.region().unwrap().to_string(), "440300");
    }

    fn first_17() -> impl Strategy<Value = String> {
        "[0-9A-HJ-NPQRTUWXY]{2}[0-9]{6}[0-9A-HJ-NPQRTUWXY]{9}"
    }

    proptest! {
        #[test]
        fn a_completed_code_is_valid(head in first_17()) {
            let code = CreditCode::from_first_17(&head).unwrap();
            prop_assert_eq!(CreditCode::parse(code.as_str()), Ok(code));
        }

        #[test]
        fn any_single_wrong_character_is_found(head in first_17(), place in 0_usize..18, wrong in "[0-9A-HJ-NPQRTUWXY]") {
            let code = CreditCode::from_first_17(&head).unwrap();
            let mut changed = code.as_str().to_owned();
            changed.replace_range(place..=place, &wrong);
            prop_assume!(changed != code.as_str());
            prop_assert!(CreditCode::parse(&changed).is_err());
        }

        #[test]
        fn no_text_is_accepted_by_chance(text in ".{0,24}") {
            if let Ok(code) = CreditCode::parse(&text) {
                prop_assert_eq!(code.as_str().len(), 18);
            }
        }
    }
}
