//! Workers: on a server, a few threads with a connection each; every command is a transaction.
//!
//! What another command made impossible is run again. A lost connection is made anew; a commit
//! whose answer was lost with it is settled by the command's idempotency key, or by its event in
//! the log. Deliberately lacks groups: the server makes its own.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::RngExt;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{self, Receiver};
use uuid::Uuid;

use super::audit::bound::Shapes;
use super::front::{self, Front, Gate, Message};
use super::keys::Keys;
use super::postgres::{self, Isolation, Server};
use super::session::Session;
use super::stats::Counters;
use super::task::{Request, Verdict, timed};
use super::tx::{AfterCommit, Ended, Lent, Tx};
use super::{StoreError, params};

/// Runs of one command at most: under contention each loser has seen another one win.
const RACES: u32 = 40;
/// Runs of one command at most that found a key taken. A faster command that took it is seen by the
/// next run, which then mostly decides otherwise; a key that is taken for good costs these runs.
const TAKEN: u32 = 8;
/// Connections tried for one command.
const CONNECTIONS: u32 = 3;
/// The longest wait after the n-th lost race is n times this.
const BACK_OFF: Duration = Duration::from_millis(2);

/// Called before each commit; tests break the connection there.
pub(super) type OnCommit = Arc<dyn Fn(&postgres::Session) + Send + Sync>;

/// What the workers work with.
#[derive(Clone)]
pub(super) struct Setup {
    pub(super) server: Server,
    pub(super) isolation: Isolation,
    pub(super) durable: bool,
    pub(super) probe_every: Duration,
    pub(super) keys: Keys,
    pub(super) shapes: Arc<Shapes>,
    pub(super) counters: Arc<Counters>,
    pub(super) on_commit: Option<OnCommit>,
}

/// Starts `count` threads with room for `queue` waiting commands.
pub(super) fn start(setup: &Setup, count: usize, queue: usize) -> Result<Front, StoreError> {
    let (queue, waiting) = mpsc::channel(queue.max(1));
    let (gate, waiting) = (Arc::new(Gate::default()), Arc::new(Mutex::new(waiting)));
    let mut threads = Vec::new();
    for number in 0..count.max(1) {
        let timer = front::timer()?;
        let worker = Worker {
            setup: setup.clone(),
            gate: gate.clone(),
            waiting: waiting.clone(),
            session: None,
        };
        let name = format!("store-worker-{number}");
        threads.push(front::spawn(name, move || worker.work(&timer))?);
    }
    Ok(Front::new(queue, gate, threads))
}

/// How a run of a command ended that is to be answered.
enum Ran {
    Committed(Vec<AfterCommit>),
    Undone,
}

/// Why a run of a command is no answer yet.
enum Again {
    /// Another command was faster.
    Raced(StoreError),
    /// A key was taken: perhaps by a faster command, so that the closure now sees it.
    Taken,
    /// The connection was lost before the commit.
    Lost(StoreError),
    /// The connection was lost in the commit; the event tells whether it took place.
    Unknown(StoreError, Option<Uuid>, Vec<AfterCommit>),
    /// The commit was refused.
    Refused(StoreError),
}

/// Waits a moment, longer for who lost more often, so that the losers do not meet again.
fn back_off(races: u32) {
    std::thread::sleep(BACK_OFF.mul_f64(rand::rng().random::<f64>() * f64::from(races)));
}

struct Worker {
    setup: Setup,
    gate: Arc<Gate>,
    waiting: Arc<Mutex<Receiver<Message>>>,
    session: Option<postgres::Session>,
}

impl Worker {
    fn work(mut self, timer: &Runtime) {
        while let Some(message) = self.next(timer) {
            if let Message::Run(request) = message {
                self.serve(request);
            }
        }
    }

    /// Waits for a message; while the server cannot be written, tries now and then. None once the
    /// store is to stop and nothing waits any more.
    fn next(&mut self, timer: &Runtime) -> Option<Message> {
        let shared = self.waiting.clone();
        loop {
            let received = {
                let mut waiting = shared.lock().unwrap_or_else(PoisonError::into_inner);
                if self.gate.stopping() {
                    return waiting.try_recv().ok();
                }
                let wait = self.setup.probe_every.max(Duration::from_millis(1));
                timer.block_on(async { tokio::time::timeout(wait, waiting.recv()).await })
            };
            match received {
                Ok(message) => return message,
                Err(_) if self.gate.read_only() => self.probe(),
                Err(_) => {}
            }
        }
    }

    fn probe(&mut self) {
        self.session = None;
        if let Err(error) = self.connect() {
            tracing::warn!("the store is read-only: {error}");
        }
    }

    /// Takes the connection, or makes one and looks whether the server can be written safely.
    fn connect(&mut self) -> Result<postgres::Session, StoreError> {
        if let Some(session) = self.session.take().filter(|session| !session.is_closed()) {
            return Ok(session);
        }
        let made = self.setup.server.connect().and_then(|session| {
            postgres::inspect(&session, self.setup.durable)?;
            Ok(session)
        });
        let was = self.gate.set_read_only(made.is_err());
        if was && made.is_ok() {
            tracing::info!("the store can be written");
        }
        made
    }

