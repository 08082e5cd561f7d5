//! What may stand at the top of a file.

use crate::policy::schema::Space;

/// A top-level statement.
#[derive(Debug)]
pub(in crate::policy) struct Entry {
    /// The word it begins with.
    pub(in crate::policy) word: &'static str,
    /// What it declares; `None` for a block that stands once and has no name.
    pub(in crate::policy) space: Option<Space>,
    /// How it is written.
    pub(in crate::policy) shape: &'static str,
    /// Whether it is checked but does nothing in this release.
    pub(in crate::policy) later: bool,
    /// What it is for, for people.
    pub(in crate::policy) doc: &'static str,
}

const fn named(word: &'static str, space: Space, shape: &'static str, doc: &'static str) -> Entry {
    Entry {
        word,
        space: Some(space),
        shape,
        later: false,
        doc,
    }
}

const fn later(
    word: &'static str,
    space: Option<Space>,
    shape: &'static str,
    doc: &'static str,
) -> Entry {
    Entry {
        word,
        space,
        shape,
        later: true,
        doc,
    }
}

const fn single(word: &'static str, shape: &'static str, doc: &'static str) -> Entry {
    Entry {
        word,
        space: None,
        shape,
        later: false,
        doc,
    }
}

/// Every top-level statement but `policy`, `import` and `const`, which the grammar knows.
pub(in crate::policy) const TOP: &[Entry] = &[
    named(
        "provider",
        Space::Provider,
        "provider NAME { … }",
        "a service that has models",
    ),
    named(
        "breaker",
        Space::Breaker,
        "breaker NAME { … }",
        "when a target is given up for a while, and how it comes back",
    ),
    named(
        "health",
        Space::Health,
        "health NAME { … }",
        "how a provider's endpoints are asked whether they are there",
    ),
    named(
        "retries",
        Space::Retries,
        "retries NAME { … }",
        "repeats at the same target",
    ),
    named(
        "pool",
        Space::Pool,
        "pool NAME { … }",
        "tiers that several routes share",
    ),
    named(
        "alias",
        Space::Alias,
        "alias \"client name\" -> \"model name\"",
        "another name for a model; replaced once, before any fact is read",
    ),
    named(
        "forbid",
        Space::Forbid,
        "forbid NAME when <condition>",
        "targets that must not be asked; checked before every attempt",
    ),
    named(
        "route",
        Space::Route,
        "route NAME when <condition> { … }",
        "requests and their targets; in file order, the first match wins, `route default` is the last",
    ),
    single(
        "defaults",
        "defaults { … }",
        "what holds where other blocks leave it out",
    ),
    single(
        "server",
        "server { … }",
        "addresses, cores and TLS of the gateway itself",
    ),
    single("clients", "clients { … }", "who may call"),
    single("telemetry", "telemetry { … }", "the access log"),
    later("fleet", None, "fleet { … }", "what several gateways share"),
    later(
        "limit",
        Some(Space::Limit),
        "limit NAME { … }",
        "a rate limit for callers",
    ),
    later(
        "budget",
        Some(Space::Budget),
        "budget NAME { … }",
        "a spend limit for callers",
    ),
    named(
        "drill",
        Space::Drill,
        "drill NAME { … }",
        "a rehearsal of an outage: traffic, faults, and what clients must see of them",
    ),
    named(
        "test",
        Space::Test,
        "test \"name\" { … }",
        "what must follow from given facts",
    ),
    named(
        "prove",
        Space::Prove,
        "prove \"name\" { … }",
        "what must follow for all requests, whatever happens",
    ),
];
