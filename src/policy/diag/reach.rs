//! Constructors: what conditions leave to each other (P2003 to P2007).

use crate::policy::diag::{Code, Diagnostic, listed};
use crate::policy::syntax::Place;

/// More places than this are not shown.
const PLACES_MAX: usize = 3;

/// `core` are the parts that contradict each other, in the order of the text; `owner` is whose condition it is, where all of
/// it is false.
pub(in crate::policy) fn always_false(owner: Option<&str>, core: &[Place]) -> Diagnostic {
    let (last, before) = match core.split_last() {
        Some((last, before)) => (*last, before),
        None => (Place::default(), [].as_slice()),
    };
    let message = match owner {
        Some(owner) => format!("the condition of {owner} is always false"),
        None => "this alternative can never hold".to_owned(),
    };
    let label = match before {
        [] => "no request is like that",
        [_] => "never together with the other one",
        _ => "never together with the others",
    };
    let mut diagnostic = Diagnostic::new(Code::P2003, last, message, label);
    for place in before {
        diagnostic = diagnostic.label(*place, "");
    }
    diagnostic
}

pub(in crate::policy) fn replaced(diagnostic: Diagnostic, from: &str, to: &str) -> Diagnostic {
    diagnostic.help(format!(
        "`{from}` is an alias: it is replaced by `{to}` before any condition is asked"
    ))
}

pub(in crate::policy) fn always_true(place: Place, owner: &str, help: &str) -> Diagnostic {
    let message = format!("the condition of {owner} is always true");
    Diagnostic::new(Code::P2007, place, message, "every request is like that").help(help)
}

/// A route that never matches.
#[derive(Debug)]
pub(in crate::policy) struct Unreachable<'d> {
    /// Its name.
    pub(in crate::policy) name: &'d str,
    /// Its condition.
    pub(in crate::policy) place: Place,
    /// The routes before that take all of its requests: name and condition.
    pub(in crate::policy) cover: &'d [(&'d str, Place)],
    /// The facts that decided it.
    pub(in crate::policy) facts: &'d [String],
    /// How many combinations of their values there are in it.
    pub(in crate::policy) combinations: u64,
    /// The stretch from the first of the cover to its own end, and the same with the route moved up.
    pub(in crate::policy) moved: Option<(Place, String)>,
}

pub(in crate::policy) fn unreachable(route: Unreachable<'_>) -> Diagnostic {
    let Unreachable { name, cover, .. } = route;
    let message = format!("route `{name}` can never match");
    let label = match cover {
        [_] => "all of its requests are taken by the route above",
        _ => "all of its requests are taken by routes above",
    };
    let mut diagnostic = Diagnostic::new(Code::P2004, route.place, message, label);
    let label = match cover {
        [_] => "everything below is already taken here",
        _ => "part of it is taken here",
    };
    for (_, place) in cover.iter().take(PLACES_MAX) {
        diagnostic = diagnostic.label(*place, label);
    }
    let names = cover.iter().map(|(name, _)| *name);
    let first = cover.first().map_or("", |(name, _)| *name);
    if cover.len() > PLACES_MAX {
        diagnostic = diagnostic.help(format!("{} together leave nothing", listed(names)));
    }
    let facts = route.facts.iter().map(String::as_str);
    let checked = match route.combinations {
        _ if route.facts.is_empty() => "no request gets here".to_owned(),
        1 => format!(
            "checked: the one value of {}; no request gets here",
            listed(facts)
        ),
        many => format!(
            "checked: {many} combinations of {}; no request gets here",
            listed(facts)
        ),
    };
    match route.moved {
        Some((place, text)) => {
            diagnostic
                .help(checked)
                .guess(format!("move `{name}` above `{first}`"), place, text)
        }
        None => diagnostic
            .help("remove it, or say in the routes above which requests they leave to it")
            .help(checked),
    }
}

/// `later` and `earlier` are names and conditions; `fact` is where they overlap, `example` a request of both.
pub(in crate::policy) fn overlap(
    later: (&str, Place),
    earlier: (&str, Place),
    fact: &str,
    example: &str,
) -> Diagnostic {
    let message = format!(
        "route `{}` overlaps `{}`, which comes first",
        later.0, earlier.0
    );
    let label = format!("some values of `{fact}` that it names never get here");
    Diagnostic::new(Code::P2005, later.1, message, label)
        .label(earlier.1, "they are taken here")
        .help(format!("for example: {example}"))
        .help(format!(
            "name them in one of the two only, or move `{}` up",
            later.0
        ))
}

