//! Builds a matcher, case by case: every case touches only the rows of the values that it names.
//!
//! 1. Each route's condition becomes cases; each case will be one bit.
//! 2. The facts that cases limit become dimensions, the most used ones first.
//! 3. Each case gets its bit (`seats`); where they are many they are split by the value of one string.
//! 4. Each dimension writes its rows.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::policy::facts::Needs;
use crate::policy::model::Route;
use crate::policy::model::Test;
use crate::policy::program::branch::ACCEPT;
use crate::policy::program::branch::Branches;
use crate::policy::program::case::Case;
use crate::policy::program::case::Cases;
use crate::policy::program::case::Key;
use crate::policy::program::intern::Known;
use crate::policy::program::matcher::DIMENSIONS_MAX;
use crate::policy::program::matcher::Dimension;
use crate::policy::program::matcher::Matcher;
use crate::policy::program::matcher::Rule;
use crate::policy::program::place::Place;
use crate::policy::program::probe::index_of;
use crate::policy::program::rows::Bits;
use crate::policy::program::rows::CHUNK_BITS;
use crate::policy::program::rows::RowWriter;
use crate::policy::program::seats::Entry;
use crate::policy::program::seats::Seats;
use crate::policy::program::seats::Split;
use crate::policy::program::set::Set;
use crate::policy::program::set::Strings;

/// Bits of a matcher. Beyond it each route gets one case around its cases and a check: 65,536 routes still fit.
const CASES_MAX: usize = 1 << 15;
/// Classes of one number. Beyond it ranges are widened to the nearest class and checked: with 10,000 routes a row of
/// its own for each class is still only a few megabytes.
const EDGES_MAX: usize = 512;
/// A test that fewer cases ask for than this is left to their checks: to run it for every request costs more.
const TEST_USES_MIN: usize = 4;

/// The matcher of `routes`, its checks and tests written to `branches`.
pub(super) fn build(routes: &[Route], needs: &Needs, branches: &mut Branches) -> Matcher {
    let mut entries = entries_of(routes);
    let keys = choose_keys(&entries);
    for entry in &mut entries {
        let known = |key: &Key<'_>| keys.contains(key);
        entry.exact &= entry.case.limits.iter().all(|(key, _)| known(key));
    }
    let split = Split::choose(&entries, &keys);
    let seats = Seats::assign(&entries, split.as_ref());
    let mut matcher = Matcher {
        common: seats.common.clone(),
        blocks: seats.blocks.clone(),
        ..Matcher::default()
    };
    let mut writer = Writer {
        rows: RowWriter::new(),
        entries: &mut entries,
        seats: &seats.order,
        chunks: seats.order.len() / CHUNK_BITS,
        needs,
    };
    for key in &keys {
        let pins = split.as_ref().filter(|split| split.key == *key);
        let dimension = writer.dimension(key, pins, &mut matcher, branches);
        matcher.dimensions.push(dimension);
    }
    if keys.is_empty() {
        let all = writer.always();
        matcher.dimensions.push(Dimension::Always(all));
    }
    matcher.rows = writer.rows.finish();
    matcher.rules = rules_of(routes, &entries, &seats.order, needs, branches);
    matcher
}

fn entries_of(routes: &[Route]) -> Vec<Entry<'_>> {
    let mut entries = Vec::with_capacity(routes.len());
    for (route, number) in routes.iter().zip(0_u16..=u16::MAX) {
        let mut cases = Cases::of(&route.when);
        if entries.len().saturating_add(cases.list.len()) > CASES_MAX {
            cases = cases.into_hull();
        }
        let exact = cases.exact;
        entries.extend(cases.list.into_iter().map(|case| Entry {
            route: number,
            case,
            exact,
        }));
    }
    entries
}

/// The dimensions, the one with most uses first.
fn choose_keys<'p>(entries: &[Entry<'p>]) -> Vec<Key<'p>> {
    let mut uses: BTreeMap<Key<'p>, usize> = BTreeMap::new();
    for (key, _) in entries.iter().flat_map(|entry| &entry.case.limits) {
        let count = uses.entry(*key).or_default();
        *count = count.saturating_add(1);
    }
    let is_worth = |key: &Key<'p>, count: usize| match key {
        Key::String(_) | Key::Int(_) | Key::Flag(_) => true,
        Key::Form(..) | Key::Share(..) => count >= TEST_USES_MIN,
    };
    let mut keys: Vec<_> = uses
        .into_iter()
        .filter(|(key, count)| is_worth(key, *count))
        .collect();
    // Stable: keys that are used equally stay in their own order.
    keys.sort_by_key(|(_, count)| usize::MAX.saturating_sub(*count));
    keys.truncate(DIMENSIONS_MAX);
    keys.into_iter().map(|(key, _)| key).collect()
}

