//! Migrations: small, numbered, run once each, the same text for both engines.
//!
//! Owns the table `schema_migration` and the translation of column types. Deliberately lacks
//! migrations back: what was published stays.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};

use super::session::Session;
use super::{StoreError, params, sqlite};

#[derive(RustEmbed)]
#[folder = "migrations"]
struct Files;

/// One file `NNNN_name.sql`.
#[derive(Clone, Debug)]
pub(super) struct Migration {
    pub(super) version: i64,
    pub(super) name: String,
    pub(super) sql: String,
}

/// The migrations this program carries, in their order.
pub(super) fn embedded() -> Result<Vec<Migration>, StoreError> {
    let mut found = BTreeMap::new();
    for path in Files::iter().filter(|path| path.ends_with(".sql")) {
        let wrong = || StoreError::Migration(format!("{path} is not NNNN_name.sql in UTF-8"));
        let stem = path.strip_suffix(".sql").ok_or_else(wrong)?;
        let (number, name) = stem.split_once('_').ok_or_else(wrong)?;
        let version: i64 = number.parse().map_err(|_| wrong())?;
        let file = Files::get(&path).ok_or_else(wrong)?;
        let sql = String::from_utf8(file.data.into_owned()).map_err(|_| wrong())?;
        let migration = Migration {
            version,
            name: name.to_owned(),
            sql,
        };
        if found.insert(version, migration).is_some() {
            return Err(StoreError::Migration(format!(
                "two migrations are numbered {version}"
            )));
        }
    }
    Ok(found.into_values().collect())
}

/// What has been applied, in the common column types.
const APPLIED: &str = "CREATE TABLE IF NOT EXISTS schema_migration \
    (version BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, digest TEXT NOT NULL, applied_at BIGINT NOT NULL);";

/// Brings the schema up to date. On a server all of it is one transaction, and of several programs
/// that start at once one does it while the others wait.
///
/// # Errors
/// [`StoreError::Migration`] where an applied migration was changed since, is unknown here, or is
/// newer than one still to be applied.
pub(super) fn run(
    session: Session<'_>,
    all: &[Migration],
    now: Timestamp,
) -> Result<(), StoreError> {
    let Session::Postgres(server) = session else {
        return bring_up(session, all, now);
    };
    server.control("BEGIN ISOLATION LEVEL READ COMMITTED")?;
    let ran = server
        .control(APPLIED)
        .and_then(|()| server.control("LOCK TABLE schema_migration IN EXCLUSIVE MODE"))
        .and_then(|()| bring_up(session, all, now))
        .and_then(|()| server.control("COMMIT"));
    if ran.is_err() {
        let _ = server.control("ROLLBACK");
    }
    ran
}

/// Whether any program has brought a schema up here.
///
/// # Errors
/// What the engine reports.
pub(super) fn has_begun(session: Session<'_>) -> Result<bool, StoreError> {
    let mut begun = false;
    session.query(session.columns_sql(), &[], &mut |row| {
        begun |= row.get::<String>(0)? == "schema_migration";
        Ok(())
    })?;
    Ok(begun)
}

fn bring_up(session: Session<'_>, all: &[Migration], now: Timestamp) -> Result<(), StoreError> {
    if matches!(session, Session::Sqlite(_)) {
        batch(session, &adapted(session, APPLIED)?)?;
    }
    let mut applied = applied(session)?;
    let latest = applied.keys().next_back().copied();
    for migration in all {
        let Migration { version, name, sql } = migration;
        match applied.remove(version) {
            Some(digest) if digest == digest_of(sql) => {}
            Some(_) => {
                return Err(StoreError::Migration(format!(
                    "{version} {name} was changed after it was applied"
                )));
            }
            None if Some(*version) < latest => {
                return Err(StoreError::Migration(format!(
                    "{version} {name} comes after a later one was applied"
                )));
            }
            None => apply(session, migration, now)?,
        }
    }
    match applied.keys().next() {
        None => Ok(()),
        Some(version) => Err(StoreError::Migration(format!(
            "the database has migration {version}, which this program does not know: use a newer program"
        ))),
    }
}

