//! What a provider of the world says to one request: bytes and the moments at which they come, for every fault.
//!
//! Each word of an answer is `SERIAL#PLACE`: which attempt said it, and where. So a client can tell whether all it got is
//! of one attempt, in order, and nothing is missing.

use crate::base::Span;
use crate::dialect::openai::{ClientError, error_body};
use crate::sim::world::chance::Dice;
use crate::sim::world::fault::{Fault, Hint};
use crate::sim::world::pipe::{Ending, Script};
use crate::wire::h1::write::{self, LAST_CHUNK};

/// One answer to be given.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub(super) fault: Option<Fault>,
    pub(super) serial: u64,
    pub(super) streams: bool,
    /// To the first word.
    pub(super) ttft: Span,
    /// Between two words.
    pub(super) gap: Span,
    /// At least one.
    pub(super) words: u32,
}

/// Writes answers; keeps its memory.
#[derive(Debug, Default)]
pub(super) struct Speaker {
    event: Vec<u8>,
}

impl Speaker {
    /// Writes the answer into `script`.
    pub(super) fn speak(&mut self, line: &Line, script: &mut Script, dice: &mut Dice) {
        script.clear();
        match line.fault {
            Some(fault) if refuse(fault, line, script) => {}
            _ if line.streams => self.stream(line, script),
            _ => whole(line, script),
        }
        match line.fault {
            Some(Fault::Split) => split(script, dice),
            Some(Fault::CloseAfter | Fault::Early(_)) => {
                script.ends(Span::from_micros(10), Ending::Closed);
            }
            Some(Fault::CloseLater(after)) => script.ends(after, Ending::Closed),
            _ => {}
        }
    }

