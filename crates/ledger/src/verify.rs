//! The whole ledger read again, entry by entry: what `luodi ledger verify` prints.
//!
//! It trusts nothing that [`crate::post`] promised, because rows may have been changed outside. It
//! lacks the audit log, which says who changed them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};

use crate::account::{Account, BudgetLine, Side};
use crate::balances::Balances;
use crate::entry::{EntryId, Posting};

/// The most findings that are listed; more are only counted.
pub const MAX_FINDINGS: usize = 1000;

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Postings read.
    pub postings: u64,
    /// The sum of all debits, in fen.
    pub debit_fen: i128,
    /// The sum of all credits, in fen.
    pub credit_fen: i128,
    /// What does not hold, in the order of the journal; at most [`MAX_FINDINGS`].
    pub findings: Vec<Finding>,
    /// How many findings are not listed.
    pub findings_not_listed: u64,
}

impl Verified {
    /// Whether everything holds.
    pub fn is_ok(&self) -> bool {
        self.findings.is_empty() && self.debit_fen == self.credit_fen
    }

    fn find(&mut self, finding: Finding) {
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(finding);
        } else {
            self.findings_not_listed += 1;
        }
    }
}

/// Something that does not hold, and the entry where it shows first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// An entry with fewer than two postings.
    TooFewPostings {
        /// The entry.
        entry: EntryId,
    },
    /// An amount of zero or below.
    AmountNotPositive {
        /// The entry.
        entry: EntryId,
        /// The account.
        account: Account,
        /// The amount in fen.
        amount: i64,
    },
    /// Debit and credit of an entry differ.
    UnbalancedEntry {
        /// The entry.
        entry: EntryId,
        /// Its debits in fen.
        debit: i128,
        /// Its credits in fen.
        credit: i128,
    },
    /// An account is below zero after an entry that touched it.
    NegativeBalance {
        /// The entry.
        entry: EntryId,
        /// The account.
        account: Account,
        /// Its balance in fen.
        balance: i128,
    },
    /// The places of a line no longer add up to its budget, since this entry.
    LineDoesNotAddUp {
        /// The entry.
        entry: EntryId,
        /// The line.
        line: BudgetLine,
        /// Its budget in fen.
        budget: i128,
        /// The sum of its places in fen.
        placed: i128,
    },
}

impl Finding {
    /// Its stable name.
    pub const fn code(&self) -> &'static str {
        match self {
            Finding::TooFewPostings { .. } => "too-few-postings",
            Finding::AmountNotPositive { .. } => "amount-not-positive",
            Finding::UnbalancedEntry { .. } => "unbalanced-entry",
            Finding::NegativeBalance { .. } => "negative-balance",
            Finding::LineDoesNotAddUp { .. } => "line-does-not-add-up",
        }
    }

    /// The entry where it shows first.
    pub const fn entry(&self) -> EntryId {
        match self {
            Finding::TooFewPostings { entry }
            | Finding::AmountNotPositive { entry, .. }
            | Finding::UnbalancedEntry { entry, .. }
            | Finding::NegativeBalance { entry, .. }
            | Finding::LineDoesNotAddUp { entry, .. } => *entry,
        }
    }

    /// What was found, in Chinese.
    pub fn message_zh(&self) -> String {
        match self {
            Finding::TooFewPostings { entry } => format!("分录 {entry} 不足两笔，请与审计记录核对"),
            Finding::AmountNotPositive {
                entry,
                account,
                amount,
            } => {
                format!(
                    "分录 {entry} 科目 {account} 金额为 {amount} 分，应大于零，请与审计记录核对"
                )
            }
            Finding::UnbalancedEntry {
                entry,
                debit,
                credit,
            } => {
                format!("分录 {entry} 借方 {debit} 分、贷方 {credit} 分不平，请与审计记录核对")
            }
            Finding::NegativeBalance {
                entry,
                account,
                balance,
            } => {
                format!(
                    "分录 {entry} 之后科目 {account} 余额为 {balance} 分，不应小于零，请核对该分录"
                )
            }
            Finding::LineDoesNotAddUp {
                entry,
                line,
                budget,
                placed,
            } => {
                format!(
                    "自分录 {entry} 起，指标 {line} 预算 {budget} 分与各科目合计 {placed} 分不符，请核对该分录"
                )
            }
        }
    }

    /// What was found, in English.
    pub fn message_en(&self) -> String {
        match self {
            Finding::TooFewPostings { entry } => {
                format!("entry {entry} has fewer than two postings: compare it with the audit log")
            }
            Finding::AmountNotPositive {
                entry,
                account,
                amount,
            } => {
                format!(
                    "entry {entry} has {amount} fen on {account}, which must be above zero: compare it with the audit log"
                )
            }
            Finding::UnbalancedEntry {
                entry,
                debit,
                credit,
            } => {
                format!(
                    "entry {entry} debits {debit} fen and credits {credit}: compare it with the audit log"
                )
            }
            Finding::NegativeBalance {
                entry,
                account,
                balance,
            } => {
                format!(
                    "after entry {entry} the account {account} has {balance} fen, below zero: check the entry"
                )
            }
            Finding::LineDoesNotAddUp {
                entry,
                line,
                budget,
                placed,
            } => {
                format!(
                    "since entry {entry} line {line} has a budget of {budget} fen and {placed} fen in its places: check the entry"
                )
            }
        }
    }
}

impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut object = to.serialize_struct("Finding", 4)?;
        object.serialize_field("code", self.code())?;
        object.serialize_field("entry", &self.entry())?;
        object.serialize_field("message_zh", &self.message_zh())?;
        object.serialize_field("message_en", &self.message_en())?;
        object.end()
    }
}

/// Reads a ledger in the order it was posted; the postings of an entry follow one another.
pub fn verify(journal: impl IntoIterator<Item = (EntryId, Posting)>) -> Verified {
    let mut run = Run::default();
    let mut entry: Option<(EntryId, Vec<Posting>)> = None;
    for (id, posting) in journal {
        match &mut entry {
            Some((open, postings)) if *open == id => postings.push(posting),
            _ => {
                if let Some((done, postings)) = entry.replace((id, vec![posting])) {
                    run.read_entry(done, &postings);
                }
            }
        }
    }
    if let Some((last, postings)) = entry {
        run.read_entry(last, &postings);
    }
    run.verified
}

/// A verification under way.
#[derive(Default)]
struct Run {
    verified: Verified,
    balances: Balances,
    /// By how much each line was off when last looked at; lines that add up are missing.
    off_by: BTreeMap<BudgetLine, i128>,
}

impl Run {
    fn read_entry(&mut self, entry: EntryId, postings: &[Posting]) {
        self.check_form(entry, postings);
        for posting in postings {
            self.balances.add_posting(posting);
        }
        let accounts: BTreeSet<Account> = postings.iter().map(|posting| posting.account).collect();
        for &account in &accounts {
            let balance = self.balances.balance(account);
            if balance < 0 {
                self.verified.find(Finding::NegativeBalance {
                    entry,
                    account,
                    balance,
                });
            }
        }
        let lines: BTreeSet<BudgetLine> = accounts.iter().map(|account| account.line).collect();
        for line in lines {
            self.check_line(entry, line);
        }
    }

    /// Number, amounts and balance of the entry by itself.
    fn check_form(&mut self, entry: EntryId, postings: &[Posting]) {
        let (mut debit, mut credit) = (0_i128, 0_i128);
        for posting in postings {
            let amount = i128::from(posting.amount.0);
            match posting.side {
                Side::Debit => debit += amount,
                Side::Credit => credit += amount,
            }
            if !posting.amount.is_positive() {
                let (account, amount) = (posting.account, posting.amount.0);
                self.verified.find(Finding::AmountNotPositive {
                    entry,
                    account,
                    amount,
                });
            }
            self.verified.postings += 1;
        }
        self.verified.debit_fen += debit;
        self.verified.credit_fen += credit;
        if postings.len() < 2 {
            self.verified.find(Finding::TooFewPostings { entry });
        }
        if debit != credit {
            self.verified.find(Finding::UnbalancedEntry {
                entry,
                debit,
                credit,
            });
        }
    }

