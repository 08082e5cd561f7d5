//! What differs between two plans, by what they do with requests and not by their text.
//!
//! ```text
//!   conditions of both ─▶ kinds of request ─▶ route before, route after ─┬─ words: what each of them does
//!                                                                         ├─ masks: whom forbids keep away
//!                                                                         └─ engine::ways: whom requests can reach
//! ```
//! Order that changes nothing is no difference, and a new name for the same route is told as one.

mod words;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::base::{Outcome, RouteId, TargetId};
use crate::engine::ways::{self, Kind, Lens};
use crate::policy::model::{Action, AttemptFacts, Cond, FlagFact, Policy};
use crate::policy::reason::{Budget, Classes, Example, Fact, Region, asked_behind};
use crate::policy::{Decision, Plan};
use crate::sim::proof::Uncast;
use crate::sim::proof::cast::{copied_to, decide, given, served};

use self::words::Word;

/// Areas of one comparison of two regions.
const AREAS_MAX: usize = 20_000;
/// States of one search.
const STATES_MAX: usize = 100_000;
/// Attempts of one request that are compared.
const ATTEMPTS: u8 = 8;

/// What differs.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Comparison {
    /// Differences, in the order of the plans.
    pub changes: Vec<Change>,
    /// What was decided for all requests.
    pub invariants: Vec<Invariant>,
}

/// One difference.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Change {
    /// What becomes of it.
    pub kind: Becomes,
    /// What it is about: `route chat`, `target openai.mini`, `server`.
    pub what: String,
    /// What is said of it, before and after; empty where nothing was or is.
    pub words: Vec<Said>,
    /// A request that it is about, as `given { … }` has it.
    pub example: Option<String>,
}

/// What becomes of something.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Becomes {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It has another name and does the same.
    Renamed,
    /// It says something else.
    Changed,
    /// Requests take another route.
    Moved,
}

/// One thing that is said.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Said {
    /// What about.
    pub about: String,
    /// Before.
    pub old: String,
    /// After.
    pub new: String,
}

/// Something that holds for all requests, or does not.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Invariant {
    /// `region` or `provider`: that no request can reach another one than before.
    pub of: &'static str,
    /// `None` where it was not decided.
    pub holds: Option<bool>,
    /// How many kinds of request were looked at.
    pub kinds: usize,
    /// Where it does not hold: a request, and what it reaches only before or only after.
    pub example: Option<(String, Vec<String>, Vec<String>)>,
}

/// Compares two plans.
pub fn compare(old: &Plan, new: &Plan) -> Result<Comparison, Uncast> {
    let mut served = served();
    let read = classes(&old.policy, &new.policy, &[]);
    served.retain(|(fact, _)| read.number(Fact::Text(fact)).is_some());
    let served: Vec<Cond> = served.into_iter().map(|(_, cond)| cond).collect();
    let classes = classes(&old.policy, &new.policy, &served);
    let all = given(&classes, served.iter())?;
    let both = Both {
        old,
        new,
        classes: &classes,
    };
    let pairs = both.pairs(&all)?;
    let mut found = Comparison::default();
    both.routes(&pairs, &mut found);
    both.requests(&pairs, &mut found)?;
    both.targets(&mut found);
    let differing = differing(words::gateway(&old.policy), words::gateway(&new.policy));
    if !differing.is_empty() {
        found.changes.push(Change {
            kind: Becomes::Changed,
            what: "gateway".to_owned(),
            words: differing,
            example: None,
        });
    }
    Ok(found)
}

/// Requests of a route of the old plan that are one of the new plan's.
struct Pair {
    old: RouteId,
    new: RouteId,
    region: Region,
}

struct Both<'p> {
    old: &'p Plan,
    new: &'p Plan,
    classes: &'p Classes<'p>,
}

