//! Breadth first through what a chain can be: each state once, so that the first way found is a shortest one.

use std::collections::HashSet;

use crate::base::{Outcome, Span};
use crate::engine::balance::{bit, bits};
use crate::engine::chain::Verdict;
use crate::engine::ways::model::{Model, Told};
use crate::engine::ways::{Beside, Ending, Found, How, Leg, Lens, TooMany};
use crate::policy::model::{AttemptFacts, HedgeDelay};

/// A chain between two attempts. What it does next hangs on this alone.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
struct State {
    /// Attempts by the policy's count.
    attempts: u8,
    /// Changes of key, and how many of them in a row up to now.
    changes: u8,
    in_a_row: u8,
    hedged: bool,
    /// The largest context window that turned out not to hold the request, in tokens.
    outgrown: Option<u64>,
    /// Where the last one was and how it ended; `None` before the first.
    last: Option<(usize, usize)>,
    /// By place: how often it was asked, changes of key aside, and whether its last end lets it be asked again.
    asked: Box<[Asked]>,
}

#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct Asked {
    times: u8,
    again: bool,
    /// Only in a state's key: the last attempt was here.
    last: bool,
}

/// An attempt that begins.
#[derive(Clone, Copy)]
struct Begin {
    place: usize,
    how: How,
    nobody: Option<Outcome>,
}

/// A state, and how it was come to.
struct Node {
    state: State,
    from: Option<(usize, Leg)>,
}

pub(super) fn run(model: &Model<'_>, lens: &Lens<'_>, states_max: usize) -> Result<Found, TooMany> {
    let mut search = Search {
        model,
        lens,
        nodes: Vec::new(),
        known: HashSet::new(),
        states_max,
        first: 0,
        later: 0,
    };
    search.enter(
        State {
            asked: vec![Asked::default(); model.places.len()].into(),
            ..State::default()
        },
        None,
    )?;
    let mut next = 0;
    let mut way = None;
    while way.is_none() && next < search.nodes.len() {
        way = search.go_on(next)?;
        next += 1;
    }
    Ok(Found {
        states: search.nodes.len(),
        way,
        first: model.targets(search.closed(search.first)),
        later: model.targets(search.closed(search.later)),
    })
}

struct Search<'m> {
    model: &'m Model<'m>,
    lens: &'m Lens<'m>,
    nodes: Vec<Node>,
    /// States with those places exchanged that are alike.
    known: HashSet<State>,
    states_max: usize,
    first: u64,
    later: u64,
}

