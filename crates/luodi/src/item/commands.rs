//! Publishing a version of an item, and offering it in a region. Versions are immutable; a running
//! case stays at the version it was submitted under.

use std::sync::Arc;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;
use vocab::RegionCode;
use vocab::region::is_within;

use super::check::Prepared;
use super::queries::{find_item, load, newest, remember};
use crate::access::{Actor, ActorKind, Role};
use crate::account;
use crate::casework;
use crate::ids::{DepartmentId, ItemId};
use crate::params;
use crate::refusal::{Refusal, Result};
use crate::store::{Event, Tx};

/// What publishing did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// The hash of the version.
    pub hash: String,
    /// A new version; false where the same was there already.
    pub new: bool,
}

/// Publishes a version (发布事项). The same files again change nothing.
///
/// # Errors
/// Refused where the actor may not publish; or a fault of the store.
pub fn publish(tx: &Tx, actor: &Actor, prepared: &Prepared) -> Result<Published> {
    may_publish(actor)?;
    let package = &prepared.package;
    remember(Arc::clone(package));
    let hash = package.hash.clone();
    if exists(tx, "SELECT 1 FROM item_version WHERE hash = ?1", &hash)? {
        return Ok(Published { hash, new: false });
    }
    let policy_hash = publish_policy(tx, actor, prepared)?;
    tx.write_part(
        "item_version",
        "INSERT INTO item_version (hash, code, name, body, policy_hash, published_at, published_by) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            &hash, &package.item.code, &package.item.name, &prepared.body, policy_hash.clone(),
            tx.now(), &actor.name
        ],
    )?;
    let detail = json!({ "code": &package.item.code, "hash": &hash, "policy_hash": policy_hash });
    tx.event(Event {
        actor: actor.to_ref(),
        command: "item.publish",
        subject: ("item_version", id_of(&hash)),
        detail,
        rows: Vec::new(),
    });
    Ok(Published { hash, new: true })
}

fn publish_policy(tx: &Tx, actor: &Actor, prepared: &Prepared) -> Result<Option<String>> {
    let (Some(policy), Some(body)) = (&prepared.package.policy, &prepared.policy_body) else {
        return Ok(None);
    };
    if !exists(
        tx,
        "SELECT 1 FROM policy_version WHERE hash = ?1",
        &policy.hash,
    )? {
        tx.write_part(
            "policy_version",
            "INSERT INTO policy_version (hash, name, title, body, published_at, published_by) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                &policy.hash,
                &policy.settings.name,
                &policy.settings.title,
                body,
                tx.now(),
                &actor.name
            ],
        )?;
        tx.event(Event {
            actor: actor.to_ref(),
            command: "policy.publish",
            subject: ("policy_version", id_of(&policy.hash)),
            detail: json!({ "name": &policy.settings.name, "hash": &policy.hash }),
            rows: Vec::new(),
        });
    }
    Ok(Some(policy.hash.clone()))
}

/// Offers the newest version of an item in a region (开放申报), by one department; again: the days
/// and the version are set anew.
///
/// # Errors
/// Refused where the actor may not, nothing is published under the code, or the days are the wrong
/// way round; or a fault of the store.
pub fn offer(
    tx: &Tx,
    actor: &Actor,
    code: &str,
    region: RegionCode,
    department: DepartmentId,
    opens_on: Option<Date>,
    closes_on: Option<Date>,
) -> Result<ItemId> {
    may_publish(actor)?;
    if let (Some(opens), Some(closes)) = (opens_on, closes_on)
        && closes < opens
    {
        let message = format!("截止日期 {closes} 早于开始日期 {opens}，请更正。");
        return Err(Refusal::field("closes_on", "order", message).into());
    }
    let of = account::department(tx, department)?.map(|department| department.region);
    if !of.is_some_and(|of| is_within(region, of)) {
        let message = "这个部门不在该区域，也不是它的上级，请核对部门和区域。";
        return Err(Refusal::field("department", "department-region", message).into());
    }
    let Some(hash) = newest(tx, code)? else {
        return Err(Refusal::not_found(format!("没有已发布的事项“{code}”，请先发布。")).into());
    };
    // Asked for by its name, it is the same item.
    let package = load(tx, &hash)?;
    let code = package.item.code.as_str();
    let known = tx.row_opt(
        "SELECT id, department_id FROM item WHERE code = ?1 AND region_code = ?2",
        params![code, region],
        |row| Ok((row.get::<ItemId>(0)?, row.get::<DepartmentId>(1)?)),
    )?;
    if let Some((id, holder)) = known
        && holder != department
        && casework::is_running(tx, id)?
    {
        let message =
            "这个事项还有在办的办件，由原来的部门办理；全部办结后才能改由另一个部门受理。";
        return Err(Refusal::field("department", "cases-running", message).into());
    }
    let id = known.map_or_else(|| ItemId(tx.new_id()), |(id, _)| id);
    if known.is_some() {
        tx.execute(
            "UPDATE item SET department_id = ?2, hash = ?3, state = 'open', opens_on = ?4, \
             closes_on = ?5, version = version + 1 WHERE id = ?1",
            params![id, department, &hash, opens_on, closes_on],
        )?;
    } else {
        tx.execute(
            "INSERT INTO item (id, code, region_code, department_id, hash, state, opens_on, closes_on, \
             version) VALUES (?1, ?2, ?3, ?4, ?5, 'open', ?6, ?7, 1)",
            params![id, code, region, department, &hash, opens_on, closes_on],
        )?;
    }
    let detail = json!({
        "code": code, "region": region.to_string(), "department": department, "hash": &hash,
        "opens_on": opens_on, "closes_on": closes_on,
    });
    item_event(tx, actor, "item.offer", detail, vec![id], id);
    Ok(id)
}

