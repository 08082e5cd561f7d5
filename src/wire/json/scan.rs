//! Finds values of a top-level object without building a document, while the body still arrives.
//!
//! A provider that is given a body may read it differently from whoever checked it: it may take the last of two
//! `model`s, decode `"mod\u0065l"`, or go on behind the object. So the whole top level is read, keys are decoded,
//! duplicates of asked keys are refused, and only white space may follow.
//!
//! Checked: UTF-8 of the whole body; structure, keys, strings, numbers and literals of the top level; brackets and
//! quotes of everything below, and that no byte stands outside strings there that JSON has no use for (so no comments
//! and no single quotes). Not checked: the order of tokens, numbers, escapes and control characters below the top level.
//! A body that only passes through is judged there by its provider.

use std::sync::LazyLock;

use crate::wire::{Extent, Needle};

use super::BadJson;
use super::key::{Key, KeySet};
use super::nesting::{Nesting, Skipped};
use super::text::{close_quote, has_control, unescape};
use super::value::is_number;

/// A scan of one body. Resumable at every byte.
#[derive(Clone, Debug)]
pub struct TopLevel {
    state: State,
    /// Everything before it was looked at.
    at: usize,
    /// Where the key or value that `at` lies in begins.
    start: usize,
    asked: KeySet,
    seen: KeySet,
    /// The asked key whose value comes next.
    key: Option<Key>,
    values: [Extent; Key::COUNT],
    nesting: Nesting,
    /// Everything before it is UTF-8.
    valid: usize,
    /// Just behind the opening brace.
    opening: usize,
    empty: bool,
    failed: Option<BadJson>,
}

/// How far a scan is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Progress {
    /// The object has not ended.
    Partial,
    /// It has, and nothing but white space came after it.
    Complete,
}

/// What comes next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Opening,
    /// A key, or the end of an object without members.
    FirstKey,
    NextKey,
    /// The rest of a key.
    InKey,
    Colon,
    Value,
    /// The rest of a string.
    InText,
    /// The rest of a number or literal.
    InScalar,
    /// The rest of an array or object.
    InNested,
    /// A comma, or the end of the object.
    Comma,
    Behind,
}

/// What a step found out: the next state, or that it needs more bytes.
type Next = Result<Option<State>, BadJson>;

impl TopLevel {
    /// At the start of a body, looking for the keys in `asked`.
    pub const fn new(asked: KeySet) -> Self {
        Self {
            state: State::Opening,
            at: 0,
            start: 0,
            asked,
            seen: KeySet::EMPTY,
            key: None,
            values: [Extent::EMPTY; Key::COUNT],
            nesting: Nesting::NONE,
            valid: 0,
            opening: 0,
            empty: true,
            failed: None,
        }
    }

    /// Goes on with `body`: the bytes of the last call and those that have arrived since. An error is final.
    pub fn feed(&mut self, body: &[u8]) -> Result<Progress, BadJson> {
        match self.failed {
            Some(error) => Err(error),
            None => self
                .run(body)
                .inspect_err(|error| self.failed = Some(*error)),
        }
    }

    /// The error of a body that has ended although [`Self::feed`] said [`Progress::Partial`].
    pub const fn cut(&self) -> BadJson {
        BadJson {
            offset: self.at,
            reason: match self.state {
                State::Opening => "the body is empty",
                _ => "the body ends within its JSON object",
            },
        }
    }

    /// Where the value of an asked key lies, quotes or brackets included; `None` if the object has no such key so far.
    pub fn value(&self, key: Key) -> Option<Extent> {
        self.values
            .get(key as usize)
            .copied()
            .filter(|place| !place.is_empty())
    }

    /// The offset behind the opening brace, where a member can be inserted, once that brace was seen.
    pub const fn opening(&self) -> usize {
        self.opening
    }

    /// Whether the object has no members so far.
    pub const fn is_empty(&self) -> bool {
        self.empty
    }

    fn run(&mut self, body: &[u8]) -> Result<Progress, BadJson> {
        self.check_utf8(body)?;
        loop {
            let next = match self.state {
                State::InNested => self.nested(body)?,
                State::InText => self.text(body)?,
                State::InKey => self.in_key(body)?,
                State::InScalar => self.scalar(body)?,
                _ => self.token(body)?,
            };
            match next {
                Some(state) => self.state = state,
                None if self.state == State::Behind => return Ok(Progress::Complete),
                None => return Ok(Progress::Partial),
            }
        }
    }

