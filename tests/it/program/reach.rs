//! Reasoning about conditions against deciding by them: what is said about all requests holds for those that are made at
//! random and for one of each kind, and a request that is shown as an example does what is said of it.

use proptest::collection::vec;
use proptest::prelude::ProptestConfig;
use proptest::prelude::Strategy;
use proptest::prop_assert;
use proptest::prop_assert_eq;
use proptest::proptest;

use switchover::base::RouteId;
use switchover::policy::Candidate;
use switchover::policy::Facts;
use switchover::policy::Policy;
use switchover::policy::Program;
use switchover::policy::model::Action;
use switchover::policy::model::AttemptFacts;
use switchover::policy::model::Cond;
use switchover::policy::reason::Classes;
use switchover::policy::reason::Left;
use switchover::policy::reason::Masks;
use switchover::policy::reason::Order;
use switchover::policy::reason::Region;
use switchover::policy::reason::Switches;

use super::naive::World;
use super::routes;
use super::world;
use super::world::Reads;
use super::world::Request;

/// Kinds of request up to which one of each is asked.
const KINDS_MAX: u64 = 4_000;

/// A request at a moment that there is: dates have their own weekday.
fn request() -> impl Strategy<Value = Request> {
    world::request().prop_map(|mut request| {
        let date = request.now.date.max(0);
        request.now.date = date;
        request.now.weekday = u8::try_from((date + 3) % 7).unwrap();
        request
    })
}

fn world<'w>(policy: &'w Policy, program: &'w Program, facts: &'w Facts<'w>) -> World<'w> {
    World {
        policy,
        needs: program.needs(),
        facts,
        target: None,
        attempt: AttemptFacts::default(),
    }
}

/// The regions of all routes, if they can be told.
fn regions(classes: &Classes<'_>, policy: &Policy) -> Option<Vec<Region>> {
    let routes = policy.routes.iter();
    let regions = routes.map(|route| classes.region(&route.when, Switches::Stand).ok());
    regions.collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn regions_hold_where_conditions_do(
        when in world::cond(Reads::Request, 3),
        beside in vec(world::cond(Reads::Request, 1), 0..3),
        requests in vec(request(), 8),
    ) {
        let mut routes = vec![world::route(when, world::reject())];
        routes.extend(beside.into_iter().map(|when| world::route(when, world::reject())));
        let policy = world::policy(routes, Vec::new());
        let program = Program::lower(&policy).unwrap();
        let classes = Classes::of_policy(&policy);
        let when = &policy.routes[0].when;
        let (Ok(region), Ok(outside)) = (
            classes.region(when, Switches::Stand),
            classes.region_without(when, Switches::Stand),
        ) else {
            return Ok(());
        };
        for request in &requests {
            request.with_facts(program.needs(), |facts| {
                let Some(point) = classes.point_of(facts, program.needs()) else {
                    return Ok(());
                };
                let holds = world(&policy, &program, facts).holds(when);
                prop_assert_eq!(region.has(&point), holds, "{:?}", request);
                prop_assert_eq!(outside.has(&point), !holds, "{:?}", request);
                // One of the same kind, made from the kind alone.
                let example = classes.example(&point, &[]);
                prop_assert!(example.is_some(), "{:?}", request);
                example.unwrap().with_facts(program.needs(), |facts| {
                    prop_assert_eq!(classes.point_of(facts, program.needs()), Some(point));
                    prop_assert_eq!(world(&policy, &program, facts).holds(when), holds);
                    Ok(())
                })
            })?;
        }
        // Switches can only add to one side and take from the other.
        if let (Ok(open), Ok(shut)) = (
            classes.region(when, Switches::Open),
            classes.region(when, Switches::Shut),
        ) {
            for request in &requests {
                request.with_facts(program.needs(), |facts| {
                    if let Some(point) = classes.point_of(facts, program.needs()) {
                        prop_assert!(open.has(&point) || !region.has(&point));
                        prop_assert!(region.has(&point) || !shut.has(&point));
                    }
                    Ok(())
                })?;
            }
        }
    }

    #[test]
    fn a_route_is_unreachable_exactly_if_no_request_gets_there(
        routes in routes(2, 2..7),
        requests in vec(request(), 16),
    ) {
        let policy = world::policy(routes, Vec::new());
        let program = Program::lower(&policy).unwrap();
        let classes = Classes::of_policy(&policy);
        let Some(regions) = regions(&classes, &policy) else {
            return Ok(());
        };
        let order = Order::new(&classes, regions);
        let mut unreachable = Vec::new();
        for (position, number) in (0..policy.routes.len()).zip(0..) {
            let region = order.region(position).unwrap();
            match order.left_of(region, position) {
                Ok(Left::Some(point)) => {
                    // A share may be too small to be met, a string beside too many patterns not be made.
                    let Some(example) = classes.example(&point, &[]) else { continue };
                    example.with_facts(program.needs(), |facts| {
                        prop_assert_eq!(program.decide(facts).route, RouteId(number));
                        prop_assert_eq!(world(&policy, &program, facts).route(), RouteId(number));
                        Ok(())
                    })?;
                }
                Ok(Left::Nothing(_)) => unreachable.push(RouteId(number)),
                Err(_) => {}
            }
        }
        for request in &requests {
            let route = request.with_facts(program.needs(), |facts| program.decide(facts).route);
            prop_assert!(!unreachable.contains(&route), "{:?} {:?}", route, request);
        }
        let kinds = classes.counts().iter().map(|count| u64::from(*count));
        if unreachable.is_empty() || kinds.fold(1, u64::saturating_mul) > KINDS_MAX {
            return Ok(());
        }
        for point in classes.points() {
            let Some(example) = classes.example(&point, &[]) else { continue };
            let route = example.with_facts(program.needs(), |facts| program.decide(facts).route);
            prop_assert!(!unreachable.contains(&route), "{:?} {:?}", route, example);
        }
    }

    #[test]
    fn requests_without_a_target_are_those_whose_members_are_all_masked(
        routes in routes(1, 1..4),
        forbids in vec(world::cond(Reads::Everything, 2), 1..4),
        requests in vec(request(), 16),
    ) {
        let policy = world::policy(routes, forbids);
        let program = Program::lower(&policy).unwrap();
        let classes = Classes::of_policy(&policy);
        let (Some(regions), Ok(masks)) = (
            regions(&classes, &policy),
            Masks::of(&classes, &policy.forbids, &policy.providers, &policy.targets),
        ) else {
            return Ok(());
        };
        let order = Order::new(&classes, regions);
        let mut served = Vec::new();
        for (position, number) in (0..policy.routes.len()).zip(0..) {
            let Action::Serve(serve) = &policy.routes[position].action else { continue };
            let kinds = masks.kinds_of(serve);
            let Ok(masked) = masks.of_all(&kinds, classes.counts()) else { continue };
            match order.one_of(&masked, position) {
                Ok(Some(point)) => {
                    prop_assert!(!masks.responsible(&kinds, &point).is_empty());
                    let Some(example) = classes.example(&point, &[]) else { continue };
                    example.with_facts(program.needs(), |facts| {
                        let decision = program.decide(facts);
                        prop_assert_eq!(decision.route, RouteId(number));
                        let mask = program.forbidden(&decision, &AttemptFacts::default());
                        let open = members(&program, decision.route) & !mask;
                        prop_assert_eq!(open, 0, "{:?}", example);
                        Ok(())
                    })?;
                }
                Ok(None) => served.push((RouteId(number), serve.require)),
                Err(_) => {}
            }
        }
        for request in &requests {
            request.with_facts(program.needs(), |facts| {
                let decision = program.decide(facts);
                let whole = served.iter().any(|(route, require)| *route == decision.route && require.is_empty());
                let mask = program.forbidden(&decision, &AttemptFacts::default());
                let open = members(&program, decision.route) & !mask;
                prop_assert!(!whole || open != 0, "{:?}", request);
                Ok(())
            })?;
        }
    }
}

