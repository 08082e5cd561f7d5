//! An answer that is slow between its contents, or breaks after the first of them: what the provider sends is taken
//! apart into events and goes on in chunks of one event each.

use crate::base::{Moment, Span};
use crate::dialect::format::Format;
use crate::dialect::translation::Watcher;
use crate::policy::drill::Break;
use crate::runtime::clock;
use crate::runtime::drill::meet::{Over, READ_BYTES, Stage, say};
use crate::runtime::link::Link;
use crate::sim::provider::{error_answer, error_event};
use crate::wire::eventstream;
use crate::wire::h1::Framing;
use crate::wire::h1::chunked::Decoder;
use crate::wire::h1::response::{ContentType, ResponseHead};
use crate::wire::h1::write::{self, LAST_CHUNK};
use crate::wire::sse::Splitter;

/// What becomes of an answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Breaking {
    /// At least so much time lies between two contents.
    gap: Span,
    /// How it breaks behind the first of them.
    how: Option<Break>,
}

impl Breaking {
    pub(super) const fn slow(gap: Span) -> Self {
        Self { gap, how: None }
    }

    pub(super) const fn broken(how: Break) -> Self {
        Self {
            gap: Span::ZERO,
            how: Some(how),
        }
    }

    /// Plays it to the end. `begin` is the answer's head, and all that has come of the answer.
    pub(super) async fn play(
        self,
        stage: &Stage,
        format: Format,
        mut near: Link,
        mut far: Link,
        begin: (ResponseHead, Vec<u8>),
    ) -> Result<(), Over> {
        let (head, mut answer) = begin;
        let rest = answer.split_off(head.len as usize);
        let mut body = Body::new(head.framing, rest)?;
        let streams = format == Format::Converse || head.content_type == ContentType::EventStream;
        if head.content_type == ContentType::Json || !streams {
            return self.whole(stage, format, near, far, (answer, body)).await;
        }
        say(&mut near, in_chunks(&answer)).await?;
        let mut events = Events::new(format);
        let mut last: Option<Moment> = None;
        loop {
            let Some((length, content)) = events.next(&body.there)? else {
                if body.done {
                    let rest = std::mem::take(&mut body.there);
                    return ends(&rest, stage, near).await;
                }
                body.more(stage, &mut far, &near).await?;
                continue;
            };
            if let Some(last) = last.filter(|_| content) {
                let due = (last + self.gap).since(clock::now());
                stage.wait(&near, due).await?;
            }
            let event: Vec<u8> = body.there.drain(..length).collect();
            say(&mut near, chunk(&event)).await?;
            if content {
                last = Some(clock::now());
            }
            if let Some(how) = self.how.filter(|_| content) {
                return breaks(how, stage, format, near).await;
            }
        }
    }

    /// An answer in one piece breaks in its middle, or says that it failed after all.
    async fn whole(
        self,
        stage: &Stage,
        format: Format,
        mut near: Link,
        mut far: Link,
        (head, mut body): (Vec<u8>, Body),
    ) -> Result<(), Over> {
        while !body.done {
            body.more(stage, &mut far, &near).await?;
        }
        let there = std::mem::take(&mut body.there);
        let mut out = in_chunks(&head);
        match self.how {
            Some(Break::Stall | Break::Cut) => {
                let half = there.get(..there.len() / 2).unwrap_or_default();
                out.extend_from_slice(&chunk(half));
            }
            Some(Break::Error) => {
                out.extend_from_slice(&chunk(&error_answer(format)));
                out.extend_from_slice(LAST_CHUNK);
            }
            None => {
                out.extend_from_slice(&chunk(&there));
                out.extend_from_slice(LAST_CHUNK);
            }
        }
        say(&mut near, out).await?;
        if self.how != Some(Break::Cut) {
            stage.stay(near).await;
        }
        Ok(())
    }
}

/// A stream breaks off.
async fn breaks(how: Break, stage: &Stage, format: Format, near: Link) -> Result<(), Over> {
    match how {
        Break::Stall => stage.stay(near).await,
        // The connection goes with it.
        Break::Cut => drop(near),
        Break::Error => {
            let mut event = Vec::new();
            error_event(format, &mut event);
            return ends(&event, stage, near).await;
        }
    }
    Ok(())
}

/// A stream ends with this.
async fn ends(last: &[u8], stage: &Stage, mut near: Link) -> Result<(), Over> {
    let mut out = chunk(last);
    out.extend_from_slice(LAST_CHUNK);
    say(&mut near, out).await?;
    stage.stay(near).await;
    Ok(())
}

/// A body without its framing.
struct Body {
    framing: Framing,
    decoder: Decoder,
    /// Of a body whose length is known, what is to come.
    left: u64,
    there: Vec<u8>,
    done: bool,
}

impl Body {
    fn new(framing: Framing, bytes: Vec<u8>) -> Result<Self, Over> {
        let left = match framing {
            Framing::Length(length) => length,
            Framing::None => 0,
            Framing::Chunked | Framing::UntilClose => u64::MAX,
        };
        let mut body = Self {
            framing,
            decoder: Decoder::new(),
            left,
            there: Vec::new(),
            done: left == 0,
        };
        body.take(bytes)?;
        Ok(body)
    }

