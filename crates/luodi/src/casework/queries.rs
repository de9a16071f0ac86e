//! Read models of cases: one case, lists of cases, the worklist. Permission is part of every
//! question: a row outside the actor's scope is as if it were not there.

use jiff::Timestamp;
use jiff::civil::Date;
use vocab::{Fen, RegionCode};

use super::state;
use crate::access::{Actor, Scope, ScopeColumns, code_range, may_see, visible_where};
use crate::account;
use crate::form::{has_sealed, open_value};
use crate::ids::{AccountId, BankAccountId, CaseId, DepartmentId, ItemId, PartyId, TaskId};
use crate::params;
use crate::refusal::{Refusal, Result};
use crate::store::{Document, Known, Query, Row, StoreError, Value, holding};

/// A case as its row holds it.
#[derive(Clone, Debug)]
pub struct CaseRow {
    /// Id.
    pub id: CaseId,
    /// Number shown to people.
    pub number: String,
    /// The item as offered in the region.
    pub item: ItemId,
    /// The package the case is frozen at.
    pub item_hash: String,
    /// Region.
    pub region: RegionCode,
    /// Department that decides.
    pub department: DepartmentId,
    /// Applicant.
    pub party: PartyId,
    /// `enterprise` or `person`.
    pub party_kind: String,
    /// The applicant's name at submission.
    pub party_name: String,
    /// The item's name.
    pub item_name: String,
    /// Title made from the form.
    pub title: String,
    /// `online` or `window`.
    pub channel: String,
    /// Batch period, such as 2026Q3; empty where the item has none.
    pub period: String,
    /// State as the item names it.
    pub state: String,
    /// Where the process stands.
    pub process_state: String,
    /// Form values, personal ones sealed.
    pub form: Document,
    /// Version of the form alone.
    pub form_version: i64,
    /// The account the money goes to.
    pub bank_account: Option<BankAccountId>,
    /// Who submitted.
    pub submitted_by: AccountId,
    /// When.
    pub submitted_at: Timestamp,
    /// Day of acceptance.
    pub accepted_on: Option<Date>,
    /// The day an incomplete application was completed: the limit counts anew from it.
    pub restarted_on: Option<Date>,
    /// Due at 24:00 of this day.
    pub due_on: Option<Date>,
    /// The promised limit.
    pub limit_working_days: u16,
    /// The clock stands.
    pub suspended: bool,
    /// Computed amount.
    pub amount: Option<Fen>,
    /// Why this amount.
    pub explanation: Option<Document>,
    /// When the case ended.
    pub ended_at: Option<Timestamp>,
    /// Version of the case.
    pub version: i64,
    /// All of it as it was read.
    pub(super) known: Known,
}

impl CaseRow {
    /// Where the case belongs.
    pub fn scope(&self) -> Scope {
        Scope {
            region: self.region,
            department: Some(self.department),
            party: Some(self.party),
        }
    }
}

impl CaseRow {
    fn of(known: Known) -> Result<Self, StoreError> {
        let row = &known;
        Ok(Self {
            id: row.get("id")?,
            number: row.get("number")?,
            item: row.get("item_id")?,
            item_hash: row.get("item_hash")?,
            region: row.get("region_code")?,
            department: row.get("department_id")?,
            party: row.get("party_id")?,
            title: row.get("title")?,
            channel: row.get("channel")?,
            period: row.get("period")?,
            state: row.get("state")?,
            process_state: row.get("process_state")?,
            form: row.get("form")?,
            form_version: row.get("form_version")?,
            bank_account: row.get("bank_account_id")?,
            submitted_by: row.get("submitted_by")?,
            submitted_at: row.get("submitted_at")?,
            accepted_on: row.get("accepted_on")?,
            due_on: row.get("due_on")?,
            limit_working_days: row.get("limit_working_days")?,
            amount: row.get("amount_fen")?,
            explanation: row.get("explanation")?,
            ended_at: row.get("ended_at")?,
            version: row.get("version")?,
            party_kind: row.get("party_kind")?,
            party_name: row.get("party_name")?,
            item_name: row.get("item_name")?,
            restarted_on: row.get("restarted_on")?,
            suspended: row.get("suspended")?,
            known,
        })
    }
}

/// The case, if the actor may see it.
///
/// # Errors
/// Refused as not found where there is none or it is not the actor's to see.
pub fn find_case(q: &dyn Query, actor: &Actor, id: CaseId) -> Result<CaseRow> {
    let found = load_case(q, id)?;
    if may_see(actor, &found.scope()) {
        Ok(found)
    } else {
        Err(no_case())
    }
}

