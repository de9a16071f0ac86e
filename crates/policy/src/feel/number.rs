//! Exact decimal numbers: 38 significant digits, half-even, no NaN, no infinity.
//!
//! Rounding to a scale is done here on the integer coefficient, so that it does not depend on the
//! digits a library keeps beyond its precision.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use fastnum::decimal::{Context, RoundingMode, Sign};
use fastnum::{D128, D256};

use super::exact;

/// Arithmetic context: half-even, no traps (results that are not finite become `None`).
const EXACT: Context = Context::default()
    .with_rounding_mode(RoundingMode::HalfEven)
    .without_traps();

/// Longest text that is read as a number.
const MAX_TEXT: usize = 400;
/// Scales of the standard's number functions, those of IEEE 754 decimal128.
const SCALES: std::ops::RangeInclusive<i32> = -6_111..=6_176;

/// A FEEL number.
#[derive(Clone, Copy)]
pub struct Number(D128);

/// How to round to a scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// To the nearest, ties to the even neighbour.
    HalfEven,
    /// To the nearest, ties away from zero.
    HalfUp,
    /// To the nearest, ties towards zero.
    HalfDown,
    /// Away from zero.
    Up,
    /// Towards zero.
    Down,
    /// Towards minus infinity.
    Floor,
    /// Towards plus infinity.
    Ceiling,
}

impl Number {
    /// Zero.
    pub const ZERO: Number = Number(D128::ZERO.with_ctx(EXACT));
    /// One.
    pub const ONE: Number = Number(D128::ONE.with_ctx(EXACT));

    /// Reads `12`, `-0.5`, `.5`, `1.2e-3`. More than 38 digits are rounded half-even.
    pub fn parse(text: &str) -> Option<Number> {
        if text.len() > MAX_TEXT || !is_number_text(text) {
            return None;
        }
        match D128::from_str(text, EXACT) {
            Ok(value) => rounded(value, || exact::read(text)),
            Err(_) => of_parts(exact::read(text)?),
        }
    }

    /// `coefficient × 10^exponent`.
    pub fn from_parts(negative: bool, coefficient: u128, exponent: i32) -> Option<Number> {
        if !(-32_000..=32_000).contains(&exponent) {
            return if coefficient == 0 {
                Some(Number::ZERO)
            } else {
                None
            };
        }
        let sign = if negative { Sign::Minus } else { Sign::Plus };
        let digits = fastnum::U128::from_u128(coefficient).ok()?;
        finite(D128::from_parts(digits, exponent, sign, EXACT))
    }

    /// From a 128-bit integer; `None` beyond the exact range.
    pub fn from_i128(value: i128) -> Option<Number> {
        Number::from_parts(value < 0, value.unsigned_abs(), 0)
    }

    /// Sign, coefficient and scale (digits after the point, negative for trailing zeros).
    pub fn parts(self) -> (bool, u128, i32) {
        let coefficient = self.0.digits().to_u128().unwrap_or(0);
        (
            self.0.is_sign_negative() && coefficient != 0,
            coefficient,
            i32::from(self.0.fractional_digits_count()),
        )
    }

    /// Whether it is zero.
    pub fn is_zero(self) -> bool {
        self.0.is_zero()
    }

    /// Whether it is below zero.
    pub fn is_negative(self) -> bool {
        self.0.is_sign_negative() && !self.0.is_zero()
    }

    /// Whether it has no digits after the point.
    pub fn is_integer(self) -> bool {
        let (_, coefficient, scale) = self.parts();
        coefficient == 0
            || scale <= 0
            || power_of_ten(scale).is_some_and(|p| coefficient.is_multiple_of(p))
    }

    /// The value as an integer, if it is one and fits.
    pub fn to_i128(self) -> Option<i128> {
        let (negative, coefficient, scale) = self.parts();
        let magnitude = if coefficient == 0 {
            0
        } else if scale <= 0 {
            coefficient.checked_mul(power_of_ten(-scale)?)?
        } else {
            let power = power_of_ten(scale)?;
            if !coefficient.is_multiple_of(power) {
                return None;
            }
            coefficient / power
        };
        let magnitude = i128::try_from(magnitude).ok()?;
        Some(if negative { -magnitude } else { magnitude })
    }

