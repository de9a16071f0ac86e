//! What each subcommand does, on an open store: from the shell, or for a forwarded command.

use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::json;
use vocab::RegionCode;

use super::{
    AdminWhat, Cli, ClockWhat, ExportWhat, ImportWhat, ItemWhat, KeysWhat, LedgerWhat, Offer, Said,
    What, audit, keys,
};
use crate::access::Actor;
use crate::city::City;
use crate::refusal::{Error, Refusal};
use crate::store::{Command, Store, StoreError};
use crate::web::{Clock, Odd};
use crate::{account, article, city, clock, demo, fund, item, personal};

/// Subcommands that need no store, or only read one.
pub(super) fn without_store(cli: &Cli, now: Timestamp) -> Option<Said> {
    match &cli.what {
        What::Audit { what } => audit::reading(cli, what, now),
        What::Item {
            what: ItemWhat::Check { folder },
        } => Some(package(cli, &item::check_folder(folder))),
        _ => None,
    }
}

/// Makes the relative paths of a forwarded command those of who typed it.
pub(super) fn rebase(cli: &mut Cli, folder: &Path) {
    let absolute = |path: &mut std::path::PathBuf| *path = folder.join(&*path);
    match &mut cli.what {
        What::Import {
            what: ImportWhat::Articles { file },
        } => absolute(file),
        What::Export {
            what: ExportWhat::Articles { out: Some(out), .. },
        } => absolute(out),
        What::Export {
            what: ExportWhat::Party { out, .. },
        } => absolute(out),
        What::Item {
            what: ItemWhat::Publish { folder } | ItemWhat::Export { folder, .. },
        } => absolute(folder),
        What::Audit { what } => what.rebase(absolute),
        _ => {}
    }
}

/// Runs a subcommand on an open store.
pub(super) fn with_store(cli: &Cli, store: &Store, clock: &Clock, user: &str) -> Said {
    let region = match store.read_blocking(|q| city::find(&**q)) {
        Ok(city) => city
            .map(|city| city.region)
            .or_else(|| RegionCode::parse("330300").ok()),
        Err(error) => return Said::failed(error),
    };
    let Some(region) = region else {
        return Said::failed("region table");
    };
    let actor = Actor::console(user, region);
    let done = match &cli.what {
        What::Demo { seed, today } => demo::fill(store, clock, *seed, *today).map(|report| {
            if cli.json {
                Said::json(0, &report)
            } else {
                Said::text(0, report.to_string())
            }
        }),
        What::Admin {
            what: AdminWhat::Init { city, region },
        } => admin_init(cli, store, clock, city, region),
        What::Admin {
            what:
                AdminWhat::Reset {
                    user,
                    second_factor: true,
                },
        } => factor_reset(store, clock, &actor, user),
        What::Admin {
            what: AdminWhat::Reset { user, .. },
        } => admin_reset(cli, store, clock, &actor, user),
        What::Import {
            what: ImportWhat::Articles { file },
        } => import(cli, store, clock, &actor, file),
        What::Export {
            what: ExportWhat::Articles { format, out },
        } => export(cli, store, clock.today(), format, out.as_deref()),
        What::Export {
            what: ExportWhat::Party { party, out },
        } => export_party(cli, store, clock, &actor, (party, out)),
        What::Item { what } => return with_item(cli, store, clock, &actor, what),
        What::Ledger {
            what: LedgerWhat::Verify,
        } => verify(cli, store),
        What::Audit { what } => audit::with_store(cli, store, (clock.now(), &actor), what),
        What::Clock {
            what: ClockWhat::Confirm,
        } => confirm_clock(cli, store, clock, &actor),
        What::Keys {
            what: KeysWhat::Rotate { lookups: false },
        } => keys::rotate(cli, store, clock.now(), &actor),
        What::Keys {
            what: KeysWhat::Rotate { lookups: true },
        } => keys::rotate_lookups(cli, store, clock.now(), &actor),
        What::Serve { .. } | What::Backup { .. } | What::Restore { .. } | What::Work { .. } => {
            return not_forwarded();
        }
    };
    done.unwrap_or_else(|error| refused(cli, error))
}

/// The operator's word that the machine's clock is right.
fn confirm_clock(cli: &Cli, store: &Store, clock: &Clock, actor: &Actor) -> Result<Said, Error> {
    let (now, odd) = clock.look();
    let says = match odd {
        Some(Odd::Ahead { says, .. }) => says,
        Some(Odd::Behind { .. }) => {
            let message = "系统时钟比已记录的时间早，不能确认。请先校正服务器时钟。";
            return Err(Refusal::conflict("clock-behind", message).into());
        }
        None => now,
    };
    let actor = actor.clone();
    store.write_blocking(Command::new("clock.confirm", now), move |tx| {
        clock::confirm(tx, &actor, actor.region, says)
    })?;
    clock.confirm(says);
    if cli.json {
        let said = json!({ "ok": true, "says": says.to_string() });
        return Ok(Said::json(0, &said));
    }
    let at = crate::web::civil(says).strftime("%Y-%m-%d %H:%M");
    Ok(Said::text(0, format!("已确认系统时钟：{at}。\n")))
}

