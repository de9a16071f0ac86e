//! The bank's reply taken in: each line paid or returned, all of the reply or nothing.
//!
//! It lacks the reading of the reply, which is done before the transaction (`reply`).

use std::collections::BTreeMap;

use ledger::Movement;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;
use vocab::Fen;

use super::batch::{change_entry, settle_state};
use super::batch_queries::load_entry;
use super::journal::{Rows, keep_journal};
use super::payment_queries::{FileRow, PaymentRow, find_file, payments_of};
use super::reply::{Answer, Fault, Faults, Reply, ReplyLine, refuse};
use super::state::{EntryState, FileState, PaymentState};
use super::{changed_meanwhile, need_role};
use crate::access::{Actor, Role};
use crate::casework::{self, Duty};
use crate::ids::PaymentFileId;
use crate::params;
use crate::party;
use crate::refusal::Result;
use crate::store::{Event, Tx, day_in_china};

/// The task in which a case waits for its money.
const PAY: &str = "pay";

/// What a reply brought.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// This very reply was taken in before; nothing was done.
    pub repeated: bool,
    /// Lines newly paid.
    pub paid: u64,
    /// Their sum.
    pub paid_fen: Fen,
    /// Lines newly returned.
    pub returned: u64,
    /// Their sum.
    pub returned_fen: Fen,
    /// Lines that wait for a further reply.
    pub waiting: u64,
}

impl Settled {
    /// What to tell the person.
    pub fn message(&self) -> String {
        if self.repeated {
            return "这份回单已经登记过，账目没有变动。".to_owned();
        }
        let mut message = format!("回单已登记：成功 {} 笔 {} 元", self.paid, self.paid_fen);
        if self.returned > 0 {
            let sum = self.returned_fen;
            message.push_str(&format!(
                "，退回 {} 笔 {sum} 元，更正收款账户后可再次拨付",
                self.returned
            ));
        }
        if self.waiting > 0 {
            message.push_str(&format!("，还有 {} 笔待银行回单", self.waiting));
        }
        message + "。"
    }
}

/// A line of the reply with the payment it answers.
struct Matched<'a> {
    line: &'a ReplyLine,
    payment: &'a PaymentRow,
}

/// Takes a reply in. The same bytes again, whoever sends them, change nothing.
///
/// # Errors
/// Refused whole, naming each line at fault: wrong file, unknown line, another amount, an
/// impossible day, a result that contradicts an earlier reply.
pub fn apply_reply(
    tx: &Tx<'_>,
    actor: &Actor,
    id: PaymentFileId,
    version: i64,
    reply: &Reply,
) -> Result<Settled> {
    need_role(actor, &[Role::Finance], "登记银行回单")?;
    let file = find_file(tx, actor, id)?;
    let payments = payments_of(tx, id)?;
    let known = tx.row_opt(
        "SELECT 1 FROM bank_reply WHERE file_id = ?1 AND sha256 = ?2",
        params![id, &reply.sha256],
        |row| row.get::<i64>(0),
    )?;
    if known.is_some() {
        return Ok(Settled {
            repeated: true,
            waiting: count_sent(&payments),
            ..Settled::default()
        });
    }
    let fresh = matched(tx, &file, &payments, reply)?;
    if file.version != version {
        return Err(changed_meanwhile("这个支付文件"));
    }
    let mut rows = Rows::new();
    for found in &fresh {
        rows.extend(carry_out(tx, actor, &file, found)?);
    }
    let mut settled = sum(&fresh);
    settled.waiting = count_sent(&payments).saturating_sub(settled.paid + settled.returned);
    rows.extend(keep_reply(tx, actor, &file, reply, &settled)?);
    settle_state(tx, file.batch)?;
    rows.push(("batch", file.batch.0));
    rows.extend(post_answers(tx, actor, &file, &fresh)?);
    let detail = json!({
        "number": &file.number, "sha256": &reply.sha256, "paid": settled.paid,
        "paid_fen": settled.paid_fen, "returned": settled.returned, "returned_fen": settled.returned_fen,
    });
    let (actor, subject) = (actor.to_ref(), ("payment_file", id.0));
    tx.event(Event {
        actor,
        command: "payment.settle",
        subject,
        detail,
        rows,
    });
    Ok(settled)
}

fn count_sent(payments: &[PaymentRow]) -> u64 {
    payments
        .iter()
        .map(|payment| u64::from(payment.state == PaymentState::Sent))
        .sum()
}

/// The lines that say something new, each with its payment; or every fault.
fn matched<'a>(
    tx: &Tx<'_>,
    file: &FileRow,
    payments: &'a [PaymentRow],
    reply: &'a Reply,
) -> Result<Vec<Matched<'a>>> {
    if reply.file_number != file.number {
        let (found, expected) = (reply.file_number.clone(), file.number.clone());
        return Err(refuse(&[(1, Fault::OtherFile { found, expected })]).into());
    }
    let by_number: BTreeMap<i64, &PaymentRow> = payments
        .iter()
        .map(|payment| (payment.line_number, payment))
        .collect();
    let days = day_in_china(file.created_at)..=tx.today();
    let (mut fresh, mut faults) = (Vec::new(), Faults::new());
    for line in &reply.lines {
        let Some(payment) = by_number.get(&line.number).copied() else {
            faults.push((line.at, Fault::UnknownLine(line.number)));
            continue;
        };
        if let Some(found) = line.amount.filter(|amount| *amount != payment.amount) {
            faults.push((
                line.at,
                Fault::OtherAmount {
                    found,
                    expected: payment.amount,
                },
            ));
        } else if !days.contains(&line.on) {
            faults.push((line.at, Fault::DateOutOfRange(line.on)));
        } else if payment.state == PaymentState::Sent {
            fresh.push(Matched { line, payment });
        } else if !says_the_same(payment, line) {
            faults.push((line.at, Fault::Contradiction(line.number)));
        }
    }
    if faults.is_empty() {
        Ok(fresh)
    } else {
        Err(refuse(&faults).into())
    }
}

