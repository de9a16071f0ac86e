//! The log as an auditor meets it: verified, exported, proved, witnessed.

use std::collections::BTreeSet;
use std::fs;

use luodi::store::Reading;
use rusqlite::types::Value as Stored;
use serde_json::Value;

use super::{Luodi, json_of, text};
use crate::support::Ground;

impl Luodi {
    /// Runs a subcommand of the log with `--json`; gives its exit code and what it said.
    fn audit(&self, args: &[&str]) -> (Option<i32>, Value) {
        let out = self.run(&[&["--json", "audit"], args].concat());
        (out.status.code(), json_of(&out))
    }

    /// Changes the tables behind the program's back.
    fn tamper(&self, sql: &str) {
        let file = self.data().join("luodi.db");
        let connection = rusqlite::Connection::open(file).unwrap();
        connection.execute_batch(sql).unwrap();
    }
}

#[test]
fn a_demonstration_s_log_is_in_order_and_stays_so_elsewhere() {
    let city = Luodi::demo();
    let (saved, export) = (city.path("saved"), city.path("log.jsonl"));
    let (code, _) = city.audit(&["checkpoint", "--out", &saved]);
    assert_eq!(code, Some(0));
    let (code, found) = city.audit(&["verify", "--checkpoint", &saved]);
    assert_eq!(code, Some(0), "{found}");
    assert!(found["events"].as_u64().unwrap() > 1_000);
    assert!(found["rows"].as_u64().unwrap() > 1_000);
    assert_eq!(
        (&found["waiting"], &found["events"]),
        (&Value::from(0), &found["tree_size"])
    );
    assert!(
        std::fs::read_to_string(&saved)
            .unwrap()
            .contains(found["root"].as_str().unwrap())
    );

    assert_eq!(city.audit(&["export", &export]).0, Some(0));
    let (code, same) = Luodi::empty().audit(&["verify", &export, "--checkpoint", &saved]);
    assert_eq!(code, Some(0), "{same}");
    assert_eq!(
        (&same["root"], &same["events"]),
        (&found["root"], &found["events"])
    );
}

#[test]
fn what_was_changed_behind_the_program_s_back_is_named() {
    let demo = || Luodi {
        ground: Ground::demo_in_a_file(),
    };
    let city = demo();
    let (code, found) = city.audit(&["verify"]);
    assert_eq!(code, Some(0), "{found}");
    for (sql, table) in [
        (
            "UPDATE casework SET amount_fen = amount_fen + 1 WHERE amount_fen > 0",
            "casework",
        ),
        ("DELETE FROM posting WHERE position = 1", "posting"),
        ("UPDATE attachment SET file_name = 'x.pdf'", "attachment"),
        ("UPDATE notice_entry SET amount_fen = 1", "notice_entry"),
        (
            "INSERT INTO account_role (account_id, role) SELECT id, 'finance' FROM account WHERE party_id IS NOT NULL",
            "account_role",
        ),
        ("DELETE FROM case_duty", "case_duty"),
        (
            "UPDATE item_version SET body = replace(body, '0', '1')",
            "item_version",
        ),
        ("UPDATE item_version SET name = 'x'", "item_version"),
        ("DELETE FROM message", "message"),
        ("UPDATE message SET body = 'x'", "message"),
        ("UPDATE case_measure SET numerator = 1.0", "case_measure"),
        ("UPDATE data_key SET wrapped = NULL", "data_key"),
        ("UPDATE city SET demo = 0", "city"),
    ] {
        let city = demo();
        city.tamper(&format!("PRAGMA foreign_keys = OFF; {sql}"));
        let (code, found) = city.audit(&["verify"]);
        assert_eq!(code, Some(1), "{sql}");
        let first = &found["first_bad"];
        assert_eq!(first["table"], table, "{sql}");
        assert!(first["id"].is_string(), "{first}");
        assert!(first["event"].is_string(), "{first}");
    }
}

/// What is not bound but follows from bound rows is recomputed.
#[test]
fn what_is_derived_is_recomputed() {
    for sql in [
        "UPDATE ledger_balance SET debit_fen = debit_fen + 1 WHERE account = 'available'",
        "DELETE FROM ledger_balance",
        "UPDATE ledger_balance SET account = 'x' WHERE account = 'available'",
        "UPDATE number_series SET last_number = last_number - 1 WHERE series LIKE 'case %'",
        "UPDATE number_series SET last_number = 99 WHERE series LIKE 'notice %'",
        "DELETE FROM number_series",
        "INSERT INTO number_series (series, last_number) VALUES ('case 330300 2030', 7)",
    ] {
        let city = Luodi {
            ground: Ground::demo_in_a_file(),
        };
        city.tamper(&format!("PRAGMA foreign_keys = OFF; {sql}"));
        let (code, found) = city.audit(&["verify"]);
        let table = found["first_bad"]["table"].as_str().unwrap_or_default();
        assert_eq!(code, Some(1), "{sql}");
        assert!(sql.split(' ').any(|word| word == table), "{sql}: {table}");
    }
}

