//! An empty folder or database that is being filled from a backup.
//!
//! Until the end nothing can be mistaken for a city: the file has another name and the transaction
//! on a server is open; and a mark in the folder makes every start refuse it. Deliberately lacks
//! the backup's form and its files (`backup`).

use std::fs::{self, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::audit::bound::Shapes;
use super::audit::mark::{self, Mark};
use super::audit::number::mark_of;
use super::keys::Keys;
use super::migrate::{self, Applied, Migration};
use super::postgres::{self, Server};
use super::read::Snapshot;
use super::session::Session;
use super::tables::{self, Table};
use super::value::Value;
use super::{Options, StoreError, sqlite};
use super::{keys, master};

/// Says that a restore has begun in this folder and not ended.
const MARK: &str = "restoring";
/// What the database is called until it is whole.
const PART: &str = "luodi.db.restoring";

/// Refuses a folder whose restore did not end.
pub(super) fn refuse_unfinished(dir: &Path) -> Result<(), StoreError> {
    if dir.join(MARK).exists() {
        return Err(StoreError::Unfinished(dir.display().to_string()));
    }
    Ok(())
}

/// Whether the keys beside the restored data are those that sealed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeysBeside {
    /// They are.
    Fit,
    /// There are none yet.
    Missing,
    /// They belong to other data.
    Foreign,
}

enum Engine {
    Sqlite(rusqlite::Connection),
    Postgres(Box<postgres::Session>),
}

/// The place that is being filled.
pub struct Restoring {
    dir: PathBuf,
    keys: PathBuf,
    engine: Engine,
    tables: Vec<Table>,
}

impl Restoring {
    /// Begins in an empty place: makes the schema as these migrations left it, with empty tables.
    ///
    /// # Errors
    /// [`StoreError::NotEmpty`] where something is there, [`StoreError::Migration`] where this
    /// program does not know a migration, [`StoreError::Unavailable`] where files or server cannot
    /// be used.
    pub fn begin(
        dir: &Path,
        options: &Options,
        migrations: &[Applied],
    ) -> Result<Self, StoreError> {
        Self::begin_with(dir, options, migrations, &migrate::embedded()?)
    }

    pub(super) fn begin_with(
        dir: &Path,
        options: &Options,
        applied: &[Applied],
        all: &[Migration],
    ) -> Result<Self, StoreError> {
        let then = migrate::known(all, applied)?;
        refuse_files(dir)?;
        let engine = match &options.database {
            Some(url) => Engine::Postgres(Box::new(empty_server(url, options)?)),
            None => {
                mark(dir)?;
                let settings = sqlite::Settings::of(options);
                Engine::Sqlite(sqlite::open_part(&dir.join(PART), &settings)?)
            }
        };
        if options.database.is_some() {
            mark(dir)?;
        }
        let mut begun = Self {
            dir: dir.to_owned(),
            keys: options.keys_of(dir),
            engine,
            tables: Vec::new(),
        };
        let session = begun.session();
        session.begin_work()?;
        migrate::within(session, &then, options.now)?;
        let tables = tables::in_order(session)?;
        for table in tables.iter().rev() {
            session.execute(&format!("DELETE FROM {}", table.name), &[])?;
        }
        begun.tables = tables;
        Ok(begun)
    }

    fn session(&self) -> Session<'_> {
        match &self.engine {
            Engine::Sqlite(connection) => Session::Sqlite(connection),
            Engine::Postgres(session) => Session::Postgres(session),
        }
    }

    /// The tables in the order in which they can be filled.
    #[must_use]
    pub fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// Puts rows into a table.
    ///
    /// # Errors
    /// What the engine reports.
    pub fn insert(&self, table: &Table, rows: &[Vec<Value>]) -> Result<(), StoreError> {
        table.insert(self.session(), rows)
    }

    /// The folder of attachments.
    #[must_use]
    pub fn attachments(&self) -> PathBuf {
        self.dir.join("attachments")
    }

    /// Moves sequences past what is there, makes all of it durable and lets the folder be used. Says
    /// whose keys are beside it; where they are those of the data, they remember the log as it now
    /// is. The schema stays that of the backup until the first start, which has the keys.
    ///
    /// # Errors
    /// What the engine or the disk reports.
    pub fn finish(self) -> Result<(KeysBeside, LogBeside), StoreError> {
        let session = self.session();
        postgres_sequences(session)?;
        let (beside, keys) = keys_beside(session, &self.keys);
        let log = log_beside(session, keys.as_ref())?;
        session.end_work()?;
        let unusable = |error: std::io::Error| {
            StoreError::Unavailable(format!("{}：{error}", self.dir.display()))
        };
        let dir = self.dir.clone();
        if let Engine::Sqlite(connection) = self.engine {
            sqlite::close_part(connection)?;
            let part = dir.join(PART);
            File::open(&part)
                .and_then(|file| file.sync_all())
                .map_err(unusable)?;
            fs::rename(&part, dir.join("luodi.db")).map_err(unusable)?;
        }
        let sync = || File::open(&dir)?.sync_all();
        sync().map_err(unusable)?;
        fs::remove_file(dir.join(MARK)).map_err(unusable)?;
        sync().map_err(unusable)?;
        let mut told = LogBeside::default();
        if let Some((keys, remembered, mark)) =
            keys.zip(log).map(|(keys, log)| (keys, log.0, log.1))
        {
            told.remembered = remembered;
            told.events = mark.as_ref().map_or(0, |mark| mark.size);
            mark::set(&keys, mark.as_ref())?;
        }
        Ok((beside, told))
    }
}

