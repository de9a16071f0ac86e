//! Recomputes the log and everything bound to it.
//!
//! `walk` makes the tree anew from the events and learns which event names each row last; `rows`
//! compares the rows with that. What is said here rests on nothing but the signature of a
//! checkpoint: tiles, numbers and seals only help to name the event that does not fit.

mod around;
mod beside;
mod rows;
mod walk;

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use trail::{Checkpoint, Note};
use uuid::Uuid;

pub(super) use self::walk::Named;
use self::walk::Walked;
use super::bound::Shapes;
use super::mark::Mark;
use super::rebind;
use super::record::{append, columns_of};
use super::seal;
use super::tree::{self, Head, base64};
use crate::store::read::Query;
use crate::store::{StoreError, params};

/// Findings that are told; the others are counted.
const TOLD: usize = 100;
/// An event is to have its number after this long.
const PROMPT: SignedDuration = SignedDuration::from_secs(10);

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The event concerned: the one that was altered, or that last wrote the row.
    pub event: Option<Uuid>,
    /// Its number in the log.
    pub number: Option<u64>,
    /// The table concerned.
    pub table: String,
    /// Id of the row; of rows that belong to one owner, the owner's.
    pub id: Option<Uuid>,
    /// What is wrong, in Chinese.
    pub why: String,
}

/// What the log and the rows bound to it are worth.
#[derive(Clone, Debug, Serialize)]
pub struct Verified {
    /// Nothing was found.
    pub ok: bool,
    /// Events looked at, those that wait for their number included.
    pub events: u64,
    /// Events that have a number.
    pub tree_size: u64,
    /// Root over them (base64), as in a checkpoint.
    pub root: String,
    /// Rows compared with the event that last wrote them.
    pub rows: u64,
    /// Tables whose rows were compared.
    pub tables: u64,
    /// Rows that upgrades bound anew: what they were before is not compared.
    pub rebound: u64,
    /// Kept checkpoints whose signature and root fit.
    pub checkpoints: u64,
    /// Whether a checkpoint kept elsewhere was compared.
    pub saved_checkpoint: bool,
    /// Of an export: whether the log's key was given, and not only read from the file itself.
    pub key_given: Option<bool>,
    /// Events that wait for their number.
    pub waiting: u64,
    /// Of these, the first that wait longer than ten seconds: no server is numbering them.
    pub unsequenced: Vec<Uuid>,
    /// Events that the key folder remembers; none where it remembers no log, because it is new or
    /// cannot be written.
    pub remembered: Option<u64>,
    /// Events by which an operator took a log that was not the one the key folder remembered.
    pub accepted: Vec<Uuid>,
    /// The first finding.
    pub first_bad: Option<Finding>,
    /// Findings, the first hundred.
    pub findings: Vec<Finding>,
    /// How many more there are.
    pub findings_not_listed: u64,
}

impl Verified {
    /// Takes in a finding of a domain.
    pub fn add(&mut self, finding: Finding) {
        self.ok = false;
        self.first_bad.get_or_insert_with(|| finding.clone());
        self.findings.push(finding);
    }
}

/// Collects findings.
#[derive(Debug)]
struct Findings {
    limit: usize,
    told: Vec<Finding>,
    more: u64,
}

impl Findings {
    fn add(&mut self, finding: Finding) {
        if self.told.len() < self.limit {
            self.told.push(finding);
        } else {
            self.more += 1;
        }
    }

    /// About an event.
    fn event(&mut self, (number, event): (Option<u64>, Uuid), why: impl Into<String>) {
        self.add(Finding {
            event: Some(event),
            number,
            table: "audit_event".to_owned(),
            id: Some(event),
            why: why.into(),
        });
    }

    /// About the log itself.
    fn log(&mut self, table: &str, why: impl Into<String>) {
        self.add(Finding {
            event: None,
            number: None,
            table: table.to_owned(),
            id: None,
            why: why.into(),
        });
    }
}

