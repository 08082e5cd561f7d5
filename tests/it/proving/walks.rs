//! The live chain, driven at random: whatever it does, the search for all ways has found.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use switchover::base::{Moment, Outcome, RequestId, RouteId, Span, TargetId};
use switchover::engine::ways::{self, Kind, Lens};
use switchover::engine::{Board, Chain, Core, End, Form, Step};
use switchover::policy::model::AttemptFacts;
use switchover::policy::{Facts, KeyFacts, Plan, WallTime};

use super::plans::{self, Chance};

const BEGINNING: Moment = Moment::from_nanos(3_600_000_000_000);

/// An attempt that was made, and how many there were with it.
#[derive(Clone, Copy, Debug)]
struct Made {
    target: TargetId,
    facts: AttemptFacts,
    visits: u8,
}

#[test]
fn all_ways_of_the_chain_are_known() {
    let (mut made, mut later) = (0, BTreeSet::new());
    for seed in 1_000..1_030 {
        let mut chance = Chance::new(seed);
        let Some((plan, text)) = plans::plan(&mut chance) else {
            continue;
        };
        for _ in 0..6 {
            let stream = chance.one_in(2);
            let kind = kind(&plan, &mut chance, stream);
            let all = ways::search(&kind, &Lens::NOTHING, 100_000).unwrap();
            let known = |target| all.first.contains(&target) || all.later.contains(&target);
            let walks = (0..10).flat_map(|_| walk(&plan, &kind, &mut chance, stream));
            let attempts: BTreeMap<String, Made> =
                walks.map(|one| (format!("{one:?}"), one)).collect();
            made += attempts.len();
            for (told, one) in attempts {
                later.insert((one.facts.index, one.facts.last));
                assert!(known(one.target), "{seed}: {told}\n{text}");
                let found = !chance.one_in(3) || is_found(&plan, &kind, one);
                assert!(found, "{seed}: {told}\n{text}");
            }
        }
    }
    assert!(made > 300 && later.len() > 20, "{made} {later:?}");
}

/// Whether the search has just this attempt.
fn is_found(plan: &Plan, kind: &Kind<'_>, made: Made) -> bool {
    let candidates = plan.program.candidates(kind.decision.route);
    let numbered = candidates.iter().zip(0..64);
    let bits = numbered.fold(0_u64, |bits, (candidate, index)| {
        bits | u64::from(candidate.target == made.target) << index
    });
    let never = |facts: AttemptFacts| if facts == made.facts { bits } else { 0 };
    let by_facts = Lens {
        never: &never,
        ..Lens::NOTHING
    };
    let counts = |visits| visits == made.visits;
    let by_count = Lens {
        counts: &counts,
        ..Lens::NOTHING
    };
    [by_facts, by_count].iter().all(|lens| {
        let found = ways::search(kind, lens, 100_000).unwrap();
        found.way.is_some()
    })
}

/// What some request gets.
fn kind<'p>(plan: &'p Plan, chance: &mut Chance, stream: bool) -> Kind<'p> {
    let word = |chance: &mut Chance, words: &[&str]| {
        let word = chance.of(words);
        (!word.is_empty()).then(|| Box::from(word))
    };
    let key = KeyFacts {
        id: word(chance, &["k1", "k2", "k3"]),
        tier: word(chance, &["gold", "silver", ""]),
        residency: word(chance, &["eu", "us"]),
        ..KeyFacts::default()
    };
    let facts = Facts {
        model: chance.of(&["gpt-5", "gpt-4o", "qwen"]),
        path: "/v1/chat/completions",
        method: "POST",
        stream,
        tokens_in: chance.below(2) as u64 * 20_000,
        max_out: 0,
        has: switchover::policy::Caps::NONE,
        headers: &[],
        meta: &[],
        key: &key,
        now: WallTime::default(),
    };
    Kind {
        plan,
        decision: plan.program.decide(&facts),
        streams: stream,
        wholes: !stream,
    }
}

/// One request through a world in which anybody is well or not, anew before each step.
fn walk(plan: &Plan, kind: &Kind<'_>, chance: &mut Chance, stream: bool) -> Vec<Made> {
    let mut core = Core::new(Arc::new(Board::seeded(plan, 1, 7)), plan, 0);
    let form = if stream { Form::Stream } else { Form::Whole };
    let id = RequestId(chance.below(1_000_000) as u128);
    let mut chain = Chain::new(plan, kind.decision, form, id, BEGINNING);
    let mut now = BEGINNING;
    let mut made = Vec::new();
    loop {
        shake(plan, kind.decision.route, &core, now, chance);
        let facts = chain.facts();
        let attempt = match chain.next(now, plan, &mut core) {
            Step::Attempt(attempt) => attempt,
            Step::Wait(until) => {
                now = until;
                continue;
            }
            Step::Finish(_) => return made,
        };
        made.push(newest(&chain, facts));
        shake(plan, kind.decision.route, &core, now, chance);
        let lasts = attempt.content_by.min(attempt.deadline);
        let hedge = attempt.hedge_at < lasts && chance.one_in(2);
        if hedge {
            now = attempt.hedge_at;
            let facts = chain.facts();
            if chain.hedge(now, plan, &mut core).is_some() {
                made.push(newest(&chain, facts));
                if chance.one_in(2) {
                    chain.turn();
                }
                end(plan, &mut chain, &mut core, &mut now, lasts, chance);
                chain.turn();
            }
        }
        end(plan, &mut chain, &mut core, &mut now, lasts, chance);
    }
}

fn end(
    plan: &Plan,
    chain: &mut Chain,
    core: &mut Core,
    now: &mut Moment,
    latest: Moment,
    chance: &mut Chance,
) {
    // Neither an answer, with which all is over, nor what no attempt ends in.
    let failures = Outcome::ALL.map(|outcome| match outcome {
        Outcome::Ok | Outcome::BreakerOpen => Outcome::S5xx,
        other => other,
    });
    let outcome = failures[chance.below(failures.len())];
    let soon = *now + Span::from_millis(chance.below(400) as u64);
    *now = match outcome {
        Outcome::Ttft if chance.one_in(2) => latest,
        _ => soon.min(latest),
    };
    let end = End {
        outcome,
        retry_after: None,
        model_alone: chance.one_in(2),
    };
    chain.ended(*now, plan, core, end);
}

/// The newest attempt, and what was known when it began.
fn newest(chain: &Chain, facts: AttemptFacts) -> Made {
    Made {
        target: chain.attempts().next_back().unwrap().target,
        facts,
        visits: u8::try_from(chain.attempts().len()).unwrap(),
    }
}

fn shake(plan: &Plan, route: RouteId, core: &Core, now: Moment, chance: &mut Chance) {
    const WHY: [Outcome; 6] = [
        Outcome::BreakerOpen,
        Outcome::S429,
        Outcome::Connect,
        Outcome::AuthFailed,
        Outcome::Overloaded,
        Outcome::ModelGone,
    ];
    for candidate in plan.program.candidates(route) {
        match chance.below(3) {
            0 => core.board().cure(candidate.target),
            1 => {
                let why = WHY[chance.below(WHY.len())];
                // A full target stays full: what is under way is counted there.
                if why != Outcome::Overloaded {
                    core.board().keep_out(candidate.target, why, now);
                }
            }
            _ => {}
        }
    }
}
