//! Tiles: up to 256 hashes of one height side by side, as they are kept. A tile of level 0 holds
//! hashes of leaves, one of level 1 hashes over 256 leaves each, and so on (C2SP `tlog-tiles`).

use crate::tree::{Hash, Nodes, parent};

/// Hashes in a whole tile.
pub const TILE: usize = 256;
/// Heights between two levels of tiles.
const HEIGHT: u32 = 8;

/// Which tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    /// Its level: 0 over leaves.
    pub level: u32,
    /// Its place in the level, from the left.
    pub index: u64,
}

/// Hashes side by side, at most [`TILE`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tile(pub Vec<Hash>);

impl Tile {
    /// The tile as bytes: its hashes one after the other.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.concat()
    }

    /// The tile these bytes are; none where they are not whole hashes or too many.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (hashes, rest) = bytes.as_chunks::<32>();
        (rest.is_empty() && hashes.len() <= TILE).then(|| Self(hashes.to_vec()))
    }

    /// The hash over 2^`height` hashes of the tile from `from` on; none where they are not there.
    fn over(&self, height: u32, from: usize) -> Option<Hash> {
        let mut row = self.0.get(from..from.checked_add(1 << height)?)?.to_vec();
        while row.len() > 1 {
            let (pairs, _) = row.as_chunks::<2>();
            row = pairs
                .iter()
                .map(|[left, right]| parent(left, right))
                .collect();
        }
        row.first().copied()
    }
}

/// Where tiles are kept.
pub trait Tiles {
    /// What may go wrong on the way.
    type Error;

    /// A tile, as far as it is filled.
    ///
    /// # Errors
    /// Where it cannot be had.
    fn tile(&self, id: TileId) -> Result<Tile, Self::Error>;

    /// The error of a hash that its tile does not have.
    fn short(&self, id: TileId) -> Self::Error;
}

impl<T: Tiles> Nodes for T {
    type Error = T::Error;

    fn node(&self, height: u32, index: u64) -> Result<Hash, T::Error> {
        let (level, above) = (height / HEIGHT, height % HEIGHT);
        let first = index << above;
        let id = TileId {
            level,
            index: first / TILE as u64,
        };
        // Below 256, and so within a usize.
        let from = (first % TILE as u64) as usize;
        self.tile(id)?
            .over(above, from)
            .ok_or_else(|| self.short(id))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::tree::tests::Plain;
    use crate::tree::{leaf, root};

    struct Kept(HashMap<TileId, Tile>);

    impl Tiles for Kept {
        type Error = TileId;

        fn tile(&self, id: TileId) -> Result<Tile, TileId> {
            Ok(self.0.get(&id).cloned().unwrap_or_default())
        }

        fn short(&self, id: TileId) -> TileId {
            id
        }
    }

    fn kept(leaves: &[Hash]) -> Kept {
        let mut tiles = HashMap::new();
        let mut row = leaves.to_vec();
        let mut level = 0;
        while !row.is_empty() {
            for (index, chunk) in row.chunks(TILE).enumerate() {
                let id = TileId {
                    level,
                    index: index as u64,
                };
                tiles.insert(id, Tile(chunk.to_vec()));
            }
            let (whole, _) = row.as_chunks::<TILE>();
            row = whole
                .iter()
                .map(|chunk| Tile(chunk.to_vec()).over(HEIGHT, 0).unwrap())
                .collect();
            level += 1;
        }
        Kept(tiles)
    }

    #[test]
    fn tiles_give_the_same_roots() {
        let plain = Plain::of(1_100);
        let tiles = kept(&plain.0);
        for size in [0, 1, 2, 255, 256, 257, 511, 512, 513, 1_024, 1_099, 1_100] {
            assert_eq!(root(&tiles, size).unwrap(), plain.root(size), "{size}");
        }
        let short = TileId { level: 0, index: 4 };
        assert_eq!(root(&tiles, 1_101), Err(short));
    }

    #[test]
    fn bytes_are_whole_hashes() {
        let tile = Tile((0..256_u64).map(|i| leaf(&i.to_be_bytes())).collect());
        assert_eq!(Tile::from_bytes(&tile.to_bytes()), Some(tile.clone()));
        assert_eq!(Tile::from_bytes(&[0; 33]), None);
        assert_eq!(Tile::from_bytes(&[0; 257 * 32]), None);
        assert_eq!(Tile::from_bytes(&[]), Some(Tile::default()));
    }
}
