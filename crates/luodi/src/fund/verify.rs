//! The whole book read again: what `luodi ledger verify` prints.
//!
//! It trusts nothing the commands promised, because rows may have been changed outside: the journal
//! is added up anew, and running balances, batches and payment files are compared with it. It lacks
//! the audit log, which says who changed a row.

use std::collections::{BTreeMap, BTreeSet};

use ledger::{AccountKind, EntryId, MAX_FINDINGS, Posting, Side, Verified};
use serde::Serialize;
use uuid::Uuid;
use vocab::Fen;

use super::journal::{account_kind, book};
use crate::ids::{BatchId, BudgetLineId};
use crate::number;
use crate::params;
use crate::store::{Query, StoreError};

/// What a verification found; its JSON is that of the command line.
#[derive(Clone, Debug, Serialize)]
pub struct Verification {
    /// Everything holds.
    pub ok: bool,
    /// Postings read.
    pub postings: u64,
    /// The sum of all debits, in fen.
    pub debit_fen: i128,
    /// The sum of all credits, in fen.
    pub credit_fen: i128,
    /// What does not hold; at most 1,000.
    pub findings: Vec<Finding>,
    /// How many findings are not listed.
    pub findings_not_listed: u64,
}

impl Verification {
    /// Whether everything holds.
    pub fn is_ok(&self) -> bool {
        self.ok
    }
}

/// Something that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Stable name.
    pub code: &'static str,
    /// The entry, line, batch or file it is about.
    pub subject: String,
    /// What, in Chinese.
    pub message_zh: String,
    /// What, in English.
    pub message_en: String,
}

/// Reads the whole book.
///
/// # Errors
/// The store's own; also rows that are no rows of a ledger, such as an unknown account.
pub fn verify(q: &dyn Query) -> Result<Verification, StoreError> {
    let mut check = Check::default();
    let lines = q.rows("SELECT id FROM budget_line ORDER BY id", params![], |row| {
        row.get(0)
    })?;
    for line in lines {
        check.line(q, line)?;
    }
    check.entries_without_postings(q)?;
    check.money_of_nobody(q)?;
    let batches = q.rows(
        "SELECT id, number FROM batch ORDER BY number",
        params![],
        |row| Ok((row.get::<BatchId>(0)?, row.get::<String>(1)?)),
    )?;
    for (batch, number) in batches {
        check.batch(q, batch, &number)?;
    }
    check.files(q)?;
    check.replies(q)?;
    Ok(check.conclude())
}

/// Sums of a budget line's account: debit and credit, in fen.
type Sums = BTreeMap<(Uuid, String), (i64, i64)>;

/// The budget lines with a running balance that is not the sum of the postings.
///
/// # Errors
/// The store's own.
pub fn altered_balances(q: &dyn Query) -> Result<Vec<(BudgetLineId, String)>, StoreError> {
    let sums = |sql: &str| {
        let rows = q.rows(sql, params![], |row| {
            Ok(((row.get(0)?, row.get(1)?), (row.get(2)?, row.get(3)?)))
        })?;
        Ok::<_, StoreError>(rows.into_iter().collect::<Sums>())
    };
    let kept = sums("SELECT budget_line_id, account, debit_fen, credit_fen FROM ledger_balance")?;
    let posted = sums(
        "SELECT budget_line_id, account, CAST(SUM(debit_fen) AS BIGINT), \
         CAST(SUM(credit_fen) AS BIGINT) FROM posting GROUP BY budget_line_id, account",
    )?;
    let all: BTreeSet<&(Uuid, String)> = kept.keys().chain(posted.keys()).collect();
    let differing = all
        .into_iter()
        .filter(|key| kept.get(key) != posted.get(key));
    Ok(differing
        .map(|(line, account)| (BudgetLineId(*line), account.clone()))
        .collect())
}

/// The last numbers of batches and payment files.
///
/// # Errors
/// The store's own.
pub fn numbers(q: &dyn Query) -> Result<number::Last, StoreError> {
    let batches = number::borne(q, "SELECT number FROM batch", |text| {
        number::dashed("batch", "PC", text)
    })?;
    let files = number::borne(q, "SELECT number FROM payment_file", |text| {
        number::dashed("payment", "ZF", text)
    })?;
    Ok(batches.into_iter().chain(files).collect())
}

/// Net sums by account, in fen on the account's normal side.
type Net = BTreeMap<AccountKind, i64>;

#[derive(Default)]
struct Check {
    postings: u64,
    debit_fen: i128,
    credit_fen: i128,
    findings: Vec<Finding>,
    findings_not_listed: u64,
}

