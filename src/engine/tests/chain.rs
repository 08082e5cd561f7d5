//! Chains as scripts: `a s5xx, b timeout, c ok => stop`.
//!
//! A step is the target that must be asked and how it ends: an outcome, with `/2s` for a `Retry-After` and `+3s` for the
//! time that it takes. `wait` is a pause that must be asked for, and is waited for. After `=>` comes the end: `stop`, or
//! `reject STATUS REASON`, with `in 15s` for the hint (to the second, upwards).

use crate::base::{Moment, Outcome, OutcomeSet, Span};
use crate::engine::tests::world::{MS, SECOND, Setup, World, name, reject, target};
use crate::engine::{Chain, Finish, PassedOver, Step};
use crate::policy::model::{MaxInflight, Otherwise, Pick, Retries, Then, Trigger};

fn check(world: &mut World, script: &str) {
    let mut chain = world.chain();
    let (steps, end) = script.split_once("=>").unwrap();
    for step in steps
        .split(',')
        .map(str::trim)
        .filter(|step| !step.is_empty())
    {
        let got = world.next(&mut chain, 0);
        if step == "wait" {
            let Step::Wait(until) = got else {
                panic!("{script}\n{step}: got {got:?}")
            };
            assert!(until >= world.now && until < chain.deadline(), "{script}");
            world.now = until;
            continue;
        }
        let Step::Attempt(attempt) = got else {
            panic!("{script}\n{step}: got {got:?}")
        };
        let (who, how) = step.split_once(' ').unwrap();
        assert_eq!(name(attempt.target).to_string(), who, "{script}\n{step}");
        assert!(attempt.content_by <= attempt.deadline && attempt.connect_by <= attempt.deadline);
        assert!(attempt.deadline <= chain.deadline());
        let (how, takes) = how.split_once('+').unwrap_or((how, "0ms"));
        let (how, hint) = how.split_once('/').unwrap_or((how, ""));
        world.now = world.now + span(takes);
        let outcome = Outcome::from_word(how).unwrap();
        if outcome == Outcome::Ok {
            world.content(&mut chain, 0);
        }
        let hint = (!hint.is_empty()).then(|| span(hint));
        world.end_after(&mut chain, 0, outcome, hint);
    }
    let end = end.trim();
    let got = world.finish(&mut chain, 0);
    assert_eq!(text(got), end, "{script}");
}

fn text(finish: Finish) -> String {
    match finish {
        Finish::Stop => "stop".to_owned(),
        Finish::Reject {
            status,
            retry_after,
            reason,
            ..
        } => {
            let hint = retry_after.map(|span| format!(" in {}s", span.as_secs_ceil()));
            format!(
                "reject {status} {}{}",
                reason.as_str(),
                hint.unwrap_or_default()
            )
        }
    }
}

/// The end of a request that only breakers stand in the way of: the hint is the soonest of theirs.
fn refused(world: &World, names: &[char]) -> String {
    let soonest = names
        .iter()
        .map(|&name| world.status(name).until.unwrap())
        .min()
        .unwrap();
    let hint = soonest.since(world.now).as_secs_ceil();
    assert!((13..=17).contains(&hint));
    format!("=> reject 503 breaker_open in {hint}s")
}

fn span(text: &str) -> Span {
    match text.strip_suffix("ms") {
        Some(ms) => Span::from_millis(ms.parse().unwrap()),
        None => Span::from_secs(text.strip_suffix('s').unwrap().parse().unwrap()),
    }
}

fn on(outcome: Outcome) -> Trigger {
    Trigger::Outcomes(OutcomeSet::EMPTY.with(outcome))
}

fn retries(max: u8) -> Retries {
    Retries {
        max,
        ..Setup::default().retries
    }
}

fn chain_of(tiers: usize) -> Setup {
    Setup {
        tiers: vec![(Pick::Weighted, vec![1]); tiers],
        ..Setup::default()
    }
}

#[test]
fn failover_walks_the_tiers() {
    for script in [
        "a ok => stop",
        "a s5xx, b timeout+8s, c ok => stop",
        "a connect, b tls, c s5xx => reject 503 s5xx",
        "a s429, b auth_failed, c model_gone => reject 503 model_gone in 2s",
        "a bad_output, b quota_exhausted, c overloaded => reject 503 overloaded",
        // The client's own fault reaches the client, whatever `else` says.
        "a s4xx => stop",
        "a s5xx, b context_exceeded => stop",
        "a content_filter => stop",
        // What nobody's format can say as well; one that failed otherwise may have been able to.
        "a unsupported, b unsupported, c unsupported => stop",
        "a unsupported, b ok => stop",
        "a unsupported, b s5xx, c unsupported => reject 503 unsupported",
    ] {
        check(&mut chain_of(3).build(), script);
    }
}

