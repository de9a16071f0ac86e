//! Read models of notices: one notice with its lines, lists for the public and for other pages.
//! Everything here is public; what is not is in `desk_queries`.

use std::collections::HashSet;

use jiff::Timestamp;
use jiff::ToSpan;
use jiff::civil::Date;
use vocab::{Fen, RegionCode};

use super::{Channel, NoticeState, SEARCHABLE_YEARS};
use crate::access::{Scope, code_range};
use crate::fund;
use crate::ids::{
    AccountId, BatchEntryId, BatchId, CaseId, DepartmentId, NoticeEntryId, NoticeId, PartyId,
};
use crate::params;
use crate::refusal::{Refusal, Result};
use crate::store::{Query, Row, StoreError, Value, holding};

/// A notice as its row holds it.
#[derive(Clone, Debug)]
pub struct Notice {
    /// Id.
    pub id: NoticeId,
    /// Number of the paper: 永发改公示〔2026〕3号.
    pub number: String,
    /// The batch it shows.
    pub batch: BatchId,
    /// Region.
    pub region: RegionCode,
    /// Department that publishes it.
    pub department: DepartmentId,
    /// Title.
    pub title: String,
    /// The legal basis in words.
    pub basis: String,
    /// Where objections go besides the web.
    pub channel: Channel,
    /// Day of publication.
    pub starts_on: Date,
    /// Last day, over at 24:00.
    pub ends_on: Date,
    /// Open or ended.
    pub state: NoticeState,
    /// Who published it and masked its names.
    pub published_by: AccountId,
    /// When.
    pub published_at: Timestamp,
    /// When it was ended.
    pub ended_at: Option<Timestamp>,
    /// Made by the demonstration.
    pub demo: bool,
    /// Version.
    pub version: i64,
}

impl Notice {
    /// Whether objections are taken on this day.
    pub fn is_open(&self, today: Date) -> bool {
        self.state == NoticeState::Open && today <= self.ends_on
    }

    /// Days left after today; none once the period is over.
    pub fn days_left(&self, today: Date) -> Option<i32> {
        let left = today.until(self.ends_on).map_or(-1, |span| span.get_days());
        (self.state == NoticeState::Open && left >= 0).then_some(left)
    }

    /// Whether search engines are told to forget it.
    pub fn is_hidden_from_search(&self, today: Date) -> bool {
        let until = self.ends_on.checked_add(SEARCHABLE_YEARS.years());
        until.is_ok_and(|until| today > until)
    }

    /// Where it belongs.
    pub fn scope(&self) -> Scope {
        Scope {
            region: self.region,
            department: Some(self.department),
            party: None,
        }
    }
}

const COLUMNS: &str = "n.id, n.number, n.batch_id, n.region_code, n.department_id, n.title, n.basis, \
     n.channel, n.starts_on, n.ends_on, n.state, n.published_by, n.published_at, n.ended_at, n.demo, \
     n.version";

fn read_notice(row: &Row<'_>) -> Result<Notice, StoreError> {
    let state: String = row.get(10)?;
    let channel: serde_json::Value = row.get(7)?;
    Ok(Notice {
        id: row.get(0)?,
        number: row.get(1)?,
        batch: row.get(2)?,
        region: row.get(3)?,
        department: row.get(4)?,
        title: row.get(5)?,
        basis: row.get(6)?,
        channel: serde_json::from_value(channel)
            .map_err(|error| StoreError::Value(format!("notice.channel: {error}")))?,
        starts_on: row.get(8)?,
        ends_on: row.get(9)?,
        state: NoticeState::from_code(&state)
            .ok_or_else(|| StoreError::Value(format!("notice.state: {state}")))?,
        published_by: row.get(11)?,
        published_at: row.get(12)?,
        ended_at: row.get(13)?,
        demo: row.get(14)?,
        version: row.get(15)?,
    })
}

/// A notice; public.
///
/// # Errors
/// Refused as not found.
pub fn find(q: &dyn Query, id: NoticeId) -> Result<Notice> {
    let sql = format!("SELECT {COLUMNS} FROM notice n WHERE n.id = ?1");
    let found = q.row_opt(&sql, params![id], read_notice)?;
    found.ok_or_else(|| Refusal::not_found("没有这个公示，请从公示列表重新进入。").into())
}

/// The notice that shows a batch, the latest where there are several.
///
/// # Errors
/// A fault of the store.
pub fn of_batch(q: &dyn Query, batch: BatchId) -> Result<Option<Notice>, StoreError> {
    let sql =
        format!("SELECT {COLUMNS} FROM notice n WHERE n.batch_id = ?1 ORDER BY n.id DESC LIMIT 1");
    q.row_opt(&sql, params![batch], read_notice)
}

