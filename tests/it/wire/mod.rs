//! Tests of `switchover::wire`. Cases are data in `tests/corpus/wire`; every one is read whole, cut at every byte and
//! byte by byte, with one outcome.

mod corpus;
mod heads;
