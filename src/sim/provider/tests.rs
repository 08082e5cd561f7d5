//! The simulated provider against the format's own rules: what it says must be what a real one would say.

use proptest::prelude::{ProptestConfig, any, proptest};
use serde_json::{Value, json};

use super::{Answer, Asked, Ending, Simulated, Wanted};
use crate::base::{Outcome, RequestId, Span};
use crate::dialect::codec::Reply;
use crate::dialect::format::Format;
use crate::dialect::openai::{EventKind, event_kind, outcome_of, outcome_of_error};
use crate::dialect::provider::outcome_of as outcome_in;
use crate::dialect::translation::{self, Translator};
use crate::policy::model::{Act, ProviderKind, ScriptStep, Simulation};
use crate::wire::h1::chunked::Decoder;
use crate::wire::h1::{Fields, Framing, response};

fn simulation() -> Simulation {
    Simulation {
        ttft: (Span::from_millis(100), Span::from_millis(200)),
        gap: Span::from_millis(10),
        tokens: 12,
        script: Vec::new(),
    }
}

fn asked(path: &'static str, body: &'static str) -> Asked<'static> {
    let method = if path.ends_with("/models") {
        "GET"
    } else {
        "POST"
    };
    Asked::read(method, path, body.as_bytes(), RequestId(7), 1_700_000_000)
}

fn chat() -> Asked<'static> {
    asked("/v1/chat/completions", r#"{"model":"m","messages":[]}"#)
}

fn chat_stream() -> Asked<'static> {
    asked(
        "/v1/chat/completions",
        r#"{"model":"m","stream":true,"stream_options":{"include_usage":true}}"#,
    )
}

fn answered(provider: &mut Simulated, asked: &Asked<'_>) -> Answer {
    let mut answer = Answer::default();
    provider.answer(asked, &mut answer);
    let written: usize = answer.parts().map(|(_, part)| part.len()).sum();
    assert_eq!(written, answer.bytes.len(), "every byte belongs to a part");
    answer
}

fn under(act: Act, asked: &Asked<'_>) -> Answer {
    let mut provider = Simulated::new(simulation(), 1);
    provider.set_act(Some(act));
    answered(&mut provider, asked)
}

/// Status, payload, and whether the framing says that the payload is whole.
fn payload(answer: &Answer) -> (u16, Vec<u8>, bool) {
    let mut fields = Fields::new();
    let head = response::parse(&answer.bytes, &mut fields)
        .unwrap()
        .unwrap();
    let mut body = answer.bytes[head.len as usize..].to_vec();
    match head.framing {
        Framing::Length(length) => {
            let whole = body.len() as u64 == length;
            (head.status, body, whole)
        }
        Framing::Chunked => {
            let step = Decoder::new().decode(&mut body).unwrap();
            assert_eq!(step.consumed, answer.bytes.len() - head.len as usize);
            body.truncate(step.produced);
            (head.status, body, step.done)
        }
        other => panic!("{other:?}"),
    }
}

fn events(body: &[u8]) -> Vec<&str> {
    let text = std::str::from_utf8(body).unwrap();
    text.split_terminator("\n\n")
        .map(|event| event.strip_prefix("data: ").unwrap())
        .collect()
}

#[test]
fn a_plain_answer_is_whole_and_takes_its_time() {
    let answer = answered(&mut Simulated::new(simulation(), 1), &chat());
    let (status, body, whole) = payload(&answer);
    assert!(whole);
    assert_eq!(
        outcome_of(ProviderKind::Simulated, status, &body),
        Outcome::Ok
    );
    let value: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(value["object"], "chat.completion");
    assert_eq!(value["model"], "m");
    assert_eq!(value["created"], 1_700_000_000);
    let text = value["choices"][0]["message"]["content"].as_str().unwrap();
    assert_eq!(text.split(' ').count(), 12);
    assert_eq!(value["usage"]["completion_tokens"], 12);
    let delay = answer.steps[0].delay;
    assert!(
        delay >= Span::from_millis(210) && delay <= Span::from_millis(310),
        "{delay}"
    );
}

