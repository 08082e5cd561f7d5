//! Two attempts at once in the pure machine: every order in which the two providers' bytes can come.

use std::collections::VecDeque;

use switchover::base::RequestId;
use switchover::engine::AttemptRecord;
use switchover::exchange::{Action, Broken, DialFailure, Exchange, Input, Reused};
use switchover::ops::{Count, Record};

use crate::desk::{Desk, request};

const POLICY: &str = r#"
policy 1
provider p {
  kind = openai_compatible, base_url = "http://127.0.0.1:9000/v1", auth = bearer(env("KEY")), tls = off
  model first = "first", model hedge = "hedge", model last = "last"
}
retries none { max = 0 }
defaults { retries = none }
route default {
  tier 1 { p.first }
  tier 2 { p.last }
  hedge after 100ms -> p.hedge { max_extra = 100% }
  fallback { on any -> next, else -> reject(503) }
}
"#;

/// What one provider does, read by read, once it has the request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Play {
    /// A stream: its head, a role, content, the end.
    Stream,
    /// An answer in one piece, in two reads.
    Whole,
    /// A 500.
    Fails,
    /// A stream that breaks before its content.
    Breaks,
    /// Nobody takes the connection.
    Refuses,
}

impl Play {
    const ALL: [Self; 5] = [
        Self::Stream,
        Self::Whole,
        Self::Fails,
        Self::Breaks,
        Self::Refuses,
    ];

    fn reads(self, name: &str) -> VecDeque<Vec<u8>> {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
                    transfer-encoding: chunked\r\n\r\n";
        let event = |delta: &str, finish: &str| {
            let event = format!(
                "data: {{\"choices\":[{{\"index\":0,\"delta\":{{{delta}}},\"finish_reason\":{finish}}}]}}\n\n"
            );
            format!("{:x}\r\n{event}\r\n", event.len())
        };
        let role = event("\"role\":\"assistant\"", "null");
        let content = event(&format!("\"content\":\"from {name}\""), "null");
        let end = event("", "\"stop\"") + "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n";
        let body = format!(
            "{{\"choices\":[{{\"index\":0,\"message\":{{\"role\":\"assistant\",\"content\":\
             \"from {name}\"}},\"finish_reason\":\"stop\"}}]}}"
        );
        let (one, two) = body.split_at(9);
        let whole = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{one}",
            body.len()
        );
        let error =
            "HTTP/1.1 500 No\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
        let reads = match self {
            Self::Stream => vec![head.to_owned() + &role, content, end],
            Self::Whole => vec![whole, two.to_owned()],
            Self::Fails => vec![error.to_owned()],
            Self::Breaks => vec![head.to_owned() + &role, String::new()],
            Self::Refuses => Vec::new(),
        };
        reads.into_iter().map(String::into_bytes).collect()
    }

    fn answers(self) -> bool {
        matches!(self, Self::Stream | Self::Whole)
    }
}

/// The side of one attempt, as its owner drives it.
struct Side {
    name: &'static str,
    play: Play,
    reads: VecDeque<Vec<u8>>,
    pending: Option<Action>,
    /// Its pending operation was cut, and has not come back yet.
    cut: bool,
    /// Connections that were opened and not let go.
    open: usize,
    sent: Vec<u8>,
}

impl Side {
    fn new(name: &'static str, play: Play) -> Self {
        Self {
            name,
            play,
            reads: play.reads(name),
            pending: None,
            cut: false,
            open: 0,
            sent: Vec::new(),
        }
    }

    /// Completes the pending operation on the provider's side.
    fn complete(&mut self) -> Input {
        let cut = std::mem::take(&mut self.cut);
        match self.pending.take().expect("an operation is out") {
            Action::Dial { .. } if cut => Input::Dialed(Err(DialFailure::Overtaken)),
            Action::Dial { .. } if self.play == Play::Refuses => {
                Input::Dialed(Err(DialFailure::Connect))
            }
            Action::Dial { .. } => {
                self.open += 1;
                Input::Dialed(Ok(Reused(false)))
            }
            Action::SendUpstream { bytes, range, .. } => {
                self.sent = bytes[range].to_vec();
                let sent = if cut { Err(Broken::Overtaken) } else { Ok(()) };
                Input::UpstreamSent(bytes, sent)
            }
            Action::ReadUpstream { into, .. } if cut => {
                Input::UpstreamRead(into, Err(Broken::Overtaken))
            }
            Action::ReadUpstream { mut into, .. } => {
                let piece = self.reads.pop_front().unwrap_or_default();
                into.extend_from_slice(&piece);
                Input::UpstreamRead(into, Ok(piece.len()))
            }
            Action::Wait { .. } => {
                assert!(cut, "{} waits for the other one to end", self.name);
                Input::Waited(Err(Broken::Overtaken))
            }
            other => panic!("{}: not an operation: {other:?}", self.name),
        }
    }
}

