//! What the engine costs a request: counting, judging, picking, a whole chain.
//!
//! `cargo bench --bench engine`

use std::cell::RefCell;
use std::fmt::Write;
use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use switchover::base::{Moment, Outcome, RequestId, RouteId, Span};
use switchover::engine::{Board, Chain, Core, End, Form, Step};
use switchover::policy::{Decision, Plan, load};

/// `targets` targets of one tier, whose breakers have one rule of each kind.
#[expect(
    clippy::expect_used,
    reason = "without its plan there is nothing to measure"
)]
fn plan(pick: &str, targets: u16) -> Plan {
    let mut providers = String::new();
    let mut members = String::new();
    for index in 0..targets {
        // Writing to a string does not fail.
        let _ = writeln!(
            providers,
            "provider p{index} {{ kind = simulated, capacity {{ max_inflight = 10000 }}, model m = \"m\" }}"
        );
        let _ = write!(members, ", p{index}.m");
    }
    let text = format!(
        "policy 1\n{providers}\
         breaker standard {{ open when error_rate > 25%, open when consecutive >= 5, open when p95(ttft) > 1200ms }}\n\
         defaults {{ breaker = standard, max_attempts = 4 }}\n\
         route default {{ tier 1 {{ pick = {pick}{members} }}, fallback {{ on any -> next, else -> reject(503) }} }}\n"
    );
    let (policy, _) =
        load(&[("bench.policy", text.as_str())], "bench.policy", &[]).expect("a sound policy");
    Plan::new(policy).expect("one route of few targets")
}

const END: End = End {
    outcome: Outcome::Ok,
    retry_after: None,
    model_alone: false,
};

struct Bench {
    plan: Plan,
    core: Core,
    request: u128,
    now: Moment,
}

impl Bench {
    fn new(pick: &str, targets: u16) -> Self {
        let plan = plan(pick, targets);
        let board = Arc::new(Board::new(&plan, 16));
        let core = Core::new(board, &plan, 0);
        let mut bench = Self {
            plan,
            core,
            request: 0,
            now: Moment::START + Span::from_secs(1),
        };
        // Every target has answered before.
        for _ in 0..256 {
            bench.request();
        }
        bench
    }

    fn begin(&mut self) -> Chain {
        self.request += 1;
        self.now = self.now + Span::from_micros(10);
        let affinity = u64::try_from(self.request)
            .unwrap_or(0)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let decision = Decision {
            route: RouteId(0),
            affinity,
            ..Decision::default()
        };
        Chain::new(
            &self.plan,
            black_box(decision),
            Form::Stream,
            RequestId(self.request),
            self.now,
        )
    }

    fn picked(&mut self) -> Chain {
        let mut chain = self.begin();
        let step = chain.next(self.now, &self.plan, &mut self.core);
        assert!(matches!(step, Step::Attempt(_)));
        chain
    }

    fn request(&mut self) {
        let mut chain = self.picked();
        let answered = self.now + Span::from_millis(300);
        chain.content(answered, &self.plan, &mut self.core);
        chain.ended(answered, &self.plan, &mut self.core, END);
    }
}

fn engine(c: &mut Criterion) {
    for pick in [
        "weighted",
        "round_robin",
        "least_busy",
        "least_latency",
        "hash(key.id)",
    ] {
        // The attempt is given up at once: its place in flight must go back.
        let mut bench = Bench::new(pick, 8);
        c.bench_function(&format!("pick/{pick}/8"), |b| {
            b.iter(|| {
                let mut chain = bench.begin();
                let step = chain.next(bench.now, &bench.plan, &mut bench.core);
                chain.abandoned(bench.now, &bench.plan, &mut bench.core);
                step
            });
        });
    }
    let mut bench = Bench::new("weighted", 1);
    c.bench_function("pick/one/1", |b| {
        b.iter(|| {
            let mut chain = bench.begin();
            let step = chain.next(bench.now, &bench.plan, &mut bench.core);
            chain.abandoned(bench.now, &bench.plan, &mut bench.core);
            step
        });
    });
    for (name, outcome) in [("ok", Outcome::Ok), ("bad_request", Outcome::S4xx)] {
        let bench = RefCell::new(Bench::new("weighted", 1));
        c.bench_function(&format!("ended/{name}"), |b| {
            b.iter_batched_ref(
                || bench.borrow_mut().picked(),
                |chain| {
                    let mut bench = bench.borrow_mut();
                    let Bench {
                        plan, core, now, ..
                    } = &mut *bench;
                    chain.ended(
                        *now,
                        plan,
                        core,
                        End {
                            outcome,
                            retry_after: None,
                            model_alone: false,
                        },
                    );
                },
                BatchSize::NumIterations(512),
            );
        });
    }
    let mut bench = Bench::new("weighted", 8);
    c.bench_function("chain/sunny/8", |b| b.iter(|| bench.request()));
    let bench = Bench::new("weighted", 64);
    let mut now = bench.now;
    c.bench_function("tick/64x16", |b| {
        b.iter(|| {
            now = now + Span::from_millis(100);
            bench.core.board().tick(now)
        });
    });
}

criterion_group!(benches, engine);
criterion_main!(benches);
