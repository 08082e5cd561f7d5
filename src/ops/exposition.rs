//! The metrics in Prometheus' text format 0.0.4. A writer of forty lines in place of a package: those keep counters of
//! their own, behind locks or shared atomics, and ours lie on their cores already.
//!
//! A family is a row of [`FAMILIES`]; its samples are written right behind it, as the format asks. Labels take their
//! values from the policy and from closed sets of words, so that their number is bounded by the policy.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::base::{Outcome, ProviderId, Span, TargetId};
use crate::engine::{
    Board, BoundStatus, Dropped, GuardStatus, KeyStatus, Load, Order, PassedOver, ShadowStatus,
    State, TargetStatus,
};
use crate::ops::account::{CLIENT_GONE, OVERTAKEN};
use crate::ops::changes::{Changes, why_out};
use crate::ops::cost::{Tokens, dollars};
use crate::ops::counters::Counters;
use crate::ops::drills::{DrillFigures, drills};
use crate::ops::journal::Ending;
use crate::ops::tally::{RouteSums, TargetSums, TimeSums};
use crate::policy::Plan;

/// What is known of the process itself.
#[derive(Clone, Copy, Debug)]
pub struct Process {
    /// The version of the gateway.
    pub version: &'static str,
    /// When it started, in Unix seconds.
    pub started_unix: u64,
    /// How long it has been running.
    pub uptime: Span,
    /// It is about to end.
    pub draining: bool,
    /// Which of its generations is the newest.
    pub generation: u64,
    /// Reloads that changed nothing.
    pub reloads_refused: u64,
}

/// All that a scrape reads.
#[derive(Clone, Copy, Debug)]
pub struct Scrape<'a> {
    /// Names of targets and routes.
    pub plan: &'a Plan,
    /// The targets' times to first content.
    pub board: &'a Board,
    /// The targets as they stand, in the order of their ids.
    pub targets: &'a [TargetStatus],
    /// What all cores hold together.
    pub load: &'a Load,
    /// The providers' keys as they stand.
    pub keys: &'a [KeyStatus],
    /// The guarded routes.
    pub guards: &'a [GuardStatus],
    /// What the cores counted.
    pub counters: &'a Counters,
    /// What the control thread saw.
    pub changes: &'a Changes,
    /// Copies of requests, where a route has a shadow.
    pub copies: Option<Copies<'a>>,
    /// The drills of the policy.
    pub drills: &'a [DrillFigures],
    /// The process.
    pub process: Process,
}

/// What is known of copies of requests. Nothing of it is in what is known of requests.
#[derive(Clone, Copy, Debug)]
pub struct Copies<'a> {
    /// The routes with a shadow.
    pub status: &'a [ShadowStatus],
    /// The targets' times to first content.
    pub board: &'a Board,
    /// What the cores counted.
    pub counters: &'a Counters,
}

impl Copies<'_> {
    /// The targets that copies go to, each once.
    pub fn targets(&self) -> BTreeSet<TargetId> {
        self.status.iter().map(|it| it.shadow.target).collect()
    }
}

/// The whole page.
pub fn exposition(scrape: &Scrape<'_>) -> String {
    let mut page = Page::default();
    process(scrape, &mut page);
    load(scrape, &mut page);
    requests(scrape, &mut page);
    attempts(scrape, &mut page);
    breakers(scrape, &mut page);
    rests(scrape, &mut page);
    guards(scrape, &mut page);
    shadows(scrape, &mut page);
    drills(scrape.drills, &mut page);
    providers(scrape, &mut page);
    page.text
}

fn process(scrape: &Scrape<'_>, page: &mut Page) {
    let Process {
        version,
        started_unix,
        uptime,
        draining,
        generation,
        reloads_refused,
    } = scrape.process;
    page.family(&BUILD_INFO);
    page.sample("", &[("version", version)], 1);
    page.family(&POLICY_INFO);
    let hash = format!("{:016x}", scrape.plan.policy.hash);
    page.sample("", &[("hash", &hash)], 1);
    page.family(&POLICY_GENERATION);
    page.sample("", &[], generation);
    page.family(&RELOADS_REFUSED);
    page.sample("", &[], reloads_refused);
    page.family(&START_TIME);
    page.sample("", &[], started_unix);
    page.family(&UPTIME);
    page.sample("", &[], seconds(uptime));
    page.family(&CORES);
    page.sample("", &[], scrape.board.cores());
    page.family(&DRAINING);
    page.sample("", &[], u8::from(draining));
    let (all, open) = scrape.counters.connections();
    page.family(&CONNECTIONS);
    page.sample("", &[], all);
    page.family(&CONNECTIONS_OPEN);
    page.sample("", &[], open);
    page.family(&LOG_DROPPED);
    page.sample("", &[], scrape.counters.unlogged_total());
    page.family(&RECORDS_DROPPED);
    page.sample("", &[], scrape.counters.unrecorded_total());
}

