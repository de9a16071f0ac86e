//! Files attached to drafts, cases and objections: checked by size, type and content, sealed under
//! their owner's key, named by a keyed hash, and safe on disk before the row that names them.
//!
//! It lacks pages: a file is reached through the thing it belongs to, whose domain knows who may.

pub mod dossier;
mod sweep;
mod verify;

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::ids::{AttachmentId, CaseId, DraftId, ObjectionId, TaskId};
use crate::params;
use crate::refusal::{Error, FieldError, Refusal, Result};
use crate::store::{Command, DataKey, Keys, Query, Row, Store, StoreError, Tx};
use crate::web::{FILE_BYTES, Upload};

pub use sweep::{remove_erased, sweep};
pub use verify::{Altered, Verified, verify};

/// What may be attached: extension, media type, and the types by content that it may have.
const TYPES: &[(&str, &str, &[&str])] = &[
    ("pdf", "application/pdf", &["application/pdf"]),
    ("jpg", "image/jpeg", &["image/jpeg"]),
    ("jpeg", "image/jpeg", &["image/jpeg"]),
    ("png", "image/png", &["image/png"]),
    ("webp", "image/webp", &["image/webp"]),
    ("ofd", "application/ofd", &["application/zip"]),
    (
        "docx",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        &["application/vnd.openxmlformats-officedocument.wordprocessingml.document"],
    ),
    (
        "xlsx",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        &["application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"],
    ),
];

/// The most files one thing may have.
const FILES_PER_SUBJECT: usize = 60;
/// What contents are sealed as.
const CLASS: &str = "file";
/// The most files one thing may ever have had, those replaced or taken out among them.
const EVER_PER_SUBJECT: usize = 240;

/// What a file belongs to. An id of one kind never reaches the files of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// An application that is being filled in.
    Draft(DraftId),
    /// A case.
    Case(CaseId),
    /// A task at which an answer's papers wait.
    Task(TaskId),
    /// An objection.
    Objection(ObjectionId),
    /// A copy of all data of a party, made for it.
    DataExport(Uuid),
}

impl Subject {
    const fn row(self) -> (&'static str, Uuid) {
        match self {
            Self::Draft(id) => ("draft", id.0),
            Self::Case(id) => ("case", id.0),
            Self::Task(id) => ("task", id.0),
            Self::Objection(id) => ("objection", id.0),
            Self::DataExport(id) => ("data_export", id),
        }
    }
}

/// A file that is safe on disk and not yet named by a row.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The slot (材料) it is for.
    pub slot: String,
    /// The name shown.
    pub file_name: String,
    /// Media type by extension and content.
    pub media_type: &'static str,
    /// Size of the plain content.
    pub size_bytes: u64,
    /// Its slot holds one file: this one takes the place of what was there.
    pub single: bool,
    /// Name on disk.
    content_name: String,
    owner: Uuid,
}

/// A file as lists show it.
#[derive(Clone, Debug)]
pub struct Attachment {
    /// Id.
    pub id: AttachmentId,
    /// Whose key seals it.
    pub owner: Uuid,
    /// What it belongs to.
    pub subject: Uuid,
    /// The slot it is for.
    pub slot: String,
    /// The name shown.
    pub file_name: String,
    /// Media type.
    pub media_type: String,
    /// Size in bytes.
    pub size_bytes: u64,
    /// Who uploaded it.
    pub uploaded_by: String,
    /// When.
    pub uploaded_at: Timestamp,
    /// When it was taken out or another took its place; row and content stay.
    pub replaced_at: Option<Timestamp>,
    content_name: String,
}

impl Attachment {
    /// The size as people read it.
    pub fn size(&self) -> String {
        match self.size_bytes {
            small @ 0..1_024 => format!("{small} B"),
            middle @ 1_024..1_048_576 => format!("{} KB", middle.div_ceil(1_024)),
            large => format!("{}.{} MB", large >> 20, ((large & 0xF_FFFF) * 10) >> 20),
        }
    }

    /// Its name on the disk.
    pub fn place(&self) -> String {
        self.content_name.clone()
    }

    /// Whether a browser shows it as a picture.
    pub fn is_picture(&self) -> bool {
        self.media_type.starts_with("image/")
    }
}

