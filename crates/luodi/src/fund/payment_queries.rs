//! Read models of payment files, payments and replies, and what other domains ask about money.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff::civil::Date;
use uuid::Uuid;
use vocab::{Fen, RegionCode};

use super::batch_queries::Sum;
use super::queries::{Condition, part};
use super::state::{BatchState, EntryState, FileState, PaymentState};
use crate::access::{Actor, Scope, ScopeColumns, may_see};
use crate::ids::{
    AccountId, BatchEntryId, BatchId, BudgetLineId, CaseId, DepartmentId, PartyId, PaymentFileId,
    PaymentId,
};
use crate::params;
use crate::refusal::{Refusal, Result};
use crate::store::{Query, Row, StoreError};

/// A payment file; its body stays sealed.
#[derive(Clone, Debug)]
pub struct FileRow {
    /// Its id.
    pub id: PaymentFileId,
    /// 文件编号.
    pub number: String,
    /// The batch it pays.
    pub batch: BatchId,
    /// The batch's title.
    pub batch_title: String,
    /// The budget line the batch draws on.
    pub line: BudgetLineId,
    /// Region.
    pub region: RegionCode,
    /// Department.
    pub department: DepartmentId,
    /// 笔数.
    pub line_count: i64,
    /// 总金额.
    pub total: Fen,
    /// SHA-256 of its payment lines.
    pub sha256: String,
    /// Where it stands.
    pub state: FileState,
    /// Who made it.
    pub created_by: AccountId,
    /// When.
    pub created_at: Timestamp,
    /// Version.
    pub version: i64,
}

const FILE: &str = "f.id, f.number, f.batch_id, b.title, b.budget_line_id, b.region_code, b.department_id, \
     f.line_count, f.total_fen, f.sha256, f.state, f.created_by, f.created_at, f.version";
const FROM: &str = "FROM payment_file f JOIN batch b ON b.id = f.batch_id";

fn file_row(row: &Row<'_>) -> Result<FileRow, StoreError> {
    Ok(FileRow {
        id: row.get(0)?,
        number: row.get(1)?,
        batch: row.get(2)?,
        batch_title: row.get(3)?,
        line: row.get(4)?,
        region: row.get(5)?,
        department: row.get(6)?,
        line_count: row.get(7)?,
        total: row.get(8)?,
        sha256: row.get(9)?,
        state: row.get(10)?,
        created_by: row.get(11)?,
        created_at: row.get(12)?,
        version: row.get(13)?,
    })
}

/// The payment file, if the actor may see it.
///
/// # Errors
/// Refused as not found.
pub fn find_file(q: &dyn Query, actor: &Actor, id: PaymentFileId) -> Result<FileRow> {
    let found = q.row_opt(
        &format!("SELECT {FILE} {FROM} WHERE f.id = ?1"),
        params![id],
        file_row,
    )?;
    let seen = found.filter(|file| {
        may_see(
            actor,
            &Scope {
                region: file.region,
                department: Some(file.department),
                party: None,
            },
        )
    });
    let message = "没有这个支付文件，或者您无权查看。请从「资金」重新进入。";
    Ok(seen.ok_or_else(|| Refusal::not_found(message))?)
}

/// The payment files of a batch, oldest first; the caller has found the batch.
pub(super) fn files_of(q: &dyn Query, batch: BatchId) -> Result<Vec<FileRow>> {
    let sql = format!("SELECT {FILE} {FROM} WHERE f.batch_id = ?1 ORDER BY f.created_at, f.number");
    Ok(q.rows(&sql, params![batch], file_row)?)
}

/// The newest payment file of a batch, whoever asks: for who made it just now.
///
/// # Errors
/// A fault of the store.
pub fn last_file_of(q: &dyn Query, batch: BatchId) -> Result<Option<FileRow>> {
    Ok(files_of(q, batch)?.pop())
}

/// What the list of payment files is narrowed by.
#[derive(Clone, Debug, Default)]
pub struct FileFilter {
    /// A part of the number or of the batch's title.
    pub text: String,
    /// Only this state.
    pub state: Option<FileState>,
    /// The largest first; else the newest.
    pub by_amount: bool,
}

