//! The control thread: it sums up the cores' breaker windows, keeps the wall clock, and answers operators at the admin
//! address. Nothing on the request path waits for it.

use std::fs;
use std::io;
use std::net::TcpListener as StdListener;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Sender, TryRecvError, channel};

use monoio::buf::{IoBuf, IoBufMut, SliceMut};
use monoio::io::{AsyncReadRent, AsyncWriteRent};
use monoio::net::{TcpListener, TcpStream};
use serde_json::{Map, Value, json};

use crate::base::Span;
use crate::base::limits::REQUEST_HEAD_BYTES_MAX;
use crate::engine::Transition;
use crate::ops::TickSink;
use crate::runtime::clock::{self, Anchor};
use crate::runtime::drill;
use crate::runtime::driver::Driver;
use crate::runtime::health::Checks;
use crate::runtime::log;
use crate::runtime::monitor::{Monitor, Page, error, ok};
use crate::runtime::orders;
use crate::runtime::reload::{Reloaded, Reloader, Unchanged};
use crate::runtime::requests::Question;
use crate::runtime::shared::Shared;
use crate::runtime::spawn;
use crate::runtime::withdrawals;
use crate::wire::h1;
use crate::wire::h1::request::RequestHead;
use crate::wire::h1::write as head;
use crate::wire::h1::{Fields, Method};

/// Who is told of what ticks do.
#[derive(Debug)]
pub(super) struct Ears {
    /// Changes of breakers go here, or to the log.
    pub(super) transitions: Option<Sender<Transition>>,
    /// Ticks go here, where the records are a log of the engine.
    pub(super) ticks: Option<TickSink>,
}

/// Runs until the process ends.
///
/// # Errors
/// The admin socket cannot be used.
pub(super) fn run(
    shared: &Arc<Shared>,
    admin: StdListener,
    workers: Vec<Sender<Question>>,
    reloader: Arc<Reloader>,
    ears: Ears,
) -> io::Result<()> {
    Driver::run_timed(async {
        let listener = Rc::new(TcpListener::from_std(admin)?);
        let count = workers.len();
        let monitor = Rc::new(Monitor::new(Arc::clone(shared), workers));
        let operators = Operators {
            shared: Arc::clone(shared),
            monitor: Rc::clone(&monitor),
            reloader,
            workers: count,
        };
        monoio::spawn(answer_operators(listener, operators));
        tick(shared, &monitor, ears).await;
        Ok(())
    })?
}

async fn tick(shared: &Arc<Shared>, monitor: &Monitor, ears: Ears) {
    let Ears {
        transitions,
        ticks: mut records,
    } = ears;
    let mut ticks: u64 = 0;
    let checks = Checks::default();
    loop {
        checks.follow(shared);
        monoio::time::sleep(TICK.as_std()).await;
        let now = clock::now();
        let generation = monitor.generation();
        let changed = generation.board.tick(now);
        if let Some(records) = &mut records {
            records.put(now, &generation.plan, &generation.board, &changed);
        }
        let look = !changed.is_empty() || ticks.is_multiple_of(TICKS_PER_SECOND);
        for transition in changed {
            monitor.saw(&transition);
            shared.drills.saw_transition(&transition);
            match &transitions {
                // Who asked for them may have lost interest.
                Some(sink) => drop(sink.send(transition)),
                None => log::transition(&generation.plan, &transition),
            }
        }
        for change in generation.board.key_changes() {
            shared.drills.saw_key(change);
            if transitions.is_none() {
                log::key_change(&generation.plan, change);
            }
        }
        for change in generation.board.judge_guards(now) {
            shared.drills.saw_guard(&change);
            if transitions.is_none() {
                log::guard_change(&generation.plan, &change);
            }
        }
        for target in generation.board.wrong_paths(now) {
            if transitions.is_none() {
                log::wrong_path(&generation.plan, target);
            }
        }
        if let Some(shadows) = &generation.shadows {
            // Whoever looks for a change of theirs finds it at `/status`.
            shadows.generation.board.tick(now);
        }
        if look {
            monitor.look(now);
        }
        ticks = ticks.wrapping_add(1);
        if ticks.is_multiple_of(TICKS_PER_SECOND) {
            shared.refresh_time();
            let now = i64::try_from(clock::unix_seconds()).unwrap_or(i64::MAX);
            drill::begin_due(shared, now);
        }
    }
}

