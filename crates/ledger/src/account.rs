//! The accounts of a budget line, and what debit and credit mean on them.
//!
//! It lacks balances and names of lines: a line is an opaque id here.

use std::fmt;

use serde::{Serialize, Serializer};

/// A budget line: one row of the adopted budget. The id is the application's (a UUID in 128 bits).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BudgetLine(pub u128);

impl BudgetLine {
    /// The line's account of a kind.
    pub const fn account(self, kind: AccountKind) -> Account {
        Account { line: self, kind }
    }
}

/// Where money of a budget line comes from, or is.
///
/// `Appropriation` is the source and grows by credit. The others are places and grow by debit, so that
/// an ordinary movement debits the place money goes to and credits the place it leaves. Their balances
/// always add up to the appropriation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccountKind {
    /// 预算指标: what was adopted and adjusted; the source.
    Appropriation,
    /// 可用指标: not yet promised to anybody.
    Available,
    /// 拟补承诺: promised by a decision that is not final.
    Committed,
    /// 应付: final, to be paid.
    Payable,
    /// 支付中: in a payment file the bank has not answered.
    InPayment,
    /// 已付: confirmed by the bank.
    Paid,
}

impl AccountKind {
    /// Every kind, from source to end.
    pub const ALL: [AccountKind; 6] = [
        AccountKind::Appropriation,
        AccountKind::Available,
        AccountKind::Committed,
        AccountKind::Payable,
        AccountKind::InPayment,
        AccountKind::Paid,
    ];

    /// The side on which it grows.
    pub const fn normal_side(self) -> Side {
        match self {
            AccountKind::Appropriation => Side::Credit,
            AccountKind::Available
            | AccountKind::Committed
            | AccountKind::Payable
            | AccountKind::InPayment
            | AccountKind::Paid => Side::Debit,
        }
    }

    /// Its stable name in storage.
    pub const fn code(self) -> &'static str {
        match self {
            AccountKind::Appropriation => "appropriation",
            AccountKind::Available => "available",
            AccountKind::Committed => "committed",
            AccountKind::Payable => "payable",
            AccountKind::InPayment => "in-payment",
            AccountKind::Paid => "paid",
        }
    }

    /// The kind of a stored name.
    pub fn from_code(code: &str) -> Option<AccountKind> {
        AccountKind::ALL
            .into_iter()
            .find(|kind| kind.code() == code)
    }

    /// Its name on a page.
    pub const fn zh(self) -> &'static str {
        match self {
            AccountKind::Appropriation => "预算指标",
            AccountKind::Available => "可用指标",
            AccountKind::Committed => "拟补承诺",
            AccountKind::Payable => "应付",
            AccountKind::InPayment => "支付中",
            AccountKind::Paid => "已付",
        }
    }
}

/// An account: one kind of one budget line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Account {
    /// The budget line.
    pub line: BudgetLine,
    /// Its place.
    pub kind: AccountKind,
}

/// The side of a posting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// 借.
    Debit,
    /// 贷.
    Credit,
}

impl Side {
    /// The other side.
    pub const fn opposite(self) -> Side {
        match self {
            Side::Debit => Side::Credit,
            Side::Credit => Side::Debit,
        }
    }

    /// Its stable name in storage.
    pub const fn code(self) -> &'static str {
        match self {
            Side::Debit => "debit",
            Side::Credit => "credit",
        }
    }

    /// The side of a stored name.
    pub fn from_code(code: &str) -> Option<Side> {
        [Side::Debit, Side::Credit]
            .into_iter()
            .find(|side| side.code() == code)
    }

    /// Its name on a page.
    pub const fn zh(self) -> &'static str {
        match self {
            Side::Debit => "借",
            Side::Credit => "贷",
        }
    }
}

/// Writes an id as UUIDs are written.
pub(crate) fn write_id(f: &mut fmt::Formatter<'_>, id: u128) -> fmt::Result {
    let group = |shift: u32, bits: u32| (id >> shift) & ((1 << bits) - 1);
    write!(
        f,
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        group(96, 32),
        group(80, 16),
        group(64, 16),
        group(48, 16),
        group(0, 48)
    )
}

impl fmt::Display for BudgetLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_id(f, self.0)
    }
}

impl Serialize for BudgetLine {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.line, self.kind.code())
    }
}

impl Serialize for Account {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_names_read_back() {
        for kind in AccountKind::ALL {
            assert_eq!(AccountKind::from_code(kind.code()), Some(kind));
        }
        for side in [Side::Debit, Side::Credit] {
            assert_eq!(Side::from_code(side.code()), Some(side));
            assert_eq!(side.opposite().opposite(), side);
        }
        assert_eq!(AccountKind::from_code("recovery"), None);
        assert_eq!(Side::from_code(""), None);
    }

    #[test]
    fn ids_look_like_uuids() {
        let line = BudgetLine(0x0192_3456_789a_7bcd_8ef0_1234_5678_9abc);
        assert_eq!(
            line.account(AccountKind::Paid).to_string(),
            "01923456-789a-7bcd-8ef0-123456789abc/paid"
        );
    }
}
