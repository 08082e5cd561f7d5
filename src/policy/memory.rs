//! Loads a policy again and again while somebody edits it. Parsing is most of a load, and an edit changes one item: the trees of
//! all others are kept, by their text, and moved to where they stand now.

use std::cell::{Cell, OnceCell};
use std::collections::BTreeMap;

use crate::base::hash;
use crate::policy::diag::Diagnostics;
use crate::policy::files::Sources;
use crate::policy::load::Text;
use crate::policy::model::Policy;
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
    /// By the hash of the text; equal texts are different items.
    kept: BTreeMap<u64, Vec<Kept<'t>>>,
    /// Bytes of the texts of the last load.
    live: usize,
}

/// A policy as it is now.
#[derive(Debug)]
pub struct Loaded {
    /// It, where it has no errors.
    pub policy: Option<Policy>,
    /// What is said of it, with its files.
    pub diagnostics: Diagnostics,
}

impl<'t> Memory<'t> {
    /// Nothing yet.
    pub const fn new(texts: &'t Texts) -> Self {
        Self {
            texts,
            kept: BTreeMap::new(),
            live: 0,
        }
    }

    /// Bytes of the texts that the trees of the last load borrow from.
    pub const fn live(&self) -> usize {
        self.live
    }

    /// As [`crate::policy::load`], and remembers.
    pub fn load(&mut self, sources: &dyn Sources, root: &str, sets: &[(&str, &str)]) -> Loaded {
        let (whole, mut found) = Text::read(sources, root, sets);
        let mut before = std::mem::take(&mut self.kept);
        let mut keys = Vec::new();
        self.live = 0;
        let (tree, lost) = whole.parse(&mut found, |text, file, start| {
            let key = hash::of_bytes(0, text.as_bytes());
            let known = before.get_mut(&key).and_then(|same| take(same, text));
            let (text, item) = if let Some(mut kept) = known {
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
            keys.push((key, text, file, start));
            Ok(Some(item))
        });
        let resolved = whole.resolve(&tree, lost, &mut found);
        for ((key, text, file, start), item) in keys.into_iter().zip(tree) {
            self.kept.entry(key).or_default().push(Kept {
                text,
                file,
                start,
                item,
            });
        }
        match whole.conclude(resolved, found) {
            Ok((policy, diagnostics)) => Loaded {
                policy: Some(policy),
                diagnostics,
            },
            Err(diagnostics) => Loaded {
                policy: None,
                diagnostics,
            },
        }
    }

    /// The items that parse, of all files, in the order of their places.
    pub(in crate::policy) fn items(&self) -> Vec<&Item<'t>> {
        let mut all: Vec<&Kept<'t>> = self.kept.values().flatten().collect();
        all.sort_by_key(|kept| (kept.file, kept.start));
        all.into_iter().map(|kept| &kept.item).collect()
    }

    /// The item of a file that holds this byte.
    pub(in crate::policy) fn item_at(&self, file: u16, byte: u32) -> Option<&Item<'t>> {
        let holds = |kept: &&Kept<'t>| {
            let len = u32::try_from(kept.text.len()).unwrap_or(u32::MAX);
            kept.file == file && (kept.start..=kept.start.saturating_add(len)).contains(&byte)
        };
        self.kept
            .values()
            .flatten()
            .find(holds)
            .map(|kept| &kept.item)
    }
}

fn take<'t>(same: &mut Vec<Kept<'t>>, text: &str) -> Option<Kept<'t>> {
    let at = same.iter().position(|kept| kept.text == text)?;
    Some(same.swap_remove(at))
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