/// What the tables are compared with, beside themselves.
pub(in crate::store) struct Asked<'a> {
    /// A checkpoint kept elsewhere.
    pub(in crate::store) saved: Option<&'a Note>,
    /// What the key folder remembers, read before the moment of the tables.
    pub(in crate::store) mark: Option<Mark>,
    /// Why it does not say.
    pub(in crate::store) mark_unread: Option<String>,
    /// The tables are from before seals said what they are.
    pub(in crate::store) old_seals: bool,
    /// The tables are from before checkpoints had seals.
    pub(in crate::store) unsealed: bool,
    /// Parts of the schema that no migration made, each as its kind and its name.
    pub(in crate::store) foreign: Vec<(String, String)>,
    /// Findings that are told.
    pub(in crate::store) told: usize,
    pub(in crate::store) now: Timestamp,
}

impl Asked<'_> {
    pub(in crate::store) fn new(now: Timestamp) -> Self {
        Self {
            saved: None,
            mark: None,
            mark_unread: None,
            old_seals: false,
            unsealed: false,
            foreign: Vec::new(),
            told: TOLD,
            now,
        }
    }
}

/// Verifies one moment of the tables.
///
/// # Errors
/// What the engine reports; what is wrong with the content is a finding.
pub(in crate::store) fn verify(
    q: &dyn Query,
    shapes: &Shapes,
    asked: Asked<'_>,
) -> Result<Verified, StoreError> {
    let mut findings = Findings {
        limit: asked.told,
        told: Vec::new(),
        more: 0,
    };
    let head = tree::head(q)?.unwrap_or(Head {
        size: u64::MAX,
        origin: String::new(),
    });
    around::look(q, &asked, &mut findings)?;
    let known = known(q, &head.origin, &asked, &mut findings)?;
    let mut marks: Vec<u64> = known.iter().map(|known| known.checkpoint.size).collect();
    marks.sort_unstable();
    let mut walked = walk::walk(q, &marks)?;
    let judged = judge_tree(&walked, &known, head.size);
    walked.tell(q, judged.sound, &mut findings)?;
    if let Some((table, why)) = judged.why {
        findings.log(table, why);
    }
    beside::check(q, walked.size, walked.names_any(), &mut findings)?;
    let waiting = waiting(q, &mut walked, &asked, &mut findings)?;
    unaccounted(q, &walked, waiting.0, &mut findings)?;
    let (tables, rows) = rows::check(q, shapes, &mut walked, &mut findings)?;
    Ok(Verified {
        ok: findings.told.is_empty(),
        events: walked.size + waiting.0,
        tree_size: walked.size,
        root: base64(&walked.root),
        rows,
        tables,
        rebound: rebind::rebound(q)?,
        checkpoints: judged.checkpoints,
        saved_checkpoint: asked.saved.is_some(),
        key_given: None,
        waiting: waiting.0,
        unsequenced: waiting.1,
        remembered: asked.mark.map(|mark| mark.size),
        accepted: around::accepted(q)?,
        first_bad: findings.told.first().cloned(),
        findings: findings.told,
        findings_not_listed: findings.more,
    })
}

/// A checkpoint whose signature fits.
struct Known {
    checkpoint: Checkpoint,
    whose: Whose,
}

/// Where a signed root is from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// The database keeps it.
    Kept,
    /// It was kept elsewhere.
    Saved,
    /// The key folder remembers it.
    Remembered,
}

impl Whose {
    fn word(self) -> &'static str {
        match self {
            Self::Kept => "检查点",
            Self::Saved => "另存的检查点",
            Self::Remembered => "密钥文件夹里的标记",
        }
    }
}

