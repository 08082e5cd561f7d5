//! The facts of a request that is not there.

use crate::base::RouteId;
use crate::policy::facts::{Caps, Facts, KeyFacts, Needs, WallTime};
use crate::policy::model::{FlagFact, IntFact, StrFact};
use crate::policy::trial::Given;
use crate::policy::{Decision, Plan, Program};

/// What a test or a drill says of a request.
#[derive(Clone, Debug, Default)]
pub(super) struct Request {
    model: Box<str>,
    path: Box<str>,
    method: Box<str>,
    pub(super) stream: bool,
    pub(super) tokens_in: u64,
    max_out: u64,
    has: Caps,
    headers: Vec<(Box<str>, Box<str>)>,
    meta: Vec<(Box<str>, Box<str>)>,
    key: KeyFacts,
    now: WallTime,
}

impl Request {
    /// A request for chat completions with these facts; all others are empty. Its model is what an `alias` makes of the
    /// given one, as on the way in.
    pub(super) fn of(plan: &Plan, given: &[Given]) -> Self {
        let mut request = Self {
            path: "/v1/chat/completions".into(),
            method: "POST".into(),
            ..Self::default()
        };
        for given in given {
            match given {
                Given::Text(fact, value) => request.set(fact, value),
                Given::Int(fact, value) => request.set_number(*fact, *value),
                Given::Flag(flag, value) => request.set_flag(*flag, *value),
            }
        }
        if let Some(model) = plan.policy.alias_of(&request.model) {
            request.model = model.into();
        }
        request
    }

    /// Gives a fact this value. Facts of attempts and targets are not the request's, and are left alone.
    pub(super) fn set(&mut self, fact: &StrFact, value: &str) {
        let value: Box<str> = value.into();
        match fact {
            StrFact::Model => self.model = value,
            StrFact::Path => self.path = value,
            StrFact::Method => self.method = value,
            StrFact::Header(name) => put(&mut self.headers, name, value),
            StrFact::Meta(key) => put(&mut self.meta, key, value),
            StrFact::KeyId => self.key.id = Some(value),
            StrFact::KeyTeam => self.key.team = Some(value),
            StrFact::KeyTier => self.key.tier = Some(value),
            StrFact::KeyResidency => self.key.residency = Some(value),
            StrFact::KeyContract => self.key.contract = Some(value),
            StrFact::TargetRegion | StrFact::TargetDomain | StrFact::AttemptLastDomain => {}
        }
    }

    fn set_number(&mut self, fact: IntFact, value: u64) {
        match fact {
            IntFact::TokensIn => self.tokens_in = value,
            IntFact::MaxOut => self.max_out = value,
            IntFact::Hour => self.now.hour = u8::try_from(value).unwrap_or(u8::MAX),
            IntFact::Weekday => self.now.weekday = u8::try_from(value).unwrap_or(u8::MAX),
            IntFact::Date => self.now.date = i32::try_from(value).unwrap_or(i32::MAX),
            IntFact::AttemptIndex | IntFact::TargetPrice => {}
        }
    }

    fn set_flag(&mut self, flag: FlagFact, value: bool) {
        let cap = match flag {
            FlagFact::Stream => {
                self.stream = value;
                return;
            }
            FlagFact::HasTools => Caps::TOOLS,
            FlagFact::HasImages => Caps::IMAGES,
            FlagFact::HasJsonSchema => Caps::JSON_SCHEMA,
            FlagFact::HasAudio => Caps::AUDIO,
            FlagFact::TargetTrainsOnData => return,
        };
        self.has = if value {
            self.has.union(cap)
        } else {
            self.has.without(cap)
        };
    }

    /// What `program` says to it.
    pub(super) fn decide(&self, program: &Program) -> Decision {
        self.with_facts(program.needs(), |facts| program.decide(facts))
    }

    /// The same, for a request that routes up to `route` do not take.
    pub(super) fn decide_after(&self, route: RouteId, program: &Program) -> Decision {
        self.with_facts(program.needs(), |facts| program.decide_after(route, facts))
    }

    /// Calls `ask` with its facts, those of headers and metadata in the order of `needs`.
    pub(super) fn with_facts<T>(&self, needs: &Needs, ask: impl FnOnce(&Facts<'_>) -> T) -> T {
        let headers: Vec<_> = needs
            .headers
            .iter()
            .map(|name| found(&self.headers, name))
            .collect();
        let meta: Vec<_> = needs
            .meta
            .iter()
            .map(|key| found(&self.meta, key))
            .collect();
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

fn put(list: &mut Vec<(Box<str>, Box<str>)>, name: &str, value: Box<str>) {
    match list.iter_mut().find(|(known, _)| **known == *name) {
        Some((_, known)) => *known = value,
        None => list.push((name.into(), value)),
    }
}

fn found<'a>(list: &'a [(Box<str>, Box<str>)], name: &str) -> Option<&'a str> {
    let (_, value) = list.iter().find(|(known, _)| **known == *name)?;
    Some(value)
}
