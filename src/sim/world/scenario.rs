//! What a world is made of, written down or drawn from a seed.

use crate::base::{Moment, ProviderId, Span, TargetId};
use crate::engine::Order;
use crate::policy::model::{Action, Pick, Route, Tier};
use crate::policy::{Plan, Policy};
use crate::sim::world::chance::{Dice, Latency};
use crate::sim::world::client::{Arrivals, Crowd, Manners};
use crate::sim::world::errand::{Deed, Errand};
use crate::sim::world::fault::{Fault, Hint, Spell, Who};
use crate::sim::world::network::Nature;

/// What a world is made of.
#[derive(Clone, Debug)]
pub struct Scenario<'p> {
    /// Workers.
    pub cores: usize,
    /// By [`ProviderId`]; one that is not named is quick.
    pub natures: Vec<Nature>,
    /// Of several that hold, the first one strikes.
    pub spells: Vec<Spell>,
    /// Who asks.
    pub crowds: Vec<Crowd>,
    /// What operators do meanwhile.
    pub errands: Vec<Errand<'p>>,
}

impl<'p> Scenario<'p> {
    /// A storm: a few clients of all kinds against providers that do anything, for up to a few seconds. Operators give
    /// orders, replace keys, and let `next` take over, if there is one.
    pub fn storm(plan: &Plan, next: Option<&'p Plan>, seed: u64) -> Self {
        let mut dice = Dice::new(seed).fork(STORM);
        let length = Latency::HeavyTail(Span::from_millis(800), 1_200).draw(&mut dice);
        let to = Moment::START + length.max(Span::from_millis(50));
        let policy = &plan.policy;
        let natures = policy.providers.iter().map(|_| nature(&mut dice)).collect();
        let spells = (0..dice.below(6))
            .map(|_| spell(policy, to, &mut dice))
            .collect();
        let crowds = (0..=dice.below(2))
            .map(|_| crowd(policy, to, &mut dice))
            .collect();
        Self {
            cores: 1 + dice.index(3),
            natures,
            spells,
            crowds,
            errands: errands(policy, next, to, &mut dice.fork(ERRANDS)),
        }
    }

    /// The plans that take over one day.
    pub(super) fn plans(&self) -> impl Iterator<Item = &'p Plan> + '_ {
        self.errands.iter().filter_map(|errand| match errand.deed {
            Deed::Reload(plan) => Some(plan),
            Deed::Order(..) | Deed::Rotate { .. } => None,
        })
    }

    /// When the last client comes.
    pub fn ends(&self) -> Moment {
        let ends = self.crowds.iter().map(|crowd| crowd.to);
        ends.max().unwrap_or(Moment::START)
    }

    /// Whether a fault of it leaves a key or a model out for minutes.
    pub fn leaves_rests(&self) -> bool {
        self.spells.iter().any(|spell| spell.fault.leaves_a_rest())
    }
}

fn nature(dice: &mut Dice) -> Nature {
    let millis = |low, high| Latency::Uniform(Span::from_millis(low), Span::from_millis(high));
    let quick = Nature::default();
    match dice.below(4) {
        0 => Nature {
            ttft: Latency::HeavyTail(Span::from_millis(40), 1_500),
            ..quick
        },
        1 => Nature {
            connect: millis(0, 200),
            ttft: millis(50, 400),
            gap: millis(0, 60),
            words: (1, 12),
        },
        2 => Nature {
            ttft: Latency::Constant(Span::ZERO),
            gap: Latency::Constant(Span::ZERO),
            ..quick
        },
        _ => quick,
    }
}

fn spell(policy: &Policy, to: Moment, dice: &mut Dice) -> Spell {
    let length = to.since(Moment::START);
    let from = Moment::START + dice.between(Span::ZERO, length);
    let who = who(policy, dice);
    Spell {
        who,
        fault: match who {
            Who::Key(..) => fault_of_key(dice),
            Who::Endpoint(..) => fault_of_endpoint(dice),
            Who::Everyone | Who::Provider(_) | Who::Target(_) => fault(dice),
        },
        from,
        to: from + dice.between(Span::from_millis(20), length),
        share: dice
            .one_of(&[50_000, 250_000, 500_000, 1_000_000, 1_000_000])
            .unwrap_or(0),
        beat: dice
            .one_of(&[
                Span::ZERO,
                Span::ZERO,
                Span::from_millis(100),
                Span::from_millis(400),
            ])
            .unwrap_or_default(),
    }
}

