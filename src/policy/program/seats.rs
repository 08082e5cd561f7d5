//! Which case sits at which bit of a matcher's rows.
//!
//! Beyond two chunks of bits the cases are split by the string that pins most of them down (usually `req.model`): a
//! request then looks at the block of its own value and at the cases that name no value. Blocks hold the cases of
//! several values, so that they fill a chunk. Within a block bits are in route order.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::policy::program::case::Case;
use crate::policy::program::case::Key;
use crate::policy::program::probe::index_of;
use crate::policy::program::rows::CHUNK_BITS;
use crate::policy::program::set::Set;

/// Up to here one look at all bits is as quick as two looks at parts of them.
const SPLIT_ABOVE_BITS: usize = 2 * CHUNK_BITS;
/// A case that names values of more blocks than this belongs to no block: copies would cost more than they save.
const BLOCKS_PER_CASE_MAX: usize = 4;

/// A case of a route.
#[derive(Debug)]
pub(super) struct Entry<'p> {
    pub(super) route: u16,
    pub(super) case: Case<'p>,
    /// The rows hold exactly where the route's condition does.
    pub(super) exact: bool,
}

/// The string that cases are split by.
pub(super) struct Split<'p> {
    pub(super) key: Key<'p>,
    /// Which block, from 1, holds the cases of a value.
    pub(super) block_of: BTreeMap<&'p str, u32>,
    blocks: usize,
}

impl<'p> Split<'p> {
    /// The string whose split leaves the fewest cases to look at, if any leaves less than half.
    pub(super) fn choose(entries: &[Entry<'p>], keys: &[Key<'p>]) -> Option<Self> {
        if entries.len() <= SPLIT_ABOVE_BITS {
            return None;
        }
        let strings = keys.iter().filter(|key| matches!(key, Key::String(_)));
        let (key, left) = strings
            .map(|key| (*key, left_by(entries, key)))
            .min_by_key(|(_, left)| *left)?;
        (left < entries.len() / 2).then(|| Self::by(key, entries))
    }

    /// Values go to blocks in the order of their first case, each block being filled to one chunk.
    fn by(key: Key<'p>, entries: &[Entry<'p>]) -> Self {
        let counts = counts_of(entries, &key);
        let mut split = Self {
            key,
            block_of: BTreeMap::new(),
            blocks: 0,
        };
        let mut filled = CHUNK_BITS;
        for value in entries
            .iter()
            .filter_map(|entry| pins(entry, &key))
            .flatten()
        {
            if split.block_of.contains_key(value) {
                continue;
            }
            let count = counts.get(value).copied().unwrap_or_default();
            if filled.saturating_add(count) > CHUNK_BITS {
                split.blocks = split.blocks.saturating_add(1);
                filled = 0;
            }
            filled = filled.saturating_add(count);
            split.block_of.insert(value, index_of(split.blocks));
        }
        split
    }

    /// The blocks that a case belongs to; none: it belongs to the common ones.
    fn blocks_of(&self, entry: &Entry<'p>) -> Vec<u32> {
        let values = pins(entry, &self.key).unwrap_or_default();
        let blocks = values.iter().filter_map(|value| self.block_of.get(value));
        let mut blocks: Vec<u32> = blocks.copied().collect();
        blocks.sort_unstable();
        blocks.dedup();
        if blocks.len() > BLOCKS_PER_CASE_MAX {
            blocks.clear();
        }
        blocks
    }
}

/// The values of `key` that a case is pinned to.
fn pins<'e, 'p>(entry: &'e Entry<'p>, key: &Key<'p>) -> Option<&'e [&'p str]> {
    match entry.case.limit(key)? {
        Set::Strings(set) if !set.inverted && !set.missing => Some(&set.values),
        _ => None,
    }
}

fn counts_of<'p>(entries: &[Entry<'p>], key: &Key<'p>) -> BTreeMap<&'p str, usize> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for value in entries
        .iter()
        .filter_map(|entry| pins(entry, key))
        .flatten()
    {
        let count = counts.entry(value).or_default();
        *count = count.saturating_add(1);
    }
    counts
}

/// The cases that a request has to look at, if they are split by `key`: those that are not pinned, and, for a value
/// that comes up as often as it is named, those of its own.
fn left_by(entries: &[Entry<'_>], key: &Key<'_>) -> usize {
    let loose = entries
        .iter()
        .filter(|entry| pins(entry, key).is_none_or(|values| values.len() > BLOCKS_PER_CASE_MAX))
        .count();
    let counts = counts_of(entries, key);
    let named: usize = counts.values().sum();
    let squares: usize = counts.values().map(|n| n.saturating_mul(*n)).sum();
    loose.saturating_add(squares.checked_div(named).unwrap_or(entries.len()))
}

/// Which case sits at which bit.
pub(super) struct Seats {
    /// A whole number of chunks; indices of entries, `None` for padding.
    pub(super) order: Vec<Option<usize>>,
    pub(super) blocks: Vec<Range<u32>>,
    pub(super) common: Range<u32>,
}

impl Seats {
    pub(super) fn assign(entries: &[Entry<'_>], split: Option<&Split<'_>>) -> Self {
        let count = split.map_or(0, |split| split.blocks);
        let mut members = vec![Vec::new(); count.saturating_add(1)];
        for (index, entry) in entries.iter().enumerate() {
            let blocks = split
                .map(|split| split.blocks_of(entry))
                .unwrap_or_default();
            let homes = if blocks.is_empty() { vec![0] } else { blocks };
            for home in homes {
                if let Some(block) = members.get_mut(home as usize) {
                    block.push(Some(index));
                }
            }
        }
        let mut order = Vec::new();
        let mut ranges = members.into_iter().map(|block| {
            let start = order.len() / CHUNK_BITS;
            order.extend(block);
            order.resize(order.len().next_multiple_of(CHUNK_BITS), None);
            index_of(start)..index_of(order.len() / CHUNK_BITS)
        });
        let common = ranges.next().unwrap_or(0..0);
        let blocks = std::iter::once(0..0).chain(ranges).collect();
        Self {
            order,
            blocks,
            common,
        }
    }
}
