//! What conditions become.

use switchover::policy::model::{Cond, FlagFact, IntFact, Pattern, StrFact, Test};

use super::load;

/// The condition of a route between declarations that every test can use.
fn condition(when: &str) -> Cond {
    let text = format!(
        "policy 1\nconst teams = [\"b\", \"a\"]\nprovider openai {{ model mini = \"m\" }}\n\
         route first when {when} {{ tier 1 {{ openai.mini }} }}\nroute default {{ reject(404) }}\n"
    );
    load(&text).routes[0].when.clone()
}

fn one_of(fact: StrFact, values: &[&str], negated: bool) -> Cond {
    let values = values.iter().map(|&value| value.into()).collect();
    Cond::Test(Test::OneOf {
        fact,
        values,
        negated,
    })
}

fn within(fact: IntFact, low: u64, high: u64, negated: bool) -> Cond {
    Cond::Test(Test::Within {
        fact,
        low,
        high,
        negated,
    })
}

#[test]
fn conditions_on_strings_become_tests() {
    let matches = |pattern| {
        Cond::Test(Test::Matches {
            fact: StrFact::Model,
            pattern,
        })
    };
    let header = StrFact::Header("x-tier".into());
    let open_end = Pattern::Like(vec!["gpt-".into(), "".into()]);
    let share = Test::HashBelow {
        fact: StrFact::KeyId,
        salt: "s".into(),
        share: 25_000,
    };
    for (text, expected) in [
        ("req.model == \"a\"", one_of(StrFact::Model, &["a"], false)),
        ("\"a\" != req.model", one_of(StrFact::Model, &["a"], true)),
        (
            "key.team in teams",
            one_of(StrFact::KeyTeam, &["a", "b"], false),
        ),
        (
            "key.team not in [\"b\", \"b\"]",
            one_of(StrFact::KeyTeam, &["b"], true),
        ),
        (
            "req.header[\"X-Tier\"] == \"x\"",
            one_of(header, &["x"], false),
        ),
        (
            "req.meta[\"S\"] == \"x\"",
            one_of(StrFact::Meta("S".into()), &["x"], false),
        ),
        (
            "req.model like \"a\"",
            one_of(StrFact::Model, &["a"], false),
        ),
        ("req.model like \"gpt-*\"", matches(open_end)),
        (
            "req.model starts_with \"g\"",
            matches(Pattern::StartsWith("g".into())),
        ),
        (
            "req.model ends_with \"g\"",
            matches(Pattern::EndsWith("g".into())),
        ),
        (
            "req.model contains \"g\"",
            matches(Pattern::Contains("g".into())),
        ),
        (
            "has(req.meta[\"s\"])",
            Cond::Test(Test::Present(StrFact::Meta("s".into()))),
        ),
        ("hash_pct(key.id, salt = \"s\") < 2.5%", Cond::Test(share)),
        (
            "not req.model == \"a\"",
            Cond::Not(Box::new(one_of(StrFact::Model, &["a"], false))),
        ),
    ] {
        assert_eq!(condition(text), expected, "{text}");
    }
}

#[test]
fn conditions_on_numbers_and_flags_become_tests() {
    let weekend = vec![
        within(IntFact::Weekday, 5, 5, false),
        within(IntFact::Weekday, 6, 6, false),
    ];
    let stream = || Cond::Test(Test::Flag(FlagFact::Stream));
    let tools = || Cond::Test(Test::Flag(FlagFact::HasTools));
    for (text, expected) in [
        (
            "req.tokens_in < 24k",
            within(IntFact::TokensIn, 0, 23_999, false),
        ),
        (
            "24k < req.tokens_in",
            within(IntFact::TokensIn, 24_001, u64::MAX, false),
        ),
        ("req.tokens_in != 1", within(IntFact::TokensIn, 1, 1, true)),
        ("now.hour in 9..17", within(IntFact::Hour, 9, 17, false)),
        ("now.hour not in 9..17", within(IntFact::Hour, 9, 17, true)),
        ("now.weekday in [sat, sun]", Cond::Any(weekend)),
        (
            "now.date >= \"1970-01-02\"",
            within(IntFact::Date, 1, u64::MAX, false),
        ),
        ("req.stream == true", stream()),
        ("req.stream != true", Cond::Not(Box::new(stream()))),
        (
            "(req.stream or req.has.tools) and req.stream",
            Cond::All(vec![Cond::Any(vec![stream(), tools()]), stream()]),
        ),
        ("true", Cond::Always),
        ("not true", Cond::Never),
    ] {
        assert_eq!(condition(text), expected, "{text}");
    }
}
