//! The two ends of the load rig: a model server that costs next to nothing, and a byte relay that knows no HTTP.
//!
//! `benches/compare.py` starts both. Every proxy is measured between wrk and `upstream`; `relay` in the same place is
//! the floor, the price of TCP and of the ring alone: when the relay moved between two runs, the machine moved.
//! This file knows nothing of Switchover itself.

use std::convert::Infallible;
use std::env;
use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use memchr::memmem;
use monoio::io::AsyncReadRent;
use monoio::io::AsyncWriteRent;
use monoio::io::AsyncWriteRentExt;
use monoio::io::Splitable;
use monoio::net::ListenerOpts;
use monoio::net::TcpListener;
use monoio::net::TcpStream;
use monoio::time;

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    match Job::parse(&words) {
        Ok(Some(job)) => match run(job) {
            Ok(never) => match never {},
            Err(error) => fail(&error.to_string()),
        },
        // `cargo bench` starts every bench with flags of its own: nothing to measure in here.
        Ok(None) => {
            say(USAGE);
            ExitCode::SUCCESS
        }
        Err(fault) => fail(&fault),
    }
}

/// What to serve, and where.
enum Job {
    Upstream {
        listen: SocketAddr,
        stream: Option<Pace>,
    },
    Relay {
        listen: SocketAddr,
        to: SocketAddr,
    },
}

/// How a streamed answer is paced.
#[derive(Clone, Copy)]
struct Pace {
    events: u32,
    gap: Duration,
}

impl Job {
    /// `None` without a sub-command.
    fn parse(words: &[String]) -> Result<Option<Self>, String> {
        let mut words = words.iter().map(String::as_str);
        match words.next() {
            Some("upstream") => Self::parse_upstream(words).map(Some),
            Some("relay") => {
                let listen = address(words.next(), "the port to listen on")?;
                let to = address(words.next(), "the port to relay to")?;
                Ok(Some(Self::Relay { listen, to }))
            }
            _ => Ok(None),
        }
    }

    fn parse_upstream<'a>(mut words: impl Iterator<Item = &'a str>) -> Result<Self, String> {
        let listen = address(words.next(), "the port to listen on")?;
        let mut pace = Pace {
            events: 50,
            gap: Duration::ZERO,
        };
        let mut stream = None;
        while let Some(word) = words.next() {
            match word {
                "--stream" => {}
                "--gap" => pace.gap = Duration::from_millis(number(words.next(), "ms", word)?),
                "--events" => {
                    let events = number(words.next(), "", word)?;
                    pace.events = u32::try_from(events).map_err(|e| format!("`{word}`: {e}"))?;
                }
                _ => return Err(format!("unknown option `{word}`")),
            }
            stream = Some(pace);
        }
        Ok(Self::Upstream { listen, stream })
    }
}

fn address(word: Option<&str>, what: &str) -> Result<SocketAddr, String> {
    let word = word.ok_or_else(|| format!("{what} is missing"))?;
    let port: u16 = word
        .parse()
        .map_err(|error| format!("{what}, `{word}`: {error}"))?;
    Ok(SocketAddr::from(([127, 0, 0, 1], port)))
}

fn number(word: Option<&str>, unit: &str, option: &str) -> Result<u64, String> {
    let word = word.ok_or_else(|| format!("`{option}` needs a value"))?;
    let digits = word.strip_suffix(unit).unwrap_or(word);
    digits
        .parse()
        .map_err(|error| format!("`{option} {word}`: {error}"))
}

/// Builds the runtime as the gateway does (ring with deferred task work, else without flags, else epoll) and serves.
fn run(job: Job) -> io::Result<Infallible> {
    let mut flags = io_uring::IoUring::builder();
    flags.setup_single_issuer().setup_defer_taskrun();
    let flagged = monoio::RuntimeBuilder::<monoio::FusionDriver>::new()
        .enable_timer()
        .uring_builder(flags)
        .build();
    let mut runtime = match flagged {
        Ok(runtime) => runtime,
        Err(_) => monoio::RuntimeBuilder::<monoio::FusionDriver>::new()
            .enable_timer()
            .build()?,
    };
    runtime.block_on(async move {
        match job {
            Job::Upstream { listen, stream } => serve(listen, stream).await,
            Job::Relay { listen, to } => relay(listen, to).await,
        }
    })
}

