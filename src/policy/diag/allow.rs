//! `# allow: P2005 reason`: a finding that its author has seen and means. It stands at the end of the line that the finding
//! points to, or in the comment lines right above it.
//!
//! Errors are not allowed away: a policy that has one does not load, and what it says is not what it does. A reason is
//! compulsory, so that whoever comes next need not ask, and an `allow` that silences nothing is said, so that none outlives
//! its cause.

use crate::policy::diag::{Code, Diagnostic, Severity, naming as say};
use crate::policy::files::Files;
use crate::policy::syntax::Place;

/// One `allow`.
struct Allow {
    code: Code,
    /// The word that names the code.
    place: Place,
    /// The line that it is about.
    line: u32,
    used: bool,
}

/// Takes out what is allowed, and adds what is wrong with the `allow`s of the first `count` files. Those that silence nothing are
/// given apart: only who has looked at everything can say so.
pub(in crate::policy) fn apply(
    found: &mut Vec<Diagnostic>,
    files: &Files,
    count: usize,
) -> Vec<Diagnostic> {
    let mut allows = Vec::new();
    let mut wrong = Vec::new();
    for file in 0..u16::try_from(count).unwrap_or(u16::MAX) {
        collect(files, file, &mut allows, &mut wrong);
    }
    let has_errors = found.iter().any(|one| one.severity() == Severity::Error);
    found.retain(|one| {
        let Some(place) = one.labels.first().map(|label| label.place) else {
            return true;
        };
        let line = files.at(place).line;
        let mut silenced = false;
        for allow in &mut allows {
            if (allow.code, allow.place.file, allow.line) == (one.code, place.file, line) {
                allow.used = true;
                silenced = true;
            }
        }
        !silenced
    });
    found.append(&mut wrong);
    // With errors not everything is looked at; and what is found in a shared file hangs on who imports it.
    let idle = allows
        .iter()
        .filter(|allow| !allow.used && !has_errors && allow.place.file == 0);
    idle.map(|allow| say::allows_nothing(allow.place, allow.code))
        .collect()
}

fn collect(files: &Files, file: u16, allows: &mut Vec<Allow>, wrong: &mut Vec<Diagnostic>) {
    let text = files.text(file);
    if !text.contains("allow:") {
        return;
    }
    let mut start = 0;
    let mut waiting: Vec<usize> = Vec::new();
    for (line, number) in text.split_inclusive('\n').zip(1_u32..) {
        let comment = comment_in(line);
        let code = line
            .get(..comment.unwrap_or(line.len()))
            .unwrap_or_default();
        let alone = code.trim().is_empty();
        if !alone {
            for at in waiting.drain(..) {
                if let Some(allow) = allows.get_mut(at) {
                    allow.line = number;
                }
            }
        }
        match comment.and_then(|comment| read(line, comment, file, start)) {
            Some(Ok((code, place))) => {
                waiting.extend(alone.then_some(allows.len()));
                allows.push(Allow {
                    code,
                    place,
                    line: number,
                    used: false,
                });
            }
            Some(Err(diagnostic)) => wrong.push(*diagnostic),
            None => {}
        }
        start += line.len();
    }
}

/// The code of an `allow` and its place, from the comment that begins in `line`, which itself begins at byte `start`; `None` for
/// any other comment.
fn read(
    line: &str,
    comment: usize,
    file: u16,
    start: usize,
) -> Option<Result<(Code, Place), Box<Diagnostic>>> {
    let body = line.get(comment + 1..)?.trim_end();
    let said = body.trim_start().strip_prefix("allow:")?.trim_start();
    let at = start + comment + 1 + (body.len() - said.len());
    let (word, reason) = said.split_once(char::is_whitespace).unwrap_or((said, ""));
    let narrow = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let place = Place {
        file,
        start: narrow(at),
        len: narrow(word.len()),
    };
    let code = Code::ALL.iter().find(|code| code.as_str() == word);
    Some(match code {
        None => Err(Box::new(say::allows_unknown(place, word))),
        Some(code) if code.severity() == Severity::Error || *code == Code::P1011 => {
            Err(Box::new(say::allows_error(place, *code)))
        }
        Some(_) if reason.trim().is_empty() => Err(Box::new(say::allows_without_reason(place))),
        Some(code) => Ok((*code, place)),
    })
}

/// Where the comment of a line begins. Strings end on their line.
fn comment_in(line: &str) -> Option<usize> {
    let mut in_string = false;
    let mut escaped = false;
    for (at, byte) in line.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'#' if !in_string => return Some(at),
            _ => {}
        }
    }
    None
}
