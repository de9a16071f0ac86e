//! What changes accounts and roles, each with its audit event.
//!
//! It lacks hashing, which is done before a command begins, and sessions at log-in and log-out.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use uuid::Uuid;
use vocab::RegionCode;

use crate::access::{Actor, ActorKind, Role, Roles, may_administer};
use crate::gateway::Template;
use crate::ids::{AccountId, DepartmentId, PartyId};
use crate::params;
use crate::refusal::{Refusal, Refusals, Result};
use crate::store::{Event, Query, Tx};

use super::queries::roles_of;
use super::session::{Secrets, close_all, rotate, token_hash};
use super::whole::{is_row_touched, need_untouched_account, roles_text};
use super::{ADMINISTRATORS, AccountState, check_roles, contact, identity, password, rest};

/// A one-time password is good for so long.
const ONE_TIME: SignedDuration = SignedDuration::from_hours(72);

/// An account to be opened.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// The log-in name: 3 to 40 small letters, digits, `.`, `_`, `-`.
    pub login: String,
    /// The person's or unit's name, shown beside what was done.
    pub name: String,
    /// Made by [`password::hash`].
    pub password_hash: String,
    /// The password was handed over and must be changed at the first log-in.
    pub one_time: bool,
    /// The roles held from the start; the system administrator gives none.
    pub roles: Roles,
    /// The department of staff.
    pub department: Option<DepartmentId>,
    /// The region whose rows may be seen.
    pub region: RegionCode,
    /// The party an applicant acts for.
    pub party: Option<PartyId>,
    /// The public password of an account of a demonstration.
    pub demo: Option<String>,
}

/// Opens an account.
///
/// The system administrator opens accounts of staff without a role, the security administrator
/// gives roles afterwards; the window opens accounts of applicants; the console and the program
/// may do both at once.
///
/// # Errors
/// Refuses others, a bad or taken log-in name, roles that do not go together, a department of
/// another region.
pub fn create_account(tx: &Tx<'_>, actor: &Actor, new: &NewAccount) -> Result<AccountId> {
    may_create(actor, new)?;
    let login = new.login.trim().to_lowercase();
    check_new(tx, new, Refusals::default())?;
    let id = AccountId(tx.new_id());
    let until = new.one_time.then(|| tx.now() + ONE_TIME);
    tx.execute(
        "INSERT INTO account (id, login, name, password_hash, department_id, region_code, party_id, \
           state, demo, failed_logins, version, one_time_until, password_set_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'active', ?8, 0, 1, ?9, ?10)",
        params![
            id,
            &login,
            new.name.trim(),
            &new.password_hash,
            new.department,
            new.region,
            new.party,
            new.demo.is_some(),
            until,
            tx.now()
        ],
    )?;
    write_roles(tx, id, new.roles)?;
    let roles = ("account_role", id.0);
    if let Some(password) = &new.demo {
        let sql = "INSERT INTO demo_account (account_id, password) VALUES (?1, ?2)";
        tx.execute(sql, params![id, password])?;
    }
    tx.event(Event {
        actor: actor.to_ref(),
        command: "account.create",
        subject: ("account", id.0),
        detail: json!({
            "login": login,
            "roles": codes(new.roles),
            "region": new.region.to_string(),
            "party": new.party.map(|party| party.to_string()),
        }),
        rows: vec![("account", id.0), roles],
    });
    Ok(id)
}

/// Who may open which account.
fn may_create(actor: &Actor, new: &NewAccount) -> Result<()> {
    if !matches!(actor.kind, ActorKind::Account(_)) {
        return Ok(());
    }
    let applicant = Roles::from_iter([Role::Applicant]);
    let in_region = vocab::region::is_within(new.region, actor.region);
    if actor.has(Role::WindowClerk) && in_region && new.party.is_some() && new.roles == applicant {
        return Ok(());
    }
    administrator(actor, Role::SystemAdmin, new.region)?;
    let none = new.roles.iter().next().is_none();
    if none && new.party.is_none() && new.demo.is_none() {
        return Ok(());
    }
    Err(Refusal::forbidden(
        "account-roles-apart",
        "系统管理员只开立账号，角色由安全管理员授予。请先开立，再请安全管理员授予角色。",
    )
    .into())
}

