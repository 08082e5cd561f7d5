//! Loads a policy again and again while somebody edits it. Parsing and settling are most of a load, and an edit changes one item: the
//! trees of all others are kept, by their text, and moved to where they stand now, and so are routes, as long as nothing but routes has
//! changed.

use std::cell::{Cell, OnceCell};

use crate::base::hash;
use crate::policy::carry::carry;
use crate::policy::diag::Diagnostic;
use crate::policy::files::Sources;
use crate::policy::load::{Loaded, Text};
use crate::policy::resolve::{Depth, Mark, Settled};
use crate::policy::syntax::ast::Item;
use crate::policy::syntax::{Place, parse};

/// Where the texts live that kept trees borrow from. It only grows: whoever keeps it for long makes a new one when most of it is of
/// no use any more.
#[derive(Default)]
pub struct Texts {
    first: OnceCell<Box<Shelf>>,
    count: Cell<usize>,
    bytes: Cell<usize>,
}

/// A piece of the list of texts: long enough that few of them hang on each other.
struct Shelf {
    texts: Vec<OnceCell<Box<str>>>,
    next: OnceCell<Box<Self>>,
}

const SHELF: usize = 4096;

impl Shelf {
    fn new() -> Self {
        Self {
            texts: std::iter::repeat_with(OnceCell::new).take(SHELF).collect(),
            next: OnceCell::new(),
        }
    }
}

impl Texts {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes that are held.
    pub fn bytes(&self) -> usize {
        self.bytes.get()
    }

    fn keep(&self, text: &str) -> &str {
        let count = self.count.replace(self.count.get() + 1);
        self.bytes.set(self.bytes.get() + text.len());
        let mut shelf = self.first.get_or_init(|| Box::new(Shelf::new()));
        for _ in 0..count / SHELF {
            shelf = shelf.next.get_or_init(|| Box::new(Shelf::new()));
        }
        let place = shelf.texts.get(count % SHELF);
        place.map_or("", |place| place.get_or_init(|| text.into()))
    }
}

impl std::fmt::Debug for Texts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Texts")
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

/// Where an item stands, and the text that its tree is of.
#[derive(Clone, Copy, Debug)]
struct Stand<'t> {
    text: &'t str,
    file: u16,
    start: u32,
    hash: u64,
    /// Which route of what is loaded it is, if that may be taken over.
    mark: Option<Mark>,
}

/// What routes stand on: the texts of all items that are none, with their files. `None` if one of them could not be read.
type Ground<'t> = Option<Vec<(u16, &'t str)>>;

/// What is remembered of one policy and the files that it imports.
#[derive(Debug)]
pub struct Memory<'t> {
    texts: &'t Texts,
    /// The items that parse, in the order in which they count.
    tree: Vec<Item<'t>>,
    /// One for each of them.
    stands: Vec<Stand<'t>>,
    /// What is known of them.
    loaded: Option<Loaded>,
    /// Of what is loaded.
    ground: Ground<'t>,
}

impl<'t> Memory<'t> {
    /// Nothing yet.
    pub const fn new(texts: &'t Texts) -> Self {
        Self {
            texts,
            tree: Vec::new(),
            stands: Vec::new(),
            loaded: None,
            ground: None,
        }
    }

    /// Bytes of the texts that trees borrow from.
    pub fn live(&self) -> usize {
        self.stands.iter().map(|stand| stand.text.len()).sum()
    }

    /// What the last glance found, or the last look that was not broken off.
    pub const fn loaded(&self) -> Option<&Loaded> {
        self.loaded.as_ref()
    }

