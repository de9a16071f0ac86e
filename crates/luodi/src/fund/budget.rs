//! What finance does with budget lines (预算指标): adopt one, adjust it.
//!
//! It lacks the second person's approval of an adjustment, and carrying over to the next year.

use jiff::civil::Date;
use ledger::Movement;
use serde_json::json;
use vocab::{Fen, RegionCode};

use super::{journal, need_role};
use crate::access::{Actor, Role, Scope, may_see};
use crate::account;
use crate::ids::{BudgetLineId, DepartmentId};
use crate::params;
use crate::refusal::{Refusal, Refusals, Result};
use crate::store::{Event, Query, Tx};

/// The largest amount of one adoption or adjustment: 1 万亿元, above any city's budget, so that a
/// slip of the pen is caught and sums stay far from the end of 64 bits.
const LARGEST: Fen = Fen(100_000_000_000_000);
/// The longest name, project or reason, in characters.
const LONGEST: usize = 200;

/// A budget line as finance writes it.
#[derive(Clone, Debug)]
pub struct NewBudget {
    /// The year.
    pub year: i64,
    /// The department that spends it; its region is the line's.
    pub department: DepartmentId,
    /// Its name.
    pub name: String,
    /// 功能分类科目: 7 digits.
    pub function_code: String,
    /// 经济分类科目: 5 digits.
    pub economic_code: String,
    /// The project (项目).
    pub project: String,
    /// 指标文号, the paper that adopts it; unique.
    pub document_number: String,
    /// The amount adopted.
    pub amount: Fen,
}

/// Adopts a budget line (下达预算).
///
/// # Errors
/// Refused where the actor is not finance of the region, or a field breaks a rule.
pub fn create_budget(tx: &Tx<'_>, actor: &Actor, new: &NewBudget) -> Result<BudgetLineId> {
    need_role(actor, &[Role::Finance], "下达预算")?;
    let region = check(tx, actor, tx.today(), new, Refusals::default())?;
    let id = BudgetLineId(tx.new_id());
    tx.execute(
        "INSERT INTO budget_line (id, year, region_code, department_id, name, function_code, \
         economic_code, project, document_number, version) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 1)",
        params![
            id,
            new.year,
            region,
            new.department,
            new.name.trim(),
            new.function_code.trim(),
            new.economic_code.trim(),
            new.project.trim(),
            new.document_number.trim()
        ],
    )?;
    let movement = Movement::Adopt {
        line: journal::book(id),
        amount: new.amount,
    };
    let memo = format!("下达预算，{}", new.document_number.trim());
    let rows = journal::post_first(tx, actor, id, movement, &memo)?;
    tx.event(Event {
        actor: actor.to_ref(),
        command: "budget.create",
        subject: ("budget_line", id.0),
        detail: json!({ "document": new.document_number.trim(), "amount_fen": new.amount }),
        rows,
    });
    Ok(id)
}

/// The region of a department in which the actor keeps budgets.
fn department_region(q: &dyn Query, actor: &Actor, id: DepartmentId) -> Result<Option<RegionCode>> {
    let found = account::department(q, id)?.map(|department| department.region);
    Ok(found.filter(|region| {
        may_see(
            actor,
            &Scope {
                region: *region,
                department: Some(id),
                party: None,
            },
        )
    }))
}

/// The fields of the form of a new line, in its order.
const FORM: &[&str] = &[
    "year",
    "department",
    "name",
    "project",
    "document_number",
    "function_code",
    "economic_code",
    "amount",
];

