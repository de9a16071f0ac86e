//! Checkpoints: how large a log is and what its root is, signed by the log and by who watches it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::note::{Note, NoteError, Signer, Verifier};
use crate::proof::consistent;
use crate::tree::Hash;

/// What a log was at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name.
    pub origin: String,
    /// How many leaves it had.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

impl Checkpoint {
    /// The checkpoint as the text of a note.
    #[must_use]
    pub fn text(&self) -> String {
        format!(
            "{}\n{}\n{}\n",
            self.origin,
            self.size,
            BASE64.encode(self.root)
        )
    }

    /// Signs it.
    #[must_use]
    pub fn signed(&self, log: &Signer) -> Note {
        let mut note = Note {
            text: self.text(),
            signatures: Vec::new(),
        };
        log.sign(&mut note, 0);
        note
    }

    /// Reads a checkpoint whose log's signature fits.
    ///
    /// # Errors
    /// [`NoteError`] where it is none, or not signed by this key.
    pub fn open(note: &Note, log: &Verifier) -> Result<Self, NoteError> {
        log.check(note)?;
        Self::parse(&note.text)
    }

    fn parse(text: &str) -> Result<Self, NoteError> {
        let wrong = NoteError::Malformed;
        let mut lines = text.lines();
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next())
        else {
            return Err(wrong("a checkpoint has three lines"));
        };
        let digits = size.bytes().all(|byte| byte.is_ascii_digit());
        let plain = digits && (size == "0" || !size.starts_with('0'));
        let root = BASE64
            .decode(root)
            .ok()
            .and_then(|root| root.try_into().ok());
        match (size.parse(), root) {
            (Ok(size), Some(root)) if plain && !origin.is_empty() => Ok(Self {
                origin: origin.to_owned(),
                size,
                root,
            }),
            _ => Err(wrong("a checkpoint has an origin, a size and a root")),
        }
    }
}

/// What a witness remembers, and what it says to a new checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cosigned {
    /// It grew as it should: the note with the witness's signature, to be remembered.
    Yes(Note),
    /// It is not what it was, larger: the older stays the truth.
    Inconsistent,
}

impl Checkpoint {
    /// A witness's answer to the checkpoint in `note`, `seen` being the last one it co-signed: it
    /// signs only what the proof shows to have grown from that.
    ///
    /// # Errors
    /// [`NoteError`] where the note is no checkpoint of this log.
    pub fn cosign(
        mut note: Note,
        log: &Verifier,
        seen: Option<&Checkpoint>,
        proof: &[Hash],
        (witness, seconds): (&Signer, u64),
    ) -> Result<Cosigned, NoteError> {
        let new = Self::open(&note, log)?;
        if let Some(seen) = seen {
            let grew = seen.origin == new.origin
                && consistent((seen.size, &seen.root), (new.size, &new.root), proof);
            if !grew {
                return Ok(Cosigned::Inconsistent);
            }
        }
        witness.sign(&mut note, seconds);
        Ok(Cosigned::Yes(note))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proof::consistency;
    use crate::tree::tests::Plain;

    const ORIGIN: &str = "luodi.example/330300";

    fn checkpoint(tree: &Plain, size: u64) -> Checkpoint {
        Checkpoint {
            origin: ORIGIN.into(),
            size,
            root: tree.root(size),
        }
    }

    #[test]
    fn a_checkpoint_is_read_with_its_log_s_key_only() {
        let log = Signer::log(ORIGIN, &[7; 32]).unwrap();
        let other = Signer::log(ORIGIN, &[8; 32]).unwrap();
        let it = checkpoint(&Plain::of(12), 12);
        let note = it.signed(&log);
        assert_eq!(Checkpoint::open(&note, &log.verifier()), Ok(it));
        assert_eq!(
            Checkpoint::open(&note, &other.verifier()),
            Err(NoteError::Unsigned(ORIGIN.into()))
        );
    }

    #[test]
    fn a_witness_signs_only_what_grew() {
        let log = Signer::log(ORIGIN, &[7; 32]).unwrap();
        let witness = Signer::witness("audit.example", &[9; 32]).unwrap();
        let honest = Plain::of(40);
        let mut forged = Plain::of(40);
        forged.0[3][0] ^= 1;
        let seen = checkpoint(&honest, 20);
        let answer = |tree: &Plain, size: u64, seen: Option<&Checkpoint>| {
            let proof = consistency(tree, seen.map_or(0, |it| it.size.min(size)), size);
            let note = checkpoint(tree, size).signed(&log);
            let who = (&witness, 1_764_000_000);
            Checkpoint::cosign(note, &log.verifier(), seen, &proof.unwrap().unwrap(), who).unwrap()
        };
        let Cosigned::Yes(note) = answer(&honest, 40, Some(&seen)) else {
            panic!("it grew");
        };
        assert_eq!(witness.verifier().check(&note), Ok(Some(1_764_000_000)));
        assert!(matches!(answer(&honest, 40, None), Cosigned::Yes(_)));
        assert!(matches!(answer(&honest, 20, Some(&seen)), Cosigned::Yes(_)));
        assert_eq!(answer(&forged, 40, Some(&seen)), Cosigned::Inconsistent);
        assert_eq!(answer(&honest, 12, Some(&seen)), Cosigned::Inconsistent);
    }

    #[test]
    fn sizes_are_plain_numbers() {
        for text in [
            "a\n012\nAAAA\n",
            "a\n-1\nAAAA\n",
            "a\n1\n",
            "\n1\nAAAA\n",
            "a\n1\nAAAA\n",
        ] {
            assert!(Checkpoint::parse(text).is_err(), "{text:?}");
        }
    }
}
