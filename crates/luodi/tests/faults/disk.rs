//! A disk that is full, that fails at any one write or sync, and that loses what it was to keep.

use super::shim::{EIO, ENOSPC, MAKES, Machine, SYNCS, TORN, WRITES};
use super::{logged_in, verify};
use crate::crash::load::{self, Answer, Sender, Sent};
use crate::crash::rows;
use crate::support::Ground;
use crate::support::http::{Client, Reply, Server};
use crate::support::{PAPERS, good_application};

/// For as long as the disk is not mended.
const FOR_EVER: i64 = i64::MAX;
/// More operations than one command and its commit have.
const MOST: i64 = 400;

struct Scene {
    city: Ground,
    machine: Machine,
    server: Server,
}

impl Scene {
    fn open() -> Option<Self> {
        let machine = Machine::new()?;
        let city = Ground::demo_in_a_file();
        let server = Server::start(&machine.environment(&city), &["--no-work"]);
        Some(Self {
            city,
            machine,
            server,
        })
    }

    fn sender(&self) -> Sender {
        let people = load::people(self.server.address);
        Sender::log_in(self.server.address, people.last().unwrap())
    }

    /// Asks until writing has returned, which nobody has to help it to.
    fn until_ready(&self) {
        let mut client = Client::new(self.server.address);
        while client.get("/readyz").unwrap().status != 200 {
            std::thread::yield_now();
        }
    }

    /// Everything sent is there once, now and for whoever opens the folder after a SIGKILL.
    fn check(self, sent: &[Sent]) {
        let sent: Vec<&Sent> = sent.iter().collect();
        rows::check(self.city.data(), &sent, rows::Due::Once);
        self.server.kill();
        rows::check(self.city.data(), &sent, rows::Due::Once);
        verify(self.city.data());
    }
}

#[track_caller]
fn says_read_only(reply: &Reply) {
    assert!(reply.body.contains("只读"), "{}", reply.body);
}

/// Names of everything in the folder of attachments.
fn contents(city: &Ground) -> Vec<String> {
    let mut found = Vec::new();
    for folder in std::fs::read_dir(city.data().join("attachments")).unwrap() {
        let folder = folder.unwrap().path();
        for file in std::fs::read_dir(folder).into_iter().flatten() {
            found.push(file.unwrap().path().display().to_string());
        }
    }
    found.sort();
    found
}

/// For both: nothing is half written, every page can be read and says so, what was refused is
/// carried out once when it is sent again, and nobody restarts anything.
#[test]
fn on_a_full_disk_pages_are_read_and_writing_returns_by_itself() {
    for kinds in [WRITES | MAKES, WRITES | MAKES | TORN] {
        let Some(scene) = Scene::open() else { return };
        let mut sender = scene.sender();
        let mut sent: Vec<Sent> = (0..3).map(|n| sender.form("1", n)).collect();
        for one in &mut sent {
            one.answer = Some(sender.post(one).unwrap());
        }
        scene.machine.fail(kinds, 0, FOR_EVER, ENOSPC);
        for number in 3..6 {
            let one = sender.form("1", number);
            let refused = sender.send(&one).unwrap();
            assert_eq!(refused.status, 503, "{}", refused.body);
            says_read_only(&refused);
            sent.push(one);
        }
        for path in ["/desk/articles", "/desk/articles/new", "/"] {
            let page = sender.get(path).unwrap();
            assert_eq!(page.status, 200, "{path}");
            says_read_only(&page);
        }
        let mut stranger = Client::new(scene.server.address);
        for path in ["/", "/items", "/notices", "/articles", "/login"] {
            let page = stranger.get(path).unwrap();
            assert_eq!(page.status, 200, "{path}");
            says_read_only(&page);
        }
        assert_eq!(stranger.get("/healthz").unwrap().status, 200);
        assert_eq!(stranger.get("/readyz").unwrap().status, 503);
        assert_eq!(stranger.get("/no-such-page").unwrap().status, 404);

        scene.machine.mend();
        scene.until_ready();
        for one in &mut sent {
            let again = sender.post(one).unwrap();
            assert_eq!(*one.answer.get_or_insert_with(|| again.clone()), again);
        }
        scene.check(&sent);
    }
}