/// A later reply may repeat what an earlier one said.
fn says_the_same(payment: &PaymentRow, line: &ReplyLine) -> bool {
    let result = match &line.answer {
        Answer::Paid => payment.state == PaymentState::Paid,
        Answer::Returned(why) => {
            payment.state == PaymentState::Returned
                && payment.reason.as_deref() == Some(why.as_str())
        }
    };
    result && payment.settled_on == Some(line.on)
}

fn sum(fresh: &[Matched<'_>]) -> Settled {
    let mut settled = Settled::default();
    for Matched { line, payment } in fresh {
        match line.answer {
            Answer::Paid => {
                settled.paid += 1;
                settled.paid_fen += payment.amount;
            }
            Answer::Returned(_) => {
                settled.returned += 1;
                settled.returned_fen += payment.amount;
            }
        }
    }
    settled
}

/// Payment, entry and case as the line says, and a message to the beneficiary.
fn carry_out(tx: &Tx<'_>, actor: &Actor, file: &FileRow, found: &Matched<'_>) -> Result<Rows> {
    let Matched { line, payment } = found;
    let (state, entry_state, reason) = match &line.answer {
        Answer::Paid => (PaymentState::Paid, EntryState::Paid, None),
        Answer::Returned(why) => (
            PaymentState::Returned,
            EntryState::Payable,
            Some(why.as_str()),
        ),
    };
    let changed = tx.execute(
        "UPDATE payment SET state = ?3, reason = ?4, settled_on = ?5, version = version + 1 \
         WHERE id = ?1 AND version = ?2",
        params![payment.id, payment.version, state.code(), reason, line.on],
    )?;
    if changed != 1 {
        return Err(changed_meanwhile("这个支付文件"));
    }
    let entry = load_entry(tx, payment.entry)?;
    change_entry(tx, &entry, "state = ?3", vec![entry_state.code().into()])?;
    let amount = payment.amount;
    let (title, body) = match reason {
        None => {
            casework::complete_by_batch(tx, actor, payment.case, PAY, "paid", "", Some(Duty::Pay))?;
            let body = format!(
                "{amount} 元已于 {} 拨付到您的收款账户（{}）。",
                line.on, file.number
            );
            (format!("补贴已兑付：{}", entry.title), body)
        }
        Some(why) => {
            let body = format!(
                "{amount} 元被银行退回，原因：{why}。请在「收款账户」核对或更换账户，核准后再次拨付。"
            );
            (format!("拨付被银行退回：{}", entry.title), body)
        }
    };
    party::notify(tx, payment.party, Some(payment.case), &title, &body)?;
    Ok(vec![("payment", payment.id.0), ("batch_entry", entry.id.0)])
}

/// The reply itself, and the state of the file after it.
fn keep_reply(
    tx: &Tx<'_>,
    actor: &Actor,
    file: &FileRow,
    reply: &Reply,
    settled: &Settled,
) -> Result<Rows> {
    let id: Uuid = tx.new_id();
    let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    tx.execute(
        "INSERT INTO bank_reply (id, file_id, sha256, line_count, paid_count, paid_fen, \
         returned_count, returned_fen, received_by, received_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            id,
            file.id,
            &reply.sha256,
            count(reply.lines.len() as u64),
            count(settled.paid),
            settled.paid_fen,
            count(settled.returned),
            settled.returned_fen,
            &actor.name,
            tx.now()
        ],
    )?;
    let state = if settled.waiting == 0 {
        FileState::Answered
    } else {
        FileState::Partly
    };
    let saved = tx.execute(
        "UPDATE payment_file SET state = ?3, reply_sha256 = ?4, replied_at = ?5, version = version + 1 \
         WHERE id = ?1 AND version = ?2",
        params![file.id, file.version, state.code(), &reply.sha256, tx.now()],
    )?;
    if saved == 1 {
        Ok(vec![("bank_reply", id), ("payment_file", file.id.0)])
    } else {
        Err(changed_meanwhile("这个支付文件"))
    }
}

fn post_answers(tx: &Tx<'_>, actor: &Actor, file: &FileRow, fresh: &[Matched<'_>]) -> Result<Rows> {
    let ((), rows) = keep_journal(tx, file.line, |journal| {
        for Matched { line, payment } in fresh {
            let (ledger_line, amount) = (journal.line(), payment.amount);
            let place = format!(
                "支付文件 {} 第 {} 行，{}",
                file.number, line.number, payment.party_name
            );
            let (movement, memo) = match &line.answer {
                Answer::Paid => (
                    Movement::Settle {
                        line: ledger_line,
                        amount,
                    },
                    format!("{place}，银行已付"),
                ),
                Answer::Returned(why) => (
                    Movement::Return {
                        line: ledger_line,
                        amount,
                    },
                    format!("{place}，银行退回：{why}"),
                ),
            };
            journal.post(actor, movement, ("payment", payment.id.0), &memo)?;
        }
        Ok(())
    })?;
    Ok(rows)
}
