//! From points to requests and back: a request that stands for its class, in the policy's words.

use std::collections::BTreeMap;
use std::fmt;

use crate::policy::facts::{Caps, Facts, KeyFacts, Needs, WallTime};
use crate::policy::model::{FlagFact, IntFact, StrFact};
use crate::policy::reason::area::Point;
use crate::policy::reason::classes::{Classes, Fact, Kinds};
use crate::policy::reason::text::Value;

/// A request as facts. It prints those that matter, as `given { … }` in a test has them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Example {
    texts: BTreeMap<StrFact, String>,
    numbers: BTreeMap<IntFact, u64>,
    flags: Vec<FlagFact>,
    shown: Vec<String>,
}

impl Example {
    /// Calls `ask` with the facts, those of headers and metadata in the order of `needs`.
    pub fn with_facts<T>(&self, needs: &Needs, ask: impl FnOnce(&Facts<'_>) -> T) -> T {
        let text = |fact: &StrFact| self.texts.get(fact).map(String::as_str);
        let boxed = |fact: &StrFact| text(fact).map(Box::from);
        let number = |fact: IntFact| self.numbers.get(&fact).copied().unwrap_or_default();
        let has = |fact: FlagFact| self.flags.contains(&fact);
        let headers = needs.headers.iter();
        let headers: Vec<_> = headers
            .map(|name| text(&StrFact::Header(name.clone())))
            .collect();
        let meta = needs.meta.iter();
        let meta: Vec<_> = meta.map(|key| text(&StrFact::Meta(key.clone()))).collect();
        let key = KeyFacts {
            id: boxed(&StrFact::KeyId),
            team: boxed(&StrFact::KeyTeam),
            tier: boxed(&StrFact::KeyTier),
            residency: boxed(&StrFact::KeyResidency),
            contract: boxed(&StrFact::KeyContract),
        };
        let caps = [
            (FlagFact::HasTools, Caps::TOOLS),
            (FlagFact::HasImages, Caps::IMAGES),
            (FlagFact::HasJsonSchema, Caps::JSON_SCHEMA),
            (FlagFact::HasAudio, Caps::AUDIO),
        ];
        let caps = caps.into_iter().filter(|(flag, _)| has(*flag));
        let narrow = |fact| u8::try_from(number(fact)).unwrap_or(u8::MAX);
        ask(&Facts {
            model: text(&StrFact::Model).unwrap_or_default(),
            path: text(&StrFact::Path).unwrap_or_default(),
            method: text(&StrFact::Method).unwrap_or_default(),
            stream: has(FlagFact::Stream),
            tokens_in: number(IntFact::TokensIn),
            max_out: number(IntFact::MaxOut),
            has: caps.fold(Caps::NONE, |all, (_, cap)| all.union(cap)),
            headers: &headers,
            meta: &meta,
            key: &key,
            now: WallTime {
                hour: narrow(IntFact::Hour),
                weekday: narrow(IntFact::Weekday),
                date: i32::try_from(number(IntFact::Date)).unwrap_or(i32::MAX),
            },
        })
    }
}

impl fmt::Display for Example {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.shown.is_empty() {
            return f.write_str("any request");
        }
        f.write_str(&self.shown.join(", "))
    }
}

impl Classes<'_> {
    /// A request of that kind, which prints the facts that `shown` names by number. `None` where none was found: a test is a
    /// fact of its own, or a share is too small to be met.
    pub fn example(&self, point: &[u32], shown: &[usize]) -> Option<Example> {
        let mut example = Example::default();
        for ((number, (fact, kinds)), class) in self.facts.iter().enumerate().zip(point) {
            let said = match (fact, kinds) {
                (Fact::Text(fact), Kinds::Text(text)) => match text.example(*class)? {
                    Value::Missing => format!("no {}", word_of(fact)),
                    Value::Text(value) => {
                        let said = format!("{} = {value:?}", word_of(fact));
                        example.texts.insert((*fact).clone(), value);
                        said
                    }
                },
                (Fact::Number(fact), Kinds::Number(edges)) => {
                    let value = edges.starts.get(*class as usize).copied()?;
                    example.numbers.insert(*fact, value);
                    say_number(*fact, value)
                }
                (_, Kinds::Day(days)) => {
                    let (date, weekday) = days.example(*class)?;
                    example.numbers.insert(IntFact::Date, date);
                    example.numbers.insert(IntFact::Weekday, u64::from(weekday));
                    let date = say_number(IntFact::Date, date);
                    format!(
                        "{date}, {}",
                        say_number(IntFact::Weekday, u64::from(weekday))
                    )
                }
                (Fact::Flag(fact), _) => {
                    example.flags.extend((*class == 1).then_some(*fact));
                    format!("{} = {}", flag_word(*fact), *class == 1)
                }
                (Fact::Form(..) | Fact::Share(..), _) => return None,
                _ => continue,
            };
            if shown.contains(&number) {
                example.shown.push(said);
            }
        }
        Some(example)
    }

    /// The kind of a request. `None` if it is one that no condition sees: its model is the name of an alias. Facts of the
    /// attempt are as before the first one.
    pub fn point_of(&self, facts: &Facts<'_>, needs: &Needs) -> Option<Point> {
        let class = |(fact, kinds): &(Fact<'_>, Kinds<'_>)| match (fact, kinds) {
            (Fact::Text(fact), Kinds::Text(text)) => text.class_of(text_of(fact, facts, needs)),
            (Fact::Number(fact), Kinds::Number(edges)) => {
                Some(edges.class_of(number_of(*fact, facts)))
            }
            (_, Kinds::Day(days)) => {
                let date = days.dates.class_of(number_of(IntFact::Date, facts));
                let day = (date, facts.now.weekday);
                let found = days.classes.binary_search(&day).ok()?;
                u32::try_from(found).ok()
            }
            (Fact::Flag(fact), _) => Some(u32::from(flag_of(*fact, facts))),
            (Fact::Form(..) | Fact::Share(..), _) => None,
            _ => Some(0),
        };
        self.facts.iter().map(class).collect()
    }

    /// A fact as policies write it.
    pub fn word(&self, number: usize) -> String {
        match self.facts.get(number).map(|(fact, _)| *fact) {
            Some(Fact::Text(fact) | Fact::Form(fact, _) | Fact::Share(fact, ..)) => word_of(fact),
            Some(Fact::Number(fact)) => number_word(fact).to_owned(),
            Some(Fact::Day) => "now.date".to_owned(),
            Some(Fact::Flag(fact)) => flag_word(fact).to_owned(),
            Some(Fact::LastOutcome) => "attempt.last".to_owned(),
            Some(Fact::SameDomain) => "attempt.last_domain".to_owned(),
            None => String::new(),
        }
    }
}

