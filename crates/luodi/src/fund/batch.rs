//! Batches (批次): a quarter's approved cases of one item go through notice, final list and payment
//! together, while each keeps its own entry in the ledger.
//!
//! A batch ends the tasks of role `batch` of its cases. It lacks the publication of its list and
//! objections (`notice`), and payment (`payment`).

use std::collections::HashSet;
use std::sync::Arc;

use jiff::civil::Date;
use ledger::{AccountKind, Movement};
use serde_json::json;
use uuid::Uuid;
use vocab::{Fen, Quarter};

use super::batch_queries::{
    BatchRow, EntryRow, Sum, entries_of, find_batch, load_batch, load_entry,
};
use super::bulk;
use super::journal::{Journal, Rows, keep_journal};
use super::state::{BatchState, EntryState};
use super::{changed_meanwhile, need_own, need_role};
use crate::access::{Actor, Role, Scope, may_see};
use crate::casework::{self, ProposedCase};
use crate::ids::{BatchEntryId, BatchId, BudgetLineId, CaseId, ItemId, NoticeId};
use crate::item::{self, Offered, Package};
use crate::number;
use crate::params;
use crate::party;
use crate::refusal::{Refusal, Refusals, Result, need_untouched};
use crate::store::{Event, Query, Tx, Value};

/// The most entries of one batch: what one command writes at once. What is left goes into the next.
pub const MOST_ENTRIES: usize = 500;
/// The task in which a case waits for its notice to end.
const NOTICE: &str = "notice";
/// The longest reason, in characters.
const LONGEST: usize = 500;

/// Roles that make and mend batches.
pub(super) const MAKERS: &[Role] = &[Role::CaseHandler, Role::Reviewer];

/// Roles that publish a list, make it final and take entries off it, in its department.
const KEEPERS: &[Role] = &[Role::CaseHandler, Role::Reviewer, Role::Approver];

/// Makes a batch of all cases of an item and period that wait for one, and commits their money.
///
/// # Errors
/// Refused where the actor does not work for the item's department, nothing waits, the budget line
/// is another department's or year's, or the line has too little available.
pub fn create_batch(
    tx: &Tx<'_>,
    actor: &Actor,
    item: ItemId,
    period: &str,
    line: BudgetLineId,
) -> Result<BatchId> {
    need_role(actor, MAKERS, "组成批次")?;
    let Proposed {
        offered,
        package,
        waiting,
    } = check(
        tx,
        actor,
        tx.today(),
        (item, period, Some(line)),
        Refusals::default(),
    )?;
    let cases: Vec<Uuid> = waiting.iter().map(|case| case.id.0).collect();
    need_untouched(tx, "casework", &cases)?;
    need_untouched(tx, "budget_line", &[line.0])?;
    let total = Fen::checked_sum(waiting.iter().map(|case| case.amount)).ok_or_else(|| {
        Refusal::invalid("overflow", "本批合计超出可记账范围，请核对各办件的金额。")
    })?;
    let batch = BatchId(tx.new_id());
    let title = title(&package, period);
    let demo = waiting
        .first()
        .map(|case| party::find_for_case(tx, case.party))
        .transpose()?;
    let demo = demo.is_some_and(|party| party.demo);
    insert_batch(
        tx,
        actor,
        &offered,
        &NewBatch {
            id: batch,
            period,
            title: &title,
            line,
            demo,
        },
    )?;
    let mut rows = vec![("batch", batch.0)];
    let mut entries = Vec::with_capacity(waiting.len());
    for case in &waiting {
        let entry = BatchEntryId(tx.new_id());
        rows.push(("batch_entry", entry.0));
        entries.push((entry, case));
    }
    insert_entries(tx, batch, &entries)?;
    let ((), posted) = keep_journal(tx, line, |journal| {
        need_available(journal, entries.len(), total)?;
        for (entry, case) in &entries {
            let movement = Movement::Commit {
                line: journal.line(),
                amount: case.amount,
            };
            let memo = format!("列入{title}，{}，{}", case.party_name, case.number);
            journal.post(actor, movement, ("batch_entry", entry.0), &memo)?;
        }
        Ok(())
    })?;
    rows.extend(posted);
    let detail = json!({ "entries": entries.len(), "total_fen": total, "line": line });
    event(tx, actor, "batch.create", batch, detail, rows);
    Ok(batch)
}

