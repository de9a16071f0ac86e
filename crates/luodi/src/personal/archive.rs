//! The copy of a party's data as a file: every row as JSON, a page to read, and the papers.
//!
//! It lacks the rows themselves, which the domains give, and who may have the file.

use std::io::{Seek, Write};

use askama::Template;
use serde_json::{Value, json};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

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
    parts: &[Part],
    papers: &[Attachment],
) -> Result<W> {
    let mut zip = ZipWriter::new(out);
    let options = SimpleFileOptions::default();
    let names: Vec<String> = papers.iter().map(paper_name).collect();
    let data = serde_json::to_vec_pretty(&document(cover, parts)).unwrap_or_default();
    let page = Summary {
        cover,
        parts: parts.iter().map(shown).collect(),
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
                .map(|(name, zh)| ((*name).to_owned(), json!(zh)))
                .collect();
            json!({ "table": part.table, "名称": part.title, "字段": fields, "记录": &part.rows })
        })
        .collect();
    json!({ "主体": &cover.name, "出具": &cover.city, "时间": &cover.made_at, "数据": tables })
}

fn shown(part: &Part) -> Shown<'_> {
    let row = |row: &serde_json::Map<String, Value>| {
        let cells = part.columns.iter().filter_map(|(name, zh)| {
            let value = row.get(*name)?;
            Some((*zh, text(value)))
        });
        cells.collect()
    };
    Shown {
        title: part.title,
        rows: part.rows.iter().map(row).collect(),
    }
}

/// A value for people: what is inside a document, one line each.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Object(map) => match (map.get("名称"), map.get("值")) {
            (Some(Value::String(name)), Some(value)) if map.len() == 2 => {
                format!("{name}：{}", text(value))
            }
            _ => lines(map.iter().map(|(key, value)| match value {
                Value::Object(inner) if inner.contains_key("名称") => text(value),
                _ => format!("{key}：{}", text(value)),
            })),
        },
        Value::Array(items) => lines(items.iter().map(text)),
        other => other.to_string(),
    }
}

fn lines(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join("\n")
}
