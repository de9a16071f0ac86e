//! `luodi audit verify`: the log with the rows bound to it, what can be recomputed from them, and the
//! contents of files; or an export, or a proof. It says what it looked at and what it left out.

use std::fs::File;
use std::io::{BufReader, IsTerminal, Read, Write};
use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;
use trail::{Note, Verifier};

use super::audit::{failed, open};
use super::{Cli, Said, witness};
use crate::refusal::Result;
use crate::store::{Finding, Query, Reading, StoreError, Verified, check_proof, verify_export};
use crate::{account, attachment, casework, fund, item, notice, number};

/// The longest proof, in bytes: what is longer is an export or nothing of ours.
const PROOF_BYTES: u64 = 1 << 20;
/// Folders of contents between two words on how far it is.
const TELL_EVERY: u16 = 16;

/// Tables that are recomputed from bound rows.
const DERIVED: &[(&str, &str)] = &[
    ("ledger_balance", "科目余额"),
    ("number_series", "文号和编号的序列"),
];
/// Tables of the log itself.
const LOG: &[&str] = &[
    "audit_checkpoint",
    "audit_event",
    "audit_head",
    "audit_leaf",
    "audit_pending",
    "audit_refused",
    "audit_tile",
];
/// Tables and columns that nothing binds: what they hold passes, is public, or is the program's own.
const LEFT_OUT: &[(&str, &str)] = &[
    ("demo_account", "示范账号的公开密码"),
    ("idempotency", "已记住的答复"),
    ("job", "后台任务"),
    ("known_device", "登录过的浏览器"),
    ("message.read_at", "消息的已读标记"),
    ("meta", "存储的设置"),
    ("password_past", "用过的密码"),
    ("schema_migration", "升级记录"),
    ("sent_code", "发出的验证码"),
    ("session", "登录会话"),
];

/// What is to be verified, and against what.
pub(super) struct Asked<'a> {
    /// An export or a proof; none means the data folder.
    pub(super) file: Option<&'a Path>,
    /// A checkpoint kept elsewhere.
    pub(super) checkpoint: Option<&'a Path>,
    /// The log's public key, or a file that holds it.
    pub(super) log_key: Option<&'a str>,
    /// The contents of files, too.
    pub(super) files: bool,
}

/// What to do about findings.
const NEXT: &str = "发现改动\n\
    请先保留现场：把数据文件夹（连同 keys）和数据库原样复制一份，暂停办理上面各行涉及的业务。\
    再把这份结果交给审计管理员，对照操作日志查明谁在何时改动；查明后用备份恢复（luodi restore）。\n";

/// What was found, and what was looked at.
#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    verified: Verified,
    /// Contents of files; none where they were left out.
    files: Option<attachment::Verified>,
    /// Tables that were recomputed.
    recomputed: Vec<&'static str>,
    /// Tables and columns that nothing binds.
    not_checked: Vec<String>,
}

pub(super) fn verify(cli: &Cli, asked: &Asked<'_>, now: Timestamp) -> Result<Said, Said> {
    let saved = asked.checkpoint.map(read_note).transpose()?;
    let key = asked.log_key.map(read_key).transpose()?;
    match asked.file {
        Some(file) => outside(cli, file, saved.as_ref(), key.as_ref()),
        None => {
            let reading = open(cli, now)?;
            if let Some(key) = key {
                check_own(&reading, &key)?;
            }
            inside(cli, &reading, asked.files, saved.as_ref(), now)
        }
    }
}

/// The key of another log would only say that everything is wrong.
fn check_own(reading: &Reading, key: &Verifier) -> Result<(), Said> {
    let own = reading.read(|q| crate::store::log_key(&**q));
    if own.map_err(Said::failed)?.to_string() == key.to_string() {
        return Ok(());
    }
    Err(Said::failed(
        "数据文件夹的日志公钥不是 --log-key 给出的那个：这是另一个城市的数据，或密钥文件夹被换过。",
    ))
}