/// The tables of a file, open to whoever has the disk.
struct Tables {
    city: Luodi,
    whole: Vec<u8>,
    left: BTreeSet<String>,
}

impl Tables {
    fn of_a_demonstration() -> Self {
        let city = Luodi {
            ground: Ground::demo_in_a_file(),
        };
        // Nothing is left in the log of the file.
        city.tamper("PRAGMA wal_checkpoint(TRUNCATE)");
        let whole = fs::read(city.data().join("luodi.db")).unwrap();
        let reading = Reading::open(city.data(), &city.ground().options()).unwrap();
        let (_, free) = reading.bound();
        let left = free
            .iter()
            .map(|(table, column)| format!("{table}.{column}"));
        Self {
            left: left.collect(),
            city,
            whole,
        }
    }

    fn bound(&self) -> Vec<String> {
        let reading = Reading::open(self.city.data(), &self.city.ground().options()).unwrap();
        reading.bound().0
    }

    fn open(&self) -> rusqlite::Connection {
        let connection = rusqlite::Connection::open(self.city.data().join("luodi.db")).unwrap();
        connection
            .execute_batch("PRAGMA foreign_keys = OFF")
            .unwrap();
        connection
    }

    /// Changes something, and gives how many findings are about a table.
    fn found(&self, table: &str, change: impl FnOnce(&rusqlite::Connection)) -> usize {
        let connection = self.open();
        change(&connection);
        drop(connection);
        let reading = Reading::open(self.city.data(), &self.city.ground().options()).unwrap();
        let now = self.city.ground().options().now;
        let found = reading.verify_log(None, now).unwrap();
        drop(reading);
        for end in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(self.city.data().join(format!("luodi.db{end}")));
        }
        fs::write(self.city.data().join("luodi.db"), &self.whole).unwrap();
        found.findings.iter().filter(|it| it.table == table).count()
    }

    /// The columns of a table: name, type, whether part of the key.
    fn columns(&self, table: &str) -> Vec<(String, String, bool)> {
        let connection = self.open();
        let sql = format!("SELECT name, type, pk > 0 FROM pragma_table_info('{table}')");
        let mut statement = connection.prepare(&sql).unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
        rows.unwrap().map(Result::unwrap).collect()
    }

    fn rows(&self, table: &str) -> Vec<i64> {
        let connection = self.open();
        let sql = format!("SELECT rowid FROM {table} ORDER BY rowid");
        let mut statement = connection.prepare(&sql).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    }
}

/// Another value of the same type.
fn other(value: Stored, kind: &str) -> Stored {
    match value {
        Stored::Integer(it) => Stored::Integer(it + 1_000_003),
        Stored::Real(it) => Stored::Real(it + 0.5),
        Stored::Text(it) => Stored::Text(format!("{it}x")),
        Stored::Blob(mut it) => {
            match it.last_mut() {
                Some(last) => *last ^= 1,
                None => it.push(1),
            }
            Stored::Blob(it)
        }
        Stored::Null => match kind {
            "INTEGER" => Stored::Integer(7),
            "REAL" => Stored::Real(0.5),
            "TEXT" => Stored::Text("x".to_owned()),
            _ => Stored::Blob(vec![7; 16]),
        },
    }
}

