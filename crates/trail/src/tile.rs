//! Tiles: up to 256 hashes of one height side by side, as they are kept. A tile of level 0 holds
//! hashes of leaves, one of level 1 hashes over 256 leaves each, and so on (C2SP `tlog-tiles`).

use std::collections::BTreeMap;

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

/// Appends leaves at the right edge, and says which tiles are to be kept for it.
#[derive(Clone, Debug, Default)]
pub struct Appender {
    size: u64,
    /// The unfinished tile of each level.
    edge: Vec<Tile>,
    whole: BTreeMap<TileId, Tile>,
}

impl Appender {
    /// Begins at the edge of a tree of `size` leaves.
    ///
    /// # Errors
    /// Where an unfinished tile cannot be had, or is shorter than it must be.
    pub fn at<T: Tiles>(tiles: &T, size: u64) -> Result<Self, T::Error> {
        let mut edge = Vec::new();
        let (mut level, mut count) = (0, size);
        while count > 0 {
            let (index, filled) = (count / TILE as u64, (count % TILE as u64) as usize);
            let id = TileId { level, index };
            let mut tile = match filled {
                0 => Tile::default(),
                _ => tiles.tile(id)?,
            };
            if tile.0.len() < filled {
                return Err(tiles.short(id));
            }
            tile.0.truncate(filled);
            edge.push(tile);
            (level, count) = (level + 1, index);
        }
        Ok(Self {
            size,
            edge,
            whole: BTreeMap::new(),
        })
    }

    /// Appends a leaf by its hash.
    pub fn push(&mut self, leaf: Hash) {
        let (mut hash, mut index) = (leaf, self.size / TILE as u64);
        for level in 0.. {
            if self.edge.len() == level {
                self.edge.push(Tile::default());
            }
            let Some(tile) = self.edge.get_mut(level) else {
                break;
            };
            tile.0.push(hash);
            let Some(above) = tile.over(HEIGHT, 0) else {
                break;
            };
            let whole = std::mem::take(tile);
            // At most nine levels stand above 2^64 leaves.
            let id = TileId {
                level: level as u32,
                index,
            };
            self.whole.insert(id, whole);
            (hash, index) = (above, index / TILE as u64);
        }
        self.size += 1;
    }

    /// How many leaves there are.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Gives out the tiles finished so far, and forgets them.
    pub fn finished(&mut self) -> BTreeMap<TileId, Tile> {
        std::mem::take(&mut self.whole)
    }

    /// The tiles that were finished or begun.
    pub fn changed(&self) -> impl Iterator<Item = (TileId, &Tile)> {
        let begun = self
            .edge
            .iter()
            .enumerate()
            .filter(|(_, tile)| !tile.0.is_empty());
        let begun = begun.map(|(level, tile)| {
            let level = level as u32;
            let index = (self.size >> (HEIGHT * level)) / TILE as u64;
            (TileId { level, index }, tile)
        });
        self.whole.iter().map(|(id, tile)| (*id, tile)).chain(begun)
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

    /// However the leaves come, in one go or a few at a time, the tiles are those of the whole.
    #[test]
    fn what_is_appended_is_what_there_would_be() {
        let plain = Plain::of(66_000);
        for steps in [&[66_000][..], &[1, 254, 1, 1, 255, 512, 0, 64_512, 464]] {
            let mut tiles = Kept(HashMap::new());
            let mut size = 0_usize;
            for step in steps {
                let mut appender = Appender::at(&tiles, size as u64).unwrap();
                for leaf in &plain.0[size..size + step] {
                    appender.push(*leaf);
                }
                size += step;
                assert_eq!(appender.size(), size as u64);
                for (id, tile) in appender.changed() {
                    tiles.0.insert(id, tile.clone());
                }
            }
            assert_eq!(size, 66_000);
            assert_eq!(tiles.0, kept(&plain.0).0);
        }
        let none = Kept(HashMap::new());
        let short = TileId { level: 0, index: 0 };
        assert_eq!(Appender::at(&none, 3).err(), Some(short));
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
