//! What finance does with money of a budget line, and which accounts each movement debits and credits.
//!
//! It lacks every check of balances: [`crate::post`] makes them.

use vocab::Fen;

use crate::account::{AccountKind, BudgetLine};
use crate::entry::{Entry, EntryId, Posting};

/// A movement of money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Movement {
    /// The budget line is adopted.
    Adopt {
        /// The line.
        line: BudgetLine,
        /// Its amount.
        amount: Fen,
    },
    /// The budget is raised (above zero) or cut (below zero); only what is available can be cut.
    Adjust {
        /// The line.
        line: BudgetLine,
        /// The difference, not zero.
        difference: Fen,
    },
    /// A decision promises money.
    Commit {
        /// The line.
        line: BudgetLine,
        /// The amount.
        amount: Fen,
    },
    /// A promise is given up; the money is available again.
    Release {
        /// The line.
        line: BudgetLine,
        /// The amount.
        amount: Fen,
    },
    /// The list is final: the promise is to be paid.
    MakePayable {
        /// The line.
        line: BudgetLine,
        /// The amount.
        amount: Fen,
    },
    /// An objection is upheld after the list was final: only promised again, until `Release` frees it.
    WithdrawPayable {
        /// The line.
        line: BudgetLine,
        /// The amount.
        amount: Fen,
    },
    /// A payment file left for the bank.
    Send {
        /// The line.
        line: BudgetLine,
        /// The amount.
        amount: Fen,
    },
    /// The bank paid.
    Settle {
        /// The line.
        line: BudgetLine,
        /// The amount.
        amount: Fen,
    },
    /// The bank returned the payment; it is to be paid again.
    Return {
        /// The line.
        line: BudgetLine,
        /// The amount.
        amount: Fen,
    },
    /// Unpaid commitments go over to a line of the next year, with the budget that covers them.
    CarryOver {
        /// The line of the year that ends.
        from: BudgetLine,
        /// The line of the next year.
        to: BudgetLine,
        /// The amount.
        amount: Fen,
    },
    /// An entry is taken back by its counter-entry; it stays in the journal.
    Reverse {
        /// The entry's id.
        id: EntryId,
        /// The entry.
        of: Entry,
    },
}

/// The kind of a movement, as it is stored with its entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MovementKind {
    /// See [`Movement::Adopt`].
    Adopt,
    /// See [`Movement::Adjust`].
    Adjust,
    /// See [`Movement::Commit`].
    Commit,
    /// See [`Movement::Release`].
    Release,
    /// See [`Movement::MakePayable`].
    MakePayable,
    /// See [`Movement::WithdrawPayable`].
    WithdrawPayable,
    /// See [`Movement::Send`].
    Send,
    /// See [`Movement::Settle`].
    Settle,
    /// See [`Movement::Return`].
    Return,
    /// See [`Movement::CarryOver`].
    CarryOver,
    /// See [`Movement::Reverse`].
    Reverse,
}

impl MovementKind {
    /// Every kind.
    pub const ALL: [MovementKind; 11] = [
        MovementKind::Adopt,
        MovementKind::Adjust,
        MovementKind::Commit,
        MovementKind::Release,
        MovementKind::MakePayable,
        MovementKind::WithdrawPayable,
        MovementKind::Send,
        MovementKind::Settle,
        MovementKind::Return,
        MovementKind::CarryOver,
        MovementKind::Reverse,
    ];

    /// Its stable name in storage.
    pub const fn code(self) -> &'static str {
        match self {
            MovementKind::Adopt => "adopt",
            MovementKind::Adjust => "adjust",
            MovementKind::Commit => "commit",
            MovementKind::Release => "release",
            MovementKind::MakePayable => "make-payable",
            MovementKind::WithdrawPayable => "withdraw-payable",
            MovementKind::Send => "send",
            MovementKind::Settle => "settle",
            MovementKind::Return => "return",
            MovementKind::CarryOver => "carry-over",
            MovementKind::Reverse => "reverse",
        }
    }

    /// The kind of a stored name.
    pub fn from_code(code: &str) -> Option<MovementKind> {
        MovementKind::ALL
            .into_iter()
            .find(|kind| kind.code() == code)
    }

    /// Its name on a page.
    pub const fn zh(self) -> &'static str {
        match self {
            MovementKind::Adopt => "下达预算",
            MovementKind::Adjust => "调整预算",
            MovementKind::Commit => "拟补承诺",
            MovementKind::Release => "释放承诺",
            MovementKind::MakePayable => "转为应付",
            MovementKind::WithdrawPayable => "撤回应付",
            MovementKind::Send => "发送支付",
            MovementKind::Settle => "支付完成",
            MovementKind::Return => "银行退回",
            MovementKind::CarryOver => "结转下年",
            MovementKind::Reverse => "冲销",
        }
    }
}

impl Movement {
    /// Its kind.
    pub const fn kind(&self) -> MovementKind {
        match self {
            Movement::Adopt { .. } => MovementKind::Adopt,
            Movement::Adjust { .. } => MovementKind::Adjust,
            Movement::Commit { .. } => MovementKind::Commit,
            Movement::Release { .. } => MovementKind::Release,
            Movement::MakePayable { .. } => MovementKind::MakePayable,
            Movement::WithdrawPayable { .. } => MovementKind::WithdrawPayable,
            Movement::Send { .. } => MovementKind::Send,
            Movement::Settle { .. } => MovementKind::Settle,
            Movement::Return { .. } => MovementKind::Return,
            Movement::CarryOver { .. } => MovementKind::CarryOver,
            Movement::Reverse { .. } => MovementKind::Reverse,
        }
    }

    /// What it posts: the one table of debits and credits. Amounts are not checked yet; none where a
    /// cut is beyond the range of amounts.
    pub(crate) fn postings(&self) -> Option<Vec<Posting>> {
        use AccountKind::{Appropriation, Available, Committed, InPayment, Paid, Payable};
        let transfer = |line: BudgetLine, to, from, amount| {
            vec![
                Posting::debit(line.account(to), amount),
                Posting::credit(line.account(from), amount),
            ]
        };
        Some(match *self {
            Movement::Adopt { line, amount } => transfer(line, Available, Appropriation, amount),
            Movement::Adjust { line, difference } if difference < Fen::ZERO => transfer(
                line,
                Appropriation,
                Available,
                difference.0.checked_neg().map(Fen)?,
            ),
            Movement::Adjust { line, difference } => {
                transfer(line, Available, Appropriation, difference)
            }
            Movement::Commit { line, amount } => transfer(line, Committed, Available, amount),
            Movement::Release { line, amount } => transfer(line, Available, Committed, amount),
            Movement::MakePayable { line, amount } => transfer(line, Payable, Committed, amount),
            Movement::WithdrawPayable { line, amount } => {
                transfer(line, Committed, Payable, amount)
            }
            Movement::Send { line, amount } => transfer(line, InPayment, Payable, amount),
            Movement::Settle { line, amount } => transfer(line, Paid, InPayment, amount),
            Movement::Return { line, amount } => transfer(line, Payable, InPayment, amount),
            Movement::CarryOver { from, to, amount } => {
                let mut postings = transfer(from, Appropriation, Committed, amount);
                postings.extend(transfer(to, Committed, Appropriation, amount));
                postings
            }
            Movement::Reverse { ref of, .. } => of.counter_postings(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_names_read_back() {
        for kind in MovementKind::ALL {
            assert_eq!(MovementKind::from_code(kind.code()), Some(kind));
        }
        assert_eq!(MovementKind::from_code("pay"), None);
    }
}