/// What the key folder remembered of the log before the restore, and how many events were restored.
/// From now on it remembers these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct LogBeside {
    /// Events it remembered; none where it remembered no log.
    pub remembered: Option<u64>,
    /// Events of the restored log that were signed.
    pub events: u64,
}

impl LogBeside {
    /// Whether the log was set back.
    #[must_use]
    pub fn is_behind(self) -> bool {
        self.remembered.is_some_and(|before| before > self.events)
    }
}

/// How many events the keys remember of the log, and what they are to remember.
type Remembered = (Option<u64>, Option<Mark>);

/// What is remembered, where there are keys.
fn log_beside(session: Session<'_>, keys: Option<&Keys>) -> Result<Option<Remembered>, StoreError> {
    let Some(keys) = keys else {
        return Ok(None);
    };
    let remembered = mark::known(keys).ok().flatten().map(|mark| mark.size);
    let has_tree = migrate::list(session)?
        .iter()
        .any(|it| it.name == "audit_log");
    let mark = match has_tree {
        true => mark_of(&*Snapshot::of(session, keys, &Shapes::of(session)?))?,
        false => None,
    };
    Ok(Some((remembered, mark)))
}

/// Only keys may be there before, because they are brought separately.
fn refuse_files(dir: &Path) -> Result<(), StoreError> {
    let unusable =
        |error: std::io::Error| StoreError::Unavailable(format!("{}：{error}", dir.display()));
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(unusable)?,
    };
    for entry in entries {
        let name = entry.map_err(unusable)?.file_name();
        if name == MARK {
            refuse_unfinished(dir)?;
        }
        if name != "keys" && name != "lost+found" {
            return Err(StoreError::NotEmpty(dir.display().to_string()));
        }
    }
    Ok(())
}

fn mark(dir: &Path) -> Result<(), StoreError> {
    let make = || {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)?;
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir.join("attachments"))?;
        File::create(dir.join(MARK))?.sync_all()?;
        File::open(dir)?.sync_all()
    };
    make().map_err(|error| StoreError::Unavailable(format!("{}：{error}", dir.display())))
}

fn empty_server(url: &str, options: &Options) -> Result<postgres::Session, StoreError> {
    let server = Server::parse(url)?;
    let connection = server.connect()?;
    postgres::inspect(&connection, options.durable)?;
    let mut any = false;
    let session = Session::Postgres(&connection);
    session.query(session.columns_sql(), &[], &mut |_| {
        any = true;
        Ok(())
    })?;
    if any {
        return Err(StoreError::NotEmpty(server.name()));
    }
    Ok(connection)
}

/// Columns a server numbers by itself go on after the highest number there is; SQLite does so anyway.
fn postgres_sequences(session: Session<'_>) -> Result<(), StoreError> {
    let Session::Postgres(_) = session else {
        return Ok(());
    };
    let mut numbered: Vec<(String, String)> = Vec::new();
    let sql = "SELECT table_name, column_name FROM information_schema.columns \
               WHERE table_schema = current_schema() AND is_identity = 'YES'";
    session.query(sql, &[], &mut |row| {
        numbered.push((row.get(0)?, row.get(1)?));
        Ok(())
    })?;
    for (table, column) in numbered {
        let sql = format!(
            "SELECT setval(pg_get_serial_sequence('{table}', '{column}'), \
             COALESCE(MAX({column}), 0) + 1, false) FROM {table}"
        );
        session.query(&sql, &[], &mut |_| Ok(()))?;
    }
    Ok(())
}

/// Whether the key folder is the one these tables were written under, and the keys where it is.
fn keys_beside(session: Session<'_>, dir: &Path) -> (KeysBeside, Option<Keys>) {
    if !master::any(dir) {
        return (KeysBeside::Missing, None);
    }
    match keys::known(session, dir) {
        Ok(keys) => (KeysBeside::Fit, Some(keys)),
        Err(_) => (KeysBeside::Foreign, None),
    }
}
