//! Backups of small cities: whole, the same on both engines, and of one moment.
//!
//! With a test server the city is on it and goes by file to SQLite and back; without, it goes from
//! file to file.

use std::fs;
use std::io::{Read, Seek, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use proptest::prelude::*;
use uuid::Uuid;
use vocab::{Fen, RegionCode};

use super::*;
use crate::access::{Actor, ActorKind, Role};
use crate::account::{NewDepartment, create_department};
use crate::attachment::{self, Subject};
use crate::fund::{self, NewBudget};
use crate::ids::{AccountId, DepartmentId, DraftId};
use crate::params;
use crate::refusal::Error;
use crate::store::testing::{TemporaryDatabase, TemporaryFolder, TemporaryStore};
use crate::store::{
    ColumnKind, Command, KeysBeside, Options, Reading, Restoring, Store, StoreError, Table, Value,
};
use crate::web::Upload;

const PDF: &[u8] = b"%PDF-1.7\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n";

fn now() -> Timestamp {
    "2026-11-23T02:00:00Z".parse().unwrap()
}

fn county() -> RegionCode {
    "330324".parse().unwrap()
}

fn finance() -> Actor {
    Actor {
        kind: ActorKind::Account(AccountId(Uuid::from_u128(7))),
        roles: [Role::Finance].into_iter().collect(),
        ..Actor::system(county())
    }
}

/// A county with a department, a budget and two papers of a draft.
struct City {
    store: TemporaryStore,
    department: DepartmentId,
}

impl City {
    fn new() -> Self {
        let store = Store::open_temporary(now()).unwrap();
        let new = NewDepartment {
            code: "YJFG".into(),
            name: "永嘉县发展和改革局".into(),
            region: county(),
            paper_word: "永发改".into(),
        };
        let console = Actor::console("test", county());
        let department = store.write_blocking(Command::new("test", now()), move |tx| {
            create_department(tx, &console, &new)
        });
        let city = Self {
            store,
            department: department.map_err(|error: Error| error).unwrap(),
        };
        city.budget(0);
        city.paper("一", PDF);
        city.paper("二", &[PDF, b"two"].concat());
        city
    }

    fn budget(&self, number: usize) {
        budget(&self.store, self.department, number);
    }

    fn owner() -> Uuid {
        Uuid::from_u128(1)
    }

    fn paper(&self, slot: &str, bytes: &[u8]) {
        let upload = Upload {
            field: slot.into(),
            file_name: "材料.pdf".into(),
            bytes: bytes.to_vec().into(),
        };
        let kept = attachment::keep(&self.store, now(), Self::owner(), slot, &upload, &[]).unwrap();
        let draft = Subject::Draft(DraftId(Uuid::from_u128(2)));
        let added = self
            .store
            .write_blocking(Command::new("test", now()), move |tx| {
                attachment::add(tx, "test", draft, &kept)
            });
        added.unwrap();
    }

    fn contents(&self) -> Vec<PathBuf> {
        files(&self.store.attachments())
            .into_iter()
            .filter(|path| !path.ends_with("swept"))
            .collect()
    }

    fn reading(&self) -> Reading {
        Reading::open(self.store.dir(), &self.store.options()).unwrap()
    }

    fn backup(&self, file: &Path) -> Written {
        write(&self.reading(), file, now()).unwrap()
    }
}

fn budget(store: &Store, department: DepartmentId, number: usize) {
    let new = NewBudget {
        year: 2026,
        department,
        name: "分布式光伏发电补贴".into(),
        function_code: "2110699".into(),
        economic_code: "31204".into(),
        project: "绿色能源".into(),
        document_number: format!("财建{number}号"),
        amount: Fen(100_000 + number as i64),
    };
    let created = store.write_blocking(Command::new("test", now()), move |tx| {
        fund::create_budget(tx, &finance(), &new)
    });
    created.unwrap();
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Somewhere to restore to.
struct Place {
    folder: TemporaryFolder,
    database: Option<TemporaryDatabase>,
}

impl Place {
    /// A folder whose tables are a file.
    fn file() -> Self {
        Self {
            folder: TemporaryFolder::new().unwrap(),
            database: None,
        }
    }

    /// On the test server, where there is one.
    fn server() -> Self {
        Self {
            database: Some(TemporaryDatabase::new().unwrap()),
            ..Self::file()
        }
    }

    fn options(&self) -> Options {
        Options {
            database: self.database.as_ref().and_then(TemporaryDatabase::url),
            durable: false,
            create: false,
            ..Options::new(now())
        }
    }

    fn dir(&self) -> &Path {
        self.folder.path()
    }

    fn restore(&self, file: &Path) -> Result<Restored, Fault> {
        restore(file, self.dir(), &self.options())
    }

    /// Brings the keys of a city here.
    fn bring_keys(&self, from: &Path) {
        fs::create_dir_all(self.dir().join("keys")).unwrap();
        for key in files(&from.join("keys")) {
            fs::copy(&key, self.dir().join("keys").join(key.file_name().unwrap())).unwrap();
        }
    }

    fn open(&self) -> Result<Store, StoreError> {
        Store::open(self.dir(), &self.options())
    }
}

#[test]
fn from_engine_to_engine_and_back_every_byte_is_the_same() {
    let city = City::new();
    let papers = TemporaryFolder::new().unwrap();
    let first = papers.path().join("first");
    let written = city.backup(&first);
    assert_eq!(written.manifest.contents.count, 2);
    assert_eq!(written.bytes, fs::metadata(&first).unwrap().len());
    let mut last = first.clone();
    for (number, place) in [Place::file(), Place::server(), Place::file()]
        .into_iter()
        .enumerate()
    {
        place.bring_keys(city.store.dir());
        let restored = place.restore(&last).unwrap();
        assert_eq!(restored.keys, KeysBeside::Fit);
        last = papers.path().join(number.to_string());
        let reading = Reading::open(place.dir(), &place.options()).unwrap();
        let again = write(&reading, &last, now()).unwrap();
        assert_eq!(again.manifest, written.manifest);
        assert!(
            fs::read(&first).unwrap() == fs::read(&last).unwrap(),
            "{number}"
        );
        // It is a city one can work in, papers included.
        let store = place.open().unwrap();
        budget(&store, city.department, 77);
        let draft = Subject::Draft(DraftId(Uuid::from_u128(2)));
        let listed = store.read_blocking(|q| attachment::of_subject(&**q, draft));
        let listed = listed.map_err(|error: StoreError| error).unwrap();
        let paper = listed.iter().find(|file| file.slot == "一").unwrap();
        assert_eq!(attachment::read(&store, paper).unwrap(), PDF);
        store.shutdown();
    }
    let other = papers.path().join("later");
    let later = write(
        &city.reading(),
        &other,
        now() + jiff::SignedDuration::from_secs(1),
    )
    .unwrap();
    assert_eq!(later.manifest.root, written.manifest.root);
    assert_ne!(later.sha256, written.sha256);
}

#[test]
fn every_table_is_in_it_but_the_sessions() {
    let city = City::new();
    let papers = TemporaryFolder::new().unwrap();
    let written = city.backup(&papers.path().join("b"));
    let migrations: String = files(Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/migrations"
    )))
    .iter()
    .map(|path| fs::read_to_string(path).unwrap())
    .collect();
    let mut made: Vec<&str> = migrations
        .lines()
        .filter_map(|line| line.strip_prefix("CREATE TABLE "))
        .map(|rest| rest.split([' ', '(']).next().unwrap())
        .chain(["schema_migration"])
        .collect();
    made.sort_unstable();
    let tables = written.manifest.tables.iter();
    let mut told: Vec<&str> = tables.map(|sum| sum.table.name.as_str()).collect();
    told.extend(LEFT_OUT);
    told.sort_unstable();
    assert_eq!(told, made);
    assert!(
        written
            .manifest
            .tables
            .iter()
            .all(|sum| !sum.table.key.is_empty())
    );
    let rows = |name: &str| {
        let mut sums = written.manifest.tables.iter();
        sums.find(|sum| sum.table.name == name).unwrap().rows
    };
    assert_eq!(
        (rows("budget_line"), rows("posting"), rows("attachment")),
        (1, 2, 2)
    );
    // The budget, the paper, and the key made for it.
    assert_eq!(rows("audit_event"), 3);
}

