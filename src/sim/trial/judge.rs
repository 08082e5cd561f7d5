//! Whether what was expected came true, and what came instead.

use crate::base::TargetId;
use crate::policy::Plan;
use crate::policy::model::Cond;
use crate::policy::trial::{Expect, Expectation, SameOf, ShareOf, Trial, Within};
use crate::sim::request::Request;
use crate::sim::watch::Watch;

use super::Failure;
use super::journey::{Ending, Journey};
use super::show;

/// The expectations of `trial` that did not hold for its requests, the first of which was `request`.
pub(super) fn judge(
    plan: &Plan,
    trial: &Trial,
    request: &Request,
    journeys: &[Journey],
) -> Vec<Failure> {
    let court = Court {
        plan,
        trial,
        request,
        journeys,
    };
    let found = |line: &Expectation| {
        let found = court.against(&line.expect)?;
        Some(Failure {
            expected: line.text.clone(),
            at: line.at,
            found,
        })
    };
    trial.expects.iter().filter_map(found).collect()
}

struct Court<'a> {
    plan: &'a Plan,
    trial: &'a Trial,
    request: &'a Request,
    journeys: &'a [Journey],
}

impl Court<'_> {
    /// What speaks against it, if anything does.
    fn against(&self, expect: &Expect) -> Option<String> {
        let policy = &self.plan.policy;
        match expect {
            Expect::Route(routes) => self.unless(
                |journey| routes.holds(Some(&journey.route)),
                |journey| format!("route `{}`", show::route(policy, journey.route)),
            ),
            Expect::Target(targets) => self.unless(
                |journey| targets.holds(journey.answered_by().as_ref()),
                |journey| show::answer(policy, journey),
            ),
            Expect::Chain(chain) => self.unless(
                |journey| journey.chain() == *chain,
                |journey| show::targets(policy, &journey.chain()),
            ),
            Expect::Status(status) => self.unless(
                |journey| status.holds(journey.status().into()),
                |journey| show::answer(policy, journey),
            ),
            Expect::Attempts(attempts) => self.unless(
                |journey| attempts.holds(count(journey)),
                |journey| count(journey).to_string(),
            ),
            Expect::Reject(status) => self.unless(
                |journey| match journey.ending {
                    Ending::Rejected { status: is, .. } => status.holds(is.into()),
                    Ending::Answered(_) | Ending::Stopped(_) => false,
                },
                |journey| show::answer(policy, journey),
            ),
            Expect::NeverAsked(targets) => self.unless(
                |journey| {
                    journey
                        .visits
                        .iter()
                        .all(|visit| !targets.contains(&visit.target))
                },
                |journey| format!("asked {}", show::targets(policy, &journey.chain())),
            ),
            Expect::NeverWhen(cond) => self.never_when(cond),
            Expect::Same(of, _) => self.same(*of),
            Expect::Share(of, part) => self.share(of, *part),
        }
    }

    /// The first request for which it does not hold.
    fn unless(
        &self,
        holds: impl Fn(&Journey) -> bool,
        shown: impl Fn(&Journey) -> String,
    ) -> Option<String> {
        let (number, journey) = self
            .journeys
            .iter()
            .enumerate()
            .find(|(_, journey)| !holds(journey))?;
        Some(self.of_request(number, shown(journey)))
    }

    /// Names the request where there are several.
    fn of_request(&self, number: usize, found: String) -> String {
        match &self.trial.sample {
            Some(_) => format!("{found} for sample \"{number}\""),
            None if self.journeys.len() > 1 => format!("{found} for request {number}"),
            None => found,
        }
    }

    fn never_when(&self, cond: &Cond) -> Option<String> {
        let watch = match Watch::new(&self.plan.policy, cond) {
            Ok(watch) => watch,
            Err(too_complex) => return Some(format!("cannot be told: {too_complex}")),
        };
        let mut request = self.request.clone();
        for (number, journey) in self.journeys.iter().enumerate() {
            if let Some(sample) = &self.trial.sample {
                request.set(&sample.fact, &number.to_string());
            }
            if let Some(target) = first_seen(&watch, &request, journey) {
                let name = show::target(&self.plan.policy, target);
                return Some(self.of_request(number, format!("asked `{name}`")));
            }
        }
        None
    }

    fn same(&self, of: SameOf) -> Option<String> {
        let policy = &self.plan.policy;
        let first = self.journeys.first()?;
        let differs = |journey: &&Journey| match of {
            SameOf::Route => journey.route != first.route,
            SameOf::Target => journey.ending != first.ending,
        };
        let shown = |journey: &Journey| match of {
            SameOf::Route => format!("route `{}`", show::route(policy, journey.route)),
            SameOf::Target => show::answer(policy, journey),
        };
        let other = self.journeys.iter().find(differs)?;
        let differing = self.journeys.iter().filter(differs).count();
        Some(format!(
            "{differing} of {} are not like the first: {} and {}",
            self.journeys.len(),
            shown(first),
            shown(other),
        ))
    }

    fn share(&self, of: &ShareOf, part: Within) -> Option<String> {
        let counts = |journey: &&Journey| match of {
            ShareOf::Route(route) => journey.route == *route,
            ShareOf::Targets(targets) => journey
                .answered_by()
                .is_some_and(|target| targets.contains(&target)),
        };
        let hits = self.journeys.iter().filter(counts).count() as u64;
        let all = self.journeys.len().max(1) as u64;
        let found = hits.saturating_mul(1_000_000) / all;
        (!part.holds(found)).then(|| {
            let (whole, rest) = (found / 10_000, found % 10_000 / 100);
            format!("{whole}.{rest:02}% ({hits} of {all})")
        })
    }
}

fn count(journey: &Journey) -> u64 {
    journey.visits.len() as u64
}

/// The first target that was asked although the condition that is watched for holds for it.
fn first_seen(watch: &Watch, request: &Request, journey: &Journey) -> Option<TargetId> {
    let decision = request.decide(watch.program());
    let mut visits = journey.visits.iter();
    let seen = visits.find(|visit| watch.holds(&decision, visit.facts, visit.target))?;
    Some(seen.target)
}
