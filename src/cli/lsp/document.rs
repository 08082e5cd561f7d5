//! The texts that the editor has open. What is on disk below them counts for files that it has not.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::cli::lsp::position::{Range, byte_of, path_of};
use crate::policy::Sources;
use crate::runtime::Disk;

/// One open text.
#[derive(Debug)]
pub(super) struct Document {
    /// As the editor calls it.
    pub(super) uri: String,
    pub(super) text: String,
    pub(super) version: Option<i64>,
}

/// All of them, by path.
#[derive(Debug, Default)]
pub(super) struct Documents {
    open: BTreeMap<String, Document>,
}

/// A change of a text: all of it where there is no range.
#[derive(Debug, Deserialize)]
pub(super) struct Change {
    range: Option<Range>,
    text: String,
}

/// The path by which a document is known: a text without a file is known by its URI.
pub(super) fn key_of(uri: &str) -> String {
    path_of(uri).unwrap_or_else(|| uri.to_owned())
}

impl Documents {
    pub(super) fn open(&mut self, uri: &str, text: String, version: Option<i64>) -> String {
        let key = key_of(uri);
        let document = Document {
            uri: uri.to_owned(),
            text,
            version,
        };
        self.open.insert(key.clone(), document);
        key
    }

    pub(super) fn close(&mut self, key: &str) {
        self.open.remove(key);
    }

    pub(super) fn get(&self, key: &str) -> Option<&Document> {
        self.open.get(key)
    }

    pub(super) fn keys(&self) -> Vec<String> {
        self.open.keys().cloned().collect()
    }

    pub(super) fn change(&mut self, key: &str, changes: Vec<Change>, version: Option<i64>) {
        let Some(document) = self.open.get_mut(key) else {
            return;
        };
        document.version = version;
        for change in changes {
            let Some(range) = change.range else {
                document.text = change.text;
                continue;
            };
            let start = byte_of(&document.text, range.start);
            let end = byte_of(&document.text, range.end).max(start);
            document.text.replace_range(start..end, &change.text);
        }
    }
}

impl Sources for Documents {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        match self.open.get(path) {
            Some(document) => Ok(document.text.clone().into_bytes()),
            None => Disk.read(path),
        }
    }
}
