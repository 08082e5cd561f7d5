//! What a provider says where a drill makes it refuse: in the form of the format that it was asked in, so that it means
//! what it would mean.

use crate::dialect::client;
use crate::dialect::format::Format;
use crate::dialect::openai::ClientError;
use crate::policy::drill::{BadKey, Fault};
use crate::wire::eventstream::{self, Kind};
use crate::wire::json::Writer;

/// An answer that nobody generated.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Scripted {
    /// Its status.
    pub status: u16,
    /// Of its body.
    pub content_type: &'static str,
    /// The kind of error that its head names, in formats where heads do (`dialect::provider::error_field`).
    pub error: Option<&'static str>,
    /// All of it.
    pub body: Vec<u8>,
}

/// What comes in place of an answer in `format`; `None` where an answer comes, if late or broken.
pub fn scripted(format: Format, fault: Fault) -> Option<Scripted> {
    let error = match fault {
        Fault::Answer(what) => {
            return Some(Scripted {
                status: 200,
                content_type: if what.body().starts_with(b"<") {
                    "text/html"
                } else {
                    "application/json"
                },
                error: None,
                body: what.body().to_vec(),
            });
        }
        Fault::Status { status, .. } => plain(status),
        Fault::ModelGone => MODEL_GONE,
        Fault::Key(BadKey::Revoked) => KEY_REVOKED,
        Fault::Key(BadKey::NoQuota) => NO_QUOTA,
        Fault::Connect(_)
        | Fault::Latency(_)
        | Fault::Ttft(_)
        | Fault::Gap(_)
        | Fault::Stream(_) => return None,
    };
    let mut body = Vec::new();
    write(format, &error, &mut body);
    Some(Scripted {
        status: error.status,
        content_type: "application/json",
        error: (format == Format::Converse)
            .then(|| exception(&error))
            .flatten(),
        body,
    })
}

/// The event by which a provider ends a stream in `format` with an error of its own.
pub fn error_event(format: Format, out: &mut Vec<u8>) {
    match format {
        Format::Converse => {
            let mut payload = Vec::new();
            write(format, &plain(500), &mut payload);
            eventstream::write(Kind::Exception, "internalServerException", &payload, out);
        }
        Format::Cohere => {
            out.extend_from_slice(b"event: message-end\ndata: ");
            Writer::new(out).object(|it| {
                it.key("type").string("message-end");
                it.key("delta").object(|delta| {
                    delta.key("finish_reason").string("ERROR");
                    delta.key("error").string(SERVER_ERROR);
                });
            });
            out.extend_from_slice(b"\n\n");
        }
        Format::Chat | Format::Responses | Format::Messages | Format::Gemini => {
            client::error_event(format, &plain(500), out);
        }
    }
}

/// The whole answer, with a status that promised better, by which a provider says that it failed after all.
pub fn error_answer(format: Format) -> Vec<u8> {
    let mut body = Vec::new();
    match format {
        Format::Cohere => Writer::new(&mut body).object(|it| {
            it.key("finish_reason").string("ERROR");
            it.key("message").string(SERVER_ERROR);
        }),
        _ => write(format, &plain(500), &mut body),
    }
    body
}

fn write(format: Format, error: &ClientError<'_>, out: &mut Vec<u8>) {
    match format {
        Format::Converse | Format::Cohere => Writer::new(out).object(|it| {
            it.key("message").string(&error.message);
        }),
        Format::Chat | Format::Responses | Format::Messages | Format::Gemini => {
            client::error_body(format, error, "", out);
        }
    }
}

/// An error of which its status says all.
fn plain(status: u16) -> ClientError<'static> {
    let (kind, message) = match status {
        429 => ("requests", "Too many requests."),
        500.. => ("server_error", SERVER_ERROR),
        _ => ("invalid_request_error", "The request is refused."),
    };
    ClientError {
        code: None,
        ..ClientError::new(status, kind, "", message)
    }
}

