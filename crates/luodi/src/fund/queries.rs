//! Read models of budgets and postings. Permission is part of every question.

use jiff::Timestamp;
use ledger::{AccountKind, MovementKind};
use uuid::Uuid;
use vocab::{Fen, RegionCode};

use crate::access::{Actor, ScopeColumns, visible_where};
use crate::ids::{BatchId, BudgetLineId, DepartmentId, PaymentFileId};
use crate::params;
use crate::refusal::{Refusal, Result};
use crate::store::{Query, Row, StoreError, Value, holding};

/// What is in each place of a budget, in fen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// 预算指标: adopted and adjusted.
    pub budget: Fen,
    /// 可用指标: not promised.
    pub available: Fen,
    /// 拟补承诺: promised.
    pub committed: Fen,
    /// 应付: to be paid.
    pub payable: Fen,
    /// 支付中: with the bank.
    pub in_payment: Fen,
    /// 已付: paid.
    pub paid: Fen,
}

impl Figures {
    /// Every figure with its account, from source to end.
    pub fn each(&self) -> [(AccountKind, Fen); 6] {
        [
            (AccountKind::Appropriation, self.budget),
            (AccountKind::Available, self.available),
            (AccountKind::Committed, self.committed),
            (AccountKind::Payable, self.payable),
            (AccountKind::InPayment, self.in_payment),
            (AccountKind::Paid, self.paid),
        ]
    }
}

/// The six sums over `b` = `ledger_balance`, in the order of [`Figures`].
const FIGURES: &str = "CAST(COALESCE(SUM(CASE WHEN b.account = 'appropriation' THEN b.credit_fen - b.debit_fen ELSE 0 END), 0) AS BIGINT), \
     CAST(COALESCE(SUM(CASE WHEN b.account = 'available' THEN b.debit_fen - b.credit_fen ELSE 0 END), 0) AS BIGINT), \
     CAST(COALESCE(SUM(CASE WHEN b.account = 'committed' THEN b.debit_fen - b.credit_fen ELSE 0 END), 0) AS BIGINT), \
     CAST(COALESCE(SUM(CASE WHEN b.account = 'payable' THEN b.debit_fen - b.credit_fen ELSE 0 END), 0) AS BIGINT), \
     CAST(COALESCE(SUM(CASE WHEN b.account = 'in-payment' THEN b.debit_fen - b.credit_fen ELSE 0 END), 0) AS BIGINT), \
     CAST(COALESCE(SUM(CASE WHEN b.account = 'paid' THEN b.debit_fen - b.credit_fen ELSE 0 END), 0) AS BIGINT)";

fn figures(row: &Row<'_>, first: usize) -> Result<Figures, StoreError> {
    Ok(Figures {
        budget: row.get(first)?,
        available: row.get(first + 1)?,
        committed: row.get(first + 2)?,
        payable: row.get(first + 3)?,
        in_payment: row.get(first + 4)?,
        paid: row.get(first + 5)?,
    })
}

/// A budget line with its figures.
#[derive(Clone, Debug)]
pub struct BudgetRow {
    /// Its id.
    pub id: BudgetLineId,
    /// The year.
    pub year: i64,
    /// The region.
    pub region: RegionCode,
    /// The department that spends it.
    pub department: DepartmentId,
    /// Its name.
    pub name: String,
    /// 功能分类科目.
    pub function_code: String,
    /// 经济分类科目.
    pub economic_code: String,
    /// The project.
    pub project: String,
    /// 指标文号.
    pub document_number: String,
    /// Raised by each entry.
    pub version: i64,
    /// What is where.
    pub figures: Figures,
}

/// What the list of budgets is narrowed by.
#[derive(Clone, Debug, Default)]
pub struct BudgetFilter {
    /// A part of name, project or 文号.
    pub text: String,
    /// Only this year.
    pub year: Option<i64>,
    /// Only this region and what lies in it.
    pub region: Option<RegionCode>,
    /// Only this department.
    pub department: Option<DepartmentId>,
    /// `budget`, `available`, `paid` (largest first), else by year, region and 文号.
    pub sort: String,
}

const SCOPE: ScopeColumns = ScopeColumns {
    region: "l.region_code",
    department: Some("l.department_id"),
    party: None,
};

/// A condition in the making: each part is joined by AND, `??` stands for its value.
pub(super) struct Condition {
    pub(super) sql: String,
    pub(super) values: Vec<Value>,
}

impl Condition {
    /// Rows the actor may see.
    pub(super) fn visible(actor: &Actor, columns: ScopeColumns) -> Self {
        let mut values = Vec::new();
        let sql = visible_where(actor, columns, &mut values);
        Self { sql, values }
    }

    /// Narrows by one value.
    pub(super) fn and(&mut self, condition: &str, value: impl Into<Value>) {
        self.values.push(value.into());
        let place = format!("?{}", self.values.len());
        self.sql.push_str(" AND ");
        self.sql.push_str(&condition.replace("??", &place));
    }

