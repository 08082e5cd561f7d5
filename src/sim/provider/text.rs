//! What simulated models say: plausible sentences from a fixed text, so that a demo reads well and a diff is stable.

use crate::base::hash;

/// Sentences that follow one another in any order.
const SENTENCES: [&str; 12] = [
    "A gateway is a promise that somebody will answer.",
    "When one provider falls silent, the next one takes over before the first byte is sent.",
    "Streams begin with a role, go on with words, and end with a reason.",
    "Rate limits are weather: you do not argue with them, you take another road.",
    "The lighthouse keeper does not know the ships, but every ship knows the light.",
    "A breaker that opens early costs a little traffic; one that opens late costs the night.",
    "Retries are cheap once and ruinous in chorus.",
    "Measure the first token, because that is when the reader starts to read.",
    "Every plan for failure should be tested while nothing fails.",
    "The quiet path is the fast path: no copies, no locks, no surprises.",
    "Two clocks disagree, one clock lies, and a deadline needs neither.",
    "What cannot be written down cannot happen at run time.",
];

/// The words of an answer, endless; `draw` chooses where the text begins and how its sentences follow.
pub(super) fn words(draw: u64) -> impl Iterator<Item = &'static str> {
    (0_u64..).flat_map(move |turn| {
        let chosen = hash::scale(hash::mix(draw, turn), SENTENCES.len() as u64);
        let sentence = usize::try_from(chosen).ok().and_then(|i| SENTENCES.get(i));
        sentence.copied().unwrap_or_default().split(' ')
    })
}
