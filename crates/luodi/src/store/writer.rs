//! The writer: one thread, one connection, group commit.
//!
//! It takes all waiting commands, runs them inside one transaction, commits once and then answers
//! all. Deliberately lacks retries: after any doubt the whole group fails, the
//! connection is dropped and opened anew.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::mpsc::{self, Receiver};

use super::audit::bound::Shapes;
use super::front::{self, Front, Gate, Message};
use super::keys::Keys;
use super::lock::Pin;
use super::session::Session;
use super::stats::Counters;
use super::task::{Request, Verdict, clock, timed};
use super::tx::{AfterCommit, Ended, Lent, Tx};
use super::value::Value;
use super::{StoreError, sqlite};

/// Size of the probe: more than a group usually writes, so that writing does not flap.
const PROBE_BYTES: usize = 128 * 1024;
/// Frames in the log past which a checkpoint waits for readers instead of working around them.
const STUBBORN: u32 = 4;

/// How the writer works.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    /// Commands waiting at most.
    pub(super) queue: usize,
    /// Commands in one group at most.
    pub(super) group: usize,
    /// Frames in the log after which a checkpoint is made.
    pub(super) checkpoint_frames: u32,
    /// Time between probes while writing is impossible.
    pub(super) probe_every: Duration,
}

/// Called with each connection the writer opens; tests set limits and faults there.
pub(super) type OnOpen = Arc<dyn Fn(&Connection) -> Result<(), StoreError> + Send + Sync>;

/// What the writer works with.
pub(super) struct Setup {
    pub(super) file: PathBuf,
    pub(super) settings: sqlite::Settings,
    pub(super) limits: Limits,
    pub(super) keys: Keys,
    pub(super) shapes: Arc<Shapes>,
    pub(super) counters: Arc<Counters>,
    pub(super) on_open: Option<OnOpen>,
}

impl Setup {
    fn open(&self) -> Result<Connection, StoreError> {
        let connection = sqlite::open_writer(&self.file, &self.settings)?;
        if let Some(on_open) = &self.on_open {
            on_open(&connection)?;
        }
        Ok(connection)
    }
}

/// Starts the thread on a connection whose schema is up to date.
pub(super) fn start(setup: Setup, connection: Connection) -> Result<Front, StoreError> {
    let timer = front::timer()?;
    if let Some(on_open) = &setup.on_open {
        on_open(&connection)?;
    }
    let gate = Arc::new(Gate::default());
    let (queue, waiting) = mpsc::channel(setup.limits.queue.max(1));
    let page_size = page_size(&connection)?;
    let log = Log::look(&connection).unwrap_or_default();
    let worker = Worker {
        setup,
        connection: Some(connection),
        gate: gate.clone(),
        page_size,
        log,
        probed: clock(),
    };
    let thread = front::spawn("store-writer".into(), move || worker.work(waiting, &timer))?;
    Ok(Front::new(queue, gate, vec![thread]))
}

fn page_size(connection: &Connection) -> Result<u32, StoreError> {
    let sql = "PRAGMA page_size";
    connection
        .query_row(sql, [], |row| row.get(0))
        .map_err(|error| sqlite::error(&error, sql))
}

/// How long the log is, and how much of it has been moved into the database.
#[derive(Clone, Copy, Default)]
struct Log {
    frames: u32,
    moved: u32,
}

impl Log {
    fn look(connection: &Connection) -> Result<Self, StoreError> {
        Self::checkpoint(connection, "PRAGMA wal_checkpoint(NOOP)")
    }

    fn checkpoint(connection: &Connection, sql: &str) -> Result<Self, StoreError> {
        let count = |row: &rusqlite::Row<'_>, index| {
            row.get::<_, i64>(index)
                .map(|count| u32::try_from(count).unwrap_or(0))
        };
        connection
            .prepare_cached(sql)
            .and_then(|mut statement| {
                statement.query_row([], |row| {
                    Ok(Self {
                        frames: count(row, 1)?,
                        moved: count(row, 2)?,
                    })
                })
            })
            .map_err(|error| sqlite::error(&error, sql))
    }

    /// Frames written since `before`. A log that was begun anew has less moved than before.
    fn written_since(self, before: Self) -> u32 {
        if self.moved < before.moved {
            self.frames
        } else {
            self.frames.saturating_sub(before.frames)
        }
    }
}

