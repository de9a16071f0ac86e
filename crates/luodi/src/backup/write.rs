//! Writing a backup while the city works on.

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::archive::{FORM, Writer};
use super::manifest::hex;
use super::{Contents, Fault, LEFT_OUT, Manifest, TableSum, lines};
use crate::store::{Query, Reading, Snapshot, StoreError, Table};
use crate::{attachment, city};

/// Bytes of lines in one part of a table.
const PART: usize = 4 << 20;
/// Contents listed together.
const LISTED: usize = 1_000;
/// Missing contents that are named.
const NAMED: usize = 1_000;

type Archive = Writer<BufWriter<File>>;

/// A backup that was written.
#[derive(Clone, Debug, Serialize)]
pub struct Written {
    /// The file.
    pub file: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// The hash in its last entry.
    pub sha256: String,
    /// What it says of itself.
    pub manifest: Manifest,
}

/// Writes one moment of a store into a file, which is there whole or not at all.
///
/// Commands go on meanwhile. Contents of attachments stay where they are until the end.
///
/// # Errors
/// [`Fault::File`] where the disk does not take it or the file exists; the store's own.
pub fn write(store: &Reading, file: &Path, now: Timestamp) -> Result<Written, Fault> {
    if file.exists() {
        let why = format!("{} 已经存在，不会覆盖，请换一个文件名", file.display());
        return Err(Fault::File(why));
    }
    let part = part_of(file);
    let written = write_part(store, file, &part, now);
    if written.is_err() {
        // What is not whole is nobody's; where it cannot be removed its name says so.
        let _ = fs::remove_file(&part);
    }
    written
}

fn part_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

fn write_part(store: &Reading, file: &Path, part: &Path, now: Timestamp) -> Result<Written, Fault> {
    let disk = |error: std::io::Error| Fault::file(part, &error);
    let _pin = store.pin()?;
    let out = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(part)
        .map_err(disk)?;
    let mut archive = Writer::begin(BufWriter::with_capacity(1 << 20, out)).map_err(disk)?;
    let manifest = store.read(|q| contents_of(store, q, &mut archive, part, now))?;
    let (sha256, out) = archive.finish().map_err(disk)?;
    let out = out.into_inner().map_err(|error| disk(error.into_error()))?;
    out.sync_all().map_err(disk)?;
    let bytes = out.metadata().map_err(disk)?.len();
    fs::rename(part, file).map_err(disk)?;
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = File::open(folder.unwrap_or(Path::new(".")));
    folder.and_then(|it| it.sync_all()).map_err(disk)?;
    Ok(Written {
        file: file.to_owned(),
        bytes,
        sha256,
        manifest,
    })
}

fn contents_of(
    store: &Reading,
    q: &Snapshot<'_>,
    archive: &mut Archive,
    part: &Path,
    now: Timestamp,
) -> Result<Manifest, Fault> {
    let mut sums = Vec::new();
    let foreign = store.foreign_tables(q)?;
    for table in q.tables()? {
        // One that no migration made could not be put back.
        if !foreign.contains(&table.name) && !LEFT_OUT.contains(&table.name.as_str()) {
            sums.push(add_table(q, table, archive, part)?);
        }
    }
    let mut manifest = Manifest {
        format: format!("luodi-backup/{FORM}"),
        made_at: now,
        city: city::find(&**q)?.map(|city| city.name),
        migrations: store.migrations().to_vec(),
        left_out: LEFT_OUT.iter().map(|&name| name.to_owned()).collect(),
        tables: sums,
        contents: add_contents(&**q, &store.attachments(), archive, part)?,
        root: String::new(),
    };
    manifest.root = manifest.root_of();
    let text = serde_json::to_vec_pretty(&manifest)
        .map_err(|error| StoreError::Value(error.to_string()))?;
    let added = archive.add("manifest.json", &text);
    added.map_err(|error| Fault::file(part, &error))?;
    Ok(manifest)
}

