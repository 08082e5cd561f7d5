//! `application/vnd.amazon.eventstream`, the binary stream of Amazon Bedrock: says where messages end, what they are
//! called and where their payload lies. Knows no JSON. Source: AWS, "Event stream encoding" and the Smithy
//! specification of the same name, 2025.
//!
//! ```text
//!   │ total length │ length of headers │ CRC-32 of these 8 │ headers … │ payload … │ CRC-32 of all before │
//!   0              4                   8                   12                      total − 4              total
//!
//!   header: length of name u8, name, type u8, value: 0 true, 1 false, 2 u8, 3 u16, 4 u32, 5 u64,
//!           6 bytes and 7 string with a length u16, 8 time u64, 9 UUID 16 bytes; all big-endian
//! ```
//!
//! The caller keeps a buffer whose front is the first message that was not yielded, appends what it reads, and asks
//! again: nothing is remembered between two calls.
//!
//! ```
//! # use switchover::wire::eventstream::{Kind, message_at_front, write};
//! # let mut buffer = Vec::new();
//! write(Kind::Event, "messageStart", b"{}", &mut buffer);
//! let message = message_at_front(&buffer).unwrap().unwrap();
//! assert_eq!(message.name(&buffer), "messageStart");
//! assert_eq!(message.payload(&buffer), b"{}");
//! assert_eq!(message.len, buffer.len()); // here the next one begins
//! ```
//!
//! PERF: while a message is not whole, each call costs the checksum of eight bytes; both checksums run at memory speed.

#[cfg(test)]
mod tests;

use core::fmt;

use crate::base::limits::EVENT_MESSAGE_BYTES_MAX;
use crate::wire::Extent;

/// One message. Its places are relative to its first byte.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Message {
    /// Bytes of the message: the next one begins behind them.
    pub len: usize,
    /// What it is.
    pub kind: Kind,
    name: Extent,
    payload: Extent,
}

/// What a message is: its `:message-type`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// `event`: named by its `:event-type`.
    Event,
    /// `exception`: an error that the service knows, named by its `:exception-type`. The stream ends with it.
    Exception,
    /// `error`: one that it does not, named by its `:error-code`. The stream ends with it.
    Error,
}

/// Why a stream cannot be read further.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BadMessage {
    /// A checksum is wrong: bytes were lost or changed.
    Checksum,
    /// It is longer than [`EVENT_MESSAGE_BYTES_MAX`].
    TooLong,
    /// Its lengths or headers are none.
    Malformed,
}

/// The message at the front of `bytes`; `None` if it is not whole. The next call begins behind it; after `None`, with
/// the same bytes and more of them.
pub fn message_at_front(bytes: &[u8]) -> Result<Option<Message>, BadMessage> {
    let Some((prelude, _)) = bytes.split_first_chunk::<PRELUDE>() else {
        return Ok(None);
    };
    let [t0, t1, t2, t3, h0, h1, h2, h3, sum @ ..] = *prelude;
    // Before the lengths are believed: a wrong one would be waited for.
    if u32::from_be_bytes(sum) != crc32fast::hash(&[t0, t1, t2, t3, h0, h1, h2, h3]) {
        return Err(BadMessage::Checksum);
    }
    let length = |bytes| usize::try_from(u32::from_be_bytes(bytes)).unwrap_or(usize::MAX);
    let (total, headers) = (length([t0, t1, t2, t3]), length([h0, h1, h2, h3]));
    if total > EVENT_MESSAGE_BYTES_MAX {
        return Err(BadMessage::TooLong);
    }
    let payload = PRELUDE.saturating_add(headers);
    if payload.saturating_add(SUM) > total {
        return Err(BadMessage::Malformed);
    }
    let Some((whole, sum)) = bytes.get(..total).and_then(<[u8]>::split_last_chunk::<SUM>) else {
        return Ok(None);
    };
    if u32::from_be_bytes(*sum) != crc32fast::hash(whole) {
        return Err(BadMessage::Checksum);
    }
    let found = Found::of(whole, PRELUDE..payload).ok_or(BadMessage::Malformed)?;
    let (kind, name) = found.kind(whole).ok_or(BadMessage::Malformed)?;
    Ok(Some(Message {
        len: total,
        kind,
        name,
        payload: Extent::new(payload, whole.len()),
    }))
}

