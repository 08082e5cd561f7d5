//! Worlds with a name: what an incident must cost at most. Times are virtual, so that an hour takes no time.

use switchover::base::{Moment, ProviderId, Span, TargetId};
use switchover::ops::Count;
use switchover::sim::world::{
    Arrivals, Crowd, Fault, Hint, Latency, Manners, Nature, Scenario, Spell, Who, World,
};

use crate::sim::incident::{Incident, PAIR, at};
use crate::sim::plan;

const MAIN: Who = Who::Provider(ProviderId(0));
const MILLION: u32 = 1_000_000;

/// From second 10 to second 70.
fn minute(fault: Fault) -> Vec<Spell> {
    vec![Spell::always(MAIN, fault, at(10), at(70))]
}

/// After a minute the built-in cool-down has doubled twice, from 15 s to 60 s, and a tenth; then a tick, a second, and the
/// rarest of the requests below.
const INTERVAL: Span = Span::from_millis(71_100);

#[test]
fn an_outage_of_a_minute_costs_eight_attempts_and_no_request() {
    // A thousand a second are the figure; without optimization that would be a minute of this machine's time.
    let often = if cfg!(debug_assertions) { 20 } else { 1 };
    let beats = [
        (Arrivals::Poisson(Span::from_millis(often)), 1),
        (Arrivals::Poisson(Span::from_millis(100)), 3),
        (Arrivals::Every(Span::from_secs(4)), 10),
    ];
    for (arrivals, seeds) in beats {
        for seed in 0..seeds {
            let report = Incident {
                spells: minute(Fault::Gone),
                arrivals,
                seconds: 144,
                streams: 0,
                ..Incident::default()
            }
            .run(seed);
            let main = &report.targets[0];
            // Those that were under way when it began are no waste of ours.
            let wasted = main
                .failed_since
                .iter()
                .filter(|&&since| since >= at(10))
                .count();
            assert!(wasted <= 8, "{arrivals:?} {seed}: {wasted}");
            assert_eq!(report.clients.errors, 0, "{arrivals:?} {seed}");
            let back = main
                .well_since
                .map_or(Span::MAX, |since| since.since(at(70)));
            assert!(back <= INTERVAL, "{arrivals:?} {seed}: back after {back}");
        }
    }
}

#[test]
fn whatever_the_outage_is_no_client_sees_it() {
    for fault in [
        Fault::Refused,
        Fault::BlackHole,
        Fault::NoAddress,
        Fault::Tls,
        Fault::CloseAtOnce,
        Fault::Status(500),
        Fault::Page(502),
        Fault::Page(200),
        Fault::Empty,
        Fault::ErrorObject,
        Fault::ErrorFirst,
        Fault::Cut(0),
        Fault::Hang,
        Fault::Murmur(0),
        Fault::Hinted(503, Hint::Seconds(86_400)),
    ] {
        let report = Incident {
            spells: minute(fault),
            arrivals: Arrivals::Poisson(Span::from_millis(100)),
            seconds: 40,
            ..Incident::default()
        }
        .run(4);
        assert_eq!(report.clients.errors + report.clients.cut, 0, "{fault:?}");
        assert!(report.totals.of(Count::Failovers) > 0, "{fault:?}");
    }
}

#[test]
fn a_brownout_is_invisible_at_any_share() {
    for share in [50_000, 250_000, 500_000] {
        let report = Incident {
            spells: vec![Spell {
                share,
                ..Spell::always(MAIN, Fault::Status(500), at(10), at(100))
            }],
            arrivals: Arrivals::Poisson(Span::from_millis(40)),
            ..Incident::default()
        }
        .run(5);
        assert_eq!(report.clients.errors, 0, "{share}");
        let opened = report.targets[0].opened;
        // A twentieth is below the threshold of a quarter; a half is not.
        assert!(
            (share > 250_000) == (opened > 0) || share == 250_000,
            "{share}: {opened}"
        );
    }
}

