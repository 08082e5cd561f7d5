//! `switchover check --models`: what a policy reckons with of its models, and who says so.

use std::fmt::{Display, Write};

use crate::policy::catalogue::{self, Known};
use crate::policy::model::{ModelName, Target};
use crate::policy::{Caps, Policy};

/// A few lines for each target.
pub(super) fn show(policy: &Policy) -> String {
    let mut out = String::new();
    for target in &policy.targets {
        out.push_str(&of(policy, target));
    }
    out
}

/// The lines of one target.
pub(super) fn of(policy: &Policy, target: &Target) -> String {
    let mut out = String::new();
    let ModelName::Fixed(model) = &target.model else {
        put(
            &mut out,
            format_args!(
                "{}: the model that the client names, of which nothing is known",
                target.name
            ),
        );
        return out;
    };
    let provider = policy.providers.get(target.provider.index());
    let known = provider.and_then(|provider| catalogue::known(provider.kind, model));
    put(&mut out, format_args!("{}: {model}", target.name));
    facts(target, known, &mut out);
    out
}

fn facts(target: &Target, known: Option<Known>, out: &mut String) {
    let row = known.unwrap_or_default();
    let tokens = |said: Option<u64>| said.map(|tokens| tokens.to_string());
    fact("context", tokens(target.context), tokens(row.context), out);
    fact(
        "max_output",
        tokens(target.max_output),
        tokens(row.max_output),
        out,
    );
    fact(
        "caps",
        caps(target.caps, target.lacks),
        caps(row.caps, row.lacks),
        out,
    );
    let price = |said: Option<u64>| said.map(dollars);
    fact("input", price(target.price_in), price(row.price_in), out);
    fact("output", price(target.price_out), price(row.price_out), out);
    // A policy cannot say these.
    for (name, said) in [
        ("cache_read", row.price_cache_read),
        ("cache_write", row.price_cache_write),
    ] {
        if said.is_some() {
            fact(name, price(said), price(said), out);
        }
    }
    match known {
        Some(row) => put(
            out,
            format_args!("  catalogue    as of {}, see {}", row.as_of, row.source),
        ),
        None => put(out, format_args!("  catalogue    does not have it")),
    }
}

/// One line: what holds, and what the catalogue says where that is something else.
fn fact(name: &str, holds: Option<String>, row: Option<String>, out: &mut String) {
    match (holds, row) {
        (None, _) => put(out, format_args!("  {name:<12} not known")),
        (Some(holds), None) => put(out, format_args!("  {name:<12} {holds} (policy)")),
        (Some(holds), Some(row)) if holds == row => put(out, format_args!("  {name:<12} {holds}")),
        (Some(holds), Some(row)) => put(
            out,
            format_args!("  {name:<12} {holds} (policy; the catalogue: {row})"),
        ),
    }
}

/// What a model can do and cannot; nothing if both are empty.
fn caps(can: Caps, cannot: Caps) -> Option<String> {
    let words = |of: Caps, before: &'static str| {
        let words = Caps::WORDS.iter().filter(move |(_, cap)| of.covers(*cap));
        words.map(move |(word, _)| format!("{before}{word}"))
    };
    let all: Vec<String> = words(can, "").chain(words(cannot, "not ")).collect();
    (!all.is_empty()).then(|| all.join(", "))
}

/// A price as policies have it, from micro-dollars per million tokens.
fn dollars(micros: u64) -> String {
    let (whole, rest) = (micros / 1_000_000, micros % 1_000_000);
    let rest = format!(".{rest:06}");
    let rest = rest.trim_end_matches('0').trim_end_matches('.');
    format!("${whole}{rest}/Mtok")
}

fn put(out: &mut String, line: impl Display) {
    // Strings take all that is written.
    let _ = writeln!(out, "{line}");
}

#[cfg(test)]
mod tests {
    use super::{Caps, caps, dollars};

    #[test]
    fn facts_read_as_policies_have_them() {
        assert_eq!(dollars(1_250_000), "$1.25/Mtok");
        assert_eq!(dollars(37_500), "$0.0375/Mtok");
        assert_eq!(dollars(5_000_000), "$5/Mtok");
        assert_eq!(dollars(10_000_000), "$10/Mtok");
        let words = caps(Caps::TOOLS, Caps::AUDIO);
        assert_eq!(words.as_deref(), Some("tools, not audio"));
        assert_eq!(caps(Caps::NONE, Caps::NONE), None);
    }
}
