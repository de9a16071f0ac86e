//! Signed notes (C2SP `signed-note`): a text with the signatures of one or more, each found by the
//! name and the short hash of its key.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

/// A log's own signature.
const ED25519: u8 = 1;
/// A witness's signature, with its time.
const COSIGNATURE: u8 = 4;
const DASH: &str = "\u{2014} ";

/// Why a text is no signed note, or a key no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It is not shaped like a signed note or a key.
    #[error("{0}")]
    Malformed(&'static str),
    /// No signature of the key is on it.
    #[error("no signature of {0}")]
    Unsigned(String),
    /// The signature of the key does not fit the text.
    #[error("the signature of {0} does not fit the text")]
    Forged(String),
}

/// One signature under a note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The name of who signed.
    pub name: String,
    /// The short hash of the key.
    pub key: [u8; 4],
    /// What follows: 64 bytes of Ed25519, or a time of 8 bytes and those.
    pub bytes: Vec<u8>,
}

/// A text and its signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The text, ending with a line feed.
    pub text: String,
    /// The signatures, in the order they were put on.
    pub signatures: Vec<Signature>,
}

impl Note {
    /// Reads a note.
    ///
    /// # Errors
    /// [`NoteError::Malformed`].
    pub fn parse(whole: &str) -> Result<Self, NoteError> {
        let wrong = NoteError::Malformed;
        let (text, lines) = whole
            .rsplit_once("\n\n")
            .ok_or(wrong("a note has an empty line before its signatures"))?;
        let lines = lines
            .strip_suffix('\n')
            .ok_or(wrong("a note ends with a line feed"))?;
        let signatures = lines.split('\n').map(|line| {
            let (name, rest) = line
                .strip_prefix(DASH)
                .and_then(|line| line.split_once(' '))
                .ok_or(wrong("a signature is a dash, a name and base64"))?;
            let bytes = BASE64
                .decode(rest)
                .map_err(|_| wrong("a signature is base64"))?;
            let (key, bytes) = bytes.split_first_chunk::<4>().ok_or(wrong(
                "a signature begins with four bytes of its key's hash",
            ))?;
            Ok(Signature {
                name: name.to_owned(),
                key: *key,
                bytes: bytes.to_vec(),
            })
        });
        Ok(Self {
            text: format!("{text}\n"),
            signatures: signatures.collect::<Result<_, _>>()?,
        })
    }
}

impl std::fmt::Display for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}", self.text)?;
        for signature in &self.signatures {
            let bytes = [signature.key.as_slice(), &signature.bytes].concat();
            writeln!(f, "{DASH}{} {}", signature.name, BASE64.encode(bytes))?;
        }
        Ok(())
    }
}

fn key_hash(name: &str, kind: u8, key: &VerifyingKey) -> [u8; 4] {
    let mut hash = Sha256::new();
    hash.update(name);
    hash.update([b'\n', kind]);
    hash.update(key.as_bytes());
    let digest: [u8; 32] = hash.finalize().into();
    let [a, b, c, d, ..] = digest;
    [a, b, c, d]
}

/// Names stand in lines of notes and keys, where space and plus mean something.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name
            .chars()
            .any(|c| c.is_whitespace() || c == '+' || c.is_control())
}

/// The key of a log or a witness that signs.
#[derive(Clone)]
pub struct Signer {
    name: String,
    key: SigningKey,
    kind: u8,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signer({})", self.name)
    }
}

impl Signer {
    /// The key of a log, from 32 secret bytes.
    ///
    /// # Errors
    /// [`NoteError::Malformed`] for a name with spaces or a plus.
    pub fn log(name: &str, secret: &[u8; 32]) -> Result<Self, NoteError> {
        Self::new(name, secret, ED25519)
    }

    /// The key of a witness, from 32 secret bytes.
    ///
    /// # Errors
    /// As [`Signer::log`].
    pub fn witness(name: &str, secret: &[u8; 32]) -> Result<Self, NoteError> {
        Self::new(name, secret, COSIGNATURE)
    }

    fn new(name: &str, secret: &[u8; 32], kind: u8) -> Result<Self, NoteError> {
        if !is_name(name) {
            return Err(NoteError::Malformed("a name has no space and no plus"));
        }
        Ok(Self {
            name: name.to_owned(),
            key: SigningKey::from_bytes(secret),
            kind,
        })
    }

    /// The key by which others check.
    #[must_use]
    pub fn verifier(&self) -> Verifier {
        Verifier {
            name: self.name.clone(),
            key: self.key.verifying_key(),
            kind: self.kind,
        }
    }

    /// Puts a signature on a note; a witness says when, in seconds since 1970.
    pub fn sign(&self, note: &mut Note, seconds: u64) {
        let bytes = match self.kind {
            COSIGNATURE => {
                let signed = cosigned(&note.text, seconds);
                let signature = self.key.sign(signed.as_bytes()).to_bytes();
                [seconds.to_be_bytes().as_slice(), &signature].concat()
            }
            _ => self.key.sign(note.text.as_bytes()).to_bytes().to_vec(),
        };
        note.signatures.push(Signature {
            name: self.name.clone(),
            key: key_hash(&self.name, self.kind, &self.key.verifying_key()),
            bytes,
        });
    }
}

/// What a witness signs: the time and the text.
fn cosigned(text: &str, seconds: u64) -> String {
    format!("cosignature/v1\ntime {seconds}\n{text}")
}

/// The public key of a log or a witness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verifier {
    name: String,
    key: VerifyingKey,
    kind: u8,
}

