//! Whether an account is as its events say, asked before anything rests on it or vouches for it.
//!
//! The bound row of an account says which roles it has and which second factor is in use. So neither
//! can be added, taken away or exchanged beside the row, and no search in the log has to be believed.
//! It lacks what is bound how (`store`).

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::access::{Role, Roles};
use crate::ids::AccountId;
use crate::params;
use crate::refusal::{Result, need_untouched, need_untouched_part, touched_row};
use crate::store::{Query, StoreError, Tx};

/// Refuses an account that somebody changed behind the program's back, roles and second factors
/// included. It comes before a command's own changes.
///
/// # Errors
/// Refused with the table and the row.
pub(super) fn need_untouched_account(tx: &Tx<'_>, id: AccountId) -> Result<()> {
    need_untouched(tx, "account", &[id.0])?;
    need_untouched_part(tx, "account_role", ("account", id.0))?;
    let sql = "SELECT id FROM second_factor WHERE account_id = ?1";
    let factors = tx.rows(sql, params![id], |r| r.get::<Uuid>(0))?;
    need_untouched(tx, "second_factor", &factors)?;
    match differing(tx, "a.id = ?1", id.0)?.first() {
        Some((table, id, _)) => Err(touched_row(table, *id).into()),
        None => Ok(()),
    }
}

/// Whether the row of an account itself is other than its event says: then no event of a command
/// that must go on all the same names it, and it stays found.
pub(super) fn is_row_touched(tx: &Tx<'_>, id: AccountId) -> Result<bool> {
    Ok(!tx.touched("account", &[id.0])?.is_empty())
}

/// What the row of an account says of its roles.
pub(super) fn roles_text(roles: Roles) -> String {
    let codes: Vec<&str> = roles.iter().map(Role::code).collect();
    codes.join(" ")
}

/// Accounts whose roles or second factor in use are other than their bound rows say: table, account
/// and why.
///
/// # Errors
/// The store's own.
pub fn altered(q: &dyn Query) -> Result<Vec<(&'static str, Uuid, &'static str)>> {
    Ok(differing(q, "CAST(?1 AS BIGINT) = 0", 0)?)
}

/// What an account has, beside what its row says.
#[derive(Default)]
struct Met {
    said: (BTreeSet<String>, Option<Uuid>),
    roles: BTreeSet<String>,
    factors: Vec<Uuid>,
}

fn differing(
    q: &dyn Query,
    which: &str,
    value: impl Into<crate::store::Value>,
) -> Result<Vec<(&'static str, Uuid, &'static str)>, StoreError> {
    let sql = format!(
        "SELECT a.id, a.roles, a.factor_id, 1, r.role, NULL FROM account a \
         LEFT JOIN account_role r ON r.account_id = a.id WHERE {which} \
         UNION ALL SELECT a.id, NULL, NULL, 0, NULL, f.id FROM account a \
         JOIN second_factor f ON f.account_id = a.id WHERE f.state = 'active' AND {which}"
    );
    let mut accounts: BTreeMap<Uuid, Met> = BTreeMap::new();
    q.each(&sql, &[value.into()], &mut |row| {
        let met = accounts.entry(row.get(0)?).or_default();
        if row.get::<i64>(3)? == 1 {
            let roles: Option<String> = row.get(1)?;
            let roles = roles.unwrap_or_default();
            met.said = (
                roles.split_whitespace().map(str::to_owned).collect(),
                row.get(2)?,
            );
            met.roles.extend(row.get::<Option<String>>(4)?);
        } else {
            met.factors.push(row.get(5)?);
        }
        Ok(())
    })?;
    let mut found = Vec::new();
    for (id, met) in accounts {
        let (roles, factor) = met.said;
        if roles != met.roles {
            found.push(("account_role", id, "角色与账号记录的不同：被加入或删去。"));
        }
        if !met.factors.iter().eq(factor.iter()) {
            let why = "正在使用的动态验证码不是账号记录的那一个：被加入、删去或改动。";
            found.push(("second_factor", id, why));
        }
    }
    Ok(found)
}
