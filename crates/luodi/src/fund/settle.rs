//! The bank's reply taken in: each line paid or returned, all of the reply or nothing.
//!
//! It lacks the reading of the reply, which is done before the transaction (`reply`).

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use ledger::Movement;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;
use vocab::Fen;

use super::batch::{move_entries, settle_state};
use super::batch_queries::{EntryRow, entries_of};
use super::fault::{Fault, Faults, refuse};
use super::journal::{Rows, keep_journal};
use super::payment_queries::{FileRow, PaymentRow, ReplyRow, find_file, payments_of, replies_of};
use super::reply::{Answer, Reply, ReplyLine};
use super::state::{EntryState, FileState, PaymentState};
use super::{changed_meanwhile, need_role};
use crate::access::{Actor, Role};
use crate::casework::{self, Duty};
use crate::ids::{BatchEntryId, PaymentFileId};
use crate::params;
use crate::party;
use crate::refusal::{Result, need_untouched};
use crate::store::{Event, Tx, day_in_china};
use crate::web::civil;

/// The task in which a case waits for its money.
const PAY: &str = "pay";

/// What a reply brought.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// It says nothing that was not taken in before; nothing was done.
    pub repeated: Option<Repeated>,
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

/// The reply that said it first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeated {
    /// The same bytes; else other ones, whose lines were all settled, the last by this reply.
    pub same: bool,
    /// Its id.
    pub reply: Uuid,
    /// Who took it in.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

impl Settled {
    /// Nothing was done: the reply is this one again, or says what was said up to it.
    fn repeated(same: bool, before: &ReplyRow, waiting: u64) -> Self {
        Self {
            repeated: Some(Repeated {
                same,
                reply: before.id,
                by: before.received_by.clone(),
                at: before.received_at,
            }),
            waiting,
            ..Self::default()
        }
    }

    /// What to tell the person.
    pub fn message(&self) -> String {
        if let Some(Repeated { same, by, at, .. }) = &self.repeated {
            let at = civil(*at).strftime("%Y-%m-%d %H:%M");
            return if *same {
                format!("这份回单已于 {at} 由{by}登记，没有重复登记，账目没有变动。")
            } else {
                format!(
                    "这份回单的每一笔都已登记过，结果相同（最近一次 {at}，{by}），没有重复登记，账目没有变动。"
                )
            };
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

/// What a line of the reply says newly of a payment.
struct Matched<'a> {
    number: i64,
    answer: &'a Answer,
    on: Date,
    payment: &'a PaymentRow,
}

/// Takes a reply in. The same bytes again, whoever sends them, change nothing; nor do others that
/// say only what was said before.
///
/// # Errors
/// Refused whole, naming every fault with its line, those of its reading and these: wrong file,
/// unknown line, another amount, count or total, a day out of range, a result that contradicts an
/// earlier reply.
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
    let before = replies_of(tx, id)?;
    let same = before.iter().find(|row| row.sha256 == reply.sha256);
    if let Some(same) = same {
        return Ok(Settled::repeated(true, same, count_sent(&payments)));
    }
    let fresh = matched(&file, &payments, tx.today(), reply).map_err(refuse)?;
    if let (true, Some(last)) = (fresh.is_empty(), before.last()) {
        return Ok(Settled::repeated(false, last, count_sent(&payments)));
    }
    if file.version != version {
        return Err(changed_meanwhile("这个支付文件"));
    }
    let lines: Vec<Uuid> = payments.iter().map(|payment| payment.id.0).collect();
    need_untouched(tx, "payment_file", &[id.0])?;
    need_untouched(tx, "payment", &lines)?;
    let mut rows = move_on(tx, &file, &fresh)?;
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

/// The lines that say something new, each with its payment; or every fault of the reply.
fn matched<'a>(
    file: &FileRow,
    payments: &'a [PaymentRow],
    today: Date,
    reply: &'a Reply,
) -> Result<Vec<Matched<'a>>, Faults> {
    let mut faults = reply.faults.clone();
    if reply.file_number != file.number {
        let (found, expected) = (reply.file_number.clone(), file.number.clone());
        faults.push((1, Fault::OtherFile { found, expected }));
        return Err(faults);
    }
    let by_number: BTreeMap<i64, &PaymentRow> = payments
        .iter()
        .map(|payment| (payment.line_number, payment))
        .collect();
    let days = day_in_china(file.created_at)..=today;
    let mut fresh = Vec::new();
    for line in &reply.lines {
        let Some(number) = line.number else { continue };
        let Some(payment) = by_number.get(&number).copied() else {
            faults.push((line.at, Fault::UnknownLine(number)));
            continue;
        };
        let expected = payment.amount;
        if let Some(found) = line.amount.filter(|amount| *amount != expected) {
            faults.push((line.at, Fault::OtherAmount { found, expected }));
        }
        if let Some(on) = line.on.filter(|on| !days.contains(on)) {
            faults.push((line.at, Fault::DateOutOfRange(on)));
        }
        let (Some(answer), Some(on)) = (&line.answer, line.on) else {
            continue;
        };
        if payment.state == PaymentState::Sent {
            fresh.push(Matched {
                number,
                answer,
                on,
                payment,
            });
        } else if !says_the_same(payment, answer, on) {
            let before = told(payment);
            faults.push((line.at, Fault::Contradiction { number, before }));
        }
    }
    faults.extend(wrong_sums(&by_number, reply));
    if faults.is_empty() {
        Ok(fresh)
    } else {
        Err(faults)
    }
}

