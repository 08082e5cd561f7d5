//! Layer 2: the formats that clients and providers speak.
//!
//! * `route` says what a client asks for, [`models`] what it may ask.
//! * [`mod@format`] says which format a provider is asked in. Where it is the client's, bytes pass untouched.
//! * [`turn`] is what all formats say, in none of their words; [`loss`] what is lost between two of them; [`ids`] keeps
//!   calls and results together.
//! * [`chat`], [`responses`], [`messages`], [`gemini`], and [`converse`] each read and write one format and know
//!   nothing of each other; [`client`] and [`provider`] choose between them, [`translation`] puts two together.
//! * [`openai`] is what the gateway must know of an OpenAI-like provider whose bytes it passes.
//!
//! Nothing here touches a socket.

mod mark;
mod media;
#[cfg(test)]
mod recorded;
mod route;
mod schema;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod told;
mod usage;

pub mod chat;
pub mod claude;
pub mod client;
pub mod codec;
pub mod cohere;
pub mod converse;
pub mod embeddings;
pub mod format;
pub mod gemini;
pub mod health;
pub mod ids;
pub mod loss;
pub mod messages;
pub mod models;
pub mod openai;
pub mod provider;
pub mod responses;
pub mod translation;
pub mod turn;

pub use self::route::{ClientRoute, Operation, client_route, is_model};
pub use self::usage::usage_of_answer;