/// The case, whoever asks: for commands that check permission themselves.
pub(super) fn load_case(q: &dyn Query, id: CaseId) -> Result<CaseRow> {
    let found = q.known("casework", "WHERE id = ?1", &params![id])?.pop();
    Ok(CaseRow::of(found.ok_or_else(no_case)?)?)
}

fn no_case() -> crate::refusal::Error {
    Refusal::not_found("没有这个办件，或者您无权查看。请从工作台重新进入。").into()
}

/// A task as its row holds it.
#[derive(Clone, Debug)]
pub struct TaskRow {
    /// Id.
    pub id: TaskId,
    /// The case.
    pub case: CaseId,
    /// Number of the activity in the process state.
    pub activity: u32,
    /// The user task of the process.
    pub node: String,
    /// Its name.
    pub name: String,
    /// Role that does it.
    pub role: String,
    /// `open`, `done` or `cancelled`.
    pub state: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was completed.
    pub completed_at: Option<Timestamp>,
    /// Who completed it.
    pub completed_by: Option<String>,
    /// What came out.
    pub outcome: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// Values of the task's form.
    pub data: Option<serde_json::Value>,
    /// Version.
    pub version: i64,
    /// Who has taken it to himself.
    pub held_by: Option<AccountId>,
    /// For whom he took it over, as his stand-in.
    pub stand_in_for: Option<AccountId>,
    /// All of it as it was read; none of a task that is to be created.
    pub(super) known: Option<Known>,
}

impl TaskRow {
    fn of(known: Known) -> Result<Self, StoreError> {
        let row = &known;
        Ok(Self {
            id: row.get("id")?,
            case: row.get("case_id")?,
            activity: row.get("activity")?,
            node: row.get("node")?,
            name: row.get("name")?,
            role: row.get("role")?,
            state: row.get("state")?,
            created_at: row.get("created_at")?,
            completed_at: row.get("completed_at")?,
            completed_by: row.get("completed_by_label")?,
            outcome: row.get("outcome")?,
            reason: row.get("reason")?,
            data: row.get("data")?,
            version: row.get("version")?,
            held_by: row.get("assignee_id")?,
            stand_in_for: row.get("stand_in_for_id")?,
            known: Some(known),
        })
    }
}

/// A task by its id.
pub(super) fn load_task(q: &dyn Query, id: TaskId) -> Result<TaskRow> {
    let task = q.known("task", "WHERE id = ?1", &params![id])?.pop();
    task.map(|task| opened(q, TaskRow::of(task)?))
        .transpose()?
        .ok_or_else(|| Refusal::not_found("没有这项任务，可能已由系统收回。请刷新页面。").into())
}

/// Every task of a case, oldest first.
pub(super) fn tasks_of(q: &dyn Query, case: CaseId) -> Result<Vec<TaskRow>, StoreError> {
    let of_it = "WHERE case_id = ?1 ORDER BY created_at, id";
    let tasks = q.known("task", of_it, &params![case])?.into_iter();
    tasks.map(|task| opened(q, TaskRow::of(task)?)).collect()
}

/// A task with the personal values of its form opened; few forms have any.
fn opened(q: &dyn Query, task: TaskRow) -> Result<TaskRow, StoreError> {
    let data = task
        .data
        .as_ref()
        .map(|data| open_data(q, task.case, data))
        .transpose()?;
    Ok(TaskRow { data, ..task })
}

/// What a task's form of a case brought in, opened.
pub(super) fn open_data(
    q: &dyn Query,
    case: CaseId,
    data: &serde_json::Value,
) -> Result<serde_json::Value, StoreError> {
    if !has_sealed(data) {
        return Ok(data.clone());
    }
    let sql = "SELECT party_id FROM casework WHERE id = ?1";
    let party: PartyId = q.row(sql, params![case], |row| row.get(0))?;
    open_value(data, &|sealed| q.open(party.0, sealed))
}

/// The tasks of a case that wait, oldest first.
pub(super) fn waiting_of(q: &dyn Query, case: CaseId) -> Result<Vec<TaskRow>, StoreError> {
    let open = "WHERE case_id = ?1 AND state = 'open' ORDER BY created_at, id";
    let tasks = q.known("task", open, &params![case])?.into_iter();
    tasks.map(|task| opened(q, TaskRow::of(task)?)).collect()
}

