//! Reading of items: versions by hash, what is offered now, what a version was made of.

use std::collections::VecDeque;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use jiff::Timestamp;
use jiff::civil::Date;
use uuid::Uuid;
use vocab::RegionCode;

use super::check::reopen;
use super::commands::id_of;
use super::files::Files;
use super::package::Package;
use crate::ids::{DepartmentId, ItemId};
use crate::params;
use crate::refusal::{Error, Refusal, Result};
use crate::store::{Query, Row, StoreError};

/// Packages held in memory, the latest used last. Versions are immutable, so none gets stale.
static CACHE: LazyLock<Mutex<VecDeque<Arc<Package>>>> = LazyLock::new(Mutex::default);
/// The most packages held in memory.
const CACHED: usize = 64;

/// The package of a version.
///
/// # Errors
/// A fault where there is no such version or it cannot be read.
pub fn load(q: &dyn Query, hash: &str) -> Result<Arc<Package>> {
    if let Some(package) = cached(hash) {
        return Ok(package);
    }
    let (own, policy) = stored(q, hash)?;
    let package = reopen(&own, policy.as_ref()).filter(|package| package.hash == hash);
    let package =
        package.ok_or_else(|| StoreError::Value(format!("package {hash} cannot be read")))?;
    let package = Arc::new(package);
    remember(Arc::clone(&package));
    Ok(package)
}

fn cached(hash: &str) -> Option<Arc<Package>> {
    let mut cache = CACHE.lock().unwrap_or_else(PoisonError::into_inner);
    let at = cache.iter().position(|package| package.hash == hash)?;
    let package = cache.remove(at)?;
    cache.push_back(Arc::clone(&package));
    Some(package)
}

pub(super) fn remember(package: Arc<Package>) {
    let mut cache = CACHE.lock().unwrap_or_else(PoisonError::into_inner);
    cache.retain(|known| known.hash != package.hash);
    if cache.len() >= CACHED {
        cache.pop_front();
    }
    cache.push_back(package);
}

/// Tables and ids of versions whose files are not those their name was made of.
///
/// # Errors
/// The store's own.
pub fn altered(q: &dyn Query) -> Result<Vec<(&'static str, Uuid)>> {
    let mut found = Vec::new();
    for (table, sql) in [
        (
            "item_version",
            "SELECT hash, body, policy_hash FROM item_version",
        ),
        (
            "policy_version",
            "SELECT hash, body, NULL FROM policy_version",
        ),
    ] {
        let versions = q.rows(sql, params![], |row| {
            let policy: Option<String> = row.get(2)?;
            Ok((row.get::<String>(0)?, row.get::<String>(1)?, policy))
        })?;
        let altered = versions.iter().filter(|(hash, body, policy)| {
            Files::from_body(body).is_none_or(|files| files.hash(policy.as_deref()) != *hash)
        });
        found.extend(altered.map(|(hash, ..)| (table, id_of(hash))));
    }
    Ok(found)
}

/// The files of a version and of its policy.
fn stored(q: &dyn Query, hash: &str) -> Result<(Files, Option<Files>)> {
    let (body, policy) = q.row(
        "SELECT v.body, p.body FROM item_version v LEFT JOIN policy_version p ON p.hash = v.policy_hash \
         WHERE v.hash = ?1",
        params![hash],
        |row| Ok((row.get::<String>(0)?, row.get::<Option<String>>(1)?)),
    )?;
    let damaged = || Error::Store(StoreError::Value(format!("package {hash} is damaged")));
    let own = Files::from_body(&body).ok_or_else(damaged)?;
    let policy = policy
        .map(|body| Files::from_body(&body).ok_or_else(damaged))
        .transpose()?;
    Ok((own, policy))
}

/// An item as one region offers it.
#[derive(Clone, Debug)]
pub struct Offered {
    /// The offer.
    pub id: ItemId,
    /// The package's code.
    pub code: String,
    /// The region.
    pub region: RegionCode,
    /// The department that handles it.
    pub department: DepartmentId,
    /// The version offered.
    pub hash: String,
    /// The first day of applications; none for any.
    pub opens_on: Option<Date>,
    /// The last day of applications; none for any.
    pub closes_on: Option<Date>,
    /// The offer was ended.
    pub ended: bool,
    /// The version of the row.
    pub version: i64,
}

/// An item that takes applications today.
pub type OpenItem = Offered;

