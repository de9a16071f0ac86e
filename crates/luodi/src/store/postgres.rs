//! The PostgreSQL engine: how connections are opened, statements run, values and errors translated.
//!
//! The only file of the store that knows PostgreSQL's codes. The SQL is the same as for SQLite: its
//! `?1` becomes `$1`, and `LIKE`, which in SQLite knows no case of Latin letters, becomes `ILIKE`.
//! Text is compared and ordered byte by byte on both engines, so a database needs the collation C.
//!
//! Deliberately lacks transactions as commands see them (`workers`).

use std::cell::RefCell;
use std::collections::HashMap;
use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use ::postgres::config::SslMode;
use ::postgres::error::SqlState;
use ::postgres::types::private::BytesMut;
use ::postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use ::postgres::{Client, Config, NoTls, Row as PgRow, Statement};

use super::StoreError;
use super::read::Row;
use super::session::RawRow;
use super::value::{Value, ValueRef};

/// Statements kept prepared per connection.
const STATEMENTS: usize = 512;
/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(3);
/// Oldest version that is tried.
const OLDEST: i64 = 150_000;

/// Runs `f` on a thread of its own: the client waits by itself, which a thread that runs
/// asynchronous tasks must not.
pub(super) fn aside<T: Send>(f: impl FnOnce() -> T + Send) -> Result<T, StoreError> {
    std::thread::scope(|scope| scope.spawn(f).join())
        .map_err(|panic| super::task::panicked("aside", panic.as_ref()))
}

/// How the engine makes the effects of commands apart from each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    /// As if one after the other (the engine watches what was read).
    #[default]
    Serializable,
    /// Each sees one moment; for engines that have nothing stricter.
    RepeatableRead,
}

impl Isolation {
    pub(super) fn begin(self) -> &'static str {
        match self {
            Self::Serializable => "BEGIN ISOLATION LEVEL SERIALIZABLE",
            Self::RepeatableRead => "BEGIN ISOLATION LEVEL REPEATABLE READ",
        }
    }
}

/// Table and columns behind each unique index.
pub(super) type UniqueKeys = Arc<HashMap<String, (String, Vec<String>)>>;

/// Where connections come from.
#[derive(Clone)]
pub(super) struct Server {
    config: Config,
    keys: UniqueKeys,
}

impl Server {
    /// Reads an address such as `postgres://user@host/database`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where the address is none.
    pub(super) fn parse(url: &str) -> Result<Self, StoreError> {
        let mut config: Config = url.parse().map_err(|error| {
            // The address may hold a password, so it is not repeated.
            StoreError::Unavailable(format!("数据库地址无法识别（{error}），请核对 --database"))
        })?;
        if config.get_ssl_mode() == SslMode::Require {
            let why =
                "落地连接数据库不支持 TLS。请改用本机套接字或加密隧道，并去掉 sslmode=require";
            return Err(StoreError::Unavailable(why.into()));
        }
        config.connect_timeout(CONNECT);
        config.keepalives_idle(Duration::from_secs(30));
        if config.get_application_name().is_none() {
            config.application_name("luodi");
        }
        Ok(Self {
            config,
            keys: UniqueKeys::default(),
        })
    }

    /// What to call the database: without the address, which may hold a password.
    pub(super) fn name(&self) -> String {
        let name = self.config.get_dbname().or(self.config.get_user());
        format!("数据库 {}", name.unwrap_or_default())
    }

    /// Makes a connection.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where the server does not answer or refuses.
    pub(super) fn connect(&self) -> Result<Session, StoreError> {
        let mut client = self
            .config
            .connect(NoTls)
            .map_err(|e| error(&e, "connect"))?;
        let setup = "SET client_min_messages = warning; SET TimeZone = 'UTC'; \
                     SET statement_timeout = '60s'; SET extra_float_digits = 3";
        client.batch_execute(setup).map_err(|e| error(&e, setup))?;
        Ok(Session {
            inner: RefCell::new(Inner {
                client,
                statements: HashMap::new(),
            }),
            keys: self.keys.clone(),
        })
    }

