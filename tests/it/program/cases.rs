//! Single facts, tests and bounds, written out.

use switchover::base::Outcome;
use switchover::base::OutcomeSet;
use switchover::base::RouteId;
use switchover::base::TargetId;
use switchover::policy::Candidate;
use switchover::policy::Caps;
use switchover::policy::KeyFacts;
use switchover::policy::Plan;
use switchover::policy::Program;
use switchover::policy::TooComplex;
use switchover::policy::WallTime;
use switchover::policy::model::Action;
use switchover::policy::model::AttemptFacts;
use switchover::policy::model::Cond;
use switchover::policy::model::FlagFact;
use switchover::policy::model::IntFact;
use switchover::policy::model::Pattern;
use switchover::policy::model::Pick;
use switchover::policy::model::StrFact;
use switchover::policy::model::Test as Ask;

use crate::program::world;
use crate::program::world::Request;

pub(super) fn is(fact: StrFact, value: &str) -> Cond {
    Cond::Test(Ask::OneOf {
        fact,
        values: vec![value.into()],
        negated: false,
    })
}

fn is_not(fact: StrFact, value: &str) -> Cond {
    Cond::Test(Ask::OneOf {
        fact,
        values: vec![value.into()],
        negated: true,
    })
}

fn within(fact: IntFact, low: u64, high: u64, negated: bool) -> Cond {
    Cond::Test(Ask::Within {
        fact,
        low,
        high,
        negated,
    })
}

fn not(cond: Cond) -> Cond {
    Cond::Not(Box::new(cond))
}

pub(super) fn team(name: &str) -> Request {
    Request {
        key: KeyFacts {
            team: Some(name.into()),
            ..KeyFacts::default()
        },
        ..Request::bare()
    }
}

/// Whether the only route with a condition matches.
fn matches(when: &Cond, request: &Request) -> bool {
    // Four times, so that rich tests are worth a dimension of their own as well as a check.
    let answers = [1, 4].map(|copies| {
        let routes = (0..copies).map(|_| world::route(when.clone(), world::reject()));
        let program = Program::lower(&world::policy(routes.collect(), Vec::new())).unwrap();
        let route = request.with_facts(program.needs(), |facts| program.decide(facts).route);
        assert!(route == RouteId(0) || route == RouteId(copies));
        route == RouteId(0)
    });
    assert_eq!(answers[0], answers[1]);
    answers[0]
}

/// The mask of a route over all ten targets under one forbid.
fn mask(forbid: &Cond, request: &Request, attempt: AttemptFacts) -> u64 {
    let routes = vec![world::route(Cond::Always, all_targets(Pick::Weighted))];
    let program = Program::lower(&world::policy(routes, vec![forbid.clone()])).unwrap();
    let decision = request.with_facts(program.needs(), |facts| program.decide(facts));
    program.forbidden(&decision, &attempt)
}

pub(super) fn all_targets(pick: Pick) -> Action {
    world::serve(vec![world::tier(pick, 0..10)], &[], Caps::NONE)
}

fn after(index: u8, last: Outcome, target: u16) -> AttemptFacts {
    AttemptFacts {
        index,
        last: Some(last),
        last_target: Some(TargetId(target)),
    }
}

#[test]
fn a_missing_string_fails_every_test_but_a_negated_one() {
    let nobody = Request::bare();
    let known = team("eu");
    for (cond, missing, there) in [
        (is(StrFact::KeyTeam, "eu"), false, true),
        (is_not(StrFact::KeyTeam, "eu"), true, false),
        (is(StrFact::KeyTeam, "us"), false, false),
        (is_not(StrFact::KeyTeam, "us"), true, true),
        (is(StrFact::KeyTeam, ""), false, false),
        (Cond::Test(Ask::Present(StrFact::KeyTeam)), false, true),
        (
            Cond::Test(Ask::Matches {
                fact: StrFact::KeyTeam,
                pattern: Pattern::Contains("".into()),
            }),
            false,
            true,
        ),
    ] {
        assert_eq!(matches(&cond, &nobody), missing, "{cond:?}");
        assert_eq!(matches(&cond, &known), there, "{cond:?}");
        assert_eq!(
            matches(&not(cond.clone()), &nobody),
            !missing,
            "not {cond:?}"
        );
        assert_eq!(matches(&not(cond.clone()), &known), !there, "not {cond:?}");
    }
}

