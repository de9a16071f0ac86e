//! Double-entry bookkeeping of subsidy money: what may be posted, and what must always hold.
//!
//! Every fen of a budget line is in exactly one place: available, committed, payable, in payment or
//! paid. A [`Movement`] is what finance does; [`post`] turns it into a balanced [`Entry`] or refuses it;
//! [`verify`] reads a whole ledger again and lists what does not hold.
//!
//! It deliberately lacks storage, time, who may do what, and single beneficiaries: an account belongs
//! to a budget line, and the casework says for whom money is committed.
//!
//! ```
//! use ledger::{AccountKind, Balances, BudgetLine, Movement, post};
//! use vocab::Fen;
//!
//! let line = BudgetLine(7);
//! let mut balances = Balances::default();
//! let adoption = post(&balances, Movement::Adopt { line, amount: Fen(100_000) }).unwrap();
//! balances.apply(&adoption).unwrap();
//! let refused = post(&balances, Movement::Commit { line, amount: Fen(100_001) }).unwrap_err();
//! assert_eq!(refused.code(), "over-budget");
//! assert_eq!(balances.balance(line.account(AccountKind::Available)), 100_000);
//! ```
#![deny(missing_docs)]

mod account;
mod entry;
mod movement;

mod balances;
mod post;
mod refusal;
mod verify;

pub use account::{Account, AccountKind, BudgetLine, Side};
pub use balances::{Balances, LineFigures};
pub use entry::{Entry, EntryFault, EntryId, Posting};
pub use movement::{Movement, MovementKind};
pub use post::post;
pub use refusal::Refusal;
pub use verify::{Finding, MAX_FINDINGS, Verified, verify};

#[cfg(test)]
mod ledger_pages;
#[cfg(test)]
mod properties;