pub(in crate::policy) fn text_of<'f>(
    fact: &StrFact,
    facts: &Facts<'f>,
    needs: &Needs,
) -> Option<&'f str> {
    let key: &'f KeyFacts = facts.key;
    let at = |names: &[Box<str>], name: &str| names.iter().position(|have| **have == *name);
    match fact {
        StrFact::Model => Some(facts.model),
        StrFact::Path => Some(facts.path),
        StrFact::Method => Some(facts.method),
        StrFact::Header(name) => *facts.headers.get(at(&needs.headers, name)?)?,
        StrFact::Meta(name) => *facts.meta.get(at(&needs.meta, name)?)?,
        StrFact::KeyId => key.id.as_deref(),
        StrFact::KeyTeam => key.team.as_deref(),
        StrFact::KeyTier => key.tier.as_deref(),
        StrFact::KeyResidency => key.residency.as_deref(),
        StrFact::KeyContract => key.contract.as_deref(),
        StrFact::TargetRegion | StrFact::TargetDomain | StrFact::AttemptLastDomain => None,
    }
}

pub(in crate::policy) fn number_of(fact: IntFact, facts: &Facts<'_>) -> u64 {
    crate::policy::program::place::int(fact, facts)
}

pub(in crate::policy) fn flag_of(fact: FlagFact, facts: &Facts<'_>) -> bool {
    crate::policy::program::place::flag(fact, facts)
}

/// A fact as policies write it.
pub fn word_of(fact: &StrFact) -> String {
    let word = match fact {
        StrFact::Model => "req.model",
        StrFact::Path => "req.path",
        StrFact::Method => "req.method",
        StrFact::Header(name) => return format!("req.header[{name:?}]"),
        StrFact::Meta(key) => return format!("req.meta[{key:?}]"),
        StrFact::KeyId => "key.id",
        StrFact::KeyTeam => "key.team",
        StrFact::KeyTier => "key.tier",
        StrFact::KeyResidency => "key.residency",
        StrFact::KeyContract => "key.contract",
        StrFact::TargetRegion => "target.region",
        StrFact::TargetDomain => "target.failure_domain",
        StrFact::AttemptLastDomain => "attempt.last_domain",
    };
    word.to_owned()
}

pub(in crate::policy) const fn number_word(fact: IntFact) -> &'static str {
    match fact {
        IntFact::TokensIn => "req.tokens_in",
        IntFact::MaxOut => "req.max_out",
        IntFact::Hour => "now.hour",
        IntFact::Weekday => "now.weekday",
        IntFact::Date => "now.date",
        IntFact::AttemptIndex => "attempt.index",
        IntFact::TargetPrice => "target.price",
    }
}

pub(in crate::policy) const fn flag_word(fact: FlagFact) -> &'static str {
    match fact {
        FlagFact::Stream => "req.stream",
        FlagFact::HasTools => "req.has.tools",
        FlagFact::HasImages => "req.has.images",
        FlagFact::HasJsonSchema => "req.has.json_schema",
        FlagFact::HasAudio => "req.has.audio",
        FlagFact::TargetTrainsOnData => "target.trains_on_data",
    }
}

fn say_number(fact: IntFact, value: u64) -> String {
    let word = number_word(fact);
    match fact {
        IntFact::Weekday | IntFact::Date => format!("{word} = {}", day_word(fact, value)),
        _ => format!("{word} = {value}"),
    }
}

/// A weekday or a date as policies write it.
pub(in crate::policy) fn day_word(fact: IntFact, value: u64) -> String {
    const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    if fact == IntFact::Weekday {
        let day = usize::try_from(value).ok().and_then(|day| DAYS.get(day));
        return day.copied().unwrap_or_default().to_owned();
    }
    let (year, month, day) = calendar(value.min(LAST_DAY));
    format!("\"{year:04}-{month:02}-{day:02}\"")
}

/// 9999-12-31: no policy can name a later one.
const LAST_DAY: u64 = 2_932_896;

/// Year, month and day of a number of days since 1970-01-01, in the Gregorian calendar: by counting from March in eras of
/// 400 years.
const fn calendar(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    (
        year + era * 400 + if month <= 2 { 1 } else { 0 },
        month,
        day,
    )
}

#[cfg(test)]
mod tests {
    use super::{LAST_DAY, calendar};

    #[test]
    fn days_have_dates() {
        for (days, date) in [
            (0, (1970, 1, 1)),
            (11_016, (2000, 2, 29)),
            (20_782, (2026, 11, 25)),
            (20_819, (2027, 1, 1)),
            (LAST_DAY, (9999, 12, 31)),
        ] {
            assert_eq!(calendar(days), date);
        }
    }
}
