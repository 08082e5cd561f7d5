//! Forbids, turned from conditions into masks.
//!
//! A forbid reads three worlds, and each is settled when it is known:
//!
//! ```text
//!   target     when the plan is built   each forbid is specialised to each kind of target; what is left over …
//!   request    when the route is known  … is split into guards over the request, run once, …
//!   attempt    before each attempt      … and terms over the attempt: a few compares, no fact of the request
//!
//!   key.residency == "eu" and target.region != eu                 guard: residency == "eu" ⇒ mask of the non-EU ones
//!   attempt.index > 0 and target.failure_domain == last_domain    term: index 1..=255, same domain ⇒ mask of all
//! ```

use crate::base::OutcomeSet;
use crate::base::TargetId;
use crate::policy::model::Cond;
use crate::policy::model::FlagFact;
use crate::policy::model::IntFact;
use crate::policy::model::Provider;
use crate::policy::model::StrFact;
use crate::policy::model::Target;
use crate::policy::model::Test;
use crate::policy::program::probe::holds_for;

/// Residual conditions of one forbid for one target that speak of the attempt.
const EFFECTS_MAX: usize = 64;
/// The bit of "no attempt has ended", beside one bit for each outcome.
pub(super) const LAST_NONE: u32 = 1 << 31;

/// What a forbid can know of a target.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::policy) struct Traits<'p> {
    region: Option<&'p str>,
    domain: &'p str,
    trains_on_data: bool,
    price: u64,
}

/// The attempts that a forbid is about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Attempts {
    /// `attempt.index`, inclusive.
    pub(super) index: (u8, u8),
    /// `attempt.last`: a bit for each outcome, and [`LAST_NONE`].
    pub(super) last: u32,
    /// `attempt.last_domain`: a bit for each domain of the policy, the first one for "none".
    pub(super) domains: Vec<u64>,
    /// How the target's domain must relate to the last one.
    pub(super) relation: Relation,
}

/// A target's failure domain against that of the last attempt.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Relation {
    /// Either way.
    Any,
    /// The same one.
    Same,
    /// Another one, or there was no attempt.
    Other,
}

/// A target is forbidden if the request condition holds and the attempt is one of these.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Effect {
    /// Reads the request only.
    pub(super) request: Cond,
    /// All attempts, where the forbid does not speak of them.
    pub(super) attempts: Attempts,
}

/// The failure domains of a policy, numbered from 1; 0 is "none".
#[derive(Clone, Debug)]
pub(super) struct Domains<'p> {
    names: Vec<&'p str>,
}

/// A forbid mixes facts of the request and of the attempt in more ways than can be told apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct TooMixed;

impl<'p> Traits<'p> {
    /// The traits of every target, in their order.
    pub(in crate::policy) fn of_all(providers: &'p [Provider], targets: &[Target]) -> Vec<Self> {
        let traits = targets.iter().map(|target| {
            let provider = providers.get(target.provider.index());
            Self {
                region: provider.and_then(|provider| provider.region.as_deref()),
                domain: provider.map_or("", |provider| &provider.failure_domain),
                trains_on_data: provider.is_some_and(|provider| provider.trains_on_data),
                price: target.price_in.unwrap_or(0),
            }
        });
        traits.collect()
    }

    /// The failure domain.
    pub(super) const fn domain(&self) -> &'p str {
        self.domain
    }

    /// The answer of a test about the target, `None` for any other test.
    pub(in crate::policy) fn answer(&self, test: &Test) -> Option<bool> {
        match test {
            Test::OneOf { fact, .. }
            | Test::Matches { fact, .. }
            | Test::Present(fact)
            | Test::HashBelow { fact, .. } => match fact {
                StrFact::TargetRegion => holds_for(test, self.region),
                StrFact::TargetDomain => holds_for(test, Some(self.domain)),
                _ => None,
            },
            Test::Within {
                fact: IntFact::TargetPrice,
                low,
                high,
                negated,
            } => Some((*low..=*high).contains(&self.price) != *negated),
            Test::Flag(FlagFact::TargetTrainsOnData) => Some(self.trains_on_data),
            Test::Within { .. } | Test::Flag(_) | Test::LastOutcome(_) | Test::SameDomain => None,
        }
    }
}

