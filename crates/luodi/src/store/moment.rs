//! What the store knows of time: when anything was last recorded, and when the machine's clock was
//! last known to be right. Commands are never recorded under an earlier time than the one before.
//!
//! On a server shared by several programs each keeps its own order; their clocks are kept together
//! by the operator.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;

use super::read::Query;
use super::tx::{Command, Tx};
use super::{StoreError, keys, params};

/// The name under which `meta` remembers the time known to be right, in milliseconds.
const CLOCK: &str = "clock";

/// The latest time of any command.
#[derive(Debug)]
pub(super) struct Moment(AtomicI64);

impl Default for Moment {
    fn default() -> Self {
        Self(AtomicI64::new(i64::MIN))
    }
}

impl Moment {
    /// No command comes before this.
    pub(super) fn not_before(&self, last: Timestamp) {
        self.0.fetch_max(last.as_millisecond(), Ordering::Relaxed);
    }

    /// The command, not before the ones that were given before.
    pub(super) fn in_order(&self, mut command: Command) -> Command {
        let asked = command.now.as_millisecond();
        let before = self.0.fetch_max(asked, Ordering::Relaxed);
        if before > asked {
            command.now = Timestamp::from_millisecond(before).unwrap_or(command.now);
        }
        command
    }
}

/// The latest time under which anything stands in the log.
///
/// # Errors
/// What the engine reports.
pub fn last_recorded(q: &dyn Query) -> Result<Option<Timestamp>, StoreError> {
    let sql = "SELECT at FROM audit_event ORDER BY at DESC LIMIT 1";
    q.row_opt(sql, params![], |row| row.get(0))
}

/// The time at which the machine's clock was last known to be right; none before that was noted.
///
/// # Errors
/// What the engine reports.
pub fn known_time(q: &dyn Query) -> Result<Option<Timestamp>, StoreError> {
    let Some(text) = keys::remembered(q, CLOCK)? else {
        return Ok(None);
    };
    let at = text.parse().ok().map(Timestamp::from_millisecond);
    at.and_then(Result::ok)
        .map(Some)
        .ok_or_else(|| StoreError::Value(format!("the time in meta is damaged: {text}")))
}

/// Notes that the machine's clock was right at a time.
///
/// # Errors
/// What the engine reports.
pub fn note_time(tx: &Tx<'_>, at: Timestamp) -> Result<(), StoreError> {
    let text = at.as_millisecond().to_string();
    let sql = "UPDATE meta SET value = ?2 WHERE name = ?1";
    if tx.execute(sql, params![CLOCK, &text])? == 0 {
        let sql = "INSERT INTO meta (name, value) VALUES (?1, ?2)";
        tx.execute(sql, params![CLOCK, text])?;
    }
    Ok(())
}
