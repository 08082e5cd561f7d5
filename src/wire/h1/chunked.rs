//! The chunked coding (RFC 9112 section 7.1), decoded in place: payload moves to the front of the buffer it came in.
//! Extensions and trailers are checked, bounded and dropped; nothing here knows what the payload is.
//!
//! ```text
//!   before  │1a;x=y␍␊│ payload one │␍␊│5␍␊│ two │␍␊│0␍␊│␍␊│ next message …
//!   after   │ payload one │ two │ … leftover …             │ next message …
//!           0             produced                         consumed
//! ```
//!
//! PERF: the usual read holds one chunk. Its frame costs a dozen byte comparisons, its payload one `memmove` by the
//! width of the size line.

use core::fmt;

use crate::base::limits::{CHUNK_LINE_BYTES_MAX, TRAILER_BYTES_MAX};

use super::is_token_byte;

/// Decodes one chunked body, over any number of buffers.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    state: State,
    /// Of the size while it is read, then of the chunk: payload bytes to come.
    left: u64,
    /// Bytes of the size line, or of all trailers, so far.
    framed: usize,
}

/// What one call has done with its buffer.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Step {
    /// Bytes of input that belong to the body: all of them, unless the body ended before.
    pub consumed: usize,
    /// Bytes of payload, now at the front of the buffer.
    pub produced: usize,
    /// Whether the body has ended. If the connection ends before, the body was cut.
    pub done: bool,
}

/// Why a body is not chunked as it claims to be. The connection must be closed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BadChunk {
    /// A sentence in lower case without a full stop.
    pub reason: &'static str,
}

/// What the next byte is taken for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum State {
    /// A digit of the size, or what ends it.
    #[default]
    Size,
    Extension,
    SizeLf,
    Payload,
    PayloadCr,
    PayloadLf,
    /// The first byte of a trailer field, or the CR of the last line.
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerLf,
    EndLf,
    Done,
    /// Something was wrong before: nothing can be read any more.
    Broken,
}

impl Decoder {
    /// At the first byte of a body.
    pub const fn new() -> Self {
        Self {
            state: State::Size,
            left: 0,
            framed: 0,
        }
    }

    /// Takes in the bytes that follow those of the last call, and moves their payload to the front.
    ///
    /// After the end of the body nothing is consumed; after an error every call that brings bytes is one.
    pub fn decode(&mut self, bytes: &mut [u8]) -> Result<Step, BadChunk> {
        let mut consumed = 0;
        let mut produced = 0;
        while self.state != State::Done {
            if self.state == State::Payload {
                let there = bytes.len() - consumed;
                let taken = usize::try_from(self.left).map_or(there, |left| left.min(there));
                if consumed != produced {
                    bytes.copy_within(consumed..consumed + taken, produced);
                }
                consumed += taken;
                produced += taken;
                self.left -= taken as u64;
                if self.left > 0 {
                    break;
                }
                self.state = State::PayloadCr;
            }
            let Some(&byte) = bytes.get(consumed) else {
                break;
            };
            self.state = self
                .frame(byte)
                .inspect_err(|_| self.state = State::Broken)?;
            consumed += 1;
        }
        Ok(Step {
            consumed,
            produced,
            done: self.state == State::Done,
        })
    }

    /// Whether the body has ended.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Takes one byte that is not payload.
    #[inline]
    fn frame(&mut self, byte: u8) -> Result<State, BadChunk> {
        match (self.state, byte) {
            (State::Size, _) => self.size(byte),
            (State::Extension, b'\r') => Ok(State::SizeLf),
            (State::Extension, _) if is_text(byte) => {
                self.bounded(CHUNK_LINE_BYTES_MAX, State::Extension)
            }
            (State::SizeLf, b'\n') => {
                self.framed = 0;
                Ok(if self.left == 0 {
                    State::TrailerStart
                } else {
                    State::Payload
                })
            }
            (State::PayloadCr, b'\r') => Ok(State::PayloadLf),
            (State::PayloadLf, b'\n') => {
                self.framed = 0;
                Ok(State::Size)
            }
            (State::PayloadCr | State::PayloadLf, _) => Err(BadChunk {
                reason: "a chunk is longer than its size says",
            }),
            (State::TrailerStart, b'\r') => Ok(State::EndLf),
            (State::TrailerStart | State::TrailerName, _) if is_token_byte(byte) => {
                self.bounded(TRAILER_BYTES_MAX, State::TrailerName)
            }
            (State::TrailerName, b':') => self.bounded(TRAILER_BYTES_MAX, State::TrailerValue),
            (State::TrailerValue, b'\r') => Ok(State::TrailerLf),
            (State::TrailerValue, _) if is_text(byte) => {
                self.bounded(TRAILER_BYTES_MAX, State::TrailerValue)
            }
            (State::TrailerLf, b'\n') => self.bounded(TRAILER_BYTES_MAX, State::TrailerStart),
            (State::EndLf, b'\n') | (State::Done, _) => Ok(State::Done),
            (State::Extension | State::SizeLf, _) => Err(BadChunk {
                reason: "a chunk size line holds a control character or does not end in CR LF",
            }),
            (State::Broken, _) => Err(BadChunk {
                reason: "a chunked body was broken before",
            }),
            (State::EndLf, _) => Err(BadChunk {
                reason: "a chunked body does not end in CR LF",
            }),
            _ => Err(BadChunk {
                reason: "a trailer is not a field that ends in CR LF",
            }),
        }
    }

    /// `1*HEXDIG`, at most 16 of them: 16 digits are exactly what a `u64` holds.
    fn size(&mut self, byte: u8) -> Result<State, BadChunk> {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            b'\r' if self.framed > 0 => return Ok(State::SizeLf),
            b';' if self.framed > 0 => {
                return self.bounded(CHUNK_LINE_BYTES_MAX, State::Extension);
            }
            _ => {
                return Err(BadChunk {
                    reason: "a chunk size is not a hexadecimal number",
                });
            }
        };
        if self.framed == 0 {
            self.left = 0;
        } else if self.framed == SIZE_DIGITS_MAX {
            return Err(BadChunk {
                reason: "a chunk size has more than 16 digits",
            });
        }
        self.left = self.left << 4 | u64::from(digit);
        self.framed += 1;
        Ok(State::Size)
    }

    /// Counts a byte that is dropped.
    const fn bounded(&mut self, bytes_max: usize, next: State) -> Result<State, BadChunk> {
        self.framed += 1;
        if self.framed > bytes_max {
            return Err(BadChunk {
                reason: "the extensions or trailers of a chunked body are too long",
            });
        }
        Ok(next)
    }
}

impl fmt::Display for BadChunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason)
    }
}

impl core::error::Error for BadChunk {}

/// Neither CR, LF, NUL nor any other control character but the tab.
const fn is_text(byte: u8) -> bool {
    matches!(byte, b'\t' | b' '..=b'~' | 0x80..)
}

const SIZE_DIGITS_MAX: usize = 16;