fn load(scrape: &Scrape<'_>, page: &mut Page) {
    let bounds = scrape.load.status();
    let families: [(&Family, ReadBound); 3] = [
        (&LOAD, |status| status.held),
        (&LOAD_MAX, |status| status.max),
        (&SHED, |status| status.shed),
    ];
    for (family, read) in families {
        page.family(family);
        for status in &bounds {
            page.sample("", &[("bound", status.bound.as_str())], read(status));
        }
    }
}

fn requests(scrape: &Scrape<'_>, page: &mut Page) {
    let sums = scrape.counters.routes();
    let names = scrape.plan.policy.routes.iter().map(|route| &*route.name);
    let routes: Vec<(&str, &RouteSums)> = names.chain([NO_ROUTE]).zip(&sums).collect();
    page.family(&REQUESTS);
    for &(route, sums) in &routes {
        for (ending, count) in Ending::ALL.into_iter().zip(sums.endings) {
            page.sample("", &[("route", route), ("ending", ending.as_str())], count);
        }
    }
    page.family(&REQUEST_SECONDS);
    for &(route, sums) in &routes {
        page.histogram(("route", route), &sums.durations);
    }
    page.family(&REQUEST_BYTES);
    for &(route, sums) in &routes {
        page.sample("", &[("route", route)], sums.bytes_in);
    }
    page.family(&RESPONSE_BYTES);
    for &(route, sums) in &routes {
        page.sample("", &[("route", route)], sums.bytes_out);
    }
}

fn attempts(scrape: &Scrape<'_>, page: &mut Page) {
    let sums = scrape.counters.targets();
    let targets: Vec<(&str, &TargetSums)> = names(scrape).zip(&sums).collect();
    page.family(&ATTEMPTS);
    for &(target, sums) in &targets {
        for (outcome, count) in Outcome::ALL.into_iter().zip(sums.attempts) {
            let labels = [("target", target), ("outcome", outcome.as_str())];
            page.sample("", &labels, count);
        }
        let labels = [("target", target), ("outcome", CLIENT_GONE)];
        page.sample("", &labels, sums.abandoned);
        let labels = [("target", target), ("outcome", OVERTAKEN)];
        page.sample("", &labels, sums.overtaken);
    }
    page.family(&PASSED_OVER);
    for &(target, sums) in &targets {
        for (why, count) in PassedOver::ALL.into_iter().zip(sums.passed_over) {
            if why == PassedOver::Tried {
                // A target that was asked was not passed over.
                continue;
            }
            page.sample("", &[("target", target), ("why", why.as_str())], count);
        }
    }
    page.family(&TOKENS);
    for &(target, sums) in &targets {
        for (kind, count) in Tokens::ALL.into_iter().zip(sums.tokens) {
            page.sample("", &[("target", target), ("kind", kind.as_str())], count);
        }
    }
    page.family(&COST);
    for &(target, sums) in &targets {
        page.sample("", &[("target", target)], dollars(sums.nano_dollars));
    }
    page.family(&FAILOVERS);
    let (moves, beyond) = scrape.counters.moves();
    let name = |id: TargetId| name_of(scrape, id.index());
    for (moved, count) in moves {
        let (from, to) = (name(moved.from), name(moved.to));
        let labels = [("from", from), ("to", to), ("why", moved.why.as_str())];
        page.sample("", &labels, count);
    }
    if beyond > 0 {
        let labels = [("from", OTHER), ("to", OTHER), ("why", OTHER)];
        page.sample("", &labels, beyond);
    }
    page.family(&TTFT);
    for (status, name) in scrape.targets.iter().zip(names(scrape)) {
        let fine = scrape.board.latencies(status.target);
        let times = TimeSums::gathered(fine.buckets(), fine.sum());
        page.histogram(("target", name), &times);
    }
    page.family(&GAP);
    for &(target, sums) in &targets {
        page.histogram(("target", target), &sums.gaps);
    }
}