impl Both<'_> {
    fn pairs(&self, all: &Region) -> Result<Vec<Pair>, Uncast> {
        let before = self.classes.routed(&self.old.policy, all, false)?;
        let after = self.classes.routed(&self.new.policy, all, false)?;
        let mut budget = Budget::of(AREAS_MAX);
        let mut pairs = Vec::new();
        for (old, from) in &before {
            for (new, to) in &after {
                let region = from.and(to, self.classes.counts(), &mut budget)?;
                if !region.is_empty() {
                    let (old, new) = (*old, *new);
                    pairs.push(Pair { old, new, region });
                }
            }
        }
        Ok(pairs)
    }

    fn names(&self, pair: &Pair) -> (&str, &str) {
        (
            route_name(&self.old.policy, pair.old),
            route_name(&self.new.policy, pair.new),
        )
    }

    /// Routes that are new, gone, renamed or changed, and requests that move.
    fn routes(&self, pairs: &[Pair], found: &mut Comparison) {
        let names = |policy: &Policy| -> BTreeSet<String> {
            policy
                .routes
                .iter()
                .map(|route| route.name.to_string())
                .collect()
        };
        let (before, after) = (names(&self.old.policy), names(&self.new.policy));
        let renamed: BTreeMap<&str, &str> = pairs
            .iter()
            .filter(|pair| {
                let (old, new) = self.names(pair);
                let alone = pairs
                    .iter()
                    .filter(|other| other.old == pair.old || other.new == pair.new);
                alone.count() == 1 && !after.contains(old) && !before.contains(new)
            })
            .map(|pair| self.names(pair))
            .collect();
        let mut told: BTreeSet<(RouteId, RouteId)> = BTreeSet::new();
        for pair in pairs {
            let (old, new) = self.names(pair);
            if !told.insert((pair.old, pair.new)) {
                continue;
            }
            let words = self.route_words(pair);
            let is_renamed = renamed.get(old) == Some(&new);
            let kind = match (old == new, is_renamed) {
                (true, _) if words.is_empty() => continue,
                (true, _) => Becomes::Changed,
                (false, true) => Becomes::Renamed,
                (false, false) => Becomes::Moved,
            };
            let what = if old == new {
                format!("route {new}")
            } else {
                format!("route {old} → {new}")
            };
            found.changes.push(Change {
                kind,
                what,
                words,
                example: self
                    .example(&pair.region)
                    .map(|example| example.to_string()),
            });
        }
        let gone = before.iter().filter(|name| !after.contains(*name));
        let gone = gone.filter(|name| !renamed.contains_key(name.as_str()));
        let fresh = after.iter().filter(|name| !before.contains(*name));
        let fresh = fresh.filter(|name| !renamed.values().any(|new| new == name));
        let gone = gone.map(|name| (Becomes::Removed, name));
        for (kind, name) in gone.chain(fresh.map(|name| (Becomes::Added, name))) {
            found.changes.push(bare(kind, format!("route {name}")));
        }
    }

    fn route_words(&self, pair: &Pair) -> Vec<Said> {
        let of = |policy: &Policy, id: RouteId| {
            let route = policy.routes.get(id.index());
            route.map_or_else(Vec::new, |route| words::route(policy, route))
        };
        differing(
            of(&self.old.policy, pair.old),
            of(&self.new.policy, pair.new),
        )
    }

    fn example(&self, region: &Region) -> Option<Example> {
        self.classes.example_in(region).map(|(_, example)| example)
    }

    /// What forbids say to each kind of request, and whom it can reach.
    fn requests(&self, pairs: &[Pair], found: &mut Comparison) -> Result<(), Uncast> {
        let mut reached = [Reached::new("region"), Reached::new("provider")];
        let mut masked: BTreeSet<Vec<String>> = BTreeSet::new();
        for pair in pairs {
            let mut asked = asked_behind(&self.old.policy, pair.old, &[])?;
            for cond in asked_behind(&self.new.policy, pair.new, &[])? {
                if !asked.contains(&cond) {
                    asked.push(cond);
                }
            }
            for part in self.classes.split(pair.region.clone(), &asked)? {
                let example = self.example(&part).ok_or(Uncast::NoExample)?;
                let before = Side::of(self.old, pair.old, &example, &part, self.classes);
                let after = Side::of(self.new, pair.new, &example, &part, self.classes);
                if let Some(change) = mask_change(&before, &after, &example)
                    && masked.insert(
                        change
                            .words
                            .iter()
                            .map(|said| format!("{said:?}"))
                            .collect(),
                    )
                {
                    found.changes.push(change);
                }
                let whom = (before.reach(), after.reach());
                for reached in &mut reached {
                    reached.see(&before, &after, &whom, &example);
                }
            }
        }
        found.invariants.extend(reached.map(|reached| reached.told));
        Ok(())
    }

    fn targets(&self, found: &mut Comparison) {
        let all = |policy: &Policy| -> BTreeMap<String, Vec<Word>> {
            let each = policy.targets.iter();
            each.map(|target| (target.name.to_string(), words::target(policy, target)))
                .collect()
        };
        let (mut before, after) = (all(&self.old.policy), all(&self.new.policy));
        for (name, words) in after {
            let what = format!("target {name}");
            let Some(had) = before.remove(&name) else {
                found.changes.push(bare(Becomes::Added, what));
                continue;
            };
            let words = differing(had, words);
            if words.is_empty() {
                continue;
            }
            // What a shared block says is told once for all that use it.
            let twin = found.changes.iter_mut().find(|change| {
                change.kind == Becomes::Changed
                    && change.what.starts_with("target ")
                    && change.words == words
            });
            match twin {
                Some(twin) => {
                    twin.what.push_str(", ");
                    twin.what.push_str(&name);
                }
                None => found.changes.push(Change {
                    kind: Becomes::Changed,
                    what,
                    words,
                    example: None,
                }),
            }
        }
        let gone = before.into_keys().map(|name| format!("target {name}"));
        found
            .changes
            .extend(gone.map(|what| bare(Becomes::Removed, what)));
    }
}

