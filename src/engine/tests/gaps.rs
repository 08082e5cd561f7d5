//! Latency rules about gaps: a stream is one sample, its longest gap.

use crate::base::{Outcome, Span};
use crate::engine::tests::world::{SECOND, Setup, World, breaker, target};
use crate::engine::{Rule, State};
use crate::policy::model::{Breaker, Measure, PromptSize, SlowRule};

/// Opens when more than 30 % are beyond a second.
const fn rule(measure: Measure) -> SlowRule {
    SlowRule {
        measure,
        prompts: None,
        percentile: 700_000,
        limit: SECOND,
    }
}

fn world(rules: Breaker) -> World {
    Setup {
        breaker: rules,
        ..Setup::default()
    }
    .build()
}

/// Enough streams to be judged by, each with a gap of two seconds; and the tick that judges.
fn hesitate(world: &mut World) {
    for _ in 0..20 {
        let mut chain = world.chain();
        world.attempt(&mut chain, 0);
        world.content(&mut chain, 0);
        chain.gap(Span::from_secs(2));
        world.end(&mut chain, 0, Outcome::Ok);
    }
    world.pass(Span::from_millis(100));
}

#[test]
fn a_stream_counts_once_by_its_longest_gap() {
    let rules = Breaker {
        error_rate: None,
        consecutive: None,
        slow: vec![rule(Measure::Gap)],
        ..breaker()
    };
    let (quick, long) = (Span::from_millis(20), Span::from_millis(1_001));
    // A stream with a thousand gaps, one of which may be too long, and how it ends; of 20 streams so many are like it, which
    // is more than 30 % if they count.
    for (longest, end, like_it, opens) in [
        (long, Some(Outcome::Ok), 6, false),
        (long, Some(Outcome::Ok), 7, true),
        (SECOND, Some(Outcome::Ok), 20, false),
        (Span::MAX, Some(Outcome::Timeout), 7, true),
        (long, Some(Outcome::StreamAbort), 7, true),
        (long, None, 7, true),
    ] {
        let mut world = world(rules.clone());
        for i in 0..20 {
            let mut chain = world.chain();
            assert_eq!(world.attempt(&mut chain, 0).target, target('a'));
            world.content(&mut chain, 0);
            for _ in 0..1_000 {
                chain.gap(quick);
            }
            let slow = i < like_it;
            chain.gap(if slow { longest } else { quick });
            chain.gap(quick);
            let end = if slow { end } else { Some(Outcome::Ok) };
            match end {
                Some(outcome) => world.end(&mut chain, 0, outcome),
                None => world.abandon(&mut chain, 0),
            }
        }
        world.pass(Span::from_millis(100));
        let status = world.status('a');
        assert_eq!(
            status.state == State::Open,
            opens,
            "{like_it} end in {end:?}"
        );
        assert!(!opens || status.why == Some(Rule::Slow(Measure::Gap, 0, PromptSize::Long)));
        assert!(!opens || status.why.map(Rule::as_str) == Some("gap"));
    }
}

#[test]
fn streams_that_are_cut_before_they_are_slow_say_nothing_about_gaps() {
    let rules = Breaker {
        min_requests: 7,
        error_rate: None,
        consecutive: None,
        slow: vec![rule(Measure::Gap)],
        ..breaker()
    };
    let mut world = world(rules);
    let mut stream = |gap, end| {
        let mut chain = world.chain();
        world.attempt(&mut chain, 0);
        world.content(&mut chain, 0);
        chain.gap(gap);
        match end {
            Some(outcome) => world.end(&mut chain, 0, outcome),
            None => world.abandon(&mut chain, 0),
        }
        world.pass(Span::from_millis(100));
        world.status('a').state
    };
    // Were they well, the seven that follow would be too few among them.
    for end in [None, Some(Outcome::StreamAbort), Some(Outcome::Timeout)] {
        for _ in 0..20 {
            assert_eq!(stream(SECOND, end), State::Closed);
        }
    }
    for _ in 0..6 {
        assert_eq!(stream(Span::from_secs(2), None), State::Closed);
    }
    assert_eq!(stream(Span::from_secs(2), None), State::Open);
}

#[test]
fn a_rule_about_gaps_and_one_about_ttft_do_not_mix() {
    for (measures, opened_by) in [
        (vec![Measure::Ttft], None),
        (
            vec![Measure::Gap],
            Some(Rule::Slow(Measure::Gap, 0, PromptSize::Long)),
        ),
        (
            vec![Measure::Ttft, Measure::Gap],
            Some(Rule::Slow(Measure::Gap, 1, PromptSize::Long)),
        ),
    ] {
        let mut world = world(Breaker {
            slow: measures.into_iter().map(rule).collect(),
            ..breaker()
        });
        hesitate(&mut world);
        assert_eq!(world.status('a').why, opened_by);
    }
}

#[test]
fn after_a_rule_about_gaps_a_probe_with_one_is_no_cure() {
    for (gap, state) in [
        (SECOND, State::Ramp),
        (Span::from_millis(1_001), State::Open),
    ] {
        let mut world = world(Breaker {
            slow: vec![rule(Measure::Gap)],
            need: 1,
            ..breaker()
        });
        hesitate(&mut world);
        world.pass(Span::from_secs(17));
        assert_eq!(world.status('a').state, State::HalfOpen);
        // Only a part of the requests is drawn as probes.
        let mut probe = loop {
            let mut chain = world.chain();
            if world.attempt(&mut chain, 0).probe {
                break chain;
            }
            world.end(&mut chain, 0, Outcome::Ok);
        };
        world.content(&mut probe, 0);
        probe.gap(gap);
        world.end(&mut probe, 0, Outcome::Ok);
        assert_eq!(world.status('a').state, state);
    }
}
