//! Passwords: what a good one is, hashing with Argon2id, one-time passwords.
//!
//! It lacks the accounts. Hashing is slow on purpose, so it happens outside commands, on blocking
//! threads, and only two at once: a flood of log-ins must not take the processors from everybody.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use crate::refusal::Refusal;
use crate::web::{WebError, counted};

/// The shortest password, in characters.
pub const SHORTEST: usize = 10;
/// The longest password, in bytes: hashing reads all of it.
pub const LONGEST_BYTES: usize = 256;

/// Passwords that do not come back: the present one and those before it.
pub(super) const REMEMBERED: i64 = 5;

/// Passwords of ten and more characters that guessers try first.
const COMMON: &[&str] = &[
    "0123456789",
    "1234567890",
    "12345678910",
    "123456789a",
    "a123456789",
    "1q2w3e4r5t",
    "1qaz2wsx3edc",
    "abc1234567",
    "abcd123456",
    "admin12345",
    "admin123456",
    "administrator",
    "asdfghjkl1",
    "iloveyou123",
    "password12",
    "password123",
    "password1234",
    "p@ssw0rd123",
    "qwerty12345",
    "qwertyuiop",
    "qq123456789",
    "wenzhou123",
    "welcome123",
    "woaini1314",
    "woaini520520",
    "zxcvbnm123",
    "5201314520",
    "9876543210",
];

/// Why a password is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordRule {
    /// Fewer than ten characters.
    Short,
    /// More than 256 bytes.
    Long,
    /// It is the log-in name, or holds little else.
    Login,
    /// Guessers try it first.
    Common,
    /// One or two characters, repeated.
    Repeated,
    /// What others know of the owner, or little else.
    Known,
    /// One of the last.
    Past,
}

impl PasswordRule {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Short => "password-short",
            Self::Long => "password-long",
            Self::Login => "password-login",
            Self::Common => "password-common",
            Self::Repeated => "password-repeated",
            Self::Known => "password-known",
            Self::Past => "password-past",
        }
    }

    /// What to do, in Chinese.
    pub const fn message_zh(self) -> &'static str {
        match self {
            Self::Short => "密码至少 10 个字符。几个不相干的词连起来，既长又好记。",
            Self::Long => "密码最长 256 字节，请缩短。",
            Self::Login => "密码不能是登录名、重复几遍的登录名，或再加几个字符，请换一个。",
            Self::Common => "这个密码太常见，容易被猜中，请换一个。",
            Self::Repeated => "密码不能只由一两个字符重复组成，请换一个。",
            Self::Known => {
                "密码不能是名称、统一社会信用代码、证件或电话号码，或只在其后加几个字符，请换一个。"
            }
            Self::Past => "密码不能与最近 5 次用过的相同，请换一个。",
        }
    }

    /// What to do, in English.
    pub const fn message_en(self) -> &'static str {
        match self {
            Self::Short => "a password has at least 10 characters: join a few unrelated words",
            Self::Long => "a password has at most 256 bytes: shorten it",
            Self::Login => "the password must not be the log-in name with a few characters added",
            Self::Common => "this password is guessed first: choose another",
            Self::Repeated => "the password must not repeat one or two characters: choose another",
            Self::Known => {
                "the password must not be a name, code or number of the owner: choose another"
            }
            Self::Past => "the password must not be one of the last five: choose another",
        }
    }
}

/// Whether an account may have this password.
///
/// # Errors
/// The first rule it breaks.
pub fn check(login: &str, password: &str) -> Result<(), PasswordRule> {
    let folded = password.to_lowercase();
    let mut different: Vec<char> = folded.chars().collect();
    different.sort_unstable();
    different.dedup();
    if password.chars().count() < SHORTEST {
        Err(PasswordRule::Short)
    } else if password.len() > LONGEST_BYTES {
        Err(PasswordRule::Long)
    } else if is_login_with_little(&login.to_lowercase(), &folded) {
        Err(PasswordRule::Login)
    } else if COMMON.contains(&folded.as_str()) {
        Err(PasswordRule::Common)
    } else if different.len() <= 2 {
        Err(PasswordRule::Repeated)
    } else {
        Ok(())
    }
}

/// Whether a password is what others know of its owner, or holds little else.
///
/// # Errors
/// [`PasswordRule::Known`] where it is.
pub(super) fn check_known(words: &[String], password: &str) -> Result<(), PasswordRule> {
    let folded = password.to_lowercase();
    let known = |word: &String| is_login_with_little(&word.to_lowercase(), &folded);
    if words.iter().any(known) {
        Err(PasswordRule::Known)
    } else {
        Ok(())
    }
}

