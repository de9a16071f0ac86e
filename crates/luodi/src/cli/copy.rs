//! `luodi backup` and `luodi restore`: they open the store in their own way, beside a server or
//! before there is one.

use std::path::Path;

use serde_json::json;

use super::{Cli, Said};
use crate::backup::{self, Fault, Manifest};
use crate::store::{KeysBeside, Reading};
use crate::web::Clock;

pub(super) fn backup(cli: &Cli, file: &Path, clock: &Clock) -> Said {
    let written = Reading::open(&cli.data, &cli.options(clock.now()))
        .map_err(Fault::from)
        .and_then(|store| backup::write(&store, file, clock.now()));
    let written = match written {
        Ok(written) => written,
        Err(fault) => return failed(cli, &fault),
    };
    let missing = &written.manifest.contents.missing;
    let code = u8::from(!missing.is_empty());
    let mut said = if cli.json {
        let about = json!({
            "ok": code == 0, "file": written.file, "bytes": written.bytes, "sha256": written.sha256,
        });
        Said::json(code, &report(about, &written.manifest))
    } else {
        let name = written.file.display();
        Said::text(code, format!("{name}\n{}", told(&written.manifest)))
    };
    for name in missing {
        said.err.push_str(&format!(
            "附件内容 {name} 有登记但不在磁盘上，备份里没有它。\n"
        ));
    }
    said
}

pub(super) fn restore(cli: &Cli, file: &Path, clock: &Clock) -> Said {
    let restored = match backup::restore(file, &cli.data, &cli.options(clock.now())) {
        Ok(restored) => restored,
        Err(fault) => return failed(cli, &fault),
    };
    let code = u8::from(restored.keys == KeysBeside::Foreign);
    let mut said = if cli.json {
        let about = json!({ "ok": code == 0, "keys": restored.keys, "log": restored.log });
        Said::json(code, &report(about, &restored.manifest))
    } else {
        Said::text(code, told(&restored.manifest))
    };
    said.err = match restored.keys {
        KeysBeside::Fit => String::new(),
        KeysBeside::Missing => {
            "密钥不在备份里。请把单独保管的 keys 文件夹放进数据文件夹后再启动服务。\n".into()
        }
        KeysBeside::Foreign => {
            "这里的密钥不是封存这些数据的密钥，服务不会启动。请换成与备份同时使用的 keys 文件夹。\n"
                .into()
        }
    };
    if restored.log.is_behind() {
        let (before, now) = (
            restored.log.remembered.unwrap_or_default(),
            restored.log.events,
        );
        said.err += &format!(
            "日志从 {before} 个事件退回到备份时的 {now} 个，密钥文件夹里的标记已随之改写。此后的事件不在这份数据里。\n"
        );
    }
    said
}

/// What was done and what a backup holds, for programs.
fn report(mut about: serde_json::Value, manifest: &Manifest) -> serde_json::Value {
    let tables: serde_json::Map<_, _> = manifest
        .tables
        .iter()
        .map(|sum| (sum.table.name.clone(), json!(sum.rows)))
        .collect();
    if let Some(about) = about.as_object_mut() {
        about.insert("made_at".into(), json!(manifest.made_at));
        about.insert("city".into(), json!(manifest.city));
        about.insert("root".into(), json!(manifest.root));
        about.insert("tables".into(), tables.into());
        about.insert("contents".into(), json!(manifest.contents));
    }
    about
}

/// What a backup holds, for people.
fn told(manifest: &Manifest) -> String {
    let rows: u64 = manifest.tables.iter().map(|sum| sum.rows).sum();
    let contents = &manifest.contents;
    format!(
        "{} 张表 {rows} 行，附件 {} 个 {} 字节\n根 {}\n",
        manifest.tables.len(),
        contents.count,
        contents.bytes,
        manifest.root
    )
}

/// A file that is no good is a finding; anything else means that it could not run.
fn failed(cli: &Cli, fault: &Fault) -> Said {
    let code = if fault.is_finding() { 1 } else { 3 };
    let err = format!("luodi: {fault}\n");
    let mut said = if cli.json {
        let message = fault.to_string();
        Said::json(
            code,
            &json!({ "ok": false, "code": fault.code(), "message": message }),
        )
    } else {
        Said::text(code, "")
    };
    said.err = err;
    said
}
