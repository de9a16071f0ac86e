//! Leaves (请假) and who stands in (AB角): registering, changing and ending one, and who stands in
//! for whom today.
//!
//! A leave gives no role. It lacks what a stand-in may reach by it, which is `casework`'s.

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::json;
use vocab::RegionCode;

use super::commands::administrator;
use super::{ADMINISTRATORS, AccountState};
use crate::access::{Actor, Role, Roles};
use crate::ids::{AccountId, DepartmentId, LeaveId, PartyId};
use crate::params;
use crate::refusal::{Refusal, Refusals, Result};
use crate::store::{Event, Query, StoreError, Tx};

use super::queries::roles_of;

/// Why somebody is away. No free text: what kind of illness somebody has is nobody's matter here.
pub const KINDS: &[(&str, &str)] = &[
    ("holiday", "休假"),
    ("business", "公出"),
    ("training", "学习培训"),
    ("other", "其他"),
];

/// The word for a kind of leave.
pub fn kind_zh(kind: &str) -> &str {
    let found = KINDS.iter().find(|(code, _)| *code == kind);
    found.map_or(kind, |(_, word)| word)
}

/// The most days of one leave.
const LONGEST: i32 = 366;

/// The fields of the form, in its order.
const FORM: &[&str] = &["account", "kind", "first_day", "last_day", "stand_in"];

/// What is registered of a leave.
#[derive(Clone, Debug)]
pub struct NewLeave {
    /// Who is away.
    pub account: AccountId,
    /// One of [`KINDS`].
    pub kind: String,
    /// The first day.
    pub first_day: Date,
    /// The last day.
    pub last_day: Date,
    /// Who stands in.
    pub stand_in: AccountId,
}

/// A leave as its row holds it.
#[derive(Clone, Debug)]
pub(super) struct Leave {
    pub(super) new: NewLeave,
    pub(super) ended_at: Option<Timestamp>,
    pub(super) version: i64,
}

/// What a leave needs to know of one of its two.
struct Member {
    name: String,
    department: Option<DepartmentId>,
    region: RegionCode,
    staff: bool,
    active: bool,
    roles: Roles,
}

fn member(q: &dyn Query, id: AccountId) -> Result<Option<Member>> {
    let sql = "SELECT name, department_id, region_code, party_id, state FROM account WHERE id = ?1";
    let found = q.row_opt(sql, params![id], |r| {
        Ok(Member {
            name: r.get(0)?,
            department: r.get(1)?,
            region: r.get(2)?,
            staff: r.get::<Option<PartyId>>(3)?.is_none(),
            active: r.get::<String>(4)? == AccountState::Active.code(),
            roles: Roles::default(),
        })
    })?;
    let Some(mut member) = found else {
        return Ok(None);
    };
    member.roles = roles_of(q, id)?;
    Ok(Some(member))
}

/// Registers a leave.
///
/// # Errors
/// Refuses another than the security administrator of the region, one's own leave, and what
/// breaks a rule of [`check`].
pub fn register_leave(tx: &Tx<'_>, actor: &Actor, new: &NewLeave) -> Result<LeaveId> {
    hold_both(tx, new)?;
    may_keep(tx, actor, new.account)?;
    check(tx, actor, None, new, tx.today(), Refusals::default())?;
    let id = LeaveId(tx.new_id());
    tx.execute(
        "INSERT INTO account_leave (id, account_id, stand_in_id, kind, first_day, last_day, \
           registered_by, registered_at, version) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 1)",
        params![
            id,
            new.account,
            new.stand_in,
            &new.kind,
            new.first_day,
            new.last_day,
            &actor.name,
            tx.now()
        ],
    )?;
    event(tx, actor, "account.register_leave", id, new, told(new));
    Ok(id)
}

/// Changes days, kind and stand-in of a leave that has not ended; the first day of one that has
/// begun stays.
///
/// # Errors
/// As [`register_leave`]; a leave that is over, or that changed meanwhile.
pub fn change_leave(
    tx: &Tx<'_>,
    actor: &Actor,
    id: LeaveId,
    version: i64,
    wanted: &NewLeave,
) -> Result<()> {
    let before = kept(tx, actor, id, tx.today())?;
    let new = &NewLeave {
        account: before.new.account,
        ..wanted.clone()
    };
    hold_both(tx, new)?;
    check(
        tx,
        actor,
        Some((id, &before.new)),
        new,
        tx.today(),
        Refusals::default(),
    )?;
    let changed = tx.execute(
        "UPDATE account_leave SET stand_in_id = ?3, kind = ?4, first_day = ?5, last_day = ?6, \
           version = version + 1 WHERE id = ?1 AND version = ?2 AND ended_at IS NULL",
        params![
            id,
            version,
            new.stand_in,
            &new.kind,
            new.first_day,
            new.last_day
        ],
    )?;
    if changed == 0 {
        return Err(changed_meanwhile());
    }
    let detail = json!({ "before": told(&before.new), "after": told(new) });
    event(tx, actor, "account.change_leave", id, new, detail);
    Ok(())
}

