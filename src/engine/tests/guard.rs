//! Guards: what is counted of a request, when a route is withdrawn and when it is not, and how it comes back.

use std::sync::Arc;

use crate::base::{Moment, Outcome, RequestId, RouteId, Span, hash};
use crate::engine::{
    Board, Chain, Core, End, Form, GuardChange, GuardStatus, Predecessor, Rule, Step, WhyWithdrawn,
};
use crate::policy::{Decision, Plan, load};

const CANARY: RouteId = RouteId(0);
const STABLE: RouteId = RouteId(1);

struct World {
    text: String,
    plan: Plan,
    board: Arc<Board>,
    cores: Vec<Core>,
    now: Moment,
    asked: u64,
}

/// What a request meets at the first tier; the second one is always well.
#[derive(Clone, Copy)]
enum First {
    Ok(u64),
    Fails(Outcome),
    /// Nothing for so many milliseconds.
    Silent(u64),
    /// The client leaves.
    Left,
}

impl World {
    fn new(rules: &str) -> Self {
        let text = format!(
            "policy 1\n\
             breaker never {{ open when consecutive >= 1000000 }}\n\
             provider a {{ kind = simulated, model new = \"n\", model old = \"o\" }}\n\
             provider b {{ kind = simulated, model old = \"o\" }}\n\
             defaults {{ breaker = never }}\n\
             route canary when req.model == \"n\" {{\n\
               tier 1 {{ a.new }}, tier 2 {{ b.old }}\n\
               guard {{ compare = route.stable, window = 10m, min_requests = 200, {rules} }}\n\
             }}\n\
             route stable when req.model == \"o\" {{ tier 1 {{ a.old }}, tier 2 {{ b.old }} }}\n\
             route default {{ reject(404) }}\n"
        );
        let (policy, _) = load(&[("p.policy", text.as_str())], "p.policy", &[])
            .unwrap_or_else(|found| panic!("{}", found.render(false)));
        let plan = Plan::new(policy).unwrap();
        let board = Arc::new(Board::new(&plan, 2));
        let cores = (0..2).map(|index| Core::new(Arc::clone(&board), &plan, index));
        Self {
            cores: cores.collect(),
            text,
            plan,
            board,
            now: Moment::START,
            asked: 0,
        }
    }

    /// One request of a stream, on the cores in turn.
    fn ask(&mut self, route: RouteId, first: First) {
        self.asked += 1;
        let core = &mut self.cores[usize::from(self.asked.is_multiple_of(2))];
        let decision = Decision {
            route,
            ..Decision::default()
        };
        let id = RequestId(hash::mix(1, self.asked).into());
        let mut now = self.now;
        let mut chain = Chain::new(&self.plan, decision, Form::Stream, id, now);
        let end = |outcome| End {
            outcome,
            retry_after: None,
            model_alone: false,
        };
        let Step::Attempt(attempt) = chain.next(now, &self.plan, core) else {
            panic!("somebody is well")
        };
        let target = &self.plan.policy.targets[attempt.target.index()];
        match if target.name.starts_with("a.") {
            first
        } else {
            OK
        } {
            First::Left => chain.abandoned(now, &self.plan, core),
            First::Ok(ms) => {
                now = now + Span::from_millis(ms);
                chain.content(now, &self.plan, core);
                chain.ended(now, &self.plan, core, end(Outcome::Ok));
            }
            First::Fails(_) | First::Silent(_) => {
                let outcome = match first {
                    First::Fails(outcome) => outcome,
                    _ => Outcome::Ttft,
                };
                if let First::Silent(ms) = first {
                    now = now + Span::from_millis(ms);
                }
                chain.ended(now, &self.plan, core, end(outcome));
                if let Step::Attempt(_) = chain.next(now, &self.plan, core) {
                    chain.content(now, &self.plan, core);
                    chain.ended(now, &self.plan, core, end(Outcome::Ok));
                }
            }
        }
        chain.concluded(&self.plan, core);
    }

    fn ask_many(&mut self, route: RouteId, count: u64, first: First) {
        (0..count).for_each(|_| self.ask(route, first));
    }