#[test]
fn lines_are_tried_top_down() {
    let setup = || Setup {
        spare: 1,
        fallback: vec![
            (on(Outcome::ContextExceeded), Then::Jump(target('c'))),
            (on(Outcome::ContentFilter), Then::Stop),
            (on(Outcome::AuthFailed), Then::Reject(reject(502))),
            (on(Outcome::S5xx), Then::Next),
            (on(Outcome::BreakerOpen), Then::Jump(target('c'))),
            (on(Outcome::S5xx), Then::Stop),
        ],
        ..Setup::default()
    };
    for script in [
        "a context_exceeded, c ok => stop",
        "a context_exceeded, c context_exceeded => stop",
        "a content_filter => stop",
        "a auth_failed => reject 502 auth_failed",
        "a s5xx, b s5xx => reject 503 s5xx",
        "a connect => reject 503 connect",
        "a context_exceeded, c s5xx, b ok => stop",
    ] {
        check(&mut setup().build(), script);
    }
    let mut world = setup().build();
    world.open('a');
    world.open('b');
    check(&mut world, "c ok => stop");
    world.open('c');
    let end = refused(&world, &['a', 'b']);
    check(&mut world, &end);
    let stopping = Setup {
        otherwise: Otherwise::Stop,
        fallback: Vec::new(),
        ..Setup::default()
    };
    let mut world = stopping.build();
    check(&mut world, "a s5xx => stop");
    // Nobody is left, and the last answer is there to stop at.
    let everywhere = Setup {
        otherwise: Otherwise::Stop,
        ..chain_of(2)
    };
    check(&mut everywhere.build(), "a s5xx, b connect => stop");
    world.open('a');
    world.open('b');
    let end = refused(&world, &['a', 'b']);
    check(&mut world, &end);
}

#[test]
fn what_did_not_fit_is_sent_to_larger_windows_only() {
    let setup = |windows: &[Option<u64>]| Setup {
        windows: windows.to_vec(),
        fallback: vec![
            (on(Outcome::ContextExceeded), Then::Next),
            (Trigger::Outcomes(OutcomeSet::ANY), Then::Next),
        ],
        ..chain_of(windows.len())
    };
    let (small, large, unknown) = (Some(32_000), Some(200_000), None);
    for (windows, script) in [
        (
            &[small, small, large][..],
            "a context_exceeded, c ok => stop",
        ),
        (&[large, small, large], "a context_exceeded => stop"),
        (&[small, unknown, small], "a context_exceeded, b ok => stop"),
        (
            &[unknown, small, large],
            "a context_exceeded, b context_exceeded, c ok => stop",
        ),
        (
            &[small, large, small],
            "a context_exceeded, b context_exceeded => stop",
        ),
        // The size of windows says nothing where something else is wrong.
        (&[small, small, large], "a s5xx, b ok => stop"),
        (&[large, small, small], "a s5xx, b context_exceeded => stop"),
    ] {
        check(&mut setup(windows).build(), script);
    }
    let mut world = setup(&[large, small, large]).build();
    let mut chain = world.chain();
    world.attempt(&mut chain, 0);
    world.end(&mut chain, 0, Outcome::ContextExceeded);
    assert_eq!(world.finish(&mut chain, 0), Finish::Stop);
    assert_eq!(chain.passed_over(1), Some(PassedOver::TooSmall));
}

#[test]
fn attempts_are_bounded() {
    check(
        &mut Setup {
            attempts_max: 2,
            ..chain_of(3)
        }
        .build(),
        "a s5xx, b s5xx => reject 503 s5xx",
    );
    check(
        &mut Setup {
            attempts_max: 200,
            ..chain_of(9)
        }
        .build(),
        "a s5xx, b s5xx, c s5xx, d s5xx, e s5xx, f s5xx, g s5xx, h s5xx => reject 503 s5xx",
    );
}