#[test]
fn no_key_is_in_it() {
    let city = City::new();
    let papers = TemporaryFolder::new().unwrap();
    let file = papers.path().join("b");
    city.backup(&file);
    let mut names = Vec::new();
    let mut archive = tar::Archive::new(fs::File::open(&file).unwrap());
    for entry in archive.entries().unwrap() {
        names.push(entry.unwrap().path().unwrap().display().to_string());
    }
    assert_eq!(names.first().map(String::as_str), Some("luodi-backup-1"));
    assert_eq!(names.last().map(String::as_str), Some("sha256"));
    assert!(
        names
            .iter()
            .all(|name| !name.contains("key") || name.contains("tables/data_key"))
    );
    let bytes = fs::read(&file).unwrap();
    for key in files(&city.store.dir().join("keys")) {
        let text = fs::read_to_string(&key).unwrap();
        let secret = text.split_whitespace().last().unwrap();
        assert!(secret.len() > 20);
        assert!(
            bytes
                .windows(secret.len())
                .all(|window| window != secret.as_bytes())
        );
    }
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
}

#[test]
fn a_flipped_byte_is_found_wherever_it_is() {
    let city = City::new();
    let papers = TemporaryFolder::new().unwrap();
    let path = papers.path().join("b");
    let length = city.backup(&path).bytes;
    let place = Place::file();
    let mut file = fs::File::options()
        .read(true)
        .write(true)
        .open(&path)
        .unwrap();
    let mut flip = |at: u64| {
        let mut byte = [0];
        file.seek(SeekFrom::Start(at)).unwrap();
        file.read_exact(&mut byte).unwrap();
        file.seek(SeekFrom::Start(at)).unwrap();
        file.write_all(&[byte[0] ^ 1]).unwrap();
    };
    let around = (length - archive::TAIL as u64..length).step_by(1);
    for at in (0..length).step_by(97).chain(0..600).chain(around) {
        flip(at);
        let refused = place.restore(&path).unwrap_err();
        assert!(refused.is_finding(), "{at}: {refused}");
        assert!(refused.to_string().contains(&path.display().to_string()));
        flip(at);
    }
    let whole = fs::read(&path).unwrap();
    for cut in (0..whole.len()).step_by(499) {
        fs::write(&path, &whole[..cut]).unwrap();
        assert!(place.restore(&path).unwrap_err().is_finding(), "{cut}");
    }
    fs::write(&path, [&whole[..], b"\0"].concat()).unwrap();
    assert!(matches!(place.restore(&path), Err(Fault::Damaged { .. })));
    assert_eq!(
        files(place.dir()),
        Vec::<PathBuf>::new(),
        "nothing was written"
    );
    fs::write(&path, &whole).unwrap();
    place.restore(&path).unwrap();
}

