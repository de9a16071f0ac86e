//! Carrying the log on, from outside of commands: the turns of the numbering, what the key folder
//! remembers after them, and the word of an operator where the log is another than it remembers.

use std::sync::PoisonError;

use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::mark::{self, Mark};
use super::sequence::{self, Round};
use super::{ActorRef, Event, tree};
use crate::store::tx::Command;
use crate::store::{Store, StoreError};

/// The event that notes that an operator took the log as it is.
const ACCEPTED: &str = "log.accept";

/// A log that was taken as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Events the key folder remembered; none where its mark could not be read.
    pub remembered: Option<u64>,
    /// Events the log has.
    pub size: u64,
}

impl Store {
    /// Gives every committed event its number in the log, signs the root, and says how many there
    /// were. Costs no write where none waits.
    ///
    /// # Errors
    /// The store's own; [`StoreError::Log`] where the log is not the one that was signed last, or not
    /// the one the key folder remembers: nothing is numbered then.
    pub async fn sequence(&self, now: Timestamp) -> Result<usize, StoreError> {
        let store = self.clone();
        let numbered = tokio::task::spawn_blocking(move || store.sequence_blocking(now)).await;
        numbered.unwrap_or_else(|_| Err(crate::store::task::closed()))
    }

    /// [`sequence`](Self::sequence) from code that is not asynchronous.
    ///
    /// # Errors
    /// As [`sequence`](Self::sequence).
    ///
    /// # Panics
    /// As [`write_blocking`](Self::write_blocking).
    pub fn sequence_blocking(&self, now: Timestamp) -> Result<usize, StoreError> {
        let numbered = self.number(now);
        let trouble = match &numbered {
            Err(StoreError::Log(why)) => Some(why.clone()),
            _ => None,
        };
        let mut known = self.trouble_lock();
        if *known != trouble {
            if let Some(why) = &trouble {
                tracing::error!("the log is not carried on: {why}");
            }
            *known = trouble;
        }
        numbered
    }

    /// Why the log is not carried on, where it is not, as this process saw it last.
    #[must_use]
    pub fn log_trouble(&self) -> Option<String> {
        self.trouble_lock().clone()
    }

    fn trouble_lock(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        let trouble = &self.inner.trouble;
        trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn number(&self, now: Timestamp) -> Result<usize, StoreError> {
        let keys = self.keys();
        let mut numbered = 0;
        loop {
            let seen = mark::known(keys)?;
            let (signed, waits) = self.read_blocking(|q| sequence::look(&**q, seen.as_ref()))?;
            if let Some(signed) = &signed {
                mark::advance(keys, signed);
            }
            if !waits {
                return Ok(numbered);
            }
            let command = Command::new("log.sequence", now);
            let round =
                self.write_blocking(command, move |tx| sequence::sequence(tx, seen.as_ref()))?;
            match round {
                Round::Busy => return Ok(numbered),
                Round::Broken(why) => return Err(StoreError::Log(why)),
                Round::Went {
                    numbered: count,
                    more,
                    signed,
                } => {
                    numbered += count;
                    if let Some(signed) = &signed {
                        mark::advance(keys, signed);
                    }
                    if !more {
                        return Ok(numbered);
                    }
                }
            }
        }
    }

    /// Takes the log as it is, where it is not the one the key folder remembers: after a backup was
    /// put back, or a standby took over that had not heard of the last events. Notes it with the
    /// reason. None where the log is the one it remembers.
    ///
    /// # Errors
    /// [`StoreError::Log`] where the log is not in order by itself, the store's own.
    ///
    /// # Panics
    /// As [`write_blocking`](Self::write_blocking).
    pub fn accept_log(
        &self,
        now: Timestamp,
        actor: &ActorRef,
        reason: &str,
    ) -> Result<Option<Accepted>, StoreError> {
        let keys = self.keys();
        let seen = mark::known(keys);
        if let Ok(seen) = &seen {
            let looked = self.read_blocking(|q| sequence::look(&**q, seen.as_ref()));
            if !matches!(looked, Err(StoreError::Log(_))) {
                return looked.map(|_| None);
            }
        }
        let (signed, _) = self.read_blocking(|q| sequence::look(&**q, None))?;
        let accepted = Accepted {
            remembered: seen.ok().flatten().map(|seen| seen.size),
            size: signed.as_ref().map_or(0, |signed| signed.size),
        };
        mark::set(keys, signed.as_ref())?;
        let event = Event {
            actor: actor.clone(),
            command: ACCEPTED,
            subject: ("audit_head", Uuid::nil()),
            detail: json!({
                "reason": reason, "remembered": accepted.remembered, "events": accepted.size,
            }),
            rows: Vec::new(),
        };
        self.write_blocking(Command::new(ACCEPTED, now), move |tx| {
            tx.event(event.clone());
            Ok::<_, StoreError>(())
        })?;
        self.sequence_blocking(now)?;
        Ok(Some(accepted))
    }
}

/// The mark of a database that was put back from a backup: what its last checkpoint says.
///
/// # Errors
/// What the engine reports.
pub(in crate::store) fn mark_of(
    q: &dyn crate::store::read::Query,
) -> Result<Option<Mark>, StoreError> {
    let Some(kept) = tree::latest(q)? else {
        return Ok(None);
    };
    let Some(head) = tree::head(q)? else {
        return Ok(None);
    };
    let log = tree::signer(q.keys(), &head.origin)?.verifier();
    Ok(kept.open(&log).ok().map(|checkpoint| Mark {
        origin: checkpoint.origin,
        size: checkpoint.size,
        root: checkpoint.root,
    }))
}