fn breakers(scrape: &Scrape<'_>, page: &mut Page) {
    page.family(&BREAKER_STATE);
    for (status, target) in scrape.targets.iter().zip(names(scrape)) {
        for state in State::ALL {
            let labels = [("target", target), ("state", state.as_str())];
            page.sample("", &labels, u8::from(status.state == state));
        }
    }
    page.family(&TARGET_ORDER);
    for (status, target) in scrape.targets.iter().zip(names(scrape)) {
        for order in Order::ALL {
            let labels = [("target", target), ("order", order.as_str())];
            page.sample("", &labels, u8::from(status.order == order));
        }
    }
    page.family(&BREAKER_RAMP);
    for (status, target) in scrape.targets.iter().zip(names(scrape)) {
        let whole = if status.state.passes() { 1_000_000 } else { 0 };
        let part = f64::from(status.ramp.unwrap_or(whole)) / 1_000_000.0;
        page.sample("", &[("target", target)], part);
    }
    page.family(&BREAKER_OPENED);
    for (status, target) in scrape.targets.iter().zip(names(scrape)) {
        page.sample("", &[("target", target)], status.opened);
    }
    page.family(&BREAKER_TRANSITIONS);
    for ((target, from, to, why), count) in scrape.changes.transitions() {
        let labels = [
            ("target", name_of(scrape, target.index())),
            ("from", from.as_str()),
            ("to", to.as_str()),
            ("why", why.unwrap_or(OTHER)),
        ];
        page.sample("", &labels, count);
    }
}

fn rests(scrape: &Scrape<'_>, page: &mut Page) {
    let gauges: [(&Family, Read); 5] = [
        (&INFLIGHT, |status| status.inflight.into()),
        (&QUEUED, |status| status.queued.into()),
        (&THROTTLED, |status| status.throttled_until.is_some().into()),
        (&MODEL_GONE, |status| status.gone_until.is_some().into()),
        (&KEY_OUT, |status| status.key_out_until.is_some().into()),
    ];
    page.family(&USABLE);
    for (status, target) in scrape.targets.iter().zip(names(scrape)) {
        let usable = why_out(status).is_none();
        page.sample("", &[("target", target)], u8::from(usable));
    }
    for (family, read) in gauges {
        page.family(family);
        for (status, target) in scrape.targets.iter().zip(names(scrape)) {
            page.sample("", &[("target", target)], read(status));
        }
    }
    page.family(&MAX_INFLIGHT);
    let targets = scrape.targets.iter().zip(names(scrape));
    for (max, target) in targets.filter_map(|(it, name)| Some((it.max_inflight?, name))) {
        page.sample("", &[("target", target)], max);
    }
    page.family(&SPILT);
    let targets = scrape.targets.iter().zip(names(scrape));
    for (part, target) in targets.filter_map(|(it, name)| Some((it.spilt?, name))) {
        page.sample("", &[("target", target)], f64::from(part) / 1_000_000.0);
    }
}

fn guards(scrape: &Scrape<'_>, page: &mut Page) {
    let routes = &scrape.plan.policy.routes;
    let of = |status: &GuardStatus| {
        routes
            .get(status.route.index())
            .map_or(OTHER, |it| &*it.name)
    };
    page.family(&ROUTE_WITHDRAWN);
    for status in scrape.guards {
        let withdrawn = u8::from(status.withdrawn.is_some());
        page.sample("", &[("route", of(status))], withdrawn);
    }
    page.family(&ROUTE_WITHDRAWALS);
    for status in scrape.guards {
        page.sample("", &[("route", of(status))], status.withdrawals);
    }
}

