//! Whether a JSON value that comes in pieces is whole.
//!
//! A block of a stream cannot be opened again, and calls of other formats may come interleaved: a call's block is closed
//! for the next one only when its arguments can get no longer.

/// What has been seen of a value.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Braces {
    depth: u32,
    is_begun: bool,
    in_string: bool,
    is_escaped: bool,
}

impl Braces {
    /// Sees the next piece.
    pub(super) fn see(&mut self, piece: &str) {
        for byte in piece.bytes() {
            if self.in_string {
                match byte {
                    _ if self.is_escaped => self.is_escaped = false,
                    b'\\' => self.is_escaped = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => {
                    self.is_begun = true;
                    self.depth = self.depth.saturating_add(1);
                }
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
    }

    /// Whether an object or list has been closed.
    pub(super) const fn is_whole(self) -> bool {
        self.is_begun && self.depth == 0 && !self.in_string
    }
}