/// Lets every offer of an item go over to a version; running cases stay at theirs. Gives how many
/// changed.
///
/// # Errors
/// Refused where the actor may not; or a fault of the store.
pub fn adopt(tx: &Tx, actor: &Actor, code: &str, hash: &str) -> Result<u64> {
    may_publish(actor)?;
    let offers = tx.rows(
        "SELECT id FROM item WHERE code = ?1 AND hash <> ?2 ORDER BY id LIMIT 5000",
        params![code, hash],
        |row| row.get::<ItemId>(0),
    )?;
    for id in &offers {
        tx.execute(
            "UPDATE item SET hash = ?2, version = version + 1 WHERE id = ?1",
            params![*id, hash],
        )?;
    }
    if let Some(first) = offers.first().copied() {
        let detail = json!({ "code": code, "hash": hash, "offers": offers.len() });
        item_event(tx, actor, "item.adopt", detail, offers.clone(), first);
    }
    Ok(offers.len() as u64)
}

/// Ends what is offered of an item in a region.
///
/// # Errors
/// As [`close`].
pub fn close_in(tx: &Tx, actor: &Actor, code: &str, region: RegionCode) -> Result<()> {
    let own = match newest(tx, code)? {
        Some(hash) => load(tx, &hash)?.item.code.clone(),
        None => code.to_owned(),
    };
    let sql =
        "SELECT id, version FROM item WHERE code = ?1 AND region_code = ?2 AND state = 'open'";
    let found = tx.row_opt(sql, params![own, region], |row| {
        Ok((row.get::<ItemId>(0)?, row.get::<i64>(1)?))
    })?;
    let Some((id, version)) = found else {
        let message = format!("事项“{code}”没有在这个区域开放申报，不需要停止。");
        return Err(Refusal::not_found(message).into());
    };
    close(tx, actor, id, version)
}

/// Ends an offer (停止申报): no new applications; running cases go on.
///
/// # Errors
/// Refused where the actor may not, there is no such offer, or it was changed meanwhile.
pub fn close(tx: &Tx, actor: &Actor, id: ItemId, version: i64) -> Result<()> {
    may_publish(actor)?;
    let item = find_item(tx, id)?;
    let changed = tx.execute(
        "UPDATE item SET state = 'ended', version = version + 1 \
         WHERE id = ?1 AND version = ?2 AND state = 'open'",
        params![id, version],
    )?;
    if changed == 0 {
        let message = "这个事项刚刚被修改过，请刷新页面查看最新情况后再决定。";
        return Err(Refusal::conflict("item-changed", message).into());
    }
    item_event(
        tx,
        actor,
        "item.close",
        json!({ "code": item.code }),
        vec![id],
        id,
    );
    Ok(())
}

fn item_event(
    tx: &Tx,
    actor: &Actor,
    command: &'static str,
    detail: serde_json::Value,
    rows: Vec<ItemId>,
    subject: ItemId,
) {
    tx.event(Event {
        actor: actor.to_ref(),
        command,
        subject: ("item", subject.0),
        detail,
        rows: rows.into_iter().map(|id| ("item", id.0)).collect(),
    });
}

fn may_publish(actor: &Actor) -> Result<(), Refusal> {
    let program = matches!(actor.kind, ActorKind::Console | ActorKind::System);
    if program || actor.has(Role::SystemAdmin) {
        return Ok(());
    }
    Err(Refusal::forbidden(
        "item-publish",
        "事项由系统管理员发布和开放。需要时请联系系统管理员。",
    ))
}

fn exists(tx: &Tx, sql: &str, hash: &str) -> Result<bool> {
    Ok(tx
        .row_opt(sql, params![hash], |row| row.get::<i64>(0))?
        .is_some())
}

/// The log names its subjects by 16 bytes: the first of the version's hash.
pub(super) fn id_of(hash: &str) -> Uuid {
    let digits: String = hash
        .trim_start_matches("sha256:")
        .chars()
        .take(32)
        .collect();
    Uuid::try_parse(&digits).unwrap_or_default()
}
