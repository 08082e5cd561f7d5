//! Deciding: from facts to a route, and from an attempt to a mask.

use std::hint::black_box;

use allocation_counter::measure;

use switchover::policy::Program;

use crate::fleet;
use crate::fleet::Request;

#[test]
fn deciding_allocates_nothing() {
    for routes in [10, 3_000] {
        let program = Program::lower(&fleet::policy(routes)).unwrap();
        let requests: Vec<Request> = (0..500).map(|at| Request::number(at, routes)).collect();
        let mut masks = 0;
        let allocations = measure(|| {
            for request in &requests {
                let decision = program.decide(&request.facts());
                let candidates = program.candidates(decision.route);
                let attempt = fleet::second_attempt(candidates[0].target);
                masks |= program.forbidden(&decision, &attempt);
            }
        });
        assert_eq!(allocations.count_total, 0);
        assert_ne!(masks, 0);
    }
    // The counter counts.
    assert_eq!(measure(|| drop(black_box(Box::new(1)))).count_total, 1);
}
