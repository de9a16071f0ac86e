//! Where the money of each entry is now: sums and rows by outcome, for the list of payment files.
//!
//! An entry has one outcome, so the sums add up to everything on the lists that is not removed, and
//! by account they are those of the ledger.

use jiff::civil::Date;
use vocab::Fen;

use super::batch_queries::Sum;
use super::payment_queries::{FileFilter, SCOPE};
use super::queries::{Condition, part};
use super::state::{EntryState, Outcome};
use crate::access::Actor;
use crate::ids::{BatchId, CaseId, PartyId, PaymentFileId};
use crate::refusal::Result;
use crate::store::Query;

/// The outcome of `e`, an entry that is not removed.
const OUTCOME: &str = "CASE WHEN e.state = 'in-payment' THEN 'sent' WHEN e.state <> 'payable' THEN e.state \
     WHEN EXISTS (SELECT 1 FROM payment back WHERE back.batch_entry_id = e.id AND back.state = 'returned') \
     THEN 'returned' ELSE 'payable' END";

/// The payment files in which `e` stood.
const FILES: &str = "EXISTS (SELECT 1 FROM payment sent JOIN payment_file f ON f.id = sent.file_id \
     WHERE sent.batch_entry_id = e.id AND ";

/// The entries of the payment files the filter finds; of all lists where it asks for none.
fn condition(actor: &Actor, filter: &FileFilter) -> Condition {
    let mut condition = Condition::visible(actor, SCOPE);
    condition.and("e.state <> ??", EntryState::Removed.code());
    if !filter.text.is_empty() {
        let found = format!("(b.title LIKE ?? ESCAPE '!' OR {FILES}f.number LIKE ?? ESCAPE '!'))");
        condition.and(&found, part(&filter.text));
    }
    if let Some(state) = filter.state {
        condition.and(&format!("{FILES}f.state = ??)"), state.code());
    }
    condition
}

/// Count and sum of each outcome, in the order of outcomes; those without entries too.
pub(super) fn sum_outcomes(
    q: &dyn Query,
    actor: &Actor,
    filter: &FileFilter,
) -> Result<Vec<(Outcome, Sum)>> {
    let Condition { sql, values } = condition(actor, filter);
    let sql = format!(
        "SELECT o.outcome, COUNT(*), CAST(SUM(o.amount_fen) AS BIGINT) FROM \
         (SELECT {OUTCOME} AS outcome, e.amount_fen FROM batch_entry e \
         JOIN batch b ON b.id = e.batch_id WHERE {sql}) o GROUP BY o.outcome"
    );
    let found = q.rows(&sql, values, |row| {
        let sum = Sum {
            count: row.get(1)?,
            amount: row.get(2)?,
        };
        Ok((row.get::<Outcome>(0)?, sum))
    })?;
    let of = |outcome: &Outcome| {
        let sum = found.iter().find(|(it, _)| it == outcome);
        (*outcome, sum.map_or_else(Sum::default, |(_, sum)| *sum))
    };
    Ok(Outcome::ALL.iter().map(of).collect())
}

/// An entry with the last payment file it was sent in.
#[derive(Clone, Debug)]
pub(super) struct OutcomeRow {
    pub(super) batch: BatchId,
    pub(super) batch_title: String,
    pub(super) position: i64,
    pub(super) case: CaseId,
    pub(super) case_number: String,
    pub(super) party: PartyId,
    pub(super) party_name: String,
    pub(super) amount: Fen,
    pub(super) outcome: Outcome,
    pub(super) file: Option<(PaymentFileId, String, i64)>,
    pub(super) reason: Option<String>,
    pub(super) settled_on: Option<Date>,
}

/// The entries of one outcome, or of every one, the newest lists first or the largest amounts.
pub(super) fn list_outcomes(
    q: &dyn Query,
    actor: &Actor,
    filter: &FileFilter,
    outcome: Option<Outcome>,
    limit: u32,
    offset: i64,
) -> Result<Vec<OutcomeRow>> {
    let mut condition = condition(actor, filter);
    if let Some(outcome) = outcome {
        condition.and(&format!("{OUTCOME} = ??"), outcome.code());
    }
    let page = condition.page(limit, offset);
    let order = if filter.by_amount {
        "e.amount_fen DESC, b.number, e.position"
    } else {
        "b.created_at DESC, b.number DESC, e.position"
    };
    let sql = format!(
        "SELECT b.id, b.title, e.position, e.case_id, e.case_number, e.party_id, e.party_name, \
         e.amount_fen, {OUTCOME}, f.id, f.number, p.line_number, p.reason, p.settled_on \
         FROM batch_entry e JOIN batch b ON b.id = e.batch_id \
         LEFT JOIN payment p ON p.batch_entry_id = e.id AND NOT EXISTS \
         (SELECT 1 FROM payment later WHERE later.batch_entry_id = e.id AND later.id > p.id) \
         LEFT JOIN payment_file f ON f.id = p.file_id WHERE {} ORDER BY {order}{page}",
        condition.sql
    );
    Ok(q.rows(&sql, condition.values, |row| {
        let file: Option<PaymentFileId> = row.get(9)?;
        let (number, line) = (row.get::<Option<String>>(10)?, row.get::<Option<i64>>(11)?);
        Ok(OutcomeRow {
            batch: row.get(0)?,
            batch_title: row.get(1)?,
            position: row.get(2)?,
            case: row.get(3)?,
            case_number: row.get(4)?,
            party: row.get(5)?,
            party_name: row.get(6)?,
            amount: row.get(7)?,
            outcome: row.get(8)?,
            file: file.map(|id| (id, number.unwrap_or_default(), line.unwrap_or_default())),
            reason: row.get(12)?,
            settled_on: row.get(13)?,
        })
    })?)
}
