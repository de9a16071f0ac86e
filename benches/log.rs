//! The audit log: numbering what the commands left, and verifying all of it with its rows.

use std::path::Path;
use std::time::Instant;

use jiff::Timestamp;
use luodi::store::{Options, Reading, Store};

use crate::report::{Figure, Report};

/// Numbers the events of the data folder and verifies them, three times over.
pub fn measure(data: &Path, report: &mut Report) {
    let options = Options::new(Timestamp::now());
    let store = Store::open(data, &options).unwrap();
    let begun = Instant::now();
    let numbered = store.sequence_blocking(Timestamp::now()).unwrap();
    let rate = numbered as f64 / begun.elapsed().as_secs_f64();
    store.shutdown();
    let over = format!("{numbered} events, one by one committed");
    report.add(Figure::new("events numbered", over, rate));
    let reading = Reading::open(data, &options).unwrap();
    let mut best = 0.0_f64;
    let mut over = String::new();
    for _ in 0..3 {
        let begun = Instant::now();
        let found = reading.verify_log(None, Timestamp::now()).unwrap();
        assert!(found.ok, "{:?}", found.findings);
        best = best.max(found.events as f64 / begun.elapsed().as_secs_f64());
        over = format!("{} events and {} rows, best of 3", found.events, found.rows);
    }
    report.add(Figure::new("log verified, events", over, best));
}