/// What becomes of an entry; none leaves it out.
type Change<'a> = &'a dyn Fn(&str, Vec<u8>) -> Option<Vec<u8>>;

/// A file whose own hashes are right but whose pieces do not belong together.
#[test]
fn what_does_not_belong_together_is_found() {
    let city = City::new();
    let papers = TemporaryFolder::new().unwrap();
    let (path, forged) = (papers.path().join("b"), papers.path().join("forged"));
    city.backup(&path);
    let forge = |change: Change<'_>| {
        let mut writer = archive::Writer::begin(fs::File::create(&forged).unwrap()).unwrap();
        let mut archive = tar::Archive::new(fs::File::open(&path).unwrap());
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let name = entry.path().unwrap().display().to_string();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            if name != "luodi-backup-1"
                && name != "sha256"
                && let Some(bytes) = change(&name, bytes)
            {
                writer.add(&name, &bytes).unwrap();
            }
        }
        writer.finish().unwrap();
        match Place::file().restore(&forged) {
            Err(Fault::Damaged { rule, .. }) => rule,
            other => panic!("{other:?}"),
        }
    };
    let without = |gone: &'static str| {
        move |name: &str, bytes: Vec<u8>| (!name.starts_with(gone)).then_some(bytes)
    };
    assert_eq!(forge(&without("tables/posting")), "table-sha256");
    assert_eq!(forge(&without("contents/000001/")), "content-sha256");
    assert_eq!(forge(&without("contents/")), "content-sha256");
    assert_eq!(forge(&without("manifest")), "manifest");
    let changed = |name: &str, bytes: Vec<u8>| {
        let text = String::from_utf8(bytes.clone()).ok();
        Some(match text.filter(|_| name == "manifest.json") {
            Some(text) => text
                .replace("YJFG", "")
                .replace("\"rows\": 1,", "\"rows\": 2,")
                .into(),
            None => bytes,
        })
    };
    assert_eq!(forge(&changed), "manifest-root");
}