/// What a batch is made of.
pub(super) struct Proposed {
    offered: Offered,
    package: Arc<Package>,
    waiting: Vec<ProposedCase>,
}

/// Every rule of a batch to be made, besides what is known to be wrong. A line that could not be
/// read is none.
///
/// # Errors
/// Refused with all fields that break a rule, and where the actor does not work for the item.
pub(super) fn check(
    q: &dyn Query,
    actor: &Actor,
    today: Date,
    (item, period, line): (ItemId, &str, Option<BudgetLineId>),
    mut wrong: Refusals,
) -> Result<Proposed> {
    let offered = offered_to(q, actor, item)?;
    let package = item::load(q, &offered.hash)?;
    if let Some(line) = line {
        check_line(q, actor, today, &offered, line, &mut wrong)?;
    }
    let waiting = waiting_cases(q, &package, item, period)?;
    if waiting.is_empty() {
        let message = "这一期没有等待列入批次的办件。审批通过后再组成批次。";
        wrong.add("period", "nothing-waits", message);
    }
    wrong.in_order(&["line", "period"])?;
    Ok(Proposed {
        offered,
        package,
        waiting,
    })
}

/// The offer, if the actor works for its department.
fn offered_to(tx: &dyn Query, actor: &Actor, item: ItemId) -> Result<Offered> {
    let offered = item::find_item(tx, item)?;
    let scope = Scope {
        region: offered.region,
        department: Some(offered.department),
        party: None,
    };
    let other = actor.is_staff() && actor.department != Some(offered.department);
    if other || !may_see(actor, &scope) {
        return Err(Refusal::not_found("没有这个事项，或者不由您的部门办理。").into());
    }
    Ok(offered)
}

fn check_line(
    q: &dyn Query,
    actor: &Actor,
    today: Date,
    offered: &Offered,
    line: BudgetLineId,
    wrong: &mut Refusals,
) -> Result<()> {
    let budget = super::find_budget(q, actor, line)?;
    if budget.department != offered.department {
        let message = "这个预算指标属于其他部门，请选择本部门的指标。";
        wrong.add("line", "other-department", message);
    }
    let year = i64::from(today.year());
    if budget.year != year {
        let message = format!(
            "这个指标是 {} 年度的，请选择 {year} 年度的指标。",
            budget.year
        );
        wrong.add("line", "other-year", message);
    }
    Ok(())
}

/// The first task of role `batch` of an item, where approved cases wait.
pub(super) fn waiting_node(package: &Package) -> Result<&str> {
    let mut tasks = package.item.tasks.iter();
    let found = tasks.find(|(_, task)| task.role == "batch" && task.state == "proposed");
    let message = "这个事项没有「拟补名单」环节，不能组成批次。请联系事项管理员。";
    Ok(found
        .map(|(node, _)| node.as_str())
        .ok_or_else(|| Refusal::conflict("no-batch-task", message))?)
}

/// Cases that wait and stand in no live batch, the oldest first, at most [`MOST_ENTRIES`].
pub(super) fn waiting_cases(
    q: &dyn Query,
    package: &Package,
    item: ItemId,
    period: &str,
) -> Result<Vec<ProposedCase>> {
    let mut waiting = casework::proposed_cases(q, item, period, waiting_node(package)?)?;
    let batched = q.rows(
        "SELECT e.case_id FROM batch_entry e JOIN batch b ON b.id = e.batch_id \
         WHERE b.item_id = ?1 AND b.period = ?2 AND e.state <> 'removed'",
        params![item, period],
        |row| row.get::<CaseId>(0),
    )?;
    let batched: HashSet<CaseId> = batched.into_iter().collect();
    waiting.retain(|case| !batched.contains(&case.id));
    waiting.truncate(MOST_ENTRIES);
    Ok(waiting)
}