    /// Validates what is new, up to a character that is not complete.
    fn check_utf8(&mut self, body: &[u8]) -> Result<(), BadJson> {
        let fresh = body.get(self.valid..).unwrap_or_default();
        match simdutf8::compat::from_utf8(fresh) {
            Ok(_) => self.valid = body.len().max(self.valid),
            Err(error) => {
                self.valid += error.valid_up_to();
                // Behind the object a cut character is no white space and is noticed there.
                if error.error_len().is_some() {
                    return Err(BadJson {
                        offset: self.valid,
                        reason: "the body is not UTF-8",
                    });
                }
            }
        }
        Ok(())
    }

    /// One token of the top level, white space before it skipped.
    fn token(&mut self, body: &[u8]) -> Next {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = body.get(self.at) {
            self.at += 1;
        }
        let Some(&byte) = body.get(self.at) else {
            return Ok(None);
        };
        let at = self.at;
        let next = match (self.state, byte) {
            (State::Opening, b'{') => {
                self.opening = at + 1;
                State::FirstKey
            }
            (State::FirstKey | State::NextKey, b'"') => {
                self.empty = false;
                self.start = at;
                State::InKey
            }
            (State::FirstKey | State::Comma, b'}') => State::Behind,
            (State::Colon, b':') => State::Value,
            (State::Comma, b',') => State::NextKey,
            (State::Value, _) => return self.begin_value(byte).map(Some),
            (state, _) => return Err(self.unexpected(state)),
        };
        self.at += 1;
        Ok(Some(next))
    }

    fn begin_value(&mut self, byte: u8) -> Result<State, BadJson> {
        self.start = self.at;
        match byte {
            b'"' => {
                self.at += 1;
                Ok(State::InText)
            }
            b'{' | b'[' => {
                self.nesting = Nesting::NONE;
                Ok(State::InNested)
            }
            b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => Ok(State::InScalar),
            _ => Err(self.unexpected(State::Value)),
        }
    }

    fn in_key(&mut self, body: &[u8]) -> Next {
        let end = match close_quote(body, self.at) {
            Ok(end) => end,
            Err(resume) => {
                self.at = resume;
                return Ok(None);
            }
        };
        // Errors of a key point at its beginning.
        self.at = self.start;
        let name = body.get(self.start + 1..end).unwrap_or_default();
        if has_control(name) {
            return Err(self.bad("a key holds a control character"));
        }
        self.key = self.find_key(name)?;
        if let Some(key) = self.key {
            if self.seen.has(key) {
                return Err(self.bad("a key that the gateway reads occurs twice"));
            }
            self.seen = self.seen.with(key);
        }
        self.at = end + 1;
        Ok(Some(State::Colon))
    }

    /// The asked key that `name` spells.
    fn find_key(&self, name: &[u8]) -> Result<Option<Key>, BadJson> {
        let plain = |byte: &u8| byte.is_ascii_lowercase() || *byte == b'_';
        if name.iter().all(plain) {
            return Ok(Key::from_name(name).filter(|&key| self.asked.has(key)));
        }
        let mut spelt = Vec::new();
        unescape(name, &mut spelt).ok_or_else(|| self.bad("a key holds an invalid escape"))?;
        if let Some(key) = Key::from_name(&spelt) {
            return Ok(Some(key).filter(|&key| self.asked.has(key)));
        }
        // Some providers match keys in any case, Unicode's long s and Kelvin sign included.
        let folded = String::from_utf8_lossy(&spelt)
            .to_uppercase()
            .to_lowercase();
        match Key::from_name(folded.as_bytes()) {
            Some(key) if self.asked.has(key) => {
                Err(self.bad("a key differs only in case from one that the gateway reads"))
            }
            _ => Ok(None),
        }
    }

    fn text(&mut self, body: &[u8]) -> Next {
        match close_quote(body, self.at) {
            Ok(end) => {
                if has_control(body.get(self.start..end).unwrap_or_default()) {
                    self.at = self.start;
                    return Err(self.bad("a string holds a control character"));
                }
                Ok(Some(self.end_value(end + 1)))
            }
            Err(resume) => {
                self.at = resume;
                Ok(None)
            }
        }
    }