#[test]
fn the_same_target_is_the_last_resort() {
    let setup = || Setup {
        retries: retries(2),
        ..chain_of(1)
    };
    for script in [
        "a s5xx, wait, a s5xx, wait, a ok => stop",
        "a s5xx, wait, a connect, wait, a s5xx => reject 503 s5xx",
        // Silence, a dead key and a missing model are not repeated.
        "a timeout+8s => reject 503 timeout",
        "a ttft+8s => reject 503 ttft",
        "a tls => reject 503 tls",
        "a auth_failed => reject 503 auth_failed in 60s",
        "a quota_exhausted => reject 503 quota_exhausted in 300s",
        // A hint is waited for while it is at most a quarter of what is left of the minute.
        "a s429/12s, wait, a ok => stop",
        "a s429/20s => reject 429 s429 in 22s",
        "a s5xx/2s, wait, a ok => stop",
    ] {
        check(&mut setup().build(), script);
    }
    let two = Setup {
        retries: retries(1),
        ..chain_of(2)
    };
    check(
        &mut two.build(),
        "a s5xx, b timeout+8s, wait, a s5xx => reject 503 s5xx",
    );
}

#[test]
fn repeats_are_paid_from_a_budget() {
    let poor = Retries {
        floor_per_s: 1,
        budget: 0,
        ..retries(1)
    };
    let mut world = Setup {
        retries: poor,
        ..chain_of(1)
    }
    .build();
    check(&mut world, "a s5xx, wait, a ok => stop");
    check(&mut world, "a s5xx => reject 503 s5xx");
    world.now = world.now + SECOND;
    check(&mut world, "a s5xx, wait, a ok => stop");
    // Going elsewhere costs nothing.
    let mut world = Setup {
        retries: Retries {
            floor_per_s: 0,
            ..retries(1)
        },
        ..chain_of(2)
    }
    .build();
    for _ in 0..4 {
        check(&mut world, "a s5xx, b ok => stop");
    }
}

#[test]
fn nothing_outlives_the_deadline() {
    let setup = |secs| Setup {
        deadline: Span::from_secs(secs),
        retries: retries(2),
        ..chain_of(2)
    };
    check(&mut setup(10).build(), "a s5xx+10s => reject 504 deadline");
    check(
        &mut setup(10).build(),
        "a s5xx+9950ms, b s5xx => reject 503 s5xx",
    );
    // An attempt leaves the others something.
    let mut world = setup(1).build();
    let mut chain = world.chain();
    let first = world.attempt(&mut chain, 0);
    assert_eq!(first.deadline, chain.deadline() - Span::from_millis(50));
    world.end(&mut chain, 0, Outcome::Connect);
    let second = world.attempt(&mut chain, 0);
    assert_eq!(second.deadline, chain.deadline());
    assert_eq!(second.index, 1);
    world.end(&mut chain, 0, Outcome::Ok);
    // One that usually takes longer than what is left is not begun.
    let mut world = Setup {
        retries: retries(0),
        ..setup(60)
    }
    .build();
    check(&mut world, "a connect, b ok+5s => stop");
    check(&mut world, "a connect+54s, b ok+5s => stop");
    check(&mut world, "a connect+56s => reject 503 connect");
}

#[test]
fn slow_lines_arm_only_where_somebody_else_can_answer() {
    let setup = || Setup {
        fallback: vec![
            (Trigger::Slow(Span::from_millis(800)), Then::Next),
            (on(Outcome::S5xx), Then::Next),
        ],
        ..Setup::default()
    };
    check(&mut setup().build(), "a ttft+800ms, b ok => stop");
    check(&mut setup().build(), "a ttft+799ms => reject 503 ttft");
    let mut world = setup().build();
    let mut chain = world.chain();
    let begun = world.now;
    assert_eq!(
        world.attempt(&mut chain, 0).content_by,
        begun + Span::from_millis(800)
    );
    world.end(&mut chain, 0, Outcome::S5xx);
    assert_eq!(
        world.attempt(&mut chain, 0).content_by,
        begun + Span::from_secs(8)
    );
    world.abandon(&mut chain, 0);
    assert_eq!(world.finish(&mut chain, 0), Finish::Stop);
}

#[test]
fn after_content_nobody_else_answers() {
    let mut world = Setup {
        retries: retries(2),
        ..chain_of(3)
    }
    .build();
    let mut chain = world.chain();
    world.attempt(&mut chain, 0);
    world.content(&mut chain, 0);
    world.end(&mut chain, 0, Outcome::StreamAbort);
    assert!(chain.committed());
    assert_eq!(world.finish(&mut chain, 0), Finish::Stop);
}

