//! Rounding of amounts as a policy states it: `half-up 0.01`, `down 1`, `down 100`.
//!
//! The unit is a power of ten in yuan; money itself is [`vocab::Fen`].

use vocab::Fen;

use crate::feel::{Number, Round};

/// A rounding rule: mode and unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rounding {
    mode: Round,
    scale: i32,
}

/// Why a text is no rounding rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoundingError {
    /// The first word is none of the modes.
    #[error("unknown rounding mode {0:?}: use half-up, half-even, half-down, up or down")]
    UnknownMode(String),
    /// The unit is not a power of ten between 0.000001 and 1000000.
    #[error("rounding unit {0:?} is not a power of ten such as 0.01, 1 or 100")]
    BadUnit(String),
}

impl RoundingError {
    /// The Chinese sentence.
    pub fn zh(&self) -> String {
        match self {
            RoundingError::UnknownMode(text) => {
                format!("未知的取整方式“{text}”，可用 half-up、half-even、half-down、up、down")
            }
            RoundingError::BadUnit(text) => {
                format!("取整单位“{text}”不是 0.01、1、100 这样的十的幂")
            }
        }
    }
}

/// Why a number is no amount of money.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// More than two decimals: the policy needs a rounding rule.
    #[error("{0} has more than two decimals: the policy needs a rounding rule")]
    FinerThanFen(Number),
    /// Beyond the range of 64-bit fen.
    #[error("{0} is out of range for an amount")]
    OutOfRange(Number),
}

impl AmountError {
    /// The Chinese sentence.
    pub fn zh(&self) -> String {
        match self {
            AmountError::FinerThanFen(number) => {
                format!("金额 {number} 超过两位小数，请在政策中规定取整方式")
            }
            AmountError::OutOfRange(number) => format!("金额 {number} 超出范围"),
        }
    }
}

impl Rounding {
    /// Reads a mode and a unit, such as `half-up 0.01`.
    ///
    /// # Errors
    /// When the mode is unknown or the unit is no power of ten.
    pub fn parse(text: &str) -> Result<Rounding, RoundingError> {
        let (mode, unit) = text
            .trim()
            .split_once(char::is_whitespace)
            .unwrap_or((text.trim(), "1"));
        let mode = match mode {
            "half-up" => Round::HalfUp,
            "half-even" => Round::HalfEven,
            "half-down" => Round::HalfDown,
            "up" => Round::Up,
            "down" => Round::Down,
            other => return Err(RoundingError::UnknownMode(other.to_owned())),
        };
        Ok(Rounding {
            mode,
            scale: scale_of(unit.trim())?,
        })
    }

    /// The amount rounded to the unit.
    pub fn apply(self, amount: Number) -> Number {
        // A scale within ±6 is always in range, so the amount itself is never returned unrounded.
        amount.round_to(self.scale, self.mode).unwrap_or(amount)
    }
}

fn scale_of(unit: &str) -> Result<i32, RoundingError> {
    let number = Number::parse(unit);
    (-6..=6)
        .find(|scale| number.is_some() && number == Number::from_parts(false, 1, -scale))
        .ok_or_else(|| RoundingError::BadUnit(unit.to_owned()))
}

/// An amount in yuan as exact fen.
///
/// # Errors
/// When it has more than two decimals or is out of range.
pub fn to_fen(yuan: Number) -> Result<Fen, AmountError> {
    let fen = yuan
        .checked_mul(Number::from(100))
        .ok_or(AmountError::OutOfRange(yuan))?;
    if !fen.is_integer() {
        return Err(AmountError::FinerThanFen(yuan));
    }
    fen.to_i64().map(Fen).ok_or(AmountError::OutOfRange(yuan))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        Number::parse(text).unwrap()
    }

    #[test]
    fn amounts_are_rounded_as_the_policy_says() {
        let check = |rule: &str, amount: &str, expected: &str| {
            assert_eq!(
                Rounding::parse(rule)
                    .unwrap()
                    .apply(number(amount))
                    .to_string(),
                expected,
                "{rule} {amount}"
            );
        };
        check("half-up 0.01", "1.005", "1.01");
        check("half-up 0.01", "-1.005", "-1.01");
        check("half-up 0.01", "1.0049999", "1");
        check("half-even 0.01", "1.005", "1");
        check("half-even 0.01", "1.015", "1.02");
        check("half-down 0.01", "1.005", "1");
        check("up 0.01", "1.001", "1.01");
        check("down 1", "1999.99", "1999");
        check("down 100", "1999.99", "1900");
        check("down 100", "99.99", "0");
    }

    #[test]
    fn a_rule_must_be_known() {
        assert!(matches!(
            Rounding::parse("nearest 1"),
            Err(RoundingError::UnknownMode(_))
        ));
        assert!(matches!(
            Rounding::parse("down 3"),
            Err(RoundingError::BadUnit(_))
        ));
        assert!(matches!(
            Rounding::parse("down x"),
            Err(RoundingError::BadUnit(_))
        ));
    }

    #[test]
    fn fen_are_exact_or_refused() {
        assert_eq!(to_fen(number("12.34")), Ok(Fen(1234)));
        assert_eq!(to_fen(number("-0.01")), Ok(Fen(-1)));
        assert_eq!(to_fen(number("12.340")), Ok(Fen(1234)));
        assert!(matches!(
            to_fen(number("12.345")),
            Err(AmountError::FinerThanFen(_))
        ));
        assert!(matches!(
            to_fen(number("1e30")),
            Err(AmountError::OutOfRange(_))
        ));
    }
}
