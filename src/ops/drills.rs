//! Drills in the metrics. Requests that a drill makes are in these families and in no other.

use crate::ops::exposition::{Family, Page};

/// What is known of one drill.
#[derive(Clone, Debug, Default)]
pub struct DrillFigures {
    /// Its name.
    pub name: Box<str>,
    /// It is on.
    pub running: bool,
    /// Its faults that are there now.
    pub injected: u64,
    /// Of its newest run: requests that were answered, and those that were not.
    pub answered: u64,
    /// See [`Self::answered`].
    pub failed: u64,
    /// Of its newest run: attempts that a fault has hit.
    pub hits: u64,
    /// When it ran last, in Unix seconds, and whether it passed.
    pub last: Option<(u64, bool)>,
    /// When its schedule has it run next, in Unix seconds.
    pub next: Option<i64>,
    /// Why it did not run although its time had come, and how often.
    pub skipped: Vec<(&'static str, u64)>,
    /// How many runs ended how.
    pub runs: Vec<(&'static str, u64)>,
}

pub(super) fn drills(drills: &[DrillFigures], page: &mut Page) {
    page.family(&RUNNING);
    for drill in drills {
        page.sample("", &[("drill", &drill.name)], u8::from(drill.running));
    }
    page.family(&INJECTED);
    for drill in drills {
        page.sample("", &[("drill", &drill.name)], drill.injected);
    }
    page.family(&REQUESTS);
    for drill in drills {
        for (ending, count) in [("answered", drill.answered), ("failed", drill.failed)] {
            let labels = [("drill", &*drill.name), ("ending", ending)];
            page.sample("", &labels, count);
        }
    }
    page.family(&HITS);
    for drill in drills {
        page.sample("", &[("drill", &drill.name)], drill.hits);
    }
    page.family(&RUNS);
    for drill in drills {
        for &(verdict, count) in &drill.runs {
            let labels = [("drill", &*drill.name), ("verdict", verdict)];
            page.sample("", &labels, count);
        }
    }
    page.family(&LAST);
    for (drill, (at, _)) in drills.iter().filter_map(|it| Some((it, it.last?))) {
        page.sample("", &[("drill", &drill.name)], at);
    }
    page.family(&PASSED);
    for (drill, (_, passed)) in drills.iter().filter_map(|it| Some((it, it.last?))) {
        page.sample("", &[("drill", &drill.name)], u8::from(passed));
    }
    page.family(&NEXT);
    for (drill, at) in drills.iter().filter_map(|it| Some((it, it.next?))) {
        page.sample("", &[("drill", &drill.name)], at);
    }
    page.family(&SKIPPED);
    for drill in drills {
        for &(reason, count) in &drill.skipped {
            let labels = [("drill", &*drill.name), ("reason", reason)];
            page.sample("", &labels, count);
        }
    }
}

const LAST: Family = Family {
    name: "switchover_drill_last_run_seconds",
    kind: "gauge",
    help: "When the drill's newest run that is over began, in Unix seconds.",
};
const PASSED: Family = Family {
    name: "switchover_drill_last_passed",
    kind: "gauge",
    help: "1 if that run passed.",
};
const NEXT: Family = Family {
    name: "switchover_drill_next_run_seconds",
    kind: "gauge",
    help: "When the drill's schedule has it run next, in Unix seconds.",
};
const SKIPPED: Family = Family {
    name: "switchover_drill_skipped_total",
    kind: "counter",
    help: "Times of the drill's schedule at which it did not run, by reason.",
};
const RUNNING: Family = Family {
    name: "switchover_drill_running",
    kind: "gauge",
    help: "1 while the drill is on.",
};
const INJECTED: Family = Family {
    name: "switchover_drill_injected",
    kind: "gauge",
    help: "Faults of the drill that are injected now.",
};
const REQUESTS: Family = Family {
    name: "switchover_drill_requests",
    kind: "gauge",
    help: "Requests of the drill's newest run that are over.",
};
const HITS: Family = Family {
    name: "switchover_drill_hits",
    kind: "gauge",
    help: "Attempts that a fault of the drill's newest run has hit.",
};
const RUNS: Family = Family {
    name: "switchover_drill_runs_total",
    kind: "counter",
    help: "Runs of the drill, by how they ended.",
};
