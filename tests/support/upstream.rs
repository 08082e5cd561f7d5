//! A model server that does what a script says, connection by connection, and keeps what it was sent.

use std::io;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::mpsc;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::Sender;
use std::thread;

use rustls::ServerConfig;
use rustls::ServerConnection;
use rustls::StreamOwned;

use super::PATIENCE;
use super::client::find;

/// One thing that a connection does. When its script is over, it closes.
#[derive(Clone)]
pub enum Step {
    /// Waits for a whole request and keeps it.
    Read,
    /// Waits for the head of a request and leaves its body unread.
    ReadHead,
    Send(Vec<u8>),
    /// Waits until the test opens the gate.
    Await(Arc<Gate>),
    /// Waits until the peer closes.
    UntilClosed,
    /// Closes so that the peer sees RST.
    Reset,
}

impl Step {
    /// Bytes to send.
    pub fn send(bytes: impl AsRef<[u8]>) -> Self {
        Self::Send(bytes.as_ref().to_vec())
    }
}

/// What one connection does.
pub type Script = Vec<Step>;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Received {
    /// Which connection brought it, from 0.
    pub connection: usize,
    /// Request line and fields, as text, up to the empty line.
    pub head: String,
    /// Without chunk framing.
    pub body: Vec<u8>,
}

impl Received {
    /// The value of a field that may stand there once.
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut found = self
            .head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(':'))
            .filter(|(n, _)| n.eq_ignore_ascii_case(name));
        let value = found.next().map(|(_, value)| value.trim());
        assert!(
            found.next().is_none(),
            "`{name}` came more than once: {}",
            self.head
        );
        value
    }
}

/// A running model server. Its threads end with their connections.
pub struct Upstream {
    /// Where it listens.
    pub address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    arrived: Receiver<()>,
    closed: Receiver<usize>,
}

impl Upstream {
    /// Connection `n` plays `scripts[n]`; the last script serves all that follow.
    pub fn start(scripts: Vec<Script>) -> Self {
        Self::start_with(scripts, None)
    }

    /// The same behind TLS.
    pub fn start_tls(scripts: Vec<Script>, config: Arc<ServerConfig>) -> Self {
        Self::start_with(scripts, Some(config))
    }

    /// Answers every request, sixteen on each connection.
    pub fn answering(answer: impl AsRef<[u8]>) -> Self {
        let served = [Step::Read, Step::send(answer)];
        let script = served.iter().cycle().take(2 * 16).cloned().collect();
        Self::start(vec![script])
    }

    fn start_with(scripts: Vec<Script>, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let (arriving, arrived) = mpsc::channel();
        let (closing, closed) = mpsc::channel();
        let book = Book {
            received: Arc::clone(&received),
            arriving,
            closing,
        };
        thread::spawn(move || {
            for (connection, stream) in listener.incoming().flatten().enumerate() {
                let script = scripts[connection.min(scripts.len() - 1)].clone();
                let (tls, book) = (tls.clone(), book.clone());
                thread::spawn(move || {
                    // A peer that leaves early ends the script: tests look at what both sides saw.
                    play(connection, stream, script, tls, &book).ok();
                });
            }
        });
        Self {
            address,
            received,
            arrived,
            closed,
        }
    }

    /// What has arrived so far.
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// The one request that has arrived.
    pub fn only(&self) -> Received {
        let received = self.received();
        assert_eq!(received.len(), 1, "{received:?}");
        received.into_iter().next().unwrap()
    }

    /// Waits until one more request has arrived.
    pub fn await_request(&self) {
        self.arrived.recv_timeout(PATIENCE).unwrap();
    }

    /// Waits until the peer has closed a connection that was in [`Step::UntilClosed`]; false if it does not.
    pub fn saw_close(&self) -> bool {
        self.closed.recv_timeout(PATIENCE).is_ok()
    }
}

/// Where connections write down what they saw.
#[derive(Clone)]
struct Book {
    received: Arc<Mutex<Vec<Received>>>,
    arriving: Sender<()>,
    closing: Sender<usize>,
}

