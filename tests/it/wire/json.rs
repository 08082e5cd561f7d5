//! JSON: the scan of the top level, value readers, document facts and patches; `serde_json` is the reference.

use std::borrow::Cow;
use std::fmt::Write;

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::{prop_assert, prop_assert_eq, proptest};
use serde_json::{Map, Value};
use switchover::base::limits::JSON_DEPTH_MAX;
use switchover::wire::Extent;
use switchover::wire::json::value::{self, Kind};
use switchover::wire::json::{
    BadJson, DocumentFacts, Inspector, Key, KeySet, Progress, TopLevel, is_plain_answer, patch,
};

use super::corpus;

#[test]
fn scans() {
    corpus::check(include_str!("../../corpus/wire/scan.cases"), |body| {
        let whole = scan(body, &[]);
        for cut in 0..body.len() {
            agree(&whole, &scan(body, &[cut]));
        }
        agree(&whole, &scan(body, &(0..body.len()).collect::<Vec<_>>()));
        match whole {
            Err(error) => format!("bad at {}", error.offset),
            Ok((Progress::Partial, _)) => "partial".to_owned(),
            Ok((Progress::Complete, values)) => {
                let mut text = "complete".to_owned();
                for ((name, _), place) in ASKED.iter().zip(values) {
                    if let Some(place) = place {
                        let value = place.of(body);
                        let value = value.escape_ascii().to_string().replace("\\\"", "\"");
                        write!(text, " {name}={value}").unwrap();
                    }
                }
                text
            }
        }
    });
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| format!("{{\"x\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    let depth_max = JSON_DEPTH_MAX as usize - 1;
    assert!(scan(nested(depth_max).as_bytes(), &[]).is_ok());
    assert!(scan(nested(depth_max + 1).as_bytes(), &[]).is_err());
    assert!(scan("{\"x\":[".repeat(1000).as_bytes(), &[]).is_err());
}

/// A body that drips in is looked at once: a scan byte by byte costs no more than its length.
#[test]
fn long_tokens_may_drip() {
    for body in [
        format!("{{\"n\":{}}}", "1".repeat(20_000)),
        format!("{{\"model\":\"{}\"}}", "\\n".repeat(10_000)),
        format!("{{\"{}\":1}}", "k".repeat(20_000)),
        format!("{{\"x\":[{}]}}", " ".repeat(20_000)),
    ] {
        let every: Vec<_> = (0..body.len()).collect();
        let (progress, _) = scan(body.as_bytes(), &every).unwrap();
        assert_eq!(progress, Progress::Complete);
    }
}

#[test]
fn the_place_for_a_new_member() {
    for (body, options, expected) in [
        (r#" {"a":1}"#, "{}", r#" {"o":{},"a":1}"#),
        ("{ }", "true", r#"{"o":true }"#),
    ] {
        let mut scan = TopLevel::new(KeySet::EMPTY);
        scan.feed(body.as_bytes()).unwrap();
        let mut patched = body.as_bytes()[..scan.opening()].to_vec();
        patch::first_member("o", options.as_bytes(), scan.is_empty(), &mut patched);
        patched.extend_from_slice(&body.as_bytes()[scan.opening()..]);
        assert_eq!(patched, expected.as_bytes());
    }
}

#[test]
fn a_cut_body_says_where() {
    let mut scan = TopLevel::new(KeySet::EMPTY);
    assert_eq!(scan.feed(b"{\"a\":1"), Ok(Progress::Partial));
    assert_eq!(
        scan.cut().to_string(),
        "the body ends within its JSON object (at byte 6 of the body)"
    );
}

#[test]
fn an_error_is_final() {
    let body = br#"{":\x":1}"#;
    let mut scan = TopLevel::new(KeySet::EMPTY);
    let error = scan.feed(body);
    assert!(error.is_err());
    assert_eq!(scan.feed(body), error);
}

#[test]
fn values() {
    let text = |text: &str| value::string(text.as_bytes(), all(text)).map(Cow::into_owned);
    assert_eq!(text(r#""gpt-4o""#).as_deref(), Some("gpt-4o"));
    assert_eq!(text(r#""""#).as_deref(), Some(""));
    assert_eq!(
        text(r#""a\"\\\/\b\f\n\r\tA\u00e4\u20AC\ud83d\ude00""#).as_deref(),
        Some("a\"\\/\u{8}\u{c}\n\r\tAä€😀")
    );
    for bad in [
        r#""\ud800""#,
        r#""\udc00""#,
        r#""\ud800\u0041""#,
        r#""\ud800\n""#,
        r#""\u12g4""#,
        r#""\u12""#,
        r#""\x""#,
        "\"a\nb\"",
        "5",
        "\"",
        "",
    ] {
        assert_eq!(text(bad), None, "{bad}");
    }
    let number = |text: &str| value::u64(text.as_bytes(), all(text));
    assert_eq!(number("0"), Some(0));
    assert_eq!(number("18446744073709551615"), Some(u64::MAX));
    for bad in [
        "18446744073709551616",
        "-1",
        "1.0",
        "1e3",
        "\"1\"",
        "null",
        "",
    ] {
        assert_eq!(number(bad), None, "{bad}");
    }
    let truth = |text: &str| value::bool(text.as_bytes(), all(text));
    assert_eq!(
        (truth("true"), truth("false"), truth("null")),
        (Some(true), Some(false), None)
    );
    for (text, kind) in [
        ("\"\"", Kind::Text),
        ("-1", Kind::Number),
        ("true", Kind::Bool),
        ("null", Kind::Null),
        ("[]", Kind::Array),
        ("{}", Kind::Object),
    ] {
        assert_eq!(value::kind(text.as_bytes(), all(text)), Some(kind));
    }
    assert_eq!(value::kind(b"", Extent::EMPTY), None);
}

#[test]
fn plain_answers() {
    for (body, plain) in [
        (r#"{"choices":[{"message":{}}]}"#, true),
        (" {\"id\":1,\"choices\" : [ {\"message\":{}}]}\n", true),
        (r#"{"data":[{"embedding":[]}],"object":"list"}"#, true),
        (r#"{"choices":[{"message":{"content":"\"error\""}}]}"#, true),
        (r#"{"choices":[]}"#, false),
        (r#"{"choices":[{}],"error":null}"#, false),
        (r#"{"choices":[{"error":{}}]}"#, false),
        (r#"{"error":{"message":"no"}}"#, false),
        (r#"{"choices":[{"message":{}}]"#, false),
        (r#"{"choices":[{"message":{}}"#, false),
        (r#"{"message":"\"choices\":[{"}"#, false),
        ("<html>", false),
        ("", false),
    ] {
        assert_eq!(is_plain_answer(body.as_bytes()), plain, "{body}");
    }
}

#[test]
fn document_facts() {
    corpus::check(include_str!("../../corpus/wire/documents.cases"), |body| {
        let Ok(facts) = Inspector::new().inspect(body, &[]) else {
            return "bad".to_owned();
        };
        let DocumentFacts {
            tokens_in,
            tools,
            images,
            audio,
            json_schema,
        } = facts;
        let mut text = format!("{tokens_in}");
        for (word, there) in [
            ("tools", tools),
            ("images", images),
            ("audio", audio),
            ("json_schema", json_schema),
        ] {
            if there {
                write!(text, " {word}").unwrap();
            }
        }
        text
    });
}

#[test]
fn metadata_of_documents() {
    let keys = ["team", "none", "number", "tier"].map(Box::from);
    let mut inspector = Inspector::new();
    let body = br#"{"metadata":{"tier":"gold\u00e4","team":"search","number":5}}"#;
    inspector.inspect(body, &keys).unwrap();
    let found: Vec<_> = (0..5).map(|index| inspector.metadata(index)).collect();
    assert_eq!(found, [Some("search"), None, None, Some("goldä"), None]);
    // Nothing is left over from the document before, whether the next is good or bad.
    assert!(inspector.inspect(b"{", &keys).is_err());
    assert_eq!(inspector.metadata(0), None);
    inspector.inspect(b"{}", &keys).unwrap();
    assert_eq!(inspector.metadata(0), None);
    assert_eq!(format!("{inspector:?}"), "Inspector { .. }");
}

#[test]
fn documents_nested_too_deeply() {
    let deep = format!("{{\"x\":{}{}}}", "[".repeat(5000), "]".repeat(5000));
    assert!(Inspector::new().inspect(deep.as_bytes(), &[]).is_err());
}

proptest! {
    #![proptest_config(super::cases(300))]

    /// Every valid object is read as the reference reads it, at any split and in any layout.
    #[test]
    fn objects_are_read_like_the_reference(
        members in vec((names(), json()), 0..8),
        pretty in any::<bool>(),
        cuts in vec(0_usize..400, 0..5),
    ) {
        let object: Map<String, Value> = members.into_iter().collect();
        let text = if pretty {
            serde_json::to_string_pretty(&object).unwrap()
        } else {
            serde_json::to_string(&object).unwrap()
        };
        let whole = scan(text.as_bytes(), &[]);
        prop_assert_eq!(scan(text.as_bytes(), &cuts), whole.clone());
        let (progress, values) = whole.unwrap();
        prop_assert_eq!(progress, Progress::Complete);
        for ((name, _), place) in ASKED.iter().zip(values) {
            let found = place.map(|it| serde_json::from_slice::<Value>(it.of(text.as_bytes())).unwrap());
            prop_assert_eq!(found.as_ref(), object.get(*name));
        }
    }

    /// Of what a mutation makes: valid objects are read as the reference reads them or refused, at every split alike.
    #[test]
    fn mutations_are_never_misread(
        members in vec((names(), json()), 1..5),
        mutations in vec((any::<proptest::sample::Index>(), "[]\"{}\\\\,:a'0 \n]"), 1..4),
        cuts in vec(0_usize..200, 0..5),
    ) {
        let object: Map<String, Value> = members.into_iter().collect();
        let mut text = serde_json::to_string(&object).unwrap().into_bytes();
        for (place, byte) in mutations {
            let place = place.index(text.len());
            text[place] = byte.as_bytes()[0];
        }
        let whole = scan(&text, &[]);
        agree(&whole, &scan(&text, &cuts));
        let reference = serde_json::from_slice::<Map<String, Value>>(&text);
        if let (Ok((Progress::Complete, values)), Ok(object)) = (whole, reference) {
            for ((name, _), place) in ASKED.iter().zip(values) {
                let found = place.map(|it| serde_json::from_slice::<Value>(it.of(&text)).unwrap());
                prop_assert_eq!(found.as_ref(), object.get(*name));
            }
        }
    }

    #[test]
    fn strings_are_spelt_like_the_reference(
        text in "(\\\\u[dD][89a-fA-F][0-9]{2}|\\\\u[0-9a-f]{4}|\\\\[\"\\\\/bfnrtx]|[a-zä€😀\"\n]){0,8}",
    ) {
        let quoted = format!("\"{text}\"");
        let found = value::string(quoted.as_bytes(), all(&quoted)).map(Cow::into_owned);
        match serde_json::from_str::<String>(&quoted) {
            Ok(reference) => prop_assert_eq!(found, Some(reference)),
            // A quote inside makes it more than one string, which a scan never yields.
            Err(_) if text.contains('"') => {}
            Err(_) => prop_assert_eq!(found, None),
        }
    }

    #[test]
    fn patches_are_read_back(text in any::<String>()) {
        let mut patched = Vec::new();
        patch::string(&text, &mut patched);
        prop_assert_eq!(serde_json::from_slice::<String>(&patched).unwrap(), text.clone());
        let place = Extent::new(0, patched.len());
        prop_assert_eq!(value::string(&patched, place).unwrap(), text);
    }

    #[test]
    fn random_bytes_do_no_harm(bytes in vec(any::<u8>(), 0..200), start in 0_usize..8) {
        let mut body = b"{\"a\":[\""[..start.min(7)].to_vec();
        body.extend_from_slice(&bytes);
        agree(&scan(&body, &[]), &scan(&body, &(0..body.len()).collect::<Vec<_>>()));
        let _ = Inspector::new().inspect(&body, &[]);
        prop_assert!(!is_plain_answer(&bytes));
    }
}

type Outcome = Result<(Progress, Vec<Option<Extent>>), BadJson>;

const ASKED: [(&str, Key); 5] = [
    ("model", Key::Model),
    ("stream", Key::Stream),
    ("max_tokens", Key::MaxTokens),
    ("tools", Key::Tools),
    ("messages", Key::Messages),
];

/// Scans `body` as it grows to each of `cuts` and to its whole length.
fn scan(body: &[u8], cuts: &[usize]) -> Outcome {
    let asked = ASKED
        .iter()
        .fold(KeySet::EMPTY, |asked, (_, key)| asked.with(*key));
    let mut scan = TopLevel::new(asked);
    let mut ends: Vec<_> = cuts.iter().map(|&cut| cut.min(body.len())).collect();
    ends.push(body.len());
    ends.sort_unstable();
    let mut progress = Progress::Partial;
    for end in ends {
        progress = scan.feed(&body[..end])?;
    }
    let values = ASKED.iter().map(|(_, key)| scan.value(*key)).collect();
    Ok((progress, values))
}

/// Splits may notice one fault of several first, but never judge otherwise.
fn agree(whole: &Outcome, split: &Outcome) {
    match (whole, split) {
        (Err(_), Err(_)) => {}
        _ => assert_eq!(whole, split),
    }
}

fn all(text: &str) -> Extent {
    Extent::new(0, text.len())
}

fn names() -> impl Strategy<Value = String> {
    let asked: Vec<_> = ASKED.iter().map(|(name, _)| (*name).to_owned()).collect();
    prop_oneof![proptest::sample::select(asked), "[a-zä\"\\\\\n]{0,12}"]
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<i32>().prop_map(|n| Value::from(f64::from(n) / 4.0)),
        "[a-z\"\\\\{}\\[\\],:\n\u{1}ä😀]{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            vec(("[a-z\"]{0,5}", inner), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}
