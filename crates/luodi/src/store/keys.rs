//! Keys: the master key of the data folder, one data key per owner, sealing and look-up hashes.
//!
//! Owns the form of sealed bytes. Deliberately lacks rotation, and the knowledge of which fields
//! are personal: the domains say so by sealing them.
//!
//! Sealed bytes: version (1), algorithm (1 = XChaCha20-Poly1305), length of the class, the class,
//! a nonce of 24 bytes, the ciphertext with its tag. Everything before the nonce and the owner are
//! bound as associated data.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{Key, KeyInit, XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use rand::TryRng;
use sha2::Sha256;
use uuid::Uuid;

use super::read::Query;
use super::tx::Tx;
use super::{StoreError, params};

/// Version of the form of sealed bytes.
const VERSION: u8 = 1;
/// Number of XChaCha20-Poly1305 in sealed bytes.
const XCHACHA: u8 = 1;
/// Name of the wrapping in `data_key.algorithm`.
const WRAPPING: &str = "xchacha20poly1305/hkdf-sha256/1";
const NONCE: usize = 24;
const FILE: &str = "master-1.key";
const FILE_HEAD: &str = "luodi-master-key-1";

/// The master key of a data folder and what is derived from it. Cheap to clone.
#[derive(Clone)]
pub struct Keys {
    inner: Arc<Derived>,
}

struct Derived {
    wrap: [u8; 32],
    lookup: [u8; 32],
    check: [u8; 32],
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(..)")
    }
}

/// Whether a folder holds a master key.
pub(super) fn present(dir: &Path) -> bool {
    dir.join(FILE).exists()
}

impl Keys {
    /// Reads the master key of a folder, or makes one.
    ///
    /// # Errors
    /// [`StoreError::Keys`] where the folder or the file is unusable.
    pub(super) fn open(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join(FILE);
        match fs::read_to_string(&path) {
            Ok(text) => Self::derive(&parse(&text)?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Self::derive(&create(dir, &path).map_err(unusable(&path))?)
            }
            Err(error) => Err(unusable(&path)(error)),
        }
    }

    fn derive(master: &[u8; 32]) -> Result<Self, StoreError> {
        let source = Hkdf::<Sha256>::new(None, master);
        let expand = |purpose: &[u8]| {
            let mut key = [0; 32];
            source
                .expand(purpose, &mut key)
                .map_err(|_| StoreError::Keys("derivation failed".into()))?;
            Ok::<_, StoreError>(key)
        };
        let inner = Derived {
            wrap: expand(b"luodi wrap 1")?,
            lookup: expand(b"luodi lookup 1")?,
            check: expand(b"luodi check 1")?,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Keyed hash (HMAC-SHA256) by which a sealed value is found again; `text` must be in its
    /// normal form. Equal texts of different classes have different hashes.
    #[must_use]
    pub fn lookup(&self, class: &str, text: &str) -> [u8; 32] {
        mac(&self.inner.lookup, &[class.as_bytes(), text.as_bytes()])
    }

    /// What the database remembers of the master key, to notice a foreign one.
    pub(super) fn fingerprint(&self) -> String {
        BASE64.encode(self.inner.check)
    }

    /// Reads and unwraps the data key of an owner; `None` where there never was one.
    pub(super) fn load(&self, q: &dyn Query, owner: Uuid) -> Result<Option<DataKey>, StoreError> {
        const SQL: &str = "SELECT algorithm, wrapped FROM data_key WHERE owner_id = ?1";
        let found = q.row_opt(SQL, params![owner], |r| {
            Ok((r.get::<String>(0)?, r.get::<Option<Vec<u8>>>(1)?))
        })?;
        let Some((algorithm, wrapped)) = found else {
            return Ok(None);
        };
        if algorithm != WRAPPING {
            return Err(StoreError::Unsealable(
                "the data key is wrapped in an unknown way",
            ));
        }
        let wrapped = wrapped.ok_or(StoreError::KeyDestroyed(owner))?;
        let (nonce, text) = wrapped
            .split_first_chunk::<NONCE>()
            .ok_or(StoreError::Unsealable("the data key is cut off"))?;
        let bound = bind(b"luodi data key 1", owner, &[]);
        let key = decrypt(&self.inner.wrap, *nonce, &bound, text)
            .and_then(|plain| <[u8; 32]>::try_from(plain).ok())
            .ok_or(StoreError::Unsealable(
                "the data key does not fit the master key",
            ))?;
        Ok(Some(DataKey { owner, key }))
    }

    /// Makes and stores a new data key.
    pub(super) fn create(&self, tx: &Tx<'_>, owner: Uuid) -> Result<DataKey, StoreError> {
        let key: [u8; 32] = tx.random();
        let nonce: [u8; NONCE] = tx.random();
        let bound = bind(b"luodi data key 1", owner, &[]);
        let mut wrapped = nonce.to_vec();
        wrapped.extend(encrypt(&self.inner.wrap, nonce, &bound, &key)?);
        tx.execute(
            "INSERT INTO data_key (owner_id, algorithm, wrapped, created_at) VALUES (?1, ?2, ?3, ?4)",
            params![owner, WRAPPING, wrapped, tx.now()],
        )?;
        Ok(DataKey { owner, key })
    }
}

/// The data key of one owner. Seals and opens without the database, so that large files can be
/// worked on outside a transaction.
#[derive(Clone)]
pub struct DataKey {
    owner: Uuid,
    key: [u8; 32],
}

impl std::fmt::Debug for DataKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DataKey({})", self.owner)
    }
}