fn play(
    connection: usize,
    stream: TcpStream,
    script: Script,
    tls: Option<Arc<ServerConfig>>,
    book: &Book,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut wire = match tls {
        Some(config) => {
            let session = ServerConnection::new(config).map_err(io::Error::other)?;
            Wire::Tls(Box::new(StreamOwned::new(session, stream)))
        }
        None => Wire::Plain(stream),
    };
    let mut buffer = Vec::new();
    for step in script {
        match step {
            Step::Read => {
                let (head, body) = read_request(&mut wire, &mut buffer)?;
                book.received.lock().unwrap().push(Received {
                    connection,
                    head,
                    body,
                });
                // The test may have ended without waiting for it.
                book.arriving.send(()).ok();
            }
            Step::ReadHead => {
                read_until(&mut wire, &mut buffer, b"\r\n\r\n")?;
            }
            Step::Send(bytes) => {
                wire.write_all(&bytes)?;
                wire.flush()?;
            }
            Step::Await(gate) => gate.pass(),
            Step::UntilClosed => {
                // RST is a close, too.
                while matches!(wire.read(&mut [0; 4096]), Ok(count) if count > 0) {}
                book.closing.send(connection).ok();
            }
            Step::Reset => return wire.reset(),
        }
    }
    Ok(())
}

fn read_request(wire: &mut Wire, buffer: &mut Vec<u8>) -> io::Result<(String, Vec<u8>)> {
    let head = read_until(wire, buffer, b"\r\n\r\n")?;
    let head = String::from_utf8(head).map_err(io::Error::other)?;
    let lower = head.to_ascii_lowercase();
    if lower.contains("\r\ntransfer-encoding:") {
        return Ok((head, read_chunks(wire, buffer)?));
    }
    let length = lower
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .map_or(0, |digits| digits.trim().parse().unwrap());
    while buffer.len() < length {
        fill(wire, buffer)?;
    }
    Ok((head, buffer.drain(..length).collect()))
}

fn read_chunks(wire: &mut Wire, buffer: &mut Vec<u8>) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = read_until(wire, buffer, b"\r\n")?;
        let digits = String::from_utf8(line).map_err(io::Error::other)?;
        let size = usize::from_str_radix(digits.trim(), 16).map_err(io::Error::other)?;
        while buffer.len() < size + 2 {
            fill(wire, buffer)?;
        }
        body.extend(buffer.drain(..size));
        buffer.drain(..2);
        if size == 0 {
            return Ok(body);
        }
    }
}

fn read_until(wire: &mut Wire, buffer: &mut Vec<u8>, needle: &[u8]) -> io::Result<Vec<u8>> {
    loop {
        if let Some(at) = find(buffer, needle) {
            return Ok(buffer.drain(..at + needle.len()).collect());
        }
        fill(wire, buffer)?;
    }
}

fn fill(wire: &mut Wire, buffer: &mut Vec<u8>) -> io::Result<()> {
    let mut bytes = [0; 16 * 1024];
    let count = wire.read(&mut bytes)?;
    if count == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    buffer.extend_from_slice(&bytes[..count]);
    Ok(())
}

/// A connection, in clear or under TLS.
enum Wire {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Wire {
    /// Linger of zero makes the close a RST.
    fn reset(self) -> io::Result<()> {
        let stream = match self {
            Self::Plain(stream) => stream,
            Self::Tls(session) => session.into_parts().1,
        };
        rustix::net::sockopt::set_socket_linger(&stream, Some(std::time::Duration::ZERO))?;
        Ok(())
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

/// Holds a script back until the test lets it go on. Dropping the test's side opens it, too.
pub struct Gate {
    opened: Mutex<Receiver<()>>,
}

impl Gate {
    /// A gate, and what opens it: each `send` lets one script pass once.
    pub fn new() -> (Sender<()>, Arc<Self>) {
        let (open, opened) = mpsc::channel();
        let opened = Mutex::new(opened);
        (open, Arc::new(Self { opened }))
    }

    fn pass(&self) {
        self.opened.lock().unwrap().recv_timeout(PATIENCE).ok();
    }
}

/// A whole answer with a length.
pub fn answer(status: &str, fields: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{fields}content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A chat completion that says `content`.
pub fn completion(content: &str) -> String {
    format!(
        r#"{{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"up-small","choices":[{{"index":0,"message":{{"role":"assistant","content":"{content}"}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}}}"#
    )
}

/// The head of a streamed answer.
pub const STREAM_HEAD: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
/// The last chunk.
pub const STREAM_END: &str = "0\r\n\r\n";

/// `data` as one event in a chunk of its own.
pub fn event(data: &str) -> String {
    format!("{:x}\r\ndata: {data}\n\n\r\n", data.len() + 8)
}

/// One event with `content`.
pub fn delta(content: &str) -> String {
    format!(
        r#"{{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"up-small","choices":[{{"index":0,"delta":{{"content":"{content}"}},"finish_reason":null}}]}}"#
    )
}

/// The event that says why a stream ends.
pub const FINISH: &str = r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"up-small","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
/// The event before any content.
pub const ROLE: &str = r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"up-small","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#;
