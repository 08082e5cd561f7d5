//! The rules of the house that the compiler does not know: layers, doors, sizes, headers, words, dead bounds and files,
//! and that docs/ARCHITECTURE.md shows them.
//!
//! Reads the sources as text. Each rule lists every place that breaks it, not only the first.

#![expect(
    clippy::string_slice,
    reason = "every offset comes from a search in the same text"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// A package, and the folders of `src` that may name it: the one place to look, to check or to replace it.
const DOORS: &[(&str, &[&str])] = &[
    ("annotate-snippets", &["policy"]),
    ("bytes", &["wire", "exchange", "runtime"]),
    ("clap", &["cli"]),
    ("crc32fast", &["wire"]),
    ("httparse", &["wire"]),
    ("io-uring", &["runtime"]),
    ("jiff", &["runtime"]),
    ("lsp-server", &["cli"]),
    ("memchr", &["wire"]),
    ("monoio", &["runtime"]),
    ("pest", &["policy"]),
    ("pest_derive", &["policy"]),
    ("ring", &["dialect"]),
    ("rustix", &["runtime"]),
    ("rustls", &["runtime"]),
    ("rustls-native-certs", &["runtime"]),
    ("serde", &["policy", "ops", "sim", "cli"]),
    ("serde_json", &["policy", "ops", "sim", "runtime", "cli"]),
    ("signal-hook", &["runtime"]),
    ("simd-json", &["wire"]),
    ("simdutf8", &["wire"]),
    ("similar", &["cli"]),
    ("webpki-roots", &["runtime"]),
    ("xxhash-rust", &["base"]),
    ("zeroize", &["base"]),
];

/// Layers of one number of which the first may use the second, as the docs of `src/lib.rs` say.
const SIBLINGS: &[(&str, &str)] = &[("exchange", "ops")];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &[
    "common", "helper", "helpers", "manager", "misc", "stuff", "util", "utils",
];

const FILE_LINES_MAX: usize = 600;
/// Files that are one table or one vocabulary, which would only be harder to read in two.
const LONG_FILES: &[&str] = &["src/policy/model.rs"];

/// A Rust source file.
struct Source {
    /// From the root of the repository, with `/`.
    path: String,
    text: String,
    /// The same lines with comments and the insides of strings blanked out.
    code: String,
}

impl Source {
    /// The folder right under `src`; `None` for `lib.rs`, `main.rs`, tests and benches.
    fn layer(&self) -> Option<&str> {
        self.path
            .strip_prefix("src/")?
            .split_once('/')
            .map(|(layer, _)| layer)
    }

    /// The code without its unit tests, which may check one door through another.
    fn product(&self) -> &str {
        if self.path.contains("/tests/")
            || self.path.ends_with("/tests.rs")
            || ["/recorded.rs", "/told.rs"]
                .iter()
                .any(|name| self.path.ends_with(name))
        {
            return "";
        }
        self.code
            .split_once("#[cfg(test)]\nmod tests {")
            .map_or(self.code.as_str(), |(product, _)| product)
    }
}

#[test]
fn imports_go_down_the_layers() {
    let numbers = layers();
    let mut broken = Vec::new();
    for source in sources(&["src"]) {
        let Some(own) = source.layer() else { continue };
        let number = numbers
            .get(own)
            .unwrap_or_else(|| panic!("`{own}` has no number in the docs of src/lib.rs"));
        for (line, code) in numbered(&source.code) {
            for (at, _) in code.match_indices("crate::") {
                let used: String = code[at + 7..]
                    .chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_')
                    .collect();
                let below = numbers.get(&used).is_some_and(|other| other < number);
                let allowed = used == own || below || SIBLINGS.contains(&(own, used.as_str()));
                if !allowed {
                    broken.push(format!(
                        "{}:{line}: `{own}` uses `crate::{used}`",
                        source.path
                    ));
                }
            }
        }
    }
    assert_none(&broken);
}