/// The fields of the form of a new account, in its order.
const FORM: &[&str] = &["login", "name", "region", "department", "roles"];

/// Every rule of a new account, besides what is known to be wrong.
///
/// # Errors
/// Refused with all fields that break a rule.
pub(super) fn check_new(q: &dyn Query, new: &NewAccount, mut wrong: Refusals) -> Result<()> {
    let login = new.login.trim().to_lowercase();
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
    let taken = "SELECT 1 FROM account WHERE login = ?1";
    if !(3..=40).contains(&login.len()) || !login.chars().all(good) {
        let message = "登录名为 3 至 40 个小写字母、数字、点、下划线或连字符，请修改。";
        wrong.add("login", "login-shape", message);
    } else if q
        .row_opt(taken, params![&login], |r| r.get::<i64>(0))?
        .is_some()
    {
        wrong.add("login", "taken", "这个登录名已被使用，请换一个。");
    }
    require(&mut wrong, "name", &new.name, 60, "姓名");
    // An account of staff begins without a role; every other must fit together at once.
    let bare = new.party.is_none() && new.roles.iter().next().is_none();
    let checked = check_roles(new.roles, new.party.is_some(), new.department.is_some());
    if let (false, Err(rule)) = (bare, checked) {
        wrong.add("roles", rule.code(), rule.message_zh());
    }
    if let (Some(department), false) = (new.department, wrong.has("region")) {
        let of = department_region(q, department)?;
        if of.is_none_or(|of| !vocab::region::is_within(of, new.region)) {
            let message = "所选部门不在账号的区域内，请重新选择部门或区域。";
            wrong.add("department", "department-region", message);
        }
    }
    Ok(wrong.in_order(FORM)?)
}

fn department_region(q: &dyn Query, id: DepartmentId) -> Result<Option<RegionCode>> {
    let sql = "SELECT region_code FROM department WHERE id = ?1";
    Ok(q.row_opt(sql, params![id], |r| r.get(0))?)
}

/// Gives an account exactly these roles, which ends its sessions where they are others. An
/// administrator's account gets no other: it loses its role and is locked with it.
///
/// # Errors
/// Refuses another than the security administrator of the region, one's own account, roles that do
/// not go together, an account that changed meanwhile.
pub fn grant_roles(
    tx: &Tx<'_>,
    actor: &Actor,
    id: AccountId,
    version: i64,
    roles: Roles,
) -> Result<()> {
    let target = target(tx, actor, Role::SecurityAdmin, id)?;
    if let Err(rule) = check_roles(roles, target.party, target.department) {
        let none = roles.iter().next().is_none();
        // Taking every role away is always possible.
        if !none {
            return Err(Refusal::field("roles", rule.code(), rule.message_zh()).into());
        }
    }
    need_untouched_account(tx, id)?;
    let before = roles_of(tx, id)?;
    let leaves_office = before.any(&ADMINISTRATORS) && roles != before;
    let by_account = matches!(actor.kind, ActorKind::Account(_));
    if leaves_office && by_account && roles.iter().next().is_some() {
        let message =
            "管理员的账号不能改授其他角色。请取消全部角色（账号随即锁定），其他工作另开账号。";
        return Err(Refusal::field("roles", "administrator-leaves", message).into());
    }
    advance(tx, id, version)?;
    if leaves_office && by_account {
        // Else two administrators could turn one's account into any other.
        let sql = "UPDATE account SET state = ?1 WHERE id = ?2";
        tx.execute(sql, params![AccountState::Locked.code(), id])?;
    }
    tx.execute(
        "DELETE FROM account_role WHERE account_id = ?1",
        params![id],
    )?;
    write_roles(tx, id, roles)?;
    tx.part("account_role", id.0);
    if roles != before {
        // What a session may do changes with a log-in only.
        close_all(tx, id, None)?;
    }
    event(
        tx,
        actor,
        "account.grant",
        id,
        json!({ "before": codes(before), "after": codes(roles) }),
    );
    Ok(())
}