    fn stream(&mut self, line: &Line, script: &mut Script) {
        if let Some(Fault::Interim) = line.fault {
            script.bytes.extend_from_slice(INTERIM);
        }
        head(script, line, 200, stream_type(line));
        write::field(b"transfer-encoding", b"chunked", &mut script.bytes);
        write::end(&mut script.bytes);
        script_head(line, script);
        if line.fault == Some(Fault::Empty) {
            script.bytes.extend_from_slice(LAST_CHUNK);
            return script.part(Span::ZERO);
        }
        self.event(script, |out| {
            out.extend_from_slice(br#"{"choices":[{"index":0,"delta":{"role":"assistant"}}]}"#);
        });
        script.part(Span::ZERO);
        let words = if line.fault == Some(Fault::NoChoices) {
            0
        } else {
            line.words
        };
        for place in 0..words {
            if self.break_off(line, script, place) {
                return;
            }
            self.word(line, script, place);
            script.part(Self::pause(line, place));
        }
        if self.break_off(line, script, words) {
            return;
        }
        if words > 0 {
            self.event(script, |out| {
                out.extend_from_slice(
                    br#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
                );
            });
        }
        self.event(script, |out| out.extend_from_slice(b"[DONE]"));
        script.bytes.extend_from_slice(LAST_CHUNK);
        script.part(Span::ZERO);
    }

    fn pause(line: &Line, place: u32) -> Span {
        match line.fault {
            Some(Fault::LateContent(late)) if place == 0 => late,
            _ if place == 0 => half(line.ttft).max(MOMENT),
            Some(Fault::LateWords(late)) => late.max(MOMENT),
            _ => line.gap.max(MOMENT),
        }
    }

    fn word(&mut self, line: &Line, script: &mut Script, place: u32) {
        if place == 1 && line.fault == Some(Fault::BrokenEvent) {
            self.event(script, |out| out.extend_from_slice(br#"{"choices":[{"#));
        }
        let huge = place == 0 && line.fault == Some(Fault::Huge);
        let serial = line.serial;
        self.event(script, |out| {
            out.extend_from_slice(br#"{"choices":[{"index":0,"delta":{"content":" "#);
            write_word(serial, place, out);
            if huge {
                out.extend_from_slice(&HUGE);
            }
            out.extend_from_slice(br#""},"finish_reason":null}]}"#);
        });
    }

    /// What goes wrong in front of the word at `place`; true where nothing follows.
    fn break_off(&mut self, line: &Line, script: &mut Script, place: u32) -> bool {
        let at = |words: u32| words.min(line.words) == place;
        match line.fault {
            Some(Fault::Stall(words)) if at(words) => {}
            Some(Fault::Murmur(words)) if at(words) => Self::murmur(script),
            Some(Fault::Cut(words)) if at(words) => script.ends(MOMENT, Ending::Closed),
            Some(Fault::Reset(words)) if at(words) => script.ends(MOMENT, Ending::Reset),
            Some(Fault::BadChunk(words)) if at(words) => {
                script.bytes.extend_from_slice(b"zz\r\n");
                script.part(MOMENT);
            }
            Some(Fault::NoEnd(words)) if at(words) => {
                script.bytes.extend_from_slice(LAST_CHUNK);
                script.part(MOMENT);
            }
            Some(Fault::ErrorFirst) => self.error_event(script),
            Some(Fault::ErrorAfter(words)) if at(words) => self.error_event(script),
            _ => return false,
        }
        true
    }

    fn error_event(&mut self, script: &mut Script) {
        self.event(script, |out| error_body(out, &error_of(500)));
        script.bytes.extend_from_slice(LAST_CHUNK);
        script.part(MOMENT);
    }

    /// Signs of life that say nothing.
    fn murmur(script: &mut Script) {
        for turn in 0..MURMURS {
            if turn % 2 == 0 {
                script.bytes.extend_from_slice(b"e\r\n: keep-alive\n\n\r\n");
            } else {
                script.bytes.extend_from_slice(b"2\r\n\n\n\r\n");
            }
            script.part(MURMUR_GAP);
        }
    }

    /// One event, as one chunk.
    fn event(&mut self, script: &mut Script, data: impl FnOnce(&mut Vec<u8>)) {
        self.event.clear();
        self.event.extend_from_slice(b"data: ");
        data(&mut self.event);
        self.event.extend_from_slice(b"\n\n");
        write::chunk_size(self.event.len() as u64, &mut script.bytes);
        script.bytes.extend_from_slice(&self.event);
        script.bytes.extend_from_slice(b"\r\n");
    }
}

/// Answers that are none; false where the fault strikes inside an answer.
fn refuse(fault: Fault, line: &Line, script: &mut Script) -> bool {
    let error = match fault {
        Fault::CloseAtOnce => {
            script.ends(MOMENT, Ending::Closed);
            return true;
        }
        Fault::ResetAtOnce => {
            script.ends(MOMENT, Ending::Reset);
            return true;
        }
        Fault::NotReading | Fault::Hang => return true,
        Fault::Status(status) | Fault::Hinted(status, _) | Fault::Early(status) => error_of(status),
        Fault::BadKey => error_of(401),
        Fault::NoQuota => {
            ClientError::new(429, "insufficient_quota", "insufficient_quota", "no quota")
        }
        Fault::Denied => {
            let says = "this key has no access to the model";
            ClientError::new(403, "invalid_request_error", "forbidden", says)
        }
        Fault::ModelGone => ClientError::new(
            404,
            "invalid_request_error",
            "model_not_found",
            "no such model",
        ),
        Fault::TooLong => {
            let code = "context_length_exceeded";
            ClientError::new(400, "invalid_request_error", code, "the prompt is too long")
        }
        Fault::Filtered => {
            ClientError::new(400, "invalid_request_error", "content_filter", "filtered")
        }
        Fault::ErrorObject => error_of(500),
        Fault::ErrorFirst | Fault::ErrorAfter(_) if !line.streams => error_of(500),
        other => return raw(other, line, script),
    };
    let status = match fault {
        Fault::ErrorObject | Fault::ErrorFirst | Fault::ErrorAfter(_) => 200,
        _ => error.status,
    };
    let mut body = Vec::new();
    error_body(&mut body, &error);
    head(script, line, status, b"application/json");
    if let Fault::Hinted(_, hint) = fault {
        write_hint(hint, &mut script.bytes);
    }
    finish(script, &body);
    script.part(half(line.ttft));
    true
}

/// Answers that are not even an error of OpenAI's.
fn raw(fault: Fault, line: &Line, script: &mut Script) -> bool {
    match fault {
        Fault::Page(status) => {
            head(script, line, status, b"text/html");
            finish(script, b"<!DOCTYPE html><title>Just a moment</title>");
        }
        Fault::NoContent => {
            head(script, line, 204, b"application/json");
            write::end(&mut script.bytes);
        }
        Fault::Redirect => {
            head(script, line, 302, b"text/plain");
            write::field(b"location", b"http://elsewhere/", &mut script.bytes);
            finish(script, b"");
        }
        Fault::Compressed => {
            head(script, line, 200, b"application/json");
            write::field(b"content-encoding", b"gzip", &mut script.bytes);
            finish(script, b"\x1f\x8b\x08");
        }
        Fault::Noise => script
            .bytes
            .extend_from_slice(b"\x00\x01SSH-2.0-sim\r\n\r\n"),
        Fault::EndlessHead => {
            head(script, line, 200, b"application/json");
            for _ in 0..ENDLESS_FIELDS {
                script.bytes.extend_from_slice(b"x-more: ");
                script.bytes.extend_from_slice(&[b'y'; 1_000]);
                script.bytes.extend_from_slice(b"\r\n");
            }
        }
        Fault::CutHead => {
            script
                .bytes
                .extend_from_slice(b"HTTP/1.1 200 OK\r\ncontent-ty");
            script.ends(MOMENT, Ending::Closed);
        }
        Fault::Empty if !line.streams => {
            head(script, line, 200, b"application/json");
            finish(script, b"");
        }
        _ => return false,
    }
    script.part(half(line.ttft));
    true
}

/// An answer in one piece.
fn whole(line: &Line, script: &mut Script) {
    let mut body = Vec::with_capacity(256);
    let cut = body_of(line, &mut body);
    if let Some(Fault::Interim) = line.fault {
        script.bytes.extend_from_slice(INTERIM);
    }
    head(script, line, 200, whole_type(line));
    let said = body.get(..cut).unwrap_or_default();
    if let Some(Fault::BadChunk(_) | Fault::Murmur(_)) = line.fault {
        write::field(b"transfer-encoding", b"chunked", &mut script.bytes);
        write::end(&mut script.bytes);
        script_head(line, script);
        return chunked(line, said, script);
    }
    let promised = if let Some(Fault::NoEnd(_)) = line.fault {
        said.len()
    } else {
        body.len()
    };
    write::field_decimal(b"content-length", promised as u64, &mut script.bytes);
    write::end(&mut script.bytes);
    script_head(line, script);
    script.bytes.extend_from_slice(said);
    let rest = half(line.ttft).saturating_add(line.gap.saturating_mul(u64::from(line.words)));
    script.part(match line.fault {
        Some(Fault::LateContent(late)) => late,
        _ => rest.max(MOMENT),
    });
    match line.fault {
        Some(Fault::Cut(_)) => script.ends(MOMENT, Ending::Closed),
        Some(Fault::Reset(_)) => script.ends(MOMENT, Ending::Reset),
        _ => {}
    }
}

/// The beginning of a body in chunks, and then nonsense or empty lines.
fn chunked(line: &Line, said: &[u8], script: &mut Script) {
    if let Some(Fault::Murmur(_)) = line.fault {
        for _ in 0..MURMURS {
            script.bytes.extend_from_slice(b"1\r\n\n\r\n");
            script.part(MURMUR_GAP);
        }
        return;
    }
    write::chunk_size(said.len() as u64, &mut script.bytes);
    script.bytes.extend_from_slice(said);
    script.bytes.extend_from_slice(b"\r\nzz\r\n");
    script.part(MOMENT);
}

/// Writes the body; gives where a fault cuts it off.
fn body_of(line: &Line, out: &mut Vec<u8>) -> usize {
    let cut_after = match line.fault {
        Some(
            Fault::Stall(words)
            | Fault::Cut(words)
            | Fault::Reset(words)
            | Fault::BadChunk(words)
            | Fault::NoEnd(words),
        ) => Some(words.min(line.words)),
        _ => None,
    };
    let mut cut = None;
    out.extend_from_slice(br#"{"id":"sim","object":"chat.completion","choices":["#);
    if line.fault != Some(Fault::NoChoices) {
        out.extend_from_slice(br#"{"index":0,"message":{"role":"assistant","content":""#);
        for place in 0..line.words {
            if cut_after == Some(place) {
                cut = Some(out.len());
            }
            out.push(b' ');
            write_word(line.serial, place, out);
        }
        if cut_after.is_some() {
            cut = cut.or(Some(out.len()));
        }
        if line.fault == Some(Fault::Huge) {
            out.extend_from_slice(&HUGE);
        }
        out.extend_from_slice(br#""},"finish_reason":"stop"}"#);
    }
    out.extend_from_slice(b"]}");
    cut.unwrap_or(out.len())
}

fn write_word(serial: u64, place: u32, out: &mut Vec<u8>) {
    write::decimal(serial, out);
    out.push(b'#');
    write::decimal(u64::from(place), out);
}

fn head(script: &mut Script, line: &Line, status: u16, content_type: &[u8]) {
    let out = &mut script.bytes;
    write::status_line(status, out);
    write::field(b"content-type", content_type, out);
    write::field(b"set-cookie", b"account=of-the-provider", out);
    if matches!(line.fault, Some(Fault::CloseAfter | Fault::Early(_))) {
        write::field(b"connection", b"close", out);
    }
}

fn finish(script: &mut Script, body: &[u8]) {
    write::field_decimal(b"content-length", body.len() as u64, &mut script.bytes);
    write::end(&mut script.bytes);
    script.bytes.extend_from_slice(body);
}

/// The head is complete: when it comes.
fn script_head(line: &Line, script: &mut Script) {
    match line.fault {
        Some(Fault::LateHead(late)) => script.part(late),
        Some(Fault::Drip) => {
            for end in 1..=script.bytes.len() {
                let delay = script.parts.len() as u64 + 1;
                script.parts.push((MOMENT.saturating_mul(delay * 20), end));
            }
        }
        _ => script.part(half(line.ttft)),
    }
}

/// Cuts every part into up to four.
fn split(script: &mut Script, dice: &mut Dice) {
    let mut cut = Vec::with_capacity(script.parts.len() * 4);
    let (mut start, mut latest) = (0, Span::ZERO);
    for &(delay, end) in &script.parts {
        let mut at = delay.max(latest);
        for _ in 0..3 {
            if end - start > 1 {
                start += 1 + dice.index(end - start - 1);
                cut.push((at, start));
                at = at.saturating_add(MOMENT);
            }
        }
        cut.push((at, end));
        start = end;
        latest = at.saturating_add(MOMENT);
    }
    script.parts = cut;
}

fn write_hint(hint: Hint, out: &mut Vec<u8>) {
    match hint {
        Hint::Seconds(seconds) => write::field_decimal(b"retry-after", u64::from(seconds), out),
        Hint::Millis(millis) => write::field_decimal(b"retry-after-ms", u64::from(millis), out),
        Hint::Reset => write::field(b"x-ratelimit-reset-requests", b"1.5s", out),
        Hint::Negative => write::field(b"retry-after", b"-1", out),
        Hint::Junk => write::field(b"retry-after", b"soon", out),
    }
}

fn error_of(status: u16) -> ClientError<'static> {
    let (kind, code) = match status {
        401 => ("invalid_request_error", "invalid_api_key"),
        429 => ("requests", "rate_limit_exceeded"),
        503 | 529 => ("overloaded_error", "server_overloaded"),
        500.. => ("server_error", "internal_error"),
        _ => ("invalid_request_error", "invalid_request"),
    };
    ClientError::new(status, kind, code, "it went wrong")
}

const fn stream_type(line: &Line) -> &'static [u8] {
    match line.fault {
        Some(Fault::OddType) => b"application/octet-stream",
        _ => b"text/event-stream",
    }
}

const fn whole_type(line: &Line) -> &'static [u8] {
    match line.fault {
        Some(Fault::OddType) => b"text/plain",
        _ => b"application/json",
    }
}

const fn half(span: Span) -> Span {
    Span::from_nanos(span.as_nanos() / 2)
}

const INTERIM: &[u8] = b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n";
/// Between two things that come one after the other.
const MOMENT: Span = Span::from_micros(10);
/// Signs of life, a quarter of a second apart: 16 s, more than any timer of a world's policy.
const MURMURS: u32 = 64;
const MURMUR_GAP: Span = Span::from_millis(250);
/// A word that fills several reads.
static HUGE: [u8; 20 * 1024] = [b'x'; 20 * 1024];
/// Of a kilobyte each: more than a head may have.
const ENDLESS_FIELDS: usize = 70;