fn inside(
    cli: &Cli,
    reading: &Reading,
    files: bool,
    saved: Option<&Note>,
    now: Timestamp,
) -> Result<Said, Said> {
    let mut verified = match reading.verify_log(saved, now) {
        Ok(verified) => verified,
        Err(error) => return unreadable(cli, &error),
    };
    match recompute(reading) {
        Ok(found) => found.into_iter().for_each(|it| verified.add(it)),
        // What was found so far is told all the same.
        Err(error) => verified.add(bare("ledger_balance", None, unread(&error))),
    }
    let files = match files {
        false => None,
        true => {
            let found = attachment::verify(reading, &mut |folders, done| tell(cli, folders, done));
            Some(found.map_err(Said::failed)?)
        }
    };
    for altered in files.iter().flat_map(|files| &files.altered) {
        verified.add(bare("attachment", altered.id, altered.why.to_owned()));
    }
    let report = Report {
        verified,
        files,
        recomputed: DERIVED.iter().map(|(table, _)| *table).collect(),
        not_checked: left_out(reading).map_err(Said::failed)?,
    };
    let code = u8::from(!report.verified.ok);
    Ok(match cli.json {
        true => Said::json(code, &report),
        false => Said::text(code, report.text()),
    })
}

fn unread(error: &impl std::fmt::Display) -> String {
    format!("读不下去，不能核对：{error}。表的结构或值被改动过。")
}

/// Rows or tables that cannot be read as the program wrote them were changed; an engine that cannot
/// be asked is no finding.
fn unreadable(cli: &Cli, error: &StoreError) -> Result<Said, Said> {
    let is_content = matches!(
        error,
        StoreError::Value(_) | StoreError::Statement(_) | StoreError::Engine { .. }
    );
    if !is_content {
        return Err(Said::failed(error));
    }
    let why = unread(error);
    if cli.json {
        let bad = bare("", None, why.clone());
        let told = json!({ "ok": false, "first_bad": bad, "findings": [bad] });
        return Ok(Said::json(1, &told));
    }
    Ok(Said::text(1, format!("{why}\n{NEXT}")))
}

/// Says on a terminal how far the files are.
fn tell(cli: &Cli, folders: u16, done: &attachment::Verified) {
    let mut out = std::io::stderr();
    if cli.json || !out.is_terminal() || !folders.is_multiple_of(TELL_EVERY) {
        return;
    }
    let (percent, files, mb) = (u32::from(folders) * 100 / 256, done.files, done.bytes >> 20);
    // Nothing depends on its being read.
    let _ = writeln!(out, "核对文件 {percent}%：{files} 个，{mb} MB");
}

/// A finding that no event is about.
fn bare(table: &str, id: Option<uuid::Uuid>, why: String) -> Finding {
    Finding {
        event: None,
        number: None,
        table: table.to_owned(),
        id,
        why,
    }
}

/// What bound rows say of tables that are kept beside them.
fn recompute(reading: &Reading) -> Result<Vec<Finding>> {
    reading.read(|q| {
        // A database that this version has not upgraded yet is verified as well.
        let upgraded = q.columns()?.contains(&("account".into(), "roles".into()));
        let q: &dyn Query = &**q;
        let mut found = Vec::new();
        for (table, id) in item::altered(q)? {
            let why = "这个版本的内容与它的散列不符：被改动。";
            found.push(bare(table, Some(id), why.to_owned()));
        }
        let accounts = match upgraded {
            true => account::altered(q)?,
            false => Vec::new(),
        };
        for (table, id, why) in accounts {
            found.push(bare(table, Some(id), why.to_owned()));
        }
        for (line, account) in fund::altered_balances(q)? {
            let why = format!("科目 {account} 的余额不是分录的合计：被改动、删除或加入。");
            found.push(bare("ledger_balance", Some(line.0), why));
        }
        let of_ledger = fund::verify(q)?.findings;
        // The balances were told with their lines.
        for finding in of_ledger
            .into_iter()
            .filter(|it| it.code != "balance-differs")
        {
            let why = format!("{}：{}", finding.subject, finding.message_zh);
            found.push(bare("ledger_entry", None, why));
        }
        let mut borne = casework::numbers(q)?;
        borne.extend(fund::numbers(q)?);
        borne.extend(notice::numbers(q)?);
        for (series, kept, last) in number::altered(q, &borne)? {
            let said =
                |number: Option<i64>| number.map_or("没有".to_owned(), |it| it.to_string());
            let (kept, last) = (said(kept), said(last));
            let why = format!("序列「{series}」记录到 {kept}，用到 {last}。");
            found.push(bare("number_series", None, why));
        }
        Ok(found)
    })
}

