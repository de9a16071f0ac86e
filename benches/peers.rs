//! The same commands where each has a commit of its own, and on a PostgreSQL that waits for its
//! disk; and SpiffWorkflow, which moves a token and stores its state, without forms, permission,
//! deadline or log.
//!
//! PostgreSQL is measured where `LUODI_TEST_POSTGRES` names a server (`make bench` starts one),
//! SpiffWorkflow where `LUODI_BENCH_SPIFF` names a folder with `run_spiff.py`, by the Python that
//! `LUODI_BENCH_PYTHON` names. What is not there is said on stderr and left out.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::floor::Floor;
use crate::report::{Figure, Report};
use crate::tasks;
use crate::town::Town;

/// Cases that lie on the server before it is measured.
const ON_SERVER: usize = 1_500;
/// Cases that SpiffWorkflow takes through its procedure, ten tasks each.
const SPIFF_CASES: &str = "100";

/// One commit for each command, over the same folder.
pub fn one_by_one(town: &Town, floor: &Floor, report: &mut Report) {
    let name = "task completions, one commit each";
    tasks::walk_anew(town, name, floor.single, report);
}

/// The same commands on a server.
pub fn server(folder: &Path, floor: &Floor, report: &mut Report) {
    let Ok(url) = std::env::var("LUODI_TEST_POSTGRES") else {
        eprintln!("LUODI_TEST_POSTGRES names no server: PostgreSQL is left out");
        return;
    };
    let data = folder.join("on-server");
    let town = Town::build(&data, Some(url));
    let existing = tasks::fill(&town, ON_SERVER);
    let town = town.reopen(&data, |_| {});
    let name = "task completions, own cases, PostgreSQL";
    tasks::walk_anew(&town, name, floor.grouped, report);
    let name = "task completions, at random, PostgreSQL";
    tasks::choose(&town, name, existing, floor.grouped, report);
    town.close();
}

/// SpiffWorkflow, with its state stored after each step and in memory alone.
pub fn spiff(report: &mut Report) {
    let Some(script) = std::env::var_os("LUODI_BENCH_SPIFF").map(PathBuf::from) else {
        eprintln!("LUODI_BENCH_SPIFF names no folder: SpiffWorkflow is left out");
        return;
    };
    let python = std::env::var("LUODI_BENCH_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    for (name, stored) in [
        ("SpiffWorkflow, state stored", &["stored"][..]),
        ("SpiffWorkflow, in memory", &[][..]),
    ] {
        let said = Command::new(&python)
            .arg(script.join("run_spiff.py"))
            .arg(SPIFF_CASES)
            .args(stored)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&said.stdout);
        let Ok(said) = serde_json::from_str::<Value>(&text) else {
            let why = String::from_utf8_lossy(&said.stderr);
            eprintln!("SpiffWorkflow is left out, {python} says: {why}");
            return;
        };
        let number = |name: &str| said[name].as_f64().unwrap();
        let steps = number("steps");
        report.add(Figure {
            cpu: Some(number("cpu_s") / steps),
            ..Figure::new(
                name,
                format!("1 caller, {SPIFF_CASES} cases"),
                steps / number("wall_s"),
            )
        });
    }
}
