//! One type per kind of id, so that a case's id cannot stand where a party's is meant.
//!
//! Ids are UUIDv7 in 16 bytes, made by `store::Tx::new_id`; in addresses they are 32 hex digits.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use vocab::RegionCode;

use crate::store::{FromValue, StoreError, Value, ValueRef};

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0.simple())
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::try_parse(text).map(Self)
            }
        }

        impl From<$name> for Value {
            fn from(id: $name) -> Value {
                Value::from(id.0)
            }
        }

        impl FromValue for $name {
            fn from_value(value: ValueRef<'_>) -> Result<Self, StoreError> {
                Uuid::from_value(value).map(Self)
            }
        }
    )*};
}

id! {
    /// A department (部门).
    DepartmentId,
    /// An account that logs in.
    AccountId,
    /// A leave of a member of staff.
    LeaveId,
    /// A party (主体): an enterprise or a natural person.
    PartyId,
    /// A bank account of a party.
    BankAccountId,
    /// A service item (事项) as offered in one region.
    ItemId,
    /// A case (办件).
    CaseId,
    /// A task (任务) of a case.
    TaskId,
    /// A file attached to something.
    AttachmentId,
    /// A budget line (预算指标).
    BudgetLineId,
    /// A batch (批次) of approved cases.
    BatchId,
    /// One beneficiary's line in a batch.
    BatchEntryId,
    /// A payment file (支付文件).
    PaymentFileId,
    /// A line of a payment file.
    PaymentId,
    /// A public notice (公示).
    NoticeId,
    /// A line of a notice.
    NoticeEntryId,
    /// An objection (异议).
    ObjectionId,
    /// An article (动态).
    ArticleId,
    /// A draft of an application.
    DraftId,
    /// An event of the log.
    EventId,
}

impl From<RegionCode> for Value {
    fn from(code: RegionCode) -> Value {
        Value::from(code.to_string())
    }
}

impl FromValue for RegionCode {
    fn from_value(value: ValueRef<'_>) -> Result<Self, StoreError> {
        let text = String::from_value(value)?;
        RegionCode::parse(&text).map_err(|_| crate::store::mismatch("a region code", value))
    }
}
