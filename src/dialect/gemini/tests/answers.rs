//! Recorded answers mean what they say, whole and in events.

use crate::dialect::codec::Reply;
use crate::dialect::format::Format;
use crate::dialect::gemini::answer;
use crate::dialect::recorded::{RecordedBody, data_of};
use crate::dialect::translation::{self, Translator};
use crate::dialect::turn::{Answer, Arguments, Finish, Part, Reasoning, Text, ToolCall, Usage};
use crate::wire::json::{Tree, Writer};

use super::{Meaning, all, parse, reply};

/// Name; how the text begins and its length in bytes; bytes of thoughts; calls; the end; input, cached, output, thoughts.
type Row = (
    &'static str,
    (&'static str, usize),
    usize,
    &'static [(&'static str, &'static str, &'static str)],
    Finish,
    [u64; 4],
);

#[rustfmt::skip]
const MEANT: [Row; 27] = [
    ("gemini/cached-content-matrix-use-streaming-1", ("streamed", 8), 0, &[], Finish::Stop, [1087, 1081, 2, 0]),
    ("gemini/call-with-params-google-gemini-2-5-flash", ("To find the sum of 4200 ", 75), 0, &[], Finish::Stop, [13, 0, 107, 75]),
    ("gemini/gemini-token-accounting-correctly-sums-candidatestokencount-and-though", ("Let's think step-by-step", 201), 0, &[], Finish::Stop, [13, 0, 208, 137]),
    ("gemini/google-adk-instrumentor-image-artifacts-2", ("\nThe image is a simple, ", 458), 0, &[], Finish::Stop, [608, 0, 115, 0]),
    ("gemini/google-model-mobile-youtube-video-url-input", ("This video demonstrates ", 400), 0, &[], Finish::Stop, [17713, 17379, 889, 821]),
    ("gemini/google-model-web-search-tool-stream", ("### Weather in San Franc", 932), 0, &[], Finish::Stop, [119, 0, 653, 412]),
    ("gemini/multimodal-tool-return-matrix-direct-url-document-google-2-5-2", ("I received a document ti", 177), 0, &[], Finish::Stop, [345, 230, 37, 0]),
    ("gemini/native-output-with-function-and-builtin-tools", ("", 0), 0, &[("x8i00o1q", "get_user_country", "{}")], Finish::ToolCalls, [35, 0, 71, 59]),
    ("gemini/nested-model-deep-composition", ("{\"name\":\"Carol\",\"orders\"", 211), 744, &[], Finish::Stop, [16, 0, 606, 552]),
    ("gemini/response-with-multiple-tool-calls-true", ("", 0), 0, &[("", "get_weather", "{\"location\":\"Boston\"}"), ("", "get_weather", "{\"location\":\"New Delhi\"}")], Finish::ToolCalls, [64, 0, 11, 0]),
    ("gemini/streaming-multimodal-tool-results-streaming-history-preserves-hy-1", ("The dominant color in th", 39), 0, &[], Finish::Stop, [1278, 0, 46, 37]),
    ("gemini/streaming-reasoning-with-multiple-tool-calls", ("", 0), 0, &[("dv8szvqe", "get_weather", "{\"location\":\"Boston\"}"), ("j80tal12", "get_weather", "{\"location\":\"New Delhi\"}")], Finish::ToolCalls, [71, 0, 126, 93]),
    ("gemini/strict-mode-with-streamed-thinking-google-gemini-3-pro-preview", ("{\n  \"integer_a\": 2,\n  \"i", 53), 736, &[], Finish::Stop, [13, 0, 338, 308]),
    ("gemini/strict-mode-with-tools-google-gemini-3-pro-preview-1", ("{\n  \"integer_a\": 2,\n  \"i", 55), 0, &[], Finish::Stop, [258, 0, 32, 0]),
    ("gemini/structured-output-resume-stream-json-google-gemini-2-5-flash", ("{\n  \"output\": 7\n}", 17), 0, &[], Finish::Stop, [105, 0, 163, 153]),
    ("gemini/structured-output-with-tools-google-gemini-2-5-flash-async-strea-1", ("", 0), 0, &[("", "__mirascope_formatted_output_tool__", "{\"title\":\"Mistborn: The Final Empire\",\"pages\":544,\"publication_year\":2006,\"author\":\"Brandon Sanderson\"}")], Finish::ToolCalls, [808, 0, 196, 147]),
    ("gemini/testexec-gemini-toolcall-1", ("1", 1), 0, &[], Finish::Stop, [940, 0, 1, 0]),
    ("gemini/thought-text-matrix-text-response-is-none-when-the-turn-is-all-thought", ("", 0), 486, &[], Finish::Length, [15, 0, 60, 60]),
    ("gemini/toolchoicerequiredwithreasoningparam-followup-response", ("", 0), 547, &[("okmqol8w", "get_weather", "{\"location\":\"Tokyo\"}")], Finish::ToolCalls, [207, 0, 38, 22]),
    ("gemini/tools", ("", 0), 236, &[("", "pelican_name_generator", "{}")], Finish::ToolCalls, [32, 0, 54, 42]),
    ("gemini/web-search-with-gemini-gemini-3-5-flash-grounds-the-answer-and-exposes", ("The latest stable versio", 752), 0, &[], Finish::Stop, [568, 217, 1332, 1027]),
    ("vertex/basic-chat-functionality-vertexai-gemini-2-5-flash-replaces-prev-1", ("I can tell you about the", 1008), 0, &[], Finish::Stop, [25, 0, 386, 110]),
    ("vertex/function-calling-vertexai-gemini-2-5-flash-can-use-tools-without-3", ("", 0), 0, &[("", "best_language_to_learn", "{}")], Finish::ToolCalls, [76, 0, 64, 57]),
    ("vertex/google-vertex-service-tier-flex-stream", ("OK", 2), 0, &[], Finish::Stop, [5, 0, 101, 100]),
    ("vertex/google-vertex-tool-combination-omits-include-server-side-tool-invocati", ("", 0), 0, &[("vcyiitct", "get_user_city", "{}")], Finish::ToolCalls, [43, 0, 71, 59]),
    ("vertex/with-extended-thinking-vertexai-gemini-3-flash-preview-streams-t-1", ("To see my future self in", 2736), 871, &[], Finish::Stop, [43, 0, 1375, 757]),
    ("vertex/with-schema-with-vertexai-gemini-3-flash-preview-accepts-a-json--1", ("{\"name\":\"John\",\"age\":30}", 24), 0, &[], Finish::Stop, [77, 0, 328, 318]),
];

