//! What the gateway itself refuses, without asking a provider, and how it says so.

use std::borrow::Cow;

use crate::dialect::openai::error::{ClientError, INVALID, SERVER, TIMEOUT};

/// A reason not to serve a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// The bytes are no HTTP request.
    BadRequest,
    /// The body is no JSON object.
    BadJson,
    /// The body has no `model`, or it is not a string.
    ModelMissing,
    /// The head is over its bounds.
    HeadTooLarge,
    /// The request line is over its bound.
    TargetTooLong,
    /// The body is over `body_max`.
    BodyTooLarge,
    /// The body is compressed.
    EncodedBody,
    /// The client took too long to send its request.
    RequestTimeout,
    /// Nothing is served at this path; the sentence helps.
    UnknownPath(&'static str),
    /// No such model in the list of models.
    UnknownModel,
    /// The path is served, but not with this method.
    MethodNotAllowed,
    /// No target may serve this request, now or later.
    NoRoute,
    /// Every target is out of service for the moment.
    AllUnavailable,
    /// The request's deadline passed.
    Deadline,
    /// The gateway has as much to do as it may.
    Overloaded,
    /// The process is about to end, and its patience with what is under way is over.
    Draining,
    /// A mistake of the gateway's own.
    Internal,
}

impl Refusal {
    /// The error that tells it.
    pub fn error(self) -> ClientError<'static> {
        let (status, kind, code) = self.class();
        let mut error = ClientError::new(status, kind, code, self.sentence());
        if self == Self::ModelMissing {
            error.param = Some(Cow::Borrowed("model"));
        }
        error
    }

    const fn class(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::BadRequest => (400, INVALID, "bad_request"),
            Self::BadJson => (400, INVALID, "invalid_json"),
            Self::ModelMissing => (400, INVALID, "missing_model"),
            Self::HeadTooLarge => (431, INVALID, "headers_too_large"),
            Self::TargetTooLong => (414, INVALID, "uri_too_long"),
            Self::BodyTooLarge => (413, INVALID, "body_too_large"),
            Self::EncodedBody => (415, INVALID, "unsupported_content_encoding"),
            Self::RequestTimeout => (408, INVALID, "request_timeout"),
            Self::UnknownPath(_) => (404, INVALID, "unknown_path"),
            Self::UnknownModel => (404, INVALID, "model_not_found"),
            Self::MethodNotAllowed => (405, INVALID, "method_not_allowed"),
            Self::NoRoute => (404, INVALID, "no_route"),
            Self::AllUnavailable => (503, SERVER, "no_target_available"),
            Self::Deadline => (504, TIMEOUT, "deadline_exceeded"),
            Self::Overloaded => (503, SERVER, "overloaded"),
            Self::Draining => (503, SERVER, "draining"),
            Self::Internal => (500, SERVER, "internal_error"),
        }
    }

    const fn sentence(self) -> &'static str {
        match self {
            Self::BadRequest => "the request is not valid HTTP",
            Self::BadJson => "the body must be a JSON object",
            Self::ModelMissing => "the body must name a `model`, as a string",
            Self::HeadTooLarge => "the request's header fields are too large",
            Self::TargetTooLong => "the request's path is too long",
            Self::BodyTooLarge => "the body is larger than this gateway accepts",
            Self::EncodedBody => {
                "the body must not be compressed: send it without `content-encoding`"
            }
            Self::RequestTimeout => "the request did not arrive in time",
            Self::UnknownPath(hint) => hint,
            Self::UnknownModel => "there is no such model; `GET /v1/models` lists them",
            Self::MethodNotAllowed => "this path does not take this method; see the `allow` field",
            Self::NoRoute => "no target may serve this request",
            Self::AllUnavailable => "no target is available now; try again later",
            Self::Deadline => "no target answered before the request's deadline",
            Self::Overloaded => "the gateway is overloaded; try again later",
            Self::Draining => "the gateway is about to end; try again",
            Self::Internal => "the gateway made a mistake",
        }
    }
}
