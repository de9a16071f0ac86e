//! `luodi audit …`: the log verified, given out, and co-signed by who watches it.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::Subcommand;
use jiff::Timestamp;
use serde_json::json;
use trail::Note;
use uuid::Uuid;

use super::{Cli, Said, verify, witness};
use crate::access::Actor;
use crate::refusal::{Error, Refusal};
use crate::store::{
    Query, Reading, Store, StoreError, export_log, grew_from, io_words, last_checkpoint, log_key,
    prove_event, since,
};

/// `luodi audit …`
#[derive(Clone, Debug, Subcommand)]
pub enum AuditWhat {
    /// Recomputes the log and compares every bound row with the event that last wrote it; or checks
    /// an export, or the proof of one event. Only reads, also beside a running server.
    Verify {
        /// An export or a proof; without it the data folder.
        file: Option<PathBuf>,
        /// A checkpoint kept elsewhere: finds a tail that was cut and an old copy put back.
        #[arg(long)]
        checkpoint: Option<PathBuf>,
        /// Public key of the log (luodi audit key), or a file that holds it. Without it an export or
        /// a proof is checked by the key it brings along, which shows no more than that it fits itself.
        #[arg(long)]
        log_key: Option<String>,
        /// Leaves out the contents of attached files.
        #[arg(long)]
        no_files: bool,
    },
    /// Takes the log as it is where it is not the one the key folder remembers, after a backup was put
    /// back or a standby took over; noted in the log. Verify first.
    Accept {
        /// Why it is another.
        #[arg(long)]
        reason: String,
    },
    /// Writes all events into a file that can be verified without the database.
    Export {
        /// The file.
        file: PathBuf,
    },
    /// Writes the last signed checkpoint, to be kept elsewhere.
    Checkpoint {
        /// The file.
        #[arg(long)]
        out: PathBuf,
        /// Size of the log that a witness has seen: adds the hashes that show how it grew from there.
        #[arg(long)]
        since: Option<u64>,
    },
    /// Prints the public key by which others verify the log.
    Key,
    /// Writes the proof that an event is in the log.
    Proof {
        /// Id of the event.
        event: Uuid,
        /// The file; stdout where none is given.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Watches the log: co-signs a checkpoint only where it grew from the last one signed. The
    /// state, with the witness's key, is a folder of its own, such as one on a stick.
    Witness {
        /// A checkpoint written with --since; without it the log of the data folder.
        file: Option<PathBuf>,
        /// Folder of the witness.
        #[arg(long)]
        state: PathBuf,
        /// Public key of the log (luodi audit key); needed the first time with a file.
        #[arg(long)]
        log_key: Option<String>,
        /// Name of the witness, the first time.
        #[arg(long, default_value = "witness")]
        name: String,
        /// Where the co-signed checkpoint goes, beside the copy in the folder.
        #[arg(long)]
        out: Option<PathBuf>,
    },
}

impl AuditWhat {
    /// Makes relative paths those of the folder where the command was typed.
    pub(super) fn rebase(&mut self, absolute: impl Fn(&mut PathBuf)) {
        match self {
            Self::Export { file } => absolute(file),
            Self::Checkpoint { out, .. } => absolute(out),
            Self::Proof { out: Some(out), .. } => absolute(out),
            _ => {}
        }
    }
}

/// What only reads, and so needs no lock and no server.
pub(super) fn reading(cli: &Cli, what: &AuditWhat, now: Timestamp) -> Option<Said> {
    let said = match what {
        AuditWhat::Verify {
            file,
            checkpoint,
            log_key,
            no_files,
        } => {
            let asked = verify::Asked {
                file: file.as_deref(),
                checkpoint: checkpoint.as_deref(),
                log_key: log_key.as_deref(),
                files: !no_files,
            };
            verify::verify(cli, &asked, now)
        }
        AuditWhat::Key => open(cli, now).and_then(|reading| {
            let key = reading.read(|q| log_key(&**q)).map_err(Said::failed)?;
            let key = key.to_string();
            Ok(match cli.json {
                true => Said::json(0, &json!({ "ok": true, "key": key })),
                false => Said::text(0, key + "\n"),
            })
        }),
        AuditWhat::Witness {
            file,
            state,
            log_key,
            name,
            out,
        } => {
            let witness = witness::Witness {
                folder: state,
                name,
                log_key: log_key.as_deref(),
                out: out.as_deref(),
            };
            watch(cli, &witness, file.as_deref(), now)
        }
        AuditWhat::Accept { .. }
        | AuditWhat::Export { .. }
        | AuditWhat::Checkpoint { .. }
        | AuditWhat::Proof { .. } => {
            return None;
        }
    };
    Some(said.unwrap_or_else(|said| said))
}

pub(super) fn open(cli: &Cli, now: Timestamp) -> Result<Reading, Said> {
    Reading::open(&cli.data, &cli.options(now)).map_err(Said::failed)
}

/// A file could not be read or written.
pub(super) fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> Said {
    let path = path.display().to_string();
    move |error| Said::failed(format!("{path}：{}。", io_words(&error)))
}

/// What needs every event numbered first, and so a store that may write.
pub(super) fn with_store(
    cli: &Cli,
    store: &Store,
    (now, actor): (Timestamp, &Actor),
    what: &AuditWhat,
) -> Result<Said, Error> {
    if let AuditWhat::Accept { reason } = what {
        return accept(cli, store, (now, actor), reason);
    }
    store.sequence_blocking(now)?;
    match what {
        AuditWhat::Export { file } => {
            let written = write(file, |out| {
                store.read_blocking(|q| export_log(&**q, out)).map(drop)
            });
            Ok(done(cli, written, file))
        }
        AuditWhat::Checkpoint { out, since: seen } => {
            let kept = std::fs::read_to_string(out).ok();
            if let Some(kept) = kept.filter(|kept| !kept.trim().is_empty())
                && let Some(why) = store.read_blocking(|q| outgrown(&**q, &kept))?
            {
                return Ok(refused(
                    cli,
                    &format!("{}：{why}。没有改写它。", out.display()),
                ));
            }
            let text = store.read_blocking(|q| checkpoint(&**q, *seen))?;
            let written = write(out, |out| put(out, &text));
            Ok(done(cli, written, out))
        }
        AuditWhat::Proof { event, out } => {
            let Some(text) = store.read_blocking(|q| prove_event(&**q, *event))? else {
                let message = format!("日志里没有事件 {event}，请核对编号。");
                return Err(Refusal::field("event", "event-unknown", message).into());
            };
            match out {
                None => Ok(Said::text(0, text)),
                Some(out) => Ok(done(cli, write(out, |out| put(out, &text)), out)),
            }
        }
        AuditWhat::Accept { .. }
        | AuditWhat::Verify { .. }
        | AuditWhat::Key
        | AuditWhat::Witness { .. } => Ok(Said::failed("这个命令只读，不能转交给正在运行的服务。")),
    }
}

fn accept(
    cli: &Cli,
    store: &Store,
    (now, actor): (Timestamp, &Actor),
    reason: &str,
) -> Result<Said, Error> {
    let reason = reason.trim();
    if reason.is_empty() {
        let message = "请写明日志为什么与密钥文件夹记得的不同，例如恢复了哪一天的备份。";
        return Err(Refusal::field("reason", "required", message).into());
    }
    let accepted = store.accept_log(now, &actor.to_ref(), reason)?;
    if cli.json {
        let (before, events) = (
            accepted.as_ref().map(|it| it.remembered),
            accepted.as_ref().map(|it| it.size),
        );
        let told = json!({
            "ok": true, "accepted": accepted.is_some(), "remembered": before, "events": events,
        });
        return Ok(Said::json(0, &told));
    }
    Ok(Said::text(
        0,
        match accepted {
            None => "日志就是密钥文件夹记得的那一个，不需要认可。\n".to_owned(),
            Some(it) => format!(
                "已认可现有的日志（{} 个事件），并记入日志；密钥文件夹原先记得 {} 个。请另存新的检查点。\n",
                it.size,
                it.remembered
                    .map_or("不明".to_owned(), |size| size.to_string())
            ),
        },
    ))
}

fn checkpoint(q: &dyn Query, seen: Option<u64>) -> Result<String, StoreError> {
    match seen {
        None => last_checkpoint(q),
        Some(seen) => since(q, seen)?
            .ok_or_else(|| StoreError::Log(format!("日志不到 {seen} 个事件，比见证人见过的少"))),
    }
}

/// Why a new checkpoint may not take the place of one that was kept: it would be the last witness of
/// what the log was.
fn outgrown(q: &dyn Query, kept: &str) -> Result<Option<String>, StoreError> {
    let Ok(kept) = Note::parse(witness::note_of(kept)) else {
        return Ok(Some(
            "已有这个文件，它不是检查点，请换一个文件名".to_owned(),
        ));
    };
    grew_from(q, &kept)
}

fn put(out: &mut dyn Write, text: &str) -> Result<(), StoreError> {
    out.write_all(text.as_bytes())
        .map_err(|error| StoreError::Unavailable(error.to_string()))
}

/// Writes a file whole or not at all.
pub(super) fn write(
    path: &Path,
    content: impl FnOnce(&mut dyn Write) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let unusable = |error: std::io::Error| {
        StoreError::Unavailable(format!("{}：{}", path.display(), io_words(&error)))
    };
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let mut out = BufWriter::new(File::create(&part).map_err(unusable)?);
    let written = content(&mut out).and_then(|()| {
        let file = out.into_inner().map_err(|error| unusable(error.into()))?;
        file.sync_all().map_err(unusable)?;
        std::fs::rename(&part, path).map_err(unusable)
    });
    if written.is_err() {
        let _ = std::fs::remove_file(&part);
    }
    written
}

fn done(cli: &Cli, written: Result<(), StoreError>, path: &Path) -> Said {
    match written {
        Ok(()) => super::run::written(cli, path),
        Err(error) => Said::failed(error),
    }
}

/// Lets a witness see a checkpoint.
fn watch(
    cli: &Cli,
    witness: &witness::Witness<'_>,
    file: Option<&Path>,
    now: Timestamp,
) -> Result<Said, Said> {
    let (request, key) = match file {
        Some(file) => (std::fs::read_to_string(file).map_err(failed(file))?, None),
        None => {
            let reading = open(cli, now)?;
            if let Err(StoreError::Log(why)) = reading.check_log() {
                return Ok(refused(cli, &format!("{why}。见证人不签这样的日志。")));
            }
            let seen = witness.seen()?;
            let asked = reading.read(|q| {
                let request = since(&**q, seen)?;
                Ok::<_, StoreError>((request, log_key(&**q)?))
            });
            let (request, key) = asked.map_err(Said::failed)?;
            let Some(request) = request else {
                return Ok(refused(
                    cli,
                    "日志比见证人见过的小：末尾被截去，或恢复过旧的副本。",
                ));
            };
            (request, Some(key.to_string()))
        }
    };
    match witness.look(&request, key.as_deref(), now)? {
        Ok(seen) if cli.json => Ok(Said::json(0, &seen)),
        Ok(seen) => Ok(Said::text(
            0,
            format!("已共签：{} 个事件，见证人 {}\n", seen.size, seen.witness),
        )),
        Err(why) => Ok(refused(cli, &why)),
    }
}

/// The witness does not sign.
fn refused(cli: &Cli, why: &str) -> Said {
    if cli.json {
        return Said::json(1, &json!({ "ok": false, "why": why }));
    }
    Said {
        code: 1,
        err: format!("{why}\n"),
        ..Said::default()
    }
}
