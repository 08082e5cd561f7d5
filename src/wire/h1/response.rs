//! Heads of responses from providers, read as strictly as those of requests: half of the danger comes from there.
//! Decides framing and whether the connection can be used again; what a status means is not its business.

use core::fmt;
use core::mem::MaybeUninit;

use httparse::{Error, Response, Status};

use crate::base::limits::{RESPONSE_FIELDS_MAX, RESPONSE_HEAD_BYTES_MAX};
use crate::wire::Extent;

use super::fields::name_is;
use super::framing::{Coding, Control, Length};
use super::{Fields, Framing, Version, has_bare_lf, trim_ows};

/// What the head of a response says. Places are offsets into the bytes it was parsed from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ResponseHead {
    /// Bytes of the head, the blank line at its end included. The body begins here.
    pub len: u32,
    /// 100–999. A 1xx is not the answer: skip it and parse what follows. 101 is refused, as we never ask for one.
    pub status: u16,
    /// How the body is framed, unless this answers `HEAD`: see [`Self::answering_head`].
    pub framing: Framing,
    /// The provider's version.
    pub version: Version,
    /// Whether the connection can serve another request once the body has ended.
    pub keep_alive: bool,
    /// What `Content-Type` says.
    pub content_type: ContentType,
    /// Whether `Content-Encoding` names anything but `identity`. We never ask for it.
    pub encoded: bool,
    /// The value of `Retry-After`; empty where there is none.
    pub retry_after: Extent,
}

/// The media types that a gateway treats differently.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ContentType {
    /// There is no such field, or it is empty.
    #[default]
    Missing,
    /// `application/json`, or any subtype that ends in `+json`.
    Json,
    /// `text/event-stream`
    EventStream,
    /// `text/html`: hardly ever from a model.
    Html,
    /// Anything else.
    Foreign,
}

/// Why a response cannot be read. The connection must be closed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BadResponse {
    /// For the log: a sentence in lower case without a full stop.
    pub reason: &'static str,
}

/// Reads the head at the front of `bytes` and its fields into `fields`. `None` means that it is not complete: see
/// [`super::HeadSearch`] for when to try again.
///
/// On `None` and on an error the table of fields is empty.
pub fn parse(bytes: &[u8], fields: &mut Fields) -> Result<Option<ResponseHead>, BadResponse> {
    fields.clear();
    if let [b'\r' | b'\n', ..] = bytes {
        return Err(bad("there are empty lines before the status line"));
    }
    let window = bytes.get(..RESPONSE_HEAD_BYTES_MAX).unwrap_or(bytes);
    let mut table = [const { MaybeUninit::uninit() }; RESPONSE_FIELDS_MAX];
    let mut response = Response::new(&mut []);
    let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
        &mut response,
        window,
        &mut table,
    );
    match parsed {
        Err(error) => Err(explain(error)),
        Ok(Status::Partial) if has_bare_lf(window) => Err(BARE_LF),
        Ok(Status::Partial) if window.len() >= RESPONSE_HEAD_BYTES_MAX => {
            Err(bad("the head is too long"))
        }
        Ok(Status::Partial) => Ok(None),
        Ok(Status::Complete(len)) => {
            let result = read(window.get(..len).unwrap_or_default(), &response, fields);
            if result.is_err() {
                fields.clear();
            }
            result.map(Some)
        }
    }
}

