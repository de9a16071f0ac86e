//! Read models of accounts and departments.

use jiff::Timestamp;
use vocab::RegionCode;

use crate::access::{Actor, Role, Roles, administered_where};
use crate::ids::{AccountId, DepartmentId, PartyId};
use crate::params;
use crate::refusal::{Refusal, Result};
use crate::store::{Query, Row, StoreError, Value, holding};

use super::totp::{self, Secret};
use super::{AccountState, password};

/// The roles an account holds.
pub(super) fn roles_of(q: &dyn Query, id: AccountId) -> Result<Roles> {
    let sql = "SELECT role FROM account_role WHERE account_id = ?1";
    let codes = q.rows(sql, params![id], |r| r.get::<String>(0))?;
    Ok(codes
        .iter()
        .filter_map(|code| Role::from_code(code))
        .collect())
}

/// A department.
#[derive(Clone, Debug)]
pub struct Department {
    /// Its id.
    pub id: DepartmentId,
    /// Short code.
    pub code: String,
    /// Its name.
    pub name: String,
    /// The county or city it works for.
    pub region: RegionCode,
    /// What stands in the numbers of its papers (机关代字): 永发改.
    pub paper_word: String,
    /// Version.
    pub version: i64,
}

fn read_department(r: &Row<'_>) -> Result<Department, StoreError> {
    Ok(Department {
        id: r.get(0)?,
        code: r.get(1)?,
        name: r.get(2)?,
        region: r.get(3)?,
        paper_word: r.get::<Option<String>>(4)?.unwrap_or_default(),
        version: r.get(5)?,
    })
}

/// A department; nothing about it is confidential.
///
/// # Errors
/// The store's own.
pub fn department(q: &dyn Query, id: DepartmentId) -> Result<Option<Department>> {
    let sql =
        "SELECT id, code, name, region_code, paper_word, version FROM department WHERE id = ?1";
    Ok(q.row_opt(sql, params![id], read_department)?)
}

/// The department with this code.
///
/// # Errors
/// The store's own.
pub fn department_by_code(q: &dyn Query, code: &str) -> Result<Option<Department>> {
    let sql =
        "SELECT id, code, name, region_code, paper_word, version FROM department WHERE code = ?1";
    Ok(q.row_opt(sql, params![code.trim()], read_department)?)
}

/// The departments of a region and of what lies within it, by region and code.
///
/// # Errors
/// The store's own.
pub fn departments(q: &dyn Query, within: RegionCode) -> Result<Vec<Department>> {
    let sql = "SELECT id, code, name, region_code, paper_word, version FROM department ORDER BY region_code, code";
    let mut all = q.rows(sql, params![], read_department)?;
    all.retain(|department| vocab::region::is_within(department.region, within));
    Ok(all)
}

/// Who holds a role in the actor's department and may log in, himself left out, by name.
///
/// # Errors
/// The store's own.
pub fn colleagues(q: &dyn Query, actor: &Actor, role: Role) -> Result<Vec<(AccountId, String)>> {
    Ok(q.rows(
        "SELECT a.id, a.name FROM account a JOIN account_role r ON r.account_id = a.id \
         WHERE a.department_id = ?1 AND r.role = ?2 AND a.state = 'active' AND a.id <> ?3 \
         ORDER BY a.name, a.id LIMIT 500",
        params![actor.department, role.code(), actor.account_id()],
        |r| Ok((r.get(0)?, r.get(1)?)),
    )?)
}

/// The name of one of these colleagues.
///
/// # Errors
/// Refuses whoever is none.
pub fn colleague(q: &dyn Query, actor: &Actor, id: AccountId, role: Role) -> Result<String> {
    let found = colleagues(q, actor, role)?
        .into_iter()
        .find(|(one, _)| *one == id);
    let message = format!("请选择本部门的另一名「{}」。", role.zh());
    Ok(found
        .map(|(_, name)| name)
        .ok_or_else(|| Refusal::invalid("no-colleague", message))?)
}