#[test]
fn every_layer_is_a_folder_and_every_folder_a_layer() {
    let folders: Vec<String> = fs::read_dir(root().join("src"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    let mut folders = folders;
    folders.sort();
    let named: Vec<String> = layers().into_keys().collect();
    assert_eq!(named, folders);
}

#[test]
fn packages_are_named_inside_their_doors_only() {
    let mut broken = Vec::new();
    for source in sources(&["src"]) {
        for (package, doors) in DOORS {
            if source.layer().is_some_and(|layer| doors.contains(&layer)) {
                continue;
            }
            let name = package.replace('-', "_");
            for (line, code) in numbered(source.product()) {
                if names(code, &name) {
                    broken.push(format!("{}:{line}: names `{package}`", source.path));
                }
            }
        }
    }
    assert_none(&broken);
}

#[test]
fn every_package_has_a_door_and_a_reason() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let (_, rest) = manifest.split_once("\n[dependencies]\n").unwrap();
    let (dependencies, rest) = rest.split_once("\n[dev-dependencies]\n").unwrap();
    let (dev_dependencies, _) = rest.split_once("\n[").unwrap();
    let entries = |text: &str| -> Vec<String> {
        text.lines()
            .filter(|line| line.contains(" = ") && !line.starts_with('#'))
            .map(str::to_owned)
            .collect()
    };
    let mut broken = Vec::new();
    for entry in entries(dependencies)
        .iter()
        .chain(&entries(dev_dependencies))
    {
        if !entry.contains("  # ") {
            broken.push(format!("Cargo.toml: no reason beside `{entry}`"));
        }
    }
    assert_none(&broken);
    let mut named: Vec<String> = entries(dependencies)
        .iter()
        .map(|entry| entry.split(" = ").next().unwrap().to_owned())
        .collect();
    named.sort();
    let doors: Vec<String> = DOORS
        .iter()
        .map(|(package, _)| (*package).to_owned())
        .collect();
    assert_eq!(named, doors);
}

#[test]
fn files_say_what_they_are_and_stay_short() {
    let mut broken = Vec::new();
    for source in sources(&["src", "tests", "benches"]) {
        if !source.text.starts_with("//!") {
            broken.push(format!("{}: does not begin with `//!`", source.path));
        }
        let lines = source.text.lines().count();
        if lines > FILE_LINES_MAX && !LONG_FILES.contains(&source.path.as_str()) {
            broken.push(format!("{}: {lines} lines", source.path));
        }
        for word in source.path.split(['/', '.']) {
            if EMPTY_NAMES.contains(&word) {
                broken.push(format!("{}: `{word}` says nothing", source.path));
            }
        }
    }
    assert_none(&broken);
}

#[test]
fn nothing_is_left_for_later() {
    // Put together here, so that this file passes its own test.
    let reminders =
        [["TO", "DO"], ["FIX", "ME"], ["XX", "X"], ["HA", "CK"]].map(|word| word.concat());
    let mut broken = Vec::new();
    for source in sources(&["src", "tests", "benches"]) {
        for (line, text) in numbered(&source.text) {
            let reminder = text
                .split(|c: char| !c.is_alphanumeric())
                .any(|word| reminders.iter().any(|reminder| word == reminder));
            if reminder || names_macro(text, &["to", "do!"].concat()) {
                broken.push(format!("{}:{line}: {}", source.path, text.trim()));
            }
        }
    }
    assert_none(&broken);
}

/// Markdown and comments pass every other test with one of them inside.
#[test]
fn no_merge_is_left_half_done() {
    let mut waiting = vec![root().to_owned()];
    let (mut broken, mut looked_at) = (Vec::new(), 0);
    while let Some(path) = waiting.pop() {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_ours = !(name.starts_with('.') || ["target", "node_modules"].contains(&&*name));
        if path.is_dir() && (path == root() || is_ours) {
            let inside = fs::read_dir(&path).unwrap();
            waiting.extend(inside.map(|entry| entry.unwrap().path()));
        } else if path.is_file()
            && let Ok(text) = fs::read_to_string(&path)
        {
            looked_at += 1;
            for (line, text) in numbered(&text).filter(|(_, text)| is_conflict_marker(text)) {
                broken.push(format!("{}:{line}: {text}", path.display()));
            }
        }
    }
    assert!(looked_at > 300, "only {looked_at} files");
    assert_none(&broken);
}

#[test]
fn a_conflict_marker_is_told_from_a_rule() {
    for (sign, behind) in [("<", " ours"), ("|", " base"), ("=", ""), (">", " theirs")] {
        let marker = sign.repeat(7);
        assert!(is_conflict_marker(&format!("{marker}{behind}")));
        assert!(!is_conflict_marker(&sign.repeat(8)));
        assert!(!is_conflict_marker(&format!(" {marker}")));
    }
    assert!(!is_conflict_marker("======= test session starts ======"));
}

#[test]
fn imports_stand_in_three_blocks() {
    let mut broken = Vec::new();
    for source in sources(&["src", "tests", "benches"]) {
        let mut highest = 0;
        for (line, code) in numbered(&source.code) {
            let Some(path) = code.strip_prefix("use ") else {
                continue;
            };
            let first = path.split([':', ';', ' ']).next().unwrap_or_default();
            let block = match first {
                "std" | "core" | "alloc" => 0,
                "crate" | "super" | "self" => 2,
                _ => 1,
            };
            if block < highest {
                broken.push(format!(
                    "{}:{line}: std, then packages, then crate",
                    source.path
                ));
            }
            highest = highest.max(block);
        }
    }
    assert_none(&broken);
}

/// A bound that nothing reads protects nothing.
#[test]
fn every_limit_is_used() {
    let sources = sources(&["src"]);
    let limits = sources
        .iter()
        .find(|source| source.path == "src/base/limits.rs")
        .unwrap();
    let others = sources.iter().filter(|source| source.path != limits.path);
    let used: BTreeSet<&str> = others.flat_map(|source| words(&source.code)).collect();
    let mut broken = Vec::new();
    for (line, code) in numbered(&limits.code) {
        let Some(rest) = code.trim_start().strip_prefix("pub const ") else {
            continue;
        };
        let name = rest.split(':').next().unwrap();
        if !used.contains(name) {
            broken.push(format!("{}:{line}: `{name}` is not used", limits.path));
        }
    }
    assert_none(&broken);
}

/// A file that no `mod` line names is not compiled, and rots.
#[test]
fn every_file_is_part_of_the_build() {
    let mut broken = Vec::new();
    for source in sources(&["src"]) {
        let path = Path::new(&source.path);
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let folder = path.parent().unwrap();
        let (name, parent) = match stem {
            "lib" | "main" if folder == Path::new("src") => continue,
            "mod" => (
                folder.file_name().unwrap().to_str().unwrap(),
                folder.parent().unwrap(),
            ),
            _ => (stem, folder),
        };
        let front = ["mod.rs", "lib.rs"]
            .map(|file| root().join(parent).join(file))
            .into_iter()
            .find(|file| file.is_file())
            .unwrap_or_else(|| panic!("{}: no mod.rs beside or above it", source.path));
        let text = fs::read_to_string(front).unwrap();
        if !blanked(&text).contains(&format!("mod {name};")) {
            broken.push(format!("{}: no `mod {name};` leads to it", source.path));
        }
    }
    assert_none(&broken);
}

/// docs/ARCHITECTURE.md shows the layers and doors that are enforced here, and leaves no folder out.
#[test]
fn the_architecture_is_the_one_that_is_enforced() {
    let page = fs::read_to_string(root().join("docs/ARCHITECTURE.md")).unwrap();
    let shown: Vec<(String, String, String)> = rows(&page, "| folder | layer |")
        .map(|cells| (name(cells[0]), cells[1].to_owned(), name(cells[3])))
        .collect();
    let mut enforced: Vec<(u32, String, String)> = layers()
        .into_iter()
        .map(|(layer, number)| {
            let sibling = SIBLINGS.iter().find(|(own, _)| *own == layer);
            let sibling = sibling.map_or("", |(_, other)| other).to_owned();
            (number, layer, sibling)
        })
        .collect();
    enforced.sort();
    let mut sorted: Vec<(u32, String, String)> = shown
        .iter()
        .map(|(layer, number, sibling)| (number.parse().unwrap(), layer.clone(), sibling.clone()))
        .collect();
    sorted.sort();
    assert_eq!(sorted, enforced);

    let doors: Vec<(String, String)> = rows(&page, "| package | door |")
        .map(|cells| (name(cells[0]), cells[1].replace('`', "")))
        .collect();
    let enforced: Vec<(String, String)> = DOORS
        .iter()
        .map(|(package, doors)| ((*package).to_owned(), doors.join(", ")))
        .collect();
    assert_eq!(doors, enforced);

    let mut folders: Vec<String> = sources(&["src"])
        .iter()
        .filter_map(|source| source.path.strip_prefix("src/")?.rsplit_once('/'))
        .map(|(folder, _)| folder.to_owned())
        .filter(|folder| !folder.ends_with("/tests"))
        .collect();
    folders.dedup();
    folders.retain(|folder| !page.contains(&format!("`{folder}`")));
    assert!(
        folders.is_empty(),
        "docs/ARCHITECTURE.md leaves out {folders:?}"
    );
}

/// The rows of the table that begins with `head`, as cells.
fn rows<'p>(page: &'p str, head: &str) -> impl Iterator<Item = Vec<&'p str>> {
    let (_, table) = page
        .split_once(head)
        .unwrap_or_else(|| panic!("no table `{head}`"));
    table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
}

