//! Loads a policy again and again while somebody edits it. Parsing is most of a load, and an edit changes one item: the trees of
//! all others are kept, by their text, and moved to where they stand now.

use std::cell::{Cell, OnceCell};

use crate::base::hash;
use crate::policy::files::Sources;
use crate::policy::load::{Loaded, Text};
use crate::policy::resolve::Depth;
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

/// A tree, and the text that it is of.
#[derive(Debug)]
struct Kept<'t> {
    text: &'t str,
    file: u16,
    start: u32,
    item: Item<'t>,
}

/// What is remembered of one policy and the files that it imports.
#[derive(Debug)]
pub struct Memory<'t> {
    texts: &'t Texts,
    /// In the order in which they count.
    kept: Vec<Kept<'t>>,
    /// Bytes of the texts of the last load.
    live: usize,
}

impl<'t> Memory<'t> {
    /// Nothing yet.
    pub const fn new(texts: &'t Texts) -> Self {
        Self {
            texts,
            kept: Vec::new(),
            live: 0,
        }
    }

    /// Bytes of the texts that the trees of the last load borrow from.
    pub const fn live(&self) -> usize {
        self.live
    }

    /// As [`crate::policy::load`], and remembers. `None` if `stop` broke it off.
    pub fn load(
        &mut self,
        sources: &dyn Sources,
        root: &str,
        stop: &dyn Fn() -> bool,
    ) -> Option<Loaded> {
        let (loaded, complete) = self.to(Depth::Whole(stop), sources, root);
        complete.then_some(loaded)
    }

    /// The same without what only a look at the whole policy can tell: what each item says by itself and of the names that others
    /// declare.
    pub fn glance(&mut self, sources: &dyn Sources, root: &str) -> Loaded {
        self.to(Depth::Items, sources, root).0
    }

    /// What is there, and whether the whole of it was looked at.
    fn to(&mut self, depth: Depth<'_>, sources: &dyn Sources, root: &str) -> (Loaded, bool) {
        let (whole, mut found) = Text::read(sources, root, &[]);
        let mut before = Before::new(std::mem::take(&mut self.kept));
        let mut now = Vec::new();
        self.live = 0;
        let (tree, lost) = whole.parse(&mut found, |text, file, start| {
            let (text, item) = if let Some(mut kept) = before.take(text) {
                kept.item.stands_at(file, (kept.file, kept.start), start);
                (kept.text, kept.item)
            } else {
                let text = self.texts.keep(text);
                match parse::item(text, file, start)? {
                    Some(item) => (text, item),
                    None => return Ok(None),
                }
            };
            self.live += text.len();
            now.push((text, file, start));
            Ok(Some(item))
        });
        let resolved = whole.resolve(&tree, lost, depth, &mut found);
        let kept = now.into_iter().zip(tree);
        let kept = kept.map(|((text, file, start), item)| Kept {
            text,
            file,
            start,
            item,
        });
        self.kept = kept.collect();
        let complete = resolved.of_whole.is_some();
        (whole.conclude(resolved, found), complete)
    }

    /// The items that parse, of all files, in the order in which they count.
    pub(in crate::policy) fn items(&self) -> impl Iterator<Item = &Item<'t>> {
        self.kept.iter().map(|kept| &kept.item)
    }

    /// The item of a file that holds this byte.
    pub(in crate::policy) fn item_at(&self, file: u16, byte: u32) -> Option<&Item<'t>> {
        let holds = |kept: &&Kept<'t>| {
            let len = u32::try_from(kept.text.len()).unwrap_or(u32::MAX);
            kept.file == file && (kept.start..=kept.start.saturating_add(len)).contains(&byte)
        };
        self.kept.iter().find(holds).map(|kept| &kept.item)
    }
}

/// The trees of the load before. Most are met again in their order; the others are looked up.
struct Before<'t> {
    kept: Vec<Option<Kept<'t>>>,
    /// The place of the one that is likely the next.
    next: usize,
    /// Hash and place of each, once one was not the next.
    by_hash: Option<Vec<(u64, usize)>>,
}

impl<'t> Before<'t> {
    fn new(kept: Vec<Kept<'t>>) -> Self {
        Self {
            kept: kept.into_iter().map(Some).collect(),
            next: 0,
            by_hash: None,
        }
    }

    /// The tree of a text, if there is one that is not taken yet.
    fn take(&mut self, text: &str) -> Option<Kept<'t>> {
        let at = self.at(self.next, text).or_else(|| self.look_up(text))?;
        self.next = at + 1;
        self.kept.get_mut(at)?.take()
    }

    fn at(&self, at: usize, text: &str) -> Option<usize> {
        let kept = self.kept.get(at)?.as_ref()?;
        (kept.text == text).then_some(at)
    }

    fn look_up(&mut self, text: &str) -> Option<usize> {
        let kept = &self.kept;
        let by_hash = self.by_hash.get_or_insert_with(|| {
            let placed = kept.iter().enumerate();
            let hashed = placed.filter_map(|(at, kept)| {
                let text = kept.as_ref()?.text;
                Some((hash::of_bytes(0, text.as_bytes()), at))
            });
            let mut all: Vec<(u64, usize)> = hashed.collect();
            all.sort_unstable();
            all
        });
        let hash = hash::of_bytes(0, text.as_bytes());
        let first = by_hash.partition_point(|(have, _)| *have < hash);
        let same = by_hash.get(first..).unwrap_or_default().iter();
        let mut same = same.take_while(|(have, _)| *have == hash);
        same.find_map(|(_, at)| {
            let kept = kept.get(*at)?.as_ref()?;
            (kept.text == text).then_some(*at)
        })
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