pub(in crate::policy) fn undecided(routes: &[(&str, Place)]) -> Diagnostic {
    let (name, place) = routes.first().copied().unwrap_or_default();
    let others = routes.get(1..).unwrap_or_default();
    let mut diagnostic = Diagnostic::new(
        Code::P2006,
        place,
        format!("it was not decided which requests get to route `{name}`"),
        "its condition and those before it combine in too many ways",
    );
    for (_, place) in others.iter().take(PLACES_MAX - 1) {
        diagnostic = diagnostic.label(*place, "nor here");
    }
    if let more @ 1.. = others.len().saturating_sub(PLACES_MAX - 1) {
        diagnostic = diagnostic.help(format!("and for {more} more routes"));
    }
    diagnostic.help(
        "fewer alternatives of several facts each are decided: split the condition over two routes",
    )
}

/// Requests that a route takes and has no target for.
#[derive(Debug)]
pub(in crate::policy) struct NoTarget<'d> {
    /// Its name.
    pub(in crate::policy) name: &'d str,
    /// Its condition.
    pub(in crate::policy) place: Place,
    /// The forbids that remove its targets: name and place.
    pub(in crate::policy) forbids: &'d [(&'d str, Place)],
    /// One of the requests.
    pub(in crate::policy) example: &'d str,
    /// Other routes to which the same forbids do the same.
    pub(in crate::policy) others: &'d [&'d str],
}

pub(in crate::policy) fn no_target(route: &NoTarget<'_>) -> Diagnostic {
    let message = format!(
        "forbids leave some requests of route `{}` no target",
        route.name
    );
    let label = "whatever happens, these are refused with 503 or as `else` says";
    let mut diagnostic = Diagnostic::new(Code::P3004, route.place, message, label);
    for (name, place) in route.forbids.iter().take(PLACES_MAX) {
        diagnostic = diagnostic.label(*place, format!("`{name}` removes targets"));
    }
    diagnostic = diagnostic.help(format!("for example: {}", route.example));
    if !route.others.is_empty() {
        let others = listed(route.others.iter().copied());
        diagnostic = diagnostic.help(format!("so it is in {others}"));
    }
    diagnostic.help(
        "add a target that they may use, or say above which route takes them: one that may only `reject(403)` them says so",
    )
}

/// `parts` are the comparisons with names that no target has.
pub(in crate::policy) fn forbids_nothing(
    name: &str,
    place: Place,
    parts: &[Place],
    known: &[&str],
) -> Diagnostic {
    let first = parts.first().copied().unwrap_or(place);
    let mut diagnostic = Diagnostic::new(
        Code::P4005,
        first,
        format!("forbid `{name}` never forbids anything"),
        "no target is like that",
    );
    for part in parts.iter().skip(1).take(PLACES_MAX) {
        diagnostic = diagnostic.label(*part, "nor like that");
    }
    if known.is_empty() {
        diagnostic.help("no provider of this policy has a `region`")
    } else {
        diagnostic.help(format!(
            "the providers of this policy say {}",
            listed(known.iter().copied())
        ))
    }
}

/// `domain` is what all targets of the route share; `elsewhere` are targets that it could use.
pub(in crate::policy) fn stays(
    route: (&str, Place),
    domain: &str,
    elsewhere: &[&str],
    others: &[&str],
) -> Diagnostic {
    /// More targets than this are not named.
    const NAMED_MAX: usize = 4;
    let (name, place) = route;
    let message =
        format!("the fallback of route `{name}` stays in the failure domain that it flees");
    let label = format!("all of its targets fail with {domain}");
    let few = elsewhere.iter().take(NAMED_MAX).copied();
    let mut diagnostic = Diagnostic::new(Code::P3003, place, message, label)
        .help(format!("targets elsewhere: {}", listed(few)));
    if !others.is_empty() {
        diagnostic = diagnostic.help(format!("so it is in {}", listed(others.iter().copied())));
    }
    diagnostic
}
