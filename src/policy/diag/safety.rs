//! Constructors: secrets, pools of them, who decides, and open wires (P4xxx), and what this release leaves out (P9xxx).

use crate::base::limits::KEYS_MAX;
use crate::policy::diag::{Code, Diagnostic};
use crate::policy::syntax::Place;

pub(in crate::policy) fn secret_inline(place: Place) -> Diagnostic {
    Diagnostic::new(
        Code::P4001,
        place,
        "a secret stands in the policy's text",
        "whoever reads this file has it",
    )
    .help("name where it is kept: `env(\"NAME\")` or `file(\"/run/secrets/name\")`")
    .help("a secret that was in a file or a repository is to be replaced at the provider")
}

pub(in crate::policy) fn secret_misplaced(place: Place) -> Diagnostic {
    Diagnostic::new(
        Code::P4002,
        place,
        "a secret cannot be used here",
        "it could be logged or shown",
    )
    .help("`env(…)` and `file(…)` belong in `auth`, `tls`, `clients` and `fleet`")
}

pub(in crate::policy) fn key_twice(place: Place, before: Place) -> Diagnostic {
    Diagnostic::new(
        Code::P1006,
        place,
        "a key stands in its pool twice",
        "again here",
    )
    .label(before, "first here")
    .help("a key that is refused or rate-limited would be asked again at once; name each one once")
}

pub(in crate::policy) fn too_many_keys(place: Place, count: usize) -> Diagnostic {
    Diagnostic::new(
        Code::P1009,
        place,
        format!("this pool has {count} keys, {KEYS_MAX} is the most"),
        "",
    )
    .help("declare a second provider of the same kind for the others")
}

/// `names` are the providers, `first` where the first of them names the credential.
pub(in crate::policy) fn credential_shared(
    place: Place,
    names: (&str, &str),
    source: &str,
    first: Place,
) -> Diagnostic {
    Diagnostic::new(
        Code::P4004,
        place,
        format!("`{}` and `{}` are given the same credential", names.0, names.1),
        format!("`{source}` again"),
    )
    .label(first, format!("`{source}` is a key of `{}`", names.0))
    .help("whoever gets hold of it at one has it at the other, and a limit or a block meets both: give each a key of its own")
}

pub(in crate::policy) fn client_lifts(place: Place, forbid: &str, fact: &str) -> Diagnostic {
    Diagnostic::new(
        Code::P4006,
        place,
        format!("the client decides whether `{forbid}` holds"),
        format!("whoever leaves `{fact}` out, or says something else there, is not bound by it"),
    )
    .help("use facts of the key, such as `key.residency` or `key.contract`")
    .help("where a proxy in front sets it, and removes what clients send: `# allow: P4006 …`")
}

/// `names` are the provider that the route leads to and the one that others do.
pub(in crate::policy) fn client_chooses_account(
    place: Place,
    route: &str,
    fact: &str,
    names: (&str, &str),
) -> Diagnostic {
    Diagnostic::new(
        Code::P4006,
        place,
        format!("the client decides by whose credentials it is served in route `{route}`"),
        format!("any value of `{fact}` is taken at its word"),
    )
    .help(format!("`{}` and `{}` are two accounts at the same service: choose by facts of the key, such as `key.team`", names.0, names.1))
    .help("where a proxy in front sets it, and removes what clients send: `# allow: P4006 …`")
}

pub(in crate::policy) fn plain_public(place: Place, host: &str) -> Diagnostic {
    Diagnostic::new(
        Code::P4003,
        place,
        format!("plain http to the public address `{host}`"),
        "the key and every prompt would be readable on the way",
    )
    .help("write `https://`")
}

pub(in crate::policy) fn plain_unsaid(place: Place, host: &str) -> Diagnostic {
    Diagnostic::new(
        Code::P4003,
        place,
        format!("plain http to `{host}`"),
        "the wire to it is not encrypted",
    )
    .help("in a network that you trust, say so with `tls = off`; else write `https://`")
}

pub(in crate::policy) fn tls_off_https(place: Place, url: Option<Place>) -> Diagnostic {
    let diagnostic = Diagnostic::new(
        Code::P4003,
        place,
        "`tls = off` with an `https://` address",
        "the two contradict each other",
    );
    match url {
        Some(url) => diagnostic.label(url, "the address stands here"),
        None => diagnostic,
    }
    .help(
        "remove `tls = off`; to trust a private certificate, write `tls { ca = file(\"ca.pem\") }`",
    )
}

pub(in crate::policy) fn open_to_all(place: Place, word: &str) -> Diagnostic {
    let diagnostic = Diagnostic::new(
        Code::P4007,
        place,
        format!("`{word}` is open to everyone who can reach this address"),
        "this is not a loopback address",
    );
    if word == "admin" {
        diagnostic
            .help("operators connect through loopback: `127.0.0.1:9090`, or an ssh tunnel to it")
    } else {
        diagnostic.help("say `clients { anonymous = allow }` if anyone may spend your keys, or listen on `127.0.0.1`")
    }
}

/// Places of one word beyond these are not shown.
const IDLE_PLACES_MAX: usize = 3;

pub(in crate::policy) fn no_effect(word: &str, places: &[Place]) -> Diagnostic {
    let first = places.first().copied().unwrap_or_default();
    let others = places.get(1..).unwrap_or_default();
    let mut diagnostic = Diagnostic::new(
        Code::P9001,
        first,
        format!("`{word}` has no effect yet"),
        "it is checked, and does nothing in this release",
    );
    for place in others.iter().take(IDLE_PLACES_MAX - 1) {
        diagnostic = diagnostic.label(*place, "nor here");
    }
    match others.len().saturating_sub(IDLE_PLACES_MAX - 1) {
        0 => diagnostic,
        more => diagnostic.help(format!("and at {more} more places")),
    }
}

pub(in crate::policy) fn key_facts_empty(place: Place, fact: &str) -> Diagnostic {
    Diagnostic::new(
        Code::P9001,
        place,
        format!("`{fact}` is always empty yet"),
        "client keys are not built in this release: comparisons are false, `!=` and `not in` are true",
    )
}

pub(in crate::policy) fn client_keys_unbuilt(place: Place) -> Diagnostic {
    Diagnostic::new(
        Code::P9002,
        place,
        "client keys are not built yet",
        "ignoring them would let everyone in",
    )
    .help("listen on `127.0.0.1` behind a proxy that checks keys, or say `clients { anonymous = allow }`")
}

pub(in crate::policy) fn shadow_keeps(place: Place) -> Diagnostic {
    Diagnostic::new(
        Code::P9002,
        place,
        "keeping a shadow's answers is not built yet",
        "answers are thrown away, and nothing else can be asked for",
    )
    .help("write `discard = true`, or leave it out")
}
