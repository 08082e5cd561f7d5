//! A client that sends exactly the bytes that it is given, and reads answers with a reader of its own.

use std::io;
use std::io::Read;
use std::io::Write;
use std::net::Shutdown;
use std::net::SocketAddr;
use std::net::TcpStream;

use super::PATIENCE;

/// One connection.
pub struct Client<S = TcpStream> {
    stream: S,
    /// Bytes that arrived and were not asked for yet.
    read: Vec<u8>,
}

/// How an answer ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum End {
    /// Its framing was complete.
    Whole,
    /// The connection ended first.
    Cut,
}

/// One answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case.
    pub fields: Vec<(String, String)>,
    /// Without chunk framing.
    pub body: Vec<u8>,
    pub end: End,
}

impl Answer {
    /// The value of a field that may stand there once.
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut found = self.fields.iter().filter(|(n, _)| n == name);
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(
            found.next().is_none(),
            "`{name}` stands in {:?} more than once",
            self.fields
        );
        value
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Client {
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self::over(stream)
    }

    /// Ends the sending half only.
    pub fn finish(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }
}

impl<S: Read + Write> Client<S> {
    pub const fn over(stream: S) -> Self {
        Self {
            stream,
            read: Vec::new(),
        }
    }

    /// Sends; that the peer has closed already is not this side's failure.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        if let Err(error) = self.stream.write_all(bytes.as_ref()) {
            let expected = [
                io::ErrorKind::BrokenPipe,
                io::ErrorKind::ConnectionReset,
                io::ErrorKind::ConnectionAborted,
            ];
            assert!(expected.contains(&error.kind()), "sending failed: {error}");
        }
        self
    }

    /// Reads until `needle` has come, and gives everything up to its end.
    pub fn until(&mut self, needle: &[u8]) -> Vec<u8> {
        loop {
            if let Some(at) = find(&self.read, needle) {
                return self.read.drain(..at + needle.len()).collect();
            }
            assert!(
                self.more(),
                "closed before {:?} came, after {:?}",
                String::from_utf8_lossy(needle),
                String::from_utf8_lossy(&self.read)
            );
        }
    }

    /// Reads one answer to a request that is not HEAD. Interim answers must have been read before.
    pub fn answer(&mut self) -> Answer {
        let (status, fields) = self.head();
        let mut answer = Answer {
            status,
            fields,
            body: Vec::new(),
            end: End::Whole,
        };
        if answer.field("transfer-encoding").is_some() {
            self.chunks(&mut answer);
        } else if let Some(length) = answer.field("content-length") {
            let length = length.parse().unwrap();
            self.exactly(length, &mut answer);
        } else if status != 204 && status != 304 {
            while self.more() {}
            answer.body = std::mem::take(&mut self.read);
        }
        answer
    }

    /// Reads only a head: what a HEAD request or an interim answer has.
    pub fn head(&mut self) -> (u16, Vec<(String, String)>) {
        let head = self.until(b"\r\n\r\n");
        let mut fields = [httparse::EMPTY_HEADER; 100];
        let mut parsed = httparse::Response::new(&mut fields);
        parsed.parse(&head).unwrap();
        let fields = parsed
            .headers
            .iter()
            .map(|field| {
                let value = String::from_utf8_lossy(field.value).into_owned();
                (field.name.to_ascii_lowercase(), value)
            })
            .collect();
        (parsed.code.unwrap(), fields)
    }

    /// Whether the peer has closed, or does so now, with nothing more sent.
    pub fn ends(&mut self) -> bool {
        self.read.is_empty() && !self.more()
    }

    /// Everything up to the end of the stream.
    pub fn until_end(&mut self) -> Vec<u8> {
        while self.more() {}
        std::mem::take(&mut self.read)
    }

    /// Whether `needle` comes before the end of the stream.
    pub fn brings(&mut self, needle: &[u8]) -> bool {
        while find(&self.read, needle).is_none() {
            if !self.more() {
                return false;
            }
        }
        true
    }

    fn exactly(&mut self, length: usize, answer: &mut Answer) {
        while self.read.len() < length {
            if !self.more() {
                answer.end = End::Cut;
                break;
            }
        }
        let length = length.min(self.read.len());
        answer.body.extend(self.read.drain(..length));
    }

    fn chunks(&mut self, answer: &mut Answer) {
        loop {
            let Some(line) = self.line() else {
                answer.end = End::Cut;
                return;
            };
            let size = usize::from_str_radix(line.trim_end(), 16).unwrap();
            self.exactly(size, answer);
            if answer.end == End::Cut || self.line().is_none() {
                answer.end = End::Cut;
                return;
            }
            if size == 0 {
                return;
            }
        }
    }

    fn line(&mut self) -> Option<String> {
        loop {
            if let Some(at) = find(&self.read, b"\r\n") {
                let line: Vec<u8> = self.read.drain(..at + 2).collect();
                return Some(String::from_utf8(line).unwrap());
            }
            if !self.more() {
                return None;
            }
        }
    }

    /// Reads once; false at the end of the stream, by FIN or by RST.
    fn more(&mut self) -> bool {
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) => false,
            Ok(count) => {
                self.read.extend_from_slice(&buffer[..count]);
                true
            }
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof
                ) =>
            {
                false
            }
            Err(error) => panic!(
                "no byte came in time ({error}), after {:?}",
                String::from_utf8_lossy(&self.read)
            ),
        }
    }
}

/// The request that most tests send: an OpenAI chat request with the client's own credential.
pub fn chat(stream: bool) -> Vec<u8> {
    post("/v1/chat/completions", "", &chat_body(stream))
}

/// The body of [`chat`].
pub fn chat_body(stream: bool) -> String {
    format!(
        r#"{{"model":"small","stream":{stream},"messages":[{{"role":"user","content":"hello"}}]}}"#
    )
}

/// A POST with JSON; `fields` are whole lines with their CR LF.
pub fn post(path: &str, fields: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nhost: gateway.test\r\nauthorization: Bearer {CLIENT_KEY}\r\n\
         content-type: application/json\r\n{fields}content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The client's own credential: no provider may ever see it.
pub const CLIENT_KEY: &str = "sk-client-canary";

pub fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes
        .windows(needle.len())
        .position(|window| window == needle)
}