    /// Loads as [`crate::policy::load`] does, and remembers. False if `stop` broke it off: then what was loaded before stays.
    pub fn look(&mut self, sources: &dyn Sources, root: &str, stop: &dyn Fn() -> bool) -> bool {
        let (text, mut found) = Text::read(sources, root, &[]);
        let lost = self.parse(&text, &mut found);
        let ground = self.stands_on(&lost);
        let resolved = text.resolve(&self.tree, lost, Depth::Whole(stop), &mut found);
        let complete = resolved.of_whole.is_some();
        if complete {
            self.mark(&resolved.marks);
            self.ground = ground;
            self.loaded = Some(text.conclude(resolved, found));
        }
        complete
    }

    /// The same without what only a look at the whole policy can tell: what each item says by itself and of the names that others
    /// declare. Routes that hang on nothing that has changed are taken over; what the last look said of the whole is carried along.
    pub fn glance(&mut self, sources: &dyn Sources, root: &str) {
        let (text, mut found) = Text::read(sources, root, &[]);
        let lost = self.parse(&text, &mut found);
        let ground = self.stands_on(&lost);
        let settled = self.settled(&ground);
        let resolved = text.resolve(&self.tree, lost, Depth::Items(settled), &mut found);
        self.mark(&resolved.marks);
        self.ground = ground;
        let mut now = text.conclude(resolved, found);
        if let Some(before) = &self.loaded {
            carry(before, &mut now);
        }
        self.loaded = Some(now);
    }

    /// Parses what is new, and moves the other trees. Gives what items that cannot be read would have declared.
    fn parse<'f>(
        &mut self,
        text: &'f Text<'_>,
        found: &mut Vec<Diagnostic>,
    ) -> Vec<(&'f str, &'f str)> {
        let mut before = Before::new(
            std::mem::take(&mut self.tree),
            std::mem::take(&mut self.stands),
        );
        let (texts, stands) = (self.texts, &mut self.stands);
        let (tree, lost) = text.parse(found, |text, file, start| {
            let (stand, item) = if let Some((stand, mut item)) = before.take(text) {
                item.stands_at(file, (stand.file, stand.start), start);
                (stand, item)
            } else {
                let text = texts.keep(text);
                let Some(item) = parse::item(text, file, start)? else {
                    return Ok(None);
                };
                let stand = Stand {
                    text,
                    file,
                    start,
                    hash: hash::of_bytes(0, text.as_bytes()),
                    mark: None,
                };
                (stand, item)
            };
            stands.push(Stand {
                file,
                start,
                ..stand
            });
            Ok(Some(item))
        });
        self.tree = tree;
        lost
    }

    fn stands_on(&self, lost: &[(&str, &str)]) -> Ground<'t> {
        if lost.iter().any(|(word, _)| *word != "route") {
            return None;
        }
        let all = self.tree.iter().zip(&self.stands);
        let others = all.filter(|(item, _)| !is_route(item));
        Some(others.map(|(_, stand)| (stand.file, stand.text)).collect())
    }

    /// The routes of what is loaded, if all that they stand on is still the same. They are gone from there.
    fn settled(&mut self, ground: &Ground<'t>) -> Settled {
        let before = self
            .loaded
            .as_mut()
            .and_then(|loaded| loaded.settled.as_mut());
        match before {
            Some(policy) if ground.is_some() && *ground == self.ground => Settled {
                routes: std::mem::take(&mut policy.routes)
                    .into_iter()
                    .map(Some)
                    .collect(),
                marks: self.stands.iter().map(|stand| stand.mark).collect(),
            },
            _ => Settled::default(),
        }
    }

    /// Notes which items the next glance may take over.
    fn mark(&mut self, marks: &[(usize, Mark)]) {
        for stand in &mut self.stands {
            stand.mark = None;
        }
        for (item, mark) in marks {
            if let Some(stand) = self.stands.get_mut(*item) {
                stand.mark = Some(*mark);
            }
        }
    }

    /// The items that parse, of all files, in the order in which they count.
    pub(in crate::policy) fn items(&self) -> impl Iterator<Item = &Item<'t>> {
        self.tree.iter()
    }

    /// The item of a file that holds this byte.
    pub(in crate::policy) fn item_at(&self, file: u16, byte: u32) -> Option<&Item<'t>> {
        let holds = |stand: &Stand<'t>| {
            let len = u32::try_from(stand.text.len()).unwrap_or(u32::MAX);
            stand.file == file && (stand.start..=stand.start.saturating_add(len)).contains(&byte)
        };
        let at = self.stands.iter().position(holds)?;
        self.tree.get(at)
    }
}

