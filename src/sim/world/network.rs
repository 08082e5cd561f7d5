//! The providers and the way to them: who can be reached, what is said there, and which faults hold.
//!
//! Everything that a provider will answer is decided when the request arrives, as bytes and their moments. So nothing has
//! to happen between then and the moments at which the gateway reads.

use std::sync::Arc;

use crate::base::{Moment, ProviderId, Span, TargetId};
use crate::exchange::DialFailure;
use crate::policy::model::ModelName;
use crate::sim::world::chance::{Dice, Latency};
use crate::sim::world::copies::{COPIES, COPIES_FROM};
use crate::sim::world::fault::{Fault, Phase, Spell};
use crate::sim::world::generation::{Generation, Roster};
use crate::sim::world::keyring::Keyring;
use crate::sim::world::letter::Letter;
use crate::sim::world::pipe::{Ending, Pipe, Script};
use crate::sim::world::reader::words;
use crate::sim::world::rule::{Broken, Rule};
use crate::sim::world::speech::{Line, Speaker};
use crate::sim::world::words::Heard;
use crate::wire;

/// How quick a provider is while it is well.
#[derive(Clone, Copy, Debug)]
pub struct Nature {
    /// To a connection.
    pub connect: Latency,
    /// To the first word.
    pub ttft: Latency,
    /// Between two words.
    pub gap: Latency,
    /// Words in an answer, at least and at most.
    pub words: (u32, u32),
}

impl Default for Nature {
    fn default() -> Self {
        Self {
            connect: Latency::Constant(Span::from_millis(2)),
            ttft: Latency::Uniform(Span::from_millis(10), Span::from_millis(30)),
            gap: Latency::Constant(Span::from_millis(5)),
            words: (2, 6),
        }
    }
}

/// All providers of a roster.
#[derive(Debug)]
pub(super) struct Network {
    roster: Arc<Roster>,
    pub(super) keyring: Keyring,
    pub(super) natures: Vec<Nature>,
    pub(super) spells: Vec<Spell>,
    dice: Dice,
    serial: u64,
    /// Those of whom is not served now: copies have dice and numbers of their own.
    others: (Dice, u64),
    speaker: Speaker,
    script: Script,
}

/// A connection to a provider.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) provider: ProviderId,
    pub(super) endpoint: u16,
    pub(super) pipe: Pipe,
    /// It has carried requests before.
    pub(super) reused: bool,
    /// When it went into the pool.
    pub(super) rested: Moment,
}

/// What a request met.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sighting {
    pub(super) provider: ProviderId,
    /// The endpoint that was dialed last, and those at which nobody was found, as bits.
    pub(super) endpoint: u16,
    pub(super) missed: u64,
    /// Known once the request has arrived: the target, and which of the provider's keys it came with.
    pub(super) target: Option<(TargetId, u8)>,
    /// When the secret that it came with was replaced by another one.
    pub(super) replaced: Option<Moment>,
    /// When it began, its client had the beginning of an answer.
    pub(super) resumes: bool,
    /// It was asked to go on from these words.
    pub(super) goes_on: Option<Heard>,
    pub(super) dial: Result<(), DialFailure>,
    pub(super) fault: Option<Fault>,
    /// What its words are marked with, and how many a whole answer has.
    pub(super) serial: u64,
    pub(super) words: u32,
    /// The provider will vanish inside the answer.
    pub(super) cut: bool,
}

/// What became of bytes that were sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Sent {
    /// They are on their way.
    Gone,
    /// Nobody reads them.
    Stuck,
    /// The connection was reset.
    Reset,
}

impl Link {
    /// Whose endpoint it leads to, and which.
    const fn place(&self) -> (ProviderId, u16) {
        (self.provider, self.endpoint)
    }
}

impl Sighting {
    /// What became of the dial.
    pub(super) fn dialed(&mut self, result: Result<(), DialFailure>) {
        self.dial = result;
        if matches!(
            result,
            Err(DialFailure::Connect | DialFailure::Tls | DialFailure::TimedOut)
        ) {
            self.missed |= bit(self.endpoint);
        }
    }

    /// Whether the same attempt may dial once more: the same endpoint, if its connection rested before and was dead; or
    /// another one, if nobody was found here, and nobody was missed there.
    pub(super) fn dials_again_at(&self, provider: ProviderId, endpoint: u16) -> bool {
        let walks = self.dial.is_err() && self.missed & bit(self.endpoint) != 0;
        let again = self.dial.is_ok() && endpoint == self.endpoint;
        self.provider == provider && (again || walks && self.missed & bit(endpoint) == 0)
    }

    /// Whether nobody was found at any of these endpoints.
    pub(super) fn missed_all(&self, mut endpoints: impl Iterator<Item = u16>) -> bool {
        endpoints.all(|endpoint| self.missed & bit(endpoint) != 0)
    }
}

