//! Heads of requests: `httparse` finds the parts, this layer refuses what two parsers could read differently.
//! Decides framing and the fate of the connection; knows neither routes nor bodies.
//!
//! A refusal means: answer with its status, forward nothing, close. Nothing behind a refused head is ever read.

use core::mem::MaybeUninit;

use httparse::{Error, Request, Status};

use crate::base::limits::{REQUEST_FIELDS_MAX, REQUEST_HEAD_BYTES_MAX, REQUEST_LINE_BYTES_MAX};
use crate::wire::Extent;

use super::fields::name_is;
use super::framing::{Coding, Control, Length};
use super::target::{self, Target};
use super::{Fields, Framing, Method, Version, has_bare_lf};

/// What the head of a request says. Places are offsets into the bytes it was parsed from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RequestHead {
    /// Bytes of the head: an empty line before it and the blank line at its end included. The body begins here.
    pub len: u32,
    /// What is asked.
    pub method: Method,
    /// The path as it was spelt, without the query. Empty in an absolute-form target without a path.
    path: Extent,
    /// Behind the `?`; empty where there is none.
    query: Extent,
    /// The authority of an absolute-form target, else the `Host` field; empty in HTTP/1.0 without one.
    host: Extent,
    /// How the body is framed; never [`Framing::UntilClose`].
    pub framing: Framing,
    /// The client's version.
    pub version: Version,
    /// Whether the client means to send more requests on this connection.
    pub keep_alive: bool,
    /// Whether the client waits for `100 Continue` before it sends its body.
    pub expect_continue: bool,
}

/// Why a request cannot be read. The connection must be closed after the answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// 400, 413, 414, 417, 431, 501 or 505.
    pub status: u16,
    /// For the client: a sentence in lower case without a full stop.
    pub reason: &'static str,
}

/// Reads the head at the front of `bytes` and its fields into `fields`. `None` means that it is not complete: see
/// [`super::HeadSearch`] for when to try again. Garbage is refused at its first byte, complete or not.
///
/// On `None` and on a refusal the table of fields is empty.
pub fn parse(bytes: &[u8], fields: &mut Fields) -> Result<Option<RequestHead>, Refusal> {
    fields.clear();
    let skipped = match bytes {
        // RFC 9112 section 2.2: old clients send an empty line after a body.
        [b'\r', b'\n', ..] => 2,
        [] | [b'\r'] => return Ok(None),
        _ => 0,
    };
    let window = window(bytes.get(skipped..).unwrap_or_default());
    if let [b'\r' | b'\n', ..] = window.bytes {
        return Err(bad("there are empty lines before the request line"));
    }
    let mut table = [const { MaybeUninit::uninit() }; REQUEST_FIELDS_MAX];
    let mut request = Request::new(&mut []);
    let parsed = request.parse_with_uninit_headers(window.bytes, &mut table);
    match parsed {
        Err(error) => Err(explain(error, window.bytes)),
        Ok(Status::Partial) => {
            if has_bare_lf(window.bytes) {
                Err(BARE_LF)
            } else {
                window.over.map_or(Ok(None), Err)
            }
        }
        Ok(Status::Complete(len)) => {
            let head = skipped + len;
            let result = read(
                bytes.get(..head).unwrap_or_default(),
                skipped,
                &request,
                fields,
            );
            if result.is_err() {
                fields.clear();
            }
            result.map(Some)
        }
    }
}

/// The part of the input that may hold a head, and the refusal if it holds none although it is full. Cutting first makes
/// the outcome the same however the bytes came in.
struct Window<'a> {
    bytes: &'a [u8],
    over: Option<Refusal>,
}

fn window(bytes: &[u8]) -> Window<'_> {
    let (max, over) = if bytes.len() >= REQUEST_LINE_BYTES_MAX
        && memchr::memchr(b'\n', bytes.get(..REQUEST_LINE_BYTES_MAX).unwrap_or(bytes)).is_none()
    {
        (REQUEST_LINE_BYTES_MAX, LINE_TOO_LONG)
    } else {
        (REQUEST_HEAD_BYTES_MAX, HEAD_TOO_LONG)
    };
    bytes
        .get(..max)
        .map_or(Window { bytes, over: None }, |bytes| Window {
            bytes,
            over: Some(over),
        })
}

