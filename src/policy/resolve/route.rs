//! Aliases, forbids and routes.

use crate::base::{OutcomeSet, RetriesId, TargetId, limits};
use crate::policy::diag::{naming as say, routing};
use crate::policy::facts::Caps;
use crate::policy::model::{
    Action, Alias, Cond, Forbid, MidStream, Reject, Route, Serve, Then, Trigger,
};
use crate::policy::resolve::block::Fields;
use crate::policy::resolve::fallback::Fallback;
use crate::policy::resolve::hedge::Written;
use crate::policy::resolve::names::Decl;
use crate::policy::resolve::places::RoutePlaces;
use crate::policy::resolve::policy::Resolver;
use crate::policy::resolve::provider::caps_of;
use crate::policy::resolve::settings::{attempts_max, mid_stream, panic, timeouts};
use crate::policy::resolve::tiers::Tiers;
use crate::policy::schema::{self, Scope, Space};
use crate::policy::syntax::Place;
use crate::policy::syntax::ast::{Expr, Kind, Stmt, Tail, Word};

impl<'t> Resolver<'t> {
    pub(super) fn aliases(&mut self) {
        for decl in self.names.all(Space::Alias) {
            let Tail::Arrow(words) = &decl.stmt.tail else {
                self.report(say::not_written_so(
                    decl.stmt.head(),
                    "alias",
                    "alias \"client name\" -> \"model name\"",
                ));
                continue;
            };
            let [
                Word::Expr(Expr {
                    kind: Kind::Str(to),
                    place,
                }),
            ] = words.as_slice()
            else {
                self.report(say::not_written_so(
                    decl.stmt.head(),
                    "alias",
                    "alias \"client name\" -> \"model name\"",
                ));
                continue;
            };
            if let Some(next) = self.names.find(Space::Alias, to) {
                self.report(routing::alias_chain(*place, to, next.place));
            }
            self.aliases.push(Alias {
                from: decl.name.into(),
                to: (&**to).into(),
            });
        }
    }

    pub(super) fn forbids(&mut self) {
        for decl in self.names.all(Space::Forbid) {
            self.fields(decl.stmt.stmts(), &schema::FORBID);
            let [_, _, Word::When(_, when)] = decl.stmt.words.as_slice() else {
                self.report(say::missing(
                    decl.stmt.head(),
                    "forbid",
                    "`when <condition>`",
                ));
                continue;
            };
            if let Some(when) = self.cond(when, Scope::Attempt) {
                self.forbids.push(Forbid {
                    name: decl.name.into(),
                    at: self.at(decl.place),
                    when,
                });
            }
        }
    }

    pub(super) fn routes(&mut self) {
        let mut default: Option<Place> = None;
        for decl in self.names.all(Space::Route) {
            if let Some(default) = default {
                self.report(routing::after_default(decl.place, decl.name, default));
            }
            if decl.name == "default" {
                default = Some(decl.place);
            }
            let route = self.taken_over(decl).or_else(|| self.route(decl));
            if u16::try_from(self.routes.len()).is_err() {
                self.report(say::too_many(decl.place, u16::MAX, "routes"));
                return;
            }
            if let Some((route, places)) = route {
                self.route_places.push(places);
                self.routes.push(route);
            }
        }
    }

    fn route(&mut self, decl: Decl<'t>) -> Option<(Route, RoutePlaces)> {
        let before = self.said();
        self.key_fact = None;
        let when = self.when(decl);
        let fields = self.fields(decl.stmt.stmts(), &schema::ROUTE);
        let action = self.action(decl, &fields);
        let guard = self.guard(decl, &fields);
        let (when, (action, places)) = when.zip(action)?;
        let route = Route {
            name: decl.name.into(),
            at: self.at(decl.place),
            when,
            action,
            guard,
        };
        self.mark(decl, &route, before);
        Some((route, places))
    }