    fn serve(&mut self, mut request: Request) {
        match self.run(&mut request) {
            Ok(Ran::Committed(callbacks)) => {
                self.setup.counters.group(1, true);
                front::call_back(callbacks);
                request.task.answer(None);
            }
            Ok(Ran::Undone) => {
                self.setup.counters.group(1, false);
                request.task.answer(None);
            }
            Err(error) => {
                tracing::error!("command {} failed: {error}", request.command.name);
                request.task.answer(Some(error));
            }
        }
    }

    /// Runs a command until there is an answer.
    fn run(&mut self, request: &mut Request) -> Result<Ran, StoreError> {
        let keyed = request.command.idempotency.is_some();
        let (mut races, mut connections, mut taken) = (0, 0, 0);
        loop {
            let session = match self.connect() {
                Ok(session) => session,
                Err(StoreError::Unavailable(why)) => return Err(StoreError::ReadOnly(why)),
                Err(other) => return Err(other),
            };
            let ran = self.attempt(&session, request, taken + 1 < TAKEN);
            let lost = matches!(ran, Err(Again::Lost(_) | Again::Unknown(..)));
            if !lost {
                self.session = Some(session);
            }
            connections += u32::from(lost);
            match ran {
                Ok(ran) => return Ok(ran),
                Err(Again::Taken) => {
                    taken += 1;
                    back_off(taken - 1);
                }
                Err(Again::Refused(error)) => return Err(error),
                Err(Again::Raced(error)) => {
                    races += 1;
                    if races >= RACES {
                        return Err(error);
                    }
                    back_off(races);
                }
                Err(Again::Lost(_)) if connections < CONNECTIONS => {}
                // The key finds the stored answer, or the command had no effect and has it now.
                Err(Again::Unknown(..)) if keyed && connections < CONNECTIONS => {}
                Err(Again::Lost(error)) => return Err(self.give_up(&error)),
                Err(Again::Unknown(error, event, callbacks)) => {
                    return self
                        .settle(&error, event)
                        .map(|()| Ran::Committed(callbacks));
                }
            }
        }
    }

    /// One transaction with one run of the closure.
    fn attempt(
        &self,
        session: &postgres::Session,
        request: &mut Request,
        retry_taken: bool,
    ) -> Result<Ran, Again> {
        let Setup {
            isolation,
            keys,
            shapes,
            counters,
            on_commit,
            ..
        } = &self.setup;
        session.control(isolation.begin()).map_err(Again::Lost)?;
        let lent = Lent {
            session: Session::Postgres(session),
            keys,
            shapes,
            careful: true,
        };
        let tx = Tx::begin(lent, &request.command);
        let verdict = timed(&mut *request.task, &tx);
        let Ended {
            poison,
            statements,
            callbacks,
            first_event,
            wrote: _,
        } = tx.end();
        counters.statements(statements);
        if let (None, Verdict::Keep) = (&poison, verdict) {
            if let Some(on_commit) = on_commit {
                on_commit(session);
            }
            return match session.control("COMMIT") {
                Ok(()) => Ok(Ran::Committed(callbacks)),
                Err(raced @ StoreError::Raced(_)) => Err(Again::Raced(raced)),
                Err(lost @ StoreError::Unavailable(_)) => {
                    Err(Again::Unknown(lost, first_event, callbacks))
                }
                Err(other) => Err(Again::Refused(other)),
            };
        }
        match (session.control("ROLLBACK"), poison) {
            (_, Some(raced @ StoreError::Raced(_))) => Err(Again::Raced(raced)),
            (_, Some(lost @ StoreError::Unavailable(_))) | (Err(lost), _) => Err(Again::Lost(lost)),
            (_, Some(StoreError::Conflict { .. })) if retry_taken => Err(Again::Taken),
            _ => Ok(Ran::Undone),
        }
    }

    /// Finds out whether a commit took place whose answer was lost. Where its event is not in the
    /// log it may still be on its way, so it is not run again.
    fn settle(&mut self, error: &StoreError, event: Option<Uuid>) -> Result<(), StoreError> {
        let unknown =
            || StoreError::GroupLost(format!("it is unknown whether it took effect: {error}"));
        let Some(event) = event else {
            return Err(unknown());
        };
        let session = self.connect().map_err(|_| unknown())?;
        let mut found = false;
        let sql = "SELECT 1 FROM audit_event WHERE id = ?1";
        let asked = Session::Postgres(&session).query(sql, &params![event], &mut |_| {
            found = true;
            Ok(())
        });
        match asked {
            Ok(()) if found => {
                self.session = Some(session);
                Ok(())
            }
            _ => Err(unknown()),
        }
    }

    fn give_up(&self, error: &StoreError) -> StoreError {
        self.gate.set_read_only(true);
        StoreError::ReadOnly(error.to_string())
    }
}