/// Ends a leave before its last day, or before it begins; from now on nobody stands in by it.
///
/// # Errors
/// Refuses another than the security administrator of the region, one's own leave, one that is
/// over, or that changed meanwhile.
pub fn end_leave(tx: &Tx<'_>, actor: &Actor, id: LeaveId, version: i64) -> Result<()> {
    let before = kept(tx, actor, id, tx.today())?;
    let changed = tx.execute(
        "UPDATE account_leave SET ended_at = ?3, ended_by = ?4, version = version + 1 \
         WHERE id = ?1 AND version = ?2 AND ended_at IS NULL",
        params![id, version, tx.now(), &actor.name],
    )?;
    if changed == 0 {
        return Err(changed_meanwhile());
    }
    event(tx, actor, "account.end_leave", id, &before.new, json!({}));
    Ok(())
}

/// Two leaves of the same people wait for each other: neither row shows what the other looked at.
fn hold_both(tx: &Tx<'_>, new: &NewLeave) -> Result<()> {
    let mut both = [new.account, new.stand_in];
    both.sort_unstable();
    for one in both {
        tx.hold("account", one)?;
    }
    Ok(())
}

fn told(new: &NewLeave) -> serde_json::Value {
    json!({
        "kind": &new.kind, "first_day": new.first_day.to_string(),
        "last_day": new.last_day.to_string(), "stand_in": new.stand_in.0.to_string(),
    })
}

fn changed_meanwhile() -> crate::refusal::Error {
    let message = "这条请假刚被他人更改，您的更改没有保存。请打开最新页面核对后再办。";
    Refusal::conflict("leave-changed", message).into()
}

/// The leave, where this actor may change it and it is not over.
fn kept(q: &dyn Query, actor: &Actor, id: LeaveId, today: Date) -> Result<Leave> {
    let leave = load(q, id)?.ok_or_else(no_leave)?;
    may_keep(q, actor, leave.new.account)?;
    if leave.ended_at.is_some() || leave.new.last_day < today {
        let message = "这条请假已经结束，不能再更改。请另行登记。";
        return Err(Refusal::conflict("leave-over", message).into());
    }
    Ok(leave)
}

/// Whether the actor keeps the leaves of this account.
fn may_keep(q: &dyn Query, actor: &Actor, account: AccountId) -> Result<()> {
    let Some(of) = member(q, account)? else {
        return Err(no_leave().into());
    };
    if actor.account_id() == account {
        let message = "不能登记或更改自己的请假。请由另一位安全管理员办理。";
        return Err(Refusal::forbidden("own-leave", message).into());
    }
    administrator(actor, Role::SecurityAdmin, of.region)
}

pub(super) fn no_leave() -> Refusal {
    Refusal::not_found("没有这条请假，或者不在您的管理区域内。请从请假列表重新进入。")
}

pub(super) fn load(q: &dyn Query, id: LeaveId) -> Result<Option<Leave>> {
    let sql = "SELECT account_id, stand_in_id, kind, first_day, last_day, ended_at, version \
               FROM account_leave WHERE id = ?1";
    Ok(q.row_opt(sql, params![id], |r| {
        Ok(Leave {
            new: NewLeave {
                account: r.get(0)?,
                stand_in: r.get(1)?,
                kind: r.get(2)?,
                first_day: r.get(3)?,
                last_day: r.get(4)?,
            },
            ended_at: r.get(5)?,
            version: r.get(6)?,
        })
    })?)
}

/// Every rule of a leave, besides what is known to be wrong: days in order and to come, a stand-in
/// of the same department who is there, nobody away twice, nobody away while he stands in.
///
/// # Errors
/// Refused with all fields that break a rule.
pub(super) fn check(
    q: &dyn Query,
    actor: &Actor,
    known: Option<(LeaveId, &NewLeave)>,
    new: &NewLeave,
    today: Date,
    mut wrong: Refusals,
) -> Result<()> {
    if KINDS.iter().all(|(code, _)| *code != new.kind) {
        wrong.add("kind", "required", "请选择请假类别。");
    }
    if !wrong.has("first_day") && !wrong.has("last_day") {
        check_days(known.map(|(_, before)| before), new, today, &mut wrong);
    }
    let away = member(q, new.account)?.filter(|_| !wrong.has("account"));
    if let Some(away) = &away {
        if !away.staff || away.roles.any(&ADMINISTRATORS) {
            let message = "只登记工作人员的请假；三类管理员不设代理，请为其开立另一位同类管理员。";
            wrong.add("account", "leave-of-staff", message);
        } else if !wrong.has("stand_in") {
            check_stand_in(q, actor, away, new, &mut wrong)?;
        }
    }
    if wrong.is_empty() {
        check_others(q, known.map(|(id, _)| id), new, &mut wrong)?;
    }
    Ok(wrong.in_order(FORM)?)
}