    /// Learns the unique keys of the schema, so that errors can name their columns.
    ///
    /// # Errors
    /// What the engine reports.
    pub(super) fn learn(&mut self, session: &Session) -> Result<(), StoreError> {
        const SQL: &str = "SELECT i.relname, t.relname, a.attname FROM pg_index x \
            JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid \
            JOIN pg_attribute a ON a.attrelid = i.oid \
            WHERE x.indisunique AND i.relnamespace = current_schema()::regnamespace \
            ORDER BY i.relname, a.attnum";
        let mut found: HashMap<String, (String, Vec<String>)> = HashMap::new();
        session.query(SQL, &[], &mut |row| {
            let (table, column) = (row.get(1)?, row.get(2)?);
            let entry = found.entry(row.get(0)?);
            entry.or_insert((table, Vec::new())).1.push(column);
            Ok(())
        })?;
        self.keys = Arc::new(found);
        Ok(())
    }
}

/// One connection.
pub(super) struct Session {
    inner: RefCell<Inner>,
    keys: UniqueKeys,
}

struct Inner {
    client: Client,
    statements: HashMap<String, Statement>,
}

impl Session {
    /// Runs statements of transaction control or of the schema.
    pub(super) fn control(&self, sql: &str) -> Result<(), StoreError> {
        let ran = self.inner.borrow_mut().client.batch_execute(sql);
        ran.map_err(|e| self.error(&e, sql))
    }

    /// Runs a data statement and gives the number of rows it changed.
    pub(super) fn execute(&self, sql: &str, params: &[Value]) -> Result<u64, StoreError> {
        let mut inner = self.inner.borrow_mut();
        let statement = inner.prepared(sql).map_err(|e| self.error(&e, sql))?;
        let given: Vec<&(dyn ToSql + Sync)> = params.iter().map(|it| it as _).collect();
        let changed = inner.client.execute(&statement, &given);
        changed.map_err(|e| self.error(&e, sql))
    }

