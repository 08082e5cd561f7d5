//! A policy lowered to flat tables that decide: which route matches, and which of its targets are forbidden. Built once
//! on a control thread; deciding reads tables, allocates nothing and gives the same answer on every core and machine.
//! It knows nothing of health, weights or time: that is `engine`.
//!
//! ```text
//!   request ──→ Facts ──decide──→ Decision { route, forbidden, armed, affinity } ──forbidden(attempt)──→ mask
//!
//!   decide    for each dimension: value → class → row      "gpt-5" ──hash──→ row 3     tokens 900 ──edges──→ row 8
//!             AND of the rows, 512 bits at a time; the first bit that is left is the case, the case names the route:
//!
//!               case          0 1 2 3 4 5 …
//!               model  row 3  1 0 1 1 0 1     the cases that "gpt-5" does not rule out
//!               tokens row 8  1 1 0 1 1 1     the cases that 900 does not rule out
//!                       AND   1 0 0 1 0 1     → case 0 → rules[0] = { route, check }
//!
//!             a rule whose rows hold for more requests than its condition has a check: the condition as jump code
//!   then      guards of the route: request conditions of forbids, each with the candidates that it masks
//!
//!   matcher     dimensions │ interner: slots, text │ edges, class_rows │ rows: ids → chunks │ rules │ blocks
//!   branches    jump code → probes → texts                       (checks and guards)
//!   routes      [ { candidates, guards, terms, picks: ranges of ↓; masked } ]
//!   candidates, guards, terms, domain_sets, picks                one list each, for all routes
//! ```
//!
//! Costs: a dimension costs its look-up (a hash and one compare of the string, or a binary search) and one or two cache
//! lines; a fact that no condition reads costs nothing. Up to 1,024 cases all bits are looked at; beyond, the block of
//! the request's own value (`seats`) and the cases that belong to none.

mod branch;
mod build;
mod case;
pub(in crate::policy) mod forbid;
mod intern;
mod lower;
mod matcher;
pub(in crate::policy) mod place;
pub(in crate::policy) mod probe;
mod rows;
mod seats;
mod set;
mod shadow;

use std::fmt;
use std::ops::Range;

use crate::base::RouteId;
use crate::base::TargetId;
use crate::base::hash;
use crate::policy::facts::Facts;
use crate::policy::facts::Needs;
use crate::policy::model::At;
use crate::policy::model::AttemptFacts;
use crate::policy::model::Policy;
use crate::policy::program::branch::Branches;
use crate::policy::program::forbid::LAST_NONE;
use crate::policy::program::forbid::Relation;
use crate::policy::program::matcher::Matcher;
use crate::policy::program::place::Place;

/// A policy and the program that decides by it: what the gateway runs.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The policy, for everything that is looked up once a route or target is known.
    pub policy: Policy,
    /// Its lowered form.
    pub program: Program,
}

impl Plan {
    /// Lowers a policy. Errors as [`Program::lower`].
    pub fn new(policy: Policy) -> Result<Self, TooComplex> {
        let program = Program::lower(&policy)?;
        Ok(Self { policy, program })
    }
}

/// What a policy says about one request.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Decision {
    /// The first route that matches.
    pub route: RouteId,
    /// The route has a shadow.
    pub shadowed: bool,
    /// Bit i: candidate i of the route is masked for every attempt.
    pub forbidden: u64,
    /// Which of the route's request conditions hold that only forbid certain attempts, or allow a hedge.
    pub armed: u64,
    /// Hash of the facts that the route's `pick = hash(…)` names; 0 if it names none.
    pub affinity: u64,
    /// Hash of the facts that the route's `sticky = hash(…)` names, if the request has all of them.
    pub sticky: Option<u64>,
}

/// A target that a route may try.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Candidate {
    /// The target.
    pub target: TargetId,
    /// Index of its tier, or [`Candidate::JUMP`].
    pub tier: u8,
    /// Its weight in the tier; 0 for one that no tier names.
    pub weight: u32,
}

impl Candidate {
    /// The tier of a target that only a fallback line's jump or a hedge reaches.
    pub const JUMP: u8 = u8::MAX;
}

