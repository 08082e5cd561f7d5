//! The provider's edge: what an attempt meets there, and when. Faults act here and nowhere else; what follows from them
//! the engine decides, as it does live.

use std::sync::Arc;

use crate::base::{Moment, Outcome, ProviderId, Span, TargetId, hash};
use crate::dialect::openai::{outcome_of, outcome_of_error, reclassify};
use crate::engine::{Attempt, Board, End, Form};
use crate::policy::Plan;
use crate::policy::drill::{BadKey, Break, Drill, Fault, Manner, NoConnection};
use crate::policy::model::{Act, Provider, ProviderKind};
use crate::sim::provider::Simulated;

use super::checks::Probe;

/// What an error takes to come: a round trip and a look at the key.
const ERROR_TIME: Span = Span::from_millis(40);

/// All providers, seen from the gateway.
#[derive(Debug)]
pub(super) struct Edge<'p> {
    plan: &'p Plan,
    drill: &'p Drill,
    board: Arc<Board>,
    seed: u64,
    /// By provider.
    manners: Vec<Manner>,
    /// By provider: those that have a script of their own.
    scripts: Vec<Option<Simulated>>,
    /// What is injected now, in the order of the drill.
    injected: Vec<usize>,
}

/// How an attempt will go, if nobody overtakes it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Course {
    /// When a stream's first content is there; `None` where there is none before the end.
    pub(super) first: Option<Moment>,
    /// The longest time between two contents.
    pub(super) gap: Span,
    /// When it is over.
    pub(super) over: Moment,
    /// How it ends.
    pub(super) end: End,
    /// Tokens that come.
    pub(super) tokens: u32,
}

/// Where an attempt goes.
struct Contact<'p> {
    target: TargetId,
    provider: &'p Provider,
    endpoint: u16,
    key: u8,
    /// Its chance.
    chance: u64,
}

impl<'p> Edge<'p> {
    pub(super) fn new(plan: &'p Plan, drill: &'p Drill, board: Arc<Board>, seed: u64) -> Self {
        let providers = &plan.policy.providers;
        let mut manners = vec![Manner::USUAL; providers.len()];
        for (provider, manner) in &drill.manners {
            if let Some(own) = manners.get_mut(provider.index()) {
                *own = *manner;
            }
        }
        let scripts = providers.iter().map(|provider| {
            let simulation = provider.simulation.as_ref()?;
            let scripted = !simulation.script.is_empty();
            scripted.then(|| Simulated::new(simulation.clone(), seed))
        });
        Self {
            plan,
            drill,
            board,
            seed,
            manners,
            scripts: scripts.collect(),
            injected: Vec::new(),
        }
    }

    pub(super) fn inject(&mut self, index: usize) {
        self.injected.push(index);
        self.injected.sort_unstable();
    }

    /// Tells whether it was there.
    pub(super) fn lift(&mut self, index: usize) -> bool {
        let before = self.injected.len();
        self.injected.retain(|&injected| injected != index);
        self.injected.len() != before
    }

    pub(super) fn injected(&self) -> Vec<usize> {
        self.injected.clone()
    }

    /// How an attempt of request `number` goes that begins now.
    pub(super) fn course(
        &mut self,
        now: Moment,
        number: u64,
        form: Form,
        attempt: &Attempt,
    ) -> Course {
        let plan = self.plan;
        let Some((target, provider)) = plan
            .policy
            .targets
            .get(attempt.target.index())
            .map(|target| target.provider)
            .and_then(|id| Some((id, plan.policy.providers.get(id.index())?)))
        else {
            return ended(now, Outcome::Connect);
        };
        let endpoints = u16::try_from(provider.endpoints.len())
            .unwrap_or(u16::MAX)
            .max(1);
        let chance = hash::mix(hash::mix(self.seed, number), u64::from(attempt.index));
        let first = hash::scale(hash::mix(chance, ENDPOINT_SALT), u64::from(endpoints));
        let first = u16::try_from(first).unwrap_or_default();
        let first = self.board.endpoint_from(target, first, endpoints);
        let mut contact = Contact {
            target: attempt.target,
            provider,
            endpoint: first,
            key: attempt.key,
            chance,
        };
        let scripted = self.scripted(target);
        let (mut at, mut tried) = (now, 0);
        // A dead endpoint costs time, not an attempt: its neighbours serve the same target.
        let fault = loop {
            let fault = self.fault(&contact).or(scripted);
            let Some(Fault::Connect(why)) = fault else {
                break fault;
            };
            // Whose name has no address yet waits for one as long as for an answer.
            if matches!(why, NoConnection::Hang | NoConnection::Dns) {
                let left = u64::from(endpoints - tried);
                let part = attempt.connect_by.since(at).as_nanos() / left.max(1);
                at = at + Span::from_nanos(part);
            }
            tried += 1;
            let turn = (first, contact.endpoint);
            let next = self.board.endpoint_after(target, turn, endpoints);
            let Some(next) = next.filter(|_| at < attempt.connect_by) else {
                let outcome = match why {
                    NoConnection::Tls => Outcome::Tls,
                    _ => Outcome::Connect,
                };
                return ended(at.min(attempt.connect_by), outcome);
            };
            contact.endpoint = next;
        };
        let manner = self
            .manners
            .get(target.index())
            .copied()
            .unwrap_or(Manner::USUAL);
        answer(at, &contact, &manner, fault, form, attempt)
    }

