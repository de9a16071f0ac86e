//! Kills the real server under load and looks what is left: every acknowledged command once, every
//! other at most once, and each once after it was sent again under its key.
//!
//! SIGKILL loses what the process holds and keeps what the kernel holds. So this finds an answer
//! given before its commit, an effect without its key or its audit event, and a folder that a
//! second start cannot use; not a commit that did not wait for the disk.
//!
//! Of the file only: what a server holds does not die with this process, and its own death is played
//! by `failover`.

pub mod load;
pub mod rows;

use std::path::Path;
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use self::load::{Person, Sender, Sent};
use crate::support::Ground;
use crate::support::http::Server;

/// Acknowledgements after which each round's server is killed.
const KILLED_AFTER: [usize; 3] = [7, 60, 150];
/// Longer than any number of acknowledgements takes; not a measure.
const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn a_killed_server_keeps_every_acknowledged_command_once() {
    let city = Ground::demo_in_a_file();
    let data = city.data();
    let mut server = Server::start(&city.environment(), &[]);
    let people = load::people(server.address);
    for (round, count) in KILLED_AFTER.into_iter().enumerate() {
        let loaded = kill_under_load(server, &people, round, count);
        let acknowledged = loaded.iter().flat_map(|(_, sent)| sent);
        let acknowledged = acknowledged.filter(|sent| sent.answer.is_some()).count();
        assert!(acknowledged >= count, "{acknowledged} of {count}");

        server = Server::start(&city.environment(), &[]);
        rows::check(data, &all(&loaded), rows::Due::IfAcknowledged);
        let resent = send_all_again(&server, loaded);
        rows::check(data, &resent.iter().collect::<Vec<_>>(), rows::Due::Once);
    }
    server.kill();
    rows::check_file(data);
    verify_ledger(data);
}

fn all(loaded: &[(Sender, Vec<Sent>)]) -> Vec<&Sent> {
    loaded.iter().flat_map(|(_, sent)| sent).collect()
}

/// Everybody posts form after form, each a command of its own, until the server dies under them.
fn kill_under_load(
    server: Server,
    people: &[Person],
    round: usize,
    count: usize,
) -> Vec<(Sender, Vec<Sent>)> {
    let (acknowledged, counted) = mpsc::channel();
    // Before anybody posts: a log-in takes longer than the first acknowledgements.
    let log_in = |person| Sender::log_in(server.address, person);
    let senders: Vec<Sender> = people.iter().map(log_in).collect();
    std::thread::scope(|scope| {
        let mut posting = Vec::new();
        for (number, mut sender) in senders.into_iter().enumerate() {
            let acknowledged = acknowledged.clone();
            let name = format!("{round}-{number}");
            posting.push(scope.spawn(move || {
                let sent = sender.post_until_cut_off(&name, &acknowledged);
                (sender, sent)
            }));
        }
        for so_far in 0..count {
            let one = counted.recv_timeout(PATIENCE);
            assert!(one.is_ok(), "no acknowledgement after {so_far}");
        }
        server.kill();
        posting
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    })
}

/// Sends every form again, acknowledged or not, in the session that was cut off and in a fresh one:
/// all say the same, and what was acknowledged says what it said before.
fn send_all_again(server: &Server, loaded: Vec<(Sender, Vec<Sent>)>) -> Vec<Sent> {
    let mut resent = Vec::new();
    for (mut sender, commands) in loaded {
        sender.moved(server.address);
        let mut fresh = Sender::log_in(server.address, &sender.person);
        for mut sent in commands {
            let again = sender.post(&sent).unwrap();
            let first = sent.answer.get_or_insert_with(|| again.clone());
            assert_eq!(*first, again, "{}", sent.mark);
            assert_eq!(fresh.post(&sent).unwrap(), again, "{}", sent.mark);
            resent.push(sent);
        }
    }
    resent
}

/// The ledger is balanced, by the program's own word.
pub fn verify_ledger(data: &Path) {
    let said = Command::new(env!("CARGO_BIN_EXE_luodi"))
        .args(["ledger", "verify", "--json", "--data"])
        .arg(data)
        .output()
        .unwrap();
    let report: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!((said.status.code(), &report["ok"]), (Some(0), &true.into()));
    assert_ne!(
        report["postings"], 0,
        "a ledger without postings proves nothing"
    );
}
