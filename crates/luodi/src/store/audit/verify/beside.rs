//! What is kept beside the tree and must be no more than it: tiles, numbers, the head, the wish of an
//! upgrade. Nothing rests on these rows; one too many is still not as it was written.

use uuid::Uuid;

use super::{Findings, id_or_nil};
use crate::store::audit::{rebind, upgrade};
use crate::store::read::Query;
use crate::store::{StoreError, params};

/// Hashes in a full tile, and the bytes of one.
const TILE: u64 = trail::TILE as u64;
const HASH: u64 = 32;

/// Tells of rows that are too many. `size` is how many events have a number; where some do not fit,
/// the tiles do not either.
pub(super) fn check(
    q: &dyn Query,
    size: u64,
    odd: bool,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    if !odd {
        tiles(q, size, findings)?;
    }
    numbers(q, size, findings)?;
    let sql = "SELECT COUNT(*) FROM audit_head WHERE one = 1";
    let heads: u64 = q.row(sql, params![], |row| row.get(0))?;
    let all: u64 = q.row("SELECT COUNT(*) FROM audit_head", params![], |row| {
        row.get(0)
    })?;
    if (heads, all) != (1, 1) {
        findings.log("audit_head", "日志的名称和大小被删除或加入。");
    }
    if rebind::is_asked(q)? && !upgrade::under_way(q.keys()) {
        findings.log("meta", "没有升级，却要求重新绑定记录：这个标记被加进来。");
    }
    Ok(())
}

/// Tiles of the leaves: as long as there are leaves, and no further ones.
fn tiles(q: &dyn Query, size: u64, findings: &mut Findings) -> Result<(), StoreError> {
    let sql = "SELECT place, length(hashes) FROM audit_tile WHERE level = 0 ORDER BY place";
    let kept = q.rows(sql, params![], |row| {
        Ok((row.get::<i64>(0)?, row.get::<u64>(1)?))
    })?;
    for (place, bytes) in kept {
        let before = u64::try_from(place).map_or(u64::MAX, |place| place.saturating_mul(TILE));
        let hashes = size.saturating_sub(before).min(TILE);
        if bytes != hashes * HASH {
            findings.log(
                "audit_tile",
                format!("日志树第 0 层第 {place} 块有多余的散列，或是多余的。"),
            );
        }
    }
    Ok(())
}

fn numbers(q: &dyn Query, size: u64, findings: &mut Findings) -> Result<(), StoreError> {
    let end = super::tree::number(size)?;
    let sql = "SELECT event_id FROM audit_leaf WHERE number < 0 OR number >= ?1 ORDER BY number";
    for event in q.rows(sql, params![end], |row| row.get::<Vec<u8>>(0))? {
        let event: Uuid = id_or_nil(&event);
        findings.log(
            "audit_leaf",
            format!("事件 {event} 的编号不在日志的范围内：被加进来或改动。"),
        );
    }
    Ok(())
}