#[test]
fn a_stream_has_the_exact_form() {
    let answer = answered(&mut Simulated::new(simulation(), 1), &chat_stream());
    let (status, body, whole) = payload(&answer);
    assert!(whole && status == 200);
    let events = events(&body);
    let kinds: Vec<_> = events
        .iter()
        .map(|data| event_kind(data.as_bytes()))
        .collect();
    let mut expected = vec![EventKind::Lifecycle];
    expected.extend([EventKind::Content; 12]);
    expected.extend([EventKind::Finish, EventKind::Lifecycle, EventKind::Done]);
    assert_eq!(kinds, expected);
    let chunks: Vec<Value> = events[..events.len() - 1]
        .iter()
        .map(|data| serde_json::from_str(data).unwrap())
        .collect();
    assert!(chunks.iter().all(|chunk| chunk["id"] == chunks[0]["id"]));
    let usage = chunks.last().unwrap();
    assert_eq!(usage["choices"], json!([]));
    assert_eq!(usage["usage"]["completion_tokens"], 12);
    // The role at once, the first word after the time to first content, the others each gap.
    let delays: Vec<_> = answer.steps.iter().map(|step| step.delay).collect();
    assert_eq!(delays.len(), 13);
    assert_eq!(delays[0], Span::ZERO);
    assert!(delays[1] >= Span::from_millis(100));
    assert!(
        delays[2..]
            .iter()
            .all(|&delay| delay == Span::from_millis(10))
    );
}

#[test]
fn without_gaps_a_stream_is_few_parts() {
    let quick = Simulation {
        ttft: (Span::ZERO, Span::ZERO),
        gap: Span::ZERO,
        ..simulation()
    };
    let answer = answered(&mut Simulated::new(quick, 1), &chat_stream());
    assert_eq!(answer.steps.len(), 1);
}

