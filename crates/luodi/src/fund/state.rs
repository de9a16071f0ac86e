//! Where batches, their entries, payment files and payments stand: stored words and their names.
//!
//! An entry's state is the account of the ledger its money is on, so that both can be compared.

use ledger::AccountKind;

use crate::store::{FromValue, StoreError, ValueRef};

macro_rules! states {
    ($($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $code:literal, $zh:literal, $look:literal;)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// Every state, in the order things go through them.
            pub const ALL: &'static [$name] = &[$($name::$variant,)*];

            /// The stored word.
            pub const fn code(self) -> &'static str {
                match self { $($name::$variant => $code,)* }
            }

            /// Its name on a page.
            pub const fn zh(self) -> &'static str {
                match self { $($name::$variant => $zh,)* }
            }

            /// The look of its badge.
            pub const fn look(self) -> &'static str {
                match self { $($name::$variant => $look,)* }
            }

            /// The state of a stored word.
            pub fn from_code(code: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|state| state.code() == code)
            }
        }

        impl FromValue for $name {
            fn from_value(value: ValueRef<'_>) -> Result<Self, StoreError> {
                let code = String::from_value(value)?;
                Self::from_code(&code)
                    .ok_or_else(|| StoreError::Value(format!("{code} is no {}", stringify!($name))))
            }
        }
    )*};
}

states! {
    /// Where a batch stands.
    BatchState {
        /// The list is made; nothing is published.
        Proposed = "proposed", "拟补", "wait";
        /// In public notice.
        Noticed = "noticed", "公示", "now";
        /// The notice has ended; who is not held is final.
        Final = "final", "最终", "now";
        /// At least one payment file was made.
        Paying = "paying", "拨付", "now";
        /// Everybody on it was paid or removed.
        Done = "done", "完成", "good";
    }

    /// Where an entry of a batch stands.
    EntryState {
        /// Promised.
        Committed = "committed", "拟补承诺", "wait";
        /// Final, to be paid.
        Payable = "payable", "应付", "now";
        /// With the bank.
        InPayment = "in-payment", "支付中", "now";
        /// Paid.
        Paid = "paid", "已付", "good";
        /// Taken off the list; its money is available again.
        Removed = "removed", "已移出", "bad";
    }

    /// Where a payment file stands.
    FileState {
        /// The bank has said nothing yet.
        Sent = "sent", "待银行回单", "wait";
        /// Some lines are answered.
        Partly = "partly", "部分回单", "now";
        /// Every line is answered.
        Answered = "answered", "已回单", "good";
    }

    /// Where a payment stands.
    PaymentState {
        /// Sent to the bank.
        Sent = "sent", "支付中", "now";
        /// Paid.
        Paid = "paid", "已付", "good";
        /// Came back.
        Returned = "returned", "退回", "bad";
    }

    /// Where the money of an entry is for those who pay it; each entry that is not removed has one.
    Outcome {
        /// With the bank, which has not answered.
        Sent = "sent", "已发出待回单", "now";
        /// Paid.
        Paid = "paid", "已付", "good";
        /// Came back and has not been sent again.
        Returned = "returned", "退回待重付", "bad";
        /// Final and never sent.
        Payable = "payable", "待支付", "wait";
        /// Promised, not final.
        Committed = "committed", "拟付", "wait";
    }
}

impl Outcome {
    /// The account its money is on.
    pub fn account(self) -> AccountKind {
        match self {
            Outcome::Sent => AccountKind::InPayment,
            Outcome::Paid => AccountKind::Paid,
            Outcome::Returned | Outcome::Payable => AccountKind::Payable,
            Outcome::Committed => AccountKind::Committed,
        }
    }
}

impl EntryState {
    /// The account the entry's money is on; none once it was removed.
    pub fn account(self) -> Option<AccountKind> {
        AccountKind::from_code(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_stands_on_an_account_unless_removed() {
        for state in EntryState::ALL {
            assert_eq!(
                state.account().is_none(),
                *state == EntryState::Removed,
                "{state:?}"
            );
            assert_eq!(EntryState::from_code(state.code()), Some(*state));
        }
    }
}
