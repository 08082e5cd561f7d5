//! Server-sent events (WHATWG HTML, section 9.2.6): says where events end and what data they carry. The bytes are
//! relayed as they came; nothing here copies or rewrites them. Knows no provider and no JSON.
//!
//! The caller keeps a buffer whose front is the first event that was not yielded, and appends what it reads:
//!
//! ```text
//!   │ data: {"id":1}␊␊ │ : ping␊␊ │ data: {"id":2}␊␊ │ data: {"i │ free …
//!   0                  event.len …                   at           len
//!   └── whole events: classify each, then forward or hold ──────┘└ tail: stays, may be moved to the front
//! ```
//!
//! ```
//! # use switchover::wire::sse::Splitter;
//! # let (buffer, mut scratch) = (b"data: {}\n\ndata: [DO", Vec::new());
//! # let mut splitter = Splitter::new();
//! let mut at = 0;
//! while let Some(event) = splitter.next(&buffer[at..]).unwrap() {
//!     let data = event.data(&buffer[at..], &mut scratch); // classify it
//!     # assert_eq!(data, Some(&b"{}"[..]));
//!     at += event.len;
//! }
//! // forward buffer[..at], keep buffer[at..]
//! # assert_eq!(at, 10);
//! ```
//!
//! PERF: one `memchr2` per line, nothing per byte; an event of one line costs about as much as finding its end.

use core::fmt;

use crate::base::limits::EVENT_BYTES_MAX;
use crate::wire::Extent;

/// Splits one stream into events. Resumable at every byte; all offsets are relative to the front of the event that is
/// not complete yet, so that the caller may move its bytes.
#[derive(Clone, Debug, Default)]
pub struct Splitter {
    /// No line ends before this offset.
    scanned: usize,
    /// Where the current line begins.
    line: usize,
    found: Found,
    /// Whether the line before ended in CR without LF.
    after_cr: bool,
    prefix: Prefix,
}

/// One event, blank line included. Its places are relative to its first byte.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Event {
    /// Bytes of the event: the next one begins behind them.
    pub len: usize,
    found: Found,
}

/// An event grew beyond [`EVENT_BYTES_MAX`]. The stream cannot be relayed further.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct EventTooLong;

/// The fields of an event so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Found {
    /// The value of the last `event` field.
    name: Extent,
    /// The value of the first `data` field.
    data: Extent,
    data_lines: u32,
}

/// What may stand before an event without being part of it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Prefix {
    /// A byte order mark: at the start of the stream.
    #[default]
    Mark,
    /// A LF that belongs to the CR which ended the event before.
    Lf,
    Nothing,
}

impl Splitter {
    /// At the start of a stream.
    pub const fn new() -> Self {
        Self {
            scanned: 0,
            line: 0,
            found: Found::NOTHING,
            after_cr: false,
            prefix: Prefix::Mark,
        }
    }

    /// The event at the front of `bytes`, if it is complete. The next call must begin behind it; after `None`, with the
    /// same bytes and more of them.
    pub fn next(&mut self, bytes: &[u8]) -> Result<Option<Event>, EventTooLong> {
        if !self.skip_prefix(bytes) {
            return Ok(None);
        }
        while let Some((end, line_end)) = self.line_end(bytes) {
            if end == self.line {
                // WIRE: a lone CR ends the event at once; a LF after it is skipped before the next event.
                let lone_cr = line_end == LineEnd::Cr;
                let len = line_end.behind(end);
                let event = self.take(len)?;
                self.prefix = if lone_cr { Prefix::Lf } else { Prefix::Nothing };
                return Ok(Some(event));
            }
            self.found.take(bytes, self.line, end);
            self.line = line_end.behind(end);
            self.scanned = self.line;
            self.after_cr = line_end == LineEnd::Cr;
        }
        if self.scanned > EVENT_BYTES_MAX {
            return Err(EventTooLong);
        }
        Ok(None)
    }

    /// What is left when the stream has ended cleanly: `bytes` as for [`Self::next`], which has returned `None`. The
    /// standard drops an event without its blank line, but providers end their streams so; whether its data is whole is
    /// for the caller to judge. `None` if nothing is left.
    pub fn finish(mut self, bytes: &[u8]) -> Option<Event> {
        if bytes.is_empty() {
            return None;
        }
        let end = match bytes {
            [.., b'\r'] if self.line < bytes.len() => bytes.len() - 1,
            _ => bytes.len(),
        };
        if end > self.line {
            self.found.take(bytes, self.line, end);
        }
        Some(Event {
            len: bytes.len(),
            found: self.found,
        })
    }

