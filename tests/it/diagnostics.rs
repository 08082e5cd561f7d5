//! Every diagnostic as its author sees it. A case of `tests/corpus/policy` is a policy whose leading comment is what
//! the language says about it; `UPDATE=1 cargo test` writes that comment anew. `reject` does not load, `warn` loads and
//! says something, `accept` loads and says nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop, prop_oneof, proptest};
use switchover::base::limits::{POLICY_BYTES_MAX, POLICY_ITEMS_MAX, POLICY_MARKS_MAX};
use switchover::policy::{self, Code, Diagnostics, Policy, Severity, Sources};

use crate::policies::Disk;

/// One policy under test at the path of its case; imports come from beside it.
struct Case<'a> {
    path: &'a str,
    bytes: &'a [u8],
}

impl Sources for Case<'_> {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        if path == self.path {
            return Ok(self.bytes.to_vec());
        }
        Disk.read(corpus("reject").join(path).to_str().unwrap())
    }
}

fn corpus(folder: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join("tests/corpus/policy").join(folder)
}

fn load(bytes: &[u8]) -> Result<(Policy, Diagnostics), Diagnostics> {
    policy::load(
        &Case {
            path: "main.policy",
            bytes,
        },
        "main.policy",
        &[],
    )
}

/// What the language says about `text`, all of it.
fn findings(text: &str) -> Diagnostics {
    match load(text.as_bytes()) {
        Ok((_, diagnostics)) | Err(diagnostics) => diagnostics,
    }
}

fn codes(text: &str) -> Vec<Code> {
    findings(text)
        .list
        .iter()
        .map(|diagnostic| diagnostic.code)
        .collect()
}

/// The cases of a folder: name and text, in order.
fn cases(folder: &str) -> Vec<(String, String)> {
    let mut cases = Vec::new();
    for entry in std::fs::read_dir(corpus(folder)).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "policy")
        {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            cases.push((name, std::fs::read_to_string(path).unwrap()));
        }
    }
    assert!(!cases.is_empty(), "no case in {folder}");
    cases.sort();
    cases
}

/// Loads a case. Its leading comment is blanked, so that line numbers are those of the file.
fn run(name: &str, head_lines: usize, body: &str, sets: &[(&str, &str)]) -> (bool, Diagnostics) {
    let text = "\n".repeat(head_lines) + body;
    let case = Case {
        path: name,
        bytes: text.as_bytes(),
    };
    match policy::load(&case, name, sets) {
        Ok((_, diagnostics)) => (true, diagnostics),
        Err(diagnostics) => (false, diagnostics),
    }
}

/// What the leading comment of a case sets.
fn sets_of<'t>(lines: impl Iterator<Item = &'t str>) -> Vec<(&'t str, &'t str)> {
    let sets = lines.filter_map(|line| line.strip_prefix("#! set ")?.split_once('='));
    sets.collect()
}

/// Compares a case with its leading comment and returns the codes that it was given.
fn check(folder: &str, name: &str, text: &str, loads: bool) -> Vec<Code> {
    let (head, body): (Vec<&str>, Vec<&str>) = {
        let head = text
            .lines()
            .take_while(|line| line.starts_with('#'))
            .count();
        (
            text.lines().take(head).collect(),
            text.split_inclusive('\n').skip(head).collect(),
        )
    };
    let body = body.concat();
    let sets = sets_of(head.iter().copied());
    let (loaded, diagnostics) = run(name, head.len(), &body, &sets);
    assert_eq!(loaded, loads, "{name}: {}", diagnostics.render(false));

    let expected = |diagnostics: &Diagnostics| {
        let orders = head
            .iter()
            .filter(|line| line.starts_with("#! "))
            .map(|line| (*line).to_owned());
        let said = diagnostics.render(false);
        let said = said
            .lines()
            .map(|line| format!("# {line}").trim_end().to_owned());
        orders.chain(said).collect::<Vec<_>>()
    };
    if std::env::var_os("UPDATE").is_some() {
        // The comment's length moves the lines that it speaks of, but not how many lines it has.
        let length = expected(&diagnostics).len();
        let (_, diagnostics) = run(name, length, &body, &sets);
        let text = expected(&diagnostics).join("\n") + "\n" + &body;
        std::fs::write(corpus(folder).join(name), text).unwrap();
    } else {
        assert_eq!(
            head.join("\n"),
            expected(&diagnostics).join("\n"),
            "{name}; UPDATE=1 rewrites it"
        );
    }
    diagnostics
        .list
        .iter()
        .map(|diagnostic| diagnostic.code)
        .collect()
}

