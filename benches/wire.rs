//! Costs of the codecs: heads of the usual size, one event, bodies from 1 KB to 1 MB.
//! Bodies come in two kinds: `long` is one message with an escape about every 75 bytes, `many` is many small messages with content
//! parts and tool calls.

use std::fmt::Write;
use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use switchover::wire::h1::chunked::Decoder;
use switchover::wire::h1::{Fields, HeadSearch, request, response, write};
use switchover::wire::json::{Inspector, Key, KeySet, TopLevel, is_plain_answer};
use switchover::wire::sse::Splitter;

criterion_group!(benches, heads, bodies, events, scans, documents);
criterion_main!(benches);

fn heads(c: &mut Criterion) {
    let mut fields = Fields::new();
    c.bench_function("h1/request/590B", |b| {
        b.iter(|| request::parse(black_box(REQUEST), &mut fields));
    });
    c.bench_function("h1/response/514B", |b| {
        b.iter(|| response::parse(black_box(RESPONSE), &mut fields));
    });
    c.bench_function("h1/search/590B", |b| {
        b.iter(|| HeadSearch::request().may_be_complete(black_box(REQUEST)));
    });
    let mut out = Vec::with_capacity(1024);
    c.bench_function("h1/write/6-fields", |b| {
        b.iter(|| {
            out.clear();
            write::request_line("POST", black_box(b"/v1/chat/completions"), &mut out);
            for (name, value) in [
                ("host", "api.example.com"),
                ("authorization", "Bearer sk-0123456789"),
            ] {
                write::field(name.as_bytes(), black_box(value).as_bytes(), &mut out);
            }
            write::field(b"content-type", b"application/json", &mut out);
            write::field(b"accept", b"text/event-stream", &mut out);
            write::field(b"via", b"1.1 switchover", &mut out);
            write::field_decimal(b"content-length", black_box(1536), &mut out);
            write::end(&mut out);
            out.len()
        });
    });
}

fn bodies(c: &mut Criterion) {
    let mut chunk = Vec::new();
    let event = event();
    write::chunk_size(event.len() as u64, &mut chunk);
    chunk.extend_from_slice(&event);
    chunk.extend_from_slice(b"\r\n");
    c.bench_function("h1/chunked/one-217B-chunk", |b| {
        let mut decoder = Decoder::new();
        b.iter_batched_ref(
            || chunk.clone(),
            |chunk| decoder.decode(chunk),
            BatchSize::SmallInput,
        );
    });
}

fn events(c: &mut Criterion) {
    const COUNT: usize = 64;
    let stream = event().repeat(COUNT);
    let mut splitter = Splitter::new();
    let mut scratch = Vec::new();
    c.bench_function("sse/64-events-of-217B", |b| {
        b.iter(|| {
            let mut at = 0;
            let mut bytes = 0;
            while let Ok(Some(event)) = splitter.next(stream.get(at..).unwrap_or_default()) {
                let data = event.data(stream.get(at..).unwrap_or_default(), &mut scratch);
                bytes += black_box(data).map_or(0, <[u8]>::len);
                at += event.len;
            }
            bytes
        });
    });
}

fn scans(c: &mut Criterion) {
    let asked = [
        Key::Model,
        Key::Stream,
        Key::StreamOptions,
        Key::MaxTokens,
        Key::MaxCompletionTokens,
    ]
    .into_iter()
    .fold(KeySet::EMPTY, KeySet::with);
    for (name, kilobytes) in SIZES {
        for (kind, body) in [
            ("long", long(kilobytes * 1024)),
            ("many", many(kilobytes * 1024)),
        ] {
            c.bench_function(&format!("json/scan/{kind}-{name}"), |b| {
                b.iter(|| {
                    let mut scan = TopLevel::new(asked);
                    let progress = scan.feed(black_box(body.as_bytes()));
                    (progress, scan.value(Key::Model))
                });
            });
        }
    }
    let answer = r#"{"id":"chatcmpl-1","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"Hello! How can I help?"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":8,"total_tokens":17}}"#;
    c.bench_function("json/is_plain_answer", |b| {
        b.iter(|| is_plain_answer(black_box(answer.as_bytes())));
    });
}