#[test]
fn when_nobody_may_be_asked_the_reason_is_told() {
    let mut world = chain_of(2).build();
    world.open('a');
    world.now = world.now + SECOND;
    world.open('b');
    let end = refused(&world, &['a', 'b']);
    check(&mut world, &end);

    let mut world = chain_of(2).build();
    check(
        &mut world,
        "a s429/30s, b s429/10s => reject 429 s429 in 11s",
    );
    check(&mut world, "=> reject 429 s429 in 11s");
    world.open('a');
    check(&mut world, "=> reject 503 breaker_open in 11s");

    let mut world = Setup {
        max_inflight: Some(MaxInflight::Fixed(1)),
        ..chain_of(1)
    }
    .build();
    let mut other = world.chain();
    world.attempt(&mut other, 0);
    check(&mut world, "=> reject 503 overloaded in 1s");
    world.abandon(&mut other, 0);
    check(&mut world, "a ok => stop");

    let mut chain = world.masked(1);
    assert_eq!(text(world.finish(&mut chain, 0)), "reject 503 forbidden");
    assert_eq!(chain.passed_over(0), Some(PassedOver::Forbidden));
}

#[test]
fn a_mask_holds_on_every_attempt_and_jump() {
    let setup = Setup {
        spare: 1,
        fallback: vec![
            (on(Outcome::S4xx), Then::Jump(target('c'))),
            (Trigger::Outcomes(OutcomeSet::ANY), Then::Next),
        ],
        ..Setup::default()
    };
    let mut world = setup.build();
    let mut chain = world.masked(0b110);
    assert_eq!(world.attempt(&mut chain, 0).target, target('a'));
    world.end(&mut chain, 0, Outcome::S4xx);
    assert_eq!(text(world.finish(&mut chain, 0)), "stop");
    let mut chain = world.masked(0b110);
    world.attempt(&mut chain, 0);
    world.end(&mut chain, 0, Outcome::S5xx);
    assert_eq!(text(world.finish(&mut chain, 0)), "reject 503 s5xx");
}

#[test]
fn a_failed_probe_costs_its_client_nothing_but_time() {
    let mut world = chain_of(2).build();
    world.half_open('a');
    let mut probed = 0;
    for _ in 0..200 {
        let mut chain = world.chain();
        let first = world.attempt(&mut chain, 0);
        assert_eq!(first.probe, first.target == target('a'));
        if first.probe {
            probed += 1;
            world.end(&mut chain, 0, Outcome::S5xx);
            assert_eq!(world.attempt(&mut chain, 0).target, target('b'));
        }
        world.end(&mut chain, 0, Outcome::Ok);
    }
    assert_eq!(probed, 1, "one failure and it refuses again");
}

#[test]
fn the_record_holds_what_happened() {
    let mut world = chain_of(3).build();
    world.open('b');
    let mut chain = world.chain();
    world.attempt(&mut chain, 0);
    world.now = world.now + Span::from_millis(5);
    world.end(&mut chain, 0, Outcome::Connect);
    world.attempt(&mut chain, 0);
    world.now = world.now + Span::from_millis(40);
    world.content(&mut chain, 0);
    world.now = world.now + Span::from_millis(55);
    world.end(&mut chain, 0, Outcome::Ok);
    let [first, second] = chain.attempts().collect::<Vec<_>>()[..] else {
        panic!()
    };
    assert_eq!(
        (first.target, first.outcome, first.ttft),
        (target('a'), Some(Outcome::Connect), None)
    );
    assert_eq!(
        (second.started, second.ttft),
        (Span::from_millis(5), Some(Span::from_millis(40)))
    );
    assert_eq!(second.ended, Some(Span::from_millis(100)));
    assert_eq!(chain.passed_over(0), Some(PassedOver::Tried));
    assert_eq!(chain.passed_over(1), Some(PassedOver::BreakerOpen));
    assert_eq!(chain.passed_over(2), None);
    assert_eq!(world.board.latencies(target('c')).count(), 1);
    assert!(size_of_val(&chain) <= 448, "{}", size_of_val(&chain));
}

