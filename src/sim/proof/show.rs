//! Ways in words, for people.

use crate::base::{Outcome, TargetId};
use crate::engine::ways::{Ending, How, Leg};
use crate::policy::Plan;
use crate::policy::model::{Action, Policy, Tier};
use crate::sim::proof::cast::Actor;
use crate::sim::proof::line;
use crate::sim::proof::replay::Visit;
use crate::sim::trial::show::{route, target, targets};

/// The request and its route.
pub(super) fn beginning(plan: &Plan, actor: &Actor) -> Vec<String> {
    let policy = &plan.policy;
    let own = policy.routes.get(actor.decision.route.index());
    let at = own.map(|own| line(policy, own.at)).unwrap_or_default();
    let withdrawn = actor.withdrawn.iter().map(|id| route(policy, *id));
    let withdrawn: Vec<&str> = withdrawn.collect();
    let without = match withdrawn.as_slice() {
        [] => String::new(),
        [one] => format!(", while `{one}` is withdrawn"),
        more => format!(", while `{}` are withdrawn", more.join("`, `")),
    };
    vec![
        format!("given {}", actor.example()),
        format!("route {}{without}{at}", route(policy, actor.decision.route)),
    ]
}

/// The whole way, a line for each step.
pub(super) fn whole(plan: &Plan, actor: &Actor, way: &[Leg], visits: &[Visit]) -> Vec<String> {
    let policy = &plan.policy;
    let mut lines = beginning(plan, actor);
    let mut asked = Vec::new();
    let mut legs = way.iter();
    for (visit, number) in visits.iter().zip(1_u32..) {
        let leg = if visit.how == How::Hedge {
            None
        } else {
            legs.next()
        };
        if let Some(reason) = visit.nobody {
            lines.push(format!("nobody of its tiers can be asked: {reason}"));
        }
        let name = target(policy, visit.target);
        let ended = visit.outcome.map_or("asked", Outcome::as_str);
        let how = match visit.how {
            How::Pick | How::Jump => "",
            How::Repeat => ", once more",
            How::KeyChange => ", with another key",
            How::Hedge => ", as a hedge",
        };
        let out = leg.map(|leg| passed_over(plan, actor, leg, visit.masked, &asked));
        let out = out.filter(|out| !out.is_empty());
        let out = out
            .map(|out| format!(", while {} cannot be", targets(policy, &out)))
            .unwrap_or_default();
        let at = visit.line.map(|at| line(policy, at)).unwrap_or_default();
        lines.push(format!("{number}. {name}: {ended}{how}{out}{at}"));
        asked.push(visit.target);
    }
    lines
}

/// Members of tiers that would have been asked before `leg`'s target, had they been well: those of earlier tiers; for a
/// repeat, all.
fn passed_over(
    plan: &Plan,
    actor: &Actor,
    leg: &Leg,
    masked: u64,
    asked: &[TargetId],
) -> Vec<TargetId> {
    if !matches!(leg.how, How::Pick | How::Repeat) {
        return Vec::new();
    }
    let own = plan.policy.routes.get(actor.decision.route.index());
    let Some(Action::Serve(serve)) = own.map(|own| &own.action) else {
        return Vec::new();
    };
    let candidates = plan.program.candidates(actor.decision.route);
    let forbidden = |wanted| {
        let numbered = candidates.iter().zip(0_u32..);
        let mut found = numbered.filter(|(candidate, _)| candidate.target == wanted);
        found.any(|(_, index)| masked >> index & 1 == 1)
    };
    let has = |tier: &Tier| {
        let mut members = tier.members.iter();
        members.any(|member| member.target == leg.target)
    };
    let before = serve.tiers.iter();
    let before = before.take_while(|tier| leg.how == How::Repeat || !has(tier));
    let members = before.flat_map(|tier| &tier.members);
    let members = members.map(|member| member.target);
    members
        .filter(|member| !asked.contains(member) && *member != leg.target && !forbidden(*member))
        .collect()
}

/// One line.
pub(super) fn in_short(policy: &Policy, way: &[Leg]) -> String {
    let steps = way.iter().map(|leg| {
        let ended = |ends: Option<Ending>| ends.map_or("asked", |ends| ends.outcome.as_str());
        let first = format!("{} {}", target(policy, leg.target), ended(leg.ends));
        match leg.hedge {
            Some(second) => {
                let name = target(policy, second.target);
                format!("{first} beside {name} {}", ended(second.ends))
            }
            None => first,
        }
    });
    steps.collect::<Vec<_>>().join(" → ")
}
