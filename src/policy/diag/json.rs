//! Diagnostics for machines. The shape is versioned by the command that prints it.

use serde::Serialize;

use crate::policy::diag::{Diagnostic, Diagnostics, Fix};
use crate::policy::files::Files;
use crate::policy::syntax::Place;

#[derive(Serialize)]
struct Finding<'d> {
    code: &'static str,
    severity: &'static str,
    message: &'d str,
    file: &'d str,
    range: Range,
    labels: Vec<Remark<'d>>,
    help: &'d [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fixes: Vec<Cure<'d>>,
}

#[derive(Serialize)]
struct Remark<'d> {
    file: &'d str,
    range: Range,
    text: &'d str,
}

#[derive(Serialize)]
struct Cure<'d> {
    title: &'d str,
    edits: [Edit<'d>; 1],
    safe: bool,
}

#[derive(Serialize)]
struct Edit<'d> {
    file: &'d str,
    range: Range,
    text: &'d str,
}

#[derive(Serialize)]
struct Range {
    start: Position,
    end: Position,
}

/// Line and column from 1, the column in characters; the byte from 0.
#[derive(Serialize)]
struct Position {
    line: u32,
    col: u32,
    byte: u32,
}

pub(super) fn to_json(diagnostics: &Diagnostics) -> String {
    let files = &diagnostics.files;
    let findings: Vec<Finding<'_>> = diagnostics
        .list
        .iter()
        .map(|diagnostic| finding(diagnostic, files))
        .collect();
    // Only maps with odd keys and failing writers can fail here, and there are none.
    serde_json::to_string(&findings).unwrap_or_default()
}

fn finding<'d>(diagnostic: &'d Diagnostic, files: &'d Files) -> Finding<'d> {
    let place = diagnostic.place();
    Finding {
        code: diagnostic.code.as_str(),
        severity: diagnostic.severity().as_str(),
        message: &diagnostic.message,
        file: files.name(place.file),
        range: range(files, place),
        labels: diagnostic
            .labels
            .iter()
            .map(|label| Remark {
                file: files.name(label.place.file),
                range: range(files, label.place),
                text: &label.text,
            })
            .collect(),
        help: &diagnostic.help,
        fixes: diagnostic
            .fixes
            .iter()
            .map(|fix| cure(files, fix))
            .collect(),
    }
}

fn cure<'d>(files: &'d Files, fix: &'d Fix) -> Cure<'d> {
    Cure {
        title: &fix.title,
        safe: fix.safe,
        edits: [Edit {
            file: files.name(fix.place.file),
            range: range(files, fix.place),
            text: &fix.text,
        }],
    }
}

fn range(files: &Files, place: Place) -> Range {
    let position = |byte: u32| {
        let (line, col) = files.line_column(place.file, byte);
        Position { line, col, byte }
    };
    Range {
        start: position(place.start),
        end: position(place.start + place.len),
    }
}
