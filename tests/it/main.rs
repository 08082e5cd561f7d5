//! All integration tests, in one binary: one module per topic. `cfg(test)` tells clippy that the functions beside the
//! tests are tests too, so that they may unwrap and index.

#[cfg(test)]
mod catalogue;
#[cfg(test)]
mod checking;
#[cfg(test)]
mod comparing;
#[cfg(test)]
#[path = "../support/decoders.rs"]
mod decoders;
#[cfg(test)]
mod demo;
#[cfg(test)]
#[path = "../support/desk.rs"]
mod desk;
#[cfg(test)]
mod diagnostics;
#[cfg(test)]
mod dialects;
#[cfg(test)]
mod docs;
#[cfg(test)]
mod drawing;
#[cfg(test)]
mod drills;
#[cfg(test)]
mod exchange;
#[cfg(test)]
mod explaining;
#[cfg(test)]
mod formatting;
#[cfg(test)]
mod gateway;
#[cfg(test)]
mod hedging;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod lsp;
#[cfg(test)]
mod monitoring;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod policies;
#[cfg(test)]
mod program;
#[cfg(test)]
mod proving;
#[cfg(test)]
mod shadowing;
#[cfg(test)]
mod sim;
#[cfg(test)]
#[path = "../support/mod.rs"]
mod support;
#[cfg(test)]
mod tidy;
#[cfg(test)]
mod trials;
#[cfg(test)]
mod wire;