/// The checkpoints to be compared, the smallest first; tells of those that are not the log's.
fn known(
    q: &dyn Query,
    origin: &str,
    asked: &Asked<'_>,
    findings: &mut Findings,
) -> Result<Vec<Known>, StoreError> {
    let mut known = Vec::new();
    let (kept, saved) = (tree::checkpoints(q, !asked.unsealed)?, asked.saved);
    if let Some(mark) = &asked.mark {
        if mark.origin != origin {
            findings.log(
                "audit_head",
                "日志的名称与密钥文件夹记得的不同：换成了另一个日志。",
            );
        }
        known.push(Known {
            checkpoint: Checkpoint {
                origin: mark.origin.clone(),
                size: mark.size,
                root: mark.root,
            },
            whose: Whose::Remembered,
        });
    }
    if kept.is_empty() && saved.is_none() {
        return Ok(known);
    }
    // A log without a name has no checkpoint that could be its own.
    let Ok(log) = tree::signer(q.keys(), origin).map(|signer| signer.verifier()) else {
        findings.log("audit_head", "日志的名称被改动。");
        return Ok(known);
    };
    let mut before = 0;
    for kept in kept {
        let seal = kept.sealed(q.keys(), before);
        before = kept.size;
        match kept.open(&log) {
            Ok(_) if !asked.unsealed && kept.seal.as_deref() != Some(&seal) => findings.log(
                "audit_checkpoint",
                format!(
                    "大小为 {} 的检查点的签发时间被改动，或它前面的检查点被删除或加入。",
                    kept.size
                ),
            ),
            Ok(checkpoint) => known.push(Known {
                checkpoint,
                whose: Whose::Kept,
            }),
            Err(error) => findings.log(
                "audit_checkpoint",
                format!("大小为 {} 的检查点被改动：{error}", kept.size),
            ),
        }
    }
    if let Some(note) = saved {
        match Checkpoint::open(note, &log) {
            Ok(checkpoint) => known.push(Known {
                checkpoint,
                whose: Whose::Saved,
            }),
            Err(error) => findings.log(
                "audit_checkpoint",
                format!("另存的检查点不是这个日志的：{error}"),
            ),
        }
    }
    known.sort_by_key(|known| known.checkpoint.size);
    Ok(known)
}

