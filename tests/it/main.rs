//! All integration tests, in one binary: one module per topic. `cfg(test)` tells clippy that the functions beside the
//! tests are tests too, so that they may unwrap and index.

#[cfg(test)]
mod program;
#[cfg(test)]
mod wire;