#[test]
fn recorded_answers_mean_what_they_say() {
    let answered: Vec<_> = all().into_iter().filter(|it| it.status == 200).collect();
    assert_eq!(answered.len(), MEANT.len());
    for (recorded, row) in answered.iter().zip(MEANT) {
        let (name, (prefix, length), thoughts, calls, finish, usage) = row;
        assert_eq!(recorded.name, name);
        let meaning = match &recorded.body {
            RecordedBody::Whole(body) => with_answer(body, Meaning::of_answer),
            RecordedBody::Sse(events) => {
                let events: Vec<_> = events.iter().filter_map(|it| data_of(it)).collect();
                Meaning::of_stream(events.iter().map(String::as_str))
            }
            _ => panic!("{name}"),
        };
        assert!(meaning.text.starts_with(prefix), "{name}");
        assert_eq!(
            (meaning.text.len(), meaning.thoughts.len()),
            (length, thoughts),
            "{name}"
        );
        let called = meaning
            .calls
            .iter()
            .map(|(id, tool, args, _)| (&**id, &**tool, &**args));
        assert_eq!(called.collect::<Vec<_>>(), calls, "{name}");
        assert_eq!(meaning.finish, Some(finish), "{name}");
        let [input, cache_read, output, reasoning] = usage;
        let usage = Usage {
            input,
            cache_read,
            cache_write: 0,
            output,
            reasoning,
        };
        assert_eq!(meaning.usage, Some(usage), "{name}");
        assert!(
            !meaning.id.is_empty() && meaning.model.starts_with("gemini-"),
            "{name}"
        );
        assert!(!meaning.failed, "{name}");
    }
}

#[test]
fn recorded_calls_keep_their_proofs() {
    for recorded in all().iter().filter(|it| it.has("tool-call")) {
        let RecordedBody::Whole(body) = &recorded.body else {
            continue;
        };
        let signed = with_answer(body, |answer| Meaning::of_answer(answer).calls[0].3);
        assert!(signed, "{}", recorded.name);
    }
}