/// Refuses where other cases wait than those whose count and sum the page showed.
///
/// # Errors
/// A conflict that says both, and how it was.
pub(super) fn as_shown(q: &dyn Query, item: ItemId, period: &str, shown: Sum) -> Result<()> {
    let package = item::load(q, &item::find_item(q, item)?.hash)?;
    let waiting = waiting_cases(q, &package, item, period)?;
    let amount = Fen::checked_sum(waiting.iter().map(|case| case.amount)).unwrap_or(Fen(i64::MAX));
    let now = Sum {
        count: waiting.len() as u64,
        amount,
    };
    if now == shown {
        return Ok(());
    }
    let message = format!(
        "等待列入的办件刚刚变化：页面上是 {} 项、{} 元，现在是 {} 项、{} 元。请核对后重新提交。",
        shown.count, shown.amount, now.count, now.amount
    );
    Err(Refusal::field("period", "waiting-changed", message).into())
}

/// The period as people say it: 2026年第三季度; as it is where it is no quarter.
fn period_zh(period: &str) -> String {
    Quarter::parse(period).map_or_else(|_| period.to_owned(), Quarter::zh)
}

fn title(package: &Package, period: &str) -> String {
    format!("{} {}拟补名单", package.item.name, period_zh(period))
}

struct NewBatch<'a> {
    id: BatchId,
    period: &'a str,
    title: &'a str,
    line: BudgetLineId,
    demo: bool,
}

fn insert_batch(tx: &Tx<'_>, actor: &Actor, offered: &Offered, new: &NewBatch<'_>) -> Result<()> {
    let (region, year) = (offered.region, tx.today().year());
    let next = number::next(tx, &format!("batch {region} {year}"))?;
    tx.execute(
        "INSERT INTO batch (id, number, item_id, region_code, department_id, period, title, state, \
         budget_line_id, created_by, created_at, demo, version) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 1)",
        params![
            new.id,
            format!("PC{region}-{year}-{next:03}"),
            offered.id,
            region,
            offered.department,
            new.period,
            new.title,
            BatchState::Proposed.code(),
            new.line,
            actor.account_id(),
            tx.now(),
            new.demo
        ],
    )?;
    Ok(())
}

fn insert_entries(
    tx: &Tx<'_>,
    batch: BatchId,
    entries: &[(BatchEntryId, &ProposedCase)],
) -> Result<()> {
    let columns = "id, batch_id, position, case_id, party_id, amount_fen, state, version, case_number, \
         party_kind, party_name, title";
    let row = |(position, (id, case)): (i64, &(BatchEntryId, &ProposedCase))| {
        params![
            *id,
            batch,
            position,
            case.id,
            case.party,
            case.amount,
            EntryState::Committed.code(),
            1_i64,
            &case.number,
            &case.party_kind,
            &case.party_name,
            &case.title
        ]
    };
    let rows = (1_i64..).zip(entries).map(row).collect();
    bulk::insert(tx, ("batch_entry", columns), rows)
}

/// The whole batch or none: said with the figures of the batch, not of the entry that breaks it.
fn need_available(journal: &Journal<'_>, count: usize, total: Fen) -> Result<()> {
    let available = journal.balance(AccountKind::Available);
    if total <= available {
        return Ok(());
    }
    let message = format!(
        "可用指标 {available} 元，本批 {count} 项合计 {total} 元，差 {} 元。请先由财政追加预算，或另选指标。",
        total - available
    );
    Err(Refusal::field("line", "over-budget", message).into())
}

/// What a notice publishes: the batch and everybody still on its list.
///
/// # Errors
/// Refused as not found.
pub fn batch_for_notice(q: &dyn Query, batch: BatchId) -> Result<(BatchRow, Vec<EntryRow>)> {
    let found = load_batch(q, batch)?;
    let mut entries = entries_of(q, batch)?;
    entries.retain(|entry| entry.state != EntryState::Removed);
    Ok((found, entries))
}

/// What a public notice shows of a batch.
#[derive(Clone, Debug)]
pub struct PublishedList {
    /// The notice.
    pub notice: NoticeId,
    /// Number of the paper.
    pub number: String,
    /// Its lines in their order.
    pub lines: Vec<PublishedLine>,
}

