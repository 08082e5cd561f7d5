//! `drill` blocks: traffic, faults and when they come (`inject`), and what must be seen of them (`expect`). `checks` tells
//! which of them can never show what they are for.

mod checks;
mod expect;
mod inject;

use crate::base::{ProviderId, Span};
use crate::policy::cron::{Cron, is_zone};
use crate::policy::diag::{naming as say, testing};
use crate::policy::drill::{
    Arrivals, Drill, Expect, Expected, Injection, Manner, Schedule, Traffic,
};
use crate::policy::resolve::block::Fields;
use crate::policy::resolve::policy::Resolver;
use crate::policy::schema::drill::{ASSUME, DRILL};
use crate::policy::schema::{Space, Type, Value};
use crate::policy::syntax::Place;
use crate::policy::syntax::ast::{Arg, Expr, Kind, Stmt, Tail, Word};

const TRAFFIC: &str = "traffic = synthetic(20/s)`, `traffic = shadow(10%)` or `traffic = live(5%)";
const SCHEDULE: &str = "schedule = cron(\"0 10 * * tue\", tz = \"Europe/Berlin\")";
const ASSUMED: &str = "assume PROVIDER { ttft = 250ms..750ms, gap = 15ms, tokens = 100 }";
/// The most requests a second that a drill makes: what it then keeps of them fits into memory for minutes.
const RATE_MAX: u64 = 100_000;
/// What recovers after the last fault has a moment more than its breakers need.
const RECOVERY: Span = Span::from_secs(15);

/// A drill and where its parts stand.
struct Written<'t> {
    drill: Drill,
    /// Its name.
    place: Place,
    /// One for each injection.
    injected: Vec<Place>,
    /// One for each expectation.
    expected: Vec<Place>,
    stmt: &'t Stmt<'t>,
}

impl<'t> Resolver<'t> {
    /// Settles all drills.
    pub(in crate::policy::resolve) fn drills(&mut self) -> Vec<Drill> {
        let mut written = Vec::new();
        for decl in self.names.all(Space::Drill) {
            written.extend(self.drill(decl.name, decl.place, decl.stmt));
        }
        self.check_drills(&written);
        written.into_iter().map(|written| written.drill).collect()
    }