/// An answer that is written for a client reads as it was, but for the proofs, which are its provider's.
#[test]
fn written_answers_read_the_same() {
    for recorded in all() {
        let RecordedBody::Whole(body) = &recorded.body else {
            continue;
        };
        if recorded.status != 200 {
            continue;
        }
        let (mut first, text) =
            with_answer(body, |answer| (Meaning::of_answer(answer), text_of(answer)));
        for (at, call) in first.calls.iter_mut().enumerate() {
            call.3 = at == 0;
            if call.0.is_empty() {
                call.0 = crate::dialect::ids::made_up("gw1", 0, crate::dialect::ids::IdForm::Any);
            }
        }
        let again = with_answer(text.as_bytes(), Meaning::of_answer);
        assert_eq!(again, first, "{}", recorded.name);
    }
}

#[test]
fn an_answer_in_full() {
    let answer = Answer {
        id: "".into(),
        model: "".into(),
        parts: vec![
            Part::Reasoning(Reasoning {
                text: "hm".into(),
                signature: Some("foreign".into()),
                redacted: false,
            }),
            Part::Reasoning(Reasoning {
                text: "".into(),
                signature: Some("sealed".into()),
                redacted: true,
            }),
            Part::Text(Text::new("I look.")),
            call("call_1", "{\"city\":\"Bern\"}"),
            call("", ""),
        ],
        finish: Finish::ToolCalls,
        stop_sequence: None,
        usage: Some(Usage {
            input: 10,
            cache_read: 4,
            cache_write: 2,
            output: 7,
            reasoning: 3,
        }),
    };
    assert_eq!(
        text_of(&answer),
        concat!(
            r#"{"candidates":[{"content":{"parts":[{"text":"hm","thought":true},{"text":"I look."},"#,
            r#"{"functionCall":{"id":"call_1","name":"look","args":{"city":"Bern"}},"#,
            r#""thoughtSignature":"c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="},"#,
            r#"{"functionCall":{"id":"call_s56fe7t25chmh7evbf1csqp5","name":"look","args":{}}}],"role":"model"},"#,
            r#""finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":10,"#,
            r#""cachedContentTokenCount":4,"candidatesTokenCount":4,"thoughtsTokenCount":3,"totalTokenCount":17},"#,
            r#""modelVersion":"asked","responseId":"gw1"}"#
        )
    );
}

/// Arguments that were cut off are no object: the call is left out, and the end says why.
#[test]
fn a_call_that_was_cut_off() {
    let cut = |finish| {
        let answer = Answer {
            id: "r".into(),
            model: "m".into(),
            parts: vec![call("call_1", "{\"city\":\"Be")],
            finish,
            stop_sequence: None,
            usage: None,
        };
        parse(text_of(&answer).as_bytes())["candidates"][0].clone()
    };
    let length = cut(Finish::Length);
    assert_eq!(length["finishReason"], "MAX_TOKENS");
    assert_eq!(length["content"]["parts"], serde_json::json!([]));
    assert_eq!(
        cut(Finish::ToolCalls)["finishReason"],
        "MALFORMED_FUNCTION_CALL"
    );
}