/// Writes the roles, and beside them what the bound row says of them.
fn write_roles(tx: &Tx<'_>, id: AccountId, roles: Roles) -> Result<()> {
    for role in roles.iter() {
        let sql = "INSERT INTO account_role (account_id, role) VALUES (?1, ?2)";
        tx.execute(sql, params![id, role.code()])?;
    }
    let sql = "UPDATE account SET roles = ?1 WHERE id = ?2";
    tx.execute(sql, params![roles_text(roles), id])?;
    Ok(())
}

/// Locks an account, which ends its sessions, or opens it again, which also ends its waiting. One
/// that somebody changed behind the program's back can be locked, and stays found.
///
/// # Errors
/// Refuses another than the system administrator of the region, one's own account, an account that
/// changed meanwhile.
pub fn set_state(
    tx: &Tx<'_>,
    actor: &Actor,
    id: AccountId,
    version: i64,
    state: AccountState,
    reason: &str,
) -> Result<()> {
    target(tx, actor, Role::SystemAdmin, id)?;
    let of_administrator = roles_of(tx, id)?.any(&ADMINISTRATORS);
    let reason = reason.trim();
    let told = (4..=200).contains(&reason.chars().count());
    if of_administrator && !told && matches!(actor.kind, ActorKind::Account(_)) {
        let message = "锁定或解锁管理员账号请写明原因（4 至 200 个字），会记入日志。";
        return Err(Refusal::field("reason", "reason", message).into());
    }
    let locks = state == AccountState::Locked;
    if !locks {
        need_untouched_account(tx, id)?;
    }
    let touched = is_row_touched(tx, id)?;
    advance(tx, id, version)?;
    tx.execute(
        "UPDATE account SET state = ?1, failed_logins = 0, locked_until = NULL WHERE id = ?2",
        params![state.code(), id],
    )?;
    if locks {
        close_all(tx, id, None)?;
    }
    let rows = (!touched).then_some(("account", id.0));
    tx.event(Event {
        actor: actor.to_ref(),
        command: "account.set_state",
        subject: ("account", id.0),
        detail: match reason {
            "" => json!({ "state": state.code() }),
            reason => json!({ "state": state.code(), "reason": vocab::mask_numbers(reason) }),
        },
        rows: rows.into_iter().collect(),
    });
    Ok(())
}

/// Gives an account a one-time password, good for 72 hours, and ends its sessions. Where no second
/// factor stands beside it, the roles that need one rest (`rest`).
///
/// # Errors
/// Refuses another than the system administrator of the region, one's own account, an
/// administrator's account (whoever knows its password has its power), that of a party, which the
/// window resets, an account that changed meanwhile.
pub fn reset_password(
    tx: &Tx<'_>,
    actor: &Actor,
    id: AccountId,
    version: i64,
    password_hash: &str,
) -> Result<()> {
    let target = target(tx, actor, Role::SystemAdmin, id)?;
    let by_account = matches!(actor.kind, ActorKind::Account(_));
    if by_account && target.party {
        let message = "主体账号的密码由窗口核对证件后重置。请本人到窗口办理。";
        return Err(Refusal::forbidden("reset-at-window", message).into());
    }
    if by_account && roles_of(tx, id)?.any(&ADMINISTRATORS) {
        return Err(Refusal::forbidden(
            "administrators-apart",
            "三类管理员互不重置密码。请由本人修改，忘记时在服务器控制台执行 luodi admin reset 登录名。",
        )
        .into());
    }
    need_untouched_account(tx, id)?;
    advance(tx, id, version)?;
    put_password(tx, id, password_hash, Some(tx.now() + ONE_TIME))?;
    if by_account {
        rest::lay_to_rest(tx, id)?;
    }
    close_all(tx, id, None)?;
    let ended = identity::end_all(tx, id)?;
    contact::tell(tx, id, Template::PasswordChanged)?;
    event_with(tx, actor, "account.reset_password", id, json!({}), ended);
    Ok(())
}

