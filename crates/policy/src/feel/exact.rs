//! Correct rounding where a result has more digits than fit.
//!
//! The decimal library decides ties by a single digit beyond its precision, which is half-even only
//! where nothing follows that digit. Here such results are computed anew, with twice the digits cut
//! off downwards and a mark for what was cut, and rounded once to 38 digits.

use std::cmp::Ordering;

use fastnum::decimal::{Context, RoundingMode, Sign};
use fastnum::{D128, D256, U256};

/// Significant digits of a rounded result.
const DIGITS: usize = 38;
/// Arithmetic of twice the digits, cut off.
const WIDE: Context = Context::default()
    .with_rounding_mode(RoundingMode::Down)
    .without_traps();
/// Largest divisor for the short way: its rest times 10^19 fits into 128 bits.
const SHORT: u128 = 1_000_000_000_000_000_000;

/// Sign, coefficient and exponent of a rounded result.
pub(super) type Parts = (bool, u128, i32);

fn wide(value: D128) -> Option<D256> {
    let digits = U256::from_u128(value.digits().to_u128().ok()?).ok()?;
    let exponent = -i32::from(value.fractional_digits_count());
    let sign = if value.is_sign_negative() {
        Sign::Minus
    } else {
        Sign::Plus
    };
    Some(D256::from_parts(digits, exponent, sign, WIDE))
}

/// The sum, rounded.
pub(super) fn add(a: D128, b: D128) -> Option<Parts> {
    let sum = wide(a)?.add(wide(b)?);
    if sum.is_op_inexact() {
        // Even twice the digits do not reach from one to the other: the smaller is far below half a
        // unit of the greater.
        let greater = if a.abs() >= b.abs() { a } else { b };
        return rounded(wide(greater)?);
    }
    rounded(sum)
}

/// The product, rounded.
pub(super) fn multiply(a: D128, b: D128) -> Option<Parts> {
    rounded(wide(a)?.mul(wide(b)?))
}

/// The quotient, rounded; the divisor is not zero.
pub(super) fn divide(a: D128, b: D128) -> Option<Parts> {
    let divisor = b.digits().to_u128().ok()?;
    if divisor < SHORT {
        return divide_short(a, b, divisor);
    }
    rounded(wide(a)?.div(wide(b)?))
}

/// Long division, as many digits at a time as fit into 128 bits.
fn divide_short(a: D128, b: D128, divisor: u128) -> Option<Parts> {
    let dividend = a.digits().to_u128().ok()?;
    let (mut quotient, mut rest) = (
        dividend.checked_div(divisor)?,
        dividend.checked_rem(divisor)?,
    );
    let mut exponent =
        i32::from(b.fractional_digits_count()) - i32::from(a.fractional_digits_count());
    while rest != 0 {
        let missing = DIGITS.saturating_sub(digit_count(quotient)).min(19);
        if missing == 0 {
            break;
        }
        let power = 10u128.checked_pow(u32::try_from(missing).ok()?)?;
        quotient = quotient
            .checked_mul(power)?
            .checked_add(rest * power / divisor)?;
        rest = rest * power % divisor;
        exponent -= i32::try_from(missing).ok()?;
    }
    let cut = (rest * 2).cmp(&divisor);
    if cut == Ordering::Greater || (cut == Ordering::Equal && quotient % 2 == 1) {
        quotient += 1;
    }
    Some((
        a.is_sign_negative() != b.is_sign_negative(),
        quotient,
        exponent,
    ))
}

/// An integer power, rounded.
pub(super) fn power(base: D128, exponent: i32) -> Option<Parts> {
    rounded(wide(base)?.powi(exponent))
}

/// A function computed with twice the digits, rounded.
pub(super) fn function(value: D128, of: fn(D256) -> D256) -> Option<Parts> {
    rounded(of(wide(value)?))
}

/// A power with any exponent, rounded; the base is above zero.
pub(super) fn real_power(base: D128, exponent: D128) -> Option<Parts> {
    rounded(wide(base)?.pow(wide(exponent)?))
}

/// A number's text of any length, rounded.
pub(super) fn read(text: &str) -> Option<Parts> {
    rounded(D256::from_str(text, WIDE).ok()?)
}

fn digit_count(value: u128) -> usize {
    if value == 0 {
        0
    } else {
        value.ilog10() as usize + 1
    }
}

/// Rounds half-even to the digits that a number has; what the wide value was cut of counts.
fn rounded(value: D256) -> Option<Parts> {
    if !value.is_finite() {
        return None;
    }
    let negative = value.is_sign_negative() && !value.is_zero();
    let value = value.abs();
    let scale = i32::from(value.fractional_digits_count());
    let excess = value.digits_count().saturating_sub(DIGITS);
    if excess == 0 {
        return Some((negative, value.digits().to_u128().ok()?, -scale));
    }
    let kept_scale = scale - i32::try_from(excess).ok()?;
    let kept = value.trunc_with_scale(i16::try_from(kept_scale).ok()?);
    let rest = value.sub(kept);
    let half = D256::from_parts(U256::from_u128(5).ok()?, -kept_scale - 1, Sign::Plus, WIDE);
    let mut coefficient = kept.digits().to_u128().ok()?;
    let up = match rest.cmp(&half) {
        Ordering::Less => false,
        Ordering::Greater => true,
        Ordering::Equal => value.is_op_inexact() || coefficient % 2 == 1,
    };
    coefficient += u128::from(up);
    Some((negative, coefficient, -kept_scale))
}
