//! One connection of either engine, as commands and snapshots use it.
//!
//! Deliberately lacks the transactions of commands and snapshots: `writer`, `workers` and `read` begin
//! and end those.

use super::value::{Value, ValueRef};
use super::{StoreError, postgres, read::Row, sqlite};

/// A connection lent for one command or snapshot.
#[derive(Clone, Copy)]
pub(super) enum Session<'a> {
    /// A connection of the embedded engine.
    Sqlite(&'a rusqlite::Connection),
    /// A connection to a server.
    Postgres(&'a postgres::Session),
}

impl Session<'_> {
    /// Runs a data statement and gives the number of rows it changed.
    pub(super) fn execute(self, sql: &str, params: &[Value]) -> Result<u64, StoreError> {
        check(sql, params)?;
        match self {
            Self::Sqlite(connection) => sqlite::execute(connection, sql, params),
            Self::Postgres(session) => session.execute(sql, params),
        }
    }

    /// Runs a question and shows each row.
    pub(super) fn query(
        self,
        sql: &str,
        params: &[Value],
        visit: &mut dyn FnMut(&Row<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        check(sql, params)?;
        match self {
            Self::Sqlite(connection) => sqlite::query(connection, sql, params, visit),
            Self::Postgres(session) => session.query(sql, params, visit),
        }
    }

    /// What a question ends with whose rows are claimed: rows another worker holds are passed over
    /// where the engine has several writers.
    pub(super) fn claiming(self) -> &'static str {
        match self {
            Self::Sqlite(_) => "",
            Self::Postgres(_) => " FOR UPDATE SKIP LOCKED",
        }
    }

    /// What an insertion ends with that writes nothing where its key is taken. A server says what was
    /// taken, and undoes the one command.
    pub(super) fn if_free(self) -> &'static str {
        match self {
            Self::Sqlite(_) => " ON CONFLICT DO NOTHING",
            Self::Postgres(_) => "",
        }
    }

    /// Begins work that is kept whole or not at all.
    pub(super) fn begin_work(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(connection) => sqlite::control(connection, "BEGIN IMMEDIATE"),
            Self::Postgres(session) => session.control("BEGIN ISOLATION LEVEL READ COMMITTED"),
        }
    }

    /// Begins to read one moment, as [`end_work`](Self::end_work) ends it.
    pub(super) fn begin_look(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(connection) => sqlite::control(connection, "BEGIN DEFERRED"),
            Self::Postgres(session) => {
                session.control("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            }
        }
    }

    /// Keeps what was done since [`begin_work`](Self::begin_work).
    pub(super) fn end_work(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(connection) => sqlite::control(connection, "COMMIT"),
            Self::Postgres(session) => session.control("COMMIT"),
        }
    }

    /// Table, column, type and place in the primary key (from 1, else 0) of every column.
    pub(super) fn tables_sql(self) -> &'static str {
        match self {
            Self::Sqlite(_) => {
                "SELECT t.name, c.name, c.type, c.pk FROM sqlite_schema t, pragma_table_info(t.name) c \
                 WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite!_%' ESCAPE '!'"
            }
            Self::Postgres(_) => {
                "SELECT t.relname, c.attname, CAST(format_type(c.atttypid, c.atttypmod) AS TEXT), \
                 COALESCE(array_position(k.conkey, c.attnum), 0) FROM pg_class t \
                 JOIN pg_attribute c ON c.attrelid = t.oid AND c.attnum > 0 AND NOT c.attisdropped \
                 LEFT JOIN pg_constraint k ON k.conrelid = t.oid AND k.contype = 'p' \
                 WHERE t.relkind = 'r' AND t.relnamespace = current_schema()::regnamespace"
            }
        }
    }

    /// Table and the table it refers to, of every foreign key.
    pub(super) fn references_sql(self) -> &'static str {
        match self {
            Self::Sqlite(_) => {
                "SELECT t.name, f.\"table\" FROM sqlite_schema t, pragma_foreign_key_list(t.name) f \
                 WHERE t.type = 'table'"
            }
            Self::Postgres(_) => {
                "SELECT t.relname, f.relname FROM pg_constraint k \
                 JOIN pg_class t ON t.oid = k.conrelid JOIN pg_class f ON f.oid = k.confrelid \
                 WHERE k.contype = 'f' AND t.relnamespace = current_schema()::regnamespace"
            }
        }
    }

    /// Kind and name of everything in the schema that holds, shows or changes rows. What belongs to an
    /// extension of the server is its own.
    pub(super) fn parts_sql(self) -> &'static str {
        match self {
            Self::Sqlite(_) => {
                "SELECT type, name FROM sqlite_schema WHERE type <> 'index' \
                 AND (type <> 'table' OR name NOT LIKE 'sqlite!_%' ESCAPE '!')"
            }
            Self::Postgres(_) => {
                "WITH own AS (SELECT c.oid, CAST(c.relname AS TEXT) AS name, c.relkind FROM pg_class c \
                 WHERE c.relnamespace = current_schema()::regnamespace AND NOT EXISTS \
                 (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')) \
                 SELECT CASE WHEN relkind IN ('v', 'm') THEN 'view' ELSE 'table' END, name FROM own \
                 WHERE relkind IN ('r', 'p', 'f', 'v', 'm') \
                 UNION ALL SELECT 'trigger', t.tgname || ' (' || name || ')' FROM pg_trigger t \
                 JOIN own ON own.oid = t.tgrelid WHERE NOT t.tgisinternal \
                 UNION ALL SELECT 'rule', r.rulename || ' (' || name || ')' FROM pg_rewrite r \
                 JOIN own ON own.oid = r.ev_class WHERE r.rulename <> '_RETURN' \
                 UNION ALL SELECT 'policy', p.polname || ' (' || name || ')' FROM pg_policy p \
                 JOIN own ON own.oid = p.polrelid"
            }
        }
    }

    /// Tables and columns of the schema, for the shapes of bound rows.
    pub(super) fn columns_sql(self) -> &'static str {
        match self {
            Self::Sqlite(_) => {
                "SELECT t.name, c.name FROM sqlite_schema t, pragma_table_info(t.name) c \
                 WHERE t.type = 'table' ORDER BY t.name, c.cid"
            }
            Self::Postgres(_) => {
                "SELECT table_name, column_name FROM information_schema.columns \
                 WHERE table_schema = current_schema() ORDER BY table_name, ordinal_position"
            }
        }
    }
}

