//! What this domain holds of a party: the files sealed under its key.

use uuid::Uuid;

use super::{Attachment, COLUMNS, read_row};
use crate::dossier::Fate::{NoText, Replaced, Written};
use crate::dossier::Kind::{Count, Id, Moment, Text};
use crate::dossier::{Erased, Source, column, erase_all, inner, stays};
use crate::ids::PartyId;
use crate::params;
use crate::refusal::Result;
use crate::store::{Query, StoreError, Tx};

/// The table of files.
pub const SOURCES: &[Source] = &[Source {
    table: "attachment",
    title: "材料",
    rows: "t.owner_id = ?1",
    key: &["id"],
    bound: true,
    columns: &[
        stays("id", "材料", Id),
        stays("owner_id", "主体", Id),
        stays("subject_kind", "所属类别", Text),
        stays("subject_id", "所属记录", Id),
        stays("slot", "材料名目", Text),
        column("file_name", "文件名", Text, Replaced),
        stays("media_type", "文件类型", Text),
        stays("size_bytes", "大小（字节）", Count),
        inner("content_name", NoText),
        column("uploaded_by", "上传人", Text, Written),
        stays("uploaded_at", "上传时间", Moment),
        stays("replaced_at", "换下时间", Moment),
    ],
}];

/// The files of a party that have a content, copies of its data made for it left out.
///
/// # Errors
/// A fault of the store.
pub fn of_owner(q: &dyn Query, party: PartyId) -> Result<Vec<Attachment>, StoreError> {
    owned(q, party, "subject_kind <> 'data_export'")
}

/// Every file of a party that has a content.
///
/// # Errors
/// A fault of the store.
pub fn with_contents(q: &dyn Query, party: PartyId) -> Result<Vec<Attachment>, StoreError> {
    owned(q, party, "1 = 1")
}

fn owned(q: &dyn Query, party: PartyId, which: &str) -> Result<Vec<Attachment>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM attachment WHERE owner_id = ?1 AND content_name <> '' AND {which} \
         ORDER BY uploaded_at, id"
    );
    q.rows(&sql, params![party], read_row)
}

/// Takes the names of a party's files away: contents that no row names are removed from the disk.
///
/// # Errors
/// A fault of the store.
pub fn erase(tx: &Tx<'_>, of: &Erased) -> Result<Vec<(&'static str, Uuid)>> {
    erase_all(tx, of, SOURCES)
}