impl Check {
    fn find(&mut self, finding: Finding) {
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(finding);
        } else {
            self.findings_not_listed += 1;
        }
    }

    /// The journal of a line by the rules of bookkeeping, and its running balances.
    fn line(&mut self, q: &dyn Query, line: BudgetLineId) -> Result<(), StoreError> {
        let mut journal = Vec::new();
        let mut sums: BTreeMap<AccountKind, (i128, i128)> = BTreeMap::new();
        q.each(
            "SELECT p.entry_id, p.account, p.debit_fen, p.credit_fen \
             FROM posting p JOIN ledger_entry e ON e.id = p.entry_id \
             WHERE p.budget_line_id = ?1 ORDER BY e.line_version, e.id, p.position",
            &params![line],
            &mut |row| {
                let kind = account_kind(&row.get::<String>(1)?)?;
                let (debit, credit): (i64, i64) = (row.get(2)?, row.get(3)?);
                let sums = sums.entry(kind).or_default();
                sums.0 += i128::from(debit);
                sums.1 += i128::from(credit);
                journal.push((
                    EntryId(row.get::<Uuid>(0)?.as_u128()),
                    posting(line, kind, debit, credit),
                ));
                Ok(())
            },
        )?;
        let Verified {
            postings,
            debit_fen,
            credit_fen,
            findings,
            findings_not_listed,
        } = ledger::verify(journal);
        self.postings += postings;
        self.debit_fen += debit_fen;
        self.credit_fen += credit_fen;
        self.findings_not_listed += findings_not_listed;
        for finding in findings {
            self.find(Finding {
                code: finding.code(),
                subject: finding.entry().to_string(),
                message_zh: finding.message_zh(),
                message_en: finding.message_en(),
            });
        }
        self.balances(q, line, &sums)
    }

    fn balances(
        &mut self,
        q: &dyn Query,
        line: BudgetLineId,
        sums: &BTreeMap<AccountKind, (i128, i128)>,
    ) -> Result<(), StoreError> {
        let kept: BTreeMap<AccountKind, (i128, i128)> = q
            .rows(
                "SELECT account, debit_fen, credit_fen FROM ledger_balance WHERE budget_line_id = ?1",
                params![line],
                |row| {
                    let sums = (i128::from(row.get::<i64>(1)?), i128::from(row.get::<i64>(2)?));
                    Ok((account_kind(&row.get::<String>(0)?)?, sums))
                },
            )?
            .into_iter()
            .collect();
        for kind in AccountKind::ALL {
            let kept = kept.get(&kind).copied().unwrap_or_default();
            let sums = sums.get(&kind).copied().unwrap_or_default();
            if kept != sums {
                let (zh, code) = (kind.zh(), kind.code());
                self.find(Finding {
                    code: "balance-differs",
                    subject: line.to_string(),
                    message_zh: format!(
                        "指标 {line} 科目「{zh}」余额记录为借 {} 分、贷 {} 分，分录合计为借 {} 分、贷 {} 分，请与审计记录核对",
                        kept.0, kept.1, sums.0, sums.1
                    ),
                    message_en: format!(
                        "line {line} keeps debit {} and credit {} fen on {code}, its postings add up to {} and {}: compare them with the audit log",
                        kept.0, kept.1, sums.0, sums.1
                    ),
                });
            }
        }
        Ok(())
    }

    fn entries_without_postings(&mut self, q: &dyn Query) -> Result<(), StoreError> {
        let bare = q.rows(
            "SELECT id FROM ledger_entry e WHERE NOT EXISTS \
             (SELECT 1 FROM posting p WHERE p.entry_id = e.id) ORDER BY id LIMIT 1001",
            params![],
            |row| row.get::<Uuid>(0),
        )?;
        for entry in bare {
            self.find(Finding {
                code: "entry-without-postings",
                subject: entry.to_string(),
                message_zh: format!("分录 {entry} 没有任何一笔借贷，请与审计记录核对"),
                message_en: format!("entry {entry} has no postings: compare it with the audit log"),
            });
        }
        Ok(())
    }

    /// Money that was moved on for something that no list has, or from another line than its list's.
    fn money_of_nobody(&mut self, q: &dyn Query) -> Result<(), StoreError> {
        let strays = q.rows(
            "SELECT l.id FROM ledger_entry l WHERE EXISTS (SELECT 1 FROM posting p WHERE p.entry_id = l.id \
             AND p.account NOT IN ('appropriation', 'available')) \
             AND NOT (l.subject_kind = 'batch_entry' AND EXISTS (SELECT 1 FROM batch_entry e \
               JOIN batch b ON b.id = e.batch_id \
               WHERE e.id = l.subject_id AND b.budget_line_id = l.budget_line_id)) \
             AND NOT (l.subject_kind = 'payment' AND EXISTS (SELECT 1 FROM payment y \
               JOIN batch_entry e ON e.id = y.batch_entry_id JOIN batch b ON b.id = e.batch_id \
               WHERE y.id = l.subject_id AND b.budget_line_id = l.budget_line_id)) \
             ORDER BY l.id LIMIT 1001",
            params![],
            |row| row.get::<Uuid>(0),
        )?;
        for entry in strays {
            self.find(Finding {
                code: "entry-of-nobody",
                subject: entry.to_string(),
                message_zh: format!("分录 {entry} 动用了指标，却不属于这条指标的任何名单条目或支付，请与审计记录核对"),
                message_en: format!("entry {entry} moves money for no entry of a batch on its line and no payment of one: compare it with the audit log"),
            });
        }
        Ok(())
    }

    /// Every entry of a batch stands in the ledger where its state says, with its whole amount.
    fn batch(&mut self, q: &dyn Query, batch: BatchId, number: &str) -> Result<(), StoreError> {
        let mut booked = nets_of_batch(q, batch)?;
        let entries = q.rows(
            "SELECT id, position, amount_fen, state FROM batch_entry WHERE batch_id = ?1 ORDER BY position",
            params![batch],
            |row| {
                let (id, position): (Uuid, i64) = (row.get(0)?, row.get(1)?);
                Ok((id, position, row.get::<i64>(2)?, row.get::<String>(3)?))
            },
        )?;
        for (id, position, amount, state) in entries {
            let mut expected = Net::new();
            // A removed entry's money is available again: nothing of it is left anywhere.
            if let Some(kind) = AccountKind::from_code(&state) {
                expected.insert(kind, amount);
                expected.insert(AccountKind::Available, -amount);
            }
            let mut found = booked.remove(&id).unwrap_or_default();
            found.retain(|_, fen| *fen != 0);
            if found != expected {
                let (zh, en) = (
                    show(&found, AccountKind::zh),
                    show(&found, AccountKind::code),
                );
                self.find(Finding {
                    code: "batch-entry-differs",
                    subject: id.to_string(),
                    message_zh: format!(
                        "批次 {number} 第 {position} 名状态 {state}、金额 {amount} 分，账上为 {zh}，请与审计记录核对"
                    ),
                    message_en: format!(
                        "batch {number} entry {position} is {state} with {amount} fen, the ledger has {en}: compare it with the audit log"
                    ),
                });
            }
        }
        Ok(())
    }

    /// Every payment file adds up, and its lines stand where the entries they pay stand.
    fn files(&mut self, q: &dyn Query) -> Result<(), StoreError> {
        let wrong_totals = q.rows(
            "SELECT f.number FROM payment_file f LEFT JOIN payment p ON p.file_id = f.id \
             GROUP BY f.id, f.number, f.line_count, f.total_fen \
             HAVING COUNT(p.id) <> f.line_count OR COALESCE(SUM(p.amount_fen), 0) <> f.total_fen \
             ORDER BY f.number LIMIT 1001",
            params![],
            |row| row.get::<String>(0),
        )?;
        for number in wrong_totals {
            self.find(Finding {
                code: "payment-file-differs",
                message_zh: format!("支付文件 {number} 的笔数或总金额与明细不符，请与审计记录核对"),
                message_en: format!("payment file {number} differs from its lines in count or total: compare it with the audit log"),
                subject: number,
            });
        }
        let strays = q.rows(
            "SELECT e.id, e.state, CAST(COALESCE(SUM(CASE WHEN p.state = 'sent' THEN 1 ELSE 0 END), 0) AS BIGINT), \
             CAST(COALESCE(SUM(CASE WHEN p.state = 'paid' THEN 1 ELSE 0 END), 0) AS BIGINT) \
             FROM batch_entry e LEFT JOIN payment p ON p.batch_entry_id = e.id AND p.amount_fen = e.amount_fen \
             GROUP BY e.id, e.state \
             HAVING COALESCE(SUM(CASE WHEN p.state = 'sent' THEN 1 ELSE 0 END), 0) <> CASE WHEN e.state = 'in-payment' THEN 1 ELSE 0 END \
             OR COALESCE(SUM(CASE WHEN p.state = 'paid' THEN 1 ELSE 0 END), 0) <> CASE WHEN e.state = 'paid' THEN 1 ELSE 0 END \
             ORDER BY e.id LIMIT 1001",
            params![],
            |row| Ok((row.get::<Uuid>(0)?, row.get::<String>(1)?, row.get::<i64>(2)?, row.get::<i64>(3)?)),
        )?;
        for (entry, state, sent, paid) in strays {
            self.find(Finding {
                code: "payment-differs",
                subject: entry.to_string(),
                message_zh: format!("名单条目 {entry} 状态 {state}，却有 {sent} 笔支付中、{paid} 笔已付，请与审计记录核对"),
                message_en: format!("entry {entry} is {state} with {sent} payments sent and {paid} paid: compare it with the audit log"),
            });
        }
        Ok(())
    }

    /// The bank's replies to a file say together what its lines came to.
    fn replies(&mut self, q: &dyn Query) -> Result<(), StoreError> {
        let differing = q.rows(
            "SELECT f.number FROM payment_file f \
             LEFT JOIN (SELECT file_id, SUM(paid_count) AS paid, SUM(paid_fen) AS paid_fen, \
               SUM(returned_count) AS returned, SUM(returned_fen) AS returned_fen \
               FROM bank_reply GROUP BY file_id) r ON r.file_id = f.id \
             LEFT JOIN (SELECT file_id, \
               SUM(CASE WHEN state = 'paid' THEN 1 ELSE 0 END) AS paid, \
               SUM(CASE WHEN state = 'paid' THEN amount_fen ELSE 0 END) AS paid_fen, \
               SUM(CASE WHEN state = 'returned' THEN 1 ELSE 0 END) AS returned, \
               SUM(CASE WHEN state = 'returned' THEN amount_fen ELSE 0 END) AS returned_fen \
               FROM payment GROUP BY file_id) p ON p.file_id = f.id \
             WHERE COALESCE(r.paid, 0) <> COALESCE(p.paid, 0) \
             OR COALESCE(r.paid_fen, 0) <> COALESCE(p.paid_fen, 0) \
             OR COALESCE(r.returned, 0) <> COALESCE(p.returned, 0) \
             OR COALESCE(r.returned_fen, 0) <> COALESCE(p.returned_fen, 0) \
             ORDER BY f.number LIMIT 1001",
            params![],
            |row| row.get::<String>(0),
        )?;
        for number in differing {
            self.find(Finding {
                code: "reply-differs",
                message_zh: format!("支付文件 {number} 的回单合计与明细的已付、退回不符，请与审计记录核对"),
                message_en: format!("the replies to payment file {number} differ from its lines: compare them with the audit log"),
                subject: number,
            });
        }
        Ok(())
    }

    fn conclude(self) -> Verification {
        Verification {
            ok: self.findings.is_empty() && self.debit_fen == self.credit_fen,
            postings: self.postings,
            debit_fen: self.debit_fen,
            credit_fen: self.credit_fen,
            findings: self.findings,
            findings_not_listed: self.findings_not_listed,
        }
    }
}

