//! The door: from a path to a resolved policy, or to everything that is wrong with it. Reads each file once, in the
//! order in which imports expand, then parses every item by itself, so that one run reports all errors of all files.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::base::{hash, limits};
use crate::policy::diag::safety::secret_inline;
use crate::policy::diag::{Diagnostic, Diagnostics, Severity, allow, syntax as say};
use crate::policy::files::{Files, Sources};
use crate::policy::model::Policy;
use crate::policy::resolve::{self, Depth, Lost, Resolved};
use crate::policy::syntax::ast::{Expr, Item};
use crate::policy::syntax::split::{FaultKind, split};
use crate::policy::syntax::{Place, leak, mistake, parse};

/// Loads the policy at `root` with everything that it imports. `sets` are the values of `--set name=value`, for consts
/// that are declared as `param(default)`. On success the diagnostics hold warnings and notes only.
pub fn load(
    sources: &dyn Sources,
    root: &str,
    sets: &[(&str, &str)],
) -> Result<(Policy, Diagnostics), Diagnostics> {
    let (text, mut found) = Text::read(sources, root, sets);
    let (tree, lost) = text.parse(&mut found, parse::item);
    let resolved = text.resolve(&tree, lost, Depth::Whole(&|| false), &mut found);
    drop(tree);
    let loaded = text.conclude(resolved, found);
    match loaded.settled {
        Some(policy) if !loaded.diagnostics.has_errors() => Ok((policy, loaded.diagnostics)),
        _ => Err(loaded.diagnostics),
    }
}

/// All files of a policy, cut into items.
pub(in crate::policy) struct Text<'s> {
    files: Files,
    chunks: Vec<Chunk>,
    /// How many of the files are no `--set`.
    policy_files: usize,
    /// Names and files of the values of `--set`.
    sets: Vec<(&'s str, u16)>,
}

