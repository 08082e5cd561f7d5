//! A simulated provider: a seeded machine from requests to timed bytes, in the format that it is asked in.
//!
//! ```text
//!   request ─ Asked::read ─→ Asked ─ Simulated::answer ─→ Answer: bytes, the moments to write them, and how it ends
//! ```
//! It exists so that a policy can be tried, drilled and measured without a key and without a bill. The same seed and
//! the same requests give the same bytes. It knows no socket and no clock: delays are spans, and whoever serves it
//! waits.

mod asked;
mod forms;
mod own;
mod text;
mod write;

#[cfg(test)]
mod tests;

use crate::base::{Span, hash};
use crate::dialect::format::Format;
use crate::policy::drill::{BadKey, Fault};
use crate::policy::model::{Act, ScriptStep, Simulation};

pub use self::asked::{Asked, Wanted};
pub use self::forms::{Scripted, error_answer, error_event, scripted};

/// One simulated provider.
#[derive(Clone, Debug)]
pub struct Simulated {
    simulation: Simulation,
    seed: u64,
    /// Generating requests so far: each draws its own time to first content.
    served: u64,
    /// The script's current step, and how many requests it has answered.
    step: usize,
    step_served: u32,
    live: Option<Act>,
}

/// What to write, when, and what to do then.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// All bytes, HTTP framing included.
    pub bytes: Vec<u8>,
    /// When to write which part of them, in order; the parts follow one another without gaps.
    pub steps: Vec<Step>,
    /// What happens to the connection after the last step.
    pub ending: Ending,
}

/// Bytes to write at one moment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Step {
    /// From the step before, or from the request's last byte.
    pub delay: Span,
    /// Where the part ends in [`Answer::bytes`]; it begins where the one before ended.
    pub end: usize,
}

/// How an answer ends.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Ending {
    /// The answer is complete, and the connection serves the next request.
    #[default]
    Clean,
    /// The connection is reset.
    Reset,
    /// Nothing more is sent, and the connection stays open until the client leaves.
    Hang,
}

impl Simulated {
    /// A provider that behaves as `simulation` says. `seed` fixes its latencies and texts.
    pub const fn new(simulation: Simulation, seed: u64) -> Self {
        Self {
            simulation,
            seed,
            served: 0,
            step: 0,
            step_served: 0,
            live: None,
        }
    }

    /// Overrides the script until it is lifted with `None`. The script stands still meanwhile.
    pub const fn set_act(&mut self, act: Option<Act>) {
        self.live = act;
    }

    /// The answer to one request, into `answer`, whose buffers are reused.
    ///
    /// Lists of models and unknown paths are answered well whatever the script says — a provider whose list is healthy
    /// while its models fail is the usual case — unless a live [`Act::Refuse`] or [`Act::Hang`] takes the whole
    /// provider away.
    pub fn answer(&mut self, asked: &Asked<'_>, answer: &mut Answer) {
        answer.clear();
        let generates = matches!(
            asked.wanted,
            Wanted::Answer | Wanted::Stream { .. } | Wanted::Embeddings { .. }
        );
        let act = match self.live {
            Some(act) if generates || matches!(act, Act::Refuse | Act::Hang) => act,
            None if generates => self.scripted(),
            _ => Act::Ok,
        };
        let timing = Timing {
            ttft: if generates { self.ttft() } else { Span::ZERO },
            gap: self.simulation.gap,
            words: self.simulation.tokens,
            draw: hash::mix(self.seed, self.served),
        };
        self.served += u64::from(generates);
        match act {
            Act::Refuse => answer.ending = Ending::Reset,
            Act::Hang => answer.ending = Ending::Hang,
            Act::Status(status) => refuse(answer, asked, status),
            Act::ModelGone => match foreign(asked, Fault::ModelGone) {
                Some(said) => own::scripted(answer, asked, &said),
                None => write::model_gone(answer, asked),
            },
            Act::BadKey => refuse(answer, asked, 401),
            Act::Ok | Act::Stall | Act::Cut | Act::ErrorEvent => match asked.format {
                Format::Chat => write::served(answer, asked, &timing, act),
                _ => own::served(answer, asked, &timing, act),
            },
        }
    }

    /// What whoever shows no credential is told, into `answer`.
    pub fn refuse(asked: &Asked<'_>, answer: &mut Answer) {
        answer.clear();
        refuse(answer, asked, 401);
    }

    /// The script's act for the next request.
    pub(in crate::sim) fn scripted(&mut self) -> Act {
        // Leaving a used-up step, passing the end and coming round to any other step takes this many turns; a script
        // of steps that answer no request at all is none.
        for _ in 0..self.simulation.script.len() + 2 {
            match self.simulation.script.get(self.step) {
                None => self.step = 0,
                Some(&ScriptStep { act, times }) if self.step_served < times => {
                    self.step_served += 1;
                    return act;
                }
                Some(_) => {
                    self.step += 1;
                    self.step_served = 0;
                }
            }
        }
        Act::Ok
    }

    /// The time to first content of the next request, drawn evenly.
    fn ttft(&self) -> Span {
        let (shortest, longest) = self.simulation.ttft;
        let width = longest
            .saturating_sub(shortest)
            .as_nanos()
            .saturating_add(1);
        let drawn = hash::scale(hash::mix(self.seed ^ TTFT_SALT, self.served), width);
        shortest.saturating_add(Span::from_nanos(drawn))
    }
}

fn refuse(answer: &mut Answer, asked: &Asked<'_>, status: u16) {
    let fault = match status {
        401 => Fault::Key(BadKey::Revoked),
        _ => Fault::Status {
            status,
            retry_after: None,
        },
    };
    match foreign(asked, fault) {
        Some(said) => own::scripted(answer, asked, &said),
        None => write::refusal(answer, asked, status),
    }
}

/// What a provider with a format of its own says.
fn foreign(asked: &Asked<'_>, fault: Fault) -> Option<Scripted> {
    (asked.format != Format::Chat).then(|| scripted(asked.format, fault))?
}

/// Keeps latencies independent of texts.
const TTFT_SALT: u64 = 0x7474_6674;

/// The pace of one answer.
struct Timing {
    ttft: Span,
    gap: Span,
    words: u32,
    /// Chooses the text.
    draw: u64,
}

impl Answer {
    /// The parts with their delays.
    pub fn parts(&self) -> impl Iterator<Item = (Span, &[u8])> {
        let mut start = 0;
        self.steps.iter().map(move |step| {
            let part = self.bytes.get(start..step.end).unwrap_or_default();
            start = step.end;
            (step.delay, part)
        })
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.steps.clear();
        self.ending = Ending::Clean;
    }

    /// Makes a part of the bytes written since the last one. A part without a delay joins the one before.
    fn part(&mut self, delay: Span) {
        let end = self.bytes.len();
        match self.steps.last_mut() {
            Some(last) if delay == Span::ZERO => last.end = end,
            _ => self.steps.push(Step { delay, end }),
        }
    }
}