/// The name of whoever did something: of an account, else of the program.
///
/// # Errors
/// The store's own.
pub fn name_of(q: &dyn Query, id: AccountId) -> Result<String> {
    let sql = "SELECT name FROM account WHERE id = ?1";
    let name = q.row_opt(sql, params![id], |r| r.get(0))?;
    Ok(name.unwrap_or_else(|| "系统".to_owned()))
}

/// Whether the installation has any department or account yet.
///
/// # Errors
/// The store's own.
pub fn begun(q: &dyn Query) -> Result<bool> {
    let sql = "SELECT (SELECT COUNT(*) FROM account) + (SELECT COUNT(*) FROM department)";
    Ok(q.row(sql, params![], |r| r.get::<i64>(0))? > 0)
}

/// Whether there are accounts with public passwords.
///
/// # Errors
/// The store's own.
pub fn has_demo(q: &dyn Query) -> Result<bool, StoreError> {
    q.row("SELECT COUNT(*) FROM demo_account", params![], |r| {
        r.get::<i64>(0)
    })
    .map(|count| count > 0)
}

/// The account with this log-in name.
///
/// # Errors
/// The store's own.
pub fn find_login(q: &dyn Query, login: &str) -> Result<Option<AccountId>> {
    Ok(q.row_opt(
        "SELECT id FROM account WHERE login = ?1",
        params![login],
        |r| r.get(0),
    )?)
}

/// The accounts that act for a party, by log-in name: id, log-in name, last log-in.
///
/// # Errors
/// The store's own.
pub fn of_party(
    q: &dyn Query,
    party: PartyId,
) -> Result<Vec<(AccountId, String, Option<Timestamp>)>> {
    let sql = "SELECT id, login, last_login_at FROM account WHERE party_id = ?1 \
               ORDER BY login LIMIT 50";
    Ok(q.rows(sql, params![party], |r| {
        Ok((r.get(0)?, r.get(1)?, r.get(2)?))
    })?)
}

/// The hashes of the passwords an account may not take again: the present one and those before it.
pub(super) fn past_passwords(q: &dyn Query, id: AccountId) -> Result<Vec<String>> {
    let sql = "SELECT password_hash FROM account WHERE id = ?1";
    let mut hashes = q.rows(sql, params![id], |r| r.get::<String>(0))?;
    let sql = "SELECT password_hash FROM password_past WHERE account_id = ?1 \
               ORDER BY ended_at DESC, id DESC LIMIT ?2";
    let before = password::REMEMBERED - 1;
    hashes.extend(q.rows(sql, params![id, before], |r| r.get::<String>(0))?);
    Ok(hashes)
}

/// What others know of an account's owner, which no password may be.
pub(super) fn known_words(q: &dyn Query, id: AccountId) -> Result<Vec<String>> {
    let sql = "SELECT name, party_id FROM account WHERE id = ?1";
    let found: Option<(String, Option<PartyId>)> =
        q.row_opt(sql, params![id], |r| Ok((r.get(0)?, r.get(1)?)))?;
    let Some((name, party)) = found else {
        return Ok(Vec::new());
    };
    let mut words = vec![name];
    if let Some(party) = party {
        words.extend(crate::party::known_words(q, party)?);
    }
    Ok(words)
}

/// An account of a demonstration with its public password.
#[derive(Clone, Debug)]
pub struct DemoAccount {
    /// The account.
    pub id: AccountId,
    /// The log-in name.
    pub login: String,
    /// The person's or party's name.
    pub name: String,
    /// The password, public by design.
    pub password: String,
    /// The secret of the second factor in base32, where there is one.
    pub totp: Option<String>,
    /// The step of its last code.
    last_step: i64,
    /// The roles held.
    pub roles: Roles,
    /// The region.
    pub region: RegionCode,
    /// The department's name; empty for applicants and administrators.
    pub department: String,
    /// The party an applicant acts for.
    pub party: Option<PartyId>,
}