fn listener(at: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind_with_config(at, &ListenerOpts::new().backlog(4096).reuse_port(false))
}

async fn serve(at: SocketAddr, stream: Option<Pace>) -> io::Result<Infallible> {
    let listener = listener(at)?;
    let script = Script::new(stream);
    loop {
        let (client, _) = listener.accept().await?;
        client.set_nodelay(true)?;
        monoio::spawn(async move {
            // A client that leaves ends its task: nobody waits for the result.
            let _gone = answer_all(client, script).await;
        });
    }
}

/// The bytes of an answer, made once. Leaked, so that every task may send them without counting references.
#[derive(Clone, Copy)]
struct Script {
    whole: &'static [u8],
    event: &'static [u8],
    last: &'static [u8],
    pace: Option<Pace>,
}

impl Script {
    fn new(pace: Option<Pace>) -> Self {
        let body = padded(COMPLETION, COMPLETION_BYTES);
        let whole = if pace.is_some() {
            STREAM_HEAD.to_owned()
        } else {
            format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )
        };
        let data = format!("{}\n\n", padded(DELTA, EVENT_BYTES - 2));
        let event = format!("{:x}\r\n{data}\r\n", data.len());
        Self {
            whole: whole.leak().as_bytes(),
            event: event.leak().as_bytes(),
            last: b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n",
            pace,
        }
    }
}

/// `text` with its `~` replaced by as many letters as make it `bytes` long.
fn padded(text: &str, bytes: usize) -> String {
    let fill = (bytes + 1).saturating_sub(text.len());
    text.replace('~', &"x".repeat(fill))
}

async fn answer_all(mut client: TcpStream, script: Script) -> io::Result<()> {
    let mut buffer: Vec<u8> = Vec::with_capacity(BUFFER_BYTES);
    let mut requests = Requests::default();
    loop {
        let (read, filled) = client.read(buffer).await;
        if read? == 0 {
            return Ok(());
        }
        for _ in 0..requests.feed(&filled)? {
            answer(&mut client, script).await?;
        }
        buffer = filled;
        buffer.clear();
    }
}

async fn answer(client: &mut TcpStream, script: Script) -> io::Result<()> {
    client.write_all(script.whole).await.0?;
    let Some(pace) = script.pace else {
        return Ok(());
    };
    for _ in 0..pace.events {
        if !pace.gap.is_zero() {
            time::sleep(pace.gap).await;
        }
        client.write_all(script.event).await.0?;
    }
    client.write_all(script.last).await.0?;
    Ok(())
}

/// Counts the requests of one connection. Knows content-length framing only: all that the rig's clients send.
#[derive(Default)]
struct Requests {
    /// A head that is not complete yet; empty in the usual case of one read a head.
    partial: Vec<u8>,
    /// Bytes of the running body that are still to come.
    body: usize,
}

impl Requests {
    /// How many requests ended within `bytes`.
    fn feed(&mut self, read: &[u8]) -> io::Result<usize> {
        let joined;
        let mut bytes = read;
        let mut complete = 0;
        if self.body == 0 && !self.partial.is_empty() {
            self.partial.extend_from_slice(bytes);
            joined = std::mem::take(&mut self.partial);
            bytes = &joined;
        }
        loop {
            if self.body > 0 {
                let skipped = self.body.min(bytes.len());
                bytes = bytes.get(skipped..).unwrap_or_default();
                self.body -= skipped;
                if self.body > 0 {
                    return Ok(complete);
                }
                complete += 1;
            }
            let Some(end) = memmem::find(bytes, b"\r\n\r\n") else {
                self.partial.extend_from_slice(bytes);
                return Ok(complete);
            };
            let (head, rest) = bytes.split_at_checked(end + 4).unwrap_or((bytes, &[]));
            bytes = rest;
            self.body = content_length(head)?;
            if self.body == 0 {
                complete += 1;
            }
        }
    }
}