/// 笔数 and 总金额 as the bank gives them, compared with its own lines. Lines that name no payment
/// have no amount to add up.
fn wrong_sums(by_number: &BTreeMap<i64, &PaymentRow>, reply: &Reply) -> Faults {
    let mut faults = Faults::new();
    let expected = reply.lines.len() as u64;
    if let Some((at, found)) = reply.count.filter(|(_, count)| *count != expected) {
        faults.push((at, Fault::OtherCount { found, expected }));
    }
    let amount = |line: &ReplyLine| {
        let sent = by_number.get(&line.number?).map(|payment| payment.amount);
        line.amount.or(sent)
    };
    let amounts: Option<Vec<Fen>> = reply.lines.iter().map(amount).collect();
    let sum = amounts.and_then(Fen::checked_sum);
    if let (Some((at, found)), Some(expected)) = (reply.total, sum)
        && found != expected
    {
        faults.push((at, Fault::OtherTotal { found, expected }));
    }
    faults
}

/// A later reply may repeat what an earlier one said.
fn says_the_same(payment: &PaymentRow, answer: &Answer, on: Date) -> bool {
    let result = match answer {
        Answer::Paid => payment.state == PaymentState::Paid,
        Answer::Returned(why) => {
            payment.state == PaymentState::Returned
                && payment.reason.as_deref() == Some(why.as_str())
        }
    };
    result && payment.settled_on == Some(on)
}

/// What was said of a payment before.
fn told(payment: &PaymentRow) -> String {
    let mut told = payment.state.zh().to_owned();
    if let Some(on) = payment.settled_on {
        told.push_str(&format!("，{on}"));
    }
    if let Some(why) = &payment.reason {
        told.push_str(&format!("，{why}"));
    }
    told
}

fn sum(fresh: &[Matched<'_>]) -> Settled {
    let mut settled = Settled::default();
    for Matched {
        answer, payment, ..
    } in fresh
    {
        match answer {
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

/// The entries as the lines say: paid, or to be paid again.
fn move_on(tx: &Tx<'_>, file: &FileRow, fresh: &[Matched<'_>]) -> Result<Rows> {
    let mut entries: BTreeMap<BatchEntryId, EntryRow> = entries_of(tx, file.batch)?
        .into_iter()
        .map(|entry| (entry.id, entry))
        .collect();
    let (mut paid, mut returned, mut rows) = (Vec::new(), Vec::new(), Rows::new());
    for found in fresh {
        let Some(entry) = entries.remove(&found.payment.entry) else {
            return Err(changed_meanwhile("名单中的各项"));
        };
        rows.push(("batch_entry", entry.id.0));
        match found.answer {
            Answer::Paid => paid.push(entry),
            Answer::Returned(_) => returned.push(entry),
        }
    }
    move_entries(tx, &paid, EntryState::Paid)?;
    move_entries(tx, &returned, EntryState::Payable)?;
    Ok(rows)
}

/// Payment and case as the line says, and a message to the beneficiary.
fn carry_out(tx: &Tx<'_>, actor: &Actor, file: &FileRow, found: &Matched<'_>) -> Result<Rows> {
    let Matched {
        answer,
        on,
        payment,
        ..
    } = found;
    let (state, reason) = match answer {
        Answer::Paid => (PaymentState::Paid, None),
        Answer::Returned(why) => (PaymentState::Returned, Some(why.as_str())),
    };
    let changed = tx.execute(
        "UPDATE payment SET state = ?3, reason = ?4, settled_on = ?5, version = version + 1 \
         WHERE id = ?1 AND version = ?2",
        params![payment.id, payment.version, state.code(), reason, *on],
    )?;
    if changed != 1 {
        return Err(changed_meanwhile("这个支付文件"));
    }
    let amount = payment.amount;
    let (title, body) = match reason {
        None => {
            casework::complete_by_batch(tx, actor, payment.case, PAY, "paid", "", Some(Duty::Pay))?;
            let body = format!(
                "{amount} 元已于 {on} 拨付到您的收款账户（{}）。",
                file.number
            );
            (format!("补贴已兑付：{}", payment.title), body)
        }
        Some(why) => {
            let body = format!(
                "{amount} 元被银行退回，原因：{why}。请在「收款账户」核对或更换账户，核准后再次拨付。"
            );
            (format!("拨付被银行退回：{}", payment.title), body)
        }
    };
    party::notify(tx, payment.party, Some(payment.case), &title, &body)?;
    Ok(vec![("payment", payment.id.0)])
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
        for Matched {
            number,
            answer,
            payment,
            ..
        } in fresh
        {
            let (ledger_line, amount) = (journal.line(), payment.amount);
            let place = format!(
                "支付文件 {} 第 {number} 行，{}",
                file.number, payment.party_name
            );
            let (movement, memo) = match answer {
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
