//! When a target is given up for a while, how it comes back, and repeats at the same one.

use std::fmt;

use crate::base::{OutcomeSet, Span};
use crate::policy::model::At;

/// `breaker NAME { … }`
#[derive(Clone, Debug, PartialEq)]
pub struct Breaker {
    /// Its name; `standard` for the built-in one.
    pub name: Box<str>,
    /// Where it is declared.
    pub at: At,
    /// `window`
    pub window: Span,
    /// `min_requests`
    pub min_requests: u32,
    /// `scope = core`: each core judges alone.
    pub per_core: bool,
    /// `count`: the outcomes that are ill health.
    pub count: OutcomeSet,
    /// `open when error_rate > …`, in parts per million.
    pub error_rate: Option<u32>,
    /// `open when consecutive >= …`
    pub consecutive: Option<u32>,
    /// `open when p95(ttft) > …`, `open when slow(gap > …) > …` and their like, at most [`Breaker::SLOW_MAX`].
    pub slow: Vec<SlowRule>,
    /// `cool_down = 15s..2m`: first and longest.
    pub cool_down: (Span, Span),
    /// `half_open { probes }`: requests let through at once, over all cores.
    pub probes: u32,
    /// `half_open { need }`: probes that must succeed, one after the other, until it lets others through again.
    pub need: u32,
    /// `half_open { share }`: the part of its weight that a half-open target keeps, in parts per million.
    pub share: u32,
    /// `half_open { ramp }`: the parts of its weight that it gets back then.
    pub ramp: Ramp,
    /// `half_open { step }`: how long it stays at each of them.
    pub step: Span,
    /// `throttle { obey_retry_after }`
    pub obey_retry_after: bool,
    /// `throttle { max }`: the longest pause after a 429.
    pub throttle_max: Span,
}

impl Breaker {
    /// Latency rules of one breaker: each is one counter for each size of prompt in every window bucket.
    pub const SLOW_MAX: usize = 4;
}

/// `half_open { ramp = [1%, 5%, 25%, 100%] }`: rising parts of a target's weight. The last one, all of it, is no step: it is
/// what follows them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Ramp {
    parts: [u32; Self::STEPS_MAX],
    len: u8,
}

impl Ramp {
    /// Steps below all of the weight.
    pub const STEPS_MAX: usize = 8;
    /// What holds unless a policy says otherwise: 1, 5 and 25 %.
    pub const BUILT_IN: Self = Self {
        parts: [10_000, 50_000, 250_000, 0, 0, 0, 0, 0],
        len: 3,
    };

    /// From the parts in parts per million, the last of which is everything; `None` unless they rise, and for too many.
    pub fn new(parts: &[u32]) -> Option<Self> {
        let (&last, steps) = parts.split_last()?;
        let rising = parts.is_sorted_by(|low, high| low < high) && parts.first() != Some(&0);
        let mut ramp = Self {
            parts: [0; Self::STEPS_MAX],
            len: u8::try_from(steps.len()).ok()?,
        };
        let room = ramp.parts.get_mut(..steps.len())?;
        room.copy_from_slice(steps);
        (rising && last == 1_000_000).then_some(ramp)
    }

    /// The parts below everything, in parts per million, in their order.
    pub fn steps(&self) -> &[u32] {
        self.parts.get(..usize::from(self.len)).unwrap_or_default()
    }
}

/// `open when pNN(ttft) > limit`, or `open when slow(ttft > limit) > MM%`, where MM is what NN leaves: true when more than
/// `1 − NN %` of the window's streams were slower than the limit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SlowRule {
    /// What it looks at.
    pub measure: Measure,
    /// Of `ttft`, the prompts that it is about; `None` for all of them.
    pub prompts: Option<PromptSize>,
    /// The percentile in parts per million: p95 is 950,000.
    pub percentile: u32,
    /// The longest time that does not count as slow.
    pub limit: Span,
}

/// As the policy language has it, by its percentile.
impl fmt::Display for SlowRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.percentile / 10_000, self.percentile % 10_000);
        write!(f, "p{whole}")?;
        if rest != 0 {
            let digits = format!("{rest:04}");
            write!(f, ".{}", digits.trim_end_matches('0'))?;
        }
        write!(f, "({}", self.measure.as_str())?;
        if let Some(size) = self.prompts {
            write!(f, ", {}", size.as_str())?;
        }
        write!(f, ") > {}", self.limit)
    }
}

/// How long a prompt is, by the bytes of the request's body: the time to the first content grows with it. Four bytes are
/// about a token of English text.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum PromptSize {
    /// `short`: up to 16 KiB, about 4,000 tokens.
    #[default]
    Short,
    /// `medium`: up to 128 KiB, about 32,000 tokens.
    Medium,
    /// `long`: more.
    Long,
}

impl PromptSize {
    /// Each of them, from the shortest.
    pub const ALL: [Self; 3] = [Self::Short, Self::Medium, Self::Long];

    /// That of a request whose body has so many bytes.
    pub const fn of_body(bytes: u64) -> Self {
        if bytes <= Self::SHORT_MAX {
            Self::Short
        } else if bytes <= Self::MEDIUM_MAX {
            Self::Medium
        } else {
            Self::Long
        }
    }

    /// The one that the policy language calls so.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|size| size.as_str() == word)
    }

    /// The word of the policy language.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Short => "short",
            Self::Medium => "medium",
            Self::Long => "long",
        }
    }

    const SHORT_MAX: u64 = 16 * 1024;
    const MEDIUM_MAX: u64 = 128 * 1024;
}

/// What a latency rule of a breaker looks at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Measure {
    /// `ttft`: the time to a stream's first content.
    Ttft,
    /// `gap`: the longest time between two contents of a stream.
    Gap,
}

impl Measure {
    /// The one that the policy language calls so.
    pub fn named(word: &str) -> Option<Self> {
        [Self::Ttft, Self::Gap]
            .into_iter()
            .find(|measure| measure.as_str() == word)
    }

    /// The word of the policy language, of logs and of metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ttft => "ttft",
            Self::Gap => "gap",
        }
    }
}

/// `retries NAME { … }`: repeats at the same target.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Retries {
    /// Its name; `standard` for the built-in one.
    pub name: Box<str>,
    /// Where it is declared.
    pub at: At,
    /// `max`: repeats for one request at one target.
    pub max: u8,
    /// `budget`: repeats as a part of the provider's requests, in parts per million.
    pub budget: u32,
    /// `floor`: repeats a second that are always allowed.
    pub floor_per_s: u32,
    /// `backoff = 50ms..500ms`: first and longest pause.
    pub backoff: (Span, Span),
}
