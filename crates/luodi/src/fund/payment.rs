//! Payment (拨付): a batch's payable entries leave for the bank in a numbered, sealed file.
//!
//! It lacks the bank's reply (`settle`) and the form of the file (`file`).

use jiff::Timestamp;
use ledger::Movement;
use serde_json::json;
use uuid::Uuid;
use vocab::{Fen, fold_width};

use super::batch::{change_entry, move_entries, settle_state};
use super::batch_queries::{BatchRow, EntryRow, entries_of, find_batch, load_entry};
use super::bulk;
use super::file::{self, FileLine};
use super::journal::{Rows, keep_journal};
use super::payment_queries::{FileRow, find_file};
use super::state::{BatchState, EntryState, FileState, PaymentState};
use super::{changed_meanwhile, need_role};
use crate::access::{Actor, Role, may_act};
use crate::casework::{self, Duty};
use crate::ids::{BankAccountId, BatchEntryId, BatchId, PaymentFileId, PaymentId};
use crate::number;
use crate::params;
use crate::party::{
    self,
    bank_account::{self, PaymentAccount},
};
use crate::refusal::{Error, Refusal, Result, need_untouched};
use crate::store::{Event, Query, Tx};

/// What a sealed payment file is called among sealed things.
const CLASS: &str = "payment_file";
/// The longest 用途, in characters.
const PURPOSE: usize = 60;

/// Why an entry whose beneficiary was renamed waits.
pub(super) const RENAMED: &str =
    "收款账户的户名与公示名单上的名称不一致：由部门审批人核实更名后拨付";

/// Whether a payable entry can leave now.
#[derive(Clone, Debug)]
pub enum Readiness {
    /// To this account, called as pages may.
    Ready(BankAccountId, String),
    /// Not before this is mended.
    Blocked(&'static str),
}

/// Where the money of an entry would go: the approved account the case names, else the newest
/// approved one of the party. Its holder must be the beneficiary, and the bank has not returned
/// this entry from it.
///
/// # Errors
/// A fault of the store.
pub fn readiness(q: &dyn Query, actor: &Actor, entry: &EntryRow) -> Result<Readiness> {
    Ok(match destination(q, actor, entry)? {
        Ok((account, to)) => {
            Readiness::Ready(account, format!("{} {}", to.bank_name, to.number.masked()))
        }
        Err(why) => Readiness::Blocked(why),
    })
}

/// The account and what the file needs of it; or why the entry waits.
fn destination(
    q: &dyn Query,
    actor: &Actor,
    entry: &EntryRow,
) -> Result<Result<(BankAccountId, PaymentAccount), &'static str>> {
    if entry.held_why.is_some() {
        return Ok(Err("暂缓：异议尚未答复"));
    }
    let mut approved = bank_account::approved_of(q, entry.party)?;
    let failed = returned_from(q, entry.id)?;
    let before = approved.len();
    approved.retain(|account| !failed.contains(&account.id));
    let named = casework::find_case(q, actor, entry.case)?.bank_account;
    let chosen = approved
        .iter()
        .find(|account| Some(account.id) == named)
        .or(approved.first());
    Ok(match chosen {
        None if before > 0 => Err("银行已从原账户退回：请受益人另报收款账户并核准"),
        None => Err("没有已核准的收款账户"),
        // The same question the payment file asks, so that one party never stops a whole batch.
        Some(account) => match bank_account::for_payment(q, account.id) {
            // The money goes to whom the public notice named, whatever the party is called by now.
            Ok(paid_to) if fold_width(&paid_to.holder_name) != fold_width(&entry.party_name) => {
                Err(RENAMED)
            }
            Ok(paid_to) => Ok((account.id, paid_to)),
            Err(Error::Refused(_)) => Err("收款账户的户名与主体现在的名称不一致"),
            Err(fault) => return Err(fault),
        },
    })
}

