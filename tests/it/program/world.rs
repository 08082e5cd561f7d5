//! Policies and requests made from a few words, so that conditions often meet, contradict and shadow each other.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::Just;
use proptest::prelude::Strategy;
use proptest::prelude::any;
use proptest::prop_oneof;
use proptest::sample::select;
use proptest::strategy::BoxedStrategy;

use switchover::base::BreakerId;
use switchover::base::Outcome;
use switchover::base::OutcomeSet;
use switchover::base::ProviderId;
use switchover::base::RetriesId;
use switchover::base::Span;
use switchover::base::TargetId;
use switchover::policy::Caps;
use switchover::policy::Facts;
use switchover::policy::KeyFacts;
use switchover::policy::Needs;
use switchover::policy::Policy;
use switchover::policy::WallTime;
use switchover::policy::model::Action;
use switchover::policy::model::At;
use switchover::policy::model::AttemptFacts;
use switchover::policy::model::Auth;
use switchover::policy::model::ClientTls;
use switchover::policy::model::Cond;
use switchover::policy::model::FallbackLine;
use switchover::policy::model::FlagFact;
use switchover::policy::model::Forbid;
use switchover::policy::model::IntFact;
use switchover::policy::model::Member;
use switchover::policy::model::ModelName;
use switchover::policy::model::Otherwise;
use switchover::policy::model::Pattern;
use switchover::policy::model::Pick;
use switchover::policy::model::Provider;
use switchover::policy::model::ProviderKind;
use switchover::policy::model::Reject;
use switchover::policy::model::Route;
use switchover::policy::model::Serve;
use switchover::policy::model::Server;
use switchover::policy::model::ServerBounds;
use switchover::policy::model::StrFact;
use switchover::policy::model::Target;
use switchover::policy::model::Test;
use switchover::policy::model::Then;
use switchover::policy::model::Tier;
use switchover::policy::model::Timeouts;
use switchover::policy::model::TimeoutsOverride;
use switchover::policy::model::Trigger;
use switchover::policy::model::{MidStream, Panic};

/// Words that every string fact is made of: one begins, ends and contains others, one is empty.
pub(super) const WORDS: [&str; 8] = ["", "a", "ab", "ba", "aba", "gpt-5", "gpt-5-mini", "eu"];
/// Providers of [`policy`], each with two targets.
pub(super) const PROVIDERS: u16 = 5;

/// A policy of these routes, the catch-all excepted, and forbids, over 10 targets in 3 failure domains and 2 regions.
pub(super) fn policy(mut routes: Vec<Route>, forbids: Vec<Cond>) -> Policy {
    routes.push(route(Cond::Always, reject()));
    let forbids = forbids.into_iter().map(|when| Forbid {
        name: "forbid".into(),
        at: At::default(),
        when,
    });
    Policy {
        files: Vec::new(),
        hash: 0,
        server: Server {
            listen: "127.0.0.1:0".into(),
            admin: "127.0.0.1:0".into(),
            cores: None,
            body_max: 0,
            bounds: ServerBounds::default(),
            drain: Span::from_secs(30),
            tls: None,
            anonymous: true,
            at: At::default(),
        },
        providers: (0..PROVIDERS).map(provider).collect(),
        targets: (0..PROVIDERS * 2).map(target).collect(),
        breakers: Vec::new(),
        retries: Vec::new(),
        telemetry: switchover::policy::model::Telemetry::default(),
        records: None,
        aliases: Vec::new(),
        forbids: forbids.collect(),
        routes,
        trials: Vec::new(),
        drills: Vec::new(),
        proofs: Vec::new(),
    }
}