pub(super) const SCOPE: ScopeColumns = ScopeColumns {
    region: "b.region_code",
    department: Some("b.department_id"),
    party: None,
};

impl FileFilter {
    fn condition(&self, actor: &Actor) -> Condition {
        let mut condition = Condition::visible(actor, SCOPE);
        if !self.text.is_empty() {
            condition.and(
                "(f.number LIKE ?? ESCAPE '!' OR b.title LIKE ?? ESCAPE '!')",
                part(&self.text),
            );
        }
        if let Some(state) = self.state {
            condition.and("f.state = ??", state.code());
        }
        condition
    }
}

/// How many payment files the filter finds, and their total.
pub(super) fn count_files(q: &dyn Query, actor: &Actor, filter: &FileFilter) -> Result<Sum> {
    let Condition { sql, values } = filter.condition(actor);
    let sql = format!(
        "SELECT COUNT(*), CAST(COALESCE(SUM(f.total_fen), 0) AS BIGINT) {FROM} WHERE {sql}"
    );
    Ok(q.row(&sql, values, |row| {
        Ok(Sum {
            count: row.get(0)?,
            amount: row.get(1)?,
        })
    })?)
}

/// The payment files the filter finds, the newest first.
pub(super) fn list_files(
    q: &dyn Query,
    actor: &Actor,
    filter: &FileFilter,
    limit: u32,
    offset: i64,
) -> Result<Vec<FileRow>> {
    let mut condition = filter.condition(actor);
    let page = condition.page(limit, offset);
    let order = if filter.by_amount {
        "f.total_fen DESC, f.number"
    } else {
        "f.created_at DESC, f.number DESC"
    };
    let sql = format!(
        "SELECT {FILE} {FROM} WHERE {} ORDER BY {order}{page}",
        condition.sql
    );
    Ok(q.rows(&sql, condition.values, file_row)?)
}

/// A line of a payment file.
#[derive(Clone, Debug)]
pub struct PaymentRow {
    /// Its id.
    pub id: PaymentId,
    /// 行号.
    pub line_number: i64,
    /// The entry it pays.
    pub entry: BatchEntryId,
    /// The case.
    pub case: CaseId,
    /// The case's number.
    pub case_number: String,
    /// The beneficiary.
    pub party: PartyId,
    /// The beneficiary's name.
    pub party_name: String,
    /// The case's title.
    pub title: String,
    /// The amount.
    pub amount: Fen,
    /// Where it stands.
    pub state: PaymentState,
    /// Why it came back.
    pub reason: Option<String>,
    /// The day the bank paid or returned it.
    pub settled_on: Option<Date>,
    /// Version.
    pub version: i64,
}

/// The lines of a payment file in their order; the caller has found the file.
pub(super) fn payments_of(q: &dyn Query, file: PaymentFileId) -> Result<Vec<PaymentRow>> {
    Ok(q.rows(
        "SELECT p.id, p.line_number, p.batch_entry_id, e.case_id, e.case_number, e.party_id, \
         e.party_name, p.amount_fen, p.state, p.reason, p.settled_on, p.version, e.title \
         FROM payment p JOIN batch_entry e ON e.id = p.batch_entry_id \
         WHERE p.file_id = ?1 ORDER BY p.line_number",
        params![file],
        |row| {
            Ok(PaymentRow {
                id: row.get(0)?,
                line_number: row.get(1)?,
                entry: row.get(2)?,
                case: row.get(3)?,
                case_number: row.get(4)?,
                party: row.get(5)?,
                party_name: row.get(6)?,
                amount: row.get(7)?,
                state: row.get(8)?,
                reason: row.get(9)?,
                settled_on: row.get(10)?,
                version: row.get(11)?,
                title: row.get(12)?,
            })
        },
    )?)
}

/// A reply of the bank as it was taken in.
#[derive(Clone, Debug)]
pub struct ReplyRow {
    /// Its id.
    pub id: Uuid,
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// Paid lines.
    pub paid: Sum,
    /// Returned lines.
    pub returned: Sum,
    /// Who took it in.
    pub received_by: String,
    /// When.
    pub received_at: Timestamp,
}

