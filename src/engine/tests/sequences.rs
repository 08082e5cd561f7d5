//! The breaker against a model that is written the slow way, over every sequence of events to a small depth.

use crate::base::{Moment, Outcome, Span, TargetId};
use crate::engine::tests::world::{MS, SECOND, Setup, World, breaker};
use crate::engine::{Chain, Order, Rule, State, Step};
use crate::policy::model::{Breaker, Measure, Pick, PromptSize, Ramp, SlowRule};

/// What can happen to the one target of the world.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// A request on this core that ends at once.
    Whole(usize, Outcome),
    /// One on core 1 whose first content takes 150 ms.
    Slow,
    /// A stream on core 1 that has content at once, then nothing for so long, and then ends so or loses its client.
    Stream(Span, Option<Outcome>),
    /// One on core 0 that stays under way.
    Begin,
    /// The oldest one under way ends so, or its client leaves.
    End(Option<Outcome>),
    /// Time passes, then a tick.
    Pass(Span),
    /// An operator orders this.
    Order(Order),
}

const EVENTS: [Event; 9] = [
    Event::Whole(0, Outcome::Ok),
    Event::Whole(0, Outcome::S5xx),
    Event::Whole(1, Outcome::Connect),
    Event::Slow,
    Event::Begin,
    Event::End(Some(Outcome::Ok)),
    Event::End(Some(Outcome::Timeout)),
    Event::End(None),
    Event::Pass(Span::from_millis(1_150)),
];

/// Fewer, so that more of them fit: no latency, but short steps within the window.
const STEPS: [Event; 5] = [
    Event::Whole(0, Outcome::Ok),
    Event::Whole(1, Outcome::S5xx),
    Event::Whole(0, Outcome::S4xx),
    Event::Pass(Span::from_millis(100)),
    Event::Pass(Span::from_millis(450)),
];

/// With an operator.
const ORDERS: [Event; 9] = [
    Event::Whole(0, Outcome::Ok),
    Event::Whole(1, Outcome::S5xx),
    Event::Begin,
    Event::End(Some(Outcome::Timeout)),
    Event::Pass(Span::from_millis(1_150)),
    Event::Order(Order::Auto),
    Event::Order(Order::Drain),
    Event::Order(Order::Open),
    Event::Order(Order::Close),
];

const STALL: Event = Event::Stream(Span::from_millis(150), Some(Outcome::Ok));

/// Streams with a gap that is too long, or not, and requests without.
const GAPS: [Event; 7] = [
    STALL,
    Event::Stream(Span::from_millis(100), Some(Outcome::Ok)),
    Event::Stream(Span::from_millis(150), Some(Outcome::StreamAbort)),
    Event::Stream(Span::from_millis(150), None),
    Event::Stream(Span::from_millis(100), None),
    Event::Whole(0, Outcome::Ok),
    Event::Pass(Span::from_millis(1_150)),
];

const OPENED: [Event; 2] = [
    Event::Whole(0, Outcome::S5xx),
    Event::Whole(1, Outcome::S5xx),
];
const HALF_OPEN: [Event; 3] = [
    Event::Whole(0, Outcome::S5xx),
    Event::Whole(1, Outcome::S5xx),
    Event::Pass(Span::from_millis(1_150)),
];

/// After [`HALF_OPEN`]: on the first step of the ramp.
const RAMP: [Event; 5] = [
    Event::Whole(0, Outcome::S5xx),
    Event::Whole(1, Outcome::S5xx),
    Event::Pass(Span::from_millis(1_150)),
    Event::Whole(0, Outcome::Ok),
    Event::Whole(1, Outcome::Ok),
];

const GAP_PROBING: [Event; 5] = [
    STALL,
    STALL,
    STALL,
    Event::Pass(MS),
    Event::Pass(Span::from_millis(1_150)),
];

const SLOW_PROBING: [Event; 5] = [
    Event::Slow,
    Event::Slow,
    Event::Slow,
    Event::Pass(MS),
    Event::Pass(Span::from_millis(1_150)),
];

fn small() -> Breaker {
    Breaker {
        window: SECOND,
        min_requests: 3,
        error_rate: Some(500_000),
        consecutive: Some(2),
        slow: vec![
            SlowRule {
                measure: Measure::Ttft,
                prompts: None,
                percentile: 500_000,
                limit: Span::from_millis(100),
            },
            SlowRule {
                measure: Measure::Gap,
                prompts: None,
                percentile: 500_000,
                limit: Span::from_millis(100),
            },
        ],
        cool_down: (SECOND, Span::from_secs(4)),
        probes: 1,
        need: 2,
        ramp: Ramp::new(&[250_000, 500_000, 1_000_000]).unwrap(),
        step: Span::from_millis(700),
        ..breaker()
    }
}