impl Network {
    pub(super) fn new(
        roster: &Arc<Roster>,
        natures: &[Nature],
        spells: &[Spell],
        dice: Dice,
    ) -> Self {
        let count = roster.providers.len();
        let natures = (0..count).map(|index| natures.get(index).copied().unwrap_or_default());
        Self {
            roster: Arc::clone(roster),
            keyring: Keyring::new(roster),
            natures: natures.collect(),
            spells: spells.to_vec(),
            others: (dice.fork(COPIES), COPIES_FROM),
            dice,
            serial: 0,
            speaker: Speaker::default(),
            script: Script::default(),
        }
    }

    /// Draws and counts for copies instead of requests from now on, or the other way round.
    pub(super) const fn turn(&mut self) {
        std::mem::swap(&mut self.dice, &mut self.others.0);
        std::mem::swap(&mut self.serial, &mut self.others.1);
    }

    /// Asks for a connection: when it is decided, and how.
    pub(super) fn dial(
        &mut self,
        now: Moment,
        provider: ProviderId,
        endpoint: u16,
    ) -> (Moment, Result<Link, DialFailure>) {
        let fault = self.strikes(now, (provider, endpoint), None, Phase::Connect);
        let nature = self.nature(provider);
        let usual = now + nature.connect.draw(&mut self.dice);
        match fault {
            Some(Fault::Gone | Fault::Refused | Fault::NoAddress) => {
                (usual, Err(DialFailure::Connect))
            }
            Some(Fault::BlackHole) => (Moment::NEVER, Err(DialFailure::TimedOut)),
            Some(Fault::Tls) => (usual, Err(DialFailure::Tls)),
            other => {
                let at = match other {
                    Some(Fault::SlowConnect(late)) => now + late,
                    _ => usual,
                };
                let link = Link {
                    provider,
                    endpoint,
                    pipe: Pipe::default(),
                    reused: false,
                    rested: now,
                };
                (at, Ok(link))
            }
        }
    }

    /// A request that runs by `generation` arrives over `link`; `sighting` is told what is known of it from then on.
    pub(super) fn send(
        &mut self,
        now: Moment,
        link: &mut Link,
        bytes: &[u8],
        (asked, generation): (u64, &Generation<'_>),
        sighting: &mut Sighting,
    ) -> Result<Sent, Broken> {
        let (target, (key, version), letter) = self.read(link, bytes, generation)?;
        if letter.number != asked {
            return Err(Broken::new(
                Rule::Request,
                format!("request {} was sent as {asked}", letter.number),
            ));
        }
        let replaced = self.keyring.replaced(link.provider, key, version);
        sighting.target = Some((target, key));
        sighting.replaced = replaced.map(|(since, _)| since);
        sighting.goes_on = letter.goes_on.map(|(_, text)| Heard::of(words(text)));
        if link.pipe.is_over(now) {
            // It went away while it rested: the bytes meet a closed door, or the end comes back.
            return Ok(if self.dice.happens(500_000) {
                Sent::Reset
            } else {
                Sent::Gone
            });
        }
        if link.reused
            && let Some(sent) = self.cut_off(now, link)
        {
            return Ok(sent);
        }
        let fault = match replaced {
            Some((_, revoked)) if now >= revoked => Some(Fault::BadKey),
            _ => self.strikes(now, link.place(), sighting.target, Phase::Answer),
        };
        self.answer(now, link, letter, fault, sighting);
        Ok(match fault {
            Some(Fault::NotReading) => Sent::Stuck,
            Some(Fault::Early(_)) => Sent::Reset,
            _ => Sent::Gone,
        })
    }

    /// A connection that was there before its provider vanished is dead as well.
    fn cut_off(&mut self, now: Moment, link: &mut Link) -> Option<Sent> {
        match self.strikes(now, link.place(), None, Phase::Connect)? {
            Fault::Gone | Fault::Refused | Fault::NoAddress => {
                link.pipe.end(now, Ending::Reset);
                Some(Sent::Gone)
            }
            Fault::BlackHole => Some(Sent::Gone),
            _ => None,
        }
    }

    fn answer(
        &mut self,
        now: Moment,
        link: &mut Link,
        letter: Letter<'_>,
        fault: Option<Fault>,
        sighting: &mut Sighting,
    ) {
        let nature = self.nature(link.provider);
        let (fewest, most) = nature.words;
        let more = self.dice.below(u64::from(most.saturating_sub(fewest)) + 1);
        let words = fewest.max(1) + u32::try_from(more).unwrap_or_default();
        self.serial += 1;
        let line = Line {
            fault,
            serial: self.serial,
            streams: letter.streams,
            ttft: nature.ttft.draw(&mut self.dice),
            gap: nature.gap.draw(&mut self.dice),
            words,
        };
        self.speaker.speak(&line, &mut self.script, &mut self.dice);
        // Whoever meant to close a connection that rested does not do it inside an answer.
        link.pipe.stay_open();
        link.pipe.play(now, &self.script);
        if let Some(at) = self.vanishes(now, link.place()) {
            link.pipe.end(at, Ending::Reset);
            sighting.cut = true;
        }
        sighting.fault = fault;
        sighting.serial = line.serial;
        sighting.words = words;
    }

    /// When the provider will be gone for good, for the first time from now on.
    fn vanishes(&self, now: Moment, place: (ProviderId, u16)) -> Option<Moment> {
        let takes = |spell: &&Spell| {
            spell.who.holds(place, None)
                && spell.fault == Fault::Gone
                && spell.share >= 1_000_000
                && spell.from > now
        };
        let spells = self.spells.iter().filter(takes);
        spells.map(|spell| spell.from).min()
    }

    /// Takes a request apart as strictly as a provider may.
    fn read<'a>(
        &self,
        link: &Link,
        bytes: &'a [u8],
        generation: &Generation<'_>,
    ) -> Result<(TargetId, (u8, u32), Letter<'a>), Broken> {
        let wrong = |what: &str| Broken::new(Rule::Request, what.to_owned());
        let (provider, endpoint) = link.place();
        let end = wire::find(bytes, b"\r\n\r\n");
        let (head, body) = end
            .and_then(|end| bytes.split_at_checked(end + 4))
            .ok_or_else(|| wrong("a request's head has no end"))?;
        let head = std::str::from_utf8(head).map_err(|_| wrong("a head is not text"))?;
        let known = self.roster.provider(provider);
        let name = known.map(|known| &*known.name);
        let address = known.and_then(|known| known.endpoints.get(usize::from(endpoint)));
        let mut host = None;
        let mut length = None;
        let mut keys = Vec::new();
        for line in head.lines() {
            let (field, value) = line.split_once(':').unwrap_or_default();
            let value = value.strip_prefix(' ').unwrap_or_default();
            match field {
                "authorization" => keys.push(self.keyring.read(provider, value)),
                "content-length" => length = value.parse().ok(),
                "host" => host = Some(value),
                _ => {}
            }
        }
        if host.is_none() || host != address.map(|address| &*address.host) {
            return Err(wrong("an endpoint was asked by another's name"));
        }
        let [Some(key)] = keys.as_slice() else {
            return Err(Broken::new(Rule::Key, format!("{name:?} got {keys:?}")));
        };
        if length != Some(body.len()) {
            return Err(wrong("a request's length is wrong"));
        }
        let letter = Letter::read(body).ok_or_else(|| wrong("a request's body was changed"))?;
        let target = target_of(provider, letter.model, generation);
        let target = target.ok_or_else(|| wrong("a provider was asked for another's model"))?;
        if letter
            .goes_on
            .is_some_and(|(form, _)| generation.continuation(provider) != Some(form))
        {
            return Err(wrong("a provider does not go on when it is asked so"));
        }
        Ok((target, *key, letter))
    }