impl Offered {
    /// Whether applications are taken on this day.
    pub fn is_open(&self, today: Date) -> bool {
        !self.ended
            && self.opens_on.is_none_or(|day| day <= today)
            && self.closes_on.is_none_or(|day| today <= day)
    }
}

const COLUMNS: &str =
    "id, code, region_code, department_id, hash, state, opens_on, closes_on, version";

fn offered(row: &Row<'_>) -> Result<Offered, StoreError> {
    Ok(Offered {
        id: row.get(0)?,
        code: row.get(1)?,
        region: row.get(2)?,
        department: row.get(3)?,
        hash: row.get(4)?,
        ended: row.get::<String>(5)? != "open",
        opens_on: row.get(6)?,
        closes_on: row.get(7)?,
        version: row.get(8)?,
    })
}

/// An offer, open or not.
///
/// # Errors
/// Refused where there is none; or a fault of the store.
pub fn find_item(q: &dyn Query, id: ItemId) -> Result<Offered> {
    let found = q.row_opt(
        &format!("SELECT {COLUMNS} FROM item WHERE id = ?1"),
        params![id],
        offered,
    )?;
    found.ok_or_else(|| Refusal::not_found("没有这个事项。请从「办事」重新进入。").into())
}

/// An offer that takes applications today.
///
/// # Errors
/// Refused where there is none or it is closed; or a fault of the store.
pub fn open_item(q: &dyn Query, id: ItemId, today: Date) -> Result<OpenItem> {
    let item = find_item(q, id)?;
    if item.is_open(today) {
        return Ok(item);
    }
    let when = match (item.opens_on, item.closes_on) {
        (Some(day), _) if today < day => format!("{day} 开始申报"),
        (_, Some(day)) if today > day => format!("已于 {day} 截止申报"),
        _ => "已停止申报".to_owned(),
    };
    Err(Refusal::conflict(
        "item-closed",
        format!("本事项{when}。已填写的草稿会保留，请留意下一次申报通知。"),
    )
    .into())
}

/// The offers that are not ended, by region and name. Bounded by what a city offers.
///
/// # Errors
/// A fault of the store.
pub fn current_items(q: &dyn Query) -> Result<Vec<Offered>> {
    let sql = "SELECT i.id, i.code, i.region_code, i.department_id, i.hash, i.state, i.opens_on, \
               i.closes_on, i.version FROM item i JOIN item_version v ON v.hash = i.hash \
               WHERE i.state = 'open' ORDER BY v.name, i.region_code LIMIT 5000";
    Ok(q.rows(sql, params![], offered)?)
}

/// What the item of an offer is called.
///
/// # Errors
/// Refused where there is no such offer; or a fault of the store.
pub fn name_of(q: &dyn Query, id: ItemId) -> Result<String> {
    let name = q.row_opt(
        "SELECT v.name FROM item i JOIN item_version v ON v.hash = i.hash WHERE i.id = ?1",
        params![id],
        |row| row.get::<String>(0),
    )?;
    name.ok_or_else(|| Refusal::not_found("没有这个事项。请从「办事」重新进入。").into())
}

/// The hash of the newest version of an item, by its code or name.
///
/// # Errors
/// A fault of the store.
pub(super) fn newest(q: &dyn Query, code: &str) -> Result<Option<String>> {
    Ok(q.row_opt(
        "SELECT hash FROM item_version WHERE code = ?1 OR name = ?1 \
         ORDER BY published_at DESC, hash LIMIT 1",
        params![code],
        |row| row.get::<String>(0),
    )?)
}

/// Every version of an item, newest first: hash, moment, by whom.
///
/// # Errors
/// A fault of the store.
pub fn versions(q: &dyn Query, code: &str) -> Result<Vec<(String, Timestamp, String)>> {
    Ok(q.rows(
        "SELECT hash, published_at, published_by FROM item_version WHERE code = ?1 \
         ORDER BY published_at DESC, hash LIMIT 200",
        params![code],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )?)
}

/// The files of the newest version of an item, its policy under `policy/`. `code` is the package's
/// code or the item's name.
///
/// # Errors
/// Refused where there is no such item; or a fault of the store.
pub fn export(q: &dyn Query, code: &str) -> Result<Files> {
    let Some(hash) = newest(q, code)? else {
        return Err(Refusal::not_found(format!("没有已发布的事项“{code}”。")).into());
    };
    let (own, policy) = stored(q, &hash)?;
    Ok(match policy {
        Some(policy) => own.with_policy(&policy),
        None => own,
    })
}
