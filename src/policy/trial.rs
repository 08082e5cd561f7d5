//! What a policy expects of itself: its `test` blocks, with names and types settled.

use crate::base::{Outcome, RouteId, TargetId};
use crate::policy::diag::nearest::nearest;
use crate::policy::model::{At, Cond, FlagFact, IntFact, StrFact};
use crate::policy::reason::day_word;
use crate::policy::resolve::days_since_epoch;
use crate::policy::schema::{FACTS, Read, Scope};

/// `test "…" { … }`
#[derive(Clone, Debug)]
pub struct Trial {
    /// Its name.
    pub name: Box<str>,
    /// Where it stands.
    pub at: At,
    /// The facts of the request. What is not given is empty, zero or absent; the path is that of chat completions.
    pub given: Vec<Given>,
    /// Where chance comes from: another seed is another request.
    pub seed: u64,
    /// What targets are before the request comes.
    pub states: Vec<(TargetId, Staged)>,
    /// How attempts at a target end, in order; the last one stays. Targets without a script answer.
    pub scripts: Vec<(TargetId, Vec<Scripted>)>,
    /// Many requests instead of one, which differ in one fact.
    pub sample: Option<Sample>,
    /// What must hold.
    pub expects: Vec<Expectation>,
}

/// A fact of the request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Given {
    /// `req.model = "…"`
    Text(StrFact, Box<str>),
    /// `req.tokens_in = 150k`
    Int(IntFact, u64),
    /// `req.stream = true`
    Flag(FlagFact, bool),
}

/// A value that somebody gives a fact.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Said<'s> {
    /// A string.
    Text(&'s str),
    /// A whole number.
    Number(u64),
    /// True or false.
    Flag(bool),
}

impl Given {
    /// The fact that is written `word` gets a value. Weekdays are words, `"sat"`; dates strings, `"2026-11-30"`.
    ///
    /// # Errors
    /// There is no such fact of a request, or its values are others; a sentence.
    pub fn said(word: &str, said: Said<'_>) -> Result<Self, String> {
        let keyed = |prefix: &str| {
            let key = word.strip_prefix(prefix)?.strip_prefix("[\"")?;
            key.strip_suffix("\"]").filter(|key| !key.is_empty())
        };
        let read = if let Some(name) = keyed("req.header") {
            Read::Str(StrFact::Header(name.to_ascii_lowercase().into()))
        } else if let Some(key) = keyed("req.meta") {
            Read::Str(StrFact::Meta(key.into()))
        } else {
            let requests = FACTS.iter().filter(|fact| fact.scope == Scope::Request);
            let words = requests.clone().map(|fact| fact.word);
            let Some(fact) = requests.clone().find(|fact| fact.word == word) else {
                let near = nearest(word, words).map(|near| format!(": did you mean `{near}`?"));
                let near = near.unwrap_or_default();
                return Err(format!("`{word}` is no fact of a request{near}"));
            };
            fact.read.clone()
        };
        let wanted = read.describe();
        match (read, said) {
            (Read::Str(fact), Said::Text(text)) => Ok(Self::Text(fact, text.into())),
            (Read::Int(fact), Said::Number(number)) => Ok(Self::Int(fact, number)),
            (Read::Int(fact), Said::Text(text)) => match day(fact, text) {
                Some(number) => Ok(Self::Int(fact, number)),
                None => Err(format!("`{word}` is a {wanted}, and {text:?} is none")),
            },
            (Read::Flag(flag), Said::Flag(value)) => Ok(Self::Flag(flag, value)),
            (Read::Header | Read::Meta, _) => Err(format!("it is written {word}[\"name\"]")),
            _ => Err(format!("`{word}` is a {wanted}")),
        }
    }
}

/// A weekday's number, or a date's.
fn day(fact: IntFact, text: &str) -> Option<u64> {
    match fact {
        IntFact::Weekday => (0..7).find(|&day| day_word(fact, day) == text),
        IntFact::Date => days_since_epoch(text),
        _ => None,
    }
}

/// What a target can be when a test begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Staged {
    /// Well: the state of what is not named.
    Closed,
    /// Its breaker refuses.
    Open,
    /// Its breaker lets probes through.
    HalfOpen,
    /// Health checks find none of its provider's endpoints.
    Down,
    /// The provider asked for a pause.
    Throttled,
    /// An operator drains it.
    Drained,
}

impl Staged {
    /// Each state, in the order of the documents.
    pub const ALL: [Self; 6] = [
        Self::Closed,
        Self::Open,
        Self::HalfOpen,
        Self::Down,
        Self::Throttled,
        Self::Drained,
    ];

    /// The word of the policy language.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
            Self::Down => "down",
            Self::Throttled => "throttled",
            Self::Drained => "drained",
        }
    }

    /// The state that `word` names, if any.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// How one attempt ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scripted {
    /// In this way.
    Outcome(Outcome),
    /// With an answer of this status, 400 to 599: `s503`.
    Status(u16),
}

/// `sample key.id 20000`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sample {
    /// The fact that differs.
    pub fact: StrFact,
    /// How many values of it are tried.
    pub count: u32,
}

/// One line of `expect { … }`.
#[derive(Clone, Debug)]
pub struct Expectation {
    /// As it is written.
    pub text: Box<str>,
    /// Where it stands.
    pub at: At,
    /// What it says.
    pub expect: Expect,
}

/// What must hold.
#[derive(Clone, Debug)]
pub enum Expect {
    /// `route = NAME`
    Route(OneOf<RouteId>),
    /// `target = NAME`: whose answer the client gets. None answers where the request is rejected.
    Target(OneOf<TargetId>),
    /// `chain = […]`: the targets that are asked, in order; repeats of one count once.
    Chain(Vec<TargetId>),
    /// `status = 200`: what the client sees.
    Status(Within),
    /// `attempts <= 2`: requests to providers, repeats included.
    Attempts(Within),
    /// `reject = 503`: the policy answers, with this status.
    Reject(Within),
    /// `never [openai, anthropic]`: none of these is asked.
    NeverAsked(Vec<TargetId>),
    /// `never target.region != eu`: no target is asked for which this holds.
    NeverWhen(Cond),
    /// `same target over 1000`: so many requests with these facts all get the same.
    Same(SameOf, u32),
    /// `share(anthropic) in 4%..6%`: the part of the sample's requests.
    Share(ShareOf, Within),
}

/// What many requests have in common.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SameOf {
    /// Their route.
    Route,
    /// Whoever answers, or the refusal.
    Target,
}

/// One of a few, or none of them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OneOf<T> {
    /// At least one.
    pub values: Vec<T>,
    /// `!=`, `not in`
    pub negated: bool,
}

impl<T: PartialEq> OneOf<T> {
    /// Whether `value` fits; nothing is none of them.
    pub fn holds(&self, value: Option<&T>) -> bool {
        value.is_some_and(|value| self.values.contains(value)) != self.negated
    }
}

/// A number between two others, both inclusive, or outside of them. Shares are parts per million.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Within {
    /// The least.
    pub low: u64,
    /// The most.
    pub high: u64,
    /// `!=`
    pub negated: bool,
}

impl Within {
    /// Whether `value` fits.
    pub const fn holds(self, value: u64) -> bool {
        (value >= self.low && value <= self.high) != self.negated
    }
}

/// What a share is the share of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ShareOf {
    /// Requests that a route takes.
    Route(RouteId),
    /// Requests that one of these targets answers.
    Targets(Vec<TargetId>),
}