    /// Runs a question and shows each row. All rows are there before the first is shown, so that
    /// `visit` may ask further.
    pub(super) fn query(
        &self,
        sql: &str,
        params: &[Value],
        visit: &mut dyn FnMut(&Row<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let found = {
            let mut inner = self.inner.borrow_mut();
            let statement = inner.prepared(sql).map_err(|e| self.error(&e, sql))?;
            let given: Vec<&(dyn ToSql + Sync)> = params.iter().map(|it| it as _).collect();
            let rows = inner.client.query(&statement, &given);
            rows.map_err(|e| self.error(&e, sql))?
        };
        for row in &found {
            visit(&Row {
                inner: RawRow::Postgres(row),
            })?;
        }
        Ok(())
    }

    /// Whether the connection is known to be lost.
    pub(super) fn is_closed(&self) -> bool {
        self.inner.borrow().client.is_closed()
    }

    fn error(&self, found: &::postgres::Error, sql: &str) -> StoreError {
        let Some(db) = found.as_db_error() else {
            return error(found, sql);
        };
        if *db.code() == SqlState::UNIQUE_VIOLATION
            && let Some((table, columns)) = db
                .constraint()
                .and_then(|name| self.keys.get(name))
                .cloned()
        {
            return StoreError::Conflict { table, columns };
        }
        error(found, sql)
    }
}

impl Inner {
    fn prepared(&mut self, sql: &str) -> Result<Statement, ::postgres::Error> {
        if let Some(known) = self.statements.get(sql) {
            return Ok(known.clone());
        }
        let statement = self.client.prepare(&translate(sql))?;
        if self.statements.len() >= STATEMENTS {
            self.statements.clear();
        }
        self.statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }
}

/// How to make a database that fits.
const CREATE: &str = "请这样新建：CREATE DATABASE luodi TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER libc \
                      LC_COLLATE 'C' LC_CTYPE 'C'";

/// Refuses settings under which an acknowledged command may be lost, another order of text, and
/// servers that cannot be written.
///
/// # Errors
/// [`StoreError::Unavailable`] with what to change.
pub(super) fn inspect(session: &Session, durable: bool) -> Result<(), StoreError> {
    let mut settings: HashMap<String, String> = HashMap::new();
    let sql = "SELECT name, setting FROM pg_settings WHERE name IN ('server_version_num', 'fsync', \
               'full_page_writes', 'synchronous_commit', 'server_encoding', 'transaction_read_only') \
               UNION ALL SELECT 'collation', datcollate FROM pg_database WHERE datname = current_database() \
               UNION ALL SELECT 'ctype', datctype FROM pg_database WHERE datname = current_database() \
               UNION ALL SELECT 'provider', CAST(datlocprovider AS TEXT) FROM pg_database WHERE datname = current_database()";
    session.query(sql, &[], &mut |row| {
        settings.insert(row.get(0)?, row.get(1)?);
        Ok(())
    })?;
    let of = |name: &str| settings.get(name).map_or("", String::as_str);
    let refuse = |why: String| Err(StoreError::Unavailable(why));
    let version: i64 = of("server_version_num").parse().unwrap_or(0);
    if version < OLDEST {
        return refuse(format!(
            "需要 PostgreSQL 15 或更新的版本，这台服务器是 {}，请先升级",
            version / 10_000
        ));
    }
    if of("server_encoding") != "UTF8" {
        let found = of("server_encoding");
        return refuse(format!("数据库的编码是 {found}，须为 UTF8。{CREATE}"));
    }
    // With ICU the words below say C and text is ordered otherwise.
    if of("provider") != "c" {
        return refuse(format!("数据库用 ICU 排序，须用 libc 的 C 排序。{CREATE}"));
    }
    for (name, what) in [("collation", "LC_COLLATE"), ("ctype", "LC_CTYPE")] {
        if !["C", "POSIX"].contains(&of(name)) {
            let found = of(name);
            return refuse(format!("数据库的 {what} 是 {found}，须为 C。{CREATE}"));
        }
    }
    if of("transaction_read_only") != "off" {
        let why = "连到的服务器只读（备用服务器），请在地址中加 target_session_attrs=read-write";
        return Err(StoreError::ReadOnly(why.into()));
    }
    let unsafe_settings: Vec<String> = [
        ("fsync", of("fsync") == "off"),
        ("full_page_writes", of("full_page_writes") == "off"),
        ("synchronous_commit", of("synchronous_commit") == "off"),
    ]
    .into_iter()
    .filter(|(_, bad)| *bad && durable)
    .map(|(name, _)| format!("{name}=off"))
    .collect();
    if unsafe_settings.is_empty() {
        Ok(())
    } else {
        let found = unsafe_settings.join(", ");
        refuse(format!(
            "数据库服务器设置了 {found}，已答复的办理可能丢失。请在服务器上改为 on；只是试用可加 --unsafe-database"
        ))
    }
}

/// Turns our SQL into the server's: `?1` → `$1`, `LIKE` → `ILIKE`, except in quotes.
fn translate(sql: &str) -> String {
    let mut output = String::with_capacity(sql.len() + 16);
    let mut quote: Option<char> = None;
    let mut word = String::new();
    for letter in sql.chars() {
        let in_word = letter.is_ascii_alphanumeric() || letter == '_';
        if quote.is_none() && in_word {
            word.push(letter);
            continue;
        }
        flush(&mut output, &mut word);
        match quote {
            Some(open) if open == letter => quote = None,
            None if letter == '\'' || letter == '"' => quote = Some(letter),
            _ => {}
        }
        output.push(if letter == '?' && quote.is_none() {
            '$'
        } else {
            letter
        });
    }
    flush(&mut output, &mut word);
    output
}

fn flush(output: &mut String, word: &mut String) {
    output.push_str(if word.eq_ignore_ascii_case("LIKE") {
        "ILIKE"
    } else {
        word
    });
    word.clear();
}

/// One column of a row in our own terms.
pub(super) fn column(row: &PgRow, index: usize) -> Result<ValueRef<'_>, StoreError> {
    let wrong = |why: String| StoreError::Value(format!("column {index}: {why}"));
    let kind = row
        .columns()
        .get(index)
        .map(|column| column.type_().clone())
        .ok_or_else(|| wrong("there is none".into()))?;
    let failed = |error: ::postgres::Error| wrong(error.to_string());
    let found = match kind {
        Type::INT8 => row
            .try_get::<_, Option<i64>>(index)
            .map_err(failed)?
            .map(ValueRef::Int),
        Type::INT4 => {
            let narrow = row.try_get::<_, Option<i32>>(index).map_err(failed)?;
            narrow.map(|it| ValueRef::Int(it.into()))
        }
        Type::BOOL => {
            let truth = row.try_get::<_, Option<bool>>(index).map_err(failed)?;
            truth.map(|it| ValueRef::Int(it.into()))
        }
        Type::FLOAT8 => row
            .try_get::<_, Option<f64>>(index)
            .map_err(failed)?
            .map(ValueRef::Real),
        Type::TEXT | Type::VARCHAR | Type::NAME | Type::BPCHAR | Type::UNKNOWN => row
            .try_get::<_, Option<&str>>(index)
            .map_err(failed)?
            .map(ValueRef::Text),
        Type::BYTEA => row
            .try_get::<_, Option<&[u8]>>(index)
            .map_err(failed)?
            .map(ValueRef::Blob),
        other => return Err(wrong(format!("{other} has no counterpart: cast it"))),
    };
    Ok(found.unwrap_or(ValueRef::Null))
}

