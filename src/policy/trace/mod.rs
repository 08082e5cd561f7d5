//! Why a request went where it went, as far as the policy's conditions say so: the slow twin of `program`, read straight
//! from the model, with the values that each condition met. It decides nothing.

mod words;

use crate::base::{RouteId, TargetId};
use crate::policy::facts::Facts;
use crate::policy::model::{
    Action, AttemptFacts, Cond, FlagFact, IntFact, Policy, Provider, StrFact, Target, Test,
};
use crate::policy::program::Plan;
use crate::policy::program::probe::{has_form, hash_share, parts_of};
use crate::policy::reason::{flag_of, flag_word, number_of, number_word, text_of};

pub use self::words::{condition, fact_word, listed, outcomes, percent, pick, price};

/// A route that was looked at for a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RouteTrace {
    /// Which.
    pub route: RouteId,
    /// Its condition holds.
    pub matches: bool,
    /// The parts of its condition that decide, each with the value that it met: those that fail where it does not hold,
    /// else those that hold.
    pub because: Vec<String>,
}

/// What a `forbid` masks for one attempt.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ForbidTrace {
    /// Its place in [`Policy::forbids`].
    pub forbid: usize,
    /// The candidates of the route that it masks, in their order.
    pub masks: Vec<TargetId>,
    /// The parts of its condition that hold, for the first of them.
    pub because: Vec<String>,
}

/// The routes in file order, to the first that matches.
pub fn routes(plan: &Plan, facts: &Facts<'_>) -> Vec<RouteTrace> {
    let seen = Seen::of_request(plan, facts);
    let mut traced = Vec::new();
    for (id, route) in (0..).map(RouteId).zip(&plan.policy.routes) {
        let matches = seen.holds(&route.when);
        traced.push(RouteTrace {
            route: id,
            matches,
            because: seen.because(&route.when, matches),
        });
        if matches {
            break;
        }
    }
    traced
}

/// The forbids that mask candidates of `route` for the attempt that is about to begin.
pub fn forbids(
    plan: &Plan,
    route: RouteId,
    facts: &Facts<'_>,
    attempt: AttemptFacts,
) -> Vec<ForbidTrace> {
    let mut traced = Vec::new();
    for (index, forbid) in plan.policy.forbids.iter().enumerate() {
        let mut found = ForbidTrace {
            forbid: index,
            masks: Vec::new(),
            because: Vec::new(),
        };
        for candidate in plan.program.candidates(route) {
            let seen = Seen {
                target: Some(candidate.target),
                attempt,
                ..Seen::of_request(plan, facts)
            };
            if seen.holds(&forbid.when) {
                if found.masks.is_empty() {
                    found.because = seen.because(&forbid.when, true);
                }
                found.masks.push(candidate.target);
            }
        }
        if !found.masks.is_empty() {
            traced.push(found);
        }
    }
    traced
}

/// Whether the request is one that the route's hedge is for, and why.
pub fn hedges(plan: &Plan, route: RouteId, facts: &Facts<'_>) -> Option<(bool, Vec<String>)> {
    let Action::Serve(serve) = &plan.policy.routes.get(route.index())?.action else {
        return None;
    };
    let when = &serve.hedge.as_ref()?.when;
    let seen = Seen::of_request(plan, facts);
    let holds = seen.holds(when);
    Some((holds, seen.because(when, holds)))
}

/// The facts of a request that conditions may read, as far as it has them: words and values.
pub fn facts(plan: &Plan, facts: &Facts<'_>) -> Vec<(String, String)> {
    let needs = plan.program.needs();
    let headers = needs.headers.iter().cloned().map(StrFact::Header);
    let meta = needs.meta.iter().cloned().map(StrFact::Meta);
    let texts = TEXTS.into_iter().chain(headers).chain(meta);
    let texts = texts.filter_map(|fact| {
        let value = text_of(&fact, facts, needs)?;
        Some((fact_word(&fact), format!("{:?}", shortened(value))))
    });
    let numbers = [
        (IntFact::TokensIn, needs.tokens_in),
        (IntFact::MaxOut, needs.max_out),
        (IntFact::Hour, needs.now),
        (IntFact::Weekday, needs.now),
        (IntFact::Date, needs.now),
    ];
    let numbers = numbers.into_iter().filter(|(_, read)| *read);
    let numbers = numbers.map(|(fact, _)| {
        let value = words::number(fact, number_of(fact, facts));
        (number_word(fact).to_owned(), value)
    });
    let flags = FLAGS.into_iter().filter(|flag| flag_of(*flag, facts));
    let flags = flags.map(|flag| (flag_word(flag).to_owned(), "true".to_owned()));
    texts.chain(numbers).chain(flags).collect()
}

/// Those that every request may have.
const TEXTS: [StrFact; 8] = [
    StrFact::Model,
    StrFact::Path,
    StrFact::Method,
    StrFact::KeyId,
    StrFact::KeyTeam,
    StrFact::KeyTier,
    StrFact::KeyResidency,
    StrFact::KeyContract,
];
const FLAGS: [FlagFact; 5] = [
    FlagFact::Stream,
    FlagFact::HasTools,
    FlagFact::HasImages,
    FlagFact::HasJsonSchema,
    FlagFact::HasAudio,
];

/// What a condition is asked about.
#[derive(Clone, Copy)]
struct Seen<'s> {
    plan: &'s Plan,
    facts: &'s Facts<'s>,
    target: Option<TargetId>,
    attempt: AttemptFacts,
}

impl<'s> Seen<'s> {
    fn of_request(plan: &'s Plan, facts: &'s Facts<'s>) -> Self {
        Self {
            plan,
            facts,
            target: None,
            attempt: AttemptFacts::default(),
        }
    }

