//! Deciding and lowering, by the number of routes.

use std::hint::black_box;
use std::sync::Arc;

use criterion::Criterion;
use criterion::criterion_group;
use criterion::criterion_main;

use switchover::base::Moment;
use switchover::base::RequestId;
use switchover::engine::Board;
use switchover::engine::Chain;
use switchover::engine::Core;
use switchover::engine::Form;
use switchover::engine::Step;
use switchover::policy::Plan;
use switchover::policy::Program;

use crate::fleet::Request;

#[path = "../tests/support/fleet.rs"]
mod fleet;

/// Requests that take turns, so that no branch or cache line is always the same.
const REQUESTS: u64 = 1_024;

fn decide(c: &mut Criterion) {
    let mut group = c.benchmark_group("decide");
    for routes in [10, 1_000, 10_000] {
        let Ok(program) = Program::lower(&fleet::policy(routes)) else {
            continue;
        };
        let requests: Vec<Request> = (0..REQUESTS)
            .map(|at| Request::number(at, routes))
            .collect();
        let mut turns = requests.iter().map(Request::facts).cycle();
        group.bench_function(format!("{routes} routes"), |b| {
            b.iter(|| turns.next().map(|facts| program.decide(black_box(&facts))));
        });
    }
    group.finish();
}

/// From the facts to the attempt that begins: the route, its candidates' health, the pick, the attempt's timers and its
/// place in flight; and back, as when the client leaves at once.
fn decide_and_begin(c: &mut Criterion) {
    let mut group = c.benchmark_group("decide, pick, begin and abandon");
    for routes in [10, 1_000, 10_000] {
        let Ok(plan) = Plan::new(fleet::policy(routes)) else {
            continue;
        };
        let mut core = Core::new(Arc::new(Board::new(&plan, 1)), &plan, 0);
        let requests: Vec<Request> = (0..REQUESTS)
            .map(|at| Request::number(at, routes))
            .collect();
        let mut turns = requests.iter().map(Request::facts).cycle();
        let mut id = 0;
        group.bench_function(format!("{routes} routes"), |b| {
            b.iter(|| {
                let decision = plan.program.decide(&turns.next()?);
                id += 1;
                let now = Moment::from_nanos(1_000_000_000);
                let mut chain = Chain::new(&plan, decision, Form::Stream, RequestId(id), now);
                let step = chain.next(now, &plan, &mut core);
                if matches!(step, Step::Attempt(_)) {
                    chain.abandoned(now, &plan, &mut core);
                }
                Some(step)
            });
        });
    }
    group.finish();
}

fn forbidden(c: &mut Criterion) {
    let Ok(program) = Program::lower(&fleet::policy(1_000)) else {
        return;
    };
    let request = Request::number(3, 1_000);
    let decision = program.decide(&request.facts());
    let candidates = program.candidates(decision.route).iter();
    let Some(first) = candidates.map(|candidate| candidate.target).next() else {
        return;
    };
    let attempt = fleet::second_attempt(first);
    c.bench_function("forbidden, second attempt", |b| {
        b.iter(|| program.forbidden(black_box(&decision), black_box(&attempt)));
    });
}

fn lower(c: &mut Criterion) {
    let mut group = c.benchmark_group("lower");
    group.sample_size(10);
    for routes in [1_000, 10_000] {
        let policy = fleet::policy(routes);
        group.bench_function(format!("{routes} routes"), |b| {
            b.iter(|| Program::lower(black_box(&policy)));
        });
    }
    group.finish();
}

criterion_group!(benches, decide, decide_and_begin, forbidden, lower);
criterion_main!(benches);
