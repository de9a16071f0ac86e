//! How long a city stands still when its server is killed at work: a process of its own files
//! applications until it gets SIGKILL, then the server starts on what is left.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::http::{Client, Server};
use crate::report::Report;
use crate::tasks;
use crate::town::Town;

/// The argument that makes this program the one that is killed.
pub const AT_WORK: &str = "--at-work";
/// How long it works before it is killed.
const WORKING: Duration = Duration::from_secs(4);
/// What the process at work says once commands are acknowledged.
const BEGUN: &str = "at work";

/// Works until it is killed.
pub fn work(data: &Path) {
    let town = Town::open(data);
    println!("{BEGUN}");
    tasks::fill_for_ever(&town);
}

pub fn measure(data: &Path, over: &str, report: &mut Report) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .arg(AT_WORK)
        .arg(data)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), BEGUN);
    std::thread::sleep(WORKING);
    child.kill().unwrap();
    child.wait().unwrap();
    let log = std::fs::metadata(data.join("luodi.db-wal")).map_or(0, |it| it.len());
    let over = format!("{over}, log of {} MiB", log >> 20);

    let started = Instant::now();
    let environment = [("LUODI_DATA", data.display().to_string())];
    let server = Server::start(&environment, &["--no-work"]);
    let mut client = Client::new(server.address);
    assert_eq!(client.get("/healthz").unwrap().status, 200);
    report.time(
        "restart after a kill until /healthz",
        &over,
        started.elapsed(),
    );
    assert_eq!(client.get("/").unwrap().status, 200);
    report.time(
        "restart after a kill until the first page",
        &over,
        started.elapsed(),
    );
}
