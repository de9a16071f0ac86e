//! The store: one SQL text, commands as closures, snapshots for reading.
//!
//! A change of any row is a [`Command`] given to [`Store::write`]; its closure gets a [`Tx`] and
//! runs synchronously, together with others, in one group with one commit. Reading takes a
//! [`Snapshot`]. Both answer questions through [`Query`], so a function of `queries.rs` takes
//! `q: &dyn Query`.
//!
//! The closure is an `Fn`: an engine may run it again. So it decides from what it reads through
//! its `Tx` only; time, ids and randomness come from the `Tx`; nothing outside the database is
//! touched (that goes into [`Tx::after_commit`], a job or the outbox). Hashing of passwords,
//! parsing and sealing of large files are done before.
//!
//! Deliberately lacks every domain, and the choice of who may do what.

mod audit;
mod error;
mod front;
mod idempotency;
mod jobs;
mod keys;
mod known;
mod lock;
mod master;
mod migrate;
mod moment;
mod postgres;
mod random;
mod read;
mod reading;
mod restoring;
mod rotate;
mod schema;
mod session;
mod sqlite;
mod stamp;
mod stats;
mod tables;
mod task;
pub mod testing;
#[cfg(test)]
mod tests;
mod tx;
mod value;
mod workers;
mod writer;

use std::future::Future;
use std::os::unix::fs::DirBuilderExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, mpsc as channel};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;

pub use self::audit::export::{NoExport, export_log, log_key, verify_export};
pub use self::audit::number::Accepted;
pub use self::audit::proof::{Proved, check_proof, prove_event};
pub use self::audit::sequence::{LogState, log_state};
pub use self::audit::tree::{grew_from, last_checkpoint, since};
pub use self::audit::verify::{Finding, Verified};
pub use self::audit::{
    ActorKind, ActorRef, EVENT_REGIONS, Event, EventFilter, SESSION_REFUSED, Written,
    count_written, labels_from, who_wrote, written,
};
pub use self::error::{StoreError, io_words};
pub use self::idempotency::{IdempotencyKey, KEPT as ANSWERS_KEPT, Once};
pub use self::jobs::{
    ClaimedJob, DeadJob, Failed, Job, MAX_ATTEMPTS, Outgoing, Queue, Waiting, dead as dead_jobs,
    revive as revive_job, waiting_jobs,
};
pub use self::keys::{DataKey, Keys};
pub use self::known::{Columns, Known, Owned, Rewrite};
pub use self::lock::Pin;
pub use self::migrate::Applied;
pub use self::moment::{known_time, last_recorded, note_time};
pub use self::postgres::Isolation;
pub use self::random::{random, secret};
pub use self::read::{Query, Row, Snapshot, holding};
pub use self::reading::Reading;
pub use self::restoring::{KeysBeside, LogBeside, Restoring};
pub use self::rotate::Rotation;
pub use self::stats::Stats;
pub use self::tables::{ColumnKind, Table};
pub use self::tx::{AfterCommit, Command, Tx, day_in_china};
pub use self::value::{Document, FromValue, Value, ValueRef, mismatch};
pub use crate::params;

use self::audit::rebind;
use self::audit::untouched::Watch;
use self::audit::upgrade::{Permit, Upgrade};
use self::front::{Front, Message};
use self::lock::FolderLock;
use self::moment::Moment;
use self::postgres::Server;
use self::read::{Readers, Source};
use self::session::Session;
use self::task::{Request, closed, panicked};
use self::writer::{Limits, Setup};

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// The present, noted with migrations.
    pub now: Timestamp,
    /// Address of a PostgreSQL database that holds the tables instead of `DIR/luodi.db`.
    pub database: Option<String>,
    /// How a server keeps commands apart.
    pub isolation: Isolation,
    /// Commands a server runs at once.
    pub workers: usize,
    /// Folder of the keys; `DIR/keys` where none is given.
    pub keys: Option<PathBuf>,
    /// Whether to make what is not there; who only asks says no.
    pub create: bool,
    /// Whether a commit waits for the disk. Only throw-away stores say no.
    pub durable: bool,
    /// Commands waiting at most; further callers wait for a place.
    pub queue: usize,
    /// Commands in one group at most.
    pub group: usize,
    /// Connections for reading at most.
    pub readers: usize,
    /// Page cache of each connection in KiB.
    pub cache_kib: u32,
    /// Page size of a new database in bytes.
    pub page_size: u32,
    /// Pages in the log after which it is moved into the database.
    pub checkpoint_pages: u32,
    /// Time between trials while writing is impossible.
    pub probe_every: Duration,
}