#[test]
fn every_string_of_a_request_is_read_from_its_own_place() {
    let key = |set: fn(&mut KeyFacts)| {
        let mut request = Request::bare();
        set(&mut request.key);
        request
    };
    let bare = Request::bare;
    let value = || Some("v".into());
    let extra = [None, value(), None];
    for (fact, request) in [
        (
            StrFact::Model,
            Request {
                model: "v".into(),
                ..bare()
            },
        ),
        (
            StrFact::Path,
            Request {
                path: "v".into(),
                ..bare()
            },
        ),
        (
            StrFact::Method,
            Request {
                method: "v".into(),
                ..bare()
            },
        ),
        (
            StrFact::Header("x-1".into()),
            Request {
                extra: extra.clone(),
                ..bare()
            },
        ),
        (StrFact::Meta("x-1".into()), Request { extra, ..bare() }),
        (StrFact::KeyId, key(|key| key.id = Some("v".into()))),
        (StrFact::KeyTeam, key(|key| key.team = Some("v".into()))),
        (StrFact::KeyTier, key(|key| key.tier = Some("v".into()))),
        (
            StrFact::KeyResidency,
            key(|key| key.residency = Some("v".into())),
        ),
        (
            StrFact::KeyContract,
            key(|key| key.contract = Some("v".into())),
        ),
    ] {
        assert!(matches(&is(fact.clone(), "v"), &request), "{fact:?}");
        assert!(!matches(&is(fact.clone(), "v"), &bare()), "{fact:?}");
        assert!(!matches(&is(fact.clone(), "w"), &request), "{fact:?}");
    }
}

#[test]
fn numbers_are_compared_at_their_edges() {
    let tokens = |tokens_in| Request {
        tokens_in,
        ..Request::bare()
    };
    for (low, high, value, inside) in [
        (5, 7, 4, false),
        (5, 7, 5, true),
        (5, 7, 7, true),
        (5, 7, 8, false),
        (0, 0, 0, true),
        (0, 0, 1, false),
        (0, u64::MAX, 0, true),
        (0, u64::MAX, u64::MAX, true),
        (u64::MAX, u64::MAX, u64::MAX, true),
        (u64::MAX, u64::MAX, u64::MAX - 1, false),
        (7, 5, 6, false),
    ] {
        let case = format!("{value} in {low}..={high}");
        let request = tokens(value);
        let fact = IntFact::TokensIn;
        assert_eq!(
            matches(&within(fact, low, high, false), &request),
            inside,
            "{case}"
        );
        assert_eq!(
            matches(&within(fact, low, high, true), &request),
            !inside,
            "not {case}"
        );
        let negated = not(within(fact, low, high, true));
        assert_eq!(matches(&negated, &request), inside, "not not {case}");
    }
}

#[test]
fn every_number_is_read_from_its_own_place() {
    let now = |hour, weekday, date| Request {
        now: WallTime {
            hour,
            weekday,
            date,
        },
        ..Request::bare()
    };
    let max_out = Request {
        max_out: 9,
        ..Request::bare()
    };
    for (fact, request) in [
        (IntFact::MaxOut, max_out),
        (IntFact::Hour, now(9, 0, 0)),
        (IntFact::Weekday, now(0, 9, 0)),
        (IntFact::Date, now(0, 0, 9)),
    ] {
        assert!(matches(&within(fact, 9, 9, false), &request), "{fact:?}");
        assert!(
            !matches(&within(fact, 9, 9, false), &Request::bare()),
            "{fact:?}"
        );
    }
    assert!(matches(&within(IntFact::Date, 0, 0, false), &now(0, 0, -1)));
}

#[test]
fn every_flag_is_read_from_its_own_place() {
    let has = |has| Request {
        has,
        ..Request::bare()
    };
    let stream = Request {
        stream: true,
        ..Request::bare()
    };
    let flags = [
        (FlagFact::Stream, stream),
        (FlagFact::HasTools, has(Caps::TOOLS)),
        (FlagFact::HasImages, has(Caps::IMAGES)),
        (FlagFact::HasJsonSchema, has(Caps::JSON_SCHEMA)),
        (FlagFact::HasAudio, has(Caps::AUDIO)),
    ];
    for (asked, _) in &flags {
        for (set, request) in &flags {
            let cond = Cond::Test(Ask::Flag(*asked));
            assert_eq!(matches(&cond, request), asked == set, "{asked:?} {set:?}");
            assert_eq!(matches(&not(cond), request), asked != set);
        }
    }
}

