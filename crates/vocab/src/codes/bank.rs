//! Bank account numbers and the numbers of bank branches (联行号).
//!
//! It lacks the list of banks: the payment system holds it.

use super::{mask_middle, masked_debug, text_code, tidy};
use crate::refusal::refusals;

refusals! {
    /// Why a text is no bank account number.
    pub enum BankAccountNumberError {
        /// Fewer than 8 or more than 32 digits.
        Length: "bank-account-length", "银行账号应为 8 至 32 位数字，请对照开户许可证核对", "a bank account number has 8 to 32 digits: compare it with the bank's papers";
        /// A character that is no digit.
        Character: "bank-account-character", "银行账号只能包含数字", "a bank account number has digits only";
    }
}

refusals! {
    /// Why a text is no number of a bank branch.
    pub enum BankCodeError {
        /// Not 12 digits.
        Length: "bank-code-length", "联行号应为 12 位数字，请向开户行查询", "the branch number has 12 digits: ask the bank for it";
        /// A character that is no digit.
        Character: "bank-code-character", "联行号只能包含数字", "the branch number has digits only";
    }
}

/// A bank account number, 8 to 32 digits. Personal data: pages show the masked form only.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BankAccountNumber(String);

text_code!(BankAccountNumber, BankAccountNumberError);
masked_debug!(BankAccountNumber);

impl BankAccountNumber {
    /// Reads a number; spaces are dropped.
    ///
    /// # Errors
    /// A character that is no digit, or a length no bank uses.
    pub fn parse(text: &str) -> Result<BankAccountNumber, BankAccountNumberError> {
        let number = without_spaces(text);
        if !number.bytes().all(|b| b.is_ascii_digit()) {
            return Err(BankAccountNumberError::Character);
        }
        if !(8..=32).contains(&number.len()) {
            return Err(BankAccountNumberError::Length);
        }
        Ok(BankAccountNumber(number))
    }

    /// What a page may show: eight stars and the last four digits, whatever the length, `********1234`.
    pub fn masked(&self) -> String {
        let tail = self
            .0
            .get(self.0.len().saturating_sub(4)..)
            .unwrap_or_default();
        mask_middle(&format!("{}{tail}", "0".repeat(8)), 0, 4)
    }
}

/// The number of a bank branch in the payment system (联行号), 12 digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BankCode(String);

text_code!(BankCode, BankCodeError);

impl BankCode {
    /// Reads a number; spaces are dropped.
    ///
    /// # Errors
    /// A character that is no digit, or not 12 of them.
    pub fn parse(text: &str) -> Result<BankCode, BankCodeError> {
        let number = without_spaces(text);
        if !number.bytes().all(|b| b.is_ascii_digit()) {
            return Err(BankCodeError::Character);
        }
        if number.len() != 12 {
            return Err(BankCodeError::Length);
        }
        Ok(BankCode(number))
    }
}

fn without_spaces(text: &str) -> String {
    tidy(text).split_whitespace().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_account(text: &str, expected: Result<&str, BankAccountNumberError>) {
        assert_eq!(
            BankAccountNumber::parse(text).as_ref().map(|n| n.as_str()),
            expected.as_ref().copied(),
            "{text}"
        );
    }

    #[test]
    fn accounts() {
        check_account("6222 0212 0300 0001 234", Ok("6222021203000001234"));
        check_account("１９２０００００", Ok("19200000"));
        check_account("1234567", Err(BankAccountNumberError::Length));
        check_account(&"1".repeat(33), Err(BankAccountNumberError::Length));
        check_account("", Err(BankAccountNumberError::Length));
        check_account("6222-0212-0300", Err(BankAccountNumberError::Character));
        let account = BankAccountNumber::parse("6222021203000001234").unwrap();
        assert_eq!(account.masked(), "********1234");
        assert_eq!(format!("{account:?}"), "BankAccountNumber(********1234)");
        assert_eq!(
            BankAccountNumber::parse("19201234").unwrap().masked(),
            "********1234"
        );
    }

    #[test]
    fn branches() {
        assert_eq!(
            BankCode::parse("1023 3300 0016").unwrap().as_str(),
            "102333000016"
        );
        assert_eq!(BankCode::parse("10233300001"), Err(BankCodeError::Length));
        assert_eq!(
            BankCode::parse("10233300001X"),
            Err(BankCodeError::Character)
        );
    }
}
