//! One direction of a connection: bytes that arrive at known moments, and how the direction ends.

use std::collections::VecDeque;

use crate::base::{Moment, Span};

/// Bytes under way to one reader.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    bytes: Vec<u8>,
    /// Up to where the bytes have arrived at which moment, in order.
    parts: VecDeque<(Moment, usize)>,
    taken: usize,
    end: Option<(Moment, Ending)>,
}

/// How a direction ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Ending {
    /// In order: the reader gets everything, then the end.
    Closed,
    /// By a reset: what has arrived and was not read is lost.
    Reset,
}

/// What a reader finds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Found {
    /// So many bytes were appended.
    Bytes(usize),
    /// The end.
    End(Ending),
    /// Nothing before this moment, [`Moment::NEVER`] included.
    Later(Moment),
}

impl Found {
    /// When to look again, if there was nothing.
    pub(super) const fn later(self) -> Moment {
        match self {
            Self::Later(at) => at,
            Self::Bytes(_) | Self::End(_) => Moment::NEVER,
        }
    }
}

/// What is to be written, when, and how it ends: a peer's answer, decided all at once.
#[derive(Debug, Default)]
pub(super) struct Script {
    /// All bytes.
    pub(super) bytes: Vec<u8>,
    /// From the script's beginning, and up to which byte.
    pub(super) parts: Vec<(Span, usize)>,
    /// How the direction ends behind the last part, and how long after it.
    pub(super) end: Option<(Span, Ending)>,
}

impl Script {
    /// Forgets everything but its memory.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.parts.clear();
        self.end = None;
    }

    /// Makes a part of what was written since the last one; it comes so long after it.
    pub(super) fn part(&mut self, delay: Span) {
        let end = self.bytes.len();
        match self.parts.last_mut() {
            Some(last) if delay == Span::ZERO => last.1 = end,
            last => {
                let since = last.map_or(Span::ZERO, |last| last.0);
                self.parts.push((since.saturating_add(delay), end));
            }
        }
    }

    /// Ends the direction so long after the last part.
    pub(super) const fn ends(&mut self, delay: Span, ending: Ending) {
        self.end = Some((delay, ending));
    }
}

impl Pipe {
    /// More bytes, which arrive at `at`, not before those that were sent earlier.
    pub(super) fn push(&mut self, at: Moment, bytes: &[u8]) {
        self.compact();
        let at = self.parts.back().map_or(at, |&(last, _)| at.max(last));
        self.bytes.extend_from_slice(bytes);
        self.parts.push_back((at, self.bytes.len()));
    }

    /// A whole script, from `from` on.
    pub(super) fn play(&mut self, from: Moment, script: &Script) {
        self.compact();
        let offset = self.bytes.len();
        self.bytes.extend_from_slice(&script.bytes);
        let mut last = Span::ZERO;
        for &(delay, end) in &script.parts {
            self.parts.push_back((from + delay, offset + end));
            last = delay;
        }
        if let Some((delay, ending)) = script.end {
            self.end(from + last + delay, ending);
        }
    }

    /// Ends the direction at `at`, unless it ended before.
    pub(super) fn end(&mut self, at: Moment, ending: Ending) {
        if self.end.is_none_or(|(before, _)| at < before) {
            self.end = Some((at, ending));
        }
    }

    /// Takes an end back that has not come yet.
    pub(super) const fn stay_open(&mut self) {
        self.end = None;
    }

    /// Whether nothing more comes from `now` on that was not there before.
    pub(super) fn is_over(&self, now: Moment) -> bool {
        self.end.is_some_and(|(at, _)| at <= now)
    }

    /// Whether everything that was sent was read.
    pub(super) fn is_empty(&self) -> bool {
        self.taken == self.bytes.len()
    }

    /// Appends what has arrived to `into`, at most its spare capacity.
    pub(super) fn read(&mut self, now: Moment, into: &mut Vec<u8>) -> Found {
        if let Some((at, Ending::Reset)) = self.end
            && at <= now
        {
            return Found::End(Ending::Reset);
        }
        let mut there = self.taken;
        let mut next = Moment::NEVER;
        for &(at, end) in &self.parts {
            if at > now {
                next = at;
                break;
            }
            there = end;
        }
        let count = (there - self.taken).min(into.capacity() - into.len());
        if count > 0 {
            let from = self.taken;
            self.taken += count;
            into.extend_from_slice(self.bytes.get(from..self.taken).unwrap_or_default());
            while self
                .parts
                .front()
                .is_some_and(|&(_, end)| end <= self.taken)
            {
                self.parts.pop_front();
            }
            return Found::Bytes(count);
        }
        match self.end {
            Some((at, ending)) if at <= now && next == Moment::NEVER => Found::End(ending),
            Some((at, _)) if at > now => Found::Later(next.min(at)),
            Some(_) | None => Found::Later(next),
        }
    }

    fn compact(&mut self) {
        if self.is_empty() {
            self.bytes.clear();
            self.parts.clear();
            self.taken = 0;
        }
    }
}
