//! What a policy may say: every block, field, type, unit, default and its explanation, as data. One table drives
//! checking, did-you-mean and docs/language/reference.md: a new field is a new row.

mod blocks;
pub(in crate::policy) mod drill;
mod facts;
pub(in crate::policy) mod later;
#[cfg(test)]
mod reference;
mod settings;
mod shown;
pub(in crate::policy) mod testing;
#[cfg(test)]
mod textmate;
mod top;

pub(in crate::policy) use self::blocks::{
    CAPACITY, CLASSIFY, CLIENTS, DEFAULTS, FALLBACK, FORBID, GUARD, HEDGE, MODEL, POOL, PRICE,
    PROVIDER, ROUTE, SERVER, SERVER_TLS, SIMULATE, TIER, TLS,
};
pub(in crate::policy) use self::facts::{FACTS, Read, Scope};
pub(in crate::policy) use self::settings::{
    BREAKER, HALF_OPEN, HEALTH, RECORDS, RETRIES, SHADOW, TELEMETRY, THROTTLE,
};
pub(in crate::policy) use self::top::TOP;

use crate::base::{OutcomeSet, Span};
use crate::policy::model::{Auth, KeyPick, MaxInflight, Pick, Ramp, Roots, SecretRef, StrFact};

/// Regions that are proposed. A const that is called as one of them would be taken for it.
pub(in crate::policy) const REGIONS: [&str; 2] = ["eu", "us"];

/// The most requests at once that a policy can ask for.
pub(in crate::policy) const INFLIGHT_MAX: u32 = 1_000_000;

/// A block: what may stand between its braces.
#[derive(Debug)]
pub(in crate::policy) struct Block {
    /// Its word, for messages.
    pub(in crate::policy) word: &'static str,
    /// In the order of the reference.
    pub(in crate::policy) rows: &'static [Row],
}

/// One thing that may stand in a block.
#[derive(Debug)]
pub(in crate::policy) struct Row {
    /// The word it begins with.
    pub(in crate::policy) word: &'static str,
    /// How it is written.
    pub(in crate::policy) form: Form,
    /// Whether it is checked but does nothing in this release.
    pub(in crate::policy) later: bool,
    /// What it does, for people; a default is explained here.
    pub(in crate::policy) doc: &'static str,
}