fn applied(session: Session<'_>) -> Result<BTreeMap<i64, String>, StoreError> {
    let mut found = BTreeMap::new();
    let sql = "SELECT version, digest FROM schema_migration";
    session.query(sql, &[], &mut |row| {
        found.insert(row.get(0)?, row.get(1)?);
        Ok(())
    })?;
    Ok(found)
}

fn apply(session: Session<'_>, migration: &Migration, now: Timestamp) -> Result<(), StoreError> {
    let Migration { version, name, sql } = migration;
    let wrong = |why: String| StoreError::Migration(format!("{version} {name}: {why}"));
    let own = matches!(session, Session::Sqlite(_));
    let around = |sql| if own { batch(session, sql) } else { Ok(()) };
    let run = || {
        let adapted = adapted(session, sql)?;
        around("BEGIN IMMEDIATE")?;
        batch(session, &adapted)?;
        session.execute(
            "INSERT INTO schema_migration (version, name, digest, applied_at) VALUES (?1, ?2, ?3, ?4)",
            &params![*version, name, digest_of(sql), now],
        )?;
        around("COMMIT")
    };
    run().map_err(|error| {
        let _ = around("ROLLBACK");
        wrong(error.to_string())
    })
}

/// The text of a migration for the engine: the common column types are PostgreSQL's.
fn adapted(session: Session<'_>, sql: &str) -> Result<String, StoreError> {
    let translated = translate(sql).map_err(StoreError::Migration)?;
    Ok(match session {
        Session::Sqlite(_) => translated,
        Session::Postgres(_) => sql.to_owned(),
    })
}

fn batch(session: Session<'_>, sql: &str) -> Result<(), StoreError> {
    match session {
        Session::Sqlite(connection) => connection
            .execute_batch(sql)
            .map_err(|error| sqlite::error(&error, "migration")),
        Session::Postgres(server) => server.control(sql),
    }
}

fn digest_of(sql: &str) -> String {
    let hex: String = Sha256::digest(sql)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("sha256:{hex}")
}

/// Turns the common column types into those of SQLite's STRICT tables.
fn translate(sql: &str) -> Result<String, String> {
    let mut output = String::with_capacity(sql.len() + 64);
    let mut head: Vec<String> = Vec::new();
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let (token, after) = split_token(rest, first);
        rest = after;
        match first {
            ';' => {
                if matches!(head.as_slice(), [create, table] if create == "CREATE" && table == "TABLE")
                {
                    output.push_str(" STRICT");
                }
                head.clear();
                output.push(';');
            }
            _ if first.is_ascii_alphabetic() || first == '_' => {
                let word = token.to_ascii_uppercase();
                output.push_str(word_of_sqlite(&word, token)?);
                if head.len() < 2 {
                    head.push(word);
                }
            }
            _ => output.push_str(token),
        }
    }
    if head.is_empty() {
        Ok(output)
    } else {
        Err("the last statement lacks its semicolon".into())
    }
}

fn word_of_sqlite<'a>(word: &str, token: &'a str) -> Result<&'a str, String> {
    match word {
        "BIGINT" => Ok("INTEGER"),
        "BYTEA" => Ok("BLOB"),
        "DOUBLE" => Ok("REAL"),
        "PRECISION" => Ok(""),
        // A deferred check fails at the commit, and with it the whole group.
        "DEFERRABLE" | "AUTOINCREMENT" | "SERIAL" | "BOOLEAN" => {
            Err(format!("{word} is not allowed"))
        }
        _ => Ok(token),
    }
}