fn who(policy: &Policy, dice: &mut Dice) -> Who {
    let id = |index: usize| u16::try_from(index).unwrap_or_default();
    let provider = dice.index(policy.providers.len());
    let keys = keys_of(policy, provider);
    let key = u8::try_from(dice.below(u64::from(keys))).unwrap_or_default();
    let endpoints = policy.providers.get(provider);
    let endpoints = endpoints.map_or(1, |provider| provider.endpoints.len());
    if endpoints > 1 && dice.happens(600_000) {
        return Who::Endpoint(ProviderId(id(provider)), id(dice.index(endpoints)));
    }
    match dice.below(8) {
        0 => Who::Everyone,
        1..4 => Who::Target(TargetId(id(dice.index(policy.targets.len())))),
        4..7 if keys > 1 => Who::Key(ProviderId(id(provider)), key),
        _ => Who::Provider(ProviderId(id(provider))),
    }
}

/// How many keys a provider has.
fn keys_of(policy: &Policy, provider: usize) -> u8 {
    let provider = policy.providers.get(provider);
    let keys = provider.map_or(1, |provider| provider.auth.secrets().len());
    u8::try_from(keys.max(1)).unwrap_or(u8::MAX)
}

/// In some worlds operators do something, and in some of these a lot.
fn errands<'p>(
    policy: &Policy,
    next: Option<&'p Plan>,
    to: Moment,
    dice: &mut Dice,
) -> Vec<Errand<'p>> {
    let id = |index: usize| u16::try_from(index).unwrap_or_default();
    let length = to.since(Moment::START);
    let moment = |dice: &mut Dice| Moment::START + dice.between(Span::ZERO, length);
    let mut errands = Vec::new();
    if let Some(next) = next
        && dice.happens(300_000)
    {
        errands.push(Errand {
            at: moment(dice),
            deed: Deed::Reload(next),
        });
    }
    if dice.happens(150_000) {
        let provider = dice.index(policy.providers.len());
        let at = moment(dice);
        errands.push(Errand {
            at,
            deed: Deed::Rotate {
                provider: ProviderId(id(provider)),
                key: u8::try_from(dice.below(u64::from(keys_of(policy, provider))))
                    .unwrap_or_default(),
                revoked: at + dice.between(Span::ZERO, REVOKED_BY),
            },
        });
    }
    let orders = dice.one_of(&[0, 0, 0, 1, 2, 5]).unwrap_or(0);
    for _ in 0..orders {
        let target = TargetId(id(dice.index(policy.targets.len())));
        let order = dice.one_of(&Order::ALL).unwrap_or_default();
        errands.push(Errand {
            at: moment(dice),
            deed: Deed::Order(target, order),
        });
    }
    errands
}

/// What is said of one key among others.
fn fault_of_key(dice: &mut Dice) -> Fault {
    let hint = dice.one_of(&HINTS).unwrap_or(Hint::Junk);
    let faults = [
        Fault::Hinted(429, hint),
        Fault::Status(429),
        Fault::BadKey,
        Fault::Denied,
        Fault::NoQuota,
    ];
    dice.one_of(&faults).unwrap_or(Fault::BadKey)
}

/// What becomes of one endpoint among others: mostly it is not there.
fn fault_of_endpoint(dice: &mut Dice) -> Fault {
    let late = Latency::HeavyTail(Span::from_millis(300), 1_500).draw(dice);
    let faults = [
        Fault::Gone,
        Fault::Gone,
        Fault::Refused,
        Fault::Refused,
        Fault::BlackHole,
        Fault::BlackHole,
        Fault::NoAddress,
        Fault::Tls,
        Fault::SlowConnect(late),
        Fault::CloseAtOnce,
        Fault::ResetAtOnce,
        Fault::Hang,
        Fault::Status(503),
    ];
    dice.one_of(&faults).unwrap_or(Fault::Refused)
}

