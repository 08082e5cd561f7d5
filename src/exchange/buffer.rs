//! A growing buffer that is lent to an operation and comes back fuller, with room in front of its contents: a new head
//! is written right before a body that stays where it is, and both go out in one send.
//!
//! ```text
//!   0            from                     len           capacity
//!   │ spent/room │ not yet used up        │ spare       │
//! ```

use std::fmt;
use std::ops::Range;

use crate::exchange::context::Scratch;

/// Bytes from one peer.
#[derive(Default)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    from: usize,
}

impl fmt::Debug for Buffer {
    /// Without the bytes: they are of credentials, prompts and answers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffer")
            .field("len", &self.bytes.len())
            .field("from", &self.from)
            .finish_non_exhaustive()
    }
}

impl Buffer {
    /// A copy of these bytes, exactly as long, with room in front; and where they lie.
    pub(super) fn holding(bytes: &[u8]) -> (Self, Range<usize>) {
        let mut buffer = Self::default();
        buffer.clear();
        let start = buffer.end();
        buffer.expect(bytes.len());
        buffer.push(bytes);
        let end = buffer.end();
        (buffer, start..end)
    }

    /// What has not been used up.
    pub(super) fn unread(&self) -> &[u8] {
        self.bytes.get(self.from..).unwrap_or_default()
    }

    /// Where the unread part begins.
    pub(super) const fn from(&self) -> usize {
        self.from
    }

    /// Where the contents end.
    pub(super) const fn end(&self) -> usize {
        self.bytes.len()
    }

    /// Whether everything has been used up.
    pub(super) const fn is_empty(&self) -> bool {
        self.from >= self.bytes.len()
    }

    /// All bytes, those in front included: places are counted from here.
    pub(super) fn all(&self) -> &[u8] {
        &self.bytes
    }

    /// All bytes, for decoding in place.
    pub(super) fn all_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// Uses up everything before `at`.
    pub(super) const fn advance_to(&mut self, at: usize) {
        self.from = at;
    }

    /// Cuts the contents off at `end`.
    pub(super) fn truncate(&mut self, end: usize) {
        self.bytes.truncate(end);
    }

    /// Takes out what lies at `place`.
    pub(super) fn cut(&mut self, place: Range<usize>) {
        let end = place.end.min(self.bytes.len());
        self.bytes.drain(place.start.min(end)..end);
    }

    /// Appends.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Makes sure that so many more bytes fit, exactly: it is known how much comes.
    pub(super) fn expect(&mut self, more: usize) {
        self.bytes.reserve_exact(more);
    }

    /// Overwrites a part with zeros.
    pub(super) fn wipe(&mut self, place: Range<usize>) {
        self.bytes.get_mut(place).unwrap_or_default().fill(0);
    }

    /// Forgets the contents and leaves room in front.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.extend_from_slice(&[0; ROOM]);
        self.from = ROOM;
    }

    /// Takes memory from the core's stock, if it has none.
    pub(super) fn stock(&mut self, scratch: &mut Scratch) {
        if self.bytes.capacity() == 0 {
            self.bytes = scratch.take_buffer();
        }
        self.clear();
    }

    /// Gives its memory to the core's stock.
    pub(super) fn unstock(&mut self, scratch: &mut Scratch) {
        self.from = 0;
        scratch.give_buffer(std::mem::take(&mut self.bytes));
    }

    /// Gives memory back that an idle connection does not need.
    pub(super) fn rest(&mut self) {
        if self.bytes.capacity() > IDLE_BYTES {
            *self = Self::default();
        } else {
            self.clear();
        }
    }

    /// Gives memory back that is much more than its contents need: those of a large body that has been used up.
    pub(super) fn shrink(&mut self) {
        if self.bytes.capacity() > SHRINK_BYTES && self.unread().len() < IDLE_BYTES / 2 {
            let rest = self.unread().to_vec();
            *self = Self::default();
            self.bytes.reserve_exact(IDLE_BYTES);
            self.clear();
            self.push(&rest);
        }
    }

    /// Hands the memory to an operation that reads into its spare part.
    pub(super) fn lend_for_read(&mut self) -> Vec<u8> {
        if self.bytes.capacity() == 0 {
            self.bytes.reserve_exact(IDLE_BYTES);
            self.clear();
        } else if self.bytes.capacity() - self.bytes.len() < SPARE_MIN {
            self.bytes.reserve(self.bytes.len().max(SPARE_MIN));
        }
        std::mem::take(&mut self.bytes)
    }

    /// Hands the memory to an operation that sends from it.
    pub(super) fn lend_for_send(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    /// Takes the memory back.
    pub(super) fn take_back(&mut self, bytes: Vec<u8>) {
        self.bytes = bytes;
    }

    /// Writes `head` right before the byte at `at` and returns where it begins now. Whatever was there is overwritten;
    /// if there is not room enough, everything moves and `moved` says how far.
    pub(super) fn put_before(&mut self, at: usize, head: &[u8]) -> Put {
        let moved = head.len().saturating_sub(at);
        if moved > 0 {
            self.bytes.splice(..0, std::iter::repeat_n(0, moved));
            self.from += moved;
        }
        let end = at + moved;
        let start = end - head.len();
        if let Some(place) = self.bytes.get_mut(start..end) {
            place.copy_from_slice(head);
        }
        Put { start, moved }
    }
}

/// Where a head was put.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Put {
    /// Its first byte.
    pub(super) start: usize,
    /// How far everything behind it was moved to make room; usually not at all.
    pub(super) moved: usize,
}

/// Room in front: a head that we write has some 300 to 500 bytes, and the peer's own head lies behind the room.
const ROOM: usize = 512;
/// What an idle connection keeps: a request of an SDK with a 1.5 KB body fits with its head.
const IDLE_BYTES: usize = 4096;
/// What a connection keeps while requests follow each other without a pause.
const SHRINK_BYTES: usize = 64 * 1024;
/// A read is never offered less than this.
const SPARE_MIN: usize = 1024;

#[cfg(test)]
mod tests {
    use super::{Buffer, Put, ROOM};

    #[test]
    fn what_it_holds_is_not_shown() {
        let (buffer, _) = Buffer::holding(b"Bearer secret");
        let said = format!("{buffer:?}");
        assert!(!said.contains("66, 101") && said.contains("len"), "{said}");
    }

    #[test]
    fn a_head_goes_right_before_the_body() {
        let mut buffer = Buffer::default();
        buffer.clear();
        buffer.push(b"old head|body");
        let at = ROOM + b"old head|".len();
        let put = buffer.put_before(at, b"a new head, longer|");
        assert_eq!(
            put,
            Put {
                start: at - 19,
                moved: 0
            }
        );
        assert_eq!(&buffer.all()[put.start..], b"a new head, longer|body");
    }

    #[test]
    fn everything_moves_when_there_is_no_room() {
        let mut buffer = Buffer::default();
        buffer.push(b"hbody");
        let put = buffer.put_before(1, b"long head|");
        assert_eq!(put, Put { start: 0, moved: 9 });
        assert_eq!(buffer.all(), b"long head|body");
    }
}