    fn policy(&self) -> &'s Policy {
        &self.plan.policy
    }

    fn holds(&self, cond: &Cond) -> bool {
        match cond {
            Cond::Always => true,
            Cond::Never => false,
            Cond::Test(test) => self.test(test),
            Cond::Not(inner) => !self.holds(inner),
            Cond::All(parts) => parts.iter().all(|part| self.holds(part)),
            Cond::Any(parts) => parts.iter().any(|part| self.holds(part)),
        }
    }

    /// The smallest parts that make `cond` come out as `holds`, in words. One that never holds says so.
    fn because(&self, cond: &Cond, holds: bool) -> Vec<String> {
        let parts = self.deciding(cond, holds);
        if parts.is_empty() && !holds {
            return vec!["false".to_owned()];
        }
        parts
    }

    fn deciding(&self, cond: &Cond, holds: bool) -> Vec<String> {
        match cond {
            Cond::Always => Vec::new(),
            Cond::Never => vec!["false".to_owned()],
            Cond::Test(test) => vec![self.told(test)],
            Cond::Not(inner) => {
                let inner = self.deciding(inner, !holds);
                let inner = inner.into_iter();
                inner.map(|part| format!("not {part}")).collect()
            }
            Cond::All(parts) | Cond::Any(parts) => parts
                .iter()
                .filter(|part| self.holds(part) == holds)
                .flat_map(|part| self.deciding(part, holds))
                .collect(),
        }
    }

    /// A test, and what it met.
    fn told(&self, test: &Test) -> String {
        let text = |fact: &StrFact| match self.text(fact) {
            Some(value) => format!("it is {:?}", shortened(value)),
            None => "there is none".to_owned(),
        };
        let met = match test {
            Test::OneOf { fact, .. } | Test::Matches { fact, .. } | Test::Present(fact) => {
                text(fact)
            }
            Test::Within { fact, .. } => {
                format!("it is {}", words::number(*fact, self.number(*fact)))
            }
            Test::Flag(fact) => format!("it is {}", self.flag(*fact)),
            Test::HashBelow { fact, salt, .. } => {
                let share = hash_share(salt, self.text(fact).unwrap_or_default());
                format!("it is {}", percent(share))
            }
            Test::LastOutcome(_) => match self.attempt.last {
                Some(outcome) => format!("it is {}", outcome.as_str()),
                None => "no attempt has ended".to_owned(),
            },
            Test::SameDomain => match self.domain_of(self.attempt.last_target) {
                Some(domain) => format!("the last one was {domain:?}"),
                None => "no attempt has ended".to_owned(),
            },
        };
        format!("{}: {met}", words::test(test))
    }

    fn test(&self, test: &Test) -> bool {
        match test {
            Test::OneOf {
                fact,
                values,
                negated,
            } => {
                let value = self.text(fact);
                value.is_some_and(|value| values.iter().any(|text| **text == *value)) != *negated
            }
            Test::Matches { fact, pattern } => {
                let value = self.text(fact);
                value.is_some_and(|value| has_form(value, parts_of(pattern).into_iter()))
            }
            Test::Present(fact) => self.text(fact).is_some(),
            Test::Within {
                fact,
                low,
                high,
                negated,
            } => (*low..=*high).contains(&self.number(*fact)) != *negated,
            Test::Flag(fact) => self.flag(*fact),
            Test::HashBelow { fact, salt, share } => {
                hash_share(salt, self.text(fact).unwrap_or_default()) < u64::from(*share)
            }
            Test::LastOutcome(set) => self.attempt.last.is_some_and(|last| set.has(last)),
            Test::SameDomain => {
                let last = self.domain_of(self.attempt.last_target);
                last.is_some() && last == self.domain_of(self.target)
            }
        }
    }

    fn text(&self, fact: &StrFact) -> Option<&'s str> {
        match fact {
            StrFact::TargetRegion => self.provider(self.target)?.region.as_deref(),
            StrFact::TargetDomain => self.domain_of(self.target),
            StrFact::AttemptLastDomain => self.domain_of(self.attempt.last_target),
            _ => text_of(fact, self.facts, self.plan.program.needs()),
        }
    }

    fn number(&self, fact: IntFact) -> u64 {
        match fact {
            IntFact::AttemptIndex => self.attempt.index.into(),
            IntFact::TargetPrice => {
                let target = self.settings(self.target);
                target.and_then(|target| target.price_in).unwrap_or(0)
            }
            _ => number_of(fact, self.facts),
        }
    }

    fn flag(&self, fact: FlagFact) -> bool {
        match fact {
            FlagFact::TargetTrainsOnData => {
                let provider = self.provider(self.target);
                provider.is_some_and(|provider| provider.trains_on_data)
            }
            _ => flag_of(fact, self.facts),
        }
    }

    fn domain_of(&self, target: Option<TargetId>) -> Option<&'s str> {
        self.provider(target)
            .map(|provider| &*provider.failure_domain)
    }

    fn provider(&self, target: Option<TargetId>) -> Option<&'s Provider> {
        self.policy().provider_of(target?)
    }

    fn settings(&self, target: Option<TargetId>) -> Option<&'s Target> {
        self.policy().targets.get(target?.index())
    }
}

/// Enough of a value to know it by.
fn shortened(value: &str) -> String {
    if value.chars().count() <= SHOWN_MAX {
        return value.to_owned();
    }
    let mut short: String = value.chars().take(SHOWN_MAX).collect();
    short.push('…');
    short
}

/// Characters of a value that are shown.
const SHOWN_MAX: usize = 80;
