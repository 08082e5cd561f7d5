//! A small plan, its board and its cores, with time that only moves when told to.

use std::sync::Arc;

use crate::base::{
    BreakerId, Moment, Outcome, OutcomeSet, ProviderId, RequestId, RetriesId, RouteId, Span,
    TargetId, hash,
};
use crate::engine::{
    Attempt, Board, Chain, Core, End, Finish, Form, KeyPlace, Predecessor, Rule, State, Step,
    TargetStatus,
};
use crate::policy::model::{
    Action, At, Auth, AuthStyle, Breaker, Cond, FallbackLine, Forbid, Hedge, KeyPick, MaxInflight,
    Member, MidStream, ModelName, Otherwise, Panic, Pick, Provider, ProviderKind, Queue, Ramp,
    Reject, Retries, Route, SecretRef, SecretSource, Serve, Server, ServerBounds, Spill, Target,
    Test, Then, Tier, Timeouts, TimeoutsOverride, Trigger,
};
use crate::policy::{Caps, Decision, Plan, Policy};

pub(super) const MS: Span = Span::from_millis(1);
pub(super) const SECOND: Span = Span::from_secs(1);

/// Everything that a test may change before the board is made.
pub(super) struct Setup {
    /// One target each, named `a`, `b`, …, each at a provider of its own; weights by tier.
    pub(super) tiers: Vec<(Pick, Vec<u32>)>,
    /// Further targets that no tier names.
    pub(super) spare: usize,
    pub(super) cores: usize,
    pub(super) breaker: Breaker,
    pub(super) retries: Retries,
    pub(super) max_inflight: Option<MaxInflight>,
    pub(super) queue: Option<Queue>,
    pub(super) spill: Option<Spill>,
    pub(super) fallback: Vec<(Trigger, Then)>,
    pub(super) otherwise: Otherwise,
    pub(super) attempts_max: u8,
    pub(super) deadline: Span,
    pub(super) panic: Panic,
    pub(super) hedge: Option<Hedge>,
    /// How many keys each provider has, and which a request takes.
    pub(super) keys: (u16, KeyPick),
    /// All targets are models of the provider of `a`.
    pub(super) one_provider: bool,
    /// No attempt where the last one ended so.
    pub(super) forbid_after: OutcomeSet,
    /// The context windows of `a`, `b`, … in tokens, as far as they are known.
    pub(super) windows: Vec<Option<u64>>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            tiers: vec![(Pick::Weighted, vec![1]), (Pick::Weighted, vec![1])],
            spare: 0,
            cores: 1,
            breaker: breaker(),
            retries: Retries {
                name: "none".into(),
                at: At::default(),
                max: 0,
                budget: 100_000,
                floor_per_s: 3,
                backoff: (Span::from_millis(50), Span::from_millis(500)),
            },
            max_inflight: None,
            queue: None,
            spill: None,
            fallback: vec![(Trigger::Outcomes(OutcomeSet::ANY), Then::Next)],
            otherwise: Otherwise::Reject(reject(503)),
            attempts_max: 4,
            deadline: Span::from_secs(60),
            panic: Panic::Fail,
            hedge: None,
            keys: (1, KeyPick::default()),
            one_provider: false,
            forbid_after: OutcomeSet::EMPTY,
            windows: Vec::new(),
        }
    }
}

pub(super) fn breaker() -> Breaker {
    Breaker {
        name: "standard".into(),
        at: At::default(),
        window: Span::from_secs(30),
        min_requests: 20,
        per_core: false,
        count: OutcomeSet::ANY,
        error_rate: Some(250_000),
        consecutive: Some(5),
        slow: Vec::new(),
        cool_down: (Span::from_secs(15), Span::from_secs(120)),
        probes: 1,
        need: 2,
        share: 50_000,
        ramp: Ramp::BUILT_IN,
        step: SECOND,
        obey_retry_after: true,
        throttle_max: Span::from_secs(60),
    }
}

pub(super) fn reject(status: u16) -> Reject {
    Reject {
        status,
        message: None,
        retry_after: None,
        at: At { file: 0, line: 7 },
    }
}

/// The target called `name`.
pub(super) fn target(name: char) -> TargetId {
    TargetId(u16::try_from(u32::from(name) - u32::from('a')).unwrap())
}

pub(super) fn name(target: TargetId) -> char {
    char::from(b'a' + u8::try_from(target.0).unwrap())
}

impl Setup {
    pub(super) fn build(self) -> World {
        self.build_from(self.plan())
    }

    /// The same for a plan that was changed beyond what a setup can say.
    pub(super) fn build_from(&self, plan: Plan) -> World {
        let (board, cores) = engine(&plan, self.cores);
        World {
            plan,
            board,
            cores,
            now: BEGINNING,
            requests: 0,
            affinity: 0,
            sticky: None,
        }
    }