/// The k-th write or sync fails, for every k that a command and its commit have; with writes, also
/// half done. The answer is either that it was done, or that it was not; sent again, it is done once.
#[test]
fn whichever_write_or_sync_fails_a_command_is_done_once() {
    let Some(scene) = Scene::open() else { return };
    let mut sender = scene.sender();
    let mut sent = Vec::new();
    for (name, kinds, errno, count) in [
        ("2", WRITES, EIO, 1),
        // Half of it comes through, and of the rest nothing.
        ("3", WRITES | TORN, ENOSPC, 2),
        ("4", SYNCS, EIO, 1),
    ] {
        let before = sent.len();
        let mut refused = 0;
        for k in 0..MOST {
            let mut one = sender.form(name, usize::try_from(k).unwrap());
            scene.machine.fail(kinds, k, count, errno);
            let mark = scene.machine.counted();
            let reply = sender.send(&one).unwrap();
            let passed = scene.machine.counted() - mark <= k;
            scene.machine.mend();
            match reply.status {
                303 => one.answer = Some(Answer::read(&reply, &one.mark)),
                status => {
                    assert!([500, 503].contains(&status), "{k}: {}", reply.body);
                    refused += 1;
                    scene.until_ready();
                    one.answer = Some(sender.post(&one).unwrap());
                }
            }
            sent.push(one);
            if passed {
                break;
            }
        }
        let tried = sent.len() - before;
        assert!(refused > 0 && tried < 400, "{name}: {refused} of {tried}");
    }
    scene.check(&sent);
}

/// What was not synced is not acknowledged, and no later sync makes it so: the connection is dropped.
#[test]
fn a_failing_sync_is_never_success() {
    let Some(scene) = Scene::open() else { return };
    let mut sender = scene.sender();
    let mut sent: Vec<Sent> = (0..20).map(|n| sender.form("5", n)).collect();
    scene.machine.fail(SYNCS, 0, FOR_EVER, EIO);
    for one in &sent {
        let reply = sender.send(one).unwrap();
        assert_eq!(reply.status, 503, "{}", reply.body);
        says_read_only(&reply);
    }
    scene.machine.mend();
    scene.until_ready();
    for one in &mut sent {
        one.answer = Some(sender.post(one).unwrap());
    }
    scene.check(&sent);
}

/// An upload that the disk does not take is refused, names nothing and leaves nothing behind.
#[test]
fn a_paper_that_does_not_fit_leaves_nothing() {
    let Some(scene) = Scene::open() else { return };
    let mut applicant = logged_in(&scene.server, "applicant");
    let items = applicant.get("/items").unwrap();
    let item = items.between("href=\"/items/", "\"").to_owned();
    let path = format!("/items/{item}/apply");
    let form = applicant.get(&path).unwrap();
    let mut fields = good_application();
    fields.push(("action", "save"));
    let before = contents(&scene.city);
    for kinds in [WRITES | MAKES, WRITES | TORN, SYNCS] {
        scene.machine.fail(kinds, 0, FOR_EVER, ENOSPC);
        let refused = applicant.upload_from(&form, &path, &fields, PAPERS);
        let refused = refused.unwrap();
        assert_eq!(refused.status, 503, "{}", refused.body);
        says_read_only(&refused);
        assert_eq!(contents(&scene.city), before);
        scene.machine.mend();
        scene.until_ready();
    }
    // The disk has room again and the store does not know that it ever had none.
    let saved = applicant
        .upload_from(&form, &path, &fields, PAPERS)
        .unwrap();
    assert!([200, 303].contains(&saved.status), "{}", saved.body);
    // One content under four names.
    assert_eq!(contents(&scene.city).len(), before.len() + 1);
    scene.check(&[]);
}
