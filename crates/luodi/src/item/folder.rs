//! Packages as folders, for the command line: read, check, publish, export. The only place of
//! this domain that touches files.

use std::fmt;
use std::fs;
use std::path::Path;

use serde::Serialize;

use super::check::{Prepared, prepare};
use super::commands::{adopt, publish};
use super::files::{Files, MAX_BYTES, MAX_FILES, is_plain_name};
use super::finding::Findings;
use super::queries::export;
use super::spec;
use crate::access::Actor;
use crate::refusal::{Error, Refusal, Result};
use crate::store::{Command, Store};

/// What the command line prints of a package.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Nothing is wrong.
    pub ok: bool,
    /// What was found.
    pub findings: Findings,
    /// The package's code; empty where it cannot be read.
    pub code: String,
    /// The hash of the version; empty where it is refused.
    pub hash: String,
    /// Whether publishing made a new version; false where the same was there.
    pub published: bool,
    /// Offers of the item that now stand at this version.
    pub offers: u64,
}

impl fmt::Display for Report {
    /// One line a finding, `file:line: element: message`, and a last line of the whole.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for found in &self.findings.0 {
            let line = if found.line == 0 {
                String::new()
            } else {
                format!(":{}", found.line)
            };
            let element = if found.element.is_empty() {
                String::new()
            } else {
                format!(" {}：", found.element)
            };
            writeln!(
                f,
                "{}{line}:{element}{} [{}]",
                found.file, found.message, found.code
            )?;
        }
        match (self.ok, self.published) {
            (false, _) => writeln!(f, "有问题，请改正后重试。"),
            (true, false) => writeln!(f, "{} 没有问题。{}", self.code, self.hash),
            (true, true) => writeln!(
                f,
                "{} 已发布，{} 个地区改用新版。{}",
                self.code, self.offers, self.hash
            ),
        }
    }
}

/// Reads a package's folder. The policy is taken from `policy/` inside it, or from
/// `../../policies/NAME` beside the items.
///
/// # Errors
/// Refused where the folder or a file cannot be read or is too large.
pub fn read_folder(folder: &Path) -> Result<Files, Refusal> {
    let mut files = Files::new();
    read_into(folder, "", &mut files, 0)?;
    let policy = files
        .text("item.toml")
        .and_then(|text| spec::parse(text).ok())
        .and_then(|item| item.policy);
    let (_, carried) = files.split();
    let (Some(name), None) = (policy, carried) else {
        return Ok(files);
    };
    let beside = folder.join("..").join("..").join("policies").join(&name);
    if !is_plain_name(&name) || !beside.is_dir() {
        return Ok(files);
    }
    let mut policy = Files::new();
    read_into(&beside, "", &mut policy, 0)?;
    Ok(files.with_policy(&policy))
}

fn read_into(folder: &Path, prefix: &str, files: &mut Files, depth: usize) -> Result<(), Refusal> {
    let unreadable = |error: std::io::Error| {
        Refusal::invalid("folder", format!("无法读取 {}：{error}", folder.display()))
    };
    if depth > 2 {
        return Err(Refusal::invalid(
            "folder",
            format!("{} 的层级过深，事项包最多两层文件夹。", folder.display()),
        ));
    }
    let mut entries: Vec<_> = fs::read_dir(folder)
        .map_err(unreadable)?
        .take(MAX_FILES + 1)
        .collect::<Result<_, _>>()
        .map_err(unreadable)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = entry.file_type().map_err(unreadable)?;
        if name.starts_with('.') || kind.is_symlink() {
            continue;
        }
        let inner = format!("{prefix}{name}");
        if kind.is_dir() {
            read_into(&entry.path(), &format!("{inner}/"), files, depth + 1)?;
            continue;
        }
        let size = entry.metadata().map_err(unreadable)?.len();
        if size > MAX_BYTES as u64 {
            return Err(Refusal::invalid(
                "folder",
                format!("{inner} 超过 4 MB，请精简。"),
            ));
        }
        files.insert(inner, fs::read(entry.path()).map_err(unreadable)?);
    }
    Ok(())
}

/// Checks a package's folder. One that cannot be read is a finding.
pub fn check_folder(folder: &Path) -> Report {
    let (prepared, findings) = read_and_check(folder);
    report(prepared.as_ref(), findings)
}

fn read_and_check(folder: &Path) -> (Option<Prepared>, Findings) {
    match read_folder(folder) {
        Ok(files) => prepare(&files),
        Err(refusal) => {
            let mut findings = Findings::default();
            findings.error("", "", refusal.code, refusal.message);
            (None, findings)
        }
    }
}

fn report(prepared: Option<&Prepared>, findings: Findings) -> Report {
    let package = prepared.map(|prepared| &prepared.package);
    Report {
        ok: findings.ok(),
        findings,
        code: package.map_or_else(String::new, |package| package.item.code.clone()),
        hash: package.map_or_else(String::new, |package| package.hash.clone()),
        published: false,
        offers: 0,
    }
}

/// Checks a package's folder and publishes it where nothing is wrong; offers of the item go over
/// to the new version, running cases stay at theirs.
///
/// # Errors
/// Refused where the actor may not publish; or a fault of the store.
pub fn publish_folder(
    store: &Store,
    now: jiff::Timestamp,
    actor: &Actor,
    folder: &Path,
) -> Result<Report> {
    let (prepared, findings) = read_and_check(folder);
    let mut report = report(prepared.as_ref(), findings);
    let Some(prepared) = prepared else {
        return Ok(report);
    };
    let actor = actor.clone();
    let command = Command::new("item.publish", now);
    let (published, offers) = store.write_blocking(command, move |tx| {
        let published = publish(tx, &actor, &prepared)?;
        let offers = adopt(tx, &actor, &prepared.package.item.code, &published.hash)?;
        Ok::<_, Error>((published.new, offers))
    })?;
    report.published = published;
    report.offers = offers;
    Ok(report)
}

/// Writes the newest version of an item into a new or empty folder, its policy under `policy/`.
///
/// # Errors
/// Refused where there is no such item or the folder is not empty; or a fault of the store.
pub fn export_folder(store: &Store, code: &str, folder: &Path) -> Result<()> {
    let wanted = code.to_owned();
    let files = store.read_blocking(move |q| export(&**q, &wanted))?;
    let failed = |error: std::io::Error| {
        Refusal::invalid("folder", format!("无法写入 {}：{error}", folder.display()))
    };
    let occupied = folder.exists() && fs::read_dir(folder).map_err(failed)?.next().is_some();
    if occupied {
        return Err(Refusal::invalid(
            "folder-occupied",
            format!("{} 不是空文件夹，请另选一个。", folder.display()),
        )
        .into());
    }
    for (name, bytes) in files.iter().filter(|(name, _)| is_plain_name(name)) {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(failed)?;
        }
        fs::write(path, bytes).map_err(failed)?;
    }
    Ok(())
}