#[test]
fn why_an_answer_ended() {
    for (word, parts, finish) in [
        ("STOP", r#"[{"text":"a"}]"#, Finish::Stop),
        (
            "STOP",
            r#"[{"functionCall":{"name":"f"}}]"#,
            Finish::ToolCalls,
        ),
        (
            "MAX_TOKENS",
            r#"[{"functionCall":{"name":"f"}}]"#,
            Finish::Length,
        ),
        ("SAFETY", r#"[{"text":"a"}]"#, Finish::ContentFilter),
        ("RECITATION", "[]", Finish::ContentFilter),
        ("PROHIBITED_CONTENT", "[]", Finish::ContentFilter),
        (
            "MALFORMED_FUNCTION_CALL",
            r#"[{"text":"a"}]"#,
            Finish::Failed,
        ),
        (
            "UNEXPECTED_TOOL_CALL",
            r#"[{"functionCall":{"name":"f"}}]"#,
            Finish::Failed,
        ),
        ("OTHER", "[]", Finish::Failed),
        ("OTHER", r#"[{"text":"a"}]"#, Finish::Stop),
        ("A_WORD_OF_TOMORROW", r#"[{"text":"a"}]"#, Finish::Stop),
        ("A_WORD_OF_TOMORROW", "[]", Finish::Failed),
    ] {
        let body = format!(
            r#"{{"candidates":[{{"content":{{"parts":{parts}}},"finishReason":"{word}"}}]}}"#
        );
        let read = with_answer(body.as_bytes(), |answer| answer.finish);
        assert_eq!(read, finish, "{word} {parts}");
        assert_eq!(
            Meaning::of_stream([&*body].into_iter()).finish,
            Some(finish),
            "{word} {parts}"
        );
    }
}

#[test]
fn answers_that_are_none() {
    for (body, reason) in [
        ("{}", "the answer has no candidates"),
        (r#"{"candidates":[]}"#, "the answer has no candidates"),
        (r#"{"promptFeedback":{}}"#, "the answer has no candidates"),
        ("7", "the answer is not an object"),
        (
            r#"[{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}]"#,
            "the answer breaks off",
        ),
        (r#"[{"error":{"code":503}}]"#, "the answer holds an error"),
    ] {
        let mut text = body.as_bytes().to_vec();
        let tree = Tree::parse(&mut text).unwrap();
        assert_eq!(
            answer::read(tree.root()).unwrap_err().reason,
            reason,
            "{body}"
        );
    }
    let blocked =
        br#"{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":7}}"#;
    let (finish, usage) = with_answer(blocked, |answer| (answer.finish, answer.usage.unwrap()));
    assert_eq!((finish, usage.input), (Finish::ContentFilter, 7));
}

#[test]
fn parts_of_usage_do_not_exceed_the_whole() {
    let body = br#"{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":7,
        "cachedContentTokenCount":"161","candidatesTokenCount":18446744073709551615,"thoughtsTokenCount":2.0}}"#;
    let usage = with_answer(body, |answer| answer.usage.unwrap());
    assert_eq!(
        usage,
        Usage {
            input: 7,
            cache_read: 7,
            cache_write: 0,
            output: u64::MAX,
            reasoning: 2
        }
    );
}

fn call<'a>(id: &'a str, arguments: &'a str) -> Part<'a> {
    Part::ToolCall(ToolCall {
        id: id.into(),
        name: "look".into(),
        arguments: Arguments::Text(arguments.into()),
        signature: None,
    })
}

fn with_answer<T>(body: &[u8], with: impl FnOnce(&Answer<'_>) -> T) -> T {
    let mut text = body.to_vec();
    let tree = Tree::parse(&mut text).unwrap();
    with(&answer::read(tree.root()).unwrap())
}

fn text_of(answer: &Answer<'_>) -> String {
    let mut out = Vec::new();
    answer::write(answer, &reply(), &mut Writer::new(&mut out));
    String::from_utf8(out).unwrap()
}

/// A client of Anthropic's sends it back in its next request, and Anthropic refuses a signature that it did not give.
#[test]
fn the_proof_of_a_thought_is_no_signature_for_anthropics_clients() {
    let answer = r#"{"candidates":[{"content":{"parts":[{"text":"hm","thought":true,"thoughtSignature":"sealed"},{"text":"Hi"}]},"finishReason":"STOP"}]}"#;
    let mut whole = Vec::new();
    let (mut body, reply) = (answer.as_bytes().to_vec(), Reply::default());
    translation::answer(
        &mut body,
        Format::Gemini,
        Format::Messages,
        &reply,
        &mut whole,
    )
    .unwrap();
    let mut streamed = Vec::new();
    let mut translator = Translator::new(Format::Gemini, Format::Messages, reply);
    let events = format!("data: {answer}\r\n\r\n");
    translator
        .feed(events.as_bytes(), true, &mut streamed)
        .unwrap();
    for said in [whole, streamed] {
        let said = String::from_utf8(said).unwrap();
        assert!(said.contains("hm") && said.contains("Hi"), "{said}");
        assert!(said.contains(r#""signature":"""#), "{said}");
        assert!(!said.contains("sealed"), "{said}");
    }
}
