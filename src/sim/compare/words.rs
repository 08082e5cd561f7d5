//! What a plan says, word by word: two that say the same do the same, whatever their text looks like.

use std::fmt::Write as _;

use crate::base::{Outcome, Span};
use crate::engine::fallback_line;
use crate::policy::Caps;
use crate::policy::model::{
    Action, Guard, HedgeDelay, MaxInflight, Otherwise, Pick, Policy, Reject, Route, Serve, Spill,
    StrFact, Target, Then, Tier, Trigger,
};
use crate::policy::reason::word_of;
use crate::sim::trial::show::{route as route_name, target as name};

/// One thing that is said: what about, and what.
pub(super) type Word = (String, String);

/// What a route does with a request.
pub(super) fn route(policy: &Policy, route: &Route) -> Vec<Word> {
    let mut words = Vec::new();
    match &route.action {
        Action::Reject(reject) => words.push(("answer".to_owned(), rejection(reject))),
        Action::Serve(serve) => served(policy, serve, &mut words),
    }
    if let Some(guard) = &route.guard {
        words.push(("guard".to_owned(), guarded(policy, guard)));
    }
    words
}

fn served(policy: &Policy, serve: &Serve, words: &mut Vec<Word>) {
    let mut say = |what: &str, said: String| words.push((what.to_owned(), said));
    for (tier, number) in serve.tiers.iter().zip(1..) {
        say(&format!("tier {number}"), members(policy, tier));
    }
    for outcome in Outcome::ALL {
        if outcome != Outcome::Ok {
            say(&format!("on {outcome}"), after(policy, serve, outcome));
        }
    }
    for line in &serve.fallback {
        if let Trigger::Slow(limit) = line.on {
            say(&format!("on ttft > {limit}"), said_then(policy, &line.then));
        }
    }
    say(
        "else",
        match &serve.otherwise {
            Otherwise::Stop => "stop".to_owned(),
            Otherwise::Reject(reject) => rejection(reject),
        },
    );
    bounds(serve, words);
    beside(policy, serve, words);
}

/// Its timers, and how it deals with requests.
fn bounds(serve: &Serve, words: &mut Vec<Word>) {
    let mut say = |what: &str, said: String| words.push((what.to_owned(), said));
    say("deadline", serve.deadline.to_string());
    say("max_attempts", serve.attempts_max.to_string());
    let times = [
        ("connect_timeout", serve.timeouts.connect),
        ("head_timeout", serve.timeouts.head),
        ("ttft_timeout", serve.timeouts.ttft),
        ("idle_timeout", serve.timeouts.idle),
    ];
    for (what, time) in times {
        if let Some(time) = time {
            say(what, time.to_string());
        }
    }
    if !serve.require.is_empty() {
        let words = Caps::WORDS.iter();
        let words = words.filter(|(_, cap)| serve.require.covers(*cap));
        let words: Vec<&str> = words.map(|(word, _)| *word).collect();
        say("require", words.join(", "));
    }
    if let Some(spill) = &serve.spill {
        say("spill", spill_words(spill));
    }
    let hows = [
        (
            "mid_stream",
            format!("{:?}", serve.mid_stream).to_lowercase(),
            "error",
        ),
        ("panic", format!("{:?}", serve.panic).to_lowercase(), "fail"),
        ("strict", serve.strict.to_string(), "false"),
        ("sticky", hashed(&serve.sticky), "hash()"),
    ];
    for (what, how, usual) in hows {
        if how != usual {
            say(what, how);
        }
    }
}

/// Who is asked beside the one that answers.
fn beside(policy: &Policy, serve: &Serve, words: &mut Vec<Word>) {
    let mut say = |what: &str, said: String| words.push((what.to_owned(), said));
    if let Some(hedge) = &serve.hedge {
        let after = match hedge.after {
            HedgeDelay::Fixed(delay) => delay.to_string(),
            HedgeDelay::P95 => "p95".to_owned(),
        };
        let most = percent(hedge.max_extra.into(), 1_000_000);
        let to = name(policy, hedge.target);
        say("hedge", format!("after {after} -> {to}, at most {most}"));
    }
    if let Some(shadow) = &serve.shadow {
        let share = percent(shadow.share.into(), 1_000_000);
        let to = name(policy, shadow.target);
        say(
            "shadow",
            format!("{to}, {share}, {} at once", shadow.max_inflight),
        );
    }
}