#[test]
fn patterns_anchor_where_they_have_no_star() {
    let like = |parts: &[&str]| Pattern::Like(parts.iter().map(|part| Box::from(*part)).collect());
    for (pattern, value, fits) in [
        (like(&["gpt-5", ""]), "gpt-5-mini", true),
        (like(&["gpt-5", ""]), "my-gpt-5", false),
        (like(&["", "mini"]), "gpt-5-mini", true),
        (like(&["", "mini"]), "mini-gpt", false),
        (like(&["a", "b", "c"]), "a-b-c", true),
        (like(&["a", "b", "c"]), "abc", true),
        (like(&["a", "b", "c"]), "acb", false),
        // The ends may not share a letter, and neither may the middle and an end.
        (like(&["aba", "aba"]), "aba", false),
        (like(&["aba", "aba"]), "abaaba", true),
        (like(&["a", "ba", "ba"]), "abba", false),
        (like(&["", ""]), "", true),
        (Pattern::StartsWith("gpt".into()), "gpt", true),
        (Pattern::StartsWith("gpt".into()), "gp", false),
        (Pattern::EndsWith("gpt".into()), "my-gpt", true),
        (Pattern::EndsWith("gpt".into()), "gpt-5", false),
        (Pattern::Contains("é".into()), "café au lait", true),
        (Pattern::Contains("é".into()), "cafe", false),
    ] {
        let case = format!("{value:?} {pattern:?}");
        let cond = Cond::Test(Ask::Matches {
            fact: StrFact::Model,
            pattern,
        });
        let request = Request {
            model: value.into(),
            ..Request::bare()
        };
        assert_eq!(matches(&cond, &request), fits, "{case}");
    }
}

#[test]
fn hash_pct_takes_its_share_and_salts_differ() {
    let share = |salt: &str, share| {
        let cond = Cond::Test(Ask::HashBelow {
            fact: StrFact::KeyTeam,
            salt: salt.into(),
            share,
        });
        let routes = vec![world::route(cond, world::reject())];
        Program::lower(&world::policy(routes, Vec::new())).unwrap()
    };
    let picked = |program: &Program| -> Vec<u32> {
        let hit = |number: &u32| {
            let request = team(&number.to_string());
            let route = request.with_facts(program.needs(), |facts| program.decide(facts).route);
            route == RouteId(0)
        };
        (0..20_000).filter(hit).collect()
    };
    let five_percent = picked(&share("a", 50_000));
    assert!(
        (900..1_100).contains(&five_percent.len()),
        "{}",
        five_percent.len()
    );
    assert_ne!(five_percent, picked(&share("b", 50_000)));
    // A larger share keeps everyone that a smaller one has.
    let ten_percent = picked(&share("a", 100_000));
    assert!(
        five_percent
            .iter()
            .all(|number| ten_percent.contains(number))
    );
    assert!(picked(&share("a", 0)).is_empty());
    assert_eq!(picked(&share("a", 1_000_000)).len(), 20_000);
    // A missing fact hashes as empty.
    let cond = |share| {
        Cond::Test(Ask::HashBelow {
            fact: StrFact::KeyTeam,
            salt: "a".into(),
            share,
        })
    };
    for at in (0..=1_000_000).step_by(50_000) {
        assert_eq!(
            matches(&cond(at), &Request::bare()),
            matches(&cond(at), &team(""))
        );
    }
}

#[test]
fn conditions_about_attempts_never_hold_in_a_route() {
    for never in [
        Cond::Never,
        Cond::Test(Ask::SameDomain),
        Cond::Test(Ask::LastOutcome(OutcomeSet::ANY)),
        Cond::Test(Ask::Present(StrFact::TargetRegion)),
        Cond::Test(Ask::Flag(FlagFact::TargetTrainsOnData)),
    ] {
        assert!(!matches(&never, &Request::bare()), "{never:?}");
        assert!(
            matches(&not(never.clone()), &Request::bare()),
            "not {never:?}"
        );
    }
}

