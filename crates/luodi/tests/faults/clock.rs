//! The machine's clock goes forward and back by days and years, under a server that runs and between
//! two starts.

use jiff::{SignedDuration, Timestamp, ToSpan};
use luodi::account::totp::{Secret, step_at};
use luodi::web::Clock;
use rusqlite::{Connection, OpenFlags, params};

use super::shim::Machine;
use super::{account, verify};
use crate::crash::load::{self, Sender, Sent};
use crate::crash::rows;
use crate::support::Ground;
use crate::support::http::{Client, Server};

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// A real city, as far as the program knows, on a machine whose clock is the test's.
struct Scene {
    city: Ground,
    /// What the city's row held as a demonstration: it is put back before the log is looked at, for
    /// the log knows of no other.
    was: (Option<i64>, Option<String>),
    machine: Machine,
    /// Ahead of the test's own clock at present.
    shift: SignedDuration,
    system: (String, String, Option<String>),
    editor: load::Person,
    sent: Vec<Sent>,
}

impl Scene {
    /// The demonstration, a minute after the last thing that happened in it.
    fn open() -> Option<Self> {
        let machine = Machine::new()?;
        let city = Ground::demo_in_a_file();
        let server = Server::start(&city.environment(), &["--no-work"]);
        let system = account(&server, "system_admin");
        let editor = load::people(server.address).pop().unwrap();
        server.kill();
        let write = Connection::open(city.data().join("luodi.db")).unwrap();
        write
            .execute_batch("DELETE FROM meta WHERE name = 'clock'")
            .unwrap();
        let was = write.query_row("SELECT seed, demo_today FROM city", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        });
        let was = was.unwrap();
        write
            .execute(
                "UPDATE city SET demo = 0, seed = NULL, demo_today = NULL",
                [],
            )
            .unwrap();
        drop(write);
        let mut scene = Self {
            was,
            city,
            machine,
            shift: SignedDuration::ZERO,
            system,
            editor,
            sent: Vec::new(),
        };
        let begin = scene.instant("SELECT MAX(at) FROM audit_event") + 1.minute();
        scene.shift = begin.duration_since(Clock::system().now());
        scene.machine.shift(scene.shift);
        Some(scene)
    }

    fn start(&self, more: &[&str]) -> Server {
        Server::start(&self.machine.environment(&self.city), more)
    }

    /// Moves the clock.
    fn leap(&mut self, by: SignedDuration) {
        self.shift += by;
        self.machine.shift(self.shift);
    }

    fn read(&self) -> Connection {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        Connection::open_with_flags(self.city.data().join("luodi.db"), flags).unwrap()
    }

    fn number(&self, sql: &str) -> i64 {
        self.read().query_row(sql, [], |row| row.get(0)).unwrap()
    }

    fn instant(&self, sql: &str) -> Timestamp {
        Timestamp::from_millisecond(self.number(sql)).unwrap()
    }

    /// Jobs that time brings about and that are still open.
    fn open_jobs(&self) -> i64 {
        self.number("SELECT COUNT(*) FROM job WHERE queue = 'job' AND state = 'open'")
    }

    /// Posts a form; gives the time it stands under.
    fn post(&mut self, sender: &mut Sender, name: &str) -> Timestamp {
        let mut sent = sender.form(name, self.sent.len());
        sent.answer = Some(sender.post(&sent).unwrap());
        let at: i64 = self
            .read()
            .query_row(
                "SELECT e.at FROM article a JOIN audit_event e ON e.id = a.last_event WHERE a.title = ?1",
                params![sent.mark],
                |row| row.get(0),
            )
            .unwrap();
        self.sent.push(sent);
        Timestamp::from_millisecond(at).unwrap()
    }

    /// Waits until what was posted has its number: meanwhile the worker had its turn, too, which
    /// comes twice as often.
    fn a_while(&mut self, sender: &mut Sender) {
        for _ in 0..2 {
            self.post(sender, "91");
            while self.number("SELECT COUNT(*) FROM audit_pending") > 0 {
                std::thread::yield_now();
            }
        }
    }

    /// The system administrator, with the code his telephone shows at this time.
    fn log_in_system(&self, server: &Server, at: Timestamp) -> Client {
        let (login, password, secret) = &self.system;
        let mut client = Client::new(server.address);
        let page = client.get("/login").unwrap();
        let hidden = |page: &crate::support::http::Reply, name: &str| {
            page.between(&format!("name=\"{name}\" value=\""), "\"")
                .to_owned()
        };
        let (csrf, key) = (hidden(&page, "csrf"), hidden(&page, "idempotency_key"));
        let fields = [
            ("csrf", csrf.as_str()),
            ("idempotency_key", &key),
            ("login", login),
            ("password", password),
        ];
        let page = client.post("/login", &fields).unwrap();
        let secret = Secret::from_base32(secret.as_ref().unwrap()).unwrap();
        let code = secret.code(step_at(at));
        let (csrf, key) = (hidden(&page, "csrf"), hidden(&page, "idempotency_key"));
        let ticket = hidden(&page, "ticket");
        let fields = [
            ("csrf", csrf.as_str()),
            ("idempotency_key", &key),
            ("ticket", &ticket),
            ("totp", &code),
        ];
        let entered = client.post("/login", &fields).unwrap();
        assert_eq!(entered.status, 303, "{}", entered.body);
        client
    }

    fn check(self) {
        rows::check(
            self.city.data(),
            &self.sent.iter().collect::<Vec<_>>(),
            rows::Due::Once,
        );
        let write = Connection::open(self.city.data().join("luodi.db")).unwrap();
        let sql = "UPDATE city SET demo = 1, seed = ?1, demo_today = ?2";
        write.execute(sql, (&self.was.0, &self.was.1)).unwrap();
        drop(write);
        verify(self.city.data());
    }
}