    /// The value as an integer, if it is one and fits.
    pub fn to_i64(self) -> Option<i64> {
        i64::try_from(self.to_i128()?).ok()
    }

    /// The nearest binary floating point number, for display only.
    pub fn to_f64(self) -> f64 {
        self.0.to_f64()
    }

    /// Sum.
    pub fn checked_add(self, other: Number) -> Option<Number> {
        rounded(self.0.add(other.0), || exact::add(self.0, other.0))
    }

    /// Difference.
    pub fn checked_sub(self, other: Number) -> Option<Number> {
        rounded(self.0.sub(other.0), || exact::add(self.0, other.0.neg()))
    }

    /// Product.
    pub fn checked_mul(self, other: Number) -> Option<Number> {
        rounded(self.0.mul(other.0), || exact::multiply(self.0, other.0))
    }

    /// Quotient; `None` for a division by zero.
    pub fn checked_div(self, other: Number) -> Option<Number> {
        if other.is_zero() {
            return None;
        }
        rounded(self.0.div(other.0), || exact::divide(self.0, other.0))
    }

    /// The rest with the sign of the divisor: `self - other × floor(self / other)`.
    pub fn checked_modulo(self, other: Number) -> Option<Number> {
        if other.is_zero() {
            return None;
        }
        if let Some((a, b, scale)) = aligned(self, other) {
            let rest = a.rem_euclid(b.checked_abs()?);
            let rest = if b < 0 && rest != 0 { rest + b } else { rest };
            return Number::from_parts(rest < 0, rest.unsigned_abs(), -scale);
        }
        let times = self.checked_div(other)?.round_to(0, Round::Floor)?;
        self.checked_sub(other.checked_mul(times)?)
    }

    /// Power; integer exponents exactly while the digits suffice.
    pub fn checked_pow(self, exponent: Number) -> Option<Number> {
        if exponent.is_zero() {
            return Some(Number::ONE);
        }
        match exponent.to_i64() {
            Some(n) => {
                let n = i32::try_from(n).ok().filter(|n| n.abs() <= 999_999_999)?;
                rounded(self.0.powi(n), || exact::power(self.0, n))
            }
            None if self.is_negative() => None,
            None if self.is_zero() => (!exponent.is_negative()).then_some(Number::ZERO),
            None => of_parts(exact::real_power(self.0, exponent.0)?),
        }
    }

    /// Square root; `None` below zero.
    pub fn checked_sqrt(self) -> Option<Number> {
        if self.is_negative() {
            return None;
        }
        of_parts(exact::function(self.0, D256::sqrt)?)
    }

    /// e to this power.
    pub fn checked_exp(self) -> Option<Number> {
        if self.abs() > Number::from(20_000) {
            return None;
        }
        of_parts(exact::function(self.0, D256::exp)?)
    }

    /// Natural logarithm; `None` at and below zero.
    pub fn checked_ln(self) -> Option<Number> {
        if self.is_negative() || self.is_zero() {
            return None;
        }
        of_parts(exact::function(self.0, D256::ln)?)
    }

    /// The magnitude.
    pub fn abs(self) -> Number {
        Number(self.0.abs())
    }

    /// The opposite.
    pub fn negate(self) -> Number {
        if self.is_zero() {
            self
        } else {
            Number(self.0.neg())
        }
    }

    /// Rounds to `scale` digits after the point (negative: tens, hundreds).
    /// `None` when the scale is outside −6111 to 6176.
    pub fn round_to(self, scale: i32, mode: Round) -> Option<Number> {
        if !SCALES.contains(&scale) {
            return None;
        }
        let (negative, coefficient, own) = self.parts();
        if own <= scale || coefficient == 0 {
            return Some(self);
        }
        let (kept, rest) = match power_of_ten(own - scale) {
            Some(power) => (
                coefficient / power,
                compare_rest(coefficient % power, power),
            ),
            None => (0, Rest::BelowHalf),
        };
        let kept = if away_from_zero(mode, negative, kept, rest) {
            kept.checked_add(1)?
        } else {
            kept
        };
        Number::from_parts(negative, kept, -scale)
    }
}