    /// Time passes, with a tick every second.
    fn pass(&mut self, seconds: u64) -> Vec<GuardChange> {
        let mut changes = Vec::new();
        for _ in 0..seconds {
            self.now = self.now + Span::from_secs(1);
            changes.extend(self.board.judge_guards(self.now));
        }
        changes
    }

    fn open_breaker_of_stable(&self) {
        let target = self.plan.program.candidates(STABLE)[0].target;
        let cell = self.board.cell(target).unwrap();
        let gate = cell.gate(0).unwrap();
        gate.open(gate.word(), Rule::ErrorRate, self.now, &cell.rules);
    }

    fn status(&self) -> GuardStatus {
        self.board.guard_status().remove(0)
    }

    fn withdrawn(&self) -> bool {
        let all: Vec<bool> = self
            .cores
            .iter()
            .map(|core| core.is_withdrawn(CANARY))
            .collect();
        assert_eq!(all[0], all[1], "all cores at once");
        assert!(!self.cores[0].is_withdrawn(STABLE));
        all[0]
    }
}

const OK: First = First::Ok(100);
const FAILS: First = First::Fails(Outcome::S5xx);
const ERRORS: &str = "stop when delta(error_rate) > 1%";

#[test]
fn a_canary_that_fails_is_withdrawn_although_its_clients_see_nothing_of_it() {
    let mut world = World::new(ERRORS);
    world.ask_many(STABLE, 2_000, OK);
    world.ask_many(CANARY, 180, OK);
    world.ask_many(CANARY, 19, FAILS);
    assert!(world.pass(2).is_empty(), "199 requests are too few");
    world.ask_many(CANARY, 1, FAILS);
    let changes = world.pass(1);
    assert!(world.withdrawn());
    let [change] = changes.as_slice() else {
        panic!("{changes:?}")
    };
    assert_eq!(change.withdrawn, Some(WhyWithdrawn::Rule(0)));
    assert_eq!(change.rule.unwrap().to_string(), "delta(error_rate) > 1%");
    let canary = &change.window.canary;
    assert_eq!((canary.requests, canary.failures), (200, 20));
    assert_eq!(world.status().withdrawals, 1);
    assert!(world.pass(3_600).is_empty(), "it stays withdrawn");
    let kept = world.status().window;
    assert_eq!(
        kept.canary.requests, 200,
        "what the judgement was about is kept"
    );
}

#[test]
fn what_chance_explains_withdraws_nobody() {
    // 1 % and 3.5 %: more than the rule allows, and yet one of a few hundred windows of two equal routes.
    let mut world = World::new(ERRORS);
    world.ask_many(STABLE, 1_980, OK);
    world.ask_many(STABLE, 20, FAILS);
    world.ask_many(CANARY, 193, OK);
    world.ask_many(CANARY, 7, FAILS);
    assert!(world.pass(2).is_empty());
    // The same rates from five times the requests are no chance.
    world.ask_many(STABLE, 4 * 1_980, OK);
    world.ask_many(STABLE, 4 * 20, FAILS);
    world.ask_many(CANARY, 4 * 193, OK);
    world.ask_many(CANARY, 4 * 7, FAILS);
    assert_eq!(world.pass(1).len(), 1);
}

#[test]
fn a_fault_of_both_routes_withdraws_nobody() {
    let mut world =
        World::new("stop when delta(error_rate) > 1%, stop when ratio(error_rate) > 1.5");
    for _ in 0..20 {
        world.ask_many(STABLE, 50, FAILS);
        world.ask_many(STABLE, 50, OK);
        world.ask_many(CANARY, 10, FAILS);
        world.ask_many(CANARY, 10, OK);
        assert!(world.pass(10).is_empty());
    }
}

#[test]
fn a_slow_canary_is_withdrawn_and_an_equal_one_is_not() {
    for (ms, rule, withdrawn) in [
        (125, "stop when ratio(p95(ttft)) > 1.3", false),
        (150, "stop when ratio(p95(ttft)) > 1.3", true),
        (250, "stop when delta(p95(ttft)) > 200ms", false),
        (450, "stop when delta(p95(ttft)) > 200ms", true),
    ] {
        let mut world = World::new(rule);
        world.ask_many(STABLE, 1_000, OK);
        world.ask_many(CANARY, 180, OK);
        world.ask_many(CANARY, 60, First::Ok(ms));
        assert_eq!(
            world.pass(1).len(),
            usize::from(withdrawn),
            "{ms} ms, {rule}"
        );
    }
}