fn is_route(item: &Item<'_>) -> bool {
    matches!(item, Item::Stmt(stmt) if stmt.key() == "route")
}

/// The trees of the load before. Most are met again in their order; the others are looked up.
struct Before<'t> {
    tree: Vec<Option<Item<'t>>>,
    stands: Vec<Stand<'t>>,
    /// The place of the one that is likely the next.
    next: usize,
    /// Hash and place of each, once one was not the next.
    by_hash: Option<Vec<(u64, usize)>>,
}

impl<'t> Before<'t> {
    fn new(tree: Vec<Item<'t>>, stands: Vec<Stand<'t>>) -> Self {
        Self {
            tree: tree.into_iter().map(Some).collect(),
            stands,
            next: 0,
            by_hash: None,
        }
    }

    /// The tree of a text, if there is one that is not taken yet.
    fn take(&mut self, text: &str) -> Option<(Stand<'t>, Item<'t>)> {
        let next = self.holds(self.next, text).then_some(self.next);
        let at = next.or_else(|| self.look_up(text))?;
        self.next = at + 1;
        let item = self.tree.get_mut(at)?.take()?;
        Some((*self.stands.get(at)?, item))
    }

    fn holds(&self, at: usize, text: &str) -> bool {
        let there = self.tree.get(at).is_some_and(Option::is_some);
        there && self.stands.get(at).is_some_and(|stand| stand.text == text)
    }

    fn look_up(&mut self, text: &str) -> Option<usize> {
        let hashed = || {
            let hashes = self.stands.iter().map(|stand| stand.hash);
            let mut all: Vec<(u64, usize)> = hashes.zip(0..).collect();
            all.sort_unstable();
            all
        };
        let by_hash = self.by_hash.take().unwrap_or_else(hashed);
        let hash = hash::of_bytes(0, text.as_bytes());
        let first = by_hash.partition_point(|(have, _)| *have < hash);
        let same = by_hash.get(first..).unwrap_or_default().iter();
        let mut same = same.take_while(|(have, _)| *have == hash);
        let found = same
            .find(|(_, at)| self.holds(*at, text))
            .map(|(_, at)| *at);
        self.by_hash = Some(by_hash);
        found
    }
}

