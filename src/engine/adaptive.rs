//! How many requests a target bears, learned from its answers: `max_inflight = auto`.
//!
//! The gradient controller of Netflix' concurrency-limits and of Envoy's adaptive concurrency, with the slow start of
//! TCP (RFC 5681, 3.1), in steps of at least a second:
//!
//! ```text
//!   slowdown   how much longer answers take than those of a target at ease (geometric means, by form)
//!   limit'     (limit + √limit) · TOLERANCE / slowdown, at least half, where answers are slow; else limit + √limit / 2
//!              doubled instead while it is below half of where it met its bound last
//!              cut to the part that was answered where more than one in twenty was refused
//! ```
//! What a target at ease takes is not known for ever, and a limit that grows only while it is used says nothing about
//! it. So both are asked about: when answers are slow and half of the requests are gone, they must have become faster.
//! If they have not, it is not our load that makes them slow, and what they take now is the new measure. Where the limit
//! has been reached for five minutes it is halved for one step to see.
//!
//! Cores write their own counts and the tick sums them. A pick compares with one word, as for a fixed `max_inflight`.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, PoisonError};

use crate::base::{Moment, Outcome, OutcomeSet, Span};
use crate::engine::board::{Padded, many};
use crate::engine::chain::Form;
use crate::policy::model::AutoInflight;

/// What is known of how much one target bears.
#[derive(Debug)]
pub(crate) struct Adaptive {
    counts: Box<[Padded<Counts>]>,
    /// The tick's own; never taken while a request runs.
    control: Mutex<Control>,
}

impl Adaptive {
    /// Nothing is known yet.
    pub(crate) fn new(range: AutoInflight, cores: usize) -> Self {
        Self {
            counts: many(cores),
            control: Mutex::new(Control::new(range)),
        }
    }

    /// An answer came on `core`: after so long its first content, or all of it where it is in one piece.
    pub(crate) fn answered(&self, core: usize, form: Form, time: Span) {
        if let Some(counts) = self.counts.get(core) {
            let (count, log) = match form {
                Form::Stream => (&counts.answers[0], &counts.logs[0]),
                Form::Whole => (&counts.answers[1], &counts.logs[1]),
            };
            add(count, 1);
            add(log, log2(time));
        }
    }

    /// An attempt on `core` ended so; what says that the target has too much to do is counted.
    pub(crate) fn ended(&self, core: usize, outcome: Outcome) {
        if REFUSED.has(outcome)
            && let Some(counts) = self.counts.get(core)
        {
            add(&counts.refused, 1);
        }
    }

    /// Looks at what came since the last time; gives how many requests the target may have now, within `range`.
    pub(crate) fn tick(&self, now: Moment, range: AutoInflight, inflight: u32) -> u32 {
        let seen = self
            .counts
            .iter()
            .fold(Seen::default(), |sum, counts| sum.plus(counts.read()));
        let mut control = self.control.lock().unwrap_or_else(PoisonError::into_inner);
        control.tick(now, range, inflight, seen)
    }
}

/// How many a target may have that nothing is known of.
pub(crate) fn first(range: AutoInflight) -> u32 {
    START.clamp(range.least, range.most)
}

/// One core's; it alone writes it.
#[derive(Debug, Default)]
struct Counts {
    /// Streams, and answers in one piece.
    answers: [AtomicU64; FORMS],
    /// The sums of the logarithms of their times.
    logs: [AtomicU64; FORMS],
    refused: AtomicU64,
}

impl Counts {
    fn read(&self) -> Seen {
        let read = |cells: &[AtomicU64; FORMS]| [0, 1].map(|at: usize| load(cells.get(at)));
        Seen {
            answers: read(&self.answers),
            logs: read(&self.logs),
            refused: self.refused.load(Relaxed),
        }
    }
}

/// Counts at one moment, or the difference of two.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    answers: [u64; FORMS],
    logs: [u64; FORMS],
    refused: u64,
}

impl Seen {
    fn plus(self, other: Self) -> Self {
        self.zip(other, u64::wrapping_add)
    }

    fn since(self, earlier: Self) -> Self {
        self.zip(earlier, u64::wrapping_sub)
    }

    fn zip(mut self, other: Self, f: fn(u64, u64) -> u64) -> Self {
        for (mine, theirs) in self.answers.iter_mut().zip(other.answers) {
            *mine = f(*mine, theirs);
        }
        for (mine, theirs) in self.logs.iter_mut().zip(other.logs) {
            *mine = f(*mine, theirs);
        }
        self.refused = f(self.refused, other.refused);
        self
    }

    fn answered(&self) -> u64 {
        self.answers.iter().sum()
    }

    /// The geometric mean of the times of each form, as a logarithm; of too few there is none.
    fn means(&self) -> [Option<f64>; FORMS] {
        [0, 1].map(|at: usize| {
            let (count, log) = self.answers.get(at).zip(self.logs.get(at))?;
            (*count >= FORM_SAMPLES).then(|| float(*log) / LOG_ONE / float(*count))
        })
    }