/// What follows an outcome. One that is the client's own fault and that no line names does not fall to `else`.
fn after(policy: &Policy, serve: &Serve, outcome: Outcome) -> String {
    match (fallback_line(serve, outcome, Span::ZERO), outcome) {
        (Some((_, line)), _) => said_then(policy, &line.then),
        (None, Outcome::S4xx | Outcome::ContextExceeded | Outcome::ContentFilter) => {
            "stop".to_owned()
        }
        (None, _) => "else".to_owned(),
    }
}

/// Members with the part that each gets while all are well.
fn members(policy: &Policy, tier: &Tier) -> String {
    let all: u64 = tier
        .members
        .iter()
        .map(|member| u64::from(member.weight))
        .sum();
    let weighted = matches!(tier.pick, Pick::Weighted | Pick::RoundRobin | Pick::Hash(_));
    let mut members: Vec<String> = tier
        .members
        .iter()
        .map(|member| {
            let name = name(policy, member.target);
            if weighted && tier.members.len() > 1 {
                format!("{name} {}", percent(member.weight.into(), all))
            } else {
                name.to_owned()
            }
        })
        .collect();
    // Their order says nothing.
    members.sort_unstable();
    let pick = match &tier.pick {
        Pick::Weighted => String::new(),
        Pick::RoundRobin => " by round_robin".to_owned(),
        Pick::LeastBusy => " by least_busy".to_owned(),
        Pick::LeastLatency => " by least_latency".to_owned(),
        Pick::Hash(facts) => format!(" by {}", hashed(facts)),
    };
    format!("{}{pick}", members.join(", "))
}

fn hashed(facts: &[StrFact]) -> String {
    let facts: Vec<String> = facts.iter().map(word_of).collect();
    format!("hash({})", facts.join(", "))
}

fn said_then(policy: &Policy, then: &Then) -> String {
    match then {
        Then::Next => "next".to_owned(),
        Then::Stop => "stop".to_owned(),
        Then::Jump(target) => name(policy, *target).to_owned(),
        Then::Reject(reject) => rejection(reject),
    }
}

fn rejection(reject: &Reject) -> String {
    let mut said = format!("reject({}", reject.status);
    if let Some(message) = &reject.message {
        let _ = write!(said, ", {message:?}");
    }
    if let Some(span) = reject.retry_after {
        let _ = write!(said, ", retry_after = {span}");
    }
    said.push(')');
    said
}

fn guarded(policy: &Policy, guard: &Guard) -> String {
    let rules: Vec<String> = guard.stop.iter().map(ToString::to_string).collect();
    format!(
        "against {}, {} over {}, from {} requests",
        route_name(policy, guard.compare),
        rules.join(" or "),
        guard.window,
        guard.min_requests
    )
}

/// What a target is and how it is treated.
pub(super) fn target(policy: &Policy, target: &Target) -> Vec<Word> {
    let mut words = Vec::new();
    let mut say = |what: &str, said: String| words.push((what.to_owned(), said));
    say("model", format!("{:?}", target.model));
    let times = target.timeouts;
    say("connect_timeout", times.connect.to_string());
    say(
        "head_timeout",
        times.head.map_or_else(String::new, |head| head.to_string()),
    );
    say("ttft_timeout", times.ttft.to_string());
    say("idle_timeout", times.idle.to_string());
    say(
        "max_inflight",
        match target.max_inflight {
            None => "unbounded".to_owned(),
            Some(MaxInflight::Fixed(most)) => most.to_string(),
            Some(MaxInflight::Auto(range)) => format!("auto({}..{})", range.least, range.most),
        },
    );
    say(
        "max_queue",
        target.queue.map_or_else(
            || "0".to_owned(),
            |queue| format!("{} for {}", queue.max, queue.wait),
        ),
    );
    say("price input", price(target.price_in));
    say("price output", price(target.price_out));
    say(
        "context",
        format!("{:?} {:?}", target.context, target.max_output),
    );
    say("caps", format!("{:?} {:?}", target.caps, target.lacks));
    health(policy, target, &mut words);
    provider(policy, target, &mut words);
    words
}

