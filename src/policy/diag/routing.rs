//! Constructors: routes, tiers, fallbacks and breakers (P2xxx, P3xxx).

use crate::base::Span;
use crate::policy::diag::failover::percent;
use crate::policy::diag::{Code, Diagnostic, listed};
use crate::policy::syntax::Place;

pub(in crate::policy) fn no_default(place: Place) -> Diagnostic {
    Diagnostic::new(
        Code::P2001,
        place,
        "there is no `route default`",
        "requests that no route takes would have no answer",
    )
    .help("it is the last route, and takes every request that is left")
    .fix(
        "add a route that refuses them",
        place,
        "\nroute default { reject(404, \"no route for this request\") }\n",
    )
}

pub(in crate::policy) fn after_default(place: Place, name: &str, default: Place) -> Diagnostic {
    Diagnostic::new(
        Code::P2002,
        place,
        format!("route `{name}` stands after `route default`"),
        "no request gets here",
    )
    .label(default, "this one takes every request")
    .help("move `route default` to the end")
}

pub(in crate::policy) fn default_with_when(place: Place) -> Diagnostic {
    Diagnostic::new(
        Code::P1015,
        place,
        "`route default` has no condition",
        "it takes every request that is left",
    )
    .help("give a route with a condition another name")
}

pub(in crate::policy) fn reject_with_targets(place: Place) -> Diagnostic {
    Diagnostic::new(
        Code::P1015,
        place,
        "a route either rejects or has targets",
        "",
    )
    .help("a reject after failures stands in `fallback`: `else -> reject(503)`")
}

pub(in crate::policy) fn all_weights_zero(place: Place) -> Diagnostic {
    Diagnostic::new(
        Code::P2008,
        place,
        "all weights of this tier are zero",
        "nothing can be picked",
    )
    .help("give one target a weight, or remove the tier")
}

pub(in crate::policy) fn weight_zero(place: Place, target: &str) -> Diagnostic {
    Diagnostic::new(
        Code::P2009,
        place,
        format!("`{target}` with weight 0 is never picked first"),
        "only when nothing else of the tier is left",
    )
    .help("a target for that purpose is clearer in a tier of its own")
}

pub(in crate::policy) fn target_twice(place: Place, target: &str, before: Place) -> Diagnostic {
    Diagnostic::new(Code::P2010, place, format!("target `{target}` is listed twice"), "again here")
        .label(before, "first here")
        .help("a target that failed is not tried again by another tier; its weight can be raised in place")
}

pub(in crate::policy) fn tier_number(place: Place, found: u64, wanted: u64) -> Diagnostic {
    Diagnostic::new(
        Code::P2011,
        place,
        format!("tier {found} stands where tier {wanted} is expected"),
        "tiers are numbered 1, 2, 3 from the top",
    )
    .fix("renumber", place, wanted.to_string())
}

pub(in crate::policy) fn alias_chain(place: Place, to: &str, next: Place) -> Diagnostic {
    Diagnostic::new(
        Code::P2012,
        place,
        format!("alias to `{to}`, which is an alias itself"),
        "names are replaced once",
    )
    .label(next, "declared here")
    .help("name the last one directly")
}

pub(in crate::policy) fn unreached(place: Place, kind: &str, name: &str) -> Diagnostic {
    Diagnostic::new(
        Code::P2013,
        place,
        format!("{kind} `{name}` is never reached from a route"),
        "",
    )
    .help("list it in a tier, or remove it")
}

/// `before` is the last line, if there is any.
pub(in crate::policy) fn no_else(place: Place, body: Place, before: Option<Place>) -> Diagnostic {
    let close = Place {
        start: body.end().start.saturating_sub(1),
        len: 0,
        ..body
    };
    let (at, text) = match before {
        Some(line) => (line.end(), ", else -> reject(503)"),
        None => (close, " else -> reject(503) "),
    };
    Diagnostic::new(
        Code::P3001,
        place,
        "this `fallback` has no `else`",
        "what follows when no line fits or no target is left is not said",
    )
    .fix("add `else -> reject(503)` as the last line", at, text)
}