    fn fault(&self, contact: &Contact<'_>) -> Option<Fault> {
        self.met(&Probe {
            target: contact.target,
            endpoint: contact.endpoint,
            key: contact.key,
            chance: contact.chance,
        })
    }

    /// What is injected there and hits this attempt: the first of the drill.
    pub(super) fn met(&self, contact: &Probe) -> Option<Fault> {
        self.injected.iter().find_map(|&index| {
            let injection = self.drill.injections.get(index)?;
            let hit = injection.spots.iter().any(|spot| {
                spot.targets.contains(&contact.target)
                    && spot.key.is_none_or(|key| key == contact.key)
                    && spot
                        .endpoints
                        .is_none_or(|(low, high)| (low..=high).contains(&contact.endpoint))
            });
            let own = hash::mix(contact.chance, FAULT_SALT ^ index as u64);
            let drawn = hash::scale(own, 1_000_000) < u64::from(injection.share);
            (hit && drawn).then_some(injection.fault)
        })
    }

    /// What the script of a simulated provider says to its next request.
    fn scripted(&mut self, provider: ProviderId) -> Option<Fault> {
        let script = self.scripts.get_mut(provider.index())?.as_mut()?;
        match script.scripted() {
            Act::Ok => None,
            Act::Status(status) => Some(Fault::Status {
                status,
                retry_after: None,
            }),
            Act::Refuse => Some(Fault::Connect(NoConnection::Refuse)),
            Act::Hang => Some(Fault::Latency(FOREVER)),
            Act::Stall => Some(Fault::Stream(Break::Stall)),
            Act::Cut => Some(Fault::Stream(Break::Cut)),
            Act::ErrorEvent => Some(Fault::Stream(Break::Error)),
            Act::ModelGone => Some(Fault::ModelGone),
            Act::BadKey => Some(Fault::Key(BadKey::Revoked)),
        }
    }
}

/// What comes over a connection that is there.
fn answer(
    at: Moment,
    contact: &Contact<'_>,
    manner: &Manner,
    fault: Option<Fault>,
    form: Form,
    attempt: &Attempt,
) -> Course {
    let refusal: Option<(u16, &[u8], Option<Span>)> = match fault {
        Some(Fault::Status {
            status,
            retry_after,
        }) => Some((status, b"{}", retry_after)),
        Some(Fault::ModelGone) => Some((404, MODEL_GONE, None)),
        Some(Fault::Key(BadKey::Revoked)) => Some((401, KEY_REVOKED, None)),
        Some(Fault::Key(BadKey::NoQuota)) => Some((429, NO_QUOTA, None)),
        Some(Fault::Answer(what)) => Some((200, what.body(), None)),
        _ => None,
    };
    if let Some((status, body, retry_after)) = refusal {
        let provider = contact.provider;
        let built_in = outcome_of(provider.kind, status, body);
        let outcome = reclassify(&provider.classify, built_in, status, body);
        let mut course = ended((at + ERROR_TIME).min(attempt.content_by), outcome);
        course.end.retry_after = retry_after;
        return course;
    }
    let pace = Pace::of(at, contact, manner, fault);
    match form {
        Form::Stream => pace.stream(attempt),
        Form::Whole => pace.whole(attempt),
    }
}