/// The task of a case that waits, the latest where several do.
///
/// # Errors
/// Refused as a conflict where the case waits for nobody.
pub fn open_task(q: &dyn Query, case: CaseId) -> Result<TaskRow> {
    let open = "WHERE case_id = ?1 AND state = 'open' ORDER BY created_at, id";
    let latest = q.known("task", open, &params![case])?.pop();
    let latest = latest.ok_or_else(|| {
        Refusal::conflict(
            "nothing-open",
            "这个办件目前没有待办理的任务。请刷新页面查看最新情况。",
        )
    })?;
    Ok(TaskRow::of(latest)?)
}

/// What a task's form brought in last under a key, such as `measured_kw`.
///
/// # Errors
/// A fault of the store.
pub fn entered(q: &dyn Query, case: CaseId, key: &str) -> Result<Option<String>, StoreError> {
    let tasks = tasks_of(q, case)?;
    let found = tasks
        .iter()
        .rev()
        .find_map(|task| task.data.as_ref()?.get(key)?.as_str());
    Ok(found.map(str::to_owned))
}

/// How many cases there are, for the report of a demonstration.
///
/// # Errors
/// A fault of the store.
pub fn count_all(q: &dyn Query) -> Result<u64, StoreError> {
    q.row("SELECT COUNT(*) FROM casework", params![], |row| row.get(0))
}

/// A row of a list of cases.
#[derive(Clone, Debug)]
pub struct ListedCase {
    /// Id.
    pub id: CaseId,
    /// Number.
    pub number: String,
    /// Title.
    pub title: String,
    /// Applicant's name.
    pub party_name: String,
    /// Applicant.
    pub party: PartyId,
    /// Item's name.
    pub item_name: String,
    /// Region.
    pub region: String,
    /// Batch period.
    pub period: String,
    /// State.
    pub state: String,
    /// When it was submitted.
    pub submitted_at: Timestamp,
    /// Due date.
    pub due_on: Option<Date>,
    /// The clock stands.
    pub suspended: bool,
    /// The limit.
    pub limit_working_days: u32,
    /// Amount.
    pub amount: Option<Fen>,
    /// The case has ended.
    pub ended: bool,
}

/// What a list of cases is asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct CaseFilter {
    /// Part of number, title, applicant's name or a value the item keeps, such as a meter's number.
    pub text: String,
    /// One state.
    pub state: String,
    /// One batch period.
    pub period: String,
    /// A region and what lies in it.
    pub region: String,
    /// Only cases with an open task of these roles.
    pub roles: Option<Vec<&'static str>>,
    /// Of these tasks those that one of these has taken, or nobody has.
    pub held_by: Vec<AccountId>,
    /// The day on which the tasks wait: who is away then, and who stands in.
    pub on: Option<Date>,
    /// Only red, only amber …: due on or before this day.
    pub due_by: Option<Date>,
    /// Only ended (`Some(true)`) or only running cases.
    pub ended: Option<bool>,
    /// Order: `due`, `submitted`, `amount`.
    pub sort: String,
}

const LIST_FROM: &str = "FROM casework c WHERE ";

const LIST_COLUMNS: &str = "c.id, c.number, c.title, c.party_name, c.party_id, c.item_name, c.region_code, c.period, \
     c.state, c.submitted_at, c.due_on, c.suspended, c.limit_working_days, c.amount_fen, c.ended_at ";

fn listed(row: &Row<'_>) -> Result<ListedCase, StoreError> {
    Ok(ListedCase {
        id: row.get(0)?,
        number: row.get(1)?,
        title: row.get(2)?,
        party_name: row.get(3)?,
        party: row.get(4)?,
        item_name: row.get(5)?,
        region: row.get(6)?,
        period: row.get(7)?,
        state: row.get(8)?,
        submitted_at: row.get(9)?,
        due_on: row.get(10)?,
        suspended: row.get(11)?,
        limit_working_days: row.get(12)?,
        amount: row.get(13)?,
        ended: row.get::<Option<i64>>(14)?.is_some(),
    })
}

impl CaseFilter {
    /// With those whose tasks the actor reaches: his own, and of whom he stands in for.
    pub(super) fn reaching(mut self, q: &dyn Query, actor: &Actor) -> Result<Self, StoreError> {
        if let (Some(_), Some(day)) = (&self.roles, self.on) {
            let away = account::stands_in_for(q, actor.account_id(), day)?;
            self.held_by = away.into_iter().map(|(id, _)| id).collect();
            self.held_by.push(actor.account_id());
        }
        Ok(self)
    }

