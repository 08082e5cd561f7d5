//! A provider with several endpoints, some of which are dead or ill: what that may cost while a neighbour lives.

use switchover::base::{ProviderId, Span};
use switchover::ops::Count;
use switchover::sim::world::{Arrivals, Fault, Spell, Who};

use crate::sim::incident::{Incident, at};

/// Three endpoints, and nobody beside them.
const THREE: &str = r#"
policy 1
provider main {
  kind = vllm, auth = bearer(env("MAIN")), tls = off
  endpoints = ["http://a.test", "http://b.test", "http://c.test"]
  model m = "model"
}
breaker patient { min_requests = 10, open when error_rate > 60% }
retries often { max = 1, budget = 100%, floor = 10/s, backoff = 10ms..100ms }
defaults { breaker = patient, retries = often }
route default {
  tier 1 { main.m }
  fallback { on any -> next, else -> reject(503) }
}
"#;

fn ill(endpoint: u16, fault: Fault, since: u64) -> Spell {
    let who = Who::Endpoint(ProviderId(0), endpoint);
    Spell::always(who, fault, at(since), at(60))
}

#[test]
fn dead_endpoints_cost_time_and_no_attempt_while_one_lives() {
    for (fault, longest) in [
        (Fault::Refused, 2 * 2),
        (Fault::NoAddress, 2 * 2),
        (Fault::Tls, 2 * 2),
        // Each has a third of the built-in second, and a beat.
        (Fault::BlackHole, 2 * (333 + 5)),
    ] {
        for alive in 0..3 {
            let dead = (0..3).filter(|&endpoint| endpoint != alive);
            // From the beginning, so that no connection rests that nobody answers any more.
            let report = Incident {
                policy: THREE,
                spells: dead.map(|endpoint| ill(endpoint, fault, 0)).collect(),
                arrivals: Arrivals::Poisson(Span::from_millis(200)),
                seconds: 70,
                ..Incident::default()
            }
            .run(u64::from(alive));
            let main = &report.targets[0];
            assert_eq!((main.failed, main.opened), (0, 0), "{fault:?} {alive}");
            assert_eq!(report.totals.of(Count::Answered), report.clients.asked);
            // What a whole answer takes of these providers at most.
            let longest = Span::from_millis(100 + longest);
            let slowest = report.clients.slowest_answer;
            assert!(slowest <= longest, "{fault:?} {alive}: {slowest}");
        }
    }
}

#[test]
fn an_endpoint_that_is_gone_among_others_fails_what_was_under_way_and_nothing_else() {
    let report = Incident {
        policy: THREE,
        spells: vec![ill(0, Fault::Gone, 10), ill(2, Fault::Gone, 10)],
        arrivals: Arrivals::Poisson(Span::from_millis(20)),
        seconds: 70,
        ..Incident::default()
    }
    .run(3);
    let main = &report.targets[0];
    let later = main.failed_since.iter().filter(|&&since| since >= at(10));
    assert_eq!((later.count(), main.opened), (0, 0));
}

#[test]
fn whoever_is_asked_again_is_asked_at_another_endpoint() {
    for fault in [Fault::Status(500), Fault::ResetAtOnce, Fault::Page(502)] {
        let report = Incident {
            policy: THREE,
            spells: vec![ill(1, fault, 10)],
            arrivals: Arrivals::Poisson(Span::from_millis(200)),
            seconds: 70,
            ..Incident::default()
        }
        .run(4);
        let main = &report.targets[0];
        assert!(main.failed > 50 && main.repeats == main.failed, "{main:?}");
        assert_eq!(report.clients.errors + report.clients.cut, 0, "{fault:?}");
    }
}