/// Every rule of a new line, besides what is known to be wrong; gives the region of its department.
///
/// # Errors
/// Refused with all fields that break a rule.
pub(super) fn check(
    q: &dyn Query,
    actor: &Actor,
    today: Date,
    new: &NewBudget,
    mut wrong: Refusals,
) -> Result<RegionCode> {
    let region = department_region(q, actor, new.department)?;
    if region.is_none() {
        wrong.add("department", "required", "请选择本区域的一个部门。");
    }
    check_texts(new, &mut wrong);
    let this_year = i64::from(today.year());
    if !(this_year - 5..=this_year + 1).contains(&new.year) {
        wrong.add(
            "year",
            "range",
            "请填写最近五年内或下一年度的预算年度，如 2026。",
        );
    }
    if !new.amount.is_positive() || new.amount > LARGEST {
        wrong.add("amount", "range", "预算金额应大于零且不超过 1 万亿元。");
    }
    let taken = q.row_opt(
        "SELECT name FROM budget_line WHERE document_number = ?1",
        params![new.document_number.trim()],
        |row| row.get::<String>(0),
    )?;
    if let Some(name) = taken {
        let message = format!("文号已用于指标「{name}」。调整预算请打开该指标办理。");
        wrong.add("document_number", "taken", message);
    }
    wrong.in_order(FORM)?;
    Ok(region.ok_or_else(|| Refusal::not_found("没有这个部门。"))?)
}

fn check_texts(new: &NewBudget, wrong: &mut Refusals) {
    for (field, text, what) in [
        ("name", &new.name, "指标名称"),
        ("project", &new.project, "项目"),
        ("document_number", &new.document_number, "指标文号"),
    ] {
        match text.trim().chars().count() {
            0 => wrong.add(field, "required", format!("请填写{what}。")),
            length if length > LONGEST => {
                wrong.add(field, "length", format!("{what}不超过 {LONGEST} 个字。"));
            }
            _ => {}
        }
    }
    if !digits(&new.function_code, 7) {
        wrong.add(
            "function_code",
            "digits",
            "功能分类科目是 7 位数字（类款项），如 2150805。",
        );
    }
    if !digits(&new.economic_code, 5) {
        wrong.add(
            "economic_code",
            "digits",
            "经济分类科目是 5 位数字（类款），如 31204。",
        );
    }
}

fn digits(text: &str, count: usize) -> bool {
    let text = text.trim();
    text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Raises (above zero) or cuts (below zero) a budget line (调整预算). Only what is available can be
/// cut.
///
/// # Errors
/// Refused where the actor is not finance of the region, the page is stale, the reason is missing,
/// or more is to be cut than is available.
pub fn adjust_budget(
    tx: &Tx<'_>,
    actor: &Actor,
    id: BudgetLineId,
    version: i64,
    difference: Fen,
    reason: &str,
) -> Result<()> {
    need_role(actor, &[Role::Finance], "调整预算")?;
    let line = super::find_budget(&**tx, actor, id)?;
    if line.version != version {
        return Err(super::changed_meanwhile("这个预算指标"));
    }
    check_adjustment(
        line.figures.available,
        difference,
        reason,
        Refusals::default(),
    )?;
    let reason = vocab::mask_numbers(reason.trim());
    let movement = Movement::Adjust {
        line: journal::book(id),
        difference,
    };
    let memo = format!("调整预算，{reason}");
    let rows = journal::post(tx, actor, id, movement, ("budget_line", id.0), &memo)?;
    tx.event(Event {
        actor: actor.to_ref(),
        command: "budget.adjust",
        subject: ("budget_line", id.0),
        detail: json!({ "difference_fen": difference, "reason": reason }),
        rows,
    });
    Ok(())
}

/// Every rule of an adjustment, besides what is known to be wrong.
///
/// # Errors
/// Refused with all fields that break a rule.
pub(super) fn check_adjustment(
    available: Fen,
    difference: Fen,
    reason: &str,
    mut wrong: Refusals,
) -> Result<(), Refusal> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > LONGEST {
        let message = format!("请写明调整依据（如文号）和原因，不超过 {LONGEST} 个字。");
        wrong.add("reason", "required", message);
    }
    if difference == Fen::ZERO || difference > LARGEST || difference < -LARGEST {
        wrong.add("amount", "range", "调整金额不能为零，也不超过 1 万亿元。");
    } else if available + difference < Fen::ZERO {
        let wanted = -difference;
        let message =
            format!("可用指标 {available} 元，不够调减 {wanted} 元；已承诺和已付的部分不能调减。");
        wrong.add("amount", "over-budget", message);
    }
    wrong.in_order(&["direction", "amount", "reason"])
}
