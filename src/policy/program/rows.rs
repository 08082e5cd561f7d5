//! Rows of bits, stored so that equal parts are stored once.
//!
//! ```text
//!   row      = one u32 for each chunk of bits: which chunk           ids     │ 4 0 0 7 │ 4 1 0 7 │ …
//!   chunk    = 512 bits, one cache line, by its number               chunks  0: all clear │ 1: … │ …
//! ```
//! A policy names each constant in few cases, so the row of a constant differs from the row of any other value in few
//! chunks; sharing makes the tables grow with the text of the policy, not with facts × constants × routes.

use std::collections::BTreeMap;

use crate::policy::program::probe::index_of;

/// Words of a chunk.
pub(super) const CHUNK_WORDS: usize = 8;
/// Bits of a chunk.
pub(super) const CHUNK_BITS: usize = CHUNK_WORDS * 64;
/// The number of the chunk without any bit.
pub(super) const CLEAR: u32 = 0;

/// 512 bits.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
#[repr(align(64))]
pub(super) struct Chunk(pub(super) [u64; CHUNK_WORDS]);

/// A row that is being written, dense.
#[derive(Clone, Debug)]
pub(super) struct Bits(Vec<Chunk>);

/// All rows of a matcher.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    /// Chunk numbers, row after row.
    pub(super) ids: Vec<u32>,
    /// By number.
    pub(super) chunks: Vec<Chunk>,
}

/// Writes [`Rows`].
#[derive(Debug)]
pub(super) struct RowWriter {
    rows: Rows,
    chunk_numbers: BTreeMap<Chunk, u32>,
    row_starts: BTreeMap<Vec<u32>, u32>,
}

impl Chunk {
    fn flip(&mut self, bit: usize) {
        if let Some(word) = self.0.get_mut(bit / 64 % CHUNK_WORDS) {
            *word ^= 1 << (bit % 64);
        }
    }
}

impl Bits {
    /// A row of that many chunks without any bit.
    pub(super) fn clear(chunks: usize) -> Self {
        Self(vec![Chunk::default(); chunks])
    }

    /// Inverts one bit.
    pub(super) fn flip(&mut self, bit: usize) {
        if let Some(chunk) = self.0.get_mut(bit / CHUNK_BITS) {
            chunk.flip(bit);
        }
    }
}

impl RowWriter {
    /// Starts with the clear chunk alone.
    pub(super) fn new() -> Self {
        let mut writer = Self {
            rows: Rows::default(),
            chunk_numbers: BTreeMap::new(),
            row_starts: BTreeMap::new(),
        };
        writer.chunk(Chunk::default());
        writer
    }

    /// Stores a row and gives its start in [`Rows::ids`].
    pub(super) fn row(&mut self, bits: &Bits) -> u32 {
        let ids = bits.0.iter().map(|chunk| self.chunk(*chunk)).collect();
        self.numbers(ids)
    }

    /// Stores the row `bits`, whose start is `base`, with some bits inverted.
    pub(super) fn row_except(&mut self, bits: &Bits, base: u32, flips: &[usize]) -> u32 {
        let start = base as usize;
        let whole = self.rows.ids.get(start..start.saturating_add(bits.0.len()));
        let mut ids = whole.unwrap_or_default().to_vec();
        for of_chunk in flips.chunk_by(|a, b| a / CHUNK_BITS == b / CHUNK_BITS) {
            let Some(at) = of_chunk.first().map(|bit| bit / CHUNK_BITS) else {
                continue;
            };
            let mut chunk = bits.0.get(at).copied().unwrap_or_default();
            for &bit in of_chunk {
                chunk.flip(bit);
            }
            let number = self.chunk(chunk);
            if let Some(id) = ids.get_mut(at) {
                *id = number;
            }
        }
        self.numbers(ids)
    }

    /// The rows, complete.
    pub(super) fn finish(self) -> Rows {
        self.rows
    }

    fn chunk(&mut self, chunk: Chunk) -> u32 {
        let next = index_of(self.rows.chunks.len());
        let number = *self.chunk_numbers.entry(chunk).or_insert(next);
        if number == next {
            self.rows.chunks.push(chunk);
        }
        number
    }

    fn numbers(&mut self, ids: Vec<u32>) -> u32 {
        if let Some(&start) = self.row_starts.get(&ids) {
            return start;
        }
        let start = index_of(self.rows.ids.len());
        self.rows.ids.extend_from_slice(&ids);
        self.row_starts.insert(ids, start);
        start
    }
}