/// What a page of the staff says of the clock.
#[track_caller]
fn says(sender: &mut Sender, word: Option<&str>) {
    let page = sender.get("/desk/articles").unwrap();
    assert_eq!(page.status, 200, "{}", page.body);
    let said = page.body.split_once("role=\"status\" data-clock=\"");
    let said = said.map(|(_, rest)| rest.split_once('"').unwrap().0);
    assert_eq!(said, word);
}

#[test]
fn a_leap_under_a_running_server_waits_for_the_administrator() {
    let Some(mut scene) = Scene::open() else {
        return;
    };
    let server = scene.start(&[]);
    let mut sender = Sender::log_in(server.address, &scene.editor);
    let begun = scene.post(&mut sender, "90");
    says(&mut sender, None);
    scene.a_while(&mut sender);
    let jobs = scene.open_jobs();
    assert!(
        jobs > 0,
        "a city in which time brings nothing about proves nothing"
    );

    // Forward by years: nothing happens by itself, nobody is thrown out, time goes on as it did.
    scene.leap(DAY * 800);
    says(&mut sender, Some("ahead"));
    scene.a_while(&mut sender);
    assert_eq!(scene.open_jobs(), jobs);
    let within = scene.post(&mut sender, "92");
    assert!(
        within >= begun && within.duration_since(begun) < DAY,
        "{begun} {within}"
    );
    // And right again: no trace.
    scene.leap(DAY * -800);
    says(&mut sender, None);
    assert_eq!(scene.open_jobs(), jobs);

    // Forward, and it is right: the administrator says so, and what is due is done.
    scene.leap(DAY * 400);
    says(&mut sender, Some("ahead"));
    let now = within + SignedDuration::from_secs(1);
    let mut system = scene.log_in_system(&server, now);
    let page = system.get("/clock").unwrap();
    assert!(page.body.contains("data-clock=\"ahead\""), "{}", page.body);
    let value = |name: &str| {
        page.between(&format!("name=\"{name}\" value=\""), "\"")
            .to_owned()
    };
    let (csrf, key, says_now) = (value("csrf"), value("idempotency_key"), value("says"));
    let stale = (says_now.parse::<i64>().unwrap() - 7_200_000).to_string();
    for (says, status) in [(&stale, 409), (&says_now, 303)] {
        let key = format!("{key}{status}");
        let fields = [
            ("csrf", csrf.as_str()),
            ("idempotency_key", &key),
            ("says", says),
        ];
        let answer = system.post("/clock", &fields).unwrap();
        assert_eq!(answer.status, status, "{}", answer.body);
    }
    while scene.open_jobs() == jobs {
        std::thread::yield_now();
    }
    assert_eq!(
        scene.number("SELECT COUNT(*) FROM audit_event WHERE command = 'clock.confirm'"),
        1
    );
    server.kill();
    scene.check();
}