    /// The budget against its places; said once, at the entry that changed the difference.
    fn check_line(&mut self, entry: EntryId, line: BudgetLine) {
        let figures = self.balances.figures(line);
        let (budget, placed) = (figures.budget, figures.placed());
        let before = self.off_by.get(&line).copied().unwrap_or_default();
        if budget == placed {
            self.off_by.remove(&line);
        } else if placed - budget != before {
            self.off_by.insert(line, placed - budget);
            self.verified.find(Finding::LineDoesNotAddUp {
                entry,
                line,
                budget,
                placed,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::AccountKind::{self, Appropriation, Available, Committed};
    use vocab::Fen;

    const LINE: BudgetLine = BudgetLine(1);

    fn debit(entry: u128, kind: AccountKind, fen: i64) -> (EntryId, Posting) {
        (EntryId(entry), Posting::debit(LINE.account(kind), Fen(fen)))
    }

    fn credit(entry: u128, kind: AccountKind, fen: i64) -> (EntryId, Posting) {
        (
            EntryId(entry),
            Posting::credit(LINE.account(kind), Fen(fen)),
        )
    }

    fn check(journal: &[(EntryId, Posting)], codes: &[(u128, &str)]) {
        let verified = verify(journal.iter().copied());
        let found: Vec<(u128, &str)> = verified
            .findings
            .iter()
            .map(|f| (f.entry().0, f.code()))
            .collect();
        assert_eq!(found, codes);
        assert_eq!(verified.is_ok(), codes.is_empty());
        assert_eq!(verified.postings, journal.len() as u64);
    }

    #[test]
    fn a_good_ledger_has_no_findings() {
        check(&[], &[]);
        check(
            &[
                debit(1, Available, 100),
                credit(1, Appropriation, 100),
                debit(2, Committed, 30),
                credit(2, Available, 30),
            ],
            &[],
        );
    }

    #[test]
    fn finds_what_was_changed() {
        let adopted = [debit(1, Available, 100), credit(1, Appropriation, 100)];
        let with = |rest: &[(EntryId, Posting)]| [&adopted, rest].concat();
        check(
            &with(&[debit(2, Committed, 30), credit(2, Available, 20)]),
            &[(2, "unbalanced-entry"), (2, "line-does-not-add-up")],
        );
        check(
            &with(&[debit(2, Committed, 101), credit(2, Available, 101)]),
            &[(2, "negative-balance")],
        );
        check(
            &with(&[debit(2, Committed, -5), credit(2, Available, -5)]),
            &[
                (2, "amount-not-positive"),
                (2, "amount-not-positive"),
                (2, "negative-balance"),
            ],
        );
        check(
            &with(&[debit(2, Committed, 30)]),
            &[
                (2, "too-few-postings"),
                (2, "unbalanced-entry"),
                (2, "line-does-not-add-up"),
            ],
        );
    }

    #[test]
    fn a_line_that_is_off_is_said_once() {
        let journal = [
            debit(1, Available, 100),
            credit(1, Appropriation, 90),
            debit(2, Committed, 30),
            credit(2, Available, 30),
        ];
        check(
            &journal,
            &[(1, "unbalanced-entry"), (1, "line-does-not-add-up")],
        );
    }

    #[test]
    fn findings_are_bounded_and_counted() {
        let journal = (0..2000).map(|entry| debit(entry, Available, 1));
        let verified = verify(journal);
        assert_eq!(verified.findings.len(), MAX_FINDINGS);
        assert_eq!(verified.findings_not_listed, 3 * 2000 - MAX_FINDINGS as u64);
    }

    #[test]
    fn prints_as_one_object() {
        let verified = verify([debit(1, Available, 100)]);
        let json = serde_json::to_value(&verified).unwrap();
        assert_eq!(json["debit_fen"], 100);
        assert_eq!(json["findings"][0]["code"], "too-few-postings");
        assert_eq!(
            json["findings"][0]["entry"],
            "00000000-0000-0000-0000-000000000001"
        );
    }
}
