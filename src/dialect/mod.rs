//! Layer 2: the formats that clients and providers speak.
//!
//! * `route` says what a client asks for.
//! * [`mod@format`] says which format a provider is asked in. Where it is the client's, bytes pass untouched.
//! * [`turn`] is what all formats say, in none of their words; [`loss`] what is lost between two of them; [`ids`] keeps
//!   calls and results together.
//! * `chat`, [`responses`], [`messages`], [`gemini`], [`converse`] and `cohere` each read and write one format.
//! * [`openai`] is what the gateway must know of an OpenAI-like provider whose bytes it passes.
//!
//! Nothing here touches a socket.

#[cfg(test)]
mod recorded;
mod route;

pub mod claude;
pub mod codec;
pub mod converse;
pub mod embeddings;
pub mod format;
pub mod gemini;
pub mod ids;
pub mod loss;
pub mod messages;
pub mod openai;
pub mod responses;
pub mod turn;

pub use self::route::{ClientRoute, Operation, client_route, is_model};
