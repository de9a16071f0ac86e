//! Money (资金): budgets, the double-entry ledger behind every figure, batches and payments.
//!
//! Owns the tables `budget_line`, `ledger_entry`, `posting`, `ledger_balance`, `batch`,
//! `batch_entry`, `payment_file`, `payment` and `bank_reply`. The rules of bookkeeping are the
//! crate `ledger`; here its entries are kept. It lacks decisions on single cases (`casework`), the
//! publication of a list and objections to it (`notice`), and bank accounts (`party`).

mod state;

mod bulk;
mod journal;
mod verify;

mod budget;
mod budget_pages;
mod queries;

mod batch;
mod batch_list_pages;
mod batch_pages;
mod batch_queries;
pub mod dossier;

mod fault;
mod file;
pub mod named;
mod outcome;
mod payment;
mod payment_list_pages;
mod payment_pages;
mod payment_queries;
mod reply;
mod settle;
mod waiting;

mod overview;
mod paid;

#[cfg(test)]
mod tests;

pub use batch::{
    MOST_ENTRIES, PublishedLine, PublishedList, batch_for_notice, create_batch, finalise,
    finalise_entry, hold_entry, mark_noticed, release_hold, remove_entry,
};
pub use batch_queries::{
    BatchFilter, BatchRow, EntryRow, ListedBatch, Sum, count_batches, find_batch,
};
pub use budget::{NewBudget, adjust_budget, create_budget};
pub use fault::{Fault, Faults};
pub use journal::{Journal, Rows, keep_journal, post};
pub use paid::{PaidFilter, PaidRow, count_paid, list_paid, paid_href, paid_in_year};
pub use payment::{Readiness, clear_renaming, create_payment_file, open_payment_file, readiness};
pub use payment_queries::{
    CaseMoney, CasePayment, FileFilter, FileRow, PaymentRow, ReplyRow, Returned, find_file,
    last_file_of, of_case, received_by, returned_parties, returned_to,
};
pub use queries::{
    BudgetFilter, BudgetRow, Figures, PostingFilter, PostingRow, budgets_for, count_budgets,
    find_budget, list_budgets, list_postings, sum_budgets,
};
pub use reply::{Answer, Reply, ReplyLine, read as read_reply};
pub use settle::{Repeated, Settled, apply_reply};
pub use state::{BatchState, EntryState, FileState, Outcome, PaymentState};
pub use verify::{Finding, Verification, altered_balances, numbers, verify};
pub use waiting::{batches_in, payments_waiting, unlisted};

use crate::access::{Actor, ActorKind, Role, may_act};
use crate::ids::DepartmentId;
use crate::refusal::{Refusal, Result};
use crate::web::Route;

/// The routes of money.
pub fn routes() -> Vec<Route> {
    let mut routes = budget_pages::routes();
    routes.extend(batch_list_pages::routes());
    routes.extend(batch_pages::routes());
    routes.extend(payment_list_pages::routes());
    routes.extend(payment_pages::routes());
    routes.extend(overview::routes());
    routes.extend(paid::routes());
    routes
}

/// Refuses an actor without one of the roles. The program itself may do what its jobs ask for.
fn need_role(actor: &Actor, roles: &[Role], what: &str) -> Result<()> {
    if actor.roles.any(roles) || actor.kind == ActorKind::System {
        return Ok(());
    }
    let names: Vec<&str> = roles.iter().map(|role| role.zh()).collect();
    let message = format!("{what}由{}办理，您的账号没有这个岗位。", names.join("或"));
    Err(Refusal::forbidden("role", message).into())
}

/// Refuses an actor who has none of the roles in the department of the batch, however far another
/// role lets him see. The program itself may do what its jobs ask for.
fn need_own(actor: &Actor, roles: &[Role], department: DepartmentId, what: &str) -> Result<()> {
    need_role(actor, roles, what)?;
    let own = |role: &Role| may_act(actor, *role, Some(department));
    if roles.iter().any(own) || actor.kind == ActorKind::System {
        return Ok(());
    }
    let message = format!("{what}由批次所属部门办理，您的账号不在这个部门。");
    Err(Refusal::forbidden("role", message).into())
}

/// The thing has changed since the page was shown.
fn changed_meanwhile(what: &str) -> crate::refusal::Error {
    let message = format!("{what}刚刚被其他人办理过。请刷新页面查看最新情况，再决定是否继续。");
    Refusal::conflict("changed-meanwhile", message).into()
}
