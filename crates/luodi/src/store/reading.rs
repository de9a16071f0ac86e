//! A store that is only read, beside whoever writes it: it takes no lock, brings no schema up to
//! date and makes nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use trail::Note;

use super::audit::bound::{Shapes, free_columns};
use super::audit::sequence::look;
use super::audit::verify::{Asked, Verified, verify};
use super::audit::{mark, rebind, upgrade};
use super::keys::{self, Keys};
use super::lock::Pin;
use super::migrate::{self, Applied};
use super::postgres::{Server, aside};
use super::read::{Readers, Snapshot, Source};
use super::session::Session;
use super::{Options, StoreError, restoring, schema, sqlite};

/// A data folder opened for reading.
pub struct Reading {
    dir: PathBuf,
    readers: Readers,
    keys: Keys,
    shapes: Arc<Shapes>,
    migrations: Vec<Applied>,
}

impl Reading {
    /// Opens a data folder, or the database that belongs to it, as it is.
    ///
    /// # Errors
    /// [`StoreError::Missing`] where there is none, [`StoreError::Keys`] where the keys are missing
    /// or another folder's, [`StoreError::Unavailable`] where it cannot be reached.
    pub fn open(dir: &Path, options: &Options) -> Result<Self, StoreError> {
        restoring::refuse_unfinished(dir)?;
        let source = match &options.database {
            Some(url) => Source::Postgres(Box::new(Server::parse(url)?)),
            None => Source::Sqlite(dir.join("luodi.db"), sqlite::Settings::of(options)),
        };
        let missing = || match &source {
            Source::Sqlite(..) => StoreError::Missing(dir.display().to_string()),
            Source::Postgres(server) => StoreError::Missing(server.name()),
        };
        if matches!(&source, Source::Sqlite(file, _) if !file.exists()) {
            return Err(missing());
        }
        let look = |session: Session<'_>| {
            if !migrate::has_begun(session)? {
                return Err(missing());
            }
            let keys = keys::known(session, &options.keys_of(dir))?;
            Ok((
                keys,
                Arc::new(Shapes::of(session)?),
                migrate::list(session)?,
            ))
        };
        let (keys, shapes, migrations) = aside(|| source.open()?.with_session(look))??;
        Ok(Self {
            dir: dir.to_owned(),
            readers: Readers::new(source, options.readers, shapes.clone()),
            keys,
            shapes,
            migrations,
        })
    }

    /// Reads one moment of the tables on this thread, as
    /// [`Store::read_blocking`](super::Store::read_blocking) does.
    ///
    /// # Errors
    /// What the closure gives, or the store's own error in its type.
    pub fn read<T, E, F>(&self, f: F) -> Result<T, E>
    where
        E: From<StoreError>,
        F: FnOnce(&Snapshot<'_>) -> Result<T, E>,
    {
        self.readers.read(&self.keys, f)
    }

    /// Verifies the log and the rows bound to it, against a checkpoint kept elsewhere where one is
    /// given.
    ///
    /// # Errors
    /// [`StoreError::Migration`] where the tables are older than this program; what the engine
    /// reports. What is wrong with the content is a finding.
    pub fn verify_log(&self, saved: Option<&Note>, now: Timestamp) -> Result<Verified, StoreError> {
        let newest = self.migrations.last().map_or(0, |last| last.version);
        let known = self.migrations.iter().any(|it| it.name == "audit_seal");
        // Before the moment of the tables: a server may go on meanwhile.
        let (mark, mark_unread) = match mark::known(&self.keys) {
            Ok(mark) => (mark, None),
            Err(error) => (None, Some(error.to_string())),
        };
        let all = migrate::embedded()?;
        self.read(|q| {
            let under_way = || upgrade::under_way(&self.keys);
            if !known || (rebind::is_asked(&**q)? && under_way() && !rebind::is_done(&**q, newest)?)
            {
                let why =
                    "这些数据是旧版本的，或升级没有完成。请先用 luodi serve 启动一次，升级后再核对";
                return Err(StoreError::Migration(why.to_owned()));
            }
            let asked = Asked {
                saved,
                mark,
                mark_unread,
                foreign: schema::foreign(q.session(), &all)?,
                ..Asked::new(now)
            };
            verify(&**q, &self.shapes, asked)
        })
    }

    /// The tables that no migration of this program made.
    ///
    /// # Errors
    /// What the engine reports.
    pub fn foreign_tables(&self, q: &Snapshot<'_>) -> Result<Vec<String>, StoreError> {
        let found = schema::foreign(q.session(), &migrate::embedded()?)?;
        let tables = found.into_iter().filter(|(kind, _)| kind == "table");
        Ok(tables.map(|(_, name)| name).collect())
    }

    /// The tables whose rows the log binds, and the columns of these that it does not.
    pub fn bound(&self) -> (Vec<String>, Vec<(&'static str, &'static str)>) {
        (self.shapes.names(), free_columns().collect())
    }

    /// Whether the log is the one that was signed last, and the one the key folder remembers: whoever
    /// gives it out asks first.
    ///
    /// # Errors
    /// [`StoreError::Log`] where it is not; what the engine reports.
    pub fn check_log(&self) -> Result<(), StoreError> {
        let mark = mark::known(&self.keys)?;
        self.read(|q| look(&**q, mark.as_ref())).map(drop)
    }

    /// The keys of the data folder.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The migrations that made the schema.
    #[must_use]
    pub fn migrations(&self) -> &[Applied] {
        &self.migrations
    }

    /// The folder of attachments.
    #[must_use]
    pub fn attachments(&self) -> PathBuf {
        self.dir.join("attachments")
    }

    /// Keeps the contents of files where they are until dropped.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where the folder cannot be written.
    pub fn pin(&self) -> Result<Pin, StoreError> {
        Pin::hold(&self.dir)
    }
}
