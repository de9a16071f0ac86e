//! What is in the database, read past the program: a connection of its own that only reads.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::load::{Form, Sent};

/// How often a command's effect must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Once where it was acknowledged, else at most once.
    IfAcknowledged,
    /// Once.
    Once,
}

fn open(data: &Path) -> Connection {
    Connection::open_with_flags(data.join("luodi.db"), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
}

/// Counts each command's row, key and audit event: all are there, or none is.
pub fn check(data: &Path, commands: &[&Sent], due: Due) {
    let connection = open(data);
    let count = |sql: &str, value: &dyn rusqlite::ToSql| -> i64 {
        connection
            .query_row(sql, [value], |row| row.get(0))
            .unwrap()
    };
    for sent in commands {
        let (table, mark, command) = match sent.form {
            Form::BankAccount(_) => ("bank_account", "bank_name", "bank_account.enter"),
            Form::Article => ("article", "title", "article.create"),
        };
        let rows = count(
            &format!("SELECT COUNT(*) FROM {table} WHERE {mark} = ?1"),
            &sent.mark,
        );
        let keys = count("SELECT COUNT(*) FROM idempotency WHERE key = ?1", &sent.key);
        let events = count(
            &format!(
                "SELECT COUNT(*) FROM {table} t JOIN audit_event e \
                 ON e.subject_table = '{table}' AND e.subject_id = t.id AND e.id = t.last_event \
                 WHERE t.{mark} = ?1 AND e.command = '{command}'"
            ),
            &sent.mark,
        );
        let must = due == Due::Once || sent.answer.is_some();
        let wanted = if must { 1 } else { rows.min(1) };
        assert_eq!([rows, keys, events], [wanted; 3], "{due:?} {sent:?}");
        if let (Form::Article, Some(answer)) = (&sent.form, &sent.answer) {
            let id = answer.location.rsplit('/').next().unwrap();
            let named = count(
                "SELECT COUNT(*) FROM article WHERE lower(hex(id)) = ?1",
                &id.replace('-', ""),
            );
            assert_eq!(named, 1, "{answer:?} names another row");
        }
    }
}

/// The database as a file is whole.
pub fn check_file(data: &Path) {
    let connection = open(data);
    let whole: String = connection
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(whole, "ok");
    let mut foreign = connection.prepare("PRAGMA foreign_key_check").unwrap();
    assert!(!foreign.exists([]).unwrap(), "a row without its parent");
}