impl<'s> Text<'s> {
    /// Reads the file at `root` and all that it imports; gives what is wrong with their text, too.
    pub(in crate::policy) fn read(
        sources: &dyn Sources,
        root: &str,
        sets: &[(&'s str, &str)],
    ) -> (Self, Vec<Diagnostic>) {
        let mut reader = Reader::new(sources);
        reader.file(root, None);
        let Reader {
            mut files,
            chunks,
            found,
            ..
        } = reader;
        let policy_files = files.len();
        let sets = set_files(&mut files, sets);
        let text = Self {
            files,
            chunks,
            policy_files,
            sets,
        };
        (text, found)
    }

    /// The tree of each item that `item` can parse, and what the others would have declared.
    pub(in crate::policy) fn parse<'f, 'i>(
        &'f self,
        found: &mut Vec<Diagnostic>,
        mut item: impl FnMut(&'f str, u16, u32) -> Result<Option<Item<'i>>, usize>,
    ) -> (Vec<Item<'i>>, Vec<(&'f str, &'f str)>) {
        let mut tree = Vec::with_capacity(self.chunks.len());
        let mut lost = Vec::new();
        for chunk in &self.chunks {
            let (text, base) = chunk.text(&self.files);
            let parsed = if chunk.sound {
                item(text, chunk.file, base)
            } else {
                Ok(None)
            };
            match parsed {
                Ok(Some(item)) => tree.push(item),
                Ok(None) => lost.push(declared(text)),
                Err(at) => {
                    found.push(mistake::explain(text, at, chunk.file, base));
                    lost.push(declared(text));
                }
            }
        }
        (tree, lost)
    }

    /// Settles names, types and defaults.
    pub(in crate::policy) fn resolve<'t>(
        &'t self,
        tree: &'t [Item<'t>],
        lost: Vec<(&'t str, &'t str)>,
        depth: Depth<'t>,
        found: &mut Vec<Diagnostic>,
    ) -> Resolved {
        let sets = parse_sets(&self.files, &self.sets, found);
        let whole = found
            .iter()
            .all(|diagnostic| diagnostic.severity() < Severity::Error);
        let lost = Lost { names: lost, whole };
        resolve::resolve(tree, &self.files, &sets, lost, depth, found)
    }

    /// What came of it.
    pub(in crate::policy) fn conclude(
        self,
        resolved: Resolved,
        mut found: Vec<Diagnostic>,
    ) -> Loaded {
        let mut files = self.files;
        files.mask(resolved.secrets);
        let idle = allow::apply(&mut found, &files, self.policy_files);
        let mut late = Vec::new();
        if let Some(of_whole) = resolved.of_whole {
            let is_late = |one: &&Diagnostic| of_whole.contains(&(one.code, one.place()));
            late.extend(found.iter().filter(is_late).chain(&idle).cloned());
            found.extend(idle);
        }
        found.sort_by_key(|diagnostic| diagnostic.labels.first().map(|label| label.place));
        let diagnostics = Diagnostics { list: found, files };
        let settled = resolved.policy.map(|mut policy| {
            let files = &diagnostics.files;
            let all = 0..u16::try_from(self.policy_files).unwrap_or(u16::MAX);
            policy.files = all.clone().map(|file| files.name(file).into()).collect();
            let of_text = all.fold(0, |hash, file| {
                hash::of_bytes(hash, files.text(file).as_bytes())
            });
            let sets = self.sets.iter();
            let sets = sets.map(|&(name, file)| (name, files.text(file)));
            policy.hash = with_sets(of_text, sets.collect());
            policy
        });
        Loaded {
            settled,
            diagnostics,
            late,
        }
    }
}

/// A policy as it is now.
#[derive(Debug)]
pub struct Loaded {
    /// What it says; where it has errors, no more than what could be read.
    pub(in crate::policy) settled: Option<Policy>,
    /// What is said of it, with its files.
    pub diagnostics: Diagnostics,
    /// Those of them that need a look at the whole policy.
    pub(in crate::policy) late: Vec<Diagnostic>,
}

impl Loaded {
    /// The policy, where it has no errors.
    pub fn policy(&self) -> Option<&Policy> {
        let sound = !self.diagnostics.has_errors();
        self.settled.as_ref().filter(|_| sound)
    }
}

/// The hash of a text and the values of its consts, in whatever order they are given; the last one of a name counts.
fn with_sets(of_text: u64, sets: BTreeMap<&str, &str>) -> u64 {
    sets.into_iter().fold(of_text, |hash, (name, value)| {
        let named = hash::mix(hash::of_bytes(hash, name.as_bytes()), name.len() as u64);
        hash::of_bytes(named, value.as_bytes())
    })
}

/// Calls `ask` with the items of the policy at `root` and of all that it imports, as far as they parse, in the order in
/// which they count.
pub(in crate::policy) fn with_items<T>(
    sources: &dyn Sources,
    root: &str,
    ask: impl FnOnce(&Files, &[Item<'_>]) -> T,
) -> T {
    let mut reader = Reader::new(sources);
    reader.file(root, None);
    let Reader { files, chunks, .. } = reader;
    let sound = chunks.iter().filter(|chunk| chunk.sound);
    let items = sound.filter_map(|chunk| parse_chunk(&files, chunk).ok().flatten());
    let items: Vec<Item<'_>> = items.collect();
    ask(&files, &items)
}

/// One file by itself.
pub(in crate::policy) struct Lone {
    /// It.
    pub(in crate::policy) files: Files,
    /// What is wrong with its text, brackets and strings.
    pub(in crate::policy) found: Vec<Diagnostic>,
    chunks: Vec<Chunk>,
}

/// Reads the file at `path` and none that it imports.
pub(in crate::policy) fn alone(sources: &dyn Sources, path: &str) -> Lone {
    let mut reader = Reader::new(sources);
    reader.imports = Imports::Left;
    reader.file(path, None);
    Lone {
        files: reader.files,
        found: reader.found,
        chunks: reader.chunks,
    }
}

impl Lone {
    /// The items that parse, each with its place in the text, and what is wrong with those that do not.
    pub(in crate::policy) fn parse(&self) -> (Vec<(Range<usize>, Item<'_>)>, Vec<Diagnostic>) {
        let (mut items, mut misfits) = (Vec::with_capacity(self.chunks.len()), Vec::new());
        for chunk in self.chunks.iter().filter(|chunk| chunk.sound) {
            match parse_chunk(&self.files, chunk) {
                Ok(Some(item)) => items.push((chunk.range.clone(), item)),
                Ok(None) => {}
                Err(misfit) => misfits.push(*misfit),
            }
        }
        (items, misfits)
    }
}

/// Imports may nest this deep.
const IMPORT_DEPTH_MAX: usize = 64;

/// One item of one file.
struct Chunk {
    file: u16,
    range: Range<usize>,
    /// Whether its brackets and strings are in order.
    sound: bool,
}

impl Chunk {
    /// Its text, and the byte at which it begins.
    fn text<'f>(&self, files: &'f Files) -> (&'f str, u32) {
        let text = files.text(self.file).get(self.range.clone());
        let base = place(self.file, self.range.clone()).start;
        (text.unwrap_or_default(), base)
    }
}

/// What becomes of the files that a file imports.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Imports {
    /// Their items go where the import stands.
    Followed,
    /// The import is an item like others.
    Left,
}

/// Reads files and cuts them into items.
struct Reader<'s> {
    sources: &'s dyn Sources,
    imports: Imports,
    files: Files,
    /// In the order in which they count.
    chunks: Vec<Chunk>,
    found: Vec<Diagnostic>,
    /// Bytes that were read.
    bytes: usize,
    /// Whether there were too many items.
    full: bool,
    /// Files that are done.
    done: Vec<String>,
    /// Files that are being read, with the import that asked for each.
    chain: Vec<(String, Place)>,
}

impl<'s> Reader<'s> {
    fn new(sources: &'s dyn Sources) -> Self {
        Self {
            sources,
            imports: Imports::Followed,
            files: Files::default(),
            chunks: Vec::new(),
            found: Vec::new(),
            bytes: 0,
            full: false,
            done: Vec::new(),
            chain: Vec::new(),
        }
    }