impl Search<'_> {
    /// All that can follow the state at `at`; the way there, if what is looked for does.
    fn go_on(&mut self, at: usize) -> Result<Option<Vec<Leg>>, TooMany> {
        let Some(state) = self.nodes.get(at).map(|node| node.state.clone()) else {
            return Ok(None);
        };
        for begin in self.begins(&state) {
            if let Some(leg) = self.begin(at, &state, begin)? {
                return Ok(Some(self.way(at, leg)));
            }
        }
        Ok(None)
    }

    /// Who may be asked next.
    fn begins(&self, state: &State) -> Vec<Begin> {
        let model = self.model;
        let Some((last, ending)) = state.last else {
            return self.first_begins(state);
        };
        let Some(told) = model.endings.get(ending) else {
            return Vec::new();
        };
        let open = !(model.masked(self.facts(state)) | model.too_small(state.outgrown));
        let mut begins = Vec::new();
        if told.key && open & bit(last) != 0 && model.more_keys(last, state.changes, state.in_a_row)
        {
            begins.push(plain(last, How::KeyChange));
        }
        if state.attempts >= model.attempts_max {
            return begins;
        }
        match told.verdict {
            Verdict::Next => {
                let picks = bits(open & model.members & !state.tried());
                begins.extend(picks.map(|place| plain(place, How::Pick)));
                let repeats =
                    bits(open & state.tried()).filter(|&place| self.repeats(state, place));
                begins.extend(repeats.map(|place| plain(place, How::Repeat)));
            }
            Verdict::Jump(target) => {
                let place = model.place_of(target);
                let place = place.filter(|&place| open & !state.tried() & bit(place) != 0);
                begins.extend(place.map(|place| plain(place, How::Jump)));
            }
            Verdict::Stop | Verdict::Reject(_) | Verdict::Otherwise => {}
        }
        begins
    }

    fn first_begins(&self, state: &State) -> Vec<Begin> {
        let model = self.model;
        let open = !model.masked(AttemptFacts::default());
        let members = open & model.members;
        let picks = bits(members).map(|place| plain(place, How::Pick));
        let mut begins: Vec<Begin> = picks.collect();
        if members == 0 {
            return begins;
        }
        let mut jumps = 0;
        for (word, verdict) in model.nobody(members) {
            let Verdict::Jump(target) = verdict else {
                continue;
            };
            // A member of a tier is out with the others.
            let place = model
                .place_of(target)
                .filter(|&place| open & !model.members & !jumps & !state.tried() & bit(place) != 0);
            if let Some(place) = place {
                jumps |= bit(place);
                begins.push(Begin {
                    place,
                    how: How::Jump,
                    nobody: Some(word),
                });
            }
        }
        begins
    }

    fn repeats(&self, state: &State, place: usize) -> bool {
        let asked = state.asked.get(place).copied().unwrap_or_default();
        let most = self
            .model
            .places
            .get(place)
            .map_or(0, |place| place.repeats);
        asked.again && asked.times <= most
    }

    /// Has an attempt begin, and end in all ways. The leg, if it is what is looked for.
    fn begin(&mut self, at: usize, state: &State, begin: Begin) -> Result<Option<Leg>, TooMany> {
        let model = self.model;
        let facts = self.facts(state);
        let leg = Leg {
            target: match model.places.get(begin.place) {
                Some(place) => place.target,
                None => return Ok(None),
            },
            how: begin.how,
            nobody: begin.nobody,
            ends: None,
            hedge: None,
        };
        if state.last.is_none() && begin.nobody.is_none() {
            self.first |= bit(begin.place);
        } else {
            self.later |= bit(begin.place);
        }
        let running = state.with(begin.place, begin.how);
        if model.sought(facts) & bit(begin.place) != 0 || (self.lens.counts)(running.visits()) {
            return Ok(Some(leg));
        }
        for (number, told) in model.endings.iter().enumerate() {
            if told.places & bit(begin.place) != 0 {
                let mut ended = running.ended(begin.place, number, told);
                ended.outgrow(model.outgrown(begin.place, told.ending.outcome));
                let ends = Some(told.ending);
                self.enter(ended, Some((at, Leg { ends, ..leg })))?;
            }
        }
        let facts = AttemptFacts {
            index: running.attempts,
            ..facts
        };
        self.hedged(at, &running, facts, begin.place, leg)
    }

    /// What `attempt.*` says before the next attempt.
    fn facts(&self, state: &State) -> AttemptFacts {
        let last = state.last.and_then(|(place, ending)| {
            let told = self.model.endings.get(ending)?;
            Some((place, told.ending.outcome))
        });
        last.map_or_else(AttemptFacts::default, |(place, outcome)| {
            self.model.facts(state.attempts, place, outcome)
        })
    }

    /// The same with a second attempt beside it, if there may be one. `facts` are those of that one.
    fn hedged(
        &mut self,
        at: usize,
        running: &State,
        facts: AttemptFacts,
        first: usize,
        leg: Leg,
    ) -> Result<Option<Leg>, TooMany> {
        let model = self.model;
        let Some((hedge, second)) = model.hedge else {
            return Ok(None);
        };
        let out = model.masked(facts) | model.too_small(running.outgrown) | running.tried();
        let masked = out & bit(second) != 0;
        if running.hedged
            || masked
            || running.attempts >= model.attempts_max
            || !model.lasts(first, hedge)
        {
            return Ok(None);
        }
        self.later |= bit(second);
        let beside = Beside {
            target: hedge.target,
            ends: None,
            last: true,
        };
        let both = running.with(second, How::Hedge);
        let sought = model.sought(facts) & bit(second) != 0 || (self.lens.counts)(both.visits());
        if sought {
            let hedge = Some(beside);
            return Ok(Some(Leg { hedge, ..leg }));
        }
        let pair = Pair {
            at,
            both,
            leg: Leg {
                hedge: Some(beside),
                ..leg
            },
            first,
            second,
        };
        // The first one has been silent for as long already when the second one begins.
        let silent = match hedge.after {
            HedgeDelay::Fixed(delay) => delay,
            HedgeDelay::P95 => Span::ZERO,
        };
        self.end_both(&pair, (second, first), Span::ZERO)?;
        self.end_both(&pair, (first, second), silent)?;
        Ok(None)
    }

    /// All ends of two attempts of which the first named ends last, and has the say. It has been silent for as long.
    fn end_both(
        &mut self,
        pair: &Pair,
        (last, other): (usize, usize),
        silent: Span,
    ) -> Result<(), TooMany> {
        let model = self.model;
        let can = |told: &&Told| told.places & bit(last) != 0 && told.before > silent;
        for one in self.ends_of(other) {
            let endings = model.endings.iter().enumerate();
            for (number, told) in endings.filter(|(_, told)| can(told)) {
                let mut ended = pair.both.ended(last, number, told);
                ended.note(other, one.again);
                ended.outgrow(model.outgrown(last, told.ending.outcome));
                ended.outgrow(model.outgrown(other, one.ending.outcome));
                let leg = pair.ended(last, told.ending, one.ending);
                self.enter(ended, Some((pair.at, leg)))?;
            }
        }
        Ok(())
    }

    /// One end that lets a place be asked again, and one that does not.
    fn ends_of(&self, place: usize) -> Vec<OneEnd> {
        let mut ends: Vec<OneEnd> = Vec::new();
        for told in &self.model.endings {
            let again = told.repeatable;
            if told.places & bit(place) != 0 && !ends.iter().any(|have| have.again == again) {
                ends.push(OneEnd {
                    ending: told.ending,
                    again,
                });
            }
        }
        ends
    }

    fn enter(&mut self, state: State, from: Option<(usize, Leg)>) -> Result<(), TooMany> {
        if self.known.insert(self.key(&state)) {
            if self.nodes.len() >= self.states_max {
                return Err(TooMany);
            }
            self.nodes.push(Node { state, from });
        }
        Ok(())
    }

    /// The state with like places in one order.
    fn key(&self, state: &State) -> State {
        let mut key = state.clone();
        if let Some((place, ending)) = state.last {
            if let Some(asked) = key.asked.get_mut(place) {
                asked.last = true;
            }
            // Which of like places it was is in `asked`.
            let like = self
                .model
                .places
                .get(place)
                .map_or(place, |place| place.like);
            key.last = Some((like, ending));
        }
        let likes = self.model.places.iter().map(|place| place.like);
        let mut sorted: Vec<(usize, Asked)> = likes.zip(key.asked.iter().copied()).collect();
        sorted.sort_unstable();
        // The number of a kind is that of its first place: the order of kinds is the same for all states.
        key.asked = sorted.into_iter().map(|(_, asked)| asked).collect();
        key
    }

    fn closed(&self, places: u64) -> u64 {
        let like = |at: usize| self.model.places.get(at).map(|place| place.like);
        let inside: Vec<Option<usize>> = bits(places).map(like).collect();
        let all = 0..self.model.places.len();
        let all = all.filter(|&at| inside.contains(&like(at)));
        all.fold(0, |set, at| set | bit(at))
    }

    fn way(&self, at: usize, last: Leg) -> Vec<Leg> {
        let mut way = vec![last];
        let mut from = self.nodes.get(at).and_then(|node| node.from);
        while let Some((before, leg)) = from {
            way.push(leg);
            from = self.nodes.get(before).and_then(|node| node.from);
        }
        way.reverse();
        way
    }
}

