//! What can go wrong between a command and the disk.
//!
//! Deliberately lacks the refusals of the domains: those are the `E` of a command, into which a
//! [`StoreError`] converts.

use std::path::PathBuf;

use uuid::Uuid;

/// An error of the store. Cloned, because one lost group answers all its commands with it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// Writing is impossible at present (full disk, I/O error); reading goes on and the store
    /// returns to writing by itself.
    #[error("现在只能读，不能写入：{0}。请检查数据所在磁盘的空间和权限；恢复后会自动继续")]
    ReadOnly(String),
    /// The store cannot be reached at all: it is closed, or its files cannot be used.
    #[error("数据不能使用：{0}。请检查 --data、--database 指向的位置、权限和数据库服务")]
    Unavailable(String),
    /// There is nothing to open, and the caller did not want it made.
    #[error(
        "{0} 里没有落地的数据。请用 --data 或 --database 指出数据所在，或先运行 luodi demo 或 luodi admin init。"
    )]
    Missing(String),
    /// A restore began here and did not end.
    #[error("{0} 里的恢复没有完成，不能使用。请清空该文件夹（keys 除外）后重新恢复。")]
    Unfinished(String),
    /// Something is there where an empty place is needed.
    #[error("{0} 不是空的。只能恢复到空的文件夹（keys 除外）和空的数据库。")]
    NotEmpty(String),
    /// Another process holds the data folder.
    #[error("{0} 正由另一个服务使用。请先停止它，或用 --data 指定另一个数据文件夹")]
    Locked(PathBuf),
    /// One row was asked for and there is none.
    #[error("no such row: {0}")]
    NotFound(String),
    /// A unique key is taken.
    #[error("a row with this key exists already: {table}({})", columns.join(", "))]
    Conflict {
        /// Table of the key.
        table: String,
        /// Columns of the key, in its order.
        columns: Vec<String>,
    },
    /// Another constraint of the schema (CHECK, NOT NULL, foreign key).
    #[error("a constraint of the schema is violated: {0}")]
    Constraint(String),
    /// The idempotency key was used with other content and had an effect.
    #[error("this idempotency key was used with other content")]
    KeyReused {
        /// The answer stored with the first effect.
        first_answer: serde_json::Value,
    },
    /// An earlier error of the same command makes its success impossible.
    #[error("the transaction failed earlier: {0}")]
    Poisoned(String),
    /// The engine gave up the whole transaction; nothing of the group was kept.
    #[error("the transaction was lost: {0}")]
    GroupLost(String),
    /// The closure of this command panicked; nothing of it was kept.
    #[error("the command {command} panicked: {message}")]
    Panicked {
        /// Name of the command (or "read").
        command: String,
        /// Text of the panic.
        message: String,
    },
    /// The job was claimed anew by another worker, ended or rescheduled in the meantime.
    #[error("the lease of job {0} is lost")]
    LeaseLost(Uuid),
    /// The data key of this owner was destroyed: what it sealed is gone for good.
    #[error("the data key of {0} was destroyed")]
    KeyDestroyed(Uuid),
    /// Sealed bytes cannot be opened: wrong owner, damaged, or of an unknown algorithm.
    #[error("sealed bytes cannot be opened: {0}")]
    Unsealable(&'static str),
    /// A value does not fit its column or its type.
    #[error("数据的值不合规定：{0}")]
    Value(String),
    /// A statement the store does not let through.
    #[error("statement refused: {0}")]
    Statement(String),
    /// The schema of the database and the migrations of this program disagree.
    #[error("数据库结构：{0}")]
    Migration(String),
    /// The key folder is unusable.
    #[error("密钥：{0}")]
    Keys(String),
    /// The audit log is not what it must be; `luodi audit verify` tells more.
    #[error("审计日志：{0}。请运行 luodi audit verify 查明。")]
    Log(String),
    /// Another command changed what this one relies on, again and again; nothing of it was kept.
    #[error("同时办理的人太多，没有办成：{0}。请再试一次")]
    Raced(String),
    /// Anything else the engine reports.
    #[error("{message} [{sql}]")]
    Engine {
        /// The engine's own code: SQLite's extended result code, PostgreSQL's SQLSTATE.
        code: String,
        /// Message of the engine.
        message: String,
        /// The statement, without its values.
        sql: String,
    },
}

impl StoreError {
    /// Stable code of the error, for logs and JSON.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::ReadOnly(_) => "store.read_only",
            Self::Unavailable(_) => "store.unavailable",
            Self::Missing(_) => "store.missing",
            Self::Unfinished(_) => "store.unfinished",
            Self::NotEmpty(_) => "store.not_empty",
            Self::Locked(_) => "store.locked",
            Self::NotFound(_) => "store.not_found",
            Self::Conflict { .. } => "store.conflict",
            Self::Constraint(_) => "store.constraint",
            Self::KeyReused { .. } => "store.key_reused",
            Self::Poisoned(_) => "store.poisoned",
            Self::GroupLost(_) => "store.group_lost",
            Self::Panicked { .. } => "store.panicked",
            Self::LeaseLost(_) => "store.lease_lost",
            Self::KeyDestroyed(_) => "store.key_destroyed",
            Self::Unsealable(_) => "store.unsealable",
            Self::Value(_) => "store.value",
            Self::Statement(_) => "store.statement",
            Self::Migration(_) => "store.migration",
            Self::Keys(_) => "store.keys",
            Self::Log(_) => "store.log",
            Self::Raced(_) => "store.raced",
            Self::Engine { .. } => "store.engine",
        }
    }

    /// Whether the disk or the file, not the command, is the cause.
    pub(super) fn is_disk(&self) -> bool {
        matches!(self, Self::ReadOnly(_) | Self::Unavailable(_))
    }
}

/// What the system says of a file or an address, in Chinese with what to do; in its own words where
/// it is nothing an operator meets.
#[must_use]
pub fn io_words(error: &std::io::Error) -> String {
    use std::io::ErrorKind;
    let words = match error.kind() {
        ErrorKind::NotFound => "没有这个文件或文件夹，请核对路径",
        ErrorKind::PermissionDenied => "没有权限，请换一个位置，或用有权限的用户运行",
        ErrorKind::AlreadyExists => "已经存在，请换一个文件名",
        ErrorKind::IsADirectory => "是文件夹，请给出文件名",
        ErrorKind::NotADirectory => "路径里有一段不是文件夹，请核对路径",
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            "磁盘空间或限额不够，请腾出空间后重试"
        }
        ErrorKind::ReadOnlyFilesystem => "磁盘只能读，请换一个位置",
        ErrorKind::AddrInUse => "地址已被占用，请换一个端口（--listen），或停止占用它的程序",
        ErrorKind::AddrNotAvailable => "不是这台机器的地址，请核对 --listen",
        ErrorKind::InvalidData => "内容不是文本，请核对是不是这个文件",
        _ => return error.to_string(),
    };
    words.to_owned()
}
