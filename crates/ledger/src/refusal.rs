//! Why a movement is not posted, with what to do instead.
//!
//! It lacks faults of stored data: those are findings of [`crate::verify`].

use vocab::Fen;

use crate::account::AccountKind;

/// Why a movement is refused. Nothing was posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.message_en())]
pub enum Refusal {
    /// An amount of zero or below.
    AmountNotPositive,
    /// More than the budget has available.
    OverBudget {
        /// What is available.
        available: Fen,
        /// What the movement needs.
        wanted: Fen,
    },
    /// More than is committed.
    OverCommitment {
        /// What is committed.
        committed: Fen,
        /// What the movement needs.
        wanted: Fen,
    },
    /// More than is payable.
    NothingPayable {
        /// What is payable.
        payable: Fen,
        /// What the movement needs.
        wanted: Fen,
    },
    /// More than is with the bank.
    NothingInPayment {
        /// What is in payment.
        in_payment: Fen,
        /// What the movement needs.
        wanted: Fen,
    },
    /// More than was paid.
    NothingPaid {
        /// What was paid.
        paid: Fen,
        /// What the movement needs.
        wanted: Fen,
    },
    /// More than the whole budget: the balances handed in are not those of one ledger.
    OverAppropriation {
        /// The budget.
        budget: Fen,
        /// What the movement needs.
        wanted: Fen,
    },
    /// A carry-over from a line to itself.
    SameLine,
    /// A reversal of a reversal.
    ReversalOfReversal,
    /// A figure beyond 64-bit fen.
    Overflow,
}

impl Refusal {
    /// The refusal that fits an account which would fall below zero.
    pub(crate) const fn short_of(kind: AccountKind, there: Fen, wanted: Fen) -> Refusal {
        match kind {
            AccountKind::Appropriation => Refusal::OverAppropriation {
                budget: there,
                wanted,
            },
            AccountKind::Available => Refusal::OverBudget {
                available: there,
                wanted,
            },
            AccountKind::Committed => Refusal::OverCommitment {
                committed: there,
                wanted,
            },
            AccountKind::Payable => Refusal::NothingPayable {
                payable: there,
                wanted,
            },
            AccountKind::InPayment => Refusal::NothingInPayment {
                in_payment: there,
                wanted,
            },
            AccountKind::Paid => Refusal::NothingPaid {
                paid: there,
                wanted,
            },
        }
    }

    /// Its stable name.
    pub const fn code(self) -> &'static str {
        match self {
            Refusal::AmountNotPositive => "amount-not-positive",
            Refusal::OverBudget { .. } => "over-budget",
            Refusal::OverCommitment { .. } => "over-commitment",
            Refusal::NothingPayable { .. } => "nothing-payable",
            Refusal::NothingInPayment { .. } => "nothing-in-payment",
            Refusal::NothingPaid { .. } => "nothing-paid",
            Refusal::OverAppropriation { .. } => "over-appropriation",
            Refusal::SameLine => "same-line",
            Refusal::ReversalOfReversal => "reversal-of-reversal",
            Refusal::Overflow => "overflow",
        }
    }

    /// What to do about it, in Chinese.
    pub fn message_zh(self) -> String {
        match self {
            Refusal::AmountNotPositive => "金额应大于零，请核对后重新填写".to_owned(),
            Refusal::OverBudget { available, wanted } => {
                format!("可用指标 {available} 元，本次需要 {wanted} 元，请减少金额或先调整预算")
            }
            Refusal::OverCommitment { committed, wanted } => {
                format!("已承诺 {committed} 元，本次需要 {wanted} 元，请核对金额或先作出承诺")
            }
            Refusal::NothingPayable { payable, wanted } => {
                format!("应付 {payable} 元，本次需要 {wanted} 元，请核对名单是否已经确定")
            }
            Refusal::NothingInPayment { in_payment, wanted } => {
                format!("支付中 {in_payment} 元，本次需要 {wanted} 元，请核对支付文件和银行回单")
            }
            Refusal::NothingPaid { paid, wanted } => {
                format!("已付 {paid} 元，本次需要冲销 {wanted} 元，请核对原分录")
            }
            Refusal::OverAppropriation { budget, wanted } => {
                format!(
                    "预算指标 {budget} 元，本次需要 {wanted} 元，请先运行 luodi ledger verify 核对账簿"
                )
            }
            Refusal::SameLine => "结转的来源和去向是同一指标，请选择下一年度的指标".to_owned(),
            Refusal::ReversalOfReversal => "冲销分录不能再冲销，请重新办理原业务".to_owned(),
            Refusal::Overflow => "金额超出可记账范围，请核对单位和位数".to_owned(),
        }
    }

    /// What to do about it, in English.
    pub fn message_en(self) -> String {
        match self {
            Refusal::AmountNotPositive => "the amount must be above zero: check it".to_owned(),
            Refusal::OverBudget { available, wanted } => {
                format!(
                    "{available} yuan are available and {wanted} are needed: lower the amount or adjust the budget first"
                )
            }
            Refusal::OverCommitment { committed, wanted } => {
                format!(
                    "{committed} yuan are committed and {wanted} are needed: check the amount or commit first"
                )
            }
            Refusal::NothingPayable { payable, wanted } => {
                format!(
                    "{payable} yuan are payable and {wanted} are needed: check that the list is final"
                )
            }
            Refusal::NothingInPayment { in_payment, wanted } => {
                format!(
                    "{in_payment} yuan are in payment and {wanted} are needed: check the payment file and the bank's reply"
                )
            }
            Refusal::NothingPaid { paid, wanted } => {
                format!("{paid} yuan were paid and {wanted} are to be reversed: check the entry")
            }
            Refusal::OverAppropriation { budget, wanted } => {
                format!(
                    "the budget is {budget} yuan and {wanted} are needed: run luodi ledger verify first"
                )
            }
            Refusal::SameLine => {
                "a carry-over needs two lines: choose the line of the next year".to_owned()
            }
            Refusal::ReversalOfReversal => {
                "a reversal is not reversed: do the original movement again".to_owned()
            }
            Refusal::Overflow => {
                "a figure is beyond what can be kept: check units and digits".to_owned()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_is_there_and_what_is_wanted() {
        let refusal = Refusal::short_of(AccountKind::Available, Fen(100_000), Fen(1_430_000));
        assert_eq!(refusal.code(), "over-budget");
        assert_eq!(
            refusal.message_zh(),
            "可用指标 1,000.00 元，本次需要 14,300.00 元，请减少金额或先调整预算"
        );
        assert_eq!(
            refusal.to_string(),
            "1,000.00 yuan are available and 14,300.00 are needed: lower the amount or adjust the budget first"
        );
    }

    #[test]
    fn every_refusal_speaks_both_languages() {
        let mut refusals: Vec<Refusal> = AccountKind::ALL
            .map(|kind| Refusal::short_of(kind, Fen(1), Fen(2)))
            .to_vec();
        refusals.extend([
            Refusal::AmountNotPositive,
            Refusal::SameLine,
            Refusal::ReversalOfReversal,
            Refusal::Overflow,
        ]);
        let codes: std::collections::HashSet<&str> =
            refusals.iter().map(|refusal| refusal.code()).collect();
        assert_eq!(codes.len(), refusals.len());
        for refusal in refusals {
            assert!(
                refusal.message_en().is_ascii() && !refusal.message_zh().is_ascii(),
                "{refusal:?}"
            );
        }
    }
}