/// Puts a password in the place of the one before, which is remembered so that it does not come back
/// at once, and ends the account's waiting.
pub(super) fn put_password(
    tx: &Tx<'_>,
    id: AccountId,
    password_hash: &str,
    one_time_until: Option<Timestamp>,
) -> Result<()> {
    let sql = "SELECT password_hash FROM account WHERE id = ?1 AND one_time_until IS NULL";
    let own: Option<String> = tx.row_opt(sql, params![id], |r| r.get(0))?;
    if let Some(before) = own {
        tx.execute(
            "INSERT INTO password_past (id, account_id, password_hash, ended_at) VALUES (?1, ?2, ?3, ?4)",
            params![tx.new_id(), id, before, tx.now()],
        )?;
    }
    tx.execute(
        "UPDATE account SET password_hash = ?1, one_time_until = ?2, password_set_at = ?3, \
           failed_logins = 0, locked_until = NULL WHERE id = ?4",
        params![password_hash, one_time_until, tx.now(), id],
    )?;
    Ok(())
}

/// What the window writes down when it gives a party's account a new password.
#[derive(Clone, Debug)]
pub struct Identified {
    /// Why.
    pub reason: String,
    /// The papers of whoever came, as seen.
    pub seen: String,
}

/// Gives an account of a party a one-time password, at the window, after the papers of whoever came
/// were seen; ends its sessions.
///
/// # Errors
/// Refuses others than the window of the account's region, an account of another party or of staff,
/// a missing reason or papers.
pub fn reset_at_window(
    tx: &Tx<'_>,
    actor: &Actor,
    party: PartyId,
    id: AccountId,
    said: &Identified,
    password_hash: &str,
) -> Result<String> {
    if !actor.has(Role::WindowClerk) {
        let message = "主体账号的密码由窗口重置。请到窗口办理。";
        return Err(Refusal::forbidden("reset-at-window", message).into());
    }
    let mut wrong = Refusals::default();
    require(&mut wrong, "reason", &said.reason, 200, "重置原因");
    require(&mut wrong, "seen", &said.seen, 200, "核对的证件");
    wrong.in_order(&["account", "reason", "seen"])?;
    let sql = "SELECT login, region_code FROM account WHERE id = ?1 AND party_id = ?2";
    let found = tx.row_opt(sql, params![id, party], |r| {
        Ok((r.get::<String>(0)?, r.get::<RegionCode>(1)?))
    })?;
    let found = found.filter(|(_, region)| vocab::region::is_within(*region, actor.region));
    let Some((login, _)) = found else {
        return Err(
            Refusal::not_found("没有这个账号，或者不是本主体的。请从主体页面重新进入。").into(),
        );
    };
    need_untouched_account(tx, id)?;
    put_password(tx, id, password_hash, Some(tx.now() + ONE_TIME))?;
    let sql = "UPDATE account SET version = version + 1 WHERE id = ?1";
    tx.execute(sql, params![id])?;
    close_all(tx, id, None)?;
    let ended = identity::end_all(tx, id)?;
    contact::tell(tx, id, Template::PasswordChanged)?;
    // Typed beside an identity card: its number is kept to its end.
    let masked = |text: &str| vocab::mask_numbers(text.trim());
    let detail = json!({ "reason": masked(&said.reason), "seen": masked(&said.seen) });
    event_with(tx, actor, "account.reset_at_window", id, detail, ended);
    Ok(login)
}

/// Gives the account with this log-in name a one-time password from the server's console: the way
/// for administrators, who do not reset each other's. A locked account stays locked.
///
/// # Errors
/// Refuses others than the console, an account that is not there, one of a demonstration.
pub fn reset_at_console(
    tx: &Tx<'_>,
    actor: &Actor,
    login: &str,
    password_hash: &str,
) -> Result<()> {
    let (id, version) = found_at_console(tx, actor, login)?;
    reset_password(tx, actor, id, version, password_hash)
}

