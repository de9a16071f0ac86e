//! What the key folder remembers of the log: how large it was when this program last signed it, and
//! its root then.
//!
//! Who can write the database but has no keys can put an old or another log in its place; this mark
//! he cannot. It may lag behind: the log it belongs to has at least so many events. Where the folder
//! cannot be written, the process remembers for itself. Deliberately lacks the comparison
//! (`standing`).

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use rand::Rng;
use subtle::ConstantTimeEq;
use trail::Hash;

use super::tree::base64;
use crate::store::StoreError;
use crate::store::keys::Keys;

const HEAD: &str = "luodi-log-seen-1";
const FILE: &str = "log.seen";

/// A log as it was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) struct Mark {
    /// The log's name.
    pub(in crate::store) origin: String,
    /// Events it had.
    pub(in crate::store) size: u64,
    /// Root over them.
    pub(in crate::store) root: Hash,
}

/// The mark of this key folder; none where it never saw a log.
///
/// Read it before the moment of the tables it is compared with: a mark that is younger would accuse
/// an honest log.
///
/// # Errors
/// [`StoreError::Log`] where it was damaged.
pub(in crate::store) fn known(keys: &Keys) -> Result<Option<Mark>, StoreError> {
    let kept = read(keys)?;
    let remembered = keys.seen().lock();
    let remembered = remembered.unwrap_or_else(PoisonError::into_inner).clone();
    Ok(match (kept, remembered) {
        (Some(kept), Some(remembered)) if remembered.size > kept.size => Some(remembered),
        (kept, remembered) => kept.or(remembered),
    })
}

fn read(keys: &Keys) -> Result<Option<Mark>, StoreError> {
    let path = keys.dir().join(FILE);
    match fs::read_to_string(&path) {
        Ok(text) => match parse(keys, &text) {
            Some(mark) => Ok(Some(mark)),
            None => Err(StoreError::Log(format!(
                "{} 已损坏，或属于另一个日志",
                path.display()
            ))),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StoreError::Log(format!("{}：{error}", path.display()))),
    }
}

fn parse(keys: &Keys, text: &str) -> Option<Mark> {
    let mut lines = text.lines();
    let (head, origin) = (lines.next()?, lines.next()?.to_owned());
    let size = lines.next()?.parse().ok()?;
    let mut bytes = || Hash::try_from(BASE64.decode(lines.next()?).ok()?).ok();
    let (root, seal) = (bytes()?, bytes()?);
    let mark = Mark { origin, size, root };
    let fits: bool = mark.seal(keys).ct_eq(&seal).into();
    (head == HEAD && fits).then_some(mark)
}

impl Mark {
    fn seal(&self, keys: &Keys) -> [u8; 32] {
        let size = self.size.to_be_bytes();
        keys.log_word(&[b"seen", self.origin.as_bytes(), &size, &self.root])
    }

    fn text(&self, keys: &Keys) -> String {
        let (root, seal) = (base64(&self.root), base64(&self.seal(keys)));
        format!("{HEAD}\n{}\n{}\n{root}\n{seal}\n", self.origin, self.size)
    }
}

/// Notes that the log was signed; a larger mark of the same log, which another server on this folder
/// made, stays. Says whether the folder remembers it.
pub(in crate::store) fn advance(keys: &Keys, mark: &Mark) -> bool {
    let larger = |kept: Mark| kept.origin == mark.origin && kept.size >= mark.size;
    if read(keys).is_ok_and(|kept| kept.is_some_and(larger)) {
        return true;
    }
    set(keys, Some(mark)).is_ok()
}

/// Replaces the mark, also by a smaller one or by none: only where an operator says so.
///
/// # Errors
/// [`StoreError::Unavailable`] where the folder cannot be written; the process remembers then.
pub(in crate::store) fn set(keys: &Keys, mark: Option<&Mark>) -> Result<(), StoreError> {
    let path = keys.dir().join(FILE);
    let written = match mark {
        Some(mark) => write(&path, &mark.text(keys)),
        None => remove(&path),
    };
    let kept = written.is_ok();
    let mut seen = keys.seen().lock().unwrap_or_else(PoisonError::into_inner);
    *seen = mark.filter(|_| !kept).cloned();
    written.map_err(|error| StoreError::Unavailable(format!("{}：{error}", path.display())))
}

/// Writes a file for its owner alone, whole or not at all, and waits for the disk.
pub(in crate::store) fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let draft = draft_of(path);
    let written = || {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, path)?;
        sync(path)
    };
    written().inspect_err(|_| {
        let _ = fs::remove_file(&draft);
    })
}

/// Several servers may write into one folder at once.
fn draft_of(path: &Path) -> PathBuf {
    path.with_extension(format!("{:016x}.new", rand::rng().next_u64()))
}

/// Removes a file, whether it is there or not.
pub(in crate::store) fn remove(path: &Path) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed.and_then(|()| sync(path)),
    }
}

fn sync(path: &Path) -> std::io::Result<()> {
    path.parent()
        .map_or(Ok(()), |it| File::open(it)?.sync_all())
}