impl ToSql for Value {
    fn to_sql(
        &self,
        kind: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match (self, kind) {
            (Self::Null, _) => Ok(IsNull::Yes),
            (Self::Int(it), &Type::INT8) => it.to_sql(kind, out),
            (Self::Int(it), &Type::INT4) => i32::try_from(*it)?.to_sql(kind, out),
            #[expect(
                clippy::cast_precision_loss,
                reason = "as SQLite stores it in a REAL column"
            )]
            (Self::Int(it), &Type::FLOAT8) => (*it as f64).to_sql(kind, out),
            (Self::Real(it), &Type::FLOAT8) => it.to_sql(kind, out),
            (Self::Text(it), &(Type::TEXT | Type::VARCHAR | Type::NAME | Type::UNKNOWN)) => {
                it.to_sql(kind, out)
            }
            (Self::Blob(it), &Type::BYTEA) => it.to_sql(kind, out),
            // Without the value, which may be personal.
            _ => Err(format!("a parameter is not of the type {kind}").into()),
        }
    }

    fn accepts(_: &Type) -> bool {
        // Which values fit is decided value by value, above.
        true
    }

    to_sql_checked!();
}

/// Translates an error of the engine.
fn error(error: &::postgres::Error, sql: &str) -> StoreError {
    let Some(db) = error.as_db_error() else {
        let cause = error
            .source()
            .map(|it| format!(": {it}"))
            .unwrap_or_default();
        let message = format!("{error}{cause}");
        // Without the server's word it is the connection, or a value that does not fit.
        return if error.is_closed() || is_io(error) || sql == "connect" {
            StoreError::Unavailable(message)
        } else {
            StoreError::Value(message)
        };
    };
    let code = db.code();
    let message = db.message().to_owned();
    let class = code.code().get(..2).unwrap_or_default();
    match class {
        // Serialization failures and deadlocks: another command was faster.
        "40" => StoreError::Raced(message),
        "23" if *code == SqlState::UNIQUE_VIOLATION => StoreError::Conflict {
            table: db.table().unwrap_or_default().to_owned(),
            columns: db.constraint().map(str::to_owned).into_iter().collect(),
        },
        "23" => StoreError::Constraint(message),
        // A read-only transaction: the server has become a standby.
        "25" if *code == SqlState::READ_ONLY_SQL_TRANSACTION => StoreError::Unavailable(message),
        "57" if *code == SqlState::QUERY_CANCELED => engine_error(code, message, sql),
        // Connection, resources, operator's intervention, system, configuration, authentication.
        "08" | "53" | "57" | "58" | "F0" | "28" | "3D" => StoreError::Unavailable(message),
        _ => engine_error(code, message, sql),
    }
}

fn engine_error(code: &SqlState, message: String, sql: &str) -> StoreError {
    StoreError::Engine {
        code: code.code().to_owned(),
        message,
        sql: sql.to_owned(),
    }
}

fn is_io(error: &::postgres::Error) -> bool {
    let mut source = error.source();
    while let Some(cause) = source {
        if cause.is::<std::io::Error>() {
            return true;
        }
        source = cause.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_translated_outside_quotes() {
        for (ours, theirs) in [
            ("SELECT ?1, ?12", "SELECT $1, $12"),
            ("a LIKE ?1 ESCAPE '!'", "a ILIKE $1 ESCAPE '!'"),
            ("SELECT 'LIKE ?', \"like?\"", "SELECT 'LIKE ?', \"like?\""),
            ("SELECT 'it''s ?' || ?2", "SELECT 'it''s ?' || $2"),
            ("dislike LIKE likely", "dislike ILIKE likely"),
        ] {
            assert_eq!(translate(ours), theirs);
        }
    }

    #[test]
    fn an_address_is_read_or_refused_without_its_password() {
        assert!(Server::parse("postgres://luodi@db.example/luodi").is_ok());
        let Err(refused) = Server::parse("postgres://luodi:geheim@db.example:port/luodi") else {
            panic!("a port that is no number")
        };
        assert!(!refused.to_string().contains("geheim"), "{refused}");
        let Err(refused) = Server::parse("host=db.example user=luodi sslmode=require") else {
            panic!("a connection in plain instead")
        };
        assert!(refused.to_string().contains("sslmode"), "{refused}");
    }
}