/// Any fault.
fn fault(dice: &mut Dice) -> Fault {
    let words = u32::try_from(dice.below(5)).unwrap_or_default();
    let late = Latency::HeavyTail(Span::from_millis(500), 1_500).draw(dice);
    let status = dice.one_of(&STATUSES).unwrap_or(500);
    let hint = dice.one_of(&HINTS).unwrap_or(Hint::Junk);
    let faults = [
        Fault::Gone,
        Fault::Refused,
        Fault::BlackHole,
        Fault::SlowConnect(late),
        Fault::NoAddress,
        Fault::Tls,
        Fault::CloseAtOnce,
        Fault::ResetAtOnce,
        Fault::NotReading,
        Fault::Hang,
        Fault::Status(status),
        Fault::Hinted(dice.one_of(&[429, 429, 503]).unwrap_or(429), hint),
        Fault::Page(dice.one_of(&[200, 403, 429, 502, 503, 520]).unwrap_or(200)),
        Fault::ErrorObject,
        Fault::Empty,
        Fault::NoChoices,
        Fault::NoContent,
        Fault::Redirect,
        Fault::Compressed,
        Fault::Noise,
        Fault::EndlessHead,
        Fault::Early(status),
        Fault::LateHead(late),
        Fault::LateContent(late),
        Fault::Stall(words),
        Fault::Murmur(words),
        Fault::CutHead,
        Fault::Cut(words),
        Fault::Reset(words),
        Fault::BadChunk(words),
        Fault::NoEnd(words),
        Fault::ErrorFirst,
        Fault::ErrorAfter(words),
        Fault::Interim,
        Fault::OddType,
        Fault::BrokenEvent,
        Fault::Huge,
        Fault::Drip,
        Fault::Split,
        Fault::CloseAfter,
        Fault::CloseLater(late),
        Fault::TooLong,
        Fault::Filtered,
    ];
    // What leaves minutes of rest behind makes a world long, and is therefore drawn less often.
    if dice.happens(30_000) {
        let faults = [
            Fault::BadKey,
            Fault::Denied,
            Fault::NoQuota,
            Fault::ModelGone,
            Fault::Status(403),
        ];
        return dice.one_of(&faults).unwrap_or(Fault::Hang);
    }
    dice.one_of(&faults).unwrap_or(Fault::Hang)
}

fn crowd(policy: &Policy, to: Moment, dice: &mut Dice) -> Crowd {
    let length = to.since(Moment::START);
    let millis = Span::from_millis;
    // A few dozen requests a world: what many worlds show is seen sooner than what one shows for long.
    let apart = Span::from_nanos(length.as_nanos() / (2 + dice.below(12)));
    let arrivals = match dice.below(4) {
        0 => Arrivals::Every(apart.max(millis(1))),
        1 => Arrivals::Bursts(
            2 + u32::try_from(dice.below(6)).unwrap_or(0),
            apart.saturating_mul(4),
        ),
        2 => Arrivals::ClosedLoop(
            1 + u32::try_from(dice.below(4)).unwrap_or(0),
            Latency::Uniform(Span::ZERO, apart),
        ),
        _ => Arrivals::Poisson(apart.max(millis(1))),
    };
    let sometimes = |dice: &mut Dice| dice.one_of(&[0, 0, 100_000, 500_000]).unwrap_or(0);
    let models = policy
        .model_names()
        .into_iter()
        .map(str::to_owned)
        .collect();
    Crowd {
        arrivals,
        from: Moment::START,
        to,
        manners: Manners {
            streams: dice.one_of(&[0, 500_000, 1_000_000]).unwrap_or(0),
            leave: sometimes(dice),
            patience: Latency::HeavyTail(millis(100), 2_000),
            slow: sometimes(dice),
            slow_rate: dice.one_of(&[500, 5_000, 200_000]).unwrap_or(500),
            keep: dice.one_of(&[0, 500_000, 1_000_000]).unwrap_or(0),
            pipeline: sometimes(dice),
            pieces: sometimes(dice),
            insist: sometimes(dice),
            sessions: sessions(policy, &mut dice.fork(SESSIONS)),
            ..Manners::polite(models)
        },
    }
}

/// Where the policy goes by sessions, clients have few, so that each is seen again.
fn sessions(policy: &Policy, dice: &mut Dice) -> u32 {
    if policy.routes.iter().any(goes_by_sessions) {
        dice.one_of(&[1, 3, 8]).unwrap_or(1)
    } else {
        0
    }
}

/// Whether a route keeps a key's requests together.
pub(super) fn goes_by_sessions(route: &Route) -> bool {
    match &route.action {
        Action::Serve(serve) => {
            let picks_by = |tier: &Tier| matches!(tier.pick, Pick::Hash(_));
            !serve.sticky.is_empty() || serve.tiers.iter().any(picks_by)
        }
        Action::Reject(_) => false,
    }
}

const STATUSES: [u16; 16] = [
    400, 404, 408, 409, 413, 422, 429, 500, 500, 501, 502, 503, 504, 520, 527, 529,
];
const HINTS: [Hint; 6] = [
    Hint::Seconds(1),
    Hint::Seconds(86_400),
    Hint::Millis(200),
    Hint::Reset,
    Hint::Negative,
    Hint::Junk,
];
/// Keeps the draws of a storm apart from those of its world.
const STORM: u64 = 0x0073_746f_726d;
/// Keeps what operators do apart from what happens by itself.
const ERRANDS: u64 = 2;
/// Keeps how many sessions there are apart from everything else.
const SESSIONS: u64 = 3;
/// Longer than requests under way need.
const REVOKED_BY: Span = Span::from_secs(6);
