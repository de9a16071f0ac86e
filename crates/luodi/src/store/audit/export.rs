//! The log as a file that anybody can verify without the database: a line for the log, one for each
//! event, one for the checkpoint. Every line is in the one form this program writes, so that no byte
//! can change unnoticed; each event's own leaf names the one that was changed.

use std::io::{BufRead, Write};

use serde::{Deserialize, Serialize};
use trail::{Checkpoint, Frontier, Hash, Note, Verifier};
use uuid::Uuid;

use super::record::{Record, columns_of};
use super::tree::{self, base64, number};
use super::verify::{Finding, Verified};
use crate::store::read::Query;
use crate::store::{StoreError, params};

/// Names the form, in the first line.
pub(super) const FORMAT: &str = "luodi-log/1";
/// Events read at once.
const AT_ONCE: u64 = 2_000;
/// The longest line that is read, in bytes.
const LINE_BYTES: usize = 64 << 20;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    format: String,
    /// The public key of the log.
    key: String,
    /// How many events follow.
    size: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    number: u64,
    /// Base64.
    leaf: String,
    event: Record,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Foot {
    checkpoint: String,
}

/// Writes all events under the last checkpoint, and says how many.
///
/// # Errors
/// [`StoreError::Log`] where nothing was signed yet or a number lacks its event, and
/// [`StoreError::Unavailable`] where `out` cannot be written.
pub fn export_log(q: &dyn Query, out: &mut dyn Write) -> Result<u64, StoreError> {
    let (kept, key) = signed(q)?;
    let head = Head {
        format: FORMAT.to_owned(),
        key: key.to_string(),
        size: kept.size,
    };
    line(out, &head)?;
    let columns = columns_of("e");
    let sql = format!(
        "SELECT l.number, {columns} FROM audit_leaf l JOIN audit_event e ON e.id = l.event_id \
         WHERE l.number >= ?1 AND l.number < ?2 ORDER BY l.number"
    );
    let mut next = 0;
    while next < kept.size {
        let end = kept.size.min(next + AT_ONCE);
        q.each(&sql, &params![number(next)?, number(end)?], &mut |row| {
            let event = Record::read(row, 1)?;
            let found = Line {
                number: row.get(0)?,
                leaf: base64(&event.leaf()),
                event,
            };
            if found.number != next {
                return Err(gap(next));
            }
            next += 1;
            line(out, &found)
        })?;
        if next < end {
            return Err(gap(next));
        }
    }
    line(
        out,
        &Foot {
            checkpoint: kept.note,
        },
    )?;
    Ok(kept.size)
}

fn gap(number: u64) -> StoreError {
    StoreError::Log(format!("缺少第 {number} 号事件"))
}

/// The last checkpoint and the key that signed it.
pub(super) fn signed(q: &dyn Query) -> Result<(tree::Kept, Verifier), StoreError> {
    let kept = tree::latest(q)?.ok_or_else(|| StoreError::Log("还没有检查点".to_owned()))?;
    Ok((kept, log_key(q)?))
}

/// The public key of the log, by which others verify its checkpoints.
///
/// # Errors
/// [`StoreError::Log`] where the log has no name yet.
pub fn log_key(q: &dyn Query) -> Result<Verifier, StoreError> {
    let head = tree::head(q)?.ok_or_else(|| StoreError::Log("没有名称".to_owned()))?;
    Ok(tree::signer(q.keys(), &head.origin)?.verifier())
}

fn line(out: &mut dyn Write, value: &impl Serialize) -> Result<(), StoreError> {
    let text =
        serde_json::to_string(value).map_err(|error| StoreError::Value(error.to_string()))?;
    writeln!(out, "{text}").map_err(|error| StoreError::Unavailable(error.to_string()))
}

/// Why a file is no export that could be verified.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoExport(pub String);

/// Verifies an export, against the log's key and a checkpoint kept elsewhere where they are given.
/// Without the key it can only be said that the file fits itself.
///
/// # Errors
/// [`NoExport`] where the file cannot be read, or its first line is not that of an export.
pub fn verify_export(
    file: &mut dyn BufRead,
    saved: Option<&Note>,
    given: Option<&Verifier>,
) -> Result<Verified, NoExport> {
    let first = next(file)?.ok_or_else(|| NoExport("文件是空的。".to_owned()))?;
    let head: Head = serde_json::from_str(&first)
        .map_err(|error| NoExport(format!("第 1 行不是日志导出文件的开头：{error}")))?;
    let mut check = Check::new(saved);
    let key = check.head(&head, &first, given);
    let mut foot = None;
    let mut count = 1;
    while let Some(text) = next(file)? {
        count += 1;
        if foot.is_some() {
            check.wrong(None, format!("第 {count} 行在检查点之后，是多余的。"));
            break;
        }
        foot = check.line(&text, count);
    }
    match (foot, key) {
        (None, _) => check.wrong(None, "没有最后的检查点：文件末尾被截去。".to_owned()),
        (Some(foot), Some(key)) => check.foot(&foot, &key, head.size),
        (Some(_), None) => {}
    }
    Ok(check.told(given.is_some()))
}

/// The next line without its end; a last line that lacks it is no line of ours.
fn next(file: &mut dyn BufRead) -> Result<Option<String>, NoExport> {
    let mut bytes = Vec::new();
    let mut limited = std::io::Read::take(file, LINE_BYTES as u64);
    limited
        .read_until(b'\n', &mut bytes)
        .map_err(|error| NoExport(error.to_string()))?;
    if bytes.is_empty() {
        return Ok(None);
    }
    // Without its end the text is in no form that could be ours.
    if bytes.pop() != Some(b'\n') {
        bytes.clear();
    }
    Ok(Some(String::from_utf8(bytes).unwrap_or_default()))
}