/// What a public notice shows of one entry.
#[derive(Clone, Debug)]
pub struct PublishedLine {
    /// The entry.
    pub entry: BatchEntryId,
    /// The beneficiary's name, masked where it is a natural person's.
    pub name: String,
    /// What it is for.
    pub summary: String,
}

/// The list went into public notice, as it is published there.
///
/// # Errors
/// Refused where the actor does not work for the department, the page is stale, or the batch was
/// published before.
pub fn mark_noticed(
    tx: &Tx<'_>,
    actor: &Actor,
    batch: BatchId,
    version: i64,
    published: &PublishedList,
) -> Result<()> {
    let found = find_batch(tx, actor, batch)?;
    need_own(actor, KEEPERS, found.department, "公示")?;
    if found.state != BatchState::Proposed || found.version != version {
        return Err(changed_meanwhile("这个批次"));
    }
    set_state(tx, &found, BatchState::Noticed)?;
    tx.execute(
        "UPDATE batch SET notice_id = ?2, notice_number = ?3 WHERE id = ?1",
        params![batch, published.notice, &published.number],
    )?;
    let mut rows = vec![("batch", batch.0)];
    for (position, line) in (1i64..).zip(&published.lines) {
        tx.execute(
            "UPDATE batch_entry SET notice_position = ?3, public_name = ?4, public_summary = ?5 \
             WHERE id = ?1 AND batch_id = ?2",
            params![line.entry, batch, position, &line.name, &line.summary],
        )?;
        rows.push(("batch_entry", line.entry.0));
    }
    let detail = json!({ "notice": published.notice });
    event(tx, actor, "batch.notice", batch, detail, rows);
    Ok(())
}

/// Holds one entry: it is neither made final nor paid until it is released. The others go on.
///
/// # Errors
/// Refused where the entry is already with the bank, paid or removed.
pub fn hold_entry(tx: &Tx<'_>, actor: &Actor, entry: BatchEntryId, why: &str) -> Result<()> {
    let (_, found) = visible_entry(tx, actor, entry)?;
    if !matches!(found.state, EntryState::Committed | EntryState::Payable) {
        let message = format!("这一项已是「{}」，不能再暂缓。", found.state.zh());
        return Err(Refusal::conflict("entry-too-late", message).into());
    }
    if found.held_why.is_some() {
        return Ok(());
    }
    let why: String = vocab::mask_numbers(why.trim())
        .chars()
        .take(LONGEST)
        .collect();
    change_entry(tx, &found, "held_why = ?3", vec![why.into()])?;
    let rows = vec![("batch_entry", entry.0)];
    event(
        tx,
        actor,
        "batch.hold_entry",
        found.batch,
        json!({ "entry": entry }),
        rows,
    );
    Ok(())
}

/// Lets a held entry go on.
///
/// # Errors
/// Refused where it is not held.
pub fn release_hold(tx: &Tx<'_>, actor: &Actor, entry: BatchEntryId) -> Result<()> {
    let (_, found) = visible_entry(tx, actor, entry)?;
    if found.held_why.is_none() {
        return Err(Refusal::conflict("not-held", "这一项没有暂缓，无需恢复。请刷新页面。").into());
    }
    change_entry(tx, &found, "held_why = NULL", Vec::new())?;
    let rows = vec![("batch_entry", entry.0)];
    event(
        tx,
        actor,
        "batch.release_hold",
        found.batch,
        json!({ "entry": entry }),
        rows,
    );
    Ok(())
}