    /// The condition behind WHERE, with its values.
    fn condition(&self, actor: &Actor) -> (String, Vec<Value>) {
        let mut values = Vec::new();
        let columns = ScopeColumns {
            region: "c.region_code",
            department: Some("c.department_id"),
            party: Some("c.party_id"),
        };
        let mut sql = visible_where(actor, columns, &mut values);
        let known = state::all().find(|(code, _)| *code == self.state);
        if let Some((code, _)) = known {
            // This program's own word: an index over one state is chosen by it.
            sql.push_str(&format!(" AND c.state = '{code}'"));
        }
        let mut and = |condition: &str, value: Value| {
            values.push(value);
            sql.push_str(" AND ");
            sql.push_str(&condition.replace("??", &format!("?{}", values.len())));
        };
        if !self.text.is_empty() {
            let like = Value::from(holding(&self.text));
            and(
                "(c.number LIKE ?? ESCAPE '!' OR c.title LIKE ?? ESCAPE '!' OR c.party_name LIKE ?? ESCAPE '!' \
                 OR EXISTS (SELECT 1 FROM case_value v WHERE v.case_id = c.id AND v.text_value LIKE ?? ESCAPE '!'))",
                like,
            );
        }
        if !self.state.is_empty() && known.is_none() {
            and("c.state = ??", Value::from(self.state.as_str()));
        }
        if !self.period.is_empty() {
            and("c.period = ??", Value::from(self.period.as_str()));
        }
        if let Ok(region) = RegionCode::parse(&self.region) {
            let (low, high) = code_range(region);
            and("c.region_code >= ??", Value::from(low));
            and("c.region_code <= ??", Value::from(high));
        }
        if let Some(day) = self.due_by {
            and("c.due_on <= ??", Value::from(day));
        }
        if let Some(roles) = &self.roles {
            // Codes of roles are this program's own words.
            let list: Vec<String> = roles.iter().map(|role| format!("'{role}'")).collect();
            let list = if list.is_empty() {
                "''".to_owned()
            } else {
                list.join(", ")
            };
            sql.push_str(&format!(
                " AND EXISTS (SELECT 1 FROM task t WHERE t.case_id = c.id AND t.state = 'open' \
                 AND t.role IN ({list}) AND (t.assignee_id IS NULL"
            ));
            for by in &self.held_by {
                values.push(Value::from(*by));
                sql.push_str(&format!(" OR t.assignee_id = ?{}", values.len()));
            }
            sql.push_str("))");
        }
        match self.ended {
            Some(true) => sql.push_str(" AND c.ended_at IS NOT NULL"),
            Some(false) => sql.push_str(" AND c.ended_at IS NULL"),
            None => {}
        }
        (sql, values)
    }

    fn order(&self) -> &'static str {
        match self.sort.as_str() {
            "amount" => " ORDER BY c.amount_fen DESC NULLS LAST, c.id",
            "submitted" => " ORDER BY c.submitted_at DESC, c.id",
            _ => " ORDER BY c.due_on ASC NULLS LAST, c.submitted_at, c.id",
        }
    }
}

/// How many cases the filter finds, and the sum of their amounts.
pub(super) fn count_cases(
    q: &dyn Query,
    actor: &Actor,
    filter: &CaseFilter,
) -> Result<(u64, Fen), StoreError> {
    let (condition, values) = filter.condition(actor);
    let sql = format!(
        "SELECT COUNT(*), CAST(COALESCE(SUM(c.amount_fen), 0) AS BIGINT) {LIST_FROM}{condition}"
    );
    q.row(&sql, values, |row| Ok((row.get(0)?, row.get(1)?)))
}

/// The cases the filter finds, in its order.
pub(super) fn list_cases(
    q: &dyn Query,
    actor: &Actor,
    filter: &CaseFilter,
    limit: u32,
    offset: i64,
) -> Result<Vec<ListedCase>, StoreError> {
    let (condition, mut values) = filter.condition(actor);
    values.push(Value::from(limit));
    values.push(Value::from(offset));
    let sql = format!(
        "SELECT {LIST_COLUMNS} {LIST_FROM}{condition}{} LIMIT ?{} OFFSET ?{}",
        filter.order(),
        values.len() - 1,
        values.len()
    );
    q.rows(&sql, values, listed)
}

/// Who has taken the open tasks of these cases, where somebody has.
pub(super) fn taken(
    q: &dyn Query,
    cases: &[uuid::Uuid],
) -> Result<Vec<(CaseId, AccountId)>, StoreError> {
    let sql = "SELECT case_id, assignee_id FROM task \
               WHERE state = 'open' AND assignee_id IS NOT NULL AND case_id IN (#)";
    q.rows_of(sql, cases, |row| Ok((row.get(0)?, row.get(1)?)))
}