/// Tables and columns that nothing binds, with what they hold.
fn left_out(reading: &Reading) -> Result<Vec<String>, StoreError> {
    let (bound, free) = reading.bound();
    let tables = reading.read(|q| q.tables())?;
    let mut left: Vec<String> = tables
        .into_iter()
        .map(|table| table.name)
        .filter(|name| {
            !bound.contains(name)
                && !LOG.contains(&name.as_str())
                && DERIVED.iter().all(|(derived, _)| derived != name)
        })
        .collect();
    left.sort();
    let columns = free
        .into_iter()
        .map(|(table, column)| format!("{table}.{column}"));
    left.extend(columns);
    Ok(left)
}

fn outside(
    cli: &Cli,
    file: &Path,
    saved: Option<&Note>,
    key: Option<&Verifier>,
) -> Result<Said, Said> {
    let mut text = String::new();
    let opened = File::open(file).map_err(failed(file))?;
    let short = opened
        .take(PROOF_BYTES)
        .read_to_string(&mut text)
        .is_ok_and(|length| (length as u64) < PROOF_BYTES);
    if short && let Some(proved) = check_proof(&text).map_err(Said::failed)? {
        let fits = key.is_none_or(|key| key.to_string() == proved.key);
        let mut told = json!(proved);
        if let Some(told) = told.as_object_mut() {
            told.insert("key_given".to_owned(), key.is_some().into());
            if !fits {
                told.insert("ok".to_owned(), false.into());
                told.insert("why".to_owned(), "证明里的公钥不是给出的公钥。".into());
            }
        }
        return Ok(Said::json(u8::from(!(proved.ok && fits)), &told));
    }
    let mut opened = BufReader::new(File::open(file).map_err(failed(file))?);
    let verified = verify_export(&mut opened, saved, key).map_err(Said::failed)?;
    let code = u8::from(!verified.ok);
    if cli.json {
        return Ok(Said::json(code, &verified));
    }
    let report = Report {
        verified,
        files: None,
        recomputed: Vec::new(),
        not_checked: Vec::new(),
    };
    Ok(Said::text(code, report.text()))
}

fn read_note(path: &Path) -> Result<Note, Said> {
    let text = std::fs::read_to_string(path).map_err(failed(path))?;
    let wrong = |error| Said::failed(format!("{}：不是检查点（{error}）", path.display()));
    Note::parse(witness::note_of(&text)).map_err(wrong)
}

/// A key as `audit key` prints it, or the file it was written to.
fn read_key(given: &str) -> Result<Verifier, Said> {
    let text = match Path::new(given) {
        path if path.is_file() => std::fs::read_to_string(path).map_err(failed(path))?,
        _ => given.to_owned(),
    };
    Verifier::parse(text.trim()).map_err(|error| {
        Said::failed(format!(
            "--log-key 不是日志的公钥（{error}）：请照抄 luodi audit key 的整行输出。"
        ))
    })
}