/// Takes an entry off the list and frees its money. Before the notice its case waits for another
/// batch; afterwards (an objection was upheld) its case ends without money.
///
/// # Errors
/// Refused where the actor may not, the reason is missing, or the entry is already final.
pub fn remove_entry(tx: &Tx<'_>, actor: &Actor, entry: BatchEntryId, reason: &str) -> Result<()> {
    let (batch, found) = visible_entry(tx, actor, entry)?;
    need_own(actor, KEEPERS, batch.department, "移出名单")?;
    if found.state != EntryState::Committed {
        let message = format!("这一项已是「{}」，不能移出名单。", found.state.zh());
        return Err(Refusal::conflict("entry-too-late", message).into());
    }
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > LONGEST {
        let message = format!("请写明移出名单的理由，不超过 {LONGEST} 个字。");
        return Err(Refusal::field("reason", "required", message).into());
    }
    let reason = vocab::mask_numbers(reason);
    if batch.state != BatchState::Proposed {
        casework::complete_by_batch(tx, actor, found.case, NOTICE, "removed", &reason, None)?;
    }
    let state = EntryState::Removed.code();
    change_entry(
        tx,
        &found,
        "state = ?3, removed_why = ?4, held_why = NULL",
        vec![state.into(), (&reason).into()],
    )?;
    settle_state(tx, batch.id)?;
    let ((), posted) = keep_journal(tx, batch.line, |journal| {
        let movement = Movement::Release {
            line: journal.line(),
            amount: found.amount,
        };
        let memo = format!("移出{}，{}，{reason}", batch.title, found.party_name);
        journal
            .post(actor, movement, ("batch_entry", entry.0), &memo)
            .map(drop)
    })?;
    let mut rows: Rows = vec![("batch", batch.id.0), ("batch_entry", entry.0)];
    rows.extend(posted);
    let detail = json!({ "entry": entry, "case": found.case_number, "reason": reason });
    event(tx, actor, "batch.remove_entry", batch.id, detail, rows);
    Ok(())
}

/// The notice has ended: every entry that is not held becomes final and payable. Gives how many;
/// none where that was done before, or nobody is left on the list.
///
/// # Errors
/// Refused where the actor may not, or the batch was not published.
pub fn finalise(tx: &Tx<'_>, actor: &Actor, batch: BatchId) -> Result<usize> {
    let found = find_batch(tx, actor, batch)?;
    need_own(actor, KEEPERS, found.department, "确定最终名单")?;
    match found.state {
        BatchState::Proposed => {
            return Err(
                Refusal::conflict("not-noticed", "名单还没有公示，不能确定为最终名单。").into(),
            );
        }
        BatchState::Noticed => set_state(tx, &found, BatchState::Final)?,
        BatchState::Final | BatchState::Paying | BatchState::Done => return Ok(0),
    }
    let mut entries = entries_of(tx, batch)?;
    entries.retain(|entry| entry.state == EntryState::Committed && entry.held_why.is_none());
    let rows = make_payable(tx, actor, &found, &entries)?;
    let detail = json!({ "entries": entries.len() });
    event(tx, actor, "batch.finalise", batch, detail, rows);
    Ok(entries.len())
}

/// The objection to an entry was dismissed after the notice had ended: it becomes final, too.
///
/// # Errors
/// Refused where the actor may not, the entry is held or not waiting, or the notice still runs.
pub fn finalise_entry(tx: &Tx<'_>, actor: &Actor, entry: BatchEntryId) -> Result<()> {
    let (batch, found) = visible_entry(tx, actor, entry)?;
    need_own(actor, KEEPERS, batch.department, "确定最终名单")?;
    if matches!(batch.state, BatchState::Proposed | BatchState::Noticed) {
        return Err(Refusal::conflict("notice-running", "公示期满后才能确定最终名单。").into());
    }
    if found.state != EntryState::Committed || found.held_why.is_some() {
        let message = "这一项仍在暂缓，或者已经确定或移出。请刷新页面查看。";
        return Err(Refusal::conflict("entry-not-waiting", message).into());
    }
    let rows = make_payable(tx, actor, &batch, &[found])?;
    event(
        tx,
        actor,
        "batch.finalise_entry",
        batch.id,
        json!({ "entry": entry }),
        rows,
    );
    Ok(())
}

/// Ends the notice of each case and moves each amount from promised to payable.
fn make_payable(
    tx: &Tx<'_>,
    actor: &Actor,
    batch: &BatchRow,
    entries: &[EntryRow],
) -> Result<Rows> {
    let mut rows: Rows = vec![("batch", batch.id.0)];
    for entry in entries {
        casework::complete_by_batch(tx, actor, entry.case, NOTICE, "final", "", None)?;
        rows.push(("batch_entry", entry.id.0));
    }
    move_entries(tx, entries, EntryState::Payable)?;
    settle_state(tx, batch.id)?;
    let ((), posted) = keep_journal(tx, batch.line, |journal| {
        for entry in entries {
            let movement = Movement::MakePayable {
                line: journal.line(),
                amount: entry.amount,
            };
            let memo = format!("{}，公示无异议，{}", batch.title, entry.party_name);
            journal.post(actor, movement, ("batch_entry", entry.id.0), &memo)?;
        }
        Ok(())
    })?;
    rows.extend(posted);
    Ok(rows)
}

