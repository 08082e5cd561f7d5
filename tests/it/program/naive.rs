//! The policy's meaning, read straight from the model: slow, short and obviously right. The program must agree with it.

use switchover::base::OutcomeSet;
use switchover::base::RouteId;
use switchover::base::TargetId;
use switchover::base::hash;
use switchover::policy::Caps;
use switchover::policy::Facts;
use switchover::policy::Needs;
use switchover::policy::Policy;
use switchover::policy::model::Action;
use switchover::policy::model::AttemptFacts;
use switchover::policy::model::Cond;
use switchover::policy::model::FlagFact;
use switchover::policy::model::IntFact;
use switchover::policy::model::Pattern;
use switchover::policy::model::StrFact;
use switchover::policy::model::Test;
use switchover::policy::model::Then;

/// One world in which a condition is asked.
#[derive(Clone, Copy)]
pub(super) struct World<'w> {
    pub(super) policy: &'w Policy,
    pub(super) needs: &'w Needs,
    pub(super) facts: &'w Facts<'w>,
    pub(super) target: Option<TargetId>,
    pub(super) attempt: AttemptFacts,
}

impl<'w> World<'w> {
    pub(super) fn route(&self) -> RouteId {
        self.routes().next().unwrap()
    }

    /// All that match, in order.
    pub(super) fn routes(self) -> impl Iterator<Item = RouteId> {
        let routes = (0..).zip(&self.policy.routes);
        let matching = routes.filter(move |(_, route)| self.holds(&route.when));
        matching.map(|(id, _)| RouteId(id))
    }

    /// Targets with tier and weight.
    pub(super) fn candidates(&self, route: RouteId) -> Vec<(TargetId, u8, u32)> {
        let Action::Serve(serve) = &self.policy.routes[route.index()].action else {
            return Vec::new();
        };
        let mut all = Vec::new();
        for (number, tier) in serve.tiers.iter().enumerate() {
            for member in &tier.members {
                all.push((member.target, u8::try_from(number).unwrap(), member.weight));
            }
        }
        for line in &serve.fallback {
            if let Then::Jump(target) = line.then
                && !all.iter().any(|(have, ..)| *have == target)
            {
                all.push((target, 255, 0));
            }
        }
        all
    }

    pub(super) fn forbidden(&self, route: RouteId) -> u64 {
        let Action::Serve(serve) = &self.policy.routes[route.index()].action else {
            return 0;
        };
        let mut mask = 0;
        for (at, (target, ..)) in self.candidates(route).into_iter().enumerate() {
            let world = World {
                target: Some(target),
                ..*self
            };
            let lacking = self.policy.targets[target.index()].lacks;
            let mut caps = Caps::WORDS.iter().map(|&(_, cap)| cap);
            let lacks = caps.any(|cap| serve.require.covers(cap) && lacking.covers(cap));
            let mut forbids = self.policy.forbids.iter();
            if lacks || forbids.any(|forbid| world.holds(&forbid.when)) {
                mask |= 1 << at;
            }
        }
        mask
    }

    pub(super) fn holds(&self, cond: &Cond) -> bool {
        match cond {
            Cond::Always => true,
            Cond::Never => false,
            Cond::Test(test) => self.test(test),
            Cond::Not(inner) => !self.holds(inner),
            Cond::All(parts) => parts.iter().all(|part| self.holds(part)),
            Cond::Any(parts) => parts.iter().any(|part| self.holds(part)),
        }
    }

    fn test(&self, test: &Test) -> bool {
        match test {
            Test::OneOf {
                fact,
                values,
                negated,
            } => match self.string(fact) {
                None => *negated,
                Some(value) => values.iter().any(|text| **text == *value) != *negated,
            },
            Test::Matches { fact, pattern } => self
                .string(fact)
                .is_some_and(|value| matches(pattern, value)),
            Test::Present(fact) => self.string(fact).is_some(),
            Test::Within {
                fact,
                low,
                high,
                negated,
            } => {
                let value = self.int(*fact);
                (*low <= value && value <= *high) != *negated
            }
            Test::Flag(fact) => self.flag(*fact),
            Test::LastOutcome(set) => self.last_is_in(*set),
            Test::SameDomain => {
                let last = self.string(&StrFact::AttemptLastDomain);
                last.is_some() && last == self.string(&StrFact::TargetDomain)
            }
            Test::HashBelow { fact, salt, share } => {
                let value = self.string(fact).unwrap_or("");
                let seed = hash::of_bytes(0, salt.as_bytes());
                hash::scale(hash::of_bytes(seed, value.as_bytes()), 1_000_000) < u64::from(*share)
            }
        }
    }

