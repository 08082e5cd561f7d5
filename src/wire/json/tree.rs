//! A whole document, to be read member by member: for bodies that are said again in another format. Parsed by
//! `simd-json` into one flat list, in the order in which it was written; strings point into the text.
//!
//! A member that is `null` reads as one that is not there: no format that is read here tells the two apart.

use core::fmt::{self, Write as _};

use simd_json::tape::Tape;
use simd_json::{Buffers, Node as Token, StaticNode};

use crate::base::limits::JSON_DEPTH_MAX;

use super::{BadJson, patch};

/// A parsed document. Its text was overwritten by its own strings.
pub struct Tree<'t>(Tape<'t>);

impl<'t> Tree<'t> {
    /// Parses all of `text`. Fails if it is not one valid JSON value (RFC 8259), or is nested deeper than
    /// [`JSON_DEPTH_MAX`].
    pub fn parse(text: &'t mut [u8]) -> Result<Self, BadJson> {
        let mut buffers = Buffers::with_max_depth(text.len(), JSON_DEPTH_MAX as usize);
        let mut tape = Tape(Vec::new());
        match simd_json::fill_tape(text, &mut buffers, &mut tape) {
            Ok(()) => Ok(Self(tape)),
            Err(error) => Err(BadJson {
                offset: error.index(),
                reason: "the body is not valid JSON",
            }),
        }
    }

    /// Its outermost value.
    pub fn root(&self) -> Node<'_> {
        Node(&self.0.0)
    }
}

impl fmt::Debug for Tree<'_> {
    /// Without the contents: they are a prompt or an answer.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tree").finish_non_exhaustive()
    }
}

/// One value of a [`Tree`]: its token, and those of all that is in it.
#[derive(Clone, Copy)]
pub struct Node<'a>(&'a [Token<'a>]);

impl<'a> Node<'a> {
    /// The member `key` of an object, unless it is `null`. The first one, if there are several.
    pub fn get(self, key: &str) -> Option<Self> {
        self.members()
            .find_map(|(name, value)| (name == key).then_some(value))
            .filter(|value| !value.is_null())
    }

    /// The string at `key`.
    pub fn text(self, key: &str) -> Option<&'a str> {
        self.get(key)?.as_str()
    }

    /// The elements of the array at `key`; none if there is no array.
    pub fn list(self, key: &str) -> Elements<'a> {
        self.get(key).map_or(Elements(&[]), Self::elements)
    }

    /// Whether it is `null`.
    pub fn is_null(self) -> bool {
        matches!(self.0.first(), None | Some(Token::Static(StaticNode::Null)))
    }

    /// Whether it is an object.
    pub fn is_object(self) -> bool {
        matches!(self.0.first(), Some(Token::Object { .. }))
    }

    /// Whether it is an array.
    pub fn is_array(self) -> bool {
        matches!(self.0.first(), Some(Token::Array { .. }))
    }

    /// The string, if it is one.
    pub fn as_str(self) -> Option<&'a str> {
        match self.0.first() {
            Some(Token::String(text)) => Some(text),
            _ => None,
        }
    }

    /// The truth value, if it is one.
    pub fn as_bool(self) -> Option<bool> {
        match self.0.first() {
            Some(Token::Static(StaticNode::Bool(truth))) => Some(*truth),
            _ => None,
        }
    }

    /// The number, if it is a whole one from 0 to 2⁶⁴ − 1.
    pub fn as_u64(self) -> Option<u64> {
        match self.0.first() {
            Some(Token::Static(StaticNode::U64(number))) => Some(*number),
            Some(Token::Static(StaticNode::I64(number))) => u64::try_from(*number).ok(),
            _ => None,
        }
    }

    /// The number, if it is one; whole ones beyond 2⁵³ lose their last digits.
    #[expect(clippy::cast_precision_loss, reason = "settings, not identifiers")]
    pub fn as_f64(self) -> Option<f64> {
        match self.0.first() {
            Some(Token::Static(StaticNode::F64(number))) => Some(*number),
            Some(Token::Static(StaticNode::U64(number))) => Some(*number as f64),
            Some(Token::Static(StaticNode::I64(number))) => Some(*number as f64),
            _ => None,
        }
    }

    /// The elements of an array; none of anything else.
    pub fn elements(self) -> Elements<'a> {
        match self.0 {
            [Token::Array { .. }, elements @ ..] => Elements(elements),
            _ => Elements(&[]),
        }
    }

    /// The members of an object, in the order in which they were written; none of anything else.
    pub fn members(self) -> Members<'a> {
        match self.0 {
            [Token::Object { .. }, members @ ..] => Members(members),
            _ => Members(&[]),
        }
    }

    /// Appends it as JSON without white space, its members in their order: the same value gives the same bytes.
    pub fn write(self, out: &mut Vec<u8>) {
        match self.0.first() {
            Some(Token::String(text)) => patch::string(text, out),
            Some(Token::Array { .. }) => {
                out.push(b'[');
                for (at, element) in self.elements().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    element.write(out);
                }
                out.push(b']');
            }
            Some(Token::Object { .. }) => {
                out.push(b'{');
                for (at, (key, value)) in self.members().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    patch::string(key, out);
                    out.push(b':');
                    value.write(out);
                }
                out.push(b'}');
            }
            Some(Token::Static(StaticNode::Bool(true))) => out.extend_from_slice(b"true"),
            Some(Token::Static(StaticNode::Bool(false))) => out.extend_from_slice(b"false"),
            Some(Token::Static(StaticNode::U64(number))) => append(format_args!("{number}"), out),
            Some(Token::Static(StaticNode::I64(number))) => append(format_args!("{number}"), out),
            Some(Token::Static(StaticNode::F64(number))) => append(format_args!("{number:?}"), out),
            Some(Token::Static(StaticNode::Null)) | None => out.extend_from_slice(b"null"),
        }
    }
}

impl fmt::Debug for Node<'_> {
    /// Without the contents: they are a prompt or an answer.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").finish_non_exhaustive()
    }
}

/// The elements of an array.
#[derive(Clone)]
pub struct Elements<'a>(&'a [Token<'a>]);

impl<'a> Iterator for Elements<'a> {
    type Item = Node<'a>;

    fn next(&mut self) -> Option<Node<'a>> {
        take_value(&mut self.0)
    }
}

impl fmt::Debug for Elements<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Elements").finish_non_exhaustive()
    }
}

/// The members of an object.
#[derive(Clone)]
pub struct Members<'a>(&'a [Token<'a>]);

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, Node<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let key = take_value(&mut self.0)?.as_str()?;
        Some((key, take_value(&mut self.0)?))
    }
}

impl fmt::Debug for Members<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Members").finish_non_exhaustive()
    }
}

/// Takes the first value off a list of tokens.
fn take_value<'a>(tokens: &mut &'a [Token<'a>]) -> Option<Node<'a>> {
    let length = match tokens.first()? {
        Token::Object { count, .. } | Token::Array { count, .. } => count + 1,
        Token::String(_) | Token::Static(_) => 1,
    };
    let (value, rest) = tokens.split_at_checked(length)?;
    *tokens = rest;
    Some(Node(value))
}

/// Appends formatted text.
pub(super) fn append(text: fmt::Arguments<'_>, out: &mut Vec<u8>) {
    struct Appended<'o>(&'o mut Vec<u8>);
    impl fmt::Write for Appended<'_> {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.extend_from_slice(text.as_bytes());
            Ok(())
        }
    }
    let written = Appended(out).write_fmt(text);
    debug_assert!(written.is_ok(), "appending to memory does not fail");
}