/// The dropped part against half of a unit.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rest {
    Zero,
    BelowHalf,
    Half,
    AboveHalf,
}

fn compare_rest(rest: u128, unit: u128) -> Rest {
    if rest == 0 {
        return Rest::Zero;
    }
    match rest.cmp(&(unit / 2)) {
        Ordering::Less => Rest::BelowHalf,
        Ordering::Equal => Rest::Half,
        Ordering::Greater => Rest::AboveHalf,
    }
}

fn away_from_zero(mode: Round, negative: bool, kept: u128, rest: Rest) -> bool {
    if rest == Rest::Zero {
        return false;
    }
    match mode {
        Round::Up => true,
        Round::Down => false,
        Round::Floor => negative,
        Round::Ceiling => !negative,
        Round::HalfUp => rest != Rest::BelowHalf,
        Round::HalfDown => rest == Rest::AboveHalf,
        Round::HalfEven => rest == Rest::AboveHalf || (rest == Rest::Half && kept % 2 == 1),
    }
}

fn power_of_ten(exponent: i32) -> Option<u128> {
    10u128.checked_pow(u32::try_from(exponent).ok()?)
}

/// Both as integers of one scale, where that fits.
fn aligned(a: Number, b: Number) -> Option<(i128, i128, i32)> {
    let ((an, ac, asc), (bn, bc, bsc)) = (a.parts(), b.parts());
    let scale = asc.max(bsc);
    let lift = |negative: bool, coefficient: u128, from: i32| -> Option<i128> {
        let lifted = i128::try_from(coefficient.checked_mul(power_of_ten(scale - from)?)?).ok()?;
        Some(if negative { -lifted } else { lifted })
    };
    Some((lift(an, ac, asc)?, lift(bn, bc, bsc)?, scale))
}

/// A result of the library where it is exact, otherwise computed anew with one correct rounding.
fn rounded(result: D128, anew: impl FnOnce() -> Option<exact::Parts>) -> Option<Number> {
    if !result.is_finite() {
        return None;
    }
    if result.is_op_inexact() || result.is_op_rounded() {
        return of_parts(anew()?);
    }
    Some(Number(result))
}

fn of_parts((negative, coefficient, exponent): exact::Parts) -> Option<Number> {
    Number::from_parts(negative, coefficient, exponent)
}

fn finite(value: D128) -> Option<Number> {
    if value.is_finite() {
        Some(Number(value))
    } else {
        None
    }
}

fn is_number_text(text: &str) -> bool {
    let body = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match body.split_once(['e', 'E']) {
        Some((m, e)) => (m, Some(e)),
        None => (body, None),
    };
    let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let exponent_fits = exponent.is_none_or(|e| {
        let e = e.strip_prefix(['+', '-']).unwrap_or(e);
        !e.is_empty() && e.len() <= 5 && digits(e)
    });
    digits(whole)
        && !fraction.is_empty()
        && digits(fraction)
        && !mantissa.is_empty()
        && exponent_fits
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Number(D128::from_i64(value).with_ctx(EXACT))
    }
}

impl From<i32> for Number {
    fn from(value: i32) -> Self {
        Number::from(i64::from(value))
    }
}

impl fmt::Display for Number {
    /// Plain digits, no exponent, no trailing zeros after the point.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (negative, coefficient, scale) = self.parts();
        let mut digits = coefficient.to_string();
        if scale > 0 {
            let scale = usize::try_from(scale).unwrap_or(0);
            if digits.len() <= scale {
                digits.insert_str(0, &"0".repeat(scale + 1 - digits.len()));
            }
            digits.insert(digits.len() - scale, '.');
            digits.truncate(digits.trim_end_matches('0').trim_end_matches('.').len());
        } else if coefficient != 0 {
            digits.push_str(&"0".repeat(usize::try_from(-scale).unwrap_or(0)));
        }
        if negative {
            f.write_str("-")?;
        }
        f.write_str(&digits)
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq(&other.0)
    }
}

impl Eq for Number {}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

impl Hash for Number {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.to_string().hash(state);
    }
}
