//! Where a fact stands in [`Facts`], resolved once so that reading it is one match; and which facts a policy reads.
//! A condition about the target or the attempt has no place in a request: there it reads as missing, 0 or false.

use std::collections::BTreeSet;

use crate::policy::facts::Caps;
use crate::policy::facts::Facts;
use crate::policy::facts::Needs;
use crate::policy::model::Action;
use crate::policy::model::Cond;
use crate::policy::model::FlagFact;
use crate::policy::model::IntFact;
use crate::policy::model::Pick;
use crate::policy::model::Policy;
use crate::policy::model::StrFact;
use crate::policy::model::Test;

/// The place of a string.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    Model,
    Path,
    Method,
    Header(u32),
    Meta(u32),
    KeyId,
    KeyTeam,
    KeyTier,
    KeyResidency,
    KeyContract,
    /// Not a fact of the request.
    Nowhere,
}

impl Place {
    /// The place of `fact`; `needs` must be the needs of the same policy.
    pub(super) fn of(fact: &StrFact, needs: &Needs) -> Self {
        match fact {
            StrFact::Model => Self::Model,
            StrFact::Path => Self::Path,
            StrFact::Method => Self::Method,
            StrFact::Header(name) => {
                position(&needs.headers, name).map_or(Self::Nowhere, Self::Header)
            }
            StrFact::Meta(key) => position(&needs.meta, key).map_or(Self::Nowhere, Self::Meta),
            StrFact::KeyId => Self::KeyId,
            StrFact::KeyTeam => Self::KeyTeam,
            StrFact::KeyTier => Self::KeyTier,
            StrFact::KeyResidency => Self::KeyResidency,
            StrFact::KeyContract => Self::KeyContract,
            StrFact::TargetRegion | StrFact::TargetDomain | StrFact::AttemptLastDomain => {
                Self::Nowhere
            }
        }
    }

    /// The string, if the request has it.
    #[inline]
    pub(super) fn read<'f>(self, facts: &Facts<'f>) -> Option<&'f str> {
        match self {
            Self::Model => Some(facts.model),
            Self::Path => Some(facts.path),
            Self::Method => Some(facts.method),
            Self::Header(index) => facts.headers.get(index as usize).copied().flatten(),
            Self::Meta(index) => facts.meta.get(index as usize).copied().flatten(),
            Self::KeyId => facts.key.id.as_deref(),
            Self::KeyTeam => facts.key.team.as_deref(),
            Self::KeyTier => facts.key.tier.as_deref(),
            Self::KeyResidency => facts.key.residency.as_deref(),
            Self::KeyContract => facts.key.contract.as_deref(),
            Self::Nowhere => None,
        }
    }
}

/// The number that the request has; a date before 1970 reads as 0.
#[inline]
pub(in crate::policy) fn int(fact: IntFact, facts: &Facts<'_>) -> u64 {
    match fact {
        IntFact::TokensIn => facts.tokens_in,
        IntFact::MaxOut => facts.max_out,
        IntFact::Hour => u64::from(facts.now.hour),
        IntFact::Weekday => u64::from(facts.now.weekday),
        IntFact::Date => u64::try_from(facts.now.date).unwrap_or(0),
        IntFact::AttemptIndex | IntFact::TargetPrice => 0,
    }
}

/// Whether the request has the flag.
#[inline]
pub(in crate::policy) const fn flag(fact: FlagFact, facts: &Facts<'_>) -> bool {
    match fact {
        FlagFact::Stream => facts.stream,
        FlagFact::HasTools => facts.has.covers(Caps::TOOLS),
        FlagFact::HasImages => facts.has.covers(Caps::IMAGES),
        FlagFact::HasJsonSchema => facts.has.covers(Caps::JSON_SCHEMA),
        FlagFact::HasAudio => facts.has.covers(Caps::AUDIO),
        FlagFact::TargetTrainsOnData => false,
    }
}

/// Every fact that the policy's routes, picks, hedges and forbids read. Headers and metadata keys are sorted.
pub(super) fn needs_of(policy: &Policy) -> Needs {
    let mut reads = Reads::default();
    for route in &policy.routes {
        reads.cond(&route.when);
        let Action::Serve(serve) = &route.action else {
            continue;
        };
        for fact in &serve.sticky {
            reads.string(fact);
        }
        for tier in &serve.tiers {
            if let Pick::Hash(facts) = &tier.pick {
                for fact in facts {
                    reads.string(fact);
                }
            }
        }
        if let Some(hedge) = &serve.hedge {
            reads.cond(&hedge.when);
        }
    }
    for forbid in &policy.forbids {
        reads.cond(&forbid.when);
    }
    Needs {
        headers: reads.headers.into_iter().map(Box::from).collect(),
        meta: reads.meta.into_iter().map(Box::from).collect(),
        ..reads.needs
    }
}

/// What has been seen to be read.
#[derive(Default)]
struct Reads<'p> {
    headers: BTreeSet<&'p str>,
    meta: BTreeSet<&'p str>,
    needs: Needs,
}

impl<'p> Reads<'p> {
    fn cond(&mut self, cond: &'p Cond) {
        match cond {
            Cond::Always | Cond::Never => {}
            Cond::Test(test) => self.test(test),
            Cond::Not(inner) => self.cond(inner),
            Cond::All(parts) | Cond::Any(parts) => parts.iter().for_each(|part| self.cond(part)),
        }
    }

    fn test(&mut self, test: &'p Test) {
        match test {
            Test::OneOf { fact, .. }
            | Test::Matches { fact, .. }
            | Test::Present(fact)
            | Test::HashBelow { fact, .. } => self.string(fact),
            Test::Within { fact, .. } => match fact {
                IntFact::TokensIn => self.needs.tokens_in = true,
                IntFact::MaxOut => self.needs.max_out = true,
                IntFact::Hour | IntFact::Weekday | IntFact::Date => self.needs.now = true,
                IntFact::AttemptIndex | IntFact::TargetPrice => {}
            },
            Test::Flag(fact) => {
                let cap = match fact {
                    FlagFact::HasTools => Caps::TOOLS,
                    FlagFact::HasImages => Caps::IMAGES,
                    FlagFact::HasJsonSchema => Caps::JSON_SCHEMA,
                    FlagFact::HasAudio => Caps::AUDIO,
                    FlagFact::Stream | FlagFact::TargetTrainsOnData => Caps::NONE,
                };
                self.needs.has = self.needs.has.union(cap);
            }
            Test::LastOutcome(_) | Test::SameDomain => {}
        }
    }

    fn string(&mut self, fact: &'p StrFact) {
        match fact {
            StrFact::Header(name) => {
                self.headers.insert(name);
            }
            StrFact::Meta(key) => {
                self.meta.insert(key);
            }
            _ => {}
        }
    }
}

fn position(sorted: &[Box<str>], name: &str) -> Option<u32> {
    let index = sorted.binary_search_by(|have| (**have).cmp(name)).ok()?;
    u32::try_from(index).ok()
}