    fn file(&mut self, path: &str, import: Option<Place>) {
        let asked = import.unwrap_or_default();
        let bytes = match self.sources.read(path) {
            Ok(bytes) => bytes,
            Err(why) => {
                if import.is_none() {
                    self.files.add(path, "");
                }
                self.found.push(say::unreadable(asked, path, &why));
                return;
            }
        };
        self.bytes = self.bytes.saturating_add(bytes.len());
        let large = self.bytes > limits::POLICY_BYTES_MAX;
        let (text, whole) = match std::str::from_utf8(&bytes) {
            _ if large => ("", false),
            Ok(text) => (text, true),
            Err(error) => {
                let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
                (std::str::from_utf8(valid).unwrap_or_default(), false)
            }
        };
        let Some(file) = self.files.add(path, text) else {
            self.found
                .push(say::unreadable(asked, path, "too many files"));
            return;
        };
        if large {
            let here = Place {
                file,
                ..Place::default()
            };
            let (place, what) = match import {
                Some(import) => (import, "policy with all that it imports"),
                None => (here, "file"),
            };
            self.found
                .push(say::too_large(place, what, limits::POLICY_BYTES_MAX));
        } else if whole {
            self.chain.push((path.to_owned(), asked));
            self.items(path, file, text);
            self.chain.pop();
            self.done.push(path.to_owned());
        } else {
            let end = place(file, text.len()..text.len());
            self.found.push(say::not_utf8(end));
        }
    }

    fn items(&mut self, path: &str, file: u16, text: &str) {
        // Most texts have none but ASCII, which is seen at once.
        let foreign = if text.is_ascii() { "" } else { text };
        for (start, control) in foreign
            .char_indices()
            .filter(|&(_, char)| turns_text(char))
            .take(limits::POLICY_MARKS_MAX)
        {
            let here = place(file, start..start + control.len_utf8());
            self.found.push(say::direction_controls(here, control));
        }
        let leaks = leak::find(text);
        // Each finding is drawn with all secrets near it masked: where there are too many, nothing of the file is shown.
        let many = leaks.len() > limits::POLICY_MARKS_MAX;
        self.files.mask(many.then(|| place(file, 0..text.len())));
        for leak in leaks.into_iter().take(limits::POLICY_MARKS_MAX) {
            let here = place(file, leak);
            self.files.mask((!many).then_some(here));
            self.found.push(secret_inline(here));
        }
        let (chunks, faults) = split(text);
        for fault in faults.into_iter().take(limits::POLICY_MARKS_MAX) {
            let here = place(file, fault.at);
            self.found.push(match fault.kind {
                FaultKind::Unclosed(bracket) => say::unclosed(here, char::from(bracket)),
                FaultKind::Stray(bracket) => say::stray(here, char::from(bracket)),
                FaultKind::OpenString => say::open_string(here, self.files.slice(here)),
                FaultKind::TooDeep => say::too_deep(here),
            });
        }
        let first = chunks.first().map(|chunk| chunk.range.clone());
        let head = first
            .clone()
            .and_then(|range| text.get(range))
            .unwrap_or_default();
        if !starts_with_word(head, "policy") {
            let start = first.map_or(text.len(), |range| range.start);
            self.found
                .push(say::no_version(place(file, start..start + word_len(head))));
        }
        for chunk in chunks {
            if self.chunks.len() >= limits::POLICY_ITEMS_MAX {
                if !self.full {
                    let here = place(file, chunk.range.start..chunk.range.start);
                    self.found
                        .push(say::too_many_items(here, limits::POLICY_ITEMS_MAX));
                }
                self.full = true;
                break;
            }
            let item = text.get(chunk.range.clone()).unwrap_or_default();
            let mut sound = chunk.sound;
            if sound && item.len() > parse::ITEM_BYTES_MAX {
                sound = false;
                let here = place(file, chunk.range.start..chunk.range.start);
                self.found
                    .push(say::too_large(here, "item", parse::ITEM_BYTES_MAX));
            }
            if sound && self.imports == Imports::Followed && starts_with_word(item, "import") {
                self.import(path, file, &chunk.range, item);
            } else {
                let range = chunk.range;
                self.chunks.push(Chunk { file, range, sound });
            }
        }
    }