#[test]
fn foreign_and_newer_files_are_told_apart() {
    let papers = TemporaryFolder::new().unwrap();
    let (path, place) = (papers.path().join("b"), Place::file());
    for foreign in [&b""[..], b"PK\x03\x04", &[0; 4_096], &[b'x'; 10_000]] {
        fs::write(&path, foreign).unwrap();
        assert!(matches!(place.restore(&path), Err(Fault::Foreign(_))));
    }
    city_of_the_future(&path);
    assert!(matches!(place.restore(&path), Err(Fault::Newer(_))));
    let missing = place.restore(&papers.path().join("none"));
    assert!(matches!(missing, Err(Fault::File(_))));
    assert_eq!(files(place.dir()), Vec::<PathBuf>::new());
}

/// A file of the next form, whole by the rule of this one.
fn city_of_the_future(path: &Path) {
    let mut header = tar::Header::new_ustar();
    header.set_path("luodi-backup-2").unwrap();
    header.set_mode(0o600);
    header.set_cksum();
    let mut writer = archive::Writer::bare(Vec::new());
    writer.raw(header.as_bytes()).unwrap();
    fs::write(path, writer.finish().unwrap().1).unwrap();
}

#[test]
fn a_migration_this_program_has_not_is_refused() {
    let city = City::new();
    let papers = TemporaryFolder::new().unwrap();
    let mut migrations = city.backup(&papers.path().join("b")).manifest.migrations;
    let place = Place::server();
    migrations[1].digest = "sha256:00".into();
    let refused = Restoring::begin(place.dir(), &place.options(), &migrations).err();
    assert!(
        matches!(refused, Some(StoreError::Migration(_))),
        "{refused:?}"
    );
    assert_eq!(files(place.dir()), Vec::<PathBuf>::new());
}

#[test]
fn only_an_empty_place_is_filled() {
    let city = City::new();
    let papers = TemporaryFolder::new().unwrap();
    let file = papers.path().join("b");
    city.backup(&file);
    let full = restore(&file, city.store.dir(), &city.store.options());
    assert!(matches!(full, Err(Fault::Store(StoreError::NotEmpty(_)))));
    let place = Place::server();
    fs::write(place.dir().join("notes.txt"), "").unwrap();
    let full = place.restore(&file);
    assert!(matches!(full, Err(Fault::Store(StoreError::NotEmpty(_)))));
    fs::remove_file(place.dir().join("notes.txt")).unwrap();
    place.restore(&file).unwrap();
    if place.options().database.is_some() {
        // The folder is another, the database is not empty any more.
        let folder = TemporaryFolder::new().unwrap();
        let full = restore(&file, folder.path(), &place.options());
        assert!(matches!(full, Err(Fault::Store(StoreError::NotEmpty(_)))));
        assert_eq!(files(folder.path()), Vec::<PathBuf>::new());
    }
    let again = write(&city.reading(), &file, now());
    assert!(
        matches!(again, Err(Fault::File(_))),
        "no backup is written over another"
    );
}

