//! Conditions and the facts that they read.

use crate::base::{Outcome, OutcomeSet, TargetId};

/// A condition, typed.
#[derive(Clone, Debug, PartialEq)]
pub enum Cond {
    /// True.
    Always,
    /// False.
    Never,
    /// One test.
    Test(Test),
    /// `not`
    Not(Box<Self>),
    /// `and`; at least two.
    All(Vec<Self>),
    /// `or`; at least two.
    Any(Vec<Self>),
}

/// One comparison. On a missing string (`None`) every test is false but a negated one, which is true.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// A string equals one of `values`; negated for `!=` and `not in`.
    OneOf {
        /// What is read.
        fact: StrFact,
        /// Sorted, without repeats, at least one.
        values: Vec<Box<str>>,
        /// `!=`, `not in`
        negated: bool,
    },
    /// A string has a form.
    Matches {
        /// What is read.
        fact: StrFact,
        /// The form.
        pattern: Pattern,
    },
    /// `has(req.header["…"])`: the string is there.
    Present(StrFact),
    /// A number lies in `low..=high`; negated for `!=` and `not in`. `low > high` never holds.
    Within {
        /// What is read.
        fact: IntFact,
        /// Inclusive.
        low: u64,
        /// Inclusive.
        high: u64,
        /// `!=`, `not in`
        negated: bool,
    },
    /// A flag is set.
    Flag(FlagFact),
    /// `attempt.last in […]`; false before the first attempt has ended.
    LastOutcome(OutcomeSet),
    /// `target.failure_domain == attempt.last_domain`; false before the first attempt has ended.
    SameDomain,
    /// `hash_pct(fact, salt = "…") < share`, share in parts per million; a missing fact hashes as empty.
    HashBelow {
        /// What is hashed.
        fact: StrFact,
        /// Keeps different experiments apart.
        salt: Box<str>,
        /// 0..=1,000,000
        share: u32,
    },
}

/// A form of string.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Pattern {
    /// `like "gpt-5*"`: the literal parts between the stars, at least two; an empty first or last part is an open end.
    Like(Vec<Box<str>>),
    /// `starts_with`
    StartsWith(Box<str>),
    /// `ends_with`
    EndsWith(Box<str>),
    /// `contains`
    Contains(Box<str>),
}

/// A fact that is a string.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum StrFact {
    /// `req.model`
    Model,
    /// `req.path`
    Path,
    /// `req.method`
    Method,
    /// `req.header["…"]`, the name in lower case.
    Header(Box<str>),
    /// `req.meta["…"]`
    Meta(Box<str>),
    /// `key.id`
    KeyId,
    /// `key.team`
    KeyTeam,
    /// `key.tier`
    KeyTier,
    /// `key.residency`
    KeyResidency,
    /// `key.contract`
    KeyContract,
    /// `target.region`; in `forbid` only.
    TargetRegion,
    /// `target.failure_domain`; in `forbid` only.
    TargetDomain,
    /// `attempt.last_domain`; in `forbid` only.
    AttemptLastDomain,
}

/// A fact that is a whole number.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum IntFact {
    /// `req.tokens_in`
    TokensIn,
    /// `req.max_out`
    MaxOut,
    /// `now.hour`, 0–23
    Hour,
    /// `now.weekday`, Monday 0 to Sunday 6
    Weekday,
    /// `now.date`, days since 1970-01-01
    Date,
    /// `attempt.index`, from 0; in `forbid` only.
    AttemptIndex,
    /// `target.price`, input, micro-dollars per million tokens, 0 where unknown; in `forbid` only.
    TargetPrice,
}

/// A fact that is true or false.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum FlagFact {
    /// `req.stream`
    Stream,
    /// `req.has.tools`
    HasTools,
    /// `req.has.images`
    HasImages,
    /// `req.has.json_schema`
    HasJsonSchema,
    /// `req.has.audio`
    HasAudio,
    /// `target.trains_on_data`; in `forbid` only.
    TargetTrainsOnData,
}

/// What a `forbid` may know about the attempt that is about to begin.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct AttemptFacts {
    /// `attempt.index`, from 0.
    pub index: u8,
    /// `attempt.last`, if an attempt has ended.
    pub last: Option<Outcome>,
    /// The target of that attempt: `attempt.last_domain` is its provider's.
    pub last_target: Option<TargetId>,
}
