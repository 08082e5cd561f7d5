//! The facts that conditions read.

use crate::policy::model::{FlagFact, IntFact, StrFact};

/// One fact.
#[derive(Debug)]
pub(in crate::policy) struct Fact {
    /// As it is written.
    pub(in crate::policy) word: &'static str,
    /// What it gives.
    pub(in crate::policy) read: Read,
    /// Where it can be read.
    pub(in crate::policy) scope: Scope,
    /// What it is, for people.
    pub(in crate::policy) doc: &'static str,
}

/// What a fact gives.
#[derive(Clone, Debug)]
pub(in crate::policy) enum Read {
    /// A string.
    Str(StrFact),
    /// A header, by name: `req.header["…"]`.
    Header,
    /// A metadata value, by key: `req.meta["…"]`.
    Meta,
    /// A whole number.
    Int(IntFact),
    /// True or false.
    Flag(FlagFact),
    /// `attempt.last`
    LastOutcome,
}

/// Where a condition stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::policy) enum Scope {
    /// In `route … when`: before any target is known.
    Request,
    /// In `forbid … when`: for each target, before each attempt.
    Attempt,
}

impl Read {
    /// The type's name for people.
    pub(in crate::policy) const fn describe(&self) -> &'static str {
        match self {
            Self::Str(_) | Self::Header | Self::Meta => "string",
            Self::Int(IntFact::Weekday) => "weekday",
            Self::Int(IntFact::Date) => "date",
            Self::Int(IntFact::TargetPrice) => "price",
            Self::Int(_) => "int",
            Self::Flag(_) => "bool",
            Self::LastOutcome => "outcome",
        }
    }
}

const fn request(word: &'static str, read: Read, doc: &'static str) -> Fact {
    Fact {
        word,
        read,
        scope: Scope::Request,
        doc,
    }
}

const fn attempt(word: &'static str, read: Read, doc: &'static str) -> Fact {
    Fact {
        word,
        read,
        scope: Scope::Attempt,
        doc,
    }
}

/// Every fact.
pub(in crate::policy) const FACTS: &[Fact] = &[
    request(
        "req.model",
        Read::Str(StrFact::Model),
        "the model that the client asked for, after `alias`",
    ),
    request(
        "req.path",
        Read::Str(StrFact::Path),
        "the path, without the query",
    ),
    request("req.method", Read::Str(StrFact::Method), "the HTTP method"),
    request("req.header", Read::Header, "a request header, by name"),
    request(
        "req.meta",
        Read::Meta,
        "a value of the request's `metadata`, by key",
    ),
    request(
        "req.stream",
        Read::Flag(FlagFact::Stream),
        "whether the answer is streamed",
    ),
    request(
        "req.tokens_in",
        Read::Int(IntFact::TokensIn),
        "an estimate of the prompt's tokens",
    ),
    request(
        "req.max_out",
        Read::Int(IntFact::MaxOut),
        "the client's limit on output tokens, 0 if none",
    ),
    request(
        "req.has.tools",
        Read::Flag(FlagFact::HasTools),
        "whether tools are offered",
    ),
    request(
        "req.has.images",
        Read::Flag(FlagFact::HasImages),
        "whether the prompt holds images",
    ),
    request(
        "req.has.json_schema",
        Read::Flag(FlagFact::HasJsonSchema),
        "whether the answer is bound to a schema",
    ),
    request(
        "req.has.audio",
        Read::Flag(FlagFact::HasAudio),
        "whether audio goes in or out",
    ),
    request("key.id", Read::Str(StrFact::KeyId), "the client key's id"),
    request(
        "key.team",
        Read::Str(StrFact::KeyTeam),
        "the client key's team",
    ),
    request(
        "key.tier",
        Read::Str(StrFact::KeyTier),
        "the client key's tier",
    ),
    request(
        "key.residency",
        Read::Str(StrFact::KeyResidency),
        "where the client key's data must stay",
    ),
    request(
        "key.contract",
        Read::Str(StrFact::KeyContract),
        "the client key's contract",
    ),
    request(
        "now.hour",
        Read::Int(IntFact::Hour),
        "the hour of the day, 0 to 23, in the gateway's time zone",
    ),
    request("now.weekday", Read::Int(IntFact::Weekday), "`mon` to `sun`"),
    request(
        "now.date",
        Read::Int(IntFact::Date),
        "the date, compared with `\"2026-12-31\"`",
    ),
    attempt(
        "attempt.index",
        Read::Int(IntFact::AttemptIndex),
        "0 for the first attempt",
    ),
    attempt(
        "attempt.last",
        Read::LastOutcome,
        "how the attempt before ended",
    ),
    attempt(
        "attempt.last_domain",
        Read::Str(StrFact::AttemptLastDomain),
        "its target's failure domain",
    ),
    attempt(
        "target.region",
        Read::Str(StrFact::TargetRegion),
        "the target's region",
    ),
    attempt(
        "target.failure_domain",
        Read::Str(StrFact::TargetDomain),
        "the target's failure domain",
    ),
    attempt(
        "target.trains_on_data",
        Read::Flag(FlagFact::TargetTrainsOnData),
        "whether its provider trains on prompts",
    ),
    attempt(
        "target.price",
        Read::Int(IntFact::TargetPrice),
        "its input price, 0 where unknown",
    ),
];
