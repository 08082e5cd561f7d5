//! Makes the edits that findings carry, where nothing else can have been meant, until none is left. Pure: what becomes of the new
//! texts is the caller's.

use std::collections::BTreeMap;

use crate::policy::diag::{Code, Diagnostic, Diagnostics, Fix};
use crate::policy::files::{Files, Sources};
use crate::policy::load::load;
use crate::policy::model::Policy;

/// A fix can bring a next one to light; more often than this only a loop does.
const ROUNDS_MAX: usize = 64;

/// A policy after its fixes.
#[derive(Debug)]
pub struct Repair {
    /// The files that are changed, in the order of their names.
    pub changed: Vec<Changed>,
    /// What was done, in order.
    pub made: Vec<Made>,
    /// The policy as it is now.
    pub outcome: Result<(Policy, Diagnostics), Diagnostics>,
}

/// A file that is another one now.
#[derive(Debug, Eq, PartialEq)]
pub struct Changed {
    /// Its path.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// One fix.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Made {
    /// What it cures.
    pub code: Code,
    /// The file.
    pub path: String,
    /// The line, from 1, in the text as it was when the fix was made.
    pub line: u32,
    /// What it did, as an order.
    pub title: String,
}

/// Files over others: what is changed hides what is there.
struct Overlay<'s> {
    below: &'s dyn Sources,
    changed: BTreeMap<String, String>,
}

impl Sources for Overlay<'_> {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        match self.changed.get(path) {
            Some(text) => Ok(text.clone().into_bytes()),
            None => self.below.read(path),
        }
    }
}

/// Loads the policy at `root`, and again with its safe fixes made, until there are no more.
pub fn repair(sources: &dyn Sources, root: &str, sets: &[(&str, &str)]) -> Repair {
    let mut texts = Overlay {
        below: sources,
        changed: BTreeMap::new(),
    };
    let mut made = Vec::new();
    let mut outcome = load(&texts, root, sets);
    for _ in 0..ROUNDS_MAX {
        let (Ok((_, found)) | Err(found)) = &outcome;
        let fixes = chosen(found);
        if fixes.is_empty() {
            break;
        }
        for &(diagnostic, fix) in &fixes {
            made.push(told(diagnostic, fix, &found.files));
        }
        let edits: Vec<&Fix> = fixes.iter().map(|(_, fix)| *fix).collect();
        for file in files_of(&edits) {
            let text = edited(&found.files, file, &edits);
            texts
                .changed
                .insert(found.files.name(file).to_owned(), text);
        }
        outcome = load(&texts, root, sets);
    }
    let changed = texts.changed.into_iter();
    Repair {
        changed: changed.map(|(path, text)| Changed { path, text }).collect(),
        made,
        outcome,
    }
}

/// The safe fixes that can be made together, in the order of the text: those that touch another one wait for the next round.
fn chosen(found: &Diagnostics) -> Vec<(&Diagnostic, &Fix)> {
    let mut all: Vec<(&Diagnostic, &Fix)> = found
        .list
        .iter()
        .filter_map(|one| Some((one, one.fixes.iter().find(|fix| fix.safe)?)))
        .collect();
    all.sort_by_key(|(_, fix)| fix.place);
    let mut last = None;
    all.retain(|(_, fix)| {
        let apart = last.is_none_or(|(file, end)| file != fix.place.file || fix.place.start > end);
        if apart {
            last = Some((fix.place.file, fix.place.end().start));
        }
        apart
    });
    all
}

fn told(diagnostic: &Diagnostic, fix: &Fix, files: &Files) -> Made {
    Made {
        code: diagnostic.code,
        path: files.name(fix.place.file).to_owned(),
        line: files.line_column(fix.place.file, fix.place.start).0,
        title: fix.title.clone(),
    }
}

fn files_of(edits: &[&Fix]) -> Vec<u16> {
    let mut files: Vec<u16> = edits.iter().map(|fix| fix.place.file).collect();
    files.dedup();
    files
}

/// The text of `file` with `edits`, which are in order and apart from each other.
fn edited(files: &Files, file: u16, edits: &[&Fix]) -> String {
    let mut text = files.text(file).to_owned();
    for fix in edits.iter().rev().filter(|fix| fix.place.file == file) {
        let start = fix.place.start as usize;
        let end = start + fix.place.len as usize;
        if text.get(start..end).is_some() {
            text.replace_range(start..end, &fix.text);
        }
    }
    text
}