    /// Where the current line ends and in what; `None` if that is not known yet.
    #[inline]
    fn line_end(&mut self, bytes: &[u8]) -> Option<(usize, LineEnd)> {
        let fresh = bytes.get(self.scanned..).unwrap_or_default();
        let Some(offset) = memchr::memchr2(b'\n', b'\r', fresh) else {
            self.scanned = self.scanned.max(bytes.len());
            return None;
        };
        let end = self.scanned + offset;
        self.scanned = end;
        let line_end = match (fresh.get(offset), fresh.get(offset + 1)) {
            (Some(b'\n'), _) => LineEnd::Lf,
            // Streams that end lines in CR must not wait for the byte after an event to learn that it has ended.
            _ if end == self.line && self.after_cr => LineEnd::Cr,
            (_, Some(b'\n')) => LineEnd::CrLf,
            (_, Some(_)) => LineEnd::Cr,
            (_, None) => return None,
        };
        Some((end, line_end))
    }

    /// Ends the event at `len` and starts the next.
    fn take(&mut self, len: usize) -> Result<Event, EventTooLong> {
        if len > EVENT_BYTES_MAX {
            return Err(EventTooLong);
        }
        let found = self.found;
        *self = Self::new();
        Ok(Event { len, found })
    }

    /// Steps over what stands before the event; false if the bytes do not tell yet.
    fn skip_prefix(&mut self, bytes: &[u8]) -> bool {
        const MARK: &[u8] = b"\xef\xbb\xbf";
        let skipped = match self.prefix {
            Prefix::Nothing => return true,
            _ if bytes.is_empty() => return false,
            Prefix::Mark if bytes.starts_with(MARK) => MARK.len(),
            Prefix::Mark if MARK.starts_with(bytes) => return false,
            Prefix::Lf if bytes.starts_with(b"\n") => 1,
            Prefix::Mark | Prefix::Lf => 0,
        };
        self.line = skipped;
        self.scanned = skipped;
        self.prefix = Prefix::Nothing;
        true
    }
}

impl Event {
    /// Whether the event has data. One without is a comment that keeps the connection open, or nothing at all.
    pub const fn has_data(&self) -> bool {
        self.found.data_lines > 0
    }

    /// The data; `None` if there is none. `bytes` begin with the event. Several `data` lines are joined by LF in
    /// `scratch`; one line, the rule, is not copied.
    pub fn data<'a>(&self, bytes: &'a [u8], scratch: &'a mut Vec<u8>) -> Option<&'a [u8]> {
        match self.found.data_lines {
            0 => None,
            1 => Some(self.found.data.of(bytes)),
            _ => {
                scratch.clear();
                let event = bytes.get(self.found.data.start as usize..self.len);
                scratch.extend_from_slice(self.found.data.of(bytes));
                // The first line is there already; what precedes its value was cut off with it.
                for line in event
                    .unwrap_or_default()
                    .split(|&b| b == b'\n' || b == b'\r')
                    .skip(1)
                {
                    if let Some((b"data", value)) = field(line) {
                        scratch.push(b'\n');
                        scratch.extend_from_slice(value);
                    }
                }
                Some(scratch)
            }
        }
    }

    /// The value of the `event` field; empty where there is none.
    pub fn name<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        self.found.name.of(bytes)
    }
}

impl Found {
    const NOTHING: Self = Self {
        name: Extent::EMPTY,
        data: Extent::EMPTY,
        data_lines: 0,
    };

    /// Takes in the line `start..end` of `bytes`.
    #[inline]
    fn take(&mut self, bytes: &[u8], start: usize, end: usize) {
        let line = bytes.get(start..end).unwrap_or_default();
        match field(line) {
            Some((b"data", value)) => {
                if self.data_lines == 0 {
                    self.data = Extent::new(end - value.len(), end);
                }
                self.data_lines = self.data_lines.saturating_add(1);
            }
            Some((b"event", value)) => self.name = Extent::new(end - value.len(), end),
            // `id`, `retry`, comments and what the standard does not know are relayed, not read.
            _ => {}
        }
    }
}

/// How a line ended.
#[derive(Clone, Copy, Eq, PartialEq)]
enum LineEnd {
    Lf,
    CrLf,
    Cr,
}

impl LineEnd {
    /// The offset behind the line end that begins at `end`.
    const fn behind(self, end: usize) -> usize {
        match self {
            Self::Lf | Self::Cr => end + 1,
            Self::CrLf => end + 2,
        }
    }
}

/// Name and value of a `data` or `event` line; one space after the colon is not part of the value.
#[inline]
fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let name_len = match line {
        [b'd', b'a', b't', b'a', ..] => 4,
        [b'e', b'v', b'e', b'n', b't', ..] => 5,
        _ => return None,
    };
    let (name, rest) = line.split_at_checked(name_len)?;
    match rest {
        [b':', b' ', value @ ..] | [b':', value @ ..] => Some((name, value)),
        [] => Some((name, rest)),
        _ => None,
    }
}

impl fmt::Display for EventTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "an event of the stream is longer than {EVENT_BYTES_MAX} bytes"
        )
    }
}

impl core::error::Error for EventTooLong {}