/// Checks name, size and content of an upload. `types` are the extensions its slot accepts; empty
/// means all.
///
/// # Errors
/// The field's error: a type that is not accepted, content that is not what the name says, an
/// empty file or one over [`FILE_BYTES`].
pub fn check(upload: &Upload, types: &[String]) -> Result<&'static str, FieldError> {
    let wrong = |rule: &'static str, message: String| FieldError {
        field: upload.field.clone(),
        rule: rule.into(),
        message,
    };
    let name = &upload.file_name;
    let extension = name
        .rsplit_once('.')
        .map(|(_, end)| end.to_ascii_lowercase())
        .unwrap_or_default();
    let known = TYPES.iter().find(|(end, ..)| *end == extension);
    let accepted = known.filter(|_| types.is_empty() || types.contains(&extension));
    let Some((_, media_type, contents)) = accepted else {
        let list = if types.is_empty() {
            "pdf、jpg、png、docx、xlsx、ofd".to_owned()
        } else {
            types.join("、")
        };
        return Err(wrong(
            "file-type",
            format!("「{name}」的类型不能上传，请转换为 {list} 后再上传。"),
        ));
    };
    if upload.bytes.is_empty() {
        return Err(wrong(
            "file-empty",
            format!("「{name}」是空文件，请重新选择。"),
        ));
    }
    if upload.bytes.len() > FILE_BYTES {
        let most = FILE_BYTES >> 20;
        return Err(wrong(
            "file-size",
            format!("「{name}」超过 {most} MB，请压缩或拆分后再上传。"),
        ));
    }
    let found = infer::get(&upload.bytes).map(|kind| kind.mime_type());
    if !found.is_some_and(|found| contents.contains(&found)) {
        let message = format!(
            "「{name}」的内容与扩展名 .{extension} 不符（可能改过名或已损坏），请上传原始文件。"
        );
        return Err(wrong("file-content", message));
    }
    Ok(media_type)
}

/// Checks an upload, seals it under the owner's key and makes it safe on disk. Blocking.
///
/// # Errors
/// Refused as [`check`]; a fault where the disk does not take it.
pub fn keep(
    store: &Store,
    now: Timestamp,
    owner: Uuid,
    slot: &str,
    upload: &Upload,
    types: &[String],
) -> Result<Kept> {
    let media_type = check(upload, types).map_err(|error| Refusal::fields(vec![error]))?;
    // People name a scan by the number on it.
    let name = vocab::mask_numbers(&upload.file_name);
    let name: String = name.chars().take(200).collect();
    keep_made(store, now, owner, slot, (name, media_type), &upload.bytes)
}