    fn when(&mut self, decl: Decl<'t>) -> Option<Cond> {
        match (decl.stmt.words.as_slice(), &decl.stmt.tail) {
            ([_, _], Tail::Bare) if decl.name == "default" => Some(Cond::Always),
            ([_, _], Tail::Bare) => {
                self.report(say::missing(
                    decl.stmt.head(),
                    "route",
                    "`when <condition>`: only `route default` takes every request",
                ));
                None
            }
            ([_, _, Word::When(place, _)], Tail::Bare) if decl.name == "default" => {
                self.report(routing::default_with_when(*place));
                None
            }
            ([_, _, Word::When(_, when)], Tail::Bare) => self.cond(when, Scope::Request),
            _ => {
                self.report(say::not_written_so(
                    decl.stmt.head(),
                    "route",
                    "route NAME when <condition> { … }",
                ));
                None
            }
        }
    }

    fn action(&mut self, decl: Decl<'t>, fields: &Fields<'t>) -> Option<(Action, RoutePlaces)> {
        let reject = self.plain_reject(fields);
        let tiers = self.route_tiers(fields);
        match (reject, tiers) {
            (Some(reject), None) => {
                for word in ["fallback", "shadow"] {
                    if let Some(stmt) = fields.of(word).next() {
                        self.report(routing::reject_with_targets(stmt.key_place()));
                    }
                }
                Some((Action::Reject(reject), RoutePlaces::default()))
            }
            (Some(_), Some(_)) => {
                let stmt = fields.of("reject").next();
                self.report(routing::reject_with_targets(
                    stmt.map_or(decl.place, Stmt::key_place),
                ));
                None
            }
            (None, Some(tiers)) => {
                let (serve, places) = self.serve(decl, fields, tiers);
                Some((Action::Serve(serve), places))
            }
            (None, None) => {
                let written = ["tier", "use", "reject"]
                    .into_iter()
                    .any(|word| fields.of(word).next().is_some());
                if !written {
                    let what = "targets: `tier 1 { provider.model }`, `use pool.NAME`, \
                                or `reject(404, \"…\")`";
                    self.report(say::missing(decl.stmt.head(), "route", what));
                }
                None
            }
        }
    }

    fn plain_reject(&mut self, fields: &Fields<'t>) -> Option<Reject> {
        let stmt = fields.of("reject").next()?;
        if let (
            [
                Word::Expr(
                    call @ Expr {
                        kind: Kind::Call(_, args),
                        ..
                    },
                ),
            ],
            Tail::Bare,
            None,
        ) = (stmt.words.as_slice(), &stmt.tail, &stmt.body)
        {
            self.reject(call, args)
        } else {
            self.report(say::not_written_so(
                stmt.place,
                "reject",
                "reject(404, \"message\")",
            ));
            None
        }
    }

    fn route_tiers(&mut self, fields: &Fields<'t>) -> Option<Tiers> {
        let Some(stmt) = fields.of("use").next() else {
            let tiers = self.tiers(fields);
            return (!tiers.by_priority.is_empty()).then_some(tiers);
        };
        let others = fields.of("tier").chain(fields.of("use").skip(1));
        for other in others.collect::<Vec<_>>() {
            self.report(say::either_or(
                other.key_place(),
                other.key(),
                "use",
                stmt.key_place(),
            ));
        }
        if let Some(place) = fields.place("pick") {
            self.report(say::either_or(place, "pick", "use", stmt.key_place()));
        }
        let path = stmt
            .name()
            .filter(|_| stmt.words.len() == 2 && matches!(stmt.tail, Tail::Bare));
        let Some((pool, place)) =
            path.and_then(|(path, place)| Some((path.strip_prefix("pool.")?, place)))
        else {
            self.report(say::not_written_so(stmt.place, "use", "use pool.NAME"));
            return None;
        };
        let decl = self.lookup(Space::Pool, pool, place)?;
        let tiers = self.pools.get(decl.name)?;
        // A pool that is wrong has been reported where it stands.
        (!tiers.by_priority.is_empty()).then(|| tiers.clone())
    }