#[test]
fn the_first_of_several_matching_routes_wins() {
    let when = [
        is(StrFact::Model, "gpt-5"),
        is(StrFact::KeyTeam, "eu"),
        is_not(StrFact::Model, "gpt-5"),
        Cond::Always,
        is(StrFact::KeyTeam, "ab"),
    ];
    let routes = when.map(|when| world::route(when, world::reject()));
    let program = Program::lower(&world::policy(routes.to_vec(), Vec::new())).unwrap();
    let decide = |model: &str, name: &str| {
        let request = Request {
            model: model.into(),
            ..team(name)
        };
        request.with_facts(program.needs(), |facts| program.decide(facts).route.0)
    };
    assert_eq!(decide("gpt-5", "eu"), 0);
    assert_eq!(decide("a", "eu"), 1);
    assert_eq!(decide("a", "ab"), 2);
    assert_eq!(program.candidates(RouteId(0)), []);
}

#[test]
fn a_policy_without_conditions_reads_nothing() {
    let plan = Plan::new(world::policy(Vec::new(), Vec::new())).unwrap();
    assert_eq!(*plan.program.needs(), switchover::policy::Needs::default());
    let route = Request::bare().with_facts(plan.program.needs(), |facts| {
        plan.program.decide(facts).route
    });
    assert_eq!(route, plan.policy.default_route());
}

#[test]
fn needs_name_what_is_read_anywhere() {
    let pick = Pick::Hash(vec![
        StrFact::Meta("b-2".into()),
        StrFact::Header("c-0".into()),
    ]);
    let when = Cond::All(vec![
        is(StrFact::Header("a-1".into()), "v"),
        within(IntFact::TokensIn, 1, 2, false),
        not(Cond::Test(Ask::Flag(FlagFact::HasImages))),
    ]);
    let forbid = Cond::Any(vec![
        within(IntFact::Hour, 1, 2, false),
        Cond::Test(Ask::Present(StrFact::Header("b-0".into()))),
    ]);
    let routes = vec![world::route(when, all_targets(pick))];
    let program = Program::lower(&world::policy(routes, vec![forbid])).unwrap();
    let needs = program.needs();
    assert_eq!(needs.headers, ["a-1", "b-0", "c-0"].map(Box::from));
    assert_eq!(needs.meta, ["b-2"].map(Box::from));
    assert_eq!(needs.has, Caps::IMAGES);
    assert!(needs.tokens_in && needs.now && !needs.max_out);
}

#[test]
fn candidates_are_members_in_order_then_new_jump_targets() {
    let tiers = vec![
        world::tier(Pick::Weighted, [3, 1]),
        world::tier(Pick::Weighted, [5]),
    ];
    let jumps = [TargetId(1), TargetId(7), TargetId(7), TargetId(0)];
    let action = world::serve(tiers, &jumps, Caps::IMAGES);
    let policy = world::policy(vec![world::route(Cond::Always, action)], Vec::new());
    let program = Program::lower(&policy).unwrap();
    let candidates = program.candidates(RouteId(0));
    let listed: Vec<(u16, u8)> = candidates
        .iter()
        .map(|candidate| (candidate.target.0, candidate.tier))
        .collect();
    let jump = Candidate::JUMP;
    assert_eq!(listed, [(3, 0), (1, 0), (5, 1), (7, jump), (0, jump)]);
    // Targets 1 and 7 are known to lack images; 5 has them; 3 and 0 do not say.
    let decision = Request::bare().with_facts(program.needs(), |facts| program.decide(facts));
    assert_eq!(decision.forbidden, 0b01010);
}

#[test]
fn a_request_forbid_masks_by_region_and_only_then() {
    // Targets 0, 1, 6, 7 stand in the EU; 4 and 5 name no region, so they are not in it.
    let forbid = Cond::All(vec![
        is(StrFact::KeyTeam, "eu"),
        is_not(StrFact::TargetRegion, "eu"),
    ]);
    let first = AttemptFacts::default();
    assert_eq!(mask(&forbid, &team("eu"), first), 0b11_0011_1100);
    assert_eq!(mask(&forbid, &team("us"), first), 0);
    assert_eq!(
        mask(&forbid, &team("eu"), after(2, Outcome::Ok, 1)),
        0b11_0011_1100
    );
}

#[test]
fn a_target_forbid_masks_always() {
    let trains = Cond::Test(Ask::Flag(FlagFact::TargetTrainsOnData));
    assert_eq!(
        mask(&trains, &Request::bare(), AttemptFacts::default()),
        0b00_1100_1100
    );
    let dear = within(IntFact::TargetPrice, 3, 700, false);
    assert_eq!(
        mask(&dear, &Request::bare(), AttemptFacts::default()),
        0b01_1011_0110
    );
}

