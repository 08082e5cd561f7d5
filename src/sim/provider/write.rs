//! The bytes of simulated answers in Chat Completions: HTTP heads, JSON and events in the provider's exact form.

use std::borrow::Cow;

use crate::base::{RequestId, Span, hash};
use crate::dialect::format::Format;
use crate::dialect::models::models_body;
use crate::dialect::openai::{ClientError, error_body};
use crate::policy::model::Act;
use crate::sim::provider::text::words;
use crate::sim::provider::{Answer, Asked, Ending, Timing, Wanted};
use crate::wire::h1::write::{self, LAST_CHUNK};
use crate::wire::json::patch;

/// An answer that begins well; `act` says how it goes on.
pub(super) fn served(answer: &mut Answer, asked: &Asked<'_>, timing: &Timing, act: Act) {
    match asked.wanted {
        Wanted::Stream { .. } if act == Act::ErrorEvent => error_stream(answer, asked),
        Wanted::Stream { usage } => stream(answer, asked, timing, act, usage),
        Wanted::Unserved => refusal(answer, asked, 404),
        Wanted::Answer | Wanted::Embeddings { .. } if act == Act::ErrorEvent => {
            let mut body = Vec::new();
            error_body(&mut body, &error_of(500));
            whole(answer, asked.id, 200, &body);
            answer.part(timing.ttft);
        }
        Wanted::Answer | Wanted::Embeddings { .. } | Wanted::Models => {
            plain(answer, asked, timing, act);
        }
    }
}

/// A refusal with `status` and the body that OpenAI would send.
pub(super) fn refusal(answer: &mut Answer, asked: &Asked<'_>, status: u16) {
    error(answer, asked, &error_of(status));
}

/// 404 `model_not_found`.
pub(super) fn model_gone(answer: &mut Answer, asked: &Asked<'_>) {
    let message = format!(
        "The model `{}` does not exist or you do not have access to it.",
        asked.model
    );
    let gone = ClientError {
        code: Some(Cow::Borrowed("model_not_found")),
        message: Cow::Owned(message),
        ..error_of(404)
    };
    error(answer, asked, &gone);
}

fn error(answer: &mut Answer, asked: &Asked<'_>, error: &ClientError<'_>) {
    let mut body = Vec::new();
    error_body(&mut body, error);
    whole(answer, asked.id, error.status, &body);
    answer.part(Span::ZERO);
}

/// What OpenAI says beside each status.
fn error_of(status: u16) -> ClientError<'static> {
    let invalid = "invalid_request_error";
    let (kind, code, message) = match status {
        401 => (invalid, "invalid_api_key", "Incorrect API key provided."),
        402 => (
            "insufficient_quota",
            "insufficient_quota",
            "You exceeded your current quota.",
        ),
        403 => (
            "permission_error",
            "forbidden",
            "You are not allowed to do this.",
        ),
        404 => (invalid, "unknown_url", "Unknown request URL."),
        408 => ("timeout_error", "timeout", "The request timed out."),
        429 => (
            "requests",
            "rate_limit_exceeded",
            "Rate limit reached. Please try again in 1s.",
        ),
        503 | 529 => (
            "overloaded_error",
            "server_overloaded",
            "The server is overloaded.",
        ),
        500.. => ("server_error", "internal_error", "The server had an error."),
        _ => (invalid, "invalid_request", "The request is invalid."),
    };
    ClientError::new(status, kind, code, message)
}

/// A head with its length and the body, as one piece; the caller makes the part.
fn whole(answer: &mut Answer, id: RequestId, status: u16, body: &[u8]) {
    let out = &mut answer.bytes;
    head(out, id, status, b"application/json");
    if status == 429 {
        write::field(b"retry-after", b"1", out);
    }
    write::field_decimal(b"content-length", body.len() as u64, out);
    write::end(out);
    out.extend_from_slice(body);
}

pub(super) fn head(out: &mut Vec<u8>, id: RequestId, status: u16, content_type: &[u8]) {
    write::status_line(status, out);
    write::field(b"content-type", content_type, out);
    write::field(b"x-request-id", &id.to_hex(), out);
}

/// Where a plain answer breaks under [`Act::Stall`] and [`Act::Cut`]: bytes that the head promised and that never come.
const WITHHELD: usize = 16;

