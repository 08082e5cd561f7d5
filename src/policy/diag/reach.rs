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