    #[expect(clippy::too_many_lines, reason = "one literal: a policy written out")]
    pub(super) fn plan(&self) -> Plan {
        let mut names = 'a'..='z';
        let mut targets = Vec::new();
        let mut tiers = Vec::new();
        for (pick, weights) in &self.tiers {
            let members = weights
                .iter()
                .map(|&weight| {
                    targets.push(self.target(names.next().unwrap()));
                    Member {
                        target: TargetId(u16::try_from(targets.len() - 1).unwrap()),
                        weight,
                    }
                })
                .collect();
            tiers.push(Tier {
                pick: pick.clone(),
                members,
            });
        }
        targets.extend(names.take(self.spare).map(|name| self.target(name)));
        let fallback = self
            .fallback
            .iter()
            .map(|(on, then)| FallbackLine {
                at: At::default(),
                on: *on,
                then: then.clone(),
            })
            .collect();
        let serve = Serve {
            spill: self.spill.clone().map(Box::new),
            tiers,
            fallback,
            otherwise: self.otherwise.clone(),
            require: Caps::NONE,
            deadline: self.deadline,
            attempts_max: self.attempts_max,
            timeouts: TimeoutsOverride::default(),
            hedge: self.hedge.clone().map(Box::new),
            shadow: None,
            mid_stream: MidStream::Error,
            panic: self.panic,
            strict: false,
            sticky: Vec::new(),
        };
        let route = |name: &str, action| Route {
            name: name.into(),
            at: At::default(),
            when: Cond::Always,
            action,
            guard: None,
        };
        Plan::new(Policy {
            files: vec!["test.policy".into()],
            hash: 1,
            server: server(),
            providers: targets
                .iter()
                .map(|target| Provider {
                    auth: auth(self.keys),
                    ..provider(&target.name)
                })
                .collect(),
            targets,
            breakers: vec![self.breaker.clone()],
            retries: vec![self.retries.clone()],
            telemetry: crate::policy::model::Telemetry::default(),
            records: None,
            aliases: Vec::new(),
            forbids: vec![Forbid {
                name: "after".into(),
                at: At::default(),
                when: Cond::Test(Test::LastOutcome(self.forbid_after)),
            }],
            trials: Vec::new(),
            drills: Vec::new(),
            proofs: Vec::new(),
            routes: vec![
                route("serve", Action::Serve(serve)),
                route("default", Action::Reject(reject(404))),
            ],
        })
        .unwrap()
    }

    fn target(&self, name: char) -> Target {
        Target {
            name: name.to_string().into(),
            at: At::default(),
            provider: ProviderId(if self.one_provider { 0 } else { target(name).0 }),
            model: ModelName::Asked,
            context: self.windows.get(target(name).index()).copied().flatten(),
            max_output: None,
            caps: Caps::NONE,
            lacks: Caps::NONE,
            price_in: None,
            price_out: None,
            price_cache_read: None,
            price_cache_write: None,
            breaker: BreakerId(0),
            retries: RetriesId(0),
            timeouts: Timeouts {
                connect: SECOND,
                head: None,
                ttft: Span::from_secs(8),
                idle: Span::from_secs(15),
            },
            max_inflight: self.max_inflight,
            queue: self.queue,
        }
    }
}

/// A gateway without anything around its engine.
pub(super) struct World {
    pub(super) plan: Plan,
    pub(super) board: Arc<Board>,
    pub(super) cores: Vec<Core>,
    pub(super) now: Moment,
    pub(super) affinity: u64,
    pub(super) sticky: Option<u64>,
    requests: u64,
}

fn engine(plan: &Plan, cores: usize) -> (Arc<Board>, Vec<Core>) {
    let board = Arc::new(Board::seeded(plan, cores, 11));
    let core = |index| Core::new(Arc::clone(&board), plan, index);
    let cores = (0..cores).map(core).collect();
    (board, cores)
}

const BEGINNING: Moment = Moment::from_nanos(1_000_000_000);

impl World {
    /// Another plan takes over; gives what requests of the old one go on with. `same_key` tells where a key was before.
    pub(super) fn follow(
        &mut self,
        plan: Plan,
        same_key: &dyn Fn(KeyPlace) -> Option<KeyPlace>,
    ) -> Self {
        let old = Predecessor {
            board: &self.board,
            plan: &self.plan,
            same_key,
        };
        let board = Arc::new(Board::following(&plan, &old));
        let follow = |core: &mut Core| Core::following(Arc::clone(&board), &plan, core, &self.plan);
        let cores = self.cores.iter_mut().map(follow).collect();
        let new = Self {
            plan,
            board,
            cores,
            sticky: self.sticky,
            ..*self
        };
        std::mem::replace(self, new)
    }