/// Appends a message as Bedrock writes it: with a name, the type of its content, and its kind.
pub fn write(kind: Kind, name: &str, payload: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    let (name_header, kind_word) = match kind {
        Kind::Event => (EVENT_TYPE, "event"),
        Kind::Exception => (EXCEPTION_TYPE, "exception"),
        Kind::Error => (ERROR_CODE, "error"),
    };
    let headers = [
        (name_header, name),
        (":content-type", "application/json"),
        (MESSAGE_TYPE, kind_word),
    ];
    let header_bytes: usize = headers
        .iter()
        .map(|(name, value)| 1 + name.len() + 1 + 2 + value.len())
        .sum();
    let total = PRELUDE + header_bytes + payload.len() + SUM;
    let length = |bytes| u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes();
    out.extend_from_slice(&length(total));
    out.extend_from_slice(&length(header_bytes));
    push_sum(start, out);
    for (name, value) in headers {
        out.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        out.extend_from_slice(name.as_bytes());
        out.push(STRING);
        out.extend_from_slice(&u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
        out.extend_from_slice(value.as_bytes());
    }
    out.extend_from_slice(payload);
    push_sum(start, out);
}

impl Message {
    /// What it is called: its event type, exception type or error code. `bytes` begin with the message.
    pub fn name<'a>(&self, bytes: &'a [u8]) -> &'a str {
        core::str::from_utf8(self.name.of(bytes)).unwrap_or_default()
    }

    /// What it says. `bytes` begin with the message.
    pub fn payload<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        self.payload.of(bytes)
    }

    /// Where in the message that stands.
    pub const fn payload_place(&self) -> Extent {
        self.payload
    }
}

/// The values of the headers that are read here.
#[derive(Default)]
struct Found {
    message_type: Option<Extent>,
    event_type: Option<Extent>,
    exception_type: Option<Extent>,
    error_code: Option<Extent>,
}

impl Found {
    /// In the block of headers at `place`. `None` if it is none, or says something twice.
    fn of(whole: &[u8], place: core::ops::Range<usize>) -> Option<Self> {
        let mut found = Self::default();
        let end = place.end;
        let mut rest = whole.get(place)?;
        while !rest.is_empty() {
            let (length, behind) = rest.split_first()?;
            let (name, behind) = behind.split_at_checked(usize::from(*length))?;
            let (value_type, behind) = behind.split_first()?;
            let (length, behind) = match *value_type {
                0 | 1 => (0, behind),
                2 => (1, behind),
                3 => (2, behind),
                4 => (4, behind),
                5 | 8 => (8, behind),
                9 => (16, behind),
                BYTES | STRING => {
                    let (length, behind) = behind.split_first_chunk::<2>()?;
                    (usize::from(u16::from_be_bytes(*length)), behind)
                }
                _ => return None,
            };
            let (value, behind) = behind.split_at_checked(length)?;
            if let Some(slot) = found.slot(name) {
                let start = end - behind.len() - value.len();
                let is_text = *value_type == STRING && core::str::from_utf8(value).is_ok();
                if !is_text || slot.is_some() {
                    return None;
                }
                *slot = Some(Extent::new(start, start + value.len()));
            }
            rest = behind;
        }
        Some(found)
    }

    fn slot(&mut self, name: &[u8]) -> Option<&mut Option<Extent>> {
        let name = core::str::from_utf8(name).ok()?;
        Some(match name {
            MESSAGE_TYPE => &mut self.message_type,
            EVENT_TYPE => &mut self.event_type,
            EXCEPTION_TYPE => &mut self.exception_type,
            ERROR_CODE => &mut self.error_code,
            _ => return None,
        })
    }

    fn kind(&self, whole: &[u8]) -> Option<(Kind, Extent)> {
        match self.message_type?.of(whole) {
            b"event" => Some((Kind::Event, self.event_type?)),
            b"exception" => Some((Kind::Exception, self.exception_type?)),
            b"error" => Some((Kind::Error, self.error_code?)),
            _ => None,
        }
    }
}

fn push_sum(start: usize, out: &mut Vec<u8>) {
    let sum = crc32fast::hash(out.get(start..).unwrap_or_default());
    out.extend_from_slice(&sum.to_be_bytes());
}

impl fmt::Display for BadMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checksum => f.write_str("a checksum of the event stream is wrong"),
            Self::TooLong => write!(
                f,
                "a message of the event stream is longer than {EVENT_MESSAGE_BYTES_MAX} bytes"
            ),
            Self::Malformed => f.write_str("a message of the event stream is malformed"),
        }
    }
}

impl core::error::Error for BadMessage {}

const PRELUDE: usize = 12;
const SUM: usize = 4;
const BYTES: u8 = 6;
const STRING: u8 = 7;
const MESSAGE_TYPE: &str = ":message-type";
const EVENT_TYPE: &str = ":event-type";
const EXCEPTION_TYPE: &str = ":exception-type";
const ERROR_CODE: &str = ":error-code";