/// A code of a second factor, as the telephone of its owner would show it.
#[derive(Clone, Debug)]
pub struct DemoCode {
    /// The next one that was not used; none where all of the present were.
    pub code: Option<String>,
    /// Seconds until there is another.
    pub seconds: i64,
}

impl DemoAccount {
    /// The code to log in with, where the account has a second factor.
    pub fn code(&self, now: Timestamp) -> Option<DemoCode> {
        let secret = Secret::from_base32(self.totp.as_deref()?)?;
        Some(DemoCode {
            code: secret.next_code(now, self.last_step),
            seconds: totp::seconds_left(now),
        })
    }
}

/// The code to log in to an account of the demonstration with.
///
/// # Errors
/// The store's own.
pub(super) fn demo_code(
    q: &dyn Query,
    account: AccountId,
    now: Timestamp,
) -> Result<Option<DemoCode>> {
    let accounts = demo_accounts(q)?;
    let found = accounts.iter().find(|one| one.id == account);
    Ok(found.and_then(|one| one.code(now)))
}

/// The accounts of the demonstration, by region, department and log-in name; none in a real city.
///
/// # Errors
/// The store's own.
pub fn demo_accounts(q: &dyn Query) -> Result<Vec<DemoAccount>> {
    let mut accounts = q.rows(
        "SELECT a.id, a.login, a.name, p.password, p.totp, a.region_code, d.name, a.party_id, f.last_step \
         FROM demo_account p JOIN account a ON a.id = p.account_id \
         LEFT JOIN department d ON d.id = a.department_id \
         LEFT JOIN second_factor f ON f.account_id = a.id AND f.state = 'active' \
         ORDER BY a.region_code, d.code NULLS LAST, a.login LIMIT 500",
        params![],
        |r| {
            Ok(DemoAccount {
                id: r.get(0)?,
                login: r.get(1)?,
                name: r.get(2)?,
                password: r.get(3)?,
                totp: r.get(4)?,
                roles: Roles::default(),
                region: r.get(5)?,
                department: r.get::<Option<String>>(6)?.unwrap_or_default(),
                party: r.get(7)?,
                last_step: r.get::<Option<i64>>(8)?.unwrap_or_default(),
            })
        },
    )?;
    for account in &mut accounts {
        account.roles = roles_of(q, account.id)?;
    }
    Ok(accounts)
}

/// What the list of accounts is narrowed by.
#[derive(Clone, Debug, Default)]
pub struct AccountFilter {
    /// A part of the name or of the log-in name.
    pub text: String,
    /// Only holders of this role.
    pub role: Option<Role>,
    /// Only this department.
    pub department: Option<DepartmentId>,
    /// Only this state.
    pub state: Option<AccountState>,
}

/// An account in the list and on its own page.
#[derive(Clone, Debug)]
pub struct AccountRow {
    /// Its id.
    pub id: AccountId,
    /// The log-in name.
    pub login: String,
    /// The person's or party's name.
    pub name: String,
    /// The department's name; empty for applicants and administrators.
    pub department: String,
    /// The region.
    pub region: RegionCode,
    /// Acts for a party.
    pub applicant: bool,
    /// Whether it may log in.
    pub state: AccountState,
    /// The one-time password is good until then.
    pub one_time_until: Option<Timestamp>,
    /// It waits until then after wrong passwords.
    pub locked_until: Option<Timestamp>,
    /// The last log-in.
    pub last_login_at: Option<Timestamp>,
    /// It has a second factor.
    pub has_factor: bool,
    /// Since when its roles that need one rest until the security administrator confirms them.
    pub roles_rest_since: Option<Timestamp>,
    /// Raised by each change.
    pub version: i64,
    /// The roles held.
    pub roles: Roles,
}

impl AccountRow {
    /// The roles in Chinese.
    pub fn roles_zh(&self) -> String {
        self.roles
            .iter()
            .map(Role::zh)
            .collect::<Vec<_>>()
            .join("、")
    }

    /// Since when roles of it rest; none where it holds none that could.
    pub fn resting(&self) -> Option<Timestamp> {
        self.roles_rest_since
            .filter(|_| self.roles.any(Role::WITH_SECOND_FACTOR))
    }
}