/// Two attempts and a client.
struct Scene {
    desk: Desk,
    exchange: Exchange,
    first: Side,
    hedge: Option<Side>,
    /// After both have failed.
    last: Side,
    heard: Vec<u8>,
    /// The read for the client's next request.
    awaits: Option<Vec<u8>>,
    closed: bool,
}

impl Scene {
    /// The client has sent its request; the first attempt's provider has answered the dial if `sent` steps are 1, has the
    /// request if they are 2, and so on; then the hedge has begun.
    fn new(stream: bool, first: Play, hedge: Play, steps: usize) -> Option<Self> {
        let mut desk = Desk::under(POLICY);
        let mut exchange = desk.accept();
        let Action::ReadClient { mut into, .. } = exchange.poll() else {
            panic!("a request is awaited");
        };
        let asked = request(stream);
        into.extend_from_slice(&asked);
        // The beginning of another request waits behind it.
        into.extend_from_slice(b"GET /v1/models HTTP/1.1\r\n");
        let count = into.len();
        desk.handle(&mut exchange, Input::ClientRead(into, Ok(count)));
        let mut scene = Self {
            desk,
            exchange,
            first: Side::new("first", first),
            hedge: None,
            last: Side::new("last", if stream { Play::Stream } else { Play::Whole }),
            heard: Vec::new(),
            awaits: None,
            closed: false,
        };
        scene.poll();
        for _ in 0..steps {
            if !scene.may_step_first() {
                return None;
            }
            scene.step_first();
        }
        if scene.inflight(0) == 0 {
            return None;
        }
        let at = scene.exchange.hedge_at()?;
        assert!(!scene.begin_hedge(), "not yet");
        scene.desk.now = at;
        assert!(scene.begin_hedge());
        scene.hedge = Some(Side::new("hedge", hedge));
        scene.poll_hedge();
        Some(scene)
    }

    fn begin_hedge(&mut self) -> bool {
        let exchange = &mut self.exchange;
        self.desk
            .with_context(|now, context| exchange.begin_hedge(now, context))
    }

    /// Places in flight at a target.
    fn inflight(&mut self, target: usize) -> u32 {
        self.desk
            .with_context(|now, context| context.core.board().status(now)[target].inflight)
    }

    fn record(&mut self) -> Record {
        self.desk
            .with_context(|_, context| *context.journal.find(RequestId(1)).expect("a record"))
    }

    /// Polls the first side until an operation of its provider is out; all that concerns the client is done at once.
    fn poll(&mut self) {
        loop {
            match self.exchange.poll() {
                Action::Release { .. } if self.first.open > 0 => self.first.open -= 1,
                Action::Release { .. } => self.last.open -= 1,
                Action::TakeOver => {
                    let hedge = self.hedge.take().expect("it has won");
                    assert_eq!((self.first.open, hedge.open), (0, 1));
                    self.first = hedge;
                }
                Action::FinishClient => {}
                Action::NextRequest => self.desk.handle(&mut self.exchange, Input::NextRequest),
                Action::SendClient { bytes, range, .. } => {
                    self.heard.extend_from_slice(&bytes[range]);
                    let input = Input::ClientSent(bytes, Ok(()));
                    self.desk.handle(&mut self.exchange, input);
                }
                Action::ReadClient { into, .. } => {
                    self.awaits = Some(into);
                    return;
                }
                Action::Close => {
                    self.closed = true;
                    return;
                }
                operation => {
                    let asks_last = self.inflight(2) > 0;
                    let side = if asks_last {
                        &mut self.last
                    } else {
                        &mut self.first
                    };
                    side.pending = Some(operation);
                    return;
                }
            }
        }
    }

