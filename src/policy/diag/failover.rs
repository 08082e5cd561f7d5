//! Constructors: what breakers, fallbacks and their numbers say to each other (P3006 to P3023).

use crate::base::Span;
use crate::policy::diag::{Code, Diagnostic, listed};
use crate::policy::syntax::Place;

/// More places than this are not shown.
const PLACES_MAX: usize = 3;

/// A target that has no room for any request of a route.
#[derive(Debug)]
pub(in crate::policy) struct NoRoom<'d> {
    /// Where the route names it.
    pub(in crate::policy) place: Place,
    /// Its name.
    pub(in crate::policy) target: &'d str,
    /// Its context, in tokens.
    pub(in crate::policy) context: u64,
    /// Name and condition of the route.
    pub(in crate::policy) route: (&'d str, Place),
    /// Tokens of its shortest prompt.
    pub(in crate::policy) prompt: u64,
    /// Tokens of its shortest answer.
    pub(in crate::policy) answer: u64,
    /// Targets of the policy that have room.
    pub(in crate::policy) roomy: &'d [&'d str],
}

pub(in crate::policy) fn no_room(of: &NoRoom<'_>) -> Diagnostic {
    let (name, place) = of.route;
    let needs = match of.answer {
        0 | 1 => format!("{} tokens of prompt", at_least(of.prompt)),
        answer => format!(
            "{} tokens of prompt and {} of answer",
            at_least(of.prompt),
            at_least(answer)
        ),
    };
    Diagnostic::new(
        Code::P3006,
        of.place,
        format!(
            "`{}` has no room for any request of route `{name}`",
            of.target
        ),
        format!("its context has {} tokens", tokens(of.context)),
    )
    .label(place, format!("what gets here has {needs}"))
    .help(match of.roomy {
        [] => "no target of this policy is known to have room: correct `context`, or the condition"
            .to_owned(),
        roomy => format!("{} would do", listed(roomy.iter().copied())),
    })
}

/// `than` is the target with the smallest context among those whose failure leads here.
pub(in crate::policy) fn jump_without_room(
    place: Place,
    target: (&str, u64),
    than: (&str, u64),
    roomy: &[&str],
) -> Diagnostic {
    let size = if target.1 == than.1 {
        "no larger context"
    } else {
        "a smaller context"
    };
    let said = Diagnostic::new(
        Code::P3007,
        place,
        format!(
            "a prompt that is too long goes to `{}`, which has {size}",
            target.0
        ),
        format!(
            "{} tokens here, {} at `{}`, where it did not fit",
            tokens(target.1),
            tokens(than.1),
            than.0
        ),
    );
    if roomy.is_empty() {
        said.help(
            "no target of this policy is known to have a larger context: `on context_exceeded -> stop` \
             gives the client the provider's own answer at once",
        )
    } else {
        said.help(format!(
            "{} has a larger context",
            listed(roomy.iter().copied())
        ))
    }
}

/// `largest` is the target with the largest context of the route.
pub(in crate::policy) fn next_without_room(place: Place, largest: (&str, u64)) -> Diagnostic {
    Diagnostic::new(
        Code::P3007,
        place,
        "a prompt that is too long goes on to targets without a larger context",
        "what did not fit into one does not fit into the next",
    )
    .help(format!(
        "the largest is that of `{}`, {} tokens, and no target before it has less",
        largest.0,
        tokens(largest.1)
    ))
    .help("leave `context_exceeded` out, or jump to a target with a larger context")
}

