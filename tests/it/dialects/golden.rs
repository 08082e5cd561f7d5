//! `tests/corpus/dialects/<client format>-<case>/request.json`, and beside it what each provider is asked for it:
//! `<target>.jsonc`, with what was dropped, or why it is refused, at the top. `UPDATE=1 cargo test --test it dialects`
//! writes these anew; what changes in them is to be read like code.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use switchover::dialect::format::Format;

use super::layout::laid_out;
use super::{CLIENTS, MORE, Said, TARGETS, Target};

fn cases() -> Vec<(String, Format, PathBuf)> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/dialects");
    let mut cases: Vec<_> = fs::read_dir(corpus)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let word = name.split('-').next().unwrap();
            let client = CLIENTS.into_iter().find(|client| client.word() == word);
            (
                name.clone(),
                client.expect("it begins with a client's format"),
                path,
            )
        })
        .collect();
    cases.sort_by(|a, b| a.0.cmp(&b.0));
    cases
}

fn told(target: &Target, client: Format, request: &[u8]) -> String {
    let mut text = format!(
        "// {} for {} ({})\n",
        client.word(),
        target.name,
        target.model
    );
    match target.said(client, request) {
        Said::Whole { body, dropped } => {
            if !dropped.is_empty() {
                writeln!(text, "// dropped: {}", dropped.join(", ")).unwrap();
            }
            text.push_str(&laid_out(&body));
        }
        Said::Refused { field, why } => writeln!(text, "// refused: `{field}` {why}").unwrap(),
    }
    text
}

#[test]
fn every_request_is_said_for_every_provider() {
    let update = std::env::var_os("UPDATE").is_some();
    let cases = cases();
    let spoken: BTreeSet<&str> = cases.iter().map(|(_, client, _)| client.word()).collect();
    assert_eq!(spoken.len(), CLIENTS.len(), "{spoken:?}");
    let mut wrong = Vec::new();
    for (name, client, folder) in &cases {
        let request = fs::read(folder.join("request.json")).unwrap();
        let mut files = BTreeSet::from(["request.json".to_owned()]);
        let targets = TARGETS.iter().chain(&MORE);
        for target in targets.filter(|target| !target.passes(*client)) {
            let file = format!("{}.jsonc", target.name);
            let [told, again] = [(); 2].map(|()| told(target, *client, &request));
            assert_eq!(told, again, "the same request gives the same bytes");
            let path = folder.join(&file);
            if update {
                fs::write(&path, &told).unwrap();
            } else if fs::read_to_string(&path).unwrap_or_default() != told {
                wrong.push(format!("{name}/{file}:\n{told}"));
            }
            files.insert(file);
        }
        let there: BTreeSet<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(
            there, files,
            "{name}: files without a target, or the other way round"
        );
    }
    let advice = "UPDATE=1 cargo test --test it dialects";
    assert!(wrong.is_empty(), "{advice} rewrites\n{}", wrong.join("\n"));
}
