//! A command and the transaction it runs in.
//!
//! Time, ids and randomness of a command are fixed before its first run: a second run of the same
//! command sees the same. Deliberately lacks the engine (`sqlite`) and the group (`writer`).

use std::cell::{Cell, RefCell};
use std::ops::Deref;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;
use rand::Rng;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use uuid::{Builder, Uuid};

use super::audit::bound::{Shapes, bound_whole};
use super::audit::{self, Event, Pending};
use super::idempotency::IdempotencyKey;
use super::jobs::{self, ClaimedJob, Failed, Job, Outgoing, Queue};
use super::keys::{self, DataKey, KeyRing, Keys};
use super::known::{self, Known, Owned};
use super::read::{Query, Row};
use super::session::Session;
use super::stamp::{Changed, Stamps};
use super::testing::FORCE;
use super::value::Value;
use super::{StoreError, params};

/// China Standard Time: eight hours ahead of UTC, without summer time since 1992.
const CHINA: Offset = Offset::constant(8);

/// What a command is before it runs.
#[derive(Clone, Debug)]
pub struct Command {
    /// Stable name, such as `case.accept`.
    pub name: &'static str,
    /// When it was asked for, in whole milliseconds.
    pub now: Timestamp,
    /// Source of its ids and randomness.
    pub seed: [u8; 32],
    /// The key that makes it once in effect ([`super::Store::write_once`]).
    pub idempotency: Option<IdempotencyKey>,
}

impl Command {
    /// A command asked for `now`, with a fresh seed from the operating system.
    #[must_use]
    pub fn new(name: &'static str, now: Timestamp) -> Self {
        Self::seeded(name, now, fresh_seed())
    }

    /// A command with a given seed, for tests and simulations.
    #[must_use]
    pub fn seeded(name: &'static str, now: Timestamp, seed: [u8; 32]) -> Self {
        let now = Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now);
        Self {
            name,
            now,
            seed,
            idempotency: None,
        }
    }

    /// The same command, once in effect under this key.
    #[must_use]
    pub fn once(mut self, key: IdempotencyKey) -> Self {
        self.idempotency = Some(key);
        self
    }
}

/// The one place where commands get their randomness from.
fn fresh_seed() -> [u8; 32] {
    let mut seed = [0; 32];
    rand::rng().fill_bytes(&mut seed);
    seed
}

/// The day in China of an instant.
#[must_use]
pub fn day_in_china(at: Timestamp) -> Date {
    CHINA.to_datetime(at).date()
}

/// Work for after the commit, such as waking a worker. It must be quick and cannot fail.
pub type AfterCommit = Box<dyn FnOnce() + Send>;

/// What the store lends to a running command.
pub(super) struct Lent<'a> {
    pub(super) session: Session<'a>,
    pub(super) keys: &'a Keys,
    pub(super) shapes: &'a Shapes,
    /// Whether the command cannot be undone and run once more.
    pub(super) careful: bool,
}

/// The transaction of one command.
///
/// Any error of the engine poisons it: later calls fail, and the command cannot succeed any more.
pub struct Tx<'a> {
    lent: Lent<'a>,
    command: &'a Command,
    poison: RefCell<Option<StoreError>>,
    statements: Cell<u64>,
    wrote: Cell<bool>,
    ids: RefCell<(u16, ChaCha20Rng)>,
    random: RefCell<ChaCha20Rng>,
    ring: RefCell<KeyRing>,
    events: RefCell<Vec<Pending>>,
    /// Rows bound together by their owner that were changed.
    parts: RefCell<Vec<(&'static str, Uuid)>>,
    /// Tables bound together that a statement changed: an event has to name each.
    unnamed: RefCell<Vec<&'static str>>,
    first_event: Cell<Option<Uuid>>,
    stamps: RefCell<Stamps>,
    callbacks: RefCell<Vec<AfterCommit>>,
}

/// What is left of a transaction after its closure.
pub(super) struct Ended {
    pub(super) poison: Option<StoreError>,
    pub(super) statements: u64,
    /// Whether anything may have been written.
    pub(super) wrote: bool,
    /// The first event the command noted: where it is in the log, the command is committed.
    pub(super) first_event: Option<Uuid>,
    pub(super) callbacks: Vec<AfterCommit>,
}