impl DataKey {
    /// Seals bytes of a class ("id_number", "file", …; at most 255 bytes), with fresh randomness.
    ///
    /// The nonce is a keyed hash of randomness and content, so that a command that runs again with
    /// the same randomness but other content never uses a nonce twice.
    ///
    /// # Errors
    /// [`StoreError::Value`] where the class is too long.
    pub fn seal(&self, class: &str, plain: &[u8], random: [u8; 32]) -> Result<Vec<u8>, StoreError> {
        let length = u8::try_from(class.len())
            .map_err(|_| StoreError::Value("the class is over 255 bytes".into()))?;
        let mut sealed = vec![VERSION, XCHACHA, length];
        sealed.extend(class.as_bytes());
        let bound = bind(b"luodi sealed 1", self.owner, &sealed);
        let digest = mac(&random, &[&bound, plain]);
        let nonce: [u8; NONCE] =
            std::array::from_fn(|i| digest.get(i).copied().unwrap_or_default());
        sealed.extend(nonce);
        sealed.extend(encrypt(&self.key, nonce, &bound, plain)?);
        Ok(sealed)
    }

    /// Opens sealed bytes of this owner.
    ///
    /// # Errors
    /// [`StoreError::Unsealable`] where they are another owner's, damaged or of an unknown form.
    pub fn open(&self, sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
        const CUT: StoreError = StoreError::Unsealable("cut off");
        let [VERSION, XCHACHA, length, rest @ ..] = sealed else {
            return Err(StoreError::Unsealable("unknown version or algorithm"));
        };
        let (_, rest) = rest.split_at_checked(usize::from(*length)).ok_or(CUT)?;
        let (nonce, text) = rest.split_first_chunk::<NONCE>().ok_or(CUT)?;
        let (head, _) = sealed
            .split_at_checked(3 + usize::from(*length))
            .ok_or(CUT)?;
        let bound = bind(b"luodi sealed 1", self.owner, head);
        decrypt(&self.key, *nonce, &bound, text)
            .ok_or(StoreError::Unsealable("wrong owner or damaged"))
    }
}

/// Data keys unwrapped within one transaction or snapshot.
///
/// Not shared between them: a key destroyed by a committed command must be gone for the next.
#[derive(Default)]
pub(super) struct KeyRing {
    keys: HashMap<Uuid, DataKey>,
}

impl KeyRing {
    /// More owners than one page or command ever shows; past it the ring begins anew.
    const LIMIT: usize = 1_024;

    pub(super) fn get(&self, owner: Uuid) -> Option<DataKey> {
        self.keys.get(&owner).cloned()
    }

    pub(super) fn put(&mut self, key: DataKey) {
        if self.keys.len() >= Self::LIMIT {
            self.keys.clear();
        }
        self.keys.insert(key.owner, key);
    }

    pub(super) fn remove(&mut self, owner: Uuid) {
        self.keys.remove(&owner);
    }
}

pub(super) fn missing(owner: Uuid) -> StoreError {
    StoreError::NotFound(format!("data key of {owner}"))
}

fn bind(purpose: &[u8], owner: Uuid, head: &[u8]) -> Vec<u8> {
    [purpose, owner.as_bytes(), head].concat()
}

fn encrypt(
    key: &[u8; 32],
    nonce: [u8; NONCE],
    aad: &[u8],
    msg: &[u8],
) -> Result<Vec<u8>, StoreError> {
    XChaCha20Poly1305::new(&Key::from(*key))
        .encrypt(&XNonce::from(nonce), Payload { msg, aad })
        .map_err(|_| StoreError::Value("too long to seal".into()))
}

