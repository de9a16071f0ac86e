//! Restoring a backup into an empty place.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use serde::Serialize;

use super::check::{Checked, Piece, damaged};
use super::{Fault, LEFT_OUT, Manifest, lines};
use crate::attachment;
use crate::store::{KeysBeside, LogBeside, Options, Restoring, Table};

/// Rows put back at once.
const ROWS: usize = 500;

/// A city that was restored.
#[derive(Clone, Debug, Serialize)]
pub struct Restored {
    /// What the backup says of itself.
    pub manifest: Manifest,
    /// Whether the keys that sealed its personal data are beside it.
    pub keys: KeysBeside,
    /// What the keys remembered of the log, and remember now.
    pub log: LogBeside,
}

/// Checks a backup whole, then writes it into an empty folder or database.
///
/// # Errors
/// [`Fault::Foreign`], [`Fault::Newer`] and [`Fault::Damaged`] before anything was written;
/// [`NotEmpty`](crate::store::StoreError::NotEmpty) where something is there; else what disk or engine report, and then the
/// place can only be emptied.
pub fn restore(file: &Path, dir: &Path, options: &Options) -> Result<Restored, Fault> {
    let mut backup = Checked::open(file)?;
    let manifest = backup.manifest.clone();
    let place = Restoring::begin(dir, options, &manifest.migrations)?;
    let said = manifest.tables.iter().map(|sum| &sum.table);
    let there = place.tables().iter();
    if !said.eq(there.filter(|table| !LEFT_OUT.contains(&table.name.as_str()))) {
        return Err(backup.damaged("schema", "表的结构与它的迁移不符".into()));
    }
    fill(&mut backup, &place)?;
    let (keys, log) = place.finish()?;
    Ok(Restored {
        manifest,
        keys,
        log,
    })
}

/// Puts everything back. The tables stand in the file in an order in which each comes after those
/// it refers to.
fn fill(backup: &mut Checked, place: &Restoring) -> Result<(), Fault> {
    let (file, folder) = (backup.name().to_owned(), place.attachments());
    let mut folders = BTreeSet::new();
    backup.walk(&mut |piece| match piece {
        Piece::Lines(name, bytes) => {
            let table = place.tables().iter().find(|table| table.name == name);
            table.map_or(Ok(()), |table| put_rows(&file, place, table, bytes))
        }
        Piece::Content(name, _, content) => {
            if !attachment::is_content_name(name) {
                let why = format!("「{name}」不是附件的名称");
                return Err(damaged(&file, "content-name", why));
            }
            let path = attachment::content_path(&folder, name);
            folders.extend(path.parent().map(Path::to_owned));
            put_content(&path, content).map_err(|error| Fault::file(&path, &error))
        }
        Piece::List(_) => Ok(()),
    })?;
    folders.insert(folder);
    for folder in folders {
        let synced = File::open(&folder).and_then(|it| it.sync_all());
        synced.map_err(|error| Fault::file(&folder, &error))?;
    }
    Ok(())
}

fn put_rows(file: &str, place: &Restoring, table: &Table, bytes: &[u8]) -> Result<(), Fault> {
    let mut rows = Vec::with_capacity(ROWS);
    for line in bytes
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
    {
        let row = lines::read(line, table).ok_or_else(|| {
            let why = format!("表 {} 中有一行不能识别", table.name);
            damaged(file, "row", why)
        })?;
        rows.push(row);
        if rows.len() == ROWS {
            place.insert(table, &rows)?;
            rows.clear();
        }
    }
    Ok(place.insert(table, &rows)?)
}

fn put_content(path: &Path, content: &mut dyn Read) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    std::io::copy(content, &mut file)?;
    file.sync_all()
}
