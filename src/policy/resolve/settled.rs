//! Routes that are settled already. While one rule is being written, all others stay what they are: a glance takes them over from
//! the load before, and moves them to the lines where they stand now.

use crate::policy::model::{Action, At, Guard, Otherwise, Route, Serve, Then};
use crate::policy::resolve::names::Decl;
use crate::policy::resolve::places::RoutePlaces;
use crate::policy::resolve::policy::Resolver;
use crate::policy::syntax::Place;

/// The routes of the load before, as far as the items of this one are theirs.
#[derive(Debug, Default)]
pub(in crate::policy) struct Settled {
    /// In their order; each is taken once.
    pub(in crate::policy) routes: Vec<Option<Route>>,
    /// For each item of the tree, which of them it is. None at all where something that routes hang on is another one now.
    pub(in crate::policy) marks: Vec<Option<Mark>>,
}

/// A route about which there was nothing to say, and which says the same as long as its text and all that is no route are the same.
#[derive(Clone, Copy, Debug)]
pub(in crate::policy) struct Mark {
    /// Its place among the routes.
    route: usize,
    /// Where it reads a fact of the client's key first: the byte within the item, and the length. The first of a policy is told.
    key_fact: Option<(u32, u32)>,
}

/// What can be said while a route is settled: where nothing is added, it may be taken over.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) struct Said {
    found: usize,
    idle: usize,
}

impl<'t> Resolver<'t> {
    /// What has been said so far.
    pub(super) fn said(&self) -> Said {
        Said {
            found: self.found.len(),
            idle: self.idle.values().map(Vec::len).sum(),
        }
    }

    /// Remembers that a route which is settled now, and comes next among the routes, may be taken over by a glance.
    pub(super) fn mark(&mut self, decl: Decl<'t>, route: &Route, before: Said) {
        // A guard names another route by its number.
        if self.said() == before && route.guard.is_none() {
            let start = decl.stmt.place.start;
            let mark = Mark {
                route: self.routes.len(),
                key_fact: self
                    .key_fact
                    .map(|place| (place.start.saturating_sub(start), place.len)),
            };
            self.marks.push((decl.item, mark));
        }
    }

    /// The route as the load before settled it.
    pub(super) fn taken_over(&mut self, decl: Decl<'t>) -> Option<(Route, RoutePlaces)> {
        let mark = (*self.settled.marks.get(decl.item)?)?;
        let mut route = self.settled.routes.get_mut(mark.route)?.take()?;
        route.stands_at(self.at(decl.place));
        if let Some((start, len)) = mark.key_fact {
            let whole = decl.stmt.place;
            self.key_fact_at(Place {
                start: whole.start.saturating_add(start),
                len,
                ..whole
            });
        }
        let here = Mark {
            route: self.routes.len(),
            ..mark
        };
        self.marks.push((decl.item, here));
        // What parts of it stand where is asked by a look at the whole, which takes nothing over.
        Some((route, RoutePlaces::default()))
    }
}

impl Route {
    /// Moves it with all of its parts to where it is declared now.
    fn stands_at(&mut self, now: At) {
        let before = self.at;
        if before == now {
            return;
        }
        self.each_at(&mut |at| {
            at.file = now.file;
            at.line = now.line.saturating_add(at.line).saturating_sub(before.line);
        });
    }

    fn each_at(&mut self, visit: &mut dyn FnMut(&mut At)) {
        let Self {
            name: _,
            at,
            when: _,
            action,
            guard,
        } = self;
        visit(at);
        if let Some(Guard { at, .. }) = guard {
            visit(at);
        }
        match action {
            Action::Reject(reject) => visit(&mut reject.at),
            Action::Serve(serve) => serve.each_at(visit),
        }
    }
}

impl Serve {
    fn each_at(&mut self, visit: &mut dyn FnMut(&mut At)) {
        // All fields are named, so that a new one is not forgotten here.
        let Self {
            fallback,
            otherwise,
            hedge,
            shadow,
            tiers: _,
            spill: _,
            require: _,
            deadline: _,
            attempts_max: _,
            timeouts: _,
            mid_stream: _,
            panic: _,
            strict: _,
            sticky: _,
        } = self;
        for line in fallback {
            visit(&mut line.at);
            if let Then::Reject(reject) = &mut line.then {
                visit(&mut reject.at);
            }
        }
        if let Otherwise::Reject(reject) = otherwise {
            visit(&mut reject.at);
        }
        if let Some(hedge) = hedge {
            visit(&mut hedge.at);
        }
        if let Some(shadow) = shadow {
            visit(&mut shadow.at);
        }
    }
}