    fn refused_part(&self) -> f64 {
        float(self.refused) / float(self.refused.saturating_add(self.answered()).max(1))
    }
}

/// The controller. Times are binary logarithms of microseconds, so that a difference is a ratio.
#[derive(Debug)]
struct Control {
    limit: f64,
    /// What answers of each form take at ease.
    ease: [Option<f64>; FORMS],
    /// Below it the limit doubles.
    threshold: f64,
    /// What was counted when the step began.
    before: Seen,
    /// When that was, or will be.
    from: Moment,
    /// When the limit changed, or more than that was under way.
    changed: Moment,
    /// The most in flight that a tick of this step saw.
    busiest: u32,
    /// When it was seen last what answers take at ease.
    sure: Moment,
    /// What answers took with more in flight.
    question: Option<Question>,
}

/// Whether fewer requests in flight make answers faster.
#[derive(Clone, Copy, Debug)]
struct Question {
    busiest: u32,
    slowdown: f64,
    limit: f64,
    /// Asked only to know, and given up after this moment.
    trial_until: Option<Moment>,
}

impl Control {
    fn new(range: AutoInflight) -> Self {
        Self {
            limit: f64::from(first(range)),
            ease: [None; FORMS],
            threshold: f64::INFINITY,
            before: Seen::default(),
            from: Moment::START,
            changed: Moment::START,
            busiest: 0,
            sure: Moment::START,
            question: None,
        }
    }

    fn tick(&mut self, now: Moment, range: AutoInflight, inflight: u32, seen: Seen) -> u32 {
        // Streams go on for long: until enough of them have ended, less is asked for already.
        let draining = f64::from(inflight) > self.limit.ceil();
        if draining {
            self.changed = now;
            self.give_up_trial(now);
        }
        if draining || now < self.from {
            self.begin_step(now, seen);
        }
        self.busiest = self.busiest.max(inflight);
        let step = seen.since(self.before);
        let enough = step.answered().saturating_add(step.refused) >= STEP_SAMPLES;
        if enough && now.since(self.from) >= STEP {
            let means = step.means();
            let longest = means.into_iter().flatten().fold(0.0, f64::max);
            let settled = self.changed + Span::from_micros(exp2(longest)).min(SETTLE_MAX);
            // What was asked before the last change says nothing about it.
            if self.from >= settled {
                let before = self.limit;
                self.step(now, &step, means, range);
                #[expect(clippy::float_cmp, reason = "whether it was assigned")]
                if self.limit != before {
                    self.changed = now;
                }
            }
            self.begin_step(now.max(settled), seen);
        }
        self.limit = self
            .limit
            .clamp(f64::from(range.least), f64::from(range.most));
        whole(self.limit)
    }

    /// Judges one step.
    fn step(&mut self, now: Moment, step: &Seen, means: [Option<f64>; FORMS], range: AutoInflight) {
        let refused = step.refused_part();
        let slowdown = self.slowdown(means);
        let used = f64::from(self.busiest) / self.limit;
        if slowdown <= AT_EASE && used <= 0.5 {
            self.sure = now;
        }
        if refused > REFUSED_PART {
            self.question = None;
            self.cut(f64::from(self.busiest), (1.0 - refused).clamp(0.5, 0.9));
        } else if !self.answer(now, means, slowdown) {
            let can_grow = self.limit < f64::from(range.most);
            self.follow(now, slowdown, used, can_grow);
        }
    }

    /// How much slower answers are than at ease, as a logarithm; what is seen for the first time is at ease.
    fn slowdown(&mut self, means: [Option<f64>; FORMS]) -> f64 {
        let (mut sum, mut forms) = (0.0, 0.0);
        for (ease, mean) in self.ease.iter_mut().zip(means) {
            let Some(mean) = mean else { continue };
            let known = ease.get_or_insert(mean);
            let over = mean - *known;
            sum += over;
            forms += 1.0;
            // Quickly down and slowly up, so that a lucky step is no measure for ever.
            if over < 0.0 {
                *known += over / 4.0;
            } else if over < TOLERANCE {
                *known += over / 64.0;
            }
        }
        if forms > 0.0 { sum / forms } else { 0.0 }
    }

    /// Answers the question that was asked, if half of the load is gone; tells whether that settles the step.
    fn answer(&mut self, now: Moment, means: [Option<f64>; FORMS], slowdown: f64) -> bool {
        let Some(question) = &mut self.question else {
            return false;
        };
        if self.busiest > question.busiest / 2 {
            // It takes a while until answers are as slow as they will be.
            question.slowdown = question.slowdown.max(slowdown);
            return question.trial_until.is_some();
        }
        let question = *question;
        self.question = None;
        let faster = slowdown <= question.slowdown - FASTER;
        if faster && (question.trial_until.is_none() || slowdown > TOLERANCE) {
            // Our load it is.
            return false;
        }
        for (ease, mean) in self.ease.iter_mut().zip(means) {
            *ease = mean.or(*ease);
        }
        self.sure = now;
        self.limit = question.limit;
        true
    }