impl<'a> Tx<'a> {
    pub(super) fn begin(lent: Lent<'a>, command: &'a Command) -> Self {
        let ids = ChaCha20Rng::from_seed(command.seed);
        let mut random = ids.clone();
        random.set_stream(1);
        Self {
            lent,
            command,
            poison: RefCell::default(),
            statements: Cell::default(),
            wrote: Cell::default(),
            ids: RefCell::new((0, ids)),
            random: RefCell::new(random),
            ring: RefCell::default(),
            events: RefCell::default(),
            parts: RefCell::default(),
            unnamed: RefCell::default(),
            first_event: Cell::default(),
            stamps: RefCell::default(),
            callbacks: RefCell::default(),
        }
    }

    /// Runs one INSERT, UPDATE or DELETE and gives the number of rows it changed.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] for a taken unique key, and what else the engine reports. Any
    /// error poisons the transaction.
    pub fn execute(&self, sql: &str, params: impl AsRef<[Value]>) -> Result<u64, StoreError> {
        let may_change = self.before(sql);
        let changed = self.guarded(|session| session.execute(sql, params.as_ref()))?;
        if changed > 0 {
            self.must_name(sql, may_change);
        }
        Ok(changed)
    }

    /// Runs one INSERT or UPDATE of a bound table that sets `last_event` to the id of an event the
    /// command is about to note ([`event_as`](Self::event_as)), and gives the ids of the rows it
    /// wrote. The event takes their digests from here, so that no row is written once more only to
    /// be stamped.
    ///
    /// # Errors
    /// As [`execute`](Self::execute); [`StoreError::Statement`] where the table is not bound or
    /// the statement leaves `last_event` as it was.
    pub fn write_stamped(
        &self,
        table: &'static str,
        event: Uuid,
        sql: &str,
        params: impl AsRef<[Value]>,
    ) -> Result<Vec<Uuid>, StoreError> {
        let shape = self.lent.shapes.require(table)?;
        let sql = [sql, &shape.returning].concat();
        let mut written = Vec::new();
        self.wrote.set(true);
        self.stamps.borrow_mut().changed(table);
        self.guarded(|session| {
            session.query(&sql, params.as_ref(), &mut |row| {
                let mut stamps = self.stamps.borrow_mut();
                written.push(stamps.note((table, shape), event, row)?);
                Ok(())
            })
        })?;
        Ok(written)
    }

    /// Runs one INSERT or UPDATE of a table without `last_event` in which every row is bound by
    /// itself, and gives the number of rows it wrote. The last event of the command names them, with
    /// digests from here.
    ///
    /// # Errors
    /// As [`execute`](Self::execute); [`StoreError::Statement`] where the table is not bound so.
    pub fn write_part(
        &self,
        table: &'static str,
        sql: &str,
        params: impl AsRef<[Value]>,
    ) -> Result<u64, StoreError> {
        let shape = self.lent.shapes.require(table)?;
        let sql = [sql, &shape.returning].concat();
        let mut written = 0;
        self.wrote.set(true);
        self.stamps.borrow_mut().changed(table);
        self.guarded(|session| {
            session.query(&sql, params.as_ref(), &mut |row| {
                let id = self.stamps.borrow_mut().note_own((table, shape), row)?;
                self.part(table, id);
                written += 1;
                Ok(())
            })
        })?;
        Ok(written)
    }

