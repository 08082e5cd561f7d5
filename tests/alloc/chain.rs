//! The engine: a chain that fails over twice, is paused and answered, with everything that it makes breakers, digests
//! and retry budgets count.

use std::sync::Arc;

use allocation_counter::measure;

use switchover::base::{Moment, Outcome, RequestId, RouteId, Span};
use switchover::engine::{Board, Chain, Core, End, Form, Step};
use switchover::policy::{Decision, Plan, load};

const POLICY: &str = "policy 1
provider a { kind = simulated, model m = \"m\" }
provider b { kind = simulated, model m = \"m\" }
provider c { kind = simulated, model m = \"m\" }
breaker quick { min_requests = 3, open when error_rate > 50%, open when p95(ttft) > 200ms }
retries twice { max = 2, budget = 100%, floor = 1000/s, backoff = 1ms..2ms }
defaults { breaker = quick, retries = twice, max_attempts = 8, deadline = 60s }
route default {
  tier 1 { pick = PICK, a.m, b.m }
  tier 2 { c.m }
  fallback { on any -> next, else -> reject(503) }
}
";

#[test]
fn a_chain_allocates_nothing_whatever_the_pick() {
    for pick in [
        "weighted",
        "round_robin",
        "least_busy",
        "least_latency",
        "hash(key.id)",
    ] {
        let text = POLICY.replace("PICK", pick);
        let (policy, _) = load(&[("p.policy", text.as_str())], "p.policy", &[]).unwrap();
        let plan = Plan::new(policy).unwrap();
        let board = Arc::new(Board::new(&plan, 1));
        let mut core = Core::new(Arc::clone(&board), &plan, 0);
        let mut attempts = 0;
        let count = measure(|| {
            for number in 1..200 {
                let now = Moment::START + Span::from_millis(40 * number);
                attempts += request(number, now, &plan, &mut core);
            }
        });
        assert_eq!(count.count_total, 0, "{pick}");
        assert!(attempts > 300, "{pick}: {attempts}");
        board.tick(Moment::START + Span::from_secs(20));
    }
}

/// Two attempts fail and one answers, if the chain goes so far; how many there were.
fn request(number: u64, now: Moment, plan: &Plan, core: &mut Core) -> u32 {
    let decision = Decision {
        route: RouteId(0),
        affinity: number,
        ..Decision::default()
    };
    let id = RequestId(u128::from(number));
    let mut chain = Chain::new(plan, decision, Form::Stream, id, now);
    let (mut now, mut attempts) = (now, 0);
    loop {
        match chain.next(now, plan, core) {
            Step::Attempt(_) => attempts += 1,
            Step::Wait(until) => {
                now = until;
                continue;
            }
            Step::Finish(_) => return attempts,
        }
        now = now + Span::from_millis(5);
        let outcome = match attempts {
            1 => Outcome::S5xx,
            2 => Outcome::S429,
            _ => Outcome::Ok,
        };
        if outcome == Outcome::Ok {
            chain.content(now, plan, core);
        }
        let retry_after = (outcome == Outcome::S429).then_some(Span::from_millis(10));
        chain.ended(
            now,
            plan,
            core,
            End {
                outcome,
                retry_after,
                model_alone: false,
            },
        );
        if outcome == Outcome::Ok {
            return attempts;
        }
    }
}
