//! The citizen identity number (公民身份号码). Personal data: pages show the masked form only.
//!
//! It lacks the 15-digit numbers that ended in 2013, and says nothing about sex.

use jiff::civil::Date;

use super::{digit, mask_middle, masked_debug, text_code, tidy};
use crate::refusal::refusals;

refusals! {
    /// Why a text is no identity number.
    pub enum IdNumberError {
        /// Not 18 characters.
        Length: "id-number-length", "身份证号码应为 18 位，请对照证件核对", "an identity number has 18 characters: compare it with the card";
        /// A character that is no digit, or an X before the end.
        Character: "id-number-character", "身份证号码前 17 位应为数字，末位为数字或 X", "the first 17 characters are digits, the last is a digit or X";
        /// The birth date inside is no day of the calendar.
        BirthDate: "id-number-birth-date", "身份证号码中的出生日期不存在，请核对第 7 至 14 位", "the birth date in the identity number does not exist: check places 7 to 14";
        /// The first two digits are the code of no province.
        Province: "id-number-province", "身份证号码前 2 位不是省级行政区划代码，请核对第 1、2 位", "the first two digits of the identity number are the code of no province: check places 1 and 2";
        /// Born before anybody who lives.
        BornTooEarly: "id-number-born-too-early", "身份证号码中的出生日期早于 1880 年，请核对第 7 至 10 位", "the birth date in the identity number is before 1880: check places 7 to 10";
        /// Born after today.
        BornInFuture: "id-number-born-in-future", "身份证号码中的出生日期晚于今天，请核对第 7 至 14 位", "the birth date in the identity number is after today: check places 7 to 14";
        /// The last character does not fit the others.
        CheckDigit: "id-number-check-digit", "身份证号码校验位不符，请逐位核对", "the last character of the identity number does not fit the others: check every character";
    }
}

/// A citizen identity number, 18 characters.
///
/// Ref: GB 11643-1999, check character by ISO 7064 MOD 11-2.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdNumber(String);

text_code!(IdNumber, IdNumberError);
masked_debug!(IdNumber);

/// The first year in which a living person can be born.
const FIRST_YEAR: i16 = 1880;

const CHECK_CHARACTERS: &str = "10X98765432";

impl IdNumber {
    /// Reads a number; a small x, full-width characters and outer spaces are tidied.
    ///
    /// # Errors
    /// Wrong length or character, no province, a birth date that does not exist or is too early, or a
    /// check character that does not fit.
    pub fn parse(text: &str) -> Result<IdNumber, IdNumberError> {
        let number = tidy(text);
        if number.chars().count() != 18 {
            return Err(IdNumberError::Length);
        }
        let last = number.chars().last();
        let built = IdNumber::from_first_17(number.get(..17).ok_or(IdNumberError::Character)?)?;
        if !last.is_some_and(|c| c == 'X' || c.is_ascii_digit()) {
            return Err(IdNumberError::Character);
        }
        if last != built.0.chars().last() {
            return Err(IdNumberError::CheckDigit);
        }
        Ok(built)
    }

    /// Reads a number of somebody born by `today`.
    ///
    /// # Errors
    /// As [`IdNumber::parse`]; a birth date after `today`.
    pub fn parse_on(text: &str, today: Date) -> Result<IdNumber, IdNumberError> {
        let number = IdNumber::parse(text)?;
        if number.birth_date() > today {
            return Err(IdNumberError::BornInFuture);
        }
        Ok(number)
    }

    /// Completes a number by its check character.
    ///
    /// # Errors
    /// Wrong length or character, no province, or a birth date that does not exist or is too early.
    pub fn from_first_17(text: &str) -> Result<IdNumber, IdNumberError> {
        let mut number = tidy(text);
        if number.chars().count() != 17 {
            return Err(IdNumberError::Length);
        }
        let mut remainder = 0;
        for c in number.chars() {
            // Doubling before each digit gives the weights 2^17 … 2^1 without a table.
            remainder = (remainder + digit(c).ok_or(IdNumberError::Character)?) * 2 % 11;
        }
        let province = number.get(..2).and_then(|digits| digits.parse().ok());
        if !province.is_some_and(is_province) {
            return Err(IdNumberError::Province);
        }
        let born = birth_date(&number).ok_or(IdNumberError::BirthDate)?;
        if born.year() < FIRST_YEAR {
            return Err(IdNumberError::BornTooEarly);
        }
        let place = usize::try_from(remainder).map_err(|_| IdNumberError::CheckDigit)?;
        number.push(
            CHECK_CHARACTERS
                .chars()
                .nth(place)
                .ok_or(IdNumberError::CheckDigit)?,
        );
        Ok(IdNumber(number))
    }