const fn bare(kind: Becomes, what: String) -> Change {
    Change {
        kind,
        what,
        words: Vec::new(),
        example: None,
    }
}

/// One plan's view of a kind of request.
struct Side<'p> {
    plan: &'p Plan,
    kind: Kind<'p>,
    copied_to: Option<TargetId>,
}

impl<'p> Side<'p> {
    fn of(
        plan: &'p Plan,
        route: RouteId,
        example: &Example,
        part: &Region,
        classes: &Classes<'_>,
    ) -> Self {
        let decision = decide(&plan.program, example, route);
        let (wholes, streams) = classes.flag_in(part, Fact::Flag(FlagFact::Stream));
        let copies = if decision.shadowed {
            plan.of_shadows()
        } else {
            None
        };
        Self {
            plan,
            kind: Kind {
                plan,
                decision,
                streams,
                wholes,
            },
            copied_to: copied_to(plan, copies.as_ref(), example, route),
        }
    }

    fn policy(&self) -> &'p Policy {
        &self.plan.policy
    }

    /// Targets that no attempt of this kind with these facts may go to, by name.
    fn masked(&self, facts: AttemptFacts) -> BTreeSet<&'p str> {
        let Decision { route, .. } = self.kind.decision;
        let program = &self.plan.program;
        let mask = program.forbidden(&self.kind.decision, &facts);
        let candidates = program.candidates(route).iter().zip(0_u32..);
        let masked = candidates.filter(|(_, index)| mask >> index & 1 == 1);
        masked
            .map(|(candidate, _)| target_name(self.policy(), candidate.target))
            .collect()
    }

    fn can(&self) -> BTreeSet<&'p str> {
        let candidates = self
            .plan
            .program
            .candidates(self.kind.decision.route)
            .iter();
        candidates
            .map(|candidate| target_name(self.policy(), candidate.target))
            .collect()
    }

    fn hedges(&self) -> bool {
        self.plan.program.may_hedge(&self.kind.decision)
    }

    /// All targets that can be asked, copies included. `None` where they are too many ways.
    fn reach(&self) -> Option<Vec<TargetId>> {
        let found = ways::search(&self.kind, &Lens::NOTHING, STATES_MAX).ok()?;
        let mut all = found.first;
        all.extend(found.later);
        all.extend(self.copied_to);
        Some(all)
    }
}

/// Whom forbids keep away, of the targets that the request's route has before and after.
fn mask_change(before: &Side<'_>, after: &Side<'_>, example: &Example) -> Option<Change> {
    let common: BTreeSet<&str> = before.can().intersection(&after.can()).copied().collect();
    let said = |about: String, old: BTreeSet<&str>, new: BTreeSet<&str>| {
        let list = |masked: BTreeSet<&str>| {
            let masked: Vec<&str> = masked.intersection(&common).copied().collect();
            masked.join(", ")
        };
        let (old, new) = (list(old), list(new));
        (old != new).then_some(Said { about, old, new })
    };
    let first = AttemptFacts::default();
    let always = (before.masked(first), after.masked(first));
    let mut words = Vec::new();
    words.extend(said(
        "forbidden".to_owned(),
        always.0.clone(),
        always.1.clone(),
    ));
    // Of what is forbidden after a failure only, the first difference tells enough.
    let mut failures = common.iter().flat_map(|name| {
        let outcomes = Outcome::ALL.into_iter().skip(1);
        outcomes.flat_map(move |outcome| (1..ATTEMPTS).map(move |index| (*name, outcome, index)))
    });
    words.extend(failures.find_map(|(name, outcome, index)| {
        let facts = |policy: &Policy| AttemptFacts {
            index,
            last: Some(outcome),
            last_target: id_of(policy, name),
        };
        let more = |side: &Side<'_>, always: &BTreeSet<&str>| -> BTreeSet<String> {
            let masked = side.masked(facts(side.policy()));
            masked
                .difference(always)
                .map(|name| (*name).to_owned())
                .collect()
        };
        let (old, new) = (more(before, &always.0), more(after, &always.1));
        let about = format!("forbidden after {name} {outcome}, attempt {}", index + 1);
        said(
            about,
            old.iter().map(String::as_str).collect(),
            new.iter().map(String::as_str).collect(),
        )
    }));
    if before.can() == after.can() && before.hedges() != after.hedges() {
        let said = |may: bool| if may { "may" } else { "may not" }.to_owned();
        words.push(Said {
            about: "hedge".to_owned(),
            old: said(before.hedges()),
            new: said(after.hedges()),
        });
    }
    (!words.is_empty()).then(|| Change {
        kind: Becomes::Changed,
        what: "forbids".to_owned(),
        words,
        example: Some(example.to_string()),
    })
}