    fn import(&mut self, from: &str, file: u16, range: &Range<usize>, item: &str) {
        let base = place(file, range.clone()).start;
        let (here, path) = match parse::item(item, file, base) {
            Ok(Some(Item::Import(here, path))) => (here, path),
            Ok(_) => return,
            Err(at) => {
                self.found.push(mistake::explain(item, at, file, base));
                return;
            }
        };
        if path.starts_with('/') || path.contains("://") || path.contains('\\') {
            self.found.push(say::import_not_relative(here, &path));
            return;
        }
        let path = join(from, &path);
        if let Some(first) = self.chain.iter().position(|(name, _)| *name == path) {
            let circle = self.chain.get(first..).unwrap_or_default();
            self.found.push(say::import_cycle(here, circle, &path));
        } else if self.chain.len() >= IMPORT_DEPTH_MAX {
            self.found
                .push(say::unreadable(here, &path, "imports are nested too deep"));
        } else {
            if !self.done.contains(&path) {
                self.file(&path, Some(here));
            }
            self.files.import(place(file, range.clone()), here, &path);
        }
    }
}

fn parse_chunk<'f>(files: &'f Files, chunk: &Chunk) -> Result<Option<Item<'f>>, Box<Diagnostic>> {
    let (text, base) = chunk.text(files);
    parse::item(text, chunk.file, base)
        .map_err(|at| Box::new(mistake::explain(text, at, chunk.file, base)))
}

/// What an item that cannot be read would have declared: its first two words.
fn declared(text: &str) -> (&str, &str) {
    let mut words = text.split(|char: char| !char.is_ascii_alphanumeric() && char != '_');
    (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    )
}

/// Each `--set` is a file of its own, so that what is wrong with a value can be shown.
fn set_files<'a>(files: &mut Files, sets: &[(&'a str, &str)]) -> Vec<(&'a str, u16)> {
    let texts = sets.iter().filter_map(|&(name, value)| {
        let file = files.add(&format!("--set {name}"), value)?;
        Some((name, file))
    });
    texts.collect()
}

fn parse_sets<'f>(
    files: &'f Files,
    texts: &[(&'f str, u16)],
    found: &mut Vec<Diagnostic>,
) -> BTreeMap<&'f str, Expr<'f>> {
    let mut sets = BTreeMap::new();
    for &(name, file) in texts {
        match parse::lone_expr(files.text(file), file) {
            Ok(Some(expr)) => {
                sets.insert(name, expr);
            }
            _ => found.push(say::set_no_value(place(file, 0..0), name)),
        }
    }
    sets
}

/// Where an import leads: beside the file that imports, with `.` and `..` taken out.
fn join(from: &str, path: &str) -> String {
    let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
    let rooted = from.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    let joined = parts.join("/");
    if rooted { format!("/{joined}") } else { joined }
}

fn place(file: u16, range: Range<usize>) -> Place {
    let narrow = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    Place {
        file,
        start: narrow(range.start),
        len: narrow(range.end.saturating_sub(range.start)),
    }
}

fn starts_with_word(text: &str, word: &str) -> bool {
    text.starts_with(word) && word_len(text) == word.len()
}

fn word_len(text: &str) -> usize {
    let other = |char: char| !char.is_ascii_alphanumeric() && char != '_';
    text.find(other).unwrap_or(text.len())
}

/// Unicode's explicit directional embeddings, overrides and isolates: they make a line read unlike it is parsed.
const fn turns_text(char: char) -> bool {
    matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::join;

    #[test]
    fn imports_lie_beside_their_importer() {
        assert_eq!(join("a/b.policy", "c.policy"), "a/c.policy");
        assert_eq!(join("/etc/x/b.policy", "../c.policy"), "/etc/c.policy");
        assert_eq!(join("b.policy", "./s/../c.policy"), "c.policy");
        assert_eq!(join("b.policy", "../c.policy"), "../c.policy");
    }
}