#[test]
fn rejected_policies_say_why() {
    for (name, text) in cases("reject") {
        let codes = check("reject", &name, &text, false);
        assert!(
            codes.iter().any(|code| name.starts_with(code.as_str())),
            "{name}: {codes:?}"
        );
    }
}

#[test]
fn doubtful_policies_load_and_say_what_is_doubtful() {
    for (name, text) in cases("warn") {
        let codes = check("warn", &name, &text, true);
        assert!(
            codes.iter().any(|code| name.starts_with(code.as_str())),
            "{name}: {codes:?}"
        );
    }
}

#[test]
fn accepted_policies_load_in_silence() {
    for (name, text) in cases("accept") {
        let (loaded, diagnostics) = run(&name, 0, &text, &[]);
        assert!(
            loaded && diagnostics.list.is_empty(),
            "{name}:\n{}",
            diagnostics.render(false)
        );
    }
}

/// Each code is found in at least two policies that were made to have it, and in none that is well: neither in those that
/// are shipped nor in those that come close to a mistake. (Whole policies in documents are held to the same in `docs`.)
#[test]
fn seeded_defects_are_found_and_good_policies_are_left_alone() {
    let mut found: BTreeMap<Code, BTreeSet<String>> = BTreeMap::new();
    for folder in ["reject", "warn"] {
        for (name, text) in cases(folder) {
            let wanted = name.split('_').next().unwrap();
            let (_, diagnostics) = run(&name, 0, &text, &sets_of(text.lines()));
            let codes = diagnostics.list.iter().map(|diagnostic| diagnostic.code);
            for code in codes.filter(|code| code.as_str() == wanted) {
                found.entry(code).or_default().insert(name.clone());
            }
        }
    }
    // Cases that would be awkward as files.
    for (code, awkward) in awkward() {
        for (name, bytes) in awkward {
            let said = load(&bytes).unwrap_err();
            assert!(said.list.iter().any(|one| one.code == code), "{name}");
            found.entry(code).or_default().insert(name.to_owned());
        }
    }
    let mut seldom = Vec::new();
    for code in Code::ALL {
        let count = found.get(code).map_or(0, BTreeSet::len);
        println!("{code} {count:>2}  {}", code.title());
        if count < 2 {
            seldom.push(code.as_str());
        }
    }
    assert!(seldom.is_empty(), "fewer than two cases: {seldom:?}");
    let good = cases("accept").into_iter();
    let good = good.map(|(name, text)| (format!("tests/corpus/policy/accept/{name}"), text));
    let good: Vec<(String, String)> = good.chain(shipped()).collect();
    for (path, _) in &good {
        let said = policy::load(&Disk, path, &[]).map_or_else(|said| said, |(_, said)| said);
        let grave = said.list.iter().any(|one| one.severity() > Severity::Note);
        assert!(!grave, "{path}:\n{}", said.render(false));
    }
    println!("{} policies are well", good.len());
}

/// The policies of the repository's own folder.
fn shipped() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = std::fs::read_dir(root.join("policies")).unwrap();
    let files = files.map(|entry| entry.unwrap().path());
    let policies = files.filter(|path| path.extension().is_some_and(|end| end == "policy"));
    let named = policies.map(|path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        (
            format!("policies/{name}"),
            std::fs::read_to_string(&path).unwrap(),
        )
    });
    let mut named: Vec<_> = named.collect();
    assert!(named.len() > 4);
    named.sort();
    named
}

