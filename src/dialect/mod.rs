//! Layer 2: provider formats. This release speaks the OpenAI format on both sides.
//!
//! `route` says what a client asks for; [`openai`] what its bytes and a provider's mean. Neither touches a socket.

mod route;

pub mod openai;

pub use self::route::{ClientRoute, Operation, client_route, is_model};
