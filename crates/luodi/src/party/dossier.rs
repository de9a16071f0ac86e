//! What this domain holds of a party, column by column, and the erasure of it.

use jiff::Timestamp;
use uuid::Uuid;

use crate::dossier::Fate::{Gone, Name, NoBytes, Replaced, Written};
use crate::dossier::Kind::{Count, Id, Inner, Moment, Sealed, Text};
use crate::dossier::{Erased, Source, column, erase_all, inner, stays};
use crate::params;
use crate::refusal::Result;
use crate::store::Tx;

/// The tables of parties.
pub const SOURCES: &[Source] = &[
    Source {
        table: "party",
        title: "主体登记",
        rows: "t.id = ?1",
        key: &["id"],
        bound: true,
        columns: &[
            stays("id", "主体", Id),
            stays("kind", "类型", Text),
            column("name", "名称（姓名）", Text, Name),
            column("name_folded", "", Inner, Name),
            stays("credit_code", "统一社会信用代码", Text),
            column("id_number_sealed", "身份证号码", Sealed, Gone),
            inner("id_number_lookup", Gone),
            column("phone_sealed", "电话", Sealed, Gone),
            column("address_sealed", "地址", Sealed, Gone),
            stays("region_code", "行政区划", Text),
            stays("industry_code", "行业", Text),
            column("legal_representative", "法定代表人", Text, Replaced),
            stays("founded_on", "成立日期", Text),
            stays("demo", "示范数据", Count),
            stays("version", "版本", Count),
            stays("erased_at", "删除时间", Moment),
        ],
    },
    Source {
        table: "bank_account",
        title: "收款账户",
        rows: "t.party_id = ?1",
        key: &["id"],
        bound: true,
        columns: &[
            stays("id", "收款账户", Id),
            stays("party_id", "主体", Id),
            column("holder_name", "户名", Text, Name),
            stays("bank_name", "开户行", Text),
            stays("bank_code", "联行号", Text),
            column("account_sealed", "账号", Sealed, NoBytes),
            inner("account_lookup", NoBytes),
            stays("state", "状态", Text),
            stays("entered_by", "登记人", Id),
            stays("entered_at", "登记时间", Moment),
            stays("approved_by", "核准人", Id),
            stays("approved_at", "核准时间", Moment),
            column("reason", "退回原因", Text, Written),
            column("second_reason", "另立账户的理由", Text, Written),
            stays("version", "版本", Count),
        ],
    },
    Source {
        table: "message",
        title: "消息",
        rows: "t.party_id = ?1",
        key: &["id"],
        bound: true,
        columns: &[
            stays("id", "消息", Id),
            stays("party_id", "主体", Id),
            stays("case_id", "办件", Id),
            column("title", "标题", Text, Replaced),
            column("body", "内容", Text, Replaced),
            stays("created_at", "时间", Moment),
            stays("read_at", "已读时间", Moment),
        ],
    },
];

/// Erases the party: its key and hashes are gone, its bank accounts are ended, and nothing can be
/// sealed for it again.
///
/// # Errors
/// A fault of the store.
pub fn erase(tx: &Tx<'_>, of: &Erased) -> Result<Vec<(&'static str, Uuid)>> {
    let rows = erase_all(tx, of, SOURCES)?;
    let now: Timestamp = tx.now();
    tx.execute(
        "UPDATE party SET erased_at = ?1, version = version + 1 WHERE id = ?2",
        params![now, of.party],
    )?;
    tx.execute(
        "UPDATE bank_account SET state = 'ended', version = version + 1 WHERE party_id = ?1",
        params![of.party],
    )?;
    tx.destroy_key(of.party.0)?;
    Ok(rows)
}
