//! Sweeping contents that no row names: an upload whose form was refused, or whose server was killed
//! between the file and its row.

use std::collections::HashSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{contents, disk, path};
use crate::refusal::Result;
use crate::store::{Store, StoreError};

/// A content without a row may still get one while its form is on the way; a day is long enough.
const SPARED: Duration = Duration::from_secs(24 * 60 * 60);
/// What a content is called while it is looked at once more.
const ASIDE: &str = "aside";

/// Removes the contents in one of the 256 folders that no row names and that nobody has kept within
/// the last day; none while a backup is made. Says how many. Blocking.
///
/// # Errors
/// A fault of the disk or the store.
pub fn sweep(store: &Store, folder: u8) -> Result<usize> {
    let prefix = format!("{folder:02x}");
    let place = store.attachments().join(&prefix);
    if !place.is_dir() {
        return Ok(0);
    }
    let Some(_alone) = store.removing()? else {
        return Ok(0);
    };
    let now = disk_time(&store.attachments()).map_err(disk)?;
    let old = |path: &Path| {
        Ok(now
            .duration_since(fs::metadata(path)?.modified()?)
            .is_ok_and(|age| age > SPARED))
    };
    let mut candidates = Vec::new();
    for entry in fs::read_dir(&place).map_err(disk)? {
        let entry = entry.map_err(disk)?;
        let path = put_back(entry.path()).map_err(disk)?;
        // What its owner has renamed meanwhile is none of this.
        let file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if file && old(&path).unwrap_or(false) {
            candidates.push(path);
        }
    }
    if candidates.is_empty() {
        return Ok(0);
    }
    let named = named(store, &prefix)?;
    let mut removed = 0;
    for path in candidates {
        let name = path.file_name().and_then(|name| name.to_str());
        if name.is_some_and(|name| !named.contains(name)) {
            removed += usize::from(remove(&path, &old).map_err(disk)?);
        }
    }
    Ok(removed)
}

/// Removes the contents of erased files at once, without waiting for their turn in a sweep. Those
/// that cannot be removed now, because of the disk or a backup, are left to it. Blocking.
pub fn remove_erased(store: &Store, places: &[String]) {
    let Ok(Some(_alone)) = store.removing() else {
        return;
    };
    for place in places {
        let path = path(store, place);
        if let Err(error) = fs::remove_file(&path)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "erased content is left to the sweep: {error}");
        }
    }
}

/// Gives a content that a killed sweep left aside its name back, unless it was written anew.
fn put_back(path: PathBuf) -> std::io::Result<PathBuf> {
    let own = path.with_extension("");
    if path.extension().is_some_and(|end| end == ASIDE) && !own.exists() {
        fs::rename(&path, &own)?;
        return Ok(own);
    }
    Ok(path)
}

/// Takes a content aside and removes it, unless somebody has kept it again meanwhile: keeping what
/// is there makes it new, and what was taken aside is written anew.
fn remove(path: &Path, old: &dyn Fn(&Path) -> std::io::Result<bool>) -> std::io::Result<bool> {
    let aside = path.with_extension(ASIDE);
    fs::rename(path, &aside)?;
    if old(&aside)? {
        fs::remove_file(&aside)?;
        return Ok(true);
    }
    fs::rename(&aside, path)?;
    Ok(false)
}

/// The contents of a folder that rows name.
fn named(store: &Store, prefix: &str) -> Result<HashSet<String>, StoreError> {
    let names = store.read_blocking(|q| contents(&**q, prefix))?;
    Ok(names.into_iter().map(|(name, _)| name).collect())
}

/// The time by which the disk dates its files.
fn disk_time(folder: &Path) -> std::io::Result<SystemTime> {
    let mark = folder.join("swept");
    File::create(&mark)?;
    fs::metadata(mark)?.modified()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::attachment::write_synced;
    use crate::store::testing::TemporaryStore;

    fn age(path: &Path, hours: u64) {
        let file = File::options().write(true).open(path).unwrap();
        let then = file.metadata().unwrap().modified().unwrap() - Duration::from_secs(hours * 3600);
        file.set_modified(then).unwrap();
    }

    #[test]
    fn only_what_is_old_and_unnamed_goes() {
        let store = TemporaryStore::open(Timestamp::UNIX_EPOCH).unwrap();
        let at = |name: &str| store.attachments().join("ab").join(name);
        for name in ["ab01", "ab02", "ab03.part"] {
            write_synced(&at(name), b"sealed").unwrap();
        }
        for name in ["ab01", "ab03.part"] {
            age(&at(name), 25);
        }
        age(&at("ab02"), 23);
        fs::create_dir(at("ab04")).unwrap();
        assert_eq!(sweep(&store, 0xac).unwrap(), 0, "another folder");
        assert_eq!(sweep(&store, 0xab).unwrap(), 2);
        assert!(!at("ab01").exists() && !at("ab03.part").exists());
        assert!(at("ab02").exists(), "its form may still be on the way");
    }

    #[test]
    fn what_a_killed_sweep_left_aside_has_its_name_again() {
        let store = TemporaryStore::open(Timestamp::UNIX_EPOCH).unwrap();
        let path = store.attachments().join("ab").join("ab01");
        let aside = path.with_extension(ASIDE);
        write_synced(&aside, b"sealed").unwrap();
        assert_eq!(sweep(&store, 0xab).unwrap(), 0);
        assert!(path.exists() && !aside.exists());
        // Written anew meanwhile, the one aside is nobody's.
        write_synced(&aside, b"sealed").unwrap();
        age(&aside, 25);
        assert_eq!(sweep(&store, 0xab).unwrap(), 1);
        assert!(path.exists() && !aside.exists());
    }

    #[test]
    fn what_is_kept_again_stays() {
        let store = TemporaryStore::open(Timestamp::UNIX_EPOCH).unwrap();
        let path = store.attachments().join("ab").join("ab01");
        write_synced(&path, b"sealed").unwrap();
        age(&path, 25);
        write_synced(&path, b"sealed").unwrap();
        assert_eq!(sweep(&store, 0xab).unwrap(), 0, "kept again, it is new");
        age(&path, 25);
        // Kept again between the look at its age and its removal.
        assert!(!remove(&path, &|_| Ok(false)).unwrap());
        assert!(path.exists());
        assert!(remove(&path, &|_| Ok(true)).unwrap());
        write_synced(&path, b"sealed").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"sealed");
    }
}
