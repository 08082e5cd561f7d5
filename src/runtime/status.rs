//! The running state as JSON, in the words of the policy language. What is out comes first.

use std::sync::atomic::Ordering;

use serde_json::{Map, Value, json};

use crate::base::{Moment, Outcome, RouteId, Span};
use crate::engine::{
    Board, Dropped, GuardStatus, KeyStatus, Order, PassedOver, RouteCounts, Rule, ShadowStatus,
    TargetStatus,
};
use crate::ops::{Changes, Count, TargetSums, Totals, why_out};
use crate::policy::{Plan, Policy};
use crate::runtime::clock::Anchor;
use crate::runtime::generation::{Generation, ShadowSide};
use crate::runtime::monitor::VERSION;
use crate::runtime::shared::Shared;

/// Everything about targets and requests, as of `now`.
pub(super) fn json(
    shared: &Shared,
    generation: &Generation,
    now: Moment,
    changes: &Changes,
) -> Value {
    let Generation {
        plan,
        board,
        counters,
        ..
    } = generation;
    let totals = counters.totals();
    let requests: Map<String, Value> = Count::ALL
        .into_iter()
        .map(|(count, name)| (name.to_owned(), totals.of(count).into()))
        .collect();
    let sums = counters.targets();
    let view = View {
        plan,
        board,
        now,
        changes,
        totals: &totals,
        anchor: Anchor::now(),
    };
    let standings = board.status(now);
    let out: Vec<Value> = standings
        .iter()
        .zip(&sums)
        .filter_map(|(status, sums)| view.out(status, sums))
        .collect();
    let targets: Vec<Value> = standings
        .iter()
        .zip(&sums)
        .map(|(status, sums)| view.target(status, sums))
        .collect();
    let keys: Vec<Value> = board
        .key_status(now)
        .iter()
        .filter_map(|status| key(&plan.policy, status, now))
        .collect();
    let routes: Vec<Value> = board
        .guard_status()
        .iter()
        .map(|status| view.route(status))
        .collect();
    json!({
        "schema": "switchover.status/1",
        "version": VERSION,
        "policy": format!("{:016x}", plan.policy.hash),
        "generation": generation.number,
        "loaded": view.anchor.rfc3339(generation.loaded),
        "older_generations": shared.older(),
        "refused_reload": shared.refused().map(|refused| json!({
            "time": view.anchor.rfc3339(refused.at),
            "why": &*refused.why,
        })),
        "started": view.anchor.rfc3339(Moment::START),
        "uptime_ms": now.since(Moment::START).as_millis(),
        "draining": shared.draining.load(Ordering::Relaxed),
        "connections": counters.connections().1,
        "out": out,
        "requests": requests,
        "targets": targets,
        "routes": routes,
        "shadows": generation.shadows.as_ref().map_or_else(Vec::new, |side| view.shadows(side)),
        "keys": keys,
    })
}

/// One key: where it is kept and how it stands, never a part of what it is. Nothing for a provider without one.
fn key(policy: &Policy, status: &KeyStatus, now: Moment) -> Option<Value> {
    let provider = policy.providers.get(status.provider.index())?;
    let secret = provider.auth.secrets().get(usize::from(status.key))?;
    let kept_from: Vec<Value> = status
        .kept_from
        .iter()
        .map(|kept| {
            json!({
                "target": policy.targets.get(kept.target.index()).map(|target| &*target.name),
                "why": kept.why.as_str(),
                "left_ms": kept.until.since(now).as_millis(),
            })
        })
        .collect();
    Some(json!({
        "provider": &*provider.name,
        "key": status.key,
        "from": secret.source.to_string(),
        "state": if status.out.is_some() { "out" } else { "well" },
        "why": status.out.map(Outcome::as_str),
        "out_left_ms": status.out_until.map(|until| until.since(now).as_millis()),
        "kept_from": kept_from,
    }))
}

/// What a guard knows of one of its two routes.
fn side(counts: &RouteCounts) -> Value {
    let quantile = |ppm| counts.ttft.quantile(ppm).map(Span::as_millis);
    json!({
        "requests": counts.requests,
        "asked": counts.asked,
        "failures": counts.failures,
        "error_rate": rate(counts.failures, counts.asked),
        "ttft_ms": {
            "count": counts.ttft.count(),
            "p50": quantile(500_000),
            "p95": quantile(950_000),
        },
    })
}

/// To the thousandth.
fn rate(part: u64, of: u64) -> f64 {
    let thousandths = part.saturating_mul(1_000) / of.max(1);
    f64::from(u32::try_from(thousandths).unwrap_or(u32::MAX)) / 1_000.0
}

/// What targets are told from.
struct View<'a> {
    plan: &'a Plan,
    board: &'a Board,
    now: Moment,
    changes: &'a Changes,
    totals: &'a Totals,
    anchor: Anchor,
}