#[test]
fn a_wait_is_a_wait() {
    let mut world = Setup {
        retries: retries(1),
        ..chain_of(1)
    }
    .build();
    let mut chain = world.chain();
    world.attempt(&mut chain, 0);
    world.end(&mut chain, 0, Outcome::S5xx);
    let Step::Wait(until) = world.next(&mut chain, 0) else {
        panic!()
    };
    let pause = until.since(world.now);
    assert!(
        pause >= Span::from_millis(25) && pause <= Span::from_millis(50),
        "{pause}"
    );
    world.now = until - MS;
    assert_eq!(world.next(&mut chain, 0), Step::Wait(until));
    world.now = until;
    world.attempt(&mut chain, 0);
    world.end(&mut chain, 0, Outcome::Ok);
    assert_eq!(world.finish(&mut chain, 0), Finish::Stop);
    assert!(chain.attempts().next_back().unwrap().repeat);
    assert!(chain.begun() > Moment::START);
}

#[test]
fn a_clients_own_bounds_count_where_they_are_shorter() {
    let mut world = chain_of(2).build();
    let at = |world: &World, secs| world.now + Span::from_secs(secs);
    let reserve = Span::from_millis(50);
    // The whole request.
    let (soon, late) = (at(&world, 4), at(&world, 400));
    let mut chain = world.chain().within(soon, late);
    let attempt = world.attempt(&mut chain, 0);
    assert_eq!((chain.deadline(), attempt.deadline), (soon, soon - reserve));
    world.now = soon;
    world.end(&mut chain, 0, Outcome::Timeout);
    assert_eq!(text(world.finish(&mut chain, 0)), "reject 504 deadline");
    // A longer one changes nothing.
    let late = at(&world, 400);
    let chain = world.chain().within(late, late);
    assert_eq!(chain.deadline(), at(&world, 60));
    // Patience bounds a stream's beginning only.
    let soon = at(&world, 4);
    let mut chain = world.chain().within(Moment::NEVER, soon);
    let attempt = world.attempt(&mut chain, 0);
    assert_eq!(attempt.content_by, soon - reserve);
    assert_eq!(attempt.head_by, soon - reserve);
    assert_eq!(attempt.deadline, at(&world, 60) - reserve);
    world.end(&mut chain, 0, Outcome::Connect);
    let attempt = world.attempt(&mut chain, 0);
    assert_eq!(
        (attempt.content_by, attempt.connect_by.min(soon)),
        (soon, attempt.connect_by)
    );
    world.now = soon;
    world.end(&mut chain, 0, Outcome::Ttft);
    assert_eq!(text(world.finish(&mut chain, 0)), "reject 504 deadline");
}

#[test]
fn going_on_is_for_targets_that_can_and_fallbacks_that_say_so() {
    let go_on = |world: &mut World, chain: &mut Chain, able: char| {
        let core = &mut world.cores[0];
        let attempt = chain.go_on(world.now, &world.plan, core, |one| one == target(able));
        attempt.map(|attempt| name(attempt.target))
    };
    let broken = |world: &mut World, outcome| {
        let mut chain = world.chain();
        world.attempt(&mut chain, 0);
        world.content(&mut chain, 0);
        world.end(&mut chain, 0, outcome);
        chain
    };
    let mut world = chain_of(3).build();
    let mut chain = broken(&mut world, Outcome::StreamAbort);
    assert_eq!(go_on(&mut world, &mut chain, 'a'), None);
    assert_eq!(go_on(&mut world, &mut chain, 'c'), Some('c'));
    world.end(&mut chain, 0, Outcome::Timeout);
    assert_eq!(go_on(&mut world, &mut chain, 'b'), Some('b'));
    world.end(&mut chain, 0, Outcome::Ok);
    assert_eq!(go_on(&mut world, &mut chain, 'b'), None);
    assert!(chain.committed());
    // `any` leaves the client's own fault out.
    let mut chain = broken(&mut world, Outcome::ContentFilter);
    assert_eq!(go_on(&mut world, &mut chain, 'b'), None);
    // The bounds of all attempts.
    let mut world = Setup {
        attempts_max: 1,
        ..chain_of(3)
    }
    .build();
    let mut chain = broken(&mut world, Outcome::StreamAbort);
    assert_eq!(go_on(&mut world, &mut chain, 'b'), None);
    let mut world = chain_of(3).build();
    let mut chain = broken(&mut world, Outcome::StreamAbort);
    world.now = chain.deadline();
    assert_eq!(go_on(&mut world, &mut chain, 'b'), None);
}
