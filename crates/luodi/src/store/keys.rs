//! Keys: one data key per owner, wrapped by a master key; sealing and keyed hashes.
//!
//! Owns the form of sealed bytes and what `meta` remembers of the keys. Deliberately lacks the files
//! of the masters (`master`), their change (`rotate`), and the knowledge of which fields are
//! personal: the domains say so by sealing them.
//!
//! Sealed bytes: version (1), algorithm (1 = XChaCha20-Poly1305), length of the class, the class,
//! a nonce of 24 bytes, the ciphertext with its tag. Everything before the nonce and the owner are
//! bound as associated data.
//!
//! What the first master gave and a later one cannot (the keys of hashes and of the log) is kept in
//! `meta`, sealed under the present master.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{Key, KeyInit, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use uuid::Uuid;

use super::audit::mark::Mark;
use super::audit::{ActorRef, Event};
use super::master::Master;
use super::read::Query;
use super::session::Session;
use super::tx::Tx;
use super::{StoreError, params};

/// Version of the form of sealed bytes.
const VERSION: u8 = 1;
/// Number of XChaCha20-Poly1305 in sealed bytes.
const XCHACHA: u8 = 1;
/// The wrapping as `data_key.algorithm` names it, before the number of the master.
const WRAPPING: &str = "xchacha20poly1305/hkdf-sha256/";
const NONCE: usize = 24;

/// The table of the data keys.
pub(super) const TABLE: &str = "data_key";

/// What `meta` calls the fingerprint and the number of the present master.
pub(super) const FINGERPRINT: &str = "master_key";
pub(super) const NUMBER: &str = "master_number";
/// What `meta` calls the secrets of the first master, kept under the present one.
pub(super) const HASH_KEY: &str = "hash_key";
pub(super) const LOG_KEY: &str = "log_key";
/// What `meta` calls the key of look-up hashes where it is no longer that of the first master, and
/// the one before it while hashes are made anew.
pub(super) const LOOKUP_KEY: &str = "lookup_key";
pub(super) const LOOKUP_KEY_BEFORE: &str = "lookup_key_before";

/// The keys of a data folder. Cheap to clone.
#[derive(Clone)]
pub struct Keys {
    inner: Arc<Opened>,
}

struct Opened {
    dir: PathBuf,
    hash: [u8; 32],
    log: [u8; 32],
    /// Seals events, their numbers and what the folder remembers of the log; comes from `log`.
    log_mac: [u8; 32],
    /// What the folder is to remember of the log, where it cannot be written.
    seen: Mutex<Option<Mark>>,
    /// Wrapping keys by the number of their master, read when first met.
    wraps: RwLock<BTreeMap<u32, [u8; 32]>>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(..)")
    }
}

/// Opens the key folder, making the first master of a new database, and compares it with what the
/// database remembers of it.
pub(super) fn open(session: Session<'_>, dir: &Path) -> Result<Keys, StoreError> {
    let mut meta: HashMap<String, String> = HashMap::new();
    session.query("SELECT name, value FROM meta", &[], &mut |row| {
        meta.insert(row.get(0)?, row.get(1)?);
        Ok(())
    })?;
    let number = number_in(meta.get(NUMBER).map(String::as_str))?;
    let Some(print) = meta.get(FINGERPRINT) else {
        let master = Master::ensure(dir, number)?;
        let sql = "INSERT INTO meta (name, value) VALUES (?1, ?2)";
        session.execute(sql, &params![FINGERPRINT, fingerprint(&master)])?;
        return Ok(Keys::of(dir, number, &master));
    };
    let master = Master::read(dir, number)?;
    if *print != fingerprint(&master) {
        return Err(StoreError::Keys(format!(
            "{} belongs to another database. 请用 --keys 指出这个数据库自己的密钥文件夹。",
            dir.display()
        )));
    }
    let keys = Keys::of(dir, number, &master);
    if number == 1 {
        return Ok(keys);
    }
    let kept = |name: &str| {
        let text = meta
            .get(name)
            .ok_or(StoreError::Unsealable("a kept secret is missing"))?;
        keys.unkeep(name, text)
    };
    let log = kept(LOG_KEY)?;
    Ok(Keys {
        inner: Arc::new(Opened {
            dir: dir.to_owned(),
            hash: kept(HASH_KEY)?,
            log,
            log_mac: log_mac_key(&log),
            seen: Mutex::default(),
            wraps: RwLock::new(BTreeMap::from([(number, master.wrap)])),
        }),
    })
}

