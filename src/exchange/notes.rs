//! What is copied out of a request before the provider's head is written over it: the fields that go on, and the model.
//! One piece of memory for each connection, used again for each request.

use std::ops::Range;

use crate::dialect::openai::{Passage, Patience, request_field_passage};
use crate::policy::{Caps, Facts, Kept, Needs, OwnedFacts, WallTime};
use crate::wire::Extent;
use crate::wire::h1::{Fields, write};

/// Parts of the request that are copied out of the inbox, one after the other in one reused piece of memory.
#[derive(Debug, Default)]
pub(super) struct Notes {
    bytes: Vec<u8>,
    common: Range<usize>,
    special: Range<usize>,
    prefix: Range<usize>,
    token: Range<usize>,
    model: Range<usize>,
    /// The facts, where the decision may be recorded: numbers, then values, each behind its length.
    facts: Range<usize>,
}

impl Notes {
    pub(super) fn clear(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        if bytes.capacity() > NOTES_BYTES_KEPT {
            bytes = Vec::new();
        }
        *self = Self {
            bytes,
            ..Self::default()
        };
    }

    fn add(&mut self, part: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(part);
        start..self.bytes.len()
    }

    fn part(&self, place: &Range<usize>) -> &[u8] {
        self.bytes.get(place.clone()).unwrap_or_default()
    }

    /// The same for a copy of the request, which is a request of its own for its provider: what makes two the same one
    /// stays behind.
    pub(super) fn for_copy(&self) -> Self {
        let mut copy = Self::default();
        for line in self.common_fields().split_inclusive(|&byte| byte == b'\n') {
            if !name_of(line).eq_ignore_ascii_case(IDEMPOTENCY) {
                copy.add(line);
            }
        }
        copy.common = 0..copy.bytes.len();
        copy.special = copy.add(self.part(&self.special));
        copy.prefix = copy.add(self.prefix());
        copy.token = copy.add(self.token());
        copy.model = copy.add(self.part(&self.model));
        copy
    }

    /// Field lines that go to any provider.
    pub(super) fn common_fields(&self) -> &[u8] {
        self.part(&self.common)
    }

    /// Field lines that go to some kinds of provider only.
    pub(super) fn special_fields(&self) -> impl Iterator<Item = &[u8]> {
        self.part(&self.special)
            .split_inclusive(|&byte| byte == b'\n')
    }

    /// The body before the model's name.
    pub(super) fn prefix(&self) -> &[u8] {
        self.part(&self.prefix)
    }

    /// The model's name as the client spelt it, quotes included.
    pub(super) fn token(&self) -> &[u8] {
        self.part(&self.token)
    }

    /// The model's name, after aliases.
    pub(super) fn model(&self) -> &str {
        std::str::from_utf8(self.part(&self.model)).unwrap_or_default()
    }

    /// Whether `model` is spelt by the token, so that it can stay as it is.
    pub(super) fn spells(&self, model: &str) -> bool {
        self.token()
            .get(1..self.token.len().saturating_sub(1))
            .is_some_and(|spelt| spelt == model.as_bytes() && !spelt.contains(&b'\\'))
    }

    /// Copies out what stands before the model's name, the name as it was spelt, and the name that is meant.
    pub(super) fn set_model(&mut self, body: &[u8], token: Extent, model: &str) {
        self.prefix = self.add(body.get(..token.start as usize).unwrap_or_default());
        self.token = self.add(token.of(body));
        self.model = self.add(model.as_bytes());
    }

