//! Proofs: that a leaf is in a tree, and that a tree is the start of a larger one (RFC 6962, 2.1.1
//! and 2.1.2; checked as in RFC 9162, 2.1.3.2 and 2.1.4.2).

use crate::tree::{Hash, Nodes, left_count, parent, range};

/// The hashes that lead from leaf `index` to the root over `size` leaves; none where the leaf is
/// not among them.
///
/// # Errors
/// Where a hash cannot be had.
pub fn inclusion<N: Nodes>(
    nodes: &N,
    index: u64,
    size: u64,
) -> Result<Option<Vec<Hash>>, N::Error> {
    if index >= size {
        return Ok(None);
    }
    let (mut from, mut to) = (0, size);
    let mut proof = Vec::new();
    while to - from > 1 {
        let middle = from + left_count(to - from);
        if index < middle {
            proof.push(range(nodes, middle, to)?);
            to = middle;
        } else {
            proof.push(range(nodes, from, middle)?);
            from = middle;
        }
    }
    proof.reverse();
    Ok(Some(proof))
}

/// Whether `proof` leads from this leaf to this root.
#[must_use]
pub fn included(leaf: &Hash, index: u64, size: u64, proof: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut place, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in proof {
        if last == 0 {
            return false;
        }
        if place & 1 == 1 || place == last {
            hash = parent(sibling, &hash);
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            hash = parent(&hash, sibling);
        }
        place >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// The hashes that show the tree of `old` leaves as the start of that of `new` leaves; none where
/// `old` is larger.
///
/// # Errors
/// Where a hash cannot be had.
pub fn consistency<N: Nodes>(nodes: &N, old: u64, new: u64) -> Result<Option<Vec<Hash>>, N::Error> {
    if old > new {
        return Ok(None);
    }
    if old == 0 || old == new {
        return Ok(Some(Vec::new()));
    }
    let (mut from, mut to) = (0, new);
    let mut proof = Vec::new();
    // The old tree may end with a whole subtree of the new one, which its own root then is.
    let mut is_old_root = true;
    while to != old {
        let middle = from + left_count(to - from);
        if old <= middle {
            proof.push(range(nodes, middle, to)?);
            to = middle;
        } else {
            proof.push(range(nodes, from, middle)?);
            from = middle;
            is_old_root = false;
        }
    }
    if !is_old_root {
        proof.push(range(nodes, from, to)?);
    }
    proof.reverse();
    Ok(Some(proof))
}

/// Whether `proof` shows that the tree with `new_root` begins with that of `old_root`.
#[must_use]
pub fn consistent(
    (old, old_root): (u64, &Hash),
    (new, new_root): (u64, &Hash),
    proof: &[Hash],
) -> bool {
    if old > new {
        return false;
    }
    if old == new {
        return proof.is_empty() && old_root == new_root;
    }
    if old == 0 {
        return proof.is_empty() && *old_root == crate::tree::empty();
    }
    let whole = old.is_power_of_two();
    let mut rest = proof.iter();
    let first = if whole { Some(old_root) } else { rest.next() };
    let Some(first) = first else { return false };
    let (mut place, mut last) = (old - 1, new - 1);
    while place & 1 == 1 {
        place >>= 1;
        last >>= 1;
    }
    let (mut of_old, mut of_new) = (*first, *first);
    for sibling in rest {
        if last == 0 {
            return false;
        }
        if place & 1 == 1 || place == last {
            of_old = parent(sibling, &of_old);
            of_new = parent(sibling, &of_new);
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            of_new = parent(&of_new, sibling);
        }
        place >>= 1;
        last >>= 1;
    }
    last == 0 && of_old == *old_root && of_new == *new_root
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tree::tests::Plain;

    #[test]
    fn every_leaf_of_every_small_tree_is_included() {
        let plain = Plain::of(70);
        for size in 1..=70_u64 {
            let root = plain.root(size);
            for index in 0..size {
                let proof = inclusion(&plain, index, size).unwrap().unwrap();
                let leaf = plain.0[usize::try_from(index).unwrap()];
                assert!(
                    included(&leaf, index, size, &proof, &root),
                    "{index}/{size}"
                );
            }
            assert_eq!(inclusion(&plain, size, size).unwrap(), None);
        }
    }

    #[test]
    fn every_small_tree_begins_with_every_smaller_one() {
        let plain = Plain::of(70);
        for new in 0..=70_u64 {
            for old in 0..=new {
                let proof = consistency(&plain, old, new).unwrap().unwrap();
                let (first, second) = (plain.root(old), plain.root(new));
                assert!(
                    consistent((old, &first), (new, &second), &proof),
                    "{old}/{new}"
                );
            }
            assert_eq!(consistency(&plain, new + 1, new).unwrap(), None);
        }
    }

    proptest! {
        /// Nothing but the right proof of the right leaf at the right place leads to the root.
        #[test]
        fn a_proof_with_anything_changed_is_none(
            size in 1..200_u64, index in any::<prop::sample::Index>(),
            other in any::<prop::sample::Index>(), bit in 0..256_usize, longer in any::<bool>(),
        ) {
            let plain = Plain::of(200);
            let count = usize::try_from(size).unwrap();
            let at = index.index(count) as u64;
            let leaf = plain.0[index.index(count)];
            let root = plain.root(size);
            let proof = inclusion(&plain, at, size).unwrap().unwrap();
            let elsewhere = other.index(count) as u64;
            prop_assert_eq!(included(&leaf, elsewhere, size, &proof, &root), elsewhere == at);
            let mut changed = proof.clone();
            if longer || proof.is_empty() {
                changed.push(leaf);
            } else {
                let place = other.index(proof.len());
                changed[place][bit / 8] ^= 1 << (bit % 8);
            }
            prop_assert!(!included(&leaf, at, size, &changed, &root));
            let mut wrong = root;
            wrong[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(!included(&leaf, at, size, &proof, &wrong));
        }

        /// A tree in which an old leaf was changed does not begin with the old tree.
        #[test]
        fn a_rewritten_tree_is_found(
            old in 1..150_u64, more in 0..50_u64, place in any::<prop::sample::Index>(),
        ) {
            let honest = Plain::of(200);
            let mut forged = Plain::of(200);
            forged.0[place.index(usize::try_from(old).unwrap())][0] ^= 1;
            let new = old + more;
            let proof = consistency(&forged, old, new).unwrap().unwrap();
            let (first, second) = (honest.root(old), forged.root(new));
            prop_assert!(!consistent((old, &first), (new, &second), &proof));
            let proof = consistency(&honest, old, new).unwrap().unwrap();
            prop_assert!(!consistent((old, &first), (new, &second), &proof));
        }
    }
}
