//! A command as the writer sees it: a closure of unknown types, run once its turn has come and
//! answered once its group has ended.
//!
//! Deliberately lacks the transaction around it (`writer`).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::StoreError;
use super::tx::{Command, Tx};

/// A closure that takes longer is logged by name.
const SLOW: Duration = Duration::from_millis(20);

#[expect(
    clippy::disallowed_methods,
    reason = "the store measures how long its own work takes"
)]
pub(super) fn clock() -> Instant {
    Instant::now()
}

/// Whether the work of a command is to be kept.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Keep,
    Undo,
}

/// A closure of unknown types that waits for its turn.
pub(super) trait Task: Send {
    /// Runs the closure and keeps what it found.
    fn run(&mut self, tx: &Tx<'_>) -> Verdict;
    /// Answers with what `run` found, or with the failure of the whole group.
    fn answer(self: Box<Self>, failure: Option<StoreError>);
}

type Reply<T, E> = Box<dyn FnOnce(Result<T, E>) + Send>;

struct Typed<T, E, F> {
    closure: F,
    outcome: Option<Result<T, E>>,
    reply: Reply<T, E>,
}

impl<T, E, F> Task for Typed<T, E, F>
where
    T: Send,
    E: From<StoreError> + Send,
    F: Fn(&Tx<'_>) -> Result<T, E> + Send,
{
    fn run(&mut self, tx: &Tx<'_>) -> Verdict {
        let ran = catch_unwind(AssertUnwindSafe(|| (self.closure)(tx)));
        let outcome = match ran {
            Ok(Ok(value)) => tx.conclude().map(|()| value).map_err(E::from),
            Ok(Err(refusal)) => Err(refusal),
            Err(panic) => Err(E::from(panicked(tx.command(), panic.as_ref()))),
        };
        let verdict = if outcome.is_ok() {
            Verdict::Keep
        } else {
            Verdict::Undo
        };
        self.outcome = Some(outcome);
        verdict
    }

    fn answer(self: Box<Self>, failure: Option<StoreError>) {
        let outcome = match (failure, self.outcome) {
            (None, Some(outcome)) => outcome,
            (Some(failure), _) => Err(E::from(failure)),
            (None, None) => Err(E::from(closed())),
        };
        (self.reply)(outcome);
    }
}

/// The error for a closure that panicked.
pub(super) fn panicked(command: &str, panic: &(dyn std::any::Any + Send)) -> StoreError {
    let message = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    StoreError::Panicked {
        command: command.to_owned(),
        message,
    }
}

pub(super) fn closed() -> StoreError {
    StoreError::Unavailable("the store is closed".into())
}

/// A command on its way to the writer.
pub(super) struct Request {
    pub(super) command: Command,
    pub(super) task: Box<dyn Task>,
}

impl Request {
    pub(super) fn new<T, E, F>(command: Command, closure: F, reply: Reply<T, E>) -> Self
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: Fn(&Tx<'_>) -> Result<T, E> + Send + 'static,
    {
        Self {
            command,
            task: Box::new(Typed {
                closure,
                outcome: None,
                reply,
            }),
        }
    }
}

/// Runs the closure of a command; one that takes long is logged by name.
pub(super) fn timed(task: &mut dyn Task, tx: &Tx<'_>) -> Verdict {
    let started = clock();
    let verdict = task.run(tx);
    let took = started.elapsed();
    if took > SLOW {
        let milliseconds = took.as_millis();
        let command = tx.command();
        tracing::warn!(
            command,
            milliseconds,
            "slow command {command}: {milliseconds} ms"
        );
    }
    verdict
}