    /// Copies out the facts that a plan with these needs reads. What may be a credential stays behind.
    pub(super) fn set_facts(&mut self, facts: &Facts<'_>, needs: &Needs) {
        let start = self.bytes.len();
        let WallTime {
            hour,
            weekday,
            date,
        } = facts.now;
        self.bytes.extend_from_slice(&facts.tokens_in.to_le_bytes());
        self.bytes.extend_from_slice(&facts.max_out.to_le_bytes());
        self.bytes
            .extend_from_slice(&[facts.has.bits(), hour, weekday]);
        self.bytes.extend_from_slice(&date.to_le_bytes());
        let headers = needs.headers.iter().zip(facts.headers);
        let meta = needs.meta.iter().zip(facts.meta);
        for (name, value) in headers.chain(meta) {
            match value {
                None => self.bytes.extend_from_slice(&MISSING.to_le_bytes()),
                Some(value) if value.len() > Kept::BYTES_MAX || Kept::is_secret(name) => {
                    self.bytes.extend_from_slice(&WITHHELD.to_le_bytes());
                }
                Some(value) => {
                    let length = u16::try_from(value.len()).unwrap_or(WITHHELD);
                    self.bytes.extend_from_slice(&length.to_le_bytes());
                    self.bytes.extend_from_slice(value.as_bytes());
                }
            }
        }
        self.facts = start..self.bytes.len();
    }

    /// What [`Notes::set_facts`] has copied, with the same needs.
    pub(super) fn facts(&self, needs: &Needs) -> OwnedFacts {
        let mut rest = self.part(&self.facts);
        OwnedFacts {
            tokens_in: take(&mut rest).map_or(0, u64::from_le_bytes),
            max_out: take(&mut rest).map_or(0, u64::from_le_bytes),
            has: Caps::from_bits(take(&mut rest).map_or(0, u8::from_le_bytes)),
            now: WallTime {
                hour: take(&mut rest).map_or(0, u8::from_le_bytes),
                weekday: take(&mut rest).map_or(0, u8::from_le_bytes),
                date: take(&mut rest).map_or(0, i32::from_le_bytes),
            },
            headers: needs.headers.iter().map(|_| kept(&mut rest)).collect(),
            meta: needs.meta.iter().map(|_| kept(&mut rest)).collect(),
            ..OwnedFacts::default()
        }
    }

    /// Copies out the fields that go on, and tells how long the client waits.
    pub(super) fn set_fields(&mut self, head: &[u8], fields: &Fields) -> Patience {
        let mut patience = Patience::default();
        let start = self.bytes.len();
        let mut particular = false;
        for (name, value) in fields.iter(head) {
            patience.take(name, value);
            match request_field_passage(name) {
                Passage::Stays => {}
                // None of the fields that pass are of one hop, but a client may have made one so.
                _ if fields.is_named_by_connection(head, name) => {}
                Passage::Passes => write::field(name, value, &mut self.bytes),
                Passage::PassesTo(_) => particular = true,
            }
        }
        self.common = start..self.bytes.len();
        if particular {
            self.set_special_fields(head, fields);
        }
        patience
    }

    fn set_special_fields(&mut self, head: &[u8], fields: &Fields) {
        let start = self.bytes.len();
        for (name, value) in fields.iter(head) {
            let special = matches!(request_field_passage(name), Passage::PassesTo(_));
            if special && !fields.is_named_by_connection(head, name) {
                write::field(name, value, &mut self.bytes);
            }
        }
        self.special = start..self.bytes.len();
    }
}

/// The next bytes.
fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, behind) = rest.split_first_chunk()?;
    *rest = behind;
    Some(*taken)
}

/// The next value.
fn kept(rest: &mut &[u8]) -> Kept {
    match take(rest).map_or(MISSING, u16::from_le_bytes) {
        MISSING => Kept::Missing,
        WITHHELD => Kept::Withheld,
        length => {
            let (value, behind) = rest.split_at_checked(length.into()).unwrap_or_default();
            *rest = behind;
            std::str::from_utf8(value).map_or(Kept::Withheld, |value| Kept::Text(value.into()))
        }
    }
}

/// In place of a value's length.
const MISSING: u16 = u16::MAX;
const WITHHELD: u16 = u16::MAX - 1;

/// The name of a field line.
pub(super) fn name_of(line: &[u8]) -> &[u8] {
    line.split(|&byte| byte == b':').next().unwrap_or_default()
}

/// Says that two requests are one.
pub(super) const IDEMPOTENCY: &[u8] = b"idempotency-key";
/// Memory for notes that an idle connection keeps.
const NOTES_BYTES_KEPT: usize = 1024;
