//! The plan that copies run by: the same tables of providers and targets under the same ids, and the same routes, of
//! which those with a `shadow` have one target and one attempt. Whoever runs by it cannot reach another target, repeat,
//! hedge or go on with a broken stream, whatever happens.

use crate::base::RouteId;
use crate::policy::facts::Facts;
use crate::policy::model::AttemptFacts;
use crate::policy::model::{
    Action, Cond, Member, MidStream, Otherwise, Panic, Pick, Reject, Serve, Shadow, Tier,
};
use crate::policy::program::lower;
use crate::policy::program::{Decision, Plan};

impl Plan {
    /// The plan of the copies, `None` where no route has a shadow.
    pub fn of_shadows(&self) -> Option<Self> {
        let mut policy = self.policy.clone();
        let mut any = false;
        for route in &mut policy.routes {
            route.when = Cond::Always;
            route.guard = None;
            let reject = Reject {
                status: 503,
                message: None,
                retry_after: None,
                at: route.at,
            };
            let shadow = match &route.action {
                Action::Serve(serve) => serve.shadow.map(|shadow| (shadow, serve)),
                Action::Reject(_) => None,
            };
            any |= shadow.is_some();
            route.action = match shadow {
                Some((shadow, serve)) => Action::Serve(alone(shadow, serve, reject)),
                None => Action::Reject(reject),
            };
        }
        if !any {
            return None;
        }
        // The same forbids for the same targets were lowered once, and routes with one target are no harder.
        let program = lower::reading(&policy, self.program.needs.clone()).ok()?;
        Some(Self { policy, program })
    }

    /// What a request that `route` takes says about the route's only target; `None` if it is masked. The facts are those
    /// that the plan reads which this one was made of.
    pub fn decide_copy(&self, route: RouteId, facts: &Facts<'_>) -> Option<Decision> {
        let decision = self.program.decide_for(route, facts);
        let masked = self.program.forbidden(&decision, &AttemptFacts::default());
        (masked == 0).then_some(decision)
    }
}

/// One target, one attempt, and the route's own timers.
fn alone(shadow: Shadow, route: &Serve, reject: Reject) -> Serve {
    Serve {
        tiers: vec![Tier {
            pick: Pick::Weighted,
            members: vec![Member {
                target: shadow.target,
                weight: 1,
            }],
        }],
        spill: None,
        fallback: Vec::new(),
        otherwise: Otherwise::Reject(reject),
        require: route.require,
        deadline: route.deadline,
        attempts_max: 1,
        timeouts: route.timeouts,
        mid_stream: MidStream::Error,
        panic: Panic::Fail,
        strict: false,
        sticky: Vec::new(),
        hedge: None,
        shadow: Some(shadow),
    }
}