/// The candidates of a route that are members of its tiers, as bits.
fn members(program: &Program, route: RouteId) -> u64 {
    let candidates = (0..).zip(program.candidates(route));
    let members = candidates.filter(|(_, candidate)| candidate.tier != Candidate::JUMP);
    members.fold(0, |bits, (at, _)| bits | 1 << at)
}

/// The generator makes what the tests are about: routes that no request reaches, and those that some do.
#[test]
fn random_policies_have_both_kinds_of_route() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let (mut reached, mut unreached, mut undecided) = (0, 0, 0);
    for _ in 0..64 {
        let routes = routes(2, 2..7).new_tree(&mut runner).unwrap().current();
        let policy = world::policy(routes, Vec::new());
        let classes = Classes::of_policy(&policy);
        let Some(regions) = regions(&classes, &policy) else {
            undecided += 1;
            continue;
        };
        let order = Order::new(&classes, regions);
        for position in 0..policy.routes.len() {
            match order.left_of(order.region(position).unwrap(), position) {
                Ok(Left::Some(_)) => reached += 1,
                Ok(Left::Nothing(_)) => unreached += 1,
                Err(_) => undecided += 1,
            }
        }
    }
    assert!(
        reached > 100 && unreached > 10 && undecided < 5,
        "{reached} reached, {unreached} not, {undecided} undecided"
    );
}

/// A switch that stands so today is no reason to call something always true or never true.
#[test]
fn switches_decide_nothing() {
    let always = Cond::Any(vec![Cond::Always, Cond::Never]);
    let classes = Classes::of([&always], &[]);
    assert!(classes.region(&always, Switches::Shut).unwrap().is_empty());
    let shut = classes.region_without(&always, Switches::Shut).unwrap();
    assert!(!shut.is_empty());
    assert!(!classes.region(&always, Switches::Open).unwrap().is_empty());
    let stand = classes.region_without(&always, Switches::Stand).unwrap();
    assert!(stand.is_empty());
}
