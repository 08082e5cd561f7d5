//! The texts of a load: where they come from, their lines, and which stretches of them must never be shown.

use std::fmt;

use crate::policy::model::At;
use crate::policy::syntax::Place;

/// Where policy texts come from. The language itself opens no file.
pub trait Sources {
    /// The bytes at `path`, which is the root path as it was given, or an import joined to the folder of the file that
    /// imports it. The error says why not, for people.
    fn read(&self, path: &str) -> Result<Vec<u8>, String>;
}

/// Policies in memory: pairs of path and text.
impl Sources for [(&str, &str)] {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        self.iter()
            .find(|(name, _)| *name == path)
            .map(|(_, text)| text.as_bytes().to_vec())
            .ok_or_else(|| "no such file".to_owned())
    }
}

/// The same, for pairs whose number is known.
impl<const N: usize> Sources for [(&str, &str); N] {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        self.as_slice().read(path)
    }
}

/// All texts of one load.
#[derive(Clone, Default)]
pub struct Files {
    list: Vec<File>,
    /// Secrets that stand in the texts.
    masked: Vec<Place>,
    imports: Vec<Import>,
}

/// An `import` of one file in another.
#[derive(Clone, Copy, Debug)]
pub struct Import {
    /// All of it.
    pub item: Place,
    /// The path, with its quotes.
    pub path: Place,
    /// The file that it leads to.
    pub file: u16,
}

#[derive(Clone)]
struct File {
    name: Box<str>,
    text: Box<str>,
    /// Where each line begins.
    lines: Vec<u32>,
}

impl Files {
    /// Takes a text in. `None` where there are more files than an index can name.
    pub(in crate::policy) fn add(&mut self, name: &str, text: &str) -> Option<u16> {
        let index = u16::try_from(self.list.len()).ok()?;
        let starts = text.match_indices('\n').map(|(at, _)| narrow(at + 1));
        let lines = std::iter::once(0).chain(starts).collect();
        self.list.push(File {
            name: name.into(),
            text: text.into(),
            lines,
        });
        Some(index)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// All imports that lead to a file.
    pub fn imports(&self) -> &[Import] {
        &self.imports
    }

    /// Notes that the import `item`, whose `path` it is, leads to the file of that name.
    pub(in crate::policy) fn import(&mut self, item: Place, path: Place, name: &str) {
        let found = self.list.iter().position(|file| *file.name == *name);
        let file = found.and_then(|at| u16::try_from(at).ok());
        self.imports
            .extend(file.map(|file| Import { item, path, file }));
    }

    /// The path of a file.
    pub fn name(&self, file: u16) -> &str {
        self.list
            .get(usize::from(file))
            .map_or("", |file| &file.name)
    }

    /// The paths of all files, in their order.
    pub fn names(&self) -> Vec<String> {
        self.list.iter().map(|file| file.name.to_string()).collect()
    }

    /// The text of a file.
    pub fn text(&self, file: u16) -> &str {
        self.list
            .get(usize::from(file))
            .map_or("", |file| &file.text)
    }

    /// The text at a place, for messages: one that holds a secret is not given.
    pub fn slice(&self, place: Place) -> &str {
        if self.is_masked(place) {
            return "…";
        }
        let start = place.start as usize;
        self.text(place.file)
            .get(start..start + place.len as usize)
            .unwrap_or_default()
    }

    /// Line and column, from 1, the column in characters.
    pub fn line_column(&self, file: u16, byte: u32) -> (u32, u32) {
        let Some(found) = self.list.get(usize::from(file)) else {
            return (1, 1);
        };
        let line = found.lines.partition_point(|&start| start <= byte).max(1);
        let start = found.lines.get(line - 1).copied().unwrap_or_default();
        let before = found
            .text
            .get(start as usize..byte as usize)
            .unwrap_or_default();
        (
            narrow(line),
            narrow(before.chars().count()).saturating_add(1),
        )
    }

    /// Line and column from 0, the column in UTF-16 units, as editors count.
    pub fn line_utf16(&self, file: u16, byte: u32) -> (u32, u32) {
        let Some(found) = self.list.get(usize::from(file)) else {
            return (0, 0);
        };
        let line = found.lines.partition_point(|&start| start <= byte).max(1) - 1;
        let start = found.lines.get(line).copied().unwrap_or_default();
        let before = found
            .text
            .get(start as usize..byte as usize)
            .unwrap_or_default();
        (narrow(line), narrow(before.encode_utf16().count()))
    }

    /// The place as the resolved policy names it.
    pub(in crate::policy) fn at(&self, place: Place) -> At {
        let line = self.list.get(usize::from(place.file)).map_or(1, |file| {
            file.lines.partition_point(|&start| start <= place.start)
        });
        At {
            file: place.file,
            line: narrow(line),
        }
    }

    /// Whether part of it must not be shown.
    pub(in crate::policy) fn is_masked(&self, place: Place) -> bool {
        self.masked.iter().any(|secret| secret.overlaps(place))
    }

    /// Never show what stands here.
    pub(in crate::policy) fn mask(&mut self, places: impl IntoIterator<Item = Place>) {
        self.masked.extend(places);
    }

    /// The lines of `file` that hold those of `places` that are in it: the text with secrets masked, the number of its
    /// first line, and the byte at which it begins.
    pub(in crate::policy) fn excerpt(
        &self,
        file: u16,
        places: impl Iterator<Item = Place>,
    ) -> Option<(String, usize, usize)> {
        let found = self.list.get(usize::from(file))?;
        let (mut first, mut last) = (u32::MAX, 0);
        for place in places.filter(|place| place.file == file) {
            first = first.min(place.start);
            last = last.max(place.start + place.len);
        }
        let line = found.lines.partition_point(|&start| start <= first).max(1);
        let begin = found.lines.get(line - 1).copied()? as usize;
        let rest = found.text.get(last as usize..)?;
        let end = last as usize + rest.find('\n').unwrap_or(rest.len());
        let mut text = found.text.get(begin..end)?.to_owned();
        for secret in self.masked.iter().filter(|secret| secret.file == file) {
            let start = (secret.start as usize).max(begin);
            let stop = ((secret.start + secret.len) as usize).min(end);
            if let Some(range) = start.checked_sub(begin).zip(stop.checked_sub(begin))
                && range.0 < range.1
                && text.get(range.0..range.1).is_some()
            {
                text.replace_range(range.0..range.1, &"*".repeat(range.1 - range.0));
            }
        }
        Some((text, line, begin))
    }
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.list.iter().map(|file| &file.name);
        f.debug_list().entries(names).finish()
    }
}

fn narrow(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
