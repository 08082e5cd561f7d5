//! `server`, `clients`, `defaults`, and the named settings: breakers and retries.

use crate::base::{BreakerId, Outcome, RetriesId, Span};
use crate::policy::diag::{naming as say, routing, safety};
use crate::policy::model::{
    Breaker, LogForm, Measure, MidStream, Panic, PromptSize, Records, Retries, Server,
    ServerBounds, ServerTls, SlowRule, Telemetry, Timeouts, TimeoutsOverride,
};
use crate::policy::resolve::block::Fields;
use crate::policy::resolve::connection::is_loopback;
use crate::policy::resolve::places::BreakerPlaces;
use crate::policy::resolve::policy::{CONNECT, DEADLINE, IDLE, Resolver, TTFT};
use crate::policy::schema::{self, Space, Value};
use crate::policy::syntax::Place;
use crate::policy::syntax::ast::{Arg, Expr, Kind, Op, Stmt, Tail, Word};

/// What holds where a block leaves it out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Defaults {
    pub(super) breaker: BreakerId,
    pub(super) retries: RetriesId,
    pub(super) deadline: Span,
    pub(super) timeouts: Timeouts,
    /// Only where the policy sets it.
    pub(super) attempts_max: Option<u8>,
    /// With its place, where the policy sets it.
    pub(super) mid_stream: Option<(MidStream, Place)>,
    /// Only where the policy sets it.
    pub(super) panic: Option<Panic>,
    pub(super) strict: bool,
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            breaker: BreakerId(0),
            retries: RetriesId(0),
            deadline: DEADLINE,
            timeouts: Timeouts {
                connect: CONNECT,
                head: None,
                ttft: TTFT,
                idle: IDLE,
            },
            attempts_max: None,
            mid_stream: None,
            panic: None,
            strict: false,
        }
    }
}

impl<'t> Resolver<'t> {
    pub(super) fn server(&mut self) -> Option<Server> {
        let anonymous = self.clients();
        let stmt = self.names.single.get("server").copied();
        let fields = self.fields(stmt.map_or(&[], Stmt::stmts), &schema::SERVER);
        let tls = match fields.of("tls").next() {
            Some(stmt) => {
                let inner = self.fields(stmt.stmts(), &schema::SERVER_TLS);
                let both = inner.secret("cert").zip(inner.secret("key"));
                if both.is_none() {
                    self.report(say::missing(stmt.key_place(), "tls", "`cert` and `key`"));
                }
                both.map(|(cert, key)| ServerTls { cert, key })
            }
            None => None,
        };
        for word in ["listen", "admin"] {
            self.address(&fields, word, anonymous);
        }
        self.cores = fields
            .count("cores")
            .and_then(|cores| u16::try_from(cores).ok());
        Some(Server {
            listen: fields.text("listen")?.into(),
            admin: fields.text("admin")?.into(),
            cores: self.cores,
            body_max: fields.int("body_max")?,
            bounds: self.server_bounds(&fields),
            drain: fields.span("drain")?,
            tls,
            anonymous,
            at: self.at(stmt.map(|stmt| stmt.place).unwrap_or_default()),
        })
    }

    fn server_bounds(&mut self, fields: &Fields<'t>) -> ServerBounds {
        let body_memory = fields.int("body_memory");
        if let (Some(place), Some(memory), Some(body)) = (
            fields.place("body_memory"),
            body_memory,
            fields.int("body_max"),
        ) && memory < body
        {
            self.report(say::body_memory_too_small(place, body));
        }
        ServerBounds {
            connections: fields.count("max_connections"),
            requests: fields.count("max_requests"),
            body_memory,
        }
    }

    pub(super) fn telemetry(&mut self) -> Telemetry {
        let stmt = self.names.single.get("telemetry").copied();
        let fields = self.fields(stmt.map_or(&[], Stmt::stmts), &schema::TELEMETRY);
        let built_in = Telemetry::default();
        Telemetry {
            access_log: fields
                .text("access_log")
                .and_then(LogForm::from_word)
                .unwrap_or(built_in.access_log),
            sample: fields.ppm("sample").unwrap_or(built_in.sample),
        }
    }