fn shadows(scrape: &Scrape<'_>, page: &mut Page) {
    let status = scrape.copies.map_or(&[][..], |copies| copies.status);
    let routes = &scrape.plan.policy.routes;
    let of = |status: &ShadowStatus| {
        let route = routes.get(status.route.index());
        route.map_or(OTHER, |route| &*route.name)
    };
    page.family(&SHADOW_INFLIGHT);
    for status in status {
        page.sample("", &[("route", of(status))], status.inflight);
    }
    page.family(&SHADOW_STARTED);
    for status in status {
        page.sample("", &[("route", of(status))], status.started);
    }
    page.family(&SHADOW_DROPPED);
    for status in status {
        for (why, count) in Dropped::ALL.into_iter().zip(status.dropped) {
            page.sample("", &[("route", of(status)), ("why", why.as_str())], count);
        }
    }
    let copies = scrape.copies.iter();
    let targets = || {
        copies
            .clone()
            .flat_map(|it| it.targets().into_iter().map(move |id| (it, id)))
    };
    page.family(&SHADOW_ATTEMPTS);
    let sums = scrape.copies.map(|copies| copies.counters.targets());
    let sums = sums.unwrap_or_default();
    for (_, target) in targets() {
        let (name, sums) = (name_of(scrape, target.index()), sums.get(target.index()));
        let sums = sums.copied().unwrap_or_default();
        for (outcome, count) in Outcome::ALL.into_iter().zip(sums.attempts) {
            let labels = [("target", name), ("outcome", outcome.as_str())];
            page.sample("", &labels, count);
        }
        let labels = [("target", name), ("outcome", CUT)];
        page.sample("", &labels, sums.abandoned);
    }
    page.family(&SHADOW_TTFT);
    for (copies, target) in targets() {
        let fine = copies.board.latencies(target);
        let times = TimeSums::gathered(fine.buckets(), fine.sum());
        page.histogram(("target", name_of(scrape, target.index())), &times);
    }
}

/// What belongs to providers and not to one of their targets: keys by their place in the policy, never a part of them,
/// and endpoints.
fn providers(scrape: &Scrape<'_>, page: &mut Page) {
    let providers = &scrape.plan.policy.providers;
    page.family(&PROVIDER_KEY_OUT);
    for status in scrape.keys {
        let provider = providers.get(status.provider.index());
        let held = provider.filter(|it| it.auth.secrets().len() > usize::from(status.key));
        let Some(provider) = held else {
            // Who has no key has nothing that could go out.
            continue;
        };
        let key = status.key.to_string();
        let labels = [("provider", &*provider.name), ("key", &key)];
        page.sample("", &labels, u8::from(status.out.is_some()));
    }
    page.family(&ENDPOINT_UP);
    for (id, provider) in (0_u16..).map(ProviderId).zip(providers) {
        if provider.health.is_none() {
            continue;
        }
        for (index, endpoint) in (0_u16..).zip(&provider.endpoints) {
            let place = format!("{}:{}", endpoint.host, endpoint.port);
            let labels = [("provider", &*provider.name), ("endpoint", &place)];
            let up = scrape.board.is_up(id, index);
            page.sample("", &labels, u8::from(up));
        }
    }
}

/// What a family shows of a bound.
type ReadBound = fn(&BoundStatus) -> u64;

/// What a gauge shows of a target.
type Read = fn(&TargetStatus) -> u64;

fn names<'a>(scrape: &Scrape<'a>) -> impl Iterator<Item = &'a str> + use<'a> {
    scrape
        .plan
        .policy
        .targets
        .iter()
        .map(|target| &*target.name)
}

fn name_of<'a>(scrape: &Scrape<'a>, index: usize) -> &'a str {
    let target = scrape.plan.policy.targets.get(index);
    target.map_or(OTHER, |target| &*target.name)
}

/// A metric: its name without what histograms append, its type, what it is.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) kind: &'static str,
    pub(super) help: &'static str,
}

/// The page as it is written.
#[derive(Debug, Default)]
pub(super) struct Page {
    text: String,
    name: &'static str,
}

