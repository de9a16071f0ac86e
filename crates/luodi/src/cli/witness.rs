//! A witness of a log: remembers the last checkpoint it signed, and signs only what grew from it.
//!
//! Its folder holds `witness.key` (secret), `witness.pub`, `log-key` (the log's public key, learned
//! once) and `seen` (the last co-signed checkpoint).

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use serde::Serialize;
use trail::{Checkpoint, Cosigned, Hash, Note, NoteError, Signer, Verifier};

use super::Said;
use super::audit::{failed, write};
use crate::store;

/// Who watches, and what was typed.
pub(super) struct Witness<'a> {
    pub(super) folder: &'a Path,
    pub(super) name: &'a str,
    pub(super) log_key: Option<&'a str>,
    pub(super) out: Option<&'a Path>,
}

/// What was signed.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Seen {
    ok: bool,
    /// How many events the log has.
    pub(super) size: u64,
    /// Public key of the witness.
    pub(super) witness: String,
}

/// The note in a checkpoint file, whether hashes stand before it or not.
pub(super) fn note_of(text: &str) -> &str {
    match text.strip_prefix("old ") {
        Some(_) => text.split_once("\n\n").map_or("", |(_, note)| note),
        None => text,
    }
}

/// The hashes before the note.
fn proof_of(text: &str) -> Option<Vec<Hash>> {
    let (head, _) = text.strip_prefix("old ")?.split_once("\n\n")?;
    let hashes = head.lines().skip(1);
    hashes
        .map(|line| BASE64.decode(line).ok()?.try_into().ok())
        .collect()
}

fn wrong(error: &NoteError) -> Said {
    Said::failed(format!("检查点或密钥无法读出：{error}"))
}

impl Witness<'_> {
    /// How large the log was when it last signed.
    pub(super) fn seen(&self) -> Result<u64, Said> {
        let Some(log) = self.known_log()? else {
            return Ok(0);
        };
        Ok(self.last(&log)?.map_or(0, |seen| seen.size))
    }

    /// Looks at a checkpoint, and signs it where it grew from the last one; else says why not.
    pub(super) fn look(
        &self,
        request: &str,
        key: Option<&str>,
        now: Timestamp,
    ) -> Result<Result<Seen, String>, Said> {
        let note = Note::parse(note_of(request)).map_err(|error| wrong(&error))?;
        let log = self.log(key)?;
        let last = self.last(&log)?;
        let proof = proof_of(request).unwrap_or_default();
        let signer = self.signer()?;
        let seconds = u64::try_from(now.as_second()).unwrap_or_default();
        let checkpoint = match Checkpoint::open(&note, &log) {
            Ok(checkpoint) => checkpoint,
            Err(error) => return Ok(Err(format!("检查点不是这个日志的：{error}"))),
        };
        let answer = Checkpoint::cosign(note, &log, last.as_ref(), &proof, (&signer, seconds));
        let cosigned = match answer.map_err(|error| wrong(&error))? {
            Cosigned::Yes(note) => note.to_string(),
            Cosigned::Inconsistent => {
                let seen = last.map_or(0, |last| last.size);
                return Ok(Err(format!(
                    "不共签：日志（{} 个事件）不是从见证人签过的（{seen} 个事件）长出来的，或文件不是用 --since {seen} 写的。",
                    checkpoint.size
                )));
            }
        };
        let put = |path: &Path| {
            write(path, |out| {
                out.write_all(cosigned.as_bytes())
                    .map_err(|error| store::StoreError::Unavailable(error.to_string()))
            })
            .map_err(Said::failed)
        };
        put(&self.folder.join("seen"))?;
        if let Some(out) = self.out {
            put(out)?;
        }
        Ok(Ok(Seen {
            ok: true,
            size: checkpoint.size,
            witness: signer.verifier().to_string(),
        }))
    }

    /// The log's key, as learned before.
    fn known_log(&self) -> Result<Option<Verifier>, Said> {
        let path = self.folder.join("log-key");
        match fs::read_to_string(&path) {
            Ok(text) => Verifier::parse(text.trim())
                .map(Some)
                .map_err(|error| wrong(&error)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(&path)(error)),
        }
    }

    /// The log's key; learned where it is not known yet.
    fn log(&self, given: Option<&str>) -> Result<Verifier, Said> {
        let known = self.known_log()?;
        let typed = self.log_key.or(given);
        let typed = typed
            .map(|text| Verifier::parse(text.trim()))
            .transpose()
            .map_err(|error| wrong(&error))?;
        match (known, typed) {
            (Some(known), Some(typed)) if known.to_string() != typed.to_string() => {
                Err(Said::failed("这不是见证人认识的那个日志：公钥不同。"))
            }
            (Some(known), _) => Ok(known),
            (None, Some(typed)) => {
                fs::create_dir_all(self.folder).map_err(failed(self.folder))?;
                let path = self.folder.join("log-key");
                fs::write(&path, format!("{typed}\n")).map_err(failed(&path))?;
                Ok(typed)
            }
            (None, None) => Err(Said::failed(
                "见证人还不认识这个日志：请用 --log-key 给出它的公钥（luodi audit key）。",
            )),
        }
    }

    /// The checkpoint signed last.
    fn last(&self, log: &Verifier) -> Result<Option<Checkpoint>, Said> {
        let path = self.folder.join("seen");
        match fs::read_to_string(&path) {
            Ok(text) => Note::parse(&text)
                .and_then(|note| Checkpoint::open(&note, log))
                .map(Some)
                .map_err(|error| wrong(&error)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(&path)(error)),
        }
    }

    /// The witness's own key, made the first time.
    fn signer(&self) -> Result<Signer, Said> {
        let path = self.folder.join("witness.key");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => self.make_key(&path)?,
            Err(error) => return Err(failed(&path)(error)),
        };
        let bad = || Said::failed(format!("{}：不是见证人的密钥", path.display()));
        let (name, secret) = text.trim().split_once(' ').ok_or_else(bad)?;
        let secret = BASE64.decode(secret).ok().and_then(|it| it.try_into().ok());
        Signer::witness(name, &secret.ok_or_else(bad)?).map_err(|error| wrong(&error))
    }

    fn make_key(&self, path: &Path) -> Result<String, Said> {
        let secret: [u8; 32] = store::random();
        let text = format!("{} {}\n", self.name, BASE64.encode(secret));
        let signer = Signer::witness(self.name, &secret).map_err(|error| wrong(&error))?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(failed(path))?;
        let written = file
            .write_all(text.as_bytes())
            .and_then(|()| file.sync_all());
        written.map_err(failed(path))?;
        let public = self.folder.join("witness.pub");
        fs::write(&public, format!("{}\n", signer.verifier())).map_err(failed(&public))?;
        Ok(text)
    }
}