/// Two attempts beside each other.
struct Pair {
    /// The state before.
    at: usize,
    /// While both run.
    both: State,
    leg: Leg,
    first: usize,
    second: usize,
}

impl Pair {
    fn ended(&self, last: usize, its_end: Ending, other_end: Ending) -> Leg {
        let by_second = last == self.second;
        debug_assert!(by_second || last == self.first, "it is one of the two");
        let (ends, second_ends) = if by_second {
            (other_end, its_end)
        } else {
            (its_end, other_end)
        };
        let hedge = self.leg.hedge.map(|beside| Beside {
            ends: Some(second_ends),
            last: by_second,
            ..beside
        });
        Leg {
            ends: Some(ends),
            hedge,
            ..self.leg
        }
    }
}

struct OneEnd {
    ending: Ending,
    again: bool,
}

const fn plain(place: usize, how: How) -> Begin {
    Begin {
        place,
        how,
        nobody: None,
    }
}

impl State {
    fn tried(&self) -> u64 {
        let asked = self.asked.iter().enumerate();
        let asked = asked.filter(|(_, asked)| asked.times > 0);
        asked.fold(0, |set, (at, _)| set | bit(at))
    }

    /// Requests to providers so far.
    const fn visits(&self) -> u8 {
        self.attempts.saturating_add(self.changes)
    }

    /// While one more attempt runs.
    fn with(&self, place: usize, how: How) -> Self {
        let mut running = self.clone();
        if how == How::KeyChange {
            running.changes = running.changes.saturating_add(1);
            running.in_a_row = running.in_a_row.saturating_add(1);
            return running;
        }
        running.attempts = running.attempts.saturating_add(1);
        running.in_a_row = 0;
        running.hedged |= how == How::Hedge;
        if let Some(asked) = running.asked.get_mut(place) {
            asked.times = asked.times.saturating_add(1);
        }
        running
    }

    /// After its end.
    fn ended(&self, place: usize, number: usize, told: &Told) -> Self {
        let mut ended = self.clone();
        ended.last = Some((place, number));
        ended.note(place, told.repeatable);
        ended
    }

    fn outgrow(&mut self, window: Option<u64>) {
        self.outgrown = self.outgrown.max(window);
    }

    fn note(&mut self, place: usize, again: bool) {
        if let Some(asked) = self.asked.get_mut(place) {
            asked.again = again;
        }
    }
}
