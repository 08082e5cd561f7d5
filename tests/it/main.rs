//! Every integration test in one binary: one `mod` per topic. `cfg(test)` tells clippy that a topic is all test, its
//! free functions included.

#[cfg(test)]
mod wire;
