//! What this domain holds of a party: the accounts that act for it, and their end.

use uuid::Uuid;

use crate::dossier::Fate::{Gone, Name, NoBytes, NoText};
use crate::dossier::Kind::{Count, Id, Moment, Text};
use crate::dossier::{Erased, Source, column, erase_all, inner, stays};
use crate::ids::AccountId;
use crate::params;
use crate::refusal::Result;
use crate::store::Tx;

use super::AccountState;

/// The table of accounts, and how their owners are reached. The log-in name stays: the log names by it who did what.
pub const SOURCES: &[Source] = &[
    Source {
        table: "account",
        title: "网上账号",
        rows: "t.party_id = ?1",
        key: &["id"],
        bound: true,
        columns: &[
            stays("id", "账号", Id),
            stays("login", "登录名", Text),
            column("name", "名称（姓名）", Text, Name),
            inner("password_hash", NoText),
            stays("department_id", "部门", Id),
            stays("region_code", "行政区划", Text),
            stays("party_id", "主体", Id),
            stays("state", "状态", Text),
            stays("demo", "示范数据", Count),
            stays("failed_logins", "连续输错", Count),
            stays("locked_until", "等待至", Moment),
            stays("last_login_at", "上次登录", Moment),
            stays("password_set_at", "密码设置时间", Moment),
            column("last_login_from", "上次登录地址", Text, Gone),
            stays("roles_rest_since", "角色暂停使用", Moment),
            stays("one_time_until", "一次性密码有效至", Moment),
            stays("version", "版本", Count),
            stays("roles", "角色", Text),
            stays("factor_id", "动态验证码", Id),
        ],
    },
    Source {
        table: "contact",
        title: "网上账号的联系方式（号码以账号的密钥加密，请在「我的账号」查看）",
        rows: "t.account_id IN (SELECT id FROM account WHERE party_id = ?1)",
        key: &["id"],
        bound: true,
        columns: &[
            stays("id", "联系方式", Id),
            stays("account_id", "账号", Id),
            stays("channel", "种类", Text),
            inner("value_sealed", NoBytes),
            stays("state", "状态", Text),
            stays("created_at", "登记时间", Moment),
            stays("verified_at", "验证时间", Moment),
            stays("ended_at", "停用时间", Moment),
        ],
    },
    Source {
        table: "account_identity",
        title: "网上账号关联的统一身份（以账号的密钥加密）",
        rows: "t.account_id IN (SELECT id FROM account WHERE party_id = ?1)",
        key: &["id"],
        bound: true,
        columns: &[
            stays("id", "关联", Id),
            stays("account_id", "账号", Id),
            stays("issuer", "统一身份平台", Text),
            inner("subject_sealed", NoBytes),
            inner("subject_lookup", NoBytes),
            stays("linked_at", "关联时间", Moment),
            stays("ended_at", "解除时间", Moment),
        ],
    },
];

/// Takes away what only a log-in needs: where from and with what an account was used, its former
/// passwords and its codes. None of it is bound to the log, and nothing refers to it.
fn forget(tx: &Tx<'_>, account: AccountId) -> Result<()> {
    for table in ["session", "known_device", "password_past", "sent_code"] {
        let sql = format!("DELETE FROM {table} WHERE account_id = ?1");
        tx.execute(&sql, params![account])?;
    }
    // What a contact was is gone with the key; nobody is told there any more.
    tx.execute(
        "UPDATE contact SET state = 'ended', ended_at = ?1 WHERE account_id = ?2 AND state <> 'ended'",
        params![tx.now(), account],
    )?;
    Ok(())
}

/// Ends the accounts of a party, and takes their sessions away.
///
/// # Errors
/// A fault of the store.
pub fn erase(tx: &Tx<'_>, of: &Erased) -> Result<Vec<(&'static str, Uuid)>> {
    // Before what it is found by is gone: two that hold and are found by nothing would be the same.
    tx.execute(
        "UPDATE account_identity SET ended_at = ?1 WHERE ended_at IS NULL \
           AND account_id IN (SELECT id FROM account WHERE party_id = ?2)",
        params![tx.now(), of.party],
    )?;
    let rows = erase_all(tx, of, SOURCES)?;
    for (_, id) in rows.iter().filter(|(table, _)| *table == "account") {
        // What is sealed under the account's own key, such as the secret of its second factor.
        tx.destroy_key(*id)?;
        forget(tx, AccountId(*id))?;
    }
    tx.execute(
        "UPDATE account SET state = ?1, version = version + 1 WHERE party_id = ?2",
        params![AccountState::Locked.code(), of.party],
    )?;
    Ok(rows)
}
