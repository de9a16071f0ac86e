//! Reading: rows, the questions a transaction and a snapshot both answer, and the pool of readers.
//!
//! Deliberately lacks any way to change a row.

use std::cell::RefCell;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use uuid::Uuid;

use super::audit::bound::Shapes;
use super::keys::{DataKey, KeyRing, Keys};
use super::known::{self, Known, Owned};
use super::session::{RawRow, Session};
use super::tables::{self, Table};
use super::value::{FromValue, Value};
use super::{StoreError, postgres, sqlite};

/// Ids in one statement of [`rows_of`](trait.Query.html#method.rows_of).
const IDS_AT_ONCE: usize = 500;

/// One row of an answer; columns count from 0.
pub struct Row<'a> {
    pub(super) inner: RawRow<'a>,
}

impl Row<'_> {
    /// Reads one column.
    ///
    /// # Errors
    /// [`StoreError::Value`] where the column does not exist or holds another type.
    pub fn get<T: FromValue>(&self, index: usize) -> Result<T, StoreError> {
        T::from_value(self.inner.column(index)?)
            .map_err(|error| StoreError::Value(format!("column {index}: {error}")))
    }
}

/// What a running transaction ([`super::Tx`]) and a [`Snapshot`] both can do: ask.
///
/// Functions of `queries.rs` take `q: &dyn Query`; `&tx` and `&snapshot` both convert to it.
pub trait Query {
    /// Runs one SELECT (in a transaction also a data statement with RETURNING) and shows each row
    /// to `visit`. Use [`rows`](trait.Query.html#method.rows) and its sisters instead.
    ///
    /// # Errors
    /// What the engine or `visit` reports.
    fn each(
        &self,
        sql: &str,
        params: &[Value],
        visit: &mut dyn FnMut(&Row<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError>;

    /// The keys of the data folder, for look-up hashes.
    fn keys(&self) -> &Keys;

    /// The data key of an owner, for opening many sealed values or a file.
    ///
    /// # Errors
    /// [`StoreError::KeyDestroyed`] after erasure, [`StoreError::NotFound`] where the owner never
    /// had a key.
    fn data_key(&self, owner: Uuid) -> Result<DataKey, StoreError>;

    /// Rows of a bound table with all their bound columns, for a command that will know what it
    /// writes. The condition is what follows the table's name in a question.
    ///
    /// # Errors
    /// [`StoreError::Statement`] where the table is not bound; what the engine reports.
    fn known(
        &self,
        table: &'static str,
        condition: &str,
        values: &[Value],
    ) -> Result<Vec<Known>, StoreError>;

    /// The rows of an owner that are bound together.
    ///
    /// # Errors
    /// As [`known`](Self::known).
    fn owned(&self, table: &'static str, owner: Uuid) -> Result<Owned, StoreError>;
}

impl<'q> dyn Query + 'q {
    /// All rows of a question, mapped.
    ///
    /// # Errors
    /// What the engine or `map` reports.
    pub fn rows<T>(
        &self,
        sql: &str,
        params: impl AsRef<[Value]>,
        mut map: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut found = Vec::new();
        self.each(sql, params.as_ref(), &mut |row| {
            found.push(map(row)?);
            Ok(())
        })?;
        Ok(found)
    }

    /// The first row of a question, or none.
    ///
    /// # Errors
    /// What the engine or `map` reports.
    pub fn row_opt<T>(
        &self,
        sql: &str,
        params: impl AsRef<[Value]>,
        mut map: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let mut found = None;
        self.each(sql, params.as_ref(), &mut |row| {
            if found.is_none() {
                found = Some(map(row)?);
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// The first row of a question.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] where there is none; what the engine or `map` reports.
    pub fn row<T>(
        &self,
        sql: &str,
        params: impl AsRef<[Value]>,
        map: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.row_opt(sql, params, map)?
            .ok_or_else(|| StoreError::NotFound(sql.to_owned()))
    }

    /// All rows of a question about a list of ids, however long: `#` in the statement stands for
    /// the places of the ids, as in `WHERE id IN (#)`.
    ///
    /// # Errors
    /// What the engine or `map` reports.
    pub fn rows_of<T>(
        &self,
        sql: &str,
        ids: &[Uuid],
        mut map: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut found = Vec::new();
        for part in ids.chunks(IDS_AT_ONCE) {
            let places: Vec<String> = (1..=part.len()).map(|n| format!("?{n}")).collect();
            let values: Vec<Value> = part.iter().map(|id| (*id).into()).collect();
            self.each(&sql.replace('#', &places.join(", ")), &values, &mut |row| {
                found.push(map(row)?);
                Ok(())
            })?;
        }
        Ok(found)
    }

    /// Keyed hash (HMAC-SHA256) to store beside a sealed value, by which it is found again; `text`
    /// must be in its normal form. Equal texts of different classes have different hashes.
    ///
    /// # Errors
    /// What the engine reports.
    pub fn lookup(&self, class: &str, text: &str) -> Result<[u8; 32], StoreError> {
        let [now, _] = self.lookups(class, text)?;
        Ok(now)
    }

    /// The two hashes under which a value may stand: they differ while the hashes of a database
    /// are made anew, so a search asks for both.
    ///
    /// # Errors
    /// What the engine reports.
    pub fn lookups(&self, class: &str, text: &str) -> Result<[[u8; 32]; 2], StoreError> {
        let hash = |key| super::keys::lookup_with(&key, class, text);
        Ok(super::keys::lookup_keys(self)?.map(hash))
    }

    /// Opens a sealed text of an owner.
    ///
    /// # Errors
    /// [`StoreError::KeyDestroyed`] after erasure, [`StoreError::Unsealable`] where the bytes are
    /// another owner's or damaged.
    pub fn open(&self, owner: Uuid, sealed: &[u8]) -> Result<String, StoreError> {
        String::from_utf8(self.open_bytes(owner, sealed)?)
            .map_err(|_| StoreError::Unsealable("the content is not text"))
    }

    /// Opens a sealed text of an owner that was sealed as this class.
    ///
    /// # Errors
    /// As [`open`](#method.open), and where it is of another class.
    pub fn open_as(&self, owner: Uuid, class: &str, sealed: &[u8]) -> Result<String, StoreError> {
        String::from_utf8(self.open_bytes_as(owner, class, sealed)?)
            .map_err(|_| StoreError::Unsealable("the content is not text"))
    }

    /// Opens sealed bytes of an owner that were sealed as this class.
    ///
    /// # Errors
    /// As [`open_as`](#method.open_as).
    pub fn open_bytes_as(
        &self,
        owner: Uuid,
        class: &str,
        sealed: &[u8],
    ) -> Result<Vec<u8>, StoreError> {
        self.data_key(owner)?.open_as(class, sealed)
    }

    /// Opens sealed bytes of an owner.
    ///
    /// # Errors
    /// As [`open`](#method.open).
    pub fn open_bytes(&self, owner: Uuid, sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
        self.data_key(owner)?.open(sealed)
    }
}

/// One moment of the tables: everything read through it belongs together.
pub struct Snapshot<'a> {
    session: Session<'a>,
    keys: &'a Keys,
    shapes: &'a Shapes,
    ring: RefCell<KeyRing>,
}

impl<'a> Snapshot<'a> {
    /// Of a moment that somebody else began.
    pub(super) fn of(session: Session<'a>, keys: &'a Keys, shapes: &'a Shapes) -> Self {
        let ring = RefCell::default();
        Self {
            session,
            keys,
            shapes,
            ring,
        }
    }
}

impl Snapshot<'_> {
    pub(super) fn session(&self) -> Session<'_> {
        self.session
    }

    /// Every table with its columns, for checks of the schema as a whole.
    ///
    /// # Errors
    /// What the engine reports.
    pub fn columns(&self) -> Result<Vec<(String, String)>, StoreError> {
        let mut all = Vec::new();
        self.session
            .query(self.session.columns_sql(), &[], &mut |row| {
                all.push((row.get(0)?, row.get(1)?));
                Ok(())
            })?;
        Ok(all)
    }

    /// All tables of the schema, each after those it refers to.
    ///
    /// # Errors
    /// What the engine reports.
    pub fn tables(&self) -> Result<Vec<Table>, StoreError> {
        tables::in_order(self.session)
    }
}

impl Query for Snapshot<'_> {
    fn each(
        &self,
        sql: &str,
        params: &[Value],
        visit: &mut dyn FnMut(&Row<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.session.query(sql, params, visit)
    }

    fn keys(&self) -> &Keys {
        self.keys
    }

    fn data_key(&self, owner: Uuid) -> Result<DataKey, StoreError> {
        if let Some(known) = self.ring.borrow().get(owner) {
            return Ok(known);
        }
        let key = self
            .keys
            .load(self, owner)?
            .ok_or_else(|| super::keys::missing(owner))?;
        self.ring.borrow_mut().put(key.clone());
        Ok(key)
    }

    fn known(
        &self,
        table: &'static str,
        condition: &str,
        values: &[Value],
    ) -> Result<Vec<Known>, StoreError> {
        let shape = self.shapes.require(table)?;
        known::read(self.session, shape, (table, condition), values, 0)
    }

    fn owned(&self, table: &'static str, owner: Uuid) -> Result<Owned, StoreError> {
        let shape = self.shapes.require(table)?;
        known::read_owned(self.session, shape, (table, owner), 0)
    }
}

impl<'a> Deref for Snapshot<'a> {
    type Target = dyn Query + 'a;

    fn deref(&self) -> &Self::Target {
        self
    }
}

/// Where connections for reading come from.
pub(super) enum Source {
    /// The database file.
    Sqlite(PathBuf, sqlite::Settings),
    /// A server.
    Postgres(Box<postgres::Server>),
}

impl Source {
    /// Makes a connection.
    ///
    /// # Errors
    /// What the engine reports.
    pub(super) fn open(&self) -> Result<Reader, StoreError> {
        Ok(match self {
            Self::Sqlite(file, settings) => Reader::Sqlite(sqlite::open_reader(file, settings)?),
            Self::Postgres(server) => Reader::Postgres(Box::new(server.connect()?)),
        })
    }
}

/// A connection for reading.
pub(super) enum Reader {
    Sqlite(rusqlite::Connection),
    Postgres(Box<postgres::Session>),
}

impl Reader {
    fn begin(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(connection) => sqlite::control(connection, "BEGIN DEFERRED"),
            Self::Postgres(session) => {
                session.control("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            }
        }
    }

    fn end(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(connection) => sqlite::control(connection, "COMMIT"),
            Self::Postgres(session) => session.control("COMMIT"),
        }
    }

    /// Lends the connection without a snapshot.
    pub(super) fn with_session<T>(self, f: impl FnOnce(Session<'_>) -> T) -> T {
        f(self.session())
    }

    fn session(&self) -> Session<'_> {
        match self {
            Self::Sqlite(connection) => Session::Sqlite(connection),
            Self::Postgres(session) => Session::Postgres(session),
        }
    }
}

/// The readers' own connections: at most `limit`, opened when first needed.
pub(super) struct Readers {
    source: Source,
    limit: usize,
    shapes: Arc<Shapes>,
    state: Mutex<Idle>,
    returned: Condvar,
}

#[derive(Default)]
struct Idle {
    connections: Vec<Reader>,
    lent: usize,
}

impl Readers {
    pub(super) fn new(source: Source, limit: usize, shapes: Arc<Shapes>) -> Self {
        Self {
            source,
            limit: limit.max(1),
            shapes,
            state: Mutex::default(),
            returned: Condvar::new(),
        }
    }

    /// Runs `f` on a snapshot; blocks while all connections are lent.
    pub(super) fn read<T, E, F>(&self, keys: &Keys, f: F) -> Result<T, E>
    where
        F: FnOnce(&Snapshot<'_>) -> Result<T, E>,
        E: From<StoreError>,
    {
        let mut loan = Loan {
            readers: self,
            connection: self.borrow_idle(),
        };
        // An idle connection to a server may have died of old age.
        let reader = match loan.connection.take().filter(|idle| idle.begin().is_ok()) {
            Some(idle) => idle,
            None => {
                let fresh = self.source.open()?;
                fresh.begin()?;
                fresh
            }
        };
        let answer = { f(&Snapshot::of(reader.session(), keys, &self.shapes)) };
        // A connection whose snapshot does not end is dropped, and with it the snapshot.
        if reader.end().is_ok() {
            loan.connection = Some(reader);
        }
        answer
    }

    fn borrow_idle(&self) -> Option<Reader> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while state.lent >= self.limit {
            state = self
                .returned
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.lent += 1;
        state.connections.pop()
    }

    /// Drops the idle connections, so that the last writer can tidy the log away.
    pub(super) fn close_idle(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = std::mem::take(&mut state.connections);
        drop(state);
        if matches!(self.source, Source::Postgres(_)) {
            // Saying farewell to the server takes waiting.
            let _ = postgres::aside(|| drop(idle));
        }
    }
}

/// A place in the pool, given back also when the reader's closure panics.
struct Loan<'a> {
    readers: &'a Readers,
    connection: Option<Reader>,
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        let mut state = self
            .readers
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        state.lent -= 1;
        state.connections.extend(self.connection.take());
        self.readers.returned.notify_one();
    }
}

/// A pattern for `LIKE … ESCAPE '!'` that finds a text anywhere, the same on every engine.
#[must_use]
pub fn holding(text: &str) -> String {
    let escaped = text
        .replace('!', "!!")
        .replace('%', "!%")
        .replace('_', "!_");
    format!("%{escaped}%")
}
