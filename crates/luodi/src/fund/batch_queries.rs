//! Read models of batches and their entries. What the ledger says of a batch is asked of the
//! postings, so that a page can show both and that they agree.

use jiff::Timestamp;
use ledger::AccountKind;
use vocab::{Fen, RegionCode};

use super::queries::{Condition, part};
use super::state::{BatchState, EntryState};
use crate::access::{Actor, Scope, ScopeColumns, may_see};
use crate::ids::{
    AccountId, BatchEntryId, BatchId, BudgetLineId, CaseId, DepartmentId, ItemId, PartyId,
};
use crate::params;
use crate::refusal::{Refusal, Result};
use crate::store::{Query, Row, StoreError};

/// A batch.
#[derive(Clone, Debug)]
pub struct BatchRow {
    /// Its id.
    pub id: BatchId,
    /// Number shown to people.
    pub number: String,
    /// The item.
    pub item: ItemId,
    /// Region.
    pub region: RegionCode,
    /// The department that decides.
    pub department: DepartmentId,
    /// Its period, such as 2026Q3.
    pub period: String,
    /// Title of its list.
    pub title: String,
    /// Where it stands.
    pub state: BatchState,
    /// The budget line it draws on.
    pub line: BudgetLineId,
    /// Who made it.
    pub created_by: AccountId,
    /// When.
    pub created_at: Timestamp,
    /// Made up for a demonstration.
    pub demo: bool,
    /// Version.
    pub version: i64,
}

impl BatchRow {
    /// Where the batch belongs.
    pub fn scope(&self) -> Scope {
        Scope {
            region: self.region,
            department: Some(self.department),
            party: None,
        }
    }
}

const BATCH: &str = "b.id, b.number, b.item_id, b.region_code, b.department_id, b.period, b.title, \
     b.state, b.budget_line_id, b.created_by, b.created_at, b.demo, b.version";

fn batch_row(row: &Row<'_>) -> Result<BatchRow, StoreError> {
    Ok(BatchRow {
        id: row.get(0)?,
        number: row.get(1)?,
        item: row.get(2)?,
        region: row.get(3)?,
        department: row.get(4)?,
        period: row.get(5)?,
        title: row.get(6)?,
        state: row.get(7)?,
        line: row.get(8)?,
        created_by: row.get(9)?,
        created_at: row.get(10)?,
        demo: row.get(11)?,
        version: row.get(12)?,
    })
}

/// The batch, if the actor may see it.
///
/// # Errors
/// Refused as not found.
pub fn find_batch(q: &dyn Query, actor: &Actor, id: BatchId) -> Result<BatchRow> {
    let found = load_batch(q, id)?;
    if may_see(actor, &found.scope()) {
        Ok(found)
    } else {
        Err(no_batch().into())
    }
}

/// The batch, whoever asks: for commands that check permission themselves.
pub(super) fn load_batch(q: &dyn Query, id: BatchId) -> Result<BatchRow> {
    let sql = format!("SELECT {BATCH} FROM batch b WHERE b.id = ?1");
    Ok(q.row_opt(&sql, params![id], batch_row)?
        .ok_or_else(no_batch)?)
}

fn no_batch() -> Refusal {
    Refusal::not_found("没有这个批次，或者您无权查看。请从批次列表重新进入。")
}

/// An entry of a batch: one beneficiary's line.
#[derive(Clone, Debug)]
pub struct EntryRow {
    /// Its id.
    pub id: BatchEntryId,
    /// The batch.
    pub batch: BatchId,
    /// Its place in the list, from 1.
    pub position: i64,
    /// The case.
    pub case: CaseId,
    /// The case's number.
    pub case_number: String,
    /// The beneficiary.
    pub party: PartyId,
    /// `enterprise` or `person`.
    pub party_kind: String,
    /// The beneficiary's name when the list was made, unmasked.
    pub party_name: String,
    /// The case's title.
    pub title: String,
    /// The amount.
    pub amount: Fen,
    /// Where it stands.
    pub state: EntryState,
    /// Why it is held.
    pub held_why: Option<String>,
    /// Why it was removed.
    pub removed_why: Option<String>,
    /// Version.
    pub version: i64,
}