    /// The first fault of this phase that strikes now.
    fn strikes(
        &mut self,
        now: Moment,
        place: (ProviderId, u16),
        asked: Option<(TargetId, u8)>,
        phase: Phase,
    ) -> Option<Fault> {
        let Self { spells, dice, .. } = self;
        spells
            .iter()
            .find(|spell| {
                spell.fault.phase() == phase
                    && spell.who.holds(place, asked)
                    && spell.holds(now)
                    && dice.happens(spell.share)
            })
            .map(|spell| spell.fault)
    }

    fn nature(&self, provider: ProviderId) -> Nature {
        self.natures
            .get(provider.index())
            .copied()
            .unwrap_or_default()
    }
}

/// Which target of the roster this is to the plan.
fn target_of(provider: ProviderId, model: &str, generation: &Generation<'_>) -> Option<TargetId> {
    let own = generation.own_provider(provider)?;
    let mut targets = generation.plan.policy.targets.iter();
    let index = targets.position(|target| {
        target.provider == own
            && match &target.model {
                ModelName::Fixed(name) => **name == *model,
                ModelName::Asked => true,
            }
    })?;
    generation.target(TargetId(u16::try_from(index).ok()?))
}

const fn bit(endpoint: u16) -> u64 {
    1 << (endpoint % 64)
}

/// The idle connections of one worker; the one used last is reused first.
#[derive(Debug, Default)]
pub(super) struct Pool(Vec<Link>);

impl Pool {
    /// A connection to an endpoint that is not known to be closed. One that has rested less than a second is not looked at.
    pub(super) fn take(
        &mut self,
        now: Moment,
        provider: ProviderId,
        endpoint: u16,
    ) -> Option<Link> {
        loop {
            let index = self
                .0
                .iter()
                .rposition(|link| link.provider == provider && link.endpoint == endpoint)?;
            let mut link = self.0.remove(index);
            let age = now.since(link.rested);
            if age < TRUSTED_FOR || (age < IDLE_MAX && !link.pipe.is_over(now)) {
                link.reused = true;
                return Some(link);
            }
        }
    }

    pub(super) fn put(&mut self, now: Moment, link: Link) {
        if self.0.len() < LINKS_MAX {
            self.0.push(Link {
                rested: now,
                ..link
            });
        }
    }
}

/// As the runtime's pool has them.
const TRUSTED_FOR: Span = Span::from_secs(1);
const IDLE_MAX: Span = Span::from_secs(50);
const LINKS_MAX: usize = 512;