    /// When the command was asked for, in whole milliseconds.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.command.now
    }

    /// The day of [`now`](Self::now) in China.
    #[must_use]
    pub fn today(&self) -> Date {
        day_in_china(self.command.now)
    }

    /// Name of the command.
    #[must_use]
    pub fn command(&self) -> &'static str {
        self.command.name
    }

    pub(super) fn idempotency(&self) -> Option<&'a IdempotencyKey> {
        self.command.idempotency.as_ref()
    }

    /// A new id (UUIDv7): the k-th of a command is the same on each run, and ids of one command
    /// ascend up to the 4,096th.
    #[must_use]
    pub fn new_id(&self) -> Uuid {
        let mut ids = self.ids.borrow_mut();
        let (count, source) = &mut *ids;
        let mut bytes = [0; 10];
        source.fill_bytes(&mut bytes);
        // The 12 bits after the time (RFC 9562 rand_a) count the ids of the command.
        let [high, low, ..] = &mut bytes;
        [*high, *low] = count.to_be_bytes();
        *count = count.saturating_add(1).min(0x0fff);
        let milliseconds = u64::try_from(self.command.now.as_millisecond()).unwrap_or_default();
        Builder::from_unix_timestamp_millis(milliseconds, &bytes).into_uuid()
    }

    /// Unpredictable bytes, the same on each run of the command.
    #[must_use]
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.random.borrow_mut().fill_bytes(&mut bytes);
        bytes
    }

    /// Notes what the command did. The event and the digests of its rows are written after the
    /// closure, from the rows as they are then.
    pub fn event(&self, event: Event) -> Uuid {
        self.event_as(self.new_id(), event)
    }

    /// As [`event`](Self::event), under an id taken from [`new_id`](Self::new_id) before.
    pub fn event_as(&self, id: Uuid, event: Event) -> Uuid {
        self.first_event.set(self.first_event.get().or(Some(id)));
        self.events.borrow_mut().push(Pending { id, event });
        id
    }

    /// Notes that rows were changed which belong to `owner` in a table without `last_event`: the last
    /// event of the command binds them all together. A command that forgets to is refused.
    pub fn part(&self, table: &'static str, owner: Uuid) {
        self.parts.borrow_mut().push((table, owner));
    }

    /// Holds a row that the command relies on and does not change: of two commands that hold one row
    /// at once, one runs again and sees what the other did. For what no row of its own shows, such as
    /// "no other objection to this line is open", where the engine keeps commands apart no better
    /// than by their moments (REPEATABLE READ). Commands on a file run one after the other anyway.
    ///
    /// # Errors
    /// What the engine reports.
    pub fn hold(&self, table: &'static str, id: impl Into<Value>) -> Result<(), StoreError> {
        match self.lent.session {
            Session::Sqlite(_) => Ok(()),
            Session::Postgres(_) => {
                let sql = format!("UPDATE {table} SET id = id WHERE id = ?1");
                self.execute(&sql, [id.into()]).map(drop)
            }
        }
    }

    /// Runs `f` once the command is committed, and never otherwise.
    pub fn after_commit(&self, f: AfterCommit) {
        self.callbacks.borrow_mut().push(f);
    }

    /// Plans a job. An open job of the same kind and key is set anew instead.
    ///
    /// # Errors
    /// What the engine reports.
    pub fn enqueue_job(&self, job: &Job) -> Result<Uuid, StoreError> {
        jobs::enqueue(self, Queue::Job, job)
    }

    /// Cancels the open job of this kind and key; says whether there was one.
    ///
    /// # Errors
    /// What the engine reports.
    pub fn cancel_job(&self, kind: &str, key: &str) -> Result<bool, StoreError> {
        jobs::cancel(self, Queue::Job, kind, key)
    }

    /// Ends a claimed job or message well, together with its effects.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] where it was claimed, ended or set anew meanwhile: pass it on, so
    /// that the effects are undone.
    pub fn finish_job(&self, job: &ClaimedJob) -> Result<(), StoreError> {
        jobs::finish(self, job)
    }

    /// Notes a failed attempt of a claimed job or message.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] as for [`finish_job`](Self::finish_job).
    pub fn fail_job(&self, job: &ClaimedJob, error: &str) -> Result<Failed, StoreError> {
        jobs::fail(self, job, error)
    }

    /// Leaves a message for the outbox, due at once.
    ///
    /// # Errors
    /// What the engine reports.
    pub fn send(&self, message: Outgoing) -> Result<Uuid, StoreError> {
        let Outgoing { kind, payload } = message;
        jobs::enqueue(
            self,
            Queue::Outbox,
            &Job {
                kind,
                key: None,
                payload,
                due_at: self.now(),
            },
        )
    }

    /// The digest of a row that the command stamped with this event and did not touch since.
    pub(super) fn stamped(&self, table: &str, row: Uuid, event: Uuid) -> Option<String> {
        self.stamps.borrow().digest_of(table, row, event)
    }

    /// Whether the command itself has changed a row, or rows of an owner, so far.
    pub(super) fn names(&self, table: &str, id: Uuid) -> bool {
        let events = self.events.borrow();
        let mut rows = events.iter().flat_map(|it| &it.event.rows);
        let parts = self.parts.borrow();
        rows.any(|row| *row == (table, id)) || parts.contains(&(table, id))
    }

    /// Notes the digest of a row, or of an owner's rows, from what the command knows of them; none
    /// where the command changed them otherwise meanwhile, so that they have to be read again.
    pub(super) fn note_known(
        &self,
        (table, id): (&'static str, Uuid),
        event: Uuid,
        digest: Option<String>,
        region: Option<&str>,
    ) -> Result<(), StoreError> {
        if let (true, Some(digest)) = (cfg!(debug_assertions), &digest) {
            let shape = self.lent.shapes.require(table)?;
            let (key, session) = (shape.owner().unwrap_or("id"), self.lent.session);
            let of_it = format!("WHERE {key} = ?1");
            let now = known::read(session, shape, (table, &of_it), &[id.into()], 0)?;
            assert_eq!(*digest, known::digest_of(shape, &now), "{table} {id}");
        }
        let region = region.map(str::to_owned);
        let mut stamps = self.stamps.borrow_mut();
        stamps.note_known((table, id), event, digest, region);
        Ok(())
    }

    /// Runs a data statement of whose rows the command notes the digests itself.
    pub(super) fn execute_known(&self, sql: &str, values: &[Value]) -> Result<u64, StoreError> {
        self.wrote.set(true);
        self.guarded(|session| session.execute(sql, values))
    }

    /// Whether the command looks first for what it would find at its end: it may be undone, but then
    /// is not run once more.
    pub(super) fn is_careful(&self) -> bool {
        self.lent.careful
    }

    /// Whether it may have written anything, or cannot go on.
    pub(super) fn is_touched(&self) -> bool {
        self.wrote.get() || self.poison.borrow().is_some()
    }

    /// Forgets what was noted by a closure that wrote nothing and was refused.
    pub(super) fn forget(&self) {
        self.events.take();
        self.parts.take();
        self.unnamed.take();
        self.callbacks.take();
        self.first_event.take();
    }

    /// Notes that it has changed one.
    pub(super) fn changed(&self, table: &str) {
        self.stamps.borrow_mut().changed(table);
    }

    /// How often the command has changed a table otherwise than by what it knows.
    pub(super) fn changes(&self, table: &str) -> usize {
        self.stamps.borrow().changes(table)
    }

    /// The region of a row the command wrote, where it is known without asking.
    pub(super) fn region_of(&self, (table, row): (&str, Uuid)) -> Option<String> {
        self.stamps.borrow().region_of(table, row)
    }

    pub(super) fn shapes(&self) -> &Shapes {
        self.lent.shapes
    }

    pub(super) fn session(&self) -> Session<'_> {
        self.lent.session
    }

    /// The keys of the data folder, for look-up hashes.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        self.lent.keys
    }

    /// Uses a data key that was read before the command's turn. The caller relies on what keeps its
    /// owner from being erased meanwhile.
    pub fn lend_key(&self, key: &DataKey) {
        self.ring.borrow_mut().put(key.clone());
    }

    /// The data key of an owner, made at the first use.
    ///
    /// # Errors
    /// [`StoreError::KeyDestroyed`] after erasure.
    pub fn ensure_key(&self, owner: Uuid) -> Result<DataKey, StoreError> {
        match self.data_key(owner) {
            Err(StoreError::NotFound(_)) => {
                let key = self.lent.keys.create(self, owner)?;
                self.ring.borrow_mut().put(key.clone());
                Ok(key)
            }
            other => other,
        }
    }

    /// Seals a personal text under the owner's key, which is made at the first use. The class
    /// names what it is ("id_number", "telephone").
    ///
    /// # Errors
    /// [`StoreError::KeyDestroyed`] after erasure.
    pub fn seal(&self, owner: Uuid, class: &str, text: &str) -> Result<Vec<u8>, StoreError> {
        self.seal_bytes(owner, class, text.as_bytes())
    }

    /// Seals bytes; large files are better sealed with [`DataKey::seal`] outside the command.
    ///
    /// # Errors
    /// As [`seal`](Self::seal).
    pub fn seal_bytes(
        &self,
        owner: Uuid,
        class: &str,
        bytes: &[u8],
    ) -> Result<Vec<u8>, StoreError> {
        self.ensure_key(owner)?.seal(class, bytes, self.random())
    }

    /// Destroys the data key of an owner: what it sealed cannot be read by anybody any more, and
    /// nothing is sealed for the owner again, also where there was no key yet.
    ///
    /// # Errors
    /// What the engine reports.
    pub fn destroy_key(&self, owner: Uuid) -> Result<(), StoreError> {
        let changed = self.write_part(
            "data_key",
            "UPDATE data_key SET wrapped = NULL, destroyed_at = ?1 WHERE owner_id = ?2",
            params![self.now(), owner],
        )?;
        self.ring.borrow_mut().remove(owner);
        if changed == 0 {
            self.write_part(
                "data_key",
                "INSERT INTO data_key (owner_id, algorithm, created_at, destroyed_at) \
                 VALUES (?1, '', ?2, ?2)",
                params![owner, self.now()],
            )?;
        }
        Ok(())
    }

    /// The column of the owner of a table whose rows are bound together; none for any other.
    pub fn owner_column(&self, table: &str) -> Option<&str> {
        self.lent.shapes.get(table)?.owner()
    }

    /// Writes the events and refuses a poisoned transaction; called when the closure is content.
    pub(super) fn conclude(&self) -> Result<(), StoreError> {
        let parts = self.parts.take();
        let keys_alone = parts.iter().all(|(table, _)| *table == keys::TABLE);
        if keys_alone && !parts.is_empty() && self.events.borrow().is_empty() {
            // A key may be made before there is anything to tell of its owner.
            self.event(keys::made());
        }
        let mut events = self.events.take();
        match (events.last_mut(), parts.first()) {
            (Some(last), _) => last.event.rows.extend(parts),
            (None, Some((table, _))) => {
                let why = format!("{table} was changed without an event");
                return Err(StoreError::Statement(why));
            }
            (None, None) => {}
        }
        let named = |table: &str| {
            let mut rows = events.iter().flat_map(|pending| &pending.event.rows);
            rows.any(|(known, _)| *known == table)
        };
        if let Some(table) = self.unnamed.take().into_iter().find(|table| !named(table)) {
            let why = format!("{table} was changed and no event names whose rows: Tx::part");
            return Err(StoreError::Statement(why));
        }
        audit::write(self, self.lent.shapes, &events)?;
        match &*self.poison.borrow() {
            None => Ok(()),
            Some(cause) => Err(poisoned(cause)),
        }
    }

    pub(super) fn end(self) -> Ended {
        Ended {
            poison: self.poison.into_inner(),
            statements: self.statements.get(),
            wrote: self.wrote.get(),
            first_event: self.first_event.get(),
            callbacks: self.callbacks.into_inner(),
        }
    }

    /// Notes that a statement is about to change what it may change.
    fn before<'s>(&self, sql: &'s str) -> Changed<'s> {
        let changed = self.stamps.borrow_mut().before(sql);
        if changed != Changed::Nothing {
            self.wrote.set(true);
        }
        changed
    }

    /// Notes the tables bound together that a statement has changed.
    fn must_name(&self, sql: &str, changed: Changed<'_>) {
        if self.command.name == FORCE {
            return;
        }
        for table in bound_whole() {
            let is_changed = match changed {
                Changed::Nothing => false,
                Changed::Table(name) => name == table,
                Changed::Anything => sql.contains(table),
            };
            if is_changed {
                self.unnamed.borrow_mut().push(table);
            }
        }
    }

    fn guarded<T>(
        &self,
        run: impl FnOnce(Session<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if let Some(cause) = &*self.poison.borrow() {
            return Err(poisoned(cause));
        }
        self.statements.set(self.statements.get() + 1);
        run(self.lent.session).inspect_err(|error| {
            // A question inside the visit of another may have poisoned it already.
            self.poison
                .borrow_mut()
                .get_or_insert_with(|| error.clone());
        })
    }
}

