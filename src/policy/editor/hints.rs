//! What a text does not say by itself: the share of each member of a tier, and how many attempts a route can make.

use crate::policy::files::Files;
use crate::policy::memory::Memory;
use crate::policy::model::{Action, Policy, Route, Then};
use crate::policy::syntax::Place;
use crate::policy::syntax::ast::{Expr, Item, Kind, Stmt, Word};

/// A remark in the text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hint {
    /// Behind this place.
    pub place: Place,
    /// What is said.
    pub label: String,
}

/// The remarks on a stretch of a file.
pub fn hints(
    memory: &Memory<'_>,
    files: &Files,
    policy: Option<&Policy>,
    stretch: Place,
) -> Vec<Hint> {
    let mut all = Vec::new();
    for item in memory.items() {
        let Item::Stmt(stmt) = item else { continue };
        let wanted = stmt.place.overlaps(stretch) && matches!(stmt.key(), "route" | "pool");
        if !wanted {
            continue;
        }
        all.extend(policy.and_then(|policy| attempts(stmt, policy)));
        let weighted = stmt
            .stmts()
            .iter()
            .find(|inner| inner.key() == "pick")
            .is_none_or(|pick| files.slice(pick.place).ends_with("weighted"));
        if weighted {
            for tier in stmt.stmts().iter().filter(|inner| inner.key() == "tier") {
                shares(tier, &mut all);
            }
        }
    }
    all
}

/// `70 %` behind `openai.mini weight 7`. Members alone in their tier, and equal ones, speak for themselves.
fn shares(tier: &Stmt<'_>, all: &mut Vec<Hint>) {
    let members = tier.stmts().iter().map(|member| (member, weight(member)));
    let members: Vec<(&Stmt<'_>, u64)> = members.collect();
    let sum: u64 = members.iter().map(|(_, weight)| weight).sum();
    let equal = members
        .iter()
        .all(|(_, weight)| Some(*weight) == members.first().map(|first| first.1));
    if sum == 0 || equal {
        return;
    }
    for (member, weight) in members {
        let permille = weight
            .saturating_mul(1000)
            .checked_div(sum)
            .unwrap_or_default();
        let place = member.words.last().map_or(member.place, Word::place);
        let label = match (permille / 10, permille % 10) {
            (whole, 0) => format!("{whole} %"),
            (whole, tenths) => format!("{whole}.{tenths} %"),
        };
        all.push(Hint { place, label });
    }
}

fn weight(member: &Stmt<'_>) -> u64 {
    let mut words = member
        .words
        .iter()
        .skip_while(|word| word.name() != Some("weight"));
    match words.nth(1) {
        Some(Word::Expr(Expr {
            kind: Kind::Number(number),
            ..
        })) => number.count().unwrap_or(1),
        _ => 1,
    }
}

/// `up to 4 attempts` behind a route's name.
fn attempts(stmt: &Stmt<'_>, policy: &Policy) -> Option<Hint> {
    let (name, place) = stmt.name()?;
    let route = policy.routes.iter().find(|route| *route.name == *name)?;
    let most = attempts_of(route, policy)?;
    let label = match most {
        1 => "1 attempt".to_owned(),
        most => format!("up to {most} attempts"),
    };
    Some(Hint { place, label })
}

/// The attempts of a request that fails everywhere: each target once, the repeats that the most patient one allows, and no more than
/// the route's cap.
fn attempts_of(route: &Route, policy: &Policy) -> Option<usize> {
    let Action::Serve(serve) = &route.action else {
        return None;
    };
    // Without a line that goes on, the first one that is picked is the only one of the tiers.
    let goes_on = serve.fallback.iter().any(|line| line.then == Then::Next);
    let members = serve.tiers.iter().flat_map(|tier| &tier.members);
    let members = members.take(if goes_on { usize::MAX } else { 1 });
    let jumps = serve.fallback.iter().filter_map(|line| match line.then {
        Then::Jump(target) => Some(target),
        _ => None,
    });
    let hedge = serve.hedge.as_ref().map(|hedge| hedge.target);
    let mut reach: Vec<_> = members
        .map(|member| member.target)
        .chain(jumps)
        .chain(hedge)
        .collect();
    reach.sort_unstable();
    reach.dedup();
    let repeats = reach
        .iter()
        .filter_map(|target| policy.targets.get(target.index()))
        .filter_map(|target| policy.retries.get(target.retries.index()))
        .map(|retries| usize::from(retries.max))
        .max();
    let most = reach.len() + repeats.unwrap_or_default();
    Some(most.min(usize::from(serve.attempts_max)))
}