/// Every column of every bound table, a column that comes new among them: altered, it is found.
#[test]
fn no_column_of_a_bound_table_can_be_altered_unnoticed() {
    let tables = Tables::of_a_demonstration();
    for table in tables.bound() {
        let (mut columns, rows) = (tables.columns(&table), tables.rows(&table));
        columns.retain(|(name, ..)| !tables.left.contains(&format!("{table}.{name}")));
        if rows.is_empty() {
            let names: Vec<&str> = columns.iter().map(|(name, ..)| name.as_str()).collect();
            let values: Vec<Stored> = columns
                .iter()
                .map(|it| other(Stored::Null, &it.1))
                .collect();
            let places = vec!["?"; names.len()].join(", ");
            let sql = format!(
                "INSERT INTO {table} ({}) VALUES ({places})",
                names.join(", ")
            );
            let found = tables.found(&table, |it| {
                it.execute(&sql, rusqlite::params_from_iter(values))
                    .unwrap();
            });
            assert_eq!(found, 1, "{table}: a row that was slipped in");
            continue;
        }
        // Rows of one owner are bound together, and so are found together.
        let shared = columns.iter().filter(|(.., key)| *key).count() > 1;
        let at_once = if shared { 1 } else { rows.len() };
        for part in columns.chunks(at_once) {
            let found = tables.found(&table, |it| {
                for ((name, kind, _), row) in part.iter().zip(&rows) {
                    let old = format!("SELECT {name} FROM {table} WHERE rowid = ?1");
                    let old: Stored = it.query_row(&old, [row], |row| row.get(0)).unwrap();
                    let new = format!("UPDATE {table} SET {name} = ?2 WHERE rowid = ?1");
                    it.execute(&new, rusqlite::params![row, other(old, kind)])
                        .unwrap();
                }
            });
            let names: Vec<&str> = part.iter().map(|(name, ..)| name.as_str()).collect();
            assert!(found >= part.len(), "{table} {names:?}: {found} found");
        }
    }
}

/// Every bound table: a row deleted, and one swapped with another, is found.
#[test]
fn no_row_of_a_bound_table_can_be_deleted_or_swapped_unnoticed() {
    let tables = Tables::of_a_demonstration();
    for table in tables.bound() {
        let (columns, rows) = (tables.columns(&table), tables.rows(&table));
        let Some(first) = rows.first() else { continue };
        let delete = format!("DELETE FROM {table} WHERE rowid = ?1");
        let found = tables.found(&table, |it| {
            it.execute(&delete, [first]).unwrap();
        });
        assert_eq!(found, 1, "{table}: a row that was deleted");
        let Some(last) = rows.last().filter(|last| *last != first) else {
            continue;
        };
        // The contents change places, the keys stay.
        let names = columns
            .iter()
            .filter(|(.., key)| !key)
            .map(|(name, ..)| name.as_str());
        let names = names.collect::<Vec<_>>().join(", ");
        if names.is_empty() {
            continue;
        }
        let unique = format!(
            "SELECT 'DROP INDEX ' || name FROM sqlite_schema \
             WHERE type = 'index' AND tbl_name = '{table}' AND sql IS NOT NULL"
        );
        let swap = format!(
            "CREATE TEMP TABLE kept AS SELECT rowid AS at, {names} FROM {table}; \
             UPDATE OR REPLACE {table} SET ({names}) = (SELECT {names} FROM kept WHERE at = {first}) WHERE rowid = {last};"
        );
        let found = tables.found(&table, |it| {
            let mut statement = it.prepare(&unique).unwrap();
            let drops = statement
                .query_map([], |row| row.get::<_, String>(0))
                .unwrap();
            let drops: Vec<String> = drops.map(Result::unwrap).collect();
            drop(statement);
            it.execute_batch(&drops.join(";")).unwrap();
            it.execute_batch(&swap).unwrap();
        });
        assert!(found >= 1, "{table}: a row with another's content");
    }
}

/// The content of every file is looked at: one gone, one altered, one in the place of another.
#[test]
fn files_on_the_disk_are_read() {
    let city = Luodi::demo();
    let (code, found) = city.audit(&["verify"]);
    assert_eq!(code, Some(0), "{found}");
    let files = found["files"]["files"].as_u64().unwrap();
    assert!(files > 100, "{found}");
    let mut paths = Vec::new();
    for folder in fs::read_dir(city.data().join("attachments")).unwrap() {
        let folder = folder.unwrap().path();
        if folder.is_dir() {
            paths.extend(fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()));
        }
    }
    paths.sort();
    assert_eq!(paths.len() as u64, files);
    let (first, last) = (&paths[0], &paths[paths.len() - 1]);
    let whole = fs::read(first).unwrap();
    let why = |what: &str| {
        let (code, found) = city.audit(&["verify"]);
        assert_eq!(code, Some(1), "{what}");
        assert_eq!(found["first_bad"]["table"], "attachment", "{what}");
        assert!(found["first_bad"]["id"].is_string(), "{what}");
        found["first_bad"]["why"].as_str().unwrap().to_owned()
    };
    let mut bad = whole.clone();
    *bad.last_mut().unwrap() ^= 1;
    fs::write(first, bad).unwrap();
    assert!(why("altered").contains("改动"));
    fs::write(first, fs::read(last).unwrap()).unwrap();
    assert!(why("swapped").contains("换成"));
    fs::remove_file(first).unwrap();
    assert!(why("gone").contains("不在磁盘上"));
    let (code, found) = city.audit(&["verify", "--no-files"]);
    assert_eq!((code, &found["files"]), (Some(0), &Value::Null));
    let said = text(&city.run(&["audit", "verify", "--no-files"]).stdout);
    assert!(said.contains("没有核对内容"), "{said}");
}