fn poisoned(cause: &StoreError) -> StoreError {
    StoreError::Poisoned(cause.to_string())
}

impl Query for Tx<'_> {
    fn each(
        &self,
        sql: &str,
        params: &[Value],
        visit: &mut dyn FnMut(&Row<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let may_change = self.before(sql);
        self.guarded(|session| session.query(sql, params, visit))?;
        self.must_name(sql, may_change);
        Ok(())
    }

    fn keys(&self) -> &Keys {
        self.lent.keys
    }

    fn data_key(&self, owner: Uuid) -> Result<DataKey, StoreError> {
        if let Some(known) = self.ring.borrow().get(owner) {
            return Ok(known);
        }
        let key = self
            .lent
            .keys
            .load(self, owner)?
            .ok_or_else(|| keys::missing(owner))?;
        self.ring.borrow_mut().put(key.clone());
        Ok(key)
    }

    fn known(
        &self,
        table: &'static str,
        condition: &str,
        values: &[Value],
    ) -> Result<Vec<Known>, StoreError> {
        let shape = self.lent.shapes.require(table)?;
        let changes = self.changes(table);
        self.guarded(|session| known::read(session, shape, (table, condition), values, changes))
    }

    fn owned(&self, table: &'static str, owner: Uuid) -> Result<Owned, StoreError> {
        let shape = self.lent.shapes.require(table)?;
        let changes = self.changes(table);
        self.guarded(|session| known::read_owned(session, shape, (table, owner), changes))
    }
}

impl<'a> Deref for Tx<'a> {
    type Target = dyn Query + 'a;

    fn deref(&self) -> &Self::Target {
        self
    }
}
