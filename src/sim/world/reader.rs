//! What a client makes of the bytes it gets. Written apart from the gateway's codecs on purpose: a mistake in those must
//! not be able to hide itself here.

use crate::wire;

/// Reads the answers of one connection.
#[derive(Debug, Default)]
pub(super) struct Reader {
    /// What could not be used yet.
    rest: Vec<u8>,
    answer: Option<Answer>,
    body: Body,
}

/// One answer, as far as it has come.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// `x-request-id`
    pub(super) id: String,
    /// `x-switchover-target`
    pub(super) target: Option<String>,
    /// `x-switchover-attempts`
    pub(super) attempts: Option<usize>,
    /// It is a stream of events.
    pub(super) streams: bool,
    /// The connection ends behind it.
    pub(super) closes: bool,
    /// There is a hint of when to come again.
    pub(super) hinted: bool,
    /// `retry-after`, in seconds.
    pub(super) wait: Option<u64>,
    /// `x-should-retry`
    pub(super) retry: Option<bool>,
    pub(super) body: Vec<u8>,
}

/// How much of the body is still to come.
#[derive(Clone, Copy, Debug, Default)]
enum Body {
    /// Its head is not complete.
    #[default]
    Unknown,
    Length(usize),
    ChunkSize,
    Chunk(usize),
    ChunkEnd,
    LastEnd,
}

impl Reader {
    /// Takes bytes in; gives the answers that have come to their end.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<Vec<Answer>, &'static str> {
        self.rest.extend_from_slice(bytes);
        let mut whole = Vec::new();
        while self.step()? {
            if matches!(self.body, Body::Length(0)) {
                self.body = Body::Unknown;
                whole.extend(self.answer.take());
            }
        }
        Ok(whole)
    }

    /// The answer that has begun and not ended.
    pub(super) const fn begun(&self) -> Option<&Answer> {
        self.answer.as_ref()
    }

    /// One piece; false where more bytes are needed.
    fn step(&mut self) -> Result<bool, &'static str> {
        match self.body {
            Body::Unknown => self.head(),
            Body::Length(0) => Ok(false),
            Body::Length(left) => Ok(self.take(left, Body::Length)),
            Body::Chunk(0) | Body::ChunkEnd => Ok(self.line(Body::ChunkSize)?.is_some()),
            Body::Chunk(left) => Ok(self.take(left, Body::Chunk)),
            Body::ChunkSize => self.chunk_size(),
            Body::LastEnd => Ok(self.line(Body::Length(0))?.is_some()),
        }
    }

    fn take(&mut self, left: usize, next: impl Fn(usize) -> Body) -> bool {
        let count = left.min(self.rest.len());
        if count == 0 {
            return false;
        }
        if let Some(answer) = &mut self.answer {
            answer
                .body
                .extend_from_slice(self.rest.get(..count).unwrap_or_default());
        }
        self.rest.drain(..count);
        self.body = match next(left - count) {
            Body::Chunk(0) => Body::ChunkEnd,
            other => other,
        };
        true
    }

    /// The end of a chunk, an empty line.
    fn line(&mut self, next: Body) -> Result<Option<()>, &'static str> {
        if self.rest.len() < 2 {
            return Ok(None);
        }
        if !self.rest.starts_with(b"\r\n") {
            return Err("a chunk does not end where it should");
        }
        self.rest.drain(..2);
        self.body = next;
        Ok(Some(()))
    }

    fn chunk_size(&mut self) -> Result<bool, &'static str> {
        let Some(end) = wire::find(&self.rest, b"\r\n") else {
            return Ok(false);
        };
        let line = self.rest.get(..end).unwrap_or_default();
        let size = std::str::from_utf8(line).ok();
        let size = size.and_then(|size| usize::from_str_radix(size, 16).ok());
        let size = size.ok_or("a chunk's size is no number")?;
        self.rest.drain(..end + 2);
        self.body = if size == 0 {
            Body::LastEnd
        } else {
            Body::Chunk(size)
        };
        Ok(true)
    }

    fn head(&mut self) -> Result<bool, &'static str> {
        let Some(end) = wire::find(&self.rest, b"\r\n\r\n") else {
            return Ok(false);
        };
        let text = self.rest.get(..end + 2).unwrap_or_default();
        let text = std::str::from_utf8(text).map_err(|_| "a head is not text")?;
        let (answer, body) = head(text)?;
        self.answer = Some(answer);
        self.body = body;
        self.rest.drain(..end + 4);
        Ok(true)
    }
}