fn not_forwarded() -> Said {
    Said::failed("这个命令不能转交给正在运行的服务。")
}

/// `luodi item …` on an open store.
fn with_item(cli: &Cli, store: &Store, clock: &Clock, actor: &Actor, what: &ItemWhat) -> Said {
    let done = match what {
        ItemWhat::Publish { folder } => item::publish_folder(store, clock.now(), actor, folder)
            .map(|report| package(cli, &report)),
        ItemWhat::Export { name, folder } => {
            item::export_folder(store, name, folder).map(|()| written(cli, folder))
        }
        ItemWhat::Offer(what) => offer(store, clock, actor, what),
        ItemWhat::Close { name, region } => close(store, clock, actor, (name, region)),
        ItemWhat::Check { .. } => return not_forwarded(),
    };
    done.unwrap_or_else(|error| refused(cli, error))
}

/// A refusal is a finding (1); a fault of the store means it could not run (3).
fn refused(cli: &Cli, error: Error) -> Said {
    match error {
        Error::Refused(refusal) => {
            let report = json!({
                "ok": false, "code": refusal.code, "message": &refusal.message,
                "errors": &refusal.fields,
            });
            let fields = refusal
                .fields
                .iter()
                .map(|f| format!("  {}：{}\n", f.field, f.message));
            let err = format!("{}\n{}", refusal.message, fields.collect::<String>());
            let mut said = if cli.json {
                Said::json(1, &report)
            } else {
                Said::text(1, "")
            };
            said.err = err;
            said
        }
        Error::Store(error) => Said::failed(error),
    }
}

/// What was found in a package: one line a finding.
fn package(cli: &Cli, report: &item::Report) -> Said {
    let code = u8::from(!report.ok);
    if cli.json {
        return Said::json(code, report);
    }
    Said::text(code, report.to_string())
}

fn admin_init(
    cli: &Cli,
    store: &Store,
    clock: &Clock,
    name: &str,
    region: &str,
) -> Result<Said, Error> {
    let region = parse_region(region)?;
    let made = account::prepare_administrators()
        .map_err(|error| StoreError::Value(format!("password: {error}")))?;
    let new = City {
        name: name.to_owned(),
        region,
        demo: false,
        seed: None,
        demo_today: None,
    };
    let administrators = made.clone();
    let actor = Actor::console("init", region);
    store.write_blocking(Command::new("admin.init", clock.now()), move |tx| {
        account::admin_init(tx, &actor, region, &administrators)?;
        match city::find(tx)? {
            None => city::found(tx, &actor, &new),
            Some(_) => Ok(()),
        }
    })?;
    let accounts: Vec<_> = made
        .iter()
        .map(|one| json!({ "role": one.role, "user": one.login, "password": one.password }))
        .collect();
    if cli.json {
        return Ok(Said::json(0, &json!({ "ok": true, "accounts": accounts })));
    }
    let lines = made
        .iter()
        .map(|one| format!("{}\t{}\t{}\n", one.role.zh(), one.login, one.password));
    let next = "以上是一次性密码，72 小时内有效，各人首次登录时改为自己的密码，并绑定动态验证码。\
        请当面分别交给三个人，不要留存。\n现在就把数据文件夹里的 keys 复制到另外的地方保管：\
        没有它，备份里的个人信息打不开。\n";
    let mut said = Said::text(0, lines.collect::<String>());
    said.err = next.to_owned();
    Ok(said)
}

fn admin_reset(
    cli: &Cli,
    store: &Store,
    clock: &Clock,
    actor: &Actor,
    user: &str,
) -> Result<Said, Error> {
    let password = account::password::one_time();
    let hash = account::password::hash(&password)
        .map_err(|error| StoreError::Value(format!("password: {error}")))?;
    let (actor, login) = (actor.clone(), user.to_owned());
    let command = Command::new("account.reset_password", clock.now());
    store.write_blocking(command, move |tx| {
        account::reset_at_console(tx, &actor, &login, &hash)
    })?;
    if cli.json {
        let account = json!({ "user": user, "password": password });
        return Ok(Said::json(0, &json!({ "ok": true, "account": account })));
    }
    Ok(Said::text(0, format!("{user}\t{password}\n")))
}

fn factor_reset(store: &Store, clock: &Clock, actor: &Actor, user: &str) -> Result<Said, Error> {
    let (actor, login) = (actor.clone(), user.to_owned());
    let command = Command::new("account.reset_factor", clock.now());
    store.write_blocking(command, move |tx| {
        account::reset_factor_at_console(tx, &actor, &login)
    })?;
    Ok(Said::default())
}

