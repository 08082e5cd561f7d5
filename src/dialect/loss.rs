//! What is lost between two formats, by name: refused, or dropped and told. Nothing is lost silently.
//!
//! Fields go by their names in the format that the reader of the name speaks: what a reader ([`crate::dialect`]'s
//! `request::read`) drops by the client's own, what a writer drops by the name of Chat Completions, the format that most
//! clients know.

use core::fmt;
use std::borrow::Cow;

/// What was dropped, in order and each once.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Losses(Vec<Cow<'static, str>>);

impl Losses {
    /// One more. The name of a field is not a secret, its value is never given.
    pub fn add(&mut self, field: impl Into<Cow<'static, str>>) {
        let field = field.into();
        if !self.0.contains(&field) {
            self.0.push(field);
        }
    }

    /// Adds it if `there`.
    pub fn add_if(&mut self, there: bool, field: &'static str) {
        if there {
            self.add(field);
        }
    }

    /// Whether nothing was.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// In order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(Cow::as_ref)
    }
}

/// What cannot be carried, and must not be dropped: the answer would be to another question.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unsupported {
    /// The field, as a path: `messages[2].content[0]`, `tools`.
    pub field: Cow<'static, str>,
    /// Why: the rest of a sentence that begins with the field's name, as `needs …` or `holds …`.
    pub why: Cow<'static, str>,
}

impl Unsupported {
    /// Of a field.
    pub fn new(field: impl Into<Cow<'static, str>>, why: impl Into<Cow<'static, str>>) -> Self {
        Self {
            field: field.into(),
            why: why.into(),
        }
    }
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.field, self.why)
    }
}

impl core::error::Error for Unsupported {}
