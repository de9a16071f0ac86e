//! The file itself: a tar archive whose last entry is the hash of every byte before it.
//!
//! Deliberately lacks what the entries mean.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom, Write};

use sha2::{Digest, Sha256};

use super::manifest::hex;

/// Size of a block of tar.
const BLOCK: usize = 512;
/// The last entry: header, hash, and two empty blocks that end the archive.
pub(super) const TAIL: usize = 4 * BLOCK;
/// Name of the last entry.
const SUM: &str = "sha256";
/// Begins the name of the first entry.
const MARK: &str = "luodi-backup-";
/// The form this program writes and reads.
pub(super) const FORM: &str = "1";

/// A header that says nothing but name and size, so that the same content gives the same bytes.
fn header(name: &str, size: u64) -> std::io::Result<tar::Header> {
    let mut header = tar::Header::new_ustar();
    header.set_path(name)?;
    header.set_size(size);
    header.set_mode(0o600);
    header.set_mtime(0);
    header.set_entry_type(tar::EntryType::Regular);
    header.set_cksum();
    Ok(header)
}

/// Hashes what it passes on.
struct Summing<W> {
    inner: W,
    hash: Sha256,
}

impl<W: Write> Write for Summing<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.hash.update(bytes.get(..count).unwrap_or_default());
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

/// An archive that is being written.
pub(super) struct Writer<W: Write> {
    out: Summing<W>,
}

impl<W: Write> Writer<W> {
    pub(super) fn begin(inner: W) -> std::io::Result<Self> {
        let hash = Sha256::new();
        let mut writer = Self {
            out: Summing { inner, hash },
        };
        writer.add(&format!("{MARK}{FORM}"), &[])?;
        Ok(writer)
    }

    /// An archive without its first entry, for files of other forms.
    #[cfg(test)]
    pub(super) fn bare(inner: W) -> Self {
        let hash = Sha256::new();
        Self {
            out: Summing { inner, hash },
        }
    }

    #[cfg(test)]
    pub(super) fn raw(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.out.write_all(bytes)
    }

    /// Writes an entry.
    pub(super) fn add(&mut self, name: &str, bytes: &[u8]) -> std::io::Result<()> {
        self.copy(name, bytes.len() as u64, bytes).map(drop)
    }

    /// Writes an entry from a reader of exactly this size, and gives its SHA-256.
    pub(super) fn copy(
        &mut self,
        name: &str,
        size: u64,
        content: impl Read,
    ) -> std::io::Result<String> {
        self.out.write_all(header(name, size)?.as_bytes())?;
        let mut content = Digesting::new(content.take(size));
        let copied = std::io::copy(&mut content, &mut self.out)?;
        if copied != size {
            return Err(std::io::Error::other(format!("{name} became shorter")));
        }
        let over = size % BLOCK as u64;
        if over > 0 {
            let mut rest = std::io::repeat(0).take(BLOCK as u64 - over);
            std::io::copy(&mut rest, &mut self.out)?;
        }
        Ok(content.sum())
    }

    /// Writes the last entry, and gives the hash in it and what was written to.
    pub(super) fn finish(self) -> std::io::Result<(String, W)> {
        let Summing { mut inner, hash } = self.out;
        let hash = hash.finalize();
        inner.write_all(&tail(&hash)?)?;
        inner.flush()?;
        Ok((hex(&hash), inner))
    }
}

/// The end of an archive whose bytes before it have this hash.
fn tail(hash: &[u8]) -> std::io::Result<Vec<u8>> {
    let text = format!("{}\n", hex(hash));
    let mut tail = header(SUM, text.len() as u64)?.as_bytes().to_vec();
    tail.extend(text.as_bytes());
    tail.resize(TAIL, 0);
    Ok(tail)
}

/// Hashes what is read through it.
pub(super) struct Digesting<R> {
    inner: R,
    hash: Sha256,
}

impl<R: Read> Digesting<R> {
    pub(super) fn new(inner: R) -> Self {
        let hash = Sha256::new();
        Self { inner, hash }
    }

    pub(super) fn sum(self) -> String {
        hex(&self.hash.finalize())
    }
}

impl<R: Read> Read for Digesting<R> {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(bytes)?;
        self.hash.update(bytes.get(..count).unwrap_or_default());
        Ok(count)
    }
}

/// What a file is, by its first and last bytes and the hash of all others.
pub(super) enum Kind {
    /// Not written by this program.
    Foreign,
    /// Of a form this program does not know.
    Newer,
    /// Not as it was written.
    Damaged,
    /// Every byte is as it was written.
    Whole,
}

/// Reads a whole file and says what it is.
pub(super) fn inspect(file: &mut File) -> std::io::Result<Kind> {
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(0))?;
    let mut first = [0; BLOCK];
    let begins = file.read_exact(&mut first).is_ok();
    let name = first.split(|byte| *byte == 0).next().unwrap_or_default();
    let Some(form) = name.strip_prefix(MARK.as_bytes()).filter(|_| begins) else {
        return Ok(Kind::Foreign);
    };
    let Some(rest) = length.checked_sub(TAIL as u64) else {
        return Ok(Kind::Damaged);
    };
    file.seek(SeekFrom::Start(0))?;
    let mut before = Digesting::new(BufReader::with_capacity(1 << 20, &mut *file).take(rest));
    std::io::copy(&mut before, &mut std::io::sink())?;
    let wanted = tail(&before.hash.finalize())?;
    file.seek(SeekFrom::Start(rest))?;
    let mut found = Vec::new();
    file.take(TAIL as u64 + 1).read_to_end(&mut found)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(match (found == wanted, form == FORM.as_bytes()) {
        (false, _) => Kind::Damaged,
        (true, false) => Kind::Newer,
        (true, true) => Kind::Whole,
    })
}
