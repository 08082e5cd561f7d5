//! What is declared, where, and whether anyone asks for it.

use std::collections::{BTreeMap, BTreeSet};

use crate::policy::diag::naming as say;
use crate::policy::resolve::policy::Resolver;
use crate::policy::schema::{Space, TOP};
use crate::policy::syntax::Place;
use crate::policy::syntax::ast::{Expr, Item, Kind, Stmt, Tail, Word};

/// Mistakes up to which the name that was meant is looked for among all.
const SUGGESTIONS_MAX: usize = 100;

/// Every declaration of the policy.
#[derive(Debug, Default)]
pub(super) struct Names<'t> {
    /// By kind and name.
    table: BTreeMap<(Space, &'t str), Decl<'t>>,
    /// By kind, in the order of the text.
    order: BTreeMap<Space, Vec<Decl<'t>>>,
    /// Blocks without a name, by their word.
    pub(super) single: BTreeMap<&'static str, &'t Stmt<'t>>,
    /// What has been asked for.
    used: BTreeSet<(Space, &'t str)>,
    /// Values of consts, `param` and `--set` settled.
    consts: BTreeMap<&'t str, &'t Expr<'t>>,
}

/// What does nothing unless it is named.
pub(super) const PASSIVE: [Space; 8] = [
    Space::Const,
    Space::Provider,
    Space::Breaker,
    Space::Retries,
    Space::Pool,
    Space::Health,
    Space::Limit,
    Space::Budget,
];

/// One declaration.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decl<'t> {
    /// Its name.
    pub(super) name: &'t str,
    /// Where the name stands.
    pub(super) place: Place,
    /// All of it.
    pub(super) stmt: &'t Stmt<'t>,
    /// Which item of the tree it is.
    pub(super) item: usize,
}

impl<'t> Names<'t> {
    /// The declaration of that name, which is now used.
    pub(super) fn find(&mut self, space: Space, name: &str) -> Option<Decl<'t>> {
        let decl = *self.table.get(&(space, name))?;
        self.used.insert((space, decl.name));
        Some(decl)
    }

    /// Whether there is one.
    pub(super) fn has(&self, space: Space, name: &str) -> bool {
        self.table.contains_key(&(space, name))
    }

    /// Whether it has been asked for.
    pub(super) fn is_used(&self, space: Space, name: &str) -> bool {
        self.used.contains(&(space, name))
    }

    /// All declarations of a kind, in the order of the text.
    pub(super) fn all(&self, space: Space) -> Vec<Decl<'t>> {
        self.order.get(&space).cloned().unwrap_or_default()
    }

    /// The files of what takes effect without being named, and of what is named somewhere.
    pub(super) fn files(&self) -> BTreeSet<u16> {
        let idle = |space: Space, name: &str| {
            // A pool that nobody uses names providers, too: whether they are asked is known of their models.
            let used = self.is_used(space, name) && space != Space::Provider;
            PASSIVE.contains(&space) && name != "standard" && !used
        };
        let named = self.order.iter().flat_map(|(space, decls)| {
            let active = decls.iter().filter(move |decl| !idle(*space, decl.name));
            active.map(|decl| decl.place.file)
        });
        let single = self.single.values().map(|stmt| stmt.place.file);
        named.chain(single).collect()
    }

    /// The names of a kind.
    pub(super) fn words(&self, space: Space) -> impl Iterator<Item = &'t str> {
        self.order
            .get(&space)
            .into_iter()
            .flatten()
            .map(|decl| decl.name)
    }

    /// The value of a const, which is now used.
    pub(super) fn constant(&mut self, name: &str) -> Option<&'t Expr<'t>> {
        let (&name, &expr) = self.consts.get_key_value(name)?;
        self.used.insert((Space::Const, name));
        Some(expr)
    }

    fn declare(&mut self, space: Space, decl: Decl<'t>) -> Option<Decl<'t>> {
        let before = self.table.get(&(space, decl.name)).copied();
        if before.is_none() {
            self.table.insert((space, decl.name), decl);
            self.order.entry(space).or_default().push(decl);
        }
        before
    }
}

