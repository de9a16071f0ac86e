//! Exact areas in mu (亩), to the hundredth.
//!
//! It lacks other units but the square metre, which law defines the mu by.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Sub};

use serde::{Deserialize, Serialize};

use crate::decimal::{self, DecimalError};

/// An area in hundredths of a mu (亩). One mu is exactly 2000/3 square metres.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Mu(pub i64);

impl Mu {
    /// Reads an area in mu, such as `122` or `1,050.25`; full-width characters are folded.
    ///
    /// # Errors
    /// Empty text, anything that is no plain decimal number, more than two decimals, or out of range.
    pub fn parse(text: &str) -> Result<Mu, DecimalError> {
        decimal::parse_hundredths(text).map(Mu)
    }

    /// The area in square metres, rounded half away from zero to the whole metre; a hundredth of a mu is 20/3 m².
    ///
    /// ```
    /// assert_eq!(vocab::Mu(12_200).square_metres_rounded(), 81_333);
    /// ```
    pub fn square_metres_rounded(self) -> i64 {
        let numerator = i128::from(self.0) * 20;
        let rounded = (numerator.abs() * 2 + 3) / 6 * numerator.signum();
        i64::try_from(rounded).unwrap_or(if self.0 < 0 { i64::MIN } else { i64::MAX })
    }

    /// The area of whole square metres in mu, rounded half away from zero to the hundredth.
    pub fn from_square_metres_rounded(square_metres: i64) -> Mu {
        let numerator = i128::from(square_metres) * 3;
        let rounded = (numerator.abs() + 10) / 20 * numerator.signum();
        Mu(i64::try_from(rounded).unwrap_or_default())
    }

    /// The area without separators, `1050.25`: for files and form fields.
    pub fn plain(self) -> String {
        decimal::plain(self.0)
    }

    /// The sum, or none on overflow.
    pub const fn checked_add(self, other: Mu) -> Option<Mu> {
        match self.0.checked_add(other.0) {
            Some(hundredths) => Some(Mu(hundredths)),
            None => None,
        }
    }

    /// The difference, or none on overflow.
    pub const fn checked_sub(self, other: Mu) -> Option<Mu> {
        match self.0.checked_sub(other.0) {
            Some(hundredths) => Some(Mu(hundredths)),
            None => None,
        }
    }
}

impl fmt::Display for Mu {
    /// Mu with thousands separated and two decimals: `1,050.25`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        decimal::write_hundredths(f, self.0)
    }
}

/// Areas add up within the surface of the earth; beyond 64 bits they stay at the end of the range.
impl Add for Mu {
    type Output = Mu;
    fn add(self, other: Mu) -> Mu {
        Mu(self.0.saturating_add(other.0))
    }
}

impl Sub for Mu {
    type Output = Mu;
    fn sub(self, other: Mu) -> Mu {
        Mu(self.0.saturating_sub(other.0))
    }
}

impl Sum for Mu {
    fn sum<I: Iterator<Item = Mu>>(areas: I) -> Mu {
        areas.fold(Mu::default(), Add::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_shows_and_converts() {
        assert_eq!(Mu::parse("122").unwrap(), Mu(12_200));
        assert_eq!(Mu(105_025).to_string(), "1,050.25");
        assert_eq!(Mu::parse("0.123"), Err(DecimalError::TooFine));
        assert_eq!(Mu(300).square_metres_rounded(), 2000);
        assert_eq!(Mu(1).square_metres_rounded(), 7);
        assert_eq!(Mu(-1).square_metres_rounded(), -7);
        assert_eq!(Mu::from_square_metres_rounded(2000), Mu(300));
        assert_eq!([Mu(1), Mu(2)].into_iter().sum::<Mu>(), Mu(3));
    }

    proptest! {
        #[test]
        fn square_metres_come_back_to_the_same_mu(hundredths in -1_000_000_000_i64..1_000_000_000) {
            prop_assert_eq!(Mu::from_square_metres_rounded(Mu(hundredths).square_metres_rounded()), Mu(hundredths));
        }
    }
}