    fn last_is_in(&self, set: OutcomeSet) -> bool {
        self.attempt.last.is_some_and(|outcome| set.has(outcome))
    }

    fn string(&self, fact: &StrFact) -> Option<&'w str> {
        let key = self.facts.key;
        match fact {
            StrFact::Model => Some(self.facts.model),
            StrFact::Path => Some(self.facts.path),
            StrFact::Method => Some(self.facts.method),
            StrFact::Header(name) => {
                let at = self.needs.headers.iter().position(|have| have == name);
                self.facts.headers[at.unwrap()]
            }
            StrFact::Meta(name) => {
                let at = self.needs.meta.iter().position(|have| have == name);
                self.facts.meta[at.unwrap()]
            }
            StrFact::KeyId => key.id.as_deref(),
            StrFact::KeyTeam => key.team.as_deref(),
            StrFact::KeyTier => key.tier.as_deref(),
            StrFact::KeyResidency => key.residency.as_deref(),
            StrFact::KeyContract => key.contract.as_deref(),
            StrFact::TargetRegion => self.policy.provider_of(self.target?)?.region.as_deref(),
            StrFact::TargetDomain => self.domain(self.target),
            StrFact::AttemptLastDomain => self.domain(self.attempt.last_target),
        }
    }

    fn domain(&self, target: Option<TargetId>) -> Option<&'w str> {
        Some(&self.policy.provider_of(target?)?.failure_domain)
    }

    fn int(&self, fact: IntFact) -> u64 {
        let price = |target: TargetId| self.policy.targets[target.index()].price_in;
        match fact {
            IntFact::TokensIn => self.facts.tokens_in,
            IntFact::MaxOut => self.facts.max_out,
            IntFact::Hour => self.facts.now.hour.into(),
            IntFact::Weekday => self.facts.now.weekday.into(),
            IntFact::Date => self.facts.now.date.max(0).unsigned_abs().into(),
            IntFact::AttemptIndex => self.attempt.index.into(),
            IntFact::TargetPrice => self.target.and_then(price).unwrap_or(0),
        }
    }

    fn flag(&self, fact: FlagFact) -> bool {
        match fact {
            FlagFact::Stream => self.facts.stream,
            FlagFact::HasTools => self.facts.has.covers(Caps::TOOLS),
            FlagFact::HasImages => self.facts.has.covers(Caps::IMAGES),
            FlagFact::HasJsonSchema => self.facts.has.covers(Caps::JSON_SCHEMA),
            FlagFact::HasAudio => self.facts.has.covers(Caps::AUDIO),
            FlagFact::TargetTrainsOnData => {
                let provider = self
                    .target
                    .and_then(|target| self.policy.provider_of(target));
                provider.is_some_and(|provider| provider.trains_on_data)
            }
        }
    }
}

fn matches(pattern: &Pattern, value: &str) -> bool {
    match pattern {
        Pattern::Like(parts) => like(parts, value.as_bytes(), true),
        Pattern::StartsWith(text) => value.starts_with(&**text),
        Pattern::EndsWith(text) => value.ends_with(&**text),
        Pattern::Contains(text) => value.contains(&**text),
    }
}

/// Tries every place for every part.
fn like(parts: &[Box<str>], rest: &[u8], first: bool) -> bool {
    let (part, later) = parts.split_first().unwrap();
    let part = part.as_bytes();
    let fits = |at: usize| {
        rest[at..].starts_with(part)
            && if later.is_empty() {
                at + part.len() == rest.len()
            } else {
                like(later, &rest[at + part.len()..], false)
            }
    };
    (0..=if first { 0 } else { rest.len() }).any(fits)
}