/// The account with this log-in name, and its version, for whoever is at the server's console.
///
/// # Errors
/// Refuses others than the console, an account that is not there, one of a demonstration.
pub(super) fn found_at_console(
    tx: &Tx<'_>,
    actor: &Actor,
    login: &str,
) -> Result<(AccountId, i64)> {
    if matches!(actor.kind, ActorKind::Account(_)) {
        let message = "请在服务器控制台执行 luodi admin reset 登录名。";
        return Err(Refusal::forbidden("console-only", message).into());
    }
    let sql = "SELECT id, version, demo FROM account WHERE login = ?1";
    let found: Option<(AccountId, i64, bool)> =
        tx.row_opt(sql, params![login.trim().to_lowercase()], |r| {
            Ok((r.get(0)?, r.get(1)?, r.get(2)?))
        })?;
    let Some((id, version, demo)) = found else {
        let message = format!("没有登录名为「{login}」的账号，请核对登录名。");
        return Err(Refusal::field("login", "login-unknown", message).into());
    };
    if demo {
        let message = "演示账号的密码公开在登录页上，不必重置。";
        return Err(Refusal::forbidden("demonstration", message).into());
    }
    Ok((id, version))
}

/// Sets one's own password; `old_hash` is the hash the old password was found to fit. The session
/// goes on under another secret while all others end.
///
/// # Errors
/// Refuses where the password was changed meanwhile.
pub(super) fn change_password(
    tx: &Tx<'_>,
    actor: &Actor,
    old_hash: &str,
    new_hash: &str,
    session: Option<(&str, &Secrets)>,
) -> Result<()> {
    let id = actor.account_id();
    need_untouched_account(tx, id)?;
    let changed = tx.execute(
        "UPDATE account SET version = version + 1 \
         WHERE id = ?1 AND password_hash = ?2 AND state = 'active' \
           AND (locked_until IS NULL OR locked_until <= ?3)",
        params![id, old_hash, tx.now()],
    )?;
    if changed == 0 {
        return Err(Refusal::field(
            "old_password",
            "old-password",
            "原密码不正确，或尝试次数过多需稍候。请核对后再试。",
        )
        .into());
    }
    put_password(tx, id, new_hash, None)?;
    close_all(tx, id, session.map(|(token, _)| token_hash(token)))?;
    if let Some((token, secrets)) = session {
        rotate(tx, id, token, secrets)?;
    }
    contact::tell(tx, id, Template::PasswordChanged)?;
    event(tx, actor, "account.change_password", id, json!({}));
    Ok(())
}

/// One of the three administrators of a new installation.
#[derive(Clone, Debug)]
pub struct Administrator {
    /// The role.
    pub role: Role,
    /// The log-in name.
    pub login: &'static str,
    /// The one-time password, to be handed over.
    pub password: String,
    password_hash: String,
}

/// Makes one-time passwords for the three administrators; slow, so before the command.
///
/// # Errors
/// What hashing reports.
pub fn prepare_administrators() -> Result<Vec<Administrator>, argon2::password_hash::Error> {
    const LOGINS: [&str; 3] = ["system", "security", "audit"];
    ADMINISTRATORS
        .into_iter()
        .zip(LOGINS)
        .map(|(role, login)| {
            let password = password::one_time();
            let password_hash = password::hash(&password)?;
            Ok(Administrator {
                role,
                login,
                password,
                password_hash,
            })
        })
        .collect()
}

/// Opens the three administrators of a new installation, in the city's region.
///
/// # Errors
/// Refuses others than the console, a demonstration, and an installation that has administrators.
pub fn admin_init(
    tx: &Tx<'_>,
    actor: &Actor,
    region: RegionCode,
    administrators: &[Administrator],
) -> Result<()> {
    if matches!(actor.kind, ActorKind::Account(_)) {
        return Err(
            Refusal::forbidden("console-only", "请在服务器控制台执行 luodi admin init。").into(),
        );
    }
    let exists = |sql| {
        tx.row_opt(sql, params![], |r| r.get::<i64>(0))
            .map(|found| found.is_some())
    };
    if exists("SELECT 1 FROM demo_account LIMIT 1")? {
        return Err(Refusal::forbidden(
            "demonstration",
            "这是演示数据，账号密码公开，不能作为正式系统使用。请换一个空的数据目录再初始化。",
        )
        .into());
    }
    if exists(
        "SELECT 1 FROM account_role \
         WHERE role IN ('system_admin', 'security_admin', 'audit_admin') LIMIT 1",
    )? {
        return Err(Refusal::conflict(
            "administrators-exist",
            "三类管理员已经开立，没有再次开立。忘记密码时请在控制台执行 luodi admin reset 登录名。",
        )
        .into());
    }
    for one in administrators {
        let new = NewAccount {
            login: one.login.to_owned(),
            name: one.role.zh().to_owned(),
            password_hash: one.password_hash.clone(),
            one_time: true,
            roles: Roles::from_iter([one.role]),
            department: None,
            region,
            party: None,
            demo: None,
        };
        create_account(tx, actor, &new)?;
    }
    Ok(())
}