/// What an operator's request is answered from.
#[derive(Clone)]
struct Operators {
    shared: Arc<Shared>,
    monitor: Rc<Monitor>,
    reloader: Arc<Reloader>,
    workers: usize,
}

impl Operators {
    /// Carries out an order about targets. Who is out changes with it, and since when.
    fn order(&self, path: &str) -> Page {
        let page = orders::carry_out(&self.shared.generation(), path);
        self.monitor.look(clock::now());
        page
    }
}

impl Operators {
    /// What is served: the policy's file, the values of its consts, since when, and who wanted it.
    fn served(&self) -> Page {
        let generation = self.shared.generation();
        let (since, by) = self.shared.adopted();
        let source = self.reloader.source();
        let file = source.map(|source| {
            let path = fs::canonicalize(&source.file);
            path.map_or_else(|_| source.file.clone(), |path| path.display().to_string())
        });
        let sets = source.into_iter().flat_map(|source| &source.sets);
        let sets: Map<String, Value> = sets
            .map(|(name, value)| (name.clone(), value.as_str().into()))
            .collect();
        ok(&json!({
            "schema": "switchover.policy/1",
            "policy": format!("{:016x}", generation.plan.policy.hash),
            "file": file,
            "sets": sets,
            "generation": generation.number,
            "since": Anchor::now().rfc3339(since),
            "by": by.as_deref(),
        }))
    }
}

async fn answer_operators(listener: Rc<TcpListener>, operators: Operators) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                monoio::spawn(answer_operator(stream, operators.clone()));
            }
            Err(_) => monoio::time::sleep(TICK.as_std()).await,
        }
    }
}

/// One request a connection: operators' tools do not mind, and nothing lingers.
async fn answer_operator(mut stream: TcpStream, operators: Operators) {
    let mut bytes = Vec::with_capacity(HEAD_BYTES);
    let mut fields = Fields::default();
    let reply = loop {
        match h1::request::parse(&bytes, &mut fields) {
            Ok(Some(request)) => {
                let (path, query) = (request.path(&bytes), request.query(&bytes));
                if path == RELOAD
                    || path.starts_with(orders::PATH)
                    || path.starts_with(withdrawals::PATH)
                {
                    let ordered = may_order(&request, &bytes, &fields);
                    break reply_with(&match ordered {
                        Ok(()) if path == RELOAD => reload(&operators.reloader, query).await,
                        Ok(()) if path.starts_with(withdrawals::PATH) => {
                            withdrawals::carry_out(&operators.shared.generation(), path)
                        }
                        Ok(()) => operators.order(path),
                        Err(page) => page,
                    });
                }
                if path.starts_with(drill::PATH) {
                    let may = || may_order(&request, &bytes, &fields);
                    break reply_with(&drill::page(&operators.shared, path, query, may));
                }
                if path == POLICY {
                    break reply_with(&operators.served());
                }
                break match operators.monitor.page(path, query).await {
                    Some(page) => reply_with(&page),
                    None => reply_to(path, &operators.shared, operators.workers),
                };
            }
            Err(refusal) => {
                break reply(
                    refusal.status,
                    &format!("{{\"error\":\"{}\"}}", refusal.reason),
                );
            }
            Ok(None) if bytes.len() >= REQUEST_HEAD_BYTES_MAX => return,
            Ok(None) => {}
        }
        bytes.reserve(HEAD_BYTES);
        let (from, to) = (bytes.len(), bytes.capacity());
        // The future may be dropped: the connection ends with it.
        let reading = stream.read(bytes.slice_mut(from..to));
        let Ok((read, slice)) = monoio::time::timeout(PATIENCE.as_std(), reading).await else {
            return;
        };
        bytes = SliceMut::into_inner(slice);
        if !read.is_ok_and(|count| count > 0) {
            return;
        }
    };
    send(&mut stream, reply).await;
}

/// Whether the request may change something. A page in a browser on this machine can reach this address too: browsers
/// say where they come from, operators' tools do not.
fn may_order(request: &RequestHead, head: &[u8], fields: &Fields) -> Result<(), Page> {
    if request.method != Method::Post {
        return Err(error(405, "this changes something: it takes POST"));
    }
    if fields.value(head, "origin").is_some() {
        return Err(error(403, "orders from web pages are not obeyed"));
    }
    Ok(())
}

