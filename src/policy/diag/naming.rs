//! Constructors: names, types and shapes (P10xx).

use crate::policy::diag::nearest::nearest;
use crate::policy::diag::{Code, Diagnostic, listed};
use crate::policy::syntax::Place;

/// More words than this are not listed.
const LIST_MAX: usize = 24;

impl Diagnostic {
    /// Did-you-mean: the nearest of `words` as a fix, else all of them.
    fn suggest(self, place: Place, word: &str, words: &[&str]) -> Self {
        match nearest(word, words.iter().copied()) {
            Some(near) => self.guess(format!("did you mean `{near}`?"), place, near),
            None if words.is_empty() || words.len() > LIST_MAX => self,
            None => self.help(format!("known: {}", listed(words.iter().copied()))),
        }
    }
}

pub(in crate::policy) fn unknown_field<'w>(
    place: Place,
    word: &str,
    block: &str,
    words: impl IntoIterator<Item = &'w str>,
) -> Diagnostic {
    let words: Vec<&str> = words.into_iter().collect();
    Diagnostic::new(
        Code::P1001,
        place,
        format!("unknown field `{word}` in `{block}`"),
        "",
    )
    .suggest(place, word, &words)
}

pub(in crate::policy) fn unknown_block<'w>(
    place: Place,
    word: &str,
    words: impl IntoIterator<Item = &'w str>,
) -> Diagnostic {
    let words: Vec<&str> = words.into_iter().chain(["const", "import"]).collect();
    Diagnostic::new(Code::P1002, place, format!("unknown block `{word}`"), "")
        .suggest(place, word, &words)
}

pub(in crate::policy) fn unknown_name(
    place: Place,
    kind: &str,
    name: &str,
    words: &[&str],
) -> Diagnostic {
    let label = if words.is_empty() {
        format!("no {kind} is declared")
    } else {
        String::new()
    };
    Diagnostic::new(
        Code::P1002,
        place,
        format!("unknown {kind} `{name}`"),
        label,
    )
    .suggest(place, name, words)
}

pub(in crate::policy) fn unknown_model(
    place: Place,
    provider: &str,
    model: &str,
    words: &[&str],
) -> Diagnostic {
    let full: Vec<String> = words
        .iter()
        .map(|word| format!("{provider}.{word}"))
        .collect();
    let full: Vec<&str> = full.iter().map(String::as_str).collect();
    Diagnostic::new(
        Code::P1002,
        place,
        format!("unknown target `{provider}.{model}`"),
        format!("provider `{provider}` has no model `{model}`"),
    )
    .suggest(place, &format!("{provider}.{model}"), &full)
    .help(format!(
        "`{provider}.*` is the model that the client asked for"
    ))
}

pub(in crate::policy) fn target_incomplete(
    place: Place,
    name: &str,
    models: &[&str],
) -> Diagnostic {
    let example = models.first().map_or("model", |model| model);
    Diagnostic::new(
        Code::P1002,
        place,
        format!("unknown target `{name}`"),
        "a target is a model at a provider",
    )
    .help(format!(
        "write `{name}.{example}`, or `{name}.*` for the model that the client asked for"
    ))
}

pub(in crate::policy) fn no_fact<'w>(
    place: Place,
    text: &str,
    words: impl IntoIterator<Item = &'w str>,
) -> Diagnostic {
    let words: Vec<&str> = words.into_iter().collect();
    let near = nearest(text, words.iter().copied());
    let diagnostic = Diagnostic::new(Code::P1002, place, format!("unknown fact `{text}`"), "");
    match near {
        Some(near) => diagnostic.guess(format!("did you mean `{near}`?"), place, near),
        None => diagnostic.help(
            "facts begin with `req.`, `key.`, `now.`, \
             and in `forbid` also `target.` and `attempt.`",
        ),
    }
}

