//! A policy of any size as a platform team would write it, and requests for it: what is measured here should be what
//! users meet. Built as a model value, so that it needs no parser.

use switchover::base::BreakerId;
use switchover::base::Outcome;
use switchover::base::OutcomeSet;
use switchover::base::ProviderId;
use switchover::base::RetriesId;
use switchover::base::Span;
use switchover::base::TargetId;
use switchover::base::hash;
use switchover::policy::Caps;
use switchover::policy::Facts;
use switchover::policy::KeyFacts;
use switchover::policy::Policy;
use switchover::policy::WallTime;
use switchover::policy::model::Action;
use switchover::policy::model::At;
use switchover::policy::model::AttemptFacts;
use switchover::policy::model::Auth;
use switchover::policy::model::Breaker;
use switchover::policy::model::ClientTls;
use switchover::policy::model::Cond;
use switchover::policy::model::FlagFact;
use switchover::policy::model::Forbid;
use switchover::policy::model::IntFact;
use switchover::policy::model::Member;
use switchover::policy::model::MidStream;
use switchover::policy::model::ModelName;
use switchover::policy::model::Otherwise;
use switchover::policy::model::Panic;
use switchover::policy::model::Pick;
use switchover::policy::model::Provider;
use switchover::policy::model::ProviderKind;
use switchover::policy::model::Ramp;
use switchover::policy::model::Reject;
use switchover::policy::model::Retries;
use switchover::policy::model::Route;
use switchover::policy::model::Serve;
use switchover::policy::model::Server;
use switchover::policy::model::ServerBounds;
use switchover::policy::model::StrFact;
use switchover::policy::model::Target;
use switchover::policy::model::Test;
use switchover::policy::model::Tier;
use switchover::policy::model::Timeouts;
use switchover::policy::model::TimeoutsOverride;
use switchover::policy::model::{Measure, SlowRule};

const MODELS: u64 = 120;
const TEAMS: u64 = 60;
const PATHS: [&str; 3] = ["/v1/chat/completions", "/v1/responses", "/v1/embeddings"];
const PROVIDERS: u16 = 12;
const TARGETS: u16 = 4 * PROVIDERS;

/// `routes` routes by model, team, path, prompt length and stream; every 40th names no model. Three forbids: residency,
/// training, and no fallback inside the cloud that just failed.
pub(super) fn policy(routes: u64) -> Policy {
    let mut list: Vec<Route> = (0..routes.saturating_sub(1)).map(route).collect();
    list.push(Route {
        when: Cond::Always,
        ..route(0)
    });
    Policy {
        files: Vec::new(),
        hash: 0,
        server: Server {
            listen: "127.0.0.1:8080".into(),
            admin: "127.0.0.1:9090".into(),
            cores: None,
            body_max: 32 << 20,
            bounds: ServerBounds::default(),
            drain: Span::from_secs(30),
            tls: None,
            anonymous: false,
            at: At::default(),
        },
        providers: (0..PROVIDERS).map(provider).collect(),
        targets: (0..TARGETS).map(target).collect(),
        breakers: vec![breaker()],
        retries: vec![retries()],
        telemetry: switchover::policy::model::Telemetry::default(),
        records: None,
        aliases: Vec::new(),
        forbids: forbids(),
        trials: Vec::new(),
        drills: Vec::new(),
        proofs: Vec::new(),
        routes: list,
    }
}

/// A request of some key; equal numbers give equal requests.
#[derive(Debug)]
pub(super) struct Request {
    model: String,
    path: &'static str,
    stream: bool,
    tokens_in: u64,
    key: KeyFacts,
}

impl Request {
    /// Most requests are for the model and team of one of the policy's routes, some for none.
    pub(super) fn number(number: u64, routes: u64) -> Self {
        let dice = hash::mix(1, number);
        let route = hash::scale(dice, routes);
        let model = if number.is_multiple_of(16) {
            MODELS
        } else {
            model_of(route)
        };
        Self {
            model: model_name(model),
            path: path_of(route),
            stream: number.is_multiple_of(2),
            tokens_in: hash::scale(hash::mix(2, number), 200_000),
            key: KeyFacts {
                id: Some(format!("key_{number}").into()),
                team: Some(team_name(team_of(route)).into()),
                residency: Some(if number.is_multiple_of(3) { "eu" } else { "us" }.into()),
                contract: Some("enterprise".into()),
                ..KeyFacts::default()
            },
        }
    }

    /// Its facts; the policy reads no header and no metadata.
    pub(super) fn facts(&self) -> Facts<'_> {
        Facts {
            model: &self.model,
            path: self.path,
            method: "POST",
            stream: self.stream,
            tokens_in: self.tokens_in,
            max_out: 0,
            has: Caps::NONE,
            headers: &[],
            meta: &[],
            key: &self.key,
            now: WallTime::default(),
        }
    }
}

/// The second attempt, after the route's first target could not be reached.
pub(super) const fn second_attempt(first: TargetId) -> AttemptFacts {
    AttemptFacts {
        index: 1,
        last: Some(Outcome::Connect),
        last_target: Some(first),
    }
}