/// The replies to a payment file, oldest first; the caller has found the file.
pub(super) fn replies_of(q: &dyn Query, file: PaymentFileId) -> Result<Vec<ReplyRow>> {
    Ok(q.rows(
        "SELECT id, sha256, paid_count, paid_fen, returned_count, returned_fen, received_by, received_at \
         FROM bank_reply WHERE file_id = ?1 ORDER BY received_at, id",
        params![file],
        |row| {
            Ok(ReplyRow {
                id: row.get(0)?,
                sha256: row.get(1)?,
                paid: Sum { count: row.get(2)?, amount: row.get(3)? },
                returned: Sum { count: row.get(4)?, amount: row.get(5)? },
                received_by: row.get(6)?,
                received_at: row.get(7)?,
            })
        },
    )?)
}

/// The money of a case, for the case's page.
#[derive(Clone, Debug)]
pub struct CaseMoney {
    /// The batch.
    pub batch: BatchId,
    /// Its title.
    pub batch_title: String,
    /// Where the batch stands.
    pub batch_state: BatchState,
    /// Where the entry stands.
    pub state: EntryState,
    /// That in words, with why it is held or was removed.
    pub state_words: String,
    /// The amount.
    pub amount: Fen,
    /// Its payments, oldest first.
    pub payments: Vec<CasePayment>,
}

impl CaseMoney {
    /// Why the bank returned the money that still waits to be paid; empty where it did not say.
    pub fn returned(&self) -> Option<&str> {
        let last = self.payments.last()?;
        let waits = self.state == EntryState::Payable && last.state == PaymentState::Returned;
        waits.then(|| last.reason.as_deref().unwrap_or_default())
    }
}

/// A payment of a case.
#[derive(Clone, Debug)]
pub struct CasePayment {
    /// The payment file.
    pub file: PaymentFileId,
    /// 文件编号.
    pub file_number: String,
    /// When the file was made.
    pub sent_at: Timestamp,
    /// That it is paid, on its way or came back, in words.
    pub state_words: &'static str,
    /// Where it stands.
    pub state: PaymentState,
    /// Why it came back.
    pub reason: Option<String>,
    /// The day the bank paid or returned it.
    pub settled_on: Option<Date>,
}

/// The batch, the state and the payments of a case; none before it entered a batch. The caller has
/// checked that the case may be seen.
///
/// # Errors
/// A fault of the store.
pub fn of_case(q: &dyn Query, case: CaseId) -> Result<Option<CaseMoney>> {
    let found = q.row_opt(
        "SELECT e.id, e.batch_id, b.title, b.state, e.state, e.held_why, e.removed_why, e.amount_fen \
         FROM batch_entry e JOIN batch b ON b.id = e.batch_id WHERE e.case_id = ?1 \
         ORDER BY b.created_at DESC, b.number DESC LIMIT 1",
        params![case],
        |row| {
            let state: EntryState = row.get(4)?;
            let why = row.get::<Option<String>>(5)?.map(|why| format!("暂缓：{why}"));
            let why = why.or(row.get::<Option<String>>(6)?);
            let money = CaseMoney {
                batch: row.get(1)?,
                batch_title: row.get(2)?,
                batch_state: row.get(3)?,
                state,
                state_words: why.map_or_else(|| state.zh().to_owned(), |why| format!("{}（{why}）", state.zh())),
                amount: row.get(7)?,
                payments: Vec::new(),
            };
            Ok((row.get::<BatchEntryId>(0)?, money))
        },
    )?;
    let Some((entry, mut money)) = found else {
        return Ok(None);
    };
    money.payments = q.rows(
        "SELECT f.id, f.number, f.created_at, p.state, p.reason, p.settled_on FROM payment p \
         JOIN payment_file f ON f.id = p.file_id WHERE p.batch_entry_id = ?1 ORDER BY f.created_at, f.number",
        params![entry],
        |row| {
            let state: PaymentState = row.get(3)?;
            Ok(CasePayment {
                file: row.get(0)?,
                file_number: row.get(1)?,
                sent_at: row.get(2)?,
                state_words: state.zh(),
                state,
                reason: row.get(4)?,
                settled_on: row.get(5)?,
            })
        },
    )?;
    Ok(Some(money))
}