#[test]
fn silence_is_a_time_too() {
    let mut world = World::new("stop when ratio(p95(ttft)) > 1.3");
    world.ask_many(STABLE, 1_000, OK);
    world.ask_many(CANARY, 180, OK);
    world.ask_many(CANARY, 60, First::Silent(30_000));
    assert_eq!(world.pass(1).len(), 1);
}

#[test]
fn a_window_forgets() {
    let mut world = World::new(ERRORS);
    world.ask_many(STABLE, 2_000, OK);
    world.ask_many(CANARY, 150, FAILS);
    assert!(world.pass(601).is_empty());
    world.ask_many(STABLE, 2_000, OK);
    world.ask_many(CANARY, 200, OK);
    assert!(world.pass(1).is_empty());
    assert_eq!(world.status().window.canary.requests, 200);
    assert!(!world.withdrawn());
}

#[test]
fn a_client_that_leaves_tells_nothing() {
    let mut world = World::new(ERRORS);
    world.ask_many(CANARY, 10, First::Left);
    world.pass(1);
    let canary = world.status().window.canary;
    assert_eq!((canary.requests, canary.asked), (10, 0));
}

#[test]
fn a_canary_that_is_not_asked_any_more_is_judged_by_what_it_was_asked() {
    let mut world = World::new(ERRORS);
    world.ask_many(STABLE, 2_000, OK);
    // The model is gone: all others pass it over.
    world.ask_many(CANARY, 1, First::Fails(Outcome::ModelGone));
    world.ask_many(CANARY, 150, OK);
    assert!(world.pass(1).is_empty());
    let canary = world.status().window.canary;
    assert_eq!(
        (canary.requests, canary.asked, canary.failures),
        (151, 1, 1)
    );
    for _ in 0..20 {
        world.pass(60);
        world.ask_many(STABLE, 2_000, OK);
        world.ask_many(CANARY, 40, First::Fails(Outcome::ModelGone));
    }
    assert!(
        world.withdrawn(),
        "{:?}",
        world.status().window.canary.asked
    );
}

#[test]
fn an_incident_of_the_baseline_is_left_out() {
    let mut world = World::new(ERRORS);
    world.ask_many(STABLE, 2_000, OK);
    world.ask_many(CANARY, 195, OK);
    assert!(world.pass(300).is_empty());
    // Both fail until their breakers open: the same number of failures, of ten times and of a tenth of the traffic.
    world.ask_many(STABLE, 30, FAILS);
    world.ask_many(CANARY, 30, FAILS);
    world.open_breaker_of_stable();
    assert!(world.pass(60).is_empty());
    assert_eq!(
        world.status().window.canary.requests,
        0,
        "the window begins anew"
    );
    world.ask_many(STABLE, 2_000, OK);
    world.ask_many(CANARY, 200, FAILS);
    assert!(world.pass(1).is_empty(), "there is nothing to compare with");
    assert_eq!(world.status().window.baseline.asked, 0);
    // Back by probes and a ramp, and the canary still fails.
    for _ in 0..200 {
        world.board.tick(world.now);
        world.ask_many(STABLE, 20, OK);
        world.ask_many(CANARY, 2, FAILS);
        world.pass(1);
    }
    assert!(world.withdrawn());
}

#[test]
fn an_operator_is_obeyed_and_a_resumed_route_begins_anew() {
    let mut world = World::new(ERRORS);
    assert!(!world.board.withdraw(STABLE), "it has no guard");
    assert!(world.board.withdraw(CANARY) && world.withdrawn());
    let changes = world.pass(1);
    assert_eq!(changes[0].withdrawn, Some(WhyWithdrawn::Operator));
    assert!(world.board.resume(CANARY) && !world.withdrawn());
    assert_eq!(world.pass(1)[0].withdrawn, None);
    world.ask_many(STABLE, 2_000, OK);
    world.ask_many(CANARY, 200, FAILS);
    assert_eq!(world.pass(1)[0].withdrawn, Some(WhyWithdrawn::Rule(0)));
    // What it was withdrawn for is not held against it again.
    assert!(world.board.resume(CANARY));
    assert_eq!(world.pass(100).len(), 1);
    assert!(!world.withdrawn());
    assert_eq!(world.status().withdrawals, 2);
}

