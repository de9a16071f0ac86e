//! Jobs due later and messages that leave the program: one table, two queues.
//!
//! Owns claiming under a lease, bounded attempts and what happens to the dead. Deliberately lacks
//! the workers and what the kinds of job mean.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::read::{Query, Row};
use super::tx::Tx;
use super::{StoreError, params};

/// Attempts before a job is dead and waits for a person.
pub const MAX_ATTEMPTS: u32 = 12;
/// Wait after the first failed attempt; it doubles each time, up to an hour.
const FIRST_WAIT: SignedDuration = SignedDuration::from_secs(5);
const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(1);
/// Ended jobs are kept this long for those who look into what happened.
const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);
const SWEPT: i64 = 500;

/// The two queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Queue {
    /// Work of the program itself: timers, chunks of long work.
    Job,
    /// Messages that leave the program.
    Outbox,
}

impl Queue {
    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Job => "job",
            Self::Outbox => "outbox",
        }
    }
}

/// Work to be done at or after a time.
#[derive(Clone, Debug)]
pub struct Job {
    /// What is to be done; names the handler.
    pub kind: &'static str,
    /// Names the job among its kind, so that it can be set anew or cancelled while it is open.
    pub key: Option<String>,
    /// What the handler needs to know; never personal values.
    pub payload: serde_json::Value,
    /// When it is due.
    pub due_at: Timestamp,
}

/// A message that leaves the program, due at once.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// What is sent; names the sender.
    pub kind: &'static str,
    /// Content, or the ids to find it; never personal values.
    pub payload: serde_json::Value,
}

/// A job under lease.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimedJob {
    /// Its row.
    pub id: Uuid,
    /// What is to be done.
    pub kind: String,
    /// Its name among its kind.
    pub key: Option<String>,
    /// What the handler needs to know.
    pub payload: serde_json::Value,
    /// Counts this attempt: 1 at the first.
    pub attempts: u32,
    /// Proves the lease.
    pub(super) token: Uuid,
}

/// What became of a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failed {
    /// It will be claimable again at this time.
    RetryAt(Timestamp),
    /// All attempts are used up; a person must look.
    Dead,
}

/// A job that used up its attempts.
#[derive(Clone, Debug, PartialEq)]
pub struct DeadJob {
    /// Its row.
    pub id: Uuid,
    /// What was to be done.
    pub kind: String,
    /// Its name among its kind.
    pub key: Option<String>,
    /// When it was given up.
    pub ended_at: Timestamp,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
}

/// Puts a job into a queue; an open job of the same kind and key is set anew instead, and a lease
/// on it is void.
pub(super) fn enqueue(tx: &Tx<'_>, queue: Queue, job: &Job) -> Result<Uuid, StoreError> {
    if let Some(key) = &job.key
        && let Some(open) = open_job(tx, queue, job.kind, key)?
    {
        tx.execute(
            "UPDATE job SET payload = ?1, due_at = ?2, claimable_at = ?2, lease_token = NULL, \
             attempts = 0, last_error = NULL WHERE id = ?3",
            params![&job.payload, job.due_at, open],
        )?;
        return Ok(open);
    }
    let id = tx.new_id();
    tx.execute(
        "INSERT INTO job (id, queue, kind, key, open_key, payload, state, due_at, claimable_at, \
         attempts, created_at) VALUES (?1, ?2, ?3, ?4, ?4, ?5, 'open', ?6, ?6, 0, ?7)",
        params![
            id,
            queue.as_str(),
            job.kind,
            job.key.clone(),
            &job.payload,
            job.due_at,
            tx.now()
        ],
    )?;
    Ok(id)
}

/// Cancels the open job of a kind and key; says whether there was one.
pub(super) fn cancel(tx: &Tx<'_>, queue: Queue, kind: &str, key: &str) -> Result<bool, StoreError> {
    match open_job(tx, queue, kind, key)? {
        Some(id) => end(tx, id, "cancelled", None).map(|()| true),
        None => Ok(false),
    }
}

fn open_job(tx: &Tx<'_>, queue: Queue, kind: &str, key: &str) -> Result<Option<Uuid>, StoreError> {
    tx.row_opt(
        "SELECT id FROM job WHERE queue = ?1 AND kind = ?2 AND open_key = ?3",
        params![queue.as_str(), kind, key],
        |r| r.get(0),
    )
}

