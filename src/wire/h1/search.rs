//! Tells when a head that was incomplete is worth parsing again. Looks at each byte once, however slowly they come.
//! Knows line ends only: whether the head is any good is for the parsers.

use crate::base::limits::{
    REQUEST_HEAD_BYTES_MAX, REQUEST_LINE_BYTES_MAX, RESPONSE_HEAD_BYTES_MAX,
};

/// Remembers how far a growing head was searched. Make one per message, after a parse has returned `None`.
#[derive(Clone, Copy, Debug)]
pub struct HeadSearch {
    searched: usize,
    /// Whether the first line has ended.
    lined: bool,
    line_bytes_max: usize,
    head_bytes_max: usize,
}

impl HeadSearch {
    /// For the head of a request.
    pub const fn request() -> Self {
        Self {
            searched: 0,
            lined: false,
            line_bytes_max: REQUEST_LINE_BYTES_MAX,
            head_bytes_max: REQUEST_HEAD_BYTES_MAX,
        }
    }

    /// For the head of a response.
    pub const fn response() -> Self {
        Self {
            searched: 0,
            lined: false,
            line_bytes_max: RESPONSE_HEAD_BYTES_MAX,
            head_bytes_max: RESPONSE_HEAD_BYTES_MAX,
        }
    }

    /// Whether to parse now: `bytes`, the same buffer grown at its end, holds a blank line, or something the parser
    /// will refuse (a bare LF, a line or a head over its limit).
    pub fn may_be_complete(&mut self, bytes: &[u8]) -> bool {
        let fresh = bytes.get(self.searched..).unwrap_or_default();
        for offset in memchr::memchr_iter(b'\n', fresh) {
            let at = self.searched + offset;
            match bytes.get(..at).unwrap_or_default() {
                // A blank line that nothing precedes is the one that may come before a request.
                [b'\r'] => {}
                [.., b'\n', b'\r'] => return true,
                [.., b'\r'] => self.lined = true,
                _ => return true,
            }
        }
        self.searched = bytes.len();
        self.searched >= self.head_bytes_max
            || (!self.lined && self.searched >= self.line_bytes_max)
    }
}