    /// The day of birth.
    pub fn birth_date(&self) -> Date {
        birth_date(&self.0).unwrap_or_default()
    }

    /// What a page may show: `330324**********12`.
    pub fn masked(&self) -> String {
        mask_middle(&self.0, 6, 2)
    }
}

/// Ref: GB/T 2260; 91 stands for abroad.
fn is_province(code: u8) -> bool {
    matches!(code, 11..=15 | 21..=23 | 31..=37 | 41..=46 | 50..=54 | 61..=65 | 71 | 81..=83 | 91)
}

fn birth_date(number: &str) -> Option<Date> {
    let part = |range| {
        number
            .get(range)
            .and_then(|digits: &str| digits.parse::<i16>().ok())
    };
    let (year, month, day) = (part(6..10)?, part(10..12)?, part(12..14)?);
    Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, expected: Result<&str, IdNumberError>) {
        let read = IdNumber::parse(text);
        assert_eq!(
            read.as_ref().map(IdNumber::as_str),
            expected.as_ref().copied(),
            "{text}"
        );
    }

    #[test]
    fn reads_the_examples_of_the_standard() {
        check("11010519491231002X", Ok("11010519491231002X"));
        check("440524188001010014", Ok("440524188001010014"));
        check("11010519491231002x", Ok("11010519491231002X"));
    }

    #[test]
    fn says_what_is_wrong() {
        check("110105491231002", Err(IdNumberError::Length));
        check("1101051949123100AX", Err(IdNumberError::Character));
        check("11010519491231002A", Err(IdNumberError::Character));
        check("11010519490231002X", Err(IdNumberError::BirthDate));
        check("110105194912310021", Err(IdNumberError::CheckDigit));
        check(
            "一二三四五六七八九十一二三四五六七八",
            Err(IdNumberError::Character),
        );
    }

    /// What completing the first 17 characters on a day gives.
    fn check_first(first: &str, expected: Result<(), IdNumberError>) {
        let today = jiff::civil::date(2026, 11, 23);
        let built = IdNumber::from_first_17(first);
        let read = built.and_then(|number| IdNumber::parse_on(number.as_str(), today));
        assert_eq!(read.map(|_| ()), expected, "{first}");
    }

    #[test]
    fn nobody_is_born_nowhere_long_ago_or_tomorrow() {
        check_first("33032420261123001", Ok(()));
        check_first("33032420261124001", Err(IdNumberError::BornInFuture));
        check_first("33032418800101001", Ok(()));
        check_first("33032418791231001", Err(IdNumberError::BornTooEarly));
        check_first("91032419900101001", Ok(()));
        for province in [
            "00", "10", "16", "24", "38", "47", "55", "66", "70", "84", "99",
        ] {
            let first = format!("{province}032419900101001");
            check_first(&first, Err(IdNumberError::Province));
        }
    }

    #[test]
    fn shows_little() {
        let number = IdNumber::parse("11010519491231002X").unwrap();
        assert_eq!(number.masked(), "110105**********2X");
        assert_eq!(format!("{number:?}"), "IdNumber(110105**********2X)");
        assert_eq!(number.birth_date(), jiff::civil::date(1949, 12, 31));
    }

    proptest! {
        #[test]
        fn any_single_wrong_character_is_found(
            region in "(11|23|33|46|50|65)[0-9]{4}", year in 1900_i16..2030, month in 1_i8..13, day in 1_i8..29,
            order in "[0-9]{3}", place in 0_usize..18, wrong in "[0-9X]",
        ) {
            let number = IdNumber::from_first_17(&format!("{region}{year:04}{month:02}{day:02}{order}")).unwrap();
            prop_assert_eq!(IdNumber::parse(number.as_str()), Ok(number.clone()));
            let mut changed = number.as_str().to_owned();
            changed.replace_range(place..=place, &wrong);
            prop_assume!(changed != number.as_str());
            prop_assert!(IdNumber::parse(&changed).is_err());
        }
    }
}