#[test]
fn the_same_cloud_is_not_tried_again() {
    // The domains of providers 0 and 3 (targets 0, 1, 6, 7) are the same, as are those of 1 and 4 (2, 3, 8, 9).
    let outcomes = [Outcome::Connect, Outcome::S5xx];
    let outcomes = outcomes
        .into_iter()
        .fold(OutcomeSet::EMPTY, OutcomeSet::with);
    let forbid = Cond::All(vec![
        is(StrFact::KeyTeam, "eu"),
        within(IntFact::AttemptIndex, 1, u64::MAX, false),
        Cond::Test(Ask::LastOutcome(outcomes)),
        Cond::Test(Ask::SameDomain),
    ]);
    let eu = team("eu");
    assert_eq!(mask(&forbid, &eu, AttemptFacts::default()), 0);
    assert_eq!(
        mask(&forbid, &eu, after(1, Outcome::S5xx, 1)),
        0b00_1100_0011
    );
    assert_eq!(
        mask(&forbid, &eu, after(255, Outcome::Connect, 8)),
        0b11_0000_1100
    );
    assert_eq!(mask(&forbid, &eu, after(1, Outcome::S429, 1)), 0);
    assert_eq!(mask(&forbid, &eu, after(0, Outcome::S5xx, 1)), 0);
    assert_eq!(mask(&forbid, &team("us"), after(1, Outcome::S5xx, 1)), 0);
}

#[test]
fn affinity_follows_the_hashed_facts_alone() {
    let pick = || Pick::Hash(vec![StrFact::Model, StrFact::KeyTeam]);
    let routes = vec![
        world::route(is(StrFact::Path, "hashed"), all_targets(pick())),
        world::route(Cond::Always, all_targets(Pick::Weighted)),
    ];
    let program = Program::lower(&world::policy(routes, Vec::new())).unwrap();
    let affinity = |path: &str, model: &str, request: Request| {
        let request = Request {
            path: path.into(),
            model: model.into(),
            ..request
        };
        request.with_facts(program.needs(), |facts| program.decide(facts).affinity)
    };
    let base = affinity("hashed", "a", team("b"));
    assert_eq!(affinity("other", "a", team("b")), 0);
    let unrelated = Request {
        method: "POST".into(),
        ..team("b")
    };
    assert_eq!(affinity("hashed", "a", unrelated), base);
    for (model, name) in [("b", "a"), ("ab", ""), ("", "ab"), ("a", "c"), ("c", "b")] {
        assert_ne!(
            affinity("hashed", model, team(name)),
            base,
            "{model:?} {name:?}"
        );
    }
    let missing = affinity("hashed", "a", Request::bare());
    assert_eq!(missing, affinity("hashed", "a", team("")));
}

#[test]
fn what_is_too_complex_is_refused() {
    let many = vec![world::tier(Pick::Weighted, (0..65).map(|at| at % 10))];
    let action = world::serve(many, &[], Caps::NONE);
    let policy = world::policy(vec![world::route(Cond::Always, action)], Vec::new());
    let refusal = Program::lower(&policy).err();
    assert!(
        matches!(refusal, Some(TooComplex::Targets { count: 65, .. })),
        "{refusal:?}"
    );

    let mixed = |number: usize| {
        Cond::Any(vec![
            is(StrFact::KeyTeam, &number.to_string()),
            not(Cond::Test(Ask::LastOutcome(
                OutcomeSet::EMPTY.with(Outcome::ALL[number]),
            ))),
        ])
    };
    let forbids = vec![Cond::All((0..7).map(mixed).collect())];
    let routes = vec![world::route(Cond::Always, all_targets(Pick::Weighted))];
    let refusal = Program::lower(&world::policy(routes.clone(), forbids)).err();
    assert!(
        matches!(refusal, Some(TooComplex::Forbid { .. })),
        "{refusal:?}"
    );

    let armed = |count: usize| {
        let forbid = |number: usize| {
            Cond::All(vec![
                is(StrFact::KeyTeam, &number.to_string()),
                Cond::Test(Ask::SameDomain),
            ])
        };
        let forbids = (0..count).map(forbid).collect();
        Program::lower(&world::policy(routes.clone(), forbids))
    };
    assert!(armed(64).is_ok());
    let refusal = armed(65).err();
    assert!(
        matches!(refusal, Some(TooComplex::Armed { .. })),
        "{refusal:?}"
    );
}
