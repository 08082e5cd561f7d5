//! Every decoder of bytes that peers and operators send, by name, each with what must hold of any input whatever:
//! nothing panics or grows without measure, pieces make no difference, and what is written can be read.
//!
//! `tests/it/decoders.rs` feeds them changed recordings, the targets of `tests/fuzz` whatever covers new code.

use core::fmt::Debug;

use switchover::dialect::client;
use switchover::dialect::client_route;
use switchover::dialect::codec::{Destination, Reply};
use switchover::dialect::format::Format;
use switchover::dialect::openai::{
    ClientError, asking_for_usage, event_kind, is_usage_alone, provider_message,
};
use switchover::dialect::provider::{outcome_of, without_foreign};
use switchover::dialect::translation::{
    Translator, Untold, Watcher, answer, embeddings_answer, embeddings_request, request,
};
use switchover::policy::model::ProviderKind;
use switchover::policy::{Plan, Sources, load};
use switchover::wire::Extent;
use switchover::wire::eventstream;
use switchover::wire::h1::chunked::Decoder as Chunks;
use switchover::wire::h1::{Fields, HeadSearch, request as request_head, response as answer_head};
use switchover::wire::json::{Inspector, Key, KeySet, Progress, TopLevel, Tree, Writer};
use switchover::wire::sse;

/// A decoder under test.
pub(crate) struct Decoder {
    /// That of its fuzz target.
    pub(crate) name: &'static str,
    /// Feeds it some bytes. Panics where something does not hold.
    pub(crate) feed: fn(&[u8]),
}

/// All of them.
pub(crate) const ALL: [Decoder; 25] = [
    of("answer_chat", |bytes| read_answer(bytes, Format::Chat)),
    of("answer_cohere", |bytes| read_answer(bytes, Format::Cohere)),
    of("answer_converse", |bytes| {
        read_answer(bytes, Format::Converse);
    }),
    of("answer_embeddings", read_embeddings_answer),
    of("answer_gemini", |bytes| read_answer(bytes, Format::Gemini)),
    of("answer_messages", |bytes| {
        read_answer(bytes, Format::Messages);
    }),
    of("answer_responses", |bytes| {
        read_answer(bytes, Format::Responses);
    }),
    of("chunked", read_chunks),
    of("eventstream", read_messages),
    of("head_answer", read_answer_head),
    of("head_request", read_request_head),
    of("json", read_json),
    of("policy", read_policy),
    of("request_chat", |bytes| read_request(bytes, Format::Chat)),
    of("request_embeddings", read_embeddings_request),
    of("request_gemini", |bytes| {
        read_request(bytes, Format::Gemini);
    }),
    of("request_messages", |bytes| {
        read_request(bytes, Format::Messages);
    }),
    of("request_responses", |bytes| {
        read_request(bytes, Format::Responses);
    }),
    of("sse", read_events),
    of("stream_chat", |bytes| read_stream(bytes, Format::Chat)),
    of("stream_cohere", |bytes| read_stream(bytes, Format::Cohere)),
    of("stream_converse", |bytes| {
        read_stream(bytes, Format::Converse);
    }),
    of("stream_gemini", |bytes| read_stream(bytes, Format::Gemini)),
    of("stream_messages", |bytes| {
        read_stream(bytes, Format::Messages);
    }),
    of("stream_responses", |bytes| {
        read_stream(bytes, Format::Responses);
    }),
];

/// Feeds the decoder of that name.
#[cfg_attr(
    test,
    expect(dead_code, reason = "for fuzz targets, each of which knows one name")
)]
pub(crate) fn feed(name: &str, bytes: &[u8]) {
    for decoder in ALL {
        if decoder.name == name {
            return (decoder.feed)(bytes);
        }
    }
    panic!("no decoder is called `{name}`");
}

const fn of(name: &'static str, feed: fn(&[u8])) -> Decoder {
    Decoder { name, feed }
}

const CLIENTS: [Format; 4] = [
    Format::Chat,
    Format::Responses,
    Format::Messages,
    Format::Gemini,
];