const ENTRY: &str = "e.id, e.batch_id, e.position, e.case_id, e.case_number, e.party_id, e.party_kind, \
     e.party_name, e.title, e.amount_fen, e.state, e.held_why, e.removed_why, e.version";

fn entry_row(row: &Row<'_>) -> Result<EntryRow, StoreError> {
    Ok(EntryRow {
        id: row.get(0)?,
        batch: row.get(1)?,
        position: row.get(2)?,
        case: row.get(3)?,
        case_number: row.get(4)?,
        party: row.get(5)?,
        party_kind: row.get(6)?,
        party_name: row.get(7)?,
        title: row.get(8)?,
        amount: row.get(9)?,
        state: row.get(10)?,
        held_why: row.get(11)?,
        removed_why: row.get(12)?,
        version: row.get(13)?,
    })
}

/// Every entry of a batch in its order; the caller has found the batch.
pub(super) fn entries_of(q: &dyn Query, batch: BatchId) -> Result<Vec<EntryRow>> {
    let sql =
        format!("SELECT {ENTRY} FROM batch_entry e WHERE e.batch_id = ?1 ORDER BY e.position");
    Ok(q.rows(&sql, params![batch], entry_row)?)
}

/// One entry, whoever asks.
pub(super) fn load_entry(q: &dyn Query, id: BatchEntryId) -> Result<EntryRow> {
    let sql = format!("SELECT {ENTRY} FROM batch_entry e WHERE e.id = ?1");
    let found = q.row_opt(&sql, params![id], entry_row)?;
    Ok(found.ok_or_else(|| Refusal::not_found("名单中没有这一项。请从批次列表重新进入。"))?)
}

/// Count and sum of the entries of a batch in one state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// How many.
    pub count: u64,
    /// Their amounts.
    pub amount: Fen,
}

/// A batch as lists show it.
#[derive(Clone, Debug)]
pub struct ListedBatch {
    /// The batch.
    pub batch: BatchRow,
    /// Everybody on the list.
    pub listed: Sum,
    /// Of these, paid.
    pub paid: Sum,
    /// Of these, held by an objection.
    pub held: u64,
}

/// What the list of batches is narrowed by.
#[derive(Clone, Debug, Default)]
pub struct BatchFilter {
    /// A part of number or title.
    pub text: String,
    /// Only this state.
    pub state: Option<BatchState>,
    /// Only this period.
    pub period: String,
    /// `amount` (largest first), else the newest first.
    pub sort: String,
}

const SCOPE: ScopeColumns = ScopeColumns {
    region: "b.region_code",
    department: Some("b.department_id"),
    party: None,
};

impl BatchFilter {
    fn condition(&self, actor: &Actor) -> Condition {
        let mut condition = Condition::visible(actor, SCOPE);
        if !self.text.is_empty() {
            condition.and(
                "(b.number LIKE ?? ESCAPE '!' OR b.title LIKE ?? ESCAPE '!')",
                part(&self.text),
            );
        }
        if let Some(state) = self.state {
            condition.and("b.state = ??", state.code());
        }
        if !self.period.is_empty() {
            condition.and("b.period = ??", self.period.as_str());
        }
        condition
    }
}

/// How many batches there are in the whole installation.
///
/// # Errors
/// A fault of the store.
pub fn count_batches(q: &dyn Query) -> Result<u64, StoreError> {
    q.row("SELECT COUNT(*) FROM batch", params![], |row| row.get(0))
}

/// How many batches of each state the filter finds, its own state left out.
pub(super) fn count_by_state(
    q: &dyn Query,
    actor: &Actor,
    filter: &BatchFilter,
) -> Result<Vec<(BatchState, u64)>> {
    let every = BatchFilter {
        state: None,
        ..filter.clone()
    };
    let Condition { sql, values } = every.condition(actor);
    let sql = format!("SELECT b.state, COUNT(*) FROM batch b WHERE {sql} GROUP BY b.state");
    Ok(q.rows(&sql, values, |row| Ok((row.get(0)?, row.get(1)?)))?)
}