    fn follow(&mut self, now: Moment, slowdown: f64, used: f64, can_grow: bool) {
        if slowdown > TOLERANCE {
            let question = Question {
                busiest: self.busiest,
                slowdown,
                limit: self.limit,
                trial_until: None,
            };
            self.question.get_or_insert(question);
            let gradient = (TOLERANCE - slowdown).exp2().max(0.5);
            self.cut(f64::from(self.busiest), gradient);
            return;
        }
        self.question = None;
        if can_grow && used >= 0.9 && now.since(self.sure) >= UNSURE_AFTER {
            self.question = Some(Question {
                busiest: self.busiest,
                slowdown,
                limit: self.limit,
                trial_until: Some(now + TRIAL_MAX),
            });
            self.limit = self.limit.min(f64::from(self.busiest)) / 2.0;
        } else if used >= 0.5 {
            let doubled = self.limit * 2.0;
            self.limit = if doubled <= self.threshold {
                doubled
            } else {
                self.limit + self.limit.sqrt() / 2.0
            };
        }
    }

    fn begin_step(&mut self, from: Moment, seen: Seen) {
        self.from = self.from.max(from);
        self.before = seen;
        self.busiest = 0;
    }

    /// Less, from what was in use on.
    fn cut(&mut self, busiest: f64, gradient: f64) {
        let used = self.limit.min(busiest.max(1.0));
        self.threshold = used / 2.0;
        self.limit = self.limit.min((used + used.sqrt()) * gradient);
    }

    /// A trial that cannot be judged since its streams do not end is none.
    fn give_up_trial(&mut self, now: Moment) {
        let over = |question: &Question| question.trial_until.is_some_and(|until| now >= until);
        if let Some(question) = self.question.take_if(|question| over(question)) {
            self.limit = question.limit;
            self.sure = now;
        }
    }
}

/// `log2` of whole microseconds in units of 1/[`LOG_ONE`], with straight lines between powers of two: at most 0.09 too low,
/// and cheaper than a table.
fn log2(time: Span) -> u64 {
    let us = time.as_micros().max(1);
    let octave = us.ilog2();
    // The bits behind the leading one, as a fraction of 16 bits.
    let rest = u128::from(us) << 16 >> octave;
    (u64::from(octave) << 16).saturating_add(u64::try_from(rest).unwrap_or(0) & 0xffff)
}

fn exp2(log: f64) -> u64 {
    let us = log.clamp(0.0, 40.0).exp2();
    u64::from(whole(us.min(f64::from(u32::MAX))))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "casts of floats saturate, and these are within a range"
)]
const fn whole(value: f64) -> u32 {
    value as u32
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts, and sums that a difference was made of"
)]
const fn float(count: u64) -> f64 {
    count as f64
}

fn load(cell: Option<&AtomicU64>) -> u64 {
    cell.map_or(0, |cell| cell.load(Relaxed))
}

// PERF: one writer, so a plain load and store do what a locked instruction would.
fn add(cell: &AtomicU64, more: u64) {
    cell.store(cell.load(Relaxed).wrapping_add(more), Relaxed);
}

/// What a target says, or does, that has too much to do.
const REFUSED: OutcomeSet = OutcomeSet::EMPTY
    .with(Outcome::Overloaded)
    .with(Outcome::S429)
    .with(Outcome::Timeout)
    .with(Outcome::Ttft);
/// Streams, and answers in one piece: their times are not comparable.
const FORMS: usize = 2;
const LOG_ONE: f64 = 65_536.0;
/// Where it begins: enough for a burst, and little for a provider.
const START: u32 = 64;
/// The fewest ends that a step is judged by, and the fewest of one form: with times that spread as those of prompts of all
/// lengths do, a mean of sixteen is off by a fifth.
const STEP_SAMPLES: u64 = 16;
const FORM_SAMPLES: u64 = 8;
/// The shortest step.
const STEP: Span = Span::from_secs(1);
/// One and a half times as long: what chance does to a mean of sixteen stays below.
const TOLERANCE: f64 = 0.585;
/// Less than an eighth longer.
const AT_EASE: f64 = 0.17;
/// Three quarters of the time, where half of the load would do half.
const FASTER: f64 = 0.4;
/// One in twenty.
const REFUSED_PART: f64 = 0.05;
/// After this time at the limit it is halved for a step.
const UNSURE_AFTER: Span = Span::from_secs(300);
const TRIAL_MAX: Span = Span::from_secs(30);
/// Longer than this a step does not wait for what was asked before it.
const SETTLE_MAX: Span = Span::from_secs(30);

#[cfg(test)]
mod tests {
    use super::log2;
    use crate::base::Span;

    #[test]
    fn logarithms_rise_and_are_nearly_right() {
        let mut before = 0;
        for us in (1..5_000_000).step_by(997) {
            let log = log2(Span::from_micros(us));
            assert!(log >= before, "{us}");
            before = log;
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let off = (us as f64).log2() - log as f64 / 65_536.0;
            assert!((-1e-4..0.09).contains(&off), "{us}: {off}");
        }
    }
}
