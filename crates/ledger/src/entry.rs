//! Entries of the journal: balanced sets of postings, and their counter-entries.
//!
//! It lacks the balances they change. An entry cannot be built unbalanced.

use std::fmt;

use serde::{Serialize, Serializer};
use vocab::Fen;

use crate::account::{Account, Side, write_id};
use crate::movement::MovementKind;

/// The id of a stored entry; the application gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(pub u128);

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_id(f, self.0)
    }
}

impl Serialize for EntryId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// One line of an entry. The amount is above zero; the side says its direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Posting {
    /// The account.
    pub account: Account,
    /// Debit or credit.
    pub side: Side,
    /// The amount in fen, above zero.
    pub amount: Fen,
}

impl Posting {
    /// A debit.
    pub const fn debit(account: Account, amount: Fen) -> Posting {
        Posting {
            account,
            side: Side::Debit,
            amount,
        }
    }

    /// A credit.
    pub const fn credit(account: Account, amount: Fen) -> Posting {
        Posting {
            account,
            side: Side::Credit,
            amount,
        }
    }

    /// What it adds to the balance of its account, which is counted on the account's normal side.
    pub fn change(&self) -> i128 {
        let amount = i128::from(self.amount.0);
        if self.side == self.account.kind.normal_side() {
            amount
        } else {
            -amount
        }
    }
}

/// A balanced entry: at least two postings, every amount above zero, debit equal to credit on every
/// budget line it touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    kind: MovementKind,
    reverses: Option<EntryId>,
    postings: Vec<Posting>,
}

/// Why postings are no entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryFault {
    /// One posting or none.
    #[error("an entry has at least two postings")]
    TooFewPostings,
    /// An amount of zero or below.
    #[error("an amount in an entry is above zero")]
    AmountNotPositive,
    /// Debit and credit of a budget line differ.
    #[error("debit and credit of an entry are equal on every budget line")]
    Unbalanced,
    /// A reversal without the entry it reverses, or another entry with one.
    #[error("a reversal, and nothing else, names the entry it reverses")]
    ReversalMismatch,
}

impl Entry {
    /// An entry as it was stored.
    ///
    /// # Errors
    /// Postings that are no entry, so that a damaged row is found before it is used.
    pub fn from_stored(
        kind: MovementKind,
        reverses: Option<EntryId>,
        postings: Vec<Posting>,
    ) -> Result<Entry, EntryFault> {
        if postings.len() < 2 {
            return Err(EntryFault::TooFewPostings);
        }
        if postings.iter().any(|posting| !posting.amount.is_positive()) {
            return Err(EntryFault::AmountNotPositive);
        }
        if !postings
            .iter()
            .all(|posting| is_balanced_on(&postings, posting.account))
        {
            return Err(EntryFault::Unbalanced);
        }
        if reverses.is_some() != (kind == MovementKind::Reverse) {
            return Err(EntryFault::ReversalMismatch);
        }
        Ok(Entry {
            kind,
            reverses,
            postings,
        })
    }

    /// What was done.
    pub const fn kind(&self) -> MovementKind {
        self.kind
    }

    /// The entry this one takes back, if it is a reversal.
    pub const fn reverses(&self) -> Option<EntryId> {
        self.reverses
    }

    /// Its postings.
    pub fn postings(&self) -> &[Posting] {
        &self.postings
    }

    /// The sum of its debits, which is that of its credits.
    pub fn total(&self) -> i128 {
        let debits = self
            .postings
            .iter()
            .filter(|posting| posting.side == Side::Debit);
        debits.map(|posting| i128::from(posting.amount.0)).sum()
    }

    /// Its postings with debit and credit exchanged.
    pub fn counter_postings(&self) -> Vec<Posting> {
        self.postings
            .iter()
            .map(|posting| Posting {
                side: posting.side.opposite(),
                ..*posting
            })
            .collect()
    }
}

/// Whether debit equals credit among the postings on the line of an account.
fn is_balanced_on(postings: &[Posting], account: Account) -> bool {
    let on_line = postings
        .iter()
        .filter(|posting| posting.account.line == account.line);
    on_line.map(Posting::signed).sum::<i128>() == 0
}

impl Posting {
    /// The amount, debits above zero and credits below.
    pub(crate) fn signed(&self) -> i128 {
        match self.side {
            Side::Debit => i128::from(self.amount.0),
            Side::Credit => -i128::from(self.amount.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::{AccountKind, BudgetLine};

    fn check(postings: &[Posting], expected: Result<i128, EntryFault>) {
        let entry = Entry::from_stored(MovementKind::Commit, None, postings.to_vec());
        assert_eq!(entry.map(|entry| entry.total()), expected);
    }

    #[test]
    fn only_balanced_entries_exist() {
        let to = BudgetLine(1).account(AccountKind::Committed);
        let from = BudgetLine(1).account(AccountKind::Available);
        let elsewhere = BudgetLine(2).account(AccountKind::Available);
        check(
            &[Posting::debit(to, Fen(5)), Posting::credit(from, Fen(5))],
            Ok(5),
        );
        check(&[], Err(EntryFault::TooFewPostings));
        check(
            &[Posting::debit(to, Fen(5))],
            Err(EntryFault::TooFewPostings),
        );
        check(
            &[Posting::debit(to, Fen(5)), Posting::credit(from, Fen(4))],
            Err(EntryFault::Unbalanced),
        );
        check(
            &[Posting::debit(to, Fen(0)), Posting::credit(from, Fen(0))],
            Err(EntryFault::AmountNotPositive),
        );
        check(
            &[Posting::debit(to, Fen(-5)), Posting::credit(from, Fen(-5))],
            Err(EntryFault::AmountNotPositive),
        );
        check(
            &[
                Posting::debit(to, Fen(5)),
                Posting::credit(elsewhere, Fen(5)),
            ],
            Err(EntryFault::Unbalanced),
        );
    }

    #[test]
    fn only_reversals_name_another_entry() {
        let to = BudgetLine(1).account(AccountKind::Committed);
        let from = BudgetLine(1).account(AccountKind::Available);
        let postings = vec![Posting::debit(to, Fen(5)), Posting::credit(from, Fen(5))];
        let stored = |kind, reverses| Entry::from_stored(kind, reverses, postings.clone()).err();
        assert_eq!(stored(MovementKind::Reverse, Some(EntryId(1))), None);
        assert_eq!(
            stored(MovementKind::Reverse, None),
            Some(EntryFault::ReversalMismatch)
        );
        assert_eq!(
            stored(MovementKind::Commit, Some(EntryId(1))),
            Some(EntryFault::ReversalMismatch)
        );
    }
}