/// Reloads on a thread of its own: files may be slow, and the ticks go on meanwhile.
async fn reload(reloader: &Arc<Reloader>, query: &str) -> Page {
    let by = match query.split_once('=') {
        None if query.is_empty() => None,
        Some(("by", name)) if is_name(name) => Some(name.to_owned()),
        _ => {
            return error(
                400,
                "there is `by=NAME`, of up to 64 letters, digits, `.`, `_`, `-` and `@`",
            );
        }
    };
    let (tell, told) = channel();
    let reloader = Arc::clone(reloader);
    spawn("reload", move || {
        // Who asked may have gone.
        let _ = tell.send(reloader.reload(by.as_deref()));
        Ok(())
    });
    loop {
        match told.try_recv() {
            Ok(done) => return reload_page(done),
            Err(TryRecvError::Disconnected) => return error(500, "the reload broke off"),
            Err(TryRecvError::Empty) => monoio::time::sleep(LOOK.as_std()).await,
        }
    }
}

/// Whether that is a name of somebody who reloads.
fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-@".contains(&byte);
    (1..=64).contains(&name.len()) && name.bytes().all(plain)
}

fn reload_page(done: Result<Reloaded, Unchanged>) -> Page {
    let (status, body) = match done {
        Ok(reloaded) => (
            200,
            json!({
                "schema": RELOAD_SCHEMA,
                "generation": reloaded.generation,
                "policy": format!("{:016x}", reloaded.policy),
                "notes": reloaded.notes,
            }),
        ),
        Err(unchanged) => {
            let status = match unchanged {
                Unchanged::Policy(_) | Unchanged::Unusable(_) => 422,
                Unchanged::Fixed(_) | Unchanged::NoSource => 409,
            };
            (
                status,
                json!({
                    "schema": RELOAD_SCHEMA,
                    "error": "nothing was changed",
                    "why": unchanged.text(),
                }),
            )
        }
    };
    Page {
        status,
        ..ok(&body)
    }
}

async fn send(stream: &mut TcpStream, mut reply: Vec<u8>) {
    let mut sent = 0;
    while sent < reply.len() {
        let end = reply.len();
        let (count, slice) = stream.write(reply.slice(sent..end)).await;
        reply = slice.into_inner();
        match count {
            Ok(count) if count > 0 => sent += count,
            _ => return,
        }
    }
    // Nobody is left to tell if this fails.
    let _ = stream.shutdown().await;
}

fn reply_to(path: &str, shared: &Shared, workers: usize) -> Vec<u8> {
    match path {
        "/healthz" => {
            if shared.draining.load(Ordering::Relaxed) {
                reply(503, "{\"status\":\"draining\"}")
            } else if shared.ready.load(Ordering::Acquire) < workers {
                reply(503, "{\"status\":\"starting\"}")
            } else {
                reply(200, "{\"status\":\"ready\"}")
            }
        }
        _ => reply(
            404,
            "{\"error\":\"unknown path; there are /healthz, /policy, /status, /metrics, /requests, /requests/ID, /decisions, /decisions/ID, /drills, /drills/NAME, POST /drills/NAME/start or end, POST /reload and POST /targets/NAME/drain, open, close or auto\"}",
        ),
    }
}

fn reply(status: u16, body: &str) -> Vec<u8> {
    reply_with(&Page {
        status,
        content_type: "application/json",
        body: body.to_owned(),
    })
}

fn reply_with(page: &Page) -> Vec<u8> {
    let Page {
        status,
        content_type,
        body,
    } = page;
    let mut out = Vec::with_capacity(body.len() + 128);
    head::status_line(*status, &mut out);
    head::field(b"content-type", content_type.as_bytes(), &mut out);
    out.extend_from_slice(b"connection: close\r\ncontent-length: ");
    head::decimal(body.len() as u64, &mut out);
    out.extend_from_slice(b"\r\n\r\n");
    out.extend_from_slice(body.as_bytes());
    out
}

/// How often windows are summed up: a breaker that trips is seen by all cores within this time.
const TICK: Span = Span::from_millis(100);
const TICKS_PER_SECOND: u64 = 10;
/// Paths that change something.
const RELOAD: &str = "/reload";
/// What is served.
const POLICY: &str = "/policy";
const RELOAD_SCHEMA: &str = "switchover.reload/1";
/// How often the end of a reload is looked for.
const LOOK: Span = Span::from_millis(2);
/// Room for an operator's request head.
const HEAD_BYTES: usize = 2048;
/// How long an operator's tool may take to send its request.
const PATIENCE: Span = Span::from_secs(5);