/// When the parts of an answer come.
struct Pace {
    kind: ProviderKind,
    head: Moment,
    content: Moment,
    gap: Span,
    tokens: u32,
    broken: Option<Break>,
}

impl Pace {
    fn of(at: Moment, contact: &Contact<'_>, manner: &Manner, fault: Option<Fault>) -> Self {
        let (shortest, longest) = manner.ttft;
        let width = longest
            .saturating_sub(shortest)
            .as_nanos()
            .saturating_add(1);
        let drawn = hash::scale(hash::mix(contact.chance, TTFT_SALT), width);
        let mut pace = Self {
            kind: contact.provider.kind,
            head: at + ERROR_TIME,
            content: at + shortest.saturating_add(Span::from_nanos(drawn)),
            gap: manner.gap,
            tokens: manner.tokens,
            broken: None,
        };
        match fault {
            Some(Fault::Latency(more)) => {
                pace.head = pace.head + more;
                pace.content = pace.content + more;
            }
            Some(Fault::Ttft(more)) => pace.content = pace.content + more,
            Some(Fault::Gap(longer)) => pace.gap = pace.gap.max(longer),
            Some(Fault::Stream(how)) => pace.broken = Some(how),
            _ => {}
        }
        pace
    }

    fn stream(&self, attempt: &Attempt) -> Course {
        let Self { content, gap, .. } = *self;
        if self.head > attempt.head_by {
            return ended(attempt.head_by, Outcome::Ttft);
        }
        if content > attempt.content_by {
            return ended(attempt.content_by, Outcome::Ttft);
        }
        let stalled = (content + attempt.idle, Outcome::Timeout, Span::MAX, 1);
        let (over, outcome, gap, tokens) = match self.broken {
            Some(Break::Stall) => stalled,
            _ if gap > attempt.idle => stalled,
            Some(Break::Cut) => (content + gap, Outcome::StreamAbort, gap, 1),
            Some(Break::Error) => (content + gap, self.error(), gap, 1),
            None => (self.last(), Outcome::Ok, gap, self.tokens),
        };
        let late = over > attempt.deadline;
        let outcome = if late { Outcome::Timeout } else { outcome };
        Course {
            first: Some(content),
            gap: if self.tokens > 1 { gap } else { Span::ZERO },
            tokens,
            ..ended(over.min(attempt.deadline), outcome)
        }
    }

    fn whole(&self, attempt: &Attempt) -> Course {
        let whole = self.last();
        if whole > attempt.content_by {
            return ended(attempt.content_by, Outcome::Timeout);
        }
        let (over, outcome) = match self.broken {
            None => (whole, Outcome::Ok),
            Some(Break::Stall) => (whole + attempt.idle, Outcome::Timeout),
            Some(Break::Cut) => (whole, Outcome::StreamAbort),
            Some(Break::Error) => (whole, self.error()),
        };
        Course {
            tokens: self.tokens,
            ..ended(over.min(attempt.deadline), outcome)
        }
    }

    /// When the last token is there.
    fn last(&self) -> Moment {
        let more = u64::from(self.tokens.saturating_sub(1));
        self.content + self.gap.saturating_mul(more)
    }

    fn error(&self) -> Outcome {
        outcome_of_error(self.kind, ERROR_EVENT)
    }
}

/// An end without content.
const fn ended(over: Moment, outcome: Outcome) -> Course {
    Course {
        first: None,
        gap: Span::ZERO,
        over,
        end: End {
            outcome,
            retry_after: None,
            model_alone: false,
        },
        tokens: 0,
    }
}

/// Longer than any timer.
const FOREVER: Span = Span::from_secs(86_400 * 365);
/// Draws for different purposes are independent.
const ENDPOINT_SALT: u64 = 0x656e_6470;
const FAULT_SALT: u64 = 0x6661_756c_7400_0000;
const TTFT_SALT: u64 = 0x7474_6674;
const MODEL_GONE: &[u8] =
    br#"{"error":{"message":"The model does not exist","code":"model_not_found"}}"#;
const KEY_REVOKED: &[u8] = br#"{"error":{"message":"Incorrect API key","code":"invalid_api_key"}}"#;
const NO_QUOTA: &[u8] =
    br#"{"error":{"message":"You exceeded your current quota","code":"insufficient_quota"}}"#;
const ERROR_EVENT: &[u8] =
    br#"{"error":{"message":"The server had an error","type":"server_error"}}"#;