/// What a command needs to know of the account it changes.
pub(super) struct Target {
    party: bool,
    department: bool,
}

/// The account, where this administrator may change it: in his region, and never his own.
pub(super) fn target(tx: &Tx<'_>, actor: &Actor, role: Role, id: AccountId) -> Result<Target> {
    let found = tx.row_opt(
        "SELECT region_code, party_id, department_id FROM account WHERE id = ?1",
        params![id],
        |r| {
            let party = r.get::<Option<PartyId>>(1)?.is_some();
            let department = r.get::<Option<DepartmentId>>(2)?.is_some();
            Ok((r.get(0)?, Target { party, department }))
        },
    )?;
    let not_found = || Refusal::not_found("没有这个账号，或者不在您的管理区域内。");
    let (region, target) = found.ok_or_else(not_found)?;
    if actor.account_id() == id {
        return Err(Refusal::forbidden(
            "own-account",
            "不能更改自己账号的状态、密码重置或角色。请由另一位管理员办理。",
        )
        .into());
    }
    administrator(actor, role, region)?;
    Ok(target)
}

/// Whether the actor is this kind of administrator, of a region that holds `region`.
pub(super) fn administrator(actor: &Actor, role: Role, region: RegionCode) -> Result<()> {
    if !matches!(actor.kind, ActorKind::Account(_)) {
        return Ok(());
    }
    if !actor.has(role) {
        let message = format!("这件事由{}办理。", role.zh());
        return Err(Refusal::forbidden("not-this-administrator", message).into());
    }
    if !may_administer(actor, region) {
        return Err(Refusal::not_found("没有这个账号，或者不在您的管理区域内。").into());
    }
    Ok(())
}

/// Raises the version, unless somebody else did since the page was shown.
pub(super) fn advance(tx: &Tx<'_>, id: AccountId, version: i64) -> Result<()> {
    let sql = "UPDATE account SET version = version + 1 WHERE id = ?1 AND version = ?2";
    if tx.execute(sql, params![id, version])? == 1 {
        return Ok(());
    }
    Err(Refusal::conflict(
        "account-changed",
        "这个账号刚被他人更改，您的更改没有保存。请打开最新页面核对后再办。",
    )
    .into())
}

fn event(
    tx: &Tx<'_>,
    actor: &Actor,
    command: &'static str,
    id: AccountId,
    detail: serde_json::Value,
) {
    event_with(tx, actor, command, id, detail, Vec::new());
}

/// The event of a change of an account and of rows besides it.
fn event_with(
    tx: &Tx<'_>,
    actor: &Actor,
    command: &'static str,
    id: AccountId,
    detail: serde_json::Value,
    mut rows: Vec<(&'static str, Uuid)>,
) {
    rows.push(("account", id.0));
    tx.event(Event {
        actor: actor.to_ref(),
        command,
        subject: ("account", id.0),
        detail,
        rows,
    });
}

fn codes(roles: Roles) -> Vec<&'static str> {
    roles.iter().map(Role::code).collect()
}

pub(super) fn require(wrong: &mut Refusals, name: &str, value: &str, longest: usize, label: &str) {
    let length = value.trim().chars().count();
    if length == 0 {
        wrong.add(name, "required", format!("请填写{label}。"));
    } else if length > longest {
        wrong.add(
            name,
            "length",
            format!("{label}最长 {longest} 个字，请缩短。"),
        );
    }
}