/// Refuses a password that fits one of these hashes.
///
/// # Errors
/// Refused where it does, and where too many wait for their turn.
pub(super) async fn refuse_past(password: &str, hashes: Vec<String>) -> Result<(), WebError> {
    for hash in hashes {
        if fits_in_turn(password.to_owned(), hash).await? {
            let rule = PasswordRule::Past;
            return Err(Refusal::field("new_password", rule.code(), rule.message_zh()).into());
        }
    }
    Ok(())
}

/// The log-in name itself, once or several times, with up to four characters besides.
fn is_login_with_little(login: &str, password: &str) -> bool {
    !login.is_empty()
        && password.contains(login)
        && password.replace(login, "").chars().count() <= 4
}

/// A hash in the PHC string format, which names algorithm and cost: Argon2id, 19 MiB, two passes,
/// one lane (OWASP's recommendation of 2023). The salt must be unique to the password.
///
/// # Errors
/// What the algorithm reports; not for a password within [`LONGEST_BYTES`].
pub fn hash_with_salt(
    password: &str,
    salt: &[u8; 16],
) -> Result<String, argon2::password_hash::Error> {
    let hash: PasswordHash =
        Argon2::default().hash_password_with_salt(password.as_bytes(), salt)?;
    Ok(hash.to_string())
}

/// A hash with a fresh salt.
///
/// # Errors
/// As [`hash_with_salt`].
pub fn hash(password: &str) -> Result<String, argon2::password_hash::Error> {
    hash_with_salt(password, &fresh())
}

/// Whether the password is the one hashed. A text that is no hash fits no password.
pub fn fits(password: &str, hash: &str) -> bool {
    let verified: argon2::password_hash::Result<()> =
        Argon2::default().verify_password(password.as_bytes(), hash);
    verified.is_ok()
}

/// The hash that a log-in without an account is tried against, so that it takes as long as another.
/// Its output is all zeros, which no known password gives.
pub const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$\
                          AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Passwords hashed at once.
static SLOTS: Semaphore = Semaphore::const_new(2);
/// Strangers' passwords before the slots at once: who is known waits for one of these at most, and
/// never for the others in the queue.
static GATE: Semaphore = Semaphore::const_new(2);
/// Passwords hashed or waiting for it; further ones are asked to come back.
static QUEUE: Semaphore = Semaphore::const_new(200);
/// Places of the queue that strangers may have together.
const OF_STRANGERS: u32 = 150;
/// Places that strangers of one address may have.
const OF_ADDRESS: u32 = 40;
/// After how many seconds who found no place may come back.
const BUSY_SECONDS: u32 = 5;

/// Places that strangers have at present, by what counts as one address.
static PLACES: Places = Places(Mutex::new(BTreeMap::new()));

struct Places(Mutex<BTreeMap<String, u32>>);

impl Places {
    /// A place for a stranger, unless his address or strangers together have all of theirs.
    fn take(&self, address: String) -> Option<Place<'_>> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let here = taken.get(&address).copied().unwrap_or_default();
        if here >= OF_ADDRESS || taken.values().sum::<u32>() >= OF_STRANGERS {
            return None;
        }
        taken.insert(address.clone(), here + 1);
        Some(Place { of: self, address })
    }
}

/// A stranger's place in the queue, free again when he is gone.
struct Place<'a> {
    of: &'a Places,
    address: String,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut taken = self.of.0.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.get_mut(&self.address) {
            Some(here) if *here > 1 => *here -= 1,
            _ => {
                taken.remove(&self.address);
            }
        }
    }
}

/// [`fits`], when its turn has come, for who is known: by his session, or by a browser he has
/// logged in with.
///
/// # Errors
/// Refuses where too many wait.
pub async fn fits_in_turn(password: String, hash: String) -> Result<bool, WebError> {
    in_turn(move || fits(&password, &hash)).await
}

/// [`fits`] for a stranger: behind who is known, and with few places for one address, so that a
/// flood of log-ins keeps out neither.
///
/// # Errors
/// Refuses where too many wait.
pub(super) async fn fits_for_stranger(
    password: String,
    hash: String,
    address: &str,
) -> Result<bool, WebError> {
    let place = PLACES.take(counted(address)).ok_or_else(busy)?;
    let gate = GATE.acquire().await.map_err(WebError::fault)?;
    in_turn(move || {
        let done = fits(&password, &hash);
        drop((gate, place));
        done
    })
    .await
}

/// [`hash`], when its turn has come.
///
/// # Errors
/// Refuses where too many wait.
pub async fn hash_in_turn(password: String) -> Result<String, WebError> {
    in_turn(move || hash(&password))
        .await?
        .map_err(WebError::fault)
}

fn busy() -> Refusal {
    Refusal {
        wait_seconds: BUSY_SECONDS,
        ..Refusal::too_many("busy", "同时登录的人太多，请过 5 秒再试。")
    }
}

