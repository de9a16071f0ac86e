//! A short proof that one event is in the log, for whoever holds a decision: checked with the log's
//! public key alone.

use ::base64::Engine;
use ::base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use trail::{Checkpoint, Hash, Note, Verifier};
use uuid::Uuid;

use super::export::{NoExport, same, signed};
use super::record::{Record, record};
use super::tree::{Stored, base64};
use crate::store::read::Query;
use crate::store::{StoreError, params};

/// Names the form.
const FORMAT: &str = "luodi-proof/1";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Proof {
    format: String,
    key: String,
    number: u64,
    event: Record,
    /// The hashes from the leaf to the root, base64.
    path: Vec<String>,
    checkpoint: String,
}

/// The proof of an event as a text; none while it has no number under a signed checkpoint.
///
/// # Errors
/// [`StoreError::Log`] where the tree cannot be read.
pub fn prove_event(q: &dyn Query, event: Uuid) -> Result<Option<String>, StoreError> {
    let sql = "SELECT number FROM audit_leaf WHERE event_id = ?1";
    let number = q.row_opt(sql, params![event], |row| row.get::<u64>(0))?;
    let (Some(number), Some(event)) = (number, record(q, event)?) else {
        return Ok(None);
    };
    let (kept, key) = signed(q)?;
    let Some(path) = trail::inclusion(&Stored(q), number, kept.size)? else {
        return Ok(None);
    };
    let proof = Proof {
        format: FORMAT.to_owned(),
        key: key.to_string(),
        number,
        event,
        path: path.iter().map(base64).collect(),
        checkpoint: kept.note,
    };
    let text =
        serde_json::to_string(&proof).map_err(|error| StoreError::Value(error.to_string()))?;
    Ok(Some(text + "\n"))
}

/// What a proof that was checked says.
#[derive(Clone, Debug, Serialize)]
pub struct Proved {
    /// It is right: the event is in the log as shown.
    pub ok: bool,
    /// Number of the event.
    pub number: u64,
    /// The event.
    pub event: Uuid,
    /// What was done.
    pub command: String,
    /// The key it rests on, to be compared with the log's.
    pub key: String,
    /// What is wrong, in Chinese.
    pub why: Option<String>,
}

/// Checks the proof in a text; none where the text is no proof.
///
/// # Errors
/// [`NoExport`] where it is a proof in another form than this program writes.
pub fn check_proof(text: &str) -> Result<Option<Proved>, NoExport> {
    if !text.starts_with(&format!("{{\"format\":\"{FORMAT}\"")) {
        return Ok(None);
    }
    let proof: Proof = serde_json::from_str(text)
        .map_err(|error| NoExport(format!("这份证明无法读出：{error}")))?;
    let why = wrong(&proof, text);
    Ok(Some(Proved {
        ok: why.is_none(),
        number: proof.number,
        event: proof.event.id,
        command: proof.event.command,
        key: proof.key,
        why,
    }))
}

fn wrong(proof: &Proof, text: &str) -> Option<String> {
    if text
        .strip_suffix('\n')
        .is_none_or(|line| !same(proof, line))
    {
        return Some("写法被改动。".to_owned());
    }
    let opened = Verifier::parse(&proof.key)
        .and_then(|key| Checkpoint::open(&Note::parse(&proof.checkpoint)?, &key));
    let checkpoint = match opened {
        Ok(checkpoint) => checkpoint,
        Err(error) => return Some(format!("检查点被改动：{error}")),
    };
    let path: Option<Vec<Hash>> = proof
        .path
        .iter()
        .map(|hash| STANDARD.decode(hash).ok()?.try_into().ok())
        .collect();
    let fits = path.is_some_and(|path| {
        trail::included(
            &proof.event.leaf(),
            proof.number,
            checkpoint.size,
            &path,
            &checkpoint.root,
        )
    });
    (!fits).then(|| "这个事件不在日志里，或被改动。".to_owned())
}
