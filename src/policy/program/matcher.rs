//! The first route that matches, by bit vectors: for each dimension one row of the cases that the request's value does
//! not rule out; the first bit that is set in all rows is the answer.

use std::ops::Range;

use crate::policy::facts::Facts;
use crate::policy::model::FlagFact;
use crate::policy::model::IntFact;
use crate::policy::program::branch::ACCEPT;
use crate::policy::program::branch::Branches;
use crate::policy::program::intern::Interner;
use crate::policy::program::intern::Table;
use crate::policy::program::place;
use crate::policy::program::place::Place;
use crate::policy::program::rows::CHUNK_BITS;
use crate::policy::program::rows::CLEAR;
use crate::policy::program::rows::Chunk;
use crate::policy::program::rows::Rows;

/// Dimensions of a matcher: the row of each is held on the stack while it runs. What a policy reads beyond the 32 most
/// used facts is left to the check of a rule.
pub(super) const DIMENSIONS_MAX: usize = 32;

/// Up to here counting the edges, which needs no step to wait for the one before, is quicker than a binary search.
const COUNTED_MAX: usize = 32;

/// Everything that picks the route.
#[derive(Clone, Debug, Default)]
pub(super) struct Matcher {
    /// In the order in which their rows are combined.
    pub(super) dimensions: Vec<Dimension>,
    /// The strings of the string dimensions.
    pub(super) interner: Interner,
    /// The edges of the number dimensions, ascending within each.
    pub(super) edges: Vec<u64>,
    /// For each class of a number dimension the start of its row.
    pub(super) class_rows: Vec<u32>,
    /// The bits.
    pub(super) rows: Rows,
    /// What a bit stands for.
    pub(super) rules: Vec<Rule>,
    /// The chunks of each block. Block 0 is empty: the value is none that any case is pinned to.
    pub(super) blocks: Vec<Range<u32>>,
    /// The chunks of the cases that belong to no block.
    pub(super) common: Range<u32>,
}

/// One bit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    /// The route.
    pub(super) route: u16,
    /// The condition to ask before the bit counts: [`ACCEPT`] where the rows are exact.
    pub(super) check: u32,
}

/// One fact and the rows of its classes.
#[derive(Clone, Debug)]
pub(super) enum Dimension {
    /// A string.
    String {
        place: Place,
        table: Table,
        /// The row of a string that the policy does not name.
        other: u32,
        /// The row of a missing string.
        missing: u32,
    },
    /// A number: class n lies below edge n.
    Int {
        fact: IntFact,
        edges: Range<u32>,
        /// Where its class rows begin.
        classes: u32,
    },
    /// A flag: the rows of no and yes.
    Flag(FlagFact, [u32; 2]),
    /// A test: the rows of no and yes.
    Test(u32, [u32; 2]),
    /// No fact at all: every case, for a policy that reads nothing.
    Always(u32),
}

impl Matcher {
    /// The first route that matches and is not before `from`, if one does.
    pub(super) fn first(&self, from: u16, facts: &Facts<'_>, branches: &Branches) -> Option<u16> {
        let mut rows = [0_u32; DIMENSIONS_MAX];
        let mut block = 0;
        for (row, dimension) in rows.iter_mut().zip(&self.dimensions) {
            // Constants of all dimensions but the one that the cases are split by have block 0.
            let (of_value, of_block) = self.row_of(dimension, facts, branches);
            *row = of_value;
            block |= of_block;
        }
        let rows = rows.get(..self.dimensions.len())?;
        let own = self.blocks.get(block as usize).cloned().unwrap_or(0..0);
        let first = self.scan(rows, own, from..u16::MAX, facts, branches);
        let bound = first.unwrap_or(u16::MAX);
        self.scan(rows, self.common.clone(), from..bound, facts, branches)
            .or(first)
    }

    /// Bytes of the tables.
    pub(super) fn size_bytes(&self) -> usize {
        [
            size_of_val(self.dimensions.as_slice()),
            self.interner.size_bytes(),
            size_of_val(self.edges.as_slice()),
            size_of_val(self.class_rows.as_slice()),
            size_of_val(self.rows.ids.as_slice()),
            size_of_val(self.rows.chunks.as_slice()),
            size_of_val(self.rules.as_slice()),
            size_of_val(self.blocks.as_slice()),
        ]
        .iter()
        .sum()
    }

