//! Findings as the protocol has them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::cli::lsp::position::range;
use crate::policy::{Code, Diagnostic, Diagnostics, Files, Fix, Severity, uri};

/// What a text that is only a part of other policies cannot have, and need not: routes, and users of what it declares.
const OF_WHOLE_POLICIES: [Code; 3] = [Code::P1010, Code::P2001, Code::P2013];

/// Nobody reads more findings of a policy than this.
const SHOWN_MAX: usize = 1_000;

/// Findings by the path of their file. `part` leaves out what only whole policies are asked for.
pub(super) fn by_file(diagnostics: &Diagnostics, part: bool) -> BTreeMap<String, Vec<Value>> {
    let files = &diagnostics.files;
    let mut all: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for diagnostic in diagnostics.list.iter().take(SHOWN_MAX) {
        if part && OF_WHOLE_POLICIES.contains(&diagnostic.code) {
            continue;
        }
        let name = files.name(diagnostic.place().file).to_owned();
        all.entry(name).or_default().push(note(diagnostic, files));
    }
    all
}

/// One finding.
pub(super) fn note(diagnostic: &Diagnostic, files: &Files) -> Value {
    let severity = match diagnostic.severity() {
        Severity::Error => 1,
        Severity::Warning => 2,
        Severity::Note => 3,
    };
    let mut message = diagnostic.message.clone();
    let label = diagnostic.labels.first().map_or("", |label| &label.text);
    if !label.is_empty() {
        message.push_str(": ");
        message.push_str(label);
    }
    for help in &diagnostic.help {
        message.push_str("\nhelp: ");
        message.push_str(help);
    }
    let related: Vec<Value> = diagnostic
        .labels
        .iter()
        .skip(1)
        .map(|label| {
            json!({
                "location": { "uri": uri_of(files, label.place.file), "range": range(files, label.place) },
                "message": if label.text.is_empty() { "and here" } else { &label.text },
            })
        })
        .collect();
    let mut note = json!({
        "range": range(files, diagnostic.place()),
        "severity": severity,
        "code": diagnostic.code.as_str(),
        "source": "switchover",
        "message": message,
    });
    if !related.is_empty() {
        insert(&mut note, "relatedInformation", Value::Array(related));
    }
    if diagnostic.code == Code::P1010 {
        insert(&mut note, "tags", json!([1]));
    }
    note
}

/// One fix of a finding.
pub(super) fn action(diagnostic: &Diagnostic, fix: &Fix, files: &Files) -> Value {
    let edit = json!({ "range": range(files, fix.place), "newText": fix.text });
    json!({
        "title": format!("{}: {}", diagnostic.code, fix.title),
        "kind": "quickfix",
        "isPreferred": fix.safe,
        "diagnostics": [note(diagnostic, files)],
        "edit": { "changes": { uri_of(files, fix.place.file): [edit] } },
    })
}

/// The URI of a file of a load. A text that is no file is called by its URI.
pub(super) fn uri_of(files: &Files, file: u16) -> String {
    uri_of_path(files.name(file))
}

/// The same, of a path.
pub(super) fn uri_of_path(path: &str) -> String {
    if path.starts_with('/') {
        uri(path)
    } else {
        path.to_owned()
    }
}

fn insert(note: &mut Value, key: &str, value: Value) {
    if let Value::Object(fields) = note {
        fields.insert(key.to_owned(), value);
    }
}