#[test]
fn a_provider_that_flaps_is_not_followed() {
    let report = Incident {
        spells: vec![Spell {
            beat: Span::from_secs(10),
            ..Spell::always(MAIN, Fault::Refused, at(10), at(610))
        }],
        arrivals: Arrivals::Poisson(Span::from_millis(100)),
        seconds: 620,
        ..Incident::default()
    }
    .run(6);
    let main = &report.targets[0];
    // Thirty outages in ten minutes; the cool-down has grown to its longest after four.
    assert!(main.opened <= 12, "{}", main.opened);
    assert!(main.failed <= 12 * 8, "{}", main.failed);
    assert_eq!(report.clients.errors, 0);
}

#[test]
fn a_removed_model_is_left_alone_and_found_again() {
    let report = Incident {
        spells: vec![Spell::always(
            Who::Target(TargetId(0)),
            Fault::ModelGone,
            at(10),
            at(1_000),
        )],
        arrivals: Arrivals::Every(Span::from_millis(250)),
        seconds: 1_320,
        ..Incident::default()
    }
    .run(7);
    let main = &report.targets[0];
    // One request finds out, beside those that were under way; then one each five minutes.
    assert!(main.failed <= 5, "{}", main.failed);
    let back = main.well_since.unwrap().since(at(1_000));
    assert!(back <= Span::from_secs(301), "back after {back}");
    assert_eq!(report.clients.errors, 0);
    assert_eq!(main.opened, 0);
}

#[test]
fn a_revoked_key_costs_one_request_a_minute() {
    let report = Incident {
        spells: minute(Fault::BadKey),
        arrivals: Arrivals::Every(Span::from_millis(100)),
        seconds: 140,
        ..Incident::default()
    }
    .run(8);
    let main = &report.targets[0];
    assert!(main.failed <= 3, "{}", main.failed);
    let back = main.well_since.unwrap().since(at(70));
    assert!(back <= Span::from_secs(61), "back after {back}");
    assert_eq!(report.clients.errors, 0);
    assert_eq!(main.opened, 0);
}

#[test]
fn a_slow_provider_is_left_by_the_latency_rule() {
    let policy = r#"
policy 1
breaker wary {
  window = 10s, min_requests = 10, open when p95(ttft) > 500ms
  cool_down = 5s..20s, half_open { probes = 1, need = 1, share = 5% }
}
defaults { breaker = wary }
provider main {
  kind = openai, base_url = "http://main.test/v1", auth = bearer(env("MAIN")), tls = off
  model m = "model"
}
provider backup {
  kind = mistral, base_url = "http://backup.test/v1", auth = bearer(env("BACKUP")), tls = off
  model m = "model"
}
route default {
  tier 1 { main.m }
  tier 2 { backup.m }
  fallback { on ttft > 800ms -> next, on any -> next, else -> reject(503) }
}
"#;
    let report = Incident {
        policy,
        spells: minute(Fault::LateContent(Span::from_secs(2))),
        arrivals: Arrivals::Poisson(Span::from_millis(10)),
        streams: MILLION,
        seconds: 50,
        ..Incident::default()
    }
    .run(9);
    let main = &report.targets[0];
    assert!(main.opened >= 1);
    // A hundred a second, for the 800 ms of the first of them and the 500 ms until a twentieth of the window is slow; then
    // a tick, and a few probes.
    assert!(main.failed <= 160, "{}", main.failed);
    assert!(report.clients.slowest_answer <= Span::from_millis(1_200));
    assert_eq!(report.clients.errors, 0);
}

/// Nothing but gaps opens these breakers.
const GAPS: &str = r#"
policy 1
breaker wary {
  window = 2s, min_requests = 10, open when slow(gap > 500ms) > 30%
  cool_down = 5s..20s, half_open { probes = 1, need = 1, share = 5% }
}
defaults { breaker = wary, idle_timeout = 400ms }
provider main {
  kind = openai, base_url = "http://main.test/v1", auth = bearer(env("MAIN")), tls = off
  idle_timeout = 5s
  model m = "model"
}
provider backup {
  kind = mistral, base_url = "http://backup.test/v1", auth = bearer(env("BACKUP")), tls = off
  model m = "model"
}
route default {
  tier 1 { main.m }
  tier 2 { backup.m }
  fallback { on any -> next, else -> reject(503) }
}
"#;

