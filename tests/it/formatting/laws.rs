//! What holds for every policy: formatted twice it is as formatted once; it says the same to the compiler; its tokens
//! and comments are those that were there, in their order; and no text whatever makes the formatter fail.

use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop, prop_oneof, proptest};
use switchover::base::limits::POLICY_BYTES_MAX;
use switchover::policy::{self, Code, Sources};

use super::{format, policies};
use crate::policies::Disk;

/// What a person sees: no blank at the end of a line, no tab as a blank, no two empty lines.
fn assert_tidy(text: &str) {
    assert!(text.is_empty() || text.ends_with('\n') && !text.ends_with("\n\n"));
    assert!(
        !text.starts_with('\n') && !text.contains("\n\n\n"),
        "{text}"
    );
    for line in text.lines() {
        assert!(!line.ends_with(' ') && !line.starts_with('\t'), "{line:?}");
    }
}

/// All that is neither blank nor line end nor comma, nor a word before which lines break.
fn essence(text: &str) -> String {
    let words = text.split([' ', '\t', '\r', '\n', ',']);
    let stays = |word: &&str| !matches!(*word, "and" | "or");
    words.filter(stays).collect()
}

/// Formats `text` and checks the laws. What came out, where it parses.
fn lawful(text: &str) -> Option<String> {
    let after = format(text).ok()?;
    assert_tidy(&after);
    let again = format(&after).unwrap_or_else(|found| panic!("{}\n{after}", found.render(false)));
    assert_eq!(again, after, "\n{text}");
    Some(after)
}

/// The compiled policy without line numbers and hash, or the codes of what is wrong with it.
fn meaning(sources: &dyn Sources, path: &str) -> Result<String, Vec<Code>> {
    match policy::load(sources, path, &[]) {
        Ok((mut policy, _)) => {
            policy.hash = 0;
            let shown = format!("{policy:#?}");
            let lines = shown
                .lines()
                .filter(|line| !line.trim_start().starts_with("line: "));
            Ok(lines.collect::<Vec<_>>().join("\n"))
        }
        Err(found) => Err(found.list.iter().map(|one| one.code).collect()),
    }
}

/// One text in place of the file at its path; what it imports comes from the disk.
struct Instead<'a>(&'a str, &'a str);

impl Sources for Instead<'_> {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        if path == self.0 {
            return Ok(self.1.as_bytes().to_vec());
        }
        Disk.read(path)
    }
}

#[test]
fn policies_mean_the_same_to_the_compiler() {
    let mut compiled = 0;
    for (path, text) in policies(&[
        "policies",
        "policies/shared",
        "tests/corpus/policy/accept",
        "tests/corpus/policy/warn",
        "tests/corpus/policy/reject",
        "tests/corpus/format",
    ]) {
        let path = path.to_str().unwrap();
        // With the lines of another system.
        lawful(&text.replace('\n', "\r\n"));
        let Some(after) = lawful(&text) else { continue };
        let before = meaning(&Instead(path, &text), path);
        assert_eq!(before, meaning(&Instead(path, &after), path), "{path}");
        compiled += usize::from(before.is_ok());
    }
    assert!(compiled >= 20, "only {compiled}");
}

/// A name, a literal, or brackets around more of them.
fn value() -> impl Strategy<Value = String> {
    let plain = prop::sample::select(vec![
        "a",
        "b.c",
        "d.*",
        "\"x  , # {\"",
        "\"\\\"\"",
        "5%",
        "15s..2m",
        "$1.25/Mtok",
        "600/m",
        "1_000",
    ]);
    plain
        .prop_map(str::to_owned)
        .prop_recursive(3, 24, 4, |inner| {
            let gap = gap;
            let all = prop::collection::vec((inner, gap(), gap()), 0..4);
            (prop::sample::select(vec!["[", "f(", "("]), all, gap()).prop_map(
                |(open, all, last)| {
                    let close = if open == "[" { "]" } else { ")" };
                    let mut members: Vec<String> = all
                        .iter()
                        .map(|(value, before, after)| format!("{before}{value}{after}"))
                        .collect();
                    if open == "(" {
                        members.truncate(1);
                        members.resize(1, "e".to_owned());
                    }
                    // After a line end there is no comma: it separates by itself.
                    let mut text = open.to_owned();
                    for (number, member) in members.iter().enumerate() {
                        let ended = text.trim_end_matches([' ', '\t']).ends_with('\n');
                        if number > 0 && !ended {
                            text.push(',');
                        }
                        text.push_str(member);
                    }
                    format!(
                        "{text}{}{close}",
                        if members.is_empty() {
                            last
                        } else {
                            String::new()
                        }
                    )
                },
            )
        })
}

/// Where a line may end: nothing, blanks, line ends, comments.
fn gap() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => Just(String::new()),
        2 => Just(" ".to_owned()),
        1 => Just("  ".to_owned()),
        2 => Just("\n".to_owned()),
        1 => Just("\n\n\n".to_owned()),
        1 => Just("\r\n\t".to_owned()),
        1 => Just(" # c\n".to_owned()),
        1 => Just("\n#d\n  # e \n".to_owned()),
    ]
}

/// Blanks within a line.
fn blank() -> impl Strategy<Value = String> {
    prop::sample::select(vec![" ", "  ", "\t", "   "]).prop_map(str::to_owned)
}