/// Clears a beneficiary who was renamed after the list was made (核实更名): the entry goes by the
/// party's name of now, and the reason, such as the register's notice of the change, is recorded.
/// The published name stays as it was published.
///
/// # Errors
/// Refused where the actor is not the department's approver, the entry is not waiting to be paid,
/// the name has not changed, or the reason is missing.
pub fn clear_renaming(tx: &Tx<'_>, actor: &Actor, entry: BatchEntryId, reason: &str) -> Result<()> {
    need_role(actor, &[Role::Approver], "核实更名")?;
    let found = load_entry(tx, entry)?;
    let batch = find_batch(tx, actor, found.batch)?;
    if !may_act(actor, Role::Approver, Some(batch.department)) {
        let message = "更名由作出决定的部门核实，您的账号不在这个部门。";
        return Err(Refusal::forbidden("role", message).into());
    }
    let party = party::find_for_case(tx, found.party)?;
    let (name, logged) = (party.name, |name: &str| {
        party::masked_name(party.kind.code(), name)
    });
    if found.state != EntryState::Payable || fold_width(&name) == fold_width(&found.party_name) {
        return Err(changed_meanwhile("这一项"));
    }
    let reason = reason.trim();
    if !(4..=200).contains(&reason.chars().count()) {
        let message = "请写明更名的依据（4 至 200 个字），例如登记机关的变更通知书文号。";
        return Err(Refusal::field("why", "required", message).into());
    }
    change_entry(tx, &found, "party_name = ?3", vec![name.as_str().into()])?;
    let detail = json!({
        "entry": entry, "before": logged(&found.party_name), "after": logged(&name), "reason": vocab::mask_numbers(reason),
    });
    tx.event(Event {
        actor: actor.to_ref(),
        command: "batch.clear_renaming",
        subject: ("batch", batch.id.0),
        detail,
        rows: vec![("batch_entry", entry.0)],
    });
    Ok(())
}

/// The accounts from which the bank returned an entry.
fn returned_from(q: &dyn Query, entry: BatchEntryId) -> Result<Vec<BankAccountId>> {
    Ok(q.rows(
        "SELECT bank_account_id FROM payment WHERE batch_entry_id = ?1 AND state = ?2",
        params![entry, PaymentState::Returned.code()],
        |row| row.get(0),
    )?)
}

/// An entry on its way into a file.
struct Outgoing {
    entry: EntryRow,
    payment: PaymentId,
    account: BankAccountId,
    paid_to: PaymentAccount,
}

/// Makes a payment file of every payable entry of a batch that is not held and has an approved
/// account. The others stay payable.
///
/// # Errors
/// Refused where the actor is not finance or decided one of the cases, the page is stale, or no
/// entry can leave.
pub fn create_payment_file(
    tx: &Tx<'_>,
    actor: &Actor,
    batch: BatchId,
    version: i64,
) -> Result<PaymentFileId> {
    need_role(actor, &[Role::Finance], "拨付")?;
    let found = find_batch(tx, actor, batch)?;
    if found.version != version {
        return Err(changed_meanwhile("这个批次"));
    }
    if matches!(found.state, BatchState::Proposed | BatchState::Noticed) {
        return Err(Refusal::conflict("not-final", "公示期满、名单确定后才能拨付。").into());
    }
    let leaving = leaving_entries(tx, actor, batch)?;
    if leaving.is_empty() {
        let message =
            "没有可以拨付的名单：应付各项尚无已核准的收款账户，或者正在暂缓。请先核准账户。";
        return Err(Refusal::invalid("nothing-to-pay", message).into());
    }
    let entries: Vec<Uuid> = leaving.iter().map(|out| out.entry.id.0).collect();
    let accounts: Vec<Uuid> = leaving.iter().map(|out| out.account.0).collect();
    need_untouched(tx, "batch", &[batch.0])?;
    need_untouched(tx, "batch_entry", &entries)?;
    need_untouched(tx, "bank_account", &accounts)?;
    for out in &leaving {
        record_pay(tx, actor, &out.entry)?;
    }
    let (file, mut rows) = write_file(tx, actor, &found, &leaving)?;
    let entries = leaving.iter().map(|out| &out.entry);
    move_entries(tx, entries.clone(), EntryState::InPayment)?;
    rows.extend(entries.map(|entry| ("batch_entry", entry.id.0)));
    settle_state(tx, batch)?;
    rows.extend(post_sent(tx, actor, &found, &file.1, &leaving)?);
    let detail = json!({ "number": &file.1, "lines": leaving.len(), "batch": batch });
    let (actor, subject) = (actor.to_ref(), ("payment_file", file.0.0));
    tx.event(Event {
        actor,
        command: "payment.create_file",
        subject,
        detail,
        rows,
    });
    Ok(file.0)
}

fn leaving_entries(tx: &Tx<'_>, actor: &Actor, batch: BatchId) -> Result<Vec<Outgoing>> {
    let mut leaving = Vec::new();
    for entry in entries_of(tx, batch)? {
        if entry.state != EntryState::Payable {
            continue;
        }
        if let Ok((account, paid_to)) = destination(tx, actor, &entry)? {
            let payment = PaymentId(tx.new_id());
            leaving.push(Outgoing {
                entry,
                payment,
                account,
                paid_to,
            });
        }
    }
    Ok(leaving)
}

/// Records that the actor pays this case; who decided it may not.
fn record_pay(tx: &Tx<'_>, actor: &Actor, entry: &EntryRow) -> Result<()> {
    casework::record_duty(tx, entry.case, actor, Duty::Pay).map_err(|error| match error {
        Error::Refused(mut refusal) => {
            refusal.message = format!(
                "办件 {}（{}）：{}",
                entry.case_number, entry.party_name, refusal.message
            );
            refusal.into()
        }
        other => other,
    })
}