/// A stored posting; one with both sides gets the amount zero, which is a finding.
fn posting(line: BudgetLineId, kind: AccountKind, debit: i64, credit: i64) -> Posting {
    let account = book(line).account(kind);
    match (debit, credit) {
        (debit, 0) => Posting {
            account,
            side: Side::Debit,
            amount: Fen(debit),
        },
        (0, credit) => Posting {
            account,
            side: Side::Credit,
            amount: Fen(credit),
        },
        _ => Posting {
            account,
            side: Side::Debit,
            amount: Fen::ZERO,
        },
    }
}

/// What the ledger says of each entry of a batch, through the entry itself and its payments.
fn nets_of_batch(q: &dyn Query, batch: BatchId) -> Result<BTreeMap<Uuid, Net>, StoreError> {
    let mut nets: BTreeMap<Uuid, Net> = BTreeMap::new();
    q.each(
        "SELECT s.entry, p.account, p.debit_fen - p.credit_fen FROM (\
         SELECT e.id AS entry, e.id AS subject FROM batch_entry e WHERE e.batch_id = ?1 \
         UNION ALL \
         SELECT e.id AS entry, y.id AS subject FROM batch_entry e \
         JOIN payment y ON y.batch_entry_id = e.id WHERE e.batch_id = ?1) s \
         JOIN ledger_entry l ON l.subject_id = s.subject JOIN posting p ON p.entry_id = l.id",
        &params![batch],
        &mut |row| {
            let kind = account_kind(&row.get::<String>(1)?)?;
            let change: i64 = row.get(2)?;
            let sum = nets
                .entry(row.get(0)?)
                .or_default()
                .entry(kind)
                .or_default();
            *sum = sum.saturating_add(change);
            Ok(())
        },
    )?;
    Ok(nets)
}

/// Sums in words: 「应付 14300.00 元」; 「无」 where there is nothing.
fn show(net: &Net, name: impl Fn(AccountKind) -> &'static str) -> String {
    let parts: Vec<String> = net
        .iter()
        .map(|(kind, fen)| format!("{} {}", name(*kind), Fen(*fen)))
        .collect();
    if parts.is_empty() {
        "0".to_owned()
    } else {
        parts.join(", ")
    }
}