impl<'t> Resolver<'t> {
    /// Notes every declaration of the tree.
    pub(super) fn collect(&mut self, tree: &'t [Item<'t>]) {
        let mut versions: Vec<u16> = Vec::new();
        for (number, item) in tree.iter().enumerate() {
            match item {
                Item::Version(place, version) => self.version(*place, version, &mut versions),
                Item::Import(..) => {}
                Item::Const(stmt) => self.declare(Space::Const, number, stmt, stmt.words.first()),
                Item::Stmt(stmt) => self.statement(number, stmt),
            }
        }
    }

    fn version(&mut self, place: Place, version: &str, seen: &mut Vec<u16>) {
        use crate::policy::diag::syntax;
        if seen.contains(&place.file) {
            self.report(syntax::late_version(place));
        } else if version != "1" {
            self.report(syntax::other_version(place, version));
        }
        seen.push(place.file);
    }

    fn statement(&mut self, item: usize, stmt: &'t Stmt<'t>) {
        let key = stmt.key();
        let Some(entry) = TOP.iter().find(|entry| entry.word == key) else {
            let words = TOP.iter().map(|entry| entry.word);
            self.report(say::unknown_block(stmt.key_place(), key, words));
            return;
        };
        if entry.later {
            self.note_later(stmt.key_place(), entry.word);
        }
        if let Some(space) = entry.space {
            self.declare(space, item, stmt, stmt.words.get(1));
        } else if stmt.words.len() > 1 || stmt.body.is_none() || !matches!(stmt.tail, Tail::Bare) {
            self.report(say::field_not_written_so(
                stmt.head(),
                entry.word,
                entry.shape,
                entry.doc,
            ));
        } else if let Some(before) = self.names.single.insert(entry.word, stmt) {
            self.report(say::twice(stmt.key_place(), entry.word, before.key_place()));
        }
    }

    fn declare(
        &mut self,
        space: Space,
        item: usize,
        stmt: &'t Stmt<'t>,
        word: Option<&'t Word<'t>>,
    ) {
        let quoted = matches!(space, Space::Alias | Space::Test | Space::Prove);
        let name = match word {
            Some(Word::Expr(Expr {
                kind: Kind::Path(name),
                ..
            })) if !quoted && !name.contains('.') => Some(*name),
            Some(Word::Expr(Expr {
                kind: Kind::Str(name),
                ..
            })) if quoted => Some(&**name),
            _ => None,
        };
        let (Some(name), Some(word)) = (name, word) else {
            let shape = TOP.iter().find(|entry| entry.space == Some(space));
            let shape = shape.map_or("const NAME = <value>", |entry| entry.shape);
            self.report(say::not_written_so(stmt.head(), space.as_str(), shape));
            return;
        };
        let decl = Decl {
            name,
            place: word.place(),
            stmt,
            item,
        };
        if let Some(before) = self.names.declare(space, decl) {
            self.report(say::duplicate(
                decl.place,
                space.as_str(),
                name,
                before.place,
            ));
        }
    }

    /// Settles the consts: `param(default)` gives way to `--set`.
    pub(super) fn settle_consts(&mut self, sets: &'t BTreeMap<&'t str, Expr<'t>>) {
        let mut params = Vec::new();
        for decl in self.names.all(Space::Const) {
            let Tail::Assign(value) = &decl.stmt.tail else {
                self.report(say::not_written_so(
                    decl.stmt.head(),
                    "const",
                    "const NAME = <value>",
                ));
                continue;
            };
            let value = match &value.kind {
                Kind::Call("param", args) => {
                    params.push(decl.name);
                    match args.as_slice() {
                        [default] if default.value.is_none() => {
                            sets.get(decl.name).unwrap_or(&default.expr)
                        }
                        _ => {
                            let shape = "const NAME = param(default)";
                            self.report(say::not_written_so(value.place, "const", shape));
                            continue;
                        }
                    }
                }
                _ => value,
            };
            // A const that names an earlier one is that one; a later one does not exist yet, so there are no circles.
            let value = value
                .name()
                .and_then(|name| self.names.constant(name))
                .unwrap_or(value);
            self.names.consts.insert(decl.name, value);
        }
        for (name, expr) in sets {
            if !params.contains(name) {
                let place = Place {
                    len: 0,
                    start: 0,
                    ..expr.place
                };
                self.report(crate::policy::diag::syntax::set_unknown(
                    place, name, &params,
                ));
            }
        }
    }

    /// The declaration that `name` names, or a report.
    pub(super) fn lookup(&mut self, space: Space, name: &'t str, place: Place) -> Option<Decl<'t>> {
        let found = self.names.find(space, name);
        if found.is_none() && !self.is_lost(space, name) {
            // Each proposal is a comparison with all of them.
            let compared = match self.found.len() {
                0..SUGGESTIONS_MAX => usize::MAX,
                _ => SUGGESTIONS_MAX,
            };
            let words: Vec<&str> = self.names.words(space).take(compared).collect();
            self.report(say::unknown_name(place, space.as_str(), name, &words));
        }
        found
    }
}