async fn in_turn<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, WebError> {
    let place = QUEUE.try_acquire().map_err(|_| busy())?;
    let slot = SLOTS.acquire().await.map_err(WebError::fault)?;
    // The slot goes along: a visitor who leaves does not make room while his password is hashed.
    tokio::task::spawn_blocking(move || {
        let done = work();
        drop((slot, place));
        done
    })
    .await
    .map_err(WebError::fault)
}

/// A password that an administrator hands over: 80 random bits.
pub fn one_time() -> String {
    spoken(16)
}

/// At most sixteen random letters and digits of five bits each, in groups of four, without those
/// that look alike.
pub(super) fn spoken(length: usize) -> String {
    const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let random = fresh();
    let letters: Vec<char> = random
        .iter()
        .filter_map(|byte| LETTERS.get(usize::from(byte % 32)).copied().map(char::from))
        .take(length)
        .collect();
    letters
        .chunks(4)
        .map(|group| group.iter().collect::<String>())
        .collect::<Vec<_>>()
        .join("-")
}

/// Sixteen unpredictable bytes.
fn fresh() -> [u8; 16] {
    let digest: [u8; 32] = Sha256::digest(crate::store::secret().as_bytes()).into();
    std::array::from_fn(|at| digest.get(at).copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_one(login: &str, password: &str, expected: Result<(), PasswordRule>) {
        assert_eq!(check(login, password), expected, "{login} / {password}");
    }

    #[test]
    fn rules() {
        check_one("chen", "山高水长风和日丽又一年", Ok(()));
        check_one("chen", "blue-kettle-88", Ok(()));
        check_one("chen", "short-one", Err(PasswordRule::Short));
        check_one("chen", &"长".repeat(100), Err(PasswordRule::Long));
        check_one("luchengwindow", "LuChengWindow", Err(PasswordRule::Login));
        check_one(
            "luchengwindow",
            "luchengwindow2026",
            Err(PasswordRule::Login),
        );
        check_one("luwei01", "luwei01luwei01", Err(PasswordRule::Login));
        check_one("luwei01", "Luwei01-luwei01!", Err(PasswordRule::Login));
        check_one("chen", "chen-likes-tea-in-spring", Ok(()));
        check_one("chen", "Password123", Err(PasswordRule::Common));
        check_one("chen", "abababababab", Err(PasswordRule::Repeated));
    }

    #[test]
    fn what_others_know_is_no_password() {
        let words = ["永嘉瓯越新能源有限公司", "91330324MAD001234X", "01011234"];
        let words = words.map(str::to_owned);
        let refused = |password: &str| check_known(&words, password).is_err();
        for known in [
            "永嘉瓯越新能源有限公司",
            "永嘉瓯越新能源有限公司2026",
            "91330324mad001234x",
            "ab01011234",
        ] {
            assert!(refused(known), "{known}");
        }
        assert!(!refused("blue-kettle-01011234"));
    }

    #[test]
    fn strangers_of_one_address_and_all_strangers_have_so_many_places() {
        let places = Places(Mutex::default());
        let take = |address: &str, n: u32| -> Vec<Place<'_>> {
            (0..n)
                .map_while(|_| places.take(address.to_owned()))
                .collect()
        };
        let flood = take("a", 1_000);
        assert_eq!(flood.len(), 40);
        let others: Vec<usize> = ["b", "c", "d"].map(|of| take(of, 1_000).len()).into();
        assert_eq!(others, [40, 40, 40], "what was left is free again");
        let held: Vec<Place<'_>> = ["b", "c", "d"]
            .into_iter()
            .flat_map(|of| take(of, 1_000))
            .collect();
        assert_eq!(held.len(), 110, "all strangers together");
        drop(flood);
        assert_eq!(take("e", 1_000).len(), 40);
    }

    #[test]
    fn a_hash_fits_its_password_only_and_names_its_cost() {
        let hash = hash_with_salt("blue-kettle-88", &[7; 16]).unwrap();
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        assert!(fits("blue-kettle-88", &hash));
        assert!(!fits("blue-kettle-89", &hash));
        assert!(!fits("blue-kettle-88", "no hash"));
        assert_ne!(hash, hash_with_salt("blue-kettle-88", &[8; 16]).unwrap());
    }

    #[test]
    fn nobody_is_a_hash_of_the_same_cost() {
        let nobody = PasswordHash::new(NOBODY).unwrap();
        let real = hash_with_salt("blue-kettle-88", &[7; 16]).unwrap();
        let real = PasswordHash::new(&real).unwrap();
        assert_eq!(nobody.params, real.params);
        assert_eq!(nobody.algorithm, real.algorithm);
        assert!(!fits("", NOBODY));
    }

    #[test]
    fn one_time_passwords_are_good_and_differ() {
        let (a, b) = (one_time(), one_time());
        assert_ne!(a, b);
        assert_eq!(a.len(), 19);
        assert_eq!(check("chen", &a), Ok(()));
    }
}
