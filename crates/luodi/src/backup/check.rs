//! Reading a backup: every byte is checked before anything is written, and each piece is shown in
//! the order of the file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};

use super::archive::{Digesting, FORM, Kind, inspect};
use super::manifest::hex;
use super::write::listed;
use super::{Contents, Fault, Manifest};

/// The most bytes of a part of a table, a list or the manifest, unpacked: a part ends with the line
/// that makes it 4 MiB long, and a line holds one row, the largest of them a package of 4 MiB. What
/// is longer is cut here, and not what the manifest says.
const PIECE: u64 = 64 << 20;

/// A piece of a backup.
pub(super) enum Piece<'a> {
    /// Lines of a table.
    Lines(&'a str, &'a [u8]),
    /// A content, to be read to its end.
    Content(&'a str, u64, &'a mut dyn Read),
    /// The lines that list the contents before it.
    List(&'a str),
}

/// A backup of which every byte is as it was written.
pub(super) struct Checked {
    file: File,
    name: String,
    /// What it says of itself.
    pub(super) manifest: Manifest,
}

impl Checked {
    /// Opens a backup and checks it whole.
    ///
    /// # Errors
    /// [`Fault::Foreign`], [`Fault::Newer`], [`Fault::Damaged`]; [`Fault::File`] where it cannot be
    /// read.
    pub(super) fn open(path: &Path) -> Result<Self, Fault> {
        let name = path.display().to_string();
        let disk = |error: std::io::Error| Fault::file(path, &error);
        let mut file = File::open(path).map_err(disk)?;
        match inspect(&mut file).map_err(disk)? {
            Kind::Foreign => return Err(Fault::Foreign(name)),
            Kind::Newer => return Err(Fault::Newer(name)),
            Kind::Damaged => {
                return Err(Fault::Damaged {
                    file: name,
                    rule: "file-sha256",
                    why: "内容与文件末尾的校验值不符".into(),
                });
            }
            Kind::Whole => {}
        }
        let mut sums = Sums::default();
        let manifest = walk(&mut file, &name, &mut |piece| sums.add(piece))?;
        let found = manifest.and_then(|text| serde_json::from_slice::<Manifest>(&text).ok());
        let manifest = found.ok_or_else(|| damaged(&name, "manifest", "没有可读的清单".into()))?;
        sums.compare(&manifest)
            .map_err(|(rule, why)| damaged(&name, rule, why))?;
        Ok(Self {
            file,
            name,
            manifest,
        })
    }

    /// Shows every piece, in the order of the file.
    ///
    /// # Errors
    /// What `visit` gives; [`Fault::File`] where the file cannot be read any more.
    pub(super) fn walk(
        &mut self,
        visit: &mut dyn FnMut(Piece<'_>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        walk(&mut self.file, &self.name, visit).map(drop)
    }

    /// What the file is called.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The fault of a piece that does not fit.
    pub(super) fn damaged(&self, rule: &'static str, why: String) -> Fault {
        damaged(&self.name, rule, why)
    }
}

/// The fault of a piece that does not fit.
pub(super) fn damaged(file: &str, rule: &'static str, why: String) -> Fault {
    Fault::Damaged {
        file: file.to_owned(),
        rule,
        why,
    }
}

/// Goes through the entries; gives the text of the manifest, what the backup says of itself.
fn walk(
    file: &mut File,
    name: &str,
    visit: &mut dyn FnMut(Piece<'_>) -> Result<(), Fault>,
) -> Result<Option<Vec<u8>>, Fault> {
    let disk = |error: std::io::Error| Fault::File(format!("{name}：{error}"));
    file.seek(SeekFrom::Start(0)).map_err(disk)?;
    let mut archive = tar::Archive::new(BufReader::with_capacity(1 << 20, file));
    let mut manifest = None;
    for entry in archive.entries().map_err(disk)? {
        let mut entry = entry.map_err(disk)?;
        let entry_name = entry.path().map_err(disk)?.display().to_string();
        let parts: Vec<&str> = entry_name.split('/').collect();
        match parts.as_slice() {
            ["tables", table, _] => {
                let mut lines = Vec::new();
                let mut unpacked = GzDecoder::new(&mut entry).take(PIECE);
                unpacked.read_to_end(&mut lines).map_err(disk)?;
                visit(Piece::Lines(table, &lines))?;
            }
            ["contents", _, content] => {
                let size = entry.size();
                visit(Piece::Content(content, size, &mut entry))?;
            }
            ["contents", _] => {
                let mut list = String::new();
                entry.take(PIECE).read_to_string(&mut list).map_err(disk)?;
                visit(Piece::List(&list))?;
            }
            ["manifest.json"] => {
                let mut text = Vec::new();
                entry.take(PIECE).read_to_end(&mut text).map_err(disk)?;
                manifest = Some(text);
            }
            _ => {}
        }
    }
    Ok(manifest)
}

/// What is found in a backup, to be compared with what it says.
#[derive(Default)]
struct Sums {
    tables: BTreeMap<String, (u64, Sha256)>,
    contents: Contents,
    lists: Sha256,
    /// Lines of the contents since the last list, as they are.
    open: String,
    /// The first list that is not of the contents before it.
    wrong: Option<String>,
}

impl Sums {
    fn add(&mut self, piece: Piece<'_>) -> Result<(), Fault> {
        match piece {
            Piece::Lines(table, lines) => {
                let (rows, hash) = self.tables.entry(table.to_owned()).or_default();
                *rows += lines.iter().filter(|byte| **byte == b'\n').count() as u64;
                hash.update(lines);
            }
            Piece::Content(name, size, content) => {
                let mut content = Digesting::new(content);
                std::io::copy(&mut content, &mut std::io::sink())
                    .map_err(|error| Fault::File(format!("{name}：{error}")))?;
                self.open.push_str(&listed(name, size, &content.sum()));
                self.contents.count += 1;
                self.contents.bytes += size;
            }
            Piece::List(list) => {
                if *list != self.open {
                    self.wrong.get_or_insert_with(|| list.to_owned());
                }
                self.lists.update(list.as_bytes());
                self.open.clear();
            }
        }
        Ok(())
    }

    fn compare(mut self, said: &Manifest) -> Result<(), (&'static str, String)> {
        if said.format != format!("luodi-backup/{FORM}") || said.root != said.root_of() {
            return Err(("manifest-root", "清单与其自身的根校验值不符".into()));
        }
        for sum in &said.tables {
            let name = &sum.table.name;
            let (rows, hash) = self.tables.remove(name).unwrap_or_default();
            if (rows, hex(&hash.finalize())) != (sum.rows, sum.sha256.clone()) {
                return Err(("table-sha256", format!("表 {name} 的内容与清单不符")));
            }
        }
        if let Some(name) = self.tables.keys().next() {
            return Err(("table-unknown", format!("表 {name} 不在清单里")));
        }
        self.contents.sha256 = hex(&self.lists.finalize());
        self.contents.missing.clone_from(&said.contents.missing);
        if self.wrong.is_some() || !self.open.is_empty() || self.contents != said.contents {
            return Err(("content-sha256", "附件内容与清单不符".into()));
        }
        Ok(())
    }
}
