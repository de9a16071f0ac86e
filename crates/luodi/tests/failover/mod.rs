//! A database server dies under load and its standby takes over; later that one is stopped and
//! started. Nobody restarts Luodi: what it acknowledged is there once, and what it could not answer
//! is settled when the client sends it again under its key.

mod cluster;

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use luodi::access::{Actor, ActorKind, Role};
use luodi::account::{NewDepartment, create_department};
use luodi::fund::{self, NewBudget};
use luodi::ids::{AccountId, DepartmentId};
use luodi::params;
use luodi::refusal::Error;
use luodi::store::{Command, IdempotencyKey, Once, Options, Store, StoreError};
use uuid::Uuid;
use vocab::Fen;

use self::cluster::{Cluster, Server};
use crate::support::morning;

/// Clients at once.
const CLIENTS: usize = 8;
/// Acknowledgements between two events.
const SOME: usize = 60;
/// Longer than any of it takes; not a measure.
const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn a_standby_takes_over_and_nothing_is_lost_or_done_twice() {
    let on_server = std::env::var_os("LUODI_TEST_POSTGRES").is_some();
    let Some(bin) = cluster::programs().filter(|_| on_server) else {
        // Played where the tests run on a server: `make on-postgres`.
        return;
    };
    let cluster = Cluster::start(bin);
    let folder = tempfile::tempdir().unwrap();
    let city = City::open(folder.path(), &cluster.url());
    let load = Load::default();
    let sent: Vec<Sent> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                scope.spawn({
                    let (city, load) = (&city, &load);
                    move || load.send(city, client)
                })
            })
            .collect();
        load.wait_for(SOME);
        cluster.stop(Server::First, "immediate");
        cluster.promote(Server::Second);
        load.wait_for(SOME);
        cluster.stop(Server::Second, "fast");
        std::thread::sleep(Duration::from_millis(300));
        assert!(!city.store.writable(), "nobody can write now");
        cluster.start_one(Server::Second);
        load.wait_for(SOME);
        load.stop.store(true, Ordering::SeqCst);
        clients
            .into_iter()
            .flat_map(|it| it.join().unwrap())
            .collect()
    });
    assert!(sent.len() >= 3 * SOME);
    assert!(
        sent.iter().any(|it| it.tries > 1),
        "nobody noticed anything"
    );
    city.check(&sent);
    city.store.shutdown();
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long a test waits is no matter of the city's clock"
)]
fn clock() -> Instant {
    Instant::now()
}

/// A command that was acknowledged in the end.
struct Sent {
    number: usize,
    tries: usize,
}

#[derive(Default)]
struct Load {
    acknowledged: AtomicUsize,
    stop: AtomicBool,
}

impl Load {
    /// Sends command after command, each until it is acknowledged, as a browser sends a form again.
    fn send(&self, city: &City, client: usize) -> Vec<Sent> {
        let mut sent = Vec::new();
        while !self.stop.load(Ordering::SeqCst) {
            let number = client * 1_000_000 + sent.len();
            let (begun, mut tries) = (clock(), 1);
            while let Err(error) = city.budget(number) {
                let Error::Store(error) = error else {
                    panic!("{number}: {error}")
                };
                assert!(
                    matches!(error, StoreError::ReadOnly(_) | StoreError::GroupLost(_)),
                    "{number}: {error}"
                );
                assert!(begun.elapsed() < PATIENCE, "{number}: {error}");
                tries += 1;
                std::thread::sleep(Duration::from_millis(20));
            }
            self.acknowledged.fetch_add(1, Ordering::SeqCst);
            sent.push(Sent { number, tries });
        }
        sent
    }

    /// Waits until so many more are acknowledged.
    fn wait_for(&self, more: usize) {
        let (begun, wanted) = (clock(), self.acknowledged.load(Ordering::SeqCst) + more);
        while self.acknowledged.load(Ordering::SeqCst) < wanted {
            assert!(
                begun.elapsed() < PATIENCE,
                "nothing is acknowledged any more"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// A county whose tables are on the two servers.
struct City {
    store: Store,
    department: DepartmentId,
}

impl City {
    fn open(folder: &Path, url: &str) -> Self {
        let options = Options {
            database: Some(url.to_owned()),
            probe_every: Duration::from_millis(100),
            ..Options::new(morning())
        };
        // Its settings are safe: it is not told to overlook any.
        let store = Store::open(folder, &options).unwrap();
        let new = NewDepartment {
            code: "YJFG".into(),
            name: "永嘉县发展和改革局".into(),
            region: "330324".parse().unwrap(),
            paper_word: "永发改".into(),
        };
        let console = Actor::console("test", "330300".parse().unwrap());
        let made = store.write_blocking(Command::new("test", morning()), move |tx| {
            create_department(tx, &console, &new)
        });
        Self {
            department: made.map_err(|error: Error| error).unwrap(),
            store,
        }
    }

    /// Enters a budget under its key: a line, an entry, two postings and an event.
    fn budget(&self, number: usize) -> Result<Once<Uuid>, Error> {
        let new = NewBudget {
            year: 2026,
            department: self.department,
            name: "分布式光伏发电补贴".into(),
            function_code: "2110699".into(),
            economic_code: "31204".into(),
            project: "绿色能源".into(),
            document_number: format!("财建{number}号"),
            amount: Fen(100_000),
        };
        let finance = Actor {
            kind: ActorKind::Account(AccountId(Uuid::from_u128(7))),
            roles: [Role::Finance].into_iter().collect(),
            ..Actor::system("330324".parse().unwrap())
        };
        let key = IdempotencyKey {
            key: format!("budget {number}"),
            scope: "test".into(),
            digest: [7; 32],
        };
        let command = Command::new("budget.create", morning()).once(key);
        self.store.write_once_blocking(command, move |tx| {
            fund::create_budget(tx, &finance, &new).map(|id| id.0)
        })
    }

    /// Every acknowledged command is there once, with its entry, its event and its key; and nothing
    /// else is.
    fn check(&self, sent: &[Sent]) {
        let mut wanted: Vec<String> = sent
            .iter()
            .map(|it| format!("财建{}号", it.number))
            .collect();
        wanted.sort();
        let found = self.store.read_blocking(|q| {
            let numbers = "SELECT document_number FROM budget_line ORDER BY document_number";
            let found = q.rows(numbers, params![], |row| row.get::<String>(0))?;
            let mut counts = Vec::new();
            for sql in [
                "SELECT COUNT(*) FROM ledger_entry",
                "SELECT COUNT(*) FROM audit_event WHERE command = 'budget.create'",
                "SELECT COUNT(*) FROM idempotency",
            ] {
                counts.push(q.row(sql, params![], |row| row.get::<u64>(0))? as usize);
            }
            Ok::<_, StoreError>((found, counts, fund::verify(&**q)?))
        });
        let (found, counts, verified) = found.unwrap();
        assert_eq!(found, wanted);
        assert_eq!(counts, [sent.len(); 3]);
        assert!(verified.is_ok(), "{verified:?}");
    }
}