/// Whom a request is said to: a model of every generation that is asked in its own way.
const ASKED: [(Format, ProviderKind, &str); 19] = [
    (Format::Chat, ProviderKind::OpenAi, "gpt-5.1"),
    (Format::Chat, ProviderKind::OpenAi, "gpt-4o-mini"),
    (Format::Chat, ProviderKind::Mistral, "mistral-large-latest"),
    (Format::Chat, ProviderKind::DeepSeek, "deepseek-chat"),
    (Format::Chat, ProviderKind::OpenRouter, "qwen/qwen3"),
    (Format::Responses, ProviderKind::OpenAi, "gpt-5.1"),
    (Format::Responses, ProviderKind::Xai, "grok-4"),
    (
        Format::Messages,
        ProviderKind::Anthropic,
        "claude-3-haiku-20240307",
    ),
    (
        Format::Messages,
        ProviderKind::Anthropic,
        "claude-sonnet-4-5",
    ),
    (Format::Messages, ProviderKind::Anthropic, "claude-opus-4-7"),
    (Format::Messages, ProviderKind::Anthropic, "claude-opus-5-5"),
    (Format::Gemini, ProviderKind::Gemini, "gemini-2.0-flash"),
    (Format::Gemini, ProviderKind::Gemini, "gemini-2.5-pro"),
    (Format::Gemini, ProviderKind::Vertex, "gemini-3-flash"),
    (
        Format::Converse,
        ProviderKind::Bedrock,
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    ),
    (
        Format::Converse,
        ProviderKind::Bedrock,
        "us.amazon.nova-2-lite-v1:0",
    ),
    (
        Format::Converse,
        ProviderKind::Bedrock,
        "meta.llama3-3-70b-instruct-v1:0",
    ),
    (
        Format::Converse,
        ProviderKind::Bedrock,
        "mistral.mistral-large-2407-v1:0",
    ),
    (Format::Cohere, ProviderKind::Cohere, "command-a"),
];

fn reply() -> Reply {
    Reply {
        id: "0123456789abcdef".to_owned(),
        created: 1_700_000_000,
        model: "m".to_owned(),
        stream_usage: true,
        ..Reply::default()
    }
}

/// What is made of some bytes is no flood: nobody can make much of little.
fn check_size(out: &[u8], bytes: &[u8]) {
    let most = bytes.len() * 64 + 65_536;
    assert!(out.len() <= most, "{} bytes of {}", out.len(), bytes.len());
}

fn check_json(out: &[u8]) {
    assert!(
        Tree::parse(&mut out.to_vec()).is_ok(),
        "not JSON: {}",
        shown(out)
    );
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.get(..4_000).unwrap_or(bytes)).into_owned()
}

fn read_request(bytes: &[u8], client: Format) {
    for kind in [ProviderKind::OpenAi, ProviderKind::Mistral] {
        check_passing(bytes, client, kind);
    }
    for (format, kind, model) in ASKED {
        let to = Destination {
            kind,
            model,
            max_output: None,
        };
        for stream in [false, true] {
            let mut out = Vec::new();
            if request(&mut bytes.to_vec(), client, &to, format, stream, &mut out).is_err() {
                continue;
            }
            check_size(&out, bytes);
            check_json(&out);
            if CLIENTS.contains(&format) {
                let mut again = Vec::new();
                let read = request(&mut out.clone(), format, &to, format, stream, &mut again);
                // All that was said may have been thoughts of others, and a document a video, which Gemini alone is shown.
                let why = match &read {
                    Err(Untold::Unsupported(unsupported)) => &*unsupported.why,
                    _ => "",
                };
                let is_only_there = why.starts_with("is empty") || why.starts_with("is a video");
                assert!(
                    read.is_ok() || is_only_there,
                    "{model}: {read:?} of {}",
                    shown(&out)
                );
            }
        }
    }
}

/// A request that passes is JSON if it was, and is changed once: what was changed needs no change.
fn check_passing(bytes: &[u8], client: Format, kind: ProviderKind) {
    let is_json = Tree::parse(&mut bytes.to_vec()).is_ok();
    let check = |change: &dyn Fn(&[u8]) -> Option<Vec<u8>>| {
        if let Some(changed) = change(bytes) {
            check_size(&changed, bytes);
            assert!(
                !is_json || Tree::parse(&mut changed.clone()).is_ok(),
                "{}",
                shown(&changed)
            );
            assert_eq!(change(&changed), None, "{}", shown(&changed));
        }
    };
    check(&|body| without_foreign(client, kind, body));
    check(&asking_for_usage);
}