/// Applies every rule that `httparse` does not know to the complete `head`.
fn read(
    head: &[u8],
    skipped: usize,
    request: &Request<'_, '_>,
    fields: &mut Fields,
) -> Result<RequestHead, Refusal> {
    let version = Version::from_minor(request.version);
    let method = request.method.unwrap_or_default().as_bytes();
    let target = request.path.unwrap_or_default().as_bytes();
    let mut control = Control::default();
    let mut host = Host::Absent;
    let mut expect = Expect::Nothing;
    let mut crlf = head.ends_with(b"\r\n\r\n");
    for header in request.headers.iter() {
        let name = Extent::of_part(head, header.name.as_bytes());
        // The line before, be it the request line or another field.
        crlf &= ends_in_crlf(head, name.start as usize);
        fields.push(name, Extent::of_part(head, header.value));
        let name = header.name.as_bytes();
        match name.len() {
            4 if name_is(name, "host") => host = host.and(Extent::of_part(head, header.value)),
            6 if name_is(name, "expect") => expect = expect.and(header.value),
            _ => control.take(name, header.value, fields),
        }
    }
    if !crlf {
        return Err(BARE_LF);
    }
    let method =
        Method::of(method, skipped).ok_or(bad("this is no tunnel: CONNECT is not served"))?;
    let target = target::split(target, method == Method::Options)
        .map_err(bad)
        .map(|parts| place(parts, Extent::of_part(head, target)))?;
    let host = host.checked(head, version)?;
    let framing = framing(&control, version)?;
    Ok(RequestHead {
        len: Extent::new(0, head.len()).end,
        method,
        path: target.path,
        query: target.query,
        host: target.authority.unwrap_or(host),
        framing,
        version,
        keep_alive: control.keeps_alive(version),
        expect_continue: expect.checked(version, framing)?,
    })
}

/// `Content-Length` and `Transfer-Encoding` of a request (RFC 9112 sections 6.1 to 6.3).
fn framing(control: &Control, version: Version) -> Result<Framing, Refusal> {
    match (control.length, control.coding) {
        (Length::Absent, Coding::Absent) => Ok(Framing::None),
        (Length::Once(length), Coding::Absent) => Ok(Framing::Length(length)),
        (Length::Repeated(_), Coding::Absent) => Err(bad("there is more than one content-length")),
        (Length::Huge, Coding::Absent) => Err(Refusal {
            status: 413,
            reason: "the content-length is beyond any limit",
        }),
        (Length::Faulty, Coding::Absent) => Err(bad("the content-length is not one number")),
        (Length::Absent, _) if version == Version::Http10 => {
            Err(bad("HTTP/1.0 has no transfer-encoding"))
        }
        (Length::Absent, Coding::Chunked) => Ok(Framing::Chunked),
        (Length::Absent, Coding::Unknown) => Err(Refusal {
            status: 501,
            reason: "the only transfer coding that is supported is chunked",
        }),
        (Length::Absent, Coding::Faulty) => Err(bad("the transfer-encoding is not chunked")),
        // RFC 9112 section 6.1: an attempt at smuggling unless proven otherwise.
        _ => Err(bad(
            "content-length and transfer-encoding exclude each other",
        )),
    }
}

/// All `Host` fields together.
#[derive(Clone, Copy)]
enum Host {
    Absent,
    Once(Extent),
    Repeated,
}

impl Host {
    const fn and(self, value: Extent) -> Self {
        match self {
            Self::Absent => Self::Once(value),
            _ => Self::Repeated,
        }
    }

    fn checked(self, head: &[u8], version: Version) -> Result<Extent, Refusal> {
        match self {
            Self::Once(value) if target::is_host(value.of(head)) => Ok(value),
            Self::Once(_) => Err(bad("the host field is not a host with an optional port")),
            Self::Repeated => Err(bad("there is more than one host field")),
            Self::Absent if version == Version::Http10 => Ok(Extent::EMPTY),
            Self::Absent => Err(bad("there is no host field")),
        }
    }
}