/// Splits off a comment, a quoted text, a word or one other character.
fn split_token(rest: &str, first: char) -> (&str, &str) {
    let end = match first {
        '-' if rest.starts_with("--") => rest.find('\n'),
        '\'' | '"' => rest
            .char_indices()
            .skip(1)
            .find(|(_, c)| *c == first)
            .map(|(at, _)| at + 1),
        _ if first.is_ascii_alphabetic() || first == '_' => {
            rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        }
        _ => Some(first.len_utf8()),
    };
    rest.split_at(end.unwrap_or(rest.len()))
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    #[track_caller]
    fn check_translation(sql: &str, wanted: Result<&str, &str>) {
        let got = translate(sql);
        assert_eq!(got.as_deref().map_err(String::as_str), wanted, "{sql}");
    }

    #[test]
    fn types_are_those_of_strict_tables() {
        check_translation(
            "CREATE TABLE a (b BIGINT, c BYTEA, d TEXT);",
            Ok("CREATE TABLE a (b INTEGER, c BLOB, d TEXT) STRICT;"),
        );
        check_translation(
            "-- a table;\ncreate table a (b DOUBLE PRECISION);",
            Ok("-- a table;\ncreate table a (b REAL ) STRICT;"),
        );
        check_translation("CREATE INDEX i ON a (b);", Ok("CREATE INDEX i ON a (b);"));
        check_translation(
            "ALTER TABLE a ADD COLUMN e BIGINT;",
            Ok("ALTER TABLE a ADD COLUMN e INTEGER;"),
        );
        check_translation(
            "INSERT INTO a (d) VALUES ('BIGINT; it''s 落地');",
            Ok("INSERT INTO a (d) VALUES ('BIGINT; it''s 落地');"),
        );
        check_translation(
            "INSERT INTO a (bigint_b) VALUES (1);",
            Ok("INSERT INTO a (bigint_b) VALUES (1);"),
        );
        check_translation("CREATE TABLE a (b BOOLEAN);", Err("BOOLEAN is not allowed"));
        check_translation("SELECT 1", Err("the last statement lacks its semicolon"));
        check_translation("", Ok(""));
    }

    fn migration(version: i64, sql: &str) -> Migration {
        Migration {
            version,
            name: format!("m{version}"),
            sql: sql.into(),
        }
    }

    fn tables(connection: &Connection) -> i64 {
        let sql = "SELECT COUNT(*) FROM sqlite_schema WHERE name IN ('a', 'b')";
        connection.query_row(sql, [], |row| row.get(0)).unwrap()
    }

    /// Runs `first`, then `second`, on a new database; gives the tables and the refusal.
    fn run_both(first: &[Migration], second: &[Migration]) -> (i64, Option<String>) {
        let connection = Connection::open_in_memory().unwrap();
        let now = Timestamp::UNIX_EPOCH;
        run(Session::Sqlite(&connection), first, now).unwrap();
        let refusal = run(Session::Sqlite(&connection), second, now)
            .err()
            .map(|error| error.to_string());
        (tables(&connection), refusal)
    }

    #[test]
    fn migrations_run_once_and_in_order() {
        let a = || migration(1, "CREATE TABLE a (x TEXT);");
        let b = || migration(3, "CREATE TABLE b (x TEXT);");
        assert_eq!(run_both(&[a()], &[a()]), (1, None));
        assert_eq!(run_both(&[a()], &[a(), b()]), (2, None));
        let refusal = |second: &[Migration]| run_both(&[a(), b()], second).1.unwrap();
        let changed = migration(3, "CREATE TABLE b (y TEXT);");
        assert!(refusal(&[a(), changed]).contains("changed"));
        assert!(refusal(&[a()]).contains("newer program"));
        let between = migration(2, "CREATE TABLE c (x TEXT);");
        assert!(refusal(&[a(), between, b()]).contains("later"));
    }

    #[test]
    fn a_failing_migration_leaves_nothing() {
        let a = || migration(1, "CREATE TABLE a (x TEXT);");
        let broken = migration(
            2,
            "CREATE TABLE b (x TEXT); INSERT INTO nowhere (x) VALUES ('1');",
        );
        let (tables, refusal) = run_both(&[a()], &[a(), broken]);
        assert_eq!(tables, 1);
        assert!(refusal.unwrap().contains("nowhere"));
    }

    #[test]
    fn the_embedded_migrations_are_in_order() {
        let all = embedded().unwrap();
        assert!(all.iter().any(|it| it.name == "store"));
        assert!(all.is_sorted_by(|a, b| a.version < b.version));
    }
}
