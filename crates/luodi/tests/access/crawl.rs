//! A visitor who follows every link there is, and remembers every page.

use std::collections::{BTreeMap, VecDeque};
use std::io::{Cursor, Read};

use axum::http::StatusCode;

use crate::support::Visitor;

/// The most pages one crawl looks at.
const PAGES: usize = 3_000;

/// Public pages, the same for everybody, and doors that lead out.
const PUBLIC: &[&str] = &[
    "/articles",
    "/assets",
    "/items",
    "/notices",
    "/regions",
    "/login",
    "/logout",
    "/objections/follow",
    "/paid",
];

/// Every page reached from `from`, by its address: text of pages, tables of workbooks, bytes of
/// files. Public pages are left out.
pub(super) async fn crawl(visitor: &mut Visitor<'_>, from: &[&str]) -> BTreeMap<String, String> {
    let mut seen = BTreeMap::new();
    let mut ahead: VecDeque<String> = from.iter().map(|path| (*path).to_owned()).collect();
    while let Some(path) = ahead.pop_front() {
        if seen.contains_key(&path) {
            continue;
        }
        assert!(seen.len() < PAGES, "the crawl does not end: {path}");
        let answer = visitor.get(&path).await;
        assert_ne!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "{path}");
        if answer.status != StatusCode::OK {
            seen.insert(path, String::new());
            continue;
        }
        let text = if answer.bytes.starts_with(b"PK\x03\x04") {
            workbook(&answer.bytes)
        } else {
            for link in links(&answer.html) {
                if !seen.contains_key(&link) {
                    ahead.push_back(link);
                }
            }
            answer.html
        };
        seen.insert(path, text);
    }
    seen
}

/// Addresses of this site on a page, those left out that are public, only sort a list anew, or show
/// of the log what the whole of it shows.
fn links(html: &str) -> Vec<String> {
    html.split("href=\"")
        .skip(1)
        .filter_map(|rest| rest.split_once('"'))
        .map(|(href, _)| href.replace("&#38;", "&").replace("&amp;", "&"))
        .map(|href| href.split('#').next().unwrap_or_default().to_owned())
        .filter(|href| href.starts_with('/') && href != "/" && !href.contains("sort="))
        .filter(|href| !href.starts_with("/log?number="))
        .filter(|href| !PUBLIC.iter().any(|public| href.starts_with(public)))
        .collect()
}

/// All text of a workbook.
pub(super) fn workbook(bytes: &[u8]) -> String {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut text = String::new();
    for index in 0..archive.len() {
        let mut part = archive.by_index(index).unwrap();
        if part.name().unwrap().ends_with(".xml") {
            part.read_to_string(&mut text).unwrap();
        }
    }
    text
}