impl Page {
    /// The samples that follow are of this family.
    pub(super) fn family(&mut self, family: &Family) {
        let Family { name, kind, help } = family;
        self.name = name;
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    pub(super) fn sample(
        &mut self,
        suffix: &str,
        labels: &[(&str, &str)],
        value: impl std::fmt::Display,
    ) {
        self.text.push_str(self.name);
        self.text.push_str(suffix);
        for (index, (label, text)) in labels.iter().enumerate() {
            self.text.push(if index == 0 { '{' } else { ',' });
            self.text.push_str(label);
            self.text.push_str("=\"");
            escape(text, &mut self.text);
            self.text.push('"');
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {value}");
    }

    fn histogram(&mut self, label: (&str, &str), times: &TimeSums) {
        let mut count = 0;
        for (bound, below) in times.cumulative() {
            let le = if bound == Span::MAX {
                "+Inf".to_owned()
            } else {
                seconds(bound)
            };
            self.sample("_bucket", &[label, ("le", &le)], below);
            count = below;
        }
        self.sample("_sum", &[label], seconds(times.sum()));
        self.sample("_count", &[label], count);
    }
}

/// Names come from the policy's text, model names between quotes among them.
fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
}

/// Seconds to the microsecond, exact.
fn seconds(span: Span) -> String {
    format!("{}.{:06}", span.as_secs(), span.as_micros() % 1_000_000)
}

/// The route of requests that came to none. No name of a policy looks so.
const NO_ROUTE: &str = "-";
/// A copy that was ended before it was over: the process ended, or memory was short.
const CUT: &str = "cut";
/// What is not told apart.
const OTHER: &str = "other";

macro_rules! families {
    ($($id:ident = $kind:literal $name:literal $help:literal;)*) => {
        $(const $id: Family = Family { name: $name, kind: $kind, help: $help };)*
    };
}

families! {
    BUILD_INFO = "gauge" "switchover_build_info" "Always 1; the label is the gateway's version.";
    POLICY_INFO = "gauge" "switchover_policy_info" "Always 1; the label is the hash of the policy that runs.";
    POLICY_GENERATION = "gauge" "switchover_policy_generation" "Counts policies that took over, from 1.";
    RELOADS_REFUSED = "counter" "switchover_reloads_refused_total" "Reloads that changed nothing.";
    START_TIME = "gauge" "switchover_start_time_seconds" "When the process started, in Unix time.";
    UPTIME = "gauge" "switchover_uptime_seconds" "How long the process has been running.";
    CORES = "gauge" "switchover_cores" "Workers.";
    DRAINING = "gauge" "switchover_draining" "1 while the process finishes what is under way and takes nothing new.";
    CONNECTIONS = "counter" "switchover_connections_total" "Connections of clients.";
    CONNECTIONS_OPEN = "gauge" "switchover_connections_open" "Connections of clients that are open.";
    LOG_DROPPED = "counter" "switchover_access_log_dropped_total" "Requests whose line found no room on its way to the access log.";
    RECORDS_DROPPED = "counter" "switchover_decision_records_dropped_total" "Decisions that were to be recorded and found no room on their way.";
    LOAD = "gauge" "switchover_load" "How much of what a bound counts is held now: connections, requests, bytes.";
    LOAD_MAX = "gauge" "switchover_load_max" "The bound.";
    SHED = "counter" "switchover_shed_total" "Connections and requests that were turned away because of a bound.";
    REQUESTS = "counter" "switchover_requests_total" "Requests by route and how they ended for their client.";
    REQUEST_SECONDS = "histogram" "switchover_request_duration_seconds" "From the end of a request's head to the last byte of its answer.";
    REQUEST_BYTES = "counter" "switchover_request_bytes_total" "Bytes of requests' bodies.";
    RESPONSE_BYTES = "counter" "switchover_response_bytes_total" "Bytes of answers' bodies.";
    ATTEMPTS = "counter" "switchover_attempts_total" "Attempts by target and outcome, counted when their request ends.";
    PASSED_OVER = "counter" "switchover_passed_over_total" "Requests that never asked a target of their route, and why not.";
    TOKENS = "counter" "switchover_tokens_total" "Tokens of answers, as their providers counted them; each is in one kind only.";
    COST = "counter" "switchover_cost_dollars_total" "What answers cost, where the provider counts tokens and prices are known.";
    FAILOVERS = "counter" "switchover_failovers_total" "Attempts that followed one at another target, and how that one ended. Only pairs that occurred.";
    TTFT = "histogram" "switchover_ttft_seconds" "From the beginning of an attempt to the first content of its stream.";
    GAP = "histogram" "switchover_gap_seconds" "From content to content of a stream, without the time its client took.";
    BREAKER_STATE = "gauge" "switchover_breaker_state" "1 for the state that the target's breaker is in, 0 for the others.";
    TARGET_ORDER = "gauge" "switchover_target_order" "1 for the operator's order that holds for the target; auto for none.";
    BREAKER_RAMP = "gauge" "switchover_breaker_ramp_ratio" "The part of its weight that the target has: 1 closed, less on the ramp, 0 half open and open.";
    BREAKER_OPENED = "counter" "switchover_breaker_opened_total" "How often the target's breaker opened.";
    BREAKER_TRANSITIONS = "counter" "switchover_breaker_transitions_total" "Changes of breakers as the control thread saw them. Only those that occurred.";
    USABLE = "gauge" "switchover_target_usable" "1 unless requests pass the target over.";
    INFLIGHT = "gauge" "switchover_target_inflight" "Attempts under way.";
    MAX_INFLIGHT = "gauge" "switchover_target_max_inflight" "How many attempts may be under way; with max_inflight = auto what is learned. Only targets that are bounded.";
    QUEUED = "gauge" "switchover_target_queued" "Requests that wait for a place at the target.";
    SPILT = "gauge" "switchover_target_spilt_ratio" "The part of the target's requests that leave because it is slow. Only targets of pools that spill by times.";
    THROTTLED = "gauge" "switchover_target_throttled" "1 while the provider asked for a pause.";
    MODEL_GONE = "gauge" "switchover_target_model_gone" "1 while the target rests because its model was gone.";
    ROUTE_WITHDRAWN = "gauge" "switchover_route_withdrawn" "1 while a guarded route is withdrawn.";
    ROUTE_WITHDRAWALS = "counter" "switchover_route_withdrawals_total" "How often a guarded route was withdrawn.";
    SHADOW_INFLIGHT = "gauge" "switchover_shadow_inflight" "Copies of the route's requests that are under way.";
    SHADOW_STARTED = "counter" "switchover_shadow_started_total" "Copies of the route's requests that began.";
    SHADOW_DROPPED = "counter" "switchover_shadow_dropped_total" "Requests of the share that were not copied, and why not.";
    SHADOW_ATTEMPTS = "counter" "switchover_shadow_attempts_total" "Attempts of copies by target and outcome, counted when they end.";
    SHADOW_TTFT = "histogram" "switchover_shadow_ttft_seconds" "From the beginning of a copy's attempt to the first content of its stream.";
    KEY_OUT = "gauge" "switchover_target_key_out" "1 while the target rests because its provider's key was refused.";
    PROVIDER_KEY_OUT = "gauge" "switchover_provider_key_out" "1 while the provider refuses this key or its quota is used up; the label is its place in the policy.";
    ENDPOINT_UP = "gauge" "switchover_endpoint_up" "0 while health checks find the endpoint down. Only providers whose health is checked.";
}

#[cfg(test)]
mod tests {
    use super::{Page, TTFT, escape, seconds};
    use crate::base::Span;
    use crate::ops::TimeSums;