impl Report {
    fn text(&self) -> String {
        let found = &self.verified;
        let mut text = format!(
            "事件 {} 个，编号 {} 个，等待编号 {} 个\n树根 {}\n",
            found.events, found.tree_size, found.waiting, found.root
        );
        match found.key_given {
            None => text += &self.looked_at(),
            Some(given) => text += &self.of_export(given),
        }
        if !found.unsequenced.is_empty() {
            text +=
                "有事件等待编号超过 10 秒：没有服务在运行，或它无法写入。启动服务后会自动编号。\n";
        }
        for finding in &found.findings {
            let event = finding.event.map(|event| format!("事件 {event} "));
            let row = finding.id.map(|id| format!(" {id}"));
            text += &format!(
                "{}{}{}：{}\n",
                event.unwrap_or_default(),
                finding.table,
                row.unwrap_or_default(),
                finding.why
            );
        }
        if found.findings_not_listed > 0 {
            text += &format!("另有 {} 处没有列出。\n", found.findings_not_listed);
        }
        text + match found.ok {
            true => "完好\n",
            false => NEXT,
        }
    }

    /// What was compared in a data folder, and what was not.
    fn looked_at(&self) -> String {
        let found = &self.verified;
        let mut text = format!("检查点：保存的 {} 个相符；", found.checkpoints);
        text += match (found.saved_checkpoint, found.remembered) {
            (true, _) => "与另存的检查点比较过\n",
            (false, Some(_)) => "没有给出另存的检查点（--checkpoint）\n",
            (false, None) => {
                "没有给出另存的检查点，末尾被截去或整个换成旧副本不能发现（--checkpoint）\n"
            }
        };
        text += &match found.remembered {
            Some(size) => format!("密钥文件夹：记得前 {size} 个事件，据此核对\n"),
            None => "密钥文件夹：不记得日志（新的或只读的）\n".to_owned(),
        };
        for event in &found.accepted {
            text += &format!("管理员认可过不同于记忆的日志，见事件 {event}\n");
        }
        text += &format!(
            "记录：{} 张表的 {} 行与日志比较\n",
            found.tables, found.rows
        );
        if found.rebound > 0 {
            text += &format!(
                "其中升级时重新绑定过 {} 行：比较从那时起算\n",
                found.rebound
            );
        }
        let derived: Vec<&str> = DERIVED.iter().map(|(_, word)| *word).collect();
        text += &format!("重新计算：{}\n", derived.join("、"));
        text += &match &self.files {
            None => "文件：没有核对内容（--no-files）\n".to_owned(),
            Some(files) => format!(
                "文件：{} 个的内容，共 {} MB\n",
                files.files,
                files.bytes.div_ceil(1 << 20)
            ),
        };
        let words = self.not_checked.iter().map(|name| {
            let known = LEFT_OUT.iter().find(|(table, _)| table == name);
            known.map_or(name.as_str(), |(_, word)| *word)
        });
        text + &format!(
            "不在日志保护之内：{}\n",
            words.collect::<Vec<_>>().join("、")
        )
    }

    /// What was compared in an export.
    fn of_export(&self, key_given: bool) -> String {
        let key = match key_given {
            true => "公钥：与给出的相同\n",
            false => {
                "公钥：只用了文件自带的，说明文件没有自相矛盾，不能说明是谁的日志；请用 --log-key 给出您另外得到的公钥\n"
            }
        };
        let saved = match self.verified.saved_checkpoint {
            true => "检查点：与另存的比较过\n",
            false => "检查点：只有文件自带的；更新的事件是否缺少不能发现（--checkpoint）\n",
        };
        format!("{key}{saved}只核对了日志文件，没有核对数据库和附件\n")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::store::Options;
    use crate::store::testing::TemporaryStore;

    /// A table that comes new is bound, recomputed, or left out with a word.
    #[test]
    fn every_table_is_bound_or_known_to_be_left_out() {
        let store = TemporaryStore::open(Timestamp::UNIX_EPOCH).unwrap();
        let options: Options = store.options();
        let reading = Reading::open(store.dir(), &options).unwrap();
        let left: BTreeSet<String> = left_out(&reading).unwrap().into_iter().collect();
        let said = LEFT_OUT.iter().map(|(table, _)| (*table).to_owned());
        let said: BTreeSet<String> = said.collect();
        assert_eq!(left, said, "bind it, recompute it, or say why not");
    }
}