/// `rule` is `consecutive >= n`, with its place where it is written; `repeats` the place of `max`, where that is.
pub(in crate::policy) fn one_request_opens(
    (streak, rule): (u32, Option<Place>),
    (repeats, max): (u8, Option<Place>),
    fallback: Place,
    target: &str,
) -> Diagnostic {
    let attempts = u32::from(repeats) + 1;
    let place = rule.or(max).unwrap_or(fallback);
    let message = if streak == 1 {
        format!("this breaker opens before any repeat at `{target}`")
    } else {
        format!("one request can open the breaker of `{target}`")
    };
    let label = if rule.is_some() {
        format!(
            "one request may fail there {attempts} times: once, and in each of {repeats} repeats"
        )
    } else {
        format!(
            "up to {attempts} attempts of one request; the built-in breaker opens at {streak} failures in a row"
        )
    };
    let mut said = Diagnostic::new(Code::P3008, place, message, label);
    if let (Some(_), Some(max)) = (rule, max) {
        said = said.label(max, "how often it repeats");
    }
    said.help(format!(
        "write `consecutive >= {}`, so that it takes two requests, or fewer repeats",
        attempts + 1
    ))
}

/// A latency rule that streams are kept from breaking.
#[derive(Debug)]
pub(in crate::policy) struct LeftSooner<'d> {
    /// The rule.
    pub(in crate::policy) place: Place,
    /// As it is written, such as `p95(ttft) > 1200ms`.
    pub(in crate::policy) rule: &'d str,
    /// Its limit.
    pub(in crate::policy) limit: Span,
    /// The longest that any stream is waited for.
    pub(in crate::policy) left: Span,
    /// Fallback lines that leave sooner.
    pub(in crate::policy) lines: &'d [Place],
    /// Whether the breaker counts `ttft` as ill health.
    pub(in crate::policy) counted: bool,
}

pub(in crate::policy) fn left_sooner(of: &LeftSooner<'_>) -> Diagnostic {
    let LeftSooner { limit, left, .. } = of;
    let mut said = Diagnostic::new(
        Code::P3009,
        of.place,
        format!(
            "`{}` can hardly come true: streams are left before that",
            of.rule
        ),
        format!("no wait for a first content is longer than {left}"),
    );
    for line in of.lines.iter().take(PLACES_MAX) {
        said = said.label(*line, "left here");
    }
    said = said.help(if of.lines.is_empty() {
        format!("set the limit below `ttft_timeout`, which is {left}, or raise that above {limit}")
    } else {
        format!("set the limit below {left}, or let the fallback wait for longer than {limit}")
    });
    if of.counted {
        said.help("a stream that is left ends as `ttft`, and this breaker counts that as ill health: the rule may go")
    } else {
        said.help("or add `ttft` to `count`: then a stream that is left is a failure")
    }
}

/// `rate` is how many requests a second it takes, over `cores` cores; `given` whether the policy sets these.
pub(in crate::policy) fn rarely_enough(
    place: Place,
    min_requests: u32,
    window: Span,
    (cores, given): (u16, bool),
    rate: f64,
) -> Diagnostic {
    let on = if given {
        format!("{cores} cores")
    } else {
        format!("a machine with {cores} cores")
    };
    Diagnostic::new(
        Code::P3011,
        place,
        format!("below {rate:.1} requests a second to a target, this breaker never judges a rate"),
        format!("each core waits for {min_requests} requests of its own in {window}, on {on}"),
    )
    .help("`scope = shared` counts all cores together, at no cost for a request")
    .help("whoever has as many requests says so: `# allow: P3011 …`")
}

/// How often chance opens a breaker.
#[derive(Debug)]
pub(in crate::policy) struct Chance<'d> {
    /// `min_requests`, or the rule where that is left out.
    pub(in crate::policy) place: Place,
    /// The rule, where `min_requests` is the place.
    pub(in crate::policy) rule: Option<Place>,
    pub(in crate::policy) min_requests: u32,
    pub(in crate::policy) window: Span,
    /// The rule's limit, in parts per million.
    pub(in crate::policy) limit: u32,
    /// Errors that are usual, in parts per million.
    pub(in crate::policy) background: u32,
    /// So many errors break the rule.
    pub(in crate::policy) errors: u32,
    /// Times a day.
    pub(in crate::policy) a_day: f64,
    /// From here on less than once a day, if anywhere.
    pub(in crate::policy) safe: Option<u32>,
    /// What measures it, for a rule about times: `p99(ttft) > 5s`.
    pub(in crate::policy) slow: Option<&'d str>,
}