pub(in crate::policy) fn after_else(place: Place, before: Place) -> Diagnostic {
    Diagnostic::new(
        Code::P1015,
        place,
        "a line stands after `else`",
        "it is never read",
    )
    .label(before, "this takes everything that is left")
    .help("move `else` to the end")
}

pub(in crate::policy) fn on_ok(place: Place) -> Diagnostic {
    Diagnostic::new(
        Code::P1015,
        place,
        "`ok` needs no fallback",
        "a good answer goes to the client",
    )
    .help("remove `ok`; `any` is every outcome that another target may cure")
}

pub(in crate::policy) fn jump_to_itself(place: Place, target: &str) -> Diagnostic {
    Diagnostic::new(
        Code::P3002,
        place,
        format!("fallback cycle: `{target}` → `{target}`"),
        "this is the only target that can have failed",
    )
    .help("name another target; repeats at the same one belong in `retries`")
}

pub(in crate::policy) fn lacks_caps(
    place: Place,
    target: &str,
    lacks: &[&str],
    require: Place,
    able: &[&str],
) -> Diagnostic {
    let lacks = listed(lacks.iter().copied());
    let diagnostic = Diagnostic::new(
        Code::P3005,
        place,
        format!("this route requires {lacks}, `{target}` lacks it"),
        format!("its `caps`, or the catalogue where it has none, leave out {lacks}"),
    )
    .label(require, "required here");
    if able.is_empty() {
        diagnostic.help("no target of this policy has it")
    } else {
        diagnostic.help(format!("{} can do it", listed(able.iter().copied())))
    }
}

pub(in crate::policy) fn too_many_attempts(
    place: Place,
    route: &str,
    attempts: usize,
    cap: usize,
    reach: usize,
) -> Diagnostic {
    let retries = attempts - reach;
    Diagnostic::new(
        Code::P3014,
        place,
        format!("route `{route}` can make {attempts} attempts, the cap is {cap}"),
        format!("targets in reach: {reach}; repeats at the same one: {retries}"),
    )
    .help(format!(
        "`max_attempts = {attempts}` allows them all; any other value is a cap that you have chosen"
    ))
    .help("or shorten the fallback, or set `retries` with a smaller `max`")
}

pub(in crate::policy) fn hedge_to_itself(place: Place, target: &str) -> Diagnostic {
    Diagnostic::new(
        Code::P3019,
        place,
        format!("this hedge goes to `{target}`, the only target of the tiers"),
        "a request does not ask the same target twice at once",
    )
    .help("name another target")
}

pub(in crate::policy) fn hedge_too_late(place: Place, deadline: Span) -> Diagnostic {
    Diagnostic::new(
        Code::P3019,
        place,
        "this hedge begins when the request is over",
        format!("the deadline is {deadline}"),
    )
    .help("hedge after what most answers need to their first content, or after `p95`")
}

pub(in crate::policy) fn hedge_is_one_too_many(place: Place) -> Diagnostic {
    Diagnostic::new(
        Code::P3019,
        place,
        "this hedge would be a second attempt, and `max_attempts` allows one",
        "",
    )
    .help("raise `max_attempts`, or remove the hedge")
}

/// `room` is where its bound can be written, and how.
pub(in crate::policy) fn shadow_unbounded(place: Place, room: (Place, &str)) -> Diagnostic {
    Diagnostic::new(
        Code::P3022,
        place,
        "this shadow has no `max_inflight`",
        "its target may get slow, and copies with it: at most 8 are under way at once",
    )
    .help("another number fits as well: copies cost money")
    .fix(
        "write `max_inflight = 8`, which is what holds",
        room.0,
        room.1,
    )
}

pub(in crate::policy) fn shadow_of_itself(place: Place, target: &str) -> Diagnostic {
    Diagnostic::new(
        Code::P3029,
        place,
        format!("this shadow goes to `{target}`, the only target of the tiers"),
        "its copies tell nothing that the requests do not",
    )
    .help("name another target")
}

pub(in crate::policy) fn too_many_slow_rules(place: Place, most: usize) -> Diagnostic {
    Diagnostic::new(
        Code::P1009,
        place,
        format!("more than {most} latency rules in one breaker"),
        "",
    )
    .help("keep the strictest of each percentile")
}

