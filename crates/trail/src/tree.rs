//! The tree: hashes of leaves and nodes, its root at any size, and the frontier by which it grows.

use sha2::{Digest, Sha256};

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// The hash of a leaf: SHA-256 over a zero byte and its content.
#[must_use]
pub fn leaf(content: &[u8]) -> Hash {
    let mut hash = Sha256::new();
    hash.update([0]);
    hash.update(content);
    hash.finalize().into()
}

/// The hash of a node: SHA-256 over a one byte and the hashes of its two children.
#[must_use]
pub fn parent(left: &Hash, right: &Hash) -> Hash {
    let mut hash = Sha256::new();
    hash.update([1]);
    hash.update(left);
    hash.update(right);
    hash.finalize().into()
}

/// The root of a tree without leaves: SHA-256 over nothing.
pub(crate) fn empty() -> Hash {
    Sha256::digest([]).into()
}

/// Where the hashes of whole subtrees come from.
pub trait Nodes {
    /// What may go wrong on the way.
    type Error;

    /// The hash over the 2^`height` leaves from `index` × 2^`height` on, all of which are there.
    ///
    /// # Errors
    /// Where the hash cannot be had.
    fn node(&self, height: u32, index: u64) -> Result<Hash, Self::Error>;
}

/// The root over the first `size` leaves.
///
/// # Errors
/// Where a hash cannot be had.
pub fn root<N: Nodes>(nodes: &N, size: u64) -> Result<Hash, N::Error> {
    if size == 0 {
        return Ok(empty());
    }
    range(nodes, 0, size)
}

/// The hash over the leaves from `from` up to `to`, a range as the tree splits it.
pub(crate) fn range<N: Nodes>(nodes: &N, from: u64, to: u64) -> Result<Hash, N::Error> {
    let count = to - from;
    if count.is_power_of_two() {
        let height = count.trailing_zeros();
        return nodes.node(height, from >> height);
    }
    let middle = from + left_count(count);
    Ok(parent(
        &range(nodes, from, middle)?,
        &range(nodes, middle, to)?,
    ))
}

/// How many of `count` leaves stand in the left subtree: the largest power of two below it.
pub(crate) fn left_count(count: u64) -> u64 {
    debug_assert!(count > 1);
    1 << (u64::BITS - 1 - (count - 1).leading_zeros())
}

/// The right edge of a growing tree: the hashes of its whole subtrees, the largest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

impl Frontier {
    /// The edge of the first `size` leaves.
    ///
    /// # Errors
    /// Where a hash cannot be had.
    pub fn at<N: Nodes>(nodes: &N, size: u64) -> Result<Self, N::Error> {
        let mut peaks = Vec::new();
        let mut from = 0;
        for height in (0..u64::BITS)
            .rev()
            .filter(|height| size >> height & 1 == 1)
        {
            peaks.push(nodes.node(height, from >> height)?);
            from += 1 << height;
        }
        Ok(Self { size, peaks })
    }

    /// How many leaves there are.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf by its hash.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                hash = parent(&left, &hash);
            }
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// The root over all leaves so far.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        let Some(last) = peaks.next() else {
            return empty();
        };
        peaks.fold(*last, |right, left| parent(left, &right))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::convert::Infallible;

    use super::*;

    /// A tree by definition, over leaves in memory.
    pub(crate) struct Plain(pub(crate) Vec<Hash>);

    impl Plain {
        pub(crate) fn of(count: u64) -> Self {
            Self((0..count).map(|i| leaf(&i.to_be_bytes())).collect())
        }

        pub(crate) fn root(&self, size: u64) -> Hash {
            by_definition(&self.0[..usize::try_from(size).unwrap()])
        }
    }

    impl Nodes for Plain {
        type Error = Infallible;

        fn node(&self, height: u32, index: u64) -> Result<Hash, Infallible> {
            let from = usize::try_from(index << height).unwrap();
            Ok(by_definition(&self.0[from..from + (1 << height)]))
        }
    }

    /// RFC 6962, 2.1, word by word.
    fn by_definition(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => empty(),
            [one] => *one,
            many => {
                let mut k = 1;
                while k * 2 < many.len() {
                    k *= 2;
                }
                parent(&by_definition(&many[..k]), &by_definition(&many[k..]))
            }
        }
    }

    fn hex(hash: &Hash) -> String {
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The vectors that implementations of RFC 6962 share.
    #[test]
    fn known_roots() {
        assert_eq!(
            hex(&empty()),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(
            hex(&leaf(b"")),
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
        );
        let mut frontier = Frontier::default();
        frontier.push(leaf(b""));
        frontier.push(leaf(&[0]));
        assert_eq!(
            hex(&frontier.root()),
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"
        );
    }

    #[test]
    fn the_frontier_and_the_ranges_give_the_root_by_definition() {
        let plain = Plain::of(300);
        let mut frontier = Frontier::default();
        for size in 0..=300 {
            assert_eq!(frontier.root(), plain.root(size), "{size}");
            assert_eq!(root(&plain, size).unwrap(), plain.root(size), "{size}");
            assert_eq!(Frontier::at(&plain, size).unwrap(), frontier, "{size}");
            if let Some(leaf) = plain.0.get(usize::try_from(size).unwrap()) {
                frontier.push(*leaf);
            }
        }
    }
}