    fn take(&mut self, mut bytes: Vec<u8>) -> Result<(), Over> {
        if self.framing == Framing::Chunked {
            let step = self.decoder.decode(&mut bytes).map_err(|_| Over)?;
            bytes.truncate(step.produced);
            self.done |= step.done;
        } else {
            let length = bytes.len() as u64;
            bytes.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
            self.left = self.left.saturating_sub(length);
            self.done |= self.left == 0;
        }
        self.there.append(&mut bytes);
        Ok(())
    }

    async fn more(&mut self, stage: &Stage, far: &mut Link, near: &Link) -> Result<(), Over> {
        let mut bytes = Vec::with_capacity(READ_BYTES);
        match stage.read(far, near, &mut bytes).await {
            Ok(()) => self.take(bytes),
            Err(Over) if self.framing == Framing::UntilClose && !near.socket().is_stale() => {
                self.done = true;
                Ok(())
            }
            Err(over) => Err(over),
        }
    }
}

/// Tells the events of a stream apart.
struct Events {
    format: Format,
    splitter: Splitter,
    watcher: Watcher,
    scratch: Vec<u8>,
}

impl Events {
    fn new(format: Format) -> Self {
        Self {
            format,
            splitter: Splitter::new(),
            watcher: Watcher::new(format),
            scratch: Vec::new(),
        }
    }

    /// The length of the event at the front, if it is whole, and whether it brings content.
    fn next(&mut self, bytes: &[u8]) -> Result<Option<(usize, bool)>, Over> {
        if self.format == Format::Converse {
            let message = eventstream::message_at_front(bytes).map_err(|_| Over)?;
            return Ok(message.map(|message| {
                let mut data = message.payload(bytes).to_vec();
                let seen = self.watcher.see(message.name(bytes).as_bytes(), &mut data);
                (message.len, seen.content)
            }));
        }
        let Some(event) = self.splitter.next(bytes).map_err(|_| Over)? else {
            return Ok(None);
        };
        let content = match event.data(bytes, &mut self.scratch) {
            Some(data) => {
                let mut data = data.to_vec();
                self.watcher.see(event.name(bytes), &mut data).content
            }
            None => false,
        };
        Ok(Some((event.len, content)))
    }
}

/// The head of an answer, for a body that comes in chunks.
fn in_chunks(head: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(head.len() + 32);
    for line in head.split_inclusive(|&byte| byte == b'\n') {
        let name = line.split(|&byte| byte == b':').next().unwrap_or_default();
        let framing = [&b"content-length"[..], b"transfer-encoding", b"connection"];
        let blank = line.trim_ascii().is_empty();
        if !blank && !framing.iter().any(|it| name.eq_ignore_ascii_case(it)) {
            out.extend_from_slice(line);
        }
    }
    write::field(b"transfer-encoding", b"chunked", &mut out);
    write::end(&mut out);
    out
}

/// Nothing, of nothing: an empty chunk would be the last.
fn chunk(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 16);
    if !bytes.is_empty() {
        write::chunk_size(bytes.len() as u64, &mut out);
        out.extend_from_slice(bytes);
        out.extend_from_slice(b"\r\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Body, Events, in_chunks};
    use crate::dialect::format::Format;
    use crate::wire::h1::Framing;

    #[test]
    fn heads_are_rewritten_for_chunks() {
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nx-a: b\r\nConnection: close\r\n\r\n";
        let wanted = "HTTP/1.1 200 OK\r\nx-a: b\r\ntransfer-encoding: chunked\r\n\r\n";
        assert_eq!(String::from_utf8(in_chunks(head)).unwrap(), wanted);
    }

    #[test]
    fn bodies_lose_their_framing() {
        let body = |framing, bytes: &[u8]| {
            let body = Body::new(framing, bytes.to_vec()).ok().unwrap();
            (String::from_utf8(body.there).unwrap(), body.done)
        };
        let chunked = body(Framing::Chunked, b"3\r\none\r\n2\r\ntw");
        assert_eq!(chunked, ("onetw".to_owned(), false));
        assert!(body(Framing::Chunked, b"3\r\none\r\n0\r\n\r\n").1);
        assert_eq!(body(Framing::Length(3), b"one"), ("one".to_owned(), true));
        assert!(!body(Framing::Length(4), b"one").1);
        assert!(!body(Framing::UntilClose, b"one").1);
    }

    #[test]
    fn the_first_content_is_found() {
        let mut events = Events::new(Format::Chat);
        let mut bytes = b"data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n\
            data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"one\"}}]}\n\ndata: {"
            .to_vec();
        let mut seen = Vec::new();
        while let Some((length, content)) = events.next(&bytes).ok().unwrap() {
            bytes.drain(..length);
            seen.push(content);
        }
        assert_eq!(seen, [false, true]);
        assert_eq!(bytes, b"data: {");
    }
}