    fn serve(&mut self, decl: Decl<'t>, fields: &Fields<'t>, tiers: Tiers) -> (Serve, RoutePlaces) {
        let fallback = match fields.of("fallback").next() {
            Some(stmt) => self.fallback(stmt),
            None => self.standard_fallback(decl.place),
        };
        let require = fields.written("require").map_or(Caps::NONE, caps_of);
        let hedge = self.hedge(fields);
        let shadow = self.shadow(fields);
        let beside = [
            hedge.as_ref().map(|it| (it.hedge.target, it.target)),
            shadow.as_ref().map(|it| (it.shadow.target, it.target)),
        ];
        self.check_require(fields, &tiers, beside.into_iter().flatten(), require);
        self.check_jumps(&tiers, &fallback);
        let candidates = self.check_size(decl, &tiers, &fallback, hedge.as_ref());
        let own = attempts_max(fields).or(self.defaults.attempts_max);
        let deadline = fields.span("deadline").unwrap_or(self.defaults.deadline);
        if let Some(hedge) = &hedge {
            self.check_hedge(hedge, &tiers, deadline, own);
        }
        if let Some(shadow) = &shadow {
            self.check_shadow(shadow, &tiers);
        }
        if own.is_none() {
            self.check_attempts(decl, &tiers, &fallback, candidates);
        }
        let mid_stream = self.mid_stream(fields, &tiers, &fallback);
        let sticky = fields.facts("sticky").to_vec();
        let places = RoutePlaces {
            members: tiers.places,
            jumps: fallback.jumps,
            hedge: hedge.as_ref().map(|hedge| hedge.target),
            deadline: fields.place("deadline"),
            sticky: fields.place("sticky"),
            budgets: fields.place("budgets").is_some(),
        };
        let serve = Serve {
            tiers: tiers.by_priority,
            spill: tiers.spill.map(Box::new),
            fallback: fallback.lines,
            otherwise: fallback.otherwise,
            require,
            deadline,
            attempts_max: own.unwrap_or(limits::ATTEMPTS_MAX),
            timeouts: timeouts(fields),
            mid_stream,
            panic: panic(fields).or(self.defaults.panic).unwrap_or_default(),
            strict: fields
                .place("strict")
                .map_or(self.defaults.strict, |_| fields.flag("strict")),
            sticky,
            hedge: hedge.map(|written| Box::new(written.hedge)),
            shadow: shadow.map(|written| written.shadow),
        };
        (serve, places)
    }

    /// What the route does when a stream breaks. `continue` needs somebody who can.
    fn mid_stream(&mut self, fields: &Fields<'t>, tiers: &Tiers, fallback: &Fallback) -> MidStream {
        let own = mid_stream(fields);
        let Some((MidStream::Continue, place)) = own.or(self.defaults.mid_stream) else {
            return MidStream::Error;
        };
        let jumps = fallback.lines.iter().filter_map(|line| match line.then {
            Then::Jump(target) => Some(target),
            _ => None,
        });
        let members = tiers.members().map(|(member, _)| member.target);
        let able = members.chain(jumps).any(|target| self.can_continue(target));
        // A default is for the routes that can make use of it.
        if !able && own.is_some() {
            self.report(routing::nobody_continues(place));
        }
        if able {
            MidStream::Continue
        } else {
            MidStream::Error
        }
    }

    fn can_continue(&self, target: TargetId) -> bool {
        let provider = self
            .targets
            .get(target.index())
            .map(|target| target.provider);
        let provider = provider.and_then(|id| self.providers.get(id.index()));
        provider.is_some_and(|provider| provider.continuation().is_some())
    }

