//! Writes a document from its parts, without white space and without a copy of it in between. Commas are set by what
//! stands before: a value or a key begins with one unless it is the first.

use super::patch;
use super::tree::{Node, append};

/// Appends one JSON value.
///
/// ```
/// use switchover::wire::json::Writer;
///
/// let mut out = Vec::new();
/// Writer::new(&mut out).object(|it| {
///     it.key("model").string("gpt-5");
///     it.key("stop").array(|it| it.string("\n"));
/// });
/// assert_eq!(out, br#"{"model":"gpt-5","stop":["\n"]}"#);
/// ```
#[derive(Debug)]
pub struct Writer<'o> {
    out: &'o mut Vec<u8>,
    begin: usize,
}

impl<'o> Writer<'o> {
    /// Writes behind what is in `out`.
    pub fn new(out: &'o mut Vec<u8>) -> Self {
        let begin = out.len();
        Self { out, begin }
    }

    /// An object, whose members `members` writes: each a [`Self::key`] and a value.
    pub fn object(&mut self, members: impl FnOnce(&mut Self)) {
        self.open(b'{');
        members(self);
        self.out.push(b'}');
    }

    /// An object, unless its members cannot be said.
    pub fn try_object<E>(
        &mut self,
        members: impl FnOnce(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        self.open(b'{');
        members(self)?;
        self.out.push(b'}');
        Ok(())
    }

    /// An array, whose elements `elements` writes.
    pub fn array(&mut self, elements: impl FnOnce(&mut Self)) {
        self.open(b'[');
        elements(self);
        self.out.push(b']');
    }

    /// An array, unless its elements cannot be said.
    pub fn try_array<E>(
        &mut self,
        elements: impl FnOnce(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        self.open(b'[');
        elements(self)?;
        self.out.push(b']');
        Ok(())
    }

    /// The key of a member, whose value follows.
    pub fn key(&mut self, key: &str) -> &mut Self {
        self.string(key);
        self.out.push(b':');
        self
    }

    /// A string.
    pub fn string(&mut self, text: &str) {
        self.separate();
        patch::string(text, self.out);
    }

    /// A string whose text `text` writes; it is escaped afterwards.
    pub fn string_of(&mut self, text: impl FnOnce(&mut Vec<u8>)) {
        let mut spelt = Vec::new();
        text(&mut spelt);
        self.string(&String::from_utf8_lossy(&spelt));
    }

    /// A whole number.
    pub fn number(&mut self, number: u64) {
        self.separate();
        append(format_args!("{number}"), self.out);
    }

    /// A number; one that is not finite, which no document can hold, is written as `null`.
    pub fn float(&mut self, number: f64) {
        self.separate();
        if number.is_finite() {
            append(format_args!("{number:?}"), self.out);
        } else {
            self.out.extend_from_slice(b"null");
        }
    }

    /// `true` or `false`.
    pub fn bool(&mut self, truth: bool) {
        self.separate();
        self.out
            .extend_from_slice(if truth { b"true" } else { b"false" });
    }

    /// `null`
    pub fn null(&mut self) {
        self.raw(b"null");
    }

    /// A value of another document.
    pub fn node(&mut self, node: Node<'_>) {
        self.separate();
        node.write(self.out);
    }

    /// A value that is written already.
    pub fn raw(&mut self, json: &[u8]) {
        self.separate();
        self.out.extend_from_slice(json);
    }

    fn open(&mut self, bracket: u8) {
        self.separate();
        self.out.push(bracket);
    }

    /// A comma, unless this is the first of something, or the value of a key.
    fn separate(&mut self) {
        let is_first =
            self.out.len() == self.begin || matches!(self.out.last(), Some(b'{' | b'[' | b':'));
        if !is_first {
            self.out.push(b',');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Writer;
    use crate::wire::json::Tree;

    #[test]
    fn commas_stand_between() {
        let mut out = b"data: ".to_vec();
        let mut text =
            br#" { "a" : [ 1 , -2, 2.50, 1e300, "x\u00e9\"" , null, true ], "b":{}, "a":[[]] } "#
                .to_vec();
        let tree = Tree::parse(&mut text).expect("valid");
        Writer::new(&mut out).object(|it| {
            it.key("whole").node(tree.root());
            it.key("empty").array(|_| ());
            it.key("numbers").array(|it| {
                it.number(7);
                it.float(0.7);
                it.float(f64::NAN);
            });
            it.key("said")
                .string_of(|text| text.extend_from_slice(b"{\"q\":1}"));
            it.key("colon").string(":");
            it.key("last").null();
        });
        assert_eq!(
            String::from_utf8_lossy(&out),
            r#"data: {"whole":{"a":[1,-2,2.5,1e300,"xé\"",null,true],"b":{},"a":[[]]},"empty":[],"numbers":[7,0.7,null],"said":"{\"q\":1}","colon":":","last":null}"#
        );
    }
}