/// The lowered policy. See the module's own page for its tables.
#[derive(Clone, Debug)]
pub struct Program {
    needs: Needs,
    matcher: Matcher,
    branches: Branches,
    /// By [`RouteId`].
    routes: Vec<RouteEntry>,
    default_route: RouteId,
    candidates: Vec<Candidate>,
    guards: Vec<Guard>,
    terms: Vec<Term>,
    /// Sets of failure domains, one or more words each; bit 0 is "none".
    domain_sets: Vec<u64>,
    /// By [`TargetId`]: the number of its failure domain, from 1.
    domain_of: Vec<u32>,
    picks: Vec<Place>,
}

/// Where a route's parts lie.
#[derive(Clone, Debug, Default)]
struct RouteEntry {
    candidates: Range<u32>,
    guards: Range<u32>,
    terms: Range<u32>,
    picks: Range<u32>,
    /// In the same list.
    sticky: Range<u32>,
    /// Candidates that no request may use.
    masked: u64,
    /// The bit of [`Decision::armed`] that must be set for a request to hedge; 0: none.
    hedge: u64,
    shadowed: bool,
}

/// A request condition of forbids.
#[derive(Clone, Copy, Debug)]
struct Guard {
    /// Its code.
    entry: u32,
    /// The candidates that it masks for every attempt.
    forbids: u64,
    /// Its bit in [`Decision::armed`], if terms hang on it.
    arms: u64,
}

/// Attempts for which candidates are masked.
#[derive(Clone, Copy, Debug)]
struct Term {
    /// The bit of [`Decision::armed`] that must be set; 0: none.
    needs: u64,
    /// The candidates that it masks.
    forbids: u64,
    /// `attempt.index`, inclusive.
    index: (u8, u8),
    relation: Relation,
    /// `attempt.last`: a bit for each outcome, and [`LAST_NONE`].
    last: u32,
    /// `attempt.last_domain`: where its set begins in `domain_sets`.
    domains: u32,
}

/// Why a policy cannot be lowered. Each is a bound far beyond what people write.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TooComplex {
    /// More than 65,535 routes.
    Routes,
    /// A route's members and jump targets are more than [`crate::base::limits::ROUTE_TARGETS_MAX`].
    Targets {
        /// The route.
        at: At,
        /// How many there are.
        count: usize,
    },
    /// A forbid multiplies facts of the attempt and of the request into more than 64 combinations for one target.
    Forbid {
        /// The forbid.
        at: At,
    },
    /// More than 64 request conditions forbid certain attempts of one route.
    Armed {
        /// The route.
        at: At,
    },
}

impl fmt::Display for TooComplex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Routes => f.write_str("the policy has more than 65,535 routes"),
            Self::Targets { count, .. } => write!(
                f,
                "the route can reach {count} targets, jumps included; 64 are possible: split it"
            ),
            Self::Forbid { .. } => f.write_str(
                "the condition combines facts of the request and of the attempt in more than 64 \
                 ways: split it into several forbids",
            ),
            Self::Armed { .. } => f.write_str(
                "more than 64 different request conditions of forbids that speak of the attempt \
                 apply to the route: merge some of them",
            ),
        }
    }
}

impl std::error::Error for TooComplex {}

impl TooComplex {
    /// The route or forbid that is too complex.
    pub const fn at(&self) -> Option<At> {
        match self {
            Self::Routes => None,
            Self::Targets { at, .. } | Self::Forbid { at } | Self::Armed { at } => Some(*at),
        }
    }
}

impl Program {
    /// Lowers a policy. Fails only for a policy beyond the bounds of [`TooComplex`]; nothing is ever approximated.
    pub fn lower(policy: &Policy) -> Result<Self, TooComplex> {
        lower::program(policy)
    }

    /// The facts that the policy reads.
    pub const fn needs(&self) -> &Needs {
        &self.needs
    }

    /// The first route that matches, and what the request says about its targets.
    pub fn decide(&self, facts: &Facts<'_>) -> Decision {
        self.decide_from(0, facts)
    }

    /// The same as if `route` and all before it did not match: what a request gets in place of a route that is withdrawn.
    pub fn decide_after(&self, route: RouteId, facts: &Facts<'_>) -> Decision {
        self.decide_from(route.0.saturating_add(1), facts)
    }

    fn decide_from(&self, from: u16, facts: &Facts<'_>) -> Decision {
        let first = self.matcher.first(from, facts, &self.branches);
        self.decide_for(first.map_or(self.default_route, RouteId), facts)
    }

