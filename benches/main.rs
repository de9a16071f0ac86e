//! What `make bench` measures: durable task completions through the real commands, the floor that
//! SQLite itself sets on the same disk, pages over HTTP, and the two engines.
//!
//! `--json` prints one object on stdout and the table on stderr. Every loop is bounded by a count
//! and a time, so the whole takes about two minutes. It lacks any verdict: `docs/performance.md`
//! says what the figures mean.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "a bench stops at the first surprise, prints, and reads the clock"
)]

mod engines;
mod floor;
#[path = "../crates/luodi/tests/support/http.rs"]
#[allow(dead_code, reason = "shared with the integration tests")]
mod http;
mod pages;
mod report;
mod tasks;
mod town;

use std::path::Path;

use clap::Parser;

use self::report::Report;
use self::town::Town;

/// Figures of speed.
#[derive(Debug, Parser)]
struct Asked {
    /// Prints one JSON object on stdout and the table on stderr.
    #[arg(long)]
    json: bool,
    /// Cases that random callers choose from.
    #[arg(long, default_value_t = 10_000)]
    cases: usize,
    /// What `cargo bench` adds.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let asked = Asked::parse();
    // The target folder lies on a real disk, which the system's folder for temporary files need not.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut report = Report::default();
    measure(folder.path(), asked.cases, &mut report);
    if asked.json {
        eprint!("{report}");
        println!("{}", report.to_json());
    } else {
        print!("{report}");
    }
}

fn measure(folder: &Path, cases: usize, report: &mut Report) {
    engines::measure(report);
    let floor = floor::measure(&folder.join("floor.db"), cases, report);
    let data = folder.join("city");
    let town = Town::build(&data);
    let shown = tasks::measure(&town, cases, &floor, report);
    let visitor = town.visitor();
    town.close();
    pages::measure(&data, &visitor, shown, report);
}