fn provider(number: u16) -> Provider {
    Provider {
        name: format!("p{number}").into(),
        at: At::default(),
        kind: ProviderKind::Simulated,
        endpoints: Vec::new(),
        auth: Auth::None,
        tls: ClientTls::default(),
        region: [Some("eu"), Some("a"), None][usize::from(number % 3)].map(Box::from),
        failure_domain: ["a", "ab", "gpt-5"][usize::from(number % 3)].into(),
        trains_on_data: number % 2 == 1,
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

fn target(number: u16) -> Target {
    let caps = [
        None,
        Some(Caps::TOOLS),
        Some(Caps::TOOLS.union(Caps::IMAGES)),
    ];
    Target {
        name: format!("t{number}").into(),
        at: At::default(),
        provider: ProviderId(number / 2),
        model: ModelName::Asked,
        context: None,
        max_output: None,
        caps: caps[usize::from(number % 3)].unwrap_or(Caps::NONE),
        lacks: caps[usize::from(number % 3)].map_or(Caps::NONE, Caps::complement),
        price_in: [None, Some(3), Some(700)][usize::from(number % 3)],
        price_out: None,
        price_cache_read: None,
        price_cache_write: None,
        breaker: BreakerId(0),
        retries: RetriesId(0),
        timeouts: Timeouts {
            connect: Span::ZERO,
            head: None,
            ttft: Span::ZERO,
            idle: Span::ZERO,
        },
        max_inflight: None,
        queue: None,
    }
}

pub(super) fn route(when: Cond, action: Action) -> Route {
    Route {
        name: "route".into(),
        at: At::default(),
        when,
        guard: None,
        action,
    }
}

pub(super) fn reject() -> Action {
    Action::Reject(rejection())
}

fn rejection() -> Reject {
    Reject {
        status: 503,
        message: None,
        retry_after: None,
        at: At::default(),
    }
}

/// A body with these tiers and jumps.
pub(super) fn serve(tiers: Vec<Tier>, jumps: &[TargetId], require: Caps) -> Action {
    let line = |target: &TargetId| FallbackLine {
        at: At::default(),
        on: Trigger::Outcomes(OutcomeSet::ANY),
        then: Then::Jump(*target),
    };
    Action::Serve(Serve {
        spill: None,
        tiers,
        fallback: jumps.iter().map(line).collect(),
        otherwise: Otherwise::Reject(rejection()),
        require,
        deadline: Span::from_secs(60),
        attempts_max: 4,
        timeouts: TimeoutsOverride::default(),
        mid_stream: MidStream::Error,
        panic: Panic::Fail,
        strict: false,
        sticky: Vec::new(),
        hedge: None,
        shadow: None,
    })
}

/// One tier of these targets.
pub(super) fn tier(pick: Pick, targets: impl IntoIterator<Item = u16>) -> Tier {
    let member = |target| Member {
        target: TargetId(target),
        weight: u32::from(target) + 1,
    };
    Tier {
        pick,
        members: targets.into_iter().map(member).collect(),
    }
}

/// A request that owns its strings.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) model: String,
    pub(super) path: String,
    pub(super) method: String,
    pub(super) stream: bool,
    pub(super) tokens_in: u64,
    pub(super) max_out: u64,
    pub(super) has: Caps,
    /// By the last letter of the header's or metadata key's name.
    pub(super) extra: [Option<String>; 3],
    pub(super) key: KeyFacts,
    pub(super) now: WallTime,
}

impl Request {
    /// Without anything that can be left out.
    pub(super) fn bare() -> Self {
        Self {
            model: String::new(),
            path: String::new(),
            method: String::new(),
            stream: false,
            tokens_in: 0,
            max_out: 0,
            has: Caps::NONE,
            extra: [const { None }; 3],
            key: KeyFacts::default(),
            now: WallTime::default(),
        }
    }

    /// Calls `ask` with the facts in the order of `needs`.
    pub(super) fn with_facts<T>(&self, needs: &Needs, ask: impl FnOnce(&Facts<'_>) -> T) -> T {
        let pick = |name: &str| {
            let letter = name.bytes().last().unwrap() - b'0';
            self.extra[usize::from(letter)].as_deref()
        };
        let headers: Vec<Option<&str>> = needs.headers.iter().map(|name| pick(name)).collect();
        let meta: Vec<Option<&str>> = needs.meta.iter().map(|key| pick(key)).collect();
        ask(&Facts {
            model: &self.model,
            path: &self.path,
            method: &self.method,
            stream: self.stream,
            tokens_in: self.tokens_in,
            max_out: self.max_out,
            has: self.has,
            headers: &headers,
            meta: &meta,
            key: &self.key,
            now: self.now,
        })
    }
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        9 => select(&WORDS[..]).prop_map(str::to_owned),
        1 => Just("never named".to_owned()),
    ]
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![8 => 0_u64..10, 1 => 0_u64..3_000, 1 => select(vec![u64::MAX - 1, u64::MAX])]
}

pub(super) fn request() -> impl Strategy<Value = Request> {
    let strings = (word(), word(), word(), vec(option::of(word()), 3));
    let numbers = (number(), number(), any::<bool>(), vec(any::<bool>(), 4));
    let boxed = || option::of(word().prop_map(String::into_boxed_str));
    let key = (boxed(), boxed(), boxed(), boxed(), boxed());
    let now = (0_u8..24, 0_u8..7, -3_i32..12);
    (strings, numbers, key, now).prop_map(|(strings, numbers, key, now)| {
        let caps = Caps::WORDS.into_iter().zip(numbers.3);
        let caps = caps.filter(|(_, has)| *has);
        Request {
            model: strings.0,
            path: strings.1,
            method: strings.2,
            stream: numbers.2,
            tokens_in: numbers.0,
            max_out: numbers.1,
            has: caps.fold(Caps::NONE, |all, ((_, cap), _)| all.union(cap)),
            extra: strings.3.try_into().unwrap(),
            key: KeyFacts {
                id: key.0,
                team: key.1,
                tier: key.2,
                residency: key.3,
                contract: key.4,
            },
            now: WallTime {
                hour: now.0,
                weekday: now.1,
                date: now.2,
            },
        }
    })
}

pub(super) fn attempt() -> impl Strategy<Value = AttemptFacts> {
    let last = option::of((select(&Outcome::ALL[..]), 0..PROVIDERS * 2));
    (prop_oneof![0_u8..4, any::<u8>()], last).prop_map(|(index, last)| AttemptFacts {
        index,
        last: last.map(|(outcome, _)| outcome),
        last_target: last.map(|(_, target)| TargetId(target)),
    })
}

/// Which facts a condition may read.
#[derive(Clone, Copy)]
pub(super) enum Reads {
    Request,
    Everything,
}

fn string_fact(reads: Reads) -> impl Strategy<Value = StrFact> {
    let mut facts = vec![
        StrFact::Model,
        StrFact::Path,
        StrFact::Method,
        StrFact::KeyId,
        StrFact::KeyTeam,
        StrFact::KeyTier,
        StrFact::KeyResidency,
        StrFact::KeyContract,
    ];
    for name in ["x-0", "x-1", "x-2"] {
        facts.push(StrFact::Header(name.into()));
        facts.push(StrFact::Meta(name.into()));
    }
    if matches!(reads, Reads::Everything) {
        let rest = [
            StrFact::TargetRegion,
            StrFact::TargetDomain,
            StrFact::AttemptLastDomain,
        ];
        // As often as the facts of the request.
        (0..4).for_each(|_| facts.extend(rest.clone()));
    }
    select(facts)
}

fn int_fact(reads: Reads) -> impl Strategy<Value = IntFact> {
    let request = [
        IntFact::TokensIn,
        IntFact::MaxOut,
        IntFact::Hour,
        IntFact::Weekday,
        IntFact::Date,
    ];
    let rest = [IntFact::AttemptIndex, IntFact::TargetPrice];
    select(match reads {
        Reads::Request => request.to_vec(),
        Reads::Everything => [&request[..], &rest, &rest].concat(),
    })
}

fn flag_fact(reads: Reads) -> impl Strategy<Value = FlagFact> {
    let request = [
        FlagFact::Stream,
        FlagFact::HasTools,
        FlagFact::HasImages,
        FlagFact::HasJsonSchema,
        FlagFact::HasAudio,
    ];
    select(match reads {
        Reads::Request => request.to_vec(),
        Reads::Everything => [&request[..], &[FlagFact::TargetTrainsOnData; 3]].concat(),
    })
}

fn pattern() -> impl Strategy<Value = Pattern> {
    let text = || word().prop_map(String::into_boxed_str);
    prop_oneof![
        vec(text(), 2..5).prop_map(Pattern::Like),
        text().prop_map(Pattern::StartsWith),
        text().prop_map(Pattern::EndsWith),
        text().prop_map(Pattern::Contains),
    ]
}

fn outcomes() -> impl Strategy<Value = OutcomeSet> {
    vec(select(&Outcome::ALL[..]), 0..6).prop_map(|list| {
        let list = list.into_iter();
        list.fold(OutcomeSet::EMPTY, OutcomeSet::with)
    })
}

pub(super) fn test(reads: Reads) -> BoxedStrategy<Test> {
    let values = vec(word().prop_map(String::into_boxed_str), 1..4).prop_map(|mut values| {
        values.sort();
        values.dedup();
        values
    });
    let one_of = (string_fact(reads), values, any::<bool>()).prop_map(|(fact, values, negated)| {
        Test::OneOf {
            fact,
            values,
            negated,
        }
    });
    let form =
        (string_fact(reads), pattern()).prop_map(|(fact, pattern)| Test::Matches { fact, pattern });
    let range = prop_oneof![
        (number(), number()),
        number().prop_map(|low| (low, u64::MAX)),
        number().prop_map(|high| (0, high)),
    ];
    let within =
        (int_fact(reads), range, any::<bool>()).prop_map(|(fact, (low, high), negated)| {
            Test::Within {
                fact,
                low,
                high,
                negated,
            }
        });
    let share = (string_fact(reads), word(), 0_u32..=1_000_000).prop_map(|(fact, salt, share)| {
        Test::HashBelow {
            fact,
            salt: salt.into(),
            share,
        }
    });
    let request = prop_oneof![
        6 => one_of,
        2 => form,
        1 => string_fact(reads).prop_map(Test::Present),
        4 => within,
        2 => flag_fact(reads).prop_map(Test::Flag),
        1 => share,
    ];
    match reads {
        Reads::Request => request.boxed(),
        Reads::Everything => prop_oneof![
            8 => request,
            1 => outcomes().prop_map(Test::LastOutcome),
            1 => Just(Test::SameDomain),
        ]
        .boxed(),
    }
}

pub(super) fn cond(reads: Reads, depth: u32) -> BoxedStrategy<Cond> {
    let leaf = prop_oneof![
        30 => test(reads).prop_map(Cond::Test),
        1 => Just(Cond::Always),
        1 => Just(Cond::Never),
    ];
    let grow = |inner: BoxedStrategy<Cond>| {
        prop_oneof![
            1 => inner.clone().prop_map(|cond| Cond::Not(Box::new(cond))),
            3 => vec(inner.clone(), 2..4).prop_map(Cond::All),
            2 => vec(inner, 2..4).prop_map(Cond::Any),
        ]
    };
    leaf.prop_recursive(depth, 12, 3, grow).boxed()
}

pub(super) fn action() -> impl Strategy<Value = Action> {
    let picks = vec(string_fact(Reads::Request), 1..3).prop_map(Pick::Hash);
    let pick = prop_oneof![Just(Pick::Weighted), picks];
    let tiers = (pick, vec(0..PROVIDERS * 2, 1..4));
    let tiers = tiers.prop_map(|(pick, targets)| tier(pick, targets));
    let jumps = vec((0..PROVIDERS * 2).prop_map(TargetId), 0..3);
    let require = select(vec![Caps::NONE, Caps::NONE, Caps::TOOLS, Caps::IMAGES]);
    prop_oneof![
        1 => Just(()).prop_map(|()| reject()),
        6 => (vec(tiers, 1..3), jumps, require)
            .prop_map(|(tiers, jumps, require)| serve(tiers, &jumps, require)),
    ]
}
