//! Conditions as a policy writes them. Consts have their values, and the order is that of the model.

use crate::base::{Outcome, OutcomeSet};
use crate::policy::model::{Cond, IntFact, Pattern, Pick, StrFact, Test};
use crate::policy::reason::{day_word, flag_word, number_word, word_of};

/// The whole condition.
pub fn condition(cond: &Cond) -> String {
    match cond {
        Cond::Always => "true".to_owned(),
        Cond::Never => "false".to_owned(),
        Cond::Test(only) => test(only),
        Cond::Not(inner) => format!("not {}", bracketed(inner)),
        Cond::All(parts) => joined(parts, " and "),
        Cond::Any(parts) => joined(parts, " or "),
    }
}

/// A fact that is a string.
pub fn fact_word(fact: &StrFact) -> String {
    word_of(fact)
}

/// Parts per million.
pub fn percent(ppm: u64) -> String {
    let (whole, rest) = (ppm / 10_000, ppm % 10_000);
    if rest == 0 {
        return format!("{whole}%");
    }
    let digits = format!("{whole}.{rest:04}");
    format!("{}%", digits.trim_end_matches('0'))
}

/// Micro-dollars for a million tokens.
pub fn price(micros: u64) -> String {
    let (dollars, rest) = (micros / 1_000_000, micros % 1_000_000);
    let text = format!("{dollars}.{rest:06}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("${text}/Mtok")
}

/// How a tier chooses.
pub fn pick(pick: &Pick) -> String {
    match pick {
        Pick::Weighted => "weighted".to_owned(),
        Pick::RoundRobin => "round_robin".to_owned(),
        Pick::LeastBusy => "least_busy".to_owned(),
        Pick::LeastLatency => "least_latency".to_owned(),
        Pick::Hash(facts) => format!("hash({})", listed(facts)),
    }
}

/// Facts with commas.
pub fn listed(facts: &[StrFact]) -> String {
    let words: Vec<String> = facts.iter().map(word_of).collect();
    words.join(", ")
}

/// Outcomes as a fallback line has them.
pub fn outcomes(set: OutcomeSet) -> String {
    if set == OutcomeSet::ANY {
        return "any".to_owned();
    }
    let words: Vec<&str> = set.iter().map(Outcome::as_str).collect();
    match &*words {
        [one] => (*one).to_owned(),
        several => format!("[{}]", several.join(", ")),
    }
}

/// One test.
pub(super) fn test(test: &Test) -> String {
    match test {
        Test::OneOf {
            fact,
            values,
            negated,
        } => {
            let fact = word_of(fact);
            match (&**values, negated) {
                ([only], false) => format!("{fact} == {only:?}"),
                ([only], true) => format!("{fact} != {only:?}"),
                (several, false) => format!("{fact} in {several:?}"),
                (several, true) => format!("{fact} not in {several:?}"),
            }
        }
        Test::Matches { fact, pattern } => {
            let fact = word_of(fact);
            match pattern {
                Pattern::Like(parts) => format!("{fact} like {:?}", parts.join("*")),
                Pattern::StartsWith(text) => format!("{fact} starts_with {text:?}"),
                Pattern::EndsWith(text) => format!("{fact} ends_with {text:?}"),
                Pattern::Contains(text) => format!("{fact} contains {text:?}"),
            }
        }
        Test::Present(fact) => format!("has({})", word_of(fact)),
        Test::Within {
            fact,
            low,
            high,
            negated,
        } => {
            let word = number_word(*fact);
            let (low, high) = (*low, *high);
            let (from, to) = (number(*fact, low), number(*fact, high));
            match (low, high, negated) {
                (low, high, false) if low == high => format!("{word} == {from}"),
                (low, high, true) if low == high => format!("{word} != {from}"),
                (low, high, _) if low > high => format!("{word} in an empty range"),
                (0, _, false) => format!("{word} <= {to}"),
                (_, u64::MAX, false) => format!("{word} >= {from}"),
                (.., false) => format!("{word} in {from}..{to}"),
                (.., true) => format!("{word} not in {from}..{to}"),
            }
        }
        Test::Flag(fact) => flag_word(*fact).to_owned(),
        Test::LastOutcome(set) => {
            let outcomes: Vec<&str> = set.iter().map(Outcome::as_str).collect();
            format!("attempt.last in [{}]", outcomes.join(", "))
        }
        Test::SameDomain => "target.failure_domain == attempt.last_domain".to_owned(),
        Test::HashBelow { fact, salt, share } => {
            let fact = word_of(fact);
            format!(
                "hash_pct({fact}, salt = {salt:?}) < {}",
                percent(u64::from(*share))
            )
        }
    }
}

/// A number as its fact has it.
pub(super) fn number(fact: IntFact, value: u64) -> String {
    match fact {
        IntFact::Weekday | IntFact::Date => day_word(fact, value),
        IntFact::TargetPrice => price(value),
        _ => value.to_string(),
    }
}

fn joined(parts: &[Cond], word: &str) -> String {
    let parts: Vec<String> = parts.iter().map(bracketed).collect();
    parts.join(word)
}

fn bracketed(cond: &Cond) -> String {
    match cond {
        Cond::All(_) | Cond::Any(_) => format!("({})", condition(cond)),
        _ => condition(cond),
    }
}
