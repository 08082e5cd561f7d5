//! Diagnostics as workflow commands of GitHub Actions: a line each, which becomes an annotation in the diff of a pull request.
//! Escapes as the runner reads them (actions/toolkit, `command.ts`): `%`, CR and LF in texts, and in properties `:` and `,` too.

use std::fmt::Write as _;

use crate::policy::diag::{Diagnostics, Severity};

pub(super) fn annotations(diagnostics: &Diagnostics) -> String {
    let mut out = String::new();
    for diagnostic in &diagnostics.list {
        let command = match diagnostic.severity() {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "notice",
        };
        let place = diagnostic.place();
        let files = &diagnostics.files;
        let (line, column) = files.line_column(place.file, place.start);
        let (end_line, end_column) = files.line_column(place.file, place.start + place.len);
        let mut text = diagnostic.message.clone();
        for label in diagnostic.labels.iter().take(1) {
            if !label.text.is_empty() {
                let _ = write!(text, ": {}", label.text);
            }
        }
        for help in &diagnostic.help {
            let _ = write!(text, "\nhelp: {help}");
        }
        let file = escaped(&workflow_text(files.name(place.file)));
        let _ = write!(out, "::{command} file={file},line={line}");
        // A column is meant for one line only; with several the runner ignores it.
        if line == end_line {
            let end_column = end_column.saturating_sub(1).max(column);
            let _ = write!(out, ",col={column},endColumn={end_column}");
        } else {
            let _ = write!(out, ",endLine={end_line}");
        }
        let _ = writeln!(out, ",title={}::{}", diagnostic.code, workflow_text(&text));
    }
    out
}

/// A text as the runner reads it back.
pub fn workflow_text(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn escaped(text: &str) -> String {
    text.replace(':', "%3A").replace(',', "%2C")
}
