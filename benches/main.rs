//! What `make bench` measures: durable task completions through the real commands, the floor that
//! SQLite itself sets on the same disk, the same commands under other conditions and on other
//! engines, a restart after a kill, pages over HTTP, and the two engines.
//!
//! `--json` prints one object on stdout and the table on stderr. Every loop is bounded by a count
//! and a time, so the whole takes a few minutes, most of it for making a hundred thousand cases. It lacks any verdict: `docs/performance.md`
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
mod log;
mod pages;
mod peers;
mod report;
mod restart;
mod tasks;
mod town;

use std::path::{Path, PathBuf};

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
    #[arg(long, default_value_t = 100_000)]
    cases: usize,
    /// Only completions of tasks.
    #[arg(long)]
    completions: bool,
    /// Works on this folder until killed; what the restart is measured after.
    #[arg(long, hide = true)]
    at_work: Option<PathBuf>,
    /// What `cargo bench` adds.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let asked = Asked::parse();
    if let Some(data) = &asked.at_work {
        return restart::work(data);
    }
    // The target folder lies on a real disk, which the system's folder for temporary files need not.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut report = Report::default();
    measure(folder.path(), &asked, &mut report);
    if asked.json {
        eprint!("{report}");
        println!("{}", report.to_json());
    } else {
        print!("{report}");
    }
}

fn measure(folder: &Path, asked: &Asked, report: &mut Report) {
    if !asked.completions {
        engines::measure(report);
    }
    let floor = floor::measure(&folder.join("floor.db"), asked.cases, report);
    let data = folder.join("city");
    let town = Town::build(&data, None);
    let existing = tasks::fill(&town, asked.cases);
    let town = town.reopen(&data, |_| {});
    let shown = tasks::measure(&town, existing, &floor, report);
    if asked.completions {
        return town.close();
    }
    let visitor = town.visitor();
    let town = town.reopen(&data, |options| options.group = 1);
    peers::one_by_one(&town, &floor, report);
    town.close();
    peers::server(folder, &floor, report);
    peers::spiff(report);
    report.compare(tasks::OWN, "task completions, one commit each");
    report.compare(tasks::OWN, "task completions, own cases, PostgreSQL");
    report.compare(tasks::OWN, "SpiffWorkflow, state stored");
    report.compare(tasks::AT_RANDOM, "task completions, at random, PostgreSQL");
    let over = format!("{} cases", asked.cases);
    restart::measure(&data, &over, report);
    log::measure(&data, report);
    pages::measure(&data, &visitor, shown, report);
}
