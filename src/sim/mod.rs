//! Layer 4: the world in a box.
//!
//! `provider` is a provider without a network: what it would send, when, and how it would fail. A server only has to
//! write its bytes; a simulation only has to count them. `world` is everything around the gateway — clients, providers,
//! the network, the clock — from one seed. `trial` runs the tests of a policy, `proof` decides what it wants proved, `compare` tells two
//! plans apart, `replay` makes recorded decisions again, `rehearsal` runs a policy's drills: the engine alone under load, for hours of
//! virtual time in seconds.

pub mod compare;
pub mod proof;
pub mod provider;
pub mod rehearsal;
pub mod replay;
mod request;
pub mod trial;
mod watch;
pub mod world;