/// How Bedrock's heads name an error (AWS, *Converse*, Errors).
fn exception(error: &ClientError<'_>) -> Option<&'static str> {
    Some(match error.status {
        400 => "ValidationException",
        401 => "UnrecognizedClientException",
        403 => "AccessDeniedException",
        404 => "ResourceNotFoundException",
        429 if error.code.is_some() => "ServiceQuotaExceededException",
        429 => "ThrottlingException",
        500 => "InternalServerException",
        503 => "ServiceUnavailableException",
        _ => return None,
    })
}

const SERVER_ERROR: &str = "The server had an error.";
const MODEL_GONE: ClientError<'_> = ClientError::new(
    404,
    "invalid_request_error",
    "model_not_found",
    "model: this model does not exist",
);
const KEY_REVOKED: ClientError<'_> = ClientError::new(
    401,
    "invalid_request_error",
    "invalid_api_key",
    "Incorrect API key.",
);
const NO_QUOTA: ClientError<'_> = ClientError::new(
    429,
    "insufficient_quota",
    "insufficient_quota",
    "You exceeded your current quota, please check your plan and billing details.",
);

#[cfg(test)]
mod tests {
    use super::{Scripted, error_answer, error_event, scripted};
    use crate::base::Outcome;
    use crate::dialect::format::Format;
    use crate::dialect::provider::{outcome_of, outcome_of_error};
    use crate::policy::drill::{BadAnswer, BadKey, Fault};
    use crate::policy::model::ProviderKind;
    use crate::wire::eventstream;

    fn kind(format: Format) -> ProviderKind {
        match format {
            Format::Chat | Format::Responses => ProviderKind::OpenAi,
            Format::Messages => ProviderKind::Anthropic,
            Format::Gemini => ProviderKind::Gemini,
            Format::Converse => ProviderKind::Bedrock,
            Format::Cohere => ProviderKind::Cohere,
        }
    }

    fn outcome(format: Format, fault: Fault) -> Outcome {
        let Scripted {
            status,
            error,
            body,
            ..
        } = scripted(format, fault).unwrap();
        outcome_of(
            format,
            kind(format),
            status,
            error.unwrap_or_default(),
            &body,
        )
    }

    #[test]
    fn each_format_says_what_the_fault_means() {
        let status = |status| Fault::Status {
            status,
            retry_after: None,
        };
        let cases = [
            (status(400), Outcome::S4xx),
            (status(429), Outcome::S429),
            (status(500), Outcome::S5xx),
            (status(502), Outcome::S5xx),
            (status(503), Outcome::S5xx),
            (status(529), Outcome::Overloaded),
            (Fault::ModelGone, Outcome::ModelGone),
            (Fault::Key(BadKey::Revoked), Outcome::AuthFailed),
            (Fault::Key(BadKey::NoQuota), Outcome::QuotaExhausted),
            (Fault::Answer(BadAnswer::Malformed), Outcome::BadOutput),
            (Fault::Answer(BadAnswer::Html), Outcome::BadOutput),
            (Fault::Answer(BadAnswer::Empty), Outcome::BadOutput),
        ];
        for format in Format::ALL {
            for (fault, wanted) in cases {
                assert_eq!(outcome(format, fault), wanted, "{format:?}: {fault}");
            }
        }
    }

    #[test]
    fn streams_and_whole_answers_end_in_the_providers_fault() {
        for format in Format::ALL {
            let body = error_answer(format);
            let found = outcome_of(format, kind(format), 200, "", &body);
            // Bedrock answers with a status of its own, or not at all.
            let wanted = if format == Format::Converse {
                Outcome::BadOutput
            } else {
                Outcome::S5xx
            };
            assert_eq!(found, wanted, "{format:?}");
            let mut event = Vec::new();
            error_event(format, &mut event);
            let found = if format == Format::Converse {
                let message = eventstream::message_at_front(&event).unwrap().unwrap();
                let (name, payload) = (message.name(&event), message.payload(&event));
                outcome_of_error(format, kind(format), name, payload)
            } else {
                let text = String::from_utf8(event).unwrap();
                let data = text.lines().find_map(|line| line.strip_prefix("data: "));
                outcome_of_error(format, kind(format), "", data.unwrap().as_bytes())
            };
            assert_eq!(found, Outcome::S5xx, "{format:?}");
        }
    }
}
