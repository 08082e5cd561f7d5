//! What must hold of each attempt by itself: where it went, with which key, and how it ended.

use crate::base::limits::DEADLINE_RESERVE;
use crate::base::{Moment, Outcome, OutcomeSet, Span};
use crate::engine::AttemptRecord;
use crate::exchange::DialFailure;
use crate::policy::model::Serve;
use crate::sim::world::check::SLACK;
use crate::sim::world::generation::{CARE, Generation};
use crate::sim::world::network::Sighting;
use crate::sim::world::rule::{Broken, Rule};

/// It went where its record says, with that key.
pub(super) fn same_place(
    attempt: &AttemptRecord,
    sighting: &Sighting,
    generation: &Generation<'_>,
) -> Result<(), Broken> {
    let policy = &generation.plan.policy;
    let own = policy.targets.get(attempt.target.index());
    let own = own.map(|target| target.provider);
    let place = generation.target(attempt.target);
    let place = place.zip(own.and_then(|own| generation.key(own, attempt.key)));
    let right = own.and_then(|own| generation.provider(own)) == Some(sighting.provider)
        && sighting.target.is_none_or(|asked| Some(asked) == place);
    if right {
        return Ok(());
    }
    let seen = format!("{attempt:?} went to {sighting:?}");
    Err(Broken::new(Rule::Request, seen))
}

/// A request that began when every worker must have known of a new secret never uses the old one.
pub(super) fn right_secret(sighting: &Sighting, chosen: Moment) -> Result<(), Broken> {
    if sighting.replaced.is_none_or(|since| chosen <= since + CARE) {
        return Ok(());
    }
    let seen = format!("begun at {chosen:?}: {sighting:?}");
    Err(Broken::new(Rule::Key, seen))
}

/// An attempt that found nobody has dialed every endpoint of its provider, each for its part of the time to connect. Where
/// that is short, or the deadline near, the least time of each is too long for all of them.
pub(super) fn right_endpoints(
    attempt: &AttemptRecord,
    sighting: &Sighting,
    serve: &Serve,
    left: Span,
    generation: &Generation<'_>,
) -> Result<(), Broken> {
    let unmet = matches!(attempt.outcome, Some(Outcome::Connect | Outcome::Tls));
    let policy = &generation.law.policy;
    let settings = policy.targets.get(attempt.target.index());
    let provider = settings.and_then(|it| policy.providers.get(it.provider.index()));
    let Some((settings, provider)) = settings
        .zip(provider)
        .filter(|_| unmet && sighting.dial.is_err())
    else {
        return Ok(());
    };
    let all = || (0_u16..).take(provider.endpoints.len());
    let places = all().map(|own| generation.endpoint(settings.provider, own).unwrap_or(own));
    let connect = serve.timeouts.connect.unwrap_or(settings.timeouts.connect);
    let left = left.saturating_sub(DEADLINE_RESERVE).min(connect);
    let took = attempt
        .ended
        .map(|ended| ended.saturating_sub(attempt.started));
    let at_least = all().fold(Span::ZERO, |sum, _| sum.saturating_add(ENDPOINT_TIME));
    let over = took.is_some_and(|took| took.saturating_add(SLACK) >= left) && left < at_least;
    if over || sighting.missed_all(places) {
        return Ok(());
    }
    let seen = format!("{attempt:?} is over after {sighting:?}");
    Err(Broken::new(Rule::Endpoint, seen))
}

/// The attempt ended as its fault wants, or by a timer.
pub(super) fn right_outcome(
    attempt: &AttemptRecord,
    sighting: &Sighting,
    streams: bool,
) -> Result<(), Broken> {
    let Some(outcome) = attempt.outcome else {
        return Ok(());
    };
    let timers = OutcomeSet::EMPTY.with(Outcome::Timeout).with(Outcome::Ttft);
    let allowed = match (sighting.dial, sighting.fault) {
        (Err(DialFailure::Tls), _) => OutcomeSet::EMPTY.with(Outcome::Tls),
        (Err(_), _) => OutcomeSet::EMPTY.with(Outcome::Connect),
        (Ok(()), Some(fault)) => timers.union(fault.outcomes(streams)),
        (Ok(()), None) => timers.with(Outcome::Ok),
    };
    let vanished = OutcomeSet::EMPTY
        .with(Outcome::Connect)
        .with(Outcome::StreamAbort);
    if allowed.has(outcome) || (sighting.cut && vanished.has(outcome)) {
        return Ok(());
    }
    let seen = format!("{outcome} under {sighting:?}");
    Err(Broken::new(Rule::Outcome, seen))
}

/// What an endpoint has at least, and a beat of the sweeper.
const ENDPOINT_TIME: Span = Span::from_millis(255);
