//! `policy::trace` against the program: the explanation of a decision is about the decision.

use proptest::collection::vec;
use proptest::prelude::ProptestConfig;
use proptest::{prop_assert, prop_assert_eq, proptest};

use switchover::policy::{Plan, trace};

use crate::program::world::{self, Reads};

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_explained_is_what_was_decided(
        routes in super::routes(2, 0..8),
        forbids in vec(world::cond(Reads::Everything, 2), 0..4),
        requests in vec(world::request(), 4),
        attempts in vec(world::attempt(), 3),
    ) {
        let plan = Plan::new(world::policy(routes, forbids)).unwrap();
        for request in &requests {
            request.with_facts(plan.program.needs(), |facts| {
                let decision = plan.program.decide(facts);
                let looked = trace::routes(&plan, facts);
                let (taken, above) = looked.split_last().unwrap();
                prop_assert_eq!(taken.route, decision.route);
                prop_assert!(taken.matches);
                for route in above {
                    prop_assert!(!route.matches && !route.because.is_empty(), "{:?}", route);
                }
                for attempt in &attempts {
                    let masked = plan.program.forbidden(&decision, attempt);
                    let lacking = plan.program.candidates(decision.route).iter().map(|it| {
                        let target = &plan.policy.targets[it.target.index()];
                        let switchover::policy::model::Action::Serve(serve) =
                            &plan.policy.routes[decision.route.index()].action
                        else {
                            return false;
                        };
                        target.lacks_any(serve.require)
                    });
                    let lacking: Vec<bool> = lacking.collect();
                    let told = trace::forbids(&plan, decision.route, facts, *attempt);
                    for (index, candidate) in
                        plan.program.candidates(decision.route).iter().enumerate()
                    {
                        let by_forbid = told.iter().any(|it| it.masks.contains(&candidate.target));
                        prop_assert_eq!(masked >> index & 1 == 1, by_forbid || lacking[index]);
                    }
                }
                Ok(())
            })?;
        }
    }
}