/// How many cases stand in each state, and how many of these have ended, for filter chips.
pub(super) fn count_by_state(
    q: &dyn Query,
    actor: &Actor,
    filter: &CaseFilter,
) -> Result<Vec<(String, u64, u64)>, StoreError> {
    let open = CaseFilter {
        state: String::new(),
        ended: None,
        ..filter.clone()
    };
    let (condition, values) = open.condition(actor);
    let sql = format!(
        "SELECT c.state, COUNT(*), COUNT(c.ended_at) {LIST_FROM}{condition} GROUP BY c.state \
         ORDER BY c.state"
    );
    q.rows(&sql, values, |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
    })
}

/// Whether cases of an offered item have not ended.
///
/// # Errors
/// A fault of the store.
pub fn is_running(q: &dyn Query, item: ItemId) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM casework WHERE item_id = ?1 AND ended_at IS NULL LIMIT 1";
    let found: Option<i64> = q.row_opt(sql, params![item], |row| row.get(0))?;
    Ok(found.is_some())
}

/// How many approved cases the actor may see are not in a public notice yet, and how many of these
/// are over their limit.
///
/// # Errors
/// A fault of the store.
pub fn approved(q: &dyn Query, actor: &Actor, today: Date) -> Result<(u64, u64), StoreError> {
    let filter = CaseFilter {
        state: "proposed".to_owned(),
        ended: Some(false),
        ..CaseFilter::default()
    };
    let (condition, mut values) = filter.condition(actor);
    values.push(Value::from(today));
    let sql = format!(
        "SELECT COUNT(*), CAST(COALESCE(SUM(CASE WHEN c.due_on < ?{} THEN 1 ELSE 0 END), 0) AS BIGINT) \
         {LIST_FROM}{condition}",
        values.len()
    );
    q.row(&sql, values, |row| Ok((row.get(0)?, row.get(1)?)))
}

/// The cases of one party that the actor may see, newest first.
///
/// # Errors
/// A fault of the store.
pub fn of_party(
    q: &dyn Query,
    actor: &Actor,
    party: PartyId,
) -> Result<Vec<ListedCase>, StoreError> {
    let mut values = Vec::new();
    let columns = ScopeColumns {
        region: "c.region_code",
        department: Some("c.department_id"),
        party: Some("c.party_id"),
    };
    let condition = visible_where(actor, columns, &mut values);
    values.push(Value::from(party));
    let sql = format!(
        "SELECT {LIST_COLUMNS} {LIST_FROM}{condition} AND c.party_id = ?{} \
         ORDER BY c.submitted_at DESC, c.id LIMIT 500",
        values.len()
    );
    q.rows(&sql, values, listed)
}

/// A case that waits to enter a batch.
#[derive(Clone, Debug)]
pub struct ProposedCase {
    /// The case.
    pub id: CaseId,
    /// Its number.
    pub number: String,
    /// Its title.
    pub title: String,
    /// The beneficiary.
    pub party: PartyId,
    /// `enterprise` or `person`.
    pub party_kind: String,
    /// The beneficiary's name, unmasked.
    pub party_name: String,
    /// The amount decided.
    pub amount: Fen,
    /// The account the money goes to.
    pub bank_account: Option<BankAccountId>,
}

/// Approved cases of an item and period whose open task is `node` (role batch), oldest first.
///
/// # Errors
/// A fault of the store.
pub fn proposed_cases(
    q: &dyn Query,
    item: ItemId,
    period: &str,
    node: &str,
) -> Result<Vec<ProposedCase>, StoreError> {
    q.rows(
        "SELECT c.id, c.number, c.title, c.party_id, c.party_kind, c.party_name, c.amount_fen, \
         c.bank_account_id FROM casework c JOIN task t ON t.case_id = c.id AND t.state = 'open' AND t.node = ?3 \
         WHERE c.item_id = ?1 AND c.period = ?2 AND c.amount_fen > 0 ORDER BY c.number",
        params![item, period, node],
        |row| {
            Ok(ProposedCase {
                id: row.get(0)?,
                number: row.get(1)?,
                title: row.get(2)?,
                party: row.get(3)?,
                party_kind: row.get(4)?,
                party_name: row.get(5)?,
                amount: row.get(6)?,
                bank_account: row.get(7)?,
            })
        },
    )
}