impl Item<'_> {
    /// Moves a tree that was at `before` (file and byte) to where its text is now.
    fn stands_at(&mut self, file: u16, before: (u16, u32), start: u32) {
        if before == (file, start) {
            return;
        }
        self.each_place(&mut |place: &mut Place| {
            place.file = file;
            place.start = start.saturating_add(place.start.saturating_sub(before.1));
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{ProptestConfig, Strategy, prop, prop_assert_eq, proptest};
    use proptest::test_runner::RngSeed;

    use super::{Memory, Texts};
    use crate::policy::diag::Diagnostic;
    use crate::policy::load::Loaded;

    const PLAN: &str = include_str!("../../policies/enterprise.policy");
    const PROVIDERS: &str = include_str!("../../policies/shared/providers.policy");
    /// What an author writes next.
    const WRITTEN: [&str; 16] = [
        "x",
        " ",
        "\n",
        "\n# why\n",
        "\n\n\n",
        "{",
        "}",
        "\"",
        "\"é𝄞\"",
        "not ",
        "key.team == \"a\" and ",
        " and req.stream ",
        "pool cheap { tier 1 { openai.mini } }\n",
        "route batch when req.stream { use pool.cheap }\n",
        "route default { reject(404) }\n",
        "const canary_share = 6%\n",
    ];

    #[derive(Clone, Copy, Debug)]
    enum Edit {
        /// Back to the text that was shipped.
        Undo,
        Insert(usize, usize),
        Delete(usize, usize),
        /// So many lines go elsewhere.
        Move(usize, usize, usize),
        /// Nothing is edited, and the whole is looked at.
        Pause,
    }

    fn edits() -> impl Strategy<Value = Vec<(bool, Edit)>> {
        let at = || 0..10_000_usize;
        let edit = prop::strategy::Union::new_weighted(vec![
            (2, prop::strategy::Just(Edit::Undo).boxed()),
            (
                6,
                (at(), at())
                    .prop_map(|(at, what)| Edit::Insert(at, what))
                    .boxed(),
            ),
            (
                3,
                (at(), 0..20_usize)
                    .prop_map(|(at, count)| Edit::Delete(at, count))
                    .boxed(),
            ),
            (
                3,
                (at(), 0..12_usize, at())
                    .prop_map(|(from, count, to)| Edit::Move(from, count, to))
                    .boxed(),
            ),
            (1, prop::strategy::Just(Edit::Pause).boxed()),
        ]);
        // One edit in eight is of the file that is imported.
        let imported = prop::bool::weighted(0.125);
        prop::collection::vec((imported, edit), 1..10)
    }

    fn edited(text: &str, shipped: &str, edit: Edit) -> String {
        let boundary = |at: usize| {
            let at = at % (text.len() + 1);
            (0..=at)
                .rev()
                .find(|at| text.is_char_boundary(*at))
                .unwrap()
        };
        let mut edited = text.to_owned();
        match edit {
            Edit::Undo => shipped.clone_into(&mut edited),
            Edit::Insert(at, what) => {
                edited.insert_str(boundary(at), WRITTEN[what % WRITTEN.len()]);
            }
            Edit::Delete(at, count) => {
                let start = boundary(at);
                edited.replace_range(start..boundary(start + count).max(start), "");
            }
            Edit::Move(from, count, to) => {
                let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
                let from = from % lines.len().max(1);
                let end = (from + count).min(lines.len());
                let moved: Vec<&str> = lines.drain(from.min(end)..end).collect();
                let to = to % (lines.len() + 1);
                lines.splice(to..to, moved);
                edited = lines.concat();
            }
            Edit::Pause => {}
        }
        edited
    }

    /// What is said by the items themselves, and what they say.
    fn of_items(loaded: &Loaded) -> (Vec<&Diagnostic>, String) {
        let late = |one: &&Diagnostic| !loaded.late.contains(one);
        let found = loaded.diagnostics.list.iter().filter(late).collect();
        (found, format!("{:?}", loaded.policy()))
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 8,
            failure_persistence: None,
            rng_seed: RngSeed::Fixed(1),
            ..ProptestConfig::default()
        })]

        #[test]
        fn what_is_kept_is_what_a_new_look_would_find(edits in edits()) {
            let texts = Texts::new();
            let mut memory = Memory::new(&texts);
            let mut files = [PLAN.to_owned(), PROVIDERS.to_owned()];
            for (imported, edit) in edits {
                let (at, shipped) = if imported { (1, PROVIDERS) } else { (0, PLAN) };
                files[at] = edited(&files[at], shipped, edit);
                let sources = [("p/main", &*files[0]), ("p/shared/providers.policy", &*files[1])];
                let others = Texts::new();
                let mut anew = Memory::new(&others);
                if matches!(edit, Edit::Pause) {
                    memory.look(&sources, "p/main", &|| false);
                    anew.look(&sources, "p/main", &|| false);
                } else {
                    memory.glance(&sources, "p/main");
                    anew.glance(&sources, "p/main");
                }
                let (kept, anew) = (memory.loaded().unwrap(), anew.loaded().unwrap());
                prop_assert_eq!(of_items(kept), of_items(anew), "after {:?}:\n{}", edit, files[at]);
            }
        }
    }
}
