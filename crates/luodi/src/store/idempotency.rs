//! Once in effect: the first answer to an idempotency key, stored in the command's transaction.
//!
//! The answer is stored as it is: it names rows and never holds personal values.
//!
//! Deliberately lacks refusals: a command that failed had no effect and is decided afresh.

use jiff::SignedDuration;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::tx::Tx;
use super::{StoreError, params};

/// How long an answer is kept at least.
pub const KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Rows deleted by one sweep.
const SWEPT: i64 = 500;

/// The key a form or an API call carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// What the client sent.
    pub key: String,
    /// Whose key it is: the account, or "public". Equal keys of different scopes are unrelated.
    pub scope: String,
    /// SHA-256 of the content it was sent with.
    pub digest: [u8; 32],
}

/// An answer, and whether it is the stored one of an earlier effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Once<T> {
    /// The answer.
    pub value: T,
    /// Whether the command had its effect before and nothing was done now.
    pub replayed: bool,
}

/// Runs `f` unless the command's key had its effect already.
///
/// Hardly any key comes twice. So where the group can be undone for it, the key is not looked for
/// first: `f` runs, and where its key turns out to be taken, nothing of the group is kept and it runs
/// once more, with the look first.
pub(super) fn once<T, E, F>(tx: &Tx<'_>, f: F) -> Result<Once<T>, E>
where
    T: Serialize + DeserializeOwned,
    E: From<StoreError>,
    F: FnOnce() -> Result<T, E>,
{
    let Some(key) = tx.idempotency() else {
        return Ok(Once {
            value: f()?,
            replayed: false,
        });
    };
    if tx.is_careful()
        && let Some(once) = replayed(tx, key)?
    {
        return Ok(once);
    }
    match f() {
        Ok(value) if store(tx, key, &value)? => Ok(Once {
            value,
            replayed: false,
        }),
        Ok(_) => Err(E::from(StoreError::Poisoned("its key was taken".into()))),
        // What has written is undone and runs again; what has not may be refused for its own effect.
        Err(refusal) if tx.is_careful() || tx.is_touched() => Err(refusal),
        Err(refusal) => match replayed(tx, key)? {
            Some(once) => {
                tx.forget();
                Ok(once)
            }
            None => Err(refusal),
        },
    }
}

/// The stored answer to the command's key, if there is one.
fn replayed<T: DeserializeOwned>(
    tx: &Tx<'_>,
    key: &IdempotencyKey,
) -> Result<Option<Once<T>>, StoreError> {
    let Some(answer) = stored(tx, key)? else {
        return Ok(None);
    };
    let value = serde_json::from_value(answer)
        .map_err(|error| StoreError::Value(format!("stored answer: {error}")))?;
    Ok(Some(Once {
        value,
        replayed: true,
    }))
}

fn stored(tx: &Tx<'_>, key: &IdempotencyKey) -> Result<Option<serde_json::Value>, StoreError> {
    let found = tx.row_opt(
        "SELECT digest, command, answer FROM idempotency WHERE scope = ?1 AND key = ?2",
        params![&key.scope, &key.key],
        |r| {
            Ok((
                r.get::<[u8; 32]>(0)?,
                r.get::<String>(1)?,
                r.get::<serde_json::Value>(2)?,
            ))
        },
    )?;
    match found {
        None => Ok(None),
        Some((digest, command, answer)) if digest == sealed(tx, key) && command == tx.command() => {
            Ok(Some(answer))
        }
        Some((_, _, first_answer)) => Err(StoreError::KeyReused { first_answer }),
    }
}

/// What is kept of the content: under a key, for a plain digest of a form lets whoever reads the
/// table try passwords and numbers until one fits.
fn sealed(tx: &Tx<'_>, key: &IdempotencyKey) -> [u8; 32] {
    tx.keys().log_word(&[b"content", &key.digest])
}

/// Keeps the answer; says whether the key was free.
fn store<T: Serialize>(tx: &Tx<'_>, key: &IdempotencyKey, value: &T) -> Result<bool, StoreError> {
    let answer = serde_json::to_string(value)
        .map_err(|error| StoreError::Value(format!("answer: {error}")))?;
    let if_free = tx.session().if_free();
    let sql = format!(
        "INSERT INTO idempotency (scope, key, digest, command, answer, created_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6){if_free}"
    );
    let values = params![
        &key.scope,
        &key.key,
        sealed(tx, key),
        tx.command(),
        answer,
        tx.now()
    ];
    Ok(tx.execute(&sql, values)? > 0)
}

/// Forgets answers older than [`KEPT`], at most 500 of them, and says how many: call it again
/// (in another command) while it says 500.
///
/// # Errors
/// What the engine reports.
pub(super) fn sweep(tx: &Tx<'_>) -> Result<u64, StoreError> {
    let before = tx.now().saturating_sub(KEPT);
    let before = before.map_err(|error| StoreError::Value(error.to_string()))?;
    tx.execute(
        "DELETE FROM idempotency WHERE (scope, key) IN \
         (SELECT scope, key FROM idempotency WHERE created_at < ?1 ORDER BY created_at LIMIT ?2)",
        params![before, SWEPT],
    )
}