#[test]
fn a_bound_on_tokens_is_kept() {
    let bounded = asked("/v1/chat/completions", r#"{"model":"m","max_tokens":3}"#);
    let (_, body, _) = payload(&answered(&mut Simulated::new(simulation(), 1), &bounded));
    let value: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(value["choices"][0]["finish_reason"], "length");
    assert_eq!(value["usage"]["completion_tokens"], 3);
}

#[test]
fn embeddings_have_one_vector_for_each_text() {
    for (body, vectors, length) in [
        (r#"{"model":"m","input":"a"}"#, 1, 16),
        (
            r#"{"model":"m","input":["a","b","c"],"dimensions":4}"#,
            3,
            4,
        ),
        (r#"{"model":"m","input":[1,2,3]}"#, 1, 16),
        (r#"{"model":"m","input":[[1],[2]]}"#, 2, 16),
        (r#"{"model":"m"}"#, 1, 16),
    ] {
        let request = asked("/v1/embeddings", body);
        let (status, body, _) = payload(&answered(&mut Simulated::new(simulation(), 1), &request));
        assert_eq!(
            outcome_of(ProviderKind::Simulated, status, &body),
            Outcome::Ok
        );
        let value: Value = serde_json::from_slice(&body).unwrap();
        let data = value["data"].as_array().unwrap();
        assert_eq!(data.len(), vectors);
        assert!(
            data.iter()
                .all(|item| item["embedding"].as_array().unwrap().len() == length)
        );
    }
}

#[test]
fn refusals_mean_what_they_say() {
    for (act, outcome) in [
        (Act::Status(400), Outcome::S4xx),
        (Act::Status(401), Outcome::AuthFailed),
        (Act::Status(402), Outcome::QuotaExhausted),
        (Act::Status(403), Outcome::AuthFailed),
        (Act::Status(404), Outcome::S4xx),
        (Act::Status(408), Outcome::S5xx),
        (Act::Status(429), Outcome::S429),
        (Act::Status(500), Outcome::S5xx),
        (Act::Status(502), Outcome::S5xx),
        (Act::Status(503), Outcome::Overloaded),
        (Act::Status(529), Outcome::Overloaded),
        (Act::ModelGone, Outcome::ModelGone),
        (Act::BadKey, Outcome::AuthFailed),
    ] {
        for request in [chat(), chat_stream()] {
            let answer = under(act, &request);
            let (status, body, whole) = payload(&answer);
            assert!(whole && answer.ending == Ending::Clean, "{act:?}");
            assert_eq!(
                outcome_of(ProviderKind::Simulated, status, &body),
                outcome,
                "{act:?}"
            );
        }
    }
}

#[test]
fn broken_answers_break() {
    for (act, ending) in [(Act::Stall, Ending::Hang), (Act::Cut, Ending::Reset)] {
        let answer = under(act, &chat());
        assert_eq!(answer.ending, ending);
        assert!(
            !payload(&answer).2,
            "{act:?}: the body must be short of its length"
        );
        let answer = under(act, &chat_stream());
        assert_eq!(answer.ending, ending);
        let (_, body, whole) = payload(&answer);
        assert!(!whole);
        let kinds: Vec<_> = events(&body)
            .iter()
            .map(|data| event_kind(data.as_bytes()))
            .collect();
        assert_eq!(kinds, [EventKind::Lifecycle, EventKind::Content]);
    }
    for (act, ending) in [(Act::Refuse, Ending::Reset), (Act::Hang, Ending::Hang)] {
        let answer = under(act, &chat());
        assert!(answer.bytes.is_empty() && answer.ending == ending);
    }
    let (status, body, whole) = payload(&under(Act::ErrorEvent, &chat_stream()));
    assert!(whole && status == 200);
    assert_eq!(event_kind(events(&body)[0].as_bytes()), EventKind::Error);
    assert_eq!(
        outcome_of_error(ProviderKind::Simulated, events(&body)[0].as_bytes()),
        Outcome::S5xx
    );
    let (status, body, _) = payload(&under(Act::ErrorEvent, &chat()));
    assert_eq!(
        outcome_of(ProviderKind::Simulated, status, &body),
        Outcome::S5xx
    );
}

#[test]
fn lists_stay_healthy_while_models_fail() {
    let list = asked("/v1/models", "");
    assert_eq!(payload(&under(Act::Status(500), &list)).0, 200);
    assert_eq!(under(Act::Refuse, &list).ending, Ending::Reset);
    assert_eq!(under(Act::Hang, &list).ending, Ending::Hang);
    assert_eq!(payload(&under(Act::Ok, &asked("/v1/nothing", "{}"))).0, 404);
}

fn statuses(provider: &mut Simulated, requests: usize) -> Vec<u16> {
    (0..requests)
        .map(|_| payload(&answered(provider, &chat())).0)
        .collect()
}

fn script(steps: &[(Act, u32)]) -> Simulated {
    let script = steps
        .iter()
        .map(|&(act, times)| ScriptStep { act, times })
        .collect();
    Simulated::new(
        Simulation {
            script,
            ..simulation()
        },
        1,
    )
}

#[test]
fn a_script_goes_round() {
    let mut provider = script(&[
        (Act::Ok, 2),
        (Act::Status(500), 1),
        (Act::Status(429), 0),
        (Act::Status(503), 2),
    ]);
    assert_eq!(
        statuses(&mut provider, 12),
        [200, 200, 500, 503, 503, 200, 200, 500, 503, 503, 200, 200]
    );
    assert_eq!(
        statuses(&mut script(&[(Act::Status(500), 1)]), 3),
        [500, 500, 500]
    );
    assert_eq!(
        statuses(&mut script(&[(Act::Status(500), 0)]), 2),
        [200, 200]
    );
    assert_eq!(statuses(&mut script(&[]), 2), [200, 200]);
}

#[test]
fn a_live_act_halts_the_script_and_lists_do_not_move_it() {
    let mut provider = script(&[(Act::Ok, 1), (Act::Status(500), 1)]);
    assert_eq!(statuses(&mut provider, 1), [200]);
    provider.set_act(Some(Act::Status(503)));
    assert_eq!(statuses(&mut provider, 2), [503, 503]);
    answered(&mut provider, &asked("/v1/models", ""));
    provider.set_act(None);
    assert_eq!(statuses(&mut provider, 2), [500, 200]);
}

#[test]
fn the_same_seed_says_the_same() {
    let run = |seed| {
        let mut provider = Simulated::new(simulation(), seed);
        let first = answered(&mut provider, &chat_stream());
        let second = answered(&mut provider, &chat_stream());
        (first.bytes, first.steps, second.bytes, second.steps)
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
    assert_ne!(run(1).0, run(1).2, "two answers of one provider differ");
}

fn answer_any(body: &[u8]) {
    let mut provider = Simulated::new(simulation(), 1);
    let mut answer = Answer::default();
    for path in ["/v1/chat/completions", "/v1/embeddings"] {
        let asked = Asked::read("POST", path, body, RequestId(1), 0);
        provider.answer(&asked, &mut answer);
        assert_eq!(answer.ending, Ending::Clean);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_body_is_answered(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        answer_any(&body);
    }
}

#[test]
fn no_body_and_no_tokens_are_answered() {
    answer_any(b"");
    for stream in [false, true] {
        let mut provider = Simulated::new(simulation(), 1);
        let mut answer = Answer::default();
        let body = format!(r#"{{"model":"a\"b","stream":{stream},"max_tokens":0}}"#);
        let asked = Asked::read(
            "POST",
            "/chat/completions",
            body.as_bytes(),
            RequestId(1),
            0,
        );
        provider.answer(&asked, &mut answer);
        let (_, body, _) = payload(&answer);
        if !stream {
            let value: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(value["model"].as_str(), Some("a\"b"));
        }
    }
}

#[test]
fn an_answer_is_gone_on_with() {
    let stream = |messages: &'static str| {
        let mut provider = Simulated::new(simulation(), 1);
        let answer = answered(&mut provider, &asked("/v1/chat/completions", messages));
        let (status, payload, whole) = payload(&answer);
        assert!(status == 200 && whole);
        let text = String::from_utf8(payload).unwrap();
        let events = text
            .split("\n\n")
            .filter_map(|event| event.strip_prefix("data: {"));
        let words = events.filter_map(|event| {
            let chunk: Value = serde_json::from_str(&format!("{{{event}")).unwrap();
            chunk["choices"][0]["delta"]["content"]
                .as_str()
                .map(str::to_owned)
        });
        words.collect::<String>()
    };
    let whole = stream(r#"{"stream":true,"messages":[{"role":"user","content":"a b c"}]}"#);
    let rest = stream(
        r#"{"stream":true,"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"a b c"}]}"#,
    );
    let third = whole.match_indices(' ').nth(2).unwrap().0;
    assert_eq!(Some(rest.as_str()), whole.get(third..));
}

/// A path and the path of streams, who answers there, and in which format.
const OWN_FORMATS: [(&str, &str, ProviderKind, Format); 5] = [
    (
        "/v1/messages",
        "/v1/messages",
        ProviderKind::Anthropic,
        Format::Messages,
    ),
    (
        "/v1/responses",
        "/v1/responses",
        ProviderKind::OpenAi,
        Format::Responses,
    ),
    (
        "/v1beta/models/m:generateContent",
        "/v1beta/models/m:streamGenerateContent",
        ProviderKind::Gemini,
        Format::Gemini,
    ),
    (
        "/model/m/converse",
        "/model/m/converse-stream",
        ProviderKind::Bedrock,
        Format::Converse,
    ),
    ("/v2/chat", "/v2/chat", ProviderKind::Cohere, Format::Cohere),
];

fn reply() -> Reply {
    Reply {
        stream_usage: true,
        ..Reply::default()
    }
}

/// Each format is what its own reader takes for an answer, and a refusal means what it is for.
#[test]
fn answers_are_in_the_format_that_was_asked_in() {
    for (path, _, kind, format) in OWN_FORMATS {
        let plain = asked(path, r#"{"model":"m"}"#);
        let wanted = (format, Wanted::Answer, "m");
        assert_eq!((plain.format, plain.wanted, plain.model), wanted);
        let answer = answered(&mut Simulated::new(simulation(), 1), &plain);
        let (status, mut body, whole) = payload(&answer);
        let outcome = outcome_in(format, kind, status, "", &body);
        assert!(whole && outcome == Outcome::Ok, "{format:?}");
        let mut said = Vec::new();
        translation::answer(&mut body, format, Format::Chat, &reply(), &mut said).unwrap();
        let value: Value = serde_json::from_slice(&said).unwrap();
        let text = value["choices"][0]["message"]["content"].as_str().unwrap();
        assert_eq!(text.split(' ').count(), 12, "{format:?}");
        let usage = &value["usage"];
        assert_eq!(usage["completion_tokens"], 12, "{format:?}");
        assert!(usage["prompt_tokens"].as_u64() > Some(0), "{format:?}");
        for (act, wanted) in [
            (Act::Status(503), Outcome::S5xx),
            (Act::BadKey, Outcome::AuthFailed),
        ] {
            let (status, body, _) = payload(&under(act, &plain));
            let outcome = outcome_in(format, kind, status, "", &body);
            assert_eq!(outcome, wanted, "{format:?}");
        }
    }
}

/// The same as a stream: a word at a time, and at the end what it took.
#[test]
fn streams_are_in_the_format_that_was_asked_in() {
    for (_, path, _, format) in OWN_FORMATS {
        let streamed = asked(path, r#"{"model":"m","stream":true}"#);
        assert!(
            matches!(streamed.wanted, Wanted::Stream { .. }),
            "{format:?}"
        );
        let answer = answered(&mut Simulated::new(simulation(), 1), &streamed);
        let later = answer.steps.iter().filter(|step| step.delay > Span::ZERO);
        assert_eq!(later.count(), 12, "{format:?}");
        let (status, body, whole) = payload(&answer);
        assert!(whole && status == 200, "{format:?}");
        let mut said = Vec::new();
        let mut translator = Translator::new(format, Format::Chat, reply());
        translator.feed(&body, true, &mut said).unwrap();
        translator.end(&mut said);
        let said = String::from_utf8(said).unwrap();
        let usage = said.contains("\"completion_tokens\":12");
        assert!(usage && said.ends_with("data: [DONE]\n\n"), "{said}");
    }
}

/// Where an answer goes on from is counted in words, however a format writes them.
#[test]
fn what_was_said_is_counted_in_every_format() {
    for (path, body) in [
        (
            "/v1/chat/completions",
            r#"{"messages":[{"role":"assistant","content":"a b c"}]}"#,
        ),
        (
            "/v1/messages",
            r#"{"messages":[{"role":"assistant","content":[{"type":"text","text":"a b"},{"type":"text","text":"c"}]}]}"#,
        ),
        (
            "/v1beta/models/m:generateContent",
            r#"{"contents":[{"role":"model","parts":[{"text":"a b c"}]}]}"#,
        ),
    ] {
        assert_eq!(asked(path, body).said, 3, "{path}");
    }
}