    /// `beside` are targets that are no members: the hedge's and the shadow's.
    fn check_require(
        &mut self,
        fields: &Fields<'t>,
        tiers: &Tiers,
        beside: impl Iterator<Item = (TargetId, Place)>,
        require: Caps,
    ) {
        let Some(place) = fields.place("require") else {
            return;
        };
        let members = tiers
            .members()
            .map(|(member, listed)| (member.target, listed));
        for (target, listed) in members.chain(beside) {
            let Some(target) = self.targets.get(target.index()) else {
                continue;
            };
            let lacking = target.lacks.intersection(require);
            if lacking.is_empty() {
                continue;
            }
            let lacks = Caps::WORDS.iter().filter(|(_, cap)| lacking.covers(*cap));
            let lacks: Vec<&str> = lacks.map(|(word, _)| *word).collect();
            let able = self
                .targets
                .iter()
                .filter(|other| other.caps.covers(require));
            let able: Vec<&str> = able.map(|other| &*other.name).collect();
            let diagnostic = routing::lacks_caps(listed, &target.name, &lacks, place, &able);
            self.report(diagnostic);
        }
    }

    /// A jump whose target is the only one that can have failed leads nowhere.
    fn check_jumps(&mut self, tiers: &Tiers, fallback: &Fallback) {
        let jumps = fallback.lines.iter().filter_map(|line| match line.then {
            Then::Jump(target) => Some(target),
            _ => None,
        });
        let jumps: Vec<_> = jumps.collect();
        for (target, place) in jumps.iter().zip(&fallback.jumps) {
            let elsewhere = tiers.members().any(|(member, _)| member.target != *target)
                || jumps.iter().any(|other| other != target);
            if !elsewhere {
                let name = self.target_name(*target).to_owned();
                self.report(routing::jump_to_itself(*place, &name));
            }
        }
    }

    /// How many targets the route can reach.
    fn check_size(
        &mut self,
        decl: Decl<'t>,
        tiers: &Tiers,
        fallback: &Fallback,
        hedge: Option<&Written>,
    ) -> usize {
        let mut all: Vec<_> = tiers.members().map(|(member, _)| member.target).collect();
        let jumps = fallback.lines.iter().filter_map(|line| match line.then {
            Then::Jump(target) => Some(target),
            _ => None,
        });
        for target in jumps.chain(hedge.map(|written| written.hedge.target)) {
            if !all.contains(&target) {
                all.push(target);
            }
        }
        if all.len() > limits::ROUTE_TARGETS_MAX {
            self.report(routing::too_many_targets(
                decl.place,
                all.len(),
                limits::ROUTE_TARGETS_MAX,
            ));
        }
        all.len()
    }

    /// First pick, repeats at the same target, each further candidate that `next`, a jump or a hedge can reach.
    fn check_attempts(
        &mut self,
        decl: Decl<'t>,
        tiers: &Tiers,
        fallback: &Fallback,
        candidates: usize,
    ) {
        let cures = |set: OutcomeSet| !set.is_empty();
        let goes_next = fallback.lines.iter().any(|line| {
            let fires = match line.on {
                Trigger::Outcomes(set) => cures(set),
                Trigger::Slow(_) => true,
            };
            fires && line.then == Then::Next
        });
        let members = tiers.members().count();
        let reach = if goes_next {
            candidates
        } else {
            candidates - members.min(candidates) + 1
        };
        let retries = tiers
            .members()
            .map(|(member, _)| self.retries_max(member.target))
            .max();
        let attempts = reach + usize::from(retries.unwrap_or(0));
        let cap = usize::from(limits::ATTEMPTS_MAX);
        if attempts > cap {
            self.report(routing::too_many_attempts(
                decl.place, decl.name, attempts, cap, reach,
            ));
        }
    }

    fn retries_max(&self, target: TargetId) -> u8 {
        let id = self
            .targets
            .get(target.index())
            .map_or(RetriesId(0), |target| target.retries);
        self.retries
            .get(id.index())
            .map_or(0, |retries| retries.max)
    }
}