impl<'p> Domains<'p> {
    /// The domains of these targets.
    pub(super) fn of(traits: &[Traits<'p>]) -> Self {
        let mut names: Vec<&str> = traits.iter().map(Traits::domain).collect();
        names.sort_unstable();
        names.dedup();
        Self { names }
    }

    /// The number of a domain.
    pub(super) fn number(&self, name: &str) -> usize {
        let found = self.names.binary_search(&name);
        found.map_or(0, |index| index.saturating_add(1))
    }

    /// Words of a set of domains.
    pub(super) const fn words(&self) -> usize {
        self.names.len().saturating_add(1).div_ceil(64)
    }

    /// The domains, "none" included, for which `holds`; bits beyond the last one stay clear.
    fn set(&self, holds: impl Fn(Option<&str>) -> bool) -> Vec<u64> {
        let mut words = vec![0_u64; self.words()];
        let all = std::iter::once(None).chain(self.names.iter().copied().map(Some));
        for (number, name) in all.enumerate() {
            if let Some(word) = words.get_mut(number / 64) {
                *word |= u64::from(holds(name)) << (number % 64);
            }
        }
        words
    }
}

impl Attempts {
    /// Every attempt.
    pub(super) fn all(domains: &Domains<'_>) -> Self {
        Self {
            index: (0, u8::MAX),
            last: u32::MAX,
            domains: domains.set(|_| true),
            relation: Relation::Any,
        }
    }