    fn drill(&mut self, name: &str, place: Place, stmt: &'t Stmt<'t>) -> Option<Written<'t>> {
        self.bodied(stmt, "drill", "drill NAME { … }");
        let fields = self.fields(stmt.stmts(), &DRILL);
        let schedule = self
            .only(&fields, "schedule")
            .and_then(|stmt| self.schedule(stmt));
        let traffic = self.only(&fields, "traffic");
        if traffic.is_none() {
            self.report(say::missing(stmt.key_place(), "drill", "its `traffic`"));
        }
        let traffic = traffic.and_then(|stmt| self.traffic(stmt));
        let (mut given, mut seed) = (Vec::new(), 0);
        for stmt in fields.of("given").collect::<Vec<_>>() {
            self.given(stmt, &mut given, &mut seed);
        }
        let sample = self
            .only(&fields, "sample")
            .and_then(|stmt| self.sample(stmt));
        let mut manners = self.simulated_manners();
        for stmt in fields.of("assume").collect::<Vec<_>>() {
            manners.extend(self.assumed(stmt));
        }
        let (injections, injected) = self.injections(stmt, &fields);
        let (mut expects, mut expected) = (Vec::new(), Vec::new());
        for stmt in fields.of("expect").collect::<Vec<_>>() {
            self.drill_expects(stmt, &mut expects, &mut expected);
        }
        if fields.of("expect").next().is_none() {
            self.report(say::missing(stmt.key_place(), "drill", "an `expect { … }`"));
        }
        let length = match fields.span("for") {
            Some(length) => length,
            None => self.recovered(&injections, &expects),
        };
        let mut aborts = Vec::new();
        for stmt in fields.of("abort").collect::<Vec<_>>() {
            aborts.extend(self.abort(stmt));
        }
        if let (Some(Traffic::Live(_)), None) = (traffic, fields.of("abort").next()) {
            self.report(testing::unguarded(stmt.key_place(), name));
        }
        Some(Written {
            drill: Drill {
                name: name.into(),
                at: self.at(stmt.key_place()),
                schedule,
                traffic: traffic?,
                length,
                given,
                seed,
                sample,
                manners,
                injections,
                expects,
                aborts,
            },
            place,
            injected,
            expected,
            stmt,
        })
    }

    /// All that is injected, and where that stands.
    fn injections(
        &mut self,
        stmt: &'t Stmt<'t>,
        fields: &Fields<'t>,
    ) -> (Vec<Injection>, Vec<Place>) {
        let (mut injections, mut injected) = (Vec::new(), Vec::new());
        for stmt in fields.of("inject").collect::<Vec<_>>() {
            if let Some(injection) = self.injection(stmt, fields.span("for")) {
                injections.push(injection);
                injected.push(stmt.head());
            }
        }
        let untroubled = fields.of("inject").next().is_none();
        if untroubled && !stmt.stmts().iter().any(|line| line.key() == "for") {
            let what = "an `inject … { … }`, or a `for` if nothing is to be wrong";
            self.report(say::missing(stmt.key_place(), "drill", what));
        }
        (injections, injected)
    }

    /// The one statement of this word; a second one is reported.
    fn only(&mut self, fields: &Fields<'t>, word: &str) -> Option<&'t Stmt<'t>> {
        let mut stmts = fields.of(word);
        let first = stmts.next()?;
        for other in stmts.collect::<Vec<_>>() {
            self.report(say::twice(other.key_place(), word, first.key_place()));
        }
        Some(first)
    }

    fn schedule(&mut self, stmt: &'t Stmt<'t>) -> Option<Schedule> {
        let (Tail::Assign(call), [_]) = (&stmt.tail, stmt.words.as_slice()) else {
            return self.not_so(stmt.head(), "schedule", SCHEDULE);
        };
        let Kind::Call("cron", args) = &call.kind else {
            return self.not_so(call.place, "schedule", SCHEDULE);
        };
        let (cron, zone) = match args.as_slice() {
            [cron] => (cron, None),
            [cron, zone] if zone.expr.name() == Some("tz") => (cron, zone.value.as_ref()),
            _ => return self.not_so(call.place, "schedule", SCHEDULE),
        };
        let (Kind::Str(text), None) = (&self.deref(&cron.expr, &[]).kind, &cron.value) else {
            return self.not_so(call.place, "schedule", SCHEDULE);
        };
        let cron = match Cron::parse(text) {
            Ok(cron) => cron,
            Err(wrong) => {
                self.report(testing::no_cron(cron.expr.place, &wrong));
                return None;
            }
        };
        let zone = match zone.map(|zone| (zone, &self.deref(zone, &[]).kind)) {
            None => "UTC",
            Some((_, Kind::Str(zone))) if is_zone(zone) => zone,
            Some((zone, _)) => {
                self.report(testing::no_zone(zone.place));
                return None;
            }
        };
        Some(Schedule {
            cron,
            zone: zone.into(),
        })
    }

    fn traffic(&mut self, stmt: &'t Stmt<'t>) -> Option<Traffic> {
        let (Tail::Assign(call), [_]) = (&stmt.tail, stmt.words.as_slice()) else {
            return self.not_so(stmt.head(), "traffic", TRAFFIC);
        };
        match &call.kind {
            Kind::Call("synthetic", args) => self.synthetic(call, args),
            Kind::Call(word @ ("shadow" | "live"), args) => {
                let [Arg { expr, value: None }] = args.as_slice() else {
                    return self.not_so(call.place, "traffic", TRAFFIC);
                };
                let part = self.value(expr, &Type::Percent(1_000_000), None);
                let live = *word == "live";
                match part? {
                    Value::Ppm(part) if live => Some(Traffic::Live(part)),
                    Value::Ppm(part) => Some(Traffic::Shadow(part)),
                    _ => None,
                }
            }
            _ => self.not_so(call.place, "traffic", TRAFFIC),
        }
    }

    fn synthetic(&mut self, call: &'t Expr<'t>, args: &'t [Arg<'t>]) -> Option<Traffic> {
        let (rate, arrivals) = match args {
            [rate] => (rate, Some(Arrivals::default())),
            [rate, arrivals] if arrivals.expr.name() == Some("arrivals") => {
                let word = arrivals.value.as_ref();
                let found = word.and_then(|word| Arrivals::from_word(word.name()?));
                if let (None, Some(word)) = (found, word) {
                    let text = self.files.slice(word.place);
                    let known = Arrivals::WORDS;
                    self.report(say::unknown_name(word.place, "arrivals", text, known));
                }
                (rate, found)
            }
            _ => return self.not_so(call.place, "traffic", TRAFFIC),
        };
        if rate.value.is_some() {
            return self.not_so(call.place, "traffic", TRAFFIC);
        }
        let Value::Rate(count, per) = self.value(&rate.expr, &Type::Rate, None)? else {
            return None;
        };
        let a_second = u128::from(count) * 1_000_000_000 / u128::from(per.as_nanos().max(1));
        if count == 0 || a_second > u128::from(RATE_MAX) {
            let text = self.files.slice(rate.expr.place);
            let most = format!("{RATE_MAX}/s");
            self.report(say::out_of_range(rate.expr.place, text, "1/d", &most));
            return None;
        }
        Some(Traffic::Synthetic {
            count,
            per,
            arrivals: arrivals?,
        })
    }

    /// Providers that say themselves how they behave.
    fn simulated_manners(&self) -> Vec<(ProviderId, Manner)> {
        let each = (0_u16..).zip(&self.providers);
        each.filter_map(|(id, provider)| {
            let simulation = provider.simulation.as_ref()?;
            let manner = Manner {
                ttft: simulation.ttft,
                gap: simulation.gap,
                tokens: simulation.tokens,
            };
            Some((ProviderId(id), manner))
        })
        .collect()
    }

    /// `assume openai { … }`
    fn assumed(&mut self, stmt: &'t Stmt<'t>) -> Option<(ProviderId, Manner)> {
        let ([_, Word::Expr(of)], Tail::Bare, Some(_)) =
            (stmt.words.as_slice(), &stmt.tail, &stmt.body)
        else {
            return self.not_so(stmt.head(), "assume", ASSUMED);
        };
        let Some(name) = of.name() else {
            return self.not_so(stmt.head(), "assume", ASSUMED);
        };
        let provider = self.provider_named(name, of.place);
        let fields = self.fields(stmt.stmts(), &ASSUME);
        let manner = Manner {
            ttft: fields.spans("ttft")?,
            gap: fields.span("gap")?,
            tokens: fields.count("tokens")?,
        };
        provider.map(|provider| (provider, manner))
    }

    fn provider_named(&mut self, name: &'t str, place: Place) -> Option<ProviderId> {
        self.lookup(Space::Provider, name, place)?;
        let index = self.providers.iter().position(|own| *own.name == *name)?;
        u16::try_from(index).ok().map(ProviderId)
    }

    /// Until all is lifted, and what the breakers of those who were hit may need after it, or may take by what is
    /// expected.
    fn recovered(&self, injections: &[Injection], expects: &[Expected]) -> Span {
        let lifted = injections.iter().map(Injection::lifted).max();
        let hit = injections.iter().flat_map(|injection| &injection.spots);
        let breakers = hit.flat_map(|spot| &spot.targets).filter_map(|target| {
            let target = self.targets.get(target.index())?;
            self.breakers.get(target.breaker.index())
        });
        let needs = breakers.map(|breaker| {
            let steps = breaker.ramp.steps().len() as u64;
            let ramp = breaker.step.saturating_mul(steps);
            breaker.cool_down.1.saturating_add(ramp)
        });
        let granted = expects.iter().filter_map(|expected| match expected.expect {
            Expect::Closed(_, within) => Some(within),
            _ => None,
        });
        let needs = needs.max().unwrap_or_default().saturating_add(RECOVERY);
        let recovery = granted.max().unwrap_or_default().max(needs);
        lifted.unwrap_or_default().saturating_add(recovery)
    }

    fn not_so<T>(&mut self, place: Place, word: &str, shape: &str) -> Option<T> {
        self.report(say::not_written_so(place, word, shape));
        None
    }
}
