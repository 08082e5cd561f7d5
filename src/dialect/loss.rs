//! What is lost between two formats, by name: refused, or dropped and told. Nothing is lost silently.
//!
//! Fields go by their names in the format that the reader of the name speaks: what a reader ([`crate::dialect`]'s
//! `request::read`) drops by the client's own, what a writer drops by the name of Chat Completions, the format that most
//! clients know.

use core::fmt;
use std::borrow::Cow;

use crate::wire::json::Node;

/// What was dropped, in order and each once.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Losses(Vec<Cow<'static, str>>);

impl Losses {
    /// One more. The name of a field is not a secret, its value is never given. Beyond `KEPT_MAX` nobody reads on, and a
    /// request can have a million.
    pub fn add(&mut self, field: impl Into<Cow<'static, str>>) {
        let field = field.into();
        if self.0.len() < KEPT_MAX && !self.0.contains(&field) {
            self.0.push(field);
        }
    }

    /// Names what `object` says beside the members that are `known`: those that its reader takes. `path` is where it
    /// stands: `tools[].`. Nothing is said by `null`, nor by an empty list. A name is the client's own word and goes into a
    /// field of a head, so that only plain ones are repeated.
    pub fn add_rest(&mut self, object: Node<'_>, known: &[&str], path: &str) {
        for (key, value) in object.members() {
            if !known.contains(&key) {
                self.add_said(path, key, value);
            }
        }
    }

    /// Names a member that is not known, behind `path`, if it says something.
    pub fn add_said(&mut self, path: &str, key: &str, value: Node<'_>) {
        let is_empty = value.is_array() && value.elements().next().is_none();
        if !value.is_null() && !is_empty {
            self.add_unknown(path, key);
        }
    }

    /// Names a member that is not known, behind `path`, whatever it says.
    pub fn add_unknown(&mut self, path: &str, key: &str) {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        let is_told = key.len() <= KEY_BYTES_MAX && key.bytes().all(is_plain);
        self.add(format!("{path}{}", if is_told { key } else { "*" }));
    }

    /// Adds it if `there`.
    pub fn add_if(&mut self, there: bool, field: &'static str) {
        if there {
            self.add(field);
        }
    }

    /// Adds a number if there is one other than what models do by themselves: that is not lost.
    pub fn add_unless_usual(&mut self, value: Option<f64>, usual: f64, field: &'static str) {
        let is_usual = |it: f64| (it - usual).abs() < f64::EPSILON;
        self.add_if(value.is_some_and(|it| !is_usual(it)), field);
    }

    /// Whether nothing was.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As a list for a header field: names are the client's own words, so that only those that are plain and short are told
    /// as they are, and no more than two dozen.
    pub fn listed(&self) -> String {
        let is_plain = |name: &&str| {
            name.len() <= NAME_BYTES_MAX
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_graphic() && byte != b',')
        };
        let mut list = String::new();
        for name in self.iter().take(LISTED_MAX) {
            if !list.is_empty() {
                list.push_str(", ");
            }
            list.push_str(Some(name).filter(is_plain).unwrap_or("*"));
        }
        if self.0.len() > LISTED_MAX {
            list.push_str(", ...");
        }
        list
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

    /// The whole of it: what is wrong, and between which formats, by their words.
    pub fn between(&self, client: &str, provider: &str) -> String {
        format!("{self} (a request in `{client}`, to be said in `{provider}`)")
    }
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.field, self.why)
    }
}

impl core::error::Error for Unsupported {}

/// What a member holds, unless that is something else than `what`: left out silently, it would be lost.
///
/// # Errors
/// It is something else.
pub fn typed<T>(field: &str, value: Option<T>, what: &str) -> Result<T, Unsupported> {
    value.ok_or_else(|| Unsupported::new(field.to_owned(), format!("is not {what}")))
}

/// A word for [`typed`].
pub const BOOL: &str = "`true` or `false`";
/// A word for [`typed`].
pub const LIST: &str = "a list";
/// A word for [`typed`].
pub const NUMBER: &str = "a number";
/// A word for [`typed`].
pub const OBJECT: &str = "an object";
/// A word for [`typed`].
pub const TEXT: &str = "a text";
/// A word for [`typed`].
pub const WHOLE: &str = "a whole number from 0";

/// Names that are kept of one request.
const KEPT_MAX: usize = 64;
/// Bytes of a client's name for a member that are repeated.
const KEY_BYTES_MAX: usize = 48;
/// Names in a header field.
const LISTED_MAX: usize = 24;
/// Bytes of a name in a header field.
const NAME_BYTES_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::Losses;
    use crate::wire::json::Tree;

    #[test]
    fn what_is_not_known_is_named() {
        let mut text = *br#"{"a":1,"b":null,"c":[],"d":"","e\r\n":2,"a b":3,"f":{}}"#;
        let tree = Tree::parse(&mut text).unwrap();
        let mut losses = Losses::default();
        losses.add_rest(tree.root(), &["a"], "x[].");
        assert_eq!(
            losses.iter().collect::<Vec<_>>(),
            ["x[].d", "x[].*", "x[].f"]
        );
    }

    #[test]
    fn a_million_names_are_not_kept() {
        let mut losses = Losses::default();
        (0..1_000_000).for_each(|number| losses.add(number.to_string()));
        assert_eq!(losses.iter().count(), super::KEPT_MAX);
    }

    #[test]
    fn a_list_is_fit_for_a_header() {
        let mut losses = Losses::default();
        for name in ["seed", "seed", "top_k", "x\r\nset-cookie: a", "a,b", "é"] {
            losses.add(name.to_owned());
        }
        losses.add("y".repeat(65));
        assert_eq!(losses.listed(), "seed, top_k, *, *, *, *");
        for number in 0..30 {
            losses.add(format!("f{number}"));
        }
        assert!(losses.listed().ends_with("f17, ..."));
    }
}
