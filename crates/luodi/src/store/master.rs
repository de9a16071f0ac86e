//! Master keys: one file each in the key folder, `master-N.key`, and what is derived from them.
//!
//! Owns the files and their retirement. Deliberately lacks the database, which remembers which of
//! them is the present one (`keys`, `rotate`).

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hkdf::Hkdf;
use jiff::Timestamp;
use rand::TryRng;
use sha2::Sha256;

use super::StoreError;

const HEAD: &str = "luodi-master-key-1";
/// Where masters go that wrap nothing any more.
const RETIRED: &str = "retired";

/// What is derived from a master key.
pub(super) struct Master {
    /// Wraps the data keys.
    pub(super) wrap: [u8; 32],
    /// What the database remembers of it, to notice a foreign one.
    pub(super) check: [u8; 32],
    /// Of the first master: keyed hashes.
    pub(super) hash: [u8; 32],
    /// Of the first master: seed of the key that signs the log.
    pub(super) log: [u8; 32],
}

impl Master {
    pub(super) fn derive(master: &[u8; 32]) -> Result<Self, StoreError> {
        let source = Hkdf::<Sha256>::new(None, master);
        let expand = |purpose: &[u8]| {
            let mut key = [0; 32];
            source
                .expand(purpose, &mut key)
                .map_err(|_| StoreError::Keys("derivation failed".into()))?;
            Ok::<_, StoreError>(key)
        };
        Ok(Self {
            wrap: expand(b"luodi wrap 1")?,
            check: expand(b"luodi check 1")?,
            hash: expand(b"luodi lookup 1")?,
            log: expand(b"luodi log 1")?,
        })
    }

    /// Reads the master of a number.
    pub(super) fn read(dir: &Path, number: u32) -> Result<Self, StoreError> {
        let path = file(dir, number);
        let text = fs::read_to_string(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => missing(dir, number),
            _ => unusable(&path)(error),
        })?;
        Self::derive(&parse(&text, &path)?)
    }

    /// Makes the master of a number, unless it is there already.
    pub(super) fn ensure(dir: &Path, number: u32) -> Result<Self, StoreError> {
        let path = file(dir, number);
        if !path.exists() {
            create(dir, &path).map_err(unusable(&path))?;
        }
        // What was written is read back before anything relies on it.
        Self::read(dir, number)
    }
}

fn file(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("master-{number}.key"))
}

/// Whether the folder holds the master of a number.
pub(super) fn present(dir: &Path, number: u32) -> bool {
    file(dir, number).exists()
}

/// Whether the folder holds any master.
pub(super) fn any(dir: &Path) -> bool {
    let names = fs::read_dir(dir).into_iter().flatten().flatten();
    names
        .filter_map(|entry| entry.file_name().into_string().ok())
        .any(|name| name.starts_with("master-") && name.ends_with(".key"))
}

/// What to do where a master is not there: a database from a backup may need a retired one.
fn missing(dir: &Path, number: u32) -> StoreError {
    let (place, retired) = (dir.display(), file(&dir.join(RETIRED), number));
    let what_to_do = if retired.exists() {
        format!(
            "数据库是轮换主密钥之前的备份；请把 {} 移回 {place} 后再启动。",
            retired.display()
        )
    } else {
        format!(
            "请从密钥备份中取回 master-{number}.key 放入 {place}，或用 --keys 指出密钥所在的文件夹。"
        )
    };
    StoreError::Keys(format!(
        "{place} 里没有这个数据库的主密钥 {number}。{what_to_do}"
    ))
}

fn unusable(path: &Path) -> impl Fn(std::io::Error) -> StoreError {
    let path = path.display().to_string();
    move |error| StoreError::Keys(format!("{path}: {error}"))
}

fn parse(text: &str, path: &Path) -> Result<[u8; 32], StoreError> {
    let damaged = || StoreError::Keys(format!("{} is damaged", path.display()));
    let encoded = text.trim_end().strip_prefix(HEAD).ok_or_else(damaged)?;
    let bytes = BASE64.decode(encoded.trim_start()).map_err(|_| damaged())?;
    bytes.try_into().map_err(|_| damaged())
}

fn make_folder(dir: &Path) -> std::io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
}

/// Writes a file for its owner alone (0600) and waits until it and its name are on the disk.
fn write_synced(path: &Path, text: &str) -> std::io::Result<()> {
    let mut draft = path.to_owned();
    draft.set_extension("new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    sync(path.parent())
}

fn sync(folder: Option<&Path>) -> std::io::Result<()> {
    folder.map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// Makes the key folder (0700) and the key file (0600), and waits until both are on the disk.
fn create(dir: &Path, path: &Path) -> std::io::Result<()> {
    make_folder(dir)?;
    let mut master = [0; 32];
    rand::rngs::SysRng
        .try_fill_bytes(&mut master)
        .map_err(std::io::Error::other)?;
    write_synced(path, &format!("{HEAD} {}\n", BASE64.encode(master)))?;
    sync(dir.parent())
}

/// Moves a master that wraps nothing any more aside, with a note of when and what for.
pub(super) fn retire(dir: &Path, number: u32, now: Timestamp) -> Result<(), StoreError> {
    let (from, folder) = (file(dir, number), dir.join(RETIRED));
    let note = format!(
        "master-{number}.key 于 {now} 停用，此后的数据由 master-{}.key 保护。\n\
         只有恢复此前的备份才需要它；最后一份这样的备份销毁后，请一并销毁本文件夹中的这一密钥。\n",
        number + 1
    );
    let moved = || {
        make_folder(&folder)?;
        write_synced(&folder.join(format!("master-{number}.txt")), &note)?;
        fs::rename(&from, file(&folder, number))?;
        sync(Some(&folder))?;
        sync(Some(dir))
    };
    moved().map_err(unusable(&from))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::store::testing::TemporaryFolder;

    #[test]
    fn a_master_is_made_once_and_for_its_owner_only() {
        let folder = TemporaryFolder::new().unwrap();
        let dir = folder.path().join("keys");
        let made = Master::ensure(&dir, 1).unwrap();
        assert_eq!(Master::ensure(&dir, 1).unwrap().check, made.check);
        assert_ne!(Master::ensure(&dir, 2).unwrap().check, made.check);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&dir), 0o700);
        assert_eq!(mode(&file(&dir, 1)), 0o600);
        fs::write(file(&dir, 1), "luodi-master-key-1 AAAA").unwrap();
        assert!(matches!(Master::read(&dir, 1), Err(StoreError::Keys(_))));
    }

    #[test]
    fn a_retired_master_is_kept_and_missed_by_name() {
        let folder = TemporaryFolder::new().unwrap();
        let dir = folder.path().join("keys");
        Master::ensure(&dir, 1).unwrap();
        retire(&dir, 1, Timestamp::UNIX_EPOCH).unwrap();
        assert!(!present(&dir, 1) && present(&dir.join(RETIRED), 1));
        let note = fs::read_to_string(dir.join(RETIRED).join("master-1.txt")).unwrap();
        assert!(note.contains("1970-01-01"), "{note}");
        let told = Master::read(&dir, 1).err().unwrap().to_string();
        assert!(told.contains("移回"), "{told}");
        let told = Master::read(&dir, 7).err().unwrap().to_string();
        assert!(told.contains("--keys"), "{told}");
    }
}
