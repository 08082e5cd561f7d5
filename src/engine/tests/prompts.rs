//! Times to the first content and the prompts that they were for.

use super::world::{SECOND, Setup, World, breaker};
use crate::base::{Outcome, Span};
use crate::engine::{Rule, State};
use crate::policy::model::PromptSize::{Long, Medium, Short};
use crate::policy::model::{Breaker, Measure, PromptSize, SlowRule};

/// `open when p95(ttft) > 1s` and its like; nothing else opens it.
fn world(prompts: Option<PromptSize>) -> World {
    Setup {
        breaker: Breaker {
            min_requests: 20,
            error_rate: None,
            consecutive: None,
            slow: vec![SlowRule {
                measure: Measure::Ttft,
                prompts,
                percentile: 950_000,
                limit: SECOND,
            }],
            need: 1,
            ..breaker()
        },
        ..Setup::default()
    }
    .build()
}

/// So many requests with such a prompt, answered after so long. Time stands still for the window.
fn ask(world: &mut World, requests: u32, prompt: PromptSize, ttft: Span) {
    for _ in 0..requests {
        let mut chain = world.chain().with_prompt(prompt);
        world.attempt(&mut chain, 0);
        let begun = world.now;
        world.now = begun + ttft;
        world.content(&mut chain, 0);
        world.end(&mut chain, 0, Outcome::Ok);
        world.now = begun;
    }
}

/// How many, with which prompt, answered after how long.
type Asked = (u32, PromptSize, Span);

const QUICK: Span = Span::from_millis(900);
const SLOW: Span = Span::from_millis(1_001);

#[test]
fn slow_means_slow_at_any_size() {
    let opened = |up_to| Some(Rule::Slow(Measure::Ttft, 0, up_to));
    let cases: [(&str, &[Asked], Option<Rule>); 9] = [
        (
            "a wave of long prompts",
            &[(100, Short, QUICK), (900, Long, SLOW)],
            None,
        ),
        (
            "the same without enough short ones to tell",
            &[(19, Short, QUICK), (900, Long, SLOW)],
            opened(Long),
        ),
        (
            "short and medium ones tell together",
            &[(10, Short, QUICK), (10, Medium, QUICK), (900, Long, SLOW)],
            None,
        ),
        (
            "a brownout",
            &[(100, Short, SLOW), (10, Medium, SLOW), (900, Long, SLOW)],
            opened(Short),
        ),
        (
            "a brownout of which few are short",
            &[(5, Short, SLOW), (15, Medium, SLOW), (900, Long, SLOW)],
            opened(Medium),
        ),
        (
            "two short ones among many that are well",
            &[(18, Short, QUICK), (2, Short, SLOW), (900, Long, QUICK)],
            None,
        ),
        (
            "short ones alone",
            &[(94, Short, QUICK), (6, Short, SLOW)],
            opened(Short),
        ),
        (
            "short ones alone, within the limit",
            &[(95, Short, QUICK), (5, Short, SLOW)],
            None,
        ),
        (
            "too few of all of them",
            &[(6, Short, SLOW), (6, Medium, SLOW), (7, Long, SLOW)],
            None,
        ),
    ];
    for (case, asked, why) in cases {
        let mut world = world(None);
        for &(requests, prompt, ttft) in asked {
            ask(&mut world, requests, prompt, ttft);
        }
        world.pass(Span::from_millis(100));
        assert_eq!(world.status('a').why, why, "{case}");
    }
}

#[test]
fn a_rule_for_prompts_of_a_size_hears_of_no_others() {
    for prompts in PromptSize::ALL {
        let mut world = world(Some(prompts));
        for other in PromptSize::ALL.into_iter().filter(|&it| it != prompts) {
            ask(&mut world, 100, other, SLOW);
        }
        ask(&mut world, 19, prompts, SLOW);
        world.pass(Span::from_millis(100));
        assert_eq!(world.status('a').state, State::Closed, "{prompts:?}");
        ask(&mut world, 1, prompts, QUICK);
        world.pass(Span::from_millis(100));
        let why = Some(Rule::Slow(Measure::Ttft, 0, prompts));
        assert_eq!(world.status('a').why, why);
    }
}

#[test]
fn a_probe_with_a_longer_prompt_than_decided_may_be_slow() {
    for (prompts, up_to, probe, cured) in [
        (None, Short, Short, false),
        (None, Short, Long, true),
        (None, Medium, Short, false),
        (None, Medium, Medium, false),
        (None, Medium, Long, true),
        (None, Long, Long, false),
        (Some(Long), Long, Long, false),
        (Some(Long), Long, Short, true),
    ] {
        let mut world = world(prompts);
        ask(&mut world, 20, up_to, SLOW);
        world.pass(Span::from_millis(100));
        assert_eq!(world.status('a').state, State::Open);
        world.pass(Span::from_secs(17));
        assert_eq!(world.status('a').state, State::HalfOpen);
        // Only a part of the requests is drawn as probes.
        let mut chain = loop {
            let mut chain = world.chain().with_prompt(probe);
            if world.attempt(&mut chain, 0).probe {
                break chain;
            }
            world.end(&mut chain, 0, Outcome::Ok);
        };
        world.pass(SLOW);
        world.content(&mut chain, 0);
        world.end(&mut chain, 0, Outcome::Ok);
        let after = if cured { State::Ramp } else { State::Open };
        let case = format!("{prompts:?} up to {up_to:?}, then {probe:?}");
        assert_eq!(world.status('a').state, after, "{case}");
    }
}

#[test]
fn a_client_that_leaves_counts_for_the_rules_about_its_prompt() {
    for (prompt, state) in [(Long, State::Open), (Short, State::Closed)] {
        let mut world = world(Some(Long));
        for _ in 0..20 {
            let mut chain = world.chain().with_prompt(prompt);
            world.attempt(&mut chain, 0);
            let begun = world.now;
            world.now = begun + SLOW;
            world.abandon(&mut chain, 0);
            world.now = begun;
        }
        world.pass(Span::from_millis(100));
        assert_eq!(world.status('a').state, state);
    }
}

#[test]
fn a_prompt_is_as_long_as_its_body() {
    for (bytes, size) in [
        (0, Short),
        (16 << 10, Short),
        ((16 << 10) + 1, Medium),
        (128 << 10, Medium),
        ((128 << 10) + 1, Long),
        (u64::MAX, Long),
    ] {
        assert_eq!(PromptSize::of_body(bytes), size, "{bytes}");
    }
}