fn import(
    cli: &Cli,
    store: &Store,
    clock: &Clock,
    actor: &Actor,
    file: &Path,
) -> Result<Said, Error> {
    let size = std::fs::metadata(file).map(|found| found.len());
    if size
        .as_ref()
        .is_ok_and(|size| *size > article::FILE_BYTES as u64)
    {
        return Ok(Said::failed(format!("{}：文件超过 512 MB", file.display())));
    }
    let bytes = match std::fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) => return Ok(audit::failed(file)(error)),
    };
    let report = article::import(store, actor, actor.region, clock.now(), &bytes)?;
    let code = u8::from(!report.ok);
    if cli.json {
        return Ok(Said::json(code, &report));
    }
    let faults = report
        .errors
        .iter()
        .map(|fault| format!("{}\n", fault.message));
    let counts = report.counts;
    let foot = match report.foot_lines {
        0 => String::new(),
        lines => format!("；文件末尾 {lines} 行不是文章，没有导入"),
    };
    let text = format!(
        "文章 {} 篇，新增 {}，未变 {}{foot}\n",
        counts.blocks, counts.created, counts.unchanged
    );
    Ok(Said {
        code,
        out: text.into_bytes(),
        err: faults.collect(),
    })
}

fn export(
    cli: &Cli,
    store: &Store,
    today: Date,
    format: &str,
    out: Option<&Path>,
) -> Result<Said, Error> {
    let format = format
        .parse::<article::Format>()
        .map_err(|_| Refusal::field("format", "one-of", "格式应为 source、json 或 markdown。"))?;
    let mut bytes = Vec::new();
    let mut fault = None;
    store.read_blocking(|q| {
        if let Err(error) = article::export(&**q, format, today, &mut bytes) {
            fault = Some(error.to_string());
        }
        Ok::<_, StoreError>(())
    })?;
    if let Some(fault) = fault {
        return Ok(Said::failed(fault));
    }
    let err = if bytes.is_empty() {
        "没有导入过的文章。在系统里写的文章请用 --format json 或 --format markdown 导出。\n"
    } else {
        ""
    };
    let Some(out) = out else {
        return Ok(Said {
            code: 0,
            out: bytes,
            err: err.to_owned(),
        });
    };
    match std::fs::write(out, bytes) {
        Ok(()) => Ok(written(cli, out)),
        Err(error) => Ok(audit::failed(out)(error)),
    }
}

/// Writes all that is held of a party into a file for its owner alone.
fn export_party(
    cli: &Cli,
    store: &Store,
    clock: &Clock,
    actor: &Actor,
    (party, out): (&str, &Path),
) -> Result<Said, Error> {
    let id = store.read_blocking(|q| personal::find_number_or_id(&**q, party))?;
    let opened = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(out);
    let file = match opened {
        Ok(file) => file,
        Err(error) => {
            let why = format!("{}：{error}。请给出一个还没有的文件名。", out.display());
            return Ok(Said::failed(why));
        }
    };
    personal::export_to(store, clock.now(), actor, id, file)?;
    Ok(written(cli, out))
}

/// Opens an item to applications in a region.
fn offer(store: &Store, clock: &Clock, actor: &Actor, offer: &Offer) -> Result<Said, Error> {
    let region = parse_region(&offer.region)?;
    let (actor, offer) = (actor.clone(), offer.clone());
    store.write_blocking(Command::new("item.offer", clock.now()), move |tx| {
        let code = &offer.department;
        let Some(department) = account::department_by_code(tx, code)? else {
            let message = format!("没有代码为「{code}」的部门，请先由系统管理员在「部门」中登记。");
            return Err(Refusal::field("department", "department-unknown", message).into());
        };
        let days = (offer.opens, offer.closes);
        item::offer(
            tx,
            &actor,
            &offer.name,
            region,
            department.id,
            days.0,
            days.1,
        )?;
        Ok::<_, Error>(())
    })?;
    Ok(Said::default())
}

/// Ends applications for an item in a region.
fn close(
    store: &Store,
    clock: &Clock,
    actor: &Actor,
    (name, region): (&str, &str),
) -> Result<Said, Error> {
    let region = parse_region(region)?;
    let (actor, name) = (actor.clone(), name.to_owned());
    store.write_blocking(Command::new("item.close", clock.now()), move |tx| {
        item::close_in(tx, &actor, &name, region)
    })?;
    Ok(Said::default())
}

fn parse_region(region: &str) -> Result<RegionCode, Refusal> {
    RegionCode::parse(region)
        .map_err(|error| Refusal::field("region", error.code(), error.message_zh()))
}

/// Where something was written.
pub(super) fn written(cli: &Cli, path: &Path) -> Said {
    if cli.json {
        let path = path.display().to_string();
        return Said::json(0, &json!({ "ok": true, "out": path }));
    }
    Said::text(0, format!("{}\n", path.display()))
}

fn verify(cli: &Cli, store: &Store) -> Result<Said, Error> {
    let verified = store.read_blocking(|q| fund::verify(&**q))?;
    let ok = verified.is_ok();
    let report = json!({
        "ok": ok, "postings": verified.postings, "debit_fen": verified.debit_fen,
        "credit_fen": verified.credit_fen, "findings": verified.findings,
        "findings_not_listed": verified.findings_not_listed,
    });
    let code = u8::from(!ok);
    if cli.json {
        return Ok(Said::json(code, &report));
    }
    let text = serde_json::to_string_pretty(&report).unwrap_or_default();
    Ok(Said::text(code, text + "\n"))
}
