//! What stands before an engine: the queue of commands, whether they are possible, and the threads
//! that serve them.
//!
//! Deliberately lacks the work itself (`writer`, `workers`).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::mpsc::Sender;

use super::StoreError;
use super::task::Request;
use super::tx::AfterCommit;

/// What stands in the queue.
pub(super) enum Message {
    Run(Request),
    /// Wakes a thread to see that it is to stop.
    Stop,
}

/// What the threads and the store tell each other.
#[derive(Default)]
pub(super) struct Gate {
    read_only: AtomicBool,
    stopping: AtomicBool,
}

impl Gate {
    pub(super) fn read_only(&self) -> bool {
        self.read_only.load(Ordering::Acquire)
    }

    /// Says whether writing is impossible; gives what was said before.
    pub(super) fn set_read_only(&self, read_only: bool) -> bool {
        self.read_only.swap(read_only, Ordering::AcqRel)
    }

    pub(super) fn stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }
}

/// The handle of the threads. Their receiver goes with the last of them, and refuses who comes
/// later.
pub(super) struct Front {
    queue: Sender<Message>,
    gate: Arc<Gate>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Front {
    pub(super) fn new(
        queue: Sender<Message>,
        gate: Arc<Gate>,
        threads: Vec<JoinHandle<()>>,
    ) -> Self {
        Self {
            queue,
            gate,
            threads: Mutex::new(threads),
        }
    }

    pub(super) fn queue(&self) -> Sender<Message> {
        self.queue.clone()
    }

    pub(super) fn writable(&self) -> bool {
        !self.gate.read_only() && !self.gate.stopping()
    }

    /// Answers what waits and ends the threads.
    pub(super) fn stop(&self) {
        self.gate.stopping.store(true, Ordering::Release);
        let threads =
            std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for _ in &threads {
            // A full queue needs no waking.
            let _ = self.queue.try_send(Message::Stop);
        }
        for thread in threads {
            if thread.thread().id() != std::thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}

/// The clock of a thread that waits now and then.
pub(super) fn timer() -> Result<tokio::runtime::Runtime, StoreError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(unavailable)
}

/// Starts a thread of an engine.
pub(super) fn spawn(
    name: String,
    work: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, StoreError> {
    let thread = std::thread::Builder::new().name(name).spawn(work);
    thread.map_err(unavailable)
}

fn unavailable(error: std::io::Error) -> StoreError {
    StoreError::Unavailable(error.to_string())
}

/// Runs what was to happen after the commit. The commands are committed: whatever their callbacks
/// do, they stay so.
pub(super) fn call_back(callbacks: Vec<AfterCommit>) {
    for callback in callbacks {
        if catch_unwind(AssertUnwindSafe(callback)).is_err() {
            tracing::error!("work after a commit panicked");
        }
    }
}