/// One row of either engine.
#[derive(Clone, Copy)]
pub(super) enum RawRow<'a> {
    Sqlite(&'a rusqlite::Row<'a>),
    Postgres(&'a ::postgres::Row),
}

impl<'a> RawRow<'a> {
    /// One column in our own terms.
    pub(super) fn column(self, index: usize) -> Result<ValueRef<'a>, StoreError> {
        match self {
            Self::Sqlite(row) => sqlite::column(row, index),
            Self::Postgres(row) => postgres::column(row, index),
        }
    }
}

/// Lets through only questions and data statements, and no NUL: PostgreSQL has none in text.
///
/// Transaction control inside a command would break its group open.
fn check(sql: &str, params: &[Value]) -> Result<(), StoreError> {
    const ALLOWED: [&str; 5] = ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"];
    let start = sql.trim_start();
    let end = start
        .find(|c: char| !c.is_ascii_alphabetic())
        .unwrap_or(start.len());
    let (word, _) = start.split_at(end);
    if !ALLOWED
        .iter()
        .any(|allowed| word.eq_ignore_ascii_case(allowed))
    {
        return Err(StoreError::Statement(format!("begins with {word:?}")));
    }
    for (index, value) in params.iter().enumerate() {
        if matches!(value, Value::Text(text) if text.contains('\0')) {
            return Err(StoreError::Value(format!(
                "parameter {} holds a NUL character",
                index + 1
            )));
        }
    }
    Ok(())
}