const COLUMNS: &str = "a.id, a.login, a.name, d.name, a.region_code, a.party_id, a.state, \
     a.one_time_until, a.locked_until, a.last_login_at, a.version, \
     (SELECT COUNT(*) FROM second_factor f WHERE f.account_id = a.id AND f.state = 'active'), \
     a.roles_rest_since";

fn read_row(r: &Row<'_>) -> Result<AccountRow, StoreError> {
    let state: String = r.get(6)?;
    let unknown = || StoreError::Value(format!("no state of an account: {state}"));
    Ok(AccountRow {
        id: r.get(0)?,
        login: r.get(1)?,
        name: r.get(2)?,
        department: r.get::<Option<String>>(3)?.unwrap_or_default(),
        region: r.get(4)?,
        applicant: r.get::<Option<PartyId>>(5)?.is_some(),
        state: AccountState::from_code(&state).ok_or_else(unknown)?,
        one_time_until: r.get(7)?,
        locked_until: r.get(8)?,
        last_login_at: r.get(9)?,
        version: r.get(10)?,
        has_factor: r.get::<i64>(11)? > 0,
        roles_rest_since: r.get(12)?,
        roles: Roles::default(),
    })
}

fn conditions(actor: &Actor, filter: &AccountFilter, params: &mut Vec<Value>) -> String {
    let mut sql = administered_where(actor, "a.region_code", params);
    let mut narrow = |condition: &str, value: Value| {
        params.push(value);
        sql.push_str(" AND ");
        sql.push_str(&condition.replace("?#", &format!("?{}", params.len())));
    };
    if !filter.text.is_empty() {
        let part = like_part(&filter.text);
        narrow(
            "(a.login LIKE ?# ESCAPE '!' OR LOWER(a.name) LIKE ?# ESCAPE '!')",
            part.into(),
        );
    }
    if let Some(role) = filter.role {
        narrow(
            "EXISTS (SELECT 1 FROM account_role r WHERE r.account_id = a.id AND r.role = ?#)",
            role.code().into(),
        );
    }
    if let Some(department) = filter.department {
        narrow("a.department_id = ?#", department.into());
    }
    if let Some(state) = filter.state {
        narrow("a.state = ?#", state.code().into());
    }
    sql
}

/// A pattern for `LIKE … ESCAPE '!'` that finds the text anywhere. The columns
/// searched hold small letters only.
pub(crate) fn like_part(text: &str) -> String {
    holding(&vocab::fold_width(text.trim()).to_lowercase())
}

/// How many accounts of the administrator's region the filter leaves.
///
/// # Errors
/// The store's own.
pub fn count(q: &dyn Query, actor: &Actor, filter: &AccountFilter) -> Result<u64> {
    let mut params = Vec::new();
    let wanted = conditions(actor, filter, &mut params);
    let sql = format!("SELECT COUNT(*) FROM account a WHERE {wanted}");
    Ok(q.row(&sql, params, |r| r.get(0))?)
}

/// A page of these accounts, by region, department and log-in name.
///
/// # Errors
/// The store's own.
pub fn list(
    q: &dyn Query,
    actor: &Actor,
    filter: &AccountFilter,
    limit: u32,
    offset: i64,
) -> Result<Vec<AccountRow>> {
    let mut params = Vec::new();
    let wanted = conditions(actor, filter, &mut params);
    params.extend([Value::from(limit), Value::from(offset)]);
    let (limit, offset) = (params.len() - 1, params.len());
    let sql = format!(
        "SELECT {COLUMNS} FROM account a LEFT JOIN department d ON d.id = a.department_id \
         WHERE {wanted} ORDER BY a.region_code, d.code NULLS LAST, a.login \
         LIMIT ?{limit} OFFSET ?{offset}"
    );
    let mut rows = q.rows(&sql, params, read_row)?;
    for row in &mut rows {
        row.roles = roles_of(q, row.id)?;
    }
    Ok(rows)
}