fn read_answer(bytes: &[u8], provider: Format) {
    let kind = kind_of(provider);
    for status in [200, 400, 429, 503] {
        let outcome = outcome_of(provider, kind, status, "", bytes);
        for error in [
            ClientError::of_answer(outcome, status, bytes),
            ClientError::rejected(status, message_of(bytes).into()),
        ] {
            for client in CLIENTS {
                let (mut body, mut event) = (Vec::new(), Vec::new());
                client::error_body(client, &error, "r", &mut body);
                client::error_event(client, &error, &mut event);
                check_json(&body);
                check_stream(&event, client, true);
            }
        }
    }
    for client in CLIENTS {
        let mut out = Vec::new();
        if answer(&mut bytes.to_vec(), provider, client, &reply(), &mut out).is_err() {
            continue;
        }
        check_size(&out, bytes);
        let mut again = Vec::new();
        let read = answer(&mut out.clone(), client, client, &reply(), &mut again);
        assert!(
            read.is_ok() || is_broken_call(client, &out) || may_be_empty(bytes),
            "{client:?}: {read:?} of {}",
            shown(&out)
        );
    }
}

/// A call with arguments that are cut off has no place in Gemini's format, which has a word for that.
fn is_broken_call(client: Format, out: &[u8]) -> bool {
    let word = b"\"MALFORMED_FUNCTION_CALL\"";
    client == Format::Gemini && out.windows(word.len()).any(|it| it == word)
}

/// An answer that met the text at which it was to stop before any other, in the words of those formats that tell.
fn may_be_empty(bytes: &[u8]) -> bool {
    let word = b"stop_sequence\"";
    let is_word = |it: &[u8]| it.eq_ignore_ascii_case(word);
    bytes.windows(word.len()).any(is_word)
}

fn message_of(body: &[u8]) -> String {
    let mut message = String::new();
    provider_message(body, &mut message);
    message
}

const fn kind_of(provider: Format) -> ProviderKind {
    match provider {
        Format::Chat | Format::Responses => ProviderKind::OpenAi,
        Format::Messages => ProviderKind::Anthropic,
        Format::Gemini => ProviderKind::Gemini,
        Format::Converse => ProviderKind::Bedrock,
        Format::Cohere => ProviderKind::Cohere,
    }
}

/// The first byte says into pieces of what length the rest, a stream, is cut.
fn read_stream(bytes: &[u8], provider: Format) {
    let Some((length, stream)) = bytes.split_first() else {
        return;
    };
    for client in CLIENTS {
        let whole = said(stream, provider, client, stream.len());
        let pieces = said(stream, provider, client, usize::from(*length));
        assert!(
            whole == pieces,
            "{client:?}, whole: {}\nin pieces: {}",
            shown(&whole),
            shown(&pieces)
        );
        check_size(&whole, stream);
        check_stream(&whole, client, false);
    }
}

/// What a client is told of a stream that comes in pieces.
fn said(stream: &[u8], provider: Format, client: Format, length: usize) -> Vec<u8> {
    let mut translator = Translator::new(provider, client, reply());
    let mut out = Vec::new();
    let mut rest = stream;
    loop {
        let (piece, behind) = rest.split_at(length.max(1).min(rest.len()));
        rest = behind;
        match translator.feed(piece, rest.is_empty(), &mut out) {
            Err(_) => return out,
            Ok(seen) if seen.error => return out,
            Ok(_) if rest.is_empty() => break,
            Ok(_) => {}
        }
    }
    translator.end(&mut out);
    out
}

/// What is written to a client is events whose data is JSON, and tells it of an error only if `is_error`.
fn check_stream(stream: &[u8], client: Format, is_error: bool) {
    let (mut splitter, mut several, mut rest) = (sse::Splitter::new(), Vec::new(), stream);
    let mut watcher = Watcher::new(client);
    let mut told_error = false;
    while let Some(event) = splitter.next(rest).unwrap() {
        if let Some(data) = event.data(rest, &mut several) {
            event_kind(data);
            is_usage_alone(data);
            if data != b"[DONE]" {
                check_json(data);
            }
            let mut data = data.to_vec();
            told_error |= watcher.see(event.name(rest), &mut data).error;
        }
        rest = &rest[event.len..];
    }
    assert_eq!(rest, b"", "the last event has no end");
    // A writer says itself that it failed where more of a call comes than can be said any more.
    let word = b"the model failed: what it said is not an answer";
    let is_failed = stream.windows(word.len()).any(|it| it == word);
    let may_be_told = is_error || is_failed || is_broken_call(client, stream);
    let is_right = if told_error { may_be_told } else { !is_error };
    assert!(is_right, "{client:?}: {}", shown(stream));
}

