//! The lowered program against the meaning of the policy: [`naive`] reads the model, the program must agree.

mod cases;
mod naive;
mod reach;
mod sticky;
mod traced;
mod world;

use proptest::collection::vec;
use proptest::prelude::ProptestConfig;
use proptest::prelude::Strategy;
use proptest::prop_assert_eq;
use proptest::proptest;
use proptest::strategy::BoxedStrategy;
use proptest::test_runner::TestCaseError;

use switchover::policy::Policy;
use switchover::policy::Program;
use switchover::policy::model::AttemptFacts;
use switchover::policy::model::Cond;
use switchover::policy::model::IntFact;
use switchover::policy::model::Route;
use switchover::policy::model::StrFact;
use switchover::policy::model::Test;

use self::naive::World;
use self::world::Reads;
use self::world::Request;

/// Route, candidates and masks of every request and attempt.
fn agrees(
    policy: &Policy,
    requests: &[Request],
    attempts: &[AttemptFacts],
) -> Result<(), TestCaseError> {
    let program = Program::lower(policy).unwrap();
    for request in requests {
        request.with_facts(program.needs(), |facts| {
            let decision = program.decide(facts);
            let world = World {
                policy,
                needs: program.needs(),
                facts,
                target: None,
                attempt: AttemptFacts::default(),
            };
            prop_assert_eq!(decision.route, world.route(), "{:?}", request);
            let mut before = decision.route;
            for route in world.routes().skip(1) {
                let after = program.decide_after(before, facts).route;
                prop_assert_eq!(after, route, "after {:?}: {:?}", before, request);
                before = route;
            }
            let candidates = program.candidates(decision.route).iter();
            let candidates = candidates.map(|have| (have.target, have.tier, have.weight));
            let candidates: Vec<_> = candidates.collect();
            prop_assert_eq!(candidates, world.candidates(decision.route));
            for attempt in attempts {
                let world = World {
                    attempt: *attempt,
                    ..world
                };
                prop_assert_eq!(
                    program.forbidden(&decision, attempt),
                    world.forbidden(decision.route),
                    "{:?} {:?}",
                    request,
                    attempt
                );
            }
            Ok(())
        })?;
    }
    Ok(())
}

fn routes(
    depth: u32,
    count: impl Into<proptest::collection::SizeRange>,
) -> BoxedStrategy<Vec<Route>> {
    let route = (world::cond(Reads::Request, depth), world::action());
    let route = route.prop_map(|(when, action)| world::route(when, action));
    vec(route, count).boxed()
}

/// Routes as people write them in bulk: a model, a team and a range each, some of them open. Those that pin no model are
/// narrow, so that they hide few of the others.
fn many_routes(count: u64) -> Vec<Route> {
    let one_of = |fact, value: String| {
        Cond::Test(Test::OneOf {
            fact,
            values: vec![value.into()],
            negated: false,
        })
    };
    let route = |number: u64| {
        let model = one_of(StrFact::Model, format!("model-{}", number % 97));
        let team = one_of(StrFact::KeyTeam, format!("team-{}", number / 97 % 13));
        let tokens = Cond::Test(Test::Within {
            fact: IntFact::TokensIn,
            low: number,
            high: high_of(number),
            negated: number % 7 > 2 && number.is_multiple_of(11),
        });
        let when = match number % 7 {
            0 => Cond::All(vec![team, tokens]),
            1 => Cond::All(vec![
                tokens,
                Cond::Any(vec![model, Cond::Not(Box::new(team))]),
            ]),
            2 => Cond::All(vec![Cond::Not(Box::new(model)), team, tokens]),
            _ => Cond::All(vec![model, team, tokens]),
        };
        let targets = [u16::try_from(number % 10).unwrap()];
        let tiers = vec![world::tier(
            switchover::policy::model::Pick::Weighted,
            targets,
        )];
        world::route(
            when,
            world::serve(tiers, &[], switchover::policy::Caps::NONE),
        )
    };
    (0..count).map(route).collect()
}

/// Where the range of a route ends.
const fn high_of(number: u64) -> u64 {
    number + number % if number % 7 < 3 { 3 } else { 400 }
}

/// Requests for one of [`many_routes`], or just beside it.
fn bulk_request(count: u64) -> impl Strategy<Value = Request> {
    let aim = (0..count, 0..8_u8, 0..8_u8, 0..4_usize);
    (world::request(), aim).prop_map(|(mut request, (number, model, team, beside))| {
        if model > 0 {
            request.model = format!("model-{}", number % 97);
        }
        if team > 0 {
            request.key.team = Some(format!("team-{}", number / 97 % 13).into());
        }
        let (low, high) = (number, high_of(number));
        request.tokens_in = [low.saturating_sub(1), low, high, high + 1][beside];
        request
    })
}

/// Conjunctions of alternatives: more of them than cases are allowed.
fn alternatives() -> impl Strategy<Value = Cond> {
    let either = vec(world::cond(Reads::Request, 0), 2).prop_map(Cond::Any);
    vec(either, 5..9).prop_map(Cond::All)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_routes_match_as_the_model_says(
        routes in routes(3, 0..40),
        requests in vec(world::request(), 8),
    ) {
        agrees(&world::policy(routes, Vec::new()), &requests, &[AttemptFacts::default()])?;
    }

    #[test]
    fn conditions_with_too_many_cases_are_checked(
        when in vec(alternatives(), 1..4),
        requests in vec(world::request(), 16),
    ) {
        let routes = when.into_iter().map(|when| world::route(when, world::reject()));
        agrees(&world::policy(routes.collect(), Vec::new()), &requests, &[])?;
    }

    #[test]
    fn random_forbids_mask_as_the_model_says(
        routes in routes(1, 1..6),
        forbids in vec(world::cond(Reads::Everything, 2), 1..5),
        requests in vec(world::request(), 4),
        attempts in vec(world::attempt(), 6),
    ) {
        agrees(&world::policy(routes, forbids), &requests, &attempts)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn deep_conditions_that_do_not_multiply_out_stay_exact(
        routes in routes(6, 300..340),
        requests in vec(world::request(), 24),
    ) {
        agrees(&world::policy(routes, Vec::new()), &requests, &[])?;
    }

    #[test]
    fn policies_that_are_split_into_blocks_stay_exact(
        mut routes in routes(2, 60),
        requests in vec(bulk_request(3_000), 100),
    ) {
        // Random routes last, so that they do not hide the others.
        let random = std::mem::replace(&mut routes, many_routes(3_000));
        routes.extend(random);
        agrees(&world::policy(routes, Vec::new()), &requests, &[AttemptFacts::default()])?;
    }
}