fn plain(answer: &mut Answer, asked: &Asked<'_>, timing: &Timing, act: Act) {
    let mut body = Vec::new();
    let mut delay = timing.ttft;
    match asked.wanted {
        Wanted::Embeddings { inputs, dimensions } => {
            embeddings(&mut body, asked, timing.draw, inputs, dimensions);
        }
        Wanted::Models => models_body(Format::Chat, &["simulated"], &mut body),
        _ => {
            let count = completion(&mut body, asked, timing);
            delay = delay.saturating_add(
                timing
                    .gap
                    .saturating_mul(u64::from(count.saturating_sub(1))),
            );
        }
    }
    whole(answer, asked.id, 200, &body);
    if matches!(act, Act::Stall | Act::Cut) {
        withhold(answer, body.len(), act);
    }
    answer.part(delay);
}

/// The last bytes of a body of this length do not come.
pub(super) fn withhold(answer: &mut Answer, body: usize, act: Act) {
    let whole = answer.bytes.len();
    answer.bytes.truncate(whole - WITHHELD.min(body));
    answer.ending = broken(act);
}

pub(super) const fn broken(act: Act) -> Ending {
    match act {
        Act::Cut => Ending::Reset,
        _ => Ending::Hang,
    }
}

/// A whole chat answer. Returns its number of words.
fn completion(out: &mut Vec<u8>, asked: &Asked<'_>, timing: &Timing) -> u32 {
    let (count, reason) = length(asked, timing);
    let text: String = spoken(asked, timing, count).collect();
    opening(out, asked, "chat.completion");
    out.extend_from_slice(br#","choices":[{"index":0,"message":{"role":"assistant","content":"#);
    patch::string(&text, out);
    out.extend_from_slice(br#","refusal":null},"logprobs":null,"finish_reason":""#);
    out.extend_from_slice(reason);
    out.extend_from_slice(b"\"}],");
    usage(out, asked, count);
    out.extend_from_slice(br#","system_fingerprint":"fp_simulated"}"#);
    count
}

/// The words of an answer, each with the space before it.
pub(super) fn spoken(
    asked: &Asked<'_>,
    timing: &Timing,
    count: u32,
) -> impl Iterator<Item = String> {
    let goes_on = asked.said > 0;
    let spoken = words(timing.draw).skip(asked.said as usize);
    let spoken = spoken.take(count as usize).enumerate();
    spoken.map(move |(index, word)| match index {
        0 if !goes_on => word.to_owned(),
        _ => format!(" {word}"),
    })
}

/// How many words an answer has, and why it ends.
pub(super) fn length(asked: &Asked<'_>, timing: &Timing) -> (u32, &'static [u8]) {
    let left = timing.words.saturating_sub(asked.said);
    match asked.words_max {
        Some(bound) if bound < left => (bound, b"length"),
        _ => (left, b"stop"),
    }
}

/// `{"id":…,"object":…,"created":…,"model":…`
fn opening(out: &mut Vec<u8>, asked: &Asked<'_>, object: &str) {
    out.extend_from_slice(br#"{"id":"chatcmpl-"#);
    out.extend_from_slice(&asked.id.to_hex());
    out.extend_from_slice(br#"","object":""#);
    out.extend_from_slice(object.as_bytes());
    out.extend_from_slice(br#"","created":"#);
    write::decimal(asked.created, out);
    out.extend_from_slice(br#","model":""#);
    out.extend_from_slice(asked.model.as_bytes()); // escaped as the request wrote it
    out.push(b'"');
}

fn usage(out: &mut Vec<u8>, asked: &Asked<'_>, completion: u32) {
    out.extend_from_slice(br#""usage":{"prompt_tokens":"#);
    write::decimal(u64::from(asked.prompt_tokens), out);
    out.extend_from_slice(br#","completion_tokens":"#);
    write::decimal(u64::from(completion), out);
    out.extend_from_slice(br#","total_tokens":"#);
    write::decimal(u64::from(asked.prompt_tokens) + u64::from(completion), out);
    out.push(b'}');
}

fn embeddings(out: &mut Vec<u8>, asked: &Asked<'_>, draw: u64, inputs: u32, dimensions: u32) {
    out.extend_from_slice(br#"{"object":"list","data":["#);
    for index in 0..inputs {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(br#"{"object":"embedding","index":"#);
        write::decimal(u64::from(index), out);
        out.extend_from_slice(br#","embedding":["#);
        for place in 0..dimensions {
            if place > 0 {
                out.push(b',');
            }
            let drawn = hash::mix(hash::mix(draw, u64::from(index)), u64::from(place));
            if drawn & 1 == 1 {
                out.push(b'-');
            }
            out.extend_from_slice(b"0.");
            // 100,000 to 999,999: six digits without leading zeros.
            write::decimal(100_000 + hash::scale(drawn, 900_000), out);
        }
        out.extend_from_slice(b"]}");
    }
    out.extend_from_slice(br#"],"model":""#);
    out.extend_from_slice(asked.model.as_bytes());
    out.extend_from_slice(br#"","usage":{"prompt_tokens":"#);
    write::decimal(u64::from(asked.prompt_tokens), out);
    out.extend_from_slice(br#","total_tokens":"#);
    write::decimal(u64::from(asked.prompt_tokens), out);
    out.extend_from_slice(b"}}");
}

/// The role at once, the first word after the time to first content, a word each gap, then the end.
fn stream(answer: &mut Answer, asked: &Asked<'_>, timing: &Timing, act: Act, with_usage: bool) {
    let mut events = Events::begin(answer, asked);
    events.chunk(|out| {
        out.extend_from_slice(br#"{"role":"assistant","content":"","refusal":null}"#);
    });
    events.answer.part(Span::ZERO);
    let (count, reason) = length(asked, timing);
    for (index, word) in spoken(asked, timing, count).enumerate() {
        events.word(&word);
        events
            .answer
            .part(if index == 0 { timing.ttft } else { timing.gap });
        if matches!(act, Act::Stall | Act::Cut) {
            events.answer.ending = broken(act);
            return;
        }
    }
    events.finish(reason);
    if with_usage {
        events.usage(asked, count);
    }
    events.event(|out| out.extend_from_slice(b"[DONE]"));
    answer.bytes.extend_from_slice(LAST_CHUNK);
    // An answer without words still takes its time.
    answer.part(if count == 0 { timing.ttft } else { Span::ZERO });
}

/// A 200 whose first event is an error, as some servers report what comes too late for a status.
fn error_stream(answer: &mut Answer, asked: &Asked<'_>) {
    let mut events = Events::begin(answer, asked);
    events.event(|out| error_body(out, &error_of(500)));
    answer.bytes.extend_from_slice(LAST_CHUNK);
    answer.part(Span::ZERO);
}

/// Writes events, each as one chunk of the chunked coding.
struct Events<'a> {
    answer: &'a mut Answer,
    /// `{"id":…,"model":…,"system_fingerprint":…`: the same in every chunk.
    opening: Vec<u8>,
    event: Vec<u8>,
}

impl<'a> Events<'a> {
    fn begin(answer: &'a mut Answer, asked: &Asked<'_>) -> Self {
        let out = &mut answer.bytes;
        head(out, asked.id, 200, b"text/event-stream; charset=utf-8");
        write::field(b"cache-control", b"no-cache", out);
        write::field(b"transfer-encoding", b"chunked", out);
        write::end(out);
        let mut start = Vec::new();
        opening(&mut start, asked, "chat.completion.chunk");
        start.extend_from_slice(br#","system_fingerprint":"fp_simulated""#);
        Self {
            answer,
            opening: start,
            event: Vec::new(),
        }
    }

    fn event(&mut self, data: impl FnOnce(&mut Vec<u8>)) {
        self.event.clear();
        self.event.extend_from_slice(b"data: ");
        data(&mut self.event);
        self.event.extend_from_slice(b"\n\n");
        write::chunk_size(self.event.len() as u64, &mut self.answer.bytes);
        self.answer.bytes.extend_from_slice(&self.event);
        self.answer.bytes.extend_from_slice(b"\r\n");
    }

    fn chunk(&mut self, delta: impl FnOnce(&mut Vec<u8>)) {
        self.choice(delta, b"null");
    }

    fn choice(&mut self, delta: impl FnOnce(&mut Vec<u8>), reason: &[u8]) {
        let start = std::mem::take(&mut self.opening);
        self.event(|out| {
            out.extend_from_slice(&start);
            out.extend_from_slice(br#","choices":[{"index":0,"delta":"#);
            delta(out);
            out.extend_from_slice(br#","logprobs":null,"finish_reason":"#);
            out.extend_from_slice(reason);
            out.extend_from_slice(b"}]}");
        });
        self.opening = start;
    }

    fn word(&mut self, word: &str) {
        self.chunk(|out| {
            // No sentence of ours needs escapes.
            out.extend_from_slice(br#"{"content":""#);
            out.extend_from_slice(word.as_bytes());
            out.extend_from_slice(b"\"}");
        });
    }

    fn finish(&mut self, reason: &[u8]) {
        let quoted = [b"\"", reason, b"\""].concat();
        self.choice(|out| out.extend_from_slice(b"{}"), &quoted);
    }

    fn usage(&mut self, asked: &Asked<'_>, count: u32) {
        let start = std::mem::take(&mut self.opening);
        self.event(|out| {
            out.extend_from_slice(&start);
            out.extend_from_slice(br#","choices":[],"#);
            usage(out, asked, count);
            out.push(b'}');
        });
        self.opening = start;
    }
}