fn read_embeddings_request(bytes: &[u8]) {
    for (kind, model, format) in [
        (ProviderKind::Gemini, "gemini-embedding-001", Format::Gemini),
        (ProviderKind::Vertex, "gemini-embedding-001", Format::Gemini),
        (ProviderKind::Cohere, "embed-v4.0", Format::Cohere),
        (
            ProviderKind::Bedrock,
            "amazon.titan-embed-text-v2:0",
            Format::Converse,
        ),
        (ProviderKind::Bedrock, "cohere.embed-v4:0", Format::Converse),
    ] {
        let to = Destination {
            kind,
            model,
            max_output: None,
        };
        let mut out = Vec::new();
        if embeddings_request(&mut bytes.to_vec(), &to, format, &mut out).is_ok() {
            check_size(&out, bytes);
            check_json(&out);
        }
    }
}

fn read_embeddings_answer(bytes: &[u8]) {
    for (kind, model, format) in [
        (ProviderKind::Gemini, "gemini-embedding-001", Format::Gemini),
        (ProviderKind::Cohere, "embed-v4.0", Format::Cohere),
        (ProviderKind::Bedrock, "cohere.embed-v4:0", Format::Converse),
    ] {
        let to = Destination {
            kind,
            model,
            max_output: None,
        };
        for asked in [
            r#"{"input":"a"}"#,
            r#"{"input":["a","b"],"encoding_format":"base64"}"#,
        ] {
            let mut body = asked.as_bytes().to_vec();
            let (_, asked) = embeddings_request(&mut body, &to, format, &mut Vec::new()).unwrap();
            let mut out = Vec::new();
            if embeddings_answer(&mut bytes.to_vec(), format, asked, "m", &mut out).is_ok() {
                check_size(&out, bytes);
                check_json(&out);
            }
        }
    }
}

/// The first byte says into pieces of what length the rest is cut.
fn read_chunks(bytes: &[u8]) {
    let Some((length, body)) = bytes.split_first() else {
        return;
    };
    let decode = |length: usize| {
        let (mut decoder, mut payload) = (Chunks::new(), Vec::new());
        for piece in body.chunks(length.max(1)) {
            let mut piece = piece.to_vec();
            match decoder.decode(&mut piece) {
                Err(bad) => return (payload, Err(bad)),
                Ok(step) => {
                    assert!(step.produced <= step.consumed && step.consumed <= piece.len());
                    assert!(step.done || step.consumed == piece.len());
                    payload.extend_from_slice(&piece[..step.produced]);
                    if step.done {
                        break;
                    }
                }
            }
        }
        (payload, Ok(decoder.is_done()))
    };
    let (whole, pieces) = (decode(body.len()), decode(usize::from(*length)));
    assert_eq!(whole.1, pieces.1);
    // What came before an error is handed on in pieces only.
    assert!(whole.1.is_err() || whole.0 == pieces.0);
}

fn read_messages(bytes: &[u8]) {
    let mut rest = bytes;
    while let Ok(Some(message)) = eventstream::message_at_front(rest) {
        let (name, payload) = (message.name(rest), message.payload(rest));
        let mut again = Vec::new();
        eventstream::write(message.kind, name, payload, &mut again);
        let read = eventstream::message_at_front(&again).unwrap().unwrap();
        assert_eq!(read.len, again.len());
        assert_eq!(read.kind, message.kind);
        assert_eq!((read.name(&again), read.payload(&again)), (name, payload));
        assert!(eventstream::message_at_front(&rest[..message.len - 1]) == Ok(None));
        rest = &rest[message.len..];
    }
}

