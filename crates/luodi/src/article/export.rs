//! Articles as files: the imported blocks byte for byte, or all published articles as JSON or
//! Markdown. Written as they are read, so that memory does not grow with their number.

use std::io::{self, Write};
use std::str::FromStr;

use jiff::civil::Date;
use serde::Serialize;
use vocab::RegionCode;

use super::reading::Part;
use super::{queries, reading, tag};
use crate::store::{Query, StoreError};

/// What an export looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The imported blocks in the order of import, each with its own bytes, also of those that
    /// were edited or withdrawn since. A block that ended without a new line gets one if another
    /// follows.
    Source,
    /// `[{title, tag, region, date, body}]` of the published articles, newest first: the title
    /// without its tag, the tag without brackets or null, the region code or null.
    Json,
    /// The published articles, newest first, with their headings.
    Markdown,
}

impl FromStr for Format {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "source" => Ok(Self::Source),
            "json" => Ok(Self::Json),
            "markdown" => Ok(Self::Markdown),
            _ => Err("格式应为 source、json 或 markdown"),
        }
    }
}

/// Why an export did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file could not be written.
    #[error("the export cannot be written: {0}")]
    Write(#[from] io::Error),
}

/// Writes an export as of a day and says how many articles are in it.
///
/// # Errors
/// What the store or the file reports.
pub fn export(
    q: &dyn Query,
    format: Format,
    today: Date,
    out: &mut dyn Write,
) -> Result<u64, ExportError> {
    match format {
        Format::Source => source(q, out),
        Format::Json => json(q, today, out),
        Format::Markdown => markdown(q, today, out),
    }
}

fn source(q: &dyn Query, out: &mut dyn Write) -> Result<u64, ExportError> {
    let ids = queries::imported(q)?;
    let mut ended = true;
    for id in &ids {
        if !ended {
            out.write_all(b"\n")?;
        }
        let block = queries::source_block(q, *id)?;
        out.write_all(&block)?;
        ended = block.ends_with(b"\n");
    }
    Ok(ids.len() as u64)
}

#[derive(Serialize)]
struct Exported<'a> {
    title: &'a str,
    tag: Option<&'a str>,
    region: Option<RegionCode>,
    date: String,
    body: &'a str,
}

fn json(q: &dyn Query, today: Date, out: &mut dyn Write) -> Result<u64, ExportError> {
    let ids = queries::published(q, today)?;
    out.write_all(b"[")?;
    for (at, id) in ids.iter().enumerate() {
        out.write_all(if at == 0 { b"\n" } else { b",\n" })?;
        let article = queries::text(q, *id)?;
        let row = Exported {
            title: &article.title,
            tag: article.tag.as_deref(),
            region: article.region,
            date: article.published_on.to_string(),
            body: &article.body,
        };
        serde_json::to_writer(&mut *out, &row).map_err(io::Error::from)?;
    }
    out.write_all(b"\n]\n")?;
    Ok(ids.len() as u64)
}

fn markdown(q: &dyn Query, today: Date, out: &mut dyn Write) -> Result<u64, ExportError> {
    let ids = queries::published(q, today)?;
    for (at, id) in ids.iter().enumerate() {
        if at > 0 {
            out.write_all(b"\n---\n\n")?;
        }
        let article = queries::text(q, *id)?;
        let title = tag::join(article.tag.as_deref(), &article.title);
        writeln!(out, "# {}\n\n{}", plain(&title), article.published_on)?;
        for part in reading::split(&article.body) {
            match part {
                Part::Heading(text) => writeln!(out, "\n## {}", plain(text))?,
                Part::Paragraph { lead: "", text } => writeln!(out, "\n{}", plain(text))?,
                Part::Paragraph { lead, text } => {
                    writeln!(out, "\n**{}**{}", plain(lead), plain(text))?
                }
            }
        }
    }
    Ok(ids.len() as u64)
}

/// The text with the signs that Markdown would take for its own made plain.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.chars().enumerate() {
        let begins_list = at == 0 && matches!(c, '#' | '-' | '+' | '>');
        if begins_list || matches!(c, '\\' | '*' | '_' | '`' | '[' | ']' | '<') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_signs_are_made_plain() {
        assert_eq!(plain("# 5*3 <b> - a_b"), "\\# 5\\*3 \\<b> - a\\_b");
        assert!("xml".parse::<Format>().is_err());
        assert_eq!("markdown".parse(), Ok(Format::Markdown));
    }
}