fn decrypt(key: &[u8; 32], nonce: [u8; NONCE], aad: &[u8], msg: &[u8]) -> Option<Vec<u8>> {
    XChaCha20Poly1305::new(&Key::from(*key))
        .decrypt(&XNonce::from(nonce), Payload { msg, aad })
        .ok()
}

/// HMAC-SHA256 over parts, each preceded by its length.
fn mac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    // A key shorter than a block is padded with zeros (RFC 2104, section 2).
    let mut block = [0; 64];
    block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    let mut mac = <Hmac<Sha256> as KeyInit>::new(&block.into());
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

fn unusable(path: &Path) -> impl Fn(std::io::Error) -> StoreError {
    let path = path.display().to_string();
    move |error| StoreError::Keys(format!("{path}: {error}"))
}

fn parse(text: &str) -> Result<[u8; 32], StoreError> {
    let damaged = || StoreError::Keys(format!("{FILE} is damaged"));
    let encoded = text
        .trim_end()
        .strip_prefix(FILE_HEAD)
        .ok_or_else(damaged)?;
    let bytes = BASE64.decode(encoded.trim_start()).map_err(|_| damaged())?;
    bytes.try_into().map_err(|_| damaged())
}

/// Makes the key folder (0700) and the key file (0600), and waits until both are on the disk.
fn create(dir: &Path, path: &Path) -> std::io::Result<[u8; 32]> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)?;
    let mut master = [0; 32];
    rand::rngs::SysRng
        .try_fill_bytes(&mut master)
        .map_err(std::io::Error::other)?;
    let draft = dir.join("master-1.key.new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)?;
    writeln!(file, "{FILE_HEAD} {}", BASE64.encode(master))?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    File::open(dir)?.sync_all()?;
    if let Some(parent) = dir.parent() {
        File::open(parent)?.sync_all()?;
    }
    Ok(master)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::store::testing::TemporaryFolder;

    fn key(owner: u128) -> DataKey {
        DataKey {
            owner: Uuid::from_u128(owner),
            key: [5; 32],
        }
    }

    #[test]
    fn sealed_bytes_open_and_damage_is_found_everywhere() {
        let sealed = key(1).seal("telephone", b"13800000000", [7; 32]).unwrap();
        assert_eq!(key(1).open(&sealed).unwrap(), b"13800000000");
        assert!(!sealed.windows(5).any(|window| window == b"13800"));
        for position in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[position] ^= 1;
            assert!(key(1).open(&damaged).is_err(), "byte {position}");
            assert!(
                key(1).open(&sealed[..position]).is_err(),
                "cut at {position}"
            );
        }
        // The same key bytes under another owner: the owner is bound, too.
        assert!(key(2).open(&sealed).is_err());
    }

    #[test]
    fn a_nonce_is_never_used_twice() {
        let nonce = |class: &str, plain: &[u8], random| {
            let sealed = key(1).seal(class, plain, [random; 32]).unwrap();
            sealed[3 + class.len()..][..NONCE].to_vec()
        };
        let first = nonce("a", b"1", 7);
        assert_eq!(first, nonce("a", b"1", 7));
        for other in [
            nonce("a", b"2", 7),
            nonce("b", b"1", 7),
            nonce("a", b"1", 8),
        ] {
            assert_ne!(first, other);
        }
    }

    #[test]
    fn lookups_depend_on_class_text_and_master_key() {
        let ours = Keys::derive(&[1; 32]).unwrap();
        let theirs = Keys::derive(&[2; 32]).unwrap();
        let hash = ours.lookup("telephone", "138");
        assert_eq!(hash, ours.lookup("telephone", "138"));
        assert_ne!(hash, ours.lookup("telephone", "139"));
        assert_ne!(hash, ours.lookup("id_number", "138"));
        assert_ne!(hash, ours.lookup("telephone1", "38"));
        assert_ne!(hash, theirs.lookup("telephone", "138"));
    }

    #[test]
    fn the_master_key_is_made_once_and_for_its_owner_only() {
        let folder = TemporaryFolder::new().unwrap();
        let dir = folder.path().join("keys");
        let made = Keys::open(&dir).unwrap();
        assert_eq!(Keys::open(&dir).unwrap().fingerprint(), made.fingerprint());
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&dir), 0o700);
        assert_eq!(mode(&dir.join(FILE)), 0o600);
        fs::write(dir.join(FILE), "luodi-master-key-1 AAAA").unwrap();
        assert!(matches!(Keys::open(&dir), Err(StoreError::Keys(_))));
    }
}
