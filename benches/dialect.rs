//! The dialect's hot path: what each streamed event costs to classify, and each answer to judge.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

use switchover::dialect::openai::{Passage, event_kind, outcome_of, request_field_passage};
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

criterion_group!(benches, events, answers, fields);
criterion_main!(benches);