    /// Both at once, `None` if that is impossible.
    fn and(&self, other: &Self) -> Option<Self> {
        let relation = match (self.relation, other.relation) {
            (Relation::Any, relation) | (relation, Relation::Any) => relation,
            (a, b) if a == b => a,
            _ => return None,
        };
        let words = self.domains.iter().zip(&other.domains);
        let both = Self {
            index: (
                self.index.0.max(other.index.0),
                self.index.1.min(other.index.1),
            ),
            last: self.last & other.last,
            domains: words.map(|(a, b)| a & b).collect(),
            relation,
        };
        let possible = both.index.0 <= both.index.1
            && both.last != 0
            && both.domains.iter().any(|word| *word != 0);
        possible.then_some(both)
    }
}

/// What a forbid does to a target of these traits.
pub(super) fn effects(
    when: &Cond,
    traits: &Traits<'_>,
    domains: &Domains<'_>,
) -> Result<Vec<Effect>, TooMixed> {
    let left = specialise(when, true, &|test| traits.answer(test));
    let mut merged: Vec<Effect> = Vec::new();
    for effect in spread(&left, domains)? {
        if effect.request == Cond::Never {
            continue;
        }
        let twin = merged
            .iter_mut()
            .find(|have| have.attempts == effect.attempts);
        match twin {
            Some(have) => {
                let request = std::mem::replace(&mut have.request, Cond::Never);
                have.request = any_of(vec![request, effect.request]);
            }
            None => merged.push(effect),
        }
    }
    Ok(merged)
}

/// The parts of `conds` that are about the request, each once, for the targets `of` any of which they may be about. `None` if
/// some are too mixed to be told apart.
pub(in crate::policy) fn asked_of_requests(
    conds: &[&Cond],
    providers: &[Provider],
    targets: &[Target],
    of: &[TargetId],
) -> Option<Vec<Cond>> {
    let traits = Traits::of_all(providers, targets);
    let domains = Domains::of(&traits);
    let mut asked: Vec<Cond> = Vec::new();
    for target in of {
        let traits = traits.get(target.index())?;
        for cond in conds {
            for effect in effects(cond, traits, &domains).ok()? {
                let new = !asked.contains(&effect.request);
                if new && !matches!(effect.request, Cond::Always | Cond::Never) {
                    asked.push(effect.request);
                }
            }
        }
    }
    Some(asked)
}

/// The answer of a test about the attempt before any attempt has ended, `None` for any other test.
pub(in crate::policy) fn answer_at_first(test: &Test) -> Option<bool> {
    match test {
        Test::OneOf { fact, .. }
        | Test::Matches { fact, .. }
        | Test::Present(fact)
        | Test::HashBelow { fact, .. } => match fact {
            StrFact::AttemptLastDomain => holds_for(test, None),
            _ => None,
        },
        Test::Within {
            fact: IntFact::AttemptIndex,
            low,
            high,
            negated,
        } => Some((*low..=*high).contains(&0) != *negated),
        Test::LastOutcome(_) | Test::SameDomain => Some(false),
        Test::Within { .. } | Test::Flag(_) => None,
    }
}

/// The condition with every test that has an answer replaced by it and every `not` moved to the tests.
pub(in crate::policy) fn specialise(
    cond: &Cond,
    wanted: bool,
    answer: &impl Fn(&Test) -> Option<bool>,
) -> Cond {
    let constant = |holds: bool| {
        if holds == wanted {
            Cond::Always
        } else {
            Cond::Never
        }
    };
    match cond {
        Cond::Always => constant(true),
        Cond::Never => constant(false),
        Cond::Not(inner) => specialise(inner, !wanted, answer),
        Cond::Test(test) => match answer(test) {
            Some(holds) => constant(holds),
            None if wanted => Cond::Test(test.clone()),
            None => Cond::Not(Box::new(Cond::Test(test.clone()))),
        },
        Cond::All(parts) | Cond::Any(parts) => {
            let parts = parts.iter().map(|part| specialise(part, wanted, answer));
            let parts = parts.collect();
            // `not (a and b)` is `not a or not b`.
            if matches!(cond, Cond::All(_)) == wanted {
                all_of(parts)
            } else {
                any_of(parts)
            }
        }
    }
}

/// Takes a condition, whose `not`s are at the tests, apart into request and attempt.
fn spread(cond: &Cond, domains: &Domains<'_>) -> Result<Vec<Effect>, TooMixed> {
    if !reads_attempt(cond) {
        return Ok(vec![Effect {
            request: cond.clone(),
            attempts: Attempts::all(domains),
        }]);
    }
    let effects = match cond {
        Cond::Test(test) => attempts_of(test, true, domains),
        Cond::Not(inner) => match inner.as_ref() {
            Cond::Test(test) => attempts_of(test, false, domains),
            _ => Vec::new(),
        },
        Cond::All(parts) => {
            let mut all = vec![Effect {
                request: all_of(request_parts(parts)),
                attempts: Attempts::all(domains),
            }];
            for part in parts.iter().filter(|part| reads_attempt(part)) {
                let one = spread(part, domains)?;
                if all.len().saturating_mul(one.len()) > EFFECTS_MAX {
                    return Err(TooMixed);
                }
                let pairs = all.iter().flat_map(|a| one.iter().map(move |b| both(a, b)));
                all = pairs.flatten().collect();
            }
            all
        }
        Cond::Any(parts) => {
            let mut any = vec![Effect {
                request: any_of(request_parts(parts)),
                attempts: Attempts::all(domains),
            }];
            for part in parts.iter().filter(|part| reads_attempt(part)) {
                any.extend(spread(part, domains)?);
            }
            any
        }
        Cond::Always | Cond::Never => Vec::new(),
    };
    if effects.len() > EFFECTS_MAX {
        return Err(TooMixed);
    }
    Ok(effects)
}

fn both(a: &Effect, b: &Effect) -> Option<Effect> {
    Some(Effect {
        request: all_of(vec![a.request.clone(), b.request.clone()]),
        attempts: a.attempts.and(&b.attempts)?,
    })
}

fn request_parts(parts: &[Cond]) -> Vec<Cond> {
    let request = parts.iter().filter(|part| !reads_attempt(part));
    request.cloned().collect()
}

fn reads_attempt(cond: &Cond) -> bool {
    match cond {
        Cond::Always | Cond::Never => false,
        Cond::Not(inner) => reads_attempt(inner),
        Cond::All(parts) | Cond::Any(parts) => parts.iter().any(reads_attempt),
        Cond::Test(test) => match test {
            Test::OneOf { fact, .. }
            | Test::Matches { fact, .. }
            | Test::Present(fact)
            | Test::HashBelow { fact, .. } => *fact == StrFact::AttemptLastDomain,
            Test::Within { fact, .. } => *fact == IntFact::AttemptIndex,
            Test::Flag(_) => false,
            Test::LastOutcome(_) | Test::SameDomain => true,
        },
    }
}

/// The attempts for which a test of the attempt has the wanted answer.
fn attempts_of(test: &Test, wanted: bool, domains: &Domains<'_>) -> Vec<Effect> {
    let all = Attempts::all(domains);
    let attempts = match test {
        Test::Within {
            low, high, negated, ..
        } => indices(*low, *high, *negated != wanted)
            .into_iter()
            .map(|index| Attempts {
                index,
                ..all.clone()
            })
            .collect(),
        Test::LastOutcome(set) => {
            let bits = bits_of(*set);
            vec![Attempts {
                last: if wanted { bits } else { !bits },
                ..all
            }]
        }
        Test::SameDomain => vec![Attempts {
            relation: if wanted {
                Relation::Same
            } else {
                Relation::Other
            },
            ..all
        }],
        _ => vec![Attempts {
            domains: domains.set(|name| holds_for(test, name) == Some(wanted)),
            ..all
        }],
    };
    let effect = |attempts| Effect {
        request: Cond::Always,
        attempts,
    };
    attempts.into_iter().map(effect).collect()
}

/// The attempt numbers in `low..=high`, or those outside.
fn indices(low: u64, high: u64, inside: bool) -> Vec<(u8, u8)> {
    let last = u64::from(u8::MAX);
    let ranges = match (inside, low <= high) {
        (true, true) => vec![(low, high.min(last))],
        (true, false) => Vec::new(),
        (false, false) => vec![(0, last)],
        (false, true) => {
            let below = low.checked_sub(1).map(|end| (0, end.min(last)));
            let above = high.checked_add(1).map(|start| (start, last));
            below.into_iter().chain(above).collect()
        }
    };
    let narrow =
        |(low, high): (u64, u64)| Some((u8::try_from(low).ok()?, u8::try_from(high).ok()?));
    let ranges = ranges.into_iter().filter_map(narrow);
    ranges.filter(|(low, high)| low <= high).collect()
}

fn bits_of(set: OutcomeSet) -> u32 {
    set.iter()
        .fold(0, |bits, outcome| bits | 1 << outcome as u8)
}

fn all_of(parts: Vec<Cond>) -> Cond {
    if parts.contains(&Cond::Never) {
        return Cond::Never;
    }
    join(parts, &Cond::Always, Cond::All)
}

fn any_of(parts: Vec<Cond>) -> Cond {
    if parts.contains(&Cond::Always) {
        return Cond::Always;
    }
    join(parts, &Cond::Never, Cond::Any)
}

/// Drops parts that change nothing and repeats.
fn join(parts: Vec<Cond>, neutral: &Cond, wrap: fn(Vec<Cond>) -> Cond) -> Cond {
    let mut kept: Vec<Cond> = Vec::with_capacity(parts.len());
    for part in parts {
        if part != *neutral && !kept.contains(&part) {
            kept.push(part);
        }
    }
    match kept.len() {
        0 => neutral.clone(),
        1 => kept.swap_remove(0),
        _ => wrap(kept),
    }
}
