//! What a policy declares and where it is named again: the places that go-to-definition, references and rename need.

use std::collections::BTreeMap;

use crate::policy::editor::context::{block_of, inner_block};
use crate::policy::memory::Memory;
use crate::policy::schema::{Block, Form, Space, TOP, Type};
use crate::policy::syntax::Place;
use crate::policy::syntax::ast::{Expr, Item, Kind as Shape, Stmt, Tail, Word};

/// The kinds of thing that have a name.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// What a statement at the top declares: its word.
    Declared(&'static str),
    /// A model of a provider, whose name is `provider.model`.
    Model,
}

impl Kind {
    /// For people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Declared(word) => word,
            Self::Model => "model",
        }
    }

    const fn of(space: Space) -> Self {
        Self::Declared(space.as_str())
    }
}

/// Something with a name, where it is declared or where it is named again.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Named {
    /// What it is.
    pub kind: Kind,
    /// Its name; of a model with its provider's.
    pub name: String,
    /// Where the name stands; of a model its own part.
    pub place: Place,
    /// The whole statement, where this is the declaration.
    pub declares: Option<Place>,
}

/// All names of a policy.
#[derive(Clone, Debug, Default)]
pub struct Symbols {
    /// In the order of the text.
    list: Vec<Named>,
}

/// Prefixes of facts, which name nothing that a policy declares.
const FACT_HEADS: [&str; 5] = ["attempt", "key", "now", "req", "target"];

impl Symbols {
    /// Those of what was loaded last.
    pub fn of(memory: &Memory<'_>) -> Self {
        let mut walk = Walk::default();
        for item in memory.items() {
            walk.declare(item);
        }
        for item in memory.items() {
            walk.mention(item);
        }
        let mut list = walk.list;
        list.sort_by_key(|named| named.place);
        Self { list }
    }

    /// Whether the policy that was loaded last has a route: what has none is a part of others.
    pub fn has_route(memory: &Memory<'_>) -> bool {
        let is_route = |item: &Item<'_>| matches!(item, Item::Stmt(stmt) if stmt.key() == "route");
        memory.items().any(is_route)
    }

    /// What is named at a byte of a file; the end of a name belongs to it.
    pub fn at(&self, file: u16, byte: u32) -> Option<&Named> {
        self.list.iter().find(|named| {
            let place = named.place;
            place.file == file && (place.start..=place.start + place.len).contains(&byte)
        })
    }

    /// Where it is declared.
    pub fn declaration(&self, kind: Kind, name: &str) -> Option<&Named> {
        let same =
            |named: &&Named| named.declares.is_some() && named.kind == kind && named.name == name;
        self.list.iter().find(same)
    }

    /// Everywhere that it is named, its declaration included.
    pub fn all(&self, kind: Kind, name: &str) -> impl Iterator<Item = &Named> {
        let same = move |named: &&Named| named.kind == kind && named.name == name;
        self.list.iter().filter(same)
    }

    /// All declarations, in the order of the text.
    pub fn declared(&self) -> impl Iterator<Item = &Named> {
        self.list.iter().filter(|named| named.declares.is_some())
    }

    /// The names of a kind.
    pub(super) fn names(&self, kind: Kind) -> impl Iterator<Item = &str> {
        let declared = self.declared().filter(move |named| named.kind == kind);
        declared.map(|named| &*named.name)
    }

    /// The names of what a type takes by name.
    pub(super) fn names_of(&self, space: Space) -> impl Iterator<Item = &str> {
        self.names(Kind::of(space))
    }
}

#[derive(Default)]
struct Walk {
    list: Vec<Named>,
    known: BTreeMap<Kind, std::collections::BTreeSet<String>>,
}

impl Walk {
    fn add(&mut self, kind: Kind, name: &str, place: Place, declares: Option<Place>) {
        if declares.is_some() {
            self.known.entry(kind).or_default().insert(name.to_owned());
        }
        self.list.push(Named {
            kind,
            name: name.to_owned(),
            place,
            declares,
        });
    }

    fn knows(&self, kind: Kind, name: &str) -> bool {
        self.known
            .get(&kind)
            .is_some_and(|names| names.contains(name))
    }

    fn declare(&mut self, item: &Item<'_>) {
        let (stmt, space, word) = match item {
            Item::Const(stmt) => (stmt, Space::Const, stmt.words.first()),
            Item::Stmt(stmt) => {
                let entry = TOP.iter().find(|entry| entry.word == stmt.key());
                let Some(space) = entry.and_then(|entry| entry.space) else {
                    return;
                };
                (stmt, space, stmt.words.get(1))
            }
            Item::Version(..) | Item::Import(..) => return,
        };
        let Some((name, place)) = word.and_then(declared_name) else {
            return;
        };
        self.add(Kind::of(space), &name, place, Some(stmt.place));
        if space == Space::Provider {
            for model in stmt.stmts().iter().filter(|stmt| stmt.key() == "model") {
                if let Some((own, place)) = model.name() {
                    let full = format!("{name}.{own}");
                    self.add(Kind::Model, &full, place, Some(model.place));
                }
            }
        }
    }

    fn mention(&mut self, item: &Item<'_>) {
        match item {
            Item::Version(..) | Item::Import(..) => {}
            Item::Const(stmt) => self.tail(stmt, None),
            Item::Stmt(stmt) => {
                let block = block_of(stmt.key());
                let declares = TOP
                    .iter()
                    .any(|entry| entry.word == stmt.key() && entry.space.is_some());
                for word in stmt.words.iter().skip(1 + usize::from(declares)) {
                    self.word(word);
                }
                self.tail(stmt, None);
                self.body(stmt, block);
            }
        }
    }