/// Writes the rows of a table in parts.
fn add_table(
    q: &Snapshot<'_>,
    table: Table,
    archive: &mut Archive,
    part: &Path,
) -> Result<TableSum, Fault> {
    let (mut hash, mut number, mut waiting) = (Sha256::new(), 0_u32, Vec::new());
    let mut broken: Option<std::io::Error> = None;
    let mut add_part = |bytes: &mut Vec<u8>| {
        number += 1;
        let name = format!("tables/{}/{number:06}.jsonl.gz", table.name);
        hash.update(&bytes);
        let added = packed(bytes).and_then(|packed| archive.add(&name, &packed));
        bytes.clear();
        added
    };
    let read = table.each_row(&**q, &mut |row| {
        lines::write(row, &mut waiting)?;
        if waiting.len() < PART {
            return Ok(());
        }
        add_part(&mut waiting).map_err(|error| {
            let told = StoreError::Unavailable(error.to_string());
            broken = Some(error);
            told
        })
    });
    let rows = match (read, broken) {
        (_, Some(error)) => return Err(Fault::file(part, &error)),
        (read, None) => read?,
    };
    if !waiting.is_empty() {
        add_part(&mut waiting).map_err(|error| Fault::file(part, &error))?;
    }
    let sha256 = hex(&hash.finalize());
    Ok(TableSum {
        table,
        rows,
        sha256,
    })
}

fn packed(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// The line that lists a content.
pub(super) fn listed(name: &str, size: u64, sha256: &str) -> String {
    format!("[\"{name}\",{size},\"{sha256}\"]\n")
}

/// Writes the contents of all attachments that rows name, a list after each thousand.
fn add_contents(
    q: &dyn Query,
    folder: &Path,
    archive: &mut Archive,
    part: &Path,
) -> Result<Contents, Fault> {
    let disk = |error: std::io::Error| Fault::file(part, &error);
    let (mut sums, mut hash) = (Contents::default(), Sha256::new());
    let (mut group, mut list) = (1_u32, String::new());
    let mut in_group = 0;
    for prefix in 0..=u8::MAX {
        for (name, owner) in attachment::contents(q, &format!("{prefix:02x}"))? {
            let path = attachment::content_path(folder, &name);
            let mut content = match File::open(&path) {
                Ok(content) => content,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    note_missing(q, &mut sums, name, owner)?;
                    continue;
                }
                Err(error) => return Err(Fault::file(&path, &error)),
            };
            let size = content
                .metadata()
                .map_err(|e| Fault::file(&path, &e))?
                .len();
            let entry = format!("contents/{group:06}/{name}");
            let sha256 = archive.copy(&entry, size, &mut content).map_err(disk)?;
            list.push_str(&listed(&name, size, &sha256));
            (sums.count, sums.bytes) = (sums.count + 1, sums.bytes + size);
            in_group += 1;
            if in_group == LISTED {
                add_list(archive, group, &mut list, &mut hash).map_err(disk)?;
                (group, in_group) = (group + 1, 0);
            }
        }
    }
    if in_group > 0 {
        add_list(archive, group, &mut list, &mut hash).map_err(disk)?;
    }
    sums.sha256 = hex(&hash.finalize());
    Ok(sums)
}

fn add_list(
    archive: &mut Archive,
    group: u32,
    list: &mut String,
    hash: &mut Sha256,
) -> std::io::Result<()> {
    hash.update(list.as_bytes());
    archive.add(&format!("contents/{group:06}.jsonl"), list.as_bytes())?;
    list.clear();
    Ok(())
}

/// A content the disk has not is a finding, unless its owner's key was destroyed.
fn note_missing(
    q: &dyn Query,
    sums: &mut Contents,
    name: String,
    owner: Uuid,
) -> Result<(), StoreError> {
    match q.data_key(owner) {
        Err(StoreError::KeyDestroyed(_)) => {}
        _ if sums.missing.len() < NAMED => sums.missing.push(name),
        _ => {}
    }
    Ok(())
}