/// A file that somebody made with a key of his own fits itself, and not the log it pretends to be.
#[test]
fn an_export_is_held_against_the_key_one_was_given() {
    let (ours, (theirs, _)) = (Luodi::demo(), begun());
    let key = ours.audit(&["key"]).1["key"].as_str().unwrap().to_owned();
    let export = theirs.path("log.jsonl");
    assert_eq!(theirs.audit(&["export", &export]).0, Some(0));
    let elsewhere = Luodi::empty();
    let said = text(&elsewhere.run(&["audit", "verify", &export]).stdout);
    assert!(said.contains("只用了文件自带的"), "{said}");
    let (code, found) = elsewhere.audit(&["verify", &export, "--log-key", &key]);
    assert_eq!(code, Some(1), "{found}");
    let own = theirs.audit(&["key"]).1["key"].as_str().unwrap().to_owned();
    let file = elsewhere.write("log-key", format!("{own}\n").as_bytes());
    for given in [&own, &file] {
        let (code, found) = elsewhere.audit(&["verify", &export, "--log-key", given]);
        assert_eq!((code, &found["key_given"]), (Some(0), &Value::from(true)));
    }
    assert_eq!(
        elsewhere.audit(&["verify", &export, "--log-key", "x"]).0,
        Some(3)
    );
    assert_eq!(ours.audit(&["verify", "--log-key", &own]).0, Some(3));
}

#[test]
fn an_event_is_proved_and_a_changed_proof_is_not() {
    let city = Luodi::demo();
    let export = city.path("log.jsonl");
    city.audit(&["export", &export]);
    let text = std::fs::read_to_string(&export).unwrap();
    let line: Value = serde_json::from_str(text.lines().nth(9).unwrap()).unwrap();
    let event = line["event"]["id"].as_str().unwrap();
    let proof = city.path("proof.json");
    assert_eq!(city.audit(&["proof", event, "--out", &proof]).0, Some(0));
    let (code, said) = Luodi::empty().audit(&["verify", &proof]);
    assert_eq!(
        (code, &said["number"]),
        (Some(0), &Value::from(8)),
        "{said}"
    );
    let key = city.audit(&["key"]).1["key"].clone();
    assert_eq!(said["key"], key);

    let honest = std::fs::read_to_string(&proof).unwrap();
    let command = said["command"].as_str().unwrap();
    let forged = honest.replacen(command, "case.other", 1);
    let forged = city.write("forged.json", forged.as_bytes());
    assert_eq!(city.audit(&["verify", &forged]).0, Some(1));
    let nobody = "01890000-0000-7000-8000-000000000000";
    assert_eq!(city.audit(&["proof", nobody]).0, Some(1));
}

/// A real city that has just begun, and an account of it.
fn begun() -> (Luodi, String) {
    let city = Luodi {
        ground: Ground::empty_for_a_file(),
    };
    let made = json_of(&city.run(&["admin", "init", "--json"]));
    let user = made["accounts"][0]["user"].as_str().unwrap().to_owned();
    (city, user)
}

/// A witness on a stick signs what grew, and refuses an old copy that was put back.
#[test]
fn a_witness_signs_growth_and_nothing_else() {
    let (city, user) = begun();
    let reset = || {
        let done = city.run(&["admin", "reset", &user]);
        assert_eq!(done.status.code(), Some(0));
    };
    let stick = city.path("stick");
    let witness = ["witness", "--state", &stick, "--name", "audit.example"];
    let (code, first) = city.audit(&witness);
    assert_eq!(code, Some(0), "{first}");
    let size = first["size"].as_u64().unwrap();
    let old = city.path("old.db");
    std::fs::copy(city.data().join("luodi.db"), &old).unwrap();
    reset();
    let (code, second) = city.audit(&witness);
    assert_eq!(
        (code, second["size"].as_u64()),
        (Some(0), Some(size + 1)),
        "{second}"
    );

    std::fs::copy(&old, city.data().join("luodi.db")).unwrap();
    let (code, refused) = city.audit(&witness);
    assert_eq!((code, &refused["ok"]), (Some(1), &Value::from(false)));
    reset();
    let (code, refused) = city.audit(&witness);
    assert_eq!((code, &refused["ok"]), (Some(1), &Value::from(false)));
    let seen = format!("{stick}/seen");
    let (code, found) = city.audit(&["verify", "--checkpoint", &seen]);
    assert_eq!(code, Some(1));
    assert_eq!(found["first_bad"]["table"], "audit_checkpoint");
}