impl View<'_> {
    fn policy(&self) -> &Policy {
        &self.plan.policy
    }

    fn name(&self, status: &TargetStatus) -> Option<&str> {
        let target = self.policy().targets.get(status.target.index());
        target.map(|target| &*target.name)
    }

    /// One that requests pass over: which, why, since when, for how long, and what happened last.
    fn out(&self, status: &TargetStatus, sums: &TargetSums) -> Option<Value> {
        let why = why_out(status)?;
        let since = self.changes.since(status.target);
        let until = match why {
            PassedOver::KeyOut => status.key_out_until,
            PassedOver::ModelGone => status.gone_until,
            PassedOver::BreakerOpen if status.order == Order::Auto => status.until,
            PassedOver::Throttled => status.throttled_until,
            _ => None,
        };
        Some(json!({
            "target": self.name(status),
            "why": why.as_str(),
            "breaker": status.state.as_str(),
            "order": (status.order != Order::Auto).then(|| status.order.as_str()),
            "rule": status.why.filter(|_| why == PassedOver::BreakerOpen && status.order == Order::Auto).map(Rule::as_str),
            "since": since.map(|since| self.anchor.rfc3339(since)),
            "since_ms": since.map(|since| self.now.since(since).as_millis()),
            "left_ms": self.left(until),
            "last_failure": self.failure(sums),
        }))
    }

    fn target(&self, status: &TargetStatus, sums: &TargetSums) -> Value {
        let ttft = self.board.latencies(status.target);
        let percentile = |ppm| ttft.percentile(ppm).map(Span::as_millis);
        let out = why_out(status);
        let since = self.changes.since(status.target);
        json!({
            "target": self.name(status),
            "usable": out.is_none(),
            "out": out.map(PassedOver::as_str),
            "since_ms": since.map(|since| self.now.since(since).as_millis()),
            "breaker": status.state.as_str(),
            "why": status.why.map(Rule::as_str),
            "order": (status.order != Order::Auto).then(|| status.order.as_str()),
            "opened": status.opened,
            "ramp_percent": status.ramp.map(|ppm| f64::from(ppm) / 10_000.0),
            "cool_down_left_ms": self.left(status.until),
            "probes": status.probes,
            "throttled_left_ms": self.left(status.throttled_until),
            "model_gone_left_ms": self.left(status.gone_until),
            "key_out_left_ms": self.left(status.key_out_until),
            "inflight": status.inflight,
            "max_inflight": status.max_inflight,
            "queued": status.queued,
            "spilt_percent": status.spilt.map(|ppm| f64::from(ppm) / 10_000.0),
            "window": {
                "requests": status.requests,
                "failures": status.failures,
                "error_rate": rate(status.failures, status.requests),
            },
            "ttft_ms": { "p50": percentile(500_000), "p95": percentile(950_000) },
            "last_failure": self.failure(sums),
            "answered": self.totals.answered.get(status.target.index()),
        })
    }

    /// A guarded route, and what it is compared with.
    fn route(&self, status: &GuardStatus) -> Value {
        let name = |route: RouteId| {
            let route = self.policy().routes.get(route.index());
            route.map(|route| &*route.name)
        };
        let why = match (status.withdrawn, status.rule) {
            (None, _) => None,
            (Some(_), Some(rule)) => Some(rule.to_string()),
            (Some(_), None) => Some("operator".to_owned()),
        };
        json!({
            "route": name(status.route),
            "state": if status.withdrawn.is_some() { "withdrawn" } else { "serving" },
            "why": why,
            "since": status.since.map(|since| self.anchor.rfc3339(since)),
            "since_ms": status.since.map(|since| self.now.since(since).as_millis()),
            "withdrawals": status.withdrawals,
            "compare": name(status.baseline),
            "window": {
                "canary": side(&status.window.canary),
                "baseline": side(&status.window.baseline),
            },
        })
    }

    /// The routes with a shadow. Their targets have a breaker and times that only copies count in.
    fn shadows(&self, side: &ShadowSide) -> Vec<Value> {
        let board = &side.generation.board;
        let (standings, sums) = (board.status(self.now), side.generation.counters.targets());
        let one = |status: ShadowStatus| {
            let target = status.shadow.target;
            let sums = sums.get(target.index()).copied().unwrap_or_default();
            let standing = standings.get(target.index());
            let ttft = board.latencies(target);
            let percentile = |ppm| ttft.percentile(ppm).map(Span::as_millis);
            let dropped = Dropped::ALL.into_iter().zip(status.dropped);
            let dropped: Map<String, Value> = dropped
                .map(|(why, count)| (why.as_str().to_owned(), count.into()))
                .collect();
            let outcomes = Outcome::ALL.into_iter().zip(sums.attempts);
            let outcomes: Map<String, Value> = outcomes
                .filter(|(_, count)| *count > 0)
                .map(|(outcome, count)| (outcome.as_str().to_owned(), count.into()))
                .collect();
            let route = self.policy().routes.get(status.route.index());
            let name = self.policy().targets.get(target.index());
            json!({
                "route": route.map(|route| &*route.name),
                "target": name.map(|target| &*target.name),
                "share_percent": f64::from(status.shadow.share) / 10_000.0,
                "max_inflight": status.shadow.max_inflight,
                "inflight": status.inflight,
                "started": status.started,
                "dropped": dropped,
                "outcomes": outcomes,
                "breaker": standing.map(|standing| standing.state.as_str()),
                "ttft_ms": { "p50": percentile(500_000), "p95": percentile(950_000) },
                "last_failure": self.failure(&sums),
            })
        };
        side.shadowing
            .shadows
            .status()
            .into_iter()
            .map(one)
            .collect()
    }

    fn failure(&self, sums: &TargetSums) -> Option<Value> {
        let (at, outcome): (Moment, Outcome) = sums.failure?;
        Some(json!({
            "outcome": outcome.as_str(),
            "time": self.anchor.rfc3339(at),
            "ago_ms": self.now.since(at).as_millis(),
        }))
    }

    fn left(&self, until: Option<Moment>) -> Option<u64> {
        until.map(|until| until.since(self.now).as_millis())
    }
}