    /// Begins anew, under the same plan.
    pub(super) fn renew(&mut self) {
        (self.board, self.cores) = engine(&self.plan, self.cores.len());
        self.now = BEGINNING;
        self.requests = 0;
    }

    /// A request of the first route.
    pub(super) fn chain(&mut self) -> Chain {
        self.masked(0)
    }

    /// One whose candidates are masked by these bits.
    pub(super) fn masked(&mut self, forbidden: u64) -> Chain {
        self.requests += 1;
        let id = RequestId(u128::from(hash::mix(5, self.requests)) << 64 | 1);
        let decision = Decision {
            route: RouteId(0),
            forbidden,
            armed: u64::MAX,
            affinity: self.affinity,
            sticky: self.sticky,
            shadowed: false,
        };
        Chain::new(&self.plan, decision, Form::Stream, id, self.now)
    }

    pub(super) fn next(&mut self, chain: &mut Chain, core: usize) -> Step {
        chain.next(self.now, &self.plan, &mut self.cores[core])
    }

    pub(super) fn attempt(&mut self, chain: &mut Chain, core: usize) -> Attempt {
        match self.next(chain, core) {
            Step::Attempt(attempt) => attempt,
            other => panic!("expected an attempt, got {other:?}"),
        }
    }

    pub(super) fn finish(&mut self, chain: &mut Chain, core: usize) -> Finish {
        match self.next(chain, core) {
            Step::Finish(finish) => finish,
            other => panic!("expected the end, got {other:?}"),
        }
    }

    pub(super) fn content(&mut self, chain: &mut Chain, core: usize) {
        chain.content(self.now, &self.plan, &mut self.cores[core]);
    }

    pub(super) fn end(&mut self, chain: &mut Chain, core: usize, outcome: Outcome) {
        self.end_after(chain, core, outcome, None);
    }

    pub(super) fn end_after(
        &mut self,
        chain: &mut Chain,
        core: usize,
        outcome: Outcome,
        retry_after: Option<Span>,
    ) {
        chain.ended(
            self.now,
            &self.plan,
            &mut self.cores[core],
            End {
                outcome,
                retry_after,
                model_alone: false,
            },
        );
    }

    pub(super) fn abandon(&mut self, chain: &mut Chain, core: usize) {
        chain.abandoned(self.now, &self.plan, &mut self.cores[core]);
    }

    /// A whole request on core 0 whose first attempt ends so: where it went, if anywhere.
    pub(super) fn once(&mut self, outcome: Outcome) -> Option<Attempt> {
        let mut chain = self.chain();
        match self.next(&mut chain, 0) {
            Step::Attempt(attempt) => {
                self.end(&mut chain, 0, outcome);
                Some(attempt)
            }
            Step::Wait(_) | Step::Finish(_) => None,
        }
    }

    /// Time goes on, and the control thread ticks once at the end of it.
    pub(super) fn pass(&mut self, span: Span) -> Vec<crate::engine::Transition> {
        self.now = self.now + span;
        self.board.tick(self.now)
    }

    /// Makes a target's breaker refuse.
    pub(super) fn open(&self, name: char) {
        let cell = self.board.cell(target(name)).unwrap();
        let gate = cell.gate(0).unwrap();
        assert!(gate.open(gate.word(), Rule::ErrorRate, self.now, &cell.rules));
    }

    /// Makes a target's breaker probe.
    pub(super) fn half_open(&mut self, name: char) {
        self.open(name);
        self.pass(Span::from_secs(17));
        assert_eq!(self.status(name).state, State::HalfOpen);
    }

    pub(super) fn status(&self, name: char) -> TargetStatus {
        self.board.status(self.now)[target(name).index()]
    }
}

fn auth((keys, pick): (u16, KeyPick)) -> Auth {
    let secret = |key| SecretRef {
        source: SecretSource::Env(format!("KEY_{key}").into()),
        at: At::default(),
    };
    Auth::Key {
        style: AuthStyle::Bearer,
        secrets: (0..keys).map(secret).collect(),
        pick,
    }
}

fn provider(name: &str) -> Provider {
    Provider {
        name: name.into(),
        at: At::default(),
        kind: ProviderKind::Simulated,
        endpoints: Vec::new(),
        auth: Auth::None,
        tls: crate::policy::model::ClientTls::default(),
        region: None,
        failure_domain: name.into(),
        trains_on_data: false,
        count_streams: false,
        api_version: None,
        max_inflight: None,
        queue: None,
        health: None,
        simulation: None,
        classify: Vec::new(),
        discover: None,
    }
}

fn server() -> Server {
    Server {
        listen: "127.0.0.1:8080".into(),
        admin: "127.0.0.1:9090".into(),
        cores: None,
        body_max: 1,
        bounds: ServerBounds::default(),
        drain: Span::from_secs(30),
        tls: None,
        anonymous: false,
        at: At::default(),
    }
}
