//! When each key was used, and when it was refused: one that was refused rests.

use crate::base::limits::KEY_REST;
use crate::base::{Moment, Outcome, ProviderId, Span};
use crate::engine::AttemptRecord;
use crate::sim::world::check::Seen;
use crate::sim::world::fault::Fault;
use crate::sim::world::network::Sighting;
use crate::sim::world::rule::{Broken, Rule};

/// All attempts that came with a key.
#[derive(Debug, Default)]
pub(super) struct Uses(pub(super) Vec<Use>);

/// One attempt with one secret: that of a key at the time of one generation, which is known by its moment.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Use {
    provider: ProviderId,
    key: u8,
    published: Moment,
    began: Moment,
    /// When the gateway was told that nobody may use it.
    pub(super) refused: Option<Moment>,
}

impl Uses {
    pub(super) fn note(
        &mut self,
        (attempt, sighting): (&AttemptRecord, &Sighting),
        began: Moment,
        seen: Seen<'_>,
    ) {
        let Some((_, key)) = sighting.target else {
            return;
        };
        let refused =
            sighting.fault == Some(Fault::BadKey) && attempt.outcome == Some(Outcome::AuthFailed);
        let ended = attempt.ended.filter(|_| refused);
        self.0.push(Use {
            provider: sighting.provider,
            key,
            published: seen.generation.published,
            began,
            refused: ended.map(|ended| began + ended.saturating_sub(attempt.started)),
        });
    }

    /// Nobody begins with a key that rests. Attempts that had begun before go on.
    pub(super) fn rested(&mut self) -> Result<(), Broken> {
        self.0.sort_unstable();
        let same =
            |a: &Use, b: &Use| (a.provider, a.key, a.published) == (b.provider, b.key, b.published);
        for uses in self.0.chunk_by(same) {
            for refused in uses.iter().filter_map(|it| it.refused) {
                let first = uses.partition_point(|it| it.began <= refused);
                // Records are in whole microseconds.
                let slack = refused + MICROSECOND;
                let mut after = uses.iter().skip(first);
                let early = after.find(|it| it.began > slack);
                if let Some(early) = early.filter(|it| it.began < refused + KEY_REST) {
                    let seen = format!("refused at {refused:?}, and then {early:?}");
                    return Err(Broken::new(Rule::Key, seen));
                }
            }
        }
        Ok(())
    }
}

const MICROSECOND: Span = Span::from_micros(1);
