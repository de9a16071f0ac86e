//! The small library in C that stands between the server and its machine (`shim.c`): made once for
//! this build, loaded into the child alone, told what to do through a file both map.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::support::Ground;

/// Errors as Linux numbers them.
pub const EIO: i64 = 5;
pub const ENOSPC: i64 = 28;

/// Kinds of operations, as `shim.c` names them.
pub const WRITES: i64 = 1;
pub const SYNCS: i64 = 2;
pub const MAKES: i64 = 4;
pub const TORN: i64 = 8;

/// Numbers of the control file.
const SHIFT: u64 = 0;
const COUNTED: u64 = 1;
const FIRST: u64 = 2;
const COUNT: u64 = 3;
const ERRNO: u64 = 4;
const KINDS: u64 = 5;

/// What is wrong with the machine of one server. Nothing, at first.
pub struct Machine {
    folder: TempDir,
    control: File,
    library: PathBuf,
}

impl Machine {
    /// None where no C compiler is at hand: the test says so and is not played.
    pub fn new() -> Option<Self> {
        let library = library()?;
        let folder = tempfile::tempdir().unwrap();
        let control = File::options()
            .create(true)
            .truncate(true)
            .read(true)
            .write(true)
            .open(folder.path().join("control"))
            .unwrap();
        control.set_len(48).unwrap();
        Some(Self {
            folder,
            control,
            library,
        })
    }

    /// What the binary is told by its environment, to live on this machine.
    pub fn environment(&self, city: &Ground) -> Vec<(&'static str, String)> {
        let mut told = city.environment();
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        told.push(("LD_PRELOAD", text(&self.library)));
        told.push(("LUODI_FAULTS", text(&self.folder.path().join("control"))));
        told.push(("LUODI_FAULTS_UNDER", text(city.data())));
        told
    }

    /// Lets `count` operations of these kinds fail, from the k-th on that comes after this.
    pub fn fail(&self, kinds: i64, k: i64, count: i64, errno: i64) {
        self.mend();
        self.set(KINDS, kinds);
        self.set(ERRNO, errno);
        self.set(FIRST, self.counted() + k);
        self.set(COUNT, count);
    }

    /// The disk works again.
    pub fn mend(&self) {
        self.set(COUNT, 0);
    }

    /// Operations counted so far.
    pub fn counted(&self) -> i64 {
        self.get(COUNTED)
    }

    /// Sets the wall clock this much ahead of what it is.
    pub fn shift(&self, by: jiff::SignedDuration) {
        self.set(SHIFT, i64::try_from(by.as_millis()).unwrap());
    }

    fn set(&self, place: u64, value: i64) {
        self.control
            .write_all_at(&value.to_ne_bytes(), place * 8)
            .unwrap();
    }

    fn get(&self, place: u64) -> i64 {
        let mut bytes = [0; 8];
        self.control.read_exact_at(&mut bytes, place * 8).unwrap();
        i64::from_ne_bytes(bytes)
    }
}

/// The library, made where this build has none yet.
#[expect(clippy::print_stderr, reason = "a test that is not played says so")]
fn library() -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/shim.c");
    let beside = Path::new(env!("CARGO_TARGET_TMPDIR"));
    std::fs::create_dir_all(beside).unwrap();
    let lock = File::create(beside.join("shim.lock")).unwrap();
    lock.lock().unwrap();
    let library = beside.join("shim.so");
    let made = |path: &Path| path.metadata().and_then(|it| it.modified()).ok();
    if made(&library) > made(&source) {
        return Some(library);
    }
    let part = beside.join("shim.part");
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
        .args([&part, &source])
        .arg("-ldl")
        .status();
    match built {
        Ok(status) => {
            assert!(status.success(), "the library is not C");
            std::fs::rename(part, &library).unwrap();
            Some(library)
        }
        Err(error) => {
            eprintln!("not played: no C compiler (cc: {error})");
            None
        }
    }
}
