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
}

const fn named(word: &'static str, space: Space, shape: &'static str) -> Entry {
    Entry {
        word,
        space: Some(space),
        shape,
        later: false,
    }
}

const fn later(word: &'static str, space: Option<Space>, shape: &'static str) -> Entry {
    Entry {
        word,
        space,
        shape,
        later: true,
    }
}

const fn single(word: &'static str, shape: &'static str) -> Entry {
    Entry {
        word,
        space: None,
        shape,
        later: false,
    }
}

/// Every top-level statement but `policy`, `import` and `const`, which the grammar knows.
pub(in crate::policy) const TOP: &[Entry] = &[
    named("provider", Space::Provider, "provider NAME { … }"),
    named("breaker", Space::Breaker, "breaker NAME { … }"),
    named("retries", Space::Retries, "retries NAME { … }"),
    named("pool", Space::Pool, "pool NAME { … }"),
    named(
        "alias",
        Space::Alias,
        "alias \"client name\" -> \"model name\"",
    ),
    named("forbid", Space::Forbid, "forbid NAME when <condition>"),
    named("route", Space::Route, "route NAME when <condition> { … }"),
    single("defaults", "defaults { … }"),
    single("server", "server { … }"),
    single("clients", "clients { … }"),
    later("telemetry", None, "telemetry { … }"),
    later("fleet", None, "fleet { … }"),
    later("health", Some(Space::Health), "health NAME { … }"),
    later("limit", Some(Space::Limit), "limit NAME { … }"),
    later("budget", Some(Space::Budget), "budget NAME { … }"),
    later("drill", Some(Space::Drill), "drill NAME { … }"),
    later("test", Some(Space::Test), "test \"name\" { … }"),
    later("prove", Some(Space::Prove), "prove \"name\" { … }"),
];
