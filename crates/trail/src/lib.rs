//! What makes the audit log one that nobody can rewrite: a Merkle tree over its events (RFC 6962),
//! proofs that an event is in it and that it only grew, and signed checkpoints of it (C2SP
//! `tlog-checkpoint`, `signed-note`, `tlog-cosignature`) that others can keep.
//!
//! Deliberately lacks storage, clock and randomness: hashes come through [`Nodes`], keys from
//! outside.

mod checkpoint;
mod note;
mod proof;
mod tile;
mod tree;

pub use checkpoint::{Checkpoint, Cosigned};
pub use note::{Note, NoteError, Signature, Signer, Verifier};
pub use proof::{consistency, consistent, included, inclusion};
pub use tile::{Appender, TILE, Tile, TileId, Tiles};
pub use tree::{Frontier, Hash, Nodes, leaf, parent, root};