impl Options {
    /// The usual options.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self {
            now,
            database: None,
            isolation: Isolation::default(),
            workers: 16,
            keys: None,
            create: true,
            durable: true,
            queue: 1_024,
            group: 256,
            readers: 8,
            cache_kib: 8 * 1_024,
            page_size: 4_096,
            checkpoint_pages: 32_768,
            probe_every: Duration::from_secs(1),
        }
    }
}

impl Options {
    fn keys_of(&self, dir: &Path) -> PathBuf {
        self.keys.clone().unwrap_or_else(|| dir.join("keys"))
    }
}

/// Where tests reach into the engines.
#[derive(Clone, Default)]
struct Hooks {
    on_open: Option<writer::OnOpen>,
    on_commit: Option<workers::OnCommit>,
}

/// The store of one data folder. Clones share it; the last one closes it.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    dir: PathBuf,
    front: Front,
    readers: Readers,
    keys: Keys,
    counters: Arc<stats::Counters>,
    moment: Moment,
    /// Whether rows may be bound anew.
    permit: Option<Permit>,
    /// Why the log is not carried on, where it is not.
    trouble: Mutex<Option<String>>,
    /// What the watch over the rows found.
    watch: Mutex<Watch>,
    /// One program at a time where the tables are a file; on a server several may share them.
    lock: Option<FolderLock>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.readers.close_idle();
        self.front.stop();
    }
}

impl Store {
    /// Opens the store of a data folder, making what is not there unless told not to: `luodi.db`,
    /// `keys/`, `attachments/`, `lock`; and brings its schema up to date.
    ///
    /// # Errors
    /// [`StoreError::Missing`] where there is none and none is to be made, [`StoreError::Locked`] where a server holds the folder, [`StoreError::Migration`] where the
    /// schema is not this program's, [`StoreError::Keys`] where the keys are missing or another
    /// folder's, [`StoreError::Unavailable`] where files cannot be used.
    pub fn open(dir: &Path, options: &Options) -> Result<Self, StoreError> {
        let store = Self::open_with(dir, options, &migrate::embedded()?, &Hooks::default())?;
        if let Some(last) = store.read_blocking(|q| last_recorded(&**q))? {
            store.inner.moment.not_before(last);
        }
        store.finish_upgrade(options.now)?;
        Ok(store)
    }

    /// Binds rows anew where a migration asked for it: interrupted, the next start goes on.
    fn finish_upgrade(&self, now: Timestamp) -> Result<(), StoreError> {
        let found = self.read_blocking(|q| {
            if !rebind::is_asked(&**q)? {
                return Ok(None);
            }
            let schema = migrate::newest(q.session())?;
            let done = rebind::is_done(&**q, schema)?;
            Ok::<_, StoreError>(Some((schema, done, audit::bound::Shapes::of(q.session())?)))
        })?;
        let Some((schema, done, shapes)) = found else {
            return Permit::end(&self.inner.keys);
        };
        let command = || Command::new("log.rebind", now);
        if done {
            tracing::error!("meta asks to bind rows anew, which no migration did: it is not done");
            self.write_blocking(command(), rebind::forget)?;
            return Permit::end(&self.inner.keys);
        }
        let Some(permit) = &self.inner.permit else {
            // The wish stays, so that a verification names it.
            tracing::error!("meta asks to bind rows anew, and no upgrade did: it is not done");
            return Permit::end(&self.inner.keys);
        };
        for bound in shapes.all() {
            let run = self.read_blocking(|q| rebind::Run::begin(&**q, bound, &permit.odd))?;
            let (mut after, run) = (None, Arc::new(run));
            loop {
                let (run, from) = (Arc::clone(&run), after);
                let some = move |tx: &Tx<'_>| run.some(tx, from.as_ref());
                after = self.write_blocking(command(), some)?;
                if after.is_none() {
                    break;
                }
            }
        }
        self.write_blocking(command(), move |tx| rebind::finish(tx, schema))?;
        Permit::end(&self.inner.keys)
    }

