//! The fields that decide where a message ends and whether the connection outlives it, gathered over one pass.
//! Reads them; which combination is tolerable differs between requests and responses and is decided there.

use super::Version;
use super::fields::{Fields, list, name_is};
use super::is_token_byte;

/// What `Content-Length`, `Transfer-Encoding` and `Connection` said.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Control {
    pub(super) length: Length,
    pub(super) coding: Coding,
    close: bool,
    keep_alive: bool,
}

/// All `Content-Length` fields together.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Length {
    #[default]
    Absent,
    Once(u64),
    /// Several fields with one value.
    Repeated(u64),
    /// More than 2^64 - 1.
    Huge,
    /// No number, or numbers that differ.
    Faulty,
}

/// All `Transfer-Encoding` fields together.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Coding {
    #[default]
    Absent,
    /// `chunked` and nothing else.
    Chunked,
    /// Well formed, but with codings that we do not decode.
    Unknown,
    /// Anything else: repeated, empty, not ending in `chunked`, or not a list of tokens.
    Faulty,
}

impl Control {
    /// Takes the field in, if it is one of the three.
    ///
    /// PERF: the length of its name rules nearly all out.
    #[inline]
    pub(super) fn take(&mut self, name: &[u8], value: &[u8], fields: &mut Fields) {
        if matches!(name.len(), 10 | 14 | 17) {
            self.take_known(name, value, fields);
        }
    }

    fn take_known(&mut self, name: &[u8], value: &[u8], fields: &mut Fields) {
        match name.len() {
            10 if name_is(name, "connection") => self.take_connection(value, fields),
            14 if name_is(name, "content-length") => {
                self.length = self.length.and(Length::parse(value));
            }
            17 if name_is(name, "transfer-encoding") => {
                self.coding = match self.coding {
                    Coding::Absent => Coding::parse(value),
                    _ => Coding::Faulty,
                };
            }
            _ => {}
        }
    }

    /// Whether the peer means to keep the connection (RFC 9112 section 9.3).
    pub(super) const fn keeps_alive(&self, version: Version) -> bool {
        match version {
            Version::Http11 => !self.close,
            Version::Http10 => self.keep_alive && !self.close,
        }
    }

    fn take_connection(&mut self, value: &[u8], fields: &mut Fields) {
        for option in list(value) {
            if name_is(option, "close") {
                self.close = true;
            } else if name_is(option, "keep-alive") {
                self.keep_alive = true;
            } else {
                fields.connection_names_fields();
            }
        }
    }
}

impl Length {
    /// `1*DIGIT` and nothing else; a list of equal numbers is refused too.
    fn parse(value: &[u8]) -> Self {
        if value.is_empty() {
            return Self::Faulty;
        }
        let mut length = Some(0_u64);
        for byte in value {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                return Self::Faulty;
            }
            length = length.and_then(|length| length.checked_mul(10)?.checked_add(digit.into()));
        }
        length.map_or(Self::Huge, Self::Once)
    }

    const fn and(self, next: Self) -> Self {
        match (self, next) {
            (Self::Absent, next) => next,
            (Self::Once(a) | Self::Repeated(a), Self::Once(b)) if a == b => Self::Repeated(a),
            _ => Self::Faulty,
        }
    }
}

impl Coding {
    fn parse(value: &[u8]) -> Self {
        if value.eq_ignore_ascii_case(b"chunked") {
            return Self::Chunked;
        }
        let mut last_is_chunked = false;
        for coding in value.split(|&byte| byte == b',').map(super::trim_ows) {
            if last_is_chunked || coding.is_empty() || !coding.iter().all(|&b| is_token_byte(b)) {
                return Self::Faulty;
            }
            last_is_chunked = coding.eq_ignore_ascii_case(b"chunked");
        }
        if last_is_chunked {
            Self::Unknown
        } else {
            Self::Faulty
        }
    }
}