    fn poll_hedge(&mut self) {
        let Some(side) = &mut self.hedge else { return };
        loop {
            match self.exchange.poll_hedge() {
                Action::Release { .. } => side.open -= 1,
                Action::Close => {
                    side.pending = None;
                    return;
                }
                operation => {
                    side.pending = Some(operation);
                    return;
                }
            }
        }
    }

    fn step_first(&mut self) {
        let side = if self.last.pending.is_some() {
            &mut self.last
        } else {
            &mut self.first
        };
        let input = side.complete();
        self.desk.handle(&mut self.exchange, input);
        self.obey_cuts();
        self.poll();
    }

    fn step_hedge(&mut self) {
        let Some(side) = &mut self.hedge else { return };
        let input = side.complete();
        let exchange = &mut self.exchange;
        self.desk
            .with_context(|now, context| exchange.handle_hedge(now, input, context));
        self.obey_cuts();
        self.poll_hedge();
    }

    fn obey_cuts(&mut self) {
        let cuts = self.exchange.cuts();
        if cuts.first {
            assert!(self.first.pending.is_some());
            self.first.cut = true;
        }
        if cuts.hedge
            && let Some(hedge) = &mut self.hedge
        {
            hedge.cut = hedge.pending.is_some();
        }
    }

    fn may_step_first(&self) -> bool {
        let waits = matches!(self.first.pending, Some(Action::Wait { .. }));
        self.awaits.is_none()
            && !self.closed
            && (self.last.pending.is_some()
                || self.first.pending.is_some() && (!waits || self.first.cut))
    }

    fn may_step_hedge(&self) -> bool {
        self.hedge
            .as_ref()
            .is_some_and(|hedge| hedge.pending.is_some())
    }

    fn client_leaves(&mut self) {
        let input = match self.first.pending.take().expect("an operation is out") {
            Action::Dial { .. } => Input::Dialed(Err(DialFailure::ClientGone)),
            Action::SendUpstream { bytes, .. } => {
                Input::UpstreamSent(bytes, Err(Broken::ClientGone))
            }
            Action::ReadUpstream { into, .. } => Input::UpstreamRead(into, Err(Broken::ClientGone)),
            _ => Input::Waited(Err(Broken::ClientGone)),
        };
        self.desk.handle(&mut self.exchange, input);
        self.obey_cuts();
        self.poll();
        while self.may_step_hedge() {
            assert!(self.hedge.as_ref().unwrap().cut, "the hedge is cut, too");
            self.step_hedge();
        }
    }

    /// The rest of the request that waits behind the first one arrives.
    fn finish_next_request(&mut self) {
        let mut into = self.awaits.take().expect("the connection stays");
        into.extend_from_slice(b"host: gateway\r\n\r\n");
        let input = Input::ClientRead(into, Ok(17));
        self.desk.handle(&mut self.exchange, input);
        self.poll();
    }

    /// All that was taken has been given back.
    fn assert_clean(&mut self, name: &str) {
        for target in 0..3 {
            assert_eq!(self.inflight(target), 0, "{name}: place {target}");
        }
        let hedge = self.hedge.as_ref().map_or(0, |hedge| hedge.open);
        assert_eq!(
            (self.first.open, hedge, self.last.open),
            (0, 0, 0),
            "{name}: connections"
        );
    }
}

/// Plays on by `order`, one bit for each choice that is one; gives the number of choices.
fn play_on(scene: &mut Scene, order: u32) -> u32 {
    let mut choices = 0;
    loop {
        match (scene.may_step_first(), scene.may_step_hedge()) {
            (false, false) => return choices,
            (true, false) => scene.step_first(),
            (false, true) => scene.step_hedge(),
            (true, true) => {
                if order >> choices & 1 == 0 {
                    scene.step_first();
                } else {
                    scene.step_hedge();
                }
                choices += 1;
            }
        }
    }
}

/// Every order of one pair of plays; gives how many there are.
fn every_order(stream: bool, first: Play, hedge: Play, steps: usize) -> usize {
    let mut played = 0;
    let mut next = Some(0);
    while let Some(order) = next {
        let name = format!("{first:?} {hedge:?}, stream {stream}, {steps} steps, {order:b}");
        let Some(mut scene) = Scene::new(stream, first, hedge, steps) else {
            break;
        };
        let choices = play_on(&mut scene, order);
        judge(&mut scene, first, hedge, &name);
        played += 1;
        next = next_order(order, choices);
    }
    played
}