    /// Narrows to a region and what lies in it.
    pub(super) fn within(&mut self, column: &str, region: RegionCode) {
        let (low, high) = crate::access::code_range(region);
        self.and(&format!("{column} >= ??"), low);
        self.and(&format!("{column} <= ??"), high);
    }

    /// LIMIT and OFFSET.
    pub(super) fn page(&mut self, limit: u32, offset: i64) -> String {
        self.values.push(limit.into());
        self.values.push(offset.into());
        let last = self.values.len();
        format!(" LIMIT ?{} OFFSET ?{last}", last - 1)
    }
}

/// A pattern that finds the text anywhere, `!` being the escape.
pub(super) fn part(text: &str) -> String {
    holding(text.trim())
}

impl BudgetFilter {
    fn condition(&self, actor: &Actor) -> Condition {
        let mut condition = Condition::visible(actor, SCOPE);
        if !self.text.is_empty() {
            condition.and(
                "(l.name LIKE ?? ESCAPE '!' OR l.project LIKE ?? ESCAPE '!' \
                 OR l.document_number LIKE ?? ESCAPE '!')",
                part(&self.text),
            );
        }
        if let Some(year) = self.year {
            condition.and("l.year = ??", year);
        }
        if let Some(region) = self.region {
            condition.within("l.region_code", region);
        }
        if let Some(department) = self.department {
            condition.and("l.department_id = ??", department);
        }
        condition
    }

    fn order(&self) -> &'static str {
        match self.sort.as_str() {
            "budget" => " ORDER BY 10 DESC, l.document_number",
            "available" => " ORDER BY 11 DESC, l.document_number",
            "paid" => " ORDER BY 15 DESC, l.document_number",
            _ => " ORDER BY l.year DESC, l.region_code, l.document_number",
        }
    }
}

const LINE: &str = "l.id, l.year, l.region_code, l.department_id, l.name, l.function_code, \
     l.economic_code, l.project, l.document_number";
const FROM: &str = "FROM budget_line l LEFT JOIN ledger_balance b ON b.budget_line_id = l.id";

fn budget_row(row: &Row<'_>) -> Result<BudgetRow, StoreError> {
    Ok(BudgetRow {
        id: row.get(0)?,
        year: row.get(1)?,
        region: row.get(2)?,
        department: row.get(3)?,
        name: row.get(4)?,
        function_code: row.get(5)?,
        economic_code: row.get(6)?,
        project: row.get(7)?,
        document_number: row.get(8)?,
        figures: figures(row, 9)?,
        version: row.get(15)?,
    })
}

/// How many budget lines the filter finds.
///
/// # Errors
/// The store's own.
pub fn count_budgets(q: &dyn Query, actor: &Actor, filter: &BudgetFilter) -> Result<u64> {
    let Condition { sql, values } = filter.condition(actor);
    let sql = format!("SELECT COUNT(*) FROM budget_line l WHERE {sql}");
    Ok(q.row(&sql, values, |row| row.get(0))?)
}

/// The figures of all budget lines the filter finds, added up.
///
/// # Errors
/// The store's own.
pub fn sum_budgets(q: &dyn Query, actor: &Actor, filter: &BudgetFilter) -> Result<Figures> {
    let Condition { sql, values } = filter.condition(actor);
    let sql = format!("SELECT {FIGURES} {FROM} WHERE {sql}");
    Ok(q.row(&sql, values, |row| figures(row, 0))?)
}

/// The budget lines the filter finds, in its order.
///
/// # Errors
/// The store's own.
pub fn list_budgets(
    q: &dyn Query,
    actor: &Actor,
    filter: &BudgetFilter,
    limit: u32,
    offset: i64,
) -> Result<Vec<BudgetRow>> {
    let mut condition = filter.condition(actor);
    let page = condition.page(limit, offset);
    let sql = format!(
        "SELECT {LINE}, {FIGURES}, l.version {FROM} WHERE {} GROUP BY {LINE}, l.version{}{page}",
        condition.sql,
        filter.order(),
    );
    Ok(q.rows(&sql, condition.values, budget_row)?)
}

/// One budget line.
///
/// # Errors
/// Refused as not found where there is none or it is not the actor's to see.
pub fn find_budget(q: &dyn Query, actor: &Actor, id: BudgetLineId) -> Result<BudgetRow> {
    let mut condition = Condition::visible(actor, SCOPE);
    condition.and("l.id = ??", id);
    let sql = format!(
        "SELECT {LINE}, {FIGURES}, l.version {FROM} WHERE {} GROUP BY {LINE}, l.version",
        condition.sql
    );
    let found = q.row_opt(&sql, condition.values, budget_row)?;
    let message = "没有这个预算指标，或者您无权查看。请从「资金」重新进入。";
    Ok(found.ok_or_else(|| Refusal::not_found(message))?)
}

