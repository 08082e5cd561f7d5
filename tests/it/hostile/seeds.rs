//! What each decoder is made for: recorded requests, answers and streams, policies, heads.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use serde_json::Value;
use switchover::wire::base64;

/// Inputs for the decoder of that name. Where it reads in pieces, the first byte is their length.
pub(super) fn seeds(decoder: &str) -> Vec<Vec<u8>> {
    let (part, format) = decoder.split_once('_').unwrap_or((decoder, ""));
    match part {
        "request" => recorded(|it| is_of(it, format).then(|| it.request.clone())),
        "answer" => recorded(|it| is_of(it, format).then(|| it.answer.clone())),
        "stream" => cut(recorded(|it| is_of(it, format).then(|| it.stream.clone()))),
        "eventstream" => recorded(|it| is_of(it, "converse").then(|| it.stream.clone())),
        "json" => recorded(|it| it.name.contains("tool").then(|| it.request.clone())),
        "sse" => cut(recorded(|it| {
            (!is_of(it, "converse")).then(|| it.stream[..it.stream.len().min(3_000)].to_vec())
        })),
        "chunked" => cut(BODIES.iter().map(|body| body.as_bytes().to_vec()).collect()),
        "head" if format == "request" => texts(&REQUEST_HEADS),
        "head" => texts(&ANSWER_HEADS),
        "policy" => policies(),
        _ => panic!("no seeds for `{decoder}`"),
    }
}

struct Recorded {
    name: String,
    endpoint: String,
    request: Vec<u8>,
    /// Empty where it is a stream.
    answer: Vec<u8>,
    /// Empty where it is none.
    stream: Vec<u8>,
}

static RECORDED: LazyLock<Vec<Recorded>> = LazyLock::new(|| {
    let mut found = Vec::new();
    for folder in fs::read_dir(root().join("tests/fixtures")).unwrap() {
        let folder = folder.unwrap().path();
        if folder.is_dir() {
            for entry in fs::read_dir(folder).unwrap() {
                found.push(read(&entry.unwrap().path()));
            }
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(found.len() > 200);
    found
});

fn read(path: &Path) -> Recorded {
    let file: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let response = &file["response"];
    let pieces = |list: &Value| -> Vec<String> {
        let list = list.as_array().into_iter().flatten();
        list.map(|it| it.as_str().unwrap().to_owned()).collect()
    };
    let mut stream = pieces(&response["sse"]).concat().into_bytes();
    for message in pieces(&response["eventstream"]) {
        stream.extend(base64::decode(&message).unwrap());
    }
    let answer = match (&response["text"], &response["body"]) {
        (Value::String(text), _) => text.as_bytes().to_vec(),
        (_, Value::Null) => Vec::new(),
        (_, body) => serde_json::to_vec(body).unwrap(),
    };
    Recorded {
        name: path.to_str().unwrap().to_owned(),
        endpoint: file["endpoint"].as_str().unwrap_or_default().to_owned(),
        request: serde_json::to_vec(&file["request"]["body"]).unwrap(),
        answer,
        stream,
    }
}

fn is_of(recorded: &Recorded, format: &str) -> bool {
    format
        == match recorded.endpoint.as_str() {
            "chat-completions" => "chat",
            "generate-content" => "gemini",
            "chat" if recorded.name.contains("/cohere/") => "cohere",
            "chat" => "",
            other => other,
        }
}

fn recorded(pick: impl Fn(&Recorded) -> Option<Vec<u8>>) -> Vec<Vec<u8>> {
    // Long ones have megabytes of one picture, and nothing else that short ones have not.
    let is_handy = |bytes: &Vec<u8>| (1..12_000).contains(&bytes.len());
    RECORDED.iter().filter_map(pick).filter(is_handy).collect()
}

/// With lengths of pieces in front.
fn cut(mut seeds: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    for (seed, length) in seeds
        .iter_mut()
        .zip([7, 1, 31, 255, 100].into_iter().cycle())
    {
        seed.insert(0, length);
    }
    seeds
}

fn texts(seeds: &[&str]) -> Vec<Vec<u8>> {
    seeds.iter().map(|seed| seed.as_bytes().to_vec()).collect()
}

fn policies() -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for folder in [
        "policies",
        "tests/corpus/policy/accept",
        "tests/corpus/policy/warn",
        "tests/corpus/policy/reject",
    ] {
        let mut paths: Vec<_> = fs::read_dir(root().join(folder))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|it| it == "policy"))
            .collect();
        paths.sort();
        found.extend(paths.iter().map(|path| fs::read(path).unwrap()));
    }
    found
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

const BODIES: [&str; 3] = [
    "5\r\nhello\r\n0\r\n\r\n",
    "a;name=value\r\n0123456789\r\n1\r\nx\r\n0\r\ntrailer: 1\r\n\r\n",
    "FFFFFFFFFFFFFFF\r\nx",
];
const REQUEST_HEADS: [&str; 4] = [
    "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\nauthorization: Bearer k\r\n\r\n",
    "\r\nGET http://a:80/v1/models?x=1 HTTP/1.1\r\nHost: a:80\r\nConnection: close, x\r\n\r\n",
    "POST /v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse HTTP/1.1\r\nhost: [::1]\r\ntransfer-encoding: chunked\r\nexpect: 100-continue\r\n\r\n",
    "HEAD /healthz HTTP/1.0\r\n\r\n",
];
const ANSWER_HEADS: [&str; 4] = [
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
    "HTTP/1.1 429 Too Many Requests\r\nretry-after: 3\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 204 \r\n\r\n",
    "HTTP/1.1 503\r\ncontent-length: 3\r\ncontent-length: 3\r\n\r\n",
];