/// Whether anything is claimable, without a write.
pub(super) fn any_due(q: &dyn Query, queue: Queue, now: Timestamp) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM job WHERE queue = ?1 AND claimable_at <= ?2 LIMIT 1";
    Ok(
        q.row_opt(sql, params![queue.as_str(), now], |r| r.get::<i64>(0))?
            .is_some(),
    )
}

/// Leases up to `limit` due jobs until `lease` from now. A job whose worker vanished is claimed
/// again when its lease ends; one that vanished with its worker too often is dead.
pub(super) fn claim(
    tx: &Tx<'_>,
    queue: Queue,
    limit: u32,
    lease: SignedDuration,
) -> Result<Vec<ClaimedJob>, StoreError> {
    let claiming = tx.session().claiming();
    let due = tx.rows(
        &format!(
            "SELECT id, kind, key, payload, attempts FROM job \
             WHERE queue = ?1 AND claimable_at <= ?2 ORDER BY claimable_at, id LIMIT ?3{claiming}"
        ),
        params![queue.as_str(), tx.now(), limit],
        |r| claimed(r, tx.new_id()),
    )?;
    let until = later(tx.now(), lease)?;
    let mut leased = Vec::with_capacity(due.len());
    for job in due {
        if job.attempts > MAX_ATTEMPTS {
            end(
                tx,
                job.id,
                "dead",
                Some("the worker vanished at each attempt"),
            )?;
            continue;
        }
        tx.execute(
            "UPDATE job SET attempts = ?1, claimable_at = ?2, lease_token = ?3 WHERE id = ?4",
            params![job.attempts, until, job.token, job.id],
        )?;
        leased.push(job);
    }
    Ok(leased)
}

fn claimed(row: &Row<'_>, token: Uuid) -> Result<ClaimedJob, StoreError> {
    Ok(ClaimedJob {
        id: row.get(0)?,
        kind: row.get(1)?,
        key: row.get(2)?,
        payload: row.get(3)?,
        attempts: row.get::<u32>(4)?.saturating_add(1),
        token,
    })
}

/// Ends a job well, in the transaction that has its effects.
pub(super) fn finish(tx: &Tx<'_>, job: &ClaimedJob) -> Result<(), StoreError> {
    hold(tx, job)?;
    end(tx, job.id, "done", None)
}

/// Notes a failed attempt.
pub(super) fn fail(tx: &Tx<'_>, job: &ClaimedJob, error: &str) -> Result<Failed, StoreError> {
    hold(tx, job)?;
    if job.attempts >= MAX_ATTEMPTS {
        end(tx, job.id, "dead", Some(error))?;
        return Ok(Failed::Dead);
    }
    let again = later(tx.now(), wait(job.attempts))?;
    tx.execute(
        "UPDATE job SET claimable_at = ?1, lease_token = NULL, last_error = ?2 WHERE id = ?3",
        params![again, error, job.id],
    )?;
    Ok(Failed::RetryAt(again))
}

/// Wait after the n-th failed attempt, n from 1.
fn wait(attempts: u32) -> SignedDuration {
    let factor = 1_i32 << attempts.saturating_sub(1).min(20);
    FIRST_WAIT
        .checked_mul(factor)
        .map_or(LONGEST_WAIT, |wait| wait.min(LONGEST_WAIT))
}

fn later(now: Timestamp, by: SignedDuration) -> Result<Timestamp, StoreError> {
    now.checked_add(by)
        .map_err(|error| StoreError::Value(error.to_string()))
}

/// Refuses where the lease is no longer this worker's.
fn hold(tx: &Tx<'_>, job: &ClaimedJob) -> Result<(), StoreError> {
    let sql = "SELECT lease_token FROM job WHERE id = ?1 AND claimable_at IS NOT NULL";
    let token = tx
        .row_opt(sql, params![job.id], |r| r.get::<Option<Uuid>>(0))?
        .flatten();
    if token == Some(job.token) {
        Ok(())
    } else {
        Err(StoreError::LeaseLost(job.id))
    }
}

