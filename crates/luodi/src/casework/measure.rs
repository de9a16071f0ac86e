//! Figures over other cases that the checks of an item ask for, such as the mean yield of a
//! county's quarter: Σ numerator ÷ Σ denominator of the cases of one group. Each case keeps its own
//! part in `case_measure`; a case that ended without money no longer counts, its row stays.

use policy::feel::Context;

use super::queries::CaseRow;
use crate::form::{Values, number_value};
use crate::ids::CaseId;
use crate::item::{Package, Statistic};
use crate::params;
use crate::refusal::Result;
use crate::store::{Query, Tx};
use vocab::RegionCode;

const TABLE: &str = "case_measure";

/// What the cases of one group have in common, as text; the unit separator stands between parts.
fn group_key(statistic: &Statistic, region: RegionCode, values: &Values) -> String {
    let parts = statistic.within.iter().map(|within| {
        if within == "region" {
            region.to_string()
        } else {
            values.text(within).to_owned()
        }
    });
    parts.collect::<Vec<_>>().join("\u{1f}")
}

/// Keeps what this case adds to each statistic, for the first time or `again`. Values that are
/// missing or not positive count for nothing.
pub(super) fn keep(
    tx: &Tx,
    package: &Package,
    case: &CaseRow,
    values: &Values,
    again: bool,
) -> Result<()> {
    for statistic in package.statistics() {
        tx.part(TABLE, case.id.0);
        let number = |key: &str| values.text(key).parse::<f64>().unwrap_or(0.0);
        let (numerator, denominator) =
            (number(&statistic.numerator), number(&statistic.denominator));
        let row = params![
            case.id,
            statistic.name.as_str(),
            group_key(statistic, case.region, values),
            numerator,
            denominator,
            numerator > 0.0 && denominator > 0.0,
            case.item
        ];
        let kept = again
            && tx.execute(
                "UPDATE case_measure SET group_key = ?3, numerator = ?4, denominator = ?5, \
                 counts = ?6, item_id = ?7 WHERE case_id = ?1 AND statistic = ?2",
                &row,
            )? > 0;
        if !kept {
            tx.execute(
                "INSERT INTO case_measure (case_id, statistic, group_key, numerator, denominator, \
                 counts, item_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                &row,
            )?;
        }
    }
    Ok(())
}

/// A case that ended without money is no measure for others.
pub(super) fn leave_out(tx: &Tx, case: CaseId) -> Result<()> {
    let changed = tx.execute(
        "UPDATE case_measure SET counts = 0 WHERE case_id = ?1",
        params![case],
    )?;
    if changed > 0 {
        tx.part(TABLE, case.0);
    }
    Ok(())
}

/// Adds the statistics of the case's groups to the context, the case itself left out. One with
/// fewer other cases than it asks for stays null.
pub(super) fn add(
    q: &dyn Query,
    package: &Package,
    case: &CaseRow,
    values: &Values,
    context: &mut Context,
) -> Result<()> {
    for statistic in package.statistics() {
        let (count, numerator, denominator) = q.row(
            "SELECT COUNT(*), COALESCE(SUM(numerator), 0.0), COALESCE(SUM(denominator), 0.0) \
             FROM case_measure WHERE item_id = ?1 AND statistic = ?2 AND group_key = ?3 \
             AND counts = 1 AND case_id <> ?4",
            params![
                case.item,
                statistic.name.as_str(),
                group_key(statistic, case.region, values),
                case.id
            ],
            |row| Ok((row.get::<u32>(0)?, row.get::<f64>(1)?, row.get::<f64>(2)?)),
        )?;
        if count >= statistic.at_least && denominator > 0.0 {
            context.insert(
                statistic.name.as_str(),
                number_value(numerator / denominator),
            );
        }
    }
    Ok(())
}