/// The batches the filter finds, in its order.
pub(super) fn list_batches(
    q: &dyn Query,
    actor: &Actor,
    filter: &BatchFilter,
    limit: u32,
    offset: i64,
) -> Result<Vec<ListedBatch>> {
    let mut condition = filter.condition(actor);
    let page = condition.page(limit, offset);
    let order = match filter.sort.as_str() {
        "amount" => "15 DESC, b.number",
        _ => "b.created_at DESC, b.number DESC",
    };
    let sql = format!(
        "SELECT {BATCH}, \
         CAST(COALESCE(SUM(CASE WHEN e.state <> 'removed' THEN 1 ELSE 0 END), 0) AS BIGINT), \
         CAST(COALESCE(SUM(CASE WHEN e.state <> 'removed' THEN e.amount_fen ELSE 0 END), 0) AS BIGINT), \
         CAST(COALESCE(SUM(CASE WHEN e.state = 'paid' THEN 1 ELSE 0 END), 0) AS BIGINT), \
         CAST(COALESCE(SUM(CASE WHEN e.state = 'paid' THEN e.amount_fen ELSE 0 END), 0) AS BIGINT), \
         CAST(COALESCE(SUM(CASE WHEN e.held_why IS NOT NULL THEN 1 ELSE 0 END), 0) AS BIGINT) \
         FROM batch b LEFT JOIN batch_entry e ON e.batch_id = b.id WHERE {} \
         GROUP BY {BATCH} ORDER BY {order}{page}",
        condition.sql
    );
    Ok(q.rows(&sql, condition.values, |row| {
        Ok(ListedBatch {
            batch: batch_row(row)?,
            listed: Sum {
                count: row.get(13)?,
                amount: row.get(14)?,
            },
            paid: Sum {
                count: row.get(15)?,
                amount: row.get(16)?,
            },
            held: row.get(17)?,
        })
    })?)
}

/// Count and sum of entries by state, in the order of states; states without entries too.
pub(super) fn sums(entries: &[EntryRow]) -> Vec<(EntryState, Sum)> {
    let sum = |state: EntryState| {
        let of = entries.iter().filter(|entry| entry.state == state);
        let (count, amount) = of.fold((0, Fen::ZERO), |(count, sum), entry| {
            (count + 1, sum + entry.amount)
        });
        (state, Sum { count, amount })
    };
    EntryState::ALL.iter().copied().map(sum).collect()
}

/// What the ledger has on each account for the entries of a batch and their payments.
pub(super) fn booked(q: &dyn Query, batch: BatchId) -> Result<Vec<(AccountKind, Fen)>> {
    let rows = q.rows(
        "SELECT p.account, CAST(SUM(p.debit_fen - p.credit_fen) AS BIGINT) FROM (\
         SELECT e.id AS subject FROM batch_entry e WHERE e.batch_id = ?1 \
         UNION ALL \
         SELECT y.id AS subject FROM batch_entry e JOIN payment y ON y.batch_entry_id = e.id \
         WHERE e.batch_id = ?1) s \
         JOIN ledger_entry l ON l.subject_id = s.subject JOIN posting p ON p.entry_id = l.id \
         GROUP BY p.account",
        params![batch],
        |row| {
            Ok((
                super::journal::account_kind(&row.get::<String>(0)?)?,
                row.get::<Fen>(1)?,
            ))
        },
    )?;
    Ok(rows)
}

/// Whether the sums of a batch's entries are those of the ledger, to the fen.
pub(super) fn agrees(sums: &[(EntryState, Sum)], booked: &[(AccountKind, Fen)]) -> bool {
    let on = |kind| {
        booked
            .iter()
            .find(|(found, _)| *found == kind)
            .map_or(Fen::ZERO, |(_, fen)| *fen)
    };
    let placed = |(state, sum): &(EntryState, Sum)| {
        state.account().is_none_or(|kind| on(kind) == sum.amount)
    };
    let live = Fen::checked_sum(
        sums.iter()
            .filter(|(state, _)| state.account().is_some())
            .map(|(_, sum)| sum.amount),
    );
    sums.iter().all(placed) && live.is_some_and(|live| on(AccountKind::Available) == -live)
}
