//! Exact money in integer fen (分): reading, writing and adding.
//!
//! It lacks rates and percentages: the policy engine multiplies, and rounds by a stated rule.

mod words;

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};

use serde::{Deserialize, Serialize};

use crate::decimal::{self, DecimalError};

/// An amount of money in fen (分), one hundredth of a yuan (元). Negative amounts are reversals.
///
/// The operators stop the program on overflow (more than 92 thousand million million yuan), because
/// a wrapped amount would be worse; figures from outside go through `checked_add` and `checked_sub`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Fen(pub i64);

/// One 万元 in fen.
const WAN_YUAN: i64 = 1_000_000;
/// One 亿元 in fen.
const YI_YUAN: i64 = 10_000_000_000;

impl Fen {
    /// No money.
    pub const ZERO: Fen = Fen(0);

    /// Reads an amount in yuan, such as `14300`, `1,234.5` or `-3.00`; full-width characters are folded.
    ///
    /// # Errors
    /// Empty text, anything that is no plain decimal number, more than two decimals, or out of range.
    ///
    /// ```
    /// use vocab::Fen;
    /// assert_eq!(Fen::parse_yuan("1,234.5").unwrap(), Fen(123_450));
    /// assert_eq!(Fen::parse_yuan("1.005").unwrap_err().code(), "decimal-too-fine");
    /// ```
    pub fn parse_yuan(text: &str) -> Result<Fen, DecimalError> {
        decimal::parse_hundredths(text).map(Fen)
    }

    /// The amount in yuan without separators, `14300.00`: for files and form fields.
    pub fn yuan_plain(self) -> String {
        decimal::plain(self.0)
    }

    /// The amount in the unit a reader expects, 元, 万元 or 亿元, rounded half away from zero to two
    /// decimals: `("3.27", "亿元")`. Beside it a page gives the exact amount.
    pub fn short(self) -> (String, &'static str) {
        let magnitude = self.0.unsigned_abs();
        let (base, unit) = if magnitude < WAN_YUAN.unsigned_abs() {
            (100, "元")
        } else if rounded_hundredths(self.0, WAN_YUAN).unsigned_abs() < 1_000_000 {
            (WAN_YUAN, "万元")
        } else {
            (YI_YUAN, "亿元")
        };
        (decimal::grouped(rounded_hundredths(self.0, base)), unit)
    }

    /// The amount in the capital numerals of cheques and decisions, 壹万肆仟叁佰元整; a negative one begins with 负.
    ///
    /// Ref: 支付结算办法 (银发〔1997〕393号), annex 正确填写票据和结算凭证的基本规定; where the rule leaves a 零 to choice, it is left out.
    pub fn in_words(self) -> String {
        words::in_words(self.0)
    }

    /// The sum, or none on overflow.
    pub const fn checked_add(self, other: Fen) -> Option<Fen> {
        match self.0.checked_add(other.0) {
            Some(fen) => Some(Fen(fen)),
            None => None,
        }
    }

    /// The difference, or none on overflow.
    pub const fn checked_sub(self, other: Fen) -> Option<Fen> {
        match self.0.checked_sub(other.0) {
            Some(fen) => Some(Fen(fen)),
            None => None,
        }
    }

    /// A whole multiple, or none on overflow.
    pub const fn checked_mul(self, times: i64) -> Option<Fen> {
        match self.0.checked_mul(times) {
            Some(fen) => Some(Fen(fen)),
            None => None,
        }
    }

    /// Whether the amount is above zero.
    pub const fn is_positive(self) -> bool {
        self.0 > 0
    }

    /// The sum of any amounts, or none on overflow.
    pub fn checked_sum(amounts: impl IntoIterator<Item = Fen>) -> Option<Fen> {
        amounts.into_iter().try_fold(Fen::ZERO, Fen::checked_add)
    }
}

/// The amount in hundredths of a unit of `base` fen, rounded half away from zero. `base` is 100 or more.
fn rounded_hundredths(fen: i64, base: i64) -> i64 {
    let step = base / 100;
    let remainder = fen % step;
    let up = i64::from(remainder.unsigned_abs() * 2 >= step.unsigned_abs() && remainder != 0);
    fen / step + up * fen.signum()
}

/// The result of an operator, or a stop: money never wraps.
#[expect(
    clippy::expect_used,
    reason = "overflow cannot happen with sums of real budgets; wrapping would be worse than stopping"
)]
#[track_caller]
fn in_range(result: Option<Fen>) -> Fen {
    result.expect("amount of money beyond 64-bit fen")
}

impl fmt::Display for Fen {
    /// Yuan with thousands separated and two decimals: `14,300.00`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        decimal::write_hundredths(f, self.0)
    }
}