/// A cell without its backticks.
fn name(cell: &str) -> String {
    cell.trim_matches('`').to_owned()
}

/// Layer → number, as the docs of `src/lib.rs` state them: names in backticks, then their number.
fn layers() -> BTreeMap<String, u32> {
    let text = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let docs: Vec<&str> = text
        .lines()
        .map_while(|line| line.strip_prefix("//!"))
        .collect();
    let docs = docs.join("\n");
    let (_, stated) = docs.split_once("smaller number only:").unwrap();
    let stated = stated.split("\n\n").next().unwrap();
    let mut found = BTreeMap::new();
    let mut waiting = Vec::new();
    for word in stated.split(|c: char| c.is_whitespace() || ",.".contains(c)) {
        if let Some(name) = word
            .strip_prefix('`')
            .and_then(|word| word.strip_suffix('`'))
        {
            waiting.push(name.to_owned());
        } else if let Ok(number) = word.parse() {
            found.extend(waiting.drain(..).map(|name| (name, number)));
        }
    }
    assert!(waiting.is_empty(), "no number for {waiting:?}");
    found
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folders: &[&str]) -> Vec<Source> {
    let mut waiting: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    let mut found = Vec::new();
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            waiting.extend(
                fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let short = path.strip_prefix(root()).unwrap();
            found.push(Source {
                path: short.to_str().unwrap().replace('\\', "/"),
                code: blanked(&text),
                text,
            });
        }
    }
    assert!(!found.is_empty(), "no sources in {folders:?}");
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// Whether git writes such a line where two sides of a merge differ: seven signs, and a name behind all but the middle.
fn is_conflict_marker(line: &str) -> bool {
    let named = ["<", ">", "|"].iter().any(|sign| {
        line.strip_prefix(&sign.repeat(7))
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    });
    named || line == "=".repeat(7)
}