/// The lines of a department from which a new batch can draw, the current year's first.
///
/// # Errors
/// The store's own.
pub fn budgets_for(
    q: &dyn Query,
    actor: &Actor,
    department: DepartmentId,
) -> Result<Vec<BudgetRow>> {
    let filter = BudgetFilter {
        department: Some(department),
        ..BudgetFilter::default()
    };
    list_budgets(q, actor, &filter, 100, 0)
}

/// A posting with its entry.
#[derive(Clone, Debug)]
pub struct PostingRow {
    /// The entry.
    pub entry: Uuid,
    /// When it was posted.
    pub at: Timestamp,
    /// What was done.
    pub movement: MovementKind,
    /// The account.
    pub account: AccountKind,
    /// Debited, or zero.
    pub debit: Fen,
    /// Credited, or zero.
    pub credit: Fen,
    /// Who posted it.
    pub by: String,
    /// Why, and for whom.
    pub memo: String,
    /// The batch it belongs to.
    pub batch: Option<BatchId>,
    /// The payment file it belongs to.
    pub file: Option<PaymentFileId>,
}

impl PostingRow {
    /// The page of what the entry is about; empty for the line itself.
    pub fn href(&self) -> String {
        match (self.file, self.batch) {
            (Some(file), _) => format!("/payments/{file}"),
            (None, Some(batch)) => format!("/batches/{batch}"),
            (None, None) => String::new(),
        }
    }
}

/// What a list of postings is narrowed by.
#[derive(Clone, Copy, Debug, Default)]
pub struct PostingFilter {
    /// Only this account.
    pub account: Option<AccountKind>,
    /// Only this movement.
    pub movement: Option<MovementKind>,
    /// Only of this batch: its entries and their payments.
    pub batch: Option<BatchId>,
}

impl PostingFilter {
    fn condition(&self, line: BudgetLineId) -> Condition {
        let mut condition = Condition {
            sql: "p.budget_line_id = ?1".to_owned(),
            values: params![line].into(),
        };
        if let Some(account) = self.account {
            condition.and("p.account = ??", account.code());
        }
        if let Some(movement) = self.movement {
            condition.and("e.movement = ??", movement.code());
        }
        if let Some(batch) = self.batch {
            condition.and("(be.batch_id = ?? OR f.batch_id = ??)", batch);
        }
        condition
    }
}

const POSTINGS: &str = "FROM posting p JOIN ledger_entry e ON e.id = p.entry_id \
     LEFT JOIN batch_entry be ON be.id = e.subject_id \
     LEFT JOIN payment pay ON pay.id = e.subject_id \
     LEFT JOIN payment_file f ON f.id = pay.file_id";

fn posting_row(row: &Row<'_>) -> Result<PostingRow, StoreError> {
    let movement: String = row.get(2)?;
    let unknown = || StoreError::Value(format!("{movement} is no movement of the ledger"));
    Ok(PostingRow {
        entry: row.get(0)?,
        at: row.get(1)?,
        movement: MovementKind::from_code(&movement).ok_or_else(unknown)?,
        account: super::journal::account_kind(&row.get::<String>(3)?)?,
        debit: row.get(4)?,
        credit: row.get(5)?,
        by: row.get(6)?,
        memo: row.get(7)?,
        batch: row.get(8)?,
        file: row.get(9)?,
    })
}

/// How many postings of a line the filter finds, with the sums of debit and credit. The caller has
/// found the line for its actor.
///
/// # Errors
/// The store's own.
pub(super) fn count_postings(
    q: &dyn Query,
    line: BudgetLineId,
    filter: &PostingFilter,
) -> Result<(u64, Fen, Fen)> {
    let Condition { sql, values } = filter.condition(line);
    let sql = format!(
        "SELECT COUNT(*), CAST(COALESCE(SUM(p.debit_fen), 0) AS BIGINT), \
         CAST(COALESCE(SUM(p.credit_fen), 0) AS BIGINT) {POSTINGS} WHERE {sql}"
    );
    Ok(q.row(&sql, values, |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
    })?)
}

/// The postings of a line that the filter finds, newest first. The caller has found the line for
/// its actor.
///
/// # Errors
/// The store's own.
pub fn list_postings(
    q: &dyn Query,
    line: BudgetLineId,
    filter: &PostingFilter,
    limit: u32,
    offset: i64,
) -> Result<Vec<PostingRow>> {
    let mut condition = filter.condition(line);
    let page = condition.page(limit, offset);
    let sql = format!(
        "SELECT e.id, e.posted_at, e.movement, p.account, p.debit_fen, p.credit_fen, e.posted_by, \
         e.memo, be.batch_id, pay.file_id {POSTINGS} WHERE {} \
         ORDER BY e.line_version DESC, p.position{page}",
        condition.sql
    );
    Ok(q.rows(&sql, condition.values, posting_row)?)
}