/// When it is given up, and asked again.
fn health(policy: &Policy, target: &Target, words: &mut Vec<Word>) {
    let mut say = |what: &str, said: String| words.push((what.to_owned(), said));
    if let Some(breaker) = policy.breakers.get(target.breaker.index()) {
        say(
            "window",
            format!("{}, {} requests", breaker.window, breaker.min_requests),
        );
        say("count", outcomes(breaker.count.iter()));
        say(
            "error_rate",
            breaker
                .error_rate
                .map_or_else(String::new, |part| percent(part.into(), 1_000_000)),
        );
        say(
            "consecutive",
            breaker
                .consecutive
                .map_or_else(String::new, |count| count.to_string()),
        );
        say("slow", format!("{:?}", breaker.slow));
        say("cool_down", range(breaker.cool_down));
        say(
            "half_open",
            format!(
                "{} probes, {} needed, {}, {:?} each {}",
                breaker.probes,
                breaker.need,
                percent(breaker.share.into(), 1_000_000),
                breaker.ramp.steps(),
                breaker.step
            ),
        );
        say(
            "scope",
            if breaker.per_core { "core" } else { "shared" }.to_owned(),
        );
        say(
            "throttle",
            format!("{} {}", breaker.obey_retry_after, breaker.throttle_max),
        );
    }
    if let Some(retries) = policy.retries.get(target.retries.index()) {
        say(
            "retries",
            format!(
                "{}, {}, {}/s, {}",
                retries.max,
                percent(retries.budget.into(), 1_000_000),
                retries.floor_per_s,
                range(retries.backoff)
            ),
        );
    }
}

fn provider(policy: &Policy, target: &Target, words: &mut Vec<Word>) {
    let mut say = |what: &str, said: String| words.push((what.to_owned(), said));
    if let Some(provider) = policy.providers.get(target.provider.index()) {
        say("kind", format!("{:?}", provider.kind));
        say(
            "region",
            provider.region.as_deref().unwrap_or_default().to_owned(),
        );
        say("failure_domain", provider.failure_domain.to_string());
        say("trains_on_data", provider.trains_on_data.to_string());
        say("count_streams", provider.count_streams.to_string());
        let endpoints = provider.endpoints.iter();
        let endpoints: Vec<String> = endpoints
            .map(|at| format!("{}:{}{}", at.host, at.port, at.base_path))
            .collect();
        say("endpoints", endpoints.join(", "));
        say("tls", format!("{:?}", provider.tls));
        say("keys", {
            let secrets = provider.auth.secrets().iter();
            let secrets: Vec<String> = secrets.map(|secret| secret.source.to_string()).collect();
            format!("{} {}", secrets.join(", "), provider.auth.pick().as_str())
        });
        say("health", format!("{:?}", provider.health));
        let rules = provider.classify.iter();
        let rules: Vec<String> = rules
            .map(|rule| format!("{:?} {}", rule.when, rule.outcome))
            .collect();
        say("classify", rules.join("; "));
    }
}

/// What is said of the gateway itself.
pub(super) fn gateway(policy: &Policy) -> Vec<Word> {
    let server = &policy.server;
    let mut words: Vec<Word> = [
        ("listen", server.listen.to_string()),
        ("admin", server.admin.to_string()),
        ("cores", format!("{:?}", server.cores)),
        ("body_max", server.body_max.to_string()),
        ("bounds", format!("{:?}", server.bounds)),
        ("drain", server.drain.to_string()),
        ("anonymous", server.anonymous.to_string()),
        (
            "tls",
            server.tls.as_ref().map_or_else(String::new, |tls| {
                format!("{} {}", tls.cert.source, tls.key.source)
            }),
        ),
        ("telemetry", format!("{:?}", policy.telemetry)),
    ]
    .map(|(what, said)| (what.to_owned(), said))
    .into();
    let aliases = policy.aliases.iter();
    words.extend(aliases.map(|alias| (format!("alias {:?}", alias.from), alias.to.to_string())));
    words
}

fn price(micro: Option<u64>) -> String {
    micro.map_or_else(
        || "unknown".to_owned(),
        |micro| format!("${}.{:06}/Mtok", micro / 1_000_000, micro % 1_000_000),
    )
}

fn outcomes(of: impl Iterator<Item = Outcome>) -> String {
    of.map(Outcome::as_str).collect::<Vec<_>>().join(", ")
}

fn range((low, high): (Span, Span)) -> String {
    format!("{low}..{high}")
}

/// A part of a whole, with up to two places behind the point.
/// When a pool spills.
fn spill_words(spill: &Spill) -> String {
    let full = spill.saturation;
    let full = full.map(|part| format!("saturation > {}", percent(part.into(), 1_000_000)));
    let slow = spill.slow.iter().map(ToString::to_string);
    let rules: Vec<String> = full.into_iter().chain(slow).collect();
    rules.join(" or ")
}

fn percent(part: u64, whole: u64) -> String {
    let hundredths = part.saturating_mul(10_000).checked_div(whole).unwrap_or(0);
    match (hundredths / 100, hundredths % 100) {
        (whole, 0) => format!("{whole}%"),
        (whole, rest) => format!("{whole}.{rest:02}%"),
    }
}
