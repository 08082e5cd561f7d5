//! Which target a key has, as `sticky` and `pick = hash(…)` promise it: the books learn it, and hold the gateway to it.

use crate::base::{Moment, TargetId};
use crate::engine::{AttemptRecord, Order, State};
use crate::ops::Record;
use crate::policy::model::{Member, Pick, Serve, Tier};
use crate::sim::world::check::{Ledger, Seen, serve};
use crate::sim::world::generation::Generation;
use crate::sim::world::rule::{Broken, Rule};

/// What a key's target hangs on, and nothing else: neither the core, nor the generation, nor the moment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Place {
    pub(super) route: usize,
    pub(super) session: u32,
    /// Of the first tier, with their weights.
    pub(super) members: Vec<(TargetId, u32)>,
}

/// The targets that keys are known to have.
#[derive(Debug, Default)]
pub(super) struct Homes(pub(super) Vec<(Place, TargetId)>);

impl Homes {
    pub(super) fn of(&self, place: &Place) -> Option<TargetId> {
        let mut known = self.0.iter();
        known
            .find(|(known, _)| known == place)
            .map(|&(_, home)| home)
    }

    pub(super) fn learn(&mut self, place: Place, home: TargetId) {
        self.0.push((place, home));
    }
}

impl Ledger {
    /// A first attempt goes to the target of its key, if that is well. It is known from the first request with this key that
    /// found all of the tier well.
    pub(super) fn right_home(
        &mut self,
        record: &Record,
        tried: &[AttemptRecord],
        seen: &Seen<'_>,
    ) -> Result<(), Broken> {
        let generation = seen.generation;
        let keyed = serve(record, generation).filter(|serve| goes_by_a_key(serve));
        let tier = keyed.and_then(|serve| serve.tiers.first());
        let first = tried.first().zip(seen.attempts.first());
        let (Some(tier), Some(session), Some((first, &(at, _)))) = (tier, seen.session, first)
        else {
            return Ok(());
        };
        let Some((went, route)) = generation
            .target(first.target)
            .zip(record.route.and_then(|route| generation.route(route)))
        else {
            return Ok(());
        };
        let members = tier.members.iter();
        let is_well = |member: &Member| self.is_well(member.target, at, record, generation);
        let well = members.clone().filter(|member| is_well(member));
        let well: Vec<_> = well
            .map(|member| generation.target(member.target))
            .collect();
        let place = Place {
            route,
            session,
            members: members
                .filter_map(|member| Some((generation.target(member.target)?, member.weight)))
                .collect(),
        };
        match self.homes.of(&place) {
            Some(home) if went != home && well.contains(&Some(home)) => {
                let seen = format!("{place:?} went to {went:?} at {at:?}, while {home:?} was well");
                Err(Broken::new(Rule::Sticky, seen))
            }
            None if well.len() == place.members.len() => {
                if !place.members.iter().any(|&(member, _)| member == went) {
                    let seen = format!("{place:?} went to {went:?} at {at:?}, while all were well");
                    return Err(Broken::new(Rule::Sticky, seen));
                }
                self.homes.learn(place, went);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Whether a target is closed to nobody at a moment, as far as a request knows that ran then.
    fn is_well(
        &self,
        own: TargetId,
        at: Moment,
        record: &Record,
        generation: &Generation<'_>,
    ) -> bool {
        let breaker = generation.breaker(own);
        let Some((breaker, target)) = breaker.zip(generation.target(own)) else {
            return false;
        };
        let free = |order| matches!(order, Order::Auto | Order::Close);
        let candidates = record
            .route
            .map(|route| generation.plan.program.candidates(route));
        let mut candidates = candidates.unwrap_or_default().iter();
        let index = candidates.position(|candidate| candidate.target == own);
        // Of several reasons the record has the last one: that it was tried may hide that it was full before.
        let told = index.and_then(|index| record.passed.of(index));
        let mut states = self.states_at(target, at).iter();
        !breaker.per_core
            && told.is_none()
            && self.orders.between(target, at, at).all(free)
            && states.all(|&(_, state)| state == State::Closed)
    }

    /// The states of a breaker at a moment. Of changes at the very moment, either side is right.
    pub(super) fn states_at(&self, target: TargetId, at: Moment) -> &[(Moment, State)] {
        let states = self.states.get(target.index());
        let states = states.map(Vec::as_slice).unwrap_or_default();
        let after = states.partition_point(|&(since, _)| since <= at);
        let before = states.partition_point(|&(since, _)| since < at);
        let range = before.saturating_sub(1)..after;
        states.get(range).unwrap_or_default()
    }
}

fn goes_by_a_key(serve: &Serve) -> bool {
    let picks_by = |tier: &Tier| matches!(tier.pick, Pick::Hash(_));
    serve.spill.is_none() && (!serve.sticky.is_empty() || serve.tiers.first().is_some_and(picks_by))
}
