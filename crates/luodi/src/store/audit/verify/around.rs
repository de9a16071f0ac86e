//! What stands around the log and the rows: parts of the schema that no migration made, events twice
//! or set aside; and the events that explain logs taken as they are.

use uuid::Uuid;

use super::{Asked, Findings, id_or_nil};
use crate::store::read::Query;
use crate::store::{StoreError, params, schema};

/// Events named of each kind.
const NAMED: i64 = 100;

/// Looks for what has no business to be there.
pub(super) fn look(
    q: &dyn Query,
    asked: &Asked<'_>,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    for (kind, name) in &asked.foreign {
        let word = schema::word(kind);
        findings.log(name, format!("这个{word}不属于本系统，能在背后改动数据。"));
    }
    if let Some(why) = &asked.mark_unread {
        findings.log(
            "audit_head",
            format!("密钥文件夹里的日志标记不能用：{why}。"),
        );
    }
    let twice = "SELECT event_id FROM audit_leaf GROUP BY event_id HAVING COUNT(*) > 1 LIMIT ?1";
    for event in q.rows(twice, params![NAMED], |row| row.get::<Vec<u8>>(0))? {
        findings.event((None, id_or_nil(&event)), "同一个事件有两个编号。");
    }
    if !asked.old_seals {
        let aside = "SELECT event_id FROM audit_refused ORDER BY refused_at, id LIMIT ?1";
        for event in q.rows(aside, params![NAMED], |row| row.get::<Vec<u8>>(0))? {
            findings.event(
                (None, id_or_nil(&event)),
                "有人把这个事件放进等待编号的事件里：不是本系统写入的，或早已编号。没有给它编号。",
            );
        }
    }
    Ok(())
}

/// The events by which an operator took a log as it is.
pub(super) fn accepted(q: &dyn Query) -> Result<Vec<Uuid>, StoreError> {
    let sql = "SELECT id FROM audit_event WHERE command = 'log.accept' ORDER BY at, id LIMIT ?1";
    q.rows(sql, params![NAMED], |row| {
        Ok(id_or_nil(&row.get::<Vec<u8>>(0)?))
    })
}
