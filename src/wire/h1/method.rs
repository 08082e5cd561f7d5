//! Request methods (RFC 9110 section 9). Names only: which are served where is for the routes.

use crate::wire::Extent;

/// A request method.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Method {
    /// `GET`
    Get,
    /// `HEAD`: as `GET`, but the answer has no body.
    Head,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `DELETE`
    Delete,
    /// `OPTIONS`
    Options,
    /// `PATCH`
    Patch,
    /// Any other token, at this place. `CONNECT` is refused before.
    Extension(Extent),
}

impl Method {
    /// `start` is where it begins in the head. `None` for `CONNECT`, which asks for a tunnel.
    pub(super) fn of(method: &[u8], start: usize) -> Option<Self> {
        Some(match method {
            b"GET" => Self::Get,
            b"HEAD" => Self::Head,
            b"POST" => Self::Post,
            b"PUT" => Self::Put,
            b"DELETE" => Self::Delete,
            b"OPTIONS" => Self::Options,
            b"PATCH" => Self::Patch,
            b"CONNECT" => return None,
            _ => Self::Extension(Extent::new(start, start + method.len())),
        })
    }

    /// The method as it was spelt in `head`.
    pub fn as_str(self, head: &[u8]) -> &str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
            Self::Patch => "PATCH",
            Self::Extension(place) => str::from_utf8(place.of(head)).unwrap_or_default(),
        }
    }
}
