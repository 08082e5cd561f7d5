//! What the text of a policy writes, block by block, whatever it means: where a setting comes from is read off it.

use crate::policy::files::{Files, Sources};
use crate::policy::load;
use crate::policy::model::At;
use crate::policy::syntax::ast::{Item, Stmt, Tail, Word};

/// A block that a policy writes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Written {
    /// Its first word: `provider`, `route`.
    pub word: Box<str>,
    /// Its name; empty where it has none.
    pub name: Box<str>,
    /// Where it begins.
    pub at: At,
    /// What stands in it, in order.
    pub inner: Vec<Self>,
}

impl Written {
    /// All of a policy's files, in the order in which they count, as the inside of a block without a name. Nothing of a
    /// file that does not parse.
    pub fn of(sources: &dyn Sources, root: &str) -> Self {
        load::with_items(sources, root, |files, items| Self::in_items(files, items))
    }

    /// What these items write.
    pub(in crate::policy) fn in_items<'i, 't: 'i>(
        files: &Files,
        items: impl IntoIterator<Item = &'i Item<'t>>,
    ) -> Self {
        let stmts = items.into_iter().filter_map(|item| match item {
            Item::Stmt(stmt) | Item::Const(stmt) => Some(stmt),
            Item::Version(..) | Item::Import(..) => None,
        });
        Self {
            inner: stmts.map(|stmt| block(files, stmt)).collect(),
            ..Self::default()
        }
    }

    /// The block or field `word` of the name, if it is written; of several the first.
    pub fn find(&self, word: &str, name: &str) -> Option<&Self> {
        let named = |inner: &&Self| *inner.word == *word && *inner.name == *name;
        self.inner.iter().find(named)
    }

    /// The field `word`, or the block of that word whatever its name.
    pub fn field(&self, word: &str) -> Option<&Self> {
        self.inner.iter().find(|inner| *inner.word == *word)
    }

    /// All that begin with `word`.
    pub fn all<'w>(&'w self, word: &'w str) -> impl Iterator<Item = &'w Self> {
        self.inner.iter().filter(move |inner| *inner.word == *word)
    }
}

fn block(files: &Files, stmt: &Stmt<'_>) -> Written {
    let name = match (&stmt.tail, stmt.words.get(1)) {
        // `breaker = standard` names what it uses.
        (Tail::Assign(value), None) => value.name(),
        (_, Some(Word::Expr(word))) => word.name(),
        _ => None,
    };
    Written {
        word: stmt.key().into(),
        name: name.unwrap_or_default().into(),
        at: files.at(stmt.key_place()),
        inner: stmt.stmts().iter().map(|stmt| block(files, stmt)).collect(),
    }
}
