//! The words of the language as lists, for whoever colours a text.

use crate::base::Outcome;
use crate::policy::editor::context::{block_of, inner_block};
use crate::policy::facts::Caps;
use crate::policy::kinds::KINDS;
use crate::policy::schema::{Block, TOP};
use crate::policy::trial::Staged;

/// Every block that a policy can open.
pub(in crate::policy) fn blocks() -> Vec<&'static Block> {
    let mut all: Vec<&'static Block> = TOP
        .iter()
        .filter_map(|entry| block_of(entry.word))
        .collect();
    let mut next = 0;
    while let Some(block) = all.get(next).copied() {
        let inner = block
            .rows
            .iter()
            .filter_map(|row| inner_block(block, row.word));
        for inner in inner.collect::<Vec<_>>() {
            if !all.iter().any(|known| std::ptr::eq(*known, inner)) {
                all.push(inner);
            }
        }
        next += 1;
    }
    all
}

/// The words that values are made of: kinds of provider, outcomes, what models can do, states.
pub(in crate::policy) fn values() -> Vec<&'static str> {
    let kinds = KINDS.iter().map(|kind| kind.word);
    let outcomes = Outcome::ALL.iter().map(|outcome| outcome.as_str());
    let caps = Caps::WORDS.iter().map(|(word, _)| *word);
    let states = Staged::ALL.iter().map(|state| state.as_str());
    kinds.chain(outcomes).chain(caps).chain(states).collect()
}