struct Check<'a> {
    saved: Option<&'a Note>,
    frontier: Frontier,
    /// The size of the saved checkpoint, and the root there.
    mark: Option<(u64, Hash)>,
    /// Its own checkpoint fits.
    signed: bool,
    findings: Vec<Finding>,
    more: u64,
}

impl<'a> Check<'a> {
    fn new(saved: Option<&'a Note>) -> Self {
        let mut check = Self {
            saved,
            frontier: Frontier::default(),
            mark: None,
            signed: false,
            findings: Vec::new(),
            more: 0,
        };
        check.mark();
        check
    }

    fn wrong(&mut self, event: Option<(u64, Uuid)>, why: String) {
        if self.findings.len() >= 100 {
            self.more += 1;
            return;
        }
        self.findings.push(Finding {
            event: event.map(|(_, event)| event),
            number: event.map(|(number, _)| number),
            table: "audit_event".to_owned(),
            id: event.map(|(_, event)| event),
            why,
        });
    }

    fn head(&mut self, head: &Head, text: &str, given: Option<&Verifier>) -> Option<Verifier> {
        if head.format != FORMAT || !same(head, text) {
            self.wrong(None, "第 1 行被改动。".to_owned());
        }
        match Verifier::parse(&head.key) {
            Ok(key) if given.is_some_and(|given| given.to_string() != key.to_string()) => {
                let why = "文件里的公钥不是给出的公钥：这不是那个日志的导出，或公钥被换过。";
                self.wrong(None, why.to_owned());
                given.cloned()
            }
            Ok(key) => Some(key),
            Err(error) => {
                self.wrong(None, format!("第 1 行的公钥被改动：{error}"));
                None
            }
        }
    }

    /// Takes a line; gives the checkpoint where it is the last.
    fn line(&mut self, text: &str, count: u64) -> Option<String> {
        if let Ok(foot) = serde_json::from_str::<Foot>(text)
            && same(&foot, text)
        {
            return Some(foot.checkpoint);
        }
        let number = self.frontier.size();
        let Ok(line) = serde_json::from_str::<Line>(text) else {
            self.wrong(
                None,
                format!("第 {count} 行（第 {number} 号事件）无法读出：被改动。"),
            );
            self.push(Hash::default());
            return None;
        };
        let leaf = line.event.leaf();
        let which = Some((number, line.event.id));
        if line.number != number {
            let why = format!(
                "这里应是第 {number} 号事件，却是第 {} 号：有事件被删除、加入或调换。",
                line.number
            );
            self.wrong(which, why);
        } else if line.leaf != base64(&leaf) {
            self.wrong(which, "事件被改动。".to_owned());
        } else if !same(&line, text) {
            self.wrong(which, format!("第 {count} 行的写法被改动。"));
        }
        self.push(leaf);
        None
    }

    fn push(&mut self, leaf: Hash) {
        self.frontier.push(leaf);
        self.mark();
    }

    /// Notes the root where the saved checkpoint was signed.
    fn mark(&mut self) {
        let size = self.frontier.size();
        let wanted = self.saved.and_then(|note| note.text.lines().nth(1));
        if self.mark.is_none() && wanted.and_then(|text| text.parse().ok()) == Some(size) {
            self.mark = Some((size, self.frontier.root()));
        }
    }

    fn foot(&mut self, note: &str, key: &Verifier, size: u64) {
        let opened = Note::parse(note).and_then(|note| Checkpoint::open(&note, key));
        match opened {
            Err(error) => self.wrong(None, format!("检查点被改动：{error}")),
            Ok(checkpoint) => {
                let fits = checkpoint.size == self.frontier.size() && checkpoint.size == size;
                if !fits {
                    let why = format!(
                        "检查点有 {} 个事件，文件里有 {} 个：有事件被删除或加入。",
                        checkpoint.size,
                        self.frontier.size()
                    );
                    self.wrong(None, why);
                } else if checkpoint.root != self.frontier.root() {
                    self.wrong(None, "树根与检查点不符：有事件被改动。".to_owned());
                } else {
                    self.signed = true;
                }
            }
        }
        if let Some(saved) = self.saved {
            self.saved(saved, key);
        }
    }

    fn saved(&mut self, saved: &Note, key: &Verifier) {
        let why = match Checkpoint::open(saved, key) {
            Err(error) => format!("另存的检查点不是这个日志的：{error}"),
            Ok(checkpoint) => match self.mark {
                Some((_, root)) if root == checkpoint.root => return,
                Some(_) => format!(
                    "前 {} 个事件与另存的检查点不符：历史被改写。",
                    checkpoint.size
                ),
                None => format!(
                    "文件只有 {} 个事件，另存的检查点里有 {} 个：末尾被截去，或是旧的副本。",
                    self.frontier.size(),
                    checkpoint.size
                ),
            },
        };
        self.wrong(None, why);
    }

    fn told(self, key_given: bool) -> Verified {
        let size = self.frontier.size();
        Verified {
            ok: self.findings.is_empty(),
            events: size,
            tree_size: size,
            root: base64(&self.frontier.root()),
            rows: 0,
            tables: 0,
            rebound: 0,
            checkpoints: u64::from(self.signed),
            saved_checkpoint: self.saved.is_some(),
            key_given: Some(key_given),
            waiting: 0,
            unsequenced: Vec::new(),
            remembered: None,
            accepted: Vec::new(),
            first_bad: self.findings.first().cloned(),
            findings: self.findings,
            findings_not_listed: self.more,
        }
    }
}

/// Whether a text is the one form of what was read from it.
pub(super) fn same(value: &impl Serialize, text: &str) -> bool {
    serde_json::to_string(value).is_ok_and(|own| own == text)
}