    fn body(&mut self, stmt: &Stmt<'_>, block: Option<&'static Block>) {
        for inner in stmt.stmts() {
            self.stmt(inner, block);
        }
    }

    fn stmt(&mut self, stmt: &Stmt<'_>, block: Option<&'static Block>) {
        let row = block.and_then(|block| block.row(stmt.key()));
        let skip = match (row, stmt.key()) {
            (Some(_), "model") => 2,
            (Some(_), _) => 1,
            // In a tier, in `state` and in `script` the first word is a name.
            (None, _) => 0,
        };
        if skip == 0
            && let Some(Word::Expr(first)) = stmt.words.first()
            && let (Some(name), Tail::Assign(value)) = (first.name(), &stmt.tail)
            && let Some(said) = value.name()
            && self.knows(Kind::Declared("route"), said)
            && name == "route"
        {
            self.add(Kind::Declared("route"), said, value.place, None);
            return;
        }
        for word in stmt.words.iter().skip(skip) {
            self.word(word);
        }
        let of = row.and_then(|row| match &row.form {
            Form::Field(of, _) | Form::Either(of, _) => Some(of),
            Form::Block(_) | Form::Free(_) => None,
        });
        self.tail(stmt, of);
        self.body(stmt, block.and_then(|block| inner_block(block, stmt.key())));
    }

    fn tail(&mut self, stmt: &Stmt<'_>, of: Option<&Type>) {
        match &stmt.tail {
            Tail::Bare => {}
            Tail::Assign(expr) => self.value(expr, of),
            Tail::Arrow(words) => words.iter().for_each(|word| self.word(word)),
        }
    }

    /// A value whose type is known to be a name, or that holds such.
    fn value(&mut self, expr: &Expr<'_>, of: Option<&Type>) {
        match (of, &expr.kind) {
            (Some(Type::Name(space)), Shape::Path(name)) if self.knows(Kind::of(*space), name) => {
                self.add(Kind::of(*space), name, expr.place, None);
            }
            (Some(Type::List(of)), Shape::List(members)) => {
                for member in members {
                    self.value(member, Some(of));
                }
            }
            (Some(Type::List(of)), Shape::Path(_)) => self.value(expr, Some(of)),
            _ => self.expr(expr),
        }
    }

    fn word(&mut self, word: &Word<'_>) {
        match word {
            Word::Expr(expr) | Word::When(_, expr) | Word::On(_, expr) => self.expr(expr),
            Word::Else(_) => {}
        }
    }

    fn expr(&mut self, expr: &Expr<'_>) {
        match &expr.kind {
            Shape::Path(name) => self.path(name, expr.place),
            Shape::Index(name, inner) => {
                let len = u32::try_from(name.len()).unwrap_or(expr.place.len);
                self.path(name, Place { len, ..expr.place });
                self.expr(inner);
            }
            Shape::Call(_, args) => {
                for arg in args {
                    self.expr(arg.value.as_ref().unwrap_or(&arg.expr));
                }
            }
            Shape::List(members) | Shape::And(members) | Shape::Or(members) => {
                for member in members {
                    self.expr(member);
                }
            }
            Shape::Paren(inner) | Shape::Not(inner) => self.expr(inner),
            Shape::Compare(_, left, right) => {
                self.expr(left);
                self.expr(right);
            }
            Shape::Number(_) | Shape::Range(..) | Shape::Money(_) | Shape::Str(_) => {}
        }
    }

    fn path(&mut self, name: &str, place: Place) {
        let part = |start: usize, len: usize| Place {
            start: place.start + u32::try_from(start).unwrap_or_default(),
            len: u32::try_from(len).unwrap_or_default(),
            ..place
        };
        let Some((head, rest)) = name.split_once('.') else {
            // A provider may be called as a const is; who names a bare provider does so in a test.
            for kind in [Kind::Declared("const"), Kind::Declared("provider")] {
                if self.knows(kind, name) {
                    self.add(kind, name, place, None);
                    return;
                }
            }
            return;
        };
        for word in ["pool", "route"] {
            let kind = Kind::Declared(word);
            if head == word && self.knows(kind, rest) {
                self.add(kind, rest, part(head.len() + 1, rest.len()), None);
                return;
            }
        }
        if FACT_HEADS.contains(&head) || !self.knows(Kind::Declared("provider"), head) {
            return;
        }
        self.add(Kind::Declared("provider"), head, part(0, head.len()), None);
        if self.knows(Kind::Model, name) {
            self.add(Kind::Model, name, part(head.len() + 1, rest.len()), None);
        }
    }
}

/// The name that a word declares, and where it stands: a string's lies between its quotes.
fn declared_name(word: &Word<'_>) -> Option<(String, Place)> {
    match word {
        Word::Expr(Expr {
            kind: Shape::Path(name),
            place,
        }) => Some(((*name).to_owned(), *place)),
        Word::Expr(Expr {
            kind: Shape::Str(text),
            place,
        }) => {
            let inner = Place {
                start: place.start + 1,
                len: place.len.saturating_sub(2),
                ..*place
            };
            Some((text.to_string(), inner))
        }
        _ => None,
    }
}