/// Whom requests reach, before and after.
struct Reached {
    told: Invariant,
}

impl Reached {
    const fn new(of: &'static str) -> Self {
        Self {
            told: Invariant {
                of,
                holds: Some(true),
                kinds: 0,
                example: None,
            },
        }
    }

    fn see(
        &mut self,
        before: &Side<'_>,
        after: &Side<'_>,
        whom: &(Option<Vec<TargetId>>, Option<Vec<TargetId>>),
        example: &Example,
    ) {
        self.told.kinds += 1;
        let (Some(old), Some(new)) = whom else {
            if self.told.holds == Some(true) {
                self.told.holds = None;
            }
            return;
        };
        let old = self.names(before.policy(), old);
        let new = self.names(after.policy(), new);
        if old != new && self.told.example.is_none() {
            self.told.holds = Some(false);
            let only =
                |a: &BTreeSet<String>, b: &BTreeSet<String>| a.difference(b).cloned().collect();
            self.told.example = Some((example.to_string(), only(&old, &new), only(&new, &old)));
        }
    }

    fn names(&self, policy: &Policy, targets: &[TargetId]) -> BTreeSet<String> {
        let providers = targets
            .iter()
            .filter_map(|target| policy.provider_of(*target));
        let names = providers.map(|provider| match self.told.of {
            "region" => provider.region.as_deref().unwrap_or("no region").to_owned(),
            _ => provider.name.to_string(),
        });
        names.collect()
    }
}

/// What is said otherwise; what a list says about the same in both, once.
fn differing(old: Vec<Word>, new: Vec<Word>) -> Vec<Said> {
    let mut found: Vec<Said> = Vec::new();
    let mut left: Vec<Word> = new;
    for (about, old) in old {
        let at = left.iter().position(|(other, _)| *other == about);
        let new = at.map_or_else(String::new, |at| left.remove(at).1);
        if old != new {
            found.push(Said { about, old, new });
        }
    }
    let added = left.into_iter().map(|(about, new)| Said {
        about,
        old: String::new(),
        new,
    });
    found.extend(added);
    merged(found)
}

/// Outcomes that are followed by the same before and by the same after are told together.
fn merged(all: Vec<Said>) -> Vec<Said> {
    let mut merged: Vec<Said> = Vec::new();
    for said in all {
        let twin = merged.iter_mut().find(|have| {
            let both = have.about.starts_with("on ") && said.about.starts_with("on ");
            both && have.old == said.old && have.new == said.new
        });
        match (twin, said.about.strip_prefix("on ")) {
            (Some(twin), Some(outcome)) => {
                twin.about.push_str(", ");
                twin.about.push_str(outcome);
            }
            _ => merged.push(said),
        }
    }
    merged
}

fn route_name(policy: &Policy, id: RouteId) -> &str {
    crate::sim::trial::show::route(policy, id)
}

fn target_name(policy: &Policy, id: TargetId) -> &str {
    crate::sim::trial::show::target(policy, id)
}

fn id_of(policy: &Policy, name: &str) -> Option<TargetId> {
    let at = policy
        .targets
        .iter()
        .position(|target| *target.name == *name)?;
    u16::try_from(at).ok().map(TargetId)
}

fn classes<'c>(old: &'c Policy, new: &'c Policy, served: &'c [Cond]) -> Classes<'c> {
    let conds = |policy: &'c Policy| {
        let routes = policy.routes.iter();
        let hedges = routes.clone().filter_map(|route| match &route.action {
            Action::Serve(serve) => serve.hedge.as_ref().map(|hedge| &hedge.when),
            Action::Reject(_) => None,
        });
        let routes = routes.map(|route| &route.when).chain(hedges);
        routes.chain(policy.forbids.iter().map(|forbid| &forbid.when))
    };
    let aliases = old.aliases.iter().chain(&new.aliases);
    let replaced: Vec<&str> = aliases.map(|alias| &*alias.from).collect();
    Classes::of(conds(old).chain(conds(new)).chain(served), &replaced)
}