fn documents(c: &mut Criterion) {
    let mut inspector = Inspector::new();
    for (name, kilobytes) in SIZES {
        for (kind, body) in [
            ("long", long(kilobytes * 1024)),
            ("many", many(kilobytes * 1024)),
        ] {
            c.bench_function(&format!("json/inspect/{kind}-{name}"), |b| {
                b.iter(|| inspector.inspect(black_box(body.as_bytes()), &[]));
            });
        }
    }
}

/// An event of a chat completion, 217 bytes.
fn event() -> Vec<u8> {
    let mut event = br#"data: {"id":"chatcmpl-AbCdEfGhIjKlMnOp","object":"chat.completion.chunk","created":1735689600,"model":"gpt-4o-mini-2024-07-18","choices":[{"index":0,"delta":{"content":" the"},"finish_reason":null}]"#.to_vec();
    event.resize(217 - 3, b' ');
    event.extend_from_slice(b"}\n\n");
    event
}

fn long(len: usize) -> String {
    let mut body = r#"{"model":"gpt-4o","stream":true,"max_tokens":256,"messages":[{"role":"user","content":""#.to_owned();
    while body.len() + 80 < len {
        body += "The quick brown fox jumps over the lazy dog, and then it does it once more\\n";
    }
    body + r#""}],"temperature":0.7}"#
}

fn many(len: usize) -> String {
    let mut body = r#"{"model":"gpt-4o","stream":true,"max_tokens":256,"messages":["#.to_owned();
    for turn in 0.. {
        if body.len() + 330 > len && turn > 0 {
            break;
        }
        if turn > 0 {
            body.push(',');
        }
        write!(body, r#"{{"role":"user","content":[{{"type":"text","text":"What is the weather in city {turn}?"}}]}},{{"role":"assistant","tool_calls":[{{"id":"call_{turn}","type":"function","function":{{"name":"get_weather","arguments":"{{\"city\":\"{turn}\"}}"}}}}]}},{{"role":"tool","tool_call_id":"call_{turn}","content":"Sunny, 25 degrees"}}"#)
            .ok();
    }
    body + r#"],"temperature":0.7}"#
}

const SIZES: [(&str, usize); 4] = [("1K", 1), ("16K", 16), ("128K", 128), ("1M", 1024)];

/// 13 fields of an SDK, 590 bytes.
const REQUEST: &[u8] = b"POST /v1/chat/completions HTTP/1.1\r\nHost: gateway.internal:8080\r\nAccept-Encoding: gzip, deflate, zstd\r\n\
    Connection: keep-alive\r\nAccept: application/json\r\nContent-Type: application/json\r\nUser-Agent: OpenAI/Python 1.59.4\r\n\
    X-Stainless-Lang: python\r\nX-Stainless-Package-Version: 1.59.4\r\nX-Stainless-OS: Linux\r\nX-Stainless-Arch: x64\r\n\
    X-Stainless-Runtime: CPython\r\nX-Stainless-Runtime-Version: 3.12.3\r\nAuthorization: Bearer sk-0123456789abcdef0123456789abcdef\r\n\
    X-Stainless-Async: false\r\nX-Stainless-Retry-Count: 0\r\nX-Stainless-Read-Timeout: 600\r\nContent-Length: 1536\r\n\r\n";

const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nDate: Tue, 25 Nov 2025 10:00:00 GMT\r\nContent-Type: text/event-stream; charset=utf-8\r\n\
    Transfer-Encoding: chunked\r\nConnection: keep-alive\r\nopenai-organization: org-x\r\nopenai-processing-ms: 210\r\n\
    openai-version: 2020-10-01\r\nx-ratelimit-limit-requests: 10000\r\nx-ratelimit-limit-tokens: 2000000\r\n\
    x-ratelimit-remaining-requests: 9999\r\nx-ratelimit-remaining-tokens: 1999000\r\nx-ratelimit-reset-requests: 6ms\r\n\
    x-request-id: req_0123456789abcdef\r\nstrict-transport-security: max-age=31536000\r\nServer: cloudflare\r\n\r\n";