/// A group that ended well.
#[derive(Default)]
struct Done {
    commands: usize,
    /// Whether any command was kept.
    committed: bool,
    statements: u64,
    callbacks: Vec<AfterCommit>,
}

struct Worker {
    setup: Setup,
    connection: Option<Connection>,
    gate: Arc<Gate>,
    /// Size of a page of this database, which may be older than the settings.
    page_size: u32,
    /// The log after the last group.
    log: Log,
    /// When writing was last tried while it was impossible.
    probed: Instant,
}

impl Worker {
    fn work(mut self, mut queue: Receiver<Message>, timer: &tokio::runtime::Runtime) {
        while let Some(first) = self.next(&mut queue, timer) {
            let mut group = Vec::new();
            let mut message = Some(first);
            while let Some(current) = message {
                match current {
                    Message::Run(request) => group.push(request),
                    Message::Stop => queue.close(),
                }
                message = if group.len() < self.setup.limits.group {
                    queue.try_recv().ok()
                } else {
                    None
                };
            }
            if self.gate.stopping() {
                queue.close();
            }
            if !group.is_empty() {
                self.group(group);
            }
        }
    }

    /// Waits for a message; while writing is impossible, tries now and then whether it works again.
    fn next(
        &mut self,
        queue: &mut Receiver<Message>,
        timer: &tokio::runtime::Runtime,
    ) -> Option<Message> {
        while self.gate.read_only() {
            let wait = self.setup.limits.probe_every.max(Duration::from_millis(1));
            let received = timer.block_on(async { tokio::time::timeout(wait, queue.recv()).await });
            match received {
                Ok(message) => return message,
                Err(_) => self.recover(),
            }
        }
        queue.blocking_recv()
    }

    fn group(&mut self, mut group: Vec<Request>) {
        if self.gate.read_only() && self.probed.elapsed() >= self.setup.limits.probe_every {
            self.recover();
        }
        let done = match self.attempt(&mut group) {
            Ok(done) => done,
            Err(error) => {
                let error = self.give_up(&error);
                group
                    .into_iter()
                    .for_each(|request| request.task.answer(Some(error.clone())));
                return;
            }
        };
        self.count(&done);
        front::call_back(done.callbacks);
        group
            .into_iter()
            .for_each(|request| request.task.answer(None));
        self.tidy();
    }

    /// Runs and commits a group. An error means that nothing of the group may be believed.
    ///
    /// Savepoints cost a copy of each page a command touches, and hardly any command has to be
    /// undone: so the group runs without first, and once more with one for each command where one
    /// that had written was refused.
    fn attempt(&self, group: &mut [Request]) -> Result<Done, StoreError> {
        match self.run(group, false)? {
            Some(done) => Ok(done),
            None => self.run(group, true).map(Option::unwrap_or_default),
        }
    }

    /// `None` where a command must be undone for which no savepoint was set: nothing is kept then.
    fn run(&self, group: &mut [Request], savepoints: bool) -> Result<Option<Done>, StoreError> {
        let connection = match &self.connection {
            Some(connection) if !self.gate.read_only() => connection,
            _ => return Err(StoreError::ReadOnly("writing has not returned yet".into())),
        };
        sqlite::control(connection, "BEGIN IMMEDIATE")?;
        let mut done = Done {
            commands: group.len(),
            ..Done::default()
        };
        for request in group {
            if savepoints {
                sqlite::control(connection, "SAVEPOINT command")?;
            }
            let (verdict, ended) = self.run_one((connection, savepoints), request)?;
            if verdict == Verdict::Undo && savepoints {
                sqlite::control(connection, "ROLLBACK TO command")?;
            } else if verdict == Verdict::Undo && ended.wrote {
                sqlite::control(connection, "ROLLBACK")?;
                return Ok(None);
            }
            if savepoints {
                sqlite::control(connection, "RELEASE command")?;
            }
            done.statements += ended.statements;
            if verdict == Verdict::Keep {
                done.committed = true;
                done.callbacks.extend(ended.callbacks);
            }
        }
        sqlite::control(
            connection,
            if done.committed { "COMMIT" } else { "ROLLBACK" },
        )?;
        Ok(Some(done))
    }