    pub(super) fn records(&mut self) -> Option<Records> {
        let telemetry = self.names.single.get("telemetry").copied()?;
        let stmt = telemetry.stmts().iter().find(|it| it.key() == "records")?;
        let fields = self.fields(stmt.stmts(), &schema::RECORDS);
        Some(Records {
            file: fields.text("file").map(Into::into),
            share: fields.ppm("share")?,
            failed: fields.text("failed") == Some("all"),
            max_size: fields.int("max_size")?,
        })
    }

    fn clients(&mut self) -> bool {
        let Some(stmt) = self.names.single.get("clients").copied() else {
            return false;
        };
        let fields = self.fields(stmt.stmts(), &schema::CLIENTS);
        if let Some(place) = fields.place("keys") {
            self.report(safety::client_keys_unbuilt(place));
        }
        fields.text("anonymous") == Some("allow")
    }

    fn address(&mut self, fields: &Fields<'t>, word: &str, anonymous: bool) {
        let (Some(place), Some(text)) = (fields.place(word), fields.text(word)) else {
            return;
        };
        let parts = text
            .rsplit_once(':')
            .filter(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        let Some((host, _)) = parts else {
            self.report(say::bad_address(place, text));
            return;
        };
        let open = !is_loopback(host.trim_start_matches('[').trim_end_matches(']'));
        if open && (word == "admin" || !anonymous) {
            self.report(safety::open_to_all(place, word));
        }
    }

    pub(super) fn settle_defaults(&mut self) {
        self.standard_settings();
        self.declared_settings();
        let Some(stmt) = self.names.single.get("defaults").copied() else {
            return;
        };
        let fields = self.fields(stmt.stmts(), &schema::DEFAULTS);
        self.default_health = self.health_of(&fields);
        let built_in = Defaults::default();
        self.defaults = Defaults {
            breaker: self
                .breaker_of(&fields, "defaults")
                .unwrap_or(built_in.breaker),
            retries: self
                .retries_of(&fields, "defaults")
                .unwrap_or(built_in.retries),
            deadline: fields.span("deadline").unwrap_or(built_in.deadline),
            timeouts: merge(timeouts(&fields), built_in.timeouts),
            attempts_max: attempts_max(&fields),
            mid_stream: mid_stream(&fields),
            panic: panic(&fields),
            strict: fields.flag("strict"),
        };
    }

    /// The built-in `standard` of both, at index 0. A declared `standard` takes its place.
    fn standard_settings(&mut self) {
        let breaker = self.fields(&[], &schema::BREAKER);
        let breaker = self.breaker(&breaker, "standard", Place::default());
        self.breakers.push(Breaker {
            error_rate: Some(250_000),
            consecutive: Some(5),
            ..breaker
        });
        self.breaker_places.push(BreakerPlaces::default());
        self.breaker_ids.insert("standard", BreakerId(0));
        let retries = self.fields(&[], &schema::RETRIES);
        let retries = self.retry(&retries, "standard", Place::default());
        self.retries.push(retries);
        self.retries_places.push(None);
        self.retries_ids.insert("standard", RetriesId(0));
    }

    fn declared_settings(&mut self) {
        for decl in self.names.all(Space::Breaker) {
            let breaker = self.declared_breaker(decl.stmt, decl.name, decl.place);
            let id = self.put_breaker(breaker, decl.name == "standard");
            self.breaker_ids.insert(decl.name, id);
        }
        for decl in self.names.all(Space::Retries) {
            self.bodied(decl.stmt, "retries", "retries NAME { … }");
            let fields = self.fields(decl.stmt.stmts(), &schema::RETRIES);
            let retries = self.retry(&fields, decl.name, decl.place);
            let id = self.put_retries(retries, fields.place("max"), decl.name == "standard");
            self.retries_ids.insert(decl.name, id);
        }
        self.declared_healths();
    }

    fn put_breaker(
        &mut self,
        (breaker, places): (Breaker, BreakerPlaces),
        standard: bool,
    ) -> BreakerId {
        let index = put(&mut self.breakers, breaker, standard);
        put(&mut self.breaker_places, places, standard);
        BreakerId(index)
    }

    fn put_retries(&mut self, retries: Retries, max: Option<Place>, standard: bool) -> RetriesId {
        let index = put(&mut self.retries, retries, standard);
        put(&mut self.retries_places, max, standard);
        RetriesId(index)
    }

    /// The breaker that a block names or writes out, if it does.
    pub(super) fn breaker_of(&mut self, fields: &Fields<'t>, owner: &str) -> Option<BreakerId> {
        if let Some(name) = fields.text("breaker") {
            return self.breaker_ids.get(name).copied();
        }
        let stmt = fields.of("breaker").next()?;
        let breaker = self.declared_breaker(stmt, owner, stmt.key_place());
        Some(self.put_breaker(breaker, false))
    }

    /// The retries that a block names or writes out, if it does.
    pub(super) fn retries_of(&mut self, fields: &Fields<'t>, owner: &str) -> Option<RetriesId> {
        if let Some(name) = fields.text("retries") {
            return self.retries_ids.get(name).copied();
        }
        let stmt = fields.of("retries").next()?;
        let inner = self.fields(stmt.stmts(), &schema::RETRIES);
        let retries = self.retry(&inner, owner, stmt.key_place());
        Some(self.put_retries(retries, inner.place("max"), false))
    }

    fn declared_breaker(
        &mut self,
        stmt: &'t Stmt<'t>,
        name: &str,
        place: Place,
    ) -> (Breaker, BreakerPlaces) {
        self.bodied(stmt, "breaker", "breaker NAME { … }");
        let fields = self.fields(stmt.stmts(), &schema::BREAKER);
        let mut breaker = self.breaker(&fields, name, place);
        for rule in fields.of("open") {
            self.open_rule(rule, &mut breaker);
        }
        if fields.of("open").next().is_none() {
            self.report(say::missing(
                place,
                "breaker",
                "`open when …`: nothing would ever open it",
            ));
        }
        if let Some(count) = fields.place("count")
            && breaker.count.has(Outcome::S429)
        {
            self.report(routing::counts_429(count));
        }
        (breaker, BreakerPlaces::of(&fields))
    }

    fn breaker(&mut self, fields: &Fields<'t>, name: &str, place: Place) -> Breaker {
        let half = fields.of("half_open").next();
        let half_open = self.fields(half.map_or(&[], Stmt::stmts), &schema::HALF_OPEN);
        let throttle = fields.of("throttle").next();
        let throttle = self.fields(throttle.map_or(&[], Stmt::stmts), &schema::THROTTLE);
        Breaker {
            name: name.into(),
            at: self.at(place),
            window: fields.span("window").unwrap_or_default(),
            min_requests: fields.count("min_requests").unwrap_or(1),
            per_core: fields.text("scope") == Some("core"),
            count: fields.outcomes("count"),
            error_rate: None,
            consecutive: None,
            slow: Vec::new(),
            cool_down: fields.spans("cool_down").unwrap_or_default(),
            probes: half_open.count("probes").unwrap_or(1),
            need: half_open.count("need").unwrap_or(1),
            share: half_open.ppm("share").unwrap_or_default(),
            ramp: half_open.ramp("ramp").unwrap_or_default(),
            step: half_open.span("step").unwrap_or_default(),
            obey_retry_after: throttle.flag("obey_retry_after"),
            throttle_max: throttle.span("max").unwrap_or_default(),
        }
    }

    /// `open when error_rate > 25%`, `consecutive >= 5`, `p95(ttft) > 1200ms` or `slow(gap > 2s) > 30%`
    fn open_rule(&mut self, stmt: &'t Stmt<'t>, breaker: &mut Breaker) {
        const SHAPE: &str = "open when error_rate > 25%`, `open when consecutive >= 5`, \
             `open when p95(ttft) > 1200ms`, `open when p95(ttft, long) > 10s` or \
             `open when slow(gap > 2s) > 30%";
        let [
            _,
            Word::When(
                _,
                Expr {
                    kind: Kind::Compare(op, left, right),
                    ..
                },
            ),
        ] = stmt.words.as_slice()
        else {
            self.report(say::not_written_so(stmt.place, "open", SHAPE));
            return;
        };
        let right: &'t Expr<'t> = self.deref(right, &[]);
        let number = match right.kind {
            Kind::Number(number) => Some(number),
            _ => None,
        };
        match (&left.kind, op, number) {
            (Kind::Path("error_rate"), Op::Gt, Some(number)) if number.ppm().is_some() => {
                if let Some(rate) = self.percent(right, number, 1_000_000) {
                    self.once(stmt, "error_rate", breaker.error_rate.is_some());
                    breaker.error_rate = Some(rate);
                }
            }
            (Kind::Path("consecutive"), Op::Ge, Some(number)) if number.count().is_some() => {
                if let Some(run) = self.bounded(right, number.count(), 1, 1_000_000) {
                    self.once(stmt, "consecutive", breaker.consecutive.is_some());
                    breaker.consecutive = u32::try_from(run).ok();
                }
            }
            (Kind::Call(name, args), Op::Gt, Some(number)) if number.span().is_some() => {
                match percentile(name).zip(slow_measure(args)) {
                    Some((percentile, (measure, prompts))) => {
                        let rule = SlowRule {
                            measure,
                            prompts,
                            percentile,
                            limit: number.span().unwrap_or_default(),
                        };
                        self.slow_rule(stmt, rule, breaker);
                    }
                    None => self.report(say::not_written_so(stmt.place, "open", SHAPE)),
                }
            }
            (Kind::Call("slow", args), Op::Gt, Some(number)) if number.ppm().is_some() => {
                let Some((measure, prompts, limit)) = slow_limit(args) else {
                    self.report(say::not_written_so(stmt.place, "open", SHAPE));
                    return;
                };
                // More than 30 % above the limit: the 70th percentile is.
                if let Some(share) = self.percent(right, number, SHARE_MAX) {
                    let rule = SlowRule {
                        measure,
                        prompts,
                        percentile: 1_000_000_u32.saturating_sub(share),
                        limit,
                    };
                    self.slow_rule(stmt, rule, breaker);
                }
            }
            _ => self.report(say::not_written_so(stmt.place, "open", SHAPE)),
        }
    }

    fn slow_rule(&mut self, stmt: &Stmt<'t>, rule: SlowRule, breaker: &mut Breaker) {
        if breaker.slow.len() < Breaker::SLOW_MAX {
            breaker.slow.push(rule);
        } else {
            self.report(routing::too_many_slow_rules(stmt.place, Breaker::SLOW_MAX));
        }
    }

    fn once(&mut self, stmt: &Stmt<'t>, measure: &str, again: bool) {
        if again {
            let word = format!("open when {measure}");
            self.report(say::twice(stmt.place, &word, stmt.place));
        }
    }

    fn retry(&self, fields: &Fields<'t>, name: &str, place: Place) -> Retries {
        let per_s = match fields.written("floor") {
            Some(Value::Rate(count, per)) => count
                .saturating_mul(1_000_000_000)
                .div_ceil(per.as_nanos().max(1)),
            _ => 3,
        };
        Retries {
            name: name.into(),
            at: self.at(place),
            max: fields
                .int("max")
                .and_then(|max| u8::try_from(max).ok())
                .unwrap_or(0),
            budget: fields.ppm("budget").unwrap_or_default(),
            floor_per_s: u32::try_from(per_s).unwrap_or(u32::MAX),
            backoff: fields.spans("backoff").unwrap_or_default(),
        }
    }

    /// Reports a declaration without its block.
    pub(super) fn bodied(&mut self, stmt: &Stmt<'t>, word: &str, shape: &str) {
        if stmt.body.is_none() || !matches!(stmt.tail, Tail::Bare) {
            self.report(say::not_written_so(stmt.head(), word, shape));
        }
    }
}

/// The timers that a block sets.
pub(super) fn timeouts(fields: &Fields<'_>) -> TimeoutsOverride {
    TimeoutsOverride {
        connect: fields.span("connect_timeout"),
        head: fields.span("head_timeout"),
        ttft: fields.span("ttft_timeout"),
        idle: fields.span("idle_timeout"),
    }
}

/// The more specific ones first.
pub(super) fn merge(own: TimeoutsOverride, outer: Timeouts) -> Timeouts {
    Timeouts {
        connect: own.connect.unwrap_or(outer.connect),
        head: own.head.or(outer.head),
        ttft: own.ttft.unwrap_or(outer.ttft),
        idle: own.idle.unwrap_or(outer.idle),
    }
}

/// What a block says about broken streams, and where.
pub(super) fn mid_stream(fields: &Fields<'_>) -> Option<(MidStream, Place)> {
    let place = fields.place("mid_stream")?;
    let wanted = match fields.text("mid_stream")? {
        "continue" => MidStream::Continue,
        _ => MidStream::Error,
    };
    Some((wanted, place))
}

/// What a block says about having nobody whose breaker passes.
pub(super) fn panic(fields: &Fields<'_>) -> Option<Panic> {
    fields.place("panic")?;
    Some(match fields.text("panic")? {
        "probe" => Panic::Probe,
        _ => Panic::Fail,
    })
}

pub(super) fn attempts_max(fields: &Fields<'_>) -> Option<u8> {
    fields
        .int("max_attempts")
        .and_then(|max| u8::try_from(max).ok())
}

/// What `p95(gap)` or `p95(ttft, long)` looks at.
pub(super) fn slow_measure(args: &[Arg<'_>]) -> Option<(Measure, Option<PromptSize>)> {
    let (first, rest) = args.split_first()?;
    let measure = argument(first)?.name().and_then(Measure::named)?;
    Some((measure, slow_prompts(measure, rest)?))
}

/// What `slow(gap > 2s)` or `slow(ttft > 10s, long)` looks at, and its limit.
fn slow_limit(args: &[Arg<'_>]) -> Option<(Measure, Option<PromptSize>, Span)> {
    let (first, rest) = args.split_first()?;
    let Kind::Compare(Op::Gt, left, right) = &argument(first)?.kind else {
        return None;
    };
    let Kind::Number(limit) = right.kind else {
        return None;
    };
    let measure = left.name().and_then(Measure::named)?;
    Some((measure, slow_prompts(measure, rest)?, limit.span()?))
}

/// The prompts that a rule about this measure is for: what may stand behind it. Gaps do not grow with the prompt.
#[expect(clippy::option_option, reason = "neither all nor some: not written so")]
fn slow_prompts(measure: Measure, rest: &[Arg<'_>]) -> Option<Option<PromptSize>> {
    match (measure, rest) {
        (_, []) => Some(None),
        (Measure::Ttft, [size]) => argument(size)?.name().and_then(PromptSize::named).map(Some),
        _ => None,
    }
}

/// An argument without a name.
fn argument<'e>(arg: &'e Arg<'_>) -> Option<&'e Expr<'e>> {
    arg.value.is_none().then_some(&arg.expr)
}

/// `p95` in parts per million.
pub(super) fn percentile(name: &str) -> Option<u32> {
    let digits = name.strip_prefix('p')?;
    let percent: u32 = digits.parse().ok().filter(|_| digits.len() <= 2)?;
    (percent > 0).then_some(percent * 10_000)
}

/// A share of slow answers that can be exceeded.
const SHARE_MAX: u32 = 990_000;

/// Adds to a table, or takes the place of what is built in, which is the first; gives its index.
fn put<T>(table: &mut Vec<T>, value: T, standard: bool) -> u16 {
    match table.first_mut() {
        Some(first) if standard => {
            *first = value;
            0
        }
        _ => {
            table.push(value);
            u16::try_from(table.len() - 1).unwrap_or(u16::MAX)
        }
    }
}