/// An entry with its batch, if the actor may see it.
fn visible_entry(tx: &Tx<'_>, actor: &Actor, entry: BatchEntryId) -> Result<(BatchRow, EntryRow)> {
    let found = load_entry(tx, entry)?;
    Ok((find_batch(tx, actor, found.batch)?, found))
}

/// Changes an entry under its version; `?1` is the id, `?2` the version, values follow.
pub(super) fn change_entry(
    tx: &Tx<'_>,
    entry: &EntryRow,
    set: &str,
    values: Vec<Value>,
) -> Result<()> {
    let sql = format!(
        "UPDATE batch_entry SET {set}, version = version + 1 WHERE id = ?1 AND version = ?2"
    );
    let mut all = Vec::from(params![entry.id, entry.version]);
    all.extend(values);
    if tx.execute(&sql, all)? == 1 {
        Ok(())
    } else {
        Err(changed_meanwhile("名单中的这一项"))
    }
}

/// Moves entries on, each under its version.
pub(super) fn move_entries<'e>(
    tx: &Tx<'_>,
    entries: impl IntoIterator<Item = &'e EntryRow>,
    state: EntryState,
) -> Result<()> {
    let entries = entries.into_iter().map(|entry| (entry.id.0, entry.version));
    let entries: Vec<(Uuid, i64)> = entries.collect();
    let set = "batch_entry SET state = ?1, version = version + 1";
    if bulk::update(tx, set, &params![state.code()], &entries)? == entries.len() as u64 {
        Ok(())
    } else {
        Err(changed_meanwhile("名单中的各项"))
    }
}

fn set_state(tx: &Tx<'_>, batch: &BatchRow, state: BatchState) -> Result<()> {
    let sql = "UPDATE batch SET state = ?3, version = version + 1 WHERE id = ?1 AND version = ?2";
    if tx.execute(sql, params![batch.id, batch.version, state.code()])? == 1 {
        Ok(())
    } else {
        Err(changed_meanwhile("这个批次"))
    }
}

/// Sets the state of a batch as it follows from its entries and payment files.
pub(super) fn settle_state(tx: &Tx<'_>, batch: BatchId) -> Result<()> {
    let (state, open, live, files) = tx.row(
        "SELECT b.state, \
         (SELECT COUNT(*) FROM batch_entry e WHERE e.batch_id = b.id AND e.state IN ('committed', 'payable', 'in-payment')), \
         (SELECT COUNT(*) FROM batch_entry e WHERE e.batch_id = b.id AND e.state <> 'removed'), \
         (SELECT COUNT(*) FROM payment_file f WHERE f.batch_id = b.id) \
         FROM batch b WHERE b.id = ?1",
        params![batch],
        |row| Ok((row.get::<BatchState>(0)?, row.get::<i64>(1)?, row.get::<i64>(2)?, row.get::<i64>(3)?)),
    )?;
    let next = match state {
        BatchState::Proposed | BatchState::Noticed if live > 0 => state,
        _ if open == 0 => BatchState::Done,
        _ if files > 0 => BatchState::Paying,
        _ => BatchState::Final,
    };
    tx.execute(
        "UPDATE batch SET state = ?2, version = version + 1 WHERE id = ?1",
        params![batch, next.code()],
    )?;
    Ok(())
}

/// An event about a batch.
pub(super) fn event(
    tx: &Tx<'_>,
    actor: &Actor,
    command: &'static str,
    batch: BatchId,
    detail: serde_json::Value,
    rows: Vec<(&'static str, Uuid)>,
) {
    let (actor, subject) = (actor.to_ref(), ("batch", batch.0));
    tx.event(Event {
        actor,
        command,
        subject,
        detail,
        rows,
    });
}
