//! What is wrong with tests, proofs and drills.

use crate::base::Span;
use crate::policy::diag::{Code, Diagnostic, listed};
use crate::policy::syntax::Place;

pub(in crate::policy) fn never_down(place: Place, provider: &str) -> Diagnostic {
    Diagnostic::new(
        Code::P5001,
        place,
        format!("provider `{provider}` is never `down`"),
        "nothing checks its health",
    )
    .help("use `open`, which its breaker can be, or give the provider a `health`")
}

pub(in crate::policy) fn unprovable(place: Place, word: &str) -> Diagnostic {
    let why = match word {
        "share" | "same" => "that is about many requests together",
        _ => "every target may fail, and then nobody answers",
    };
    Diagnostic::new(
        Code::P5007,
        place,
        format!("`{word}` cannot be proved"),
        why,
    )
    .help("say what must never happen: `never [openai]`, `never target.region != eu`; or write a `test`")
}

pub(in crate::policy) fn never_passes(
    place: Place,
    drill: &str,
    why: &str,
    help: &str,
) -> Diagnostic {
    Diagnostic::new(
        Code::P5002,
        place,
        format!("drill `{drill}` can never pass"),
        why,
    )
    .help(help)
}

pub(in crate::policy) fn after_the_end(place: Place, after: Span, length: Span) -> Diagnostic {
    Diagnostic::new(
        Code::P5002,
        place,
        "nothing is ever injected here",
        format!("it begins after {after}, and the drill is over after {length}"),
    )
    .help("give the drill a `for` that is longer")
}

pub(in crate::policy) fn unguarded(place: Place, drill: &str) -> Diagnostic {
    Diagnostic::new(
        Code::P5003,
        place,
        format!("drill `{drill}` breaks the requests of clients and nothing stops it"),
        "its traffic is live",
    )
    .help("say `abort when live.error_rate > 2%`, or use `synthetic(20/s)`")
}

pub(in crate::policy) fn too_short(place: Place, lasts: Span, need: Span) -> Diagnostic {
    Diagnostic::new(
        Code::P5004,
        place,
        "this fault is over before a breaker has tried again",
        format!("it lasts {lasts}; opening and the first cool-down may take {need}"),
    )
    .help("let it last longer: how a target comes back while it is still ill is then seen, too")
}

pub(in crate::policy) fn spared(place: Place, names: &[&str], places: &[Place]) -> Diagnostic {
    let mut diagnostic = Diagnostic::new(
        Code::P5005,
        place,
        format!(
            "no drill injects a fault into {}",
            listed(names.iter().copied())
        ),
        "this file rehearses outages of other providers",
    );
    for place in places {
        diagnostic = diagnostic.label(*place, "routes ask this one");
    }
    diagnostic.help("what happens without it is best known before it happens")
}

pub(in crate::policy) fn no_cron(place: Place, why: &str) -> Diagnostic {
    Diagnostic::new(Code::P1009, place, "this is no time", why)
        .help("every Tuesday at ten: `cron(\"0 10 * * tue\", tz = \"Europe/Berlin\")`")
}

pub(in crate::policy) fn no_zone(place: Place) -> Diagnostic {
    Diagnostic::new(
        Code::P1003,
        place,
        "this is no time zone",
        "zones are named as in `\"Europe/Berlin\"`, or `\"UTC\"`",
    )
}

pub(in crate::policy) fn needs_status(place: Place) -> Diagnostic {
    Diagnostic::new(
        Code::P1014,
        place,
        "`retry_after` stands beside a `status`",
        "there is none here",
    )
    .help("write `status = 429, retry_after = 10s`")
}

pub(in crate::policy) fn no_such_part(
    place: Place,
    what: &str,
    provider: &str,
    has: u64,
) -> Diagnostic {
    let found = match has {
        0 => format!("it has no {what}"),
        1 => format!("it has one {what}, number 0"),
        _ => format!("it has {has}, numbers 0 to {}", has.saturating_sub(1)),
    };
    Diagnostic::new(
        Code::P1009,
        place,
        format!("`{provider}` has no such {what}"),
        found,
    )
}
