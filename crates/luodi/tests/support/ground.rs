//! Where a test's city stands: a folder, and on the test server (`LUODI_TEST_POSTGRES`) a database
//! of its own.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use luodi::backup;
use luodi::store::testing::{TemporaryDatabase, isolation};
use luodi::store::{Options, Reading, Store};

use super::{TEMPLATE, copy, morning, quick};

/// A folder and perhaps a database; both go when it is dropped.
pub struct Ground {
    folder: tempfile::TempDir,
    data: PathBuf,
    database: TemporaryDatabase,
    /// Rows were changed behind the commands' back.
    pub forced: AtomicBool,
}

impl Ground {
    /// An empty place; the data folder is yet to be made.
    pub fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        Self {
            folder,
            data,
            database: TemporaryDatabase::new().unwrap(),
            forced: AtomicBool::new(false),
        }
    }

    /// An empty place for a city whose tables are a file.
    pub fn empty_for_a_file() -> Self {
        Self {
            database: TemporaryDatabase::none(),
            ..Self::empty()
        }
    }

    /// A copy of the demonstration.
    pub fn demo() -> Self {
        // On a thread of its own: a test's runtime must not be blocked.
        let database = std::thread::spawn(copied_database).join().unwrap();
        let ground = Self::with(database);
        if ground.url().is_some() {
            std::fs::remove_file(ground.data.join("luodi.db")).unwrap();
        }
        ground
    }

    /// A copy of the demonstration whose tables are a file, for tests of the file.
    pub fn demo_in_a_file() -> Self {
        Self::with(TemporaryDatabase::none())
    }

    fn with(database: TemporaryDatabase) -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy(&TEMPLATE, folder.path());
        Self {
            data: folder.path().to_owned(),
            folder,
            database,
            forced: AtomicBool::new(false),
        }
    }

    /// The data folder.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The folder for what a test puts beside the data.
    pub fn beside(&self) -> &Path {
        self.folder.path()
    }

    /// Address of the database; none means a file.
    pub fn url(&self) -> Option<String> {
        self.database.url()
    }

    /// How its store is opened.
    pub fn options(&self) -> Options {
        Options {
            database: self.url(),
            isolation: isolation(),
            ..quick()
        }
    }

    /// Opens its store.
    pub fn open(&self) -> Store {
        Store::open(&self.data, &self.options()).unwrap()
    }

    /// What the binary is told by its environment.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let mut told = vec![("LUODI_DATA", self.data.display().to_string())];
        if let Some(url) = self.url() {
            told.push(("LUODI_DATABASE", url));
            // The test server does not wait for its disk.
            told.push(("LUODI_UNSAFE_DATABASE", "1".into()));
        }
        told
    }
}

/// A copy of the demonstration's database; the first of all processes moves it to the server, by
/// backup and restore.
fn copied_database() -> TemporaryDatabase {
    let name = TEMPLATE.file_name().unwrap().to_str().unwrap();
    let lock = std::fs::File::create(TEMPLATE.with_file_name("database.lock")).unwrap();
    lock.lock().unwrap();
    let original = format!("luodi_{}", name.replace('-', "_"));
    TemporaryDatabase::copied(&original, |url| {
        let folder = tempfile::tempdir().unwrap();
        let (file, data) = (folder.path().join("backup"), folder.path().join("data"));
        let city = Reading::open(&TEMPLATE, &quick()).unwrap();
        backup::write(&city, &file, morning()).unwrap();
        let options = Options {
            database: Some(url.to_owned()),
            ..quick()
        };
        backup::restore(&file, &data, &options).unwrap();
    })
    .unwrap()
}
