//! Asking for a copy of a party's data, making it in the background, and letting it go again.

use std::io::{Cursor, Seek, Write};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use uuid::Uuid;
use vocab::CreditCode;

use super::archive::{self, Cover};
use super::words::Words;
use crate::access::{Actor, ActorKind, Role};
use crate::attachment::{self, Attachment, Kept, Subject};
use crate::city;
use crate::dossier::Part;
use crate::ids::PartyId;
use crate::params;
use crate::party::{self, Party};
use crate::refusal::{Error, Refusal, Result};
use crate::store::{ClaimedJob, Command, Event, Job, Query, Store, StoreError, Tx};
use crate::web::civil;

/// How long a copy lies ready.
const KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The papers a copy made for a page may hold together, in bytes; larger ones are written by the
/// command line, which holds no more than one paper in memory.
const MOST_BYTES: u64 = 64 << 20;
/// The jobs that make a copy and let it go; their key is the copy's id.
const MAKE: &str = "personal.export";
const EXPIRE: &str = "personal.expire";

/// A copy of a party's data.
#[derive(Clone, Debug)]
pub struct Export {
    /// Its id.
    pub id: Uuid,
    /// It is ready to be fetched.
    pub ready: bool,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// Until when it lies ready.
    pub expires_at: Option<Timestamp>,
}

/// The copy of a party that lies ready or is being made.
///
/// # Errors
/// The store's own.
pub(super) fn newest(q: &dyn Query, party: PartyId) -> Result<Option<Export>, StoreError> {
    q.row_opt(
        "SELECT id, state, requested_at, expires_at FROM data_export \
         WHERE party_id = ?1 AND state IN ('making', 'ready') ORDER BY requested_at DESC, id DESC",
        params![party],
        |r| {
            Ok(Export {
                id: r.get(0)?,
                ready: r.get::<String>(1)? == "ready",
                requested_at: r.get(2)?,
                expires_at: r.get(3)?,
            })
        },
    )
}

/// Whether the actor may have the copy: the party itself, its window, the console.
fn may_have(q: &dyn Query, actor: &Actor, party: PartyId) -> Result<Party> {
    let found = party::find(q, actor, party)?;
    let own = actor.party == Some(party);
    let by_account = matches!(actor.kind, ActorKind::Account(_));
    if own || !by_account || actor.has(Role::WindowClerk) {
        return Ok(found);
    }
    let message = "个人信息副本由本人或窗口申请。";
    Err(Refusal::forbidden("personal-export", message).into())
}

/// Asks for a copy of all that is held of a party. One that is being made is not asked for twice; a
/// new one takes the place of an older.
///
/// # Errors
/// Refuses others than the party and its window, a request of the window without a reason, an
/// erased party, and papers that are too many for a page.
pub fn request_export(tx: &Tx<'_>, actor: &Actor, party: PartyId, reason: &str) -> Result<Uuid> {
    let found = may_have(tx, actor, party)?;
    party::not_erased(&found)?;
    let reason = if actor.party == Some(party) {
        "本人申请".to_owned()
    } else {
        stated(
            "why",
            reason,
            "请写明事由（4 至 200 个字），例如「本人到窗口书面申请复制」。申请会记入日志。",
        )?
    };
    let size: u64 = attachment::dossier::of_owner(tx, party)?
        .iter()
        .map(|file| file.size_bytes)
        .sum();
    if size > MOST_BYTES {
        let message = format!(
            "材料合计超过 {} MB，不能在网页上生成。请由服务器管理员执行 luodi export party {party} --out 文件.zip。",
            MOST_BYTES >> 20
        );
        return Err(Refusal::invalid("personal-export-size", message).into());
    }
    let mut rows = Vec::new();
    if let Some(old) = newest(tx, party)? {
        if !old.ready {
            return Ok(old.id);
        }
        rows.extend(end(tx, old.id)?);
        tx.cancel_job(EXPIRE, &old.id.to_string())?;
    }
    let id = tx.new_id();
    tx.execute(
        "INSERT INTO data_export (id, party_id, region_code, reason, state, requested_by, \
           requested_at, version) VALUES (?1, ?2, ?3, ?4, 'making', ?5, ?6, 1)",
        params![
            id,
            party,
            found.region,
            &reason,
            actor.account_id(),
            tx.now()
        ],
    )?;
    rows.push(("data_export", id));
    tx.enqueue_job(&Job {
        kind: MAKE,
        key: Some(id.to_string()),
        payload: json!({ "export": id, "party": party }),
        due_at: tx.now(),
    })?;
    event(
        tx,
        actor,
        "personal.request_export",
        party,
        json!({ "reason": reason }),
        rows,
    );
    Ok(id)
}

