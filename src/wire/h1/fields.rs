//! The fields of a head, as places in the bytes it was parsed from. One table per connection, reused for each message.
//! Knows which fields end at the next hop; what the others mean is for the callers.

use crate::wire::Extent;

use super::trim_ows;

/// The header fields of the message that was parsed last.
#[derive(Debug, Default)]
pub struct Fields {
    table: Vec<Field>,
    /// Whether `Connection` names fields of its own, which is rare enough to look only then.
    names_fields: bool,
}

#[derive(Clone, Copy, Debug)]
struct Field {
    name: Extent,
    value: Extent,
}

impl Fields {
    /// An empty table; it grows to the most fields any message had.
    pub const fn new() -> Self {
        Self {
            table: Vec::new(),
            names_fields: false,
        }
    }

    /// Each field in order: its name as it was spelt, and its value without the white space around it. `bytes` is what
    /// the head was parsed from.
    pub fn iter<'a>(&'a self, bytes: &'a [u8]) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        self.table
            .iter()
            .map(|field| (field.name.of(bytes), field.value.of(bytes)))
    }

    /// The value of the first field called `name`, in any case.
    pub fn value<'a>(&self, bytes: &'a [u8], name: &str) -> Option<&'a [u8]> {
        // PERF: most names are of another length, which costs no look at them.
        self.table
            .iter()
            .filter(|field| field.name.len() == name.len())
            .find(|field| field.name.of(bytes).eq_ignore_ascii_case(name.as_bytes()))
            .map(|field| field.value.of(bytes))
    }

    /// The fields that may travel on: all but those of one hop (RFC 9110 section 7.6.1), those that `Connection` names,
    /// and `Content-Length`, because framing is the business of whoever writes the next head.
    pub fn end_to_end<'a>(&'a self, bytes: &'a [u8]) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        self.iter(bytes).filter(move |(name, _)| {
            !is_hop_by_hop(name) && !self.is_named_by_connection(bytes, name)
        })
    }

    /// Whether `Connection` names the field. `Host` and `Content-Length` cannot be taken away like that.
    pub fn is_named_by_connection(&self, bytes: &[u8], name: &[u8]) -> bool {
        self.names_fields
            && !name_is(name, "host")
            && !name_is(name, "content-length")
            && self
                .iter(bytes)
                .filter(|(field, _)| name_is(field, "connection"))
                .flat_map(|(_, value)| list(value))
                .any(|named| named.eq_ignore_ascii_case(name))
    }

    /// Count of fields.
    pub const fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.table.clear();
        self.names_fields = false;
    }

    pub(super) fn push(&mut self, name: Extent, value: Extent) {
        self.table.push(Field { name, value });
    }

    pub(super) const fn connection_names_fields(&mut self) {
        self.names_fields = true;
    }
}

/// Whether a field name is `name`, which is made of small letters, hyphens and slashes.
///
/// PERF: eight bytes at a time, and without a look at what each of them is: of all that a field may hold only a capital
/// letter differs from one of these in nothing but this bit (RFC 9110 section 5.5).
#[inline]
pub(super) fn name_is(field: &[u8], name: &str) -> bool {
    const SMALL: u64 = 0x2020_2020_2020_2020;
    debug_assert!(
        name.bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'-' | b'/')),
        "other bytes have other twins"
    );
    let (words, rest) = field.as_chunks::<8>();
    let (name_words, name_rest) = name.as_bytes().as_chunks::<8>();
    let word_is = |(word, name): (&[u8; 8], &[u8; 8])| {
        u64::from_le_bytes(*word) | SMALL == u64::from_le_bytes(*name)
    };
    let byte_is = |(byte, name): (&u8, &u8)| byte | 0x20 == *name;
    field.len() == name.len()
        && words.iter().zip(name_words).all(word_is)
        && rest.iter().zip(name_rest).all(byte_is)
}

/// The elements of a comma-separated value, trimmed; empty ones are skipped (RFC 9110 section 5.6.1).
pub(super) fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value
        .split(|&byte| byte == b',')
        .map(trim_ows)
        .filter(|element| !element.is_empty())
}

fn is_hop_by_hop(name: &[u8]) -> bool {
    match name.len() {
        2 => name_is(name, "te"),
        7 => name_is(name, "upgrade") || name_is(name, "trailer"),
        10 => name_is(name, "connection") || name_is(name, "keep-alive"),
        14 => name_is(name, "content-length"),
        16 => name_is(name, "proxy-connection"),
        17 => name_is(name, "transfer-encoding"),
        _ => false,
    }
}