/// All `Expect` fields together.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Expect {
    Nothing,
    Continue,
    Unknown,
}

impl Expect {
    fn and(self, value: &[u8]) -> Self {
        if self != Self::Unknown && value.eq_ignore_ascii_case(b"100-continue") {
            Self::Continue
        } else {
            Self::Unknown
        }
    }

    /// HTTP/1.0 has no expectations, and nobody waits to send nothing (RFC 9110 section 10.1.1).
    fn checked(self, version: Version, framing: Framing) -> Result<bool, Refusal> {
        match self {
            _ if version == Version::Http10 => Ok(false),
            Self::Nothing => Ok(false),
            Self::Continue => Ok(!matches!(framing, Framing::None | Framing::Length(0))),
            Self::Unknown => Err(Refusal {
                status: 417,
                reason: "the only expectation that is supported is 100-continue",
            }),
        }
    }
}

impl RequestHead {
    /// The path without the query; `/` for an absolute-form target that has none, `*` for `OPTIONS *`.
    pub fn path<'a>(&self, head: &'a [u8]) -> &'a str {
        match str::from_utf8(self.path.of(head)) {
            Ok(path) if !path.is_empty() => path,
            _ => "/",
        }
    }

    /// What follows the `?`; empty where nothing does.
    pub fn query<'a>(&self, head: &'a [u8]) -> &'a str {
        str::from_utf8(self.query.of(head)).unwrap_or_default()
    }

    /// The host that the client meant to reach. Never chooses the upstream.
    pub fn host<'a>(&self, head: &'a [u8]) -> &'a str {
        str::from_utf8(self.host.of(head)).unwrap_or_default()
    }
}

/// Moves the parts of a target to their places in the head.
const fn place(parts: Target, target: Extent) -> Target {
    const fn shift(part: Extent, by: u32) -> Extent {
        Extent {
            start: part.start + by,
            end: part.end + by,
        }
    }
    Target {
        authority: match parts.authority {
            Some(authority) => Some(shift(authority, target.start)),
            None => None,
        },
        path: shift(parts.path, target.start),
        query: shift(parts.query, target.start),
    }
}

/// Whether the line before offset `end` ends in CR LF.
fn ends_in_crlf(head: &[u8], end: usize) -> bool {
    head.get(..end).is_some_and(|line| line.ends_with(b"\r\n"))
}

fn explain(error: Error, bytes: &[u8]) -> Refusal {
    match error {
        Error::TooManyHeaders => Refusal {
            status: 431,
            reason: "the head has too many fields",
        },
        Error::Version => explain_version(bytes),
        Error::HeaderName => {
            bad("a field name is not a token, or a field continues on the next line")
        }
        Error::HeaderValue => bad("a field value holds a control character"),
        Error::NewLine => bad("a line of the head does not end in CR LF"),
        Error::Token | Error::Status => {
            bad("the request line is not a method, a target and HTTP/1.1")
        }
    }
}

/// 505 only for what is HTTP of another version. Looks no further than the byte at which `httparse` gave up, so that
/// the answer does not depend on how much has arrived.
fn explain_version(bytes: &[u8]) -> Refusal {
    let version = bytes
        .splitn(3, |&byte| byte == b' ')
        .nth(2)
        .unwrap_or_default();
    if bytes.starts_with(b"PRI * ") {
        return bad("this port does not speak HTTP/2");
    }
    match version {
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0'..=b'9', ..]
        | [b'H', b'T', b'T', b'P', b'/', b'0' | b'2'..=b'9', ..] => Refusal {
            status: 505,
            reason: "the only versions that are supported are HTTP/1.1 and HTTP/1.0",
        },
        _ => bad("the request line does not end in HTTP/1.1"),
    }
}

const fn bad(reason: &'static str) -> Refusal {
    Refusal {
        status: 400,
        reason,
    }
}

const BARE_LF: Refusal = bad("a line of the head ends in LF without CR");
const LINE_TOO_LONG: Refusal = Refusal {
    status: 414,
    reason: "the request line is too long",
};
const HEAD_TOO_LONG: Refusal = Refusal {
    status: 431,
    reason: "the head is too long",
};