#[test]
fn every_short_sequence_agrees_with_the_model() {
    every(&EVENTS, 4, &[], &small());
    every(&EVENTS, 4, &OPENED, &small());
    every(&EVENTS, 5, &HALF_OPEN, &small());
    every(&EVENTS, 3, &SLOW_PROBING, &small());
    every(&EVENTS, 4, &RAMP, &small());
    every(&GAPS, 4, &[STALL], &small());
    every(&GAPS, 3, &GAP_PROBING, &small());
    every(&GAPS, 3, &RAMP, &small());
    every(&STEPS, 6, &RAMP, &small());
    every(&ORDERS, 3, &[], &small());
    every(&ORDERS, 4, &HALF_OPEN, &small());
    every(&ORDERS, 3, &RAMP, &small());
    let patient = Breaker {
        consecutive: None,
        probes: 2,
        need: 1,
        ramp: Ramp::default(),
        ..small()
    };
    every(&EVENTS, 4, &[Event::Whole(0, Outcome::S5xx); 3], &patient);
    every(&STEPS, 6, &[], &patient);
}

fn every(events: &[Event], depth: u32, prefix: &[Event], breaker: &Breaker) {
    let mut world = Setup {
        tiers: vec![(Pick::Weighted, vec![1])],
        cores: 2,
        breaker: breaker.clone(),
        ..Setup::default()
    }
    .build();
    let base = events.len();
    for code in 0..base.pow(depth) {
        let mut rest = code;
        let tail = (0..depth).map(|_| {
            let event = events[rest % base];
            rest /= base;
            event
        });
        let sequence: Vec<_> = prefix.iter().copied().chain(tail).collect();
        world.renew();
        run(&mut world, &sequence, breaker);
    }
}

fn run(world: &mut World, sequence: &[Event], breaker: &Breaker) {
    let mut model = Model::new(breaker);
    let mut under_way = std::collections::VecDeque::new();
    for &event in sequence {
        match event {
            Event::Whole(core, outcome) => {
                if let Some((mut chain, begun)) = begin(world, &mut model, core, sequence) {
                    world.end(&mut chain, core, outcome);
                    model.ended(world.now, begun, Some(outcome), None);
                }
            }
            Event::Slow => {
                if let Some((mut chain, begun)) = begin(world, &mut model, 1, sequence) {
                    world.now = world.now + Span::from_millis(150);
                    world.content(&mut chain, 1);
                    model.sample(begun, Span::from_millis(150));
                    world.end(&mut chain, 1, Outcome::Ok);
                    let seen = Seen {
                        ttft: Span::from_millis(150),
                        gap: Span::ZERO,
                    };
                    model.ended(world.now, begun, Some(Outcome::Ok), Some(seen));
                }
            }
            Event::Stream(gap, outcome) => {
                if let Some((mut chain, begun)) = begin(world, &mut model, 1, sequence) {
                    world.content(&mut chain, 1);
                    model.sample(begun, Span::ZERO);
                    chain.gap(MS);
                    chain.gap(gap);
                    chain.gap(MS);
                    world.now = world.now + gap;
                    match outcome {
                        Some(outcome) => world.end(&mut chain, 1, outcome),
                        None => world.abandon(&mut chain, 1),
                    }
                    let ttft = Span::ZERO;
                    model.ended(world.now, begun, outcome, Some(Seen { ttft, gap }));
                }
            }
            Event::Begin => under_way.extend(begin(world, &mut model, 0, sequence)),
            Event::End(outcome) => {
                if let Some((mut chain, begun)) = under_way.pop_front() {
                    match outcome {
                        Some(outcome) => world.end(&mut chain, 0, outcome),
                        None => world.abandon(&mut chain, 0),
                    }
                    model.ended(world.now, begun, outcome, None);
                }
            }
            Event::Order(order) => {
                let before = world.board.order(TargetId(0), order);
                assert_eq!(before, Some(model.order), "{sequence:?}");
                model.order = order;
            }
            Event::Pass(span) => {
                world.pass(span);
                model.tick(world.now);
            }
        }
        model.adopt(world, sequence);
    }
    for (mut chain, _) in under_way {
        world.abandon(&mut chain, 0);
    }
    assert_eq!(world.status('a').inflight, 0);
}

fn begin(
    world: &mut World,
    model: &mut Model<'_>,
    core: usize,
    sequence: &[Event],
) -> Option<(Chain, Begun)> {
    let mut chain = world.chain();
    let step = world.next(&mut chain, core);
    let begun = model.begin(world.now);
    assert_eq!(
        matches!(step, Step::Attempt(_)),
        begun.is_some(),
        "{sequence:?}"
    );
    begun.map(|begun| (chain, begun))
}

/// An attempt as the model knows it.
#[derive(Clone, Copy, Debug)]
struct Begun {
    at: Moment,
    epoch: u32,
    probe: bool,
}

