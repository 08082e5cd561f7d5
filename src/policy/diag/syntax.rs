//! Constructors: text, files and the grammar (P00xx), and what else concerns a file as a whole.

use crate::base::limits::POLICY_DEPTH_MAX;
use crate::policy::diag::{Code, Diagnostic};
use crate::policy::syntax::Place;

pub(in crate::policy) fn no_version(place: Place) -> Diagnostic {
    Diagnostic::new(
        Code::P0001,
        place,
        "this file does not start with `policy 1`",
        "the first statement must say which version of the language this is",
    )
    .fix(
        "insert `policy 1`",
        Place { len: 0, ..place },
        "policy 1\n\n",
    )
}

pub(in crate::policy) fn late_version(place: Place) -> Diagnostic {
    Diagnostic::new(
        Code::P0001,
        place,
        "`policy` stands once, as the first statement of a file",
        "not here",
    )
    .help("remove this line")
}

pub(in crate::policy) fn other_version(place: Place, version: &str) -> Diagnostic {
    Diagnostic::new(
        Code::P0002,
        place,
        format!("policy version {version} is not one that this binary reads"),
        "it reads version 1",
    )
    .help("install the release of switchover that the policy was written for, or write `policy 1`")
}

pub(in crate::policy) fn unclosed(place: Place, opener: char) -> Diagnostic {
    Diagnostic::new(
        Code::P0003,
        place,
        format!("unclosed `{opener}`"),
        "opened here, and nothing closes it",
    )
    .help("the closing bracket is missing where the indentation goes back")
}

pub(in crate::policy) fn stray(place: Place, closer: char) -> Diagnostic {
    Diagnostic::new(
        Code::P0003,
        place,
        format!("`{closer}` closes nothing"),
        "no bracket is open here",
    )
    .help("remove it, or add the opening bracket before it")
}

pub(in crate::policy) fn open_string(place: Place, text: &str) -> Diagnostic {
    let diagnostic = Diagnostic::new(
        Code::P0004,
        place,
        "this string is not closed on its line",
        "it begins here",
    )
    .help("end it with `\"`; inside a string, a quote is written `\\\"` and a newline `\\n`");
    // Where brackets or commas follow, the string was meant to end before them, and nobody knows where.
    if text.contains(['{', '}', '[', ']', '(', ')', ',', '#']) {
        diagnostic
    } else {
        diagnostic.fix("add `\"` at the end of the line", place.end(), "\"")
    }
}

pub(in crate::policy) fn assign_in_condition(place: Place) -> Diagnostic {
    Diagnostic::new(
        Code::P0005,
        place,
        "`=` inside a condition",
        "a condition compares, it does not assign",
    )
    .fix("write `==`", place, "==")
}

pub(in crate::policy) fn comma_missing(place: Place, after: Place) -> Diagnostic {
    Diagnostic::new(
        Code::P0006,
        place,
        "two statements on one line need a comma between them",
        "a new statement begins here",
    )
    .label(after, "the one before ends here")
    .fix("insert `,`", after.end(), ",")
}

pub(in crate::policy) fn too_deep(place: Place) -> Diagnostic {
    Diagnostic::new(
        Code::P0007,
        place,
        format!("brackets are nested deeper than {POLICY_DEPTH_MAX}"),
        "this one is too many",
    )
    .help("split the expression: a `const` can hold a list, and a second `route` can hold a part of the condition")
}

pub(in crate::policy) fn misfit(
    place: Place,
    message: String,
    label: &str,
    help: &str,
) -> Diagnostic {
    let diagnostic = Diagnostic::new(Code::P0008, place, message, label);
    if help.is_empty() {
        diagnostic
    } else {
        diagnostic.help(help)
    }
}

pub(in crate::policy) fn not_utf8(place: Place) -> Diagnostic {
    Diagnostic::new(
        Code::P0009,
        place,
        "this file is not UTF-8",
        "the text is readable up to here",
    )
    .help("save the file as UTF-8")
}

pub(in crate::policy) fn too_large(place: Place, what: &str, bytes_max: usize) -> Diagnostic {
    Diagnostic::new(
        Code::P0010,
        place,
        format!("this {what} is larger than {bytes_max} bytes"),
        "",
    )
    .help("split it; `import` joins files")
}

pub(in crate::policy) fn too_many_items(place: Place, items_max: usize) -> Diagnostic {
    Diagnostic::new(
        Code::P0010,
        place,
        format!("a policy has more than {items_max} items, its files together"),
        "from here on nothing was read",
    )
    .help("a list of names in one `const` is one item, and `key.team in` a const is one route")
}

pub(in crate::policy) fn import_cycle(
    place: Place,
    chain: &[(String, Place)],
    back_to: &str,
) -> Diagnostic {
    let mut names: Vec<&str> = chain.iter().map(|(name, _)| name.as_str()).collect();
    names.push(back_to);
    let mut diagnostic = Diagnostic::new(
        Code::P1007,
        place,
        format!("import cycle: {}", names.join(" → ")),
        "this import closes the circle",
    );
    for (name, place) in chain.iter().skip(1) {
        diagnostic = diagnostic.label(*place, format!("`{name}` is imported here"));
    }
    diagnostic.help("move what both files need into a third one")
}

pub(in crate::policy) fn unreadable(place: Place, path: &str, why: &str) -> Diagnostic {
    Diagnostic::new(
        Code::P1016,
        place,
        format!("cannot read `{path}`: {why}"),
        "",
    )
}

pub(in crate::policy) fn import_not_relative(place: Place, path: &str) -> Diagnostic {
    Diagnostic::new(
        Code::P1016,
        place,
        format!("`{path}` is not a relative path"),
        "imports name files beside or below this one",
    )
    .help("nothing is fetched from the network, and a policy does not depend on where it is installed")
}

pub(in crate::policy) fn direction_controls(place: Place, point: char) -> Diagnostic {
    Diagnostic::new(
        Code::P1012,
        place,
        format!(
            "this text holds the invisible direction control U+{:04X}",
            u32::from(point)
        ),
        "what is shown is not what is read",
    )
    .help("remove it; in a string that must hold it, keep it out of names and conditions")
}

pub(in crate::policy) fn set_unknown(place: Place, name: &str, known: &[&str]) -> Diagnostic {
    let diagnostic = Diagnostic::new(
        Code::P1018,
        place,
        format!("`--set {name}=…` names no parameter of this policy"),
        "",
    );
    if known.is_empty() {
        diagnostic.help("a parameter is declared as `const name = param(default)`")
    } else {
        diagnostic.help(format!(
            "its parameters are {}",
            super::listed(known.iter().copied())
        ))
    }
}

pub(in crate::policy) fn set_no_value(place: Place, name: &str) -> Diagnostic {
    Diagnostic::new(
        Code::P1018,
        place,
        format!("the value of `--set {name}=…` is not a value of the policy language"),
        "",
    )
    .help("strings keep their quotes: `--set 'region=\"eu\"'`")
}
