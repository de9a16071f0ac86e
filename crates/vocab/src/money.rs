//! Exact money in integer fen (分).

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Neg, Sub};

use serde::{Deserialize, Serialize};

/// An amount of money in fen (分), one hundredth of a yuan (元). Negative amounts are reversals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fen(pub i64);

/// Why a text is not an amount of money.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// The text is not a decimal number of yuan.
    #[error("not an amount in yuan: {0}")]
    NotANumber(String),
    /// More than two decimals: fen is the smallest unit.
    #[error("more than two decimals: {0}")]
    FinerThanFen(String),
    /// Beyond the range of 64-bit fen.
    #[error("amount out of range: {0}")]
    OutOfRange(String),
}
