//! The words every other crate is written in: money, areas, codes of the public registers,
//! regions, industries and the working-day calendar.
//!
//! It deliberately lacks a clock, randomness, files and the network.
#![deny(missing_docs)]

mod money;

pub use money::{Fen, MoneyError};