pub(in crate::policy) fn wrong_type(
    place: Place,
    expected: &str,
    found: &str,
    key: Option<(&'static str, Place)>,
    help: &str,
) -> Diagnostic {
    let mut diagnostic = Diagnostic::new(
        Code::P1003,
        place,
        format!("expected {expected}, found {found}"),
        "",
    );
    if let Some((key, at)) = key {
        diagnostic = diagnostic.label(at, format!("`{key}` takes: {expected}"));
    }
    if help.is_empty() {
        diagnostic
    } else {
        diagnostic.help(help)
    }
}

pub(in crate::policy) fn not_a_condition(place: Place, text: &str, found: &str) -> Diagnostic {
    Diagnostic::new(
        Code::P1003,
        place,
        format!("expected a condition, found `{text}` ({found})"),
        "",
    )
    .help("compare it: `req.model == \"gpt-5\"`, `req.tokens_in > 24k`")
}

pub(in crate::policy) fn has_wants_string(place: Place, text: &str) -> Diagnostic {
    Diagnostic::new(
        Code::P1003,
        place,
        format!("expected a fact that is a string, found `{text}`"),
        "",
    )
    .help("a header, a metadata value, or a fact of the client's key")
}

pub(in crate::policy) fn bad_address(place: Place, text: &str) -> Diagnostic {
    Diagnostic::new(
        Code::P1003,
        place,
        format!("`{text}` is not an address and a port"),
        "",
    )
    .help("write `\"127.0.0.1:8080\"` or `\"[::1]:8080\"`")
}

pub(in crate::policy) fn bad_url(place: Place, text: &str) -> Diagnostic {
    Diagnostic::new(
        Code::P1003,
        place,
        format!("`{text}` is not a URL that the gateway can call"),
        "",
    )
    .help(
        "write `https://host`, `https://host:port/path` or `http://127.0.0.1:port`, \
             without user, query or fragment",
    )
}

pub(in crate::policy) fn bad_script_step(place: Place, text: &str) -> Diagnostic {
    let acts = crate::policy::resolve::ACTS;
    Diagnostic::new(
        Code::P1003,
        place,
        format!("`{text}` is not a step of a script"),
        "",
    )
    .help(format!(
        "a step is what to do and how often, such as `\"s503 20\"`; it can do {acts}"
    ))
}

pub(in crate::policy) fn unsupported_header(place: Place) -> Diagnostic {
    Diagnostic::new(Code::P1003, place, "this header cannot carry a key", "").help(
        "supported are `header(\"x-api-key\", …)` and `header(\"api-key\", …)`; \
         `authorization` is written `bearer(…)`",
    )
}

pub(in crate::policy) fn cannot_compare(
    fact: (Place, &str, &str),
    op: &str,
    value: (Place, &str),
    help: &str,
    unquoted: Option<&str>,
) -> Diagnostic {
    let (fact_place, fact_text, of) = fact;
    let (place, found) = value;
    let diagnostic = Diagnostic::new(
        Code::P1004,
        place,
        format!("cannot compare `{fact_text}` ({of}) with {found} by `{op}`"),
        "",
    )
    .label(fact_place, format!("this is of type {of}"))
    .help(help);
    match unquoted {
        Some(text) => diagnostic.fix("drop the quotes", place, text),
        None => diagnostic,
    }
}

pub(in crate::policy) fn two_facts(place: Place) -> Diagnostic {
    Diagnostic::new(
        Code::P1004,
        place,
        "these two facts cannot be compared with each other",
        "",
    )
    .help(
        "a fact is compared with a value; \
             only `target.failure_domain == attempt.last_domain` compares two facts",
    )
}

pub(in crate::policy) fn fact_first(place: Place, op: &str) -> Diagnostic {
    Diagnostic::new(
        Code::P1004,
        place,
        format!("`{op}` wants the fact on its left"),
        "",
    )
    .help(format!("write `req.model {op} …`"))
}

pub(in crate::policy) fn mixed_and_or(
    place: Place,
    and: Place,
    read: &str,
    other: Option<&str>,
) -> Diagnostic {
    let diagnostic = Diagnostic::new(
        Code::P1005,
        place,
        "`and` mixed with `or` without parentheses",
        "",
    )
    .label(and, "read as if this stood in parentheses")
    .guess(format!("write `{read}` if that is meant"), place, read);
    match other {
        Some(other) => diagnostic.guess(format!("write `{other}` if that is meant"), place, other),
        None => diagnostic,
    }
}

pub(in crate::policy) fn duplicate(
    place: Place,
    kind: &str,
    name: &str,
    before: Place,
) -> Diagnostic {
    Diagnostic::new(
        Code::P1006,
        place,
        format!("duplicate {kind} `{name}`"),
        "declared again here",
    )
    .label(before, "first declared here")
    .help("rename one of them")
}

pub(in crate::policy) fn twice(place: Place, word: &str, before: Place) -> Diagnostic {
    let diagnostic = Diagnostic::new(
        Code::P1006,
        place,
        format!("`{word}` is set twice"),
        "set again here",
    );
    let diagnostic = if before == place {
        diagnostic
    } else {
        diagnostic.label(before, "first set here")
    };
    diagnostic.help("remove one of them")
}

pub(in crate::policy) fn two_meanings(place: Place, name: &str) -> Diagnostic {
    Diagnostic::new(
        Code::P1008,
        place,
        format!("`{name}` is both a word of the language here and a const"),
        "",
    )
    .help("rename the const")
}

pub(in crate::policy) fn out_of_range(
    place: Place,
    text: &str,
    low: &str,
    high: &str,
) -> Diagnostic {
    Diagnostic::new(
        Code::P1009,
        place,
        format!("`{text}` is out of range"),
        format!("from {low} to {high}"),
    )
}

pub(in crate::policy) fn range_reversed(place: Place) -> Diagnostic {
    Diagnostic::new(Code::P1009, place, "this range ends before it begins", "")
        .help("the smaller value comes first: `15s..2m`")
}

pub(in crate::policy) fn body_memory_too_small(place: Place, body_max: u64) -> Diagnostic {
    Diagnostic::new(
        Code::P1009,
        place,
        "`body_memory` does not hold one body",
        format!("`body_max` is {} KiB", body_max.div_ceil(1024)),
    )
    .help("give it room for the largest bodies of several requests, or lower `body_max`")
}

pub(in crate::policy) fn no_ramp(place: Place, steps_max: usize) -> Diagnostic {
    Diagnostic::new(
        Code::P1009,
        place,
        "this is no ramp from a part to everything",
        format!(
            "it must rise with each step, from above 0% to 100%, in at most {} steps",
            steps_max.saturating_add(1)
        ),
    )
    .help("`[1%, 5%, 25%, 100%]`; `[100%]` is none")
}

pub(in crate::policy) fn too_many(place: Place, most: u16, what: &str) -> Diagnostic {
    Diagnostic::new(Code::P1009, place, format!("more than {most} {what}"), "")
}

/// `all` is the import with the end of its line.
pub(in crate::policy) fn unused_import(place: Place, path: &str, all: Place) -> Diagnostic {
    Diagnostic::new(
        Code::P1010,
        place,
        format!("nothing of {path} is used"),
        "nor of what that file imports",
    )
    .fix("remove the import", all, "")
}

/// `all` is the declaration with the end of its line.
pub(in crate::policy) fn unused(place: Place, kind: &str, name: &str, all: Place) -> Diagnostic {
    Diagnostic::new(
        Code::P1010,
        place,
        format!("{kind} `{name}` is never used"),
        "",
    )
    .help("name it where it belongs, or remove it")
    .guess(format!("remove {kind} `{name}`"), all, "")
}

pub(in crate::policy) fn not_this_kind(
    place: Place,
    word: &str,
    of: &str,
    kind: &str,
) -> Diagnostic {
    Diagnostic::new(
        Code::P1013,
        place,
        format!("`{word}` belongs to providers of kind `{of}`"),
        format!("this one is of kind `{kind}`"),
    )
}

pub(in crate::policy) fn simulated_has_none(place: Place, word: &str) -> Diagnostic {
    Diagnostic::new(
        Code::P1013,
        place,
        format!("a simulated provider has no `{word}`"),
        "it answers from inside the gateway",
    )
}

pub(in crate::policy) fn missing(place: Place, block: &str, what: &str) -> Diagnostic {
    Diagnostic::new(
        Code::P1014,
        place,
        format!("this `{block}` lacks {what}"),
        "",
    )
}

pub(in crate::policy) fn kind_missing(place: Place, name: &str, words: &[&str]) -> Diagnostic {
    Diagnostic::new(
        Code::P1014,
        place,
        format!("provider `{name}` lacks its `kind`: its name is none"),
        "",
    )
    .help("`kind = openai_compatible` with a `base_url` fits most servers that are not listed")
    .suggest(place, name, words)
}

pub(in crate::policy) fn not_written_so(place: Place, word: &str, shape: &str) -> Diagnostic {
    Diagnostic::new(
        Code::P1015,
        place,
        format!("`{word}` is not written in this way"),
        "",
    )
    .help(format!("write `{shape}`"))
}

pub(in crate::policy) fn field_not_written_so(
    place: Place,
    word: &str,
    shape: &str,
    doc: &str,
) -> Diagnostic {
    not_written_so(place, word, shape).help(format!("`{word}`: {doc}"))
}

pub(in crate::policy) fn either_or(
    place: Place,
    word: &str,
    other: &str,
    before: Place,
) -> Diagnostic {
    Diagnostic::new(
        Code::P1015,
        place,
        format!("`{word}` and `{other}` exclude each other"),
        "",
    )
    .label(before, format!("`{other}` stands here"))
    .help("keep one of them")
}

pub(in crate::policy) fn fact_not_here(place: Place, fact: &str, doc: &str) -> Diagnostic {
    Diagnostic::new(
        Code::P1017,
        place,
        format!("`{fact}` cannot be read in a route's condition"),
        format!("{doc}: not known before a target is picked"),
    )
    .help("`forbid NAME when …` is checked for each target before each attempt")
}

pub(in crate::policy) fn allows_nothing(place: Place, code: Code) -> Diagnostic {
    Diagnostic::new(
        Code::P1011,
        place,
        format!("this `allow` silences no {code}"),
        "nothing of that kind is found there",
    )
    .help("remove it; it is about the line that it ends, or the first one below it")
}

pub(in crate::policy) fn allows_unknown(place: Place, word: &str) -> Diagnostic {
    let message = format!("`{word}` is no code of a finding");
    Diagnostic::new(Code::P1011, place, message, "nothing is silenced")
        .help("an `allow` names one code and says why: `# allow: P2013 for the next release`")
}

pub(in crate::policy) fn allows_error(place: Place, code: Code) -> Diagnostic {
    Diagnostic::new(
        Code::P1011,
        place,
        format!("{code} cannot be allowed"),
        "nothing is silenced",
    )
    .help("warnings and notes can be: a policy with an error does not load")
}

pub(in crate::policy) fn allows_without_reason(place: Place) -> Diagnostic {
    Diagnostic::new(
        Code::P1011,
        place,
        "this `allow` has no reason",
        "nothing is silenced",
    )
    .help("say why it is meant, for whoever comes next: `# allow: P2013 for the next release`")
}