/// Lines with their numbers, from 1.
fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line))
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
}

/// Whether `name` stands here as the first part of a path, or alone in a `use`.
fn names(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let before = &code[..at];
        let after = &code[at + name.len()..];
        let begins = !before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
        let import = before.ends_with("use ") && after.starts_with([';', ' ']);
        begins && (after.starts_with("::") || import)
    })
}

fn names_macro(text: &str, name: &str) -> bool {
    text.match_indices(name)
        .any(|(at, _)| !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
}

fn assert_none(broken: &[String]) {
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

/// Comments and the insides of strings and characters replaced by spaces; line ends stay.
fn blanked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let hidden = hidden_len(rest);
        let length = if hidden == 0 {
            first.len_utf8()
        } else {
            hidden
        };
        let (piece, tail) = rest.split_at(length);
        if hidden == 0 {
            out.push_str(piece);
        } else {
            out.extend(piece.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        }
        // An identifier is copied whole, so that its last `r` does not look like the start of a raw string.
        rest = tail;
        if hidden == 0 && (first.is_alphanumeric() || first == '_') {
            let length = rest
                .find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            let (word, tail) = rest.split_at(length);
            out.push_str(word);
            rest = tail;
        }
    }
    out
}

/// How many bytes at the start of `text` are one comment, string or character; 0 if it starts with none.
fn hidden_len(text: &str) -> usize {
    let until = |from: usize, end: &str| {
        text[from..]
            .find(end)
            .map_or(text.len(), |at| from + at + end.len())
    };
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        return until(2, "*/");
    }
    let raw = text.strip_prefix('b').unwrap_or(text);
    if let Some(hashes) = raw.strip_prefix('r') {
        let count = hashes.len() - hashes.trim_start_matches('#').len();
        if hashes[count..].starts_with('"') {
            return until(
                text.len() - hashes.len() + count + 1,
                &format!("\"{}", "#".repeat(count)),
            );
        }
    }
    if text.starts_with('"') || text.starts_with("b\"") {
        return quoted_len(text, '"');
    }
    // A character, not a lifetime: closed after one character or after an escape.
    let character = text.starts_with("'\\") || text.chars().nth(2) == Some('\'');
    if text.starts_with('\'') && character {
        return quoted_len(text, '\'');
    }
    0
}

fn quoted_len(text: &str, quote: char) -> usize {
    let mut escaped = false;
    let begin = text.find(quote).map_or(text.len(), |at| at + 1);
    for (at, c) in text[begin..].char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return begin + at + 1,
            _ => {}
        }
    }
    text.len()
}

#[test]
fn blanking_keeps_code_only() {
    // A dot in the second column is a space, blanked or not.
    let cases = [
        ("a // b \" c\nd", "a.........\nd"),
        ("x = \"a // \\\" b\"; y", "x.=............;.y"),
        ("r#\"a \" b\"# c", "...........c"),
        ("bar(\"x\")", "bar(...)"),
        ("b\"x\" br\"y\" z", "...........z"),
        ("'\\'' 'a' &'static str", ".........&'static.str"),
        ("/* a\nb */ c", "....\n.....c"),
    ];
    for (text, want) in cases {
        assert_eq!(blanked(text).replace(' ', "."), want, "{text:?}");
    }
}