/// What the signed roots say of the tree made anew.
struct Judged {
    /// They all fit.
    sound: bool,
    /// How many of the log's own fit.
    checkpoints: u64,
    /// What is wrong with the tree as a whole, and where.
    why: Option<(&'static str, String)>,
}

/// Compares the tree made anew with the signed roots.
fn judge_tree(walked: &Walked, known: &[Known], head_size: u64) -> Judged {
    let (mut good, mut checkpoints) = (0, 0);
    for Known { checkpoint, whose } in known {
        let size = checkpoint.size;
        let root = walked.roots.get(&size);
        if root == Some(&checkpoint.root) {
            good = size;
            checkpoints += u64::from(*whose == Whose::Kept);
            continue;
        }
        let whose = whose.word();
        let why = match root {
            Some(_) => format!(
                "{whose}（前 {size} 个事件）与日志不符：第 {good} 号及以后、第 {size} 号之前的事件被改动过。"
            ),
            None => format!(
                "日志只有 {} 个事件，{whose}里有 {size} 个：末尾被截去，或恢复过旧的副本。",
                walked.size
            ),
        };
        return Judged {
            sound: false,
            checkpoints,
            why: Some(("audit_checkpoint", why)),
        };
    }
    let kept = known.iter().rfind(|known| known.whose == Whose::Kept);
    let last = kept.map_or(0, |known| known.checkpoint.size);
    let fits = last == walked.size && head_size == walked.size;
    let noted = match head_size {
        u64::MAX => "表头被删除".to_owned(),
        size => format!("记录的大小是 {size}"),
    };
    let why = format!(
        "日志有 {} 个编号的事件，最后的检查点有 {last} 个，{noted}。",
        walked.size
    );
    Judged {
        sound: true,
        checkpoints,
        why: (!fits).then_some(("audit_leaf", why)),
    }
}

/// Looks at the events that wait for their number; gives how many, and the first that wait long.
fn waiting(
    q: &dyn Query,
    walked: &mut Walked,
    asked: &Asked<'_>,
    findings: &mut Findings,
) -> Result<(u64, Vec<Uuid>), StoreError> {
    const LISTED: usize = 20;
    let treeless = asked.old_seals && walked.size == 0 && asked.mark.is_none();
    let (columns, seal) = (
        columns_of("e"),
        if asked.old_seals { "mac" } else { "seal" },
    );
    let sql = format!(
        "SELECT p.event_id, p.leaf, p.{seal}, e.at, l.number, {columns} FROM audit_pending p \
         LEFT JOIN audit_event e ON e.id = p.event_id \
         LEFT JOIN audit_leaf l ON l.event_id = p.event_id ORDER BY p.place"
    );
    let late = asked.now.saturating_sub(PROMPT).unwrap_or(Timestamp::MIN);
    let (mut count, mut long, mut met) = (0, Vec::new(), HashSet::new());
    q.each(&sql, &[], &mut |row| {
        let id = row.get::<Vec<u8>>(0)?;
        let event = id_or_nil(&id);
        if let Some(number) = row.get::<Option<i64>>(4)? {
            let number = Some(tree::count(number));
            findings.event((number, event), "已有编号的事件又被放进等待编号的事件里。");
            return Ok(());
        }
        if !met.insert(event) {
            findings.event((None, event), "同一个事件等待编号两次：是被加进来的。");
            return Ok(());
        }
        let Some(at) = row.get::<Option<i64>>(3)? else {
            walked.waiting.push(event);
            count += 1;
            findings.event((None, event), "等待编号的事件被删除。");
            return Ok(());
        };
        let mut bytes = Vec::new();
        let (_, rows) = append(&mut bytes, row, 5)?;
        let leaf = row.get::<Option<Vec<u8>>>(1)?;
        let seal = row.get::<Option<Vec<u8>>>(2)?;
        let sealed = match (&leaf, &seal) {
            (None, None) if treeless => Some(trail::leaf(&bytes)),
            (leaf, seal) => {
                let (leaf, seal) = (leaf.as_deref(), seal.as_deref());
                seal::opened_as(q.keys(), asked.old_seals, (&id, leaf, seal))
            }
        };
        let why = match sealed {
            None => Some("等待编号的事件不是本系统写入的。"),
            Some(leaf) => (leaf != trail::leaf(&bytes)).then_some("等待编号的事件被改动。"),
        };
        if let Some(why) = why {
            findings.event((None, event), why);
        }
        // What is forged is the last event of nothing.
        let number = walked.size + count;
        walked.waiting.push(event);
        count += 1;
        if why.is_none() {
            let rows = bytes.get(rows).unwrap_or_default();
            walked.mention(number, event, std::str::from_utf8(rows).unwrap_or_default());
        }
        if at < late.as_millisecond() && long.len() < LISTED {
            long.push(event);
        }
        Ok(())
    })?;
    Ok((count, long))
}

/// Events that neither have a number nor wait for one.
fn unaccounted(
    q: &dyn Query,
    walked: &Walked,
    waiting: u64,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    let events: u64 = q.row("SELECT COUNT(*) FROM audit_event", params![], |row| {
        row.get(0)
    })?;
    if events <= walked.present + waiting {
        return Ok(());
    }
    let sql = "SELECT id FROM audit_event e \
               WHERE NOT EXISTS (SELECT 1 FROM audit_leaf l WHERE l.event_id = e.id) \
               AND NOT EXISTS (SELECT 1 FROM audit_pending p WHERE p.event_id = e.id) ORDER BY id";
    for event in q.rows(sql, params![], |row| row.get::<Uuid>(0))? {
        findings.event(
            (None, event),
            "这个事件没有编号，也不在等待编号：被加进来，或编号被删除。",
        );
    }
    Ok(())
}

/// An id as it was stored; one that cannot be is the id of nothing.
fn id_or_nil(stored: &[u8]) -> Uuid {
    Uuid::from_slice(stored).unwrap_or_default()
}