fn rules_of(
    routes: &[Route],
    entries: &[Entry<'_>],
    seats: &[Option<usize>],
    needs: &Needs,
    branches: &mut Branches,
) -> Vec<Rule> {
    let mut checks: BTreeMap<u16, u32> = BTreeMap::new();
    let nobody = Rule {
        route: u16::MAX,
        check: ACCEPT,
    };
    let mut rules = Vec::with_capacity(seats.len());
    for seat in seats {
        let Some(entry) = seat.and_then(|index| entries.get(index)) else {
            rules.push(nobody);
            continue;
        };
        let check = match routes.get(usize::from(entry.route)) {
            Some(route) if !entry.exact => *checks
                .entry(entry.route)
                .or_insert_with(|| branches.compile(&route.when, needs)),
            _ => ACCEPT,
        };
        rules.push(Rule {
            route: entry.route,
            check,
        });
    }
    rules
}

/// Writes the rows of dimensions.
struct Writer<'w, 'p> {
    rows: RowWriter,
    entries: &'w mut [Entry<'p>],
    seats: &'w [Option<usize>],
    chunks: usize,
    needs: &'w Needs,
}

impl<'p> Writer<'_, 'p> {
    fn dimension(
        &mut self,
        key: &Key<'p>,
        split: Option<&Split<'p>>,
        matcher: &mut Matcher,
        branches: &mut Branches,
    ) -> Dimension {
        let test = match key {
            Key::String(fact) => {
                return self.string(key, Place::of(fact, self.needs), split, matcher);
            }
            Key::Int(fact) => {
                let (edges, classes) = self.int(key, matcher);
                return Dimension::Int {
                    fact: *fact,
                    edges,
                    classes,
                };
            }
            Key::Flag(fact) => return Dimension::Flag(*fact, self.truth(key)),
            Key::Form(fact, pattern) => Test::Matches {
                fact: (*fact).clone(),
                pattern: (*pattern).clone(),
            },
            Key::Share(fact, salt, share) => Test::HashBelow {
                fact: (*fact).clone(),
                salt: Box::from(*salt),
                share: *share,
            },
        };
        let probe = branches.probes_mut().add(&test, self.needs);
        Dimension::Test(probe, self.truth(key))
    }

    /// The row of every case.
    fn always(&mut self) -> u32 {
        let mut bits = Bits::clear(self.chunks);
        for (bit, _) in self.taken() {
            bits.flip(bit);
        }
        self.rows.row(&bits)
    }

    fn truth(&mut self, key: &Key<'p>) -> [u32; 2] {
        let mut rows = [Bits::clear(self.chunks), Bits::clear(self.chunks)];
        for (bit, case) in self.taken() {
            let holds = match case.limit(key) {
                Some(Set::Truth { no, yes }) => [*no, *yes],
                _ => [true, true],
            };
            for (row, holds) in rows.iter_mut().zip(holds) {
                if holds {
                    row.flip(bit);
                }
            }
        }
        rows.each_ref().map(|bits| self.rows.row(bits))
    }

    /// The row of a constant is that of any other string with the bits inverted of the cases that name it: a case that
    /// names it to allow it refuses the others, one that names it to refuse it allows them.
    fn string(
        &mut self,
        key: &Key<'p>,
        place: Place,
        split: Option<&Split<'p>>,
        matcher: &mut Matcher,
    ) -> Dimension {
        let mut other = Bits::clear(self.chunks);
        let mut missing = Bits::clear(self.chunks);
        let mut flips: BTreeMap<&'p str, Vec<usize>> = BTreeMap::new();
        let all = Strings {
            values: Vec::new(),
            inverted: true,
            missing: true,
        };
        for (bit, case) in self.taken() {
            let set = match case.limit(key) {
                Some(Set::Strings(set)) => set,
                _ => &all,
            };
            if set.inverted {
                other.flip(bit);
            }
            if set.missing {
                missing.flip(bit);
            }
            for value in &set.values {
                flips.entry(value).or_default().push(bit);
            }
        }
        let base = self.rows.row(&other);
        let constants: Vec<(&str, Known)> = flips
            .iter()
            .map(|(value, flips)| {
                let block = split.and_then(|split| split.block_of.get(value));
                let known = Known {
                    row: self.rows.row_except(&other, base, flips),
                    block: block.copied().unwrap_or_default(),
                };
                (*value, known)
            })
            .collect();
        Dimension::String {
            place,
            table: matcher.interner.add(&constants),
            other: base,
            missing: self.rows.row(&missing),
        }
    }

    /// Sweeps the classes from the lowest, switching cases on and off where their ranges begin and end.
    fn int(&mut self, key: &Key<'p>, matcher: &mut Matcher) -> (Range<u32>, u32) {
        let edges = self.edges(key);
        // Switches at the beginning of each class.
        let mut switches: Vec<Vec<usize>> = vec![Vec::new(); edges.len().saturating_add(1)];
        let class_of = |value: u64| edges.partition_point(|edge| *edge <= value);
        for (bit, case) in self.taken() {
            let ranges = match case.limit(key) {
                Some(Set::Ranges(ranges)) => ranges.as_slice(),
                _ => &[(0, u64::MAX)],
            };
            for at in turns(ranges, class_of) {
                if let Some(switch) = switches.get_mut(at) {
                    switch.push(bit);
                }
            }
        }
        let span = index_of(matcher.edges.len())
            ..index_of(matcher.edges.len().saturating_add(edges.len()));
        let classes = index_of(matcher.class_rows.len());
        let mut bits = Bits::clear(self.chunks);
        for switch in &switches {
            for &bit in switch {
                bits.flip(bit);
            }
            let row = self.rows.row(&bits);
            matcher.class_rows.push(row);
        }
        matcher.edges.extend(edges);
        (span, classes)
    }

    /// The numbers at which an answer can change, thinned out if there are too many; cases whose ranges then begin or
    /// end inside a class are no longer exact.
    fn edges(&mut self, key: &Key<'p>) -> Vec<u64> {
        let mut edges: Vec<u64> = self
            .entries
            .iter()
            .flat_map(|entry| edges_of(&entry.case, key))
            .collect();
        edges.sort_unstable();
        edges.dedup();
        if edges.len() <= EDGES_MAX {
            return edges;
        }
        let step = edges.len().div_ceil(EDGES_MAX);
        let kept: Vec<u64> = edges.into_iter().step_by(step).collect();
        for entry in self.entries.iter_mut() {
            let mut wanted = edges_of(&entry.case, key);
            entry.exact &= wanted.all(|edge| kept.binary_search(&edge).is_ok());
        }
        kept
    }

    /// The bits that stand for a case, and the case.
    fn taken(&self) -> impl Iterator<Item = (usize, &Case<'p>)> {
        let seats = self.seats.iter().enumerate();
        seats.filter_map(|(bit, seat)| Some((bit, &self.entries.get((*seat)?)?.case)))
    }
}

/// The classes at whose beginning a case turns on or off, in turn. Ranges that share a class, because it is wider than
/// they are, turn on once.
fn turns(ranges: &[(u64, u64)], class_of: impl Fn(u64) -> usize) -> Vec<usize> {
    let mut turns = Vec::with_capacity(ranges.len().saturating_mul(2));
    let mut off = 0;
    for &(low, high) in ranges {
        let on = class_of(low).max(off);
        off = class_of(high).saturating_add(1).max(on);
        turns.extend([on, off]);
    }
    turns
}

/// The numbers at which a case switches: 0 and "beyond the largest" are no edges.
fn edges_of<'e>(case: &'e Case<'_>, key: &Key<'e>) -> impl Iterator<Item = u64> + 'e {
    let ranges = match case.limit(key) {
        Some(Set::Ranges(ranges)) => ranges.as_slice(),
        _ => &[],
    };
    let ends = |&(low, high): &(u64, u64)| [Some(low).filter(|low| *low > 0), high.checked_add(1)];
    ranges.iter().flat_map(ends).flatten()
}