/// The first byte says into pieces of what length the rest is cut.
fn read_events(bytes: &[u8]) {
    let Some((length, stream)) = bytes.split_first() else {
        return;
    };
    let split = |length: usize| {
        let (mut splitter, mut several) = (sse::Splitter::new(), Vec::new());
        let (mut events, mut front, mut end) = (Vec::new(), 0, 0);
        while end < stream.len() {
            end = (end + length.max(1)).min(stream.len());
            while let Some(event) = splitter.next(&stream[front..end]).unwrap() {
                let bytes = &stream[front..end];
                let data = event.data(bytes, &mut several).map(<[u8]>::to_vec);
                events.push((event.name(bytes).to_vec(), data));
                front += event.len;
            }
        }
        if let Some(event) = splitter.finish(&stream[front..]) {
            let bytes = &stream[front..];
            let data = event.data(bytes, &mut several).map(<[u8]>::to_vec);
            events.push((event.name(bytes).to_vec(), data));
        }
        events
    };
    assert_eq!(split(stream.len()), split(usize::from(*length)));
}

/// What the parser says of the front of a head must still hold when the rest has come.
fn check_head<H: Debug, E: Debug>(
    bytes: &[u8],
    mut search: HeadSearch,
    parse: impl Fn(&[u8], &mut Fields) -> Result<Option<H>, E>,
) -> Option<(H, Fields)> {
    let mut fields = Fields::new();
    let whole = parse(bytes, &mut fields);
    let text = format!("{whole:?}");
    for cut in [bytes.len() / 2, bytes.len().saturating_sub(1)] {
        match parse(&bytes[..cut], &mut Fields::new()) {
            Ok(None) => {}
            Ok(Some(head)) => assert_eq!(format!("Ok(Some({head:?}))"), text),
            Err(_) => assert!(whole.is_err(), "refused in part: {}", shown(bytes)),
        }
    }
    let head = whole.ok()??;
    assert!(search.may_be_complete(bytes), "{}", shown(bytes));
    for (name, value) in fields.iter(bytes) {
        assert!(!name.is_empty() && !value.contains(&b'\n'));
    }
    Some((head, fields))
}

fn read_request_head(bytes: &[u8]) {
    let Some((head, _)) = check_head(bytes, HeadSearch::request(), request_head::parse) else {
        return;
    };
    for method in ["GET", "POST"] {
        let _ = client_route(method, head.path(bytes));
    }
    assert!(head.host(bytes).len() + head.query(bytes).len() <= bytes.len());
}

fn read_answer_head(bytes: &[u8]) {
    check_head(bytes, HeadSearch::response(), answer_head::parse);
}

fn read_json(bytes: &[u8]) {
    const KEYS: [Key; 5] = [
        Key::Model,
        Key::Stream,
        Key::MaxTokens,
        Key::Messages,
        Key::Metadata,
    ];
    let asked = KEYS.into_iter().fold(KeySet::EMPTY, KeySet::with);
    let mut whole = TopLevel::new(asked);
    let end = whole.feed(bytes);
    let mut pieces = TopLevel::new(asked);
    let mut last = Ok(Progress::Partial);
    for end in (0..=bytes.len()).step_by(7).chain([bytes.len()]) {
        last = pieces.feed(&bytes[..end]);
    }
    // Of two errors a piece may show the one and the whole the other.
    assert_eq!(end.ok(), last.ok());
    for key in KEYS.into_iter().filter(|_| end.is_ok()) {
        assert_eq!(whole.value(key), pieces.value(key));
        let is_there = |place: Extent| !place.of(bytes).is_empty();
        assert!(whole.value(key).is_none_or(is_there));
    }
    let _ = Inspector::new().inspect(bytes, &["k".into()]);
    let mut copy = bytes.to_vec();
    if let Ok(tree) = Tree::parse(&mut copy) {
        let mut once = Vec::new();
        Writer::new(&mut once).node(tree.root());
        let mut copy = once.clone();
        let again = Tree::parse(&mut copy).unwrap();
        let mut twice = Vec::new();
        Writer::new(&mut twice).node(again.root());
        assert_eq!(shown(&once), shown(&twice));
    }
}

/// The one file of a policy.
struct Text<'a>(&'a [u8]);

impl Sources for Text<'_> {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        match path {
            "main.policy" => Ok(self.0.to_vec()),
            _ => Err("no such file".to_owned()),
        }
    }
}

fn read_policy(bytes: &[u8]) {
    let found = match load(&Text(bytes), "main.policy", &[]) {
        Err(found) => {
            assert!(found.has_errors());
            found
        }
        Ok((policy, found)) => {
            assert!(!found.has_errors());
            let _ = Plan::new(policy);
            found
        }
    };
    found.render(false);
    check_json(found.to_json().as_bytes());
}
