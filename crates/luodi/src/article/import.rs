//! The import of a whole file: read and checked before the first row is written, then written in
//! chunks. The same file again changes nothing; an import that was cut off is finished by the next.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::Serialize;
use vocab::RegionCode;

use super::commands::{ImportedText, Text, import_chunk};
use super::source::{Block, LineError, parse_source};
use super::{Category, queries};
use crate::access::Actor;
use crate::refusal::Result;
use crate::store::{Command, Store};

/// Blocks written in one transaction.
const CHUNK: usize = 500;

/// What an import did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether the file was good and is in.
    pub ok: bool,
    /// How many of what.
    pub counts: Counts,
    /// The faults of the file; where there is one, nothing was written.
    pub errors: Vec<LineError>,
    /// Lines of the foot, which are no article and were not taken in.
    pub foot_lines: u64,
}

/// The figures of an import.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Articles in the file.
    pub blocks: u64,
    /// New ones.
    pub created: u64,
    /// Those that were there before.
    pub unchanged: u64,
}

/// Imports a file in the source's layout. Blocks the thread: call it outside of asynchronous code.
///
/// # Errors
/// Refuses actors who may not write for the whole city. Faults of the file are in the report.
pub fn import(
    store: &Store,
    actor: &Actor,
    home: RegionCode,
    now: Timestamp,
    bytes: &[u8],
) -> Result<Report> {
    let blocks = match parse_source(bytes, home) {
        Ok(blocks) => blocks,
        Err(errors) => {
            return Ok(Report {
                ok: false,
                counts: Counts::default(),
                errors,
                foot_lines: 0,
            });
        }
    };
    let mut seen: HashMap<String, u32> = HashMap::new();
    let mut created = 0;
    let mut position = store.read_blocking(|q| queries::last_position(q))?;
    for chunk in blocks.chunks(CHUNK) {
        let texts: Vec<ImportedText> = chunk
            .iter()
            .map(|block| {
                position += 1;
                imported(block, &mut seen, position)
            })
            .collect();
        let actor = actor.clone();
        let command = Command::new("article.import", now);
        created += store.write_blocking(command, move |tx| import_chunk(tx, &actor, &texts))?;
    }
    let foot_lines = foot_lines(bytes, &blocks);
    let blocks = blocks.len() as u64;
    let counts = Counts {
        blocks,
        created,
        unchanged: blocks - created,
    };
    Ok(Report {
        ok: true,
        counts,
        errors: Vec::new(),
        foot_lines,
    })
}

/// How many lines that are not blank stand behind the last block.
fn foot_lines(bytes: &[u8], blocks: &[Block<'_>]) -> u64 {
    let start = blocks.last().map_or(0, |last| {
        let raw = last.raw.as_ptr_range().end as usize;
        raw.saturating_sub(bytes.as_ptr() as usize)
    });
    let foot = bytes.get(start..).unwrap_or_default();
    let lines = foot.split(|byte| *byte == b'\n');
    lines.filter(|line| !line.trim_ascii().is_empty()).count() as u64
}

fn imported(block: &Block<'_>, seen: &mut HashMap<String, u32>, position: i64) -> ImportedText {
    let plain = ImportedText::digest(block, 0);
    let repetition = seen
        .entry(plain.clone())
        .and_modify(|count| *count += 1)
        .or_insert(0);
    let digest = if *repetition == 0 {
        plain
    } else {
        ImportedText::digest(block, *repetition)
    };
    let text = Text {
        title: block.title.to_owned(),
        tag: block.tag.map(str::to_owned),
        region: block.region,
        category: Category::News,
        published_on: block.date,
        body: block.body.to_owned(),
    };
    ImportedText {
        text,
        raw: block.raw.to_vec(),
        digest,
        position,
    }
}
