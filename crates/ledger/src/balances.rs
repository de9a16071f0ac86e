//! What is on each account.
//!
//! It lacks history: a balance is the sum of what was posted.

use std::collections::BTreeMap;

use serde::Serialize;
use vocab::Fen;

use crate::account::{Account, AccountKind, BudgetLine};
use crate::entry::{Entry, Posting};
use crate::refusal::Refusal;

/// The balances of any number of accounts, each counted on the account's normal side; an account
/// nothing was posted to has zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Balances {
    by_account: BTreeMap<Account, i128>,
}

/// The figures of one budget line, in fen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LineFigures {
    /// Adopted and adjusted.
    pub budget: i128,
    /// Not promised.
    pub available: i128,
    /// Promised.
    pub committed: i128,
    /// To be paid.
    pub payable: i128,
    /// With the bank.
    pub in_payment: i128,
    /// Paid.
    pub paid: i128,
}

impl LineFigures {
    /// The sum of all places, which must be the budget.
    pub const fn placed(&self) -> i128 {
        self.available + self.committed + self.payable + self.in_payment + self.paid
    }

    /// Whether every fen of the budget is in exactly one place.
    pub const fn adds_up(&self) -> bool {
        self.budget == self.placed()
    }
}

impl Balances {
    /// Balances from stored sums.
    pub fn from_sums(sums: impl IntoIterator<Item = (Account, Fen)>) -> Balances {
        let mut balances = Balances::default();
        for (account, sum) in sums {
            balances.add(account, i128::from(sum.0));
        }
        balances
    }

    /// The balance of an account in fen, on its normal side.
    pub fn balance(&self, account: Account) -> i128 {
        self.by_account.get(&account).copied().unwrap_or_default()
    }

    /// The figures of a budget line.
    pub fn figures(&self, line: BudgetLine) -> LineFigures {
        let of = |kind| self.balance(line.account(kind));
        LineFigures {
            budget: of(AccountKind::Appropriation),
            available: of(AccountKind::Available),
            committed: of(AccountKind::Committed),
            payable: of(AccountKind::Payable),
            in_payment: of(AccountKind::InPayment),
            paid: of(AccountKind::Paid),
        }
    }

    /// Every account that something was posted to, with its balance.
    pub fn iter(&self) -> impl Iterator<Item = (Account, i128)> {
        self.by_account
            .iter()
            .map(|(account, balance)| (*account, *balance))
    }

    /// Adds an entry, if that keeps every account it touches between zero and 64-bit fen.
    ///
    /// # Errors
    /// The account that would fall below zero, or overflow; then nothing is changed.
    pub fn apply(&mut self, entry: &Entry) -> Result<(), Refusal> {
        self.check(entry.postings())?;
        for posting in entry.postings() {
            self.add_posting(posting);
        }
        Ok(())
    }

    /// Whether the postings together keep every account they touch within bounds.
    pub(crate) fn check(&self, postings: &[Posting]) -> Result<(), Refusal> {
        for posting in postings {
            let account = posting.account;
            let on_account = postings.iter().filter(|other| other.account == account);
            let change: i128 = on_account.map(Posting::change).sum();
            let before = self.balance(account);
            let after = before + change;
            if after < 0 && change < 0 {
                let [there, wanted] = [before, -change].map(|fen| i64::try_from(fen).map(Fen));
                return Err(match (there, wanted) {
                    (Ok(there), Ok(wanted)) => Refusal::short_of(account.kind, there, wanted),
                    _ => Refusal::Overflow,
                });
            }
            if i64::try_from(after).is_err() {
                return Err(Refusal::Overflow);
            }
        }
        Ok(())
    }

    /// Adds a posting without a check: the verifier reads what is there.
    pub(crate) fn add_posting(&mut self, posting: &Posting) {
        self.add(posting.account, posting.change());
    }

    fn add(&mut self, account: Account, change: i128) {
        let balance = self.by_account.entry(account).or_default();
        // 2^64 postings of the largest amount would still fit.
        *balance = balance.saturating_add(change);
    }
}