/// How a row is written.
#[derive(Debug)]
pub(in crate::policy) enum Form {
    /// `word = value`, with what holds where it is left out.
    Field(Type, Option<Value<'static>>),
    /// `word { … }`
    Block(&'static Block),
    /// `word = value` or `word { … }`
    Either(Type, &'static Block),
    /// Another form, which its owner reads; shown as it is written.
    Free(&'static str),
}

/// What a value may be.
#[derive(Debug)]
pub(in crate::policy) enum Type {
    /// `true`, `false`
    Bool,
    /// A whole number from the first to the second.
    Int(u64, u64),
    /// A whole number of at least one, or `all`.
    Cores,
    /// Up to this many parts per million.
    Percent(u32),
    /// A time between the two.
    Span(Span, Span),
    /// `50ms..500ms`, or one time for both ends.
    Spans,
    /// Rising percentages, the last of which is 100 %.
    Ramp,
    /// A size in bytes.
    Bytes,
    /// So many in a time.
    Rate,
    /// Dollars, perhaps in a time.
    Money,
    /// Dollars for tokens.
    Price,
    /// A string.
    Text,
    /// `address:port`
    Address,
    /// `http://…` or `https://…`
    Url,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A place name: a bare word or a string.
    Region,
    /// A list of such, or one alone.
    List(&'static Self),
    /// `env("…")` or `file("…")`.
    Secret,
    /// How a provider knows us.
    Auth,
    /// Where trust comes from.
    Roots,
    /// A file with addresses, and how often it is looked at.
    Discover,
    /// A whole number from 1 to [`INFLIGHT_MAX`], `auto`, or `auto(4..1000)`.
    Inflight,
    /// How a member of a tier is chosen.
    Pick,
    /// What keeps requests with the same target.
    Sticky,
    /// One outcome, a list of them, or `any`.
    Outcomes,
    /// A declaration of this kind.
    Name(Space),
    /// A call of this name; its arguments are checked for being facts, durations and the like by their owner.
    Call(&'static [&'static str]),
}

/// The kinds of thing that a policy declares.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(in crate::policy) enum Space {
    /// `alias`
    Alias,
    /// `breaker`
    Breaker,
    /// `budget`
    Budget,
    /// `const`
    Const,
    /// `drill`
    Drill,
    /// `forbid`
    Forbid,
    /// `health`
    Health,
    /// `limit`
    Limit,
    /// `pool`
    Pool,
    /// `prove`
    Prove,
    /// `provider`
    Provider,
    /// `retries`
    Retries,
    /// `route`
    Route,
    /// `test`
    Test,
}

/// A value that fits its type, in base units.
#[derive(Clone, Debug)]
pub(in crate::policy) enum Value<'t> {
    /// `true`, `false`
    Bool(bool),
    /// Counts, bytes, micro-dollars.
    Int(u64),
    /// `all`
    All,
    /// Parts per million.
    Ppm(u32),
    /// A time.
    Span(Span),
    /// First and longest.
    Spans(Span, Span),
    /// Rising parts of a weight.
    Ramp(Ramp),
    /// So many in a time.
    Rate(u64, Span),
    /// Strings, addresses, places, and the names of declarations.
    Text(&'t str),
    /// One of the type's words.
    Word(&'static str),
    /// A list.
    List(Vec<Self>),
    /// Where a secret is kept.
    Secret(SecretRef),
    /// How a provider knows us.
    Auth(Auth),
    /// The keys of `keys(…)`, written as the provider's kind writes keys.
    Keys(Vec<SecretRef>, KeyPick),
    /// Where trust comes from.
    Roots(Roots),
    /// The path of a file with addresses, and how often it is looked at.
    Discover(&'t str, Span),
    /// How many requests at once.
    Inflight(MaxInflight),
    /// How a member of a tier is chosen.
    Pick(Pick),
    /// Facts that are strings.
    Facts(Vec<StrFact>),
    /// Outcomes.
    Outcomes(OutcomeSet),
    /// Checked, and not kept: it has no effect yet.
    Checked,
}

impl Space {
    /// The word that declares one.
    pub(in crate::policy) const fn as_str(self) -> &'static str {
        match self {
            Self::Alias => "alias",
            Self::Breaker => "breaker",
            Self::Budget => "budget",
            Self::Const => "const",
            Self::Drill => "drill",
            Self::Forbid => "forbid",
            Self::Health => "health",
            Self::Limit => "limit",
            Self::Pool => "pool",
            Self::Prove => "prove",
            Self::Provider => "provider",
            Self::Retries => "retries",
            Self::Route => "route",
            Self::Test => "test",
        }
    }
}

impl Block {
    /// The row that begins with `word`.
    pub(in crate::policy) fn row(&self, word: &str) -> Option<&'static Row> {
        self.rows.iter().find(|row| row.word == word)
    }

    /// Every word, for messages.
    pub(in crate::policy) fn words(&self) -> impl Iterator<Item = &'static str> {
        self.rows.iter().map(|row| row.word)
    }
}

impl Form {
    /// How it is written, for messages.
    pub(in crate::policy) fn shape(&self, word: &str) -> String {
        match self {
            Self::Field(of, _) => format!("{word} = <{}>", of.describe()),
            Self::Block(_) => format!("{word} {{ … }}"),
            Self::Either(of, _) => format!("{word} = <{}>` or `{word} {{ … }}", of.describe()),
            Self::Free(shape) => (*shape).to_owned(),
        }
    }
}

impl Type {
    /// Its name for people.
    pub(in crate::policy) fn describe(&self) -> String {
        match self {
            Self::Bool => "true or false".to_owned(),
            Self::Int(..) => "whole number".to_owned(),
            Self::Cores => "whole number or all".to_owned(),
            Self::Percent(_) => "percentage".to_owned(),
            Self::Span(..) => "duration".to_owned(),
            Self::Spans => "range of durations".to_owned(),
            Self::Ramp => "rising list of percentages that ends at 100%".to_owned(),
            Self::Bytes => "size".to_owned(),
            Self::Rate => "rate".to_owned(),
            Self::Money => "amount of money".to_owned(),
            Self::Price => "price".to_owned(),
            Self::Text => "string".to_owned(),
            Self::Address => "address and port".to_owned(),
            Self::Url => "URL".to_owned(),
            Self::Word(words) => words.join(" | "),
            Self::Region => "region".to_owned(),
            Self::List(of) => format!("list of {}", of.describe()),
            Self::Secret => "env(\"NAME\") or file(\"path\")".to_owned(),
            Self::Auth => "none | bearer(…) | api_key(…) | header(…) | keys(…)".to_owned(),
            Self::Roots => "bundled | system | file(\"path\")".to_owned(),
            Self::Discover => "file(\"path\", every = 10s)".to_owned(),
            Self::Inflight => "whole number | auto | auto(4..1000)".to_owned(),
            Self::Pick => {
                "weighted | round_robin | least_busy | least_latency | hash(…)".to_owned()
            }
            Self::Sticky => "hash(…)".to_owned(),
            Self::Outcomes => "outcome or list of outcomes".to_owned(),
            Self::Name(space) => format!("name of a {}", space.as_str()),
            Self::Call(names) => names
                .iter()
                .map(|name| format!("{name}(…)"))
                .collect::<Vec<_>>()
                .join(" | "),
        }
    }

    /// How one could be written, where a bare number was.
    pub(in crate::policy) const fn example(&self) -> &'static str {
        match self {
            Self::Span(..) => "durations have a unit: `30s`, `300ms`, `2m`",
            Self::Spans => "a range of durations is `15s..2m`",
            Self::Ramp => "a ramp is `[1%, 5%, 25%, 100%]`",
            Self::Percent(_) => "percentages are written `25%`",
            Self::Bytes => "sizes are written `64KiB`, `32MiB`, `1GiB`",
            Self::Rate => "rates are written `10/s`, `600/m`",
            Self::Price => "prices are written `$1.25/Mtok`",
            Self::Money => "money is written `$5`, `$50/d`, `$5000/month`",
            Self::Text => "strings stand in double quotes",
            Self::Secret => "a secret is named, never written: `env(\"NAME\")` or `file(\"path\")`",
            Self::Address => "an address is a string such as `\"127.0.0.1:8080\"`",
            _ => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Block, FACTS, Form, Row, Type, Value};

    /// Every block that can be reached from the top.
    fn all_blocks() -> Vec<&'static Block> {
        let mut all = vec![
            &super::SERVER,
            &super::CLIENTS,
            &super::TELEMETRY,
            &super::DEFAULTS,
            &super::PROVIDER,
            &super::MODEL,
            &super::POOL,
            &super::TIER,
            &super::FORBID,
            &super::ROUTE,
            &super::HEDGE,
            &super::SHADOW,
            &super::later::LIMIT,
            &super::later::BUDGET,
            &super::later::FLEET,
            &super::drill::DRILL,
            &super::drill::ASSUME,
            &super::drill::INJECT,
            &super::testing::TEST,
            &super::testing::PROVE,
        ];
        let mut next = 0;
        while let Some(block) = all.get(next).copied() {
            for row in block.rows {
                if let Form::Block(inner) | Form::Either(_, inner) = row.form {
                    all.push(inner);
                }
            }
            next += 1;
        }
        all
    }

    fn fits(of: &Type, default: &Value<'_>) -> bool {
        match (of, default) {
            (Type::Int(low, high), Value::Int(value)) => (low..=high).contains(&value),
            (Type::Percent(high), Value::Ppm(value)) => value <= high,
            (Type::Span(low, high), Value::Span(value)) => (low..=high).contains(&value),
            (Type::Spans, Value::Spans(low, high)) => low <= high,
            (Type::Word(words), Value::Word(word)) => words.contains(word),
            (Type::Bool, Value::Bool(_))
            | (Type::Cores, Value::All)
            | (Type::Bytes, Value::Int(_))
            | (Type::Rate, Value::Rate(..))
            | (Type::Ramp, Value::Ramp(_))
            | (Type::Address, Value::Text(_))
            | (Type::List(_), Value::List(_))
            | (Type::Pick, Value::Pick(_))
            | (Type::Outcomes, Value::Outcomes(_)) => true,
            _ => false,
        }
    }

    #[test]
    fn rows_are_explained_unique_and_have_fitting_defaults() {
        for block in all_blocks() {
            let words: BTreeSet<_> = block.words().collect();
            assert_eq!(words.len(), block.rows.len(), "{}", block.word);
            for Row {
                word, form, doc, ..
            } in block.rows
            {
                assert!(
                    !doc.is_empty() && !doc.ends_with('.'),
                    "{} {word}",
                    block.word
                );
                if let Form::Field(of, Some(default)) = form {
                    assert!(fits(of, default), "{} {word}", block.word);
                }
            }
        }
    }

    #[test]
    fn facts_are_explained_and_unique() {
        let words: BTreeSet<_> = FACTS.iter().map(|fact| fact.word).collect();
        assert_eq!(words.len(), FACTS.len());
        assert!(FACTS.iter().all(|fact| !fact.doc.is_empty()));
    }
}