/// Opens the key folder of a database that remembers its master, and makes nothing; none where it
/// remembers none.
pub(super) fn if_known(session: Session<'_>, dir: &Path) -> Result<Option<Keys>, StoreError> {
    let mut found = false;
    let sql = "SELECT 1 FROM meta WHERE name = ?1";
    session.query(sql, &params![FINGERPRINT], &mut |_| {
        found = true;
        Ok(())
    })?;
    found.then(|| open(session, dir)).transpose()
}

/// As [`if_known`], where it must remember one.
pub(super) fn known(session: Session<'_>, dir: &Path) -> Result<Keys, StoreError> {
    if let Some(keys) = if_known(session, dir)? {
        return Ok(keys);
    }
    let why = "the database remembers no master key: it was never opened to its end";
    Err(StoreError::Keys(why.to_owned()))
}

/// What the log says of a key that was made by itself.
pub(super) fn made() -> Event {
    Event {
        actor: ActorRef::system(),
        command: "keys.make",
        subject: (TABLE, Uuid::nil()),
        detail: serde_json::json!({}),
        rows: Vec::new(),
    }
}

/// What the database remembers of a master, to notice a foreign one.
pub(super) fn fingerprint(master: &Master) -> String {
    BASE64.encode(master.check)
}

fn number_in(text: Option<&str>) -> Result<u32, StoreError> {
    let wrong = |_| StoreError::Keys("the number of the master key is damaged".into());
    text.map_or(Ok(1), |text| text.parse().map_err(wrong))
}

/// One value that `meta` remembers; none where it is empty.
pub(super) fn remembered(q: &dyn Query, name: &str) -> Result<Option<String>, StoreError> {
    let sql = "SELECT value FROM meta WHERE name = ?1";
    let found: Option<String> = q.row_opt(sql, params![name], |r| r.get(0))?;
    Ok(found.filter(|value| !value.is_empty()))
}

/// The number of the master that wraps new data keys.
pub(super) fn present_number(q: &dyn Query) -> Result<u32, StoreError> {
    number_in(remembered(q, NUMBER)?.as_deref())
}

/// The present key of look-up hashes, and the one before it while hashes are made anew.
pub(super) fn lookup_keys(q: &dyn Query) -> Result<[[u8; 32]; 2], StoreError> {
    let mut found = [None, None];
    let sql = "SELECT name, value FROM meta WHERE name IN (?1, ?2)";
    q.each(sql, &params![LOOKUP_KEY, LOOKUP_KEY_BEFORE], &mut |row| {
        let (name, value): (String, String) = (row.get(0)?, row.get(1)?);
        let [now, before] = &mut found;
        let place = if name == LOOKUP_KEY { now } else { before };
        *place = (!value.is_empty()).then_some(value);
        Ok(())
    })?;
    let keys = q.keys();
    let [now, before] = found;
    let open = |name: &str, text: Option<String>| text.map(|text| keys.unkeep(name, &text));
    let now = open(LOOKUP_KEY, now)
        .transpose()?
        .unwrap_or(keys.inner.hash);
    let before = open(LOOKUP_KEY_BEFORE, before).transpose()?;
    Ok([now, before.unwrap_or(now)])
}

/// The key of the seals over the log.
fn log_mac_key(log: &[u8; 32]) -> [u8; 32] {
    mac(log, &[b"luodi log pending 1"])
}

/// The look-up hash of a text under a key.
pub(super) fn lookup_with(key: &[u8; 32], class: &str, text: &str) -> [u8; 32] {
    mac(key, &[class.as_bytes(), text.as_bytes()])
}

/// The name of the wrapping under a master.
pub(super) fn wrapping(number: u32) -> String {
    format!("{WRAPPING}{number}")
}

/// The number of the master in the name of a wrapping.
fn master_of(algorithm: &str) -> Result<u32, StoreError> {
    let number = algorithm.strip_prefix(WRAPPING);
    number
        .and_then(|number| number.parse().ok())
        .ok_or(StoreError::Unsealable(
            "the data key is wrapped in an unknown way",
        ))
}