#[test]
fn a_clock_that_goes_back_takes_nothing_back() {
    let Some(mut scene) = Scene::open() else {
        return;
    };
    let server = scene.start(&[]);
    let mut sender = Sender::log_in(server.address, &scene.editor);
    let mut last = scene.post(&mut sender, "93");
    for by in [DAY * -3, DAY * -8_000] {
        scene.leap(by);
        says(&mut sender, Some("behind"));
        let at = scene.post(&mut sender, "94");
        assert!(at > last && at.duration_since(last) < DAY, "{last} {at}");
        last = at;
    }
    server.kill();
    // Started so: time goes on from what is recorded, people log in, sessions have an end ahead.
    let server = scene.start(&[]);
    let mut sender = Sender::log_in(server.address, &scene.editor);
    says(&mut sender, Some("behind"));
    let at = scene.post(&mut sender, "95");
    assert!(at >= last && at.duration_since(last) < DAY, "{last} {at}");
    let ends = scene.instant("SELECT MAX(expires_at) FROM session");
    let left = ends.duration_since(at);
    assert!(left > SignedDuration::from_hours(11) && left <= SignedDuration::from_hours(12));
    let early = scene.number("SELECT COUNT(*) FROM audit_event e WHERE e.at < (SELECT MAX(b.at) FROM audit_event b WHERE b.id < e.id) - 60000");
    assert_eq!(early, 0, "ids and times go the same way");
    // Put right: no warning.
    scene.leap(DAY * 8_003);
    says(&mut sender, None);
    server.kill();
    scene.check();
}

#[test]
fn after_a_long_stop_what_time_does_waits_for_a_word() {
    let Some(mut scene) = Scene::open() else {
        return;
    };
    let server = scene.start(&[]);
    let mut sender = Sender::log_in(server.address, &scene.editor);
    let before = scene.post(&mut sender, "96");
    scene.a_while(&mut sender);
    let jobs = scene.open_jobs();
    server.kill();
    scene.leap(DAY * 60);
    let server = scene.start(&[]);
    let mut sender = Sender::log_in(server.address, &scene.editor);
    says(&mut sender, Some("ahead"));
    // What people do stands under the day it is.
    let after = scene.post(&mut sender, "97");
    assert!(after.duration_since(before) >= DAY * 60);
    scene.a_while(&mut sender);
    assert_eq!(scene.open_jobs(), jobs);
    server.kill();
    // Another start is nobody's word.
    let server = scene.start(&[]);
    sender.moved(server.address);
    says(&mut sender, Some("ahead"));
    let said = std::process::Command::new(env!("CARGO_BIN_EXE_luodi"))
        .args(["clock", "confirm", "--json"])
        .envs(scene.machine.environment(&scene.city))
        .output()
        .unwrap();
    assert_eq!(
        said.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&said.stderr)
    );
    says(&mut sender, None);
    while scene.open_jobs() == jobs {
        std::thread::yield_now();
    }
    server.kill();
    let server = scene.start(&[]);
    sender.moved(server.address);
    says(&mut sender, None);
    server.kill();
    scene.check();
}
