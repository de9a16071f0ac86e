//! The copy of a party's data as a file: every row as JSON, a page to read, and the papers.
//!
//! It lacks the rows themselves, which the domains give, and who may have the file.

use std::io::{Seek, Write};

use askama::Template;
use serde_json::{Value, json};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::words::Words;
use crate::attachment::{self, Attachment};
use crate::dossier::Part;
use crate::refusal::Result;
use crate::store::{Store, StoreError};

/// Whose copy it is, and of when.
pub(super) struct Cover {
    /// Name of the party.
    pub(super) name: String,
    /// The city that made it.
    pub(super) city: String,
    /// When, for people.
    pub(super) made_at: String,
}

#[derive(Template)]
#[template(path = "personal/archive.html")]
struct Summary<'a> {
    cover: &'a Cover,
    parts: Vec<Shown<'a>>,
    files: Vec<String>,
}

/// A table as the page shows it.
struct Shown<'a> {
    title: &'a str,
    rows: Vec<Vec<(&'a str, String)>>,
}

/// Writes the copy. Papers are read one by one.
///
/// # Errors
/// A fault of the store or of the disk.
pub(super) fn write<W: Write + Seek>(
    out: W,
    store: &Store,
    cover: &Cover,
    (parts, words): (&[Part], &Words),
    papers: &[Attachment],
) -> Result<W> {
    let mut zip = ZipWriter::new(out);
    let options = SimpleFileOptions::default();
    let names: Vec<String> = papers.iter().map(paper_name).collect();
    let data = serde_json::to_vec_pretty(&document(cover, parts)).unwrap_or_default();
    let read = parts.iter().filter(|part| Words::shows(part));
    let page = Summary {
        cover,
        parts: read.map(|part| shown(part, words)).collect(),
        files: names.clone(),
    };
    let page = page
        .render()
        .map_err(|error| StoreError::Value(error.to_string()))?;
    let mut add = |name: &str, bytes: &[u8]| -> Result<()> {
        zip.start_file(name, options).map_err(broken)?;
        zip.write_all(bytes).map_err(unwritten)?;
        Ok(())
    };
    add("index.html", page.as_bytes())?;
    add("data.json", &data)?;
    for (paper, name) in papers.iter().zip(&names) {
        add(name, &attachment::read(store, paper)?)?;
    }
    Ok(zip.finish().map_err(broken)?)
}

fn broken(error: zip::result::ZipError) -> StoreError {
    StoreError::Unavailable(format!("copy of data: {error}"))
}

fn unwritten(error: std::io::Error) -> StoreError {
    StoreError::Unavailable(format!("copy of data: {error}"))
}

/// A name for a paper that no other has and that leads nowhere else when it is unpacked.
fn paper_name(paper: &Attachment) -> String {
    let tame = |c: char| {
        if c.is_control() || "/\\:*?\"<>|".contains(c) {
            '_'
        } else {
            c
        }
    };
    let name: String = paper.file_name.chars().map(tame).collect();
    format!(
        "files/{}-{}-{name}",
        paper.slot.replace(['/', '\\'], "_"),
        paper.id
    )
}

/// Everything for programs: each table with its columns' names and its rows.
fn document(cover: &Cover, parts: &[Part]) -> Value {
    let tables: Vec<Value> = parts
        .iter()
        .map(|part| {
            let fields: serde_json::Map<String, Value> = part
                .columns
                .iter()
                .map(|column| (column.name.to_owned(), json!(column.zh)))
                .collect();
            json!({ "table": part.table, "名称": part.title, "字段": fields, "记录": &part.rows })
        })
        .collect();
    json!({ "主体": &cover.name, "出具": &cover.city, "时间": &cover.made_at, "数据": tables })
}

fn shown<'a>(part: &'a Part, words: &Words) -> Shown<'a> {
    let row = |row: &serde_json::Map<String, Value>| {
        let cells = part.columns.iter().filter_map(|column| {
            let value = row.get(column.name)?;
            Some((column.zh, words.of(part.table, column, value)?))
        });
        cells.collect()
    };
    Shown {
        title: part.title,
        rows: part.rows.iter().map(row).collect(),
    }
}
