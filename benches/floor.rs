//! The floor: what SQLite does on this disk with two statements a unit, each unit in a savepoint,
//! under the settings of the store. No command can be faster, and ratios to it hold from one machine
//! to another better than seconds do.

use std::path::Path;
use std::time::{Duration, Instant};

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;
use rusqlite::{Connection, params};

use crate::report::{Figure, Report, percentiles};

const LONGEST: Duration = Duration::from_secs(6);
const MOST_COMMITS: usize = 500;
/// Pages in the log after which it is moved into the database; the store's own figure.
const CHECKPOINT_PAGES: u32 = 32_768;

/// Units per second.
pub struct Floor {
    /// 64 units to a commit.
    pub grouped: f64,
    /// Each in a commit of its own.
    pub single: f64,
}

pub fn measure(file: &Path, rows: usize, report: &mut Report) -> Floor {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let (connection, ids) = fill(file, rows, &mut rng);
    let mut run = |units: usize, name: &str| {
        let (per_second, latency) = commits(&connection, &ids, units, &mut rng);
        report.add(Figure {
            of_floor: Some(1.0),
            latency: Some(latency),
            ..Figure::new(name, format!("{rows} rows, at random"), per_second)
        });
        per_second
    };
    Floor {
        grouped: run(64, "floor: 2 statements, 64 units to a commit"),
        single: run(1, "floor: 2 statements, 1 unit to a commit"),
    }
}

fn fill(file: &Path, rows: usize, rng: &mut ChaCha20Rng) -> (Connection, Vec<[u8; 16]>) {
    let connection = Connection::open(file).unwrap();
    let setup = format!(
        "PRAGMA page_size = 4096;
         PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES};
         CREATE TABLE unit (id BLOB PRIMARY KEY, version INTEGER NOT NULL, body TEXT NOT NULL);
         CREATE TABLE event (id INTEGER PRIMARY KEY, unit BLOB NOT NULL, body TEXT NOT NULL);
         BEGIN;"
    );
    connection.execute_batch(&setup).unwrap();
    let mut ids = Vec::with_capacity(rows);
    for _ in 0..rows {
        let mut id = [0; 16];
        rng.fill_bytes(&mut id);
        let sql = "INSERT INTO unit (id, version, body) VALUES (?1, 1, ?2)";
        let mut insert = connection.prepare_cached(sql).unwrap();
        insert.execute(params![id, "x".repeat(400)]).unwrap();
        ids.push(id);
    }
    connection.execute_batch("COMMIT").unwrap();
    (connection, ids)
}

/// Units per second, and how long a commit's group took.
fn commits(
    connection: &Connection,
    ids: &[[u8; 16]],
    units: usize,
    rng: &mut ChaCha20Rng,
) -> (f64, (Duration, Duration)) {
    let control = |sql: &str| connection.prepare_cached(sql).unwrap().execute([]).unwrap();
    let started = Instant::now();
    let mut took = Vec::new();
    while took.len() < MOST_COMMITS && started.elapsed() < LONGEST {
        let begun = Instant::now();
        control("BEGIN IMMEDIATE");
        for _ in 0..units {
            control("SAVEPOINT command");
            unit(connection, ids[rng.random_range(0..ids.len())]);
            control("RELEASE command");
        }
        control("COMMIT");
        took.push(begun.elapsed());
    }
    let per_second = (took.len() * units) as f64 / started.elapsed().as_secs_f64();
    (per_second, percentiles(took))
}

fn unit(connection: &Connection, id: [u8; 16]) {
    let sql = "UPDATE unit SET version = version + 1 WHERE id = ?1";
    let mut update = connection.prepare_cached(sql).unwrap();
    assert_eq!(update.execute([id]).unwrap(), 1);
    let sql = "INSERT INTO event (unit, body) VALUES (?1, ?2)";
    let mut insert = connection.prepare_cached(sql).unwrap();
    insert.execute(params![id, "x".repeat(200)]).unwrap();
}