    fn scalar(&mut self, body: &[u8]) -> Next {
        let rest = body.get(self.at..).unwrap_or_default();
        let ends = |byte: &u8| matches!(byte, b',' | b'}' | b' ' | b'\n' | b'\r' | b'\t');
        let Some(len) = rest.iter().position(ends) else {
            self.at = body.len().max(self.at);
            return Ok(None);
        };
        let end = self.at + len;
        let scalar = body.get(self.start..end).unwrap_or_default();
        if !matches!(scalar, b"true" | b"false" | b"null") && !is_number(scalar) {
            self.at = self.start;
            return Err(self.unexpected(State::Value));
        }
        Ok(Some(self.end_value(end)))
    }

    fn nested(&mut self, body: &[u8]) -> Next {
        match self.nesting.skip(body, self.at) {
            Ok(Skipped::Closed(end)) => Ok(Some(self.end_value(end))),
            Ok(Skipped::Open(at)) => {
                self.at = at;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn end_value(&mut self, end: usize) -> State {
        if let Some(place) = self
            .key
            .take()
            .and_then(|key| self.values.get_mut(key as usize))
        {
            *place = Extent::new(self.start, end);
        }
        self.at = end;
        State::Comma
    }

    const fn unexpected(&self, state: State) -> BadJson {
        self.bad(match state {
            State::Opening => "the body is not a JSON object",
            State::FirstKey | State::NextKey => "there is no key where one belongs",
            State::Colon => "there is no colon behind a key",
            State::Value => "there is no JSON value behind a key",
            State::Comma => "there is neither a comma nor a closing brace behind a value",
            _ => "there is more behind the JSON object",
        })
    }

    const fn bad(&self, reason: &'static str) -> BadJson {
        BadJson {
            offset: self.at,
            reason,
        }
    }
}

/// Whether an answer needs no closer look: an object from its first byte to its last that has a list of objects under
/// `choices` or `data`, `"error"` nowhere, and as many braces that open as that close: one that was cut has not.
/// `false` says nothing: then the answer has to be read, as is one whose texts hold a brace alone.
///
/// PERF: two substring searches and a count on vectors, some 50 ns, instead of a walk over the whole answer. The
/// words with their quotes can only be keys or whole strings: inside a text the quotes would be escaped.
pub fn is_plain_answer(body: &[u8]) -> bool {
    static ERROR: LazyLock<Needle> = LazyLock::new(|| Needle::new(b"\"error\""));
    static CHOICES: LazyLock<Needle> = LazyLock::new(|| Needle::new(b"\"choices\""));
    static DATA: LazyLock<Needle> = LazyLock::new(|| Needle::new(b"\"data\""));
    let body = body.trim_ascii();
    let lists_objects = |list: &Needle| {
        let behind = list
            .first_in(body)
            .and_then(|at| body.get(at + list.text().len()..));
        behind.is_some_and(opens_list_of_objects)
    };
    body.starts_with(b"{")
        && body.ends_with(b"}")
        && (lists_objects(&CHOICES) || lists_objects(&DATA))
        && ERROR.first_in(body).is_none()
        && braces_balance(body)
}

/// Whether as many braces open as close.
///
/// PERF: a sum for each place in a block, so that it runs on vectors of bytes; no sum leaves its byte within a stretch.
fn braces_balance(body: &[u8]) -> bool {
    const BLOCK: usize = 32;
    const STRETCH: usize = BLOCK * i8::MAX as usize;
    let step = |byte: u8| i8::from(byte == b'{').wrapping_sub(i8::from(byte == b'}'));
    let mut open = 0_i64;
    for stretch in body.chunks(STRETCH) {
        let (blocks, rest) = stretch.as_chunks::<BLOCK>();
        let mut sums = [0_i8; BLOCK];
        for block in blocks {
            for (sum, &byte) in sums.iter_mut().zip(block) {
                *sum = sum.wrapping_add(step(byte));
            }
        }
        let all = sums
            .iter()
            .copied()
            .chain(rest.iter().map(|&byte| step(byte)));
        open += all.map(i64::from).sum::<i64>();
    }
    open == 0
}

/// Whether `text` goes on with `: [ {`, with any white space between.
fn opens_list_of_objects(text: &[u8]) -> bool {
    let mut rest = text;
    for expected in [b':', b'[', b'{'] {
        match rest.trim_ascii_start().split_first() {
            Some((&byte, behind)) if byte == expected => rest = behind,
            _ => return false,
        }
    }
    true
}