/// The beneficiaries of a batch whose money the bank returned and who are still to be paid.
///
/// # Errors
/// A fault of the store.
pub fn returned_parties(q: &dyn Query, batch: BatchId) -> Result<Vec<PartyId>> {
    Ok(q.rows(
        "SELECT DISTINCT e.party_id FROM batch_entry e JOIN payment p ON p.batch_entry_id = e.id \
         WHERE e.batch_id = ?1 AND e.state = ?2 AND p.state = ?3 ORDER BY e.party_id",
        params![
            batch,
            EntryState::Payable.code(),
            PaymentState::Returned.code()
        ],
        |row| row.get(0),
    )?)
}

/// A case of a party whose money the bank returned, and which waits for another account.
#[derive(Clone, Debug)]
pub struct Returned {
    /// The case.
    pub case: CaseId,
    /// Its number.
    pub number: String,
    /// Its title.
    pub title: String,
    /// Why the bank returned it; empty where it did not say.
    pub reason: String,
}

/// What the bank returned to a party and what is still to be paid, the oldest first; once for each
/// case, with the last reason. The caller has checked that the party may be seen.
///
/// # Errors
/// A fault of the store.
pub fn returned_to(q: &dyn Query, party: PartyId) -> Result<Vec<Returned>> {
    Ok(q.rows(
        "SELECT e.case_id, e.case_number, e.title, p.reason FROM batch_entry e \
         JOIN payment p ON p.batch_entry_id = e.id \
         WHERE e.party_id = ?1 AND e.state = ?2 AND p.state = ?3 AND NOT EXISTS \
         (SELECT 1 FROM payment later WHERE later.batch_entry_id = e.id AND later.id > p.id) \
         ORDER BY e.case_number",
        params![
            party,
            EntryState::Payable.code(),
            PaymentState::Returned.code()
        ],
        |row| {
            Ok(Returned {
                case: row.get(0)?,
                number: row.get(1)?,
                title: row.get(2)?,
                reason: row.get::<Option<String>>(3)?.unwrap_or_default(),
            })
        },
    )?)
}

/// The entries of a batch that the bank returned and that are still to be paid, with its reason.
///
/// # Errors
/// A fault of the store.
pub(super) fn returned_in(q: &dyn Query, batch: BatchId) -> Result<HashMap<BatchEntryId, String>> {
    let rows = q.rows(
        "SELECT e.id, p.reason FROM batch_entry e JOIN payment p ON p.batch_entry_id = e.id \
         WHERE e.batch_id = ?1 AND e.state = ?2 AND p.state = ?3 AND NOT EXISTS \
         (SELECT 1 FROM payment later WHERE later.batch_entry_id = e.id AND later.id > p.id)",
        params![
            batch,
            EntryState::Payable.code(),
            PaymentState::Returned.code()
        ],
        |row| {
            let reason = row.get::<Option<String>>(1)?.unwrap_or_default();
            Ok((row.get::<BatchEntryId>(0)?, reason))
        },
    )?;
    Ok(rows.into_iter().collect())
}

/// How often and how much a party was paid by those whose batches the actor may see; an applicant
/// sees all of his own. The caller has checked that the party may be seen.
///
/// # Errors
/// A fault of the store.
pub fn received_by(q: &dyn Query, actor: &Actor, party: PartyId) -> Result<(u64, Fen)> {
    let mut condition = match actor.party {
        Some(_) => Condition {
            sql: "1 = 1".to_owned(),
            values: Vec::new(),
        },
        None => Condition::visible(actor, SCOPE),
    };
    condition.and("e.party_id = ??", party);
    let sql = format!(
        "SELECT COUNT(*), CAST(COALESCE(SUM(e.amount_fen), 0) AS BIGINT) FROM batch_entry e \
         JOIN batch b ON b.id = e.batch_id WHERE e.state = 'paid' AND {}",
        condition.sql
    );
    Ok(q.row(&sql, condition.values, |row| Ok((row.get(0)?, row.get(1)?)))?)
}