fn check_days(known: Option<&NewLeave>, new: &NewLeave, today: Date, wrong: &mut Refusals) {
    let began = known.filter(|known| known.first_day < today);
    if let Some(began) = began.filter(|began| began.first_day != new.first_day) {
        let message = format!("请假已从 {} 开始，起始日期不能再改。", began.first_day);
        wrong.add("first_day", "leave-began", message);
    } else if began.is_none() && new.first_day < today {
        let message = "起始日期不能早于今天：代理从登记之日起才有意义。请改为今天或以后。";
        wrong.add("first_day", "not-past", message);
    }
    let days = (new.last_day - new.first_day).get_days();
    if new.last_day < today || days < 0 {
        let message = "结束日期不能早于起始日期和今天，请核对。";
        wrong.add("last_day", "days-in-order", message);
    } else if days >= LONGEST {
        let message = format!("一次最长登记 {LONGEST} 天，更长的请分次登记。");
        wrong.add("last_day", "leave-length", message);
    }
}

fn check_stand_in(
    q: &dyn Query,
    actor: &Actor,
    away: &Member,
    new: &NewLeave,
    wrong: &mut Refusals,
) -> Result<()> {
    let stands = member(q, new.stand_in)?;
    // Offices that work for the whole region have no department: window, finance.
    let same = |other: &Member| {
        other.department == away.department
            && (away.department.is_some() || other.region == away.region)
    };
    let good = stands.filter(|other| {
        other.staff
            && other.active
            && new.stand_in != new.account
            && new.stand_in != actor.account_id()
            && !other.roles.any(&ADMINISTRATORS)
            && same(other)
    });
    if good.is_none() {
        let message = format!(
            "代理人须是与{}同一部门的另一名在岗工作人员，请重新选择。",
            away.name
        );
        wrong.add("stand_in", "stand-in-colleague", message);
    }
    Ok(())
}

/// What other leaves in force say against this one.
fn check_others(
    q: &dyn Query,
    own: Option<LeaveId>,
    new: &NewLeave,
    wrong: &mut Refusals,
) -> Result<()> {
    let others = q.rows(
        "SELECT l.id, l.account_id, l.first_day, l.last_day, a.name FROM account_leave l \
         JOIN account a ON a.id = l.account_id \
         WHERE l.ended_at IS NULL AND l.last_day >= ?1 AND l.first_day <= ?2 \
           AND (l.account_id IN (?3, ?4) OR l.stand_in_id = ?3) ORDER BY l.first_day, l.id LIMIT 50",
        params![new.first_day, new.last_day, new.account, new.stand_in],
        |r| {
            let days = format!("{} 至 {}", r.get::<Date>(2)?, r.get::<Date>(3)?);
            Ok((r.get::<LeaveId>(0)?, r.get::<AccountId>(1)?, days, r.get::<String>(4)?))
        },
    )?;
    for (id, away, days, name) in others {
        if own == Some(id) {
            continue;
        }
        if away == new.account {
            let message = format!("{name}在 {days} 已登记请假，日期重叠。请更改原来那条。");
            wrong.add("first_day", "leave-overlaps", message);
        } else if away == new.stand_in {
            let message = format!("{name}在 {days} 自己请假，不能代理。请换一人。");
            wrong.add("stand_in", "stand-in-away", message);
        } else {
            let message = format!("本人在 {days} 是{name}的代理人。请先给那条请假换代理人。");
            wrong.add("account", "stands-in-himself", message);
        }
    }
    Ok(())
}

fn event(
    tx: &Tx<'_>,
    actor: &Actor,
    command: &'static str,
    id: LeaveId,
    new: &NewLeave,
    detail: serde_json::Value,
) {
    tx.event(Event {
        actor: actor.to_ref(),
        command,
        subject: ("account", new.account.0),
        detail,
        rows: vec![("account_leave", id.0)],
    });
}

/// Whom the account stands in for on this day: id and name.
///
/// # Errors
/// The store's own.
pub fn stands_in_for(
    q: &dyn Query,
    account: AccountId,
    day: Date,
) -> Result<Vec<(AccountId, String)>, StoreError> {
    q.rows(
        "SELECT a.id, a.name FROM account_leave l JOIN account a ON a.id = l.account_id \
         WHERE l.stand_in_id = ?1 AND l.last_day >= ?2 AND l.first_day <= ?2 AND l.ended_at IS NULL \
         ORDER BY a.name, a.id LIMIT 200",
        params![account, day],
        |r| Ok((r.get(0)?, r.get(1)?)),
    )
}

/// Whether an account can still do the work of a role: it may log in, holds the role, and the role
/// does not rest.
///
/// # Errors
/// The store's own.
pub fn still_works(q: &dyn Query, account: AccountId, role: Role) -> Result<bool, StoreError> {
    let sql = "SELECT a.roles_rest_since FROM account a JOIN account_role r ON r.account_id = a.id \
               WHERE a.id = ?1 AND r.role = ?2 AND a.state = 'active'";
    let values = params![account, role.code()];
    let held = q.row_opt(sql, values, |r| r.get::<Option<i64>>(0))?;
    let may_rest = Role::WITH_SECOND_FACTOR.contains(&role);
    Ok(held.is_some_and(|rests_since| rests_since.is_none() || !may_rest))
}
