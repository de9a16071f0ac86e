//! Bank accounts of parties: who enters one does not approve it, and only approved ones are paid to.
//!
//! It lacks payments (`fund`). The number is sealed under the party's key; pages show its end only.

mod commands;
mod pages;
mod queries;

pub use commands::{NewBankAccount, approve, end, enter, refuse};
pub use queries::{
    BankAccountFilter, Listed, PaymentAccount, approved_of, count, find, for_payment, list,
    usable_of, waiting,
};

pub(super) use pages::routes;
pub(super) use queries::of_party;

/// The class of its number, as packages and sealed values name it.
pub(in crate::party) const CLASS: &str = "bank_account";

/// Where a bank account stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BankAccountState {
    /// Entered, waiting for finance.
    Entered,
    /// Approved: may be paid to.
    Approved,
    /// Refused by finance, with a reason.
    Refused,
    /// No longer in use.
    Ended,
}

impl BankAccountState {
    /// Every state, in the order lists show them.
    pub const ALL: &'static [BankAccountState] =
        &[Self::Entered, Self::Approved, Self::Refused, Self::Ended];

    /// The stored word.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Entered => "entered",
            Self::Approved => "approved",
            Self::Refused => "refused",
            Self::Ended => "ended",
        }
    }

    /// What pages call it.
    pub const fn zh(self) -> &'static str {
        match self {
            Self::Entered => "待核准",
            Self::Approved => "已核准",
            Self::Refused => "未核准",
            Self::Ended => "已停用",
        }
    }

    /// How pages colour it.
    pub const fn look(self) -> &'static str {
        match self {
            Self::Entered => "wait",
            Self::Approved => "good",
            Self::Refused => "bad",
            Self::Ended => "plain",
        }
    }

    /// The state with this word.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|state| state.code() == code)
    }
}