/// The next order that differs within so many choices: the last choice that was 0 becomes 1, and those behind it 0.
fn next_order(order: u32, choices: u32) -> Option<u32> {
    let changed = (0..choices)
        .rev()
        .find(|&choice| order >> choice & 1 == 0)?;
    Some(order & ((1 << changed) - 1) | 1 << changed)
}

fn judge(scene: &mut Scene, first: Play, hedge: Play, name: &str) {
    scene.assert_clean(name);
    scene.finish_next_request();
    let heard = String::from_utf8_lossy(&scene.heard).into_owned();
    let from = |who: &str| heard.contains(&format!("\"from {who}\""));
    let answers = [from("first"), from("hedge"), from("last")];
    assert_eq!(
        answers.iter().filter(|&&from| from).count(),
        1,
        "{name}: {heard}"
    );
    assert_eq!(heard.matches("HTTP/1.1 ").count(), 2, "{name}: {heard}");
    assert!(
        heard.contains("\"object\":\"list\""),
        "{name}: the next request is understood: {heard}"
    );
    assert!(!answers[0] || first.answers(), "{name}");
    assert!(!answers[1] || hedge.answers(), "{name}");
    assert_eq!(answers[2], !first.answers() && !hedge.answers(), "{name}");
    let target = ["p.first", "p.hedge", "p.last"][answers.iter().position(|&from| from).unwrap()];
    let field = format!("x-switchover-target: {target}\r\n");
    assert!(heard.contains(&field), "{name}: {heard}");
    let record: Vec<AttemptRecord> = scene.record().attempts.iter().collect();
    assert!(record[1].hedge && !record[0].hedge, "{name}");
    let lost = record.iter().filter(|attempt| attempt.overtaken).count();
    assert!(lost <= 1 && (lost == 0 || !answers[2]), "{name}");
    let totals = scene.desk.totals();
    assert_eq!(totals.of(Count::Hedges), 1, "{name}");
    assert_eq!(totals.of(Count::HedgesWon), u64::from(answers[1]), "{name}");
    assert_eq!(totals.of(Count::Failovers), u64::from(answers[2]), "{name}");
}

#[test]
fn every_order_of_two_providers_gives_one_answer() {
    let mut played = 0;
    for first in Play::ALL {
        for hedge in Play::ALL {
            for steps in [0, 2, 3] {
                played += every_order(true, first, hedge, steps);
                if first != Play::Stream && hedge != Play::Stream {
                    played += every_order(false, first, hedge, steps);
                }
            }
        }
    }
    assert!(played > 500, "{played}");
}

#[test]
fn both_get_the_whole_request_each_with_its_own_model() {
    let mut scene = Scene::new(true, Play::Stream, Play::Stream, 2).unwrap();
    scene.step_hedge();
    scene.step_hedge();
    let text = |side: &Side| String::from_utf8(side.sent.clone()).unwrap();
    let first = text(&scene.first);
    let hedge = text(scene.hedge.as_ref().unwrap());
    let body = |text: &str| text.split_once("\r\n\r\n").unwrap().1.to_owned();
    assert!(body(&first).starts_with("{\"model\":\"first\","), "{first}");
    assert_eq!(body(&first).replacen("first", "hedge", 1), body(&hedge));
    assert!(
        hedge.contains("authorization: Bearer sk-p-00\r\n"),
        "{hedge}"
    );
}

#[test]
fn a_client_that_leaves_ends_both() {
    for first in [Play::Stream, Play::Fails, Play::Refuses] {
        for steps in 0..3 {
            for hedge_steps in 0..3 {
                leave(first, steps, hedge_steps);
            }
        }
    }
}

/// The client leaves when the hedge has come so far, and the first one has failed if it ever does.
fn leave(first: Play, steps: usize, hedge_steps: usize) {
    let Some(mut scene) = Scene::new(true, first, Play::Stream, steps) else {
        return;
    };
    (0..hedge_steps).for_each(|_| scene.step_hedge());
    while first != Play::Stream && scene.may_step_first() {
        scene.step_first();
    }
    scene.client_leaves();
    let name = format!("{first:?} after {steps} and {hedge_steps}");
    scene.assert_clean(&name);
    assert!(scene.heard.is_empty(), "{name}");
    assert_eq!(scene.desk.totals().of(Count::ClientGone), 1, "{name}");
}
