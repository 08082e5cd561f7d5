//! Reads a corpus file.
//!
//! ```text
//! # a comment
//! name => the expected outcome
//!   bytes with \r \n \t \0 \\ and \xNN; the lines are joined, their indent is dropped
//! ```

/// One case of a corpus file.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) expected: String,
    pub(super) bytes: Vec<u8>,
}

/// The cases of `text`, which is the content of a corpus file.
pub(super) fn cases(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in text.lines() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(bytes) = line.strip_prefix("  ") {
            unescape(bytes, &mut cases.last_mut().unwrap().bytes);
        } else {
            let (name, expected) = line.split_once(" => ").expect(line);
            assert!(
                cases.iter().all(|case| case.name != name),
                "two cases called {name}"
            );
            cases.push(Case {
                name: name.to_owned(),
                expected: expected.to_owned(),
                bytes: Vec::new(),
            });
        }
    }
    cases
}

/// Runs `outcome` on each case, and reports all that differ at once.
pub(super) fn check(text: &str, outcome: impl Fn(&[u8]) -> String) {
    let mut differing = Vec::new();
    for case in cases(text) {
        let outcome = outcome(&case.bytes);
        if outcome != case.expected {
            differing.push(format!(
                "{}\n  expected {}\n  but was  {outcome}",
                case.name, case.expected
            ));
        }
    }
    assert!(differing.is_empty(), "\n{}", differing.join("\n"));
}

fn unescape(text: &str, out: &mut Vec<u8>) {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        match bytes.next().expect("a lone backslash at the end of a line") {
            b'r' => out.push(b'\r'),
            b'n' => out.push(b'\n'),
            b't' => out.push(b'\t'),
            b'0' => out.push(0),
            b'\\' => out.push(b'\\'),
            b'x' => {
                let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                out.push(u8::from_str_radix(str::from_utf8(&digits).unwrap(), 16).unwrap());
            }
            other => panic!("no such escape: \\{}", char::from(other)),
        }
    }
}
