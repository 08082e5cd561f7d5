//! What the engine costs a request: counting, judging, picking, a whole chain.
//!
//! `cargo bench --bench engine`

use std::cell::RefCell;
use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use switchover::base::{
    BreakerId, Moment, Outcome, OutcomeSet, ProviderId, RequestId, RetriesId, RouteId, Span,
    TargetId,
};
use switchover::engine::{Form, Board, Chain, Core, End, Step};
use switchover::policy::model::{
    Action, At, Auth, Breaker, ClientTls, Cond, FallbackLine, Member, ModelName, Otherwise, Pick,
    Provider, ProviderKind, Reject, Retries, Route, Serve, Server, SlowRule, Target, Then, Tier,
    Timeouts, TimeoutsOverride, Trigger,
};
use switchover::policy::{Caps, Decision, Plan, Policy};

/// `targets` targets of one tier, with the standard breaker and one latency rule.
fn plan(pick: Pick, targets: u16) -> Plan {
    let reject = Reject {
        status: 503,
        message: None,
        retry_after: None,
        at: At::default(),
    };
    let serve = Serve {
        tiers: vec![Tier {
            pick,
            members: (0..targets)
                .map(|i| Member {
                    target: TargetId(i),
                    weight: 1,
                })
                .collect(),
        }],
        fallback: vec![FallbackLine {
            at: At::default(),
            on: Trigger::Outcomes(OutcomeSet::ANY),
            then: Then::Next,
        }],
        otherwise: Otherwise::Reject(reject),
        require: Caps::NONE,
        deadline: Span::from_secs(60),
        attempts_max: 4,
        timeouts: TimeoutsOverride::default(),
    };
    Plan::new(Policy {
        files: vec!["bench.policy".into()],
        hash: 1,
        server: Server {
            listen: "".into(),
            admin: "".into(),
            cores: None,
            body_max: 0,
            tls: None,
            anonymous: false,
            at: At::default(),
        },
        providers: (0..targets).map(provider).collect(),
        targets: (0..targets).map(target).collect(),
        breakers: vec![breaker()],
        retries: vec![Retries {
            name: "standard".into(),
            at: At::default(),
            max: 2,
            budget: 100_000,
            floor_per_s: 3,
            backoff: (Span::from_millis(50), Span::from_millis(500)),
        }],
        aliases: Vec::new(),
        forbids: Vec::new(),
        routes: vec![Route {
            name: "default".into(),
            at: At::default(),
            when: Cond::Always,
            action: Action::Serve(serve),
        }],
    }).expect("the plan is simple")
}

fn breaker() -> Breaker {
    Breaker {
        name: "standard".into(),
        at: At::default(),
        window: Span::from_secs(30),
        min_requests: 20,
        per_core: false,
        count: OutcomeSet::ANY,
        error_rate: Some(250_000),
        consecutive: Some(5),
        slow: vec![SlowRule {
            percentile: 950_000,
            limit: Span::from_millis(1_200),
        }],
        cool_down: (Span::from_secs(15), Span::from_secs(120)),
        probes: 3,
        need: 2,
        share: 50_000,
        obey_retry_after: true,
        throttle_max: Span::from_secs(60),
    }
}

fn provider(index: u16) -> Provider {
    let name = format!("p{index}");
    Provider {
        name: name.as_str().into(),
        at: At::default(),
        kind: ProviderKind::Simulated,
        endpoints: Vec::new(),
        auth: Auth::None,
        tls: ClientTls::default(),
        region: None,
        failure_domain: name.into(),
        trains_on_data: false,
        api_version: None,
        max_inflight: None,
        simulation: None,
    }
}

fn target(index: u16) -> Target {
    Target {
        name: format!("p{index}.m").into(),
        at: At::default(),
        provider: ProviderId(index),
        model: ModelName::Asked,
        context: None,
        caps: None,
        price_in: None,
        price_out: None,
        breaker: BreakerId(0),
        retries: RetriesId(0),
        timeouts: Timeouts {
            connect: Span::from_secs(1),
            ttft: Span::from_secs(8),
            idle: Span::from_secs(15),
        },
        max_inflight: Some(10_000),
    }
}

const END: End = End {
    outcome: Outcome::Ok,
    retry_after: None,
};

struct Bench {
    plan: Plan,
    core: Core,
    request: u128,
    now: Moment,
}

impl Bench {
    fn new(pick: Pick, targets: u16) -> Self {
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

    fn pick(&mut self) -> (Chain, Step) {
        let mut chain = self.begin();
        let step = chain.next(self.now, &self.plan, &mut self.core);
        (chain, step)
    }

    fn request(&mut self) -> Chain {
        let (mut chain, step) = self.pick();
        assert!(matches!(step, Step::Attempt(_)));
        let answered = self.now + Span::from_millis(300);
        chain.content(answered, &self.plan, &mut self.core);
        chain.ended(answered, &self.plan, &mut self.core, END);
        chain
    }
}

fn engine(c: &mut Criterion) {
    let strategies = [
        ("weighted", Pick::Weighted),
        ("round_robin", Pick::RoundRobin),
        ("least_busy", Pick::LeastBusy),
        ("least_latency", Pick::LeastLatency),
        ("hash", Pick::Hash(Vec::new())),
    ];
    for (name, pick) in strategies {
        // The attempt is given up at once: its place in flight must go back.
        let mut bench = Bench::new(pick, 8);
        c.bench_function(&format!("pick/{name}/8"), |b| {
            b.iter(|| {
                let (mut chain, step) = bench.pick();
                chain.abandoned(bench.now, &bench.plan, &mut bench.core);
                step
            });
        });
    }
    let mut bench = Bench::new(Pick::Weighted, 1);
    c.bench_function("pick/one/1", |b| {
        b.iter(|| {
            let (mut chain, step) = bench.pick();
            chain.abandoned(bench.now, &bench.plan, &mut bench.core);
            step
        });
    });
    for (name, outcome) in [("ok", Outcome::Ok), ("bad_request", Outcome::S4xx)] {
        let bench = RefCell::new(Bench::new(Pick::Weighted, 1));
        c.bench_function(&format!("ended/{name}"), |b| {
            b.iter_batched_ref(
                || bench.borrow_mut().pick().0,
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
                        },
                    );
                },
                BatchSize::NumIterations(512),
            );
        });
    }
    let mut bench = Bench::new(Pick::Weighted, 8);
    c.bench_function("chain/sunny/8", |b| b.iter(|| bench.request()));
    let bench = Bench::new(Pick::Weighted, 64);
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