fn condition() -> impl Strategy<Value = String> {
    let sign = prop::sample::select(vec!["==", "<=", ">", "in", "not in", "like", "contains"]);
    let one = (value(), blank(), sign, gap(), value())
        .prop_map(|(left, blank, sign, gap, right)| format!("{left}{blank}{sign}{gap} {right}"))
        .boxed();
    let joint = (
        gap(),
        prop::sample::select(vec!["and", "or", "and not"]),
        gap(),
    );
    (one.clone(), prop::collection::vec((joint, one), 0..4)).prop_map(|(first, more)| {
        let more = more.iter().map(|((before, word, after), one)| match *word {
            // After `not` the line does not end.
            "and not" => format!("{before} {word} {one}"),
            _ => format!("{before} {word}{after} {one}"),
        });
        format!("{first}{}", more.collect::<String>())
    })
}

fn head() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "tier 1",
        "model mini",
        "x",
        "quite_a_long_name_for_a_field",
    ]);
    (name, blank(), condition(), value(), gap(), 0..5).prop_map(
        |(name, blank, condition, value, gap, form)| match form {
            0 => name.to_owned(),
            1 => format!("{name}{blank}={gap} {value}"),
            2 => format!("{name}{blank}->{blank}{value}"),
            3 => format!("{name}{blank}when {condition}"),
            _ => format!("{name}{blank}{value}"),
        },
    )
}

fn statement() -> impl Strategy<Value = String> {
    head().prop_recursive(3, 20, 5, |inner| {
        let separator = prop_oneof![3 => Just(",".to_owned()), 3 => Just("\n".to_owned()), 1 => Just(", # c\n".to_owned()), 1 => Just("\n\n # d\n\n#e\n".to_owned())];
        let more = prop::collection::vec((inner, separator, blank()), 0..5);
        (head(), blank(), gap(), more).prop_map(|(head, blank, gap, more)| {
            let more = more.iter().map(|(one, separator, blank)| format!("{one}{blank}{separator}"));
            format!("{head}{blank}{{{gap}{}}}", more.collect::<String>())
        })
    })
}

fn policy() -> impl Strategy<Value = String> {
    let between =
        prop::sample::select(vec!["\n", "\n\n\n", " # c\n", "\n# d\n\n\n  # e\n", "\r\n"]);
    let items = prop::collection::vec((statement(), between), 0..6);
    items.prop_map(|items| {
        let items = items
            .iter()
            .map(|(item, between)| format!("{item}{between}"));
        format!("policy 1\n{}", items.collect::<String>())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 50, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn generated_policies_keep_all_they_say(text in policy()) {
        let after = lawful(&text);
        let after = after.unwrap_or_else(|| panic!("{}\n{text}", format(&text).unwrap_err().render(false)));
        assert_eq!(essence(&text), essence(&after), "\n{text}\n{after}");
    }

    #[test]
    fn mutated_policies_never_panic(case in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), cut in 0_usize..4, with in any::<[u8; 2]>(), more in 0_usize..3) {
        let texts = policies(&["policies", "tests/corpus/policy/accept", "tests/corpus/format"]);
        let (_, text) = case.get(&texts);
        let mut bytes = text.clone().into_bytes();
        let start = at.index(bytes.len());
        let end = bytes.len().min(start + cut);
        bytes.splice(start..end, with.into_iter().take(more));
        match String::from_utf8(bytes) {
            Ok(text) => { lawful(&text); }
            Err(error) => {
                let source = Raw(error.into_bytes());
                assert!(policy::format(&source, "main.policy").is_err());
            }
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), Just(b'#'), Just(b' '), Just(b'a'), Just(b'{'), Just(b'}'), any::<u8>()], 0..60)) {
        if let Ok(text) = String::from_utf8(bytes) {
            lawful(&text);
        }
    }
}

/// Bytes that need not be a text.
struct Raw(Vec<u8>);

impl Sources for Raw {
    fn read(&self, _: &str) -> Result<Vec<u8>, String> {
        Ok(self.0.clone())
    }
}

#[test]
fn what_is_no_text_is_left() {
    let code = |bytes: Vec<u8>| match policy::format(&Raw(bytes), "main.policy") {
        Err(policy::Unformatted::Broken(found)) => found.list.last().unwrap().code,
        other => panic!("{other:?}"),
    };
    assert_eq!(code(b"policy 1\n\xff".to_vec()), Code::P0009);
    assert_eq!(code(vec![b' '; POLICY_BYTES_MAX + 1]), Code::P0010);
    let deep = format!("policy 1\nx = {}1{}\n", "[".repeat(400), "]".repeat(400));
    assert_eq!(code(deep.into_bytes()), Code::P0007);
    // A control character that turns text around is shown by `check`; here it is a part of its comment.
    let turned = "policy 1  # harmless \u{202e} text\n";
    assert_eq!(format(turned).unwrap(), turned);
    assert_eq!(format(" \n\t\n").unwrap(), "");
}

/// Each of these would be found out by a step that looks at everything again for each part.
#[test]
fn wide_items_take_linear_time() {
    for (open, part, close) in [
        ("x = [", "[a], ", "]"),
        ("x ", "(a) ", ""),
        ("x when ", "a and ", "b { c }"),
        ("x { ", "a, ", "}"),
        ("x {\n", "a = 1 # c\n# d\n", "}"),
        ("x when a\n", "# c\n", "and b"),
    ] {
        let text = format!("policy 1\n{open}{}{close}\n", part.repeat(1_500));
        lawful(&text).unwrap();
    }
}

/// A breadth that indentation multiplies is refused before it takes the memory.
#[test]
fn a_file_does_not_outgrow_its_bound() {
    let text = format!(
        "policy 1\n{}{}{}\n",
        "x {".repeat(60),
        "a\n".repeat(10_000),
        "}".repeat(60)
    );
    match policy::format(&[("main.policy", &*text)], "main.policy") {
        Err(policy::Unformatted::TooLarge) => {}
        other => panic!("{other:?}"),
    }
}