    #[test]
    fn labels_are_escaped_as_the_format_asks() {
        let mut out = String::new();
        escape("a\\b\"c\nd", &mut out);
        assert_eq!(out, "a\\\\b\\\"c\\nd");
    }

    #[test]
    fn fine_times_fall_into_the_buckets_that_hold_them() {
        let fine = [(64, 1), (256, 2), (288, 4), (1_024, 8), (u64::MAX, 16)];
        let fine = fine.map(|(us, count)| (Span::from_micros(us), count));
        let times = TimeSums::gathered(fine.into_iter(), Span::from_millis(1_500));
        let mut page = Page::default();
        page.family(&TTFT);
        page.histogram(("target", "a.b"), &times);
        for line in [
            "_bucket{target=\"a.b\",le=\"0.000256\"} 3\n",
            "_bucket{target=\"a.b\",le=\"0.000512\"} 7\n",
            "_bucket{target=\"a.b\",le=\"0.001024\"} 15\n",
            "_bucket{target=\"a.b\",le=\"268.435456\"} 15\n",
            "_bucket{target=\"a.b\",le=\"+Inf\"} 31\n",
            "_sum{target=\"a.b\"} 1.500000\n",
            "_count{target=\"a.b\"} 31\n",
        ] {
            assert!(page.text.contains(line), "{line}{}", page.text);
        }
    }

    #[test]
    fn seconds_are_exact() {
        assert_eq!(seconds(Span::from_micros(1_000_001)), "1.000001");
    }
}
