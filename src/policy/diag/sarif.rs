//! Diagnostics as SARIF 2.1.0 (OASIS, Static Analysis Results Interchange Format), the form that code hosts and dashboards take
//! in. One log holds one run: all policies that were checked.

use std::fmt::Write as _;

use serde::Serialize;

use crate::policy::diag::{Code, Diagnostic, Diagnostics, Fix, Label, Severity};
use crate::policy::files::Files;
use crate::policy::syntax::Place;

/// The schema that the log follows.
const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";
/// Where the project lives, as its manifest says; empty where it does not.
const HOME: &str = env!("CARGO_PKG_REPOSITORY");

#[derive(Serialize)]
struct Log<'d> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run<'d>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'d> {
    tool: Tool,
    /// Columns count characters, as those of `--format json` do.
    column_kind: &'static str,
    results: Vec<Finding<'d>>,
}

#[derive(Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Serialize)]
struct Driver {
    name: &'static str,
    version: &'static str,
    rules: Vec<Rule>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: &'static str,
    short_description: Message<'static>,
    help: Help,
    #[serde(skip_serializing_if = "Option::is_none")]
    help_uri: Option<String>,
    default_configuration: Configuration,
}

#[derive(Serialize)]
struct Help {
    text: &'static str,
    markdown: &'static str,
}

#[derive(Serialize)]
struct Configuration {
    level: &'static str,
}

#[derive(Serialize)]
struct Message<'d> {
    text: &'d str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Finding<'d> {
    rule_id: &'static str,
    rule_index: usize,
    level: &'static str,
    message: Whole,
    locations: Vec<Location<'d>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related_locations: Vec<Location<'d>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fixes: Vec<Cure<'d>>,
}

#[derive(Serialize)]
struct Whole {
    text: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location<'d> {
    physical_location: Physical,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Message<'d>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Physical {
    artifact_location: Artifact,
    region: Region,
}

#[derive(Serialize)]
struct Artifact {
    uri: String,
}

/// Lines and columns from 1, the end exclusive; `byteOffset` from 0.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: u32,
    start_column: u32,
    end_line: u32,
    end_column: u32,
    byte_offset: u32,
    byte_length: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Cure<'d> {
    description: Message<'d>,
    artifact_changes: [Change<'d>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Change<'d> {
    artifact_location: Artifact,
    replacements: [Replacement<'d>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Replacement<'d> {
    deleted_region: Region,
    inserted_content: Message<'d>,
}

/// One log of everything that was found in a run.
pub(super) fn log(runs: &[Diagnostics]) -> String {
    // Rules that nothing was found of would make each log longer than its results.
    let named = |code: &Code| {
        let mut all = runs.iter().flat_map(|found| &found.list);
        all.any(|one| one.code == *code)
    };
    let codes: Vec<Code> = Code::ALL.iter().copied().filter(named).collect();
    let results = runs.iter().flat_map(|found| {
        let finding = |one| finding(one, &found.files, &codes);
        found.list.iter().map(finding)
    });
    let log = Log {
        schema: SCHEMA,
        version: "2.1.0",
        runs: [Run {
            tool: Tool {
                driver: Driver {
                    name: env!("CARGO_PKG_NAME"),
                    version: env!("CARGO_PKG_VERSION"),
                    rules: codes.iter().copied().map(rule).collect(),
                },
            },
            column_kind: "unicodeCodePoints",
            results: results.collect(),
        }],
    };
    // Only maps with odd keys and failing writers can fail here, and there are none.
    serde_json::to_string(&log).unwrap_or_default()
}

fn rule(code: Code) -> Rule {
    Rule {
        id: code.as_str(),
        short_description: Message { text: code.title() },
        help: Help {
            text: code.page(),
            markdown: code.page(),
        },
        help_uri: (!HOME.is_empty())
            .then(|| format!("{HOME}/blob/main/docs/language/errors/{code}.md")),
        default_configuration: Configuration {
            level: level(code.severity()),
        },
    }
}

const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

fn finding<'d>(diagnostic: &'d Diagnostic, files: &'d Files, codes: &[Code]) -> Finding<'d> {
    let mut text = diagnostic.message.clone();
    for help in &diagnostic.help {
        text.push_str("\nhelp: ");
        text.push_str(help);
    }
    let at = |label: &'d Label| location(files, label);
    let (first, others) = diagnostic.labels.split_at_checked(1).unwrap_or_default();
    let place = codes.iter().position(|code| *code == diagnostic.code);
    Finding {
        rule_id: diagnostic.code.as_str(),
        rule_index: place.unwrap_or_default(),
        level: level(diagnostic.severity()),
        message: Whole { text },
        locations: first.iter().map(at).collect(),
        related_locations: others.iter().map(at).collect(),
        fixes: diagnostic
            .fixes
            .iter()
            .map(|fix| cure(files, fix))
            .collect(),
    }
}

fn location<'d>(files: &Files, label: &'d Label) -> Location<'d> {
    Location {
        physical_location: Physical {
            artifact_location: artifact(files, label.place),
            region: region(files, label.place),
        },
        message: (!label.text.is_empty()).then(|| Message { text: &label.text }),
    }
}

fn cure<'d>(files: &Files, fix: &'d Fix) -> Cure<'d> {
    Cure {
        description: Message { text: &fix.title },
        artifact_changes: [Change {
            artifact_location: artifact(files, fix.place),
            replacements: [Replacement {
                deleted_region: region(files, fix.place),
                inserted_content: Message { text: &fix.text },
            }],
        }],
    }
}

fn artifact(files: &Files, place: Place) -> Artifact {
    Artifact {
        uri: uri(files.name(place.file)),
    }
}

fn region(files: &Files, place: Place) -> Region {
    let (start_line, start_column) = files.line_column(place.file, place.start);
    let (end_line, end_column) = files.line_column(place.file, place.start + place.len);
    Region {
        start_line,
        start_column,
        end_line,
        end_column,
        byte_offset: place.start,
        byte_length: place.len,
    }
}

/// A path as a URI reference (RFC 3986): relative ones stay so, absolute ones get a scheme.
pub fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len() + 8);
    if path.starts_with('/') {
        uri.push_str("file://");
    }
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            // Strings take all that is written.
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::uri;

    #[test]
    fn paths_become_references() {
        assert_eq!(uri("policies/a.policy"), "policies/a.policy");
        assert_eq!(
            uri("/etc/a b#é.policy"),
            "file:///etc/a%20b%23%C3%A9.policy"
        );
    }
}
