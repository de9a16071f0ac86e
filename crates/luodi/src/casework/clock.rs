//! The clock of a case: loads what `vocab::limit` counts, and shows where it stands.

use jiff::civil::Date;
use vocab::{Calendar, Cause, Light, Limit, Standing, Suspension};

use super::queries::CaseRow;
use crate::ids::CaseId;
use crate::params;
use crate::store::{Query, StoreError, Tx};

/// Where the clock stands, as pages show it.
#[derive(Clone, Debug)]
pub struct ClockView {
    /// The promised limit in working days.
    pub limit: u32,
    /// Working days used.
    pub used: u32,
    /// Working days left; negative when over.
    pub left: i64,
    /// Due at 24:00 of this day; none while suspended or before acceptance.
    pub due_on: Option<Date>,
    /// Red, amber, green or grey.
    pub light: &'static str,
    /// The light in words: 「剩 4 天」.
    pub words: String,
    /// The plain sentence why.
    pub why: String,
}

/// The clock of one case on `today`; none before acceptance.
///
/// # Errors
/// A fault of the store.
pub fn case_clock(
    q: &dyn Query,
    case: CaseId,
    today: Date,
) -> Result<Option<ClockView>, StoreError> {
    let Some(limit) = load(q, case)? else {
        return Ok(None);
    };
    let standing = limit.standing(Calendar::official(), today);
    Ok(Some(ClockView {
        limit: u32::from(limit.working_days),
        used: standing.used,
        left: standing.left,
        due_on: standing.due_on,
        light: standing.light.code(),
        words: words(
            standing.light,
            standing.left,
            standing.due_on.is_some_and(|due| due < today),
        ),
        why: why(&standing),
    }))
}

/// What was used and what does not count: 「已用 7 天，补正 3 天不计。」
fn why(standing: &Standing) -> String {
    let mut parts = vec![format!("已用 {} 天", standing.used)];
    for (cause, days) in &standing.left_out {
        parts.push(format!("{} {days} 天不计", cause.zh()));
    }
    if let Some(cause) = standing.suspended_for {
        parts.push(format!("{}期间暂停计时", cause.zh()));
    }
    if standing.provisional {
        parts.push("下一年度放假安排公布前为暂定".to_owned());
    }
    format!("{}。", parts.join("，"))
}

/// The light of a list's row, from its stored due date alone: the same as the clock's, because
/// suspensions are already in the due date.
pub fn left_view(
    due_on: Option<Date>,
    suspended: bool,
    limit: u32,
    today: Date,
) -> (&'static str, String) {
    if suspended {
        return ("grey", words(Light::Grey, 0, false));
    }
    let Some(due) = due_on else {
        return ("grey", "未计时".to_owned());
    };
    let calendar = Calendar::official();
    let left = if due >= today {
        i64::from(calendar.working_days_between(today, due))
    } else {
        -i64::from(calendar.working_days_between(due, today))
    };
    let light = match left {
        _ if due <= today => Light::Red,
        left if left <= i64::from(limit.div_ceil(5)) => Light::Amber,
        _ => Light::Green,
    };
    (light.code(), words(light, left, due < today))
}

/// A due day on the last day before a weekend is over on Saturday with no working day overdue yet.
fn words(light: Light, left: i64, over: bool) -> String {
    match (light, left) {
        (Light::Grey, _) => "计时暂停".to_owned(),
        (_, 0) if over => "已超期".to_owned(),
        (Light::Red, 0) => "今天到期".to_owned(),
        (_, left) if left < 0 => format!("超期 {} 天", -left),
        (_, left) => format!("剩 {left} 天"),
    }
}

/// Everything that counts towards the limit; none before acceptance.
pub(super) fn load(q: &dyn Query, case: CaseId) -> Result<Option<Limit>, StoreError> {
    let (accepted_on, restarted_on, working_days) = q.row(
        "SELECT accepted_on, restarted_on, limit_working_days FROM casework WHERE id = ?1",
        params![case],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )?;
    let Some(accepted_on) = accepted_on else {
        return Ok(None);
    };
    Ok(Some(Limit {
        accepted_on,
        working_days,
        suspensions: suspensions(q, case)?,
        restarted_on,
    }))
}

fn suspensions(q: &dyn Query, case: CaseId) -> Result<Vec<Suspension>, StoreError> {
    q.rows(
        "SELECT reason, suspended_on, resumed_on FROM suspension WHERE case_id = ?1 ORDER BY suspended_on, id",
        params![case],
        |row| {
            let cause: Cause = serde_json::from_value(row.get::<String>(0)?.into())
                .map_err(|error| StoreError::Value(format!("suspension.reason: {error}")))?;
            Ok(Suspension { cause, suspended_on: row.get(1)?, resumed_on: row.get(2)? })
        },
    )
}

/// Due date and whether the clock stands, as they follow from a limit's history.
fn due(limit: &Limit, today: Date) -> (Option<Date>, bool) {
    let suspended = limit
        .suspensions
        .iter()
        .any(|suspension| suspension.resumed_on.is_none());
    (
        limit.standing(Calendar::official(), today).due_on,
        suspended,
    )
}

/// Sets due date and suspension of a case that is about to be written, with the suspension that
/// begins with it.
pub(super) fn set(
    q: &dyn Query,
    case: &mut CaseRow,
    begins: Option<Suspension>,
    today: Date,
) -> Result<(), StoreError> {
    let Some(accepted_on) = case.accepted_on else {
        return Ok(());
    };
    let mut before = suspensions(q, case.id)?;
    before.extend(begins);
    let limit = Limit {
        accepted_on,
        working_days: case.limit_working_days,
        suspensions: before,
        restarted_on: case.restarted_on,
    };
    (case.due_on, case.suspended) = due(&limit, today);
    Ok(())
}

/// Writes due date and suspension of the case as they follow from its history.
pub(super) fn refresh(tx: &Tx, case: CaseId) -> Result<(), StoreError> {
    let Some(limit) = load(tx, case)? else {
        return Ok(());
    };
    let (due_on, suspended) = due(&limit, tx.today());
    tx.execute(
        "UPDATE casework SET due_on = ?2, suspended = ?3 WHERE id = ?1",
        params![case, due_on, suspended],
    )?;
    Ok(())
}