#[test]
fn a_provider_that_hesitates_between_words_is_left_and_comes_back() {
    let lived = |seconds| {
        let report = Incident {
            policy: GAPS,
            spells: minute(Fault::LateWords(Span::from_secs(1))),
            streams: MILLION,
            seconds,
            ..Incident::default()
        }
        .run(13);
        assert_eq!(report.clients.errors + report.clients.cut, 0);
        report
    };
    let (within, after) = (lived(68), lived(130));
    let main = &within.targets[0];
    assert!(main.opened >= 1);
    assert_eq!(main.failed, 0, "slow streams are answers all the same");
    // Fifty a second: ten seconds that are well; then the second until a word is late, the few until 30 % of the streams
    // that ended were so, and a tick; then probes.
    assert!(main.attempts <= 500 + 250, "{}", main.attempts);
    // It is half open within the longest cool-down and a tenth, and has all its weight a few seconds later.
    let back = after.targets[0].attempts - main.attempts;
    assert!(back >= 30 * 50, "{back}");
}

#[test]
fn words_that_come_in_time_open_nothing_and_neither_do_slow_readers() {
    for (late, slow) in [(Span::from_millis(450), 0), (Span::ZERO, MILLION)] {
        let plan = plan("gaps", GAPS);
        let models = plan.policy.model_names();
        let crowd = Crowd {
            arrivals: Arrivals::Poisson(Span::from_millis(20)),
            from: Moment::START,
            to: at(20),
            manners: Manners {
                streams: MILLION,
                slow,
                slow_rate: 100,
                ..Manners::polite(models.into_iter().map(str::to_owned).collect())
            },
        };
        let scenario = Scenario {
            cores: 2,
            natures: vec![Nature::default(); 2],
            spells: vec![Spell::always(MAIN, Fault::LateWords(late), at(0), at(60))],
            crowds: vec![crowd],
            errands: Vec::new(),
        };
        let mut world = World::new(&plan, scenario, 14);
        world.run(at(60));
        let report = world.finish();
        assert_eq!(report.broken, None);
        assert!(report.clients.answers > 500, "{}", report.clients.answers);
        assert_eq!(report.targets[0].opened, 0, "{late:?}");
    }
}

#[test]
fn streams_that_fall_silent_open_by_their_gap_whoever_ends_them() {
    // The idle timer, at 400 ms: below the limit, and yet the gap has no end. Or the client, whose patience is longer than
    // the limit and shorter than the timer of `main`.
    let timed = GAPS.replace("  idle_timeout = 5s\n", "");
    for (policy, leave) in [(timed.as_str(), 0), (GAPS, MILLION)] {
        // Comments and empty deltas are silence, too.
        for fault in [Fault::Stall(2), Fault::Murmur(2)] {
            let report = Incident {
                policy,
                spells: minute(fault),
                streams: MILLION,
                leave,
                patience: Latency::Constant(Span::from_secs(1)),
                seconds: 68,
                ..Incident::default()
            }
            .run(15);
            let main = &report.targets[0];
            assert!(main.opened >= 1, "{fault:?} {leave}");
            assert!(main.attempts <= 500 + 250, "{}", main.attempts);
        }
    }
}

#[test]
fn when_all_are_down_clients_are_told_at_once() {
    for fault in [Fault::Refused, Fault::Status(503)] {
        let report = Incident {
            spells: vec![Spell::always(Who::Everyone, fault, at(0), at(30))],
            arrivals: Arrivals::Poisson(Span::from_millis(10)),
            seconds: 30,
            streams: 0,
            ..Incident::default()
        }
        .run(10);
        let clients = &report.clients;
        assert_eq!(clients.answers, 0);
        let (asked, attempts) = (clients.errors, report.totals.of(Count::Attempts));
        assert!(asked > 2_500 && attempts < 100, "{asked} {attempts}");
        assert!(
            clients.hinted > asked - 100,
            "{} of {asked}",
            clients.hinted
        );
        // A request that finds a breaker closed repeats once or twice, 50 to 500 ms later; one that does not waits for
        // nothing, so that the second half of the world is over before its clients blink.
        assert!(clients.slowest_error < Span::from_millis(1_000));
    }
}

