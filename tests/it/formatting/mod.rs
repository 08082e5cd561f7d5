//! The one style of policies: what it looks like (`tests/corpus/format`, where `UPDATE=1` writes what comes out), that
//! all policies of the repository are in it, and what holds for every text.

mod command;
mod laws;

use std::path::{Path, PathBuf};

use switchover::policy::{self, Diagnostics, Unformatted};

use crate::docs;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text in the style, or what is wrong with it.
fn format(text: &str) -> Result<String, Diagnostics> {
    match policy::format(&[("main.policy", text)], "main.policy") {
        Ok(formatted) => {
            assert_eq!(formatted.before, text);
            Ok(formatted.after)
        }
        Err(Unformatted::Broken(diagnostics)) => Err(diagnostics),
        Err(why) => panic!("{why}:\n{text}"),
    }
}

/// The policies in the folders of the repository.
fn policies(folders: &[&str]) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for folder in folders {
        for entry in std::fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|end| end == "policy") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn cases_come_out_as_they_should() {
    let update = std::env::var_os("UPDATE").is_some();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (path, before) in policies(&["tests/corpus/format"]) {
        let name = path.to_str().unwrap();
        let Some(name) = name.strip_suffix(".before.policy") else {
            continue;
        };
        seen += 1;
        let expected = PathBuf::from(format!("{name}.after.policy"));
        let after = format(&before).unwrap_or_else(|found| panic!("{}", found.render(false)));
        if update {
            std::fs::write(&expected, &after).unwrap();
        }
        if std::fs::read_to_string(&expected).unwrap() != after {
            wrong.push(format!("{name}:\n{after}"));
        }
    }
    assert!(seen >= 6, "only {seen} cases");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_policies_of_the_repository_are_in_the_style() {
    let mut texts: Vec<(String, String)> = policies(&["policies", "policies/shared"])
        .into_iter()
        .map(|(path, text)| (path.display().to_string(), text))
        .collect();
    let shipped = texts.len();
    // A block that is there to show a mistake of form cannot be formatted.
    let blocks = docs::blocks()
        .into_iter()
        .filter(|block| block.mark.starts_with("policy"));
    texts.extend(blocks.map(|block| (block.at, block.text)));
    let (mut wrong, mut broken) = (Vec::new(), 0);
    for (at, text) in &texts {
        match format(text) {
            Ok(after) if after == *text => {}
            Ok(after) => wrong.push(format!("{at}: in the style it is\n{after}")),
            Err(_) => broken += 1,
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(shipped >= 6 && texts.len() > shipped + 20 && broken < 10);
}
