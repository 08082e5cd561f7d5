//! Which parts of a policy its tests have been through.

use std::collections::BTreeSet;

use crate::base::RouteId;
use crate::engine::By;
use crate::policy::Plan;
use crate::policy::model::{Action, At, Otherwise};

use super::journey::{Ending, Journey};

/// What has been seen, over all tests.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    routes: BTreeSet<RouteId>,
    lines: BTreeSet<(RouteId, Line)>,
}

/// A line of a fallback.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Line {
    /// `on …`, by its index from 0.
    On(u8),
    /// `else`
    Else,
}

/// A part of a policy that a test can go through.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Part {
    /// The route, or the route of the line.
    pub route: RouteId,
    /// Where it stands.
    pub at: At,
    /// A line of the route's fallback; `None` for the route itself.
    pub line: Option<Line>,
    /// A test has been there.
    pub seen: bool,
}

impl Coverage {
    /// Adds the way of one request.
    pub(super) fn add(&mut self, journey: &Journey) {
        self.routes.insert(journey.route);
        for visit in &journey.visits {
            if let Some((index, _)) = visit.line {
                self.lines.insert((journey.route, Line::On(index)));
            }
        }
        if let Ending::Rejected { by, .. } = journey.ending {
            let line = match by {
                By::Line(index) => Line::On(index),
                By::Otherwise => Line::Else,
                By::Route => return,
            };
            self.lines.insert((journey.route, line));
        }
    }

    /// All routes, and all fallback lines that are written out, in the order of the text.
    pub fn parts(&self, plan: &Plan) -> Vec<Part> {
        let mut parts = Vec::new();
        for (route, id) in plan.policy.routes.iter().zip((0..).map(RouteId)) {
            parts.push(Part {
                route: id,
                at: route.at,
                line: None,
                seen: self.routes.contains(&id),
            });
            let Action::Serve(serve) = &route.action else {
                continue;
            };
            let line = |at, line| Part {
                route: id,
                at,
                line: Some(line),
                seen: self.lines.contains(&(id, line)),
            };
            let own = |at: &At| *at != route.at;
            let lines = (0..).zip(&serve.fallback).filter(|(_, on)| own(&on.at));
            parts.extend(lines.map(|(index, on)| line(on.at, Line::On(index))));
            if let Otherwise::Reject(reject) = &serve.otherwise
                && own(&reject.at)
            {
                parts.push(line(reject.at, Line::Else));
            }
        }
        parts
    }
}