/// The department's last notice: what it says of basis and channel is offered for the next.
pub(super) fn last_of(
    q: &dyn Query,
    department: DepartmentId,
) -> Result<Option<Notice>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM notice n WHERE n.department_id = ?1 ORDER BY n.id DESC LIMIT 1"
    );
    q.row_opt(&sql, params![department], read_notice)
}

/// One beneficiary's line. The name is masked where it is a natural person's.
#[derive(Clone, Debug)]
pub struct Line {
    /// Id.
    pub id: NoticeEntryId,
    /// Place, from 1.
    pub position: u32,
    /// The line of the batch, which holds the name as it is.
    pub batch_entry: BatchEntryId,
    /// The case.
    pub case: CaseId,
    /// The beneficiary.
    pub party: PartyId,
    /// The name shown.
    pub name: String,
    /// What it is for.
    pub summary: String,
    /// How much.
    pub amount: Fen,
}

const LINE_COLUMNS: &str =
    "id, position, batch_entry_id, case_id, party_id, masked_name, summary, amount_fen";

fn read_line(row: &Row<'_>) -> Result<Line, StoreError> {
    Ok(Line {
        id: row.get(0)?,
        position: row.get(1)?,
        batch_entry: row.get(2)?,
        case: row.get(3)?,
        party: row.get(4)?,
        name: row.get(5)?,
        summary: row.get(6)?,
        amount: row.get(7)?,
    })
}

/// The lines of a notice in their order.
///
/// # Errors
/// A fault of the store.
pub fn lines(q: &dyn Query, notice: NoticeId) -> Result<Vec<Line>, StoreError> {
    let sql =
        format!("SELECT {LINE_COLUMNS} FROM notice_entry WHERE notice_id = ?1 ORDER BY position");
    q.rows(&sql, params![notice], read_line)
}

/// One line of a notice.
///
/// # Errors
/// Refused as not found where the notice has no such line.
pub fn line(q: &dyn Query, notice: NoticeId, id: NoticeEntryId) -> Result<Line> {
    let sql = format!("SELECT {LINE_COLUMNS} FROM notice_entry WHERE id = ?1 AND notice_id = ?2");
    let found = q.row_opt(&sql, params![id, notice], read_line)?;
    found.ok_or_else(|| Refusal::not_found("公示名单中没有这一项，请从公示页面重新选择。").into())
}

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineState {
    /// On the list, and no objection is open.
    Clear,
    /// An objection is open.
    Held,
    /// Taken off the list.
    Removed,
}

/// The entries still on the list of a batch.
pub(super) fn listed(q: &dyn Query, batch: BatchId) -> Result<HashSet<BatchEntryId>> {
    Ok(fund::batch_for_notice(q, batch)?
        .1
        .into_iter()
        .map(|entry| entry.id)
        .collect())
}

/// The lines of a notice with what became of them.
///
/// # Errors
/// A fault of the store.
pub fn lines_with_states(q: &dyn Query, notice: &Notice) -> Result<Vec<(Line, LineState)>> {
    let held = q.rows(
        "SELECT notice_entry_id FROM objection WHERE notice_id = ?1 AND state IN ('received', 'verifying')",
        params![notice.id],
        |row| row.get::<NoticeEntryId>(0),
    )?;
    let held: HashSet<NoticeEntryId> = held.into_iter().collect();
    let listed = listed(q, notice.batch)?;
    let state = |line: &Line| match () {
        () if !listed.contains(&line.batch_entry) => LineState::Removed,
        () if held.contains(&line.id) => LineState::Held,
        () => LineState::Clear,
    };
    let lines = lines(q, notice.id)?.into_iter();
    Ok(lines
        .map(|line| {
            let state = state(&line);
            (line, state)
        })
        .collect())
}

/// A notice as lists show it.
#[derive(Clone, Debug)]
pub struct ListedNotice {
    /// Id.
    pub id: NoticeId,
    /// Number of the paper.
    pub number: String,
    /// Title.
    pub title: String,
    /// Region.
    pub region: RegionCode,
    /// Day of publication.
    pub starts_on: Date,
    /// Last day.
    pub ends_on: Date,
    /// Open or ended.
    pub state: NoticeState,
    /// Lines shown.
    pub entries: u64,
    /// Beneficiaries: one may stand in several lines.
    pub parties: u64,
    /// Sum of their amounts.
    pub total: Fen,
}

impl ListedNotice {
    /// Its address.
    pub fn href(&self) -> String {
        format!("/notices/{}", self.id)
    }

    /// Whether objections are taken on this day.
    pub fn is_open(&self, today: Date) -> bool {
        self.state == NoticeState::Open && today <= self.ends_on
    }
}

