//! Incompatible duties (不相容岗位): what one person may not do twice in one case. Checked in the
//! command, whatever page or API it came from.

use crate::access::Actor;
use crate::ids::{AccountId, CaseId};
use crate::refusal::{Refusal, Result};
use crate::store::{Columns, Owned, Query, Tx};

/// Who did what in a case.
const TABLE: &str = "case_duty";

/// What somebody did in a case, as far as it excludes other things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Duty {
    /// Received the application; excludes nothing.
    Accept,
    /// Examined it.
    Examine,
    /// Inspected the site.
    Inspect,
    /// Decided.
    Decide,
    /// Paid.
    Pay,
}

impl Duty {
    /// Every duty.
    pub const ALL: [Duty; 5] = [
        Duty::Accept,
        Duty::Examine,
        Duty::Inspect,
        Duty::Decide,
        Duty::Pay,
    ];

    /// The stable code, as in packages and rows.
    pub const fn code(self) -> &'static str {
        match self {
            Duty::Accept => "accept",
            Duty::Examine => "examine",
            Duty::Inspect => "inspect",
            Duty::Decide => "decide",
            Duty::Pay => "pay",
        }
    }

    /// The name officials use.
    pub const fn zh(self) -> &'static str {
        match self {
            Duty::Accept => "受理",
            Duty::Examine => "审查",
            Duty::Inspect => "现场核查",
            Duty::Decide => "审批",
            Duty::Pay => "拨付",
        }
    }

    /// The duty with this code.
    pub fn from_code(code: &str) -> Option<Duty> {
        Duty::ALL.into_iter().find(|duty| duty.code() == code)
    }

    /// Whether one person may not do both in one case: examine (or inspect) and decide, decide
    /// and pay. Symmetric.
    pub fn excludes(self, other: Duty) -> bool {
        use Duty::{Decide, Examine, Inspect, Pay};
        matches!(
            (self, other),
            (Examine | Inspect, Decide)
                | (Decide, Examine | Inspect)
                | (Decide, Pay)
                | (Pay, Decide)
        )
    }
}

/// Refuses where the account has already done something in this case that excludes `duty`.
///
/// # Errors
/// Refused with `incompatible-duties`; or a fault of the store.
pub fn check_duty(q: &dyn Query, case: CaseId, account: AccountId, duty: Duty) -> Result<()> {
    NewDuties::read(q, case)?.add_of(account, duty)
}

fn refuse_excluded(done: &[Duty], duty: Duty) -> Result<()> {
    match done.iter().find(|done| done.excludes(duty)) {
        None => Ok(()),
        Some(done) => Err(Refusal::forbidden(
            "incompatible-duties",
            format!(
                "您在本办件中已办理「{}」，按不相容岗位要求不能再办理「{}」。请转由其他人员办理。",
                done.zh(),
                duty.zh()
            ),
        )
        .into()),
    }
}

/// Checks and remembers that the actor does `duty` in this case. The program itself has no duties.
///
/// # Errors
/// As [`check_duty`].
pub fn record_duty(tx: &Tx, case: CaseId, actor: &Actor, duty: Duty) -> Result<()> {
    if !actor.is_staff() {
        return Ok(());
    }
    let mut duties = NewDuties::read(tx, case)?;
    duties.add(actor, duty)?;
    duties.write(tx, case)
}

/// The duties done in a case, and those that a command finds new.
#[derive(Default)]
pub(super) struct NewDuties {
    /// What is there; none where nothing was looked for.
    done: Option<Owned>,
    new: Vec<(AccountId, Duty)>,
}

impl NewDuties {
    pub(super) fn read(q: &dyn Query, case: CaseId) -> Result<Self> {
        Ok(Self {
            done: Some(q.owned(TABLE, case.0)?),
            new: Vec::new(),
        })
    }

    /// Adds what the actor does, unless it is remembered already.
    ///
    /// # Errors
    /// As [`check_duty`].
    pub(super) fn add(&mut self, actor: &Actor, duty: Duty) -> Result<()> {
        if actor.is_staff() {
            self.add_of(actor.account_id(), duty)?;
        }
        Ok(())
    }

    /// As [`add`](Self::add), for a colleague named in a form, such as the second inspector.
    ///
    /// # Errors
    /// As [`check_duty`].
    pub(super) fn add_of(&mut self, account: AccountId, duty: Duty) -> Result<()> {
        let mut done = Vec::new();
        for row in self.done.iter().flat_map(|done| &done.rows) {
            if row.get::<AccountId>("account_id")? == account {
                done.extend(Duty::from_code(&row.get::<String>("duty")?));
            }
        }
        refuse_excluded(&done, duty)?;
        if !done.contains(&duty) && !self.new.contains(&(account, duty)) {
            self.new.push((account, duty));
        }
        Ok(())
    }

    /// Remembers the new ones.
    pub(super) fn write(&self, tx: &Tx, case: CaseId) -> Result<()> {
        let Some(done) = self.done.as_ref().filter(|_| !self.new.is_empty()) else {
            return Ok(());
        };
        let row = |(account, duty): &(AccountId, Duty)| {
            [
                ("case_id", case.into()),
                ("account_id", (*account).into()),
                ("duty", duty.code().into()),
            ]
        };
        let rows: Vec<_> = self.new.iter().map(row).collect();
        let rows: Vec<&Columns> = rows.iter().map(|row| row.as_slice()).collect();
        Ok(tx.insert_owned(done, &rows)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exclusion_is_symmetric_and_never_of_itself() {
        for one in Duty::ALL {
            assert!(!one.excludes(one));
            for other in Duty::ALL {
                assert_eq!(
                    one.excludes(other),
                    other.excludes(one),
                    "{one:?} {other:?}"
                );
            }
        }
    }

    #[test]
    fn who_examined_may_not_decide_and_who_decided_may_not_pay() {
        assert!(Duty::Examine.excludes(Duty::Decide));
        assert!(Duty::Inspect.excludes(Duty::Decide));
        assert!(Duty::Decide.excludes(Duty::Pay));
        assert!(!Duty::Examine.excludes(Duty::Inspect));
        assert!(!Duty::Accept.excludes(Duty::Decide));
    }
}