impl Add for Fen {
    type Output = Fen;
    fn add(self, other: Fen) -> Fen {
        in_range(self.checked_add(other))
    }
}

impl Sub for Fen {
    type Output = Fen;
    fn sub(self, other: Fen) -> Fen {
        in_range(self.checked_sub(other))
    }
}

impl Neg for Fen {
    type Output = Fen;
    fn neg(self) -> Fen {
        in_range(self.0.checked_neg().map(Fen))
    }
}

impl AddAssign for Fen {
    fn add_assign(&mut self, other: Fen) {
        *self = *self + other;
    }
}

impl SubAssign for Fen {
    fn sub_assign(&mut self, other: Fen) {
        *self = *self - other;
    }
}

impl Sum for Fen {
    fn sum<I: Iterator<Item = Fen>>(amounts: I) -> Fen {
        in_range(Fen::checked_sum(amounts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn shows_yuan() {
        assert_eq!(Fen(1_430_000).to_string(), "14,300.00");
        assert_eq!(Fen(-123_456_789).to_string(), "-1,234,567.89");
        assert_eq!(Fen(5).to_string(), "0.05");
        assert_eq!(Fen(-5).yuan_plain(), "-0.05");
        assert_eq!(format!("{:>10}", Fen(100)), "      1.00");
        assert_eq!(Fen(i64::MIN).to_string(), "-92,233,720,368,547,758.08");
    }

    fn check_short(fen: i64, figure: &str, unit: &str) {
        let (shown, shown_unit) = Fen(fen).short();
        assert_eq!((shown.as_str(), shown_unit), (figure, unit), "{fen} fen");
    }

    #[test]
    fn chooses_the_unit_and_rounds_exactly() {
        check_short(0, "0.00", "元");
        check_short(999_999, "9,999.99", "元");
        check_short(1_000_000, "1.00", "万元");
        check_short(1_004_999, "1.00", "万元");
        check_short(1_005_000, "1.01", "万元");
        check_short(-1_005_000, "-1.01", "万元");
        check_short(9_999_994_999, "9,999.99", "万元");
        check_short(9_999_995_000, "1.00", "亿元");
        check_short(32_650_000_000, "3.27", "亿元");
        check_short(32_649_999_999, "3.26", "亿元");
        check_short(i64::MIN, "-922,337,203.69", "亿元");
    }

    #[test]
    fn sums_and_refuses_overflow() {
        assert_eq!([Fen(1), Fen(2), Fen(-4)].into_iter().sum::<Fen>(), Fen(-1));
        assert_eq!(Fen(i64::MAX).checked_add(Fen(1)), None);
        assert_eq!(Fen(i64::MIN).checked_sub(Fen(1)), None);
        assert_eq!(Fen::checked_sum([Fen(i64::MAX), Fen(1)]), None);
        assert_eq!(Fen(21).checked_mul(2), Some(Fen(42)));
        assert_eq!(serde_json::to_string(&Fen(7)).unwrap(), "7");
    }

    #[test]
    #[should_panic(expected = "beyond 64-bit fen")]
    fn an_operator_never_wraps() {
        let _ = Fen(i64::MAX) + Fen(1);
    }

    proptest! {
        #[test]
        fn text_reads_back(fen: i64) {
            prop_assert_eq!(Fen::parse_yuan(&Fen(fen).to_string()), Ok(Fen(fen)));
            prop_assert_eq!(Fen::parse_yuan(&Fen(fen).yuan_plain()), Ok(Fen(fen)));
        }

        #[test]
        fn sums_agree_with_wide_integers(amounts in prop::collection::vec(any::<i64>(), 0..20)) {
            let wide: i128 = amounts.iter().map(|&a| i128::from(a)).sum();
            let small: Vec<Fen> = amounts.iter().map(|&a| Fen(a / 32)).collect();
            let small_wide: i128 = small.iter().map(|a| i128::from(a.0)).sum();
            prop_assert_eq!(i128::from(small.iter().copied().sum::<Fen>().0), small_wide);
            if let Some(sum) = Fen::checked_sum(amounts.into_iter().map(Fen)) {
                prop_assert_eq!(i128::from(sum.0), wide);
            }
        }

        #[test]
        fn short_form_is_the_nearest_hundredth(fen: i64) {
            let (figure, unit) = Fen(fen).short();
            let hundredth: i128 = match unit { "元" => 1, "万元" => 10_000, _ => 100_000_000 };
            let shown = i128::from(Fen::parse_yuan(&figure).unwrap().0) * hundredth;
            prop_assert!((shown - i128::from(fen)).abs() * 2 <= hundredth);
        }
    }
}