const fn model_of(route: u64) -> u64 {
    route % MODELS
}

const fn team_of(route: u64) -> u64 {
    route / MODELS % TEAMS
}

fn path_of(route: u64) -> &'static str {
    if route.is_multiple_of(5) {
        PATHS[1]
    } else {
        PATHS[0]
    }
}

fn model_name(number: u64) -> String {
    format!("vendor-{}/model-{number}-2026-11", number % 9)
}

fn team_name(number: u64) -> String {
    format!("team-{number}")
}

fn route(number: u64) -> Route {
    let mut parts = vec![
        one_of(StrFact::Path, &[path_of(number), PATHS[2]]),
        one_of(StrFact::KeyTeam, &[&team_name(team_of(number))]),
    ];
    if number % 40 != 39 {
        parts.push(one_of(StrFact::Model, &[&model_name(model_of(number))]));
    }
    if number.is_multiple_of(2) {
        parts.push(Cond::Test(Test::Within {
            fact: IntFact::TokensIn,
            low: 0,
            high: (number % 20 + 1) * 8_000,
            negated: false,
        }));
    }
    if number.is_multiple_of(7) {
        parts.push(Cond::Test(Test::Flag(FlagFact::Stream)));
    }
    let first = u16::try_from(number % u64::from(TARGETS)).unwrap_or(0);
    let member = |step: u16| Member {
        target: TargetId((first + step) % TARGETS),
        weight: 50,
    };
    let tier = |steps: [u16; 2]| Tier {
        pick: Pick::Weighted,
        members: steps.map(member).to_vec(),
    };
    Route {
        name: format!("route_{number}").into(),
        at: At::default(),
        when: Cond::All(parts),
        guard: None,
        action: Action::Serve(Serve {
            spill: None,
            tiers: vec![tier([0, 5]), tier([11, 18])],
            fallback: Vec::new(),
            otherwise: Otherwise::Reject(Reject {
                status: 503,
                message: None,
                retry_after: None,
                at: At::default(),
            }),
            require: Caps::NONE,
            deadline: Span::from_secs(60),
            attempts_max: 4,
            timeouts: TimeoutsOverride::default(),
            mid_stream: MidStream::Error,
            panic: Panic::Fail,
            strict: false,
            sticky: Vec::new(),
            hedge: None,
            shadow: None,
        }),
    }
}

fn forbids() -> Vec<Forbid> {
    let failed = [Outcome::Connect, Outcome::Timeout, Outcome::S5xx];
    let failed = failed.into_iter().fold(OutcomeSet::EMPTY, OutcomeSet::with);
    let conditions = [
        vec![
            one_of(StrFact::KeyResidency, &["eu"]),
            Cond::Not(Box::new(one_of(StrFact::TargetRegion, &["eu"]))),
        ],
        vec![
            one_of(StrFact::KeyContract, &["enterprise"]),
            Cond::Test(Test::Flag(FlagFact::TargetTrainsOnData)),
        ],
        vec![
            Cond::Test(Test::LastOutcome(failed)),
            Cond::Test(Test::SameDomain),
        ],
    ];
    let forbid = |parts| Forbid {
        name: "forbid".into(),
        at: At::default(),
        when: Cond::All(parts),
    };
    conditions.into_iter().map(forbid).collect()
}

fn one_of(fact: StrFact, values: &[&str]) -> Cond {
    Cond::Test(Test::OneOf {
        fact,
        values: values.iter().copied().map(Box::from).collect(),
        negated: false,
    })
}

fn provider(number: u16) -> Provider {
    Provider {
        name: format!("provider_{number}").into(),
        at: At::default(),
        kind: ProviderKind::Simulated,
        endpoints: Vec::new(),
        auth: Auth::None,
        tls: ClientTls::default(),
        region: Some(if number.is_multiple_of(2) { "eu" } else { "us" }.into()),
        failure_domain: format!("cloud_{}", number / 2).into(),
        trains_on_data: number == 3,
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
            measure: Measure::Ttft,
            prompts: None,
            percentile: 950_000,
            limit: Span::from_millis(1_200),
        }],
        cool_down: (Span::from_secs(15), Span::from_secs(120)),
        probes: 1,
        need: 2,
        share: 50_000,
        ramp: Ramp::BUILT_IN,
        step: Span::from_secs(1),
        obey_retry_after: true,
        throttle_max: Span::from_secs(60),
    }
}

fn retries() -> Retries {
    Retries {
        name: "standard".into(),
        at: At::default(),
        max: 1,
        budget: 100_000,
        floor_per_s: 3,
        backoff: (Span::from_millis(50), Span::from_millis(500)),
    }
}

fn target(number: u16) -> Target {
    let timeout = Span::from_secs(1);
    Target {
        name: format!("target_{number}").into(),
        at: At::default(),
        provider: ProviderId(number / 4),
        model: ModelName::Asked,
        context: None,
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
            connect: timeout,
            head: None,
            ttft: timeout,
            idle: timeout,
        },
        max_inflight: None,
        queue: None,
    }
}