    /// The row of the request's value and, in the dimension that the cases are split by, the block.
    #[inline]
    fn row_of(&self, dimension: &Dimension, facts: &Facts<'_>, branches: &Branches) -> (u32, u32) {
        match dimension {
            Dimension::String {
                place,
                table,
                other,
                missing,
            } => match place.read(facts) {
                None => (*missing, 0),
                Some(value) => self
                    .interner
                    .find(*table, value)
                    .map_or((*other, 0), |known| (known.row, known.block)),
            },
            Dimension::Int {
                fact,
                edges,
                classes,
            } => {
                let value = place::int(*fact, facts);
                let edges = self.edges.get(edges.start as usize..edges.end as usize);
                let class = class_of(edges.unwrap_or_default(), value);
                let row = self.class_rows.get((*classes as usize).wrapping_add(class));
                (row.copied().unwrap_or_default(), 0)
            }
            Dimension::Flag(fact, [no, yes]) => {
                (if place::flag(*fact, facts) { *yes } else { *no }, 0)
            }
            Dimension::Test(probe, [no, yes]) => {
                let holds = branches.probes().holds(*probe, facts);
                (if holds { *yes } else { *no }, 0)
            }
            Dimension::Always(row) => (*row, 0),
        }
    }

    /// The first of the routes `wanted` in the chunks `range`.
    #[inline]
    fn scan(
        &self,
        rows: &[u32],
        range: Range<u32>,
        wanted: Range<u16>,
        facts: &Facts<'_>,
        branches: &Branches,
    ) -> Option<u16> {
        for at in range {
            let Some(chunk) = meet(&self.rows, rows, at) else {
                continue;
            };
            for bit in set_bits(chunk) {
                let rule = self.rules.get(at as usize * CHUNK_BITS + bit)?;
                if rule.route >= wanted.end {
                    return None;
                }
                if rule.route < wanted.start {
                    continue;
                }
                if rule.check == ACCEPT || passes(rule.check, facts, branches) {
                    return Some(rule.route);
                }
            }
        }
        None
    }
}

/// Few rules have a check: kept out of the way of those that have none.
#[cold]
#[inline(never)]
fn passes(check: u32, facts: &Facts<'_>, branches: &Branches) -> bool {
    branches.run(check, facts)
}

/// How many of the ascending `edges` the value has reached.
#[inline]
fn class_of(edges: &[u64], value: u64) -> usize {
    if edges.len() <= COUNTED_MAX {
        edges.iter().map(|edge| usize::from(*edge <= value)).sum()
    } else {
        edges.partition_point(|edge| *edge <= value)
    }
}

/// The bits of chunk `at` that all rows have, `None` as soon as one has none.
#[inline]
fn meet(table: &Rows, rows: &[u32], at: u32) -> Option<Chunk> {
    let mut all = Chunk([u64::MAX; 8]);
    for row in rows {
        let id = *table.ids.get((*row as usize).wrapping_add(at as usize))?;
        if id == CLEAR {
            return None;
        }
        let chunk = table.chunks.get(id as usize)?;
        for (word, other) in all.0.iter_mut().zip(chunk.0) {
            *word &= other;
        }
    }
    Some(all)
}

/// The positions of the bits that are set, ascending. Words without any are dropped first, without a branch for each.
#[inline]
fn set_bits(chunk: Chunk) -> impl Iterator<Item = usize> {
    let words = chunk.0.iter().zip(0_u32..);
    let mut filled = words.fold(0_u32, |set, (word, at)| set | u32::from(*word != 0) << at);
    let mut left = 0_u64;
    let mut base = 0;
    std::iter::from_fn(move || {
        if left == 0 {
            if filled == 0 {
                return None;
            }
            let at = filled.trailing_zeros() as usize;
            filled &= filled.wrapping_sub(1);
            left = chunk.0.get(at).copied().unwrap_or_default();
            base = at * 64;
        }
        let bit = left.trailing_zeros() as usize;
        left &= left.wrapping_sub(1);
        Some(base + bit)
    })
}
