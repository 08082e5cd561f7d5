//! A place in a buffer: how parsers name what they found without borrowing the buffer, which its owner may move.
//! Knows nothing of what the bytes mean.

/// `start..end` within a buffer below 4 GiB. Half the size of a `Range<usize>`, and `Copy`.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Extent {
    /// Offset of the first byte.
    pub start: u32,
    /// Offset behind the last byte; never before `start`.
    pub end: u32,
}

impl Extent {
    /// No bytes, at the front.
    pub const EMPTY: Self = Self { start: 0, end: 0 };

    /// From offsets; what lies beyond 4 GiB is clamped and reads as empty.
    pub fn new(start: usize, end: usize) -> Self {
        let start = u32::try_from(start).unwrap_or(u32::MAX);
        let end = u32::try_from(end).unwrap_or(u32::MAX);
        Self {
            start,
            end: end.max(start),
        }
    }

    /// Where `part` lies in `whole`; empty at the front if it does not.
    pub fn of_part(whole: &[u8], part: &[u8]) -> Self {
        let start = part.as_ptr().addr().wrapping_sub(whole.as_ptr().addr());
        let end = start.wrapping_add(part.len());
        if start <= end && end <= whole.len() {
            Self::new(start, end)
        } else {
            Self::EMPTY
        }
    }

    /// The bytes of this place in `bytes`; empty when the buffer is too short to be the one it was made for.
    pub fn of(self, bytes: &[u8]) -> &[u8] {
        bytes.get(self.range()).unwrap_or_default()
    }

    /// As a range of `usize`.
    pub const fn range(self) -> core::ops::Range<usize> {
        self.start as usize..self.end as usize
    }

    /// Count of bytes.
    pub const fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.start == self.end
    }
}
