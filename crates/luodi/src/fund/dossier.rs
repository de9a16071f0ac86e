//! What this domain holds of a party: its lines in lists, its payments and their postings.

use jiff::civil::Date;
use uuid::Uuid;

use crate::dossier::Fate::{Name, NoBytes, Written};
use crate::dossier::Kind::{Count, Id, Inner, Moment, Money, Text};
use crate::dossier::{Erased, Hindrance, Source, column, erase_all, inner, stays};
use crate::ids::{BatchId, PartyId, PaymentFileId};
use crate::params;
use crate::refusal::Result;
use crate::store::{Query, StoreError, Tx};

/// The payment files in which the party has a line.
const ITS_FILES: &str = "SELECT p.file_id FROM payment p JOIN batch_entry e \
     ON e.id = p.batch_entry_id WHERE e.party_id = ?1";

/// The tables of money. Amounts and postings stay: they are the city's accounts and name nobody.
pub const SOURCES: &[Source] = &[
    Source {
        table: "batch_entry",
        title: "拟补名单中的记录",
        rows: "t.party_id = ?1",
        key: &["id"],
        bound: true,
        columns: &[
            stays("id", "名单项", Id),
            stays("batch_id", "批次", Id),
            stays("position", "序号", Count),
            stays("case_id", "办件", Id),
            stays("party_id", "主体", Id),
            stays("amount_fen", "金额（元）", Money),
            stays("state", "状态", Text),
            stays("case_number", "办件号", Text),
            stays("party_kind", "主体类型", Text),
            column("party_name", "申请人", Text, Name),
            column("title", "标题", Text, Written),
            column("held_why", "暂缓原因", Text, Written),
            column("removed_why", "移出原因", Text, Written),
            stays("notice_position", "公示序号", Count),
            stays("public_name", "公示名称", Text),
            column("public_summary", "公示摘要", Text, Written),
            stays("version", "版本", Count),
        ],
    },
    Source {
        table: "payment",
        title: "拨付",
        rows: "t.batch_entry_id IN (SELECT e.id FROM batch_entry e WHERE e.party_id = ?1)",
        key: &["id"],
        bound: true,
        columns: &[
            stays("id", "拨付", Id),
            stays("file_id", "拨付文件", Id),
            stays("line_number", "行号", Count),
            stays("batch_entry_id", "名单项", Id),
            stays("bank_account_id", "收款账户", Id),
            stays("amount_fen", "金额（元）", Money),
            stays("state", "状态", Text),
            column("reason", "退回原因", Text, Written),
            stays("settled_on", "结清日期", Text),
            stays("version", "版本", Count),
        ],
    },
    Source {
        table: "ledger_entry",
        title: "记账",
        rows: "t.subject_id IN (SELECT e.id FROM batch_entry e WHERE e.party_id = ?1 \
               UNION SELECT p.id FROM payment p JOIN batch_entry e ON e.id = p.batch_entry_id \
               WHERE e.party_id = ?1)",
        key: &["id"],
        bound: true,
        columns: &[
            stays("id", "记账", Id),
            stays("budget_line_id", "预算指标", Id),
            stays("movement", "业务", Text),
            stays("reverses", "冲销", Id),
            stays("subject_kind", "所属类别", Text),
            stays("subject_id", "所属记录", Id),
            column("memo", "摘要", Text, Written),
            stays("posted_by", "记账人", Text),
            stays("posted_at", "记账时间", Moment),
            stays("line_version", "", Inner),
        ],
    },
    // Each file holds the lines of many: the party's own are among its payments.
    Source {
        table: "payment_file",
        title: "",
        rows: "t.id IN (SELECT p.file_id FROM payment p JOIN batch_entry e \
               ON e.id = p.batch_entry_id WHERE e.party_id = ?1)",
        key: &["id"],
        bound: true,
        columns: &[
            stays("id", "", Inner),
            stays("number", "", Inner),
            stays("batch_id", "", Inner),
            stays("line_count", "", Inner),
            stays("total_fen", "", Inner),
            stays("sha256", "", Inner),
            inner("body_sealed", NoBytes),
            stays("state", "", Inner),
            stays("created_by", "", Inner),
            stays("created_at", "", Inner),
            stays("reply_sha256", "", Inner),
            stays("replied_at", "", Inner),
            stays("version", "", Inner),
        ],
    },
];

/// What keeps a party from being erased: money on its way to it, and the years for which a paid
/// subsidy has to stay traceable.
///
/// # Errors
/// A fault of the store.
pub fn hindrances(q: &dyn Query, party: PartyId, today: Date) -> Result<Vec<Hindrance>> {
    let mut found = q.rows(
        "SELECT e.batch_id, b.title, e.case_number FROM batch_entry e JOIN batch b ON b.id = e.batch_id \
         WHERE e.party_id = ?1 AND e.state NOT IN ('paid', 'removed') ORDER BY e.case_number LIMIT 100",
        params![party],
        |row| {
            let (batch, title, number): (BatchId, String, String) =
                (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok::<_, StoreError>(Hindrance {
                what: format!("「{title}」中办件 {number} 的款项还没有付清。"),
                until: None,
                href: format!("/batches/{batch}"),
            })
        },
    )?;
    // A payment file is kept as long as its last line asks for.
    let sql = format!("SELECT MAX(settled_on) FROM payment WHERE file_id IN ({ITS_FILES})");
    let last: Option<Date> = q.row(&sql, params![party], |row| row.get(0))?;
    if let Some(last) = last
        && let Some(rule) = vocab::retention::paid_subsidy(last)
        && let Some(until) = rule.until(last)
        && until >= today
    {
        found.push(Hindrance {
            what: format!(
                "已拨付的补贴（最近一次结清 {last}）须留存 {} 年备查：{}。",
                rule.years, rule.basis
            ),
            until: Some(until),
            href: String::new(),
        });
    }
    Ok(found)
}

/// Takes the personal data of a party out of lists and memos, and destroys the keys of the payment
/// files it was in.
///
/// # Errors
/// A fault of the store.
pub fn erase(tx: &Tx<'_>, of: &Erased) -> Result<Vec<(&'static str, Uuid)>> {
    let sql = format!("SELECT id FROM payment_file WHERE id IN ({ITS_FILES})");
    let files = tx.rows(&sql, params![of.party], |row| row.get::<PaymentFileId>(0))?;
    for file in files {
        tx.destroy_key(file.0)?;
    }
    erase_all(tx, of, SOURCES)
}
