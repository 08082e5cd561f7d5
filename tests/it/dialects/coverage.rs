//! What becomes of each feature between each client format and each kind of provider: found by saying a request with it
//! and the same request without it. A feature that changes nothing and is not named as dropped was lost silently, which is
//! what this is here to catch. The tables stand in docs/dialects.md; `UPDATE=1 cargo test --test it dialects` writes them
//! anew.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::features::{Feature, answer_features, base, conversation, tool_features, tools};
use super::{CLIENTS, Said, TARGETS, Target};

/// `patch` over `request`; members of objects each by itself, all else whole.
fn over(request: &mut Value, patch: &Value) {
    match (request.as_object_mut(), patch.as_object()) {
        (Some(members), Some(patches)) => {
            for (key, value) in patches {
                over(members.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        _ => *request = patch.clone(),
    }
}

/// A cell of a table.
fn cell(feature: &Feature, at: usize, target: &Target) -> String {
    let client = CLIENTS[at];
    if feature.asked[at].is_null() {
        return "·".to_owned();
    }
    let mut without = base(client);
    if feature.of_tools {
        over(&mut without, &tools()[at]);
    }
    let mut with = without.clone();
    over(&mut with, &feature.asked[at]);
    let [without, with] = [without, with].map(|it| target.said(client, it.to_string().as_bytes()));
    let Said::Whole {
        body: plain,
        dropped: usual,
    } = without
    else {
        panic!(
            "{} for {}: the plain request is refused",
            client.word(),
            target.name
        );
    };
    match with {
        Said::Refused { .. } => "400".to_owned(),
        Said::Whole { body, dropped } => {
            let new: Vec<_> = dropped
                .iter()
                .filter(|name| !usual.contains(name))
                .collect();
            match (new.as_slice(), body == plain) {
                ([], false) => "yes".to_owned(),
                ([], true) if feature.usual => "yes".to_owned(),
                ([], true) => "LOST".to_owned(),
                // Named, and yet it made a difference: a part of it went over.
                (_, false) if feature.name != "mark for the prompt cache" => "in part".to_owned(),
                _ => "dropped".to_owned(),
            }
        }
    }
}

/// The tables, one for each client format.
fn tables() -> String {
    let features: Vec<Feature> = [conversation(), tool_features(), answer_features()]
        .into_iter()
        .flatten()
        .collect();
    let mut text = String::new();
    for (at, client) in CLIENTS.into_iter().enumerate() {
        writeln!(text, "\n### Clients that speak `{}`\n", client.word()).unwrap();
        let columns: Vec<&Target> = TARGETS
            .iter()
            .filter(|target| !target.passes(client))
            .collect();
        let names: Vec<_> = columns
            .iter()
            .map(|target| format!("`{}`", target.name))
            .collect();
        writeln!(text, "| | {} |", names.join(" | ")).unwrap();
        writeln!(text, "|---|{}", "---|".repeat(columns.len())).unwrap();
        for feature in features
            .iter()
            .filter(|feature| !feature.asked[at].is_null())
        {
            let cells: Vec<_> = columns
                .iter()
                .map(|target| cell(feature, at, target))
                .collect();
            writeln!(text, "| {} | {} |", feature.name, cells.join(" | ")).unwrap();
        }
    }
    text.push('\n');
    text
}

#[test]
fn the_document_shows_what_becomes_of_each_feature() {
    const BEGIN: &str = "<!-- tables: UPDATE=1 cargo test --test it dialects -->\n";
    const END: &str = "<!-- end tables -->";
    let tables = tables();
    println!("{tables}");
    assert!(
        !tables.contains("LOST"),
        "something is lost without a word:\n{tables}"
    );
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/dialects.md");
    let page = fs::read_to_string(&path).unwrap();
    let (head, rest) = page.split_once(BEGIN).unwrap();
    let (shown, tail) = rest.split_once(END).unwrap();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, format!("{head}{BEGIN}{tables}{END}{tail}")).unwrap();
    } else {
        assert!(
            shown == tables,
            "docs/dialects.md is behind: UPDATE=1 rewrites it\n{tables}"
        );
    }
}