    /// Runs one command in the transaction of its group.
    fn run_one(
        &self,
        (connection, savepoints): (&Connection, bool),
        request: &mut Request,
    ) -> Result<(Verdict, Ended), StoreError> {
        let Setup { keys, shapes, .. } = &self.setup;
        let lent = Lent {
            session: Session::Sqlite(connection),
            keys,
            shapes,
            careful: savepoints,
        };
        let tx = Tx::begin(lent, &request.command);
        let verdict = timed(&mut *request.task, &tx);
        let mut ended = tx.end();
        stands(connection, ended.poison.take())?;
        Ok((verdict, ended))
    }

    /// Drops the connection after a failed group and tries to begin anew. Gives the answer for the
    /// group.
    fn give_up(&mut self, error: &StoreError) -> StoreError {
        let refused = matches!(error, StoreError::ReadOnly(_));
        if !refused {
            tracing::error!("a group of commands failed: {error}");
            self.connection = None;
            self.gate.set_read_only(true);
            self.recover();
        }
        match error {
            StoreError::ReadOnly(why) | StoreError::Unavailable(why) => {
                StoreError::ReadOnly(why.clone())
            }
            StoreError::GroupLost(why) => StoreError::GroupLost(why.clone()),
            other => StoreError::GroupLost(other.to_string()),
        }
    }

    /// Opens the database anew and finds out by a real commit whether it can be written.
    fn recover(&mut self) {
        self.probed = clock();
        self.connection = None;
        let opened = self
            .setup
            .open()
            .and_then(|connection| probe(&connection).map(|()| connection));
        match opened {
            Ok(connection) => {
                self.log = Log::look(&connection).unwrap_or_default();
                self.connection = Some(connection);
                self.gate.set_read_only(false);
                tracing::info!("the store can be written");
            }
            Err(error) => tracing::warn!("the store is read-only: {error}"),
        }
    }

    fn count(&mut self, done: &Done) {
        self.setup.counters.statements(done.statements);
        self.setup.counters.group(done.commands, done.committed);
        let Some(connection) = &self.connection else {
            return;
        };
        let Ok(now) = Log::look(connection) else {
            return;
        };
        self.setup
            .counters
            .frames(now.written_since(self.log), self.page_size);
        self.log = now;
    }

    fn in_backup(&self) -> bool {
        let dir = self.setup.file.parent();
        dir.is_some_and(|dir| matches!(Pin::removing(dir), Ok(None)))
    }

    /// Moves the log into the database once it is long enough.
    fn tidy(&mut self) {
        let Some(connection) = &self.connection else {
            return;
        };
        let limit = self.setup.limits.checkpoint_frames;
        if self.log.frames.saturating_sub(self.log.moved) < limit {
            return;
        }
        // A backup reads one moment for long: waiting for it would hold up everybody.
        let patient = self.log.frames >= limit.saturating_mul(STUBBORN) && !self.in_backup();
        let mode = if patient { "RESTART" } else { "PASSIVE" };
        match Log::checkpoint(connection, &format!("PRAGMA wal_checkpoint({mode})")) {
            Ok(log) => self.log = log,
            Err(error) => {
                // Everything is still in the log: only a connection in doubt is replaced.
                tracing::warn!("checkpoint failed: {error}");
                if error.is_disk() {
                    self.gate.set_read_only(true);
                    self.recover();
                }
            }
        }
    }
}

/// Refuses to go on after an error of the disk, or where the engine gave up the transaction: a
/// later savepoint would silently begin a new one.
fn stands(connection: &Connection, poison: Option<StoreError>) -> Result<(), StoreError> {
    match poison {
        Some(disk) if disk.is_disk() => Err(disk),
        cause if connection.is_autocommit() => {
            let cause = cause.map(|it| it.to_string());
            Err(StoreError::GroupLost(
                cause.unwrap_or_else(|| "no error was reported".into()),
            ))
        }
        _ => Ok(()),
    }
}

/// Grows and shrinks a row by [`PROBE_BYTES`], each in a commit of its own.
fn probe(connection: &Connection) -> Result<(), StoreError> {
    for text in ["x".repeat(PROBE_BYTES), String::new()] {
        sqlite::control(connection, "BEGIN IMMEDIATE")?;
        Session::Sqlite(connection).execute(
            "UPDATE meta SET value = ?1 WHERE name = 'probe'",
            &[Value::Text(text)],
        )?;
        sqlite::control(connection, "COMMIT")?;
    }
    Ok(())
}