pub(in crate::policy) fn counts_429(place: Place) -> Diagnostic {
    Diagnostic::new(
        Code::P3021,
        place,
        "this breaker counts 429 as ill health",
        "a rate limit concerns one key, not the provider",
    )
    .help("remove `s429`: `throttle { … }` pauses the key for as long as the provider says")
}

pub(in crate::policy) fn too_many_targets(place: Place, count: usize, most: usize) -> Diagnostic {
    Diagnostic::new(
        Code::P3024,
        place,
        format!("this route has {count} targets, {most} is the most"),
        "",
    )
    .help("split it by a condition, or put several addresses of one provider into `endpoints`")
}

pub(in crate::policy) fn rule_never_applies(place: Place, before: Option<Place>) -> Diagnostic {
    let said = Diagnostic::new(
        Code::P3026,
        place,
        "this rule of `classify` can never apply",
        match before {
            Some(_) => "rules before it take every error that it names",
            None => "no error fits all of its conditions",
        },
    );
    match before {
        Some(before) => said
            .label(before, "this one comes first")
            .help("the first rule that holds counts: move the narrower one up, or remove one"),
        None => said.help("an error has one status (200 to 599) and one code"),
    }
}

pub(in crate::policy) fn nobody_continues(place: Place) -> Diagnostic {
    Diagnostic::new(
        Code::P3027,
        place,
        "no target of this route can continue another one's answer",
        "a stream that breaks would end with an error event all the same",
    )
    .help(
        "kinds that can: `vllm`, `groq`, `simulated`, and `deepseek` with a base_url \
         that ends in `/beta`; else write `mid_stream = error`",
    )
}

pub(in crate::policy) fn guard_without(place: Place, what: &str) -> Diagnostic {
    Diagnostic::new(
        Code::P2015,
        place,
        format!("this guard has no {what}"),
        "it would never judge",
    )
    .help(
        "`guard { compare = route.NAME, stop when delta(error_rate) > 1% }`: a route to compare with, \
         and what ends it",
    )
}

pub(in crate::policy) fn guard_on_itself(place: Place, route: &str) -> Diagnostic {
    Diagnostic::new(
        Code::P2015,
        place,
        format!("this guard compares `{route}` with itself"),
        "the difference would always be zero",
    )
    .help("name the route that takes the other requests")
}

pub(in crate::policy) fn guard_on_reject(place: Place, route: &str) -> Diagnostic {
    Diagnostic::new(
        Code::P2015,
        place,
        format!("`{route}` has no targets"),
        "nothing can be measured there",
    )
    .help("a guard stands in a route with targets, and compares it with one that has some")
}

pub(in crate::policy) fn guard_on_default(place: Place) -> Diagnostic {
    Diagnostic::new(
        Code::P2015,
        place,
        "`route default` cannot be withdrawn",
        "no route after it would take its requests",
    )
    .help("put the canary into a route of its own, before the one that it is compared with")
}

/// `share` is the canary's, in parts per million; `rate` are requests a second.
pub(in crate::policy) fn guard_starves(
    (place, route): (Place, &str),
    (window, min_requests): (Span, u32),
    (share, when): (u32, Place),
    rate: u64,
) -> Diagnostic {
    let share = percent(share);
    Diagnostic::new(
        Code::P2014,
        place,
        format!("below {rate} requests a second, the guard of `{route}` never judges"),
        format!("it waits for {min_requests} requests in {window}"),
    )
    .label(when, format!("and gets {share} of them at most"))
    .help("raise the share or the window, or lower `min_requests`")
    .help("whoever has as many requests says so: `# allow: P2014 …`")
}

pub(in crate::policy) fn too_many_stops(place: Place, most: usize) -> Diagnostic {
    Diagnostic::new(
        Code::P1009,
        place,
        format!("more than {most} rules in one guard"),
        "",
    )
    .help("keep the strictest of each measurement")
}

pub(in crate::policy) fn nowhere_to_spill(place: Place, alone: bool) -> Diagnostic {
    let (why, help) = if alone {
        ("there is no second tier", "add `tier 2 { … }`")
    } else {
        (
            "no tier before the last has a bound on the requests of each of its targets",
            "give their providers `capacity { max_inflight = … }`",
        )
    };
    Diagnostic::new(Code::P3028, place, "this pool never spills", why).help(help)
}