fn end(tx: &Tx<'_>, id: Uuid, state: &str, error: Option<&str>) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE job SET state = ?1, ended_at = ?2, last_error = COALESCE(?3, last_error), \
         open_key = NULL, claimable_at = NULL, lease_token = NULL WHERE id = ?4",
        params![state, tx.now(), error, id],
    )
    .map(drop)
}

/// Dead jobs, the latest first.
///
/// # Errors
/// What the engine reports.
pub fn dead(q: &dyn Query, queue: Queue, limit: u32) -> Result<Vec<DeadJob>, StoreError> {
    q.rows(
        "SELECT id, kind, key, ended_at, last_error FROM job \
         WHERE queue = ?1 AND state = 'dead' ORDER BY ended_at DESC, id DESC LIMIT ?2",
        params![queue.as_str(), limit],
        |r| {
            Ok(DeadJob {
                id: r.get(0)?,
                kind: r.get(1)?,
                key: r.get(2)?,
                ended_at: r.get(3)?,
                last_error: r.get(4)?,
            })
        },
    )
}

/// Gives a dead job all its attempts again, due at once.
///
/// # Errors
/// [`StoreError::NotFound`] where no such job is dead; [`StoreError::Conflict`] where an open job
/// has its kind and key meanwhile.
pub fn revive(tx: &Tx<'_>, id: Uuid) -> Result<(), StoreError> {
    let changed = tx.execute(
        "UPDATE job SET state = 'open', open_key = key, claimable_at = ?1, attempts = 0, \
         ended_at = NULL WHERE id = ?2 AND state = 'dead'",
        params![tx.now(), id],
    )?;
    if changed == 1 {
        Ok(())
    } else {
        Err(StoreError::NotFound(format!("dead job {id}")))
    }
}

/// Deletes jobs done or cancelled more than 30 days ago, at most 500, and says how many.
///
/// # Errors
/// What the engine reports.
pub(super) fn sweep(tx: &Tx<'_>) -> Result<u64, StoreError> {
    let before = later(tx.now(), -KEPT)?;
    tx.execute(
        "DELETE FROM job WHERE id IN (SELECT id FROM job WHERE ended_at < ?1 AND state <> 'dead' \
         ORDER BY ended_at LIMIT ?2)",
        params![before, SWEPT],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_an_hour() {
        let seconds: Vec<i64> = (1..=MAX_ATTEMPTS).map(|n| wait(n).as_secs()).collect();
        assert_eq!(
            seconds,
            [5, 10, 20, 40, 80, 160, 320, 640, 1_280, 2_560, 3_600, 3_600]
        );
        assert_eq!(wait(0).as_secs(), 5);
        assert_eq!(wait(31).as_secs(), 3_600);
        assert_eq!(wait(32).as_secs(), 3_600);
        assert_eq!(wait(u32::MAX).as_secs(), 3_600);
    }
}

/// How many jobs of one kind wait, and how many were given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// What is to be done.
    pub kind: String,
    /// Due later.
    pub later: u64,
    /// Due now, not failed yet.
    pub due: u64,
    /// Failed at least once and tried again.
    pub failing: u64,
    /// Given up; a person must look.
    pub dead: u64,
}

/// Jobs and messages that have not ended well, by kind.
///
/// # Errors
/// What the engine reports.
pub fn waiting_jobs(q: &dyn Query, now: Timestamp) -> Result<Vec<Waiting>, StoreError> {
    q.rows(
        "SELECT kind, COUNT(CASE WHEN state = 'open' AND attempts = 0 AND claimable_at > ?1 THEN 1 END), \
           COUNT(CASE WHEN state = 'open' AND attempts = 0 AND claimable_at <= ?1 THEN 1 END), \
           COUNT(CASE WHEN state = 'open' AND attempts > 0 THEN 1 END), \
           COUNT(CASE WHEN state = 'dead' THEN 1 END) \
         FROM job WHERE state IN ('open', 'dead') GROUP BY kind ORDER BY kind",
        params![now],
        |r| {
            Ok(Waiting {
                kind: r.get(0)?,
                later: r.get(1)?,
                due: r.get(2)?,
                failing: r.get(3)?,
                dead: r.get(4)?,
            })
        },
    )
}