fn content_length(head: &[u8]) -> io::Result<usize> {
    let mut fields = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut fields);
    request.parse(head).map_err(io::Error::other)?;
    let Some(field) = request
        .headers
        .iter()
        .find(|field| field.name.eq_ignore_ascii_case("content-length"))
    else {
        return Ok(0);
    };
    let digits = std::str::from_utf8(field.value).map_err(io::Error::other)?;
    digits.parse().map_err(io::Error::other)
}

async fn relay(at: SocketAddr, to: SocketAddr) -> io::Result<Infallible> {
    let listener = listener(at)?;
    loop {
        let (client, _) = listener.accept().await?;
        monoio::spawn(async move {
            let _gone = relay_one(client, to).await;
        });
    }
}

async fn relay_one(client: TcpStream, to: SocketAddr) -> io::Result<()> {
    client.set_nodelay(true)?;
    let server = TcpStream::connect_addr(to).await?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    monoio::spawn(copy(from_client, to_server));
    copy(from_server, to_client).await
}

/// Moves bytes until the source ends, then ends the sink. The stock `copy` has 4 KiB and would halve large bodies' speed.
async fn copy(mut from: impl AsyncReadRent, mut to: impl AsyncWriteRent) -> io::Result<()> {
    let mut buffer: Vec<u8> = Vec::with_capacity(BUFFER_BYTES);
    loop {
        let (read, filled) = from.read(buffer).await;
        if read? == 0 {
            return to.shutdown().await;
        }
        let (written, drained) = to.write_all(filled).await;
        written?;
        buffer = drained;
        buffer.clear();
    }
}

#[expect(clippy::print_stdout, reason = "a tool for people to start by hand")]
fn say(text: &str) {
    println!("{text}");
}

#[expect(clippy::print_stderr, reason = "a tool for people to start by hand")]
fn fail(text: &str) -> ExitCode {
    eprintln!("loopback: {text}\n\n{USAGE}");
    ExitCode::FAILURE
}

/// One read: an SDK's request with 13 headers and 1.5 KB of body fits many times; 128 KB take two reads.
const BUFFER_BYTES: usize = 64 * 1024;
/// A short chat completion as providers send it.
const COMPLETION_BYTES: usize = 589;
/// One event of a stream, its blank line included.
const EVENT_BYTES: usize = 217;

const COMPLETION: &str = r#"{"id":"chatcmpl-bench00000000000000000000000","object":"chat.completion","created":1767225600,"model":"bench-small","choices":[{"index":0,"message":{"role":"assistant","content":"~","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":312,"completion_tokens":42,"total_tokens":354,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0}},"service_tier":"default","system_fingerprint":"fp_bench"}"#;
const DELTA: &str = r#"data: {"id":"chatcmpl-bench00000000000000000000000","object":"chat.completion.chunk","created":1767225600,"model":"bench-small","choices":[{"index":0,"delta":{"content":"~"},"finish_reason":null}]}"#;
const STREAM_HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
    cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n";

const USAGE: &str = "\
the two ends of the load rig; benches/compare.py starts them

  loopback upstream PORT                            answers every request with a chat completion of 589 bytes
  loopback upstream PORT --stream [--events 50] [--gap 20ms]
                                                    answers every request with a stream of events of 217 bytes
  loopback relay PORT UPSTREAM_PORT                 moves bytes, knows no HTTP: the floor of every proxy

Everything is on 127.0.0.1, on one thread; pin it with taskset.
MONOIO_FORCE_LEGACY_DRIVER=1 in the environment takes epoll instead of io_uring.";
