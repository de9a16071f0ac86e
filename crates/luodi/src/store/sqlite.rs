//! The SQLite engine: how connections are opened, statements run, values and errors translated.
//!
//! The only file of the store that knows SQLite's codes. Deliberately lacks transactions as
//! commands see them (`tx`, `writer`).

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef as Raw};
use rusqlite::{Connection, ErrorCode, OpenFlags, params_from_iter};

use super::StoreError;
use super::read::Row;
use super::session::RawRow;
use super::value::{Value, ValueRef};

/// How connections are set up.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// Whether a commit waits for the disk. Only throw-away stores of tests say no.
    pub(super) durable: bool,
    /// Size of a page of a new database in bytes (a power of two from 512 to 65,536).
    pub(super) page_size: u32,
    /// Page cache of each connection in KiB.
    pub(super) cache_kib: u32,
}

impl Settings {
    pub(super) fn of(options: &super::Options) -> Self {
        Self {
            durable: options.durable,
            page_size: options.page_size,
            cache_kib: options.cache_kib,
        }
    }
}

/// Statements kept prepared per connection.
const STATEMENTS: usize = 512;
/// How many times the cache of a reader the one connection has that writes: a page it lacks it reads
/// while everybody waits.
const WRITES: u32 = 8;
/// How long a connection waits for a lock of a checkpoint or a recovery.
const BUSY: Duration = Duration::from_secs(5);

/// Opens the connection that writes, creating the database where there is none.
pub(super) fn open_writer(file: &Path, settings: &Settings) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags).map_err(|e| error(&e, "open"))?;
    let synchronous = if settings.durable { "FULL" } else { "OFF" };
    // secure_delete FAST: deleted content (a destroyed key) is overwritten wherever its page is
    // written anyway. Checkpoints are made by the writer after it has answered.
    let setup = format!(
        "PRAGMA page_size = {};
         PRAGMA journal_mode = WAL;
         PRAGMA synchronous = {synchronous};
         PRAGMA wal_autocheckpoint = 0;
         PRAGMA journal_size_limit = 268435456;
         PRAGMA secure_delete = FAST;
         PRAGMA foreign_keys = ON;",
        settings.page_size
    );
    let settings = Settings {
        cache_kib: settings.cache_kib.saturating_mul(WRITES),
        ..settings.clone()
    };
    prepare(&connection, &settings, &setup)?;
    Ok(connection)
}

/// Opens a connection that can only read.
pub(super) fn open_reader(file: &Path, settings: &Settings) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags).map_err(|e| error(&e, "open"))?;
    prepare(&connection, settings, "PRAGMA query_only = ON;")?;
    Ok(connection)
}

/// Opens a database that is being filled and is nobody's yet: nothing of it is worth saving before
/// the end.
pub(super) fn open_part(file: &Path, settings: &Settings) -> Result<Connection, StoreError> {
    let connection = Connection::open(file).map_err(|e| error(&e, "open"))?;
    let setup = format!(
        "PRAGMA page_size = {};
         PRAGMA journal_mode = OFF;
         PRAGMA synchronous = OFF;
         PRAGMA foreign_keys = ON;",
        settings.page_size
    );
    prepare(&connection, settings, &setup)?;
    Ok(connection)
}

/// Closes a database that was filled.
pub(super) fn close_part(connection: Connection) -> Result<(), StoreError> {
    connection.close().map_err(|(_, e)| error(&e, "close"))
}

fn prepare(connection: &Connection, settings: &Settings, setup: &str) -> Result<(), StoreError> {
    connection
        .busy_timeout(BUSY)
        .map_err(|e| error(&e, "busy_timeout"))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // A plan must not depend on the values bound: a statement would be prepared anew for each.
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
        .map_err(|e| error(&e, "plans without values"))?;
    connection
        .execute_batch(setup)
        .map_err(|e| error(&e, setup))?;
    let cache = format!(
        "PRAGMA cache_size = -{}; PRAGMA temp_store = MEMORY;",
        settings.cache_kib
    );
    connection
        .execute_batch(&cache)
        .map_err(|e| error(&e, &cache))
}

/// Runs a statement of transaction control.
pub(super) fn control(connection: &Connection, sql: &str) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(sql).map_err(|e| error(&e, sql))?;
    statement.execute([]).map(drop).map_err(|e| error(&e, sql))
}

