//! `luodi keys …`: changing the keys under which personal data lie.

use jiff::Timestamp;
use serde_json::json;

use super::{Cli, Said};
use crate::access::Actor;
use crate::party;
use crate::refusal::Error;
use crate::store::Store;

/// Changes the master key.
pub(super) fn rotate(
    cli: &Cli,
    store: &Store,
    now: Timestamp,
    actor: &Actor,
) -> Result<Said, Error> {
    let done = store.rotate_master(now, &actor.to_ref())?;
    if cli.json {
        return Ok(Said::json(0, &json!({ "ok": true, "rotation": done })));
    }
    let begun = if done.resumed {
        "接着完成上次中断的轮换"
    } else {
        "主密钥已轮换"
    };
    Ok(Said::text(
        0,
        format!(
            "{begun}：现用 master-{}.key，重新封装数据密钥 {} 个，停用旧主密钥 {} 个（移入 retired/）。\n\
             请立即备份新的主密钥，与数据备份分开保管。\n",
            done.master,
            done.wrapped,
            done.retired.len()
        ),
    ))
}

/// Changes the key of the look-up hashes.
pub(super) fn rotate_lookups(
    cli: &Cli,
    store: &Store,
    now: Timestamp,
    actor: &Actor,
) -> Result<Said, Error> {
    let resumed = store.begin_lookups(now, &actor.to_ref())?;
    let changed = party::rehash_all(store, now, actor)?;
    store.end_lookups(now, &actor.to_ref())?;
    if cli.json {
        let report = json!({ "ok": true, "resumed": resumed, "rehashed": changed });
        return Ok(Said::json(0, &report));
    }
    Ok(Said::text(
        0,
        format!("检索密钥已轮换，重新计算检索值 {changed} 个。\n"),
    ))
}
