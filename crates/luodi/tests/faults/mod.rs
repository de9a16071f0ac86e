//! What breaks around the real program: its disk, its clock, its visitors, what they send. Each is
//! played on `luodi serve` as a process of its own: what was acknowledged is there once, ledger and
//! log are in order, and nobody restarts anything by hand.
//!
//! The death of the process is played by `crash`, that of a database server by `failover`.

mod bombs;
mod clock;
mod crowd;
mod disk;
mod panic;
mod shim;
mod uploads;

use std::path::Path;
use std::process::Command;

use crate::crash;
use crate::support::http::{Client, Server};

/// Memory of a server's process that is its own, in MiB.
fn memory_mib(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:"));
    let kib = line
        .and_then(|line| line.split_whitespace().nth(1))
        .unwrap();
    kib.parse::<u64>().unwrap() / 1_024
}

/// An account of the log-in page's table, by its role: log-in name, password, secret of the second
/// factor.
fn account(server: &Server, role: &str) -> (String, String, Option<String>) {
    let page = Client::new(server.address).get("/login").unwrap();
    let row = page.between(&format!("<tr data-role=\"{role}\""), "</tr>");
    let value = |name: &str| {
        let (_, rest) = row.split_once(&format!(" data-{name}=\""))?;
        Some(rest.split_once('"')?.0.to_owned())
    };
    (
        value("user").unwrap(),
        value("password").unwrap(),
        value("totp"),
    )
}

/// Somebody of this role, logged in.
fn logged_in(server: &Server, role: &str) -> Client {
    let (login, password, _) = account(server, role);
    let mut client = Client::new(server.address);
    client.log_in(&login, &password).unwrap();
    client
}

/// Sets the number of files a process may have open.
fn may_open(pid: u32, files: u32) {
    let set = Command::new("prlimit")
        .args(["--pid", &pid.to_string(), &format!("--nofile={files}:")])
        .status();
    assert!(set.unwrap().success());
}

/// Ledger, log and file are in order, by the word of the program and of the engine.
fn verify(data: &Path) {
    crash::verify_ledger(data);
    crash::rows::check_file(data);
    let said = Command::new(env!("CARGO_BIN_EXE_luodi"))
        .args(["audit", "verify", "--json", "--data"])
        .arg(data)
        .output()
        .unwrap();
    let report = String::from_utf8_lossy(&said.stdout);
    assert_eq!(said.status.code(), Some(0), "{report}");
}
