//! Every recording of Anthropic.

use serde_json::{Value, json};

use super::{Said, folded, rewritten, through, whole};
use crate::dialect::messages::answer;
use crate::dialect::recorded::{self, Recorded, RecordedBody};
use crate::dialect::turn::Finish::{self, Length, Stop, StopSequence, ToolCalls};
use crate::wire::json::Tree;

/// Requests that only Anthropic can answer, and the field that says so.
const REFUSED: [(&str, &str); 5] = [
    (
        "anthropic-code-execution-files-cache-prefix-stable-automatic-son-1",
        "tools[0]",
    ),
    (
        "anthropic-to-google-deferred-capability-history-replay-1",
        "tools[2]",
    ),
    ("anthropic-web-fetch-tool-1", "tools[0]"),
    ("in-flight-native-tool-call-history-is-accepted", "tools[1]"),
    (
        "thinking-with-native-tool-wire-contract-anthropic",
        "tools[0]",
    ),
];

#[test]
fn requests_come_through() {
    let mut refused = Vec::new();
    for recorded in messages() {
        let model = recorded.request["model"].as_str().unwrap();
        match through(&recorded.request, model, None) {
            Ok(written) => {
                assert_eq!(
                    normal(&written.body),
                    normal(&recorded.request),
                    "{}",
                    recorded.name
                );
                assert_eq!(written.lost, Vec::<String>::new(), "{}", recorded.name);
            }
            Err(error) => refused.push((short(&recorded), error.field.into_owned())),
        }
    }
    let refused: Vec<_> = refused
        .iter()
        .map(|(name, field)| (name.as_str(), field.as_str()))
        .collect();
    assert_eq!(refused, REFUSED);
}

/// The listed differences: what says nothing, what says the same in two ways, and what the neutral form does not hold.
fn normal(request: &Value) -> Value {
    let mut request = request.clone();
    let members = request.as_object_mut().unwrap();
    if let Some(form) = members.remove("output_format") {
        members.insert("output_config".to_owned(), json!({ "format": form }));
    }
    members.remove("cache_control"); // the automatic one
    if members.get("temperature") == Some(&json!(1.0)) {
        members.remove("temperature");
    }
    if members.get("stream") == Some(&json!(false)) {
        members.remove("stream");
    }
    if members.get("thinking") == Some(&json!({"type": "disabled"})) {
        members.remove("thinking"); // the same, said to models that do not think unless told to
    }
    if let Some(thinking) = members.get_mut("thinking") {
        thinking.as_object_mut().unwrap().remove("display");
    }
    plain(&mut request);
    request
}

fn plain(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for key in ["content", "system"] {
                if let Some(Value::String(text)) = members.get(key) {
                    let blocks = json!([{ "type": "text", "text": text }]);
                    members.insert(key.to_owned(), blocks);
                }
            }
            if members.get("type") == Some(&json!("tool_use")) {
                members.remove("cache_control");
            }
            if members.get("type") == Some(&json!("document")) {
                members.remove("citations");
            }
            if let Some(mark) = members.get_mut("cache_control") {
                *mark = json!({"type": "ephemeral"});
            }
            for (_, inner) in members.iter_mut() {
                plain(inner);
            }
            members.retain(|key, inner| {
                let is_default = matches!(key.as_str(), "is_error" | "strict") && *inner == false;
                let is_empty = matches!(key.as_str(), "tools" | "system") && *inner == json!([]);
                !is_default && !is_empty && !inner.is_null()
            });
        }
        Value::Array(elements) => {
            elements.iter_mut().for_each(plain);
            elements.retain(|element| *element != json!({"type": "text", "text": ""}));
        }
        _ => {}
    }
}

/// What an answer says: text begins with, calls, why it ended, tokens in and out.
type Meaning = (
    &'static str,
    &'static str,
    &'static [&'static str],
    Finish,
    (u64, u64),
);

const ANSWERS: &[Meaning] = &[
    (
        "anthropic-code-execution-files-cache-prefix-stable-automatic-son-1",
        "## Result\n\nI read `d",
        &[],
        Stop,
        (21_023, 489),
    ),
    (
        "anthropic-to-google-deferred-capability-history-replay-1",
        "",
        &["toolu_01JA8S35SNy1ruX8gAXgb3Y6 lookup_refund_policy {\"order_id\":\"order-123\"}"],
        ToolCalls,
        (1_076, 60),
    ),
    (
        "anthropic-web-fetch-tool-1",
        "Based on the page I ",
        &[],
        Stop,
        (6_346, 354),
    ),
    (
        "call-with-params-anthropic-beta-claude-sonnet-4-0",
        "4200 + 42 = ",
        &[],
        StopSequence,
        (17, 12),
    ),
    (
        "citations-with-anthropic-claude-haiku-4-5-cites-text-documents-in-resp",
        "The Ruby programming",
        &[],
        Stop,
        (674, 39),
    ),
    (
        "in-flight-native-tool-call-history-is-accepted",
        "Based on the search ",
        &[],
        Stop,
        (8_606, 132),
    ),
    (
        "mixed-tools-native-output",
        "",
        &[
            "toolu_01XhRHVXkKSCMGnaoHjpKax8 lookup_country {\"city\":\"Tokyo\"}",
            "toolu_01DrZpF6pdh3dMMQ2rLTeM3E get_founded_year {\"city\":\"Tokyo\"}",
        ],
        ToolCalls,
        (797, 91),
    ),
    (
        "multimodal-tool-return-matrix-direct-url-image-anthropic-1",
        "I received a beautif",
        &[],
        Stop,
        (795, 209),
    ),
    (
        "testtokencounts-test-anthropic",
        "Hi there! How are yo",
        &[],
        Stop,
        (12, 21),
    ),
    (
        "thinking-with-native-tool-wire-contract-anthropic",
        "Based on today's sea",
        &[],
        Stop,
        (7_744, 353),
    ),
];