/// Writes the file, sealed under its own key, and its lines.
fn write_file(
    tx: &Tx<'_>,
    actor: &Actor,
    batch: &BatchRow,
    leaving: &[Outgoing],
) -> Result<((PaymentFileId, String), Rows)> {
    let overflow = || Refusal::invalid("overflow", "本次合计超出可记账范围，请分批拨付。");
    let total =
        Fen::checked_sum(leaving.iter().map(|out| out.entry.amount)).ok_or_else(overflow)?;
    let (region, year) = (batch.region, tx.today().year());
    let next = number::next(tx, &format!("payment {region} {year}"))?;
    let number = format!("ZF{region}-{year}-{next:04}");
    let written = file::write(&number, total, &file_lines(batch, leaving));
    let id = PaymentFileId(tx.new_id());
    let sealed = tx.seal_bytes(id.0, CLASS, &written.body)?;
    tx.execute(
        "INSERT INTO payment_file (id, number, batch_id, line_count, total_fen, sha256, body_sealed, \
         state, created_by, created_at, version) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 1)",
        params![
            id,
            &number,
            batch.id,
            i64::try_from(leaving.len()).unwrap_or(i64::MAX),
            total,
            written.sha256,
            sealed,
            FileState::Sent.code(),
            actor.account_id(),
            tx.now()
        ],
    )?;
    let mut rows: Rows = vec![("payment_file", id.0), ("batch", batch.id.0)];
    let columns =
        "id, file_id, line_number, batch_entry_id, bank_account_id, amount_fen, state, version";
    let row = |(line, out): (i64, &Outgoing)| {
        params![
            out.payment,
            id,
            line,
            out.entry.id,
            out.account,
            out.entry.amount,
            PaymentState::Sent.code(),
            1_i64
        ]
    };
    let payments = (1_i64..).zip(leaving).map(row).collect();
    bulk::insert(tx, ("payment", columns), payments)?;
    rows.extend(leaving.iter().map(|out| ("payment", out.payment.0)));
    Ok(((id, number), rows))
}

fn file_lines(batch: &BatchRow, leaving: &[Outgoing]) -> Vec<FileLine> {
    let purpose: String = batch
        .title
        .trim_end_matches("拟补名单")
        .chars()
        .take(PURPOSE)
        .collect();
    let line = |(number, out): (i64, &Outgoing)| FileLine {
        number,
        holder_name: out.paid_to.holder_name.clone(),
        bank_name: out.paid_to.bank_name.clone(),
        bank_code: out.paid_to.bank_code.as_str().to_owned(),
        account: out.paid_to.number.as_str().to_owned(),
        amount: out.entry.amount,
        purpose: purpose.clone(),
    };
    (1..).zip(leaving).map(line).collect()
}

fn post_sent(
    tx: &Tx<'_>,
    actor: &Actor,
    batch: &BatchRow,
    number: &str,
    leaving: &[Outgoing],
) -> Result<Rows> {
    let ((), rows) = keep_journal(tx, batch.line, |journal| {
        for (line, out) in (1..).zip(leaving) {
            let movement = Movement::Send {
                line: journal.line(),
                amount: out.entry.amount,
            };
            let memo = format!("支付文件 {number} 第 {line} 行，{}", out.entry.party_name);
            journal.post(actor, movement, ("payment", out.payment.0), &memo)?;
        }
        Ok(())
    })?;
    Ok(rows)
}

/// Opens a payment file for handing it to the bank; that is logged. Not to be run once under a
/// key: the store would keep the answer, and with it the account numbers, in the clear.
///
/// # Errors
/// Refused where the actor is not finance of the region.
pub fn open_payment_file(
    tx: &Tx<'_>,
    actor: &Actor,
    id: PaymentFileId,
) -> Result<(FileRow, Vec<u8>)> {
    need_role(actor, &[Role::Finance], "下载支付文件")?;
    let file = find_file(tx, actor, id)?;
    let sealed: Vec<u8> = tx.row(
        "SELECT body_sealed FROM payment_file WHERE id = ?1",
        params![id],
        |row| row.get(0),
    )?;
    let body = tx.open_bytes_as(id.0, CLASS, &sealed)?;
    let at: Timestamp = tx.now();
    tx.event(Event {
        actor: actor.to_ref(),
        command: "payment.download",
        subject: ("payment_file", id.0),
        detail: json!({ "number": &file.number, "at": at.to_string() }),
        rows: Vec::new(),
    });
    Ok((file, body))
}