/// One account of the administrator's region.
///
/// # Errors
/// Refuses where there is none.
pub fn show(q: &dyn Query, actor: &Actor, id: AccountId) -> Result<AccountRow> {
    let mut params = Vec::from(params![id]);
    let wanted = administered_where(actor, "a.region_code", &mut params);
    let sql = format!(
        "SELECT {COLUMNS} FROM account a LEFT JOIN department d ON d.id = a.department_id \
         WHERE a.id = ?1 AND {wanted}"
    );
    let found = q.row_opt(&sql, params, read_row)?;
    let mut row = found.ok_or_else(|| {
        Refusal::not_found("没有这个账号，或者不在您的管理区域内。请从账号列表重新进入。")
    })?;
    row.roles = roles_of(q, id)?;
    Ok(row)
}

/// How many accounts of the administrator's region hold each role, in the order of the roles.
///
/// # Errors
/// The store's own.
pub(super) fn holders(q: &dyn Query, actor: &Actor) -> Result<Vec<(Role, u64)>, StoreError> {
    let mut params = Vec::new();
    let wanted = administered_where(actor, "a.region_code", &mut params);
    let sql = format!(
        "SELECT r.role, COUNT(*) FROM account_role r JOIN account a ON a.id = r.account_id \
         WHERE {wanted} GROUP BY r.role"
    );
    let counted = q.rows(&sql, params, |r| {
        Ok((r.get::<String>(0)?, r.get::<u64>(1)?))
    })?;
    let count = |role: &Role| {
        let found = counted.iter().find(|(code, _)| code == role.code());
        (*role, found.map_or(0, |(_, count)| *count))
    };
    Ok(Role::ALL.iter().map(count).collect())
}

/// How the accounts of a region stand, in numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    /// Open sessions of staff.
    pub(super) staff_sessions: u64,
    /// Open sessions of applicants.
    pub(super) applicant_sessions: u64,
    /// Accounts an administrator locked.
    pub(super) locked: u64,
    /// Accounts that wait after wrong passwords.
    pub(super) waiting: u64,
    /// Accounts of which roles rest until they are confirmed.
    pub(super) resting: u64,
}

/// How the accounts of the administrator's region stand.
///
/// # Errors
/// The store's own.
pub(super) fn standing(
    q: &dyn Query,
    actor: &Actor,
    now: Timestamp,
) -> Result<Standing, StoreError> {
    let mut values = Vec::from(params![now, now - super::session::IDLE]);
    let wanted = administered_where(actor, "a.region_code", &mut values);
    let sql = format!(
        "SELECT COUNT(CASE WHEN a.party_id IS NULL THEN 1 END), COUNT(a.party_id) \
         FROM session s JOIN account a ON a.id = s.account_id \
         WHERE s.expires_at > ?1 AND s.seen_at > ?2 AND {wanted}"
    );
    let (staff_sessions, applicant_sessions) =
        q.row(&sql, values, |r| Ok((r.get(0)?, r.get(1)?)))?;
    let mut values = Vec::from(params![now]);
    let wanted = administered_where(actor, "a.region_code", &mut values);
    let resting: Vec<_> = Role::WITH_SECOND_FACTOR
        .iter()
        .map(|role| format!("'{}'", role.code()))
        .collect();
    let resting = resting.join(", ");
    let sql = format!(
        "SELECT COUNT(CASE WHEN a.state = 'locked' THEN 1 END), \
           COUNT(CASE WHEN a.locked_until > ?1 THEN 1 END), \
           COUNT(CASE WHEN a.roles_rest_since IS NOT NULL AND EXISTS (SELECT 1 FROM account_role r \
             WHERE r.account_id = a.id AND r.role IN ({resting})) THEN 1 END) \
         FROM account a WHERE {wanted}"
    );
    q.row(&sql, values, |r| {
        Ok(Standing {
            staff_sessions,
            applicant_sessions,
            locked: r.get(0)?,
            waiting: r.get(1)?,
            resting: r.get(2)?,
        })
    })
}