#[test]
fn a_reload_keeps_what_a_guard_knows_while_it_judges_the_same() {
    let mut world = World::new(ERRORS);
    world.ask_many(CANARY, 30, OK);
    world.pass(1);
    world.board.withdraw(CANARY);
    for (rules, model, kept) in [
        (ERRORS, "n", true),
        ("stop when delta(error_rate) > 2%", "n", false),
        (ERRORS, "n2", false),
    ] {
        let text = world.text.replace(ERRORS, rules);
        let text = text.replace("model new = \"n\"", &format!("model new = \"{model}\""));
        let (policy, _) = load(&[("p.policy", text.as_str())], "p.policy", &[]).unwrap();
        let plan = Plan::new(policy).unwrap();
        let predecessor = Predecessor {
            board: &world.board,
            plan: &world.plan,
            same_key: &|_| None,
        };
        let next = Board::following(&plan, &predecessor);
        next.judge_guards(world.now + Span::from_secs(1));
        let status = next.guard_status().remove(0);
        assert_eq!(status.withdrawn.is_some(), kept, "{rules} {model}");
        let requests = if kept { 30 } else { 0 };
        assert_eq!(status.window.canary.requests, requests, "{rules} {model}");
        // Requests of the old plan that are over now count for both.
        if kept {
            let tally = world.board.guards().tally(CANARY, 0).unwrap();
            let mine = next.guards().tally(CANARY, 0).unwrap();
            assert!(std::ptr::eq(tally, mine));
        }
    }
}

/// Hours of two equal routes, in which no canary may be withdrawn. `SWITCHOVER_DAYS=100` for so many whole days: it prints
/// how often one was.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a long run is asked for by a variable"
)]
fn an_equal_canary_is_not_withdrawn_by_chance() {
    let asked = std::env::var("SWITCHOVER_DAYS").ok();
    let days = asked.as_ref().map_or(3, |days| days.parse().unwrap());
    let hours = if asked.is_some() { 24 } else { 3 };
    let mut alarms = 0;
    for day in 0..days {
        // Failures in a thousand, and canary requests in ten seconds: 200 to 2,000 in a window.
        let (failures, rate) = ([1, 10, 50][day % 3], [4, 10, 34][day / 3 % 3]);
        alarms += false_alarms(day as u64, hours, failures, rate);
    }
    if asked.is_some() {
        eprintln!("{alarms} withdrawals of equal canaries in {days} days");
    } else {
        assert_eq!(alarms, 0);
    }
}

/// So many hours of a canary that has a twentieth of the requests and is as its baseline.
fn false_alarms(seed: u64, hours: u64, failures: u64, rate: u64) -> usize {
    let mut world = World::new(
        "stop when delta(error_rate) > 1%, stop when ratio(error_rate) > 1.5, \
         stop when ratio(p95(ttft)) > 1.3",
    );
    let mut draws = 0;
    let mut draw = || {
        draws += 1;
        hash::mix(seed ^ 0x6361_6e61, draws)
    };
    let mut alarms = 0;
    for _ in 0..hours * 360 {
        for (route, count) in [(CANARY, rate), (STABLE, rate * 19)] {
            let tally = world.board.guards().tally(route, 0).unwrap();
            for _ in 0..count {
                let fails = draw() % 1_000 < failures;
                tally.over();
                tally.asked(!fails);
                if !fails {
                    // Times with a heavy tail: 20 ms to minutes, the median at 40 ms.
                    let place = draw() % 1_000_000 + 1;
                    tally.ttft(Span::from_micros(20_000_000_000 / place));
                }
            }
        }
        for change in world.pass(10) {
            alarms += usize::from(change.withdrawn.is_some());
            world.board.resume(CANARY);
        }
    }
    alarms
}