fn read(
    head: &[u8],
    response: &Response<'_, '_>,
    fields: &mut Fields,
) -> Result<ResponseHead, BadResponse> {
    let version = Version::from_minor(response.version);
    let status = response.code.unwrap_or_default();
    if status < 100 {
        return Err(bad("the status is not within 100 to 999"));
    }
    if status == 101 {
        return Err(bad("the provider switched protocols without being asked"));
    }
    let mut control = Control::default();
    let mut content_type = ContentType::Missing;
    let mut encoded = false;
    let mut retry_after = Extent::EMPTY;
    let mut crlf = head.ends_with(b"\r\n\r\n");
    for header in response.headers.iter() {
        let name = Extent::of_part(head, header.name.as_bytes());
        let value = Extent::of_part(head, header.value);
        // The line before, be it the status line or another field.
        crlf &= head
            .get(..name.start as usize)
            .is_some_and(|line| line.ends_with(b"\r\n"));
        fields.push(name, value);
        let name = header.name.as_bytes();
        match name.len() {
            11 if name_is(name, "retry-after") && retry_after.is_empty() => retry_after = value,
            12 if name_is(name, "content-type") && content_type == ContentType::Missing => {
                content_type = ContentType::of(header.value);
            }
            16 if name_is(name, "content-encoding") => {
                encoded |= !header.value.is_empty() && !name_is(header.value, "identity");
            }
            _ => control.take(name, header.value, fields),
        }
    }
    if !crlf {
        return Err(BARE_LF);
    }
    let (framing, reusable) = framing(&control, version, status)?;
    Ok(ResponseHead {
        len: Extent::new(0, head.len()).end,
        status,
        framing,
        version,
        keep_alive: reusable && control.keeps_alive(version),
        content_type,
        encoded,
        retry_after,
    })
}

/// How the body is framed (RFC 9112 section 6.3), and whether the fields were clean enough to trust that the next
/// response begins where this one ends.
fn framing(
    control: &Control,
    version: Version,
    status: u16,
) -> Result<(Framing, bool), BadResponse> {
    let coded = match control.coding {
        Coding::Absent => false,
        _ if version == Version::Http10 => return Err(bad("HTTP/1.0 has no transfer-encoding")),
        Coding::Chunked => true,
        Coding::Unknown => return Err(bad("the transfer coding is not chunked alone")),
        Coding::Faulty => return Err(bad("the transfer-encoding is not chunked")),
    };
    let (length, clean) = match control.length {
        Length::Absent => (None, true),
        Length::Once(length) => (Some(length), !coded),
        Length::Repeated(length) => (Some(length), false),
        Length::Huge => return Err(bad("the content-length is beyond any limit")),
        Length::Faulty => return Err(bad("the content-length is not one number")),
    };
    Ok(match status {
        // Whoever frames a body that cannot exist may send it all the same.
        100..200 | 204 => (Framing::None, clean && !coded && length.unwrap_or(0) == 0),
        304 => (Framing::None, clean),
        _ if coded => (Framing::Chunked, clean),
        _ => length.map_or((Framing::UntilClose, false), |length| {
            (Framing::Length(length), clean)
        }),
    })
}

impl ResponseHead {
    /// The same head, known to answer a `HEAD` request: whatever it says about a body, none comes.
    #[must_use]
    pub const fn answering_head(mut self) -> Self {
        self.framing = Framing::None;
        self
    }

    /// Whether another head follows that is the answer.
    pub const fn is_interim(&self) -> bool {
        self.status < 200
    }
}

impl ContentType {
    fn of(value: &[u8]) -> Self {
        let end = memchr::memchr(b';', value).unwrap_or(value.len());
        let media = trim_ows(value.get(..end).unwrap_or_default());
        if media.is_empty() {
            Self::Missing
        } else if name_is(media, "application/json") || ends_in_json(media) {
            Self::Json
        } else if name_is(media, "text/event-stream") {
            Self::EventStream
        } else if name_is(media, "text/html") {
            Self::Html
        } else {
            Self::Foreign
        }
    }
}

/// RFC 6839 section 3.1: the structured suffix, as in `application/problem+json`.
fn ends_in_json(media: &[u8]) -> bool {
    media
        .last_chunk::<5>()
        .is_some_and(|suffix| suffix.eq_ignore_ascii_case(b"+json"))
}

fn explain(error: Error) -> BadResponse {
    bad(match error {
        Error::TooManyHeaders => "the head has too many fields",
        Error::Version => "this is not HTTP/1.1 or HTTP/1.0",
        Error::HeaderName => "a field name is not a token, or a field continues on the next line",
        Error::HeaderValue => "a field value holds a control character",
        Error::NewLine => "a line of the head does not end in CR LF",
        Error::Token | Error::Status => "the status line is not a version, a status and a reason",
    })
}

const fn bad(reason: &'static str) -> BadResponse {
    BadResponse { reason }
}

const BARE_LF: BadResponse = bad("a line of the head ends in LF without CR");

impl fmt::Display for BadResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason)
    }
}

impl core::error::Error for BadResponse {}
