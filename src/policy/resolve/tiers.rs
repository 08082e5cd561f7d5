//! Tiers of targets, in a pool or written in a route.

use std::collections::BTreeMap;

use crate::base::TargetId;
use crate::policy::diag::{naming as say, routing};
use crate::policy::model::{Member, Pick, SlowRule, Spill, Tier};
use crate::policy::resolve::block::Fields;
use crate::policy::resolve::policy::Resolver;
use crate::policy::resolve::settings::{percentile, slow_measure};
use crate::policy::schema::{self, Space, Type, Value};
use crate::policy::syntax::Place;
use crate::policy::syntax::ast::{Expr, Kind, Op, Stmt, Tail, Word};

/// Tiers by priority, with the place of each member.
#[derive(Clone, Debug, Default)]
pub(super) struct Tiers {
    pub(super) by_priority: Vec<Tier>,
    /// In the order of the members of all tiers.
    pub(super) places: Vec<Place>,
    /// `spill when …`
    pub(super) spill: Option<Spill>,
}

impl Tiers {
    /// Every member with its place.
    pub(super) fn members(&self) -> impl Iterator<Item = (Member, Place)> {
        let members = self
            .by_priority
            .iter()
            .flat_map(|tier| tier.members.iter().copied());
        members.zip(self.places.iter().copied())
    }
}

/// A tier that is full spills by itself.
const SPILL_MAX: u32 = 999_999;
const WEIGHT: Type = Type::Int(0, 1_000_000);
const MEMBER: &str = "provider.model weight 70";
const SPILL: &str = "spill when saturation > 85%`, `spill when p95(ttft) > 2s` or \
     `spill when saturation > 85% or p95(gap) > 1s";
const TIER: &str = "tier 1 { provider.model weight 70, … }";

impl<'t> Resolver<'t> {
    pub(super) fn pools(&mut self) {
        for decl in self.names.all(Space::Pool) {
            self.bodied(decl.stmt, "pool", "pool NAME { … }");
            let fields = self.fields(decl.stmt.stmts(), &schema::POOL);
            let mut tiers = self.tiers(&fields);
            if fields.of("tier").next().is_none() {
                self.report(say::missing(decl.place, "pool", "`tier 1 { … }`"));
            }
            let mut spills = fields.of("spill");
            let first = spills.next();
            for again in spills {
                let before = first.map_or(again.place, |first| first.place);
                self.report(say::twice(again.place, "spill", before));
            }
            tiers.spill = first.and_then(|stmt| self.spill(stmt, &tiers));
            self.pools.insert(decl.name, tiers);
        }
    }

    /// `spill when saturation > 85% or p95(ttft) > 2s`
    fn spill(&mut self, stmt: &'t Stmt<'t>, tiers: &Tiers) -> Option<Spill> {
        let mut spill = Spill::default();
        let rules = match stmt.words.as_slice() {
            [_, Word::When(_, condition)] => match &condition.kind {
                Kind::Or(rules) => rules.as_slice(),
                _ => std::slice::from_ref(condition),
            },
            _ => &[],
        };
        let understood = rules.iter().all(|rule| self.spill_rule(rule, &mut spill));
        if !understood || rules.is_empty() {
            self.report(say::not_written_so(stmt.place, "spill", SPILL));
            return None;
        }
        let has_bound = |member: &Member| {
            let target = self.targets.get(member.target.index());
            target.is_some_and(|target| target.max_inflight.is_some())
        };
        let spilling = tiers
            .by_priority
            .split_last()
            .map_or(&[][..], |(_, before)| before);
        let mut spilling = spilling.iter();
        let never_full = !spilling.any(|tier| tier.members.iter().all(has_bound));
        let alone = tiers.by_priority.len() < 2;
        if alone || never_full && spill.slow.is_empty() {
            let diagnostic = routing::nowhere_to_spill(stmt.place, alone);
            self.report(diagnostic);
        }
        Some(spill)
    }

    /// One of its conditions; tells whether it is one. What is wrong with its number has been said.
    fn spill_rule(&mut self, rule: &'t Expr<'t>, spill: &mut Spill) -> bool {
        let Kind::Compare(Op::Gt, left, right) = &rule.kind else {
            return false;
        };
        let right: &'t Expr<'t> = self.deref(right, &[]);
        let Kind::Number(number) = right.kind else {
            return false;
        };
        match &left.kind {
            Kind::Path("saturation") if number.ppm().is_some() => {
                if let Some(part) = self.percent(right, number, SPILL_MAX)
                    && spill.saturation.replace(part).is_some()
                {
                    self.report(say::twice(rule.place, "spill when saturation", rule.place));
                }
                true
            }
            Kind::Call(name, args) => {
                let (Some(percentile), Some((measure, None)), Some(limit)) =
                    (percentile(name), slow_measure(args), number.span())
                else {
                    return false;
                };
                if spill.slow.iter().any(|known| known.measure == measure) {
                    let word = format!("spill when {}", measure.as_str());
                    self.report(say::twice(rule.place, &word, rule.place));
                }
                spill.slow.push(SlowRule {
                    measure,
                    prompts: None,
                    percentile,
                    limit,
                });
                true
            }
            _ => false,
        }
    }