const STREAMS: &[Meaning] = &[
    (
        "anthropic-opus46",
        "AI Assistant Capabil",
        &[],
        Stop,
        (143, 8),
    ),
    (
        "anthropic-tools-streaming-legacy",
        "Certainly! I can hel",
        &[
            "toolu_014x5X91kx3fvdhpLvwXZWE2 get_weather {\"location\": \"San Francisco, CA\", \"unit\": \"celsius\"}",
            "toolu_0121kXsENLvoDZ72LCuAnCCz get_time {\"timezone\": \"America/Los_Angeles\"}",
        ],
        ToolCalls,
        (506, 153),
    ),
    (
        "call-with-tools-anthropic-beta-claude-sonnet-4-0-async-stream",
        "I'll retrieve the se",
        &[
            "toolu_011bPS5j9gFZsM7URe1242DY secret_retrieval_tool {\"password\": \"mellon\"}",
            "toolu_01Q2suTpa6uBzfa9JB9FjSa3 secret_retrieval_tool {\"password\": \"radiance\"}",
        ],
        ToolCalls,
        (416, 111),
    ),
    (
        "fixed-version-tool-chain-with-thinking-display-regression",
        "",
        &["toolu_01825dXWLSoJwCst1qTsiWdb fixed_version {}"],
        ToolCalls,
        (598, 92),
    ),
    ("image-prompt", "Red square, green sq", &[], Stop, (83, 9)),
    (
        "reasoning-usage-matrix-streaming-max-tokens-truncation",
        "1\n2\n3\n4\n5\n6\n7\n8\n9\n10",
        &[],
        Length,
        (61, 1_025),
    ),
    (
        "reasoning-usage-matrix-streaming-with-prompt-caching",
        "391",
        &[],
        Stop,
        (1_453, 13),
    ),
    (
        "stop-sequence-terminal-matrix-raw-with-tools-sequence-fires",
        "alpha\nbravo",
        &[],
        StopSequence,
        (578, 6),
    ),
    (
        "strict-mode-with-streamed-thinking-anthropic-claude-sonnet-4-5",
        "{\"integer_a\": 2, \"in",
        &[],
        Stop,
        (293, 146),
    ),
    (
        "strict-mode-with-tools-streamed-anthropic-claude-sonnet-4-5-1",
        "{\"integer_a\": 2, \"in",
        &[],
        Stop,
        (939, 25),
    ),
    (
        "structured-output-with-tools-anthropic-claude-sonnet-4-0-async-s-1",
        "",
        &[
            "toolu_01DN3o9Hk5jHBdyrkuVyHGNE __mirascope_formatted_output_tool__ {\"title\": \"Mistborn: The Final Empire\", \"author\": \"Brandon Sanderson\", \"pages\": 544, \"publication_year\": 2006}",
        ],
        ToolCalls,
        (695, 109),
    ),
    (
        "sync-messages-beta-stream",
        "Four plus five equal",
        &[],
        Stop,
        (19, 9),
    ),
    ("testexec-anthropic-toolcall-1", "1", &[], Stop, (1_354, 4)),
];

#[test]
fn answers_mean_what_they_say() {
    let mut seen = Vec::new();
    for recorded in messages().filter(|recorded| recorded.status == 200) {
        let RecordedBody::Whole(body) = &recorded.body else {
            continue;
        };
        let mut body = body.clone();
        let tree = Tree::parse(&mut body).unwrap();
        let answer = answer::read(tree.root()).unwrap();
        let said = Said::of_answer(&answer);
        let mut again = whole(&answer).into_bytes();
        let tree = Tree::parse(&mut again).unwrap();
        let again = Said::of_answer(&answer::read(tree.root()).unwrap());
        assert_eq!(again, renamed(&said), "{}", recorded.name);
        seen.push((short(&recorded), said));
    }
    check(&seen, ANSWERS);
}

#[test]
fn streams_mean_what_they_say() {
    let mut seen = Vec::new();
    for recorded in messages() {
        let RecordedBody::Sse(events) = &recorded.body else {
            continue;
        };
        let said = folded(events);
        assert!(said.is_ended && !said.is_error, "{}", recorded.name);
        let again = folded(&rewritten(events));
        assert_eq!(again, renamed(&said), "{}", recorded.name);
        seen.push((short(&recorded), said));
    }
    check(&seen, STREAMS);
}

/// Under the gateway's own name.
fn renamed(said: &Said) -> Said {
    Said {
        id: "msg_9f".to_owned(),
        model: said.model.clone(),
        pieces: said.pieces.clone(),
        stop_sequence: said.stop_sequence.clone(),
        ..*said
    }
}

fn check(seen: &[(String, Said)], table: &[Meaning]) {
    let names: Vec<_> = seen.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        table.iter().map(|row| row.0).collect::<Vec<_>>(),
        "recordings came or went"
    );
    for ((name, said), (_, text, calls, finish, usage)) in seen.iter().zip(table) {
        assert!(said.pieces("text").concat().starts_with(text), "{name}");
        assert_eq!(said.pieces("call"), *calls, "{name}");
        assert_eq!(said.finish, Some(*finish), "{name}");
        let counted = said.usage.unwrap();
        assert_eq!((counted.input, counted.output), *usage, "{name}");
    }
}

fn messages() -> impl Iterator<Item = Recorded> {
    let all = recorded::of("anthropic").into_iter();
    all.filter(|recorded| recorded.endpoint == "messages")
}

fn short(recorded: &Recorded) -> String {
    recorded.name.strip_prefix("anthropic/").unwrap().to_owned()
}