/// On another machine a witness gets a file, and the log's key from somebody.
#[test]
fn a_witness_elsewhere_needs_the_log_s_key() {
    let (city, user) = begun();
    let (file, state) = (city.path("asked"), city.path("state"));
    assert_eq!(
        city.audit(&["checkpoint", "--since", "0", "--out", &file])
            .0,
        Some(0)
    );
    let elsewhere = Luodi::empty();
    let unknown = elsewhere.audit(&["witness", &file, "--state", &state]);
    assert_eq!(unknown.0, Some(3));
    let key = city.audit(&["key"]).1["key"].as_str().unwrap().to_owned();
    let (code, said) = elsewhere.audit(&["witness", &file, "--state", &state, "--log-key", &key]);
    assert_eq!(code, Some(0), "{said}");
    let size = said["size"].to_string();
    assert_eq!(city.run(&["admin", "reset", &user]).status.code(), Some(0));
    assert_eq!(
        city.audit(&["checkpoint", "--since", &size, "--out", &file])
            .0,
        Some(0)
    );
    assert_eq!(
        elsewhere.audit(&["witness", &file, "--state", &state]).0,
        Some(0)
    );
}

/// Without its checkpoints a log is given to nobody, signed by nobody and taken by nobody.
#[test]
fn a_log_that_is_not_the_signed_one_leaves_nowhere() {
    let city = Luodi {
        ground: Ground::demo_in_a_file(),
    };
    let (code, told) = city.audit(&["accept", "--reason", "恢复了备份"]);
    assert_eq!((code, &told["accepted"]), (Some(0), &Value::from(false)));
    city.tamper("DELETE FROM audit_checkpoint");
    let (out, witness) = (city.path("out"), city.path("witness"));
    assert_eq!(city.audit(&["verify"]).0, Some(1));
    for refused in [
        &["export", &out][..],
        &["checkpoint", "--out", &out],
        &["accept", "--reason", "恢复了备份"],
    ] {
        assert_eq!(city.audit(refused).0, Some(3), "{refused:?}");
    }
    let (code, told) = city.audit(&["witness", "--state", &witness]);
    assert_eq!(
        (code, &told["ok"]),
        (Some(1), &Value::from(false)),
        "{told}"
    );
    assert!(!std::path::Path::new(&out).exists());
}

/// A table that cannot be read as the program's own hides nothing, and a checkpoint that was kept is
/// not lost to a log that is another.
#[test]
fn a_foreign_table_hides_nothing_and_a_kept_checkpoint_stays() {
    let city = Luodi {
        ground: Ground::demo_in_a_file(),
    };
    let saved = city.path("saved");
    assert_eq!(city.audit(&["checkpoint", "--out", &saved]).0, Some(0));
    assert_eq!(city.audit(&["checkpoint", "--out", &saved]).0, Some(0));
    city.exits(0, &["keys", "rotate"]);
    assert_eq!(city.audit(&["checkpoint", "--out", &saved]).0, Some(0));
    let note = fs::read_to_string(&saved).unwrap();
    // The same log without its last events, or another.
    let other = Luodi::demo();
    let out = other.run(&["audit", "checkpoint", "--out", &saved]);
    assert_eq!(out.status.code(), Some(1), "{}", text(&out.stderr));
    fs::write(city.path("notes"), "会议纪要").unwrap();
    let out = city.run(&["audit", "checkpoint", "--out", &city.path("notes")]);
    assert_eq!(out.status.code(), Some(1), "{}", text(&out.stderr));
    assert_eq!(fs::read_to_string(&saved).unwrap(), note);

    city.tamper("CREATE TABLE foo (a); UPDATE casework SET amount_fen = amount_fen + 1");
    let (code, found) = city.audit(&["verify"]);
    assert_eq!(code, Some(1), "{found}");
    let tables: BTreeSet<&str> = found["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["table"].as_str().unwrap())
        .collect();
    assert!(
        tables.contains("foo") && tables.contains("casework"),
        "{tables:?}"
    );
}
