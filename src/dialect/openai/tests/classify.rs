//! A policy's own reading of errors: which rule holds for which answer.

use crate::base::Outcome;
use crate::dialect::openai::reclassify;
use crate::policy::load;
use crate::policy::model::Classify;

fn rules(text: &str) -> Vec<Classify> {
    let text = format!(
        "policy 1\nprovider p {{ kind = simulated, model m = \"m\"\nclassify {{\n{text}\n}}\n}}\n\
         route default {{ tier 1 {{ p.m }} }}\n"
    );
    let (mut policy, _) = load(&[("p.policy", &*text)], "p.policy", &[]).expect("sound");
    policy.providers.swap_remove(0).classify
}

#[test]
fn the_first_rule_that_holds_counts() {
    let rules = rules(
        r#"when status == 400 and body contains "billing hard limit" -> quota_exhausted
           when code in ["1113", "spent"] -> quota_exhausted
           when status in 520..526 -> connect
           when not (status >= 500 or code == "keep") and body contains "moderation" -> content_filter
           when status == 503 and code != "x" -> overloaded"#,
    );
    let error = |code: &str| format!(r#"{{"error":{{"message":"m","code":"{code}"}}}}"#);
    let cases = [
        (
            400,
            r#"{"error":{"message":"billing hard limit"}}"#.to_owned(),
            Outcome::QuotaExhausted,
        ),
        (
            400,
            r#"{"error":{"message":"Billing Hard Limit"}}"#.to_owned(),
            Outcome::S4xx,
        ),
        (
            402,
            r#"{"error":{"message":"billing hard limit"}}"#.to_owned(),
            Outcome::S4xx,
        ),
        (429, error("1113"), Outcome::QuotaExhausted),
        (
            429,
            r#"{"error":{"type":"spent"}}"#.to_owned(),
            Outcome::QuotaExhausted,
        ),
        // Broker codes are numbers.
        (
            429,
            r#"{"error":{"code":1113}}"#.to_owned(),
            Outcome::QuotaExhausted,
        ),
        (519, String::new(), Outcome::S4xx),
        (520, "<html>".to_owned(), Outcome::Connect),
        (526, String::new(), Outcome::Connect),
        (400, "moderation says no".to_owned(), Outcome::ContentFilter),
        (
            400,
            r#"{"error":{"message":"moderation","code":"keep"}}"#.to_owned(),
            Outcome::S4xx,
        ),
        (503, error("x"), Outcome::S4xx),
        (503, String::new(), Outcome::Overloaded),
        // Inside a 200 the error's own number counts.
        (
            200,
            r#"{"error":{"code":520}}"#.to_owned(),
            Outcome::Connect,
        ),
        (
            200,
            r#"{"error":{"message":"billing hard limit","code":400}}"#.to_owned(),
            Outcome::QuotaExhausted,
        ),
        (
            200,
            r#"{"error":{"message":"billing hard limit"}}"#.to_owned(),
            Outcome::S4xx,
        ),
    ];
    for (status, body, wanted) in cases {
        let found = reclassify(&rules, Outcome::S4xx, status, body.as_bytes());
        assert_eq!(found, wanted, "{status} {body}");
    }
}

#[test]
fn an_answer_that_is_well_stays_so() {
    let rules = rules("when status >= 200 -> s5xx");
    assert_eq!(reclassify(&rules, Outcome::Ok, 200, b"{}"), Outcome::Ok);
    assert_eq!(
        reclassify(&rules, Outcome::BadOutput, 204, b""),
        Outcome::S5xx
    );
    assert_eq!(reclassify(&[], Outcome::S4xx, 400, b""), Outcome::S4xx);
}

#[test]
fn only_the_beginning_of_a_body_is_searched() {
    let rules = rules(r#"when body contains "needle" -> overloaded"#);
    let mut body = vec![b' '; 64 * 1024 - 6];
    body.extend_from_slice(b"needle");
    assert_eq!(
        reclassify(&rules, Outcome::S4xx, 400, &body),
        Outcome::Overloaded
    );
    body.insert(0, b' ');
    assert_eq!(reclassify(&rules, Outcome::S4xx, 400, &body), Outcome::S4xx);
}
