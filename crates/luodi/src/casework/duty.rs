//! Incompatible duties (不相容岗位): what one person may not do twice in one case. Checked in the
//! command, whatever page or API it came from.

use crate::access::Actor;
use crate::ids::{AccountId, CaseId};
use crate::params;
use crate::refusal::{Refusal, Result};
use crate::store::{Query, Tx};

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
    refuse_excluded(&duties_of(q, case, account)?, duty)
}

/// What the account has done in this case.
fn duties_of(q: &dyn Query, case: CaseId, account: AccountId) -> Result<Vec<Duty>> {
    let done = q.rows(
        "SELECT duty FROM case_duty WHERE case_id = ?1 AND account_id = ?2",
        params![case, account],
        |row| row.get::<String>(0),
    )?;
    Ok(done
        .iter()
        .filter_map(|code| Duty::from_code(code))
        .collect())
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
    record_for(tx, case, actor.account_id(), duty)
}

/// As [`record_duty`], for any account.
fn record_for(tx: &Tx, case: CaseId, account: AccountId, duty: Duty) -> Result<()> {
    match new_duty_of(tx, case, account, duty)? {
        Some((account, duty)) => keep_duty(tx, case, account, duty),
        None => Ok(()),
    }
}

/// What [`record_duty`] would remember; nothing where it is remembered already.
///
/// # Errors
/// As [`check_duty`].
pub(super) fn new_duty(
    q: &dyn Query,
    case: CaseId,
    actor: &Actor,
    duty: Duty,
) -> Result<Option<(AccountId, Duty)>> {
    if !actor.is_staff() {
        return Ok(None);
    }
    new_duty_of(q, case, actor.account_id(), duty)
}

/// As [`new_duty`], for a colleague named in a form, such as the second inspector.
///
/// # Errors
/// As [`check_duty`].
pub(super) fn new_duty_of(
    q: &dyn Query,
    case: CaseId,
    account: AccountId,
    duty: Duty,
) -> Result<Option<(AccountId, Duty)>> {
    let done = duties_of(q, case, account)?;
    refuse_excluded(&done, duty)?;
    Ok((!done.contains(&duty)).then_some((account, duty)))
}

/// Remembers a duty that was found new.
pub(super) fn keep_duty(tx: &Tx, case: CaseId, account: AccountId, duty: Duty) -> Result<()> {
    tx.execute(
        "INSERT INTO case_duty (case_id, account_id, duty) VALUES (?1, ?2, ?3)",
        params![case, account, duty.code()],
    )?;
    tx.part("case_duty", case.0);
    Ok(())
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