/// What was seen of a stream that had content.
#[derive(Clone, Copy, Debug)]
struct Seen {
    ttft: Span,
    /// The longest.
    gap: Span,
}

/// What was counted: in which epoch, after how many ticks.
struct Record {
    epoch: u32,
    ticks: usize,
    /// A request and whether it was ill, or a time to first content or a stream's longest gap and whether it was slow.
    what: What,
}

enum What {
    Request { ill: bool },
    Sample { slow: bool },
    Gap { slow: bool },
}

/// The breaker as the documents describe it: it keeps every record for ever and counts them anew at each tick.
struct Model<'a> {
    rules: &'a Breaker,
    order: Order,
    state: State,
    why: Option<Rule>,
    epoch: u32,
    level: u32,
    /// What `until` is expected to be, a tenth more or less; settled by `adopt`.
    cool_down: Option<(Moment, Span)>,
    until: Moment,
    steady: Option<Moment>,
    ramp_begun: Moment,
    streak: u32,
    out: u32,
    wins: u32,
    records: Vec<Record>,
    ticks: Vec<Moment>,
    opened: u64,
}

impl<'a> Model<'a> {
    fn new(rules: &'a Breaker) -> Self {
        Self {
            rules,
            order: Order::Auto,
            state: State::Closed,
            why: None,
            epoch: 0,
            level: 0,
            cool_down: None,
            until: Moment::START,
            steady: None,
            ramp_begun: Moment::START,
            streak: 0,
            out: 0,
            wins: 0,
            records: Vec::new(),
            ticks: Vec::new(),
            opened: 0,
        }
    }

    fn begin(&mut self, now: Moment) -> Option<Begun> {
        let probe = match (self.order, self.state) {
            (Order::Drain | Order::Open, _) => return None,
            (Order::Close, _) | (_, State::Closed | State::Ramp) => false,
            (_, State::Open) => return None,
            (_, State::HalfOpen) if self.out >= self.rules.probes => return None,
            (_, State::HalfOpen) => true,
        };
        self.out += u32::from(probe);
        Some(Begun {
            at: now,
            epoch: self.epoch,
            probe,
        })
    }

    /// What an order let through a breaker that would not have is no probe, and says nothing.
    fn has_a_say(&self, begun: Begun) -> bool {
        let passes = matches!(self.state, State::Closed | State::Ramp);
        begun.epoch == self.epoch && (begun.probe || passes)
    }

    fn sample(&mut self, begun: Begun, ttft: Span) {
        if !begun.probe && self.has_a_say(begun) {
            self.record(What::Sample {
                slow: ttft > self.rules.slow[0].limit,
            });
        }
    }

    fn ended(&mut self, now: Moment, begun: Begun, outcome: Option<Outcome>, seen: Option<Seen>) {
        if !self.has_a_say(begun) {
            return;
        }
        let waited = now.since(begun.at);
        let limit = self.rules.slow[0].limit;
        if begun.probe {
            self.out -= 1;
            let looked_at = match self.why {
                Some(Rule::Slow(Measure::Ttft, 0, PromptSize::Short)) => seen.map(|seen| seen.ttft),
                Some(Rule::Slow(Measure::Gap, 1, PromptSize::Long)) => seen.map(|seen| seen.gap),
                _ => None,
            };
            match outcome {
                Some(Outcome::Ok) if looked_at.is_some_and(|time| time > limit) => {
                    self.refuse(now, self.why);
                }
                Some(Outcome::Ok) => self.win(now),
                Some(Outcome::S4xx) | None => {}
                Some(_) => self.refuse(now, self.why),
            }
            return;
        }
        match outcome {
            Some(Outcome::Ok) => {
                self.streak = 0;
                self.record(What::Request { ill: false });
            }
            Some(Outcome::S4xx) => {}
            Some(outcome) => {
                self.streak += 1;
                self.record(What::Request { ill: true });
                let reached = self
                    .rules
                    .consecutive
                    .is_some_and(|limit| self.streak >= limit);
                if reached {
                    self.refuse(now, Some(Rule::Consecutive));
                } else if outcome == Outcome::Timeout && seen.is_none() {
                    self.record(What::Sample {
                        slow: waited > limit,
                    });
                }
            }
            None if seen.is_none() && waited > limit => self.record(What::Sample { slow: true }),
            None => {}
        }
        // Unless that has opened it.
        if let Some(Seen { gap, .. }) = seen.filter(|_| self.has_a_say(begun)) {
            let slow = gap > self.rules.slow[1].limit;
            if slow || outcome == Some(Outcome::Ok) {
                self.record(What::Gap { slow });
            }
        }
    }

