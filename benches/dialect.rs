//! The dialect's hot path: what each streamed event costs to classify, and each answer to judge; and what it costs to say a
//! request, an answer and an event of a stream in another format.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

use switchover::dialect::codec::{Destination, Reply};
use switchover::dialect::format::Format;
use switchover::dialect::openai::{Passage, event_kind, outcome_of, request_field_passage};
use switchover::dialect::translation::{self, Translator};
use switchover::policy::model::ProviderKind;

/// A content chunk as OpenAI sends it: 217 bytes.
const CHUNK: &[u8] = br#"{"id":"chatcmpl-ASYMaNc7XmbGRUNREnmvhyyISBHsv","object":"chat.completion.chunk","created":1731368640,"model":"gpt-4o-mini","choices":[{"index":0,"delta":{"content":" word"},"logprobs":null,"finish_reason":null}]}    "#;

fn events(c: &mut Criterion) {
    let mut group = c.benchmark_group("event_kind");
    group.throughput(Throughput::Bytes(CHUNK.len() as u64));
    group.bench_function("chunk_217_bytes", |b| {
        b.iter(|| event_kind(black_box(CHUNK)));
    });
    group.finish();
}

fn answers(c: &mut Criterion) {
    let text = "word ".repeat(4_000);
    let answer = format!(r#"{{"id":"x","choices":[{{"message":{{"content":"{text}"}}}}]}}"#);
    let mut group = c.benchmark_group("outcome_of");
    group.throughput(Throughput::Bytes(answer.len() as u64));
    group.bench_function("answer_20_kb", |b| {
        b.iter(|| outcome_of(ProviderKind::OpenAi, 200, black_box(answer.as_bytes())));
    });
    group.finish();
}

fn fields(c: &mut Criterion) {
    const NAMES: [&[u8]; 13] = [
        b"host",
        b"accept-encoding",
        b"connection",
        b"accept",
        b"content-type",
        b"user-agent",
        b"x-stainless-lang",
        b"x-stainless-package-version",
        b"x-stainless-os",
        b"x-stainless-arch",
        b"x-stainless-runtime",
        b"authorization",
        b"content-length",
    ];
    c.bench_function("request_fields_13", |b| {
        b.iter(|| {
            NAMES
                .iter()
                .filter(|name| request_field_passage(black_box(name)) == Passage::Passes)
                .count()
        });
    });
}

/// A request of 1.5 KB with a tool, as most are.
fn request() -> Vec<u8> {
    let text = "word ".repeat(220);
    format!(
        r#"{{"model":"gpt-5-mini","messages":[{{"role":"system","content":"Be brief."}},{{"role":"user","content":"{text}"}}],"tools":[{{"type":"function","function":{{"name":"look_up","description":"Looks something up.","parameters":{{"type":"object","properties":{{"what":{{"type":"string"}}}},"required":["what"]}}}}}}],"max_tokens":500,"temperature":0.2,"stream":true}}"#
    )
    .into_bytes()
}

fn requests(c: &mut Criterion) {
    let body = request();
    let mut group = c.benchmark_group("translate_request_1500_bytes");
    for (name, kind, format) in [
        ("anthropic", ProviderKind::Anthropic, Format::Messages),
        ("gemini", ProviderKind::Gemini, Format::Gemini),
        ("bedrock", ProviderKind::Bedrock, Format::Converse),
    ] {
        let to = Destination {
            kind,
            model: "claude-sonnet-4-5",
            max_output: None,
        };
        let mut out = Vec::new();
        group.bench_function(name, |b| {
            b.iter(|| {
                let mut copy = body.clone();
                out.clear();
                let said =
                    translation::request(&mut copy, Format::Chat, &to, format, true, &mut out);
                assert!(said.is_ok(), "every format can say this");
            });
        });
    }
    group.finish();
}

/// A hundred events of Anthropic's for each kind of client; the time is that of all of them.
fn translated_events(c: &mut Criterion) {
    const EVENT: &[u8] = b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\" word\"}}\n\n";
    const BEGIN: &[u8] = b"event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"model\":\"claude-sonnet-4-5\",\"role\":\"assistant\",\"content\":[],\"usage\":{\"input_tokens\":9,\"output_tokens\":1}}}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n";
    let mut group = c.benchmark_group("translate_100_events");
    group.throughput(Throughput::Elements(100));
    for (name, client) in [
        ("anthropic_to_chat", Format::Chat),
        ("anthropic_to_responses", Format::Responses),
        ("anthropic_to_gemini", Format::Gemini),
    ] {
        let mut out = Vec::new();
        group.bench_function(name, |b| {
            b.iter(|| {
                out.clear();
                let mut translator = Translator::new(Format::Messages, client, Reply::default());
                assert!(translator.feed(BEGIN, false, &mut out).is_ok());
                for _ in 0..100 {
                    let fed = translator.feed(black_box(EVENT), false, &mut out);
                    assert!(fed.is_ok());
                }
            });
        });
    }
    group.finish();
}

criterion_group!(
    benches,
    events,
    answers,
    fields,
    requests,
    translated_events
);
criterion_main!(benches);