impl Verifier {
    /// Who signs with it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Reads a key as it is passed on: `name+hash+base64`.
    ///
    /// # Errors
    /// [`NoteError::Malformed`].
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let wrong = NoteError::Malformed;
        let mut parts = text.trim().splitn(3, '+');
        let (Some(name), Some(hash), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(wrong(
                "a key is a name, a short hash and base64, joined by plus",
            ));
        };
        let bytes = BASE64.decode(key).map_err(|_| wrong("a key is base64"))?;
        let (kind, key) = bytes
            .split_first()
            .ok_or(wrong("a key has its kind first"))?;
        let key: [u8; 32] = key.try_into().map_err(|_| wrong("a key has 32 bytes"))?;
        let key = VerifyingKey::from_bytes(&key).map_err(|_| wrong("a key is a point"))?;
        if !is_name(name) || !matches!(*kind, ED25519 | COSIGNATURE) {
            return Err(wrong("a key is that of a log or a witness"));
        }
        let verifier = Self {
            name: name.to_owned(),
            key,
            kind: *kind,
        };
        if hash != hex(&verifier.hash()) {
            return Err(wrong("the short hash is not that of the key"));
        }
        Ok(verifier)
    }

    fn hash(&self) -> [u8; 4] {
        key_hash(&self.name, self.kind, &self.key)
    }

    /// Checks this key's signature on a note. Gives the time a witness signed at.
    ///
    /// # Errors
    /// [`NoteError::Unsigned`] or [`NoteError::Forged`].
    pub fn check(&self, note: &Note) -> Result<Option<u64>, NoteError> {
        let hash = self.hash();
        let mine = |one: &&Signature| one.name == self.name && one.key == hash;
        let found = note.signatures.iter().find(mine);
        let found = found.ok_or_else(|| NoteError::Unsigned(self.name.clone()))?;
        let forged = || NoteError::Forged(self.name.clone());
        let (time, signature, signed) = match self.kind {
            COSIGNATURE => {
                let (time, rest) = found.bytes.split_first_chunk::<8>().ok_or_else(forged)?;
                let seconds = u64::from_be_bytes(*time);
                (Some(seconds), rest, cosigned(&note.text, seconds))
            }
            _ => (None, found.bytes.as_slice(), note.text.clone()),
        };
        let signature: &[u8; 64] = signature.try_into().map_err(|_| forged())?;
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        self.key
            .verify_strict(signed.as_bytes(), &signature)
            .map_err(|_| forged())?;
        Ok(time)
    }
}

impl std::fmt::Display for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bytes = [[self.kind].as_slice(), self.key.as_bytes()].concat();
        write!(
            f,
            "{}+{}+{}",
            self.name,
            hex(&self.hash()),
            BASE64.encode(bytes)
        )
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn signed() -> (Signer, Signer, Note) {
        let log = Signer::log("luodi.example/330300", &[7; 32]).unwrap();
        let witness = Signer::witness("witness.example", &[9; 32]).unwrap();
        let mut note = Note {
            text: "luodi.example/330300\n3\nAAAA\n".into(),
            signatures: Vec::new(),
        };
        log.sign(&mut note, 0);
        witness.sign(&mut note, 1_764_000_000);
        (log, witness, note)
    }

    #[test]
    fn a_note_is_read_as_it_was_written() {
        let (log, witness, note) = signed();
        let read = Note::parse(&note.to_string()).unwrap();
        assert_eq!(read, note);
        assert_eq!(log.verifier().check(&read), Ok(None));
        assert_eq!(witness.verifier().check(&read), Ok(Some(1_764_000_000)));
        for key in [log.verifier(), witness.verifier()] {
            assert_eq!(Verifier::parse(&key.to_string()), Ok(key));
        }
    }

    /// The example key of the signed-note specification's reference implementation.
    #[test]
    fn a_known_key_is_read() {
        let text = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        let key = Verifier::parse(text).unwrap();
        assert_eq!(
            (key.name(), key.to_string().as_str()),
            ("PeterNeumann", text)
        );
        let note = "If you think cryptography is the answer to your problem,\n\
                    then you don't know what your problem is.\n\n\
                    \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
        assert_eq!(key.check(&Note::parse(note).unwrap()), Ok(None));
    }

    #[test]
    fn malformed_notes_and_keys_are_refused() {
        for text in [
            "",
            "text\n",
            "text\n\n",
            "text\n\n- a b\n",
            "text\n\n\u{2014} a b",
            "text\n\n\u{2014} a !\n",
        ] {
            assert!(
                matches!(Note::parse(text), Err(NoteError::Malformed(_))),
                "{text:?}"
            );
        }
        for text in [
            "",
            "a+b",
            "a+00000000+AQ==",
            "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        ] {
            assert!(
                matches!(Verifier::parse(text), Err(NoteError::Malformed(_))),
                "{text:?}"
            );
        }
        assert!(Signer::log("two words", &[0; 32]).is_err());
    }

    proptest! {
        /// Any bit of a signed note that is flipped is found: it cannot be read, or is not signed.
        #[test]
        fn a_flipped_bit_is_found(place in any::<prop::sample::Index>(), bit in 0..8_u32) {
            let (log, witness, note) = signed();
            let mut bytes = note.to_string().into_bytes();
            let at = place.index(bytes.len());
            bytes[at] ^= 1 << bit;
            let Ok(text) = String::from_utf8(bytes) else { return Ok(()) };
            let Ok(read) = Note::parse(&text) else { return Ok(()) };
            let both = log.verifier().check(&read).is_ok() && witness.verifier().check(&read).is_ok();
            prop_assert!(!both || read == note, "{text}");
        }
    }
}