/// A reason of 4 to 200 characters, without long numbers.
pub(super) fn stated(field: &str, reason: &str, message: &str) -> Result<String> {
    let reason = reason.trim();
    if (4..=200).contains(&reason.chars().count()) {
        return Ok(vocab::mask_numbers(reason));
    }
    Err(Refusal::field(field, "reason", message).into())
}

pub(super) fn event(
    tx: &Tx<'_>,
    actor: &Actor,
    command: &'static str,
    party: PartyId,
    detail: serde_json::Value,
    rows: Vec<(&'static str, Uuid)>,
) {
    tx.event(Event {
        actor: actor.to_ref(),
        command,
        subject: ("party", party.0),
        detail,
        rows,
    });
}

/// Lets a copy go: its row ends, and its file is named by nothing any more.
fn end(tx: &Tx<'_>, id: Uuid) -> Result<Vec<(&'static str, Uuid)>> {
    tx.execute(
        "UPDATE data_export SET state = 'ended', version = version + 1 WHERE id = ?1",
        params![id],
    )?;
    let files = attachment::let_go(tx, Subject::DataExport(id))?;
    let mut rows = vec![("data_export", id)];
    rows.extend(files.iter().map(|file| ("attachment", file.0)));
    Ok(rows)
}

/// Lets every copy of an erased party go, those that are being made, too.
pub(super) fn end_all(tx: &Tx<'_>, party: PartyId) -> Result<Vec<(&'static str, Uuid)>> {
    let sql = "SELECT id FROM data_export WHERE party_id = ?1 AND state IN ('making', 'ready')";
    let mut rows = Vec::new();
    for id in tx.rows(sql, params![party], |r| r.get::<Uuid>(0))? {
        rows.extend(end(tx, id)?);
        tx.cancel_job(EXPIRE, &id.to_string())?;
    }
    Ok(rows)
}

/// What a copy is made of.
struct Contents {
    cover: Cover,
    parts: Vec<Part>,
    words: Words,
    papers: Vec<Attachment>,
}

fn contents(store: &Store, now: Timestamp, party: PartyId) -> Result<Contents> {
    store.read_blocking(|q| {
        let q: &dyn Query = &**q;
        let parts = super::dossier(q, party)?;
        let city = city::find(q)?.map_or_else(|| "落地".to_owned(), |city| city.name);
        Ok(Contents {
            cover: Cover {
                name: party::find_for_case(q, party)?.name,
                city,
                made_at: civil(now).strftime("%Y-%m-%d %H:%M").to_string(),
            },
            words: Words::ask(q, &parts)?,
            parts,
            papers: attachment::dossier::of_owner(q, party)?,
        })
    })
}

/// Makes a copy that was asked for, seals it under the party's key and ends the job. Blocking.
///
/// # Errors
/// A fault of the store or of the disk.
pub fn work_export(store: &Store, now: Timestamp, job: &ClaimedJob) -> Result<()> {
    let id_of = |name: &str| {
        let text = job.payload.get(name).and_then(|id| id.as_str());
        text.and_then(|id| Uuid::parse_str(id).ok())
            .ok_or_else(|| StoreError::Value(format!("job {}: no {name}", job.id)))
    };
    let (id, party) = (id_of("export")?, PartyId(id_of("party")?));
    let made = contents(store, now, party).and_then(|it| {
        let out = Cursor::new(Vec::new());
        let out = archive::write(out, store, &it.cover, (&it.parts, &it.words), &it.papers)?;
        let name = format!(
            "数据副本-{}.zip",
            it.cover.made_at.get(..10).unwrap_or_default()
        );
        let named = (name, "application/zip");
        attachment::keep_made(store, now, party.0, "copy", named, out.get_ref())
    });
    let kept = match made {
        // Erased meanwhile: there is nothing to copy any more.
        Err(Error::Store(StoreError::KeyDestroyed(_))) => None,
        other => Some(other?),
    };
    let job = job.clone();
    store.write_blocking(Command::new("personal.export", now), move |tx| {
        made_ready(tx, id, party, kept.as_ref())?;
        Ok(tx.finish_job(&job)?)
    })
}

/// Says that a copy is ready, unless it was let go meanwhile.
fn made_ready(tx: &Tx<'_>, id: Uuid, party: PartyId, kept: Option<&Kept>) -> Result<()> {
    let until = tx.now() + KEPT;
    let Some(kept) = kept else { return Ok(()) };
    let ready = tx.execute(
        "UPDATE data_export SET state = 'ready', ready_at = ?2, expires_at = ?3, \
         version = version + 1 WHERE id = ?1 AND state = 'making'",
        params![id, tx.now(), until],
    )?;
    if ready == 0 {
        return Ok(());
    }
    let files = attachment::add(tx, "system", Subject::DataExport(id), kept)?;
    let mut rows = vec![("data_export", id)];
    rows.extend(files.iter().map(|file| ("attachment", file.0)));
    let party_row = party::find_for_case(tx, party)?;
    let system = Actor::system(party_row.region);
    event(
        tx,
        &system,
        "personal.export",
        party,
        json!({ "until": until }),
        rows,
    );
    tx.enqueue_job(&Job {
        kind: EXPIRE,
        key: Some(id.to_string()),
        payload: json!({ "export": id, "party": party }),
        due_at: until,
    })?;
    let body = "您申请的个人信息副本已生成，7 日内可在「我的数据」中下载。";
    party::notify(tx, party, None, "个人信息副本已生成", body)
}

/// Lets a copy go whose days are over; the handler of its job.
///
/// # Errors
/// A fault of the store.
pub fn work_expire(tx: &Tx<'_>, payload: &serde_json::Value) -> Result<()> {
    let id_of = |name: &str| {
        let text = payload.get(name).and_then(|id| id.as_str());
        text.and_then(|id| Uuid::parse_str(id).ok())
            .ok_or_else(|| StoreError::Value(format!("payload without {name}")))
    };
    let (id, party) = (id_of("export")?, PartyId(id_of("party")?));
    let system = Actor::system(party::find_for_case(tx, party)?.region);
    let rows = end(tx, id)?;
    event(tx, &system, "personal.expire", party, json!({}), rows);
    Ok(())
}

/// The file of the copy that lies ready; who fetches it is recorded.
///
/// # Errors
/// Refuses others than the party and its window, and where no copy is ready.
pub(super) fn fetch(tx: &Tx<'_>, actor: &Actor, party: PartyId) -> Result<Attachment> {
    may_have(tx, actor, party)?;
    let none = || {
        let message = "没有可以下载的副本：可能还在生成，或已过 7 日。请重新申请。";
        Error::from(Refusal::not_found(message))
    };
    let export = newest(tx, party)?
        .filter(|export| export.ready)
        .ok_or_else(none)?;
    let files = attachment::of_subject(tx, Subject::DataExport(export.id))?;
    let file = files.into_iter().next().ok_or_else(none)?;
    event(tx, actor, "personal.download", party, json!({}), Vec::new());
    Ok(file)
}

/// The party with this id or credit code, for the command line.
///
/// # Errors
/// Refuses where there is none.
pub fn find_number_or_id(q: &dyn Query, text: &str) -> Result<PartyId> {
    let by_id = || Some(PartyId(Uuid::parse_str(text.trim()).ok()?));
    let found = match CreditCode::parse(text) {
        Ok(code) => party::find_number(q, Some(&code), None)?,
        Err(_) => by_id(),
    };
    let message = "没有这个主体。请给出主体页面地址中的编号，或企业的统一社会信用代码。";
    let id = found.ok_or_else(|| Refusal::not_found(message))?;
    party::find_for_case(q, id)?;
    Ok(id)
}

/// Writes a copy of a party's data; that it leaves is in the log before the first byte. Blocking.
///
/// # Errors
/// Refuses an erased party; a fault of the store or of the disk.
pub fn export_to<W: Write + Seek>(
    store: &Store,
    now: Timestamp,
    actor: &Actor,
    party: PartyId,
    out: W,
) -> Result<()> {
    let by = actor.clone();
    store.write_blocking(Command::new("personal.export", now), move |tx| {
        party::not_erased(&may_have(tx, &by, party)?)?;
        event(tx, &by, "personal.download", party, json!({}), Vec::new());
        Ok::<_, Error>(())
    })?;
    let it = contents(store, now, party)?;
    archive::write(out, store, &it.cover, (&it.parts, &it.words), &it.papers)?;
    Ok(())
}
