//! The words every other crate is written in: money, areas, codes of the public registers,
//! regions, industries, quarters, the working-day calendar and the limits counted by it.
//!
//! It deliberately lacks a clock, randomness, files and the network: today, and every text, is
//! handed in. The dated tables under `data/` are part of the program.
#![deny(missing_docs)]

mod refusal;

mod area;
mod codes;
mod decimal;
mod fold;
mod mask;
mod money;
mod quarter;

pub mod calendar;
pub mod date;
pub mod industry;
pub mod limit;
pub mod region;
pub mod retention;

pub use area::Mu;
pub use calendar::{Calendar, CalendarError, Certainty, DayKind, Due};
pub use codes::bank::{BankAccountNumber, BankAccountNumberError, BankCode, BankCodeError};
pub use codes::credit::{CreditCode, CreditCodeError};
pub use codes::id_number::{IdNumber, IdNumberError};
pub use codes::phone::{Phone, PhoneError};
pub use date::{DateError, weekday_zh};
pub use decimal::DecimalError;
pub use fold::fold_width;
pub use limit::{Cause, Light, Limit, Standing, Suspension};
pub use mask::{mask_address, mask_numbers, mask_person_name};
pub use money::Fen;
pub use quarter::{Quarter, QuarterError};
pub use region::{RegionCode, RegionCodeError};