type Named = (&'static str, Vec<u8>);

fn awkward() -> [(Code, [Named; 2]); 2] {
    let item = format!(
        "policy 1\nconst list = [{}1]\nroute default {{ reject(404) }}\n",
        "1, ".repeat(400_000)
    );
    [
        (
            Code::P0009,
            [
                (
                    "a string",
                    b"policy 1\nroute default { reject(404, \"\xff\") }\n".to_vec(),
                ),
                ("utf-16", b"\xff\xfep\0o\0l\0i\0c\0y\0 \x001\0".to_vec()),
            ],
        ),
        (
            Code::P0010,
            [
                ("a file", vec![b'#'; POLICY_BYTES_MAX + 1]),
                ("an item", item.into_bytes()),
            ],
        ),
    ]
}

/// A file that somebody made to be too much: what is found is bounded, and what comes behind is not read.
#[test]
fn findings_and_items_are_bounded() {
    let count = |found: &Diagnostics, code| {
        let same = found.list.iter().filter(|found| found.code == code);
        same.count()
    };
    let brackets = load(&b")\n".repeat(POLICY_ITEMS_MAX + 1)).unwrap_err();
    assert_eq!(count(&brackets, Code::P0003), POLICY_MARKS_MAX);
    assert_eq!(count(&brackets, Code::P0010), 1);
    let key = "# sk-proj-0123456789abcdefgh\n";
    let keys = load(key.repeat(POLICY_MARKS_MAX + 1).as_bytes()).unwrap_err();
    assert_eq!(count(&keys, Code::P4001), POLICY_MARKS_MAX);
    assert!(!keys.render(false).contains("sk-proj"));
    let turned = "# \u{202e}\n".repeat(POLICY_MARKS_MAX + 1);
    assert_eq!(count(&findings(&turned), Code::P1012), POLICY_MARKS_MAX);
}

#[test]
fn text_that_is_not_utf8_is_refused() {
    let diagnostics = load(b"policy 1\nroute default { reject(404, \"\xff\") }\n").unwrap_err();
    assert_eq!(diagnostics.list[0].code, Code::P0009);
    assert!(
        diagnostics.render(false).contains("main.policy:2:30"),
        "{}",
        diagnostics.render(false)
    );
}

#[test]
fn a_secret_in_the_text_is_never_echoed() {
    let text = "policy 1\nprovider openai { auth = bearer(\"sk-proj-0123456789abcdefgh\"), model m = \"m\" }\n\
                route default { tier 1 { openai.m }, deadline = \"sk-proj-0123456789abcdefgh\" }\n";
    let diagnostics = findings(&text.replace("tier 1 {", "tier 1 { # sk-0123456789-abcdefghij\n"));
    assert!(diagnostics.has_errors());
    let broken = findings(
        "policy 1\nroute a \"x\" = \"sk-proj-0123456789abcdefgh\" \"sk-proj-0123456789abcdefgh\"\n",
    );
    assert!(broken.has_errors());
    for output in [broken.render(false), broken.to_json()] {
        assert!(!output.contains("abcdefgh"), "{output}");
    }
    for output in [
        diagnostics.render(false),
        diagnostics.render(true),
        diagnostics.to_json(),
    ] {
        assert!(!output.contains("abcdefgh"), "{output}");
    }
}

#[test]
fn all_mistakes_of_all_files_come_in_one_run() {
    let files = [
        (
            "main.policy",
            "policy 1\nimport \"a.policy\"\nroute default { tier 1 { nobody.home } }\n",
        ),
        (
            "a.policy",
            "policy 1\nimport \"b.policy\"\ndefaults { deadline = 3 }\nbroken = = 1\n",
        ),
        ("b.policy", "retries r { max = 99 }\n"),
    ];
    let diagnostics = policy::load(&files, "main.policy", &[]).unwrap_err();
    let codes: BTreeSet<Code> = diagnostics
        .list
        .iter()
        .map(|diagnostic| diagnostic.code)
        .collect();
    for code in [
        Code::P1002,
        Code::P1003,
        Code::P0008,
        Code::P0001,
        Code::P1009,
    ] {
        assert!(
            codes.contains(&code),
            "{code} is missing:\n{}",
            diagnostics.render(false)
        );
    }
}

#[test]
fn json_has_places_and_fixes() {
    let json = findings(
        "policy 1\nprovider openai { model m = \"m\" }\nroute default { tier 1 { openai.mm } }\n",
    )
    .to_json();
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    let first = &value[0];
    assert_eq!(first["code"], "P1002");
    assert_eq!(first["severity"], "error");
    assert_eq!(first["file"], "main.policy");
    assert_eq!(first["range"]["start"]["line"], 3);
    assert_eq!(first["range"]["start"]["col"], 26);
    assert_eq!(first["fixes"][0]["edits"][0]["text"], "openai.m");
}

/// The text of a case without what is said about it.
fn body(text: &str) -> String {
    text.split_inclusive('\n')
        .skip_while(|line| line.starts_with('#'))
        .collect()
}

/// How many findings of a code there are.
fn count(found: &Diagnostics, code: Code) -> usize {
    found.list.iter().filter(|one| one.code == code).count()
}

/// Each fix cures what it belongs to, and whoever takes it meets nothing that does not parse.
#[test]
fn fixes_cure() {
    let mut with_fix = BTreeSet::new();
    for (name, text) in ["reject", "warn"].into_iter().flat_map(cases) {
        let body = body(&text);
        let (_, before) = run(&name, 0, &body, &[]);
        let fixes = before.list.iter();
        for (code, fix) in fixes.flat_map(|one| one.fixes.iter().map(|fix| (one.code, fix))) {
            with_fix.insert(code);
            let mut cured = body.clone();
            let start = usize::try_from(fix.place.start).unwrap();
            let end = start + usize::try_from(fix.place.len).unwrap();
            cured.replace_range(start..end, &fix.text);
            let (_, after) = run(&name, 0, &cured, &[]);
            assert!(
                count(&after, code) < count(&before, code),
                "{name}: {}\n{}",
                fix.title,
                after.render(false)
            );
            for broken in [Code::P0003, Code::P0004, Code::P0006, Code::P0008] {
                assert!(
                    count(&after, broken) <= count(&before, broken),
                    "{name}: {}",
                    fix.title
                );
            }
        }
    }
    for code in [
        Code::P0001,
        Code::P0004,
        Code::P0005,
        Code::P0006,
        Code::P1001,
        Code::P1002,
        Code::P1004,
        Code::P1005,
        Code::P1010,
        Code::P2001,
        Code::P2004,
        Code::P2011,
        Code::P3001,
        Code::P3022,
    ] {
        assert!(with_fix.contains(&code), "{code} has no fix");
    }
}

/// What `check --fix` does of its own accord leaves nothing that it could do, and nothing that does not parse.
#[test]
fn repairs_come_to_an_end() {
    let mut repaired = BTreeSet::new();
    for (name, text) in ["reject", "warn"].into_iter().flat_map(cases) {
        let body = body(&text);
        let case = Case {
            path: &name,
            bytes: body.as_bytes(),
        };
        let (_, before) = run(&name, 0, &body, &[]);
        let repair = policy::repair(&case, &name, &[]);
        let (Ok((_, after)) | Err(after)) = &repair.outcome;
        let safe = |found: &Diagnostics| {
            let fixes = found.list.iter().flat_map(|one| &one.fixes);
            fixes.filter(|fix| fix.safe).count()
        };
        assert_eq!(safe(after), 0, "{name}:\n{}", after.render(false));
        assert_eq!(repair.changed.is_empty(), repair.made.is_empty(), "{name}");
        for made in &repair.made {
            repaired.insert(made.code);
            assert!(
                count(after, made.code) <= count(&before, made.code),
                "{name}"
            );
        }
        for one in before
            .list
            .iter()
            .filter(|one| one.fixes.iter().any(|fix| fix.safe))
        {
            let left = after.list.iter().any(|left| {
                left.code == one.code && left.message == one.message && left.labels == one.labels
            });
            assert!(!left, "{name}: {} is still there", one.code);
        }
        assert!(safe(&before) == 0 || !repair.made.is_empty(), "{name}");
    }
    assert!(repaired.len() >= 8, "{repaired:?}");
}

#[test]
fn a_repair_reaches_imported_files_and_goes_on_until_nothing_is_left() {
    let files = [
        (
            "main.policy",
            "import \"a.policy\"\nroute first when req.stream = true { tier 1 { openai.m }, fallback { on any -> next } }\n",
        ),
        (
            "a.policy",
            "provider openai { model m = \"m\" caps = [tools] }\nprovider mistral { model n = \"n\" }\n",
        ),
    ];
    let repair = policy::repair(&files, "main.policy", &[]);
    let texts: Vec<&str> = repair.changed.iter().map(|file| &*file.text).collect();
    assert!(texts[1].starts_with("policy 1\n\nimport"), "{}", texts[1]);
    assert!(texts[1].contains("req.stream == true"), "{}", texts[1]);
    assert!(texts[1].contains("else -> reject(503)"), "{}", texts[1]);
    assert!(texts[1].contains("route default"), "{}", texts[1]);
    assert!(texts[0].starts_with("policy 1\n\nprovider"), "{}", texts[0]);
    assert!(repair.made.len() >= 5, "{:?}", repair.made);
}

#[test]
fn deep_nesting_is_refused_not_survived_by_luck() {
    for (open, close) in [("(", ")"), ("[", "]")] {
        let text = format!(
            "policy 1\nconst x = {}1{}\nroute default {{ reject(404) }}\n",
            open.repeat(400),
            close.repeat(400)
        );
        assert!(codes(&text).contains(&Code::P0007), "{open}");
    }
    assert!(codes(&format!("policy 1\n{}", "{".repeat(64 * 1024))).contains(&Code::P0007));
    let nots = format!(
        "policy 1\nroute a when {}req.stream {{ reject(404) }}\nroute default {{ reject(404) }}\n",
        "not ".repeat(20_000)
    );
    assert!(load(nots.as_bytes()).is_ok());
}

/// Pieces that policies are made of, and some that they are not.
fn piece() -> impl Strategy<Value = String> {
    let words = [
        "policy 1\n",
        "provider openai {",
        "route default {",
        "tier 1 {",
        "}",
        "\n",
        ",",
        " = ",
        " -> ",
        "when ",
        "on ",
        "else",
        "next",
        "reject(503)",
        "req.model",
        "\"gpt\"",
        "[",
        "]",
        "(",
        ")",
        "30s",
        "5%",
        "and ",
        "or ",
        "not ",
        "in ",
        "openai.mini",
        "openai.*",
        "use pool.x",
        "breaker b {",
        "open when error_rate > 25%",
        "import \"x\"",
        "const c = ",
        "$1/Mtok",
        "15s..2m",
        "#",
        "\"",
        "\\",
        "é",
        "hash_pct(key.id) < 5%",
        "model mini = \"m\"",
    ];
    prop_oneof![
        8 => prop::sample::select(words.to_vec()).prop_map(str::to_owned),
        1 => any::<String>(),
        1 => Just(" ".to_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Err(diagnostics) = load(&bytes) {
            assert!(!diagnostics.render(false).is_empty());
        }
    }

    #[test]
    fn random_pieces_never_panic(pieces in prop::collection::vec(piece(), 0..60)) {
        let found = findings(&pieces.concat());
        assert!(found.count(Severity::Error) == 0 || !found.render(false).is_empty());
        assert!(found.to_json().starts_with('['));
    }

    #[test]
    fn mutated_policies_never_panic(at in any::<prop::sample::Index>(), cut in 0_usize..40, with in piece()) {
        let text = include_str!("../../policies/enterprise.policy").replace("import \"shared/providers.policy\"", include_str!("../../policies/shared/providers.policy").trim_start_matches("# Providers that several policies share.\npolicy 1"));
        let starts: Vec<usize> = text.char_indices().map(|(start, _)| start).collect();
        let start = starts[at.index(starts.len())];
        let end = text.char_indices().map(|(start, _)| start).find(|&end| end >= start + cut).unwrap_or(text.len());
        let mut mutated = text.clone();
        mutated.replace_range(start..end, &with);
        let found = findings(&mutated);
        assert!(found.count(Severity::Error) == 0 || !found.render(false).is_empty());
    }
}
