//! The clients of a world: when they come, what they ask, how they read and when they leave.

use std::collections::VecDeque;
use std::ops::Range;

use crate::base::{Moment, Span, hash};
use crate::sim::world::chance::{Dice, Latency};
use crate::sim::world::letter::Letter;
use crate::sim::world::pipe::{Ending, Pipe};
use crate::sim::world::reader::Reader;

/// Clients of one kind.
#[derive(Clone, Debug)]
pub struct Crowd {
    /// When they come.
    pub arrivals: Arrivals,
    /// From this moment on.
    pub from: Moment,
    /// Until then.
    pub to: Moment,
    /// How they behave.
    pub manners: Manners,
}

/// When clients come.
#[derive(Clone, Copy, Debug)]
pub enum Arrivals {
    /// Independently of each other, this far apart on average.
    Poisson(Span),
    /// At a fixed beat.
    Every(Span),
    /// So many at once, this far apart.
    Bursts(u32, Span),
    /// So many who ask, read, think so long, and ask again.
    ClosedLoop(u32, Latency),
}

/// How clients behave. Shares are in parts per million.
#[derive(Clone, Debug)]
pub struct Manners {
    /// What they call the models.
    pub models: Vec<String>,
    /// Ask for streams.
    pub streams: u32,
    /// Leave before they have everything.
    pub leave: u32,
    /// After so long, those who leave.
    pub patience: Latency,
    /// Read slowly.
    pub slow: u32,
    /// So many bytes a second, those who read slowly.
    pub slow_rate: u64,
    /// Keep their connection for the next request.
    pub keep: u32,
    /// Send two or three requests at once.
    pub pipeline: u32,
    /// Send their request in pieces.
    pub pieces: u32,
    /// Ask again when they are refused, as the official clients do: twice, unless they are told not to, and not before
    /// they are told to.
    pub insist: u32,
    /// Belong to one of so many sessions and say so in `x-session`; 0: they do not.
    pub sessions: u32,
}

impl Manners {
    /// Clients that ask for `models`, half of them for streams, and do nothing unusual.
    pub const fn polite(models: Vec<String>) -> Self {
        Self {
            models,
            streams: 500_000,
            leave: 0,
            patience: Latency::Constant(Span::ZERO),
            slow: 0,
            slow_rate: 1,
            keep: 900_000,
            pipeline: 0,
            pieces: 0,
            insist: 0,
            sessions: 0,
        }
    }
}

/// The client's end of one connection.
#[derive(Debug)]
pub(super) struct Client {
    /// No other connection of the world has it.
    pub(super) name: u64,
    pub(super) crowd: usize,
    /// What it sends.
    pub(super) pipe: Pipe,
    /// What it has asked and not been answered, oldest first.
    pub(super) asks: VecDeque<Ask>,
    pub(super) reader: Reader,
    /// Bytes a second that it reads; without it, all at once.
    pub(super) rate: Option<u64>,
    /// When the gateway can know that it has left.
    pub(super) gone: Option<Moment>,
}

/// One request that waits for its answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask {
    pub(super) number: u64,
    pub(super) streams: bool,
    pub(super) session: Option<u32>,
    /// When its last byte arrives.
    pub(super) sent: Moment,
    /// When its client loses its patience.
    pub(super) leaves: Option<Moment>,
    /// How often it may be asked again.
    pub(super) tries: u8,
}

impl Client {
    pub(super) fn new(name: u64, crowd: usize, manners: &Manners, dice: &mut Dice) -> Self {
        let rate = dice
            .happens(manners.slow)
            .then_some(manners.slow_rate.max(1));
        Self {
            name,
            crowd,
            pipe: Pipe::default(),
            asks: VecDeque::new(),
            reader: Reader::default(),
            rate,
            gone: None,
        }
    }

    /// Nobody: for a copy of what this client has asked.
    pub(super) fn nobody(name: u64) -> Self {
        Self {
            name,
            crowd: usize::MAX,
            pipe: Pipe::default(),
            asks: VecDeque::new(),
            reader: Reader::default(),
            rate: None,
            gone: None,
        }
    }

    /// Sends one request, or a few at once; one that may be asked again so many `tries`. `numbers` counts the world's
    /// requests.
    pub(super) fn ask(
        &mut self,
        now: Moment,
        manners: &Manners,
        tries: Option<u8>,
        numbers: &mut u64,
        dice: &mut Dice,
    ) {
        let more = if tries.is_none() && dice.happens(manners.pipeline) {
            1 + dice.below(2)
        } else {
            0
        };
        for _ in 0..=more {
            *numbers += 1;
            let tries = tries.unwrap_or_else(|| if dice.happens(manners.insist) { 2 } else { 0 });
            self.send(now, (*numbers, tries), manners, dice);
        }
    }

    fn send(
        &mut self,
        now: Moment,
        (number, tries): (u64, u8),
        manners: &Manners,
        dice: &mut Dice,
    ) {
        let index = dice.index(manners.models.len());
        let letter = Letter {
            model: manners.models.get(index).map_or("", |model| model),
            streams: dice.happens(manners.streams),
            number,
            session: session_of(number, manners.sessions),
            goes_on: None,
        };
        let mut bytes = Vec::with_capacity(512);
        letter.write(&mut bytes);
        let mut at = now;
        let mut rest = bytes.as_slice();
        if dice.happens(manners.pieces) {
            for _ in 0..3 {
                let (piece, later) = rest.split_at(dice.index(rest.len()));
                self.pipe.push(at, piece);
                at = at + dice.between(Span::from_micros(10), Span::from_millis(20));
                rest = later;
            }
        }
        self.pipe.push(at, rest);
        let leaves = dice
            .happens(manners.leave)
            .then(|| now + manners.patience.draw(dice));
        self.asks.push_back(Ask {
            number,
            streams: letter.streams,
            session: letter.session,
            sent: at,
            leaves,
            tries,
        });
    }

    /// Goes away; `noticed` is when the gateway can know.
    pub(super) fn leave(&mut self, now: Moment, noticed: Moment) {
        self.pipe.end(now, Ending::Reset);
        self.gone = Some(noticed);
    }
}

/// Not drawn: who has no sessions lives as if there were none.
fn session_of(number: u64, sessions: u32) -> Option<u32> {
    let session = hash::scale(hash::mix(number, SESSIONS), u64::from(sessions));
    u32::try_from(session).ok().filter(|_| sessions > 0)
}

/// How long a client takes to read so many bytes.
pub(super) fn reading_time(range: &Range<usize>, rate: Option<u64>) -> Span {
    let Some(rate) = rate else { return Span::ZERO };
    let bytes = u64::try_from(range.len()).unwrap_or(u64::MAX);
    Span::from_nanos(bytes.saturating_mul(1_000_000_000) / rate.max(1))
}

/// Keeps sessions apart from whatever else hangs on a request's number.
const SESSIONS: u64 = 0x7365_7373_696f_6e73;
