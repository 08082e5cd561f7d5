//! Numbers and events in words, for people.

use crate::base::{ProviderId, RouteId, Span, TargetId};
use crate::engine::State;
use crate::policy::Policy;
use crate::policy::drill::{Drill, Injection};

use super::record::Event;

/// A moment of a rehearsal: minutes, seconds and tenths.
pub fn clock(at: Span) -> String {
    let tenths = at.as_millis() / 100;
    let (minutes, tenths) = (tenths / 600, tenths % 600);
    format!("{minutes}:{:02}.{}", tenths / 10, tenths % 10)
}

/// A length of time in seconds and tenths.
pub(super) fn seconds(span: Span) -> String {
    let tenths = span.as_millis().saturating_add(50) / 100;
    format!("{}.{} s", tenths / 10, tenths % 10)
}

/// Parts per million as a percentage with two decimals, rounded down.
pub fn part(ppm: u64) -> String {
    format!("{}.{:02} %", ppm / 10_000, ppm % 10_000 / 100)
}

/// Nano-dollars, in dollars and hundredths of cents.
pub fn cost(nanos: u128) -> String {
    let parts = nanos.saturating_add(50_000) / 100_000;
    format!("${}.{:04}", parts / 10_000, parts % 10_000)
}

/// What happened: a word for it, and to whom.
pub fn event(policy: &Policy, drill: &Drill, event: &Event) -> (&'static str, String) {
    match event {
        Event::Injected(index) => ("injected", injection(drill, *index)),
        Event::Lifted(index) => ("lifted", injection(drill, *index)),
        Event::Breaker {
            target,
            core,
            from,
            to,
            why,
            until,
        } => {
            let core = core.map_or(String::new(), |core| format!(" on core {core}"));
            let detail = match (to, why, until) {
                (State::Open, Some(why), Some(until)) => {
                    let why = if *from == State::HalfOpen {
                        "a probe failed"
                    } else {
                        why.as_str()
                    };
                    format!(" ({why}), until {}", clock(*until))
                }
                _ => String::new(),
            };
            let name = target_name(policy, *target);
            (word_of(*to), format!("{name}{core}{detail}"))
        }
        Event::Key { provider, key, out } => {
            let name = provider_name(policy, *provider);
            match out {
                Some(why) => ("key out", format!("{name}.keys[{key}] ({why})")),
                None => ("key back", format!("{name}.keys[{key}]")),
            }
        }
        Event::Endpoint {
            provider,
            endpoint,
            up,
        } => {
            let word = if *up { "up" } else { "down" };
            (
                word,
                format!("{}[{endpoint}]", provider_name(policy, *provider)),
            )
        }
        Event::Guard { route, rule } => {
            let name = route_name(policy, *route);
            match rule {
                Some(rule) => ("withdrawn", format!("route {name} ({rule})")),
                None => ("resumed", format!("route {name}")),
            }
        }
        Event::Aborted(index) => {
            let abort = drill.aborts.get(*index);
            ("aborted", abort.map_or("?", |abort| &abort.text).to_owned())
        }
    }
}

const fn word_of(state: State) -> &'static str {
    match state {
        State::Open => "opened",
        State::HalfOpen => "half-open",
        State::Ramp => "ramp",
        State::Closed => "closed",
    }
}

fn injection(drill: &Drill, index: usize) -> String {
    let Some(Injection {
        name, fault, share, ..
    }) = drill.injections.get(index)
    else {
        return "?".to_owned();
    };
    let share = match share {
        1_000_000 => String::new(),
        share => format!(", share = {}%", f64::from(*share) / 10_000.0),
    };
    format!("{name} {{ {fault}{share} }}")
}

fn target_name(policy: &Policy, target: TargetId) -> &str {
    let target = policy.targets.get(target.index());
    target.map_or("?", |target| &target.name)
}

fn provider_name(policy: &Policy, provider: ProviderId) -> &str {
    let provider = policy.providers.get(provider.index());
    provider.map_or("?", |provider| &provider.name)
}

fn route_name(policy: &Policy, route: RouteId) -> &str {
    let route = policy.routes.get(route.index());
    route.map_or("?", |route| &route.name)
}