pub(in crate::policy) fn opened_by_chance(of: &Chance<'_>) -> Diagnostic {
    let usual = percent(of.background);
    let said = Diagnostic::new(
        Code::P3012,
        of.place,
        format!(
            "{usual} of errors, which are nobody's outage, open this breaker {} times a day",
            rounded(of.a_day)
        ),
        format!(
            "of {} requests in {}, {} errors are more than {}",
            of.min_requests,
            of.window,
            of.errors,
            percent(of.limit)
        ),
    );
    with_rule(said, of.rule).help(safe(of.safe))
}

pub(in crate::policy) fn one_is_enough(of: &Chance<'_>) -> Diagnostic {
    let (message, label) = match of.slow {
        None => (
            "one failure is enough to open this breaker".to_owned(),
            format!(
                "one of {} requests is {}, more than {}",
                of.min_requests,
                one_of(of.min_requests),
                percent(of.limit)
            ),
        ),
        Some(rule) => (
            format!("one slow answer is enough to break `{rule}`"),
            format!(
                "one of {} answers is {}, more than {}",
                of.min_requests,
                one_of(of.min_requests),
                percent(of.limit)
            ),
        ),
    };
    let said = with_rule(
        Diagnostic::new(Code::P3013, of.place, message, label),
        of.rule,
    );
    match (of.slow, of.safe) {
        (Some(_), Some(two)) => said.help(format!("from `min_requests = {two}` on it takes two")),
        (_, least) => said.help(safe(least)),
    }
}

fn with_rule(said: Diagnostic, rule: Option<Place>) -> Diagnostic {
    match rule {
        Some(rule) => said.label(rule, "the rule"),
        None => said,
    }
}

fn safe(least: Option<u32>) -> String {
    match least {
        Some(least) => {
            format!("from `min_requests = {least}` on, chance opens it less than once a day")
        }
        None => "raise the limit: chance breaks this one at any number of requests".to_owned(),
    }
}

/// `waits` are the targets that are asked before, each with how long its silence lasts.
pub(in crate::policy) fn no_time_left(
    place: Place,
    target: &str,
    waits: &[(&str, Span, Place)],
    (deadline, at): (Span, Place),
) -> Diagnostic {
    let sum = waits
        .iter()
        .fold(Span::ZERO, |sum, (_, wait, _)| sum.saturating_add(*wait));
    let spelled: Vec<String> = waits.iter().map(|(_, wait, _)| wait.to_string()).collect();
    let spelled = match spelled.as_slice() {
        [one] => one.clone(),
        many => format!("{} = {sum}", many.join(" + ")),
    };
    let mut said = Diagnostic::new(
        Code::P3015,
        place,
        format!("`{target}` is never asked when those before it are silent"),
        format!("their timers take {spelled} of the {deadline} that a request has"),
    );
    for (_, wait, place) in waits.iter().take(PLACES_MAX) {
        said = said.label(*place, format!("up to {wait}"));
    }
    if at != Place::default() {
        said = said.label(at, "the deadline");
    }
    said.help(
        "shorten `ttft_timeout`, or leave sooner with `on ttft > … -> next`, or raise `deadline`",
    )
}

/// `tier` counts from 1; the numbers are requests at once.
pub(in crate::policy) fn cannot_take_over(
    place: Place,
    tier: usize,
    bears: u64,
    later: u64,
    first: Place,
) -> Diagnostic {
    let part = percent(
        u32::try_from(later.saturating_mul(1_000_000) / bears.max(1) / 10_000 * 10_000)
            .unwrap_or(0),
    );
    Diagnostic::new(
        Code::P3016,
        place,
        format!("what follows tier {tier} takes {part} of what that bears"),
        format!("{later} requests at once, from here on"),
    )
    .label(first, format!("tier {tier}: {bears} requests at once"))
    .help("when the breakers of the tier open, the rest is refused: raise `max_inflight`, or add a target")
}