#[test]
fn a_restore_that_did_not_end_serves_nobody() {
    let city = City::new();
    let papers = TemporaryFolder::new().unwrap();
    let file = papers.path().join("b");
    let written = city.backup(&file);
    let place = Place::server();
    let begun = Restoring::begin(place.dir(), &place.options(), &written.manifest.migrations);
    // As if the process had died.
    drop(begun.unwrap());
    for create in [true, false] {
        let options = Options {
            create,
            ..place.options()
        };
        let refused = Store::open(place.dir(), &options).err();
        assert!(
            matches!(refused, Some(StoreError::Unfinished(_))),
            "{refused:?}"
        );
    }
    assert!(matches!(
        Reading::open(place.dir(), &place.options()).err(),
        Some(StoreError::Unfinished(_))
    ));
    let refused = place.restore(&file);
    assert!(matches!(
        refused,
        Err(Fault::Store(StoreError::Unfinished(_)))
    ));
    for path in files(place.dir()) {
        fs::remove_file(path).unwrap();
    }
    fs::remove_dir(place.dir().join("attachments")).unwrap();
    assert_eq!(place.restore(&file).unwrap().keys, KeysBeside::Missing);
    // Without its keys it does not begin, and makes none.
    assert!(matches!(place.open().err(), Some(StoreError::Keys(_))));
    place.bring_keys(city.store.dir());
    place.open().unwrap().shutdown();
}

#[test]
fn keys_of_another_city_are_noticed() {
    let (city, other) = (City::new(), City::new());
    let papers = TemporaryFolder::new().unwrap();
    let file = papers.path().join("b");
    city.backup(&file);
    let place = Place::server();
    place.bring_keys(other.store.dir());
    assert_eq!(place.restore(&file).unwrap().keys, KeysBeside::Foreign);
    assert!(matches!(place.open().err(), Some(StoreError::Keys(_))));
}

#[test]
fn a_missing_content_is_a_finding_unless_its_key_was_destroyed() {
    let city = City::new();
    let papers = TemporaryFolder::new().unwrap();
    let gone = city.contents().remove(0);
    fs::remove_file(&gone).unwrap();
    let written = city.backup(&papers.path().join("one"));
    let name = gone.file_name().unwrap().to_str().unwrap();
    assert_eq!(written.manifest.contents.missing, [name]);
    assert_eq!(written.manifest.contents.count, 1);
    Place::file().restore(&papers.path().join("one")).unwrap();
    let destroyed = city
        .store
        .write_blocking(Command::new("test", now()), |tx| {
            tx.destroy_key(City::owner())
        });
    destroyed.map_err(|error: StoreError| error).unwrap();
    let written = city.backup(&papers.path().join("two"));
    assert_eq!(written.manifest.contents.missing, Vec::<String>::new());
}