    /// The tiers of a block, with its `pick`.
    pub(super) fn tiers(&mut self, fields: &Fields<'t>) -> Tiers {
        let mut tiers = Tiers::default();
        let mut number = 0;
        for stmt in fields.of("tier") {
            let wanted = number + 1;
            match self.tier_number(stmt) {
                Some((found, place)) => {
                    if found != wanted {
                        self.report(routing::tier_number(place, found, wanted));
                    }
                    number = found.max(number);
                }
                None => continue,
            }
            let tier = self.tier(stmt, fields.pick(), &mut tiers.places);
            if !tier.members.is_empty() {
                tiers.by_priority.push(tier);
            }
        }
        self.repeated_targets(&tiers);
        tiers
    }

    fn tier_number(&mut self, stmt: &'t Stmt<'t>) -> Option<(u64, Place)> {
        if let (
            [
                _,
                Word::Expr(Expr {
                    kind: Kind::Number(number),
                    place,
                }),
            ],
            Tail::Bare,
            Some(_),
        ) = (stmt.words.as_slice(), &stmt.tail, &stmt.body)
            && let Some(count) = number.count()
        {
            return Some((count, *place));
        }
        self.report(say::not_written_so(stmt.head(), "tier", TIER));
        None
    }

    fn tier(&mut self, stmt: &'t Stmt<'t>, pick: Pick, places: &mut Vec<Place>) -> Tier {
        let mut tier = Tier {
            pick,
            members: Vec::new(),
        };
        let mut idle = Vec::new();
        for inner in stmt.stmts() {
            if inner.key() == "pick" {
                if let Tail::Assign(expr) = &inner.tail
                    && let Some(Value::Pick(pick)) = self.value(expr, &Type::Pick, None)
                {
                    tier.pick = pick;
                }
            } else if let Some(member) = self.member(inner) {
                if member.weight == 0 {
                    idle.push(inner);
                }
                tier.members.push(member);
                places.push(inner.key_place());
            }
        }
        if tier.members.is_empty() {
            if stmt.stmts().is_empty() {
                self.report(say::missing(
                    stmt.head(),
                    "tier",
                    "a target such as `provider.model`",
                ));
            }
        } else if tier.members.len() == idle.len() {
            self.report(routing::all_weights_zero(stmt.head()));
        } else {
            for member in idle {
                self.report(routing::weight_zero(member.place, member.key()));
            }
        }
        tier
    }

    fn member(&mut self, stmt: &'t Stmt<'t>) -> Option<Member> {
        if !matches!(stmt.tail, Tail::Bare) || stmt.body.is_some() {
            self.report(say::unknown_field(
                stmt.key_place(),
                self.files.slice(stmt.key_place()),
                "tier",
                schema::TIER.words(),
            ));
            return None;
        }
        match stmt.words.as_slice() {
            [Word::Expr(target)] => Some(Member {
                target: self.target(target)?,
                weight: 1,
            }),
            [Word::Expr(target), Word::Expr(word), Word::Expr(weight)] => {
                let target = self.target(target);
                if word.name() != Some("weight") {
                    let text = self.files.slice(word.place);
                    self.report(say::unknown_field(word.place, text, "tier", ["weight"]));
                    return None;
                }
                let weight = self.value(weight, &WEIGHT, Some(("weight", word.place)))?;
                let Value::Int(weight) = weight else {
                    return None;
                };
                Some(Member {
                    target: target?,
                    weight: u32::try_from(weight).ok()?,
                })
            }
            _ => {
                self.report(say::not_written_so(stmt.head(), "tier", MEMBER));
                None
            }
        }
    }

    fn repeated_targets(&mut self, tiers: &Tiers) {
        let mut seen = BTreeMap::new();
        for (member, place) in tiers.members() {
            if let Some(&before) = seen.get(&member.target) {
                let name = self.target_name(member.target).to_owned();
                self.report(routing::target_twice(place, &name, before));
            } else {
                seen.insert(member.target, place);
            }
        }
    }

    pub(super) fn target_name(&self, target: TargetId) -> &str {
        self.targets
            .get(target.index())
            .map_or("", |target| &target.name)
    }
}