const LISTED: &str = "n.id, n.number, n.title, n.region_code, n.starts_on, n.ends_on, n.state, \
     (SELECT COUNT(*) FROM notice_entry e WHERE e.notice_id = n.id), \
     (SELECT COUNT(DISTINCT e.party_id) FROM notice_entry e WHERE e.notice_id = n.id), \
     (SELECT CAST(COALESCE(SUM(e.amount_fen), 0) AS BIGINT) FROM notice_entry e WHERE e.notice_id = n.id)";

/// Open ones first, then the latest.
const ORDER: &str =
    "ORDER BY CASE WHEN n.state = 'open' THEN 0 ELSE 1 END, n.ends_on DESC, n.id DESC";

fn read_listed(row: &Row<'_>) -> Result<ListedNotice, StoreError> {
    let state: String = row.get(6)?;
    Ok(ListedNotice {
        id: row.get(0)?,
        number: row.get(1)?,
        title: row.get(2)?,
        region: row.get(3)?,
        starts_on: row.get(4)?,
        ends_on: row.get(5)?,
        state: NoticeState::from_code(&state)
            .ok_or_else(|| StoreError::Value(format!("notice.state: {state}")))?,
        entries: row.get(7)?,
        parties: row.get(8)?,
        total: row.get(9)?,
    })
}

/// What the list of notices is narrowed by.
#[derive(Clone, Debug, Default)]
pub struct NoticeFilter {
    /// A part of title or number.
    pub text: String,
    /// Only this region and what lies in it.
    pub region: Option<RegionCode>,
    /// Only open or only ended ones.
    pub state: Option<NoticeState>,
}

impl NoticeFilter {
    fn condition(&self) -> (String, Vec<Value>) {
        let mut values = Vec::new();
        let mut sql = "1 = 1".to_owned();
        let mut and = |condition: &str, value: Value| {
            values.push(value);
            sql.push_str(" AND ");
            sql.push_str(&condition.replace("??", &format!("?{}", values.len())));
        };
        if !self.text.is_empty() {
            and(
                "(LOWER(n.title) LIKE ?? ESCAPE '!' OR LOWER(n.number) LIKE ?? ESCAPE '!')",
                Value::from(pattern(&self.text)),
            );
        }
        if let Some(region) = self.region {
            let (low, high) = code_range(region);
            and("n.region_code >= ??", Value::from(low));
            and("n.region_code <= ??", Value::from(high));
        }
        if let Some(state) = self.state {
            and("n.state = ??", Value::from(state.code()));
        }
        (sql, values)
    }
}

/// A pattern for `LIKE … ESCAPE '!'` that finds the text anywhere in a column of small letters.
pub(super) fn pattern(text: &str) -> String {
    holding(&text.to_lowercase())
}

/// How many notices the filter finds.
///
/// # Errors
/// A fault of the store.
pub fn count(q: &dyn Query, filter: &NoticeFilter) -> Result<u64, StoreError> {
    let (condition, values) = filter.condition();
    q.row(
        &format!("SELECT COUNT(*) FROM notice n WHERE {condition}"),
        values,
        |row| row.get(0),
    )
}

/// The notices the filter finds, open ones first.
///
/// # Errors
/// A fault of the store.
pub fn list(
    q: &dyn Query,
    filter: &NoticeFilter,
    limit: u32,
    offset: i64,
) -> Result<Vec<ListedNotice>, StoreError> {
    let (condition, mut values) = filter.condition();
    values.extend([Value::from(limit), Value::from(offset)]);
    let sql = format!(
        "SELECT {LISTED} FROM notice n WHERE {condition} {ORDER} LIMIT ?{} OFFSET ?{}",
        values.len() - 1,
        values.len()
    );
    q.rows(&sql, values, read_listed)
}

/// How many notices there are in the whole installation.
///
/// # Errors
/// A fault of the store.
pub fn count_all(q: &dyn Query) -> Result<u64, StoreError> {
    q.row("SELECT COUNT(*) FROM notice", params![], |row| row.get(0))
}

/// The notices that run, those that end first before the others: for the home page.
///
/// # Errors
/// A fault of the store.
pub fn open_for_home(q: &dyn Query, limit: u32) -> Result<Vec<ListedNotice>, StoreError> {
    let sql = format!(
        "SELECT {LISTED} FROM notice n WHERE n.state = 'open' ORDER BY n.ends_on, n.id LIMIT ?1"
    );
    q.rows(&sql, params![limit], read_listed)
}

/// The notices of a region and what lies in it, open ones first: for the region's page.
///
/// # Errors
/// A fault of the store.
pub fn of_region(
    q: &dyn Query,
    region: RegionCode,
    limit: u32,
) -> Result<Vec<ListedNotice>, StoreError> {
    let filter = NoticeFilter {
        region: Some(region),
        ..NoticeFilter::default()
    };
    list(q, &filter, limit, 0)
}