/// Budgets are made without pause; each is a line, an entry and two postings in one transaction.
#[test]
fn under_load_a_backup_is_one_moment() {
    let city = City::new();
    let papers = TemporaryFolder::new().unwrap();
    let file = papers.path().join("b");
    (1..150).for_each(|number| city.budget(number));
    let stop = Arc::new(AtomicBool::new(false));
    let load: Vec<_> = (0..3)
        .map(|thread| {
            let (store, department) = (Store::clone(&city.store), city.department);
            let stop = stop.clone();
            std::thread::spawn(move || {
                let mut number = 0;
                while !stop.load(Ordering::SeqCst) {
                    number += 1;
                    budget(&store, department, thread * 1_000_000 + 1_000 + number);
                }
                number
            })
        })
        .collect();
    let written = city.backup(&file);
    stop.store(true, Ordering::SeqCst);
    let made: usize = load.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert!(made > 0);
    let place = Place::server();
    place.bring_keys(city.store.dir());
    place.restore(&file).unwrap();
    let store = place.open().unwrap();
    let verified = store.read_blocking(|q| fund::verify(&**q));
    let verified = verified.map_err(|error: StoreError| error).unwrap();
    assert!(verified.is_ok(), "{verified:?}");
    let count = |table: &str| {
        let sql = format!("SELECT COUNT(*) FROM {table}");
        let found: Result<usize, StoreError> = store
            .read_blocking(|q| q.row(&sql, params![], |row| row.get::<u64>(0).map(|n| n as usize)));
        found.unwrap()
    };
    let lines = count("budget_line");
    assert!((150..=150 + made).contains(&lines), "{lines}");
    assert_eq!(
        [count("ledger_entry"), count("posting")],
        [lines, 2 * lines]
    );
    // One a budget, the paper, and the key made for it.
    assert_eq!(count("audit_event"), lines + 2);
    let mut sums = written.manifest.tables.iter();
    assert_eq!(
        sums.find(|it| it.table.name == "budget_line").unwrap().rows,
        lines as u64
    );
    store.shutdown();
}

#[test]
fn nothing_is_swept_while_a_backup_is_made() {
    let city = City::new();
    let orphan = attachment::content_path(&city.store.attachments(), &"ab".repeat(32));
    fs::create_dir_all(orphan.parent().unwrap()).unwrap();
    fs::write(&orphan, b"sealed").unwrap();
    let file = fs::File::options().write(true).open(&orphan).unwrap();
    let old = file.metadata().unwrap().modified().unwrap();
    file.set_modified(old - std::time::Duration::from_secs(90_000))
        .unwrap();
    let reading = city.reading();
    let (one, another) = (reading.pin().unwrap(), reading.pin().unwrap());
    assert_eq!(attachment::sweep(&city.store, 0xab).unwrap(), 0);
    drop(one);
    assert_eq!(
        attachment::sweep(&city.store, 0xab).unwrap(),
        0,
        "another goes on"
    );
    drop(another);
    assert_eq!(attachment::sweep(&city.store, 0xab).unwrap(), 1);
}

fn table(kinds: &[ColumnKind]) -> Table {
    Table {
        name: "t".into(),
        columns: kinds.iter().map(|kind| ("c".into(), *kind)).collect(),
        key: vec!["c".into()],
    }
}

proptest! {
    #[test]
    fn a_row_reads_back_as_it_was(
        whole in any::<i64>(), real in any::<f64>(), text in any::<String>(),
        bytes in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        let row = [Value::Int(whole), Value::Real(real), Value::Text(text), Value::Blob(bytes), Value::Null];
        let kinds = [ColumnKind::Int, ColumnKind::Real, ColumnKind::Text, ColumnKind::Bytes, ColumnKind::Int];
        let mut line = Vec::new();
        lines::write(&row, &mut line).unwrap();
        prop_assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
        let back = lines::read(line.strip_suffix(b"\n").unwrap(), &table(&kinds)).unwrap();
        for (was, is) in row.iter().zip(&back) {
            match (was, is) {
                (Value::Real(was), Value::Real(is)) if was.is_nan() => prop_assert!(is.is_nan()),
                (Value::Real(was), Value::Real(is)) => prop_assert_eq!(was.to_bits(), is.to_bits()),
                (was, is) => prop_assert_eq!(was, is),
            }
        }
    }
}

#[test]
fn a_line_of_another_shape_is_no_row() {
    for (line, kind) in [
        ("[1,2]", ColumnKind::Int),
        ("[]", ColumnKind::Int),
        ("[1.5]", ColumnKind::Int),
        ("[\"1\"]", ColumnKind::Int),
        ("[1]", ColumnKind::Text),
        ("[\"x\"]", ColumnKind::Real),
        ("[\"%\"]", ColumnKind::Bytes),
        ("{}", ColumnKind::Text),
    ] {
        assert_eq!(
            lines::read(line.as_bytes(), &table(&[kind])),
            None,
            "{line}"
        );
    }
}