    fn open_with(
        dir: &Path,
        options: &Options,
        migrations: &[migrate::Migration],
        hooks: &Hooks,
    ) -> Result<Self, StoreError> {
        let file = dir.join("luodi.db");
        restoring::refuse_unfinished(dir)?;
        if !options.create && options.database.is_none() && !file.exists() {
            return Err(StoreError::Missing(dir.display().to_string()));
        }
        if let Some(url) = &options.database {
            return postgres::aside(|| Self::open_server(dir, url, options, migrations, hooks))?;
        }
        make_folders(dir)?;
        let lock = FolderLock::take(dir)?;
        let settings = sqlite::Settings::of(options);
        let connection = sqlite::open_writer(&file, &settings)?;
        let session = Session::Sqlite(&connection);
        let upgrade = Upgrade::prepare(session, &options.keys_of(dir), migrations, options.now)?;
        migrate::run(session, migrations, options.now, &|it| {
            upgrade.after(session, it)
        })?;
        let keys = keys::open(session, &options.keys_of(dir))?;
        let counters = Arc::new(stats::Counters::default());
        let shapes = Arc::new(audit::bound::Shapes::of(session)?);
        let setup = Setup {
            file: file.clone(),
            settings: settings.clone(),
            limits: Limits {
                queue: options.queue,
                group: options.group.max(1),
                checkpoint_frames: options.checkpoint_pages,
                probe_every: options.probe_every,
            },
            keys: keys.clone(),
            shapes: shapes.clone(),
            counters: counters.clone(),
            on_open: hooks.on_open.clone(),
        };
        let front = writer::start(setup, connection)?;
        tracing::debug!("the store in {} is open", dir.display());
        let readers = Readers::new(Source::Sqlite(file, settings), options.readers, shapes);
        let inner = Inner {
            dir: dir.to_owned(),
            front,
            readers,
            keys,
            counters,
            moment: Moment::default(),
            lock: Some(lock),
            permit: upgrade.permit,
            trouble: Mutex::default(),
            watch: Mutex::default(),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    fn open_server(
        dir: &Path,
        url: &str,
        options: &Options,
        migrations: &[migrate::Migration],
        hooks: &Hooks,
    ) -> Result<Self, StoreError> {
        let mut server = Server::parse(url)?;
        let connection = server.connect()?;
        postgres::inspect(&connection, options.durable)?;
        let session = Session::Postgres(&connection);
        if !options.create && !migrate::has_begun(session)? {
            return Err(StoreError::Missing(server.name()));
        }
        make_folders(dir)?;
        let upgrade = Upgrade::prepare(session, &options.keys_of(dir), migrations, options.now)?;
        migrate::run(session, migrations, options.now, &|it| {
            upgrade.after(session, it)
        })?;
        server.learn(&connection)?;
        let keys = keys::open(session, &options.keys_of(dir))?;
        let counters = Arc::new(stats::Counters::default());
        let shapes = Arc::new(audit::bound::Shapes::of(session)?);
        let setup = workers::Setup {
            server: server.clone(),
            isolation: options.isolation,
            durable: options.durable,
            probe_every: options.probe_every,
            keys: keys.clone(),
            shapes: shapes.clone(),
            counters: counters.clone(),
            on_commit: hooks.on_commit.clone(),
        };
        let front = workers::start(&setup, options.workers, options.queue)?;
        let inner = Inner {
            dir: dir.to_owned(),
            front,
            readers: Readers::new(Source::Postgres(Box::new(server)), options.readers, shapes),
            keys,
            counters,
            moment: Moment::default(),
            lock: None,
            permit: upgrade.permit,
            trouble: Mutex::default(),
            watch: Mutex::default(),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Opens a throw-away store for tests.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_temporary(now: Timestamp) -> Result<testing::TemporaryStore, StoreError> {
        testing::TemporaryStore::open(now)
    }

    /// Runs a command and waits until it is on the disk. Dropping the future does not cancel a
    /// command that is already waiting. Its time is not before that of the commands given before.
    ///
    /// # Errors
    /// The refusal of the closure, or the store's own error in its type.
    pub fn write<T, E, F>(
        &self,
        command: Command,
        f: F,
    ) -> impl Future<Output = Result<T, E>> + Send + use<T, E, F>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: Fn(&Tx<'_>) -> Result<T, E> + Send + Sync + 'static,
    {
        let queue = self.inner.front.queue();
        let command = self.inner.moment.in_order(command);
        async move {
            let (reply, answer) = oneshot::channel();
            let reply = Box::new(move |result| {
                // A caller that went away wants no answer.
                let _ = reply.send(result);
            });
            let request = Message::Run(Request::new(command, f, reply));
            queue.send(request).await.map_err(|_| closed())?;
            answer.await.unwrap_or_else(|_| Err(E::from(closed())))
        }
    }

    /// Runs a command from code that is not asynchronous.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    ///
    /// # Panics
    /// Where it is called on a thread that runs asynchronous tasks.
    pub fn write_blocking<T, E, F>(&self, command: Command, f: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: Fn(&Tx<'_>) -> Result<T, E> + Send + Sync + 'static,
    {
        let (reply, answer) = channel::sync_channel(1);
        let reply = Box::new(move |result| {
            let _ = reply.send(result);
        });
        let command = self.inner.moment.in_order(command);
        let request = Message::Run(Request::new(command, f, reply));
        self.inner
            .front
            .queue()
            .blocking_send(request)
            .map_err(|_| closed())?;
        answer.recv().unwrap_or_else(|_| Err(E::from(closed())))
    }

    /// Runs a command that is once in effect under its [`Command::once`] key: again with the same
    /// key and content, it gives the stored answer and does nothing. Without a key it is
    /// [`write`](Self::write). A refusal is not remembered.
    ///
    /// # Errors
    /// As [`write`](Self::write); [`StoreError::KeyReused`] where the key had its effect with other
    /// content or under another command.
    pub fn write_once<T, E, F>(
        &self,
        command: Command,
        f: F,
    ) -> impl Future<Output = Result<Once<T>, E>> + Send + use<T, E, F>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: Fn(&Tx<'_>) -> Result<T, E> + Send + Sync + 'static,
    {
        self.write(command, move |tx| idempotency::once(tx, || f(tx)))
    }

    /// [`write_once`](Self::write_once) from code that is not asynchronous.
    ///
    /// # Errors
    /// As [`write_once`](Self::write_once).
    ///
    /// # Panics
    /// As [`write_blocking`](Self::write_blocking).
    pub fn write_once_blocking<T, E, F>(&self, command: Command, f: F) -> Result<Once<T>, E>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: Fn(&Tx<'_>) -> Result<T, E> + Send + Sync + 'static,
    {
        self.write_blocking(command, move |tx| idempotency::once(tx, || f(tx)))
    }

    /// Reads one moment of the tables, on a thread for blocking work.
    ///
    /// # Errors
    /// What the closure gives, or the store's own error in its type.
    pub async fn read<T, E, F>(&self, f: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&Snapshot<'_>) -> Result<T, E> + Send + 'static,
    {
        let store = self.clone();
        let reading = tokio::task::spawn_blocking(move || store.read_blocking(f));
        reading.await.unwrap_or_else(|_| Err(E::from(closed())))
    }

    /// Reads one moment of the tables on this thread.
    ///
    /// # Errors
    /// As [`read`](Self::read); [`StoreError::Panicked`] where the closure panics.
    ///
    /// A closure that itself reads through the store takes a second connection of a bounded pool:
    /// give it what it needs through its snapshot instead.
    pub fn read_blocking<T, E, F>(&self, f: F) -> Result<T, E>
    where
        E: From<StoreError>,
        F: FnOnce(&Snapshot<'_>) -> Result<T, E>,
    {
        let Inner { readers, keys, .. } = &*self.inner;
        catch_unwind(AssertUnwindSafe(|| readers.read(keys, f)))
            .unwrap_or_else(|panic| Err(E::from(panicked("read", panic.as_ref()))))
    }

    /// Leases up to `limit` due jobs until `lease` from `now`; costs no write where none is due.
    ///
    /// # Errors
    /// The store's own.
    pub async fn claim_due_jobs(
        &self,
        now: Timestamp,
        limit: u32,
        lease: SignedDuration,
    ) -> Result<Vec<ClaimedJob>, StoreError> {
        self.claim(Queue::Job, now, limit, lease).await
    }

    /// Leases up to `limit` messages of the outbox until `lease` from `now`.
    ///
    /// # Errors
    /// The store's own.
    pub async fn claim_outgoing(
        &self,
        now: Timestamp,
        limit: u32,
        lease: SignedDuration,
    ) -> Result<Vec<ClaimedJob>, StoreError> {
        self.claim(Queue::Outbox, now, limit, lease).await
    }

    async fn claim(
        &self,
        queue: Queue,
        now: Timestamp,
        limit: u32,
        lease: SignedDuration,
    ) -> Result<Vec<ClaimedJob>, StoreError> {
        if !self.read(move |q| jobs::any_due(q, queue, now)).await? {
            return Ok(Vec::new());
        }
        self.write(Command::new("store.claim", now), move |tx| {
            jobs::claim(tx, queue, limit, lease)
        })
        .await
    }

    /// Ends a claimed job that has no effects in the store; one that has ends with
    /// [`Tx::finish_job`] in their command.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`]; the store's own.
    pub async fn finish_job(&self, now: Timestamp, job: ClaimedJob) -> Result<(), StoreError> {
        self.write(Command::new("store.finish", now), move |tx| {
            tx.finish_job(&job)
        })
        .await
    }

    /// Notes a failed attempt: tried again later, at growing distances, until it is dead.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`]; the store's own.
    pub async fn fail_job(
        &self,
        now: Timestamp,
        job: ClaimedJob,
        error: String,
    ) -> Result<Failed, StoreError> {
        self.write(Command::new("store.fail", now), move |tx| {
            tx.fail_job(&job, &error)
        })
        .await
    }

    /// Forgets old answers and jobs long ended, a bounded number of each, and says whether more
    /// is left.
    ///
    /// # Errors
    /// The store's own.
    pub async fn sweep(&self, now: Timestamp) -> Result<bool, StoreError> {
        self.write(Command::new("store.sweep", now), |tx| {
            Ok(idempotency::sweep(tx)? | jobs::sweep(tx)?)
        })
        .await
        .map(|swept: u64| swept > 0)
    }

    /// Whether commands are possible at present.
    #[must_use]
    pub fn writable(&self) -> bool {
        self.inner.front.writable()
    }

    /// What was counted since the store was opened.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.inner.counters.read()
    }

    /// The keys of the data folder.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.inner.keys
    }

    /// The data folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.inner.dir
    }

    /// What holds the tables.
    #[must_use]
    pub fn engine(&self) -> &'static str {
        match self.inner.lock {
            Some(_) => "SQLite",
            None => "PostgreSQL",
        }
    }

    /// Free and whole bytes of the disk under the data folder; none where the system does not say.
    #[must_use]
    pub fn space(&self) -> Option<(u64, u64)> {
        let found = rustix::fs::statvfs(&self.inner.dir).ok()?;
        let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
        Some((bytes(found.f_bavail), bytes(found.f_blocks)))
    }

    /// The folder of attachments.
    #[must_use]
    pub fn attachments(&self) -> PathBuf {
        self.inner.dir.join("attachments")
    }

    /// The right to remove the contents of files until dropped; none while a backup is made.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where the folder cannot be written.
    pub fn removing(&self) -> Result<Option<Pin>, StoreError> {
        Pin::removing(&self.inner.dir)
    }

    /// Answers the commands that wait, refuses further ones and closes the database. Blocks.
    pub fn shutdown(&self) {
        self.inner.readers.close_idle();
        self.inner.front.stop();
    }
}

/// Keys, database and papers are for the service's own user alone.
fn make_folders(dir: &Path) -> Result<(), StoreError> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir.join("attachments"))
        .map_err(|error| StoreError::Unavailable(format!("{}: {error}", dir.display())))
}
