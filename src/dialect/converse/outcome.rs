//! What Bedrock's answers mean for failover. The kind of an error stands in a header, in a stream in the message's own;
//! where it says too little, the words and the status are judged as those of other providers.

use crate::base::Outcome;
use crate::dialect::openai;
use crate::policy::model::ProviderKind;
use crate::wire::json::walk::{Cursor, Shape};

/// The outcome of a whole answer: `body` is all of it, `error_type` the header `x-amzn-errortype`.
pub fn outcome_of(status: u16, error_type: Option<&str>, body: &[u8]) -> Outcome {
    match status {
        200..=203 if has_output(body) => Outcome::Ok,
        ..400 => Outcome::BadOutput,
        _ => error_type
            .and_then(|name| by_name(name_of(name), body))
            .unwrap_or_else(|| openai::outcome_of(ProviderKind::Bedrock, status, body)),
    }
}

/// The outcome of an exception inside a stream: `name` is its `:exception-type`, or the `:error-code` of an error.
pub fn outcome_of_exception(name: &str, payload: &[u8]) -> Outcome {
    outcome_of(status_of(name), Some(name), payload)
}

/// `UnrecognizedClientException:http://…` and `com.amazon.coral#ThrottlingException` without what is around the name.
fn name_of(error_type: &str) -> &str {
    let name = error_type.split(':').next().unwrap_or_default();
    name.rsplit('#').next().unwrap_or_default().trim()
}

/// Kinds that tell the case by themselves. In streams they begin in lower case.
fn by_name(name: &str, body: &[u8]) -> Option<Outcome> {
    let is = |other: &str| name.eq_ignore_ascii_case(other);
    let says = |words: &[&str]| words.iter().any(|word| openai::says(body, word.as_bytes()));
    if CREDENTIALS.iter().any(|kind| is(kind)) {
        return Some(Outcome::AuthFailed);
    }
    if is("ThrottlingException") {
        return Some(if says(&["per day"]) {
            Outcome::QuotaExhausted
        } else {
            Outcome::S429
        });
    }
    if is("ServiceQuotaExceededException") {
        return Some(Outcome::QuotaExhausted);
    }
    if is("ModelNotReadyException") {
        return Some(Outcome::Overloaded);
    }
    if is("ResourceNotFoundException") {
        return Some(Outcome::ModelGone);
    }
    // COMPAT: Bedrock, 2025: models that are called by an inference profile only, and accounts that may not call any.
    if is("ValidationException") && says(&["on-demand throughput"]) {
        return Some(Outcome::ModelGone);
    }
    if is("ValidationException") && says(&["operation not allowed"]) {
        return Some(Outcome::AuthFailed);
    }
    None
}

/// The access key, the session token or the signature is at fault, or the clock that it was made by.
const CREDENTIALS: [&str; 8] = [
    "AccessDeniedException",
    "ExpiredTokenException",
    "IncompleteSignatureException",
    "InvalidClientTokenIdException",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

/// The status that an exception stands for (AWS, `ConverseStreamOutput`).
fn status_of(name: &str) -> u16 {
    let name = name.to_ascii_lowercase();
    match name.as_str() {
        "validationexception" => 400,
        "accessdeniedexception" => 403,
        "resourcenotfoundexception" => 404,
        "modeltimeoutexception" => 408,
        "modelerrorexception" | "modelstreamerrorexception" => 424,
        "throttlingexception" | "modelnotreadyexception" => 429,
        "serviceunavailableexception" => 503,
        _ => 500,
    }
}

/// A success must be a whole JSON object with an output in it.
fn has_output(body: &[u8]) -> bool {
    let mut cursor = Cursor::new(body);
    if cursor.enter(b'{').is_none() {
        return false;
    }
    let mut found = false;
    while let Some(key) = cursor.member() {
        let Some(value) = cursor.value() else {
            return false;
        };
        found |= key == b"output" && Cursor::new(value).shape() == Some(Shape::Object);
    }
    found && cursor.is_whole()
}