    /// What the request says about the targets of `route`, whether that one matches or not.
    fn decide_for(&self, route: RouteId, facts: &Facts<'_>) -> Decision {
        let mut decision = Decision {
            route,
            ..Decision::default()
        };
        let Some(entry) = self.routes.get(route.index()) else {
            return decision;
        };
        decision.shadowed = entry.shadowed;
        decision.forbidden = entry.masked;
        for guard in part(&self.guards, &entry.guards) {
            if self.branches.run(guard.entry, facts) {
                decision.forbidden |= guard.forbids;
                decision.armed |= guard.arms;
            }
        }
        let picks = part(&self.picks, &entry.picks);
        decision.affinity = picks.iter().fold(0, |so_far, place| {
            fold(so_far, place.read(facts).unwrap_or_default())
        });
        let sticky = part(&self.picks, &entry.sticky);
        if !sticky.is_empty() {
            decision.sticky = sticky.iter().try_fold(0, |so_far, place| {
                let value = place.read(facts).filter(|value| !value.is_empty())?;
                Some(fold(so_far, value))
            });
        }
        decision
    }

    /// Whether the request is one that the route's hedge is for, if the route has one.
    pub fn may_hedge(&self, decision: &Decision) -> bool {
        self.routes
            .get(decision.route.index())
            .is_some_and(|entry| entry.hedge & !decision.armed == 0)
    }

    /// The targets that a route may try: the members of its tiers in order, then targets of jumps and the hedge that are no member; at
    /// most 64. Empty for a route that only rejects.
    pub fn candidates(&self, route: RouteId) -> &[Candidate] {
        let entry = self.routes.get(route.index());
        entry.map_or(&[], |entry| part(&self.candidates, &entry.candidates))
    }

    /// Bit i: candidate i of the decided route is masked for the attempt that is about to begin.
    pub fn forbidden(&self, decision: &Decision, attempt: &AttemptFacts) -> u64 {
        let mut mask = decision.forbidden;
        let Some(entry) = self.routes.get(decision.route.index()) else {
            return mask;
        };
        let last = attempt.last.map_or(LAST_NONE, |outcome| 1 << outcome as u8);
        let last_domain = attempt.last_target.map_or(0, |target| self.domain(target));
        for term in part(&self.terms, &entry.terms) {
            let applies = term.needs & !decision.armed == 0
                && (term.index.0..=term.index.1).contains(&attempt.index)
                && term.last & last != 0
                && self.has_domain(term.domains, last_domain);
            if applies {
                mask |= match term.relation {
                    Relation::Any => term.forbids,
                    Relation::Same => term.forbids & self.of_domain(entry, last_domain),
                    Relation::Other => term.forbids & !self.of_domain(entry, last_domain),
                };
            }
        }
        mask
    }

    /// Bytes of the tables.
    pub fn size_bytes(&self) -> usize {
        [
            self.matcher.size_bytes(),
            self.branches.size_bytes(),
            size_of_val(self.routes.as_slice()),
            size_of_val(self.candidates.as_slice()),
            size_of_val(self.guards.as_slice()),
            size_of_val(self.terms.as_slice()),
            size_of_val(self.domain_sets.as_slice()),
            size_of_val(self.domain_of.as_slice()),
            size_of_val(self.picks.as_slice()),
        ]
        .iter()
        .sum()
    }

    /// The number of a target's failure domain.
    fn domain(&self, target: TargetId) -> u32 {
        self.domain_of.get(target.index()).copied().unwrap_or(0)
    }

    fn has_domain(&self, set: u32, domain: u32) -> bool {
        let word = self.domain_sets.get((set + domain / 64) as usize);
        word.is_some_and(|word| word >> (domain % 64) & 1 == 1)
    }

    /// The candidates whose failure domain is this one; none for "none".
    fn of_domain(&self, entry: &RouteEntry, domain: u32) -> u64 {
        let candidates = part(&self.candidates, &entry.candidates).iter();
        candidates.zip(0..64).fold(0, |mask, (candidate, index)| {
            let same = domain != 0 && self.domain(candidate.target) == domain;
            mask | u64::from(same) << index
        })
    }
}

/// Adds one value to a hash of several. The length keeps ("a", "b") and ("ab", "") apart.
fn fold(so_far: u64, value: &str) -> u64 {
    hash::of_bytes(hash::mix(so_far, value.len() as u64), value.as_bytes())
}

/// A route's part of a list of all routes.
#[inline]
fn part<'t, T>(list: &'t [T], range: &Range<u32>) -> &'t [T] {
    list.get(range.start as usize..range.end as usize)
        .unwrap_or_default()
}