pub(in crate::policy) fn restless(
    place: Place,
    longest: Span,
    (provider, at): (&str, Place),
    fall: Span,
) -> Diagnostic {
    Diagnostic::new(
        Code::P3017,
        place,
        "this breaker tries again before the health check has an opinion",
        format!("it is never open for longer than {longest}"),
    )
    .label(at, format!("`{provider}` is down for its health check after {fall}"))
    .help("each time, a client's request finds out what the check was about to say: raise the longest `cool_down`, or check more often")
}

pub(in crate::policy) fn nothing_to_stick_to(
    place: Place,
    first: Place,
    endpoints: bool,
) -> Diagnostic {
    let said = Diagnostic::new(
        Code::P3020,
        place,
        "`sticky` has no choice to make: each tier of this route has one target",
        "every value goes to the same target",
    );
    if endpoints {
        said.label(
            first,
            "it chooses among targets, not among the endpoints of one",
        )
        .help("declare a provider for each address and put them into one tier, or remove `sticky`")
    } else {
        said.label(first, "the only one of its tier")
            .help("put the targets into one tier, or remove `sticky`")
    }
}

/// Prices are micro-dollars for a million tokens, in and out.
pub(in crate::policy) fn much_dearer(
    place: Place,
    target: (&str, (u64, u64)),
    than: (&str, (u64, u64), Place),
) -> Diagnostic {
    let times = |dear: u64, cheap: u64| dear / cheap.max(1);
    let (input, output) = target.1;
    let least = times(input, than.1.0).min(times(output, than.1.1));
    Diagnostic::new(
        Code::P3023,
        place,
        format!("this fallback costs at least {least} times as much as `{}`", than.0),
        format!("`{}`: {}", target.0, price(target.1)),
    )
    .label(than.2, price(than.1))
    .help("in an outage all of the route's requests are paid at this price: is there a cheaper target that would do?")
    .help("whoever means it says so: `# allow: P3023 …`")
}

/// `$0.25 in, $2 out for a million tokens`
fn price((input, output): (u64, u64)) -> String {
    format!(
        "{} in, {} out for a million tokens",
        dollars(input),
        dollars(output)
    )
}

fn dollars(micros: u64) -> String {
    let whole = micros / 1_000_000;
    let cents = micros % 1_000_000;
    if cents == 0 {
        return format!("${whole}");
    }
    let digits = format!("{cents:06}");
    format!("${whole}.{:0<2}", digits.trim_end_matches('0'))
}

/// `more than 24k`, `at least 500`
fn at_least(count: u64) -> String {
    match count.checked_sub(1) {
        Some(below) if below > 0 && below.is_multiple_of(1_000) => {
            format!("more than {}", tokens(below))
        }
        _ => format!("at least {}", tokens(count)),
    }
}

/// `32k`, `1M`, `24001`
fn tokens(count: u64) -> String {
    match count {
        0 => "0".to_owned(),
        _ if count.is_multiple_of(1_000_000) => format!("{}M", count / 1_000_000),
        _ if count.is_multiple_of(1_000) => format!("{}k", count / 1_000),
        _ => count.to_string(),
    }
}

/// `25%`, `2.5%`
pub(in crate::policy) fn percent(ppm: u32) -> String {
    format!("{}%", f64::from(ppm) / 10_000.0)
}

/// `33.3%`
fn one_of(requests: u32) -> String {
    let part = format!("{:.1}", 100.0 / f64::from(requests.max(1)));
    format!("{}%", part.strip_suffix(".0").unwrap_or(&part))
}

/// Two digits are enough to be warned.
fn rounded(times: f64) -> String {
    if times >= 10.0 {
        format!("{times:.0}")
    } else {
        format!("{times:.1}")
    }
}