#[test]
fn clients_that_storm_out_leave_nothing_behind() {
    for fault in [
        Fault::Hang,
        Fault::BlackHole,
        Fault::Stall(2),
        Fault::NotReading,
        Fault::LateHead(Span::from_millis(30)),
    ] {
        let report = Incident {
            spells: vec![Spell::always(Who::Everyone, fault, at(0), at(60))],
            arrivals: Arrivals::Bursts(200, Span::from_secs(2)),
            seconds: 9,
            leave: MILLION,
            patience: Latency::Uniform(Span::ZERO, Span::from_millis(60)),
            ..Incident::default()
        }
        .run(11);
        assert!(
            report.clients.left > 500,
            "{fault:?}: {}",
            report.clients.left
        );
        // A client that left is nobody's failure.
        assert_eq!(report.targets[0].opened, 0, "{fault:?}");
    }
}

#[test]
fn a_heavy_tail_is_hedged_within_its_allowance() {
    let plain = "tier 1 { main.m }";
    let hedged = "tier 1 { main.m }\n  hedge after 150ms -> backup.m { max_extra = 5% }";
    let lived = |serve: &str| {
        let policy = PAIR.replace("tier 1 { main.m }\n  tier 2 { backup.m }", serve);
        let plan = plan("tail", &policy);
        let models = plan.policy.model_names();
        let crowd = Crowd {
            arrivals: Arrivals::Poisson(Span::from_millis(10)),
            from: Moment::START,
            to: at(30),
            manners: Manners {
                streams: MILLION,
                ..Manners::polite(models.into_iter().map(str::to_owned).collect())
            },
        };
        let slow = Nature {
            // One in a hundred takes more than 1.2 s.
            ttft: Latency::HeavyTail(Span::from_millis(40), 2_200),
            ..Nature::default()
        };
        let scenario = Scenario {
            cores: 2,
            natures: vec![slow],
            spells: Vec::new(),
            crowds: vec![crowd],
            errands: Vec::new(),
        };
        let mut world = World::new(&plan, scenario, 12);
        world.run(at(30));
        let report = world.finish();
        assert_eq!(report.broken, None);
        report
    };
    let (without, with) = (lived(plain), lived(hedged));
    assert!(without.clients.slowest_answer > Span::from_secs(2));
    let (hedges, asked) = (with.totals.of(Count::Hedges), with.clients.asked);
    assert!(
        hedges > 20 && hedges <= asked / 20 + 2,
        "{hedges} of {asked}"
    );
    assert!(with.totals.of(Count::HedgesWon) > hedges / 2);
    assert_eq!(with.clients.errors + with.clients.cut, 0);
}

/// Three keys where `main` had one.
fn pool() -> String {
    PAIR.replace(
        r#"bearer(env("MAIN"))"#,
        r#"keys(env("MAIN_1"), env("MAIN_2"), env("MAIN_3"))"#,
    )
}

#[test]
fn a_key_that_is_revoked_among_others_costs_nothing_but_a_change_of_key() {
    for fault in [
        Fault::BadKey,
        Fault::NoQuota,
        Fault::Denied,
        Fault::Status(429),
    ] {
        let policy = pool();
        let report = Incident {
            policy: &policy,
            spells: vec![Spell::always(
                Who::Key(ProviderId(0), 1),
                fault,
                at(10),
                at(70),
            )],
            arrivals: Arrivals::Poisson(Span::from_millis(50)),
            seconds: 100,
            ..Incident::default()
        }
        .run(13);
        assert_eq!(report.clients.errors, 0, "{fault:?}");
        // The other two take all of it: nobody has to leave the provider.
        assert_eq!(report.targets[1].attempts, 0, "{fault:?}");
        let main = &report.targets[0];
        assert!(
            (1..=12).contains(&main.failed),
            "{fault:?}: {}",
            main.failed
        );
        assert_eq!(main.opened, 0, "{fault:?}");
    }
}

#[test]
fn a_pool_without_a_good_key_is_left_for_the_next_provider() {
    let policy = pool();
    let report = Incident {
        policy: &policy,
        spells: minute(Fault::BadKey),
        arrivals: Arrivals::Poisson(Span::from_millis(50)),
        seconds: 140,
        ..Incident::default()
    }
    .run(14);
    assert_eq!(report.clients.errors, 0);
    let main = &report.targets[0];
    // Three keys are found out twice, by those that were under way and by a test a minute later.
    assert!(main.failed <= 12, "{}", main.failed);
    let back = main.well_since.unwrap().since(at(70));
    assert!(back <= Span::from_secs(61), "back after {back}");
}