    fn win(&mut self, now: Moment) {
        self.wins += 1;
        if self.wins >= self.rules.need {
            self.epoch += 1;
            self.streak = 0;
            if self.rules.ramp.steps().is_empty() {
                self.close(now);
            } else {
                self.state = State::Ramp;
                self.ramp_begun = now;
            }
        }
    }

    fn close(&mut self, now: Moment) {
        self.state = State::Closed;
        self.steady = Some(now + self.rules.cool_down.1);
    }

    /// Walks up the steps.
    fn ramp_share(&self, now: Moment) -> u32 {
        let mut share = 1_000_000;
        let mut ends = self.ramp_begun;
        for &step in self.rules.ramp.steps() {
            ends = ends + self.rules.step;
            if now < ends {
                share = step;
                break;
            }
        }
        share
    }

    fn refuse(&mut self, now: Moment, why: Option<Rule>) {
        let flaps = self.steady.is_some_and(|steady| now < steady);
        self.level = if self.state != State::Closed || flaps {
            self.level + 1
        } else {
            0
        };
        let (first, longest) = self.rules.cool_down;
        self.cool_down = Some((now, first.saturating_mul(1 << self.level).min(longest)));
        self.state = State::Open;
        self.why = why;
        self.epoch += 1;
        self.opened += 1;
    }

    fn tick(&mut self, now: Moment) {
        match self.state {
            State::Closed => self.judge(now),
            State::Ramp => {
                self.judge(now);
                if self.state == State::Ramp && self.ramp_share(now) == 1_000_000 {
                    self.close(now);
                }
            }
            State::Open if now >= self.until => {
                self.state = State::HalfOpen;
                self.epoch += 1;
                self.out = 0;
                self.wins = 0;
            }
            State::Open | State::HalfOpen => {}
        }
        self.ticks.push(now);
    }

    fn judge(&mut self, now: Moment) {
        let [requests, ill, samples, slow, gaps, slow_gaps] = self.window(now);
        let enough = u64::from(self.rules.min_requests);
        if requests >= enough
            && self
                .rules
                .error_rate
                .is_some_and(|rate| ill * 1_000_000 > requests * u64::from(rate))
        {
            self.refuse(now, Some(Rule::ErrorRate));
        } else if samples >= enough
            && slow * 1_000_000 > samples * u64::from(1_000_000 - self.rules.slow[0].percentile)
        {
            self.refuse(now, Some(Rule::Slow(Measure::Ttft, 0, PromptSize::Short)));
        } else if gaps >= enough
            && slow_gaps * 1_000_000 > gaps * u64::from(1_000_000 - self.rules.slow[1].percentile)
        {
            self.refuse(now, Some(Rule::Slow(Measure::Gap, 1, PromptSize::Long)));
        }
    }

    /// All records of this epoch that came after the last tick before the window's first tenth.
    fn window(&self, now: Moment) -> [u64; 6] {
        let tenth = |at: Moment| at.as_nanos() / (self.rules.window.as_nanos() / 10);
        let before = |&&at: &&Moment| tenth(at) + 9 < tenth(now);
        let first = self.ticks.iter().take_while(before).count();
        let mut sums = [0; 6];
        for record in &self.records {
            if record.epoch == self.epoch && record.ticks >= first {
                match record.what {
                    What::Request { ill } => {
                        sums[0] += 1;
                        sums[1] += u64::from(ill);
                    }
                    What::Sample { slow } => {
                        sums[2] += 1;
                        sums[3] += u64::from(slow);
                    }
                    What::Gap { slow } => {
                        sums[4] += 1;
                        sums[5] += u64::from(slow);
                    }
                }
            }
        }
        sums
    }

    fn record(&mut self, what: What) {
        self.records.push(Record {
            epoch: self.epoch,
            ticks: self.ticks.len(),
            what,
        });
    }

    /// Compares with the real one, and takes the jittered end of a cool-down from it.
    fn adopt(&mut self, world: &World, sequence: &[Event]) {
        let status = world.status('a');
        let context = || format!("{sequence:?}\n{status:?}");
        assert_eq!(status.state, self.state, "{}", context());
        assert_eq!(status.opened, self.opened, "{}", context());
        assert!(status.probes <= self.rules.probes, "{}", context());
        if self.state == State::HalfOpen {
            assert_eq!(status.probes, self.out, "{}", context());
        }
        let share = (self.state == State::Ramp).then(|| self.ramp_share(world.now));
        assert_eq!(status.ramp, share, "{}", context());
        if self.state == State::Open {
            assert_eq!(status.why, self.why, "{}", context());
        }
        if let Some((since, length)) = self.cool_down.take() {
            self.until = status.until.unwrap();
            let real = self.until.since(since).as_nanos();
            let tenth = length.as_nanos() / 10;
            assert!(
                real.abs_diff(length.as_nanos()) <= tenth + MS.as_nanos(),
                "{}",
                context()
            );
        }
    }
}