impl Keys {
    fn of(dir: &Path, number: u32, master: &Master) -> Self {
        let inner = Opened {
            dir: dir.to_owned(),
            hash: master.hash,
            log: master.log,
            log_mac: log_mac_key(&master.log),
            seen: Mutex::default(),
            wraps: RwLock::new(BTreeMap::from([(number, master.wrap)])),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Keyed hash (HMAC-SHA256) that stays the same for ever, for names: of a file's content, of a
    /// form that is being filled in. Equal texts of different classes have different hashes. What
    /// a sealed value is found by is [`Query::lookup`](trait.Query.html#method.lookup) instead.
    #[must_use]
    pub fn hash(&self, class: &str, text: &str) -> [u8; 32] {
        lookup_with(&self.inner.hash, class, text)
    }

    /// Seed of the key that signs the log. It comes from the first master key and stays the same
    /// when the master key is changed.
    #[must_use]
    pub fn log_seed(&self) -> [u8; 32] {
        self.inner.log
    }

    /// Shows that a program with the keys wrote this of the log; the first part says what it is.
    pub(super) fn log_word(&self, parts: &[&[u8]]) -> [u8; 32] {
        mac(&self.inner.log_mac, parts)
    }

    /// What the process remembers of the log, where the folder cannot.
    pub(super) fn seen(&self) -> &Mutex<Option<Mark>> {
        &self.inner.seen
    }

    /// The secrets of the first master, under the names by which they are kept.
    pub(super) fn secrets(&self) -> [(&'static str, [u8; 32]); 2] {
        [(HASH_KEY, self.inner.hash), (LOG_KEY, self.inner.log)]
    }

    /// The key folder.
    pub(super) fn dir(&self) -> &Path {
        &self.inner.dir
    }

    /// The wrapping key of a master; read from its file where another program has changed the
    /// master meanwhile.
    fn wrap(&self, number: u32) -> Result<[u8; 32], StoreError> {
        let known = self.inner.wraps.read();
        let known = known.unwrap_or_else(PoisonError::into_inner);
        if let Some(wrap) = known.get(&number) {
            return Ok(*wrap);
        }
        drop(known);
        let wrap = Master::read(&self.inner.dir, number)?.wrap;
        let known = self.inner.wraps.write();
        known
            .unwrap_or_else(PoisonError::into_inner)
            .insert(number, wrap);
        Ok(wrap)
    }

    /// A secret as `meta` keeps it under a master.
    pub(super) fn keep(
        &self,
        number: u32,
        name: &str,
        secret: &[u8; 32],
        nonce: [u8; NONCE],
    ) -> Result<String, StoreError> {
        let bound = bind(b"luodi kept secret 1", Uuid::nil(), name.as_bytes());
        let mut sealed = nonce.to_vec();
        sealed.extend(encrypt(&self.wrap(number)?, nonce, &bound, secret)?);
        Ok(format!("{} {}", wrapping(number), BASE64.encode(sealed)))
    }

    /// Opens what [`keep`](Self::keep) made.
    pub(super) fn unkeep(&self, name: &str, text: &str) -> Result<[u8; 32], StoreError> {
        const DAMAGED: StoreError = StoreError::Unsealable("a kept secret is damaged");
        let (algorithm, sealed) = text.split_once(' ').ok_or(DAMAGED)?;
        let sealed = BASE64.decode(sealed).map_err(|_| DAMAGED)?;
        let (nonce, text) = sealed.split_first_chunk::<NONCE>().ok_or(DAMAGED)?;
        let bound = bind(b"luodi kept secret 1", Uuid::nil(), name.as_bytes());
        decrypt(&self.wrap(master_of(algorithm)?)?, *nonce, &bound, text)
            .and_then(|plain| plain.try_into().ok())
            .ok_or(DAMAGED)
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
        let wrapped = wrapped.ok_or(StoreError::KeyDestroyed(owner))?;
        Ok(Some(self.unwrap(owner, &algorithm, &wrapped)?))
    }

    pub(super) fn unwrap(
        &self,
        owner: Uuid,
        algorithm: &str,
        wrapped: &[u8],
    ) -> Result<DataKey, StoreError> {
        let (nonce, text) = wrapped
            .split_first_chunk::<NONCE>()
            .ok_or(StoreError::Unsealable("the data key is cut off"))?;
        let bound = bind(b"luodi data key 1", owner, &[]);
        let key = decrypt(&self.wrap(master_of(algorithm)?)?, *nonce, &bound, text)
            .and_then(|plain| <[u8; 32]>::try_from(plain).ok())
            .ok_or(StoreError::Unsealable(
                "the data key does not fit the master key",
            ))?;
        Ok(DataKey { owner, key })
    }

    /// A data key as it is stored under a master.
    pub(super) fn wrapped(
        &self,
        number: u32,
        key: &DataKey,
        nonce: [u8; NONCE],
    ) -> Result<Vec<u8>, StoreError> {
        let bound = bind(b"luodi data key 1", key.owner, &[]);
        let mut wrapped = nonce.to_vec();
        wrapped.extend(encrypt(&self.wrap(number)?, nonce, &bound, &key.key)?);
        Ok(wrapped)
    }

    /// Makes and stores a new data key under the present master.
    pub(super) fn create(&self, tx: &Tx<'_>, owner: Uuid) -> Result<DataKey, StoreError> {
        let key = DataKey {
            owner,
            key: tx.random(),
        };
        let number = present_number(tx)?;
        let wrapped = self.wrapped(number, &key, tx.random())?;
        tx.write_part(
            TABLE,
            "INSERT INTO data_key (owner_id, algorithm, wrapped, created_at) VALUES (?1, ?2, ?3, ?4)",
            params![owner, wrapping(number), wrapped, tx.now()],
        )?;
        Ok(key)
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

    /// Opens sealed bytes of this owner that are of a class. What the caller knows he asks for, so
    /// that no sealed value stands in the place of another of the same owner.
    ///
    /// # Errors
    /// As [`open`](Self::open), and where they are of another class.
    pub fn open_as(&self, class: &str, sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
        let known = sealed.get(3..).and_then(|rest| rest.get(..class.len()));
        let length = sealed.get(2).copied().map(usize::from);
        if length != Some(class.len()) || known != Some(class.as_bytes()) {
            return Err(StoreError::Unsealable("sealed as something else"));
        }
        self.open(sealed)
    }

    /// Opens sealed bytes of this owner, whatever their class.
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

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_sealed_value_stands_for_nothing_else() {
        let sealed = key(1).seal("telephone", b"13800000000", [7; 32]).unwrap();
        assert_eq!(
            key(1).open_as("telephone", &sealed).unwrap(),
            b"13800000000"
        );
        for class in ["address", "telephon", "telephone1", ""] {
            assert!(key(1).open_as(class, &sealed).is_err(), "{class}");
        }
        assert!(key(1).open_as("telephone", &sealed[..5]).is_err());
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

    fn keys(master: u8) -> Keys {
        let master = Master::derive(&[master; 32]).unwrap();
        Keys::of(Path::new("/nowhere"), 1, &master)
    }

    #[test]
    fn hashes_depend_on_class_text_and_master_key() {
        let (ours, theirs) = (keys(1), keys(2));
        let hash = ours.hash("telephone", "138");
        assert_eq!(hash, ours.hash("telephone", "138"));
        assert_ne!(hash, ours.hash("telephone", "139"));
        assert_ne!(hash, ours.hash("id_number", "138"));
        assert_ne!(hash, ours.hash("telephone1", "38"));
        assert_ne!(hash, theirs.hash("telephone", "138"));
        assert_ne!(ours.log_seed(), theirs.log_seed());
        assert_ne!(ours.log_seed(), ours.wrap(1).unwrap());
    }

    #[test]
    fn a_kept_secret_opens_under_its_name_and_master_only() {
        let kept = keys(1).keep(1, LOG_KEY, &[9; 32], [3; NONCE]).unwrap();
        assert_eq!(keys(1).unkeep(LOG_KEY, &kept).unwrap(), [9; 32]);
        assert!(keys(1).unkeep(HASH_KEY, &kept).is_err());
        assert!(keys(2).unkeep(LOG_KEY, &kept).is_err());
        assert!(
            keys(1)
                .unkeep(LOG_KEY, &kept.replace("/1 ", "/2 "))
                .is_err()
        );
    }
}