fn head(text: &str) -> Result<(Answer, Body), &'static str> {
    let mut lines = text.split_terminator('\n');
    let status = lines.next().and_then(|line| line.strip_suffix('\r'));
    let status = status.and_then(|line| line.strip_prefix("HTTP/1.1 "));
    let status = status.and_then(|line| line.get(..3)?.parse().ok());
    let mut answer = Answer {
        status: status.ok_or("a status line is none")?,
        ..Answer::default()
    };
    let mut body = None;
    for line in lines {
        let line = line.strip_suffix('\r').ok_or("a line's end is none")?;
        let (name, value) = line.split_once(':').ok_or("a field is none")?;
        let value = value.strip_prefix(' ').ok_or("a field is none")?;
        let framing = match name {
            "content-length" => Some(Body::Length(value.parse().map_err(|_| "a length is none")?)),
            "transfer-encoding" if value == "chunked" => Some(Body::ChunkSize),
            _ => None,
        };
        if framing.is_some() && body.is_some() {
            return Err("a body has two framings");
        }
        body = body.or(framing);
        match name {
            "x-request-id" => value.clone_into(&mut answer.id),
            "x-switchover-target" => answer.target = Some(value.to_owned()),
            "x-switchover-attempts" => answer.attempts = value.parse().ok(),
            "content-type" => answer.streams = value.starts_with("text/event-stream"),
            "connection" => answer.closes = value == "close",
            "retry-after" => {
                answer.wait = value.parse().ok();
                answer.hinted = answer.wait.is_some_and(|wait| wait > 0);
            }
            "x-should-retry" => answer.retry = value.parse().ok(),
            _ => {}
        }
    }
    Ok((answer, body.ok_or("a body has no framing")?))
}

impl Answer {
    /// The words that providers said: the serial of the attempt that said each, and its place there.
    pub(super) fn words(&self) -> impl Iterator<Item = (u64, u32)> + '_ {
        words(&self.body)
    }

    /// Whether `text` stands in the body.
    pub(super) fn says(&self, text: &[u8]) -> bool {
        wire::contains(&self.body, text)
    }
}

/// The words in a text.
pub(super) fn words(text: &[u8]) -> impl Iterator<Item = (u64, u32)> + '_ {
    let mut rest = text;
    std::iter::from_fn(move || {
        let at = wire::find(rest, b"#")?;
        let (before, behind) = rest.split_at_checked(at)?;
        let behind = behind.strip_prefix(b"#")?;
        let digit = |byte: &&u8| byte.is_ascii_digit();
        let serial = before.iter().rev().take_while(digit).count();
        let (_, serial) = before.split_at_checked(at - serial)?;
        // Two words without anything between them are none.
        let place = behind.iter();
        let place = place.take_while(|byte| digit(byte) || **byte == b'#');
        let (place, next) = behind.split_at_checked(place.count())?;
        rest = next;
        Some((number(serial), number(place)))
    })
    .filter_map(|(serial, place)| Some((serial?, u32::try_from(place?).ok()?)))
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::Reader;

    #[test]
    fn answers_are_the_same_however_they_are_cut() {
        let bytes = b"HTTP/1.1 200 OK\r\nx-request-id: a\r\ntransfer-encoding: chunked\r\n\r\n\
            4\r\n7#0 \r\n3\r\n7#1\r\n0\r\n\r\nHTTP/1.1 503 No\r\ncontent-length: 2\r\nretry-after: 3\r\n\r\n{}";
        let mut at_once = Reader::default();
        let whole = at_once.feed(bytes).unwrap();
        assert_eq!(whole.len(), 2);
        assert_eq!(whole[0].words().collect::<Vec<_>>(), [(7, 0), (7, 1)]);
        assert!(whole[1].hinted && at_once.begun().is_none());
        let mut reader = Reader::default();
        let pieces: Vec<_> = bytes
            .chunks(1)
            .flat_map(|byte| reader.feed(byte).unwrap())
            .collect();
        assert_eq!(pieces, whole);
    }

    #[test]
    fn what_is_not_http_is_found() {
        for bytes in [
            b"HTTP/1.1 200 OK\r\n\r\n".as_slice(),
            b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nabc",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nx\r\n",
            b"HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n",
        ] {
            assert!(Reader::default().feed(bytes).is_err());
        }
    }
}