/// Runs a data statement and gives the number of rows it changed.
pub(super) fn execute(
    connection: &Connection,
    sql: &str,
    params: &[Value],
) -> Result<u64, StoreError> {
    let mut statement = connection.prepare_cached(sql).map_err(|e| error(&e, sql))?;
    let changed = statement
        .execute(params_from_iter(params))
        .map_err(|e| error(&e, sql))?;
    Ok(changed as u64)
}

/// Runs a question and shows each row.
pub(super) fn query(
    connection: &Connection,
    sql: &str,
    params: &[Value],
    visit: &mut dyn FnMut(&Row<'_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(sql).map_err(|e| error(&e, sql))?;
    let mut rows = statement
        .query(params_from_iter(params))
        .map_err(|e| error(&e, sql))?;
    while let Some(row) = rows.next().map_err(|e| error(&e, sql))? {
        visit(&Row {
            inner: RawRow::Sqlite(row),
        })?;
    }
    Ok(())
}

/// One column of a row in our own terms.
pub(super) fn column<'a>(
    row: &'a rusqlite::Row<'_>,
    index: usize,
) -> Result<ValueRef<'a>, StoreError> {
    let raw = row
        .get_ref(index)
        .map_err(|e| StoreError::Value(format!("column {index}: {e}")))?;
    Ok(match raw {
        Raw::Null => ValueRef::Null,
        Raw::Integer(it) => ValueRef::Int(it),
        Raw::Real(it) => ValueRef::Real(it),
        // Text that is none was not written by this program.
        Raw::Text(bytes) => {
            std::str::from_utf8(bytes).map_or(ValueRef::Blob(bytes), ValueRef::Text)
        }
        Raw::Blob(it) => ValueRef::Blob(it),
    })
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => Raw::Null,
            Value::Int(it) => Raw::Integer(*it),
            Value::Real(it) => Raw::Real(*it),
            Value::Text(it) => Raw::Text(it.as_bytes()),
            Value::Blob(it) => Raw::Blob(it),
        }))
    }
}

/// Primary result codes that blame the disk or the file (sqlite.org/rescode.html).
const DISK: [ErrorCode; 7] = [
    ErrorCode::DiskFull,
    ErrorCode::SystemIoFailure,
    ErrorCode::ReadOnly,
    ErrorCode::CannotOpen,
    ErrorCode::OutOfMemory,
    ErrorCode::DatabaseCorrupt,
    ErrorCode::NotADatabase,
];
/// SQLITE_CONSTRAINT_PRIMARYKEY and SQLITE_CONSTRAINT_UNIQUE.
const UNIQUE: [i32; 2] = [1555, 2067];

/// Translates an error of the engine.
pub(super) fn error(error: &rusqlite::Error, sql: &str) -> StoreError {
    let message = error.to_string();
    let Some(failure) = error.sqlite_error() else {
        return StoreError::Engine {
            code: "0".to_owned(),
            message,
            sql: sql.to_owned(),
        };
    };
    if DISK.contains(&failure.code) {
        return StoreError::Unavailable(message);
    }
    if UNIQUE.contains(&failure.extended_code) {
        return conflict(&message);
    }
    if failure.code == ErrorCode::ConstraintViolation {
        return StoreError::Constraint(message);
    }
    StoreError::Engine {
        code: failure.extended_code.to_string(),
        message,
        sql: sql.to_owned(),
    }
}

/// Reads table and columns out of `UNIQUE constraint failed: t.a, t.b`.
fn conflict(message: &str) -> StoreError {
    let names = message
        .rsplit_once(": ")
        .map_or(message, |(_, names)| names);
    let mut table = String::new();
    let mut columns = Vec::new();
    for name in names.split(", ") {
        match name.split_once('.') {
            Some((of, column)) => {
                of.clone_into(&mut table);
                columns.push(column.to_owned());
            }
            None => columns.push(name.to_owned()),
        }
    }
    StoreError::Conflict { table, columns }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_conflict(message: &str, wanted_table: &str, wanted_columns: &[&str]) {
        let StoreError::Conflict { table, columns } = conflict(message) else {
            panic!()
        };
        assert_eq!(table, wanted_table);
        assert_eq!(columns, wanted_columns);
    }

    #[test]
    fn conflicts_name_table_and_columns() {
        check_conflict("UNIQUE constraint failed: t.a", "t", &["a"]);
        check_conflict("UNIQUE constraint failed: t.a, t.b", "t", &["a", "b"]);
        check_conflict("UNIQUE constraint failed: index 'x'", "", &["index 'x'"]);
    }
}
