//! The constants that a policy compares strings with, found by hash. One open-addressing table for each dimension, all
//! in one block; a slot carries what the matcher wants next, so a hit needs no second look-up.
//!
//! ```text
//!   slots   │ model: 2ⁿ slots, at most a quarter full │ team: … │
//!   slot    tag (upper half of the hash) │ start, end in text │ row │ block
//! ```
//! The hash only finds the slot: the whole string decides.

use crate::base::hash;
use crate::policy::program::probe::index_of;

/// The row of an empty slot.
const EMPTY: u32 = u32::MAX;

/// All tables of a program.
#[derive(Clone, Debug, Default)]
pub(super) struct Interner {
    slots: Vec<Slot>,
    /// Bytes, not a string: cutting a string apart checks both ends for character boundaries.
    text: Vec<u8>,
}

/// One table: where it begins and its size less one, a power of two.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table {
    base: u32,
    mask: u32,
}

/// What is known about a constant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Known {
    /// Its row of bits.
    pub(super) row: u32,
    /// The block that holds the cases which name it.
    pub(super) block: u32,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    tag: u32,
    start: u32,
    end: u32,
    known: Known,
}

impl Interner {
    /// Adds a table of distinct constants.
    pub(super) fn add(&mut self, constants: &[(&str, Known)]) -> Table {
        let size = constants.len().saturating_mul(4).next_power_of_two();
        let table = Table {
            base: index_of(self.slots.len()),
            mask: index_of(size.saturating_sub(1)),
        };
        let empty = Slot {
            tag: 0,
            start: 0,
            end: 0,
            known: Known {
                row: EMPTY,
                block: 0,
            },
        };
        self.slots
            .resize(self.slots.len().saturating_add(size), empty);
        for &(value, known) in constants {
            let start = index_of(self.text.len());
            self.text.extend_from_slice(value.as_bytes());
            let end = index_of(self.text.len());
            let (tag, mut at) = split(hash_of(value));
            while let Some(slot) = self.slots.get_mut(table.slot(at)) {
                if slot.known.row == EMPTY {
                    *slot = Slot {
                        tag,
                        start,
                        end,
                        known,
                    };
                    break;
                }
                at = at.wrapping_add(1);
            }
        }
        table
    }

    /// Finds `value`, if the policy names it. Most of the table is empty, so the walk ends, mostly at once.
    #[inline]
    pub(super) fn find(&self, table: Table, value: &str) -> Option<Known> {
        let (tag, mut at) = split(hash_of(value));
        loop {
            let slot = self.slots.get(table.slot(at))?;
            if slot.known.row == EMPTY {
                return None;
            }
            if slot.tag == tag
                && self.text.get(slot.start as usize..slot.end as usize) == Some(value.as_bytes())
            {
                return Some(slot.known);
            }
            at = at.wrapping_add(1);
        }
    }

    /// Bytes of the tables.
    pub(super) fn size_bytes(&self) -> usize {
        size_of_val(self.slots.as_slice()).saturating_add(self.text.len())
    }
}

impl Table {
    #[inline]
    const fn slot(self, at: u32) -> usize {
        self.base as usize + (at & self.mask) as usize
    }
}

fn hash_of(value: &str) -> u64 {
    hash::of_bytes(0, value.as_bytes())
}

/// Tag and first slot: different bits of the hash.
#[expect(clippy::cast_possible_truncation, reason = "the two halves are wanted")]
const fn split(hash: u64) -> (u32, u32) {
    ((hash >> 32) as u32, hash as u32)
}

#[cfg(test)]
mod tests {
    use super::Interner;
    use super::Known;

    #[test]
    fn finds_what_was_added_and_nothing_else() {
        let names: Vec<String> = (0..5_000).map(|n| format!("model-{n}")).collect();
        let constants: Vec<(&str, Known)> = names
            .iter()
            .zip(0..)
            .map(|(name, row)| (name.as_str(), Known { row, block: 7 }))
            .collect();
        let mut interner = Interner::default();
        let other = interner.add(&[("model-1", Known { row: 9, block: 0 })]);
        let table = interner.add(&constants);
        let none = interner.add(&[]);
        for (name, known) in &constants {
            assert_eq!(interner.find(table, name), Some(*known));
            assert_eq!(interner.find(none, name), None);
        }
        for n in 5_000..50_000 {
            assert_eq!(interner.find(table, &format!("model-{n}")), None);
        }
        assert_eq!(interner.find(table, ""), None);
        assert_eq!(
            interner.find(other, "model-1").map(|known| known.row),
            Some(9)
        );
        assert_eq!(interner.find(other, "model-2"), None);
    }

    #[test]
    fn slots_that_collide_are_told_apart_by_the_string() {
        // 64 constants in 256 slots: of 400 look-ups about a hundred meet a taken slot.
        let names: Vec<String> = (0..64).map(|n| n.to_string()).collect();
        let constants: Vec<(&str, Known)> = names
            .iter()
            .zip(0..)
            .map(|(name, row)| (name.as_str(), Known { row, block: 0 }))
            .collect();
        let mut interner = Interner::default();
        let table = interner.add(&constants);
        for n in 0..400_u32 {
            let found = interner.find(table, &n.to_string()).map(|known| known.row);
            assert_eq!(found, (n < 64).then_some(n));
        }
    }
}