/// Seals a file of the program's own making under the owner's key and makes it safe on disk.
/// Blocking.
///
/// # Errors
/// A fault where the disk does not take it, or the owner was erased.
pub fn keep_made(
    store: &Store,
    now: Timestamp,
    owner: Uuid,
    slot: &str,
    (file_name, media_type): (String, &'static str),
    bytes: &[u8],
) -> Result<Kept> {
    let key = store.write_blocking::<DataKey, StoreError, _>(
        Command::new("attachment.key", now),
        move |tx| tx.ensure_key(owner),
    )?;
    let content_name = name_of(store.keys(), owner, bytes);
    let sealed = key.seal(CLASS, bytes, crate::store::random())?;
    write_synced(&path(store, &content_name), &sealed).map_err(disk)?;
    Ok(Kept {
        slot: slot.to_owned(),
        file_name,
        media_type,
        size_bytes: bytes.len() as u64,
        single: false,
        content_name,
        owner,
    })
}

/// The name under which a content lies: a keyed hash of it and of whose it is.
fn name_of(keys: &Keys, owner: Uuid, bytes: &[u8]) -> String {
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    hex(&keys.hash("attachment", &format!("{owner} {}", hex(&digest))))
}

/// The content of a file. Blocking.
///
/// # Errors
/// A fault where the file is missing or damaged, or its owner's key was destroyed.
pub fn read(store: &Store, file: &Attachment) -> Result<Vec<u8>> {
    if file.content_name.is_empty() {
        let message = "这个文件的内容已依法删除，只留有上传记录。";
        return Err(Refusal::not_found(message).into());
    }
    let sealed = fs::read(path(store, &file.content_name)).map_err(disk)?;
    let owner = file.owner;
    let key = store.read_blocking::<DataKey, StoreError, _>(move |q| q.data_key(owner))?;
    Ok(key.open_as(CLASS, &sealed)?)
}

fn path(store: &Store, content_name: &str) -> PathBuf {
    content_path(&store.attachments(), content_name)
}

/// Where a content lies in the folder of attachments.
#[must_use]
pub fn content_path(attachments: &Path, content_name: &str) -> PathBuf {
    let folder = content_name.get(..2).unwrap_or("00");
    attachments.join(folder).join(content_name)
}

/// Whether a name is one that a content may have.
#[must_use]
pub fn is_content_name(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The contents that rows name, those that begin with these two digits: name and whose key seals
/// it, in the order of names.
///
/// # Errors
/// A fault of the store.
pub fn contents(q: &dyn Query, prefix: &str) -> Result<Vec<(String, Uuid)>, StoreError> {
    q.rows(
        "SELECT content_name, owner_id FROM attachment WHERE content_name >= ?1 AND content_name < ?2 \
         GROUP BY content_name, owner_id ORDER BY content_name",
        params![prefix, format!("{prefix}g")],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

/// Written under another name, synced, renamed, and the folder synced: there whole or not at all.
fn write_synced(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    if renew(path)? {
        // Whoever made it may not have come to this yet.
        return sync_folders(folder);
    }
    fs::create_dir_all(folder)?;
    let mut part = path.to_owned();
    part.set_extension(format!("{}.part", crate::store::secret()));
    let written = write_part(&part, bytes).and_then(|()| fs::rename(&part, path));
    if let Err(error) = written {
        // A full disk gets its room back at once; what cannot be removed is left to the sweep.
        let _ = fs::remove_file(&part);
        return Err(error);
    }
    sync_folders(folder)
}

fn write_part(part: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = File::create_new(part)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes a content that is there new again, so that the sweep spares it; says whether it was there.
#[expect(
    clippy::disallowed_methods,
    reason = "the age of a file is a matter of its disk, not of the city's clock"
)]
fn renew(path: &Path) -> std::io::Result<bool> {
    match File::options().append(true).open(path) {
        Ok(file) => {
            file.set_modified(std::time::SystemTime::now())?;
            Ok(path.exists())
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Waits until the entries of a folder, and its own in the one above, are on the disk.
fn sync_folders(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()?;
    folder
        .parent()
        .map_or(Ok(()), |above| File::open(above)?.sync_all())
}

fn disk(error: std::io::Error) -> Error {
    Error::Store(StoreError::Unavailable(format!("attachment: {error}")))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Names a kept file for a subject and gives every row this changed, its own
/// first. The same content in the same slot is named once; in a slot of one file the new one takes
/// the place of the others.
///
/// # Errors
/// Refused where the subject has too many files.
pub fn add(tx: &Tx, by: &str, subject: Subject, kept: &Kept) -> Result<Vec<AttachmentId>> {
    let present = of_subject(tx, subject)?;
    let twin = present
        .iter()
        .find(|f| f.content_name == kept.content_name && f.slot == kept.slot);
    if let Some(twin) = twin {
        return Ok(vec![twin.id]);
    }
    if present.len() >= FILES_PER_SUBJECT {
        let message = format!("最多上传 {FILES_PER_SUBJECT} 个文件，请合并后再上传。");
        return Err(Refusal::field(kept.slot.clone(), "too-many-files", message).into());
    }
    let id = AttachmentId(tx.new_id());
    let (kind, of) = subject.row();
    tx.execute(
        "INSERT INTO attachment (id, owner_id, subject_kind, subject_id, slot, file_name, media_type, \
         size_bytes, content_name, uploaded_by, uploaded_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        params![
            id, kept.owner, kind, of, &kept.slot, &kept.file_name, kept.media_type,
            kept.size_bytes as i64, &kept.content_name, by, tx.now()
        ],
    )?;
    let mut changed = vec![id];
    if kept.single {
        for old in present.iter().filter(|file| file.slot == kept.slot) {
            take_out(tx, subject, old.id)?;
            changed.push(old.id);
        }
    }
    Ok(changed)
}

/// How many more files a thing takes, one that is not there yet too: to be asked before their
/// content is written.
///
/// # Errors
/// A fault of the store.
pub fn room(q: &dyn Query, subject: Option<Subject>) -> Result<usize, StoreError> {
    let Some((kind, id)) = subject.map(Subject::row) else {
        return Ok(FILES_PER_SUBJECT);
    };
    let (present, ever) = q.row(
        "SELECT COUNT(*), COUNT(replaced_at) FROM attachment \
         WHERE subject_id = ?1 AND subject_kind = ?2",
        params![id, kind],
        |row| {
            let (ever, replaced) = (row.get::<u64>(0)?, row.get::<u64>(1)?);
            Ok((ever.saturating_sub(replaced), ever))
        },
    )?;
    let left = |most: usize, used: u64| most.saturating_sub(usize::try_from(used).unwrap_or(most));
    Ok(left(FILES_PER_SUBJECT, present).min(left(EVER_PER_SUBJECT, ever)))
}

/// What to say where there is no room.
#[must_use]
pub fn no_room(field: &str) -> FieldError {
    FieldError {
        field: field.to_owned(),
        rule: "file-count".into(),
        message: format!(
            "最多上传 {FILES_PER_SUBJECT} 个文件（连同换下的不超过 {EVER_PER_SUBJECT} 个），请合并后再上传。"
        ),
    }
}

/// Takes a file out of its subject's list; row and content stay.
///
/// # Errors
/// Refused as not found where the subject has no such file.
pub fn take_out(tx: &Tx, subject: Subject, id: AttachmentId) -> Result<()> {
    let (kind, of) = subject.row();
    let taken = tx.execute(
        "UPDATE attachment SET replaced_at = ?4 \
         WHERE id = ?1 AND subject_id = ?2 AND subject_kind = ?3 AND replaced_at IS NULL",
        params![id, of, kind, tx.now()],
    )?;
    if taken == 1 {
        return Ok(());
    }
    Err(Refusal::not_found("这个文件已经不在材料清单里，请刷新页面。").into())
}

/// The slots of these files, by which the log names them: a file's own name may be a person's.
///
/// # Errors
/// A fault of the store.
pub fn slots_of(q: &dyn Query, ids: &[Uuid]) -> Result<HashMap<Uuid, String>, StoreError> {
    let sql = "SELECT id, slot FROM attachment WHERE id IN (#)";
    let found = q.rows_of(sql, ids, |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(found.into_iter().collect())
}

/// Whether a file is not just the content of another one of these in the same slot once more.
#[must_use]
pub fn is_new<'a>(file: &Attachment, ever: impl IntoIterator<Item = &'a Attachment>) -> bool {
    ever.into_iter().all(|other| {
        other.id == file.id || other.slot != file.slot || other.content_name != file.content_name
    })
}

/// The files of a subject, in the order of upload.
///
/// # Errors
/// A fault of the store.
pub fn of_subject(q: &dyn Query, subject: Subject) -> Result<Vec<Attachment>, StoreError> {
    let mut files = ever_of_subject(q, subject)?;
    files.retain(|file| file.replaced_at.is_none());
    Ok(files)
}

/// The files a subject has or once had, in the order of upload.
///
/// # Errors
/// A fault of the store.
pub fn ever_of_subject(q: &dyn Query, subject: Subject) -> Result<Vec<Attachment>, StoreError> {
    let (kind, id) = subject.row();
    let sql = format!(
        "SELECT {COLUMNS} FROM attachment \
         WHERE subject_id = ?1 AND subject_kind = ?2 ORDER BY uploaded_at, id"
    );
    q.rows(&sql, params![id, kind], read_row)
}

const COLUMNS: &str = "id, owner_id, subject_id, slot, file_name, media_type, size_bytes, \
     uploaded_by, uploaded_at, content_name, replaced_at";

fn read_row(row: &Row<'_>) -> Result<Attachment, StoreError> {
    Ok(Attachment {
        id: row.get(0)?,
        owner: row.get(1)?,
        subject: row.get(2)?,
        slot: row.get(3)?,
        file_name: row.get(4)?,
        media_type: row.get(5)?,
        size_bytes: row.get(6)?,
        uploaded_by: row.get(7)?,
        uploaded_at: row.get(8)?,
        content_name: row.get(9)?,
        replaced_at: row.get(10)?,
    })
}

/// Ends the files of a subject for good: no row names their contents any more, so that these are
/// removed from the disk. Gives the rows it changed.
///
/// # Errors
/// A fault of the store.
pub fn let_go(tx: &Tx, subject: Subject) -> Result<Vec<AttachmentId>> {
    let files = of_subject(tx, subject)?;
    for file in &files {
        take_out(tx, subject, file.id)?;
        let sql = "UPDATE attachment SET content_name = '' WHERE id = ?1";
        tx.execute(sql, params![file.id])?;
    }
    Ok(files.into_iter().map(|file| file.id).collect())
}

/// Hands the files of a subject over to another, e.g. from a draft to its case. What was taken out
/// before stays where it was, and is nobody else's business.
///
/// # Errors
/// A fault of the store.
pub fn hand_over(tx: &Tx, from: Subject, to: Subject) -> Result<(), StoreError> {
    let ((kind, id), (new_kind, new_id)) = (from.row(), to.row());
    tx.execute(
        "UPDATE attachment SET subject_id = ?3, subject_kind = ?4 \
         WHERE subject_id = ?1 AND subject_kind = ?2 AND replaced_at IS NULL",
        params![id, kind, new_id, new_kind],
    )?;
    Ok(())
}

/// Moves the files that wait at `from` to `to` and gives every row this changed; in a slot of one
/// file, as `single` says, they take the place of what is there.
///
/// # Errors
/// A fault of the store.
pub fn replace_with(
    tx: &Tx,
    from: Subject,
    to: Subject,
    single: &dyn Fn(&str) -> bool,
) -> Result<Vec<AttachmentId>> {
    let present = of_subject(tx, to)?;
    let coming = of_subject(tx, from)?;
    let mut changed = Vec::new();
    for file in &coming {
        for old in present.iter().filter(|old| old.slot == file.slot) {
            if single(&file.slot) && !changed.contains(&old.id) {
                take_out(tx, to, old.id)?;
                changed.push(old.id);
            }
        }
        changed.push(file.id);
    }
    hand_over(tx, from, to)?;
    Ok(changed)
}

/// Refuses where a required slot (name of the field, name shown) of a draft has no file.
///
/// # Errors
/// Refused with a field error for each missing paper.
pub fn require_slots(tx: &Tx, draft: Option<DraftId>, slots: &[(String, String)]) -> Result<()> {
    match draft {
        Some(draft) => require_slots_of(tx, Subject::Draft(draft), slots),
        None => require(&[], slots),
    }
}

/// As [`require_slots`], for any subject.
///
/// # Errors
/// Refused with a field error for each missing paper.
pub fn require_slots_of(q: &dyn Query, subject: Subject, slots: &[(String, String)]) -> Result<()> {
    require(&of_subject(q, subject)?, slots)
}

fn require(present: &[Attachment], slots: &[(String, String)]) -> Result<()> {
    let missing: Vec<FieldError> = slots
        .iter()
        .filter(|(slot, _)| !present.iter().any(|file| file.slot == *slot))
        .map(|(slot, name)| FieldError {
            field: slot.clone(),
            rule: "required".into(),
            message: format!("缺少材料「{name}」，请上传后再提交。"),
        })
        .collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(Refusal::fields(missing).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upload(name: &str, bytes: &'static [u8]) -> Upload {
        Upload {
            field: "paper".into(),
            file_name: name.into(),
            bytes: bytes.into(),
        }
    }

    #[track_caller]
    fn refused(name: &str, bytes: &'static [u8], types: &[&str], rule: &str) {
        let types: Vec<String> = types.iter().map(|end| (*end).to_owned()).collect();
        let error = check(&upload(name, bytes), &types).unwrap_err();
        assert_eq!((error.field.as_str(), error.rule.as_ref()), ("paper", rule));
        assert!(error.message.contains(name));
    }

    const ZIP: &[u8] = b"PK\x03\x04\x14\0\0\0\0\0";

    #[test]
    fn content_must_be_what_the_name_says() {
        assert_eq!(
            check(&upload("a.PDF", b"%PDF-1.7\n"), &[]).unwrap(),
            "application/pdf"
        );
        refused("a.pdf", ZIP, &[], "file-content");
        refused("a.pdf", b"<html></html>", &[], "file-content");
        refused("a.svg", b"<svg/>", &[], "file-type");
        refused("a", b"%PDF-1.7\n", &[], "file-type");
        refused("a.pdf", b"", &[], "file-empty");
        refused("a.pdf", b"%PDF-1.7\n", &["png"], "file-type");
    }

    #[test]
    fn a_file_over_the_limit_is_refused() {
        let mut bytes = b"%PDF-1.7\n".to_vec();
        bytes.resize(FILE_BYTES, b' ');
        let file = |bytes: Vec<u8>| Upload {
            bytes: bytes.into(),
            ..upload("a.pdf", b"")
        };
        assert!(check(&file(bytes.clone()), &[]).is_ok());
        bytes.push(b' ');
        assert_eq!(check(&file(bytes), &[]).unwrap_err().rule, "file-size");
    }
}
